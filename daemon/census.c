/* census.c - counting in bites.
 *
 * In: turns of the loop that have nothing else to do. Out: numbers that are at most some seconds old. Promise: a bite is a
 * bounded number of rows of an index; a store that fails under it is left alone until the next time.
 */
#include "census.h"

#include "loop.h"
#include "store/store.h"

#include <stdlib.h>
#include <string.h>

#define EVERY_US (15 * LK_SECOND)
#define FAMILIES_A_BITE 4096 /* entries of an index */
#define MAILBOXES_A_BITE 256 /* and a search for the oldest notice of each */

struct census {
	struct store *store;
	struct loop_timer *beat, *bite;
	bool ever;
	struct census_count last, now;
	uint8_t family[LK_DIGEST]; /* where the look at families stands */
	bool families_done;
	int64_t mailbox; /* and that at mailboxes */
};

static int look_at_families(struct census *c)
{
	int n = store_count_families(c->store, c->family, FAMILIES_A_BITE, NULL);

	if (n > 0)
		c->now.families += n;
	c->families_done = n < FAMILIES_A_BITE;
	return n < 0 ? n : 1;
}

static int add_mailbox(void *context, const struct mailbox_depth *depth)
{
	struct census_count *now = context;

	if (depth->waiting <= 0)
		return 0;
	now->mailboxes++;
	now->notices += depth->waiting;
	if (depth->oldest_at != LK_NO_INSTANT &&
	    (now->oldest_at == LK_NO_INSTANT || depth->oldest_at < now->oldest_at))
		now->oldest_at = depth->oldest_at;
	return 0;
}

/* 1: there is more; 0: that was all. */
static int look_at_mailboxes(struct census *c)
{
	int n = store_mailbox_depths(c->store, &c->mailbox, MAILBOXES_A_BITE, add_mailbox, &c->now,
				     NULL);

	return n < 0 ? n : n == MAILBOXES_A_BITE;
}

static void finish(struct census *c)
{
	c->last = c->now;
	c->ever = true;
}

static void bitten(void *context)
{
	struct census *c = context;
	int rc = c->families_done ? look_at_mailboxes(c) : look_at_families(c);

	if (rc > 0) {
		loop_timer_in(c->bite, 0);
		return;
	}
	if (rc == 0)
		finish(c);
	loop_timer_in(c->beat, EVERY_US);
}

static void beaten(void *context)
{
	struct census *c = context;

	c->now = (struct census_count){ .oldest_at = LK_NO_INSTANT };
	memset(c->family, 0, sizeof(c->family));
	c->families_done = false;
	c->mailbox = 0;
	loop_timer_in(c->bite, 0);
}

bool census_count(const struct census *census, struct census_count *out)
{
	*out = census->last;
	return census->ever;
}

int census_create(struct loop *loop, struct store *store, struct census **out, struct lk_error *err)
{
	struct census *c = calloc(1, sizeof(*c));
	int rc;

	if (c == NULL)
		return lk_fail(err, LK_EMEMORY, "no memory for counting");
	c->store = store;
	rc = loop_timer_create(loop, LOOP_PROMPT, beaten, c, &c->beat, err);
	if (rc == 0)
		rc = loop_timer_create(loop, LOOP_IDLE, bitten, c, &c->bite, err);
	if (rc < 0) {
		census_destroy(c);
		return rc;
	}
	loop_timer_in(c->beat, 0);
	*out = c;
	return 0;
}

void census_destroy(struct census *census)
{
	if (census == NULL)
		return;
	loop_timer_destroy(census->beat);
	loop_timer_destroy(census->bite);
	free(census);
}
