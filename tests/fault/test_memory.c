/* test_memory.c - the nth allocation fails, or all from the nth on, for one n after the other: nothing is half done, nothing
 * leaks, and the same deed succeeds afterwards and says the same.
 *
 * In: random histories, played up to a point; then one deed with a failing allocation. Out: cmocka's verdicts; leaks are
 * the sanitizer's to find. Promise: allocations of our own code and of SQLite are counted as one row.
 */
#include "../property/world.h"
#include "../unit/beside.h"
#include "../unit/story.h"
#include "policy.h"

#include <pthread.h>
#include <sched.h>
#include <sqlite3.h>
#include <stdatomic.h>

/* ---- Allocations that fail --------------------------------------------------------------------- */

static atomic_long left_until_failure; /* 0: none fails */
static atomic_bool has_failed,
	is_lasting;    /* it is one allocation; or all from that one on, as at a limit of memory */
static bool is_beside; /* only those of other threads than our own are counted */
static pthread_t own;

static bool is_to_fail(void)
{
	if (left_until_failure == 0 || (is_beside && pthread_equal(pthread_self(), own)))
		return false;
	if (--left_until_failure > 0)
		return false;
	has_failed = true;
	left_until_failure = is_lasting;
	return true;
}

static void calm(void)
{
	left_until_failure = 0;
}

/* The linker leads every call of ours here. */
void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *at, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *at, size_t size);

void *__wrap_malloc(size_t size)
{
	return is_to_fail() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return is_to_fail() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *at, size_t size)
{
	return is_to_fail() ? NULL : __real_realloc(at, size);
}

static sqlite3_mem_methods memory; /* SQLite's own */

static void *sqlite_malloc(int size)
{
	return is_to_fail() ? NULL : memory.xMalloc(size);
}

static void *sqlite_realloc(void *at, int size)
{
	return is_to_fail() ? NULL : memory.xRealloc(at, size);
}

static int lead_sqlite_here(void **state)
{
	(void)state;
	if (sqlite3_config(SQLITE_CONFIG_GETMALLOC, &memory) != SQLITE_OK)
		return -1;
	sqlite3_mem_methods methods = memory;
	methods.xMalloc = sqlite_malloc;
	methods.xRealloc = sqlite_realloc;
	return sqlite3_config(SQLITE_CONFIG_MALLOC, &methods) == SQLITE_OK ? 0 : -1;
}

/* ---- Deeds ------------------------------------------------------------------------------------- */

static struct policy policies[2];

struct scene {
	struct history *h;
	struct order o;
	uint32_t before; /* steps that are taken before the deed */
};

typedef int deed(struct world *w, const struct scene *s);

/* What is left of the order, as one batch. */
static int do_batch(struct world *w, const struct scene *s)
{
	struct turn_event in[HISTORY_MAX];
	struct turn_verdict verdicts[HISTORY_MAX];
	uint32_t n = 0;
	w->now = s->o.ends;
	for (uint32_t i = s->before; i < s->o.n; i++) {
		const struct said *said = &s->h->at[s->o.at[i].event];
		in[n++] = (struct turn_event){ .bytes = said->wire.at,
					       .len = said->wire.len,
					       .source = said->event.source };
	}
	return turn_events(w->turn, w->now, in, n, verdicts, &w->err);
}

static int do_pass(struct world *w, const struct scene *s)
{
	w->now = s->o.ends;
	return turn_pass(w->turn, w->now, &w->err);
}

static int do_answer(struct world *w, const struct scene *s)
{
	uint8_t id[LK_DIGEST];
	(void)s;
	if (w->heard_n == 0 ||
	    lk_digest_parse(lk_text_of(w->heard[w->heard_n - 1].notice.id), id) < 0)
		return 0;
	return turn_answer(w->turn, w->heard[w->heard_n - 1].notice.to, id, w->now, &w->err);
}

static int do_policy(struct world *w, const struct scene *s)
{
	(void)s;
	int rc = turn_policy(w->turn, &policies[1], &w->err);
	return rc < 0 ? rc : turn_pass(w->turn, w->now, &w->err);
}

static int look_away(void *context, int64_t seq, const void *body, size_t len)
{
	(void)context;
	(void)seq;
	(void)body;
	(void)len;
	return 0;
}

static int do_hand_out(struct world *w, const struct scene *s)
{
	(void)s;
	if (w->heard_n == 0)
		return 0;
	return turn_mailbox(w->turn, w->heard[w->heard_n - 1].notice.to, 0, 1000,
			    LK_TEXT("0123456789abcdef0123456789abcdef"), w->now, look_away, NULL,
			    &w->err);
}

static int do_idle(struct world *w, const struct scene *s)
{
	int more = 1;
	(void)s;
	while (more > 0)
		more = turn_idle(w->turn, &w->err);
	return more;
}

/* ---- One after the other ----------------------------------------------------------------------- */

static void set_scene(struct world *w, const struct scene *s)
{
	world_open(w, s->h, &s->o, &policies[0]);
	w->hearing = calm; /* past COMMIT it is this test that allocates */
	for (uint32_t i = 0; i < s->before; i++)
		assert_int_equal(world_step(w, i), 0);
}

static char *told_by(const struct world *w, uint32_t first)
{
	struct lk_bytes text = world_told(w, first, false);
	return (char *)text.at;
}

static char *states_of(const struct world *w)
{
	struct lk_bytes text = world_states(w);
	return (char *)text.at;
}

static int64_t rows_of(const struct world *w)
{
	struct store_counts c;
	struct lk_error err;
	assert_int_equal(store_counts(w->store, &c, &err), 0);
	return c.events + c.dead_letters + c.notices + c.ledger_rows;
}

/* After a failure: as if the deed had not been tried. */
static void expect_untouched(const struct world *w, const char *states, int64_t rows,
			     uint32_t heard_n)
{
	char *now = states_of(w);
	assert_string_equal(now, states);
	assert_int_equal(rows_of(w), rows);
	assert_int_equal(w->heard_n, heard_n);
	free(now);
}

/* True once nothing failed any more: n was larger than the number of allocations. */
static bool try_failing(const struct scene *s, deed *act, long n, const char *expected)
{
	struct world w;
	set_scene(&w, s);
	char *states = states_of(&w);
	int64_t rows = rows_of(&w);
	uint32_t heard_n = w.heard_n;
	has_failed = false;
	left_until_failure = n;
	int rc = act(&w, s);
	calm();
	if (rc < 0) {
		assert_true(has_failed);
		if (act != do_policy) /* which has taken the policy, and goes on from there */
			expect_untouched(&w, states, rows, heard_n);
		rc = act(&w, s);
	}
	if (rc < 0)
		fail_msg("allocation %ld failed once, and the deed ever after: %s", n, w.err.text);
	char *told = told_by(&w, heard_n);
	assert_string_equal(told, expected);
	free(told);
	free(states);
	world_close(&w);
	return !has_failed;
}

static char *without_failure(const struct scene *s, deed *act)
{
	struct world w;
	set_scene(&w, s);
	uint32_t heard_n = w.heard_n;
	if (act(&w, s) < 0)
		fail_msg("with memory enough: %s", w.err.text);
	char *told = told_by(&w, heard_n);
	world_close(&w);
	return told;
}

static struct scene roll_scene(uint64_t seed)
{
	struct dice dice = { seed };
	struct scene s = { .h = history_roll(&dice, &policies[0].zone) };
	s.o = order_roll(s.h, ARRIVE_LATE, false, &dice);
	s.o.by_feed = true;
	s.before = s.o.n * 2 / 3;
	return s;
}

static bool is_thorough;

/* Every one of the first dozen, then fewer and fewer: what comes late is more of the same. */
static long fail_some(deed *act, uint64_t seeds)
{
	long tries = 0;
	for (uint64_t seed = 1; seed <= seeds; seed++) {
		struct scene s = roll_scene(seed);
		char *expected = without_failure(&s, act);
		for (long n = 1; !try_failing(&s, act, n, expected);
		     n += is_thorough ? 1 : 1 + n / 12)
			tries++;
		free(expected);
		order_free(&s.o);
		history_free(s.h);
	}
	assert_true(tries > 10); /* allocations were led here at all */
	return tries;
}

static void fail_each(const char *name, deed *act)
{
	long once, lasting;
	is_lasting = false;
	once = fail_some(act, 3);
	is_lasting = true;
	lasting = fail_some(act, 1);
	printf("%s, an allocation fails: %ld times; all from one on: %ld times; none left anything half done\n",
	       name, once, lasting);
}

static void batch_without_memory(void **state)
{
	(void)state;
	fail_each("a batch", do_batch);
}

static void pass_without_memory(void **state)
{
	(void)state;
	fail_each("time passes", do_pass);
}

static void answer_without_memory(void **state)
{
	(void)state;
	fail_each("an answer", do_answer);
}

static void policy_without_memory(void **state)
{
	(void)state;
	fail_each("another policy", do_policy);
}

static void hand_out_without_memory(void **state)
{
	(void)state;
	fail_each("a hand-out", do_hand_out);
}

static void idle_without_memory(void **state)
{
	(void)state;
	fail_each("an idle moment", do_idle);
}

/* ---- A family's row in two ways ------------------------------------------------------------------ */

static int change_one(struct store *s, uint8_t name, const char *state, bool by_draft)
{
	struct lk_bytes row = { 0 }, deltas = { 0 };
	struct stored_family will = {
		.id = { name }, .wake_at = LK_NO_INSTANT, .state = state, .state_len = strlen(state)
	};
	struct stored_draft draft;
	struct lk_error err;
	int rc = store_begin(s, &err);

	if (rc >= 0 && by_draft) {
		assert_true(store_draft_begin(s, &will, &draft));
		lk_bytes_add(&row, state, will.state_len);
		store_draft_make(&draft, &row, will.state_len, &deltas);
		rc = store_draft_put(s, &draft, &err);
		store_draft_drop(&draft);
	} else if (rc >= 0) {
		rc = store_family_put(s, &will, &err);
	}
	rc = store_end(s, rc, &err);
	lk_bytes_free(&row);
	lk_bytes_free(&deltas);
	return rc;
}

/* True once nothing failed. */
static bool try_change(long n, bool by_draft)
{
	struct lk_error err;
	struct store *s;

	assert_int_equal(store_open(&(struct store_options){ 0 }, &s, &err), 0);
	assert_int_equal(change_one(s, 1, "as it was made", false), 0);
	has_failed = false;
	left_until_failure = n;
	if (change_one(s, 1, "as it could not be", by_draft) < 0)
		assert_true(has_failed);
	calm();
	assert_int_equal(change_one(s, 1, "as it is", !by_draft), 0);
	store_close(s);
	return !has_failed;
}

static void what_failed_for_a_row_is_no_matter_of_the_next(void **state)
{
	(void)state;
	for (int by_draft = 0; by_draft < 2; by_draft++)
		for (long n = 1; !try_change(n, by_draft != 0); n++)
			continue;
}

/* ---- What the thread packs ---------------------------------------------------------------------- */

#define FAMILIES 64

/* One event of each family; 0 is what they begin with. */
static int take_round(struct turn *t, int64_t round, struct lk_error *err)
{
	static struct turn_verdict verdicts[FAMILIES];
	struct turn_event batch[FAMILIES];
	struct lk_bytes said[FAMILIES];
	char id[24], number[16];

	for (int i = 0; i < FAMILIES; i++) {
		(void)snprintf(id, sizeof(id), "e%d-%d", (int)round, i);
		(void)snprintf(number, sizeof(number), "C-%d", i);
		said[i] =
			story_event("cws-cms", id, "2026-03-02T09:00:00-08:00", number,
				    round == 0 ? "case.opened" : "milestone.reached",
				    round == 0
					    ? "'data':{'status':'er'}"
					    : "'data':{'milestone':'applied','date':'2026-03-02'}");
		batch[i] = (struct turn_event){ .bytes = said[i].at,
						.len = said[i].len,
						.source = LK_TEXT("cws-cms"),
						.has_outbox_seq = true,
						.seq = round * FAMILIES + i + 1 };
	}
	int rc = turn_events(t, story_instant("2026-03-12T12:00:00-08:00") + round * LK_SECOND,
			     batch, FAMILIES, verdicts, err);
	for (int i = 0; i < FAMILIES; i++)
		lk_bytes_free(&said[i]);
	return rc;
}

static int64_t events_of(struct store *s)
{
	struct store_counts c;
	struct lk_error err;

	assert_int_equal(store_counts(s, &c, &err), 0);
	return c.events;
}

/* Whatever else it asks for, it must ask for room for a row. */
static void what_the_thread_has_no_memory_for_is_taken_back(void **state)
{
	const struct turn_source source = { "cws-cms", LK_CWS, false };
	struct turn_options options = { .policy = &policies[0],
					.sources = &source,
					.sources_n = 1 };
	struct lk_error err;
	struct turn *t;

	(void)state;
	assert_int_equal(store_open(&(struct store_options){ 0 }, &options.store, &err), 0);
	assert_int_equal(turn_create(&options, &t, &err), 0);
	assert_int_equal(turn_start_reader(t, &err), 0);
	assert_int_equal(take_round(t, 0, &err), 0);
	pack_by_both(t);
	own = pthread_self();
	is_lasting = true;
	is_beside = true;
	left_until_failure = 1;
	assert_true(take_round(t, 1, &err) < 0);
	calm();
	is_lasting = false;
	assert_int_equal(err.code, LK_EMEMORY);
	assert_int_equal(events_of(t->store), FAMILIES);
	assert_int_equal(take_round(t, 1, &err), 0);
	assert_int_equal(events_of(t->store), 2 * FAMILIES);
	turn_destroy(t);
	is_beside = false;
	store_close(options.store);
}

/* ---- Rows that wait ---------------------------------------------------------------------------- */

static void tell_one(struct store *s, uint8_t name)
{
	struct lk_notice said;
	struct lk_error err;
	struct stored_notice n = {
		.worker = LK_TEXT("w1"), .id = { name }, .rev = 1, .topic = -1, .said = &said
	};
	int64_t seq;

	n.own.agency = n.other.agency = -1;
	lk_notice_clear(&said);
	said.rev = n.rev;
	said.to = n.worker;
	said.kind = n.kind;
	said.state = n.state;
	assert_int_equal(store_notice_add(s, &n, &seq, &err), 0);
}

static void take_one(struct store *s, uint8_t name)
{
	const char id = (char)('a' + name);
	const struct stored_event e = { .agency = LK_CWS,
					.source = LK_TEXT("cws-cms"),
					.id = { &id, 1 },
					.number = LK_TEXT("C-1"),
					.body = "\200",
					.body_len = 1 };
	struct lk_error err;
	int64_t position;

	assert_int_equal(store_event_add(s, &e, &position, &err), 1);
}

static int look_at_all(struct store *s, struct store_check *check)
{
	struct lk_error err;
	int more = 1;

	while (more > 0)
		more = store_check(s, check, 1000, &err);
	return more;
}

/* Somebody asks for them, and goes on without an answer. True once nothing failed. */
static bool try_let_in(long n)
{
	struct store_check asked = { 0 }, then = { 0 };
	struct store_counts counts;
	struct lk_error err;
	struct store *s;
	bool is_in;

	assert_int_equal(store_open(&(struct store_options){ 0 }, &s, &err), 0);
	assert_int_equal(store_begin(s, &err), 0);
	for (uint8_t i = 1; i < 4; i++) {
		take_one(s, i);
		tell_one(s, i);
	}
	has_failed = false;
	left_until_failure = n;
	(void)look_at_all(s, &asked);
	calm();
	is_in = store_commit(s, &err) == 0;
	if (!is_in) {
		assert_true(has_failed);
		store_rollback(s);
	}
	assert_int_equal(look_at_all(s, &then), 0);
	assert_int_equal(then.damages, 0);
	assert_int_equal(store_counts(s, &counts, &err), 0);
	assert_int_equal(counts.events, is_in ? 3 : 0);
	store_close(s);
	return !has_failed;
}

static void what_could_not_be_let_in_is_not_committed_without(void **state)
{
	(void)state;
	for (is_lasting = false;; is_lasting = true) {
		for (long n = 1; !try_let_in(n); n += is_thorough ? 1 : 1 + n / 40)
			continue;
		if (is_lasting)
			return;
	}
}

/* As where the index on ids lies: another row is in the way of one that waits, but not of the one before it. */
static void what_was_taken_for_new_in_error_is_not_left_out_of_a_commit(void **state)
{
	static const char behind[] =
		"INSERT INTO event SELECT position + 9, source, 'd', case_ref, type, supersedes, received_at,"
		" lag, sequence, stream, outbox_seq, ahead, sum, body FROM event";
	struct store_counts counts;
	struct lk_error err;
	struct store *s;

	(void)state;
	assert_int_equal(store_open(&(struct store_options){ 0 }, &s, &err), 0);
	assert_int_equal(store_begin(s, &err), 0);
	take_one(s, 1);
	assert_int_equal(store_commit(s, &err), 0);
	assert_int_equal(store_begin(s, &err), 0);
	assert_int_equal(sqlite3_exec(s->db, behind, NULL, NULL, NULL), SQLITE_OK);
	take_one(s, 2);
	take_one(s, 3);
	assert_true(store_counts(s, &counts, &err) < 0);
	assert_true(store_commit(s, &err) < 0);
	store_rollback(s);
	assert_int_equal(store_counts(s, &counts, &err), 0);
	assert_int_equal(counts.events, 1);
	store_close(s);
}

/* With --every, each single allocation fails in its turn. */
int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(batch_without_memory),
		cmocka_unit_test(pass_without_memory),
		cmocka_unit_test(answer_without_memory),
		cmocka_unit_test(policy_without_memory),
		cmocka_unit_test(hand_out_without_memory),
		cmocka_unit_test(idle_without_memory),
		cmocka_unit_test(what_failed_for_a_row_is_no_matter_of_the_next),
		cmocka_unit_test(what_the_thread_has_no_memory_for_is_taken_back),
		cmocka_unit_test(what_could_not_be_let_in_is_not_committed_without),
		cmocka_unit_test(what_was_taken_for_new_in_error_is_not_left_out_of_a_commit),
	};
	struct lk_error err;
	is_thorough = argc > 1 && strcmp(argv[1], "--every") == 0;
	if (policy_load(NULL, &policies[0], &err) < 0)
		return 2;
	policies[1] = policies[0];
	policies[1].revision[0] ^= 1;
	return cmocka_run_group_tests(tests, lead_sqlite_here, NULL);
}
