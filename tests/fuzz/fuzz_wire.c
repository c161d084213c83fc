/* fuzz_wire.c - any bytes, as every decoder of the wire may get them.
 *
 * In: bytes; the first picks the decoder. Out: nothing. Promise: no decoder reads beyond the bytes or keeps memory, and
 * what was accepted says the same after it was written and read again.
 */
#include <linkages/message.h>
#include <linkages/wire.h>

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static int any_agency(void *context, struct lk_text source)
{
	(void)context;
	return source.len % 2 == 0 ? LK_CWS : LK_CALWORKS;
}

static void try_event(const uint8_t *bytes, size_t len)
{
	struct lk_event event, again;
	struct lk_refused why;
	struct lk_bytes out = { 0 };

	if (lk_event_decode(bytes, len, any_agency, NULL, &event, &why) == 0) {
		lk_event_encode(&event, &out);
		assert(!out.failed);
		assert(lk_event_decode(out.at, out.len, any_agency, NULL, &again, &why) == 0);
		assert(again.type == event.type && again.time.at == event.time.at &&
		       lk_text_is(again.id, event.id));
	}
	lk_bytes_free(&out);
}

static void try_notice(const uint8_t *bytes, size_t len)
{
	struct lk_notice notice;
	struct lk_bytes out = { 0 };

	if (lk_wire_scan(bytes, len, &lk_message_limits, NULL) == 0 &&
	    lk_notice_decode(bytes, len, &notice, NULL) == 0)
		lk_notice_encode(&notice, &out);
	lk_bytes_free(&out);
}

static void try_message(const uint8_t *bytes, size_t len)
{
	static const unsigned listeners[] = { LK_INTAKE_TAKES, LK_PUBLISHER_TAKES, LK_INBOX_TAKES,
					      LK_WORKER_TAKES, LK_CONTROL_TAKES,   LK_ASKER_TAKES };
	struct lk_message message;
	struct lk_bytes out = { 0 };

	for (size_t i = 0; i < sizeof(listeners) / sizeof(listeners[0]); i++)
		if (lk_message_decode(bytes, len, listeners[i], &message, NULL) == 0)
			lk_message_encode(&message, &out);
	lk_bytes_free(&out);
}

/* The canonical form of a canonical form is itself, and as JSON it comes back to the same. */
static void try_canonical(const uint8_t *bytes, size_t len)
{
	struct lk_bytes once = { 0 }, twice = { 0 }, json = { 0 }, back = { 0 };
	struct lk_refused why;

	if (lk_wire_scan(bytes, len, &lk_event_limits, NULL) == 0 &&
	    lk_wire_canonical(bytes, len, &once) == 0) {
		assert(lk_wire_canonical(once.at, once.len, &twice) == 0);
		assert(once.len == twice.len && memcmp(once.at, twice.at, once.len) == 0);
		assert(lk_wire_to_json(once.at, once.len, &json) == 0);
		if (lk_json_to_wire((const char *)json.at, json.len, &back, &why) == 0)
			assert(back.len == once.len && memcmp(back.at, once.at, once.len) == 0);
	}
	lk_bytes_free(&once);
	lk_bytes_free(&twice);
	lk_bytes_free(&json);
	lk_bytes_free(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static void (*const decoders[])(const uint8_t *, size_t) = { try_event, try_notice,
								     try_message, try_canonical };

	if (len > 0)
		decoders[bytes[0] % 4](bytes + 1, len - 1);
	return 0;
}
