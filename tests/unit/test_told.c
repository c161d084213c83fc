/* test_told.c - what told.h promises: what was told survives its row, and no row is guessed at. */
#include "story.h"

static struct told *note(struct tolds *t, uint8_t id, const char *worker)
{
	struct word w = words_add(&t->words, lk_text_of(worker));
	struct told *record = tolds_add(t);

	memset(record->id, id, LK_DIGEST);
	record->worker = w;
	record->own = record->other = NO_WORD;
	record->rev = id;
	record->live = 1;
	return record;
}

static bool is_workers(const struct tolds *t, uint8_t id, const char *worker)
{
	uint8_t name[LK_DIGEST];
	memset(name, id, sizeof(name));
	const struct told *found = tolds_find(t, name);

	return found != NULL && found->rev == id &&
	       lk_text_says(words_text(&t->words, found->worker), worker);
}

static void a_row_gives_the_records_again(void **state)
{
	struct tolds t = { 0 }, back = { 0 };
	struct lk_bytes row = { 0 };
	struct lk_error err;

	(void)state;
	note(&t, 1, "garcia");
	note(&t, 2, "jones");
	tolds_pack(&t, &row);
	assert_int_equal(tolds_unpack(row.at, row.len, &back, &err), 0);
	assert_int_equal(back.n, 2);
	assert_true(is_workers(&back, 1, "garcia"));
	assert_true(is_workers(&back, 2, "jones"));
	lk_bytes_free(&row);
	tolds_free(&t);
	tolds_free(&back);
}

/* What lies in a row's block grows out of it. */
static void what_a_row_gave_can_be_added_to(void **state)
{
	struct tolds a = { 0 }, both = { 0 };
	struct lk_bytes row = { 0 };
	struct lk_error err;

	(void)state;
	note(&a, 1, "garcia");
	tolds_pack(&a, &row);
	assert_int_equal(tolds_unpack(row.at, row.len, &both, &err), 0);
	note(&both, 2, "jones");
	for (uint8_t id = 3; id < 40; id++)
		note(&both, id, "garcia");
	assert_true(is_workers(&both, 1, "garcia") && is_workers(&both, 2, "jones"));
	for (uint8_t id = 3; id < 40; id++)
		assert_true(is_workers(&both, id, "garcia"));
	assert_int_equal(both.words.len, sizeof("garciajones") - 1);
	lk_bytes_free(&row);
	tolds_free(&a);
	tolds_free(&both);
}

/* With and without words, which stay behind. */
static void records_that_leave_their_block_leave_nothing_in_it(void **state)
{
	static const char *const workers[] = { "garcia", "" };

	(void)state;
	for (size_t w = 0; w < sizeof(workers) / sizeof(workers[0]); w++) {
		struct tolds a = { 0 }, t = { 0 };
		struct lk_bytes row = { 0 };
		struct lk_error err;

		note(&a, 1, workers[w]);
		tolds_pack(&a, &row);
		assert_int_equal(tolds_unpack(row.at, row.len, &t, &err), 0);
		for (uint8_t id = 2; !is_own_room(t.room); id++)
			note(&t, id, workers[w]);
		assert_int_equal(tolds_bytes(&t),
				 t.room * sizeof(struct told) + (workers[w][0] != '\0' ? 8 : 0));
		for (uint32_t i = 0; i < t.n; i++)
			assert_true(is_workers(&t, (uint8_t)(i + 1), workers[w]));
		lk_bytes_free(&row);
		tolds_free(&a);
		tolds_free(&t);
	}
}

/* Whatever was added or written to since. */
static void a_row_packed_onto_the_last_one_is_the_whole_row(void **state)
{
	struct tolds t = { 0 };
	struct lk_bytes last = { 0 }, next = { 0 }, whole = { 0 };

	(void)state;
	for (uint32_t round = 0; round < 60; round++) {
		for (uint32_t i = 0; i < round % 4; i++)
			note(&t, (uint8_t)(round * 4 + i), i % 2 == 0 ? "garcia" : "jones");
		if (round % 3 == 1)
			tolds_change(&t, &t.at[round * 7 % t.n])->live ^= 1;
		lk_bytes_clear(&next);
		lk_bytes_clear(&whole);
		tolds_pack_on(&t, last.at, last.len, &next);
		tolds_pack(&t, &whole);
		assert_int_equal(next.len, whole.len);
		assert_memory_equal(next.at, whole.at, whole.len);
		assert_int_equal(t.same, t.n);
		lk_bytes_clear(&last);
		lk_bytes_add(&last, next.at, next.len);
	}
	lk_bytes_free(&last);
	lk_bytes_free(&next);
	lk_bytes_free(&whole);
	tolds_free(&t);
}

static void a_record_moves_with_its_words(void **state)
{
	struct tolds from = { 0 }, to = { 0 };

	(void)state;
	note(&to, 1, "garcia");
	note(&from, 2, "okafor");
	tolds_move(&to, &from, &from.at[0]);
	tolds_free(&from);
	assert_true(is_workers(&to, 2, "okafor"));
	assert_int_equal(to.at[1].other.at, NONE);
	tolds_free(&to);
}

static void a_damaged_row_is_refused(void **state)
{
	struct tolds t = { 0 };
	struct lk_bytes row = { 0 };
	struct lk_error err;

	(void)state;
	note(&t, 1, "garcia");
	tolds_pack(&t, &row);
	for (size_t len = 0; len < row.len; len += 1 + len / 8) {
		struct tolds back = { 0 };

		assert_int_equal(tolds_unpack(row.at, len, &back, &err), LK_EWIRE);
		assert_int_equal(back.n, 0);
		tolds_free(&back);
	}
	row.at[0] ^= 1;
	struct tolds back = { 0 };
	assert_int_equal(tolds_unpack(row.at, row.len, &back, &err), LK_EWIRE);
	lk_bytes_free(&row);
	tolds_free(&t);
	tolds_free(NULL);
}

static void a_record_without_its_words_is_refused(void **state)
{
	static const struct word beyond[] = {
		{ 0, 1000 }, { 1000, 1 }, { NONE - 1, NONE }, { 1, NONE }
	};

	(void)state;
	for (size_t i = 0; i < sizeof(beyond) / sizeof(*beyond); i++) {
		struct tolds t = { 0 }, back = { 0 };
		struct lk_bytes row = { 0 };
		struct lk_error err;

		note(&t, 1, "garcia");
		tolds_change(&t, &t.at[0])->other = beyond[i];
		tolds_pack(&t, &row);
		assert_int_equal(tolds_unpack(row.at, row.len, &back, &err), LK_EWIRE);
		lk_bytes_free(&row);
		tolds_free(&t);
		tolds_free(&back);
	}
}

static void what_was_never_told_is_not_found(void **state)
{
	struct tolds t = { 0 };
	const uint8_t id[LK_DIGEST] = { 9 };

	(void)state;
	assert_null(tolds_find(&t, id));
	note(&t, 1, "garcia");
	assert_null(tolds_find(&t, id));
	tolds_free(&t);
}

/* ---- Short in memory -------------------------------------------------------------------------- */

static uint64_t cause_of(uint8_t id)
{
	return UINT64_C(0x9e3779b97f4a7c15) * id;
}

/* So many notices, packed, and left to the row. */
static void note_and_leave(struct tolds *t, uint8_t n, struct lk_bytes *row)
{
	for (uint8_t id = 1; id <= n; id++)
		note(t, id, id % 2 == 0 ? "garcia" : "jones")->cause = cause_of(id);
	tolds_pack_on(t, NULL, 0, row);
	tolds_leave(t);
}

static void what_is_left_to_the_row_is_fetched_from_it(void **state)
{
	struct tolds t = { 0 };
	struct lk_bytes row = { 0 };
	struct lk_error err;

	(void)state;
	note_and_leave(&t, 40, &row);
	assert_true(t.away > 30 && t.n == 40 - t.away);
	assert_true(tolds_bytes(&t) < 40 * sizeof(struct told) / 2);
	assert_true(is_workers(&t, 40, "garcia"));
	assert_true(tolds_may_lack(&t, cause_of(1)));
	assert_false(tolds_may_lack(&t, cause_of(40)) || tolds_may_lack(&t, cause_of(41)));
	note(&t, 41, "jones")->cause = cause_of(41);
	assert_int_equal(tolds_fetch(&t, row.at, row.len, &err), 0);
	assert_int_equal(t.n, 41);
	for (uint8_t id = 1; id <= 41; id++)
		assert_true(is_workers(&t, id, id % 2 == 0 ? "garcia" : "jones"));
	assert_int_equal(tolds_of(&t, cause_of(3)), 2);
	assert_int_equal(tolds_fetch(&t, NULL, 0, &err), 0); /* nothing is away */
	lk_bytes_free(&row);
	tolds_free(&t);
}

/* As often as one likes: what is packed onto the last row is what would have been packed of the whole. */
static void what_is_left_to_the_row_is_packed_all_the_same(void **state)
{
	struct tolds t = { 0 }, whole = { 0 };
	struct lk_bytes row = { 0 }, other = { 0 }, next = { 0 };

	(void)state;
	note_and_leave(&t, 3, &row);
	note_and_leave(&whole, 3, &other);
	for (uint8_t id = 4; id < 90; id++) {
		note(&t, id, "garcia");
		note(&whole, id, "garcia");
		if (id % 3 == 0)
			continue;
		lk_bytes_clear(&next);
		tolds_pack_on(&t, row.at, row.len, &next);
		tolds_leave(&t);
		lk_bytes_clear(&other);
		tolds_pack(&whole, &other);
		assert_int_equal(next.len, other.len);
		assert_memory_equal(next.at, other.at, next.len);
		lk_bytes_clear(&row);
		lk_bytes_add(&row, next.at, next.len);
	}
	assert_true(t.away > 80);
	lk_bytes_free(&row);
	lk_bytes_free(&other);
	lk_bytes_free(&next);
	tolds_free(&t);
	tolds_free(&whole);
}

static void a_record_that_changes_wants_the_whole_list(void **state)
{
	struct tolds t = { 0 };
	struct lk_bytes row = { 0 };
	struct lk_error err;

	(void)state;
	note_and_leave(&t, 20, &row);
	assert_false(tolds_must_be_whole(&t));
	note(&t, 21, "garcia");
	assert_false(tolds_must_be_whole(&t));
	tolds_change(&t, &t.at[0])->rev = 7;
	assert_true(tolds_must_be_whole(&t));
	tolds_leave(&t); /* it is not as in the row: it stays */
	assert_int_equal(t.n + t.away, 21);
	assert_int_equal(tolds_fetch(&t, row.at, row.len, &err), 0);
	assert_false(tolds_must_be_whole(&t));
	lk_bytes_free(&row);
	tolds_free(&t);
}

static void nothing_is_fetched_from_another_row(void **state)
{
	struct tolds t = { 0 }, other = { 0 };
	struct lk_bytes row = { 0 }, shorter = { 0 };
	struct lk_error err;

	(void)state;
	note_and_leave(&t, 20, &row);
	note_and_leave(&other, 10, &shorter);
	assert_int_equal(tolds_fetch(&t, shorter.at, shorter.len, &err), LK_EWIRE);
	assert_int_equal(tolds_fetch(&t, row.at, 40, &err), LK_EWIRE);
	assert_int_equal(tolds_fetch(&t, row.at, 3, &err), LK_EWIRE);
	assert_int_equal(tolds_fetch(&t, row.at, row.len, &err), 0);
	assert_true(is_workers(&t, 1, "jones"));
	lk_bytes_free(&row);
	lk_bytes_free(&shorter);
	tolds_free(&t);
	tolds_free(&other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_row_gives_the_records_again),
		cmocka_unit_test(what_a_row_gave_can_be_added_to),
		cmocka_unit_test(records_that_leave_their_block_leave_nothing_in_it),
		cmocka_unit_test(a_row_packed_onto_the_last_one_is_the_whole_row),
		cmocka_unit_test(a_record_moves_with_its_words),
		cmocka_unit_test(a_damaged_row_is_refused),
		cmocka_unit_test(a_record_without_its_words_is_refused),
		cmocka_unit_test(what_was_never_told_is_not_found),
		cmocka_unit_test(what_is_left_to_the_row_is_fetched_from_it),
		cmocka_unit_test(what_is_left_to_the_row_is_packed_all_the_same),
		cmocka_unit_test(a_record_that_changes_wants_the_whole_list),
		cmocka_unit_test(nothing_is_fetched_from_another_row),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
