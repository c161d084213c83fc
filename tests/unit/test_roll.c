/* test_roll.c - notices lie in order of arrival, and are read by mailbox: by rolls that are filled behind, and may be wrong.
 *
 * In: notices to workers that take turns, in a store whose rolls are behind by few of them. Out: mailboxes, as they were
 * told. Promise: a place shows what was told there, or the store is in doubt; what is lost stays in its place, buried.
 */
#include "place.h"

#define WORKERS 5
#define PLACES 2000
#define LAG 40

struct office {
	struct place *place;
	int next[WORKERS], first[WORKERS]; /* as the store is to have them */
	int told[WORKERS][PLACES];         /* which notice is at each place */
	int buried;                        /* that one says no more that it is; 0: none */
	int seen, worker;                  /* of the mailbox that is read */
};

static struct lk_text nth_worker(int i)
{
	static char name[4][16];
	static unsigned turn;
	char *at = name[turn++ % 4];

	return (struct lk_text){ at, (uint32_t)snprintf(at, sizeof(name[0]), "w%d", i) };
}

static void nth_id(int i, uint8_t id[LK_DIGEST])
{
	lk_digest(&i, sizeof(i), NULL, id);
}

static void reopen(struct place *place)
{
	place->lag = LAG;
	place_close(place);
	GOOD(place_open(place));
}

static int begin(void **state)
{
	struct office *o = calloc(1, sizeof(*o));

	assert_non_null(o);
	(void)in_directory((void **)&o->place);
	reopen(o->place);
	for (int i = 0; i < WORKERS; i++)
		o->next[i] = o->first[i] = 1;
	*state = o;
	return 0;
}

static int end(void **state)
{
	struct office *o = *state;

	(void)leave((void **)&o->place);
	free(o);
	return 0;
}

static void tell(struct office *o, int worker, int i)
{
	uint8_t id[LK_DIGEST];

	nth_id(i, id);
	struct stored_notice n = a_notice("w", id, 1, "body");
	struct lk_notice said = *n.said;
	n.worker = said.to = nth_worker(worker);
	n.said = &said;
	assert_int_equal(add_notice(o->place->store, &n), o->next[worker]);
	o->told[worker][o->next[worker]++] = i;
}

/* So many to a commit, in whatever order of workers. */
static void tell_some(struct office *o, int from, int until, int step)
{
	for (int i = from; i < until;) {
		GOOD(store_begin(o->place->store, &err));
		for (int last = i + step; i < last && i < until; i++)
			tell(o, (i * 7 + i / 11) % WORKERS, i);
		GOOD(store_commit(o->place->store, &err));
	}
}

static int see_place(void *context, const struct stored_notice *n)
{
	struct office *o = context;
	uint8_t id[LK_DIGEST];
	int i = o->told[o->worker][n->seq];

	assert_int_equal(n->seq, o->seen++);
	nth_id(i, id);
	if (i != o->buried)
		assert_memory_equal(n->id, id, LK_DIGEST);
	else
		assert_int_equal(n->said->state, LK_WITHDRAWN);
	return 0;
}

/* A page at a time; what is read until something is wrong is as it was told. */
static int read_mailbox(struct office *o, int worker)
{
	int rc = 0;

	o->worker = worker;
	o->seen = o->first[worker];
	for (int before = 0; rc == 0 && o->seen > before;) {
		before = o->seen;
		rc = store_notices_after(o->place->store, nth_worker(worker),
					 before == o->first[worker] ? 0 : before - 1, 37, see_place,
					 o, &err);
	}
	return rc;
}

static void all_is_there(struct office *o)
{
	struct store_check check = { 0 };
	int more;

	for (int w = 0; w < WORKERS; w++) {
		GOOD(read_mailbox(o, w));
		assert_int_equal(o->seen, o->next[w]);
	}
	while ((more = store_check(o->place->store, &check, 50, &err)) > 0)
		continue;
	assert_int_equal(more, 0);
	assert_int_equal(check.damages, 0);
}

static int count_one(void *context, const struct stored_notice *n)
{
	(void)n;
	++*(int *)context;
	return 0;
}

static int found(struct office *o, int worker, int i)
{
	uint8_t id[LK_DIGEST];
	int n = 0;

	nth_id(i, id);
	GOOD(store_notice_find(o->place->store, nth_worker(worker), id, count_one, &n, &err));
	GOOD(store_notice_history(o->place->store, id, count_one, &n, &err));
	return n / 2;
}

static bool was_made_anew(const struct office *o)
{
	struct store_rebuild rebuilt;

	store_rebuild_found(o->place->store, &rebuilt);
	return rebuilt.why[0] != '\0';
}

static int64_t believed(struct office *o)
{
	int64_t upto = 0;

	assert_true(store_value_get(o->place->store, "roll.upto", &upto, &err) >= 0);
	return upto;
}

/* Nobody waits for an idle moment, and memory is bounded all the same. */
static void rolls_follow_without_idle_moments(void **state)
{
	struct office *o = *state;

	for (int i = 1; i < 3000; i += 100) {
		tell_some(o, i, i + 100, 9);
		assert_true(believed(o) > i + 100 - 3 * LAG);
	}
	all_is_there(o);
	for (int i = 2; i < 3000; i += 271)
		assert_int_equal(found(o, (i * 7 + i / 11) % WORKERS, i), 1);
	assert_int_equal(found(o, 0, 4000), 0);
}

/* More at once than is kept back, and some of it taken back: its serial numbers are given to others. */
static void what_is_taken_back_leads_nowhere(void **state)
{
	struct office *o = *state, before;

	for (int i = 1; i < 2000; i += 100) {
		before = *o;
		GOOD(store_begin(o->place->store, &err));
		for (int n = 0; n < 100; n++)
			tell(o, n % 3, 5000 + n);
		if (i % 200 == 1) {
			GOOD(read_mailbox(o, 1));
			assert_int_equal(o->seen, o->next[1]);
		}
		store_rollback(o->place->store);
		*o = before;
		assert_int_equal(found(o, 0, 5000), 0);
		tell_some(o, i, i + 100, i % 300 == 1 ? 100 : 3);
		all_is_there(o);
		if (i % 700 == 1)
			reopen(o->place);
	}
}

/* As it is on the disk when nobody closes it: entries are in rolls that are not believed yet. */
static void a_run_that_was_cut_short_is_moved_again(void **state)
{
	static const char *const files[] = { "linkages.db", "linkages.db-wal", "linkages.mark" };
	struct office *o = *state;
	int cut = 0;

	for (int i = 1; i < 130; i += 5) {
		char kept[40];

		tell_some(o, i, i + 5, 5);
		for (size_t n = 0; n < 3; n++) {
			(void)snprintf(kept, sizeof(kept), "kept.%zu", n);
			file_copy(o->place, files[n], kept);
		}
		place_close(o->place);
		for (size_t n = 0; n < 3; n++) {
			(void)snprintf(kept, sizeof(kept), "kept.%zu", n);
			file_copy(o->place, kept, files[n]);
		}
		cut += ask(o->place, "linkages.db",
			   "SELECT sum(length(ids)) / 3 > coalesce((SELECT value FROM value WHERE name = 'roll.upto'), 0) FROM roll") ==
		       1;
		GOOD(place_open(o->place));
		assert_false(was_made_anew(o));
		all_is_there(o);
	}
	assert_true(cut > 2);
}

/* ---- Damage ---------------------------------------------------------------------------------- */

/* The store is closed, and may be damaged as often as one likes. */
static void is_kept(struct office *o)
{
	char copy[200];

	place_close(o->place);
	(void)snprintf(copy, sizeof(copy), "VACUUM INTO '%s'", path_in(o->place, "linkages.kept"));
	meddle(o->place, "linkages.db", copy);
}

static void begins_from_kept(struct office *o, const char *damage)
{
	(void)unlink(path_in(o->place, "linkages.mark"));
	file_copy(o->place, "linkages.kept", "linkages.db");
	meddle(o->place, "linkages.db", damage);
	GOOD(place_open(o->place));
}

/* Whatever it leads to, a row says whose it is: the wrong notice is never shown, and none is lost. */
static const char *const wrong_rolls[] = {
	"DELETE FROM roll",
	"DELETE FROM roll WHERE number & 4294967295 = 65",
	"UPDATE value SET value = value + 20 WHERE name = 'roll.upto'",
	"UPDATE roll SET ids = zeroblob(length(ids)), serials = zeroblob(length(ids) / 3)",
	"UPDATE roll SET ids = substr(ids, 1, 6)",
	"UPDATE roll SET ids = substr(ids, 1, 7)",
	"UPDATE roll SET ids = CAST(ids || ids AS BLOB), serials = CAST(serials || serials AS BLOB)",
	"UPDATE roll SET ids = CAST(ids || x'000000' AS BLOB)",
	"UPDATE roll SET serials = CAST(serials || x'00' AS BLOB)",
	"UPDATE roll SET serials = substr(serials, 1, length(serials) - 1)",
	"UPDATE roll SET ids = CAST(substr(ids, 4, 3) || substr(ids, 1, 3) || substr(ids, 7) AS BLOB)",
	"UPDATE roll SET serials = CAST(x'ffffffff7f' || substr(serials, 2) AS BLOB)",
	"UPDATE roll SET serials = CAST(x'ffffffffffffffffffffff' || substr(serials, 2) AS BLOB)",
	"UPDATE roll SET serials = CAST(substr(serials, 1, 10) || x'00' || substr(serials, 12) AS BLOB)",
	"UPDATE roll SET serials = CAST(substr(serials, 1, 10) || x'01' || substr(serials, 12) AS BLOB)",
	"UPDATE roll SET ids = CAST(x'ffffff' || substr(ids, 4) AS BLOB)",
	"UPDATE roll SET (ids, serials) = (SELECT ids, serials FROM roll AS other WHERE other.number > roll.number ORDER BY number LIMIT 1) WHERE number = (SELECT min(number) FROM roll)",
};

static void a_roll_that_leads_astray_is_noticed(void **state)
{
	struct office *o = *state;

	tell_some(o, 1, 900, 9);
	is_kept(o);
	for (size_t i = 0; i < sizeof(wrong_rolls) / sizeof(wrong_rolls[0]); i++) {
		struct store_check check = { 0 };
		int more, rc = 0;

		begins_from_kept(o, wrong_rolls[i]);
		while ((more = store_check(o->place->store, &check, 50, &err)) > 0)
			continue;
		assert_int_equal(more, 0);
		if (check.damages == 0)
			fail_msg("not noticed: %s", wrong_rolls[i]);
		for (int w = 0; rc == 0 && w < WORKERS; w++)
			rc = read_mailbox(o, w);
		if (rc == 0) /* only where an id begins was wrong */
			store_distrust(o->place->store, "a roll");
		else
			assert_int_equal(rc, LK_ESTORE);
		reopen(o->place);
		assert_true(was_made_anew(o));
		all_is_there(o);
		place_close(o->place);
	}
	GOOD(place_open(o->place));
}

/* What was moved since is moved again: rolls may be ahead of it by any number. */
static void rolls_may_be_ahead_of_what_is_believed(void **state)
{
	static const char *const old_values[] = {
		"UPDATE value SET value = value - 300 WHERE name = 'roll.upto'",
		"DELETE FROM value WHERE name = 'roll.upto'",
	};
	struct office *o = *state;

	tell_some(o, 1, 900, 9);
	for (int i = 0; i < 2; i++) {
		place_close(o->place);
		meddle(o->place, "linkages.db", old_values[i]);
		GOOD(place_open(o->place));
		assert_false(was_made_anew(o));
		all_is_there(o);
		tell_some(o, 900 + i * 2800, 3700 + i * 2800, 9);
		assert_true(believed(o) > 3000); /* by more than was told */
		all_is_there(o);
	}
}

/* Many times what is kept in memory. */
static void all_rolls_are_made_again(void **state)
{
	struct office *o = *state;

	tell_some(o, 1, 3000, 500);
	store_distrust(o->place->store, "a test");
	reopen(o->place);
	assert_true(was_made_anew(o));
	assert_int_equal(believed(o), 2999);
	all_is_there(o);
	tell_some(o, 3000, 3100, 3);
	all_is_there(o);
}

static void what_is_lost_is_buried_in_its_place(void **state)
{
	struct office *o = *state;

	tell_some(o, 1, 900, 9);
	o->buried = o->told[2][50];
	place_close(o->place);
	meddle(o->place, "linkages.db",
	       "DELETE FROM notice WHERE number & 4294967295 = 50 AND number >> 32 = (SELECT ref FROM worker WHERE name = 'w2')");
	GOOD(place_open(o->place));
	assert_int_equal(read_mailbox(o, 2), LK_ESTORE);
	assert_int_equal(o->seen, 50);
	reopen(o->place);
	assert_true(was_made_anew(o));
	all_is_there(o);
	tell_some(o, 900, 1100, 9); /* it comes into the roll, with them */
	all_is_there(o);
	reopen(o->place);
	all_is_there(o);
}

/* Of rows that stand where none was told, and say what others say. */
static const char *const strays[] = {
	"UPDATE notice SET serial = serial + 1099511627776 WHERE serial = 700",
	"UPDATE notice SET serial = 100000000 WHERE serial = 700",
	"UPDATE notice SET serial = 100000000 WHERE serial = (SELECT max(serial) FROM notice)",
	"INSERT INTO notice SELECT 1000, number, id, rev, marks, own_case, other_case, told_at, ledger, sum, body FROM notice WHERE serial = 3",
	"INSERT INTO notice SELECT 1099511627776, number, id, rev, marks, own_case, other_case, told_at, ledger, sum, body FROM notice WHERE serial = 880",
};

static void a_row_that_is_out_of_place_is_noticed(void **state)
{
	struct office *o = *state;

	tell_some(o, 1, 900, 9);
	is_kept(o);
	for (size_t i = 0; i < sizeof(strays) / sizeof(strays[0]); i++) {
		struct store_check check = { 0 };

		begins_from_kept(o, strays[i]);
		while (store_check(o->place->store, &check, 50, &err) > 0)
			continue;
		if (check.damages == 0 && !was_made_anew(o))
			fail_msg("not noticed: %s", strays[i]);
		store_distrust(o->place->store, strays[i]);
		reopen(o->place);
		o->buried = strstr(strays[i], "+ 1099511627776") != NULL ? 700 : 0;
		all_is_there(o);
		place_close(o->place);
	}
	GOOD(place_open(o->place));
}

/* ---- Retention ------------------------------------------------------------------------------- */

static void prune(struct office *o, int worker, int first)
{
	struct store *s = o->place->store;
	int64_t mailbox = 0, gone = 0;
	int more = 1;

	GOOD(store_begin(s, &err));
	GOOD(store_receipt(s, nth_worker(worker), first - 1, &err));
	GOOD(store_commit(s, &err));
	while (more == 1) {
		GOOD(store_begin(s, &err));
		GOOD(more = store_prune_mailbox(s, &mailbox, 3000, 7, &gone, &err));
		GOOD(store_commit(s, &err));
	}
	assert_int_equal(gone, first - o->first[worker]);
	o->first[worker] = first;
}

/* From rolls, and from what is in none yet: it comes into none afterwards. */
static void what_is_pruned_is_in_no_roll(void **state)
{
	struct office *o = *state;

	tell_some(o, 1, 900, 9);
	tell_some(o, 900, 1000, 100);
	prune(o, 0, 100);
	prune(o, 1, o->next[1]);
	prune(o, 2, o->next[2] - 1);
	all_is_there(o);
	assert_int_equal(found(o, 0, o->told[0][99]), 0);
	assert_int_equal(found(o, 0, o->told[0][100]), 1);
	for (int i = 1000; i < 1300; i++) {
		tell_some(o, i, i + 1, 1);
		if (i % 50 == 0)
			reopen(o->place);
	}
	all_is_there(o);
	place_close(o->place);
	for (int w = 0; w < 3; w++) {
		char sql[200];

		(void)snprintf(
			sql, sizeof(sql),
			"SELECT min(number & 4294967295) FROM roll WHERE number >> 32 = (SELECT ref FROM worker WHERE name = 'w%d')",
			w);
		assert_int_equal(ask(o->place, "linkages.db", sql), ((o->first[w] - 1) & -64) + 1);
	}
	GOOD(place_open(o->place));
	for (int w = 0; w < WORKERS; w++)
		prune(o, w, o->next[w]);
	all_is_there(o);
	reopen(o->place);
	tell_some(o, 1300, 1310, 3); /* the last row has gone, and serial numbers go on */
	all_is_there(o);
}

/* As the row was before the front went, and more came: where the end is said to be nothing is any more. */
static int told_behind(struct office *o)
{
	const struct stored_notice n = a_notice("w0", notice_a, 1, "body");
	int64_t seq;
	int rc = 0;

	place_close(o->place);
	meddle(o->place, "linkages.db",
	       "UPDATE worker SET first = 1, next = 30, received = 0 WHERE name = 'w0'");
	GOOD(place_open(o->place));
	for (int i = 30; rc == 0 && i < o->next[0]; i++) {
		GOOD(store_begin(o->place->store, &err));
		if ((rc = store_notice_add(o->place->store, &n, &seq, &err)) == 0)
			rc = store_commit(o->place->store, &err);
	}
	store_rollback(o->place->store);
	return rc;
}

static void a_place_is_given_once_though_its_row_is_old(void **state)
{
	struct office *o = *state;

	tell_some(o, 1, 900, 9);
	prune(o, 0, 120);
	assert_int_equal(told_behind(o), LK_ESTORE);
	assert_non_null(strstr(err.text, "its place 30 is damaged"));
	reopen(o->place);
	assert_true(was_made_anew(o));
}

/* Nothing of it is in a roll yet. */
static void a_place_is_given_once_though_no_roll_has_it(void **state)
{
	struct office *o = *state;

	place_close(o->place);
	o->place->lag = 0;
	GOOD(place_open(o->place));
	tell_some(o, 1, 900, 9);
	prune(o, 0, 120);
	place_close(o->place);
	assert_int_equal(ask(o->place, "linkages.db", "SELECT count(*) FROM roll"), 0);
	GOOD(place_open(o->place));
	assert_int_equal(told_behind(o), LK_ESTORE);
	assert_non_null(strstr(err.text, "its place 120 is damaged"));
	reopen(o->place);
	assert_true(was_made_anew(o));
}

int main(void)
{
#define WITH_OFFICE(test) cmocka_unit_test_setup_teardown(test, begin, end)
	const struct CMUnitTest tests[] = {
		WITH_OFFICE(rolls_follow_without_idle_moments),
		WITH_OFFICE(what_is_taken_back_leads_nowhere),
		WITH_OFFICE(a_run_that_was_cut_short_is_moved_again),
		WITH_OFFICE(a_roll_that_leads_astray_is_noticed),
		WITH_OFFICE(rolls_may_be_ahead_of_what_is_believed),
		WITH_OFFICE(all_rolls_are_made_again),
		WITH_OFFICE(what_is_lost_is_buried_in_its_place),
		WITH_OFFICE(a_row_that_is_out_of_place_is_noticed),
		WITH_OFFICE(what_is_pruned_is_in_no_roll),
		WITH_OFFICE(a_place_is_given_once_though_its_row_is_old),
		WITH_OFFICE(a_place_is_given_once_though_no_roll_has_it),
	};

	return cmocka_run_group_tests_name("roll", tests, NULL, NULL);
}
