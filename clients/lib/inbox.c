/* inbox.c - workers' mailboxes, followed: protocol.md, "inbox".
 *
 * In: whose mailboxes, and a store. Out: their notices in the store, each once and in order; receipts and answers.
 * Promise: a receipt is sent only for what the store has committed; a number that is missing ends the session rather
 * than being passed over; memory stays flat, because no more is asked for than credit allows.
 */
#include "inbox_store.h"
#include "dealer.h"
#include "fields.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORKERS_MAX 1000
#define FRAMES_A_BITE 512 /* also the most that one commit of the store holds */
/* Notices on the way. Said anew when half is left, so that one commit's notices (4,000 in a flood) are never held up for want
 * of it: who falls behind by more than what the daemon has at hand is read from the disk, and falls behind further. */
#define CREDIT 16384
/* Receipts that come together are one for each worker; a notice after a pause is receipted at once. */
#define RECEIPTS_EVERY (LK_SECOND / 4)
#define QUIET LK_SECOND /* without notices: time for what the store has put off */

struct mailbox {
	char worker[65];
	struct lk_inbox_place place; /* mailbox "" : none known yet */
	bool unreceipted;            /* stored more than was receipted */
	bool caught_up;
};

struct pending_answer {
	struct pending_answer *next;
	size_t mailbox; /* index */
	char notice[LK_DIGEST_HEX];
	bool sent; /* in this session, and since it last fell silent */
};

struct lk_inbox {
	struct dealer *dealer;
	struct lk_inbox_options options; /* callbacks; the borrowed texts are copied elsewhere */
	struct lk_inbox_store *store;
	char client[65];
	struct mailbox *mailboxes; /* by worker */
	size_t mailboxes_n;
	struct mailbox *latest; /* whose notice came last: the next is often of the same worker */
	lk_instant receipted_at, stored_at;
	bool unreceipted; /* some mailbox is */
	char session[LK_DIGEST_HEX];
	int64_t credit, credit_max; /* what is left of what we gave; how much we may give */
	bool clock_manual;
	bool news;    /* stored, and not yet told to the caller */
	bool is_idle; /* the store has put nothing off */
	struct pending_answer *answers;
	struct lk_message in; /* the message at hand; borrows from the dealer's frame */
};

/* ---- Making --------------------------------------------------------------------------------------------------------- */

/* What the daemon would not take for one. */
static bool is_worker(const char *id)
{
	static const char of[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789" WORKER_MARKS;
	size_t len = strlen(id);

	return len >= 1 && len <= 64 && strspn(id, of) == len;
}

static int order_workers(const void *a, const void *b)
{
	return strcmp(((const struct mailbox *)a)->worker, ((const struct mailbox *)b)->worker);
}

static int mailboxes_sort(struct lk_inbox *b, struct lk_error *err)
{
	qsort(b->mailboxes, b->mailboxes_n, sizeof(*b->mailboxes), order_workers);
	for (size_t i = 1; i < b->mailboxes_n; i++)
		if (order_workers(&b->mailboxes[i - 1], &b->mailboxes[i]) == 0)
			return lk_fail(err, LK_ECONFIG, "worker %s is named twice",
				       b->mailboxes[i].worker);
	b->latest = b->mailboxes;
	return 0;
}

static int mailboxes_make(struct lk_inbox *b, const struct lk_inbox_options *options,
			  struct lk_error *err)
{
	if (options->workers_n < 1 || options->workers_n > WORKERS_MAX)
		return lk_fail(err, LK_ECONFIG, "an inbox follows 1 to %d workers", WORKERS_MAX);
	b->mailboxes = calloc(options->workers_n, sizeof(*b->mailboxes));
	if (b->mailboxes == NULL)
		return lk_fail(err, LK_EMEMORY, "out of memory");
	b->mailboxes_n = options->workers_n;
	for (size_t i = 0; i < options->workers_n; i++) {
		const char *worker = options->workers[i];

		if (!is_worker(worker))
			return lk_fail(
				err, LK_ECONFIG,
				"'%.64s' is no worker's id: 1 to 64 letters, digits and . _ @ -",
				worker);
		(void)snprintf(b->mailboxes[i].worker, sizeof(b->mailboxes[i].worker), "%s",
			       worker);
	}
	return mailboxes_sort(b, err);
}

int lk_inbox_create(const struct lk_inbox_options *options, struct lk_inbox **out,
		    struct lk_error *err)
{
	struct lk_inbox *b;
	int code;

	*out = NULL;
	if (options->client == NULL || *options->client == '\0' ||
	    strlen(options->client) >= sizeof(b->client))
		return lk_fail(err, LK_ECONFIG, "a client's name has 1 to 64 characters");
	b = calloc(1, sizeof(*b));
	if (b == NULL)
		return lk_fail(err, LK_EMEMORY, "out of memory");
	b->options = *options;
	b->options.workers = NULL;
	b->options.peer = (struct lk_peer){ 0 };
	b->store = options->store;
	(void)snprintf(b->client, sizeof(b->client), "%s", options->client);
	code = mailboxes_make(b, options, err);
	if (code == 0)
		code = dealer_create(&options->peer, &b->dealer, err);
	if (code < 0) {
		lk_inbox_destroy(b);
		return code;
	}
	*out = b;
	return 0;
}

int lk_inbox_fd(const struct lk_inbox *b)
{
	return dealer_fd(b->dealer);
}

void lk_inbox_state(const struct lk_inbox *b, struct lk_session_state *out)
{
	dealer_state(b->dealer, out);
	out->clock_manual = b->clock_manual;
}

bool lk_inbox_caught_up(const struct lk_inbox *b)
{
	for (size_t i = 0; i < b->mailboxes_n; i++)
		if (!b->mailboxes[i].caught_up)
			return false;
	return dealer_connected(b->dealer);
}

static int order_text_and_worker(const void *text, const void *mailbox)
{
	return lk_text_order(*(const struct lk_text *)text,
			     lk_text_of(((const struct mailbox *)mailbox)->worker));
}

static struct mailbox *mailbox_of(struct lk_inbox *b, struct lk_text worker)
{
	struct mailbox *found = b->latest;

	if (!lk_text_says(worker, found->worker))
		found = bsearch(&worker, b->mailboxes, b->mailboxes_n, sizeof(*b->mailboxes),
				order_text_and_worker);
	if (found != NULL)
		b->latest = found;
	return found;
}

/* ---- What we say --------------------------------------------------------------------------------------------------- */

static void say(struct lk_inbox *b, const struct lk_message *message)
{
	if (!dealer_say(b->dealer, message))
		dealer_drop(b->dealer, "the connection takes no more messages; connecting again");
}

/* The store is asked at each greeting: it, and not our memory, knows what was committed. */
static int mailbox_load(struct lk_inbox *b, struct mailbox *m, struct lk_error *err)
{
	int found = lk_inbox_store_place(b->store, lk_text_of(m->worker), &m->place, err);

	if (found == 0)
		m->place = (struct lk_inbox_place){ .last = 0 };
	m->caught_up = m->unreceipted = false;
	return found < 0 ? found : 0;
}

static void hello_put(const struct mailbox *m, struct lk_bytes *list)
{
	struct lk_bytes id = { 0 };
	struct lk_msg_hello_worker item = { .worker = lk_text_of(m->worker),
					    .last = m->place.last };

	if (m->place.mailbox[0] != '\0')
		lk_put_word(&id, m->place.mailbox);
	else
		lk_put_nil(&id);
	item.mailbox = lk_span_of(id.at, id.len);
	lk_hello_worker_encode(&item, list);
	list->failed |= id.failed;
	lk_bytes_free(&id);
}

/* Those that nobody has confirmed are said again. */
static void answers_unsay(struct lk_inbox *b)
{
	for (struct pending_answer *a = b->answers; a != NULL; a = a->next)
		a->sent = false;
}

static int say_hello(struct lk_inbox *b, struct lk_error *err)
{
	struct lk_bytes list = { 0 };
	struct lk_message hello = { .type = LK_MSG_SUB_HELLO };
	int code = 0;

	lk_put_array(&list, (uint32_t)b->mailboxes_n);
	for (size_t i = 0; i < b->mailboxes_n && code == 0; i++) {
		code = mailbox_load(b, &b->mailboxes[i], err);
		hello_put(&b->mailboxes[i], &list);
	}
	if (code == 0 && list.failed)
		code = lk_fail(err, LK_EMEMORY, "out of memory");
	answers_unsay(b);
	if (code == 0) {
		hello.sub_hello.v = LK_PROTOCOL_VERSION;
		hello.sub_hello.client = lk_text_of(b->client);
		hello.sub_hello.workers = lk_span_of(list.at, list.len);
		hello.sub_hello.several = LK_SEVERAL;
		say(b, &hello);
	}
	lk_bytes_free(&list);
	return code;
}

static void say_credit(struct lk_inbox *b)
{
	struct lk_message message = { .type = LK_MSG_CREDIT };

	if (!dealer_connected(b->dealer) || b->options.answers_only ||
	    b->credit > b->credit_max / 2)
		return;
	message.credit.session = lk_text_of(b->session);
	message.credit.n = b->credit_max - b->credit;
	b->credit = b->credit_max;
	say(b, &message);
}

static void say_ping(struct lk_inbox *b, enum lk_message_type type)
{
	struct lk_message message = { .type = type };

	if (type == LK_MSG_PING)
		message.ping.last = INT64_MIN; /* absent on this lane */
	else
		message.pong.last = INT64_MIN;
	say(b, &message);
}

static void say_receipts(struct lk_inbox *b)
{
	b->unreceipted = false;
	b->receipted_at = dealer_now();
	for (size_t i = 0; i < b->mailboxes_n && dealer_connected(b->dealer); i++) {
		struct mailbox *m = &b->mailboxes[i];
		struct lk_message message = { .type = LK_MSG_RECEIPT };

		if (!m->unreceipted)
			continue;
		m->unreceipted = false;
		message.receipt.session = lk_text_of(b->session);
		message.receipt.worker = lk_text_of(m->worker);
		message.receipt.upto = m->place.last;
		say(b, &message);
	}
}

static void say_receipts_due(struct lk_inbox *b)
{
	lk_instant due = b->receipted_at + RECEIPTS_EVERY;

	if (!b->unreceipted)
		return;
	if (dealer_now() >= due)
		say_receipts(b);
	else
		dealer_wake(b->dealer, due);
}

void lk_inbox_destroy(struct lk_inbox *b)
{
	if (b == NULL)
		return;
	if (b->unreceipted && dealer_connected(b->dealer))
		say_receipts(b);
	dealer_destroy(b->dealer);
	while (b->answers != NULL) {
		struct pending_answer *next = b->answers->next;
		free(b->answers);
		b->answers = next;
	}
	free(b->mailboxes);
	free(b);
}

static void say_answers(struct lk_inbox *b)
{
	for (struct pending_answer *a = b->answers; a != NULL && dealer_connected(b->dealer);
	     a = a->next) {
		struct lk_message message = { .type = LK_MSG_ANSWER };

		if (a->sent)
			continue;
		a->sent = true;
		message.answer.session = lk_text_of(b->session);
		message.answer.worker = lk_text_of(b->mailboxes[a->mailbox].worker);
		message.answer.notice = lk_text_of(a->notice);
		say(b, &message);
	}
}

int lk_inbox_answer(struct lk_inbox *b, struct lk_text worker, struct lk_text notice,
		    struct lk_error *err)
{
	struct mailbox *m = mailbox_of(b, worker);
	struct pending_answer *a;
	uint8_t id[LK_DIGEST];

	if (m == NULL)
		return lk_fail(err, LK_ENOTFOUND, "this inbox does not follow worker %.*s",
			       LK_PRINT(worker));
	if (lk_digest_parse(notice, id) < 0)
		return lk_fail(err, LK_EREFUSED, "a notice's id is 32 lower-case hex digits");
	a = calloc(1, sizeof(*a));
	if (a == NULL)
		return lk_fail(err, LK_EMEMORY, "out of memory");
	a->mailbox = (size_t)(m - b->mailboxes);
	lk_digest_hex(id, a->notice);
	a->next = b->answers;
	b->answers = a;
	dealer_again(b->dealer);
	dealer_arm(b->dealer);
	return 0;
}

/* ---- Storing ------------------------------------------------------------------------------------------------------- */

static int store_open_batch(struct lk_inbox *b, struct lk_error *err)
{
	return inbox_store_in_transaction(b->store) ? 0 : lk_inbox_store_begin(b->store, err);
}

/* Everything of this bite becomes durable; only now it is receipted and told of. */
static int store_flush(struct lk_inbox *b, struct lk_error *err)
{
	int code = 0;

	if (inbox_store_in_transaction(b->store))
		code = lk_inbox_store_commit(b->store, err);
	if (code < 0)
		return code;
	if (b->news && b->options.received != NULL)
		b->options.received(b->options.context);
	b->news = false;
	return 0;
}

/* ---- What the daemon says ------------------------------------------------------------------------------------------- */

/* Another mailbox than ours, or one that ends before our place: rows were lost there, and it sends from its first. */
static int welcome_worker(struct lk_inbox *b, const struct lk_msg_welcome_worker *w,
			  struct lk_error *err)
{
	struct mailbox *m = mailbox_of(b, w->worker);
	bool same;
	int code;

	if (m == NULL)
		return 0;
	same = lk_text_says(w->mailbox, m->place.mailbox) && m->place.last < w->next;
	if (same && m->place.last >= w->first - 1) {
		/* The receipt before may have been lost: say it again. */
		m->unreceipted = m->place.last > 0;
		b->unreceipted |= m->unreceipted;
		return 0;
	}
	code = store_open_batch(b, err);
	if (code == 0)
		code = lk_inbox_store_mailbox(b->store, w->worker, w->mailbox, w->first - 1, err);
	(void)snprintf(m->place.mailbox, sizeof(m->place.mailbox), "%.*s", LK_PRINT(w->mailbox));
	m->place.last = w->first - 1;
	return code;
}

static int take_welcome(struct lk_inbox *b, struct lk_error *err)
{
	const struct lk_msg_welcome *w = &b->in.welcome;
	struct lk_span key, value;
	size_t cursor = 0;
	int code = 0;

	while (code == 0 && lk_next(w->workers, &cursor, &key, &value)) {
		struct lk_msg_welcome_worker item;

		code = lk_welcome_worker_decode(value, &item, err);
		if (code == 0)
			code = welcome_worker(b, &item, err);
	}
	if (code < 0)
		return code;
	(void)snprintf(b->session, sizeof(b->session), "%.*s", LK_PRINT(w->session));
	b->clock_manual = lk_text_says(w->clock, "manual");
	if (!lk_as_int(lk_get(w->limits, "credit"), &b->credit_max) || b->credit_max > CREDIT ||
	    b->credit_max < 1)
		b->credit_max = CREDIT;
	b->credit = 0;
	dealer_greeted(b->dealer);
	return store_flush(b, err);
}

/* Of this session, and not of one that a delayed frame came from. */
static bool is_ours(const struct lk_inbox *b, struct lk_text session)
{
	return dealer_connected(b->dealer) && lk_text_says(session, b->session);
}

/* Whether the next is among these n; what is stored already is passed over, and what leaves one out ends the session. */
static bool has_next(struct lk_inbox *b, const struct mailbox *m, int64_t seq, int64_t n)
{
	b->credit -= n;
	if (seq > m->place.last + 1)
		dealer_drop(b->dealer, "the daemon passed over a notice; connecting again");
	return seq <= m->place.last + 1 && seq + n > m->place.last + 1;
}

/* `put`: how many of them are new, or why they could not be stored. */
static int note_stored(struct lk_inbox *b, struct mailbox *m, int64_t last, int put)
{
	if (put < 0)
		return put;
	m->place.last = last;
	m->unreceipted = b->unreceipted = true;
	b->stored_at = dealer_now();
	b->is_idle = false;
	b->news |= put > 0;
	return 0;
}

static int take_notice(struct lk_inbox *b, struct lk_error *err)
{
	const struct lk_msg_notice_sent *n = &b->in.notice_sent;
	struct mailbox *m = mailbox_of(b, n->worker);
	int code;

	if (m == NULL || !is_ours(b, n->session) || !has_next(b, m, n->seq, 1))
		return 0;
	code = store_open_batch(b, err);
	if (code == 0)
		code = lk_inbox_store_put(b->store, n->worker, n->seq, n->notice, err);
	return note_stored(b, m, n->seq, code);
}

static int take_notices(struct lk_inbox *b, struct lk_error *err)
{
	const struct lk_msg_notices_sent *n = &b->in.notices_sent;
	struct mailbox *m = mailbox_of(b, n->worker);
	int64_t count = lk_count(n->notices);
	int code;

	if (m == NULL || !is_ours(b, n->session) || !has_next(b, m, n->seq, count))
		return 0;
	code = store_open_batch(b, err);
	if (code == 0)
		code = inbox_store_put_several(b->store, n->worker, n->seq, n->notices,
					       m->place.last + 1, err);
	return note_stored(b, m, n->seq + count - 1, code);
}

static int take_caughtup(struct lk_inbox *b, struct lk_error *err)
{
	const struct lk_msg_caughtup *c = &b->in.caughtup;
	struct mailbox *m = mailbox_of(b, c->worker);
	int code;

	if (m == NULL || !is_ours(b, c->session))
		return 0;
	code = store_flush(b, err);
	if (code < 0)
		return code;
	m->caught_up = true;
	if (b->options.caught_up != NULL)
		b->options.caught_up(b->options.context, c->worker, c->seq);
	return 0;
}

/* Takes the answer off the list of those to confirm; true where it was on it. */
static bool answer_settle(struct lk_inbox *b, struct lk_text notice)
{
	bool found = false;

	for (struct pending_answer **at = &b->answers; *at != NULL;) {
		struct pending_answer *a = *at;

		if (!lk_text_says(notice, a->notice)) {
			at = &a->next;
			continue;
		}
		*at = a->next;
		free(a);
		found = true;
	}
	return found;
}

static int take_answered(struct lk_inbox *b, struct lk_error *err)
{
	const struct lk_msg_answered *a = &b->in.answered;
	int code = store_flush(b, err);

	if (code < 0)
		return code;
	(void)answer_settle(b, a->notice);
	if (b->options.answered != NULL)
		b->options.answered(b->options.context, a->worker, a->notice, a->by, a->at);
	return 0;
}

static int take_ping(struct lk_inbox *b, struct lk_error *err)
{
	(void)err;
	say_ping(b, LK_MSG_PONG);
	return 0;
}

static int take_pong(struct lk_inbox *b, struct lk_error *err)
{
	(void)b;
	(void)err;
	return 0; /* that it came is all it says, and the dealer has noticed */
}

/* The answer that the daemon will not take: the one that `re` names. */
static bool answers_refuse(struct lk_inbox *b, const struct lk_msg_error *e)
{
	struct lk_text re = lk_as_text(e->re), detail = lk_as_text(e->detail);
	bool found = false;

	for (struct pending_answer **at = &b->answers; *at != NULL;) {
		struct pending_answer *a = *at;

		if (!a->sent || !lk_text_says(re, a->notice)) {
			at = &a->next;
			continue;
		}
		*at = a->next;
		if (b->options.unanswered != NULL)
			b->options.unanswered(b->options.context,
					      lk_text_of(b->mailboxes[a->mailbox].worker),
					      lk_text_of(a->notice),
					      lk_text_given(detail) ? detail : e->code);
		free(a);
		found = true;
	}
	return found;
}

/* In a session that stands, a refusal is of what was asked in it; only one that meets our greeting is about our rights. */
static int take_error(struct lk_inbox *b, struct lk_error *err)
{
	const struct lk_msg_error *e = &b->in.error;

	if (dealer_connected(b->dealer) && answers_refuse(b, e)) {
		dealer_drop(b->dealer, "the daemon did not take an answer; connecting again");
		return 0;
	}
	return dealer_refused(b->dealer, e, err);
}

static const struct {
	enum lk_message_type type;
	int (*take)(struct lk_inbox *b, struct lk_error *err);
} takes[] = {
	{ LK_MSG_WELCOME, take_welcome },   { LK_MSG_NOTICE, take_notice },
	{ LK_MSG_NOTICES, take_notices },   { LK_MSG_CAUGHTUP, take_caughtup },
	{ LK_MSG_ANSWERED, take_answered }, { LK_MSG_PING, take_ping },
	{ LK_MSG_PONG, take_pong },         { LK_MSG_ERROR, take_error },
};

static int take_frame(struct lk_inbox *b, struct lk_span frame, struct lk_error *err)
{
	struct lk_error why = { 0 };
	int code = 0;

	if (lk_message_decode(frame.at, frame.len, LK_WORKER_TAKES, &b->in, &why) < 0)
		code = LK_EWIRE;
	for (size_t i = 0; i < sizeof(takes) / sizeof(takes[0]) && code == 0; i++)
		if (takes[i].type == b->in.type) {
			code = takes[i].take(b, &why);
			break;
		}
	if (code == LK_EWIRE) {
		dealer_drop(b->dealer, "the daemon said something unreadable: %.200s", why.text);
		return 0;
	}
	if (code < 0)
		return lk_fail(err, code, "%s", why.text);
	return 0;
}

/* ---- One bite -------------------------------------------------------------------------------------------------------- */

/* An answer that the daemon could not write then is not confirmed, nor refused. */
static void say_we_live(struct lk_inbox *b)
{
	say_ping(b, LK_MSG_PING);
	answers_unsay(b);
}

static int take_news(struct lk_inbox *b, struct lk_error *err)
{
	struct lk_span frame = { NULL, 0 };
	int code = 0;

	for (int n = 0; n < FRAMES_A_BITE && code == 0; n++) {
		enum dealer_news news = dealer_next(b->dealer, &frame);

		if (news == DEALER_NOTHING)
			return 0;
		if (news == DEALER_UP)
			code = say_hello(b, err);
		else if (news == DEALER_IDLE)
			say_we_live(b);
		else
			code = take_frame(b, frame, err);
	}
	dealer_again(b->dealer);
	return code;
}

/* A failure is nobody's: what could not be done before is done when it is needed, and fails then. */
static void name_in_quiet(struct lk_inbox *b)
{
	lk_instant due = b->stored_at + QUIET;
	struct lk_error err;

	if (b->is_idle)
		return;
	if (dealer_now() < due)
		dealer_wake(b->dealer, due);
	else if (inbox_store_name_some(b->store, &err) == 1)
		dealer_again(b->dealer);
	else
		b->is_idle = true;
}

/* The bite is taken back; the next greeting asks the store how far it is, for what we have counted is more. */
static void bite_failed(struct lk_inbox *b, int code)
{
	lk_inbox_store_rollback(b->store);
	b->news = false;
	if (code != LK_EAUTH) /* which has ended the connection */
		dealer_drop(b->dealer, "the store of this inbox failed");
}

int lk_inbox_process(struct lk_inbox *b, struct lk_error *err)
{
	int code = take_news(b, err);

	if (code == 0)
		code = store_flush(b, err);
	if (code < 0) {
		bite_failed(b, code);
	} else {
		say_receipts_due(b);
		say_credit(b);
		say_answers(b);
		name_in_quiet(b);
	}
	dealer_arm(b->dealer);
	return code;
}

int lk_inbox_wait(struct lk_inbox *b, int timeout_ms, struct lk_error *err)
{
	int ready = dealer_wait(b->dealer, timeout_ms, err);
	int code = ready == 1 ? lk_inbox_process(b, err) : 0;

	return code < 0 ? code : ready;
}
