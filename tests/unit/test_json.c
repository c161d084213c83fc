/* test_json.c - what json.c promises: no number is rounded, no line is broken, every refusal has
 * its place. */
#include "values.h"

static void assert_refused(const char *json, enum lk_refusal reason, const char *field)
{
	struct lk_bytes out = { 0 };
	struct lk_refused why = { 0 };
	size_t len = strlen(json);
	char *exact = malloc(len > 0 ? len : 1); /* so that a sanitizer sees one byte too far */

	assert_non_null(exact);
	for (size_t i = 0; i < len; i++)
		exact[i] = json[i];
	if (lk_json_to_wire(exact, len, &out, &why) != LK_EREFUSED || why.reason != reason ||
	    strcmp(why.field, field) != 0)
		fail_msg("%.60s: %s '%s' %s", json, lk_refusal_word((int)why.reason), why.field,
			 why.detail);
	assert_int_equal(out.len, 0);
	lk_bytes_free(&out);
	free(exact);
}

/* Through MessagePack and back. */
static void assert_comes_back(const char *json, const char *expected)
{
	struct lk_bytes wire = { 0 }, text = { 0 };
	struct lk_refused why;

	assert_int_equal(lk_json_to_wire(json, strlen(json), &wire, &why), 0);
	assert_int_equal(lk_wire_to_json(wire.at, wire.len, &text), 0);
	assert_int_equal(text.len, strlen(expected));
	assert_memory_equal(text.at, expected, text.len);
	lk_bytes_free(&wire);
	lk_bytes_free(&text);
}

static void json_becomes_one_compact_sorted_line(void **state)
{
	(void)state;
	assert_comes_back("{}", "{}");
	assert_comes_back(" {\n\"b\" : [ ] , \"a\" : { } }\t", "{\"a\":{},\"b\":[]}");
	assert_comes_back("{\"z\":null,\"y\":true,\"x\":false,\"w\":[1,-1,[\"\"]]}",
			  "{\"w\":[1,-1,[\"\"]],\"x\":false,\"y\":true,\"z\":null}");
	assert_comes_back("{\"n\":9007199254740991,\"m\":-9007199254740991,\"o\":-0}",
			  "{\"m\":-9007199254740991,\"n\":9007199254740991,\"o\":0}");
}

static void text_is_kept_and_cannot_break_or_steer_a_line(void **state)
{
	(void)state;
	assert_comes_back("{\"é\":\"日\\u00e9🙂\\ud83d\\ude42/\"}",
			  "{\"é\":\"日é🙂🙂/\"}");
	assert_comes_back("{\"a\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u001b[2J\"}",
			  "{\"a\":\"\\\"\\\\/\\b\\f\\n\\r\\t\\u001b[2J\"}");
	assert_comes_back("{\"a\":\"\\u007f\\u0085\\u009b\\u00a0\\u2028\\u2029\"}",
			  "{\"a\":\"\\u007f\\u0085\\u009b\xc2\xa0\\u2028\\u2029\"}");
	assert_comes_back("{\"\\n\":1}", "{\"\\n\":1}");
}

static void what_is_not_one_object_is_malformed(void **state)
{
	static const char *const wrong[] = {
		"",
		" ",
		"[]",
		"1",
		"\"a\"",
		"null",
		"{",
		"{}{}",
		"{} x",
		"{\"a\"}",
		"{\"a\":}",
		"{a:1}",
		"{'a':1}",
		"{\"a\":1,}",
		"{\"a\":01}",
		"{\"a\":+1}",
		"{\"a\":.5}",
		"{\"a\":NaN}",
		"{\"a\":Infinity}",
		"{\"a\":tru}",
		"{\"a\":1,\"a\":1}",
		"{\"b\":{\"a\":1,\"a\":2}}",
		"{\"a\":\"\xff\"}",
		"{\"a\":\"\xc0\x80\"}",
		"{\"a\":\"\\u0000\"}",
		"{\"\\u0000\":1}",
		"{\"a\":\"\\ud800\"}",
		"{\"a\":\"\n\"}",
		"{\"a\":\"\\x\"}",
		"\xef\xbb\xbf{}",
		"{\"a\":99999999999999999999",
		"{\"a\":1e999,}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		assert_refused(wrong[i], LK_MALFORMED, "");
}

static void a_number_that_is_no_integer_is_named_by_its_path(void **state)
{
	(void)state;
	assert_refused("{\"data\":{\"used\":1.5}}", LK_BAD_TYPE, "data.used");
	assert_refused("{\"data\":{\"used\":1.0}}", LK_BAD_TYPE, "data.used");
	assert_refused("{\"data\":{\"used\":1e2}}", LK_BAD_TYPE, "data.used");
	assert_refused("{\"a\":[0,[1,{\"b\":-0.0}]]}", LK_BAD_TYPE, "a[1][1].b");
	assert_refused("{\"a\":9007199254740992}", LK_BAD_TYPE, "a");
	assert_refused("{\"a\":-9007199254740992}", LK_BAD_TYPE, "a");
	assert_refused("{\"a\":9223372036854775807}", LK_BAD_TYPE, "a");
	assert_refused("{\"a\":{\"b\":9223372036854775808}}", LK_BAD_TYPE, "a.b");
	assert_refused("{\"a\":{\"b\":9999999999999999999}}", LK_BAD_TYPE, "a.b");
	assert_refused("{\"a\":{\"b\":-9999999999999999999}}", LK_BAD_TYPE, "a.b");
	assert_refused("{\"s\":\"\\\"1e999\",\"n\":123456789012345678,\"a\":[1e999]}", LK_BAD_TYPE,
		       "n");
	assert_refused("{\"s\":\"\\\\\",\"n\":1,\"a\":[-1E999]}", LK_BAD_TYPE, "a[0]");
}

static void a_path_of_any_names_is_short_and_harmless(void **state)
{
	struct lk_bytes out = { 0 };
	struct lk_refused why;
	char json[400] = "{\"";

	(void)state;
	assert_refused("{\"\\u001b[2J\":1.5}", LK_BAD_TYPE, "?[2J");
	assert_refused("{\"\\u009b\":{\"x\":1.5}}", LK_BAD_TYPE, "?.x");
	for (int i = 0; i < 90; i++)
		strcat(json, "日");
	strcat(json, "\":{\"x\":1.5}}");
	assert_int_equal(lk_json_to_wire(json, strlen(json), &out, &why), LK_EREFUSED);
	assert_true(strlen(why.field) < sizeof(why.field));
	/* Whole characters only, or the refusal itself could not be told. */
	lk_put_map(&out, 1);
	lk_member_word(&out, "field", why.field);
	assert_int_equal(lk_wire_scan(out.at, out.len, &lk_event_limits, NULL), 0);
	lk_bytes_free(&out);
}

static void a_shape_beyond_the_limits_is_refused(void **state)
{
	static char json[600 * 1024];
	char *at = json;

	(void)state;
	assert_comes_back("{\"a\":[[[[[[[]]]]]]]}", "{\"a\":[[[[[[[]]]]]]]}");
	assert_refused("{\"a\":[[[[[[[[]]]]]]]]}", LK_MALFORMED, "");
	at += sprintf(at, "{\"a\":[0");
	for (int i = 0; i < 510; i++)
		at += sprintf(at, ",0");
	strcpy(at, "]}");
	assert_refused(json, LK_TOO_LARGE, "");
	memset(json, ' ', sizeof(json) - 1);
	assert_refused(json, LK_TOO_LARGE, "");
	memset(json, '[', 100000);
	json[100000] = '\0';
	assert_refused(json, LK_MALFORMED, "");
	memset(json, 'x', 65530);
	memcpy(json, "{\"a\":\"", 6);
	strcpy(json + 65530, "xxxxxxxx\"}");
	assert_refused(json, LK_TOO_LARGE, "");
}

static void what_is_appended_keeps_what_was_there(void **state)
{
	struct lk_bytes out = { 0 }, full = { .failed = true };
	struct lk_refused why;

	(void)state;
	lk_bytes_add(&out, "x", 1);
	assert_int_equal(lk_json_to_wire("{}", 2, &out, &why), 0);
	assert_int_equal(out.len, 2);
	assert_int_equal(lk_wire_to_json("\x93\x01\xa1k\xc0", 5, &out), 0);
	assert_int_equal(lk_wire_to_json("\xa0", 1, &out), 0);
	assert_memory_equal(out.at, "x\x80[1,\"k\",null]\"\"", out.len);
	assert_int_equal(lk_wire_to_json("\xc4\x00", 2, &out), LK_EWIRE);
	assert_int_equal(lk_wire_to_json("\x80\x80", 2, &out), LK_EWIRE);
	assert_int_equal(lk_wire_to_json("\x80", 1, &full), LK_EMEMORY);
	assert_int_equal(lk_json_to_wire("{}", 2, &full, &why), LK_EMEMORY);
	lk_bytes_free(&out);
}

static void members_keep_the_order_of_the_bytes(void **state)
{
	struct lk_bytes out = { 0 };

	(void)state;
	assert_int_equal(lk_wire_to_json("\x82\xa1z\x01\xa1y\x02", 7, &out), 0);
	assert_memory_equal(out.at, "{\"z\":1,\"y\":2}", out.len);
	lk_bytes_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(json_becomes_one_compact_sorted_line),
		cmocka_unit_test(text_is_kept_and_cannot_break_or_steer_a_line),
		cmocka_unit_test(what_is_not_one_object_is_malformed),
		cmocka_unit_test(a_number_that_is_no_integer_is_named_by_its_path),
		cmocka_unit_test(a_path_of_any_names_is_short_and_harmless),
		cmocka_unit_test(a_shape_beyond_the_limits_is_refused),
		cmocka_unit_test(what_is_appended_keeps_what_was_there),
		cmocka_unit_test(members_keep_the_order_of_the_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
