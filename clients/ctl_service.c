/* ctl_service.c - how it is doing: status, sources, sessions, workers.
 *
 * In: a question, once or again and again. Out: a screen, tables, or JSON. Promise: counts, names of sources, clients and
 * workers; no case content.
 */
#include "ctl.h"
#include "progress.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#define FOLLOW_S 2
#define LABEL_COLUMN 16

/* ---- Pieces of a line ---- */

static int64_t number_at(struct lk_span map, const char *key)
{
	int64_t value = 0;

	(void)lk_as_int(lk_get(map, key), &value);
	return value;
}

static void say(struct output *out, const char *format, ...) LK_PRINTF(2, 3);
static void say(struct output *out, const char *format, ...)
{
	char text[256];
	va_list values;

	va_start(values, format);
	(void)vsnprintf(text, sizeof(text), format, values);
	va_end(values);
	output_word(out, text);
}

/* Of a map: a number and what it counts, after what stands before it. */
static void say_count(struct output *out, const char *before, struct lk_span map, const char *key,
		      const char *one, const char *many)
{
	output_word(out, before);
	output_count(out, number_at(map, key), one, many);
}

static void label(struct output *out, const char *word)
{
	output_word(out, "\n  ");
	output_painted(out, PAINT_BOLD, word);
	output_pad(out, LABEL_COLUMN);
}

static void say_bytes(struct output *out, int64_t bytes)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	double value = (double)bytes;
	size_t unit = 0;

	for (; value >= 1024 && unit + 1 < sizeof(units) / sizeof(units[0]); unit++)
		value /= 1024;
	say(out, unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
}

/* '2026-03-02T09:00:00Z' to the second, as people write it. */
static void say_time(struct output *out, struct lk_span map, const char *key)
{
	struct lk_text text = lk_as_text(lk_get(map, key));

	if (text.len < 19)
		output_word(out, "none");
	else
		say(out, "%.10s %.8s UTC", text.at, text.at + 11);
}

static void say_age(struct output *out, int64_t us)
{
	int64_t minutes = us / LK_MINUTE;

	if (minutes < 60)
		say(out, "%" PRId64 " min", minutes);
	else if (minutes < 48 * 60)
		say(out, "%" PRId64 " h %" PRId64 " min", minutes / 60, minutes % 60);
	else
		say(out, "%" PRId64 " days", minutes / (24 * 60));
}

/* ---- status ---- */

static void say_head(struct output *out, struct lk_span body)
{
	struct lk_time now, started;

	output_word(out, "linkagesd ");
	output_text(out, lk_as_text(lk_get(body, "version")));
	output_word(out, "   ");
	say_time(out, body, "now");
	if (lk_text_says(lk_as_text(lk_get(body, "clock")), "manual")) {
		output_painted(out, PAINT_ALARM, "   clock moved by hand");
		return; /* such a clock cannot tell how long it has run */
	}
	if (lk_time_parse(lk_as_text(lk_get(body, "now")), &now) < 0 ||
	    lk_time_parse(lk_as_text(lk_get(body, "started")), &started) < 0)
		return;
	output_word(out, "   up ");
	say_age(out, now.at - started.at);
}

static void say_alarms(struct output *out, struct lk_span alarms)
{
	struct lk_span key, value;
	size_t cursor = 0, n = 0;

	label(out, "alarms");
	while (lk_count(alarms) > 0 && lk_next(alarms, &cursor, &key, &value)) {
		bool stands = false;

		(void)lk_as_bool(lk_get(value, "stands"), &stands);
		output_word(out, n++ > 0 ? ", " : "");
		output_paint(out, stands ? PAINT_ALARM : PAINT_PLAIN);
		output_text(out, lk_as_text(key));
		if (stands)
			output_word(out, " (stands)");
		else
			say(out, " (%" PRId64 " since the start)", number_at(value, "raised"));
		output_paint(out, PAINT_PLAIN);
	}
	if (n == 0)
		output_word(out, "none");
}

static void say_store(struct output *out, struct lk_span store)
{
	label(out, "store");
	say_count(out, "", store, "events", "event", "events");
	say_count(out, ", ", store, "cases", "case", "cases");
	say_count(out, ", ", store, "notices", "notice", "notices");
	label(out, "");
	say_count(out, "", store, "dead_letters", "dead letter", "dead letters");
	say_count(out, ", ", store, "ledger_rows", "ledger row", "ledger rows");
	label(out, "");
	say_bytes(out, number_at(store, "bytes"));
	output_word(out, ", log ");
	say_bytes(out, number_at(store, "wal_bytes"));
}

static void say_lanes(struct output *out, struct lk_span body)
{
	struct lk_span intake = lk_get(body, "intake"), inbox = lk_get(body, "inbox");
	bool held = false;

	(void)lk_as_bool(lk_get(intake, "held"), &held);
	label(out, "intake");
	say_count(out, "", intake, "sessions", "session", "sessions");
	say(out, ", credit %" PRId64, number_at(intake, "credit"));
	if (held)
		output_painted(out, PAINT_ALARM, "; the store refuses: nothing is acknowledged");
	label(out, "inbox");
	say_count(out, "", inbox, "sessions", "session", "sessions");
	say_count(out, ", ", inbox, "mailboxes", "mailbox open", "mailboxes open");
}

/* While another policy makes its way through all families. Nil: it has just begun. */
static void say_behind(struct output *out, struct lk_span behind)
{
	int64_t n = 0;
	bool counted = lk_as_int(behind, &n);

	if (!counted)
		output_word(out, ", being derived again");
	else if (n > 0)
		say(out, ", %" PRId64 " of them yet to be derived under this policy", n);
}

/* Waiting notices are counted at intervals only, since counting is dear: the label says how old the numbers may be. */
static void say_waiting(struct output *out, struct lk_span waiting)
{
	label(out, "unanswered");
	say_count(out, "", waiting, "unanswered", "notice that nobody has acknowledged",
		  "notices that nobody has acknowledged");
	label(out, "every 15 s");
	say_count(out, "", waiting, "families", "family", "families");
	say_behind(out, lk_get(waiting, "behind"));
	say_count(out, "; ", waiting, "notices", "notice waits in ", "notices wait in ");
	say_count(out, "", waiting, "mailboxes", "mailbox", "mailboxes");
	if (number_at(waiting, "notices") > 0) {
		label(out, "");
		output_word(out, "the oldest since ");
		say_time(out, waiting, "oldest");
	}
}

/* What is counted, and with --follow how fast. */
static const struct {
	const char *key, *word;
} flows[] = {
	{ "events_accepted", "accepted" }, { "events_repeated", "repeated" },
	{ "events_refused", "refused" },   { "notices", "told" },
	{ "notices_sent", "sent" },        { "receipts", "received" },
	{ "answers", "answered" },
};
#define FLOWS_N (sizeof(flows) / sizeof(flows[0]))

struct status_screen {
	struct output *out;
	bool again; /* the last look is known */
	int64_t last[FLOWS_N];
	int64_t at; /* steady_us() */
};

static void say_flows(struct status_screen *screen, struct lk_span counters)
{
	struct output *out = screen->out;
	int64_t now = steady_us();

	for (size_t i = 0; i < FLOWS_N; i++) {
		int64_t value = number_at(counters, flows[i].key);

		label(out, i == 0 ? "since the start" : "");
		say(out, "%12" PRId64 " %s", value, flows[i].word);
		if (screen->again)
			say(out, "  %.1f/s",
			    (double)(value - screen->last[i]) * LK_SECOND /
				    (double)(now - screen->at));
		screen->last[i] = value;
	}
	screen->at = now;
	screen->again = true;
}

static int status_print(void *context, struct lk_span body)
{
	struct status_screen *screen = context;
	struct output *out = screen->out;
	struct lk_text policy = lk_as_text(lk_get(body, "policy"));

	if (out->json) {
		output_value(out, body);
		return 0;
	}
	say_head(out, body);
	output_word(out, "\n");
	say_alarms(out, lk_get(body, "alarms"));
	say_store(out, lk_get(body, "store"));
	say_lanes(out, body);
	say_waiting(out, lk_get(body, "waiting"));
	label(out, "next wake");
	say_time(out, body, "next_wake");
	label(out, "policy");
	say(out, "%.8s", policy.len >= 8 ? policy.at : "-");
	say_flows(screen, lk_get(body, "counters"));
	output_word(out, "\n");
	return 0;
}

/* Over what stood there, line by line, so that nothing flickers. */
static void screen_begin(struct output *out)
{
	if (ctl_settings.follow && out->coloured)
		output_word(out, "\x1b[H\x1b[J");
}

static int status_run(const struct ctl_command *command, char *const *arguments)
{
	struct lk_bytes nothing = { 0 };
	struct lk_asker *asker = NULL;
	struct output out;
	struct status_screen screen = { .out = &out };
	struct lk_error err;
	int code = ctl_asker_open(command->key, &asker, &err);

	(void)arguments;
	lk_put_map(&nothing, 0);
	output_open(&out, stdout, ctl_settings.json);
	while (code == 0) {
		screen_begin(&out);
		code = ctl_asker_ask(asker, command->verb, &nothing, status_print, &screen, &err);
		if (code == 0 && output_close(&out) < 0)
			code = lk_fail(&err, LK_EFULL, "cannot write the answer");
		if (!ctl_settings.follow)
			break;
		if (code == 0)
			(void)sleep(FOLLOW_S);
	}
	lk_asker_destroy(asker);
	lk_bytes_free(&nothing);
	return ctl_status(code, &err);
}

/* ---- Tables ---- */

static int table_print(struct output *out, struct lk_span body, const char *name, const char *none)
{
	struct lk_span rows = lk_get(body, name);

	if (out->json)
		output_value(out, body);
	else if (lk_count(rows) == 0)
		output_word(out, none);
	else
		output_value(out, rows);
	return 0;
}

static int sources_print(void *context, struct lk_span body)
{
	return table_print(context, body, "sources", "no source is configured\n");
}

static int sessions_print(void *context, struct lk_span body)
{
	return table_print(context, body, "sessions", "nobody is connected\n");
}

static int workers_print(void *context, struct lk_span body)
{
	return table_print(context, body, "workers",
			   ctl_settings.unreachable ? "every mailbox is read by some client\n"
						    : "no worker has a mailbox yet\n");
}

static int workers_arguments(char *const *arguments, struct lk_bytes *out)
{
	(void)arguments;
	lk_put_map(out, 1);
	lk_member_bool(out, "unreachable", ctl_settings.unreachable);
	return TOOL_OK;
}

static const struct ctl_command commands[] = {
	{ "status", NULL, "what the daemon is doing, on a screen; --follow, --json", "operator",
	  "status", NULL, NULL, status_run },
	{ "sources", NULL,
	  "who sends events, when each was heard, and how much came since the start", "operator",
	  "sources", ctl_put_nothing, sources_print, ctl_ask },
	{ "sessions", NULL, "who is connected: publishers and workers' clients", "operator",
	  "sessions", ctl_put_nothing, sessions_print, ctl_ask },
	{ "workers", NULL, "mailboxes, who reads each, and what waits; --unreachable", "operator",
	  "workers", workers_arguments, workers_print, ctl_ask },
};
const struct ctl_group ctl_service = { commands, sizeof(commands) / sizeof(commands[0]) };
