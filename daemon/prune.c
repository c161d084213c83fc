/* prune.c - keeping no longer than the county says.
 *
 * In: the ages of the configuration. Out: rows that are gone, counted; a mailbox's `first`, moved. Promise: a bite is one
 * mailbox, or some dead letters; a store that fails under it is left alone for an hour.
 */
#include "prune.h"

#include "clock.h"
#include "config.h"
#include "log.h"
#include "loop.h"
#include "store/store.h"

#include <inttypes.h>
#include <stdlib.h>

#define EVERY_US LK_HOUR
#define ROWS_A_BITE 200

struct prune {
	struct loop_timer *beat, *bite;
	struct store *store;
	struct clock *clock;
	const struct config *config;
	int64_t mailbox; /* where the look at mailboxes stands */
	bool mailboxes_done;
	struct prune_count count;
};

void prune_begin(struct prune *p)
{
	p->mailbox = 0;
	p->mailboxes_done = false;
	p->count = (struct prune_count){ 0 };
}

void prune_told(const struct prune *p, struct prune_count *out)
{
	*out = p->count;
}

static int bite(struct prune *p, lk_instant now, struct lk_error *err)
{
	int more;

	if (p->mailboxes_done)
		return store_prune_letters(p->store, now - p->config->keep_letters_us, ROWS_A_BITE,
					   &p->count.letters, err);
	more = store_prune_mailbox(p->store, &p->mailbox, now - p->config->keep_mailbox_us,
				   ROWS_A_BITE, &p->count.notices, err);
	p->mailboxes_done = more == 0;
	return more < 0 ? more : 1;
}

int prune_step(struct prune *p, struct lk_error *err)
{
	int rc = store_begin(p->store, err), more;

	if (rc < 0)
		return rc;
	more = bite(p, clock_now(p->clock), err);
	rc = more < 0 ? more : store_commit(p->store, err);
	if (rc < 0)
		store_rollback(p->store);
	return rc < 0 ? rc : more;
}

static void bitten(void *context)
{
	struct prune *p = context;
	struct lk_error err = { 0 };
	int rc = prune_step(p, &err);

	if (rc > 0) {
		loop_timer_in(p->bite, 0);
		return;
	}
	if (rc < 0)
		log_line(LOG_ERROR, "prune outcome=failed fault=%d detail=\"%s\"", err.code,
			 err.text);
	else if (p->count.notices > 0 || p->count.letters > 0)
		log_line(LOG_NOTE, "prune notices=%" PRId64 " dead_letters=%" PRId64,
			 p->count.notices, p->count.letters);
	loop_timer_in(p->beat, EVERY_US);
}

static void beaten(void *context)
{
	struct prune *p = context;

	prune_begin(p);
	loop_timer_in(p->bite, 0);
}

int prune_create(struct loop *loop, struct store *store, struct clock *clock,
		 const struct config *config, struct prune **out, struct lk_error *err)
{
	struct prune *p = calloc(1, sizeof(*p));
	int rc;

	if (p == NULL)
		return lk_fail(err, LK_EMEMORY, "no memory for pruning");
	p->store = store;
	p->clock = clock;
	p->config = config;
	rc = loop_timer_create(loop, LOOP_PROMPT, beaten, p, &p->beat, err);
	if (rc == 0)
		rc = loop_timer_create(loop, LOOP_IDLE, bitten, p, &p->bite, err);
	if (rc < 0) {
		prune_destroy(p);
		return rc;
	}
	loop_timer_in(p->beat, EVERY_US);
	*out = p;
	return 0;
}

void prune_destroy(struct prune *p)
{
	if (p == NULL)
		return;
	loop_timer_destroy(p->beat);
	loop_timer_destroy(p->bite);
	free(p);
}
