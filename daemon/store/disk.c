/* disk.c - files of the store, outside of SQLite.
 *
 * In: paths. Out: 0 or a negative errno. Promise: no descriptor of a database is ever opened and
 * closed here while SQLite has it open, except to sync it before that: closing one would give up
 * SQLite's locks.
 */
#include "disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* Not stat(): who is told a file's times makes the next write to it have one of its own, and its inode is to be written then
 * (Linux from 6.13; without a journal by each fdatasync: a third more of its time). */
int disk_look(const char *path, struct disk_file *out)
{
	struct statx st;

	if (statx(AT_FDCWD, path, 0, STATX_TYPE | STATX_SIZE | STATX_INO | STATX_UID, &st) != 0)
		return -errno;
	if (S_ISDIR(st.stx_mode))
		return -EISDIR;
	uint64_t device = (uint64_t)st.stx_dev_major << 32 | st.stx_dev_minor;

	*out = (struct disk_file){ .bytes = (int64_t)st.stx_size,
				   .id = (device * UINT64_C(0x9e3779b97f4a7c15)) ^ st.stx_ino,
				   .owner = st.stx_uid };
	return 0;
}

static int closed(int fd, int rc)
{
	if (close(fd) != 0 && rc == 0)
		rc = -errno;
	return rc;
}

int disk_create(const char *path, unsigned mode)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);

	if (fd < 0)
		return -errno;
	return closed(fd, fchmod(fd, mode) == 0 ? 0 : -errno); /* whatever the umask is */
}

int disk_remove(const char *path)
{
	return unlink(path) == 0 || errno == ENOENT ? 0 : -errno;
}

int disk_rename(const char *from, const char *to)
{
	return rename(from, to) == 0 ? 0 : -errno;
}

int disk_link(const char *from, const char *to)
{
	return link(from, to) == 0 ? 0 : -errno;
}

int disk_give(const char *path, const char *like)
{
	struct stat st;

	if (geteuid() != 0)
		return 0;
	return stat(like, &st) == 0 && chown(path, st.st_uid, st.st_gid) == 0 ? 0 : -errno;
}

static int sync_opened(const char *path, int flags)
{
	int fd = open(path, flags | O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return closed(fd, fsync(fd) == 0 ? 0 : -errno);
}

int disk_sync(const char *path)
{
	return sync_opened(path, 0);
}

int disk_sync_entries(const char *directory)
{
	return sync_opened(directory, O_DIRECTORY);
}

int disk_read(const char *path, int64_t offset, void *at, size_t room)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = pread(fd, at, room, offset);
	return closed(fd, n < 0 ? -errno : (int)n);
}

/* A pipe would keep us waiting for whoever reads it. */
int disk_open(const char *path)
{
	int fd = open(path, O_WRONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
	struct statx st;

	if (fd < 0)
		return errno == ENXIO || errno == ELOOP || errno == EISDIR ? -ENXIO : -errno;
	if (statx(fd, "", AT_EMPTY_PATH, STATX_TYPE, &st) == 0 && S_ISREG(st.stx_mode))
		return fd;
	return closed(fd, -ENXIO);
}

int disk_put(int file, int64_t offset, const void *at, size_t len)
{
	ssize_t n = pwrite(file, at, len, offset);

	return n < 0 ? -errno : (size_t)n == len ? 0 : -ENOSPC;
}

void disk_shut(int file)
{
	(void)close(file);
}

int disk_write(const char *path, int64_t offset, const void *at, size_t len)
{
	int fd = disk_open(path);

	return fd < 0 ? fd : closed(fd, disk_put(fd, offset, at, len));
}
