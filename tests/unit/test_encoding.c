/* test_encoding.c - notices that a thread encodes before their hand-out are handed out as if it had not.
 *
 * In: invented notices, told and taken back, with a thread beside them. Out: what their worker is given. Promise: whoever has
 * made the bytes, they are those of lk_notice_encode(). Also under ThreadSanitizer.
 */
#include "place.h"

#include <linkages/wire.h>

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#define MOST 40000
#define ROUND 400
#define MANY 10000 /* more than wait at once */

static struct lk_bytes want[MOST + 1]; /* by place */
static int64_t told;

struct given {
	int64_t seq;
	int encoded;
};

/* ---- Telling, and what is given of it ---------------------------------------------------------- */

static int free_all(void **state)
{
	(void)state;
	for (size_t i = 0; i <= MOST; i++)
		lk_bytes_free(&want[i]);
	return 0;
}

static int forget_all(void **state)
{
	told = 0;
	return in_memory(state);
}

/* One of fifty is too long to be encoded ahead. */
static void dress(struct lk_notice *said)
{
	static const char event[] =
		"cws-cms/an-id-that-is-nearly-as-long-as-an-identifier-may-be-012345";

	if (dice(3) == 0)
		said->contacts[said->contacts_n++] = (struct lk_contact){ .agency = LK_CALWORKS,
									  .role = LK_AIS_WORKER,
									  .worker = LK_TEXT("w8") };
	if (dice(3) == 0)
		said->due = lk_date_of(2026, 3, 2);
	while (dice(50) == 0 && said->events_n < LK_BECAUSE_MAX)
		for (int n = 0; n < 15; n++)
			said->events[said->events_n++] = lk_text_of(event);
}

static void tell_one(struct store *s)
{
	uint8_t id[LK_DIGEST] = { (uint8_t)dice(256), (uint8_t)dice(256), (uint8_t)dice(256) };
	char place[200];
	(void)snprintf(place, sizeof(place), "%0*d", (int)dice(150) + 1, (int)dice(10000));
	struct stored_notice n = a_notice("w1", id, 1, place);
	struct lk_notice said = *n.said;

	if (dice(2) == 0) {
		n.other = (struct case_key){ LK_NO_CODE, LK_NO_TEXT };
		said.other_number = LK_NO_TEXT;
	}
	dress(&said);
	n.said = &said;
	int64_t seq = add_notice(s, &n);
	assert_in_range(seq, 1, MOST);
	lk_bytes_clear(&want[seq]);
	lk_notice_encode(&said, &want[seq]);
}

static void tell(struct store *s, int n)
{
	GOOD(store_begin(s, &err));
	for (int i = 0; i < n; i++)
		tell_one(s);
	GOOD(store_commit(s, &err));
	told += n;
}

/* What is told next has the places, and the rows, that these would have had. */
static void take_back(struct store *s, int n)
{
	GOOD(store_begin(s, &err));
	for (int i = 0; i < n; i++)
		tell_one(s);
	store_rollback(s);
}

static int compare(void *context, const struct stored_notice *n)
{
	struct given *g = context;
	struct lk_bytes made = { 0 };

	assert_int_equal(n->seq, ++g->seq);
	if (n->encoded.at != NULL)
		lk_bytes_add(&made, n->encoded.at, n->encoded.len);
	else
		lk_notice_encode(n->said, &made);
	assert_int_equal(made.len, want[n->seq].len);
	assert_memory_equal(made.at, want[n->seq].at, made.len);
	lk_bytes_free(&made);
	g->encoded += n->encoded.at != NULL;
	return 0;
}

/* How many of those after a place were encoded ahead. */
static int given(struct store *s, int64_t after)
{
	struct given g = { .seq = after };

	GOOD(store_notices_after(s, LK_TEXT("w1"), after, MOST, compare, &g, &err));
	assert_int_equal(g.seq, told);
	return g.encoded;
}

static void encode_all(struct store *s)
{
	while (store_encoding_waits(s))
		store_encode_some(s);
}

/* ---- Without a thread of its own ------------------------------------------------------------- */

static void what_is_encoded_is_what_would_be(void **state)
{
	struct store *s = ((struct place *)*state)->store;

	GOOD(store_encoding_begin(s, &err));
	tell(s, ROUND);
	assert_int_equal(given(s, 0), 0);
	encode_all(s);
	int encoded = given(s, 0);
	assert_in_range(encoded, ROUND * 9 / 10, ROUND - 1);
	store_encoding_end(s);
	assert_int_equal(given(s, 0), 0);
}

static void what_was_taken_back_is_given_to_nobody(void **state)
{
	struct store *s = ((struct place *)*state)->store;

	GOOD(store_encoding_begin(s, &err));
	take_back(s, ROUND);
	encode_all(s);
	tell(s, ROUND);
	assert_int_equal(given(s, 0), 0);
	encode_all(s);
	assert_true(given(s, 0) > 0);
	store_encoding_end(s);
}

/* Their numbers are given once more. */
static void what_another_ring_had_is_given_to_nobody(void **state)
{
	struct store *s = ((struct place *)*state)->store;

	GOOD(store_encoding_begin(s, &err));
	tell(s, ROUND);
	encode_all(s);
	store_encoding_end(s);
	GOOD(store_encoding_begin(s, &err));
	tell(s, ROUND);
	encode_all(s);
	assert_in_range(given(s, 0), 1, ROUND);
	store_encoding_end(s);
}

static void more_than_there_is_room_for_is_made_at_the_hand_out(void **state)
{
	struct store *s = ((struct place *)*state)->store;

	GOOD(store_encoding_begin(s, &err));
	tell(s, MANY);
	encode_all(s);
	assert_in_range(given(s, 0), 1, MANY * 9 / 10);
	tell(s, MANY); /* where the first ones were */
	encode_all(s);
	assert_in_range(given(s, 0), 1, MANY * 9 / 10);
	store_encoding_end(s);
}

/* What a hand-out asks of a notice beside its bytes. */
static int look(void *context, const struct stored_notice *n)
{
	char id[LK_DIGEST_HEX];

	lk_digest_hex(n->id, id);
	assert_non_null(n->encoded.at);
	assert_string_equal(n->said->id, id);
	assert_int_equal(n->said->rev, 3);
	assert_true(lk_text_is(n->said->to, LK_TEXT("w1")));
	assert_int_equal(n->said->kind, LK_STATUS_CHANGED);
	assert_int_equal(n->said->state, LK_NEW);
	assert_int_equal(n->said->events_n, 1);
	assert_true(lk_text_is(n->said->events[0], LK_TEXT("cws-cms/e1")));
	assert_int_equal(n->cause_at, 1000);
	*(bool *)context = true;
	return 0;
}

static void the_rest_of_it_is_there_too(void **state)
{
	struct store *s = ((struct place *)*state)->store;
	struct stored_notice n = a_notice("w1", notice_a, 3, "there");
	bool seen = false;

	GOOD(store_encoding_begin(s, &err));
	GOOD(store_begin(s, &err));
	add_notice(s, &n);
	GOOD(store_commit(s, &err));
	encode_all(s);
	GOOD(store_notices_after(s, LK_TEXT("w1"), 0, 1, look, &seen, &err));
	assert_true(seen);
	store_encoding_end(s);
}

/* ---- With one ---------------------------------------------------------------------------------- */

struct beside {
	struct store *store;
	atomic_bool ends;
};

static void *encode_on(void *context)
{
	struct beside *b = context;

	while (!atomic_load(&b->ends)) {
		if (store_encoding_waits(b->store))
			store_encode_some(b->store);
		else
			(void)sched_yield();
	}
	return NULL;
}

static void a_thread_is_in_nobodys_way(void **state)
{
	struct beside b = { .store = ((struct place *)*state)->store };
	pthread_t thread;
	int encoded = 0;

	GOOD(store_encoding_begin(b.store, &err));
	assert_int_equal(pthread_create(&thread, NULL, encode_on, &b), 0);
	for (int round = 0; round < MOST / ROUND; round++) {
		if (round % 3 == 0)
			take_back(b.store, 40);
		tell(b.store, ROUND);
		while (round % 5 == 0 && store_encoding_waits(b.store))
			(void)sched_yield();
		encoded += given(b.store, told - ROUND);
	}
	atomic_store(&b.ends, true);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_true(encoded >= MOST / 5 * 9 / 10);
	store_encoding_end(b.store);
}

#define TELLING(test) cmocka_unit_test_setup_teardown(test, forget_all, leave)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TELLING(what_is_encoded_is_what_would_be),
		TELLING(what_was_taken_back_is_given_to_nobody),
		TELLING(what_another_ring_had_is_given_to_nobody),
		TELLING(more_than_there_is_room_for_is_made_at_the_hand_out),
		TELLING(the_rest_of_it_is_there_too),
		TELLING(a_thread_is_in_nobodys_way),
	};

	return cmocka_run_group_tests_name("encoding", tests, NULL, free_all);
}
