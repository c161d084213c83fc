/* place.c - who is at a place: a side's lead, its supervisor, the people whom a rule names, the liaisons.
 *
 * In: a fact, and one of the places that its rule is told to. Out: the workers who are there now, each with
 * the case of their own side. Promise: an empty place stays empty; a supervisor's that was empty when a moment
 * happened does too.
 */
#include "place.h"

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

static bool opened_before(const struct kase *a, const struct kase *b)
{
	return a->opened_at != b->opened_at ? a->opened_at < b->opened_at
					    : a->turned_step < b->turned_step;
}

/* A case begins as kin of its own, which have its place in the list. */
static uint32_t kin_then(const struct family *f, uint32_t kase, lk_instant at)
{
	uint32_t kin = kase;
	while (f->kins[kin].joined_to != NONE && f->kins[kin].ended_at <= at)
		kin = f->kins[kin].joined_to;
	return kin;
}

/* Was it linked with the other by then? */
static bool were_kin(const struct family *f, uint32_t kase, uint32_t other, lk_instant at)
{
	return at == LK_NO_INSTANT || other == NONE ||
	       kin_then(f, kase, at) == kin_then(f, other, at);
}

/* Asks the case itself first, then the side's other open cases, the earliest opened before the
 * others. */
static struct lk_text side_asks(const struct family *f, int side, uint32_t first, lk_instant at,
				struct lk_text (*ask)(const struct family *, uint32_t, lk_instant))
{
	struct lk_text answer = first != NONE ? ask(f, first, at) : LK_NO_TEXT;
	const struct kase *earliest = NULL; /* NULL: the case itself has answered, or nobody */
	for (uint32_t i = 0; i < f->cases_n; i++) {
		const struct kase *k = &f->cases[i];
		if (lk_text_given(answer) && (earliest == NULL || !opened_before(k, earliest)))
			continue;
		bool asked = k->agency == side && was_open(k, at) && were_kin(f, i, first, at);
		struct lk_text worker = asked ? ask(f, i, at) : LK_NO_TEXT;
		if (!lk_text_given(worker))
			continue;
		answer = worker;
		earliest = k;
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

/* Whom a fact finds at one place. */
struct inviting {
	const struct derivation *d;
	const struct fact *fact;
	enum slot slot;
	void (*hear)(void *context, const struct recipient *who);
	void *context;
};

static void invite(const struct inviting *i, struct lk_text worker, int side, uint32_t own,
		   bool named)
{
	const struct recipient who = { worker, side, own, i->slot, named, false };
	if (lk_text_given(worker))
		i->hear(i->context, &who);
}

static void invite_lead(const struct inviting *i, int side)
{
	uint32_t own = own_case(i->d, i->fact, side);
	invite(i, lead_of(i->d, side, own), side, own, false);
}

/* A supervisor's place that was empty when it happened stays empty. One that has become so since was told then, and
 * what it was told still follows: it is taken back from nobody for that, and told to no successor. */
static void invite_supervisor(const struct inviting *i, int side)
{
	uint32_t own = own_case(i->d, i->fact, side);
	struct lk_text then = LK_NO_TEXT, now = supervisor_of(i->d, side, own);
	if (i->fact->at != LK_NO_INSTANT) {
		then = side_asks(i->d->f, side, own, i->fact->at, case_supervisor);
		if (!lk_text_given(then))
			return;
	}
	bool vacant = !lk_text_given(now);
	const struct recipient who = { vacant ? then : now, side, own, i->slot, false, vacant };
	if (lk_text_given(who.worker))
		i->hear(i->context, &who);
}

static void invite_people(const struct inviting *i)
{
	for (uint32_t n = 0; n < i->fact->people_n; n++) {
		const struct person *who = &i->fact->people[n];
		if (who->slot == i->slot)
			invite(i, who->worker, who->side, own_case(i->d, i->fact, who->side), true);
	}
}

static void invite_liaisons(const struct inviting *i)
{
	for (int side = 0; side < lk_agency_count; side++)
		invite(i, lk_text_of(i->d->p->liaison[side]), side, NONE, true);
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

void place_ask(const struct derivation *d, const struct fact *fact, enum slot slot,
	       void (*hear)(void *context, const struct recipient *who), void *context)
{
	const struct inviting i = { d, fact, slot, hear, context };
	int side = side_meant(fact, places[slot].whose);
	bool seated = side >= 0 && main_case(d->f, side) != NONE &&
		      (fact->only < 0 || fact->only == side);
	switch (places[slot].seat) {
	case SEAT_LEAD:
		if (seated)
			invite_lead(&i, side);
		break;
	case SEAT_SUPERVISOR:
		if (seated)
			invite_supervisor(&i, side);
		break;
	case SEAT_PEOPLE: invite_people(&i); break;
	case SEAT_DISCOVERER:
		if (fact->discoverer != NONE)
			invite_lead(&i, d->f->cases[fact->discoverer].agency);
		break;
	case SEAT_LIAISONS: invite_liaisons(&i); break;
	}
}
