/* output.c - what the tools print.
 *
 * In: our words, texts from the wire, values in MessagePack. Out: lines. Promise: a text from outside cannot move the
 * cursor, change colours or turn the direction of a line.
 */
#include "output.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define COLUMNS_MAX 16 /* of a table; members of a row beyond these are left to --json */
#define CELL_MAX 70
#define INDENT 2
#define NARROWEST 20 /* columns beside an indent; in less, nothing is gained by breaking lines */

/* 0: no terminal, or one that does not say. */
static unsigned width_of(FILE *to)
{
	struct winsize size = { 0 };

	return isatty(fileno(to)) == 1 && ioctl(fileno(to), TIOCGWINSZ, &size) == 0 ? size.ws_col
										    : 0;
}

void output_open(struct output *out, FILE *to, bool json)
{
	const char *no_colour = getenv("NO_COLOR");
	const char *terminal = getenv("TERM");

	*out = (struct output){ .to = to, .json = json, .width = json ? 0 : width_of(to) };
	out->coloured = !json && isatty(fileno(to)) == 1 &&
			(no_colour == NULL || *no_colour == '\0') &&
			(terminal == NULL || strcmp(terminal, "dumb") != 0);
}

int output_close(struct output *out)
{
	return fflush(out->to) == 0 && ferror(out->to) == 0 ? 0 : -1;
}

/* ---- Text ----------------------------------------------------------------------------------------------------------- */

/* The character at `at`; *len is its length in bytes. -1: these bytes are none. */
static int32_t utf8_next(const uint8_t *at, size_t left, size_t *len)
{
	static const int32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t n = at[0] < 0x80                    ? 1
		   : at[0] >= 0xf0 && at[0] < 0xf8 ? 4
		   : at[0] >= 0xe0 && at[0] < 0xf0 ? 3
						   : 2;
	int32_t c = n == 1 ? at[0] : at[0] & (0xff >> (n + 1));

	*len = 1;
	if (n > left || (n == 2 && (at[0] < 0xc0 || at[0] >= 0xe0)))
		return -1;
	for (size_t i = 1; i < n; i++) {
		if ((at[i] & 0xc0) != 0x80)
			return -1;
		c = (c << 6) | (at[i] & 0x3f);
	}
	if (c < smallest[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return -1;
	*len = n;
	return c;
}

/* Ranges that are not written as they are: controls, what breaks or reorders lines, what is invisible. */
static bool is_hidden(int32_t c)
{
	static const struct {
		int32_t from, to;
	} hidden[] = {
		{ 0x00, 0x1f },     { 0x7f, 0x9f },     { 0x61c, 0x61c },   { 0x200b, 0x200f },
		{ 0x2028, 0x202e }, { 0x2060, 0x206f }, { 0xfeff, 0xfeff }, { 0xe0000, 0xe007f },
	};

	for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++)
		if (c >= hidden[i].from && c <= hidden[i].to)
			return true;
	return false;
}

/* One character as it will be written. Returns how many columns that takes. */
static unsigned escape(const uint8_t *at, size_t left, size_t *len, char out[16])
{
	int32_t c = utf8_next(at, left, len);

	if (c < 0 || (c < 0x100 && is_hidden(c)))
		return (unsigned)snprintf(out, 16, "\\x%02x", c < 0 ? at[0] : (unsigned)c);
	if (is_hidden(c))
		return (unsigned)snprintf(out, 16, "\\u{%x}", (unsigned)c);
	memcpy(out, at, *len);
	out[*len] = '\0';
	return 1;
}

void output_text(struct output *out, struct lk_text theirs)
{
	const uint8_t *at = (const uint8_t *)theirs.at;
	char one[16];
	size_t len;

	for (size_t i = 0; i < theirs.len; i += len) {
		out->column += escape(at + i, theirs.len - i, &len, one);
		(void)fputs(one, out->to);
	}
}

unsigned output_width(struct lk_text theirs)
{
	unsigned width = 0;
	char one[16];
	size_t len;

	for (size_t i = 0; i < theirs.len; i += len)
		width += escape((const uint8_t *)theirs.at + i, theirs.len - i, &len, one);
	return width;
}

static void output_blanks(struct output *out, unsigned n)
{
	for (; n > 0; n--, out->column++)
		(void)fputc(' ', out->to);
}

void output_wrapped(struct output *out, struct lk_text theirs, unsigned indent)
{
	bool breaks = out->width >= indent + NARROWEST;
	unsigned gap = 0; /* blanks that are due before the next word, if it stands on this line */

	while (theirs.len > 0) {
		const char *blank = memchr(theirs.at, ' ', theirs.len);
		uint32_t len = blank != NULL ? (uint32_t)(blank - theirs.at) : theirs.len;
		uint32_t taken = blank != NULL ? len + 1 : len;
		struct lk_text word = { theirs.at, len };
		unsigned kept = len > 1 && blank == NULL; /* for what may come right behind: ';' */

		if (breaks && len > 0 && out->column > indent &&
		    out->column + gap + output_width(word) + kept > out->width) {
			output_word(out, "\n");
			gap = indent;
		}
		if (len > 0 || blank == NULL) {
			output_blanks(out, gap);
			gap = 0;
		}
		output_text(out, word);
		gap += blank != NULL;
		theirs = (struct lk_text){ theirs.at + taken, theirs.len - taken };
	}
	if (!breaks || out->column + gap < out->width)
		output_blanks(out, gap);
}

void output_word(struct output *out, const char *ours)
{
	(void)fputs(ours, out->to);
	out->column = strchr(ours, '\n') != NULL ? 0 : out->column + output_width(lk_text_of(ours));
}

void output_count(struct output *out, int64_t n, const char *one, const char *many)
{
	char number[32];

	(void)snprintf(number, sizeof(number), "%lld ", (long long)n);
	output_word(out, number);
	output_word(out, n == 1 ? one : many);
}

void output_paint(struct output *out, enum paint paint)
{
	static const char *const codes[] = { "\033[0m", "\033[1m", "\033[2m", "\033[1;31m",
					     "\033[32m" };

	if (out->coloured)
		(void)fputs(codes[paint], out->to);
}

void output_painted(struct output *out, enum paint paint, const char *ours)
{
	output_paint(out, paint);
	output_word(out, ours);
	output_paint(out, PAINT_PLAIN);
}

void output_pad(struct output *out, unsigned column)
{
	do {
		(void)fputc(' ', out->to);
		out->column++;
	} while (out->column < column);
}

/* ---- JSON ----------------------------------------------------------------------------------------------------------- */

void output_line(struct output *out, struct lk_span value)
{
	struct lk_bytes json = { 0 };

	if (lk_wire_to_json(value.at, value.len, &json) == 0 && !json.failed)
		(void)fwrite(json.at, 1, json.len, out->to);
	lk_bytes_free(&json);
	(void)fputc('\n', out->to);
	out->column = 0;
}

/* ---- Values for people ------------------------------------------------------------------------------------------------ */

static bool is_map(struct lk_span value)
{
	struct lk_span key, item;
	size_t cursor = 0;

	return lk_next(value, &cursor, &key, &item) && key.at != NULL;
}

/* A list whose first item is a map: its rows are alike. */
static bool is_rows(struct lk_span value)
{
	struct lk_span key, item;
	size_t cursor = 0;

	return lk_next(value, &cursor, &key, &item) && key.at == NULL && is_map(item);
}

static void keep(struct lk_bytes *room, struct lk_text text)
{
	lk_bytes_add(room, text.at, text.len);
}

static struct lk_text kept(const struct lk_bytes *room)
{
	return room->failed ? LK_TEXT("?")
			    : (struct lk_text){ (const char *)room->at, (uint32_t)room->len };
}

/* An instant as people write it, to the second: '2026-03-02 09:00:00 UTC'. False: it is none. */
static bool instant_add(struct lk_bytes *room, struct lk_text text)
{
	struct lk_time time;
	uint32_t zone = 19;

	if (text.len < 20 || lk_time_parse(text, &time) < 0)
		return false;
	while (zone < text.len && strchr("Zz+-", text.at[zone]) == NULL)
		zone++;
	keep(room, (struct lk_text){ text.at, 10 });
	keep(room, LK_TEXT(" "));
	keep(room, (struct lk_text){ text.at + 11, 8 });
	keep(room, LK_TEXT(" "));
	text = (struct lk_text){ text.at + zone, text.len - zone };
	keep(room, lk_text_says(text, "+00:00") || text.len == 1 ? LK_TEXT("UTC") : text);
	return true;
}

static void value_add(struct lk_bytes *room, struct lk_span value)
{
	struct lk_text text = lk_as_text(value);
	bool truth;

	if (lk_text_given(text)) {
		if (!instant_add(room, text))
			keep(room, text);
	} else if (value.at == NULL || lk_is_nil(value)) {
		keep(room, LK_TEXT("-"));
	} else if (lk_as_bool(value, &truth)) {
		keep(room, truth ? LK_TEXT("yes") : LK_TEXT("no"));
	} else if (lk_wire_to_json(value.at, value.len, room) < 0) {
		keep(room, LK_TEXT("?"));
	}
}

/* A value as the text of one cell, kept in `room`: of a list of plain values, with commas. */
static struct lk_text cell_of(struct lk_span value, struct lk_bytes *room)
{
	struct lk_span key, item;
	size_t cursor = 0;

	lk_bytes_clear(room);
	if (lk_count(value) < 0 || is_map(value) || is_rows(value)) {
		value_add(room, value);
		return kept(room);
	}
	for (bool more = false; lk_next(value, &cursor, &key, &item); more = true) {
		keep(room, more ? LK_TEXT(", ") : LK_TEXT(""));
		value_add(room, item);
	}
	return room->len > 0 ? kept(room) : LK_TEXT("-");
}

void output_cell(struct output *out, struct lk_span value)
{
	struct lk_bytes room = { 0 };

	output_text(out, cell_of(value, &room));
	lk_bytes_free(&room);
}

struct table {
	size_t n;
	struct lk_text name[COLUMNS_MAX];
	unsigned width[COLUMNS_MAX];
};

static size_t table_column(struct table *t, struct lk_text name)
{
	size_t i;

	for (i = 0; i < t->n; i++)
		if (lk_text_is(t->name[i], name))
			return i;
	if (i < COLUMNS_MAX) {
		t->name[i] = name;
		t->width[i] = output_width(name);
		t->n++;
	}
	return i;
}

/* The columns are the members of all rows, in the order in which they are first seen. */
static void table_measure(struct table *t, struct lk_span rows)
{
	struct lk_bytes room = { 0 };
	struct lk_span key, row, name, value;
	size_t at = 0;

	while (lk_next(rows, &at, &key, &row)) {
		size_t member = 0;

		while (lk_next(row, &member, &name, &value)) {
			size_t i = table_column(t, lk_as_text(name));
			unsigned width = output_width(cell_of(value, &room));

			if (i < COLUMNS_MAX && width > t->width[i])
				t->width[i] = width < CELL_MAX ? width : CELL_MAX;
		}
	}
	lk_bytes_free(&room);
}

static struct lk_span row_member(struct lk_span row, struct lk_text name)
{
	struct lk_span key, value;
	size_t cursor = 0;

	while (lk_next(row, &cursor, &key, &value))
		if (lk_text_is(lk_as_text(key), name))
			return value;
	return (struct lk_span){ NULL, 0 };
}

static void row_print(struct output *out, const struct table *t, struct lk_span row,
		      unsigned indent)
{
	struct lk_bytes room = { 0 };
	unsigned start = indent;

	for (size_t i = 0; i < t->n; i++) {
		struct lk_text cell =
			row.at == NULL ? t->name[i] : cell_of(row_member(row, t->name[i]), &room);

		if (start > 0)
			output_pad(out, start);
		output_text(out, cell);
		start += t->width[i] + 2;
	}
	output_word(out, "\n");
	lk_bytes_free(&room);
}

static unsigned table_width(const struct table *t)
{
	unsigned width = 0;

	for (size_t i = 0; i < t->n; i++)
		width += t->width[i] + (i > 0 ? 2 : 0);
	return width;
}

static void map_print(struct output *out, struct lk_span map, unsigned indent);

/* A table that is wider than the terminal: each row is pairs below each other. */
static void records_print(struct output *out, struct lk_span rows, unsigned indent)
{
	struct lk_span key, row;
	size_t cursor = 0;

	for (bool more = false; lk_next(rows, &cursor, &key, &row); more = true) {
		output_word(out, more ? "\n" : "");
		map_print(out, row, indent);
	}
}

static void table_print(struct output *out, struct lk_span rows, unsigned indent)
{
	struct lk_span key, row;
	struct table t = { 0 };
	size_t cursor = 0;

	table_measure(&t, rows);
	if (out->width > 0 && indent + table_width(&t) > out->width) {
		records_print(out, rows, indent);
		return;
	}
	output_paint(out, PAINT_BOLD);
	row_print(out, &t, (struct lk_span){ NULL, 0 }, indent);
	output_paint(out, PAINT_PLAIN);
	while (lk_next(rows, &cursor, &key, &row))
		row_print(out, &t, row, indent);
}

static unsigned widest_key(struct lk_span map)
{
	struct lk_span key, value;
	size_t cursor = 0;
	unsigned widest = 0;

	while (lk_next(map, &cursor, &key, &value)) {
		unsigned width = output_width(lk_as_text(key));

		if (!is_map(value) && !is_rows(value) && width > widest)
			widest = width;
	}
	return widest;
}

static void member_print(struct output *out, struct lk_span key, struct lk_span value,
			 unsigned indent, unsigned at)
{
	if (indent > 0)
		output_pad(out, indent);
	output_text(out, lk_as_text(key));
	if (is_map(value) || is_rows(value)) {
		output_word(out, "\n");
		if (is_map(value))
			map_print(out, value, indent + INDENT);
		else
			table_print(out, value, indent + INDENT);
		return;
	}
	output_pad(out, at);
	output_cell(out, value);
	output_word(out, "\n");
}

static void map_print(struct output *out, struct lk_span map, unsigned indent)
{
	unsigned at = indent + widest_key(map) + 2;
	struct lk_span key, value;
	size_t cursor = 0;

	while (lk_next(map, &cursor, &key, &value))
		member_print(out, key, value, indent, at);
}

void output_value(struct output *out, struct lk_span value)
{
	if (out->json) {
		output_line(out, value);
	} else if (is_rows(value)) {
		table_print(out, value, 0);
	} else if (is_map(value)) {
		map_print(out, value, 0);
	} else {
		output_cell(out, value);
		output_word(out, "\n");
	}
}
