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
		room = credit_turn(room, room, (int64_t)room * 10, MOST);
	assert_int_equal(room, MOST);
	assert_int_equal(credit_turn(room, 1, 10, MOST), MOST);
	assert_int_equal(credit_turn(CREDIT_TURN_FIRST, 1, 10, MOST), CREDIT_TURN_FIRST);
}

static void dear_events_are_committed_few_at_a_time(void **state)
{
	size_t room = credit_turn(MOST, MOST, MOST * 15000, MOST);

	(void)state;
	assert_int_equal(room, CREDIT_TURN_US / 15000);
	room = credit_turn(room, room, (int64_t)room * 15000, MOST);
	assert_int_equal(room, CREDIT_TURN_US / 15000);
	assert_int_equal(credit_turn(room, 1, 10 * CREDIT_TURN_US, MOST), 1);
	assert_int_equal(credit_turn(1, 1, 10, MOST), 2);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
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
