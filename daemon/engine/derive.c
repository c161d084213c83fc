/* derive.c - all rules, asked at one instant; and what rules look at: the time, the family as it is.
 *
 * In: state, policy, surroundings, what was told, now. Out: candidates, one a recipient, and the
 * next instant.
 * Promise: pure; the time is asked for by has_come() alone, so that no wake is forgotten; what cannot differ
 * is not derived again.
 */
#include "derive.h"

#include <stdlib.h>
#include <string.h>

/* ---- Time ------------------------------------------------------------------------------------ */
bool has_come(struct derivation *d, lk_instant at)
{
	if (at <= d->now)
		return true;
	if (d->wake == LK_NO_INSTANT || at < d->wake)
		d->wake = at;
	return false;
}

lk_instant morning(const struct derivation *d, lk_date day)
{
	return zone_instant(&d->p->zone, day, d->p->day_begins);
}

lk_instant midnight(const struct derivation *d, lk_date day)
{
	return zone_instant(&d->p->zone, day, 0);
}

lk_date day_of(const struct derivation *d, lk_instant at)
{
	return zone_date(&d->p->zone, at);
}

lk_date today(const struct derivation *d)
{
	return day_of(d, d->now);
}

lk_date day_after(lk_date day, struct duration duration)
{
	return duration.unit == UNIT_MONTHS ? date_add_months(day, duration.n) : day + duration.n;
}

lk_date day_before(lk_date day, struct duration duration)
{
	return day_after(day, (struct duration){ -duration.n, duration.unit });
}

/* Between the midnight and the morning of such a day? */
static bool is_changing(struct derivation *d, const struct dated *value)
{
	bool changing = false;
	for (uint32_t i = 1; i < value->n; i++)
		changing |= has_come(d, midnight(d, value->at[i].from)) &&
			    !has_come(d, morning(d, value->at[i].from));
	return changing;
}

struct duration value_today(struct derivation *d, const struct dated *value, enum sooner sooner)
{
	struct duration now = dated_on(value, today(d)), before = dated_on(value, today(d) - 1);
	bool begins = sooner == SOONER_BY_MORE ? now.n > before.n : now.n < before.n;
	return is_changing(d, value) && begins ? before : now;
}

/* ---- The family ------------------------------------------------------------------------------ */
const struct kin *kin_of(const struct derivation *d)
{
	static const struct kin nobody = { .joined_to = NONE };
	return d->f->cases_n > 0 ? &d->f->kins[d->f->cases[0].kin] : &nobody;
}

bool is_mutual(const struct derivation *d)
{
	return kin_of(d)->mutual;
}

bool is_mutual_for(const struct derivation *d, unsigned kinds)
{
	bool mutual = is_mutual(d);
	for (int kind = 0; !mutual && d->trace != NULL && kind < lk_notice_kind_count; kind++)
		if ((kinds & POLICY_BIT(kind)) != 0)
			d->trace->rule(d->trace->context, kind, BAR_NOT_MUTUAL);
	return mutual;
}

bool has_open(const struct derivation *d, int agency)
{
	for (uint32_t i = 0; i < d->f->cases_n; i++)
		if (d->f->cases[i].agency == agency && d->f->cases[i].open)
			return true;
	return false;
}

static bool answers_before(const struct kase *a, const struct kase *b)
{
	if (a->open != b->open)
		return a->open;
	return a->open ? a->turned_step < b->turned_step : a->turned_step > b->turned_step;
}

uint32_t main_case(const struct family *f, int agency)
{
	uint32_t best = NONE;
	for (uint32_t i = 0; i < f->cases_n; i++) {
		const struct kase *k = &f->cases[i];
		if (k->agency != agency || k->first_opened_at == LK_NO_INSTANT)
			continue;
		if (best == NONE || answers_before(k, &f->cases[best]))
			best = i;
	}
	return best;
}

uint32_t discovered_case(const struct derivation *d)
{
	uint32_t last = NONE;
	for (uint32_t i = 0; i < d->f->cases_n; i++) {
		const struct kase *k = &d->f->cases[i];
		if (!k->open)
			continue;
		if (last == NONE || k->turned_step > d->f->cases[last].turned_step)
			last = i;
	}
	return last;
}

struct lk_text opening_source(const struct family *f, uint32_t kase)
{
	const struct kase *k = &f->cases[kase];
	for (uint32_t i = f->causes_n; i > 0; i--) {
		const struct cause *c = &f->causes[i - 1];
		if (c->type == LK_CASE_OPENED && c->at == k->opened_at && c->agency == k->agency)
			return family_text(f, c->source);
	}
	return LK_NO_TEXT;
}

bool is_assigned(const struct family *f, struct lk_text worker)
{
	for (uint32_t i = 0; i < f->assignments_n; i++)
		if (f->assignments[i].until_step == 0 &&
		    family_says(f, f->assignments[i].worker, worker))
			return true;
	return false;
}

int side_of(const struct family *f, struct lk_text worker)
{
	int side = LK_NO_CODE;
	for (uint32_t i = 0; i < f->assignments_n; i++) {
		const struct assignment *a = &f->assignments[i];
		if (!family_says(f, a->worker, worker))
			continue;
		side = f->cases[a->kase].agency;
		if (a->until_step == 0)
			return side;
	}
	return side;
}

/* ---- The scene: everything that rules read but moments, causes and the time ------------------- */

static uint64_t mix_word(uint64_t sum, uint64_t word)
{
	sum = (sum ^ word) * UINT64_C(0x9E3779B97F4A7C15);
	return sum ^ sum >> 29;
}

#define SUMMED (4 * sizeof(uint64_t))

/* Four sums side by side, as long as there is a word for each: one alone would wait for each of its products. Two words
 * that change alike would make a and b change alike, and nothing of it would be left where these meet: b is turned round first. */
static uint64_t mix_many(uint64_t scene, const uint8_t *from, size_t len)
{
	uint64_t a = scene, b = 0, c = 0, d = 0, word[4];
	for (; len >= SUMMED; len -= SUMMED, from += SUMMED) {
		memcpy(word, from, SUMMED);
		a = mix_word(a, word[0]);
		b = mix_word(b, word[1]);
		c = mix_word(c, word[2]);
		d = mix_word(d, word[3]);
	}
	return mix_word(mix_word(mix_word(a, b << 32 | b >> 32), c), d);
}

static uint64_t mix(uint64_t scene, const void *at, size_t len)
{
	const uint8_t *from = at;
	if (len >= SUMMED) {
		scene = mix_many(scene, from, len);
		from += len - len % SUMMED;
		len %= SUMMED;
	}
	for (; len > 0; len -= len < 8 ? len : 8, from += 8) {
		uint64_t word = 0;
		memcpy(&word, from, len < 8 ? len : 8);
		scene = mix_word(scene, word);
	}
	return scene;
}

static uint64_t mix_text(uint64_t scene, struct lk_text text)
{
	scene = mix(scene, &text.len, sizeof(text.len));
	return text.at == NULL ? ~scene : mix(scene, text.at, text.len);
}

static uint64_t mix_busy(uint64_t scene, const struct busy *b)
{
	const lk_instant at[] = { b->start_at, b->end_at, b->said_at };
	const int who[] = { b->agency, b->kind, b->family_first };
	scene = mix_text(mix_text(mix_text(scene, b->worker), b->meeting), b->place);
	return mix(mix(scene, at, sizeof(at)), who, sizeof(who));
}

static uint64_t mix_likely(uint64_t scene, const struct likely *l)
{
	scene = mix(mix_text(scene, l->number), &l->agency, sizeof(l->agency));
	scene = mix_text(scene, l->other_number);
	scene = mix(scene, &l->other_opened_at, sizeof(l->other_opened_at));
	scene = mix_text(scene, l->other_source);
	for (uint32_t i = 0; i < l->contacts_n; i++) {
		const struct lk_contact *c = &l->contacts[i];
		const int who[] = { c->agency, c->role };
		scene = mix_text(mix_text(mix_text(scene, c->worker), c->name), c->phone);
		scene = mix(scene, who, sizeof(who));
	}
	return scene;
}

/* Never 0. While a source is silent, absence rules look at what was told: nothing is kept then. */
static uint64_t scene_of(const struct derivation *d)
{
	uint64_t scene = mix(d->f->cases_n, d->p->revision, sizeof(d->p->revision));
	if (d->s->silent_n > 0)
		return 0;
#define MIX_VECTOR(record, plural) \
	scene = mix(mix(scene, &d->f->plural##_n, sizeof(d->f->plural##_n)), d->f->plural, \
		    d->f->plural##_n * sizeof(struct record));
	FAMILY_SCENE(MIX_VECTOR)
	for (size_t i = 0; i < d->s->busy_n; i++)
		scene = mix_busy(scene, &d->s->busy[i]);
	for (size_t i = 0; i < d->s->likely_n; i++)
		scene = mix_likely(scene, &d->s->likely[i]);
	return scene | 1;
}

/* ---- All rules ------------------------------------------------------------------------------- */
static void derive_standing(struct derivation *d)
{
	static void (*const rules[])(struct derivation *) = {
		rules_crossover, rules_consent,    rules_status, rules_closure,
		rules_meeting,   rules_reschedule, rules_visit,  rules_service,
	};
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		rules[i](d);
}

bool is_short(const struct derivation *d)
{
	return d->f->moments_away > 0 || d->told->away > 0;
}

/* Nothing but moments can be news: the scene is as it was, and no instant has come at which a rule
 * would look again. */
static bool stands_still(const struct derivation *d)
{
	const struct settled *before = &d->told->settled;
	return d->settled.scene != 0 && d->settled.scene == before->scene &&
	       (before->wake == LK_NO_INSTANT || d->now < before->wake);
}

void derive(struct derivation *out)
{
	out->settled.scene = out->thrifty ? scene_of(out) : 0;
	out->partial = stands_still(out);
	out->lacks = !out->partial && is_short(out);
	if (out->lacks)
		return;
	out->wake = out->partial ? out->told->settled.wake : LK_NO_INSTANT;
	out->settled.moments = out->partial ? out->told->settled.moments : 0;
	rules_moment(out);
	if (!out->partial)
		derive_standing(out);
	out->settled.wake = out->wake;
}

void derivation_free(struct derivation *d)
{
	if (is_own_room(d->room))
		free(d->at);
	d->at = NULL;
	d->n = d->room = 0;
}
