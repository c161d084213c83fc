/* history.c - rolls histories and orders of arrival.
 *
 * In: dice. Out: events of every type about a few families that share workers, and arrivals in time, late, ahead, all
 * at once or anyhow.
 * Promise: the same seed gives the same history, byte for byte; times fall where days, months and laws change.
 */
#include "history.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Dice -------------------------------------------------------------------------------------- */

uint64_t dice_next(struct dice *d)
{
	uint64_t z = (d->state += UINT64_C(0x9e3779b97f4a7c15));
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

int dice_from(struct dice *d, int min, int max)
{
	return min + (int)(dice_next(d) % (uint64_t)(max - min + 1));
}

bool dice_percent(struct dice *d, int percent)
{
	return dice_from(d, 0, 99) < percent;
}

/* ---- Who there is ------------------------------------------------------------------------------ */

const struct turn_source history_sources[HISTORY_SOURCES] = {
	{ "cws-cms", LK_CWS, false },
	{ "cws-cares", LK_CWS, false },
	{ "calsaws", LK_CALWORKS, false },
};

int history_agency_of(void *context, struct lk_text source)
{
	(void)context;
	for (int i = 0; i < HISTORY_SOURCES; i++)
		if (lk_text_says(source, history_sources[i].name))
			return history_sources[i].agency;
	return LK_NO_CODE;
}

/* Four of each agency, few enough to meet again in several families; then the liaisons. */
const char *history_worker(int n)
{
	static const char *const names[HISTORY_WORKERS] = {
		"garcia", "nguyen", "ito",      "smith",       "jones",
		"lopez",  "okafor", "fontaine", "cws.liaison", "calworks.liaison",
	};
	return names[n];
}

static const char *worker_of(struct dice *d, int agency)
{
	return history_worker(agency * 4 + dice_from(d, 0, 3));
}

void history_number(int agency, int n, char out[16])
{
	(void)snprintf(out, 16, "%s-%d", agency == LK_CWS ? "C" : "W", n + 1);
}

/* ---- Saying ------------------------------------------------------------------------------------ */

static void encode(struct history *h, struct said *s)
{
	struct lk_refused why;
	if (lk_json_to_wire(s->json, strlen(s->json), &s->wire, &why) < 0 ||
	    lk_event_decode(s->wire.at, s->wire.len, history_agency_of, h, &s->event, &why) < 0) {
		fprintf(stderr, "%s %s: %s\n", lk_refusal_word((int)why.reason), why.field,
			s->json);
		abort();
	}
}

uint32_t history_say(struct history *h, int source, int type, const char *number, lk_instant time,
		     const char *supersedes, const char *data)
{
	struct said *s = &h->at[h->n];
	char at[LK_TIME_TEXT], old[40] = "";
	if (h->n == HISTORY_MAX)
		abort();
	lk_time_print(zone_time(h->zone, time), at);
	if (supersedes != NULL)
		(void)snprintf(old, sizeof(old), ", \"supersedes\": \"%s\"", supersedes);
	if (asprintf(
		    &s->json,
		    "{\"specversion\": \"1.0\", \"id\": \"e%u\", \"source\": \"%s\", \"type\": \"%s\", "
		    "\"subject\": \"%s\", \"time\": \"%s\", \"sequence\": \"%lld\"%s, \"data\": %s}",
		    h->n + 1, history_sources[source].name, lk_event_type_word(type), number, at,
		    (long long)++h->sequence, old, data) < 0)
		abort();
	s->source = source;
	encode(h, s);
	return h->n++;
}

/* ---- When -------------------------------------------------------------------------------------- */

/* Days before the edges that matter: month ends, both changes of the clock, a leap day, the days on which laws change. */
static const struct {
	int year, month, day;
} beginnings[] = { { 2026, 1, 19 }, { 2026, 2, 27 }, { 2026, 10, 20 }, { 2024, 2, 20 },
		   { 2024, 12, 5 }, { 2022, 4, 12 }, { 2026, 5, 30 } };

/* Midnight, the hour at which days begin for people, an hour that a change skips or doubles, any. */
static int roll_minute(struct dice *d)
{
	static const int minutes[] = { 0, 1, 90, 150, 479, 480, 481, 540, 810, 1020, 1439 };
	int n = sizeof(minutes) / sizeof(*minutes);
	return dice_percent(d, 60) ? minutes[dice_from(d, 0, n - 1)] : dice_from(d, 0, 1439);
}

static lk_instant roll_time(const struct history *h, struct dice *d)
{
	return zone_instant(h->zone, h->first + dice_from(d, 1, h->days), roll_minute(d));
}

static void print_date(const struct history *h, struct dice *d, char out[LK_DATE_TEXT + 2])
{
	char day[LK_DATE_TEXT];
	lk_date_print(h->first + dice_from(d, 0, h->days + 20), day);
	(void)snprintf(out, LK_DATE_TEXT + 2, "\"%s\"", day);
}

/* ---- What: the data of each type --------------------------------------------------------------- */

struct rolling {
	struct history *h;
	struct dice *d;
	int agency;
	lk_instant time;
	char data[900];
};

static void put(struct rolling *r, const char *format, ...) LK_PRINTF(2, 3);
static void put(struct rolling *r, const char *format, ...)
{
	size_t len = strlen(r->data);
	va_list args;
	va_start(args, format);
	int n = vsnprintf(r->data + len, sizeof(r->data) - len, format, args);
	va_end(args);
	if (n < 0 || (size_t)n >= sizeof(r->data) - len)
		abort();
}

static void put_id(struct rolling *r, const char *name, const char *letter)
{
	put(r, "\"%s\": \"%s%d\"", name, letter, dice_from(r->d, 1, 3));
}

static void put_date(struct rolling *r, const char *name)
{
	char day[LK_DATE_TEXT + 2];
	print_date(r->h, r->d, day);
	put(r, ", \"%s\": %s", name, day);
}

static void put_status(struct rolling *r)
{
	int status = r->agency == LK_CWS ? dice_from(r->d, LK_REFERRAL, LK_APPLIED - 1)
					 : dice_from(r->d, LK_APPLIED, lk_status_count - 1);
	if (r->agency == LK_CWS && dice_percent(r->d, 60))
		status = dice_from(r->d, LK_IFS, LK_FR); /* those that most rules speak of */
	put(r, "\"status\": \"%s\"", lk_status_word(status));
}

/* Few people, so that cases share them; of an agency's own number nothing follows, of a token all. */
static void put_members(struct rolling *r)
{
	static const char *const kinds[] = { "cin", "cin", "ssn", "name_dob" };
	put(r, ", \"members\": [");
	for (int i = dice_from(r->d, 1, 2); i > 0; i--)
		put(r, "{\"person\": \"p%d\", \"keys\": {\"%s\": \"%032d\"}}%s", i,
		    kinds[dice_from(r->d, 0, 3)], dice_from(r->d, 1, 4), i > 1 ? ", " : "");
	put(r, "]");
}

static void data_case_opened(struct rolling *r)
{
	put_status(r);
	if (r->h->has_keys && dice_percent(r->d, 70))
		put_members(r);
	if (dice_percent(r->d, 8))
		put(r, ", \"limited_access\": %s", dice_percent(r->d, 50) ? "true" : "false");
}

static void data_case_status(struct rolling *r)
{
	put_status(r);
	if (dice_percent(r->d, 15))
		put_date(r, "until");
}

static void data_case_closing(struct rolling *r)
{
	if (dice_percent(r->d, 25)) {
		put(r, "\"date\": null");
		return;
	}
	char day[LK_DATE_TEXT + 2];
	print_date(r->h, r->d, day);
	put(r, "\"date\": %s", day);
}

static void data_nothing(struct rolling *r)
{
	(void)r;
}
#define data_case_closed data_nothing
#define data_event_retracted data_nothing

static void data_case_restricted(struct rolling *r)
{
	put(r, "\"limited_access\": %s", dice_percent(r->d, 40) ? "true" : "false");
}

static void put_role(struct rolling *r)
{
	int role;
	do
		role = dice_from(r->d, 0, lk_role_count - 1);
	while (!lk_role_fits((enum lk_role)role, (enum lk_agency)r->agency));
	put(r, "\"role\": \"%s\"", lk_role_word(role));
}

static void data_worker_assigned(struct rolling *r)
{
	put_role(r);
	put(r, ", \"worker\": \"%s\"", worker_of(r->d, r->agency));
	if (dice_percent(r->d, 30))
		put(r, ", \"name\": \"N%d\"", dice_from(r->d, 1, 2));
	if (dice_percent(r->d, 30))
		put(r, ", \"phone\": \"925-555-010%d\"", dice_from(r->d, 1, 2));
}
#define data_worker_unassigned put_role

/* Nearly always of the other agency, as nearly all links are. */
static void data_link_confirmed(struct rolling *r)
{
	char number[16];
	int agency = dice_percent(r->d, 92) ? 1 - r->agency : r->agency;
	history_number(agency, dice_from(r->d, 0, r->h->cases[agency] - 1), number);
	put(r, "\"other\": {\"agency\": \"%s\", \"case\": \"%s\"}", lk_agency_word(agency), number);
}
#define data_link_refused data_link_confirmed
#define data_link_removed data_link_confirmed

static void data_consent_signed(struct rolling *r)
{
	put_id(r, "consent", "c");
	if (dice_percent(r->d, 40))
		put_date(r, "expires");
	if (!dice_percent(r->d, 35))
		return;
	put(r, ", \"topics\": [\"%s\"", lk_topic_word(dice_from(r->d, 0, 2)));
	if (dice_percent(r->d, 50))
		put(r, ", \"%s\"", lk_topic_word(dice_from(r->d, 3, lk_topic_count - 1)));
	put(r, "]");
}

static void data_consent_revoked(struct rolling *r)
{
	put_id(r, "consent", "c");
}

static void data_consent_refused(struct rolling *r)
{
	if (dice_percent(r->d, 50))
		put_id(r, "consent", "c");
}

static void data_plan_signed(struct rolling *r)
{
	int kind = dice_percent(r->d, 60) ? LK_IFS_AGREEMENT
					  : dice_from(r->d, 0, lk_plan_kind_count - 1);
	put_id(r, "plan", "p");
	put(r, ", \"kind\": \"%s\"", lk_plan_kind_word(kind));
}

static void data_plan_closing(struct rolling *r)
{
	put_id(r, "plan", "p");
	if (dice_percent(r->d, 25))
		put(r, ", \"date\": null");
	else
		put_date(r, "date");
}

static void data_plan_ended(struct rolling *r)
{
	put_id(r, "plan", "p");
}

static void data_service_started(struct rolling *r)
{
	put_id(r, "service", "s");
	put(r, ", \"category\": \"%s\"", lk_category_word(dice_from(r->d, 0, 4)));
}

static void data_service_ended(struct rolling *r)
{
	put_id(r, "service", "s");
	put(r, ", \"outcome\": \"%s\"", lk_outcome_word(dice_from(r->d, 0, lk_outcome_count - 1)));
}

static void put_workers(struct rolling *r, const char *name, int most)
{
	put(r, ", \"%s\": [", name);
	for (int i = dice_from(r->d, 1, most); i > 0; i--)
		put(r, "\"%s\"%s", worker_of(r->d, dice_from(r->d, 0, 1)), i > 1 ? ", " : "");
	put(r, "]");
}

static void put_instant(struct rolling *r, const char *name, lk_instant at)
{
	char text[LK_TIME_TEXT];
	lk_time_print(zone_time(r->h->zone, at), text);
	put(r, ", \"%s\": \"%s\"", name, text);
}

/* Within three weeks of its telling, at few hours, so that many overlap. */
static void data_meeting_scheduled(struct rolling *r)
{
	lk_date day = zone_date(r->h->zone, r->time) + dice_from(r->d, 0, 20);
	lk_instant start_at = zone_instant(r->h->zone, day, 480 + 30 * dice_from(r->d, 0, 7));
	int kind = dice_percent(r->d, 50) ? dice_from(r->d, LK_PLTM, LK_TDM)
					  : dice_from(r->d, 0, lk_meeting_kind_count - 1);
	put_id(r, "meeting", "m");
	put(r, ", \"kind\": \"%s\"", lk_meeting_kind_word(kind));
	put_instant(r, "start", start_at);
	put_instant(r, "end", start_at + dice_from(r->d, 1, 4) * 30 * LK_MINUTE);
	if (dice_percent(r->d, 50))
		put(r, ", \"place\": \"room %d\"", dice_from(r->d, 1, 2));
	if (dice_percent(r->d, 70))
		put_workers(r, "required", 3);
	if (dice_percent(r->d, 20))
		put_workers(r, "optional", 2);
	if (dice_percent(r->d, 20))
		put(r, ", \"family\": %s", dice_percent(r->d, 50) ? "true" : "false");
	if (dice_percent(r->d, 30))
		put(r, ", \"organizer\": \"%s\"", worker_of(r->d, dice_from(r->d, 0, 1)));
}

static void data_meeting_missed(struct rolling *r)
{
	put_id(r, "meeting", "m");
}
#define data_meeting_cancelled data_meeting_missed

static void data_meeting_held(struct rolling *r)
{
	put_id(r, "meeting", "m");
	if (dice_percent(r->d, 50))
		put(r, ", \"family\": %s", dice_percent(r->d, 50) ? "true" : "false");
}

static void data_contact_made(struct rolling *r)
{
	put(r, "\"kind\": \"%s\"", lk_contact_kind_word(dice_from(r->d, 0, 2)));
}

static void data_milestone_reached(struct rolling *r)
{
	put(r, "\"milestone\": \"job_%d\"", dice_from(r->d, 1, 2));
}

static void data_concern_raised(struct rolling *r)
{
	int kind = dice_from(r->d, 0, lk_concern_kind_count - 1);
	put_id(r, "concern", "k");
	put(r, ", \"kind\": \"%s\"", lk_concern_kind_word(kind));
}

static void data_concern_resolved(struct rolling *r)
{
	put_id(r, "concern", "k");
}

static void data_referral_made(struct rolling *r)
{
	static const char *const to[] = { "cws", "calworks", "Food Bank" };
	put_id(r, "referral", "r");
	put(r, ", \"category\": \"%s\"", lk_category_word(dice_from(r->d, 0, 4)));
	put(r, ", \"to\": \"%s\"", to[dice_from(r->d, 0, 2)]);
	if (dice_percent(r->d, 60))
		put_date(r, "follow_up");
	if (dice_percent(r->d, 30))
		put(r, ", \"urgent\": %s", dice_percent(r->d, 50) ? "true" : "false");
}

static void data_referral_updated(struct rolling *r)
{
	int status = dice_from(r->d, 0, lk_referral_status_count - 1);
	put_id(r, "referral", "r");
	put(r, ", \"status\": \"%s\"", lk_referral_status_word(status));
}

static void data_child_removed(struct rolling *r)
{
	put_id(r, "person", "child");
}
#define data_child_returned data_child_removed

static void data_household_changed(struct rolling *r)
{
	put(r, "\"what\": \"moved\"");
}

static void data_clock_reported(struct rolling *r)
{
	put(r, "\"clock\": \"tanf60\", \"used\": %d", dice_from(r->d, 38, 62));
}

#define DATA_ROW(enumerator, tag, word) [enumerator] = data_##tag,
static void (*const datas[lk_event_type_count])(struct rolling *) = { LK_EVENT_TYPES(DATA_ROW) };

/* ---- A whole history --------------------------------------------------------------------------- */

static void say_one(struct rolling *r, int source, int type, const char *number,
		    const char *supersedes)
{
	r->data[0] = '\0';
	put(r, "{");
	datas[type](r);
	put(r, "}");
	(void)history_say(r->h, source, type, number, r->time, supersedes, r->data);
}

static int source_of(struct dice *d, int agency)
{
	return agency == LK_CALWORKS ? 2 : dice_percent(d, 80) ? 0 : 1;
}

/* Often one more of the same instant: what is said in one breath must still have an order. */
static lk_instant roll_own_time(const struct rolling *r)
{
	bool again = r->h->n > 0 && dice_percent(r->d, 12);
	return again ? r->h->at[dice_from(r->d, 0, (int)r->h->n - 1)].event.time.at
		     : roll_time(r->h, r->d);
}

/* Most histories need families to speak of: open cases, workers, a link, a consent. */
static void say_beginnings(struct rolling *r)
{
	static const int types[] = { LK_CASE_OPENED, LK_WORKER_ASSIGNED, LK_WORKER_ASSIGNED,
				     LK_LINK_CONFIRMED, LK_CONSENT_SIGNED };
	static const int percents[] = { 95, 85, 50, 65, 50 };
	for (r->agency = 0; r->agency < 2; r->agency++) {
		for (int n = 0; n < r->h->cases[r->agency]; n++) {
			char number[16];
			history_number(r->agency, n, number);
			for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
				r->time = zone_instant(r->h->zone, r->h->first, 540 + (int)i);
				if (dice_percent(r->d, percents[i]))
					say_one(r, source_of(r->d, r->agency), types[i], number,
						NULL);
			}
		}
	}
}

static bool takes_back(int type, struct dice *d)
{
	return type == LK_EVENT_RETRACTED || dice_percent(d, 7);
}

/* Of an event that is there, that never is, or that comes only later: all of them occur. */
static int roll_superseded(const struct rolling *r, int source, char out[16])
{
	for (int tries = 0; tries < 12 && r->h->n > 0; tries++) {
		uint32_t i = (uint32_t)dice_from(r->d, 0, (int)r->h->n - 1);
		if (r->h->at[i].source != source)
			continue;
		(void)snprintf(out, 16, "e%u", i + 1);
		return 1;
	}
	(void)snprintf(out, 16, "e%d", dice_from(r->d, 1, HISTORY_MAX));
	return 1;
}

#define FAVOURITES 7

static void roll_favourites(struct dice *dice, int favourites[FAVOURITES])
{
	for (int i = 0; i < FAVOURITES; i++)
		favourites[i] = dice_from(dice, 0, lk_event_type_count - 1);
}

static void say_any(struct rolling *r, const int favourites[FAVOURITES])
{
	char number[16], old[16];
	int type = dice_percent(r->d, 55) ? favourites[dice_from(r->d, 0, FAVOURITES - 1)]
					  : dice_from(r->d, 0, lk_event_type_count - 1);
	r->agency = dice_from(r->d, 0, 1);
	r->time = roll_own_time(r);
	int source = source_of(r->d, r->agency);
	history_number(r->agency, dice_from(r->d, 0, r->h->cases[r->agency] - 1), number);
	bool supersedes = takes_back(type, r->d) && roll_superseded(r, source, old);
	say_one(r, source, type, number, supersedes ? old : NULL);
}

struct history *history_roll(struct dice *dice, const struct zone *zone)
{
	static const int spans[] = { 12, 40, 90, 240 };
	struct history *h = calloc(1, sizeof(*h));
	if (h == NULL || (h->at = calloc(HISTORY_MAX, sizeof(*h->at))) == NULL)
		abort();
	struct rolling r = { .h = h, .d = dice };
	int begin = dice_from(dice, 0, (int)(sizeof(beginnings) / sizeof(*beginnings)) - 1);
	int favourites[FAVOURITES];
	h->zone = zone;
	h->first =
		lk_date_of(beginnings[begin].year, beginnings[begin].month, beginnings[begin].day);
	h->days = spans[dice_from(dice, 0, 3)];
	h->cases[LK_CWS] = dice_from(dice, 1, 3);
	h->cases[LK_CALWORKS] = dice_from(dice, 1, 3);
	h->has_keys = dice_percent(dice, 25);
	roll_favourites(dice, favourites);
	if (dice_percent(dice, 90))
		say_beginnings(&r);
	for (int n = dice_from(dice, 4, 45); n > 0; n--)
		say_any(&r, favourites);
	return h;
}

void history_go_on(struct history *h, struct dice *dice, int n)
{
	struct rolling r = { .h = h, .d = dice };
	int favourites[FAVOURITES];
	roll_favourites(dice, favourites);
	for (; n > 0 && h->n < HISTORY_MAX; n--)
		say_any(&r, favourites);
}

/* Of one case: said in the morning of the first day, as most beginnings are. */
static void say_early(struct rolling *r, int type, const char *number)
{
	r->time = zone_instant(r->h->zone, r->h->first, 540 + type);
	say_one(r, source_of(r->d, r->agency), type, number, NULL);
}

void history_crowd(struct history *h, struct dice *dice, int n)
{
	struct rolling r = { .h = h, .d = dice };
	for (r.agency = 0; r.agency < 2; r.agency++) {
		int had = h->cases[r.agency];
		h->cases[r.agency] += n;
		for (int i = had; i < h->cases[r.agency]; i++) {
			char number[16];
			history_number(r.agency, i, number);
			say_early(&r, LK_CASE_OPENED, number);
			say_early(&r, LK_WORKER_ASSIGNED, number);
			if (dice_percent(dice, 20))
				say_early(&r, LK_LINK_CONFIRMED, number);
		}
	}
}

void history_free(struct history *h)
{
	if (h == NULL)
		return;
	for (uint32_t i = 0; i < h->n; i++) {
		free(h->at[i].json);
		lk_bytes_free(&h->at[i].wire);
	}
	free(h->at);
	free(h);
}

/* ---- Orders ------------------------------------------------------------------------------------ */

void order_add(struct order *o, struct step step)
{
	if (o->n == o->room) {
		o->room = o->room == 0 ? 64 : o->room * 2;
		o->at = realloc(o->at, o->room * sizeof(*o->at));
		if (o->at == NULL)
			abort();
	}
	o->at[o->n++] = step;
}

void order_free(struct order *o)
{
	free(o->at);
	*o = (struct order){ 0 };
}

struct order order_copy(const struct order *o)
{
	struct order copy = { .ends = o->ends, .by_feed = o->by_feed };
	for (uint32_t i = 0; i < o->n; i++)
		order_add(&copy, o->at[i]);
	return copy;
}

static lk_instant roll_delay(struct dice *d)
{
	static const int minutes[] = { 1, 60, 24 * 60, 9 * 24 * 60, 45 * 24 * 60 };
	return dice_from(d, 1, minutes[dice_from(d, 0, 4)]) * LK_MINUTE;
}

static lk_instant roll_arrival(const struct history *h, enum arrival arrival, lk_instant time,
			       struct dice *d)
{
	switch (arrival) {
	case ARRIVE_IN_TIME: return time;
	case ARRIVE_LATE: return dice_percent(d, 35) ? time + roll_delay(d) : time;
	case ARRIVE_AHEAD: return dice_percent(d, 35) ? time - roll_delay(d) : time;
	case ARRIVE_AT_ONCE: return zone_instant(h->zone, h->first + h->days + 1, 600);
	case ARRIVE_ANYHOW: return roll_time(h, d);
	case ARRIVAL_COUNT: break;
	}
	return time;
}

static int by_arrival(const void *a, const void *b)
{
	const struct step *x = a, *y = b;
	if (x->at != y->at)
		return x->at < y->at ? -1 : 1;
	return x->tie < y->tie ? -1 : x->tie > y->tie;
}

/* The last arrival, the last event's own time, and then as long as the slowest rule may take. */
static lk_instant end_of(const struct history *h, struct dice *d)
{
	static const int days[] = { 1, 10, 40, 200 };
	lk_date last = h->first + h->days + 47;
	return zone_instant(h->zone, last + dice_from(d, 0, days[dice_from(d, 0, 3)]),
			    roll_minute(d));
}

struct order order_roll(const struct history *h, enum arrival arrival, bool busy, struct dice *dice)
{
	struct order o = { .ends = end_of(h, dice), .by_feed = dice_percent(dice, 50) };
	for (uint32_t i = 0; i < h->n; i++) {
		lk_instant at = roll_arrival(h, arrival, h->at[i].event.time.at, dice);
		/* Those in time keep to the events' own order, or they would not be. */
		uint64_t tie = arrival == ARRIVE_IN_TIME ? i : dice_next(dice);
		order_add(&o, (struct step){ STEP_EVENT, at, i, 0, false, false, tie });
	}
	for (int n = busy ? dice_from(dice, 0, 8) : 0; n > 0; n--) {
		enum step_kind kind = dice_percent(dice, 50) ? STEP_ACK : STEP_CLOCK;
		order_add(&o, (struct step){ kind, roll_time(h, dice), 0,
					     dice_from(dice, 0, HISTORY_WORKERS - 1), false, false,
					     dice_next(dice) });
	}
	if (o.n > 0)
		qsort(o.at, o.n, sizeof(*o.at), by_arrival);
	return o;
}

static void print_clock(const struct history *h, lk_instant at, FILE *to)
{
	char text[LK_TIME_TEXT];
	lk_time_print(zone_time(h->zone, at), text);
	fprintf(to, "{\"clock\": \"%s\"}\n", text);
}

void order_print(const struct history *h, const struct order *o, FILE *to)
{
	lk_instant now = LK_NO_INSTANT;
	for (uint32_t i = 0; i < o->n; i++) {
		const struct step *s = &o->at[i];
		if (s->left_out)
			continue;
		if (s->at != now &&
		    (s->kind != STEP_EVENT || s->at != h->at[s->event].event.time.at))
			print_clock(h, s->at, to);
		now = s->at;
		if (s->kind == STEP_EVENT)
			fprintf(to, "%s\n", h->at[s->event].json);
		else if (s->kind == STEP_ACK)
			fprintf(to, "{\"ack\": {\"to\": \"%s\"}}\n", history_worker(s->worker));
	}
	print_clock(h, o->ends, to);
}
