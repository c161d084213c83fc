/* visit.c - the monthly face-to-face visit, by calendar month. (visit.missed is a moment.)
 *
 * In: CWS cases and contacts. Out: visit.due. Promise: handbook 31-090 V.A.6; measures 2S and 2F
 * count calendar months.
 */
#include "../derive.h"

#include <stdio.h>

static void due(struct derivation *d, uint32_t kase)
{
	char owner[KEY_MAX], key[KEY_MAX], month[LK_DATE_TEXT];
	const struct kase *k = &d->f->cases[kase];
	lk_date first = date_month_first(today(d)), last = date_month_last(today(d));
	lk_instant began_at = midnight(d, first);
	lk_date before = day_before(last, dated_on(&d->p->visit_before, last));
	lk_date told_from = before > first ? before : first;
	if (k->opened_at >= began_at || k->visited_at >= began_at ||
	    !has_come(d, morning(d, told_from)))
		return;
	(void)has_come(d, midnight(d, last + 1));
	key_case(d->f, kase, owner);
	lk_date_print(first, month);
	snprintf(key, sizeof(key), "%.200s/%s", owner, month);
	struct fact fact = fact_of(LK_VISIT_DUE, key);
	fact.kase = kase;
	fact.agency = LK_CWS;
	fact.due = last;
	fact_because(&fact, k->status_cause);
	if (absence_holds(d, kase, &fact))
		fact_tell(d, &fact);
}

void rules_visit(struct derivation *d)
{
	for (uint32_t i = 0; i < d->f->cases_n; i++) {
		const struct kase *k = &d->f->cases[i];
		if (k->open && k->agency == LK_CWS &&
		    (d->p->visit_statuses & POLICY_BIT(k->status)) != 0) {
			due(d, i);
			(void)has_come(d, midnight(d, date_month_last(today(d)) + 1));
		}
	}
}
