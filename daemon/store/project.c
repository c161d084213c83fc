/* project.c - state.db: families unpacked into plain tables, for people who ask their own
 * questions.
 *
 * In: one family as the engine sees it. Out: its rows, in words and dates. Promise: equal families have
 * equal rows; what a family's rows were before is gone.
 */
#include "internal.h"

#include "../engine/family.h"

#include <string.h>

/* ---- Rows ------------------------------------------------------------------------------------ */

struct projection {
	struct store *store;
	const struct family *family;
	int64_t ref; /* kept_family.ref */
	int64_t line;
};

static struct query row_begin(struct projection *p, enum statement put)
{
	struct query q = query_begin(p->store, put);

	bind_int(&q, p->ref);
	bind_int(&q, p->line++);
	return q;
}

static void bind_word(struct query *q, const struct projection *p, struct word word)
{
	bind_text(q, family_text(p->family, word));
}

static void bind_time(struct query *q, lk_instant at)
{
	char text[LK_TIME_TEXT];

	if (at != LK_NO_INSTANT)
		lk_time_print((struct lk_time){ at, 0 }, text);
	bind_copy(q, at != LK_NO_INSTANT ? text : NULL);
}

static void bind_date(struct query *q, lk_date date)
{
	char text[LK_DATE_TEXT];

	if (date != LK_NO_DATE)
		lk_date_print(date, text);
	bind_copy(q, date != LK_NO_DATE ? text : NULL);
}

static void bind_line(struct query *q, const struct projection *p, uint32_t kase)
{
	if (kase < p->family->cases_n)
		bind_int(q, kase);
	else
		bind_null(q);
}

static void bind_case(struct query *q, const struct projection *p, uint32_t kase)
{
	const struct kase *k = kase < p->family->cases_n ? &p->family->cases[kase] : NULL;

	bind_copy(q, k != NULL ? lk_agency_word(k->agency) : NULL);
	bind_text(q, k != NULL ? family_text(p->family, k->number) : LK_NO_TEXT);
}

/* ---- Tables ---------------------------------------------------------------------------------- */

static int put_case(struct projection *p, uint32_t i, struct lk_error *err)
{
	const struct kase *k = &p->family->cases[i];
	struct query q = row_begin(p, SQL_put_case);

	bind_case(&q, p, i);
	bind_int(&q, k->kin);
	bind_int(&q, k->open != 0);
	bind_int(&q, k->limited != 0);
	bind_copy(&q, lk_status_word(k->status));
	bind_time(&q, k->status_at);
	bind_date(&q, k->status_until);
	bind_time(&q, k->opened_at);
	bind_time(&q, k->closed_at);
	bind_date(&q, k->closing_on);
	bind_time(&q, k->contact_at);
	bind_time(&q, k->visited_at);
	return query_run(&q, err);
}

static int put_clock(struct projection *p, uint32_t i, struct lk_error *err)
{
	const struct kase *k = &p->family->cases[i];
	struct query q;

	if (k->clock_used < 0)
		return 0;
	q = row_begin(p, SQL_put_clock);
	bind_line(&q, p, i);
	bind_copy(&q, lk_clock_word(LK_TANF60));
	bind_int(&q, k->clock_used);
	return query_run(&q, err);
}

static int put_episode(struct projection *p, uint32_t i, struct lk_error *err)
{
	const struct kin *u = &p->family->kins[i];
	struct query q;

	if (u->joined_to != NONE || u->episode == 0)
		return 0;
	q = row_begin(p, SQL_put_episode);
	bind_int(&q, i);
	bind_int(&q, u->episode);
	bind_int(&q, u->mutual != 0);
	bind_time(&q, u->episode_at);
	bind_time(&q, u->ended_at);
	return query_run(&q, err);
}

static int put_assignment(struct projection *p, uint32_t i, struct lk_error *err)
{
	const struct assignment *a = &p->family->assignments[i];
	struct query q = row_begin(p, SQL_put_assignment);

	bind_line(&q, p, a->kase);
	bind_copy(&q, lk_role_word(a->role));
	bind_word(&q, p, a->worker);
	bind_word(&q, p, a->name);
	bind_word(&q, p, a->phone);
	bind_time(&q, a->from_at);
	bind_time(&q, a->until_at);
	return query_run(&q, err);
}

static void bind_topics(struct query *q, uint32_t topics)
{
	char text[160] = "";
	size_t len = 0;

	for (int t = 0; t < lk_topic_count; t++) {
		const char *word = lk_topic_word(t);

		if ((topics & 1u << t) == 0 || len + strlen(word) + 2 > sizeof(text))
			continue;
		if (len > 0)
			text[len++] = ',';
		memcpy(text + len, word, strlen(word) + 1);
		len += strlen(word);
	}
	bind_copy(q, text);
}

static int put_consent(struct projection *p, uint32_t i, struct lk_error *err)
{
	const struct consent *c = &p->family->consents[i];
	struct query q = row_begin(p, SQL_put_consent);

	bind_line(&q, p, c->kase);
	bind_word(&q, p, c->id);
	bind_int(&q, c->in_force != 0);
	bind_topics(&q, c->topics);
	bind_time(&q, c->signed_at);
	bind_date(&q, c->expires);
	return query_run(&q, err);
}

static int put_plan(struct projection *p, uint32_t i, struct lk_error *err)
{
	const struct plan *plan = &p->family->plans[i];
	struct query q = row_begin(p, SQL_put_plan);

	bind_line(&q, p, plan->kase);
	bind_word(&q, p, plan->id);
	bind_copy(&q, lk_plan_kind_word(plan->kind));
	bind_time(&q, plan->signed_at);
	bind_date(&q, plan->closing_on);
	bind_int(&q, plan->ended != 0);
	return query_run(&q, err);
}

static int put_service(struct projection *p, uint32_t i, struct lk_error *err)
{
	const struct service *v = &p->family->services[i];
	struct query q = row_begin(p, SQL_put_service);

	bind_line(&q, p, v->kase);
	bind_word(&q, p, v->id);
	bind_copy(&q, lk_category_word(v->category));
	bind_int(&q, v->running != 0);
	bind_time(&q, v->started_at);
	return query_run(&q, err);
}

static const struct version *version_of(const struct projection *p, const struct meeting *m)
{
	return m->version < p->family->versions_n ? &p->family->versions[m->version] : NULL;
}

static void bind_version(struct query *q, const struct projection *p, const struct version *v)
{
	bind_time(q, v != NULL ? v->start_at : LK_NO_INSTANT);
	bind_time(q, v != NULL ? v->end_at : LK_NO_INSTANT);
	bind_word(q, p, v != NULL ? v->place : NO_WORD);
	bind_word(q, p, v != NULL ? v->organizer : NO_WORD);
	if (v != NULL)
		bind_int(q, v->family != 0);
	else
		bind_null(q);
}

static int put_meeting(struct projection *p, uint32_t i, struct lk_error *err)
{
	const struct meeting *m = &p->family->meetings[i];
	const struct version *v = version_of(p, m);
	struct query q = row_begin(p, SQL_put_meeting);

	bind_line(&q, p, m->kase);
	bind_word(&q, p, m->id);
	bind_copy(&q, v != NULL ? lk_meeting_kind_word(v->kind) : NULL);
	bind_copy(&q, meeting_state_word(m->state));
	bind_version(&q, p, v);
	bind_time(&q, m->state == MEETING_HELD ? m->held_at : LK_NO_INSTANT);
	bind_int(&q, m->state == MEETING_HELD && m->with_family != 0);
	return query_run(&q, err);
}

static int put_names(struct projection *p, uint32_t meeting, uint32_t first, uint32_t n,
		     bool required, struct lk_error *err)
{
	for (uint32_t i = first; i < first + n; i++) {
		struct query q = row_begin(p, SQL_put_meeting_worker);
		int rc;

		bind_int(&q, meeting);
		bind_word(&q, p, p->family->names[i]);
		bind_int(&q, required);
		if ((rc = query_run(&q, err)) < 0)
			return rc;
	}
	return 0;
}

static int put_meeting_workers(struct projection *p, uint32_t i, struct lk_error *err)
{
	const struct version *v = version_of(p, &p->family->meetings[i]);
	int rc;

	if (v == NULL)
		return 0;
	if ((rc = put_names(p, i, v->required, v->required_n, true, err)) < 0)
		return rc;
	return put_names(p, i, v->optional, v->optional_n, false, err);
}

static int put_concern(struct projection *p, uint32_t i, struct lk_error *err)
{
	const struct concern *c = &p->family->concerns[i];
	struct query q = row_begin(p, SQL_put_concern);

	bind_line(&q, p, c->kase);
	bind_word(&q, p, c->id);
	bind_copy(&q, lk_concern_kind_word(c->kind));
	bind_int(&q, c->resolved != 0);
	bind_time(&q, c->raised_at);
	return query_run(&q, err);
}

static int put_referral(struct projection *p, uint32_t i, struct lk_error *err)
{
	const struct referral *r = &p->family->referrals[i];
	struct query q = row_begin(p, SQL_put_referral);

	bind_line(&q, p, r->kase);
	bind_word(&q, p, r->id);
	bind_copy(&q, lk_category_word(r->category));
	bind_word(&q, p, r->to);
	bind_copy(&q, lk_referral_status_word(r->status));
	bind_int(&q, r->urgent != 0);
	bind_time(&q, r->made_at);
	bind_date(&q, r->follow_up);
	return query_run(&q, err);
}

static int put_removal(struct projection *p, uint32_t i, struct lk_error *err)
{
	const struct removal *r = &p->family->removals[i];
	struct query q = row_begin(p, SQL_put_removal);

	bind_line(&q, p, r->kase);
	bind_word(&q, p, r->person);
	bind_int(&q, r->returned != 0);
	bind_time(&q, r->removed_at);
	return query_run(&q, err);
}

/* A link is kept by case in linkages.db; it is told once, from the lesser of its two ends. */
struct link_walk {
	struct projection *p;
	struct case_key one;
	uint32_t kase;
	struct lk_error *err;
};

static int put_link(void *context, struct case_key other, lk_instant since)
{
	struct link_walk *w = context;
	int order = w->one.agency - other.agency;
	struct query q;

	if (order == 0)
		order = lk_text_order(w->one.number, other.number);
	if (order > 0 || since == LINK_REFUSED || store_is_expunged(w->p->store, other))
		return 0;
	q = row_begin(w->p, SQL_put_link);
	bind_case(&q, w->p, w->kase);
	bind_copy(&q, lk_agency_word(other.agency));
	bind_text(&q, other.number);
	bind_time(&q, since);
	return query_run(&q, w->err);
}

static int put_links(struct projection *p, uint32_t i, struct lk_error *err)
{
	const struct kase *k = &p->family->cases[i];
	struct case_key key = { k->agency, family_text(p->family, k->number) };
	struct link_walk walk = { p, key, i, err };

	return store_links_of(p->store, key, put_link, &walk, err);
}

#define COUNT(plural) offsetof(struct family, plural##_n)

/* A table, and the records that its rows are made of. */
static const struct table {
	const char *name; /* of the view */
	const char *rows; /* where they are kept */
	enum statement drop;
	size_t count; /* where the family counts the records */
	int (*put)(struct projection *p, uint32_t i, struct lk_error *err);
} tables[] = {
	{ "state_case", "kept_case", SQL_drop_case, COUNT(cases), put_case },
	{ "episode", "kept_episode", SQL_drop_episode, COUNT(kins), put_episode },
	{ "assignment", "kept_assignment", SQL_drop_assignment, COUNT(assignments),
	  put_assignment },
	{ "link", "kept_link", SQL_drop_link, COUNT(cases), put_links },
	{ "consent", "kept_consent", SQL_drop_consent, COUNT(consents), put_consent },
	{ "plan", "kept_plan", SQL_drop_plan, COUNT(plans), put_plan },
	{ "service", "kept_service", SQL_drop_service, COUNT(services), put_service },
	{ "meeting", "kept_meeting", SQL_drop_meeting, COUNT(meetings), put_meeting },
	{ "meeting_worker", "kept_meeting_worker", SQL_drop_meeting_worker, COUNT(meetings),
	  put_meeting_workers },
	{ "concern", "kept_concern", SQL_drop_concern, COUNT(concerns), put_concern },
	{ "referral", "kept_referral", SQL_drop_referral, COUNT(referrals), put_referral },
	{ "clock", "kept_clock", SQL_drop_clock, COUNT(cases), put_clock },
	{ "removal", "kept_removal", SQL_drop_removal, COUNT(removals), put_removal },
	{ "history", "kept_history", SQL_drop_history, 0,
	  NULL },                                        /* filled line by line, from the log */
	{ "told", "kept_told", SQL_drop_told, 0, NULL }, /* and from what was told */
};
#define TABLES (sizeof(tables) / sizeof(tables[0]))

static int table_fill(const struct table *table, struct projection *p, struct lk_error *err)
{
	uint32_t n = 0;
	struct query q = query_begin(p->store, table->drop);
	int rc;

	if (p->family != NULL && table->put != NULL)
		memcpy(&n, (const char *)p->family + table->count, sizeof(n));
	bind_int(&q, p->ref);
	rc = query_run(&q, err);
	p->line = 0;
	for (uint32_t i = 0; i < n && rc == 0; i++)
		rc = table->put(p, i, err);
	return rc;
}

/* 1; 0: it has no rows, and no number. */
static int family_seek(struct projection *p, const uint8_t id[LK_DIGEST], struct lk_error *err)
{
	char hex[LK_DIGEST_HEX];
	struct query q = query_begin(p->store, SQL_has_family);

	lk_digest_hex(id, hex);
	bind_copy(&q, hex);
	return query_number(&q, &p->ref, err);
}

static int family_of_lines(struct projection *p, const uint8_t id[LK_DIGEST], struct lk_error *err)
{
	int rc = family_seek(p, id, err);

	return rc != 0 ? rc : lk_fail(err, LK_ESTATE, "store: state.db lacks the family of a line");
}

static int family_add(struct projection *p, const uint8_t id[LK_DIGEST], struct lk_error *err)
{
	char hex[LK_DIGEST_HEX];
	struct query q = query_begin(p->store, SQL_put_family);
	int rc;

	lk_digest_hex(id, hex);
	bind_copy(&q, hex);
	rc = query_run(&q, err);
	p->ref = sqlite3_last_insert_rowid(p->store->state);
	return rc;
}

static int family_drop(const struct projection *p, struct lk_error *err)
{
	struct query q = query_begin(p->store, SQL_drop_family);

	bind_int(&q, p->ref);
	return query_run(&q, err);
}

static int family_fill(struct projection *p, const uint8_t id[LK_DIGEST], struct lk_error *err)
{
	int known = family_seek(p, id, err), rc = known < 0 ? known : 0;

	if (known == 0 && p->family != NULL)
		rc = family_add(p, id, err);
	for (size_t i = 0; i < TABLES && rc == 0; i++)
		rc = table_fill(&tables[i], p, err);
	return rc == 0 && p->family == NULL ? family_drop(p, err) : rc;
}

int store_project(struct store *s, const uint8_t id[LK_DIGEST], const struct family *family,
		  struct lk_error *err)
{
	struct projection p = { .store = s, .family = family };
	struct query q;
	int rc = state_begin(s, err);

	if (rc == 0)
		rc = family_fill(&p, id, err);
	if (rc < 0)
		return rc;
	held_unmark(s, id);
	q = query_begin(s, SQL_dirty_clear);
	bind_digest(&q, id);
	if ((rc = query_run(&q, err)) < 0)
		return rc;
	q = query_begin(s, SQL_gone_clear);
	bind_digest(&q, id);
	return query_run(&q, err);
}

static void bind_deed(struct query *q, const struct history_line *line)
{
	bind_copy(q, lk_event_type_word(line->type));
	bind_copy(q, line->code != NULL ? line->code : "");
}

int store_project_history(struct store *s, const uint8_t id[LK_DIGEST], int64_t number,
			  const struct history_line *line, struct lk_error *err)
{
	struct projection p = { .store = s, .line = number };
	struct query q = query_begin(s, SQL_deed_add);
	int rc;

	bind_deed(&q, line);
	if ((rc = query_run(&q, err)) == 0)
		rc = family_of_lines(&p, id, err);
	if (rc < 0)
		return rc;
	q = row_begin(&p, SQL_put_history);
	bind_deed(&q, line);
	bind_int(&q, line->case_line);
	bind_int(&q, line->at);
	bind_int(&q, line->known_at);
	bind_copy(&q, line->ref[0] != '\0' ? line->ref : NULL);
	bind_date(&q, line->on);
	return query_run(&q, err);
}

/* What few words say of many rows: known by heart once it was asked. */
static uint32_t *manner_of(struct store *s, const struct told_line *line)
{
	return &s->manners[line->kind][line->level][line->side + 1][line->is_standing];
}

static struct query manner_query(struct store *s, enum statement which,
				 const struct told_line *line)
{
	struct query q = query_begin(s, which);

	bind_copy(&q, lk_notice_kind_word(line->kind));
	bind_copy(&q, lk_level_word(line->level));
	bind_copy(&q, lk_agency_word(line->side));
	bind_int(&q, line->is_standing);
	return q;
}

static int manner_find(struct store *s, const struct told_line *line, struct lk_error *err)
{
	struct query q = manner_query(s, SQL_manner_get, line);
	int64_t ref;
	int rc = query_number(&q, &ref, err);

	if (rc == 0) {
		q = manner_query(s, SQL_manner_add, line);
		rc = query_run(&q, err);
		ref = sqlite3_last_insert_rowid(s->state);
	}
	if (rc >= 0)
		*manner_of(s, line) = (uint32_t)ref;
	return rc < 0 ? rc : 0;
}

static void bind_told_case(struct query *q, int64_t line, struct lk_text number)
{
	if (line >= 0)
		bind_int(q, line);
	else
		bind_text(q, number);
}

int store_project_told(struct store *s, const uint8_t id[LK_DIGEST], int64_t number,
		       const struct told_line *line, struct lk_error *err)
{
	struct projection p = { .store = s, .line = number };
	struct query q;
	int rc = *manner_of(s, line) == 0 ? manner_find(s, line, err) : 0;

	if (rc == 0)
		rc = family_of_lines(&p, id, err);
	if (rc < 0)
		return rc;
	q = row_begin(&p, SQL_put_told);
	bind_int(&q, *manner_of(s, line));
	bind_told_case(&q, line->own_line, line->own);
	bind_told_case(&q, line->other_line, line->other);
	bind_instant(&q, line->told_at);
	bind_instant(&q, line->answered_at);
	return query_run(&q, err);
}

int store_projected_after(struct store *s, const uint8_t *after, int limit,
			  family_id_visitor *visit, void *context, struct lk_error *err)
{
	char hex[LK_DIGEST_HEX] = "";
	uint8_t id[LK_DIGEST];
	struct query q = query_begin(s, SQL_projected_after);
	int rc;

	if (after != NULL)
		lk_digest_hex(after, hex);
	bind_copy(&q, hex);
	bind_int(&q, limit);
	while ((rc = query_step(&q, err)) == 1) {
		struct lk_text name = column_text(&q);

		if (lk_digest_parse(name, id) == 0 && (rc = visit(context, id, LK_NO_INSTANT)) != 0)
			break;
	}
	query_end(&q);
	return rc;
}

/* Each value as text, with what is absent told from what is empty. */
static void sum_row(struct lk_bytes *said, sqlite3_stmt *row)
{
	for (int i = 0; i < sqlite3_column_count(row); i++) {
		struct lk_text text = { (const char *)sqlite3_column_text(row, i),
					(uint32_t)sqlite3_column_bytes(row, i) };

		sum_text(said, text);
	}
}

static int sum_table(struct store *s, const char *name, const char *family, struct lk_error *err)
{
	sqlite3_stmt *row = NULL;
	char sql[80];
	int rc;

	sqlite3_snprintf(sizeof(sql), sql, "SELECT * FROM %s WHERE family = ?1 ORDER BY line",
			 name);
	rc = sqlite3_prepare_v2(s->state, sql, -1, &row, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_text(row, 1, family, -1, SQLITE_STATIC);
	while (rc == SQLITE_OK && (rc = sqlite3_step(row)) == SQLITE_ROW) {
		sum_row(&s->scratch, row);
		rc = SQLITE_OK;
	}
	(void)sqlite3_finalize(row);
	return rc == SQLITE_DONE ? 0 : store_fault(s, s->state, rc, "state.db", err);
}

int store_project_digest(struct store *s, const uint8_t id[LK_DIGEST], uint8_t out[LK_DIGEST],
			 struct lk_error *err)
{
	char family[LK_DIGEST_HEX];
	int rc = 0;

	lk_digest_hex(id, family);
	lk_bytes_clear(&s->scratch);
	for (size_t i = 0; i < TABLES && rc == 0; i++) {
		sum_int(&s->scratch, (int64_t)i);
		rc = sum_table(s, tables[i].name, family, err);
	}
	if (rc == 0 && s->scratch.failed)
		rc = lk_fail(err, LK_EMEMORY, "store: no memory for the digest of a family");
	if (rc == 0)
		lk_digest(s->scratch.at, s->scratch.len, NULL, out);
	return rc;
}

int store_project_reset(struct store *s, struct lk_error *err)
{
	char sql[64];
	struct query q;
	int rc = state_begin(s, err);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < TABLES; i++) {
		sqlite3_snprintf(sizeof(sql), sql, "DELETE FROM %s", tables[i].rows);
		if ((rc = sqlite3_exec(s->state, sql, NULL, NULL, NULL)) != SQLITE_OK)
			return store_fault(s, s->state, rc, "state.db", err);
	}
	q = query_begin(s, SQL_drop_families);
	rc = query_run(&q, err);
	return rc < 0 ? rc : state_mark_all(s, err);
}
