/* fuzz_event.c - any bytes as an event.
 *
 * In: bytes. Promise: an event or a refusal by a known name with a sentence, and nothing else; what
 * was let through has one canonical form, comes back from it and from JSON, and is the same event
 * then.
 */
#include <linkages/wire.h>

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* Every source is known, so that what lies behind it is reached. */
static int agency_of(void *context, struct lk_text source)
{
	(void)context;
	return source.len % 2 == 0 ? LK_CALWORKS : LK_CWS;
}

static void must(bool fact)
{
	if (!fact)
		abort();
}

static void same(const struct lk_bytes *a, const struct lk_bytes *b)
{
	must(a->len == b->len && memcmp(a->at, b->at, a->len) == 0);
}

/* What was decoded is encoded, decoded and encoded again: the second time nothing changes. */
static void encode_twice(const struct lk_event *event)
{
	static struct lk_event again;
	struct lk_bytes first = { 0 }, second = { 0 };
	struct lk_refused why;

	lk_event_encode(event, &first);
	must(!first.failed);
	if (first.len <= LK_EVENT_MAX) {
		must(lk_event_decode(first.at, first.len, agency_of, NULL, &again, &why) == 0);
		lk_event_encode(&again, &second);
		same(&first, &second);
	}
	lk_bytes_free(&first);
	lk_bytes_free(&second);
}

static void one_form(const uint8_t *bytes, size_t len)
{
	struct lk_bytes canonical = { 0 }, json = { 0 }, back = { 0 };
	struct lk_refused why;

	must(lk_wire_canonical(bytes, len, &canonical) == 0);
	must(lk_wire_scan(canonical.at, canonical.len, &lk_event_limits, NULL) == 0);
	must(lk_wire_to_json(bytes, len, &json) == 0);
	must(lk_json_to_wire((const char *)json.at, json.len, &back, &why) == 0);
	same(&canonical, &back);
	lk_bytes_free(&canonical);
	lk_bytes_free(&json);
	lk_bytes_free(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static struct lk_event event;
	struct lk_refused why = { .reason = (enum lk_refusal)99 };

	if (lk_wire_scan(bytes, len, &lk_event_limits, NULL) == 0)
		one_form(bytes, len);
	if (lk_event_decode(bytes, len, agency_of, NULL, &event, &why) == 0)
		encode_twice(&event);
	else
		must(lk_refusal_word((int)why.reason) != NULL && why.detail[0] != '\0');
	return 0;
}
