/* turn_whynot.c - what an event might have told a worker, and what held it back.
 *
 * In: an event, a worker. Out: each rule that came near, with its bar, as one map. Promise: the family is folded and its
 * notices are derived by the code that tells, with a sink that listens (engine/trace.h); nothing is written.
 */
#include "turn_print.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HELD_ENUMERATOR(name, word, sentence) name,
enum held { HELDS(HELD_ENUMERATOR) HELD_COUNT };

struct words_of {
	const char *word, *sentence;
};

static const struct words_of helds[] = {
#define HELD_ROW(name, word, sentence) [name] = { word, sentence },
	HELDS(HELD_ROW)
};

static const struct words_of bars[] = {
#define BAR_ROW(name, word, sentence) [name] = { word, sentence },
	BARS(BAR_ROW)
};

/* ---- Which rules an event of a type comes near ----------------------------------------------- */

#define K(kind) POLICY_BIT(LK_##kind)
#define NEAR_MEETING (K(MEETING_NEEDED) | K(MEETING_OVERDUE))
#define NEAR_STATUS \
	(K(STATUS_CHANGED) | K(SANCTION_REVIEW) | K(REUNIFICATION_ENDING) | K(VISIT_DUE) | \
	 NEAR_MEETING)
#define NEAR_CROSSOVER (K(CROSSOVER_FOUND) | K(CONSENT_NEEDED))

/* Used for rules that did not fire only: a rule whose notice names the event is reported in any case. */
static const unsigned near[lk_event_type_count] = {
	[LK_CASE_OPENED] = NEAR_STATUS | NEAR_CROSSOVER | K(CROSSOVER_POSSIBLE),
	[LK_CASE_STATUS] = NEAR_STATUS,
	[LK_CASE_CLOSING] = K(CLOSURE_PLANNED) | NEAR_MEETING,
	[LK_CASE_CLOSED] = K(CLOSURE_ONE_SIDE) | K(CLOSURE_BOTH) | K(CLOSURE_SCREEN),
	[LK_WORKER_ASSIGNED] = NEAR_MEETING,
	[LK_LINK_CONFIRMED] = NEAR_CROSSOVER | NEAR_MEETING,
	[LK_LINK_REMOVED] = K(CROSSOVER_ENDED),
	[LK_CONSENT_SIGNED] = K(CONSENT_EXPIRING) | K(CONSENT_ENDED),
	[LK_CONSENT_REVOKED] = K(CONSENT_ENDED),
	[LK_PLAN_SIGNED] = NEAR_MEETING,
	[LK_PLAN_CLOSING] = K(CLOSURE_PLANNED),
	[LK_SERVICE_STARTED] = K(SERVICE_DUPLICATE) | K(SERVICE_CREDIT),
	[LK_MEETING_SCHEDULED] = K(MEETING_CHANGED) | K(MEETING_REMINDER) | K(MEETING_RESCHEDULE),
	[LK_MEETING_HELD] = NEAR_MEETING | K(MEETING_RESCHEDULE),
	[LK_MEETING_MISSED] = K(MEETING_RESCHEDULE),
	[LK_MEETING_CANCELLED] = K(MEETING_CHANGED),
	[LK_MILESTONE_REACHED] = K(MILESTONE_TOLD),
	[LK_CONCERN_RAISED] = NEAR_MEETING,
	[LK_REFERRAL_MADE] = K(REFERRAL_CHANGED) | K(REFERRAL_OVERDUE),
	[LK_REFERRAL_UPDATED] = K(REFERRAL_CHANGED),
	[LK_CHILD_REMOVED] = K(STATUS_CHANGED) | K(REUNIFICATION_EVALUATE),
	[LK_CHILD_RETURNED] = K(STATUS_CHANGED),
	[LK_HOUSEHOLD_CHANGED] = K(STATUS_CHANGED),
	[LK_CLOCK_REPORTED] = K(CLOCK_NEAR),
};

/* ---- The question ---------------------------------------------------------------------------- */

struct asking {
	struct turn *t;
	struct lk_error *err;
	lk_instant now;
	struct lk_text source, id, worker;
	char name[EVENT_NAME];
	/* The event's row */
	int type, agency;
	char number[33];
	struct case_key other; /* of a link.confirmed; else without a number */
	char other_number[33];
	lk_instant time_at, received_at;
	bool ahead;
	/* The answer */
	struct home look; /* the family, folded for us */
	struct print p;
	struct listing held;
	size_t last_len;                         /* of its last row */
	unsigned spoken;                         /* kinds that have a row */
	enum bar silenced[lk_notice_kind_count]; /* why a rule did not fire */
	/* The fact at hand */
	int kind;      /* -1: none that names the event */
	bool answered; /* there is a row of it for the worker */
	struct listing places;
};

static struct case_key case_of(const struct asking *a)
{
	return (struct case_key){ a->agency, lk_text_of(a->number) };
}

static bool names_event(const struct asking *a, const struct family *f, uint32_t cause)
{
	return cause != NONE && family_says(f, f->causes[cause].source, a->source) &&
	       family_says(f, f->causes[cause].id, a->id);
}

static bool any_names_event(const struct asking *a, const uint32_t *causes, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (names_event(a, &a->look.f, causes[i]))
			return true;
	return false;
}

/* ---- Rows of the answer ---------------------------------------------------------------------- */

struct row {
	int kind; /* -1: the event as a whole */
	int slot;
	const uint8_t *notice;
	lk_instant at;
	const char *by; /* the event that did it */
	struct lk_text holder;
};

#define NO_ROW ((struct row){ .kind = LK_NO_CODE, .slot = LK_NO_CODE, .at = LK_NO_INSTANT })

static void encode_row(struct asking *a, const struct row *row, const struct words_of *why,
		       struct lk_bytes *out)
{
	const struct print p = { a->p.zone, a->p.f, out };
	lk_put_map(out, 9);
	put_code(&p, "rule", row->kind < 0 ? NULL : lk_notice_kind_word(row->kind));
	put_code(&p, "held_by", why->word);
	put_code(&p, "says", why->sentence);
	put_code(&p, "place", slot_word(row->slot));
	put_text(&p, "holder", row->holder);
	put_instant(&p, "at", row->at);
	put_code(&p, "by", row->by);
	if (row->notice != NULL)
		put_digest(&p, "notice", row->notice);
	else
		put_code(&p, "notice", NULL);
	put_listing(&p, "places", &a->places);
	a->places = (struct listing){ .n = 0 };
}

/* A status is told again when it begins to be shared; that is the same notice, and one row. */
static void put_row(struct asking *a, const struct row *row, const struct words_of *why)
{
	struct lk_bytes encoded = { .at = NULL };
	struct lk_bytes *all = &a->held.items;
	encode_row(a, row, why, &encoded);
	if (row->kind >= 0)
		a->spoken |= POLICY_BIT(row->kind);
	bool again = encoded.len == a->last_len && all->len >= encoded.len && encoded.len > 0 &&
		     memcmp(all->at + all->len - encoded.len, encoded.at, encoded.len) == 0;
	if (!again)
		lk_put_raw(listing_item(&a->p, &a->held).out, encoded.at, encoded.len);
	all->failed |= encoded.failed;
	a->last_len = encoded.len;
	lk_bytes_free(&encoded);
}

/* ---- What fold and derive say ---------------------------------------------------------------- */

static void on_moment(void *context, const struct moment *m, enum bar bar)
{
	struct asking *a = context;
	struct row row = NO_ROW;
	row.kind = m->kind;
	if (names_event(a, &a->look.f, m->cause))
		put_row(a, &row, &bars[bar]);
}

static void on_rule(void *context, int kind, enum bar bar)
{
	struct asking *a = context;
	a->silenced[kind] = bar;
}

/* There is no row of it for the worker: somebody else holds the places, or nobody does. */
static void end_fact(struct asking *a)
{
	struct row row = NO_ROW;
	row.kind = a->kind;
	if (a->kind >= 0 && !a->answered)
		put_row(a, &row,
			&helds[is_assigned(&a->look.f, a->worker) ? HELD_OTHERS : HELD_NO_PLACE]);
	lk_bytes_free(&a->places.items);
	a->places.n = 0;
	a->kind = LK_NO_CODE;
}

static void on_fact(void *context, const struct fact *fact, enum bar bar)
{
	struct asking *a = context;
	struct row row = NO_ROW;
	end_fact(a);
	if (!any_names_event(a, fact->causes, fact->causes_n))
		return;
	row.kind = fact->kind;
	if (bar != BAR_NONE) {
		put_row(a, &row, &bars[bar]);
		return;
	}
	a->kind = fact->kind;
	a->answered = false;
}

static void note_place(struct asking *a, int slot, struct lk_text worker)
{
	struct print item = listing_item(&a->p, &a->places);
	lk_put_map(item.out, 2);
	put_code(&item, "place", slot_word(slot));
	put_text(&item, "worker", worker);
}

/* What became of it at the worker's own place. */
static void judge(struct asking *a, int slot, const struct candidate *c)
{
	const struct told *t = tolds_find(&a->look.told, c->id);
	struct row row = { .kind = a->kind, .slot = slot, .at = LK_NO_INSTANT };
	bool stands = t != NULL && t->live;
	struct lk_text had = stands ? words_text(&a->look.told.words, t->worker) : LK_NO_TEXT;
	a->answered = true;
	if (stands) {
		row.notice = t->id;
		row.at = t->first_told_at;
		row.holder = had;
		bool own = lk_text_is(had, a->worker);
		put_row(a, &row,
			&helds[!own         ? HELD_HOLDER_THEN
			       : t->doubled ? HELD_ELSEWHERE
					    : HELD_TOLD]);
	} else {
		put_row(a, &row, c->doubled ? &helds[HELD_ELSEWHERE] : &bars[c->bar]);
	}
}

/* A moment is at the place of whoever held it then; the worker may have left it since. */
static bool had_it(const struct asking *a, const struct candidate *c)
{
	const struct told *t = c != NULL ? tolds_find(&a->look.told, c->id) : NULL;
	return t != NULL && t->live &&
	       lk_text_is(words_text(&a->look.told.words, t->worker), a->worker);
}

static void on_place(void *context, int slot, struct lk_text worker, const struct candidate *c)
{
	struct asking *a = context;
	if (a->kind < 0)
		return;
	if (!lk_text_is(worker, a->worker) && !had_it(a, c))
		note_place(a, slot, worker);
	else if (c != NULL && !a->answered)
		judge(a, slot, c);
}

/* ---- Rules that did not fire for it ---------------------------------------------------------- */

struct scan {
	struct asking *a;
	const struct told *t;
};

/* A telling that named the event, and has been withdrawn since. Where a damage has taken the mailbox, something else may be in
 * its place. */
static int see_told(void *context, const struct stored_notice *row)
{
	struct scan *s = context;
	struct row said = NO_ROW;
	bool is_it = !s->t->live && memcmp(row->id, s->t->id, LK_DIGEST) == 0;
	for (uint32_t i = 0; is_it && i < row->said->events_n; i++) {
		if (!lk_text_says(row->said->events[i], s->a->name))
			continue;
		said.kind = s->t->kind;
		said.notice = s->t->id;
		said.at = s->t->first_told_at;
		put_row(s->a, &said, &helds[HELD_TOLD_BEFORE]);
		return 0;
	}
	return 0;
}

static int find_told_before(struct asking *a, const struct tolds *told)
{
	for (uint32_t i = 0; i < told->n; i++) {
		struct scan s = { a, &told->at[i] };
		if ((a->spoken & POLICY_BIT(s.t->kind)) != 0 ||
		    !lk_text_is(words_text(&told->words, s.t->worker), a->worker))
			continue;
		int rc = store_notice_at(a->t->store, a->worker, s.t->seq, see_told, &s, a->err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int see_future(void *context, const struct derivation *d, const struct tolds *told,
		      const struct outcome *out)
{
	struct asking *a = context;
	(void)told;
	for (uint32_t i = 0; i < out->n; i++) {
		const struct candidate *c = out->at[i].candidate;
		if (c == NULL || (a->spoken & POLICY_BIT(c->kind)) != 0 ||
		    !lk_text_is(c->worker, a->worker) ||
		    !any_names_event(a, c->causes, c->causes_n))
			continue;
		struct row row = { .kind = c->kind, .slot = LK_NO_CODE, .at = d->now };
		put_row(a, &row, &helds[HELD_NOT_YET]);
	}
	return 0;
}

#define FUTURE_WAKES 64
#define FUTURE_DAYS INT64_C(366)

static int find_future(struct asking *a)
{
	const struct foresight see = { a->t->policy, NULL, a, see_future };
	int rc = 0;
	for (int i = 0; rc >= 0 && i < FUTURE_WAKES; i++) {
		lk_instant at = a->look.wake_at;
		if (at == LK_NO_INSTANT || at - a->now > FUTURE_DAYS * 24 * LK_HOUR)
			return 0;
		rc = home_foresee(a->t, &a->look, at, &see, a->err);
	}
	return rc;
}

static void put_rest(struct asking *a)
{
	for (int kind = 0; kind < lk_notice_kind_count; kind++) {
		struct row row = NO_ROW;
		row.kind = kind;
		if ((near[a->type] & ~a->spoken & POLICY_BIT(kind)) == 0)
			continue;
		if (!a->t->policy->rule[kind].enabled)
			put_row(a, &row, &bars[BAR_OFF]);
		else if (a->silenced[kind] != BAR_NONE)
			put_row(a, &row, &bars[a->silenced[kind]]);
		else
			put_row(a, &row, &helds[HELD_NOT_SO]);
	}
}

/* ---- The family, folded and derived for us --------------------------------------------------- */

static int look_at_rules(struct asking *a, const struct home *kept)
{
	const struct foresight see = { a->t->policy, a->look.f.trace, a, NULL };
	int rc = home_foresee(a->t, &a->look, a->now, &see, a->err);
	end_fact(a);
	if (rc >= 0)
		rc = find_told_before(a, &kept->told);
	if (rc >= 0)
		rc = find_future(a);
	if (rc >= 0)
		put_rest(a);
	return rc;
}

static bool is_folded(const struct asking *a)
{
	for (uint32_t i = 0; i < a->look.f.causes_n; i++)
		if (names_event(a, &a->look.f, i))
			return true;
	return false;
}

static int put_unfolded(struct asking *a)
{
	uint32_t kase = family_case(&a->look.f, a->agency, lk_text_of(a->number));
	bool opened = kase != NONE && a->look.f.cases[kase].first_opened_at != LK_NO_INSTANT;
	struct row row = NO_ROW;
	int undone = opened;
	if (!opened && a->type == LK_LINK_CONFIRMED)
		undone = links_is_void(a->t, case_of(a), a->other, a->source, a->id, a->err);
	if (undone >= 0)
		put_row(a, &row, &helds[undone ? HELD_UNDONE : HELD_NOT_OPEN]);
	return undone < 0 ? undone : 0;
}

static int look_at_family(struct asking *a)
{
	const struct trace trace = { a, on_moment, on_rule, on_fact, on_place };
	struct gathering *g;
	struct home *kept;
	int rc = home_of_case(a->t, case_of(a), &kept, a->err);
	if (rc <= 0)
		return rc < 0 ? rc : put_unfolded(a);
	memcpy(a->look.id, kept->id, LK_DIGEST);
	for (uint32_t i = 0; i < kept->told.n; i++)
		tolds_move(&a->look.told, &kept->told, &kept->told.at[i]);
	rc = gathering_open(a->t, case_of(a), LK_NO_INSTANT, &g, a->err);
	if (rc < 0)
		return rc;
	a->look.f.trace = &trace;
	rc = gathering_fold(g, a->t->policy, a->now, &a->look.f);
	gathering_close(g);
	if (rc >= 0)
		rc = is_folded(a) ? look_at_rules(a, kept) : put_unfolded(a);
	a->look.f.trace = NULL;
	return rc;
}

/* ---- The event ------------------------------------------------------------------------------- */

static int note_event(void *context, const struct stored_event *row)
{
	struct asking *a = context;
	struct lk_event event;
	struct lk_refused why;
	a->type = row->type;
	a->agency = row->agency;
	snprintf(a->number, sizeof(a->number), "%.*s", LK_PRINT(row->number));
	if (row->type == LK_LINK_CONFIRMED &&
	    lk_event_decode(row->body, row->body_len, turn_agency_of, a->t, &event, &why) >= 0) {
		a->other = other_of(&event);
		snprintf(a->other_number, sizeof(a->other_number), "%.*s",
			 LK_PRINT(a->other.number));
		a->other.number = lk_text_of(a->other_number);
	}
	a->time_at = row->time_at;
	a->received_at = row->received_at;
	a->ahead = row->ahead;
	return 0;
}

struct superseder {
	const struct asking *a;
	char name[EVENT_NAME];
};

static int note_superseder(void *context, const struct stored_event *row)
{
	struct superseder *s = context;
	if (lk_text_is(row->source, s->a->source) && lk_text_is(row->supersedes, s->a->id))
		event_name(row->source, row->id, s->name);
	return 0;
}

/* Named where it is one of the same case, as it nearly always is. */
static int put_superseded(struct asking *a)
{
	struct superseder s = { .a = a };
	struct row row = NO_ROW;
	int rc = store_case_events(a->t->store, case_of(a), note_superseder, &s, a->err);
	row.by = s.name[0] != '\0' ? s.name : NULL;
	put_row(a, &row, &helds[HELD_SUPERSEDED]);
	return rc;
}

static int look_at_event(struct asking *a)
{
	struct row row = NO_ROW;
	int out = store_is_superseded(a->t->store, a->source, a->id, a->err);
	if (out != 0)
		return out < 0 ? out : put_superseded(a);
	if (!a->ahead)
		return look_at_family(a);
	row.at = a->time_at;
	put_row(a, &row, &helds[HELD_AHEAD]);
	return 0;
}

static void put_roles(struct asking *a, const struct print *p)
{
	struct listing list = { .n = 0 };
	for (uint32_t i = 0; i < a->look.f.assignments_n; i++) {
		const struct assignment *s = &a->look.f.assignments[i];
		if (s->until_step != 0 || !family_says(&a->look.f, s->worker, a->worker))
			continue;
		struct print item = listing_item(p, &list);
		lk_put_map(item.out, 3);
		put_code(&item, "agency", lk_agency_word(a->look.f.cases[s->kase].agency));
		put_case(&item, "case", s->kase);
		put_code(&item, "role", lk_role_word(s->role));
	}
	put_listing(p, "holds", &list);
}

static void put_answer(struct asking *a)
{
	struct print *p = &a->p;
	lk_put_map(p->out, 4);
	put_key(p, "event");
	lk_put_map(p->out, 6);
	put_code(p, "event", a->name);
	put_code(p, "type", lk_event_type_word(a->type));
	put_code(p, "agency", lk_agency_word(a->agency));
	put_code(p, "case", a->number);
	put_instant(p, "time", a->time_at);
	put_instant(p, "received", a->received_at);
	put_text(p, "worker", a->worker);
	put_roles(a, p);
	put_listing(p, "rules", &a->held);
}

static int may_look(struct asking *a)
{
	struct home *kept;
	int rc = home_folded(a->t, case_of(a), &kept, a->err);
	bool is_gone = store_is_expunged(a->t->store, case_of(a)) ||
		       (rc > 0 && family_is_expunged(a->t, &kept->f));
	return is_gone ? expunged_refuse(a->err) : rc;
}

static int answer(struct asking *a)
{
	int rc = store_event_find(a->t->store, a->source, a->id, note_event, a, a->err);
	if (rc == 0 || (rc > 0 && a->type < 0))
		return lk_fail(a->err, LK_ENOTFOUND,
			       "no such event; what was refused is among the dead letters");
	if (rc > 0 && (rc = may_look(a)) >= 0)
		rc = look_at_event(a);
	if (rc >= 0)
		put_answer(a);
	if (rc >= 0 && a->p.out->failed)
		rc = lk_fail(a->err, LK_EMEMORY, "no memory to explain");
	return rc < 0 ? rc : 0;
}

int turn_why_not(struct turn *t, struct lk_text source, struct lk_text id, struct lk_text worker,
		 lk_instant now, struct lk_bytes *out, struct lk_error *err)
{
	struct asking a = {
		.t = t, .err = err, .now = now, .source = source, .id = id, .worker = worker
	};
	a.kind = LK_NO_CODE;
	family_init(&a.look.f);
	a.p = (struct print){ &t->policy->zone, &a.look.f, out };
	event_name(source, id, a.name);
	int rc = answer(&a);
	lk_bytes_free(&a.held.items);
	lk_bytes_free(&a.places.items);
	family_free(&a.look.f);
	tolds_free(&a.look.told);
	homes_trim(t);
	return rc;
}
