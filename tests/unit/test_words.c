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

static void a_copy_moves_on_behind_what_it_took(void **state)
{
	const uint8_t row[] = { 1, 2, 3, 4, 5, 6 };
	const uint8_t *from = row;
	uint8_t *pairs = vector_copied(&from, 2, 2);

	(void)state;
	assert_memory_equal(pairs, row, 4);
	assert_ptr_equal(from, row + 4);
	free(pairs);
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
		cmocka_unit_test(a_copy_moves_on_behind_what_it_took),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
