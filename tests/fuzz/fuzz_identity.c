/* fuzz_identity.c - any JSON line on its way out of an agency: identities become tokens or stay at home.
 *
 * In: bytes; the first says whether there is a key. Promise: what goes out passes the scan and has no `identity` at any
 * depth; without a key one that has is refused; sealing what is sealed changes nothing.
 */
#include <linkages/client.h>
#include <linkages/wire.h>

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void must(bool fact)
{
	if (!fact)
		abort();
}

static bool has_identity(struct lk_span value)
{
	struct lk_span key, item;
	size_t cursor = 0;

	while (lk_next(value, &cursor, &key, &item))
		if ((key.at != NULL && lk_text_says(lk_as_text(key), "identity")) ||
		    has_identity(item))
			return true;
	return false;
}

static void seal(const struct lk_bytes *event, const uint8_t *secret)
{
	struct lk_bytes out = { 0 }, again = { 0 };
	struct lk_refused why = { .reason = (enum lk_refusal)99 };
	int rc = lk_identity_seal(event->at, event->len, secret, &out, &why);

	if (rc == 0) {
		must(lk_wire_scan(out.at, out.len, &lk_event_limits, NULL) == 0);
		must(!has_identity(lk_span_of(out.at, out.len)));
		must(lk_identity_seal(out.at, out.len, NULL, &again, &why) == 0);
		must(again.len == out.len && memcmp(again.at, out.at, out.len) == 0);
	} else {
		must(rc == LK_EREFUSED && lk_refusal_word((int)why.reason) != NULL);
	}
	must(secret != NULL || rc != 0 || !has_identity(lk_span_of(event->at, event->len)));
	lk_bytes_free(&out);
	lk_bytes_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static const uint8_t secret[LK_IDENTITY_KEY] = { 1, 2, 3 };
	struct lk_bytes event = { 0 };
	struct lk_refused why;

	if (len > 0 && lk_json_to_wire((const char *)bytes + 1, len - 1, &event, &why) == 0)
		seal(&event, bytes[0] % 2 == 0 ? secret : NULL);
	lk_bytes_free(&event);
	return 0;
}
