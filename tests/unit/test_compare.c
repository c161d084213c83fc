/* test_compare.c - what compare.h promises: the difference between what follows and what was told,
 * with the reason that the first of the four gives. */
#include "story.h"

#define MONDAY "2026-03-02T11:00:00-08:00"
#define TUESDAY "2026-03-03T11:00:00-08:00"

static const struct told *told_of(const struct story *s, int kind, const char *worker)
{
	for (uint32_t i = 0; i < s->told.n; i++)
		if (s->told.at[i].kind == kind &&
		    lk_text_says(words_text(&s->told.words, s->told.at[i].worker), worker))
			return &s->told.at[i];
	return NULL;
}

/* The same life again without what was only said by mistake: as the turn folds it from the log. */
static void lived_otherwise(struct story *s, void (*live)(struct story *))
{
	struct story again;

	live(&again);
	family_free(&s->f);
	s->f = again.f;
	s->told.settled = (struct settled){ 0 };
}

static void what_was_told_is_not_told_again(void **state)
{
	struct story s;

	(void)state;
	two_cases(&s, "ifs", "active");
	assert_string_not_equal(look(&s, MONDAY), "");
	assert_string_equal(look(&s, MONDAY), "");
	assert_string_equal(look(&s, "2026-03-02T12:00:00-08:00"), "");
	story_end(&s);
}

static void look_at_state(struct story *s, lk_instant now)
{
	s->text[0] = '\0';
	story_look_with(s, now, SCOPE_STATE, derive);
}

/* As long as the scene stands still only news is derived; a change of the scene, and a wake, make it
 * whole again. */
static void what_cannot_differ_is_passed_over(void **state)
{
	struct story s;

	(void)state;
	two_cases(&s, "ifs", "active");
	with_consent(&s);
	look_at_state(&s, story_instant(MONDAY));
	assert_false(s.partial);
	said(&s, "2026-03-02T12:00:00-08:00", "C-1", "milestone.reached", "{'milestone':'visit'}");
	look_at_state(&s, story_instant("2026-03-02T12:00:00-08:00"));
	assert_true(s.partial);
	assert_string_equal(s.text, "new milestone.reached garcia own\n"
				    "new milestone.reached jones content\n");
	lk_instant wake = s.told.settled.wake;
	assert_true(wake != LK_NO_INSTANT);
	said(&s, "2026-03-02T13:00:00-08:00", "C-1", "worker.assigned",
	     "{'role':'social_worker','worker':'lopez'}");
	look_at_state(&s, story_instant("2026-03-02T13:00:00-08:00"));
	assert_false(s.partial);
	look_at_state(&s, story_instant("2026-03-02T13:00:00-08:00"));
	assert_true(s.partial);
	look_at_state(&s, wake);
	assert_false(s.partial);
	(void)look(&s, "2026-03-10T12:00:00-07:00"); /* a look for answers lets it stand */
	look_at_state(&s, story_instant("2026-03-10T12:00:00-07:00"));
	assert_true(s.partial);
	story_end(&s);
}

/* Also a text of which two letters, of two words of memory, change alike. */
static void another_text_is_another_scene(void **state)
{
	char name[] = "lopez-garcia lopez-garcia nguyen";
	const struct lk_contact contact = { .worker = LK_TEXT("lopez"),
					    .name = { name, sizeof(name) - 1 } };
	const struct likely likely = { .number = LK_TEXT("W-1"),
				       .agency = LK_CALWORKS,
				       .other_number = LK_TEXT("C-9"),
				       .contacts = &contact,
				       .contacts_n = 1 };
	struct story s;

	(void)state;
	two_cases(&s, "ifs", "active");
	s.around = (struct surroundings){ .likely = &likely, .likely_n = 1 };
	for (int first = 'a'; first <= 'z'; first++) {
		name[7] = (char)first;
		look_at_state(&s, story_instant(MONDAY));
		name[7] ^= 'a' ^ 'A';
		name[15] ^= 'a' ^ 'A';
		look_at_state(&s, story_instant(MONDAY));
		assert_false(s.partial);
	}
	story_end(&s);
}

static void a_new_content_is_told_under_the_same_id(void **state)
{
	struct story s;

	(void)state;
	two_cases(&s, "ifs", "active");
	(void)look(&s, MONDAY);
	said(&s, "2026-03-03T09:00:00-08:00", "C-1", "worker.assigned",
	     "{'role':'social_worker','worker':'garcia','phone':'925-555-0101'}");
	(void)look(&s, TUESDAY);
	assert_string_equal(only(&s, "crossover.found"),
			    "updated crossover.found jones registry\n");
	assert_int_equal(told_of(&s, LK_CROSSOVER_FOUND, "jones")->rev, 2);
	story_end(&s);
}

static void a_standing_notice_follows_the_caseload(void **state)
{
	struct story s;

	(void)state;
	two_cases(&s, "ifs", "active");
	(void)look(&s, MONDAY);
	said(&s, "2026-03-03T09:00:00-08:00", "W-1", "worker.assigned",
	     "{'role':'ais_worker','worker':'lopez'}");
	(void)look(&s, TUESDAY);
	assert_string_equal(only(&s, "crossover.found"),
			    "withdrawn crossover.found jones reassigned\n"
			    "updated crossover.found garcia registry\n"
			    "new crossover.found lopez registry\n");
	story_end(&s);
}

static void lived_with_a_milestone(struct story *s, const char *when)
{
	two_cases(s, "ifs", "active");
	with_consent(s);
	said(s, when, "W-1", "milestone.reached", "{'milestone':'job'}");
}

static void live_earlier_and_revoke(struct story *s)
{
	lived_with_a_milestone(s, "2026-03-02T10:40:00-08:00");
	said(s, "2026-03-03T09:00:00-08:00", "C-1", "consent.revoked", "{'consent':'c1'}");
}

/* Each hand-out asks again whether it may be seen: of the time at which it happened, not of the telling. */
static void a_record_remembers_when_it_happened(void **state)
{
	struct story s;

	(void)state;
	two_cases(&s, "ifs", "active");
	with_consent(&s);
	said(&s, "2026-03-02T10:45:00-08:00", "W-1", "milestone.reached", "{'milestone':'job'}");
	(void)look(&s, MONDAY);
	assert_int_equal(told_of(&s, LK_MILESTONE_TOLD, "garcia")->cause_at,
			 story_instant("2026-03-02T10:45:00-08:00"));
	story_end(&s);
}

/* What stays is dated by the time that it has now, also while it may not be seen. */
static void a_record_is_dated_anew_when_its_event_is(void **state)
{
	struct story s;

	(void)state;
	lived_with_a_milestone(&s, "2026-03-02T10:45:00-08:00");
	(void)look(&s, MONDAY);
	lived_otherwise(&s, live_earlier_and_revoke);
	(void)look(&s, TUESDAY);
	assert_string_equal(only(&s, "milestone.reached"), "");
	assert_int_equal(told_of(&s, LK_MILESTONE_TOLD, "garcia")->cause_at,
			 story_instant("2026-03-02T10:40:00-08:00"));
	story_end(&s);
}

/* The latest status of each open case may be known from the next consent on: as of then, not of when it was said. */
static void a_record_is_dated_by_what_may_be_seen(void **state)
{
	struct story s;

	(void)state;
	two_cases(&s, "ifs", "active");
	with_consent(&s);
	(void)look(&s, MONDAY);
	said(&s, "2026-03-03T09:00:00-08:00", "C-1", "consent.revoked", "{'consent':'c1'}");
	(void)look(&s, "2026-03-03T09:30:00-08:00");
	said(&s, "2026-03-03T10:00:00-08:00", "C-1", "consent.signed", "{'consent':'c2'}");
	(void)look(&s, TUESDAY);
	assert_string_equal(only(&s, "status.changed"), "");
	assert_int_equal(told_of(&s, LK_STATUS_CHANGED, "garcia")->cause_at,
			 story_instant("2026-03-03T10:00:00-08:00"));
	story_end(&s);
}

/* A moment is told once per slot and not told again to a successor. */
static void a_moment_stays_with_who_heard_it(void **state)
{
	struct story s;

	(void)state;
	two_cases(&s, "ifs", "active");
	with_consent(&s);
	said(&s, "2026-03-02T10:45:00-08:00", "C-1", "milestone.reached", "{'milestone':'visit'}");
	(void)look(&s, MONDAY);
	said(&s, "2026-03-03T09:00:00-08:00", "W-1", "worker.assigned",
	     "{'role':'ais_worker','worker':'lopez'}");
	(void)look(&s, TUESDAY);
	assert_string_equal(only(&s, "milestone.reached"), "");
	story_end(&s);
}

static void what_is_no_longer_so_is_over(void **state)
{
	struct story s;

	(void)state;
	two_cases(&s, "ifs", "active");
	(void)look(&s, MONDAY);
	said(&s, "2026-03-03T09:00:00-08:00", "C-1", "case.closed", "{}");
	(void)look(&s, TUESDAY);
	assert_string_equal(only(&s, "crossover.found"), "withdrawn crossover.found garcia over\n"
							 "withdrawn crossover.found jones over\n");
	story_end(&s);
}

static void a_withdrawn_notice_may_come_again_as_new(void **state)
{
	struct story s;

	(void)state;
	two_cases(&s, "ifs", "active");
	(void)look(&s, MONDAY);
	said(&s, "2026-03-02T12:00:00-08:00", "C-1", "consent.signed", "{'consent':'c1'}");
	(void)look(&s, "2026-03-02T12:00:00-08:00");
	assert_string_equal(only(&s, "consent.needed"), "withdrawn consent.needed jones over\n");
	said(&s, "2026-03-02T13:00:00-08:00", "C-1", "consent.revoked", "{'consent':'c1'}");
	said(&s, "2026-03-02T13:01:00-08:00", "C-1", "consent.signed",
	     "{'consent':'c2','expires':'2026-03-02'}");
	(void)look(&s, "2026-03-03T08:00:00-08:00");
	assert_string_equal(only(&s, "consent.needed"), "new consent.needed jones registry\n");
	assert_int_equal(told_of(&s, LK_CONSENT_NEEDED, "jones")->rev, 3);
	story_end(&s);
}

static void a_consent_that_ends_takes_content_back(void **state)
{
	struct story s;

	(void)state;
	two_cases(&s, "ifs", "active");
	with_consent(&s);
	said(&s, "2026-03-02T10:45:00-08:00", "W-1", "case.closing", "{'date':'2026-04-30'}");
	(void)look(&s, MONDAY);
	assert_string_equal(only(&s, "closure.planned"),
			    "new closure.planned garcia content 2026-04-30\n"
			    "new closure.planned jones own 2026-04-30\n");
	said(&s, "2026-03-03T09:00:00-08:00", "C-1", "consent.revoked", "{'consent':'c1'}");
	(void)look(&s, TUESDAY);
	assert_string_equal(only(&s, "closure.planned"),
			    "withdrawn closure.planned garcia consent\n");
	story_end(&s);
}

/* ---- Corrections ------------------------------------------------------------------------------- */

static void a_life(struct story *s)
{
	two_cases(s, "ifs", "active");
	with_consent(s);
}

static void a_moment_that_no_longer_follows_is_corrected(void **state)
{
	struct story s;

	(void)state;
	a_life(&s);
	said(&s, "2026-03-02T10:45:00-08:00", "W-1", "milestone.reached", "{'milestone':'job'}");
	(void)look(&s, MONDAY);
	lived_otherwise(&s, a_life);
	(void)look(&s, TUESDAY);
	assert_string_equal(only(&s, "milestone.reached"),
			    "withdrawn milestone.reached jones corrected\n"
			    "withdrawn milestone.reached garcia corrected\n");
	story_end(&s);
}

static void a_life_with_a_job(struct story *s)
{
	a_life(s);
	said(s, "2026-03-02T10:45:00-08:00", "W-1", "milestone.reached", "{'milestone':'job'}");
}

/* It was taken back for want of an event that a damage took, which is back long after. Whoever was never told is not told. */
static void what_was_taken_back_for_want_of_its_event_is_told_again_however_old(void **state)
{
	struct story s;

	(void)state;
	a_life_with_a_job(&s);
	(void)look(&s, MONDAY);
	lived_otherwise(&s, a_life);
	(void)look(&s, TUESDAY);
	lived_otherwise(&s, a_life_with_a_job);
	(void)look(&s, "2026-07-01T11:00:00-07:00");
	assert_string_equal(only(&s, "milestone.reached"), "");
	s.retells = true;
	said(&s, "2026-03-02T10:50:00-08:00", "W-1", "milestone.reached", "{'milestone':'home'}");
	s.told.settled = (struct settled){ 0 };
	(void)look(&s, "2026-07-01T11:00:00-07:00");
	assert_string_equal(only(&s, "milestone.reached"),
			    "new milestone.reached jones own\n"
			    "new milestone.reached garcia content\n");
	(void)look(&s, "2026-07-01T12:00:00-07:00");
	assert_string_equal(only(&s, "milestone.reached"), "");
	story_end(&s);
}

static void a_life_with_a_meeting(struct story *s)
{
	a_life(s);
	said(s, "2026-03-02T10:45:00-08:00", "C-1", "meeting.scheduled",
	     "{'meeting':'m1','kind':'staffing','start':'2026-03-04T10:00:00-08:00',"
	     "'end':'2026-03-04T11:00:00-08:00','required':['garcia']}");
}

/* Likewise of a meeting that has begun since: what nobody would be told is not told again. */
static void a_reminder_of_what_has_begun_is_not_told_again(void **state)
{
	struct story s;

	(void)state;
	a_life_with_a_meeting(&s);
	(void)look(&s, "2026-03-03T11:00:00-08:00");
	assert_string_equal(only(&s, "meeting.reminder"), "new meeting.reminder garcia own\n");
	lived_otherwise(&s, a_life);
	(void)look(&s, "2026-03-03T12:00:00-08:00");
	assert_non_null(strstr(s.text, "withdrawn meeting.reminder garcia corrected\n"));
	lived_otherwise(&s, a_life_with_a_meeting);
	s.retells = true;
	(void)look(&s, "2026-03-04T10:30:00-08:00");
	assert_string_equal(only(&s, "meeting.reminder"), "");
	story_end(&s);
}

/* The cases without the link; the CWS case's half of the family is looked at. */
static void never_linked(struct story *s)
{
	story_begin(s);
	said(s, "2026-03-02T09:00:00-08:00", "C-1", "case.opened", "{'status':'ifs'}");
	said(s, "2026-03-02T09:01:00-08:00", "C-1", "worker.assigned",
	     "{'role':'social_worker','worker':'garcia'}");
}

static void an_undone_link_takes_back_what_crossed_it(void **state)
{
	struct story s;

	(void)state;
	two_cases(&s, "ifs", "active");
	(void)look(&s, MONDAY);
	lived_otherwise(&s, never_linked);
	(void)look(&s, TUESDAY);
	assert_non_null(strstr(s.text, "withdrawn crossover.found garcia unlinked\n"));
	assert_non_null(strstr(s.text, "new crossover.ended garcia signal\n"));
	assert_string_equal(look(&s, TUESDAY), "");
	story_end(&s);
}

/* ---- What a withdrawal repeats ------------------------------------------------------------------ */

static struct lk_notice notice_at(int level, int kind)
{
	struct lk_notice n;

	lk_notice_clear(&n);
	n.kind = kind;
	n.level = level;
	n.case_number = LK_TEXT("C-1");
	n.other_number = level >= LK_REGISTRY ? LK_TEXT("W-1") : LK_NO_TEXT;
	n.contacts_n = level >= LK_REGISTRY;
	n.contacts[0] = (struct lk_contact){ LK_CALWORKS, LK_AIS_WORKER, LK_TEXT("jones"),
					     LK_NO_TEXT, LK_NO_TEXT };
	n.due = 20000;
	n.about.meeting_kind = LK_LTM;
	n.about.reasons = 1u << LK_NOT_MEETING;
	n.events_n = 1;
	n.events[0] = LK_TEXT("calsaws/e1");
	return n;
}

static void a_withdrawal_repeats_all_that_may_be_seen(void **state)
{
	struct lk_notice n = notice_at(LK_CONTENT, LK_CLOSURE_PLANNED);

	(void)state;
	notice_withdraw(&n, LK_OVER, REPEAT_ALL);
	assert_int_equal(n.state, LK_WITHDRAWN);
	assert_int_equal(n.reason, LK_OVER);
	assert_int_equal(n.level, LK_CONTENT);
	assert_int_equal(n.due, 20000);
	assert_int_equal(n.events_n, 1);
}

static void without_consent_it_repeats_no_content(void **state)
{
	struct lk_notice n = notice_at(LK_CONTENT, LK_CLOSURE_PLANNED);

	(void)state;
	notice_withdraw(&n, LK_NO_CONSENT, REPEAT_NO_CONTENT);
	assert_int_equal(n.level, LK_REGISTRY);
	assert_int_equal(n.due, LK_NO_DATE);
	assert_int_equal(n.about.reasons, 0);
	assert_int_equal(n.events_n, 0);
	assert_true(lk_text_says(n.other_number, "W-1"));
}

static void a_blind_one_keeps_what_it_would_say_blind(void **state)
{
	struct lk_notice n = notice_at(LK_CONTENT, LK_MEETING_NEEDED);

	(void)state;
	notice_withdraw(&n, LK_NO_CONSENT, REPEAT_NO_CONTENT);
	assert_int_equal(n.about.meeting_kind, LK_LTM);
	assert_int_equal(n.about.reasons, 0);
	assert_int_equal(n.due, 20000);
}

static void without_a_link_it_repeats_nothing_of_the_other_side(void **state)
{
	struct lk_notice n = notice_at(LK_REGISTRY, LK_CROSSOVER_FOUND);

	(void)state;
	notice_withdraw(&n, LK_UNLINKED, REPEAT_OWN);
	assert_false(lk_text_given(n.other_number));
	assert_int_equal(n.contacts_n, 0);
	assert_int_equal(n.about.meeting_kind, LK_NO_CODE);
	assert_int_equal(n.events_n, 0);
	assert_true(lk_text_says(n.case_number, "C-1"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_told_is_not_told_again),
		cmocka_unit_test(what_cannot_differ_is_passed_over),
		cmocka_unit_test(another_text_is_another_scene),
		cmocka_unit_test(a_new_content_is_told_under_the_same_id),
		cmocka_unit_test(a_standing_notice_follows_the_caseload),
		cmocka_unit_test(a_record_remembers_when_it_happened),
		cmocka_unit_test(a_record_is_dated_anew_when_its_event_is),
		cmocka_unit_test(a_record_is_dated_by_what_may_be_seen),
		cmocka_unit_test(a_moment_stays_with_who_heard_it),
		cmocka_unit_test(what_is_no_longer_so_is_over),
		cmocka_unit_test(a_withdrawn_notice_may_come_again_as_new),
		cmocka_unit_test(a_consent_that_ends_takes_content_back),
		cmocka_unit_test(a_moment_that_no_longer_follows_is_corrected),
		cmocka_unit_test(
			what_was_taken_back_for_want_of_its_event_is_told_again_however_old),
		cmocka_unit_test(a_reminder_of_what_has_begun_is_not_told_again),
		cmocka_unit_test(an_undone_link_takes_back_what_crossed_it),
		cmocka_unit_test(a_withdrawal_repeats_all_that_may_be_seen),
		cmocka_unit_test(without_consent_it_repeats_no_content),
		cmocka_unit_test(a_blind_one_keeps_what_it_would_say_blind),
		cmocka_unit_test(without_a_link_it_repeats_nothing_of_the_other_side),
	};

	return cmocka_run_group_tests(tests, story_policies, NULL);
}
