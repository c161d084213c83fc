/* answers.c - answers about families, as text for people.
 *
 * In: maps from the daemon. Out: aligned lines. Promise: every text from outside goes through output_text(); instants are
 * shown to the minute, ids by their first digits; --json has all of it.
 */
#include "answers.h"
#include "phrase.h"

#include <stdlib.h>
#include <string.h>

#define SHORT_ID 8
#define INDENT 2
#define LABEL 12 /* where values begin that have a label */

/* ---- Cells ----------------------------------------------------------------------------------------------------------- */

/* CELL_PHRASE: of the row as a whole, which is a notice or as good as one. */
enum cell { CELL_TEXT, CELL_TIME, CELL_ID, CELL_FLAG, CELL_LIST, CELL_NUMBER, CELL_PHRASE };

static void add(struct lk_bytes *to, struct lk_text text)
{
	lk_bytes_add(to, text.at, text.len);
}

static struct lk_text text_of(const struct lk_bytes *bytes)
{
	return (struct lk_text){ bytes->at != NULL ? (const char *)bytes->at : "",
				 (uint32_t)bytes->len };
}

static void add_list(struct lk_bytes *to, struct lk_span list)
{
	struct lk_span key, value;
	size_t cursor = 0;

	for (bool more = false; lk_next(list, &cursor, &key, &value); more = true) {
		add(to, more ? LK_TEXT(", ") : LK_TEXT(""));
		add(to, lk_as_text(value));
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
		add(to, lk_as_bool(value, &truth) && truth ? LK_TEXT("yes") : LK_TEXT("no"));
	else if (kind == CELL_NUMBER && lk_as_int(value, &number))
		lk_bytes_add(to, digits,
			     (size_t)snprintf(digits, sizeof(digits), "%lld", (long long)number));
	else if (kind == CELL_ID && text.len > SHORT_ID)
		add(to, (struct lk_text){ text.at, SHORT_ID });
	else
		add(to, text);
}

static void cell_print(struct output *out, struct lk_span value, enum cell kind)
{
	struct lk_bytes cell = { 0 };

	cell_add(&cell, value, kind);
	output_text(out, cell.len > 0 ? text_of(&cell) : LK_TEXT("-"));
	lk_bytes_free(&cell);
}

/* A part of a line; where the terminal ends it goes on under the values. */
static void say(struct output *out, struct lk_text text)
{
	output_wrapped(out, text, LABEL);
}

/* ---- Grids: chosen members of a list of maps, aligned ------------------------------------------------------------------ */

struct column {
	const char *member, *heading;
	enum cell kind;
	unsigned width;
};

#define COLUMNS_MAX 10

static struct lk_span cell_of(struct lk_span row, const struct column *column)
{
	return column->kind == CELL_PHRASE ? row : lk_get(row, column->member);
}

/* With `only`, rows in which that member is not true are left out. */
static bool is_left_out(struct lk_span row, const char *only)
{
	bool truth = false;

	return only != NULL && !(lk_as_bool(lk_get(row, only), &truth) && truth);
}

static unsigned cell_width(struct lk_span value, enum cell kind)
{
	struct lk_bytes cell = { 0 };
	unsigned width;

	cell_add(&cell, value, kind);
	width = cell.len > 0 ? output_width(text_of(&cell)) : 1;
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

static bool is_absent(struct lk_span value)
{
	return value.at == NULL || lk_is_nil(value) || lk_count(value) == 0;
}

static void row_print(struct output *out, struct lk_span row, const struct column *columns,
		      size_t n)
{
	unsigned at = INDENT;

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

static void heading_print(struct output *out, const char *heading)
{
	output_word(out, "\n");
	output_paint(out, PAINT_BOLD);
	output_word(out, heading);
	output_paint(out, PAINT_PLAIN);
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
		add(&line, line.len > 0 ? LK_TEXT(", ") : LK_TEXT(""));
		if (columns[i].kind != CELL_PHRASE) {
			add(&line, lk_text_of(columns[i].heading));
			add(&line, LK_TEXT(" "));
		}
		cell_add(&line, value, columns[i].kind);
	}
	output_pad(out, from == 0 ? INDENT : 2 * INDENT);
	output_wrapped(out, text_of(&line), 2 * INDENT);
	output_word(out, "\n");
	lk_bytes_free(&line);
}

/* How many columns stand beside each other: all, or all but the last, which may be long; 0: they do not fit. */
static size_t grid_fit(const struct output *out, const struct column *columns, size_t n)
{
	unsigned width = INDENT;
	size_t fit = 0;

	if (out->width == 0)
		return n;
	while (fit < n && width + columns[fit].width <= out->width)
		width += columns[fit++].width + 2;
	return fit + 1 >= n ? fit : 0;
}

/* A section: nothing at all where there are no rows. */
static void grid_print(struct output *out, const char *heading, struct lk_span rows,
		       const struct column *columns, size_t n, const char *only)
{
	struct column measured[COLUMNS_MAX];
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

#define GRID(out, heading, rows, columns, only) \
	grid_print(out, heading, rows, columns, sizeof(columns) / sizeof((columns)[0]), only)

/* ---- Pieces of lines --------------------------------------------------------------------------------------------------- */

static struct lk_text member(struct lk_span map, const char *path)
{
	return lk_as_text(lk_get_path(map, path));
}

static bool is_true(struct lk_span map, const char *path)
{
	bool truth = false;

	return lk_as_bool(lk_get_path(map, path), &truth) && truth;
}

static void label_print(struct output *out, const char *label)
{
	output_paint(out, PAINT_BOLD);
	output_word(out, label);
	output_paint(out, PAINT_PLAIN);
	output_pad(out, LABEL);
}

/* Nothing where the member is not there. */
static void piece_print(struct output *out, const char *before, struct lk_span map,
			const char *path, enum cell kind)
{
	struct lk_span value = lk_get_path(map, path);
	struct lk_bytes piece = { 0 };

	if (is_absent(value))
		return;
	add(&piece, lk_text_of(before));
	cell_add(&piece, value, kind);
	say(out, text_of(&piece));
	lk_bytes_free(&piece);
}

static void phrase_print(struct output *out, struct lk_span notice)
{
	struct lk_bytes phrase = { 0 };

	phrase_notice(notice, &phrase);
	say(out, text_of(&phrase));
	lk_bytes_free(&phrase);
}

/* ---- family ------------------------------------------------------------------------------------------------------------ */

static void case_print(struct output *out, struct lk_span kase)
{
	output_pad(out, INDENT);
	output_text(out, member(kase, "agency"));
	output_pad(out, INDENT + 10);
	output_text(out, member(kase, "case"));
	output_word(out, is_true(kase, "open") ? "  open" : "  closed");
	piece_print(out, " ", kase, "closed", CELL_TIME);
	piece_print(out, ", ", kase, "status", CELL_TEXT);
	piece_print(out, " since ", kase, "since", CELL_TIME);
	piece_print(out, ", to close on ", kase, "closing", CELL_TEXT);
	piece_print(out, ", last visit ", kase, "visited", CELL_TIME);
	if (is_true(kase, "limited_access"))
		output_word(out, ", limited access");
	output_word(out, "\n");
}

static void worker_print(struct output *out, struct lk_span worker)
{
	output_pad(out, INDENT + 10);
	output_text(out, member(worker, "role"));
	output_pad(out, INDENT + 34);
	output_text(out, member(worker, "worker"));
	piece_print(out, ", ", worker, "name", CELL_TEXT);
	piece_print(out, ", ", worker, "phone", CELL_TEXT);
	output_word(out, "\n");
}

static void cases_print(struct output *out, struct lk_span cases)
{
	struct lk_span key, kase, worker;
	size_t cursor = 0;

	heading_print(out, "Cases");
	while (lk_next(cases, &cursor, &key, &kase)) {
		size_t at = 0;

		case_print(out, kase);
		while (lk_next(lk_get(kase, "workers"), &at, &key, &worker))
			worker_print(out, worker);
		if (lk_count(lk_get(kase, "shared")) > 0) {
			output_pad(out, INDENT + 10);
			piece_print(out, "the other side may know: ", kase, "shared", CELL_LIST);
			output_word(out, "\n");
		}
	}
}

static const struct column consent_columns[] = {
	{ "consent", "consent", CELL_TEXT, 0 },   { "case", "case", CELL_TEXT, 0 },
	{ "in_force", "in force", CELL_FLAG, 0 }, { "signed", "signed", CELL_TIME, 0 },
	{ "expires", "expires", CELL_TEXT, 0 },   { "topics", "topics", CELL_LIST, 0 },
};
static const struct column plan_columns[] = {
	{ "plan", "plan", CELL_TEXT, 0 },       { "case", "case", CELL_TEXT, 0 },
	{ "kind", "kind", CELL_TEXT, 0 },       { "signed", "signed", CELL_TIME, 0 },
	{ "closing", "closing", CELL_TEXT, 0 }, { "ended", "ended", CELL_FLAG, 0 },
};
static const struct column service_columns[] = {
	{ "service", "service", CELL_TEXT, 0 },
	{ "case", "case", CELL_TEXT, 0 },
	{ "category", "category", CELL_TEXT, 0 },
	{ "started", "started", CELL_TIME, 0 },
};
static const struct column concern_columns[] = {
	{ "concern", "concern", CELL_TEXT, 0 },   { "case", "case", CELL_TEXT, 0 },
	{ "kind", "kind", CELL_TEXT, 0 },         { "raised", "raised", CELL_TIME, 0 },
	{ "resolved", "resolved", CELL_FLAG, 0 },
};
static const struct column referral_columns[] = {
	{ "referral", "referral", CELL_TEXT, 0 }, { "case", "case", CELL_TEXT, 0 },
	{ "category", "category", CELL_TEXT, 0 }, { "to", "to", CELL_TEXT, 0 },
	{ "status", "status", CELL_TEXT, 0 },     { "follow_up", "follow up", CELL_TEXT, 0 },
};
static const struct column meeting_columns[] = {
	{ "meeting", "meeting", CELL_TEXT, 0 }, { "kind", "kind", CELL_TEXT, 0 },
	{ "state", "state", CELL_TEXT, 0 },     { "start", "start", CELL_TIME, 0 },
	{ "place", "place", CELL_TEXT, 0 },
};
static const struct column standing_columns[] = {
	{ "id", "notice", CELL_ID, 0 },   { "to", "to", CELL_TEXT, 0 },
	{ "due", "due", CELL_TEXT, 0 },   { "urgency", "urgency", CELL_TEXT, 0 },
	{ "told", "told", CELL_TIME, 0 }, { "answered", "answered", CELL_TIME, 0 },
	{ NULL, "what", CELL_PHRASE, 0 },
};
static const struct column coming_columns[] = {
	{ "at", "when", CELL_TIME, 0 },     { "kind", "kind", CELL_TEXT, 0 },
	{ "state", "state", CELL_TEXT, 0 }, { "reason", "reason", CELL_TEXT, 0 },
	{ "to", "to", CELL_TEXT, 0 },       { "due", "due", CELL_TEXT, 0 },
	{ NULL, "what", CELL_PHRASE, 0 },
};
static const struct column ahead_columns[] = {
	{ "time", "when", CELL_TIME, 0 },
	{ "type", "type", CELL_TEXT, 0 },
	{ "case", "case", CELL_TEXT, 0 },
	{ "event", "event", CELL_TEXT, 0 },
};

void answer_family(struct output *out, struct lk_span body)
{
	label_print(out, "Family");
	if (is_true(body, "mutual"))
		piece_print(out, "served by both agencies since ", body, "since", CELL_TIME);
	else
		output_word(out, "not served by both agencies");
	piece_print(out, "; episode ", body, "episode", CELL_NUMBER);
	output_word(out, "\n");
	cases_print(out, lk_get(body, "cases"));
	GRID(out, "Consents", lk_get(body, "consents"), consent_columns, NULL);
	GRID(out, "Plans", lk_get(body, "plans"), plan_columns, NULL);
	GRID(out, "Services that run", lk_get(body, "services"), service_columns, "running");
	GRID(out, "Concerns", lk_get(body, "concerns"), concern_columns, NULL);
	GRID(out, "Referrals", lk_get(body, "referrals"), referral_columns, NULL);
	GRID(out, "Meetings", lk_get(body, "meetings"), meeting_columns, NULL);
	GRID(out, "What stands", lk_get(body, "notices"), standing_columns, "standing");
	GRID(out, "What comes next, if nothing else happens", lk_get(body, "coming"),
	     coming_columns, NULL);
	GRID(out, "Events that wait for their time", lk_get(body, "ahead"), ahead_columns, NULL);
}

/* ---- why --------------------------------------------------------------------------------------------------------------- */

static const struct column event_columns[] = {
	{ "event", "event", CELL_TEXT, 0 },
	{ "type", "type", CELL_TEXT, 0 },
	{ "agency", "of", CELL_TEXT, 0 },
	{ "case", "case", CELL_TEXT, 0 },
	{ "time", "when", CELL_TIME, 0 },
	{ "received", "received", CELL_TIME, 0 },
	{ "shown", "named to the worker", CELL_FLAG, 0 },
};
static const struct column value_columns[] = {
	{ "key", "key", CELL_TEXT, 0 },
	{ "value", "value", CELL_TEXT, 0 },
	{ "cites", "basis", CELL_TEXT, 0 },
};
static const struct column ledger_columns[] = {
	{ "rev", "rev", CELL_NUMBER, 0 },   { "at", "when", CELL_TIME, 0 },
	{ "level", "level", CELL_TEXT, 0 }, { "session", "session", CELL_TEXT, 0 },
	{ "basis", "basis", CELL_TEXT, 0 },
};
static const struct column telling_columns[] = {
	{ "rev", "rev", CELL_NUMBER, 0 },   { "at", "when", CELL_TIME, 0 },
	{ "state", "state", CELL_TEXT, 0 }, { "reason", "reason", CELL_TEXT, 0 },
	{ "level", "level", CELL_TEXT, 0 }, { "seq", "place in the mailbox", CELL_NUMBER, 0 },
};

static void told_print(struct output *out, struct lk_span body)
{
	struct lk_span notice = lk_get(body, "notice");

	label_print(out, "Notice");
	output_text(out, member(notice, "id"));
	output_word(out, "\n");
	output_pad(out, LABEL);
	phrase_print(out, notice);
	piece_print(out, "; due ", notice, "due", CELL_TEXT);
	output_word(out, "\n");
	label_print(out, "Told to");
	output_text(out, member(notice, "to"));
	piece_print(out, ", by the place ", body, "place", CELL_TEXT);
	piece_print(out, ", case ", notice, "case", CELL_TEXT);
	piece_print(out, ", other side's case ", notice, "other", CELL_TEXT);
	say(out, is_true(body, "follows") ? LK_TEXT("; it follows now")
					  : LK_TEXT("; it does not follow any more"));
	output_word(out, "\n");
}

static void rule_print(struct output *out, struct lk_span rule)
{
	label_print(out, "Rule");
	output_text(out, member(rule, "rule"));
	piece_print(out, " (", rule, "class", CELL_TEXT);
	piece_print(out, ", ", rule, "urgency", CELL_TEXT);
	output_word(out, is_true(rule, "enabled") ? "): " : ", switched off): ");
	say(out, member(rule, "cites"));
	output_word(out, "\n");
	output_pad(out, LABEL);
	piece_print(out, "goes to ", rule, "to", CELL_LIST);
	piece_print(out, "; at most ", rule, "level", CELL_TEXT);
	piece_print(out, " of topic ", rule, "topic", CELL_TEXT);
	if (is_true(rule, "blind"))
		say(out, LK_TEXT("; blind without consent"));
	output_word(out, "\n");
}

static void disclosure_print(struct output *out, struct lk_span disclosure)
{
	label_print(out, "Disclosure");
	piece_print(out, "told at level ", disclosure, "level", CELL_TEXT);
	piece_print(out, ", topic ", disclosure, "topic", CELL_TEXT);
	if (is_true(disclosure, "may_be_seen"))
		say(out, LK_TEXT("; may be seen now"));
	else
		piece_print(out, "; may not be seen now: ", disclosure, "held_by", CELL_TEXT);
	piece_print(out, ", on the basis of ", disclosure, "basis", CELL_TEXT);
	output_word(out, "\n");
}

void answer_why(struct output *out, struct lk_span body)
{
	told_print(out, body);
	rule_print(out, lk_get(body, "rule"));
	disclosure_print(out, lk_get(body, "disclosure"));
	label_print(out, "Answered");
	if (lk_text_given(member(body, "answered.by"))) {
		output_text(out, member(body, "answered.by"));
		piece_print(out, ", ", body, "answered.at", CELL_TIME);
	} else {
		output_word(out, "no");
	}
	output_word(out, "\n");
	GRID(out, "Events behind it", lk_get(body, "events"), event_columns, NULL);
	GRID(out, "Values of the policy that counted", lk_get(body, "policy"), value_columns, NULL);
	GRID(out, "Tellings", lk_get(body, "tellings"), telling_columns, NULL);
	GRID(out, "Disclosure ledger", lk_get_path(body, "disclosure.ledger"), ledger_columns,
	     NULL);
}

/* ---- why-not ------------------------------------------------------------------------------------------------------------ */

static void places_print(struct output *out, struct lk_span places)
{
	struct lk_bytes list = { 0 };
	struct lk_span key, place;
	size_t cursor = 0;

	while (lk_next(places, &cursor, &key, &place)) {
		add(&list, list.len > 0 ? LK_TEXT(", ") : LK_TEXT(" ("));
		add(&list, member(place, "place"));
		add(&list, LK_TEXT(": "));
		add(&list, member(place, "worker"));
	}
	if (list.len > 0)
		add(&list, LK_TEXT(")"));
	say(out, text_of(&list));
	lk_bytes_free(&list);
}

static void held_print(struct output *out, struct lk_span row)
{
	struct lk_text rule = member(row, "rule");

	output_pad(out, INDENT);
	output_text(out, lk_text_given(rule) ? rule : LK_TEXT("the event"));
	output_pad(out, INDENT + 24);
	output_text(out, member(row, "held_by"));
	output_pad(out, INDENT + 40);
	say(out, member(row, "says"));
	piece_print(out, "; as ", row, "place", CELL_TEXT);
	piece_print(out, "; held by ", row, "holder", CELL_TEXT);
	piece_print(out, "; ", row, "at", CELL_TIME);
	piece_print(out, "; notice ", row, "notice", CELL_ID);
	piece_print(out, "; by ", row, "by", CELL_TEXT);
	places_print(out, lk_get(row, "places"));
	output_word(out, "\n");
}

static void holds_print(struct output *out, struct lk_span holds)
{
	struct lk_span key, role;
	size_t cursor = 0;

	while (lk_next(holds, &cursor, &key, &role)) {
		output_word(out, ", ");
		output_text(out, member(role, "role"));
		piece_print(out, " of ", role, "agency", CELL_TEXT);
		piece_print(out, " ", role, "case", CELL_TEXT);
	}
	if (lk_count(holds) <= 0)
		output_word(out, ", no place in this family");
}

#define NOT_SO "not_so"

/* Rules of whom there is nothing more to say, on one line. */
static void others_print(struct output *out, struct lk_span rules)
{
	struct lk_bytes list = { 0 };
	struct lk_span key, row;
	size_t cursor = 0;

	while (lk_next(rules, &cursor, &key, &row)) {
		if (!lk_text_says(member(row, "held_by"), NOT_SO))
			continue;
		add(&list,
		    list.len > 0 ? LK_TEXT(", ") : LK_TEXT("Nothing follows from it now for: "));
		add(&list, member(row, "rule"));
	}
	output_word(out, list.len > 0 ? "\n" : "");
	output_wrapped(out, text_of(&list), INDENT);
	output_word(out, list.len > 0 ? "\n" : "");
	lk_bytes_free(&list);
}

void answer_why_not(struct output *out, struct lk_span body)
{
	struct lk_span key, row;
	size_t cursor = 0;
	bool held = false;

	label_print(out, "Event");
	output_text(out, member(body, "event.event"));
	piece_print(out, ", ", body, "event.type", CELL_TEXT);
	piece_print(out, " of ", body, "event.agency", CELL_TEXT);
	piece_print(out, " ", body, "event.case", CELL_TEXT);
	piece_print(out, ", ", body, "event.time", CELL_TIME);
	piece_print(out, ", received ", body, "event.received", CELL_TIME);
	output_word(out, "\n");
	label_print(out, "Worker");
	output_text(out, member(body, "worker"));
	holds_print(out, lk_get(body, "holds"));
	output_word(out, "\n");
	heading_print(out, "What held it back");
	while (lk_next(lk_get(body, "rules"), &cursor, &key, &row)) {
		if (lk_text_says(member(row, "held_by"), NOT_SO))
			continue;
		held_print(out, row);
		held = true;
	}
	if (lk_count(lk_get(body, "rules")) <= 0)
		output_word(out, "  no rule speaks of such an event\n");
	else if (!held)
		output_word(out, "  nothing: it says nothing now that this worker would be told\n");
	others_print(out, lk_get(body, "rules"));
}

/* ---- plan --------------------------------------------------------------------------------------------------------------- */

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
	struct lk_text at = member(item, "when");

	if (!lk_text_given(at))
		return;
	phrase_time(at, &when);
	/* The hour matters for what is on a day; since when something holds is a day. */
	if (!lk_text_says(member(item, "how"), "on") && when.len > 10)
		when.len = 10;
	block_text(b, member(item, "how"), false);
	block_text(b, text_of(&when), false);
	lk_bytes_free(&when);
}

static void block_item(struct block *b, struct lk_span item)
{
	struct lk_bytes why = { 0 };
	struct lk_text reason = member(item, "why");

	block_text(b, member(item, "what"), true);
	block_when(b, item);
	if (lk_text_given(member(item, "who"))) {
		block_word(b, LK_TEXT("-"));
		block_text(b, member(item, "who"), false);
	}
	if (lk_text_given(reason)) {
		add(&why, LK_TEXT("("));
		add(&why, reason);
		add(&why, LK_TEXT(")"));
		block_text(b, text_of(&why), true);
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
	output_text(out, member(body, "for"));
	piece_print(out, " (", body, "side", CELL_TEXT);
	piece_print(out, "), ", body, "at", CELL_TIME);
	say(out, is_true(body, "mutual") ? LK_TEXT("; served by both agencies")
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
		output_paint(out, PAINT_BOLD);
		output_word(out, headings[i]);
		output_paint(out, PAINT_PLAIN);
		output_word(out, "\n");
		while (lk_text_given(line = block_line(&blocks[i], &at))) {
			output_pad(out, INDENT);
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
							    : page - INDENT };
		block_fill(&blocks[i], lk_get(body, members[i]));
	}
	(beside ? blocks_beside : blocks_stack)(out, blocks, headings);
	for (size_t i = 0; i < PAGE_COLUMNS; i++)
		lk_bytes_free(&blocks[i].lines);
}
