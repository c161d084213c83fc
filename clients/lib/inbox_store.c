/* inbox_store.c - the notices a client received, and the place it has reached in each worker's mailbox.
 *
 * In: notices as they came, numbered per worker. Out: each once, in order of arrival, to whoever takes them.
 * Promise: a notice and the place after it are committed together, so that neither a restart nor a repetition loses or
 * doubles one; what a worker may not see any more is erased here too.
 */
#include "inbox_store.h"
#include "sqlfile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct sqlfile_kind store_kind = {
	.what = "inbox",
	.application_id = 0x4c4b4958, /* LKIX */
	.version = 1,
	.schema =
		"CREATE TABLE place (worker TEXT PRIMARY KEY,"
		" mailbox TEXT NOT NULL," /* 32 hex digits; another after the daemon lost rows */
		" last INTEGER NOT NULL"  /* highest seq stored of it */
		") STRICT, WITHOUT ROWID;"
		"CREATE TABLE notice (position INTEGER PRIMARY KEY," /* order of arrival, over all workers */
		" worker TEXT NOT NULL, seq INTEGER NOT NULL,"
		" id TEXT NOT NULL, rev INTEGER NOT NULL," /* what makes a repetition, whatever its number */
		" body BLOB," /* NULL: erased, it may not be seen any more */
		" UNIQUE (worker, id, rev)"
		") STRICT;"
		"CREATE TABLE taken (one INTEGER PRIMARY KEY CHECK (one = 1), position INTEGER NOT NULL) STRICT;"
		"INSERT INTO taken VALUES (1, 0);",
};

#define STORE_STATEMENTS(S) \
	S(PLACE, "SELECT mailbox, last FROM place WHERE worker = ?") \
	S(MAILBOX, "INSERT OR REPLACE INTO place VALUES (?, ?, ?)") \
	S(LAST, "UPDATE place SET last = ? WHERE worker = ? AND last < ?") \
	S(PUT, "INSERT OR IGNORE INTO notice (worker, seq, id, rev, body) VALUES (?, ?, ?, ?, ?)") \
	S(ERASE, "UPDATE notice SET body = NULL WHERE worker = ? AND id = ? AND rev < ?") \
	S(REDUCE, "UPDATE notice SET body = ? WHERE worker = ? AND id = ? AND rev = ?") \
	S(FIND, \
	  "SELECT DISTINCT id, worker FROM notice WHERE substr(id, 1, length(?1)) = ?1 LIMIT 2") \
	S(UNTAKEN, "SELECT position, worker, seq, body FROM notice" \
		   " WHERE position > (SELECT position FROM taken) ORDER BY position LIMIT ?") \
	S(TAKEN, "UPDATE taken SET position = ?") \
	S(ROLLBACK, "ROLLBACK")

#define STATEMENT_NAME(name, sql) STORE_##name,
#define STATEMENT_SQL(name, sql) (sql),
enum { STORE_STATEMENTS(STATEMENT_NAME) store_statements_n };
static const char *const store_sql[] = { STORE_STATEMENTS(STATEMENT_SQL) };

struct lk_inbox_store {
	sqlite3 *db;
	sqlite3_stmt *stmt[store_statements_n];
	bool in_transaction;
	/* How far the worker has come whose notices are being put: notices of one worker come together, and their last
	 * place is the one that counts. Written before anything else of a place is, and before COMMIT. */
	char worker[65];
	int64_t last; /* 0: nothing to write */
};

int lk_inbox_store_open(const char *path, struct lk_inbox_store **out, struct lk_error *err)
{
	struct lk_inbox_store *s = calloc(1, sizeof(*s));
	int code;

	*out = NULL;
	if (s == NULL)
		return lk_fail(err, LK_EMEMORY, "out of memory");
	code = sqlfile_open(path, &store_kind, true, &s->db, err);
	if (code == 0)
		code = sqlfile_prepare(s->db, store_sql, store_statements_n, s->stmt, err);
	if (code < 0) {
		lk_inbox_store_close(s);
		return code;
	}
	*out = s;
	return 0;
}

void lk_inbox_store_close(struct lk_inbox_store *s)
{
	if (s == NULL)
		return;
	sqlfile_finalize(s->stmt, store_statements_n);
	sqlite3_close(s->db);
	free(s);
}

/* ---- Transactions -------------------------------------------------------------------------------------------------- */

bool inbox_store_in_transaction(const struct lk_inbox_store *s)
{
	return s->in_transaction;
}

int lk_inbox_store_begin(struct lk_inbox_store *s, struct lk_error *err)
{
	int code;

	if (s->in_transaction)
		return lk_fail(err, LK_ESTATE, "the inbox store is in a transaction already");
	code = sqlfile_run(s->db, "BEGIN IMMEDIATE", err);
	s->in_transaction = code == 0;
	return code;
}

static int last_write(struct lk_inbox_store *s, struct lk_error *err)
{
	int64_t last = s->last;

	if (last == 0)
		return 0;
	s->last = 0;
	sqlfile_bind(s->stmt[STORE_LAST], "iti", last, lk_text_of(s->worker), last);
	return sqlfile_exec(s->stmt[STORE_LAST], err);
}

int lk_inbox_store_commit(struct lk_inbox_store *s, struct lk_error *err)
{
	int code;

	if (!s->in_transaction)
		return lk_fail(err, LK_ESTATE, "the inbox store is in no transaction");
	code = last_write(s, err);
	if (code == 0)
		code = sqlfile_run(s->db, "COMMIT", err);
	if (code < 0)
		lk_inbox_store_rollback(s);
	s->in_transaction = false;
	return code;
}

void lk_inbox_store_rollback(struct lk_inbox_store *s)
{
	if (s->in_transaction)
		sqlfile_undo(s->stmt[STORE_ROLLBACK]);
	s->in_transaction = false;
	s->last = 0;
}

/* ---- Places -------------------------------------------------------------------------------------------------------- */

int lk_inbox_store_place(struct lk_inbox_store *s, struct lk_text worker,
			 struct lk_inbox_place *out, struct lk_error *err)
{
	sqlite3_stmt *place = s->stmt[STORE_PLACE];
	int found = last_write(s, err);

	if (found < 0)
		return found;
	sqlfile_bind(place, "t", worker);
	found = sqlfile_step(place, err);
	if (found != 1)
		return found;
	(void)snprintf(out->mailbox, sizeof(out->mailbox), "%s",
		       (const char *)sqlite3_column_text(place, 0));
	out->last = sqlite3_column_int64(place, 1);
	sqlite3_reset(place);
	return 1;
}

int lk_inbox_store_mailbox(struct lk_inbox_store *s, struct lk_text worker, struct lk_text mailbox,
			   int64_t last, struct lk_error *err)
{
	int code;

	if (!s->in_transaction)
		return lk_fail(err, LK_ESTATE, "begin a transaction first");
	code = last_write(s, err);
	if (code < 0)
		return code;
	sqlfile_bind(s->stmt[STORE_MAILBOX], "tti", worker, mailbox, last);
	return sqlfile_exec(s->stmt[STORE_MAILBOX], err);
}

/* ---- Notices ------------------------------------------------------------------------------------------------------- */

struct telling {
	struct lk_text worker, id;
	int64_t rev;
	struct lk_span body;
	bool erases; /* what was told before under this id may not be seen any more */
};

/* Reads only what a repetition is known by: a notice of a later daemon may hold more than we understand. */
static int telling_read(struct lk_text worker, struct lk_span notice, struct telling *out,
			struct lk_error *err)
{
	struct lk_text reason;

	*out = (struct telling){ .worker = worker, .body = notice };
	out->id = lk_as_text(lk_get(notice, "id"));
	if (out->id.len != LK_DIGEST_HEX - 1 || !lk_as_int(lk_get(notice, "rev"), &out->rev) ||
	    out->rev < 1)
		return lk_fail(err, LK_EWIRE, "a notice without id or rev");
	if (!lk_text_says(lk_as_text(lk_get(notice, "state")), "withdrawn"))
		return 0;
	reason = lk_as_text(lk_get(notice, "reason"));
	out->erases = lk_text_says(reason, "consent") || lk_text_says(reason, "unlinked");
	return 0;
}

static int telling_erase(struct lk_inbox_store *s, const struct telling *t, bool repeated,
			 struct lk_error *err)
{
	int code;

	sqlfile_bind(s->stmt[STORE_ERASE], "tti", t->worker, t->id, t->rev);
	code = sqlfile_exec(s->stmt[STORE_ERASE], err);
	if (code < 0 || !repeated)
		return code;
	/* The same telling again, less than before: it may be seen in this form only. */
	sqlfile_bind(s->stmt[STORE_REDUCE], "btti", (const void *)t->body.at, t->body.len,
		     t->worker, t->id, t->rev);
	return sqlfile_exec(s->stmt[STORE_REDUCE], err);
}

/* The higher of the two, where the same worker's place is noted already. */
static int last_note(struct lk_inbox_store *s, struct lk_text worker, int64_t seq,
		     struct lk_error *err)
{
	int code = 0;

	if (s->last != 0 && !lk_text_says(worker, s->worker))
		code = last_write(s, err);
	if (code < 0)
		return code;
	if (s->last == 0)
		(void)snprintf(s->worker, sizeof(s->worker), "%.*s", LK_PRINT(worker));
	if (seq > s->last)
		s->last = seq;
	return 0;
}

int lk_inbox_store_put(struct lk_inbox_store *s, struct lk_text worker, int64_t seq,
		       struct lk_span notice, struct lk_error *err)
{
	struct telling t;
	bool is_new;
	int code;

	if (!s->in_transaction)
		return lk_fail(err, LK_ESTATE, "begin a transaction first");
	code = telling_read(worker, notice, &t, err);
	if (code < 0)
		return code;
	sqlfile_bind(s->stmt[STORE_PUT], "titib", worker, seq, t.id, t.rev, (const void *)notice.at,
		     notice.len);
	code = sqlfile_exec(s->stmt[STORE_PUT], err);
	is_new = code == 0 && sqlite3_changes(s->db) > 0;
	if (code == 0 && t.erases)
		code = telling_erase(s, &t, !is_new, err);
	if (code == 0)
		code = last_note(s, worker, seq, err);
	return code < 0 ? code : (int)is_new;
}

int lk_inbox_store_find(struct lk_inbox_store *s, struct lk_text prefix, char id[LK_DIGEST_HEX],
			char worker[65], struct lk_error *err)
{
	sqlite3_stmt *find = s->stmt[STORE_FIND];
	int found, more = 0;

	sqlfile_bind(find, "t", prefix);
	found = sqlfile_step(find, err);
	if (found != 1)
		return found;
	(void)snprintf(id, LK_DIGEST_HEX, "%s", (const char *)sqlite3_column_text(find, 0));
	(void)snprintf(worker, 65, "%s", (const char *)sqlite3_column_text(find, 1));
	more = sqlfile_step(find, err);
	sqlite3_reset(find);
	if (more == 1)
		return lk_fail(err, LK_ESTATE,
			       "several notices begin with %.*s: say more of the id",
			       LK_PRINT(prefix));
	return more < 0 ? more : 1;
}

/* ---- Taking -------------------------------------------------------------------------------------------------------- */

#define TAKEN_A_TIME 256

/* Visits up to TAKEN_A_TIME; *upto is the last position that counts as taken. Returns the number of rows walked. */
static int untaken_visit(struct lk_inbox_store *s, lk_received_visitor *visit, void *context,
			 int64_t *upto, int *told, struct lk_error *err)
{
	sqlite3_stmt *rows = s->stmt[STORE_UNTAKEN];
	int n = 0, code;

	sqlfile_bind(rows, "i", (int64_t)TAKEN_A_TIME);
	while (*told == 0 && (code = sqlfile_step(rows, err)) != 0) {
		struct lk_received received;

		if (code < 0)
			return code;
		received.position = sqlite3_column_int64(rows, 0);
		received.worker = sqlfile_text(rows, 1);
		received.seq = sqlite3_column_int64(rows, 2);
		received.body = lk_span_of(sqlite3_column_blob(rows, 3),
					   (size_t)sqlite3_column_bytes(rows, 3));
		/* Erased before anybody took it: there is nothing to hand over. */
		*told = received.body.at != NULL ? visit(context, &received) : 0;
		if (*told != 0)
			break;
		*upto = received.position;
		n++;
	}
	sqlite3_reset(rows);
	return n;
}

static int taken_mark(struct lk_inbox_store *s, int64_t upto, struct lk_error *err)
{
	sqlfile_bind(s->stmt[STORE_TAKEN], "i", upto);
	return sqlfile_exec(s->stmt[STORE_TAKEN], err);
}

int lk_inbox_store_take(struct lk_inbox_store *s, lk_received_visitor *visit, void *context,
			struct lk_error *err)
{
	int total = 0, n, told = 0;

	if (s->in_transaction)
		return lk_fail(err, LK_ESTATE, "the inbox store is in a transaction");
	do {
		int64_t upto = 0;
		int code = 0;

		n = untaken_visit(s, visit, context, &upto, &told, err);
		if (n > 0)
			code = taken_mark(s, upto, err);
		if (n < 0 || code < 0)
			return n < 0 ? n : code;
		total += n;
	} while (n == TAKEN_A_TIME && told == 0);
	return told < 0 ? told : total;
}
