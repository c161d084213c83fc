/* inbox.c - hello, welcome, credit, receipt, answer, answered: what clients of workers say.
 *
 * In: how far each client has come, and how much it will take. Out: sessions that read mailboxes, and are sent
 * what waits in them (inbox_send.c). Promise: nothing waits in memory; two sessions of one worker both get
 * everything; nobody can have stored what was not sent.
 */
#include "inbox_parts.h"

#include "access.h"
#include "alarm.h"
#include "clock.h"
#include "credit.h"
#include "log.h"
#include "loop.h"
#include "metrics.h"
#include "turn.h"
#include "zsock.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#define WORKERS_A_HELLO 1000
#define LANE_BITE 256 /* messages read before others have their turn */
/* Messages that may wait to leave by one connection, of about 8,000 bytes each; then the session is blocked, and its mail waits on
 * disk. */
#define QUEUE 256
#define RECEIPTS_US (LK_SECOND / 2) /* receipts that come together are one write */
#define RECEIPTS_A_WRITE 256

/* ---- Mailboxes ---- */

/* Keyed: nobody chooses names that meet in one bucket. */
static struct mailbox **bucket_of(struct inbox *inbox, struct lk_text worker)
{
	uint8_t hashed[crypto_shorthash_BYTES];
	uint32_t hash;

	crypto_shorthash(hashed, (const unsigned char *)worker.at, worker.len, inbox->hash_key);
	memcpy(&hash, hashed, sizeof(hash));
	return &inbox->bucket[hash % BUCKETS];
}

static struct mailbox *mailbox_find(struct inbox *inbox, struct lk_text worker)
{
	struct mailbox *m = *bucket_of(inbox, worker);

	while (m != NULL && !lk_text_says(worker, m->worker))
		m = m->next_mailbox;
	return m;
}

static struct mailbox *mailbox_get(struct inbox *inbox, struct lk_text worker)
{
	struct mailbox *m = mailbox_find(inbox, worker), **bucket = bucket_of(inbox, worker);

	if (m != NULL || worker.len >= sizeof(m->worker))
		return m;
	m = calloc(1, sizeof(*m));
	if (m == NULL)
		return NULL;
	memcpy(m->worker, worker.at, worker.len);
	m->next_mailbox = *bucket;
	*bucket = m;
	inbox->mailboxes_n++;
	return m;
}

static void reader_leave(struct inbox *inbox, struct reader *reader)
{
	struct mailbox *m = reader->mailbox, **at;
	struct reader **in = &m->readers;

	while (*in != reader)
		in = &(*in)->next_reader;
	*in = reader->next_reader;
	if (m->readers != NULL)
		return;
	for (at = bucket_of(inbox, lk_text_of(m->worker)); *at != m; at = &(*at)->next_mailbox)
		;
	*at = m->next_mailbox;
	inbox->mailboxes_n--;
	free(m);
}

/* ---- Told ---- */

void inbox_told(struct inbox *inbox, struct lk_text worker, int64_t seq)
{
	struct mailbox *m = mailbox_find(inbox, worker);
	int64_t now = clock_ticks();

	if (m == NULL || seq <= m->told)
		return;
	for (struct reader *r = m->readers; r != NULL; r = r->next_reader) {
		if (r->sent >= m->told)
			r->since_us = now;
		inbox_queue(inbox, r->session);
	}
	m->told = seq;
}

void inbox_store_failed(struct inbox *inbox, const struct lk_error *err)
{
	log_line(LOG_ERROR, "inbox outcome=failed fault=%d detail=\"%s\"", err->code, err->text);
	if (err->code == LK_ESYNC)
		loop_stop(inbox->options.place.loop, EX_TEMPFAIL);
}

/* ---- Hello ---- */

/* Another mailbox, or one ahead of ours: everything again, the client knows duplicates by (id,
 * rev). */
static int64_t place_of(const struct lane_sender *from, const struct lk_msg_hello_worker *said,
			const struct stored_mailbox *stored)
{
	char id[LK_DIGEST_HEX];
	bool same;

	lk_digest_hex(stored->id, id);
	same = lk_text_says(lk_as_text(said->mailbox), id);
	if (same && said->last < stored->next)
		return said->last;
	if (same)
		alarm_raise(ALARM_MAILBOX_AHEAD,
			    "client=%s worker=%.*s last=%" PRId64 " next=%" PRId64,
			    from->client->name, LK_PRINT(said->worker), said->last, stored->next);
	if (said->last > 0) {
		metric_add(METRIC_MAILBOX_MISMATCHES, 1);
		log_line(LOG_WARN,
			 "hello client=%s worker=%.*s mailbox=%s last=%" PRId64 " next=%" PRId64,
			 from->client->name, LK_PRINT(said->worker), same ? "ahead" : "another",
			 said->last, stored->next);
	}
	return stored->first - 1;
}

static bool reads_already(const struct mailbox *m, const struct inbox_session *session)
{
	const struct reader *r = m->readers;

	while (r != NULL && r->session != session)
		r = r->next_reader;
	return r != NULL;
}

static int join(struct inbox *inbox, const struct lane_sender *from, struct inbox_session *session,
		const struct lk_msg_hello_worker *said, struct lk_bytes *items,
		struct lk_error *err)
{
	struct stored_mailbox stored;
	struct reader *r = &session->reader[session->n];
	char id[LK_DIGEST_HEX];
	int rc = turn_mailbox_get(inbox->options.turn, said->worker, &stored, err);

	if (rc < 0)
		return rc;
	struct mailbox *m = mailbox_get(inbox, said->worker);
	if (m == NULL)
		return lk_fail(err, LK_EMEMORY, "no memory for a mailbox");
	if (stored.next - 1 > m->told)
		m->told = stored.next - 1;
	*r = (struct reader){ .session = session, .mailbox = m, .next_reader = m->readers };
	r->sent = place_of(from, said, &stored);
	m->readers = r;
	session->n++;
	lk_digest_hex(stored.id, id);
	const struct lk_msg_welcome_worker item = {
		.worker = said->worker,
		.mailbox = lk_text_of(id),
		.first = stored.first,
		.next = stored.next,
	};
	lk_welcome_worker_encode(&item, items);
	return items->failed ? lk_fail(err, LK_EMEMORY, "no memory for a welcome") : 0;
}

/* False: the session has ended. */
static bool welcome(struct inbox *inbox, const struct inbox_session *session,
		    const struct lk_bytes *items)
{
	struct lk_message message = { .type = LK_MSG_WELCOME };
	struct lk_bytes workers = { 0 }, limits = { 0 };

	lk_put_array(&workers, (uint32_t)session->n);
	lk_bytes_add(&workers, items->at, items->len);
	lk_put_map(&limits, 1);
	lk_member_int(&limits, "credit", CREDIT_NOTICES_MAX);
	message.welcome.session = lk_text_of(session->id);
	message.welcome.workers = lk_span_of(workers.at, workers.len);
	message.welcome.limits = lk_span_of(limits.at, limits.len);
	message.welcome.clock = lk_text_of(clock_word(inbox->options.clock));
	bool is_made = !workers.failed && !limits.failed;
	bool is_told = lane_greet(inbox->lane, session->base.route, is_made ? &message : NULL);
	lk_bytes_free(&workers);
	lk_bytes_free(&limits);
	return is_told;
}

/* What a hello may say, before anything is made for it. */
static bool hello_is_allowed(struct inbox *inbox, const struct lane_sender *from,
			     struct lk_span workers)
{
	struct lk_msg_hello_worker said;
	struct lk_span key, item;
	size_t cursor = 0;
	int64_t n = lk_count(workers);

	if (n < 1 || n > WORKERS_A_HELLO) {
		lane_error(inbox->lane, from, LANE_MALFORMED, "a hello names 1 to 1000 workers");
		return false;
	}
	while (lk_next(workers, &cursor, &key, &item)) {
		if (lk_hello_worker_decode(item, &said, NULL) < 0) {
			lane_error(inbox->lane, from, LANE_MALFORMED,
				   "a worker is worker, mailbox, last");
			return false;
		}
		if (!roster_may_read(from->client, said.worker)) {
			lane_error(inbox->lane, from, LANE_FORBIDDEN,
				   "this key may not read for one of the workers");
			return false;
		}
	}
	return true;
}

static int join_all(struct inbox *inbox, const struct lane_sender *from,
		    struct inbox_session *session, struct lk_span workers, struct lk_bytes *items,
		    struct lk_error *err)
{
	struct lk_msg_hello_worker said;
	struct lk_span key, item;
	size_t cursor = 0;
	int rc = 0;

	while (rc == 0 && lk_next(workers, &cursor, &key, &item)) {
		rc = lk_hello_worker_decode(item, &said, err);
		if (rc < 0)
			break;
		const struct mailbox *known = mailbox_find(inbox, said.worker);
		if (known == NULL || !reads_already(known, session)) /* named twice is named once */
			rc = join(inbox, from, session, &said, items, err);
	}
	return rc;
}

static void begin_session(struct inbox *inbox, const struct lane_sender *from,
			  const struct lk_msg_sub_hello *hello)
{
	size_t n = (size_t)lk_count(hello->workers);
	struct inbox_session *session = calloc(1, sizeof(*session) + n * sizeof(struct reader));
	struct lk_bytes items = { 0 };
	struct lk_error err = { 0 };
	uint8_t id[LK_DIGEST];

	if (session == NULL) {
		lane_error(inbox->lane, from, LANE_BUSY, "no memory");
		return;
	}
	randombytes_buf(id, sizeof(id));
	lk_digest_hex(id, session->id);
	(void)snprintf(session->name, sizeof(session->name), "%.*s", LK_PRINT(hello->client));
	session->several = hello->several > LK_SEVERAL ? LK_SEVERAL : hello->several;
	lane_open(inbox->lane, from, &session->base);
	if (join_all(inbox, from, session, hello->workers, &items, &err) < 0) {
		const struct lane_sender known = { from->route, from->client, &session->base };
		inbox_store_failed(inbox, &err);
		lane_error(inbox->lane, &known, LANE_BUSY, "the store cannot answer now");
	} else if (welcome(inbox, session, &items)) {
		inbox_queue(inbox, session);
		log_line(LOG_INFO, "welcome client=%s session=%.8s workers=%zu", from->client->name,
			 session->id, session->n);
	}
	lk_bytes_free(&items);
}

static bool take_hello(struct inbox *inbox, const struct lane_sender *from,
		       const struct lk_message *message)
{
	const struct lk_msg_sub_hello *hello = &message->sub_hello;
	const struct lane_sender anew = { from->route, from->client, NULL };

	if (hello->v != LK_PROTOCOL_VERSION) {
		lane_error(inbox->lane, from, LANE_VERSION, "1");
		return true;
	}
	if (!hello_is_allowed(inbox, from, hello->workers))
		return true;
	if (from->session != NULL)
		lane_end(inbox->lane, from->session);
	begin_session(inbox, &anew, hello);
	return true;
}

/* ---- Credit, receipts, answers ---- */

/* The sender's session, if the message names it; one of an earlier session is void. */
static struct inbox_session *session_named(struct inbox *inbox, const struct lane_sender *from,
					   struct lk_text id)
{
	struct inbox_session *session = (struct inbox_session *)from->session;

	if (session == NULL) {
		lane_error(inbox->lane, from, LANE_NO_SESSION, "say hello first");
		return NULL;
	}
	return lk_text_says(id, session->id) ? session : NULL;
}

static struct reader *reader_named(struct inbox *inbox, const struct lane_sender *from,
				   struct lk_text id, struct lk_text worker)
{
	struct inbox_session *session = session_named(inbox, from, id);

	if (session == NULL)
		return NULL;
	for (size_t i = 0; i < session->n; i++)
		if (lk_text_says(worker, session->reader[i].mailbox->worker))
			return &session->reader[i];
	lane_error(inbox->lane, from, LANE_UNKNOWN_WORKER, "not a worker of this session");
	return NULL;
}

static bool take_credit(struct inbox *inbox, const struct lane_sender *from,
			const struct lk_message *message)
{
	struct inbox_session *session = session_named(inbox, from, message->credit.session);

	if (session != NULL) {
		session->credit = credit_add(session->credit, message->credit.n);
		inbox_queue(inbox, session);
	}
	return true;
}

static size_t receipts_collect(struct inbox *inbox, struct turn_receipt out[RECEIPTS_A_WRITE])
{
	size_t n = 0;

	for (size_t i = 0; i < BUCKETS && n < RECEIPTS_A_WRITE; i++)
		for (struct mailbox *m = inbox->bucket[i]; m != NULL && n < RECEIPTS_A_WRITE;
		     m = m->next_mailbox) {
			if (m->receipt == 0)
				continue;
			out[n++] = (struct turn_receipt){ lk_text_of(m->worker), m->receipt };
			m->receipt = 0;
		}
	return n;
}

/* What came together is one transaction; more than fits is the next one's. */
static void write_receipts(void *context)
{
	struct inbox *inbox = context;
	struct turn_receipt receipts[RECEIPTS_A_WRITE];
	struct lk_error err = { 0 };
	size_t n;

	while ((n = receipts_collect(inbox, receipts)) > 0) {
		if (turn_receipts(inbox->options.turn, receipts, n, &err) < 0)
			inbox_store_failed(inbox,
					   &err); /* the clients' next receipts say it again */
		else
			metric_add(METRIC_RECEIPTS, (int64_t)n);
	}
}

static bool take_receipt(struct inbox *inbox, const struct lane_sender *from,
			 const struct lk_message *message)
{
	const struct lk_msg_receipt *receipt = &message->receipt;
	struct reader *r = reader_named(inbox, from, receipt->session, receipt->worker);

	/* Nobody can have stored what was not sent. */
	if (r == NULL || receipt->upto > r->sent)
		return true;
	if (receipt->upto > r->mailbox->receipt)
		r->mailbox->receipt = receipt->upto;
	if (!loop_timer_set(inbox->receipts))
		loop_timer_in(inbox->receipts, RECEIPTS_US);
	return true;
}

static bool take_answer(struct inbox *inbox, const struct lane_sender *from,
			const struct lk_message *message)
{
	const struct lk_msg_answer *answer = &message->answer;
	struct reader *r = reader_named(inbox, from, answer->session, answer->worker);
	uint8_t notice[LK_DIGEST];
	struct lk_error err = { 0 };
	int rc;

	if (r == NULL)
		return true;
	if (lk_digest_parse(answer->notice, notice) < 0) {
		lane_error(inbox->lane, from, LANE_MALFORMED, "a notice is named by 32 hex digits");
		return true;
	}
	rc = turn_answer(inbox->options.turn, answer->worker, notice,
			 clock_now(inbox->options.clock), &err);
	if (rc == LK_ENOTFOUND)
		lane_error(inbox->lane, from, LANE_FORBIDDEN,
			   "this worker was told no such notice, or it was taken back for good");
	else if (rc < 0)
		inbox_store_failed(inbox, &err);
	if (rc > 0)
		metric_add(METRIC_ANSWERS, 1);
	return true;
}

void inbox_answered(struct inbox *inbox, struct lk_text worker, const uint8_t notice[LK_DIGEST],
		    struct lk_text by, lk_instant at)
{
	const struct mailbox *m = mailbox_find(inbox, worker);

	for (const struct reader *r = m != NULL ? m->readers : NULL; r != NULL; r = r->next_reader)
		inbox_say_answered(inbox, r, notice, by, at);
}

static bool take_heartbeat(struct inbox *inbox, const struct lane_sender *from,
			   const struct lk_message *message)
{
	(void)message;
	if (from->session == NULL)
		lane_error(inbox->lane, from, LANE_NO_SESSION, "say hello first");
	return true;
}

static bool handle(void *owner, const struct lane_sender *from, const struct lk_message *message)
{
	static bool (*const takes[])(struct inbox *, const struct lane_sender *,
				     const struct lk_message *) = {
		[LK_MSG_SUB_HELLO] = take_hello, [LK_MSG_CREDIT] = take_credit,
		[LK_MSG_RECEIPT] = take_receipt, [LK_MSG_ANSWER] = take_answer,
		[LK_MSG_PING] = take_heartbeat,  [LK_MSG_PONG] = take_heartbeat,
	};
	struct inbox *inbox = owner;

	if (!roster_has_role(from->client, ROLE_WORKER)) {
		lane_error(inbox->lane, from, LANE_FORBIDDEN, "this lane is for workers");
		return true;
	}
	return takes[message->type](inbox, from, message);
}

/* ---- For whoever looks after it ---- */

struct looking {
	const struct inbox *inbox;
	void (*visit)(void *context, const struct inbox_look *look);
	void *context;
};

static void look_at(void *context, struct lane_session *base)
{
	const struct looking *l = context;
	const struct inbox_session *session = (struct inbox_session *)base;
	const struct roster_client *client = lane_client(l->inbox->lane, base);
	struct inbox_look look = { .client = client != NULL ? client->name : "",
				   .name = session->name,
				   .quiet_us = clock_ticks() - base->heard_us };

	look.workers = session->n;
	look.credit = session->credit;
	for (size_t i = 0; i < session->n; i++)
		look.waiting += session->reader[i].mailbox->told - session->reader[i].sent;
	l->visit(l->context, &look);
}

void inbox_each(struct inbox *inbox, void (*visit)(void *context, const struct inbox_look *look),
		void *context)
{
	struct looking l = { inbox, visit, context };

	lane_each(inbox->lane, look_at, &l);
}

/* ---- Life ---- */

/* What a key may read is asked again when the table of clients is another, not only at hello. */
static bool may_stay(void *owner, const struct roster_client *client,
		     const struct lane_session *base)
{
	const struct inbox_session *session = (const struct inbox_session *)base;

	(void)owner;
	for (size_t i = 0; i < session->n; i++)
		if (!roster_may_read(client, lk_text_of(session->reader[i].mailbox->worker)))
			return false;
	return true;
}

static void ended(void *owner, struct lane_session *base)
{
	struct inbox_session *session = (struct inbox_session *)base;

	inbox_unqueue(owner, session);
	write_receipts(owner); /* whose mailboxes may go with it */
	for (size_t i = 0; i < session->n; i++)
		reader_leave(owner, &session->reader[i]);
	free(session->unsaid);
	free(session);
}

void inbox_drain(struct inbox *inbox)
{
	write_receipts(inbox);
	lane_drain(inbox->lane);
	loop_timer_cancel(inbox->pump);
}

struct lane *inbox_lane(struct inbox *inbox)
{
	return inbox->lane;
}

void inbox_put(const struct inbox *inbox, struct lk_bytes *out)
{
	lk_put_map(out, 2);
	lk_member_int(out, "sessions", (int64_t)lane_count(inbox->lane));
	lk_member_int(out, "mailboxes", (int64_t)inbox->mailboxes_n);
}

static int make_timers(struct inbox *inbox, struct lk_error *err)
{
	struct loop *loop = inbox->options.place.loop;
	int rc = loop_timer_create(loop, LOOP_PROMPT, inbox_pump, inbox, &inbox->pump, err);

	if (rc == 0)
		rc = loop_timer_create(loop, LOOP_PROMPT, inbox_unblock, inbox, &inbox->unblock,
				       err);
	if (rc == 0)
		rc = loop_timer_create(loop, LOOP_PROMPT, write_receipts, inbox, &inbox->receipts,
				       err);
	return rc;
}

static int make_lane(struct inbox *inbox, struct lk_error *err)
{
	const struct lane_options options = {
		.place = inbox->options.place,
		.access = inbox->options.access,
		.name = "inbox",
		.takes = LK_INBOX_TAKES,
		.bite = LANE_BITE,
		.queue = QUEUE,
		.handle = handle,
		.may_stay = may_stay,
		.ended = ended,
		.owner = inbox,
	};
	return lane_create(&options, &inbox->lane, err);
}

int inbox_create(const struct inbox_options *options, struct inbox **out, struct lk_error *err)
{
	struct inbox *inbox = calloc(1, sizeof(*inbox));
	int rc;

	if (inbox == NULL)
		return lk_fail(err, LK_EMEMORY, "no memory for the inbox lane");
	inbox->options = *options;
	crypto_shorthash_keygen(inbox->hash_key);
	rc = make_timers(inbox, err);
	if (rc == 0)
		rc = make_lane(inbox, err);
	if (rc < 0) {
		inbox_destroy(inbox);
		return rc;
	}
	*out = inbox;
	return 0;
}

void inbox_destroy(struct inbox *inbox)
{
	if (inbox == NULL)
		return;
	lane_destroy(inbox->lane);
	loop_timer_destroy(inbox->pump);
	loop_timer_destroy(inbox->unblock);
	loop_timer_destroy(inbox->receipts);
	lk_bytes_free(&inbox->notices);
	lk_bytes_free(&inbox->array);
	free(inbox);
}
