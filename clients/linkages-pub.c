/* linkages-pub.c - an agency's events, from lines of JSON into the outbox and on to the daemon.
 *
 * In: NDJSON in files or on standard input. Out: every event acknowledged, or named as refused with its line.
 * Promise: what was read is in the outbox, synced, before it is sent; ending at any moment loses nothing and doubles
 * nothing, the next run goes on from there.
 */
#include "output.h"
#include "place.h"
#include "progress.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHUNK (256u * 1024)
/* JSON is wordier than the 64 KiB that an event may have on the wire. */
#define LINE_LENGTH_MAX (1024u * 1024)
#define GROWTH_CHECK_MS 500 /* how often a file is asked whether it has grown */
#define DEFAULT_ADDRESS "tcp://127.0.0.1:5562"

static struct {
	struct place place;
	const char *source, *outbox, *identity_key;
	bool follow, json;
	int timeout;
} settings = { .timeout = 60 };

static const struct option_row rows[] = {
	{ "source", 0, OPTION_TEXT, "NAME", &settings.source,
	  "whose events these are (default: the source of the first event)" },
	{ "outbox", 'o', OPTION_TEXT, "FILE", &settings.outbox,
	  "the outbox; made where it is not there (default: SOURCE.outbox, see Files)" },
	PLACE_ROWS(settings.place),
	{ "identity-key", 0, OPTION_TEXT, "FILE", &settings.identity_key,
	  "64 hex digits: members' `identity` {cin, ssn, last, first, birth} is made\n"
	  "into tokens with it before anything leaves this machine" },
	{ "follow", 'f', OPTION_FLAG, NULL, &settings.follow,
	  "keep running: send what the input grows by" },
	{ "timeout", 't', OPTION_NUMBER, "SECONDS", &settings.timeout,
	  "give up after so long without an acknowledgement; 0: never (default: 60)" },
	{ "json", 0, OPTION_FLAG, NULL, &settings.json,
	  "refusals and the result as JSON lines on standard output" },
};

static const struct tool tool = {
	"linkages-pub",
	"[OPTION]… [FILE|-]…",
	"Publishes events, one CloudEvents JSON object a line, and returns when the daemon has committed all of them.\n"
	"They pass through an outbox: a file that keeps them until the daemon needs them no more, so that nothing\n"
	"is lost when either side stops, and nothing arrives twice. Without FILE, standard input is read; what was\n"
	"left in the outbox by an earlier run is sent too.",
	rows,
	sizeof(rows) / sizeof(rows[0]),
	"Files:\n"
	"  STATE/server.pub            the daemon's public key; STATE is the state directory\n"
	"  STATE/keys/SOURCE.key       our key, where --key names none\n"
	"  STATE-clients/SOURCE.outbox the outbox, where --outbox names none\n\n"
	"Exit status: 0 all acknowledged; 1 something was refused (each by line on standard error); 2 could not.\n\n"
	"Examples:\n"
	"  linkages-pub events.ndjson\n"
	"  extract | linkages-pub --follow --server tcp://linkages.example:5562 --server-key county.pub \\\n"
	"      --key calsaws.key --outbox /var/lib/extract/calsaws.outbox\n",
};

/* Where an event of the outbox came from. */
struct origin {
	uint32_t line;
	uint16_t file; /* index + 1; 0: from an earlier run */
	bool told;     /* its refusal was printed */
};

struct run {
	struct lk_outbox *outbox;
	struct lk_publisher *publisher;
	struct lk_outbox_state before; /* the outbox as it was when it was last looked at */
	struct output out;
	uint8_t identity_key[LK_IDENTITY_KEY];
	bool has_identity_key;
	/* the input */
	char **files;
	size_t files_n, file; /* the one being read */
	int fd;               /* -1: none open */
	bool ended;           /* all read */
	struct lk_bytes text; /* read and not yet a whole line */
	bool skipping;        /* inside a line that is too long */
	uint32_t line;
	/* by seq - origin_base */
	struct origin *origins;
	size_t origins_n;
	int64_t origin_base;
	int64_t read, appended, repeated, refused;
	int64_t progress_at; /* steady_us() */
	char trouble[400];
	struct lk_error err;
};

/* ---- Refusals -------------------------------------------------------------------------------------------------------- */

static const char *file_name(const struct run *r, size_t file)
{
	return strcmp(r->files[file], "-") == 0 ? "standard input" : r->files[file];
}

static void refusal_json(struct run *r, const struct origin *origin,
			 const struct lk_refusal_row *row)
{
	struct lk_bytes line = { 0 };

	lk_put_map(&line, 4);
	lk_member_text(&line, "file",
		       origin->file > 0 ? lk_text_of(r->files[origin->file - 1]) : LK_NO_TEXT);
	lk_member_int(&line, "line", origin->line);
	lk_member_text(&line, "id", row->id);
	lk_put_word(&line, "refused");
	lk_put_map(&line, 3);
	lk_member_text(&line, "reason", row->reason);
	lk_member_text(&line, "field", row->field);
	lk_member_text(&line, "detail", row->detail);
	output_line(&r->out, lk_span_of(line.at, line.len));
	lk_bytes_free(&line);
}

static void refusal_print(struct run *r, const struct origin *origin,
			  const struct lk_refusal_row *row)
{
	struct output err;
	char place[48];

	r->refused++;
	if (settings.json) {
		refusal_json(r, origin, row);
		return;
	}
	progress_end();
	output_open(&err, stderr, false);
	if (origin->file > 0) {
		(void)snprintf(place, sizeof(place), ":%u: refused: ", (unsigned)origin->line);
		output_text(&err, lk_text_of(file_name(r, origin->file - 1u)));
		output_word(&err, place);
	} else {
		output_word(&err, "left from before: event ");
		output_text(&err, lk_text_given(row->id) ? row->id : LK_TEXT("without id"));
		output_word(&err, ": refused: ");
	}
	output_text(&err, row->reason);
	if (row->field.len > 0) {
		output_word(&err, " ");
		output_text(&err, row->field);
	}
	if (row->detail.len > 0) {
		output_word(&err, ": ");
		output_text(&err, row->detail);
	}
	output_word(&err, "\n");
}

static int refusal_tell(void *context, const struct lk_refusal_row *row)
{
	struct run *r = context;
	struct origin unknown = { 0 };
	struct origin *origin = &unknown;

	if (row->seq >= r->origin_base && row->seq - r->origin_base < (int64_t)r->origins_n)
		origin = &r->origins[row->seq - r->origin_base];
	if (!origin->told)
		refusal_print(r, origin, row);
	origin->told = true;
	return 0;
}

/* A line that never got as far as the outbox. */
static void refuse_line(struct run *r, const struct lk_refused *why)
{
	struct origin origin = { .line = r->line, .file = (uint16_t)(r->file + 1) };
	struct lk_refusal_row row = { .reason = lk_text_of(lk_refusal_word((int)why->reason)),
				      .field = lk_text_of(why->field),
				      .detail = lk_text_of(why->detail) };

	refusal_print(r, &origin, &row);
}

/* ---- Opening ----------------------------------------------------------------------------------------------------------- */

static void on_settled(void *context, int64_t upto)
{
	struct run *r = context;
	int64_t after = r->before.acked < upto ? r->before.acked : upto;

	/* Verdicts are in order: those above what was acknowledged before are the new ones. */
	if (lk_outbox_refusals(r->outbox, after, refusal_tell, r, &r->err) < 0)
		(void)options_complain(&tool, "%s", r->err.text);
	if (upto > r->before.acked)
		r->progress_at = steady_us();
	lk_outbox_state(r->outbox, &r->before);
}

/* What is kept was numbered from 1 again; so are our notes of where it came from. */
static void on_renewed(void *context)
{
	struct run *r = context;

	r->origin_base -= r->before.first - 1;
	lk_outbox_state(r->outbox, &r->before);
}

static int run_connect(struct run *r)
{
	const char *names[] = { r->before.source, "publisher" };
	struct lk_publisher_options options = {
		.outbox = r->outbox, .context = r, .settled = on_settled, .renewed = on_renewed
	};
	int code = place_peer(&settings.place, DEFAULT_ADDRESS, names, 2, &options.peer, &r->err);

	if (code == 0)
		code = lk_publisher_create(&options, &r->publisher, &r->err);
	return code;
}

/* 0: open. LK_ENOTFOUND without an outbox: the source is not known yet, and the first event will tell. */
static int run_open(struct run *r, const char *source)
{
	char path[PLACE_PATH];
	const char *outbox = settings.outbox;
	int code;

	if (source == NULL && outbox == NULL)
		return LK_ENOTFOUND;
	if (outbox == NULL) {
		code = place_own(&settings.place, source, "outbox", path, &r->err);
		if (code < 0)
			return code;
		outbox = path;
	}
	code = lk_outbox_open(outbox, source, &r->outbox, &r->err);
	if (code < 0)
		return code;
	lk_outbox_state(r->outbox, &r->before);
	r->origin_base = r->before.first;
	return run_connect(r);
}

/* ---- Lines ----------------------------------------------------------------------------------------------------------- */

static int origin_note(struct run *r, int64_t seq)
{
	size_t i = (size_t)(seq - r->origin_base);

	if (seq < r->origin_base)
		return 0;
	if (i >= r->origins_n) {
		size_t n = (i + 1) * 2;
		struct origin *grown = realloc(r->origins, n * sizeof(*grown));

		if (grown == NULL)
			return lk_fail(&r->err, LK_EMEMORY, "out of memory");
		memset(grown + r->origins_n, 0, (n - r->origins_n) * sizeof(*grown));
		r->origins = grown;
		r->origins_n = n;
	}
	r->origins[i].line = r->line;
	r->origins[i].file = (uint16_t)(r->file + 1);
	return 0;
}

struct only {
	struct run *run;
	int64_t seq;
};

static int refusal_tell_only(void *context, const struct lk_refusal_row *row)
{
	const struct only *only = context;

	if (row->seq == only->seq)
		(void)refusal_tell(only->run, row);
	return 1;
}

static int event_append(struct run *r, const struct lk_bytes *event)
{
	struct lk_refused why;
	struct only only = { r, 0 };
	int code = lk_outbox_append(r->outbox, event->at, event->len, &only.seq, &why, &r->err);

	if (code == LK_EREFUSED) {
		refuse_line(r, &why);
		return 0;
	}
	if (code < 0)
		return code;
	r->appended += code == 0;
	r->repeated += code == 1;
	if (origin_note(r, only.seq) < 0)
		return LK_EMEMORY;
	/* Answered in an earlier run: the verdict is on record. */
	if (code == 1 && only.seq <= r->before.acked)
		code = lk_outbox_refusals(r->outbox, only.seq - 1, refusal_tell_only, &only,
					  &r->err);
	return code < 0 ? code : 0;
}

/* The first event names the source, where nobody else did. */
static int first_event(struct run *r, const struct lk_bytes *event)
{
	struct lk_text source = lk_as_text(lk_get(lk_span_of(event->at, event->len), "source"));
	char name[65];
	int code;

	if (source.len < 1 || source.len >= sizeof(name))
		return lk_fail(&r->err, LK_ECONFIG,
			       "the first event names no source: say --source NAME");
	(void)snprintf(name, sizeof(name), "%.*s", LK_PRINT(source));
	code = run_open(r, name);
	return code < 0 ? code : lk_outbox_begin(r->outbox, &r->err);
}

static int line_take(struct run *r, const char *text, size_t len)
{
	struct lk_bytes raw = { 0 }, event = { 0 };
	struct lk_refused why;
	int code;

	r->line++;
	while (len > 0 && (text[len - 1] == '\r' || text[len - 1] == ' ' || text[len - 1] == '\t'))
		len--;
	if (len == 0)
		return 0;
	r->read++;
	code = lk_json_to_wire(text, len, &raw, &why);
	if (code == 0)
		code = lk_identity_seal(raw.at, raw.len,
					r->has_identity_key ? r->identity_key : NULL, &event, &why);
	if (code == LK_EREFUSED) {
		refuse_line(r, &why);
		code = 0;
	} else if (code < 0 || raw.failed || event.failed) {
		code = lk_fail(&r->err, LK_EMEMORY, "out of memory");
	} else {
		if (r->outbox == NULL)
			code = first_event(r, &event);
		if (code == 0)
			code = event_append(r, &event);
	}
	lk_bytes_free(&raw);
	lk_bytes_free(&event);
	return code;
}

static int line_too_long(struct run *r)
{
	struct lk_refused why = { .reason = LK_TOO_LARGE,
				  .detail = "a line of more than a mebibyte" };

	r->line++;
	r->read++;
	refuse_line(r, &why);
	return 0;
}

/* Every whole line of what was read so far. What follows the last one stays. */
static int lines_take(struct run *r, bool at_end)
{
	size_t start = 0;
	int code = 0;

	while (code == 0 && start < r->text.len) {
		const char *at = (const char *)r->text.at + start;
		const char *end = memchr(at, '\n', r->text.len - start);
		size_t len = end != NULL ? (size_t)(end - at) : r->text.len - start;

		if (end == NULL && !at_end && len <= LINE_LENGTH_MAX)
			break;
		if (end == NULL && !at_end)
			r->skipping = true;
		else if (r->skipping || len > LINE_LENGTH_MAX)
			code = line_too_long(r);
		else
			code = line_take(r, at, len);
		if (end != NULL || at_end)
			r->skipping = false;
		start += len + (end != NULL);
	}
	if (start > 0)
		memmove(r->text.at, r->text.at + start, r->text.len - start);
	r->text.len -= start;
	return code;
}

/* One commit for all that was read at once. */
static int batch_take(struct run *r, bool at_end)
{
	int code = 0;

	if (r->outbox != NULL)
		code = lk_outbox_begin(r->outbox, &r->err);
	if (code == 0)
		code = lines_take(r, at_end);
	if (r->outbox == NULL)
		return code;
	if (code == 0)
		return lk_outbox_commit(r->outbox, &r->err);
	lk_outbox_rollback(r->outbox);
	return code;
}

/* ---- Input ----------------------------------------------------------------------------------------------------------- */

static int input_open(struct run *r)
{
	const char *path = r->files[r->file];

	r->line = 0;
	r->fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	if (r->fd < 0)
		return lk_fail(&r->err, LK_ENOTFOUND, "%s: %s", path, strerror(errno));
	return 0;
}

static int input_next(struct run *r)
{
	if (r->fd > STDIN_FILENO)
		close(r->fd);
	r->fd = -1;
	r->file++;
	r->ended = r->file == r->files_n;
	return r->ended ? 0 : input_open(r);
}

/* A file that may still grow is not at its end; a pipe whose writer has gone is. */
static bool may_grow(const struct run *r)
{
	return settings.follow && r->file + 1 == r->files_n && lseek(r->fd, 0, SEEK_CUR) >= 0;
}

static int input_take(struct run *r, bool *waiting)
{
	static char chunk[CHUNK];
	ssize_t n = read(r->fd, chunk, sizeof(chunk));
	int code;

	*waiting = false;
	if (n < 0)
		return errno == EINTR || errno == EAGAIN
			       ? 0
			       : lk_fail(&r->err, LK_ECONFIG, "%s: %s", file_name(r, r->file),
					 strerror(errno));
	if (n == 0 && may_grow(r)) {
		*waiting = true;
		return 0;
	}
	lk_bytes_add(&r->text, chunk, (size_t)n);
	if (r->text.failed)
		return lk_fail(&r->err, LK_EMEMORY, "out of memory");
	code = batch_take(r, n == 0);
	return code == 0 && n == 0 ? input_next(r) : code;
}

/* ---- Waiting --------------------------------------------------------------------------------------------------------- */

/* Says once why it is waiting, and again only where the reason changes. */
static void trouble_show(struct run *r)
{
	struct lk_session_state state;

	lk_publisher_state(r->publisher, &state);
	if (state.trouble[0] != '\0' && strcmp(state.trouble, r->trouble) != 0) {
		progress_end();
		(void)options_complain(&tool, "waiting: %s", state.trouble);
	}
	memcpy(r->trouble, state.trouble, sizeof(r->trouble));
}

static bool all_acknowledged(const struct run *r)
{
	struct lk_session_state state;

	lk_publisher_state(r->publisher, &state);
	return state.connected && r->before.acked == r->before.last;
}

static int session_take(struct run *r)
{
	int code = lk_publisher_process(r->publisher, &r->err);

	lk_outbox_state(r->outbox, &r->before);
	if (!settings.json)
		progress_say("acknowledged", r->before.acked, r->before.last);
	if (code < 0)
		return code; /* which says why by itself */
	trouble_show(r);
	if (r->before.acked == r->before.last && r->ended == false)
		r->progress_at = steady_us(); /* nothing was waited for */
	if (settings.timeout > 0 && !settings.follow &&
	    steady_us() - r->progress_at >= settings.timeout * LK_SECOND)
		return lk_fail(&r->err, LK_ENET, "no acknowledgement for %d s%s%s",
			       settings.timeout, r->trouble[0] != '\0' ? ": " : "", r->trouble);
	return 0;
}

static bool is_done(const struct run *r)
{
	if (tool_stopped)
		return true;
	return r->ended && (r->publisher == NULL || all_acknowledged(r));
}

/* Input and daemon, whichever has something. */
static int run_loop(struct run *r)
{
	bool waiting = false; /* for the file to grow */
	int code = 0;

	while (code == 0 && !is_done(r)) {
		struct pollfd fds[2] = {
			{ .fd = waiting || r->ended ? -1 : r->fd, .events = POLLIN },
			{ .fd = r->publisher != NULL ? lk_publisher_fd(r->publisher) : -1,
			  .events = POLLIN }
		};
		int n = poll(fds, 2, GROWTH_CHECK_MS);

		if (n < 0 && errno != EINTR)
			return lk_fail(&r->err, LK_ENET, "cannot wait: %s", strerror(errno));
		if (!r->ended && (waiting || fds[0].revents != 0))
			code = input_take(r, &waiting);
		if (code == 0 && r->publisher != NULL)
			code = session_take(r);
	}
	return code;
}

/* ---- The result ------------------------------------------------------------------------------------------------------ */

static void result_json(struct run *r)
{
	const struct {
		const char *name;
		int64_t value;
	} numbers[] = {
		{ "read", r->read },
		{ "appended", r->appended },
		{ "repeated", r->repeated },
		{ "refused", r->refused },
		{ "waiting", r->before.last - r->before.acked },
	};
	struct lk_bytes line = { 0 };

	lk_put_map(&line, 7);
	lk_member_text(&line, "source",
		       r->outbox != NULL ? lk_text_of(r->before.source) : LK_NO_TEXT);
	lk_member_int(&line, "acked", r->before.acked);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		lk_put_word(&line, numbers[i].name);
		lk_put_int(&line, numbers[i].value);
	}
	output_line(&r->out, lk_span_of(line.at, line.len));
	lk_bytes_free(&line);
}

static void result_print(struct run *r, int code)
{
	int64_t waiting = r->before.last - r->before.acked;
	char text[256];

	progress_end();
	if (settings.json) {
		result_json(r);
		return;
	}
	(void)snprintf(text, sizeof(text), "%lld read, %lld new, %lld known already, %lld refused",
		       (long long)r->read, (long long)r->appended, (long long)r->repeated,
		       (long long)r->refused);
	output_word(&r->out, text);
	if (r->publisher != NULL && (waiting > 0 || code == 0)) {
		(void)snprintf(text, sizeof(text), "; %lld of %lld in the outbox acknowledged",
			       (long long)r->before.acked, (long long)r->before.last);
		output_word(&r->out, waiting > 0 ? text : "; all acknowledged");
	}
	output_word(&r->out, "\n");
	if (waiting > 0)
		(void)options_complain(&tool,
				       "%lld %s in the outbox; nothing is lost: run this again",
				       (long long)waiting,
				       waiting == 1 ? "event waits" : "events wait");
}

static int run_prepare(struct run *r)
{
	int code = 0;

	if (settings.identity_key != NULL) {
		code = lk_identity_key_read(settings.identity_key, r->identity_key, &r->err);
		r->has_identity_key = code == 0;
	}
	if (code == 0)
		code = input_open(r);
	if (code == 0) {
		code = run_open(r, settings.source);
		if (code == LK_ENOTFOUND && settings.source == NULL && r->outbox == NULL)
			code = 0;
	}
	return code;
}

/* How it went, for whoever started it. */
static int run_tell(struct run *r, int code)
{
	if (code < 0) {
		progress_end();
		(void)options_complain(&tool, "%s", r->err.text);
	}
	/* Where it never came to sending, what went wrong is all there is to say. */
	if (code == 0 || r->publisher != NULL || settings.json)
		result_print(r, code);
	if (output_close(&r->out) < 0)
		code = LK_EFULL;
	if (code < 0 || r->before.acked < r->before.last)
		return TOOL_FAILED;
	return r->refused > 0 ? TOOL_REFUSED : TOOL_OK;
}

int main(int argc, char **argv)
{
	char dash[] = "-", *standard_input[] = { dash };
	struct run r = { .fd = -1 };
	int first, code, status = options_parse(&tool, argc, argv, &first);

	if (status >= 0)
		return status;
	tool_await_stop();
	output_open(&r.out, stdout, settings.json);
	r.files = first < argc ? argv + first : standard_input;
	r.files_n = first < argc ? (size_t)(argc - first) : 1;
	r.progress_at = steady_us();
	code = run_prepare(&r);
	if (code == 0)
		code = run_loop(&r);
	status = run_tell(&r, code);
	lk_publisher_destroy(r.publisher);
	lk_outbox_close(r.outbox);
	lk_bytes_free(&r.text);
	free(r.origins);
	return status;
}
