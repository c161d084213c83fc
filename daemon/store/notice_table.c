/* notice_table.c - notices as rows of a table, though they lie in blocks.
 *
 * In: a connection to a database that has the table notice_block. Out: the table `notice`, which statements read, change and
 * delete from as from any other; its rows are in the order of `serial`, and found by it. Promise: what a statement has changed
 * is in the blocks when it ends. A block that cannot be read at all is one row without anything but a serial number: so it is
 * found damaged, and can be deleted. What is told lies in blocks without this table: blocks_append().
 */
#include "notice_table.h"

#include "internal.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static const char declared[] =
	"CREATE TABLE notice (serial INTEGER, number INTEGER, id BLOB, rev INTEGER, marks INTEGER, own_case INTEGER, "
	"other_case INTEGER, told_at INTEGER, ledger INTEGER, sum INTEGER, body BLOB)";

/* In that order. */
enum { SERIAL, NUMBER, ID, REV, MARKS, OWN_CASE, OTHER_CASE, TOLD_AT, LEDGER, SUM, BODY, COLUMNS };

/* Those that are numbers; of what may be null, 0 is. */
static const struct {
	size_t offset;
	bool is_nullable;
} numbers[COLUMNS] = {
	[SERIAL] = { offsetof(struct fresh_notice, serial), false },
	[NUMBER] = { offsetof(struct fresh_notice, number), false },
	[REV] = { offsetof(struct fresh_notice, rev), false },
	[MARKS] = { offsetof(struct fresh_notice, marks), false },
	[OWN_CASE] = { offsetof(struct fresh_notice, own_case), true },
	[OTHER_CASE] = { offsetof(struct fresh_notice, other_case), true },
	[TOLD_AT] = { offsetof(struct fresh_notice, told_at), false },
	[LEDGER] = { offsetof(struct fresh_notice, ledger), true },
	[SUM] = { offsetof(struct fresh_notice, sum), false },
};

struct table {
	sqlite3_vtab base;
	struct blocks blocks;
};

/* Where a reading is. */
struct reading {
	sqlite3_vtab_cursor base;
	struct block *block; /* NULL: behind the last one */
	uint32_t i;
	bool is_one; /* it ends with its first row */
};

static struct blocks *blocks_of(sqlite3_vtab *table)
{
	return &((struct table *)table)->blocks;
}

/* ---- The table ------------------------------------------------------------------------------- */

static int table_disconnect(sqlite3_vtab *table)
{
	blocks_close(blocks_of(table));
	free(table);
	return SQLITE_OK;
}

/* It does nothing that the rows of any other table would not: views may name it. */
static int table_connect(sqlite3 *db, void *context, int argc, const char *const *argv,
			 sqlite3_vtab **out, char **why)
{
	struct table *table = calloc(1, sizeof(*table));
	int rc;

	(void)context;
	(void)argc;
	(void)argv;
	(void)why;
	if (table == NULL)
		return SQLITE_NOMEM;
	rc = blocks_open(&table->blocks, db);
	if (rc == SQLITE_OK)
		rc = sqlite3_vtab_config(db, SQLITE_VTAB_INNOCUOUS);
	if (rc == SQLITE_OK)
		rc = sqlite3_declare_vtab(db, declared);
	if (rc == SQLITE_OK)
		*out = &table->base;
	else
		(void)table_disconnect(&table->base);
	return rc;
}

/* ---- Ways ------------------------------------------------------------------------------------ */

enum way { WAY_ALL, WAY_FROM, WAY_ONE };

static enum way way_of(const struct sqlite3_index_constraint *c)
{
	if (!c->usable || c->iColumn > SERIAL)
		return WAY_ALL;
	if (c->op == SQLITE_INDEX_CONSTRAINT_EQ)
		return WAY_ONE;
	return c->op == SQLITE_INDEX_CONSTRAINT_GT || c->op == SQLITE_INDEX_CONSTRAINT_GE ? WAY_FROM
											  : WAY_ALL;
}

static bool is_in_order(const sqlite3_index_info *plan)
{
	return plan->nOrderBy == 1 && plan->aOrderBy[0].iColumn <= SERIAL &&
	       plan->aOrderBy[0].desc == 0;
}

/* The best there is; SQLite asks of each row again whether it is one of those. */
static int table_plan(sqlite3_vtab *table, sqlite3_index_info *plan)
{
	static const struct {
		double cost;
		sqlite3_int64 rows;
	} costs[] = {
		[WAY_ALL] = { 1e7, 1000000 }, [WAY_FROM] = { 1e6, 100000 }, [WAY_ONE] = { 10, 1 }
	};
	int best = -1;

	(void)table;
	for (int i = 0; i < plan->nConstraint; i++) {
		enum way way = way_of(&plan->aConstraint[i]);

		if ((int)way > plan->idxNum) {
			plan->idxNum = (int)way;
			best = i;
		}
	}
	if (best >= 0)
		plan->aConstraintUsage[best].argvIndex = 1;
	plan->estimatedCost = costs[plan->idxNum].cost;
	plan->estimatedRows = costs[plan->idxNum].rows;
	plan->idxFlags = plan->idxNum == WAY_ONE ? SQLITE_INDEX_SCAN_UNIQUE : 0;
	plan->orderByConsumed = is_in_order(plan);
	return SQLITE_OK;
}

/* ---- Reading --------------------------------------------------------------------------------- */

static int reading_open(sqlite3_vtab *table, sqlite3_vtab_cursor **out)
{
	struct reading *r = calloc(1, sizeof(*r));

	(void)table;
	if (r == NULL)
		return SQLITE_NOMEM;
	*out = &r->base;
	return SQLITE_OK;
}

static void reading_leave(struct reading *r)
{
	blocks_give(blocks_of(r->base.pVtab), r->block);
	r->block = NULL;
}

static int reading_close(sqlite3_vtab_cursor *cursor)
{
	reading_leave((struct reading *)cursor);
	free(cursor);
	return SQLITE_OK;
}

/* Behind the last row of a block is the first of the next one. A broken block is one row. */
static int reading_settle(struct reading *r)
{
	int rc = SQLITE_OK;

	while (rc == SQLITE_OK && r->block != NULL && r->i >= r->block->n + r->block->is_broken) {
		int64_t first = r->block->first;

		reading_leave(r);
		r->i = 0;
		if (!r->is_one)
			rc = blocks_get(blocks_of(r->base.pVtab), BLOCKS_AFTER, first, &r->block);
	}
	return rc;
}

static int reading_begin(sqlite3_vtab_cursor *cursor, int way, const char *name, int argc,
			 sqlite3_value **argv)
{
	struct reading *r = (struct reading *)cursor;
	struct blocks *all = blocks_of(cursor->pVtab);
	int64_t from = argc > 0 ? sqlite3_value_int64(argv[0]) : INT64_MIN;
	int rc;

	(void)name;
	reading_leave(r);
	r->i = 0;
	r->is_one = way == WAY_ONE;
	rc = blocks_get(all, BLOCKS_AT, from, &r->block);
	if (rc == SQLITE_OK && r->block == NULL && !r->is_one)
		rc = blocks_get(all, BLOCKS_AFTER, from, &r->block);
	if (rc == SQLITE_OK && r->block != NULL)
		r->i = block_find(r->block, from);
	return rc == SQLITE_OK ? reading_settle(r) : rc;
}

static int reading_next(sqlite3_vtab_cursor *cursor)
{
	struct reading *r = (struct reading *)cursor;

	r->i = r->is_one ? UINT32_MAX : r->i + 1;
	return reading_settle(r);
}

static int reading_is_over(sqlite3_vtab_cursor *cursor)
{
	return ((const struct reading *)cursor)->block == NULL;
}

static int reading_rowid(sqlite3_vtab_cursor *cursor, sqlite3_int64 *out)
{
	const struct reading *r = (const struct reading *)cursor;

	*out = r->block->is_broken ? r->block->first : r->block->at[r->i].serial;
	return SQLITE_OK;
}

static void number_tell(sqlite3_context *to, const struct fresh_notice *row, int i)
{
	int64_t value = *(const int64_t *)((const char *)row + numbers[i].offset);

	if (value != 0 || !numbers[i].is_nullable)
		sqlite3_result_int64(to, value);
}

static int reading_column(sqlite3_vtab_cursor *cursor, sqlite3_context *to, int i)
{
	const struct reading *r = (const struct reading *)cursor;
	const struct block *b = r->block;

	if (b->is_broken) {
		if (i == SERIAL)
			sqlite3_result_int64(to, b->first);
	} else if (i == ID)
		sqlite3_result_blob(to, b->at[r->i].id, LK_DIGEST, SQLITE_TRANSIENT);
	else if (i == BODY)
		sqlite3_result_blob64(to, b->bodies.at + b->at[r->i].body.at, b->at[r->i].body.len,
				      SQLITE_TRANSIENT);
	else
		number_tell(to, &b->at[r->i], i);
	return SQLITE_OK;
}

/* ---- Writing --------------------------------------------------------------------------------- */

/* As its columns were given, whatever they are. */
static void row_read(sqlite3_value **column, struct fresh_notice *row)
{
	*row = (struct fresh_notice){ .body.len = (uint32_t)sqlite3_value_bytes(column[BODY]) };
	for (int i = 0; i < COLUMNS; i++)
		if (i != ID && i != BODY)
			*(int64_t *)((char *)row + numbers[i].offset) =
				sqlite3_value_int64(column[i]);
	if (sqlite3_value_bytes(column[ID]) == LK_DIGEST)
		memcpy(row->id, sqlite3_value_blob(column[ID]), LK_DIGEST);
}

/* A row less, a row more, or both. A failure leaves all as it was, but for what ends the transaction: it is the first step
 * that finds a row in the way. */
static int table_update(sqlite3_vtab *table, int argc, sqlite3_value **argv, sqlite3_int64 *rowid)
{
	struct blocks *all = blocks_of(table);
	bool has_old = sqlite3_value_type(argv[0]) != SQLITE_NULL;
	int64_t old = sqlite3_value_int64(argv[0]);
	struct fresh_notice row;
	int rc;

	if (argc == 1)
		return blocks_remove(all, old);
	row_read(&argv[2], &row);
	*rowid = row.serial;
	if (has_old && old == row.serial && (rc = blocks_remove(all, old)) != SQLITE_OK)
		return rc;
	rc = blocks_insert(all, &row, sqlite3_value_blob(argv[2 + BODY]));
	return rc == SQLITE_OK && has_old && old != row.serial ? blocks_remove(all, old) : rc;
}

int notice_table_declare(sqlite3 *db)
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
		.xUpdate = table_update,
	};

	return sqlite3_create_module(db, "notice", &module, NULL);
}
