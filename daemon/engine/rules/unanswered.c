/* unanswered.c - notices that nobody has acknowledged, and sources that have fallen silent.
 *
 * In: what was told and answered; silent sources. Out: notice.unanswered, feed.silent.
 * Promise: deck "accountable". The hours count from the telling, so this is the one standing notice
 * that depends on when an event arrived.
 */
#include "../derive.h"

#include <stdio.h>

static lk_instant answer_by(const struct derivation *d, const struct told *t)
{
	const struct dated *hours =
		t->urgency == LK_URGENT ? &d->p->unanswered_urgent : &d->p->unanswered_prompt;
	return t->first_told_at + dated_on(hours, day_of(d, t->first_told_at)).n * LK_HOUR;
}

static bool waits(const struct told *t)
{
	return t->live && !t->doubled && t->urgency >= LK_PROMPT &&
	       t->answered_at == LK_NO_INSTANT && t->kind != LK_NOTICE_UNANSWERED && t->side >= 0;
}

/* The supervisor of the side; the liaison where there is none, or where it is the supervisor who
 * did not answer. */
static struct lk_text who_asks(const struct derivation *d, const struct told *t,
			       struct lk_text worker)
{
	uint32_t own = family_case(d->f, t->side, words_text(&d->told->words, t->own));
	struct lk_text asks = supervisor_of(d, t->side, own);
	if (!lk_text_given(asks) || lk_text_is(asks, worker))
		asks = lk_text_of(d->p->liaison[t->side]);
	return lk_text_is(asks, worker) ? LK_NO_TEXT : asks;
}

static void unanswered(struct derivation *d, const struct told *t)
{
	char id[LK_DIGEST_HEX], key[KEY_MAX];
	struct lk_text worker = words_text(&d->told->words, t->worker);
	struct person asks = { who_asks(d, t, worker), t->side, SLOT_ORGANIZER };
	lk_digest_hex(t->id, id);
	snprintf(key, sizeof(key), "%s/%lld", id, (long long)t->first_told_at);
	struct fact fact = fact_of(LK_NOTICE_UNANSWERED, key);
	fact.kase = family_case(d->f, t->side, words_text(&d->told->words, t->own));
	fact.agency = t->side;
	fact.about.kind = t->kind;
	fact.about.worker = worker;
	fact.people = &asks;
	fact.people_n = lk_text_given(asks.worker);
	fact.notice = t->id;
	fact_tell(d, &fact);
}

void rules_unanswered(struct derivation *d)
{
	d->lacks = is_short(d);
	if (d->lacks)
		return;
	for (uint32_t i = 0; i < d->told->n; i++)
		if (waits(&d->told->at[i]) && has_come(d, answer_by(d, &d->told->at[i])))
			unanswered(d, &d->told->at[i]);
}

void rules_feed(struct derivation *d)
{
	for (size_t i = 0; i < d->s->silent_n; i++) {
		char key[KEY_MAX];
		snprintf(key, sizeof(key), "%.*s", LK_PRINT(d->s->silent[i]));
		struct fact fact = fact_of(LK_FEED_SILENT, key);
		fact.about.source = d->s->silent[i];
		fact_tell(d, &fact);
	}
}
