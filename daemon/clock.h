/* clock.h - what time it is: the machine's, or one that is moved by hand. A leaf.
 *
 * `clock: manual` is for the demo, tests and training: protocol.md, "Time". The machine's clock is
 * believed as long as it goes with the machine's count of time since it started. When it jumps, it
 * is suspect: time goes on from the last commit by that count, and the alarm clock_suspect stands,
 * until the clock is right again or somebody accepts it. One thread.
 */
#ifndef LINKAGES_CLOCK_H
#define LINKAGES_CLOCK_H

#include <linkages/base.h>

/* A manual clock that nobody has set yet stands at the earliest time there is:
 * 1990-01-01T00:00:00Z. */
#define CLOCK_UNSET (INT64_C(631152000) * LK_SECOND)
#define CLOCK_JUMP_US LK_HOUR               /* between two commits */
#define CLOCK_ABSENCE_US (7 * 24 * LK_HOUR) /* at start, since the last commit */

/* What the machine says at one moment. */
struct clock_reading {
	lk_instant machine; /* its clock; anybody may set it */
	int64_t ticks;      /* clock_ticks() */
};

struct clock {
	bool manual;
	lk_instant now; /* the latest told */
	bool suspect;
	struct clock_reading mark; /* at the last commit while it was believed */
	lk_instant reach; /* it started before this, which was committed; or LK_NO_INSTANT */
};

/* `since` is the last instant known from before, or LK_NO_INSTANT. */
void clock_start(struct clock *clock, bool manual, lk_instant since);
/* The instant. Never lower than one told before. */
lk_instant clock_now(struct clock *clock);
/* What was told has been committed: jumps are measured from here on. */
void clock_mark(struct clock *clock);
bool clock_is_suspect(const struct clock *clock);
/* The machine's clock is believed again. Where it lies behind what was told before, time stands
 * until it has come there. LK_ESTATE where it is not suspect. */
int clock_accept(struct clock *clock, struct lk_error *err) LK_MUST_CHECK;
/* Moves a manual clock forward. LK_ESTATE for the real one, LK_EREFUSED for a step back. */
int clock_move(struct clock *clock, lk_instant to, struct lk_error *err) LK_MUST_CHECK;
const char *clock_word(const struct clock *clock); /* "real" or "manual" */
/* Microseconds since the machine started, sleep included: for measuring, unaffected by anybody's
 * hand. */
int64_t clock_ticks(void);
int64_t clock_work(void); /* microseconds of the processor that this thread has had */
struct clock_reading clock_read(void);

/* The arithmetic of the real clock, without the machine's. */
void clock_begin(struct clock *clock, lk_instant since, struct clock_reading reading);
lk_instant clock_at(struct clock *clock, struct clock_reading reading);

#endif
