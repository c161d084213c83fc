/* test_base.c - what base.c promises of texts, days, instants, bytes, errors and digests. */
#include "values.h"

/* Every way to cut a text of letters of one to four bytes, and texts that need no cutting. */
static void a_text_that_was_cut_ends_with_a_whole_character(void **state)
{
	static const char all[] = "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80";
	static const size_t whole[] = { 0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10 };

	(void)state;
	for (size_t cut = 0; cut <= 10; cut++) {
		char text[sizeof(all)] = "";

		memcpy(text, all, cut);
		lk_text_trim(text);
		assert_int_equal(strlen(text), whole[cut]);
	}
	struct lk_error err;
	char name[600];

	memset(name, 'x', sizeof(name));
	for (size_t at = 1; at + 2 < sizeof(name); at += 2)
		memcpy(name + at, "\xc3\xa9", 2);
	name[sizeof(name) - 1] = '\0';
	(void)(lk_fail)(&err, LK_ECONFIG, "%s", name);
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
	(void)(lk_fail)(&err, LK_ECONFIG, "-%s", name);
	assert_int_equal(strlen(err.text), sizeof(err.text) - 2);
}

static void texts_are_compared_by_their_bytes(void **state)
{
	(void)state;
	assert_true(lk_text_is(LK_TEXT("ab"), lk_text_of("ab")));
	assert_false(lk_text_is(LK_TEXT("ab"), LK_TEXT("abc")));
	assert_true(lk_text_is(LK_NO_TEXT, lk_text_of(NULL)));
	assert_false(lk_text_is(LK_NO_TEXT, LK_TEXT("")));
	assert_true(lk_text_says(LK_TEXT(""), ""));
	assert_false(lk_text_says(LK_NO_TEXT, ""));
	assert_true(lk_text_order(LK_TEXT("a"), LK_TEXT("b")) < 0);
	assert_true(lk_text_order(LK_TEXT("ab"), LK_TEXT("a")) > 0);
	assert_true(lk_text_order(LK_TEXT("\xc3\xa9"), LK_TEXT("z")) > 0);
	assert_int_equal(lk_text_order(LK_TEXT("a"), LK_TEXT("a")), 0);
	assert_int_equal(lk_text_order(LK_NO_TEXT, LK_NO_TEXT), 0);
}

static void days_go_out_and_come_back(void **state)
{
	int year, month, day, last_day = 31, last_month = 12;
	char text[LK_DATE_TEXT];
	lk_date back;

	(void)state;
	for (lk_date date = lk_date_of(1899, 1, 1); date < lk_date_of(2105, 1, 1); date++) {
		lk_date_civil(date, &year, &month, &day);
		assert_true(day == last_day + 1 || (day == 1 && last_day >= 28));
		assert_true(month == last_month || month == last_month % 12 + 1);
		last_day = day;
		last_month = month;
		assert_int_equal(lk_date_of(year, month, day), date);
		lk_date_print(date, text);
		assert_int_equal(lk_date_parse(lk_text_of(text), &back), 0);
		assert_int_equal(back, date);
	}
	assert_int_equal(lk_date_of(1970, 1, 1), 0);
	assert_int_equal(lk_date_of(2000, 2, 29) + 1, lk_date_of(2000, 3, 1));
	assert_int_equal(lk_date_of(1969, 12, 31), -1);
}

static void days_that_do_not_exist_are_refused(void **state)
{
	static const char *const wrong[] = {
		"",           "2026-02-29", "1900-02-29",  "2026-04-31",  "2026-00-10",
		"2026-13-01", "2026-01-00", "2026-01-32",  "2026-1-01",   "2026-01-1",
		"2026/01/01", "20260101",   "2026-01-01 ", " 2026-01-01", "+026-01-01",
		"2026-01-0x"
	};
	lk_date date = 77;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		assert_int_equal(lk_date_parse(lk_text_of(wrong[i]), &date), -1);
	assert_int_equal(lk_date_parse(LK_NO_TEXT, &date), -1);
	assert_int_equal(date, 77);
	assert_int_equal(lk_date_parse(LK_TEXT("2000-02-29"), &date), 0);
	assert_int_equal(lk_date_parse(LK_TEXT("9999-12-31"), &date), 0);
}

static void instants_are_read_with_their_offset(void **state)
{
	static const struct {
		const char *text;
		lk_instant at;
		int32_t offset_s;
		const char *printed;
	} known[] = {
		{ "2026-03-02T09:00:00-08:00", INT64_C(1772470800000000), -28800,
		  "2026-03-02T09:00:00-08:00" },
		{ "2026-03-02T17:00:00Z", INT64_C(1772470800000000), 0,
		  "2026-03-02T17:00:00+00:00" },
		{ "2026-03-02t17:00:00z", INT64_C(1772470800000000), 0,
		  "2026-03-02T17:00:00+00:00" },
		{ "2026-03-02T17:00:00.120Z", INT64_C(1772470800120000), 0,
		  "2026-03-02T17:00:00.12+00:00" },
		{ "2026-03-02T17:00:00.0000019Z", INT64_C(1772470800000001), 0,
		  "2026-03-02T17:00:00.000001+00:00" },
		{ "2026-03-02T17:00:00.000-00:00", INT64_C(1772470800000000), 0,
		  "2026-03-02T17:00:00+00:00" },
		{ "2026-03-03T02:45:00+09:45", INT64_C(1772470800000000), 35100,
		  "2026-03-03T02:45:00+09:45" },
		{ "1990-01-01T00:00:00+14:00", INT64_C(631101600000000), 50400,
		  "1990-01-01T00:00:00+14:00" },
		{ "2100-12-31T23:59:59.999999Z", INT64_C(4133980799999999), 0,
		  "2100-12-31T23:59:59.999999+00:00" },
	};
	char text[LK_TIME_TEXT];
	struct lk_time time;

	(void)state;
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		assert_int_equal(lk_time_parse(lk_text_of(known[i].text), &time), 0);
		assert_true(time.at == known[i].at);
		assert_int_equal(time.offset_s, known[i].offset_s);
		lk_time_print(time, text);
		assert_string_equal(text, known[i].printed);
	}
}

static void instants_go_out_and_come_back(void **state)
{
	(void)state;
	random_begin(1);
	for (int i = 0; i < 20000; i++) {
		struct lk_time time = random_time(), back;
		char text[LK_TIME_TEXT];

		lk_time_print(time, text);
		assert_int_equal(lk_time_parse(lk_text_of(text), &back), 0);
		assert_true(time.at == back.at && time.offset_s == back.offset_s);
	}
}

static void any_instant_can_be_printed(void **state)
{
	static const struct lk_time odd[] = {
		{ INT64_MIN, 0 }, { INT64_MAX, 86399 }, { -1, -86399 }, { 0, INT32_MAX }
	};
	char text[LK_TIME_TEXT + 1];

	(void)state;
	for (size_t i = 0; i < sizeof(odd) / sizeof(*odd); i++) {
		text[LK_TIME_TEXT] = 'x';
		lk_time_print(odd[i], text);
		assert_true(memchr(text, '\0', LK_TIME_TEXT) != NULL);
		assert_int_equal(text[LK_TIME_TEXT], 'x');
	}
	lk_time_print((struct lk_time){ -1, 0 }, text);
	assert_string_equal(text, "1969-12-31T23:59:59.999999+00:00");
}

static void errors_say_what_and_why(void **state)
{
	struct lk_error err;
	char lots[1000];

	(void)state;
	memset(lots, 'x', sizeof(lots) - 1);
	lots[sizeof(lots) - 1] = '\0';
	assert_int_equal(lk_fail(&err, LK_EWIRE, "frame of %d bytes", 3), LK_EWIRE);
	assert_int_equal(err.code, LK_EWIRE);
	assert_string_equal(err.text, "frame of 3 bytes");
	assert_int_equal(lk_fail(NULL, LK_EFULL, "nobody listens"), LK_EFULL);
	assert_int_equal(lk_fail(&err, LK_ENET, "%s", lots), LK_ENET);
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
}

static void bytes_grow_and_remember_a_failure(void **state)
{
	struct lk_bytes b = { 0 };
	uint8_t chunk[100];

	(void)state;
	for (int i = 0; i < 1000; i++) {
		memset(chunk, i, sizeof(chunk));
		lk_bytes_add(&b, chunk, (size_t)i % sizeof(chunk));
	}
	assert_false(b.failed);
	assert_int_equal(b.len, 1000 / 100 * (99 * 100 / 2));
	assert_int_equal(b.at[b.len - 1], 999 & 0xff);
	lk_bytes_add(&b, chunk, SIZE_MAX - 1); /* more than there can be; nothing is read */
	assert_true(b.failed);
	assert_int_equal(b.len, 49500);
	lk_bytes_add(&b, chunk, 1);
	assert_int_equal(b.len, 49500);
	lk_bytes_clear(&b);
	assert_false(b.failed);
	assert_int_equal(b.len, 0);
	lk_bytes_add(&b, NULL, 0);
	assert_false(b.failed);
	lk_bytes_free(&b);
	assert_null(b.at);
	lk_bytes_free(&b);
}

/* The first is BLAKE2b's own; all three were made with Python's hashlib. */
static void digests_are_blake2b_128(void **state)
{
	uint8_t digest[LK_DIGEST], back[LK_DIGEST], key[32];
	char hex[LK_DIGEST_HEX];

	(void)state;
	lk_digest("", 0, NULL, digest);
	lk_digest_hex(digest, hex);
	assert_string_equal(hex, "cae66941d9efbd404e4d88758ea67670");
	lk_digest("abc", 3, NULL, digest);
	lk_digest_hex(digest, hex);
	assert_string_equal(hex, "cf4ab791c62b8d2b2109c90275287816");
	for (size_t i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)i;
	lk_digest("cin\x1f"
		  "9A",
		  6, key, digest);
	lk_digest_hex(digest, hex);
	assert_string_equal(hex, "f37dc0fcbc0eb2b96929c1fbcc1023bd");
	assert_int_equal(lk_digest_parse(lk_text_of(hex), back), 0);
	assert_memory_equal(digest, back, sizeof(back));
}

static void only_lower_case_hex_is_a_digest(void **state)
{
	uint8_t digest[LK_DIGEST] = { 7 };

	(void)state;
	assert_int_equal(lk_digest_parse(LK_TEXT("CAE66941d9efbd404e4d88758ea67670"), digest), -1);
	assert_int_equal(lk_digest_parse(LK_TEXT("cae66941d9efbd404e4d88758ea6767"), digest), -1);
	assert_int_equal(lk_digest_parse(LK_TEXT("cae66941d9efbd404e4d88758ea6767g"), digest), -1);
	assert_int_equal(lk_digest_parse(LK_NO_TEXT, digest), -1);
	assert_int_equal(digest[0], 7);
}

static void every_code_has_a_word_and_comes_back(void **state)
{
	(void)state;
#define COME_BACK(tag, list) \
	for (int code = 0; code < lk_##tag##_count; code++) \
		assert_int_equal(lk_##tag##_code(lk_text_of(lk_##tag##_word(code))), code); \
	assert_null(lk_##tag##_word(-1)); \
	assert_null(lk_##tag##_word(lk_##tag##_count)); \
	assert_int_equal(lk_##tag##_code(LK_TEXT("no such word")), LK_NO_CODE); \
	assert_int_equal(lk_##tag##_code(LK_NO_TEXT), LK_NO_CODE);
	LK_CODE_LISTS(COME_BACK)
	LK_NOTICE_CODE_LISTS(COME_BACK)
	COME_BACK(refusal, LK_REFUSALS)
	COME_BACK(event_type, LK_EVENT_TYPES)
	assert_string_equal(lk_event_type_word(LK_EVENT_RETRACTED), "event.retracted");
}

static void roles_and_statuses_belong_to_agencies(void **state)
{
	(void)state;
	assert_int_equal(lk_status_agency(LK_ST), LK_CWS);
	assert_int_equal(lk_status_agency(LK_APPLIED), LK_CALWORKS);
	assert_true(lk_role_fits(LK_SOCIAL_WORKER, LK_CWS) &&
		    !lk_role_fits(LK_SOCIAL_WORKER, LK_CALWORKS));
	assert_true(lk_role_fits(LK_AIS_WORKER, LK_CALWORKS) &&
		    !lk_role_fits(LK_AIS_WORKER, LK_CWS));
	assert_true(lk_role_fits(LK_CLERK, LK_CWS) && lk_role_fits(LK_CLERK, LK_CALWORKS));
	assert_true(lk_role_fits(LK_SUPERVISOR, LK_CWS) &&
		    lk_role_fits(LK_SUPERVISOR, LK_CALWORKS));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_text_that_was_cut_ends_with_a_whole_character),
		cmocka_unit_test(texts_are_compared_by_their_bytes),
		cmocka_unit_test(days_go_out_and_come_back),
		cmocka_unit_test(days_that_do_not_exist_are_refused),
		cmocka_unit_test(instants_are_read_with_their_offset),
		cmocka_unit_test(instants_go_out_and_come_back),
		cmocka_unit_test(any_instant_can_be_printed),
		cmocka_unit_test(errors_say_what_and_why),
		cmocka_unit_test(bytes_grow_and_remember_a_failure),
		cmocka_unit_test(digests_are_blake2b_128),
		cmocka_unit_test(only_lower_case_hex_is_a_digest),
		cmocka_unit_test(every_code_has_a_word_and_comes_back),
		cmocka_unit_test(roles_and_statuses_belong_to_agencies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
