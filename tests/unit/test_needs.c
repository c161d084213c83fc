/* test_needs.c - what needs.h promises: domain.md, section 5.1, row by row. */
#include "story.h"

#include "engine/needs.h"

static char needs_text[2000];

static void write_need(struct derivation *d, const struct need *need, void *context)
{
	char due[LK_DATE_TEXT];
	size_t len = strlen(needs_text);

	(void)d;
	(void)context;
	lk_date_print(need->due, due);
	(void)snprintf(needs_text + len, sizeof(needs_text) - len, "%s%s %s", len > 0 ? ", " : "",
		       lk_meeting_kind_word(need->kind), due);
	for (int r = 0; r < lk_meeting_reason_count; r++) {
		if (((need->reasons[0] | need->reasons[1]) & POLICY_BIT(r)) == 0)
			continue;
		len = strlen(needs_text);
		(void)snprintf(needs_text + len, sizeof(needs_text) - len, " %s",
			       lk_meeting_reason_word(r));
	}
}

static const char *needed(struct story *s, enum met met, const char *now)
{
	struct derivation d = { .f = &s->f,
				.p = &story_policy,
				.s = &s->around,
				.told = &s->told,
				.now = story_instant(now),
				.wake = LK_NO_INSTANT };

	needs_text[0] = '\0';
	fold_pass(&s->f, &story_policy, d.now);
	each_need(&d, met, write_need, NULL);
	derivation_free(&d);
	return needs_text;
}

#define MONDAY "2026-03-02T11:00:00-08:00"

static void both_at_work_need_a_pltm_within_seven_days(void **state)
{
	struct story s;

	(void)state;
	two_cases(&s, "fm", "active");
	assert_string_equal(needed(&s, MET_BY_CALENDAR, MONDAY), "pltm 2026-03-09");
	said(&s, "2026-03-03T09:00:00-08:00", "C-1", "meeting.scheduled",
	     "{'meeting':'m1','kind':'pltm','start':'2026-03-12T10:00:00-07:00',"
	     "'end':'2026-03-12T11:00:00-07:00'}");
	assert_string_equal(needed(&s, MET_BY_CALENDAR, "2026-03-03T09:00:00-08:00"), "");
	assert_string_equal(needed(&s, MET_BY_HOLDING, "2026-03-03T09:00:00-08:00"),
			    "pltm 2026-03-09");
	said(&s, "2026-03-12T11:00:00-07:00", "C-1", "meeting.held", "{'meeting':'m1'}");
	assert_string_equal(needed(&s, MET_BY_HOLDING, "2026-03-12T11:00:00-07:00"), "");
	story_end(&s);
}

static void an_emergency_response_alone_needs_none(void **state)
{
	struct story s;

	(void)state;
	two_cases(&s, "er", "active");
	assert_string_equal(needed(&s, MET_BY_CALENDAR, MONDAY), "");
	story_end(&s);
}

/* A meeting of before the trigger's day meets nothing; one of that very day does. */
static void it_is_met_from_the_trigger_s_day_on(void **state)
{
	struct story s;

	(void)state;
	two_cases(&s, "fm", "active");
	said(&s, "2026-03-02T10:30:00-08:00", "C-1", "meeting.scheduled",
	     "{'meeting':'m1','kind':'ltm','start':'2026-03-01T10:00:00-08:00',"
	     "'end':'2026-03-01T11:00:00-08:00'}");
	assert_string_equal(needed(&s, MET_BY_CALENDAR, MONDAY), "pltm 2026-03-09");
	said(&s, "2026-03-02T10:31:00-08:00", "C-1", "meeting.scheduled",
	     "{'meeting':'m1','kind':'ltm','start':'2026-03-02T08:00:00-08:00',"
	     "'end':'2026-03-02T09:00:00-08:00'}");
	assert_string_equal(needed(&s, MET_BY_CALENDAR, MONDAY), "");
	story_end(&s);
}

static void an_agreement_needs_an_ltm_until_its_plan_ends(void **state)
{
	struct story s;

	(void)state;
	two_cases(&s, "er", "active");
	said(&s, "2026-03-03T09:00:00-08:00", "C-1", "plan.signed",
	     "{'plan':'p1','kind':'ifs_agreement'}");
	assert_string_equal(needed(&s, MET_BY_CALENDAR, "2026-03-03T09:00:00-08:00"),
			    "ltm 2026-03-10");
	said(&s, "2026-03-04T09:00:00-08:00", "C-1", "plan.ended", "{'plan':'p1'}");
	assert_string_equal(needed(&s, MET_BY_CALENDAR, "2026-03-04T09:00:00-08:00"), "");
	story_end(&s);
}

static void an_agreement_older_than_the_episode_counts_from_its_start(void **state)
{
	struct story s;

	(void)state;
	story_begin(&s);
	said(&s, "2026-01-05T09:00:00-08:00", "C-1", "case.opened", "{'status':'er'}");
	said(&s, "2026-01-06T09:00:00-08:00", "C-1", "plan.signed",
	     "{'plan':'p1','kind':'ifs_agreement'}");
	said(&s, "2026-03-02T09:00:00-08:00", "W-1", "case.opened", "{'status':'active'}");
	said(&s, "2026-03-02T10:00:00-08:00", "W-1", "link.confirmed",
	     "{'other':{'agency':'cws','case':'C-1'}}");
	assert_string_equal(needed(&s, MET_BY_CALENDAR, MONDAY), "ltm 2026-03-09");
	story_end(&s);
}

static void an_ltm_without_the_family_is_none(void **state)
{
	struct story s;

	(void)state;
	two_cases(&s, "er", "active");
	said(&s, "2026-03-03T09:00:00-08:00", "C-1", "plan.signed",
	     "{'plan':'p1','kind':'ifs_agreement'}");
	said(&s, "2026-03-03T10:00:00-08:00", "C-1", "meeting.scheduled",
	     "{'meeting':'m1','kind':'ltm','start':'2026-03-05T10:00:00-08:00',"
	     "'end':'2026-03-05T11:00:00-08:00'}");
	said(&s, "2026-03-05T11:00:00-08:00", "C-1", "meeting.held",
	     "{'meeting':'m1','family':false}");
	assert_string_equal(needed(&s, MET_BY_HOLDING, "2026-03-05T12:00:00-08:00"),
			    "ltm 2026-03-10");
	story_end(&s);
}

/* One need a family: all reasons, the due date of the earliest. */
static void reasons_to_reconvene_make_one_need(void **state)
{
	struct story s;

	(void)state;
	two_cases(&s, "er", "active");
	said(&s, "2026-03-03T09:00:00-08:00", "W-1", "case.status", "{'status':'sanctioned'}");
	said(&s, "2026-03-04T09:00:00-08:00", "W-1", "case.closing", "{'date':'2026-04-30'}");
	said(&s, "2026-03-05T09:00:00-08:00", "C-1", "concern.raised",
	     "{'concern':'k1','kind':'deviation'}");
	assert_string_equal(needed(&s, MET_BY_CALENDAR, "2026-03-05T09:00:00-08:00"),
			    "ltm 2026-03-10 not_meeting discontinuing concern");
	said(&s, "2026-03-06T09:00:00-08:00", "W-1", "case.status", "{'status':'active'}");
	said(&s, "2026-03-06T09:01:00-08:00", "W-1", "case.closing", "{'date':null}");
	assert_string_equal(needed(&s, MET_BY_CALENDAR, "2026-03-06T10:00:00-08:00"),
			    "ltm 2026-03-12 concern");
	said(&s, "2026-03-06T11:00:00-08:00", "C-1", "concern.resolved", "{'concern':'k1'}");
	assert_string_equal(needed(&s, MET_BY_CALENDAR, "2026-03-06T11:00:00-08:00"), "");
	story_end(&s);
}

static void a_cft_meets_a_reason_to_reconvene(void **state)
{
	struct story s;

	(void)state;
	two_cases(&s, "er", "active");
	said(&s, "2026-03-03T09:00:00-08:00", "W-1", "case.status", "{'status':'sanctioned'}");
	said(&s, "2026-03-03T10:00:00-08:00", "C-1", "meeting.scheduled",
	     "{'meeting':'m1','kind':'cft','start':'2026-03-05T10:00:00-08:00',"
	     "'end':'2026-03-05T11:00:00-08:00'}");
	assert_string_equal(needed(&s, MET_BY_CALENDAR, "2026-03-03T10:00:00-08:00"), "");
	story_end(&s);
}

static void a_removal_considered_needs_a_tdm_within_two_days(void **state)
{
	struct story s;

	(void)state;
	two_cases(&s, "er", "active");
	said(&s, "2026-03-06T23:30:00-08:00", "C-1", "concern.raised",
	     "{'concern':'k1','kind':'removal_considered'}");
	assert_string_equal(needed(&s, MET_BY_CALENDAR, "2026-03-06T23:30:00-08:00"),
			    "tdm 2026-03-08");
	said(&s, "2026-03-07T09:00:00-08:00", "C-1", "concern.resolved", "{'concern':'k1'}");
	assert_string_equal(needed(&s, MET_BY_CALENDAR, "2026-03-07T09:00:00-08:00"), "");
	story_end(&s);
}

/* Three calendar months: from 30 November there is no 30 February. */
static void a_disposition_is_due_three_months_after_the_last(void **state)
{
	struct story s;

	(void)state;
	story_begin(&s);
	said(&s, "2025-11-30T09:00:00-08:00", "C-1", "case.opened", "{'status':'ifs'}");
	assert_string_equal(needed(&s, MET_BY_CALENDAR, "2025-12-01T09:00:00-08:00"),
			    "disposition 2026-02-28");
	said(&s, "2025-12-10T09:00:00-08:00", "C-1", "plan.signed",
	     "{'plan':'p1','kind':'ifs_agreement'}");
	assert_string_equal(needed(&s, MET_BY_CALENDAR, "2025-12-11T09:00:00-08:00"),
			    "disposition 2026-03-10");
	said(&s, "2026-03-05T09:00:00-08:00", "C-1", "meeting.scheduled",
	     "{'meeting':'m1','kind':'disposition','start':'2026-03-06T10:00:00-08:00',"
	     "'end':'2026-03-06T11:00:00-08:00'}");
	assert_string_equal(needed(&s, MET_BY_CALENDAR, "2026-03-05T09:00:00-08:00"), "");
	said(&s, "2026-03-06T11:00:00-08:00", "C-1", "meeting.held", "{'meeting':'m1'}");
	assert_string_equal(needed(&s, MET_BY_CALENDAR, "2026-03-06T12:00:00-08:00"),
			    "disposition 2026-06-06");
	story_end(&s);
}

static void a_closed_case_needs_no_meeting(void **state)
{
	struct story s;

	(void)state;
	two_cases(&s, "ifs", "sanctioned");
	said(&s, "2026-03-03T09:00:00-08:00", "C-1", "concern.raised",
	     "{'concern':'k1','kind':'removal_considered'}");
	said(&s, "2026-03-03T10:00:00-08:00", "C-1", "case.closed", "{}");
	assert_string_equal(needed(&s, MET_BY_CALENDAR, "2026-03-03T10:00:00-08:00"), "");
	story_end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_at_work_need_a_pltm_within_seven_days),
		cmocka_unit_test(an_emergency_response_alone_needs_none),
		cmocka_unit_test(it_is_met_from_the_trigger_s_day_on),
		cmocka_unit_test(an_agreement_needs_an_ltm_until_its_plan_ends),
		cmocka_unit_test(an_agreement_older_than_the_episode_counts_from_its_start),
		cmocka_unit_test(an_ltm_without_the_family_is_none),
		cmocka_unit_test(reasons_to_reconvene_make_one_need),
		cmocka_unit_test(a_cft_meets_a_reason_to_reconvene),
		cmocka_unit_test(a_removal_considered_needs_a_tdm_within_two_days),
		cmocka_unit_test(a_disposition_is_due_three_months_after_the_last),
		cmocka_unit_test(a_closed_case_needs_no_meeting),
	};

	return cmocka_run_group_tests(tests, story_policies, NULL);
}
