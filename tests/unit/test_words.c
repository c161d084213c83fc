/* test_words.c - what words.h promises: texts by place and length, equal additions give equal bytes. */
#include "values.h"

#include "engine/words.h"

static void a_word_is_its_text(void **state)
{
	struct words w = { 0 };
	struct word garcia = words_add(&w, LK_TEXT("garcia")),
		    jones = words_add(&w, LK_TEXT("jones"));

	(void)state;
	assert_true(words_say(&w, garcia, LK_TEXT("garcia")));
	assert_true(words_say(&w, jones, LK_TEXT("jones")));
	assert_false(words_say(&w, jones, LK_TEXT("jone")));
	assert_true(lk_text_is(words_text(&w, garcia), LK_TEXT("garcia")));
	free(w.at);
}

static void what_is_absent_stays_absent(void **state)
{
	struct words w = { 0 };
	struct word none = words_add(&w, LK_NO_TEXT);

	(void)state;
	assert_int_equal(none.at, NONE);
	assert_false(lk_text_given(words_text(&w, none)));
	assert_false(words_say(&w, none, LK_TEXT("")));
	assert_false(words_say(&w, none, LK_NO_TEXT));
	assert_int_equal(w.len, 0);
	free(w.at);
}

static void an_empty_text_is_not_an_absent_one(void **state)
{
	struct words w = { 0 };
	struct word empty = words_add(&w, LK_TEXT(""));

	(void)state;
	assert_true(lk_text_given(words_text(&w, empty)));
	assert_true(words_say(&w, empty, LK_TEXT("")));
	(void)words_add(&w, LK_TEXT("x"));
	assert_true(words_say(&w, empty, LK_TEXT("")));
	free(w.at);
}

static void a_text_is_kept_once(void **state)
{
	struct words w = { 0 };
	struct word whole = words_add(&w, LK_TEXT("cws-cms"));
	uint32_t len = w.len;
	struct word again = words_add(&w, LK_TEXT("cws-cms")), part = words_add(&w, LK_TEXT("cms"));

	(void)state;
	assert_int_equal(w.len, len);
	assert_memory_equal(&whole, &again, sizeof(whole));
	assert_true(words_say(&w, part, LK_TEXT("cms")));
	free(w.at);
}

static void equal_additions_give_equal_bytes(void **state)
{
	struct words a = { 0 }, b = { 0 };

	(void)state;
	for (int round = 0; round < 2; round++) {
		struct words *w = round == 0 ? &a : &b;

		random_begin(5);
		for (int i = 0; i < 300; i++)
			(void)words_add(w, random_token(20));
	}
	assert_int_equal(a.len, b.len);
	assert_memory_equal(a.at, b.at, a.len);
	assert_false(a.failed);
	free(a.at);
	free(b.at);
}

static void a_vector_grows_and_keeps_what_it_has(void **state)
{
	uint32_t n = 0, room = 0;
	int *at = NULL;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		at = vector_grown(at, n, &room, sizeof(*at));
		assert_non_null(at);
		assert_true(n < room);
		at[n++] = i;
	}
	for (int i = 0; i < 1000; i++)
		assert_int_equal(at[i], i);
	free(at);
}

struct line {
	uint32_t a, b, c, d;
};

static void records_come_back_as_they_were(void **state)
{
	struct line lines[50] = { { 0 } };
	struct line again[50];
	struct lk_bytes row = { 0 };

	(void)state;
	for (uint32_t i = 0; i < 50; i++) /* alike every other time, but for a */
		lines[i] = (struct line){ i * 7919, i % 2, i % 2 == 0 ? NONE : 9, 0 };
	records_pack(&row, lines, 50, sizeof(lines[0]));
	assert_true(row.len < sizeof(lines));
	lk_bytes_add(&row, "rest", 4);
	const uint8_t *from = row.at, *end = row.at + row.len;
	assert_true(records_unpack(&from, end, 50, sizeof(lines[0]), again));
	assert_memory_equal(again, lines, sizeof(lines));
	assert_int_equal(end - from, 4);
	from = row.at;
	assert_true(records_unpack(&from, end, 0, sizeof(lines[0]), again));
	assert_ptr_equal(from, row.at);
	lk_bytes_free(&row);
}

static void records_cut_short_or_too_wide_are_refused(void **state)
{
	const struct line lines[] = { { 1, 2, 3, 4 }, { 1, 2, 3, 5 } };
	struct line again[3];
	struct lk_bytes row = { 0 };
	const uint8_t *from;

	(void)state;
	records_pack(&row, lines, 2, sizeof(lines[0]));
	for (size_t len = 0; len < row.len; len++) {
		from = row.at;
		assert_false(records_unpack(&from, row.at + len, 2, sizeof(lines[0]), again));
	}
	from = row.at;
	assert_false(records_unpack(&from, row.at + row.len, 3, sizeof(lines[0]), again));
	row.at[0] |= 0x10; /* a fifth word */
	from = row.at;
	assert_false(records_unpack(&from, row.at + row.len, 2, sizeof(lines[0]), again));
	lk_bytes_free(&row);
}

static void a_vector_in_a_block_grows_out_of_it(void **state)
{
	uint64_t block[3] = { 1, 2, 3 };
	uint32_t room = 0;
	uint64_t *at = vector_grown(block, 3, &room, sizeof(*at));

	(void)state;
	assert_non_null(at);
	assert_ptr_not_equal(at, block);
	assert_true(room > 3);
	assert_memory_equal(at, block, sizeof(block));
	free(at);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_word_is_its_text),
		cmocka_unit_test(what_is_absent_stays_absent),
		cmocka_unit_test(an_empty_text_is_not_an_absent_one),
		cmocka_unit_test(a_text_is_kept_once),
		cmocka_unit_test(equal_additions_give_equal_bytes),
		cmocka_unit_test(a_vector_grows_and_keeps_what_it_has),
		cmocka_unit_test(a_vector_in_a_block_grows_out_of_it),
		cmocka_unit_test(records_come_back_as_they_were),
		cmocka_unit_test(records_cut_short_or_too_wide_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
