/* message.h - the messages of the intake, inbox and control lanes, described once: protocol.md, "Lanes".
 *
 * Each list gives the struct, the encoder, the validating decoder and the schema. `m` names the message on the wire.
 * Kinds beyond those of event.h, with their C types:
 *   NUMBER       int64_t           0..2^53-1; INT64_MIN: absent
 *   KEY          struct lk_text    32 lower-case hex digits
 *   WORD(max)    struct lk_text    1..max characters
 *   RAW          struct lk_span    one value, any (at == NULL: absent)
 *   LIST         struct lk_span    an array; walk it with lk_next() and read each item with the item lists below
 *   TIMETEXT     struct lk_time    RFC 3339
 */
#ifndef LINKAGES_MESSAGE_H
#define LINKAGES_MESSAGE_H

#include <linkages/wire.h>

#define LK_CTYPE_NUMBER int64_t
#define LK_CTYPE_KEY struct lk_text
#define LK_CTYPE_WORD(max) struct lk_text
#define LK_CTYPE_RAW struct lk_span
#define LK_CTYPE_LIST struct lk_span
#define LK_CTYPE_TIMETEXT struct lk_time

/* intake, publisher to daemon */
#define LK_FIELDS_pub_hello(F) \
	F(v, "v", NUMBER, REQUIRED) F(source, "source", WORD(64), REQUIRED) F(epoch, "epoch", KEY, REQUIRED) \
	F(first, "first", NUMBER, REQUIRED) F(last, "last", NUMBER, REQUIRED) F(acked, "acked", NUMBER, REQUIRED)
#define LK_FIELDS_event_sent(F) \
	F(epoch, "epoch", KEY, REQUIRED) F(seq, "seq", NUMBER, REQUIRED) F(event, "event", RAW, NULLABLE)
/* events: the events of seq, seq + 1, ...; only to a daemon that says `several` in `subscribe`, and at most so many */
#define LK_FIELDS_events_sent(F) \
	F(epoch, "epoch", KEY, REQUIRED) F(seq, "seq", NUMBER, REQUIRED) F(events, "events", LIST, REQUIRED)
/* intake, daemon to publisher. refused: [{seq, reason, field, detail}] */
#define LK_FIELDS_subscribe(F) \
	F(epoch, "epoch", KEY, REQUIRED) F(next, "next", NUMBER, REQUIRED) F(credit, "credit", NUMBER, REQUIRED) \
	F(safe, "safe", NUMBER, REQUIRED) F(refused, "refused", LIST, REQUIRED) F(several, "several", NUMBER, OPTIONAL)
#define LK_FIELDS_ack(F) \
	F(epoch, "epoch", KEY, REQUIRED) F(upto, "upto", NUMBER, REQUIRED) F(safe, "safe", NUMBER, REQUIRED) \
	F(credit, "credit", NUMBER, REQUIRED) F(refused, "refused", LIST, REQUIRED)
#define LK_FIELDS_nak(F) F(epoch, "epoch", KEY, REQUIRED) F(want, "want", NUMBER, REQUIRED)
#define LK_FIELDS_refused_item(F) \
	F(seq, "seq", NUMBER, REQUIRED) F(reason, "reason", WORD(32), REQUIRED) F(field, "field", RAW, OPTIONAL) \
	F(detail, "detail", RAW, OPTIONAL)

/* both ways; `last` is the publisher's highest seq, absent on the inbox lane */
#define LK_FIELDS_ping(F) F(last, "last", NUMBER, OPTIONAL)
#define LK_FIELDS_pong(F) F(last, "last", NUMBER, OPTIONAL)
#define LK_FIELDS_error(F) \
	F(code, "code", WORD(32), REQUIRED) F(detail, "detail", RAW, OPTIONAL) F(re, "re", RAW, OPTIONAL)

/* inbox, client to daemon. workers: [{worker, mailbox, last}], mailbox nil where the client has none yet */
#define LK_FIELDS_sub_hello(F) \
	F(v, "v", NUMBER, REQUIRED) F(client, "client", WORD(64), REQUIRED) F(workers, "workers", LIST, REQUIRED) \
	F(several, "several", NUMBER, OPTIONAL)
#define LK_FIELDS_hello_worker(F) \
	F(worker, "worker", WORKER, REQUIRED) F(mailbox, "mailbox", RAW, OPTIONAL) F(last, "last", NUMBER, REQUIRED)
#define LK_FIELDS_credit(F) F(session, "session", KEY, REQUIRED) F(n, "n", NUMBER, REQUIRED)
#define LK_FIELDS_receipt(F) \
	F(session, "session", KEY, REQUIRED) F(worker, "worker", WORKER, REQUIRED) F(upto, "upto", NUMBER, REQUIRED)
#define LK_FIELDS_answer(F) \
	F(session, "session", KEY, REQUIRED) F(worker, "worker", WORKER, REQUIRED) F(notice, "notice", KEY, REQUIRED)
/* inbox, daemon to client. workers: [{worker, mailbox, first, next}]; limits {credit}; clock "real" or "manual" */
#define LK_FIELDS_welcome(F) \
	F(session, "session", KEY, REQUIRED) F(workers, "workers", LIST, REQUIRED) F(limits, "limits", RAW, REQUIRED) \
	F(clock, "clock", WORD(16), REQUIRED)
#define LK_FIELDS_welcome_worker(F) \
	F(worker, "worker", WORKER, REQUIRED) F(mailbox, "mailbox", KEY, REQUIRED) F(first, "first", NUMBER, REQUIRED) \
	F(next, "next", NUMBER, REQUIRED)
#define LK_FIELDS_notice_sent(F) \
	F(session, "session", KEY, REQUIRED) F(worker, "worker", WORKER, REQUIRED) F(seq, "seq", NUMBER, REQUIRED) \
	F(notice, "notice", RAW, REQUIRED)
/* notices: those of seq, seq + 1, ...; only to a client that says `several` in `hello`, and at most so many */
#define LK_FIELDS_notices_sent(F) \
	F(session, "session", KEY, REQUIRED) F(worker, "worker", WORKER, REQUIRED) F(seq, "seq", NUMBER, REQUIRED) \
	F(notices, "notices", LIST, REQUIRED)
#define LK_FIELDS_caughtup(F) \
	F(session, "session", KEY, REQUIRED) F(worker, "worker", WORKER, REQUIRED) F(seq, "seq", NUMBER, REQUIRED)
#define LK_FIELDS_answered(F) \
	F(worker, "worker", WORKER, REQUIRED) F(notice, "notice", KEY, REQUIRED) F(by, "by", WORD(64), REQUIRED) \
	F(at, "at", TIMETEXT, REQUIRED)

/* control */
#define LK_FIELDS_verb(F) \
	F(verb, "verb", WORD(32), REQUIRED) F(v, "v", NUMBER, REQUIRED) F(id, "id", NUMBER, REQUIRED) \
	F(args, "args", RAW, OPTIONAL)
#define LK_FIELDS_reply(F) \
	F(id, "id", NUMBER, REQUIRED) F(ok, "ok", BOOL, REQUIRED) F(more, "more", BOOL, REQUIRED) \
	F(body, "body", RAW, OPTIONAL)

/* M(enumerator, tag, value of `m`). One word may name one message per direction: decoding is told the direction.
 * A verb's `m` is "verb" and its name is in `verb`. */
#define LK_MESSAGES(M) \
	M(LK_MSG_PUB_HELLO, pub_hello, "hello") M(LK_MSG_EVENT, event_sent, "event") \
	M(LK_MSG_SUBSCRIBE, subscribe, "subscribe") M(LK_MSG_ACK, ack, "ack") M(LK_MSG_NAK, nak, "nak") \
	M(LK_MSG_PING, ping, "ping") M(LK_MSG_PONG, pong, "pong") M(LK_MSG_ERROR, error, "error") \
	M(LK_MSG_SUB_HELLO, sub_hello, "hello") M(LK_MSG_CREDIT, credit, "credit") \
	M(LK_MSG_RECEIPT, receipt, "receipt") M(LK_MSG_ANSWER, answer, "answer") \
	M(LK_MSG_WELCOME, welcome, "welcome") M(LK_MSG_NOTICE, notice_sent, "notice") \
	M(LK_MSG_CAUGHTUP, caughtup, "caughtup") M(LK_MSG_ANSWERED, answered, "answered") \
	M(LK_MSG_VERB, verb, "verb") M(LK_MSG_REPLY, reply, "reply") \
	M(LK_MSG_EVENTS, events_sent, "events") M(LK_MSG_NOTICES, notices_sent, "notices")
#define LK_MESSAGE_ITEMS(M) \
	M(LK_ITEM_REFUSED, refused_item, "") M(LK_ITEM_HELLO_WORKER, hello_worker, "") \
	M(LK_ITEM_WELCOME_WORKER, welcome_worker, "")

#define LK_MESSAGE_ENUMERATOR(name, tag, word) name,
enum lk_message_type { LK_MESSAGES(LK_MESSAGE_ENUMERATOR) lk_message_type_count };

#define LK_DECLARE_MESSAGE(enumerator, tag, word) \
	struct lk_msg_##tag { LK_FIELDS_##tag(LK_STRUCT_MEMBER) };
LK_MESSAGES(LK_DECLARE_MESSAGE)
LK_MESSAGE_ITEMS(LK_DECLARE_MESSAGE)

struct lk_message {
	enum lk_message_type type;
#define LK_UNION_MEMBER(enumerator, tag, word) struct lk_msg_##tag tag;
	union {
		LK_MESSAGES(LK_UNION_MEMBER)
	};
#undef LK_UNION_MEMBER
};

/* The most events or notices that one message of ours holds, and that is taken of others. */
#define LK_SEVERAL 128

/* Who is listening, and so which messages may come: a set of types. */
#define LK_TAKES(type) (1u << (type))
#define LK_INTAKE_TAKES \
	(LK_TAKES(LK_MSG_PUB_HELLO) | LK_TAKES(LK_MSG_EVENT) | LK_TAKES(LK_MSG_EVENTS) | LK_TAKES(LK_MSG_PING) | \
	 LK_TAKES(LK_MSG_PONG))
#define LK_PUBLISHER_TAKES \
	(LK_TAKES(LK_MSG_SUBSCRIBE) | LK_TAKES(LK_MSG_ACK) | LK_TAKES(LK_MSG_NAK) | LK_TAKES(LK_MSG_PING) | \
	 LK_TAKES(LK_MSG_PONG) | LK_TAKES(LK_MSG_ERROR))
#define LK_INBOX_TAKES \
	(LK_TAKES(LK_MSG_SUB_HELLO) | LK_TAKES(LK_MSG_CREDIT) | LK_TAKES(LK_MSG_RECEIPT) | LK_TAKES(LK_MSG_ANSWER) | \
	 LK_TAKES(LK_MSG_PING) | LK_TAKES(LK_MSG_PONG))
#define LK_WORKER_TAKES \
	(LK_TAKES(LK_MSG_WELCOME) | LK_TAKES(LK_MSG_NOTICE) | LK_TAKES(LK_MSG_NOTICES) | LK_TAKES(LK_MSG_CAUGHTUP) | \
	 LK_TAKES(LK_MSG_ANSWERED) | LK_TAKES(LK_MSG_PING) | LK_TAKES(LK_MSG_PONG) | LK_TAKES(LK_MSG_ERROR))
#define LK_CONTROL_TAKES LK_TAKES(LK_MSG_VERB)
#define LK_ASKER_TAKES (LK_TAKES(LK_MSG_REPLY) | LK_TAKES(LK_MSG_ERROR))

/* Scans and decodes one lane message. 0; LK_EWIRE, or LK_EREFUSED for one of more values or bytes than a message may
 * have, with a sentence that repeats nothing of the bytes. Where events may
 * come, event_sent.event and events_sent.events are only measured: lk_event_decode() judges each, so that a bad event is a
 * dead letter with a name and not the end of its publisher's session. */
int lk_message_decode(const void *bytes, size_t len, unsigned takes, struct lk_message *out,
		      struct lk_error *err) LK_MUST_CHECK;
/* The value of `m`. */
const char *lk_message_word(enum lk_message_type type);
/* Appends the message, `m` first. Absent optional members are left out. */
void lk_message_encode(const struct lk_message *message, struct lk_bytes *out);
/* The items of LIST members: 0 or LK_EWIRE. */
int lk_refused_item_decode(struct lk_span item, struct lk_msg_refused_item *out, struct lk_error *err) LK_MUST_CHECK;
int lk_hello_worker_decode(struct lk_span item, struct lk_msg_hello_worker *out, struct lk_error *err) LK_MUST_CHECK;
int lk_welcome_worker_decode(struct lk_span item, struct lk_msg_welcome_worker *out,
			     struct lk_error *err) LK_MUST_CHECK;
/* One item's map, appended; the caller announces the array with lk_put_array(). */
void lk_refused_item_encode(const struct lk_msg_refused_item *item, struct lk_bytes *out);
void lk_hello_worker_encode(const struct lk_msg_hello_worker *item, struct lk_bytes *out);
void lk_welcome_worker_encode(const struct lk_msg_welcome_worker *item, struct lk_bytes *out);

#endif
