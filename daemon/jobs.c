/* jobs.c - one long work at a time, a step whenever nobody else needs the loop.
 *
 * In: a work and who asked for it. Out: how far it is, then its answer. Promise: no step keeps intake or delivery waiting
 * longer than its bite; a busy daemon gets it done all the same, only later.
 */
#include "jobs.h"

#include "log.h"
#include "loop.h"
#include "verbs.h"

#include <inttypes.h>
#include <stdlib.h>

#define BEAT_US (LK_SECOND / 4)
#define TOLD_EVERY 2 /* beats */

struct jobs {
	struct loop_timer *beat, *bite;
	const struct job_kind *kind; /* NULL: nothing is under way */
	void *work;
	struct control *control;
	struct control_asker asker;
	unsigned beats;
};

static void finish(struct jobs *jobs, const struct lk_error *failed)
{
	const struct job_kind *kind = jobs->kind;
	struct lk_bytes body = { 0 };

	if (failed != NULL) {
		log_line(LOG_ERROR, "job name=%s outcome=failed detail=\"%s\"", kind->name,
			 failed->text);
		verb_fail(jobs->control, &jobs->asker, failed);
	} else {
		log_line(LOG_NOTE, "job name=%s outcome=done", kind->name);
		kind->report(jobs->work, &body);
		control_reply(jobs->control, &jobs->asker, false, &body);
	}
	lk_bytes_free(&body);
	kind->end(jobs->work);
	jobs->kind = NULL;
	loop_timer_cancel(jobs->beat);
	loop_timer_cancel(jobs->bite);
}

static void bitten(void *context)
{
	struct jobs *jobs = context;
	struct lk_error err = { 0 };
	int rc = jobs->kind->step(jobs->work, &err);

	if (rc > 0)
		loop_timer_in(jobs->bite, 0);
	else
		finish(jobs, rc < 0 ? &err : NULL);
}

static void tell(struct jobs *jobs)
{
	struct lk_bytes body = { 0 };
	int64_t done = 0, of = 0;

	jobs->kind->count(jobs->work, &done, &of);
	lk_put_map(&body, 3);
	lk_member_word(&body, "working", jobs->kind->name);
	lk_member_int(&body, "done", done);
	lk_member_int(&body, "of", of);
	control_reply(jobs->control, &jobs->asker, true, &body);
	lk_bytes_free(&body);
}

/* Comes whether the loop is busy or not. */
static void beaten(void *context)
{
	struct jobs *jobs = context;

	loop_timer_in(jobs->beat, BEAT_US);
	if (++jobs->beats % TOLD_EVERY == 0)
		tell(jobs);
	bitten(jobs);
}

int jobs_create(struct loop *loop, struct jobs **out, struct lk_error *err)
{
	struct jobs *jobs = calloc(1, sizeof(*jobs));
	int rc;

	if (jobs == NULL)
		return lk_fail(err, LK_EMEMORY, "no memory for long works");
	rc = loop_timer_create(loop, LOOP_PROMPT, beaten, jobs, &jobs->beat, err);
	if (rc == 0)
		rc = loop_timer_create(loop, LOOP_IDLE, bitten, jobs, &jobs->bite, err);
	if (rc < 0) {
		jobs_destroy(jobs);
		return rc;
	}
	*out = jobs;
	return 0;
}

void jobs_destroy(struct jobs *jobs)
{
	if (jobs == NULL)
		return;
	if (jobs->kind != NULL) {
		control_refuse(jobs->control, &jobs->asker, "not_now",
			       "the daemon ends before the work is done: ask again when it runs");
		jobs->kind->end(jobs->work);
	}
	loop_timer_destroy(jobs->beat);
	loop_timer_destroy(jobs->bite);
	free(jobs);
}

const char *jobs_under_way(const struct jobs *jobs)
{
	return jobs->kind != NULL ? jobs->kind->name : NULL;
}

int jobs_begin(struct jobs *jobs, const struct job_kind *kind, void *work, struct control *control,
	       const struct control_asker *asker, struct lk_error *err)
{
	if (jobs->kind != NULL) {
		kind->end(work);
		return lk_fail(err, LK_ESTATE, "%s is under way: ask again when it is done",
			       jobs->kind->name);
	}
	*jobs = (struct jobs){ .beat = jobs->beat,
			       .bite = jobs->bite,
			       .kind = kind,
			       .work = work,
			       .control = control,
			       .asker = *asker };
	loop_timer_in(jobs->beat, BEAT_US);
	loop_timer_in(jobs->bite, 0);
	return 0;
}
