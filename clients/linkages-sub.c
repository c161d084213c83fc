/* linkages-sub.c - a worker's notices on the screen, or as lines of JSON.
 *
 * In: whose mailboxes. Out: one line a notice, each once, in order. Promise: a notice is printed only after it is in
 * the store, and counts as shown only after it was printed; nothing that came over the wire can steer the terminal.
 */
#include "output.h"
#include "phrase.h"
#include "place.h"
#include "progress.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_ADDRESS "tcp://127.0.0.1:5563"
#define SHORT_ID 8 /* digits of an id on a line: enough to tell one worker's notices apart */
#define TAKEN_BACK "what it said may not be shown any more"
#define FURTHER 18     /* the column where a notice goes on in a second line */
#define COMFORTABLE 40 /* columns that a sentence should have */
#define ALIGNED 72     /* on a narrower terminal, the columns before it are not aligned */

static struct {
	struct place place;
	const char *client, *store, *answer;
	bool no_store, once, json;
	int timeout;
} settings = { .timeout = 10 };

static const struct option_row rows[] = {
	{ "answer", 'a', OPTION_TEXT, "NOTICE", &settings.answer,
	  "acknowledge this notice and end; the first digits of its id will do where the\n"
	  "store knows the rest, and no other linkages-sub is using it" },
	{ "once", '1', OPTION_FLAG, NULL, &settings.once,
	  "end when everything that was waiting has been shown" },
	PLACE_ROWS(settings.place),
	{ "client", 0, OPTION_TEXT, "NAME", &settings.client,
	  "our name: operators see it, the store is named after it (default: the first WORKER)" },
	{ "store", 0, OPTION_TEXT, "FILE", &settings.store,
	  "keeps the notices and our place in the mailboxes (default: NAME.inbox, see Files)" },
	{ "no-store", 0, OPTION_FLAG, NULL, &settings.no_store,
	  "keep nothing: show everything that is in the mailboxes, each time" },
	{ "timeout", 't', OPTION_NUMBER, "SECONDS", &settings.timeout,
	  "with --once and --answer: give up after so long without a word from the daemon;\n"
	  "0: never (default: 10)" },
	{ "json", 0, OPTION_FLAG, NULL, &settings.json,
	  "one JSON object a line: {worker, seq, notice}, {caughtup}, {answered}" },
};

static const struct tool tool = {
	"linkages-sub",
	"[OPTION]… WORKER…",
	"Follows the mailboxes of one or several workers and shows each notice once: when, urgency, kind, state, what\n"
	"it is about, until when, which case, and the first digits of its id. A notice stays with the daemon until it\n"
	"is stored here; after a pause, what came meanwhile is shown first.",
	rows,
	sizeof(rows) / sizeof(rows[0]),
	"Files:\n"
	"  STATE/server.pub         the daemon's public key; STATE is the state directory\n"
	"  STATE/keys/NAME.key      our key, or STATE/keys/workers.key, where --key names none\n"
	"  STATE-clients/NAME.inbox the store, where --store names none\n\n"
	"Colours are used on a terminal only, and not where NO_COLOR is set.\n\n"
	"Exit status: 0 done, also where nothing was ever told to a worker (said on standard error);\n"
	"1 the answer was refused; 2 could not.\n\n"
	"Examples:\n"
	"  linkages-sub garcia\n"
	"  linkages-sub --once --json garcia m.okafor\n"
	"  linkages-sub --answer 5f0c2a91 garcia\n",
};

struct run {
	struct lk_inbox *inbox;
	struct lk_inbox_store *store;
	struct output out;
	char **workers;
	size_t workers_n;
	char answer[LK_DIGEST_HEX];
	int answered; /* 1: confirmed, -1: refused */
	int fault;    /* of a callback */
	bool clock_told, calm_told;
	bool came;        /* all that was waiting when we began */
	int64_t heard_at; /* steady_us() */
	char trouble[400];
	struct lk_error err;
};

/* ---- A line ---------------------------------------------------------------------------------------------------------- */

static struct lk_text text_in(struct lk_span notice, const char *member)
{
	return lk_as_text(lk_get(notice, member));
}

static enum paint paint_of(struct lk_span notice)
{
	if (lk_text_says(text_in(notice, "state"), "withdrawn"))
		return PAINT_FAINT;
	if (lk_text_says(text_in(notice, "urgency"), "urgent"))
		return PAINT_ALARM;
	return lk_text_says(text_in(notice, "urgency"), "prompt") ? PAINT_BOLD : PAINT_PLAIN;
}

static void put_time(struct output *out, struct lk_text time)
{
	struct lk_bytes text = { 0 };

	phrase_time(time, &text);
	output_text(out, (struct lk_text){ (const char *)text.at, (uint32_t)text.len });
	lk_bytes_free(&text);
}

static void add(struct lk_bytes *text, const char *before, struct lk_text value, const char *after)
{
	if (!lk_text_given(value))
		return;
	lk_bytes_add(text, before, strlen(before));
	lk_bytes_add(text, value.at, value.len);
	lk_bytes_add(text, after, strlen(after));
}

/* What it is about, until when, which case, and the first digits of its id. */
static void sentence_print(struct output *out, struct lk_span notice)
{
	struct lk_bytes text = { 0 };
	struct lk_text id = text_in(notice, "id");
	bool answered = lk_text_given(lk_as_text(lk_get_path(notice, "answered.by")));

	if (id.len > SHORT_ID)
		id.len = SHORT_ID;
	if (lk_text_given(text_in(notice, "at")))
		phrase_notice(notice, &text);
	else /* taken back, and all but its name with it */
		lk_bytes_add(&text, TAKEN_BACK, strlen(TAKEN_BACK));
	add(&text, " (", text_in(notice, "reason"), ")");
	add(&text, "; due ", text_in(notice, "due"), "");
	add(&text, "; case ", text_in(notice, "case"), "");
	add(&text, answered ? "; answered  " : "  ", id, "");
	/* Where little is left beside the other columns, what is broken off begins under the kind. */
	if (!text.failed)
		output_wrapped(out, (struct lk_text){ (const char *)text.at, (uint32_t)text.len },
			       out->width < out->column + COMFORTABLE ? FURTHER : out->column);
	lk_bytes_free(&text);
}

/* Whom to call on the other side: under the notices that say that there is one, also where only that has changed. */
static void contacts_print(struct output *out, struct lk_span notice)
{
	struct lk_span key, contact;
	size_t cursor = 0;

	if (lk_text_says(text_in(notice, "state"), "withdrawn") ||
	    strncmp(text_in(notice, "kind").at != NULL ? text_in(notice, "kind").at : "",
		    "crossover.", 10) != 0)
		return;
	while (lk_next(lk_get(notice, "contacts"), &cursor, &key, &contact)) {
		struct lk_text name = text_in(contact, "name");
		struct lk_bytes text = { 0 };

		add(&text, "", lk_text_given(name) ? name : text_in(contact, "worker"), "");
		add(&text, ", ", text_in(contact, "role"), "");
		add(&text, ", ", text_in(contact, "phone"), "");
		output_pad(out, FURTHER);
		if (!text.failed)
			output_wrapped(
				out, (struct lk_text){ (const char *)text.at, (uint32_t)text.len },
				FURTHER + 2);
		output_word(out, "\n");
		lk_bytes_free(&text);
	}
}

static void column_begin(struct output *out, unsigned at)
{
	if (out->width == 0 || out->width >= ALIGNED)
		output_pad(out, at);
	else
		output_word(out, "  ");
}

static void notice_print(struct run *r, struct lk_text worker, struct lk_span notice)
{
	struct output *out = &r->out;

	output_paint(out, paint_of(notice));
	put_time(out, text_in(notice, "at"));
	column_begin(out, 18);
	if (r->workers_n > 1) {
		output_text(out, worker);
		column_begin(out, 34);
	}
	output_text(out, text_in(notice, "kind"));
	column_begin(out, r->workers_n > 1 ? 58 : 42);
	output_text(out, text_in(notice, "state"));
	column_begin(out, r->workers_n > 1 ? 69 : 53);
	sentence_print(out, notice);
	output_paint(out, PAINT_PLAIN);
	output_word(out, "\n");
	contacts_print(out, notice);
}

static void notice_json(struct run *r, const struct lk_received *received)
{
	struct lk_bytes line = { 0 };

	lk_put_map(&line, 3);
	lk_member_text(&line, "worker", received->worker);
	lk_member_int(&line, "seq", received->seq);
	lk_put_word(&line, "notice");
	lk_put_raw(&line, received->body.at, received->body.len);
	output_line(&r->out, lk_span_of(line.at, line.len));
	lk_bytes_free(&line);
}

/* Whatever cannot be written was not shown: it stays in the store for the next time. */
static int notice_show(void *context, const struct lk_received *received)
{
	struct run *r = context;

	if (settings.json)
		notice_json(r, received);
	else
		notice_print(r, received->worker, received->body);
	return output_close(&r->out) < 0 ? lk_fail(&r->err, LK_EFULL, "cannot write any more") : 0;
}

/* ---- What the inbox tells --------------------------------------------------------------------------------------------- */

static void event_json(struct run *r, const char *name, struct lk_text worker, const char *member,
		       struct lk_text value, int64_t seq)
{
	struct lk_bytes line = { 0 };

	lk_put_map(&line, 1);
	lk_put_word(&line, name);
	lk_put_map(&line, 2);
	lk_member_text(&line, "worker", worker);
	lk_put_word(&line, member);
	if (lk_text_given(value))
		lk_put_text(&line, value);
	else
		lk_put_int(&line, seq);
	output_line(&r->out, lk_span_of(line.at, line.len));
	lk_bytes_free(&line);
}

/* A mailbox is there for whoever asks: a name that was mistyped has an empty one. Said once, not at each reconnection. */
static void empty_say(const struct run *r, struct lk_text worker)
{
	if (settings.once || (isatty(STDERR_FILENO) && !r->came))
		(void)options_complain(&tool,
				       "nothing was ever told to '%.*s': is that the worker's id?",
				       LK_PRINT(worker));
}

static void on_caught_up(void *context, struct lk_text worker, int64_t seq)
{
	struct run *r = context;

	/* In order: what was received before this is shown before it. */
	r->fault = lk_inbox_store_take(r->store, notice_show, r, &r->err);
	if (r->fault < 0)
		return;
	if (settings.json)
		event_json(r, "caughtup", worker, "seq", LK_NO_TEXT, seq);
	(void)output_close(&r->out);
	if (seq == 0)
		empty_say(r, worker);
	r->came |= lk_inbox_caught_up(r->inbox);
}

static void on_answered(void *context, struct lk_text worker, struct lk_text notice,
			struct lk_text by, struct lk_time at)
{
	struct run *r = context;

	(void)at;
	if (lk_text_says(notice, r->answer))
		r->answered = 1;
	if (settings.json) {
		event_json(r, "answered", worker, "notice", notice, 0);
	} else {
		output_paint(&r->out, PAINT_GOOD);
		output_text(&r->out,
			    (struct lk_text){ notice.at,
					      notice.len < SHORT_ID ? notice.len : SHORT_ID });
		output_word(&r->out, " answered by ");
		output_text(&r->out, by);
		output_paint(&r->out, PAINT_PLAIN);
		output_word(&r->out, "\n");
	}
	(void)output_close(&r->out);
}

static void on_unanswered(void *context, struct lk_text worker, struct lk_text notice,
			  struct lk_text why)
{
	struct run *r = context;

	(void)worker;
	r->answered = -1;
	(void)options_complain(&tool, "the answer to %.*s was refused: %.*s", LK_PRINT(notice),
			       LK_PRINT(why));
}

/* ---- Opening ---------------------------------------------------------------------------------------------------------- */

static int store_open(struct run *r)
{
	char path[PLACE_PATH];
	const char *store = settings.store;
	int code = 0;

	if (store == NULL && !settings.no_store) {
		code = place_own(&settings.place, settings.client, "inbox", path, &r->err);
		store = path;
	}
	return code < 0 ? code
			: lk_inbox_store_open(settings.no_store ? NULL : store, &r->store, &r->err);
}

static bool is_named(const struct run *r, const char *worker)
{
	for (size_t i = 0; i < r->workers_n; i++)
		if (strcmp(r->workers[i], worker) == 0)
			return true;
	return false;
}

/* Whose notice it is need not be looked for. */
static bool is_whole_answer(const struct run *r)
{
	return strlen(settings.answer) == LK_DIGEST_HEX - 1 && r->workers_n == 1;
}

static int answer_prepare(struct run *r)
{
	static char worker[65];
	static char *found_worker[] = { worker };
	int found = lk_inbox_store_find(r->store, lk_text_of(settings.answer), r->answer, worker,
					&r->err);

	if (found == 1 && !is_named(r, worker))
		return lk_fail(
			&r->err, LK_ECONFIG,
			"%.8s was told to %s: only who was told can answer; name that worker",
			r->answer, worker);
	if (found == 1) {
		r->workers = found_worker;
		r->workers_n = 1;
		return 0;
	}
	if (found < 0)
		return found;
	if (!is_whole_answer(r))
		return lk_fail(
			&r->err, LK_ECONFIG,
			"no such notice was received here: give its whole id, and the one worker it was told to");
	memcpy(r->answer, settings.answer, LK_DIGEST_HEX);
	return 0;
}

/* A reader may be running on the store: then the whole id is needed, and nothing is stored. */
static int answer_open(struct run *r)
{
	int code = store_open(r);

	if (code == LK_ESTATE && !is_whole_answer(r)) {
		struct lk_error held = r->err;

		return lk_fail(
			&r->err, code,
			"%s, or give the notice's whole id (--json shows it) and the one worker it was told to",
			held.text);
	}
	if (code == LK_ESTATE)
		code = lk_inbox_store_open(NULL, &r->store, &r->err);
	return code < 0 ? code : answer_prepare(r);
}

static int run_open(struct run *r)
{
	const char *names[] = { settings.client, "workers" };
	struct lk_inbox_options options = {
		.client = settings.client,
		.answers_only = settings.answer != NULL,
		.context = r,
		.caught_up = on_caught_up,
		.answered = on_answered,
		.unanswered = on_unanswered,
	};
	int code = settings.answer != NULL ? answer_open(r) : store_open(r);

	if (code < 0)
		return code;
	options.store = r->store;
	options.workers = (const char *const *)r->workers;
	options.workers_n = r->workers_n;
	code = place_peer(&settings.place, DEFAULT_ADDRESS, names, 2, &options.peer, &r->err);
	if (code == 0)
		code = lk_inbox_create(&options, &r->inbox, &r->err);
	if (code == 0 && settings.answer != NULL)
		code = lk_inbox_answer(r->inbox, lk_text_of(r->workers[0]), lk_text_of(r->answer),
				       &r->err);
	return code;
}

/* ---- Following -------------------------------------------------------------------------------------------------------- */

static void session_show(struct run *r)
{
	struct lk_session_state state;

	lk_inbox_state(r->inbox, &state);
	if (state.trouble[0] != '\0' && strcmp(state.trouble, r->trouble) != 0)
		(void)options_complain(&tool, "waiting: %s", state.trouble);
	else if (state.trouble[0] == '\0' && r->trouble[0] != '\0' && isatty(STDERR_FILENO))
		(void)options_complain(&tool, "the daemon answers again");
	memcpy(r->trouble, state.trouble, sizeof(r->trouble));
	if (state.connected && state.clock_manual && !r->clock_told && !settings.json) {
		r->clock_told = true;
		(void)options_complain(
			&tool, "the daemon's clock is moved by hand: these are no real notices");
	}
}

/* Whoever sits before a terminal is told once that nothing is amiss when nothing comes. */
static void calm_show(struct run *r)
{
	if (r->calm_told || settings.json || settings.once || settings.answer != NULL ||
	    !isatty(STDERR_FILENO) || !r->came)
		return;
	r->calm_told = true;
	(void)options_complain(
		&tool, "nothing more is waiting; what comes is shown as it comes (Ctrl-C ends)");
}

static bool is_done(const struct run *r)
{
	if (tool_stopped || r->answered != 0)
		return true;
	return settings.once && settings.answer == NULL && lk_inbox_caught_up(r->inbox);
}

static bool has_deadline(void)
{
	return settings.timeout > 0 && (settings.once || settings.answer != NULL);
}

static int gave_up(struct run *r)
{
	if (r->trouble[0] != '\0')
		return lk_fail(&r->err, LK_ENET, "nothing heard for %d s: %s", settings.timeout,
			       r->trouble);
	if (settings.answer != NULL)
		return lk_fail(
			&r->err, LK_ENET,
			"the answer was not confirmed within %d s; saying it again does no harm",
			settings.timeout);
	return lk_fail(&r->err, LK_ENET, "nothing heard for %d s", settings.timeout);
}

static int run_loop(struct run *r)
{
	int code = 0;

	r->heard_at = steady_us();
	while (code >= 0 && !is_done(r)) {
		code = lk_inbox_wait(r->inbox, 500, &r->err);
		if (code == LK_ESTATE)
			code = 0; /* a signal; is_done() knows which */
		if (code >= 0)
			code = r->fault < 0
				       ? r->fault
				       : lk_inbox_store_take(r->store, notice_show, r, &r->err);
		if (code >= 0 && !is_done(r)) {
			session_show(r);
			calm_show(r);
		}
		if (code > 0)
			r->heard_at = steady_us();
		if (code >= 0 && !is_done(r) && has_deadline() &&
		    steady_us() - r->heard_at >= settings.timeout * LK_SECOND)
			code = gave_up(r);
	}
	return code < 0 ? code : 0;
}

static int run_whole(struct run *r)
{
	int code = run_open(r);

	if (code == 0)
		code = run_loop(r);
	if (code == 0 && output_close(&r->out) < 0)
		code = lk_fail(&r->err, LK_EFULL, "cannot write any more");
	if (code < 0)
		(void)options_complain(&tool, "%s", r->err.text);
	lk_inbox_destroy(r->inbox);
	lk_inbox_store_close(r->store);
	return code < 0 ? TOOL_FAILED : r->answered < 0 ? TOOL_REFUSED : TOOL_OK;
}

int main(int argc, char **argv)
{
	struct run r = { 0 };
	int first, status = options_parse(&tool, argc, argv, &first);

	if (status >= 0)
		return status;
	if (first == argc)
		return options_complain(&tool, "whose notices? Name a worker; try --help");
	r.workers = argv + first;
	r.workers_n = (size_t)(argc - first);
	if (settings.client == NULL)
		settings.client = r.workers[0];
	tool_await_stop();
	output_open(&r.out, stdout, settings.json);
	return run_whole(&r);
}
