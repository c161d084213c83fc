/* test_event.c - what event.c promises: the golden vectors, and properties over random events of
 * every type. */
#include "values.h"

/* ---- The golden vectors ---------------------------------------------------------------------- */

static void assert_refused(struct lk_span expected, const struct lk_refused *why)
{
	struct lk_text reason = lk_as_text(lk_get(expected, "reason"));
	struct lk_text field = lk_as_text(lk_get(expected, "field"));

	if (!lk_text_says(reason, lk_refusal_word((int)why->reason)) ||
	    !lk_text_says(field, why->field))
		fail_msg("line %d: refused %s '%s' (%s)", vector_line,
			 lk_refusal_word((int)why->reason), why->field, why->detail);
	assert_true(why->detail[0] != '\0');
}

static void decode_vector(const void *bytes, size_t len, struct lk_span refused)
{
	struct lk_event event;
	struct lk_refused why = { 0 };
	int result = lk_event_decode(bytes, len, agency_known, NULL, &event, &why);

	if (refused.at != NULL) {
		assert_int_equal(result, LK_EREFUSED);
		assert_refused(refused, &why);
	} else if (result != 0) {
		fail_msg("line %d: %s '%s'", vector_line, lk_refusal_word((int)why.reason),
			 why.field);
	}
}

static void assert_digest(const void *bytes, size_t len, struct lk_text expected)
{
	uint8_t digest[LK_DIGEST];
	char hex[LK_DIGEST_HEX];

	assert_int_equal(lk_wire_digest(bytes, len, digest), 0);
	lk_digest_hex(digest, hex);
	assert_true(lk_text_says(expected, hex));
}

static void text_vector(struct lk_text text, struct lk_span refused)
{
	struct lk_bytes bytes = { 0 };
	struct lk_refused why = { 0 };

	assert_int_equal(lk_json_to_wire(text.at, text.len, &bytes, &why), LK_EREFUSED);
	assert_refused(refused, &why);
	assert_int_equal(bytes.len, 0);
	lk_bytes_free(&bytes);
}

/* One line: JSON and bytes must be each other, and both be taken or refused alike. */
static void vector_check(struct lk_span line)
{
	struct lk_span json = lk_get(line, "json"), packed = lk_get(line, "msgpack"),
		       refused = lk_get(line, "refused");
	struct lk_span text = lk_get(line, "text");
	static uint8_t bytes[LK_EVENT_MAX];
	size_t len;

	if (text.at != NULL)
		text_vector(lk_as_text(text), refused);
	if (packed.at == NULL)
		return;
	len = bytes_of_hex(lk_as_text(packed), bytes, sizeof(bytes));
	if (json.at != NULL) {
		/* The line was made canonical as a whole, and so was this part of it. */
		assert_int_equal(json.len, len);
		assert_memory_equal(json.at, bytes, len);
	}
	decode_vector(bytes, len, refused);
	if (refused.at == NULL)
		assert_digest(bytes, len, lk_as_text(lk_get(line, "digest")));
}

static void golden_vectors_hold(void **state)
{
	(void)state;
	vectors_each("events", 200, vector_check);
}

/* ---- Random events --------------------------------------------------------------------------- */

static void data_clear(struct lk_event *event)
{
#define CLEAR_DATA(enumerator, tag, word) \
	if (event->type == enumerator) { \
		struct lk_##tag *object = &event->tag; \
		object->end_ = 0; \
		LK_FIELDS_##tag(ABSENT_MEMBER) \
	}
	LK_EVENT_TYPES(CLEAR_DATA)
}

static void data_random(struct lk_event *event)
{
#define RANDOM_DATA(enumerator, tag, word) \
	if (event->type == enumerator) { \
		struct lk_##tag *object = &event->tag; \
		object->end_ = 0; \
		LK_FIELDS_##tag(RANDOM_MEMBER) \
	}
	LK_EVENT_TYPES(RANDOM_DATA)
	if (event->type == LK_MEETING_SCHEDULED)
		event->meeting_scheduled.end.at = event->meeting_scheduled.start.at + LK_HOUR;
	/* More values than an event may have, if all of them were there. */
	if (event->type == LK_CASE_OPENED && event->case_opened.members.n > 60)
		event->case_opened.members.n = 60;
}

static void event_random(uint64_t seed, enum lk_event_type type, struct lk_event *event)
{
	random_begin(seed);
	memset(event, 0, sizeof(*event));
	random_agency = (enum lk_agency)random_from(0, 1);
	event->type = type;
	event->agency = random_agency;
	event->source = random_agency == LK_CWS ? LK_TEXT("cws-cms") : LK_TEXT("calsaws");
	event->id = random_token(64);
	event->subject = random_token(32);
	event->time = random_time();
	event->has_sequence = random_next() % 2 == 0;
	event->sequence =
		event->has_sequence ? random_from(-(INT64_C(1) << 53), INT64_C(1) << 53) : 0;
	event->supersedes = type == LK_EVENT_RETRACTED || random_next() % 4 == 0 ? random_token(64)
										 : LK_NO_TEXT;
	data_clear(event);
	data_random(event);
}

#define ROUNDS 40
#define EVERY_RANDOM_EVENT(event, seed) \
	for (uint64_t seed = 1; seed <= ROUNDS * lk_event_type_count; seed++) \
		if (event_random(seed, (enum lk_event_type)(seed % lk_event_type_count), &event), \
		    true)

static void what_is_encoded_is_decoded(void **state)
{
	static struct lk_event event, back;

	(void)state;
	EVERY_RANDOM_EVENT(event, seed)
	{
		struct lk_bytes first = { 0 }, second = { 0 }, canonical = { 0 };
		struct lk_refused why = { 0 };

		lk_event_encode(&event, &first);
		memset(&back, 0xa5, sizeof(back)); /* nothing of an event before may stay */
		if (lk_event_decode(first.at, first.len, agency_known, NULL, &back, &why) != 0)
			fail_msg("seed %d: %s '%s' %s", (int)seed, lk_refusal_word((int)why.reason),
				 why.field, why.detail);
		lk_event_encode(&back, &second);
		assert_bytes(&first, &second);
		assert_int_equal(lk_wire_canonical(first.at, first.len, &canonical), 0);
		assert_bytes(&first, &canonical);
		assert_int_equal(back.type, event.type);
		assert_int_equal(back.agency, event.agency);
		assert_true(back.time.at == event.time.at && back.sequence == event.sequence);
		lk_bytes_free(&first);
		lk_bytes_free(&second);
		lk_bytes_free(&canonical);
	}
}

static void json_and_bytes_are_each_other(void **state)
{
	static struct lk_event event;

	(void)state;
	EVERY_RANDOM_EVENT(event, seed)
	{
		struct lk_bytes bytes = { 0 }, json = { 0 }, back = { 0 };
		struct lk_refused why;

		lk_event_encode(&event, &bytes);
		assert_int_equal(lk_wire_to_json(bytes.at, bytes.len, &json), 0);
		assert_null(memchr(json.at, '\n', json.len));
		assert_null(memchr(json.at, '\x1b', json.len));
		assert_int_equal(lk_json_to_wire((const char *)json.at, json.len, &back, &why), 0);
		assert_bytes(&bytes, &back);
		lk_bytes_free(&bytes);
		lk_bytes_free(&json);
		lk_bytes_free(&back);
	}
}

/* Whatever is done to the bytes: an event, or a refusal by a known name with a sentence; nothing
 * else. */
static void damaged_bytes_are_an_event_or_a_refusal(void **state)
{
	static struct lk_event event, back;

	(void)state;
	EVERY_RANDOM_EVENT(event, seed)
	{
		struct lk_bytes bytes = { 0 };

		lk_event_encode(&event, &bytes);
		for (int i = 0; i < 20; i++) {
			size_t at = random_next() % bytes.len,
			       len = random_next() % 4 == 0 ? at : bytes.len;
			uint8_t before = bytes.at[at];
			struct lk_refused why = { .reason = (enum lk_refusal)99 };
			uint8_t *copy = malloc(len > 0 ? len : 1);
			int result;

			assert_non_null(copy);
			bytes.at[at] = (uint8_t)random_next();
			memcpy(copy, bytes.at, len);
			result = lk_event_decode(copy, len, agency_known, NULL, &back, &why);
			assert_true(result == 0 || result == LK_EREFUSED);
			if (result == LK_EREFUSED)
				assert_non_null(lk_refusal_word((int)why.reason));
			bytes.at[at] = before;
			free(copy);
		}
		lk_bytes_free(&bytes);
	}
}

/* ---- Particular promises --------------------------------------------------------------------- */

static void decode_story(const char *story, struct lk_bytes *bytes, struct lk_event *event)
{
	const char *json = quoted(story);
	struct lk_refused why;

	assert_int_equal(lk_json_to_wire(json, strlen(json), bytes, &why), 0);
	assert_int_equal(lk_event_decode(bytes->at, bytes->len, agency_known, NULL, event, &why),
			 0);
}

#define ENVELOPE(type) \
	"'specversion':'1.0','id':'e','source':'calsaws','subject':'1'," \
	"'time':'2026-03-02T09:00:00-08:00','type':'" type "'"

static void what_was_not_said_is_absent(void **state)
{
	struct lk_bytes bytes = { 0 };
	static struct lk_event event;

	(void)state;
	decode_story("{" ENVELOPE("case.opened") ",'data':{'status':'active','county':null}}",
		     &bytes, &event);
	assert_int_equal(event.case_opened.status, LK_ACTIVE);
	assert_int_equal(event.case_opened.limited_access, -1);
	assert_int_equal(event.case_opened.members.n, 0);
	assert_false(lk_text_given(event.case_opened.county));
	assert_false(lk_text_given(event.supersedes));
	assert_false(event.has_sequence);
	lk_bytes_clear(&bytes);
	decode_story("{" ENVELOPE("case.closing") ",'data':{'date':null}}", &bytes, &event);
	assert_int_equal(event.case_closing.date, LK_NO_DATE);
	lk_bytes_clear(&bytes);
	decode_story(
		"{" ENVELOPE(
			"clock.reported") ",'sequence':'0042','data':{'clock':'tanf60','used':0}}",
		&bytes, &event);
	assert_true(event.clock_reported.used == 0);
	assert_true(event.has_sequence && event.sequence == 42);
	lk_bytes_free(&bytes);
}

static void lists_are_kept_in_their_order(void **state)
{
	struct lk_bytes bytes = { 0 };
	static struct lk_event event;

	(void)state;
	decode_story(
		"{" ENVELOPE(
			"consent.signed") ",'data':{'consent':'c','topics':['meeting','status']}}",
		&bytes, &event);
	assert_int_equal(event.consent_signed.topics,
			 1u << LK_TOPIC_MEETING | 1u << LK_TOPIC_STATUS);
	lk_bytes_clear(&bytes);
	decode_story(
		"{" ENVELOPE("case.opened") ",'data':{'status':'active','members':[{'person':'b'},"
					    "{'person':'a','role':'child','keys':{'ssn':"
					    "'00112233445566778899aabbccddeeff'}}]}}",
		&bytes, &event);
	assert_int_equal(event.case_opened.members.n, 2);
	assert_true(lk_text_says(event.case_opened.members.at[0].person, "b"));
	assert_int_equal(event.case_opened.members.at[0].role, LK_NO_CODE);
	assert_false(lk_text_given(event.case_opened.members.at[0].key[LK_SSN]));
	assert_int_equal(event.case_opened.members.at[1].role, LK_CHILD);
	assert_int_equal(event.case_opened.members.at[1].key[LK_SSN].len, 32);
	assert_false(lk_text_given(event.case_opened.members.at[1].key[LK_CIN]));
	lk_bytes_free(&bytes);
}

static void an_event_has_at_most_64_kib(void **state)
{
	static struct lk_event event;
	struct lk_bytes bytes = { 0 };
	struct lk_refused why;
	static char filler[LK_EVENT_MAX];

	(void)state;
	memset(filler, 'x', sizeof(filler));
	lk_put_map(&bytes, 1);
	lk_member_text(&bytes, "x", (struct lk_text){ filler, LK_EVENT_MAX - 1 - 2 - 5 });
	assert_int_equal(bytes.len, LK_EVENT_MAX - 2);
	assert_int_equal(lk_event_decode(bytes.at, bytes.len, agency_known, NULL, &event, &why),
			 LK_EREFUSED);
	assert_int_equal(why.reason, LK_MISSING);
	lk_bytes_add(&bytes, "123", 3);
	assert_int_equal(lk_event_decode(bytes.at, bytes.len, agency_known, NULL, &event, &why),
			 LK_EREFUSED);
	assert_int_equal(why.reason, LK_TOO_LARGE);
	assert_string_equal(why.field, "");
	lk_bytes_free(&bytes);
}

static void lack_of_memory_is_told_not_met(void **state)
{
	static struct lk_event event;
	struct lk_bytes bytes = { .failed = true };

	(void)state;
	event_random(5, LK_CASE_STATUS, &event);
	lk_event_encode(&event, &bytes);
	assert_true(bytes.failed);
	assert_int_equal(bytes.len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(golden_vectors_hold),
		cmocka_unit_test(what_is_encoded_is_decoded),
		cmocka_unit_test(json_and_bytes_are_each_other),
		cmocka_unit_test(damaged_bytes_are_an_event_or_a_refusal),
		cmocka_unit_test(what_was_not_said_is_absent),
		cmocka_unit_test(lists_are_kept_in_their_order),
		cmocka_unit_test(an_event_has_at_most_64_kib),
		cmocka_unit_test(lack_of_memory_is_told_not_met),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
