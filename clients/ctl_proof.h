/* ctl_proof.h - a copy of the store, looked at whole. */
#ifndef LINKAGES_CTL_PROOF_H
#define LINKAGES_CTL_PROOF_H

#include "store/store.h"

struct proof {
	const struct ledger_head *known; /* NULL: none */
	int64_t rows, ledger, expunged, damages;
	int64_t broken; /* the ledger's first row that is not as it was written; 0: none */
	struct ledger_head head;
	char first[200]; /* what is wrong, in a sentence; empty: nothing */
};

/* Every page, every sum and the ledger's chain, or the ledger alone. 0: looked at whole, whatever was found; negative: could not
 * be. *p starts from zeroes, but for `known`. */
int prove(const char *file, bool ledger_only, struct proof *p, struct lk_error *err) LK_MUST_CHECK;
/* The same, where nothing may be wrong: LK_EREFUSED says what is. `known` may be NULL. */
int prove_sound(const char *file, const struct ledger_head *known, struct proof *p,
		struct lk_error *err) LK_MUST_CHECK;

#endif
