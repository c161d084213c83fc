/* fuzz_message.c - any bytes as a frame on a lane, and as a notice.
 *
 * In: bytes. Promise: a message or LK_EWIRE with a sentence; what was let through is encoded,
 * decoded and encoded again without a change; its lists can be walked.
 */
#include <linkages/message.h>

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static const unsigned listeners[] = {
	LK_INTAKE_TAKES, LK_PUBLISHER_TAKES, LK_INBOX_TAKES,
	LK_WORKER_TAKES, LK_CONTROL_TAKES,   LK_ASKER_TAKES,
};

static void must(bool fact)
{
	if (!fact)
		abort();
}

static void same(const struct lk_bytes *a, const struct lk_bytes *b)
{
	must(a->len == b->len && memcmp(a->at, b->at, a->len) == 0);
}

static void walk(struct lk_span list)
{
	struct lk_msg_refused_item refused;
	struct lk_msg_hello_worker hello;
	struct lk_msg_welcome_worker welcome;
	struct lk_span key, item;
	size_t cursor = 0;
	int fine = 0;

	while (lk_next(list, &cursor, &key, &item)) {
		fine += lk_refused_item_decode(item, &refused, NULL) == 0;
		fine += lk_hello_worker_decode(item, &hello, NULL) == 0;
		fine += lk_welcome_worker_decode(item, &welcome, NULL) == 0;
	}
	must(fine >= 0);
}

static void message_try(const uint8_t *bytes, size_t len, unsigned takes)
{
	struct lk_message message, again;
	struct lk_bytes first = { 0 }, second = { 0 };
	struct lk_error err = { .text = "" };

	if (lk_message_decode(bytes, len, takes, &message, &err) != 0) {
		must((err.code == LK_EWIRE || err.code == LK_EREFUSED) && err.text[0] != '\0');
		return;
	}
	if (message.type == LK_MSG_ACK)
		walk(message.ack.refused);
	if (message.type == LK_MSG_SUB_HELLO)
		walk(message.sub_hello.workers);
	lk_message_encode(&message, &first);
	if (first.len <= LK_MESSAGE_MAX) {
		must(lk_message_decode(first.at, first.len, takes, &again, NULL) == 0);
		lk_message_encode(&again, &second);
		same(&first, &second);
	}
	lk_bytes_free(&first);
	lk_bytes_free(&second);
}

static void notice_try(const uint8_t *bytes, size_t len)
{
	static struct lk_notice notice, again;
	struct lk_bytes first = { 0 }, second = { 0 };

	if (lk_notice_decode(bytes, len, &notice, NULL) != 0)
		return;
	lk_notice_encode(&notice, &first);
	must(lk_notice_decode(first.at, first.len, &again, NULL) == 0);
	lk_notice_encode(&again, &second);
	same(&first, &second);
	lk_bytes_free(&first);
	lk_bytes_free(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < sizeof(listeners) / sizeof(*listeners); i++)
		message_try(bytes, len, listeners[i]);
	notice_try(bytes, len);
	return 0;
}
