/* report.c - the evaluation, counted from the plain tables of state.db.
 *
 * In: a state.db, months. Out: counts a month. Promise: each family's history is walked once, in the order in which it
 * happened; what is counted at a month's end is what stood then, not what stands now.
 */
#include "report.h"

#include "engine/calendar.h"
#include "engine/policy.h"

#include <linkages/event.h>

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define REPEAT_DAYS 365

#define REPORT_ROW(name, heading, help) { #name, heading, help },
const struct report_heading report_headings[REPORT_COLUMNS_N] = { REPORT_COLUMNS(REPORT_ROW) };

enum happening {
	OPENED,
	STATUS,
	CLOSING,
	CLOSED,
	ASSIGNED,
	UNASSIGNED,
	SIGNED,
	REVOKED,
	AGREED,
	AGREEMENT_ENDED,
	LINKED,
};

struct happened {
	lk_instant at;
	enum happening what;
	int kase, other; /* other: of a link */
	int code;        /* lk_status, lk_role */
	char ref[65];
	lk_date on;
};

struct mycase {
	char number[33];
	int agency, status, group;
	unsigned roles; /* bits of lk_role that are filled */
	bool open, agreed;
	int consents;
	char agreement[65];
	lk_instant closed_at;
	lk_date closing_on, told_on;
};

/* What is known of a stretch of being mutual. By group: the cases that links have joined. */
struct stretch {
	bool mutual, consented, met;
	int month; /* in which it began */
	lk_instant begun_at;
};

struct held {
	lk_date on;
	bool is_ltm, with_family;
};

struct walk {
	sqlite3 *db;
	sqlite3_stmt *cases, *history, *links, *meetings, *told;
	struct report *report;
	const struct policy *policy;
	int from;
	lk_instant *ends; /* of the months */
	size_t next_end;  /* the first that has not been counted for this family */
	struct mycase *mine;
	struct stretch *stretch;
	size_t mine_n, mine_room;
	struct happened *past;
	size_t past_n, past_room;
	struct held *held;
	size_t held_n, held_room;
	bool failed;
};

/* ---- Days and months -------------------------------------------------------------------------------------------------- */

static struct tm local(lk_instant at)
{
	time_t seconds = (time_t)(at / LK_SECOND);
	struct tm tm = { 0 };

	(void)localtime_r(&seconds, &tm);
	return tm;
}

static lk_date day_of(lk_instant at)
{
	struct tm tm = local(at);

	return lk_date_of(tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday);
}

static int month_of(lk_instant at)
{
	struct tm tm = local(at);

	return (tm.tm_year + 1900) * 12 + tm.tm_mon;
}

static lk_instant month_end(int month)
{
	struct tm tm = { .tm_year = (month + 1) / 12 - 1900,
			 .tm_mon = (month + 1) % 12,
			 .tm_mday = 1,
			 .tm_isdst = -1 };

	return (lk_instant)mktime(&tm) * LK_SECOND;
}

/* NULL: outside of what is asked for. */
static struct report_month *in_month(const struct walk *w, int month)
{
	return month >= w->from && month < w->from + (int)w->report->n
		       ? &w->report->months[month - w->from]
		       : NULL;
}

static void count(const struct walk *w, int month, enum report_column column)
{
	struct report_month *m = in_month(w, month);

	if (m != NULL)
		m->value[column]++;
}

/* ---- Groups ------------------------------------------------------------------------------------------------------------ */

static bool is_served(int status)
{
	return status != LK_NO_CODE && status != LK_REFERRAL && status != LK_ER;
}

struct group {
	bool cws, calworks, served, linkages, worker, lead, agreed, consented;
};

static struct group look_at(const struct walk *w, int which)
{
	struct group g = { 0 };

	for (size_t i = 0; i < w->mine_n; i++) {
		const struct mycase *c = &w->mine[i];

		if (c->group != which)
			continue;
		g.consented |= c->consents > 0;
		g.agreed |= c->agreed;
		if (!c->open)
			continue;
		g.cws |= c->agency == LK_CWS;
		g.calworks |= c->agency == LK_CALWORKS;
		g.served |= c->agency == LK_CWS && is_served(c->status);
		if (c->agency == LK_CWS &&
		    (c->status == LK_IFS || c->status == LK_FM || c->status == LK_FR)) {
			g.linkages = true;
			g.worker |= (c->roles & 1u << LK_SOCIAL_WORKER) != 0;
		}
		g.lead |= c->agency == LK_CALWORKS &&
			  (c->roles & (1u << LK_AIS_WORKER | 1u << LK_EMPLOYMENT_SPECIALIST |
				       1u << LK_ELIGIBILITY_WORKER)) != 0;
	}
	return g;
}

static bool is_group(const struct walk *w, size_t i)
{
	return w->mine[i].group == (int)i;
}

/* ---- At a month's end ---------------------------------------------------------------------------------------------------- */

static void count_group(const struct group *g, struct report_month *m)
{
	bool mutual = g->cws && g->calworks;

	m->value[REPORT_mutual] += mutual;
	m->value[REPORT_primary] += g->calworks && !g->cws;
	m->value[REPORT_secondary] += mutual && !g->served;
	m->value[REPORT_tertiary] += mutual && g->served;
}

static void count_end(const struct walk *w, struct report_month *m)
{
	for (size_t i = 0; i < w->mine_n; i++) {
		const struct mycase *c = &w->mine[i];
		struct group g = look_at(w, c->group);
		bool mutual = g.cws && g.calworks;

		if (is_group(w, i))
			count_group(&g, m);
		if (!c->open)
			continue;
		m->value[c->agency == LK_CWS ? REPORT_cws_open : REPORT_calworks_open]++;
		m->value[c->agency == LK_CWS ? REPORT_cws_mutual : REPORT_calworks_mutual] +=
			mutual;
	}
}

static void count_ends_before(struct walk *w, lk_instant at)
{
	while (w->next_end < w->report->n && w->ends[w->next_end] <= at)
		count_end(w, &w->report->months[w->next_end++]);
}

/* ---- Stretches ----------------------------------------------------------------------------------------------------------- */

static lk_date due_on(const struct walk *w, lk_date from, bool ltm)
{
	struct duration d = dated_on(ltm ? &w->policy->ltm_due : &w->policy->pltm_due, from);

	return d.unit == UNIT_MONTHS ? date_add_months(from, d.n) : from + d.n;
}

static bool was_held(const struct walk *w, lk_date from, bool ltm_only)
{
	lk_date due = due_on(w, from, ltm_only);

	for (size_t i = 0; i < w->held_n; i++) {
		const struct held *h = &w->held[i];

		if (h->on >= from && h->on <= due && (!ltm_only || (h->is_ltm && h->with_family)))
			return true;
	}
	return false;
}

static void call_for(struct walk *w, lk_instant at, bool ltm)
{
	count(w, month_of(at), ltm ? REPORT_ltm_needed : REPORT_pltm_needed);
	if (was_held(w, day_of(at), ltm))
		count(w, month_of(at), ltm ? REPORT_ltm_on_time : REPORT_pltm_on_time);
}

static void note_consent(struct walk *w, struct stretch *s, lk_instant at)
{
	struct report_month *m = in_month(w, s->month);

	s->consented = true;
	if (m == NULL)
		return;
	m->value[REPORT_consented]++;
	if (m->days_n == m->days_room) {
		size_t room = m->days_room * 2 + 32;
		int *wider = realloc(m->days, room * sizeof(*wider));

		if (wider == NULL) {
			w->failed = true;
			return;
		}
		m->days = wider;
		m->days_room = room;
	}
	m->days[m->days_n++] = day_of(at) - day_of(s->begun_at);
}

/* What this instant has made of a group. */
static void settle(struct walk *w, size_t which, lk_instant at)
{
	struct stretch *s = &w->stretch[which];
	struct group g = look_at(w, (int)which);
	bool mutual = g.cws && g.calworks;

	if (mutual && !s->mutual) {
		*s = (struct stretch){ .mutual = true, .month = month_of(at), .begun_at = at };
		count(w, s->month, REPORT_begun);
		if (g.agreed)
			call_for(w, at, true);
	} else if (!mutual && s->mutual) {
		s->mutual = false;
		count(w, month_of(at), REPORT_ended);
	}
	if (!s->mutual)
		return;
	if (!s->consented && g.consented)
		note_consent(w, s, at);
	if (!s->met && g.linkages && g.worker && g.lead) {
		s->met = true;
		call_for(w, at, false);
	}
}

/* ---- What happens --------------------------------------------------------------------------------------------------------- */

static bool is_mutual(const struct walk *w, const struct mycase *c)
{
	struct group g = look_at(w, c->group);

	return g.cws && g.calworks;
}

static void leave_status(const struct walk *w, const struct mycase *c, int status, lk_instant at)
{
	if (c->status != LK_SANCTIONED || status == LK_SANCTIONED)
		return;
	count(w, month_of(at), REPORT_sanctions_ended);
	if (is_mutual(w, c))
		count(w, month_of(at), REPORT_sanctions_mutual);
}

static void happen_opened(struct walk *w, struct mycase *c, const struct happened *h)
{
	bool again = false;

	for (size_t i = 0; i < w->mine_n; i++) {
		const struct mycase *o = &w->mine[i];

		again |= o->group == c->group && o->agency == LK_CWS &&
			 o->closed_at != LK_NO_INSTANT &&
			 day_of(h->at) - day_of(o->closed_at) <= REPEAT_DAYS;
	}
	if (!c->open && (h->code == LK_REFERRAL || h->code == LK_ER)) {
		count(w, month_of(h->at), REPORT_referrals);
		if (again)
			count(w, month_of(h->at), REPORT_repeats);
	}
	c->open = true;
	c->status = h->code;
	c->closing_on = LK_NO_DATE;
}

static void happen_status(struct walk *w, struct mycase *c, const struct happened *h)
{
	leave_status(w, c, h->code, h->at);
	c->status = h->code;
}

static void happen_closing(struct walk *w, struct mycase *c, const struct happened *h)
{
	(void)w;
	c->closing_on = h->on;
}

static void happen_closed(struct walk *w, struct mycase *c, const struct happened *h)
{
	bool cws = c->agency == LK_CWS;
	lk_date day = c->closing_on != LK_NO_DATE ? c->closing_on : day_of(h->at);

	if (!c->open)
		return;
	leave_status(w, c, LK_NO_CODE, h->at);
	if (is_mutual(w, c)) {
		count(w, month_of(h->at), cws ? REPORT_cws_closures : REPORT_calworks_closures);
		if (c->told_on != LK_NO_DATE && c->told_on < day)
			count(w, month_of(h->at), cws ? REPORT_cws_told : REPORT_calworks_told);
	}
	c->open = false;
	c->closed_at = h->at;
}

static void happen_assigned(struct walk *w, struct mycase *c, const struct happened *h)
{
	(void)w;
	if (h->code != LK_NO_CODE)
		c->roles |= 1u << h->code;
}

static void happen_unassigned(struct walk *w, struct mycase *c, const struct happened *h)
{
	(void)w;
	if (h->code != LK_NO_CODE)
		c->roles &= ~(1u << h->code);
}

static void happen_signed(struct walk *w, struct mycase *c, const struct happened *h)
{
	(void)w;
	(void)h;
	c->consents++;
}

static void happen_revoked(struct walk *w, struct mycase *c, const struct happened *h)
{
	(void)w;
	(void)h;
	c->consents -= c->consents > 0;
}

static void happen_agreed(struct walk *w, struct mycase *c, const struct happened *h)
{
	c->agreed = true;
	memcpy(c->agreement, h->ref, sizeof(c->agreement));
	if (is_mutual(w, c))
		call_for(w, h->at, true);
}

static void happen_agreement_ended(struct walk *w, struct mycase *c, const struct happened *h)
{
	(void)w;
	if (strcmp(c->agreement, h->ref) == 0)
		c->agreed = false;
}

/* The smaller of the two groups takes in the other: the number of a group is that of its first case. */
static void happen_linked(struct walk *w, struct mycase *c, const struct happened *h)
{
	int one = c->group, other = w->mine[h->other].group;
	int kept = one < other ? one : other, gone = one < other ? other : one;

	if (one == other)
		return;
	for (size_t i = 0; i < w->mine_n; i++)
		if (w->mine[i].group == gone)
			w->mine[i].group = kept;
	if (w->stretch[gone].mutual && !w->stretch[kept].mutual)
		w->stretch[kept] = w->stretch[gone];
	w->stretch[gone] = (struct stretch){ 0 };
}

static void (*const happen[])(struct walk *w, struct mycase *c, const struct happened *h) = {
	[OPENED] = happen_opened,     [STATUS] = happen_status,
	[CLOSING] = happen_closing,   [CLOSED] = happen_closed,
	[ASSIGNED] = happen_assigned, [UNASSIGNED] = happen_unassigned,
	[SIGNED] = happen_signed,     [REVOKED] = happen_revoked,
	[AGREED] = happen_agreed,     [AGREEMENT_ENDED] = happen_agreement_ended,
	[LINKED] = happen_linked,
};

static int by_time(const void *a, const void *b)
{
	const struct happened *one = a, *other = b;

	if (one->at != other->at)
		return one->at < other->at ? -1 : 1;
	return (int)one->what - (int)other->what;
}

static void walk_family(struct walk *w)
{
	if (w->past_n > 0)
		qsort(w->past, w->past_n, sizeof(*w->past), by_time);
	w->next_end = 0;
	for (size_t i = 0; i < w->past_n && w->past[i].at <= w->report->now; i++) {
		const struct happened *h = &w->past[i];

		count_ends_before(w, h->at);
		happen[h->what](w, &w->mine[h->kase], h);
		for (size_t c = 0; c < w->mine_n; c++)
			if (is_group(w, c))
				settle(w, c, h->at);
	}
	count_ends_before(w, INT64_MAX);
	w->report->families++;
}

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
	*h = (struct held){ .on = day_of(instant_at(row, 1)),
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
	lk_date day = day_of(instant_at(row, 2));

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
			walk_family(w);
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
		w->ends[i] = month_end(month);
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
