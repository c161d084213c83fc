/* ctl_report.c - the evaluation of a county's Linkages work, from state.db.
 *
 * In: months. Out: tables, CSV, JSON, or a page with plots. Promise: nobody is asked and nothing is written but the page;
 * who may read state.db may know what is counted from it.
 */
#include "ctl.h"

#include "config.h"
#include "policy.h"
#include "progress.h"
#include "report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MONTHS_DEFAULT 12

static int month_read(const char *text, int *out)
{
	int year, month, end = 0;

	if (sscanf(text, "%4d-%2d%n", &year, &month, &end) != 2 || month < 1 || month > 12 ||
	    year < 1990 || year > 2100 || (text[end] != '\0' && text[end] != '-'))
		return options_complain(&ctl_tool, "'%s' is no month, like 2026-03", text);
	*out = 12 * year + month - 1;
	return TOOL_OK;
}

/* A month that is to come has nothing to count. */
static int months_read(int *from, int *to)
{
	time_t now = time(NULL);
	struct tm tm;
	int this_month, status = TOOL_OK;

	(void)localtime_r(&now, &tm);
	this_month = 12 * (tm.tm_year + 1900) + tm.tm_mon;
	*to = this_month;
	if (ctl_settings.to != NULL)
		status = month_read(ctl_settings.to, to);
	*from = *to - MONTHS_DEFAULT + 1;
	if (status == TOOL_OK && ctl_settings.from != NULL)
		status = month_read(ctl_settings.from, from);
	if (status != TOOL_OK)
		return status;
	if (*to > this_month)
		*to = this_month;
	if (*from > *to || *to - *from >= REPORT_MONTHS_MAX)
		return options_complain(
			&ctl_tool, "--from, then --to: up to 20 years of months that have begun");
	return TOOL_OK;
}

static void tick(int64_t done, int64_t of)
{
	progress_say("families", done, of);
}

/* ---- Ways to print it -------------------------------------------------------------------------------------------------- */

/* Columns that belong together, a table each: the widths of a page. On a narrower terminal a table goes on below itself. */
static const struct {
	const char *title;
	enum report_column first, last;
} sections[] = {
	{ "Mutual families and tiers", REPORT_mutual, REPORT_tertiary },
	{ "Cases that are mutual", REPORT_cws_open, REPORT_calworks_share },
	{ "Consent and meetings", REPORT_consented, REPORT_ltm_on_time },
	{ "Sanctions and closures", REPORT_sanctions_ended, REPORT_calworks_told },
	{ "Referrals", REPORT_referrals, REPORT_repeats },
};

#define MONTH_WIDTH 8

static void text_table(const struct report *r, size_t first, size_t last)
{
	(void)printf("%-*s", MONTH_WIDTH, "month");
	for (size_t c = first; c <= last; c++)
		(void)printf("  %*s", (int)strlen(report_headings[c].heading),
			     report_headings[c].heading);
	(void)printf("\n");
	for (size_t m = 0; m < r->n; m++) {
		(void)printf("%04d-%02d ", r->months[m].year, r->months[m].month);
		for (size_t c = first; c <= last; c++) {
			int width = (int)strlen(report_headings[c].heading);

			if (r->months[m].value[c] < 0)
				(void)printf("  %*s", width, "-");
			else
				(void)printf("  %*lld", width, (long long)r->months[m].value[c]);
		}
		(void)printf("\n");
	}
}

/* The last column that the terminal has room for beside the first; width 0: it has room for all. */
static size_t last_that_fits(size_t first, size_t last, unsigned width)
{
	size_t taken = MONTH_WIDTH + 2 + strlen(report_headings[first].heading), c = first;

	while (c < last &&
	       (width == 0 || taken + 2 + strlen(report_headings[c + 1].heading) <= width))
		taken += 2 + strlen(report_headings[++c].heading);
	return c;
}

static void print_text(const struct report *r)
{
	struct output out;

	output_open(&out, stdout, false);
	for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
		(void)printf("%s%s\n", i > 0 ? "\n" : "", sections[i].title);
		for (size_t c = sections[i].first, upto; c <= sections[i].last; c = upto + 1) {
			upto = last_that_fits(c, sections[i].last, out.width);
			text_table(r, c, upto);
		}
	}
}

static void print_csv(const struct report *r)
{
	(void)printf("month");
	for (size_t c = 0; c < REPORT_COLUMNS_N; c++)
		(void)printf(",%s", report_headings[c].name);
	(void)printf("\n");
	for (size_t m = 0; m < r->n; m++) {
		(void)printf("%04d-%02d", r->months[m].year, r->months[m].month);
		for (size_t c = 0; c < REPORT_COLUMNS_N; c++)
			if (r->months[m].value[c] < 0)
				(void)printf(",");
			else
				(void)printf(",%lld", (long long)r->months[m].value[c]);
		(void)printf("\n");
	}
}

static void print_json(const struct report *r)
{
	struct output out;

	output_open(&out, stdout, true);
	for (size_t m = 0; m < r->n; m++) {
		struct lk_bytes line = { 0 };
		char month[32];

		(void)snprintf(month, sizeof(month), "%04d-%02d", r->months[m].year,
			       r->months[m].month);
		lk_put_map(&line, REPORT_COLUMNS_N + 1);
		lk_member_word(&line, "month", month);
		for (size_t c = 0; c < REPORT_COLUMNS_N; c++) {
			lk_put_word(&line, report_headings[c].name);
			if (r->months[m].value[c] < 0)
				lk_put_nil(&line);
			else
				lk_put_int(&line, r->months[m].value[c]);
		}
		output_line(&out, lk_span_of(line.at, line.len));
		lk_bytes_free(&line);
	}
	(void)output_close(&out);
}

static int write_page(const struct report *r, const char *path)
{
	FILE *to = strcmp(path, "-") == 0 ? stdout : fopen(path, "we");
	bool failed;

	if (to == NULL)
		return options_complain(&ctl_tool, "%s: %s", path, strerror(errno));
	report_page(r, "Linkages: evaluation", to);
	failed = fflush(to) != 0 || ferror(to) != 0;
	if (to != stdout)
		failed |= fclose(to) != 0;
	return failed ? options_complain(&ctl_tool, "%s cannot be written", path) : TOOL_OK;
}

static int print_report(const struct report *r)
{
	if (ctl_settings.html != NULL)
		return write_page(r, ctl_settings.html);
	if (ctl_settings.csv)
		print_csv(r);
	else if (ctl_settings.json)
		print_json(r);
	else
		print_text(r);
	return fflush(stdout) == 0 ? TOOL_OK
				   : options_complain(&ctl_tool, "cannot write the report");
}

/* The daemon's, found as the daemon finds it; without a configuration the built-in one, as there. */
static int policy_find(struct policy *out, struct lk_error *err)
{
	char path[PLACE_PATH];
	struct config config;
	int rc = place_config_file(&ctl_settings.place, path, err);

	if (rc < 0)
		return rc;
	rc = config_load(path, &config, err);
	if (rc == LK_ENOTFOUND && ctl_settings.place.config == NULL)
		return policy_load(NULL, out, err);
	if (rc < 0)
		return rc;
	rc = policy_load(config.policy[0] != '\0' ? config.policy : NULL, out, err);
	config_free(&config);
	return rc;
}

static int report(const struct ctl_command *command, char *const *arguments)
{
	static struct policy policy;
	static struct zone zone;
	char state[PLACE_PATH], path[PLACE_PATH + 16];
	struct report_order order = { .state_db = path, .policy = &policy, .tick = tick };
	struct report r;
	struct lk_error err;
	int status, rc;

	(void)command;
	(void)arguments;
	if (ctl_settings.csv + ctl_settings.json + (ctl_settings.html != NULL) > 1)
		return options_complain(&ctl_tool, "--csv, --json, --html: say one of them");
	if (policy_find(&policy, &err) < 0 || zone_read(ctl_settings.timezone, &zone, &err) < 0)
		return options_complain(&ctl_tool, "%s", err.text);
	(void)setenv("TZ", ctl_settings.timezone, 1);
	tzset();
	if ((status = months_read(&order.from, &order.to)) != TOOL_OK)
		return status;
	if (ctl_store(state, &err) < 0)
		return options_complain(&ctl_tool, "%s", err.text);
	(void)snprintf(path, sizeof(path), "%s/state.db", state);
	order.now = (lk_instant)time(NULL) * LK_SECOND;
	rc = report_make(&order, &r, &err);
	progress_end();
	if (rc < 0)
		return options_complain(&ctl_tool, "%s", err.text);
	status = print_report(&r);
	report_free(&r);
	return status;
}

static const struct ctl_command commands[] = {
	{ "report", NULL,
	  "the evaluation, by month, from state.db; --from, --to, --csv, --html FILE, --state, --config",
	  NULL, NULL, NULL, NULL, report },
};
const struct ctl_group ctl_report = { commands, sizeof(commands) / sizeof(commands[0]) };
