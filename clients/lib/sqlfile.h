/* sqlfile.h - what the outbox and the inbox store share: a small SQLite file of our own, with a lock and a version.
 *
 * Internal to the library. One connection, one process, one thread.
 */
#ifndef LINKAGES_SQLFILE_H
#define LINKAGES_SQLFILE_H

#include <linkages/base.h>
#include <sqlite3.h>

struct sqlfile_kind {
	const char *what;       /* "outbox": for sentences */
	int32_t application_id; /* four letters, so that `file` and we know our own */
	int32_t version;        /* user_version that `schema` makes */
	const char *schema;
	const char *instead; /* what to do about a file that another version laid out */
};

/* Opens, or makes where `create` says so. path NULL: in memory. LK_ENOTFOUND, LK_ECONFIG (foreign, newer),
 * LK_ESTATE (held by another process), LK_ESTORE, LK_EFULL, LK_ESYNC. */
int sqlfile_open(const char *path, const struct sqlfile_kind *kind, bool create, sqlite3 **out,
		 struct lk_error *err) LK_MUST_CHECK;
/* Statements that give no rows. */
int sqlfile_run(sqlite3 *db, const char *sql, struct lk_error *err) LK_MUST_CHECK;
/* Prepares sql[0..n); those made before a failure are finalized. LK_ECONFIG: the file's tables are other ones. */
int sqlfile_prepare(sqlite3 *db, const struct sqlfile_kind *kind, const char *const *sql, size_t n,
		    sqlite3_stmt **out, struct lk_error *err) LK_MUST_CHECK;
void sqlfile_finalize(sqlite3_stmt **stmt, size_t n);

/* Binds by a word of letters, one for each parameter: i int64_t, t struct lk_text, b const void * and size_t. Bytes
 * must stay until the statement is reset. */
void sqlfile_bind(sqlite3_stmt *stmt, const char *letters, ...);
/* 1: a row; 0: done, and reset; negative: failed, and reset. */
int sqlfile_step(sqlite3_stmt *stmt, struct lk_error *err) LK_MUST_CHECK;
/* Steps a statement that gives no rows, and resets it. */
int sqlfile_exec(sqlite3_stmt *stmt, struct lk_error *err) LK_MUST_CHECK;
/* Takes the open transaction back: a statement that was prepared with all others, for when memory has run out none can be. */
void sqlfile_undo(sqlite3_stmt *rollback);
struct lk_text sqlfile_text(sqlite3_stmt *stmt, int column); /* borrowed until the next step */

#endif
