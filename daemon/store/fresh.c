/* fresh.c - rows of notices and of the ledger on their way into their tables, and the notices for a while after.
 *
 * In: rows, one by one, as a transaction makes them. Out: the tables, all rows that wait by one statement each; and
 * notices that were just told, without asking a table. Promise: whatever asks a table finds in it all that was said before;
 * what a rollback takes back is remembered by nobody; memory is bounded, but for what one transaction tells.
 *
 * A statement costs more than the row that it writes. So rows wait here until the transaction is committed, or until
 * somebody asks their table (query_step() lets them in), and SQLite then takes them by itself: waiting.c. Notices go
 * in order of arrival, so that those of one commit are neighbours, whoever was told.
 *
 * A worker who reads along asks for what was written a moment ago: two shelves keep the last notices, the older of which
 * is cleared when the newer is full. Each is known by its row's serial number.
 */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

#define SHELF_BYTES ((size_t)3 << 20) /* of each of the two */

/* ---- Shelves --------------------------------------------------------------------------------- */

static struct fresh_notice *on_shelf(const struct shelf *shelf, int64_t serial)
{
	return (uint64_t)(serial - shelf->first) < shelf->n ? &shelf->at[serial - shelf->first]
							    : NULL;
}

static size_t shelf_bytes(const struct shelf *shelf)
{
	return shelf->bytes.len + shelf->n * sizeof(*shelf->at);
}

struct piece bytes_piece(struct lk_bytes *bytes, const void *at, size_t len)
{
	struct piece piece = { bytes->len, (uint32_t)len };

	lk_bytes_add(bytes, at, len);
	return piece;
}

struct piece bytes_text(struct lk_bytes *bytes, struct lk_text text)
{
	if (!lk_text_given(text))
		return (struct piece){ 0, PIECE_ABSENT };
	return bytes_piece(bytes, text.at, text.len);
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

int fresh_notice_add(struct store *s, const struct fresh_notice *row,
		     const struct fresh_texts *texts, struct lk_error *err)
{
	struct fresh *f = &s->fresh;
	struct shelf *shelf = &f->newer;
	struct fresh_notice *kept;
	int rc = rows_reserve(&shelf->at, sizeof(*shelf->at), shelf->n, &shelf->room, err);

	if (rc < 0)
		return rc;
	kept = &shelf->at[shelf->n];
	*kept = *row;
	kept->own_number = bytes_text(&shelf->bytes, texts->own);
	kept->other_number = bytes_text(&shelf->bytes, texts->other);
	kept->body = bytes_piece(&shelf->bytes, texts->body, texts->body_len);
	kept->serial = shelf->first + shelf->n;
	if (shelf->bytes.failed)
		return no_memory(err);
	s->tips.serial = shelf->first + shelf->n++;
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
	kept->session = bytes_text(&f->ledger_bytes, session);
	kept->basis = bytes_text(&f->ledger_bytes, basis);
	if (f->ledger_bytes.failed)
		return no_memory(err);
	f->ledger_n++;
	return 0;
}

/* ---- Let in, committed, taken back ----------------------------------------------------------- */

static int ledger_flush(struct store *s, struct lk_error *err)
{
	struct query q = query_begin(s, SQL_ledger_take);

	q.lets_in = 0; /* it is what lets them in */
	return query_run(&q, err);
}

static int notices_flush(struct store *s, struct lk_error *err)
{
	int rc = store_allows(s, err);

	if (rc < 0)
		return rc;
	rc = blocks_append(&s->blocks, &s->fresh.newer, s->fresh.written);
	return rc == SQLITE_OK ? 0 : store_fault(s, s->db, rc, "notices", err);
}

int fresh_flush(struct store *s, struct lk_error *err)
{
	struct fresh *f = &s->fresh;
	int rc = 0;

	if (f->ledger_n > 0)
		rc = ledger_flush(s, err);
	f->ledger_n = 0;
	lk_bytes_clear(&f->ledger_bytes);
	if (rc == 0 && f->written < f->newer.n)
		rc = notices_flush(s, err);
	f->written = f->newer.n;
	s->lost |= rc < 0; /* whoever asked may go on, but not to a commit without them */
	return rc;
}

bool fresh_waits(const struct store *s)
{
	return s->fresh.written < s->fresh.newer.n || s->fresh.ledger_n > 0;
}

static void shelf_clear(struct shelf *shelf, int64_t first)
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

void fresh_forget(struct store *s)
{
	struct fresh *f = &s->fresh;

	shelf_clear(&f->newer, s->tips.serial + 1);
	shelf_clear(&f->older, s->tips.serial + 1);
	f->written = 0;
	f->ledger_n = 0;
	lk_bytes_clear(&f->ledger_bytes);
}

void fresh_make(struct store *s)
{
	s->fresh.answers = 1;
}

void fresh_free(struct store *s)
{
	struct fresh *f = &s->fresh;

	free(f->newer.at);
	free(f->older.at);
	lk_bytes_free(&f->newer.bytes);
	lk_bytes_free(&f->older.bytes);
	free(f->ledger);
	lk_bytes_free(&f->ledger_bytes);
}

/* ---- Asking ---------------------------------------------------------------------------------- */

const struct fresh_notice *fresh_expect(const struct store *s, int64_t number)
{
	int64_t serial = place_recent(s, number);
	const struct fresh_notice *row = on_shelf(&s->fresh.newer, serial);

	if (row == NULL)
		row = on_shelf(&s->fresh.older, serial);
	if (row != NULL)
		lines_expect(row, sizeof(*row));
	return row;
}

struct fresh_notice *fresh_get(struct store *s, int64_t serial, int64_t number,
			       struct fresh_texts *texts)
{
	const struct shelf *shelf = &s->fresh.newer;
	struct fresh_notice *row = on_shelf(shelf, serial);

	if (row == NULL)
		row = on_shelf(shelf = &s->fresh.older, serial);
	if (row == NULL || row->number != number)
		return NULL;
	texts->own = text_of(&shelf->bytes, row->own_number);
	texts->other = text_of(&shelf->bytes, row->other_number);
	texts->body = shelf->bytes.at + row->body.at;
	texts->body_len = row->body.len;
	return row;
}
