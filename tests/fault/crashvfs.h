/* crashvfs.h - a disk in memory that fails as disks do, as SQLite's default VFS and behind daemon/store/disk.h.
 *
 * Each file has the bytes that are on the platter and the writes that are not: until its sync, a write may survive a
 * power cut or not, each sector of 512 bytes for itself. Names (created, removed, renamed) are on the platter only when
 * the directory is synced. A sync that fails leaves some writes on the platter and marks the others clean: the next sync
 * succeeds without them, as Linux does. One directory, one process; everything follows from the seed, and
 * from the order in which threads come, one at a time.
 *
 * A *step* is a call that changes the disk or syncs it; steps, syncs and reads are counted.
 */
#ifndef LINKAGES_TESTS_CRASHVFS_H
#define LINKAGES_TESTS_CRASHVFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CRASH_DIRECTORY "/crash"

enum crash_fault {
	CRASH_NONE,
	CRASH_CUT,   /* the power goes during a step: it may have happened, in part; all calls fail from then on */
	CRASH_SYNC,  /* a sync fails, once */
	CRASH_WRITE, /* a step fails, once: nothing of it has happened */
	CRASH_READ,  /* a read fails, once */
	CRASH_FROZEN, /* a step and all after it fail, as on a file system that was made read-only; reading goes on */
	CRASH_FAULTS,
};

/* An empty disk, and SQLite leads here. */
void crash_begin(uint64_t seed);
void crash_end(void);
/* The nth call from now on that the fault can befall, counted from 1. Counts begin anew. */
void crash_arm(enum crash_fault fault, long nth);
bool crash_struck(void); /* the armed fault has happened */
/* Calls since crash_arm() or crash_begin() that such a fault could have befallen. */
long crash_count(enum crash_fault fault);

/* The process dies here: what it has open may be closed, which does nothing any more. */
void crash_kill(void);
/* The next process: all that was written is there, but pages that are marked clean may have been read anew from the platter
 * where `evicts`. */
void crash_next_process(bool evicts);
/* The power comes back: which writes survived is decided now. */
void crash_power(void);

void crash_room(int64_t bytes); /* as large is the disk; -1: without end */
/* How many bytes more would have let in some write that was refused since crash_room() last said how large the disk is: with
 * fewer the same writes fail. 0: none was refused. */
int64_t crash_lacking(void);
int64_t crash_used(void);
void crash_thaw(void); /* it can be written again */
void crash_lie(bool lies); /* syncs succeed and do nothing */

/* The whole disk, with nothing open: kept, and put back as often as one likes. */
struct crash_image;
struct crash_image *crash_save(void);
void crash_load(const struct crash_image *image);
void crash_image_free(struct crash_image *image);
void crash_seed(uint64_t seed);

/* Damage, on the platter and in memory. -1 where there is no such file. */
int64_t crash_size(const char *path);
void crash_flip(const char *path, int64_t offset, unsigned bit);
void crash_cut_short(const char *path, int64_t bytes);
void crash_copy(const char *from, const char *to); /* over what `to` was */
void crash_drop(const char *path);
const uint8_t *crash_bytes(const char *path);

#endif
