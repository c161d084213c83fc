/* batch.c - group commit.
 *
 * In: events, as many as came while the last commit ran. Out: their verdicts, after COMMIT and
 * never before. Promise: an event that was taken in is either committed or still here; a failed
 * fsync ends the process with status 75.
 *
 * It takes as many as 50 ms of work will do (credit.c): events that are late by months are folded
 * anew with their family's whole log, each, and others are not to wait for all of them.
 *
 * With a manual clock an event whose time lies ahead moves the clock there first, so a batch is cut
 * in pieces there.
 */
#include "batch.h"

#include "alarm.h"
#include "clock.h"
#include "credit.h"
#include "log.h"
#include "loop.h"
#include "metrics.h"
#include "wake.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#define RETRY_FIRST_US LK_SECOND
#define RETRY_MOST_US (60 * LK_SECOND)
/* protocol.md, "Time": an event further ahead is refused, and may not drag a clock along. */
#define AHEAD_MOST (400 * 24 * LK_HOUR)

struct batch_place {
	size_t source, bytes; /* where in the arena, which moves while it grows */
};

struct batch {
	struct batch_options options;
	struct loop_timer *retry;
	int64_t retry_us;
	bool held;
	size_t room;    /* for so many, at present */
	size_t n, done; /* taken in; committed already (a batch in pieces that failed half way) */
	struct lk_bytes arena;
	struct batch_place place[TURN_BATCH_MAX];
	struct turn_event event[TURN_BATCH_MAX];
	struct turn_verdict verdict[TURN_BATCH_MAX];
	struct lk_event decoded; /* large, so not on the stack */
};

/* ---- Collecting ---- */

int batch_add(struct batch *batch, const struct batch_input *input)
{
	struct batch_place place = { .source = batch->arena.len,
				     .bytes = batch->arena.len + input->source.len };
	size_t before = batch->arena.len;

	lk_bytes_add(&batch->arena, input->source.at, input->source.len);
	lk_bytes_add(&batch->arena, input->bytes, input->len);
	if (batch->arena.failed) {
		batch->arena.len = before;
		batch->arena.failed = false;
		return LK_EMEMORY;
	}
	struct turn_event *event = &batch->event[batch->n];
	*event = (struct turn_event){ .len = input->len,
				      .has_outbox_seq = input->has_outbox_seq,
				      .seq = input->seq,
				      .number = input->number };
	event->source.len = input->source.len;
	memcpy(event->epoch, input->epoch, LK_DIGEST);
	batch->place[batch->n] = place;
	return (int)batch->n++;
}

size_t batch_count(const struct batch *batch)
{
	return batch->n;
}

bool batch_is_full(const struct batch *batch)
{
	return batch->n >= batch->room || batch->arena.len + LK_EVENT_MAX > BATCH_BYTES_MAX;
}

bool batch_is_held(const struct batch *batch)
{
	return batch->held;
}

const struct turn_verdict *batch_verdict(const struct batch *batch, size_t i)
{
	return &batch->verdict[i];
}

/* The arena stands still now. */
static void resolve(struct batch *batch)
{
	for (size_t i = batch->done; i < batch->n; i++) {
		batch->event[i].source.at = (const char *)batch->arena.at + batch->place[i].source;
		batch->event[i].bytes = batch->arena.at + batch->place[i].bytes;
	}
}

/* ---- Committing ---- */

/* The time of an event that will be accepted as far as anyone can tell beforehand; else
 * LK_NO_INSTANT. */
static lk_instant time_of(struct batch *batch, const struct turn_event *event)
{
	struct lk_refused why;

	if (lk_event_decode(event->bytes, event->len, turn_agency_of, batch->options.turn,
			    &batch->decoded, &why) < 0 ||
	    !lk_text_is(batch->decoded.source, event->source))
		return LK_NO_INSTANT;
	return batch->decoded.time.at;
}

static bool moves_clock(const struct batch *batch, lk_instant time)
{
	lk_instant now = clock_now(batch->options.clock);

	return time != LK_NO_INSTANT && time > now &&
	       (now == CLOCK_UNSET || time - now <= AHEAD_MOST);
}

/* The first event from `done` on that must wait for the clock; n where none must. */
static size_t piece_end(struct batch *batch, lk_instant *ahead)
{
	if (!batch->options.clock->manual)
		return batch->n;
	for (size_t i = batch->done; i < batch->n; i++) {
		*ahead = time_of(batch, &batch->event[i]);
		if (moves_clock(batch, *ahead))
			return i;
	}
	return batch->n;
}

static int commit_piece(struct batch *batch, size_t end, struct lk_error *err)
{
	size_t from = batch->done;
	int rc = turn_events(batch->options.turn, clock_now(batch->options.clock),
			     batch->event + from, end - from, batch->verdict + from, err);

	if (rc == 0)
		batch->done = end;
	return rc;
}

static int commit_pieces(struct batch *batch, struct lk_error *err)
{
	lk_instant ahead = LK_NO_INSTANT;
	int rc = 0;

	while (rc == 0 && batch->done < batch->n) {
		size_t end = piece_end(batch, &ahead);
		if (end > batch->done)
			rc = commit_piece(batch, end, err);
		if (rc == 0 && end < batch->n)
			rc = wake_reach(batch->options.wake, ahead, err);
	}
	return rc;
}

static void hold(struct batch *batch, const struct lk_error *err)
{
	metric_add(METRIC_BATCHES_FAILED, 1);
	log_line(LOG_ERROR, "batch lane=%s n=%zu outcome=failed fault=%d detail=\"%s\"",
		 batch->options.name, batch->n, err->code, err->text);
	if (err->code == LK_ESYNC) {
		loop_stop(batch->options.loop, EX_TEMPFAIL);
		return;
	}
	alarm_raise(ALARM_STORE_FAILS, "lane=%s fault=%d", batch->options.name, err->code);
	loop_timer_in(batch->retry, batch->retry_us);
	batch->retry_us = batch->retry_us * 2 > RETRY_MOST_US ? RETRY_MOST_US : batch->retry_us * 2;
	if (!batch->held)
		batch->options.held(batch->options.owner, true);
	batch->held = true;
}

/* Where those of one source with one outcome end. */
static size_t run_end(const struct batch *batch, size_t i)
{
	size_t end = i + 1;

	while (end < batch->n && batch->verdict[end].outcome == batch->verdict[i].outcome &&
	       (batch->verdict[i].outcome != TURN_REFUSED ||
		batch->verdict[end].refused.reason == batch->verdict[i].refused.reason) &&
	       lk_text_is(batch->event[end].source, batch->event[i].source))
		end++;
	return end;
}

/* The source is a name of the configuration: nobody else gets an event this far. */
static void count_run(const struct batch *batch, size_t from, size_t end)
{
	static const enum metric metrics[] = {
		[TURN_APPLIED] = METRIC_EVENTS_ACCEPTED,
		[TURN_REPEATED] = METRIC_EVENTS_REPEATED,
		[TURN_REFUSED] = METRIC_EVENTS_REFUSED,
	};
	const struct turn_verdict *v = &batch->verdict[from];
	char labels[128], reason[48] = "";

	if (v->outcome == TURN_REFUSED)
		(void)snprintf(reason, sizeof(reason), ",reason=\"%s\"",
			       lk_refusal_word((int)v->refused.reason));
	(void)snprintf(labels, sizeof(labels), "source=\"%.*s\"%s",
		       LK_PRINT(batch->event[from].source), reason);
	metric_add_to(metrics[v->outcome], labels, (int64_t)(end - from));
}

static void count(const struct batch *batch, int64_t us)
{
	int64_t n[3] = { 0 };

	for (size_t i = 0, end; i < batch->n; i = end) {
		end = run_end(batch, i);
		n[batch->verdict[i].outcome] += (int64_t)(end - i);
		count_run(batch, i, end);
	}
	metric_observe(METRIC_BATCH, (int64_t)batch->n);
	metric_observe(METRIC_COMMIT, us);
	metric_set(METRIC_COMMITTED_AT, "", clock_read().machine);
	log_line(LOG_DETAIL,
		 "batch lane=%s n=%zu applied=%" PRId64 " repeated=%" PRId64 " refused=%" PRId64
		 " us=%" PRId64,
		 batch->options.name, batch->n, n[TURN_APPLIED], n[TURN_REPEATED], n[TURN_REFUSED],
		 us);
}

/* The source is checked text, the field one of ours or a member's name within limits; no value
 * of the event is told. */
static void log_refusal(const struct batch *batch, size_t i)
{
	const struct turn_event *event = &batch->event[i];
	const struct lk_refused *refused = &batch->verdict[i].refused;

	log_line(LOG_INFO, "event lane=%s source=%.*s seq=%" PRId64 " verdict=refused reason=%s",
		 batch->options.name, LK_PRINT(event->source), event->seq,
		 lk_refusal_word((int)refused->reason));
	if (refused->reason == LK_CONFLICT)
		alarm_raise(ALARM_CONFLICT, "lane=%s source=%.*s seq=%" PRId64, batch->options.name,
			    LK_PRINT(event->source), event->seq);
}

static void log_refusals(const struct batch *batch)
{
	for (size_t i = 0; i < batch->n; i++)
		if (batch->verdict[i].outcome == TURN_REFUSED)
			log_refusal(batch, i);
}

static void clear(struct batch *batch)
{
	bool was_held = batch->held;

	lk_bytes_clear(&batch->arena);
	batch->n = batch->done = 0;
	batch->retry_us = RETRY_FIRST_US;
	batch->held = false;
	if (was_held)
		batch->options.held(batch->options.owner, false);
}

void batch_commit(struct batch *batch)
{
	struct lk_error err = { 0 };
	int64_t began = clock_ticks(), worked = clock_work();

	if (batch->n == 0)
		return;
	resolve(batch);
	if (commit_pieces(batch, &err) < 0) {
		hold(batch, &err);
		return;
	}
	int64_t us = clock_ticks() - began;
	batch->room = credit_turn(batch->room, batch->n, clock_work() - worked, CREDIT_TURN_US,
				  TURN_BATCH_MAX);
	clock_mark(batch->options.clock);
	alarm_clear(ALARM_STORE_FAILS);
	batch->options.committed(batch->options.owner, us); /* first: somebody waits for it */
	count(batch, us);
	log_refusals(batch);
	clear(batch);
}

static void try_again(void *context)
{
	batch_commit(context);
}

/* ---- Life ---- */

int batch_create(const struct batch_options *options, struct batch **out, struct lk_error *err)
{
	struct batch *batch = calloc(1, sizeof(*batch));

	if (batch == NULL)
		return lk_fail(err, LK_EMEMORY, "no memory for a batch");
	batch->options = *options;
	batch->retry_us = RETRY_FIRST_US;
	batch->room = CREDIT_TURN_FIRST;
	int rc =
		loop_timer_create(options->loop, LOOP_PROMPT, try_again, batch, &batch->retry, err);
	if (rc < 0) {
		free(batch);
		return rc;
	}
	*out = batch;
	return 0;
}

void batch_destroy(struct batch *batch)
{
	if (batch == NULL)
		return;
	loop_timer_destroy(batch->retry);
	lk_bytes_free(&batch->arena);
	free(batch);
}
