/* fuzz_json.c - any text, as an agency's extract may hand it in.
 *
 * In: text. Out: nothing. Promise: what is accepted is one bounded map, which comes back the same by way of JSON.
 */
#include <linkages/wire.h>

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct lk_bytes wire = { 0 }, json = { 0 }, again = { 0 };
	struct lk_refused why;

	if (lk_json_to_wire((const char *)bytes, len, &wire, &why) == 0) {
		assert(lk_wire_scan(wire.at, wire.len, &lk_event_limits, NULL) == 0);
		assert(lk_wire_to_json(wire.at, wire.len, &json) == 0);
		assert(lk_json_to_wire((const char *)json.at, json.len, &again, &why) == 0);
		assert(again.len == wire.len && memcmp(again.at, wire.at, wire.len) == 0);
	}
	lk_bytes_free(&wire);
	lk_bytes_free(&json);
	lk_bytes_free(&again);
	return 0;
}
