/* enroll.h - the embedded default's clients: made on the first start, so that a stranger can
 * begin at once. */
#ifndef LINKAGES_ENROLL_H
#define LINKAGES_ENROLL_H

#include <linkages/base.h>

struct config;

/* The table of clients is at its default place and not there yet, and every lane is within this
 * machine. */
bool enroll_is_due(const struct config *config);
/* Then makes in the state directory keys/NAME.key (0600) for a publisher named as each source,
 * one worker client 'workers' that may read every mailbox, an 'operator' and an 'auditor'; last
 * of all the table. Otherwise does nothing. Idempotent: keys that are there stay. 1: made; 0:
 * nothing to do. */
int enroll_default(const struct config *config, struct lk_error *err) LK_MUST_CHECK;

#endif
