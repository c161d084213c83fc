/* progress.c - a line that says how far a work has come.
 *
 * In: counts. Out: a line on the terminal, at most ten times a second. Promise: a program that is not watched, or is done
 * within a second, writes nothing; what is printed afterwards starts on a clean line.
 */
#include "progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_US LK_SECOND
#define REDRAW_US (LK_SECOND / 10)

static struct {
	int64_t since, drawn; /* microseconds of the machine's steady clock; 0: not yet */
} line;

int64_t steady_us(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * LK_SECOND + now.tv_nsec / 1000;
}

static bool is_watched(void)
{
	const char *terminal = getenv("TERM");

	return isatty(STDERR_FILENO) == 1 && (terminal == NULL || strcmp(terminal, "dumb") != 0);
}

void progress_say(const char *what, int64_t done, int64_t of)
{
	int64_t now = steady_us();

	if (line.since == 0)
		line.since = now;
	if (now - line.since < PATIENCE_US || now - line.drawn < REDRAW_US || !is_watched())
		return;
	line.drawn = now;
	if (of > 0)
		(void)fprintf(stderr, "\r\x1b[K%s: %" PRId64 " of %" PRId64 " (%" PRId64 " %%)",
			      what, done, of, done * 100 / of);
	else
		(void)fprintf(stderr, "\r\x1b[K%s: %" PRId64, what, done);
	(void)fflush(stderr);
}

void progress_end(void)
{
	if (line.drawn != 0)
		(void)fputs("\r\x1b[K", stderr);
	line.since = line.drawn = 0;
}
