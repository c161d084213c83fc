/* recent.c - lists that are filled behind, and what they lack, in memory.
 *
 * In: rows as they are added, each by its place in the order of arrival, with the key that a list has it under. Out: what a
 * list does not have yet. Promise: the list and what is in memory together lack nothing; a rollback leaves nothing of its
 * transaction; memory is bounded, but for what one transaction adds.
 *
 * Why: keys take turns, so that an entry for each row, written at once, is a page for each row. The last ones are kept
 * back, up to `lag` of them, and moved into the list in the order of the list, many to a page. A value says up to which
 * place the list is to be believed; what is behind it is read from the rows when the store is opened.
 */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

#define LAG_IN_MEMORY 64 /* where there are no pages to be saved */
#define MOVE_LEAST 256   /* entries at a time: a page that is written for each row saves nothing */
#define MOVE_FOR_ONE 2   /* for each row that comes: a run is moved before the next one is full */
#define HOLE_MOST (1 << 22) /* places without rows: more of them are no rows that went */

static const struct recent_kind *const kinds[RECENT_LISTS] = {
	[RECENT_CASES] = &case_list,
	[RECENT_PLACES] = &roll_list,
};

/* Keys that follow each other, as places of a mailbox do, have neighbouring buckets: who asks for one soon asks for the next,
 * and the processor has it already. Where the first of a mailbox lies is strewn. */
static uint32_t *bucket_of(const struct recent *r, int64_t key)
{
	uint64_t strewn = ((uint64_t)key >> SEQ_BITS) * UINT64_C(11400714819323198485) >> 32;

	return &r->bucket[(strewn + (uint64_t)key) & (r->buckets - 1)];
}

static int no_memory(struct lk_error *err)
{
	return lk_fail(err, LK_EMEMORY, "store: no memory for what lists lack");
}

/* ---- What is kept back ----------------------------------------------------------------------- */

static int recent_push(struct recent *r, int64_t key, uint32_t note, struct lk_error *err)
{
	uint32_t room = r->room == 0 ? 256 : 2 * r->room;
	struct recent_row *wider;

	if (r->n == r->room) {
		wider = realloc(r->at, room * sizeof(*wider));
		if (wider == NULL)
			return no_memory(err);
		r->at = wider;
		r->room = room;
	}
	r->at[r->n] = (struct recent_row){ key, *bucket_of(r, key), note };
	*bucket_of(r, key) = ++r->n;
	return 0;
}

static void recent_cut(struct recent *r, uint32_t n)
{
	for (; r->n > n; r->n--)
		*bucket_of(r, r->at[r->n - 1].key) = r->at[r->n - 1].before;
}

/* Room for many, which a start has read behind a list that was far back, is given up as they go. */
static void recent_narrow(struct recent *r)
{
	uint32_t room = r->room / 2;
	struct recent_row *fewer;

	if (room < r->n || room < 2 * r->lag)
		return;
	fewer = realloc(r->at, room * sizeof(*fewer));
	if (fewer == NULL)
		return;
	r->at = fewer;
	r->room = room;
}

/* The first `gone` have found their place in the list. */
static void recent_shift(struct recent *r, uint32_t gone)
{
	uint32_t left = r->n - gone;

	memmove(r->at, r->at + gone, left * sizeof(*r->at));
	memset(r->bucket, 0, r->buckets * sizeof(*r->bucket));
	r->first += gone;
	for (r->n = 0; r->n < left;) {
		struct recent_row *row = &r->at[r->n];

		row->before = *bucket_of(r, row->key);
		*bucket_of(r, row->key) = ++r->n;
	}
	r->committed = left;
	r->run = r->moved = r->moved_committed = 0;
	recent_narrow(r);
}

/* ---- Opening --------------------------------------------------------------------------------- */

/* Between it and the last one nothing is, or what has gone: behind `struck` nothing has. */
static int recent_put(struct recent *r, const struct recent_found *found, int64_t struck,
		      struct lk_error *err)
{
	int64_t hole = found->place - r->first - r->n;
	int rc = 0;

	if (hole > 0 && (found->place - 1 > struck || (r->n > 0 && hole > HOLE_MOST)))
		r->gone = found->place - 1;
	if (r->n == 0)
		r->first = found->place;
	else if (hole > HOLE_MOST)
		return 0; /* a start looks at what has gone */
	while (rc == 0 && r->first + r->n < found->place)
		rc = recent_push(r, 0, 0, err);
	return rc == 0 ? recent_push(r, found->key, found->note, err) : rc;
}

/* Rows behind the last one, so many at most, and no further ahead than that, but for the first; -1: all. Returns how many. */
static int recent_read(struct store *s, enum recent_list which, int64_t limit, int64_t struck,
		       struct lk_error *err)
{
	struct recent *r = &s->recent[which];
	struct query q = query_begin(s, kinds[which]->rows);
	int rc, n = 0;

	bind_int(&q, r->first + r->n - 1);
	bind_int(&q, limit);
	for (; (rc = query_step(&q, err)) == 1; n++) {
		struct recent_found found = { .place = column_int(&q) };

		if (limit > 0 && r->n > 0 && found.place - r->first >= limit)
			break; /* its time comes */
		found.key = column_int(&q);
		if (kinds[which]->note != NULL)
			found.note = kinds[which]->note(&q);
		if ((rc = recent_put(r, &found, struck, err)) < 0)
			break;
	}
	query_end(&q);
	return rc < 0 ? rc : n;
}

static void recent_clear(struct recent *r, int64_t first)
{
	recent_cut(r, 0);
	r->run = r->moved = r->moved_committed = r->committed = 0;
	r->first = first;
	r->gone = 0;
}

static int buckets_make(struct store *s, struct recent *r, uint32_t lag, struct lk_error *err)
{
	if (r->bucket != NULL)
		return 0;
	r->lag = s->lag > 0 ? s->lag : s->directory != NULL ? lag : LAG_IN_MEMORY;
	for (r->buckets = 64; r->buckets < r->lag;)
		r->buckets *= 2;
	r->bucket = calloc(r->buckets, sizeof(*r->bucket));
	return r->bucket != NULL ? 0 : no_memory(err);
}

static int list_load(struct store *s, enum recent_list which, struct lk_error *err)
{
	struct recent *r = &s->recent[which];
	int64_t upto = 0, struck = INT64_MAX;
	int rc = buckets_make(s, r, kinds[which]->lag, err);

	if (rc == 0)
		rc = store_value_get(s, kinds[which]->upto, &upto, err);
	if (rc >= 0 && kinds[which]->struck != NULL) {
		struck = 0;
		rc = store_value_get(s, kinds[which]->struck, &struck, err);
	}
	if (rc < 0)
		return rc;
	recent_clear(r, upto + 1);
	r->is_struck = false;
	rc = recent_read(s, which, -1, struck, err);
	r->committed = r->n;
	r->is_stale = rc < 0; /* a part of it is none */
	return rc < 0 ? rc : 0;
}

int recent_load(struct store *s, struct lk_error *err)
{
	int rc = 0;

	for (int i = 0; rc == 0 && i < RECENT_LISTS; i++)
		rc = list_load(s, (enum recent_list)i, err);
	return rc;
}

void recent_free(struct store *s)
{
	for (int i = 0; i < RECENT_LISTS; i++) {
		free(s->recent[i].at);
		free(s->recent[i].bucket);
		free(s->recent[i].order);
	}
	memset(&s->recent, 0, sizeof(s->recent));
}

/* ---- Coming and going ------------------------------------------------------------------------ */

int recent_ready(struct store *s, enum recent_list which, struct lk_error *err)
{
	return s->recent[which].is_stale ? list_load(s, which, err) : 0;
}

/* Its row may have been read with the others, where all of them were. Where the last ones were struck out, it is not the
 * next place. */
int recent_add(struct store *s, enum recent_list which, struct recent_found row,
	       struct lk_error *err)
{
	struct recent *r = &s->recent[which];
	int rc = recent_ready(s, which, err);

	if (rc < 0 || row.place < r->first)
		return rc < 0 ? rc : 1;
	if (row.place < r->first + r->n) {
		r->committed--; /* of this transaction */
		return 0;
	}
	return recent_put(r, &row, row.place, err);
}

uint32_t recent_last(const struct recent *r, int64_t key)
{
	uint32_t i = *bucket_of(r, key);

	while (i > 0 && r->at[i - 1].key != key)
		i = r->at[i - 1].before;
	return i;
}

uint32_t recent_before(const struct recent *r, uint32_t i)
{
	int64_t key = r->at[i - 1].key;

	do
		i = r->at[i - 1].before;
	while (i > 0 && r->at[i - 1].key != key);
	return i;
}

/* ---- Moving ---------------------------------------------------------------------------------- */

static int in_order(const void *a, const void *b)
{
	const struct recent_entry *x = a, *y = b;

	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return x->place < y->place ? -1 : x->place > y->place;
}

static int run_begin(struct recent *r, uint32_t n, struct lk_error *err)
{
	struct recent_entry *order = realloc(r->order, n * sizeof(*order));

	if (order == NULL)
		return no_memory(err);
	r->order = order;
	r->run = n;
	for (uint32_t i = 0; i < n; i++)
		order[i] = (struct recent_entry){ r->at[i].key, r->first + i };
	qsort(order, n, sizeof(*order), in_order);
	return 0;
}

/* About so many. What is left over from before a crash is there already. */
static int run_move(struct store *s, enum recent_list which, uint32_t n, struct lk_error *err)
{
	struct recent *r = &s->recent[which];
	uint32_t until = r->run - r->moved < n ? r->run : r->moved + n;

	while (r->moved < until) {
		int rc = r->order[r->moved].key == 0 ? 1 : kinds[which]->move(s, r, r->moved, err);

		if (rc < 0)
			return rc;
		r->moved += (uint32_t)rc;
	}
	if (r->moved < r->run)
		return 0;
	return store_value_put(s, kinds[which]->upto, r->first + r->run - 1, err);
}

static int list_flush(struct store *s, enum recent_list which, struct lk_error *err)
{
	struct recent *r = &s->recent[which];
	uint32_t came = r->n > r->committed ? r->n - r->committed : 0;
	uint32_t owed = r->owed + MOVE_FOR_ONE * came;
	uint32_t least = r->lag / 4 < MOVE_LEAST ? r->lag / 4 : MOVE_LEAST;
	int rc = 0;

	if (r->bucket == NULL || r->is_struck || r->is_paid ||
	    (r->run == 0 && r->committed < r->lag))
		return 0; /* a store that is being made has no list yet */
	r->is_paid = true;
	if (r->run == 0)
		rc = run_begin(r, r->lag, err);
	if (rc == 0 && owed >= least)
		rc = run_move(s, which, owed, err);
	r->owed = owed < least ? owed : 0;
	return rc;
}

int recent_flush(struct store *s, struct lk_error *err)
{
	int rc = 0;

	for (int i = 0; rc == 0 && i < RECENT_LISTS; i++)
		rc = list_flush(s, (enum recent_list)i, err);
	return rc;
}

static bool list_is_due(const struct recent *r)
{
	return r->bucket != NULL && (r->run > 0 || r->committed >= r->lag);
}

static bool recent_is_due(const struct store *s)
{
	for (int i = 0; i < RECENT_LISTS; i++)
		if (list_is_due(&s->recent[i]))
			return true;
	return false;
}

/* A start begins a run anew, and where less than one comes until the next start, none would ever come to its end. */
int recent_follow(struct store *s, struct lk_error *err)
{
	int rc;

	if (!recent_is_due(s))
		return 0;
	if ((rc = store_begin(s, err)) < 0)
		return rc;
	for (int i = 0; rc == 0 && i < RECENT_LISTS; i++) {
		struct recent *r = &s->recent[i];

		rc = recent_ready(s, (enum recent_list)i, err);
		if (list_is_due(r) && r->owed < MOVE_LEAST)
			r->owed = MOVE_LEAST; /* COMMIT moves them */
	}
	rc = store_end(s, rc, err);
	return rc < 0 ? rc : 1;
}

/* As much at a time as is kept back else. */
int recent_rebuild(struct store *s, enum recent_list which, struct lk_error *err)
{
	struct recent *r = &s->recent[which];
	struct query q = query_begin(s, kinds[which]->clear);
	int rc = query_run(&q, err);

	recent_clear(r, 1);
	r->is_struck = true;
	while (rc >= 0 && (rc = recent_read(s, which, r->lag, INT64_MAX, err)) > 0) {
		rc = run_begin(r, r->n, err);
		if (rc == 0)
			rc = run_move(s, which, r->n, err);
		if (rc == 0)
			recent_shift(r, r->n);
	}
	r->committed = 0;
	r->gone = 0;
	return rc;
}

/* ---- Committed, taken back ------------------------------------------------------------------- */

/* What was struck out is seldom: then all of it is read again. */
void recent_commit(struct store *s)
{
	for (struct recent *r = s->recent; r < s->recent + RECENT_LISTS; r++) {
		r->is_stale = r->is_stale || r->is_struck;
		r->is_paid = false;
		r->committed = r->n;
		r->moved_committed = r->moved;
		if (r->run > 0 && r->moved == r->run)
			recent_shift(r, r->run);
	}
}

void recent_rollback(struct store *s)
{
	for (struct recent *r = s->recent; r < s->recent + RECENT_LISTS; r++) {
		r->is_stale = r->is_stale || r->is_struck;
		r->is_paid = false;
		recent_cut(r, r->committed);
		r->moved = r->moved_committed;
	}
}
