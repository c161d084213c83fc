/* idle.c - what the store does, through the turn, when the sockets are quiet.
 *
 * In: turns of the loop that have nothing else to do, and a beat that comes in any case. Out: bites
 * of at most about 10 ms. Promise: a loop that is never idle still checkpoints, so that the log
 * file stays within bounds.
 */
#include "idle.h"

#include "log.h"
#include "loop.h"
#include "metrics.h"
#include "turn.h"

#include <stdlib.h>
#include <sysexits.h>

#define BEAT_US (LK_SECOND / 4)
/* A bite ends with a sync, and whoever publishes while it lasts waits for it: nobody has for so long. */
#define QUIET_US (20 * INT64_C(1000))
#define FAILED_US (10 * LK_SECOND)

struct idle {
	struct loop *loop;
	struct turn *turn;
	struct loop_timer *beat, *bite;
	int64_t accepted; /* events, as last seen */
};

static void bite(struct idle *idle)
{
	struct lk_error err = { 0 };
	int rc = turn_idle(idle->turn, &err);

	metric_add(METRIC_IDLE_BITES, 1);
	if (rc > 0)
		loop_timer_in(idle->bite, 0);
	if (rc >= 0)
		return;
	log_line(LOG_ERROR, "idle outcome=failed fault=%d detail=\"%s\"", err.code, err.text);
	if (err.code == LK_ESYNC)
		loop_stop(idle->loop, EX_TEMPFAIL);
	loop_timer_in(idle->beat, FAILED_US);
}

static void beaten(void *context)
{
	struct idle *idle = context;

	loop_timer_in(idle->beat, BEAT_US);
	bite(idle);
}

static void bitten(void *context)
{
	struct idle *idle = context;
	int64_t accepted = metric_get(METRIC_EVENTS_ACCEPTED);

	if (accepted == idle->accepted) {
		bite(idle);
		return;
	}
	idle->accepted = accepted;
	loop_timer_in(idle->bite, QUIET_US);
}

int idle_create(struct loop *loop, struct turn *turn, struct idle **out, struct lk_error *err)
{
	struct idle *idle = calloc(1, sizeof(*idle));
	int rc;

	if (idle == NULL)
		return lk_fail(err, LK_EMEMORY, "no memory for idle bites");
	*idle = (struct idle){ .loop = loop, .turn = turn };
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
