/* test_store.c - what is known of families, the ledger, and what a transaction is.
 *
 * In: invented rows. Out: what comes back, also after a rollback, after closing, and after any history. Promise: all of a
 * transaction is there or none; no row of the ledger can be changed unseen.
 */
#include "place.h"

#include <sys/stat.h>

#include <sodium.h>

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

/* So many a bite. */
static int64_t behind(struct store *s, const uint8_t policy[LK_DIGEST], int bite)
{
	struct behind_place place = { 0 };
	int64_t n = 0;
	int more;

	while ((more = store_count_behind(s, policy, &place, bite, &n, &err)) > 0)
		;
	assert_int_equal(more, 0);
	return n;
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
	assert_int_equal(behind(s, policy_a, 1), 1);
	assert_int_equal(behind(s, policy_b, 10), 1);
	assert_int_equal(behind(s, epoch, 1), 2);
	assert_int_equal(behind(s, epoch, 10), 2);
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
	lk_instant since = 0;

	GOOD(store_begin(s, &err));
	GOOD(store_link_put(s, CWS_CASE, AID_CASE, 5, &err));
	GOOD(store_link_put(s, AID_CASE, CWS_CASE, 6, &err));
	GOOD(store_commit(s, &err));
	SAW("W-200", store_links_of(s, CWS_CASE, see_case_since, &seen, &err));
	SAW("C-100", store_links_of(s, AID_CASE, see_case_since, &seen, &err));
	assert_int_equal(store_link_between(s, CWS_CASE, AID_CASE, &since, &err), 1);
	assert_int_equal(since, 6);
	GOOD(store_begin(s, &err));
	GOOD(store_link_drop(s, AID_CASE, CWS_CASE, &err));
	GOOD(store_commit(s, &err));
	SAW("", store_links_of(s, CWS_CASE, see_case_since, &seen, &err));
	SAW("", store_links_of(s, AID_CASE, see_case_since, &seen, &err));
	assert_int_equal(store_link_between(s, CWS_CASE, AID_CASE, &since, &err), 0);
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

/* Mailboxes are far apart: their numbers say nothing of how many rows there are. */
static void a_check_says_how_far_it_is(void **state)
{
	struct store *s = ((struct place *)*state)->store;
	struct store_check check = { 0 };
	int64_t before = 0;
	int more = 1;

	put_one_of_each(s);
	while (more > 0) {
		GOOD(more = store_check(s, &check, 1, &err));
		assert_in_range(check.done, before, check.of);
		assert_in_range(check.of, 5, 50);
		before = check.done;
	}
	assert_true(check.done >= 5);
}

/* ---- Cases that were expunged ---------------------------------------------------------------- */
#define MANY_CASES 300 /* more than what is in memory begins with */

static struct case_key nth_case(int n)
{
	static char number[MANY_CASES][16];

	(void)snprintf(number[n], sizeof(number[n]), "N-%d", n);
	return (struct case_key){ n % 2, lk_text_of(number[n]) };
}

static int64_t expunged_left(struct store *s, int limit)
{
	int64_t after = 0, cases = 0;
	int more = 1;

	while (more > 0)
		GOOD(more = store_expunged_left(s, &after, limit, &cases, &err));
	return cases;
}

static void each_third_is_expunged(const struct store *s)
{
	for (int i = 0; i < MANY_CASES; i++) {
		struct case_key other = { 1 - nth_case(i).agency, nth_case(i).number };

		assert_int_equal(store_is_expunged(s, nth_case(i)), i % 3 == 0);
		assert_false(store_is_expunged(s, other));
	}
}

static void what_was_expunged_is_known_however_much_it_is(void **state)
{
	struct place *place = *state;
	struct store *s = place->store;

	GOOD(store_begin(s, &err));
	for (int i = 0; i < MANY_CASES; i++)
		GOOD(store_case_join(s, nth_case(i), family_a, &err));
	GOOD(store_commit(s, &err));
	assert_int_equal(expunged_left(s, 7), 0);
	for (int i = 0; i < MANY_CASES; i += 3) {
		struct case_key twice[] = { nth_case(i), nth_case(i) };

		GOOD(store_expunged_add(s, twice, 2, &err));
	}
	each_third_is_expunged(s);
	assert_int_equal(expunged_left(s, 7), MANY_CASES / 3);
	assert_int_equal(expunged_left(s, MANY_CASES), MANY_CASES / 3);
	assert_int_equal(expunged_left(s, MANY_CASES + 1), MANY_CASES / 3);
	place_close(place);
	GOOD(place_open(place));
	each_third_is_expunged(place->store);
	assert_int_equal(expunged_left(place->store, 1), MANY_CASES / 3);
}

/* What could not be written down is not expunged, and the others still are. */
static void an_order_that_is_not_on_the_disk_is_none(void **state)
{
	struct place *place = *state;
	const char *in_the_way = path_in(place, "linkages.expunged.new");
	struct case_key more[] = { nth_case(1), nth_case(2) };

	for (int i = 0; i < MANY_CASES; i += 3)
		GOOD(store_expunged_add(place->store, (struct case_key[]){ nth_case(i) }, 1, &err));
	assert_int_equal(mkdir(in_the_way, 0700), 0);
	assert_int_equal(store_expunged_add(place->store, more, 2, &err), LK_ESTORE);
	each_third_is_expunged(place->store);
	assert_int_equal(rmdir(path_in(place, "linkages.expunged.new")), 0);
	GOOD(store_expunged_add(place->store, more, 2, &err));
	assert_true(store_is_expunged(place->store, nth_case(2)));
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
	uint8_t chain[LK_DIGEST] = { 0 }, digest[LK_DIGEST], salts[64][12];
	struct lk_bytes bytes = { 0 };
	int64_t broken = 0, expected = 1;

	assert_int_equal(sqlite3_open_v2(path_in(place, "linkages.db"), &db, SQLITE_OPEN_READONLY,
					 NULL),
			 SQLITE_OK);
	assert_int_equal(
		sqlite3_prepare_v2(
			db,
			"SELECT number, at, first_seq, last_seq, level, worker_name, session, basis, seal, chain, secret "
			"FROM ledger_row WHERE reader IS NOT NULL ORDER BY number",
			-1, &row, NULL),
		SQLITE_OK);
	for (; sqlite3_step(row) == SQLITE_ROW && broken == 0; expected++) {
		lk_bytes_clear(&bytes);
		lk_bytes_add(&bytes, sqlite3_column_blob(row, 8),
			     (size_t)sqlite3_column_bytes(row, 8));
		if (sqlite3_column_type(row, 8) == SQLITE_NULL) {
			randombytes_buf_deterministic(salts, sizeof(salts),
						      sqlite3_column_blob(row, 10));
			lk_bytes_add(&bytes, salts[(sqlite3_column_int64(row, 0) - 1) % 64], 12);
		}
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
		    memcmp(chain, sqlite3_column_blob(row, 9),
			   (size_t)sqlite3_column_bytes(row, 9)) != 0)
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
	"SELECT 1 FROM (SELECT max(serial) AS last, count(*) AS n FROM notice) WHERE last <> n",
	"SELECT 1 FROM notice GROUP BY number HAVING count(*) > 1",
	/* What is in a roll is so, and all that is told so is there. */
	"SELECT 1 FROM notice JOIN roll ON roll.number = ((notice.number - 1) & -64) + 1 AND length(ids) >= 3 * (notice.number - roll.number + 1) WHERE substr(ids, 1 + 3 * (notice.number - roll.number), 3) <> substr(id, 1, 3)",
	"SELECT 1 FROM notice LEFT JOIN roll ON roll.number = ((notice.number - 1) & -64) + 1 WHERE serial <= (SELECT value FROM value WHERE name = 'roll.upto') AND coalesce(length(ids), 0) < 3 * (notice.number - roll.number + 1)",
	"SELECT 1 FROM roll WHERE length(ids) > 192 OR length(ids) % 3 <> 0 OR (number & 4294967295) % 64 <> 1",
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
	place->lag = 40;
	place_close(place);
	GOOD(place_open(place));
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		MEMORY(a_family_row_is_replaced_as_a_whole),
		MEMORY(families_wake_in_order),
		MEMORY(cases_belong_to_one_family),
		MEMORY(links_are_seen_from_both_ends),
		MEMORY(lookalikes_carry_an_equal_token),
		MEMORY(a_case_has_tokens_or_has_none),
		MEMORY(a_check_says_how_far_it_is),
		FILES(what_was_expunged_is_known_however_much_it_is),
		FILES(an_order_that_is_not_on_the_disk_is_none),
		MEMORY(a_worker_has_one_calendar_over_all_families),
		FILES(the_ledger_is_a_chain),
		FILES(the_ledger_tells_of_one_place_in_a_mailbox),
		MEMORY(writing_needs_a_transaction),
		MEMORY(a_walk_within_itself_is_refused_and_goes_on),
		FILES(names_of_a_batch_that_failed_are_forgotten),
		FILES(what_was_committed_is_there_after_closing),
		FILES(invariants_hold_after_any_history),
	};

	return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
