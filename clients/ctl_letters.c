/* ctl_letters.c - input that the daemon refused: dead letters, listed, shown, exported, submitted again.
 *
 * In: numbers, a file. Out: a table; what was refused, as JSON. Promise: the list shows ids, reasons and places only; what
 * shows more asks for a purpose, which is in the ledger first.
 */
#include "ctl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

static int letters_arguments(char *const *arguments, struct lk_bytes *out)
{
	(void)arguments;
	lk_put_map(out, 2);
	lk_member_int(out, "after", ctl_settings.after);
	lk_member_int(out, "limit", ctl_settings.limit);
	return TOOL_OK;
}

/* ---- What they say ----------------------------------------------------------------------------------------------------- */

struct reading {
	FILE *to;
	int64_t after, n;
	bool more;
	struct lk_error *err;
};

/* The letter as it came, but what it says as a value where it is one. */
static int letter_line(struct reading *r, struct lk_span letter)
{
	struct lk_text json = lk_as_text(lk_get(letter, "json"));
	struct lk_bytes line = { 0 }, event = { 0 };
	struct lk_span key, value;
	struct lk_refused why;
	struct output out;
	size_t cursor = 0;

	lk_put_map(&line, (uint32_t)lk_count(letter));
	while (lk_next(letter, &cursor, &key, &value)) {
		bool is_event = lk_text_says(lk_as_text(key), "json") &&
				lk_json_to_wire(json.at, json.len, &event, &why) == 0;

		lk_put_text(&line, is_event ? LK_TEXT("event") : lk_as_text(key));
		lk_put_raw(&line, is_event ? event.at : value.at, is_event ? event.len : value.len);
	}
	output_open(&out, r->to, true);
	output_line(&out, lk_span_of(line.at, line.len));
	lk_bytes_free(&line);
	lk_bytes_free(&event);
	return ferror(r->to) != 0
		       ? lk_fail(r->err, LK_EFULL, "cannot be written: %s", strerror(errno))
		       : 0;
}

static int letters_read(void *context, struct lk_span body)
{
	struct reading *r = context;
	struct lk_span letters = lk_get(body, "letters"), key, value;
	size_t cursor = 0;
	int rc = 0;

	r->more = lk_count(letters) > 0;
	(void)lk_as_int(lk_get(body, "next"), &r->after);
	while (rc == 0 && r->more && lk_next(letters, &cursor, &key, &value)) {
		rc = letter_line(r, value);
		r->n++;
	}
	return rc;
}

static int read_part(struct lk_asker *asker, struct reading *r, int64_t limit, struct lk_error *err)
{
	struct lk_bytes arguments = { 0 };
	int rc;

	lk_put_map(&arguments, 3);
	lk_member_int(&arguments, "after", r->after);
	lk_member_int(&arguments, "limit", limit);
	lk_member_word(&arguments, "purpose", ctl_settings.purpose);
	rc = ctl_asker_ask(asker, "dead-letters-read", &arguments, letters_read, r, err);
	lk_bytes_free(&arguments);
	return rc;
}

static int number_of(const char *text, int64_t *out)
{
	char *end;

	*out = strtoll(text, &end, 10);
	return *end == '\0' && *out > 0
		       ? 0
		       : options_complain(&ctl_tool, "'%s' is no dead letter's number", text);
}

static int letter_show(const struct ctl_command *command, char *const *arguments)
{
	struct lk_asker *asker = NULL;
	struct lk_error err;
	struct reading r = { .to = stdout, .err = &err };
	int64_t number;
	int rc;

	if (!ctl_has_purpose() || number_of(arguments[0], &number) != 0)
		return TOOL_FAILED;
	r.after = number - 1;
	rc = ctl_asker_open(command->key, &asker, &err);
	if (rc == 0)
		rc = read_part(asker, &r, 1, &err);
	if (rc == 0 && (r.n == 0 || r.after != number))
		rc = lk_fail(&err, LK_EREFUSED, "there is no dead letter %lld", (long long)number);
	lk_asker_destroy(asker);
	return ctl_status(rc, &err);
}

static FILE *export_open(const char *path)
{
	int fd;

	if (strcmp(path, "-") == 0)
		return stdout;
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	return fd < 0 ? NULL : fdopen(fd, "w");
}

static int letters_export(const struct ctl_command *command, char *const *arguments)
{
	struct lk_asker *asker = NULL;
	struct lk_error err;
	struct reading r = { .after = ctl_settings.after, .more = true, .err = &err };
	int rc;

	if (!ctl_has_purpose())
		return TOOL_FAILED;
	r.to = export_open(arguments[0]);
	if (r.to == NULL)
		return options_complain(&ctl_tool, "%s cannot be made: %s", arguments[0],
					strerror(errno));
	rc = ctl_asker_open(command->key, &asker, &err);
	while (rc == 0 && r.more)
		rc = read_part(asker, &r, 1000, &err);
	if (fflush(r.to) != 0 && rc == 0)
		rc = lk_fail(&err, LK_EFULL, "%s: %s", arguments[0], strerror(errno));
	if (r.to != stdout)
		(void)fclose(r.to);
	lk_asker_destroy(asker);
	return ctl_status(rc, &err);
}

/* ---- Submitting again -------------------------------------------------------------------------------------------------- */

static int event_read(const char *path, struct lk_bytes *out)
{
	static char text[LK_MESSAGE_MAX];
	FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	struct lk_refused why;
	size_t len;

	if (file == NULL)
		return options_complain(&ctl_tool, "cannot read %s: %s", path, strerror(errno));
	len = fread(text, 1, sizeof(text), file);
	if (file != stdin)
		(void)fclose(file);
	if (lk_json_to_wire(text, len, out, &why) < 0)
		return options_complain(&ctl_tool, "%s: %s %s", path, why.field, why.detail);
	return TOOL_OK;
}

static int resubmit_arguments(char *const *arguments, struct lk_bytes *out)
{
	struct lk_bytes event = { 0 };
	int64_t number;
	int status;

	if (!ctl_has_purpose() || number_of(arguments[0], &number) != 0)
		return TOOL_FAILED;
	if ((status = event_read(arguments[1], &event)) == TOOL_OK) {
		lk_put_map(out, 3);
		lk_member_int(out, "number", number);
		lk_member_word(out, "purpose", ctl_settings.purpose);
		lk_put_word(out, "event");
		lk_put_raw(out, event.at, event.len);
	}
	lk_bytes_free(&event);
	return status;
}

static const struct ctl_command commands[] = {
	{ "dead-letters show", "NUMBER", "what one said, as JSON; --purpose", "auditor", NULL, NULL,
	  NULL, letter_show },
	{ "dead-letters export", "FILE",
	  "all of them, a line of JSON each (-: standard output); --purpose, --after", "auditor",
	  NULL, NULL, NULL, letters_export },
	{ "dead-letters resubmit", "NUMBER FILE",
	  "put a corrected event (JSON; -: standard input) in its place, under its own id; --purpose",
	  "auditor", "dead-letter-resubmit", resubmit_arguments, ctl_print_value, ctl_ask },
	{ "dead-letters", NULL, "input that was refused, and why", "operator", "dead-letters",
	  letters_arguments, letters_print, ctl_ask },
};
const struct ctl_group ctl_letters = { commands, sizeof(commands) / sizeof(commands[0]) };
