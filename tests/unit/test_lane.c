/* test_lane.c - routing ids, liveness, the clock, dense sequences, prefixes of lines: what needs no
 * socket.
 *
 * In: bytes and instants. Out: facts. Promise: as lane.h, clock.h, feed.h and log.h say.
 */
#include "clock.h"
#include "feed.h"
#include "lane.h"
#include "log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static void only_routing_ids_that_libzmq_made(void **state)
{
	static const uint8_t made[] = { 0, 1, 2, 3, 255 }, next[] = { 0, 1, 2, 4, 0 };
	lane_route route, again;

	(void)state;
	assert_int_equal(lane_route_parse(made, 5, &route), 0);
	assert_int_equal(lane_route_parse(made, 5, &again), 0);
	assert_int_equal(route, again);
	assert_int_equal(lane_route_parse(next, 5, &again), 0);
	assert_int_equal(
		again,
		route + 1); /* they count up: sessions spread over the buckets by their low bits */
	assert_int_equal(lane_route_parse("admin", 5, &route), -1);
	assert_int_equal(lane_route_parse(made, 4, &route), -1);
	assert_int_equal(lane_route_parse("\0"
					  "12345",
					  6, &route),
			 -1);
	assert_int_equal(lane_route_parse("", 0, &route), -1);
}

static void five_seconds_a_ping_fifteen_the_end(void **state)
{
	struct lane_session s = { .heard_us = 100 * LK_SECOND, .spoke_us = 100 * LK_SECOND };

	(void)state;
	assert_int_equal(lane_liveness(&s, 105 * LK_SECOND - 1), LANE_FINE);
	assert_int_equal(lane_liveness(&s, 105 * LK_SECOND), LANE_PING_DUE);
	s.spoke_us = 114 * LK_SECOND;
	assert_int_equal(lane_liveness(&s, 115 * LK_SECOND - 1), LANE_FINE);
	assert_int_equal(lane_liveness(&s, 115 * LK_SECOND), LANE_GONE);
}

static void a_real_clock_is_not_moved_and_never_runs_back(void **state)
{
	struct clock clock;
	const lk_instant later =
		INT64_C(4000000000) * LK_SECOND; /* the machine's was set back since */

	(void)state;
	clock_start(&clock, false, LK_NO_INSTANT);
	assert_true(clock_now(&clock) > CLOCK_UNSET);
	assert_int_equal(clock_move(&clock, later, NULL), LK_ESTATE);
	clock_start(&clock, false, later);
	assert_true(clock_now(&clock) >= later && clock_now(&clock) < later + LK_HOUR);
	assert_string_equal(clock_word(&clock), "real");
}

static struct clock_reading reading(lk_instant machine, int64_t ticks)
{
	return (struct clock_reading){ machine, ticks };
}

#define NOON (INT64_C(1800000000) * LK_SECOND)
#define DAY (24 * LK_HOUR)

/* What the clock tells `after` that many ticks, when the machine's says noon and `machine`. */
static lk_instant told(struct clock *clock, lk_instant machine, int64_t after)
{
	return clock_at(clock, reading(NOON + machine, after)) - NOON;
}

static void a_clock_that_jumps_is_not_believed(void **state)
{
	struct clock clock;

	(void)state;
	clock_begin(&clock, NOON - DAY, reading(NOON, 0));
	assert_false(clock_is_suspect(&clock));
	assert_true(told(&clock, LK_HOUR, LK_MINUTE) == LK_HOUR); /* an hour and a minute's wait */
	assert_false(clock_is_suspect(&clock));
	assert_true(told(&clock, 2 * LK_HOUR, LK_MINUTE) == LK_HOUR); /* never backwards */
	assert_true(clock_is_suspect(&clock));
	assert_true(told(&clock, 4000 * DAY, 3 * LK_HOUR) == 3 * LK_HOUR);  /* by the count */
	assert_true(told(&clock, 5 * LK_HOUR, 5 * LK_HOUR) == 5 * LK_HOUR); /* right again */
	assert_false(clock_is_suspect(&clock));
	assert_true(told(&clock, 5 * LK_HOUR, 7 * LK_HOUR) == 7 * LK_HOUR); /* it has stopped */
	assert_true(clock_is_suspect(&clock));
}

static void a_clock_is_held_against_the_last_commit_at_start(void **state)
{
	struct clock clock;

	(void)state;
	clock_begin(&clock, NOON, reading(NOON + 7 * DAY, 0));
	assert_false(clock_is_suspect(&clock));
	clock_begin(&clock, NOON, reading(NOON + 7 * DAY + 1, 0));
	assert_true(clock_is_suspect(&clock));
	assert_true(told(&clock, 8 * DAY, 5) == 5);
	clock_begin(&clock, NOON, reading(NOON - LK_MINUTE, 0));
	assert_true(clock_is_suspect(&clock));
	assert_true(told(&clock, -1, LK_MINUTE - 1) == LK_MINUTE - 1);
	assert_true(clock_is_suspect(&clock));
	assert_true(told(&clock, 0, LK_MINUTE) == LK_MINUTE - 1);
	assert_false(clock_is_suspect(&clock)); /* it has come to what was committed */
	clock_begin(&clock, LK_NO_INSTANT, reading(CLOCK_UNSET - DAY, 0));
	assert_false(clock_is_suspect(&clock)); /* nothing is known: a new store */
}

static void a_suspect_clock_is_accepted_once(void **state)
{
	struct clock clock;

	(void)state;
	clock_start(&clock, false, LK_NO_INSTANT);
	assert_int_equal(clock_accept(&clock, NULL), LK_ESTATE);
	clock_start(&clock, false, clock_read().machine - 8 * DAY);
	assert_true(clock_is_suspect(&clock));
	clock_mark(&clock);
	assert_true(clock_is_suspect(&clock)); /* a commit under suspicion proves nothing */
	assert_true(clock_now(&clock) < clock_read().machine - 7 * DAY);
	assert_int_equal(clock_accept(&clock, NULL), 0);
	assert_false(clock_is_suspect(&clock));
	assert_true(clock_now(&clock) > clock_read().machine - LK_HOUR);
	assert_int_equal(clock_accept(&clock, NULL), LK_ESTATE);
	clock_start(&clock, true, LK_NO_INSTANT);
	assert_int_equal(clock_accept(&clock, NULL), LK_ESTATE);
}

static void a_manual_clock_stands_until_it_is_moved_forward(void **state)
{
	struct clock clock;
	const lk_instant then = CLOCK_UNSET + LK_HOUR;

	(void)state;
	clock_start(&clock, true, LK_NO_INSTANT);
	assert_int_equal(clock_now(&clock), CLOCK_UNSET);
	assert_int_equal(clock_move(&clock, then, NULL), 0);
	assert_int_equal(clock_now(&clock), then);
	assert_int_equal(clock_move(&clock, then - 1, NULL), LK_EREFUSED);
	assert_int_equal(clock_now(&clock), then);
	assert_string_equal(clock_word(&clock), "manual");
}

static void gaps_of_a_dense_source(void **state)
{
	struct feed_sequence s = { 0 };

	(void)state;
	assert_int_equal(feed_sequence_event(&s, 41), 0); /* where it begins is not ours to know */
	assert_int_equal(feed_sequence_event(&s, 42), 0);
	assert_int_equal(feed_sequence_event(&s, 45), 2);
	assert_int_equal(feed_sequence_event(&s, 43), 0); /* late is not missing twice */
	assert_int_equal(feed_sequence_ping(&s, 45), 0);
	assert_int_equal(feed_sequence_ping(&s, 47), 2); /* the tail */
	assert_int_equal(feed_sequence_event(&s, 48), 0);
	assert_int_equal(s.missing, 4);
}

static void a_heartbeat_may_come_first(void **state)
{
	struct feed_sequence s = { 0 };

	(void)state;
	assert_int_equal(feed_sequence_ping(&s, 7), 0);
	assert_int_equal(feed_sequence_event(&s, 9), 1);
}

static void the_journal_gets_a_level(void **state)
{
	(void)state;
	assert_string_equal(log_prefix(LOG_INFO, true), "<6>");
	assert_string_equal(log_prefix(LOG_ERROR, true), "<3>");
	assert_string_equal(log_prefix(LOG_ERROR, false), "");
}

static bool is_field(const struct iovec *field, const char *text)
{
	return field->iov_len == strlen(text) && memcmp(field->iov_base, text, field->iov_len) == 0;
}

static void the_journal_gets_a_field_for_each_key(void **state)
{
	char room[256];
	struct iovec fields[4];

	(void)state;
	assert_int_equal(
		log_fields(
			"batch lane=intake n=3 outcome=failed detail=\"the disk, n=4\" Bad=1 =2 x",
			room, sizeof(room), fields, 4),
		4);
	assert_true(is_field(&fields[0], "LINKAGES_LANE=intake"));
	assert_true(is_field(&fields[1], "LINKAGES_N=3"));
	assert_true(is_field(&fields[2], "LINKAGES_OUTCOME=failed"));
	assert_true(is_field(&fields[3], "LINKAGES_DETAIL=the disk, n=4"));
	assert_int_equal(log_fields("x detail=\"never closed", room, sizeof(room), fields, 4), 1);
	assert_int_equal(log_fields("a=1 b=2", room, 13, fields, 4), 1);
	assert_int_equal(log_fields("", room, sizeof(room), fields, 4), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_routing_ids_that_libzmq_made),
		cmocka_unit_test(five_seconds_a_ping_fifteen_the_end),
		cmocka_unit_test(a_real_clock_is_not_moved_and_never_runs_back),
		cmocka_unit_test(a_clock_that_jumps_is_not_believed),
		cmocka_unit_test(a_clock_is_held_against_the_last_commit_at_start),
		cmocka_unit_test(a_suspect_clock_is_accepted_once),
		cmocka_unit_test(a_manual_clock_stands_until_it_is_moved_forward),
		cmocka_unit_test(gaps_of_a_dense_source),
		cmocka_unit_test(a_heartbeat_may_come_first),
		cmocka_unit_test(the_journal_gets_a_level),
		cmocka_unit_test(the_journal_gets_a_field_for_each_key),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
