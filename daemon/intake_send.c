/* intake_send.c - what publishers are told: subscribe, ack, nak.
 *
 * In: streams, the verdicts of a batch, credit. Out: messages. Promise: nothing is acknowledged that was not committed; an
 * acknowledgement names every refusal up to its `upto`; whoever cannot be told is hung up on, and hears it after its next hello.
 */
#include "intake_parts.h"

#include "clock.h"
#include "metrics.h"

static int64_t offer_for(const struct intake *intake, const struct stream *stream)
{
	return stream_offer(stream, credit_offer(&intake->credit));
}

/* ---- Refusals, as they are told ---- */

void refusals_add(struct refusals *refusals, int64_t seq, enum lk_refusal reason,
		  struct lk_text field, struct lk_text detail)
{
	struct lk_bytes *out = &refusals->items;
	struct lk_bytes texts = { 0 };
	size_t split;

	lk_put_text(&texts, field.len > 0 ? field : LK_NO_TEXT);
	split = texts.len;
	lk_put_text(&texts, detail);
	if (texts.failed) {
		out->failed = true;
	} else {
		const struct lk_msg_refused_item item = {
			.seq = seq,
			.reason = lk_text_of(lk_refusal_word((int)reason)),
			.field = lk_span_of(texts.at, split),
			.detail = lk_span_of(texts.at + split, texts.len - split),
		};
		lk_refused_item_encode(&item, out);
	}
	lk_bytes_free(&texts);
	refusals->n++;
}

/* Items, then the array's head in front of them. The result borrows from `array`. */
static struct lk_span as_array(struct lk_bytes *array, const struct refusals *refusals)
{
	lk_bytes_clear(array);
	lk_put_array(array, refusals->n);
	lk_bytes_add(array, refusals->items.at, refusals->items.len);
	return array->failed || refusals->items.failed ? (struct lk_span){ NULL, 0 }
						       : lk_span_of(array->at, array->len);
}

/* ---- Subscribe, nak ---- */

bool intake_send_subscribe(struct intake *intake, const struct lane_sender *from,
			   struct lk_text epoch, struct subscription *s,
			   const struct stored_stream *stored, const struct refusals *refused)
{
	struct lk_bytes array = { 0 };
	int64_t next = stored->wanted;
	int64_t offer = offer_for(intake, s->stream);
	struct lk_message message = { .type = LK_MSG_SUBSCRIBE };

	message.subscribe.epoch = epoch;
	message.subscribe.next = next;
	message.subscribe.credit = offer;
	message.subscribe.safe = stored->safe < next ? stored->safe : next - 1;
	message.subscribe.refused = as_array(&array, refused);
	message.subscribe.several = LK_SEVERAL;
	s->next = s->taken = next;
	s->limit = s->told = next - 1 + offer;
	bool is_told = lane_greet(intake->lane, from->route,
				  message.subscribe.refused.at != NULL ? &message : NULL);
	lk_bytes_free(&array);
	return is_told;
}

void intake_send_nak(struct intake *intake, lane_route route, struct subscription *s)
{
	char epoch[LK_DIGEST_HEX];
	struct lk_message message = { .type = LK_MSG_NAK };

	lk_digest_hex(s->stream->epoch, epoch);
	message.nak.epoch = lk_text_of(epoch);
	message.nak.want = s->next;
	s->naked = s->next;
	lane_tell(intake->lane, route, &message);
	metric_add(METRIC_NAKS, 1);
}

/* ---- Ack ---- */

struct ack {
	struct intake *intake;
	lane_route route;
	struct subscription *subscription;
	struct refusals refused;
	struct lk_bytes array;
};

/* False: it could not be sent. */
static bool send_ack(struct ack *ack, int64_t upto)
{
	struct subscription *s = ack->subscription;
	int64_t offer = offer_for(ack->intake, s->stream);
	char epoch[LK_DIGEST_HEX];
	struct lk_message message = { .type = LK_MSG_ACK };

	lk_digest_hex(s->stream->epoch, epoch);
	message.ack.epoch = lk_text_of(epoch);
	message.ack.upto = upto;
	message.ack.safe = s->stream->safe < upto ? s->stream->safe : upto;
	message.ack.credit = offer;
	message.ack.refused = as_array(&ack->array, &ack->refused);
	s->limit = credit_limit(s->limit, upto, offer);
	s->told = upto + offer;
	if (message.ack.refused.at == NULL ||
	    lane_send(ack->intake->lane, ack->route, &message) < 0)
		return false;
	lk_bytes_clear(&ack->refused.items);
	ack->refused.n = 0;
	return true;
}

/* An acknowledgement names every refusal up to its `upto`: when a message is full, it ends at
 * the last one in it. */
static bool ack_subscription(struct ack *ack)
{
	struct subscription *s = ack->subscription;
	bool sent = true;

	for (int i = s->first; sent && i != NO_INPUT; i = ack->intake->input[i].next) {
		const struct turn_verdict *v = batch_verdict(ack->intake->batch, (size_t)i);
		int64_t seq = ack->intake->input[i].seq;
		if (v->outcome != TURN_REFUSED)
			continue;
		refusals_add(&ack->refused, seq, v->refused.reason, lk_text_of(v->refused.field),
			     lk_text_of(v->refused.detail));
		if (ack->refused.n == REFUSALS_MAX)
			sent = send_ack(ack, seq);
	}
	s->first = s->last = NO_INPUT;
	return sent && send_ack(ack, s->taken - 1);
}

/* What could not be sent ends the session: the next hello tells it. */
static void ack_end(struct ack *ack, struct lane_session *base, bool sent)
{
	lk_bytes_free(&ack->refused.items);
	lk_bytes_free(&ack->array);
	if (!sent)
		lane_end(ack->intake->lane, base);
}

static void ack_session(void *context, struct lane_session *base)
{
	struct intake *intake = context;
	struct intake_session *session = (struct intake_session *)base;
	struct ack ack = { .intake = intake, .route = base->route };
	bool sent = true;

	/* Refusals that could not be sent are not to go out under the next one's epoch. Nobody is silent whose events wait. */
	for (size_t i = 0; sent && i < STREAMS_MAX; i++) {
		ack.subscription = &session->subscription[i];
		if (ack.subscription->first == NO_INPUT)
			continue;
		base->heard_us = clock_ticks();
		sent = ack_subscription(&ack);
	}
	ack_end(&ack, base, sent);
}

void intake_send_acks(struct intake *intake)
{
	lane_each(intake->lane, ack_session, intake);
}

/* ---- Credit that has gone or come back ---- */

/* Who has credit, but there is none any more; who has none, but there is. What waits will be acknowledged, which tells it. */
static bool must_be_told(const struct subscription *s, int64_t offer)
{
	return s->queue.n == 0 && (s->told < s->next) != (offer == 0);
}

static void credit_session(void *context, struct lane_session *base)
{
	struct intake *intake = context;
	struct intake_session *session = (struct intake_session *)base;
	struct ack ack = { .intake = intake, .route = base->route };
	bool sent = true;

	for (size_t i = 0; sent && i < STREAMS_MAX; i++) {
		struct subscription *s = ack.subscription = &session->subscription[i];
		if (s->stream != NULL && must_be_told(s, offer_for(intake, s->stream)))
			sent = send_ack(&ack, s->taken - 1);
	}
	ack_end(&ack, base, sent);
}

void intake_send_credit(struct intake *intake)
{
	lane_each(intake->lane, credit_session, intake);
}
