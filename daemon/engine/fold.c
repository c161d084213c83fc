/* fold.c - events to state: who is on which case, what is signed, planned, due, and what happened
 * when.
 *
 * In: a family's events in order. Out: its state, and the list of moments (what is told once).
 * Promise: no clock, no I/O; the same events in the same order give the same bytes, whether folded
 * one by one as they come or all at once.
 */
#include "fold_step.h"

/* ---- The order of events --------------------------------------------------------------------- */

/* Within one instant: by source, then as the source says. */
static int instant_order(const struct fold_key *a, const struct fold_key *b)
{
	int order = lk_text_order(a->source, b->source);
	if (order != 0)
		return order;
	if (a->sequence != b->sequence)
		return a->sequence < b->sequence ? -1 : 1;
	if (a->place != b->place)
		return a->place < b->place ? -1 : 1;
	return lk_text_order(a->id, b->id);
}

/* What waited stands right behind its case's opening, by its own time: whatever is said of the case at the
 * opening's instant was said later. */
int fold_order(const struct fold_key *a, const struct fold_key *b)
{
	if (a->at != b->at)
		return a->at < b->at ? -1 : 1;
	int order = instant_order(a->opening != NULL ? a->opening : a,
				  b->opening != NULL ? b->opening : b);
	if (order != 0)
		return order;
	if ((a->opening != NULL) != (b->opening != NULL))
		return a->opening != NULL ? 1 : -1;
	if (a->time_at != b->time_at)
		return a->time_at < b->time_at ? -1 : 1;
	return instant_order(a, b);
}

bool fold_in_order(const struct family *f, const struct fold_key *key)
{
	if (key->at <= f->ticked_at || key->at < f->folded_at || key->opening != NULL)
		return false;
	if (key->at > f->folded_at)
		return true;
	if (f->last_source.at ==
	    NONE) /* one that had waited, or a link: its place is not known here */
		return false;
	struct fold_key last = {
		.at = f->folded_at,
		.time_at = f->folded_at,
		.source = family_text(f, f->last_source),
		.sequence = f->last_sequence,
		.place = f->last_place,
		.id = family_text(f, f->last_id),
	};
	return fold_order(&last, key) < 0;
}

/* ---- One event, one link --------------------------------------------------------------------- */

/* The word for a source, which has now spoken of the case. */
static struct word note_speaker(struct family *f, struct lk_text source, uint32_t kase)
{
	struct word w = NO_WORD;
	for (uint32_t i = 0; i < f->speakers_n; i++) {
		if (!family_says(f, f->speakers[i].source, source))
			continue;
		w = f->speakers[i].source;
		if (f->speakers[i].kase == kase)
			return w;
	}
	if (w.at == NONE)
		w = family_word(f, source);
	struct speaker *s = family_add_speaker(f);
	s->source = w;
	s->kase = kase;
	return w;
}

static uint32_t add_cause(struct family *f, const struct lk_event *e, struct word source,
			  lk_instant at)
{
	struct word id = words_append(&f->words, e->id);
	struct cause *c = family_add_cause(f);
	f->failed |= f->words.failed;
	c->source = source;
	c->id = id;
	c->at = at;
	c->agency = (int32_t)e->agency;
	c->type = (int32_t)e->type;
	return f->causes_n - 1;
}

/* What was said of the case's standing before its opening, the opening says anew: it came later. */
static bool is_replaced(const struct step *s)
{
	return s->e->type == LK_CASE_STATUS || s->e->type == LK_CASE_CLOSED ||
	       (s->e->type == LK_CASE_RESTRICTED && step_case(s)->limited_said);
}

void fold_event(struct family *f, const struct policy *p, const struct lk_event *event,
		const struct fold_key *key)
{
	fold_ticks(f, p, key->at, false);
	struct step s = { .f = f, .p = p, .e = event, .at = key->at };
	s.kase = case_named(f, (int)event->agency, event->subject);
	s.cause = add_cause(f, event, note_speaker(f, event->source, s.kase), key->at);
	if (f->failed)
		return;
	step_begin(&s);
	if (key->opening == NULL || !is_replaced(&s))
		step_fold(&s);
	if (!f->failed)
		step_settle(&s);
	f->folded_at = key->at;
	f->last_source = key->opening != NULL ? NO_WORD : f->causes[s.cause].source;
	f->last_id = f->causes[s.cause].id;
	f->last_sequence = key->sequence;
	f->last_place = key->place;
}

/* The opening that brought the tokens by which two cases are linked at its instant; NONE. */
static uint32_t opening_at(const struct family *f, lk_instant at)
{
	for (uint32_t i = f->causes_n; i > 0; i--)
		if (f->causes[i - 1].at == at && f->causes[i - 1].type == LK_CASE_OPENED)
			return i - 1;
	return NONE;
}

void fold_link(struct family *f, const struct policy *p, int agency, struct lk_text number,
	       int other_agency, struct lk_text other, lk_instant at)
{
	struct step s = { .f = f, .p = p, .at = at, .cause = NONE };
	fold_ticks(f, p, at, false);
	s.kase = case_named(f, agency, number);
	uint32_t joined = case_named(f, other_agency, other);
	if (f->failed)
		return;
	if (are_kin(f, s.kase, joined))
		return;
	s.cause = opening_at(f, at);
	step_begin(&s);
	cases_join(f, s.kase, joined, at);
	step_settle(&s);
	f->folded_at = at;
	f->last_source = NO_WORD;
}
