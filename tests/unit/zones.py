"""What Python's zoneinfo says of one time zone, for test_calendar.c to compare with: fifty years, line by line.

local DATE MINUTE SECONDS   the wall time is at so many seconds since 1970 (the first of two; past a gap, moved by it)
utc SECONDS OFFSET          the offset in force then
"""
import datetime
import sys
import zoneinfo

UTC = datetime.timezone.utc
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=UTC)
DAY = datetime.timedelta(days=1)


def seconds(moment):
    return (moment.astimezone(UTC) - EPOCH) // datetime.timedelta(seconds=1)


def offset(zone, second):
    return (EPOCH + datetime.timedelta(seconds=second)).astimezone(zone).utcoffset() // datetime.timedelta(seconds=1)


def main():
    zone = zoneinfo.ZoneInfo(sys.argv[1])
    day = datetime.datetime(2000, 1, 1)
    before = None
    while day.year < 2050:
        midnight = seconds(day.replace(tzinfo=zone))
        changes = before is not None and offset(zone, midnight + 2 * 86400) != offset(zone, before)
        # On days around a change every quarter of an hour, on others the times that rules ask for.
        for minute in range(0, 1440, 15) if changes else (0, 8 * 60, 17 * 60, 23 * 60 + 59):
            wall = day + datetime.timedelta(minutes=minute)
            print("local", (day - datetime.datetime(1970, 1, 1)).days, minute, seconds(wall.replace(tzinfo=zone)))
        print("utc", midnight + 3 * 3600, offset(zone, midnight + 3 * 3600))
        before = midnight
        day += DAY


main()
