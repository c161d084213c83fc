/* clock.c - time as an argument needs one place where it comes from.
 *
 * In: the machine's clock and its count of time, or instants that an operator or an event names.
 * Out: an instant. Promise: it never runs backwards, also when the machine's clock is set back; a
 * clock that jumps makes nothing fall due.
 */
#include "clock.h"

#include "alarm.h"

#include <inttypes.h>
#include <time.h>

static lk_instant read_clock(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (lk_instant)ts.tv_sec * LK_SECOND + ts.tv_nsec / 1000;
}

/* ---- The machine's clock, believed or not ---- */

static lk_instant counted(const struct clock *clock, int64_t ticks)
{
	return clock->mark.machine + (ticks - clock->mark.ticks);
}

static bool has_jumped(const struct clock *clock, struct clock_reading reading)
{
	int64_t off = reading.machine - counted(clock, reading.ticks);

	return off > CLOCK_JUMP_US || off < -CLOCK_JUMP_US;
}

static bool is_reached(struct clock *clock, lk_instant machine)
{
	if (clock->reach != LK_NO_INSTANT && machine >= clock->reach)
		clock->reach = LK_NO_INSTANT;
	return clock->reach == LK_NO_INSTANT;
}

static void judge(struct clock *clock, struct clock_reading reading)
{
	clock->suspect = !is_reached(clock, reading.machine) || has_jumped(clock, reading);
	if (clock->suspect)
		alarm_raise(ALARM_CLOCK_SUSPECT, "off_s=%" PRId64,
			    (reading.machine - counted(clock, reading.ticks)) / LK_SECOND);
	else
		alarm_clear(ALARM_CLOCK_SUSPECT);
}

void clock_begin(struct clock *clock, lk_instant since, struct clock_reading reading)
{
	bool is_known = since != LK_NO_INSTANT && since > CLOCK_UNSET;
	bool is_behind = is_known && reading.machine < since;
	bool was_long = is_known && reading.machine - since > CLOCK_ABSENCE_US;

	*clock = (struct clock){ .now = is_known ? since : CLOCK_UNSET, .mark = reading };
	if (is_behind || was_long)
		clock->mark.machine = since;
	clock->reach = is_behind ? since : LK_NO_INSTANT;
	judge(clock, reading);
}

lk_instant clock_at(struct clock *clock, struct clock_reading reading)
{
	judge(clock, reading);
	lk_instant now = clock->suspect ? counted(clock, reading.ticks) : reading.machine;
	if (now > clock->now)
		clock->now = now;
	return clock->now;
}

void clock_mark(struct clock *clock)
{
	struct clock_reading reading = clock_read();

	if (clock->manual)
		return;
	judge(clock, reading);
	if (!clock->suspect)
		clock->mark = reading;
}

bool clock_is_suspect(const struct clock *clock)
{
	return clock->suspect;
}

int clock_accept(struct clock *clock, struct lk_error *err)
{
	struct clock_reading reading = clock_read();

	if (!clock->suspect)
		return lk_fail(err, LK_ESTATE, "the clock is not suspect");
	clock->mark = reading;
	clock->reach = LK_NO_INSTANT;
	judge(clock, reading);
	return 0;
}

/* ---- Either clock ---- */

void clock_start(struct clock *clock, bool manual, lk_instant since)
{
	if (manual)
		*clock = (struct clock){ .manual = true,
					 .now = since < CLOCK_UNSET ? CLOCK_UNSET : since };
	else
		clock_begin(clock, since, clock_read());
}

lk_instant clock_now(struct clock *clock)
{
	return clock->manual ? clock->now : clock_at(clock, clock_read());
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

int64_t clock_work(void)
{
	return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

struct clock_reading clock_read(void)
{
	return (struct clock_reading){ read_clock(CLOCK_REALTIME), clock_ticks() };
}
