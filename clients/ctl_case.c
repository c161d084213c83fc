/* ctl_case.c - questions about families, whose answers show case content: family, why, why-not, plan.
 *
 * In: what is asked, and why. Out: the answer for people. Promise: nothing is asked without a purpose.
 */
#include "answers.h"
#include "ctl.h"

static int family_print(void *context, struct lk_span body)
{
	return ctl_print_as(context, body, answer_family);
}

static int why_print(void *context, struct lk_span body)
{
	return ctl_print_as(context, body, answer_why);
}

static int why_not_print(void *context, struct lk_span body)
{
	return ctl_print_as(context, body, answer_why_not);
}

static void plan_page(struct output *out, struct lk_span body)
{
	answer_plan(out, body, ctl_page_width());
}

static int plan_print(void *context, struct lk_span body)
{
	return ctl_print_as(context, body, plan_page);
}

static int family_arguments(char *const *arguments, struct lk_bytes *out)
{
	if (!ctl_has_agency() || !ctl_has_purpose())
		return TOOL_FAILED;
	lk_put_map(out, 3);
	lk_member_word(out, "agency", ctl_settings.agency);
	lk_member_word(out, "case", arguments[0]);
	lk_member_word(out, "purpose", ctl_settings.purpose);
	return TOOL_OK;
}

static int why_arguments(char *const *arguments, struct lk_bytes *out)
{
	if (!ctl_has_purpose())
		return TOOL_FAILED;
	lk_put_map(out, 2);
	lk_member_word(out, "notice", arguments[0]);
	lk_member_word(out, "purpose", ctl_settings.purpose);
	return TOOL_OK;
}

static int why_not_arguments(char *const *arguments, struct lk_bytes *out)
{
	if (!ctl_has_purpose())
		return TOOL_FAILED;
	lk_put_map(out, 3);
	lk_member_word(out, "event", arguments[0]);
	lk_member_word(out, "worker", arguments[1]);
	lk_member_word(out, "purpose", ctl_settings.purpose);
	return TOOL_OK;
}

static int plan_arguments(char *const *arguments, struct lk_bytes *out)
{
	if (ctl_settings.worker == NULL)
		return options_complain(&ctl_tool, "who is to see it? Say --for WORKER");
	if (!ctl_has_agency() || !ctl_has_purpose())
		return TOOL_FAILED;
	lk_put_map(out, 4);
	lk_member_word(out, "agency", ctl_settings.agency);
	lk_member_word(out, "case", arguments[0]);
	lk_member_word(out, "worker", ctl_settings.worker);
	lk_member_word(out, "purpose", ctl_settings.purpose);
	return TOOL_OK;
}

static const struct ctl_command commands[] = {
	{ "family", "CASE",
	  "the family of a case: its state, what stands, what comes next; --agency, --purpose",
	  "auditor", "family", family_arguments, family_print, ctl_ask },
	{ "why", "NOTICE", "why a notice was told, on what basis, and its history; --purpose",
	  "auditor", "why", why_arguments, why_print, ctl_ask },
	{ "why-not", "EVENT WORKER",
	  "what held an event (SOURCE/ID) back from a worker, rule by rule; --purpose", "auditor",
	  "why-not", why_not_arguments, why_not_print, ctl_ask },
	{ "plan", "CASE", "the coordinated plan as a worker may see it; --for, --agency, --purpose",
	  "auditor", "plan", plan_arguments, plan_print, ctl_ask },
};
const struct ctl_group ctl_case = { commands, sizeof(commands) / sizeof(commands[0]) };
