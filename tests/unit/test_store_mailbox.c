/* test_store_mailbox.c - what was told: mailboxes, rolls, and what was told just now.
 *
 * In: invented notices. Out: what their workers read, from memory and from rows. Promise: places are dense; a notice comes
 * back as it was told, wherever it is read from.
 */
#include "place.h"

#include <linkages/wire.h>

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

/* Rolls are filled behind: a notice is found before and after, wherever it lies. */
static void a_notice_is_found_in_the_rolls_and_behind_them(void **state)
{
	struct place *place = *state;
	struct store *s = place->store;

	for (int i = 0; i < 700;) {
		GOOD(store_begin(s, &err));
		for (int last = i + 35; i < last; i++)
			add_nth(s, i);
		GOOD(store_commit(s, &err));
		for (int j = 0; j < i; j += 37)
			is_found(s, j);
	}
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
	int compared, encoded;
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
	for (uint32_t i = 0; i < n->said->events_n; i++)
		put_text(out, n->said->events[i]);
	if (n->encoded.at != NULL)
		lk_bytes_add(out, n->encoded.at, n->encoded.len);
	else
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
	t->encoded += n->encoded.at != NULL;
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
	if (chance_of(t, 4) != 0) /* too long to be encoded ahead, too */
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
	GOOD(store_encoding_begin(t->s, &err));
	for (int step = 0; step < 600; step++) {
		tell_some(t);
		if (chance_of(t, 3) == 0 && store_encoding_waits(t->s))
			store_encode_some(t->s);
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
	assert_true(t->encoded > 100);
	store_encoding_end(t->s);
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

/* As the words of another family's event, which is not struck out with the case that it names. */
static void a_number_is_found_in_what_is_squeezed(void **state)
{
	struct store *s = ((struct place *)*state)->store;
	uint8_t id[LK_DIGEST] = { 0 };
	int64_t bytes, found;

	GOOD(store_begin(s, &err));
	for (id[0] = 0; id[0] < 60; id[0]++) {
		struct stored_notice n =
			a_notice("w1", id, 1, id[0] % 2 == 0 ? "see 24-0815 too" : "see 24-08151");

		(void)add_notice(s, &n);
	}
	GOOD(store_commit(s, &err));
	GOOD(store_notices_say(s, LK_TEXT("24-0815"), &bytes, &found, &err));
	assert_int_equal(found, 30);
	assert_in_range(bytes, 60 * strlen("24-0815"), 60 * 1000);
	GOOD(store_notices_say(s, LK_TEXT("24-0816"), &bytes, &found, &err));
	assert_int_equal(found, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
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
		MEMORY(a_mailbox_is_there_before_its_row_and_receipts_only_grow),
		MEMORY(a_number_is_found_in_what_is_squeezed),
		MEMORY(stores_in_memory_are_the_same_each_time),
	};

	return cmocka_run_group_tests_name("mailbox", tests, NULL, NULL);
}
