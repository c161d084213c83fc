/* service.c - services that both sides pay for, and referrals nobody has answered.
 *
 * In: running services, referrals. Out: service.duplicate, referral.overdue. (service.credit and
 * referral.changed are moments.) Promise: handbook 31-090 III.C.3; workbook "Referral tracking".
 */
#include "../derive.h"

#include <stdio.h>

/* The first running service of a category on a side; NONE. */
static uint32_t running(const struct family *f, int agency, int category)
{
	for (uint32_t i = 0; i < f->services_n; i++) {
		const struct service *s = &f->services[i];
		const struct kase *k = &f->cases[s->kase];
		if (s->running && s->category == category && k->agency == agency && k->open)
			return i;
	}
	return NONE;
}

static void duplicate(struct derivation *d, int category)
{
	char episode[KEY_MAX], key[KEY_MAX];
	uint32_t cws = running(d->f, LK_CWS, category),
		 calworks = running(d->f, LK_CALWORKS, category);
	if (cws == NONE || calworks == NONE)
		return;
	key_episode(d, episode);
	snprintf(key, sizeof(key), "%s/%.200s", lk_category_word(category), episode);
	struct fact fact = fact_of(LK_SERVICE_DUPLICATE, key);
	fact.about.category = category;
	fact_because(&fact, d->f->services[cws].cause);
	fact_because(&fact, d->f->services[calworks].cause);
	fact_tell(d, &fact);
}

static void overdue(struct derivation *d, const struct referral *r)
{
	char key[KEY_MAX];
	bool done = r->status == LK_DECLINED || r->status == LK_REFERRAL_COMPLETED;
	if (done || r->follow_up == LK_NO_DATE || !has_come(d, morning(d, r->follow_up + 1)))
		return;
	/* It is the maker's duty, whoever first named the referral. */
	key_named(d->f, r->maker, r->id, key);
	struct fact fact = fact_of(LK_REFERRAL_OVERDUE, key);
	fact.kase = r->maker;
	fact.agency = d->f->cases[r->maker].agency;
	fact.due = r->follow_up;
	fact.about.referral = family_text(d->f, r->id);
	fact_because(&fact, r->cause);
	if (absence_holds(d, NONE, &fact))
		fact_tell(d, &fact);
}

void rules_service(struct derivation *d)
{
	bool mutual = is_mutual_for(d, POLICY_BIT(LK_SERVICE_DUPLICATE));
	for (int category = 0; mutual && category < lk_category_count; category++)
		duplicate(d, category);
	for (uint32_t i = 0; i < d->f->referrals_n; i++)
		overdue(d, &d->f->referrals[i]);
}
