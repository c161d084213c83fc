/* inbox_store.h - what the inbox asks of its store beyond the public interface. Internal to the library. */
#ifndef LINKAGES_INBOX_STORE_H
#define LINKAGES_INBOX_STORE_H

#include <linkages/client.h>

bool inbox_store_in_transaction(const struct lk_inbox_store *store);
/* As lk_inbox_store_put() for an array of notices, numbered from seq on, less those before `from`. How many are new. */
int inbox_store_put_several(struct lk_inbox_store *store, struct lk_text worker, int64_t seq,
			    struct lk_span notices, int64_t from, struct lk_error *err) LK_MUST_CHECK;
/* A bite of work for idle moments, not within a transaction: many names are not left to the first withdrawal that asks for
 * them. 1: there is more; 0: few are left. */
int inbox_store_name_some(struct lk_inbox_store *store, struct lk_error *err) LK_MUST_CHECK;

#endif
