/* held_change.c - what a commit changed of families: a row of `family_change`, and what is left of them at a start.
 *
 * In: families as they were and as they will be. Out: the row; what rows of families lacked when the store was left.
 * Promise: a row of a family and the changes after it make the family as it was committed, or it is said that one
 * of them is damaged.
 *
 * A change says for each family what differs from the change before it of the same family, or from its row
 * (delta.c); all of a commit are squeezed together (squeeze.c), for they say much alike. A row knows the number of
 * the last change that it holds: changes up to there are none of its business, so that rows can follow in any
 * order, and a crash at any step leaves a row and changes that fit.
 */
#include "held_parts.h"

#include <stdlib.h>
#include <string.h>

#define CHANGES_BYTES_MAX ((size_t)1 << 30) /* of a commit: more than SQLite keeps in a row */

/* ---- One family of a commit ------------------------------------------------------------------ */

bool change_take(struct delta_bytes *from, struct change *out)
{
	uint64_t back, state_len, told_len, len;

	if (!delta_number_take(from, &back) || !delta_number_take(from, &state_len) ||
	    !delta_number_take(from, &told_len) || !delta_number_take(from, &len) ||
	    len > from->len || back == 0 || back > INT64_MAX || state_len > FAMILY_BYTES_MAX ||
	    told_len > FAMILY_BYTES_MAX)
		return false;
	out->back = (int64_t)back;
	out->state_len = state_len;
	out->told_len = told_len;
	out->delta = (struct delta_bytes){ from->at, len };
	*from = (struct delta_bytes){ from->at + len, from->len - len };
	return true;
}

/* While a copy is mended, what is damaged keeps nothing else from being read: check.c names it. */
int change_damaged(struct store *s, int64_t number, const char *wrong, struct lk_error *err)
{
	return s->is_checked ? 0 : row_damaged(s, err, "family change", number, wrong);
}

static struct delta_bytes bytes_of(const struct family_version *v)
{
	return (struct delta_bytes){ v->bytes, v->state_len + v->told_len };
}

/* 1; 0: not from these bytes. */
int change_apply(struct family_version *v, const struct change *c, struct lk_error *err)
{
	size_t len = c->state_len + c->told_len;
	uint8_t *next = malloc(len + 1);

	if (next == NULL)
		return lk_fail(err, LK_EMEMORY, "store: no memory for a family");
	if (!delta_apply(c->delta, bytes_of(v), next, len)) {
		free(next);
		return 0;
	}
	free(v->bytes);
	v->bytes = next;
	v->state_len = c->state_len;
	v->told_len = c->told_len;
	v->number += c->back;
	return 1;
}

/* ---- The row of a commit --------------------------------------------------------------------- */

static struct delta_bytes state_of(const struct family_version *v)
{
	return (struct delta_bytes){ v->bytes, v->state_len };
}

static struct delta_bytes told_of(const struct family_version *v)
{
	return (struct delta_bytes){ v->bytes + v->state_len, v->told_len };
}

void versions_differ(const struct family_version *is, const struct family_version *will,
		     struct lk_bytes *out)
{
	delta_make(state_of(is), state_of(will), out);
	delta_make(told_of(is), told_of(will), out);
}

static struct delta_bytes delta_of(struct held_families *all, const struct held *h)
{
	if (h->delta.at != NULL)
		return h->delta;
	lk_bytes_clear(&all->delta);
	versions_differ(&h->is, &h->will, &all->delta);
	all->changes.failed |= all->delta.failed;
	return (struct delta_bytes){ all->delta.at, all->delta.len };
}

static void change_put(struct held_families *all, struct held *h)
{
	struct delta_bytes delta = delta_of(all, h);
	struct lk_bytes *out = &all->changes;

	lk_bytes_add(out, h->is.id, LK_DIGEST);
	h->change_at = out->len;
	delta_number(out, (uint64_t)(h->will.number - h->is.number));
	delta_number(out, h->will.state_len);
	delta_number(out, h->will.told_len);
	delta_number(out, delta.len);
	lk_bytes_add(out, delta.at, delta.len);
}

static int changes_sum(struct store *s, int64_t number, struct delta_bytes changes, int64_t *sum,
		       struct lk_error *err)
{
	lk_bytes_clear(&s->scratch);
	sum_int(&s->scratch, number);
	sum_blob(&s->scratch, changes.at, changes.len);
	return sum_end(&s->scratch, sum, err);
}

int changes_put(struct store *s, enum statement which, int64_t number, struct delta_bytes changes,
		struct lk_error *err)
{
	struct query q;
	int64_t sum;
	int rc = changes_sum(s, number, changes, &sum, err);

	if (rc < 0)
		return rc;
	q = query_begin(s, which);
	bind_int(&q, number);
	bind_int(&q, sum);
	bind_blob(&q, changes.at, changes.len);
	return query_run(&q, err);
}

/* Also where all of it was written through: the number is used, and none may be used twice. */
int held_log(struct store *s, struct lk_error *err)
{
	struct held_families *all = &s->held;

	if (all->changed == NULL)
		return 0;
	lk_bytes_clear(&all->changes);
	for (struct held *h = all->changed; h != NULL; h = h->next_changed)
		if (!h->is_through && h->will.ref != 0)
			change_put(all, h);
	lk_bytes_clear(&all->squeezed);
	if (!all->changes.failed)
		squeeze(all->changes.at, all->changes.len, &all->squeezed);
	if (all->changes.failed || all->squeezed.failed || all->changes.len > CHANGES_BYTES_MAX)
		return lk_fail(err, LK_EMEMORY, "store: no memory for the families of a commit");
	s->tips.change = held_number(all);
	return changes_put(s, SQL_change_add, held_number(all),
			   (struct delta_bytes){ all->squeezed.at, all->squeezed.len }, err);
}

/* As change_put() left it. */
struct delta_bytes change_of(const struct held_families *all, const struct held *h)
{
	struct delta_bytes rest = { all->changes.at + h->change_at,
				    all->changes.len - h->change_at };
	const uint8_t *begin = rest.at;
	struct change c;

	return (struct delta_bytes){ begin,
				     change_take(&rest, &c) ? (size_t)(rest.at - begin) : 0 };
}

/* ---- After a start --------------------------------------------------------------------------- */

/* Its row is not asked: it has the change, or the one that this goes on from. What is known of it is of no use where that is
 * another one. */
static int change_load(struct store *s, const uint8_t id[LK_DIGEST], int64_t number, int64_t from,
		       struct delta_bytes change, struct lk_error *err)
{
	struct held_families *all = &s->held;
	struct family_version is = { .number = from };
	struct held *h = held_find(all, id);

	memcpy(is.id, id, LK_DIGEST);
	if (h == NULL && (h = held_add(all, &is, true)) == NULL)
		return lk_fail(err, LK_EMEMORY, "store: no memory for a family");
	if (h->is.number != from)
		pending_clear(all, h);
	late_begin(all, h, number);
	pending_add(all, h, from, change);
	h->is.number = number;
	return h->pending.is_short ? lk_fail(err, LK_EMEMORY, "store: no memory for a family") : 0;
}

/* One family of those that are left of a commit: 1; 0: it is not one. */
static int change_next(struct store *s, int64_t number, struct delta_bytes *changes,
		       struct lk_error *err)
{
	const uint8_t *id = changes->at, *begin;
	struct change c;
	int rc;

	if (changes->len < LK_DIGEST)
		return 0;
	begin = changes->at + LK_DIGEST;
	*changes = (struct delta_bytes){ begin, changes->len - LK_DIGEST };
	if (!change_take(changes, &c) || c.back > number)
		return 0;
	rc = change_load(s, id, number, number - c.back,
			 (struct delta_bytes){ begin, (size_t)(changes->at - begin) }, err);
	return rc < 0 ? rc : 1;
}

static int changes_read(struct query *q, int64_t *number, struct delta_bytes *changes,
			bool *is_sound, struct lk_error *err)
{
	int64_t sum, stored;
	int rc;

	*number = column_int(q);
	stored = column_int(q);
	changes->at = column_blob(q, &changes->len);
	rc = changes_sum(q->store, *number, *changes, &sum, err);
	*is_sound = rc == 0 && sum == stored;
	return rc;
}

int changes_examine(struct query *q, struct lk_error *err)
{
	struct delta_bytes changes;
	int64_t number;
	bool is_sound;
	int rc = changes_read(q, &number, &changes, &is_sound, err);

	return rc == 0 && !is_sound ? row_damaged(q->store, err, "family change", number, "sum")
				    : rc;
}

/* From what the row holds to what was squeezed into it; of nothing where that is damaged. */
static int changes_spread(struct store *s, int64_t number, struct delta_bytes *changes,
			  struct lk_error *err)
{
	struct lk_bytes *all = &s->held.changes;
	bool is_sound;

	lk_bytes_clear(all);
	is_sound = unsqueeze(changes->at, changes->len, CHANGES_BYTES_MAX, all);
	*changes = (struct delta_bytes){ all->at, all->len };
	if (all->failed)
		return lk_fail(err, LK_EMEMORY, "store: no memory for the families of a commit");
	return is_sound ? 0 : change_damaged(s, number, "bytes", err);
}

static int changes_load(struct store *s, struct query *q, struct lk_error *err)
{
	struct held_families *all = &s->held;
	struct delta_bytes changes;
	int64_t number;
	bool is_sound, is_next;
	int rc = changes_read(q, &number, &changes, &is_sound, err);

	is_next = all->last == 0 || number == all->last + 1;
	all->first = all->last == 0 ? number : all->first;
	all->last = number;
	all->log_bytes += changes.len;
	if (rc == 0 && !is_sound)
		return change_damaged(s, number, "sum", err);
	if (rc == 0 && !is_next)
		rc = change_damaged(s, number, "predecessor", err);
	if (rc == 0)
		rc = changes_spread(s, number, &changes, err);
	while (rc >= 0 && changes.len > 0)
		if ((rc = change_next(s, number, &changes, err)) == 0)
			return change_damaged(s, number, "form", err);
	return rc < 0 ? rc : 0;
}

int held_load(struct store *s, struct lk_error *err)
{
	struct query q = query_begin(s, SQL_change_all);
	int rc;

	while ((rc = query_step(&q, err)) == 1)
		if ((rc = changes_load(s, &q, err)) < 0)
			break;
	query_end(&q);
	s->held.first = s->held.last == 0 ? 1 : s->held.first;
	return rc < 0 && s->suspect ? 0 : rc; /* in doubt: it is made anew before it is used */
}

int held_lost(struct store *s, int64_t last, struct lk_error *err)
{
	return changes_put(s, SQL_change_add, last, (struct delta_bytes){ NULL, 0 }, err);
}

/* Families that are gone, or whose rows are not sound, have nothing pending. */
int held_examine(struct store *s, struct lk_error *err)
{
	struct held *h = s->held.list[HELD_LATE].oldest, *newer, *same;
	int rc = 0;

	for (; rc >= 0 && h != NULL; h = newer) {
		newer = h->link[HELD_LATE].newer;
		rc = held_open(s, h->is.id, &same, err);
		if (rc == 1 && h->is.ref == 0)
			held_remove(&s->held, h);
		held_trim(&s->held);
	}
	return rc < 0 ? rc : 0;
}

static int broken_anew(struct store *s, struct lk_error *err)
{
	int rc = store_begin(s, err);

	if (rc < 0)
		return rc;
	for (const struct held *h = s->held.list[HELD_LATE].oldest; rc == 0 && h != NULL;
	     h = h->link[HELD_LATE].newer) {
		struct stored_family anew = { .wake_at = LK_NO_INSTANT,
					      .told = h->is.bytes + h->is.state_len,
					      .told_len = h->is.told_len };

		memcpy(anew.id, h->is.id, LK_DIGEST);
		rc = h->is_broken ? store_family_put(s, &anew, err) : 0;
	}
	return store_end(s, rc, err);
}

/* The last row stays for its number, whatever was in it. */
static int last_empty(struct store *s, struct lk_error *err)
{
	const struct delta_bytes nothing = { NULL, 0 };
	int rc = store_begin(s, err);

	if (rc < 0)
		return rc;
	return store_end(s, changes_put(s, SQL_change_empty, s->held.last, nothing, err), err);
}

int held_mend(struct store *s, struct lk_error *err)
{
	int rc = broken_anew(s, err);

	while (rc >= 0 && (rc = store_write_back(s, err)) > 0)
		continue;
	return rc < 0 || s->held.last == 0 ? rc : last_empty(s, err);
}
