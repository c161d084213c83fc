/* inbox_store.h - what the inbox asks of its store beyond the public interface. Internal to the library. */
#ifndef LINKAGES_INBOX_STORE_H
#define LINKAGES_INBOX_STORE_H

#include <linkages/client.h>

bool inbox_store_in_transaction(const struct lk_inbox_store *store);

#endif
