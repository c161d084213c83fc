/* alarm.c - alarms, in the log and in the status.
 *
 * In: causes, as their modules meet them. Out: a line each, and what stands. Promise: an alarm that
 * stands is told of when it begins and when it ends, however often its cause is met meanwhile.
 */
#include "alarm.h"

#include "log.h"

#include <stdarg.h>
#include <stdio.h>

static const struct {
	const char *word;
	bool stands;
} alarms[] = {
#define ALARM_ROW(name, word, stands, what) [name] = { word, stands },
	ALARMS(ALARM_ROW)
};

static struct {
	bool stands;
	int64_t raised;
} states[alarm_count];

void alarm_raise(enum alarm alarm, const char *format, ...)
{
	char said[200];
	va_list values;

	if (states[alarm].stands)
		return;
	states[alarm].stands = alarms[alarm].stands;
	states[alarm].raised++;
	va_start(values, format);
	(void)vsnprintf(said, sizeof(said), format, values);
	va_end(values);
	log_line(LOG_ERROR, "alarm=%s %s", alarms[alarm].word, said);
}

void alarm_clear(enum alarm alarm)
{
	if (!states[alarm].stands)
		return;
	states[alarm].stands = false;
	log_line(LOG_NOTE, "alarm=%s outcome=over", alarms[alarm].word);
}

bool alarm_stands(enum alarm alarm)
{
	return states[alarm].stands;
}

void alarms_put(struct lk_bytes *out)
{
	uint32_t n = 0;

	for (int i = 0; i < alarm_count; i++)
		n += states[i].raised > 0;
	lk_put_map(out, n);
	for (int i = 0; i < alarm_count; i++) {
		if (states[i].raised == 0)
			continue;
		lk_put_word(out, alarms[i].word);
		lk_put_map(out, 2);
		lk_member_bool(out, "stands", states[i].stands);
		lk_member_int(out, "raised", states[i].raised);
	}
}

const char *alarm_word(enum alarm alarm)
{
	return alarms[alarm].word;
}

int64_t alarm_raised(enum alarm alarm)
{
	return states[alarm].raised;
}
