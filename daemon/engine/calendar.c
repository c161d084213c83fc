/* calendar.c - days, months and one time zone.
 *
 * In: instants, days, a table of a zone's changes. Out: the same, seen from the other side.
 * Promise: pure. No clock, no environment, no allocation; the same question has the same answer
 * on every machine.
 */
#include "calendar.h"

#define DAY_S INT64_C(86400)

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0 ? 1 : 0);
}

static int32_t offset_after(const struct zone *zone, uint32_t changes)
{
	return changes == 0 ? zone->first_offset_s : zone->change[changes - 1].offset_s;
}

int32_t zone_offset(const struct zone *zone, lk_instant at)
{
	uint32_t low = 0, high = zone->n;

	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (zone->change[middle].at <= at)
			low = middle + 1;
		else
			high = middle;
	}
	return offset_after(zone, low);
}

struct lk_time zone_time(const struct zone *zone, lk_instant at)
{
	return (struct lk_time){ at, zone_offset(zone, at) };
}

/* Seconds on the wall clock there, counted as if it were UTC. */
static int64_t wall_s(const struct zone *zone, lk_instant at)
{
	return floor_div(at, LK_SECOND) + zone_offset(zone, at);
}

lk_date zone_date(const struct zone *zone, lk_instant at)
{
	return (lk_date)floor_div(wall_s(zone, at), DAY_S);
}

int zone_minute(const struct zone *zone, lk_instant at)
{
	int64_t wall = wall_s(zone, at);

	return (int)((wall - floor_div(wall, DAY_S) * DAY_S) / 60);
}

/* When a change is over on the wall clock: a skipped time and one that happens twice come before.
 */
static int64_t over_s(const struct zone *zone, uint32_t i)
{
	int32_t before = offset_after(zone, i), after = offset_after(zone, i + 1);

	return floor_div(zone->change[i].at, LK_SECOND) + (before > after ? before : after);
}

/* The offset of before a change serves both odd cases: it gives the first of two equal times, and
 * it carries a time that does not exist across the gap. */
lk_instant zone_instant(const struct zone *zone, lk_date date, int minute)
{
	int64_t wall = (int64_t)date * DAY_S + (int64_t)minute * 60;
	uint32_t low = 0, high = zone->n;

	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (over_s(zone, middle) <= wall)
			low = middle + 1;
		else
			high = middle;
	}
	return (wall - offset_after(zone, low)) * LK_SECOND;
}

lk_date date_month_first(lk_date date)
{
	int year, month, day;

	lk_date_civil(date, &year, &month, &day);
	return date - (day - 1);
}

lk_date date_month_last(lk_date date)
{
	int year, month, day;

	lk_date_civil(date, &year, &month, &day);
	return (month == 12 ? lk_date_of(year + 1, 1, 1) : lk_date_of(year, month + 1, 1)) - 1;
}

lk_date date_add_months(lk_date date, int n)
{
	int year, month, day;
	int64_t months;
	lk_date first, last;

	lk_date_civil(date, &year, &month, &day);
	months = (int64_t)year * 12 + (month - 1) + n;
	year = (int)floor_div(months, 12);
	first = lk_date_of(year, (int)(months - (int64_t)year * 12) + 1, 1);
	last = date_month_last(first);
	return last - first < day - 1 ? last : first + (day - 1);
}

/* 1970-01-01 was a Thursday. */
int date_weekday(lk_date date)
{
	int64_t since = (int64_t)date + 4;

	return (int)(since - floor_div(since, 7) * 7);
}
