/* outbox.h - what the publisher asks of an outbox beyond the public interface. Internal to the library. */
#ifndef LINKAGES_OUTBOX_H
#define LINKAGES_OUTBOX_H

#include <linkages/client.h>

/* Appends are under way that are not on disk yet. */
bool outbox_in_batch(const struct lk_outbox *outbox);

#endif
