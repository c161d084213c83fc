/* retain.c - what is older than it is kept: the front of a mailbox, the oldest dead letters.
 *
 * In: an instant. Out: how many rows have gone. Promise: a mailbox stays dense, from `first` on; what no client has stored,
 * what still stands and what is held stays, and all that lies behind it.
 */
#include "internal.h"

static int run_on(struct store *s, enum statement which, int64_t from, int64_t until,
		  struct lk_error *err)
{
	struct query q = query_begin(s, which);

	bind_int(&q, from);
	bind_int(&q, until);
	return query_run(&q, err);
}

/* Rows from..until-1 by number, with their names and answers. */
static int front_drop(struct store *s, int64_t from, int64_t until, struct lk_error *err)
{
	static const enum statement steps[] = { SQL_prune_answers, SQL_prune_names,
						SQL_prune_notices };
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < sizeof(steps) / sizeof(steps[0]); i++)
		rc = run_on(s, steps[i], from, until, err);
	return rc;
}

struct front {
	int64_t ref, from, until; /* by number; until: the first that stays, as far as one looks */
};

/* 1 and the next mailbox that has something at its front; 0: there is none. */
static int front_find(struct store *s, int64_t after, lk_instant before, int limit,
		      struct front *out, struct lk_error *err)
{
	struct query q = query_begin(s, SQL_prune_mailbox);
	int rc;

	bind_int(&q, after);
	bind_int(&q, before);
	bind_int(&q, limit);
	if ((rc = query_step(&q, err)) == 1) {
		out->ref = column_int(&q);
		out->from = column_int(&q);
		out->until = column_int(&q);
	}
	query_end(&q);
	return rc;
}

int store_prune_mailbox(struct store *s, int64_t *after, lk_instant before, int limit,
			int64_t *gone, struct lk_error *err)
{
	struct front front = { 0 };
	int rc = mailboxes_flush(s, err);

	if (rc == 0)
		rc = front_find(s, *after, before, limit, &front, err);
	if (rc <= 0)
		return rc;
	*after = front.ref;
	if (front.until <= front.from)
		return 1;
	rc = front_drop(s, front.from, front.until, err);
	if (rc == 0)
		rc = run_on(s, SQL_prune_first, front.ref, front.until - (front.ref << 32), err);
	if (rc < 0)
		return rc;
	*gone += front.until - front.from;
	if (front.until - front.from == limit)
		*after = front.ref - 1; /* there may be more of it */
	return 1;
}

int store_prune_letters(struct store *s, lk_instant before, int limit, int64_t *gone,
			struct lk_error *err)
{
	struct query q = query_begin(s, SQL_prune_letters);
	int rc, n;

	bind_int(&q, before);
	bind_int(&q, limit);
	if ((rc = query_run(&q, err)) < 0)
		return rc;
	n = sqlite3_changes(s->db);
	*gone += n;
	return n == limit;
}
