/* test_store.c - what the store promises, with real SQLite, in memory and in a directory.
 *
 * In: invented rows. Out: what comes back, also after closing, cutting short, filling the disk,
 * failing to sync, and after a byte has been changed behind the store's back. A watching VFS
 * stands between SQLite and the disk.
 */
#include "good.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <dirent.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/family.h"
#include "engine/policy.h"
#include "store/store.h"

#include <linkages/wire.h>

#define REFUSED(call, fault, words) \
	do { \
		assert_int_equal((call), (fault)); \
		assert_non_null(strstr(err.text, (words))); \
	} while (0)

/* ---- A disk that is watched ------------------------------------------------------------------ */

static struct {
	const sqlite3_io_methods *real;
	sqlite3_io_methods methods;
	sqlite3_vfs vfs;
	sqlite3_vfs *below;
	int writes, unsynced, syncs;   /* of write-ahead logs */
	int write_answer, sync_answer; /* SQLITE_OK: as the disk has it */
} disk;

static int disk_write(sqlite3_file *file, const void *bytes, int n, sqlite3_int64 at)
{
	if (disk.write_answer != SQLITE_OK)
		return disk.write_answer;
	disk.writes++;
	disk.unsynced++;
	return disk.real->xWrite(file, bytes, n, at);
}

static int disk_sync(sqlite3_file *file, int flags)
{
	if (disk.sync_answer != SQLITE_OK)
		return disk.sync_answer;
	disk.syncs++;
	disk.unsynced = 0;
	return disk.real->xSync(file, flags);
}

/* Only the log of linkages.db is watched: it is what a commit writes. */
static int disk_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out)
{
	int rc = disk.below->xOpen(disk.below, name, file, flags, out);

	(void)vfs;
	if (rc != SQLITE_OK || name == NULL || strstr(name, "linkages.db-wal") == NULL)
		return rc;
	disk.real = file->pMethods;
	disk.methods = *disk.real;
	disk.methods.xWrite = disk_write;
	disk.methods.xSync = disk_sync;
	file->pMethods = &disk.methods;
	return rc;
}

static void disk_watch(void)
{
	disk.below = sqlite3_vfs_find(NULL);
	disk.vfs = *disk.below;
	disk.vfs.zName = "watched";
	disk.vfs.xOpen = disk_open;
	disk.vfs.pNext = NULL;
	disk.writes = disk.unsynced = disk.syncs = 0;
	disk.write_answer = disk.sync_answer = SQLITE_OK;
	assert_int_equal(sqlite3_vfs_register(&disk.vfs, 1), SQLITE_OK);
}

static void disk_unwatch(void)
{
	assert_int_equal(sqlite3_vfs_register(disk.below, 1), SQLITE_OK);
	assert_int_equal(sqlite3_vfs_unregister(&disk.vfs), SQLITE_OK);
}

/* ---- A place to be --------------------------------------------------------------------------- */

struct place {
	char directory[64];
	struct store *store;
	int lag;
};

static char *path_in(const struct place *place, const char *name)
{
	static char path[4][400];
	static unsigned turn;
	char *at = path[turn++ % 4];

	(void)snprintf(at, sizeof(path[0]), "%s/%s", place->directory, name);
	return at;
}

static int place_open(struct place *place)
{
	struct store_options options = { .directory = place->directory, .lag = place->lag };

	memset(&err, 0, sizeof(err));
	return store_open(&options, &place->store, &err);
}

static void place_close(struct place *place)
{
	store_close(place->store);
	place->store = NULL;
}

static int in_directory(void **state)
{
	struct place *place = calloc(1, sizeof(*place));

	(void)snprintf(place->directory, sizeof(place->directory), "/tmp/linkages-store-XXXXXX");
	assert_non_null(mkdtemp(place->directory));
	GOOD(place_open(place));
	*state = place;
	return 0;
}

static int in_memory(void **state)
{
	struct place *place = calloc(1, sizeof(*place));
	struct store_options options = { .directory = NULL };

	GOOD(store_open(&options, &place->store, &err));
	*state = place;
	return 0;
}

static int leave(void **state)
{
	struct place *place = *state;
	DIR *directory = place->directory[0] != '\0' ? opendir(place->directory) : NULL;
	struct dirent *entry;

	store_close(place->store);
	while (directory != NULL && (entry = readdir(directory)) != NULL)
		(void)unlink(path_in(place, entry->d_name));
	if (directory != NULL) {
		(void)closedir(directory);
		assert_int_equal(rmdir(place->directory), 0);
	}
	free(place);
	return 0;
}

/* The files from outside, once the store has let go of them. */
static void meddle(const struct place *place, const char *name, const char *sql)
{
	sqlite3 *db;
	char *why = NULL;

	assert_int_equal(sqlite3_open_v2(path_in(place, name), &db, SQLITE_OPEN_READWRITE, NULL),
			 SQLITE_OK);
	if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK)
		fail_msg("%s: %s", sql, why);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static int64_t ask(const struct place *place, const char *name, const char *sql)
{
	sqlite3 *db;
	sqlite3_stmt *statement;
	int64_t answer = INT64_MIN;

	assert_int_equal(sqlite3_open_v2(path_in(place, name), &db, SQLITE_OPEN_READONLY, NULL),
			 SQLITE_OK);
	if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(db));
	if (sqlite3_step(statement) == SQLITE_ROW)
		answer = sqlite3_column_int64(statement, 0);
	(void)sqlite3_finalize(statement);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	return answer;
}

static char *file_read(const char *path)
{
	FILE *file = fopen(path, "rb");
	char *text = calloc(1, 1 << 17);

	assert_non_null(file);
	assert_non_null(text);
	assert_true(fread(text, 1, (1 << 17) - 1, file) < (1 << 17) - 1);
	(void)fclose(file);
	return text;
}

static void file_write(const char *path, const char *text)
{
	FILE *file = fopen(path, "wb");

	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
	assert_int_equal(fclose(file), 0);
}

/* ---- Things to keep -------------------------------------------------------------------------- */

#define CWS_CASE ((struct case_key){ LK_CWS, LK_TEXT("C-100") })
#define AID_CASE ((struct case_key){ LK_CALWORKS, LK_TEXT("W-200") })
#define SOURCE LK_TEXT("cws-cms")

static const uint8_t epoch[LK_DIGEST] = { 0xe0, 1, 2, 3 };
static const uint8_t other_epoch[LK_DIGEST] = { 0xe1 };
static const uint8_t policy_a[LK_DIGEST] = { 0xa }, policy_b[LK_DIGEST] = { 0xb };
static const uint8_t family_a[LK_DIGEST] = { 0xfa, 1 }, family_b[LK_DIGEST] = { 0xfb, 2 };
static const uint8_t notice_a[LK_DIGEST] = { 0x4a };

static struct stored_event an_event(const char *id)
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

static int64_t add_event(struct store *s, const struct stored_event *event)
{
	int64_t position = 0;

	assert_int_equal(store_event_add(s, event, &position, &err), 1);
	return position;
}

/* What the notices at hand say: as many as a test makes at once. */
static struct lk_notice *a_saying(const struct stored_notice *row, const char *place)
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

static struct stored_notice a_notice(const char *worker, const uint8_t id[LK_DIGEST], int64_t rev,
				     const char *place)
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

static int64_t add_notice(struct store *s, const struct stored_notice *notice)
{
	int64_t seq = 0;

	GOOD(store_notice_add(s, notice, &seq, &err));
	return seq;
}

static struct stored_family a_family(const uint8_t id[LK_DIGEST], lk_instant wake_at,
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

static int see(struct seen *seen, struct lk_text text)
{
	seen->len += (size_t)snprintf(seen->at + seen->len, sizeof(seen->at) - seen->len, "%s%.*s",
				      seen->n > 0 ? " " : "", LK_PRINT(text));
	seen->n++;
	return seen->n == seen->stop_after ? 77 : 0;
}

static int see_event(void *context, const struct stored_event *event)
{
	return see(context, event->id);
}

static int see_letter(void *context, const struct dead_letter *letter)
{
	return see(context, (struct lk_text){ letter->body, (uint32_t)letter->body_len });
}

static int see_family(void *context, const struct stored_family *family)
{
	return see(context, (struct lk_text){ family->state, (uint32_t)family->state_len });
}

static int see_notice(void *context, const struct stored_notice *notice)
{
	return see(context, notice->said->about.place);
}

static int see_family_id(void *context, const uint8_t id[LK_DIGEST], lk_instant wake_at)
{
	char hex[LK_DIGEST_HEX];

	(void)wake_at;
	lk_digest_hex(id, hex);
	return see(context, (struct lk_text){ hex, 2 });
}

static int see_case(void *context, struct case_key key)
{
	return see(context, key.number);
}

static int see_case_since(void *context, struct case_key key, lk_instant since)
{
	(void)since;
	return see(context, key.number);
}

static int see_lookalike(void *context, struct case_key other, int kind, lk_instant since)
{
	char text[80];
	int len = snprintf(text, sizeof(text), "%.*s %s %d", LK_PRINT(other.number),
			   lk_key_kind_word(kind), (int)since);

	return see(context, (struct lk_text){ text, (uint32_t)len });
}

static int see_calendar(void *context, const uint8_t family[LK_DIGEST],
			const struct calendar_entry *entry)
{
	(void)family;
	return see(context, entry->meeting);
}

#define SAW(words, call) \
	do { \
		struct seen seen = { 0 }; \
		GOOD(call); \
		assert_string_equal(seen.at, words); \
	} while (0)

/* ---- The event log --------------------------------------------------------------------------- */

static int check_event(void *context, const struct stored_event *e)
{
	const struct stored_event *want = context;

	assert_int_equal(e->position, 1);
	assert_int_equal(e->agency, want->agency);
	assert_true(lk_text_is(e->source, want->source));
	assert_true(lk_text_is(e->id, want->id));
	assert_true(lk_text_is(e->number, want->number));
	assert_true(lk_text_is(e->supersedes, want->supersedes));
	assert_int_equal(e->type, want->type);
	assert_int_equal(e->time_at, want->time_at);
	assert_int_equal(e->received_at, want->received_at);
	assert_int_equal(e->has_sequence, want->has_sequence);
	assert_int_equal(e->sequence, want->sequence);
	assert_int_equal(e->has_outbox_seq, want->has_outbox_seq);
	assert_int_equal(e->outbox_seq, want->outbox_seq);
	assert_memory_equal(e->epoch, want->epoch, LK_DIGEST);
	assert_int_equal(e->ahead, want->ahead);
	assert_int_equal(e->body_len, want->body_len);
	assert_memory_equal(e->body, want->body, want->body_len);
	return 0;
}

static void an_event_comes_back_as_it_was(void **state)
{
	struct store *s = ((struct place *)*state)->store;
	struct stored_event e = an_event("e1");

	e.supersedes = LK_TEXT("e0");
	e.has_sequence = e.has_outbox_seq = e.ahead = true;
	e.sequence = -7;
	e.outbox_seq = 12;
	memcpy(e.epoch, epoch, LK_DIGEST);
	GOOD(store_begin(s, &err));
	assert_int_equal(add_event(s, &e), 1);
	GOOD(store_commit(s, &err));
	assert_int_equal(store_event_find(s, SOURCE, LK_TEXT("e1"), check_event, &e, &err), 1);
	assert_int_equal(store_event_find(s, SOURCE, LK_TEXT("e2"), check_event, &e, &err), 0);
	assert_int_equal(
		store_event_find(s, LK_TEXT("calsaws"), LK_TEXT("e1"), check_event, &e, &err), 0);
}

static uint32_t dice_state;

static uint32_t dice(uint32_t sides)
{
	dice_state = dice_state * 1664525u + 1013904223u;
	return (dice_state >> 8) % sides;
}

/* ---- Bodies are kept shorter than they are ------------------------------------------------------- */

static void check_body_of(struct store *s, const char *id, const void *body, size_t len)
{
	struct stored_event e = an_event(id);

	e.body = body;
	e.body_len = len;
	e.position = 1;
	GOOD(store_begin(s, &err));
	assert_int_equal(add_event(s, &e), 1);
	assert_int_equal(store_event_find(s, SOURCE, e.id, check_event, &e, &err), 1);
	store_rollback(s);
}

/* What every event of a type says, and words that are nobody's. */
static void put_any(struct lk_bytes *w, unsigned depth)
{
	static const char *const words[] = {
		"data",
		"case.opened",
		"status",
		"e1",
		"cws-cms",
		"C-100",
		"1970-01-01T00:00:00.001Z",
		"0123456789abcdef0123456789abcdef",
		"0123456789ABCDEF0123456789ABCDEF",
		"x",
		"",
		"a word that nobody knows and that is longer than what a short head can say",
	};
	char blank[300];

	memset(blank, ' ', sizeof(blank));
	switch (dice(depth > 3 ? 5 : 7)) {
	case 0: lk_put_int(w, (int64_t)dice(1u << 24) << dice(39)); break;
	case 1: lk_put_int(w, -((int64_t)dice(1u << 24) << dice(39))); break;
	case 2: lk_put_nil(w); break;
	case 3: lk_put_text(w, (struct lk_text){ blank, dice(sizeof(blank)) }); break;
	case 4: lk_put_word(w, words[dice(sizeof(words) / sizeof(words[0]))]); break;
	case 5: {
		uint32_t n = dice(20);

		lk_put_map(w, n);
		for (uint32_t i = 0; i < 2 * n; i++)
			put_any(w, depth + 1);
		break;
	}
	case 6: {
		uint32_t n = dice(20);

		lk_put_array(w, n);
		for (uint32_t i = 0; i < n; i++)
			put_any(w, depth + 1);
		break;
	}
	}
}

static void a_body_comes_back_byte_for_byte(void **state)
{
	struct store *s = ((struct place *)*state)->store;
	struct lk_bytes body = { 0 };

	dice_state = 7;
	for (int round = 0; round < 2000; round++) {
		lk_bytes_clear(&body);
		put_any(&body, 0);
		if (body.len == 0 || body.len > 60000)
			continue;
		check_body_of(s, "e1", body.at, body.len);
		body.at[dice((uint32_t)body.len)] =
			(uint8_t)dice(256); /* mostly no value any more */
		check_body_of(s, "e1", body.at, body.len - dice((uint32_t)body.len));
	}
	for (int byte = 0; byte < 256; byte++) {
		const uint8_t few[] = { (uint8_t)byte, 0xff, (uint8_t)byte, 0xa1 };

		check_body_of(s, "e1", few, 1);
		check_body_of(s, "e1", few, sizeof(few));
	}
	lk_bytes_free(&body);
}

/* A name that is put into the lists and not into the vocabulary would be kept at full length. */
static void every_word_of_an_event_is_known(void **state)
{
#define NAME_OF(name, word, kind, presence) word,
#define NAMES_OF(enumerator, tag, word) LK_FIELDS_##tag(NAME_OF) word,
#define WORD_OF(enumerator, word) word,
#define WORDS_OF(tag, list) list(WORD_OF)
	static const char *const all[] = { LK_EVENT_TYPES(NAMES_OF) LK_CODE_LISTS(WORDS_OF) };
	struct place *place = *state;

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		struct lk_bytes body = { 0 };
		char id[16];

		(void)snprintf(id, sizeof(id), "e%zu", i);
		struct stored_event e = an_event(id);
		lk_put_word(&body, all[i]);
		e.body = body.at;
		e.body_len = body.len;
		GOOD(store_begin(place->store, &err));
		(void)add_event(place->store, &e);
		GOOD(store_commit(place->store, &err));
		lk_bytes_free(&body);
	}
	place_close(place);
	assert_int_equal(ask(place, "linkages.db", "SELECT max(length(body)) FROM event"), 2);
}

static void a_case_has_its_events_in_order_of_arrival(void **state)
{
	struct store *s = ((struct place *)*state)->store;
	static const char *const ids[] = { "e3", "e1", "x", "e2" };

	GOOD(store_begin(s, &err));
	for (size_t i = 0; i < 4; i++) {
		struct stored_event e = an_event(ids[i]);

		e.time_at = 100 - (lk_instant)i;
		if (ids[i][0] == 'x')
			e.number = LK_TEXT("C-other");
		assert_int_equal(add_event(s, &e), (int64_t)i + 1);
	}
	GOOD(store_commit(s, &err));
	SAW("e3 e1 e2", store_case_events(s, CWS_CASE, see_event, &seen, &err));
	SAW("", store_case_events(s, AID_CASE, see_event, &seen, &err));
}

static const char listed_wrongly[] =
	"SELECT count(*) FROM event_case AS listed LEFT JOIN event ON event.position = listed.position "
	"WHERE event.case_ref IS NOT listed.case_ref";

/* What each of some cases should have, as the walk says it. */
#define LISTED_CASES 5
#define LISTED_EVENTS 600
struct listed {
	char committed[LISTED_CASES][8 * LISTED_EVENTS], now[LISTED_CASES][8 * LISTED_EVENTS];
};

static int see_listed(void *context, const struct stored_event *e)
{
	char *said = context;

	(void)sprintf(said + strlen(said), "%.*s ", LK_PRINT(e->id));
	return 0;
}

static void check_listed(struct store *s, const struct listed *l)
{
	for (int i = 0; i < LISTED_CASES; i++) {
		static char said[8 * LISTED_EVENTS];
		char number[16];

		said[0] = '\0';
		(void)snprintf(number, sizeof(number), "C-%d", i);
		GOOD(store_case_events(s, (struct case_key){ LK_CWS, lk_text_of(number) },
				       see_listed, said, &err));
		assert_string_equal(said, l->now[i]);
	}
}

static void add_listed(struct store *s, struct listed *l, int n)
{
	int kase = n * 7 / 3 % LISTED_CASES;
	char id[16], number[16];

	(void)snprintf(id, sizeof(id), "e%d", n);
	(void)snprintf(number, sizeof(number), "C-%d", kase);
	struct stored_event e = an_event(id);
	e.number = lk_text_of(number);
	add_event(s, &e);
	(void)sprintf(l->now[kase] + strlen(l->now[kase]), "%s ", id);
}

/* Some in the list, some on the way into it, some in memory, some rolled back; and all found again. */
static void a_case_has_its_events_wherever_they_are_listed(void **state)
{
	struct place *place = *state;
	struct listed *l = calloc(1, sizeof(*l));

	place_close(place);
	place->lag = 40;
	GOOD(place_open(place));
	for (int n = 0; n < LISTED_EVENTS;) {
		GOOD(store_begin(place->store, &err));
		for (int last = n + 1 + n % 9; n < last; n++)
			add_listed(place->store, l, n);
		if (n % 5 == 0) {
			store_rollback(place->store);
			memcpy(l->now, l->committed, sizeof(l->now));
		} else {
			GOOD(store_commit(place->store, &err));
			memcpy(l->committed, l->now, sizeof(l->now));
		}
		if (n % 17 == 0) {
			place_close(place);
			GOOD(place_open(place));
		}
		check_listed(place->store, l);
	}
	place_close(place);
	assert_true(ask(place, "linkages.db",
			"SELECT value FROM value WHERE name = 'event_case.upto'") > 100);
	assert_int_equal(ask(place, "linkages.db", listed_wrongly), 0);
	GOOD(place_open(place));
	GOOD(store_integrity(place->store, NULL, NULL, &err));
	place_close(place);
	meddle(place, "linkages.db", "DELETE FROM event_case WHERE position = 50");
	GOOD(place_open(place));
	REFUSED(store_integrity(place->store, NULL, NULL, &err), LK_ESTORE, "list");
	free(l);
}

static void a_visitor_can_stop_the_walk(void **state)
{
	struct store *s = ((struct place *)*state)->store;
	struct stored_event one = an_event("e1"), two = an_event("e2");
	struct seen first = { .stop_after = 1 };

	GOOD(store_begin(s, &err));
	add_event(s, &one);
	add_event(s, &two);
	GOOD(store_commit(s, &err));
	assert_int_equal(store_case_events(s, CWS_CASE, see_event, &first, &err), 77);
	assert_string_equal(first.at, "e1");
	SAW("e1 e2", store_case_events(s, CWS_CASE, see_event, &seen, &err));
}

static void one_event_is_stored_once(void **state)
{
	struct store *s = ((struct place *)*state)->store;
	struct stored_event e = an_event("e1"), other = an_event("e1");
	struct store_counts counts;
	int64_t position = 0;

	other.number = LK_TEXT("C-new");
	GOOD(store_begin(s, &err));
	add_event(s, &e);
	assert_int_equal(store_event_add(s, &e, &position, &err), 0);
	assert_int_equal(store_event_add(s, &other, &position, &err), 0);
	GOOD(store_commit(s, &err));
	assert_int_equal(position, 0);
	SAW("e1", store_case_events(s, CWS_CASE, see_event, &seen, &err));
	GOOD(store_counts(s, &counts, &err));
	assert_int_equal(counts.cases, 1); /* what is not kept names no case */
}

static void what_is_superseded_is_known_in_any_order(void **state)
{
	struct store *s = ((struct place *)*state)->store;
	struct stored_event e = an_event("e2");

	e.supersedes = LK_TEXT("e1");
	GOOD(store_begin(s, &err));
	add_event(s, &e);
	GOOD(store_commit(s, &err));
	assert_int_equal(store_is_superseded(s, SOURCE, LK_TEXT("e1"), &err), 1);
	assert_int_equal(store_is_superseded(s, SOURCE, LK_TEXT("e2"), &err), 0);
	assert_int_equal(store_is_superseded(s, LK_TEXT("calsaws"), LK_TEXT("e1"), &err), 0);
}

static void events_wait_for_their_time(void **state)
{
	struct store *s = ((struct place *)*state)->store;
	struct stored_event late = an_event("late"), soon = an_event("soon");
	lk_instant at;

	GOOD(store_next_ahead(s, &at, &err));
	assert_true(at == LK_NO_INSTANT);
	late.ahead = soon.ahead = true;
	late.time_at = 90;
	soon.time_at = 50;
	GOOD(store_begin(s, &err));
	add_event(s, &late);
	int64_t position = add_event(s, &soon);
	GOOD(store_commit(s, &err));
	GOOD(store_next_ahead(s, &at, &err));
	assert_int_equal(at, 50);
	SAW("", store_events_ahead(s, 49, 10, see_event, &seen, &err));
	SAW("soon late", store_events_ahead(s, 90, 10, see_event, &seen, &err));
	SAW("soon", store_events_ahead(s, 90, 1, see_event, &seen, &err));
	GOOD(store_begin(s, &err));
	GOOD(store_event_arrived(s, position, &err));
	GOOD(store_commit(s, &err));
	SAW("late", store_events_ahead(s, 90, 10, see_event, &seen, &err));
}

static void an_event_of_the_feed_lane_finds_its_place_later(void **state)
{
	struct store *s = ((struct place *)*state)->store;
	struct stored_event e = an_event("e1");
	struct stream_verdict verdict;
	struct stored_stream stream;
	uint8_t digest[LK_DIGEST];

	GOOD(store_begin(s, &err));
	int64_t position = add_event(s, &e);
	GOOD(store_event_place(s, position, epoch, 5, &err));
	GOOD(store_event_place(s, position, other_epoch, 1, &err)); /* it has one already */
	assert_int_equal(store_event_place(s, 99, epoch, 6, &err), LK_ENOTFOUND);
	GOOD(store_commit(s, &err));
	assert_int_equal(store_stream_verdict(s, SOURCE, epoch, 5, &verdict, &err), 1);
	assert_false(verdict.was_refused);
	lk_digest(e.body, e.body_len, NULL, digest);
	assert_memory_equal(verdict.digest, digest, LK_DIGEST);
	assert_int_equal(store_stream_verdict(s, SOURCE, epoch, 6, &verdict, &err), 0);
	assert_int_equal(store_stream_verdict(s, SOURCE, other_epoch, 1, &verdict, &err), 0);
	/* Naming an outbox does not open its stream. */
	assert_int_equal(store_stream_get(s, SOURCE, epoch, &stream, &err), 0);
}

/* ---- Dead letters and streams ---------------------------------------------------------------- */

static struct dead_letter a_letter(const char *body, int64_t seq)
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

static void a_refusal_is_repeated_word_for_word(void **state)
{
	struct store *s = ((struct place *)*state)->store;
	struct stream_verdict verdict;
	uint8_t digest[LK_DIGEST];

	GOOD(store_begin(s, &err));
	for (int64_t seq = 4; seq >= 1; seq--) {
		char body[2] = { (char)('0' + seq), '\0' };
		struct dead_letter letter = a_letter(body, seq);

		GOOD(store_dead_letter_add(s, &letter, &err));
	}
	GOOD(store_commit(s, &err));
	assert_int_equal(store_stream_verdict(s, SOURCE, epoch, 2, &verdict, &err), 1);
	assert_true(verdict.was_refused);
	assert_int_equal(verdict.refused.reason, LK_BAD_VALUE);
	assert_string_equal(verdict.refused.field, "data.status");
	assert_string_equal(verdict.refused.detail, "no status of this agency");
	lk_digest("2", 1, NULL, digest);
	assert_memory_equal(verdict.digest, digest, LK_DIGEST);
	SAW("2 3", store_stream_refusals(s, SOURCE, epoch, 1, 4, see_letter, &seen, &err));
	SAW("", store_stream_refusals(s, SOURCE, other_epoch, 0, 9, see_letter, &seen, &err));
	SAW("4 3", store_dead_letters(s, 0, 2, see_letter, &seen, &err));
	SAW("2 1", store_dead_letters(s, 2, 9, see_letter, &seen, &err));
}

static int check_cut_letter(void *context, const struct dead_letter *letter)
{
	(void)context;
	assert_false(lk_text_given(letter->source));
	assert_false(letter->has_seq);
	assert_int_equal(letter->number, 1);
	assert_int_equal(letter->body_len, 64 * 1024);
	return 0;
}

static void a_long_dead_letter_is_cut(void **state)
{
	struct store *s = ((struct place *)*state)->store;
	static char body[70000];
	struct dead_letter letter = { .reason = LK_TOO_LARGE,
				      .body = body,
				      .body_len = sizeof(body) };

	GOOD(store_begin(s, &err));
	GOOD(store_dead_letter_add(s, &letter, &err));
	GOOD(store_commit(s, &err));
	GOOD(store_dead_letters(s, 0, 9, check_cut_letter, NULL, &err));
}

static void streams_remember_how_far_they_came(void **state)
{
	struct store *s = ((struct place *)*state)->store;
	struct stored_stream put = { .source = SOURCE, .next = 9, .safe = 4 }, got;

	memcpy(put.epoch, epoch, LK_DIGEST);
	assert_int_equal(store_stream_get(s, SOURCE, epoch, &got, &err), 0);
	GOOD(store_begin(s, &err));
	GOOD(store_stream_put(s, &put, &err));
	put.next = 10;
	GOOD(store_stream_put(s, &put, &err));
	GOOD(store_commit(s, &err));
	assert_int_equal(store_stream_get(s, SOURCE, epoch, &got, &err), 1);
	assert_int_equal(got.next, 10);
	assert_int_equal(got.safe, 4);
	assert_memory_equal(got.epoch, epoch, LK_DIGEST);
	assert_int_equal(store_stream_get(s, SOURCE, other_epoch, &got, &err), 0);
}

static void what_is_known_of_a_stream_follows_the_transaction(void **state)
{
	struct store *s = ((struct place *)*state)->store;
	struct stored_stream put = { .source = SOURCE, .next = 2 }, got;
	struct stored_event e = an_event("e1");

	memcpy(put.epoch, epoch, LK_DIGEST);
	memcpy(e.epoch, epoch, LK_DIGEST);
	e.has_outbox_seq = true;
	e.outbox_seq = 1;
	GOOD(store_begin(s, &err));
	add_event(s, &e);
	GOOD(store_stream_put(s, &put, &err));
	GOOD(store_commit(s, &err));
	assert_int_equal(store_stream_get(s, SOURCE, epoch, &got, &err), 1);
	assert_int_equal(got.known, 1);
	GOOD(store_begin(s, &err));
	e.id = LK_TEXT("e2");
	e.outbox_seq = 40;
	add_event(s, &e);
	put.next = 41;
	GOOD(store_stream_put(s, &put, &err));
	assert_int_equal(store_stream_get(s, SOURCE, epoch, &got, &err), 1);
	assert_int_equal(got.known, 40);
	store_rollback(s);
	assert_int_equal(store_stream_get(s, SOURCE, epoch, &got, &err), 1);
	assert_int_equal(got.known, 1);
	assert_int_equal(got.next, 2);
}

static void a_source_is_remembered_as_heard(void **state)
{
	struct store *s = ((struct place *)*state)->store;
	lk_instant at = 0;

	assert_int_equal(store_heard_get(s, SOURCE, &at, &err), 0);
	GOOD(store_begin(s, &err));
	GOOD(store_heard_put(s, SOURCE, 123, &err));
	GOOD(store_commit(s, &err));
	assert_int_equal(store_heard_get(s, SOURCE, &at, &err), 1);
	assert_int_equal(at, 123);
}

/* ---- Families -------------------------------------------------------------------------------- */

static int check_family(void *context, const struct stored_family *f)
{
	const struct stored_family *want = context;

	assert_memory_equal(f->id, want->id, LK_DIGEST);
	assert_true(f->wake_at == want->wake_at);
	assert_memory_equal(f->policy, want->policy, LK_DIGEST);
	assert_int_equal(f->state_len, want->state_len);
	assert_memory_equal(f->state, want->state, want->state_len);
	assert_int_equal(f->told_len, want->told_len);
	return 0;
}

static void a_family_row_is_replaced_as_a_whole(void **state)
{
	struct store *s = ((struct place *)*state)->store;
	struct stored_family f = a_family(family_a, 10, policy_a);

	GOOD(store_begin(s, &err));
	GOOD(store_family_put(s, &f, &err));
	f = a_family(family_a, LK_NO_INSTANT, policy_b);
	f.told = NULL;
	f.told_len = 0;
	GOOD(store_family_put(s, &f, &err));
	GOOD(store_commit(s, &err));
	assert_int_equal(store_family_get(s, family_a, check_family, &f, &err), 1);
	assert_int_equal(store_family_get(s, family_b, check_family, &f, &err), 0);
	GOOD(store_begin(s, &err));
	GOOD(store_family_drop(s, family_a, &err));
	GOOD(store_commit(s, &err));
	assert_int_equal(store_family_get(s, family_a, check_family, &f, &err), 0);
}

static void families_wake_in_order(void **state)
{
	struct store *s = ((struct place *)*state)->store;
	struct stored_family a = a_family(family_a, 20, policy_a),
			     b = a_family(family_b, 10, policy_b);
	lk_instant at;

	GOOD(store_next_wake(s, &at, &err));
	assert_true(at == LK_NO_INSTANT);
	GOOD(store_begin(s, &err));
	GOOD(store_family_put(s, &a, &err));
	GOOD(store_family_put(s, &b, &err));
	GOOD(store_commit(s, &err));
	GOOD(store_next_wake(s, &at, &err));
	assert_int_equal(at, 10);
	SAW("", store_families_due(s, 9, 10, see_family_id, &seen, &err));
	SAW("fb fa", store_families_due(s, 20, 10, see_family_id, &seen, &err));
	SAW("fb", store_families_due(s, 20, 1, see_family_id, &seen, &err));
	SAW("fb", store_families_behind(s, policy_a, 10, see_family_id, &seen, &err));
	SAW("fa", store_families_behind(s, policy_b, 10, see_family_id, &seen, &err));
	SAW("fa fb", store_families_behind(s, epoch, 10, see_family_id, &seen, &err));
	SAW("fa", store_families_behind(s, epoch, 1, see_family_id, &seen, &err));
}

static void cases_belong_to_one_family(void **state)
{
	struct store *s = ((struct place *)*state)->store;
	uint8_t id[LK_DIGEST];

	assert_int_equal(store_case_family(s, CWS_CASE, id, &err), 0);
	GOOD(store_begin(s, &err));
	GOOD(store_case_join(s, CWS_CASE, family_a, &err));
	GOOD(store_case_join(s, AID_CASE, family_a, &err));
	GOOD(store_commit(s, &err));
	SAW("C-100 W-200", store_family_cases(s, family_a, see_case, &seen, &err));
	GOOD(store_begin(s, &err));
	GOOD(store_case_join(s, CWS_CASE, family_b, &err));
	GOOD(store_commit(s, &err));
	assert_int_equal(store_case_family(s, CWS_CASE, id, &err), 1);
	assert_memory_equal(id, family_b, LK_DIGEST);
	SAW("W-200", store_family_cases(s, family_a, see_case, &seen, &err));
}

static void links_are_seen_from_both_ends(void **state)
{
	struct store *s = ((struct place *)*state)->store;

	GOOD(store_begin(s, &err));
	GOOD(store_link_put(s, CWS_CASE, AID_CASE, 5, &err));
	GOOD(store_link_put(s, AID_CASE, CWS_CASE, 6, &err));
	GOOD(store_commit(s, &err));
	SAW("W-200", store_links_of(s, CWS_CASE, see_case_since, &seen, &err));
	SAW("C-100", store_links_of(s, AID_CASE, see_case_since, &seen, &err));
	GOOD(store_begin(s, &err));
	GOOD(store_link_drop(s, AID_CASE, CWS_CASE, &err));
	GOOD(store_commit(s, &err));
	SAW("", store_links_of(s, CWS_CASE, see_case_since, &seen, &err));
	SAW("", store_links_of(s, AID_CASE, see_case_since, &seen, &err));
}

static void lookalikes_carry_an_equal_token(void **state)
{
	struct store *s = ((struct place *)*state)->store;
	struct stored_token early = { LK_CIN, { 1 }, 5 }, late = { LK_CIN, { 1 }, 9 };
	struct stored_token ssn = { LK_SSN, { 1 }, 5 };   /* the same bytes, another kind */
	struct stored_token all[] = { late, ssn, early }; /* two members may carry one token */

	GOOD(store_begin(s, &err));
	GOOD(store_tokens_put(s, CWS_CASE, all, 3, &err));
	GOOD(store_tokens_put(s, AID_CASE, &late, 1, &err));
	GOOD(store_commit(s, &err));
	SAW("W-200 cin 9", store_lookalikes(s, CWS_CASE, see_lookalike, &seen, &err));
	SAW("C-100 cin 9", store_lookalikes(s, AID_CASE, see_lookalike, &seen, &err));
	GOOD(store_begin(s, &err));
	GOOD(store_tokens_put(s, CWS_CASE, &ssn, 1, &err)); /* replaces all that it had */
	GOOD(store_commit(s, &err));
	SAW("", store_lookalikes(s, AID_CASE, see_lookalike, &seen, &err));
	GOOD(store_begin(s, &err));
	GOOD(store_tokens_put(s, CWS_CASE, &early, 1, &err));
	ssn.since = 2;
	struct stored_token both[] = { early, ssn };
	GOOD(store_tokens_put(s, CWS_CASE, both, 2, &err));
	GOOD(store_tokens_put(s, AID_CASE, both, 2, &err));
	GOOD(store_commit(s, &err));
	SAW("C-100 cin 5 C-100 ssn 2", store_lookalikes(s, AID_CASE, see_lookalike, &seen, &err));
}

/* What is remembered of a case's tokens is true after they come, go, and come back by a rollback. */
static void a_case_has_tokens_or_has_none(void **state)
{
	struct store *s = ((struct place *)*state)->store;
	struct stored_token token = { LK_CIN, { 1 }, 5 };

	assert_int_equal(store_has_tokens(s, CWS_CASE, &err), 0);
	GOOD(store_begin(s, &err));
	GOOD(store_case_join(s, CWS_CASE, family_a, &err));
	GOOD(store_commit(s, &err));
	assert_int_equal(store_has_tokens(s, CWS_CASE, &err), 0);
	assert_int_equal(store_has_tokens(s, CWS_CASE, &err), 0);
	GOOD(store_begin(s, &err));
	GOOD(store_tokens_put(s, CWS_CASE, &token, 1, &err));
	assert_int_equal(store_has_tokens(s, CWS_CASE, &err), 1);
	GOOD(store_commit(s, &err));
	GOOD(store_begin(s, &err));
	GOOD(store_tokens_put(s, CWS_CASE, NULL, 0, &err));
	assert_int_equal(store_has_tokens(s, CWS_CASE, &err), 0);
	store_rollback(s);
	assert_int_equal(store_has_tokens(s, CWS_CASE, &err), 1);
}

static void a_worker_has_one_calendar_over_all_families(void **state)
{
	struct store *s = ((struct place *)*state)->store;
	struct calendar_entry early = {
		.worker = LK_TEXT("w1"), .meeting = LK_TEXT("m1"), .start = 10, .end = 20
	};
	struct calendar_entry late = {
		.worker = LK_TEXT("w1"), .meeting = LK_TEXT("m2"), .start = 30, .end = 40
	};
	struct calendar_entry again[] = { late, early };

	GOOD(store_begin(s, &err));
	GOOD(store_calendar_put(s, family_a, &late, 1, &err));
	GOOD(store_calendar_put(s, family_b, &early, 1, &err));
	GOOD(store_commit(s, &err));
	SAW("m1 m2", store_calendar_of(s, LK_TEXT("w1"), 0, see_calendar, &seen, &err));
	SAW("m2", store_calendar_of(s, LK_TEXT("w1"), 20, see_calendar, &seen, &err));
	SAW("", store_calendar_of(s, LK_TEXT("w2"), 0, see_calendar, &seen, &err));
	GOOD(store_begin(s, &err));
	GOOD(store_calendar_put(s, family_a, again, 2, &err));
	GOOD(store_family_drop(s, family_b, &err));
	GOOD(store_commit(s, &err));
	SAW("m1 m2", store_calendar_of(s, LK_TEXT("w1"), 0, see_calendar, &seen, &err));
}

/* ---- Mailboxes ------------------------------------------------------------------------------- */

static void is_said_as(const struct lk_notice *got, const struct lk_notice *want)
{
	struct lk_bytes one = { 0 }, other = { 0 };

	lk_notice_encode(got, &one);
	lk_notice_encode(want, &other);
	assert_int_equal(one.len, other.len);
	assert_memory_equal(one.at, other.at, other.len);
	lk_bytes_free(&one);
	lk_bytes_free(&other);
}

static int check_notice(void *context, const struct stored_notice *n)
{
	const struct stored_notice *want = context;

	assert_true(lk_text_is(n->worker, want->worker));
	assert_memory_equal(n->id, want->id, LK_DIGEST);
	assert_int_equal(n->rev, want->rev);
	assert_int_equal(n->kind, want->kind);
	assert_int_equal(n->state, want->state);
	assert_int_equal(n->level, want->level);
	assert_int_equal(n->topic, want->topic);
	assert_int_equal(n->rule_class, want->rule_class);
	assert_int_equal(n->own.agency, want->own.agency);
	assert_true(lk_text_is(n->own.number, want->own.number));
	assert_int_equal(n->other.agency, want->other.agency);
	assert_true(lk_text_is(n->other.number, want->other.number));
	assert_int_equal(n->cause_at, want->cause_at);
	assert_int_equal(n->told_at, want->told_at);
	is_said_as(n->said, want->said);
	assert_true(lk_text_is(n->answered_by, want->answered_by));
	assert_true(n->answered_at == want->answered_at);
	return 0;
}

static void a_notice_comes_back_as_told(void **state)
{
	struct store *s = ((struct place *)*state)->store;
	struct stored_notice first = a_notice("w1", notice_a, 1, "first"),
			     last = a_notice("w1", notice_a, 2, "last");

	last.state = LK_WITHDRAWN;
	last.other = (struct case_key){ LK_NO_CODE, LK_NO_TEXT };
	last.topic = LK_NO_CODE;
	last.said = a_saying(&last, "last");
	last.answered_at = LK_NO_INSTANT;
	GOOD(store_begin(s, &err));
	add_notice(s, &first);
	add_notice(s, &last);
	GOOD(store_commit(s, &err));
	assert_int_equal(store_notice_find(s, LK_TEXT("w1"), notice_a, check_notice, &last, &err),
			 1);
	assert_int_equal(store_notice_find(s, LK_TEXT("w1"), family_a, check_notice, &last, &err),
			 0);
	GOOD(store_begin(s, &err));
	GOOD(store_answer(s, notice_a, LK_TEXT("w1"), 50, &err));
	GOOD(store_answer(s, notice_a, LK_TEXT("w2"), 60, &err)); /* the first answer stands */
	GOOD(store_commit(s, &err));
	last.answered_by = LK_TEXT("w1");
	last.answered_at = 50;
	assert_int_equal(store_notice_find(s, LK_TEXT("w1"), notice_a, check_notice, &last, &err),
			 1);
	SAW("first last", store_notices_after(s, LK_TEXT("w1"), 0, 9, see_notice, &seen, &err));
}

#define GIVE_TEXT(max) LK_TEXT("thing")
#define GIVE_CODE(tag) lk_##tag##_count - 1
#define GIVE_INT(min, max) (min)
#define GIVE_TIME ((struct lk_time){ 1767225600123456, -8 * 3600 + 60 })
#define GIVE_REASONS 0x155
#define GIVE_PROPOSALS \
	((struct lk_proposals){ 2, { { 1767225600000000, 0 }, { -60000000, 3600 } } })
#define GIVE_ABOUT(name, word, kind, presence) said.about.name = GIVE_##kind;

/* Whatever a notice may say, and all of it at once: also where the columns say something else. */
static void every_member_of_a_notice_comes_back(void **state)
{
	struct store *s = ((struct place *)*state)->store;
	struct stored_notice full = a_notice("w1", notice_a, 1, "x"), odd;
	struct lk_notice said = *full.said;

	LK_FIELDS_about(GIVE_ABOUT);
	said.due = lk_date_of(2026, 3, 2);
	said.urgency = LK_URGENT;
	said.reason = LK_UNLINKED;
	said.rule = lk_text_of(lk_notice_kind_word(said.kind));
	for (said.contacts_n = 0; said.contacts_n < LK_CONTACTS_MAX; said.contacts_n++)
		said.contacts[said.contacts_n] = (struct lk_contact){ .agency = said.contacts_n % 2,
								      .role = LK_CLERK,
								      .worker = LK_TEXT("w8"),
								      .name = LK_NO_TEXT,
								      .phone = LK_TEXT("1") };
	for (said.events_n = 0; said.events_n < LK_BECAUSE_MAX; said.events_n++)
		said.events[said.events_n] =
			said.events_n % 2 != 0 ? LK_TEXT("calsaws/a/b") : LK_TEXT("no-slash");
	full.said = &said;
	full.cause_at = LK_NO_INSTANT;
	full.answered_at = LK_NO_INSTANT;
	odd = full;
	odd.own.number = LK_NO_TEXT;
	odd.other.number = LK_TEXT("W-9");
	GOOD(store_begin(s, &err));
	add_notice(s, &full);
	GOOD(store_commit(s, &err));
	assert_int_equal(store_notice_find(s, LK_TEXT("w1"), notice_a, check_notice, &full, &err),
			 1);
	said.rule = LK_TEXT("another");
	said.at = (struct lk_time){ full.told_at - 1, 1 };
	said.rev = odd.rev = 2;
	GOOD(store_begin(s, &err));
	add_notice(s, &odd);
	GOOD(store_commit(s, &err));
	assert_int_equal(store_notice_find(s, LK_TEXT("w1"), notice_a, check_notice, &odd, &err),
			 1);
}

/* A phrase that a rollback took back is not believed. */
static void a_phrase_outlives_no_rollback(void **state)
{
	struct store *s = ((struct place *)*state)->store;
	struct stored_notice n = a_notice("w1", notice_a, 1, "x"), other = n;
	struct lk_notice said = *n.said, again = said;

	n.answered_at = other.answered_at = LK_NO_INSTANT;
	n.said = &said;
	again.cites = LK_TEXT("ACIN G9");
	other.said = &again;
	GOOD(store_begin(s, &err));
	add_notice(s, &n);
	store_rollback(s);
	GOOD(store_begin(s, &err));
	add_notice(s, &other);
	GOOD(store_commit(s, &err));
	assert_int_equal(store_notice_find(s, LK_TEXT("w1"), notice_a, check_notice, &other, &err),
			 1);
	said.rev = n.rev = 2;
	GOOD(store_begin(s, &err));
	add_notice(s, &n);
	GOOD(store_commit(s, &err));
	assert_int_equal(store_notice_find(s, LK_TEXT("w1"), notice_a, check_notice, &n, &err), 1);
}

static void a_notice_is_found_by_its_first_digits_with_its_history(void **state)
{
	struct store *s = ((struct place *)*state)->store;
	const uint8_t one[LK_DIGEST] = { 0xab, 0x10 }, other[LK_DIGEST] = { 0xab, 0x20 };
	struct stored_notice first = a_notice("w1", one, 1, "first");
	struct stored_notice again = a_notice("w1", one, 2, "again");
	struct stored_notice second = a_notice("w2", other, 1, "other");
	uint8_t id[LK_DIGEST];

	GOOD(store_begin(s, &err));
	add_notice(s, &first);
	add_notice(s, &again);
	add_notice(s, &second);
	GOOD(store_commit(s, &err));
	SAW("first again", store_notice_history(s, one, see_notice, &seen, &err));
	assert_int_equal(store_notice_named(s, LK_TEXT("ab1"), id, &err), 1);
	assert_memory_equal(id, one, LK_DIGEST);
	assert_int_equal(store_notice_named(s, LK_TEXT("cd"), id, &err), 0);
	assert_int_equal(store_notice_named(s, LK_TEXT("ab"), id, &err), LK_ESTATE);
	assert_int_equal(store_notice_named(s, LK_TEXT("AB"), id, &err), LK_EREFUSED);
	assert_int_equal(store_notice_named(s, LK_TEXT(""), id, &err), LK_EREFUSED);
}

static void places_in_a_mailbox_are_dense_also_after_a_rollback(void **state)
{
	struct store *s = ((struct place *)*state)->store;
	struct stored_mailbox box;
	int64_t next[2] = { 1, 1 };

	for (unsigned i = 0; i < 60; i++) {
		uint8_t id[LK_DIGEST] = { (uint8_t)i, 1 };
		bool second = i % 3 == 0;
		struct stored_notice n = a_notice(second ? "w2" : "w1", id, 1, "body");

		GOOD(store_begin(s, &err));
		assert_int_equal(add_notice(s, &n), next[second]);
		if (i % 4 == 0) {
			store_rollback(s);
			continue;
		}
		GOOD(store_commit(s, &err));
		next[second]++;
	}
	GOOD(store_mailbox_get(s, LK_TEXT("w1"), &box, &err));
	assert_int_equal(box.first, 1);
	assert_int_equal(box.next, next[0]);
	struct seen seen = { 0 };
	GOOD(store_notices_after(s, LK_TEXT("w1"), next[0] - 3, 100, see_notice, &seen, &err));
	assert_int_equal(seen.n, 2);
}

static void nth_id(int i, uint8_t id[LK_DIGEST])
{
	lk_digest(&i, sizeof(i), NULL, id);
}

static const char *nth_worker(int i)
{
	return i % 3 == 0 ? "w1" : "w2";
}

static void add_nth(struct store *s, int i)
{
	uint8_t id[LK_DIGEST];

	nth_id(i, id);
	struct stored_notice n = a_notice(nth_worker(i), id, 1, "body");
	add_notice(s, &n);
}

static void is_found(struct store *s, int i)
{
	struct lk_text worker = lk_text_of(nth_worker(i));
	uint8_t id[LK_DIGEST], found[LK_DIGEST];
	char prefix[LK_DIGEST_HEX];
	struct seen seen = { 0 };

	nth_id(i, id);
	lk_digest_hex(id, prefix);
	assert_int_equal(store_notice_find(s, worker, id, see_notice, &seen, &err), 1);
	assert_int_equal(store_notice_history(s, id, see_notice, &seen, &err), 1);
	assert_int_equal(store_notice_named(s, lk_text_of(prefix), found, &err), 1);
	assert_memory_equal(found, id, LK_DIGEST);
}

/* Rolls are written in idle bites: a notice is found before, meanwhile and after, wherever it lies. */
static void a_notice_is_found_in_the_rolls_and_behind_them(void **state)
{
	struct place *place = *state;
	struct store *s = place->store;
	int more;

	GOOD(store_begin(s, &err));
	for (int i = 0; i < 700; i++)
		add_nth(s, i);
	GOOD(store_commit(s, &err));
	do {
		for (int i = 0; i < 700; i += 37)
			is_found(s, i);
		more = store_idle(s, &err);
	} while (more == 1);
	assert_int_equal(more, 0);
	for (int i = 0; i < 700; i++)
		is_found(s, i);
	GOOD(store_begin(s, &err));
	add_nth(s, 3); /* told again, in no roll yet */
	for (int i = 700; i < 720; i++)
		add_nth(s, i);
	is_found(s, 719); /* in the same transaction */
	GOOD(store_commit(s, &err));
	struct seen seen = { 0 };
	uint8_t id[LK_DIGEST];
	nth_id(3, id);
	assert_int_equal(store_notice_history(s, id, see_notice, &seen, &err), 2);
	assert_int_equal(store_notice_find(s, LK_TEXT("w2"), id, see_notice, &seen, &err), 0);
	assert_int_equal(store_notice_find(s, LK_TEXT("w3"), id, see_notice, &seen, &err), 0);
}

static int64_t pruned(struct store *s, lk_instant before)
{
	int64_t mailbox = 0, gone = 0;
	int more = 1;

	while (more > 0) {
		GOOD(store_begin(s, &err));
		GOOD(more = store_prune_mailbox(s, &mailbox, before, 200, &gone, &err));
		GOOD(store_commit(s, &err));
	}
	return gone;
}

/* Up to the first that stands, is too young or that no client has stored; answers with what they answered. */
/* ---- What was just told ---------------------------------------------------------------------- */

#define TOLD_WORKERS 3
#define TOLD_IDS 30
#define TOLD_PLACES 4000

/* A history of tellings, and what the mailboxes' ends say of it when they are asked one way or the other. */
struct telling_on {
	struct store *s;
	unsigned chance;
	int64_t rev[TOLD_IDS];
	struct lk_bytes row[TOLD_WORKERS][TOLD_PLACES]; /* as the table has it, by place */
	int compared;
	bool is_pruned;
};

static const char *const told_workers[TOLD_WORKERS] = { "w1", "w2", "w3" };

static unsigned chance_of(struct telling_on *t, unsigned n)
{
	t->chance = t->chance * 1103515245u + 12345u;
	return (t->chance >> 16) % n;
}

static void put_int(struct lk_bytes *out, int64_t value)
{
	lk_bytes_add(out, &value, sizeof(value));
}

static void put_text(struct lk_bytes *out, struct lk_text text)
{
	put_int(out, lk_text_given(text) ? (int64_t)text.len : -1);
	lk_bytes_add(out, text.at, text.len);
}

/* All that a visitor is told. */
static void put_row(struct lk_bytes *out, const struct stored_notice *n)
{
	const int64_t numbers[] = { n->seq,          n->rev,      n->kind,       n->state,
				    n->level,        n->topic,    n->rule_class, n->own.agency,
				    n->other.agency, n->cause_at, n->told_at,    n->answered_at };

	lk_bytes_clear(out);
	put_text(out, n->worker);
	lk_bytes_add(out, n->id, LK_DIGEST);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		put_int(out, numbers[i]);
	put_text(out, n->own.number);
	put_text(out, n->other.number);
	put_text(out, n->answered_by);
	lk_notice_encode(n->said, out);
}

static struct lk_bytes *row_of_place(struct telling_on *t, const struct stored_notice *n)
{
	assert_in_range(n->seq, 1, TOLD_PLACES - 1);
	return &t->row[n->worker.at[1] - '1'][n->seq];
}

static int note_row(void *context, const struct stored_notice *n)
{
	put_row(row_of_place(context, n), n);
	return 0;
}

static int compare_row(void *context, const struct stored_notice *n)
{
	struct telling_on *t = context;
	const struct lk_bytes *row = row_of_place(t, n);
	struct lk_bytes same = { 0 };

	put_row(&same, n);
	assert_int_equal(same.len, row->len);
	assert_memory_equal(same.at, row->at, row->len);
	lk_bytes_free(&same);
	t->compared++;
	return 0;
}

/* A long one, so that not all of them are remembered. */
static void tell_one(struct telling_on *t)
{
	static const char event[] =
		"cws-cms/an-id-that-is-nearly-as-long-as-an-identifier-may-be-012345";
	unsigned i = chance_of(t, TOLD_IDS);
	uint8_t id[LK_DIGEST] = { (uint8_t)i };
	struct stored_notice n =
		a_notice(told_workers[chance_of(t, TOLD_WORKERS)], id, ++t->rev[i], "there");
	struct lk_notice said;

	n.state = t->rev[i] == 1 ? LK_NEW : chance_of(t, 2) ? LK_UPDATED : LK_WITHDRAWN;
	n.is_first = t->rev[i] == 1;
	if (chance_of(t, 4) == 0)
		n.other = (struct case_key){ LK_NO_CODE, LK_NO_TEXT };
	if (chance_of(t, 3) == 0)
		n.basis = LK_TEXT("WIC 18961.5");
	said = *a_saying(&n, "there");
	for (said.events_n = 0; said.events_n < LK_BECAUSE_MAX; said.events_n++)
		said.events[said.events_n] = lk_text_of(event);
	n.said = &said;
	add_notice(t->s, &n);
}

static void tell_some(struct telling_on *t)
{
	int64_t before[TOLD_IDS];
	uint8_t id[LK_DIGEST] = { (uint8_t)chance_of(t, TOLD_IDS) };

	memcpy(before, t->rev, sizeof(before));
	GOOD(store_begin(t->s, &err));
	for (unsigned n = 1 + chance_of(t, 24); n > 0; n--)
		tell_one(t);
	if (chance_of(t, 3) == 0)
		GOOD(store_answer(t->s, id, LK_TEXT("w2"), 70, &err));
	if (chance_of(t, 5) == 0)
		GOOD(store_answer_forget(t->s, id, &err));
	if (chance_of(t, 5) == 0) { /* asked in between: what waits is there */
		int n = store_notice_history(t->s, id, note_row, t, &err);

		assert_true(t->is_pruned ? n >= 0 : n == t->rev[id[0]]);
	}
	if (chance_of(t, 10) == 0) {
		store_rollback(t->s);
		memcpy(t->rev, before, sizeof(before));
	} else
		GOOD(store_commit(t->s, &err));
}

/* By ids the tables are asked; by places, memory where it can. */
static void compare_ends(struct telling_on *t)
{
	for (unsigned i = 0; i < TOLD_IDS; i++) {
		const uint8_t id[LK_DIGEST] = { (uint8_t)i };

		GOOD(store_notice_history(t->s, id, note_row, t, &err));
	}
	for (unsigned w = 0; w < TOLD_WORKERS; w++) {
		struct lk_text worker = lk_text_of(told_workers[w]);
		struct stored_mailbox box;
		int before = t->compared;

		GOOD(store_mailbox_get(t->s, worker, &box, &err));
		GOOD(store_notices_after(t->s, worker, box.first - 1, TOLD_PLACES, compare_row, t,
					 &err));
		assert_int_equal(t->compared - before, box.next - box.first);
		for (int64_t after = box.next > 40 ? box.next - 40 : 0; after < box.next;
		     after += 7) {
			before = t->compared;
			GOOD(store_notices_after(t->s, worker, after, 9, compare_row, t, &err));
			assert_int_equal(t->compared - before,
					 box.next - 1 - after < 9 ? box.next - 1 - after : 9);
		}
	}
}

static int64_t note_answered_at;

static int note_answer(void *context, const struct stored_notice *n)
{
	(void)context;
	assert_true((n->answered_at != LK_NO_INSTANT) == lk_text_is(n->answered_by, LK_TEXT("w2")));
	note_answered_at = n->answered_at;
	return 0;
}

static int64_t answered_at(struct store *s, int64_t seq)
{
	assert_int_equal(store_notice_at(s, LK_TEXT("w1"), seq, note_answer, NULL, &err), 1);
	return note_answered_at;
}

static void an_answer_is_seen_with_what_was_just_told(void **state)
{
	struct store *s = ((struct place *)*state)->store;
	struct stored_notice n = a_notice("w1", notice_a, 1, "x");

	for (int round = 0; round < 2; round++) {
		n.rev = 1 + round;
		n.is_first = round == 0;
		n.said = a_saying(&n, "x");
		GOOD(store_begin(s, &err));
		if (round > 0)
			GOOD(store_answer_forget(s, notice_a, &err));
		add_notice(s, &n);
		GOOD(store_commit(s, &err));
		assert_true(answered_at(s, n.rev) == LK_NO_INSTANT);
		GOOD(store_begin(s, &err));
		GOOD(store_answer(s, notice_a, LK_TEXT("w2"), 50 + round, &err));
		GOOD(store_commit(s, &err));
		assert_int_equal(answered_at(s, n.rev), 50 + round);
		assert_int_equal(answered_at(s, 1), 50 + round);
	}
	GOOD(store_begin(s, &err));
	GOOD(store_answer_forget(s, notice_a, &err));
	assert_true(answered_at(s, 1) == LK_NO_INSTANT);
	store_rollback(s);
	assert_int_equal(answered_at(s, 1), 51);
}

static void what_was_just_told_is_what_its_row_says(void **state)
{
	struct telling_on *t = calloc(1, sizeof(*t));

	assert_non_null(t);
	t->s = ((struct place *)*state)->store;
	for (int step = 0; step < 600; step++) {
		tell_some(t);
		if (step % 60 == 59)
			compare_ends(t);
		if (step == 300) {
			GOOD(store_begin(t->s, &err));
			GOOD(store_receipt(t->s, LK_TEXT("w1"), 900, &err));
			GOOD(store_commit(t->s, &err));
			assert_true(pruned(t->s, 3000) > 0);
			t->is_pruned = true;
		}
	}
	for (int w = 0; w < TOLD_WORKERS; w++)
		for (int i = 0; i < TOLD_PLACES; i++)
			lk_bytes_free(&t->row[w][i]);
	free(t);
}

static void the_front_of_a_mailbox_goes_as_far_as_it_may(void **state)
{
	struct place *place = *state;
	struct store *s = place->store;
	const uint8_t ids[][LK_DIGEST] = { { 1 }, { 2 }, { 3 }, { 2 }, { 4 }, { 5 } };
	struct stored_mailbox box;

	GOOD(store_begin(s, &err));
	for (int i = 0; i < 6; i++) {
		struct stored_notice n = a_notice("w1", ids[i], i == 3 ? 2 : 1, "body");

		n.rule_class = i == 1 || i == 3 || i == 4 ? STANDING : MOMENT;
		add_notice(s, &n);
	}
	GOOD(store_answer(s, ids[0], LK_TEXT("w1"), 50, &err));
	GOOD(store_answer(s, ids[1], LK_TEXT("w1"), 60, &err));
	GOOD(store_commit(s, &err));
	assert_int_equal(pruned(s, 3000), 0); /* nobody has stored them */
	GOOD(store_begin(s, &err));
	GOOD(store_receipt(s, LK_TEXT("w1"), 6, &err));
	GOOD(store_commit(s, &err));
	assert_int_equal(pruned(s, 2000), 0);
	assert_int_equal(pruned(s, 2001), 3);
	SAW("body body body", store_notices_after(s, LK_TEXT("w1"), 0, 9, see_notice, &seen, &err));
	GOOD(store_mailbox_get(s, LK_TEXT("w1"), &box, &err));
	assert_int_equal(box.first, 4);
	struct stored_notice want = a_notice("w1", ids[3], 2, "body");
	want.rule_class = STANDING;
	want.answered_by = LK_TEXT("w1");
	want.answered_at = 60;
	assert_int_equal(store_notice_find(s, LK_TEXT("w1"), ids[3], check_notice, &want, &err), 1);
	place_close(place);
	assert_int_equal(ask(place, "linkages.db", "SELECT count(*) FROM answer"), 1);
}

static void rolls_are_pruned_with_what_they_list(void **state)
{
	struct place *place = *state;
	struct store *s = place->store;
	uint8_t id[LK_DIGEST];

	GOOD(store_begin(s, &err));
	for (int i = 0; i < 700; i++)
		add_nth(s, i);
	GOOD(store_receipt(s, LK_TEXT("w1"), 100, &err));
	GOOD(store_receipt(s, LK_TEXT("w2"), 300, &err));
	GOOD(store_commit(s, &err));
	while (store_idle(s, &err) == 1)
		continue;
	assert_int_equal(pruned(s, 3000), 400);
	nth_id(3, id);
	struct seen seen = { 0 };
	assert_int_equal(store_notice_history(s, id, see_notice, &seen, &err), 0);
	is_found(s, 300); /* the first that is left of w1's, in the middle of a row */
	is_found(s, 699);
	place_close(place);
	assert_int_equal(ask(place, "linkages.db",
			     "SELECT 1000 * count(*) + sum(number & 4294967295) FROM roll"),
			 2000 + 1 + 257);
}

static void a_mailbox_is_there_before_its_row_and_receipts_only_grow(void **state)
{
	struct store *s = ((struct place *)*state)->store;
	struct stored_notice n = a_notice("w1", notice_a, 1, "body");
	struct stored_mailbox made, box;

	GOOD(store_mailbox_get(s, LK_TEXT("w1"), &made,
			       &err)); /* outside of a transaction: it writes nothing */
	assert_int_equal(made.first, 1);
	GOOD(store_begin(s, &err));
	add_notice(s, &n);
	GOOD(store_receipt(s, LK_TEXT("w1"), 1, &err));
	GOOD(store_receipt(s, LK_TEXT("w1"), 0, &err));
	GOOD(store_receipt(s, LK_TEXT("w1"), 900,
			   &err)); /* nobody can have stored what was never told */
	GOOD(store_commit(s, &err));
	GOOD(store_mailbox_get(s, LK_TEXT("w1"), &box, &err));
	assert_memory_equal(box.id, made.id, LK_DIGEST);
	assert_int_equal(made.next, 1);
	assert_int_equal(box.next, 2);
	assert_int_equal(box.received, 1);
}

static void stores_in_memory_are_the_same_each_time(void **state)
{
	struct store *s = ((struct place *)*state)->store, *twin;
	struct store_options options = { .directory = NULL };
	struct stored_mailbox one, other;

	GOOD(store_open(&options, &twin, &err));
	GOOD(store_begin(s, &err));
	GOOD(store_begin(twin, &err));
	GOOD(store_mailbox_get(s, LK_TEXT("w1"), &one, &err));
	GOOD(store_mailbox_get(twin, LK_TEXT("w1"), &other, &err));
	assert_memory_equal(one.id, other.id, LK_DIGEST);
	GOOD(store_mailbox_get(s, LK_TEXT("w2"), &other, &err));
	assert_memory_not_equal(one.id, other.id, LK_DIGEST);
	store_close(twin);
}

/* ---- Ledger ---------------------------------------------------------------------------------- */

static void number(struct lk_bytes *b, int64_t value)
{
	for (unsigned i = 0; i < 8; i++)
		lk_bytes_add(b, &(uint8_t){ (uint8_t)((uint64_t)value >> (8 * i)) }, 1);
}

static void column(struct lk_bytes *b, sqlite3_stmt *row, int i)
{
	bool given = sqlite3_column_type(row, i) != SQLITE_NULL;

	number(b, given ? sqlite3_column_bytes(row, i) : -1);
	if (given)
		lk_bytes_add(b, sqlite3_column_text(row, i), (size_t)sqlite3_column_bytes(row, i));
}

/* Follows the chain as ledger.c describes it, with nothing of ours: the first row that breaks
 * it, or 0. */
static int64_t chain_break(const struct place *place)
{
	sqlite3 *db;
	sqlite3_stmt *row;
	uint8_t chain[LK_DIGEST] = { 0 }, digest[LK_DIGEST];
	struct lk_bytes bytes = { 0 };
	int64_t broken = 0, expected = 1;

	assert_int_equal(sqlite3_open_v2(path_in(place, "linkages.db"), &db, SQLITE_OPEN_READONLY,
					 NULL),
			 SQLITE_OK);
	assert_int_equal(
		sqlite3_prepare_v2(
			db,
			"SELECT number, at, first_seq, last_seq, level, worker_name, session, basis, seal, chain "
			"FROM ledger_row WHERE reader IS NOT NULL ORDER BY number",
			-1, &row, NULL),
		SQLITE_OK);
	for (; sqlite3_step(row) == SQLITE_ROW && broken == 0; expected++) {
		lk_bytes_clear(&bytes);
		lk_bytes_add(&bytes, sqlite3_column_blob(row, 8),
			     (size_t)sqlite3_column_bytes(row, 8));
		for (int i = 1; i < 5; i++)
			number(&bytes, sqlite3_column_int64(row, i));
		for (int i = 5; i < 8; i++)
			column(&bytes, row, i);
		lk_digest(bytes.at, bytes.len, NULL, digest);
		lk_bytes_clear(&bytes);
		lk_bytes_add(&bytes, chain, LK_DIGEST);
		number(&bytes, sqlite3_column_int64(row, 0));
		lk_bytes_add(&bytes, digest, LK_DIGEST);
		lk_digest(bytes.at, bytes.len, NULL, chain);
		if (sqlite3_column_int64(row, 0) != expected ||
		    memcmp(chain, sqlite3_column_blob(row, 9), LK_DIGEST) != 0)
			broken = expected;
	}
	lk_bytes_free(&bytes);
	(void)sqlite3_finalize(row);
	(void)sqlite3_close(db);
	return broken;
}

static void the_ledger_is_a_chain(void **state)
{
	struct place *place = *state;

	for (int64_t i = 1; i <= 12; i++) {
		struct ledger_row row = { .at = i,
					  .worker = LK_TEXT("w1"),
					  .from = i,
					  .upto = i,
					  .level = LK_CONTENT,
					  .basis = LK_TEXT("WIC 18961.5") };

		if (i % 2 == 0)
			row.session = LK_TEXT("s");
		GOOD(store_begin(place->store, &err));
		GOOD(store_ledger_add(place->store, &row, &err));
		if (i % 3 == 0)
			store_rollback(place->store);
		else
			GOOD(store_commit(place->store, &err));
		if (i == 6) { /* the chain goes on where it was */
			place_close(place);
			GOOD(place_open(place));
		}
	}
	place_close(place);
	assert_int_equal(ask(place, "linkages.db", "SELECT count(*) FROM ledger"), 8);
	assert_int_equal(chain_break(place), 0);
	meddle(place, "linkages.db",
	       "UPDATE ledger SET basis = 'WIC 18961.4', ground = NULL WHERE number = 3");
	assert_int_equal(chain_break(place), 3);
	meddle(place, "linkages.db", "DELETE FROM ledger WHERE number = 2");
	assert_int_equal(chain_break(place), 2);
}

static int see_basis(void *context, const struct ledger_row *row)
{
	return see(context, row->basis);
}

static void the_ledger_tells_of_one_place_in_a_mailbox(void **state)
{
	struct store *s = ((struct place *)*state)->store;
	struct ledger_row row = { .worker = LK_TEXT("w1"),
				  .session = LK_TEXT("s"),
				  .from = 1,
				  .upto = 3,
				  .level = LK_CONTENT,
				  .basis = LK_TEXT("handed-out") };

	GOOD(store_begin(s, &err));
	for (int i = 1; i <= 4; i++) {
		uint8_t id[LK_DIGEST] = { (uint8_t)i };
		struct stored_notice n = a_notice("w1", id, 1, "body");

		if (i != 3) /* which says nothing of the other side */
			n.basis = i == 2 ? LK_TEXT("made") : LK_TEXT("another");
		add_notice(s, &n);
	}
	GOOD(store_ledger_add(s, &row, &err));
	GOOD(store_commit(s, &err));
	SAW("made handed-out", store_ledger_of(s, LK_TEXT("w1"), 2, see_basis, &seen, &err));
	SAW("handed-out", store_ledger_of(s, LK_TEXT("w1"), 3, see_basis, &seen, &err));
	SAW("another", store_ledger_of(s, LK_TEXT("w1"), 4, see_basis, &seen, &err));
	SAW("", store_ledger_of(s, LK_TEXT("nobody"), 2, see_basis, &seen, &err));
	SAW("made another", store_ledger_after(s, 1, 2, see_basis, &seen, &err));
}

/* ---- Transactions ---------------------------------------------------------------------------- */

static void writing_needs_a_transaction(void **state)
{
	struct store *s = ((struct place *)*state)->store;

	REFUSED(store_value_put(s, "clock", 1, &err), LK_ESTATE, "transaction");
	REFUSED(store_commit(s, &err), LK_ESTATE, "no transaction");
	GOOD(store_begin(s, &err));
	REFUSED(store_begin(s, &err), LK_ESTATE, "open already");
	REFUSED(store_idle(s, &err), LK_ESTATE, "idle");
	GOOD(store_value_put(s, "clock", 1, &err));
	GOOD(store_value_put(s, "clock", 2, &err));
	GOOD(store_commit(s, &err));
	int64_t value = 0;
	assert_int_equal(store_value_get(s, "clock", &value, &err), 1);
	assert_int_equal(value, 2);
	assert_int_equal(store_value_get(s, "boot", &value, &err), 0);
	store_rollback(s); /* of nothing: nothing happens */
}

struct nested {
	struct store *store;
	int answer;
};

static int walk_again(void *context, const struct stored_event *event)
{
	struct nested *nested = context;
	struct seen seen = { 0 };

	(void)event;
	nested->answer = store_case_events(nested->store, CWS_CASE, see_event, &seen, &err);
	return 0;
}

static void a_walk_within_itself_is_refused_and_goes_on(void **state)
{
	struct store *s = ((struct place *)*state)->store;
	struct nested nested = { s, 0 };
	struct stored_event e = an_event("e1");

	GOOD(store_begin(s, &err));
	add_event(s, &e);
	GOOD(store_commit(s, &err));
	GOOD(store_case_events(s, CWS_CASE, walk_again, &nested, &err));
	assert_int_equal(nested.answer, LK_ESTATE);
	SAW("e1", store_case_events(s, CWS_CASE, see_event, &seen, &err));
}

static void names_of_a_batch_that_failed_are_forgotten(void **state)
{
	struct place *place = *state;
	struct stored_event e = an_event("e1");

	for (int round = 0; round < 2; round++) {
		GOOD(store_begin(place->store, &err));
		e.number = round == 0 ? LK_TEXT("C-gone") : LK_TEXT("C-kept");
		e.source = round == 0 ? LK_TEXT("gone") : LK_TEXT("kept");
		add_event(place->store, &e);
		if (round == 0)
			store_rollback(place->store);
	}
	e.id = LK_TEXT("e2");
	e.number = LK_TEXT("C-gone"); /* its number would now be that of C-kept */
	add_event(place->store, &e);
	GOOD(store_commit(place->store, &err));
	place_close(place);
	assert_int_equal(ask(place, "linkages.db", "SELECT count(*) FROM event_row"), 2);
	assert_int_equal(
		ask(place, "linkages.db",
		    "SELECT count(*) FROM event_row WHERE number = 'C-gone' AND id = 'e2'"),
		1);
	assert_int_equal(ask(place, "linkages.db", "SELECT count(*) FROM source"), 1);
}

static void what_was_committed_is_there_after_closing(void **state)
{
	struct place *place = *state;
	struct stored_event one = an_event("e1"), two = an_event("e2");
	struct store_counts counts = { 0 };

	GOOD(store_begin(place->store, &err));
	add_event(place->store, &one);
	GOOD(store_commit(place->store, &err));
	GOOD(store_begin(place->store, &err));
	add_event(place->store, &two);
	place_close(place);
	GOOD(place_open(place));
	SAW("e1", store_case_events(place->store, CWS_CASE, see_event, &seen, &err));
	GOOD(store_counts(place->store, &counts, &err));
	assert_int_equal(counts.events, 1);
	assert_int_equal(counts.cases, 1);
	assert_true(counts.bytes > 0);
}

/* A random history with rollbacks, and what must hold of the file afterwards: each question
 * gives rows that may not be. */
static const char *const invariants[] = {
	"SELECT 1 FROM event LEFT JOIN source ON source.ref = event.source WHERE source.ref IS NULL",
	"SELECT 1 FROM event LEFT JOIN agency_case ON agency_case.ref = case_ref WHERE agency_case.ref IS NULL",
	"SELECT 1 FROM event WHERE stream IS NOT NULL AND stream NOT IN (SELECT ref FROM stream)",
	"SELECT 1 FROM (SELECT max(position) AS last, count(*) AS n FROM event) WHERE last <> n",
	"SELECT 1 FROM notice_row GROUP BY worker_name HAVING min(seq) <> 1 OR max(seq) <> count(*)",
	"SELECT 1 FROM worker WHERE next - 1 <> (SELECT count(*) FROM notice WHERE number >> 32 = worker.ref)",
	"SELECT 1 FROM roll JOIN notice ON notice.number BETWEEN roll.number AND roll.number + 127 WHERE substr(id, 1, 3) <> substr(starts, 1 + 3 * (notice.number - roll.number), 3)",
	"SELECT 1 FROM roll WHERE length(starts) <> 384 OR (number & 4294967295) % 128 <> 1",
	"SELECT 1 FROM worker WHERE rolled <> 128 * (SELECT count(*) FROM roll WHERE number >> 32 = worker.ref)",
	"SELECT 1 FROM worker WHERE next > 1 AND mailbox IS NULL",
	"SELECT 1 FROM notice WHERE own_case IS NOT NULL AND own_case NOT IN (SELECT ref FROM agency_case)",
	"SELECT 1 FROM link AS a WHERE NOT EXISTS (SELECT 1 FROM link AS b WHERE b.one = a.other AND b.other = a.one)",
	"SELECT 1 FROM family WHERE policy NOT IN (SELECT ref FROM policy)",
	"SELECT 1 FROM family WHERE ref NOT IN (SELECT ref FROM dirty)",
	"SELECT 1 FROM dirty WHERE ref NOT IN (SELECT ref FROM family)",
	"SELECT 1 FROM (SELECT max(number) AS last, count(*) AS n FROM ledger) WHERE last <> n",
};

static void random_row(struct store *s, int round)
{
	char id[32], who[16] = "";
	uint8_t digest[LK_DIGEST] = { (uint8_t)dice(4), 9 };
	struct case_key one = { (int)dice(2), lk_text_of(who) };

	(void)snprintf(id, sizeof(id), "e%d-%u", round, dice(1000000));
	(void)snprintf(who, sizeof(who), "n%u", dice(9));
	switch (dice(5)) {
	case 0: {
		struct stored_event e = an_event(id);

		e.number = one.number;
		e.agency = one.agency;
		memcpy(e.epoch, digest, LK_DIGEST);
		add_event(s, &e);
		break;
	}
	case 1: {
		uint8_t notice[LK_DIGEST];

		lk_digest(id, strlen(id), NULL, notice);
		struct stored_notice n = a_notice(who, notice, 1, id);
		add_notice(s, &n);
		break;
	}
	case 2: {
		struct stored_family f =
			a_family(digest, dice(100), dice(2) != 0 ? policy_a : policy_b);

		GOOD(store_family_put(s, &f, &err));
		break;
	}
	case 3: GOOD(store_link_put(s, one, AID_CASE, 1, &err)); break;
	case 4: {
		struct ledger_row row = { .worker = lk_text_of(who),
					  .basis = LK_TEXT("purpose: audit") };

		GOOD(store_ledger_add(s, &row, &err));
		break;
	}
	}
}

static void invariants_hold_after_any_history(void **state)
{
	struct place *place = *state;

	dice_state = 20260101;
	for (int round = 0; round < 300; round++) {
		GOOD(store_begin(place->store, &err));
		for (uint32_t n = dice(12); n > 0; n--)
			random_row(place->store, round);
		if (dice(4) == 0)
			store_rollback(place->store);
		else
			GOOD(store_commit(place->store, &err));
		if (dice(40) == 0) {
			place_close(place);
			GOOD(place_open(place));
		}
	}
	place_close(place);
	assert_true(ask(place, "linkages.db", "SELECT count(*) FROM event") > 100);
	for (size_t i = 0; i < sizeof(invariants) / sizeof(invariants[0]); i++)
		if (ask(place, "linkages.db", invariants[i]) == 1)
			fail_msg("does not hold: %s", invariants[i]);
	assert_int_equal(chain_break(place), 0);
}

/* ---- The disk -------------------------------------------------------------------------------- */

static int on_watched_disk(void **state)
{
	disk_watch();
	return in_directory(state);
}

static int leave_watched_disk(void **state)
{
	disk.write_answer = disk.sync_answer = SQLITE_OK;
	(void)leave(state);
	disk_unwatch();
	return 0;
}

static void a_commit_returns_only_after_its_sync(void **state)
{
	struct store *s = ((struct place *)*state)->store;

	for (int i = 0; i < 5; i++) {
		char id[16];
		int writes = disk.writes, syncs = disk.syncs;

		(void)snprintf(id, sizeof(id), "e%d", i);
		struct stored_event e = an_event(id);
		GOOD(store_begin(s, &err));
		add_event(s, &e);
		GOOD(store_commit(s, &err));
		assert_true(disk.writes > writes);
		assert_true(disk.syncs > syncs);
		assert_int_equal(disk.unsynced, 0); /* nothing was written after the last sync */
	}
}

static void a_full_disk_keeps_nothing_of_the_batch(void **state)
{
	struct place *place = *state;
	struct stored_event one = an_event("e1"), two = an_event("e2");

	GOOD(store_begin(place->store, &err));
	add_event(place->store, &one);
	disk.write_answer = SQLITE_FULL;
	assert_int_equal(store_commit(place->store, &err), LK_EFULL);
	store_rollback(place->store);
	disk.write_answer = SQLITE_OK;
	SAW("", store_case_events(place->store, CWS_CASE, see_event, &seen, &err));
	GOOD(store_begin(place->store, &err));
	assert_int_equal(add_event(place->store, &two), 1);
	GOOD(store_commit(place->store, &err));
	SAW("e2", store_case_events(place->store, CWS_CASE, see_event, &seen, &err));
}

/* A batch larger than the cache spills before its commit: then SQLite gives the transaction up
 * by itself. */
static void a_transaction_that_sqlite_gave_up_is_not_written_to(void **state)
{
	struct place *place = *state;
	static char body[60000];
	int rc = 1;

	GOOD(store_begin(place->store, &err));
	disk.write_answer = SQLITE_FULL;
	for (int i = 0; i < 2500 && rc == 1; i++) {
		char id[16];
		int64_t position;

		(void)snprintf(id, sizeof(id), "e%d", i);
		struct stored_event e = an_event(id);
		e.body = body;
		e.body_len = sizeof(body);
		rc = store_event_add(place->store, &e, &position, &err);
	}
	disk.write_answer = SQLITE_OK;
	assert_int_equal(rc, LK_EFULL);
	struct stored_event late = an_event("late");
	int64_t position;
	REFUSED(store_event_add(place->store, &late, &position, &err), LK_ESTORE, "rolled back");
	assert_true(store_commit(place->store, &err) < 0);
	store_rollback(place->store);
	GOOD(store_begin(place->store, &err));
	assert_int_equal(add_event(place->store, &late), 1);
	GOOD(store_commit(place->store, &err));
}

static void after_a_failed_sync_nothing_is_promised(void **state)
{
	struct place *place = *state;
	struct stored_event e = an_event("e1");
	struct seen seen = { 0 };

	GOOD(store_begin(place->store, &err));
	add_event(place->store, &e);
	disk.sync_answer = SQLITE_IOERR_FSYNC;
	assert_int_equal(store_commit(place->store, &err), LK_ESYNC);
	store_rollback(place->store);
	disk.sync_answer =
		SQLITE_OK; /* the disk says that all is well again: it is not to be believed */
	assert_int_equal(store_begin(place->store, &err), LK_ESYNC);
	assert_int_equal(store_idle(place->store, &err), LK_ESYNC);
	assert_int_equal(store_case_events(place->store, CWS_CASE, see_event, &seen, &err),
			 LK_ESYNC);
}

static void the_write_ahead_log_stays_small(void **state)
{
	struct place *place = *state;
	static char body[20000];
	struct store_counts counts = { 0 };

	for (int i = 0; i < 400; i++) {
		char id[16];

		(void)snprintf(id, sizeof(id), "e%d", i);
		struct stored_event e = an_event(id);
		e.body = body;
		e.body_len = sizeof(body);
		GOOD(store_begin(place->store, &err));
		for (int part = 0; part < 5; part++) {
			struct dead_letter letter = a_letter(id, 0);

			letter.body = body;
			letter.body_len = sizeof(body);
			GOOD(store_dead_letter_add(place->store, &letter, &err));
		}
		add_event(place->store, &e);
		GOOD(store_commit(place->store, &err));
		GOOD(store_idle(place->store, &err));
	}
	GOOD(store_counts(place->store, &counts, &err));
	assert_true(counts.bytes > 40 * 1000 * 1000); /* it went into the database */
	assert_true(counts.wal_bytes < 40 * 1000 * 1000);
}

static int64_t log_bytes(struct place *place)
{
	struct store_counts counts = { 0 };

	GOOD(store_counts(place->store, &counts, &err));
	return counts.wal_bytes;
}

static void put_event(struct store *s, const char *id)
{
	struct stored_event e = an_event(id);

	GOOD(store_begin(s, &err));
	add_event(s, &e);
	GOOD(store_commit(s, &err));
}

static void a_log_is_written_ahead_and_then_over(void **state)
{
	struct place *place = *state;
	const struct store_options options = { .directory = place->directory, .log_room = 3000000 };

	place_close(place);
	GOOD(store_open(&options, &place->store, &err));
	assert_int_equal(log_bytes(place), 3000000);
	put_event(place->store, "e1");
	assert_int_equal(log_bytes(place), 3000000);
	GOOD(store_flush(place->store, &err));
	assert_int_equal(log_bytes(place), 0);
	while (store_idle(place->store, &err) == 1)
		;
	put_event(place->store, "e2");
	assert_int_equal(log_bytes(place), 3000000);
	place_close(place);
	GOOD(place_open(place));
	SAW("e1 e2", store_case_events(place->store, CWS_CASE, see_event, &seen, &err));
}

/* ---- Damage ---------------------------------------------------------------------------------- */

struct damage {
	const char *sql;
	int (*read)(struct store *s, struct seen *seen);
};

static int read_events(struct store *s, struct seen *seen)
{
	return store_case_events(s, CWS_CASE, see_event, seen, &err);
}

static int read_other_events(struct store *s, struct seen *seen)
{
	return store_case_events(s, AID_CASE, see_event, seen, &err);
}

static int read_letters(struct store *s, struct seen *seen)
{
	return store_dead_letters(s, 0, 9, see_letter, seen, &err);
}

static int read_family(struct store *s, struct seen *seen)
{
	return store_family_get(s, family_a, see_family, seen, &err);
}

static int read_notices(struct store *s, struct seen *seen)
{
	return store_notices_after(s, LK_TEXT("w1"), 0, 9, see_notice, seen, &err);
}

static int read_others_notices(struct store *s, struct seen *seen)
{
	return store_notices_after(s, LK_TEXT("w2"), 0, 9, see_notice, seen, &err);
}

/* Offences: one thing changed in a row, and the read that must notice it before it shows
 * anything. */
static const struct damage damages[] = {
	{ "UPDATE event SET body = x'6532'", read_events },
	{ "UPDATE event SET body = x'653100'", read_events },
	{ "UPDATE event SET id = 'e9'", read_events },
	{ "UPDATE event SET type = 0", read_events },
	{ "UPDATE event SET time_at = time_at + 1", read_events },
	{ "UPDATE event SET case_ref = (SELECT ref FROM agency_case WHERE number = 'W-200')",
	  read_other_events },
	{ "UPDATE agency_case SET agency = 1 - agency, number = 'W-200' WHERE number = 'C-100'",
	  read_other_events },
	{ "UPDATE dead_letter SET body = x'00'", read_letters },
	{ "UPDATE dead_letter SET source = 'calsaws'", read_letters },
	{ "UPDATE family SET state = x'7374617466'", read_family },
	{ "UPDATE family SET told = x'746f6c63'", read_family },
	{ "UPDATE family SET wake_at = 11", read_family },
	{ "UPDATE notice SET body = x'626f647a'", read_notices },
	{ "UPDATE notice SET body = CAST(replace(body, 'body', 'bodz') AS BLOB)", read_notices },
	{ "UPDATE notice SET body = substr(body, 1, length(body) - 1)", read_notices },
	{ "UPDATE phrase SET bytes = CAST('who said' AS BLOB)", read_notices },
	{ "DELETE FROM phrase", read_notices },
	{ "UPDATE notice SET marks = marks & ~(3 << 10)", read_notices },
	{ "UPDATE notice SET other_case = NULL", read_notices },
	{ "UPDATE notice SET number = number + 1", read_notices },
	{ "UPDATE notice SET number = (SELECT ref << 32 FROM worker WHERE name = 'w2') + 1",
	  read_others_notices },
	{ "UPDATE worker SET name = 'w2' WHERE name = 'w1'", read_others_notices },
	{ "DELETE FROM notice", read_notices },
};

static void put_one_of_each(struct store *s)
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

static void a_changed_row_is_noticed_before_it_is_shown(void **state)
{
	struct place *place = *state;
	static const char *const undo[] = { "linkages.db", "linkages.kept" };

	put_one_of_each(place->store);
	place_close(place);
	for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
		struct seen seen = { 0 };
		char copy[200];

		(void)unlink(path_in(place, undo[1]));
		(void)snprintf(copy, sizeof(copy), "VACUUM INTO '%s'", path_in(place, undo[1]));
		meddle(place, undo[0], copy);
		meddle(place, undo[0],
		       "INSERT OR IGNORE INTO agency_case (agency, number) SELECT 1, 'W-200' "
		       "WHERE NOT EXISTS (SELECT 1 FROM agency_case WHERE number = 'W-200')");
		if (strstr(damages[i].sql, "UPDATE agency_case") != NULL)
			meddle(place, undo[0], "DELETE FROM agency_case WHERE number = 'W-200'");
		if (strstr(damages[i].sql, "name = 'w2')") != NULL)
			meddle(place, undo[0], "INSERT INTO worker (name) VALUES ('w2')");
		meddle(place, undo[0], damages[i].sql);
		GOOD(place_open(place));
		if (damages[i].read(place->store, &seen) != LK_ESTORE)
			fail_msg("not noticed: %s", damages[i].sql);
		assert_non_null(strstr(err.text, "damaged"));
		assert_int_equal(seen.n, 0);
		place_close(place);
		assert_int_equal(unlink(path_in(place, "linkages.suspect")), 0);
		assert_int_equal(rename(path_in(place, undo[1]), path_in(place, undo[0])), 0);
	}
}

/* Rows that a page took with it: nothing is left whose sum could be wrong. */
static const char *const losses[] = {
	"DELETE FROM notice WHERE number & 3 = 1",
	"DELETE FROM notice WHERE number & 3 = 2",
	"DELETE FROM notice WHERE number & 3 = 3",
	"DELETE FROM notice",
	"DELETE FROM event WHERE position = 1",
	"DELETE FROM family",
	"DELETE FROM agency_case",
	"DELETE FROM source",
	"DELETE FROM worker",
};

static void put_several(struct store *s)
{
	static const uint8_t ids[3][LK_DIGEST] = { { 1 }, { 2 }, { 3 } };
	struct stored_family f = a_family(family_a, 10, policy_a);
	char id[16];

	GOOD(store_begin(s, &err));
	for (int i = 0; i < 9; i++) {
		(void)snprintf(id, sizeof(id), "e%d", i);
		struct stored_event e = an_event(id);
		add_event(s, &e);
	}
	for (int i = 0; i < 3; i++) {
		struct stored_notice n = a_notice("w1", ids[i], 1, "body");
		add_notice(s, &n);
	}
	GOOD(store_family_put(s, &f, &err));
	GOOD(store_case_join(s, CWS_CASE, family_a, &err));
	GOOD(store_commit(s, &err));
}

static int64_t damages_found(struct store *s)
{
	struct store_check check = { 0 };
	int more;

	while ((more = store_check(s, &check, 1, &err)) > 0)
		continue;
	assert_int_equal(more, 0);
	return check.damages;
}

static void what_is_gone_without_a_trace_is_noticed(void **state)
{
	struct place *place = *state;
	char copy[200];

	put_several(place->store);
	assert_int_equal(damages_found(place->store), 0);
	place_close(place);
	/* As it is when some more have come: store/recent.c. */
	meddle(place, "linkages.db",
	       "INSERT INTO event_case (case_ref, position) SELECT case_ref, position FROM event");
	meddle(place, "linkages.db",
	       "INSERT OR REPLACE INTO value (name, value) VALUES ('event_case.upto', 9)");
	(void)snprintf(copy, sizeof(copy), "VACUUM INTO '%s'", path_in(place, "linkages.kept"));
	meddle(place, "linkages.db", copy);
	for (size_t i = 0; i < sizeof(losses) / sizeof(losses[0]); i++) {
		(void)snprintf(copy, sizeof(copy), "cp '%s/linkages.kept' '%s/linkages.db'",
			       place->directory, place->directory);
		assert_int_equal(system(copy), 0);
		meddle(place, "linkages.db", losses[i]);
		GOOD(place_open(place));
		if (damages_found(place->store) == 0)
			fail_msg("not noticed: %s", losses[i]);
		place_close(place);
		(void)unlink(path_in(place, "linkages.suspect"));
	}
	GOOD(place_open(place));
}

/* ---- Files ----------------------------------------------------------------------------------- */

static unsigned mode_of(const struct place *place, const char *name)
{
	struct stat st;

	assert_int_equal(stat(path_in(place, name), &st), 0);
	return (unsigned)st.st_mode & 0777u;
}

static void files_have_their_modes(void **state)
{
	struct place *place = *state;
	struct stored_event e = an_event("e1");

	GOOD(store_begin(place->store, &err));
	add_event(place->store, &e);
	GOOD(store_commit(place->store, &err));
	assert_int_equal(mode_of(place, "linkages.db"), 0600);
	assert_int_equal(mode_of(place, "linkages.db-wal"), 0600);
	assert_int_equal(mode_of(place, "state.db"), 0640);
	assert_int_equal(mode_of(place, "state.db-wal"), 0640);
	assert_int_equal(mode_of(place, "state.db-shm"), 0640);
	assert_int_equal(access(path_in(place, "linkages.db-shm"), F_OK),
			 -1); /* nobody else is to look in */
}

static void a_second_daemon_is_refused(void **state)
{
	struct place *place = *state;
	struct store_options options = { .directory = place->directory };
	struct store *second;

	REFUSED(store_open(&options, &second, &err), LK_ESTATE,
		"linkages.db is held by another process");
	assert_null(second);
	pid_t child = fork();
	if (child == 0)
		_exit(store_open(&options, &second, &err) == LK_ESTATE ? 0 : 1);
	int status = -1;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	GOOD(store_begin(place->store, &err)); /* the first goes on */
	store_rollback(place->store);
}

static void refused_with(struct place *place, int fault, const char *words)
{
	if (place_open(place) >= 0)
		fail_msg("was opened; should have been refused: %s", words);
	REFUSED(err.code, fault, words);
	assert_null(place->store);
}

static void a_newer_or_foreign_file_is_refused(void **state)
{
	struct place *place = *state;

	place_close(place);
	meddle(place, "linkages.db", "PRAGMA user_version = 900");
	refused_with(place, LK_ESTORE, "linkages.db is newer: it has version 900");
	assert_int_equal(ask(place, "linkages.db", "PRAGMA user_version"),
			 900); /* and left as it was */
	meddle(place, "linkages.db", "PRAGMA user_version = 1; PRAGMA application_id = 77");
	refused_with(place, LK_ESTORE, "linkages.db is foreign: its application id");
	file_write(path_in(place, "linkages.db"),
		   "Dear diary, this is no database at all. Not even nearly so, or is it?");
	refused_with(place, LK_ESTORE, "linkages.db is foreign: it is no SQLite database");
}

/* The runbook says that it may be deleted: nobody thinks of the files beside it. */
static void state_db_may_be_deleted(void **state)
{
	struct place *place = *state;
	struct stored_event e = an_event("e1");

	GOOD(store_begin(place->store, &err));
	add_event(place->store, &e);
	GOOD(store_commit(place->store, &err));
	place_close(place);
	assert_int_equal(access(path_in(place, "state.db-wal"), F_OK), 0);
	assert_int_equal(unlink(path_in(place, "state.db")), 0);
	GOOD(place_open(place));
	assert_int_equal(mode_of(place, "state.db"), 0640);
	place_close(place);
	file_write(path_in(place, "state.db"),
		   "Dear diary, this is no database at all. Not even nearly so, or is it?");
	refused_with(place, LK_ESTORE, "move it away, and it is made anew");
	assert_int_equal(unlink(path_in(place, "state.db")), 0);
	GOOD(place_open(place));
}

static void an_empty_missing_or_swapped_file_is_refused(void **state)
{
	struct place *place = *state;
	struct store_options nowhere = { .directory = "/nonexistent/linkages" };
	struct store *store;

	place_close(place);
	assert_int_equal(rename(path_in(place, "linkages.db"), path_in(place, "kept")), 0);
	file_write(path_in(place, "linkages.db"), "");
	refused_with(place, LK_ESTORE, "linkages.db is empty");
	assert_int_equal(unlink(path_in(place, "linkages.db")), 0);
	file_write(path_in(place, "linkages.db-wal"), "what was written ahead");
	refused_with(place, LK_ESTORE, "linkages.db is missing, its write-ahead log is there");
	assert_int_equal(unlink(path_in(place, "linkages.db-wal")), 0);
	assert_int_equal(rename(path_in(place, "state.db"), path_in(place, "linkages.db")), 0);
	refused_with(place, LK_ESTORE, "linkages.db is foreign: its application id");
	assert_int_equal(rename(path_in(place, "kept"), path_in(place, "state.db")), 0);
	assert_int_equal(unlink(path_in(place, "linkages.db")), 0);
	refused_with(place, LK_ESTORE, "state.db is foreign: its application id");
	assert_true(store_open(&nowhere, &store, &err) < 0);
}

static void a_truncated_or_damaged_file_is_refused(void **state)
{
	struct place *place = *state;

	put_one_of_each(place->store);
	place_close(place);
	char *path = path_in(place, "linkages.db");
	struct stat st;
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(truncate(path, st.st_size / 8192 * 4096), 0);
	refused_with(place, LK_ESTORE, "linkages.db is damaged");
}

static void a_start_that_was_cut_short_leaves_nothing_behind(void **state)
{
	struct place *place = *state;

	place_close(place);
	assert_int_equal(rename(path_in(place, "linkages.db"), path_in(place, "linkages.db.new")),
			 0);
	assert_int_equal(truncate(path_in(place, "linkages.db.new"), 5000), 0);
	GOOD(place_open(place)); /* a new store, a whole one; state.db is made anew to fit it */
	put_one_of_each(place->store);
	assert_int_equal(access(path_in(place, "linkages.db.new"), F_OK), -1);
}

static void a_store_can_be_read_only(void **state)
{
	struct place *place = *state;
	struct store_options options = { .directory = place->directory, .read_only = true };
	struct store *s;

	put_one_of_each(place->store);
	REFUSED(store_open(&options, &s, &err), LK_ESTATE, "held by another process");
	place_close(place);
	GOOD(store_open(&options, &s, &err));
	SAW("e1", store_case_events(s, CWS_CASE, see_event, &seen, &err));
	REFUSED(store_begin(s, &err), LK_ESTATE, "read only");
	store_close(s);
	assert_int_equal(unlink(path_in(place, "linkages.db")), 0);
	assert_int_equal(store_open(&options, &s, &err), LK_ENOTFOUND);
}

/* ---- Versions, tables, statements ------------------------------------------------------------ */

/* sqlite_schema as one text, of a file or of what a script makes. */
static char *schema_of(sqlite3 *db)
{
	sqlite3_stmt *statement;
	size_t room = 1 << 17, len = 0;
	char *text = calloc(1, room);

	assert_int_equal(sqlite3_prepare_v2(db, "SELECT name, sql FROM sqlite_schema ORDER BY name",
					    -1, &statement, NULL),
			 SQLITE_OK);
	while (sqlite3_step(statement) == SQLITE_ROW) {
		const unsigned char *sql = sqlite3_column_text(statement, 1);

		len += (size_t)snprintf(text + len, room - len, "%s\n%s\n",
					sqlite3_column_text(statement, 0),
					sql != NULL ? (const char *)sql : "");
		assert_true(len < room);
	}
	(void)sqlite3_finalize(statement);
	return text;
}

static sqlite3 *db_from(const char *script)
{
	char *sql = file_read(script), *why = NULL;
	sqlite3 *db;

	assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
	if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK)
		fail_msg("%s: %s", script, why);
	free(sql);
	return db;
}

static void the_published_schemas_are_those_of_a_new_store(void **state)
{
	static const struct {
		const char *file, *published;
	} pairs[] = { { "linkages.db", TEST_ROOT "/schemas/store.sql" },
		      { "state.db", TEST_ROOT "/schemas/state.sql" } };
	struct place *place = *state;

	place_close(place);
	for (size_t i = 0; i < 2; i++) {
		sqlite3 *made = db_from(pairs[i].published), *found;
		char *want = schema_of(made), *got;

		assert_int_equal(sqlite3_open(path_in(place, pairs[i].file), &found), SQLITE_OK);
		got = schema_of(found);
		assert_string_equal(want, got);
		free(want);
		free(got);
		(void)sqlite3_close(made);
		(void)sqlite3_close(found);
	}
}

/* A file of every version that was ever released opens, and has the schema of a new one
 * afterwards. */
static void every_old_version_is_brought_up_to_date(void **state)
{
	static const char *const versions[] = { TEST_ROOT "/daemon/store/linkages-1.sql",
						TEST_ROOT "/daemon/store/linkages-2.sql" };
	struct place *place = *state;
	sqlite3 *db;

	place_close(place);
	const int64_t present =
		sizeof(versions) / sizeof(versions[0]); /* a new one is listed above */

	assert_int_equal(ask(place, "linkages.db", "PRAGMA user_version"), present);
	for (int64_t version = 1; version <= present; version++) {
		char mark[200];

		assert_int_equal(unlink(path_in(place, "linkages.db")), 0);
		assert_int_equal(sqlite3_open(path_in(place, "linkages.db"), &db), SQLITE_OK);
		for (int64_t v = 0; v < version; v++) {
			char *sql = file_read(versions[v]);

			assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
			free(sql);
		}
		(void)snprintf(mark, sizeof(mark),
			       "PRAGMA application_id = 0x4c4b4442; PRAGMA user_version = %d",
			       (int)version);
		assert_int_equal(sqlite3_exec(db, mark, NULL, NULL, NULL), SQLITE_OK);
		assert_int_equal(sqlite3_close(db), SQLITE_OK);
		GOOD(place_open(place));
		put_one_of_each(place->store);
		place_close(place);
		assert_int_equal(ask(place, "linkages.db", "PRAGMA user_version"), present);
	}
}

static void every_column_is_commented(void **state)
{
	static const char *const files[] = { TEST_ROOT "/daemon/store/linkages-1.sql",
					     TEST_ROOT "/daemon/store/linkages-2.sql",
					     TEST_ROOT "/daemon/store/state.sql" };
	int columns = 0;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		char *sql = file_read(files[i]), *rest = sql, *line;
		bool inside = false;

		while ((line = strtok_r(rest, "\n", &rest)) != NULL) {
			inside = strncmp(line, "CREATE TABLE", 12) == 0 ||
				 (inside && line[0] == '\t');
			if (!inside || line[0] != '\t' || line[1] < 'a' || line[1] > 'z')
				continue;
			columns++;
			if (strstr(line, " -- ") == NULL)
				fail_msg("%s: no comment: %s", files[i], line);
		}
		free(sql);
	}
	assert_true(columns > 100);
}

/* Statements that read a whole table on purpose, and why. */
static const char *const whole_tables[] = {
	"mend_streams",
	"mend_mailbox_ends",
	"mend_cases",
	"mend_rolls",
	"mend_rolled",
	"mend_mailboxes", /* a rebuild reads everything */
	"prune_letters",  /* in order of arrival, up to the first that stays */
	"hold_list",      /* a few rows, all of which are asked for */
	"backup_list",
	"backup_streams",
	"mailbox_names", /* a few rows, all of which are asked for */
	"count_all",     /* of workers only */
	"notice_take",   /* what waits in memory, to be taken */
	"ledger_take",   /* likewise */
	"unrolled",      /* the first of the mailboxes that have a whole row to come */
	"dirty_all",     /* state.db is filled anew */
	"change_all",    /* a start reads all that is there, and bounds how much it is */
	"dirty_some", /* what waits, in order of waiting: the walk is the question, and has a limit */
	"ledger_orders",          /* likewise: all that orders took away, against what they say */
	"letter_after",           /* likewise */
	"event_superseded_count", /* at open, of the few events that supersede others */
	"event_superseders",      /* likewise */
};

static bool may_scan(const char *name)
{
	for (size_t i = 0; i < sizeof(whole_tables) / sizeof(whole_tables[0]); i++)
		if (strcmp(whole_tables[i], name) == 0)
			return true;
	return false;
}

/* Plans as SQLite words them: SCAN reads all of a table or index. */
static bool scans(sqlite3 *db, const char *sql)
{
	char *explain = sqlite3_mprintf("EXPLAIN QUERY PLAN %s", sql);
	sqlite3_stmt *statement;
	bool found = false;

	if (sqlite3_prepare_v2(db, explain, -1, &statement, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(db));
	while (sqlite3_step(statement) == SQLITE_ROW) {
		const char *plan = (const char *)sqlite3_column_text(statement, 3);

		found |= strncmp(plan, "SCAN", 4) == 0 && strstr(plan, "CONSTANT ROW") == NULL;
	}
	(void)sqlite3_finalize(statement);
	sqlite3_free(explain);
	return found;
}

/* Tables that the store makes of what is in its memory. */
static const char waiting_tables[] =
	"CREATE TABLE notice_waiting (number, id, rev, marks, own_case, other_case, told_at, ledger, sum, body);"
	"CREATE TABLE ledger_waiting (number, at, reader, session, first_seq, last_seq, level, basis, ground, seal, chain)";

static int statements_that_scan(const char *schema, const char *statements, bool complain)
{
	sqlite3 *db = db_from(schema);
	char *sql = file_read(statements), *piece = strstr(sql, "-- name: ");
	int n = 0;

	assert_int_equal(sqlite3_exec(db, waiting_tables, NULL, NULL, NULL), SQLITE_OK);
	while (piece != NULL) {
		char *name = piece + strlen("-- name: "), *end = strchr(name, '\n');
		char *next = strstr(end, "-- name: ");

		*end = '\0';
		if (next != NULL)
			next[-1] = '\0';
		if (scans(db, end + 1) && !may_scan(name)) {
			n++;
			if (complain)
				fail_msg("%s reads a whole table", name);
		}
		piece = next;
	}
	free(sql);
	(void)sqlite3_close(db);
	return n;
}

static void no_statement_reads_a_whole_table(void **state)
{
	struct place *place = *state;

	statements_that_scan(TEST_ROOT "/schemas/store.sql",
			     TEST_ROOT "/daemon/store/statements.sql", true);
	statements_that_scan(TEST_ROOT "/daemon/store/state.sql",
			     TEST_ROOT "/daemon/store/state-statements.sql", true);
	/* The offence that this test is for. */
	file_write(path_in(place, "offence.sql"),
		   "-- name: offence\nSELECT 1 FROM event WHERE time_at = ?1\n");
	assert_int_equal(statements_that_scan(TEST_ROOT "/schemas/store.sql",
					      path_in(place, "offence.sql"), false),
			 1);
}

/* ---- state.db -------------------------------------------------------------------------------- */

static void a_mutual_family(struct family *f)
{
	family_init(f);
	struct kin *u = family_add_kin(f);
	u->joined_to = NONE;
	u->mutual = 1;
	u->episode = 1;
	u->episode_at = 86400 * LK_SECOND;
	u->ended_at = u->pltm_at = LK_NO_INSTANT;
	for (int agency = 0; agency < 2; agency++) {
		struct word number =
			family_word(f, agency == LK_CWS ? CWS_CASE.number : AID_CASE.number);
		struct kase *k = family_add_kase(f);

		k->number = number;
		k->agency = agency;
		k->open = 1;
		k->status = agency == LK_CWS ? LK_IFS : LK_SANCTIONED;
		k->status_at = 1500 * LK_SECOND / 1000;
		k->opened_at = k->first_opened_at = 0;
		k->closed_at = k->visited_at = k->contact_at = k->closing_at = LK_NO_INSTANT;
		k->status_until = LK_NO_DATE;
		k->closing_on = lk_date_of(2026, 3, 1);
		k->clock_used = agency == LK_CWS ? -1 : 41;
	}
	struct word id = family_word(f, LK_TEXT("k1"));
	*family_add_consent(f) =
		(struct consent){ .id = id,
				  .topics = 1u << LK_TOPIC_STATUS | 1u << LK_TOPIC_MEETING,
				  .expires = LK_NO_DATE,
				  .in_force = 1 };
	struct word worker = family_word(f, LK_TEXT("w1"));
	*family_add_assignment(f) = (struct assignment){ .role = LK_SOCIAL_WORKER,
							 .worker = worker,
							 .name = NO_WORD,
							 .phone = NO_WORD,
							 .until_at = LK_NO_INSTANT };
	*family_add_meeting(f) = (struct meeting){ .id = id, .version = 0 };
	*family_add_meeting(f) =
		(struct meeting){ .id = id, .version = NONE, .state = MEETING_MISSED };
	*family_add_word(f) = worker;
	*family_add_version(f) = (struct version){ .kind = LK_LTM,
						   .place = NO_WORD,
						   .organizer = worker,
						   .required_n = 1,
						   .optional = 1,
						   .family = 1,
						   .start_at = 0,
						   .end_at = LK_HOUR };
	assert_false(f->failed);
}

static void fill(struct store *s, const uint8_t id[LK_DIGEST], const struct family *f)
{
	GOOD(store_begin(s, &err));
	GOOD(store_project(s, id, f, &err));
	GOOD(store_commit(s, &err));
}

static void put_family(struct store *s, const uint8_t id[LK_DIGEST])
{
	struct stored_family row = a_family(id, LK_NO_INSTANT, policy_a);

	GOOD(store_begin(s, &err));
	GOOD(store_family_put(s, &row, &err));
	GOOD(store_commit(s, &err));
}

#define STATE(sql) ask(place, "state.db", "SELECT count(*) FROM " sql)

static void families_are_told_in_plain_tables_that_others_can_read(void **state)
{
	struct place *place = *state;
	struct family f;

	a_mutual_family(&f);
	GOOD(store_begin(place->store, &err));
	struct case_key refused = { LK_CALWORKS, LK_TEXT("W-no") };
	GOOD(store_link_put(place->store, CWS_CASE, AID_CASE, 0, &err));
	GOOD(store_link_put(place->store, CWS_CASE, refused, LINK_REFUSED, &err)); /* is no link */
	GOOD(store_commit(place->store, &err));
	put_family(place->store, family_a);
	fill(place->store, family_a, &f);
	fill(place->store, family_a, &f); /* replaced, not added */
	assert_int_equal(STATE("state_case"), 2);
	assert_int_equal(
		STATE("state_case WHERE status = 'ifs' AND number = 'C-100' AND is_open = 1 AND closed_at IS NULL "
		      "AND status_at = '1970-01-01T00:00:01.5+00:00' AND closing_on = '2026-03-01'"),
		1);
	assert_int_equal(
		STATE("consent WHERE topics = 'status,meeting' AND in_force = 1 AND agency = 'cws'"),
		1);
	assert_int_equal(STATE("clock WHERE used = 41 AND clock = 'tanf60' AND number = 'W-200'"),
			 1);
	assert_int_equal(STATE("link WHERE number = 'C-100' AND other_number = 'W-200'"), 1);
	assert_int_equal(STATE("link"), 1);
	assert_int_equal(
		STATE("meeting WHERE state = 'planned' AND kind = 'ltm' AND needs_family = 1"), 1);
	assert_int_equal(STATE("meeting WHERE state = 'missed' AND kind IS NULL"), 1);
	assert_int_equal(STATE("calendar WHERE worker = 'w1' AND is_required = 1"), 1);
	assert_int_equal(STATE("caseload WHERE worker = 'w1' AND status = 'ifs'"), 1);
	assert_int_equal(STATE("mutual_family WHERE begun_at = '1970-01-02T00:00:00+00:00'"), 1);
	fill(place->store, family_a, NULL);
	assert_int_equal(STATE("state_case"), 0);
	assert_int_equal(STATE("link"), 0);
	family_free(&f);
}

/* Rows of few bytes, and the words and instants of all other tables in the view of them. */
static void what_was_told_is_kept_short_and_read_in_words(void **state)
{
	const struct told_line crossed = { .kind = LK_MILESTONE_TOLD,
					   .level = LK_CONTENT,
					   .side = LK_CALWORKS,
					   .own = AID_CASE.number,
					   .own_line = 1,
					   .other = CWS_CASE.number,
					   .other_line = 0,
					   .is_standing = true,
					   .told_at = 1500 * LK_SECOND / 1000,
					   .answered_at = 86400 * LK_SECOND };
	const struct told_line own = { .level = LK_OWN,
				       .side = -1,
				       .own = LK_TEXT("C-gone"),
				       .own_line = -1,
				       .other_line = -1,
				       .answered_at = LK_NO_INSTANT };
	struct place *place = *state;
	struct family f;

	a_mutual_family(&f);
	put_family(place->store, family_a);
	for (int i = 0; i < 2;
	     i++) { /* replaced, not added; after the first time, nothing is remembered */
		GOOD(store_begin(place->store, &err));
		GOOD(store_project(place->store, family_a, &f, &err));
		GOOD(store_project_told(place->store, family_a, 0, &crossed, &err));
		GOOD(store_project_told(place->store, family_a, 1, &own, &err));
		GOOD(store_project_told(place->store, family_a, 2, &crossed, &err));
		if (i == 0)
			store_rollback(place->store);
		else
			GOOD(store_commit(place->store, &err));
	}
	assert_int_equal(STATE("told"), 3);
	assert_int_equal(STATE("kept_manner"), 2);
	assert_int_equal(
		STATE("told WHERE line <> 1 AND kind = 'milestone.reached' AND level = 'content' AND is_standing = 1 "
		      "AND own_agency = 'calworks' AND own_number = 'W-200' AND other_number = 'C-100' "
		      "AND told_at = '1970-01-01T00:00:01.5+00:00' AND answered_at = '1970-01-02T00:00:00+00:00'"),
		2);
	assert_int_equal(STATE("told WHERE line = 1 AND level = 'own' AND is_standing = 0 "
			       "AND own_agency IS NULL AND own_number = 'C-gone' "
			       "AND other_number IS NULL AND answered_at IS NULL "
			       "AND told_at = '1970-01-01T00:00:00+00:00'"),
			 1);
	fill(place->store, family_a, NULL);
	assert_int_equal(STATE("told"), 0);
	assert_int_equal(STATE("kept_told"), 0);
	assert_int_equal(STATE("kept_family"), 0);
	family_free(&f);
}

static void state_db_says_where_in_the_log_it_stands(void **state)
{
	struct place *place = *state;
	struct stored_event one = an_event("e1"), two = an_event("e2");
	struct stored_family row = a_family(family_a, LK_NO_INSTANT, policy_a);
	struct family f;

	a_mutual_family(&f);
	GOOD(store_begin(place->store, &err));
	add_event(place->store, &one);
	GOOD(store_family_put(place->store, &row, &err));
	GOOD(store_commit(place->store, &err));
	put_family(place->store, family_b);
	GOOD(store_begin(place->store, &err));
	add_event(place->store, &two);
	GOOD(store_family_put(place->store, &row,
			      &err)); /* waits already: keeps its place in the row */
	GOOD(store_commit(place->store, &err));
	SAW("fa fb", store_dirty_families(place->store, 9, see_family_id, &seen, &err));
	fill(place->store, family_a, &f);
	SAW("fb", store_dirty_families(place->store, 9, see_family_id, &seen, &err));
	assert_int_equal(ask(place, "state.db", "SELECT position FROM standing"), 1);
	fill(place->store, family_b, NULL);
	SAW("", store_dirty_families(place->store, 9, see_family_id, &seen, &err));
	assert_int_equal(ask(place, "state.db", "SELECT position FROM standing"), 2);
	family_free(&f);
}

static void state_db_never_says_what_was_not_committed(void **state)
{
	struct place *place = *state;
	struct stored_family row = a_family(family_a, LK_NO_INSTANT, policy_a);
	struct family f;

	a_mutual_family(&f);
	put_family(place->store, family_a);
	GOOD(store_begin(place->store, &err));
	GOOD(store_family_put(place->store, &row, &err));
	REFUSED(store_project(place->store, family_a, &f, &err), LK_ESTATE,
		"transaction of its own");
	store_rollback(place->store);
	GOOD(store_begin(place->store, &err));
	GOOD(store_project(place->store, family_a, &f, &err));
	store_rollback(place->store);
	assert_int_equal(STATE("state_case"), 0);
	SAW("fa", store_dirty_families(place->store, 9, see_family_id, &seen, &err));
	fill(place->store, family_a, &f);
	assert_int_equal(STATE("state_case"), 2);
	family_free(&f);
}

static void state_db_can_be_filled_anew(void **state)
{
	struct place *place = *state;
	struct family f;

	a_mutual_family(&f);
	put_family(place->store, family_a);
	fill(place->store, family_a, &f);
	GOOD(store_begin(place->store, &err));
	GOOD(store_project_reset(place->store, &err));
	GOOD(store_commit(place->store, &err));
	assert_int_equal(STATE("state_case"), 0);
	assert_int_equal(STATE("consent"), 0);
	SAW("fa", store_dirty_families(place->store, 9, see_family_id, &seen, &err));
	family_free(&f);
}

/* What keeps state.db from being the projection of this linkages.db: it is made anew, and all
 * families wait for it. */
static void a_state_db_that_does_not_fit_is_made_anew(void **state)
{
	static const char *const offences[] = {
		"UPDATE standing SET store = zeroblob(16)",    /* another store's */
		"UPDATE standing SET fillings = fillings - 1", /* an old copy */
		"PRAGMA user_version = 900",                   /* another version's */
	};
	struct place *place = *state;
	struct family f;

	a_mutual_family(&f);
	put_family(place->store, family_a);
	for (size_t i = 0; i <= 3; i++) {
		fill(place->store, family_a, &f);
		SAW("", store_dirty_families(place->store, 9, see_family_id, &seen, &err));
		place_close(place);
		if (i < 3)
			meddle(place, "state.db", offences[i]);
		else
			assert_int_equal(truncate(path_in(place, "state.db"), 8192),
					 0); /* damage */
		GOOD(place_open(place));
		SAW("fa", store_dirty_families(place->store, 9, see_family_id, &seen, &err));
		assert_int_equal(STATE("state_case"), 0);
	}
	fill(place->store, family_a, &f);
	place_close(place);
	GOOD(place_open(place)); /* nothing was wrong: nothing waits */
	SAW("", store_dirty_families(place->store, 9, see_family_id, &seen, &err));
	assert_int_equal(STATE("state_case"), 2);
	family_free(&f);
}

#define MEMORY(test) cmocka_unit_test_setup_teardown(test, in_memory, leave)
#define FILES(test) cmocka_unit_test_setup_teardown(test, in_directory, leave)
#define WATCHED(test) cmocka_unit_test_setup_teardown(test, on_watched_disk, leave_watched_disk)

int main(void)
{
	const struct CMUnitTest tests[] = {
		MEMORY(an_event_comes_back_as_it_was),
		MEMORY(a_body_comes_back_byte_for_byte),
		FILES(every_word_of_an_event_is_known),
		MEMORY(a_case_has_its_events_in_order_of_arrival),
		FILES(a_case_has_its_events_wherever_they_are_listed),
		MEMORY(a_visitor_can_stop_the_walk),
		MEMORY(one_event_is_stored_once),
		MEMORY(what_is_superseded_is_known_in_any_order),
		MEMORY(events_wait_for_their_time),
		MEMORY(an_event_of_the_feed_lane_finds_its_place_later),
		MEMORY(a_refusal_is_repeated_word_for_word),
		MEMORY(a_long_dead_letter_is_cut),
		MEMORY(streams_remember_how_far_they_came),
		MEMORY(what_is_known_of_a_stream_follows_the_transaction),
		MEMORY(a_source_is_remembered_as_heard),
		MEMORY(a_family_row_is_replaced_as_a_whole),
		MEMORY(families_wake_in_order),
		MEMORY(cases_belong_to_one_family),
		MEMORY(links_are_seen_from_both_ends),
		MEMORY(lookalikes_carry_an_equal_token),
		MEMORY(a_case_has_tokens_or_has_none),
		MEMORY(a_worker_has_one_calendar_over_all_families),
		MEMORY(a_notice_comes_back_as_told),
		MEMORY(every_member_of_a_notice_comes_back),
		MEMORY(an_answer_is_seen_with_what_was_just_told),
		FILES(what_was_just_told_is_what_its_row_says),
		MEMORY(a_phrase_outlives_no_rollback),
		MEMORY(a_notice_is_found_by_its_first_digits_with_its_history),
		MEMORY(places_in_a_mailbox_are_dense_also_after_a_rollback),
		FILES(places_in_a_mailbox_are_dense_also_after_a_rollback),
		MEMORY(a_notice_is_found_in_the_rolls_and_behind_them),
		FILES(the_front_of_a_mailbox_goes_as_far_as_it_may),
		FILES(rolls_are_pruned_with_what_they_list),
		MEMORY(a_mailbox_is_there_before_its_row_and_receipts_only_grow),
		MEMORY(stores_in_memory_are_the_same_each_time),
		FILES(the_ledger_is_a_chain),
		FILES(the_ledger_tells_of_one_place_in_a_mailbox),
		MEMORY(writing_needs_a_transaction),
		MEMORY(a_walk_within_itself_is_refused_and_goes_on),
		FILES(names_of_a_batch_that_failed_are_forgotten),
		FILES(what_was_committed_is_there_after_closing),
		FILES(invariants_hold_after_any_history),
		WATCHED(a_commit_returns_only_after_its_sync),
		WATCHED(a_full_disk_keeps_nothing_of_the_batch),
		WATCHED(a_transaction_that_sqlite_gave_up_is_not_written_to),
		WATCHED(after_a_failed_sync_nothing_is_promised),
		FILES(the_write_ahead_log_stays_small),
		FILES(a_log_is_written_ahead_and_then_over),
		FILES(a_changed_row_is_noticed_before_it_is_shown),
		FILES(files_have_their_modes),
		FILES(state_db_may_be_deleted),
		FILES(a_second_daemon_is_refused),
		FILES(a_newer_or_foreign_file_is_refused),
		FILES(an_empty_missing_or_swapped_file_is_refused),
		FILES(a_truncated_or_damaged_file_is_refused),
		FILES(what_is_gone_without_a_trace_is_noticed),
		FILES(a_start_that_was_cut_short_leaves_nothing_behind),
		FILES(a_store_can_be_read_only),
		FILES(the_published_schemas_are_those_of_a_new_store),
		FILES(every_old_version_is_brought_up_to_date),
		FILES(every_column_is_commented),
		FILES(no_statement_reads_a_whole_table),
		FILES(families_are_told_in_plain_tables_that_others_can_read),
		FILES(what_was_told_is_kept_short_and_read_in_words),
		FILES(state_db_says_where_in_the_log_it_stands),
		FILES(state_db_never_says_what_was_not_committed),
		FILES(state_db_can_be_filled_anew),
		FILES(a_state_db_that_does_not_fit_is_made_anew),
	};

	return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
