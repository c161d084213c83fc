/* encoding.c - notices as they go out, made by another thread before their hand-out asks for them.
 *
 * In: of each notice that is told, what its row's sum is of: all that the row says. Out: the bytes of lk_notice_encode().
 * Promise: what is taken is what would be made there and then; nobody waits: what the thread has not come to, whoever hands
 * it out makes. Memory is bounded.
 *
 * A notice is handed over as a copy, so the thread looks at nothing else of the store but how words are spelled, which never
 * changes. What becomes of the row meanwhile, a rollback, a prune, is no matter: a copy is found by its number alone, which
 * only the row knows. Copies lie in a ring, whose slots belong to the thread from `given` back to `done`, to the loop otherwise.
 */
#include "internal.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS 8192u    /* what two full batches of events tell */
#define SLOT_BYTES 608 /* of a notice, either way; most are shorter, others are not encoded here */
#define BITE 16
#define APART 64 /* bytes: what one thread writes and the other does not slows nobody down */

struct part {
	uint16_t at, len;
};

struct slot {
	/* As it is given: */
	uint32_t said_len, body_len;
	/* As it is encoded: */
	uint32_t encoded_len; /* 0: it is no notice, or too long */
	uint32_t events_n;
	lk_instant cause_at;
	struct part events[LK_BECAUSE_MAX];
	uint8_t at[SLOT_BYTES];
};

struct encoding {
	/* The loop's: */
	_Alignas(APART) atomic_uint_fast64_t given; /* the last, counted from 1 */
	uint64_t seen;                              /* of `done`, when it was looked at last */
	/* The thread's: */
	_Alignas(APART) atomic_uint_fast64_t done;
	struct lk_bytes bytes;
	struct said_room room;
	struct slot slot[SLOTS];
};

static struct slot *slot_of(struct encoding *e, uint64_t number)
{
	return &e->slot[number % SLOTS];
}

/* ---- In the thread --------------------------------------------------------------------------- */

static struct part part_add(struct lk_bytes *bytes, const void *at, size_t len)
{
	struct part part = { (uint16_t)bytes->len, (uint16_t)len };

	lk_bytes_add(bytes, at, len);
	return part;
}

/* Over what was given, which is not needed any more. */
static void slot_fill(struct slot *slot, const struct stored_notice *n, struct lk_bytes *bytes)
{
	lk_bytes_clear(bytes);
	lk_notice_encode(n->said, bytes);
	slot->encoded_len = (uint32_t)bytes->len;
	slot->cause_at = n->cause_at;
	slot->events_n = n->said->events_n;
	for (uint32_t i = 0; i < slot->events_n; i++)
		slot->events[i] = part_add(bytes, n->said->events[i].at, n->said->events[i].len);
	if (bytes->failed || bytes->len > SLOT_BYTES)
		slot->encoded_len = 0;
	else
		memcpy(slot->at, bytes->at, bytes->len);
}

static void encode_one(const struct store *s, struct slot *slot)
{
	struct stored_notice n;
	const uint8_t *at = slot->at, *body = at + slot->said_len - slot->body_len;

	slot->encoded_len = 0;
	notice_columns_said(&at, &n);
	if (notice_unpack_said(s, at, body, slot->body_len, &n, &s->encoding->room))
		slot_fill(slot, &n, &s->encoding->bytes);
}

bool store_encoding_waits(const struct store *s)
{
	const struct encoding *e = s->encoding;

	return e != NULL && atomic_load_explicit(&e->given, memory_order_relaxed) !=
				    atomic_load_explicit(&e->done, memory_order_relaxed);
}

void store_encode_some(struct store *s)
{
	struct encoding *e = s->encoding;
	uint64_t given = atomic_load_explicit(&e->given, memory_order_acquire);
	uint64_t done = atomic_load_explicit(&e->done, memory_order_relaxed);

	for (int n = 0; n < BITE && done < given; n++)
		encode_one(s, slot_of(e, ++done));
	atomic_store_explicit(&e->done, done, memory_order_release);
}

/* ---- In the loop ----------------------------------------------------------------------------- */

static bool is_done(struct encoding *e, uint64_t number)
{
	if (e->seen < number)
		e->seen = atomic_load_explicit(&e->done, memory_order_acquire);
	return e->seen >= number;
}

uint64_t encoding_give(struct store *s, size_t body_len)
{
	struct encoding *e = s->encoding;
	uint64_t number;
	struct slot *slot;

	if (e == NULL || s->scratch.failed || s->scratch.len > SLOT_BYTES)
		return 0;
	number = atomic_load_explicit(&e->given, memory_order_relaxed) + 1;
	if (number > SLOTS && !is_done(e, number - SLOTS))
		return 0;
	slot = slot_of(e, number);
	slot->said_len = (uint32_t)s->scratch.len;
	slot->body_len = (uint32_t)body_len;
	memcpy(slot->at, s->scratch.at, s->scratch.len);
	atomic_store_explicit(&e->given, number, memory_order_release);
	return number;
}

static struct lk_text text_at(const struct slot *slot, struct part part)
{
	return (struct lk_text){ (const char *)slot->at + part.at, part.len };
}

/* What else the decision at the hand-out asks of a notice. */
static void said_take(const struct slot *slot, struct stored_notice *n, struct lk_notice *said)
{
	lk_digest_hex(n->id, said->id);
	said->rev = n->rev;
	said->to = n->worker;
	said->kind = n->kind;
	said->state = n->state;
	said->events_n = slot->events_n;
	for (uint32_t i = 0; i < slot->events_n; i++)
		said->events[i] = text_at(slot, slot->events[i]);
	n->said = said;
	n->cause_at = slot->cause_at;
}

#define MOST_ARE 384 /* bytes that most are shorter than */

void encoding_expect(const struct store *s, uint64_t number)
{
	if (s->encoding != NULL && number != 0)
		lines_expect(slot_of(s->encoding, number), offsetof(struct slot, at) + MOST_ARE);
}

bool encoding_take(struct store *s, uint64_t number, struct stored_notice *n,
		   struct said_room *room)
{
	struct encoding *e = s->encoding;
	const struct slot *slot;

	if (e == NULL || number == 0 || !is_done(e, number) ||
	    atomic_load_explicit(&e->given, memory_order_relaxed) >= number + SLOTS)
		return false;
	slot = slot_of(e, number);
	if (slot->encoded_len == 0)
		return false;
	said_take(slot, n, &room->notice);
	n->encoded = lk_span_of(slot->at, slot->encoded_len);
	return true;
}

/* ---- Life ------------------------------------------------------------------------------------ */

int store_encoding_begin(struct store *s, struct lk_error *err)
{
	struct encoding *e = aligned_alloc(APART, (sizeof(*e) + APART - 1) / APART * APART);

	if (e == NULL)
		return lk_fail(err, LK_EMEMORY, "store: no memory to encode notices");
	e->seen = 0;
	atomic_init(&e->given, 0);
	atomic_init(&e->done, 0);
	e->bytes = (struct lk_bytes){ 0 };
	s->encoding = e;
	return 0;
}

/* Another ring would give the same numbers: rows that have them are forgotten. */
void store_encoding_end(struct store *s)
{
	fresh_forget(s);
	lk_bytes_free(&s->encoding->bytes);
	free(s->encoding);
	s->encoding = NULL;
}
