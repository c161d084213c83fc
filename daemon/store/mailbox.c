/* mailbox.c - each worker's mailbox: its id, where it ends, how far it was received.
 *
 * In: workers, and that their mailboxes grow. Out: places, dense per worker, given in the transaction that
 * makes the notice. Promise: where a mailbox ends is known in memory within its transaction, and nowhere else.
 */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

/* A mailbox's id follows from the store's own random identity, so that a store in memory, which
 * has none, is the same each time it is played. */
static void mailbox_name(const struct store *s, struct lk_text worker, uint8_t id[LK_DIGEST])
{
	uint8_t key[2 * LK_DIGEST];

	memcpy(key, s->identity, LK_DIGEST);
	memset(key + LK_DIGEST, 'm', LK_DIGEST);
	lk_digest(worker.at, worker.len, key, id);
}

static int mailbox_make(struct store *s, struct lk_text worker, struct lk_error *err)
{
	uint8_t id[LK_DIGEST];
	struct query q;
	int64_t ref;
	int rc = name_intern(s, name_of_worker(worker), &ref, err);

	if (rc < 0)
		return rc;
	mailbox_name(s, worker, id);
	q = query_begin(s, SQL_mailbox_make);
	bind_int(&q, ref);
	bind_digest(&q, id);
	return query_run(&q, err);
}

int store_mailbox_get(struct store *s, struct lk_text worker, struct stored_mailbox *out,
		      struct lk_error *err)
{
	struct query q;
	int64_t ref;
	int rc = name_seek(s, name_of_worker(worker), &ref, err);

	*out = (struct stored_mailbox){ .first = 1, .next = 1 };
	mailbox_name(s, worker, out->id);
	if (rc != 1)
		return rc;
	if ((rc = mailboxes_flush(s, err)) < 0)
		return rc;
	q = query_begin(s, SQL_mailbox_get);
	bind_int(&q, ref);
	if ((rc = query_step(&q, err)) == 1) {
		(void)column_digest(&q, out->id);
		out->first = column_int(&q);
		out->next = column_int(&q);
		out->received = column_int(&q);
	}
	query_end(&q);
	return rc < 0 ? rc : 0;
}

static int mailbox_rename(struct store *s, struct lk_text worker, struct lk_error *err)
{
	uint8_t id[LK_DIGEST];
	struct query q;
	int64_t ref = 0;
	int rc = name_seek(s, name_of_worker(worker), &ref, err);

	if (rc != 1)
		return rc;
	mailbox_name(s, worker, id);
	q = query_begin(s, SQL_mailbox_rename);
	bind_int(&q, ref);
	bind_digest(&q, id);
	return query_run(&q, err);
}

int mailboxes_rename(struct store *s, struct lk_error *err)
{
	struct query q = query_begin(s, SQL_mailbox_names);
	int rc;

	while ((rc = query_step(&q, err)) == 1)
		if ((rc = mailbox_rename(s, column_text(&q), err)) < 0)
			break;
	query_end(&q);
	return rc;
}

/* ---- Ends ------------------------------------------------------------------------------------ */

static int ends_reserve(struct store *s, int64_t ref, struct lk_error *err)
{
	struct mailbox_ends *ends = &s->ends;
	size_t room = ends->room == 0 ? 256 : ends->room;
	struct mailbox_end *wider;

	while (room <= (size_t)ref)
		room *= 2;
	if (room == ends->room)
		return 0;
	wider = realloc(ends->at, room * sizeof(*wider));
	if (wider == NULL)
		return lk_fail(err, LK_EMEMORY, "store: no memory for the ends of mailboxes");
	memset(wider + ends->room, 0, (room - ends->room) * sizeof(*wider));
	ends->at = wider;
	ends->room = room;
	return 0;
}

static int ends_note(struct store *s, int64_t ref, struct lk_error *err)
{
	struct mailbox_ends *ends = &s->ends;
	size_t room = ends->grown_room == 0 ? 256 : 2 * ends->grown_room;
	int64_t *wider;

	if (ends->grown_n == ends->grown_room) {
		wider = realloc(ends->grown, room * sizeof(*wider));
		if (wider == NULL)
			return lk_fail(err, LK_EMEMORY, "store: no memory for mailboxes");
		ends->grown = wider;
		ends->grown_room = room;
	}
	ends->grown[ends->grown_n++] = ref;
	ends->at[ref].grew = true;
	return 0;
}

/* A place is given once: by an old row it would be given again. What is in no roll yet, place_add() knows. */
static int end_check(struct store *s, int64_t ref, int64_t next, struct lk_error *err)
{
	struct query q = query_begin(s, SQL_roll_end);
	int64_t end = 0;
	int rc;

	bind_int(&q, ref);
	if ((rc = query_number(&q, &end, err)) < 0)
		return rc;
	return end > next ? place_taken(s, next, err) : 0;
}

/* Asks the row, and makes the mailbox where there is none. */
static int end_load(struct store *s, struct lk_text worker, int64_t ref, struct lk_error *err)
{
	struct query q = query_begin(s, SQL_mailbox_next);
	int64_t next = 1;
	int rc;

	bind_int(&q, ref);
	if ((rc = query_number(&q, &next, err)) == 0)
		rc = mailbox_make(s, worker, err);
	else if (rc == 1)
		rc = end_check(s, ref, next, err);
	if (rc == 0)
		s->ends.at[ref].next = next;
	return rc;
}

int mailbox_grow(struct store *s, struct lk_text worker, int64_t ref, int64_t *seq,
		 struct lk_error *err)
{
	int rc = ends_reserve(s, ref, err);

	if (rc == 0 && !s->ends.at[ref].grew)
		rc = ends_note(s, ref, err);
	if (rc == 0 && s->ends.at[ref].next == 0)
		rc = end_load(s, worker, ref, err);
	if (rc == 0)
		*seq = s->ends.at[ref].next++;
	return rc;
}

bool mailbox_ends_at(const struct store *s, int64_t ref, int64_t seq)
{
	return (size_t)ref < s->ends.room && s->ends.at[ref].next != 0 &&
	       seq >= s->ends.at[ref].next;
}

int mailboxes_flush(struct store *s, struct lk_error *err)
{
	struct mailbox_ends *ends = &s->ends;

	for (; ends->grown_n > 0; ends->grown_n--) {
		int64_t ref = ends->grown[ends->grown_n - 1];
		struct query q = query_begin(s, SQL_mailbox_grow);
		int rc;

		bind_int(&q, ref);
		bind_int(&q, ends->at[ref].next);
		if ((rc = query_run(&q, err)) < 0)
			return rc;
		ends->at[ref].grew = false;
	}
	return 0;
}

/* What was flushed before a rollback is not true either. */
void mailboxes_forget(struct store *s)
{
	if (s->ends.room > 0)
		memset(s->ends.at, 0, s->ends.room * sizeof(*s->ends.at));
	s->ends.grown_n = 0;
}

void mailboxes_free(struct store *s)
{
	free(s->ends.at);
	free(s->ends.grown);
}

/* ---- Receipts --------------------------------------------------------------------------------- */

int store_receipt(struct store *s, struct lk_text worker, int64_t upto, struct lk_error *err)
{
	struct query q;
	int64_t ref;
	int rc = name_intern(s, name_of_worker(worker), &ref, err);

	if (rc == 0)
		rc = mailboxes_flush(s, err);
	if (rc < 0)
		return rc;
	q = query_begin(s, SQL_mailbox_receive);
	bind_int(&q, ref);
	bind_int(&q, upto);
	return query_run(&q, err);
}

/* ---- How much waits -------------------------------------------------------------------------- */

int store_mailbox_depths(struct store *s, int64_t *after, int limit, mailbox_depth_visitor *visit,
			 void *context, struct lk_error *err)
{
	struct query q = query_begin(s, SQL_mailbox_depth);
	int rc, n = 0;

	bind_int(&q, *after);
	bind_int(&q, limit);
	while ((rc = query_step(&q, err)) == 1) {
		struct mailbox_depth depth = { 0 };

		*after = column_int(&q);
		depth.worker = column_text(&q);
		depth.waiting = column_int(&q);
		depth.oldest_at = column_instant(&q);
		n++;
		if ((rc = visit(context, &depth)) != 0)
			break;
	}
	query_end(&q);
	return rc != 0 ? rc : n;
}
