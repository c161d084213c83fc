/* restore.c - a store put back from a copy.
 *
 * In: a copy that was proved sound, and the directory of a store that nobody holds. Out: the store as the copy has it, and
 * the old files beside it under another name. Promise: at every instant there is either the old store or the restored one;
 * the restored one knows that it is restored, and so will its clients.
 *
 * The steps, each of which a power cut may end: copy, sync, renew; a second name for the old files; rename to
 * linkages.db.restored, which is the point of no return; the old log and marks away; the restored file into its place. From
 * the point of no return on, whoever opens the store takes the rest of the steps first.
 */
#include "disk.h"
#include "internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PART_BYTES (1u << 20)
#define COPY "linkages.db.restore" /* while it is made ready */
#define READY "linkages.db.restored"

struct restoring {
	const struct store_restore *order;
	struct place copy;
	int64_t done, of;
	int64_t number; /* in the names of the old files: the second, or the next that is free */
};

static int failed(struct lk_error *err, const char *what, int rc)
{
	return lk_fail(err, rc == -ENOSPC ? LK_EFULL : LK_ESTORE, "%s: %s", what, strerror(-rc));
}

/* ---- Making the copy ready ------------------------------------------------------------------- */

static int copy_bytes(struct restoring *r, struct lk_error *err)
{
	static uint8_t bytes[PART_BYTES];
	int n, rc;

	while ((n = disk_read(r->order->file, r->done, bytes, sizeof(bytes))) > 0) {
		if ((rc = disk_write(r->copy.at, r->done, bytes, (size_t)n)) < 0)
			return failed(err, "the copy cannot be written", rc);
		r->done += n;
		if (r->order->tick != NULL)
			r->order->tick(r->order->context, r->done, r->of);
	}
	return n < 0 ? failed(err, "the copy cannot be read", n) : path_sync(r->copy.at, err);
}

static int copy_in(struct restoring *r, struct lk_error *err)
{
	struct disk_file found;
	int rc = disk_look(r->order->file, &found);

	if (rc < 0)
		return failed(err, "the copy cannot be opened", rc);
	r->of = found.bytes;
	rc = file_reserve(r->copy.at, linkages_file.mode, err);
	return rc < 0 ? rc : copy_bytes(r, err);
}

/* The ledger tells where its chain was cut, and what it was before, as far as that is known. */
static int tell_ledger(struct restoring *r, struct store *s, const struct ledger_head *before,
		       struct lk_error *err)
{
	char basis[400], chain[LK_DIGEST_HEX];
	struct ledger_row row = { .at = r->order->at, .worker = LK_TEXT("restore") };

	lk_digest_hex(before->chain, chain);
	(void)snprintf(basis, sizeof(basis), "restored from a backup; the head before: %lld:%s",
		       (long long)before->number, chain);
	row.basis = lk_text_of(basis);
	return store_ledger_add(s, &row, err);
}

/* Another store than the one it was copied from; and a log again, which a copy has none of. */
static int renew(struct restoring *r, struct store *s, const struct ledger_head *before,
		 struct lk_error *err)
{
	int rc = store_begin(s, err);

	if (rc == 0)
		rc = store_renew(s, err);
	if (rc == 0)
		rc = backup_note(s, lk_text_of(r->order->file), r->order->at, err);
	if (rc == 0)
		rc = tell_ledger(r, s, before, err);
	if (rc == 0)
		rc = store_commit(s, err);
	return rc == 0 ? file_keep_log(s, s->db, "restore", err) : rc;
}

static int copy_renew(struct restoring *r, const struct ledger_head *before, struct lk_error *err)
{
	static struct file_kind kind;
	const struct store_options options = { .directory = r->order->directory };
	struct store *s = NULL;
	int rc = store_make(&options, &s, err);

	kind = linkages_file;
	kind.name = COPY;
	if (rc == 0) {
		s->is_draft = true;
		rc = store_load(s, &kind, err);
	}
	if (rc == 0)
		rc = renew(r, s, before, err);
	store_close(s);
	return rc == 0 ? path_sync(r->copy.at, err) : rc;
}

static void copy_clear(const struct restoring *r)
{
	static const char *const left[] = { COPY, COPY "-journal", COPY "-wal" };

	for (size_t i = 0; i < sizeof(left) / sizeof(left[0]); i++) {
		struct place place = place_in(r->order->directory, left[i]);

		(void)disk_remove(place.at); /* it is in nobody's way but the next copy's */
	}
}

/* ---- Changing places ------------------------------------------------------------------------- */

/* Nobody holds the store that is there; damaged or missing is no hindrance. Its head, if it can be read. It is only read:
 * whoever restores need not be the daemon's user, and a store in doubt is not made anew first. */
static int present_head(const struct restoring *r, struct ledger_head *head, struct lk_error *err)
{
	const struct store_options options = { .directory = r->order->directory,
					       .read_only = true };
	struct lk_error why = { 0 };
	struct store_mark mark;
	struct store *s = NULL;
	int rc = store_open(&options, &s, &why);

	*head = (struct ledger_head){ 0 };
	if (rc == LK_ESTATE)
		return lk_fail(err, LK_ESTATE, "%s: stop the daemon first", why.text);
	if (rc < 0)
		return 0;
	store_mark_found(s, &mark);
	store_ledger_head(s, head);
	if (mark.state == MARK_BEHIND)
		*head = mark.head;
	store_close(s);
	return 0;
}

/* What the old store is made of: the file, its log, and a file that was ready to follow it. */
static const char *const old_parts[] = { "", "-wal", ".rebuilt" };
#define OLD_PARTS (sizeof(old_parts) / sizeof(old_parts[0]))

static struct place old_name(const struct restoring *r, size_t part)
{
	char name[32];

	(void)snprintf(name, sizeof(name), "linkages.db%s", old_parts[part]);
	return place_in(r->order->directory, name);
}

static struct place kept_name(const struct restoring *r, size_t part)
{
	char name[64];

	(void)snprintf(name, sizeof(name), "linkages.db.before-%lld%s", (long long)r->number,
		       old_parts[part]);
	return place_in(r->order->directory, name);
}

static bool is_taken(const struct restoring *r)
{
	struct disk_file found;

	for (size_t i = 0; i < OLD_PARTS; i++) {
		struct place kept = kept_name(r, i);

		if (disk_look(kept.at, &found) == 0)
			return true;
	}
	return false;
}

/* Beside the names that they have. */
static int keep_old(struct restoring *r, struct lk_error *err)
{
	r->number = r->order->at / LK_SECOND;
	while (is_taken(r))
		r->number++;
	for (size_t i = 0; i < OLD_PARTS; i++) {
		struct place from = old_name(r, i), to = kept_name(r, i);
		int rc = disk_link(from.at, to.at);

		if (rc < 0 && rc != -ENOENT)
			return failed(err, "the old store cannot be kept", rc);
	}
	return entries_sync(r->order->directory, err);
}

static int copy_ready(const struct restoring *r, struct lk_error *err)
{
	struct place ready = place_in(r->order->directory, READY);
	int rc = disk_give(r->copy.at, r->order->directory);

	if (rc < 0)
		return failed(err, "the copy cannot be given to the daemon's user", rc);
	if ((rc = path_sync(r->copy.at, err)) < 0)
		return rc;
	if ((rc = disk_rename(r->copy.at, ready.at)) < 0)
		return failed(err, "the restored store cannot be renamed", rc);
	return entries_sync(r->order->directory, err);
}

/* What must never be found beside the restored file: what speaks of the old one. */
static int old_away(const char *directory, struct lk_error *err)
{
	static const char *const old[] = { "linkages.db-wal", "linkages.db-shm", "linkages.mark",
					   "linkages.suspect", "linkages.db.rebuilt" };
	int rc;

	for (size_t i = 0; i < sizeof(old) / sizeof(old[0]); i++) {
		struct place place = place_in(directory, old[i]);

		if ((rc = disk_remove(place.at)) < 0)
			return failed(err, "the old store cannot be put away", rc);
	}
	return entries_sync(directory, err);
}

int restore_finish(const char *directory, struct lk_error *err)
{
	struct place ready = place_in(directory, READY);
	struct place db = place_in(directory, linkages_file.name);
	struct disk_file found;
	int rc;

	if (disk_look(ready.at, &found) < 0)
		return 0;
	if ((rc = old_away(directory, err)) < 0)
		return rc;
	if ((rc = disk_rename(ready.at, db.at)) < 0)
		return failed(err, "the restored store cannot take its place", rc);
	return entries_sync(directory, err);
}

int store_restore(const struct store_restore *order, struct lk_error *err)
{
	struct restoring r = { .order = order, .copy = place_in(order->directory, COPY) };
	struct ledger_head before;
	int rc = present_head(&r, &before, err);

	if (rc < 0)
		return rc;
	copy_clear(&r);
	rc = copy_in(&r, err);
	if (rc == 0)
		rc = copy_renew(&r, &before, err);
	if (rc == 0)
		rc = keep_old(&r, err);
	if (rc == 0)
		rc = copy_ready(&r, err);
	copy_clear(&r);
	return rc == 0 ? restore_finish(order->directory, err) : rc;
}
