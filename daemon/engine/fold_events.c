/* fold_events.c - what each type of event says: one short function a type.
 *
 * In: a step with its event. Out: records of the family, and moments, as the event has them. Promise: a
 * type without its function does not compile; ids are looked up only among cases that were linked at the
 * time.
 */
#include "fold_step.h"

/* ---- Records by their ids -------------------------------------------------------------------- */

bool are_kin(const struct family *f, uint32_t a, uint32_t b)
{
	return f->cases[a].kin == f->cases[b].kin;
}

/* An id means the case's own, else its agency's in the family, else the other agency's: 0 is
 * nearest. */
static int nearness(const struct family *f, uint32_t asker, uint32_t owner)
{
	if (asker == owner)
		return 0;
	if (!are_kin(f, asker, owner))
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

/* ---- Cases ----------------------------------------------------------------------------------- */

static uint32_t add_case(struct family *f, int agency, struct lk_text number)
{
	struct word w = family_word(f, number);
	struct kin *u = family_add_kin(f);
	u->joined_to = NONE;
	u->episode_at = u->ended_at = u->pltm_at = LK_NO_INSTANT;
	u->episode_cause = u->pltm_cause = NONE;
	u->first[LK_CWS] = u->first[LK_CALWORKS] = NONE;
	struct kase *k = family_add_kase(f);
	k->number = w;
	k->agency = agency;
	k->kin = f->kins_n - 1;
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

uint32_t case_named(struct family *f, int agency, struct lk_text number)
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
	step_status_moment(s, k);
}

static void fold_case_opened(struct step *s)
{
	const struct lk_case_opened *d = &s->e->case_opened;
	struct kase *k = step_case(s);
	if (!k->open) {
		k->open = 1;
		k->opened_at = s->at;
		k->turned_step = s->f->steps;
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
	k->turned_step = s->f->steps;
	k->closing_on = LK_NO_DATE;
	step_moment(s, LK_CLOSURE_ONE_SIDE); /* settle_closure() decides what this closing means */
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
	kin_at(s->f, s->kase)->signed_step = s->f->steps;
}

static void fold_consent_revoked(struct step *s)
{
	uint32_t found = find_consent(s, s->e->consent_revoked.consent);
	kin_at(s->f, s->kase)->denied_step = s->f->steps;
	if (found == NONE)
		return;
	struct consent *c = &s->f->consents[found];
	c->ran_out = 0;
	if (!c->in_force)
		return;
	c->in_force = 0;
	struct moment *m = step_moment(s, LK_CONSENT_ENDED);
	m->subject = found;
	m->agency = LK_NO_CODE;
}

static void fold_consent_refused(struct step *s)
{
	kin_at(s->f, s->kase)->denied_step = s->f->steps;
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
	if (p->ended) /* the end that was planned is behind it */
		p->closing_on = LK_NO_DATE;
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
	bool creditable = (s->p->creditable & POLICY_BIT(d->category)) != 0;
	if (step_case(s)->agency == LK_CWS && creditable) /* told where the family is mutual */
		step_moment(s, LK_SERVICE_CREDIT)->from = d->category;
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
	struct moment *m = step_moment(s, LK_REFERRAL_CHANGED);
	m->subject = (uint32_t)(r - s->f->referrals);
	m->status = r->status;
	m->from = r->category;
	m->what = r->status < 0 ? r->to_agency : s->f->cases[r->maker].agency;
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
	struct moment *told = step_moment(s, LK_MEETING_CHANGED);
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
	struct moment *told = step_moment(s, LK_MEETING_CHANGED);
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
	step_moment(s, LK_MILESTONE_TOLD)->code = code;
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
	step_moment(s, LK_STATUS_CHANGED)->what = LK_WHAT_REMOVAL;
}

static void fold_child_returned(struct step *s)
{
	struct removal *r = find_removal(s, s->e->child_returned.person);
	if (r != NULL)
		r->returned = 1;
	step_moment(s, LK_STATUS_CHANGED)->what = LK_WHAT_RETURN;
}

static void fold_household_changed(struct step *s)
{
	step_moment(s, LK_STATUS_CHANGED)->what = LK_WHAT_HOUSEHOLD;
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

void cases_join(struct family *f, uint32_t a, uint32_t b, lk_instant at)
{
	uint32_t into = f->cases[a].kin, from = f->cases[b].kin;
	if (into == from)
		return;
	join_episodes(&f->kins[into], &f->kins[from]);
	f->kins[from].joined_to = into;
	f->kins[from].ended_at = at;
	for (uint32_t i = 0; i < f->cases_n; i++)
		if (f->cases[i].kin == from)
			f->cases[i].kin = into;
}

static void fold_link_confirmed(struct step *s)
{
	const struct lk_other *o = &s->e->link_confirmed.other;
	cases_join(s->f, s->kase, case_named(s->f, o->agency, o->number), s->at);
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

void step_fold(struct step *s)
{
	folds[s->e->type](s);
}
