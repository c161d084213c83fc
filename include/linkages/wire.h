/* wire.h - bytes to values and back: MessagePack on the wire, JSON at the edges. protocol.md is the contract.
 *
 * Bytes from outside are scanned (depth, items, sizes, exact end, no ext/bin/float, no duplicate keys, UTF-8) before
 * anything in them is read. Decoded values borrow from the bytes: keep the bytes for as long as the value.
 */
#ifndef LINKAGES_WIRE_H
#define LINKAGES_WIRE_H

#include <linkages/event.h>
#include <linkages/notice.h>

#define LK_PROTOCOL_VERSION 1
#define LK_EVENT_MAX (64u * 1024)    /* bytes of one event */
#define LK_MESSAGE_MAX (256u * 1024) /* bytes of one lane message */
#define LK_CURVE_BOX 33u             /* bytes that CURVE puts around it: its command, a nonce, flags and the box itself */

struct lk_limits {
	unsigned depth; /* nested maps and arrays */
	unsigned items; /* values altogether */
	size_t bytes;
};
extern const struct lk_limits lk_event_limits;   /* depth 8, 512 items, 64 KiB */
extern const struct lk_limits lk_message_limits; /* depth 10, 8,192 items, 256 KiB */

/* 0 if bytes are exactly one map within limits, in the subset protocol.md allows; else LK_EWIRE and why. */
int lk_wire_scan(const void *bytes, size_t len, const struct lk_limits *limits, struct lk_error *err) LK_MUST_CHECK;

/* ---- Events ------------------------------------------------------------------------------------------------------ */

/* Which agency a source belongs to: lk_agency, or -1 where it is not known. */
typedef int lk_agency_of(void *context, struct lk_text source);

/* Decodes and validates. 0, or LK_EREFUSED with *why filled. `out` is valid only after 0. Refusals in this order:
 * too_large, malformed, then the envelope's members as listed in domain.md section 3 (unknown_source once `source`
 * is read, unknown_type once `type` is), then data. The agency of `source` decides which statuses and roles fit. */
int lk_event_decode(const void *bytes, size_t len, lk_agency_of *agency_of, void *context, struct lk_event *out,
		    struct lk_refused *why) LK_MUST_CHECK;
/* The canonical MessagePack of an event made in C. For publishers written against this library and for tests. */
void lk_event_encode(const struct lk_event *event, struct lk_bytes *out);

/* The canonical form (keys sorted bytewise, shortest encodings) of any scanned value, and its digest. Two inputs with
 * the same JSON value have the same canonical bytes. 0, LK_EWIRE or LK_EMEMORY. */
int lk_wire_canonical(const void *bytes, size_t len, struct lk_bytes *out) LK_MUST_CHECK;
int lk_wire_digest(const void *bytes, size_t len, uint8_t out[LK_DIGEST]) LK_MUST_CHECK;

/* ---- JSON -------------------------------------------------------------------------------------------------------- */

/* One JSON text (not NUL-terminated) to canonical MessagePack, appended to out. 0, or LK_EREFUSED with *why: malformed
 * (not one JSON object, duplicate keys, too deep), bad_type with the path for a number that is no integer within ±2^53-1, too_large. */
int lk_json_to_wire(const char *json, size_t len, struct lk_bytes *out, struct lk_refused *why) LK_MUST_CHECK;
/* Any scanned MessagePack value to compact JSON text on one line (no newline, not NUL-terminated), appended. Order of
 * members is kept. 0, LK_EWIRE or LK_EMEMORY. */
int lk_wire_to_json(const void *bytes, size_t len, struct lk_bytes *out) LK_MUST_CHECK;

/* ---- Building values ---------------------------------------------------------------------------------------------- *
 * Append one value. A map is announced with its count, then key, value, key, value, … */
void lk_put_map(struct lk_bytes *b, uint32_t n);
void lk_put_array(struct lk_bytes *b, uint32_t n);
void lk_put_text(struct lk_bytes *b, struct lk_text text); /* absent gives nil */
void lk_put_word(struct lk_bytes *b, const char *string);
void lk_put_int(struct lk_bytes *b, int64_t value);
void lk_put_bool(struct lk_bytes *b, bool value);
void lk_put_nil(struct lk_bytes *b);
void lk_put_time(struct lk_bytes *b, struct lk_time time); /* as RFC 3339 text */
void lk_put_date(struct lk_bytes *b, lk_date date);
void lk_put_raw(struct lk_bytes *b, const void *value, size_t len); /* one value that is encoded already */
/* A member of a map: its key, and the value. */
void lk_member_text(struct lk_bytes *b, const char *key, struct lk_text text);
void lk_member_word(struct lk_bytes *b, const char *key, const char *string);
void lk_member_int(struct lk_bytes *b, const char *key, int64_t value);
void lk_member_bool(struct lk_bytes *b, const char *key, bool value);

/* ---- Reading values ----------------------------------------------------------------------------------------------- *
 * A span is one encoded value inside scanned bytes. Reading never allocates. */
struct lk_span {
	const uint8_t *at; /* NULL: no such value */
	size_t len;
};
struct lk_span lk_span_of(const void *bytes, size_t len);
struct lk_span lk_get(struct lk_span map, const char *key); /* {NULL, 0} where absent or not a map */
/* A path of keys, 'data.other.case'. */
struct lk_span lk_get_path(struct lk_span map, const char *path);
struct lk_text lk_as_text(struct lk_span value);          /* absent unless a string */
bool lk_as_int(struct lk_span value, int64_t *out);
bool lk_as_bool(struct lk_span value, bool *out);
bool lk_is_nil(struct lk_span value);
/* Walk the items of an array or the pairs of a map (key is {NULL,0} for arrays). Start with *cursor = 0. */
bool lk_next(struct lk_span container, size_t *cursor, struct lk_span *key, struct lk_span *value);
int64_t lk_count(struct lk_span container); /* items or pairs; -1: no container */

#endif
