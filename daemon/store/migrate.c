/* migrate.c - the files of the store: made whole or not at all, brought from version to version,
 * refused by name.
 *
 * In: a directory, and what kind of file is meant. Out: an open connection to a file of the
 * present version. Promise: a file appears under its name only when it is complete and synced;
 * what is newer, foreign, damaged, empty or held by somebody else is refused with a sentence
 * that says so, and is not touched.
 */
#include "disk.h"
#include "internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* One thread: no connection needs a lock of its own. */
#define OPEN_ALWAYS (SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_NOMUTEX)

#define PIECE(name, sql) sql,
static const char *const linkages_1[] = { SQL_LINKAGES_1(PIECE) NULL };
static const char *const linkages_2[] = { SQL_LINKAGES_2(PIECE) NULL };
static const char *const state_1[] = { SQL_STATE(PIECE) NULL };

/* Appended to, never changed: [n] makes version n + 1 of version n. */
static const char *const *const linkages_versions[] = { linkages_1, linkages_2 };
/* state.db is made anew rather than migrated: when state.sql changes, a step that does nothing
 * is put before it. */
static const char *const nothing[] = { NULL };
static const char *const *const state_versions[] = { nothing, nothing, nothing, nothing, state_1 };

const struct file_kind linkages_file = {
	.name = "linkages.db",
	.application_id = 0x4c4b4442, /* 'LKDB' */
	.mode = 0600,
	.locking = "EXCLUSIVE",
	.cache_kib = 32 * 1024,
	.synchronous = "FULL",
	.version = linkages_versions,
	.versions = sizeof(linkages_versions) / sizeof(linkages_versions[0]),
};

const struct file_kind state_file = {
	.name = "state.db",
	.application_id = 0x4c4b5354, /* 'LKST' */
	.mode = 0640,
	.locking = "NORMAL", /* others read it */
	.cache_kib = 8 * 1024,
	/* A power cut may take its last fillings, which linkages.db remembers: then it is made anew. */
	.synchronous = "NORMAL",
	.remade = true,
	.version = state_versions,
	.versions = sizeof(state_versions) / sizeof(state_versions[0]),
};

struct path {
	char at[4096];
};

static int path_of(const struct store *s, const struct file_kind *kind, const char *suffix,
		   struct path *path, struct lk_error *err)
{
	int n = snprintf(path->at, sizeof(path->at), "%s/%s%s", s->directory, kind->name, suffix);

	if (n < 0 || (size_t)n >= sizeof(path->at))
		return lk_fail(err, LK_ESTORE, "store: the path of the directory is too long");
	return 0;
}

/* ---- Asking SQLite --------------------------------------------------------------------------- */

static int pragma_number(sqlite3 *db, const char *sql, int64_t *out)
{
	sqlite3_stmt *statement;
	int rc = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);

	if (rc != SQLITE_OK)
		return rc;
	rc = sqlite3_step(statement);
	if (rc == SQLITE_ROW)
		*out = sqlite3_column_int64(statement, 0);
	(void)sqlite3_finalize(statement);
	return rc == SQLITE_ROW ? SQLITE_OK : rc;
}

static int pragma_set(sqlite3 *db, const char *name, int64_t value)
{
	char sql[80];

	(void)snprintf(sql, sizeof(sql), "PRAGMA %s = %lld", name, (long long)value);
	return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

/* What keeps a file from being used, said by name. */
static int file_refused(struct store *s, const struct file_kind *kind, sqlite3 *db, int rc,
			struct lk_error *err)
{
	switch (rc & 0xff) {
	case SQLITE_NOTADB:
		return lk_fail(err, LK_ESTORE, "%s is foreign: it is no SQLite database; %s",
			       kind->name,
			       kind->remade ? "move it away, and it is made anew"
					    : "put the right one back, or restore a backup");
	case SQLITE_CORRUPT:
		if (kind->remade)
			return 1;
		return lk_fail(err, LK_ESTORE, "%s is damaged (%s): restore a backup", kind->name,
			       sqlite3_errmsg(db));
	case SQLITE_BUSY:
		return lk_fail(err, LK_ESTATE, "%s is held by another process", kind->name);
	case SQLITE_READONLY:
	case SQLITE_CANTOPEN:
		return lk_fail(err, LK_ESTORE, "%s cannot be opened: %s", kind->name,
			       sqlite3_system_errno(db) != 0
				       ? strerror(sqlite3_system_errno(db))
				       : "it, or the folder that it is in, cannot be written");
	}
	return store_fault(s, db, rc, kind->name, err);
}

/* ---- Versions -------------------------------------------------------------------------------- */

static int version_make(sqlite3 *db, const struct file_kind *kind, int version)
{
	const char *const *piece = kind->version[version];
	int rc = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);

	for (; rc == SQLITE_OK && *piece != NULL; piece++)
		rc = sqlite3_exec(db, *piece, NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = pragma_set(db, "application_id", kind->application_id);
	if (rc == SQLITE_OK)
		rc = pragma_set(db, "user_version", version + 1);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
	return rc;
}

/* EXTRA: while a file is being made, the removal of its rollback journal is synced too. */
static int versions_make(sqlite3 *db, const struct file_kind *kind, int from)
{
	int rc = sqlite3_exec(db, "PRAGMA synchronous = EXTRA", NULL, NULL, NULL);

	for (int version = from; rc == SQLITE_OK && version < kind->versions; version++)
		rc = version_make(db, kind, version);
	return rc;
}

static int version_check(struct store *s, sqlite3 *db, const struct file_kind *kind, int *version,
			 struct lk_error *err)
{
	int64_t application_id = 0, user_version = 0;
	int rc = pragma_number(db, "PRAGMA application_id", &application_id);

	if (rc == SQLITE_OK)
		rc = pragma_number(db, "PRAGMA user_version", &user_version);
	if (rc != SQLITE_OK)
		return file_refused(s, kind, db, rc, err);
	if (application_id != kind->application_id)
		return lk_fail(err, LK_ESTORE,
			       "%s is foreign: its application id is %08llx, not %08x", kind->name,
			       (unsigned long long)application_id, (unsigned)kind->application_id);
	if (user_version != kind->versions && kind->remade)
		return 1;
	if (user_version > kind->versions)
		return lk_fail(err, LK_ESTORE,
			       "%s is newer: it has version %lld, this program knows %d",
			       kind->name, (long long)user_version, kind->versions);
	if (user_version < kind->versions && s->read_only)
		return lk_fail(err, LK_ESTORE,
			       "%s is older: it has version %lld; start the daemon once",
			       kind->name, (long long)user_version);
	*version = (int)user_version;
	return 0;
}

/* ---- Making a file --------------------------------------------------------------------------- */

/* What a step outside of SQLite came to. A sync that failed is told apart from all else. */
static int step_failed(struct lk_error *err, const char *what, int rc)
{
	return lk_fail(err, rc == -ENOSPC ? LK_EFULL : LK_ESTORE, "store: cannot %s: %s", what,
		       strerror(-rc));
}

static int sync_failed(struct lk_error *err, int rc)
{
	return lk_fail(err, LK_ESYNC, "store: cannot sync: %s", strerror(-rc));
}

int path_sync(const char *path, struct lk_error *err)
{
	int rc = disk_sync(path);

	return rc < 0 ? sync_failed(err, rc) : 0;
}

int entries_sync(const char *directory, struct lk_error *err)
{
	int rc = disk_sync_entries(directory);

	return rc < 0 ? sync_failed(err, rc) : 0;
}

/* With the right mode, so that SQLite never makes one with another. */
int file_reserve(const char *path, unsigned mode, struct lk_error *err)
{
	int rc = disk_remove(path); /* left over from a start that was cut short */

	if (rc == 0)
		rc = disk_create(path, mode);
	return rc < 0 ? step_failed(err, "create a file", rc) : 0;
}

static int file_fill(struct store *s, const struct file_kind *kind, const char *path,
		     struct lk_error *err)
{
	sqlite3 *db = NULL;
	int rc = sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_EXRESCODE, NULL);

	if (rc == SQLITE_OK)
		rc = versions_make(db, kind, 0);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(db, "PRAGMA journal_mode = WAL", NULL, NULL, NULL);
	rc = rc != SQLITE_OK ? file_refused(s, kind, db, rc, err) : 0;
	(void)sqlite3_close(db);
	return rc;
}

/* Under another name until it is whole: a start that is cut short leaves nothing that looks like
 * a store. */
static int file_create(struct store *s, const struct file_kind *kind, const struct path *path,
		       struct lk_error *err)
{
	struct path fresh;
	int rc = path_of(s, kind, ".new", &fresh, err);

	if (rc == 0)
		rc = file_reserve(fresh.at, kind->mode, err);
	if (rc == 0)
		rc = file_fill(s, kind, fresh.at, err);
	if (rc < 0)
		return rc;
	if ((rc = path_sync(fresh.at, err)) < 0)
		return rc;
	if ((rc = disk_rename(fresh.at, path->at)) < 0)
		return step_failed(err, "rename a file", rc);
	return entries_sync(s->directory, err);
}

/* Whoever starts the daemon as somebody else by mistake would leave files that it cannot open
 * afterwards. 1: there is nothing in it that is missed. */
static int file_suits(const struct store *s, const struct file_kind *kind,
		      const struct disk_file *found, struct lk_error *err)
{
	if (!s->read_only && found->owner != geteuid())
		return lk_fail(err, LK_ESTORE, "%s belongs to user %u, and this is user %u",
			       kind->name, (unsigned)found->owner, (unsigned)geteuid());
	if (found->bytes == 0 && !kind->remade)
		return lk_fail(err, LK_ESTORE, "%s is empty: restore a backup", kind->name);
	return found->bytes == 0;
}

/* There is a file under the name afterwards, which may be SQLite's. It is never opened here by
 * other means than SQLite's: closing would give up the locks that this process may hold on it. */
static int file_find(struct store *s, const struct file_kind *kind, const struct path *path,
		     struct lk_error *err)
{
	struct path wal;
	struct disk_file found;
	int rc = path_of(s, kind, "-wal", &wal, err);

	if (rc < 0)
		return rc;
	rc = disk_look(path->at, &found);
	if (rc == 0)
		return file_suits(s, kind, &found, err);
	if (rc != -ENOENT)
		return lk_fail(err, LK_ESTORE, "%s cannot be reached: %s", kind->name,
			       strerror(-rc));
	if (s->read_only)
		return lk_fail(err, LK_ENOTFOUND, "%s is not there", kind->name);
	if (disk_look(wal.at, &found) == 0) {
		if (!kind->remade)
			return lk_fail(
				err, LK_ESTORE,
				"%s is missing, its write-ahead log is there: put it back, or "
				"restore a backup",
				kind->name);
		if ((rc = file_remove(s, kind, err)) < 0)
			return rc;
	}
	return file_create(s, kind, path, err);
}

/* ---- Opening --------------------------------------------------------------------------------- */

static int file_settings(sqlite3 *db, const char *locking, int cache_kib)
{
	static const char *const settings[] = {
		"PRAGMA mmap_size = 0",        /* a bad block is an error to handle, not a signal */
		"PRAGMA cell_size_check = ON", /* damage is noticed at its page */
		"PRAGMA secure_delete = ON",   /* what goes is not left lying in its page */
		"PRAGMA trusted_schema = OFF",   "PRAGMA temp_store = MEMORY",
		"PRAGMA wal_autocheckpoint = 0", "PRAGMA journal_size_limit = 67108864",
	};
	char own[96];
	int rc = SQLITE_OK;

	(void)snprintf(own, sizeof(own), "PRAGMA locking_mode = %s; PRAGMA cache_size = -%d",
		       locking, cache_kib);
	for (size_t i = 0; rc == SQLITE_OK && i < sizeof(settings) / sizeof(settings[0]); i++)
		rc = sqlite3_exec(db, settings[i], NULL, NULL, NULL);
	return rc == SQLITE_OK ? sqlite3_exec(db, own, NULL, NULL, NULL) : rc;
}

/* From here on it is ours: under EXCLUSIVE the first transaction takes the lock and keeps it. */
static int file_take(struct store *s, const struct file_kind *kind, sqlite3 *db,
		     struct lk_error *err)
{
	char own[80];
	int version = 0, rc;

	if ((rc = version_check(s, db, kind, &version, err)) != 0 || s->read_only)
		return rc;
	if (version < kind->versions)
		rc = versions_make(db, kind, version);
	(void)snprintf(own, sizeof(own), "PRAGMA synchronous = %s; BEGIN IMMEDIATE; COMMIT",
		       kind->synchronous);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(db, own, NULL, NULL, NULL);
	return rc == SQLITE_OK ? 0 : file_refused(s, kind, db, rc, err);
}

int file_keep_log(struct store *s, sqlite3 *db, const char *what, struct lk_error *err)
{
	int rc = sqlite3_exec(db, "PRAGMA journal_mode = WAL", NULL, NULL, NULL);

	return rc == SQLITE_OK ? 0 : store_fault(s, db, rc, what, err);
}

int file_remove(struct store *s, const struct file_kind *kind, struct lk_error *err)
{
	static const char *const suffix[] = { "-wal", "-shm", "" };
	struct path path;
	int rc;

	for (size_t i = 0; i < sizeof(suffix) / sizeof(suffix[0]); i++) {
		if ((rc = path_of(s, kind, suffix[i], &path, err)) < 0)
			return rc;
		if ((rc = disk_remove(path.at)) < 0)
			return step_failed(err, "remove a file", rc);
	}
	return entries_sync(s->directory, err);
}

static int file_in_memory(struct store *s, const struct file_kind *kind, sqlite3 **db,
			  struct lk_error *err)
{
	int rc = sqlite3_open_v2(":memory:", db, SQLITE_OPEN_READWRITE | OPEN_ALWAYS, NULL);

	if (rc == SQLITE_OK)
		rc = versions_make(*db, kind, 0);
	return rc == SQLITE_OK ? 0 : file_refused(s, kind, *db, rc, err);
}

/* All that a schema says, in one text. NULL: it cannot be read, or there is no memory. */
static char *schema_text(sqlite3 *db)
{
	static const char *const sql =
		"SELECT group_concat(type || name || tbl_name || coalesce(sql, ''), char(10)) "
		"FROM (SELECT * FROM sqlite_schema ORDER BY name)";
	sqlite3_stmt *statement = NULL;
	int rc = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
	const unsigned char *text = rc == SQLITE_OK && sqlite3_step(statement) == SQLITE_ROW
					    ? sqlite3_column_text(statement, 0)
					    : NULL;
	char *copy = text != NULL ? strdup((const char *)text) : NULL;

	(void)sqlite3_finalize(statement);
	return copy;
}

/* A damage may leave a schema that can be read, but is another one. 0; 1: it is to be made anew. */
static int schema_check(struct store *s, const struct file_kind *kind, sqlite3 *db,
			struct lk_error *err)
{
	sqlite3 *made = NULL;
	int rc = file_in_memory(s, kind, &made, err);
	char *is = schema_text(db), *should = rc == 0 ? schema_text(made) : NULL;

	if (rc == 0 && should == NULL)
		rc = lk_fail(err, LK_EMEMORY, "store: no memory");
	if (rc == 0)
		rc = is == NULL || strcmp(is, should) != 0;
	free(is);
	free(should);
	(void)sqlite3_close(made);
	return rc;
}

/* A copy, where it is and as it is called. */
static int file_alone(struct store *s, const struct file_kind *kind, sqlite3 **db,
		      struct lk_error *err)
{
	struct disk_file found;
	int rc = disk_look(s->file, &found);

	if (rc < 0)
		return lk_fail(err, LK_ENOTFOUND, "%s cannot be read: %s", s->file, strerror(-rc));
	rc = sqlite3_open_v2(s->file, db, SQLITE_OPEN_READONLY | SQLITE_OPEN_EXRESCODE, NULL);
	return rc == SQLITE_OK ? file_take(s, kind, *db, err) : file_refused(s, kind, *db, rc, err);
}

/* A database that shares itself among our connections is locked against others by that; else by the connection. */
static int file_connect(struct store *s, const struct file_kind *kind, const char *path,
			sqlite3 **db, struct lk_error *err)
{
	bool is_shared = s->has_beside && kind == &linkages_file;
	int flags = s->read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
	int rc;

	if (is_shared && (s->share = share_create()) == NULL)
		return lk_fail(err, LK_EMEMORY, "store: no memory");
	rc = sqlite3_open_v2(path, db, flags | OPEN_ALWAYS,
			     is_shared ? share_name(s->share) : NULL);
	if (rc == SQLITE_OK && !s->read_only && sqlite3_db_readonly(*db, "main") == 1)
		return lk_fail(err, LK_ESTORE,
			       "%s cannot be written: it is read-only, or its file system is",
			       kind->name);
	if (rc == SQLITE_OK && !s->read_only)
		rc = file_settings(*db, is_shared ? "NORMAL" : kind->locking, kind->cache_kib);
	if (rc != SQLITE_OK)
		return file_refused(s, kind, *db, rc, err);
	rc = file_take(s, kind, *db, err);
	return rc == 0 && kind->remade ? schema_check(s, kind, *db, err) : rc;
}

int file_open(struct store *s, const struct file_kind *kind, sqlite3 **db, struct lk_error *err)
{
	struct path path;
	int rc;

	if (s->file != NULL)
		return file_alone(s, kind, db, err);
	if (s->directory == NULL)
		return file_in_memory(s, kind, db, err);
	if ((rc = path_of(s, kind, "", &path, err)) < 0 ||
	    (rc = file_find(s, kind, &path, err)) != 0)
		return rc;
	return file_connect(s, kind, path.at, db, err);
}
