/* block.c - many notices in one row: what they have in common is there once.
 *
 * In: rows of notices in the order of their serial numbers. Out: the bytes of a block; from them the same rows. Promise: what
 * the columns hold comes back; bytes that are no block are refused, within bounds.
 *
 * Layout: how many rows; how far the last serial number lies behind the block's; unless they are dense, the gap in front of
 * each. Then, column by column, what it takes to bury a notice: ids, sums, mailboxes, places, cases. They are open, each for
 * itself, so that a flipped bit costs one row. The rest is squeezed: revs, marks, instants and rows of the ledger as steps
 * from the one before, lengths of bodies, bodies. Where that cannot be had any more, the rows are there, and their sums are
 * wrong.
 */
#include "delta.h"
#include "internal.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#define PLAIN_MOST ((size_t)1 << 28)
#define ROW_LEAST (LK_DIGEST + sizeof(uint32_t)) /* bytes of a row that are always there */

static int64_t added(int64_t a, int64_t b)
{
	return (int64_t)((uint64_t)a + (uint64_t)b);
}

static uint64_t between(int64_t from, int64_t to)
{
	return (uint64_t)to - (uint64_t)from;
}

/* ---- Columns of numbers ---------------------------------------------------------------------- */

/* *last is the column's own, and 0 before the first row. */
struct column {
	size_t offset; /* of an int64_t in struct fresh_notice */
	uint64_t (*put)(int64_t value, int64_t *last);
	void (*get)(int64_t *value, uint64_t number, int64_t *last);
};

static uint64_t plain_put(int64_t value, int64_t *last)
{
	(void)last;
	return (uint64_t)value;
}

static void plain_get(int64_t *value, uint64_t number, int64_t *last)
{
	(void)last;
	*value = (int64_t)number;
}

/* A notice's number is two columns: its mailbox, and behind it its place. */
static uint64_t box_put(int64_t value, int64_t *last)
{
	(void)last;
	return (uint64_t)value >> SEQ_BITS;
}

static void box_get(int64_t *value, uint64_t number, int64_t *last)
{
	(void)last;
	*value = (int64_t)(number << SEQ_BITS);
}

static uint64_t place_put(int64_t value, int64_t *last)
{
	(void)last;
	return (uint64_t)value & UINT32_MAX;
}

static void place_get(int64_t *value, uint64_t number, int64_t *last)
{
	(void)last;
	*value = added(*value, (int64_t)number);
}

static uint64_t step_put(int64_t value, int64_t *last)
{
	int64_t step = (int64_t)between(*last, value);

	*last = value;
	return delta_fold(step);
}

static void step_get(int64_t *value, uint64_t number, int64_t *last)
{
	*last = added(*last, delta_unfold(number));
	*value = *last;
}

/* 0 is none, and no step. */
static uint64_t ref_put(int64_t value, int64_t *last)
{
	return value == 0 ? 0 : step_put(value, last) + 1;
}

static void ref_get(int64_t *value, uint64_t number, int64_t *last)
{
	*value = 0;
	if (number > 0)
		step_get(value, number - 1, last);
}

#define COLUMN(member, how) \
	{ \
		offsetof(struct fresh_notice, member), how##_put, how##_get \
	}
#define OPEN_COLUMNS 4
#define COLUMNS 8
static const struct column columns[COLUMNS] = {
	COLUMN(number, box),       COLUMN(number, place), COLUMN(own_case, plain),
	COLUMN(other_case, plain), COLUMN(rev, plain),    COLUMN(marks, plain),
	COLUMN(told_at, step),     COLUMN(ledger, ref),
};

static int64_t *number_in(struct fresh_notice *row, const struct column *column)
{
	return (int64_t *)((char *)row + column->offset);
}

static void columns_put(const struct block *b, int from, int until, struct lk_bytes *out)
{
	for (const struct column *c = &columns[from]; c < &columns[until]; c++) {
		int64_t last = 0;

		for (uint32_t i = 0; i < b->n; i++)
			delta_number(out, c->put(*number_in(&b->at[i], c), &last));
	}
}

static bool columns_get(struct block *b, int from, int until, struct delta_bytes *bytes)
{
	for (const struct column *c = &columns[from]; c < &columns[until]; c++) {
		int64_t last = 0;
		uint64_t number;

		for (uint32_t i = 0; i < b->n; i++) {
			if (!delta_number_take(bytes, &number))
				return false;
			c->get(number_in(&b->at[i], c), number, &last);
		}
	}
	return true;
}

/* ---- What is open ---------------------------------------------------------------------------- */

static void serials_put(const struct block *b, struct lk_bytes *out)
{
	uint64_t span = between(b->first, b->at[b->n - 1].serial);
	int64_t next = b->first;

	delta_number(out, b->n);
	delta_number(out, span);
	for (uint32_t i = 0; span != b->n - 1 && i < b->n; i++) {
		delta_number(out, between(next, b->at[i].serial));
		next = added(b->at[i].serial, 1);
	}
}

/* Each behind the one before, and the last where it was said to be. */
static bool serials_get(struct block *b, struct delta_bytes *bytes)
{
	uint64_t span, at = 0, gap = 0;

	if (!delta_number_take(bytes, &span) || span > between(b->first, INT64_MAX))
		return false;
	for (uint32_t i = 0; i < b->n; i++, at++) {
		if (span != b->n - 1 && !delta_number_take(bytes, &gap))
			return false;
		if (at > span || gap > span - at)
			return false;
		at += gap;
		b->at[i].serial = added(b->first, (int64_t)at);
	}
	return at == span + 1;
}

static void names_put(const struct block *b, struct lk_bytes *out)
{
	for (uint32_t i = 0; i < b->n; i++)
		lk_bytes_add(out, b->at[i].id, LK_DIGEST);
	for (uint32_t i = 0; i < b->n; i++) {
		uint32_t sum = htole32((uint32_t)b->at[i].sum);

		lk_bytes_add(out, &sum, sizeof(sum));
	}
}

static void take(struct delta_bytes *bytes, void *to, size_t len)
{
	memcpy(to, bytes->at, len);
	bytes->at += len;
	bytes->len -= len;
}

static bool names_get(struct block *b, struct delta_bytes *bytes)
{
	uint32_t sum;

	if (bytes->len / ROW_LEAST < b->n)
		return false;
	for (uint32_t i = 0; i < b->n; i++)
		take(bytes, b->at[i].id, LK_DIGEST);
	for (uint32_t i = 0; i < b->n; i++) {
		take(bytes, &sum, sizeof(sum));
		b->at[i].sum = le32toh(sum);
	}
	return true;
}

/* ---- What is squeezed ------------------------------------------------------------------------ */

static void rest_put(struct block *b, struct lk_bytes *out)
{
	struct lk_bytes *plain = &b->plain;

	lk_bytes_clear(plain);
	columns_put(b, OPEN_COLUMNS, COLUMNS, plain);
	for (uint32_t i = 0; i < b->n; i++)
		delta_number(plain, b->at[i].body.len);
	for (uint32_t i = 0; i < b->n; i++)
		lk_bytes_add(plain, b->bodies.at + b->at[i].body.at, b->at[i].body.len);
	if (plain->failed)
		out->failed = true;
	else
		squeeze(plain->at, plain->len, out);
}

static bool bodies_get(struct block *b, struct delta_bytes *bytes)
{
	size_t at = 0;
	uint64_t len;

	for (uint32_t i = 0; i < b->n; i++, at += len) {
		if (!delta_number_take(bytes, &len) || len > bytes->len)
			return false;
		b->at[i].body = (struct piece){ at, (uint32_t)len };
	}
	if (at != bytes->len)
		return false;
	lk_bytes_add(&b->bodies, bytes->at, bytes->len);
	return true;
}

/* False: it is not to be had any more. */
static bool rest_get(struct block *b, struct delta_bytes bytes)
{
	struct delta_bytes plain;

	lk_bytes_clear(&b->plain);
	if (!unsqueeze(bytes.at, bytes.len, PLAIN_MOST, &b->plain))
		return false;
	plain = (struct delta_bytes){ b->plain.at, b->plain.len };
	return b->plain.failed ||
	       (columns_get(b, OPEN_COLUMNS, COLUMNS, &plain) && bodies_get(b, &plain));
}

static void rest_clear(struct block *b)
{
	for (uint32_t i = 0; i < b->n; i++) {
		struct fresh_notice *row = &b->at[i];

		row->rev = row->marks = row->told_at = row->ledger = 0;
		row->body = (struct piece){ 0, 0 };
	}
}

/* ---- A block --------------------------------------------------------------------------------- */

static bool rows_reserve(struct block *b, uint32_t n)
{
	uint32_t room = b->room == 0 ? 64 : b->room;
	struct fresh_notice *wider;

	while (room < n)
		room *= 2;
	if (room == b->room)
		return true;
	wider = realloc(b->at, room * sizeof(*wider));
	if (wider == NULL)
		return false;
	b->at = wider;
	b->room = room;
	return true;
}

void block_begin(struct block *b, int64_t first)
{
	b->first = first;
	b->n = 0;
	b->is_broken = false;
	lk_bytes_clear(&b->bodies);
	lk_bytes_clear(&b->packed);
}

bool block_pack(struct block *b)
{
	lk_bytes_clear(&b->packed);
	serials_put(b, &b->packed);
	names_put(b, &b->packed);
	columns_put(b, 0, OPEN_COLUMNS, &b->packed);
	rest_put(b, &b->packed);
	return !b->packed.failed;
}

static bool open_get(struct block *b, struct delta_bytes *bytes)
{
	return serials_get(b, bytes) && names_get(b, bytes) &&
	       columns_get(b, 0, OPEN_COLUMNS, bytes);
}

bool block_unpack(struct block *b, int64_t first, const void *at, size_t len)
{
	struct delta_bytes bytes = { at, len };
	uint64_t n;

	block_begin(b, first);
	lk_bytes_add(&b->packed, at, len);
	b->is_broken = !delta_number_take(&bytes, &n) || n == 0 || n > bytes.len / ROW_LEAST;
	if (b->is_broken || !rows_reserve(b, (uint32_t)n))
		return b->is_broken && !b->packed.failed;
	b->n = (uint32_t)n;
	memset(b->at, 0, n * sizeof(*b->at));
	b->is_broken = !open_get(b, &bytes);
	if (b->is_broken)
		b->n = 0;
	else if (!rest_get(b, bytes))
		rest_clear(b);
	return !b->packed.failed && !b->plain.failed && !b->bodies.failed;
}

uint32_t block_find(const struct block *b, int64_t serial)
{
	uint32_t low = 0, high = b->n;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (b->at[middle].serial < serial)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool block_put(struct block *b, const struct fresh_notice *row, const void *body)
{
	uint32_t i = block_find(b, row->serial);

	if (!rows_reserve(b, b->n + 1))
		return false;
	memmove(&b->at[i + 1], &b->at[i], (b->n - i) * sizeof(*b->at));
	b->at[i] = *row;
	b->at[i].body.at = b->bodies.len;
	lk_bytes_add(&b->bodies, body, row->body.len);
	b->n++;
	return !b->bodies.failed;
}

void block_remove(struct block *b, uint32_t i)
{
	b->n--;
	memmove(&b->at[i], &b->at[i + 1], (b->n - i) * sizeof(*b->at));
}

size_t block_room(const struct block *b)
{
	return b->room * sizeof(*b->at) + b->bodies.room + b->packed.room + b->plain.room;
}

void block_free(struct block *b)
{
	if (b == NULL)
		return;
	free(b->at);
	lk_bytes_free(&b->bodies);
	lk_bytes_free(&b->packed);
	lk_bytes_free(&b->plain);
	free(b);
}
