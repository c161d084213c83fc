/* waiting.c - rows that wait, as tables from which SQLite takes them.
 *
 * In: the rows of fresh.c. Out: the tables notice_waiting and ledger_waiting, which can be named in a statement and are
 * read from the first row to the last. Promise: nothing is copied but into the row that SQLite writes; a row is read while
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

static void tell_digest(sqlite3_context *to, const struct lk_bytes *bytes, const void *value)
{
	(void)bytes;
	sqlite3_result_blob(to, value, LK_DIGEST, SQLITE_STATIC);
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

static void tell_blob(sqlite3_context *to, const struct lk_bytes *bytes, const void *value)
{
	const struct piece *piece = value;

	sqlite3_result_blob64(to, bytes->at + piece->at, piece->len, SQLITE_STATIC);
}

static void tell_text(sqlite3_context *to, const struct lk_bytes *bytes, const void *value)
{
	const struct piece *piece = value;

	if (piece->len != PIECE_ABSENT)
		sqlite3_result_text64(to, (const char *)bytes->at + piece->at, piece->len,
				      SQLITE_STATIC, SQLITE_UTF8);
}

#define NOTICE(member, how) \
	{ \
		tell_##how, offsetof(struct fresh_notice, member) \
	}
#define LEDGER(member, how) \
	{ \
		tell_##how, offsetof(struct fresh_ledger, member) \
	}

/* In the order in which the tables have them. */
static const struct column notice_columns[] = {
	NOTICE(serial, int), NOTICE(number, int),   NOTICE(id, digest),      NOTICE(rev, int),
	NOTICE(marks, int),  NOTICE(own_case, ref), NOTICE(other_case, ref), NOTICE(told_at, int),
	NOTICE(ledger, ref), NOTICE(sum, int),      NOTICE(body, blob),
};
static const struct column ledger_columns[] = {
	LEDGER(number, int), LEDGER(at, int),    LEDGER(reader, int),  LEDGER(session, text),
	LEDGER(from, int),   LEDGER(upto, int),  LEDGER(level, int),   LEDGER(basis, text),
	LEDGER(ground, ref), LEDGER(salt, salt), LEDGER(chain, chain),
};

/* ---- Rows ------------------------------------------------------------------------------------ */

/* Where a reading is: `row` is NULL behind the last one. */
struct reading {
	sqlite3_vtab_cursor base;
	uint32_t i;
	const void *row;
};

static void notice_stand(const struct fresh *f, struct reading *r, uint32_t i)
{
	r->i = i;
	r->row = i < f->newer.n ? &f->newer.at[i] : NULL;
}

static void notice_first(const struct fresh *f, struct reading *r)
{
	notice_stand(f, r, f->written);
}

static void notice_next(const struct fresh *f, struct reading *r)
{
	notice_stand(f, r, r->i + 1);
}

static void ledger_first(const struct fresh *f, struct reading *r)
{
	r->i = 0;
	r->row = f->ledger;
}

static void ledger_next(const struct fresh *f, struct reading *r)
{
	r->row = ++r->i < f->ledger_n ? &f->ledger[r->i] : NULL;
}

/* ---- Tables ---------------------------------------------------------------------------------- */

struct kind {
	const char *name, *declared;
	const struct column *columns;
	size_t bytes; /* offset in struct fresh of what its pieces lie in */
	void (*first)(const struct fresh *f, struct reading *r);
	void (*next)(const struct fresh *f, struct reading *r);
};

static const struct kind kinds[] = {
	{ "notice_waiting",
	  "CREATE TABLE waiting (serial, number, id, rev, marks, own_case, other_case, told_at, ledger, sum, body)",
	  notice_columns, offsetof(struct fresh, newer.bytes), notice_first, notice_next },
	{ "ledger_waiting",
	  "CREATE TABLE waiting (number, at, reader, session, first_seq, last_seq, level, basis, ground, seal, chain)",
	  ledger_columns, offsetof(struct fresh, ledger_bytes), ledger_first, ledger_next },
};

/* A table as SQLite knows it, and what it is told about it before. */
struct told_kind {
	const struct fresh *fresh;
	const struct kind *kind;
};

struct table {
	sqlite3_vtab base;
	struct told_kind of;
};

static int table_connect(sqlite3 *db, void *context, int argc, const char *const *argv,
			 sqlite3_vtab **out, char **why)
{
	const struct told_kind *of = context;
	struct table *table = calloc(1, sizeof(*table));

	(void)argc;
	(void)argv;
	(void)why;
	if (table == NULL)
		return SQLITE_NOMEM;
	table->of = *of;
	*out = &table->base;
	return sqlite3_declare_vtab(db, of->kind->declared);
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

static const struct told_kind *kind_of(const sqlite3_vtab_cursor *cursor)
{
	return &((const struct table *)cursor->pVtab)->of;
}

static int reading_begin(sqlite3_vtab_cursor *cursor, int way, const char *name, int argc,
			 sqlite3_value **argv)
{
	const struct told_kind *of = kind_of(cursor);

	(void)way;
	(void)name;
	(void)argc;
	(void)argv;
	of->kind->first(of->fresh, (struct reading *)cursor);
	return SQLITE_OK;
}

static int reading_next(sqlite3_vtab_cursor *cursor)
{
	const struct told_kind *of = kind_of(cursor);

	of->kind->next(of->fresh, (struct reading *)cursor);
	return SQLITE_OK;
}

static int reading_is_over(sqlite3_vtab_cursor *cursor)
{
	return ((const struct reading *)cursor)->row == NULL;
}

static int reading_column(sqlite3_vtab_cursor *cursor, sqlite3_context *to, int i)
{
	const struct reading *r = (const struct reading *)cursor;
	const struct told_kind *of = kind_of(cursor);
	const struct column *column = &of->kind->columns[i];
	const void *bytes = (const char *)of->fresh + of->kind->bytes;

	column->tell(to, bytes, (const char *)r->row + column->offset);
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

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct told_kind *of = malloc(sizeof(*of));
		int rc = SQLITE_NOMEM;

		if (of != NULL) {
			*of = (struct told_kind){ &s->fresh, &kinds[i] };
			rc = sqlite3_create_module_v2(s->db, kinds[i].name, &module, of, free);
		}
		if (rc != SQLITE_OK)
			return store_fault(s, s->db, rc, "rows that wait", err);
	}
	return 0;
}

/* ---- Taking ---------------------------------------------------------------------------------- */

int waiting_take(struct store *s, enum statement which, struct lk_error *err)
{
	struct query q = query_begin(s, which);

	q.lets_in = false; /* it is what lets them in */
	return query_run(&q, err);
}
