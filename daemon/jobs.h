/* jobs.h - works of many steps that somebody on the control lane waits for: a backup, a check, a rebuild.
 *
 * A step takes at most about 10 ms, and runs when the sockets are quiet, or else four times a second. One work at a time.
 * Whoever asked gets {working, done, of} now and then, and the work's own answer at its end; who goes away meanwhile
 * misses the answer, and the work is done all the same. One thread.
 */
#ifndef LINKAGES_JOBS_H
#define LINKAGES_JOBS_H

#include "control.h"

struct jobs;
struct loop;

struct job_kind {
	const char *name;
	/* 1: there is more to do; 0: done; negative: it failed, and err says why. Not within a transaction. */
	int (*step)(void *work, struct lk_error *err);
	/* How far it is; *of 0 where nobody knows. */
	void (*count)(const void *work, int64_t *done, int64_t *of);
	/* What it answers with: one map. */
	void (*report)(void *work, struct lk_bytes *body);
	/* Gives it back, done or not. */
	void (*end)(void *work);
};

int jobs_create(struct loop *loop, struct jobs **out, struct lk_error *err) LK_MUST_CHECK;
/* NULL-safe. What is under way ends undone, and whoever asked for it is told; before the control lane goes. */
void jobs_destroy(struct jobs *jobs);
/* The name of what is under way, or NULL. */
const char *jobs_under_way(const struct jobs *jobs);
/* Takes over the work, whatever it returns. LK_ESTATE: another work is under way. */
int jobs_begin(struct jobs *jobs, const struct job_kind *kind, void *work, struct control *control,
	       const struct control_asker *asker, struct lk_error *err) LK_MUST_CHECK;

#endif
