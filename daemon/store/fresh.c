/* fresh.c - rows of notices and of the ledger on their way into their tables, and the notices for a while after.
 *
 * In: rows, one by one, as a transaction makes them. Out: the tables, all rows that wait by one statement each; and
 * notices that were just told, without asking a table. Promise: whatever asks a table finds in it all that was said before;
 * what a rollback takes back is remembered by nobody; memory is bounded, but for what one transaction tells.
 *
 * A statement costs more than the row that it writes. So rows wait here until the transaction is committed, or until
 * somebody asks their table (query_step() lets them in), and SQLite then takes them by itself: waiting.c. Notices go
 * mailbox by mailbox, so that neighbours are written one after the other.
 *
 * A worker who reads along asks for what was written a moment ago: two shelves keep the last notices, the older of which
 * is cleared when the newer is full. Each knows the one before and after it in its mailbox, by serial numbers that are
 * never given twice: what is no longer here is not found.
 */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

#define SHELF_BYTES ((size_t)3 << 20) /* of each of the two */
#define STEPS_BACK 1024               /* who is further behind asks the table */

/* ---- Shelves --------------------------------------------------------------------------------- */

static struct fresh_notice *on_shelf(const struct shelf *shelf, uint64_t serial)
{
	return serial - shelf->first < shelf->n ? &shelf->at[serial - shelf->first] : NULL;
}

static struct fresh_notice *fresh_at(const struct fresh *f, uint64_t serial)
{
	struct fresh_notice *row = on_shelf(&f->newer, serial);

	return row != NULL ? row : on_shelf(&f->older, serial);
}

static const struct shelf *shelf_of(const struct fresh *f, uint64_t serial)
{
	return on_shelf(&f->newer, serial) != NULL ? &f->newer : &f->older;
}

static size_t shelf_bytes(const struct shelf *shelf)
{
	return shelf->bytes.len + shelf->n * sizeof(*shelf->at);
}

static struct piece piece_add(struct lk_bytes *bytes, const void *at, size_t len)
{
	struct piece piece = { bytes->len, (uint32_t)len };

	lk_bytes_add(bytes, at, len);
	return piece;
}

static struct piece text_add(struct lk_bytes *bytes, struct lk_text text)
{
	if (!lk_text_given(text))
		return (struct piece){ 0, PIECE_ABSENT };
	return piece_add(bytes, text.at, text.len);
}

static struct lk_text text_of(const struct lk_bytes *bytes, struct piece piece)
{
	if (piece.len == PIECE_ABSENT)
		return LK_NO_TEXT;
	return (struct lk_text){ (const char *)bytes->at + piece.at, piece.len };
}

static int no_memory(struct lk_error *err)
{
	return lk_fail(err, LK_EMEMORY, "store: no memory for rows that wait");
}

/* Room for one more of `size` bytes. */
static int rows_reserve(void *rows, size_t size, uint32_t n, uint32_t *room, struct lk_error *err)
{
	uint32_t to = *room == 0 ? 64 : 2 * *room;
	void **at = rows, *wider;

	if (n < *room)
		return 0;
	if ((wider = realloc(*at, to * size)) == NULL)
		return no_memory(err);
	*at = wider;
	*room = to;
	return 0;
}

/* ---- Waiting --------------------------------------------------------------------------------- */

/* Behind the last one of its mailbox; the first that waits there stands for those that follow it. */
static void notice_link(struct fresh *f, struct mailbox_end *end, uint64_t serial)
{
	struct fresh_notice *before = fresh_at(f, end->last);

	if (before != NULL)
		before->after = serial;
	if (end->last < f->newer.first + f->written)
		f->head[f->heads_n++] = serial;
	end->last = serial;
}

int fresh_notice_add(struct store *s, const struct fresh_notice *row,
		     const struct fresh_texts *texts, struct lk_error *err)
{
	struct fresh *f = &s->fresh;
	struct shelf *shelf = &f->newer;
	struct mailbox_end *end = &s->ends.at[row->number >> SEQ_BITS];
	struct fresh_notice *kept;
	int rc = rows_reserve(&shelf->at, sizeof(*shelf->at), shelf->n, &shelf->room, err);

	if (rc == 0)
		rc = rows_reserve(&f->head, sizeof(*f->head), f->heads_n, &f->heads_room, err);
	if (rc < 0)
		return rc;
	kept = &shelf->at[shelf->n];
	*kept = *row;
	kept->own_number = text_add(&shelf->bytes, texts->own);
	kept->other_number = text_add(&shelf->bytes, texts->other);
	kept->body = piece_add(&shelf->bytes, texts->body, texts->body_len);
	kept->before = end->last;
	kept->after = 0;
	if (shelf->bytes.failed)
		return no_memory(err);
	notice_link(f, end, shelf->first + shelf->n++);
	return 0;
}

int fresh_ledger_add(struct store *s, const struct fresh_ledger *row, struct lk_text session,
		     struct lk_text basis, struct lk_error *err)
{
	struct fresh *f = &s->fresh;
	struct fresh_ledger *kept;
	int rc = rows_reserve(&f->ledger, sizeof(*f->ledger), f->ledger_n, &f->ledger_room, err);

	if (rc < 0)
		return rc;
	kept = &f->ledger[f->ledger_n];
	*kept = *row;
	kept->chain.len = LK_DIGEST;
	if (f->ledger_n > 0) /* the one before is not the last of what is written */
		kept[-1].chain.len = LINK_START;
	kept->session = text_add(&f->ledger_bytes, session);
	kept->basis = text_add(&f->ledger_bytes, basis);
	if (f->ledger_bytes.failed)
		return no_memory(err);
	f->ledger_n++;
	return 0;
}

/* ---- Let in, committed, taken back ----------------------------------------------------------- */

int fresh_flush(struct store *s, struct lk_error *err)
{
	struct fresh *f = &s->fresh;
	int rc = 0;

	if (f->ledger_n > 0)
		rc = waiting_take(s, SQL_ledger_take, err);
	f->ledger_n = 0;
	lk_bytes_clear(&f->ledger_bytes);
	if (rc == 0 && f->heads_n > 0)
		rc = waiting_take(s, SQL_notice_take, err);
	f->heads_n = 0;
	f->written = f->newer.n;
	return rc;
}

bool fresh_waits(const struct store *s)
{
	return s->fresh.heads_n > 0 || s->fresh.ledger_n > 0;
}

static void shelf_clear(struct shelf *shelf, uint64_t first)
{
	shelf->first = first;
	shelf->n = 0;
	lk_bytes_clear(&shelf->bytes);
}

void fresh_commit(struct store *s)
{
	struct fresh *f = &s->fresh;
	struct shelf full = f->newer;

	if (shelf_bytes(&full) < SHELF_BYTES)
		return;
	f->newer = f->older;
	f->older = full;
	shelf_clear(&f->newer, full.first + full.n);
	f->written = 0;
}

/* Serial numbers go on: what mailboxes remember leads nowhere. */
void fresh_forget(struct store *s)
{
	struct fresh *f = &s->fresh;
	uint64_t next = f->newer.first + f->newer.n;

	shelf_clear(&f->newer, next);
	shelf_clear(&f->older, next);
	f->written = 0;
	f->heads_n = f->ledger_n = 0;
	lk_bytes_clear(&f->ledger_bytes);
}

void fresh_make(struct store *s)
{
	s->fresh.newer.first = 1; /* 0 is no serial number */
	s->fresh.answers = 1;
}

void fresh_free(struct store *s)
{
	struct fresh *f = &s->fresh;

	free(f->newer.at);
	free(f->older.at);
	lk_bytes_free(&f->newer.bytes);
	lk_bytes_free(&f->older.bytes);
	free(f->head);
	free(f->ledger);
	lk_bytes_free(&f->ledger_bytes);
}

/* ---- Asking ---------------------------------------------------------------------------------- */

uint64_t fresh_find(const struct store *s, int64_t number)
{
	int64_t worker = number >> SEQ_BITS;
	const struct fresh_notice *row;
	uint64_t serial;

	if ((size_t)worker >= s->ends.room)
		return 0;
	serial = s->ends.at[worker].last;
	row = fresh_at(&s->fresh, serial);
	if (row == NULL || row->number - number > STEPS_BACK)
		return 0;
	while (row != NULL && row->number > number) {
		serial = row->before;
		row = fresh_at(&s->fresh, serial);
	}
	return row != NULL && row->number == number ? serial : 0;
}

struct fresh_notice *fresh_get(struct store *s, uint64_t serial, struct fresh_texts *texts)
{
	struct fresh_notice *row = fresh_at(&s->fresh, serial);
	const struct lk_bytes *bytes = &shelf_of(&s->fresh, serial)->bytes;

	texts->own = text_of(bytes, row->own_number);
	texts->other = text_of(bytes, row->other_number);
	texts->body = bytes->at + row->body.at;
	texts->body_len = row->body.len;
	return row;
}
