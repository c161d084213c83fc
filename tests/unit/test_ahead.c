/* test_ahead.c - what was read ahead of cases and families is what a transaction would have read, or is not used.
 *
 * In: a store on the disk, opened anew, so that nothing of it is in memory. Out: what it answers, and whether it had to read
 * for that. The reading is made by this thread, within the transaction, as another one makes it.
 */
#include "folder.h"
#include "good.h"

#include "store/internal.h"

static const struct case_key ours = { LK_CWS, { "C-1", 3 } },
			     theirs = { LK_CALWORKS, { "W-1", 3 } },
			     third = { LK_CALWORKS, { "W-2", 3 } };
static const uint8_t one[LK_DIGEST] = { 1 }, two[LK_DIGEST] = { 2 };
static const uint8_t bytes[] = "a family's state, and what was told of it";

static char folder[FOLDER_MAX];
static struct store *s;

static void open_store(void)
{
	const struct store_options options = { .directory = folder, .beside = true };

	GOOD(store_open(&options, &s, &err));
	GOOD(store_ahead_open(s, 2, &err));
	GOOD(store_begin(s, &err));
}

static void close_store(void)
{
	GOOD(store_commit(s, &err));
	store_ahead_close(s);
	store_close(s);
}

static void put_family(const uint8_t id[LK_DIGEST], const void *state, size_t len)
{
	struct stored_family family = { .wake_at = LK_NO_INSTANT,
					.state = state,
					.state_len = len,
					.told = bytes,
					.told_len = 8 };

	memcpy(family.id, id, LK_DIGEST);
	GOOD(store_family_put(s, &family, &err));
}

static int begin(void **state)
{
	(void)state;
	folder_make(folder, "ahead");
	open_store();
	GOOD(store_case_join(s, ours, one, &err));
	GOOD(store_case_join(s, theirs, one, &err));
	GOOD(store_case_join(s, third, two, &err));
	put_family(one, bytes, sizeof(bytes));
	put_family(two, bytes, 4);
	close_store();
	open_store();
	return 0;
}

static int end(void **state)
{
	(void)state;
	close_store();
	folder_remove(folder);
	return 0;
}

static void foresee(struct case_key key)
{
	store_ahead_read(s, 1, key);
	store_ahead_use(s, 1);
}

/* As of most cases of a county. */
static void forget_cases(void)
{
	s->generation++;
}

static void assert_family_of(struct case_key key, const uint8_t is[LK_DIGEST])
{
	uint8_t id[LK_DIGEST];

	assert_int_equal(store_case_family(s, key, id, &err), 1);
	assert_memory_equal(id, is, LK_DIGEST);
}

static int see(void *context, const struct stored_family *family)
{
	const size_t *len = context;

	assert_int_equal(family->state_len, *len);
	assert_memory_equal(family->state, bytes, *len);
	assert_int_equal(family->told_len, 8);
	assert_memory_equal(family->told, bytes, 8);
	return 0;
}

static void assert_state(const uint8_t id[LK_DIGEST], size_t len)
{
	assert_int_equal(store_family_get(s, id, see, &len, &err), 1);
}

/* Who takes the statement that asks for it away sees whether it was asked. */
static sqlite3_stmt *take_away(enum statement which)
{
	sqlite3_stmt *statement = s->statement[which];

	s->statement[which] = NULL;
	return statement;
}

static void what_was_read_is_not_asked_for(void **state)
{
	sqlite3_stmt *seek = take_away(SQL_case_seek), *at = take_away(SQL_family_at),
		     *get = take_away(SQL_family_get), *of = take_away(SQL_family_of_case);

	(void)state;
	foresee(theirs);
	assert_family_of(theirs, one);
	assert_family_of(ours, one);
	assert_int_equal(store_has_tokens(s, ours, &err), 0);
	assert_state(one, sizeof(bytes));
	s->statement[SQL_case_seek] = seek;
	s->statement[SQL_family_at] = at;
	s->statement[SQL_family_get] = get;
	s->statement[SQL_family_of_case] = of;
	assert_family_of(third, two);
	assert_state(two, 4);
}

/* A family whose history is away is packed onto its row when its event is long left behind. */
static void what_is_kept_is_there_when_the_slot_is_left(void **state)
{
	sqlite3_stmt *at = take_away(SQL_family_at), *get = take_away(SQL_family_get);

	(void)state;
	foresee(ours);
	GOOD(store_ahead_keep(s, one, &err));
	store_ahead_leave(s);
	assert_state(one, sizeof(bytes));
	s->statement[SQL_family_at] = at;
	s->statement[SQL_family_get] = get;
}

/* Nothing is read for it. */
static void what_was_not_read_ahead_is_not_kept(void **state)
{
	uint64_t reads = store_family_reads(s);

	(void)state;
	foresee(ours);
	GOOD(store_ahead_keep(s, two, &err));
	store_ahead_leave(s);
	GOOD(store_ahead_keep(s, one, &err));
	assert_int_equal(store_family_reads(s), reads);
	assert_state(two, 4);
}

/* Held in memory it is what the transaction made of it. */
static void what_the_transaction_changed_is_what_it_made(void **state)
{
	(void)state;
	put_family(one, bytes, 7);
	foresee(ours);
	assert_state(one, 7);
}

static void a_case_that_has_joined_another_family_is_of_that(void **state)
{
	(void)state;
	store_ahead_read(s, 1, ours);
	GOOD(store_case_join(s, ours, two, &err));
	forget_cases();
	store_ahead_use(s, 1);
	assert_family_of(ours, two);
	assert_family_of(theirs, one);
}

static void a_family_that_went_is_gone(void **state)
{
	size_t any = 0;

	(void)state;
	foresee(ours);
	GOOD(store_family_drop(s, one, &err));
	assert_int_equal(store_family_get(s, one, see, &any, &err), 0);
	foresee(ours);
	assert_int_equal(store_family_get(s, one, see, &any, &err), 0);
}

static void a_token_that_came_is_there(void **state)
{
	const struct stored_token token = { .token = { 7 } };

	(void)state;
	store_ahead_read(s, 1, ours);
	GOOD(store_tokens_put(s, ours, &token, 1, &err));
	forget_cases();
	store_ahead_use(s, 1);
	assert_int_equal(store_has_tokens(s, ours, &err), 1);
	GOOD(store_commit(s, &err));
	GOOD(store_begin(s, &err));
	forget_cases();
	foresee(theirs);
	assert_int_equal(store_has_tokens(s, ours, &err), 1);
}

/* The next transaction may be told again, and is told what the last one left. */
static void what_was_committed_is_read(void **state)
{
	(void)state;
	GOOD(store_case_join(s, ours, two, &err));
	GOOD(store_commit(s, &err));
	GOOD(store_begin(s, &err));
	forget_cases();
	foresee(ours);
	assert_non_null(ahead_family(s, two));
	assert_null(ahead_family(s, one));
	assert_family_of(ours, two);
	store_ahead_leave(s);
	assert_null(ahead_family(s, two));
}

static void a_long_family_is_left_to_the_loop(void **state)
{
	static uint8_t most[20000];

	(void)state;
	put_family(two, most, sizeof(most));
	close_store();
	open_store();
	foresee(third);
	assert_null(ahead_family(s, two));
	assert_family_of(third, two);
	foresee(ours);
	assert_non_null(ahead_family(s, one));
}

static void of_what_is_unknown_nothing_is_said(void **state)
{
	const struct case_key nobody = { LK_CWS, { "C-9", 3 } };
	uint8_t id[LK_DIGEST];

	(void)state;
	foresee(ours);
	foresee(nobody);
	assert_null(ahead_family(s, one));
	assert_int_equal(store_case_family(s, nobody, id, &err), 0);
}

/* It puts the store in doubt when the loop comes to it, and says then what it is. */
static void damage_is_the_loops_to_find(void **state)
{
	size_t any = 0;

	(void)state;
	assert_int_equal(
		sqlite3_exec(s->db, "UPDATE family SET told = zeroblob(length(told)) WHERE ref = 1",
			     NULL, NULL, NULL),
		SQLITE_OK);
	GOOD(store_commit(s, &err));
	GOOD(store_begin(s, &err));
	foresee(ours);
	assert_null(ahead_family(s, one));
	assert_false(s->suspect);
	assert_int_equal(store_family_get(s, one, see, &any, &err), LK_ESTORE);
	assert_true(s->suspect);
	store_rollback(s);
	store_ahead_close(s);
	store_close(s);
	open_store(); /* made anew, without it */
}

static void a_store_in_memory_has_nobody_who_reads(void **state)
{
	const struct store_options options = { .directory = NULL };
	struct store *on_disk = s;

	(void)state;
	GOOD(store_open(&options, &s, &err));
	GOOD(store_ahead_open(s, 2, &err));
	GOOD(store_begin(s, &err));
	foresee(ours);
	store_ahead_leave(s);
	assert_null(ahead_family(s, one));
	GOOD(store_commit(s, &err));
	store_ahead_close(s);
	store_close(s);
	s = on_disk;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_was_read_is_not_asked_for, begin, end),
		cmocka_unit_test_setup_teardown(what_is_kept_is_there_when_the_slot_is_left, begin,
						end),
		cmocka_unit_test_setup_teardown(what_was_not_read_ahead_is_not_kept, begin, end),
		cmocka_unit_test_setup_teardown(what_the_transaction_changed_is_what_it_made, begin,
						end),
		cmocka_unit_test_setup_teardown(a_case_that_has_joined_another_family_is_of_that,
						begin, end),
		cmocka_unit_test_setup_teardown(a_family_that_went_is_gone, begin, end),
		cmocka_unit_test_setup_teardown(a_token_that_came_is_there, begin, end),
		cmocka_unit_test_setup_teardown(what_was_committed_is_read, begin, end),
		cmocka_unit_test_setup_teardown(a_long_family_is_left_to_the_loop, begin, end),
		cmocka_unit_test_setup_teardown(of_what_is_unknown_nothing_is_said, begin, end),
		cmocka_unit_test_setup_teardown(damage_is_the_loops_to_find, begin, end),
		cmocka_unit_test_setup_teardown(a_store_in_memory_has_nobody_who_reads, begin, end),
	};

	return cmocka_run_group_tests_name("ahead", tests, NULL, NULL);
}
