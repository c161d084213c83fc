/* intake.c - what publishers say: hello, event, events, ping, pong.
 *
 * In: outboxes' events, numbered. Out: one batch of what waits, in the order in which it happened (merge.c); acknowledgements
 * after its COMMIT (intake_send.c). Promise: what is acknowledged is on disk; a gap is asked for again; nothing above the
 * credit is taken; a verdict is never lost with a lost acknowledgement.
 */
#include "intake_parts.h"

#include "access.h"
#include "alarm.h"
#include "clock.h"
#include "log.h"
#include "loop.h"
#include "metrics.h"
#include "wake.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sysexits.h>

/* A batch of so few is for whoever waits: its notices go out before its acknowledgements. Of a larger one publishers hear
 * first, so that they send while it is handed out. */
#define FEW 16
/* At the end what waits is committed for so long; the rest is sent again to whoever starts next. */
#define DRAIN_US (2 * LK_SECOND)

/* ---- Subscriptions ---- */

static void subscription_free(struct intake *intake, struct subscription *s)
{
	merge_clear(&intake->merge, &s->queue);
	if (s->stream != NULL)
		stream_release(&intake->outboxes, s->stream);
	*s = (struct subscription){ .first = NO_INPUT, .last = NO_INPUT };
}

static struct subscription *subscription_find(struct intake_session *session,
					      const uint8_t epoch[LK_DIGEST])
{
	for (size_t i = 0; i < STREAMS_MAX; i++) {
		struct subscription *s = &session->subscription[i];
		if (s->stream != NULL && memcmp(s->stream->epoch, epoch, LK_DIGEST) == 0)
			return s;
	}
	return NULL;
}

/* The one of this epoch, a free one, or NULL. */
static struct subscription *subscription_for(struct intake_session *session,
					     const uint8_t epoch[LK_DIGEST])
{
	struct subscription *found = subscription_find(session, epoch);

	for (size_t i = 0; found == NULL && i < STREAMS_MAX; i++)
		if (session->subscription[i].stream == NULL)
			found = &session->subscription[i];
	return found;
}

/* ---- What the next commit takes ---- */

static int add_to_batch(struct intake *intake, struct subscription *s)
{
	const struct merge_event *event = s->queue.first;
	struct batch_input input = {
		.source = lk_text_of(s->stream->source),
		.bytes = event->bytes,
		.len = event->len,
		.has_outbox_seq = true,
		.seq = event->seq,
	};

	memcpy(input.epoch, s->stream->epoch, LK_DIGEST);
	int i = batch_add(intake->batch, &input);
	if (i < 0)
		return i;
	intake->input[i] = (struct intake_input){ s->stream, event->seq, NO_INPUT };
	s->stream->users++;
	if (s->last == NO_INPUT)
		s->first = i;
	else
		intake->input[s->last].next = i;
	s->last = i;
	if (event->seq == s->taken)
		s->taken++;
	return 0;
}

/* What a batch has no memory for waits on. */
static void commit_next(struct intake *intake)
{
	struct merge_queue *next;

	if (batch_is_held(intake->batch))
		return;
	merge_begin(&intake->merge);
	while (!batch_is_full(intake->batch) && (next = merge_next(&intake->merge)) != NULL &&
	       add_to_batch(intake, (struct subscription *)next) == 0)
		merge_take(&intake->merge, next);
	batch_commit(intake->batch);
}

/* ---- Hello ---- */

static int collect_refusal(void *context, const struct dead_letter *letter)
{
	struct refusals *r = context;

	refusals_add(r, letter->seq, letter->reason, letter->field, letter->detail);
	return r->n == REFUSALS_MAX;
}

static struct intake_session *session_for(struct intake *intake, const struct lane_sender *from)
{
	struct intake_session *session = (struct intake_session *)from->session;

	if (session != NULL)
		return session;
	session = calloc(1, sizeof(*session));
	if (session == NULL)
		return NULL;
	for (size_t i = 0; i < STREAMS_MAX; i++)
		subscription_free(intake, &session->subscription[i]);
	lane_open(intake->lane, from, &session->base);
	return session;
}

static void store_failed(struct intake *intake, const struct lane_sender *from,
			 const struct lk_error *err)
{
	log_line(LOG_ERROR, "intake outcome=failed fault=%d detail=\"%s\"", err->code, err->text);
	if (err->code == LK_ESYNC)
		loop_stop(intake->options.place.loop, EX_TEMPFAIL);
	lane_error(intake->lane, from, LANE_BUSY, "the store cannot answer now");
}

/* Another session may speak under the same epoch and have inputs in the batch, and so may this
 * one: they count. */
static bool attach(struct intake *intake, struct intake_session *session, struct lk_text source,
		   const uint8_t epoch[LK_DIGEST], const struct stored_stream *stored,
		   struct subscription **out)
{
	struct subscription *s = subscription_for(session, epoch);
	struct stream *stream = s != NULL ? stream_use(&intake->outboxes, source, epoch) : NULL;

	if (stream == NULL)
		return false;
	subscription_free(intake, s);
	s->stream = stream;
	s->queue.source = stream->source;
	stream->safe = stored->safe;
	*out = s;
	return true;
}

static void tell_gap(const struct stored_stream *stream)
{
	char labels[128];

	(void)snprintf(labels, sizeof(labels), "source=\"%.*s\"", LK_PRINT(stream->source));
	metric_add_to(METRIC_SOURCE_GAPS, labels, stream->missing);
	alarm_raise(ALARM_SOURCE_GAP, "source=%.*s missing=%" PRId64 " upto=%" PRId64,
		    LK_PRINT(stream->source), stream->missing, stream->next - 1);
}

static void tell_old(struct intake *intake, const struct lk_msg_pub_hello *hello)
{
	alarm_raise(ALARM_STORE_OLD, "source=%.*s acked=%" PRId64, LK_PRINT(hello->source),
		    hello->acked);
	intake->options.renewed(intake->options.context);
}

static void subscribe(struct intake *intake, const struct lane_sender *from,
		      const struct lk_msg_pub_hello *hello, const uint8_t epoch[LK_DIGEST])
{
	struct stored_stream stored = { 0 };
	struct refusals refusals = { 0 };
	struct lk_error err = { 0 };
	struct subscription *s;
	int rc = turn_subscribe(intake->options.turn, hello->source, epoch, hello->first,
				hello->last, hello->acked, &stored, collect_refusal, &refusals,
				&err);

	if (stored.shows_old) /* and mailboxes have begun anew, whatever becomes of this hello */
		tell_old(intake, hello);
	if (rc < 0) {
		store_failed(intake, from, &err);
		goto out;
	}
	struct intake_session *session = session_for(intake, from);
	const struct lane_sender known = { from->route, from->client,
					   session != NULL ? &session->base : NULL };
	if (session == NULL || !attach(intake, session, hello->source, epoch, &stored, &s)) {
		lane_error(intake->lane, &known, LANE_BUSY, "no room for another stream");
		goto out;
	}
	turn_heard(intake->options.turn, hello->source, clock_now(intake->options.clock));
	if (stored.missing > 0)
		tell_gap(&stored);
	if (intake_send_subscribe(intake, from, hello->epoch, s, &stored, &refusals))
		log_line(LOG_INFO,
			 "subscribe client=%s source=%.*s epoch=%.8s next=%" PRId64
			 " last=%" PRId64,
			 from->client->name, LK_PRINT(hello->source), hello->epoch.at,
			 stored.wanted, hello->last);
out:
	lk_bytes_free(&refusals.items);
}

static bool hello_makes_sense(const struct lk_msg_pub_hello *hello)
{
	return hello->first >= 1 && hello->first <= hello->last + 1 && hello->acked <= hello->last;
}

static bool take_hello(struct intake *intake, const struct lane_sender *from,
		       const struct lk_message *message)
{
	const struct lk_msg_pub_hello *hello = &message->pub_hello;
	uint8_t epoch[LK_DIGEST];

	/* What waits is committed first, as much as one commit takes; what is left of it is asked for again. It ends the bite, so
	 * that many hellos are not as many commits in one. The acknowledgement may find nobody. */
	bool commits = intake->merge.waiting != NULL;
	commit_next(intake);
	const struct lane_sender now = lane_sender_now(intake->lane, from);
	from = &now;
	if (hello->v != LK_PROTOCOL_VERSION)
		lane_error(intake->lane, from, LANE_VERSION, "1");
	else if (turn_agency_of(intake->options.turn, hello->source) < 0)
		lane_error(intake->lane, from, LANE_UNKNOWN_SOURCE, "no such source is configured");
	else if (!roster_may_speak_for(from->client, hello->source))
		lane_error(intake->lane, from, LANE_FORBIDDEN,
			   "this key may not speak for the source");
	else if (lk_digest_parse(hello->epoch, epoch) < 0 || !hello_makes_sense(hello))
		lane_error(intake->lane, from, LANE_MALFORMED,
			   "first, last and acked contradict each other");
	else if (batch_is_held(intake->batch))
		lane_error(intake->lane, from, LANE_BUSY, "the store cannot answer now");
	else
		subscribe(intake, from, hello, epoch);
	return !batch_is_held(intake->batch) && !commits;
}

/* ---- Events ---- */

/* Above the credit: told once, then the session is over. */
static void exceeded(struct intake *intake, const struct lane_sender *from, struct subscription *s)
{
	metric_add(METRIC_OVER_CREDIT, 1);
	if (s->exceeded) {
		lane_error(intake->lane, from, LANE_BUSY, "more was sent than was asked for");
		return;
	}
	s->exceeded = true;
	intake_send_nak(intake, from->route, s);
}

/* Bytes that were measured only: what is read is read within them, and what they say is judged with the event. */
static lk_instant time_of(struct lk_span event)
{
	struct lk_time time;

	return lk_time_parse(lk_as_text(lk_get(event, "time")), &time) == 0 ? time.at
									    : LK_NO_INSTANT;
}

static int keep_waiting(struct intake *intake, struct subscription *s, int64_t seq,
			struct lk_span event)
{
	int rc = merge_add(&intake->merge, &s->queue, seq, time_of(event), event.at, event.len);

	if (rc < 0)
		return rc;
	if (seq == s->next)
		s->next++;
	s->queue.is_pressed |= s->next > s->told;
	return 0;
}

/* NULL: it may not send events, and was told why. */
static struct subscription *subscription_named(struct intake *intake,
					       const struct lane_sender *from, struct lk_text name)
{
	struct intake_session *session = (struct intake_session *)from->session;
	uint8_t epoch[LK_DIGEST];
	struct subscription *s = NULL;

	if (session != NULL && lk_digest_parse(name, epoch) == 0)
		s = subscription_find(session, epoch);
	if (s == NULL)
		lane_error(intake->lane, from, LANE_NO_SESSION, "say hello first");
	else if (!roster_may_speak_for(from->client, lk_text_of(s->stream->source)))
		lane_error(intake->lane, from, LANE_FORBIDDEN,
			   "this key may not speak for the source any more");
	else
		return s;
	return NULL;
}

/* False: it was not taken, and what follows it is not to be looked at. The session may be over. */
static bool take_one(struct intake *intake, const struct lane_sender *from, struct subscription *s,
		     int64_t seq, struct lk_span event)
{
	if (seq < 1) {
		lane_error(intake->lane, from, LANE_MALFORMED, "seq counts from 1");
	} else if (seq > s->limit) {
		exceeded(intake, from, s);
	} else if (seq > s->next) {
		if (s->naked != s->next)
			intake_send_nak(intake, from->route, s);
	} else if (keep_waiting(intake, s, seq, event) < 0) {
		lane_error(intake->lane, from, LANE_BUSY, "no memory");
	} else {
		return true;
	}
	return false;
}

/* True: so much waits that the message comes once more, after the next commit. */
static bool is_put_off(struct intake *intake)
{
	bool full = merge_is_full(&intake->merge);

	if (full)
		lane_keep(intake->lane);
	return full;
}

static bool take_event(struct intake *intake, const struct lane_sender *from,
		       const struct lk_message *message)
{
	const struct lk_msg_event_sent *event = &message->event_sent;
	struct subscription *s;

	if (is_put_off(intake))
		return false;
	s = subscription_named(intake, from, event->epoch);
	if (s != NULL)
		(void)take_one(intake, from, s, event->seq, event->event);
	return true;
}

static bool take_events(struct intake *intake, const struct lane_sender *from,
			const struct lk_message *message)
{
	const struct lk_msg_events_sent *sent = &message->events_sent;
	int64_t n = lk_count(sent->events), seq = sent->seq;
	struct subscription *s;
	struct lk_span key, event;
	size_t cursor = 0;

	if (is_put_off(intake))
		return false;
	s = subscription_named(intake, from, sent->epoch);
	if (s == NULL)
		return true;
	if (n < 1 || n > LK_SEVERAL)
		lane_error(intake->lane, from, LANE_MALFORMED, "a message has 1 to 128 events");
	else
		while (lk_next(sent->events, &cursor, &key, &event) &&
		       take_one(intake, from, s, seq, event))
			seq++;
	return true;
}

/* A publisher that has more than has come, and was asked for it, is asked again: the request may
 * have been lost. */
static bool take_heartbeat(struct intake *intake, const struct lane_sender *from,
			   const struct lk_message *message)
{
	struct intake_session *session = (struct intake_session *)from->session;
	int64_t last = message->type == LK_MSG_PING ? message->ping.last : message->pong.last;

	if (session == NULL) {
		lane_error(intake->lane, from, LANE_NO_SESSION, "say hello first");
		return true;
	}
	for (size_t i = 0; i < STREAMS_MAX; i++) {
		struct subscription *s = &session->subscription[i];
		if (s->stream == NULL)
			continue;
		turn_heard(intake->options.turn, lk_text_of(s->stream->source),
			   clock_now(intake->options.clock));
		if (s->naked == s->next && last >= s->next)
			intake_send_nak(intake, from->route, s);
	}
	return true;
}

static bool handle(void *owner, const struct lane_sender *from, const struct lk_message *message)
{
	static bool (*const takes[])(struct intake *, const struct lane_sender *,
				     const struct lk_message *) = {
		[LK_MSG_PUB_HELLO] = take_hello, [LK_MSG_EVENT] = take_event,
		[LK_MSG_EVENTS] = take_events,   [LK_MSG_PING] = take_heartbeat,
		[LK_MSG_PONG] = take_heartbeat,
	};
	struct intake *intake = owner;

	if (!roster_has_role(from->client, ROLE_PUBLISHER)) {
		lane_error(intake->lane, from, LANE_FORBIDDEN, "this lane is for publishers");
		return true;
	}
	return takes[message->type](intake, from, message);
}

/* ---- Commits ---- */

static void committed(void *owner, int64_t us)
{
	struct intake *intake = owner;
	size_t n = batch_count(intake->batch);

	if (n <= FEW)
		intake->options.hand_out(intake->options.context);
	credit_learn(&intake->credit, us);
	for (size_t i = 0; i < n; i++)
		stream_judged(intake->input[i].stream, batch_verdict(intake->batch, i)->outcome);
	outboxes_learn(&intake->outboxes, credit_offer(&intake->credit));
	intake_send_acks(intake);
	for (size_t i = 0; i < n; i++)
		stream_release(&intake->outboxes, intake->input[i].stream);
}

static void held(void *owner, bool held)
{
	struct intake *intake = owner;

	if (held)
		lane_pause(intake->lane);
	else if (!intake->paused)
		lane_resume(intake->lane);
}

/* ---- The second's turn ---- */

static void look_at_disk(struct intake *intake)
{
	struct credit *credit = &intake->credit;
	struct statvfs disk;

	if (statvfs(intake->options.disk, &disk) < 0)
		return;
	credit->free_bytes = (int64_t)(disk.f_bavail * disk.f_frsize);
	if (credit_offer(credit) == 0)
		alarm_raise(ALARM_LOW_DISK, "free_bytes=%" PRId64 " reserve=%" PRId64,
			    credit->free_bytes, credit->reserve);
	else
		alarm_clear(ALARM_LOW_DISK);
}

/* A publisher that stays connected says hello once, and is to hear of what it may forget since. */
static void look_at_safe(struct intake *intake)
{
	int64_t let_go = turn_let_go(intake->options.turn);
	struct lk_error err = { 0 };

	if (let_go == intake->let_go)
		return;
	if (intake_safe_moved(intake, &err) < 0)
		log_line(LOG_ERROR, "intake outcome=failed fault=%d detail=\"%s\"", err.code,
			 err.text);
	else
		intake->let_go = let_go;
}

/* Where events wait for their commit, their acknowledgement tells it. */
static void ticked(void *owner)
{
	struct intake *intake = owner;

	look_at_disk(intake);
	look_at_safe(intake);
	outboxes_tell(&intake->outboxes, credit_offer(&intake->credit));
	if (batch_count(intake->batch) == 0)
		intake_send_credit(intake);
}

/* ---- For whoever looks after it ---- */

struct looking {
	const struct intake *intake;
	void (*visit)(void *context, const struct intake_look *look);
	void *context;
};

static void look_at(void *context, struct lane_session *base)
{
	const struct looking *l = context;
	const struct intake_session *session = (struct intake_session *)base;
	const struct roster_client *client = lane_client(l->intake->lane, base);
	struct intake_look look = { .client = client != NULL ? client->name : "",
				    .quiet_us = clock_ticks() - base->heard_us };

	for (size_t i = 0; i < STREAMS_MAX; i++) {
		const struct subscription *s = &session->subscription[i];

		look.streams += s->stream != NULL;
		look.open += s->stream != NULL && s->limit >= s->next ? s->limit - s->next + 1 : 0;
	}
	l->visit(l->context, &look);
}

void intake_each(struct intake *intake,
		 void (*visit)(void *context, const struct intake_look *look), void *context)
{
	struct looking l = { intake, visit, context };

	lane_each(intake->lane, look_at, &l);
}

/* ---- Life ---- */

static void bitten(void *owner)
{
	struct intake *intake = owner;

	commit_next(intake);
	if (intake->merge.waiting != NULL)
		lane_bite_again(intake->lane);
}

static bool may_stay(void *owner, const struct roster_client *client,
		     const struct lane_session *base)
{
	const struct intake_session *session = (const struct intake_session *)base;

	(void)owner;
	for (size_t i = 0; i < STREAMS_MAX; i++) {
		const struct stream *stream = session->subscription[i].stream;
		if (stream != NULL && !roster_may_speak_for(client, lk_text_of(stream->source)))
			return false;
	}
	return true;
}

static void ended(void *owner, struct lane_session *base)
{
	struct intake_session *session = (struct intake_session *)base;

	for (size_t i = 0; i < STREAMS_MAX; i++)
		subscription_free(owner, &session->subscription[i]);
	free(session);
}

int intake_safe_moved(struct intake *intake, struct lk_error *err)
{
	int rc = 0;

	for (struct stream *s = intake->outboxes.first; s != NULL && rc >= 0; s = s->next_stream)
		rc = turn_safe(intake->options.turn, lk_text_of(s->source), s->epoch, &s->safe,
			       err);
	return rc < 0 ? rc : 0;
}

void intake_pause(struct intake *intake)
{
	intake->paused = true;
	lane_pause(intake->lane);
}

void intake_resume(struct intake *intake)
{
	intake->paused = false;
	if (!batch_is_held(intake->batch))
		lane_resume(intake->lane);
}

void intake_drain(struct intake *intake)
{
	int64_t end = clock_ticks() + DRAIN_US;

	intake_pause(intake);
	batch_commit(intake->batch);
	while (batch_count(intake->batch) == 0 && intake->merge.waiting != NULL &&
	       clock_ticks() < end)
		commit_next(intake);
	lane_drain(intake->lane);
}

struct lane *intake_lane(struct intake *intake)
{
	return intake->lane;
}

bool intake_is_held(const struct intake *intake)
{
	return batch_is_held(intake->batch);
}

int64_t intake_credit(const struct intake *intake)
{
	return credit_offer(&intake->credit);
}

int64_t intake_free_bytes(const struct intake *intake)
{
	return intake->credit.free_bytes;
}

void intake_put(const struct intake *intake, struct lk_bytes *out)
{
	lk_put_map(out, 4);
	lk_member_int(out, "sessions", (int64_t)lane_count(intake->lane));
	lk_member_int(out, "streams", (int64_t)intake->outboxes.n);
	lk_member_int(out, "credit", credit_offer(&intake->credit));
	lk_member_bool(out, "held", batch_is_held(intake->batch));
}

static int make_batch(struct intake *intake, struct lk_error *err)
{
	const struct batch_options options = {
		.loop = intake->options.place.loop,
		.turn = intake->options.turn,
		.clock = intake->options.clock,
		.wake = intake->options.wake,
		.name = "intake",
		.committed = committed,
		.held = held,
		.owner = intake,
	};
	return batch_create(&options, &intake->batch, err);
}

static int make_lane(struct intake *intake, struct lk_error *err)
{
	const struct lane_options options = {
		.place = intake->options.place,
		.access = intake->options.access,
		.name = "intake",
		.takes = LK_INTAKE_TAKES,
		.bite = TURN_BATCH_MAX,
		.handle = handle,
		.may_stay = may_stay,
		.bitten = bitten,
		.ended = ended,
		.ticked = ticked,
		.owner = intake,
	};
	return lane_create(&options, &intake->lane, err);
}

int intake_create(const struct intake_options *options, struct intake **out, struct lk_error *err)
{
	struct intake *intake = calloc(1, sizeof(*intake));
	int rc;

	if (intake == NULL)
		return lk_fail(err, LK_EMEMORY, "no memory for intake");
	intake->options = *options;
	credit_start(&intake->credit, options->credit_most, options->disk_reserve);
	look_at_disk(intake);
	rc = make_batch(intake, err);
	if (rc == 0)
		rc = make_lane(intake, err);
	if (rc < 0) {
		intake_destroy(intake);
		return rc;
	}
	*out = intake;
	return 0;
}

void intake_destroy(struct intake *intake)
{
	if (intake == NULL)
		return;
	for (size_t i = 0; intake->batch != NULL && i < batch_count(intake->batch); i++)
		stream_release(&intake->outboxes, intake->input[i].stream);
	lane_destroy(intake->lane);
	batch_destroy(intake->batch);
	outboxes_free(&intake->outboxes);
	free(intake);
}
