/* linkages-ctl.c - questions and orders for a running daemon, and keys for its clients.
 *
 * In: a command. Out: the answer, as aligned text or as JSON. Promise: every command is a row of one table, which makes
 * the help and the parsing; a refusal of the daemon is told as it gave it.
 */
#include "options.h"
#include "output.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct {
	struct place place;
	const char *agency, *purpose, *role;
	int after, limit, timeout;
	bool json;
} settings = { .timeout = 10 };

static const struct option_row rows[] = {
	PLACE_ROWS(settings.place),
	{ "agency", 0, OPTION_TEXT, "AGENCY", &settings.agency,
	  "family: whose case number it is: cws or calworks" },
	{ "purpose", 0, OPTION_TEXT, "TEXT", &settings.purpose,
	  "family: why it is looked at; written to the disclosure ledger" },
	{ "after", 0, OPTION_NUMBER, "N", &settings.after,
	  "dead-letters: go on after this number" },
	{ "limit", 0, OPTION_NUMBER, "N", &settings.limit,
	  "dead-letters: at most so many (default: 100)" },
	{ "role", 0, OPTION_TEXT, "ROLE", &settings.role,
	  "keygen: publisher, worker, operator or auditor (default: publisher)" },
	{ "timeout", 't', OPTION_NUMBER, "SECONDS", &settings.timeout,
	  "how long to wait for the answer (default: 10)" },
	{ "json", 0, OPTION_FLAG, NULL, &settings.json, "the answer as lines of JSON" },
};

/* One sentence, and the commands: purpose_make(). */
static char purpose[2048] =
	"Asks a running daemon, or tells it what to do; makes keys.\n\nCommands:";

static const struct tool tool = {
	"linkages-ctl",
	"[OPTION]… COMMAND [ARGUMENT]",
	purpose,
	rows,
	sizeof(rows) / sizeof(rows[0]),
	"Files:\n"
	"  STATE/server.pub        the daemon's public key; STATE is the state directory\n"
	"  STATE/keys/operator.key our key, where --key names none; for `family` STATE/keys/auditor.key\n"
	"  RUNTIME/control         the control socket: $RUNTIME_DIRECTORY, $XDG_RUNTIME_DIR/linkages or STATE\n\n"
	"Exit status: 0 done; 1 the daemon refused it; 2 could not.\n\n"
	"Examples:\n"
	"  linkages-ctl status\n"
	"  linkages-ctl --agency cws --purpose 'supervisor review 14' family 0123-4567\n"
	"  linkages-ctl --role worker keygen district-3\n",
};

struct command {
	const char *word;
	const char *argument; /* its name in the help; NULL: it takes none */
	const char *help;
	const char *key; /* whose key in STATE/keys; NULL: it asks no daemon */
	/* Appends the arguments as a map. 0, or the status to exit with. */
	int (*arguments)(const char *argument, struct lk_bytes *out);
	int (*run)(const struct command *command, const char *argument);
};

/* ---- Asking ----------------------------------------------------------------------------------------------------------- */

static int part_print(void *context, struct lk_span body)
{
	output_value(context, body);
	return 0;
}

/* A page of dead letters is a table; that there are none is said in words. */
static int letters_print(void *context, struct lk_span body)
{
	struct output *out = context;
	struct lk_span letters = lk_get(body, "letters");

	if (out->json || lk_count(letters) < 0)
		output_value(out, body);
	else if (lk_count(letters) == 0)
		output_word(out, "no dead letters\n");
	else
		output_value(out, letters);
	return 0;
}

static int no_arguments(const char *argument, struct lk_bytes *out)
{
	(void)argument;
	lk_put_map(out, 0);
	return TOOL_OK;
}

static int family_arguments(const char *argument, struct lk_bytes *out)
{
	if (settings.agency == NULL)
		return options_complain(&tool,
					"whose case is it? Say --agency cws or --agency calworks");
	if (settings.purpose == NULL)
		return options_complain(
			&tool, "why is it looked at? Say --purpose TEXT; it goes to the ledger");
	lk_put_map(out, 3);
	lk_put_word(out, "agency");
	lk_put_word(out, settings.agency);
	lk_put_word(out, "case");
	lk_put_word(out, argument);
	lk_put_word(out, "purpose");
	lk_put_word(out, settings.purpose);
	return TOOL_OK;
}

static int letters_arguments(const char *argument, struct lk_bytes *out)
{
	(void)argument;
	lk_put_map(out, settings.limit > 0 ? 2 : 1);
	lk_put_word(out, "after");
	lk_put_int(out, settings.after);
	if (settings.limit > 0) {
		lk_put_word(out, "limit");
		lk_put_int(out, settings.limit);
	}
	return TOOL_OK;
}

static int clock_arguments(const char *argument, struct lk_bytes *out)
{
	lk_put_map(out, 1);
	lk_put_word(out, "to");
	lk_put_word(out, argument);
	return TOOL_OK;
}

static int asker_open(const struct command *command, struct lk_asker **out, struct lk_error *err)
{
	static char address[PLACE_PATH];
	const char *names[] = { command->key, "operator" };
	struct lk_peer peer;
	int code = place_control(&settings.place, address, err);

	if (code == 0)
		code = place_peer(&settings.place, address, names, 2, &peer, err);
	return code < 0 ? code : lk_asker_create(&peer, out, err);
}

static int ask(const struct command *command, const char *argument)
{
	lk_answer_visitor *print =
		strcmp(command->word, "dead-letters") == 0 ? letters_print : part_print;
	struct lk_bytes arguments = { 0 };
	struct lk_asker *asker = NULL;
	struct output out;
	struct lk_error err;
	int code, status = command->arguments(argument, &arguments);

	if (status != TOOL_OK) {
		lk_bytes_free(&arguments);
		return status;
	}
	output_open(&out, stdout, settings.json);
	code = asker_open(command, &asker, &err);
	if (code == 0)
		code = lk_asker_ask(asker, command->word, lk_span_of(arguments.at, arguments.len),
				    settings.timeout * 1000, print, &out, &err);
	if (code == 0 && output_close(&out) < 0)
		code = lk_fail(&err, LK_EFULL, "cannot write the answer");
	if (code < 0)
		(void)options_complain(&tool, "%s", err.text);
	lk_asker_destroy(asker);
	lk_bytes_free(&arguments);
	return code == 0                                 ? TOOL_OK
	       : code == LK_EREFUSED || code == LK_EAUTH ? TOOL_REFUSED
							 : TOOL_FAILED;
}

/* ---- Keys ------------------------------------------------------------------------------------------------------------- */

/* What a role's entry names besides name and key. */
static const struct {
	const char *role, *member;
} roles[] = {
	{ "publisher", "  sources: [%s]\n" },
	{ "worker", "  workers: [%s]\n" },
	{ "operator", NULL },
	{ "auditor", NULL },
};

static bool is_name(const char *name)
{
	size_t len =
		strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");

	return len > 0 && len <= 64 && name[len] == '\0' && name[0] != '.';
}

static void entry_print(const char *name, const char *role, const char *member, const char *key)
{
	if (settings.json) {
		struct lk_bytes line = { 0 };
		struct output out;

		lk_put_map(&line, 3);
		lk_put_word(&line, "name");
		lk_put_word(&line, name);
		lk_put_word(&line, "key");
		lk_put_word(&line, key);
		lk_put_word(&line, "role");
		lk_put_word(&line, role);
		output_open(&out, stdout, true);
		output_line(&out, lk_span_of(line.at, line.len));
		lk_bytes_free(&line);
		return;
	}
	/* Z85 has no single quote, so that the key needs no escaping between them. */
	printf("- name: %s\n  key: '%s'\n  role: %s\n", name, key, role);
	if (member != NULL)
		printf(member, name);
}

static int pair_write(const char *name, struct lk_keypair *keys, struct lk_error *err)
{
	char secret[128], public[128];
	int code = lk_keypair_make(keys, err);

	(void)snprintf(secret, sizeof(secret), "%s.key", name);
	(void)snprintf(public, sizeof(public), "%s.pub", name);
	if (code == 0)
		code = lk_keypair_write(secret, keys, err);
	if (code < 0)
		return code;
	code = lk_public_key_write(public, keys->public_key, err);
	if (code < 0)
		(void)unlink(secret); /* made a moment ago, and nobody has its public half */
	return code;
}

static int keygen(const struct command *command, const char *argument)
{
	const char *role = settings.role != NULL ? settings.role : "publisher";
	struct lk_keypair keys;
	struct lk_error err;
	size_t i = 0;

	(void)command;
	while (i < sizeof(roles) / sizeof(roles[0]) && strcmp(role, roles[i].role) != 0)
		i++;
	if (i == sizeof(roles) / sizeof(roles[0]))
		return options_complain(
			&tool, "'%s' is no role: publisher, worker, operator or auditor", role);
	if (!is_name(argument))
		return options_complain(
			&tool,
			"a client's name has 1 to 64 of A-Za-z0-9._- and begins with no dot");
	if (pair_write(argument, &keys, &err) < 0)
		return options_complain(&tool, "%s", err.text);
	entry_print(argument, role, roles[i].member, keys.public_key);
	return fflush(stdout) == 0 ? TOOL_OK : TOOL_FAILED;
}

/* ---- Commands --------------------------------------------------------------------------------------------------------- */

static const struct command commands[] = {
	{ "keygen", "NAME",
	  "make NAME.key and NAME.pub here, and print an entry for the table of clients", NULL,
	  NULL, keygen },
	{ "status", NULL, "what the daemon is doing: counts, sessions, clock", "operator",
	  no_arguments, ask },
	{ "family", "CASE", "the family that a case belongs to, and its state; --agency, --purpose",
	  "auditor", family_arguments, ask },
	{ "dead-letters", NULL, "input that was refused, and why", "operator", letters_arguments,
	  ask },
	{ "clock", "TO", "move a clock that is `manual` to TO, like 2026-03-09T08:00:00-08:00",
	  "operator", clock_arguments, ask },
	{ "reload", NULL, "read policy and table of clients again", "operator", no_arguments, ask },
	{ "stop", NULL, "commit what waits, tell everyone, and end", "operator", no_arguments,
	  ask },
};
#define COMMANDS_N (sizeof(commands) / sizeof(commands[0]))

static void purpose_make(void)
{
	for (size_t i = 0; i < COMMANDS_N; i++) {
		const struct command *c = &commands[i];
		size_t len = strlen(purpose);
		char words[64];

		(void)snprintf(words, sizeof(words), "%s %s", c->word,
			       c->argument != NULL ? c->argument : "");
		(void)snprintf(purpose + len, sizeof(purpose) - len, "\n  %-22s %s", words,
			       c->help);
	}
}

static const struct command *command_find(const char *word)
{
	for (size_t i = 0; i < COMMANDS_N; i++)
		if (strcmp(word, commands[i].word) == 0)
			return &commands[i];
	return NULL;
}

int main(int argc, char **argv)
{
	const struct command *command;
	int first, words, status;

	purpose_make();
	status = options_parse(&tool, argc, argv, &first);
	if (status >= 0)
		return status;
	if (first == argc)
		return options_complain(&tool,
					"what is to be done? Try 'linkages-ctl status', or --help");
	command = command_find(argv[first]);
	if (command == NULL)
		return options_complain(&tool, "there is no command '%s'; try --help", argv[first]);
	words = argc - first - 1;
	if (words != (command->argument != NULL ? 1 : 0))
		return options_complain(&tool, "'%s' takes %s; try --help", command->word,
					command->argument != NULL ? "one argument" : "no argument");
	return command->run(command, words == 1 ? argv[first + 1] : NULL);
}
