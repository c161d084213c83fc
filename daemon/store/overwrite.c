/* overwrite.c - that nothing of what was struck out stays in a file.
 *
 * In: a store from which rows were taken away. Out: both of its files written anew, and their logs emptied. Promise: what no
 * row says any more is in no page, and in no log, either.
 */
#include "internal.h"

static int both_files(struct store *s, const char *sql, const char *what, struct lk_error *err)
{
	sqlite3 *const files[] = { s->db, s->state };

	for (size_t i = 0; i < 2; i++) {
		int rc = files[i] != NULL ? sqlite3_exec(files[i], sql, NULL, NULL, NULL)
					  : SQLITE_OK;

		if (rc != SQLITE_OK)
			return store_fault(s, files[i], rc, what, err);
	}
	return 0;
}

int store_flush(struct store *s, struct lk_error *err)
{
	sqlite3 *const files[] = { s->db, s->state };
	struct wal *const wals[] = { &s->wal, &s->state_wal };
	int rc = beside_settle(s, err);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < 2 && files[i] != NULL; i++) {
		rc = sqlite3_wal_checkpoint_v2(files[i], NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL,
					       NULL);

		if (rc == SQLITE_BUSY || rc == SQLITE_LOCKED)
			return lk_fail(err, LK_ESTATE, "a reader of state.db holds its log");
		if (rc != SQLITE_OK)
			return store_fault(s, files[i], rc, "checkpoint", err);
		wals[i]->frames = 0;
	}
	s->wal.room = s->log_room; /* what was written ahead has gone with the rest */
	return mark_sync(s, err);
}

int store_vacuum(struct store *s, struct lk_error *err)
{
	int rc = beside_settle(s, err);

	if (rc == 0)
		rc = both_files(s, "VACUUM", "vacuum", err);
	return rc < 0 ? rc : store_flush(s, err);
}
