/* check.c - is what is kept still what was written? Every sum, row by row; and SQLite's own look.
 *
 * In: a store, or a copy of one. Out: what is damaged, by table and place. Promise: a damaged row stops nothing but
 * itself; what is said of it repeats nothing of it.
 */
#include "internal.h"

#include <stdio.h>
#include <string.h>

#define TICK_EVERY 100000 /* instructions of SQLite's machine */

static const struct part {
	const char *what;
	enum statement rows;
	int (*examine)(struct query *q, struct lk_error *err);
} parts[] = {
	{ "event", SQL_check_events, event_examine },
	{ "dead letter", SQL_check_letters, letter_examine },
	{ "notice", SQL_check_notices, notice_examine },
	{ "family", SQL_check_families, family_examine },
	{ "family change", SQL_check_changes, changes_examine },
};
#define PARTS (int)(sizeof(parts) / sizeof(parts[0]))

static void note(struct store_check *check, const char *what)
{
	check->damages++;
	if (check->damaged != NULL)
		check->damaged(check->context, what);
}

/* How far each part goes, all together, and what lies before the part at hand. */
static int measure(struct store *s, struct store_check *check, struct lk_error *err)
{
	struct query q = query_begin(s, SQL_check_last);
	int rc = query_step(&q, err);

	check->of = 0;
	check->done = check->at;
	for (int i = 0; rc == 1 && i < PARTS; i++) {
		int64_t last = column_int(&q);

		check->of += last;
		check->done += i < check->part ? last : 0;
	}
	query_end(&q);
	return rc < 0 ? rc : 0;
}

/* A page that cannot be read ends its part: what lies behind it is not known to be damaged. */
static bool is_lost(const struct store *s, int rc)
{
	return rc == LK_ESTORE && !s->lost && !s->suspect;
}

static int part_check(struct store *s, struct store_check *check, int limit, struct lk_error *err)
{
	const struct part *part = &parts[check->part];
	struct query q = query_begin(s, part->rows);
	struct lk_error why = { 0 };
	char what[160];
	int n = 0, rc;

	bind_int(&q, check->at);
	bind_int(&q, limit);
	while ((rc = query_step(&q, &why)) == 1) {
		check->at = column_int(&q);
		n++;
		s->is_checked = true;
		bool is_damaged = part->examine(&q, &why) < 0;

		s->is_checked = false;
		if (is_damaged) {
			(void)snprintf(what, sizeof(what), "%s at %lld: %.100s", part->what,
				       (long long)check->at, why.text);
			note(check, what);
		}
	}
	query_end(&q);
	check->rows += n;
	if (is_lost(s, rc)) {
		(void)snprintf(what, sizeof(what), "%s after %lld: %.100s", part->what,
			       (long long)check->at, why.text);
		note(check, what);
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
