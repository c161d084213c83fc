/* ctl.h - what the commands of linkages-ctl share: the table's row, the options, how the daemon is asked.
 *
 * A file clients/ctl_GROUP.c has the commands of one group as an array of rows; linkages-ctl.c lists the groups, and makes
 * help and parsing of them. One process, one command: the settings are the command line's.
 */
#ifndef LINKAGES_CTL_H
#define LINKAGES_CTL_H

#include "output.h"
#include "place.h"

struct ctl_command {
	const char *words;     /* "status", or two: "policy check" */
	const char *arguments; /* their names in the help, a space between two: "CASE", "[NAME]" may be left out, "WORKER..."
				* is one or more; NULL: it takes none */
	const char *help;
	const char *key;  /* whose key in STATE/keys; NULL: it asks no daemon */
	const char *verb; /* as the daemon knows it */
	/* Appends the verb's arguments as a map. TOOL_OK, or the status to exit with. */
	int (*put)(char *const *arguments, struct lk_bytes *out);
	lk_answer_visitor *print; /* of each part of the answer; the context is a struct output. 1: the answer is a bad one,
				   * exit with TOOL_REFUSED */
	/* The arguments end in NULL. Returns the status to exit with. */
	int (*run)(const struct ctl_command *command, char *const *arguments);
};

struct ctl_group {
	const struct ctl_command *commands;
	size_t n;
};
extern const struct ctl_group ctl_daemon, ctl_case, ctl_letters, ctl_keys, ctl_keep, ctl_restore, ctl_expunge,
	ctl_service, ctl_clients, ctl_report, ctl_export;

/* The command line. */
struct ctl_settings {
	struct place place;
	const char *agency, *purpose, *worker, *role, *head, *from, *to, *html, *timezone;
	int after, limit, timeout;
	const char *covers;
	bool json, csv, yes, follow, unreachable;
};
extern struct ctl_settings ctl_settings;
extern const struct tool ctl_tool; /* for options_complain() */

/* `run` of init: ctl_init.c. */
int ctl_init(const struct ctl_command *command, char *const *arguments);
/* The directory of the store that is meant, by those who open its files themselves: --state; else what the configuration
 * says, that of --config or the usual one where we may read it; else $STATE_DIRECTORY or the usual one of our own. Two that
 * hold a store: LK_ECONFIG, for nobody is to guess which of them is put back or reported on. */
int ctl_store(char out[PLACE_PATH], struct lk_error *err) LK_MUST_CHECK;
/* `run` of what the daemon answers: put, ask, print. */
int ctl_ask(const struct ctl_command *command, char *const *arguments);
/* The same for what answers nothing: says, in text, that it was done. */
int ctl_ask_and_say(const struct ctl_command *command, char *const *arguments, const char *done);
/* The same in pieces, for a command that asks more than once, or does something with the answer: with key or the
 * operator's; parts of a long work that say how far it is are shown on the terminal, not visited. 1 where the visitor
 * said so. */
int ctl_asker_open(const char *key, struct lk_asker **out, struct lk_error *err) LK_MUST_CHECK;
int ctl_asker_ask(struct lk_asker *asker, const char *verb, const struct lk_bytes *arguments,
		  lk_answer_visitor *print, void *context, struct lk_error *err) LK_MUST_CHECK;
/* An order: what it answers is of no interest. */
int ctl_asker_tell(struct lk_asker *asker, const char *verb, const struct lk_bytes *arguments,
		   struct lk_error *err) LK_MUST_CHECK;
/* May it name a client, and its files? */
bool ctl_is_name(const char *name);
#define CTL_NAME_RULE "a client's name has 1 to 64 of A-Za-z0-9._- and begins with no dot"
/* Complains where code is negative; the status to exit with. */
int ctl_status(int code, const struct lk_error *err);
/* `put` of a verb without arguments. */
int ctl_put_nothing(char *const *arguments, struct lk_bytes *out);
/* `print` of a part as it is. */
int ctl_print_value(void *context, struct lk_span body);
/* A body that has a printer of its own is printed so in text; JSON is the same for all. Returns 0. */
int ctl_print_as(struct output *out, struct lk_span body,
		 void (*print)(struct output *out, struct lk_span body));
/* For what cannot be taken back, or is felt by others: asks on the terminal. TOOL_OK: yes, or --yes was given; else the
 * status to exit with: TOOL_REFUSED for a no, TOOL_FAILED where there is nobody to ask. */
int ctl_confirm(const char *format, ...) LK_PRINTF(1, 2);
/* --agency was given, and is one; complains where it is not. */
bool ctl_has_agency(void);
/* --purpose was given, for what shows case content; complains where it was not. */
bool ctl_has_purpose(void);
struct ctl_role {
	const char *name;
	const char *covers; /* the member of its entry in the table of clients; NULL: it covers nobody */
};
/* Of --role; publisher where it was not given. LK_ECONFIG: there is no such role. */
int ctl_role(const struct ctl_role **out, struct lk_error *err) LK_MUST_CHECK;
/* Of the terminal, or as the environment says, or a sheet of paper's: characters. */
unsigned ctl_page_width(void);

#endif
