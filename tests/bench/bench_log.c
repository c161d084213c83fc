/* bench_log.c - a long log: events of cases that are there, written by the store's own code.
 *
 * In: how many events, over how many families; the folder of a store that no daemon holds, or memory. Out: that many rows more in
 * the log, and a line that says how long it took. Promise: they are as if a year's events had come in and been folded:
 * the families' rows stay as they are, so that a daemon can be started on the folder at once.
 */
#include "store/store.h"

#include <linkages/wire.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define A_BATCH 10000
#define CORRECTED 100                            /* one in so many supersedes an earlier one */
#define IN_A_ROW 20                              /* of one outbox, before the other's turn */
#define BEGUN_AT (INT64_C(20454) * 24 * LK_HOUR) /* 2026-01-01 */

static struct lk_error err;

static void must(int rc)
{
	if (rc >= 0)
		return;
	fprintf(stderr, "bench_log: %s\n", err.text);
	exit(2);
}

static void put_pair(struct lk_bytes *w, const char *name, const char *value)
{
	lk_put_word(w, name);
	lk_put_word(w, value);
}

static void put_body(struct lk_bytes *w, const struct stored_event *row, const char *id,
		     const char *subject)
{
	lk_bytes_clear(w);
	lk_put_map(w, 7);
	lk_put_word(w, "data");
	lk_put_map(w, 2);
	put_pair(w, "milestone", "training_completed");
	put_pair(w, "note", "The second course was completed, and the certificate was handed in.");
	put_pair(w, "id", id);
	lk_member_text(w, "source", row->source);
	put_pair(w, "specversion", "1.0");
	put_pair(w, "subject", subject);
	lk_put_word(w, "time");
	lk_put_time(w, (struct lk_time){ row->time_at, 0 });
	put_pair(w, "type", "milestone.reached");
}

static int agency_of(int64_t n)
{
	return (int)(n / IN_A_ROW % 2);
}

/* Of the first n events, those that one agency sent. */
static int64_t sent(int agency, int64_t n)
{
	int64_t rest = n % (2 * IN_A_ROW) - agency * IN_A_ROW;

	return n / (2 * IN_A_ROW) * IN_A_ROW + (rest < 0 ? 0 : rest < IN_A_ROW ? rest : IN_A_ROW);
}

static void add(struct store *s, struct lk_bytes *body, int64_t n, int families)
{
	int agency = agency_of(n);
	char id[32], old[32], subject[16];
	int64_t position;
	/* Families at their own pace, not in turn: as it is. */
	int family = (int)((uint64_t)n * UINT64_C(11400714819323198485) >> 40) % families;

	(void)snprintf(id, sizeof(id), "h-%09lld", (long long)n);
	(void)snprintf(old, sizeof(old), "h-%09lld", (long long)(n - 2));
	(void)snprintf(subject, sizeof(subject), "%c%07d", agency == LK_CWS ? 'C' : 'W', family);
	struct stored_event row = {
		.agency = agency,
		.source = lk_text_of(agency == LK_CWS ? "cws-cms" : "calsaws"),
		.id = lk_text_of(id),
		.number = lk_text_of(subject),
		.supersedes = n % CORRECTED == CORRECTED - 1 ? lk_text_of(old) : LK_NO_TEXT,
		.type = LK_MILESTONE_REACHED,
		.time_at = BEGUN_AT + n * 1000,
		.received_at = BEGUN_AT + n * 1000 + LK_SECOND,
		.has_outbox_seq = true,
		.outbox_seq = sent(agency, n) + 1,
		.epoch = { 'h', (uint8_t)agency },
	};
	put_body(body, &row, id, subject);
	row.body = body->at;
	row.body_len = body->len;
	must(store_event_add(s, &row, &position, &err));
}

static void came(void *context, struct lk_text source, lk_instant received_at)
{
	(void)context;
	(void)source;
	(void)received_at;
}

/* As the turn does it: how far the outboxes are, and what time it is, is written with the events. */
static void end_batch(struct store *s, int64_t n)
{
	lk_instant now = BEGUN_AT;

	for (int agency = 0; agency < 2; agency++) {
		struct stored_stream stream = {
			.source = lk_text_of(agency == LK_CWS ? "cws-cms" : "calsaws"),
			.epoch = { 'h', (uint8_t)agency },
			.next = sent(agency, n) + 1,
		}, got;

		must(store_stream_put(s, &stream, &err));
		/* Known from its first batch on, as to a daemon that was asked for it. */
		must(store_stream_get(s, stream.source, stream.epoch, &got, &err));
	}
	must(store_now_get(s, &now, came, NULL, &err));
	must(store_now_put(s, now, &err));
	must(store_commit(s, &err));
	must(store_idle(s, &err));
}

int main(int argc, char **argv)
{
	const struct store_options options = { .directory = argc > 3 ? argv[3] : NULL };
	int64_t events = argc > 1 ? atoll(argv[1]) : 100000;
	int families = argc > 2 ? atoi(argv[2]) : 1000;
	struct lk_bytes body = { 0 };
	struct store *store;
	time_t begun = time(NULL);

	if (events < 1 || families < 1) {
		fputs("usage: bench_log [EVENTS [FAMILIES [FOLDER]]]\n", stderr);
		return 2;
	}
	must(store_open(&options, &store, &err));
	for (int64_t n = 0; n < events;) {
		must(store_begin(store, &err));
		for (int i = 0; i < A_BATCH && n < events; i++)
			add(store, &body, n++, families);
		end_batch(store, n);
	}
	printf("log events=%lld seconds=%lld\n", (long long)events,
	       (long long)(time(NULL) - begun));
	store_close(store);
	lk_bytes_free(&body);
	return 0;
}
