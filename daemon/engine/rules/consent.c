/* consent.c - rules that ask for a family's consent and watch over it.
 *
 * In: consents, episodes. Out: consent.needed, consent.expiring. (consent.ended is a moment:
 * rules/moment.c.)
 * Promise: handbook 31-090 IV.D (who discovers the family asks), WIC 832 (a consent has an end).
 */
#include "../derive.h"

static bool is_limited(const struct family *f)
{
	for (uint32_t i = 0; i < f->cases_n; i++)
		if (f->cases[i].open && f->cases[i].limited)
			return true;
	return false;
}

static bool in_force(const struct family *f)
{
	for (uint32_t i = 0; i < f->consents_n; i++)
		if (f->consents[i].in_force)
			return true;
	return false;
}

/* A family that said no in this episode is not asked again until it has signed once more. */
static bool was_denied(const struct kin *k)
{
	return k->denied_step > k->signed_step && k->denied_step >= k->episode_step;
}

/* Where the last consent's day passed during the episode, its end began this by the passing of
 * days: at 08:00. */
static bool has_begun(struct derivation *d)
{
	lk_date last = LK_NO_DATE;
	for (uint32_t i = 0; i < d->f->consents_n; i++)
		if (d->f->consents[i].ran_out && d->f->consents[i].expires > last)
			last = d->f->consents[i].expires;
	if (last == LK_NO_DATE || midnight(d, last + 1) < kin_of(d)->episode_at)
		return true;
	return has_come(d, morning(d, last + 1));
}

static void needed(struct derivation *d)
{
	char key[KEY_MAX];
	if (is_limited(d->f) || in_force(d->f) || was_denied(kin_of(d)) || !has_begun(d))
		return;
	key_episode(d, key);
	struct fact fact = fact_of(LK_CONSENT_NEEDED, key);
	fact.discoverer = discovered_case(d);
	fact_because(&fact, kin_of(d)->episode_cause);
	fact_tell(d, &fact);
}

/* The consent in force that ends last; NONE where there is none, or one without an end. */
static uint32_t last_to_expire(const struct family *f)
{
	uint32_t last = NONE;
	for (uint32_t i = 0; i < f->consents_n; i++) {
		if (!f->consents[i].in_force)
			continue;
		if (f->consents[i].expires == LK_NO_DATE)
			return NONE;
		if (last == NONE || f->consents[i].expires > f->consents[last].expires)
			last = i;
	}
	return last;
}

static void expiring(struct derivation *d)
{
	char key[KEY_MAX];
	uint32_t last = last_to_expire(d->f);
	if (last == NONE)
		return;
	const struct consent *c = &d->f->consents[last];
	struct duration before = value_today(d, &d->p->consent_expiring_before, SOONER_BY_MORE);
	if (!has_come(d, morning(d, day_before(c->expires, before))))
		return;
	key_named(d->f, c->kase, c->id, key);
	struct fact fact = fact_of(LK_CONSENT_EXPIRING, key);
	fact.due = c->expires;
	fact_because(&fact, c->cause);
	fact_tell(d, &fact);
}

void rules_consent(struct derivation *d)
{
	if (!is_mutual_for(d, POLICY_BIT(LK_CONSENT_NEEDED) | POLICY_BIT(LK_CONSENT_EXPIRING)))
		return;
	needed(d);
	expiring(d);
}
