/* scan.c - bytes judged, and read as values.
 *
 * In: bytes that nobody vouches for. Out: spans of those same bytes. Promise: bytes are walked once,
 * by their heads, before anything believes them: depth, number, claimed lengths, exact end, kinds,
 * ranges, UTF-8, unique keys. Nothing read is copied, and nothing is allocated but for a map of more
 * than 512 unsorted keys.
 *
 * Reading is a cursor over scanned bytes and not msgpack-c's object tree: that tree is allocated for
 * every message, in proportion to what the bytes claim, while decoded values here borrow from the
 * bytes anyway.
 */
#include "scan.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

const struct lk_limits lk_event_limits = { .depth = 8, .items = 512, .bytes = LK_EVENT_MAX };
const struct lk_limits lk_message_limits = { .depth = 10, .items = 8192, .bytes = LK_MESSAGE_MAX };
/* A message that carries a notice or an event is deeper than either; 32 is far from any stack's
 * end. */
const struct lk_limits scan_any_limits = { .depth = 32, .items = UINT_MAX, .bytes = SIZE_MAX };

/* ---- Heads --------------------------------------------------------------------------------------
 * Each value begins with a head: its kind, and its value or how much follows. */

struct head {
	enum span_kind kind;
	size_t size; /* bytes of the head itself */
	uint64_t n;  /* items of an array, pairs of a map, bytes of a text or of what is foreign */
	int64_t value; /* of an integer; 0 or 1 of a boolean */
	bool shortest;
};

/* The heads from 0xc0 to 0xdf: what they begin, how wide the number behind them is, and for what
 * is not spoken here (bin, ext, float) how many bytes follow beside those that the number tells:
 * such a value can be stepped over. 0xc1 means nothing and begins nothing. */
static const struct form {
	enum span_kind kind;
	uint8_t width;
	bool is_signed;
	uint8_t more;
} forms[32] = {
	[0x00] = { SPAN_NIL, 0, false, 0 },     [0x02] = { SPAN_BOOL, 0, false, 0 },
	[0x03] = { SPAN_BOOL, 0, false, 0 },    [0x04] = { SPAN_FOREIGN, 1, false, 0 },
	[0x05] = { SPAN_FOREIGN, 2, false, 0 }, [0x06] = { SPAN_FOREIGN, 4, false, 0 },
	[0x07] = { SPAN_FOREIGN, 1, false, 1 }, [0x08] = { SPAN_FOREIGN, 2, false, 1 },
	[0x09] = { SPAN_FOREIGN, 4, false, 1 }, [0x0a] = { SPAN_FOREIGN, 0, false, 4 },
	[0x0b] = { SPAN_FOREIGN, 0, false, 8 }, [0x0c] = { SPAN_INT, 1, false, 0 },
	[0x0d] = { SPAN_INT, 2, false, 0 },     [0x0e] = { SPAN_INT, 4, false, 0 },
	[0x0f] = { SPAN_INT, 8, false, 0 },     [0x10] = { SPAN_INT, 1, true, 0 },
	[0x11] = { SPAN_INT, 2, true, 0 },      [0x12] = { SPAN_INT, 4, true, 0 },
	[0x13] = { SPAN_INT, 8, true, 0 },      [0x14] = { SPAN_FOREIGN, 0, false, 2 },
	[0x15] = { SPAN_FOREIGN, 0, false, 3 }, [0x16] = { SPAN_FOREIGN, 0, false, 5 },
	[0x17] = { SPAN_FOREIGN, 0, false, 9 }, [0x18] = { SPAN_FOREIGN, 0, false, 17 },
	[0x19] = { SPAN_TEXT, 1, false, 0 },    [0x1a] = { SPAN_TEXT, 2, false, 0 },
	[0x1b] = { SPAN_TEXT, 4, false, 0 },    [0x1c] = { SPAN_ARRAY, 2, false, 0 },
	[0x1d] = { SPAN_ARRAY, 4, false, 0 },   [0x1e] = { SPAN_MAP, 2, false, 0 },
	[0x1f] = { SPAN_MAP, 4, false, 0 },
};

static uint64_t big_endian(const uint8_t *at, unsigned width)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < width; i++)
		value = value << 8 | at[i];
	return value;
}

/* Two's complement of `width` bytes, without a shift that C leaves open. */
static int64_t sign_extended(uint64_t value, unsigned width)
{
	uint64_t top = UINT64_C(1) << (8 * width - 1);

	if ((value & top) == 0)
		return (int64_t)value;
	return -(int64_t)(~value & (top - 1)) - 1;
}

/* The largest number that a form one step narrower would have held. */
static bool length_is_shortest(enum span_kind kind, uint64_t n, unsigned width)
{
	if (width == 1)
		return n > 31;
	if (width == 2)
		return n > (kind == SPAN_TEXT ? UINT8_MAX : 15);
	return n > UINT16_MAX;
}

static bool integer_is_shortest(const struct form *form, int64_t value)
{
	unsigned narrower = form->width / 2;

	if (!form->is_signed)
		return value > (narrower == 0 ? INT8_MAX : (INT64_C(1) << (8 * narrower)) - 1);
	return value < (narrower == 0 ? -32 : -(INT64_C(1) << (8 * narrower - 1)));
}

static bool head_in_table(const uint8_t *at, size_t left, struct head *head)
{
	const struct form *form = &forms[*at - 0xc0];
	uint64_t number;

	if (form->kind == SPAN_NONE || left < 1u + form->width)
		return false;
	number = big_endian(at + 1, form->width);
	*head = (struct head){ .kind = form->kind, .size = 1u + form->width, .shortest = true };
	if (form->kind == SPAN_FOREIGN) {
		head->n = number + form->more;
	} else if (form->width == 0) {
		head->value = *at & 1;
	} else if (form->kind == SPAN_INT) {
		if (!form->is_signed && number > INT64_MAX)
			number = INT64_MAX; /* no less beyond what is spoken here */
		head->value =
			form->is_signed ? sign_extended(number, form->width) : (int64_t)number;
		head->shortest = integer_is_shortest(form, head->value);
	} else {
		head->n = number;
		head->shortest = length_is_shortest(form->kind, number, form->width);
	}
	return true;
}

/* False where the head is cut short or means nothing. Says nothing yet about what follows it. */
static bool head_read(const uint8_t *at, size_t left, struct head *head)
{
	if (left == 0)
		return false;
	if (*at >= 0xc0 && *at <= 0xdf)
		return head_in_table(at, left, head);
	*head = (struct head){ .size = 1, .shortest = true };
	if (*at <= 0x7f || *at >= 0xe0) {
		head->kind = SPAN_INT;
		head->value = *at <= 0x7f ? *at : *at - 256;
	} else if (*at <= 0x9f) {
		head->kind = *at <= 0x8f ? SPAN_MAP : SPAN_ARRAY;
		head->n = *at & 0x0f;
	} else {
		head->kind = SPAN_TEXT;
		head->n = *at & 0x1f;
	}
	return true;
}

/* The least number of bytes that what follows the head must have. */
static uint64_t head_claim(const struct head *head)
{
	return head->kind == SPAN_MAP ? 2 * head->n : head->n;
}

/* ---- Text ------------------------------------------------------------------------------------ */

/* How long the sequence is that begins so; 0 where none does (0xc0 and 0xc1 only begin overlong
 * ones). */
static size_t utf8_length(uint8_t first)
{
	if (first < 0x80)
		return 1;
	if (first < 0xc2)
		return 0;
	if (first < 0xe0)
		return 2;
	if (first < 0xf0)
		return 3;
	return first < 0xf5 ? 4 : 0;
}

/* The length of the well-formed sequence at `at`, or 0: no overlong form, no surrogate, nothing
 * above U+10FFFF. */
static size_t utf8_sequence(const uint8_t *at, size_t left)
{
	size_t len = utf8_length(*at);

	if (len > left)
		return 0;
	for (size_t i = 1; i < len; i++) {
		if ((at[i] & 0xc0) != 0x80)
			return 0;
	}
	if ((*at == 0xe0 && at[1] < 0xa0) || (*at == 0xed && at[1] > 0x9f) ||
	    (*at == 0xf0 && at[1] < 0x90) || (*at == 0xf4 && at[1] > 0x8f))
		return 0;
	return len;
}

/* None of these bytes is NUL or beyond ASCII: no top bit is there, nor comes when one is taken away. */
static inline bool are_plain(uint64_t eight)
{
	const uint64_t ones = UINT64_C(0x0101010101010101);

	return ((eight | (eight - ones)) & (ones << 7)) == 0;
}

/* What most texts are, eight bytes at a time: pieces may overlap. */
static inline bool is_plain(const uint8_t *at, size_t len)
{
	uint64_t piece = UINT64_C(0x0101010101010101);

	if (len < sizeof(piece) / 2) {
		for (size_t i = 0; i < len; i++)
			piece = piece << 8 | at[i];
		return are_plain(piece);
	}
	if (len < sizeof(piece)) {
		memcpy(&piece, at, sizeof(piece) / 2);
		memcpy((uint8_t *)&piece + sizeof(piece) / 2, at + len - sizeof(piece) / 2,
		       sizeof(piece) / 2);
		return are_plain(piece);
	}
	for (size_t i = 0; i < len - sizeof(piece); i += sizeof(piece)) {
		memcpy(&piece, at + i, sizeof(piece));
		if (!are_plain(piece))
			return false;
	}
	memcpy(&piece, at + len - sizeof(piece), sizeof(piece));
	return are_plain(piece);
}

static const char *text_fault(const uint8_t *at, size_t len)
{
	if (is_plain(at, len))
		return NULL;
	for (size_t i = 0, step = 1; i < len; i += step) {
		step = at[i] == 0 ? 0 : utf8_sequence(at + i, len - i);
		if (step == 0)
			return at[i] == 0 ? "a text holds a NUL" : "a text is not UTF-8";
	}
	return NULL;
}

uint32_t text_point(const char **at)
{
	const uint8_t *p = (const uint8_t *)*at;
	unsigned len = *p < 0x80 ? 1 : *p < 0xe0 ? 2 : *p < 0xf0 ? 3 : 4;
	uint32_t point = len == 1 ? *p : *p & (0x7fu >> len);

	for (unsigned i = 1; i < len; i++)
		point = point << 6 | (p[i] & 0x3f);
	*at += len;
	return point;
}

uint32_t text_characters(struct lk_text text)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < text.len; i++)
		n += ((uint8_t)text.at[i] & 0xc0) != 0x80;
	return n;
}

/* ---- The scan -------------------------------------------------------------------------------- */

struct scanner {
	const uint8_t *at, *end;
	const struct lk_limits *limits;
	const char *const
		*sealed; /* members of the outermost map that are only measured; or NULL */
	unsigned items;
	struct scan *scan;
};

static int scan_fail(struct scanner *s, enum scan_fault fault, const char *detail)
{
	s->scan->fault = fault;
	s->scan->detail = detail;
	return -1;
}

static int scan_head(struct scanner *s, struct head *head)
{
	size_t left = (size_t)(s->end - s->at);

	if (left == 0)
		return scan_fail(s, SCAN_BROKEN, "it ends too early");
	if (!head_read(s->at, left, head) || head->kind == SPAN_FOREIGN)
		return scan_fail(s, SCAN_BROKEN,
				 "a value is cut short or of a kind that is not allowed");
	if (head->kind == SPAN_INT && (head->value > INTEGER_MAX || head->value < -INTEGER_MAX))
		return scan_fail(s, SCAN_BROKEN, "an integer is beyond 2^53-1");
	if (head_claim(head) > left - head->size)
		return scan_fail(s, SCAN_BROKEN, "a length is larger than what follows");
	if (!head->shortest)
		s->scan->canonical = false;
	s->at += head->size;
	return 0;
}

static int scan_text(struct scanner *s, const struct head *head, struct lk_text *text)
{
	const char *fault = text_fault(s->at, (size_t)head->n);

	if (fault != NULL)
		return scan_fail(s, SCAN_BROKEN, fault);
	*text = (struct lk_text){ (const char *)s->at, (uint32_t)head->n };
	s->at += head->n;
	return 0;
}

/* A short text, as most keys and values are, in one step; where false, look closer. */
static inline bool scan_short(struct scanner *s, struct lk_text *text)
{
	size_t left = (size_t)(s->end - s->at), len;

	if (left == 0 || (*s->at & 0xe0) != 0xa0)
		return false;
	len = *s->at & 0x1f;
	if (len >= left || !is_plain(s->at + 1, len))
		return false;
	*text = (struct lk_text){ (const char *)s->at + 1, (uint32_t)len };
	s->at += 1 + len;
	return true;
}

static int text_compare(const void *a, const void *b)
{
	return lk_text_order(*(const struct lk_text *)a, *(const struct lk_text *)b);
}

#define FEW_KEYS 16   /* most maps: each is held against those before that look like it */
#define SOME_KEYS 512 /* every map of an event: deciding about one never needs memory */

/* One bit of 64, by the length and both ends of a key. */
static uint64_t key_look(struct lk_text key)
{
	unsigned ends = key.len == 0 ? 0 : (uint8_t)key.at[0] + 7u * (uint8_t)key.at[key.len - 1];

	return UINT64_C(1) << ((ends + key.len) & 63);
}

static bool few_are_unique(const struct lk_text *keys, uint64_t n)
{
	uint64_t met = 0;

	for (uint64_t i = 0; i < n; i++) {
		uint64_t look = key_look(keys[i]), j = (met & look) != 0 ? 0 : i;

		while (j < i && !lk_text_is(keys[i], keys[j]))
			j++;
		if (j < i)
			return false;
		met |= look;
	}
	return true;
}

/* Sorts the keys, so that a hostile map costs n log n and not n squared. */
static int scan_unique(struct scanner *s, struct lk_span map, size_t n)
{
	struct lk_text some[SOME_KEYS], *keys = some;
	struct lk_span key, value;
	size_t cursor = 0, i = 0;
	bool unique = true;

	if (n > SOME_KEYS)
		keys = malloc(n * sizeof(*keys));
	if (keys == NULL)
		return scan_fail(s, SCAN_MEMORY, "out of memory");
	while (i < n && lk_next(map, &cursor, &key, &value))
		keys[i++] = lk_as_text(key);
	qsort(keys, i, sizeof(*keys), text_compare);
	for (i = 1; i < n && unique; i++)
		unique = lk_text_order(keys[i - 1], keys[i]) != 0;
	if (keys != some)
		free(keys);
	return unique ? 0 : scan_fail(s, SCAN_BROKEN, "a key is there twice");
}

static int scan_one(struct scanner *s, unsigned depth);
static size_t value_size(const uint8_t *at, size_t left);

static bool is_sealed(const struct scanner *s, struct lk_text key, unsigned depth)
{
	if (s->sealed == NULL || depth + 1 != s->limits->depth)
		return false;
	for (unsigned i = 0; s->sealed[i] != NULL; i++)
		if (lk_text_says(key, s->sealed[i])) {
			s->scan->sealed |= 1u << i;
			return true;
		}
	return false;
}

/* Steps over one value, of whatever kinds. */
static int scan_past(struct scanner *s)
{
	size_t size = value_size(s->at, (size_t)(s->end - s->at));

	if (size == 0)
		return scan_fail(s, SCAN_BROKEN, "a value has no end");
	s->scan->canonical = false;
	s->at += size;
	return 0;
}

static int scan_key(struct scanner *s, struct lk_text *key)
{
	struct head head;

	if (scan_short(s, key))
		return 0;
	if (scan_head(s, &head) < 0)
		return -1;
	if (head.kind != SPAN_TEXT)
		return scan_fail(s, SCAN_BROKEN, "a key is not a text");
	return scan_text(s, &head, key);
}

/* Keys that come sorted are unique. */
static int scan_pairs(struct scanner *s, const struct head *map, unsigned depth)
{
	const uint8_t *start = s->at - map->size;
	struct lk_text key = LK_NO_TEXT, last, few[FEW_KEYS];
	bool sorted = true;

	for (uint64_t i = 0; i < map->n; i++) {
		last = key;
		if (scan_key(s, &key) < 0)
			return -1;
		if (map->n <= FEW_KEYS)
			few[i] = key;
		sorted = sorted && (i == 0 || lk_text_order(last, key) < 0);
		if ((is_sealed(s, key, depth) ? scan_past(s) : scan_one(s, depth)) < 0)
			return -1;
	}
	if (sorted)
		return 0;
	s->scan->canonical = false;
	if (map->n > FEW_KEYS)
		return scan_unique(s, lk_span_of(start, (size_t)(s->at - start)), (size_t)map->n);
	return few_are_unique(few, map->n) ? 0 : scan_fail(s, SCAN_BROKEN, "a key is there twice");
}

static int scan_one(struct scanner *s, unsigned depth)
{
	struct lk_text text;
	struct head head;

	if (++s->items > s->limits->items)
		return scan_fail(s, SCAN_MANY, "it has too many values");
	if (scan_short(s, &text))
		return 0;
	if (scan_head(s, &head) < 0)
		return -1;
	if (head.kind == SPAN_TEXT)
		return scan_text(s, &head, &text);
	if (head.kind != SPAN_MAP && head.kind != SPAN_ARRAY)
		return 0;
	if (depth == 0)
		return scan_fail(s, SCAN_DEEP, "it is nested too deep");
	if (head.kind == SPAN_MAP)
		return scan_pairs(s, &head, depth - 1);
	for (uint64_t i = 0; i < head.n; i++) {
		if (scan_one(s, depth - 1) < 0)
			return -1;
	}
	return 0;
}

static int scan_whole(const void *bytes, size_t len, const struct lk_limits *limits,
		      const char *const *sealed, struct scan *out)
{
	struct scanner s = { .at = bytes,
			     .end = (const uint8_t *)bytes + len,
			     .limits = limits,
			     .sealed = sealed,
			     .scan = out };

	*out = (struct scan){ .fault = SCAN_FINE, .canonical = true };
	if (len > limits->bytes)
		return scan_fail(&s, SCAN_LONG, "it is too large");
	if (len == 0)
		return scan_fail(&s, SCAN_BROKEN, "it is empty");
	if (scan_one(&s, limits->depth) < 0)
		return -1;
	if (s.at != s.end)
		return scan_fail(&s, SCAN_BROKEN, "something follows its end");
	return 0;
}

int scan_value(const void *bytes, size_t len, const struct lk_limits *limits, struct scan *out)
{
	return scan_whole(bytes, len, limits, NULL, out);
}

int scan_envelope(const void *bytes, size_t len, const struct lk_limits *limits,
		  const char *const *sealed, struct scan *out)
{
	if (scan_whole(bytes, len, limits, sealed, out) < 0)
		return -1;
	if (span_kind(lk_span_of(bytes, len)) == SPAN_MAP)
		return 0;
	out->fault = SCAN_BROKEN;
	out->detail = "it is not a map";
	return -1;
}

int scan_map(const void *bytes, size_t len, const struct lk_limits *limits, struct scan *out)
{
	return scan_envelope(bytes, len, limits, NULL, out);
}

int lk_wire_scan(const void *bytes, size_t len, const struct lk_limits *limits,
		 struct lk_error *err)
{
	struct scan scan;

	if (scan_map(bytes, len, limits, &scan) == 0)
		return 0;
	return lk_fail(err, LK_EWIRE, "%zu bytes that are not one bounded map: %s", len,
		       scan.detail);
}

/* ---- Reading ---------------------------------------------------------------------------------- *
 * The bytes have been scanned; the checks of lengths stay, so that a caller's mistake reads
 * nothing beyond them. */

struct lk_span lk_span_of(const void *bytes, size_t len)
{
	return (struct lk_span){ bytes, len };
}

static bool span_head(struct lk_span value, struct head *head)
{
	return value.at != NULL && head_read(value.at, value.len, head) &&
	       head_claim(head) <= value.len - head->size;
}

enum span_kind span_kind(struct lk_span value)
{
	struct head head;

	return span_head(value, &head) ? head.kind : SPAN_NONE;
}

/* Of a short text or a small integer, which most values are; 0 where it is neither. */
static size_t short_size(uint8_t first)
{
	if (first <= 0x7f || first >= 0xe0)
		return 1;
	return (first & 0xe0) == 0xa0 ? 1u + (first & 0x1fu) : 0;
}

/* The bytes of the one value that begins at `at`; 0 where there is none. No recursion: what is
 * still to come is a number. */
static size_t value_size(const uint8_t *at, size_t left)
{
	uint64_t pending = 1;
	size_t size = 0;
	struct head head;

	for (; pending > 0; pending--) {
		size_t whole = size < left ? short_size(at[size]) : 0;

		if (whole > 0 && whole <= left - size) {
			size += whole;
			continue;
		}
		if (size < left && (at[size] & 0xe0) == 0x80) { /* a small map or array */
			pending += (at[size] & 0x0fu) << (at[size] <= 0x8f);
			size++;
			continue;
		}
		if (!head_read(at + size, left - size, &head) ||
		    head_claim(&head) > left - size - head.size)
			return 0;
		size += head.size;
		if (head.kind == SPAN_TEXT || head.kind == SPAN_FOREIGN)
			size += (size_t)head.n;
		else
			pending += head_claim(&head);
	}
	return size;
}

static bool value_take(struct lk_span container, size_t *cursor, struct lk_span *value)
{
	size_t left = container.len - *cursor;

	value->at = container.at + *cursor;
	value->len = left > 0 ? short_size(*value->at) : 0;
	if (value->len == 0 || value->len > left)
		value->len = value_size(value->at, left);
	*cursor += value->len;
	return value->len > 0;
}

/* Small maps and arrays, which most are, by their first byte. */
static bool container_head(struct lk_span container, struct head *head)
{
	if (container.at != NULL && container.len > 0 && (*container.at & 0xe0) == 0x80) {
		head->kind = *container.at <= 0x8f ? SPAN_MAP : SPAN_ARRAY;
		head->size = 1;
		return true;
	}
	return span_head(container, head) && (head->kind == SPAN_ARRAY || head->kind == SPAN_MAP);
}

bool lk_next(struct lk_span container, size_t *cursor, struct lk_span *key, struct lk_span *value)
{
	struct head head;

	*key = (struct lk_span){ NULL, 0 };
	*value = *key;
	if (!container_head(container, &head))
		return false;
	if (*cursor == 0)
		*cursor = head.size;
	if (*cursor >= container.len)
		return false;
	if (head.kind == SPAN_MAP && !value_take(container, cursor, key))
		return false;
	return *cursor < container.len && value_take(container, cursor, value);
}

int64_t lk_count(struct lk_span container)
{
	struct head head;

	if (!span_head(container, &head) || (head.kind != SPAN_ARRAY && head.kind != SPAN_MAP))
		return -1;
	return (int64_t)head.n;
}

static struct lk_span get_text(struct lk_span map, struct lk_text wanted)
{
	struct lk_span key, value;
	size_t cursor = 0;

	while (lk_next(map, &cursor, &key, &value)) {
		if (key.at != NULL && lk_text_is(lk_as_text(key), wanted))
			return value;
	}
	return (struct lk_span){ NULL, 0 };
}

struct lk_span lk_get(struct lk_span map, const char *key)
{
	return get_text(map, lk_text_of(key));
}

struct lk_span lk_get_path(struct lk_span map, const char *path)
{
	while (map.at != NULL) {
		size_t len = strcspn(path, ".");

		map = get_text(map, (struct lk_text){ path, (uint32_t)len });
		if (path[len] == '\0')
			break;
		path += len + 1;
	}
	return map;
}

struct lk_text lk_as_text(struct lk_span value)
{
	struct head head;

	if (value.at != NULL && value.len > 0 && (*value.at & 0xe0) == 0xa0 &&
	    value.len > (*value.at & 0x1fu))
		return (struct lk_text){ (const char *)value.at + 1, *value.at & 0x1f };
	if (!span_head(value, &head) || head.kind != SPAN_TEXT)
		return LK_NO_TEXT;
	return (struct lk_text){ (const char *)value.at + head.size, (uint32_t)head.n };
}

bool lk_as_int(struct lk_span value, int64_t *out)
{
	struct head head;

	if (!span_head(value, &head) || head.kind != SPAN_INT)
		return false;
	*out = head.value;
	return true;
}

bool lk_as_bool(struct lk_span value, bool *out)
{
	struct head head;

	if (!span_head(value, &head) || head.kind != SPAN_BOOL)
		return false;
	*out = head.value != 0;
	return true;
}

bool lk_is_nil(struct lk_span value)
{
	return span_kind(value) == SPAN_NIL;
}
