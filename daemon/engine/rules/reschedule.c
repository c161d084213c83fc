/* reschedule.c - meetings that cannot stay as they are: domain.md, section 5.2.
 *
 * In: the calendar of the family, and other families' meetings of the same workers. Out:
 * meeting.reschedule with free times. Promise: of two things at once the one of lower rank moves
 * (handbook 31-090 III.F: CWS before CalWORKs); a proposal is free for the family and every
 * required worker as far as the daemon knows, and stays while it can be had.
 */
#include "../needs.h"

#include <string.h>

/* A stretch of time at a place. */
struct slotted {
	lk_instant start_at, end_at;
	struct lk_text place;
};

static struct slotted slotted_of(const struct family *f, const struct version *v)
{
	return (struct slotted){ v->start_at, v->end_at, family_text(f, v->place) };
}

/* Meetings at different, named places need time between them. */
static bool clash(const struct derivation *d, const struct slotted *a, const struct slotted *b)
{
	bool apart = lk_text_given(a->place) && lk_text_given(b->place) &&
		     !lk_text_is(a->place, b->place);
	lk_instant gap =
		apart ? dated_on(&d->p->meeting_buffer, day_of(d, a->start_at)).n * LK_MINUTE : 0;
	return a->start_at < b->end_at + gap && b->start_at < a->end_at + gap;
}

static bool is_joint(int kind)
{
	return kind == LK_PLTM || kind == LK_LTM;
}

/* Court before CWS before the joint meetings before CalWORKs. */
static int rank(int kind, int agency)
{
	if (kind == LK_COURT)
		return 0;
	if (is_joint(kind))
		return 2;
	return agency == LK_CWS ? 1 : 3;
}

static const struct version *version_of(const struct derivation *d, const struct meeting *m)
{
	return &d->f->versions[m->version];
}

/* At its hour. One that was missed stays there. */
static bool takes_time(const struct meeting *m)
{
	return m->version != NONE && (m->state == MEETING_PLANNED || m->state == MEETING_MISSED);
}

/* On the calendar, and its hour has not come. */
static bool is_ahead(struct derivation *d, const struct meeting *m)
{
	return takes_time(m) && !has_come(d, version_of(d, m)->start_at);
}

static bool requires(const struct family *f, const struct version *v, struct lk_text worker)
{
	for (uint32_t i = 0; i < v->required_n; i++)
		if (family_says(f, f->names[v->required + i], worker))
			return true;
	return false;
}

static bool shares_worker(const struct family *f, const struct version *a, const struct version *b)
{
	for (uint32_t i = 0; i < a->required_n; i++)
		if (requires(f, b, family_text(f, f->names[a->required + i])))
			return true;
	return false;
}

/* ---- Reasons --------------------------------------------------------------------------------- */

struct moving {
	const struct meeting *m;
	const struct version *v;
	unsigned reasons;
	lk_instant with_at; /* start of the meeting it gives way to */
	struct lk_text with;
	int with_agency;
	bool with_foreign;
};

static void gives_way(struct moving *mv, struct lk_text to, int agency, lk_instant start_at,
		      bool foreign)
{
	mv->reasons |= POLICY_BIT(LK_CONFLICTING);
	if (mv->with_agency >= 0 && mv->with_at <= start_at)
		return;
	mv->with_at = start_at;
	mv->with = to;
	mv->with_agency = agency;
	mv->with_foreign = foreign;
}

/* Within a rank the one scheduled later moves. */
static bool moves_for(const struct version *v, int other_rank, lk_instant other_said_at,
		      bool other_was_first)
{
	int own = rank(v->kind, v->agency);
	if (own != other_rank)
		return own > other_rank;
	return v->said_at != other_said_at ? v->said_at > other_said_at : other_was_first;
}

static void find_conflicts(struct derivation *d, struct moving *mv)
{
	struct slotted here = slotted_of(d->f, mv->v);
	for (uint32_t i = 0; i < d->f->meetings_n; i++) {
		const struct meeting *o = &d->f->meetings[i];
		if (o == mv->m || !is_ahead(d, o))
			continue;
		const struct version *v = version_of(d, o);
		struct slotted there = slotted_of(d->f, v);
		bool both = (mv->v->family && v->family) || shares_worker(d->f, mv->v, v);
		if (both && clash(d, &here, &there) &&
		    moves_for(mv->v, rank(v->kind, v->agency), v->said_at, v->step < mv->v->step))
			gives_way(mv, family_text(d->f, o->id), v->agency, v->start_at, false);
	}
}

static struct slotted slotted_busy(const struct busy *b)
{
	return (struct slotted){ b->start_at, b->end_at, b->place };
}

/* Another family's meeting is named only to the side that said it. */
static void find_foreign_conflicts(struct derivation *d, struct moving *mv)
{
	struct slotted here = slotted_of(d->f, mv->v);
	for (size_t i = 0; i < d->s->busy_n; i++) {
		const struct busy *b = &d->s->busy[i];
		struct slotted there = slotted_busy(b);
		if (has_come(d, b->start_at) || !requires(d->f, mv->v, b->worker) ||
		    !clash(d, &here, &there))
			continue;
		int order = lk_text_order(b->meeting, family_text(d->f, mv->m->id));
		bool first = order != 0 ? order < 0 : b->family_first; /* one of the two moves */
		if (moves_for(mv->v, rank(b->kind, b->agency), b->said_at, first))
			gives_way(mv, b->meeting, b->agency, b->start_at, true);
	}
}

/* A required worker's assignment to a case of this family ended after the meeting was put on the
 * calendar. */
static void find_leavers(const struct derivation *d, struct moving *mv)
{
	for (uint32_t i = 0; i < d->f->assignments_n; i++) {
		const struct assignment *a = &d->f->assignments[i];
		struct lk_text worker = family_text(d->f, a->worker);
		if (a->until_step > mv->v->step && requires(d->f, mv->v, worker) &&
		    !is_assigned(d->f, worker))
			mv->reasons |= POLICY_BIT(LK_PARTICIPANT);
	}
}

static bool has_left(const struct derivation *d, int agency)
{
	return main_case(d->f, agency) != NONE && !has_open(d, agency);
}

static void find_closed(const struct derivation *d, struct moving *mv)
{
	if (is_joint(mv->v->kind) && (has_left(d, LK_CWS) || has_left(d, LK_CALWORKS)))
		mv->reasons |= POLICY_BIT(LK_CLOSED);
}

/* The needs a meeting serves: those of its kind whose due has not passed. */
struct serving {
	uint32_t kase;
	int kind;
	lk_date starts;
	bool found, late;
	lk_date due; /* the first */
};

static void note_need(struct derivation *d, const struct need *need, void *context)
{
	struct serving *s = context;
	if (need->kind != s->kind || !need_concerns(need, s->kase) ||
	    has_come(d, midnight(d, need->due + 1)))
		return;
	s->late |= s->starts > need->due;
	if (!s->found || need->due < s->due)
		s->due = need->due;
	s->found = true;
}

static struct serving served_by(struct derivation *d, const struct meeting *m,
				const struct version *v)
{
	struct serving s = { .kase = m->kase, .kind = v->kind, .starts = day_of(d, v->start_at) };
	each_need(d, MET_BY_HOLDING, note_need, &s);
	return s;
}

/* Until another of its kind is put on the calendar. */
static void find_missed(const struct derivation *d, struct moving *mv)
{
	for (uint32_t i = 0; i < d->f->meetings_n; i++) {
		const struct meeting *o = &d->f->meetings[i];
		if (o == mv->m || o->version == NONE || o->state == MEETING_CANCELLED)
			continue;
		if (version_of(d, o)->kind == mv->v->kind &&
		    version_of(d, o)->step > mv->m->state_step)
			return;
	}
	mv->reasons |= POLICY_BIT(LK_MISSED);
}

/* Until one is held with the family. */
static void find_no_family(const struct derivation *d, struct moving *mv)
{
	for (uint32_t i = 0; i < d->f->holdings_n; i++) {
		const struct holding *h = &d->f->holdings[i];
		if (h->kind == LK_LTM && h->with_family && h->at >= mv->m->held_at)
			return;
	}
	mv->reasons |= POLICY_BIT(LK_NO_FAMILY);
}

static void find_reasons(struct derivation *d, struct moving *mv, const struct serving *s)
{
	if (is_ahead(d, mv->m)) {
		find_conflicts(d, mv);
		find_foreign_conflicts(d, mv);
		find_leavers(d, mv);
		find_closed(d, mv);
		mv->reasons |= s->late ? POLICY_BIT(LK_LATE) : 0;
	}
	if (mv->m->state == MEETING_MISSED)
		find_missed(d, mv);
	if (mv->m->state == MEETING_HELD && mv->v->kind == LK_LTM && !mv->m->with_family)
		find_no_family(d, mv);
}

/* ---- Proposals ------------------------------------------------------------------------------- */

/* A quarter of a year: beyond it no worker plans a meeting for a family in need of one. */
#define SEARCH_DAYS 92
#define HALF_HOUR 30

struct search {
	const struct moving *mv;
	lk_date first, last;
	lk_instant length;
};

static bool is_free(struct derivation *d, const struct moving *mv, lk_instant start_at,
		    lk_instant length)
{
	struct slotted here = { start_at, start_at + length, family_text(d->f, mv->v->place) };
	for (uint32_t i = 0; i < d->f->meetings_n; i++) {
		const struct meeting *o = &d->f->meetings[i];
		if (o == mv->m || !takes_time(o))
			continue;
		const struct version *v = version_of(d, o);
		struct slotted there = slotted_of(d->f, v);
		bool both = (mv->v->family && v->family) || shares_worker(d->f, mv->v, v);
		if (both && clash(d, &here, &there))
			return false;
	}
	for (size_t i = 0; i < d->s->busy_n; i++) {
		struct slotted there = slotted_busy(&d->s->busy[i]);
		if (requires(d->f, mv->v, d->s->busy[i].worker) && clash(d, &here, &there))
			return false;
	}
	return true;
}

/* From the day after the latest 08:00 on; not after the due date of the need it serves, unless that
 * has passed. */
static struct search search_of(struct derivation *d, const struct moving *mv,
			       const struct serving *s)
{
	lk_date day = today(d);
	if (d->now < morning(d, day))
		day--;
	struct search search = { mv, day + 1, day + SEARCH_DAYS, mv->v->end_at - mv->v->start_at };
	if (s->found)
		search.last = s->due;
	return search;
}

static bool can_be_had(struct derivation *d, const struct search *search, lk_instant at)
{
	lk_date day = day_of(d, at);
	int weekday = date_weekday(day);
	int minute = zone_minute(&d->p->zone, at);
	lk_instant end_at = at + search->length;
	if (day < search->first || day > search->last || weekday == 0 || weekday == 6)
		return false;
	if (minute < d->p->proposals_from ||
	    end_at > zone_instant(&d->p->zone, day, d->p->proposals_until))
		return false;
	return is_free(d, search->mv, at, search->length);
}

static void search_times(struct derivation *d, const struct search *search,
			 struct lk_proposals *out)
{
	for (lk_date day = search->first; day <= search->last; day++) {
		for (int m = d->p->proposals_from; m < d->p->proposals_until; m += HALF_HOUR) {
			lk_instant at = zone_instant(&d->p->zone, day, m);
			if (out->n < LK_PROPOSALS_MAX && can_be_had(d, search, at))
				out->at[out->n++] = zone_time(&d->p->zone, at);
		}
		if (out->n == LK_PROPOSALS_MAX)
			return;
	}
}

/* What was proposed stays while all of it can still be had. */
static bool keep_proposals(struct derivation *d, const struct search *search,
			   const struct told *before, struct lk_proposals *out)
{
	if (before == NULL || before->proposals[0] == LK_NO_INSTANT)
		return false;
	for (int i = 0; i < LK_PROPOSALS_MAX && before->proposals[i] != LK_NO_INSTANT; i++) {
		if (!can_be_had(d, search, before->proposals[i]))
			return false;
		out->at[out->n++] = zone_time(&d->p->zone, before->proposals[i]);
	}
	return true;
}

static void propose(struct derivation *d, const struct moving *mv, const struct serving *s,
		    struct fact *fact)
{
	struct search search = search_of(d, mv, s);
	struct lk_proposals *out = &fact->about.proposals;
	if (!keep_proposals(d, &search, stands_told(d, fact), out)) {
		out->n = 0;
		search_times(d, &search, out);
	}
	/* At 08:00 of its own day a proposal cannot be had any more. */
	if (out->n > 0)
		(void)has_come(d, morning(d, day_of(d, out->at[0].at)));
	else
		(void)has_come(d, morning(d, search.first));
}

/* ---- To whom --------------------------------------------------------------------------------- */

static uint32_t add_lead(struct derivation *d, const struct moving *mv, int side,
			 struct person *out, uint32_t n)
{
	bool own = d->f->cases[mv->m->kase].agency == side;
	uint32_t first = own ? mv->m->kase : main_case(d->f, side);
	if (first == NONE)
		return n;
	out[n] = (struct person){ lead_of(d, side, first), side, SLOT_ORGANIZER };
	return n + 1;
}

/* The organizer, if still assigned or never was; else both leads of a joint meeting; else the lead
 * of those who said it. */
static uint32_t find_movers(struct derivation *d, const struct moving *mv, struct person out[2])
{
	struct lk_text organizer = family_text(d->f, mv->v->organizer);
	int side = lk_text_given(organizer) ? side_of(d->f, organizer) : LK_NO_CODE;
	if (lk_text_given(organizer) && (side < 0 || is_assigned(d->f, organizer))) {
		out[0] = (struct person){ organizer, side < 0 ? mv->v->agency : side,
					  SLOT_ORGANIZER };
		return 1;
	}
	if (!is_joint(mv->v->kind))
		return add_lead(d, mv, mv->v->agency, out, 0);
	return add_lead(d, mv, LK_CALWORKS, out, add_lead(d, mv, LK_CWS, out, 0));
}

static void tell_moving(struct derivation *d, const struct moving *mv, const struct serving *s)
{
	char key[KEY_MAX];
	struct person people[2];
	key_named(d->f, mv->m->kase, mv->m->id, key);
	struct fact fact = fact_of(LK_MEETING_RESCHEDULE, key);
	fact.kase = mv->m->kase;
	fact.agency = mv->v->agency;
	fact.reasons[mv->v->agency] = mv->reasons;
	fact.with = mv->with;
	fact.with_agency = mv->with_agency;
	fact.with_foreign = mv->with_foreign;
	fact.about.meeting = family_text(d->f, mv->m->id);
	fact.about.meeting_kind = mv->v->kind;
	fact.about.start = zone_time(&d->p->zone, mv->v->start_at);
	fact.people = people;
	fact.people_n = find_movers(d, mv, people);
	fact_because(&fact, mv->v->cause);
	propose(d, mv, s, &fact);
	fact_tell(d, &fact);
}

void rules_reschedule(struct derivation *d)
{
	for (uint32_t i = 0; i < d->f->meetings_n; i++) {
		const struct meeting *m = &d->f->meetings[i];
		if (m->version == NONE)
			continue;
		struct moving mv = { .m = m, .v = version_of(d, m), .with_agency = LK_NO_CODE };
		struct serving s = served_by(d, m, mv.v);
		find_reasons(d, &mv, &s);
		if (mv.reasons != 0)
			tell_moving(d, &mv, &s);
	}
}
