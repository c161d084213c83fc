/* fold.c - events to state: who is on which case, what is signed, planned, due, and what happened
 * when.
 *
 * In: a family's events in order. Out: its state, and the list of moments (what is told once).
 * Promise: no clock, no I/O; the same events in the same order give the same bytes, whether folded
 * one by one as they come or all at once; ids are looked up only among cases that were linked at
 * the time.
 */
#include "fold.h"
#include "trace.h"

#include <string.h>

int fold_order(const struct fold_key *a, const struct fold_key *b)
{
	if (a->at != b->at)
		return a->at < b->at ? -1 : 1;
	if (a->waited != b->waited)
		return a->waited - b->waited;
	if (a->time_at != b->time_at)
		return a->time_at < b->time_at ? -1 : 1;
	int order = lk_text_order(a->source, b->source);
	if (order != 0)
		return order;
	if (a->sequence != b->sequence)
		return a->sequence < b->sequence ? -1 : 1;
	if (a->place != b->place)
		return a->place < b->place ? -1 : 1;
	return lk_text_order(a->id, b->id);
}

bool fold_in_order(const struct family *f, const struct fold_key *key)
{
	if (key->at <= f->ticked_at || key->at < f->folded_at || key->waited)
		return false;
	if (key->at > f->folded_at)
		return true;
	if (f->last_source.at ==
	    NONE) /* the last one had waited: nothing else of its instant may follow */
		return false;
	struct fold_key last = {
		.at = f->folded_at,
		.time_at = f->folded_at,
		.source = family_text(f, f->last_source),
		.sequence = f->last_sequence,
		.place = f->last_place,
		.id = family_text(f, f->last_id),
	};
	return fold_order(&last, key) < 0;
}

/* ---- One step -------------------------------------------------------------------------------- */

struct step {
	struct family *f;
	const struct policy *p;
	const struct lk_event *e;
	lk_instant at;
	uint32_t kase, cause;
	uint32_t first_moment;     /* moments of this step start here */
	bool was_mutual, was_live; /* before the step; live: closures of this case could cross */
	int32_t was_status;
};

static struct kase *step_case(const struct step *s)
{
	return &s->f->cases[s->kase];
}

static struct kin *unit_of(struct family *f, uint32_t kase)
{
	return &f->kins[f->cases[kase].unit];
}

static bool same_unit(const struct family *f, uint32_t a, uint32_t b)
{
	return f->cases[a].unit == f->cases[b].unit;
}

/* An id means the case's own, else its agency's in the family, else the other agency's: 0 is
 * nearest. */
static int nearness(const struct family *f, uint32_t asker, uint32_t owner)
{
	if (asker == owner)
		return 0;
	if (!same_unit(f, asker, owner))
		return INT32_MAX;
	return f->cases[asker].agency == f->cases[owner].agency ? 1 : 2;
}

#define DEFINE_NAMED(record, plural) \
	static uint32_t find_##record(const struct step *s, struct lk_text id) \
	{ \
		uint32_t found = NONE; \
		int nearest = INT32_MAX; \
		for (uint32_t i = 0; i < s->f->plural##_n; i++) { \
			int near = nearness(s->f, s->kase, s->f->plural[i].kase); \
			if (near < nearest && family_says(s->f, s->f->plural[i].id, id)) { \
				nearest = near; \
				found = i; \
			} \
		} \
		return found; \
	} \
	static struct record *named_##record(const struct step *s, struct lk_text id, bool *fresh) \
	{ \
		uint32_t found = find_##record(s, id); \
		*fresh = found == NONE; \
		if (!*fresh) \
			return &s->f->plural[found]; \
		struct word w = family_word(s->f, id); \
		struct record *r = family_add_##record(s->f); \
		r->id = w; \
		r->kase = s->kase; \
		return r; \
	}
DEFINE_NAMED(consent, consents)
DEFINE_NAMED(plan, plans)
DEFINE_NAMED(service, services)
DEFINE_NAMED(meeting, meetings)
DEFINE_NAMED(concern, concerns)
DEFINE_NAMED(referral, referrals)

static struct moment *add_moment(const struct step *s, int kind)
{
	struct moment *m = family_add_moment(s->f);
	m->kind = kind;
	m->kase = s->kase;
	m->cause = s->cause;
	m->agency = step_case(s)->agency;
	m->subject = NONE;
	m->what = m->from = m->status = m->urgency = LK_NO_CODE;
	m->code = NO_WORD;
	m->at = s->at;
	return m;
}

/* ---- Cases ----------------------------------------------------------------------------------- */

static uint32_t add_case(struct family *f, int agency, struct lk_text number)
{
	struct word w = family_word(f, number);
	struct kin *u = family_add_kin(f);
	u->joined_to = NONE;
	u->episode_at = u->ended_at = u->pltm_at = LK_NO_INSTANT;
	u->episode_cause = u->pltm_cause = NONE;
	struct kase *k = family_add_kase(f);
	k->number = w;
	k->agency = agency;
	k->unit = f->kins_n - 1;
	k->status = k->previous = LK_NO_CODE;
	k->status_cause = k->closing_cause = k->clock_cause = k->not_meeting_cause = NONE;
	k->first_opened_at = k->opened_at = k->closed_at = k->status_at = LK_NO_INSTANT;
	k->not_meeting_at = k->closing_at = k->visited_at = k->contact_at = LK_NO_INSTANT;
	k->mutual_at = LK_NO_INSTANT;
	k->status_until = k->closing_on = LK_NO_DATE;
	k->clock_used = -1;
	for (int t = 0; t < lk_topic_count; t++)
		k->live_at[t] = LK_NO_INSTANT;
	return f->cases_n - 1;
}

static uint32_t named_case(struct family *f, int agency, struct lk_text number)
{
	uint32_t found = family_case(f, agency, number);
	return found != NONE ? found : add_case(f, agency, number);
}

static bool in_trouble(int status)
{
	return status == LK_NONCOMPLIANCE || status == LK_SANCTIONED;
}

static void note_trouble(const struct step *s, struct kase *k)
{
	if (!in_trouble(k->status)) {
		k->not_meeting_at = LK_NO_INSTANT;
	} else if (k->not_meeting_at == LK_NO_INSTANT) {
		k->not_meeting_at = s->at;
		k->not_meeting_cause = s->cause;
	}
}

static struct moment *status_moment(const struct step *s, const struct kase *k)
{
	struct moment *m = add_moment(s, LK_STATUS_CHANGED);
	m->what = LK_WHAT_STATUS;
	m->from = k->previous;
	m->status = k->status;
	return m;
}

static void set_status(const struct step *s, int status, lk_date until)
{
	struct kase *k = step_case(s);
	k->status_until = until;
	if (k->status == status)
		return;
	k->previous = k->status;
	k->status = status;
	k->status_at = s->at;
	k->status_cause = s->cause;
	note_trouble(s, k);
	status_moment(s, k);
}

static void fold_case_opened(struct step *s)
{
	const struct lk_case_opened *d = &s->e->case_opened;
	struct kase *k = step_case(s);
	if (!k->open) {
		k->open = 1;
		k->opened_at = s->at;
		k->opened_step = s->f->steps;
		k->closing_on = LK_NO_DATE;
		if (k->first_opened_at == LK_NO_INSTANT)
			k->first_opened_at = s->at;
	}
	k->limited_said = d->limited_access >= 0;
	if (k->limited_said)
		k->limited = d->limited_access;
	set_status(s, d->status, LK_NO_DATE);
}

static void fold_case_status(struct step *s)
{
	set_status(s, s->e->case_status.status, s->e->case_status.until);
}

static void fold_case_closing(struct step *s)
{
	struct kase *k = step_case(s);
	lk_date date = s->e->case_closing.date;
	if (date != LK_NO_DATE && k->closing_on == LK_NO_DATE)
		k->closing_at = s->at;
	k->closing_on = date;
	k->closing_cause = s->cause;
}

static void fold_case_closed(struct step *s)
{
	struct kase *k = step_case(s);
	if (!k->open)
		return;
	k->open = 0;
	k->closed_at = s->at;
	k->closing_on = LK_NO_DATE;
	add_moment(s, LK_CLOSURE_ONE_SIDE); /* settle_closure() decides what this closing means */
}

static void fold_case_restricted(struct step *s)
{
	step_case(s)->limited = s->e->case_restricted.limited_access;
}

/* ---- Workers --------------------------------------------------------------------------------- */

static struct assignment *current_assignment(const struct step *s, int role)
{
	struct family *f = s->f;
	for (uint32_t i = 0; i < f->assignments_n; i++) {
		struct assignment *a = &f->assignments[i];
		if (a->kase == s->kase && a->role == role && a->until_step == 0)
			return a;
	}
	return NULL;
}

static void end_assignment(const struct step *s, struct assignment *a)
{
	a->until_step = s->f->steps;
	a->until_at = s->at;
}

static void fold_worker_assigned(struct step *s)
{
	const struct lk_worker_assigned *d = &s->e->worker_assigned;
	struct word worker = family_word(s->f, d->worker);
	struct word name = family_word(s->f, d->name);
	struct word phone = family_word(s->f, d->phone);
	struct assignment *a = current_assignment(s, d->role);
	if (a != NULL && !family_says(s->f, a->worker, d->worker)) {
		end_assignment(s, a);
		a = NULL;
	}
	if (a == NULL) {
		a = family_add_assignment(s->f);
		a->kase = s->kase;
		a->role = d->role;
		a->worker = worker;
		a->from_step = s->f->steps;
		a->from_at = s->at;
		a->until_at = LK_NO_INSTANT;
	}
	a->name = name;
	a->phone = phone;
}

static void fold_worker_unassigned(struct step *s)
{
	struct assignment *a = current_assignment(s, s->e->worker_unassigned.role);
	if (a != NULL)
		end_assignment(s, a);
}

/* ---- Consents -------------------------------------------------------------------------------- */

#define ALL_TOPICS ((1u << lk_topic_count) - 1)

static void fold_consent_signed(struct step *s)
{
	const struct lk_consent_signed *d = &s->e->consent_signed;
	bool fresh;
	struct consent *c = named_consent(s, d->consent, &fresh);
	c->cause = s->cause;
	c->topics = d->topics != 0 ? d->topics : ALL_TOPICS;
	c->expires = d->expires;
	c->signed_at = s->at;
	c->in_force = d->expires == LK_NO_DATE || zone_date(&s->p->zone, s->at) <= d->expires;
	c->ran_out = 0;
	unit_of(s->f, s->kase)->signed_step = s->f->steps;
}

static void fold_consent_revoked(struct step *s)
{
	uint32_t found = find_consent(s, s->e->consent_revoked.consent);
	unit_of(s->f, s->kase)->denied_step = s->f->steps;
	if (found == NONE)
		return;
	struct consent *c = &s->f->consents[found];
	c->ran_out = 0;
	if (!c->in_force)
		return;
	c->in_force = 0;
	struct moment *m = add_moment(s, LK_CONSENT_ENDED);
	m->subject = found;
	m->agency = LK_NO_CODE;
}

static void fold_consent_refused(struct step *s)
{
	unit_of(s->f, s->kase)->denied_step = s->f->steps;
}

/* ---- Plans, services, concerns, referrals ---------------------------------------------------- */

static struct plan *plan_of(const struct step *s, struct lk_text id)
{
	bool fresh;
	struct plan *p = named_plan(s, id, &fresh);
	if (fresh) {
		p->kind = LK_NO_CODE;
		p->closing_on = LK_NO_DATE;
		p->signed_at = p->closing_at = LK_NO_INSTANT;
		p->signed_cause = p->closing_cause = NONE;
	}
	return p;
}

static void fold_plan_signed(struct step *s)
{
	struct plan *p = plan_of(s, s->e->plan_signed.plan);
	p->kind = s->e->plan_signed.kind;
	p->ended = 0;
	p->signed_at = s->at;
	p->signed_cause = s->cause;
}

static void fold_plan_closing(struct step *s)
{
	struct plan *p = plan_of(s, s->e->plan_closing.plan);
	p->closing_on = s->e->plan_closing.date;
	p->closing_at = s->at;
	p->closing_cause = s->cause;
}

static void fold_plan_ended(struct step *s)
{
	struct plan *p = plan_of(s, s->e->plan_ended.plan);
	p->ended = 1;
}

static struct service *service_of(const struct step *s, struct lk_text id)
{
	bool fresh;
	struct service *v = named_service(s, id, &fresh);
	if (fresh) {
		v->cause = NONE;
		v->category = LK_NO_CODE;
		v->started_at = LK_NO_INSTANT;
	}
	return v;
}

static void fold_service_started(struct step *s)
{
	const struct lk_service_started *d = &s->e->service_started;
	struct service *v = service_of(s, d->service);
	v->category = d->category;
	v->running = 1;
	v->started_at = s->at;
	v->cause = s->cause;
	uint32_t index = (uint32_t)(v - s->f->services);
	bool creditable = (s->p->creditable & POLICY_BIT(d->category)) != 0;
	if (step_case(s)->agency == LK_CWS && creditable) /* told where the family is mutual */
		add_moment(s, LK_SERVICE_CREDIT)->subject = index;
}

static void fold_service_ended(struct step *s)
{
	service_of(s, s->e->service_ended.service)->running = 0;
}

static struct concern *concern_of(const struct step *s, struct lk_text id)
{
	bool fresh;
	struct concern *c = named_concern(s, id, &fresh);
	if (fresh) {
		c->cause = NONE;
		c->kind = LK_NO_CODE;
		c->raised_at = LK_NO_INSTANT;
	}
	return c;
}

static void fold_concern_raised(struct step *s)
{
	const struct lk_concern_raised *d = &s->e->concern_raised;
	struct concern *c = concern_of(s, d->concern);
	if (c->resolved || c->kind != d->kind) {
		c->raised_at = s->at;
		c->cause = s->cause;
	}
	c->kind = d->kind;
	c->resolved = 0;
}

static void fold_concern_resolved(struct step *s)
{
	concern_of(s, s->e->concern_resolved.concern)->resolved = 1;
}

/* Where memory ran out, the record is none of the family's, and its place means nothing: nobody looks there. */
static struct moment *referral_moment(const struct step *s, const struct referral *r)
{
	struct moment *m = add_moment(s, LK_REFERRAL_CHANGED);
	m->subject = (uint32_t)(r - s->f->referrals);
	m->status = r->status;
	m->urgency = r->urgent ? LK_URGENT : LK_NO_CODE;
	return m;
}

static struct referral *referral_of(const struct step *s, struct lk_text id)
{
	bool fresh;
	struct referral *r = named_referral(s, id, &fresh);
	if (fresh) {
		r->cause = r->maker = NONE;
		r->to = NO_WORD;
		r->category = r->status = r->to_agency = LK_NO_CODE;
		r->follow_up = LK_NO_DATE;
		r->made_at = LK_NO_INSTANT;
	}
	return r;
}

static void fold_referral_made(struct step *s)
{
	const struct lk_referral_made *d = &s->e->referral_made;
	struct word to = family_word(s->f, d->to);
	struct referral *r = referral_of(s, d->referral);
	r->to = to;
	r->maker = s->kase;
	r->to_agency = lk_agency_code(d->to);
	r->category = d->category;
	r->status = LK_NO_CODE;
	r->urgent = d->urgent == 1;
	r->follow_up = d->follow_up;
	r->made_at = s->at;
	r->cause = s->cause;
	if (r->to_agency >= 0)
		referral_moment(s, r);
}

static void fold_referral_updated(struct step *s)
{
	struct referral *r = referral_of(s, s->e->referral_updated.referral);
	if (r->cause == NONE)
		return;
	r->status = s->e->referral_updated.status;
	referral_moment(s, r);
}

/* ---- Meetings -------------------------------------------------------------------------------- */

static uint32_t add_names(struct family *f, const struct lk_workers *workers)
{
	uint32_t first = f->names_n;
	for (uint32_t i = 0; i < workers->n; i++) {
		struct word w = family_word(f, workers->at[i]);
		*family_add_word(f) = w;
	}
	return first;
}

/* Whether the family must be there, where the event does not say: not at the workers' own meetings.
 */
static bool needs_family(int kind, int said)
{
	return said >= 0 ? said == 1 : kind != LK_PLTM && kind != LK_STAFFING;
}

static uint32_t add_version(const struct step *s, uint32_t meeting)
{
	const struct lk_meeting_scheduled *d = &s->e->meeting_scheduled;
	struct family *f = s->f;
	uint32_t required = add_names(f, &d->required), optional = add_names(f, &d->optional);
	struct word place = family_word(f, d->place), organizer = family_word(f, d->organizer);
	struct version *v = family_add_version(f);
	v->meeting = meeting;
	v->cause = s->cause;
	v->step = f->steps;
	v->kind = d->kind;
	v->place = place;
	v->organizer = organizer;
	v->required = required;
	v->required_n = d->required.n;
	v->optional = optional;
	v->optional_n = d->optional.n;
	v->family = needs_family(d->kind, d->family);
	v->agency = step_case(s)->agency;
	v->said_at = s->at;
	v->start_at = d->start.at;
	v->end_at = d->end.at;
	return f->versions_n - 1;
}

static struct meeting *meeting_of(const struct step *s, struct lk_text id)
{
	bool fresh;
	struct meeting *m = named_meeting(s, id, &fresh);
	if (fresh) {
		m->version = m->state_cause = NONE;
		m->state = MEETING_CANCELLED;
		m->held_at = LK_NO_INSTANT;
	}
	return m;
}

static void fold_meeting_scheduled(struct step *s)
{
	struct meeting *m = meeting_of(s, s->e->meeting_scheduled.meeting);
	bool is_first = m->version == NONE;
	uint32_t index = (uint32_t)(m - s->f->meetings);
	uint32_t version = add_version(s, index);
	m->version = version;
	m->state = MEETING_PLANNED;
	m->state_step = s->f->steps;
	m->state_cause = s->cause;
	m->held_at = LK_NO_INSTANT;
	struct moment *told = add_moment(s, LK_MEETING_CHANGED);
	told->subject = version;
	told->what = is_first ? LK_SCHEDULED : LK_MOVED;
}

/* NULL: it was never on the calendar. */
static struct meeting *known_meeting(const struct step *s, struct lk_text id, int state)
{
	struct meeting *m = meeting_of(s, id);
	if (m->version == NONE)
		return NULL;
	m->state = state;
	m->state_step = s->f->steps;
	m->state_cause = s->cause;
	return m;
}

static void fold_meeting_held(struct step *s)
{
	struct meeting *m = known_meeting(s, s->e->meeting_held.meeting, MEETING_HELD);
	if (m == NULL)
		return;
	/* Not said: the family was there if it had to be. */
	m->with_family = s->e->meeting_held.family >= 0 ? s->e->meeting_held.family
							: s->f->versions[m->version].family;
	m->held_at = s->at;
	struct holding held = { m->id,          m->kase, s->cause, s->f->versions[m->version].kind,
				m->with_family, s->at };
	*family_add_holding(s->f) = held;
}

static void fold_meeting_missed(struct step *s)
{
	(void)known_meeting(s, s->e->meeting_missed.meeting, MEETING_MISSED);
}

static void fold_meeting_cancelled(struct step *s)
{
	struct lk_text id = s->e->meeting_cancelled.meeting;
	bool was_cancelled = meeting_of(s, id)->state == MEETING_CANCELLED;
	struct meeting *m = known_meeting(s, id, MEETING_CANCELLED);
	if (m == NULL || was_cancelled)
		return;
	uint32_t version = m->version;
	struct moment *told = add_moment(s, LK_MEETING_CHANGED);
	told->subject = version;
	told->what = LK_CANCELLED;
}

/* ---- Contacts, milestones, children, the household, the clock -------------------------------- */

static void fold_contact_made(struct step *s)
{
	struct kase *k = step_case(s);
	k->contact_at = s->at;
	if (s->e->contact_made.kind == LK_FACE_TO_FACE)
		k->visited_at = s->at;
}

static void fold_milestone_reached(struct step *s)
{
	struct word code = family_word(s->f, s->e->milestone_reached.milestone);
	add_moment(s, LK_MILESTONE_TOLD)->code = code;
}

static struct removal *find_removal(const struct step *s, struct lk_text person)
{
	for (uint32_t i = 0; i < s->f->removals_n; i++)
		if (s->f->removals[i].kase == s->kase &&
		    family_says(s->f, s->f->removals[i].person, person))
			return &s->f->removals[i];
	return NULL;
}

static void fold_child_removed(struct step *s)
{
	struct word person = family_word(s->f, s->e->child_removed.person);
	struct removal *r = find_removal(s, s->e->child_removed.person);
	if (r == NULL) {
		r = family_add_removal(s->f);
		r->person = person;
		r->kase = s->kase;
	}
	r->returned = 0;
	r->removed_at = s->at;
	r->cause = s->cause;
	add_moment(s, LK_STATUS_CHANGED)->what = LK_WHAT_REMOVAL;
}

static void fold_child_returned(struct step *s)
{
	struct removal *r = find_removal(s, s->e->child_returned.person);
	if (r != NULL)
		r->returned = 1;
	add_moment(s, LK_STATUS_CHANGED)->what = LK_WHAT_RETURN;
}

static void fold_household_changed(struct step *s)
{
	add_moment(s, LK_STATUS_CHANGED)->what = LK_WHAT_HOUSEHOLD;
}

static void fold_clock_reported(struct step *s)
{
	struct kase *k = step_case(s);
	k->clock_used = s->e->clock_reported.used;
	k->clock_cause = s->cause;
}

/* ---- Links ----------------------------------------------------------------------------------- */

static uint32_t later(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

/* Two episodes become one: the one that began first goes on, with the first trigger of either. */
static void join_episodes(struct kin *into, const struct kin *from)
{
	struct kin both = *into;
	bool take = from->mutual && (!into->mutual || from->episode_at < into->episode_at);
	if (take || (!into->mutual && from->ended_at > into->ended_at))
		both = *from;
	if (into->mutual && from->mutual) {
		both.pltm_at = instant_earlier(into->pltm_at, from->pltm_at);
		both.pltm_cause =
			both.pltm_at == into->pltm_at ? into->pltm_cause : from->pltm_cause;
	}
	both.joined_to = into->joined_to;
	both.episode = later(into->episode, from->episode);
	both.signed_step = later(into->signed_step, from->signed_step);
	both.denied_step = later(into->denied_step, from->denied_step);
	*into = both;
}

static void join_cases(struct family *f, uint32_t a, uint32_t b)
{
	uint32_t into = f->cases[a].unit, from = f->cases[b].unit;
	if (into == from)
		return;
	join_episodes(&f->kins[into], &f->kins[from]);
	f->kins[from].joined_to = into;
	for (uint32_t i = 0; i < f->cases_n; i++)
		if (f->cases[i].unit == from)
			f->cases[i].unit = into;
}

static void fold_link_confirmed(struct step *s)
{
	const struct lk_other *o = &s->e->link_confirmed.other;
	join_cases(s->f, s->kase, named_case(s->f, o->agency, o->number));
}

/* A refusal or removal has done its work before the fold: the links it cancels are not among the
 * events. */
static void fold_nothing(struct step *s)
{
	(void)s;
}

#define fold_link_refused fold_nothing
#define fold_link_removed fold_nothing
#define fold_event_retracted fold_nothing

#define FOLD_ROW(enumerator, tag, word) [enumerator] = fold_##tag,
static void (*const folds[lk_event_type_count])(struct step *s) = { LK_EVENT_TYPES(FOLD_ROW) };

/* ---- What a step changes around it: mutual, live, first instants ----------------------------- */

struct unit_view {
	uint32_t open[2], cases[2]; /* by lk_agency */
	bool limited;
	unsigned topics; /* that consents in force cover */
};

static struct unit_view view_unit(const struct family *f, uint32_t unit)
{
	struct unit_view v = { { 0, 0 }, { 0, 0 }, false, 0 };
	for (uint32_t i = 0; i < f->cases_n; i++) {
		const struct kase *k = &f->cases[i];
		if (k->unit != unit || k->first_opened_at == LK_NO_INSTANT)
			continue;
		v.cases[k->agency]++;
		v.open[k->agency] += (uint32_t)k->open;
		v.limited |= k->open && k->limited;
	}
	for (uint32_t i = 0; i < f->consents_n; i++)
		if (f->consents[i].in_force && f->cases[f->consents[i].kase].unit == unit)
			v.topics |= f->consents[i].topics;
	return v;
}

static void settle_episode(const struct step *s, struct kin *u, const struct unit_view *v)
{
	bool mutual = v->open[LK_CWS] > 0 && v->open[LK_CALWORKS] > 0;
	if (mutual && !u->mutual) {
		u->episode++;
		u->episode_at = s->at;
		u->episode_step = s->f->steps;
		u->episode_cause = s->cause;
		u->pltm_at = LK_NO_INSTANT;
	}
	if (!mutual && u->mutual)
		u->ended_at = s->at;
	u->mutual = mutual;
}

static bool role_filled(const struct family *f, uint32_t unit,
			bool (*fits)(const struct kase *k, int role))
{
	for (uint32_t i = 0; i < f->assignments_n; i++) {
		const struct assignment *a = &f->assignments[i];
		const struct kase *k = &f->cases[a->kase];
		if (a->until_step == 0 && k->unit == unit && k->open && fits(k, a->role))
			return true;
	}
	return false;
}

static bool is_social_worker(const struct kase *k, int role)
{
	return k->agency == LK_CWS && role == LK_SOCIAL_WORKER;
}

static bool is_calworks_lead(const struct kase *k, int role)
{
	return k->agency == LK_CALWORKS && role >= LK_AIS_WORKER && role <= LK_ELIGIBILITY_WORKER;
}

bool has_linkages_case(const struct family *f, const struct policy *p, uint32_t unit)
{
	for (uint32_t i = 0; i < f->cases_n; i++) {
		const struct kase *k = &f->cases[i];
		if (k->unit == unit && k->open && k->agency == LK_CWS &&
		    (p->linkages_statuses & POLICY_BIT(k->status)) != 0)
			return true;
	}
	return false;
}

/* The trigger of the PLTM: both sides at work for the first time in this episode. */
static void settle_pltm(const struct step *s, struct kin *u, uint32_t unit)
{
	if (!u->mutual || u->pltm_at != LK_NO_INSTANT || !has_linkages_case(s->f, s->p, unit))
		return;
	if (!role_filled(s->f, unit, is_social_worker) ||
	    !role_filled(s->f, unit, is_calworks_lead))
		return;
	u->pltm_at = s->at;
	u->pltm_cause = s->cause;
}

static bool told_in_step(const struct step *s, uint32_t cause)
{
	for (uint32_t i = s->first_moment; i < s->f->moments_n; i++)
		if (s->f->moments[i].kind == LK_STATUS_CHANGED && s->f->moments[i].cause == cause)
			return true;
	return false;
}

/* When the other side may know from now on, the latest status is told, however old, and nothing
 * else of before. */
static void share_status(struct step *s, uint32_t index, bool shared)
{
	struct kase *k = &s->f->cases[index];
	bool begins = shared && !k->status_shared;
	k->status_shared = shared;
	if (!begins || k->status < 0 || told_in_step(s, k->status_cause))
		return;
	struct step of = *s;
	of.kase = index;
	of.cause = k->status_cause;
	status_moment(&of, k);
}

static void note_mutual(const struct step *s, uint32_t index, bool mutual)
{
	struct kase *k = &s->f->cases[index];
	if (mutual == (k->mutual_at != LK_NO_INSTANT))
		return;
	if (!mutual) {
		struct stretch past = { index, 0, k->mutual_at, s->at };
		*family_add_stretch(s->f) = past;
	}
	k->mutual_at = mutual ? s->at : LK_NO_INSTANT;
}

static void settle_case(struct step *s, uint32_t index, const struct unit_view *v, bool mutual)
{
	struct kase *k = &s->f->cases[index];
	bool linked = v->cases[1 - k->agency] > 0;
	unsigned live = linked && !v->limited ? v->topics : 0;
	for (int t = 0; t < lk_topic_count; t++) {
		if ((live & (1u << t)) == 0)
			k->live_at[t] = LK_NO_INSTANT;
		else if (k->live_at[t] == LK_NO_INSTANT)
			k->live_at[t] = s->at;
	}
	note_mutual(s, index, mutual);
	share_status(s, index, mutual && k->open && (live & (1u << LK_TOPIC_STATUS)) != 0);
}

static void settle_unit(struct step *s, uint32_t unit)
{
	struct kin *u = &s->f->kins[unit];
	struct unit_view v = view_unit(s->f, unit);
	settle_episode(s, u, &v);
	settle_pltm(s, u, unit);
	for (uint32_t i = 0; i < s->f->cases_n; i++)
		if (s->f->cases[i].unit == unit)
			settle_case(s, i, &v, u->mutual);
}

static bool is_within(const struct step *s, lk_instant ended_at)
{
	if (ended_at == LK_NO_INSTANT)
		return false;
	lk_date today = zone_date(&s->p->zone, s->at);
	return today - zone_date(&s->p->zone, ended_at) <=
	       dated_on(&s->p->closure_both_within, today).n;
}

/* What a closing means: one side is left, or none; a CWS family without CalWORKs is to be screened.
 */
static void settle_closure(struct step *s, struct moment m)
{
	const struct kase *k = step_case(s);
	const struct kin *u = unit_of(s->f, s->kase);
	struct unit_view v = view_unit(s->f, k->unit);
	m.barred = !s->was_live;
	if (s->was_mutual && !u->mutual)
		*family_add_moment(s->f) = m;
	m.kind = LK_CLOSURE_BOTH;
	if (v.open[0] + v.open[1] == 0 && is_within(s, u->ended_at))
		*family_add_moment(s->f) = m;
	m.kind = LK_CLOSURE_SCREEN;
	if (k->agency == LK_CWS && k->status != LK_REFERRAL && v.open[LK_CALWORKS] == 0)
		*family_add_moment(s->f) = m;
}

static bool speaks_of_mutual(int kind)
{
	return kind != LK_MEETING_CHANGED;
}

/* What the other side could not know when it happened never crosses: past is past. */
static struct moment barred_if_private(const struct step *s, struct moment m)
{
	int topic = s->p->rule[m.kind].topic;
	m.barred = topic != NO_TOPIC && s->f->cases[m.kase].live_at[topic] == LK_NO_INSTANT;
	return m;
}

/* Moments of this step stay only where their rule holds: nearly every rule speaks of a mutual
 * family. */
static void settle_moments(struct step *s)
{
	struct family *f = s->f;
	uint32_t kept = s->first_moment, until = f->moments_n;
	struct moment closing = { .kind = LK_NO_CODE };
	for (uint32_t i = s->first_moment; i < until; i++) {
		struct moment m = f->moments[i];
		if (m.kind == LK_CLOSURE_ONE_SIDE)
			closing = m;
		else if (!speaks_of_mutual(m.kind) || unit_of(f, m.kase)->mutual)
			f->moments[kept++] = barred_if_private(s, m);
		else if (f->trace != NULL)
			f->trace->moment(f->trace->context, &m, BAR_NOT_MUTUAL);
	}
	f->moments_n = kept;
	if (closing.kind != LK_NO_CODE)
		settle_closure(s, closing);
}

static void settle_step(struct step *s)
{
	settle_unit(s, step_case(s)->unit);
	settle_moments(s);
}

static void begin_step(struct step *s)
{
	const struct kase *k = step_case(s);
	s->f->steps++;
	s->first_moment = s->f->moments_n;
	s->was_mutual = s->f->kins[k->unit].mutual;
	s->was_live = k->live_at[LK_TOPIC_CLOSURE] != LK_NO_INSTANT;
}

/* ---- The passing of time --------------------------------------------------------------------- */

static lk_instant expiry_at(const struct policy *p, const struct consent *c)
{
	return zone_instant(&p->zone, c->expires + 1, 0);
}

static lk_instant reminder_at(const struct policy *p, const struct version *v)
{
	lk_date day = zone_date(&p->zone, v->start_at);
	return zone_instant(&p->zone, day - dated_on(&p->reminder_before, day).n, p->day_begins);
}

static bool is_current(const struct family *f, uint32_t version)
{
	const struct meeting *m = &f->meetings[f->versions[version].meeting];
	return m->version == version && m->state == MEETING_PLANNED;
}

static bool awaits_reminder(const struct family *f, uint32_t version)
{
	return !f->versions[version].reminded && is_current(f, version);
}

/* The next local midnight that begins a month, after the last tick or event; only where a CWS case
 * is open. */
static lk_instant month_end(const struct family *f, const struct policy *p)
{
	lk_instant from = f->ticked_at > f->folded_at ? f->ticked_at : f->folded_at;
	for (uint32_t i = 0; i < f->cases_n; i++)
		if (f->cases[i].open && f->cases[i].agency == LK_CWS)
			return zone_instant(&p->zone,
					    date_month_last(zone_date(&p->zone, from)) + 1, 0);
	return LK_NO_INSTANT;
}

/* Ends come at midnight, before the events of that instant; reminders at their hour, after them. */
static lk_instant next_end(const struct family *f, const struct policy *p)
{
	lk_instant next = month_end(f, p);
	for (uint32_t i = 0; i < f->consents_n; i++)
		if (f->consents[i].in_force && f->consents[i].expires != LK_NO_DATE)
			next = instant_earlier(next, expiry_at(p, &f->consents[i]));
	return next;
}

static lk_instant next_reminder(const struct family *f, const struct policy *p)
{
	lk_instant next = LK_NO_INSTANT;
	for (uint32_t i = 0; i < f->versions_n; i++) {
		if (!awaits_reminder(f, i))
			continue;
		lk_instant at = reminder_at(p, &f->versions[i]);
		if (at >= f->versions[i].said_at) /* it was on the calendar by then */
			next = instant_earlier(next, at);
	}
	return next;
}

lk_instant fold_next(const struct family *f, const struct policy *p)
{
	return instant_earlier(next_end(f, p), next_reminder(f, p));
}

static bool any_in_force(const struct family *f, uint32_t unit)
{
	for (uint32_t i = 0; i < f->consents_n; i++)
		if (f->consents[i].in_force && f->cases[f->consents[i].kase].unit == unit)
			return true;
	return false;
}

static void tick_consents(struct step *s)
{
	for (uint32_t i = 0; i < s->f->consents_n; i++) {
		struct consent *c = &s->f->consents[i];
		if (!c->in_force || c->expires == LK_NO_DATE || expiry_at(s->p, c) != s->at)
			continue;
		c->in_force = 0;
		c->ran_out = 1;
		s->kase = c->kase;
		s->cause = c->cause;
		begin_step(s);
		if (!any_in_force(s->f, step_case(s)->unit)) {
			struct moment *m = add_moment(s, LK_CONSENT_ENDED);
			m->subject = i;
			m->agency = LK_NO_CODE;
			m->what = 0; /* by its day, not by a person */
			m->at = zone_instant(&s->p->zone, c->expires + 1, s->p->day_begins);
		}
		settle_step(s);
	}
}

static void tick_visits(struct step *s)
{
	lk_date today = zone_date(&s->p->zone, s->at);
	lk_date month = date_month_first(today - 1);
	if (date_month_first(today) != today || zone_instant(&s->p->zone, today, 0) != s->at)
		return;
	lk_instant began_at = zone_instant(&s->p->zone, month, 0);
	for (uint32_t i = 0; i < s->f->cases_n; i++) {
		const struct kase *k = &s->f->cases[i];
		if (!k->open || k->agency != LK_CWS ||
		    (s->p->visit_statuses & POLICY_BIT(k->status)) == 0)
			continue;
		if (k->opened_at >= began_at || k->visited_at >= began_at)
			continue;
		s->kase = i;
		s->cause = NONE;
		struct moment *m = add_moment(s, LK_VISIT_MISSED);
		m->status = month;
		m->at = zone_instant(&s->p->zone, today, s->p->day_begins);
	}
}

static void tick_reminders(struct step *s)
{
	for (uint32_t i = 0; i < s->f->versions_n; i++) {
		struct version *v = &s->f->versions[i];
		if (!awaits_reminder(s->f, i) || reminder_at(s->p, v) != s->at ||
		    v->said_at > s->at)
			continue;
		v->reminded = 1;
		s->kase = s->f->meetings[v->meeting].kase;
		s->cause = v->cause;
		struct moment *m = add_moment(s, LK_MEETING_REMINDER);
		m->agency = s->f->versions[i].agency;
		m->subject = i;
	}
}

/* Runs ticks up to `until`; reminders of the very instant only where `whole`. */
static void run_ticks(struct family *f, const struct policy *p, lk_instant until, bool whole)
{
	while (!f->failed) {
		lk_instant end = next_end(f, p), reminder = next_reminder(f, p);
		lk_instant next = instant_earlier(end, reminder);
		if (next == LK_NO_INSTANT || next > until)
			return;
		if (next == until && next != end && !whole)
			return;
		struct step s = { .f = f, .p = p, .at = next, .cause = NONE };
		if (next == end) {
			tick_consents(&s);
			tick_visits(&s);
		}
		if (next == reminder && (next < until || whole))
			tick_reminders(&s);
		f->ticked_at = next;
		if (next == until && !whole)
			return;
	}
}

void fold_pass(struct family *f, const struct policy *p, lk_instant now)
{
	run_ticks(f, p, now, true);
}

/* ---- Events ---------------------------------------------------------------------------------- */

/* The word for a source, which has now spoken of the case. */
static struct word note_speaker(struct family *f, struct lk_text source, uint32_t kase)
{
	struct word w = NO_WORD;
	for (uint32_t i = 0; i < f->speakers_n; i++) {
		if (!family_says(f, f->speakers[i].source, source))
			continue;
		w = f->speakers[i].source;
		if (f->speakers[i].kase == kase)
			return w;
	}
	if (w.at == NONE)
		w = family_word(f, source);
	struct speaker *s = family_add_speaker(f);
	s->source = w;
	s->kase = kase;
	return w;
}

static uint32_t add_cause(struct family *f, const struct lk_event *e, struct word source,
			  lk_instant at)
{
	struct word id = words_append(&f->words, e->id);
	struct cause *c = family_add_cause(f);
	f->failed |= f->words.failed;
	c->source = source;
	c->id = id;
	c->at = at;
	c->agency = (int32_t)e->agency;
	c->type = (int32_t)e->type;
	return f->causes_n - 1;
}

/* What was said of the case's standing before its opening, the opening says anew: it came later. */
static bool is_replaced(const struct step *s)
{
	return s->e->type == LK_CASE_STATUS || s->e->type == LK_CASE_CLOSED ||
	       (s->e->type == LK_CASE_RESTRICTED && step_case(s)->limited_said);
}

void fold_event(struct family *f, const struct policy *p, const struct lk_event *event,
		const struct fold_key *key)
{
	run_ticks(f, p, key->at, false);
	struct step s = { .f = f, .p = p, .e = event, .at = key->at };
	s.kase = named_case(f, (int)event->agency, event->subject);
	s.cause = add_cause(f, event, note_speaker(f, event->source, s.kase), key->at);
	if (f->failed)
		return;
	begin_step(&s);
	if (!key->waited || !is_replaced(&s))
		folds[event->type](&s);
	if (!f->failed)
		settle_step(&s);
	f->folded_at = key->at;
	f->last_source = key->waited ? NO_WORD : f->causes[s.cause].source;
	f->last_id = f->causes[s.cause].id;
	f->last_sequence = key->sequence;
	f->last_place = key->place;
}

/* The opening that brought the tokens by which two cases are linked at its instant; NONE. */
static uint32_t opening_at(const struct family *f, lk_instant at)
{
	for (uint32_t i = f->causes_n; i > 0; i--)
		if (f->causes[i - 1].at == at && f->causes[i - 1].type == LK_CASE_OPENED)
			return i - 1;
	return NONE;
}

void fold_link(struct family *f, const struct policy *p, int agency, struct lk_text number,
	       int other_agency, struct lk_text other, lk_instant at)
{
	struct step s = { .f = f, .p = p, .at = at, .cause = NONE };
	run_ticks(f, p, at, false);
	s.kase = named_case(f, agency, number);
	uint32_t joined = named_case(f, other_agency, other);
	if (f->failed)
		return;
	if (same_unit(f, s.kase, joined))
		return;
	s.cause = opening_at(f, at);
	begin_step(&s);
	join_cases(f, s.kase, joined);
	settle_step(&s);
	f->folded_at = at;
	f->last_source = NO_WORD; /* nothing else of this instant may follow */
}
