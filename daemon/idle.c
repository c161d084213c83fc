/* idle.c - what the store does, through the turn, when the sockets are quiet.
 *
 * In: turns of the loop that have nothing else to do, and a beat. Out: bites of at most about 10 ms. Promise: nobody who
 * publishes waits for what can wait; a loop that is never idle still comes to it, and the log stays within bounds.
 */
#include "idle.h"

#include "clock.h"
#include "credit.h"
#include "log.h"
#include "loop.h"
#include "metrics.h"
#include "turn.h"

#include <stdlib.h>
#include <sysexits.h>

#define BEAT_US (LK_SECOND / 4)
/* A bite ends with a sync, for which whoever publishes meanwhile has to wait: so nobody is to have published for this long. */
#define QUIET_US (20 * INT64_C(1000))
/* For how long all of it may wait for quiet; from then on there is a bite at each beat. */
#define OVERDUE_US (10 * LK_SECOND)
#define FAILED_US (10 * LK_SECOND)
/* Of the processor's time, that a bite of state.db may take: one family costs a few rows, another the events of years, read
 * anew. */
#define FILL_WORK_US (5 * INT64_C(1000))

struct idle {
	struct loop *loop;
	struct turn *turn;
	struct loop_timer *beat, *bite;
	int64_t accepted; /* events, as last seen */
	int64_t done_us;  /* when nothing was left to do; ticks */
	size_t families;  /* that a bite of state.db takes on */
};

static bool failed(struct idle *idle, int rc, const struct lk_error *err)
{
	if (rc >= 0)
		return false;
	log_line(LOG_ERROR, "idle outcome=failed fault=%d detail=\"%s\"", err->code, err->text);
	if (err->code == LK_ESYNC)
		loop_stop(idle->loop, EX_TEMPFAIL);
	loop_timer_in(idle->beat, FAILED_US);
	return true;
}

/* From a bite that took on all it may. */
static void learn(struct idle *idle, int64_t work_us)
{
	idle->families =
		credit_turn(idle->families, idle->families, work_us, FILL_WORK_US, TURN_FILL_MAX);
	turn_fill_at_most(idle->turn, (int)idle->families);
}

static void bite(struct idle *idle)
{
	struct lk_error err = { 0 };
	int64_t worked = clock_work();
	int rc = turn_idle(idle->turn, &err);

	metric_add(METRIC_IDLE_BITES, 1);
	if (rc == TURN_FILLED)
		learn(idle, clock_work() - worked);
	if (rc == 0)
		idle->done_us = clock_ticks();
	if (!failed(idle, rc, &err) && rc > 0)
		loop_timer_in(idle->bite, 0);
}

/* Events came since the last look. */
static bool is_busy(struct idle *idle)
{
	int64_t accepted = metric_get(METRIC_EVENTS_ACCEPTED);
	bool busy = accepted != idle->accepted;

	idle->accepted = accepted;
	return busy;
}

/* Comes back until there is quiet; meanwhile only what must be. */
static void await_quiet(struct idle *idle)
{
	struct lk_error err = { 0 };

	if (!failed(idle, turn_relieve(idle->turn, &err), &err))
		loop_timer_in(idle->bite, QUIET_US);
}

static void beaten(void *context)
{
	struct idle *idle = context;

	loop_timer_in(idle->beat, BEAT_US);
	if (!is_busy(idle) || clock_ticks() - idle->done_us > OVERDUE_US)
		bite(idle);
	else
		await_quiet(idle);
}

static void bitten(void *context)
{
	struct idle *idle = context;

	if (is_busy(idle))
		await_quiet(idle);
	else
		bite(idle);
}

int idle_create(struct loop *loop, struct turn *turn, struct idle **out, struct lk_error *err)
{
	struct idle *idle = calloc(1, sizeof(*idle));
	int rc;

	if (idle == NULL)
		return lk_fail(err, LK_EMEMORY, "no memory for idle bites");
	*idle = (struct idle){
		.loop = loop, .turn = turn, .done_us = clock_ticks(), .families = TURN_FILL_FIRST
	};
	rc = loop_timer_create(loop, LOOP_PROMPT, beaten, idle, &idle->beat, err);
	if (rc == 0)
		rc = loop_timer_create(loop, LOOP_IDLE, bitten, idle, &idle->bite, err);
	if (rc < 0) {
		idle_destroy(idle);
		return rc;
	}
	loop_timer_in(idle->beat, 0);
	*out = idle;
	return 0;
}

void idle_destroy(struct idle *idle)
{
	if (idle == NULL)
		return;
	loop_timer_destroy(idle->beat);
	loop_timer_destroy(idle->bite);
	free(idle);
}
