/* bad_disk.c - a disk that is full, or that does not answer: preloaded into a daemon under test.
 *
 * In: $BAD_DISK, a folder; a file `full` or `hangs` in it. Out: while it is there, writes to files fail with ENOSPC, or syncs
 * do not return. Promise: without such a file everything is as it is without us.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LOOK_US 20000 /* whether the disk answers again */

static bool is_said(const char *word)
{
	const char *folder = getenv("BAD_DISK");
	char path[4096];

	if (folder == NULL)
		return false;
	(void)snprintf(path, sizeof(path), "%s/%s", folder, word);
	return access(path, F_OK) == 0;
}

static bool is_file(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

ssize_t pwrite64(int fd, const void *bytes, size_t n, off64_t at)
{
	if (is_file(fd) && is_said("full")) {
		errno = ENOSPC;
		return -1;
	}
	return syscall(SYS_pwrite64, fd, bytes, n, at);
}

static void wait_for_disk(int fd)
{
	while (is_file(fd) && is_said("hangs"))
		(void)usleep(LOOK_US);
}

int fsync(int fd)
{
	wait_for_disk(fd);
	return (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd)
{
	wait_for_disk(fd);
	return (int)syscall(SYS_fdatasync, fd);
}
