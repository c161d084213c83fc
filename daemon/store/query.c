/* query.c - one run of a prepared statement, what its failure means, and the sums of rows.
 *
 * In: values, from left to right. Out: columns, from left to right. Promise: a statement that is
 * being walked is never started anew; a write outside of a transaction is refused; a transaction
 * that SQLite gave up is never written to.
 */
#include "internal.h"

#include <endian.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

/* ---- Faults ---------------------------------------------------------------------------------- */

static const struct {
	int rc;
	enum lk_fault fault;
} faults[] = {
	{ SQLITE_FULL, LK_EFULL },
	{ SQLITE_NOMEM, LK_EMEMORY },
	{ SQLITE_IOERR_NOMEM, LK_EMEMORY },
	{ SQLITE_IOERR_FSYNC, LK_ESYNC },
	{ SQLITE_IOERR_DIR_FSYNC, LK_ESYNC },
	{ SQLITE_IOERR_TRUNCATE, LK_ESYNC },
	{ SQLITE_IOERR_CLOSE, LK_ESYNC },
	{ SQLITE_BUSY, LK_ESTATE },
};

enum lk_fault store_fault_of(int rc)
{
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		if (faults[i].rc == rc || faults[i].rc == (rc & 0xff))
			return faults[i].fault;
	return LK_ESTORE;
}

struct more {
	char at[200];
};

/* What the connection says beyond the code's own words: which table, which constraint. It may be of another call. */
static struct more told_more(sqlite3 *db, int rc)
{
	struct more more = { "" };
	const char *words = sqlite3_errmsg(db);

	if (sqlite3_errcode(db) == rc && strcmp(words, sqlite3_errstr(rc)) != 0)
		(void)snprintf(more.at, sizeof(more.at), " (%s)", words);
	return more;
}

/* We ask before we add: a row that is in the way is one that should not be there, or was not found. A row that may not be is
 * no damage: another store would not take it either, and be made anew with each start. */
static bool is_in_the_way(int rc)
{
	return rc == SQLITE_CONSTRAINT_PRIMARYKEY || rc == SQLITE_CONSTRAINT_UNIQUE ||
	       rc == SQLITE_CONSTRAINT_ROWID;
}

int store_fault(struct store *s, sqlite3 *db, int rc, const char *what, struct lk_error *err)
{
	enum lk_fault fault = store_fault_of(rc);
	int kind = rc & 0xff;

	if (fault == LK_ESYNC)
		store_doubt(s, DOUBT_SYNC, sqlite3_errstr(rc));
	bool is_damage = kind == SQLITE_CORRUPT || kind == SQLITE_NOTADB;
	if (db == s->state)
		s->state_damaged |= is_damage;
	else if (is_damage || is_in_the_way(rc))
		store_doubt(s, DOUBT_DAMAGE, sqlite3_errmsg(db));
	if (s->open_since_begin && sqlite3_get_autocommit(s->db) != 0)
		s->lost = true;
	if (fault == LK_EFULL)
		return lk_fail(err, fault, "%s: the disk is full", what);
	return lk_fail(err, fault, "%s: %s%s", what, sqlite3_errstr(rc), told_more(db, rc).at);
}

/* ---- Running --------------------------------------------------------------------------------- */

static unsigned what_waits(const struct store *s)
{
	return (fresh_waits(s) ? WAITS_FRESH : 0) | (s->arrivals.n > 0 ? WAITS_EVENTS : 0);
}

struct query query_begin(struct store *s, enum statement which)
{
	struct query q = { .store = s,
			   .statement = s->statement[which],
			   .rc = SQLITE_OK,
			   .lets_in = s->lets_in[which] & what_waits(s) };

	if (sqlite3_stmt_busy(q.statement) != 0 ||
	    (sqlite3_stmt_readonly(q.statement) == 0 && !s->open_since_begin))
		q.rc = SQLITE_MISUSE;
	return q;
}

static void query_bound(struct query *q, int rc)
{
	if (q->rc == SQLITE_OK)
		q->rc = rc;
}

/* A statement that is being walked already may not be bound: that would change the walk. */
static bool query_binds(struct query *q)
{
	q->bound++;
	return q->rc == SQLITE_OK;
}

void bind_int(struct query *q, int64_t value)
{
	if (query_binds(q))
		query_bound(q, sqlite3_bind_int64(q->statement, q->bound, value));
}

void bind_null(struct query *q)
{
	if (query_binds(q))
		query_bound(q, sqlite3_bind_null(q->statement, q->bound));
}

void bind_if(struct query *q, bool given, int64_t value)
{
	if (given)
		bind_int(q, value);
	else
		bind_null(q);
}

void bind_instant(struct query *q, lk_instant at)
{
	if (at == LK_NO_INSTANT)
		bind_null(q);
	else
		bind_int(q, at);
}

void bind_text(struct query *q, struct lk_text text)
{
	if (query_binds(q))
		query_bound(q, sqlite3_bind_text64(q->statement, q->bound, text.at, text.len,
						   SQLITE_STATIC, SQLITE_UTF8));
}

void bind_copy(struct query *q, const char *string)
{
	if (query_binds(q))
		query_bound(q, sqlite3_bind_text(q->statement, q->bound, string, -1,
						 SQLITE_TRANSIENT));
}

void bind_blob(struct query *q, const void *at, size_t len)
{
	/* No bytes are an empty blob, not null, wherever they point to. */
	if (query_binds(q))
		query_bound(q, sqlite3_bind_blob64(q->statement, q->bound, at != NULL ? at : "",
						   len, SQLITE_STATIC));
}

void bind_digest(struct query *q, const uint8_t digest[LK_DIGEST])
{
	bind_blob(q, digest, LK_DIGEST);
}

static int query_refused(struct query *q, struct lk_error *err)
{
	if (q->rc != SQLITE_MISUSE)
		return store_fault(q->store, sqlite3_db_handle(q->statement), q->rc,
				   "store: binding", err);
	q->statement = NULL; /* it is not ours to reset */
	return lk_fail(err, LK_ESTATE,
		       "store: a write outside of a transaction, or a walk within itself");
}

int store_allows(const struct store *s, struct lk_error *err)
{
	if (s->suspect)
		return lk_fail(err, LK_ESYNC, "store: suspect, to be rebuilt at the next start");
	if (s->lost)
		return lk_fail(err, LK_ESTORE, "store: the transaction was rolled back");
	return 0;
}

static int let_in(struct query *q, struct lk_error *err)
{
	unsigned which = q->lets_in;
	int rc = 0;

	q->lets_in = 0;
	if (which & WAITS_EVENTS)
		rc = arrivals_flush(q->store, err);
	if (rc == 0 && (which & WAITS_FRESH))
		rc = fresh_flush(q->store, err);
	return rc;
}

int query_step(struct query *q, struct lk_error *err)
{
	int rc;

	if (q->rc != SQLITE_OK)
		return query_refused(q, err);
	if ((rc = store_allows(q->store, err)) < 0)
		return rc;
	if (q->lets_in != 0 && (rc = let_in(q, err)) < 0)
		return rc;
	q->column = 0;
	rc = sqlite3_step(q->statement);
	if (rc == SQLITE_ROW)
		return 1;
	if (rc == SQLITE_DONE)
		return 0;
	return store_fault(q->store, sqlite3_db_handle(q->statement), rc, "store", err);
}

void query_end(struct query *q)
{
	if (q->statement == NULL || q->rc == SQLITE_MISUSE)
		return;
	(void)sqlite3_reset(q->statement); /* repeats what the step said */
	(void)sqlite3_clear_bindings(q->statement);
}

int query_run(struct query *q, struct lk_error *err)
{
	int rc;

	while ((rc = query_step(q, err)) == 1)
		continue;
	query_end(q);
	return rc;
}

void take_back(struct store *s, sqlite3 *db, enum statement rollback)
{
	if (sqlite3_get_autocommit(db) != 0)
		return; /* SQLite did so by itself */
	(void)sqlite3_step(s->statement[rollback]);
	(void)sqlite3_reset(s->statement[rollback]);
}

int query_number(struct query *q, int64_t *out, struct lk_error *err)
{
	int rc = query_step(q, err);

	if (rc == 1 && column_is_null(q))
		rc = 0;
	else if (rc == 1)
		*out = column_int(q);
	query_end(q);
	return rc;
}

/* ---- Columns --------------------------------------------------------------------------------- */

bool column_is_null(const struct query *q)
{
	return sqlite3_column_type(q->statement, q->column) == SQLITE_NULL;
}

int64_t column_int(struct query *q)
{
	return sqlite3_column_int64(q->statement, q->column++);
}

int column_code(struct query *q)
{
	return sqlite3_column_int(q->statement, q->column++);
}

lk_instant column_instant(struct query *q)
{
	if (!column_is_null(q))
		return column_int(q);
	q->column++;
	return LK_NO_INSTANT;
}

struct lk_text column_text(struct query *q)
{
	int i = q->column++;
	const unsigned char *at = sqlite3_column_text(q->statement, i);

	return (struct lk_text){ (const char *)at,
				 (uint32_t)sqlite3_column_bytes(q->statement, i) };
}

const void *column_blob(struct query *q, size_t *len)
{
	int i = q->column++;
	const void *at = sqlite3_column_blob(q->statement, i);

	*len = (size_t)sqlite3_column_bytes(q->statement, i);
	return at != NULL ? at : "";
}

bool column_digest(struct query *q, uint8_t out[LK_DIGEST])
{
	size_t len;
	const void *at = column_blob(q, &len);

	memset(out, 0, LK_DIGEST);
	if (len != LK_DIGEST)
		return false;
	memcpy(out, at, LK_DIGEST);
	return true;
}

/* ---- Sums ------------------------------------------------------------------------------------ */

/* A dozen a row: where there is room, without a call. */
static void sum_add(struct lk_bytes *said, const void *at, size_t len)
{
	if (said->room - said->len < len || said->failed) {
		lk_bytes_add(said, at, len);
		return;
	}
	memcpy(said->at + said->len, at, len);
	said->len += len;
}

void sum_int(struct lk_bytes *said, int64_t value)
{
	uint64_t bytes = htole64((uint64_t)value);

	sum_add(said, &bytes, sizeof(bytes));
}

void sum_blob(struct lk_bytes *said, const void *at, size_t len)
{
	sum_int(said, (int64_t)len);
	if (len > 0)
		sum_add(said, at, len);
}

void sum_text(struct lk_bytes *said, struct lk_text text)
{
	if (lk_text_given(text))
		sum_blob(said, text.at, text.len);
	else
		sum_int(said, -1);
}

int64_t said_int(const uint8_t **at)
{
	uint64_t bytes;

	memcpy(&bytes, *at, sizeof(bytes));
	*at += sizeof(bytes);
	return (int64_t)le64toh(bytes);
}

struct lk_text said_text(const uint8_t **at)
{
	int64_t len = said_int(at);
	struct lk_text text = { (const char *)*at, (uint32_t)len };

	if (len < 0)
		return LK_NO_TEXT;
	*at += len;
	return text;
}

#define SUM_MASK ((UINT64_C(1) << 31) - 1) /* a number of four bytes, as SQLite keeps it */

/* SipHash under a key of zeroes: against a disk that errs, not against a person. */
int sum_end(const struct lk_bytes *said, int64_t *out, struct lk_error *err)
{
	static const uint8_t key[crypto_shorthash_KEYBYTES];
	uint8_t hash[crypto_shorthash_BYTES];
	uint64_t sum = 0;

	if (said->failed)
		return lk_fail(err, LK_EMEMORY, "store: no memory for the sum of a row");
	(void)crypto_shorthash(hash, said->at, said->len, key);
	for (unsigned i = 0; i < 8; i++)
		sum |= (uint64_t)hash[i] << (8 * i);
	*out = (int64_t)(sum & SUM_MASK);
	return 0;
}

int row_damaged(struct store *s, struct lk_error *err, const char *what, int64_t number,
		const char *wrong)
{
	struct lk_error said;
	int rc = lk_fail(&said, LK_ESTORE, "store: %s %lld is damaged: its %s is wrong", what,
			 (long long)number, wrong);

	store_doubt(s, DOUBT_DAMAGE, said.text);
	return lk_fail(err, rc, "%s", said.text);
}

int sum_check(struct store *s, int64_t stored, const char *what, int64_t number,
	      struct lk_error *err)
{
	int64_t sum = 0;
	int rc = sum_end(&s->scratch, &sum, err);

	if (rc == 0 && sum != stored)
		rc = row_damaged(s, err, what, number, "sum");
	return rc;
}
