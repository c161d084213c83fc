/* log.c - lines for whoever looks after the daemon.
 *
 * In: facts as key=value. Out: standard error; under systemd an entry of the journal, with its level, and a field for each
 * key. Promise: one write a line, so that lines of several processes never mix; a closed or full log target never stops the
 * daemon.
 */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#define SD_JOURNAL_SUPPRESS_LOCATION /* every line would name this file */
#include <systemd/sd-journal.h>
#include <unistd.h>

#define LINE_MAX_BYTES 1024
#define FIELD "LINKAGES_"
#define FIELDS_MAX 24
#define MESSAGE "MESSAGE="
#define JOURNAL_SOCKET "/run/systemd/journal/socket"

static struct {
	enum log_level limit;
	bool journal;
	bool fields; /* the journal takes entries */
	bool manual;
} log_target = { LOG_INFO, false, false, false };

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
	/* Where it is not there, sd_journal_sendv() drops the entry and says that all is well. */
	log_target.fields = log_target.journal && access(JOURNAL_SOCKET, W_OK) == 0;
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

/* ---- Fields of the journal ---- */

/* 'key=' as LINKAGES_KEY=. The bytes written, or 0: this is no key of ours. */
static size_t put_key(char *out, size_t room, const char *key, size_t len)
{
	size_t at = sizeof(FIELD) - 1;

	if (len == 0 || len > 32 || room < at + len + 1)
		return 0;
	memcpy(out, FIELD, at);
	for (size_t i = 0; i < len; i++) {
		if (key[i] != '_' && (key[i] < 'a' || key[i] > 'z'))
			return 0;
		out[at++] = (char)(key[i] == '_' ? '_' : key[i] - 'a' + 'A');
	}
	out[at++] = '=';
	return at;
}

/* Where the word at `at` ends: at a blank, or behind the quote that closes its value. */
static size_t word_end(const char *at)
{
	size_t plain = strcspn(at, " =");
	const char *quote;

	if (at[plain] != '=')
		return plain;
	if (at[plain + 1] != '"')
		return strcspn(at, " ");
	quote = strchr(at + plain + 2, '"');
	return quote != NULL ? (size_t)(quote - at) + 1 : strlen(at);
}

static size_t put_field(char *out, size_t room, const char *word, size_t len)
{
	size_t key = strcspn(word, "= ");
	size_t at = put_key(out, room, word, key);
	const char *value = word + key + 1;
	size_t n;

	if (at == 0 || key >= len)
		return 0;
	n = len - key - 1;
	if (n >= 2 && value[0] == '"' && value[n - 1] == '"') {
		value++;
		n -= 2;
	}
	if (at + n > room)
		return 0;
	memcpy(out + at, value, n);
	return at + n;
}

size_t log_fields(const char *line, char *room, size_t size, struct iovec *fields, size_t most)
{
	size_t n = 0, used = 0;

	while (*line != '\0' && n < most) {
		size_t word = word_end(line);
		size_t len = put_field(room + used, size - used, line, word);

		if (len > 0)
			fields[n++] = (struct iovec){ room + used, len };
		used += len;
		line += word;
		line += strspn(line, " ");
	}
	return n;
}

/* One entry, its words as fields: `journalctl LINKAGES_OUTCOME=failed`. False: nobody took it. */
static bool write_journal(enum log_level level, char *line)
{
	char room[LINE_MAX_BYTES + 16 * sizeof(FIELD)], priority[16];
	struct iovec fields[FIELDS_MAX];
	size_t n = log_fields(line + sizeof(MESSAGE) - 1, room, sizeof(room), fields + 3,
			      FIELDS_MAX - 3);
	int len = snprintf(priority, sizeof(priority), "PRIORITY=%d", (int)level);

	fields[0] = (struct iovec){ line, strlen(line) };
	fields[1] = (struct iovec){ priority, (size_t)len };
	fields[2] = (struct iovec){ (char[]){ "SYSLOG_IDENTIFIER=linkagesd" },
				    sizeof("SYSLOG_IDENTIFIER=linkagesd") - 1 };
	return sd_journal_sendv(fields, (int)n + 3) == 0;
}

static void write_stderr(enum log_level level, const char *line)
{
	char text[LINE_MAX_BYTES + 8];
	int len =
		snprintf(text, sizeof(text), "%s%s\n", log_prefix(level, log_target.journal), line);
	/* A log that cannot be written must not stop what it tells of. */
	ssize_t written = write(STDERR_FILENO, text, (size_t)len);

	(void)written;
}

void log_line(enum log_level level, const char *format, ...)
{
	char line[LINE_MAX_BYTES] = MESSAGE;
	const char *end = log_target.manual ? " clock=manual" : "";
	const size_t head = sizeof(MESSAGE) - 1, room = sizeof(line) - head - 16;
	va_list args;
	int body;

	if (level > log_target.limit)
		return;
	va_start(args, format);
	body = vsnprintf(line + head, room, format, args);
	va_end(args);
	if (body < 0)
		return;
	size_t used = head + ((size_t)body < room ? (size_t)body : room - 1);
	(void)snprintf(line + used, sizeof(line) - used, "%s", end);
	if (!log_target.fields || !write_journal(level, line))
		write_stderr(level, line + head);
}
