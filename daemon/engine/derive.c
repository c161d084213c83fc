/* derive.c - facts to notices: who hears a fact, and how much of it each may see.
 *
 * In: state, policy, surroundings, what was told, now. Out: candidates, one a recipient, and the
 * next instant.
 * Promise: pure; the level of every candidate is what disclosed() allows, asked here and again at
 * each hand-out.
 */
#include "derive.h"

#include <stdio.h>
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

/* ---- The family ------------------------------------------------------------------------------ */

const struct kin *kin_of(const struct derivation *d)
{
	static const struct kin nobody = { .joined_to = NONE };
	return d->f->cases_n > 0 ? &d->f->kins[d->f->cases[0].unit] : &nobody;
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
	return a->open ? a->opened_at < b->opened_at : a->closed_at > b->closed_at;
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
		if (last == NONE || k->opened_at > d->f->cases[last].opened_at ||
		    (k->opened_at == d->f->cases[last].opened_at &&
		     k->opened_step > d->f->cases[last].opened_step))
			last = i;
	}
	return last;
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

/* ---- Disclosure ------------------------------------------------------------------------------ */

bool is_live(const struct family *f, int agency, int topic)
{
	for (uint32_t i = 0; i < f->cases_n; i++)
		if (f->cases[i].agency == agency && f->cases[i].live_at[topic] != LK_NO_INSTANT)
			return true;
	return false;
}

static bool has_side(const struct family *f, int agency)
{
	return main_case(f, agency) != NONE;
}

/* Content is live nowhere: which of the two is missing. */
static enum bar content_bar(const struct family *f)
{
	for (uint32_t i = 0; i < f->cases_n; i++)
		if (f->cases[i].open && f->cases[i].limited)
			return BAR_LIMITED;
	return BAR_NO_CONSENT;
}

enum bar disclosure_bar(const struct family *f, const struct disclosure *d)
{
	if (d->level <= LK_SIGNAL)
		return BAR_NONE;
	uint32_t kase = NONE;
	if (lk_text_given(d->other) && (kase = family_case(f, d->other_agency, d->other)) == NONE)
		return BAR_UNLINKED; /* no link leads there any more */
	if (!has_side(f, d->other_agency))
		return BAR_NO_SIDE;
	if (d->level == LK_REGISTRY)
		return BAR_NONE;
	if (kase == NONE || !d->is_moment)
		return is_live(f, d->other_agency, d->topic) ? BAR_NONE : content_bar(f);
	lk_instant live_at = f->cases[kase].live_at[d->topic];
	if (live_at == LK_NO_INSTANT)
		return content_bar(f);
	return d->cause_at >= live_at ? BAR_NONE : BAR_PAST;
}

bool disclosed(const struct family *f, const struct disclosure *d)
{
	return disclosure_bar(f, d) == BAR_NONE;
}

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

/* Named by what began it: the event, or, where equal tokens linked the cases, a case and the
 * instant. */
void key_episode(const struct derivation *d, char out[KEY_MAX])
{
	char first[KEY_MAX];
	const struct kin *k = kin_of(d);
	if (k->episode_cause != NONE) {
		key_cause(d->f, k->episode_cause, out);
		return;
	}
	key_case(d->f, 0, first);
	snprintf(out, KEY_MAX, "%.60s/%lld", first, (long long)k->episode_at);
}

/* ---- Who is at a place ----------------------------------------------------------------------- */

struct recipient {
	struct lk_text worker;
	int side;
	uint32_t own;
	enum slot slot;
	bool named; /* a place of its own for each person: the worker is part of a moment's id */
};

/* Who hears a fact: each is a candidate as soon as found. */
struct audience {
	struct derivation *d;
	const struct fact *fact;
	uint32_t first; /* of its candidates */
	uint32_t n;
	uint8_t cause[LK_DIGEST]; /* once there is somebody */
};

static void add_for(struct audience *to, const struct recipient *who);

static bool held_at(const struct assignment *a, lk_instant at)
{
	return at == LK_NO_INSTANT ? a->until_step == 0
				   : a->from_at <= at && (a->until_step == 0 || a->until_at > at);
}

static struct lk_text holder(const struct family *f, uint32_t kase, int role, lk_instant at)
{
	for (uint32_t i = f->assignments_n; i > 0; i--) {
		const struct assignment *a = &f->assignments[i - 1];
		if (a->kase == kase && a->role == role && held_at(a, at))
			return family_text(f, a->worker);
	}
	return LK_NO_TEXT;
}

static struct lk_text case_lead(const struct family *f, uint32_t kase, lk_instant at)
{
	static const int roles[] = { LK_SOCIAL_WORKER, LK_AIS_WORKER, LK_EMPLOYMENT_SPECIALIST,
				     LK_ELIGIBILITY_WORKER };
	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
		struct lk_text worker = holder(f, kase, roles[i], at);
		if (lk_text_given(worker))
			return worker;
	}
	return LK_NO_TEXT;
}

static struct lk_text case_supervisor(const struct family *f, uint32_t kase, lk_instant at)
{
	return holder(f, kase, LK_SUPERVISOR, at);
}

/* Now, or at an instant that has passed. */
static bool was_open(const struct kase *k, lk_instant at)
{
	if (at == LK_NO_INSTANT || (k->open && k->opened_at <= at))
		return k->open;
	return k->first_opened_at <= at && at < k->closed_at;
}

/* Asks the case itself first, then the side's other open cases, the earliest opened before the
 * others. */
static struct lk_text side_asks(const struct family *f, int side, uint32_t first, lk_instant at,
				struct lk_text (*ask)(const struct family *, uint32_t, lk_instant))
{
	struct lk_text answer = first != NONE ? ask(f, first, at) : LK_NO_TEXT;
	lk_instant earliest = LK_NO_INSTANT;
	for (uint32_t i = 0; i < f->cases_n; i++) {
		const struct kase *k = &f->cases[i];
		if (lk_text_given(answer) &&
		    (earliest == LK_NO_INSTANT || k->opened_at >= earliest))
			continue;
		struct lk_text worker =
			k->agency == side && was_open(k, at) ? ask(f, i, at) : LK_NO_TEXT;
		if (!lk_text_given(worker))
			continue;
		answer = worker;
		earliest = k->opened_at;
	}
	return answer;
}

static uint32_t own_case(const struct derivation *d, const struct fact *fact, int side)
{
	if (fact->kase != NONE && d->f->cases[fact->kase].agency == side)
		return fact->kase;
	if (fact->discoverer != NONE && d->f->cases[fact->discoverer].agency == side)
		return fact->discoverer;
	return main_case(d->f, side);
}

static void invite(struct audience *to, struct lk_text worker, int side, uint32_t own,
		   enum slot slot, bool named)
{
	if (!lk_text_given(worker))
		return;
	if (to->n++ == 0)
		cause_digest(to->fact->kind, to->fact->key, to->cause);
	add_for(to, &(struct recipient){ worker, side, own, slot, named });
}

struct lk_text supervisor_of(const struct derivation *d, int side, uint32_t first)
{
	return side_asks(d->f, side, first, LK_NO_INSTANT, case_supervisor);
}

struct lk_text lead_of(const struct derivation *d, int side, uint32_t first)
{
	struct lk_text worker = side_asks(d->f, side, first, LK_NO_INSTANT, case_lead);
	if (!lk_text_given(worker))
		worker = supervisor_of(d, side, first);
	return lk_text_given(worker) ? worker : lk_text_of(d->p->liaison[side]);
}

static void invite_lead(struct derivation *d, const struct fact *fact, int side, enum slot slot,
			struct audience *to)
{
	uint32_t own = own_case(d, fact, side);
	invite(to, lead_of(d, side, own), side, own, slot, false);
}

static void invite_supervisor(struct derivation *d, const struct fact *fact, int side,
			      enum slot slot, struct audience *to)
{
	uint32_t own = own_case(d, fact, side);
	if (fact->at != LK_NO_INSTANT &&
	    !lk_text_given(side_asks(d->f, side, own, fact->at, case_supervisor)))
		return; /* empty when it happened: it stays empty */
	invite(to, supervisor_of(d, side, own), side, own, slot, false);
}

static void invite_people(struct derivation *d, const struct fact *fact, enum slot slot,
			  struct audience *to)
{
	for (uint32_t i = 0; i < fact->people_n; i++) {
		const struct person *who = &fact->people[i];
		if (who->slot == slot)
			invite(to, who->worker, who->side, own_case(d, fact, who->side), slot,
			       true);
	}
}

static void invite_liaisons(struct derivation *d, struct audience *to)
{
	for (int side = 0; side < lk_agency_count; side++)
		invite(to, lk_text_of(d->p->liaison[side]), side, NONE, SLOT_LIAISONS, true);
}

enum seat { SEAT_LEAD, SEAT_SUPERVISOR, SEAT_PEOPLE, SEAT_DISCOVERER, SEAT_LIAISONS };
enum whose { WHOSE_OWN, WHOSE_OTHER, WHOSE_CWS, WHOSE_CALWORKS, WHOSE_NOBODY };

static const struct place {
	enum seat seat;
	enum whose whose;
} places[SLOT_COUNT] = {
	[SLOT_OWN_LEAD] = { SEAT_LEAD, WHOSE_OWN },
	[SLOT_OTHER_LEAD] = { SEAT_LEAD, WHOSE_OTHER },
	[SLOT_CWS_LEAD] = { SEAT_LEAD, WHOSE_CWS },
	[SLOT_CALWORKS_LEAD] = { SEAT_LEAD, WHOSE_CALWORKS },
	[SLOT_OWN_SUPERVISOR] = { SEAT_SUPERVISOR, WHOSE_OWN },
	[SLOT_OTHER_SUPERVISOR] = { SEAT_SUPERVISOR, WHOSE_OTHER },
	[SLOT_CWS_SUPERVISOR] = { SEAT_SUPERVISOR, WHOSE_CWS },
	[SLOT_CALWORKS_SUPERVISOR] = { SEAT_SUPERVISOR, WHOSE_CALWORKS },
	[SLOT_DISCOVERER] = { SEAT_DISCOVERER, WHOSE_NOBODY },
	[SLOT_ORGANIZER] = { SEAT_PEOPLE, WHOSE_NOBODY },
	[SLOT_REQUIRED] = { SEAT_PEOPLE, WHOSE_NOBODY },
	[SLOT_OPTIONAL] = { SEAT_PEOPLE, WHOSE_NOBODY },
	[SLOT_HOLDERS] = { SEAT_PEOPLE, WHOSE_NOBODY },
	[SLOT_LIAISONS] = { SEAT_LIAISONS, WHOSE_NOBODY },
};

static int side_meant(const struct fact *fact, enum whose whose)
{
	const int sides[] = {
		[WHOSE_OWN] = fact->agency,
		[WHOSE_OTHER] = fact->to_side >= 0  ? fact->to_side
				: fact->agency >= 0 ? 1 - fact->agency
						    : LK_NO_CODE,
		[WHOSE_CWS] = LK_CWS,
		[WHOSE_CALWORKS] = LK_CALWORKS,
		[WHOSE_NOBODY] = LK_NO_CODE,
	};
	return sides[whose];
}

static void invite_slot(struct derivation *d, const struct fact *fact, enum slot slot,
			struct audience *to)
{
	int side = side_meant(fact, places[slot].whose);
	bool seated = side >= 0 && main_case(d->f, side) != NONE &&
		      (fact->only < 0 || fact->only == side);
	switch (places[slot].seat) {
	case SEAT_LEAD:
		if (seated)
			invite_lead(d, fact, side, slot, to);
		break;
	case SEAT_SUPERVISOR:
		if (seated)
			invite_supervisor(d, fact, side, slot, to);
		break;
	case SEAT_PEOPLE: invite_people(d, fact, slot, to); break;
	case SEAT_DISCOVERER:
		if (fact->discoverer != NONE)
			invite_lead(d, fact, d->f->cases[fact->discoverer].agency, slot, to);
		break;
	case SEAT_LIAISONS: invite_liaisons(d, to); break;
	}
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

void cause_digest(int kind, const char *key, uint8_t out[LK_DIGEST])
{
	digest_of(lk_notice_kind_word(kind), key, "", LK_NO_TEXT, out);
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

#define PLACE_WORD(name, word) word,
static const char *const place_words[] = { POLICY_SLOTS(PLACE_WORD) };

/* A moment belongs to the place, whoever holds it later; a standing notice to the worker. */
static void name_candidate(struct candidate *c, const struct audience *to,
			   const struct recipient *who, bool is_moment)
{
	const struct fact *fact = to->fact;
	const char *kind = lk_notice_kind_word(fact->kind);
	bool by_place = is_moment && !who->named;
	memcpy(c->cause, to->cause, LK_DIGEST);
	digest_of(kind, fact->key, by_place ? place_words[who->slot] : "",
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
	/* A signal is one to either side: something is to be done because of something there. */
	bool own = fact->agency == c->side && rule->level != LK_SIGNAL;
	c->level = own ? LK_OWN : rule->level;
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

static void add_for(struct audience *to, const struct recipient *who)
{
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
	c->kind = fact->kind;
	c->side = who->side;
	c->worker = who->worker;
	c->own = who->own;
	c->other = other_case(d, fact, who->side);
	c->other_number = fact->other_number;
	c->contacts = fact->contacts;
	c->contacts_n = fact->contacts_n;
	c->urgency = fact->urgency > rule->urgency ? fact->urgency : rule->urgency;
	c->due = fact->due;
	c->cause_at = fact->at != LK_NO_INSTANT ? fact->at : d->now;
	c->about = fact->about;
	if (fact->notice != NULL) {
		lk_digest_hex(fact->notice, c->notice);
		snprintf(c->waits_for, sizeof(c->waits_for), "%.*s", LK_PRINT(fact->about.worker));
	}
	c->causes_n = fact->causes_n;
	memcpy(c->causes, fact->causes, sizeof(c->causes));
	set_level(d, fact, rule, c);
	c->follows = !(fact->barred && c->level == LK_CONTENT);
	c->doubled = twice;
	if (!c->withheld)
		c->bar = fact->bar;
	c->may_tell = c->bar == BAR_NONE;
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
			invite_slot(d, fact, (enum slot)slot, &to);
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
	uint8_t cause[LK_DIGEST];
	cause_digest(fact->kind, fact->key, cause);
	for (uint32_t i = 0; i < d->told->n; i++)
		if (d->told->at[i].live && memcmp(d->told->at[i].cause, cause, LK_DIGEST) == 0)
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

/* ---- The scene: everything that rules read but moments, causes and the time ------------------- */

static uint64_t mix(uint64_t scene, const void *at, size_t len)
{
	const uint8_t *from = at;
	for (; len > 0; len -= len < 8 ? len : 8, from += 8) {
		uint64_t word = 0;
		memcpy(&word, from, len < 8 ? len : 8);
		scene = (scene ^ word) * UINT64_C(0x9E3779B97F4A7C15);
		scene ^= scene >> 29;
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
	const int who[] = { b->agency, b->kind };
	scene = mix_text(mix_text(mix_text(scene, b->worker), b->meeting), b->place);
	return mix(mix(scene, at, sizeof(at)), who, sizeof(who));
}

static uint64_t mix_likely(uint64_t scene, const struct likely *l)
{
	scene = mix(mix_text(scene, l->number), &l->agency, sizeof(l->agency));
	scene = mix_text(scene, l->other_number);
	scene = mix(scene, &l->other_opened_at, sizeof(l->other_opened_at));
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
	out->wake = out->partial ? out->told->settled.wake : LK_NO_INSTANT;
	out->settled.moments = out->partial ? out->told->settled.moments : 0;
	rules_moment(out);
	if (!out->partial)
		derive_standing(out);
	out->settled.wake = out->wake;
}

void derivation_free(struct derivation *d)
{
	free(d->at);
	d->at = NULL;
	d->n = d->room = 0;
}
