/* options.c - the command line, alike in every tool.
 *
 * In: a table of rows, and the words given. Out: filled targets, or help. Promise: what the help says is what is
 * parsed, for both are the same rows.
 */
#include "options.h"
#include "output.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define ROWS_MAX 32
#define COMPLAINT_INDENT 2
#define LONG_HELP 1000
#define LONG_VERSION 1001
#define LONG_FIRST 1002

volatile sig_atomic_t tool_stopped;

static void stop(int signal)
{
	(void)signal;
	tool_stopped = 1;
}

void tool_await_stop(void)
{
	struct sigaction action = { .sa_handler = stop };

	(void)sigaction(SIGINT, &action, NULL);
	(void)sigaction(SIGTERM, &action, NULL);
}

int options_complain(const struct tool *tool, const char *format, ...)
{
	struct output err;
	char text[600];
	va_list values;

	va_start(values, format);
	(void)vsnprintf(text, sizeof(text), format, values);
	va_end(values);
	output_open(&err, stderr, false);
	output_word(&err, tool->name);
	output_word(&err, ": ");
	output_wrapped(&err, lk_text_of(text), COMPLAINT_INDENT);
	output_word(&err, "\n");
	return TOOL_FAILED;
}

/* ---- Help ----------------------------------------------------------------------------------------------------------- */

/* In a pipe lines are as they are written here: `man` pages are made of them. On a terminal they end where it ends, and at
 * the latest here. */
#define HELP_WIDEST 100
#define ROW_INDENT 10
#define USAGE_INDENT 7

/* Where a line goes on below itself: under what stands behind a gap, else under its own beginning. */
static unsigned help_indent(const char *line, size_t len)
{
	size_t from = strspn(line, " ");

	for (size_t i = from; i + 2 < len; i++)
		if (line[i] == ' ' && line[i + 1] == ' ')
			return (unsigned)(i + strspn(line + i, " "));
	return (unsigned)from;
}

static void help_line(struct output *out, const char *line, size_t len, unsigned indent)
{
	output_wrapped(out, (struct lk_text){ line, (uint32_t)len },
		       2 * indent > out->width ? ROW_INDENT : indent);
}

/* Lines that begin with a blank are rows; others follow each other in a paragraph, until an empty one. */
static void help_text(struct output *out, const char *text)
{
	while (*text != '\0') {
		size_t len = strcspn(text, "\n");
		const char *next = text + len + (text[len] == '\n');
		bool goes_on = out->width > 0 && len > 0 && *text != ' ' && *next != '\0' &&
			       *next != ' ' && *next != '\n';

		help_line(out, text, len, help_indent(text, len));
		output_word(out, goes_on ? " " : "\n");
		text = next;
	}
}

static void help_row(struct output *out, const struct option_row *row)
{
	const char *line = row->help;
	char head[80], letter[8] = "    ";

	if (row->letter != 0)
		(void)snprintf(letter, sizeof(letter), "-%c, ", row->letter);
	(void)snprintf(head, sizeof(head), "  %s--%s%s%s\n", letter, row->name,
		       row->argument != NULL ? " " : "",
		       row->argument != NULL ? row->argument : "");
	output_word(out, head);
	output_pad(out, ROW_INDENT);
	while (*line != '\0') {
		size_t len = strcspn(line, "\n");

		help_line(out, line, len, ROW_INDENT);
		line += len + (line[len] == '\n');
		if (*line == '\0')
			break;
		output_word(out, out->width > 0 ? " " : "\n");
		if (out->width == 0)
			output_pad(out, ROW_INDENT);
	}
	output_word(out, "\n");
}

static int help_print(const struct tool *tool)
{
	struct output out;

	output_open(&out, stdout, false);
	if (out.width > HELP_WIDEST)
		out.width = HELP_WIDEST;
	output_word(&out, "Usage: ");
	output_word(&out, tool->name);
	output_word(&out, " ");
	output_wrapped(&out, lk_text_of(tool->synopsis), USAGE_INDENT);
	output_word(&out, "\n\n");
	help_text(&out, tool->purpose);
	output_word(&out, "\nOptions:\n");
	for (size_t i = 0; i < tool->rows_n; i++)
		help_row(&out, &tool->rows[i]);
	output_word(&out, "  -h, --help\n          print this and end\n"
			  "  -V, --version\n          print the version and end\n\n");
	help_text(&out, tool->notes);
	return output_close(&out) < 0 ? TOOL_FAILED : TOOL_OK;
}

/* ---- Parsing -------------------------------------------------------------------------------------------------------- */

static int row_take(const struct tool *tool, const struct option_row *row, char *value)
{
	char *end = NULL;
	long number;

	switch (row->kind) {
	case OPTION_FLAG: *(bool *)row->target = true; return -1;
	case OPTION_TEXT: *(const char **)row->target = value; return -1;
	case OPTION_NUMBER:
		errno = 0;
		number = strtol(value, &end, 10);
		if (errno != 0 || end == value || *end != '\0' || number < 0 || number > 1000000000)
			return options_complain(tool, "--%s wants a number, not '%s'", row->name,
						value);
		*(int *)row->target = (int)number;
		return -1;
	}
	return -1;
}

static const struct option_row *row_find(const struct tool *tool, int code)
{
	for (size_t i = 0; i < tool->rows_n; i++)
		if (code == LONG_FIRST + (int)i ||
		    (tool->rows[i].letter != 0 && code == tool->rows[i].letter))
			return &tool->rows[i];
	return NULL;
}

static void rows_announce(const struct tool *tool, struct option longs[ROWS_MAX],
			  char shorts[2 * ROWS_MAX + 3])
{
	size_t n = 0;

	for (size_t i = 0; i < tool->rows_n; i++) {
		const struct option_row *row = &tool->rows[i];

		longs[i].name = row->name;
		longs[i].has_arg = row->kind == OPTION_FLAG ? no_argument : required_argument;
		longs[i].val = LONG_FIRST + (int)i;
		if (row->letter != 0)
			shorts[n++] = row->letter;
		if (row->letter != 0 && row->kind != OPTION_FLAG)
			shorts[n++] = ':';
	}
	longs[tool->rows_n] = (struct option){ "help", no_argument, NULL, LONG_HELP };
	longs[tool->rows_n + 1] = (struct option){ "version", no_argument, NULL, LONG_VERSION };
	shorts[n] = 'h';
	shorts[n + 1] = 'V';
	shorts[n + 2] = '\0';
}

int options_parse(const struct tool *tool, int argc, char **argv, int *first)
{
	struct option longs[ROWS_MAX + 3] = { 0 };
	char shorts[2 * ROWS_MAX + 3];
	int code, status;

	(void)signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is a write that fails */
	rows_announce(tool, longs, shorts);
	while ((code = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		const struct option_row *row = row_find(tool, code);

		if (code == LONG_HELP || code == 'h')
			return help_print(tool);
		if (code == LONG_VERSION || code == 'V') {
			printf("%s %s\n", tool->name, lk_version());
			return fflush(stdout) == 0 ? TOOL_OK : TOOL_FAILED;
		}
		if (row == NULL) {
			(void)fprintf(stderr, "Try '%s --help'.\n", tool->name);
			return TOOL_FAILED;
		}
		status = row_take(tool, row, optarg);
		if (status >= 0)
			return status;
	}
	*first = optind;
	return -1;
}
