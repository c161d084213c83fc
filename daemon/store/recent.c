/* recent.c - which events a case has: the list event_case, which is filled behind, and what it lacks,
 * in memory.
 *
 * In: events as they are added, or struck out. Out: a case's events, in order of arrival. Promise: the
 * list and what is in memory are never both believed of one position, so that nothing is missing and
 * nothing is there twice; a rollback leaves nothing of its transaction.
 *
 * Why: cases take turns, so that an entry for each event, written at once, is a page for each event.
 * The last ones are kept back, up to `lag` of them, and moved into the list in the order of the list,
 * many to a page. The value UPTO says up to which position the list is to be believed; what is behind
 * it is read from the log when the store is opened.
 */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

#define LAG 131072       /* 6 MiB of memory */
#define LAG_IN_MEMORY 64 /* where there are no pages to be saved */
#define MOVE_LEAST 256 /* entries at a time: a page that is written for each event saves nothing */
#define SORTED 500000  /* of a rebuild: 16 MiB of memory */
#define MOVE_FOR_ONE 2 /* for each event that comes: a run is moved before the next one is full */

static const char upto_value[] = "event_case.upto";

static uint32_t *bucket_of(const struct recent *r, int64_t kase)
{
	return &r->bucket[(uint64_t)kase * UINT64_C(11400714819323198485) >> 32 & (r->buckets - 1)];
}

/* ---- What is kept back ----------------------------------------------------------------------- */

static int recent_push(struct recent *r, int64_t kase, struct lk_error *err)
{
	uint32_t room = r->room == 0 ? 256 : 2 * r->room;
	struct recent_event *wider;

	if (r->n == r->room) {
		wider = realloc(r->at, room * sizeof(*wider));
		if (wider == NULL)
			return lk_fail(err, LK_EMEMORY, "store: no memory for a case's events");
		r->at = wider;
		r->room = room;
	}
	r->at[r->n] = (struct recent_event){ .kase = kase, .before = *bucket_of(r, kase) };
	*bucket_of(r, kase) = ++r->n;
	return 0;
}

static void recent_cut(struct recent *r, uint32_t n)
{
	for (; r->n > n; r->n--)
		*bucket_of(r, r->at[r->n - 1].kase) = r->at[r->n - 1].before;
}

/* The first `gone` have found their place in the list. */
static void recent_shift(struct recent *r, uint32_t gone)
{
	uint32_t left = r->n - gone;

	memmove(r->at, r->at + gone, left * sizeof(*r->at));
	memset(r->bucket, 0, r->buckets * sizeof(*r->bucket));
	r->first += gone;
	for (r->n = 0; r->n < left;) {
		struct recent_event *e = &r->at[r->n];

		e->before = *bucket_of(r, e->kase);
		*bucket_of(r, e->kase) = ++r->n;
	}
	r->committed = left;
	r->run = r->moved = r->moved_committed = 0;
}

/* ---- Opening --------------------------------------------------------------------------------- */

/* Between it and the last one nothing is, or what was struck out: behind `struck` nothing was. */
static int recent_put(struct recent *r, int64_t position, int64_t kase, int64_t struck,
		      struct lk_error *err)
{
	int rc = 0;

	if (r->first + r->n < position && position - 1 > struck)
		r->gone = position - 1;
	while (rc == 0 && r->first + r->n < position)
		rc = recent_push(r, 0, err);
	return rc == 0 ? recent_push(r, kase, err) : rc;
}

static int recent_read(struct store *s, int64_t struck, struct lk_error *err)
{
	struct recent *r = &s->recent;
	struct query q = query_begin(s, SQL_event_cases_after);
	int rc;

	bind_int(&q, r->first - 1);
	while ((rc = query_step(&q, err)) == 1) {
		int64_t position = column_int(&q), kase = column_int(&q);

		if ((rc = recent_put(r, position, kase, struck, err)) < 0)
			break;
	}
	query_end(&q);
	return rc;
}

int recent_load(struct store *s, struct lk_error *err)
{
	struct recent *r = &s->recent;
	int64_t upto = 0, struck = 0;
	int rc;

	if (r->bucket == NULL) {
		r->lag = s->lag > 0 ? s->lag : s->directory != NULL ? LAG : LAG_IN_MEMORY;
		for (r->buckets = 64; r->buckets < r->lag;)
			r->buckets *= 2;
		r->bucket = calloc(r->buckets, sizeof(*r->bucket));
	}
	if (r->bucket == NULL)
		return lk_fail(err, LK_EMEMORY, "store: no memory for a case's events");
	if ((rc = store_value_get(s, upto_value, &upto, err)) < 0 ||
	    (rc = store_value_get(s, VALUE_STRUCK_UPTO, &struck, err)) < 0)
		return rc;
	recent_cut(r, 0);
	r->run = r->moved = r->moved_committed = 0;
	r->first = upto + 1;
	r->gone = 0;
	r->is_struck = false;
	rc = recent_read(s, struck, err);
	r->committed = r->n;
	r->is_stale = rc < 0; /* a part of it is none */
	return rc;
}

void recent_free(struct store *s)
{
	free(s->recent.at);
	free(s->recent.bucket);
	free(s->recent.order);
	memset(&s->recent, 0, sizeof(s->recent));
}

/* ---- Coming and going ------------------------------------------------------------------------ */

static int listed(struct store *s, enum statement which, int64_t kase, int64_t position,
		  struct lk_error *err)
{
	struct query q = query_begin(s, which);

	bind_int(&q, kase);
	bind_int(&q, position);
	return query_run(&q, err);
}

static int recent_ready(struct store *s, struct lk_error *err)
{
	int rc = s->recent.is_stale ? recent_load(s, err) : 0;

	if (rc == 0 && s->recent.gone != 0)
		rc = row_damaged(s, err, "event", s->recent.gone, "place");
	return rc;
}

/* Its row is there, and is read with the others where all of them are. Where the last ones were struck out, it is not the
 * next place. */
int recent_add(struct store *s, int64_t position, int64_t kase, struct lk_error *err)
{
	struct recent *r = &s->recent;
	bool is_read = r->is_stale;
	int rc = recent_ready(s, err);

	if (rc < 0)
		return rc;
	if (position < r->first)
		return listed(s, SQL_event_case_add, kase, position, err);
	if (is_read) {
		r->committed--; /* of this transaction */
		return 0;
	}
	return recent_put(r, position, kase, position, err);
}

int recent_of(struct store *s, int64_t kase, int64_t **positions, size_t *n, struct lk_error *err)
{
	struct recent *r = &s->recent;
	int rc = recent_ready(s, err);
	size_t found = 0;

	*positions = NULL;
	*n = 0;
	if (rc < 0)
		return rc;
	for (uint32_t i = *bucket_of(r, kase); i > 0; i = r->at[i - 1].before)
		found += r->at[i - 1].kase == kase;
	if (found == 0)
		return 0;
	if ((*positions = calloc(found, sizeof(**positions))) == NULL)
		return lk_fail(err, LK_EMEMORY, "store: no memory for a case's events");
	*n = found;
	for (uint32_t i = *bucket_of(r, kase); i > 0; i = r->at[i - 1].before)
		if (r->at[i - 1].kase == kase)
			(*positions)[--found] = r->first + i - 1;
	return 0;
}

/* Before its row goes. */
int recent_strike(struct store *s, int64_t position, struct lk_error *err)
{
	struct recent *r = &s->recent;
	struct query q = query_begin(s, SQL_event_case_of);
	int64_t kase;
	int rc;

	bind_int(&q, position);
	if ((rc = query_number(&q, &kase, err)) != 1)
		return rc;
	r->is_struck = true;
	return listed(s, SQL_event_case_drop, kase, position, err);
}

static int positions_list(struct store *s, int64_t after, int64_t upto, struct lk_error *err)
{
	struct query q = query_begin(s, SQL_mend_cases);

	bind_int(&q, after);
	bind_int(&q, upto);
	return query_run(&q, err);
}

/* All of the list, after damage: so many at a time as may be sorted in memory. */
int recent_rebuild(struct store *s, struct lk_error *err)
{
	struct query q = query_begin(s, SQL_mend_cases_clear);
	int64_t last = 0;
	int rc = query_run(&q, err);

	s->recent.is_struck = true;
	q = query_begin(s, SQL_event_last);
	if (rc == 0)
		rc = query_number(&q, &last, err);
	for (int64_t at = 0; rc >= 0 && at < last; at += SORTED)
		rc = positions_list(s, at, at + SORTED, err);
	return rc < 0 ? rc : store_value_put(s, upto_value, last, err);
}

/* ---- Moving ---------------------------------------------------------------------------------- */

static int in_order(const void *a, const void *b)
{
	const struct recent_entry *x = a, *y = b;

	if (x->kase != y->kase)
		return x->kase < y->kase ? -1 : 1;
	return x->position < y->position ? -1 : x->position > y->position;
}

static int run_begin(struct recent *r, struct lk_error *err)
{
	struct recent_entry *order = realloc(r->order, r->lag * sizeof(*order));

	if (order == NULL)
		return lk_fail(err, LK_EMEMORY, "store: no memory for a case's events");
	r->order = order;
	r->run = r->lag;
	for (uint32_t i = 0; i < r->run; i++)
		order[i] = (struct recent_entry){ r->at[i].kase, r->first + i };
	qsort(order, r->run, sizeof(*order), in_order);
	return 0;
}

/* What is left over from before a crash is there already. */
static int run_move(struct store *s, uint32_t n, struct lk_error *err)
{
	struct recent *r = &s->recent;
	int rc = 0;

	for (; rc == 0 && n > 0 && r->moved < r->run; n--, r->moved++)
		rc = listed(s, SQL_event_case_add, r->order[r->moved].kase,
			    r->order[r->moved].position, err);
	if (rc == 0 && r->moved == r->run)
		rc = store_value_put(s, upto_value, r->first + r->run - 1, err);
	return rc;
}

int recent_flush(struct store *s, struct lk_error *err)
{
	struct recent *r = &s->recent;
	uint32_t came = r->n > r->committed ? r->n - r->committed : 0;
	uint32_t owed = r->owed + MOVE_FOR_ONE * came;
	uint32_t least = r->lag < MOVE_LEAST ? r->lag : MOVE_LEAST;
	int rc = 0;

	if (r->bucket == NULL || r->is_struck || (r->run == 0 && r->committed < r->lag))
		return 0; /* a store that is being made has no list yet */
	if (r->run == 0)
		rc = run_begin(r, err);
	if (rc == 0 && owed >= least)
		rc = run_move(s, owed, err);
	r->owed = owed < least ? owed : 0;
	return rc;
}

/* What was struck out is seldom: then all of it is read again. */
void recent_commit(struct store *s)
{
	struct recent *r = &s->recent;

	r->is_stale = r->is_stale || r->is_struck;
	r->committed = r->n;
	r->moved_committed = r->moved;
	if (r->run > 0 && r->moved == r->run)
		recent_shift(r, r->run);
}

void recent_rollback(struct store *s)
{
	struct recent *r = &s->recent;

	r->is_stale = r->is_stale || r->is_struck;
	recent_cut(r, r->committed);
	r->moved = r->moved_committed;
}
