/* wake.c - the passing of time.
 *
 * In: the next instant at which anything falls due. Out: turns. Promise: what falls due while the
 * daemon sleeps, is down, or is moved by hand fires at its own instant; between two bites the
 * sockets are looked at.
 */
#include "wake.h"

#include "alarm.h"
#include "clock.h"
#include "credit.h"
#include "log.h"
#include "loop.h"
#include "metrics.h"
#include "turn.h"

#include <inttypes.h>
#include <stdlib.h>
#include <sysexits.h>

/* Somebody may set the machine's clock, while timers run by another one: look again at least this
 * often. That also keeps the last instant that is known on disk from falling behind. */
#define LOOK_AGAIN_US (60 * LK_SECOND)
#define SUSPECT_US LK_SECOND /* until a suspect clock is looked at again */
#define RETRY_FIRST_US LK_SECOND
#define RETRY_MOST_US (60 * LK_SECOND)
/* Of the processor's time, after which the sockets are looked at. A pass takes on as many families as that will do: one costs
 * a look, another a fold of years. */
#define PASS_WORK_US (5 * INT64_C(1000))
#define FAMILIES_FIRST 16
/* After a pass whose cause is still there: a fault of ours, but no reason to spin. */
#define BREATH_US (LK_SECOND / 10)

struct wake {
	struct loop *loop;
	struct clock *clock;
	struct turn *turn;
	struct loop_timer *timer;
	lk_instant at;
	int64_t retry_us;
	bool retries;      /* a pass has failed, and the timer is for the next try */
	size_t families;   /* that a pass takes on */
	lk_instant target; /* LK_NO_INSTANT: the clock is not being moved */
	wake_moved *moved;
	void *moved_context;
};

static void set_timer(struct wake *wake)
{
	int64_t us = wake->at != LK_NO_INSTANT ? wake->at - clock_now(wake->clock) : LOOK_AGAIN_US;
	if (us > 0 && wake->clock->manual) {
		loop_timer_cancel(wake->timer);
		return;
	}
	loop_timer_in(wake->timer, us < 0 ? 0 : us > LOOK_AGAIN_US ? LOOK_AGAIN_US : us);
}

/* Time does not pass meanwhile, whatever the timer says. */
static void tell_awaited(const struct wake *wake)
{
	if (wake->turn == NULL)
		return;
	if (turn_awaits(wake->turn))
		alarm_raise(ALARM_OUTBOXES_AWAITED, "detail=\"families wait\"");
	else
		alarm_clear(ALARM_OUTBOXES_AWAITED);
}

void wake_at(struct wake *wake, lk_instant at)
{
	tell_awaited(wake);
	wake->at = at;
	if (wake->target == LK_NO_INSTANT && !wake->retries)
		set_timer(wake);
}

void wake_now(struct wake *wake)
{
	loop_timer_in(wake->timer, 0);
}

static bool is_due(struct wake *wake, lk_instant now)
{
	lk_instant next = turn_next_wake(wake->turn);

	return next != LK_NO_INSTANT && next <= now;
}

/* Only a pass that left some families over shows what a full one costs. */
static void learn(struct wake *wake, int64_t work_us)
{
	wake->families = credit_turn(wake->families, wake->families, work_us, PASS_WORK_US,
				     TURN_FAMILIES_MAX);
	turn_pass_at_most(wake->turn, (int)wake->families);
}

static int pass(struct wake *wake, lk_instant now, struct lk_error *err)
{
	int64_t worked = clock_work();
	int rc = turn_pass(wake->turn, now, err);

	metric_add(rc < 0 ? METRIC_PASSES_FAILED : METRIC_PASSES, 1);
	if (rc < 0)
		return rc;
	if (rc > 0)
		learn(wake, clock_work() - worked);
	clock_mark(wake->clock);
	metric_set(METRIC_COMMITTED_AT, "", clock_read().machine);
	return rc;
}

/* The clock stands where it was to go; with an error only as far as it was committed. An event of a batch that was held may
 * have moved it beyond meanwhile. */
static void move_ended(struct wake *wake, const struct lk_error *err)
{
	wake_moved *moved = wake->moved;
	lk_instant at = err == NULL ? wake->target : turn_now(wake->turn);

	if (at != LK_NO_INSTANT && at > clock_now(wake->clock) &&
	    clock_move(wake->clock, at, NULL) < 0)
		log_line(LOG_ERROR, "clock outcome=stuck");
	wake->target = LK_NO_INSTANT;
	wake->moved = NULL;
	moved(wake->moved_context, err);
}

/* Nothing was kept, nothing was told: the same again later is safe. Whoever moves the clock is told, and may do so again. */
static void failed(struct wake *wake, const struct lk_error *err)
{
	log_line(LOG_ERROR, "pass outcome=failed fault=%d detail=\"%s\"", err->code, err->text);
	if (err->code == LK_ESYNC) {
		loop_stop(wake->loop, EX_TEMPFAIL);
		return;
	}
	loop_timer_in(wake->timer, wake->retry_us);
	wake->retries = true;
	wake->retry_us = wake->retry_us * 2 > RETRY_MOST_US ? RETRY_MOST_US : wake->retry_us * 2;
	if (wake->target != LK_NO_INSTANT)
		move_ended(wake, err);
}

static void fired(void *context)
{
	struct wake *wake = context;
	struct lk_error err = { 0 };
	bool advancing = wake->target != LK_NO_INSTANT;
	lk_instant now = advancing ? wake->target : clock_now(wake->clock);

	wake->retries = false;
	if (clock_is_suspect(wake->clock)) {
		loop_timer_in(wake->timer, SUSPECT_US);
		return;
	}
	int rc = pass(wake, now, &err);
	if (rc < 0) {
		failed(wake, &err);
		return;
	}
	wake->retry_us = RETRY_FIRST_US;
	tell_awaited(wake);
	if (rc > 0) {
		loop_timer_in(wake->timer, 0);
		return;
	}
	if (advancing)
		move_ended(wake, NULL);
	wake->at = turn_next_wake(wake->turn);
	set_timer(wake);
	if (is_due(wake, clock_now(wake->clock)))
		loop_timer_in(wake->timer, BREATH_US);
}

int wake_reach(struct wake *wake, lk_instant to, struct lk_error *err)
{
	int rc = 0;

	if (!wake->clock->manual)
		return lk_fail(err, LK_ESTATE, "the clock is the machine's");
	if (is_due(wake, to))
		do
			rc = pass(wake, to, err);
		while (rc > 0);
	return rc < 0 ? rc : clock_move(wake->clock, to, err);
}

int wake_advance(struct wake *wake, lk_instant to, wake_moved *moved, void *context,
		 struct lk_error *err)
{
	if (!wake->clock->manual)
		return lk_fail(err, LK_ESTATE,
			       "the clock is the machine's; only `clock: manual` can be moved");
	if (wake->target != LK_NO_INSTANT)
		return lk_fail(err, LK_ESTATE, "the clock is being moved already");
	if (to < clock_now(wake->clock))
		return lk_fail(err, LK_EREFUSED, "the clock never runs backwards");
	wake->target = to;
	wake->moved = moved;
	wake->moved_context = context;
	loop_timer_in(wake->timer, 0);
	return 0;
}

lk_instant wake_next(const struct wake *wake)
{
	return wake->at;
}

int wake_create(struct loop *loop, struct clock *clock, struct wake **out, struct lk_error *err)
{
	struct wake *wake = calloc(1, sizeof(*wake));

	if (wake == NULL)
		return lk_fail(err, LK_EMEMORY, "no memory for the wake timer");
	*wake = (struct wake){ .loop = loop,
			       .clock = clock,
			       .at = LK_NO_INSTANT,
			       .retry_us = RETRY_FIRST_US,
			       .families = FAMILIES_FIRST,
			       .target = LK_NO_INSTANT };
	int rc = loop_timer_create(loop, LOOP_PROMPT, fired, wake, &wake->timer, err);
	if (rc < 0) {
		free(wake);
		return rc;
	}
	*out = wake;
	return 0;
}

void wake_begin(struct wake *wake, struct turn *turn)
{
	wake->turn = turn;
	turn_pass_at_most(turn, (int)wake->families);
	tell_awaited(wake);
	wake_now(wake);
}

void wake_destroy(struct wake *wake)
{
	if (wake == NULL)
		return;
	loop_timer_destroy(wake->timer);
	free(wake);
}
