/* blocks.c - the table of notices, a block a row.
 *
 * In: a connection. Out: its blocks, unpacked; those that were changed, written. Promise: a block is believed only as its row
 * has it now, so that no rollback and no other connection leaves an old one here; whoever writes has written when it returns,
 * but for the transaction.
 *
 * A block is full where another notice would make it longer than half a page. How many notices that is depends on what they
 * have in common: it is guessed from the block so far, and mended where the guess was wrong.
 */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES 2016u /* two of them, with their heads, are a page of 4 KiB */
#define NOTICE_BYTES 44u  /* of a first guess */

static const char *const statement_sql[BLOCKS_STATEMENTS] = {
	[BLOCKS_AT] =
		"SELECT first, bytes FROM notice_block WHERE first <= ?1 ORDER BY first DESC LIMIT 1",
	[BLOCKS_AFTER] =
		"SELECT first, bytes FROM notice_block WHERE first > ?1 ORDER BY first LIMIT 1",
	[BLOCKS_ADD] = "INSERT INTO notice_block (first, bytes) VALUES (?1, ?2)",
	[BLOCKS_PUT] = "UPDATE notice_block SET bytes = ?2 WHERE first = ?1",
	[BLOCKS_DROP] = "DELETE FROM notice_block WHERE first = ?1",
};

int blocks_open(struct blocks *all, sqlite3 *db)
{
	int rc = SQLITE_OK;

	all->each = NOTICE_BYTES;
	for (int i = 0; rc == SQLITE_OK && i < BLOCKS_STATEMENTS; i++)
		rc = sqlite3_prepare_v3(db, statement_sql[i], -1, SQLITE_PREPARE_PERSISTENT,
					&all->statement[i], NULL);
	return rc;
}

void blocks_close(struct blocks *all)
{
	for (int i = 0; i < BLOCKS_STATEMENTS; i++)
		(void)sqlite3_finalize(all->statement[i]);
	while (all->idle_n > 0)
		block_free(all->idle[--all->idle_n]);
	memset(all, 0, sizeof(*all));
}

/* ---- Reading --------------------------------------------------------------------------------- */

/* A block without bytes is one that went. */
static bool is_same(const struct block *b, int64_t first, const void *bytes, size_t len)
{
	return b->first == first && len > 0 && b->packed.len == len &&
	       memcmp(b->packed.at, bytes, len) == 0;
}

/* Away from those that are idle. */
static struct block *idle_take(struct blocks *all, uint32_t i)
{
	struct block *b = all->idle[i];

	all->idle_n--;
	memmove(&all->idle[i], &all->idle[i + 1], (all->idle_n - i) * sizeof(*all->idle));
	return b;
}

void blocks_give(struct blocks *all, struct block *b)
{
	if (b == NULL || block_room(b) > BLOCK_IDLE_MOST) {
		block_free(b);
		return;
	}
	if (all->idle_n == BLOCKS_IDLE)
		block_free(idle_take(all, 0));
	all->idle[all->idle_n++] = b;
}

static struct block *block_any(struct blocks *all)
{
	return all->idle_n == BLOCKS_IDLE ? idle_take(all, 0) : calloc(1, sizeof(struct block));
}

static int block_of(struct blocks *all, int64_t first, const void *bytes, size_t len,
		    struct block **out)
{
	for (uint32_t i = all->idle_n; i-- > 0;)
		if (is_same(all->idle[i], first, bytes, len)) {
			*out = idle_take(all, i);
			return SQLITE_OK;
		}
	*out = block_any(all);
	if (*out != NULL && block_unpack(*out, first, bytes, len))
		return SQLITE_OK;
	block_free(*out);
	*out = NULL;
	return SQLITE_NOMEM;
}

int blocks_get(struct blocks *all, enum blocks_statement which, int64_t serial, struct block **out)
{
	sqlite3_stmt *statement = all->statement[which];
	int rc;

	*out = NULL;
	(void)sqlite3_bind_int64(statement, 1, serial);
	if (sqlite3_step(statement) == SQLITE_ROW) {
		const void *bytes = sqlite3_column_blob(statement, 1);

		rc = block_of(all, sqlite3_column_int64(statement, 0), bytes != NULL ? bytes : "",
			      (size_t)sqlite3_column_bytes(statement, 1), out);
		(void)sqlite3_reset(statement);
		return rc;
	}
	return sqlite3_reset(statement);
}

/* ---- Writing --------------------------------------------------------------------------------- */

/* What was not written is not what the row has: it is not kept. */
static int done(struct blocks *all, struct block *b, int rc)
{
	if (rc == SQLITE_OK)
		blocks_give(all, b);
	else
		block_free(b);
	return rc;
}

static int run(sqlite3_stmt *statement, int64_t first, const struct lk_bytes *bytes)
{
	(void)sqlite3_bind_int64(statement, 1, first);
	if (bytes != NULL)
		(void)sqlite3_bind_blob64(statement, 2, bytes->at, bytes->len, SQLITE_STATIC);
	(void)sqlite3_step(statement);
	return sqlite3_reset(statement);
}

static int write_as(struct blocks *all, struct block *b, enum blocks_statement how)
{
	if (b->n == 0) {
		lk_bytes_clear(
			&b->packed); /* it is none of the bytes that a rollback brings back */
		return run(all->statement[BLOCKS_DROP], b->first, NULL);
	}
	return block_pack(b) ? run(all->statement[how], b->first, &b->packed) : SQLITE_NOMEM;
}

static bool goes_beyond(const struct block *b, int64_t serial)
{
	return b != NULL && b->n > 0 && b->at[b->n - 1].serial >= serial;
}

/* Into the block that goes beyond it, else into one of its own. */
int blocks_insert(struct blocks *all, const struct fresh_notice *row, const void *body)
{
	enum blocks_statement how = BLOCKS_PUT;
	struct block *b;
	int rc = blocks_get(all, BLOCKS_AT, row->serial, &b);

	if (rc == SQLITE_OK && !goes_beyond(b, row->serial)) {
		blocks_give(all, b);
		b = block_any(all);
		how = BLOCKS_ADD;
		if (b != NULL)
			block_begin(b, row->serial);
	}
	if (rc != SQLITE_OK || b == NULL)
		return rc != SQLITE_OK ? rc : SQLITE_NOMEM;
	if (b->n > 0 && b->at[block_find(b, row->serial)].serial == row->serial)
		rc = SQLITE_CONSTRAINT_ROWID;
	else
		rc = block_put(b, row, body) ? write_as(all, b, how) : SQLITE_NOMEM;
	return done(all, b, rc);
}

int blocks_remove(struct blocks *all, int64_t serial)
{
	struct block *b;
	int rc = blocks_get(all, BLOCKS_AT, serial, &b);
	uint32_t i;

	if (rc != SQLITE_OK || b == NULL)
		return rc;
	i = block_find(b, serial);
	if (i < b->n && b->at[i].serial == serial)
		block_remove(b, i);
	else if (!b->is_broken || b->first != serial)
		return done(all, b, SQLITE_OK);
	return done(all, b, write_as(all, b, BLOCKS_PUT));
}

/* ---- At the end ------------------------------------------------------------------------------ */

/* The last block, as notices are added to it. */
struct tail {
	struct blocks *all;
	struct block *b;
	enum blocks_statement how;
	bool is_full, is_changed;
	const struct shelf *from;
	uint32_t i; /* of the next one */
};

static int tail_open(struct tail *t)
{
	int64_t serial = t->from->at[t->i].serial;
	int rc = blocks_get(t->all, BLOCKS_AT, serial, &t->b);

	t->how = BLOCKS_PUT;
	t->is_full = t->b == NULL || t->b->n == 0;
	return rc == SQLITE_OK && goes_beyond(t->b, serial) ? SQLITE_CONSTRAINT_ROWID : rc;
}

/* It was packed when it was filled. */
static int tail_write(struct tail *t)
{
	return t->is_changed ? run(t->all->statement[t->how], t->b->first, &t->b->packed)
			     : SQLITE_OK;
}

static int tail_renew(struct tail *t)
{
	int rc = tail_write(t);

	t->b = done(t->all, t->b, rc) == SQLITE_OK ? block_any(t->all) : NULL;
	t->how = BLOCKS_ADD;
	t->is_full = t->is_changed = false;
	if (t->b != NULL)
		block_begin(t->b, t->from->at[t->i].serial);
	return rc == SQLITE_OK && t->b == NULL ? SQLITE_NOMEM : rc;
}

/* How many more it may take: if they are like those before them. */
static uint32_t tail_room(const struct tail *t)
{
	size_t len = t->b->packed.len;
	size_t room = len < BLOCK_BYTES ? (BLOCK_BYTES - len) / t->all->each : 0;

	return room == 0 && t->b->n == 0 ? 1 : (uint32_t)room;
}

static bool tail_pack(struct tail *t)
{
	if (!block_pack(t->b))
		return false;
	t->all->each = t->b->packed.len / t->b->n + 1;
	return true;
}

/* One notice may be longer than a block. */
static int tail_cut(struct tail *t, uint32_t least)
{
	while (t->b->packed.len > BLOCK_BYTES && t->b->n > least) {
		size_t over = (t->b->packed.len - BLOCK_BYTES) / t->all->each + 1;

		t->is_full = true;
		for (; over > 0 && t->b->n > least; over--, t->i--)
			t->b->n--;
		if (!tail_pack(t))
			return SQLITE_NOMEM;
	}
	return SQLITE_OK;
}

static int tail_fill(struct tail *t, uint32_t room)
{
	uint32_t before = t->b->n;
	int rc;

	for (; room > 0 && t->i < t->from->n; room--, t->i++) {
		const struct fresh_notice *row = &t->from->at[t->i];

		if (!block_put(t->b, row, t->from->bytes.at + row->body.at))
			return SQLITE_NOMEM;
	}
	if (!tail_pack(t))
		return SQLITE_NOMEM;
	rc = tail_cut(t, before > 0 ? before : 1);
	t->is_changed |= t->b->n > before;
	return rc;
}

int blocks_append(struct blocks *all, const struct shelf *from, uint32_t i)
{
	struct tail t = { .all = all, .from = from, .i = i };
	int rc = tail_open(&t);

	while (rc == SQLITE_OK && t.i < from->n) {
		uint32_t room = t.is_full ? 0 : tail_room(&t);

		rc = room > 0 ? tail_fill(&t, room) : tail_renew(&t);
	}
	if (rc == SQLITE_OK)
		rc = tail_write(&t);
	return done(all, t.b, rc);
}
