/* ctl_ask.c - how linkages-ctl asks the daemon.
 *
 * In: a command's row, and its arguments. Out: the answer, printed as the row says. Promise: a refusal of the daemon is told
 * as it gave it.
 */
#include "ctl.h"

#include "config.h"
#include "progress.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE_WIDTH 100 /* where nobody says */
#define PAGE_NARROWEST 40

int ctl_print_value(void *context, struct lk_span body)
{
	output_value(context, body);
	return 0;
}

int ctl_print_as(struct output *out, struct lk_span body,
		 void (*print)(struct output *out, struct lk_span body))
{
	if (out->json)
		output_value(out, body);
	else
		print(out, body);
	return 0;
}

unsigned ctl_page_width(void)
{
	const char *columns = getenv("COLUMNS");
	unsigned long width = columns != NULL ? strtoul(columns, NULL, 10) : PAGE_WIDTH;
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
		width = size.ws_col;
	return width < PAGE_NARROWEST ? PAGE_NARROWEST
	       : width > UINT16_MAX   ? PAGE_WIDTH
				      : (unsigned)width;
}

int ctl_put_nothing(char *const *arguments, struct lk_bytes *out)
{
	(void)arguments;
	lk_put_map(out, 0);
	return TOOL_OK;
}

bool ctl_has_agency(void)
{
	if (ctl_settings.agency == NULL)
		(void)options_complain(&ctl_tool,
				       "whose case is it? Say --agency cws or --agency calworks");
	else if (lk_agency_code(lk_text_of(ctl_settings.agency)) < 0)
		(void)options_complain(&ctl_tool, "'%s' is no agency: say --agency cws or calworks",
				       ctl_settings.agency);
	else
		return true;
	return false;
}

bool ctl_has_purpose(void)
{
	if (ctl_settings.purpose == NULL)
		(void)options_complain(
			&ctl_tool,
			"why is it looked at? Say --purpose TEXT; it goes to the ledger");
	return ctl_settings.purpose != NULL;
}

int ctl_confirm(const char *format, ...)
{
	char said[16] = "";
	va_list values;

	if (ctl_settings.yes)
		return TOOL_OK;
	if (isatty(STDIN_FILENO) != 1)
		return options_complain(&ctl_tool, "there is nobody to ask: say --yes");
	va_start(values, format);
	(void)vfprintf(stderr, format, values);
	va_end(values);
	(void)fputs(" [y/N] ", stderr);
	if (fgets(said, sizeof(said), stdin) != NULL &&
	    (strcmp(said, "y\n") == 0 || strcmp(said, "yes\n") == 0))
		return TOOL_OK;
	(void)options_complain(&ctl_tool, "nothing was done");
	return TOOL_REFUSED;
}

/* Where the configuration puts the control lane, if no socket is there: named in the complaint when nobody answers at the
 * usual places either. */
static char without_socket[PLACE_PATH];

/* The control lane of the configuration in --config. 1: its socket is there. 0: it is not; systemd may have given the daemon
 * another folder than the file says. A file that cannot be read is an error: another daemon must not be asked instead. */
static int configured_control(char out[PLACE_PATH], struct lk_error *err)
{
	char path[PLACE_PATH];
	struct config config;
	struct stat st;
	bool found;
	int code;

	if (ctl_settings.place.config == NULL || ctl_settings.place.server != NULL)
		return 0;
	if ((code = place_config_file(&ctl_settings.place, path, err)) < 0)
		return code;
	if (access(path, F_OK) < 0 && (errno == ENOENT || errno == ENOTDIR))
		return 0; /* a folder of keys */
	if ((code = config_load(path, &config, err)) < 0)
		return code;
	found = strncmp(config.lane[LANE_CONTROL], "ipc://", 6) == 0 &&
		stat(config.lane[LANE_CONTROL] + 6, &st) == 0 && S_ISSOCK(st.st_mode);
	(void)snprintf(found ? out : without_socket, PLACE_PATH, "%s", config.lane[LANE_CONTROL]);
	config_free(&config);
	return found;
}

/* ---- The store that is meant ---- */

/* What the configuration says, where there is one that we may read; out is empty where there is none. */
static int configured_store(char out[PLACE_PATH], struct lk_error *err)
{
	char path[PLACE_PATH];
	struct config config;
	int code = place_config_file(&ctl_settings.place, path, err);

	out[0] = '\0';
	if (code < 0)
		return code;
	if (ctl_settings.place.config == NULL && access(path, R_OK) != 0)
		return 0;
	code = config_load(path, &config, err);
	if (code < 0)
		return code;
	(void)snprintf(out, PLACE_PATH, "%s", config.state_directory);
	config_free(&config);
	return 0;
}

static bool holds_store(const char *folder)
{
	char path[PLACE_PATH + 16];

	(void)snprintf(path, sizeof(path), "%s/linkages.db", folder);
	return access(path, F_OK) == 0;
}

/* --state, or systemd's word where no --config contradicts it. */
static bool state_is_named(void)
{
	const char *directory = getenv("STATE_DIRECTORY");

	return ctl_settings.place.state != NULL ||
	       (ctl_settings.place.config == NULL && directory != NULL && *directory != '\0');
}

int ctl_store(char out[PLACE_PATH], struct lk_error *err)
{
	char configured[PLACE_PATH];
	int code = place_state(&ctl_settings.place, out, err), rc;

	if (state_is_named())
		return code;
	rc = configured_store(configured, err);
	if (rc < 0 || configured[0] == '\0')
		return rc < 0 ? rc : code;
	if (ctl_settings.place.config == NULL && code == 0 && strcmp(configured, out) != 0 &&
	    holds_store(out))
		return !holds_store(configured)
			       ? 0
			       : lk_fail(err, LK_ECONFIG,
					 "%.400s and %.400s both hold a store: say --state DIR",
					 configured, out);
	(void)snprintf(out, PLACE_PATH, "%s", configured);
	return 0;
}

/* ---- Asking ---- */

int ctl_asker_open(const char *key, struct lk_asker **out, struct lk_error *err)
{
	static char address[PLACE_PATH];
	const char *names[] = { key, "operator" };
	struct lk_peer peer;
	int code = configured_control(address, err);

	if (code == 0)
		code = place_control(&ctl_settings.place, address, err);
	if (code >= 0)
		code = place_peer(&ctl_settings.place, address, names, 2, &peer, err);
	return code < 0 ? code : lk_asker_create(&peer, out, err);
}

struct hearing {
	lk_answer_visitor *print;
	void *context;
	char what[40];
};

/* A long work says now and then how far it is: that is for the terminal, not for the answer. */
static int hear(void *context, struct lk_span body)
{
	struct hearing *h = context;
	struct lk_text what = lk_as_text(lk_get(body, "working"));
	int64_t done = 0, of = 0;

	if (!lk_text_given(what)) {
		progress_end();
		return h->print(h->context, body);
	}
	(void)snprintf(h->what, sizeof(h->what), "%.*s", LK_PRINT(what));
	(void)lk_as_int(lk_get(body, "done"), &done);
	(void)lk_as_int(lk_get(body, "of"), &of);
	progress_say(h->what, done, of);
	return 0;
}

int ctl_asker_ask(struct lk_asker *asker, const char *verb, const struct lk_bytes *arguments,
		  lk_answer_visitor *print, void *context, struct lk_error *err)
{
	struct hearing h = { .print = print, .context = context };
	int code = lk_asker_ask(asker, verb, lk_span_of(arguments->at, arguments->len),
				ctl_settings.timeout * 1000, hear, &h, err);

	progress_end();
	return code;
}

static int drop_answer(void *context, struct lk_span body)
{
	(void)context;
	(void)body;
	return 0;
}

int ctl_asker_tell(struct lk_asker *asker, const char *verb, const struct lk_bytes *arguments,
		   struct lk_error *err)
{
	return ctl_asker_ask(asker, verb, arguments, drop_answer, NULL, err);
}

int ctl_status(int code, const struct lk_error *err)
{
	if (code < 0)
		(void)options_complain(&ctl_tool, "%s", err->text);
	if ((code == LK_ENET || code == LK_ECONFIG) && without_socket[0] != '\0')
		(void)options_complain(
			&ctl_tool,
			"the configuration says %s, and there is no socket: does linkagesd run with it?",
			without_socket);
	if (code == LK_EREFUSED || code == LK_EAUTH || code > 0)
		return TOOL_REFUSED;
	return code == 0 ? TOOL_OK : TOOL_FAILED;
}

int ctl_ask(const struct ctl_command *command, char *const *words)
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
	output_open(&out, stdout, ctl_settings.json);
	code = ctl_asker_open(command->key, &asker, &err);
	if (code == 0)
		code = ctl_asker_ask(asker, command->verb, &arguments, command->print, &out, &err);
	if (code >= 0 && output_close(&out) < 0)
		code = lk_fail(&err, LK_EFULL, "cannot write the answer");
	lk_asker_destroy(asker);
	lk_bytes_free(&arguments);
	return ctl_status(code, &err);
}

int ctl_ask_and_say(const struct ctl_command *command, char *const *words, const char *done)
{
	int status = ctl_ask(command, words);

	if (status == TOOL_OK && !ctl_settings.json && (puts(done) < 0 || fflush(stdout) != 0))
		return TOOL_FAILED;
	return status;
}
