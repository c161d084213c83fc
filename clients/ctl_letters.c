/* ctl_letters.c - input that the daemon refused: dead letters.
 *
 * In: how far. Out: a table, or words where there is none. Promise: ids, reasons and places only; no content.
 */
#include "ctl.h"

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
	lk_put_map(out, ctl_settings.limit > 0 ? 2 : 1);
	lk_put_word(out, "after");
	lk_put_int(out, ctl_settings.after);
	if (ctl_settings.limit > 0) {
		lk_put_word(out, "limit");
		lk_put_int(out, ctl_settings.limit);
	}
	return TOOL_OK;
}

static const struct ctl_command commands[] = {
	{ "dead-letters", NULL, "input that was refused, and why", "operator", "dead-letters",
	  letters_arguments, letters_print, ctl_ask },
};
const struct ctl_group ctl_letters = { commands, sizeof(commands) / sizeof(commands[0]) };
