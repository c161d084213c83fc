/* scenario.c - the checks of a story: expect, never, count, refused, standing.
 *
 * In: output lines and checks, as JSON. Out: what failed, in words.
 * Promise: matching is by subset; null means absent or empty; lists match in any order - as the
 * stories' README says.
 */
#include "scenario.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* ---- Lines ----------------------------------------------------------------------------------- */

static const char *const check_words[] = { "expect", "never", "count", "standing", "refused" };
enum check { CHECK_EXPECT, CHECK_NEVER, CHECK_COUNT, CHECK_STANDING, CHECK_REFUSED, CHECKS };

static int check_of(const json_t *object)
{
	for (int i = 0; i < CHECKS; i++)
		if (json_object_get(object, check_words[i]) != NULL)
			return i;
	return -1;
}

static bool is_blank(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (strchr(" \t\r\n", text[i]) == NULL)
			return false;
	return true;
}

static enum line_kind kind_of(const json_t *object)
{
	if (!json_is_object(object))
		return LINE_INPUT;
	if (check_of(object) >= 0)
		return LINE_CHECK;
	if (json_object_get(object, "note") != NULL && json_object_size(object) == 1)
		return LINE_NOTE;
	if (json_object_get(object, "clock") != NULL)
		return LINE_CLOCK;
	return json_object_get(object, "ack") != NULL ? LINE_ACK : LINE_INPUT;
}

void line_read(const char *text, size_t len, struct line *out)
{
	*out = (struct line){ .kind = LINE_BLANK, .text = text, .len = len, .clock = LK_NO_TIME };
	if (is_blank(text, len))
		return;
	json_t *json = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	out->kind = kind_of(json);
	if (out->kind == LINE_CLOCK &&
	    lk_time_parse(lk_text_of(json_string_value(json_object_get(json, "clock"))),
			  &out->clock) < 0)
		out->clock = LK_NO_TIME;
	out->json = json;
}

void line_close(struct line *line)
{
	json_decref(line->json);
	line->json = NULL;
}

bool line_names_silent(const struct line *line, const char *source)
{
	size_t i;
	json_t *name;
	json_array_foreach (json_object_get(line->json, "silent"), i, name)
		if (json_is_string(name) && strcmp(json_string_value(name), source) == 0)
			return true;
	return false;
}

/* ---- Matching -------------------------------------------------------------------------------- */

static bool matches(const json_t *want, const json_t *got);

static bool is_nothing(const json_t *got)
{
	return got == NULL || json_is_null(got) ||
	       (json_is_array(got) && json_array_size(got) == 0) ||
	       (json_is_object(got) && json_object_size(got) == 0);
}

static bool matches_object(const json_t *want, const json_t *got)
{
	const char *key;
	json_t *value;
	if (!json_is_object(got))
		return false;
	json_object_foreach ((json_t *)(uintptr_t)want, key, value)
		if (!matches(value, json_object_get(got, key)))
			return false;
	return true;
}

static size_t matching_items(const json_t *item, const json_t *list)
{
	size_t i, n = 0;
	json_t *other;
	json_array_foreach (list, i, other)
		n += matches(item, other);
	return n;
}

/* Lists of objects: each wanted one is there. Other lists: the same members, as often, in any
 * order. */
static bool matches_list(const json_t *want, const json_t *got)
{
	size_t i;
	json_t *item;
	bool objects = false;
	if (!json_is_array(got))
		return false;
	json_array_foreach (want, i, item)
		objects |= json_is_object(item);
	if (!objects && json_array_size(want) != json_array_size(got))
		return false;
	json_array_foreach (want, i, item) {
		size_t there = matching_items(item, got);
		if (there == 0 || (!objects && there != matching_items(item, want)))
			return false;
	}
	return true;
}

static bool matches(const json_t *want, const json_t *got)
{
	if (json_is_null(want))
		return is_nothing(got);
	if (json_is_object(want))
		return matches_object(want, got);
	if (json_is_array(want))
		return matches_list(want, got);
	return got != NULL && json_equal((json_t *)(uintptr_t)want, (json_t *)(uintptr_t)got);
}

/* ---- The story ------------------------------------------------------------------------------- */

struct story {
	const char *name;
	FILE *complaints;
	json_t *said;   /* all output, in order */
	int from, upto; /* lines of the stimuli that the present group of checks looks at */
	bool in_checks;
	int checked, failed;
};

struct story *story_create(const char *name, FILE *complaints)
{
	struct story *s = calloc(1, sizeof(*s));
	if (s == NULL)
		return NULL;
	s->name = name;
	s->complaints = complaints;
	s->said = json_array();
	if (s->said != NULL)
		return s;
	free(s);
	return NULL;
}

void story_destroy(struct story *story)
{
	if (story == NULL)
		return;
	json_decref(story->said);
	free(story);
}

int story_said(struct story *story, const char *json, size_t len)
{
	return json_array_append_new(story->said, json_loadb(json, len, 0, NULL)) == 0 ? 0
										       : LK_EMEMORY;
}

void story_stimulus(struct story *story, int line)
{
	if (story->in_checks)
		story->from = story->upto;
	story->in_checks = false;
	story->upto = line;
}

int story_checked(const struct story *story)
{
	return story->checked;
}

int story_failed(const struct story *story)
{
	return story->failed;
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));
	return text != NULL ? text : "";
}

void story_end(const struct story *s)
{
	size_t i;
	json_t *said;
	json_array_foreach (s->said, i, said) {
		const json_t *why = json_object_get(said, "refused");
		if (why != NULL && json_object_get(said, "asked") == NULL)
			fprintf(s->complaints,
				"%s:%d: input that was refused (%s), and no check asks for it\n",
				s->name, (int)json_integer_value(json_object_get(said, "line")),
				text_of(why, "reason"));
	}
}

static bool is_standing(const struct story *s, size_t at)
{
	const json_t *notice = json_array_get(s->said, at);
	if (json_object_get(notice, "kind") == NULL ||
	    strcmp(text_of(notice, "state"), "withdrawn") == 0)
		return false;
	for (size_t i = at + 1; i < json_array_size(s->said); i++)
		if (strcmp(text_of(json_array_get(s->said, i), "id"), text_of(notice, "id")) == 0)
			return false;
	return true;
}

static bool in_window(const struct story *s, const json_t *said)
{
	json_int_t line = json_integer_value(json_object_get(said, "line"));
	return line > s->from && line <= s->upto;
}

static size_t count_matches(const struct story *s, enum check check, const json_t *want)
{
	size_t i, n = 0;
	json_t *said;
	json_array_foreach (s->said, i, said) {
		bool is_notice = json_object_get(said, "kind") != NULL;
		if (check == CHECK_STANDING)
			n += is_standing(s, i) && matches(want, said);
		else if (check == CHECK_REFUSED)
			n += in_window(s, said) && !is_notice &&
			     matches(want, json_object_get(said, "refused"));
		else
			n += in_window(s, said) && is_notice && matches(want, said);
	}
	return n;
}

/* What was refused in this window is what its story is about, where a check asks for it. */
static void note_asked(struct story *s, const json_t *want)
{
	size_t i;
	json_t *said;
	json_array_foreach (s->said, i, said)
		if (in_window(s, said) && matches(want, json_object_get(said, "refused")))
			json_object_set_new(said, "asked", json_true());
}

static void complain(struct story *s, int line, enum check check, const json_t *want, size_t n)
{
	size_t i, near = 0;
	json_t *said;
	char *text = json_dumps(want, JSON_COMPACT);
	fprintf(s->complaints, "%s:%d: %s %s: %zu found\n", s->name, line, check_words[check], text,
		n);
	free(text);
	json_array_foreach (s->said, i, said) {
		if (!in_window(s, said) ||
		    strcmp(text_of(said, "kind"), text_of(want, "kind")) != 0 || near++ == 3)
			continue;
		text = json_dumps(said, JSON_COMPACT);
		fprintf(s->complaints, "      near: %s\n", text);
		free(text);
	}
	s->failed++;
}

void story_check(struct story *story, const struct line *check, int line)
{
	int kind = check_of(check->json);
	const json_t *body = json_object_get(check->json, check_words[kind]);
	bool counted = kind == CHECK_COUNT || kind == CHECK_STANDING;
	const json_t *want = counted ? json_object_get(body, "match") : body;
	json_int_t wanted =
		counted ? json_integer_value(json_object_get(body, "n")) : kind != CHECK_NEVER;
	size_t n = count_matches(story, (enum check)kind, want);
	story->in_checks = true;
	story->checked++;
	if (kind == CHECK_REFUSED)
		note_asked(story, want);
	if (n != (size_t)wanted || (counted && !json_is_integer(json_object_get(body, "n"))))
		complain(story, line, (enum check)kind, want, n);
}

void story_matching(const struct story *story, const struct line *ack,
		    void (*visit)(void *context, const char *id, const char *worker), void *context)
{
	size_t i;
	json_t *said;
	const json_t *want = json_object_get(ack->json, "ack");
	json_array_foreach (story->said, i, said)
		if (json_object_get(said, "kind") != NULL && matches(want, said))
			visit(context, text_of(said, "id"), text_of(said, "to"));
}
