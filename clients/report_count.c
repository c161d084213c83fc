/* report_count.c - what is counted of one family, month by month.
 *
 * In: a family's cases, and what happened to them. Out: counts in the report. Promise: each family's history is walked once, in
 * the order in which it happened; what is counted at a month's end is what stood then, not what stands now.
 */
#include "report_parts.h"

#include "engine/calendar.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define REPEAT_DAYS 365

/* ---- Days and months -------------------------------------------------------------------------------------------------- */

static struct tm local(lk_instant at)
{
	time_t seconds = (time_t)(at / LK_SECOND);
	struct tm tm = { 0 };

	(void)localtime_r(&seconds, &tm);
	return tm;
}

lk_date report_day(lk_instant at)
{
	struct tm tm = local(at);

	return lk_date_of(tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday);
}

static int month_of(lk_instant at)
{
	struct tm tm = local(at);

	return (tm.tm_year + 1900) * 12 + tm.tm_mon;
}

lk_instant report_month_end(int month)
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
	if (was_held(w, report_day(at), ltm))
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
	m->days[m->days_n++] = report_day(at) - report_day(s->begun_at);
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
			 report_day(h->at) - report_day(o->closed_at) <= REPEAT_DAYS;
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
	lk_date day = c->closing_on != LK_NO_DATE ? c->closing_on : report_day(h->at);

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

void report_count(struct walk *w)
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
