/* witness.h - tells the journal how far the disclosure ledger has come, and at the start whether the database is the one
 * that its mark remembers. */
#ifndef LINKAGES_WITNESS_H
#define LINKAGES_WITNESS_H

#include "store/store.h"

struct witness {
	struct store *store; /* borrowed; NULL: says nothing */
	int64_t told;        /* the head told last */
	unsigned beats;      /* since then */
};

/* Says what became of linkages.mark, if it does not hold. */
void witness_begin(struct witness *witness, struct store *store);
/* Whether cases that were expunged are in the store: at the start, and after an expunging. */
void witness_expunged(struct store *store);
/* Every ten seconds; tells a head that has moved at most once a minute. */
void witness_beat(struct witness *witness);
/* The last head, before the store is closed. */
void witness_end(struct witness *witness);

#endif
