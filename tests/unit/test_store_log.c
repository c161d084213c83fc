/* test_store_log.c - what came in: events in the log, dead letters, and how far each outbox is.
 *
 * In: invented events and refusals, in memory and in a folder. Out: what comes back, byte for byte and in order. Promise:
 * one event is stored once; a refusal is repeated word for word; what is known follows the transaction.
 */
#include "place.h"

#include <linkages/wire.h>

/* ---- The event log --------------------------------------------------------------------------- */
static int check_event(void *context, const struct stored_event *e)
{
	const struct stored_event *want = context;

	assert_int_equal(e->position, want->position);
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

static void add_and_find(struct store *s, struct stored_event *e)
{
	GOOD(store_begin(s, &err));
	e->position = add_event(s, e);
	GOOD(store_commit(s, &err));
	assert_int_equal(store_event_find(s, SOURCE, e->id, check_event, e, &err), 1);
}

/* The first and the last wait for their table, the one between is added at once. */
static void an_event_comes_back_as_it_was(void **state)
{
	static const char *const ids[] = { "e3", "e1", "e4" };
	static const int64_t sequences[] = { -7, 7, 0 };
	struct store *s = ((struct place *)*state)->store;
	struct stored_event e;

	for (int i = 0; i < 3; i++) {
		e = an_event(ids[i]);
		e.supersedes = LK_TEXT("e0");
		e.has_sequence = e.has_outbox_seq = e.ahead = true;
		e.sequence = sequences[i];
		e.outbox_seq = 12 + i;
		memcpy(e.epoch, epoch, LK_DIGEST);
		add_and_find(s, &e);
		assert_int_equal(e.position, i + 1);
	}
	e = an_event("e5");
	add_and_find(s, &e);
	assert_int_equal(store_event_find(s, SOURCE, LK_TEXT("e2"), check_event, &e, &err), 0);
	assert_int_equal(
		store_event_find(s, LK_TEXT("calsaws"), LK_TEXT("e1"), check_event, &e, &err), 0);
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

/* A run that a start finds half moved begins anew: where less than a run comes from start to start, none would come to its end
 * if it were not moved while nobody waits, too, and each start would read all events since. */
static void what_a_list_lacks_is_bounded_from_start_to_start(void **state)
{
	struct place *place = *state;
	struct listed *l = calloc(1, sizeof(*l));

	place->lag = 40;
	for (int n = 0; n < LISTED_EVENTS;) {
		place_close(place);
		GOOD(place_open(place));
		GOOD(store_begin(place->store, &err));
		for (int last = n + 15; n < last; n++)
			add_listed(place->store, l, n);
		GOOD(store_commit(place->store, &err));
		while (store_idle(place->store, &err) > 0)
			continue;
		check_listed(place->store, l);
	}
	place_close(place);
	assert_true(ask(place, "linkages.db",
			"SELECT value > (SELECT max(position) FROM event) - 80 FROM value "
			"WHERE name = 'event_case.upto'") == 1);
	assert_int_equal(ask(place, "linkages.db", listed_wrongly), 0);
	GOOD(place_open(place));
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

/* ---- Known or new -------------------------------------------------------------------------------- */

/* Ids that ascend, or do not; one is longer than what is remembered of it; more sources than are remembered. */
#define KNOWN_SOURCES 19
static const char *const any_id[] = {
	"1",
	"10",
	"2",
	"9",
	"90",
	"a",
	"ab",
	"ab-1",
	"A",
	"\303\251",
	"zz",
	"z",
	"y-0123456789-0123456789-0123456789-0123456789-0123456789-0123456789",
};
#define KNOWN_IDS (sizeof(any_id) / sizeof(any_id[0]))

struct known {
	bool now[KNOWN_SOURCES][KNOWN_IDS], committed[KNOWN_SOURCES][KNOWN_IDS];
	uint32_t seed;
};

static uint32_t known_chance(struct known *k, uint32_t n)
{
	k->seed = k->seed * 1664525u + 1013904223u;
	return (k->seed >> 8) % n;
}

static int check_id(void *context, const struct stored_event *e)
{
	const struct stored_event *want = context;

	assert_true(lk_text_is(e->id, want->id));
	assert_true(lk_text_is(e->source, want->source));
	return 0;
}

static void add_any(struct store *s, struct known *k)
{
	uint32_t source = known_chance(k, KNOWN_SOURCES), id = known_chance(k, KNOWN_IDS);
	struct stored_event e = an_event(any_id[id]);
	char name[16];
	int64_t position;

	(void)snprintf(name, sizeof(name), "source-%u", source);
	e.source = lk_text_of(name);
	assert_int_equal(store_event_add(s, &e, &position, &err), !k->now[source][id]);
	k->now[source][id] = true;
	if (known_chance(k, 4) == 0)
		assert_int_equal(store_event_find(s, e.source, e.id, check_id, &e, &err), 1);
}

static void an_event_is_new_once_whatever_its_id_is(void **state)
{
	struct place *place = *state;
	struct known *k = calloc(1, sizeof(*k));

	for (int round = 0; round < 80; round++) {
		GOOD(store_begin(place->store, &err));
		for (uint32_t n = 1 + known_chance(k, 9); n > 0; n--)
			add_any(place->store, k);
		if (known_chance(k, 3) == 0) {
			store_rollback(place->store);
			memcpy(k->now, k->committed, sizeof(k->now));
		} else {
			GOOD(store_commit(place->store, &err));
			memcpy(k->committed, k->now, sizeof(k->now));
		}
		if (round % 19 == 18) {
			place_close(place);
			GOOD(place_open(place));
		}
	}
	GOOD(store_integrity(place->store, NULL, NULL, &err));
	free(k);
}

/* Rows wait, but not too many of them, nor too long ones. */
static void events_of_a_large_batch_are_all_there(void **state)
{
	struct store *s = ((struct place *)*state)->store;
	static char body[9000];
	struct store_counts counts;

	GOOD(store_begin(s, &err));
	for (int i = 0; i < 700; i++) {
		char id[16];

		(void)snprintf(id, sizeof(id), "e%03d", i);
		struct stored_event e = an_event(id);
		if (i < 60) {
			e.body = body;
			e.body_len = sizeof(body);
		}
		assert_int_equal(add_event(s, &e), i + 1);
		if (i % 100 == 99)
			assert_int_equal(store_event_find(s, SOURCE, e.id, check_id, &e, &err), 1);
	}
	GOOD(store_commit(s, &err));
	GOOD(store_counts(s, &counts, &err));
	assert_int_equal(counts.events, 700);
}

static void no_event_waits_where_nothing_is_committed(void **state)
{
	struct store *s = ((struct place *)*state)->store;
	struct stored_event one = an_event("e1"), two = an_event("e2");
	int64_t position;

	GOOD(store_begin(s, &err));
	add_event(s, &one);
	GOOD(store_commit(s, &err));
	REFUSED(store_event_add(s, &two, &position, &err), LK_ESTATE, "outside of a transaction");
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

static int letters_pruned(struct store *s, lk_instant before, int limit)
{
	int64_t gone = 0;
	int more = 1, bites = 0;

	for (; more > 0; bites++) {
		GOOD(store_begin(s, &err));
		GOOD(more = store_prune_letters(s, before, limit, &gone, &err));
		GOOD(store_commit(s, &err));
		assert_true(gone <= (bites + 1) * limit);
	}
	return (int)gone;
}

/* The clock was put back between the fifth and the sixth: what came later stays behind what stays. */
static void dead_letters_go_from_the_oldest_on(void **state)
{
	static const lk_instant came[] = { 10, 20, 30, 40, 50, 15, 60 };
	struct store *s = ((struct place *)*state)->store;

	GOOD(store_begin(s, &err));
	for (int64_t i = 0; i < 7; i++) {
		char body[] = { (char)('1' + i), '\0' };
		struct dead_letter letter = a_letter(body, i + 1);

		letter.received_at = came[i];
		GOOD(store_dead_letter_add(s, &letter, &err));
	}
	GOOD(store_commit(s, &err));
	assert_int_equal(letters_pruned(s, 10, 2), 0);
	assert_int_equal(letters_pruned(s, 41, 2), 4);
	SAW("5 6 7", store_dead_letters(s, 0, 9, see_letter, &seen, &err));
	assert_int_equal(letters_pruned(s, 50, 1), 0);
	assert_int_equal(letters_pruned(s, 60, 2), 2);
	SAW("7", store_dead_letters(s, 0, 9, see_letter, &seen, &err));
	assert_int_equal(letters_pruned(s, 61, 1), 1);
	SAW("", store_dead_letters(s, 0, 9, see_letter, &seen, &err));
	assert_int_equal(letters_pruned(s, 61, 9), 0);
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

/* A whole pass, which ends at `now`; and how far the outbox may forget then. */
static int64_t safe_after_pass(struct store *s, lk_instant now, int64_t window)
{
	struct stored_stream got;
	int64_t ended = 0;

	for (int bites = 0; ended != now; bites++) {
		assert_in_range(bites, 0, 1000);
		GOOD(store_scrub(s, now, window, &err));
		assert_in_range(store_value_get(s, STORE_SCRUBBED_AT, &ended, &err), 0, 1);
	}
	assert_int_equal(store_stream_get(s, SOURCE, epoch, &got, &err), 1);
	return got.safe;
}

static void add_received(struct store *s, int64_t seq, lk_instant at)
{
	struct stored_stream stream = { .source = SOURCE, .next = seq + 1 };
	char id[32];
	struct stored_event e;

	(void)snprintf(id, sizeof(id), "r-%lld", (long long)seq);
	e = an_event(id);
	e.received_at = at;
	memcpy(e.epoch, epoch, LK_DIGEST);
	memcpy(stream.epoch, epoch, LK_DIGEST);
	e.has_outbox_seq = true;
	e.outbox_seq = seq;
	GOOD(store_begin(s, &err));
	(void)add_event(s, &e);
	GOOD(store_stream_put(s, &stream, &err));
	GOOD(store_commit(s, &err));
}

/* protocol.md, "intake": `safe` is what a whole pass has looked at and what came in longer ago than the window. */
static void what_is_old_and_was_looked_at_may_be_forgotten(void **state)
{
	struct store *s = ((struct place *)*state)->store;
	const int64_t day = 24 * LK_HOUR, window = 30 * day;

	add_received(s, 1, 1 * day);
	add_received(s, 2, 2 * day);
	add_received(s, 4, 4 * day); /* the third was refused */
	add_received(s, 5, 40 * day);
	assert_int_equal(safe_after_pass(s, 40 * day, 0), 0); /* no window: not for their age */
	assert_int_equal(store_let_go(s), 0);
	assert_int_equal(safe_after_pass(s, 42 * day, 41 * day), 0);
	assert_int_equal(safe_after_pass(s, 43 * day, 40 * day + 1), 2);
	assert_true(store_let_go(s) > 0);
	GOOD(store_scrub(s, 60 * day, window, &err)); /* the next pass begins */
	add_received(s, 6, 5 * day); /* by a clock that was wrong: old, and not looked at */
	assert_int_equal(safe_after_pass(s, 60 * day, window), 4);
	assert_int_equal(safe_after_pass(s, 62 * day, window), 4); /* the fifth is young */
	assert_int_equal(safe_after_pass(s, 71 * day, window), 6);
	assert_int_equal(safe_after_pass(s, 80 * day, 80 * day), 6); /* never back */
}

static int64_t add_at_place(struct store *s, const uint8_t at[LK_DIGEST], int64_t seq)
{
	char id[32];
	struct stored_event e;

	(void)snprintf(id, sizeof(id), "%02x-%lld", at[0], (long long)seq);
	e = an_event(id);
	memcpy(e.epoch, at, LK_DIGEST);
	e.has_outbox_seq = seq > 0;
	e.outbox_seq = seq;
	return add_event(s, &e);
}

static int verdict_at(struct store *s, const uint8_t at[LK_DIGEST], int64_t seq)
{
	struct stream_verdict verdict;

	return store_stream_verdict(s, SOURCE, at, seq, &verdict, &err);
}

/* Places have rows of their own only where they do not go up with the log: and are found all the same. */
static void every_place_of_an_outbox_is_found(void **state)
{
	struct place *place = *state;
	struct store *s = place->store;
	struct stored_stream put = { .source = SOURCE, .next = 1 }, got;

	memcpy(put.epoch, epoch, LK_DIGEST);
	GOOD(store_begin(s, &err));
	GOOD(store_stream_put(s, &put, &err));
	assert_int_equal(store_stream_get(s, SOURCE, epoch, &got, &err), 1);
	for (int64_t seq = 1; seq <= 1200; seq++) {
		if (seq != 700 && seq != 701 && seq != 40)
			add_at_place(s, epoch, seq);
		if (seq % 300 == 0)
			add_at_place(s, other_epoch, seq);
	}
	add_at_place(s, epoch, 701); /* asked for again: in the middle of others */
	add_at_place(s, epoch, 700);
	/* Over the feed lane, and then from its outbox. */
	GOOD(store_event_place(s, add_at_place(s, epoch, 0), epoch, 40, &err));
	GOOD(store_commit(s, &err));
	for (int64_t seq = 1; seq <= 1200; seq++) {
		assert_int_equal(verdict_at(s, epoch, seq), 1);
		assert_int_equal(verdict_at(s, other_epoch, seq), seq % 300 == 0);
	}
	assert_int_equal(verdict_at(s, epoch, 1201), 0);
	place_close(place);
	assert_in_range(ask(place, "linkages.db", "SELECT count(*) FROM outbox_run"), 4, 24);
	GOOD(place_open(place));
	assert_int_equal(store_stream_get(place->store, SOURCE, epoch, &got, &err), 1);
	assert_int_equal(got.known, 1200);
}

/* From what the events say, in whatever order they came. */
static void every_place_is_found_in_a_store_that_was_made_anew(void **state)
{
	struct place *place = *state;
	struct stored_stream put = { .source = SOURCE, .next = 1 }, got;
	struct store_rebuild rebuilt;
	FILE *suspect;

	memcpy(put.epoch, epoch, LK_DIGEST);
	GOOD(store_begin(place->store, &err));
	GOOD(store_stream_put(place->store, &put, &err));
	for (int64_t seq = 1; seq <= 1200; seq++) {
		add_at_place(place->store, epoch, seq <= 600 ? 600 + seq : 1201 - seq);
		if (seq % 300 == 0)
			add_at_place(place->store, other_epoch, seq);
	}
	put.next = 1201;
	GOOD(store_stream_put(place->store, &put, &err));
	GOOD(store_commit(place->store, &err));
	place_close(place);
	suspect = fopen(path_in(place, "linkages.suspect"), "w");
	assert_non_null(suspect);
	fputs("damage: by hand\n", suspect);
	assert_int_equal(fclose(suspect), 0);
	GOOD(place_open(place));
	store_rebuild_found(place->store, &rebuilt);
	assert_string_equal(rebuilt.why, "damage: by hand");
	assert_int_equal(rebuilt.damages, 0);
	for (int64_t seq = 1; seq <= 1200; seq++) {
		assert_int_equal(verdict_at(place->store, epoch, seq), 1);
		assert_int_equal(verdict_at(place->store, other_epoch, seq), seq % 300 == 0);
	}
	assert_int_equal(store_stream_get(place->store, SOURCE, epoch, &got, &err), 1);
	assert_int_equal(got.known, 1200);
	place_close(place);
	assert_in_range(ask(place, "linkages.db", "SELECT count(*) FROM outbox_run"), 600, 612);
	GOOD(place_open(place));
}

/* Of one that is heard for the first time nothing is known until its first commit. */
static void every_place_of_a_new_outbox_is_found(void **state)
{
	struct store *s = ((struct place *)*state)->store;
	struct stored_stream put = { .source = SOURCE, .next = 4 }, got;

	memcpy(put.epoch, epoch, LK_DIGEST);
	assert_int_equal(store_stream_get(s, SOURCE, epoch, &got, &err), 0);
	GOOD(store_begin(s, &err));
	add_at_place(s, epoch, 1);
	add_at_place(s, epoch, 3); /* the second was refused */
	GOOD(store_stream_put(s, &put, &err));
	GOOD(store_commit(s, &err));
	assert_int_equal(store_stream_get(s, SOURCE, epoch, &got, &err), 1);
	assert_int_equal(got.known, 3);
	GOOD(store_begin(s, &err));
	add_at_place(s, epoch, 4);
	add_at_place(s, epoch, 5);
	GOOD(store_commit(s, &err));
	for (int64_t seq = 1; seq <= 5; seq++)
		assert_int_equal(verdict_at(s, epoch, seq), seq != 2);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		MEMORY(an_event_comes_back_as_it_was),
		MEMORY(a_body_comes_back_byte_for_byte),
		FILES(every_word_of_an_event_is_known),
		MEMORY(a_case_has_its_events_in_order_of_arrival),
		FILES(a_case_has_its_events_wherever_they_are_listed),
		FILES(what_a_list_lacks_is_bounded_from_start_to_start),
		MEMORY(a_visitor_can_stop_the_walk),
		MEMORY(one_event_is_stored_once),
		FILES(an_event_is_new_once_whatever_its_id_is),
		MEMORY(events_of_a_large_batch_are_all_there),
		MEMORY(no_event_waits_where_nothing_is_committed),
		MEMORY(what_is_superseded_is_known_in_any_order),
		MEMORY(events_wait_for_their_time),
		MEMORY(an_event_of_the_feed_lane_finds_its_place_later),
		MEMORY(a_refusal_is_repeated_word_for_word),
		MEMORY(a_long_dead_letter_is_cut),
		MEMORY(dead_letters_go_from_the_oldest_on),
		MEMORY(streams_remember_how_far_they_came),
		MEMORY(what_is_old_and_was_looked_at_may_be_forgotten),
		MEMORY(what_is_known_of_a_stream_follows_the_transaction),
		FILES(every_place_of_an_outbox_is_found),
		FILES(every_place_is_found_in_a_store_that_was_made_anew),
		MEMORY(every_place_of_a_new_outbox_is_found),
		MEMORY(a_source_is_remembered_as_heard),
	};

	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
