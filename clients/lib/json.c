/* json.c - JSON at the edges: what people and files say, to MessagePack and back.
 *
 * In: one JSON text that nobody vouches for, or scanned MessagePack. Out: the canonical bytes of
 * the same value, or a refusal with the path of what is wrong; or one line of JSON. Promise: what
 * passes here passes the scan of scan.c; no number is rounded, none is guessed. A line holds no
 * character that could end it or steer a terminal.
 */
#include "fields.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An escape writes one byte as six; more than that and some blanks is no event. */
#define JSON_TEXT_MAX ((size_t)8 * LK_EVENT_MAX)

/* ---- JSON to MessagePack --------------------------------------------------------------------- */

struct writer {
	struct lk_bytes bytes;
	unsigned items;
	struct lk_refused *why;
};

static bool is_unseen(uint32_t point)
{
	return point < 0x20 || (point >= 0x7f && point < 0xa0) || point == 0x2028 ||
	       point == 0x2029;
}

/* Members that are not ours have any name; in a path it is shown without what could steer a
 * terminal. */
static int refuse_under_name(struct lk_refused *why, const char *name)
{
	char shown[sizeof(why->field)];
	size_t len = 0;

	while (*name != '\0' && len + 4 < sizeof(shown)) {
		const char *next = name;
		uint32_t point = text_point(&next);

		if (is_unseen(point)) {
			shown[len++] = '?';
		} else {
			memcpy(shown + len, name, (size_t)(next - name));
			len += (size_t)(next - name);
		}
		name = next;
	}
	shown[len] = '\0';
	return refuse_under(why, shown);
}

static int value_put(struct writer *w, json_t *value, unsigned depth);

static int object_put(struct writer *w, json_t *object, unsigned depth)
{
	const char *name;
	json_t *value;

	lk_put_map(&w->bytes, (uint32_t)json_object_size(object));
	json_object_foreach (object, name, value) {
		lk_put_word(&w->bytes, name);
		if (value_put(w, value, depth) < 0)
			return refuse_under_name(w->why, name);
	}
	return 0;
}

static int array_put(struct writer *w, json_t *array, unsigned depth)
{
	size_t i;
	json_t *value;

	lk_put_array(&w->bytes, (uint32_t)json_array_size(array));
	json_array_foreach (array, i, value) {
		if (value_put(w, value, depth) < 0)
			return refuse_at(w->why, i);
	}
	return 0;
}

static int number_put(struct writer *w, const json_t *number)
{
	json_int_t value = json_integer_value(number);

	if (value > INTEGER_MAX || value < -INTEGER_MAX)
		return refuse(w->why, LK_BAD_TYPE,
			      "A number must be an integer of at most 2^53-1.");
	lk_put_int(&w->bytes, value);
	return 0;
}

static int value_put(struct writer *w, json_t *value, unsigned depth)
{
	if (++w->items > lk_event_limits.items)
		return refuse(w->why, LK_TOO_LARGE, "An event has at most 512 values.");
	if (depth == 0 && (json_is_object(value) || json_is_array(value)))
		return refuse(w->why, LK_MALFORMED, "An event is nested at most 8 deep.");
	switch (json_typeof(value)) {
	case JSON_OBJECT: return object_put(w, value, depth - 1);
	case JSON_ARRAY: return array_put(w, value, depth - 1);
	case JSON_STRING:
		lk_put_text(&w->bytes, (struct lk_text){ json_string_value(value),
							 (uint32_t)json_string_length(value) });
		return 0;
	case JSON_INTEGER: return number_put(w, value);
	case JSON_REAL:
		return refuse(w->why, LK_BAD_TYPE,
			      "A number must be an integer of at most 2^53-1.");
	case JSON_TRUE:
	case JSON_FALSE: lk_put_bool(&w->bytes, json_is_true(value)); return 0;
	case JSON_NULL: lk_put_nil(&w->bytes); return 0;
	}
	return 0;
}

/* The refusal of a shape is about the whole; only a number has a place worth naming. */
static int root_put(struct writer *w, json_t *root)
{
	if (!json_is_object(root))
		return refuse(w->why, LK_MALFORMED, "This is not a JSON object.");
	if (value_put(w, root, lk_event_limits.depth) == 0)
		return 0;
	if (w->why->reason != LK_BAD_TYPE)
		w->why->field[0] = '\0';
	return LK_EREFUSED;
}

/* ---- Parsing --------------------------------------------------------------------------------- */

static bool in_number(char c)
{
	return (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E';
}

/* More digits than this, and an integer is beyond 2^53-1 for certain. */
#define CERTAIN_DIGITS 18

static void number_tame(char *at, size_t len)
{
	bool integer = true;

	for (size_t i = 0; i < len; i++)
		integer = integer && at[i] != '.' && at[i] != 'e' && at[i] != 'E';
	if (integer && len - (*at == '-') <= CERTAIN_DIGITS)
		return;
	memset(at, ' ', len);
	at[0] = '0';
	at[1] = '.';
	at[2] = '5';
}

/* jansson gives up at a number beyond its own range and cannot say which member it was. So each
 * number that is wrong for certain becomes a small wrong one: then the tree shows the place. */
static void numbers_tame(char *json, size_t len)
{
	bool in_text = false;

	for (size_t i = 0; i < len; i++) {
		size_t start = i;

		if (json[i] == '"')
			in_text = !in_text;
		else if (in_text && json[i] == '\\')
			i++;
		if (in_text || json[i] == '"' ||
		    !(json[i] == '-' || (json[i] >= '0' && json[i] <= '9')))
			continue;
		while (i + 1 < len && in_number(json[i + 1]))
			i++;
		if (i + 1 - start >= 3)
			number_tame(json + start, i + 1 - start);
	}
}

/* NULL with the error told. An overflow that is still told means that there was no memory to
 * look closer. */
static json_t *tree_of(const char *json, size_t len, json_error_t *error)
{
	json_t *tree = json_loadb(json, len, JSON_REJECT_DUPLICATES, error);
	char *tamed;

	if (tree != NULL || json_error_code(error) != json_error_numeric_overflow)
		return tree;
	tamed = malloc(len);
	if (tamed == NULL)
		return NULL;
	memcpy(tamed, json, len);
	numbers_tame(tamed, len);
	tree = json_loadb(tamed, len, JSON_REJECT_DUPLICATES, error);
	free(tamed);
	return tree;
}

/* jansson's own sentences quote the text, so they are not passed on. */
static int parse_refuse(enum json_error_code code, struct lk_refused *why)
{
	static const struct {
		enum json_error_code code;
		const char *detail;
	} details[] = {
		{ json_error_premature_end_of_input, "This JSON ends too early." },
		{ json_error_end_of_input_expected, "Something follows the JSON object." },
		{ json_error_duplicate_key, "A member is there twice." },
		{ json_error_stack_overflow, "An event is nested at most 8 deep." },
		{ json_error_invalid_utf8, "This text is not UTF-8." },
		{ json_error_null_character, "A text holds a NUL." },
		{ json_error_null_byte_in_key, "A text holds a NUL." },
	};

	for (size_t i = 0; i < sizeof(details) / sizeof(*details); i++) {
		if (details[i].code == code)
			return refuse(why, LK_MALFORMED, details[i].detail);
	}
	return refuse(why, LK_MALFORMED, "This is not JSON.");
}

static int canonical_keep(const struct writer *w, struct lk_bytes *out)
{
	if (w->bytes.failed)
		return LK_EMEMORY;
	if (w->bytes.len > lk_event_limits.bytes)
		return refuse(w->why, LK_TOO_LARGE, "An event has at most 64 KiB.");
	return lk_wire_canonical(w->bytes.at, w->bytes.len, out);
}

int lk_json_to_wire(const char *json, size_t len, struct lk_bytes *out, struct lk_refused *why)
{
	struct writer w = { .why = why };
	json_error_t error = { .text = "" };
	enum json_error_code code;
	json_t *root;
	int result;

	if (len > JSON_TEXT_MAX)
		return refuse(why, LK_TOO_LARGE, "An event has at most 64 KiB.");
	root = tree_of(json, len, &error);
	code = json_error_code(&error);
	if (root == NULL &&
	    (code == json_error_out_of_memory || code == json_error_numeric_overflow))
		return LK_EMEMORY;
	if (root == NULL)
		return parse_refuse(code, why);
	result = root_put(&w, root);
	if (result == 0)
		result = canonical_keep(&w, out);
	json_decref(root);
	lk_bytes_free(&w.bytes);
	return result;
}

/* ---- MessagePack to JSON --------------------------------------------------------------------- */

static void say(struct lk_bytes *out, const char *string)
{
	lk_bytes_add(out, string, strlen(string));
}

static void point_escape(uint32_t point, struct lk_bytes *out)
{
	static const char *const shorts[] = {
		['"'] = "\\\"", ['\\'] = "\\\\", ['\b'] = "\\b", ['\f'] = "\\f",
		['\n'] = "\\n", ['\r'] = "\\r",  ['\t'] = "\\t",
	};
	char text[8];

	if (point < sizeof(shorts) / sizeof(*shorts) && shorts[point] != NULL) {
		say(out, shorts[point]);
		return;
	}
	snprintf(text, sizeof(text), "\\u%04x", point & 0xffff);
	say(out, text);
}

static void text_json(struct lk_text text, struct lk_bytes *out)
{
	const char *at = text.at, *end = text.at + text.len, *run = at;

	say(out, "\"");
	while (at < end) {
		const char *next = at;
		uint32_t point = text_point(&next);

		if (is_unseen(point) || point == '"' || point == '\\') {
			lk_bytes_add(out, run, (size_t)(at - run));
			point_escape(point, out);
			run = next;
		}
		at = next;
	}
	lk_bytes_add(out, run, (size_t)(end - run));
	say(out, "\"");
}

static void int_json(struct lk_span value, struct lk_bytes *out)
{
	char text[24];
	int64_t number = 0;

	lk_as_int(value, &number);
	snprintf(text, sizeof(text), "%lld", (long long)number);
	say(out, text);
}

static void bool_json(struct lk_span value, struct lk_bytes *out)
{
	bool fact = false;

	lk_as_bool(value, &fact);
	say(out, fact ? "true" : "false");
}

static void value_json(struct lk_span value, struct lk_bytes *out);

static void container_json(struct lk_span container, const char *open, const char *close,
			   struct lk_bytes *out)
{
	struct lk_span key, value;
	const char *before = open;
	size_t cursor = 0;

	while (lk_next(container, &cursor, &key, &value)) {
		say(out, before);
		before = ",";
		if (key.at != NULL) {
			text_json(lk_as_text(key), out);
			say(out, ":");
		}
		value_json(value, out);
	}
	if (before == open)
		say(out, open);
	say(out, close);
}

/* Depth was bounded by the scan. */
static void value_json(struct lk_span value, struct lk_bytes *out)
{
	switch (span_kind(value)) {
	case SPAN_MAP: container_json(value, "{", "}", out); return;
	case SPAN_ARRAY: container_json(value, "[", "]", out); return;
	case SPAN_TEXT: text_json(lk_as_text(value), out); return;
	case SPAN_INT: int_json(value, out); return;
	case SPAN_BOOL: bool_json(value, out); return;
	case SPAN_NIL:
	case SPAN_FOREIGN: /* never scanned */
	case SPAN_NONE: say(out, "null"); return;
	}
}

int lk_wire_to_json(const void *bytes, size_t len, struct lk_bytes *out)
{
	size_t before = out->len;
	struct scan scan;

	if (scan_value(bytes, len, &scan_any_limits, &scan) < 0)
		return scan.fault == SCAN_MEMORY ? LK_EMEMORY : LK_EWIRE;
	value_json(lk_span_of(bytes, len), out);
	if (!out->failed)
		return 0;
	out->len = before;
	return LK_EMEMORY;
}
