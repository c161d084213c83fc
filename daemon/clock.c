/* clock.c - time as an argument needs one place where it comes from.
 *
 * In: the machine's clock, or instants that an operator or an event names. Out: an instant.
 * Promise: it never runs backwards, also when the machine's clock is set back.
 */
#include "clock.h"

#include <time.h>

static lk_instant read_clock(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (lk_instant)ts.tv_sec * LK_SECOND + ts.tv_nsec / 1000;
}

void clock_start(struct clock *clock, bool manual, lk_instant since)
{
	clock->manual = manual;
	clock->now = since < CLOCK_UNSET ? CLOCK_UNSET : since;
}

lk_instant clock_now(struct clock *clock)
{
	if (!clock->manual) {
		lk_instant now = read_clock(CLOCK_REALTIME);
		if (now > clock->now)
			clock->now = now;
	}
	return clock->now;
}

int clock_move(struct clock *clock, lk_instant to, struct lk_error *err)
{
	if (!clock->manual)
		return lk_fail(err, LK_ESTATE,
			       "the clock is the machine's; only `clock: manual` can be moved");
	if (to < clock->now)
		return lk_fail(err, LK_EREFUSED, "the clock never runs backwards");
	clock->now = to;
	return 0;
}

const char *clock_word(const struct clock *clock)
{
	return clock->manual ? "manual" : "real";
}

int64_t clock_ticks(void)
{
	return read_clock(CLOCK_BOOTTIME);
}
