/* ctl_daemon.c - orders for the daemon, and questions about its files: policy check, clock, reload, stop.
 *
 * In: a command. Out: counts and words. Promise: no answer here shows case content.
 */
#include "ctl.h"

#include <errno.h>
#include <string.h>

static void policy_line(struct output *out, struct lk_span body)
{
	bool in_force = false;

	(void)lk_as_bool(lk_get(body, "in_force"), &in_force);
	output_word(out, "sound; ");
	output_word(out, in_force ? "the policy in force" : "another policy than the one in force");
	output_word(out, " (");
	output_text(out, lk_as_text(lk_get(body, "policy")));
	output_word(out, ")\n");
}

static int policy_print(void *context, struct lk_span body)
{
	return ctl_print_as(context, body, policy_line);
}

#define POLICY_MOST (128u * 1024) /* what the daemon takes */

static int policy_arguments(char *const *arguments, struct lk_bytes *out)
{
	static char text[POLICY_MOST + 1];
	FILE *file = fopen(arguments[0], "re");
	size_t len;

	if (file == NULL)
		return options_complain(&ctl_tool, "cannot read %s: %s", arguments[0],
					strerror(errno));
	len = fread(text, 1, sizeof(text), file);
	if (ferror(file) != 0 || len > POLICY_MOST) {
		const char *why = ferror(file) != 0 ? strerror(errno) : "more than 128 KiB";

		(void)fclose(file);
		return options_complain(&ctl_tool, "cannot read %s: %s", arguments[0], why);
	}
	(void)fclose(file);
	lk_put_map(out, 2);
	lk_member_word(out, "name", arguments[0]);
	lk_member_text(out, "text", (struct lk_text){ text, (uint32_t)len });
	return TOOL_OK;
}

static int clock_arguments(char *const *arguments, struct lk_bytes *out)
{
	lk_put_map(out, 1);
	lk_member_word(out, "to", arguments[0]);
	return TOOL_OK;
}

static int stop_arguments(char *const *arguments, struct lk_bytes *out)
{
	int status =
		ctl_confirm("Stop the daemon? Publishers and workers wait until it runs again.");

	return status == TOOL_OK ? ctl_put_nothing(arguments, out) : status;
}

static void reload_lines(struct output *out, struct lk_span body)
{
	struct lk_span key, liaison;
	size_t cursor = 0;

	output_word(out, "policy and table of clients were read again, and are in force\n");
	while (lk_next(lk_get(body, "unreachable"), &cursor, &key, &liaison)) {
		output_word(out, "no client reads for the liaison ");
		output_text(out, lk_as_text(liaison));
		output_word(out, ": 'linkages-ctl clients add' enrolls one\n");
	}
}

static int reload_print(void *context, struct lk_span body)
{
	return ctl_print_as(context, body, reload_lines);
}

static int stop_run(const struct ctl_command *command, char *const *arguments)
{
	return ctl_ask_and_say(command, arguments, "the daemon commits what waits, and ends");
}

static const struct ctl_command commands[] = {
	{ "policy check", "FILE",
	  "is the policy file sound? Names line, column, key and reason; changes nothing",
	  "operator", "policy-check", policy_arguments, policy_print, ctl_ask },
	{ "clock accept", NULL,
	  "after the alarm clock_suspect: believe the machine's clock, and let fall due what is due",
	  "operator", "clock-accept", ctl_put_nothing, ctl_print_value, ctl_ask },
	{ "clock", "TO", "move a clock that is `manual` to TO, like 2026-03-09T08:00:00-08:00",
	  "operator", "clock", clock_arguments, ctl_print_value, ctl_ask },
	{ "reload", NULL, "read policy and table of clients again", "operator", "reload",
	  ctl_put_nothing, reload_print, ctl_ask },
	{ "stop", NULL, "commit what waits, tell everyone, and end", "operator", "stop",
	  stop_arguments, ctl_print_value, stop_run },
};
const struct ctl_group ctl_daemon = { commands, sizeof(commands) / sizeof(commands[0]) };
