/* fold_time.c - what the passing of time brings: a consent's last day, a month without a visit, the eve of a
 * meeting.
 *
 * In: a family, and how far time has gone. Out: a step a tick, each at its own instant, in order. Promise:
 * ends come at midnight, before the events of that instant; reminders at their hour, after them.
 */
#include "fold_step.h"

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

/* The next midnight at which something ends: a month, or a consent. */
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

static bool any_in_force(const struct family *f, uint32_t kin)
{
	for (uint32_t i = 0; i < f->consents_n; i++)
		if (f->consents[i].in_force && f->cases[f->consents[i].kase].kin == kin)
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
		step_begin(s);
		if (!any_in_force(s->f, step_case(s)->kin)) {
			struct moment *m = step_moment(s, LK_CONSENT_ENDED);
			m->subject = i;
			m->agency = LK_NO_CODE;
			m->what = ENDED_BY_DAY;
			m->at = zone_instant(&s->p->zone, c->expires + 1, s->p->day_begins);
		}
		step_settle(s);
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
		struct moment *m = step_moment(s, LK_VISIT_MISSED);
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
		struct moment *m = step_moment(s, LK_MEETING_REMINDER);
		m->agency = s->f->versions[i].agency;
		m->subject = i;
	}
}

void fold_ticks(struct family *f, const struct policy *p, lk_instant until, bool whole)
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
	fold_ticks(f, p, now, true);
}
