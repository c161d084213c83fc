/* held_follow.c - families' rows that follow what was committed of them, and changes that no row lacks any more.
 *
 * In: the families that are late, the longest first. Out: their rows, within a transaction or as one of its own.
 * Promise: no more is late than a start can make good within a second or so; no commit writes many more rows than it
 * makes late.
 */
#include "held_parts.h"

#include <stdlib.h>

#define FAMILIES_A_BITE 128
#define FOLLOW_MORE \
	4 /* rows that a commit brings up to date beyond those that it makes late, and a quarter */
#define LOG_BYTES_A_BITE ((size_t)4 << 20)

/* As it will be when this transaction is committed; eighths of the bounds. */
static bool is_beyond(const struct held_families *all, size_t eighths)
{
	const struct following *f = &all->following;

	return all->late_n - f->n > all->bounds.families / 8 * eighths ||
	       all->late_bytes - f->bytes > all->bounds.bytes / 8 * eighths ||
	       all->log_bytes - f->dropped > all->bounds.changes / 8 * eighths;
}

bool held_is_due(const struct store *s)
{
	return is_beyond(&s->held, 2);
}

bool held_is_full(const struct store *s)
{
	return !s->held.is_writing && is_beyond(&s->held, 8);
}

static int by_ref(const void *a, const void *b)
{
	const struct held *const *x = a, *const *y = b;

	return ((*x)->is.ref > (*y)->is.ref) - ((*x)->is.ref < (*y)->is.ref);
}

/* Of the changes that are left. */
static int64_t first_of(const struct held_families *all)
{
	return all->following.until >= all->first ? all->following.until + 1 : all->first;
}

/* Of a family that is gone there is nothing to write. */
static int lean_follow(struct store *s, struct held *h, struct lk_error *err)
{
	struct family_version is;
	int rc = held_version(s, h->is.id, h, &is, err);

	if (rc != 1)
		return rc;
	rc = family_follow(s, &is, err);
	free(is.bytes);
	return rc;
}

/* What this transaction changes goes into the row at once, if it has not. */
static int row_follow(struct store *s, struct held *h, struct lk_error *err)
{
	if (h->is_lean)
		return lean_follow(s, h, err);
	if (!h->is_changed)
		return h->is.ref != 0 ? family_follow(s, &h->is, err) : 0;
	if (h->is_through || h->will.ref == 0)
		return 0;
	h->is_through = true;
	return family_follow(s, &h->will, err);
}

/* Up to where no family needs them, and as many as take no longer than a bite. */
static int changes_drop(struct store *s, struct lk_error *err)
{
	struct held_families *all = &s->held;
	struct following *f = &all->following;
	int64_t first = first_of(all);
	int64_t rows = all->last - first + 1,
		until = f->next != NULL ? f->next->since - 1 : all->last;
	size_t bytes = all->log_bytes - f->dropped;
	struct query q;
	int rc;

	if (bytes > LOG_BYTES_A_BITE)
		rows = rows * (int64_t)LOG_BYTES_A_BITE / (int64_t)bytes + 1;
	if (until > first + rows - 1)
		until = first + rows - 1;
	if (until >= all->last) /* the last one stays, for its number */
		until = all->last - 1;
	if (until < first)
		return 0;
	q = query_begin(s, SQL_change_drop);
	bind_int(&q, until);
	while ((rc = query_step(&q, err)) == 1)
		f->dropped += (size_t)column_int(&q);
	query_end(&q);
	f->until = until;
	return rc;
}

static int rows_write(struct store *s, struct held **some, size_t n, struct lk_error *err)
{
	int rc = 0;

	if (n > 0)
		qsort(some, n, sizeof(some[0]), by_ref);
	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = row_follow(s, some[i], err);
	return rc;
}

/* Of so many more that are late, those that have been it the longest, in the order of their rows. */
static int rows_follow(struct store *s, size_t most, struct lk_error *err)
{
	struct following *f = &s->held.following;
	struct held *h = f->n == 0 ? s->held.list[HELD_LATE].oldest : f->next;
	struct held *some[FAMILIES_A_BITE];
	size_t n = 0;
	int rc;

	for (; h != NULL && n < most && n < FAMILIES_A_BITE; h = h->link[HELD_LATE].newer) {
		some[n++] = h;
		f->bytes += h->pending.len;
	}
	f->n += n;
	f->next = h;
	rc = rows_write(s, some, n, err);
	return rc == 0 ? changes_drop(s, err) : rc;
}

static size_t changed_count(const struct held_families *all)
{
	size_t n = 0;

	for (const struct held *h = all->changed; h != NULL; h = h->next_changed)
		n++;
	return n;
}

/* What would be late from now on, and was not in memory: its page has just been read, and it needs no change and no
 * second reading. */
static int cold_follow(struct store *s, size_t *n, struct lk_error *err)
{
	struct held *some[FAMILIES_A_BITE], *h = s->held.changed;
	int rc = 0;

	*n = 0;
	while (rc == 0 && h != NULL) {
		size_t found = 0;

		for (; h != NULL && found < FAMILIES_A_BITE; h = h->next_changed)
			if (!h->is_late && !h->is_through && h->will.ref != 0 &&
			    h->read_in == held_number(&s->held))
				some[found++] = h;
		rc = rows_write(s, some, found, err);
		*n += found;
	}
	return rc;
}

/* Where families change but once before their rows follow, a change is one thing more to write. */
static bool change_once(const struct held_families *all)
{
	return all->pending_n < 2 * all->late_n;
}

int held_follow(struct store *s, struct lk_error *err)
{
	struct held_families *all = &s->held;
	size_t changed = changed_count(all), most, cold = 0;
	int rc = 0;

	if (changed == 0 || !is_beyond(all, 7))
		return 0;
	if (change_once(all))
		rc = cold_follow(s, &cold, err);
	most = changed + changed / 4 + FOLLOW_MORE - cold;
	while (rc == 0 && all->following.n < most && is_beyond(all, 7) &&
	       all->following.n < all->late_n)
		rc = rows_follow(s, most - all->following.n, err);
	return rc;
}

void follow_keep(struct held_families *all)
{
	struct following *f = &all->following;

	for (; f->n > 0; f->n--) {
		struct held *h = all->list[HELD_LATE].oldest;

		late_end(all, h);
		if (h->is_lean && !h->is_changed) /* else it was dropped: change_keep() */
			held_remove(all, h);
	}
	all->first = first_of(all);
	all->log_bytes -= f->dropped;
	*f = (struct following){ 0 };
}

/* One bite; where that was all of it, the last change is said by the rows, too. */
static int bite_write(struct store *s, struct lk_error *err)
{
	struct held_families *all = &s->held;
	struct following *f = &all->following;
	int rc = rows_follow(s, FAMILIES_A_BITE, err);

	if (rc < 0 || f->next != NULL || first_of(all) < all->last || f->dropped == all->log_bytes)
		return rc;
	f->dropped = all->log_bytes;
	return changes_put(s, SQL_change_empty, all->last, (struct delta_bytes){ NULL, 0 }, err);
}

int store_write_back(struct store *s, struct lk_error *err)
{
	struct held_families *all = &s->held;
	int rc;

	if (all->late_n == 0 && all->log_bytes == 0 && all->first >= all->last)
		return 0;
	if ((rc = store_begin(s, err)) < 0)
		return rc;
	all->is_writing = true;
	rc = store_end(s, bite_write(s, err), err);
	all->is_writing = false;
	return rc < 0 ? rc : 1;
}
