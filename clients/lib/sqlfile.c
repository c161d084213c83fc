/* sqlfile.c - a small SQLite file of our own, with a lock and a version.
 *
 * In: a path and what should be there. Out: a connection that nobody else can have.
 * Promise: what is committed through it is on disk, synced (WAL, synchronous=FULL); a file that is not ours, or of another
 * version's layout, is refused untouched; the file is readable by its owner only from its first byte on.
 */
#include "sqlfile.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int fault_of(int rc)
{
	static const struct {
		int rc, code;
	} faults[] = {
		{ SQLITE_IOERR_FSYNC, LK_ESYNC },   { SQLITE_IOERR_DIR_FSYNC, LK_ESYNC },
		{ SQLITE_FULL, LK_EFULL },          { SQLITE_NOMEM, LK_EMEMORY },
		{ SQLITE_IOERR_NOMEM, LK_EMEMORY }, { SQLITE_NOTADB, LK_ECONFIG },
	};

	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		if (faults[i].rc == rc)
			return faults[i].code;
	return (rc & 0xff) == SQLITE_BUSY ? LK_ESTATE : LK_ESTORE;
}

/* SQLite's last complaint, as our code and sentence. The code. */
static int sqlfile_fail(sqlite3 *db, struct lk_error *err, const char *doing)
{
	int code = fault_of(sqlite3_extended_errcode(db));
	const char *path = sqlite3_db_filename(db, "main");

	if (path == NULL || *path == '\0')
		path = "a store in memory";
	if (code == LK_ESTATE)
		return lk_fail(err, code, "%s: another process is using this file; end it first",
			       path);
	return lk_fail(err, code, "%s: %s: %s", path, doing, sqlite3_errmsg(db));
}

int sqlfile_run(sqlite3 *db, const char *sql, struct lk_error *err)
{
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		return sqlfile_fail(db, err, "cannot work with it");
	return 0;
}

static int sqlfile_number(sqlite3 *db, const char *sql, int64_t *out, struct lk_error *err)
{
	sqlite3_stmt *stmt = NULL;

	if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK ||
	    sqlite3_step(stmt) != SQLITE_ROW) {
		int code = sqlfile_fail(db, err, "cannot read it");
		sqlite3_finalize(stmt);
		return code;
	}
	*out = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	return 0;
}

/* The name of a new file must be as durable as what is in it. */
static int directory_sync(const char *path, struct lk_error *err)
{
	char *copy = strdup(path);
	int fd, failed;

	if (copy == NULL)
		return lk_fail(err, LK_EMEMORY, "out of memory");
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(copy);
	failed = fd < 0 || fsync(fd) < 0;
	if (fd >= 0)
		close(fd);
	return failed ? lk_fail(err, LK_ESYNC, "%s: cannot sync its folder: %s", path,
				strerror(errno))
		      : 0;
}

/* O_EXCL: closing a descriptor of a file that a connection of this process has open would drop SQLite's locks on it;
 * a file that was not there a moment ago has none. */
static int touch_private(const char *path, struct lk_error *err)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0 && errno == EEXIST)
		return 0;
	if (fd < 0)
		return lk_fail(err, errno == ENOSPC ? LK_EFULL : LK_ESTORE,
			       "%s: cannot make it: %s", path, strerror(errno));
	close(fd);
	return directory_sync(path, err);
}

static int schema_make(sqlite3 *db, const struct sqlfile_kind *kind, struct lk_error *err)
{
	char pragmas[96];
	int code;

	(void)snprintf(pragmas, sizeof(pragmas), "PRAGMA application_id=%d; PRAGMA user_version=%d",
		       (int)kind->application_id, (int)kind->version);
	/* EXTRA while the file is young: also the removal of a journal is synced. */
	code = sqlfile_run(db, "PRAGMA synchronous=EXTRA; BEGIN IMMEDIATE", err);
	if (code == 0)
		code = sqlfile_run(db, kind->schema, err);
	if (code == 0)
		code = sqlfile_run(db, pragmas, err);
	if (code == 0)
		code = sqlfile_run(db, "COMMIT", err);
	return code;
}

/* 1: ours; 0: nothing in it yet; negative: neither. */
static int schema_check(sqlite3 *db, const struct sqlfile_kind *kind, struct lk_error *err)
{
	int64_t id = 0, version = 0, tables = 0;
	const char *path = sqlite3_db_filename(db, "main");

	if (sqlfile_number(db, "PRAGMA application_id", &id, err) < 0 ||
	    sqlfile_number(db, "PRAGMA user_version", &version, err) < 0 ||
	    sqlfile_number(db, "SELECT count(*) FROM sqlite_schema", &tables, err) < 0)
		return fault_of(sqlite3_extended_errcode(db));
	if (id == 0 && version == 0 && tables == 0)
		return 0;
	if (id != kind->application_id)
		return lk_fail(err, LK_ECONFIG, "%s is not an %s file; name another", path,
			       kind->what);
	if (version > kind->version)
		return lk_fail(err, LK_ECONFIG,
			       "%s was made by a newer version (%lld); use that one", path,
			       (long long)version);
	return 1;
}

static int sqlfile_settle_in(sqlite3 *db, const char *path, const struct sqlfile_kind *kind,
			     bool create, struct lk_error *err)
{
	int found;

	/* The first statement that touches the file takes the lock, and EXCLUSIVE keeps it. */
	if (sqlfile_run(
		    db,
		    "PRAGMA locking_mode=EXCLUSIVE; PRAGMA foreign_keys=ON; PRAGMA trusted_schema=OFF",
		    err) < 0 ||
	    sqlfile_run(db, "BEGIN IMMEDIATE; COMMIT", err) < 0)
		return fault_of(sqlite3_extended_errcode(db));
	found = schema_check(db, kind, err);
	if (found < 0)
		return found;
	if (found == 0 && !create)
		return lk_fail(err, LK_ENOTFOUND, "%s: there is no %s in this file", path,
			       kind->what);
	if (sqlfile_run(db, "PRAGMA journal_mode=WAL", err) < 0)
		return fault_of(sqlite3_extended_errcode(db));
	if (found == 0) {
		int code = schema_make(db, kind, err);
		if (code < 0)
			return code;
	}
	return sqlfile_run(db, "PRAGMA synchronous=FULL", err);
}

/* What could not be opened has no name that SQLite knows. */
static int open_failed(sqlite3 *db, const char *path, struct lk_error *err)
{
	int code = fault_of(sqlite3_extended_errcode(db)), why = sqlite3_system_errno(db);
	struct stat st;

	if (path != NULL && stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		why = EISDIR;
	return lk_fail(err, code, "%s: cannot open it: %s",
		       path != NULL ? path : "a store in memory",
		       why != 0 ? strerror(why) : sqlite3_errmsg(db));
}

int sqlfile_open(const char *path, const struct sqlfile_kind *kind, bool create, sqlite3 **out,
		 struct lk_error *err)
{
	sqlite3 *db = NULL;
	int code = 0;

	*out = NULL;
	if (path != NULL && !create && access(path, F_OK) < 0)
		return lk_fail(err, LK_ENOTFOUND, "%s: %s", path, strerror(errno));
	if (path != NULL && create)
		code = touch_private(path, err);
	if (code < 0)
		return code;
	if (sqlite3_open_v2(path != NULL ? path : ":memory:", &db,
			    SQLITE_OPEN_READWRITE | SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_NOMUTEX,
			    NULL) != SQLITE_OK)
		code = open_failed(db, path, err);
	if (code == 0)
		code = sqlfile_settle_in(db, path, kind, create, err);
	if (code < 0) {
		sqlite3_close(db);
		return code;
	}
	*out = db;
	return 0;
}

/* What is wrong with a statement that suits other files is a table or a column that this one does not have. */
static int prepare_failed(sqlite3 *db, const struct sqlfile_kind *kind, struct lk_error *err)
{
	if (sqlite3_errcode(db) != SQLITE_ERROR)
		return sqlfile_fail(db, err, "cannot prepare a statement");
	return lk_fail(err, LK_ECONFIG, "%s: another version of this program laid out this %s; %s",
		       sqlite3_db_filename(db, "main"), kind->what, kind->instead);
}

int sqlfile_prepare(sqlite3 *db, const struct sqlfile_kind *kind, const char *const *sql, size_t n,
		    sqlite3_stmt **out, struct lk_error *err)
{
	for (size_t i = 0; i < n; i++)
		out[i] = NULL;
	for (size_t i = 0; i < n; i++) {
		if (sqlite3_prepare_v3(db, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &out[i], NULL) !=
		    SQLITE_OK) {
			int code = prepare_failed(db, kind, err);
			sqlfile_finalize(out, n);
			return code;
		}
	}
	return 0;
}

void sqlfile_finalize(sqlite3_stmt **stmt, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		sqlite3_finalize(stmt[i]);
		stmt[i] = NULL;
	}
}

/* Binding fails for want of memory only, and then the parameter is NULL, which a NOT NULL column refuses. */
void sqlfile_bind(sqlite3_stmt *stmt, const char *letters, ...)
{
	va_list values;

	va_start(values, letters);
	for (int i = 1; letters[i - 1] != '\0'; i++) {
		if (letters[i - 1] == 'i') {
			sqlite3_bind_int64(stmt, i, va_arg(values, int64_t));
		} else if (letters[i - 1] == 't') {
			struct lk_text text = va_arg(values, struct lk_text);
			sqlite3_bind_text(stmt, i, text.at, (int)text.len, SQLITE_STATIC);
		} else {
			const void *bytes = va_arg(values, const void *);
			size_t len = va_arg(values, size_t);
			sqlite3_bind_blob64(stmt, i, bytes, len, SQLITE_STATIC);
		}
	}
	va_end(values);
}

int sqlfile_step(sqlite3_stmt *stmt, struct lk_error *err)
{
	int rc = sqlite3_step(stmt);
	int code = 0;

	if (rc == SQLITE_ROW)
		return 1;
	if (rc != SQLITE_DONE)
		code = sqlfile_fail(sqlite3_db_handle(stmt), err, "cannot work with it");
	sqlite3_reset(stmt);
	return code;
}

int sqlfile_exec(sqlite3_stmt *stmt, struct lk_error *err)
{
	int code = sqlfile_step(stmt, err);

	if (code == 1)
		sqlite3_reset(stmt);
	return code < 0 ? code : 0;
}

void sqlfile_undo(sqlite3_stmt *rollback)
{
	/* After some errors SQLite has rolled back by itself; then this says so, and that is all right. */
	(void)sqlite3_step(rollback);
	(void)sqlite3_reset(rollback);
}

struct lk_text sqlfile_text(sqlite3_stmt *stmt, int column)
{
	const char *at = (const char *)sqlite3_column_text(stmt, column);

	return (struct lk_text){ at,
				 at != NULL ? (uint32_t)sqlite3_column_bytes(stmt, column) : 0 };
}
