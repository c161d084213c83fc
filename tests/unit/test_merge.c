/* test_merge.c - whose event is the next one.
 *
 * In: queues of events with times. Out: the order in which they are taken. Promise: as merge.h says.
 */
#include "merge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#define MOST 4096

/* Two outboxes that both send. */
struct pair {
	struct merge merge;
	struct merge_queue a, b;
	int64_t seq;
};

static struct pair pair_of(void)
{
	return (struct pair){ .a = { .source = "a" }, .b = { .source = "b" } };
}

static void say(struct pair *p, struct merge_queue *queue, lk_instant time)
{
	assert_int_equal(merge_add(&p->merge, queue, ++p->seq, time, "x", 1), 0);
}

/* Every `step`, from a time on. */
static void say_all(struct pair *p, struct merge_queue *queue, lk_instant from, lk_instant step,
		    size_t n)
{
	for (size_t i = 0; i < n; i++)
		say(p, queue, from + (lk_instant)i * step);
}

/* What a commit takes, at most `room` events; whose they were, in order. */
static size_t commit(struct pair *p, size_t room, char whose[MOST])
{
	struct merge_queue *next;
	size_t n = 0;

	merge_begin(&p->merge);
	while (n < room && (next = merge_next(&p->merge)) != NULL) {
		whose[n++] = *next->source;
		merge_take(&p->merge, next);
	}
	whose[n] = '\0';
	return n;
}

static void forget(struct pair *p)
{
	merge_clear(&p->merge, &p->a);
	merge_clear(&p->merge, &p->b);
	assert_null(p->merge.waiting);
	assert_int_equal(p->merge.bytes, 0);
}

static size_t count_of(const char *whose, char who)
{
	size_t n = 0;

	for (; *whose != '\0'; whose++)
		n += *whose == who;
	return n;
}

static void what_happened_first_is_taken_first(void **state)
{
	struct pair p = pair_of();
	char whose[MOST];

	(void)state;
	say_all(&p, &p.a, 100, 10, 3);
	say_all(&p, &p.b, 90, 1, 3);
	assert_int_equal(commit(&p, MOST, whose), 6);
	assert_string_equal(whose, "bbbaaa");
	assert_int_equal(commit(&p, MOST, whose), 0);
	forget(&p);
}

static size_t runs_of(const char *whose)
{
	size_t n = 0;

	for (size_t i = 0; whose[i] != '\0'; i++)
		n += i == 0 || whose[i] != whose[i - 1];
	return n;
}

/* Neither is further ahead than what it may have in a row, and they do not take turns with each event. */
static void who_goes_first_goes_on_for_a_while(void **state)
{
	struct pair p = pair_of();
	char whose[MOST];
	int ahead = 0;

	(void)state;
	say_all(&p, &p.a, 0, 2, 1000);
	say_all(&p, &p.b, 1, 2, 1000);
	assert_int_equal(commit(&p, MOST, whose), 2000);
	for (size_t i = 0; i < 2000; i++) {
		ahead += whose[i] == 'a' ? 1 : -1;
		assert_in_range(ahead + MERGE_PASSED_MOST, 0, 2 * MERGE_PASSED_MOST);
	}
	assert_in_range(runs_of(whose), 2, 2 * 2000 / MERGE_PASSED_MOST);
	forget(&p);
}

static void of_one_instant_the_source_decides(void **state)
{
	struct pair p = pair_of();
	char whose[MOST];

	(void)state;
	say(&p, &p.b, 100);
	say(&p, &p.a, 100);
	assert_int_equal(commit(&p, MOST, whose), 2);
	assert_string_equal(whose, "ab");
	forget(&p);
}

/* The second event of a lies before its first, and before all of b. */
static void an_outbox_stays_in_its_own_order(void **state)
{
	struct pair p = pair_of();
	char whose[MOST];

	(void)state;
	say(&p, &p.a, 200);
	say(&p, &p.a, 50);
	say(&p, &p.b, 100);
	merge_begin(&p.merge);
	assert_int_equal(p.a.first->seq, 1);
	assert_int_equal(commit(&p, MOST, whose), 3);
	assert_string_equal(whose, "baa");
	forget(&p);
}

static void what_has_no_time_is_next(void **state)
{
	struct pair p = pair_of();
	char whose[MOST];

	(void)state;
	say(&p, &p.a, 100);
	say(&p, &p.b, LK_NO_INSTANT);
	(void)commit(&p, MOST, whose);
	assert_string_equal(whose, "ba");
	forget(&p);
}

/* Where it has used up what a commit may take of it, the times decide. */
static void who_goes_on_leaves_its_half_too(void **state)
{
	struct pair p = pair_of();
	char whose[MOST];

	(void)state;
	say_all(&p, &p.a, 0, 10, 8);
	say_all(&p, &p.b, 5, 1, 8);
	p.a.is_pressed = true;
	assert_int_equal(commit(&p, MOST, whose), 12);
	assert_string_equal(whose, "aaaabbbbbbbb");
	forget(&p);
}

/* b is a year ahead, and a never stops. */
static void nobody_is_passed_over_for_long(void **state)
{
	const lk_instant year = 365 * 24 * LK_HOUR;
	struct pair p = pair_of();
	char whose[MOST];
	size_t since = 0;

	(void)state;
	say_all(&p, &p.a, 0, 1, 2000);
	say_all(&p, &p.b, year, 1, 50);
	assert_int_equal(commit(&p, 1000, whose), 1000);
	for (size_t i = 0; i < 1000; i++) {
		since = whose[i] == 'b' ? 0 : since + 1;
		assert_true(since <= MERGE_PASSED_MOST);
	}
	assert_int_equal(count_of(whose, 'b'), 1000 / (MERGE_PASSED_MOST + 1));
	forget(&p);
}

/* It goes on from one commit to the next, however little one takes. */
static void also_of_small_commits_each_has_its_share(void **state)
{
	struct pair p = pair_of();
	char whose[MOST];
	size_t b = 0;

	(void)state;
	say_all(&p, &p.a, 0, 1, 200);
	say_all(&p, &p.b, 1000, 1, 10);
	for (size_t i = 0; i < 2 * (MERGE_PASSED_MOST + 1); i++) {
		assert_int_equal(commit(&p, 1, whose), 1);
		b += count_of(whose, 'b');
	}
	assert_int_equal(b, 2);
	forget(&p);
}

/* Half of what is behind stays, so that what comes for the other half finds it here, and who is ahead waits. */
static void who_is_ahead_waits_for_who_sends_as_fast_as_it_may(void **state)
{
	struct pair p = pair_of();
	char whose[MOST];

	(void)state;
	say_all(&p, &p.a, 0, 1, 40);
	say_all(&p, &p.b, 10000, 1, 40);
	p.a.is_pressed = p.b.is_pressed = true;
	assert_int_equal(commit(&p, MOST, whose), 20);
	assert_int_equal(count_of(whose, 'a'), 20);
	say_all(&p, &p.a, 40, 1, 20);
	(void)commit(&p, MOST, whose);
	assert_int_equal(count_of(whose, 'a'), 20);
	assert_int_equal(count_of(whose, 'b'), 1);
	forget(&p);
}

/* Nothing more of a comes: b is served although a may have more. */
static void nobody_waits_for_one_who_has_nothing_here(void **state)
{
	struct pair p = pair_of();
	char whose[MOST];
	int commits = 0;

	(void)state;
	say_all(&p, &p.a, 0, 1, 64);
	say_all(&p, &p.b, 10000, 1, 64);
	p.a.is_pressed = p.b.is_pressed = true;
	while (p.merge.waiting != NULL) {
		assert_true(commit(&p, MOST, whose) > 0);
		assert_in_range(++commits, 1, 8);
	}
	forget(&p);
}

static void alone_an_outbox_gets_all(void **state)
{
	struct pair p = pair_of();
	char whose[MOST];

	(void)state;
	say_all(&p, &p.a, 0, 1, 64);
	p.a.is_pressed = true;
	assert_int_equal(commit(&p, MOST, whose), 64);
	assert_false(p.a.is_pressed);
	forget(&p);
}

static void what_waits_is_bounded_by_its_bytes(void **state)
{
	static uint8_t bytes[64 * 1024];
	struct pair p = pair_of();
	size_t n = 0;

	(void)state;
	for (; !merge_is_full(&p.merge); n++)
		assert_int_equal(merge_add(&p.merge, &p.a, 1, 0, bytes, sizeof(bytes)), 0);
	assert_in_range(n, MERGE_BYTES_MAX / sizeof(bytes) - 1, MERGE_BYTES_MAX / sizeof(bytes));
	merge_begin(&p.merge);
	merge_take(&p.merge, &p.a);
	assert_false(merge_is_full(&p.merge));
	forget(&p);
}

/* What one byte takes in memory counts: an outbox that says the same nothing over and over has no other bound. */
static void also_where_they_say_nothing(void **state)
{
	struct pair p = pair_of();
	size_t n = 0;

	(void)state;
	for (; !merge_is_full(&p.merge); n++)
		say(&p, &p.a, 0);
	assert_in_range(n, 1, MERGE_BYTES_MAX / sizeof(struct merge_event));
	forget(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_happened_first_is_taken_first),
		cmocka_unit_test(who_goes_first_goes_on_for_a_while),
		cmocka_unit_test(who_goes_on_leaves_its_half_too),
		cmocka_unit_test(of_one_instant_the_source_decides),
		cmocka_unit_test(an_outbox_stays_in_its_own_order),
		cmocka_unit_test(what_has_no_time_is_next),
		cmocka_unit_test(nobody_is_passed_over_for_long),
		cmocka_unit_test(also_of_small_commits_each_has_its_share),
		cmocka_unit_test(who_is_ahead_waits_for_who_sends_as_fast_as_it_may),
		cmocka_unit_test(nobody_waits_for_one_who_has_nothing_here),
		cmocka_unit_test(alone_an_outbox_gets_all),
		cmocka_unit_test(what_waits_is_bounded_by_its_bytes),
		cmocka_unit_test(also_where_they_say_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
