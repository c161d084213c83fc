/* options.h - the command line, alike in every tool: one table of rows makes the parser and the help.
 */
#ifndef LINKAGES_OPTIONS_H
#define LINKAGES_OPTIONS_H

#include <linkages/client.h>
#include <signal.h>

/* What every tool ends with. */
enum tool_exit { TOOL_OK = 0, TOOL_REFUSED = 1, TOOL_FAILED = 2 };

enum option_kind {
	OPTION_FLAG,   /* target: bool */
	OPTION_TEXT,   /* target: const char * */
	OPTION_NUMBER, /* target: int, 0 and up */
};

struct option_row {
	const char *name;
	char letter; /* 0: none */
	enum option_kind kind;
	const char *argument; /* its name in the help; NULL for a flag */
	void *target;
	const char *help; /* lines are kept; each is indented */
};

struct tool {
	const char *name;
	const char *synopsis; /* what follows the name */
	const char *purpose;  /* a paragraph */
	const struct option_row *rows;
	size_t rows_n;
	const char *notes; /* after the options: examples, files, exit status */
};

/* Reads the options; *first is the index of the first word that is none. -1: go on; else the status to exit with,
 * after --help, --version or a complaint. From here on a limit of file size is a fault like a full disk, no signal. */
int options_parse(const struct tool *tool, int argc, char **argv, int *first);
/* From now on SIGINT and SIGTERM end the wait that they interrupt, and set tool_stopped. */
void tool_await_stop(void);
extern volatile sig_atomic_t tool_stopped;
/* "linkages-pub: what went wrong" on standard error. Control characters are escaped. Returns TOOL_FAILED. */
int options_complain(const struct tool *tool, const char *format, ...) LK_PRINTF(2, 3);

#endif
