/* status.c - rules that a case's status sets off on the CalWORKs side: sanctions, reunification,
 * the 60-month clock.
 *
 * In: statuses, removals, reported months. Out: sanction.review, reunification.evaluate,
 * reunification.ending, clock.near.
 * Promise: ACIN I-70-09 G10, G18; AB 429, AB 135. Lengths that the law changed are read for the day
 * of their cause (reunification) or for today (the clock, compared with a report): domain.md,
 * section 2.
 */
#include "../derive.h"
#include "../fold.h"

/* Effort on the CWS plan may be good cause. */
static void sanction_review(struct derivation *d, uint32_t kase)
{
	char key[KEY_MAX];
	const struct kase *k = &d->f->cases[kase];
	if (k->not_meeting_at == LK_NO_INSTANT || !has_linkages_case(d->f, d->p, k->kin))
		return;
	key_case(d->f, kase, key);
	struct fact fact = fact_of(LK_SANCTION_REVIEW, key);
	fact.kase = kase;
	fact_because(&fact, k->status_cause);
	fact_tell(d, &fact);
}

static void reunification_evaluate(struct derivation *d, uint32_t kase)
{
	char key[KEY_MAX];
	key_case(d->f, kase, key);
	struct fact fact = fact_of(LK_REUNIFICATION_EVALUATE, key);
	fact.agency = LK_CWS;
	for (uint32_t i = 0; i < d->f->removals_n; i++) {
		const struct removal *r = &d->f->removals[i];
		if (r->returned || !d->f->cases[r->kase].open)
			continue;
		bool own = d->f->cases[r->kase].agency == LK_CALWORKS;
		fact.agency = own ? LK_CALWORKS : fact.agency;
		fact.kase = fact.causes_n == 0 ? r->kase : fact.kase; /* whose child it is */
		fact_because(&fact, r->cause);
	}
	if (fact.causes_n == 0 || d->f->cases[kase].status == LK_REUNIFICATION)
		return;
	fact.discoverer = kase;
	if (fact.agency == LK_CALWORKS) /* its own side has said so: it is told as that */
		fact.kase = kase;
	fact_tell(d, &fact);
}

/* The last day of aid or services: the status's own, or six full months after the month of its
 * start. */
static lk_date reunification_end(const struct derivation *d, const struct kase *k)
{
	if (k->status_until != LK_NO_DATE)
		return k->status_until;
	lk_date start = day_of(d, k->status_at);
	struct duration length = dated_on(&d->p->reunification_length, start);
	if (length.unit == UNIT_MONTHS)
		return date_month_last(date_add_months(date_month_first(start), length.n));
	return day_after(start, length);
}

static void reunification_ending(struct derivation *d, uint32_t kase)
{
	char key[KEY_MAX];
	const struct kase *k = &d->f->cases[kase];
	if (k->status != LK_REUNIFICATION)
		return;
	lk_date end = reunification_end(d, k);
	struct duration before = value_today(d, &d->p->reunification_ending_before, SOONER_BY_MORE);
	if (has_come(d, midnight(d, end + 1)) || !has_come(d, morning(d, day_before(end, before))))
		return;
	key_case(d->f, kase, key);
	struct fact fact = fact_of(LK_REUNIFICATION_ENDING, key);
	fact.kase = kase;
	fact.agency = LK_CALWORKS;
	fact.due = end;
	fact_because(&fact, k->status_cause);
	fact_tell(d, &fact);
}

static void clock_near(struct derivation *d, uint32_t kase)
{
	char key[KEY_MAX];
	const struct kase *k = &d->f->cases[kase];
	if (k->clock_used < 0 || k->status == LK_TIMED_OUT)
		return;
	int64_t left = value_today(d, &d->p->clock_limit, SOONER_BY_LESS).n - k->clock_used;
	if (left > value_today(d, &d->p->clock_near, SOONER_BY_MORE).n)
		return;
	key_case(d->f, kase, key);
	struct fact fact = fact_of(LK_CLOCK_NEAR, key);
	fact.kase = kase;
	fact.agency = LK_CALWORKS;
	fact.about.left = left;
	fact_because(&fact, k->clock_cause);
	fact_tell(d, &fact);
}

void rules_status(struct derivation *d)
{
	static void (*const rules[])(struct derivation *, uint32_t) = {
		sanction_review,
		reunification_evaluate,
		reunification_ending,
		clock_near,
	};
	const unsigned kinds = POLICY_BIT(LK_SANCTION_REVIEW) |
			       POLICY_BIT(LK_REUNIFICATION_EVALUATE) |
			       POLICY_BIT(LK_REUNIFICATION_ENDING) | POLICY_BIT(LK_CLOCK_NEAR);
	if (!is_mutual_for(d, kinds))
		return;
	for (uint32_t i = 0; i < d->f->cases_n; i++)
		for (size_t r = 0; r < sizeof(rules) / sizeof(rules[0]); r++)
			if (d->f->cases[i].agency == LK_CALWORKS && d->f->cases[i].open)
				rules[r](d, i);
}
