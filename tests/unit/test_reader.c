/* test_reader.c - events that a thread has read are what the loop would have read, and become what they would have become. */
#include "beside.h"
#include "folder.h"
#include "story.h"

#include <pthread.h>
#include <sched.h>

#define EVENTS 1600
#define BATCH 400
#define EARLY \
	30 /* by then the thread has read more, most likely, and has not come round its ring */

static struct lk_error fault;
static const struct turn_source sources[] = { { "cws-cms", LK_CWS, false },
					      { "calsaws", LK_CALWORKS, false } };

static struct lk_bytes wire[EVENTS];
static struct turn_event events[EVENTS];

/* ---- Events of all sorts ---------------------------------------------------------------------- */

static struct lk_bytes milestone(int i, const char *number)
{
	char id[24], time[40], data[160];

	(void)snprintf(id, sizeof(id), "e%d", i);
	(void)snprintf(time, sizeof(time), "2026-03-%02dT09:%02d:%02d-08:00", 3 + i % 5,
		       i / 60 % 60, i % 60);
	(void)snprintf(
		data, sizeof(data),
		"'data':{'milestone':'applied','date':'2026-03-02','note':'She was late by %d minutes.'}",
		i);
	return story_event(story_source(number), id, time, number, "milestone.reached", data);
}

/* The head of its map, longer than it need be. */
static void stretch(struct lk_bytes *bytes)
{
	uint8_t head[] = { 0xde, 0, bytes->at[0] & 0x0f };
	struct lk_bytes longer = { 0 };

	lk_bytes_add(&longer, head, sizeof(head));
	lk_bytes_add(&longer, bytes->at + 1, bytes->len - 1);
	lk_bytes_free(bytes);
	*bytes = longer;
}

static struct lk_bytes make(int i, const char *number)
{
	struct lk_bytes bytes =
		milestone(i % 11 == 7 ? i - 7 : i, number); /* known, or another of the same id */

	if (i % 7 == 3)
		stretch(&bytes);
	if (i % 13 == 5)
		bytes.at[random_from(0, (int64_t)bytes.len - 1)] ^= (uint8_t)random_from(1, 255);
	if (i % 17 == 6)
		bytes.len = (size_t)random_from(0, (int64_t)bytes.len - 1);
	return bytes;
}

static int make_all(void **state)
{
	random_begin(4711);
	for (int i = 0; i < EVENTS; i++) {
		bool calworks = i % 3 == 0;
		char number[8];

		(void)snprintf(number, sizeof(number), "%c-%d", calworks ? 'W' : 'C', i % 5);
		wire[i] = make(i, number);
		events[i] = (struct turn_event){ .bytes = wire[i].at,
						 .len = wire[i].len,
						 .source = lk_text_of(
							 sources[calworks && i % 19 != 0].name) };
	}
	return story_policies(state);
}

static int free_all(void **state)
{
	(void)state;
	for (int i = 0; i < EVENTS; i++)
		lk_bytes_free(&wire[i]);
	return 0;
}

/* ---- A turn, with a reader or without -------------------------------------------------------------- */

static struct turn *open_turn(bool with_reader)
{
	const struct store_options in_memory = { .directory = NULL };
	struct turn_options options = { .policy = &story_policy,
					.sources = sources,
					.sources_n = 2 };
	struct turn *t;

	assert_int_equal(store_open(&in_memory, &options.store, &fault), 0);
	assert_int_equal(turn_create(&options, &t, &fault), 0);
	if (with_reader)
		assert_int_equal(turn_start_reader(t, &fault), 0);
	return t;
}

static void close_turn(struct turn *t)
{
	struct store *s = t->store;

	turn_destroy(t);
	store_close(s);
}

static void assert_same_event(const struct lk_event *a, const struct lk_event *b)
{
	struct lk_bytes said[2] = { 0 };

	assert_int_equal(a->agency, b->agency);
	assert_int_equal(a->is_canonical, b->is_canonical);
	lk_event_encode(a, &said[0]);
	lk_event_encode(b, &said[1]);
	assert_int_equal(said[0].len, said[1].len);
	assert_memory_equal(said[0].at, said[1].at, said[0].len);
	lk_bytes_free(&said[0]);
	lk_bytes_free(&said[1]);
}

static void assert_same_reading(struct turn *t, const struct event_reading *a,
				const struct turn_event *in)
{
	struct event_reading *b = &t->reading;
	struct stored_packed packed = { 0 };

	assert_int_equal(a->is_read, b->is_read);
	assert_memory_equal(&a->refused, &b->refused, sizeof(a->refused));
	if (a->is_read)
		assert_same_event(&a->event, &b->event);
	assert_int_equal(a->is_packed, a->is_read && a->event.is_canonical);
	if (!a->is_packed)
		return;
	struct stored_event row =
		reading_row(in, &b->event, lk_span_of(in->bytes, in->len), t->now);
	assert_int_equal(store_event_pack(t->store, &row, &packed, &fault), 0);
	assert_int_equal(a->packed.sum, packed.sum);
	assert_int_equal(a->packed.body.len, packed.body.len);
	assert_memory_equal(a->packed.body.at, packed.body.at, packed.body.len);
	lk_bytes_free(&packed.body);
}

/* ---- Tests --------------------------------------------------------------------------------------- */

static struct seen {
	size_t all, refused, rewritten;
} seen;

static void see(struct turn *without, const struct event_reading *reading, size_t i)
{
	(void)reader_take(without, events, i);
	assert_same_reading(without, reading, &events[i]);
	seen.all++;
	seen.refused += !reading->is_read;
	seen.rewritten += reading->is_read && !reading->is_packed;
}

/* What the loop comes to first it reads itself, and the thread goes on behind that: batch after batch, until it has read as
 * many as two have. */
static void what_the_thread_reads_is_what_the_loop_would_read(void **state)
{
	struct turn *with = open_turn(true), *without = open_turn(false);

	(void)state;
	while (seen.all < 2 * (size_t)EVENTS) {
		reader_begin(with, events, EVENTS);
		for (size_t i = 0; i < EVENTS; i++) {
			const struct event_reading *reading = reader_take(with, events, i);
			if (reading == &with->reading)
				(void)sched_yield();
			else
				see(without, reading, i);
		}
		reader_end(with);
	}
	assert_true(seen.refused > 100 && seen.rewritten > 100);
	close_turn(with);
	close_turn(without);
}

static bool reads(struct turn *t, const struct turn_event *in)
{
	struct lk_event event;
	struct lk_refused why;

	return lk_event_decode(in->bytes, in->len, turn_agency_of, t, &event, &why) == 0;
}

/* It may be stopped anywhere: the rest of the batch is not looked at, and the next begins anew. */
static void a_batch_ends_wherever_it_ends(void **state)
{
	struct turn *t = open_turn(true);

	(void)state;
	for (size_t n = 0; n < EVENTS - 80; n += 7) {
		reader_begin(t, events + n, EVENTS - n);
		for (size_t i = 0; i < n % 80; i++)
			assert_int_equal(reader_take(t, events + n, i)->is_read,
					 reads(t, &events[n + i]));
		reader_end(t);
	}
	close_turn(t);
}

static void few_events_are_the_loops_own(void **state)
{
	struct turn *t = open_turn(true);

	(void)state;
	reader_begin(t, events, 8);
	for (size_t i = 0; i < 8; i++)
		assert_ptr_equal(reader_take(t, events, i), &t->reading);
	reader_end(t);
	close_turn(t);
}

static void all_rows(struct turn *t, struct lk_bytes *out)
{
	static const char *const tables[] = { "event", "dead_letter", "agency_case", "source" };
	char sql[80];

	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		sqlite3_stmt *row;

		(void)snprintf(sql, sizeof(sql), "SELECT * FROM %s ORDER BY 1", tables[i]);
		assert_int_equal(sqlite3_prepare_v2(t->store->db, sql, -1, &row, NULL), SQLITE_OK);
		while (sqlite3_step(row) == SQLITE_ROW)
			for (int c = 0; c < sqlite3_column_count(row); c++)
				lk_bytes_add(out, sqlite3_column_blob(row, c),
					     (size_t)sqlite3_column_bytes(row, c));
		(void)sqlite3_finalize(row);
	}
	lk_bytes_add(out, "", 1);
	assert_false(out->failed);
}

/* The events of another batch, up to one whose place in its outbox cannot be yet, while the thread goes on reading. */
static void fail_midway(struct turn *t, lk_instant now, size_t n)
{
	static struct turn_event cut[BATCH];
	static struct turn_verdict verdicts[BATCH];

	memcpy(cut, events + (n + BATCH) % EVENTS, sizeof(cut));
	cut[EARLY].has_outbox_seq = true;
	cut[EARLY].seq = 9;
	assert_int_equal(turn_events(t, now, cut, BATCH, verdicts, &fault), LK_ESTATE);
}

/* Also after a batch that came to nothing, of which no reading may be left. */
static void what_is_kept_and_answered_is_the_same(void **state)
{
	static struct turn_verdict with_verdicts[BATCH], without_verdicts[BATCH];
	struct turn *with = open_turn(true), *without = open_turn(false);
	struct lk_bytes with_rows = { 0 }, without_rows = { 0 };
	lk_instant now = story_instant("2026-03-05T12:00:00-08:00");

	(void)state;
	for (size_t n = 0; n < EVENTS; n += BATCH) {
		fail_midway(with, now, n);
		now += LK_SECOND;
		assert_int_equal(turn_events(with, now, events + n, BATCH, with_verdicts, &fault),
				 0);
		assert_int_equal(
			turn_events(without, now, events + n, BATCH, without_verdicts, &fault), 0);
		assert_memory_equal(with_verdicts, without_verdicts, sizeof(with_verdicts));
	}
	all_rows(with, &with_rows);
	all_rows(without, &without_rows);
	assert_int_equal(with_rows.len, without_rows.len);
	assert_memory_equal(with_rows.at, without_rows.at, with_rows.len);
	lk_bytes_free(&with_rows);
	lk_bytes_free(&without_rows);
	close_turn(with);
	close_turn(without);
}

/* ---- Families that are not in memory ------------------------------------------------------------- */

#define PEOPLE 60
#define ROUNDS 4
#define NUMBER 16 /* room for a case's */

struct party {
	char folder[FOLDER_MAX];
	bool has_reader;
	struct turn *turn;
};

/* Opened anew, nothing of any family is in memory. */
static void party_open(struct party *p)
{
	const struct store_options on_disk = { .directory = p->folder, .beside = p->has_reader };
	struct turn_options options = { .policy = &story_policy,
					.sources = sources,
					.sources_n = 2 };

	assert_int_equal(store_open(&on_disk, &options.store, &fault), 0);
	assert_int_equal(turn_create(&options, &p->turn, &fault), 0);
	if (p->has_reader)
		assert_int_equal(turn_start_reader(p->turn, &fault), 0);
}

static const char *number_of(char out[NUMBER], char agency, int person)
{
	(void)snprintf(out, NUMBER, "%c-%d", agency, person);
	return out;
}

static struct lk_bytes link_event(int i, const char *type, int one, int other)
{
	char id[24], data[80], number[2][NUMBER];

	(void)snprintf(id, sizeof(id), "l%d", i);
	(void)snprintf(data, sizeof(data), "'data':{'other':{'agency':'calworks','case':'%s'}}",
		       number_of(number[1], 'W', other));
	return story_event("cws-cms", id, "2026-03-04T09:00:00-08:00",
			   number_of(number[0], 'C', one), type, data);
}

/* Each person has a case on either side, and a link between them. */
static struct lk_bytes beginning(int i)
{
	char id[24], number[NUMBER];
	int person = i / 3;

	if (i % 3 == 2)
		return link_event(i, "link.confirmed", person, person);
	(void)snprintf(id, sizeof(id), "o%d", i);
	return story_event(i % 3 == 0 ? "cws-cms" : "calsaws", id, "2026-03-02T09:00:00-08:00",
			   number_of(number, i % 3 == 0 ? 'C' : 'W', person), "case.opened",
			   i % 3 == 0 ? "'data':{'status':'er'}" : "'data':{'status':'active'}");
}

/* Now and then families join, or come apart, between events of them that were read ahead. */
static struct lk_bytes going_on(int i)
{
	int person = (int)random_from(0, PEOPLE - 1);
	char number[NUMBER];

	if (i % 40 == 30)
		return link_event(i, "link.confirmed", person, (int)random_from(0, PEOPLE - 1));
	if (i % 40 == 39)
		return link_event(i, "link.removed", person, person);
	return milestone(i, number_of(number, i % 2 == 0 ? 'C' : 'W', person));
}

static void take_all(struct party *p, const struct turn_event *batch, size_t n, int day)
{
	static struct turn_verdict verdicts[BATCH];

	party_open(p);
	assert_int_equal(
		turn_events(p->turn,
			    story_instant("2026-03-12T12:00:00-08:00") + day * 24 * LK_HOUR, batch,
			    n, verdicts, &fault),
		0);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(verdicts[i].outcome, TURN_APPLIED);
	close_turn(p->turn);
}

/* As the store leaves them when it is closed. */
static void all_families(const struct party *p, struct lk_bytes *out)
{
	static const char sql[] = "SELECT id, wake_at, state, told FROM family UNION ALL "
				  "SELECT family, number, NULL, NULL FROM agency_case UNION ALL "
				  "SELECT one, other, since, NULL FROM link ORDER BY 1, 2";
	char path[FOLDER_MAX + 16];
	sqlite3_stmt *row;
	sqlite3 *db;

	(void)snprintf(path, sizeof(path), "%s/linkages.db", p->folder);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &row, NULL), SQLITE_OK);
	while (sqlite3_step(row) == SQLITE_ROW)
		for (int c = 0; c < 4; c++)
			lk_bytes_add(out, sqlite3_column_blob(row, c),
				     (size_t)sqlite3_column_bytes(row, c));
	(void)sqlite3_finalize(row);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	assert_false(out->failed);
}

static void make_batch(int round, struct turn_event *batch, struct lk_bytes *said, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		said[i] = round == 0 ? beginning((int)i) : going_on(round * BATCH + (int)i);
		batch[i] = (struct turn_event){ .bytes = said[i].at, .len = said[i].len };
	}
}

static void families_are_the_same_whoever_reads_them(void **state)
{
	static struct turn_event batch[BATCH];
	static struct lk_bytes said[BATCH];
	struct party with = { .has_reader = true }, without = { .has_reader = false };
	struct lk_bytes with_families = { 0 }, without_families = { 0 };

	(void)state;
	random_begin(4712);
	folder_make(with.folder, "reader");
	folder_make(without.folder, "reader");
	for (int round = 0; round < ROUNDS; round++) {
		size_t n = round == 0 ? 3 * (size_t)PEOPLE : BATCH;

		make_batch(round, batch, said, n);
		take_all(&with, batch, n, round);
		take_all(&without, batch, n, round);
		for (size_t i = 0; i < n; i++)
			lk_bytes_free(&said[i]);
	}
	all_families(&with, &with_families);
	all_families(&without, &without_families);
	assert_true(with_families.len > (size_t)PEOPLE * 400);
	assert_int_equal(with_families.len, without_families.len);
	assert_memory_equal(with_families.at, without_families.at, with_families.len);
	lk_bytes_free(&with_families);
	lk_bytes_free(&without_families);
	folder_remove(with.folder);
	folder_remove(without.folder);
}

/* ---- Families that are packed by both --------------------------------------------------------------- */

#define FAMILIES 130

static void all_changes(struct turn *t, struct lk_bytes *out)
{
	static const char sql[] = "SELECT number, sum, changes FROM family_change UNION ALL "
				  "SELECT sum, state, told FROM family ORDER BY 1, 2";
	sqlite3_stmt *row;

	lk_bytes_clear(out);
	assert_int_equal(sqlite3_prepare_v2(t->store->db, sql, -1, &row, NULL), SQLITE_OK);
	while (sqlite3_step(row) == SQLITE_ROW)
		for (int c = 0; c < 3; c++)
			lk_bytes_add(out, sqlite3_column_blob(row, c),
				     (size_t)sqlite3_column_bytes(row, c));
	(void)sqlite3_finalize(row);
	assert_false(out->failed);
}

/* With their places in two outboxes, which are rows that are let in. */
static void begin_or_go_on(int round, struct turn_event *batch, struct lk_bytes *said)
{
	static int64_t sent[2];
	char number[NUMBER];

	for (int i = 0; i < 3 * FAMILIES; i++) {
		bool calworks = round == 0 ? i % 3 == 1 : i % 2 == 1;

		(void)number_of(number, calworks ? 'W' : 'C', i / 3);
		said[i] = round == 0 ? beginning(i) : milestone(round * BATCH + i, number);
		batch[i] = (struct turn_event){ .bytes = said[i].at,
						.len = said[i].len,
						.source = lk_text_of(sources[calworks].name),
						.has_outbox_seq = true,
						.seq = ++sent[calworks] };
	}
}

static void take_and_write(struct turn *t, lk_instant now, const struct turn_event *batch,
			   struct lk_bytes *changes)
{
	static struct turn_verdict verdicts[BATCH];

	assert_int_equal(turn_events(t, now, batch, 3 * (size_t)FAMILIES, verdicts, &fault), 0);
	all_changes(t, changes);
}

/* What the thread has not taken by then, the loop packs. */
static void what_a_commit_writes_is_the_same_whoever_packs_it(void **state)
{
	static struct turn_event batch[BATCH];
	static struct lk_bytes said[BATCH];
	struct turn *with = open_turn(true), *without = open_turn(false);
	struct lk_bytes by_both = { 0 }, by_loop = { 0 };
	size_t by_thread = 0;

	(void)state;
	pack_by_both(with);
	for (int round = 0; round < ROUNDS; round++) {
		lk_instant now = story_instant("2026-03-12T12:00:00-08:00") + round * LK_SECOND;

		begin_or_go_on(round, batch, said);
		take_and_write(with, now, batch, &by_both);
		take_and_write(without, now, batch, &by_loop);
		by_thread += with->packers[BY_THREAD].deltas.len;
		assert_int_equal(by_both.len, by_loop.len);
		assert_memory_equal(by_both.at, by_loop.at, by_both.len);
		for (int i = 0; i < 3 * FAMILIES; i++)
			lk_bytes_free(&said[i]);
	}
	assert_true(by_thread > 0 && by_both.len > (size_t)FAMILIES * 400);
	lk_bytes_free(&by_both);
	lk_bytes_free(&by_loop);
	close_turn(with);
	close_turn(without);
}

static bool starts_with_stacks_of(struct turn *t, size_t bytes)
{
	pthread_attr_t before, attributes;

	assert_int_equal(pthread_getattr_default_np(&before), 0);
	assert_int_equal(pthread_attr_init(&attributes), 0);
	assert_int_equal(pthread_attr_setstacksize(&attributes, bytes), 0);
	assert_int_equal(pthread_setattr_default_np(&attributes), 0);
	int rc = turn_start_reader(t, &fault);
	assert_int_equal(pthread_setattr_default_np(&before), 0);
	(void)pthread_attr_destroy(&attributes);
	(void)pthread_attr_destroy(&before);
	return rc == 0;
}

static void without_a_thread_the_loop_reads(void **state)
{
	static struct turn_verdict verdicts[BATCH];
	struct turn *t = open_turn(false);

	(void)state;
	assert_false(starts_with_stacks_of(t, (size_t)1 << 50));
	assert_int_equal(fault.code, LK_EMEMORY);
	assert_int_equal(turn_events(t, story_instant("2026-03-05T12:00:00-08:00"), events, BATCH,
				     verdicts, &fault),
			 0);
	close_turn(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_the_thread_reads_is_what_the_loop_would_read),
		cmocka_unit_test(a_batch_ends_wherever_it_ends),
		cmocka_unit_test(few_events_are_the_loops_own),
		cmocka_unit_test(without_a_thread_the_loop_reads),
		cmocka_unit_test(what_is_kept_and_answered_is_the_same),
		cmocka_unit_test(families_are_the_same_whoever_reads_them),
		cmocka_unit_test(what_a_commit_writes_is_the_same_whoever_packs_it),
	};

	return cmocka_run_group_tests_name("reader", tests, make_all, free_all);
}
