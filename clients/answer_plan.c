/* answer_plan.c - a coordinated plan on one page, as two agencies' workers lay it on the table between them.
 *
 * In: the body of a reply to `plan`. Out: four columns beside each other, or below each other on a narrow page. Promise: each
 * item begins a line of its own, and nothing that is told of it can.
 */
#include "answers.h"

#include "grid.h"
#include "phrase.h"

#include <string.h>

#define PAGE_COLUMNS 4
#define PAGE_LEAST 80 /* below that, the columns stand below each other */
#define PAGE_MOST 120
#define GUTTER 2

/* Lines of one column, each ended by a newline. */
struct block {
	struct lk_bytes lines;
	unsigned width, column; /* of the column; reached on the line at hand */
};

static void block_newline(struct block *b)
{
	lk_bytes_add(&b->lines, "\n", 1);
	b->column = 0;
}

/* As many bytes of it as fit into `width` columns, at least one character. */
static uint32_t fitting(struct lk_text word, unsigned width)
{
	uint32_t len = 0;

	while (len < word.len) {
		uint32_t next = len + 1;

		while (next < word.len && ((uint8_t)word.at[next] & 0xc0) == 0x80)
			next++;
		if (len > 0 && output_width((struct lk_text){ word.at, next }) > width)
			break;
		len = next;
	}
	return len;
}

static void block_word(struct block *b, struct lk_text word)
{
	while (word.len > 0) {
		unsigned width = output_width(word), space = b->column > 1;
		uint32_t len = word.len;

		if (b->column > 1 && b->column + space + width > b->width) {
			block_newline(b);
			lk_bytes_add(&b->lines, " ", 1);
			b->column = 1;
			space = 0;
		}
		if (b->column + space + width > b->width)
			len = fitting(word, b->width - b->column - space);
		lk_bytes_add(&b->lines, " ", space);
		lk_bytes_add(&b->lines, word.at, len);
		b->column += space + output_width((struct lk_text){ word.at, len });
		word = (struct lk_text){ word.at + len, word.len - len };
	}
}

/* Codes are words with underscores; names are left as they are. A control character ends a word: no text from outside
 * begins a line of its own. */
static void block_text(struct block *b, struct lk_text text, bool is_code)
{
	uint32_t from = 0;

	for (uint32_t i = 0; i <= text.len; i++) {
		bool ends = i == text.len || (uint8_t)text.at[i] <= ' ' ||
			    (is_code && text.at[i] == '_');

		if (!ends)
			continue;
		block_word(b, (struct lk_text){ text.at + from, i - from });
		from = i + 1;
	}
}

static void block_when(struct block *b, struct lk_span item)
{
	struct lk_bytes when = { 0 };
	struct lk_text at = member_text(item, "when");

	if (!lk_text_given(at))
		return;
	phrase_time(at, &when);
	/* What is on a day needs its hour; for since when something holds, the day is enough. */
	if (!lk_text_says(member_text(item, "how"), "on") && when.len > 10)
		when.len = 10;
	block_text(b, member_text(item, "how"), false);
	block_text(b, line_text(&when), false);
	lk_bytes_free(&when);
}

static void block_item(struct block *b, struct lk_span item)
{
	struct lk_bytes why = { 0 };
	struct lk_text reason = member_text(item, "why");

	block_text(b, member_text(item, "what"), true);
	block_when(b, item);
	if (lk_text_given(member_text(item, "who"))) {
		block_word(b, LK_TEXT("-"));
		block_text(b, member_text(item, "who"), false);
	}
	if (lk_text_given(reason)) {
		line_add(&why, LK_TEXT("("));
		line_add(&why, reason);
		line_add(&why, LK_TEXT(")"));
		block_text(b, line_text(&why), true);
	}
	block_newline(b);
	lk_bytes_free(&why);
}

static void block_fill(struct block *b, struct lk_span items)
{
	struct lk_span key, item;
	size_t cursor = 0;

	while (lk_next(items, &cursor, &key, &item))
		block_item(b, item);
	if (b->lines.len == 0) {
		block_word(b, LK_TEXT("-"));
		block_newline(b);
	}
}

/* The next line, without its newline; absent after the last. */
static struct lk_text block_line(const struct block *b, size_t *at)
{
	const uint8_t *from = b->lines.at + *at, *end;

	if (b->lines.at == NULL || *at >= b->lines.len)
		return LK_NO_TEXT;
	end = memchr(from, '\n', b->lines.len - *at);
	*at = (size_t)(end - b->lines.at) + 1;
	return (struct lk_text){ (const char *)from, (uint32_t)(end - from) };
}

static void blocks_print(struct output *out, const struct block blocks[PAGE_COLUMNS])
{
	size_t at[PAGE_COLUMNS] = { 0 };
	bool more = true;

	while (more) {
		struct lk_text line[PAGE_COLUMNS];

		more = false;
		for (size_t i = 0; i < PAGE_COLUMNS; i++) {
			line[i] = block_line(&blocks[i], &at[i]);
			more |= lk_text_given(line[i]);
		}
		for (size_t i = 0; more && i < PAGE_COLUMNS; i++) {
			if (line[i].len == 0)
				continue;
			if (i > 0)
				output_pad(out, (unsigned)i * (blocks[i].width + GUTTER));
			output_text(out, line[i]);
		}
		if (more)
			output_word(out, "\n");
	}
}

static void plan_head(struct output *out, struct lk_span body)
{
	output_word(out, "Coordinated plan for ");
	output_text(out, member_text(body, "for"));
	piece_print(out, " (", body, "side", CELL_TEXT);
	piece_print(out, "), ", body, "at", CELL_TIME);
	piece_say(out, member_is_true(body, "mutual") ? LK_TEXT("; served by both agencies")
						      : LK_TEXT("; not served by both agencies"));
	piece_print(out, " since ", body, "since", CELL_TIME);
	output_word(out, "\n");
	output_word(out, "The other side shares: ");
	if (is_absent(lk_get(body, "shared")))
		output_word(out, "-");
	piece_print(out, "", body, "shared", CELL_LIST);
	output_word(out, "\n\n");
}

/* Below each other. */
static void blocks_stack(struct output *out, struct block blocks[PAGE_COLUMNS],
			 const char *const headings[PAGE_COLUMNS])
{
	for (size_t i = 0; i < PAGE_COLUMNS; i++) {
		struct lk_text line;
		size_t at = 0;

		output_word(out, i > 0 ? "\n" : "");
		output_painted(out, PAINT_BOLD, headings[i]);
		output_word(out, "\n");
		while (lk_text_given(line = block_line(&blocks[i], &at))) {
			output_pad(out, GRID_INDENT);
			output_text(out, line);
			output_word(out, "\n");
		}
	}
}

static void blocks_beside(struct output *out, struct block blocks[PAGE_COLUMNS],
			  const char *const headings[PAGE_COLUMNS])
{
	output_paint(out, PAINT_BOLD);
	for (size_t i = 0; i < PAGE_COLUMNS; i++) {
		if (i > 0)
			output_pad(out, (unsigned)i * (blocks[i].width + GUTTER));
		output_word(out, headings[i]);
	}
	output_paint(out, PAINT_PLAIN);
	output_word(out, "\n");
	blocks_print(out, blocks);
}

void answer_plan(struct output *out, struct lk_span body, unsigned width)
{
	static const char *const headings[PAGE_COLUMNS] = { "SHARED GOALS", "FAMILY", "CWS",
							    "CALWORKS" };
	static const char *const members[PAGE_COLUMNS] = { "goals", "family", "cws", "calworks" };
	struct block blocks[PAGE_COLUMNS];
	bool beside = width >= PAGE_LEAST;
	unsigned page = width > PAGE_MOST ? PAGE_MOST : width;

	plan_head(out, body);
	for (size_t i = 0; i < PAGE_COLUMNS; i++) {
		blocks[i] = (struct block){ .width = beside ? (page - 3 * GUTTER) / PAGE_COLUMNS
							    : page - GRID_INDENT };
		block_fill(&blocks[i], lk_get(body, members[i]));
	}
	(beside ? blocks_beside : blocks_stack)(out, blocks, headings);
	for (size_t i = 0; i < PAGE_COLUMNS; i++)
		lk_bytes_free(&blocks[i].lines);
}
