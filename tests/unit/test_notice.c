/* test_notice.c - what notice.c promises: members in their order, absent ones left out, and the
 * same back. */
#include "values.h"

static void assert_json(const struct lk_notice *notice, const char *expected)
{
	struct lk_bytes wire = { 0 }, json = { 0 };

	lk_notice_encode(notice, &wire);
	assert_false(wire.failed);
	assert_int_equal(lk_wire_to_json(wire.at, wire.len, &json), 0);
	lk_bytes_add(&json, "", 1);
	assert_string_equal((const char *)json.at, quoted(expected));
	lk_bytes_free(&wire);
	lk_bytes_free(&json);
}

/* The struct is some 3 KiB; texts point into `bytes`, which the caller frees. */
static int decode_story(const char *story, struct lk_bytes *bytes, struct lk_notice *out,
			struct lk_error *err)
{
	const char *json = quoted(story);
	struct lk_refused why;

	assert_int_equal(lk_json_to_wire(json, strlen(json), bytes, &why), 0);
	return lk_notice_decode(bytes->at, bytes->len, out, err);
}

#define ID "00112233445566778899aabbccddeeff"

static void notice_least(struct lk_notice *notice)
{
	lk_notice_clear(notice);
	memcpy(notice->id, ID, sizeof(ID));
	notice->rev = 1;
	notice->to = LK_TEXT("garcia");
	notice->kind = LK_STATUS_CHANGED;
	notice->state = LK_NEW;
}

static void members_come_in_the_order_of_the_handbook(void **state)
{
	static struct lk_notice n;

	(void)state;
	notice_least(&n);
	n.rev = 2;
	n.state = LK_WITHDRAWN;
	n.reason = LK_CORRECTED;
	assert_int_equal(lk_time_parse(LK_TEXT("2026-03-02T09:00:00-08:00"), &n.at), 0);
	n.case_number = LK_TEXT("0123-4567");
	n.other_number = LK_TEXT("1B2C3D4");
	n.contacts_n = 1;
	n.contacts[0] = (struct lk_contact){ LK_CALWORKS, LK_AIS_WORKER, LK_TEXT("jones"),
					     LK_TEXT("D. Jones"), LK_NO_TEXT };
	n.due = lk_date_of(2026, 3, 9);
	n.urgency = LK_PROMPT;
	n.level = LK_CONTENT;
	n.about.from = LK_ACTIVE;
	n.about.status = LK_SANCTIONED;
	n.rule = LK_TEXT("status.changed");
	n.cites = LK_TEXT("HB III.F");
	n.events_n = 2;
	n.events[0] = LK_TEXT("calsaws/e1");
	n.events[1] = LK_TEXT("calsaws/e2");
	n.answered_by = LK_TEXT("garcia");
	n.answered_at = n.at;
	assert_json(&n,
		    "{'id':'" ID "','rev':2,'to':'garcia','kind':'status.changed',"
		    "'state':'withdrawn','reason':'corrected','at':'2026-03-02T09:00:00-08:00',"
		    "'case':'0123-4567','other':'1B2C3D4','contacts':[{'agency':'calworks',"
		    "'role':'ais_worker','worker':'jones','name':'D. Jones'}],'due':'2026-03-09',"
		    "'urgency':'prompt','level':'content','about':{'from':'active',"
		    "'status':'sanctioned'},'because':{'rule':'status.changed','cites':'HB III.F',"
		    "'events':['calsaws/e1','calsaws/e2']},'answered':{'by':'garcia',"
		    "'at':'2026-03-02T09:00:00-08:00'}}");
}

static void what_is_absent_is_left_out(void **state)
{
	static struct lk_notice n;

	(void)state;
	notice_least(&n);
	n.at = (struct lk_time){ 0, 0 };
	n.urgency = LK_ROUTINE;
	n.level = LK_OWN;
	assert_json(&n,
		    "{'id':'" ID "','rev':1,'to':'garcia','kind':'status.changed','state':'new',"
		    "'at':'1970-01-01T00:00:00+00:00','urgency':'routine','level':'own',"
		    "'about':{},'because':{}}");
}

static void a_withdrawal_that_may_not_be_shown_is_its_first_members(void **state)
{
	static struct lk_notice n, back;
	struct lk_bytes wire = { 0 };

	(void)state;
	notice_least(&n);
	n.state = LK_WITHDRAWN;
	n.reason = LK_NO_CONSENT;
	assert_json(&n, "{'id':'" ID "','rev':1,'to':'garcia','kind':'status.changed',"
			"'state':'withdrawn','reason':'consent'}");
	lk_notice_encode(&n, &wire);
	assert_int_equal(lk_notice_decode(wire.at, wire.len, &back, NULL), 0);
	assert_true(back.at.at == LK_NO_INSTANT);
	assert_int_equal(back.level, LK_NO_CODE);
	assert_int_equal(back.due, LK_NO_DATE);
	lk_bytes_free(&wire);
}

static void a_status_in_about_is_of_a_case_or_of_a_referral(void **state)
{
	static struct lk_notice n, back;
	struct lk_bytes wire = { 0 };

	(void)state;
	notice_least(&n);
	n.about.referral_status = LK_DECLINED;
	lk_notice_encode(&n, &wire);
	assert_int_equal(lk_notice_decode(wire.at, wire.len, &back, NULL), 0);
	assert_int_equal(back.about.referral_status, LK_DECLINED);
	assert_int_equal(back.about.status, LK_NO_CODE);
	n.about.status = LK_FM; /* a map cannot say both */
	lk_bytes_clear(&wire);
	lk_notice_encode(&n, &wire);
	assert_int_equal(lk_notice_decode(wire.at, wire.len, &back, NULL), 0);
	assert_int_equal(back.about.status, LK_FM);
	assert_int_equal(back.about.referral_status, LK_NO_CODE);
	lk_bytes_free(&wire);
}

static void what_a_later_daemon_adds_is_passed_over(void **state)
{
	static struct lk_notice n;
	struct lk_bytes bytes = { 0 };

	(void)state;
	assert_int_equal(
		decode_story("{'id':'" ID
			     "','rev':1,'to':'w','kind':'visit.due','state':'new','mood':{},"
			     "'about':{'what':'weather','rain':true,'reasons':['late','storm']}}",
			     &bytes, &n, NULL),
		0);
	assert_int_equal(n.kind, LK_VISIT_DUE);
	assert_int_equal(n.about.what, LK_NO_CODE);
	assert_int_equal(n.about.reasons, 1u << LK_LATE);
	lk_bytes_free(&bytes);
}

static void what_makes_no_sense_is_refused_and_not_repeated(void **state)
{
	static const char *const wrong[] = {
		"{}",
		"{'id':'SECRET','rev':1,'to':'w','kind':'visit.due','state':'new'}",
		"{'id':'" ID "','rev':-1,'to':'w','kind':'visit.due','state':'new'}",
		"{'id':'" ID "','rev':1,'to':'SECRET!','kind':'visit.due','state':'new'}",
		"{'id':'" ID "','rev':1,'to':'w','kind':'SECRET','state':'new'}",
		"{'id':'" ID "','rev':1,'to':'w','kind':'visit.due','state':'SECRET'}",
		"{'id':'" ID
		"','rev':1,'to':'w','kind':'visit.due','state':'new','about':['SECRET']}",
		"{'id':'" ID
		"','rev':1,'to':'w','kind':'visit.due','state':'new','contacts':[{'SECRET':1}]}",
		"{'id':'" ID "','rev':1,'to':'w','kind':'visit.due','state':'new','due':'SECRET'}",
		"{'id':'" ID
		"','rev':1,'to':'w','kind':'visit.due','state':'new','because':{'events':"
		"[1]}}",
		"{'id':'" ID
		"','rev':1,'to':'w','kind':'visit.due','state':'new','about':{'proposals':"
		"['2026-03-02T09:00:00Z','2026-03-02T09:00:00Z',"
		"'2026-03-02T09:00:00Z','2026-03-02T09:00:00Z']}}",
	};
	static struct lk_notice n;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		struct lk_bytes bytes = { 0 };
		struct lk_error err = { 0 };

		assert_int_equal(decode_story(wrong[i], &bytes, &n, &err), LK_EWIRE);
		assert_true(err.text[0] != '\0');
		assert_null(strstr(err.text, "SECRET"));
		lk_bytes_free(&bytes);
	}
}

static void notice_random(uint64_t seed, struct lk_notice *n)
{
	struct lk_about *object = &n->about;
	uint8_t digest[LK_DIGEST];

	random_begin(seed);
	lk_notice_clear(n);
	lk_digest(&seed, sizeof(seed), NULL, digest);
	lk_digest_hex(digest, n->id);
	n->rev = random_from(1, 1000);
	n->to = random_token(64);
	n->kind = RANDOM_CODE(notice_kind);
	n->state = RANDOM_CODE(notice_state);
	n->reason = n->state == LK_WITHDRAWN ? RANDOM_CODE(withdrawal) : LK_NO_CODE;
	n->at = random_time();
	n->case_number = random_token(32);
	n->other_number = seed % 2 == 0 ? LK_NO_TEXT : random_token(32);
	n->contacts_n = (uint32_t)random_from(0, LK_CONTACTS_MAX);
	for (uint32_t i = 0; i < n->contacts_n; i++)
		n->contacts[i] = (struct lk_contact){ RANDOM_CODE(agency), RANDOM_CODE(role),
						      random_token(64), random_text(80),
						      i % 2 == 0 ? LK_NO_TEXT : random_text(32) };
	n->due = seed % 3 == 0 ? LK_NO_DATE : random_date();
	n->urgency = RANDOM_CODE(urgency);
	n->level = RANDOM_CODE(level);
	LK_FIELDS_about(RANDOM_MEMBER) if (object->status != LK_NO_CODE) object->referral_status =
		LK_NO_CODE;
	n->rule = random_text(64);
	n->cites = random_text(200);
	n->events_n = (uint32_t)random_from(0, LK_BECAUSE_MAX);
	for (uint32_t i = 0; i < n->events_n; i++)
		n->events[i] = random_text(129);
	if (seed % 4 == 0) {
		n->answered_by = random_token(64);
		n->answered_at = random_time();
	}
}

static void what_is_encoded_is_decoded(void **state)
{
	static struct lk_notice n, back;

	(void)state;
	for (uint64_t seed = 1; seed <= 1000; seed++) {
		struct lk_bytes first = { 0 }, second = { 0 };
		struct lk_error err = { .text = "" };

		notice_random(seed, &n);
		lk_notice_encode(&n, &first);
		if (lk_notice_decode(first.at, first.len, &back, &err) != 0)
			fail_msg("seed %d: %s", (int)seed, err.text);
		lk_notice_encode(&back, &second);
		assert_bytes(&first, &second);
		assert_string_equal(back.id, n.id);
		assert_int_equal(back.contacts_n, n.contacts_n);
		lk_bytes_free(&first);
		lk_bytes_free(&second);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(members_come_in_the_order_of_the_handbook),
		cmocka_unit_test(what_is_absent_is_left_out),
		cmocka_unit_test(a_withdrawal_that_may_not_be_shown_is_its_first_members),
		cmocka_unit_test(a_status_in_about_is_of_a_case_or_of_a_referral),
		cmocka_unit_test(what_a_later_daemon_adds_is_passed_over),
		cmocka_unit_test(what_makes_no_sense_is_refused_and_not_repeated),
		cmocka_unit_test(what_is_encoded_is_decoded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
