/* case_list.c - which events a case has: the list event_case, which is filled behind (recent.c), and what it lacks.
 *
 * In: events as they are added, or struck out. Out: a case's events, in order of arrival. Promise: the list and what is in
 * memory are never both believed of one position, so that nothing is missing and nothing is there twice.
 */
#include "internal.h"

#include <stdlib.h>

#define LAG 131072 /* 6 MiB of memory */

static int listed(struct store *s, enum statement which, int64_t kase, int64_t position,
		  struct lk_error *err)
{
	struct query q = query_begin(s, which);

	bind_int(&q, kase);
	bind_int(&q, position);
	return query_run(&q, err);
}

static int entry_move(struct store *s, const struct recent *r, uint32_t i, struct lk_error *err)
{
	int rc = listed(s, SQL_event_case_add, r->order[i].key, r->order[i].place, err);

	return rc < 0 ? rc : 1;
}

const struct recent_kind case_list = {
	.upto = "event_case.upto",
	.struck = VALUE_STRUCK_UPTO,
	.rows = SQL_event_cases_after,
	.clear = SQL_mend_cases_clear,
	.lag = LAG,
	.move = entry_move,
};

static int list_ready(struct store *s, struct lk_error *err)
{
	const struct recent *r = &s->recent[RECENT_CASES];
	int rc = recent_ready(s, RECENT_CASES, err);

	return rc == 0 && r->gone != 0 ? row_damaged(s, err, "event", r->gone, "place") : rc;
}

int case_event_add(struct store *s, int64_t position, int64_t kase, struct lk_error *err)
{
	int rc = list_ready(s, err);

	if (rc == 0)
		rc = recent_add(s, RECENT_CASES, (struct recent_found){ position, kase, 0 }, err);
	return rc == 1 ? listed(s, SQL_event_case_add, kase, position, err) : rc;
}

int case_events_recent(struct store *s, int64_t kase, int64_t **positions, size_t *n,
		       struct lk_error *err)
{
	const struct recent *r = &s->recent[RECENT_CASES];
	int rc = list_ready(s, err);
	size_t found = 0;

	*positions = NULL;
	*n = 0;
	if (rc < 0)
		return rc;
	for (uint32_t i = recent_last(r, kase); i > 0; i = recent_before(r, i))
		found++;
	if (found == 0)
		return 0;
	if ((*positions = calloc(found, sizeof(**positions))) == NULL)
		return lk_fail(err, LK_EMEMORY, "store: no memory for a case's events");
	*n = found;
	for (uint32_t i = recent_last(r, kase); i > 0; i = recent_before(r, i))
		(*positions)[--found] = r->first + i - 1;
	return 0;
}

/* Before its row goes. */
int case_event_strike(struct store *s, int64_t position, struct lk_error *err)
{
	struct query q = query_begin(s, SQL_event_case_of);
	int64_t kase;
	int rc;

	bind_int(&q, position);
	if ((rc = query_number(&q, &kase, err)) != 1)
		return rc;
	s->recent[RECENT_CASES].is_struck = true;
	return listed(s, SQL_event_case_drop, kase, position, err);
}
