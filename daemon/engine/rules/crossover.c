/* crossover.c - rules of families known, or likely, to be served by both agencies.
 *
 * In: episodes and likely matches. Out: crossover.found, crossover.possible. (crossover.ended is
 * compare's: it is told to those who had the notice that an undone link takes back.)
 * Promise: handbook 31-090 III.B, IV.B-C; ACIN I-70-09 G5; workbook "Cross-Referencing".
 */
#include "../derive.h"

#include <stdio.h>

static void found(struct derivation *d)
{
	char key[KEY_MAX];
	if (!is_mutual_for(d, POLICY_BIT(LK_CROSSOVER_FOUND)))
		return;
	key_episode(d, key);
	struct fact fact = fact_of(LK_CROSSOVER_FOUND, key);
	fact_because(&fact, kin_of(d)->episode_cause);
	fact_tell(d, &fact);
}

/* Within one instant the sources' names decide, as they do of all events. */
static bool opened_later(const struct family *f, uint32_t own, const struct likely *likely)
{
	if (f->cases[own].opened_at != likely->other_opened_at)
		return f->cases[own].opened_at > likely->other_opened_at;
	return lk_text_order(opening_source(f, own), likely->other_source) > 0;
}

/* Asked of the case that opened later: its worker found the family when the other case was there
 * already. */
static void possible(struct derivation *d, const struct likely *likely)
{
	char own_key[KEY_MAX], key[KEY_MAX];
	uint32_t own = family_case(d->f, likely->agency, likely->number);
	if (own == NONE || !d->f->cases[own].open)
		return;
	if (!opened_later(d->f, own, likely))
		return;
	key_case(d->f, own, own_key);
	snprintf(key, sizeof(key), "%.80s~%.*s", own_key, LK_PRINT(likely->other_number));
	struct fact fact = fact_of(LK_CROSSOVER_POSSIBLE, key);
	fact.discoverer = own;
	fact.other_number = likely->other_number;
	fact.contacts = likely->contacts;
	fact.contacts_n = likely->contacts_n;
	fact_tell(d, &fact);
}

void rules_crossover(struct derivation *d)
{
	found(d);
	for (size_t i = 0; i < d->s->likely_n; i++)
		possible(d, &d->s->likely[i]);
}
