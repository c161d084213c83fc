/* waiting.c - rows of events and of the ledger that wait, as tables from which SQLite takes them.
 *
 * In: the rows of arrivals.c and fresh.c. Out: the tables event_waiting and ledger_waiting, which can be named in a statement
 * and are read from the first row to the last. Promise: nothing is copied but into the row that SQLite writes; a row is read while
 * it waits, and never after.
 */
#include "internal.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* ---- Columns --------------------------------------------------------------------------------- */

struct column {
	void (*tell)(sqlite3_context *to, const struct lk_bytes *bytes, const void *value);
	size_t offset; /* of the value in its row */
};

static void tell_int(sqlite3_context *to, const struct lk_bytes *bytes, const void *value)
{
	(void)bytes;
	sqlite3_result_int64(to, *(const int64_t *)value);
}

static void tell_sequence(sqlite3_context *to, const struct lk_bytes *bytes, const void *value)
{
	const struct sequence *sequence = value;

	(void)bytes;
	if (sequence->given)
		sqlite3_result_int64(to, sequence->is);
}

/* 0 is nobody: null. */
static void tell_ref(sqlite3_context *to, const struct lk_bytes *bytes, const void *value)
{
	(void)bytes;
	if (*(const int64_t *)value != 0)
		sqlite3_result_int64(to, *(const int64_t *)value);
}

static void tell_salt(sqlite3_context *to, const struct lk_bytes *bytes, const void *value)
{
	const struct seal *salt = value;

	(void)bytes;
	if (salt->is_spelled)
		sqlite3_result_blob(to, salt->at, SALT, SQLITE_STATIC);
}

static void tell_chain(sqlite3_context *to, const struct lk_bytes *bytes, const void *value)
{
	const struct link *chain = value;

	(void)bytes;
	sqlite3_result_blob(to, chain->at, (int)chain->len, SQLITE_STATIC);
}

static void tell_text(sqlite3_context *to, const struct lk_bytes *bytes, const void *value)
{
	const struct piece *piece = value;

	if (piece->len != PIECE_ABSENT)
		sqlite3_result_text64(to, (const char *)bytes->at + piece->at, piece->len,
				      SQLITE_STATIC, SQLITE_UTF8);
}

static void tell_blob(sqlite3_context *to, const struct lk_bytes *bytes, const void *value)
{
	const struct piece *piece = value;

	sqlite3_result_blob(to, bytes->at + piece->at, (int)piece->len, SQLITE_STATIC);
}

#define LEDGER(member, how) \
	{ \
		tell_##how, offsetof(struct fresh_ledger, member) \
	}
#define EVENT(member, how) \
	{ \
		tell_##how, offsetof(struct waiting_event, member) \
	}

/* In the order in which the tables have them. */
static const struct column ledger_columns[] = {
	LEDGER(number, int), LEDGER(at, int),    LEDGER(reader, int),  LEDGER(session, text),
	LEDGER(from, int),   LEDGER(upto, ref),  LEDGER(level, int),   LEDGER(basis, text),
	LEDGER(ground, ref), LEDGER(salt, salt), LEDGER(chain, chain),
};
static const struct column event_columns[] = {
	EVENT(position, int),    EVENT(source, int),     EVENT(id, text),
	EVENT(kase, int),        EVENT(type, int),       EVENT(supersedes, text),
	EVENT(received_at, int), EVENT(lag, int),        EVENT(sequence, sequence),
	EVENT(stream, ref),      EVENT(outbox_seq, ref), EVENT(ahead, int),
	EVENT(sum, int),         EVENT(body, blob),
};

/* ---- The tables ------------------------------------------------------------------------------ */

struct rows {
	const void *at;
	uint32_t n;
	const struct lk_bytes *bytes; /* that they speak of */
};

static struct rows ledger_rows(const struct store *s)
{
	return (struct rows){ s->fresh.ledger, s->fresh.ledger_n, &s->fresh.ledger_bytes };
}

static struct rows event_rows(const struct store *s)
{
	return (struct rows){ s->arrivals.at, s->arrivals.n, &s->arrivals.bytes };
}

static const struct kind {
	const char *name, *declared;
	const struct column *column;
	size_t row; /* bytes */
	struct rows (*rows)(const struct store *s);
} kinds[] = {
	{ "ledger_waiting",
	  "CREATE TABLE waiting (number, at, reader, session, first_seq, last_seq, level, basis, ground, seal, chain)",
	  ledger_columns, sizeof(struct fresh_ledger), ledger_rows },
	{ "event_waiting",
	  "CREATE TABLE waiting (position, source, id, case_ref, type, supersedes, received_at, lag, sequence, stream,"
	  " outbox_seq, ahead, sum, body)",
	  event_columns, sizeof(struct waiting_event), event_rows },
};

struct table {
	sqlite3_vtab base;
	const struct store *store;
	const struct kind *kind;
};

/* Where a reading is. No row comes meanwhile. */
struct reading {
	sqlite3_vtab_cursor base;
	const struct kind *kind;
	struct rows rows;
	uint32_t i;
};

static int table_connect(sqlite3 *db, void *context, int argc, const char *const *argv,
			 sqlite3_vtab **out, char **why)
{
	struct table *table = calloc(1, sizeof(*table));

	(void)argc;
	(void)why;
	if (table == NULL)
		return SQLITE_NOMEM;
	table->store = context;
	for (table->kind = kinds; strcmp(table->kind->name, argv[0]) != 0;)
		table->kind++;
	*out = &table->base;
	return sqlite3_declare_vtab(db, table->kind->declared);
}

static int table_disconnect(sqlite3_vtab *table)
{
	free(table);
	return SQLITE_OK;
}

/* There is one way: from the first row to the last. */
static int table_plan(sqlite3_vtab *table, sqlite3_index_info *plan)
{
	(void)table;
	(void)plan;
	return SQLITE_OK;
}

static int reading_open(sqlite3_vtab *table, sqlite3_vtab_cursor **out)
{
	struct reading *r = calloc(1, sizeof(*r));

	(void)table;
	if (r == NULL)
		return SQLITE_NOMEM;
	*out = &r->base;
	return SQLITE_OK;
}

static int reading_close(sqlite3_vtab_cursor *cursor)
{
	free(cursor);
	return SQLITE_OK;
}

static int reading_begin(sqlite3_vtab_cursor *cursor, int way, const char *name, int argc,
			 sqlite3_value **argv)
{
	struct reading *r = (struct reading *)cursor;
	const struct table *table = (const struct table *)cursor->pVtab;

	(void)way;
	(void)name;
	(void)argc;
	(void)argv;
	r->kind = table->kind;
	r->rows = table->kind->rows(table->store);
	r->i = 0;
	return SQLITE_OK;
}

static int reading_next(sqlite3_vtab_cursor *cursor)
{
	((struct reading *)cursor)->i++;
	return SQLITE_OK;
}

static int reading_is_over(sqlite3_vtab_cursor *cursor)
{
	const struct reading *r = (const struct reading *)cursor;

	return r->i >= r->rows.n;
}

static int reading_column(sqlite3_vtab_cursor *cursor, sqlite3_context *to, int i)
{
	const struct reading *r = (const struct reading *)cursor;
	const struct column *column = &r->kind->column[i];
	const char *row = (const char *)r->rows.at + r->i * r->kind->row;

	column->tell(to, r->rows.bytes, row + column->offset);
	return SQLITE_OK;
}

static int reading_rowid(sqlite3_vtab_cursor *cursor, sqlite3_int64 *out)
{
	*out = ((const struct reading *)cursor)->i;
	return SQLITE_OK;
}

int waiting_declare(struct store *s, struct lk_error *err)
{
	static const sqlite3_module module = {
		.xConnect = table_connect,
		.xBestIndex = table_plan,
		.xDisconnect = table_disconnect,
		.xOpen = reading_open,
		.xClose = reading_close,
		.xFilter = reading_begin,
		.xNext = reading_next,
		.xEof = reading_is_over,
		.xColumn = reading_column,
		.xRowid = reading_rowid,
	};
	int rc = SQLITE_OK;

	for (size_t i = 0; rc == SQLITE_OK && i < sizeof(kinds) / sizeof(kinds[0]); i++)
		rc = sqlite3_create_module(s->db, kinds[i].name, &module, s);
	return rc == SQLITE_OK ? 0 : store_fault(s, s->db, rc, "rows that wait", err);
}
