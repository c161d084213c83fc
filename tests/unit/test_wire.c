/* test_wire.c - what scan.c and wire.c promise: nothing gets past the scan, spans read what was written,
 * one form for one value. */
#include "scan.h"
#include "values.h"

static int scan_hex(const char *hex, const struct lk_limits *limits)
{
	static uint8_t bytes[1024];
	size_t len = bytes_of_hex(lk_text_of(hex), bytes, sizeof(bytes));
	uint8_t *exact = malloc(len > 0 ? len : 1); /* so that a sanitizer sees one byte too far */
	struct lk_error err = { 0 };
	int result;

	assert_non_null(exact);
	memcpy(exact, bytes, len);
	result = lk_wire_scan(exact, len, limits, &err);
	assert_true(result == 0 ||
		    (result == LK_EWIRE && err.code == LK_EWIRE && err.text[0] != '\0'));
	free(exact);
	return result;
}

static void the_subset_passes(void **state)
{
	static const char *const good[] = {
		"80",
		"de0000",
		"df00000000",
		"81a161c0",
		"81a161c2",
		"81a161c3",
		"81a1617f",
		"81a161e0",
		"81a161cc80",
		"81a161cd0100",
		"81a161ce00010000",
		"81a161cf001fffffffffffff",
		"81a161d080",
		"81a161d18000",
		"81a161d280000000",
		"81a161d3ffe0000000000001",
		"81a161a0",
		"81a161d90161",
		"81a161da000161",
		"81a161db0000000161",
		"81a16190",
		"81a161dc0000",
		"81a161dd00000000",
		"81a1619180",
		"81a001",
		"82a16101a16202",
		"82a16201a16102",
		"81a161a2c3a9",
		"81a161a3e697a5",
		"81a161a4f09f9982",
		"81a161a4f48fbfbf",
		"81a161a3ed9fbf",
		"81a161a3ee8080",
		"81d9016101",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		if (scan_hex(good[i], &lk_event_limits) != 0)
			fail_msg("%s", good[i]);
	}
}

static void what_is_outside_is_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"c0",
		"90",
		"a0",
		"01",
		"c1",
		"8080",
		"81",
		"81a1",
		"81a161",
		"82a16101",
		"8101a161",
		"81c001",
		"81a161c1",
		"81a161c400",
		"81a161c50000",
		"81a161c600000000",
		"81a161c70000",
		"81a161c8000000",
		"81a161c90000000000",
		"81a161ca00000000",
		"81a161cb0000000000000000",
		"81a161d40000",
		"81a161d5000000",
		"81a161d800",
		"81a161cf0020000000000000",
		"81a161cfffffffffffffffff",
		"81a161d3ffe0000000000000",
		"81a161d38000000000000000",
		"81a161cd01",
		"81a161d9",
		"81a161da00",
		"81a161a161a1",
		"81a161d90261",
		"81a161dbffffffff",
		"81a161ddffffffff",
		"81a161dfffffffff",
		"81a161dcffff",
		"81a1619201",
		"de0001",
		"82a16101a16102",
		"82a16101d9016102",
		"81a161a180",
		"81a161a1c3",
		"81a161a2c080",
		"81a161a2c1bf",
		"81a161a3e08080",
		"81a161a3eda080",
		"81a161a3edbfbf",
		"81a161a4f0808080",
		"81a161a4f4908080",
		"81a161a4f5808080",
		"81a161a1ff",
		"81a161a1fe",
		"81a161a100",
		"81a10001",
		"81a1ff01",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		if (scan_hex(bad[i], &lk_event_limits) != LK_EWIRE)
			fail_msg("%s", bad[i]);
	}
}

static void limits_are_exact(void **state)
{
	static const struct lk_limits three = { .depth = 3, .items = 100, .bytes = 100 };
	static const struct lk_limits items = { .depth = 9, .items = 4, .bytes = 100 };
	static const struct lk_limits bytes = { .depth = 9, .items = 100, .bytes = 4 };
	static const struct {
		const char *hex;
		const struct lk_limits *limits;
		enum scan_fault fault;
	} cases[] = {
		{ "81a1619190", &three, SCAN_FINE },
		{ "81a161919190", &three, SCAN_DEEP },
		{ "81a16181a16180", &three, SCAN_FINE },
		{ "81a16181a16181a16180", &three, SCAN_DEEP },
		{ "83a16101a16202a16303", &items, SCAN_FINE },
		{ "81a16193010203", &items, SCAN_MANY },
		{ "81a16101", &bytes, SCAN_FINE },
		{ "81a161cc80", &bytes, SCAN_LONG },
	};
	uint8_t raw[64];
	struct scan scan;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		size_t len = bytes_of_hex(lk_text_of(cases[i].hex), raw, sizeof(raw));

		assert_int_equal(scan_map(raw, len, cases[i].limits, &scan),
				 cases[i].fault == SCAN_FINE ? 0 : -1);
		assert_int_equal(scan.fault, cases[i].fault);
	}
	assert_int_equal(lk_event_limits.depth, 8);
	assert_int_equal(lk_event_limits.items, 512);
	assert_int_equal(lk_event_limits.bytes, 65536);
}

/* A map of n keys in an order that is not theirs; key number `twice` is written again in place
 * of the last. */
static void keys_shuffled(struct lk_bytes *b, uint32_t n, uint32_t twice)
{
	lk_put_map(b, n);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t key = i + 1 == n && twice < n ? twice : i * 7919 % n;
		char word[16];

		snprintf(word, sizeof(word), "k%u", key);
		lk_put_word(b, word);
		lk_put_int(b, key);
	}
}

static void a_key_twice_is_found_however_many_there_are(void **state)
{
	static const uint32_t sizes[] = { 2, 3, 15, 16, 17, 64, 100, 512, 513, 4000 };

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		struct lk_bytes unique = { 0 }, doubled = { 0 };

		keys_shuffled(&unique, sizes[i], UINT32_MAX);
		keys_shuffled(&doubled, sizes[i], 0);
		assert_int_equal(lk_wire_scan(unique.at, unique.len, &lk_message_limits, NULL), 0);
		assert_int_equal(lk_wire_scan(doubled.at, doubled.len, &lk_message_limits, NULL),
				 LK_EWIRE);
		lk_bytes_free(&unique);
		lk_bytes_free(&doubled);
	}
}

/* Texts are looked at in steps of eight bytes: a fault is found in every place of a step. */
static void a_fault_of_a_text_is_found_wherever_it_is(void **state)
{
	static const struct {
		const char *at;
		size_t len;
		int result;
	} marks[] = {
		{ "", 1, LK_EWIRE }, { "\x80", 1, LK_EWIRE }, { "\xc3\xa9", 2, 0 },
		{ "\x7f", 1, 0 },    { "\x01", 1, 0 },        { "\xed\xa0\x80", 3, LK_EWIRE }
	};
	struct lk_bytes b = { 0 };
	char text[40];

	(void)state;
	for (size_t m = 0; m < sizeof(marks) / sizeof(*marks); m++) {
		for (uint32_t len = 3; len <= sizeof(text); len++) {
			for (size_t at = 0; at + marks[m].len <= len; at++) {
				memset(text, 'x', sizeof(text));
				memcpy(text + at, marks[m].at, marks[m].len);
				lk_bytes_clear(&b);
				lk_put_map(&b, 1);
				lk_member_text(&b, "a", (struct lk_text){ text, len });
				assert_int_equal(lk_wire_scan(b.at, b.len, &lk_event_limits, NULL),
						 marks[m].result);
			}
		}
	}
	lk_bytes_free(&b);
}

static void what_is_written_is_read(void **state)
{
	static const int64_t numbers[] = {
		0,           1,      127,    128,        255,
		256,         65535,  65536,  UINT32_MAX, INT64_C(1) << 32,
		INTEGER_MAX, -1,     -32,    -33,        -128,
		-129,        -32768, -32769, INT32_MIN,  (int64_t)INT32_MIN - 1,
		-INTEGER_MAX
	};
	struct lk_bytes b = { 0 };
	struct lk_span key, value;
	struct scan scan;
	size_t cursor = 0;
	int64_t number;
	bool fact;

	(void)state;
	lk_put_array(&b, sizeof(numbers) / sizeof(*numbers) + 7);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		lk_put_int(&b, numbers[i]);
	lk_put_bool(&b, true);
	lk_put_bool(&b, false);
	lk_put_nil(&b);
	lk_put_text(&b, LK_NO_TEXT);
	lk_put_text(&b, LK_TEXT(""));
	lk_put_time(&b, (struct lk_time){ 0, 3600 });
	lk_put_date(&b, 0);
	assert_int_equal(scan_value(b.at, b.len, &lk_event_limits, &scan), 0);
	assert_true(scan.canonical);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
		assert_true(lk_next(lk_span_of(b.at, b.len), &cursor, &key, &value));
		assert_null(key.at);
		assert_true(lk_as_int(value, &number) && number == numbers[i]);
		assert_false(lk_as_bool(value, &fact));
		assert_false(lk_text_given(lk_as_text(value)));
	}
	for (int i = 0; i < 2; i++) {
		assert_true(lk_next(lk_span_of(b.at, b.len), &cursor, &key, &value));
		assert_true(lk_as_bool(value, &fact) && fact == (i == 0));
		assert_false(lk_as_int(value, &number));
	}
	for (int i = 0; i < 2; i++)
		assert_true(lk_next(lk_span_of(b.at, b.len), &cursor, &key, &value) &&
			    lk_is_nil(value));
	assert_true(lk_next(lk_span_of(b.at, b.len), &cursor, &key, &value) &&
		    lk_text_says(lk_as_text(value), ""));
	assert_true(lk_next(lk_span_of(b.at, b.len), &cursor, &key, &value));
	assert_true(lk_text_says(lk_as_text(value), "1970-01-01T01:00:00+01:00"));
	assert_true(lk_next(lk_span_of(b.at, b.len), &cursor, &key, &value));
	assert_true(lk_text_says(lk_as_text(value), "1970-01-01"));
	assert_false(lk_next(lk_span_of(b.at, b.len), &cursor, &key, &value));
	lk_bytes_free(&b);
}

static void members_are_found_by_name_and_path(void **state)
{
	static const uint8_t bytes[] = "\x83\xa4"
				       "data\x82\xa5"
				       "other\x81\xa4"
				       "case\xa2"
				       "A1\xa1x\x93\x01\x02\x80"
				       "\xa1n\xc0\xa0\x05";
	struct lk_span map = lk_span_of(bytes, sizeof(bytes) - 1);
	int64_t number;

	(void)state;
	assert_int_equal(lk_wire_scan(bytes, sizeof(bytes) - 1, &lk_event_limits, NULL), 0);
	assert_true(lk_text_says(lk_as_text(lk_get_path(map, "data.other.case")), "A1"));
	assert_null(lk_get_path(map, "data.other.agency").at);
	assert_null(lk_get_path(map, "data.x.case").at);
	assert_null(lk_get_path(map, "nobody.other").at);
	assert_true(lk_is_nil(lk_get(map, "n")));
	assert_true(lk_as_int(lk_get(map, ""), &number) && number == 5);
	assert_int_equal(lk_count(lk_get_path(map, "data.x")), 3);
	assert_int_equal(lk_count(map), 3);
	assert_int_equal(lk_count(lk_get(map, "n")), -1);
	assert_null(lk_get(lk_get_path(map, "data.x"), "case").at);
	assert_false(lk_is_nil(lk_get(map, "absent")));
	assert_int_equal(lk_count((struct lk_span){ NULL, 0 }), -1);
}

/* Spans are for scanned bytes; a caller who forgot reads nothing beyond the end. */
static void spans_of_unscanned_bytes_stay_inside(void **state)
{
	(void)state;
	random_begin(3);
	for (int i = 0; i < 20000; i++) {
		size_t len = (size_t)random_from(1, 24), cursor = 0;
		uint8_t *bytes = malloc(len);
		struct lk_span key, value;
		int64_t number;

		assert_non_null(bytes);
		for (size_t k = 0; k < len; k++)
			bytes[k] = (uint8_t)random_next();
		bytes[0] = (uint8_t)(random_next() % 2 == 0 ? 0x80 | bytes[0] % 16
							    : 0xd9 + bytes[0] % 7);
		while (lk_next(lk_span_of(bytes, len), &cursor, &key, &value)) {
			assert_true(value.len > 0 && value.at + value.len <= bytes + len);
			lk_as_int(value, &number);
		}
		lk_get_path(lk_span_of(bytes, len), "a.b");
		free(bytes);
	}
}

static void assert_canonical(const char *hex, const char *expected)
{
	static uint8_t raw[256], wanted[256];
	size_t len = bytes_of_hex(lk_text_of(hex), raw, sizeof(raw));
	size_t wanted_len = bytes_of_hex(lk_text_of(expected), wanted, sizeof(wanted));
	uint8_t a[LK_DIGEST], b[LK_DIGEST];
	struct lk_bytes out = { 0 };

	lk_bytes_add(&out, "kept", 4);
	assert_int_equal(lk_wire_canonical(raw, len, &out), 0);
	assert_int_equal(out.len, wanted_len + 4);
	assert_memory_equal(out.at + 4, wanted, wanted_len);
	assert_int_equal(lk_wire_digest(raw, len, a), 0);
	assert_int_equal(lk_wire_digest(wanted, wanted_len, b), 0);
	assert_memory_equal(a, b, sizeof(a));
	lk_bytes_free(&out);
}

static void one_value_has_one_form(void **state)
{
	(void)state;
	assert_canonical("80", "80");
	assert_canonical("df00000000", "80");
	assert_canonical("82a16201a16102", "82a16102a16201");
	assert_canonical("82a2616101a16102",
			 "82a16102a2616101"); /* the shorter of two that begin alike */
	assert_canonical("82a27a7a01a17b02", "82a27a7a01a17b02"); /* by bytes, not by length */
	assert_canonical("81d90161dc0001cd0001", "81a1619101");
	assert_canonical("93d0ffd20000007fcf00000000000000ff", "93ff7fccff");
	assert_canonical("81a16182a179c0a178da000162", "81a16182a178a162a179c0");
	assert_canonical("c3", "c3");
	assert_canonical("da0000", "a0");
}

static void bytes_that_are_no_value_have_no_form(void **state)
{
	struct lk_bytes out = { 0 }, full = { .failed = true };
	uint8_t digest[LK_DIGEST];

	(void)state;
	assert_int_equal(lk_wire_canonical("\xc1", 1, &out), LK_EWIRE);
	assert_int_equal(lk_wire_canonical("", 0, &out), LK_EWIRE);
	assert_int_equal(lk_wire_digest("\x81", 1, digest), LK_EWIRE);
	assert_int_equal(out.len, 0);
	assert_int_equal(lk_wire_canonical("\x80", 1, &full), LK_EMEMORY);
	assert_int_equal(lk_wire_canonical("\xde\x00\x00", 3, &full), LK_EMEMORY);
}

/* ---- The golden vectors ---------------------------------------------------------------------- */

static void vector_check(struct lk_span line)
{
	static uint8_t bytes[LK_EVENT_MAX], expected[LK_EVENT_MAX];
	struct lk_text hex = lk_as_text(lk_get(line, "canonical"));
	struct lk_span given = lk_get(line, "json");
	struct lk_bytes canonical = { 0 };
	uint8_t digest[LK_DIGEST];
	char digest_hex[LK_DIGEST_HEX];

	if (given.at == NULL)
		given = lk_span_of(bytes, bytes_of_hex(lk_as_text(lk_get(line, "msgpack")), bytes,
						       sizeof(bytes)));
	assert_int_equal(lk_wire_canonical(given.at, given.len, &canonical), 0);
	assert_int_equal(bytes_of_hex(hex, expected, sizeof(expected)), canonical.len);
	assert_memory_equal(canonical.at, expected, canonical.len);
	assert_int_equal(lk_wire_digest(given.at, given.len, digest), 0);
	lk_digest_hex(digest, digest_hex);
	assert_true(lk_text_says(lk_as_text(lk_get(line, "digest")), digest_hex));
	lk_bytes_free(&canonical);
}

static void golden_vectors_hold(void **state)
{
	(void)state;
	vectors_each("canonical", 15, vector_check);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(golden_vectors_hold),
		cmocka_unit_test(the_subset_passes),
		cmocka_unit_test(what_is_outside_is_refused),
		cmocka_unit_test(limits_are_exact),
		cmocka_unit_test(a_key_twice_is_found_however_many_there_are),
		cmocka_unit_test(a_fault_of_a_text_is_found_wherever_it_is),
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(members_are_found_by_name_and_path),
		cmocka_unit_test(spans_of_unscanned_bytes_stay_inside),
		cmocka_unit_test(one_value_has_one_form),
		cmocka_unit_test(bytes_that_are_no_value_have_no_form),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
