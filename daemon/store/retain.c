/* retain.c - what is older than it is kept: the front of a mailbox, the oldest dead letters.
 *
 * In: an instant. Out: how many rows have gone. Promise: a mailbox stays dense, from `first` on; what no client has stored,
 * what still stands and what is held stays, and all that lies behind it.
 */
#include "internal.h"

/* Through the rest of a mailbox: half a millisecond each where that is long. */
#define SEEKS_A_BITE 20

static int run_on(struct store *s, enum statement which, int64_t from, int64_t until,
		  struct lk_error *err)
{
	struct query q = query_begin(s, which);

	bind_int(&q, from);
	bind_int(&q, until);
	return query_run(&q, err);
}

/* ---- How far the front reaches --------------------------------------------------------------- */

struct front {
	struct mailbox_row box;
	int64_t from, until; /* by number; until: the first that stays, as far as one looked */
	int64_t end;         /* no further in this bite */
	int seeks;
	bool is_cut; /* at the end of the bite, not at something that stays */
};

static int note_later(void *context, int64_t number, const uint8_t id[LK_DIGEST], int64_t rev)
{
	(void)context;
	(void)number;
	(void)id;
	(void)rev;
	return 1;
}

/* 1: it was told again, later in the same mailbox; 0: that was the last of it. */
static int is_told_later(struct store *s, struct front *front, int64_t number,
			 const uint8_t id[LK_DIGEST], struct lk_error *err)
{
	const struct sought later = { .may = roll_may_be,
				      .is = roll_is,
				      .found = note_later,
				      .low = id,
				      .high = id,
				      .after = number };

	front->seeks++;
	return mailbox_seek(s, &front->box, &later, err);
}

/* Columns of SQL_prune_front. */
struct front_row {
	uint8_t id[LK_DIGEST];
	bool is_standing, is_answered; /* answered by the mailbox's own worker */
	bool is_withdrawn, is_open;    /* open: nobody has answered it */
};

static void row_read(struct query *q, struct front_row *row)
{
	(void)column_digest(q, row->id);
	row->is_standing = column_int(q) != 0;
	row->is_answered = column_int(q) != 0;
	row->is_withdrawn = column_int(q) != 0;
	row->is_open = column_int(q) != 0;
}

/* A moment that nobody has answered can be answered all the same: the worker has it, and may be waited for. 1; negative. */
static int row_leave(struct store *s, int64_t number, const struct front_row *row,
		     struct lk_error *err)
{
	struct query q;

	if (!row->is_open || row->is_standing)
		return 1;
	q = query_begin(s, row->is_withdrawn ? SQL_aged_drop : SQL_aged_put);
	if (row->is_withdrawn)
		bind_digest(&q, row->id);
	else
		bind_int(&q, number);
	return query_run(&q, err) < 0 ? LK_ESTORE : 1;
}

/* One that could go. What stands does not, and an answer goes with the last telling of what it answers. 1: it
 * goes; 0: it stays. */
static int row_look(struct store *s, struct front *front, struct query *q, struct lk_error *err)
{
	struct front_row row;
	int later;

	row_read(q, &row);
	if (!row.is_standing && !row.is_answered)
		return row_leave(s, front->until, &row, err);
	if (front->seeks == SEEKS_A_BITE) {
		front->is_cut = true;
		return 0;
	}
	if ((later = is_told_later(s, front, front->until, row.id, err)) < 0)
		return later;
	if (later == 0 && !row.is_standing)
		later = store_answer_forget(s, row.id, err) < 0 ? LK_ESTORE : 1;
	return later;
}

static int front_walk(struct store *s, struct front *front, lk_instant before, struct lk_error *err)
{
	int rc = 1;

	while (rc == 1 && front->until < front->end) {
		struct query q = query_begin(s, SQL_prune_front);

		bind_int(&q, front->box.ref);
		bind_int(&q, front->until);
		bind_int(&q, before);
		if ((rc = query_step(&q, err)) == 1)
			rc = row_look(s, front, &q, err);
		query_end(&q);
		front->until += rc == 1;
	}
	return rc;
}

static int64_t smaller(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* Of the next mailbox: 1; 0: there is none. */
static int front_find(struct store *s, int64_t after, lk_instant before, int limit,
		      struct front *front, struct lk_error *err)
{
	int rc = mailbox_row_get(s, after, &front->box, err);
	int64_t base = front->box.ref << 32;

	if (rc != 1)
		return rc;
	front->from = front->until = base + front->box.first;
	front->end = smaller(front->from + limit, base + front->box.received + 1);
	rc = front_walk(s, front, before, err);
	front->is_cut |= front->until == front->from + limit;
	return rc < 0 ? rc : 1;
}

/* ---- Pruning --------------------------------------------------------------------------------- */

static int notice_drop(struct store *s, int64_t number, struct lk_error *err)
{
	struct query q = query_begin(s, SQL_prune_notice);

	bind_int(&q, number);
	return query_run(&q, err);
}

static int front_drop(struct store *s, const struct front *front, struct lk_error *err)
{
	int rc = 0;

	for (int64_t number = front->from; rc == 0 && number < front->until; number++)
		rc = notice_drop(s, number, err);
	fresh_forget(s);
	if (rc == 0)
		rc = run_on(s, SQL_prune_rolls, front->from, front->until, err);
	return rc == 0 ? run_on(s, SQL_prune_first, front->box.ref,
				front->until - (front->box.ref << 32), err)
		       : rc;
}

int store_prune_mailbox(struct store *s, int64_t *after, lk_instant before, int limit,
			int64_t *gone, struct lk_error *err)
{
	struct front front = { .seeks = 0 };
	int rc = mailboxes_flush(s, err);

	if (rc == 0)
		rc = front_find(s, *after, before, limit, &front, err);
	if (rc <= 0)
		return rc;
	if (front.until > front.from && (rc = front_drop(s, &front, err)) < 0)
		return rc;
	*gone += front.until - front.from;
	*after = front.box.ref - front.is_cut; /* there may be more of it */
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
