/* fuzz_refusal.c - any bytes as JSON, and above all what is said of those that are none.
 *
 * In: bytes. Promise: canonical MessagePack that passes the scan and comes back as one line that can
 * steer no terminal, or a refusal by a known name, with a sentence, whose path is UTF-8 that can
 * itself be told; nothing is appended then.
 */
#include <linkages/wire.h>

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void must(bool fact)
{
	if (!fact)
		abort();
}

static void comes_back(const struct lk_bytes *wire)
{
	struct lk_bytes json = { 0 }, again = { 0 };
	struct lk_refused why;

	must(lk_wire_scan(wire->at, wire->len, &lk_event_limits, NULL) == 0);
	must(lk_wire_to_json(wire->at, wire->len, &json) == 0);
	for (size_t i = 0; i < json.len; i++)
		must(json.at[i] >= 0x20 && json.at[i] != 0x7f);
	must(lk_json_to_wire((const char *)json.at, json.len, &again, &why) == 0);
	must(again.len == wire->len && memcmp(again.at, wire->at, wire->len) == 0);
	lk_bytes_free(&json);
	lk_bytes_free(&again);
}

static void can_be_told(const struct lk_refused *why)
{
	struct lk_bytes told = { 0 };

	must(lk_refusal_word((int)why->reason) != NULL && why->detail[0] != '\0');
	lk_put_map(&told, 1);
	lk_member_word(&told, "field", why->field);
	must(lk_wire_scan(told.at, told.len, &lk_event_limits, NULL) == 0);
	lk_bytes_free(&told);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct lk_refused why = { .reason = (enum lk_refusal)99 };
	struct lk_bytes wire = { 0 };

	if (lk_json_to_wire((const char *)bytes, len, &wire, &why) == 0) {
		comes_back(&wire);
	} else {
		must(wire.len == 0);
		can_be_told(&why);
	}
	lk_bytes_free(&wire);
	return 0;
}
