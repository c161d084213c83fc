/* test_output.c - what the tools print: aligned for people, and nothing from outside as it came.
 *
 * In: texts and values. Out: the bytes that were written. Promise: clients/output.c and clients/phrase.c keep theirs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "output.h"
#include "phrase.h"

#include <stdlib.h>
#include <string.h>

static char *written;
static size_t written_len;
static struct output out;

static void start(bool json)
{
	FILE *to = open_memstream(&written, &written_len);

	assert_non_null(to);
	output_open(&out, to, json);
}

/* What was written since; the caller frees it. */
static void finish(const char *expected)
{
	assert_int_equal(output_close(&out), 0);
	(void)fclose(out.to);
	assert_string_equal(written, expected);
	free(written);
}

static void text_is(const char *theirs, const char *expected)
{
	start(false);
	output_text(&out, lk_text_of(theirs));
	assert_int_equal(out.column, output_width(lk_text_of(theirs)));
	finish(expected);
}

static void control_characters_are_escaped(void **state)
{
	(void)state;
	text_is("plain", "plain");
	text_is("\033[31mred\007", "\\x1b[31mred\\x07");
	text_is("a\nb\rc\td", "a\\x0ab\\x0dc\\x09d");
	text_is("\302\233 8-bit CSI", "\\x9b 8-bit CSI");
	text_is("\177", "\\x7f");
}

static void what_turns_or_hides_a_line_is_escaped(void **state)
{
	(void)state;
	text_is("a\342\200\256b", "a\\u{202e}b");
	text_is("\342\201\246x", "\\u{2066}x");
	text_is("zero\342\200\213width", "zero\\u{200b}width");
	text_is("\357\273\277bom", "\\u{feff}bom");
}

static void letters_of_every_script_stay(void **state)
{
	(void)state;
	text_is("Nuñez Łódź 田中", "Nuñez Łódź 田中");
	assert_int_equal(output_width(lk_text_of("Nuñez")), 5);
}

static void bytes_that_are_no_characters_are_escaped(void **state)
{
	(void)state;
	text_is("\377\300\257\355\240\200", "\\xff\\xc0\\xaf\\xed\\xa0\\x80");
	text_is("cut \342\200", "cut \\xe2\\x80");
}

static struct lk_span wire_of(const char *json, struct lk_bytes *room)
{
	struct lk_refused why;

	assert_int_equal(lk_json_to_wire(json, strlen(json), room, &why), 0);
	return lk_span_of(room->at, room->len);
}

static void value_is(const char *json, bool as_json, const char *expected)
{
	struct lk_bytes room = { 0 };

	start(as_json);
	output_value(&out, wire_of(json, &room));
	finish(expected);
	lk_bytes_free(&room);
}

static void maps_are_aligned_and_lists_of_maps_are_tables(void **state)
{
	(void)state;
	value_is(
		"{\"a\": 1, \"long\": true, \"m\": {\"x\": null}, \"names\": [\"p\", \"q\"],"
		" \"rows\": [{\"id\": \"e1\", \"n\": 10}, {\"id\": \"longer\", \"z\": \"\\u001b\"}]}",
		false,
		"a      1\n"
		"long   yes\n"
		"m\n"
		"  x  -\n"
		"names  p, q\n"
		"rows\n"
		"  id      n   z\n"
		"  e1      10  -\n"
		"  longer  -   \\x1b\n");
}

static void lists_and_instants_are_as_people_write_them(void **state)
{
	(void)state;
	value_is(
		"{\"t\": [{\"who\": \"a\", \"of\": [\"p\", \"q\"]}, {\"who\": \"b\", \"of\": []}]}",
		false, "t\n  of    who\n  p, q  a\n  -     b\n");
	value_is("{\"l\": []}", false, "l  -\n");
	value_is("{\"at\": \"2026-03-02T09:00:00.125+00:00\"}", false,
		 "at  2026-03-02 09:00:00 UTC\n");
	value_is("{\"at\": \"2026-03-02T09:00:00Z\"}", false, "at  2026-03-02 09:00:00 UTC\n");
	value_is("{\"at\": \"2026-03-02T09:00:00-08:00\"}", false,
		 "at  2026-03-02 09:00:00 -08:00\n");
	value_is("{\"at\": \"2026-03-02T09:00:00-08:00\"}", true,
		 "{\"at\":\"2026-03-02T09:00:00-08:00\"}\n");
	value_is("{\"at\": \"2026-13-02T09:00:00-08:00\"}", false,
		 "at  2026-13-02T09:00:00-08:00\n");
}

static void rows_are(unsigned width, const char *expected)
{
	struct lk_bytes room = { 0 };
	struct lk_span map = wire_of(
		"{\"t\": [{\"name\": \"e1\", \"n\": 10}, {\"name\": \"e2\", \"n\": 7}]}", &room);

	start(false);
	out.width = width;
	output_value(&out, lk_get(map, "t"));
	lk_bytes_free(&room);
	finish(expected);
}

static void a_table_that_is_too_wide_is_pairs(void **state)
{
	(void)state;
	rows_are(8, "n   name\n10  e1\n7   e2\n");
	rows_are(7, "n     10\nname  e1\n\nn     7\nname  e2\n");
}

static void json_is_one_line(void **state)
{
	(void)state;
	value_is("{\"b\": [1, {\"c\": null}], \"a\": \"x\\ny\"}", true,
		 "{\"a\":\"x\\ny\",\"b\":[1,{\"c\":null}]}\n");
}

static void phrase_is(const char *json, const char *expected)
{
	struct lk_bytes room = { 0 }, phrase = { 0 };

	phrase_notice(wire_of(json, &room), &phrase);
	assert_int_equal(phrase.len, strlen(expected));
	assert_memory_equal(phrase.at, expected, phrase.len);
	lk_bytes_free(&room);
	lk_bytes_free(&phrase);
}

static void phrases_say_what_is_there_and_no_more(void **state)
{
	(void)state;
	phrase_is(
		"{\"kind\": \"status.changed\", \"about\": {\"what\": \"status\", \"from\": \"er\", \"status\": \"fm\"}}",
		"status er to fm");
	phrase_is(
		"{\"kind\": \"status.changed\", \"about\": {\"what\": \"status\", \"status\": \"good_cause\"}}",
		"status good cause");
	phrase_is("{\"kind\": \"status.changed\", \"about\": {\"what\": \"removal\"}}",
		  "a child was removed");
	phrase_is("{\"kind\": \"status.changed\", \"about\": {}}", "status");
	phrase_is(
		"{\"kind\": \"meeting.needed\", \"about\": {\"meeting_kind\": \"ltm\", \"reasons\":"
		" [\"not_meeting\", \"concern\"]}}",
		"ltm meeting needed: not meeting, concern");
	phrase_is("{\"kind\": \"meeting.reschedule\", \"about\": {\"meeting\": \"m_1\", \"start\":"
		  " \"2026-03-09T10:00:00-07:00\", \"proposals\": [\"2026-03-10T08:00:00-07:00\","
		  " \"2026-03-10T08:30:00-07:00\"]}}",
		  "move m_1 of 2026-03-09 10:00; free: 2026-03-10 08:00, 2026-03-10 08:30");
	phrase_is("{\"kind\": \"crossover.found\", \"other\": \"98-1\"}",
		  "this family is served by both agencies; their case 98-1");
	phrase_is("{\"kind\": \"clock.near\", \"about\": {\"left\": 6}}", "months of aid left: 6");
	phrase_is("{\"kind\": \"something.new\"}", "something.new");
	phrase_is("{\"id\": \"x\"}", "");
}

static void every_kind_has_a_phrase(void **state)
{
	(void)state;
	for (int kind = 0; kind < (int)lk_notice_kind_count; kind++) {
		struct lk_bytes notice = { 0 }, phrase = { 0 };

		lk_put_map(&notice, 1);
		lk_member_word(&notice, "kind", lk_notice_kind_word(kind));
		phrase_notice(lk_span_of(notice.at, notice.len), &phrase);
		if (phrase.len == strlen(lk_notice_kind_word(kind)))
			assert_memory_not_equal(phrase.at, lk_notice_kind_word(kind), phrase.len);
		lk_bytes_free(&notice);
		lk_bytes_free(&phrase);
	}
}

static void wrapped_is(unsigned width, const char *theirs, const char *expected)
{
	start(false);
	out.width = width;
	output_word(&out, "12");
	output_wrapped(&out, lk_text_of(theirs), 4);
	finish(expected);
}

static void lines_break_at_blanks_where_the_terminal_ends(void **state)
{
	static const char *const text = "one two  three fourfive six seven";

	(void)state;
	wrapped_is(0, text, "12one two  three fourfive six seven");
	wrapped_is(24, text, "12one two  three\n    fourfive six seven");
	wrapped_is(25, text, "12one two  three fourfive\n    six seven");
	wrapped_is(36, text, "12one two  three fourfive six seven");
	wrapped_is(23, text, "12one two  three fourfive six seven");
	wrapped_is(24, "a-word-that-is-longer-than-the-line it",
		   "12a-word-that-is-longer-than-the-line\n    it");
	wrapped_is(24, "", "12");
	wrapped_is(24, "\033[31m and then some more", "12\\x1b[31m and then some\n    more");
}

static void what_ends_a_piece_stays_on_its_line(void **state)
{
	(void)state;
	for (unsigned width = 24; width <= 26; width++) {
		start(false);
		out.width = width;
		output_wrapped(&out, LK_TEXT("it goes to a, and to b"), 4);
		output_wrapped(&out, LK_TEXT("; or not"), 4);
		finish(width < 26 ? "it goes to a, and to b;\n    or not"
				  : "it goes to a, and to b; or\n    not");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(control_characters_are_escaped),
		cmocka_unit_test(what_ends_a_piece_stays_on_its_line),
		cmocka_unit_test(what_turns_or_hides_a_line_is_escaped),
		cmocka_unit_test(letters_of_every_script_stay),
		cmocka_unit_test(bytes_that_are_no_characters_are_escaped),
		cmocka_unit_test(maps_are_aligned_and_lists_of_maps_are_tables),
		cmocka_unit_test(lists_and_instants_are_as_people_write_them),
		cmocka_unit_test(a_table_that_is_too_wide_is_pairs),
		cmocka_unit_test(lines_break_at_blanks_where_the_terminal_ends),
		cmocka_unit_test(json_is_one_line),
		cmocka_unit_test(phrases_say_what_is_there_and_no_more),
		cmocka_unit_test(every_kind_has_a_phrase),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
