/* rebuild.c - a store that cannot be trusted as it is: remembered as such, made anew at the next
 * start, and the old one never served again.
 *
 * In: a sync that failed, a row or page that is not what was written, a database behind its mark.
 * Out: linkages.suspect beside the database; at the next start a copy of all that can be read,
 * synced and checked before it takes the database's place. Promise: at every instant there is the
 * old file or the whole new one; what the new one may lack, publishers are asked for again, and
 * mailboxes have new names, so that clients see what was there before.
 *
 * Why a failed sync asks for this: the kernel may have marked the pages clean that it could not
 * write. A later sync of the same file succeeds without them, so nothing that is written after
 * them is safe either. Reading everything and writing it to another file is the one way out that
 * does not rest on what the kernel believes. The mark needs to last no longer than the kernel's
 * belief does: a power cut ends both, and leaves a log that recovers by itself.
 *
 * The steps, each of which a power cut may end: copy, mend, sync, check; rename to
 * linkages.db.rebuilt, which is the point of no return; the old log and file away (a damaged one
 * is kept as linkages.db.damaged); the new one into its place; the mark away.
 */
#include "disk.h"
#include "internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SUSPECT "linkages.suspect"
#define READY "linkages.db.rebuilt"
#define KEPT "linkages.db.damaged"

/* The copy, while it is made. Only one process can be at it: whoever holds linkages.db. */
#define COPY "linkages.db.rebuild"

struct place place_in(const char *directory, const char *name)
{
	struct place place;

	(void)snprintf(place.at, sizeof(place.at), "%s/%s", directory, name);
	return place;
}

static struct place place_of(const struct store *s, const char *name)
{
	return place_in(s->directory, name);
}

static int failed(struct lk_error *err, const char *what, int rc)
{
	return lk_fail(err, rc == -ENOSPC ? LK_EFULL : LK_ESTORE, "rebuild: %s: %s", what,
		       strerror(-rc));
}

/* ---- Doubt ----------------------------------------------------------------------------------- */

static const char *const doubts[] = { [DOUBT_SYNC] = "sync", [DOUBT_DAMAGE] = "damage" };

/* As far as the disk lets us. */
void store_doubt(struct store *s, enum doubt doubt, const char *why)
{
	char text[sizeof(s->rebuilt.why)];
	struct place place;

	if (s->suspect || s->is_checked || (doubt == DOUBT_DAMAGE && s->directory == NULL) ||
	    s->read_only)
		return;
	s->suspect = true;
	if (s->directory == NULL || s->is_draft)
		return;
	(void)snprintf(text, sizeof(text), "%s: %s\n", doubts[doubt], why);
	place = place_of(s, SUSPECT);
	(void)disk_create(place.at, 0600);
	(void)disk_write(place.at, 0, text, strlen(text));
	(void)disk_sync(place.at);
	(void)disk_sync_entries(s->directory);
}

void store_distrust(struct store *s, const char *what)
{
	store_doubt(s, DOUBT_DAMAGE, what);
}

/* The first line of the mark: 1, or 0 where there is none. */
static int doubt_read(const struct store *s, char *why, size_t room)
{
	struct place place = place_of(s, SUSPECT);
	int n = disk_read(place.at, 0, why, room - 1);

	if (n == -ENOENT)
		return 0;
	why[n > 0 ? n : 0] = '\0';
	why[strcspn(why, "\n")] = '\0';
	if (why[0] == '\0')
		(void)snprintf(why, room, "damage: a mark that says nothing");
	return 1;
}

int rebuild_is_due(struct store *s, struct lk_error *err)
{
	int rc = 0;

	if (s->directory == NULL || s->read_only)
		return 0;
	if (!s->suspect && (rc = check_names(s, err)) < 0)
		return rc;
	if (rc == 1)
		store_doubt(s, DOUBT_DAMAGE, "a worker, a source or a name told apart is gone");
	if (s->mark.found.state == MARK_BEHIND)
		store_doubt(s, DOUBT_DAMAGE, "the database is behind its mark");
	if (s->recent[RECENT_CASES].gone != 0)
		store_doubt(s, DOUBT_DAMAGE, "an event is gone from the log");
	if (s->recent[RECENT_PLACES].gone != 0)
		store_doubt(s, DOUBT_DAMAGE, "a notice is out of place");
	return doubt_read(s, s->rebuilt.why, sizeof(s->rebuilt.why)) == 1;
}

/* ---- The copy -------------------------------------------------------------------------------- */

static int beyond_rebuild(const char *why, struct lk_error *err)
{
	return lk_fail(err, LK_ESTORE,
		       "linkages.db is damaged beyond a rebuild (%.150s): restore a backup", why);
}

/* All tables, row by row, and their indexes as they are. */
static int copy_fill(struct store *s, const char *path, struct lk_error *err)
{
	sqlite3_stmt *statement = NULL;
	int rc = file_reserve(path, linkages_file.mode, err);

	if (rc < 0)
		return rc;
	rc = sqlite3_prepare_v2(s->db, "VACUUM INTO ?1", -1, &statement, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_text(statement, 1, path, -1, SQLITE_STATIC);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(statement);
	(void)sqlite3_finalize(statement);
	if (rc == SQLITE_DONE || rc == SQLITE_OK)
		return 0;
	if ((rc & 0xff) == SQLITE_CORRUPT || (rc & 0xff) == SQLITE_NOTADB)
		return beyond_rebuild(sqlite3_errmsg(s->db), err);
	return store_fault(s, s->db, rc, "rebuild", err);
}

static int copy_open(const struct store *s, struct store **out, struct lk_error *err)
{
	static struct file_kind kind;
	const struct store_options options = { .directory = s->directory };
	int rc = store_make(&options, out, err);

	if (rc < 0)
		return rc;
	(*out)->is_draft = true;
	kind = linkages_file;
	kind.name = COPY;
	return store_load(*out, &kind, err);
}

/* Mended, and looked at as a whole. */
static int copy_check(struct store *s, struct store *copy, struct lk_error *err)
{
	int rc = mend(copy, &s->mark.found, &s->rebuilt, err);

	if (rc == 0)
		rc = store_integrity(copy, NULL, NULL, err);
	if (rc == 0)
		rc = file_keep_log(copy, copy->db, "rebuild", err);
	if (rc == 0 && copy->suspect)
		rc = lk_fail(err, LK_ESYNC, "rebuild: the copy cannot be trusted either");
	return rc;
}

static void copy_clear(const struct store *s)
{
	static const char *const left[] = { COPY, COPY "-journal", COPY "-wal" };

	for (size_t i = 0; i < sizeof(left) / sizeof(left[0]); i++) {
		struct place place = place_of(s, left[i]);

		(void)disk_remove(place.at); /* it is in nobody's way but the next copy's */
	}
}

static int copy_keep(struct store *s, const char *path, struct lk_error *err)
{
	struct place ready = place_of(s, READY);
	int rc = path_sync(path, err);

	if (rc < 0)
		return rc;
	if ((rc = disk_rename(path, ready.at)) < 0)
		return failed(err, "the new database cannot be renamed", rc);
	return entries_sync(s->directory, err);
}

/* From the tables. Of these, tokens are all index: they need not be believed. */
static int indexes_make(struct store *copy, struct lk_error *err)
{
	int rc = sqlite3_exec(copy->db, "REINDEX", NULL, NULL, NULL);

	if ((rc & 0xff) == SQLITE_CONSTRAINT) {
		if (mend_tokens(copy, err) < 0)
			return LK_ESTORE;
		rc = sqlite3_exec(copy->db, "REINDEX", NULL, NULL, NULL);
	}
	return rc == SQLITE_OK ? 0 : store_fault(copy, copy->db, rc, "rebuild: indexes", err);
}

/* An entry whose length is another one says what it said to SQLite's check of the copy, but leads elsewhere. The scrub finds that
 * where rows are many, but of the ledger; these are few. */
static int small_indexes_make(struct store *copy, struct lk_error *err)
{
	static const char sql[] = "REINDEX source; REINDEX stream; REINDEX policy;"
				  "REINDEX dead_letter; REINDEX calendar; REINDEX dirty";
	int rc = sqlite3_exec(copy->db, sql, NULL, NULL, NULL);

	return rc == SQLITE_OK ? 0 : store_fault(copy, copy->db, rc, "rebuild: indexes", err);
}

/* What is wrong with the copy is what it says, not that the disk did not take it or give it back. */
static bool is_damaged(const struct store *copy, int rc)
{
	int code = copy != NULL && copy->db != NULL ? sqlite3_errcode(copy->db) & 0xff
						    : SQLITE_CANTOPEN;

	return rc == LK_ESTORE && code != SQLITE_IOERR && code != SQLITE_CANTOPEN;
}

static int copy_make(struct store *s, const char *path, bool has_indexes, bool *damaged,
		     struct lk_error *err)
{
	struct store *copy = NULL;
	int rc;

	copy_clear(s);
	rc = copy_fill(s, path, err);
	if (rc == 0)
		rc = path_sync(path, err);
	if (rc == 0)
		rc = copy_open(s, &copy, err);
	if (rc == 0)
		rc = has_indexes ? small_indexes_make(copy, err) : indexes_make(copy, err);
	if (rc == 0)
		rc = copy_check(s, copy, err);
	*damaged = is_damaged(copy, rc);
	store_close(copy);
	return rc;
}

/* Where it does not come out sound, an index may be what is damaged: those say nothing that the tables do not. They are made
 * anew only then, for they are sorted in memory. Where that is no help either, a record of a table makes no sense, and the
 * next start would come no further. */
int rebuild_make(struct store *s, struct lk_error *err)
{
	struct place path = place_of(s, COPY);
	struct lk_error why = { 0 };
	bool damaged;
	int rc = copy_make(s, path.at, true, &damaged, &why);

	if (damaged)
		rc = copy_make(s, path.at, false, &damaged, &why);
	if (damaged)
		return beyond_rebuild(why.text, err);
	return rc == 0 ? copy_keep(s, path.at, err)
		       : lk_fail(err, (enum lk_fault)rc, "%s", why.text);
}

/* ---- Changing places ------------------------------------------------------------------------- */

static int step(int rc)
{
	return rc == -ENOENT ? 0 : rc; /* it was taken before a power cut */
}

/* The log first: it must never be found beside the new file. */
static int old_away(const struct store *s, bool is_kept)
{
	struct place db = place_of(s, "linkages.db"), wal = place_of(s, "linkages.db-wal");
	struct place kept = place_of(s, KEPT), kept_wal = place_of(s, KEPT "-wal");
	struct place mark = place_of(s, "linkages.mark");
	int rc;

	if (!is_kept)
		return disk_remove(wal.at);
	rc = step(disk_rename(wal.at, kept_wal.at));
	if (rc == 0)
		rc = step(disk_rename(db.at, kept.at));
	return rc == 0 ? disk_remove(mark.at) : rc;
}

int rebuild_finish(struct store *s, struct lk_error *err)
{
	struct place ready = place_of(s, READY), db = place_of(s, "linkages.db");
	struct place suspect = place_of(s, SUSPECT);
	struct disk_file found;
	char why[64];
	int rc;

	if (disk_look(ready.at, &found) < 0)
		return 0;
	bool is_kept = doubt_read(s, why, sizeof(why)) == 0 || strncmp(why, "sync", 4) != 0;
	rc = old_away(s, is_kept);
	if (rc < 0)
		return failed(err, "the old database cannot be put away", rc);
	if ((rc = entries_sync(s->directory, err)) < 0)
		return rc;
	if ((rc = disk_rename(ready.at, db.at)) < 0)
		return failed(err, "the new database cannot take its place", rc);
	if ((rc = entries_sync(s->directory, err)) < 0)
		return rc;
	if ((rc = disk_remove(suspect.at)) < 0)
		return failed(err, "the mark cannot be taken away", rc);
	(void)snprintf(s->rebuilt.kept, sizeof(s->rebuilt.kept), "%s", is_kept ? KEPT : "");
	return entries_sync(s->directory, err);
}

void store_rebuild_found(const struct store *s, struct store_rebuild *out)
{
	*out = s->rebuilt;
}
