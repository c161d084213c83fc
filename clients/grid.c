/* grid.c - maps and lists of maps from the daemon, as aligned lines.
 *
 * In: members of a reply, and which of them to show how. Out: cells, grids, labels and pieces of lines. Promise: every text
 * from outside goes through output.h, which escapes it; no line is wider than the terminal where it can be broken.
 */
#include "grid.h"

#include "phrase.h"

#include <string.h>

#define SHORT_ID 8

/* ---- Cells ----------------------------------------------------------------------------------------------------------- */

void line_add(struct lk_bytes *to, struct lk_text text)
{
	lk_bytes_add(to, text.at, text.len);
}

struct lk_text line_text(const struct lk_bytes *bytes)
{
	return (struct lk_text){ bytes->at != NULL ? (const char *)bytes->at : "",
				 (uint32_t)bytes->len };
}

static void add_list(struct lk_bytes *to, struct lk_span list)
{
	struct lk_span key, value;
	size_t cursor = 0;

	for (bool more = false; lk_next(list, &cursor, &key, &value); more = true) {
		line_add(to, more ? LK_TEXT(", ") : LK_TEXT(""));
		line_add(to, lk_as_text(value));
	}
}

static void cell_add(struct lk_bytes *to, struct lk_span value, enum cell kind)
{
	struct lk_text text = lk_as_text(value);
	bool truth = false;
	int64_t number;
	char digits[24];

	if (kind == CELL_TIME && lk_text_given(text))
		phrase_time(text, to);
	else if (kind == CELL_LIST)
		add_list(to, value);
	else if (kind == CELL_PHRASE)
		phrase_notice(value, to);
	else if (kind == CELL_FLAG)
		line_add(to, lk_as_bool(value, &truth) && truth ? LK_TEXT("yes") : LK_TEXT("no"));
	else if (kind == CELL_NUMBER && lk_as_int(value, &number))
		lk_bytes_add(to, digits,
			     (size_t)snprintf(digits, sizeof(digits), "%lld", (long long)number));
	else if (kind == CELL_ID && text.len > SHORT_ID)
		line_add(to, (struct lk_text){ text.at, SHORT_ID });
	else
		line_add(to, text);
}

static void cell_print(struct output *out, struct lk_span value, enum cell kind)
{
	struct lk_bytes cell = { 0 };

	cell_add(&cell, value, kind);
	output_text(out, cell.len > 0 ? line_text(&cell) : LK_TEXT("-"));
	lk_bytes_free(&cell);
}

/* ---- Grids: chosen members of a list of maps, aligned ------------------------------------------------------------------ */

static struct lk_span cell_of(struct lk_span row, const struct column *column)
{
	return column->kind == CELL_PHRASE ? row : lk_get(row, column->member);
}

static bool is_left_out(struct lk_span row, const char *only)
{
	return only != NULL && !member_is_true(row, only);
}

static unsigned cell_width(struct lk_span value, enum cell kind)
{
	struct lk_bytes cell = { 0 };
	unsigned width;

	cell_add(&cell, value, kind);
	width = cell.len > 0 ? output_width(line_text(&cell)) : 1;
	lk_bytes_free(&cell);
	return width;
}

/* The number of rows that will be shown. */
static size_t grid_measure(struct lk_span rows, struct column *columns, size_t n, const char *only)
{
	struct lk_span key, row;
	size_t cursor = 0, shown = 0;

	for (size_t i = 0; i < n; i++)
		columns[i].width = (unsigned)strlen(columns[i].heading);
	while (lk_next(rows, &cursor, &key, &row)) {
		if (is_left_out(row, only))
			continue;
		shown++;
		for (size_t i = 0; i < n; i++) {
			unsigned width = cell_width(cell_of(row, &columns[i]), columns[i].kind);

			if (width > columns[i].width)
				columns[i].width = width;
		}
	}
	return shown;
}

bool is_absent(struct lk_span value)
{
	return value.at == NULL || lk_is_nil(value) || lk_count(value) == 0;
}

static void row_print(struct output *out, struct lk_span row, const struct column *columns,
		      size_t n)
{
	unsigned at = GRID_INDENT;

	for (size_t i = 0; i < n; i++) {
		output_pad(out, at);
		if (row.at == NULL)
			output_word(out, columns[i].heading);
		else
			cell_print(out, cell_of(row, &columns[i]), columns[i].kind);
		at += columns[i].width + 2;
	}
	output_word(out, "\n");
}

void heading_print(struct output *out, const char *heading)
{
	output_word(out, "\n");
	output_painted(out, PAINT_BOLD, heading);
	output_word(out, "\n");
}

/* As pairs on lines of their own, for a terminal that is narrower than the columns from `from` on. */
static void row_wrapped(struct output *out, struct lk_span row, const struct column *columns,
			size_t from, size_t n)
{
	struct lk_bytes line = { 0 };

	for (size_t i = from; i < n; i++) {
		struct lk_span value = cell_of(row, &columns[i]);

		if (is_absent(value))
			continue;
		line_add(&line, line.len > 0 ? LK_TEXT(", ") : LK_TEXT(""));
		if (columns[i].kind != CELL_PHRASE) {
			line_add(&line, lk_text_of(columns[i].heading));
			line_add(&line, LK_TEXT(" "));
		}
		cell_add(&line, value, columns[i].kind);
	}
	output_pad(out, from == 0 ? GRID_INDENT : 2 * GRID_INDENT);
	output_wrapped(out, line_text(&line), 2 * GRID_INDENT);
	output_word(out, "\n");
	lk_bytes_free(&line);
}

/* How many columns stand beside each other: at least half of them, or none. */
static size_t grid_fit(const struct output *out, const struct column *columns, size_t n)
{
	unsigned width = GRID_INDENT;
	size_t fit = 0;

	if (out->width == 0)
		return n;
	while (fit < n && width + columns[fit].width <= out->width)
		width += columns[fit++].width + 2;
	return 2 * fit >= n ? fit : 0;
}

void grid_print(struct output *out, const char *heading, struct lk_span rows,
		const struct column *columns, size_t n, const char *only)
{
	struct column measured[GRID_COLUMNS_MAX];
	struct lk_span key, row;
	size_t cursor = 0, fit;

	memcpy(measured, columns, n * sizeof(*columns));
	if (grid_measure(rows, measured, n, only) == 0)
		return;
	fit = grid_fit(out, measured, n);
	heading_print(out, heading);
	output_paint(out, PAINT_FAINT);
	if (fit > 0)
		row_print(out, (struct lk_span){ NULL, 0 }, measured, fit);
	output_paint(out, PAINT_PLAIN);
	while (lk_next(rows, &cursor, &key, &row)) {
		if (is_left_out(row, only))
			continue;
		if (fit > 0)
			row_print(out, row, measured, fit);
		if (fit < n)
			row_wrapped(out, row, measured, fit, n);
	}
}

/* ---- Pieces of lines --------------------------------------------------------------------------------------------------- */

struct lk_text member_text(struct lk_span map, const char *path)
{
	return lk_as_text(lk_get_path(map, path));
}

bool member_is_true(struct lk_span map, const char *path)
{
	bool truth = false;

	return lk_as_bool(lk_get_path(map, path), &truth) && truth;
}

void piece_say(struct output *out, struct lk_text text)
{
	output_wrapped(out, text, GRID_LABEL);
}

void label_print(struct output *out, const char *label)
{
	output_painted(out, PAINT_BOLD, label);
	output_pad(out, GRID_LABEL);
}

void piece_print(struct output *out, const char *before, struct lk_span map, const char *path,
		 enum cell kind)
{
	struct lk_span value = lk_get_path(map, path);
	struct lk_bytes piece = { 0 };

	if (is_absent(value))
		return;
	line_add(&piece, lk_text_of(before));
	cell_add(&piece, value, kind);
	piece_say(out, line_text(&piece));
	lk_bytes_free(&piece);
}
