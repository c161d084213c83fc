/* turn_idle.c - what can wait until nobody does: checkpoints, state.db filled from the families,
 * a look at old rows.
 *
 * In: idle moments. Out: one bite of at most about 10 ms. Promise: the shared state store says only
 * what is committed; reports disturb nobody, and a loss of state.db loses nothing.
 */
#include "turn_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of the lines that say what was told, one in so many says its instant, also where that is the one of the line before. */
#define INSTANT_EVERY 16

struct bite {
	uint8_t ids[TURN_FILL_MAX][LK_DIGEST];
	int n;
};

static int note_dirty(void *context, const uint8_t id[LK_DIGEST], lk_instant wake_at)
{
	struct bite *bite = context;
	(void)wake_at;
	memcpy(bite->ids[bite->n++], id, LK_DIGEST);
	return 0;
}

/* ---- What happened, from the log ------------------------------------------------------------- */

struct past {
	struct turn *t;
	struct history_line *lines;
	uint32_t n, room;
	uint32_t case_line; /* that is walked */
	struct lk_error *err;
};

static const char *code_of(const struct lk_event *e)
{
	if (e->type == LK_CASE_OPENED)
		return lk_status_word(e->case_opened.status);
	if (e->type == LK_CASE_STATUS)
		return lk_status_word(e->case_status.status);
	if (e->type == LK_WORKER_ASSIGNED)
		return lk_role_word(e->worker_assigned.role);
	if (e->type == LK_WORKER_UNASSIGNED)
		return lk_role_word(e->worker_unassigned.role);
	return e->type == LK_PLAN_SIGNED ? lk_plan_kind_word(e->plan_signed.kind) : NULL;
}

/* What a consent, a plan or a meeting is called at its agency. */
static struct lk_text ref_of(const struct lk_event *e)
{
	switch ((int)e->type) {
	case LK_CONSENT_SIGNED: return e->consent_signed.consent;
	case LK_CONSENT_REVOKED: return e->consent_revoked.consent;
	case LK_PLAN_SIGNED: return e->plan_signed.plan;
	case LK_PLAN_ENDED: return e->plan_ended.plan;
	case LK_MEETING_HELD: return e->meeting_held.meeting;
	}
	return LK_NO_TEXT;
}

static bool is_history(int type)
{
	return type == LK_CASE_OPENED || type == LK_CASE_STATUS || type == LK_CASE_CLOSING ||
	       type == LK_CASE_CLOSED || type == LK_WORKER_ASSIGNED ||
	       type == LK_WORKER_UNASSIGNED || type == LK_CONSENT_SIGNED ||
	       type == LK_CONSENT_REVOKED || type == LK_CONSENT_REFUSED || type == LK_PLAN_SIGNED ||
	       type == LK_PLAN_ENDED || type == LK_MEETING_HELD;
}

static int note_past(void *context, const struct stored_event *row)
{
	struct past *p = context;
	struct lk_event e;
	struct lk_refused why;
	if (!is_history(row->type) || row->ahead)
		return 0;
	int out = store_is_superseded(p->t->store, row->source, row->id, p->err);
	if (out != 0 ||
	    lk_event_decode(row->body, row->body_len, turn_agency_of, p->t, &e, &why) < 0)
		return out < 0 ? out : 0;
	struct history_line *wider = vector_grown(p->lines, p->n, &p->room, sizeof(*wider));
	if (wider == NULL)
		return lk_fail(p->err, LK_EMEMORY, "no memory for a family's history");
	p->lines = wider;
	struct history_line *line = &p->lines[p->n++];
	*line = (struct history_line){ .at = row->time_at,
				       .known_at = row->received_at,
				       .case_line = p->case_line,
				       .type = row->type,
				       .code = code_of(&e),
				       .on = LK_NO_DATE };
	if (row->type == LK_CASE_CLOSING)
		line->on = e.case_closing.date;
	snprintf(line->ref, sizeof(line->ref), "%.*s", LK_PRINT(ref_of(&e)));
	return 0;
}

static int project_past(struct turn *t, const struct home *h, struct lk_error *err)
{
	struct past p = { .t = t, .err = err };
	int rc = 0;
	for (uint32_t i = 0; rc >= 0 && i < h->f.cases_n; i++) {
		const struct kase *k = &h->f.cases[i];
		struct case_key key = { k->agency, family_text(&h->f, k->number) };
		p.case_line = i;
		rc = store_case_events(t->store, key, note_past, &p, err);
	}
	for (uint32_t i = 0; rc >= 0 && i < p.n; i++)
		rc = store_project_history(t->store, h->id, i, &p.lines[i], err);
	free(p.lines);
	return rc;
}

static int64_t line_of(const struct home *h, int agency, struct lk_text number)
{
	uint32_t i = family_case(&h->f, agency, number);
	return i != NONE ? (int64_t)i : -1;
}

/* A report names no case that was expunged: another family may have been told of it. */
static struct lk_text shown_number(const struct turn *t, const struct home *h, int agency,
				   struct word number)
{
	const struct case_key key = { agency, words_text(&h->told.words, number) };
	return store_is_expunged(t->store, key) ? LK_NO_TEXT : key.number;
}

/* Whoever reads a line looks back for the last one that does. */
static bool says_instant(uint32_t line, const struct told *told, lk_instant before)
{
	return told->first_told_at != before || line % INSTANT_EVERY == 0;
}

static int project_told(struct turn *t, const struct home *h, struct lk_error *err)
{
	lk_instant before = LK_NO_INSTANT;
	int rc = 0;
	for (uint32_t i = 0; rc >= 0 && i < h->told.n; i++) {
		const struct told *told = &h->told.at[i];
		if (told->doubled)
			continue;
		struct told_line line = {
			.kind = told->kind,
			.level = told->level,
			.side = told->side,
			.own = shown_number(t, h, told->side, told->own),
			.other = shown_number(t, h, LK_CWS + LK_CALWORKS - told->side, told->other),
			.is_standing = told->live != 0,
			.told_at =
				says_instant(i, told, before) ? told->first_told_at : LK_NO_INSTANT,
			.answered_at = told->answered_at,
		};
		line.own_line = line_of(h, line.side, line.own);
		line.other_line = line_of(h, LK_CWS + LK_CALWORKS - line.side, line.other);
		before = told->first_told_at;
		rc = store_project_told(t->store, h->id, i, &line, err);
	}
	return rc;
}

/* ---- A bite ---------------------------------------------------------------------------------- */

/* A family whose cases have gone to another is none any more, and nobody is to read of one that was expunged. One that is
 * behind keeps its mark: the turn's next pass gathers it anew. */
int home_project(struct turn *t, const uint8_t id[LK_DIGEST], struct lk_error *err)
{
	struct home *h = home_get(t, id, err);
	if (h == NULL)
		return LK_ESTORE;
	if (h->is_stale)
		return 0;
	bool is_one = h->f.cases_n > 0 && !family_is_expunged(t, &h->f);
	int rc = store_project(t->store, id, is_one ? &h->f : NULL, err);
	if (rc >= 0 && is_one)
		rc = project_past(t, h, err);
	if (rc >= 0 && is_one)
		rc = project_told(t, h, err);
	return rc < 0 ? rc : 1;
}

static int project_some(struct turn *t, struct lk_error *err)
{
	struct bite bite = { .n = 0 };
	if (store_state_waits(t->store))
		return 0;
	int rc = store_dirty_families(t->store, t->fill_most, note_dirty, &bite, err);
	if (rc < 0 || bite.n == 0)
		return rc < 0 ? rc : 0;
	rc = store_begin(t->store, err);
	if (rc < 0)
		return rc;
	int done = 0;
	for (int i = 0; rc >= 0 && i < bite.n; i++) {
		bool was_here = home_is_here(t, bite.ids[i]);
		if ((rc = home_project(t, bite.ids[i], err)) > 0)
			done++;
		if (!was_here)
			home_let_go(t, bite.ids[i]);
	}
	if (rc >= 0)
		rc = store_commit(t->store, err);
	if (rc < 0)
		turn_undo(t);
	homes_trim(t);
	if (rc < 0)
		return rc;
	return done == 0 ? 0 : bite.n == t->fill_most ? TURN_FILLED : 1;
}

void turn_fill_at_most(struct turn *t, int families)
{
	t->fill_most = families;
}

int turn_relieve(struct turn *t, struct lk_error *err)
{
	return store_relieve(t->store, err);
}

int turn_idle(struct turn *t, struct lk_error *err)
{
	int more = store_idle(t->store, err);
	if (more == 0)
		more = project_some(t, err);
	if (more != 0 || t->now == LK_NO_INSTANT)
		return more;
	return store_scrub(t->store, t->now, t->replay_window_us, err);
}
