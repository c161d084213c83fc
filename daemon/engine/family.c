/* family.c - the container of a family's state: words, vectors, one packed row.
 *
 * In: records that fold.c adds. Out: the same records, and a row of bytes that holds them all.
 * Promise: equal histories give equal bytes; a row of another layout is refused, never misread.
 */
#include "family.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define ROW_MAGIC 0x39464b4cu /* "LKF9" */

/* Left free behind what is unpacked, so that the next events need no memory of their own: behind the moments, behind each
 * list that is longer than those which hardly grow any more, and behind the texts. */
#define SHORT 4
#define SPARE_RECORDS 4
#define SPARE_TEXT 64
#define STAYS 2 /* moments, where the others are left to the row: the next are packed on them */

#define NO_HOLES(record, plural) \
	static_assert(sizeof(struct record) % sizeof(uint32_t) == 0 && \
			      sizeof(struct record) <= RECORD_MAX, \
		      "a packed record has no odd end, and an end: " #record);
FAMILY_VECTORS(NO_HOLES)
static_assert(sizeof(struct moment) == 56, "written to disk: a change of layout changes ROW_MAGIC");
static_assert(sizeof(struct assignment) == 56,
	      "written to disk: a change of layout changes ROW_MAGIC");
static_assert(STAYS >= 2, "a record is packed on the one before the last");

void family_init(struct family *f)
{
	memset(f, 0, sizeof(*f));
	f->folded_at = LK_NO_INSTANT;
	f->ticked_at = LK_NO_INSTANT;
	f->last_source = f->last_id = NO_WORD;
	f->last_sequence = f->last_place = INT64_MAX;
}

void family_free(struct family *f)
{
	if (f == NULL)
		return;
	if (is_own_room(f->words.room))
		free(f->words.at);
#define FREE_VECTOR(record, plural) \
	if (is_own_room(f->plural##_room)) \
		free(f->plural);
	FAMILY_VECTORS(FREE_VECTOR)
	free(f->block);
	family_init(f);
}

size_t family_bytes(const struct family *f)
{
	size_t bytes = f->block_len + (is_own_room(f->words.room) ? f->words.room : 0);
#define ADD_VECTOR(record, plural) \
	if (is_own_room(f->plural##_room)) \
		bytes += f->plural##_room * sizeof(struct record);
	FAMILY_VECTORS(ADD_VECTOR)
	return bytes;
}

struct lk_text family_text(const struct family *f, struct word w)
{
	return words_text(&f->words, w);
}

bool family_says(const struct family *f, struct word w, struct lk_text text)
{
	return words_say(&f->words, w, text);
}

struct word family_word(struct family *f, struct lk_text text)
{
	struct word w = words_add(&f->words, text);
	f->failed |= f->words.failed;
	return w;
}

#define DEFINE_ADD(record, plural) \
	struct record *family_add_##record(struct family *f) \
	{ \
		static struct record scratch; \
		void *wider = vector_grown(f->plural, f->plural##_n, &f->plural##_room, \
					   sizeof(struct record)); \
		if (wider == NULL) { \
			f->failed = true; \
			return &scratch; \
		} \
		f->plural = wider; \
		memset(&f->plural[f->plural##_n], 0, sizeof(struct record)); \
		return &f->plural[f->plural##_n++]; \
	}
FAMILY_VECTORS(DEFINE_ADD)

const char *meeting_state_word(int state)
{
	static const char *const words[] = {
		[MEETING_PLANNED] = "planned",
		[MEETING_HELD] = "held",
		[MEETING_MISSED] = "missed",
		[MEETING_CANCELLED] = "cancelled",
	};
	return words[state];
}

uint32_t family_case(const struct family *f, int agency, struct lk_text number)
{
	for (uint32_t i = 0; i < f->cases_n; i++)
		if (f->cases[i].agency == agency && family_says(f, f->cases[i].number, number))
			return i;
	return NONE;
}

/* ---- The row: a head of fixed size, the vectors in the order of the list, the pool ----------- */

#define COUNT_VECTOR(record, plural) +1
enum { VECTORS = 0 FAMILY_VECTORS(COUNT_VECTOR) };

struct row_head {
	uint32_t magic, steps;
	struct word last_source, last_id;
	int64_t folded_at, ticked_at, last_sequence, last_place;
	uint32_t pool_len;
	uint32_t n[VECTORS];
};

static void head_pack(const struct family *f, struct lk_bytes *out)
{
	struct row_head head;
	memset(&head, 0, sizeof(head));
	head.magic = ROW_MAGIC;
	head.steps = f->steps;
	head.last_source = f->last_source;
	head.last_id = f->last_id;
	head.folded_at = f->folded_at;
	head.ticked_at = f->ticked_at;
	head.last_sequence = f->last_sequence;
	head.last_place = f->last_place;
	head.pool_len = f->words.len;
	unsigned v = 0;
#define PACK_COUNT(record, plural) head.n[v++] = f->plural##_n;
	FAMILY_VECTORS(PACK_COUNT)
	head.n[VECTORS - 1] += f->moments_away;
	lk_bytes_add(out, &head, sizeof(head));
}

/* The front of a list as it is packed already. */
struct packed {
	const uint8_t *at;
	uint32_t len, n;
};

static uint32_t list_pack(struct lk_bytes *out, struct packed front, const void *at, uint32_t n,
			  size_t size, uint32_t away)
{
	size_t before = out->len;
	assert(front.n >= away);
	lk_bytes_add(out, front.at, front.len);
	records_pack_more(out, at, front.n - away, n, size);
	return (uint32_t)(out->len - before);
}

/* The first of all lists and the last, which are history. */
struct histories {
	struct packed causes, moments;
};

static struct histories pack(const struct family *f, struct histories was, struct lk_bytes *out)
{
	head_pack(f, out);
	was.causes.len = list_pack(out, was.causes, f->causes, f->causes_n, sizeof(*f->causes), 0);
#define PACK_VECTOR(record, plural) \
	records_pack(out, f->plural, f->plural##_n, sizeof(struct record));
	FAMILY_SCENE(PACK_VECTOR)
	PACK_VECTOR(stretch, stretches)
	was.moments.len = list_pack(out, was.moments, f->moments, f->moments_n, sizeof(*f->moments),
				    f->moments_away);
	lk_bytes_add(out, f->words.at, f->words.len);
	return was;
}

void family_pack(const struct family *f, struct lk_bytes *out)
{
	(void)pack(f, (struct histories){ .causes = { .len = 0 } }, out);
}

static struct histories histories_of(const struct family *f, const uint8_t *was, size_t len)
{
	struct row_head head;
	if (len < sizeof(head) || f->causes_packed == 0)
		return (struct histories){ .causes = { .len = 0 } };
	memcpy(&head, was, sizeof(head));
	return (struct histories){
		.causes = { was + sizeof(head), f->causes_packed, head.n[0] },
		.moments = { was + len - head.pool_len - f->moments_packed, f->moments_packed,
			     head.n[VECTORS - 1] },
	};
}

void family_pack_on(struct family *f, const void *was, size_t was_len, struct lk_bytes *out)
{
	struct histories is = pack(f, histories_of(f, was, was_len), out);
	f->causes_packed = is.causes.len;
	f->moments_packed = is.moments.len;
}

/* What is unpacked is mostly unpacked to be added to. */
static uint32_t room_for(uint32_t n, unsigned v)
{
	return n > SHORT || v == VECTORS - 1 ? n + SPARE_RECORDS : n;
}

static bool vectors_unpack(const struct row_head *head, const uint8_t *from, const uint8_t *end,
			   struct family *out)
{
	uint8_t *at = out->block;
	const uint8_t *begins[VECTORS];
	unsigned v = 0;
#define UNPACK_VECTOR(record, plural) \
	begins[v] = from; \
	if (!records_unpack(&from, end, head->n[v], sizeof(struct record), at)) \
		return false; \
	out->plural = (struct record *)(void *)at; \
	out->plural##_n = head->n[v]; \
	out->plural##_room = room_for(head->n[v], v) | LENT; \
	at += records_space(room_for(head->n[v], v), sizeof(struct record)); \
	v++;
	FAMILY_VECTORS(UNPACK_VECTOR)
	out->causes_packed = (uint32_t)(begins[1] - begins[0]);
	out->moments_packed = (uint32_t)(from - begins[VECTORS - 1]);
	if (head->pool_len != (size_t)(end - from))
		return false;
	memcpy(at, from, head->pool_len);
	out->words.at = (char *)at;
	out->words.len = head->pool_len;
	out->words.room = (head->pool_len + SPARE_TEXT) | LENT;
	return true;
}

/* One block for all of it: LK_EMEMORY; LK_EWIRE where it claims more than a row of this length can hold. */
static int row_unpack(const struct row_head *head, const uint8_t *from, size_t len,
		      struct family *out)
{
	size_t space = (size_t)head->pool_len + SPARE_TEXT;
	unsigned v = 0;
	if (head->magic != ROW_MAGIC || head->pool_len > len)
		return LK_EWIRE;
#define ADD_SPACE(record, plural) \
	if (head->n[v] > len) \
		return LK_EWIRE; \
	space += records_space(room_for(head->n[v], v), sizeof(struct record)); \
	v++;
	FAMILY_VECTORS(ADD_SPACE)
	out->block = malloc(space);
	if (out->block == NULL)
		return LK_EMEMORY;
	out->block_len = space;
	return vectors_unpack(head, from, from + len, out) ? 0 : LK_EWIRE;
}

static int unpack_failed(struct family *out, int rc, struct lk_error *err)
{
	family_free(out);
	return rc == LK_EMEMORY ? lk_fail(err, rc, "no memory for a family row")
				: lk_fail(err, rc, "family row was written by another layout");
}

int family_unpack(const void *row, size_t len, struct family *out, struct lk_error *err)
{
	struct row_head head;
	family_init(out);
	if (len < sizeof(head))
		return lk_fail(err, LK_EWIRE, "family row of %zu bytes is too short", len);
	memcpy(&head, row, sizeof(head));
	int rc = row_unpack(&head, (const uint8_t *)row + sizeof(head), len - sizeof(head), out);
	if (rc < 0)
		return unpack_failed(out, rc, err);
	out->steps = head.steps;
	out->last_source = head.last_source;
	out->last_id = head.last_id;
	out->folded_at = head.folded_at;
	out->ticked_at = head.ticked_at;
	out->last_sequence = head.last_sequence;
	out->last_place = head.last_place;
	return 0;
}

/* ---- Short in memory -------------------------------------------------------------------------- */

/* All of it into one block, without the holes that growing has left. */
static void make_compact(struct family *f)
{
	size_t space = (size_t)f->words.len + SPARE_TEXT;
	unsigned v = 0;
#define ADD_KEPT(record, plural) \
	space += records_space(room_for(f->plural##_n, v), sizeof(struct record)); \
	v++;
	FAMILY_VECTORS(ADD_KEPT)
	uint8_t *block = malloc(space), *at = block;
	if (block == NULL)
		return;
	v = 0;
#define MOVE_VECTOR(record, plural) \
	if (f->plural##_n > 0) \
		memcpy(at, f->plural, f->plural##_n * sizeof(struct record)); \
	if (is_own_room(f->plural##_room)) \
		free(f->plural); \
	f->plural = (struct record *)(void *)at; \
	f->plural##_room = room_for(f->plural##_n, v++) | LENT; \
	at += records_space(f->plural##_room & ~LENT, sizeof(struct record));
	FAMILY_VECTORS(MOVE_VECTOR)
	if (f->words.len > 0)
		memcpy(at, f->words.at, f->words.len);
	if (is_own_room(f->words.room))
		free(f->words.at);
	f->words.at = (char *)at;
	f->words.room = (f->words.len + SPARE_TEXT) | LENT;
	free(f->block);
	f->block = block;
	f->block_len = space;
}

void family_leave(struct family *f, uint32_t most)
{
	uint32_t goes = most > f->moments_away ? most - f->moments_away : 0;
	uint32_t spare = f->moments_n > STAYS ? f->moments_n - STAYS : 0;
	goes = goes < spare ? goes : spare;
	if (goes > 0)
		memmove(f->moments, f->moments + goes, (f->moments_n - goes) * sizeof(*f->moments));
	f->moments_n -= goes;
	f->moments_away += goes;
	make_compact(f);
}

int family_fetch(struct family *f, const void *row, size_t len, struct lk_error *err)
{
	struct packed was = histories_of(f, row, len).moments;
	uint32_t away = f->moments_away, n = away + f->moments_n;
	if (away == 0)
		return 0;
	struct moment *all = malloc((n + SPARE_RECORDS) * sizeof(*all));
	if (all == NULL)
		return lk_fail(err, LK_EMEMORY, "no memory for a family's moments");
	if (was.n < away || !records_unpack(&was.at, was.at + was.len, away, sizeof(*all), all)) {
		free(all);
		return lk_fail(err, LK_EWIRE, "a family's moments are not in its row");
	}
	memcpy(all + away, f->moments, f->moments_n * sizeof(*all));
	if (is_own_room(f->moments_room))
		free(f->moments);
	f->moments = all;
	f->moments_n = n;
	f->moments_room = n + SPARE_RECORDS;
	f->moments_away = 0;
	return 0;
}
