/* inbox_send.c - who has something to be sent, and the sending.
 *
 * In: sessions with credit whose mailboxes have grown. Out: notices, several in a message, in bounded bites; who
 * has heard everything is told so. Promise: no credit, no sending; a slow client delays nobody; what a full
 * connection does not take waits on disk.
 */
#include "inbox_parts.h"

#include "clock.h"
#include "credit.h"
#include "loop.h"
#include "metrics.h"
#include "turn.h"

#include <stdlib.h>
#include <string.h>

/* Notices sent before others have their turn: twice what a full batch of events tells, so that who fell behind comes up
 * again, but not for longer than this. And of these to one session, so that a long catch-up delays nobody. As a batch's, it is
 * time of the processor: where other programs want it too, batches would go on telling more than bites hand out. */
#define PUMP_BITE 8192
#define PUMP_US (10 * INT64_C(1000))
#define PUMP_MOST_US CREDIT_TURN_US /* by the clock: the disk may be slow */
#define SESSION_BITE 256
#define BLOCKED_US (20 * INT64_C(1000)) /* until a full queue is tried again */
#define FAILED_US LK_SECOND             /* until a store that failed is asked again */
#define LATE_US LK_SECOND /* what is handed out later than so after its telling is catch-up */
/* Of notices in one message. A value has a byte at least: so there are never more than the 8,192 values of a message. */
#define NOTICES_BYTES 8000

/* ---- Who has something to be sent ---- */

static bool reader_has_work(const struct reader *r)
{
	if (r->sent >= r->mailbox->told)
		return !r->caught_up;
	return r->session->credit > 0;
}

void inbox_queue(struct inbox *inbox, struct inbox_session *session)
{
	if (session->queued || session->blocked)
		return;
	session->queued = true;
	session->next_queued = NULL;
	if (inbox->first == NULL)
		inbox->first = session;
	else
		inbox->last->next_queued = session;
	inbox->last = session;
	if (!loop_timer_set(inbox->pump))
		loop_timer_in(inbox->pump, 0);
}

static struct inbox_session *dequeue(struct inbox *inbox)
{
	struct inbox_session *session = inbox->first;

	if (session == NULL)
		return NULL;
	inbox->first = session->next_queued;
	session->queued = false;
	return session;
}

void inbox_unqueue(struct inbox *inbox, struct inbox_session *session)
{
	struct inbox_session *before = NULL, *at = inbox->first;

	if (!session->queued)
		return;
	for (; at != session; at = at->next_queued)
		before = at;
	if (before == NULL)
		inbox->first = session->next_queued;
	else
		before->next_queued = session->next_queued;
	if (inbox->last == session)
		inbox->last = before;
	session->queued = false;
}

/* ---- Sending ---- */

struct handing {
	struct inbox *inbox;
	struct reader *reader;
	int64_t first; /* of those in inbox->notices */
	uint32_t n;
	int sent;
	int fault;
};

static struct lk_message one_notice(const struct handing *h)
{
	struct lk_message message = { .type = LK_MSG_NOTICE };

	message.notice_sent.session = lk_text_of(h->reader->session->id);
	message.notice_sent.worker = lk_text_of(h->reader->mailbox->worker);
	message.notice_sent.seq = h->first;
	message.notice_sent.notice = lk_span_of(h->inbox->notices.at, h->inbox->notices.len);
	return message;
}

static struct lk_message some_notices(const struct handing *h)
{
	struct lk_bytes *array = &h->inbox->array;
	struct lk_message message = { .type = LK_MSG_NOTICES };

	lk_bytes_clear(array);
	lk_put_array(array, h->n);
	lk_bytes_add(array, h->inbox->notices.at, h->inbox->notices.len);
	message.notices_sent.session = lk_text_of(h->reader->session->id);
	message.notices_sent.worker = lk_text_of(h->reader->mailbox->worker);
	message.notices_sent.seq = h->first;
	message.notices_sent.notices = lk_span_of(array->at, array->len);
	return message;
}

static void send_notices(struct handing *h)
{
	struct inbox_session *session = h->reader->session;
	const struct lk_message message = h->n == 1 ? one_notice(h) : some_notices(h);
	bool failed = h->inbox->notices.failed || (h->n > 1 && h->inbox->array.failed);

	h->fault = failed ? LK_EMEMORY : lane_send(h->inbox->lane, session->base.route, &message);
	if (h->fault < 0)
		return;
	h->reader->sent = h->first + h->n - 1;
	session->credit -= h->n;
	h->sent += (int)h->n;
}

static bool goes_along(const struct handing *h, int64_t seq, size_t len)
{
	return h->n < h->reader->session->several && seq == h->first + h->n &&
	       h->inbox->notices.len + len <= NOTICES_BYTES;
}

static int hand_out(void *context, int64_t seq, const void *body, size_t len)
{
	struct handing *h = context;

	if (h->n > 0 && !goes_along(h, seq, len)) {
		send_notices(h);
		if (h->fault < 0)
			return 1;
		h->n = 0;
	}
	if (h->n == 0) {
		lk_bytes_clear(&h->inbox->notices);
		h->first = seq;
	}
	lk_bytes_add(&h->inbox->notices, body, len);
	h->n++;
	return 0;
}

/* ---- Answers ---- */

/* Of one session: people answer, so as many wait only where it reads nothing. What is beyond that is not kept. */
#define UNSAID_MAX 4096

static struct unsaid *unsaid_add(struct inbox_session *session)
{
	size_t room = session->unsaid_room + 64;
	struct unsaid *wider;

	if (session->unsaid_n < session->unsaid_room)
		return &session->unsaid[session->unsaid_n++];
	wider = room <= UNSAID_MAX ? realloc(session->unsaid, room * sizeof(*wider)) : NULL;
	if (wider == NULL)
		return NULL;
	session->unsaid = wider;
	session->unsaid_room = room;
	return &wider[session->unsaid_n++];
}

/* All were said: the room is given back, for there may have been many. */
static void unsaid_forget(struct inbox_session *session)
{
	free(session->unsaid);
	session->unsaid = NULL;
	session->unsaid_room = 0;
}

static int say_answered(struct inbox *inbox, struct inbox_session *session, const struct unsaid *u)
{
	struct lk_message message = { .type = LK_MSG_ANSWERED };
	char hex[LK_DIGEST_HEX];

	lk_digest_hex(u->notice, hex);
	message.answered.worker = lk_text_of(u->mailbox->worker);
	message.answered.notice = lk_text_of(hex);
	message.answered.by = lk_text_of(u->by);
	message.answered.at = (struct lk_time){ u->at, 0 };
	return lane_send(inbox->lane, session->base.route, &message);
}

static void say_unsaid(struct inbox *inbox, struct inbox_session *session)
{
	size_t said = 0;

	while (said < session->unsaid_n && !session->blocked) {
		session->blocked =
			say_answered(inbox, session, &session->unsaid[said]) == LK_ESTATE;
		said += !session->blocked;
	}
	session->unsaid_n -= said;
	if (session->unsaid_n == 0)
		unsaid_forget(session);
	else if (said > 0)
		memmove(session->unsaid, session->unsaid + said,
			session->unsaid_n * sizeof(*session->unsaid));
}

void inbox_say_answered(struct inbox *inbox, const struct reader *reader,
			const uint8_t notice[LK_DIGEST], struct lk_text by, lk_instant at)
{
	struct inbox_session *session = reader->session;
	struct unsaid now = { .mailbox = reader->mailbox, .at = at }, *later;

	memcpy(now.notice, notice, LK_DIGEST);
	memcpy(now.by, by.at, by.len < sizeof(now.by) ? by.len : sizeof(now.by) - 1);
	say_unsaid(inbox, session);
	if (!session->blocked)
		session->blocked = say_answered(inbox, session, &now) == LK_ESTATE;
	if (!session->blocked)
		return;
	later = unsaid_add(session);
	if (later != NULL)
		*later = now;
	if (!loop_timer_set(inbox->unblock))
		loop_timer_in(inbox->unblock, BLOCKED_US);
}

/* ---- Notices ---- */

static void tell_caught_up(struct inbox *inbox, struct reader *r)
{
	struct lk_message message = { .type = LK_MSG_CAUGHTUP };

	message.caughtup.session = lk_text_of(r->session->id);
	message.caughtup.worker = lk_text_of(r->mailbox->worker);
	message.caughtup.seq = r->sent;
	r->caught_up = lane_send(inbox->lane, r->session->base.route, &message) == 0;
	if (!r->caught_up)
		r->session->blocked = true;
	else
		metric_add(METRIC_CAUGHTUP, 1);
}

/* A batch of events tells about as much as a connection takes at once, so in a flood it is full again and again, for an
 * instant: a row of the ledger for that would be a commit for each mailbox, and tell nothing that the row of the telling
 * does not. */
static bool is_live(const struct reader *r)
{
	return r->caught_up && clock_ticks() - r->since_us <= LATE_US;
}

/* Some notices to one reader. The number sent, or negative where the store failed. */
static int serve_notices(struct inbox *inbox, struct reader *r, int most)
{
	struct handing h = { .inbox = inbox, .reader = r };
	struct lk_error err = { 0 };
	bool live = is_live(r);
	int limit = r->session->credit < most ? (int)r->session->credit : most;
	int rc = turn_mailbox(inbox->options.turn, lk_text_of(r->mailbox->worker), r->sent, limit,
			      live ? LK_NO_TEXT : lk_text_of(r->session->id),
			      clock_now(inbox->options.clock), hand_out, &h, &err);

	if (rc < 0) {
		inbox_store_failed(inbox, &err);
		return rc;
	}
	if (h.n > 0 && h.fault == 0)
		send_notices(&h);
	metric_add(METRIC_NOTICES_SENT, h.sent);
	if (h.fault < 0 || (h.sent == 0 && turn_lacks_events(inbox->options.turn)))
		r->session->blocked = true;
	else if (h.sent == 0)
		r->sent = r->mailbox->told; /* what was told is not kept any more */
	return h.sent;
}

static struct reader *reader_with_work(struct inbox_session *session)
{
	for (size_t i = 0; i < session->n; i++) {
		struct reader *r = &session->reader[(session->cursor + i) % session->n];
		if (reader_has_work(r)) {
			session->cursor = (size_t)(r - session->reader);
			return r;
		}
	}
	return NULL;
}

/* The number sent, or negative where the store failed. */
static int serve(struct inbox *inbox, struct inbox_session *session)
{
	int sent = 0, rc = 0;
	struct reader *r;

	say_unsaid(inbox, session);
	while (rc >= 0 && sent < SESSION_BITE && !session->blocked &&
	       (r = reader_with_work(session)) != NULL) {
		if (r->sent < r->mailbox->told)
			rc = serve_notices(inbox, r, SESSION_BITE - sent);
		if (rc > 0)
			sent += rc;
		if (rc >= 0 && !session->blocked && r->sent >= r->mailbox->told && !r->caught_up)
			tell_caught_up(inbox, r);
	}
	if (session->blocked)
		loop_timer_in(inbox->unblock, BLOCKED_US);
	else if (reader_with_work(session) != NULL)
		inbox_queue(inbox, session);
	return rc < 0 ? rc : sent;
}

void inbox_pump(void *context)
{
	struct inbox *inbox = context;
	struct inbox_session *session;
	int64_t until = clock_work() + PUMP_US, at_most = clock_ticks() + PUMP_MOST_US;
	int sent = 0;

	while (sent < PUMP_BITE && clock_work() < until && clock_ticks() < at_most &&
	       (session = dequeue(inbox)) != NULL) {
		int rc = serve(inbox, session);
		if (rc < 0) {
			loop_timer_in(inbox->pump, FAILED_US);
			return;
		}
		sent += rc + 1; /* an empty look costs something too */
	}
	if (inbox->first != NULL)
		loop_timer_in(inbox->pump, 0);
}

void inbox_hand_out(struct inbox *inbox)
{
	loop_timer_cancel(inbox->pump);
	inbox_pump(inbox);
}

static void unblock_one(void *context, struct lane_session *base)
{
	struct inbox_session *session = (struct inbox_session *)base;

	if (!session->blocked)
		return;
	session->blocked = false;
	inbox_queue(context, session);
}

void inbox_unblock(void *context)
{
	struct inbox *inbox = context;

	lane_each(inbox->lane, unblock_one, inbox);
}
