/* prune.h - what is older than the county keeps it: notices at the front of their mailboxes, and dead letters.
 *
 * Never pruned: the event log and the ledger; a notice that no client has stored yet, that still stands, or whose family is
 * under a legal hold, and what lies behind it in the mailbox. Once an hour, in idle bites; or as a job. One thread.
 */
#ifndef LINKAGES_PRUNE_H
#define LINKAGES_PRUNE_H

#include <linkages/base.h>

struct clock;
struct config;
struct loop;
struct prune;
struct store;

struct prune_count {
	int64_t notices, letters;
};

/* All are borrowed. */
int prune_create(struct loop *loop, struct store *store, struct clock *clock,
		 const struct config *config, struct prune **out,
		 struct lk_error *err) LK_MUST_CHECK;
void prune_destroy(struct prune *prune); /* NULL-safe */
/* From the first mailbox on; then one bite a step. 1: there is more; 0: done. Not within a transaction. */
void prune_begin(struct prune *prune);
int prune_step(struct prune *prune, struct lk_error *err) LK_MUST_CHECK;
/* Since prune_begin(). */
void prune_told(const struct prune *prune, struct prune_count *out);

#endif
