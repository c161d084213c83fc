/* place.h - a store in memory or in a folder of its own, and things to keep in it: for tests of the store.
 *
 * A test gets a `struct place` as its state; MEMORY() and FILES() say where the store is. Its files can be read and
 * changed behind its back with ask() and meddle().
 */
#ifndef LINKAGES_TESTS_PLACE_H
#define LINKAGES_TESTS_PLACE_H

#include "folder.h"
#include "good.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/policy.h"
#include "store/notice_table.h"
#include "store/store.h"

#define REFUSED(call, fault, words) \
	do { \
		assert_int_equal((call), (fault)); \
		assert_non_null(strstr(err.text, (words))); \
	} while (0)

/* ---- A place to be --------------------------------------------------------------------------- */
struct place {
	char directory[FOLDER_MAX];
	struct store *store;
	int lag;
};

static inline char *path_in(const struct place *place, const char *name)
{
	static char path[4][400];
	static unsigned turn;
	char *at = path[turn++ % 4];

	(void)snprintf(at, sizeof(path[0]), "%s/%s", place->directory, name);
	return at;
}

static inline int place_open(struct place *place)
{
	struct store_options options = { .directory = place->directory, .lag = place->lag };

	memset(&err, 0, sizeof(err));
	return store_open(&options, &place->store, &err);
}

static inline void place_close(struct place *place)
{
	store_close(place->store);
	place->store = NULL;
}

static inline void file_copy(const struct place *place, const char *from, const char *to)
{
	FILE *in = fopen(path_in(place, from), "rb"), *out = fopen(path_in(place, to), "wb");
	char bytes[4096];
	size_t n;

	assert_true(in != NULL && out != NULL);
	while ((n = fread(bytes, 1, sizeof(bytes), in)) > 0)
		assert_int_equal(fwrite(bytes, 1, n, out), n);
	assert_int_equal(fclose(in), 0);
	assert_int_equal(fclose(out), 0);
}

static inline int in_directory(void **state)
{
	struct place *place = calloc(1, sizeof(*place));

	folder_make(place->directory, "store");
	GOOD(place_open(place));
	*state = place;
	return 0;
}

static inline int in_memory(void **state)
{
	struct place *place = calloc(1, sizeof(*place));
	struct store_options options = { .directory = NULL };

	GOOD(store_open(&options, &place->store, &err));
	*state = place;
	return 0;
}

static inline int leave(void **state)
{
	struct place *place = *state;

	store_close(place->store);
	if (place->directory[0] != '\0')
		folder_remove(place->directory);
	free(place);
	return 0;
}

/* The files from outside, once the store has let go of them. */
static inline void meddle(const struct place *place, const char *name, const char *sql)
{
	sqlite3 *db;
	char *why = NULL;

	assert_int_equal(sqlite3_open_v2(path_in(place, name), &db, SQLITE_OPEN_READWRITE, NULL),
			 SQLITE_OK);
	assert_int_equal(notice_table_declare(db), SQLITE_OK);
	if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK)
		fail_msg("%s: %s", sql, why);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static inline int64_t ask(const struct place *place, const char *name, const char *sql)
{
	sqlite3 *db;
	sqlite3_stmt *statement;
	int64_t answer = INT64_MIN;

	assert_int_equal(sqlite3_open_v2(path_in(place, name), &db, SQLITE_OPEN_READONLY, NULL),
			 SQLITE_OK);
	assert_int_equal(notice_table_declare(db), SQLITE_OK);
	if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(db));
	if (sqlite3_step(statement) == SQLITE_ROW)
		answer = sqlite3_column_int64(statement, 0);
	(void)sqlite3_finalize(statement);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	return answer;
}

static inline char *file_read(const char *path)
{
	FILE *file = fopen(path, "rb");
	char *text = calloc(1, 1 << 17);

	assert_non_null(file);
	assert_non_null(text);
	assert_true(fread(text, 1, (1 << 17) - 1, file) < (1 << 17) - 1);
	(void)fclose(file);
	return text;
}

static inline void file_write(const char *path, const char *text)
{
	FILE *file = fopen(path, "wb");

	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
	assert_int_equal(fclose(file), 0);
}

#define MEMORY(test) cmocka_unit_test_setup_teardown(test, in_memory, leave)
#define FILES(test) cmocka_unit_test_setup_teardown(test, in_directory, leave)

/* ---- Things to keep -------------------------------------------------------------------------- */
#define CWS_CASE ((struct case_key){ LK_CWS, LK_TEXT("C-100") })
#define AID_CASE ((struct case_key){ LK_CALWORKS, LK_TEXT("W-200") })
#define SOURCE LK_TEXT("cws-cms")

static const uint8_t epoch[LK_DIGEST] = { 0xe0, 1, 2, 3 };
static const uint8_t other_epoch[LK_DIGEST] = { 0xe1 };
static const uint8_t policy_a[LK_DIGEST] = { 0xa }, policy_b[LK_DIGEST] = { 0xb };
static const uint8_t family_a[LK_DIGEST] = { 0xfa, 1 }, family_b[LK_DIGEST] = { 0xfb, 2 };
static const uint8_t notice_a[LK_DIGEST] = { 0x4a };

static inline struct stored_event an_event(const char *id)
{
	struct stored_event e = {
		.agency = LK_CWS,
		.source = SOURCE,
		.id = lk_text_of(id),
		.number = CWS_CASE.number,
		.type = LK_CASE_STATUS,
		.time_at = 1000,
		.received_at = 2000,
		.body = id,
		.body_len = strlen(id),
	};

	return e;
}

static inline int64_t add_event(struct store *s, const struct stored_event *event)
{
	int64_t position = 0;

	assert_int_equal(store_event_add(s, event, &position, &err), 1);
	return position;
}

/* What the notices at hand say: as many as a test makes at once. */
static inline struct lk_notice *a_saying(const struct stored_notice *row, const char *place)
{
	static struct lk_notice sayings[8];
	static unsigned next;
	struct lk_notice *n = &sayings[next++ % 8];

	lk_notice_clear(n);
	lk_digest_hex(row->id, n->id);
	n->rev = row->rev;
	n->to = row->worker;
	n->kind = row->kind;
	n->state = row->state;
	n->level = row->level;
	n->at.at = row->told_at;
	n->case_number = row->own.number;
	n->other_number = row->other.number;
	n->about.place = lk_text_of(place);
	n->cites = LK_TEXT("ACIN G8");
	n->events[n->events_n++] = LK_TEXT("cws-cms/e1");
	n->contacts[n->contacts_n++] = (struct lk_contact){ .agency = LK_CWS,
							    .role = LK_SOCIAL_WORKER,
							    .worker = LK_TEXT("w9"),
							    .name = LK_TEXT("A. Worker") };
	return n;
}

static inline struct stored_notice a_notice(const char *worker, const uint8_t id[LK_DIGEST],
					    int64_t rev, const char *place)
{
	struct stored_notice n = {
		.worker = lk_text_of(worker),
		.rev = rev,
		.kind = LK_STATUS_CHANGED,
		.state = LK_NEW,
		.level = LK_CONTENT,
		.topic = LK_TOPIC_STATUS,
		.rule_class = MOMENT,
		.own = AID_CASE,
		.other = CWS_CASE,
		.cause_at = 1000,
		.told_at = 2000,
	};

	memcpy(n.id, id, LK_DIGEST);
	n.said = a_saying(&n, place);
	return n;
}

static inline int64_t add_notice(struct store *s, const struct stored_notice *notice)
{
	int64_t seq = 0;

	GOOD(store_notice_add(s, notice, &seq, &err));
	return seq;
}

static inline struct stored_family a_family(const uint8_t id[LK_DIGEST], lk_instant wake_at,
					    const uint8_t *policy)
{
	struct stored_family f = {
		.wake_at = wake_at, .state = "state", .state_len = 5, .told = "told", .told_len = 4
	};

	memcpy(f.id, id, LK_DIGEST);
	memcpy(f.policy, policy, LK_DIGEST);
	return f;
}

/* What a walk saw, as one line of words. */
struct seen {
	char at[2000];
	size_t len;
	int n, stop_after; /* 0: never */
};

static inline int see(struct seen *seen, struct lk_text text)
{
	seen->len += (size_t)snprintf(seen->at + seen->len, sizeof(seen->at) - seen->len, "%s%.*s",
				      seen->n > 0 ? " " : "", LK_PRINT(text));
	seen->n++;
	return seen->n == seen->stop_after ? 77 : 0;
}

static inline int see_event(void *context, const struct stored_event *event)
{
	return see(context, event->id);
}

static inline int see_letter(void *context, const struct dead_letter *letter)
{
	return see(context, (struct lk_text){ letter->body, (uint32_t)letter->body_len });
}

static inline int see_family(void *context, const struct stored_family *family)
{
	return see(context, (struct lk_text){ family->state, (uint32_t)family->state_len });
}

static inline int see_notice(void *context, const struct stored_notice *notice)
{
	return see(context, notice->said->about.place);
}

static inline int see_family_id(void *context, const uint8_t id[LK_DIGEST], lk_instant wake_at)
{
	char hex[LK_DIGEST_HEX];

	(void)wake_at;
	lk_digest_hex(id, hex);
	return see(context, (struct lk_text){ hex, 2 });
}

static inline int see_case(void *context, struct case_key key)
{
	return see(context, key.number);
}

static inline int see_case_since(void *context, struct case_key key, lk_instant since)
{
	(void)since;
	return see(context, key.number);
}

static inline int see_lookalike(void *context, struct case_key other, int kind, lk_instant since)
{
	char text[80];
	int len = snprintf(text, sizeof(text), "%.*s %s %d", LK_PRINT(other.number),
			   lk_key_kind_word(kind), (int)since);

	return see(context, (struct lk_text){ text, (uint32_t)len });
}

static inline int see_calendar(void *context, const uint8_t family[LK_DIGEST],
			       const struct calendar_entry *entry)
{
	(void)family;
	return see(context, entry->meeting);
}

static inline struct dead_letter a_letter(const char *body, int64_t seq)
{
	struct dead_letter letter = {
		.source = SOURCE,
		.has_seq = seq > 0,
		.seq = seq,
		.received_at = 5,
		.reason = LK_BAD_VALUE,
		.field = LK_TEXT("data.status"),
		.detail = LK_TEXT("no status of this agency"),
		.body = body,
		.body_len = strlen(body),
	};

	memcpy(letter.epoch, epoch, LK_DIGEST);
	lk_digest(body, strlen(body), NULL, letter.digest);
	return letter;
}

static inline void put_one_of_each(struct store *s)
{
	struct stored_event e = an_event("e1");
	struct dead_letter letter = a_letter("letter", 3);
	struct stored_family f = a_family(family_a, 10, policy_a);
	struct stored_notice n = a_notice("w1", notice_a, 1, "body");
	struct stored_mailbox box;

	GOOD(store_begin(s, &err));
	add_event(s, &e);
	GOOD(store_dead_letter_add(s, &letter, &err));
	GOOD(store_family_put(s, &f, &err));
	add_notice(s, &n);
	GOOD(store_commit(s, &err));
	GOOD(store_begin(s, &err));
	GOOD(store_mailbox_get(s, LK_TEXT("w3"), &box, &err));
	GOOD(store_commit(s, &err));
}

#define SAW(words, call) \
	do { \
		struct seen seen = { 0 }; \
		GOOD(call); \
		assert_string_equal(seen.at, words); \
	} while (0)

static uint32_t dice_state;

static inline uint32_t dice(uint32_t sides)
{
	dice_state = dice_state * 1664525u + 1013904223u;
	return (dice_state >> 8) % sides;
}

#endif
