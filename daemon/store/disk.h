/* disk.h - what the store asks of the file system beside what SQLite asks: few verbs, each of which
 * is one step that a power cut may fall into. Only the store includes it.
 *
 * Every function answers 0 (or a count) or a negative errno. Any thread.
 */
#ifndef LINKAGES_STORE_DISK_H
#define LINKAGES_STORE_DISK_H

#include <stddef.h>
#include <stdint.h>

struct disk_file {
	int64_t bytes;
	uint64_t id;    /* not 0; of the file, whatever it is called */
	uint32_t owner; /* user id */
};

/* A folder is none: -EISDIR. */
int disk_look(const char *path, struct disk_file *out);
/* An empty file that was not there, with exactly this mode. */
int disk_create(const char *path, unsigned mode);
/* No file of that name afterwards; one that was not there is no failure. */
int disk_remove(const char *path);
int disk_rename(const char *from, const char *to);
/* A second name for a file, where there is none of that name yet. */
int disk_link(const char *from, const char *to);
/* Where we are root: the file belongs to whom `like` belongs. */
int disk_give(const char *path, const char *like);
/* A file's bytes, or a directory's entries. */
int disk_sync(const char *path);
int disk_sync_entries(const char *directory);
/* The bytes of a file from offset on, as many as there are and have room: their count. */
int disk_read(const char *path, int64_t offset, void *at, size_t room);
/* Over the bytes at offset of a file that is there; not synced. */
int disk_write(const char *path, int64_t offset, const void *at, size_t len);
/* A file that is there and is written again and again: a descriptor, to be shut; -ENXIO: it is no regular file. */
int disk_open(const char *path);
int disk_put(int file, int64_t offset, const void *at, size_t len);
void disk_shut(int file);

#endif
