/* test_scenario.c - what scenario.h promises: lines told apart, matching by subset, and checks that
 * look at what their own stimuli brought. */
#include "values.h"

#include "scenario.h"

static enum line_kind kind_of(const char *text)
{
	struct line line;

	line_read(text, strlen(text), &line);
	enum line_kind kind = line.kind;
	line_close(&line);
	return kind;
}

static void lines_are_told_apart(void **state)
{
	(void)state;
	assert_int_equal(kind_of(""), LINE_BLANK);
	assert_int_equal(kind_of(" \t"), LINE_BLANK);
	assert_int_equal(kind_of("{\"note\": \"so it begins\"}"), LINE_NOTE);
	assert_int_equal(kind_of("{\"expect\": {}}"), LINE_CHECK);
	assert_int_equal(kind_of("{\"never\": {}}"), LINE_CHECK);
	assert_int_equal(kind_of("{\"standing\": {\"match\": {}, \"n\": 0}}"), LINE_CHECK);
	assert_int_equal(kind_of("{\"clock\": \"2026-03-05T09:00:00-08:00\"}"), LINE_CLOCK);
	assert_int_equal(kind_of("{\"ack\": {\"to\": \"garcia\"}}"), LINE_ACK);
	assert_int_equal(kind_of("{\"specversion\": \"1.0\"}"), LINE_INPUT);
}

static void what_is_not_one_object_is_input_to_refuse(void **state)
{
	(void)state;
	assert_int_equal(kind_of("{\"clock\": "), LINE_INPUT);
	assert_int_equal(kind_of("[1, 2]"), LINE_INPUT);
	assert_int_equal(kind_of("{\"clock\": 1, \"clock\": 2}"), LINE_INPUT);
}

static void a_clock_line_may_name_silent_feeds(void **state)
{
	static const char text[] =
		"{\"clock\": \"2026-03-05T09:00:00-08:00\", \"silent\": [\"cws-cms\"]}";
	struct line line;

	(void)state;
	line_read(text, sizeof(text) - 1, &line);
	assert_int_equal(line.clock.offset_s, -8 * 3600);
	assert_true(line_names_silent(&line, "cws-cms"));
	assert_false(line_names_silent(&line, "cws"));
	line_close(&line);
	line_read("{\"clock\": \"noon\"}", 17, &line);
	assert_int_equal(line.clock.at, LK_NO_INSTANT);
	assert_false(line_names_silent(&line, "cws-cms"));
	line_close(&line);
}

/* ---- Checks ------------------------------------------------------------------------------------ */

struct telling {
	struct story *story;
	FILE *complaints;
};

static int begin(void **state)
{
	static struct telling t;

	t.complaints = tmpfile();
	t.story = t.complaints != NULL ? story_create("story", t.complaints) : NULL;
	*state = &t;
	return t.story == NULL;
}

static int end(void **state)
{
	struct telling *t = *state;

	story_destroy(t->story);
	return fclose(t->complaints);
}

static void tell(struct telling *t, const char *json)
{
	char text[600];

	(void)snprintf(text, sizeof(text), "%s", json);
	for (char *c = text; *c != '\0'; c++)
		*c = *c == '\'' ? '"' : *c;
	assert_int_equal(story_said(t->story, text, strlen(text)), 0);
}

/* Whether the check holds. */
static bool holds(struct telling *t, const char *json)
{
	char text[600];
	struct line line;
	int before = story_failed(t->story);

	(void)snprintf(text, sizeof(text), "%s", json);
	for (char *c = text; *c != '\0'; c++)
		*c = *c == '\'' ? '"' : *c;
	line_read(text, strlen(text), &line);
	assert_int_equal(line.kind, LINE_CHECK);
	story_check(t->story, &line, 99);
	line_close(&line);
	return story_failed(t->story) == before;
}

static void one_notice(struct telling *t)
{
	story_stimulus(t->story, 1);
	tell(t, "{'line':1,'id':'a','to':'garcia','kind':'crossover.found','state':'new',"
		"'about':{},'list':['x','y','y'],'contacts':[{'worker':'jones','role':'clerk'}]}");
}

static void matching_is_by_subset(void **state)
{
	struct telling *t = *state;

	one_notice(t);
	assert_true(holds(t, "{'expect':{'to':'garcia'}}"));
	assert_true(holds(t, "{'expect':{'to':'garcia','kind':'crossover.found'}}"));
	assert_false(holds(t, "{'expect':{'to':'jones'}}"));
	assert_true(holds(t, "{'never':{'to':'jones'}}"));
	assert_false(holds(t, "{'never':{'to':'garcia'}}"));
	assert_true(holds(t, "{'count':{'match':{'to':'garcia'},'n':1}}"));
	assert_false(holds(t, "{'count':{'match':{'to':'garcia'},'n':2}}"));
	assert_false(holds(t, "{'count':{'match':{'to':'garcia'}}}"));
}

static void null_is_absent_or_empty(void **state)
{
	struct telling *t = *state;

	one_notice(t);
	assert_true(holds(t, "{'expect':{'due':null,'about':null}}"));
	assert_false(holds(t, "{'expect':{'to':null}}"));
}

static void lists_match_in_any_order(void **state)
{
	struct telling *t = *state;

	one_notice(t);
	assert_true(holds(t, "{'expect':{'list':['y','x','y']}}"));
	assert_false(holds(t, "{'expect':{'list':['y','x','x']}}"));
	assert_false(holds(t, "{'expect':{'list':['x','y']}}"));
	assert_true(holds(t, "{'expect':{'contacts':[{'worker':'jones'}]}}"));
	assert_false(holds(t, "{'expect':{'contacts':[{'worker':'lopez'}]}}"));
}

/* All checks after one stimulus look at it; the stimulus after them begins anew. */
static void a_check_looks_at_its_own_stimuli(void **state)
{
	struct telling *t = *state;

	one_notice(t);
	assert_true(holds(t, "{'expect':{'to':'garcia'}}"));
	assert_true(holds(t, "{'expect':{'to':'garcia'}}"));
	story_stimulus(t->story, 5);
	assert_true(holds(t, "{'never':{'to':'garcia'}}"));
	assert_true(holds(t, "{'standing':{'match':{'to':'garcia'},'n':1}}"));
}

static void what_was_withdrawn_does_not_stand(void **state)
{
	struct telling *t = *state;

	one_notice(t);
	story_stimulus(t->story, 2);
	tell(t, "{'line':2,'id':'a','to':'garcia','kind':'crossover.found','state':'withdrawn'}");
	assert_true(holds(t, "{'standing':{'match':{'to':'garcia'},'n':0}}"));
}

static void refusals_are_no_notices(void **state)
{
	struct telling *t = *state;

	story_stimulus(t->story, 1);
	tell(t, "{'line':1,'refused':{'reason':'missing','field':'data.status'}}");
	assert_true(holds(t, "{'refused':{'reason':'missing'}}"));
	assert_false(holds(t, "{'refused':{'reason':'bad_type'}}"));
	assert_true(holds(t, "{'never':{}}"));
}

static void a_failure_says_what_came_near(void **state)
{
	struct telling *t = *state;
	char text[1000] = "";

	one_notice(t);
	assert_false(holds(t, "{'expect':{'to':'jones','kind':'crossover.found'}}"));
	rewind(t->complaints);
	assert_true(fread(text, 1, sizeof(text) - 1, t->complaints) > 0);
	assert_non_null(strstr(text, "story:99: expect"));
	assert_non_null(strstr(text, "near:"));
	assert_non_null(strstr(text, "garcia"));
}

static void note_match(void *context, const char *id, const char *worker)
{
	char *text = context;
	size_t len = strlen(text);

	(void)snprintf(text + len, 100 - len, "%s %s;", id, worker);
}

static void an_ack_finds_every_telling_that_matches(void **state)
{
	static const char text[] = "{\"ack\": {\"kind\": \"crossover.found\"}}";
	struct telling *t = *state;
	struct line line;
	char found[100] = "";

	one_notice(t);
	tell(t, "{'line':1,'id':'b','to':'jones','kind':'crossover.found','state':'new'}");
	tell(t, "{'line':1,'id':'c','to':'ito','kind':'consent.needed','state':'new'}");
	line_read(text, sizeof(text) - 1, &line);
	story_matching(t->story, &line, note_match, found);
	line_close(&line);
	assert_string_equal(found, "a garcia;b jones;");
}

#define TOLD(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_told_apart),
		cmocka_unit_test(what_is_not_one_object_is_input_to_refuse),
		cmocka_unit_test(a_clock_line_may_name_silent_feeds),
		TOLD(matching_is_by_subset),
		TOLD(null_is_absent_or_empty),
		TOLD(lists_match_in_any_order),
		TOLD(a_check_looks_at_its_own_stimuli),
		TOLD(what_was_withdrawn_does_not_stand),
		TOLD(refusals_are_no_notices),
		TOLD(a_failure_says_what_came_near),
		TOLD(an_ack_finds_every_telling_that_matches),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
