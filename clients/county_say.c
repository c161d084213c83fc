/* county_say.c - how an agency of the invented county says something: by chance, in its own time, into its feed.
 *
 * In: an event and the instant at which it happened. Out: a line of the agency's feed, on time or late, now and then corrected
 * or taken back. Promise: a family's chance depends on no other family; what lies behind the last day is not said.
 */
#include "county.h"
#include "progress.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const county_sources[AGENCIES] = { "cws-cms", "calsaws" };

#define GROUP_ROW(name, role, agency, caseload) { role, agency, caseload },
const struct staff_group county_groups[GROUPS] = { STAFF_GROUPS(GROUP_ROW) };

void die(const char *format, ...)
{
	va_list args;

	progress_end();
	va_start(args, format);
	fputs("linkages-county: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	exit(2);
}

void *room_for(void *at, size_t n, size_t size)
{
	void *more = reallocarray(at, n, size);

	if (more == NULL)
		die("out of memory for %zu rows", n);
	return more;
}

/* ---- Chance: splitmix64, one stream a family, so that families do not depend on one another - */

static uint64_t chance_next(struct chance *c)
{
	uint64_t z = (c->state += UINT64_C(0x9E3779B97F4A7C15));

	z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
	return z ^ (z >> 31);
}

int chance_between(struct chance *c, int lo, int hi)
{
	assert(lo <= hi);
	return lo + (int)(chance_next(c) % (uint64_t)(hi - lo + 1));
}

bool chance_of(struct chance *c, int per_mille)
{
	return chance_between(c, 1, 1000) <= per_mille;
}

int chance_pick(struct chance *c, const struct weighted *list)
{
	int sum = 0, at;

	for (const struct weighted *w = list; w->weight > 0; w++)
		sum += w->weight;
	at = chance_between(c, 1, sum);
	while (at > list->weight)
		at -= list++->weight;
	return list->value;
}

/* ---- Pacific time, by the rule in force since 2007 ------------------------------------------ */

/* The nth Sunday of a month. */
static lk_date nth_sunday(int year, int month, int n)
{
	lk_date first = lk_date_of(year, month, 1);
	int weekday = (int)((first + 4) % 7); /* 1970-01-01 was a Thursday */

	return first + (7 - weekday) % 7 + 7 * (n - 1);
}

static int32_t pacific_offset(lk_instant at)
{
	int year, month, day;
	lk_instant spring, autumn;

	lk_date_civil((lk_date)(at / DAY), &year, &month, &day);
	spring = nth_sunday(year, 3, 2) * DAY + 10 * LK_HOUR; /* 02:00 -08:00 */
	autumn = nth_sunday(year, 11, 1) * DAY + 9 * LK_HOUR; /* 02:00 -07:00 */
	return at >= spring && at < autumn ? -7 * 3600 : -8 * 3600;
}

struct lk_time pacific_time(lk_instant at)
{
	return (struct lk_time){ at, pacific_offset(at) };
}

lk_date pacific_date(lk_instant at)
{
	return (lk_date)((at + pacific_offset(at) * LK_SECOND) / DAY);
}

lk_instant pacific_instant(lk_date date, int minute)
{
	lk_instant utc = date * DAY + minute * LK_MINUTE;

	return utc - pacific_offset(utc + 8 * LK_HOUR) * LK_SECOND;
}

lk_date workday(lk_date date)
{
	int weekday = (int)((date + 4) % 7);

	return weekday == 6 ? date + 2 : weekday == 0 ? date + 1 : date;
}

lk_instant office_hour(struct family *f, lk_date date)
{
	return pacific_instant(workday(date), chance_between(&f->chance, 8 * 60, 16 * 60 + 30));
}

/* ---- Saying things: one event into its agency's feed ---------------------------------------- */

#define ABSENT_TEXT(max) LK_NO_TEXT
#define ABSENT_NOTE(max) LK_NO_TEXT
#define ABSENT_WORKER LK_NO_TEXT
#define ABSENT_CODE(tag) LK_NO_CODE
#define ABSENT_STATUS LK_NO_CODE
#define ABSENT_ROLE LK_NO_CODE
#define ABSENT_DATE LK_NO_DATE
#define ABSENT_TIME LK_NO_TIME
#define ABSENT_BOOL (-1)
#define ABSENT_INT(min, max) INT64_MIN
#define ABSENT_TOPICSET 0
#define ABSENT_WORKERS ((struct lk_workers){ 0 })
#define ABSENT_MEMBERS ((struct lk_members){ 0 })
#define ABSENT_OTHER ((struct lk_other){ 0 })
#define CLEAR_MEMBER(name, word, kind, presence) members->name = ABSENT_##kind;
#define CLEAR_TYPE(enumerator, tag, word) \
	case enumerator: { \
		struct lk_##tag *members = &e.tag; \
		members->end_ = 0; \
		LK_FIELDS_##tag(CLEAR_MEMBER) break; \
	}

struct lk_event event_of(enum lk_event_type type)
{
	struct lk_event e = { .type = type };

	switch (type) {
		LK_EVENT_TYPES(CLEAR_TYPE)
	case lk_event_type_count: break;
	}
	return e;
}

static void feed_add(struct county *c, int agency, lk_instant known_at)
{
	struct feed *f = &c->feed[agency];
	struct line *line;

	if (f->n == f->room) {
		f->room = f->room == 0 ? 1024 : 2 * f->room;
		f->line = room_for(f->line, f->room, sizeof(*f->line));
	}
	line = &f->line[f->n];
	*line = (struct line){ known_at, f->n, room_for(NULL, c->json.len + 1, 1) };
	memcpy(line->json, c->json.at, c->json.len);
	line->json[c->json.len] = '\0';
	f->n++;
}

/* Puts the event into its feed as it stands. What lies behind the last day is not said by then. */
static void event_write(struct county *c, struct family *f, struct lk_event *e, lk_instant known_at)
{
	struct side *s = &f->side[e->agency];
	char id[32];

	if (known_at < c->load_at)
		known_at = c->load_at;
	if (known_at >= c->end_at || e->time.at >= c->end_at)
		return;
	snprintf(id, sizeof(id), "f%05u-%03u", f->number, ++f->said);
	e->id = lk_text_of(id);
	e->source = lk_text_of(county_sources[e->agency]);
	e->subject = lk_text_of(s->number);
	lk_bytes_clear(&c->wire);
	lk_bytes_clear(&c->json);
	lk_event_encode(e, &c->wire);
	if (c->wire.failed || lk_wire_to_json(c->wire.at, c->wire.len, &c->json) < 0)
		die("out of memory for an event");
	feed_add(c, (int)e->agency, known_at);
}

/* Of a thousand events: how many become known late, are said again corrected, are taken back. */
#define LATE 40
#define CORRECTED 8
#define RETRACTED 3

static bool may_be_retracted(enum lk_event_type type)
{
	return type == LK_CONTACT_MADE || type == LK_MILESTONE_REACHED ||
	       type == LK_HOUSEHOLD_CHANGED || type == LK_SERVICE_STARTED;
}

static bool may_be_corrected(enum lk_event_type type)
{
	return may_be_retracted(type) || type == LK_CASE_STATUS || type == LK_MEETING_HELD ||
	       type == LK_REFERRAL_MADE;
}

static void amend(struct county *c, struct family *f, const struct lk_event *said, const char *id,
		  lk_instant known_at)
{
	struct lk_event e = *said;

	if (may_be_retracted(e.type) && chance_of(&f->chance, RETRACTED)) {
		e = event_of(LK_EVENT_RETRACTED);
		e.agency = said->agency;
		e.time = pacific_time(known_at);
	} else if (may_be_corrected(e.type) && chance_of(&f->chance, CORRECTED)) {
		e.time = pacific_time(e.time.at - chance_between(&f->chance, 1, 20) * LK_HOUR);
	} else {
		return;
	}
	e.supersedes = lk_text_of(id);
	event_write(c, f, &e, known_at);
}

void say(struct county *c, struct family *f, int agency, struct lk_event *e, lk_instant at)
{
	struct side *s = &f->side[agency];
	lk_instant known_at = at + chance_between(&f->chance, 0, 20) * LK_MINUTE;
	char id[32];

	if (e->type != LK_CASE_CLOSED && at >= s->closed_at)
		return;
	if (chance_of(&f->chance, LATE) && e->type != LK_CASE_OPENED)
		known_at += chance_between(&f->chance, 2, 72) * LK_HOUR;
	e->agency = (enum lk_agency)agency;
	e->time = pacific_time(at);
	event_write(c, f, e, known_at);
	snprintf(id, sizeof(id), "f%05u-%03u", f->number, f->said);
	if (known_at >= c->load_at && known_at < c->end_at)
		amend(c, f, e, id, known_at + chance_between(&f->chance, 20, 120) * LK_HOUR);
}
