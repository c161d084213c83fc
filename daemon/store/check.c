/* check.c - is what is kept still what was written? Every sum, row by row; rows that others speak of and that are not there
 * any more; and SQLite's own look.
 *
 * In: a store, or a copy of one. Out: what is damaged, by table and place. Promise: a damaged row stops nothing but
 * itself; what is said of it repeats nothing of it.
 *
 * A sum tells nothing of a row that is gone. A disk that puts one page in another's place takes all rows of a page away and
 * leaves sound ones: they come out of order, and their places are empty. What an index does not lead to is as good as gone; and
 * what has no sum is there twice, as a link is.
 */
#include "internal.h"

#include <stdio.h>
#include <string.h>

#define TICK_EVERY 100000 /* instructions of SQLite's machine */

/* Each question of a row, to which the answer is yes where nothing is gone. */
static int nothing_is_gone(struct query *q, int questions, struct lk_error *err)
{
	while (questions-- > 0)
		if (column_int(q) == 0)
			return lk_fail(err, LK_ESTORE, "what it should lead to is gone");
	return 0;
}

static int place_examine(struct query *q, struct lk_error *err)
{
	return nothing_is_gone(q, 1, err);
}

static int ways_examine(struct query *q, struct lk_error *err)
{
	return nothing_is_gone(q, 2, err);
}

static int event_ways_examine(struct query *q, struct lk_error *err)
{
	return nothing_is_gone(q, 5, err);
}

static int case_ways_examine(struct query *q, struct lk_error *err)
{
	return nothing_is_gone(q, 3, err);
}

#define CASE_ROWS 20 /* each looks for the events of its list: so many rows are one */

static const struct part {
	const char *what;
	enum statement rows;
	int weight;
	int (*examine)(struct query *q, struct lk_error *err);
} parts[] = {
	{ "event", SQL_check_events, 1, event_examine },
	{ "dead letter", SQL_check_letters, 1, letter_examine },
	{ "notice", SQL_check_notices, 1, notice_examine },
	{ "family", SQL_check_families, 1, family_examine },
	{ "wake of a family", SQL_check_wakes, 1, ways_examine },
	{ "family change", SQL_check_changes, 1, changes_examine },
	{ "mailbox", SQL_check_mailboxes, 1, ways_examine },
	{ "place in a mailbox", SQL_check_places, 1, place_examine },
	{ "case", SQL_check_case_rows, CASE_ROWS, case_ways_examine },
	{ "links of a case", SQL_check_links, CASE_ROWS, case_ways_examine },
	{ "place of an event", SQL_check_event_places, 1, event_ways_examine },
};
#define PARTS (int)(sizeof(parts) / sizeof(parts[0]))

static void note(struct store_check *check, const char *what)
{
	check->damages++;
	if (check->damaged != NULL)
		check->damaged(check->context, what);
}

/* How many rows all parts have together, about: numbers of theirs, but mailboxes are spread over all numbers. */
static int measure(struct store *s, struct store_check *check, struct lk_error *err)
{
	struct query q;
	int rc;

	check->done = check->rows;
	if (check->at != 0 && check->of != 0)
		return 0; /* it was asked when the part began */
	check->of = 0;
	q = query_begin(s, SQL_check_last);
	rc = query_step(&q, err);
	for (int i = 0; rc == 1 && i < PARTS; i++)
		check->of += column_int(&q);
	query_end(&q);
	return rc < 0 ? rc : 0;
}

/* A page that cannot be read ends its part: what lies behind it is not known to be damaged. */
static bool is_lost(const struct store *s, int rc)
{
	return rc == LK_ESTORE && !s->lost && !s->suspect;
}

static void note_at(struct store_check *check, const char *where, const struct lk_error *why)
{
	char what[160];

	(void)snprintf(what, sizeof(what), "%s %s %lld: %.100s", parts[check->part].what, where,
		       (long long)check->at, why->text);
	note(check, what);
}

/* What else than damage keeps a row from being looked at, as a lack of memory, says nothing of it: negative. */
static int row_check(struct store *s, struct store_check *check, struct query *q,
		     struct lk_error *why)
{
	int rc;

	s->is_checked = true;
	rc = parts[check->part].examine(q, why);
	s->is_checked = false;
	if (rc == LK_ESTORE)
		note_at(check, "at", why);
	return rc == LK_ESTORE || rc > 0 ? 0 : rc;
}

/* Returns how many rows were looked at; rc: what ended them. Whoever went on with rows that come back would never end. */
static int rows_check(struct store *s, struct store_check *check, int limit, int *rc,
		      struct lk_error *why)
{
	struct query q = query_begin(s, parts[check->part].rows);
	int n = 0;

	bind_int(&q, check->at);
	bind_int(&q, limit);
	while ((*rc = query_step(&q, why)) == 1) {
		int64_t at = column_int(&q);
		if (at <= check->at) {
			*rc = lk_fail(why, LK_ESTORE, "rows are out of order");
			break;
		}
		int64_t before = check->at;
		check->at = at;
		if ((*rc = row_check(s, check, &q, why)) < 0) {
			check->at = before; /* to be looked at again */
			break;
		}
		n++;
	}
	query_end(&q);
	check->rows += n;
	return n;
}

static int part_check(struct store *s, struct store_check *check, int limit, struct lk_error *err)
{
	const struct part *part = &parts[check->part];
	struct lk_error why = { 0 };
	int rc, n;

	limit = limit > part->weight ? limit / part->weight : 1;
	n = rows_check(s, check, limit, &rc, &why);
	if (is_lost(s, rc)) {
		check->is_torn = true;
		note_at(check, "after", &why);
		return 0;
	}
	if (rc < 0)
		return lk_fail(err, (enum lk_fault)rc, "%s", why.text);
	return n == limit;
}

int store_check(struct store *s, struct store_check *check, int limit, struct lk_error *err)
{
	int rc = part_check(s, check, limit, err);

	if (rc < 0)
		return rc;
	if (rc == 0) {
		check->part++;
		check->at = 0;
	}
	if (check->part == PARTS)
		return 0;
	rc = measure(s, check, err);
	return rc < 0 ? rc : 1;
}

/* ---- SQLite's own ---------------------------------------------------------------------------- */

struct ticking {
	void (*tick)(void *context);
	void *context;
};

static int ticked(void *context)
{
	const struct ticking *t = context;

	t->tick(t->context);
	return 0;
}

/* Of the list that is no index of SQLite's. */
static int cases_check(struct store *s, struct lk_error *err)
{
	struct query q = query_begin(s, SQL_check_cases);
	int64_t position;
	int rc = query_number(&q, &position, err);

	if (rc == 1)
		return lk_fail(err, LK_ESTORE, "event %lld is not in the list of its case",
			       (long long)position);
	return rc;
}

int store_integrity(struct store *s, void (*tick)(void *context), void *context,
		    struct lk_error *err)
{
	struct ticking ticking = { tick, context };
	sqlite3_stmt *statement = NULL;
	int rc = sqlite3_prepare_v2(s->db, "PRAGMA integrity_check(1)", -1, &statement, NULL);

	if (rc != SQLITE_OK)
		return store_fault(s, s->db, rc, "integrity check", err);
	if (tick != NULL)
		sqlite3_progress_handler(s->db, TICK_EVERY, ticked, &ticking);
	rc = sqlite3_step(statement);
	sqlite3_progress_handler(s->db, 0, NULL, NULL);
	if (rc != SQLITE_ROW)
		rc = store_fault(s, s->db, rc, "integrity check", err);
	else if (strcmp((const char *)sqlite3_column_text(statement, 0), "ok") != 0)
		rc = lk_fail(err, LK_ESTORE, "%s", sqlite3_column_text(statement, 0));
	else
		rc = 0;
	(void)sqlite3_finalize(statement);
	return rc == 0 ? cases_check(s, err) : rc;
}
