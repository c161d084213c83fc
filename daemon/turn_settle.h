/* turn_settle.h - one family at one instant: between turn_settle.c, which settles it, turn_nearby.c, which fetches what
 * reaches in from others, and turn_write.c, which writes what is told.
 */
#ifndef LINKAGES_TURN_SETTLE_H
#define LINKAGES_TURN_SETTLE_H

#include "turn_parts.h"

/* Whoever begins one sets .t, .h and .err (errors go there), the rest zero, and ends it with nearby_free(). */
struct nearby {
	struct turn *t;
	struct home *h;
	struct lk_error *err;
	struct busy *busy;
	uint32_t busy_n, busy_room;
	struct lk_text *silent;
	size_t silent_n;
	struct likely *likely;
	uint32_t likely_n, likely_room;
	const struct kase *looking; /* the case whose lookalikes are looked at */
	bool failed;                /* a text could not be copied */
};

/* All that rules of a family ask for; silent sources alone, for what is told of sources. */
int nearby_fetch(struct nearby *n, lk_instant at);
int nearby_silent(struct nearby *n);
/* Borrows from n. */
struct surroundings nearby_surroundings(const struct nearby *n);
void nearby_free(struct nearby *n); /* what it holds */

struct writing {
	struct turn *t;
	struct home *h;
	const struct derivation *d;
	lk_instant at;
	struct lk_error *err;
};

/* Of an outcome that did not fail: each telling a row, with its ledger row; the home's records change. */
int outcome_write(struct writing *w, const struct outcome *out);

#endif
