/* test_blocks.c - the table of notices is one like any other, though its rows lie in blocks.
 *
 * In: random rows and statements, on the table and on a plain one beside it. Out: the same rows in both, after each of them.
 * Promise: so it is, too, after a rollback and from another connection; damaged bytes are read within their bounds, and cost
 * no more than they must.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store/internal.h"
#include "store/notice_table.h"

static uint32_t dice_state;

static uint32_t dice(uint32_t sides)
{
	dice_state = dice_state * 1664525u + 1013904223u;
	return (dice_state >> 8) % sides;
}

/* ---- Two tables ------------------------------------------------------------------------------ */

#define COLUMNS "serial, number, id, rev, marks, own_case, other_case, told_at, ledger, sum, body"

struct twins {
	sqlite3 *db;
	struct blocks blocks;
};

static void run(sqlite3 *db, const char *sql)
{
	char *why = NULL;

	if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK)
		fail_msg("%s: %s", sql, why);
}

static int64_t asked(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *statement;
	int64_t answer;

	if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(db));
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	answer = sqlite3_column_int64(statement, 0);
	(void)sqlite3_finalize(statement);
	return answer;
}

static int begin(void **state)
{
	struct twins *t = calloc(1, sizeof(*t));

	dice_state = 7;
	assert_int_equal(sqlite3_open(":memory:", &t->db), SQLITE_OK);
	run(t->db,
	    "CREATE TABLE notice_block (first INTEGER PRIMARY KEY, bytes BLOB NOT NULL) STRICT;"
	    "CREATE TABLE plain (serial INTEGER PRIMARY KEY, number, id, rev, marks, own_case, other_case, "
	    "told_at, ledger, sum, body)");
	assert_int_equal(notice_table_declare(t->db), SQLITE_OK);
	assert_int_equal(blocks_open(&t->blocks, t->db), SQLITE_OK);
	*state = t;
	return 0;
}

static int end(void **state)
{
	struct twins *t = *state;

	blocks_close(&t->blocks);
	assert_int_equal(sqlite3_close(t->db), SQLITE_OK);
	free(t);
	return 0;
}

static void are_twins(sqlite3 *db)
{
	assert_int_equal(
		asked(db, "SELECT count(*) FROM (SELECT * FROM notice EXCEPT SELECT * FROM plain)"),
		0);
	assert_int_equal(
		asked(db, "SELECT count(*) FROM (SELECT * FROM plain EXCEPT SELECT * FROM notice)"),
		0);
	assert_int_equal(asked(db, "SELECT count(*) FROM notice"),
			 asked(db, "SELECT count(*) FROM plain"));
	/* In order, without that anybody sorts. */
	assert_int_equal(
		asked(db,
		      "SELECT count(*) FROM (SELECT serial, lag(serial) OVER () AS before FROM notice) "
		      "WHERE serial <= before"),
		0);
}

static void put_one(sqlite3 *db, int64_t serial)
{
	char *sql = sqlite3_mprintf(
		"INSERT OR IGNORE INTO plain SELECT %lld, (abs(random() %% 20) + 1 << 32) + abs(random() %% 1000), randomblob(16), "
		"1 + abs(random() %% 3), abs(random() %% 100000), CASE random() & 3 WHEN 0 THEN NULL ELSE 1 + abs(random() %% 5000) END, "
		"NULL, 1772409624000000 + random() %% 1000000000, CASE random() & 1 WHEN 0 THEN NULL ELSE 1 + abs(random() %% 9999) END, "
		"random() & 2147483647, randomblob(abs(random() %% 60));"
		"INSERT INTO notice SELECT * FROM plain WHERE serial = %lld AND NOT EXISTS (SELECT 1 FROM notice WHERE serial = %lld)",
		serial, serial, serial);

	run(db, sql);
	sqlite3_free(sql);
}

/* On both. */
static void run_twice(sqlite3 *db, const char *sql, int64_t serial)
{
	static const char *const tables[] = { "notice", "plain" };

	for (size_t i = 0; i < 2; i++) {
		char *once = sqlite3_mprintf(sql, tables[i], serial, serial, serial);

		run(db, once);
		sqlite3_free(once);
	}
}

static const char *const changes[] = {
	"DELETE FROM %s WHERE serial = %lld",
	"DELETE FROM %s WHERE serial > %lld AND serial < %lld + 9",
	"DELETE FROM %s WHERE serial >= %lld AND serial <= %lld + 200",
	"UPDATE %s SET body = x'0102', ledger = NULL, marks = 3, own_case = NULL WHERE serial = %lld",
	"UPDATE %s SET rev = rev + 1, body = zeroblob(3 + %lld %% 50) WHERE serial > %lld - 40 AND serial < %lld",
	"UPDATE %s SET serial = serial + (SELECT max(serial) FROM plain) WHERE serial = %lld",
	"UPDATE %s SET number = number + 1, ledger = ledger + 3, told_at = -told_at WHERE serial = %lld",
	"UPDATE %s SET other_case = 9223372036854775807, rev = -1, told_at = -9223372036854775807 WHERE serial = %lld",
	"DELETE FROM %s WHERE serial & 3 = %lld & 3 AND serial < %lld",
};
#define CHANGES (sizeof(changes) / sizeof(changes[0]))

static void it_says_what_a_plain_table_says(void **state)
{
	struct twins *t = *state;

	for (int i = 0; i < 500; i++) {
		int64_t last = asked(t->db, "SELECT coalesce(max(serial), 0) FROM plain");
		int64_t some = 1 + dice(last < 600 ? (uint32_t)last + 1 : 600);
		bool is_taken_back = dice(4) == 0;

		run(t->db, dice(2) == 0 ? "BEGIN" : "SAVEPOINT one");
		for (uint32_t n = dice(12); n > 0; n--)
			put_one(t->db, dice(3) == 0 ? some + n : last + n);
		if (dice(3) == 0)
			run_twice(t->db, changes[dice(CHANGES - (i % 50 != 0))], some);
		if (is_taken_back)
			run(t->db, sqlite3_get_autocommit(t->db) != 0 ? "" : "ROLLBACK");
		else
			run(t->db, "COMMIT");
		if (i % 25 == 0 || is_taken_back)
			are_twins(t->db);
	}
	are_twins(t->db);
	assert_true(asked(t->db, "SELECT count(*) FROM notice_block") > 5);
}

static void a_row_is_there_once(void **state)
{
	struct twins *t = *state;

	put_one(t->db, 5);
	put_one(t->db, 9);
	assert_int_equal(sqlite3_exec(t->db,
				      "INSERT INTO notice SELECT * FROM plain WHERE serial = 9",
				      NULL, NULL, NULL),
			 SQLITE_CONSTRAINT);
	assert_int_equal(sqlite3_exec(t->db, "UPDATE notice SET serial = 5 WHERE serial = 9", NULL,
				      NULL, NULL),
			 SQLITE_CONSTRAINT);
	are_twins(t->db);
}

/* ---- At the end ------------------------------------------------------------------------------ */

static struct shelf a_shelf(int64_t first, uint32_t n, uint32_t body)
{
	static const char words[] =
		"the status has changed, and changed again since it was said last time";
	struct shelf shelf = { .first = first,
			       .n = n,
			       .at = calloc(n, sizeof(struct fresh_notice)) };

	for (uint32_t i = 0; i < n; i++) {
		struct fresh_notice *row = &shelf.at[i];

		row->serial = first + i;
		row->number = ((int64_t)(1 + dice(40)) << SEQ_BITS) + 1 + dice(5000);
		row->rev = 1;
		row->marks = 75776 + dice(3);
		row->own_case = 1 + dice(9000);
		row->told_at = 1772409624000000 + i / 16;
		row->ledger = dice(2) != 0 ? first + i : 0;
		row->sum = dice(1u << 24);
		for (int b = 0; b < LK_DIGEST; b++)
			row->id[b] = (uint8_t)dice(256);
		row->body = (struct piece){ shelf.bytes.len, body > 0 ? body : 30 + dice(30) };
		for (uint32_t b = 0; b < row->body.len; b++) {
			uint8_t letter = body > 0 ? (uint8_t)dice(256) : (uint8_t)words[b];

			lk_bytes_add(&shelf.bytes, &letter, 1);
		}
	}
	return shelf;
}

static void shelf_free(struct shelf *shelf)
{
	free(shelf->at);
	lk_bytes_free(&shelf->bytes);
}

static void are_those(struct blocks *all, const struct shelf *shelf)
{
	for (uint32_t i = 0; i < shelf->n; i++) {
		struct fresh_notice *want = &shelf->at[i], got;
		struct block *b;

		assert_int_equal(blocks_get(all, BLOCKS_AT, want->serial, &b), SQLITE_OK);
		assert_non_null(b);
		got = b->at[block_find(b, want->serial)];
		assert_memory_equal(b->bodies.at + got.body.at, shelf->bytes.at + want->body.at,
				    want->body.len);
		got.body = want->body;
		assert_memory_equal(&got, want, sizeof(got));
		blocks_give(all, b);
	}
}

/* However few at a time. */
static void blocks_are_filled(void **state)
{
	static const uint32_t at_a_time[] = { 1, 2, 7, 60, 1000 };
	struct twins *t = *state;

	for (size_t i = 0; i < sizeof(at_a_time) / sizeof(at_a_time[0]); i++) {
		int64_t first = 1;

		run(t->db, "DELETE FROM notice_block");
		while (first < 2000) {
			struct shelf shelf = a_shelf(first, at_a_time[i], 0);

			assert_int_equal(blocks_append(&t->blocks, &shelf, 0), SQLITE_OK);
			are_those(&t->blocks, &shelf);
			first += shelf.n;
			shelf_free(&shelf);
		}
		assert_int_equal(asked(t->db, "SELECT count(*) FROM notice"), first - 1);
		assert_true(asked(t->db, "SELECT max(length(bytes)) FROM notice_block") <= 2016);
		assert_true(
			asked(t->db,
			      "SELECT avg(length(bytes)) FROM notice_block WHERE first < 1900") >
			1900);
	}
}

static void a_long_notice_has_a_block_of_its_own(void **state)
{
	struct twins *t = *state;
	struct shelf shelf = a_shelf(1, 6, 6000), few = a_shelf(7, 6, 0);

	assert_int_equal(blocks_append(&t->blocks, &shelf, 0), SQLITE_OK);
	assert_int_equal(blocks_append(&t->blocks, &few, 0), SQLITE_OK);
	are_those(&t->blocks, &shelf);
	are_those(&t->blocks, &few);
	assert_int_equal(asked(t->db, "SELECT count(*) FROM notice_block"), 7);
	shelf_free(&shelf);
	shelf_free(&few);
}

static void a_long_notice_leaves_no_large_block_behind(void **state)
{
	struct twins *t = *state;
	struct shelf shelf = a_shelf(1, 20, 60000);

	assert_int_equal(blocks_append(&t->blocks, &shelf, 0), SQLITE_OK);
	are_those(&t->blocks, &shelf);
	shelf_free(&shelf);
	shelf = a_shelf(21, 60, 0);
	assert_int_equal(blocks_append(&t->blocks, &shelf, 0), SQLITE_OK);
	are_those(&t->blocks, &shelf);
	shelf_free(&shelf);
	assert_true(t->blocks.idle_n > 0);
	for (uint32_t i = 0; i < t->blocks.idle_n; i++)
		assert_true(block_room(t->blocks.idle[i]) <= 65536);
}

/* What was unpacked before is not what is there now. */
static void another_connection_and_a_rollback_are_seen(void **state)
{
	struct twins *t = *state;
	struct shelf shelf = a_shelf(1, 20, 0);

	run(t->db, "BEGIN");
	assert_int_equal(blocks_append(&t->blocks, &shelf, 0), SQLITE_OK);
	run(t->db, "ROLLBACK");
	assert_int_equal(asked(t->db, "SELECT count(*) FROM notice"), 0);
	assert_int_equal(blocks_append(&t->blocks, &shelf, 0), SQLITE_OK);
	run(t->db, "DELETE FROM notice WHERE serial = 20");
	assert_int_equal(blocks_append(&t->blocks, &shelf, 19), SQLITE_OK);
	are_those(&t->blocks, &shelf);
	assert_int_equal(blocks_append(&t->blocks, &shelf, 19), SQLITE_CONSTRAINT_ROWID);
	shelf_free(&shelf);
}

static void what_was_all_of_a_block_comes_back_with_a_rollback(void **state)
{
	struct twins *t = *state;

	put_one(t->db, 1);
	put_one(t->db, 2);
	run(t->db, "BEGIN; DELETE FROM notice WHERE serial = 1; DELETE FROM notice; ROLLBACK");
	are_twins(t->db);
}

/* ---- Damage ---------------------------------------------------------------------------------- */

/* Of its own, to its last byte. */
static void is_unpacked(struct block *b, const uint8_t *bytes, size_t len)
{
	uint8_t *own = malloc(len > 0 ? len : 1);

	assert_non_null(own);
	memcpy(own, bytes, len);
	assert_true(block_unpack(b, 1, own, len));
	free(own);
	for (uint32_t i = 0; i < b->n; i++)
		assert_true(b->at[i].body.at + b->at[i].body.len <= b->bodies.len);
}

static size_t wrong_names(const struct block *b, const struct shelf *shelf)
{
	size_t n = 0;

	for (uint32_t i = 0; i < shelf->n; i++)
		n += i >= b->n || b->at[i].serial != shelf->at[i].serial ||
		     b->at[i].number != shelf->at[i].number ||
		     b->at[i].own_case != shelf->at[i].own_case ||
		     memcmp(b->at[i].id, shelf->at[i].id, LK_DIGEST) != 0;
	return n;
}

/* Wherever it is, what it takes to bury the others is there. Only numbers of which one becomes longer or shorter move on. */
static void a_flipped_bit_is_read_within_bounds(void **state)
{
	struct twins *t = *state;
	struct shelf shelf = a_shelf(1, 30, 0);
	struct block *b, *other = calloc(1, sizeof(*other));
	size_t costly = 0, squeezed;

	assert_int_equal(blocks_append(&t->blocks, &shelf, 0), SQLITE_OK);
	assert_int_equal(blocks_get(&t->blocks, BLOCKS_AT, 1, &b), SQLITE_OK);
	squeezed = 2 + 30 * (LK_DIGEST + 4 + 1 + 2 + 2 + 1);
	for (size_t bit = 0; bit < 8 * b->packed.len; bit++) {
		b->packed.at[bit / 8] ^= (uint8_t)(1u << bit % 8);
		is_unpacked(other, b->packed.at, b->packed.len);
		if (bit / 8 >= squeezed)
			assert_int_equal(wrong_names(other, &shelf), 0);
		else
			costly += wrong_names(other, &shelf) > 1;
		b->packed.at[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	assert_true(costly < squeezed);
	for (size_t len = 0; len < b->packed.len; len++)
		is_unpacked(other, b->packed.at, len);
	block_free(other);
	blocks_give(&t->blocks, b);
	shelf_free(&shelf);
}

static void what_cannot_be_read_is_one_row_that_can_go(void **state)
{
	struct twins *t = *state;

	for (int64_t i = 1; i < 10; i++)
		put_one(t->db, i);
	for (int64_t i = 100; i < 110; i++)
		put_one(t->db, i);
	run(t->db, "UPDATE notice_block SET bytes = zeroblob(length(bytes)) WHERE first = 4");
	run(t->db, "DELETE FROM plain WHERE serial = 4");
	assert_int_equal(asked(t->db, "SELECT count(*) FROM notice"), 19);
	assert_int_equal(
		asked(t->db,
		      "SELECT serial FROM notice WHERE number IS NULL AND id IS NULL AND body IS NULL"),
		4);
	assert_int_equal(
		asked(t->db, "SELECT count(*) FROM notice WHERE serial = 4 AND number = 0"), 0);
	run(t->db, "DELETE FROM notice WHERE serial = 4");
	are_twins(t->db);
}

/* Nor is it taken for one of that number that went. */
static void a_row_without_bytes_is_one_that_cannot_be_read(void **state)
{
	struct twins *t = *state;

	put_one(t->db, 4);
	run(t->db, "DELETE FROM notice");
	run(t->db, "INSERT INTO notice_block (first, bytes) VALUES (4, x'')");
	for (int i = 0; i < 2; i++)
		assert_int_equal(asked(t->db, "SELECT serial FROM notice WHERE number IS NULL"), 4);
	run(t->db, "DELETE FROM notice");
	assert_int_equal(asked(t->db, "SELECT count(*) FROM notice_block"), 0);
}

int main(void)
{
#define WITH_TWINS(test) cmocka_unit_test_setup_teardown(test, begin, end)
	const struct CMUnitTest tests[] = {
		WITH_TWINS(it_says_what_a_plain_table_says),
		WITH_TWINS(a_row_is_there_once),
		WITH_TWINS(blocks_are_filled),
		WITH_TWINS(a_long_notice_has_a_block_of_its_own),
		WITH_TWINS(a_long_notice_leaves_no_large_block_behind),
		WITH_TWINS(another_connection_and_a_rollback_are_seen),
		WITH_TWINS(what_was_all_of_a_block_comes_back_with_a_rollback),
		WITH_TWINS(a_flipped_bit_is_read_within_bounds),
		WITH_TWINS(what_cannot_be_read_is_one_row_that_can_go),
		WITH_TWINS(a_row_without_bytes_is_one_that_cannot_be_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
