/* clock.h - what time it is: the machine's, or one that is moved by hand. A leaf.
 *
 * `clock: manual` is for the demo, tests and training: protocol.md, "Time". One thread.
 */
#ifndef LINKAGES_CLOCK_H
#define LINKAGES_CLOCK_H

#include <linkages/base.h>

/* A manual clock that nobody has set yet stands at the earliest time there is:
 * 1990-01-01T00:00:00Z. */
#define CLOCK_UNSET (INT64_C(631152000) * LK_SECOND)

struct clock {
	bool manual;
	lk_instant now; /* the latest told */
};

/* `since` is the last instant known from before, or LK_NO_INSTANT. */
void clock_start(struct clock *clock, bool manual, lk_instant since);
/* The instant. Never lower than one told before. */
lk_instant clock_now(struct clock *clock);
/* Moves a manual clock forward. LK_ESTATE for the real one, LK_EREFUSED for a step back. */
int clock_move(struct clock *clock, lk_instant to, struct lk_error *err) LK_MUST_CHECK;
const char *clock_word(const struct clock *clock); /* "real" or "manual" */
/* Microseconds since the machine started, sleep included: for measuring, unaffected by anybody's
 * hand. */
int64_t clock_ticks(void);

#endif
