/* test_outbox.c - nothing that was appended is lost; numbers never mean another event.
 *
 * In: events in a file of its own. Out: what is kept, over closing, refusals, a new epoch, and damage.
 * Promise: clients/lib/outbox.c keeps its own.
 */
#include "folder.h"

#include <linkages/client.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[FOLDER_MAX], path[96];
static struct lk_error err;

static int setup(void **state)
{
	(void)state;
	folder_make(folder, "outbox");
	(void)snprintf(path, sizeof(path), "%s/test.outbox", folder);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	folder_drop(path);
	return rmdir(folder);
}

static struct lk_outbox *opened(const char *source)
{
	struct lk_outbox *o = NULL;

	if (lk_outbox_open(path, source, &o, &err) < 0)
		fail_msg("%s", err.text);
	return o;
}

static struct lk_outbox_state state_of(const struct lk_outbox *o)
{
	struct lk_outbox_state state;

	lk_outbox_state(o, &state);
	return state;
}

/* Appends the event that says so in JSON; *seq is its number. */
static int append(struct lk_outbox *o, const char *json, int64_t *seq)
{
	struct lk_bytes event = { 0 };
	struct lk_refused why;
	int code;

	assert_int_equal(lk_json_to_wire(json, strlen(json), &event, &why), 0);
	code = lk_outbox_append(o, event.at, event.len, seq, &why, &err);
	lk_bytes_free(&event);
	return code;
}

static void append_n(struct lk_outbox *o, int from, int to)
{
	char json[64];
	int64_t seq;

	for (int i = from; i <= to; i++) {
		(void)snprintf(json, sizeof(json), "{\"source\": \"calsaws\", \"id\": \"e%d\"}", i);
		assert_int_equal(append(o, json, &seq), 0);
		assert_int_equal(seq, i);
	}
}

struct walk {
	int n;
	int64_t seq[32];
	char id[32][16];
};

static int walk_note(void *context, int64_t seq, const void *event, size_t len)
{
	struct walk *w = context;
	struct lk_text id = lk_as_text(lk_get(lk_span_of(event, len), "id"));

	w->seq[w->n] = seq;
	(void)snprintf(w->id[w->n], sizeof(w->id[0]), "%.*s", LK_PRINT(id));
	w->n++;
	return 0;
}

static struct walk walked(struct lk_outbox *o)
{
	struct walk w = { 0 };
	int n = lk_outbox_read(o, 1, 32, walk_note, &w, &err);

	assert_int_equal(n, w.n);
	return w;
}

static void what_was_appended_is_there_after_reopening(void **state)
{
	struct lk_outbox *o = opened("calsaws");
	struct lk_outbox_state before;
	struct walk w;

	(void)state;
	append_n(o, 1, 3);
	before = state_of(o);
	lk_outbox_close(o);
	o = opened(NULL);
	assert_string_equal(state_of(o).source, "calsaws");
	assert_string_equal(state_of(o).epoch, before.epoch);
	assert_int_equal(strlen(before.epoch), 32);
	assert_int_equal(state_of(o).first, 1);
	assert_int_equal(state_of(o).last, 3);
	w = walked(o);
	assert_int_equal(w.n, 3);
	assert_string_equal(w.id[2], "e3");
	lk_outbox_close(o);
}

static void an_empty_outbox_says_first_is_last_plus_one(void **state)
{
	struct lk_outbox *o = opened("calsaws");

	(void)state;
	assert_int_equal(state_of(o).first, 1);
	assert_int_equal(state_of(o).last, 0);
	append_n(o, 1, 2);
	assert_int_equal(lk_outbox_settle(o, 2, 2, NULL, 0, &err), 0);
	assert_int_equal(state_of(o).first, 3);
	assert_int_equal(state_of(o).last, 2);
	lk_outbox_close(o);
	o = opened("calsaws");
	assert_int_equal(state_of(o).first, 3);
	append_n(o, 3, 3);
	lk_outbox_close(o);
}

static void the_same_event_again_is_the_same_number(void **state)
{
	struct lk_outbox *o = opened("calsaws");
	int64_t seq = 0;

	(void)state;
	assert_int_equal(
		append(o,
		       "{\"source\": \"calsaws\", \"id\": \"a\", \"data\": {\"x\": 1, \"y\": 2}}",
		       &seq),
		0);
	assert_int_equal(
		append(o,
		       "{\"id\": \"a\", \"data\": {\"y\": 2, \"x\": 1}, \"source\": \"calsaws\"}",
		       &seq),
		1);
	assert_int_equal(seq, 1);
	assert_int_equal(state_of(o).last, 1);
	/* The same id with other content is for the daemon to judge. */
	assert_int_equal(
		append(o,
		       "{\"source\": \"calsaws\", \"id\": \"a\", \"data\": {\"x\": 1, \"y\": 3}}",
		       &seq),
		0);
	assert_int_equal(seq, 2);
	lk_outbox_close(o);
}

static void another_source_is_refused(void **state)
{
	struct lk_outbox *o = opened("calsaws"), *other = NULL;
	int64_t seq;

	(void)state;
	assert_int_equal(append(o, "{\"source\": \"cws-cms\", \"id\": \"a\"}", &seq), LK_EREFUSED);
	assert_int_equal(state_of(o).last, 0);
	lk_outbox_close(o);
	assert_int_equal(lk_outbox_open(path, "cws-cms", &other, &err), LK_ECONFIG);
	assert_null(other);
}

static void nonsense_is_refused(void **state)
{
	struct lk_outbox *o = opened("calsaws");
	struct lk_refused why;
	uint8_t *large = calloc(1, LK_EVENT_MAX + 1);

	(void)state;
	assert_non_null(large);
	assert_int_equal(lk_outbox_append(o, "\x93\x01", 2, NULL, &why, &err), LK_EREFUSED);
	assert_int_equal(why.reason, LK_MALFORMED);
	assert_int_equal(lk_outbox_append(o, large, LK_EVENT_MAX + 1, NULL, &why, &err),
			 LK_EREFUSED);
	assert_int_equal(why.reason, LK_TOO_LARGE);
	assert_int_equal(state_of(o).last, 0);
	free(large);
	lk_outbox_close(o);
}

static void a_second_holder_is_refused(void **state)
{
	struct lk_outbox *o = opened("calsaws"), *second = NULL;

	(void)state;
	append_n(o, 1, 1);
	assert_int_equal(lk_outbox_open(path, "calsaws", &second, &err), LK_ESTATE);
	append_n(o, 2, 2);
	lk_outbox_close(o);
	o = opened("calsaws");
	assert_int_equal(state_of(o).last, 2);
	lk_outbox_close(o);
}

static void nothing_above_safe_or_unacknowledged_is_deleted(void **state)
{
	struct lk_outbox *o = opened("calsaws");

	(void)state;
	append_n(o, 1, 10);
	assert_int_equal(lk_outbox_settle(o, 6, 4, NULL, 0, &err), 0);
	assert_int_equal(state_of(o).first, 5);
	assert_int_equal(state_of(o).acked, 6);
	assert_int_equal(lk_outbox_settle(o, 7, 9, NULL, 0, &err), 0);
	assert_int_equal(state_of(o).first, 8);
	/* The daemon came back from an older state: what it had may be asked for again. */
	assert_int_equal(lk_outbox_settle(o, 7, 0, NULL, 0, &err), 0);
	assert_int_equal(walked(o).n, 3);
	assert_int_equal(lk_outbox_settle(o, 11, 0, NULL, 0, &err), LK_ESTATE);
	lk_outbox_close(o);
}

static int refusal_note(void *context, const struct lk_refusal_row *row)
{
	char *out = context;
	size_t len = strlen(out);

	(void)snprintf(out + len, 256 - len, "%lld %.*s %.*s %.*s;", (long long)row->seq,
		       LK_PRINT(row->id), LK_PRINT(row->reason), LK_PRINT(row->field));
	return 0;
}

static void refusals_are_kept_with_the_event_id(void **state)
{
	struct lk_outbox *o = opened("calsaws");
	struct lk_bytes field = { 0 };
	struct lk_msg_refused_item refused[2] = { { .seq = 2, .reason = LK_TEXT("missing") },
						  { .seq = 99, .reason = LK_TEXT("missing") } };
	char told[256] = "";

	(void)state;
	lk_put_word(&field, "data.status");
	refused[0].field = lk_span_of(field.at, field.len);
	append_n(o, 1, 3);
	assert_int_equal(lk_outbox_settle(o, 3, 3, refused, 2, &err), 0);
	assert_int_equal(state_of(o).refused, 1);
	lk_outbox_close(o);
	o = opened("calsaws");
	/* Also now that the event itself is deleted. */
	assert_int_equal(lk_outbox_refusals(o, 0, refusal_note, told, &err), 1);
	assert_string_equal(told, "2 e2 missing data.status;");
	assert_int_equal(lk_outbox_refusals(o, 2, refusal_note, told, &err), 0);
	lk_bytes_free(&field);
	lk_outbox_close(o);
}

static void a_new_epoch_numbers_what_is_kept_from_one(void **state)
{
	struct lk_outbox *o = opened("calsaws");
	char epoch[LK_DIGEST_HEX];
	struct walk w;
	int64_t seq;

	(void)state;
	append_n(o, 1, 5);
	assert_int_equal(lk_outbox_settle(o, 3, 2, NULL, 0, &err), 0);
	memcpy(epoch, state_of(o).epoch, sizeof(epoch));
	assert_int_equal(lk_outbox_renew(o, &err), 0);
	assert_string_not_equal(state_of(o).epoch, epoch);
	assert_int_equal(state_of(o).first, 1);
	assert_int_equal(state_of(o).last, 3);
	assert_int_equal(state_of(o).acked, 0);
	w = walked(o);
	assert_int_equal(w.n, 3);
	assert_int_equal(w.seq[0], 1);
	assert_string_equal(w.id[0], "e3");
	assert_int_equal(append(o, "{\"source\": \"calsaws\", \"id\": \"new\"}", &seq), 0);
	assert_int_equal(seq, 4);
	lk_outbox_close(o);
}

static void a_batch_is_kept_whole_or_not_at_all(void **state)
{
	struct lk_outbox *o = opened("calsaws");

	(void)state;
	assert_int_equal(lk_outbox_begin(o, &err), 0);
	append_n(o, 1, 3);
	/* Not on disk yet: nothing may be sent of it. */
	assert_int_equal(state_of(o).last, 0);
	lk_outbox_rollback(o);
	assert_int_equal(walked(o).n, 0);
	assert_int_equal(lk_outbox_begin(o, &err), 0);
	append_n(o, 1, 2);
	assert_int_equal(lk_outbox_commit(o, &err), 0);
	assert_int_equal(state_of(o).last, 2);
	lk_outbox_close(o);
}

/* What was not appended may neither be read nor bar the way. */
static void memory_that_runs_out_leaves_nothing_open(void **state)
{
	struct lk_outbox *o = opened("calsaws");

	(void)state;
	append_n(o, 1, 2);
	assert_int_equal(lk_outbox_begin(o, &err), 0);
	append_n(o, 3, 3);
	(void)sqlite3_hard_heap_limit64(1); /* SQLite gets no more */
	lk_outbox_rollback(o);
	(void)sqlite3_hard_heap_limit64(0);
	assert_int_equal(walked(o).n, 2);
	append_n(o, 3, 3);
	assert_int_equal(state_of(o).last, 3);
	lk_outbox_close(o);
}

static void change(const char *sql)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static void a_damaged_event_is_noticed(void **state)
{
	struct lk_outbox *o = opened("calsaws");
	struct walk w = { 0 };

	(void)state;
	append_n(o, 1, 3);
	lk_outbox_close(o);
	change("UPDATE event SET body = CAST(substr(body, 1, length(body) - 1) || 'z' AS BLOB) WHERE seq = 2");
	o = opened("calsaws");
	assert_int_equal(lk_outbox_read(o, 1, 32, walk_note, &w, &err), LK_ESTORE);
	assert_int_equal(w.n, 1);
	lk_outbox_close(o);
}

static void a_newer_or_foreign_file_is_refused(void **state)
{
	struct lk_outbox *o = opened("calsaws");
	FILE *file;

	(void)state;
	lk_outbox_close(o);
	change("PRAGMA user_version = 2");
	assert_int_equal(lk_outbox_open(path, "calsaws", &o, &err), LK_ECONFIG);
	change("PRAGMA user_version = 1; PRAGMA application_id = 7");
	assert_int_equal(lk_outbox_open(path, "calsaws", &o, &err), LK_ECONFIG);
	file = fopen(path, "w");
	assert_non_null(file);
	for (int i = 0; i < 200; i++)
		assert_true(fputs("this is no database\n", file) >= 0);
	(void)fclose(file);
	assert_int_equal(lk_outbox_open(path, "calsaws", &o, &err), LK_ECONFIG);
}

/* While nothing was released, layouts changed and their number did not. */
static void a_file_of_another_layout_is_refused_with_what_to_do(void **state)
{
	struct lk_outbox *o = opened("calsaws");

	(void)state;
	lk_outbox_close(o);
	change("ALTER TABLE event RENAME COLUMN sum TO hash");
	assert_int_equal(lk_outbox_open(path, "calsaws", &o, &err), LK_ECONFIG);
	assert_non_null(strstr(err.text, "test.outbox: another version of this program laid out "
					 "this outbox; let that version send"));
}

static void only_the_owner_may_read_it(void **state)
{
	struct lk_outbox *o = opened("calsaws");
	struct stat st;

	(void)state;
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	lk_outbox_close(o);
}

static void a_file_that_is_not_there_is_not_made_without_a_source(void **state)
{
	struct lk_outbox *o;

	(void)state;
	assert_int_equal(lk_outbox_open(path, NULL, &o, &err), LK_ENOTFOUND);
	assert_int_equal(access(path, F_OK), -1);
}

static void one_in_memory_leaves_no_file(void **state)
{
	struct lk_outbox *o, *other;

	(void)state;
	err.text[0] = '\0';
	assert_int_equal(lk_outbox_open(NULL, "calsaws", &o, &err), 0);
	assert_string_equal(err.text, ""); /* nothing is complained of that went well */
	assert_int_equal(lk_outbox_open(NULL, "calsaws", &other, &err), 0);
	assert_int_equal(state_of(o).last, 0);
	assert_string_not_equal(state_of(o).epoch, state_of(other).epoch);
	assert_int_equal(access(path, F_OK), -1);
	lk_outbox_close(other);
	lk_outbox_close(o);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(what_was_appended_is_there_after_reopening),
		TEST(an_empty_outbox_says_first_is_last_plus_one),
		TEST(the_same_event_again_is_the_same_number),
		TEST(another_source_is_refused),
		TEST(nonsense_is_refused),
		TEST(a_second_holder_is_refused),
		TEST(nothing_above_safe_or_unacknowledged_is_deleted),
		TEST(refusals_are_kept_with_the_event_id),
		TEST(a_new_epoch_numbers_what_is_kept_from_one),
		TEST(a_batch_is_kept_whole_or_not_at_all),
		TEST(memory_that_runs_out_leaves_nothing_open),
		TEST(a_damaged_event_is_noticed),
		TEST(a_newer_or_foreign_file_is_refused),
		TEST(a_file_of_another_layout_is_refused_with_what_to_do),
		TEST(only_the_owner_may_read_it),
		TEST(a_file_that_is_not_there_is_not_made_without_a_source),
		TEST(one_in_memory_leaves_no_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
