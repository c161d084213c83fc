/* test_held.c - families written behind the log: what was committed is there, whichever rows have followed.
 *
 * In: random families, changed at random, in transactions that are kept or given up, between bites of writing back. Out:
 * the store held against a model that forgets nothing, in the running store and in one that was left by a crash. Promise:
 * the crash is real: the files are copied as they lie, while the store that wrote them is open.
 */
#include "folder.h"
#include "good.h"

#include "daemon/store/delta.h"
#include "daemon/store/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static uint64_t dice_state;

static uint32_t dice(uint32_t sides)
{
	dice_state = dice_state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(dice_state >> 33) % sides;
}

/* ---- Deltas ---------------------------------------------------------------------------------- */

static struct delta_bytes whole(const struct lk_bytes *b)
{
	return (struct delta_bytes){ b->at, b->len };
}

static void fill(struct lk_bytes *b, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		uint8_t byte = dice(3) == 0 ? (uint8_t)dice(256) : 0;

		lk_bytes_add(b, &byte, 1);
	}
}

/* As packed rows change: words written over, records put in and taken out, all of it another. */
static void edit(const struct lk_bytes *from, struct lk_bytes *to)
{
	size_t at = 0, edits = dice(6);

	for (size_t i = 0; i < edits && at < from->len; i++) {
		size_t keep = dice((uint32_t)(from->len - at) + 1), out = dice(80);

		lk_bytes_add(to, from->at + at, keep);
		at += keep;
		fill(to, dice(120));
		at += out < from->len - at ? out : from->len - at;
	}
	if (dice(10) != 0)
		lk_bytes_add(to, from->at + at, from->len - at);
}

static void a_delta_gives_the_new_version_back(void **state)
{
	(void)state;
	dice_state = 1;
	for (int round = 0; round < 5000; round++) {
		struct lk_bytes from = { 0 }, to = { 0 }, delta = { 0 };
		uint8_t *back;

		fill(&from, dice(3000));
		edit(&from, &to);
		delta_make(whole(&from), whole(&to), &delta);
		back = malloc(to.len + 1);
		assert_true(delta_apply(whole(&delta), whole(&from), back, to.len));
		if (to.len > 0)
			assert_memory_equal(back, to.at, to.len);
		free(back);
		lk_bytes_free(&from);
		lk_bytes_free(&to);
		lk_bytes_free(&delta);
	}
}

static void a_small_change_makes_a_small_delta(void **state)
{
	struct lk_bytes from = { 0 }, to = { 0 }, delta = { 0 };

	(void)state;
	dice_state = 2;
	fill(&from, 4000);
	lk_bytes_add(&to, from.at, 1500);
	fill(&to, 60);
	lk_bytes_add(&to, from.at + 1500, 2500);
	to.at[40]++;
	to.at[3900]++;
	delta_make(whole(&from), whole(&to), &delta);
	assert_in_range(delta.len, 60, 120);
	lk_bytes_free(&from);
	lk_bytes_free(&to);
	lk_bytes_free(&delta);
}

/* A family's two halves, each against its own. */
static void the_deltas_of_two_pieces_are_one_of_both(void **state)
{
	(void)state;
	dice_state = 4;
	for (int round = 0; round < 2000; round++) {
		struct lk_bytes from[2] = { 0 }, to[2] = { 0 }, delta = { 0 };
		uint8_t *back;

		for (int i = 0; i < 2; i++) {
			fill(&from[i], dice(600));
			if (dice(8) != 0)
				edit(&from[i], &to[i]);
			delta_make(whole(&from[i]), whole(&to[i]), &delta);
		}
		lk_bytes_add(&from[0], from[1].at, from[1].len);
		lk_bytes_add(&to[0], to[1].at, to[1].len);
		back = malloc(to[0].len + 1);
		assert_true(delta_apply(whole(&delta), whole(&from[0]), back, to[0].len));
		if (to[0].len > 0)
			assert_memory_equal(back, to[0].at, to[0].len);
		free(back);
		for (int i = 0; i < 2; i++) {
			lk_bytes_free(&from[i]);
			lk_bytes_free(&to[i]);
		}
		lk_bytes_free(&delta);
	}
}

/* The sanitizer sees what is read or written elsewhere. */
static void what_is_no_delta_is_refused(void **state)
{
	int refused = 0;

	(void)state;
	dice_state = 3;
	for (int round = 0; round < 5000; round++) {
		struct lk_bytes from = { 0 }, to = { 0 }, delta = { 0 };
		size_t len;
		uint8_t *back;

		fill(&from, dice(500));
		edit(&from, &to);
		delta_make(whole(&from), whole(&to), &delta);
		for (uint32_t i = 0; delta.len > 0 && i < 1 + dice(3); i++)
			delta.at[dice((uint32_t)delta.len)] = (uint8_t)dice(256);
		delta.len -= delta.len > 0 ? dice(2) : 0;
		len = dice(2) != 0 ? to.len : dice(600);
		back = malloc(len + 1);
		refused += !delta_apply(whole(&delta), whole(&from), back, len);
		free(back);
		lk_bytes_free(&from);
		lk_bytes_free(&to);
		lk_bytes_free(&delta);
	}
	assert_in_range(refused, 1000, 5000);
}

/* ---- A model that forgets nothing ------------------------------------------------------------ */

#define FAMILIES 400 /* more than follow in one bite */
#define POLICIES 3
#define ROOM 700

struct model {
	bool is_there;
	lk_instant wake_at;
	uint8_t policy;
	uint16_t state_len, told_len;
	uint8_t state[ROOM], told[ROOM];
};

struct bench {
	char directory[64], crashed[80];
	struct store *store;
	struct model *now, *committed; /* of each family */
};

static void id_of(int family, uint8_t id[LK_DIGEST])
{
	memset(id, 0, LK_DIGEST);
	id[0] = (uint8_t)family;
	id[1] = (uint8_t)(family >> 8);
}

static int family_of(const uint8_t id[LK_DIGEST])
{
	return id[0] | id[1] << 8;
}

static void policy_of(int policy, uint8_t out[LK_DIGEST])
{
	memset(out, 7, LK_DIGEST);
	out[0] = (uint8_t)policy;
}

static void open_in(const char *directory, struct store **out)
{
	const struct store_options options = { .directory = directory };

	GOOD(store_open(&options, out, &err));
}

static int set_up(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));

	folder_make(b->directory, "held");
	(void)snprintf(b->crashed, sizeof(b->crashed), "%s/crashed", b->directory);
	b->now = calloc(FAMILIES, sizeof(*b->now));
	b->committed = calloc(FAMILIES, sizeof(*b->committed));
	open_in(b->directory, &b->store);
	*state = b;
	return 0;
}

static int tear_down(void **state)
{
	struct bench *b = *state;
	char command[128];

	store_close(b->store);
	(void)snprintf(command, sizeof(command), "rm -rf '%s'", b->directory);
	assert_int_equal(system(command), 0);
	free(b->now);
	free(b->committed);
	free(b);
	return 0;
}

static uint16_t scribble(uint8_t *at, uint16_t len)
{
	uint16_t more = (uint16_t)dice(60);

	if (len > 20 && dice(3) == 0)
		at[dice(len)] = (uint8_t)dice(256);
	if (len + more >= ROOM)
		len = (uint16_t)dice(100);
	for (uint16_t i = 0; i < more; i++)
		at[len + i] = (uint8_t)dice(4);
	return (uint16_t)(len + more);
}

/* What its row may lack for a while, unless it is new. */
static void put_behind(struct bench *b, int family)
{
	struct model *m = &b->now[family];
	struct stored_family row;

	m->is_there = true;
	m->state_len = scribble(m->state, m->state_len);
	m->told_len = scribble(m->told, m->told_len);
	row = (struct stored_family){ .wake_at = m->wake_at,
				      .state = m->state,
				      .state_len = m->state_len,
				      .told = m->told,
				      .told_len = m->told_len };
	id_of(family, row.id);
	policy_of(m->policy, row.policy);
	GOOD(store_family_put(b->store, &row, &err));
}

static void put(struct bench *b, int family)
{
	struct model *m = &b->now[family];

	if (!m->is_there || dice(8) == 0)
		m->wake_at = dice(4) == 0 ? LK_NO_INSTANT : (lk_instant)dice(50);
	if (!m->is_there || dice(20) == 0)
		m->policy = (uint8_t)dice(POLICIES);
	put_behind(b, family);
}

static void drop(struct bench *b, int family)
{
	uint8_t id[LK_DIGEST];

	id_of(family, id);
	memset(&b->now[family], 0, sizeof(b->now[family]));
	GOOD(store_family_drop(b->store, id, &err));
}

/* ---- What must hold -------------------------------------------------------------------------- */

static int see_same(void *context, const struct stored_family *row)
{
	const struct model *m = context;
	uint8_t policy[LK_DIGEST];

	policy_of(m->policy, policy);
	assert_true(row->wake_at == m->wake_at);
	assert_memory_equal(row->policy, policy, LK_DIGEST);
	assert_int_equal(row->state_len, m->state_len);
	assert_int_equal(row->told_len, m->told_len);
	assert_memory_equal(row->state, m->state, m->state_len);
	assert_memory_equal(row->told, m->told, m->told_len);
	return 0;
}

static void expect_family(struct store *s, const struct model *all, int family)
{
	uint8_t id[LK_DIGEST];

	id_of(family, id);
	assert_int_equal(store_family_get(s, id, see_same, (void *)(uintptr_t)&all[family], &err),
			 all[family].is_there);
}

struct count {
	const struct model *all;
	lk_instant now;
	int n;
};

static int see_due(void *context, const uint8_t id[LK_DIGEST], lk_instant wake_at)
{
	struct count *c = context;
	const struct model *m = &c->all[family_of(id)];

	assert_true(m->is_there && m->wake_at == wake_at && wake_at <= c->now);
	c->n++;
	return 0;
}

static int see_one(void *context, const uint8_t id[LK_DIGEST], lk_instant wake_at)
{
	struct count *c = context;

	(void)wake_at;
	assert_true(c->all[family_of(id)].is_there);
	c->n++;
	return 0;
}

static void expect_lists(struct store *s, const struct model *all)
{
	struct count due = { all, 25, 0 }, there = { all, 0, 0 }, other = { all, 0, 0 };
	lk_instant next = LK_NO_INSTANT, found;
	int due_n = 0, there_n = 0, other_n = 0;
	uint8_t policy[LK_DIGEST];

	for (int i = 0; i < FAMILIES; i++) {
		const struct model *m = &all[i];
		bool wakes = m->is_there && m->wake_at != LK_NO_INSTANT;

		there_n += m->is_there;
		due_n += wakes && m->wake_at <= due.now;
		other_n += m->is_there && m->policy != 0;
		if (wakes && (next == LK_NO_INSTANT || m->wake_at < next))
			next = m->wake_at;
	}
	policy_of(0, policy);
	GOOD(store_families_due(s, due.now, FAMILIES, see_due, &due, &err));
	GOOD(store_families_after(s, NULL, FAMILIES, see_one, &there, &err));
	GOOD(store_families_behind(s, policy, FAMILIES, see_one, &other, &err));
	GOOD(store_next_wake(s, &found, &err));
	assert_int_equal(due.n, due_n);
	assert_int_equal(there.n, there_n);
	assert_true(found == next);
	if (there_n > 0 && other_n < there_n) /* else the policy may never have been named */
		assert_int_equal(other.n, other_n);
}

static void expect_all(struct store *s, const struct model *all)
{
	for (int i = 0; i < FAMILIES; i++)
		expect_family(s, all, i);
	expect_lists(s, all);
}

/* The files as they lie are what a process that is killed here leaves. */
static void crash(const struct bench *b)
{
	char command[400];

	(void)snprintf(command, sizeof(command),
		       "rm -rf '%s' && mkdir '%s' && cp %s/linkages.* '%s'", b->crashed, b->crashed,
		       b->directory, b->crashed);
	assert_int_equal(system(command), 0);
}

static void expect_after_crash(struct bench *b)
{
	struct store_check check = { 0 };
	struct store_rebuild found;
	struct store *left;
	int more;

	crash(b);
	open_in(b->crashed, &left);
	store_rebuild_found(left, &found);
	assert_string_equal(found.why, "");
	expect_all(left, b->committed);
	while ((more = store_check(left, &check, 100, &err)) > 0)
		continue;
	assert_int_equal(more, 0);
	assert_int_equal(check.damages, 0);
	store_close(left);
	open_in(b->crashed, &left); /* closed in peace, and all is in the rows */
	assert_int_equal(left->held.late_n, 0);
	expect_all(left, b->committed);
	store_close(left);
}

/* ---- Histories ------------------------------------------------------------------------------- */

static void act(struct bench *b, int families)
{
	int family = (int)dice((uint32_t)families);

	if (dice(25) == 0)
		drop(b, family);
	else
		put(b, family);
	if (dice(3) == 0)
		expect_family(b->store, b->now, family);
	if (dice(40) == 0)
		expect_lists(b->store, b->now);
}

static void transact(struct bench *b, int families)
{
	GOOD(store_begin(b->store, &err));
	for (uint32_t n = dice(30); n > 0; n--)
		act(b, families);
	if (dice(5) == 0) {
		store_rollback(b->store);
		memcpy(b->now, b->committed, FAMILIES * sizeof(*b->now));
	} else {
		GOOD(store_commit(b->store, &err));
		memcpy(b->committed, b->now, FAMILIES * sizeof(*b->now));
	}
}

static void reopen(struct bench *b)
{
	store_close(b->store);
	open_in(b->directory, &b->store);
}

/* As if so few were many: commits bring other rows up to date. */
static void open_with(struct bench *b, struct held_bounds bounds)
{
	reopen(b);
	b->store->held.bounds = bounds;
}

/* Families that are not used stay in memory, or hardly any do. */
static void play_any_history(struct bench *b, size_t memory)
{
	int bites = 0, partial = 0;

	dice_state = 4;
	for (int round = 0; round < 600; round++) {
		b->store->held.bounds.memory = memory;
		transact(b, round < 300 ? 12 : FAMILIES);
		if (dice(30) == 0) {
			int more = store_write_back(b->store, &err);

			GOOD(more);
			bites += more;
			partial += more > 0 && b->store->held.late_n > 0;
		}
		if (dice(60) == 0)
			reopen(b);
		if (round % 20 == 0)
			expect_after_crash(b);
	}
	expect_all(b->store, b->committed);
	assert_true(bites > 5 && partial > 0);
}

static void any_history_is_there_after_a_crash(void **state)
{
	play_any_history(*state, SIZE_MAX);
}

static void families_that_lie_in_row_and_changes_are_put_together(void **state)
{
	struct bench *b = *state;

	play_any_history(b, 100000);
	assert_true(b->store->held.late_n > 0);
	assert_in_range(b->store->held.bytes, 50000, 200000);
}

/* By the number of families, by their bytes, by those of the changes; a few with each commit, never hundreds at once. */
static void commits_keep_rows_from_falling_behind(void **state)
{
	static const struct held_bounds bounds[] = { { 240, SIZE_MAX, SIZE_MAX, SIZE_MAX },
						     { SIZE_MAX, 60000, SIZE_MAX, SIZE_MAX },
						     { SIZE_MAX, SIZE_MAX, 64000, 40000 } };
	struct bench *b = *state;

	dice_state = 8;
	for (size_t i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++) {
		size_t late = 0, most = 0;

		open_with(b, bounds[i]);
		for (int round = 0; round < 150; round++) {
			transact(b, round < 30 ? 12 : FAMILIES);
			if (round % 10 == 0)
				expect_after_crash(b);
			assert_true(b->store->held.late_n + 100 > late);
			late = b->store->held.late_n;
			most = late > most ? late : most;
		}
		assert_in_range(most, 150, 380);
	}
	expect_all(b->store, b->committed);
}

/* Whatever was begun when the process died was not committed; what is read within it is. */
static void a_transaction_reads_what_it_wrote(void **state)
{
	struct bench *b = *state;

	dice_state = 5;
	for (int i = 0; i < 3; i++)
		transact(b, FAMILIES);
	GOOD(store_begin(b->store, &err));
	for (int i = 0; i < 300; i++)
		act(b, 20);
	expect_all(b->store, b->now);
	expect_after_crash(b);
	drop(b, 3);
	put(b, 3);
	put(b, 3);
	expect_family(b->store, b->now, 3);
	GOOD(store_commit(b->store, &err));
	memcpy(b->committed, b->now, FAMILIES * sizeof(*b->now));
	expect_after_crash(b);
}

/* ---- Bounds ---------------------------------------------------------------------------------- */

static void no_more_is_late_than_the_bound(void **state)
{
	struct bench *b = *state;
	uint8_t bytes[64] = { 0 };
	struct stored_family row = {
		.wake_at = LK_NO_INSTANT, .state = bytes, .told = bytes, .told_len = sizeof(bytes)
	};
	size_t most = 0;

	b->store->held.bounds.families = 16384;
	for (int round = 0; round < 2; round++) {
		for (int from = 0; from < 20000; from += 1000) {
			GOOD(store_begin(b->store, &err));
			for (int i = from; i < from + 1000; i++) {
				id_of(i, row.id);
				row.state_len = 8 + (size_t)round;
				GOOD(store_family_put(b->store, &row, &err));
			}
			GOOD(store_commit(b->store, &err));
			most = b->store->held.late_n > most ? b->store->held.late_n : most;
		}
	}
	assert_in_range(most, 10000, 16384);
	assert_true(held_is_due(b->store));
	while (held_is_due(b->store)) /* whoever is idle makes it less */
		GOOD(store_idle(b->store, &err));
	assert_in_range(b->store->held.late_n, 1, 4096);
}

static int64_t number_in(struct store *s, const char *sql)
{
	sqlite3_stmt *statement;
	int64_t n;

	assert_int_equal(sqlite3_prepare_v2(s->db, sql, -1, &statement, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	n = sqlite3_column_int64(statement, 0);
	assert_int_equal(sqlite3_finalize(statement), SQLITE_OK);
	return n;
}

/* One family that is always at work does not keep all the others' changes. */
static void changes_go_when_the_rows_have_followed(void **state)
{
	struct bench *b = *state;
	int64_t last;

	dice_state = 6;
	for (int i = 0; i < 50; i++)
		transact(b, FAMILIES);
	assert_true(number_in(b->store, "SELECT sum(length(changes)) FROM family_change") > 0);
	last = number_in(b->store, "SELECT max(number) FROM family_change");
	for (int more = 1; more > 0;)
		GOOD(more = store_write_back(b->store, &err));
	assert_int_equal(number_in(b->store, "SELECT count(*) FROM family_change"), 1);
	assert_int_equal(number_in(b->store, "SELECT max(number) FROM family_change"), last);
	assert_int_equal(number_in(b->store, "SELECT sum(length(changes)) FROM family_change"), 0);
	expect_after_crash(b);
	transact(b, FAMILIES);
	expect_after_crash(b);
}

static void put_many(struct bench *b, int from, int until)
{
	GOOD(store_begin(b->store, &err));
	for (int i = from; i < until; i++)
		put_behind(b, i);
	GOOD(store_commit(b->store, &err));
	memcpy(b->committed, b->now, FAMILIES * sizeof(*b->now));
}

static size_t changes_in_last(struct bench *b)
{
	return (size_t)number_in(
		b->store, "SELECT length(changes) FROM family_change ORDER BY number DESC LIMIT 1");
}

/* Of many families that change once the row is written at once: a change of each would only be one thing more to write. */
static void where_many_are_late_no_others_become_so(void **state)
{
	struct bench *b = *state;

	dice_state = 9;
	put_many(b, 0, FAMILIES);
	open_with(b, (struct held_bounds){ 80, SIZE_MAX, SIZE_MAX, SIZE_MAX });
	put_many(b, 0, 75);
	assert_int_equal(b->store->held.late_n, 75);
	put_many(b, 100, 105);
	assert_in_range(b->store->held.late_n, 70, 75);
	assert_int_equal(changes_in_last(b), 0);
	expect_after_crash(b);
	put_many(b, 70, 75); /* these are late already, and go on as changes */
	assert_true(changes_in_last(b) > 0);
	expect_after_crash(b);
	put_many(b, 100, 105); /* these are at work, and were in memory */
	assert_true(changes_in_last(b) > 0);
	expect_after_crash(b);
	expect_all(b->store, b->committed);
}

/* The one that is late the longest, and nothing of it but changes in memory, is dropped in a commit that lets rows follow. */
static void a_family_that_waits_for_its_row_may_go(void **state)
{
	struct bench *b = *state;

	dice_state = 10;
	put_many(b, 0, FAMILIES);
	open_with(b, (struct held_bounds){ 80, SIZE_MAX, SIZE_MAX, 1 });
	put_many(b, 0, 75);
	GOOD(store_begin(b->store, &err));
	drop(b, 74);
	put_behind(b, 200);
	GOOD(store_commit(b->store, &err));
	memcpy(b->committed, b->now, FAMILIES * sizeof(*b->now));
	expect_all(b->store, b->committed);
	expect_after_crash(b);
}

/* One of those that were used longest ago, too: what is read after it gives way as before. */
static void a_family_that_goes_keeps_no_others_in_memory(void **state)
{
	struct bench *b = *state;

	dice_state = 11;
	put_many(b, 0, FAMILIES);
	open_with(b, (struct held_bounds){ 80, SIZE_MAX, SIZE_MAX, SIZE_MAX });
	for (int i = 0; i < FAMILIES / 2; i++)
		expect_family(b->store, b->committed, i);
	size_t most = b->store->held.bounds.memory = b->store->held.bytes;
	GOOD(store_begin(b->store, &err));
	drop(b, 0);
	for (int i = FAMILIES / 2; i < FAMILIES; i++)
		expect_family(b->store, b->now, i);
	assert_in_range(b->store->held.bytes, 1, most + 5000); /* and the one that was read last */
	GOOD(store_commit(b->store, &err));
}

/* Of a county with so many families, each asked for once. */
static void others_come(struct store *s, uint32_t families)
{
	for (uint32_t i = 0; i < 5000; i++) {
		struct family_version other = { .ref = families - 5000 + i };

		memcpy(other.id, &i, 2); /* its place, and what is remembered there */
		memcpy(other.id + 4, &i, 4);
		again_came(&s->held.again, &other);
	}
}

#define LONG_ONES 100

static struct stored_family long_one(int i)
{
	static const uint8_t bytes[2000] = { 0 };

	return (struct stored_family){ .id = { (uint8_t)i },
				       .wake_at = LK_NO_INSTANT,
				       .state = bytes,
				       .state_len = sizeof(bytes),
				       .told = bytes,
				       .told_len = sizeof(bytes) };
}

static int see_nothing(void *context, const struct stored_family *family)
{
	(void)context;
	(void)family;
	return 0;
}

static size_t bytes_when_all_were_asked_for(struct store *s)
{
	for (int i = 0; i < LONG_ONES; i++)
		assert_int_equal(store_family_get(s, long_one(i).id, see_nothing, NULL, &err), 1);
	return s->held.whole_bytes;
}

/* They are a third of what there is room for; and all of it again as soon as others do. */
static void families_that_do_not_come_back_are_not_kept_in_memory(void **state)
{
	static const size_t all = LONG_ONES * (size_t)4000;
	struct bench *b = *state;

	GOOD(store_begin(b->store, &err));
	for (int i = 0; i < LONG_ONES; i++) {
		struct stored_family family = long_one(i);

		GOOD(store_family_put(b->store, &family, &err));
	}
	GOOD(store_commit(b->store, &err));
	open_with(b, (struct held_bounds){ SIZE_MAX, SIZE_MAX, SIZE_MAX, all / 2 * 3 });
	others_come(b->store, 30000);
	assert_true(store_families_come_back(b->store));
	assert_int_equal(bytes_when_all_were_asked_for(b->store), all);
	others_come(b->store, 30000);
	others_come(b->store, 100000); /* the same ones: they come back, however many there are */
	assert_true(store_families_come_back(b->store));
	open_with(b, (struct held_bounds){ SIZE_MAX, SIZE_MAX, SIZE_MAX, all / 2 * 3 });
	others_come(b->store, 100000);
	assert_false(store_families_come_back(b->store));
	assert_in_range(bytes_when_all_were_asked_for(b->store), 1, all / 2 + 4000);
	others_come(b->store, 100000);
	assert_true(store_families_come_back(b->store));
	assert_int_equal(bytes_when_all_were_asked_for(b->store), all);
}

/* Each filling of state.db asks for it. The least of all is no scan by its plan, and may be one all the same. */
static void the_oldest_mark_is_found_without_a_walk(void **state)
{
	static const char marks[] =
		"INSERT INTO dirty_gone WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 "
		"FROM n LIMIT 500) SELECT randomblob(16), 1000 - n FROM n";
	struct store *s = ((struct bench *)*state)->store;
	struct query q = query_begin(s, SQL_dirty_oldest);
	int64_t oldest = 0;

	assert_int_equal(sqlite3_exec(s->db, marks, NULL, NULL, NULL), SQLITE_OK);
	GOOD(query_number(&q, &oldest, &err));
	assert_int_equal(oldest, 500);
	assert_in_range(sqlite3_stmt_status(s->statement[SQL_dirty_oldest],
					    SQLITE_STMTSTATUS_FULLSCAN_STEP, 0),
			0, 4);
}

/* Whose it is and whether it has tokens come with its name. */
static void a_case_that_is_not_remembered_is_asked_for_once(void **state)
{
	static const enum statement others[] = { SQL_family_of_case, SQL_token_any };
	static const struct case_key kase = { LK_CWS, { "C-100", 5 } };
	struct bench *b = *state;
	uint8_t id[LK_DIGEST], found[LK_DIGEST];

	id_of(1, id);
	GOOD(store_begin(b->store, &err));
	GOOD(store_case_join(b->store, kase, id, &err));
	GOOD(store_commit(b->store, &err));
	reopen(b);
	assert_int_equal(store_case_family(b->store, kase, found, &err), 1);
	assert_memory_equal(found, id, LK_DIGEST);
	assert_int_equal(store_has_tokens(b->store, kase, &err), 0);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(sqlite3_stmt_status(b->store->statement[others[i]],
						     SQLITE_STMTSTATUS_RUN, 0),
				 0);
}

/* ---- Damage ---------------------------------------------------------------------------------- */

static void meddle(struct bench *b, const char *sql)
{
	char path[128];
	sqlite3 *db;

	(void)snprintf(path, sizeof(path), "%s/linkages.db", b->crashed);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_changes(db), 1);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static const struct damage {
	const char *sql;
	int64_t anew; /* how often all families are to be derived anew */
	int rows;     /* that are found damaged */
	bool is_read; /* or it is found by whoever asks for the family */
} damages[] = {
	{ "UPDATE family_change SET sum = sum + 1 WHERE number = (SELECT max(number) - 2 FROM family_change)",
	  1, 1, false },
	{ "UPDATE family_change SET changes = substr(changes, 2) WHERE number = (SELECT max(number) - 2 FROM family_change)",
	  1, 1, false },
	{ "DELETE FROM family_change WHERE number = (SELECT max(number) - 2 FROM family_change)", 0,
	  0, false },
	{ "UPDATE family SET told = x'00' WHERE ref = (SELECT min(ref) FROM family)", 0, 1, true },
	{ "UPDATE family SET changed = changed - 1 WHERE ref = (SELECT min(ref) FROM family)", 0, 1,
	  true },
};

static int see_any(void *context, const struct stored_family *row)
{
	(void)context;
	(void)row;
	return 0;
}

/* It is not shown, and the next start makes the store anew. */
static void read_damaged(struct bench *b, struct store **left)
{
	uint8_t id[LK_DIGEST];
	int refused = 0;

	for (int family = 0; family < 8; family++) {
		id_of(family, id);
		refused += store_family_get(*left, id, see_any, NULL, &err) == LK_ESTORE;
	}
	assert_int_equal(refused, 1);
	store_close(*left);
	open_in(b->crashed, left);
}

/* The store is made anew, without what cannot be read; no family is missing, and those of which something is are
 * derived anew: they say so by a policy that nobody has. */
static void a_damaged_change_is_found(void **state)
{
	struct bench *b = *state;
	struct store_rebuild found;
	struct store *left;

	dice_state = 7;
	for (int i = 0; i < 10; i++)
		transact(b, 8);
	for (int i = 0; i < 4; i++) {
		GOOD(store_begin(b->store, &err));
		for (int family = 0; family < 8; family++)
			put_behind(b, family);
		GOOD(store_commit(b->store, &err));
	}
	memcpy(b->committed, b->now, FAMILIES * sizeof(*b->now));
	for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
		struct count there = { b->committed, 0, 0 };
		int64_t anew = 0, n = 0;

		for (int family = 0; family < FAMILIES; family++)
			n += b->committed[family].is_there;
		crash(b);
		meddle(b, damages[i].sql);
		open_in(b->crashed, &left);
		if (damages[i].is_read)
			read_damaged(b, &left);
		store_rebuild_found(left, &found);
		assert_non_null(strstr(found.why, "damage: "));
		assert_int_equal(found.damages, damages[i].rows);
		GOOD(store_value_get(left, STORE_FAMILIES_ANEW, &anew, &err));
		assert_int_equal(anew, damages[i].anew);
		GOOD(store_families_after(left, NULL, FAMILIES, see_one, &there, &err));
		assert_int_equal(there.n, n);
		assert_true(
			number_in(left,
				  "SELECT count(*) FROM family JOIN policy ON policy.ref = policy "
				  "WHERE revision = zeroblob(16) AND state = x''") > 0);
		assert_int_equal(number_in(left, "SELECT sum(length(changes)) FROM family_change"),
				 0);
		store_close(left);
	}
}

/* Nothing that is left speaks of them but linkages.mark. A number is not given to another change: rows may hold the first. */
static void changes_that_are_gone_from_the_end_are_noticed(void **state)
{
	struct bench *b = *state;
	struct store_rebuild found;
	struct store *left;
	int64_t last, anew = 0;

	dice_state = 7;
	for (int i = 0; i < 10; i++)
		transact(b, 8);
	last = number_in(b->store, "SELECT max(number) FROM family_change");
	crash(b);
	meddle(b,
	       "DELETE FROM family_change WHERE number = (SELECT max(number) FROM family_change)");
	open_in(b->crashed, &left);
	store_rebuild_found(left, &found);
	assert_string_equal(found.why, "damage: the database is behind its mark");
	GOOD(store_value_get(left, STORE_FAMILIES_ANEW, &anew, &err));
	assert_int_equal(anew, 1);
	assert_true(number_in(left, "SELECT max(number) FROM family_change") >= last);
	store_close(left);
	open_in(b->crashed, &left);
	store_rebuild_found(left, &found);
	assert_string_equal(found.why, "");
	store_close(left);
}

#define BENCH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_delta_gives_the_new_version_back),
		cmocka_unit_test(a_small_change_makes_a_small_delta),
		cmocka_unit_test(the_deltas_of_two_pieces_are_one_of_both),
		cmocka_unit_test(what_is_no_delta_is_refused),
		BENCH(any_history_is_there_after_a_crash),
		BENCH(families_that_lie_in_row_and_changes_are_put_together),
		BENCH(commits_keep_rows_from_falling_behind),
		BENCH(a_transaction_reads_what_it_wrote),
		BENCH(no_more_is_late_than_the_bound),
		BENCH(changes_go_when_the_rows_have_followed),
		BENCH(where_many_are_late_no_others_become_so),
		BENCH(a_family_that_waits_for_its_row_may_go),
		BENCH(a_family_that_goes_keeps_no_others_in_memory),
		BENCH(families_that_do_not_come_back_are_not_kept_in_memory),
		BENCH(the_oldest_mark_is_found_without_a_walk),
		BENCH(a_case_that_is_not_remembered_is_asked_for_once),
		BENCH(a_damaged_change_is_found),
		BENCH(changes_that_are_gone_from_the_end_are_noticed),
	};

	return cmocka_run_group_tests_name("held", tests, NULL, NULL);
}
