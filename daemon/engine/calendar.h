/* calendar.h - days, months and one time zone. Pure: no clock, no environment, no allocation.
 *
 * The zone is a table of transitions from 1990 to 2100 that policy.c reads once from the system's tz database (glibc
 * knows one zone a process); everything here only searches it.
 */
#ifndef LINKAGES_CALENDAR_H
#define LINKAGES_CALENDAR_H

#include <linkages/base.h>

#define ZONE_CHANGES_MAX 400
struct zone {
	char name[64];
	int32_t first_offset_s; /* before the first change */
	uint32_t n;
	struct zone_change {
		lk_instant at;
		int32_t offset_s; /* from then on */
	} change[ZONE_CHANGES_MAX];
};

int32_t zone_offset(const struct zone *zone, lk_instant at);
/* The instant as it is written there. */
struct lk_time zone_time(const struct zone *zone, lk_instant at);
/* The local day that contains the instant. */
lk_date zone_date(const struct zone *zone, lk_instant at);
/* Minutes since local midnight, 0..1439. */
int zone_minute(const struct zone *zone, lk_instant at);
/* The instant of a local wall time. A time that a change skips is moved forward by the gap; one that happens twice is
 * the first. minute may be 1440 and more: it counts on into later days. */
lk_instant zone_instant(const struct zone *zone, lk_date date, int minute);

/* The earlier of two instants, where LK_NO_INSTANT stands for never. */
static inline lk_instant instant_earlier(lk_instant a, lk_instant b)
{
	if (a == LK_NO_INSTANT)
		return b;
	return b == LK_NO_INSTANT || a < b ? a : b;
}

/* The same day of the month n months on (n may be negative); where that month is shorter, its last day. */
lk_date date_add_months(lk_date date, int n);
lk_date date_month_first(lk_date date);
lk_date date_month_last(lk_date date);
int date_weekday(lk_date date); /* 0 Sunday … 6 Saturday */

#endif
