/* fact.c - a fact is told: a candidate for each who is to hear it, at the level that each may see.
 *
 * In: what a rule says. Out: candidates, named so that no late event changes their names. Promise: the level
 * of every candidate is what disclosed() allows; nobody gets one standing notice twice.
 */
#include "place.h"

#include <stdio.h>
#include <string.h>

/* ---- Facts ----------------------------------------------------------------------------------- */
struct fact fact_of(int kind, const char *key)
{
	struct fact fact = {
		.kind = kind,
		.key = key,
		.kase = NONE,
		.agency = LK_NO_CODE,
		.only = LK_NO_CODE,
		.to_side = LK_NO_CODE,
		.due = LK_NO_DATE,
		.at = LK_NO_INSTANT,
		.urgency = LK_NO_CODE,
		.with_agency = LK_NO_CODE,
		.discoverer = NONE,
	};
	lk_about_clear(&fact.about);
	return fact;
}

void fact_because(struct fact *fact, uint32_t cause)
{
	for (uint32_t i = 0; i < fact->causes_n; i++)
		if (fact->causes[i] == cause)
			return;
	if (cause != NONE && fact->causes_n < LK_BECAUSE_MAX)
		fact->causes[fact->causes_n++] = cause;
}

void key_case(const struct family *f, uint32_t kase, char out[KEY_MAX])
{
	const struct kase *k = &f->cases[kase];
	snprintf(out, KEY_MAX, "%s/%.*s", lk_agency_word(k->agency),
		 LK_PRINT(family_text(f, k->number)));
}

void key_named(const struct family *f, uint32_t kase, struct word id, char out[KEY_MAX])
{
	char owner[KEY_MAX];
	key_case(f, kase, owner);
	snprintf(out, KEY_MAX, "%.60s/%.*s", owner, LK_PRINT(family_text(f, id)));
}

static size_t text_put(char *out, size_t at, size_t room, struct lk_text text)
{
	size_t len = text.len < room - 1 - at ? text.len : room - 1 - at;
	if (len > 0)
		memcpy(out + at, text.at, len);
	return at + len;
}

void cause_name(const struct family *f, uint32_t cause, char *out, size_t room)
{
	const struct cause *c = &f->causes[cause];
	size_t len = text_put(out, 0, room, family_text(f, c->source));
	len = text_put(out, len, room, LK_TEXT("/"));
	out[text_put(out, len, room, family_text(f, c->id))] = '\0';
}

void key_cause(const struct family *f, uint32_t cause, char out[KEY_MAX])
{
	cause_name(f, cause, out, KEY_MAX);
}

/* Not by the event that began it: another may turn out to have done so. */
void key_episode(const struct derivation *d, char out[KEY_MAX])
{
	char cws[KEY_MAX], calworks[KEY_MAX];
	const struct kin *k = kin_of(d);
	key_case(d->f, k->first[LK_CWS], cws);
	key_case(d->f, k->first[LK_CALWORKS], calworks);
	snprintf(out, KEY_MAX, "%.60s/%.60s/%u", cws, calworks, k->nth);
}

/* ---- Candidates ------------------------------------------------------------------------------ */
/* Each ends with a NUL, but the last. */
static void digest_of(const char *kind, const char *key, const char *place, struct lk_text worker,
		      uint8_t out[LK_DIGEST])
{
	char text[KEY_MAX + 160];
	const char *const parts[] = { kind, key, place };
	size_t len = 0;
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		len = text_put(text, len, sizeof(text), lk_text_of(parts[i]));
		text[len++] = '\0';
	}
	lk_digest(text, text_put(text, len, sizeof(text), worker), NULL, out);
}

uint64_t cause_digest(int kind, const char *key)
{
	uint8_t digest[LK_DIGEST];
	digest_of(lk_notice_kind_word(kind), key, "", LK_NO_TEXT, digest);
	return digest_start(digest);
}

static struct candidate *add_candidate(struct derivation *d)
{
	static struct candidate scratch;
	struct candidate *wider = vector_grown(d->at, d->n, &d->room, sizeof(*wider));
	if (wider == NULL) {
		d->failed = true;
		return &scratch;
	}
	d->at = wider;
	memset(&d->at[d->n], 0, sizeof(*wider));
	return &d->at[d->n++];
}

/* Those who hear a fact: each is a candidate as soon as found. */
struct audience {
	struct derivation *d;
	const struct fact *fact;
	uint32_t first; /* of its candidates */
	bool is_named;  /* there is somebody, and so a cause */
	uint64_t cause;
};

/* A moment belongs to the place, whoever holds it later; a standing notice to the worker. */
static void name_candidate(struct candidate *c, struct audience *to, const struct recipient *who,
			   bool is_moment)
{
	const struct fact *fact = to->fact;
	const char *kind = lk_notice_kind_word(fact->kind);
	bool by_place = is_moment && !who->named;
	if (!to->is_named)
		to->cause = cause_digest(fact->kind, fact->key);
	to->is_named = true;
	c->cause = to->cause;
	digest_of(kind, fact->key, by_place ? slot_word((int)who->slot) : "",
		  by_place ? LK_NO_TEXT : who->worker, c->id);
}

static bool is_told_twice(const struct derivation *d, uint32_t first, struct lk_text worker)
{
	for (uint32_t i = first; i < d->n; i++)
		if (lk_text_is(d->at[i].worker, worker))
			return true;
	return false;
}

/* The level of a fact that carries the other side's reasons: content where they may be seen, else a
 * signal. */
static int reasons_level(const struct fact *fact, int side, bool live)
{
	if (fact->with_agency == 1 - side)
		return live && !fact->with_foreign ? LK_CONTENT : LK_SIGNAL;
	if (fact->reasons[1 - side] != 0)
		return live ? LK_CONTENT : LK_SIGNAL;
	if (fact->reasons[side] != 0)
		return fact->agency == 1 - side ? LK_SIGNAL : LK_OWN;
	return fact->agency == side ? LK_OWN : LK_SIGNAL;
}

static enum bar sight_bar(const struct derivation *d, const struct fact *fact,
			  const struct candidate *c, int level)
{
	int other = c->side >= 0 ? 1 - c->side : LK_NO_CODE;
	bool about_other = fact->kase != NONE && d->f->cases[fact->kase].agency == other;
	struct disclosure ask = {
		.level = level,
		.topic = c->topic,
		.is_moment = fact->at != LK_NO_INSTANT,
		.other_agency = other,
		.other = about_other ? family_text(d->f, d->f->cases[fact->kase].number)
				     : LK_NO_TEXT,
		.cause_at = fact->at,
	};
	enum bar now = disclosure_bar(d->f, &ask);
	return now == BAR_NONE && fact->barred && level == LK_CONTENT ? BAR_PAST : now;
}

static bool has_reasons(int kind)
{
	return kind == LK_MEETING_NEEDED || kind == LK_MEETING_OVERDUE ||
	       kind == LK_MEETING_RESCHEDULE;
}

static void set_reasons(const struct derivation *d, const struct fact *fact, struct candidate *c)
{
	bool live = is_live(d->f, 1 - c->side, c->topic);
	bool reschedule = fact->kind == LK_MEETING_RESCHEDULE;
	c->level = reasons_level(fact, c->side, live);
	if (reschedule && fact->agency == 1 - c->side)
		c->level = live ? LK_CONTENT : LK_SIGNAL;
	c->about.reasons =
		fact->reasons[c->side] | (live || reschedule ? fact->reasons[1 - c->side] : 0);
	bool named = fact->with_agency == c->side || (live && !fact->with_foreign);
	if (lk_text_given(fact->with) && named)
		c->about.with = fact->with;
}

/* Own facts whole; the other side's as far as the rule's level reaches and disclosed() allows. */
static void set_level(const struct derivation *d, const struct fact *fact,
		      const struct rule_policy *rule, struct candidate *c)
{
	c->topic = rule->topic;
	if (has_reasons(fact->kind)) {
		set_reasons(d, fact, c);
		return;
	}
	/* A signal is one to either side: something is to be done because of something there. A meeting's hour and place are
	 * more: where a county lets the other side have no more than a signal, they are their own side's alone. */
	bool is_meeting = lk_text_given(fact->about.meeting);
	bool own = fact->agency == c->side && (rule->level != LK_SIGNAL || is_meeting);
	c->level = own ? LK_OWN : rule->level;
	if (c->level == LK_SIGNAL && is_meeting)
		lk_about_clear(&c->about);
	if (lk_text_given(fact->other_number) || c->side < 0)
		return; /* an unlinked likely match, or no family at all: registry by rule, nothing to ask */
	c->bar = sight_bar(d, fact, c, c->level);
	c->withheld = c->bar != BAR_NONE;
}

static uint32_t other_case(const struct derivation *d, const struct fact *fact, int side)
{
	if (side < 0)
		return NONE;
	if (fact->kase != NONE && d->f->cases[fact->kase].agency == 1 - side)
		return fact->kase;
	return main_case(d->f, 1 - side);
}

static void trace_place(const struct derivation *d, const struct recipient *who,
			const struct candidate *c)
{
	if (d->trace != NULL)
		d->trace->place(d->trace->context, (int)who->slot, who->worker, c);
}

static void copy_fact(struct candidate *c, const struct fact *fact)
{
	c->kind = fact->kind;
	c->other_number = fact->other_number;
	c->contacts = fact->contacts;
	c->contacts_n = fact->contacts_n;
	c->due = fact->due;
	c->about = fact->about;
	c->causes_n = fact->causes_n;
	memcpy(c->causes, fact->causes, sizeof(c->causes));
	if (fact->notice == NULL)
		return;
	lk_digest_hex(fact->notice, c->notice);
	snprintf(c->waits_for, sizeof(c->waits_for), "%.*s", LK_PRINT(fact->about.worker));
}

/* Could it be known when it happened, has the worker got it already, may it be told? */
static void set_may_tell(struct candidate *c, const struct fact *fact, bool vacant, bool twice)
{
	c->follows = !(fact->barred && c->level == LK_CONTENT);
	c->doubled = twice;
	if (!c->withheld)
		c->bar = vacant ? BAR_VACANT : fact->bar;
	c->may_tell = c->bar == BAR_NONE;
}

static void hear(void *context, const struct recipient *who)
{
	struct audience *to = context;
	struct derivation *d = to->d;
	const struct fact *fact = to->fact;
	const struct rule_policy *rule = &d->p->rule[fact->kind];
	bool twice = is_told_twice(d, to->first, who->worker);
	if (twice && rule->rule_class == STANDING) {
		trace_place(d, who, NULL);
		return;
	}
	struct candidate *c = add_candidate(d);
	name_candidate(c, to, who, rule->rule_class == MOMENT);
	copy_fact(c, fact);
	c->side = who->side;
	c->worker = who->worker;
	c->own = who->own;
	c->other = other_case(d, fact, who->side);
	c->urgency = fact->urgency > rule->urgency ? fact->urgency : rule->urgency;
	c->cause_at = fact->at != LK_NO_INSTANT ? fact->at : d->now;
	set_level(d, fact, rule, c);
	set_may_tell(c, fact, who->vacant, twice);
	trace_place(d, who, c);
}

/* notice.unanswered finds its own person: the supervisor of the side, or the liaison instead. */
static unsigned to_slots(const struct rule_policy *rule, const struct fact *fact)
{
	return fact->kind == LK_NOTICE_UNANSWERED ? POLICY_BIT(SLOT_ORGANIZER) : rule->to;
}

static void trace_fact(const struct derivation *d, const struct fact *fact, enum bar bar)
{
	if (d->trace != NULL)
		d->trace->fact(d->trace->context, fact, bar);
}

void fact_tell(struct derivation *d, const struct fact *fact)
{
	const struct rule_policy *rule = &d->p->rule[fact->kind];
	struct audience to = { .d = d, .fact = fact, .first = d->n };
	trace_fact(d, fact, rule->enabled ? BAR_NONE : BAR_OFF);
	if (!rule->enabled)
		return;
	for (int slot = 0; slot < SLOT_COUNT; slot++)
		if ((to_slots(rule, fact) & POLICY_BIT(slot)) != 0)
			place_ask(d, fact, (enum slot)slot, hear, &to);
}

/* ---- Absence and silence --------------------------------------------------------------------- */
static bool spoke_of(const struct derivation *d, struct lk_text source, uint32_t kase)
{
	for (uint32_t i = 0; i < d->f->speakers_n; i++) {
		const struct speaker *s = &d->f->speakers[i];
		if ((kase == NONE || s->kase == kase) && family_says(d->f, s->source, source))
			return true;
	}
	return false;
}

const struct told *stands_told(const struct derivation *d, const struct fact *fact)
{
	uint64_t cause = cause_digest(fact->kind, fact->key);
	for (uint32_t i = 0; i < d->told->n; i++)
		if (d->told->at[i].live && d->told->at[i].cause == cause)
			return &d->told->at[i];
	return NULL;
}

bool absence_holds(struct derivation *d, uint32_t kase, const struct fact *fact)
{
	for (size_t i = 0; i < d->s->silent_n; i++) {
		if (!spoke_of(d, d->s->silent[i], kase) || stands_told(d, fact) != NULL)
			continue;
		trace_fact(d, fact, BAR_SILENT);
		return false;
	}
	return true;
}
