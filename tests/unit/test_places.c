/* test_places.c - what it costs to walk the places of an outbox that has forgotten many.
 *
 * In: a store in memory, two outboxes, of which one was heard again after a long time. Out: its places, and how many steps
 * SQLite took to them. Promise: what others sent in between is not looked through.
 */
#include "good.h"

#include "daemon/store/internal.h"

#include <stdio.h>
#include <string.h>

#define OTHERS 20000

static const uint8_t one[LK_DIGEST] = { 1 }, other[LK_DIGEST] = { 2 };

static void add(struct store *s, const uint8_t epoch[LK_DIGEST], int64_t seq)
{
	char id[32];
	int64_t position;

	(void)snprintf(id, sizeof(id), "%d-%lld", epoch[0], (long long)seq);
	struct stored_event e = { .agency = LK_CWS,
				  .source = LK_TEXT("cws-cms"),
				  .id = lk_text_of(id),
				  .number = LK_TEXT("C-1"),
				  .type = LK_CASE_CLOSED,
				  .has_outbox_seq = true,
				  .outbox_seq = seq,
				  .body = "\xc0",
				  .body_len = 1 };

	memcpy(e.epoch, epoch, LK_DIGEST);
	assert_int_equal(store_event_add(s, &e, &position, &err), 1);
}

static int64_t places(struct store *s, int64_t stream, int64_t next)
{
	struct query q = query_begin(s, SQL_safe_rows);
	int64_t sum = 0;
	int rc;

	bind_int(&q, stream);
	bind_int(&q, 0);
	bind_int(&q, next);
	bind_int(&q, 1000);
	while ((rc = query_step(&q, &err)) == 1)
		sum += column_int(&q);
	GOOD(rc);
	query_end(&q);
	return sum;
}

static void what_others_sent_is_not_looked_through(void **state)
{
	const struct store_options options = { .directory = NULL };
	struct store *s;
	int64_t stream;

	(void)state;
	GOOD(store_open(&options, &s, &err));
	GOOD(store_begin(s, &err));
	add(s, one, 1);
	for (int64_t seq = 1; seq <= OTHERS; seq++)
		add(s, other, seq);
	add(s, one, 100000);
	GOOD(stream_intern(s, LK_TEXT("cws-cms"), one, &stream, &err));
	GOOD(store_commit(s, &err));
	assert_int_equal(places(s, stream, 100001), 1 + 100000);
	assert_in_range(sqlite3_stmt_status(s->statement[SQL_safe_rows], SQLITE_STMTSTATUS_VM_STEP,
					    0),
			1, OTHERS / 2); /* 512 places, and not all */
	store_close(s);
}

/* In the middle of others, as what was asked for again: at a place of which nothing near is known. */
static void what_came_before_is_not_looked_through(void **state)
{
	const struct store_options options = { .directory = NULL };
	struct store *s;

	(void)state;
	GOOD(store_open(&options, &s, &err));
	GOOD(store_begin(s, &err));
	for (int64_t seq = 1; seq <= OTHERS; seq += 2)
		add(s, one, seq);
	add(s, one, 100000);
	(void)sqlite3_stmt_status(s->statement[SQL_run_split], SQLITE_STMTSTATUS_VM_STEP, 1);
	add(s, one, 51200);
	assert_in_range(sqlite3_stmt_status(s->statement[SQL_run_split], SQLITE_STMTSTATUS_VM_STEP,
					    0),
			1, 100);
	store_rollback(s);
	store_close(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_others_sent_is_not_looked_through),
		cmocka_unit_test(what_came_before_is_not_looked_through),
	};

	return cmocka_run_group_tests_name("places", tests, NULL, NULL);
}
