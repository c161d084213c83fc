/* test_message.c - what message.c promises: what is let through is whole, and only where it may
 * come. */
#include "values.h"

#define KEY "00112233445566778899aabbccddeeff"

static int decode_story(const char *story, unsigned takes, struct lk_bytes *bytes,
			struct lk_message *out, struct lk_error *err)
{
	const char *json = quoted(story);
	struct lk_refused why;

	assert_int_equal(lk_json_to_wire(json, strlen(json), bytes, &why), 0);
	return lk_message_decode(bytes->at, bytes->len, takes, out, err);
}

static void message_random(uint64_t seed, enum lk_message_type type, struct lk_message *message)
{
	random_begin(seed);
	memset(message, 0, sizeof(*message));
	message->type = type;
#define RANDOM_MESSAGE(enumerator, tag, word) \
	if (type == enumerator) { \
		struct lk_msg_##tag *object = &message->tag; \
		LK_FIELDS_##tag(ABSENT_MEMBER) LK_FIELDS_##tag(RANDOM_MEMBER) \
	}
	LK_MESSAGES(RANDOM_MESSAGE)
}

static void what_is_encoded_is_decoded(void **state)
{
	struct lk_message message, back;

	(void)state;
	for (uint64_t seed = 1; seed <= 50 * lk_message_type_count; seed++) {
		enum lk_message_type type = (enum lk_message_type)(seed % lk_message_type_count);
		struct lk_bytes first = { 0 }, second = { 0 };
		struct lk_error err = { .text = "" };

		message_random(seed, type, &message);
		lk_message_encode(&message, &first);
		if (lk_message_decode(first.at, first.len, LK_TAKES(type), &back, &err) != 0)
			fail_msg("seed %d: %s", (int)seed, err.text);
		assert_int_equal(back.type, type);
		lk_message_encode(&back, &second);
		assert_bytes(&first, &second);
		assert_int_equal(lk_message_decode(first.at, first.len, ~LK_TAKES(type), &back,
						   NULL),
				 LK_EWIRE);
		lk_bytes_free(&first);
		lk_bytes_free(&second);
	}
}

static void damaged_frames_are_a_message_or_refused(void **state)
{
	struct lk_message message, back;

	(void)state;
	for (uint64_t seed = 1; seed <= 50 * lk_message_type_count; seed++) {
		struct lk_bytes bytes = { 0 };

		message_random(seed, (enum lk_message_type)(seed % lk_message_type_count),
			       &message);
		lk_message_encode(&message, &bytes);
		for (int i = 0; i < 20; i++) {
			size_t at = random_next() % bytes.len, len = i % 4 == 0 ? at : bytes.len;
			uint8_t *copy = malloc(len > 0 ? len : 1);
			int result;

			assert_non_null(copy);
			memcpy(copy, bytes.at, len);
			if (at < len)
				copy[at] = (uint8_t)random_next();
			result = lk_message_decode(
				copy, len, UINT32_MAX >> (32 - lk_message_type_count), &back, NULL);
			assert_true(result == 0 || result == LK_EWIRE || result == LK_EREFUSED);
			free(copy);
		}
		lk_bytes_free(&bytes);
	}
}

static void a_name_means_what_the_listener_takes(void **state)
{
	struct lk_bytes bytes = { 0 };
	struct lk_message message;

	(void)state;
	assert_int_equal(decode_story("{'m':'hello','v':1,'source':'cws-cms','epoch':'" KEY
				      "','first':1,'last':0,"
				      "'acked':0}",
				      LK_INTAKE_TAKES, &bytes, &message, NULL),
			 0);
	assert_int_equal(message.type, LK_MSG_PUB_HELLO);
	assert_true(message.pub_hello.first == 1 &&
		    lk_text_says(message.pub_hello.source, "cws-cms"));
	assert_int_equal(lk_message_decode(bytes.at, bytes.len, LK_INBOX_TAKES, &message, NULL),
			 LK_EWIRE);
	lk_bytes_clear(&bytes);
	assert_int_equal(decode_story("{'m':'hello','v':1,'client':'desk','workers':[]}",
				      LK_INBOX_TAKES, &bytes, &message, NULL),
			 0);
	assert_int_equal(message.type, LK_MSG_SUB_HELLO);
	lk_bytes_clear(&bytes);
	assert_int_equal(decode_story("{'m':'ping'}", LK_INBOX_TAKES, &bytes, &message, NULL), 0);
	assert_true(message.ping.last == INT64_MIN);
	assert_int_equal(lk_message_decode(bytes.at, bytes.len, LK_CONTROL_TAKES, &message, NULL),
			 LK_EWIRE);
	lk_bytes_free(&bytes);
}

/* {"m": "event", "event": VALUE, "epoch": KEY, "seq": 7}, and what is told of it. */
static int decode_sealed(const char *hex, struct lk_bytes *bytes, struct lk_message *message)
{
	uint8_t value[64];

	lk_bytes_clear(bytes);
	lk_put_map(bytes, 4);
	lk_member_word(bytes, "m", "event");
	lk_put_word(bytes, "event");
	lk_put_raw(bytes, value, bytes_of_hex(lk_text_of(hex), value, sizeof(value)));
	lk_member_word(bytes, "epoch", KEY);
	lk_member_int(bytes, "seq", 7);
	return lk_message_decode(bytes->at, bytes->len, LK_INTAKE_TAKES, message, NULL);
}

/* Of each form that MessagePack has and we do not speak, one. */
static void an_event_is_handed_on_unjudged(void **state)
{
	static const char *const values[] = {
		"c40178",
		"c5000178",
		"c60000000178",
		"c7010578",
		"c800010578",
		"c9000000010578",
		"ca3f800000",
		"cb3ff8000000000000",
		"d40578",
		"d5057878",
		"d60578787878",
		"d7057878787878787878",
		"d80578787878787878787878787878787878",
		"cfffffffffffffffff",
		"82a16101a16102",
		"a1ff",
		"05",
		"8105cb3ff8000000000000",
	};
	static const char *const endless[] = { "c1", "81a161c1", "c6ffffffff", "ca", "c7ff05" };
	struct lk_bytes bytes = { 0 };
	struct lk_message message;

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
		assert_int_equal(decode_sealed(values[i], &bytes, &message), 0);
		assert_int_equal(message.event_sent.event.len, strlen(values[i]) / 2);
		assert_int_equal(message.event_sent.seq, 7);
	}
	for (size_t i = 0; i < sizeof(endless) / sizeof(*endless); i++)
		assert_int_equal(decode_sealed(endless[i], &bytes, &message), LK_EWIRE);
	assert_int_equal(decode_sealed("c0", &bytes, &message), 0);
	assert_null(message.event_sent.event.at);
	lk_bytes_free(&bytes);
}

static void what_makes_no_sense_is_refused_and_not_repeated(void **state)
{
	static const char *const wrong[] = {
		"{}",
		"{'m':1}",
		"{'m':'SECRET'}",
		"{'m':'nak'}",
		"{'m':'nak','epoch':'SECRET','want':1}",
		"{'m':'nak','epoch':'" KEY "','want':-1}",
		"{'m':'nak','epoch':'" KEY "','want':'1'}",
		"{'m':'nak','epoch':'" KEY "','want':null}",
		"{'m':'answer','session':'" KEY "','worker':'SECRET!','notice':'" KEY "'}",
		"{'m':'ack','epoch':'" KEY "','upto':1,'safe':0,'credit':1,'refused':{}}",
		"{'m':'event','epoch':'" KEY "','seq':1}",
		"{'m':'error','code':'SECRETSECRETSECRETSECRETSECRETSECRET'}",
		"{'m':'reply','id':1,'ok':1,'more':false}",
		"{'m':'ping','last':-5}",
		"{'m':'answered','worker':'w','notice':'" KEY "','by':'w','at':'SECRET'}",
	};
	struct lk_message message;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		struct lk_bytes bytes = { 0 };
		struct lk_error err = { 0 };

		if (decode_story(wrong[i], UINT32_MAX >> (32 - lk_message_type_count), &bytes,
				 &message, &err) != LK_EWIRE)
			fail_msg("%s", wrong[i]);
		assert_true(err.text[0] != '\0');
		assert_null(strstr(err.text, "SECRET"));
		lk_bytes_free(&bytes);
	}
}

static void a_message_begins_with_its_name(void **state)
{
	struct lk_message message = { .type = LK_MSG_ACK };
	struct lk_bytes wire = { 0 }, json = { 0 };

	(void)state;
	message.ack.epoch = LK_TEXT(KEY);
	message.ack.upto = 7;
	message.ack.safe = 5;
	message.ack.credit = 64;
	lk_message_encode(&message, &wire);
	assert_int_equal(lk_wire_to_json(wire.at, wire.len, &json), 0);
	lk_bytes_add(&json, "", 1);
	assert_string_equal((const char *)json.at,
			    quoted("{'m':'ack','epoch':'" KEY "','upto':7,'safe':5,"
				   "'credit':64,'refused':[]}"));
	lk_bytes_free(&wire);
	lk_bytes_free(&json);
}

static void items_of_lists_go_out_and_come_back(void **state)
{
	struct lk_msg_refused_item refused = { .seq = 9,
					       .reason = LK_TEXT("missing"),
					       .field = { (const uint8_t *)"\xa1x", 2 } };
	struct lk_msg_hello_worker hello = { .worker = LK_TEXT("garcia"), .last = 4 };
	struct lk_msg_welcome_worker welcome = { LK_TEXT("garcia"), LK_TEXT(KEY), 1, 5 };
	struct lk_msg_refused_item refused_back;
	struct lk_msg_hello_worker hello_back;
	struct lk_msg_welcome_worker welcome_back;
	struct lk_bytes b = { 0 };

	(void)state;
	lk_refused_item_encode(&refused, &b);
	assert_int_equal(lk_refused_item_decode(lk_span_of(b.at, b.len), &refused_back, NULL), 0);
	assert_true(refused_back.seq == 9 && lk_text_says(lk_as_text(refused_back.field), "x"));
	assert_null(refused_back.detail.at);
	lk_bytes_clear(&b);
	lk_hello_worker_encode(&hello, &b);
	assert_int_equal(lk_hello_worker_decode(lk_span_of(b.at, b.len), &hello_back, NULL), 0);
	assert_true(hello_back.last == 4 && hello_back.mailbox.at == NULL);
	lk_bytes_clear(&b);
	lk_welcome_worker_encode(&welcome, &b);
	assert_int_equal(lk_welcome_worker_decode(lk_span_of(b.at, b.len), &welcome_back, NULL), 0);
	assert_true(welcome_back.next == 5 && lk_text_says(welcome_back.mailbox, KEY));
	assert_int_equal(lk_welcome_worker_decode(lk_span_of("\x90", 1), &welcome_back, NULL),
			 LK_EWIRE);
	assert_int_equal(lk_hello_worker_decode(lk_span_of("\x80", 1), &hello_back, NULL),
			 LK_EWIRE);
	assert_int_equal(lk_refused_item_decode((struct lk_span){ NULL, 0 }, &refused_back, NULL),
			 LK_EWIRE);
	lk_bytes_free(&b);
}

static void a_nil_mailbox_reads_as_none(void **state)
{
	static const uint8_t item[] = "\x83\xa6worker\xa1w\xa7mailbox\xc0\xa4last\x00";
	struct lk_msg_hello_worker hello;

	(void)state;
	assert_int_equal(lk_hello_worker_decode(lk_span_of(item, sizeof(item) - 1), &hello, NULL),
			 0);
	assert_null(hello.mailbox.at);
}

static void a_mailbox_is_hex_digits_or_none(void **state)
{
	static const char *const wrong[] = { "", "0", KEY "0" };
	struct lk_msg_hello_worker item = { .worker = LK_TEXT("garcia") }, back;
	struct lk_bytes id = { 0 }, b = { 0 };

	(void)state;
	for (size_t i = 0; i <= sizeof(wrong) / sizeof(*wrong); i++) {
		bool is_right = i == sizeof(wrong) / sizeof(*wrong);

		lk_bytes_clear(&id);
		lk_bytes_clear(&b);
		lk_put_word(&id, is_right ? KEY : wrong[i]);
		item.mailbox = lk_span_of(id.at, id.len);
		lk_hello_worker_encode(&item, &b);
		assert_int_equal(lk_hello_worker_decode(lk_span_of(b.at, b.len), &back, NULL),
				 is_right ? 0 : LK_EWIRE);
	}
	lk_bytes_free(&id);
	lk_bytes_free(&b);
}

/* ---- The golden vectors ---------------------------------------------------------------------- */

static unsigned takes_of(struct lk_span line)
{
	static const struct {
		const char *lane, *to;
		unsigned takes;
	} listeners[] = {
		{ "feed", "daemon", LK_TAKES(LK_MSG_PING) },
		{ "intake", "daemon", LK_INTAKE_TAKES },
		{ "intake", "publisher", LK_PUBLISHER_TAKES },
		{ "inbox", "daemon", LK_INBOX_TAKES },
		{ "inbox", "worker", LK_WORKER_TAKES },
		{ "control", "daemon", LK_CONTROL_TAKES },
		{ "control", "asker", LK_ASKER_TAKES },
	};
	struct lk_text lane = lk_as_text(lk_get(line, "lane")), to = lk_as_text(lk_get(line, "to"));

	for (size_t i = 0; i < sizeof(listeners) / sizeof(*listeners); i++)
		if (lk_text_says(lane, listeners[i].lane) && lk_text_says(to, listeners[i].to))
			return listeners[i].takes;
	fail_msg("line %d: nobody listens there", vector_line);
	return 0;
}

/* What is taken is written again as it came, and is the JSON beside it. */
static void assert_both_ways(const struct lk_message *message, const void *bytes, size_t len,
			     struct lk_span json)
{
	struct lk_bytes again = { 0 }, canonical = { 0 };

	lk_message_encode(message, &again);
	assert_int_equal(again.len, len);
	assert_memory_equal(again.at, bytes, len);
	assert_int_equal(lk_wire_canonical(bytes, len, &canonical), 0);
	assert_int_equal(canonical.len, json.len);
	assert_memory_equal(canonical.at, json.at, json.len);
	lk_bytes_free(&again);
	lk_bytes_free(&canonical);
}

static void vector_check(struct lk_span line)
{
	static uint8_t bytes[LK_EVENT_MAX];
	size_t len = bytes_of_hex(lk_as_text(lk_get(line, "msgpack")), bytes, sizeof(bytes));
	bool refused = lk_get(line, "refused").at != NULL;
	struct lk_message message;
	struct lk_error err = { .text = "" };
	int result = lk_message_decode(bytes, len, takes_of(line), &message, &err);

	if (result != (refused ? LK_EWIRE : 0))
		fail_msg("line %d: %d %s", vector_line, result, err.text);
	if (!refused && lk_get(line, "json").at != NULL)
		assert_both_ways(&message, bytes, len, lk_get(line, "json"));
}

static void golden_vectors_hold(void **state)
{
	(void)state;
	vectors_each("messages", 60, vector_check);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(golden_vectors_hold),
		cmocka_unit_test(what_is_encoded_is_decoded),
		cmocka_unit_test(damaged_frames_are_a_message_or_refused),
		cmocka_unit_test(a_name_means_what_the_listener_takes),
		cmocka_unit_test(an_event_is_handed_on_unjudged),
		cmocka_unit_test(what_makes_no_sense_is_refused_and_not_repeated),
		cmocka_unit_test(a_message_begins_with_its_name),
		cmocka_unit_test(items_of_lists_go_out_and_come_back),
		cmocka_unit_test(a_nil_mailbox_reads_as_none),
		cmocka_unit_test(a_mailbox_is_hex_digits_or_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
