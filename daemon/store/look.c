/* look.c - a look into state.db from beside the daemon, as any reader of the state store has it.
 *
 * In: the state directory. Out: names. Promise: nothing is written, nothing is waited for long; a store that is not there
 * has nobody in it.
 */
#include "disk.h"
#include "internal.h"

#include <errno.h>
#include <stdio.h>

#define PATIENCE_MS 2000

static const char supervisors_sql[] =
	"SELECT DISTINCT worker FROM assignment WHERE role = 'supervisor' AND until_at IS NULL ORDER BY worker";

static int look(sqlite3 *db, int (*visit)(void *context, struct lk_text worker), void *context)
{
	sqlite3_stmt *statement = NULL;
	int rc = sqlite3_prepare_v2(db, supervisors_sql, -1, &statement, NULL);

	while (rc == SQLITE_OK || rc == SQLITE_ROW) {
		rc = sqlite3_step(statement);
		if (rc != SQLITE_ROW)
			break;
		const char *name = (const char *)sqlite3_column_text(statement, 0);
		if (name != NULL && visit(context, lk_text_of(name)) != 0)
			break;
	}
	(void)sqlite3_finalize(statement);
	return rc == SQLITE_DONE || rc == SQLITE_ROW ? SQLITE_OK : rc;
}

int store_supervisors(const char *directory, int (*visit)(void *context, struct lk_text worker),
		      void *context, struct lk_error *err)
{
	char path[4096];
	struct disk_file found;
	sqlite3 *db = NULL;
	int rc;

	(void)snprintf(path, sizeof(path), "%s/state.db", directory);
	if (disk_look(path, &found) == -ENOENT)
		return 0;
	rc = sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_busy_timeout(db, PATIENCE_MS);
	if (rc == SQLITE_OK)
		rc = look(db, visit, context);
	(void)sqlite3_close(db);
	return rc == SQLITE_OK ? 0
			       : lk_fail(err, LK_ESTORE, "%s: cannot be read: %s", path,
					 sqlite3_errstr(rc));
}
