/* witness.h - tells the journal how far the disclosure ledger has come, and at the start whether the database is the one
 * that its mark remembers. */
#ifndef LINKAGES_WITNESS_H
#define LINKAGES_WITNESS_H

#include "store/store.h"

struct loop;
struct loop_timer;

struct witness {
	struct store *store; /* borrowed; NULL: says nothing */
	int64_t told;        /* the head told last */
	unsigned beats;      /* since then */
	struct loop_timer *bite;
	int64_t case_at, back; /* how far the look at cases is, and how many it found that were expunged */
	bool is_looking;
};

/* Says what became of linkages.mark, if it does not hold. */
void witness_begin(struct witness *witness, struct store *store);
/* From now on what takes long is done in idle turns of the loop, which outlives it. */
int witness_join(struct witness *witness, struct loop *loop, struct lk_error *err) LK_MUST_CHECK;
void witness_leave(struct witness *witness);
/* Whether cases that were expunged are in the store, at the start and after an expunging: told at once where there are a few
 * thousand cases, else when idle turns have come to the last. While an order is carried out nobody looks. */
void witness_expunging(struct witness *witness);
void witness_expunged(struct witness *witness);
/* Every ten seconds; tells a head that has moved at most once a minute. */
void witness_beat(struct witness *witness);
/* The last head, before the store is closed. */
void witness_end(struct witness *witness);

#endif
