/* check.c - is what is kept still what was written? Every sum, row by row; rows that others speak of and that are not there
 * any more; and SQLite's own look.
 *
 * In: a store, or a copy of one. Out: what is damaged, by table and place. Promise: a damaged row stops nothing but
 * itself; what is said of it repeats nothing of it.
 *
 * A sum tells nothing of a row that is gone. A disk that puts one page in another's place takes all rows of a page away and
 * leaves sound ones: they come out of order, and their places are empty. What an index does not lead to is as good as gone; and
 * what has no sum is there twice, as a link is. A page that is an old copy of itself is in order, too: where an outbox, a family,
 * a roll or a name told apart is, rows of the log, of families and of mailboxes say as well; of values, linkages.mark knows.
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
	return nothing_is_gone(q, 3, err);
}

static int event_ways_examine(struct query *q, struct lk_error *err)
{
	return nothing_is_gone(q, 7, err);
}

static int case_ways_examine(struct query *q, struct lk_error *err)
{
	return nothing_is_gone(q, 5, err);
}

/* Tokens have no number: their kind and their first bytes are one. */
#define TOKEN_START 7

static int64_t token_place(struct query *q)
{
	int64_t place = column_int(q) + 1; /* and none is 0 */
	uint8_t token[LK_DIGEST] = { 0 };

	(void)column_digest(q, token);
	for (int i = 0; i < TOKEN_START; i++)
		place = place << 8 | token[i];
	return place;
}

static void token_go_on(struct query *q, int64_t at, uint8_t last[LK_DIGEST])
{
	memset(last, at > 0 ? 0xff : 0, LK_DIGEST);
	for (int i = TOKEN_START; i-- > 0; at >>= 8)
		last[i] = (uint8_t)at;
	bind_int(q, at - 1);
	bind_digest(q, last);
}

#define BY_NUMBER NULL, NULL
#define CASE_ROWS 20 /* each looks for the events of its list: so many rows are one */

static const struct part {
	const char *what;
	enum statement rows;
	int weight;
	int (*examine)(struct query *q, struct lk_error *err);
	/* Where a row has no number of its own: binds what lies behind a place, with room for it; and the place of a row. */
	void (*go_on)(struct query *q, int64_t at, uint8_t room[LK_DIGEST]);
	int64_t (*place)(struct query *q);
} parts[] = {
	{ "event", SQL_check_events, 1, event_examine, BY_NUMBER },
	{ "dead letter", SQL_check_letters, 1, letter_examine, BY_NUMBER },
	{ "notice", SQL_check_notices, 1, notice_examine, BY_NUMBER },
	{ "family", SQL_check_families, 1, family_examine, BY_NUMBER },
	{ "wake of a family", SQL_check_wakes, 1, ways_examine, BY_NUMBER },
	{ "family change", SQL_check_changes, 1, changes_examine, BY_NUMBER },
	{ "mailbox", SQL_check_mailboxes, 1, ways_examine, BY_NUMBER },
	{ "place in a mailbox", SQL_check_places, 1, ways_examine, BY_NUMBER },
	{ "case", SQL_check_case_rows, CASE_ROWS, case_ways_examine, BY_NUMBER },
	{ "links of a case", SQL_check_links, CASE_ROWS, ways_examine, BY_NUMBER },
	{ "place of an event", SQL_check_event_places, 1, event_ways_examine, BY_NUMBER },
	{ "outbox", SQL_check_streams, 1, place_examine, BY_NUMBER },
	{ "token", SQL_check_tokens, 1, place_examine, token_go_on, token_place },
};
#define PARTS (int)(sizeof(parts) / sizeof(parts[0]))

static void note(struct store_check *check, const char *what)
{
	check->damages++;
	if (check->damaged != NULL)
		check->damaged(check->context, what);
}

/* How many rows all parts have together, about: their last numbers, but of notices, which go by their age, what mailboxes keep. */
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

/* Where a row stands: behind the last one, or, where places are no numbers, with it. */
static bool is_in_order(const struct part *part, int64_t last, int64_t at)
{
	return at > last || (at == last && part->place != NULL);
}

/* Returns how many rows were looked at, all or none of a place; rc: what ended them. Whoever went on with rows that come
 * back would never end. */
static int rows_check(struct store *s, struct store_check *check, int limit, int *rc,
		      struct lk_error *why)
{
	const struct part *part = &parts[check->part];
	struct query q = query_begin(s, part->rows);
	uint8_t room[LK_DIGEST];
	int n = 0;

	if (part->go_on != NULL)
		part->go_on(&q, check->at, room);
	else
		bind_int(&q, check->at);
	bind_int(&q, limit);
	while ((*rc = query_step(&q, why)) == 1) {
		int64_t at = part->place != NULL ? part->place(&q) : column_int(&q);
		int64_t before = check->at;
		if (n >= limit && at > before)
			break;
		if (!is_in_order(part, before, at)) {
			*rc = lk_fail(why, LK_ESTORE, "rows are out of order");
			break;
		}
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
	return n >= limit;
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

/* ---- At a start ------------------------------------------------------------------------------ */

/* What must be known before anybody is told anything: a mailbox that begins anew under its old name tells of places that its
 * client has seen already, a number that is given again stands for somebody else, and a rev that is given again for what its client
 * has. Workers are counted from 1 on, and none ever goes; so are names that were told apart. 1: damaged; 0; negative. */
int check_names(struct store *s, struct lk_error *err)
{
	const struct recent *r = &s->recent[RECENT_PLACES];
	struct query q = query_begin(s, SQL_check_start);
	int64_t is_damaged = 0, told = 0;
	int rc;

	for (uint32_t i = 0; i < r->n; i++)
		told = r->at[i].key > told ? r->at[i].key : told;
	bind_int(&q, told);
	rc = query_number(&q, &is_damaged, err);

	return rc < 0 ? rc : is_damaged != 0;
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
