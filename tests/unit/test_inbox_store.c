/* test_inbox_store.c - a notice and the place after it are one; each is taken once.
 *
 * In: notices as a daemon would send them. Out: what is kept, over closing, repetition, another mailbox, erasure.
 * Promise: clients/lib/inbox_store.c keeps its own.
 */
#include "folder.h"
#include "inbox_store.h"

#include <linkages/client.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BOX_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define BOX_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define GARCIA LK_TEXT("garcia")

static char folder[FOLDER_MAX], path[96];
static struct lk_error err;
static struct lk_inbox_store *store;

static void reopen(void)
{
	lk_inbox_store_close(store);
	if (lk_inbox_store_open(path, &store, &err) < 0)
		fail_msg("%s", err.text);
}

static int setup(void **state)
{
	(void)state;
	folder_make(folder, "inbox");
	(void)snprintf(path, sizeof(path), "%s/test.inbox", folder);
	store = NULL;
	reopen();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	lk_inbox_store_close(store);
	folder_drop(path);
	return rmdir(folder);
}

/* A notice whose id is one digit repeated. */
static void make(struct lk_bytes *out, char digit, int64_t rev, const char *state,
		 const char *reason)
{
	char id[LK_DIGEST_HEX];

	memset(id, digit, sizeof(id) - 1);
	id[sizeof(id) - 1] = '\0';
	lk_put_map(out, 4);
	lk_member_word(out, "id", id);
	lk_member_int(out, "rev", rev);
	lk_member_word(out, "state", state);
	lk_member_text(out, "reason", lk_text_of(reason));
}

/* Inside a transaction. */
static int put(struct lk_text worker, int64_t seq, char digit, int64_t rev, const char *state,
	       const char *reason)
{
	struct lk_bytes notice = { 0 };
	int code;

	make(&notice, digit, rev, state, reason);
	code = lk_inbox_store_put(store, worker, seq, lk_span_of(notice.at, notice.len), &err);
	lk_bytes_free(&notice);
	return code;
}

/* New notices, a digit each, in one message, of which those before a place are here already. */
static int put_from(struct lk_text worker, int64_t seq, const char *digits, int64_t from)
{
	struct lk_bytes list = { 0 };
	int code;

	lk_put_array(&list, (uint32_t)strlen(digits));
	for (const char *digit = digits; *digit != '\0'; digit++)
		make(&list, *digit, 1, "new", NULL);
	code = inbox_store_put_several(store, worker, seq, lk_span_of(list.at, list.len), from,
				       &err);
	lk_bytes_free(&list);
	return code;
}

static int put_several(struct lk_text worker, int64_t seq, const char *digits)
{
	return put_from(worker, seq, digits, seq);
}

static void begin(void)
{
	assert_int_equal(lk_inbox_store_begin(store, &err), 0);
}

static void commit(void)
{
	assert_int_equal(lk_inbox_store_commit(store, &err), 0);
}

static void mailbox(struct lk_text worker, const char *id, int64_t last)
{
	assert_int_equal(lk_inbox_store_mailbox(store, worker, lk_text_of(id), last, &err), 0);
}

static int64_t place_of(struct lk_text worker, const char *id)
{
	struct lk_inbox_place place;

	assert_int_equal(lk_inbox_store_place(store, worker, &place, &err), 1);
	assert_string_equal(place.mailbox, id);
	return place.last;
}

struct taking {
	char told[256];
	int stop_after; /* 0: never */
	int n;
};

static int note(void *context, const struct lk_received *received)
{
	struct taking *t = context;
	struct lk_text id = lk_as_text(lk_get(received->body, "id"));
	struct lk_text state = lk_as_text(lk_get(received->body, "state"));
	size_t len = strlen(t->told);

	if (t->stop_after > 0 && t->n == t->stop_after)
		return -99;
	t->n++;
	(void)snprintf(t->told + len, sizeof(t->told) - len, "%.*s:%lld:%c:%.*s ",
		       LK_PRINT(received->worker), (long long)received->seq, id.at[0],
		       LK_PRINT(state));
	return 0;
}

static int count(void *context, const struct lk_received *received)
{
	struct taking *t = context;

	(void)received;
	return t->n++ == t->stop_after - 1 ? -99 : 0;
}

static void a_notice_and_its_place_are_kept_together(void **state)
{
	struct taking t = { .n = 0 };

	(void)state;
	begin();
	mailbox(GARCIA, BOX_A, 0);
	assert_int_equal(put(GARCIA, 1, '1', 1, "new", NULL), 1);
	commit();
	begin();
	assert_int_equal(put(GARCIA, 2, '2', 1, "new", NULL), 1);
	lk_inbox_store_rollback(store);
	reopen();
	assert_int_equal(place_of(GARCIA, BOX_A), 1);
	assert_int_equal(lk_inbox_store_take(store, note, &t, &err), 1);
	assert_string_equal(t.told, "garcia:1:1:new ");
}

static void nothing_is_known_of_a_stranger(void **state)
{
	struct lk_inbox_place place;

	(void)state;
	assert_int_equal(lk_inbox_store_place(store, GARCIA, &place, &err), 0);
}

static void each_is_taken_once_also_over_reopening(void **state)
{
	struct taking t = { .n = 0 }, again = { .n = 0 };

	(void)state;
	begin();
	mailbox(GARCIA, BOX_A, 0);
	mailbox(LK_TEXT("okafor"), BOX_B, 0);
	assert_int_equal(put(GARCIA, 1, '1', 1, "new", NULL), 1);
	assert_int_equal(put(LK_TEXT("okafor"), 1, '1', 1, "new", NULL), 1);
	assert_int_equal(put(GARCIA, 2, '2', 1, "new", NULL), 1);
	commit();
	assert_int_equal(lk_inbox_store_take(store, note, &t, &err), 3);
	assert_string_equal(t.told, "garcia:1:1:new okafor:1:1:new garcia:2:2:new ");
	reopen();
	assert_int_equal(lk_inbox_store_take(store, note, &again, &err), 0);
}

static void where_the_taker_stops_it_goes_on(void **state)
{
	struct taking t = { .stop_after = 1 }, rest = { .n = 0 };

	(void)state;
	begin();
	mailbox(GARCIA, BOX_A, 0);
	assert_int_equal(put(GARCIA, 1, '1', 1, "new", NULL), 1);
	assert_int_equal(put(GARCIA, 2, '2', 1, "new", NULL), 1);
	commit();
	assert_int_equal(lk_inbox_store_take(store, note, &t, &err), -99);
	assert_int_equal(lk_inbox_store_take(store, note, &rest, &err), 1);
	assert_string_equal(rest.told, "garcia:2:2:new ");
}

static void in_another_mailbox_repetitions_are_known(void **state)
{
	struct taking t = { .n = 0 };

	(void)state;
	begin();
	mailbox(GARCIA, BOX_A, 0);
	assert_int_equal(put(GARCIA, 1, '1', 1, "new", NULL), 1);
	assert_int_equal(put(GARCIA, 2, '2', 1, "new", NULL), 1);
	commit();
	begin();
	mailbox(GARCIA, BOX_B, 0);
	assert_int_equal(put(GARCIA, 1, '2', 1, "new", NULL), 0);
	assert_int_equal(put(GARCIA, 2, '2', 2, "updated", NULL), 1);
	commit();
	assert_int_equal(place_of(GARCIA, BOX_B), 2);
	assert_int_equal(lk_inbox_store_take(store, note, &t, &err), 3);
	assert_string_equal(t.told, "garcia:1:1:new garcia:2:2:new garcia:2:2:updated ");
}

static void what_may_not_be_seen_any_more_is_erased(void **state)
{
	struct taking t = { .n = 0 };

	(void)state;
	begin();
	mailbox(GARCIA, BOX_A, 0);
	assert_int_equal(put(GARCIA, 1, '1', 1, "new", NULL), 1);
	assert_int_equal(put(GARCIA, 2, '2', 1, "new", NULL), 1);
	assert_int_equal(put(GARCIA, 3, '1', 2, "withdrawn", "consent"), 1);
	assert_int_equal(put(GARCIA, 4, '2', 2, "withdrawn", "over"), 1);
	commit();
	assert_int_equal(lk_inbox_store_take(store, note, &t, &err), 4);
	assert_string_equal(t.told, "garcia:2:2:new garcia:3:1:withdrawn garcia:4:2:withdrawn ");
}

static void the_same_telling_reduced_replaces_the_whole(void **state)
{
	struct taking t = { .n = 0 };

	(void)state;
	begin();
	mailbox(GARCIA, BOX_A, 0);
	assert_int_equal(put(GARCIA, 1, '1', 1, "new", NULL), 1);
	mailbox(GARCIA, BOX_B, 0);
	assert_int_equal(put(GARCIA, 1, '1', 1, "withdrawn", "consent"), 0);
	commit();
	assert_int_equal(lk_inbox_store_take(store, note, &t, &err), 1);
	assert_string_equal(t.told, "garcia:1:1:withdrawn ");
}

static void several_of_one_message_are_taken_one_by_one(void **state)
{
	struct taking t = { .stop_after = 2 }, rest = { .n = 0 }, none = { .n = 0 };

	(void)state;
	begin();
	mailbox(GARCIA, BOX_A, 0);
	assert_int_equal(put_several(GARCIA, 1, "123"), 3);
	assert_int_equal(put(GARCIA, 4, '4', 1, "new", NULL), 1);
	commit();
	assert_int_equal(place_of(GARCIA, BOX_A), 4);
	assert_int_equal(lk_inbox_store_take(store, note, &t, &err), -99);
	assert_string_equal(t.told, "garcia:1:1:new garcia:2:2:new ");
	reopen();
	assert_int_equal(lk_inbox_store_take(store, note, &rest, &err), 2);
	assert_string_equal(rest.told, "garcia:3:3:new garcia:4:4:new ");
	assert_int_equal(lk_inbox_store_take(store, note, &none, &err), 0);
}

static void of_several_that_come_again_in_part_the_rest_is_stored(void **state)
{
	struct taking t = { .n = 0 };

	(void)state;
	begin();
	mailbox(GARCIA, BOX_A, 0);
	assert_int_equal(put_several(GARCIA, 1, "12"), 2);
	assert_int_equal(put_from(GARCIA, 1, "1234", 3), 2);
	commit();
	assert_int_equal(place_of(GARCIA, BOX_A), 4);
	assert_int_equal(lk_inbox_store_take(store, note, &t, &err), 4);
	assert_string_equal(t.told, "garcia:1:1:new garcia:2:2:new garcia:3:3:new garcia:4:4:new ");
}

static void one_of_several_is_erased_and_the_others_stay(void **state)
{
	struct taking t = { .n = 0 };

	(void)state;
	begin();
	mailbox(GARCIA, BOX_A, 0);
	mailbox(LK_TEXT("okafor"), BOX_A, 0);
	assert_int_equal(put_several(GARCIA, 1, "123"), 3);
	assert_int_equal(put_several(LK_TEXT("okafor"), 1, "2"), 1);
	assert_int_equal(put(GARCIA, 4, '2', 2, "withdrawn", "unlinked"), 1);
	commit();
	assert_int_equal(lk_inbox_store_take(store, note, &t, &err), 5);
	assert_string_equal(t.told, "garcia:1:1:new garcia:3:3:new okafor:1:2:new "
				    "garcia:4:2:withdrawn ");
}

static void of_several_those_that_were_here_are_left_out(void **state)
{
	struct taking t = { .n = 0 };

	(void)state;
	begin();
	mailbox(GARCIA, BOX_A, 0);
	assert_int_equal(put_several(GARCIA, 1, "123"), 3);
	commit();
	begin();
	mailbox(GARCIA, BOX_B, 0);
	lk_inbox_store_rollback(store);
	begin();
	mailbox(GARCIA, BOX_B, 0);
	commit();
	reopen(); /* that anything may come again is known over the end of the process */
	begin();
	assert_int_equal(put_several(GARCIA, 1, "2345"), 2);
	mailbox(GARCIA, BOX_A, 4);
	assert_int_equal(put_several(GARCIA, 5, "45"), 0);
	commit();
	assert_int_equal(place_of(GARCIA, BOX_A), 6);
	assert_int_equal(lk_inbox_store_take(store, note, &t, &err), 5);
	assert_string_equal(t.told, "garcia:1:1:new garcia:2:2:new garcia:3:3:new "
				    "garcia:3:4:new garcia:4:5:new ");
}

/* With the store closed. */
static int64_t number_of(const char *sql)
{
	sqlite3_stmt *statement;
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	int64_t n = sqlite3_column_int64(statement, 0);
	(void)sqlite3_finalize(statement);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	return n;
}

static void close_store(void)
{
	lk_inbox_store_close(store);
	store = NULL;
}

/* Only what came before the change can come again: the rest of a client's life costs what it did. */
static void in_another_mailbox_what_is_new_costs_no_more(void **state)
{
	(void)state;
	begin();
	mailbox(GARCIA, BOX_A, 0);
	assert_int_equal(put_several(GARCIA, 1, "12"), 2);
	mailbox(GARCIA, BOX_B, 0);
	assert_int_equal(put_several(GARCIA, 1, "345"), 3);
	assert_int_equal(put_several(GARCIA, 4, "678"), 3);
	commit();
	close_store();
	assert_int_equal(number_of("SELECT count(*) FROM arrival"), 3);
	assert_int_equal(number_of("SELECT count(*) FROM name"), 2);
}

static void names_are_made_when_there_is_time(void **state)
{
	char id[LK_DIGEST_HEX], worker[65];

	(void)state;
	begin();
	mailbox(GARCIA, BOX_A, 0);
	for (int64_t seq = 1; seq <= 511; seq++)
		assert_int_equal(put(GARCIA, seq, '1', seq, "new", NULL), 1);
	commit();
	assert_int_equal(inbox_store_name_some(store, &err), 0); /* so few are not worth a commit */
	begin();
	assert_int_equal(put(GARCIA, 512, '2', 1, "new", NULL), 1);
	commit();
	assert_int_equal(inbox_store_name_some(store, &err), 1);
	assert_int_equal(inbox_store_name_some(store, &err), 0);
	close_store();
	assert_int_equal(number_of("SELECT count(*) FROM name"), 512);
	reopen();
	assert_int_equal(lk_inbox_store_find(store, LK_TEXT("2"), id, worker, &err), 1);
}

/* Nothing is known of it, and of the others all. */
static void beside_a_damaged_notice_others_are_erased(void **state)
{
	static const char spoil[] =
		"UPDATE arrival SET notices = CAST(replace(CAST(notices AS TEXT), 'rev', 'ref') AS BLOB) WHERE seq = 2";
	struct taking t = { .n = 0 };
	sqlite3 *db;

	(void)state;
	begin();
	mailbox(GARCIA, BOX_A, 0);
	assert_int_equal(put(GARCIA, 1, '1', 1, "new", NULL), 1);
	assert_int_equal(put(GARCIA, 2, '2', 1, "new", NULL), 1);
	assert_int_equal(put(GARCIA, 3, '3', 1, "new", NULL), 1);
	commit();
	close_store();
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, spoil, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_changes(db), 1);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	reopen();
	begin();
	assert_int_equal(put(GARCIA, 4, '3', 2, "withdrawn", "consent"), 1);
	commit();
	begin();
	assert_int_equal(put(GARCIA, 5, '1', 2, "withdrawn", "unlinked"), 1);
	commit();
	assert_int_equal(lk_inbox_store_take(store, note, &t, &err), 5);
	assert_string_equal(t.told, "garcia:2:2:new garcia:4:3:withdrawn garcia:5:1:withdrawn ");
}

/* More than are marked at a time. */
static void many_are_taken_once(void **state)
{
	struct taking t = { .stop_after = 701 }, rest = { .n = 0 };
	char digits[101];

	(void)state;
	memset(digits, '7', sizeof(digits) - 1);
	digits[sizeof(digits) - 1] = '\0';
	begin();
	mailbox(GARCIA, BOX_A, 0);
	for (int64_t seq = 1; seq <= 1000; seq += 100)
		assert_int_equal(put_several(GARCIA, seq, digits), 100);
	commit();
	assert_int_equal(lk_inbox_store_take(store, count, &t, &err), -99);
	reopen();
	assert_int_equal(lk_inbox_store_take(store, count, &rest, &err), 300);
}

static void a_notice_is_found_by_the_first_digits_of_its_id(void **state)
{
	char id[LK_DIGEST_HEX], worker[65];

	(void)state;
	begin();
	mailbox(GARCIA, BOX_A, 0);
	assert_int_equal(put(GARCIA, 1, '1', 1, "new", NULL), 1);
	assert_int_equal(put(GARCIA, 2, '1', 2, "updated", NULL), 1);
	assert_int_equal(put(LK_TEXT("okafor"), 1, '2', 1, "new", NULL), 1);
	commit();
	assert_int_equal(lk_inbox_store_find(store, LK_TEXT("222"), id, worker, &err), 1);
	assert_string_equal(worker, "okafor");
	assert_string_equal(id, "22222222222222222222222222222222");
	assert_int_equal(lk_inbox_store_find(store, LK_TEXT("1111"), id, worker, &err), 1);
	assert_int_equal(lk_inbox_store_find(store, LK_TEXT("3"), id, worker, &err), 0);
	assert_int_equal(lk_inbox_store_find(store, LK_TEXT(""), id, worker, &err), LK_ESTATE);
}

static void a_notice_without_a_name_is_refused(void **state)
{
	static const uint8_t one_of_one[] = { 0x91, 0x81, 0xa3, 'r', 'e', 'v', 1 };
	struct lk_span several = lk_span_of(one_of_one, sizeof(one_of_one));
	struct lk_span notice = lk_span_of(one_of_one + 1, sizeof(one_of_one) - 1);

	(void)state;
	begin();
	assert_int_equal(lk_inbox_store_put(store, GARCIA, 1, notice, &err), LK_EWIRE);
	assert_int_equal(inbox_store_put_several(store, GARCIA, 1, several, 1, &err), LK_EWIRE);
	commit();
}

static void a_second_holder_is_refused(void **state)
{
	struct lk_inbox_store *second;

	(void)state;
	assert_int_equal(lk_inbox_store_open(path, &second, &err), LK_ESTATE);
}

static void memory_that_runs_out_leaves_nothing_open(void **state)
{
	struct taking t = { .n = 0 };

	(void)state;
	begin();
	mailbox(GARCIA, BOX_A, 0);
	assert_int_equal(put(GARCIA, 1, '1', 1, "new", NULL), 1);
	(void)sqlite3_hard_heap_limit64(1); /* SQLite gets no more */
	lk_inbox_store_rollback(store);
	(void)sqlite3_hard_heap_limit64(0);
	begin();
	mailbox(GARCIA, BOX_B, 0);
	commit();
	assert_int_equal(lk_inbox_store_take(store, note, &t, &err), 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_notice_and_its_place_are_kept_together),
		TEST(nothing_is_known_of_a_stranger),
		TEST(each_is_taken_once_also_over_reopening),
		TEST(where_the_taker_stops_it_goes_on),
		TEST(in_another_mailbox_repetitions_are_known),
		TEST(what_may_not_be_seen_any_more_is_erased),
		TEST(the_same_telling_reduced_replaces_the_whole),
		TEST(several_of_one_message_are_taken_one_by_one),
		TEST(of_several_that_come_again_in_part_the_rest_is_stored),
		TEST(one_of_several_is_erased_and_the_others_stay),
		TEST(of_several_those_that_were_here_are_left_out),
		TEST(in_another_mailbox_what_is_new_costs_no_more),
		TEST(names_are_made_when_there_is_time),
		TEST(beside_a_damaged_notice_others_are_erased),
		TEST(many_are_taken_once),
		TEST(a_notice_is_found_by_the_first_digits_of_its_id),
		TEST(a_notice_without_a_name_is_refused),
		TEST(a_second_holder_is_refused),
		TEST(memory_that_runs_out_leaves_nothing_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
