/* shift_clock.c - loaded before the daemon's libraries, it sets the machine's clock off for that one process.
 *
 * In: $SHIFT_CLOCK, a file of eight bytes: by how many microseconds, changed whenever a test likes. Out:
 * clock_gettime(CLOCK_REALTIME), so much later. Promise: every other clock is left alone, as when somebody sets a clock.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *shift_us;

__attribute__((constructor)) static void find_file(void)
{
	const char *path = getenv("SHIFT_CLOCK");
	int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	void *map =
		fd >= 0 ? mmap(NULL, sizeof(*shift_us), PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;

	if (fd >= 0)
		(void)close(fd);
	if (map != MAP_FAILED)
		shift_us = map;
}

int clock_gettime(clockid_t id, struct timespec *out)
{
	int rc = (int)syscall(SYS_clock_gettime, id, out);

	if (rc != 0 || id != CLOCK_REALTIME || shift_us == NULL)
		return rc;
	int64_t ns = out->tv_nsec + *shift_us % 1000000 * 1000;
	out->tv_sec += *shift_us / 1000000 + (ns >= 1000000000) - (ns < 0);
	out->tv_nsec = ns + (ns < 0 ? 1000000000 : ns >= 1000000000 ? -1000000000 : 0);
	return 0;
}
