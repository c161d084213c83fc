/* test_credit.c - how much may be under way.
 *
 * In: commit times and disk space. Out: offers and limits. Promise: as credit.h says.
 */
#include "credit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#define RESERVE (INT64_C(64) * 1024 * 1024)
#define GIB (INT64_C(1024) * 1024 * 1024)

static struct credit quick(int64_t most)
{
	struct credit credit;

	credit_start(&credit, most, RESERVE);
	return credit;
}

static void quick_commits_get_everything(void **state)
{
	struct credit credit = quick(4096);

	(void)state;
	credit.free_bytes = 10 * GIB;
	for (int i = 0; i < 100; i++)
		credit_learn(&credit, 2000);
	assert_int_equal(credit_offer(&credit), 4096);
}

static void slow_commits_get_less_and_recover(void **state)
{
	struct credit credit = quick(4096);

	(void)state;
	for (int i = 0; i < 100; i++)
		credit_learn(&credit, 4 * CREDIT_COMMIT_US);
	assert_in_range(credit_offer(&credit), 1000, 1100);
	for (int i = 0; i < 100; i++)
		credit_learn(&credit, 1000 * CREDIT_COMMIT_US);
	assert_int_equal(credit_offer(&credit), CREDIT_FLOOR);
	for (int i = 0; i < 100; i++)
		credit_learn(&credit, 1000);
	assert_int_equal(credit_offer(&credit), 4096);
}

static void a_full_disk_gets_nothing_until_there_is_room(void **state)
{
	struct credit credit = quick(4096);

	(void)state;
	credit.free_bytes = RESERVE;
	assert_int_equal(credit_offer(&credit), 0);
	credit.free_bytes = RESERVE + 4096;
	assert_in_range(credit_offer(&credit), 1, 16);
	credit.free_bytes = RESERVE * 5 / 2;
	assert_in_range(credit_offer(&credit), 2000, 2100);
	credit.free_bytes = CREDIT_DISK_PLENTY * RESERVE;
	assert_int_equal(credit_offer(&credit), 4096);
}

static void a_small_most_is_kept(void **state)
{
	struct credit credit = quick(3);

	(void)state;
	for (int i = 0; i < 100; i++)
		credit_learn(&credit, 1000 * CREDIT_COMMIT_US);
	assert_int_equal(credit_offer(&credit), 3);
}

static void a_limit_is_never_taken_back(void **state)
{
	int64_t limit = credit_limit(0, 100, 50);

	(void)state;
	assert_int_equal(limit, 150);
	limit = credit_limit(limit, 120, 0);
	assert_int_equal(limit, 150);
	limit = credit_limit(limit, 140, 50);
	assert_int_equal(limit, 190);
}

#define MOST 2048

static void cheap_events_are_committed_together(void **state)
{
	size_t room = CREDIT_TURN_FIRST;

	(void)state;
	for (int i = 0; i < 10; i++)
		room = credit_turn(room, room, (int64_t)room * 10, CREDIT_TURN_US, MOST);
	assert_int_equal(room, MOST);
	assert_int_equal(credit_turn(room, 1, 10, CREDIT_TURN_US, MOST), MOST);
	assert_int_equal(credit_turn(CREDIT_TURN_FIRST, 1, 10, CREDIT_TURN_US, MOST),
			 CREDIT_TURN_FIRST);
}

static void dear_events_are_committed_few_at_a_time(void **state)
{
	size_t room = credit_turn(MOST, MOST, MOST * 15000, CREDIT_TURN_US, MOST);

	(void)state;
	assert_int_equal(room, CREDIT_TURN_US / 15000);
	room = credit_turn(room, room, (int64_t)room * 15000, CREDIT_TURN_US, MOST);
	assert_int_equal(room, CREDIT_TURN_US / 15000);
	assert_int_equal(credit_turn(room, 1, 10 * CREDIT_TURN_US, CREDIT_TURN_US, MOST), 1);
	assert_int_equal(credit_turn(1, 1, 10, CREDIT_TURN_US, MOST), 2);
}

static void notices_are_capped(void **state)
{
	(void)state;
	assert_int_equal(credit_add(0, 0), 0);
	assert_int_equal(credit_add(10, 5), 15);
	assert_int_equal(credit_add(CREDIT_NOTICES_MAX - 1, 1), CREDIT_NOTICES_MAX);
	assert_int_equal(credit_add(CREDIT_NOTICES_MAX, 1), CREDIT_NOTICES_MAX);
	assert_int_equal(credit_add(1, (INT64_C(1) << 53) - 1), CREDIT_NOTICES_MAX);
}

/* A source that sends nothing but refused events, as fast as it is let: how many in so many seconds. */
static int64_t refused_in(int seconds, int64_t accepted_between)
{
	struct patience p;
	int64_t refused = 0;

	patience_start(&p, 0);
	for (int64_t now = 0; now < seconds * LK_SECOND; now += LK_SECOND / 10) {
		int64_t n = patience_offer(&p, 4096, now);

		patience_learn(&p, accepted_between * n, n, now);
		refused += n;
	}
	return refused;
}

static void who_sends_nothing_but_refused_events_is_slowed(void **state)
{
	const int64_t first = 4096, in_debt = 2 * PATIENCE_MOST / PATIENCE_A_SECOND;

	(void)state;
	assert_int_equal(refused_in(2, 0), first);
	assert_in_range(refused_in(60, 0), first + (60 - in_debt) * PATIENCE_A_SECOND,
			first + 60 * PATIENCE_A_SECOND);
}

static void few_refusals_among_many_events_cost_nothing(void **state)
{
	struct patience p;

	(void)state;
	patience_start(&p, 0);
	patience_learn(&p, 0, PATIENCE_MOST / 2, 0);
	assert_int_equal(patience_offer(&p, 4096, 0), 4096);
	patience_learn(&p, 0, 1, 0);
	assert_int_equal(patience_offer(&p, 4096, 0), PATIENCE_MOST / 2 - 1);
	assert_int_equal(patience_offer(&p, 16, 0), 16);
	for (int i = 0; i < 1000; i++)
		patience_learn(&p, 1000, 60, 0);
	assert_int_equal(patience_offer(&p, 4096, 0), 4096);
}

static void patience_comes_back(void **state)
{
	struct patience p;

	(void)state;
	patience_start(&p, 0);
	patience_learn(&p, 0, INT64_C(1) << 40, 0);
	assert_int_equal(patience_offer(&p, 4096, 0), 0);
	assert_int_equal(patience_offer(&p, 4096, PATIENCE_MOST / PATIENCE_A_SECOND * LK_SECOND),
			 0);
	assert_int_equal(patience_offer(&p, 4096, 10 * LK_SECOND), 2 * PATIENCE_A_SECOND);
	assert_int_equal(patience_offer(&p, 4096, 3600 * LK_SECOND), 4096);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_sends_nothing_but_refused_events_is_slowed),
		cmocka_unit_test(few_refusals_among_many_events_cost_nothing),
		cmocka_unit_test(patience_comes_back),
		cmocka_unit_test(quick_commits_get_everything),
		cmocka_unit_test(slow_commits_get_less_and_recover),
		cmocka_unit_test(a_full_disk_gets_nothing_until_there_is_room),
		cmocka_unit_test(a_small_most_is_kept),
		cmocka_unit_test(a_limit_is_never_taken_back),
		cmocka_unit_test(cheap_events_are_committed_together),
		cmocka_unit_test(dear_events_are_committed_few_at_a_time),
		cmocka_unit_test(notices_are_capped),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
