/* roll.c - where a notice is: by its id, without an index on ids.
 *
 * In: ids, or how they begin. Out: places in mailboxes. Promise: whatever was told is found, at every
 * instant; what is found was asked of the notice's own row.
 *
 * An index would be written to at random with every notice, and be a quarter as large as they are. The
 * roll of a mailbox has the first three bytes of each id instead, in the order of the places, 128 to a
 * row; it is written in idle bites, a whole row at a time, and never again. Who looks for an id goes
 * through the rolls, a hundredth of what they stand for, and through the places at a mailbox's end that
 * are in none yet. A worker's answer asks one mailbox, from its end; people who ask of a notice, all.
 */
#include "internal.h"

#include <string.h>

#define PLACES 128 /* in a row: linkages-1.sql says so too */
#define ROWS_A_BITE 64

static int64_t first_number(int64_t ref)
{
	return ref << 32;
}

/* ---- Looking --------------------------------------------------------------------------------- */

/* Numbers between which is looked, both excluded. */
struct stretch {
	int64_t after, before;
};

static int place_found(struct store *s, const struct sought *sought, int64_t number,
		       struct lk_error *err)
{
	uint8_t id[LK_DIGEST];
	int64_t rev = 0;
	struct query q = query_begin(s, SQL_roll_id);
	int rc;

	bind_int(&q, number);
	if ((rc = query_step(&q, err)) == 1) {
		(void)column_digest(&q, id);
		rev = column_int(&q);
	}
	query_end(&q);
	return rc == 1 && sought->is(sought, id) ? sought->found(sought->context, number, id, rev)
						 : (rc < 0 ? rc : 0);
}

/* One row of a roll: its places forwards, or from the last. */
static int row_look(struct store *s, const struct sought *sought, struct stretch stretch,
		    int64_t number, const uint8_t *starts, struct lk_error *err)
{
	int rc = 0;

	for (int64_t n = 0; rc == 0 && n < PLACES; n++) {
		int64_t i = sought->is_backward ? PLACES - 1 - n : n;

		if (number + i > stretch.after && number + i < stretch.before &&
		    sought->may(sought, starts + i * ROLL_START))
			rc = place_found(s, sought, number + i, err);
	}
	return rc;
}

static int rolls_look(struct store *s, const struct sought *sought, struct stretch stretch,
		      struct lk_error *err)
{
	struct query q = query_begin(s, sought->is_backward ? SQL_roll_backward : SQL_roll_forward);
	int rc = 0;

	bind_int(&q, stretch.after - PLACES);
	bind_int(&q, stretch.before);
	while (rc == 0 && (rc = query_step(&q, err)) == 1) {
		int64_t number = column_int(&q);
		size_t len;
		const uint8_t *starts = column_blob(&q, &len);

		rc = len == PLACES * ROLL_START
			     ? row_look(s, sought, stretch, number, starts, err)
			     : row_damaged(s, err, "the roll at", number, "length");
	}
	query_end(&q);
	return rc;
}

static int places_look(struct store *s, const struct sought *sought, struct stretch stretch,
		       struct lk_error *err)
{
	struct query q =
		query_begin(s, sought->is_backward ? SQL_places_backward : SQL_places_forward);
	uint8_t id[LK_DIGEST];
	int rc = 0;

	bind_int(&q, stretch.after);
	bind_int(&q, stretch.before);
	while (rc == 0 && (rc = query_step(&q, err)) == 1) {
		int64_t number = column_int(&q);

		(void)column_digest(&q, id);
		rc = sought->is(sought, id)
			     ? sought->found(sought->context, number, id, column_int(&q))
			     : 0;
	}
	query_end(&q);
	return rc;
}

int mailbox_seek(struct store *s, const struct mailbox_row *box, const struct sought *sought,
		 struct lk_error *err)
{
	int64_t base = first_number(box->ref), seam = base + box->rolled;
	struct stretch rolled = { base + box->first - 1, seam + 1 };
	struct stretch rest = { seam, base + box->next };
	int rc;

	if (sought->after > rolled.after)
		rolled.after = sought->after;
	if (sought->after > rest.after)
		rest.after = sought->after;
	if (sought->is_backward) {
		rc = places_look(s, sought, rest, err);
		return rc == 0 ? rolls_look(s, sought, rolled, err) : rc;
	}
	rc = rolls_look(s, sought, rolled, err);
	return rc == 0 ? places_look(s, sought, rest, err) : rc;
}

int mailbox_row_get(struct store *s, int64_t after, struct mailbox_row *out, struct lk_error *err)
{
	struct query q = query_begin(s, SQL_mailbox_row);
	int rc;

	bind_int(&q, after);
	if ((rc = query_step(&q, err)) == 1) {
		out->ref = column_int(&q);
		out->first = column_int(&q);
		out->next = column_int(&q);
		out->rolled = column_int(&q);
		out->received = column_int(&q);
	}
	query_end(&q);
	return rc;
}

int mailboxes_seek(struct store *s, const struct sought *sought, struct lk_error *err)
{
	struct mailbox_row box = { .ref = 0 };
	int rc;

	while ((rc = mailbox_row_get(s, box.ref, &box, err)) == 1)
		if ((rc = mailbox_seek(s, &box, sought, err)) != 0)
			break;
	return rc;
}

/* ---- What is sought -------------------------------------------------------------------------- */

bool roll_may_be(const struct sought *sought, const uint8_t start[ROLL_START])
{
	return memcmp(start, sought->low, ROLL_START) >= 0 &&
	       memcmp(start, sought->high, ROLL_START) <= 0;
}

bool roll_is(const struct sought *sought, const uint8_t id[LK_DIGEST])
{
	return memcmp(id, sought->low, LK_DIGEST) >= 0 && memcmp(id, sought->high, LK_DIGEST) <= 0;
}

/* ---- Writing --------------------------------------------------------------------------------- */

/* A place that is pruned, or was never filled, begins with zeroes: its row is asked, and there is none. */
static int row_fill(struct store *s, int64_t number, uint8_t starts[PLACES * ROLL_START],
		    struct lk_error *err)
{
	struct query q = query_begin(s, SQL_places_forward);
	uint8_t id[LK_DIGEST];
	int rc;

	memset(starts, 0, PLACES * ROLL_START);
	bind_int(&q, number - 1);
	bind_int(&q, number + PLACES);
	while ((rc = query_step(&q, err)) == 1) {
		int64_t i = column_int(&q) - number;

		(void)column_digest(&q, id);
		memcpy(starts + i * ROLL_START, id, ROLL_START);
	}
	query_end(&q);
	return rc;
}

static int row_add(struct store *s, const struct mailbox_row *box, struct lk_error *err)
{
	uint8_t starts[PLACES * ROLL_START];
	int64_t number = first_number(box->ref) + box->rolled + 1;
	struct query q;
	int rc = row_fill(s, number, starts, err);

	if (rc < 0)
		return rc;
	q = query_begin(s, SQL_roll_add);
	bind_int(&q, number);
	bind_blob(&q, starts, sizeof(starts));
	if ((rc = query_run(&q, err)) < 0)
		return rc;
	q = query_begin(s, SQL_mailbox_rolled);
	bind_int(&q, box->ref);
	bind_int(&q, box->rolled + PLACES);
	return query_run(&q, err);
}

void roll_grew(struct store *s, int64_t seq)
{
	s->rolls.are_due |= seq % PLACES == 0;
}

/* 1 and a mailbox at whose end there are places for a whole row: the one written last, or one behind it. */
static int unrolled_find(struct store *s, struct mailbox_row *out, struct lk_error *err)
{
	struct query q = query_begin(s, SQL_unrolled);
	int rc;

	bind_int(&q, s->rolls.reached);
	if ((rc = query_step(&q, err)) == 1) {
		out->ref = column_int(&q);
		out->rolled = column_int(&q);
	}
	query_end(&q);
	return rc;
}

/* None from there to the last mailbox: once more from the first, unless that was it. */
static int round_end(struct store *s)
{
	s->rolls.are_due = s->rolls.reached > 0;
	s->rolls.reached = 0;
	return s->rolls.are_due;
}

int rolls_write(struct store *s, struct lk_error *err)
{
	struct mailbox_row box;
	int rc = s->rolls.are_due ? unrolled_find(s, &box, err) : 0;

	if (rc != 1)
		return rc == 0 && s->rolls.are_due ? round_end(s) : rc;
	if ((rc = store_begin(s, err)) < 0)
		return rc;
	for (int i = 0; i < ROWS_A_BITE && (rc = unrolled_find(s, &box, err)) == 1; i++) {
		s->rolls.reached = box.ref;
		if ((rc = row_add(s, &box, err)) < 0)
			break;
	}
	if (rc >= 0)
		rc = store_commit(s, err);
	if (rc < 0)
		store_rollback(s);
	return rc < 0 ? rc : 1;
}
