/* county_life.c - what happens to the families of the invented county: on one side, on the other, and on both.
 *
 * In: a family with its cases. Out: everything that its agencies say of it. Promise: every event is one that an agency could
 * say: nothing before a case opens, nothing but corrections after it has closed.
 */
#include "county.h"

#include <stdio.h>

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
/* clang-format on */

/* ---- Types that say no more than one code or text -------------------------------------------- */

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

	e.worker_assigned.role = county_groups[w->group].role;
	e.worker_assigned.worker = lk_text_of(w->id);
	e.worker_assigned.name = lk_text_of(w->name);
	e.worker_assigned.phone = lk_text_of(w->phone);
	say(c, f, county_groups[w->group].agency, &e, at);
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

static void set_time(struct family *f, struct meeting *m, lk_date day)
{
	int length = m->kind == LK_COURT || m->kind == LK_LTM ? 90 : 60;

	m->start = pacific_instant(day, 8 * 60 + 30 * chance_between(&f->chance, 0, 15));
	m->end = m->start + length * LK_MINUTE;
}

static void move(struct county *c, struct family *f, struct meeting *m)
{
	lk_instant moved_at = m->scheduled_at + (m->start - m->scheduled_at) / 2;

	set_time(f, m, workday(pacific_date(m->start) + chance_between(&f->chance, 1, 5)));
	say_scheduled(c, f, m, moved_at);
}

/* Put on the calendar, moved now and then, and then held or not. */
static lk_instant meet(struct county *c, struct family *f, struct meeting *m, int days_lo,
		       int days_hi)
{
	int days = chance_between(&f->chance, days_lo, days_hi);

	snprintf(m->id, sizeof(m->id), "m%05u-%03u", f->number, f->said);
	set_time(f, m, workday(pacific_date(m->scheduled_at) + days));
	say_scheduled(c, f, m, m->scheduled_at);
	if (chance_of(&f->chance, 120))
		move(c, f, m);
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
	struct side *s = &f->side[county_groups[group].agency];

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

void family_live(struct county *c, struct family *f)
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
