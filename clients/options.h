/* options.h - the command line, alike in every tool: one table of rows makes the parser and the help.
 */
#ifndef LINKAGES_OPTIONS_H
#define LINKAGES_OPTIONS_H

#include <linkages/client.h>

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
/* "linkages-pub: what went wrong" on standard error. Control characters are escaped. Returns TOOL_FAILED. */
int options_complain(const struct tool *tool, const char *format, ...) LK_PRINTF(2, 3);

/* Where the daemon and we are: the rows that the tools share, and what they lead to. */
struct place {
	const char *state;      /* --state */
	const char *config;     /* --config */
	const char *server;     /* --server */
	const char *server_key; /* --server-key */
	const char *key;        /* --key */
};

/* clang-format off */
#define PLACE_ROWS(place) \
	{ "state", 0, OPTION_TEXT, "DIR", &(place).state, \
	  "the state directory of a daemon on this machine; keys are looked for there\n" \
	  "(default: $STATE_DIRECTORY, $XDG_STATE_HOME/linkages or ~/.local/state/linkages)" }, \
	{ "config", 'c', OPTION_TEXT, "DIR", &(place).config, \
	  "the folder that `linkages-ctl init` has made; its keys come first\n" \
	  "(default: $CONFIGURATION_DIRECTORY or /etc/linkages)" }, \
	{ "server", 's', OPTION_TEXT, "ADDRESS", &(place).server, \
	  "where the daemon listens, like tcp://host:port" }, \
	{ "server-key", 0, OPTION_TEXT, "FILE", &(place).server_key, \
	  "the daemon's public key (default: server.pub in the state directory)" }, \
	{ "key", 'k', OPTION_TEXT, "FILE", &(place).key, "our own key file (default: see Files)" }
/* clang-format on */

#define PLACE_PATH 1024
/* The folder of the configuration, whether it is there or not. */
int place_config(const struct place *place, char out[PLACE_PATH], struct lk_error *err) LK_MUST_CHECK;
/* The state directory, whether it is there or not. 0, or LK_ECONFIG where nothing tells. */
int place_state(const struct place *place, char out[PLACE_PATH],
		struct lk_error *err) LK_MUST_CHECK;
/* A file of ours: <state directory>-clients/NAME.SUFFIX. Makes the folder (0700). */
int place_own(const struct place *place, const char *name, const char *suffix, char out[PLACE_PATH],
	      struct lk_error *err) LK_MUST_CHECK;
/* The daemon at --server, or at `address`; with --key, or else the first of names[0..n) that is at keys/NAME.key in the
 * folder of --config, in the state directory, or, where neither was named, in the configuration's usual folder.
 * server.pub is looked for likewise. `out` borrows the address. */
int place_peer(const struct place *place, const char *address, const char *const *names, size_t n,
	       struct lk_peer *out, struct lk_error *err) LK_MUST_CHECK;
/* The control lane's address: --server; else the first socket named 'control' at which somebody listens, or else the first
 * at all, in the run folder of --config, in the state directory (where --state is given), $RUNTIME_DIRECTORY,
 * $XDG_RUNTIME_DIR/linkages, the state directory, /run/linkages. */
int place_control(const struct place *place, char out[PLACE_PATH],
		  struct lk_error *err) LK_MUST_CHECK;

#endif
