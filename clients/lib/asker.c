/* asker.c - questions and orders on the control lane.
 *
 * In: a verb and its arguments. Out: the parts of its answer. Promise: blocks no longer than it was told to; an answer
 * to an earlier question is never taken for one to this.
 */
#include "dealer.h"

#include <stdio.h>
#include <stdlib.h>

struct lk_asker {
	struct dealer *dealer;
	int64_t id; /* of the last question */
	struct lk_message in;
};

/* One question under way. */
struct question {
	struct lk_asker *asker;
	const char *verb;
	struct lk_span args;
	lk_answer_visitor *visit;
	void *context;
	unsigned drops;             /* of the dealer, before the question */
	lk_instant patience, until; /* how long for each part; and so until when */
	bool answered;
};

int lk_asker_create(const struct lk_peer *peer, struct lk_asker **out, struct lk_error *err)
{
	struct lk_asker *a = calloc(1, sizeof(*a));
	int code;

	*out = NULL;
	if (a == NULL)
		return lk_fail(err, LK_EMEMORY, "out of memory");
	code = dealer_create(peer, &a->dealer, err);
	if (code < 0) {
		free(a);
		return code;
	}
	*out = a;
	return 0;
}

void lk_asker_destroy(struct lk_asker *a)
{
	if (a == NULL)
		return;
	dealer_destroy(a->dealer);
	free(a);
}

static int say_verb(struct question *q, struct lk_error *err)
{
	struct lk_message message = { .type = LK_MSG_VERB };

	message.verb.verb = lk_text_of(q->verb);
	message.verb.v = LK_PROTOCOL_VERSION;
	message.verb.id = q->asker->id;
	message.verb.args = q->args;
	if (!dealer_say(q->asker->dealer, &message))
		return lk_fail(err, LK_ENET, "the question cannot be sent");
	dealer_greeted(q->asker->dealer); /* this lane has no greeting */
	return 0;
}

static int fault_of(struct lk_text code)
{
	return lk_text_says(code, "forbidden") ? LK_EAUTH : LK_EREFUSED;
}

/* A refusal's body is {code, detail}, either of which may be missing. */
static int refused(const struct lk_msg_reply *reply, struct lk_error *err)
{
	struct lk_text code = lk_as_text(lk_get(reply->body, "code"));
	struct lk_text detail = lk_as_text(lk_get(reply->body, "detail"));
	int fault = fault_of(code);

	if (!lk_text_given(detail))
		return lk_fail(err, fault, "the daemon said no: %.*s", LK_PRINT(code));
	return lk_fail(err, fault, "%.*s%s%.*s", LK_PRINT(code), lk_text_given(code) ? ": " : "",
		       LK_PRINT(detail));
}

static int take_reply(struct question *q, struct lk_error *err)
{
	const struct lk_msg_reply *reply = &q->asker->in.reply;
	int told = 0;

	if (reply->id != q->asker->id)
		return 0;
	if (reply->ok != 1)
		return refused(reply, err);
	if (reply->body.at != NULL)
		told = q->visit(q->context, reply->body);
	q->answered = reply->more != 1;
	q->until = dealer_now() + q->patience;
	return told;
}

static int take_frame(struct question *q, struct lk_span frame, struct lk_error *err)
{
	struct lk_message *in = &q->asker->in;
	struct lk_text detail;

	if (lk_message_decode(frame.at, frame.len, LK_ASKER_TAKES, in, err) < 0)
		return LK_EWIRE;
	if (in->type == LK_MSG_REPLY)
		return take_reply(q, err);
	detail = lk_as_text(in->error.detail);
	return lk_fail(err, fault_of(in->error.code), "the daemon said no: %.*s%s%.*s",
		       LK_PRINT(in->error.code), lk_text_given(detail) ? ": " : "",
		       LK_PRINT(detail));
}

/* Takes what there is. Non-zero ends the question. */
static int take_news(struct question *q, struct lk_error *err)
{
	struct lk_span frame = { NULL, 0 };
	enum dealer_news news;
	int code = 0;

	while (code == 0 && !q->answered &&
	       (news = dealer_next(q->asker->dealer, &frame)) != DEALER_NOTHING) {
		if (news == DEALER_UP)
			code = say_verb(q, err);
		else if (news == DEALER_MESSAGE)
			code = take_frame(q, frame, err);
	}
	dealer_arm(q->asker->dealer);
	return code;
}

static int no_answer(const struct lk_asker *a, int timeout_ms, struct lk_error *err)
{
	struct lk_session_state state;

	dealer_state(a->dealer, &state);
	if (state.trouble[0] != '\0')
		return lk_fail(err, LK_ENET, "%s", state.trouble);
	/* libzmq may leave who is not enrolled waiting for as long as a handshake may take. */
	if (!state.connected)
		return lk_fail(
			err, LK_ENET,
			"not let in within %d s: is the daemon busy, or is this key not in its table of clients?",
			timeout_ms / 1000);
	return lk_fail(err, LK_ENET, "no answer within %d s", timeout_ms / 1000);
}

int lk_asker_ask(struct lk_asker *a, const char *verb, struct lk_span args, int timeout_ms,
		 lk_answer_visitor *visit, void *context, struct lk_error *err)
{
	struct question q = { .asker = a,
			      .verb = verb,
			      .args = args,
			      .visit = visit,
			      .context = context,
			      .drops = dealer_drops(a->dealer),
			      .patience = (lk_instant)timeout_ms * 1000 };
	int code = 0;

	q.until = dealer_now() + q.patience;
	a->id++;
	if (dealer_connected(a->dealer))
		code = say_verb(&q, err);
	while (code == 0) {
		lk_instant left;

		code = take_news(&q, err);
		left = q.until - dealer_now();
		if (code != 0 || q.answered)
			return code;
		/* A person waits: a failed connection is told at once, not tried for a minute. */
		if (left <= 0 || dealer_drops(a->dealer) != q.drops)
			return no_answer(a, timeout_ms, err);
		code = dealer_wait(a->dealer, (int)(left / 1000) + 1, err);
		code = code < 0 ? code : 0;
	}
	return code;
}
