/* backup.c - copies of linkages.db, made while it is in use; and what a store does that comes back from one.
 *
 * In: idle moments. Out: backup.db beside the store, one file that needs no log, and a row that remembers it. Promise: the
 * copy is the committed state of one instant; no step holds up a commit for longer than its bite; outboxes are told to
 * forget only what is in a copy that somebody has proved sound.
 */
#include "disk.h"
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define COPY "backup.db"
#define COPY_PART "backup.db.part"
#define PAGES_FIRST 64
#define PAGES_MAX 4096
#define BITE_NS INT64_C(10000000)
#define SYNC_EVERY 2048 /* pages: so that the last sync has little to do */

struct store_backup {
	struct store *store;
	sqlite3 *copy;
	sqlite3_backup *pages;
	int bite, unsynced;
	bool is_whole;
	char part[4096], place[4096];
};

/* ---- Copying --------------------------------------------------------------------------------- */

/* The copy is synced when it is whole, and thrown away when it does not become so. */
static int copy_open(struct store_backup *b, struct lk_error *err)
{
	int rc = file_reserve(b->part, 0600, err);

	if (rc < 0)
		return rc;
	rc = sqlite3_open_v2(b->part, &b->copy, SQLITE_OPEN_READWRITE | SQLITE_OPEN_EXRESCODE,
			     NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(b->copy,
				  "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; "
				  "PRAGMA cache_size = -1024",
				  NULL, NULL, NULL);
	if (rc != SQLITE_OK)
		return store_fault(b->store, b->copy, rc, "backup", err);
	b->pages = sqlite3_backup_init(b->copy, "main", b->store->db, "main");
	return b->pages != NULL
		       ? 0
		       : store_fault(b->store, b->copy, sqlite3_errcode(b->copy), "backup", err);
}

void store_backup_drop(const struct store *s)
{
	static const char *const copies[] = { COPY, COPY_PART };
	char path[4096];

	for (size_t i = 0; s->directory != NULL && i < sizeof(copies) / sizeof(copies[0]); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", s->directory, copies[i]);
		(void)disk_remove(path);
	}
}

int store_backup_begin(struct store *s, struct store_backup **out, struct lk_error *err)
{
	struct store_backup *b;
	int rc;

	if (s->directory == NULL)
		return lk_fail(err, LK_ESTATE, "a store in memory has nowhere to put a backup");
	b = calloc(1, sizeof(*b));
	if (b == NULL)
		return lk_fail(err, LK_EMEMORY, "no memory for a backup");
	b->store = s;
	b->bite = PAGES_FIRST;
	(void)snprintf(b->part, sizeof(b->part), "%s/" COPY_PART, s->directory);
	(void)snprintf(b->place, sizeof(b->place), "%s/" COPY, s->directory);
	store_backup_drop(s);
	if ((rc = copy_open(b, err)) < 0) {
		store_backup_end(b);
		return rc;
	}
	*out = b;
	return 0;
}

static void bite_adapt(struct store_backup *b, int64_t took_ns)
{
	if (took_ns > BITE_NS && b->bite > 1)
		b->bite /= 2;
	else if (took_ns < BITE_NS / 2 && b->bite < PAGES_MAX)
		b->bite += b->bite / 2;
}

int store_backup_step(struct store_backup *b, struct lk_error *err)
{
	int64_t begun = now_ns();
	int rc;

	if (b->unsynced >= SYNC_EVERY) {
		b->unsynced = 0;
		rc = path_sync(b->part, err);
		return rc < 0 ? rc : 1;
	}
	rc = sqlite3_backup_step(b->pages, b->bite);
	b->unsynced += b->bite;
	bite_adapt(b, now_ns() - begun);
	if (rc == SQLITE_OK || rc == SQLITE_BUSY || rc == SQLITE_LOCKED)
		return 1;
	if (rc != SQLITE_DONE)
		return store_fault(b->store, b->copy, rc, "backup", err);
	b->is_whole = true;
	return 0;
}

void store_backup_count(const struct store_backup *b, int64_t *done, int64_t *of)
{
	*of = sqlite3_backup_pagecount(b->pages);
	*done = *of - sqlite3_backup_remaining(b->pages);
}

/* One file that needs no write-ahead log, on the disk under its own name. */
static int copy_close(struct store_backup *b, struct lk_error *err)
{
	int rc = sqlite3_backup_finish(b->pages);

	b->pages = NULL;
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(b->copy, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL);
	if (rc != SQLITE_OK)
		return store_fault(b->store, b->copy, rc, "backup", err);
	(void)sqlite3_close(b->copy);
	b->copy = NULL;
	if ((rc = path_sync(b->part, err)) < 0)
		return rc;
	if (disk_rename(b->part, b->place) < 0)
		return lk_fail(err, LK_ESTORE, "the backup cannot be renamed");
	return entries_sync(b->store->directory, err);
}

static int backup_list(struct store *s, lk_instant now, struct stored_backup *out,
		       struct lk_error *err)
{
	struct query q;
	int rc;

	*out = (struct stored_backup){ .made_at = now,
				       .position = s->committed.position,
				       .verified_at = LK_NO_INSTANT };
	store_ledger_head(s, &out->head);
	q = query_begin(s, SQL_backup_add);
	bind_int(&q, now);
	bind_int(&q, out->position);
	bind_int(&q, out->head.number);
	if ((rc = query_run(&q, err)) < 0)
		return rc;
	out->number = sqlite3_last_insert_rowid(s->db);
	q = query_begin(s, SQL_backup_streams);
	bind_int(&q, out->number);
	return query_run(&q, err);
}

int store_backup_finish(struct store_backup *b, lk_instant now, struct stored_backup *out,
			struct lk_error *err)
{
	int rc;

	if (!b->is_whole)
		return lk_fail(err, LK_ESTATE, "the backup is not whole yet");
	if ((rc = copy_close(b, err)) < 0 || (rc = store_begin(b->store, err)) < 0)
		return rc;
	return store_end(b->store, backup_list(b->store, now, out, err), err);
}

void store_backup_end(struct store_backup *b)
{
	if (b == NULL)
		return;
	if (b->pages != NULL)
		(void)sqlite3_backup_finish(b->pages);
	(void)sqlite3_close(b->copy);
	(void)disk_remove(b->part); /* which is renamed where it is whole */
	free(b);
}

/* ---- The list -------------------------------------------------------------------------------- */

/* backup.db beside the store is of the newest backup: a tool that is done with an older one must not remove it. */
static void copy_drop(const struct store *s, bool is_newest)
{
	char path[4096];

	if (s->directory == NULL || !is_newest)
		return;
	(void)snprintf(path, sizeof(path), "%s/" COPY, s->directory);
	(void)disk_remove(path);
}

static int verified(struct store *s, int64_t number, struct lk_text place, lk_instant at,
		    int64_t *is_newest, struct lk_error *err)
{
	struct query q = query_begin(s, SQL_backup_verified);
	int rc;

	bind_int(&q, number);
	bind_text(&q, place);
	bind_int(&q, at);
	if ((rc = query_number(&q, is_newest, err)) < 0)
		return rc;
	if (rc == 0)
		return lk_fail(err, LK_ENOTFOUND, "there is no backup %lld", (long long)number);
	streams_forget(s);
	q = query_begin(s, SQL_backup_safe);
	bind_int(&q, number);
	return query_run(&q, err);
}

int store_backup_verified(struct store *s, int64_t number, struct lk_text place, lk_instant at,
			  struct lk_error *err)
{
	int64_t is_newest = 0;
	int rc = store_begin(s, err);

	if (rc == 0)
		rc = store_end(s, verified(s, number, place, at, &is_newest, err), err);
	if (rc == 0)
		copy_drop(s, is_newest != 0);
	return rc;
}

static int forget(struct store *s, int64_t number, int64_t *is_newest, struct lk_error *err)
{
	struct query q = query_begin(s, SQL_backup_drop_streams);
	int rc;

	bind_int(&q, number);
	if ((rc = query_run(&q, err)) < 0)
		return rc;
	q = query_begin(s, SQL_backup_drop);
	bind_int(&q, number);
	if ((rc = query_number(&q, is_newest, err)) != 0)
		return rc < 0 ? rc : 0;
	return lk_fail(err, LK_ENOTFOUND, "there is no backup %lld", (long long)number);
}

/* What is in a copy is the state of the last instant that it knows. */
int backup_note(struct store *s, struct lk_text place, lk_instant at, struct lk_error *err)
{
	struct stored_backup b;
	lk_instant made = at;
	int64_t is_newest;
	int rc = store_value_get(s, "now", &made, err);

	if (rc >= 0)
		rc = backup_list(s, made, &b, err);
	return rc < 0 ? rc : verified(s, b.number, place, at, &is_newest, err);
}

int store_backup_forget(struct store *s, int64_t number, struct lk_error *err)
{
	int64_t is_newest = 0;
	int rc = store_begin(s, err);

	if (rc == 0)
		rc = store_end(s, forget(s, number, &is_newest, err), err);
	if (rc == 0)
		copy_drop(s, is_newest != 0);
	return rc;
}

int store_backups(struct store *s, backup_visitor *visit, void *context, struct lk_error *err)
{
	struct query q = query_begin(s, SQL_backup_list);
	int rc;

	bind_int(&q, 0);
	while ((rc = query_step(&q, err)) == 1) {
		struct stored_backup b = { .number = column_int(&q) };

		b.made_at = column_int(&q);
		b.position = column_int(&q);
		b.head.number = column_int(&q);
		b.place = column_text(&q);
		b.verified_at = column_instant(&q);
		if ((rc = visit(context, &b)) != 0)
			break;
	}
	query_end(&q);
	return rc;
}

/* ---- Coming back from a copy ----------------------------------------------------------------- */

int store_renew(struct store *s, struct lk_error *err)
{
	struct query q;
	int rc;

	if (getrandom(s->identity, LK_DIGEST, 0) != LK_DIGEST)
		return lk_fail(err, LK_ESTORE, "store: the system has no randomness");
	q = query_begin(s, SQL_identity_renew);
	bind_digest(&q, s->identity);
	rc = query_run(&q, err);
	if (rc == 0)
		rc = mailboxes_rename(s, err);
	if (rc < 0)
		return rc;
	q = query_begin(s, SQL_lags_renew);
	bind_int(&q, STORE_LAG_ANY);
	return query_run(&q, err);
}
