/* moment.c - what happened, told once: from the fold's list of moments to facts.
 *
 * In: moments. Out: consent.ended, status.changed, milestone.reached, closure.*, meeting.changed,
 * meeting.reminder, visit.missed, service.credit, referral.changed. Promise: a moment older than
 * policy allows is not told any more, but still follows: it is not taken back either. History is
 * loaded without a flood.
 */
#include "../derive.h"

#include <stdio.h>
#include <string.h>

#define CAUSE_MAX 200 /* what a key has of its cause; a day comes behind it */

static void about_status(struct derivation *d, const struct moment *m, struct fact *fact)
{
	(void)d;
	fact->about.what = m->what;
	fact->about.from = m->from;
	fact->about.status = m->status;
}

static void about_milestone(struct derivation *d, const struct moment *m, struct fact *fact)
{
	fact->about.milestone = family_text(d->f, m->code);
}

static void about_consent(struct derivation *d, const struct moment *m, struct fact *fact)
{
	(void)d;
	(void)m;
	fact->kase = NONE; /* the whole family's */
}

static void about_service(struct derivation *d, const struct moment *m, struct fact *fact)
{
	(void)d;
	fact->about.category = m->from;
}

static void about_referral(struct derivation *d, const struct moment *m, struct fact *fact)
{
	const struct referral *r = &d->f->referrals[m->subject];
	bool made = m->status < 0;
	fact->about.referral = family_text(d->f, r->id);
	fact->about.category = m->from;
	fact->about.referral_status = m->status;
	fact->to_side = m->what;
	fact->discoverer = made ? NONE : r->maker;
	if (!made && fact->to_side == fact->agency)
		fact->kase = r->maker; /* it is about the referral of that case */
}

static uint32_t add_people(const struct derivation *d, const struct version *v, enum slot slot,
			   uint32_t first, uint32_t n, struct person *out)
{
	for (uint32_t i = 0; i < n; i++) {
		struct lk_text worker = family_text(d->f, d->f->names[first + i]);
		int side = side_of(d->f, worker);
		out[i] = (struct person){ worker, side >= 0 ? side : v->agency, slot };
	}
	return n;
}

/* The people a moment names live as long as the telling of it; there is one at a time. */
static void about_meeting(struct derivation *d, const struct moment *m, struct fact *fact)
{
	static _Thread_local struct person people[PEOPLE_MAX];
	const struct version *v = &d->f->versions[m->subject];
	fact->kase = d->f->meetings[v->meeting].kase; /* not that of a sibling which moved it */
	fact->about.meeting = family_text(d->f, d->f->meetings[v->meeting].id);
	fact->about.meeting_kind = v->kind;
	fact->about.change = m->what;
	fact->about.start = zone_time(&d->p->zone, v->start_at);
	fact->about.end = zone_time(&d->p->zone, v->end_at);
	fact->about.place = family_text(d->f, v->place);
	fact->people_n = add_people(d, v, SLOT_REQUIRED, v->required, v->required_n, people);
	fact->people_n += add_people(d, v, SLOT_OPTIONAL, v->optional, v->optional_n,
				     people + fact->people_n);
	fact->people = people;
}

/* Of a meeting that has begun, was moved or was cancelled since, nobody is reminded. */
static void about_reminder(struct derivation *d, const struct moment *m, struct fact *fact)
{
	const struct version *v = &d->f->versions[m->subject];
	const struct meeting *meeting = &d->f->meetings[v->meeting];
	about_meeting(d, m, fact);
	fact->about.change = LK_NO_CODE;
	if (d->now >= v->start_at || meeting->version != m->subject ||
	    meeting->state != MEETING_PLANNED)
		fact->bar = BAR_BEGUN;
}

static void about_visit(struct derivation *d, const struct moment *m, struct fact *fact)
{
	if (!absence_holds(d, m->kase, fact))
		fact->bar = BAR_SILENT;
}

static void about_nothing(struct derivation *d, const struct moment *m, struct fact *fact)
{
	(void)d;
	(void)m;
	(void)fact;
}

typedef void about_function(struct derivation *d, const struct moment *m, struct fact *fact);
static about_function *const abouts[lk_notice_kind_count] = {
	[LK_CONSENT_ENDED] = about_consent,     [LK_STATUS_CHANGED] = about_status,
	[LK_MILESTONE_TOLD] = about_milestone,  [LK_CLOSURE_ONE_SIDE] = about_nothing,
	[LK_CLOSURE_BOTH] = about_nothing,      [LK_CLOSURE_SCREEN] = about_nothing,
	[LK_MEETING_CHANGED] = about_meeting,   [LK_MEETING_REMINDER] = about_reminder,
	[LK_VISIT_MISSED] = about_visit,        [LK_SERVICE_CREDIT] = about_service,
	[LK_REFERRAL_CHANGED] = about_referral,
};

/* A moment that an event caused is named by it; one that a day brought, by what it is about and the
 * day. */
static void key_moment(const struct derivation *d, const struct moment *m, char out[KEY_MAX])
{
	char day[LK_DATE_TEXT];
	bool by_event = m->kind != LK_VISIT_MISSED && m->kind != LK_MEETING_REMINDER &&
			!(m->kind == LK_CONSENT_ENDED && m->what == ENDED_BY_DAY);
	if (m->cause != NONE)
		cause_name(d->f, m->cause, out, CAUSE_MAX + 1);
	else
		key_case(d->f, m->kase, out);
	if (by_event)
		return;
	size_t len = strlen(out);
	lk_date_print(day_of(d, m->at), day);
	snprintf(out + len, KEY_MAX - len, "/%s", day);
}

static enum bar age_bar(const struct derivation *d, const struct moment *m)
{
	lk_date day = day_of(d, m->at);
	if (d->p->quiet_before != LK_NO_DATE && day < d->p->quiet_before)
		return BAR_QUIET;
	bool stale = today(d) - day > dated_on(&d->p->moments_stale_after, day).n;
	return stale ? BAR_STALE : BAR_NONE;
}

/* False: it has not come. */
static bool tell_moment(struct derivation *d, const struct moment *m)
{
	char key[KEY_MAX];
	if (!has_come(d, m->at))
		return false;
	key_moment(d, m, key);
	struct fact fact = fact_of(m->kind, key);
	fact.kase = m->kase;
	fact.agency = m->agency;
	fact.at = m->at;
	fact.barred = m->barred;
	fact.urgency = m->urgency;
	fact.bar = age_bar(d, m);
	fact_because(&fact, m->cause);
	abouts[m->kind](d, m, &fact);
	fact_tell(d, &fact);
	return true;
}

void rules_moment(struct derivation *d)
{
	bool all_came = true;
	uint32_t away = d->f->moments_away; /* of these all is told */
	for (uint32_t i = d->settled.moments - away; i < d->f->moments_n; i++) {
		all_came &= tell_moment(d, &d->f->moments[i]);
		if (all_came)
			d->settled.moments = away + i + 1;
	}
}
