/* test_recent.c - which events a case has, after some were struck out: the list is read again, whole, and filled on. And what
 * a roll is believed.
 *
 * In: a store in memory, cases that take turns. Out: the events of each case, and how far the list is believed.
 */
#include "good.h"

#include "daemon/store/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CASES 7
#define SAID 8192

struct listed {
	struct store *store;
	char said[CASES][SAID]; /* ids of the events of each, as they were added */
};

static int open_store(struct listed *l, int lag)
{
	const struct store_options options = { .lag = lag };

	return store_open(&options, &l->store, &err);
}

static int begin(void **state)
{
	*state = calloc(1, sizeof(struct listed));
	assert_non_null(*state);
	return open_store(*state, 40);
}

static int end(void **state)
{
	struct listed *l = *state;

	store_close(l->store);
	free(l);
	return 0;
}

static struct case_key case_of(int n, char room[16])
{
	(void)snprintf(room, 16, "C-%d", n);
	return (struct case_key){ LK_CWS, lk_text_of(room) };
}

static void add(struct listed *l, int n)
{
	char id[16], number[16];
	int kase = n % CASES;
	int64_t position;

	(void)snprintf(id, sizeof(id), "e%d", n);
	const struct stored_event e = { .agency = LK_CWS,
					.source = LK_TEXT("cws-cms"),
					.id = lk_text_of(id),
					.number = case_of(kase, number).number,
					.type = LK_CASE_CLOSED,
					.time_at = n,
					.body = "\xc0",
					.body_len = 1 };
	assert_int_equal(store_event_add(l->store, &e, &position, &err), 1);
	(void)sprintf(l->said[kase] + strlen(l->said[kase]), "%s ", id);
}

/* Three to a commit. */
static void add_some(struct listed *l, int from, int until)
{
	for (int n = from; n < until;) {
		GOOD(store_begin(l->store, &err));
		for (int last = n + 3; n < last && n < until; n++)
			add(l, n);
		GOOD(store_commit(l->store, &err));
	}
}

static void strike(struct listed *l, int kase)
{
	const struct ledger_row order = { .worker = LK_TEXT("auditor"),
					  .basis = LK_TEXT("expunged: order 1") };
	struct stored_struck struck;
	struct store_traces *traces;
	char number[16];
	struct case_key key = case_of(kase, number);
	int more = 1;

	GOOD(store_traces_open(l->store, &key, 1, &traces, &err));
	while (more > 0)
		more = store_traces_find(traces, 100, &err);
	GOOD(more);
	GOOD(store_begin(l->store, &err));
	GOOD(store_traces_strike(traces, &order, &struck, &err));
	GOOD(store_commit(l->store, &err));
	store_traces_close(traces);
	l->said[kase][0] = '\0';
}

static int see(void *context, const struct stored_event *e)
{
	char *said = context;

	(void)sprintf(said + strlen(said), "%.*s ", LK_PRINT(e->id));
	return 0;
}

static void expect_all(struct listed *l)
{
	for (int n = 0; n < CASES; n++) {
		static char said[SAID];
		char number[16];

		said[0] = '\0';
		GOOD(store_case_events(l->store, case_of(n, number), see, said, &err));
		assert_string_equal(said, l->said[n]);
	}
	GOOD(store_integrity(l->store, NULL, NULL, &err));
}

static int64_t believed(struct listed *l)
{
	int64_t upto = 0;

	assert_true(store_value_get(l->store, "event_case.upto", &upto, &err) >= 0);
	return upto;
}

static void the_list_is_filled_on_after_events_were_struck_out(void **state)
{
	struct listed *l = *state;

	add_some(l, 0, 60);
	strike(l, 3);
	add_some(l, 60, 600);
	assert_true(believed(l) > 400);
	expect_all(l);
}

/* Its position is not given again. */
static void also_where_the_last_event_was_struck_out(void **state)
{
	struct listed *l = *state;

	add_some(l, 0, 60);
	strike(l, 59 % CASES);
	add_some(l, 60, 600);
	assert_true(believed(l) > 400);
	expect_all(l);
}

static void what_came_first_after_that_may_be_rolled_back(void **state)
{
	struct listed *l = *state, before;

	add_some(l, 0, 60);
	strike(l, 59 % CASES);
	before = *l;
	GOOD(store_begin(l->store, &err));
	add(l, 60);
	add(l, 61);
	store_rollback(l->store);
	*l = before;
	expect_all(l);
	add_some(l, 60, 600);
	expect_all(l);
	assert_true(believed(l) > 400);
}

static int give_up(void *context)
{
	(void)context;
	return 1;
}

/* A part of it is none. */
static void a_list_that_was_not_read_whole_is_read_again(void **state)
{
	struct listed *l = *state;
	int failures = 0;

	store_close(l->store);
	assert_int_equal(open_store(l, 1000), 0);
	add_some(l, 0, 100);
	strike(l, 1);
	for (int steps = 20; steps < 1000; steps += 20) {
		char said[SAID] = "", number[16];

		sqlite3_progress_handler(l->store->db, steps, give_up, NULL);
		failures += store_case_events(l->store, case_of(2, number), see, said, &err) < 0;
		sqlite3_progress_handler(l->store->db, 0, NULL, NULL);
	}
	assert_true(failures > 5);
	expect_all(l);
}

/* ---- Of notices ------------------------------------------------------------------------------ */

static void tell(struct listed *l, const char *worker, int64_t rev)
{
	struct stored_notice n = { .worker = lk_text_of(worker), .rev = rev, .topic = -1 };
	struct lk_notice said;
	int64_t seq;

	lk_notice_clear(&said);
	said.rev = rev;
	said.to = n.worker;
	said.kind = n.kind;
	said.state = n.state = LK_NEW;
	n.said = &said;
	n.own = n.other = (struct case_key){ -1, LK_NO_TEXT };
	GOOD(store_notice_add(l->store, &n, &seq, &err));
}

static int count_notice(void *context, const struct stored_notice *n)
{
	assert_true(lk_text_says(n->worker, "jones"));
	++*(int *)context;
	return 0;
}

/* A roll leads into another's mailbox, to what was told a moment ago and is in memory. */
static void nobody_is_shown_what_another_was_told(void **state)
{
	struct listed *l = *state;
	int n = 0;

	for (int i = 0; i < 100; i++) {
		GOOD(store_begin(l->store, &err));
		tell(l, "jones", 1);
		tell(l, "garcia", 2);
		GOOD(store_commit(l->store, &err));
	}
	GOOD(store_notices_after(l->store, LK_TEXT("jones"), 0, 200, count_notice, &n, &err));
	assert_int_equal(n, 100);
	assert_int_equal(
		sqlite3_exec(
			l->store->db,
			"UPDATE roll SET (ids, serials) = (SELECT ids, serials FROM roll ORDER BY number DESC LIMIT 1)",
			NULL, NULL, NULL),
		SQLITE_OK);
	n = 0;
	assert_int_equal(store_notices_after(l->store, LK_TEXT("jones"), 0, 200, count_notice, &n,
					     &err),
			 LK_ESTORE);
	assert_non_null(strstr(err.text, "the notice at its place 1 is gone"));
	assert_int_equal(n, 0);
}

/* Half of a run, and its end: what a rollback takes back of it is moved again. */
static void what_was_moved_and_taken_back_is_moved_again(void **state)
{
	struct listed *l = *state;
	int told = 0, n = 0;

	for (int i = 0; i < 300; i++) {
		GOOD(store_begin(l->store, &err));
		tell(l, "garcia", 2);
		tell(l, i % 3 == 0 ? "jones" : "garcia", 1);
		GOOD(fresh_flush(l->store, &err));
		GOOD(mailboxes_flush(l->store, &err));
		GOOD(recent_flush(l->store, &err));
		if (i % 5 != 0)
			store_rollback(l->store);
		else
			GOOD(store_commit(l->store, &err));
		told += i % 5 == 0 && i % 3 == 0;
	}
	GOOD(store_notices_after(l->store, LK_TEXT("jones"), 0, 200, count_notice, &n, &err));
	assert_int_equal(n, told);
	struct store_check check = { 0 };
	while (store_check(l->store, &check, 50, &err) > 0)
		continue;
	assert_int_equal(check.damages, 0);
}

/* Most have gone, and few of long ago are left: what lies between them costs nothing. */
static void rolls_of_few_are_made_again_in_little_memory(void **state)
{
	struct listed *l = *state;
	int n = 0;

	for (int i = 0; i < 150; i++) {
		GOOD(store_begin(l->store, &err));
		tell(l, "jones", 1);
		tell(l, "garcia", 2);
		GOOD(store_commit(l->store, &err));
	}
	GOOD(store_begin(l->store, &err));
	assert_int_equal(sqlite3_exec(l->store->db,
				      "UPDATE notice SET serial = -serial;"
				      "UPDATE notice SET serial = -1000 * serial",
				      NULL, NULL, NULL),
			 SQLITE_OK);
	GOOD(recent_rebuild(l->store, RECENT_PLACES, &err));
	GOOD(store_commit(l->store, &err));
	assert_true(l->store->recent[RECENT_PLACES].room <= 1024);
	GOOD(store_notices_after(l->store, LK_TEXT("jones"), 0, 200, count_notice, &n, &err));
	assert_int_equal(n, 150);
}

int main(void)
{
#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, begin, end)
	const struct CMUnitTest tests[] = {
		WITH_STORE(the_list_is_filled_on_after_events_were_struck_out),
		WITH_STORE(also_where_the_last_event_was_struck_out),
		WITH_STORE(what_came_first_after_that_may_be_rolled_back),
		WITH_STORE(a_list_that_was_not_read_whole_is_read_again),
		WITH_STORE(nobody_is_shown_what_another_was_told),
		WITH_STORE(what_was_moved_and_taken_back_is_moved_again),
		WITH_STORE(rolls_of_few_are_made_again_in_little_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
