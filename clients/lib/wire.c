/* wire.c - values to bytes, in MessagePack.
 *
 * In: values to write. Out: bytes in shortest form; the canonical form and digest of what somebody
 * else has written. Promise: two inputs with the same JSON value have the same canonical bytes.
 *
 * Texts, and what is one byte long, are most of what is written, and are written here; the rest is
 * msgpack-c's.
 */
#include "scan.h"

#include <msgpack.h>
#include <stdlib.h>
#include <string.h>

/* ---- Writing --------------------------------------------------------------------------------- */

static int packer_write(void *out, const char *at, size_t len)
{
	struct lk_bytes *b = out;

	lk_bytes_add(b, at, len);
	return b->failed ? -1 : 0;
}

static msgpack_packer packer_of(struct lk_bytes *b)
{
	return (msgpack_packer){ .data = b, .callback = packer_write };
}

/* A value, or a head, of one byte. */
static void put_byte(struct lk_bytes *b, unsigned value)
{
	uint8_t byte = (uint8_t)value;

	if (!b->failed && b->room > b->len)
		b->at[b->len++] = byte;
	else
		lk_bytes_add(b, &byte, 1);
}

/* What msgpack-c returns repeats b->failed, which the caller asks once at the end. */
void lk_put_map(struct lk_bytes *b, uint32_t n)
{
	msgpack_packer packer = packer_of(b);

	if (n < 16)
		put_byte(b, 0x80 | n);
	else
		msgpack_pack_map(&packer, n);
}

void lk_put_array(struct lk_bytes *b, uint32_t n)
{
	msgpack_packer packer = packer_of(b);

	if (n < 16)
		put_byte(b, 0x90 | n);
	else
		msgpack_pack_array(&packer, n);
}

/* The head of a text, by its length: most of what is written is texts. */
static size_t text_head(uint32_t len, uint8_t head[5])
{
	if (len < 32) {
		head[0] = (uint8_t)(0xa0 | len);
		return 1;
	}
	if (len <= UINT8_MAX) {
		head[0] = 0xd9;
		head[1] = (uint8_t)len;
		return 2;
	}
	unsigned width = len <= UINT16_MAX ? 2 : 4;
	head[0] = width == 2 ? 0xda : 0xdb;
	for (unsigned i = 0; i < width; i++)
		head[1 + i] = (uint8_t)(len >> 8 * (width - 1 - i));
	return 1 + width;
}

void lk_put_text(struct lk_bytes *b, struct lk_text text)
{
	uint8_t head[5];

	if (text.at == NULL) {
		lk_put_nil(b);
		return;
	}
	if (b->at != NULL && !b->failed && b->room - b->len >= sizeof(head) + text.len) {
		b->len += text_head(text.len, b->at + b->len);
		memcpy(b->at + b->len, text.at, text.len);
		b->len += text.len;
		return;
	}
	lk_bytes_add(b, head, text_head(text.len, head));
	lk_bytes_add(b, text.at, text.len);
}

void lk_put_word(struct lk_bytes *b, const char *string)
{
	lk_put_text(b, lk_text_of(string));
}

void lk_put_int(struct lk_bytes *b, int64_t value)
{
	msgpack_packer packer = packer_of(b);

	if (value >= 0 && value < 128)
		put_byte(b, (unsigned)value);
	else
		msgpack_pack_int64(&packer, value);
}

void lk_put_bool(struct lk_bytes *b, bool value)
{
	put_byte(b, value ? 0xc3 : 0xc2);
}

void lk_put_nil(struct lk_bytes *b)
{
	put_byte(b, 0xc0);
}

void lk_put_time(struct lk_bytes *b, struct lk_time time)
{
	char text[LK_TIME_TEXT];

	lk_time_print(time, text);
	lk_put_word(b, text);
}

void lk_put_date(struct lk_bytes *b, lk_date date)
{
	char text[LK_DATE_TEXT];

	lk_date_print(date, text);
	lk_put_word(b, text);
}

void lk_put_raw(struct lk_bytes *b, const void *value, size_t len)
{
	lk_bytes_add(b, value, len);
}

void lk_member_text(struct lk_bytes *b, const char *key, struct lk_text text)
{
	lk_put_word(b, key);
	lk_put_text(b, text);
}

void lk_member_word(struct lk_bytes *b, const char *key, const char *string)
{
	lk_put_word(b, key);
	lk_put_word(b, string);
}

void lk_member_int(struct lk_bytes *b, const char *key, int64_t value)
{
	lk_put_word(b, key);
	lk_put_int(b, value);
}

void lk_member_bool(struct lk_bytes *b, const char *key, bool value)
{
	lk_put_word(b, key);
	lk_put_bool(b, value);
}

/* ---- The canonical form ---------------------------------------------------------------------- */

struct pair {
	struct lk_text key;
	struct lk_span value;
};

static int pair_compare(const void *a, const void *b)
{
	return lk_text_order(((const struct pair *)a)->key, ((const struct pair *)b)->key);
}

static void canonical_put(struct lk_span value, struct lk_bytes *out);

static void canonical_map(struct lk_span map, uint32_t n, struct lk_bytes *out)
{
	struct pair *pairs = malloc((n + (size_t)1) * sizeof(*pairs));
	struct lk_span key, value;
	size_t cursor = 0, i = 0;

	if (pairs == NULL) {
		out->failed = true;
		return;
	}
	while (i < n && lk_next(map, &cursor, &key, &value))
		pairs[i++] = (struct pair){ lk_as_text(key), value };
	qsort(pairs, i, sizeof(*pairs), pair_compare);
	lk_put_map(out, (uint32_t)i);
	for (size_t k = 0; k < i; k++) {
		lk_put_text(out, pairs[k].key);
		canonical_put(pairs[k].value, out);
	}
	free(pairs);
}

static void canonical_array(struct lk_span array, uint32_t n, struct lk_bytes *out)
{
	struct lk_span key, value;
	size_t cursor = 0;

	lk_put_array(out, n);
	while (lk_next(array, &cursor, &key, &value))
		canonical_put(value, out);
}

/* Depth was bounded by the scan. */
static void canonical_put(struct lk_span value, struct lk_bytes *out)
{
	int64_t number = 0;

	switch (span_kind(value)) {
	case SPAN_MAP: canonical_map(value, (uint32_t)lk_count(value), out); return;
	case SPAN_ARRAY: canonical_array(value, (uint32_t)lk_count(value), out); return;
	case SPAN_TEXT: lk_put_text(out, lk_as_text(value)); return;
	case SPAN_INT:
		if (lk_as_int(value, &number))
			lk_put_int(out, number);
		return;
	case SPAN_NIL:
	case SPAN_BOOL: lk_put_raw(out, value.at, 1); return;
	case SPAN_FOREIGN: /* never scanned */
	case SPAN_NONE: return;
	}
}

/* 0 with *canonical told, LK_EWIRE or LK_EMEMORY. */
static int canonical_scan(const void *bytes, size_t len, bool *canonical)
{
	struct scan scan;

	if (scan_value(bytes, len, &scan_any_limits, &scan) < 0)
		return scan.fault == SCAN_MEMORY ? LK_EMEMORY : LK_EWIRE;
	*canonical = scan.canonical;
	return 0;
}

int lk_wire_canonical(const void *bytes, size_t len, struct lk_bytes *out)
{
	size_t before = out->len;
	bool canonical;
	int result = canonical_scan(bytes, len, &canonical);

	if (result < 0)
		return result;
	if (canonical)
		lk_bytes_add(out, bytes, len);
	else
		canonical_put(lk_span_of(bytes, len), out);
	if (!out->failed)
		return 0;
	out->len = before;
	return LK_EMEMORY;
}

int lk_wire_digest(const void *bytes, size_t len, uint8_t out[LK_DIGEST])
{
	struct lk_bytes form = { 0 };
	bool canonical;
	int result = canonical_scan(bytes, len, &canonical);

	if (result < 0)
		return result;
	if (canonical) {
		lk_digest(bytes, len, NULL, out);
		return 0;
	}
	result = lk_wire_canonical(bytes, len, &form);
	if (result == 0)
		lk_digest(form.at, form.len, NULL, out);
	lk_bytes_free(&form);
	return result;
}
