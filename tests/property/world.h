/* world.h - one run of a history: the real turn over the real store in memory, and everything it told.
 */
#ifndef LINKAGES_TESTS_WORLD_H
#define LINKAGES_TESTS_WORLD_H

#include "history.h"

/* One telling, as it left the turn. */
struct heard {
	struct lk_bytes body;
	struct lk_notice notice; /* its texts point into body */
	uint32_t known;          /* steps of the order that had been taken, this one included */
};

struct world {
	const struct history *h;
	const struct order *o;
	const struct policy *policy;
	struct store *store;
	struct turn *turn;
	lk_instant now;
	uint32_t known;
	int64_t next_seq[HISTORY_SOURCES];
	struct heard *heard;
	uint32_t heard_n, heard_room;
	void (*hearing)(void); /* may be NULL: called before a telling is kept */
	bool is_failing;       /* of three commits one fails once and one twice in a row; each is tried again */
	unsigned tried;        /* commits that were to come about */
	unsigned refusals;     /* of the one at hand, still to come */
	bool was_refused;
	struct lk_error err;
};

/* Aborts where the turn cannot be made. world_close() gives everything back. */
void world_open(struct world *w, const struct history *h, const struct order *o,
		const struct policy *policy);
void world_close(struct world *w);
/* Time passes; one step; the rest of the order and its end. 0, or what the turn said. */
int world_pass(struct world *w, lk_instant to);
int world_step(struct world *w, uint32_t step);
int world_run(struct world *w);
/* The whole order, but events that follow each other arrive together, up to so many: in one batch, or one after the other
 * at that instant. */
#define WORLD_BATCH_MAX HISTORY_MAX
int world_run_batches(struct world *w, bool at_once);
/* From now on a thread reads events, and packs families where they are many. */
int world_share(struct world *w);
/* From now on little of families is in memory between commits: the last of their histories, and of some of them nothing. */
void world_shorten(struct world *w);
/* As after a restart of the daemon: nothing is remembered but what the store has. */
void world_restart(struct world *w);
/* Every family anew from the log, as after a change of policy. `policy` differs from the one before in no more than
 * its revision. */
int world_refold(struct world *w, const struct policy *policy);

/* One line of JSON for each notice that stands, sorted, without what may differ between orders of arrival: rules of
 * class STANDING but notice.unanswered, without id, rev, at, because and proposals. */
struct lk_bytes world_standing(const struct world *w, bool with_unanswered);
/* One line for each case: its family and the digest of the family's state. */
struct lk_bytes world_states(const struct world *w);
/* Everything told from `first` on, one line of JSON each; sorted where the order within an instant does not count. */
struct lk_bytes world_told(const struct world *w, uint32_t first, bool sorted);

#endif
