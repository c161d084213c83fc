/* linkages-ctl.c - questions and orders for a running daemon, and keys for its clients.
 *
 * In: a command. Out: the answer, as aligned text or as JSON. Promise: every command is a row of its
 * group's table, and the tables make the help and the parsing.
 */
#include "ctl.h"

#include <string.h>

struct ctl_settings ctl_settings = { .timeout = 10,
				     .limit = 100,
				     .timezone = "America/Los_Angeles" };

static const struct option_row rows[] = {
	PLACE_ROWS(ctl_settings.place),
	{ "agency", 0, OPTION_TEXT, "AGENCY", &ctl_settings.agency,
	  "family, plan, expunge, hold: whose case number it is: cws or calworks" },
	{ "purpose", 0, OPTION_TEXT, "TEXT", &ctl_settings.purpose,
	  "where content is shown, exported or taken away: why, or on whose order;\n"
	  "written to the disclosure ledger" },
	{ "for", 0, OPTION_TEXT, "WORKER", &ctl_settings.worker,
	  "plan: for whom; what this worker may not see is left out" },
	{ "after", 0, OPTION_NUMBER, "N", &ctl_settings.after,
	  "dead-letters, dead-letters export: go on after this number" },
	{ "limit", 0, OPTION_NUMBER, "N", &ctl_settings.limit,
	  "dead-letters: at most so many (default: 100)" },
	{ "role", 0, OPTION_TEXT, "ROLE", &ctl_settings.role,
	  "keygen, clients add: publisher, worker, operator or auditor (default: publisher)" },
	{ "head", 0, OPTION_TEXT, "NUMBER:CHAIN", &ctl_settings.head,
	  "ledger verify: a head of the ledger that was kept elsewhere: from the journal, or from a backup" },
	{ "covers", 0, OPTION_TEXT, "LIST", &ctl_settings.covers,
	  "clients add, keygen: the sources of a publisher, the workers of a worker's client; with commas" },
	{ "follow", 'f', OPTION_FLAG, NULL, &ctl_settings.follow,
	  "status: again every two seconds" },
	{ "unreachable", 0, OPTION_FLAG, NULL, &ctl_settings.unreachable,
	  "workers: only those whose mailbox no client reads" },
	{ "from", 0, OPTION_TEXT, "MONTH", &ctl_settings.from,
	  "report: the first month, like 2026-03 (default: eleven months before the last)" },
	{ "to", 0, OPTION_TEXT, "MONTH", &ctl_settings.to,
	  "report: the last month (default: this one)" },
	{ "csv", 0, OPTION_FLAG, NULL, &ctl_settings.csv, "report: one line a month, with commas" },
	{ "html", 0, OPTION_TEXT, "FILE", &ctl_settings.html,
	  "report: a page with plots (-: standard output)" },
	{ "timezone", 0, OPTION_TEXT, "ZONE", &ctl_settings.timezone,
	  "report: whose days and months (default: America/Los_Angeles)" },
	{ "timeout", 't', OPTION_NUMBER, "SECONDS", &ctl_settings.timeout,
	  "how long to wait for the answer, or for a further part of it (default: 10)" },
	{ "yes", 'y', OPTION_FLAG, NULL, &ctl_settings.yes,
	  "do it without asking: what is taken away, or felt by others, is asked about first" },
	{ "json", 0, OPTION_FLAG, NULL, &ctl_settings.json, "the answer as lines of JSON" },
};

/* One sentence, and the commands: purpose_make(). */
static char purpose[8192] =
	"Asks a running daemon, or tells it what to do; makes keys.\n\nCommands:";

const struct tool ctl_tool = {
	"linkages-ctl",
	"[OPTION]… COMMAND [ARGUMENT]…",
	purpose,
	rows,
	sizeof(rows) / sizeof(rows[0]),
	"Files:\n"
	"  STATE/server.pub        the daemon's public key; STATE is the state directory\n"
	"  STATE/keys/operator.key our key, where --key names none; where case content is shown,\n"
	"                          STATE/keys/auditor.key\n"
	"  RUNTIME/control         the control socket: $RUNTIME_DIRECTORY, $XDG_RUNTIME_DIR/linkages or STATE\n"
	"  STATE/linkages.db, STATE/state.db\n"
	"                          restore, expunge, report, export: of the state directory that the\n"
	"                          configuration of --config or /etc/linkages names, where --state names none\n\n"
	"Exit status: 0 done; 1 the daemon refused it; 2 could not.\n\n"
	"Examples:\n"
	"  linkages-ctl status\n"
	"  linkages-ctl --agency cws --purpose 'supervisor review 14' family 0123-4567\n"
	"  linkages-ctl --purpose 'complaint 7' why 5f0c2a91\n"
	"  linkages-ctl --purpose 'complaint 7' why-not calsaws/e8 garcia\n"
	"  linkages-ctl --agency cws --purpose 'team meeting' plan 0123-4567 --for garcia\n"
	"  linkages-ctl policy check county.yaml\n"
	"  linkages-ctl --role worker keygen district-3\n",
};

/* ---- Commands --------------------------------------------------------------------------------------------------------- */

static const struct ctl_group *const groups[] = {
	&ctl_clients, &ctl_keys,    &ctl_service, &ctl_daemon, &ctl_letters, &ctl_keep,
	&ctl_restore, &ctl_expunge, &ctl_case,    &ctl_report, &ctl_export,
};
#define GROUPS_N (sizeof(groups) / sizeof(groups[0]))

#define COMMAND_COLUMN 24

static void help_add(const struct ctl_command *c)
{
	size_t len = strlen(purpose);
	char words[64];

	(void)snprintf(words, sizeof(words), "%s %s", c->words,
		       c->arguments != NULL ? c->arguments : "");
	(void)snprintf(purpose + len, sizeof(purpose) - len, "\n  %-*s%s %s", COMMAND_COLUMN, words,
		       strlen(words) >= COMMAND_COLUMN ? "\n                          " : "",
		       c->help);
}

static void purpose_make(void)
{
	for (size_t g = 0; g < GROUPS_N; g++)
		for (size_t i = 0; i < groups[g]->n; i++)
			help_add(&groups[g]->commands[i]);
}

/* How many of the words given are the command's own; 0: it is another. */
static int command_words(const struct ctl_command *c, int n, char *const *words)
{
	const char *second = strchr(c->words, ' ');
	size_t len = second != NULL ? (size_t)(second - c->words) : strlen(c->words);

	if (strlen(words[0]) != len || strncmp(words[0], c->words, len) != 0)
		return 0;
	if (second == NULL)
		return 1;
	return n > 1 && strcmp(words[1], second + 1) == 0 ? 2 : 0;
}

static const struct ctl_command *command_find(int n, char *const *words, int *own)
{
	for (size_t g = 0; g < GROUPS_N; g++)
		for (size_t i = 0; i < groups[g]->n; i++) {
			*own = command_words(&groups[g]->commands[i], n, words);
			if (*own > 0)
				return &groups[g]->commands[i];
		}
	return NULL;
}

/* "CASE [NAME]" wants one or two, "WORKER..." at least one. */
static bool arguments_suit(const struct ctl_command *c, int n)
{
	int least = 0, most = 0;

	for (const char *at = c->arguments; at != NULL && *at != '\0'; at += strspn(at, " ")) {
		size_t len = strcspn(at, " ");

		least += *at != '[';
		most += len > 3 && strncmp(at + len - 3, "...", 3) == 0 ? 1000 : 1;
		at += len;
	}
	return n >= least && n <= most;
}

/* The words that may follow the first, where it begins a command of two. */
static void seconds_list(const char *first, char *out, size_t room)
{
	size_t len = strlen(first);

	out[0] = '\0';
	for (size_t g = 0; g < GROUPS_N; g++)
		for (size_t i = 0; i < groups[g]->n; i++) {
			const char *words = groups[g]->commands[i].words;
			size_t at = strlen(out);

			if (strncmp(words, first, len) == 0 && words[len] == ' ')
				(void)snprintf(out + at, room - at, "%s%s", at > 0 ? ", " : "",
					       words + len + 1);
		}
}

static size_t alike(const char *a, const char *b)
{
	size_t n = 0;

	while (a[n] != '\0' && a[n] == b[n])
		n++;
	return n;
}

/* The command that begins most like what was said, by two letters at least; NULL: none does. */
static const struct ctl_command *command_nearest(const char *said)
{
	const struct ctl_command *nearest = NULL;
	size_t most = 1;

	for (size_t g = 0; g < GROUPS_N; g++)
		for (size_t i = 0; i < groups[g]->n; i++) {
			size_t n = alike(said, groups[g]->commands[i].words);

			if (n > most) {
				nearest = &groups[g]->commands[i];
				most = n;
			}
		}
	return nearest;
}

static int complain_unknown(const char *first)
{
	const struct ctl_command *nearest = command_nearest(first);
	char seconds[200];

	seconds_list(first, seconds, sizeof(seconds));
	if (seconds[0] == '\0' && nearest == NULL)
		return options_complain(&ctl_tool, "there is no command '%s'; try --help", first);
	if (seconds[0] == '\0')
		return options_complain(&ctl_tool,
					"there is no command '%s'; is '%.*s' meant? Try --help",
					first, (int)strcspn(nearest->words, " "), nearest->words);
	return options_complain(&ctl_tool, "'%s' is followed by one of: %s; try --help", first,
				seconds);
}

static int run(int n, char *const *words)
{
	int own = 0;
	const struct ctl_command *c = command_find(n, words, &own);

	if (c == NULL)
		return complain_unknown(words[0]);
	if (!arguments_suit(c, n - own))
		return options_complain(&ctl_tool, "'%s' takes %s; try --help", c->words,
					c->arguments != NULL ? c->arguments : "no argument");
	return c->run(c, words + own);
}

int main(int argc, char **argv)
{
	int first, status;

	purpose_make();
	status = options_parse(&ctl_tool, argc, argv, &first);
	if (status >= 0)
		return status;
	if (ctl_settings.timeout == 0)
		return options_complain(&ctl_tool, "--timeout: 1 second or more");
	if (first == argc)
		return options_complain(&ctl_tool,
					"what is to be done? Try 'linkages-ctl status', or --help");
	return run(argc - first, argv + first);
}
