/* share.c - one database for several connections of this process, and for nobody else.
 *
 * In: what SQLite asks of the file and of its wal-index. Out: an index in memory, locks between these connections, and below
 * them the one exclusive lock that keeps all other processes out. Promise: for the process what locking_mode = EXCLUSIVE is
 * for a connection: no -shm file, nothing mapped, and no system call for a lock once the file is ours.
 *
 * A VFS of its own for each store: SQLite's, with other answers for the database itself. The connection that comes first
 * holds the file's own lock until it is closed; it is closed last.
 */
#include "internal.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PARTIES 3 /* the loop's, that of checkpoints, that of who reads ahead */

struct party {
	sqlite3_file *file; /* NULL: free */
	int level;          /* of SQLite's file locks */
};

struct share {
	sqlite3_io_methods methods; /* the first member: a file leads here by them */
	const sqlite3_io_methods *under;
	sqlite3_vfs vfs;
	char name[32];
	char path[4096];      /* of the database: what is opened first */
	struct frames frames; /* of the connection that writes */
	share_call *wrote;
	void *context;
	const sqlite3_file *watched;
	pthread_mutex_t mutex; /* of all that follows */
	struct party party[PARTIES];
	const sqlite3_file *holder; /* of the lock that other processes see */
	void **region;              /* of the wal-index */
	int regions;
	int shared[SQLITE_SHM_NLOCK];    /* how many hold it; -1: one, for itself */
	const sqlite3_file *checkpoints; /* who had that lock last */
};

static struct share *share_of(const sqlite3_file *file)
{
	return (struct share *)(uintptr_t)file->pMethods;
}

static struct share *entered(const sqlite3_file *file)
{
	struct share *share = share_of(file);

	(void)pthread_mutex_lock(&share->mutex);
	return share;
}

static int left(struct share *share, int rc)
{
	(void)pthread_mutex_unlock(&share->mutex);
	return rc;
}

/* ---- Locks of the file ----------------------------------------------------------------------- */

/* Its place, or a free one. */
static struct party *party_of(struct share *share, const sqlite3_file *file)
{
	for (int i = 0; i < PARTIES; i++)
		if (share->party[i].file == file)
			return &share->party[i];
	return NULL;
}

static int highest_other(const struct share *share, const sqlite3_file *file)
{
	int highest = SQLITE_LOCK_NONE;

	for (int i = 0; i < PARTIES; i++)
		if (share->party[i].file != file && share->party[i].level > highest)
			highest = share->party[i].level;
	return highest;
}

static bool may_lock(const struct share *share, const sqlite3_file *file, int level)
{
	int other = highest_other(share, file);

	if (level == SQLITE_LOCK_SHARED)
		return other < SQLITE_LOCK_PENDING;
	return level == SQLITE_LOCK_EXCLUSIVE ? other == SQLITE_LOCK_NONE
					      : other < SQLITE_LOCK_RESERVED;
}

static int hold(struct share *share, sqlite3_file *file)
{
	int rc = share->under->xLock(file, SQLITE_LOCK_SHARED);

	if (rc == SQLITE_OK)
		rc = share->under->xLock(file, SQLITE_LOCK_EXCLUSIVE);
	if (rc == SQLITE_OK)
		share->holder = file;
	else
		(void)share->under->xUnlock(file, SQLITE_LOCK_NONE);
	return rc;
}

static int file_lock(sqlite3_file *file, int level)
{
	struct share *share = entered(file);
	struct party *party = party_of(share, file);
	int rc = party != NULL && may_lock(share, file, level) ? SQLITE_OK : SQLITE_BUSY;

	if (rc == SQLITE_OK && share->holder == NULL)
		rc = hold(share, file);
	if (rc == SQLITE_OK && party->level < level)
		party->level = level;
	return left(share, rc);
}

/* Below it stays ours. */
static int file_unlock(sqlite3_file *file, int level)
{
	struct share *share = entered(file);
	struct party *party = party_of(share, file);

	if (party != NULL && party->level > level)
		party->level = level;
	return left(share, SQLITE_OK);
}

static int file_is_reserved(sqlite3_file *file, int *out)
{
	struct share *share = entered(file);

	*out = highest_other(share, file) >= SQLITE_LOCK_RESERVED;
	return left(share, SQLITE_OK);
}

/* SQLite's own close gives up its lock. */
static int file_close(sqlite3_file *file)
{
	struct share *share = entered(file);
	struct party *party = party_of(share, file);

	if (party != NULL)
		*party = (struct party){ .file = NULL };
	if (share->holder == file)
		share->holder = NULL;
	(void)left(share, SQLITE_OK);
	return share->under->xClose(file);
}

/* ---- The wal-index --------------------------------------------------------------------------- */

static void *region_of(struct share *share, int region, int bytes, int extends)
{
	void **wider;

	if (region != share->regions || !extends)
		return region < share->regions ? share->region[region] : NULL;
	wider = realloc(share->region, (size_t)(region + 1) * sizeof(*wider));
	if (wider == NULL)
		return NULL;
	share->region = wider;
	wider[region] = calloc(1, (size_t)bytes);
	share->regions +=
		wider[region] != NULL; /* one after the other, each as the log reaches it */
	return wider[region];
}

static int index_map(sqlite3_file *file, int region, int bytes, int extends, void volatile **out)
{
	struct share *share = entered(file);

	*out = region_of(share, region, bytes, extends);
	return left(share, *out == NULL && extends ? SQLITE_IOERR_NOMEM : SQLITE_OK);
}

/* Places of the locks, by SQLite's page on the format of the wal-index. */
#define CHECKPOINT 1
#define FIRST_MARK 4
#define LAST_MARK (SQLITE_SHM_NLOCK - 1)

/* Before 3.51.3 a checkpoint that began while a commit began the log anew could miss that, and count frames of the new log
 * as written that were not (SQLite's "WAL-reset bug"). Who begins the log anew takes all readers' marks: it is told that they
 * are in use while another's checkpoint goes on, and goes on with the old log; and the other way round. */
static bool would_race(const struct share *share, const sqlite3_file *file, int first, int n)
{
	if (first == CHECKPOINT)
		return share->shared[LAST_MARK] < 0;
	return first == FIRST_MARK && n > 1 && share->shared[CHECKPOINT] != 0 &&
	       share->checkpoints != file;
}

/* One of them, or all for itself. */
static int index_take(struct share *share, int first, int n, bool is_shared)
{
	for (int i = first; i < first + n; i++)
		if (is_shared ? share->shared[i] < 0 : share->shared[i] != 0)
			return SQLITE_BUSY;
	for (int i = first; i < first + n; i++)
		share->shared[i] = is_shared ? share->shared[i] + 1 : -1;
	return SQLITE_OK;
}

static int index_lock(sqlite3_file *file, int first, int n, int flags)
{
	struct share *share = entered(file);
	int rc = SQLITE_OK;

	if (flags & SQLITE_SHM_LOCK) {
		rc = would_race(share, file, first, n)
			     ? SQLITE_BUSY
			     : index_take(share, first, n, flags & SQLITE_SHM_SHARED);
		if (rc == SQLITE_OK && first == CHECKPOINT)
			share->checkpoints = file;
		return left(share, rc);
	}
	for (int i = first; i < first + n; i++)
		share->shared[i] = flags & SQLITE_SHM_SHARED ? share->shared[i] - 1 : 0;
	return left(share, SQLITE_OK);
}

static void index_barrier(sqlite3_file *file)
{
	(void)file;
	atomic_thread_fence(memory_order_seq_cst);
}

/* Kept for whoever comes next, until the store is closed. */
static int index_unmap(sqlite3_file *file, int deletes)
{
	(void)file;
	(void)deletes;
	return SQLITE_OK;
}

/* ---- The rest of the file -------------------------------------------------------------------- */

static int file_write(sqlite3_file *file, const void *at, int len, sqlite3_int64 offset)
{
	struct share *share = share_of(file);
	int rc = share->under->xWrite(file, at, len, offset);

	return rc == SQLITE_OK && file == share->watched ? share->wrote(share->context) : rc;
}

static void methods_make(struct share *share, const sqlite3_io_methods *under)
{
	share->under = under;
	share->methods = *under;
	share->methods.xClose = file_close;
	share->methods.xWrite = file_write;
	share->methods.xLock = file_lock;
	share->methods.xUnlock = file_unlock;
	share->methods.xCheckReservedLock = file_is_reserved;
	share->methods.xShmMap = index_map;
	share->methods.xShmLock = index_lock;
	share->methods.xShmBarrier = index_barrier;
	share->methods.xShmUnmap = index_unmap;
}

static int file_join(struct share *share, sqlite3_file *file)
{
	struct party *party = party_of(share, NULL);

	if (party == NULL) {
		(void)file->pMethods->xClose(file);
		file->pMethods = NULL;
		return SQLITE_CANTOPEN;
	}
	*party = (struct party){ .file = file };
	if (share->under == NULL)
		methods_make(share, file->pMethods);
	file->pMethods = &share->methods;
	return SQLITE_OK;
}

/* The log of the connection that comes first is written by frames.c; another's, which only reads it, and a copy that is made
 * of the database are files as any. */
static int share_open(sqlite3_vfs *vfs, sqlite3_filename path, sqlite3_file *file, int flags,
		      int *out)
{
	struct share *share = vfs->pAppData;
	sqlite3_vfs *under = sqlite3_vfs_find(NULL);
	int rc = under->xOpen(under, path, file, flags, out);

	if (rc != SQLITE_OK || !(flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL)))
		return rc;
	(void)pthread_mutex_lock(&share->mutex);
	if (flags & SQLITE_OPEN_WAL)
		frames_join(&share->frames, file);
	else if (share->path[0] == '\0')
		(void)snprintf(share->path, sizeof(share->path), "%s", path);
	if (strcmp(share->path, path) == 0)
		rc = file_join(share, file);
	return left(share, rc);
}

/* ---- Life ------------------------------------------------------------------------------------ */

struct share *share_create(void)
{
	struct share *share = calloc(1, sizeof(*share));

	if (share == NULL)
		return NULL;
	(void)snprintf(share->name, sizeof(share->name), "share-%p", (void *)share);
	share->vfs = *sqlite3_vfs_find(NULL);
	share->vfs.zName = share->name;
	share->vfs.pAppData = share;
	share->vfs.xOpen = share_open;
	share->vfs.pNext = NULL;
	(void)pthread_mutex_init(&share->mutex, NULL);
	(void)sqlite3_vfs_register(&share->vfs, 0);
	return share;
}

const char *share_name(const struct share *share)
{
	return share != NULL ? share->name : NULL;
}

int share_connect(const struct share *share, sqlite3 *of, const char *settings, sqlite3 **db)
{
	int rc =
		sqlite3_open_v2(sqlite3_db_filename(of, "main"), db,
				SQLITE_OPEN_READWRITE | SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_NOMUTEX,
				share_name(share));

	return rc == SQLITE_OK ? sqlite3_exec(*db, settings, NULL, NULL, NULL) : rc;
}

void share_watch(struct share *share, const sqlite3_file *file, share_call *wrote, void *context)
{
	share->wrote = wrote;
	share->context = context;
	share->watched = file;
}

void share_free(struct share *share)
{
	if (share == NULL)
		return;
	(void)sqlite3_vfs_unregister(&share->vfs);
	for (int i = 0; i < share->regions; i++)
		free(share->region[i]);
	free(share->region);
	(void)pthread_mutex_destroy(&share->mutex);
	free(share);
}
