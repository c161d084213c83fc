/* log.c - lines for whoever looks after the daemon.
 *
 * In: facts as key=value. Out: standard error; under systemd with a level that the journal
 * understands. Promise: one write a line, so that lines of several processes never mix; a closed or
 * full log target never stops the daemon.
 */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_MAX_BYTES 1024

static struct {
	enum log_level limit;
	bool journal;
	bool manual;
} log_target = { LOG_INFO, false, false };

/* $JOURNAL_STREAM names the device and inode of the stream that systemd made:
 * sd_journal_print(3). A standard error that was redirected since is another file, and gets
 * plain lines. */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device = 0, inode = 0;
	struct stat st;

	if (stream == NULL || sscanf(stream, "%llu:%llu", &device, &inode) != 2)
		return false;
	return fstat(STDERR_FILENO, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

void log_open(enum log_level limit)
{
	log_target.limit = limit;
	log_target.journal = stderr_is_journal();
}

void log_manual(bool manual)
{
	log_target.manual = manual;
}

const char *log_prefix(enum log_level level, bool journal)
{
	static const char *const prefixes[] = {
		[LOG_ERROR] = "<3>", [LOG_WARN] = "<4>",   [LOG_NOTE] = "<5>",
		[LOG_INFO] = "<6>",  [LOG_DETAIL] = "<7>",
	};
	return journal ? prefixes[level] : "";
}

void log_line(enum log_level level, const char *format, ...)
{
	char line[LINE_MAX_BYTES];
	const char *end = log_target.manual ? " clock=manual\n" : "\n";
	const char *prefix = log_prefix(level, log_target.journal);
	size_t room = sizeof(line) - 16;
	va_list args;
	int head, body;

	if (level > log_target.limit)
		return;
	head = snprintf(line, room, "%s", prefix);
	va_start(args, format);
	body = vsnprintf(line + head, room - (size_t)head, format, args);
	va_end(args);
	if (body < 0)
		return;
	size_t used = (size_t)head + (size_t)body;
	if (used >= room)
		used = room - 1;
	used += (size_t)snprintf(line + used, sizeof(line) - used, "%s", end);
	/* A log that cannot be written must not stop what it tells of. */
	ssize_t written = write(STDERR_FILENO, line, used);
	(void)written;
}
