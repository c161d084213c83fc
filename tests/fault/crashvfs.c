/* crashvfs.c - the disk in memory: files, names, faults; SQLite's door to it, and the store's own.
 *
 * In: calls of SQLite and of daemon/store; what is to go wrong. Out: what a disk would answer. Promise: what a sync answered
 * 0 for survives every power cut, and nothing else is promised.
 */
#include "crashvfs.h"

#include "store/disk.h"

#include <errno.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECTOR 512
#define FILES_MAX 64
#define NAMES_MAX 32
#define RENAMES_MAX 256
#define PATH_MAX_LEN 128
#define SHARED_MAX 8

struct bytes {
	uint8_t *at;
	int64_t len, room;
};

/* Not on the platter yet. */
struct write {
	int64_t offset, len; /* of a cut to a size: offset is the size, len is -1 */
	uint8_t *at;
};

struct inode {
	bool used;
	struct bytes platter, cached;
	struct write *pending;
	size_t pending_n, pending_room;
	uint32_t failed; /* syncs */
};

struct name {
	char path[PATH_MAX_LEN]; /* "": free */
	int inode;
};

/* A change of names: `path` leads to inode (-1: to nothing), `gone` to nothing any more. */
struct naming {
	char path[PATH_MAX_LEN], gone[PATH_MAX_LEN];
	int inode;
};

struct disk {
	struct inode inode[FILES_MAX];
	struct name cached[NAMES_MAX], platter[NAMES_MAX];
	struct naming pending[RENAMES_MAX];
	size_t pending_n;
};

static struct disk disk;
static uint64_t dice;
static bool is_dead, is_frozen, lies, has_struck;
static int64_t room = -1, lacking;
static enum crash_fault armed;
static long nth, counted[CRASH_FAULTS];

/* A store may have a thread that makes its checkpoints: one call at a time. */
static pthread_mutex_t door = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;

static pthread_mutex_t *door_enter(void)
{
	(void)pthread_mutex_lock(&door);
	return &door;
}

static void door_leave(pthread_mutex_t **entered)
{
	(void)pthread_mutex_unlock(*entered);
}

/* Until the end of the function. */
#define AT_THE_DOOR \
	pthread_mutex_t *entered __attribute__((cleanup(door_leave), unused)) = door_enter()

static uint64_t roll(void)
{
	uint64_t z = dice += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static bool heads(void)
{
	return roll() & 1;
}

static void *must(void *at)
{
	if (at == NULL)
		abort();
	return at;
}

/* ---- Bytes --------------------------------------------------------------------------------------------------------- */

static void bytes_resize(struct bytes *b, int64_t len)
{
	if (len > b->room) {
		b->room = len * 2;
		b->at = must(realloc(b->at, (size_t)b->room));
	}
	if (len > b->len)
		memset(b->at + b->len, 0, (size_t)(len - b->len));
	b->len = len;
}

static void bytes_write(struct bytes *b, int64_t offset, const void *at, int64_t len)
{
	if (offset + len > b->len)
		bytes_resize(b, offset + len);
	memcpy(b->at + offset, at, (size_t)len);
}

static void bytes_copy(struct bytes *to, const struct bytes *from)
{
	bytes_resize(to, from->len);
	if (from->len > 0)
		memcpy(to->at, from->at, (size_t)from->len);
}

/* ---- Writes that wait ---------------------------------------------------------------------------------------------- */

static void pending_add(struct inode *i, int64_t offset, const void *at, int64_t len)
{
	struct write *w;

	if (i->pending_n == i->pending_room) {
		i->pending_room = i->pending_room * 2 + 16;
		i->pending = must(realloc(i->pending, i->pending_room * sizeof(*w)));
	}
	w = &i->pending[i->pending_n++];
	*w = (struct write){ offset, len, NULL };
	if (len <= 0)
		return;
	w->at = must(malloc((size_t)len));
	memcpy(w->at, at, (size_t)len);
}

static void pending_clear(struct inode *i)
{
	for (size_t n = 0; n < i->pending_n; n++)
		free(i->pending[n].at);
	i->pending_n = 0;
}

static void settle_all(struct inode *i, const struct write *w)
{
	if (w->len < 0)
		bytes_resize(&i->platter, w->offset);
	else
		bytes_write(&i->platter, w->offset, w->at, w->len);
}

/* Sector by sector, some of them. */
static void settle_some(struct inode *i, const struct write *w)
{
	int64_t at = 0;

	if (w->len < 0 && heads())
		settle_all(i, w);
	while (at < w->len) {
		int64_t until = (w->offset + at) / SECTOR * SECTOR + SECTOR - w->offset;
		int64_t len = (until < w->len ? until : w->len) - at;

		if (heads())
			bytes_write(&i->platter, w->offset + at, w->at + at, len);
		at += len;
	}
}

/* How disks lose: nothing, all, what came last, whole writes here and there, sectors here and there, all but one. */
enum losing { LOSE_ALL, LOSE_NOTHING, LOSE_LAST, LOSE_WRITES, LOSE_SECTORS, LOSE_ONE, LOSINGS };

static void settle(struct inode *i, enum losing how)
{
	size_t turn = i->pending_n > 0 ? roll() % i->pending_n : 0;

	for (size_t n = 0; n < i->pending_n; n++) {
		const struct write *w = &i->pending[n];
		bool is_torn = how == LOSE_SECTORS || (how == LOSE_LAST && n == turn);
		bool is_kept = how == LOSE_NOTHING || (how == LOSE_LAST && n < turn) ||
			       (how == LOSE_WRITES && heads()) || (how == LOSE_ONE && n != turn);

		if (is_torn)
			settle_some(i, w);
		else if (is_kept)
			settle_all(i, w);
	}
	pending_clear(i);
}

/* ---- Names --------------------------------------------------------------------------------------------------------- */

static struct name *name_find(struct name *names, const char *path)
{
	for (int n = 0; n < NAMES_MAX; n++)
		if (strcmp(names[n].path, path) == 0)
			return &names[n];
	return NULL;
}

static void name_put(struct name *names, const char *path, int inode)
{
	struct name *name = name_find(names, path);

	if (path[0] == '\0' || (name == NULL && inode < 0))
		return;
	if (name == NULL)
		name = must(name_find(names, ""));
	(void)snprintf(name->path, sizeof(name->path), "%s", inode < 0 ? "" : path);
	name->inode = inode;
}

static void naming_settle(struct name *names, const struct naming *n)
{
	name_put(names, n->path, n->inode);
	name_put(names, n->gone, -1);
}

static void rename_now(const char *path, int inode, const char *gone)
{
	struct naming n = { .inode = inode };

	(void)snprintf(n.path, sizeof(n.path), "%s", path);
	(void)snprintf(n.gone, sizeof(n.gone), "%s", gone);
	naming_settle(disk.cached, &n);
	if (disk.pending_n == RENAMES_MAX)
		abort();
	disk.pending[disk.pending_n++] = n;
}

static struct inode *inode_of(const char *path)
{
	const struct name *name = name_find(disk.cached, path);

	return name != NULL ? &disk.inode[name->inode] : NULL;
}

static int inode_make(void)
{
	for (int i = 0; i < FILES_MAX; i++) {
		if (disk.inode[i].used)
			continue;
		disk.inode[i].used = true;
		return i;
	}
	abort();
}

static void inode_clear(struct inode *i)
{
	pending_clear(i);
	free(i->pending);
	free(i->platter.at);
	free(i->cached.at);
	*i = (struct inode){ 0 };
}

static void note_named(const struct name *names, bool named[FILES_MAX])
{
	for (int n = 0; n < NAMES_MAX; n++)
		if (names[n].path[0] != '\0')
			named[names[n].inode] = true;
}

/* Files that no name leads to, nor may lead to again after a power cut, are gone. Not while one of them is open. */
static void sweep(void)
{
	bool named[FILES_MAX] = { false };

	note_named(disk.cached, named);
	note_named(disk.platter, named);
	for (size_t n = 0; n < disk.pending_n; n++)
		if (disk.pending[n].inode >= 0)
			named[disk.pending[n].inode] = true;
	for (int i = 0; i < FILES_MAX; i++)
		if (disk.inode[i].used && !named[i])
			inode_clear(&disk.inode[i]);
}

/* ---- Faults -------------------------------------------------------------------------------------------------------- */

static bool is_due(enum crash_fault fault)
{
	counted[fault]++;
	if (armed != fault || counted[fault] != nth)
		return false;
	has_struck = true;
	return true;
}

enum step { STEP_OK, STEP_FAILS, STEP_CUT };

/* Asked once for each step. After a cut the step is taken, and yet fails. */
static enum step step(void)
{
	bool fails, cuts;

	if (is_dead || is_frozen)
		return STEP_FAILS;
	is_frozen = is_due(CRASH_FROZEN);
	fails = is_due(CRASH_WRITE) || is_frozen;
	cuts = is_due(CRASH_CUT);
	is_dead = cuts;
	return cuts ? STEP_CUT : fails ? STEP_FAILS : STEP_OK;
}

/* Whether a write up to `end` finds room. */
static bool fits(const struct inode *i, int64_t end)
{
	int64_t grown = end > i->cached.len ? end - i->cached.len : 0;
	int64_t more = crash_used() + grown - room;

	if (room < 0 || more <= 0)
		return true;
	if (lacking == 0 || more < lacking)
		lacking = more;
	return false;
}

static int file_write(struct inode *i, int64_t offset, const void *at, int64_t len)
{
	AT_THE_DOOR;
	enum step s = step();

	if (s == STEP_FAILS)
		return -EIO;
	if (!fits(i, offset + len))
		return -ENOSPC;
	bytes_write(&i->cached, offset, at, len);
	pending_add(i, offset, at, len);
	return s == STEP_CUT ? -EIO : 0;
}

static int file_resize(struct inode *i, int64_t len)
{
	AT_THE_DOOR;
	enum step s = step();

	if (s == STEP_FAILS)
		return -EIO;
	bytes_resize(&i->cached, len);
	pending_add(i, len, NULL, -1);
	return s == STEP_CUT ? -EIO : 0;
}

/* Whether this sync is to fail; a cut during it leaves everything waiting. */
static enum step sync_step(void)
{
	enum step s = step();

	if (s != STEP_OK)
		return s;
	return is_due(CRASH_SYNC) ? STEP_FAILS : STEP_OK;
}

static int file_sync(struct inode *i)
{
	AT_THE_DOOR;
	enum step s = sync_step();

	if (s == STEP_OK && !lies)
		settle(i, LOSE_NOTHING);
	else if (s == STEP_FAILS && !is_dead)
		settle(i, LOSE_SECTORS);
	i->failed += s != STEP_OK;
	return s == STEP_OK ? 0 : -EIO;
}

static int names_sync(void)
{
	AT_THE_DOOR;
	enum step s = sync_step();

	if (s != STEP_OK)
		return -EIO;
	if (lies)
		return 0;
	memcpy(disk.platter, disk.cached, sizeof(disk.platter));
	disk.pending_n = 0;
	return 0;
}

static int names_change(const char *path, int inode, const char *gone)
{
	AT_THE_DOOR;
	enum step s = step();

	if (s == STEP_FAILS)
		return -EIO;
	rename_now(path, inode, gone);
	return s == STEP_CUT ? -EIO : 0;
}

/* ---- The store's own door ------------------------------------------------------------------------------------------ */

int __wrap_disk_look(const char *path, struct disk_file *out);
int __wrap_disk_create(const char *path, unsigned mode);
int __wrap_disk_remove(const char *path);
int __wrap_disk_rename(const char *from, const char *to);
int __wrap_disk_sync(const char *path);
int __wrap_disk_sync_entries(const char *directory);
int __wrap_disk_link(const char *from, const char *to);
int __wrap_disk_give(const char *path, const char *like);
int __wrap_disk_read(const char *path, int64_t offset, void *at, size_t space);
int __wrap_disk_write(const char *path, int64_t offset, const void *at, size_t len);
int __wrap_disk_open(const char *path);
int __wrap_disk_put(int file, int64_t offset, const void *at, size_t len);
void __wrap_disk_shut(int file);

int __wrap_disk_look(const char *path, struct disk_file *out)
{
	AT_THE_DOOR;
	const struct inode *i = inode_of(path);

	if (i == NULL)
		return -ENOENT;
	*out = (struct disk_file){ .bytes = i->cached.len,
				   .id = (uint64_t)(i - disk.inode) + 1,
				   .owner = geteuid() };
	return 0;
}

int __wrap_disk_create(const char *path, unsigned mode)
{
	AT_THE_DOOR;
	(void)mode;
	if (inode_of(path) != NULL)
		return -EEXIST;
	return names_change(path, inode_make(), "");
}

int __wrap_disk_remove(const char *path)
{
	AT_THE_DOOR;
	return inode_of(path) == NULL ? 0 : names_change("", -1, path);
}

int __wrap_disk_rename(const char *from, const char *to)
{
	AT_THE_DOOR;
	const struct name *name = name_find(disk.cached, from);

	return name == NULL ? -ENOENT : names_change(to, name->inode, from);
}

int __wrap_disk_link(const char *from, const char *to)
{
	AT_THE_DOOR;
	const struct name *name = name_find(disk.cached, from);

	if (name == NULL || inode_of(to) != NULL)
		return name == NULL ? -ENOENT : -EEXIST;
	return names_change(to, name->inode, "");
}

/* All of this disk is ours. */
int __wrap_disk_give(const char *path, const char *like)
{
	(void)like;
	return inode_of(path) == NULL ? -ENOENT : 0;
}

int __wrap_disk_sync(const char *path)
{
	AT_THE_DOOR;
	struct inode *i = inode_of(path);

	return i == NULL ? -ENOENT : file_sync(i);
}

int __wrap_disk_sync_entries(const char *directory)
{
	(void)directory;
	return names_sync();
}

static int file_read(const struct inode *i, int64_t offset, void *at, int64_t len)
{
	AT_THE_DOOR;
	int64_t there = offset < i->cached.len ? i->cached.len - offset : 0;

	if (is_dead || is_due(CRASH_READ))
		return -EIO;
	if (there > len)
		there = len;
	if (there > 0)
		memcpy(at, i->cached.at + offset, (size_t)there);
	return (int)there;
}

int __wrap_disk_read(const char *path, int64_t offset, void *at, size_t space)
{
	AT_THE_DOOR;
	const struct inode *i = inode_of(path);

	return i == NULL ? -ENOENT : file_read(i, offset, at, (int64_t)space);
}

int __wrap_disk_write(const char *path, int64_t offset, const void *at, size_t len)
{
	AT_THE_DOOR;
	struct inode *i = inode_of(path);

	return i == NULL ? -ENOENT : file_write(i, offset, at, (int64_t)len);
}

int __wrap_disk_open(const char *path)
{
	AT_THE_DOOR;
	const struct inode *i = inode_of(path);

	return i == NULL ? -ENOENT : (int)(i - disk.inode);
}

int __wrap_disk_put(int file, int64_t offset, const void *at, size_t len)
{
	return file_write(&disk.inode[file], offset, at, (int64_t)len);
}

void __wrap_disk_shut(int file)
{
	(void)file;
}

/* ---- SQLite's door ------------------------------------------------------------------------------------------------- */

struct opened {
	sqlite3_file base;
	struct inode *inode;
	bool is_unnamed;  /* a temporary file */
	bool syncs_names; /* a journal that was made here: its name is synced with its first bytes */
	uint32_t failed;  /* syncs of the file, as far as it was told of them */
	uint8_t *shared[SHARED_MAX];
};

static struct opened *opened(sqlite3_file *file)
{
	return (struct opened *)file;
}

static int vfs_unmap(sqlite3_file *file, int deletes)
{
	(void)deletes;
	for (int n = 0; n < SHARED_MAX; n++) {
		free(opened(file)->shared[n]);
		opened(file)->shared[n] = NULL;
	}
	return SQLITE_OK;
}

static int vfs_close(sqlite3_file *file)
{
	AT_THE_DOOR;
	(void)vfs_unmap(file, 0);
	if (opened(file)->is_unnamed)
		inode_clear(opened(file)->inode);
	return SQLITE_OK;
}

static int vfs_read(sqlite3_file *file, void *at, int len, sqlite3_int64 offset)
{
	int n = file_read(opened(file)->inode, offset, at, len);

	if (n < 0)
		return SQLITE_IOERR_READ;
	if (n == len)
		return SQLITE_OK;
	memset((uint8_t *)at + n, 0, (size_t)(len - n));
	return SQLITE_IOERR_SHORT_READ;
}

static int vfs_write(sqlite3_file *file, const void *at, int len, sqlite3_int64 offset)
{
	int rc = file_write(opened(file)->inode, offset, at, len);

	return rc == 0 ? SQLITE_OK : rc == -ENOSPC ? SQLITE_FULL : SQLITE_IOERR_WRITE;
}

static int vfs_truncate(sqlite3_file *file, sqlite3_int64 len)
{
	return file_resize(opened(file)->inode, len) == 0 ? SQLITE_OK : SQLITE_IOERR_TRUNCATE;
}

/* As SQLite's own VFS for Unix: the entry of a journal is synced after its first bytes. As Linux: what is lost when a sync
 * fails may be another's, who has the file open, too; so each of them is told, at its own next sync. */
static int vfs_sync(sqlite3_file *file, int flags)
{
	AT_THE_DOOR;
	struct opened *o = opened(file);
	int rc = file_sync(o->inode);
	bool was_told = o->failed == o->inode->failed;

	(void)flags;
	o->failed = o->inode->failed;
	if (rc < 0 || !was_told)
		return SQLITE_IOERR_FSYNC;
	if (o->syncs_names && names_sync() < 0)
		return SQLITE_IOERR_DIR_FSYNC;
	o->syncs_names = false;
	return SQLITE_OK;
}

static int vfs_size(sqlite3_file *file, sqlite3_int64 *size)
{
	AT_THE_DOOR;
	*size = opened(file)->inode->cached.len;
	return is_dead ? SQLITE_IOERR_FSTAT : SQLITE_OK;
}

static int vfs_lock(sqlite3_file *file, int lock)
{
	(void)file;
	(void)lock;
	return SQLITE_OK;
}

static int vfs_check_lock(sqlite3_file *file, int *out)
{
	(void)file;
	*out = 0;
	return SQLITE_OK;
}

static int vfs_control(sqlite3_file *file, int op, void *arg)
{
	(void)file;
	(void)op;
	(void)arg;
	return SQLITE_NOTFOUND;
}

static int vfs_sector(sqlite3_file *file)
{
	(void)file;
	return 4096;
}

static int vfs_traits(sqlite3_file *file)
{
	(void)file;
	return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

static int vfs_map(sqlite3_file *file, int region, int size, int extends, void volatile **out)
{
	uint8_t **shared = opened(file)->shared;

	if (region >= SHARED_MAX)
		return SQLITE_FULL;
	if (shared[region] == NULL && extends)
		shared[region] = must(calloc(1, (size_t)size));
	*out = shared[region];
	return SQLITE_OK;
}

static int vfs_shared_lock(sqlite3_file *file, int offset, int n, int flags)
{
	(void)file;
	(void)offset;
	(void)n;
	(void)flags;
	return SQLITE_OK;
}

static void vfs_barrier(sqlite3_file *file)
{
	(void)file;
}

static const sqlite3_io_methods methods = {
	.iVersion = 2,
	.xClose = vfs_close,
	.xRead = vfs_read,
	.xWrite = vfs_write,
	.xTruncate = vfs_truncate,
	.xSync = vfs_sync,
	.xFileSize = vfs_size,
	.xLock = vfs_lock,
	.xUnlock = vfs_lock,
	.xCheckReservedLock = vfs_check_lock,
	.xFileControl = vfs_control,
	.xSectorSize = vfs_sector,
	.xDeviceCharacteristics = vfs_traits,
	.xShmMap = vfs_map,
	.xShmLock = vfs_shared_lock,
	.xShmBarrier = vfs_barrier,
	.xShmUnmap = vfs_unmap,
};

/* A file that is not there is made where that is asked for. */
static int vfs_inode(const char *path, int flags, struct opened *o)
{
	const int journals = SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_SUPER_JOURNAL;
	int made;

	o->inode = inode_of(path);
	if (o->inode != NULL)
		return SQLITE_OK;
	if (!(flags & SQLITE_OPEN_CREATE))
		return SQLITE_CANTOPEN;
	made = inode_make();
	o->inode = &disk.inode[made];
	o->syncs_names = (flags & journals) != 0;
	return names_change(path, made, "") == 0 ? SQLITE_OK : SQLITE_CANTOPEN;
}

static int vfs_open(sqlite3_vfs *vfs, sqlite3_filename path, sqlite3_file *file, int flags,
		    int *out)
{
	AT_THE_DOOR;
	struct opened *o = opened(file);
	int rc = SQLITE_OK;

	(void)vfs;
	memset(o, 0, sizeof(*o));
	if (is_dead)
		return SQLITE_CANTOPEN;
	o->is_unnamed = path == NULL;
	if (o->is_unnamed)
		o->inode = &disk.inode[inode_make()];
	else
		rc = vfs_inode(path, flags, o);
	if (rc == SQLITE_OK) {
		o->base.pMethods = &methods;
		o->failed = o->inode->failed;
	}
	if (out != NULL)
		*out = flags;
	return rc;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *path, int syncs)
{
	AT_THE_DOOR;
	(void)vfs;
	if (is_dead)
		return SQLITE_IOERR_DELETE;
	if (inode_of(path) == NULL)
		return SQLITE_IOERR_DELETE_NOENT;
	if (names_change("", -1, path) < 0)
		return SQLITE_IOERR_DELETE;
	return syncs && names_sync() < 0 ? SQLITE_IOERR_DIR_FSYNC : SQLITE_OK;
}

static int vfs_access(sqlite3_vfs *vfs, const char *path, int flags, int *out)
{
	AT_THE_DOOR;
	const struct inode *i = inode_of(path);

	(void)vfs;
	*out = i != NULL && (flags != SQLITE_ACCESS_EXISTS || i->cached.len > 0);
	return is_dead ? SQLITE_IOERR_ACCESS : SQLITE_OK;
}

static int vfs_path(sqlite3_vfs *vfs, const char *path, int space, char *out)
{
	(void)vfs;
	(void)snprintf(out, (size_t)space, "%s", path);
	return SQLITE_OK;
}

static int vfs_random(sqlite3_vfs *vfs, int n, char *out)
{
	AT_THE_DOOR;
	(void)vfs;
	for (int i = 0; i < n; i++)
		out[i] = (char)roll();
	return n;
}

static int vfs_sleep(sqlite3_vfs *vfs, int us)
{
	(void)vfs;
	return us;
}

static int vfs_time(sqlite3_vfs *vfs, double *now)
{
	(void)vfs;
	*now = 2460000.5;
	return SQLITE_OK;
}

static sqlite3_vfs vfs = {
	.iVersion = 1,
	.szOsFile = sizeof(struct opened),
	.mxPathname = PATH_MAX_LEN,
	.zName = "crash",
	.xOpen = vfs_open,
	.xDelete = vfs_delete,
	.xAccess = vfs_access,
	.xFullPathname = vfs_path,
	.xRandomness = vfs_random,
	.xSleep = vfs_sleep,
	.xCurrentTime = vfs_time,
};

/* ---- What the tests do --------------------------------------------------------------------------------------------- */

static void disk_clear(void)
{
	for (int i = 0; i < FILES_MAX; i++)
		inode_clear(&disk.inode[i]);
	memset(&disk, 0, sizeof(disk));
}

void crash_begin(uint64_t seed)
{
	disk_clear();
	dice = seed;
	room = -1;
	lies = is_dead = is_frozen = false;
	crash_arm(CRASH_NONE, 0);
	if (sqlite3_vfs_register(&vfs, 1) != SQLITE_OK)
		abort();
}

void crash_end(void)
{
	(void)sqlite3_vfs_unregister(&vfs);
	disk_clear();
}

void crash_arm(enum crash_fault fault, long which)
{
	armed = fault;
	nth = which;
	has_struck = false;
	memset(counted, 0, sizeof(counted));
}

bool crash_struck(void)
{
	return has_struck;
}

long crash_count(enum crash_fault fault)
{
	return counted[fault];
}

void crash_kill(void)
{
	AT_THE_DOOR;
	is_dead = true;
}

/* A page that is dirty is never given up; one that is clean may be, and is read anew where it is asked for. */
void crash_next_process(bool evicts)
{
	is_dead = is_frozen = false;
	crash_arm(CRASH_NONE, 0);
	sweep();
	for (int i = 0; evicts && i < FILES_MAX; i++) {
		struct inode *inode = &disk.inode[i];
		bytes_copy(&inode->cached, &inode->platter);
		for (size_t n = 0; n < inode->pending_n; n++) {
			const struct write *w = &inode->pending[n];
			if (w->len < 0)
				bytes_resize(&inode->cached, w->offset);
			else
				bytes_write(&inode->cached, w->offset, w->at, w->len);
		}
	}
}

/* Names are changed in their order up to some point, or any of them. */
static void names_settle(void)
{
	bool is_ordered = heads();
	size_t until = roll() % (disk.pending_n + 1);

	for (size_t n = 0; n < disk.pending_n; n++)
		if (is_ordered ? n < until : heads())
			naming_settle(disk.platter, &disk.pending[n]);
	memcpy(disk.cached, disk.platter, sizeof(disk.cached));
	disk.pending_n = 0;
}

void crash_power(void)
{
	enum losing how = (enum losing)(roll() % LOSINGS);

	is_dead = false;
	crash_arm(CRASH_NONE, 0);
	names_settle();
	for (int i = 0; i < FILES_MAX; i++) {
		settle(&disk.inode[i], how);
		bytes_copy(&disk.inode[i].cached, &disk.inode[i].platter);
	}
	sweep();
}

void crash_room(int64_t bytes)
{
	AT_THE_DOOR;
	room = bytes;
	if (bytes >= 0)
		lacking = 0;
}

int64_t crash_lacking(void)
{
	AT_THE_DOOR;
	return lacking;
}

int64_t crash_used(void)
{
	int64_t used = 0;

	for (int i = 0; i < FILES_MAX; i++)
		used += disk.inode[i].cached.len;
	return used;
}

void crash_thaw(void)
{
	is_frozen = false;
	crash_arm(CRASH_NONE, 0);
}

void crash_lie(bool does)
{
	lies = does;
}

void crash_seed(uint64_t seed)
{
	dice = seed;
}

/* ---- Images -------------------------------------------------------------------------------------------------------- */

struct crash_image {
	struct disk disk;
};

static void disk_copy(struct disk *to, const struct disk *from)
{
	*to = *from;
	for (int i = 0; i < FILES_MAX; i++) {
		const struct inode *was = &from->inode[i];
		struct inode *is = &to->inode[i];

		*is = (struct inode){ .used = was->used };
		bytes_copy(&is->platter, &was->platter);
		bytes_copy(&is->cached, &was->cached);
		for (size_t n = 0; n < was->pending_n; n++)
			pending_add(is, was->pending[n].offset, was->pending[n].at,
				    was->pending[n].len);
	}
}

struct crash_image *crash_save(void)
{
	struct crash_image *image = must(calloc(1, sizeof(*image)));

	disk_copy(&image->disk, &disk);
	return image;
}

void crash_load(const struct crash_image *image)
{
	disk_clear();
	disk_copy(&disk, &image->disk);
	is_dead = is_frozen = lies = false;
	room = -1;
	crash_arm(CRASH_NONE, 0);
}

void crash_image_free(struct crash_image *image)
{
	for (int i = 0; i < FILES_MAX; i++)
		inode_clear(&image->disk.inode[i]);
	free(image);
}

/* ---- Damage -------------------------------------------------------------------------------------------------------- */

int64_t crash_size(const char *path)
{
	const struct inode *i = inode_of(path);

	return i == NULL ? -1 : i->cached.len;
}

const uint8_t *crash_bytes(const char *path)
{
	return inode_of(path)->cached.at;
}

void crash_flip(const char *path, int64_t offset, unsigned bit)
{
	struct inode *i = inode_of(path);

	settle(i, LOSE_NOTHING);
	i->cached.at[offset] ^= (uint8_t)(1u << bit);
	bytes_copy(&i->platter, &i->cached);
}

void crash_cut_short(const char *path, int64_t bytes)
{
	struct inode *i = inode_of(path);

	settle(i, LOSE_NOTHING);
	bytes_resize(&i->cached, bytes);
	bytes_copy(&i->platter, &i->cached);
}

void crash_copy(const char *from, const char *to)
{
	const struct inode *was = inode_of(from);
	struct inode *is = inode_of(to);

	if (is == NULL) {
		rename_now(to, inode_make(), "");
		is = inode_of(to);
	}
	pending_clear(is);
	bytes_copy(&is->cached, &was->cached);
	bytes_copy(&is->platter, &was->cached);
	memcpy(disk.platter, disk.cached, sizeof(disk.platter));
	disk.pending_n = 0;
}

void crash_drop(const char *path)
{
	rename_now("", -1, path);
	memcpy(disk.platter, disk.cached, sizeof(disk.platter));
	disk.pending_n = 0;
	sweep();
}
