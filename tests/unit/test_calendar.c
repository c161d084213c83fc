/* test_calendar.c - days, months and zones: compared with another implementation, and with the calendar on the wall.
 *
 * In: the system's tz database, Python's zoneinfo. Out: cmocka's verdicts.
 * Promise: over fifty years of dates the answers are those of zoneinfo, in zones of every temperament.
 */
#include "engine/calendar.h"
#include "policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct zone read_zone(const char *name)
{
	struct lk_error err;
	struct zone zone;

	if (zone_read(name, &zone, &err) < 0)
		fail_msg("%s", err.text);
	return zone;
}

/* ---- Another implementation ---------------------------------------------------------------------- */

static void compare_local(const struct zone *zone, long day, int minute, long long second)
{
	lk_instant at = zone_instant(zone, (lk_date)day, minute);

	if (at != second * LK_SECOND)
		fail_msg("%s, day %ld minute %d: %lld, not %lld", zone->name, day, minute,
			 (long long)(at / LK_SECOND), second);
}

static void compare_offset(const struct zone *zone, long long second, int offset)
{
	if (zone_offset(zone, second * LK_SECOND) != offset)
		fail_msg("%s at %lld: offset %d, not %d", zone->name, second,
			 zone_offset(zone, second * LK_SECOND), offset);
}

static long compare_lines(const struct zone *zone, FILE *python)
{
	char line[120];
	long n = 0;

	for (; fgets(line, sizeof(line), python) != NULL; n++) {
		long long second;
		long day;
		int minute, offset;

		if (sscanf(line, "local %ld %d %lld", &day, &minute, &second) == 3)
			compare_local(zone, day, minute, second);
		else if (sscanf(line, "utc %lld %d", &second, &offset) == 2)
			compare_offset(zone, second, offset);
		else
			fail_msg("zones.py says: %s", line);
	}
	return n;
}

static void compare_zone(const char *name)
{
	struct zone zone = read_zone(name);
	char command[300];
	FILE *python;

	(void)snprintf(command, sizeof(command), "/usr/bin/python3 %s/tests/unit/zones.py %s",
		       TEST_ROOT, name);
	python = popen(command, "r");
	assert_non_null(python);
	assert_true(compare_lines(&zone, python) > 50 * 365 * 5);
	assert_int_equal(pclose(python), 0);
}

/* Home; half an hour instead of an hour; changes at midnight, so that days begin at one; Ramadan. */
static void agrees_with_zoneinfo(void **state)
{
	(void)state;
	compare_zone("America/Los_Angeles");
	compare_zone("Australia/Lord_Howe");
	compare_zone("America/Sao_Paulo");
	compare_zone("Africa/Casablanca");
	compare_zone("Asia/Kolkata");
}

/* ---- Odd times ----------------------------------------------------------------------------------- */

/* 2026-03-08 02:00 PST is 03:00 PDT. */
static void skipped_time_moves_forward(void **state)
{
	struct zone zone = read_zone("America/Los_Angeles");
	lk_date day = lk_date_of(2026, 3, 8);
	lk_instant at = zone_instant(&zone, day, 2 * 60 + 30);

	(void)state;
	assert_int_equal(zone_minute(&zone, at), 3 * 60 + 30);
	assert_int_equal(zone_date(&zone, at), day);
	assert_int_equal(zone_offset(&zone, at), -7 * 3600);
	assert_int_equal(zone_instant(&zone, day, 3 * 60) - zone_instant(&zone, day, 119),
			 LK_MINUTE);
}

/* 2026-11-01 02:00 PDT is 01:00 PST. */
static void doubled_time_is_the_first(void **state)
{
	struct zone zone = read_zone("America/Los_Angeles");
	lk_instant at = zone_instant(&zone, lk_date_of(2026, 11, 1), 90);

	(void)state;
	assert_int_equal(zone_time(&zone, at).offset_s, -7 * 3600);
	assert_int_equal(zone_time(&zone, at + LK_HOUR).offset_s, -8 * 3600);
	assert_int_equal(zone_minute(&zone, at + LK_HOUR), 90);
}

/* Every minute of every day that a change makes longer or shorter comes back as itself or past the gap. */
static void wall_time_comes_back(void **state)
{
	struct zone zone = read_zone("America/Los_Angeles");

	(void)state;
	for (uint32_t i = 0; i < zone.n; i++) {
		lk_date day = zone_date(&zone, zone.change[i].at);

		for (int minute = 0; minute < 1440; minute++) {
			lk_instant at = zone_instant(&zone, day, minute);
			int back = zone_minute(&zone, at);

			assert_int_equal(zone_date(&zone, at), day);
			assert_true(back == minute || back == minute + 60);
		}
	}
}

static void minutes_count_on_into_later_days(void **state)
{
	struct zone zone = read_zone("America/Los_Angeles");
	lk_date day = lk_date_of(2026, 3, 7);

	(void)state;
	assert_int_equal(zone_instant(&zone, day, 1440 + 8 * 60),
			 zone_instant(&zone, day + 1, 8 * 60));
	assert_int_equal(zone_instant(&zone, day, -1), zone_instant(&zone, day - 1, 1439));
}

static void nameless_zone_is_utc(void **state)
{
	struct zone utc = { .n = 0 };

	(void)state;
	assert_int_equal(zone_instant(&utc, 1, 1), 86460 * LK_SECOND);
	assert_int_equal(zone_date(&utc, -1), -1);
	assert_int_equal(zone_minute(&utc, -1), 1439);
}

/* ---- Days and months ----------------------------------------------------------------------------- */

static void assert_months(int n, const char *from, const char *to)
{
	char text[LK_DATE_TEXT];
	lk_date date;

	assert_int_equal(lk_date_parse(lk_text_of(from), &date), 0);
	lk_date_print(date_add_months(date, n), text);
	assert_string_equal(text, to);
}

static void months_keep_the_day_where_there_is_one(void **state)
{
	(void)state;
	assert_months(1, "2026-01-31", "2026-02-28");
	assert_months(1, "2028-01-31", "2028-02-29");
	assert_months(12, "2028-02-29", "2029-02-28");
	assert_months(48, "2028-02-29", "2032-02-29");
	assert_months(-1, "2026-03-31", "2026-02-28");
	assert_months(-3, "2026-02-15", "2025-11-15");
	assert_months(-14, "2026-02-15", "2024-12-15");
	assert_months(0, "2026-12-31", "2026-12-31");
	assert_months(6, "2025-12-31", "2026-06-30");
	assert_months(-12 * 60, "2029-03-01", "1969-03-01");
}

static void months_begin_and_end(void **state)
{
	(void)state;
	for (lk_date day = lk_date_of(1990, 1, 1); day < lk_date_of(2101, 1, 1); day++) {
		lk_date first = date_month_first(day), last = date_month_last(day);
		int year, month, of_month;

		lk_date_civil(last + 1, &year, &month, &of_month);
		assert_int_equal(of_month, 1);
		lk_date_civil(first, &year, &month, &of_month);
		assert_int_equal(of_month, 1);
		assert_true(first <= day && day <= last && last - first <= 30 &&
			    last - first >= 27);
	}
}

static void weeks_turn(void **state)
{
	(void)state;
	assert_int_equal(date_weekday(lk_date_of(1970, 1, 1)), 4);
	assert_int_equal(date_weekday(lk_date_of(1969, 12, 31)), 3);
	assert_int_equal(date_weekday(lk_date_of(2026, 3, 8)), 0);
	assert_int_equal(date_weekday(lk_date_of(2000, 2, 29)), 2);
	assert_int_equal(date_weekday(lk_date_of(1900, 1, 1)), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_with_zoneinfo),
		cmocka_unit_test(skipped_time_moves_forward),
		cmocka_unit_test(doubled_time_is_the_first),
		cmocka_unit_test(wall_time_comes_back),
		cmocka_unit_test(minutes_count_on_into_later_days),
		cmocka_unit_test(nameless_zone_is_utc),
		cmocka_unit_test(months_keep_the_day_where_there_is_one),
		cmocka_unit_test(months_begin_and_end),
		cmocka_unit_test(weeks_turn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
