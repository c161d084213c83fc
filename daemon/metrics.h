/* metrics.h - what the daemon counts and measures: one list gives the numbers, their names in Prometheus' exposition, their
 * kinds and their help. docs/metrics.md is made of it. A leaf.
 *
 * Numbers only; a label is a source's name, a lane or a code, so that nothing here can name a person or a case. Counters
 * count from the start of the process. One thread.
 */
#ifndef LINKAGES_METRICS_H
#define LINKAGES_METRICS_H

#include <linkages/wire.h>

enum metric_kind {
	METRIC_COUNTER, /* only grows */
	METRIC_GAUGE,   /* as it is now */
	METRIC_CLOCK,   /* a gauge of microseconds, told in seconds */
	METRIC_CPU,     /* a counter of microseconds, told in seconds */
	METRIC_TIMES,   /* a histogram of microseconds, told in seconds */
	METRIC_SIZES,   /* a histogram of counts */
};

/* M(enumerator, kind, name, labels or "", what it is). A gauge that nobody has set is not told. In `status` a counter is
 * named without `linkages_` and `_total`, and is the sum over its labels. */
#define METRICS(M) \
	M(METRIC_EVENTS_ACCEPTED, METRIC_COUNTER, "linkages_events_accepted_total", "source", \
	  "events stored and given to the engine") \
	M(METRIC_EVENTS_REPEATED, METRIC_COUNTER, "linkages_events_repeated_total", "source", \
	  "events that were known already") \
	M(METRIC_EVENTS_REFUSED, METRIC_COUNTER, "linkages_events_refused_total", "source,reason", \
	  "events kept as dead letters") \
	M(METRIC_BATCH, METRIC_SIZES, "linkages_batch_events", "", \
	  "events a transaction") \
	M(METRIC_COMMIT, METRIC_TIMES, "linkages_commit_seconds", "", \
	  "time a transaction of events took, folding, deriving and syncing included") \
	M(METRIC_BATCHES_FAILED, METRIC_COUNTER, "linkages_batches_failed_total", "", \
	  "transactions that the store refused; nothing was acknowledged") \
	M(METRIC_STORE_HELD, METRIC_GAUGE, "linkages_store_held", "lane", \
	  "1 while a batch waits for a store that refuses it") \
	M(METRIC_COMMITTED_AT, METRIC_CLOCK, "linkages_last_commit_timestamp_seconds", "", \
	  "instant of the last transaction that the store took, of whatever kind") \
	M(METRIC_PASSES, METRIC_COUNTER, "linkages_passes_total", "", "transactions of passing time") \
	M(METRIC_PASSES_FAILED, METRIC_COUNTER, "linkages_passes_failed_total", "", \
	  "passes that the store refused") \
	M(METRIC_WAKE_LAG, METRIC_CLOCK, "linkages_wake_lag_seconds", "", \
	  "how far behind its instant the next thing is that fell due; 0: nothing is overdue") \
	M(METRIC_SOURCE_SILENCE, METRIC_CLOCK, "linkages_source_silence_seconds", "source", \
	  "since the source was last heard; absent until it was") \
	M(METRIC_SOURCE_SILENT, METRIC_GAUGE, "linkages_source_silent", "source", \
	  "1 while the source is silent as the policy says; absent where its silence is not watched") \
	M(METRIC_FEED_GAPS, METRIC_COUNTER, "linkages_feed_gaps_total", "source", \
	  "events missing on the feed lane, by dense sequence or heartbeat") \
	M(METRIC_FEED_DROPPED, METRIC_COUNTER, "linkages_feed_dropped_total", "", \
	  "messages on the feed lane that were neither event nor ping") \
	M(METRIC_SOURCE_GAPS, METRIC_COUNTER, "linkages_source_gaps_total", "source", \
	  "events that an outbox had forgotten and nobody has") \
	M(METRIC_NAKS, METRIC_COUNTER, "linkages_naks_total", "", \
	  "gaps that a publisher was asked to fill") \
	M(METRIC_OVER_CREDIT, METRIC_COUNTER, "linkages_over_credit_total", "", \
	  "events sent above the credit") \
	M(METRIC_INTAKE_CREDIT, METRIC_GAUGE, "linkages_intake_credit_events", "", \
	  "what a publisher may have sent beyond the last acknowledged event; 0: the disk is nearly full") \
	M(METRIC_SOURCE_SLOWED, METRIC_GAUGE, "linkages_source_slowed", "source", \
	  "1 while a source gets less credit than others because so much of what it sends is refused") \
	M(METRIC_NOTICES, METRIC_COUNTER, "linkages_notices_total", "kind,level,state", \
	  "tellings of notices, committed") \
	M(METRIC_UNANSWERED, METRIC_GAUGE, "linkages_notices_unanswered", "", \
	  "notices that were told, still hold, and that nobody has acknowledged") \
	M(METRIC_NOTICES_SENT, METRIC_COUNTER, "linkages_notices_sent_total", "", \
	  "notices handed to a session") \
	M(METRIC_DISCLOSURES, METRIC_COUNTER, "linkages_disclosures_total", "level", \
	  "notices with something of the other side, told or handed out again") \
	M(METRIC_DENIALS, METRIC_COUNTER, "linkages_disclosure_denials_total", "", \
	  "notices handed out as a number and a kind, because their basis has gone") \
	M(METRIC_MAILBOX_WAITING, METRIC_GAUGE, "linkages_mailbox_waiting_notices", "", \
	  "notices that no client has stored yet, over all mailboxes; looked at every 15 s") \
	M(METRIC_MAILBOX_BEHIND, METRIC_GAUGE, "linkages_mailboxes_waiting", "", \
	  "mailboxes in which something waits") \
	M(METRIC_MAILBOX_AGE, METRIC_CLOCK, "linkages_mailbox_oldest_seconds", "", \
	  "age of the oldest notice that waits; 0: nothing waits") \
	M(METRIC_CAUGHTUP, METRIC_COUNTER, "linkages_caughtup_total", "", \
	  "catch-ups that came to their end") \
	M(METRIC_RECEIPTS, METRIC_COUNTER, "linkages_receipts_total", "", "receipts written") \
	M(METRIC_ANSWERS, METRIC_COUNTER, "linkages_answers_total", "", \
	  "notices that a person acknowledged") \
	M(METRIC_MAILBOX_MISMATCHES, METRIC_COUNTER, "linkages_mailbox_mismatches_total", "", \
	  "clients that came with another mailbox, or ahead of ours") \
	M(METRIC_SESSIONS, METRIC_GAUGE, "linkages_sessions", "lane", "sessions now") \
	M(METRIC_SESSIONS_OPENED, METRIC_COUNTER, "linkages_sessions_opened_total", "", \
	  "hellos that were welcomed") \
	M(METRIC_SESSIONS_SILENT, METRIC_COUNTER, "linkages_sessions_silent_total", "", \
	  "sessions ended by silence") \
	M(METRIC_ERRORS_SENT, METRIC_COUNTER, "linkages_errors_sent_total", "", \
	  "sessions ended by an error message") \
	M(METRIC_VERBS, METRIC_COUNTER, "linkages_verbs_total", "", \
	  "questions answered on the control lane") \
	M(METRIC_VERBS_FORBIDDEN, METRIC_COUNTER, "linkages_verbs_forbidden_total", "", \
	  "questions by somebody without the role") \
	M(METRIC_ZAP_ADMITTED, METRIC_COUNTER, "linkages_zap_admitted_total", "", \
	  "connections whose key is enrolled") \
	M(METRIC_ZAP_UNKNOWN, METRIC_COUNTER, "linkages_zap_unknown_total", "", \
	  "connections refused: key not enrolled") \
	M(METRIC_ZAP_REVOKED, METRIC_COUNTER, "linkages_zap_revoked_total", "", \
	  "connections refused: key revoked") \
	M(METRIC_ZAP_PROOFS, METRIC_COUNTER, "linkages_zap_proofs_total", "", \
	  "our own knocks at start, refused as they should be") \
	M(METRIC_SHAPE_DROPPED, METRIC_COUNTER, "linkages_shape_dropped_total", "", \
	  "messages of unexpected parts, dropped whole") \
	M(METRIC_FOREIGN_ROUTE, METRIC_COUNTER, "linkages_foreign_route_total", "", \
	  "messages of peers that chose their own routing id") \
	M(METRIC_UNPROVEN, METRIC_COUNTER, "linkages_unproven_total", "", \
	  "messages without a key that counts") \
	M(METRIC_MALFORMED, METRIC_COUNTER, "linkages_malformed_total", "", \
	  "bodies that were no lane message") \
	M(METRIC_HUNG_UP, METRIC_COUNTER, "linkages_hung_up_total", "", \
	  "connections shut: their key does not count any more, or their session was silent") \
	M(METRIC_PARTED, METRIC_COUNTER, "linkages_parted_total", "", \
	  "messages not sent because the session's connection was another or none") \
	M(METRIC_SENDS_BLOCKED, METRIC_COUNTER, "linkages_sends_blocked_total", "", \
	  "sends put off because a peer's queue was full") \
	M(METRIC_IDLE_BITES, METRIC_COUNTER, "linkages_idle_bites_total", "", \
	  "bites of checkpointing and projecting") \
	M(METRIC_FAMILIES, METRIC_GAUGE, "linkages_families", "", \
	  "families that are kept; counted every 15 s") \
	M(METRIC_BEHIND, METRIC_GAUGE, "linkages_families_behind", "", \
	  "families that are yet to be derived again under the policy in force; counted every few seconds meanwhile") \
	M(METRIC_CASES, METRIC_GAUGE, "linkages_cases", "", "cases that were ever named") \
	M(METRIC_EVENTS, METRIC_GAUGE, "linkages_log_events", "", "events in the log") \
	M(METRIC_LETTERS, METRIC_GAUGE, "linkages_dead_letters", "", "dead letters kept") \
	M(METRIC_LEDGER, METRIC_GAUGE, "linkages_ledger_rows", "", "rows of the disclosure ledger") \
	M(METRIC_STORE_BYTES, METRIC_GAUGE, "linkages_store_bytes", "", "size of linkages.db") \
	M(METRIC_WAL_BYTES, METRIC_GAUGE, "linkages_wal_bytes", "", \
	  "size of the write-ahead log of linkages.db") \
	M(METRIC_DISK_FREE, METRIC_GAUGE, "linkages_disk_free_bytes", "", \
	  "what is left on the store's file system") \
	M(METRIC_CHECKPOINTS, METRIC_COUNTER, "linkages_checkpoints_total", "", \
	  "bites of the write-ahead log into the database") \
	M(METRIC_CHECKPOINT_US, METRIC_CPU, "linkages_checkpoint_seconds_total", "", \
	  "time spent in them") \
	M(METRIC_BACKUP_AT, METRIC_CLOCK, "linkages_last_backup_timestamp_seconds", "", \
	  "instant whose state the newest backup holds that was proved sound; absent until there is one, 0 when the last was forgotten") \
	M(METRIC_SCRUBBED_AT, METRIC_CLOCK, "linkages_last_scrub_timestamp_seconds", "", \
	  "instant at which all rows had been read and compared; absent until a scrub since the start") \
	M(METRIC_SCRUB_DAMAGES, METRIC_GAUGE, "linkages_scrub_damaged_rows", "", \
	  "rows that the last scrub found damaged") \
	M(METRIC_ALARM, METRIC_GAUGE, "linkages_alarm", "alarm", \
	  "1 while the alarm stands: see the runbook") \
	M(METRIC_ALARMS_RAISED, METRIC_COUNTER, "linkages_alarms_raised_total", "alarm", \
	  "how often each alarm was raised") \
	M(METRIC_RELOADS, METRIC_COUNTER, "linkages_reloads_total", "", "reloads that were accepted") \
	M(METRIC_RELOADS_REFUSED, METRIC_COUNTER, "linkages_reloads_refused_total", "", \
	  "reloads that were refused; the old settings stayed") \
	M(METRIC_HTTP_REQUESTS, METRIC_COUNTER, "linkages_http_requests_total", "code", \
	  "requests on the http lane, by the status they were answered with") \
	M(METRIC_HTTP_TURNED_AWAY, METRIC_COUNTER, "linkages_http_turned_away_total", "", \
	  "connections on the http lane that were too many or too slow") \
	M(METRIC_CLOCK_MANUAL, METRIC_GAUGE, "linkages_clock_manual", "", \
	  "1 where time is moved by hand: no real county") \
	M(METRIC_BUILD, METRIC_GAUGE, "linkages_build_info", "version", "1") \
	M(METRIC_STARTED_AT, METRIC_CLOCK, "process_start_time_seconds", "", \
	  "instant the process started") \
	M(METRIC_RESIDENT, METRIC_GAUGE, "process_resident_memory_bytes", "", "memory in use") \
	M(METRIC_CPU_US, METRIC_CPU, "process_cpu_seconds_total", "", \
	  "processor time, of user and system")

#define METRIC_ENUMERATOR(name, kind, word, labels, what) name,
enum metric { METRICS(METRIC_ENUMERATOR) metric_count };

/* What a body can say at most (wire.h): where a counter stays. For what is missing is as much as a peer claims. */
#define METRIC_MOST ((INT64_C(1) << 53) - 1)

/* A counter: of one set of labels, as metric_cell() has them, or without. */
void metric_add_to(enum metric metric, const char *labels, int64_t n);
void metric_add(enum metric metric, int64_t n);
int64_t metric_get(enum metric metric); /* over all labels */
int64_t metric_sum(int64_t a, int64_t b); /* of two counts: METRIC_MOST at most */
/* The place of one set of labels, like `source="calsaws"`, for as long as the process lives; made with 0. Without memory
 * it is a place that nobody reads. Nothing is escaped: labels are made of codes and checked names. */
int64_t *metric_cell(enum metric metric, const char *labels);
/* A gauge; labels "" where it has none. */
void metric_set(enum metric metric, const char *labels, int64_t value);
/* A histogram. */
void metric_observe(enum metric metric, int64_t value);

/* A counter's name as `status` has it, without `linkages_` and `_total`. */
struct lk_text metric_short_name(enum metric counter);
/* Appends one map of the counters' short names to numbers. */
void metrics_put(struct lk_bytes *out);
/* Appends all of it in Prometheus' text exposition format, version 0.0.4. */
void metrics_print(struct lk_bytes *out);

/* The table, for the documentation. */
struct metric_row {
	enum metric_kind kind;
	const char *name, *labels, *what;
};
const struct metric_row *metric_row(enum metric metric);
const char *metric_type(enum metric metric); /* "counter", "gauge", "histogram" */

#endif
