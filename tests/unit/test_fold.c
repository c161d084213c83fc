/* test_fold.c - what fold.h promises: events in the order of (time, source, sequence) become state,
 * step by step as all at once; what the passing of time brings comes at its instant. */
#include "story.h"

static const struct kin *kin(const struct story *s)
{
	return &s->f.kins[s->f.cases[0].kin];
}

/* ---- Order ------------------------------------------------------------------------------------- */

static struct fold_key key_at(lk_instant at)
{
	return (struct fold_key){ .at = at,
				  .time_at = at,
				  .source = LK_TEXT("b"),
				  .sequence = 5,
				  .place = 5,
				  .id = LK_TEXT("m") };
}

static void expect_before(struct fold_key first, struct fold_key then)
{
	assert_true(fold_order(&first, &then) < 0);
	assert_true(fold_order(&then, &first) > 0);
	assert_int_equal(fold_order(&then, &then), 0);
}

/* Each decides only where all before it are equal. */
static void time_then_source_then_sequence_then_place_then_id(void **state)
{
	struct fold_key a, b = key_at(100);

	(void)state;
	a = key_at(99);
	a.source = LK_TEXT("c");
	expect_before(a, b);
	a = b;
	a.source = LK_TEXT("a");
	a.sequence = 9;
	expect_before(a, b);
	a = b;
	a.sequence = 4;
	a.place = 9;
	expect_before(a, b);
	a = b;
	a.place = 4;
	a.id = LK_TEXT("z");
	expect_before(a, b);
	a = b;
	a.id = LK_TEXT("l");
	expect_before(a, b);
}

static void what_waited_stands_right_behind_its_opening(void **state)
{
	struct fold_key waited = key_at(100), opening = key_at(100), earlier, others, later;

	(void)state;
	waited.opening = &opening;
	waited.time_at = 50;
	waited.source = LK_TEXT("z");
	expect_before(opening, waited);
	earlier = waited;
	earlier.time_at = 40;
	expect_before(earlier, waited);
	others = opening;
	others.source = LK_TEXT("a");
	expect_before(others, waited);
	later = opening;
	later.place++;
	expect_before(waited, later);
}

static bool comes_in_order(const struct story *s, const char *at, const char *source, int64_t place)
{
	struct fold_key key = key_at(story_instant(at));

	key.source = lk_text_of(source);
	key.sequence = INT64_MAX;
	key.place = place;
	return fold_in_order(&s->f, &key);
}

/* The story's last event: calsaws, 10:00, place 5. */
static void only_what_comes_later_is_folded_onto_the_state(void **state)
{
	struct story s;

	(void)state;
	two_cases(&s, "ifs", "active");
	assert_true(comes_in_order(&s, "2026-03-02T10:00:01-08:00", "a", 1));
	assert_true(comes_in_order(&s, "2026-03-02T10:00:00-08:00", "calsaws", 6));
	assert_true(comes_in_order(&s, "2026-03-02T10:00:00-08:00", "cws-cms", 1));
	assert_false(comes_in_order(&s, "2026-03-02T10:00:00-08:00", "calsaws", 4));
	assert_false(comes_in_order(&s, "2026-03-02T10:00:00-08:00", "a", 9));
	assert_false(comes_in_order(&s, "2026-03-02T09:59:59-08:00", "cws-cms", 9));
	story_end(&s);
}

static void what_time_has_brought_is_not_undone_by_an_earlier_event(void **state)
{
	struct story s;

	(void)state;
	two_cases(&s, "ifs", "active");
	fold_pass(&s.f, &story_policy, story_instant("2026-04-01T00:00:00-07:00"));
	assert_false(comes_in_order(&s, "2026-03-31T23:00:00-07:00", "cws-cms", 9));
	assert_false(comes_in_order(&s, "2026-04-01T00:00:00-07:00", "cws-cms", 9));
	assert_true(comes_in_order(&s, "2026-04-01T00:00:01-07:00", "cws-cms", 9));
	story_end(&s);
}

/* ---- Families ---------------------------------------------------------------------------------- */

static void a_family_is_mutual_while_both_sides_are_open(void **state)
{
	struct story s;

	(void)state;
	two_cases(&s, "ifs", "active");
	assert_true(kin(&s)->mutual);
	assert_int_equal(kin(&s)->episode_at, story_instant("2026-03-02T10:00:00-08:00"));
	said(&s, "2026-03-09T09:00:00-07:00", "C-1", "case.closed", "{}");
	assert_false(kin(&s)->mutual);
	assert_int_equal(kin(&s)->ended_at, story_instant("2026-03-09T09:00:00-07:00"));
	said(&s, "2026-03-16T09:00:00-07:00", "C-1", "case.opened", "{'status':'fm'}");
	assert_true(kin(&s)->mutual);
	assert_int_equal(kin(&s)->episode, 2);
	story_end(&s);
}

static void cases_without_a_link_are_families_of_their_own(void **state)
{
	struct story s;

	(void)state;
	story_begin(&s);
	said(&s, "2026-03-02T09:00:00-08:00", "C-1", "case.opened", "{'status':'ifs'}");
	said(&s, "2026-03-02T09:00:00-08:00", "C-2", "case.opened", "{'status':'ifs'}");
	said(&s, "2026-03-02T09:01:00-08:00", "W-1", "case.opened", "{'status':'active'}");
	assert_int_not_equal(s.f.cases[0].kin, s.f.cases[1].kin);
	said(&s, "2026-03-03T09:00:00-08:00", "W-1", "link.confirmed",
	     "{'other':{'agency':'cws','case':'C-1'}}");
	said(&s, "2026-03-04T09:00:00-08:00", "W-1", "link.confirmed",
	     "{'other':{'agency':'cws','case':'C-2'}}");
	assert_int_equal(s.f.cases[0].kin, s.f.cases[1].kin);
	assert_int_equal(kin(&s)->episode_at, story_instant("2026-03-03T09:00:00-08:00"));
	story_end(&s);
}

/* The first instant with a CWS case in a Linkages status and both sides at work. */
static void the_trigger_of_the_pltm_is_when_both_are_at_work(void **state)
{
	struct story s;

	(void)state;
	story_begin(&s);
	said(&s, "2026-03-02T09:00:00-08:00", "C-1", "case.opened", "{'status':'er'}");
	said(&s, "2026-03-02T09:00:00-08:00", "W-1", "case.opened", "{'status':'active'}");
	said(&s, "2026-03-02T09:01:00-08:00", "W-1", "link.confirmed",
	     "{'other':{'agency':'cws','case':'C-1'}}");
	said(&s, "2026-03-02T09:02:00-08:00", "C-1", "worker.assigned",
	     "{'role':'social_worker','worker':'garcia'}");
	said(&s, "2026-03-03T09:00:00-08:00", "W-1", "worker.assigned",
	     "{'role':'eligibility_worker','worker':'jones'}");
	assert_int_equal(kin(&s)->pltm_at, LK_NO_INSTANT);
	said(&s, "2026-03-04T09:00:00-08:00", "C-1", "case.status", "{'status':'ifs'}");
	assert_int_equal(kin(&s)->pltm_at, story_instant("2026-03-04T09:00:00-08:00"));
	said(&s, "2026-03-05T09:00:00-08:00", "C-1", "worker.assigned",
	     "{'role':'social_worker','worker':'ito'}");
	assert_int_equal(kin(&s)->pltm_at, story_instant("2026-03-04T09:00:00-08:00"));
	story_end(&s);
}

/* C-2 and W-2, whose family has ended, join C-1 and W-1; W-1 says so, or W-2. */
static void two_families_join(struct story *s, const char *subject, const char *data)
{
	two_cases(s, "ifs", "active");
	said(s, "2026-03-02T11:00:00-08:00", "C-2", "case.opened", "{'status':'ifs'}");
	said(s, "2026-03-02T11:01:00-08:00", "C-2", "worker.assigned",
	     "{'role':'social_worker','worker':'ito'}");
	said(s, "2026-03-02T11:02:00-08:00", "W-2", "case.opened", "{'status':'active'}");
	said(s, "2026-03-02T11:03:00-08:00", "W-2", "worker.assigned",
	     "{'role':'ais_worker','worker':'lopez'}");
	said(s, "2026-03-02T11:04:00-08:00", "W-2", "link.confirmed",
	     "{'other':{'agency':'cws','case':'C-2'}}");
	said(s, "2026-03-03T09:00:00-08:00", "C-2", "case.closed", "{}");
	said(s, "2026-03-04T09:00:00-08:00", subject, "link.confirmed", data);
}

static void an_episode_goes_on_when_an_ended_one_joins(void **state)
{
	static const char *const words[][2] = {
		{ "W-1", "{'other':{'agency':'cws','case':'C-2'}}" },
		{ "W-2", "{'other':{'agency':'cws','case':'C-1'}}" },
	};
	struct story s;

	(void)state;
	for (int i = 0; i < 2; i++) {
		two_families_join(&s, words[i][0], words[i][1]);
		assert_true(kin(&s)->mutual);
		assert_int_equal(kin(&s)->episode_at, story_instant("2026-03-02T10:00:00-08:00"));
		assert_int_equal(kin(&s)->pltm_at, story_instant("2026-03-02T10:00:00-08:00"));
		story_end(&s);
	}
}

/* The trigger that an ended episode had is none of the one that goes on. */
static void an_ended_episode_triggers_nothing(void **state)
{
	struct story s;

	(void)state;
	two_cases(&s, "ifs", "active");
	said(&s, "2026-03-03T09:00:00-08:00", "C-1", "case.closed", "{}");
	said(&s, "2026-03-04T09:00:00-08:00", "C-2", "case.opened", "{'status':'er'}");
	said(&s, "2026-03-04T09:01:00-08:00", "W-2", "case.opened", "{'status':'active'}");
	said(&s, "2026-03-04T09:02:00-08:00", "W-2", "link.confirmed",
	     "{'other':{'agency':'cws','case':'C-2'}}");
	said(&s, "2026-03-05T09:00:00-08:00", "W-2", "link.confirmed",
	     "{'other':{'agency':'cws','case':'C-1'}}");
	assert_true(kin(&s)->mutual);
	assert_int_equal(kin(&s)->episode_at, story_instant("2026-03-04T09:02:00-08:00"));
	assert_int_equal(kin(&s)->pltm_at, LK_NO_INSTANT);
	story_end(&s);
}

/* closure.both asks when a family was mutual last. */
static void of_two_ended_episodes_the_later_is_the_last(void **state)
{
	struct story s;

	(void)state;
	two_cases(&s, "ifs", "active");
	said(&s, "2026-03-02T11:00:00-08:00", "C-2", "case.opened", "{'status':'ifs'}");
	said(&s, "2026-03-02T11:02:00-08:00", "W-2", "case.opened", "{'status':'active'}");
	said(&s, "2026-03-02T11:04:00-08:00", "W-2", "link.confirmed",
	     "{'other':{'agency':'cws','case':'C-2'}}");
	said(&s, "2026-03-03T09:00:00-08:00", "C-1", "case.closed", "{}");
	said(&s, "2026-03-04T09:00:00-08:00", "C-2", "case.closed", "{}");
	said(&s, "2026-03-05T09:00:00-08:00", "W-1", "link.confirmed",
	     "{'other':{'agency':'cws','case':'C-2'}}");
	assert_false(kin(&s)->mutual);
	assert_int_equal(kin(&s)->ended_at, story_instant("2026-03-04T09:00:00-08:00"));
	story_end(&s);
}

/* ---- Ids --------------------------------------------------------------------------------------- */

/* The case's own, else its agency's in the family, else the other agency's. */
static void an_id_means_the_nearest(void **state)
{
	struct story s;

	(void)state;
	two_cases(&s, "ifs", "active");
	said(&s, "2026-03-03T09:00:00-08:00", "C-1", "concern.raised",
	     "{'concern':'k1','kind':'deviation'}");
	said(&s, "2026-03-03T09:01:00-08:00", "W-1", "concern.raised",
	     "{'concern':'k2','kind':'deviation'}");
	said(&s, "2026-03-04T09:00:00-08:00", "W-1", "concern.resolved", "{'concern':'k1'}");
	assert_int_equal(s.f.concerns_n, 2);
	assert_true(s.f.concerns[0].resolved);
	assert_false(s.f.concerns[1].resolved);
	story_end(&s);
}

/* Both other cases have raised one: the agency's own is nearer. */
static void its_agency_is_nearer_than_the_other(void **state)
{
	struct story s;

	(void)state;
	two_cases(&s, "ifs", "active");
	said(&s, "2026-03-03T09:00:00-08:00", "W-1", "concern.raised",
	     "{'concern':'k1','kind':'deviation'}");
	said(&s, "2026-03-03T09:01:00-08:00", "C-2", "case.opened", "{'status':'fm'}");
	said(&s, "2026-03-03T09:02:00-08:00", "C-2", "concern.raised",
	     "{'concern':'k1','kind':'deviation'}");
	said(&s, "2026-03-03T09:03:00-08:00", "C-2", "link.confirmed",
	     "{'other':{'agency':'calworks','case':'W-1'}}");
	assert_int_equal(s.f.concerns_n, 2);
	said(&s, "2026-03-04T09:00:00-08:00", "C-1", "concern.resolved", "{'concern':'k1'}");
	assert_false(s.f.concerns[0].resolved);
	assert_true(s.f.concerns[1].resolved);
	story_end(&s);
}

static void before_the_link_an_id_is_another(void **state)
{
	struct story s;

	(void)state;
	story_begin(&s);
	said(&s, "2026-03-02T09:00:00-08:00", "C-1", "case.opened", "{'status':'ifs'}");
	said(&s, "2026-03-02T09:00:00-08:00", "W-1", "case.opened", "{'status':'active'}");
	said(&s, "2026-03-02T09:01:00-08:00", "C-1", "service.started",
	     "{'service':'s1','category':'housing'}");
	said(&s, "2026-03-02T09:02:00-08:00", "W-1", "service.started",
	     "{'service':'s1','category':'food'}");
	assert_int_equal(s.f.services_n, 2);
	said(&s, "2026-03-02T10:00:00-08:00", "W-1", "link.confirmed",
	     "{'other':{'agency':'cws','case':'C-1'}}");
	said(&s, "2026-03-03T09:00:00-08:00", "W-1", "service.ended",
	     "{'service':'s1','outcome':'completed'}");
	assert_true(s.f.services[0].running);
	assert_false(s.f.services[1].running);
	story_end(&s);
}

/* ---- Status ------------------------------------------------------------------------------------ */

static uint32_t moments_of(const struct story *s, int kind)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < s->f.moments_n; i++)
		n += s->f.moments[i].kind == kind;
	return n;
}

static void the_same_status_again_is_no_change(void **state)
{
	struct story s;

	(void)state;
	two_cases(&s, "ifs", "active");
	uint32_t before = moments_of(&s, LK_STATUS_CHANGED);
	said(&s, "2026-03-03T09:00:00-08:00", "W-1", "case.status", "{'status':'active'}");
	assert_int_equal(moments_of(&s, LK_STATUS_CHANGED), before);
	said(&s, "2026-03-04T09:00:00-08:00", "W-1", "case.status", "{'status':'sanctioned'}");
	assert_int_equal(moments_of(&s, LK_STATUS_CHANGED), before + 1);
	assert_int_equal(s.f.cases[1].previous, LK_ACTIVE);
	story_end(&s);
}

static void trouble_goes_on_from_noncompliance_to_sanction(void **state)
{
	struct story s;

	(void)state;
	two_cases(&s, "ifs", "active");
	said(&s, "2026-03-03T09:00:00-08:00", "W-1", "case.status", "{'status':'noncompliance'}");
	said(&s, "2026-03-05T09:00:00-08:00", "W-1", "case.status", "{'status':'sanctioned'}");
	assert_int_equal(s.f.cases[1].not_meeting_at, story_instant("2026-03-03T09:00:00-08:00"));
	said(&s, "2026-03-06T09:00:00-08:00", "W-1", "case.status", "{'status':'good_cause'}");
	assert_int_equal(s.f.cases[1].not_meeting_at, LK_NO_INSTANT);
	story_end(&s);
}

/* ---- The passing of time ----------------------------------------------------------------------- */

/* Its last day lasts to its local midnight, which on 8 March 2026 comes an hour early in UTC. */
static void a_consent_ends_with_its_day(void **state)
{
	struct story s;

	(void)state;
	two_cases(&s, "ifs", "active");
	said(&s, "2026-03-02T10:30:00-08:00", "C-1", "consent.signed",
	     "{'consent':'c1','expires':'2026-03-08'}");
	assert_int_equal(fold_next(&s.f, &story_policy),
			 story_instant("2026-03-09T00:00:00-07:00"));
	fold_pass(&s.f, &story_policy, story_instant("2026-03-08T23:59:59-07:00"));
	assert_true(s.f.consents[0].in_force);
	assert_int_not_equal(s.f.cases[0].live_at[LK_TOPIC_STATUS], LK_NO_INSTANT);
	fold_pass(&s.f, &story_policy, story_instant("2026-03-09T00:00:00-07:00"));
	assert_false(s.f.consents[0].in_force);
	assert_int_equal(s.f.cases[0].live_at[LK_TOPIC_STATUS], LK_NO_INSTANT);
	story_end(&s);
}

static void a_consent_signed_after_its_last_day_is_none(void **state)
{
	struct story s;

	(void)state;
	two_cases(&s, "ifs", "active");
	said(&s, "2026-03-09T10:30:00-07:00", "C-1", "consent.signed",
	     "{'consent':'c1','expires':'2026-03-08'}");
	assert_false(s.f.consents[0].in_force);
	story_end(&s);
}

static void content_is_live_from_the_last_thing_it_needed(void **state)
{
	struct story s;

	(void)state;
	two_cases(&s, "ifs", "active");
	with_consent(&s);
	const struct kase *k = &s.f.cases[1];
	assert_int_equal(k->live_at[LK_TOPIC_STATUS], story_instant("2026-03-02T10:30:00-08:00"));
	said(&s, "2026-03-03T09:00:00-08:00", "C-1", "case.restricted", "{'limited_access':true}");
	assert_int_equal(k->live_at[LK_TOPIC_STATUS], LK_NO_INSTANT);
	said(&s, "2026-03-04T09:00:00-08:00", "C-1", "case.restricted", "{'limited_access':false}");
	assert_int_equal(k->live_at[LK_TOPIC_STATUS], story_instant("2026-03-04T09:00:00-08:00"));
	said(&s, "2026-03-05T09:00:00-08:00", "W-1", "consent.revoked", "{'consent':'c1'}");
	assert_int_equal(k->live_at[LK_TOPIC_STATUS], LK_NO_INSTANT);
	story_end(&s);
}

static void a_month_without_a_visit_is_missed_at_its_end(void **state)
{
	struct story s;

	(void)state;
	two_cases(&s, "ifs", "active");
	fold_pass(&s.f, &story_policy, story_instant("2026-04-30T23:59:59-07:00"));
	assert_int_equal(moments_of(&s, LK_VISIT_MISSED), 0); /* March was no whole month */
	fold_pass(&s.f, &story_policy, story_instant("2026-05-01T00:00:00-07:00"));
	assert_int_equal(moments_of(&s, LK_VISIT_MISSED), 1);
	said(&s, "2026-05-20T09:00:00-07:00", "C-1", "contact.made", "{'kind':'phone'}");
	said(&s, "2026-06-20T09:00:00-07:00", "C-1", "contact.made", "{'kind':'face_to_face'}");
	fold_pass(&s.f, &story_policy, story_instant("2026-07-01T00:00:00-07:00"));
	assert_int_equal(moments_of(&s, LK_VISIT_MISSED), 2);
	story_end(&s);
}

static void a_reminder_needs_a_meeting_that_was_known_by_then(void **state)
{
	struct story s;

	(void)state;
	two_cases(&s, "ifs", "active");
	said(&s, "2026-03-05T07:59:00-08:00", "C-1", "meeting.scheduled",
	     "{'meeting':'m1','kind':'staffing','start':'2026-03-06T10:00:00-08:00',"
	     "'end':'2026-03-06T11:00:00-08:00','required':['garcia']}");
	said(&s, "2026-03-05T08:01:00-08:00", "C-1", "meeting.scheduled",
	     "{'meeting':'m2','kind':'staffing','start':'2026-03-06T12:00:00-08:00',"
	     "'end':'2026-03-06T13:00:00-08:00','required':['garcia']}");
	fold_pass(&s.f, &story_policy, story_instant("2026-03-06T10:00:00-08:00"));
	assert_int_equal(moments_of(&s, LK_MEETING_REMINDER), 1);
	story_end(&s);
}

/* What is said goes before what the kind of meeting would have. */
static void a_meeting_may_say_whether_the_family_must_be_there(void **state)
{
	static const struct {
		const char *kind, *family;
		bool expected;
	} rows[] = { { "visit", "", true },     { "visit", ",'family':false", false },
		     { "pltm", "", false },     { "pltm", ",'family':true", true },
		     { "staffing", "", false }, { "court", ",'family':true", true } };
	struct story s;

	(void)state;
	two_cases(&s, "ifs", "active");
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char data[300];

		(void)snprintf(data, sizeof(data),
			       "{'meeting':'m%zu','kind':'%s','start':'2026-03-06T10:00:00-08:00',"
			       "'end':'2026-03-06T11:00:00-08:00'%s}",
			       i, rows[i].kind, rows[i].family);
		said(&s, "2026-03-05T07:59:00-08:00", "C-1", "meeting.scheduled", data);
		if (s.f.versions[i].family != rows[i].expected)
			fail_msg("row %zu", i);
	}
	story_end(&s);
}

/* ---- Step by step equals all at once ----------------------------------------------------------- */

/* Time may be asked at any instant on the way: the same bytes come out. */
static void looking_in_between_changes_nothing(void **state)
{
	struct story a, b;
	struct lk_bytes x = { 0 }, y = { 0 };

	(void)state;
	two_cases(&a, "ifs", "active");
	two_cases(&b, "ifs", "active");
	for (int day = 3; day <= 31; day++) {
		char at[40];

		(void)snprintf(at, sizeof(at), "2026-03-%02dT12:00:00-07:00", day);
		fold_pass(&a.f, &story_policy, story_instant(at));
	}
	said(&a, "2026-05-02T09:00:00-07:00", "C-1", "case.closed", "{}");
	said(&b, "2026-05-02T09:00:00-07:00", "C-1", "case.closed", "{}");
	family_pack(&a.f, &x);
	family_pack(&b.f, &y);
	assert_int_equal(x.len, y.len);
	assert_memory_equal(x.at, y.at, x.len);
	lk_bytes_free(&x);
	lk_bytes_free(&y);
	story_end(&a);
	story_end(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(time_then_source_then_sequence_then_place_then_id),
		cmocka_unit_test(what_waited_stands_right_behind_its_opening),
		cmocka_unit_test(only_what_comes_later_is_folded_onto_the_state),
		cmocka_unit_test(what_time_has_brought_is_not_undone_by_an_earlier_event),
		cmocka_unit_test(a_family_is_mutual_while_both_sides_are_open),
		cmocka_unit_test(cases_without_a_link_are_families_of_their_own),
		cmocka_unit_test(the_trigger_of_the_pltm_is_when_both_are_at_work),
		cmocka_unit_test(an_episode_goes_on_when_an_ended_one_joins),
		cmocka_unit_test(an_ended_episode_triggers_nothing),
		cmocka_unit_test(of_two_ended_episodes_the_later_is_the_last),
		cmocka_unit_test(an_id_means_the_nearest),
		cmocka_unit_test(its_agency_is_nearer_than_the_other),
		cmocka_unit_test(before_the_link_an_id_is_another),
		cmocka_unit_test(the_same_status_again_is_no_change),
		cmocka_unit_test(trouble_goes_on_from_noncompliance_to_sanction),
		cmocka_unit_test(a_consent_ends_with_its_day),
		cmocka_unit_test(a_consent_signed_after_its_last_day_is_none),
		cmocka_unit_test(content_is_live_from_the_last_thing_it_needed),
		cmocka_unit_test(a_month_without_a_visit_is_missed_at_its_end),
		cmocka_unit_test(a_reminder_needs_a_meeting_that_was_known_by_then),
		cmocka_unit_test(a_meeting_may_say_whether_the_family_must_be_there),
		cmocka_unit_test(looking_in_between_changes_nothing),
	};

	return cmocka_run_group_tests(tests, story_policies, NULL);
}
