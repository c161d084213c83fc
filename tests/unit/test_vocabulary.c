/* test_vocabulary.c - what is put into a row comes back; what never was is refused, or read within its bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store/internal.h"

#include <linkages/wire.h>

static struct vocabulary vocabulary;
static const struct lk_text own[OWN_TEXTS] = {
	[OWN_ID] = { "e-0001", 6 },          [OWN_SOURCE] = { "cws-cms", 7 },
	[OWN_NUMBER] = { "C-100", 5 },       [OWN_TIME] = { "2026-03-02T08:00:00Z", 20 },
	[OWN_TYPE] = { "contact.made", 12 },
};

static uint32_t dice_state;

static uint32_t dice(uint32_t sides)
{
	dice_state = dice_state * 1664525u + 1013904223u;
	return (dice_state >> 8) % sides;
}

/* Of their own, to their last byte, so that a look behind them is found. */
static uint8_t *some_bytes(size_t len)
{
	static const uint8_t often[] = {
		0xc1, 0xd9, 0xda, 0xdb, 0xa1, 0xa5, 0xf0, 0xf4, 0xfe, 0xff
	};
	uint8_t *bytes = malloc(len > 0 ? len : 1);

	assert_non_null(bytes);
	for (size_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)(dice(2) != 0 ? often[dice(sizeof(often))] : dice(256));
	return bytes;
}

static void any_bytes_come_back(void **state)
{
	struct lk_bytes packed = { 0 }, back = { 0 };

	(void)state;
	dice_state = 1;
	for (int round = 0; round < 20000; round++) {
		size_t len = dice(60);
		uint8_t *bytes = some_bytes(len);

		lk_bytes_clear(&packed);
		lk_bytes_clear(&back);
		vocabulary_pack(&vocabulary, own, bytes, len, &packed);
		assert_true(packed.len <= len + 2);
		assert_true(vocabulary_unpack(&vocabulary, own, packed.at, packed.len, &back));
		assert_int_equal(back.len, len);
		assert_true(len == 0 || memcmp(back.at, bytes, len) == 0);
		free(bytes);
	}
	lk_bytes_free(&packed);
	lk_bytes_free(&back);
}

static void comes_back(const char *bytes, size_t len)
{
	struct lk_bytes packed = { 0 }, back = { 0 };

	vocabulary_pack(&vocabulary, own, bytes, len, &packed);
	assert_true(vocabulary_unpack(&vocabulary, own, packed.at, packed.len, &back));
	assert_int_equal(back.len, len);
	assert_memory_equal(back.at, bytes, len);
	lk_bytes_free(&packed);
	lk_bytes_free(&back);
}

/* A text may say its length in more bytes than it needs: that is not canonical, and not ours to change. */
static void a_long_head_comes_back(void **state)
{
	(void)state;
	comes_back("\xd9\x04"
		   "data",
		   6);
	comes_back("\xd9\x07"
		   "cws-cms",
		   9);
	comes_back("\xda\x00\x04"
		   "data",
		   7);
	comes_back("\xdb\x00\x00\x00\x04"
		   "data",
		   9);
}

static void bytes_that_nobody_packed_are_read_within_their_bounds(void **state)
{
	struct lk_bytes back = { 0 };
	int refused = 0, rounds = 20000;

	(void)state;
	dice_state = 2;
	for (int round = 0; round < rounds; round++) {
		size_t len = dice(60);
		uint8_t *bytes = some_bytes(len);

		lk_bytes_clear(&back);
		refused += !vocabulary_unpack(&vocabulary, own, bytes, len, &back);
		free(bytes);
	}
	assert_in_range(refused, rounds / 2, rounds - 1);
	lk_bytes_free(&back);
}

static void what_the_row_says_is_two_bytes(void **state)
{
	struct lk_bytes packed = { 0 }, back = { 0 };
	static const uint8_t time[] = "\xb4"
				      "2026-03-02T08:00:00Z";
	static const uint8_t digits[] = "\xd9\x20"
					"0123456789abcdef0123456789abcdef";
	static const uint8_t others[] = "\xa7"
					"calsaws";

	(void)state;
	vocabulary_pack(&vocabulary, own, time, sizeof(time) - 1, &packed);
	assert_int_equal(packed.len, 2);
	lk_bytes_clear(&packed);
	vocabulary_pack(&vocabulary, own, digits, sizeof(digits) - 1, &packed);
	assert_int_equal(packed.len, 2 + LK_DIGEST);
	lk_bytes_clear(&packed);
	vocabulary_pack(&vocabulary, own, others, sizeof(others) - 1, &packed);
	assert_int_equal(packed.len, sizeof(others) - 1);
	/* A text of the row that the row does not have: these bytes belong to another. */
	assert_false(vocabulary_unpack(&vocabulary, own, "\xc1\xf4", 2, &back));
	lk_bytes_free(&packed);
	lk_bytes_free(&back);
}

static void expect_back(const void *bytes, size_t len, size_t most)
{
	struct lk_bytes packed = { 0 }, back = { 0 };

	vocabulary_pack(&vocabulary, own, bytes, len, &packed);
	assert_in_range(packed.len, 0, most);
	assert_true(vocabulary_unpack(&vocabulary, own, packed.at, packed.len, &back));
	assert_int_equal(back.len, len);
	assert_memory_equal(back.at, bytes, len);
	lk_bytes_free(&packed);
	lk_bytes_free(&back);
}

/* Texts of each length around those at which heads change, of letters of all kinds. */
static void what_people_write_takes_fewer_bytes(void **state)
{
	static const char prose[] = "The family came to the office, and asked for the next date. ";
	static const char names[] = "Zo\xc3\xab O'Brien {~} \x01\xff";
	static const uint32_t lengths[] = { 2,   12,  31,   32,    127,   128,   255,
					    256, 300, 4096, 16383, 16384, 65535, 65536 };

	(void)state;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		struct lk_bytes body = { 0 };
		char *text = malloc(lengths[i]);

		assert_non_null(text);
		for (uint32_t at = 0; at < lengths[i]; at++)
			text[at] = i % 2 != 0 ? names[at % (sizeof(names) - 1)]
					      : prose[at % (sizeof(prose) - 1)];
		lk_put_array(&body, 2);
		lk_put_text(&body, (struct lk_text){ text, lengths[i] });
		lk_put_text(&body, LK_TEXT("behind it"));
		expect_back(body.at, body.len, body.len);
		if (i % 2 == 0 && lengths[i] > 100)
			expect_back(body.at, body.len, body.len * 2 / 3);
		lk_bytes_free(&body);
		free(text);
	}
}

/* Who looks for an expunged case's number in the files must see it. */
static void what_names_a_case_stands_as_it_is(void **state)
{
	static const char *const names[] = { "C-100", "W0001341", "case77other", "ABC",
					     "for-the-9th" };
	struct lk_bytes body = { 0 }, packed = { 0 };
	char note[128];

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		(void)snprintf(note, sizeof(note),
			       "The worker of the other family said %s is meant, not theirs.",
			       names[i]);
		lk_bytes_clear(&body);
		lk_bytes_clear(&packed);
		lk_put_word(&body, note);
		vocabulary_pack(&vocabulary, own, body.at, body.len, &packed);
		assert_in_range(packed.len, 0, body.len * 3 / 4);
		assert_non_null(memmem(packed.at, packed.len, names[i], strlen(names[i])));
		expect_back(body.at, body.len, body.len * 3 / 4);
	}
	lk_bytes_free(&body);
	lk_bytes_free(&packed);
}

/* With a member before it, as `data` is, and with all of it but its last letter. */
static void an_envelope_that_the_row_says_is_two_bytes(void **state)
{
	struct lk_bytes body = { 0 };

	(void)state;
	lk_put_map(&body, 7);
	lk_put_word(&body, "data");
	lk_put_map(&body, 0);
	lk_member_text(&body, "id", own[OWN_ID]);
	lk_member_text(&body, "source", own[OWN_SOURCE]);
	lk_member_word(&body, "specversion", "1.0");
	lk_member_text(&body, "subject", own[OWN_NUMBER]);
	lk_member_text(&body, "time", own[OWN_TIME]);
	lk_member_text(&body, "type", own[OWN_TYPE]);
	expect_back(body.at, body.len, 1 + 2 + 1 + 2);
	body.at[body.len - 1] = 'x';
	expect_back(body.at, body.len, 64);
	expect_back(body.at + 1, body.len - 1, 64);
	lk_bytes_free(&body);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_bytes_come_back),
		cmocka_unit_test(a_long_head_comes_back),
		cmocka_unit_test(bytes_that_nobody_packed_are_read_within_their_bounds),
		cmocka_unit_test(what_the_row_says_is_two_bytes),
		cmocka_unit_test(what_people_write_takes_fewer_bytes),
		cmocka_unit_test(what_names_a_case_stands_as_it_is),
		cmocka_unit_test(an_envelope_that_the_row_says_is_two_bytes),
	};

	vocabulary_load(&vocabulary);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
