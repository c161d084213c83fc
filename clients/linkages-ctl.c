/* linkages-ctl.c - questions and orders for a running daemon, and keys for its clients.
 *
 * In: a command. Out: the answer, as aligned text or as JSON. Promise: every command is a row of one table, which makes
 * the help and the parsing; a refusal of the daemon is told as it gave it.
 */
#include "answers.h"
#include "options.h"
#include "output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static struct {
	struct place place;
	const char *agency, *purpose, *worker, *role;
	int after, limit, timeout;
	bool json;
} settings = { .timeout = 10 };

static const struct option_row rows[] = {
	PLACE_ROWS(settings.place),
	{ "agency", 0, OPTION_TEXT, "AGENCY", &settings.agency,
	  "family, plan: whose case number it is: cws or calworks" },
	{ "purpose", 0, OPTION_TEXT, "TEXT", &settings.purpose,
	  "family, why, why-not, plan: why it is looked at; written to the disclosure ledger" },
	{ "for", 0, OPTION_TEXT, "WORKER", &settings.worker,
	  "plan: for whom; what this worker may not see is left out" },
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
static char purpose[4096] =
	"Asks a running daemon, or tells it what to do; makes keys.\n\nCommands:";

static const struct tool tool = {
	"linkages-ctl",
	"[OPTION]… COMMAND [ARGUMENT]",
	purpose,
	rows,
	sizeof(rows) / sizeof(rows[0]),
	"Files:\n"
	"  STATE/server.pub        the daemon's public key; STATE is the state directory\n"
	"  STATE/keys/operator.key our key, where --key names none; where case content is shown,\n"
	"                          STATE/keys/auditor.key\n"
	"  RUNTIME/control         the control socket: $RUNTIME_DIRECTORY, $XDG_RUNTIME_DIR/linkages or STATE\n\n"
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

struct command {
	const char *words;
	const char
		*arguments; /* their names in the help, a space between two; NULL: it takes none */
	const char *help;
	const char *key;  /* whose key in STATE/keys; NULL: it asks no daemon */
	const char *verb; /* as the daemon knows it */
	/* Appends the arguments as a map. 0, or the status to exit with. */
	int (*put)(char *const *arguments, struct lk_bytes *out);
	lk_answer_visitor *print;
	int (*run)(const struct command *command, char *const *arguments);
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

/* A body that has a printer of its own is printed so in text; JSON is the same for all. */
static int print_as(struct output *out, struct lk_span body,
		    void (*print)(struct output *out, struct lk_span body))
{
	if (out->json)
		output_value(out, body);
	else
		print(out, body);
	return 0;
}

static int family_print(void *context, struct lk_span body)
{
	return print_as(context, body, answer_family);
}

static int why_print(void *context, struct lk_span body)
{
	return print_as(context, body, answer_why);
}

static int why_not_print(void *context, struct lk_span body)
{
	return print_as(context, body, answer_why_not);
}

/* Of the terminal, or as the environment says, or a sheet of paper's. */
static unsigned page_width(void)
{
	const char *columns = getenv("COLUMNS");
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
		return size.ws_col;
	return columns != NULL ? (unsigned)strtoul(columns, NULL, 10) : 100;
}

static void plan_page(struct output *out, struct lk_span body)
{
	answer_plan(out, body, page_width());
}

static int plan_print(void *context, struct lk_span body)
{
	return print_as(context, body, plan_page);
}

static void policy_line(struct output *out, struct lk_span body)
{
	bool in_force = false;

	(void)lk_as_bool(lk_get(body, "in_force"), &in_force);
	output_word(out, "sound; ");
	output_word(out, in_force ? "the policy in force" : "another policy than the one in force");
	output_word(out, " (");
	output_text(out, lk_as_text(lk_get(body, "revision")));
	output_word(out, ")\n");
}

static int policy_print(void *context, struct lk_span body)
{
	return print_as(context, body, policy_line);
}

static int no_arguments(char *const *arguments, struct lk_bytes *out)
{
	(void)arguments;
	lk_put_map(out, 0);
	return TOOL_OK;
}

static int purpose_missing(void)
{
	return options_complain(&tool,
				"why is it looked at? Say --purpose TEXT; it goes to the ledger");
}

static int agency_missing(void)
{
	return options_complain(&tool, "whose case is it? Say --agency cws or --agency calworks");
}

static void put_pair(struct lk_bytes *out, const char *key, const char *value)
{
	lk_put_word(out, key);
	lk_put_word(out, value);
}

static int family_arguments(char *const *arguments, struct lk_bytes *out)
{
	if (settings.agency == NULL)
		return agency_missing();
	if (settings.purpose == NULL)
		return purpose_missing();
	lk_put_map(out, 3);
	put_pair(out, "agency", settings.agency);
	put_pair(out, "case", arguments[0]);
	put_pair(out, "purpose", settings.purpose);
	return TOOL_OK;
}

static int why_arguments(char *const *arguments, struct lk_bytes *out)
{
	if (settings.purpose == NULL)
		return purpose_missing();
	lk_put_map(out, 2);
	put_pair(out, "notice", arguments[0]);
	put_pair(out, "purpose", settings.purpose);
	return TOOL_OK;
}

static int why_not_arguments(char *const *arguments, struct lk_bytes *out)
{
	if (settings.purpose == NULL)
		return purpose_missing();
	lk_put_map(out, 3);
	put_pair(out, "event", arguments[0]);
	put_pair(out, "worker", arguments[1]);
	put_pair(out, "purpose", settings.purpose);
	return TOOL_OK;
}

static int plan_arguments(char *const *arguments, struct lk_bytes *out)
{
	if (settings.worker == NULL)
		return options_complain(&tool, "who is to see it? Say --for WORKER");
	if (settings.agency == NULL)
		return agency_missing();
	if (settings.purpose == NULL)
		return purpose_missing();
	lk_put_map(out, 4);
	put_pair(out, "agency", settings.agency);
	put_pair(out, "case", arguments[0]);
	put_pair(out, "worker", settings.worker);
	put_pair(out, "purpose", settings.purpose);
	return TOOL_OK;
}

#define POLICY_MOST (128u * 1024) /* what the daemon takes */

static int policy_arguments(char *const *arguments, struct lk_bytes *out)
{
	static char text[POLICY_MOST + 1];
	FILE *file = fopen(arguments[0], "re");
	size_t len;

	if (file == NULL)
		return options_complain(&tool, "cannot read %s: %s", arguments[0], strerror(errno));
	len = fread(text, 1, sizeof(text), file);
	if (ferror(file) != 0 || len > POLICY_MOST) {
		(void)fclose(file);
		return options_complain(&tool, "%s: %s", arguments[0],
					len > POLICY_MOST ? "more than 128 KiB" : "cannot be read");
	}
	(void)fclose(file);
	lk_put_map(out, 2);
	put_pair(out, "name", arguments[0]);
	lk_put_word(out, "text");
	lk_put_text(out, (struct lk_text){ text, (uint32_t)len });
	return TOOL_OK;
}

static int letters_arguments(char *const *arguments, struct lk_bytes *out)
{
	(void)arguments;
	lk_put_map(out, settings.limit > 0 ? 2 : 1);
	lk_put_word(out, "after");
	lk_put_int(out, settings.after);
	if (settings.limit > 0) {
		lk_put_word(out, "limit");
		lk_put_int(out, settings.limit);
	}
	return TOOL_OK;
}

static int clock_arguments(char *const *arguments, struct lk_bytes *out)
{
	lk_put_map(out, 1);
	put_pair(out, "to", arguments[0]);
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

static int ask(const struct command *command, char *const *words)
{
	struct lk_bytes arguments = { 0 };
	struct lk_asker *asker = NULL;
	struct output out;
	struct lk_error err;
	int code, status = command->put(words, &arguments);

	if (status != TOOL_OK) {
		lk_bytes_free(&arguments);
		return status;
	}
	output_open(&out, stdout, settings.json);
	code = asker_open(command, &asker, &err);
	if (code == 0)
		code = lk_asker_ask(asker, command->verb, lk_span_of(arguments.at, arguments.len),
				    settings.timeout * 1000, command->print, &out, &err);
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
	{ "publisher", "sources" },
	{ "worker", "workers" },
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
		printf("  %s: [%s]\n", member, name);
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

static int keygen(const struct command *command, char *const *arguments)
{
	const char *name = arguments[0];
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
	if (!is_name(name))
		return options_complain(
			&tool,
			"a client's name has 1 to 64 of A-Za-z0-9._- and begins with no dot");
	if (pair_write(name, &keys, &err) < 0)
		return options_complain(&tool, "%s", err.text);
	entry_print(name, role, roles[i].member, keys.public_key);
	return fflush(stdout) == 0 ? TOOL_OK : TOOL_FAILED;
}

/* ---- Commands --------------------------------------------------------------------------------------------------------- */

static const struct command commands[] = {
	{ "keygen", "NAME",
	  "make NAME.key and NAME.pub here, and print an entry for the table of clients", NULL,
	  NULL, NULL, NULL, keygen },
	{ "status", NULL, "what the daemon is doing: counts, sessions, clock", "operator", "status",
	  no_arguments, part_print, ask },
	{ "family", "CASE",
	  "the family of a case: its state, what stands, what comes next; --agency, --purpose",
	  "auditor", "family", family_arguments, family_print, ask },
	{ "why", "NOTICE", "why a notice was told, on what basis, and its history; --purpose",
	  "auditor", "why", why_arguments, why_print, ask },
	{ "why-not", "EVENT WORKER",
	  "what held an event (SOURCE/ID) back from a worker, rule by rule; --purpose", "auditor",
	  "why-not", why_not_arguments, why_not_print, ask },
	{ "plan", "CASE", "the coordinated plan as a worker may see it; --for, --agency, --purpose",
	  "auditor", "plan", plan_arguments, plan_print, ask },
	{ "policy check", "FILE",
	  "is the policy file sound? Names line, column, key and reason; changes nothing",
	  "operator", "policy-check", policy_arguments, policy_print, ask },
	{ "dead-letters", NULL, "input that was refused, and why", "operator", "dead-letters",
	  letters_arguments, letters_print, ask },
	{ "clock", "TO", "move a clock that is `manual` to TO, like 2026-03-09T08:00:00-08:00",
	  "operator", "clock", clock_arguments, part_print, ask },
	{ "reload", NULL, "read policy and table of clients again", "operator", "reload",
	  no_arguments, part_print, ask },
	{ "stop", NULL, "commit what waits, tell everyone, and end", "operator", "stop",
	  no_arguments, part_print, ask },
};
#define COMMANDS_N (sizeof(commands) / sizeof(commands[0]))

static void purpose_make(void)
{
	for (size_t i = 0; i < COMMANDS_N; i++) {
		const struct command *c = &commands[i];
		size_t len = strlen(purpose);
		char words[64];

		(void)snprintf(words, sizeof(words), "%s %s", c->words,
			       c->arguments != NULL ? c->arguments : "");
		(void)snprintf(purpose + len, sizeof(purpose) - len, "\n  %-22s %s", words,
			       c->help);
	}
}

/* How many of the words given are the command's own; 0: it is another. */
static int command_words(const struct command *c, int n, char *const *words)
{
	const char *second = strchr(c->words, ' ');
	size_t len = second != NULL ? (size_t)(second - c->words) : strlen(c->words);

	if (strlen(words[0]) != len || strncmp(words[0], c->words, len) != 0)
		return 0;
	if (second == NULL)
		return 1;
	return n > 1 && strcmp(words[1], second + 1) == 0 ? 2 : 0;
}

static int arguments_wanted(const struct command *c)
{
	if (c->arguments == NULL)
		return 0;
	return strchr(c->arguments, ' ') != NULL ? 2 : 1;
}

static int run(int n, char *const *words)
{
	const struct command *c = NULL;
	int own = 0;

	for (size_t i = 0; i < COMMANDS_N && own == 0; i++) {
		c = &commands[i];
		own = command_words(c, n, words);
	}
	if (own == 0)
		return options_complain(&tool, "there is no command '%s'; try --help", words[0]);
	if (n - own != arguments_wanted(c))
		return options_complain(&tool, "'%s' takes %s; try --help", c->words,
					c->arguments != NULL ? c->arguments : "no argument");
	return c->run(c, words + own);
}

int main(int argc, char **argv)
{
	int first, status;

	purpose_make();
	status = options_parse(&tool, argc, argv, &first);
	if (status >= 0)
		return status;
	if (first == argc)
		return options_complain(&tool,
					"what is to be done? Try 'linkages-ctl status', or --help");
	return run(argc - first, argv + first);
}
