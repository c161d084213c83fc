/* log.h - one line an outcome: key=value, ids first, to standard error. A leaf: it knows no module.
 *
 * Callers write facts, never a person's name, a case number or anything a peer wrote that was not
 * checked first. One thread.
 */
#ifndef LINKAGES_LOG_H
#define LINKAGES_LOG_H

#include <linkages/base.h>
#include <sys/uio.h>

/* The numbers are those of syslog(3); journald reads them from the prefix. */
enum log_level {
	LOG_ERROR = 3,
	LOG_WARN = 4,
	LOG_NOTE = 5,
	LOG_INFO = 6,
	LOG_DETAIL = 7,
};

/* Finds out whether standard error is the journal. Lines above `limit` are not written. */
void log_open(enum log_level limit);
/* From now on each line ends in clock=manual: nobody shall take a story for the truth. */
void log_manual(bool manual);
void log_line(enum log_level level, const char *format, ...) LK_PRINTF(2, 3);
/* The prefix of a line on a standard error that the journal reads, or "". */
const char *log_prefix(enum log_level level, bool journal);
/* The key=value words of a line as fields of a journal entry, LINKAGES_KEY=value, in `room`. How many. */
size_t log_fields(const char *line, char *room, size_t size, struct iovec *fields, size_t most);

#endif
