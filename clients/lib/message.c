/* message.c - the messages of the lanes to bytes and back.
 *
 * In: one body frame and the set of messages that may come here. Out: the message, borrowing from
 * the frame. Promise: a message that is let through has every member its list asks for, of the
 * right kind and in range; what is said of a bad one repeats nothing of it.
 */
#include "fields.h"
#include "scan.h"

#include <string.h>

#define MESSAGE_TABLE(enumerator, tag, word) \
	FIELD_TABLE(tag##_fields, struct lk_msg_##tag, LK_FIELDS_##tag)
LK_MESSAGES(MESSAGE_TABLE)
LK_MESSAGE_ITEMS(MESSAGE_TABLE)

static const struct {
	const char *word; /* the value of `m` */
	const struct field *(*fields)(void);
	size_t offset; /* of its members in struct lk_message */
} messages[lk_message_type_count] = {
#define MESSAGE_TYPE(enumerator, tag, word_) \
	[enumerator] = { word_, tag##_fields, offsetof(struct lk_message, tag) },
	LK_MESSAGES(MESSAGE_TYPE)
};

_Static_assert(lk_message_type_count <= 32, "a set of messages is a set of bits");

const char *lk_message_word(enum lk_message_type type)
{
	return messages[type].word;
}

/* -1 where this word may not come here. */
static int message_type(struct lk_text word, unsigned takes)
{
	for (int type = 0; type < lk_message_type_count; type++) {
		if ((takes >> type & 1) != 0 && lk_text_says(word, messages[type].word))
			return type;
	}
	return -1;
}

static int members_decode(const char *what, const struct field *fields, struct lk_span map,
			  void *object, struct lk_error *err)
{
	struct lk_refused why;
	struct reader reader = { .agency = LK_NO_CODE, .why = &why };

	fields_clear(fields, object);
	if (fields_read(&reader, fields, map, object) < 0)
		return lk_fail(err, LK_EWIRE, "%s, member '%s': %s", what, why.field, why.detail);
	return 0;
}

/* Where events come in, what an event holds is judged with the event: a bad one is its publisher's
 * to be told of, and no reason to refuse the message around it. */
enum carrier { CARRIES_ONE, CARRIES_SEVERAL, carriers_n };
static const char *const carriers[carriers_n + 1] = { "event", "events", NULL };

/* *met: a bit for each of the `sealed` that was there. */
static int frame_scan(const void *bytes, size_t len, const char *const *sealed, unsigned *met,
		      struct lk_error *err)
{
	struct scan scan;
	int rc = scan_envelope(bytes, len, &lk_message_limits, sealed, &scan);

	*met = scan.sealed;
	if (rc == 0)
		return 0;
	return lk_fail(err,
		       scan.fault == SCAN_LONG || scan.fault == SCAN_MANY ? LK_EREFUSED : LK_EWIRE,
		       "%zu bytes that are not one bounded map: %s", len, scan.detail);
}

/* A member that was measured only, and that this message does not know for one that carries events, is scanned. */
static int scan_others(const void *bytes, size_t len, int type, unsigned met, struct lk_error *err)
{
	bool one = type == LK_MSG_EVENT, several = type == LK_MSG_EVENTS;
	const char *const own[] = { one       ? carriers[CARRIES_ONE]
				    : several ? carriers[CARRIES_SEVERAL]
					      : NULL,
				    NULL };
	unsigned others =
		met & ~((unsigned)one << CARRIES_ONE | (unsigned)several << CARRIES_SEVERAL);

	return others == 0 ? 0 : frame_scan(bytes, len, own, &met, err);
}

int lk_message_decode(const void *bytes, size_t len, unsigned takes, struct lk_message *out,
		      struct lk_error *err)
{
	bool sealed = (takes & LK_TAKES(LK_MSG_EVENT)) != 0;
	struct lk_span map = lk_span_of(bytes, len);
	struct lk_text word;
	unsigned met;
	int type, rc = frame_scan(bytes, len, sealed ? carriers : NULL, &met, err);

	if (rc < 0)
		return rc;
	word = lk_as_text(lk_get(map, "m"));
	if (!lk_text_given(word))
		return lk_fail(err, LK_EWIRE, "a message without its name, 'm'");
	type = message_type(word, takes);
	if (type < 0)
		return lk_fail(err, LK_EWIRE, "a message of a name that is not spoken here");
	rc = scan_others(bytes, len, type, met, err);
	if (rc < 0)
		return rc;
	memset(out, 0, sizeof(*out));
	out->type = (enum lk_message_type)type;
	return members_decode(messages[type].word, messages[type].fields(), map,
			      (char *)out + messages[type].offset, err);
}

void lk_message_encode(const struct lk_message *message, struct lk_bytes *out)
{
	const struct field *fields = messages[message->type].fields();
	const void *object = (const char *)message + messages[message->type].offset;

	lk_put_map(out, 1 + fields_given(fields, object));
	lk_member_word(out, "m", messages[message->type].word);
	fields_write(fields, object, out);
}

/* ---- Items of lists -------------------------------------------------------------------------- */

int lk_refused_item_decode(struct lk_span item, struct lk_msg_refused_item *out,
			   struct lk_error *err)
{
	return members_decode("refused", refused_item_fields(), item, out, err);
}

int lk_hello_worker_decode(struct lk_span item, struct lk_msg_hello_worker *out,
			   struct lk_error *err)
{
	uint8_t mailbox[LK_DIGEST];
	int rc = members_decode("workers", hello_worker_fields(), item, out, err);

	if (rc < 0 || out->mailbox.at == NULL ||
	    lk_digest_parse(lk_as_text(out->mailbox), mailbox) == 0)
		return rc;
	return lk_fail(err, LK_EWIRE, "workers, member 'mailbox': it is nil or 32 hex digits");
}

int lk_welcome_worker_decode(struct lk_span item, struct lk_msg_welcome_worker *out,
			     struct lk_error *err)
{
	return members_decode("workers", welcome_worker_fields(), item, out, err);
}

void lk_refused_item_encode(const struct lk_msg_refused_item *item, struct lk_bytes *out)
{
	fields_put(refused_item_fields(), item, out);
}

void lk_hello_worker_encode(const struct lk_msg_hello_worker *item, struct lk_bytes *out)
{
	fields_put(hello_worker_fields(), item, out);
}

void lk_welcome_worker_encode(const struct lk_msg_welcome_worker *item, struct lk_bytes *out)
{
	fields_put(welcome_worker_fields(), item, out);
}
