/* metrics.h - what the daemon counts since it started: one list gives the counters and their names.
 * A leaf.
 *
 * Numbers only; nothing here can name a person or a case. One thread.
 */
#ifndef LINKAGES_METRICS_H
#define LINKAGES_METRICS_H

#include <linkages/wire.h>

/* M(enumerator, name, what it counts) */
#define METRICS(M) \
	M(METRIC_EVENTS_APPLIED, "events_applied", "events stored and given to the engine") \
	M(METRIC_EVENTS_REPEATED, "events_repeated", "events that were known already") \
	M(METRIC_EVENTS_REFUSED, "events_refused", "events kept as dead letters") \
	M(METRIC_BATCHES, "batches", "transactions of events") \
	M(METRIC_BATCH_US, "batch_us", "microseconds spent in them") \
	M(METRIC_BATCHES_FAILED, "batches_failed", \
	  "transactions that the store refused; nothing was acknowledged") \
	M(METRIC_PASSES, "passes", "transactions of passing time") \
	M(METRIC_PASSES_FAILED, "passes_failed", "passes that the store refused") \
	M(METRIC_FEED_GAPS, "feed_gaps", \
	  "events missing on the feed lane, by dense sequence or heartbeat") \
	M(METRIC_FEED_DROPPED, "feed_dropped", \
	  "messages on the feed lane that were neither event nor ping") \
	M(METRIC_SOURCE_GAPS, "source_gaps", "events that an outbox had forgotten and nobody has") \
	M(METRIC_NAKS, "naks", "gaps that a publisher was asked to fill") \
	M(METRIC_OVER_CREDIT, "over_credit", "events sent above the credit") \
	M(METRIC_NOTICES_SENT, "notices_sent", "notices handed to a session") \
	M(METRIC_CAUGHTUP, "caughtup", "catch-ups that came to their end") \
	M(METRIC_RECEIPTS, "receipts", "receipts written") \
	M(METRIC_ANSWERS, "answers", "notices that a person acknowledged") \
	M(METRIC_MAILBOX_MISMATCHES, "mailbox_mismatches", \
	  "clients that came with another mailbox, or ahead of ours") \
	M(METRIC_SESSIONS_OPENED, "sessions_opened", "hellos that were welcomed") \
	M(METRIC_SESSIONS_SILENT, "sessions_silent", "sessions ended by silence") \
	M(METRIC_ERRORS_SENT, "errors_sent", "sessions ended by an error message") \
	M(METRIC_VERBS, "verbs", "questions answered on the control lane") \
	M(METRIC_VERBS_FORBIDDEN, "verbs_forbidden", "questions by somebody without the role") \
	M(METRIC_ZAP_ADMITTED, "zap_admitted", "connections whose key is enrolled") \
	M(METRIC_ZAP_UNKNOWN, "zap_unknown", "connections refused: key not enrolled") \
	M(METRIC_ZAP_REVOKED, "zap_revoked", "connections refused: key revoked") \
	M(METRIC_ZAP_PROOFS, "zap_proofs", "our own knocks at start, refused as they should be") \
	M(METRIC_SHAPE_DROPPED, "shape_dropped", "messages of unexpected parts, dropped whole") \
	M(METRIC_FOREIGN_ROUTE, "foreign_route", \
	  "messages of peers that chose their own routing id") \
	M(METRIC_HUNG_UP, "hung_up", "connections shut because their key does not count any more") \
	M(METRIC_PARTED, "parted", \
	  "messages not sent because the session's connection was another or none") \
	M(METRIC_UNPROVEN, "unproven", "messages without a key that counts") \
	M(METRIC_MALFORMED, "malformed", "bodies that were no lane message") \
	M(METRIC_SENDS_BLOCKED, "sends_blocked", "sends put off because a peer's queue was full") \
	M(METRIC_IDLE_BITES, "idle_bites", "bites of checkpointing and projecting") \
	M(METRIC_RELOADS, "reloads", "reloads that were accepted") \
	M(METRIC_RELOADS_REFUSED, "reloads_refused", \
	  "reloads that were refused; the old settings stayed")

#define METRIC_ENUMERATOR(name, word, what) name,
enum metric { METRICS(METRIC_ENUMERATOR) metric_count };

void metric_add(enum metric metric, int64_t n);
int64_t metric_get(enum metric metric);
/* Appends one map of name to number. */
void metrics_put(struct lk_bytes *out);

#endif
