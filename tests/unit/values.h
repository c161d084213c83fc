/* values.h - what several unit tests of the library need: cmocka, seeded randomness, bytes from
 * hex, and a random value for every kind of member that the lists in the public headers know.
 *
 * A list of members becomes a struct full of random values by RANDOM_MEMBER; a kind that has no
 * line here does not compile, so that no new kind escapes the tests.
 */
#ifndef LINKAGES_TESTS_VALUES_H
#define LINKAGES_TESTS_VALUES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <linkages/message.h>

/* splitmix64: small, and the same everywhere. */
static uint64_t random_state;

static inline uint64_t random_next(void)
{
	uint64_t z = (random_state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static inline int64_t random_from(int64_t min, int64_t max)
{
	return min + (int64_t)(random_next() % ((uint64_t)(max - min) + 1));
}

/* Texts live until random_begin(): values borrow them, as decoded ones borrow from their bytes. */
static char random_store[1 << 18];
static size_t random_used;

static inline bool random_coin(void)
{
	return random_next() % 2 == 0;
}

static inline void random_begin(uint64_t seed)
{
	random_state = seed;
	random_used = 0;
}

static inline struct lk_text random_of(const char *const *characters, size_t n, int64_t length)
{
	struct lk_text text = { random_store + random_used, 0 };

	assert_true(random_used + (size_t)length * 4 < sizeof(random_store));
	for (int64_t i = 0; i < length; i++) {
		const char *character = characters[random_next() % n];
		size_t size = strlen(character);

		memcpy(random_store + random_used, character, size);
		random_used += size;
		text.len += (uint32_t)size;
	}
	return text;
}

/* One to four bytes a character, and what JSON must escape. */
static inline struct lk_text random_text(int64_t max)
{
	static const char *const characters[] = { "a",    "Z", " ",  "\"", "\\",     "\n", "{",
						  "\x1b", "/", "é", "日", "\u2028", "🙂" };

	return random_of(characters, sizeof(characters) / sizeof(*characters), random_from(1, max));
}

static inline struct lk_text random_token(int64_t max)
{
	static const char *const characters[] = { "a", "z", "A", "Z", "0", "9", "-" };

	return random_of(characters, sizeof(characters) / sizeof(*characters), random_from(1, max));
}

static inline struct lk_text random_key(void)
{
	static const char *const digits[] = { "0", "1", "7", "9", "a", "f" };

	return random_of(digits, 6, 32);
}

static inline lk_date random_date(void)
{
	return (lk_date)random_from(lk_date_of(1990, 1, 1), lk_date_of(2100, 12, 31));
}

static inline struct lk_time random_time(void)
{
	int64_t fraction = random_coin() ? 0 : random_from(0, LK_SECOND - 1);
	int64_t at = random_from(lk_date_of(1990, 1, 3), lk_date_of(2100, 12, 29)) * 24 * LK_HOUR;
	int32_t offset_s = (int32_t)random_from(-95, 95) * 900;

	return (struct lk_time){ at + random_from(0, 86399) * LK_SECOND + fraction, offset_s };
}

static inline struct lk_workers random_workers(void)
{
	struct lk_workers workers = { .n = (uint32_t)random_from(1, LK_WORKERS_MAX) };

	for (uint32_t i = 0; i < workers.n; i++)
		workers.at[i] = random_token(64);
	return workers;
}

static inline struct lk_members random_members(void)
{
	struct lk_members members = { .n = (uint32_t)random_from(1, LK_MEMBERS_MAX) };

	for (uint32_t i = 0; i < members.n; i++) {
		members.at[i].person = random_text(64);
		members.at[i].role = (int)random_from(LK_NO_CODE, lk_member_role_count - 1);
		for (int kind = 0; kind < lk_key_kind_count; kind++)
			members.at[i].key[kind] = random_coin() ? LK_NO_TEXT : random_key();
	}
	return members;
}

static inline struct lk_other random_other(void)
{
	return (struct lk_other){ (int)random_from(0, lk_agency_count - 1), random_token(32) };
}

static inline struct lk_proposals random_proposals(void)
{
	struct lk_proposals proposals = { .n = (uint32_t)random_from(1, LK_PROPOSALS_MAX) };

	for (uint32_t i = 0; i < proposals.n; i++)
		proposals.at[i] = random_time();
	return proposals;
}

/* One encoded value of the caller's choosing, for members that hold any. */
static inline struct lk_span random_raw(void)
{
	static const char *const values[] = { "\x01", "\xa1x", "\x81\xa1k\x90", "\xc3",
					      "\x92\x01\xa0" };
	const char *value = values[random_next() % 5];

	return lk_span_of(value, strlen(value));
}

static inline struct lk_span random_list(void)
{
	static const uint8_t two[] = { 0x92, 0x80, 0xc2 }, none[] = { 0x90 };

	return random_coin() ? lk_span_of(two, sizeof(two)) : lk_span_of(none, sizeof(none));
}

/* Of the agency that the test's sources belong to: the status and the role must fit. */
static enum lk_agency random_agency;

static inline int random_status(void)
{
	if (random_agency == LK_CWS)
		return (int)random_from(0, LK_APPLIED - 1);
	return (int)random_from(LK_APPLIED, lk_status_count - 1);
}

static inline int random_role(void)
{
	int role = 0;

	do
		role = (int)random_from(0, lk_role_count - 1);
	while (!lk_role_fits((enum lk_role)role, random_agency));
	return role;
}

#define RANDOM_TEXT(max) random_text(max)
#define RANDOM_WORD(max) random_text(max)
#define RANDOM_WORKER random_token(64)
#define RANDOM_CODE(tag) (int)random_from(0, lk_##tag##_count - 1)
#define RANDOM_STATUS random_status()
#define RANDOM_ROLE random_role()
#define RANDOM_DATE random_date()
#define RANDOM_TIME random_time()
#define RANDOM_NOTE(max) random_text(max)
#define RANDOM_TIMETEXT random_time()
#define RANDOM_BOOL (int)random_from(0, 1)
#define RANDOM_INT(min, max) random_from(min, max)
#define RANDOM_TOPICSET (unsigned)random_from(1, (1 << lk_topic_count) - 1)
#define RANDOM_WORKERS random_workers()
#define RANDOM_MEMBERS random_members()
#define RANDOM_OTHER random_other()
#define RANDOM_REASONS (unsigned)random_from(1, (1 << lk_meeting_reason_count) - 1)
#define RANDOM_PROPOSALS random_proposals()
#define RANDOM_NUMBER random_from(0, (INT64_C(1) << 53) - 1)
#define RANDOM_KEY random_key()
#define RANDOM_RAW random_raw()
#define RANDOM_LIST random_list()

/* `object` is a pointer to a struct whose members were cleared; what need not be there is there
 * half of the time. */
#define RANDOM_IS_REQUIRED true
#define RANDOM_IS_OPTIONAL random_coin()
#define RANDOM_IS_NULLABLE random_coin()
#define RANDOM_MEMBER(name, word, kind, presence) \
	if (RANDOM_IS_##presence) \
		object->name = RANDOM_##kind;

/* The value that stands for 'absent', for every kind. */
#define ABSENT_TEXT(max) LK_NO_TEXT
#define ABSENT_NOTE(max) LK_NO_TEXT
#define ABSENT_WORD(max) LK_NO_TEXT
#define ABSENT_WORKER LK_NO_TEXT
#define ABSENT_CODE(tag) LK_NO_CODE
#define ABSENT_STATUS LK_NO_CODE
#define ABSENT_ROLE LK_NO_CODE
#define ABSENT_DATE LK_NO_DATE
#define ABSENT_TIME LK_NO_TIME
#define ABSENT_TIMETEXT LK_NO_TIME
#define ABSENT_BOOL -1
#define ABSENT_INT(min, max) INT64_MIN
#define ABSENT_TOPICSET 0
#define ABSENT_WORKERS ((struct lk_workers){ 0 })
#define ABSENT_MEMBERS ((struct lk_members){ 0 })
#define ABSENT_OTHER ((struct lk_other){ 0 })
#define ABSENT_REASONS 0
#define ABSENT_PROPOSALS ((struct lk_proposals){ 0 })
#define ABSENT_NUMBER INT64_MIN
#define ABSENT_KEY LK_NO_TEXT
#define ABSENT_RAW ((struct lk_span){ NULL, 0 })
#define ABSENT_LIST ((struct lk_span){ NULL, 0 })
#define ABSENT_MEMBER(name, word, kind, presence) object->name = ABSENT_##kind;

static inline size_t bytes_of_hex(struct lk_text hex, uint8_t *out, size_t room)
{
	assert_true(hex.len % 2 == 0 && hex.len / 2 <= room);
	for (uint32_t i = 0; i < hex.len; i += 2) {
		char pair[3] = { hex.at[i], hex.at[i + 1], '\0' };

		out[i / 2] = (uint8_t)strtoul(pair, NULL, 16);
	}
	return hex.len / 2;
}

/* The golden vectors of schemas/vectors/NAME.ndjson, a line at a time, as canonical MessagePack; at least so many. The
 * number of the line is for complaints. */
static int vector_line;

static inline void vectors_each(const char *name, int least, void (*check)(struct lk_span line))
{
	static char line[LK_EVENT_MAX];
	char path[256];
	FILE *file;

	snprintf(path, sizeof(path), "%s/schemas/vectors/%s.ndjson", TEST_ROOT, name);
	file = fopen(path, "r");
	assert_non_null(file);
	for (vector_line = 1; fgets(line, sizeof(line), file) != NULL; vector_line++) {
		struct lk_bytes bytes = { 0 };
		struct lk_refused why;

		assert_int_equal(lk_json_to_wire(line, strlen(line), &bytes, &why), 0);
		check(lk_span_of(bytes.at, bytes.len));
		lk_bytes_free(&bytes);
	}
	fclose(file);
	assert_true(vector_line > least);
}

/* Stories in tests are written with ' for ", so that they can be read. Good until the next. */
static inline const char *quoted(const char *story)
{
	static char json[4096];
	size_t len = strlen(story);

	assert_true(len < sizeof(json));
	for (size_t i = 0; i <= len; i++)
		json[i] = story[i] == '\'' ? '"' : story[i];
	return json;
}

static inline void assert_bytes(const struct lk_bytes *a, const struct lk_bytes *b)
{
	assert_false(a->failed || b->failed);
	assert_int_equal(a->len, b->len);
	assert_memory_equal(a->at, b->at, a->len);
}

/* The sources that every test of the library knows. */
static inline int agency_known(void *context, struct lk_text source)
{
	(void)context;
	if (lk_text_says(source, "cws-cms"))
		return LK_CWS;
	return lk_text_says(source, "calsaws") ? LK_CALWORKS : -1;
}

#endif
