/* restore.c - a store put back from a copy.
 *
 * In: a copy that was proved sound, and the directory of a store that nobody holds. Out: the store as the copy has it, and
 * the old files beside it under another name. Promise: at every instant there is either the old store or the restored one;
 * the restored one knows that it is restored, and so will its clients.
 */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PART_BYTES (1u << 20)

struct restoring {
	const char *directory;
	char room[4096 - 32]; /* DIRECTORY/restore, where the copy is made ready */
	int64_t done, of;
	const struct store_restore *order;
};

static int failed(struct lk_error *err, const char *what)
{
	int why = errno;

	return lk_fail(err, why == ENOSPC ? LK_EFULL : LK_ESTORE, "%s: %s", what, strerror(why));
}

static int path_in(char out[4096], const char *directory, const char *name)
{
	return snprintf(out, 4096, "%s/%s", directory, name);
}

/* ---- Making the copy ready ------------------------------------------------------------------- */

static int copy_bytes(struct restoring *r, int from, int to, struct lk_error *err)
{
	static char bytes[PART_BYTES];
	ssize_t n;

	while ((n = read(from, bytes, sizeof(bytes))) > 0) {
		if (write(to, bytes, (size_t)n) != n)
			return failed(err, "the copy cannot be written");
		r->done += n;
		if (r->order->tick != NULL)
			r->order->tick(r->order->context, r->done, r->of);
	}
	if (n < 0)
		return failed(err, "the copy cannot be read");
	return fsync(to) == 0 ? 0 : failed(err, "the copy cannot be synced");
}

/* Whoever puts it back, it belongs to whom the directory belongs. */
static int copy_owned(const struct restoring *r, int to, struct lk_error *err)
{
	struct stat st;

	if (stat(r->directory, &st) != 0)
		return failed(err, "the state directory cannot be reached");
	if (geteuid() == 0 &&
	    (fchown(to, st.st_uid, st.st_gid) != 0 || chown(r->room, st.st_uid, st.st_gid) != 0))
		return failed(err, "the copy cannot be given to the daemon's user");
	return 0;
}

static int copy_in(struct restoring *r, struct lk_error *err)
{
	char path[4096];
	struct stat st;
	int from = open(r->order->file, O_RDONLY | O_CLOEXEC), to, rc;

	if (from < 0 || fstat(from, &st) != 0) {
		rc = failed(err, "the copy cannot be opened");
		if (from >= 0)
			(void)close(from);
		return rc;
	}
	r->of = (int64_t)st.st_size;
	(void)path_in(path, r->room, linkages_file.name);
	to = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, linkages_file.mode);
	rc = to < 0 ? failed(err, "the copy cannot be made") : copy_owned(r, to, err);
	if (rc == 0)
		rc = copy_bytes(r, from, to, err);
	if (to >= 0)
		(void)close(to);
	(void)close(from);
	return rc;
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

static int copy_renew(struct restoring *r, const struct ledger_head *before, struct lk_error *err)
{
	const struct store_options options = { .directory = r->room };
	struct store *s = NULL;
	int rc = store_open(&options, &s, err);

	if (rc == 0)
		rc = store_begin(s, err);
	if (rc == 0)
		rc = store_renew(s, err);
	if (rc == 0)
		rc = tell_ledger(r, s, before, err);
	if (rc == 0)
		rc = store_commit(s, err);
	store_close(s);
	return rc;
}

/* ---- Changing places ------------------------------------------------------------------------- */

static void room_clear(const struct restoring *r)
{
	static const char *const left[] = { "linkages.db",   "linkages.db-wal", "linkages.db-shm",
					    "linkages.mark", "state.db",        "state.db-wal",
					    "state.db-shm" };
	char path[4096];

	for (size_t i = 0; i < sizeof(left) / sizeof(left[0]); i++) {
		(void)path_in(path, r->room, left[i]);
		(void)unlink(path);
	}
	(void)rmdir(r->room);
}

/* Nobody holds the store that is there; damaged or missing is no hindrance. Its head, if it can be read. */
static int present_head(const struct restoring *r, struct ledger_head *head, struct lk_error *err)
{
	const struct store_options options = { .directory = r->directory };
	struct lk_error why = { 0 };
	struct store_mark mark;
	struct store *s = NULL;
	char path[4096];
	int rc;

	*head = (struct ledger_head){ 0 };
	(void)path_in(path, r->directory, linkages_file.name);
	if (access(path, F_OK) != 0)
		return 0;
	rc = store_open(&options, &s, &why);
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

/* The old file keeps a name of its own. A log of it must not be found beside the new one. */
static int keep_old(struct restoring *r, struct lk_error *err)
{
	char path[4096], kept[4096], name[64];

	(void)snprintf(name, sizeof(name), "linkages.db.before-%lld",
		       (long long)(r->order->at / LK_SECOND));
	(void)path_in(path, r->directory, linkages_file.name);
	(void)path_in(kept, r->directory, name);
	if (link(path, kept) != 0 && errno != ENOENT)
		return failed(err, "the old store cannot be kept");
	(void)path_in(path, r->directory, "linkages.db-wal");
	(void)snprintf(name, sizeof(name), "linkages.db.before-%lld-wal",
		       (long long)(r->order->at / LK_SECOND));
	(void)path_in(kept, r->directory, name);
	if (rename(path, kept) != 0 && errno != ENOENT)
		return failed(err, "the old store's log cannot be kept");
	(void)path_in(path, r->directory, "linkages.mark");
	(void)unlink(path);
	return 0;
}

static int change_places(struct restoring *r, struct lk_error *err)
{
	char from[4096], to[4096];
	int rc = keep_old(r, err);

	if (rc < 0)
		return rc;
	(void)path_in(from, r->room, linkages_file.name);
	(void)path_in(to, r->directory, linkages_file.name);
	if (rename(from, to) != 0)
		return failed(err, "the restored store cannot take its place");
	return entries_sync(r->directory, err);
}

int store_restore(const struct store_restore *order, struct lk_error *err)
{
	struct restoring r = { .directory = order->directory, .order = order };
	struct ledger_head before;
	int rc;

	(void)snprintf(r.room, sizeof(r.room), "%s/restore", order->directory);
	if ((rc = present_head(&r, &before, err)) < 0)
		return rc;
	room_clear(&r);
	if (mkdir(r.room, 0700) != 0)
		return failed(err, "the state directory cannot be written");
	rc = copy_in(&r, err);
	if (rc == 0)
		rc = copy_renew(&r, &before, err);
	if (rc == 0)
		rc = change_places(&r, err);
	room_clear(&r);
	return rc;
}
