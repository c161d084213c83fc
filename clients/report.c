/* report.c - the evaluation, made of the plain tables of state.db.
 *
 * In: a state.db, months. Out: counts a month. Promise: nothing is written; each family is read once, whole.
 */
#include "report_parts.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REPORT_ROW(name, heading, help) { #name, heading, help },
const struct report_heading report_headings[REPORT_COLUMNS_N] = { REPORT_COLUMNS(REPORT_ROW) };

/* ---- Reading a family ------------------------------------------------------------------------------------------------------ */

static void *grown(struct walk *w, void *at, size_t n, size_t *room, size_t size)
{
	size_t wanted = *room * 2 + 16;
	void *wider;

	if (n < *room)
		return at;
	wider = realloc(at, wanted * size);
	if (wider == NULL) {
		w->failed = true;
		return NULL;
	}
	*room = wanted;
	return wider;
}

static struct lk_text text_at(sqlite3_stmt *row, int column)
{
	return (struct lk_text){ (const char *)sqlite3_column_text(row, column),
				 (uint32_t)sqlite3_column_bytes(row, column) };
}

static lk_instant instant_at(sqlite3_stmt *row, int column)
{
	struct lk_time time;

	return lk_time_parse(text_at(row, column), &time) < 0 ? LK_NO_INSTANT : time.at;
}

static lk_date date_at(sqlite3_stmt *row, int column)
{
	lk_date date;

	return lk_date_parse(text_at(row, column), &date) < 0 ? LK_NO_DATE : date;
}

static void copy_at(sqlite3_stmt *row, int column, char *out, size_t room)
{
	(void)snprintf(out, room, "%.*s", LK_PRINT(text_at(row, column)));
}

static int case_at(const struct walk *w, sqlite3_stmt *row, int column)
{
	int agency = lk_agency_code(text_at(row, column));

	for (size_t i = 0; i < w->mine_n; i++)
		if (w->mine[i].agency == agency &&
		    lk_text_says(text_at(row, column + 1), w->mine[i].number))
			return (int)i;
	return -1;
}

/* Columns: agency, number. */
static void read_case(struct walk *w, sqlite3_stmt *row)
{
	struct mycase *c = grown(w, w->mine, w->mine_n, &w->mine_room, sizeof(*c));

	if (c == NULL)
		return;
	w->mine = c;
	c = &w->mine[w->mine_n];
	*c = (struct mycase){ .agency = lk_agency_code(text_at(row, 0)),
			      .status = LK_NO_CODE,
			      .group = (int)w->mine_n,
			      .closed_at = LK_NO_INSTANT,
			      .closing_on = LK_NO_DATE,
			      .told_on = LK_NO_DATE };
	copy_at(row, 1, c->number, sizeof(c->number));
	w->mine_n++;
}

static struct happened *happened_add(struct walk *w, lk_instant at, enum happening what, int kase)
{
	static struct happened scratch;
	struct happened *h;

	if (kase < 0 || at == LK_NO_INSTANT)
		return &scratch;
	h = grown(w, w->past, w->past_n, &w->past_room, sizeof(*h));
	if (h == NULL)
		return &scratch;
	w->past = h;
	h = &w->past[w->past_n++];
	*h = (struct happened){
		.at = at, .what = what, .kase = kase, .code = LK_NO_CODE, .on = LK_NO_DATE
	};
	return h;
}

static const struct {
	const char *type;
	enum happening what;
} happenings[] = {
	{ "case.opened", OPENED },       { "case.status", STATUS },
	{ "case.closing", CLOSING },     { "case.closed", CLOSED },
	{ "worker.assigned", ASSIGNED }, { "worker.unassigned", UNASSIGNED },
	{ "consent.signed", SIGNED },    { "consent.revoked", REVOKED },
	{ "plan.signed", AGREED },       { "plan.ended", AGREEMENT_ENDED },
};

static int code_at(sqlite3_stmt *row, int column, enum happening what)
{
	struct lk_text word = text_at(row, column);

	return what == ASSIGNED || what == UNASSIGNED ? lk_role_code(word) : lk_status_code(word);
}

/* Columns: kind, held_at, with_family. */
static void read_held(struct walk *w, sqlite3_stmt *row)
{
	struct held *h = grown(w, w->held, w->held_n, &w->held_room, sizeof(*h));

	if (h == NULL)
		return;
	w->held = h;
	h = &w->held[w->held_n++];
	*h = (struct held){ .on = report_day(instant_at(row, 1)),
			    .is_ltm = lk_text_says(text_at(row, 0), "ltm") };
	h->with_family = sqlite3_column_int(row, 2) != 0;
}

/* Columns: at, agency, number, type, code, ref, on_date. Of plans, IFS agreements call for a meeting. */
static void read_history(struct walk *w, sqlite3_stmt *row)
{
	int kase = case_at(w, row, 1);

	for (size_t i = 0; i < sizeof(happenings) / sizeof(happenings[0]); i++) {
		enum happening what = happenings[i].what;
		struct happened *h;

		if (!lk_text_says(text_at(row, 3), happenings[i].type) ||
		    (what == AGREED && !lk_text_says(text_at(row, 4), "ifs_agreement")))
			continue;
		h = happened_add(w, instant_at(row, 0), what, kase);
		h->code = code_at(row, 4, what);
		h->on = date_at(row, 6);
		copy_at(row, 5, h->ref, sizeof(h->ref));
	}
}

/* Columns: since, agency, number, other agency, other number. */
static void read_link(struct walk *w, sqlite3_stmt *row)
{
	int other = case_at(w, row, 3);

	if (other >= 0)
		happened_add(w, instant_at(row, 0), LINKED, case_at(w, row, 1))->other = other;
}

/* Columns: agency of the case told of, its number, told_at. The first telling counts. */
static void read_told(struct walk *w, sqlite3_stmt *row)
{
	int kase = case_at(w, row, 0);
	lk_date day = report_day(instant_at(row, 2));

	if (kase >= 0 && (w->mine[kase].told_on == LK_NO_DATE || day < w->mine[kase].told_on))
		w->mine[kase].told_on = day;
}

static int read_rows(struct walk *w, sqlite3_stmt *statement, const char *family,
		     void (*read)(struct walk *w, sqlite3_stmt *row), struct lk_error *err)
{
	int rc;

	(void)sqlite3_bind_text(statement, 1, family, -1, SQLITE_TRANSIENT);
	while ((rc = sqlite3_step(statement)) == SQLITE_ROW)
		read(w, statement);
	(void)sqlite3_reset(statement);
	if (w->failed)
		return lk_fail(err, LK_EMEMORY, "no memory for the report");
	return rc == SQLITE_DONE ? 0
				 : lk_fail(err, LK_ESTORE, "state.db: %s", sqlite3_errmsg(w->db));
}

static int read_family(struct walk *w, const char *family, struct lk_error *err)
{
	struct stretch *s;
	int rc;

	w->mine_n = w->past_n = w->held_n = 0;
	rc = read_rows(w, w->cases, family, read_case, err);
	if (rc == 0)
		rc = read_rows(w, w->history, family, read_history, err);
	if (rc == 0)
		rc = read_rows(w, w->links, family, read_link, err);
	if (rc == 0)
		rc = read_rows(w, w->meetings, family, read_held, err);
	if (rc == 0)
		rc = read_rows(w, w->told, family, read_told, err);
	if (rc < 0)
		return rc;
	s = realloc(w->stretch, (w->mine_n + 1) * sizeof(*s));
	if (s == NULL)
		return lk_fail(err, LK_EMEMORY, "no memory for the report");
	w->stretch = s;
	memset(s, 0, (w->mine_n + 1) * sizeof(*s));
	return 0;
}

/* ---- All of them ----------------------------------------------------------------------------------------------------------- */

static int prepare(struct walk *w, struct lk_error *err)
{
	const struct {
		sqlite3_stmt **statement;
		const char *sql;
	} wanted[] = {
		{ &w->cases,
		  "SELECT agency, number FROM state_case WHERE family = ?1 ORDER BY line" },
		{ &w->history,
		  "SELECT at, agency, number, type, code, ref, on_date FROM history WHERE family = ?1 "
		  "ORDER BY line" },
		{ &w->links,
		  "SELECT since_at, agency, number, other_agency, other_number FROM link WHERE family = ?1" },
		{ &w->meetings,
		  "SELECT kind, held_at, with_family FROM meeting WHERE family = ?1 AND state = 'held' "
		  "AND kind IN ('pltm', 'ltm')" },
		{ &w->told,
		  "SELECT iif(own_agency = 'cws', 'calworks', 'cws'), other_number, told_at FROM told "
		  "WHERE family = ?1 AND kind = 'closure.planned' AND other_number IS NOT NULL" },
	};

	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		if (sqlite3_prepare_v2(w->db, wanted[i].sql, -1, wanted[i].statement, NULL) !=
		    SQLITE_OK)
			return lk_fail(err, LK_ECONFIG, "state.db is of another version: %s",
				       sqlite3_errmsg(w->db));
	return 0;
}

static int walk_all(struct walk *w, void (*tick)(int64_t done, int64_t of), struct lk_error *err)
{
	sqlite3_stmt *families = NULL;
	int64_t of = 0;
	int rc = prepare(w, err), step = SQLITE_DONE;

	if (rc == 0 &&
	    sqlite3_prepare_v2(w->db,
			       "SELECT family, count(*) OVER () FROM state_case GROUP BY family",
			       -1, &families, NULL) != SQLITE_OK)
		rc = lk_fail(err, LK_ESTORE, "state.db: %s", sqlite3_errmsg(w->db));
	while (rc == 0 && (step = sqlite3_step(families)) == SQLITE_ROW) {
		of = sqlite3_column_int64(families, 1);
		rc = read_family(w, (const char *)sqlite3_column_text(families, 0), err);
		if (rc == 0)
			report_count(w);
		if (tick != NULL)
			tick(w->report->families, of);
	}
	if (rc == 0 && step != SQLITE_DONE)
		rc = lk_fail(err, LK_ESTORE, "state.db: %s", sqlite3_errmsg(w->db));
	(void)sqlite3_finalize(families);
	return rc;
}

static int by_size(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

static int64_t percent(int64_t part, int64_t of)
{
	return of > 0 ? (200 * part + of) / (2 * of) : 0;
}

static void close_month(struct report_month *m)
{
	m->value[REPORT_cws_share] =
		percent(m->value[REPORT_cws_mutual], m->value[REPORT_cws_open]);
	m->value[REPORT_calworks_share] =
		percent(m->value[REPORT_calworks_mutual], m->value[REPORT_calworks_open]);
	m->value[REPORT_consent_days] = -1;
	if (m->days_n == 0)
		return;
	qsort(m->days, m->days_n, sizeof(*m->days), by_size);
	m->value[REPORT_consent_days] = m->days[(m->days_n - 1) / 2];
}

/* A month that is to come has no end yet, and one that is not over ends now. */
static int months_make(struct walk *w, int to, struct lk_error *err)
{
	struct report *r = w->report;

	r->n = (size_t)to - (size_t)w->from + 1;
	r->months = calloc(r->n, sizeof(*r->months));
	w->ends = calloc(r->n, sizeof(*w->ends));
	if (r->months == NULL || w->ends == NULL)
		return lk_fail(err, LK_EMEMORY, "no memory for the report");
	for (size_t i = 0; i < r->n; i++) {
		int month = w->from + (int)i;

		r->months[i].year = month / 12;
		r->months[i].month = month % 12 + 1;
		w->ends[i] = report_month_end(month);
	}
	return 0;
}

static void walk_end(struct walk *w)
{
	sqlite3_stmt *const statements[] = { w->cases, w->history, w->links, w->meetings, w->told };

	for (size_t i = 0; i < sizeof(statements) / sizeof(statements[0]); i++)
		(void)sqlite3_finalize(statements[i]);
	(void)sqlite3_close(w->db);
	free(w->ends);
	free(w->mine);
	free(w->stretch);
	free(w->past);
	free(w->held);
}

int report_make(const struct report_order *order, struct report *out, struct lk_error *err)
{
	struct walk w = { .report = out, .policy = order->policy, .from = order->from };
	const char *state_db = order->state_db;
	int rc;

	*out = (struct report){ .now = order->now };
	if (access(state_db, R_OK) != 0)
		return lk_fail(err, LK_ENOTFOUND, "%s cannot be read: is this the state directory?",
			       state_db);
	if (sqlite3_open_v2(state_db, &w.db, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK) {
		rc = lk_fail(err, LK_ESTORE, "%s: %s", state_db, sqlite3_errmsg(w.db));
	} else {
		(void)sqlite3_busy_timeout(w.db, 5000);
		rc = months_make(&w, order->to, err);
		if (rc == 0)
			rc = walk_all(&w, order->tick, err);
	}
	for (size_t i = 0; rc == 0 && i < out->n; i++)
		close_month(&out->months[i]);
	walk_end(&w);
	if (rc < 0)
		report_free(out);
	return rc;
}

void report_free(struct report *r)
{
	for (size_t i = 0; i < r->n && r->months != NULL; i++)
		free(r->months[i].days);
	free(r->months);
	*r = (struct report){ .n = 0 };
}
