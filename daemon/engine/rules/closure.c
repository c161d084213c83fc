/* closure.c - rules of an end that is planned on one side while the other goes on.
 *
 * In: planned ends of cases and plans. Out: closure.planned. (What happens when a case closes is a
 * moment.)
 * Promise: ACIN I-70-09 G18, the key milestone: either case is about to end.
 */
#include "../derive.h"

#include <stdio.h>

static void tell_planned(struct derivation *d, uint32_t kase, int what, const char *key,
			 lk_date due, uint32_t cause)
{
	struct fact fact = fact_of(LK_CLOSURE_PLANNED, key);
	fact.kase = kase;
	fact.agency = d->f->cases[kase].agency;
	fact.due = due;
	fact.about.what = what;
	fact_because(&fact, cause);
	fact_tell(d, &fact);
}

static void case_planned(struct derivation *d, uint32_t kase)
{
	char owner[KEY_MAX], key[KEY_MAX];
	const struct kase *k = &d->f->cases[kase];
	if (!k->open || k->closing_on == LK_NO_DATE)
		return;
	key_case(d->f, kase, owner);
	snprintf(key, sizeof(key), "case/%.200s", owner);
	tell_planned(d, kase, LK_WHAT_CASE, key, k->closing_on, k->closing_cause);
}

static void plan_planned(struct derivation *d, const struct plan *p)
{
	char owner[KEY_MAX], key[KEY_MAX];
	if (p->ended || p->closing_on == LK_NO_DATE || !d->f->cases[p->kase].open)
		return;
	key_named(d->f, p->kase, p->id, owner);
	snprintf(key, sizeof(key), "plan/%.200s", owner);
	tell_planned(d, p->kase, LK_WHAT_PLAN, key, p->closing_on, p->closing_cause);
}

void rules_closure(struct derivation *d)
{
	if (!is_mutual_for(d, POLICY_BIT(LK_CLOSURE_PLANNED)))
		return;
	for (uint32_t i = 0; i < d->f->cases_n; i++)
		case_planned(d, i);
	for (uint32_t i = 0; i < d->f->plans_n; i++)
		plan_planned(d, &d->f->plans[i]);
}
