/* publisher.c - an outbox's way to the daemon: protocol.md, "intake".
 *
 * In: an outbox, and the daemon's word on what it has. Out: events, from where the daemon wants them, within its credit.
 * Promise: sends only what is on disk; records every verdict before it tells of it; deletes only what the daemon says
 * it needs no more; whatever is lost on the way, the next greeting finds out.
 */
#include "dealer.h"
#include "outbox.h"

#include <stdlib.h>
#include <string.h>

/* So much in one call of process, then the caller's loop turns. */
#define FRAMES_A_BITE 64
#define EVENTS_A_BITE 512
#define BYTES_A_MESSAGE (32 * 1024) /* of events that go together */

struct lk_publisher {
	struct dealer *dealer;
	struct lk_outbox *outbox;
	void *context;
	void (*settled)(void *context, int64_t upto);
	void (*renewed)(void *context);
	int64_t cursor;  /* next seq to send */
	int64_t limit;   /* highest seq that may be sent */
	int64_t several; /* events that the daemon takes in one message */
	/* The message that is being made: `waiting` events from `cursor` on */
	struct lk_bytes events, array;
	uint32_t waiting;
	bool just_renewed; /* the hello that was answered last was of an epoch made for this connection */
	struct lk_message in; /* the message at hand; borrows from the dealer's frame */
};

static struct lk_outbox_state state_of(const struct lk_publisher *p)
{
	struct lk_outbox_state state;

	lk_outbox_state(p->outbox, &state);
	return state;
}

int lk_publisher_create(const struct lk_publisher_options *options, struct lk_publisher **out,
			struct lk_error *err)
{
	struct lk_publisher *p = calloc(1, sizeof(*p));
	int code;

	*out = NULL;
	if (p == NULL)
		return lk_fail(err, LK_EMEMORY, "out of memory");
	p->outbox = options->outbox;
	p->context = options->context;
	p->settled = options->settled;
	p->renewed = options->renewed;
	code = dealer_create(&options->peer, &p->dealer, err);
	if (code < 0) {
		free(p);
		return code;
	}
	*out = p;
	return 0;
}

void lk_publisher_destroy(struct lk_publisher *p)
{
	if (p == NULL)
		return;
	dealer_destroy(p->dealer);
	lk_bytes_free(&p->events);
	lk_bytes_free(&p->array);
	free(p);
}

int lk_publisher_fd(const struct lk_publisher *p)
{
	return dealer_fd(p->dealer);
}

void lk_publisher_state(const struct lk_publisher *p, struct lk_session_state *out)
{
	dealer_state(p->dealer, out);
}

/* ---- What we say --------------------------------------------------------------------------------------------------- */

static void say(struct lk_publisher *p, const struct lk_message *message)
{
	if (!dealer_say(p->dealer, message))
		dealer_drop(p->dealer, "the connection takes no more messages; connecting again");
}

static void say_hello(struct lk_publisher *p)
{
	struct lk_outbox_state state = state_of(p);
	struct lk_message hello = { .type = LK_MSG_PUB_HELLO };

	hello.pub_hello.v = LK_PROTOCOL_VERSION;
	hello.pub_hello.source = lk_text_of(state.source);
	hello.pub_hello.epoch = lk_text_of(state.epoch);
	hello.pub_hello.first = state.first;
	hello.pub_hello.last = state.last;
	hello.pub_hello.acked = state.acked;
	say(p, &hello);
}

static void say_last(struct lk_publisher *p, enum lk_message_type type)
{
	struct lk_message message = { .type = type };

	if (type == LK_MSG_PING)
		message.ping.last = state_of(p).last;
	else
		message.pong.last = state_of(p).last;
	say(p, &message);
}

static bool say_event(struct lk_publisher *p)
{
	struct lk_outbox_state state = state_of(p);
	struct lk_message message = { .type = LK_MSG_EVENT };

	message.event_sent.epoch = lk_text_of(state.epoch);
	message.event_sent.seq = p->cursor;
	message.event_sent.event = lk_span_of(p->events.at, p->events.len);
	return dealer_say(p->dealer, &message);
}

static bool say_events(struct lk_publisher *p)
{
	struct lk_outbox_state state = state_of(p);
	struct lk_message message = { .type = LK_MSG_EVENTS };

	lk_bytes_clear(&p->array);
	lk_put_array(&p->array, p->waiting);
	lk_bytes_add(&p->array, p->events.at, p->events.len);
	message.events_sent.epoch = lk_text_of(state.epoch);
	message.events_sent.seq = p->cursor;
	message.events_sent.events = lk_span_of(p->array.at, p->array.len);
	return !p->array.failed && dealer_say(p->dealer, &message);
}

/* Non-zero stops: the queue is full, and the dealer turns readable when it is not. */
static int send_waiting(struct lk_publisher *p)
{
	uint32_t n = p->waiting;
	bool sent = n == 0 || (!p->events.failed && (n == 1 ? say_event(p) : say_events(p)));

	p->waiting = 0;
	lk_bytes_clear(&p->events);
	if (!sent)
		return 1;
	p->cursor += n;
	return 0;
}

/* The outbox's numbers are dense, but a range that was deleted ends what goes together. */
static int send_one(void *context, int64_t seq, const void *event, size_t len)
{
	struct lk_publisher *p = context;
	bool goes_along = p->waiting < p->several && seq == p->cursor + p->waiting &&
			  p->events.len + len <= BYTES_A_MESSAGE;

	if (p->waiting > 0 && !goes_along && send_waiting(p) != 0)
		return 1;
	if (p->waiting == 0)
		p->cursor = seq;
	lk_bytes_add(&p->events, event, len);
	p->waiting++;
	return 0;
}

static int send_events(struct lk_publisher *p, struct lk_error *err)
{
	int64_t last = state_of(p).last;
	int64_t upto = p->limit < last ? p->limit : last;
	int64_t n = upto - p->cursor + 1;
	int code, left;

	if (!dealer_connected(p->dealer) || n <= 0)
		return 0;
	code = lk_outbox_read(p->outbox, p->cursor, (int)(n < EVENTS_A_BITE ? n : EVENTS_A_BITE),
			      send_one, p, err);
	left = send_waiting(p);
	if (code > 0 && left == 0 && n > EVENTS_A_BITE)
		dealer_again(p->dealer);
	return code < 0 ? code : 0;
}

/* ---- What the daemon says ------------------------------------------------------------------------------------------- */

static int refused_read(struct lk_span list, struct lk_msg_refused_item **out, size_t *n,
			struct lk_error *err)
{
	int64_t count = lk_count(list);
	struct lk_span key, value;
	size_t cursor = 0;

	*n = 0;
	*out = NULL;
	if (count <= 0)
		return 0;
	*out = calloc((size_t)count, sizeof(**out));
	if (*out == NULL)
		return lk_fail(err, LK_EMEMORY, "out of memory");
	while (lk_next(list, &cursor, &key, &value)) {
		if (lk_refused_item_decode(value, &(*out)[*n], err) < 0)
			return LK_EWIRE;
		(*n)++;
	}
	return 0;
}

/* The daemon has seen numbers that this file has not, or other events under them: it is an old copy, and its next
 * numbers were used before. */
static int renew(struct lk_publisher *p, struct lk_error *err)
{
	int code;

	if (p->just_renewed) {
		dealer_drop(
			p->dealer,
			"the daemon claims to know events of an outbox made a moment ago; connecting again");
		return 0;
	}
	code = lk_outbox_renew(p->outbox, err);
	if (code < 0)
		return code;
	p->just_renewed = true;
	p->cursor = 1;
	p->limit = 0; /* until the daemon has answered the new greeting */
	if (p->renewed != NULL)
		p->renewed(p->context);
	say_hello(p);
	return 0;
}

/* Our numbers were given to other events before: not a word about those, and not about one event. */
static bool numbers_are_anothers(const struct lk_msg_refused_item *refused, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (lk_text_says(refused[i].reason, lk_refusal_word(LK_CONFLICT)) &&
		    lk_text_says(lk_as_text(refused[i].field), "seq"))
			return true;
	return false;
}

/* Verdicts are on disk before anybody hears of them. */
static int settle(struct lk_publisher *p, int64_t upto, int64_t safe, struct lk_span list,
		  struct lk_error *err)
{
	struct lk_msg_refused_item *refused;
	size_t n;
	int code = refused_read(list, &refused, &n, err);
	bool renews = code == 0 && numbers_are_anothers(refused, n);

	if (code == 0 && !renews)
		code = lk_outbox_settle(p->outbox, upto, safe, refused, n, err);
	free(refused);
	if (renews)
		return renew(p, err);
	if (code == 0 && p->settled != NULL)
		p->settled(p->context, upto);
	return code;
}

static int take_subscribe(struct lk_publisher *p, struct lk_error *err)
{
	const struct lk_msg_subscribe *s = &p->in.subscribe;
	struct lk_outbox_state state = state_of(p);
	int code;

	if (!lk_text_says(s->epoch, state.epoch))
		return 0;
	if (s->next > state.last + 1)
		return renew(p, err);
	if (s->next < state.first) {
		dealer_drop(
			p->dealer,
			"the daemon asks for events that it had let this outbox delete; connecting again");
		return 0;
	}
	code = settle(p, s->next - 1, s->safe, s->refused, err);
	if (code < 0 || !lk_text_says(s->epoch, state_of(p).epoch))
		return code;
	p->cursor = s->next;
	p->limit = s->next - 1 + s->credit;
	p->several = s->several;
	p->just_renewed = false;
	dealer_greeted(p->dealer);
	return 0;
}

static int take_ack(struct lk_publisher *p, struct lk_error *err)
{
	const struct lk_msg_ack *a = &p->in.ack;
	struct lk_outbox_state state = state_of(p);

	if (!dealer_connected(p->dealer) || !lk_text_says(a->epoch, state.epoch))
		return 0;
	if (a->upto > state.last) {
		dealer_drop(
			p->dealer,
			"the daemon acknowledged an event that was never made; connecting again");
		return 0;
	}
	/* Events of the connection before may be committed after our greeting was answered: then it is ahead of us. */
	if (a->upto >= p->cursor)
		p->cursor = a->upto + 1;
	p->limit = a->upto + a->credit;
	return settle(p, a->upto > state.acked ? a->upto : state.acked, a->safe, a->refused, err);
}

static int take_nak(struct lk_publisher *p, struct lk_error *err)
{
	const struct lk_msg_nak *n = &p->in.nak;
	struct lk_outbox_state state = state_of(p);

	(void)err;
	if (!dealer_connected(p->dealer) || !lk_text_says(n->epoch, state.epoch))
		return 0;
	if (n->want < state.first)
		dealer_drop(
			p->dealer,
			"the daemon asks for events that it had let this outbox delete; connecting again");
	else if (n->want < p->cursor)
		p->cursor = n->want;
	return 0;
}

static int take_ping(struct lk_publisher *p, struct lk_error *err)
{
	(void)err;
	say_last(p, LK_MSG_PONG);
	return 0;
}

static int take_pong(struct lk_publisher *p, struct lk_error *err)
{
	(void)p;
	(void)err;
	return 0; /* that it came is all it says, and the dealer has noticed */
}

static int take_error(struct lk_publisher *p, struct lk_error *err)
{
	return dealer_refused(p->dealer, &p->in.error, err);
}

static const struct {
	enum lk_message_type type;
	int (*take)(struct lk_publisher *p, struct lk_error *err);
} takes[] = {
	{ LK_MSG_SUBSCRIBE, take_subscribe },
	{ LK_MSG_ACK, take_ack },
	{ LK_MSG_NAK, take_nak },
	{ LK_MSG_PING, take_ping },
	{ LK_MSG_PONG, take_pong },
	{ LK_MSG_ERROR, take_error },
};

static int take_frame(struct lk_publisher *p, struct lk_span frame, struct lk_error *err)
{
	struct lk_error why;
	int code = 0;

	if (lk_message_decode(frame.at, frame.len, LK_PUBLISHER_TAKES, &p->in, &why) < 0) {
		dealer_drop(p->dealer, "the daemon said something unreadable: %.200s", why.text);
		return 0;
	}
	for (size_t i = 0; i < sizeof(takes) / sizeof(takes[0]); i++)
		if (takes[i].type == p->in.type)
			code = takes[i].take(p, err);
	if (code == LK_EWIRE) {
		dealer_drop(p->dealer,
			    "the daemon said something unreadable in a list of refusals");
		return 0;
	}
	return code;
}

/* ---- One bite -------------------------------------------------------------------------------------------------------- */

static int take_news(struct lk_publisher *p, struct lk_error *err)
{
	struct lk_span frame = { NULL, 0 };
	enum dealer_news news = DEALER_NOTHING;
	int code = 0;

	for (int n = 0; n < FRAMES_A_BITE && code == 0; n++) {
		news = dealer_next(p->dealer, &frame);
		if (news == DEALER_NOTHING)
			return 0;
		if (news == DEALER_UP)
			say_hello(p);
		else if (news == DEALER_IDLE)
			say_last(p, LK_MSG_PING);
		else
			code = take_frame(p, frame, err);
	}
	dealer_again(p->dealer);
	return code;
}

int lk_publisher_process(struct lk_publisher *p, struct lk_error *err)
{
	int code;

	if (outbox_in_batch(p->outbox))
		return lk_fail(err, LK_ESTATE, "commit the outbox before sending from it");
	code = take_news(p, err);
	if (code == 0)
		code = send_events(p, err);
	dealer_arm(p->dealer);
	return code;
}

static bool all_acknowledged(const struct lk_publisher *p)
{
	struct lk_outbox_state state = state_of(p);

	return dealer_connected(p->dealer) && state.acked == state.last;
}

int lk_publisher_wait(struct lk_publisher *p, int timeout_ms, struct lk_error *err)
{
	lk_instant until = dealer_now() + (lk_instant)timeout_ms * 1000;

	for (;;) {
		lk_instant left = until - dealer_now();
		int code = lk_publisher_process(p, err);

		if (code < 0)
			return code;
		if (all_acknowledged(p))
			return 1;
		if (timeout_ms >= 0 && left <= 0)
			return 0;
		code = dealer_wait(p->dealer, timeout_ms < 0 ? -1 : (int)(left / 1000) + 1, err);
		if (code < 0)
			return code;
	}
}
