/* measure.c - gauges: what is looked at when somebody asks for the metrics.
 *
 * In: the modules' own numbers. Out: metrics that are as of now. Promise: a look costs some system calls and no walk over
 * a table: what needs one is census.c's.
 */
#include "daemon.h"

#include "alarm.h"
#include "census.h"
#include "feed.h"
#include "inbox.h"
#include "intake.h"
#include "lane.h"
#include "metrics.h"
#include "wake.h"

#include <stdio.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static int64_t since(lk_instant now, lk_instant then)
{
	return then == LK_NO_INSTANT || then > now ? 0 : now - then;
}

static void set_of(enum metric metric, const char *label, const char *of, int64_t value)
{
	char labels[128];

	(void)snprintf(labels, sizeof(labels), "%s=\"%s\"", label, of);
	metric_set(metric, labels, value);
}

static void measure_sources(struct daemon *d, lk_instant now)
{
	struct turn_hearing h;

	for (size_t i = 0; turn_hearing(d->turn, i, &h); i++) {
		if (h.heard_at != LK_NO_INSTANT)
			set_of(METRIC_SOURCE_SILENCE, "source", h.name, since(now, h.heard_at));
		if (h.watched)
			set_of(METRIC_SOURCE_SILENT, "source", h.name, h.silent);
	}
}

static void measure_lanes(struct daemon *d)
{
	set_of(METRIC_SESSIONS, "lane", "intake", (int64_t)lane_count(intake_lane(d->intake)));
	set_of(METRIC_SESSIONS, "lane", "inbox", (int64_t)lane_count(inbox_lane(d->inbox)));
	set_of(METRIC_STORE_HELD, "lane", "intake", intake_is_held(d->intake));
	set_of(METRIC_STORE_HELD, "lane", "feed", feed_is_held(d->feed));
	metric_set(METRIC_INTAKE_CREDIT, "", intake_credit(d->intake));
	metric_set(METRIC_DISK_FREE, "", intake_free_bytes(d->intake));
}

static void measure_alarms(void)
{
	for (int i = 0; i < alarm_count; i++) {
		const char *word = alarm_word((enum alarm)i);

		set_of(METRIC_ALARM, "alarm", word, alarm_stands((enum alarm)i));
		set_of(METRIC_ALARMS_RAISED, "alarm", word, alarm_raised((enum alarm)i));
	}
}

static void measure_store(struct daemon *d, lk_instant now)
{
	struct store_work work;
	struct store_counts counts;
	struct census_count count;

	store_work(d->store, &work);
	metric_set(METRIC_CHECKPOINTS, "", work.checkpoints);
	metric_set(METRIC_CHECKPOINT_US, "", work.checkpoint_us);
	if (store_counts(d->store, &counts, NULL) == 0) {
		metric_set(METRIC_EVENTS, "", counts.events);
		metric_set(METRIC_LETTERS, "", counts.dead_letters);
		metric_set(METRIC_CASES, "", counts.cases);
		metric_set(METRIC_LEDGER, "", counts.ledger_rows);
		metric_set(METRIC_STORE_BYTES, "", counts.bytes);
		metric_set(METRIC_WAL_BYTES, "", counts.wal_bytes);
	}
	if (!census_count(d->census, &count))
		return;
	metric_set(METRIC_FAMILIES, "", count.families);
	metric_set(METRIC_MAILBOX_WAITING, "", count.notices);
	metric_set(METRIC_MAILBOX_BEHIND, "", count.mailboxes);
	metric_set(METRIC_MAILBOX_AGE, "", since(now, count.oldest_at));
}

static int64_t resident_bytes(void)
{
	FILE *file = fopen("/proc/self/statm", "re");
	long total = 0, resident = 0;

	if (file == NULL)
		return 0;
	if (fscanf(file, "%ld %ld", &total, &resident) != 2)
		resident = 0;
	(void)fclose(file);
	return resident * sysconf(_SC_PAGESIZE);
}

static void measure_process(void)
{
	struct rusage usage;

	if (getrusage(RUSAGE_SELF, &usage) == 0)
		metric_set(METRIC_CPU_US, "",
			   (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * LK_SECOND +
				   usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
	metric_set(METRIC_RESIDENT, "", resident_bytes());
}

void daemon_measure(struct daemon *d)
{
	lk_instant now = clock_now(&d->clock);
	lk_instant wake = wake_next(d->wake);

	measure_sources(d, now);
	measure_lanes(d);
	measure_alarms();
	measure_store(d, now);
	measure_process();
	metric_set(METRIC_WAKE_LAG, "", since(now, wake));
	metric_set(METRIC_UNANSWERED, "", turn_unanswered(d->turn));
	if (turn_behind(d->turn) != TURN_UNCOUNTED)
		metric_set(METRIC_BEHIND, "", turn_behind(d->turn));
}

static int note_backup(void *context, const struct stored_backup *backup)
{
	lk_instant *newest = context;

	if (backup->verified_at != LK_NO_INSTANT && backup->made_at > *newest)
		*newest = backup->made_at;
	return 0;
}

/* Where the last one was forgotten, 0: a time that is too long ago for whoever watches. */
void daemon_measure_backups(struct daemon *d)
{
	lk_instant newest = 0;

	if (store_backups(d->store, note_backup, &newest, NULL) >= 0 &&
	    (newest > 0 || metric_get(METRIC_BACKUP_AT) > 0))
		metric_set(METRIC_BACKUP_AT, "", newest);
}

/* What is there from the start, so that a first event is an increase and not a new series. */
void daemon_measure_first(struct daemon *d)
{
	static const enum metric of_sources[] = { METRIC_EVENTS_ACCEPTED, METRIC_EVENTS_REPEATED,
						  METRIC_FEED_GAPS, METRIC_SOURCE_GAPS };
	char labels[128];

	for (size_t s = 0; s < d->config.sources_n; s++) {
		(void)snprintf(labels, sizeof(labels), "source=\"%s\"", d->config.sources[s].name);
		for (size_t i = 0; i < sizeof(of_sources) / sizeof(*of_sources); i++)
			(void)metric_cell(of_sources[i], labels);
	}
	daemon_measure_backups(d);
	set_of(METRIC_BUILD, "version", LINKAGES_VERSION, 1);
	metric_set(METRIC_CLOCK_MANUAL, "", d->clock.manual);
	metric_set(METRIC_STARTED_AT, "", (int64_t)time(NULL) * LK_SECOND);
}

/* ---- What the turn tells ---- */

void daemon_count_made(const struct turn_made *made)
{
	static int64_t *cells[lk_notice_kind_count][lk_level_count][lk_notice_state_count];
	int64_t **cell = &cells[made->kind][made->level][made->state];
	char labels[128];

	if (*cell == NULL) {
		(void)snprintf(labels, sizeof(labels), "kind=\"%s\",level=\"%s\",state=\"%s\"",
			       lk_notice_kind_word(made->kind), lk_level_word(made->level),
			       lk_notice_state_word(made->state));
		*cell = metric_cell(METRIC_NOTICES, labels);
	}
	**cell += 1;
	if (made->level >= LK_REGISTRY)
		daemon_count_handed(made->level, 1);
}

void daemon_count_handed(int level, int64_t n)
{
	char labels[32];

	if (level < 0) {
		metric_add(METRIC_DENIALS, n);
		return;
	}
	(void)snprintf(labels, sizeof(labels), "level=\"%s\"", lk_level_word(level));
	metric_add_to(METRIC_DISCLOSURES, labels, n);
}
