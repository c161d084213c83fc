/* waiting.c - rows of the ledger that wait, as a table from which SQLite takes them.
 *
 * In: the rows of fresh.c. Out: the table ledger_waiting, which can be named in a statement and is read from the first row to
 * the last. Promise: nothing is copied but into the row that SQLite writes; a row is read while
 * it waits, and never after.
 */
#include "internal.h"

#include <stddef.h>
#include <stdlib.h>

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

#define LEDGER(member, how) \
	{ \
		tell_##how, offsetof(struct fresh_ledger, member) \
	}

/* In the order in which the table has them. */
static const struct column columns[] = {
	LEDGER(number, int), LEDGER(at, int),    LEDGER(reader, int),  LEDGER(session, text),
	LEDGER(from, int),   LEDGER(upto, ref),  LEDGER(level, int),   LEDGER(basis, text),
	LEDGER(ground, ref), LEDGER(salt, salt), LEDGER(chain, chain),
};

/* ---- The table ------------------------------------------------------------------------------- */

struct table {
	sqlite3_vtab base;
	const struct fresh *fresh;
};

/* Where a reading is. */
struct reading {
	sqlite3_vtab_cursor base;
	uint32_t i;
};

static int table_connect(sqlite3 *db, void *context, int argc, const char *const *argv,
			 sqlite3_vtab **out, char **why)
{
	struct table *table = calloc(1, sizeof(*table));

	(void)argc;
	(void)argv;
	(void)why;
	if (table == NULL)
		return SQLITE_NOMEM;
	table->fresh = context;
	*out = &table->base;
	return sqlite3_declare_vtab(
		db,
		"CREATE TABLE waiting (number, at, reader, session, first_seq, last_seq, level, basis, ground, seal, chain)");
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

static const struct fresh *fresh_of(const sqlite3_vtab_cursor *cursor)
{
	return ((const struct table *)cursor->pVtab)->fresh;
}

static int reading_begin(sqlite3_vtab_cursor *cursor, int way, const char *name, int argc,
			 sqlite3_value **argv)
{
	(void)way;
	(void)name;
	(void)argc;
	(void)argv;
	((struct reading *)cursor)->i = 0;
	return SQLITE_OK;
}

static int reading_next(sqlite3_vtab_cursor *cursor)
{
	((struct reading *)cursor)->i++;
	return SQLITE_OK;
}

static int reading_is_over(sqlite3_vtab_cursor *cursor)
{
	return ((const struct reading *)cursor)->i >= fresh_of(cursor)->ledger_n;
}

static int reading_column(sqlite3_vtab_cursor *cursor, sqlite3_context *to, int i)
{
	const struct fresh *fresh = fresh_of(cursor);
	const struct fresh_ledger *row = &fresh->ledger[((const struct reading *)cursor)->i];

	columns[i].tell(to, &fresh->ledger_bytes, (const char *)row + columns[i].offset);
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
	int rc = sqlite3_create_module(s->db, "ledger_waiting", &module, &s->fresh);

	return rc == SQLITE_OK ? 0 : store_fault(s, s->db, rc, "rows that wait", err);
}
