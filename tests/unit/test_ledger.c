/* test_ledger.c - a ledger that was touched is found out, whatever was done to it.
 *
 * In: real files, meddled with between two openings. Out: verdicts. Promise: each kind of offence is planted: edit, insert,
 * delete, reorder, truncation, each by somebody careless and by somebody who writes the chain anew.
 */
#include "folder.h"
#include "good.h"

#include <fcntl.h>
#include <sodium.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "store/store.h"

#define ROWS 9

/* The system's, but the same at each run: of a link of which two bytes are kept, one wrong in 65,536 would pass for right. */
ssize_t getrandom(void *out, size_t len, unsigned flags)
{
	(void)flags;
	memset(out, 7, len);
	return (ssize_t)len;
}

struct book {
	char directory[FOLDER_MAX];
	struct store *store;
};

static void book_open(struct book *book)
{
	const struct store_options options = { .directory = book->directory };

	GOOD(store_open(&options, &book->store, &err));
}

static void book_close(struct book *book)
{
	store_close(book->store);
	book->store = NULL;
}

static void write_rows(struct store *s, int n)
{
	GOOD(store_begin(s, &err));
	for (int i = 1; i <= n; i++) {
		char basis[40];
		struct ledger_row row = { .at = i, .worker = LK_TEXT("w1"), .level = LK_REGISTRY };

		(void)snprintf(basis, sizeof(basis), "basis %d", i);
		row.basis = lk_text_of(basis);
		GOOD(store_ledger_add(s, &row, &err));
	}
	GOOD(store_commit(s, &err));
}

static int begin(void **state)
{
	struct book *book = calloc(1, sizeof(*book));

	folder_make(book->directory, "ledger");
	book_open(book);
	write_rows(book->store, ROWS);
	book_close(book);
	*state = book;
	return 0;
}

static int end(void **state)
{
	struct book *book = *state;

	store_close(book->store);
	folder_remove(book->directory);
	free(book);
	return 0;
}

static char *path_of(const struct book *book, const char *name)
{
	static char path[400];

	(void)snprintf(path, sizeof(path), "%s/%s", book->directory, name);
	return path;
}

static void meddle(const struct book *book, const char *sql)
{
	sqlite3 *db;
	char *why = NULL;

	assert_int_equal(sqlite3_open(path_of(book, "linkages.db"), &db), SQLITE_OK);
	if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK)
		fail_msg("%s: %s", sql, why);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static int64_t ask(const struct book *book, const char *sql)
{
	sqlite3 *db;
	sqlite3_stmt *row;
	int64_t answer;

	assert_int_equal(sqlite3_open(path_of(book, "linkages.db"), &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &row, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(row), SQLITE_ROW);
	answer = sqlite3_column_int64(row, 0);
	(void)sqlite3_finalize(row);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	return answer;
}

static void number_add(struct lk_bytes *b, int64_t value)
{
	for (unsigned i = 0; i < 8; i++)
		lk_bytes_add(b, &(uint8_t){ (uint8_t)((uint64_t)value >> (8 * i)) }, 1);
}

/* One row's link, by the description in ledger.c alone. Columns: number, at, first_seq, last_seq, level; name, session,
 * basis; seal, secret. */
static void link_make(sqlite3_stmt *row, uint8_t chain[LK_DIGEST])
{
	struct lk_bytes bytes = { 0 };
	uint8_t digest[LK_DIGEST], salts[64][12];

	lk_bytes_add(&bytes, sqlite3_column_blob(row, 8), (size_t)sqlite3_column_bytes(row, 8));
	if (sqlite3_column_type(row, 9) != SQLITE_NULL) {
		randombytes_buf_deterministic(salts, sizeof(salts), sqlite3_column_blob(row, 9));
		lk_bytes_add(&bytes, salts[(sqlite3_column_int64(row, 0) - 1) % 64], 12);
	}
	for (int i = 1; i < 5; i++)
		number_add(&bytes, sqlite3_column_int64(row, i));
	for (int i = 5; i < 8; i++) {
		bool given = sqlite3_column_type(row, i) != SQLITE_NULL;

		number_add(&bytes, given ? sqlite3_column_bytes(row, i) : -1);
		if (given)
			lk_bytes_add(&bytes, sqlite3_column_text(row, i),
				     (size_t)sqlite3_column_bytes(row, i));
	}
	lk_digest(bytes.at, bytes.len, NULL, digest);
	lk_bytes_clear(&bytes);
	lk_bytes_add(&bytes, chain, LK_DIGEST);
	number_add(&bytes, sqlite3_column_int64(row, 0));
	lk_bytes_add(&bytes, digest, LK_DIGEST);
	lk_digest(bytes.at, bytes.len, NULL, chain);
	lk_bytes_free(&bytes);
}

/* As somebody who knows how the chain is made: every row that says something gets the digest and chain that fit it. */
static void chain_anew(struct book *book)
{
	static const char *const select =
		"SELECT number, at, first_seq, last_seq, level, worker_name, session, basis, seal, "
		"iif(seal IS NULL, secret, NULL) "
		"FROM ledger_row WHERE reader IS NOT NULL ORDER BY number";
	uint8_t chain[LK_DIGEST] = { 0 };
	sqlite3_stmt *row, *put;
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path_of(book, "linkages.db"), &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, select, -1, &row, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, "UPDATE ledger SET chain = ?2 WHERE number = ?1",
					    -1, &put, NULL),
			 SQLITE_OK);
	while (sqlite3_step(row) == SQLITE_ROW) {
		link_make(row, chain);
		(void)sqlite3_bind_int64(put, 1, sqlite3_column_int64(row, 0));
		(void)sqlite3_bind_blob(put, 2, chain, LK_DIGEST, SQLITE_STATIC);
		assert_int_equal(sqlite3_step(put), SQLITE_DONE);
		(void)sqlite3_reset(put);
	}
	(void)sqlite3_finalize(row);
	(void)sqlite3_finalize(put);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* The whole check, a few rows a step, against the mark that was found. */
static struct ledger_check verdict(struct book *book)
{
	struct ledger_check check = { .known_n = 0 };
	struct store_mark mark;
	int rc;

	store_mark_found(book->store, &mark);
	if (mark.state != MARK_NONE && mark.state != MARK_UNREAD) {
		check.known = &mark.head;
		check.known_n = 1;
	}
	while ((rc = store_ledger_check(book->store, &check, 4, &err)) == 1)
		continue;
	GOOD(rc);
	check.known = NULL;
	return check;
}

static void is_broken(struct book *book, int64_t number, const char *why,
		      enum store_mark_state mark)
{
	struct ledger_check check;
	struct store_mark found;

	book_open(book);
	check = verdict(book);
	store_mark_found(book->store, &found);
	if (check.broken != number || strstr(check.why, why) == NULL)
		fail_msg("row %lld, not %lld: %s", (long long)check.broken, (long long)number,
			 check.why);
	assert_int_equal(found.state, mark);
	book_close(book);
}

static void a_sound_ledger_is_sound(void **state)
{
	struct book *book = *state;

	for (int again = 0; again < 2; again++) {
		book_open(book);
		struct ledger_check check = verdict(book);
		struct store_mark found;

		store_mark_found(book->store, &found);
		assert_int_equal(check.broken, 0);
		assert_int_equal(check.at.number, again == 0 ? ROWS : 2 * ROWS);
		assert_int_equal(found.state, MARK_HOLDS);
		assert_int_equal(found.head.number, check.at.number);
		if (again == 0)
			write_rows(book->store, ROWS);
		book_close(book);
	}
}

static void an_empty_ledger_is_sound(void **state)
{
	struct store_options options = { .directory = NULL };
	struct ledger_check check = { .known_n = 0 };
	struct store *s;

	(void)state;
	GOOD(store_open(&options, &s, &err));
	assert_int_equal(store_ledger_check(s, &check, 10, &err), 0);
	assert_int_equal(check.broken, 0);
	store_close(s);
}

/* What somebody does to the file, in two hands: careless, and with the chain made to fit. */
static const struct offence {
	const char *sql;
	int64_t broken; /* by the careless hand */
	const char *why;
	int64_t broken_anew; /* where the chain was written anew */
	const char *why_anew;
	enum store_mark_state mark, mark_anew;
} offences[] = {
	{ "UPDATE ledger SET basis = 'consent cws-cms/e9' WHERE number = 4", 4,
	  "not the one that was written", ROWS, "written anew", MARK_HOLDS, MARK_REWRITTEN },
	{ "UPDATE ledger SET seal = zeroblob(12) WHERE number = 1", 1,
	  "not the one that was written", ROWS, "written anew", MARK_HOLDS, MARK_REWRITTEN },
	{ "DELETE FROM ledger WHERE number = 5", 5, "missing", 5, "missing", MARK_HOLDS,
	  MARK_REWRITTEN },
	{ "DELETE FROM ledger WHERE number = 5; UPDATE ledger SET number = number - 1 WHERE number > 5",
	  5, "not the one that was written", ROWS, "is missing: the head kept outside is further",
	  MARK_BEHIND, MARK_BEHIND },
	{ "UPDATE ledger SET number = -7 WHERE number = 7; UPDATE ledger SET number = 7 WHERE number = 8;"
	  "UPDATE ledger SET number = 8 WHERE number = -7",
	  7, "not the one that was written", ROWS, "written anew", MARK_HOLDS, MARK_REWRITTEN },
	{ "UPDATE ledger SET number = -number WHERE number > 3; UPDATE ledger SET number = 1 - number WHERE number < 0;"
	  "INSERT INTO ledger SELECT 4, at, reader, session, first_seq, last_seq, level, basis, ground, seal, chain "
	  "FROM ledger WHERE number = 3",
	  4, "not the one that was written", ROWS, "written anew", MARK_REWRITTEN, MARK_REWRITTEN },
	{ "DELETE FROM ledger WHERE number > 6", 7, "is missing: the head kept outside is further",
	  7, "is missing: the head kept outside is further", MARK_BEHIND, MARK_BEHIND },
	{ "DELETE FROM ledger", 1, "is missing: the head kept outside is further", 1,
	  "is missing: the head kept outside is further", MARK_BEHIND, MARK_BEHIND },
	{ "UPDATE ledger SET at = NULL, reader = NULL, session = NULL, first_seq = NULL, last_seq = NULL, level = NULL, "
	  "basis = NULL, ground = NULL WHERE number = 2",
	  2, "no order took it away", 2, "no order took it away", MARK_HOLDS, MARK_REWRITTEN },
};

static void every_offence_is_found(void **state)
{
	struct book *book = *state;
	char keep[1024], back[1024];

	(void)snprintf(keep, sizeof(keep), "cp -a %s/. %s.kept", book->directory, book->directory);
	(void)snprintf(back, sizeof(back), "cp -a %s.kept/. %s", book->directory, book->directory);
	assert_int_equal(system(keep), 0);
	for (size_t i = 0; i < sizeof(offences) / sizeof(offences[0]); i++) {
		const struct offence *o = &offences[i];

		meddle(book, o->sql);
		is_broken(book, o->broken, o->why, o->mark);
		assert_int_equal(system(back), 0);
		meddle(book, o->sql);
		chain_anew(book);
		is_broken(book, o->broken_anew, o->why_anew, o->mark_anew);
		assert_int_equal(system(back), 0);
	}
	book_open(book);
	assert_int_equal(verdict(book).broken, 0);
	(void)snprintf(keep, sizeof(keep), "rm -r %s.kept", book->directory);
	assert_int_equal(system(keep), 0);
}

static int count_said(void *context, const struct ledger_row *row)
{
	int *said = context;

	*said += lk_text_given(row->worker);
	return 0;
}

/* The last place of a telling is its first one, and left out. A row that was handed out is found by its last place: without
 * it, who was shown the notice would not be told. */
static void a_row_that_was_handed_out_keeps_its_last_place(void **state)
{
	struct book *book = *state;
	const struct ledger_row told = { .at = 1,
					 .worker = LK_TEXT("w1"),
					 .from = 5,
					 .upto = 5,
					 .level = LK_REGISTRY,
					 .basis = LK_TEXT("WIC 18961.5") };
	struct ledger_row handed = told;
	int said = 0;

	handed.session = LK_TEXT("s1");
	book_open(book);
	GOOD(store_begin(book->store, &err));
	GOOD(store_ledger_add(book->store, &told, &err));
	GOOD(store_ledger_add(book->store, &handed, &err));
	GOOD(store_commit(book->store, &err));
	GOOD(store_ledger_of(book->store, LK_TEXT("w1"), 5, count_said, &said, &err));
	assert_int_equal(said, 1);
	assert_int_equal(verdict(book).broken, 0);
	book_close(book);
	assert_int_equal(ask(book, "SELECT sum(number) FROM ledger WHERE last_seq IS NULL"),
			 ROWS * (ROWS + 1) / 2 + ROWS + 1);
	meddle(book, "UPDATE ledger SET last_seq = NULL");
	is_broken(book, ROWS + 2, "not the one that was written", MARK_HOLDS);
}

/* Rows were added and the chain fits, as a daemon would have: only a head from later tells. */
static void an_older_mark_is_believed_as_far_as_it_goes(void **state)
{
	struct book *book = *state;
	char old[200] = "";
	int fd = open(path_of(book, "linkages.mark"), O_RDWR);
	ssize_t len = pread(fd, old, sizeof(old), 0);
	struct ledger_check check;
	struct store_mark found;

	book_open(book);
	write_rows(book->store, 3);
	book_close(book);
	assert_int_equal(pwrite(fd, old, (size_t)len, 0), len);
	book_open(book);
	check = verdict(book);
	store_mark_found(book->store, &found);
	assert_int_equal(found.state, MARK_HOLDS);
	assert_int_equal(found.head.number, ROWS);
	assert_int_equal(check.broken, 0);
	assert_int_equal(check.at.number, ROWS + 3);
	book_close(book);
	assert_int_equal(pwrite(fd, "x", 1, 30), 1);
	(void)close(fd);
	book_open(book);
	store_mark_found(book->store, &found);
	assert_int_equal(found.state, MARK_UNREAD);
}

/* Salts and clear fields go, the chain still holds; and a second order finds nothing left of the first. */
static void an_order_takes_rows_away(void **state)
{
	struct book *book = *state;
	const struct ledger_row order = { .at = 99,
					  .worker = LK_TEXT("keeper"),
					  .level = LK_OWN,
					  .basis = LK_TEXT("expunged: order 12-3") };
	int64_t first[] = { 2, 3, 7 }, second[] = { 3, 8 }, gone;
	int said = 0;

	book_open(book);
	GOOD(store_begin(book->store, &err));
	GOOD(store_ledger_expunge(book->store, &order, first, 3, &gone, &err));
	assert_int_equal(gone, 3);
	GOOD(store_ledger_expunge(book->store, &order, second, 2, &gone, &err));
	assert_int_equal(gone, 1);
	GOOD(store_commit(book->store, &err));
	struct ledger_check check = verdict(book);
	assert_int_equal(check.broken, 0);
	assert_int_equal(check.expunged, 4);
	GOOD(store_ledger_after(book->store, 0, 100, count_said, &said, &err));
	assert_int_equal(said, ROWS - 4 + 2);
	book_close(book);
	meddle(book, "DELETE FROM ledger_expunged WHERE number = 7");
	is_broken(book, 7, "no order took it away", MARK_HOLDS);
	meddle(book, "INSERT INTO ledger_expunged VALUES (10, 7)");
	book_open(book);
	assert_int_equal(verdict(book).broken, 0);
	book_close(book);
	meddle(book, "UPDATE ledger_expunged SET by_row = 11 WHERE number = 7");
	is_broken(book, 10, "other rows", MARK_HOLDS);
}

/* Salts of a block follow from one secret, until a row of it is expunged: nobody can make that row's salt again, and all
 * others keep theirs. Of a commit, the last row keeps its whole link. */
static void a_secret_goes_with_the_first_row_that_is_expunged(void **state)
{
	struct book *book = *state;
	const struct ledger_row order = { .at = 99,
					  .worker = LK_TEXT("keeper"),
					  .level = LK_OWN,
					  .basis = LK_TEXT("expunged: order 12-3") };
	int64_t numbers[] = { 70, 200 }, gone;

	book_open(book);
	write_rows(book->store, 200 - ROWS);
	book_close(book);
	assert_int_equal(ask(book, "SELECT count(*) FROM ledger WHERE seal IS NULL"), 200);
	assert_int_equal(ask(book, "SELECT count(*) FROM ledger_secret"), 4);
	assert_int_equal(ask(book, "SELECT sum(number) FROM ledger WHERE length(chain) = 16"),
			 ROWS + 200);
	book_open(book);
	GOOD(store_begin(book->store, &err));
	GOOD(store_ledger_expunge(book->store, &order, numbers, 2, &gone, &err));
	assert_int_equal(gone, 2);
	store_rollback(book->store);
	write_rows(book->store, 1);
	GOOD(store_begin(book->store, &err));
	GOOD(store_ledger_expunge(book->store, &order, numbers, 2, &gone, &err));
	GOOD(store_commit(book->store, &err));
	write_rows(book->store, 100);
	assert_int_equal(verdict(book).broken, 0);
	book_close(book);
	assert_int_equal(ask(book, "SELECT sum(block) FROM ledger_secret"), 0 + 2 + 4);
	assert_int_equal(ask(book, "SELECT count(*) FROM ledger WHERE seal IS NULL"),
			 64 + 64 + 302 - 256);
	assert_int_equal(ask(book, "SELECT count(*) FROM ledger WHERE length(seal) = 16"), 2);
	meddle(book, "UPDATE ledger SET basis = 'another' WHERE number = 69");
	is_broken(book, 69, "not the one that was written", MARK_HOLDS);
}

static int note_reader(void *context, const struct ledger_row *row)
{
	(void)snprintf(context, 65, "%.*s", LK_PRINT(row->worker));
	return 0;
}

static void told_to(struct store *s, struct lk_text reader)
{
	const struct ledger_row row = { .worker = reader, .basis = LK_TEXT("asked") };

	GOOD(store_ledger_add(s, &row, &err));
}

/* Names that the order's own transaction gave out are nobody's after it: another has the same number by now. */
static void an_order_that_is_rolled_back_takes_its_names_along(void **state)
{
	struct book *book = *state;
	const struct case_key key = { LK_CWS, LK_TEXT("C-1") };
	const struct ledger_row order = { .worker = LK_TEXT("auditor"), .basis = LK_TEXT("order") };
	struct store_traces *traces;
	struct stored_struck struck;
	char reader[65] = "";

	book_open(book);
	GOOD(store_traces_open(book->store, &key, 1, &traces, &err));
	while (store_traces_find(traces, 100, &err) > 0)
		continue;
	GOOD(store_begin(book->store, &err));
	GOOD(store_traces_strike(traces, &order, &struck, &err));
	told_to(book->store, LK_TEXT("auditor"));
	store_rollback(book->store);
	store_traces_close(traces);
	GOOD(store_begin(book->store, &err));
	told_to(book->store, LK_TEXT("w2"));
	told_to(book->store, LK_TEXT("auditor"));
	GOOD(store_commit(book->store, &err));
	GOOD(store_ledger_after(book->store, ROWS + 1, 1, note_reader, reader, &err));
	assert_string_equal(reader, "auditor");
}

static void strike(struct store *s, const char *words)
{
	const struct case_key key = { LK_CWS, LK_TEXT("C-1") };
	const struct ledger_row order = { .worker = LK_TEXT("auditor"),
					  .basis = lk_text_of(words) };
	struct store_traces *traces;
	struct stored_struck struck;

	GOOD(store_traces_open(s, &key, 1, &traces, &err));
	while (store_traces_find(traces, 100, &err) > 0)
		continue;
	GOOD(store_begin(s, &err));
	GOOD(store_traces_strike(traces, &order, &struck, &err));
	GOOD(store_commit(s, &err));
	store_traces_close(traces);
}

/* As the order of a court on two families, whose cases it names: what it took away is accounted for by its own row. */
static void an_order_that_names_a_case_outlives_the_next(void **state)
{
	struct book *book = *state;
	struct ledger_check check = { 0 };
	struct store *s;

	book_open(book);
	s = book->store;
	GOOD(store_begin(s, &err));
	GOOD(store_ledger_add(s,
			      &(struct ledger_row){ .worker = LK_TEXT("auditor"),
						    .basis = LK_TEXT("asked: case C-1") },
			      &err));
	GOOD(store_commit(s, &err));
	strike(s, "expunged: order on C-1 and C-2");
	strike(s, "expunged: the same, once more");
	while (store_ledger_check(s, &check, 100, &err) > 0)
		continue;
	assert_int_equal(check.broken, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_sound_ledger_is_sound, begin, end),
		cmocka_unit_test(an_empty_ledger_is_sound),
		cmocka_unit_test_setup_teardown(every_offence_is_found, begin, end),
		cmocka_unit_test_setup_teardown(a_row_that_was_handed_out_keeps_its_last_place,
						begin, end),
		cmocka_unit_test_setup_teardown(an_older_mark_is_believed_as_far_as_it_goes, begin,
						end),
		cmocka_unit_test_setup_teardown(an_order_takes_rows_away, begin, end),
		cmocka_unit_test_setup_teardown(a_secret_goes_with_the_first_row_that_is_expunged,
						begin, end),
		cmocka_unit_test_setup_teardown(an_order_that_names_a_case_outlives_the_next, begin,
						end),
		cmocka_unit_test_setup_teardown(an_order_that_is_rolled_back_takes_its_names_along,
						begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
