/* linkages-county.c - plays a county: the event feeds of two agencies, for demo, tests, training.
 *
 * In: how many families, how many days, a seed, the first day. Out: one NDJSON file a source (and a
 * day, if asked), each line an event, in the order in which the events become known at their
 * agency; and a table of the workers.
 * Promise: the same options give the same bytes; every event is one that an agency could say; the
 * agencies share families in the proportions of the state's match table (of aided children 14 % are
 * in child welfare too; of referred children 36 % and of children in cases 47 % are aided too).
 * Names, numbers and phones are invented.
 *
 * What was before the first day is the caseload with which a county goes live: it is all known at
 * 05:00 of that day.
 */
#include "options.h"
#include "progress.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define DAY (24 * LK_HOUR)
#define AGENCIES 2
#define CHILDREN_MAX 5

/* ---- Chance: splitmix64, one stream a family, so that families do not depend on one another - */

struct chance {
	uint64_t state;
};

static uint64_t chance_next(struct chance *c)
{
	uint64_t z = (c->state += UINT64_C(0x9E3779B97F4A7C15));

	z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
	return z ^ (z >> 31);
}

/* lo..hi, both included */
static int chance_between(struct chance *c, int lo, int hi)
{
	assert(lo <= hi);
	return lo + (int)(chance_next(c) % (uint64_t)(hi - lo + 1));
}

static bool chance_of(struct chance *c, int per_mille)
{
	return chance_between(c, 1, 1000) <= per_mille;
}

/* One of many, each with its weight; the list ends with a weight of 0. */
struct weighted {
	int value, weight;
};

static int chance_pick(struct chance *c, const struct weighted *list)
{
	int sum = 0, at;

	for (const struct weighted *w = list; w->weight > 0; w++)
		sum += w->weight;
	at = chance_between(c, 1, sum);
	while (at > list->weight)
		at -= list++->weight;
	return list->value;
}

/* ---- What is likely ------------------------------------------------------------------------ */

enum ending { HELD, HELD_WITHOUT_FAMILY, MISSED, CANCELLED, UNREPORTED };

/* clang-format off */
#define END { 0, 0 }
static const struct weighted meeting_endings[] = {
	{ HELD, 74 }, { HELD_WITHOUT_FAMILY, 5 }, { MISSED, 10 }, { CANCELLED, 6 },
	{ UNREPORTED, 5 }, END
};
static const struct weighted service_outcomes[] = {
	{ LK_COMPLETED, 6 }, { LK_STOPPED, 3 }, { LK_NOT_STARTED, 1 }, END
};
static const struct weighted sanction_outcomes[] = {
	{ LK_SANCTIONED, 5 }, { LK_GOOD_CAUSE, 2 }, { LK_ACTIVE, 3 }, END
};
static const struct weighted aided_services[] = {
	{ LK_EMPLOYMENT, 5 }, { LK_EDUCATION, 3 }, { LK_CHILD_CARE, 4 },
	{ LK_TRANSPORTATION, 3 }, { LK_HOUSING, 1 }, { LK_MENTAL_HEALTH, 2 },
	{ LK_SUBSTANCE_USE, 1 }, END
};
static const struct weighted aided_statuses[] = {
	{ LK_ACTIVE, 74 }, { LK_EXEMPT, 14 }, { LK_SANCTIONED, 5 }, { LK_NONCOMPLIANCE, 3 },
	{ LK_GOOD_CAUSE, 3 }, { LK_TIMED_OUT, 1 }, END
};
static const struct weighted cws_services[] = {
	{ LK_PARENTING_CLASS, 5 }, { LK_SUBSTANCE_USE, 4 }, { LK_MENTAL_HEALTH, 4 },
	{ LK_DOMESTIC_VIOLENCE, 2 }, { LK_ANGER_MANAGEMENT, 2 }, { LK_HOUSING, 2 },
	{ LK_TRANSPORTATION, 1 }, END
};
static const struct weighted case_statuses[] = {
	{ LK_IFS, 25 }, { LK_FM, 30 }, { LK_FR, 30 }, { LK_PP, 15 }, END
};
static const struct weighted consent_answers[] = {
	{ LK_CONSENT_SIGNED, 76 }, { LK_CONSENT_REFUSED, 12 }, { -1, 12 }, END
};
static const struct weighted concern_kinds[] = {
	{ LK_NOT_MEETING_REQUIREMENTS, 4 }, { LK_DEVIATION, 3 }, { LK_PLAN_CHANGE, 2 },
	{ LK_REMOVAL_CONSIDERED, 1 }, END
};
static const struct weighted referral_services[] = {
	{ LK_CHILD_CARE, 3 }, { LK_HOUSING, 3 }, { LK_EMPLOYMENT, 2 }, { LK_FOOD, 2 },
	{ LK_MENTAL_HEALTH, 2 }, END
};
static const struct weighted referral_answers[] = {
	{ LK_ACCEPTED, 6 }, { LK_DECLINED, 2 }, END
};
static const struct weighted child_counts[] = {
	{ 1, 40 }, { 2, 32 }, { 3, 17 }, { 4, 8 }, { 5, 3 }, END
};
/* clang-format on */

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

static struct lk_time pacific_time(lk_instant at)
{
	return (struct lk_time){ at, pacific_offset(at) };
}

static lk_date pacific_date(lk_instant at)
{
	return (lk_date)((at + pacific_offset(at) * LK_SECOND) / DAY);
}

static lk_instant pacific_instant(lk_date date, int minute)
{
	lk_instant utc = date * DAY + minute * LK_MINUTE;

	return utc - pacific_offset(utc + 8 * LK_HOUR) * LK_SECOND;
}

static lk_date workday(lk_date date)
{
	int weekday = (int)((date + 4) % 7);

	return weekday == 6 ? date + 2 : weekday == 0 ? date + 1 : date;
}

/* ---- Staff ---------------------------------------------------------------------------------- */

/* G(enumerator, role, agency, families of the agency to a worker) */
#define STAFF_GROUPS(G) \
	G(SOCIAL_WORKERS, LK_SOCIAL_WORKER, LK_CWS, 15) \
	G(AIS_WORKERS, LK_AIS_WORKER, LK_CALWORKS, 25) \
	G(EMPLOYMENT_SPECIALISTS, LK_EMPLOYMENT_SPECIALIST, LK_CALWORKS, 60) \
	G(ELIGIBILITY_WORKERS, LK_ELIGIBILITY_WORKER, LK_CALWORKS, 150) \
	G(CWS_SUPERVISORS, LK_SUPERVISOR, LK_CWS, 90) \
	G(CALWORKS_SUPERVISORS, LK_SUPERVISOR, LK_CALWORKS, 250)
#define GROUP_NAME(name, role, agency, caseload) name,
enum group { STAFF_GROUPS(GROUP_NAME) GROUPS };
#define GROUP_ROW(name, role, agency, caseload) { role, agency, caseload },
static const struct {
	int role, agency, caseload;
} groups[GROUPS] = { STAFF_GROUPS(GROUP_ROW) };

static const char *const surnames[] = {
	"Garcia",  "Jones",   "Okafor", "Ito",     "Nguyen", "Lopez",   "Singh",  "Alvarez",
	"Baker",   "Chen",    "Diaz",   "Evans",   "Flores", "Gomez",   "Haddad", "Ibarra",
	"Jackson", "Kim",     "Lam",    "Morales", "Novak",  "Ortega",  "Park",   "Quinn",
	"Reyes",   "Santos",  "Torres", "Ueda",    "Vargas", "Walker",  "Xiong",  "Yamada",
	"Zamora",  "Adeyemi", "Brooks", "Castro",  "Dang",   "Estrada", "Fong",   "Grant",
};
#define SURNAMES (sizeof(surnames) / sizeof(surnames[0]))
static const char *const area_codes[] = { "925", "510", "707", "209", "559" };
#define AREA_CODES (sizeof(area_codes) / sizeof(area_codes[0]))
#define STAFF_MAX (26 * SURNAMES)

struct worker {
	char id[48], name[48], phone[16];
	enum group group;
	unsigned mutual; /* families of both agencies that this worker was given */
};

/* ---- The county ----------------------------------------------------------------------------- */

enum cws { NOT_IN_CWS, REFERRED, IN_CASE };

struct line {
	lk_instant known_at;
	size_t order;
	char *json;
};

struct feed {
	struct line *line;
	size_t n, room;
};

static const char *const sources[AGENCIES] = { "cws-cms", "calsaws" };

struct side {
	bool has;
	char number[33];
	unsigned lead, supervisor; /* in county.worker */
	int status;
	lk_instant opened_at, closed_at;
};

struct family {
	unsigned number, namesake; /* namesake: whose children's names and birthdays these are */
	struct chance chance;
	enum cws cws;
	unsigned children, said;
	bool shares_cin;
	struct side side[AGENCIES];
};

struct options {
	unsigned families, days;
	uint64_t seed;
	lk_date start;
	const char *out;
	bool by_day;
};

struct county {
	struct options options;
	lk_instant load_at, end_at;
	struct worker worker[STAFF_MAX];
	unsigned first_of[GROUPS +
			  1]; /* workers of group g are first_of[g] .. first_of[g + 1] - 1 */
	struct family *family;
	struct feed feed[AGENCIES];
	struct lk_bytes wire, json;
	uint8_t key[LK_IDENTITY_KEY];
};

static void die(const char *format, ...) LK_PRINTF(1, 2) __attribute__((noreturn));
static void die(const char *format, ...)
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

static void *room_for(void *at, size_t n, size_t size)
{
	void *more = reallocarray(at, n, size);

	if (more == NULL)
		die("out of memory for %zu rows", n);
	return more;
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

/* An event of a type in which nothing is said yet. */
static struct lk_event event_of(enum lk_event_type type)
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
	e->source = lk_text_of(sources[e->agency]);
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

/* Says it at its time, or late, and sometimes takes it back or corrects it a day or more later. */
static void say(struct county *c, struct family *f, int agency, struct lk_event *e, lk_instant at)
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

/* Types that say no more than one code or text. */
static void say_status(struct county *c, struct family *f, int agency, int status, lk_instant at)
{
	struct lk_event e = event_of(LK_CASE_STATUS);

	e.case_status.status = status;
	if (at < f->side[agency].closed_at)
		f->side[agency].status = status;
	say(c, f, agency, &e, at);
}

static void say_contact(struct county *c, struct family *f, int agency, int kind, lk_instant at)
{
	struct lk_event e = event_of(LK_CONTACT_MADE);

	e.contact_made.kind = kind;
	say(c, f, agency, &e, at);
}

static void say_closed(struct county *c, struct family *f, int agency, lk_instant at)
{
	struct lk_event e = event_of(LK_CASE_CLOSED);

	if (at >= f->side[agency].closed_at)
		return;
	f->side[agency].closed_at = at;
	say(c, f, agency, &e, at);
}

static void say_closing(struct county *c, struct family *f, int agency, lk_date date, lk_instant at)
{
	struct lk_event e = event_of(LK_CASE_CLOSING);

	e.case_closing.date = date;
	say(c, f, agency, &e, at);
}

static void say_assigned(struct county *c, struct family *f, unsigned worker, lk_instant at)
{
	const struct worker *w = &c->worker[worker];
	struct lk_event e = event_of(LK_WORKER_ASSIGNED);

	e.worker_assigned.role = groups[w->group].role;
	e.worker_assigned.worker = lk_text_of(w->id);
	e.worker_assigned.name = lk_text_of(w->name);
	e.worker_assigned.phone = lk_text_of(w->phone);
	say(c, f, groups[w->group].agency, &e, at);
}

static void say_link(struct county *c, struct family *f, int agency, enum lk_event_type type,
		     const char *other, lk_instant at)
{
	struct lk_event e = event_of(type);

	/* The three say the same member; each its own in the union. */
	e.link_confirmed.other = (struct lk_other){ 1 - agency, lk_text_of(other) };
	say(c, f, agency, &e, at);
}

static void say_plan(struct county *c, struct family *f, int agency, const char *plan, int kind,
		     lk_instant at)
{
	struct lk_event e = event_of(LK_PLAN_SIGNED);

	e.plan_signed.plan = lk_text_of(plan);
	e.plan_signed.kind = kind;
	e.plan_signed.court_ordered = f->side[LK_CWS].status == LK_FR ? 1 : -1;
	say(c, f, agency, &e, at);
}

static void say_child(struct county *c, struct family *f, enum lk_event_type type, lk_instant at)
{
	struct lk_event e = event_of(type);
	char person[32];

	snprintf(person, sizeof(person), "cws-p%05u-1", f->number);
	e.child_removed.person =
		lk_text_of(person); /* child.returned has the same member at the same place */
	say(c, f, LK_CWS, &e, at);
}

/* ---- When things happen --------------------------------------------------------------------- */

/* During office hours of the day, or of the next day with office hours. */
static lk_instant office_hour(struct family *f, lk_date date)
{
	return pacific_instant(workday(date), chance_between(&f->chance, 8 * 60, 16 * 60 + 30));
}

static lk_instant later(struct family *f, lk_instant from, int days_lo, int days_hi)
{
	return office_hour(f, pacific_date(from) + chance_between(&f->chance, days_lo, days_hi));
}

/* Some day of the days played on which the side is open. */
static lk_instant some_day(const struct county *c, struct family *f, int agency)
{
	lk_instant at = office_hour(f, c->options.start + chance_between(&f->chance, 0,
									 (int)c->options.days - 1));

	return at > f->side[agency].opened_at ? at : later(f, f->side[agency].opened_at, 1, 6);
}

/* A rate is said for a month of 30 days; what is played may be shorter or longer. */
static bool this_month(const struct county *c, struct family *f, int per_mille)
{
	int scaled = per_mille * (int)c->options.days / 30;

	return chance_of(&f->chance, scaled > 1000 ? 1000 : scaled);
}

/* ---- Meetings ------------------------------------------------------------------------------- */

struct meeting {
	int agency, kind;
	const char *place;
	lk_instant scheduled_at, start, end;
	const char *required[2];
	enum ending ending;
	char id[32];
};

static void say_scheduled(struct county *c, struct family *f, const struct meeting *m,
			  lk_instant at)
{
	struct lk_event e = event_of(LK_MEETING_SCHEDULED);
	struct lk_meeting_scheduled *d = &e.meeting_scheduled;

	d->meeting = lk_text_of(m->id);
	d->kind = m->kind;
	d->start = pacific_time(m->start);
	d->end = pacific_time(m->end);
	d->place = lk_text_of(m->place);
	for (size_t i = 0; i < 2 && m->required[i] != NULL; i++)
		d->required.at[d->required.n++] = lk_text_of(m->required[i]);
	d->organizer = lk_text_of(m->required[0]);
	say(c, f, m->agency, &e, at);
}

static void say_ending(struct county *c, struct family *f, const struct meeting *m)
{
	static const enum lk_event_type types[] = { LK_MEETING_HELD, LK_MEETING_HELD,
						    LK_MEETING_MISSED, LK_MEETING_CANCELLED };
	struct lk_event e;

	if (m->ending == UNREPORTED)
		return;
	e = event_of(types[m->ending]);
	e.meeting_held.meeting = lk_text_of(m->id); /* the first member of all three */
	if (m->ending == HELD_WITHOUT_FAMILY)
		e.meeting_held.family = 0;
	say(c, f, m->agency, &e, m->ending == CANCELLED ? m->start - 20 * LK_HOUR : m->end);
}

/* Put on the calendar, moved now and then, and then held or not. */
static lk_instant meet(struct county *c, struct family *f, struct meeting *m, int days_lo,
		       int days_hi)
{
	lk_date day = workday(pacific_date(m->scheduled_at) +
			      chance_between(&f->chance, days_lo, days_hi));
	int length = m->kind == LK_COURT || m->kind == LK_LTM ? 90 : 60;

	snprintf(m->id, sizeof(m->id), "m%05u-%03u", f->number, f->said);
	m->start = pacific_instant(day, 8 * 60 + 30 * chance_between(&f->chance, 0, 15));
	m->end = m->start + length * LK_MINUTE;
	say_scheduled(c, f, m, m->scheduled_at);
	if (chance_of(&f->chance, 120)) {
		lk_instant moved_at = m->scheduled_at + (m->start - m->scheduled_at) / 2;

		day = workday(pacific_date(m->start) + chance_between(&f->chance, 1, 5));
		m->start = pacific_instant(day, 8 * 60 + 30 * chance_between(&f->chance, 0, 15));
		m->end = m->start + length * LK_MINUTE;
		say_scheduled(c, f, m, moved_at);
	}
	m->ending = (enum ending)chance_pick(&f->chance, meeting_endings);
	/* What went wrong long ago was put right since, or forgotten. */
	if (m->end < c->load_at - 14 * DAY ||
	    (m->ending == HELD_WITHOUT_FAMILY && m->kind != LK_LTM))
		m->ending = HELD;
	say_ending(c, f, m);
	return m->ending == HELD ? m->end : LK_NO_INSTANT;
}

static const char *lead_of(const struct county *c, const struct family *f, int agency)
{
	return c->worker[f->side[agency].lead].id;
}

/* A meeting of one agency with the family. */
static void meet_alone(struct county *c, struct family *f, int agency, int kind, const char *place)
{
	struct meeting m = { .agency = agency, .kind = kind, .place = place };

	m.required[0] = lead_of(c, f, agency);
	m.scheduled_at = some_day(c, f, agency);
	meet(c, f, &m, 2, 14);
}

static lk_instant meet_together(struct county *c, struct family *f, int agency, int kind,
				lk_instant scheduled_at, int days_hi)
{
	struct meeting m = { .agency = agency,
			     .kind = kind,
			     .place = "Family Center",
			     .scheduled_at = scheduled_at };

	m.required[0] = lead_of(c, f, agency);
	m.required[1] = lead_of(c, f, 1 - agency);
	return meet(c, f, &m, 1, days_hi);
}

/* ---- Lives ---------------------------------------------------------------------------------- */

/* A day of birth, a name of nobody, and a client index number for one child. The first child has
 * the name and the birthday of the namesake's. */
static void child_keys(struct county *c, const struct family *f, unsigned child, bool cin,
		       char out[lk_key_kind_count][LK_DIGEST_HEX], struct lk_member *m)
{
	char number[16], last[16], first[16], birth[LK_DATE_TEXT];
	unsigned name = child == 0 ? f->namesake : f->number;

	snprintf(number, sizeof(number), "9%07uA", f->number * 8 + child);
	snprintf(last, sizeof(last), "%c%c%c", 'A' + (int)(name % 26), 'A' + (int)(name / 26 % 26),
		 'A' + (int)(name / 676 % 26));
	snprintf(first, sizeof(first), "%cCHILD%c", 'A' + (int)child,
		 'A' + (int)(name / 17576 % 26));
	lk_date_print(lk_date_of(2009, 1, 1) + (lk_date)((name * 37 + child * 731) % 5800), birth);
	if (cin && lk_token_cin(c->key, lk_text_of(number), out[LK_CIN]) == 0)
		m->key[LK_CIN] = lk_text_of(out[LK_CIN]);
	if (lk_token_name_dob(c->key, lk_text_of(last), lk_text_of(first), lk_text_of(birth),
			      out[LK_NAME_DOB]) == 0)
		m->key[LK_NAME_DOB] = lk_text_of(out[LK_NAME_DOB]);
}

static void say_opened(struct county *c, struct family *f, int agency, int status, lk_instant at)
{
	static const char *const prefixes[AGENCIES] = { "cws", "cw" };
	char person[CHILDREN_MAX + 1][32], keys[CHILDREN_MAX][lk_key_kind_count][LK_DIGEST_HEX];
	struct lk_event e = event_of(LK_CASE_OPENED);
	struct lk_members *members = &e.case_opened.members;

	f->side[agency].status = status;
	e.case_opened.status = status;
	e.case_opened.limited_access = agency == LK_CWS && chance_of(&f->chance, 15) ? 1 : -1;
	for (unsigned i = 0; i <= f->children; i++) {
		struct lk_member *m = &members->at[members->n++];

		snprintf(person[i], sizeof(person[i]), "%s-p%05u-%u", prefixes[agency], f->number,
			 i);
		*m = (struct lk_member){ .person = lk_text_of(person[i]),
					 .role = i == 0 ? LK_PARENT : LK_CHILD };
		if (i > 0)
			child_keys(c, f, i - 1, agency == LK_CALWORKS || f->shares_cin, keys[i - 1],
				   m);
	}
	say(c, f, agency, &e, at);
}

static unsigned someone(struct county *c, struct family *f, enum group group)
{
	unsigned who =
		c->first_of[group] +
		(unsigned)chance_between(&f->chance, 0,
					 (int)(c->first_of[group + 1] - c->first_of[group]) - 1);

	if (f->side[LK_CWS].has && f->side[LK_CALWORKS].has)
		c->worker[who].mutual++;
	return who;
}

/* A worker's supervisor is always the same one: units are neighbours in the list of staff. */
static unsigned supervisor_of(const struct county *c, unsigned worker)
{
	enum group group = c->worker[worker].group,
		   above = group == SOCIAL_WORKERS ? CWS_SUPERVISORS : CALWORKS_SUPERVISORS;
	unsigned peers = c->first_of[group + 1] - c->first_of[group], first = c->first_of[above];

	return first + (worker - c->first_of[group]) * (c->first_of[above + 1] - first) / peers;
}

static void assign_lead(struct county *c, struct family *f, enum group group, lk_instant at)
{
	struct side *s = &f->side[groups[group].agency];

	s->lead = someone(c, f, group);
	s->supervisor = supervisor_of(c, s->lead);
	say_assigned(c, f, s->lead, at);
	say_assigned(c, f, s->supervisor, at);
}

static void service(struct county *c, struct family *f, int agency,
		    const struct weighted *categories)
{
	struct lk_event e = event_of(LK_SERVICE_STARTED);
	lk_instant at = some_day(c, f, agency);
	char id[32];

	snprintf(id, sizeof(id), "s%05u-%03u", f->number, f->said);
	e.service_started.service = lk_text_of(id);
	e.service_started.category = chance_pick(&f->chance, categories);
	say(c, f, agency, &e, at);
	if (!chance_of(&f->chance, 250))
		return;
	e = event_of(LK_SERVICE_ENDED);
	e.service_ended.service = lk_text_of(id);
	e.service_ended.outcome = chance_pick(&f->chance, service_outcomes);
	say(c, f, agency, &e, later(f, at, 5, 60));
}

static void milestone(struct county *c, struct family *f, int agency)
{
	static const char *const codes[AGENCIES][3] = {
		{ "unsupervised_visits", "treatment_completed", "trial_home_visit" },
		{ "employed", "diploma", "activity_completed" }
	};
	struct lk_event e = event_of(LK_MILESTONE_REACHED);

	e.milestone_reached.milestone = lk_text_of(codes[agency][chance_between(&f->chance, 0, 2)]);
	say(c, f, agency, &e, some_day(c, f, agency));
}

/* A plan to close, now and then taken back, and the end. */
static void closing(struct county *c, struct family *f, int agency)
{
	lk_instant at = some_day(c, f, agency);
	lk_date date = workday(pacific_date(at) + chance_between(&f->chance, 7, 30));

	say_closing(c, f, agency, date, at);
	if (chance_of(&f->chance, 150))
		say_closing(c, f, agency, LK_NO_DATE, later(f, at, 2, 6));
	else
		say_closed(c, f, agency, pacific_instant(date, 16 * 60 + 45));
}

/* Requirements not met, and what came of it. */
static void sanction(struct county *c, struct family *f)
{
	lk_instant at = some_day(c, f, LK_CALWORKS);

	say_status(c, f, LK_CALWORKS, LK_NONCOMPLIANCE, at);
	say_status(c, f, LK_CALWORKS, chance_pick(&f->chance, sanction_outcomes),
		   later(f, at, 7, 20));
}

static void report_clock(struct county *c, struct family *f, lk_instant at)
{
	struct lk_event e = event_of(LK_CLOCK_REPORTED);

	e.clock_reported.clock = LK_TANF60;
	e.clock_reported.used = chance_between(&f->chance, 0, 100) < 5
					? chance_between(&f->chance, 52, 59)
					: chance_between(&f->chance, 1, 50);
	say(c, f, LK_CALWORKS, &e, at);
}

static void household(struct county *c, struct family *f, int agency)
{
	struct lk_event e = event_of(LK_HOUSEHOLD_CHANGED);

	e.household_changed.what = LK_TEXT("address");
	say(c, f, agency, &e, some_day(c, f, agency));
}

/* What may happen in a month on one side: how often (of a thousand), and what. */
static void aided_month(struct county *c, struct family *f)
{
	if (this_month(c, f, 30))
		assign_lead(c, f, c->worker[f->side[LK_CALWORKS].lead].group,
			    some_day(c, f, LK_CALWORKS));
	if (this_month(c, f, 300))
		meet_alone(c, f, LK_CALWORKS, LK_APPOINTMENT, "Aid office");
	if (this_month(c, f, 250))
		say_contact(c, f, LK_CALWORKS, LK_PHONE, some_day(c, f, LK_CALWORKS));
	if (this_month(c, f, 60) && f->side[LK_CALWORKS].status == LK_ACTIVE)
		sanction(c, f);
	if (this_month(c, f, 150))
		service(c, f, LK_CALWORKS, aided_services);
	if (this_month(c, f, 30))
		milestone(c, f, LK_CALWORKS);
	if (this_month(c, f, 20))
		household(c, f, LK_CALWORKS);
	if (this_month(c, f, 40))
		closing(c, f, LK_CALWORKS);
}

static void aided_life(struct county *c, struct family *f)
{
	lk_instant at = f->side[LK_CALWORKS].opened_at;
	bool is_new = at >= c->load_at;

	say_opened(c, f, LK_CALWORKS, is_new ? LK_APPLIED : chance_pick(&f->chance, aided_statuses),
		   at);
	say_assigned(c, f, someone(c, f, ELIGIBILITY_WORKERS), at);
	assign_lead(c, f,
		    f->cws == IN_CASE && chance_of(&f->chance, 700) ? AIS_WORKERS
								    : EMPLOYMENT_SPECIALISTS,
		    at);
	report_clock(c, f, at + LK_HOUR);
	if (is_new)
		say_status(c, f, LK_CALWORKS, LK_ACTIVE, later(f, at, 5, 20));
	aided_month(c, f);
}

static void removal(struct county *c, struct family *f)
{
	lk_instant at = some_day(c, f, LK_CWS);

	say_child(c, f, LK_CHILD_REMOVED, at);
	say_status(c, f, LK_CWS, LK_FR, at + 2 * LK_HOUR);
	if (chance_of(&f->chance, 200))
		say_child(c, f, LK_CHILD_RETURNED, later(f, at, 5, 20));
}

/* Every child is seen once a month, mostly. */
static void visits(struct county *c, struct family *f)
{
	int months = (int)(c->options.days + 29) / 30;

	/* From the month before: a caseload comes with its visits. */
	for (int month = -1; month < months; month++) {
		lk_date day = c->options.start + month * 30 + chance_between(&f->chance, 2, 29);

		if (chance_of(&f->chance, 870) && office_hour(f, day) > f->side[LK_CWS].opened_at)
			say_contact(c, f, LK_CWS, LK_FACE_TO_FACE, office_hour(f, day));
	}
}

static void case_month(struct county *c, struct family *f)
{
	int status = f->side[LK_CWS].status;

	visits(c, f);
	if (this_month(c, f, 30))
		assign_lead(c, f, SOCIAL_WORKERS, some_day(c, f, LK_CWS));
	if ((status == LK_FR || status == LK_FM) && this_month(c, f, 300))
		meet_alone(c, f, LK_CWS, LK_COURT, "Courthouse");
	if (this_month(c, f, 500))
		meet_alone(c, f, LK_CWS, LK_VISIT, "Home");
	if (this_month(c, f, 300))
		service(c, f, LK_CWS, cws_services);
	if (this_month(c, f, 60))
		milestone(c, f, LK_CWS);
	if ((status == LK_IFS || status == LK_FM) && this_month(c, f, 60))
		removal(c, f);
	if (this_month(c, f, 30))
		household(c, f, LK_CWS);
	if (this_month(c, f, 50))
		closing(c, f, LK_CWS);
}

static void case_life(struct county *c, struct family *f)
{
	lk_instant at = f->side[LK_CWS].opened_at;
	bool is_new = at >= c->load_at - 5 * DAY;
	int status = chance_pick(&f->chance, case_statuses);

	say_opened(c, f, LK_CWS, is_new ? LK_ER : status, at);
	assign_lead(c, f, SOCIAL_WORKERS, at);
	if (is_new)
		say_status(c, f, LK_CWS, status == LK_PP ? LK_IFS : status, later(f, at, 2, 7));
	case_month(c, f);
}

static void referral_life(struct county *c, struct family *f)
{
	lk_instant at = f->side[LK_CWS].opened_at;

	say_opened(c, f, LK_CWS, LK_REFERRAL, at);
	assign_lead(c, f, SOCIAL_WORKERS, at);
	if (chance_of(&f->chance, 600))
		say_status(c, f, LK_CWS, LK_ER, later(f, at, 1, 4));
	if (chance_of(&f->chance, 850))
		say_contact(c, f, LK_CWS, LK_FACE_TO_FACE, later(f, at, 1, 10));
	if (chance_of(&f->chance, 750))
		say_closed(c, f, LK_CWS, later(f, at, 12, 30));
}

/* ---- What the two agencies do together ------------------------------------------------------ */

static lk_instant linked(struct county *c, struct family *f, lk_instant from)
{
	int clerk =
		f->side[LK_CWS].opened_at > f->side[LK_CALWORKS].opened_at ? LK_CWS : LK_CALWORKS;
	lk_instant at = later(f, from, 0, 4);

	if (f->shares_cin)
		return from;
	say_link(c, f, clerk, LK_LINK_CONFIRMED, f->side[1 - clerk].number, at);
	return at;
}

static void say_consent(struct county *c, struct family *f, enum lk_event_type type, const char *id,
			lk_instant at)
{
	struct lk_event e = event_of(type);

	e.consent_signed.consent = lk_text_of(id); /* the first member of all three */
	if (type == LK_CONSENT_SIGNED && chance_of(&f->chance, 350))
		e.consent_signed.expires = pacific_date(at) + chance_between(&f->chance, 20, 365);
	if (type == LK_CONSENT_SIGNED && chance_of(&f->chance, 150))
		e.consent_signed.topics = 1u << LK_TOPIC_STATUS | 1u << LK_TOPIC_MEETING;
	say(c, f, LK_CWS, &e, at);
}

/* Most sign within days, some refuse, some are never asked, a few change their mind. */
static void consent(struct county *c, struct family *f, lk_instant from)
{
	int answer = chance_pick(&f->chance, consent_answers);
	lk_instant at = later(f, from, 0, 8);
	char id[32];

	snprintf(id, sizeof(id), "c%05u", f->number);
	if (answer >= 0)
		say_consent(c, f, (enum lk_event_type)answer, id, at);
	if (answer == LK_CONSENT_SIGNED && chance_of(&f->chance, 60))
		say_consent(c, f, LK_CONSENT_REVOKED, id,
			    later(f, at > c->load_at ? at : c->load_at, 4, 20));
}

static void concern(struct county *c, struct family *f)
{
	int agency = chance_between(&f->chance, 0, 1);
	struct lk_event e = event_of(LK_CONCERN_RAISED);
	lk_instant at = some_day(c, f, agency);
	char id[32];

	snprintf(id, sizeof(id), "w%05u-%03u", f->number, f->said);
	e.concern_raised.concern = lk_text_of(id);
	e.concern_raised.kind = chance_pick(&f->chance, concern_kinds);
	say(c, f, agency, &e, at);
	if (e.concern_raised.kind == LK_REMOVAL_CONSIDERED)
		meet_together(c, f, LK_CWS, LK_TDM, at + 2 * LK_HOUR, 2);
	else if (chance_of(&f->chance, 600))
		meet_together(c, f, agency, LK_LTM, later(f, at, 1, 4), 7);
	if (chance_of(&f->chance, 500)) {
		e = event_of(LK_CONCERN_RESOLVED);
		e.concern_resolved.concern = lk_text_of(id);
		say(c, f, agency, &e, later(f, at, 4, 15));
	}
}

static void referral(struct county *c, struct family *f)
{
	int agency = chance_between(&f->chance, 0, 1);
	struct lk_event e = event_of(LK_REFERRAL_MADE);
	lk_instant at = some_day(c, f, agency);
	char id[32];

	snprintf(id, sizeof(id), "r%05u-%03u", f->number, f->said);
	e.referral_made.referral = lk_text_of(id);
	e.referral_made.category = chance_pick(&f->chance, referral_services);
	e.referral_made.to = lk_text_of(lk_agency_word(1 - agency));
	e.referral_made.follow_up = workday(pacific_date(at) + 10);
	e.referral_made.urgent = chance_of(&f->chance, 150) ? 1 : -1;
	say(c, f, agency, &e, at);
	if (chance_of(&f->chance, 700)) {
		e = event_of(LK_REFERRAL_UPDATED);
		e.referral_updated.referral = lk_text_of(id);
		e.referral_updated.status = chance_pick(&f->chance, referral_answers);
		say(c, f, 1 - agency, &e, later(f, at, 1, 9));
	}
}

/* From the day on which both know: link, consent, the team's two meetings, the agreement. */
static void joint_life(struct county *c, struct family *f)
{
	lk_instant a = f->side[LK_CWS].opened_at, b = f->side[LK_CALWORKS].opened_at,
		   from = a > b ? a : b;
	lk_instant linked_at = linked(c, f, from);
	char plan[32];

	consent(c, f, linked_at);
	if (f->cws != IN_CASE)
		return;
	snprintf(plan, sizeof(plan), "p%05u", f->number);
	if (chance_of(&f->chance, 850))
		meet_together(c, f, LK_CALWORKS, LK_PLTM, later(f, linked_at, 1, 4), 6);
	if (chance_of(&f->chance, 800)) {
		say_plan(c, f, LK_CWS, plan, LK_IFS_AGREEMENT, later(f, linked_at, 6, 14));
		if (chance_of(&f->chance, 850))
			meet_together(c, f, LK_CWS, LK_LTM, later(f, linked_at, 8, 16), 7);
	}
	if (this_month(c, f, 250))
		concern(c, f);
	if (this_month(c, f, 450))
		referral(c, f);
}

/* Strangers of one name and birthday: a clerk says no, or says yes and finds out. */
static void mistaken(struct county *c, struct family *f)
{
	const struct family *other = &c->family[f->namesake];
	lk_instant at = some_day(c, f, LK_CWS);
	int answer = chance_between(&f->chance, 1, 10);

	if (answer <= 5)
		say_link(c, f, LK_CWS, LK_LINK_REFUSED, other->side[LK_CALWORKS].number, at);
	if (answer < 8)
		return;
	say_link(c, f, LK_CWS, LK_LINK_CONFIRMED, other->side[LK_CALWORKS].number, at);
	say_link(c, f, LK_CWS, LK_LINK_REMOVED, other->side[LK_CALWORKS].number,
		 later(f, at, 2, 10));
}

/* ---- Who lives in the county ---------------------------------------------------------------- */

/* The match table, solved for families with three referrals to a case: of 1,000 families so many
 * are of each kind. */
static const struct kind {
	int per_mille;
	bool aided;
	enum cws cws;
} kinds[] = {
	{ 704, true, NOT_IN_CWS }, /* the rest of the aided, of whom 14 % are in child welfare too */
	{ 80, true, REFERRED },    /* 36 % of the referred */
	{ 35, true, IN_CASE },     /* 47 % of those in cases */
	{ 142, false, REFERRED },  { 39, false, IN_CASE },
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

/* Families are dealt in turn like cards, so that the proportions hold for few families too. */
static const struct kind *kind_of(unsigned number)
{
	int at = (int)((number * UINT64_C(619)) % 1000); /* 619 and 1,000 have no common divisor */
	const struct kind *k = kinds;

	while (k < kinds + KINDS - 1 && at >= k->per_mille)
		at -= k++->per_mille;
	return k;
}

static void open_side(struct county *c, struct family *f, int agency, int per_mille_new,
		      int before_lo, int before_hi)
{
	struct side *s = &f->side[agency];
	lk_date day = c->options.start - chance_between(&f->chance, before_lo, before_hi);

	if (chance_of(&f->chance, per_mille_new))
		day = c->options.start + chance_between(&f->chance, 0, (int)c->options.days - 1);
	s->has = true;
	s->opened_at = office_hour(f, day);
	s->closed_at = INT64_MAX;
	if (agency == LK_CWS)
		snprintf(s->number, sizeof(s->number), "%04u-%04u-%04u", f->number / 9000 + 1,
			 f->number % 9000 + 1000, f->number * 7919 % 10000);
	else
		snprintf(s->number, sizeof(s->number), "1B%05X", f->number * 5 + 4096);
}

static void family_make(struct county *c, unsigned number)
{
	struct family *f = &c->family[number];
	const struct kind *k = kind_of(number);

	*f = (struct family){ .number = number, .namesake = number, .cws = k->cws };
	f->chance.state = c->options.seed * UINT64_C(0xD1342543DE82EF95) + number;
	f->children = (unsigned)chance_pick(&f->chance, child_counts);
	f->shares_cin = chance_of(&f->chance, 350);
	if (k->aided)
		open_side(c, f, LK_CALWORKS, 60, 20, 900);
	if (k->cws == REFERRED)
		open_side(c, f, LK_CWS, 500, 1, 20);
	else if (k->cws == IN_CASE)
		open_side(c, f, LK_CWS, 200, 10, 500);
}

/* Of a thousand families known to child welfare alone, so many have the name of an aided one. */
#define NAMESAKES 30

static void family_name(struct county *c, unsigned number)
{
	struct family *f = &c->family[number];

	if (f->cws == NOT_IN_CWS || f->side[LK_CALWORKS].has || !chance_of(&f->chance, NAMESAKES))
		return;
	for (unsigned i = 1; i < c->options.families; i++) {
		unsigned other = (number + i) % c->options.families;

		if (c->family[other].cws == NOT_IN_CWS && c->family[other].namesake == other) {
			f->namesake = other;
			return;
		}
	}
}

static void family_live(struct county *c, struct family *f)
{
	if (f->side[LK_CALWORKS].has)
		aided_life(c, f);
	if (f->cws == IN_CASE)
		case_life(c, f);
	else if (f->cws == REFERRED)
		referral_life(c, f);
	if (f->side[LK_CALWORKS].has && f->cws != NOT_IN_CWS)
		joint_life(c, f);
	if (f->namesake != f->number)
		mistaken(c, f);
}

static void worker_make(struct worker *w, unsigned number, enum group group)
{
	const char *surname = surnames[number % SURNAMES];
	/* The letter goes once round the alphabet for each surname: no two have both. */
	int letter = (int)((number / SURNAMES + 3 * (number % SURNAMES)) % 26);

	*w = (struct worker){ .group = group };
	snprintf(w->name, sizeof(w->name), "%c. %s", 'A' + letter, surname);
	snprintf(w->id, sizeof(w->id), "%c.%c%s", 'a' + letter, surname[0] - 'A' + 'a',
		 surname + 1);
	snprintf(w->phone, sizeof(w->phone), "%s-555-01%02u", area_codes[number / 100 % AREA_CODES],
		 number % 100);
}

static void staff_make(struct county *c)
{
	unsigned families[AGENCIES] = { 0, 0 }, number = 0;

	for (unsigned i = 0; i < c->options.families; i++)
		for (int a = 0; a < AGENCIES; a++)
			families[a] += c->family[i].side[a].has ? 1 : 0;
	for (int g = 0; g < GROUPS; g++) {
		unsigned n = families[groups[g].agency] / (unsigned)groups[g].caseload + 2;

		c->first_of[g] = number;
		while (n-- > 0 && number < STAFF_MAX - (unsigned)(2 * (GROUPS - 1 - g))) {
			worker_make(&c->worker[number], number, (enum group)g);
			number++;
		}
	}
	c->first_of[GROUPS] = number;
}

/* ---- Out ------------------------------------------------------------------------------------ */

static int line_order(const void *a, const void *b)
{
	const struct line *x = a, *y = b;

	if (x->known_at != y->known_at)
		return x->known_at < y->known_at ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

static FILE *file_open(const char *folder, const char *name, const char *ending)
{
	char path[4096];
	FILE *file;

	if (snprintf(path, sizeof(path), "%s/%s%s", folder, name, ending) >= (int)sizeof(path))
		die("%s: the name is too long", folder);
	file = fopen(path, "w");
	if (file == NULL)
		die("%s: %s", path, strerror(errno));
	return file;
}

static void file_close(FILE *file, const char *folder)
{
	bool failed = ferror(file) != 0;

	if (fclose(file) != 0 || failed)
		die("%s: could not be written: %s", folder, strerror(errno));
}

static void folder_make(const char *path)
{
	if (mkdir(path, 0777) < 0 && errno != EEXIST)
		die("%s: %s", path, strerror(errno));
}

/* Lines of one day, numbered as they come: an agency's own order. Every line begins with '{'. */
static size_t lines_write(const struct feed *f, size_t from, lk_instant until, FILE *file)
{
	for (; from < f->n && f->line[from].known_at < until; from++) {
		progress_say("events written", (int64_t)from, (int64_t)f->n);
		fprintf(file, "{\"sequence\":\"%zu\",%s\n", from + 1, f->line[from].json + 1);
	}
	return from;
}

/* What becomes known until then, in a folder of its own. */
static size_t slice_write(const struct county *c, int agency, const char *name, size_t from,
			  lk_instant until)
{
	char folder[4096];
	FILE *file;

	if (snprintf(folder, sizeof(folder), "%s/%s", c->options.out, name) >= (int)sizeof(folder))
		die("%s: the name is too long", c->options.out);
	folder_make(folder);
	file = file_open(folder, sources[agency], ".ndjson");
	from = lines_write(&c->feed[agency], from, until, file);
	file_close(file, folder);
	return from;
}

static void feed_write(const struct county *c, int agency)
{
	const struct feed *f = &c->feed[agency];
	size_t at;

	qsort(f->line, f->n, sizeof(*f->line), line_order);
	if (!c->options.by_day) {
		FILE *file = file_open(c->options.out, sources[agency], ".ndjson");

		(void)lines_write(f, 0, INT64_MAX, file);
		file_close(file, c->options.out);
		return;
	}
	at = slice_write(c, agency, "caseload", 0, c->load_at + 1);
	for (unsigned day = 0; day < c->options.days; day++) {
		lk_date date = c->options.start + (lk_date)day;
		char name[LK_DATE_TEXT];

		lk_date_print(date, name);
		at = slice_write(c, agency, name, at, pacific_instant(date + 1, 0));
	}
}

static void staff_write(const struct county *c)
{
	FILE *file = file_open(c->options.out, "workers", ".tsv");

	for (unsigned i = 0; i < c->first_of[GROUPS]; i++) {
		const struct worker *w = &c->worker[i];

		fprintf(file, "%s\t%s\t%s\t%u\n", w->id, lk_agency_word(groups[w->group].agency),
			lk_role_word(groups[w->group].role), w->mutual);
	}
	file_close(file, c->options.out);
}

static void county_tell(const struct county *c)
{
	unsigned aided = 0, cws = 0, both = 0;

	for (unsigned i = 0; i < c->options.families; i++) {
		const struct family *f = &c->family[i];

		aided += f->side[LK_CALWORKS].has ? 1 : 0;
		cws += f->side[LK_CWS].has ? 1 : 0;
		both += f->side[LK_CALWORKS].has && f->side[LK_CWS].has ? 1 : 0;
	}
	printf("%u families: %u aided, %u in child welfare, %u in both; %u workers; "
	       "%zu events of %s, %zu of %s\n",
	       c->options.families, aided, cws, both, c->first_of[GROUPS], c->feed[LK_CWS].n,
	       sources[LK_CWS], c->feed[LK_CALWORKS].n, sources[LK_CALWORKS]);
}

/* ---- Options -------------------------------------------------------------------------------- */

static struct {
	int families, days, seed;
	const char *start, *out;
	bool by_day;
} settings = { .families = 2000, .days = 30, .seed = 1, .start = "2026-03-02", .out = "." };

static const struct option_row rows[] = {
	{ "families", 'n', OPTION_NUMBER, "N", &settings.families,
	  "families in the county, 1 to 100000 (default: 2000)" },
	{ "days", 'd', OPTION_NUMBER, "DAYS", &settings.days,
	  "days played after the caseload was loaded, 1 to 366 (default: 30)" },
	{ "seed", 0, OPTION_NUMBER, "SEED", &settings.seed,
	  "another county for each number; the same options give the same bytes (default: 1)" },
	{ "start", 0, OPTION_TEXT, "DATE", &settings.start,
	  "the first day, 2010-01-01 to 2090-12-31 (default: 2026-03-02)" },
	{ "out", 'o', OPTION_TEXT, "DIR", &settings.out,
	  "where to write; made if it is not there (default: here)" },
	{ "by-day", 0, OPTION_FLAG, NULL, &settings.by_day,
	  "folders rather than one file: `caseload`, then one a day, named by its date" },
};

static const struct tool tool = {
	.name = "linkages-county",
	.synopsis = "[OPTION]…",
	.purpose =
		"Plays a county: writes the event feeds of its two agencies, one NDJSON file a source.\n"
		"Everything in them is invented; the agencies share families in the proportions of the\n"
		"state's match table.",
	.rows = rows,
	.rows_n = sizeof(rows) / sizeof(rows[0]),
	.notes =
		"Files:\n"
		"  DIR/cws-cms.ndjson, DIR/calsaws.ndjson  the feeds, in the order in which things become known\n"
		"  DIR/workers.tsv                         worker, agency, role, and how many families of\n"
		"                                          both agencies were given to the worker\n\n"
		"Exit status: 0; 2 could not.\n\n"
		"Examples:\n"
		"  linkages-county --families 200 --days 10 --out /tmp/county\n",
};

/* -1: go on; else the status to exit with. */
static int options_take(struct options *o, int argc, char **argv)
{
	int first, status = options_parse(&tool, argc, argv, &first);

	if (status >= 0)
		return status;
	if (first < argc)
		return options_complain(&tool, "'%s' is not an option; see --help", argv[first]);
	if (settings.families < 1 || settings.families > 100000)
		return options_complain(&tool, "--families wants 1 to 100000");
	if (settings.days < 1 || settings.days > 366)
		return options_complain(&tool, "--days wants 1 to 366");
	if (lk_date_parse(lk_text_of(settings.start), &o->start) < 0 ||
	    o->start < lk_date_of(2010, 1, 1) || o->start > lk_date_of(2090, 12, 31))
		return options_complain(&tool, "--start wants a day like 2026-03-02, 2010 to 2090");
	o->families = (unsigned)settings.families;
	o->days = (unsigned)settings.days;
	o->seed = (uint64_t)settings.seed;
	o->out = settings.out;
	o->by_day = settings.by_day;
	return -1;
}

static void county_free(struct county *c)
{
	for (int a = 0; a < AGENCIES; a++) {
		for (size_t i = 0; i < c->feed[a].n; i++)
			free(c->feed[a].line[i].json);
		free(c->feed[a].line);
	}
	free(c->family);
	lk_bytes_free(&c->wire);
	lk_bytes_free(&c->json);
}

int main(int argc, char **argv)
{
	static struct county c;
	int status = options_take(&c.options, argc, argv);

	if (status >= 0)
		return status;
	c.load_at = pacific_instant(c.options.start, 5 * 60);
	c.end_at = pacific_instant(c.options.start + (lk_date)c.options.days, 0);
	/* Known to everyone, since the people are nobody: a county's own key never leaves its agencies. */
	memcpy(c.key, "linkages-county: nobody's secret", LK_IDENTITY_KEY);
	c.family = room_for(NULL, c.options.families, sizeof(*c.family));
	for (unsigned i = 0; i < c.options.families; i++)
		family_make(&c, i);
	for (unsigned i = 0; i < c.options.families; i++)
		family_name(&c, i);
	staff_make(&c);
	for (unsigned i = 0; i < c.options.families; i++) {
		progress_say("families", i, c.options.families);
		family_live(&c, &c.family[i]);
	}
	folder_make(c.options.out);
	for (int a = 0; a < AGENCIES; a++)
		feed_write(&c, a);
	staff_write(&c);
	progress_end();
	county_tell(&c);
	county_free(&c);
	return 0;
}
