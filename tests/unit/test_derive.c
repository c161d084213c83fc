/* test_derive.c - what derive.h promises: who hears a fact, how much of it, and when the answer may
 * differ next. */
#include "story.h"

#define MONDAY "2026-03-02T11:00:00-08:00"

/* ---- Who --------------------------------------------------------------------------------------- */

static void both_leads_hear_of_a_mutual_family(void **state)
{
	struct story s;

	(void)state;
	two_cases(&s, "ifs", "active");
	(void)look(&s, MONDAY);
	assert_string_equal(only(&s, "crossover.found"), "new crossover.found garcia registry\n"
							 "new crossover.found jones registry\n");
	story_end(&s);
}

/* ais_worker, then employment_specialist, then eligibility_worker, then supervisor, then liaison. */
static void the_calworks_lead_is_sought_in_the_order_of_the_roles(void **state)
{
	static const char *const roles[] = { "supervisor", "eligibility_worker",
					     "employment_specialist", "ais_worker" };
	struct story s;
	struct derivation d = { .p = &story_policy, .now = 0 };

	(void)state;
	story_begin(&s);
	d.f = &s.f;
	said(&s, "2026-03-02T09:00:00-08:00", "W-1", "case.opened", "{'status':'active'}");
	assert_true(lk_text_says(lead_of(&d, LK_CALWORKS, 0), "calworks.liaison"));
	for (int i = 0; i < 4; i++) {
		char data[80];

		(void)snprintf(data, sizeof(data), "{'role':'%s','worker':'%s'}", roles[i],
			       roles[i]);
		said(&s, "2026-03-02T09:00:00-08:00", "W-1", "worker.assigned", data);
		assert_true(lk_text_says(lead_of(&d, LK_CALWORKS, 0), roles[i]));
	}
	said(&s, "2026-03-03T09:00:00-08:00", "W-1", "worker.unassigned", "{'role':'ais_worker'}");
	assert_true(lk_text_says(lead_of(&d, LK_CALWORKS, 0), "employment_specialist"));
	story_end(&s);
}

/* A supervisor without a worker below is lead and supervisor, and hears it once. */
static void nobody_gets_one_notice_twice(void **state)
{
	struct story s;

	(void)state;
	two_cases(&s, "ifs", "active");
	said(&s, "2026-03-02T10:01:00-08:00", "C-1", "worker.unassigned",
	     "{'role':'social_worker'}");
	said(&s, "2026-03-02T10:02:00-08:00", "C-1", "worker.assigned",
	     "{'role':'supervisor','worker':'ito'}");
	(void)look(&s, MONDAY);
	assert_string_equal(only(&s, "crossover.found"), "new crossover.found ito registry\n"
							 "new crossover.found jones registry\n");
	story_end(&s);
}

static void the_one_who_discovered_the_family_asks_for_consent(void **state)
{
	struct story s;

	(void)state;
	two_cases(&s, "ifs", "active"); /* W-1 opened later */
	(void)look(&s, MONDAY);
	assert_string_equal(only(&s, "consent.needed"), "new consent.needed jones registry\n");
	story_end(&s);
}

static void a_case_that_was_never_linked_says_nothing_to_the_other_side(void **state)
{
	struct story s;

	(void)state;
	story_begin(&s);
	said(&s, "2026-03-02T09:00:00-08:00", "W-1", "case.opened", "{'status':'sanctioned'}");
	said(&s, "2026-03-02T09:00:00-08:00", "W-1", "milestone.reached", "{'milestone':'job'}");
	assert_string_equal(look(&s, MONDAY), "");
	story_end(&s);
}

/* ---- How much ---------------------------------------------------------------------------------- */

static void without_consent_content_is_withheld(void **state)
{
	struct story s;

	(void)state;
	two_cases(&s, "ifs", "active");
	said(&s, "2026-03-02T10:45:00-08:00", "W-1", "milestone.reached", "{'milestone':'job'}");
	(void)look(&s, MONDAY);
	assert_string_equal(only(&s, "milestone.reached"), "new milestone.reached jones own\n");
	story_end(&s);
}

static void with_consent_it_crosses_at_content(void **state)
{
	struct story s;

	(void)state;
	two_cases(&s, "ifs", "active");
	with_consent(&s);
	said(&s, "2026-03-02T10:45:00-08:00", "W-1", "milestone.reached", "{'milestone':'job'}");
	(void)look(&s, MONDAY);
	assert_string_equal(only(&s, "milestone.reached"),
			    "new milestone.reached jones own\n"
			    "new milestone.reached garcia content\n");
	story_end(&s);
}

static void a_consent_covers_its_topics_alone(void **state)
{
	struct story s;

	(void)state;
	two_cases(&s, "ifs", "active");
	said(&s, "2026-03-02T10:30:00-08:00", "C-1", "consent.signed",
	     "{'consent':'c1','topics':['status']}");
	said(&s, "2026-03-02T10:45:00-08:00", "W-1", "milestone.reached", "{'milestone':'job'}");
	said(&s, "2026-03-02T10:46:00-08:00", "W-1", "case.status", "{'status':'exempt'}");
	(void)look(&s, MONDAY);
	assert_string_equal(only(&s, "milestone.reached"), "new milestone.reached jones own\n");
	assert_non_null(strstr(only(&s, "status.changed"), "new status.changed garcia content\n"));
	story_end(&s);
}

static void limited_access_closes_content_outright(void **state)
{
	struct story s;

	(void)state;
	two_cases(&s, "ifs", "active");
	with_consent(&s);
	said(&s, "2026-03-02T10:40:00-08:00", "C-1", "case.restricted", "{'limited_access':true}");
	said(&s, "2026-03-02T10:45:00-08:00", "W-1", "milestone.reached", "{'milestone':'job'}");
	(void)look(&s, MONDAY);
	assert_string_equal(only(&s, "milestone.reached"), "new milestone.reached jones own\n");
	story_end(&s);
}

/* Past is past: the latest status of each side is told when consent comes, and nothing else of before. */
static void what_was_before_the_consent_does_not_cross(void **state)
{
	struct story s;

	(void)state;
	two_cases(&s, "ifs", "active");
	said(&s, "2026-03-02T10:10:00-08:00", "W-1", "case.status", "{'status':'exempt'}");
	said(&s, "2026-03-02T10:11:00-08:00", "W-1", "milestone.reached", "{'milestone':'job'}");
	with_consent(&s);
	(void)look(&s, MONDAY);
	assert_string_equal(only(&s, "milestone.reached"), "new milestone.reached jones own\n");
	assert_string_equal(only(&s, "status.changed"), "new status.changed jones content\n"
							"new status.changed garcia content\n");
	story_end(&s);
}

static void a_blind_rule_speaks_at_signal_level(void **state)
{
	struct story s;

	(void)state;
	two_cases(&s, "ifs", "active");
	(void)look(&s, MONDAY);
	assert_string_equal(only(&s, "meeting.needed"),
			    "new meeting.needed garcia signal 2026-03-09\n"
			    "new meeting.needed jones signal 2026-03-09\n");
	story_end(&s);
}

/* One row a question: the level asked for, the case, when it happened; and the answer. */
static void the_one_decision(void **state)
{
	struct story s;
	lk_instant signed_at = story_instant("2026-03-02T10:30:00-08:00");
	const struct {
		const char *other;
		lk_instant cause_at;
		int level;
		bool is_moment, answer;
	} rows[] = {
		{ NULL, 0, LK_OWN, false, true },
		{ NULL, 0, LK_SIGNAL, false, true },
		{ "W-1", 0, LK_REGISTRY, false, true },
		{ "W-9", 0, LK_REGISTRY, false, false },
		{ NULL, 0, LK_CONTENT, false, true },
		{ "W-9", 0, LK_CONTENT, false, false },
		{ "W-1", signed_at, LK_CONTENT, true, true },
		{ "W-1", signed_at - 1, LK_CONTENT, true, false },
	};

	(void)state;
	two_cases(&s, "ifs", "active");
	with_consent(&s);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct disclosure ask = { .level = rows[i].level,
					  .topic = LK_TOPIC_STATUS,
					  .is_moment = rows[i].is_moment,
					  .other_agency = LK_CALWORKS,
					  .other = lk_text_of(rows[i].other),
					  .cause_at = rows[i].cause_at };

		if (disclosed(&s.f, &ask) != rows[i].answer)
			fail_msg("row %zu", i);
	}
	story_end(&s);
}

/* ---- When -------------------------------------------------------------------------------------- */

static void the_next_look_is_at_the_first_instant_that_matters(void **state)
{
	struct story s;

	(void)state;
	two_cases(&s, "ifs", "active");
	(void)look(&s, MONDAY); /* prompt notices are asked for after 48 hours */
	assert_int_equal(s.wake, story_instant("2026-03-04T11:00:00-08:00"));
	assert_string_equal(look(&s, "2026-03-04T10:59:59-08:00"), "");
	(void)look(&s, "2026-03-04T11:00:00-08:00");
	assert_non_null(strstr(s.text, "new notice.unanswered"));
	story_end(&s);
}

/* The day after the due date, at 08:00, also where the night between them had an hour less. */
static void overdue_begins_in_the_morning_after(void **state)
{
	struct story s;

	(void)state;
	two_cases(&s, "ifs", "active");
	(void)look(&s, MONDAY);
	(void)look(&s, "2026-03-10T07:59:59-07:00");
	assert_string_equal(only(&s, "meeting.overdue"), "");
	(void)look(&s, "2026-03-10T08:00:00-07:00");
	assert_string_equal(only(&s, "new meeting.overdue"),
			    "new meeting.overdue garcia signal 2026-03-09\n"
			    "new meeting.overdue jones signal 2026-03-09\n");
	story_end(&s);
}

static void an_absence_is_not_begun_while_its_source_is_silent(void **state)
{
	static const struct lk_text silent[] = { { "cws-cms", 7 } };
	struct story s;

	(void)state;
	two_cases(&s, "ifs", "active");
	s.around.silent = silent;
	s.around.silent_n = 1;
	(void)look(&s, "2026-03-10T08:00:00-07:00");
	assert_string_equal(only(&s, "new meeting.overdue"), "");
	s.around.silent_n = 0;
	(void)look(&s, "2026-03-10T09:00:00-07:00");
	assert_string_not_equal(only(&s, "new meeting.overdue"), "");
	s.around.silent_n = 1; /* what stood before the silence stays */
	(void)look(&s, "2026-03-11T09:00:00-07:00");
	assert_string_equal(only(&s, "withdrawn meeting.overdue"), "");
	story_end(&s);
}

static void a_stale_moment_is_not_told(void **state)
{
	struct story s;

	(void)state;
	two_cases(&s, "ifs", "active");
	with_consent(&s);
	said(&s, "2026-03-02T10:45:00-08:00", "W-1", "milestone.reached", "{'milestone':'job'}");
	(void)look(&s, "2026-04-02T09:00:00-07:00"); /* 31 days */
	assert_string_equal(only(&s, "milestone.reached"), "");
	story_end(&s);
}

/* History is loaded without a flood: what happened before the county went live is not told. */
static void what_was_before_the_county_went_live_is_quiet(void **state)
{
	struct story s;

	(void)state;
	two_cases(&s, "ifs", "active");
	assert_int_equal(lk_date_parse(LK_TEXT("2026-03-03"), &story_policy.quiet_before), 0);
	said(&s, "2026-03-02T23:59:59-08:00", "W-1", "milestone.reached", "{'milestone':'job'}");
	(void)look(&s, "2026-03-02T23:59:59-08:00");
	assert_string_equal(only(&s, "milestone.reached"), "");
	said(&s, "2026-03-03T00:00:00-08:00", "W-1", "milestone.reached", "{'milestone':'job'}");
	(void)look(&s, "2026-03-03T11:00:00-08:00");
	assert_string_equal(only(&s, "milestone.reached"), "new milestone.reached jones own\n");
	story_policy.quiet_before = LK_NO_DATE;
	story_end(&s);
}

/* A law that leaves fewer months from a day on: what begins by that day's passing is told at 08:00. */
static void a_shorter_clock_begins_in_the_morning_of_its_day(void **state)
{
	const struct dated as_it_is = story_policy.clock_limit;
	struct story s;
	lk_date from;

	(void)state;
	assert_int_equal(lk_date_parse(LK_TEXT("2026-03-10"), &from), 0);
	two_cases(&s, "ifs", "active");
	said(&s, "2026-03-02T10:45:00-08:00", "W-1", "clock.reported",
	     "{'clock':'tanf60','used':44}");
	story_policy.clock_limit.at[story_policy.clock_limit.n++] =
		(struct dated_value){ from, { 48, UNIT_MONTHS } };
	(void)look(&s, "2026-03-09T23:59:59-07:00");
	assert_string_equal(only(&s, "clock.near"), "");
	assert_true(s.wake <= story_instant("2026-03-10T00:00:00-07:00"));
	(void)look(&s, "2026-03-10T07:59:59-07:00");
	assert_string_equal(only(&s, "clock.near"), "");
	assert_int_equal(s.wake, story_instant("2026-03-10T08:00:00-07:00"));
	(void)look(&s, "2026-03-10T08:00:00-07:00");
	assert_string_equal(only(&s, "clock.near"), "new clock.near jones own\n");
	(void)look(&s, "2026-03-11T07:00:00-07:00");
	assert_string_equal(only(&s, "clock.near"), "");
	story_policy.clock_limit = as_it_is;
	story_end(&s);
}

/* So does what a longer notice begins: the day of the change is waited for. */
static void a_value_that_grows_begins_in_the_morning_of_its_day(void **state)
{
	struct dated *const values[] = { &story_policy.consent_expiring_before,
					 &story_policy.reunification_ending_before,
					 &story_policy.clock_near };
	static const char *const told[] = { "consent.expiring", "reunification.ending",
					    "clock.near" };
	static const int grown[] = { 40, 60, 12 };
	lk_date from;

	(void)state;
	assert_int_equal(lk_date_parse(LK_TEXT("2026-03-12"), &from), 0);
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		const struct dated as_it_is = *values[i];
		const enum unit unit = as_it_is.at[0].value.unit;
		struct story s;

		two_cases(&s, "ifs", "active");
		said(&s, "2026-03-02T10:45:00-08:00", "W-1", "consent.signed",
		     "{'consent':'c1','expires':'2026-04-20'}");
		said(&s, "2026-03-02T10:45:00-08:00", "W-1", "clock.reported",
		     "{'clock':'tanf60','used':50}");
		said(&s, "2026-03-02T10:46:00-08:00", "W-1", "case.status",
		     "{'status':'reunification','until':'2026-04-30'}");
		values[i]->at[values[i]->n++] = (struct dated_value){ from, { grown[i], unit } };
		(void)look(&s, "2026-03-11T23:59:59-07:00");
		assert_string_equal(only(&s, told[i]), "");
		assert_true(s.wake <= story_instant("2026-03-12T00:00:00-07:00"));
		(void)look(&s, "2026-03-12T07:59:59-07:00");
		assert_string_equal(only(&s, told[i]), "");
		assert_int_equal(s.wake, story_instant("2026-03-12T08:00:00-07:00"));
		(void)look(&s, "2026-03-12T08:00:00-07:00");
		assert_string_not_equal(only(&s, told[i]), "");
		*values[i] = as_it_is;
		story_end(&s);
	}
}

/* A month that is told of from before its beginning begins in the morning like any other day. */
static void a_whole_month_of_notice_begins_in_its_first_morning(void **state)
{
	const struct dated as_it_is = story_policy.visit_before;
	struct story s;

	(void)state;
	story_policy.visit_before.at[0].value.n = 40;
	two_cases(&s, "ifs", "active");
	(void)look(&s, "2026-04-01T07:59:59-07:00");
	assert_string_equal(only(&s, "visit.due"), "");
	(void)look(&s, "2026-04-01T08:00:00-07:00");
	assert_string_equal(only(&s, "visit.due"), "new visit.due garcia own 2026-04-30\n");
	story_policy.visit_before = as_it_is;
	story_end(&s);
}

/* A county may let the other side have less than the registry: of a meeting, that there is one. The own side gets all. */
static void a_meeting_that_is_told_as_a_signal_has_no_place(void **state)
{
	struct story s;
	uint32_t found = 0;

	(void)state;
	two_cases(&s, "ifs", "active");
	said(&s, "2026-03-02T10:45:00-08:00", "C-1", "meeting.scheduled",
	     "{'meeting':'m1','kind':'visit','place':'Office A','start':'2026-03-09T10:00:00-07:00',"
	     "'end':'2026-03-09T11:00:00-07:00','required':['garcia','jones']}");
	story_policy.rule[LK_MEETING_CHANGED].level = LK_SIGNAL;
	struct derivation d = { .f = &s.f,
				.p = &story_policy,
				.s = &s.around,
				.told = &s.told,
				.now = story_instant("2026-03-02T11:00:00-08:00"),
				.wake = LK_NO_INSTANT };
	derive(&d);
	story_policy.rule[LK_MEETING_CHANGED].level = LK_REGISTRY;
	for (uint32_t i = 0; i < d.n; i++) {
		const struct candidate *c = &d.at[i];
		bool own = c->side == LK_CWS;

		if (c->kind != LK_MEETING_CHANGED)
			continue;
		found++;
		assert_int_equal(c->level, own ? LK_OWN : LK_SIGNAL);
		assert_int_equal(lk_text_given(c->about.place), own);
		assert_int_equal(c->about.start.at != LK_NO_INSTANT, own);
	}
	assert_int_equal(found, 2);
	derivation_free(&d);
	story_end(&s);
}

static void a_rule_that_is_switched_off_says_nothing(void **state)
{
	struct story s;

	(void)state;
	two_cases(&s, "ifs", "active");
	story_policy.rule[LK_CROSSOVER_FOUND].enabled = false;
	story_policy.revision[0] ^= 1;
	(void)look(&s, MONDAY);
	story_policy.rule[LK_CROSSOVER_FOUND].enabled = true;
	story_policy.revision[0] ^= 1;
	assert_string_equal(only(&s, "crossover.found"), "");
	(void)look(&s, MONDAY);
	assert_string_not_equal(only(&s, "crossover.found"), "");
	story_end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_leads_hear_of_a_mutual_family),
		cmocka_unit_test(the_calworks_lead_is_sought_in_the_order_of_the_roles),
		cmocka_unit_test(nobody_gets_one_notice_twice),
		cmocka_unit_test(the_one_who_discovered_the_family_asks_for_consent),
		cmocka_unit_test(a_case_that_was_never_linked_says_nothing_to_the_other_side),
		cmocka_unit_test(without_consent_content_is_withheld),
		cmocka_unit_test(with_consent_it_crosses_at_content),
		cmocka_unit_test(a_consent_covers_its_topics_alone),
		cmocka_unit_test(limited_access_closes_content_outright),
		cmocka_unit_test(what_was_before_the_consent_does_not_cross),
		cmocka_unit_test(a_blind_rule_speaks_at_signal_level),
		cmocka_unit_test(the_one_decision),
		cmocka_unit_test(the_next_look_is_at_the_first_instant_that_matters),
		cmocka_unit_test(overdue_begins_in_the_morning_after),
		cmocka_unit_test(an_absence_is_not_begun_while_its_source_is_silent),
		cmocka_unit_test(a_stale_moment_is_not_told),
		cmocka_unit_test(what_was_before_the_county_went_live_is_quiet),
		cmocka_unit_test(a_shorter_clock_begins_in_the_morning_of_its_day),
		cmocka_unit_test(a_value_that_grows_begins_in_the_morning_of_its_day),
		cmocka_unit_test(a_whole_month_of_notice_begins_in_its_first_morning),
		cmocka_unit_test(a_meeting_that_is_told_as_a_signal_has_no_place),
		cmocka_unit_test(a_rule_that_is_switched_off_says_nothing),
	};

	return cmocka_run_group_tests(tests, story_policies, NULL);
}
