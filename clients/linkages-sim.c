/* linkages-sim.c - plays a story through the real turn and the real store, in memory, without a
 * socket.
 *
 * In: a file of events, clock lines and acknowledgements. Out: every notice as the daemon would
 * tell it, one JSON object a line; with --check, whether the story's own checks hold.
 * Promise: what runs here is what runs in the daemon; only time and the transport are the file's.
 */
#include "options.h"
#include "policy.h"
#include "scenario.h"
#include "turn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct sim {
	const struct policy *policy;
	struct store *store;
	struct turn *turn;
	struct story *story;
	bool quiet; /* checking: nothing is printed but what failed */
	int line;
	lk_instant now;
	bool refused, failed;
	struct lk_error err;
};

/* Known without a configuration: the stories' README. */
static const struct turn_source sources[] = {
	{ "cws-cms", LK_CWS, false },
	{ "cws-cares", LK_CWS, false },
	{ "calsaws", LK_CALWORKS, false },
};
#define SOURCES_N (sizeof(sources) / sizeof(sources[0]))

static int64_t next_seq[SOURCES_N];
static bool was_silent[SOURCES_N]; /* named by the last clock line, and has not spoken since */

static void say(struct sim *s, const char *json, size_t len)
{
	if (!s->quiet)
		printf("%.*s\n", (int)len, json);
	if (story_said(s->story, json, len) < 0)
		s->failed = true;
}

static void told(void *context, const void *body, size_t len)
{
	struct sim *s = context;
	struct lk_bytes json = { 0 }, line = { 0 };
	char head[32];
	s->failed |= lk_wire_to_json(body, len, &json) < 0 || json.len < 2;
	int n = snprintf(head, sizeof(head), "{\"line\":%d,", s->line);
	lk_bytes_add(&line, head, (size_t)n);
	if (json.len > 1)
		lk_bytes_add(&line, json.at + 1, json.len - 1);
	if (!line.failed)
		say(s, (const char *)line.at, line.len);
	s->failed |= line.failed;
	lk_bytes_free(&json);
	lk_bytes_free(&line);
}

static void say_refused(struct sim *s, const struct lk_refused *why)
{
	struct lk_bytes map = { 0 }, json = { 0 };
	lk_put_map(&map, 2);
	lk_member_int(&map, "line", s->line);
	lk_put_word(&map, "refused");
	lk_put_map(&map, 3);
	lk_member_word(&map, "reason", lk_refusal_word((int)why->reason));
	lk_member_text(&map, "field", why->field[0] != '\0' ? lk_text_of(why->field) : LK_NO_TEXT);
	lk_member_word(&map, "detail", why->detail);
	s->refused = true;
	if (!map.failed && lk_wire_to_json(map.at, map.len, &json) == 0)
		say(s, (const char *)json.at, json.len);
	lk_bytes_free(&map);
	lk_bytes_free(&json);
}

/* ---- Time ------------------------------------------------------------------------------------ */

static int pass(struct sim *s, lk_instant to)
{
	int more = 1;
	if (s->now == LK_NO_INSTANT || to > s->now)
		s->now = to;
	while (more > 0)
		more = turn_pass(s->turn, s->now, &s->err);
	return more;
}

/* Feeds that a clock line names have been silent since the clock before; all others count as alive.
 */
static int play_clock(struct sim *s, const struct line *line)
{
	if (line->clock.at == LK_NO_INSTANT) {
		say_refused(s, &(struct lk_refused){ LK_BAD_VALUE, "clock",
						     "not an RFC 3339 instant" });
		return 0;
	}
	for (size_t i = 0; i < SOURCES_N && s->now != LK_NO_INSTANT; i++) {
		struct lk_text name = lk_text_of(sources[i].name);
		bool silent = line_names_silent(line, sources[i].name);
		if (!silent || !was_silent[i])
			turn_heard(s->turn, name, s->now);
		turn_watch(s->turn, name, silent);
		was_silent[i] = silent;
	}
	int rc = s->now != LK_NO_INSTANT ? pass(s, s->now) : 0;
	return rc < 0 ? rc : pass(s, line->clock.at);
}

/* ---- Events ---------------------------------------------------------------------------------- */

static int apply(struct sim *s, const struct turn_event *in)
{
	struct turn_verdict verdict;
	turn_watch(s->turn, in->source,
		   false); /* it has spoken: alive, until a clock line says else */
	int rc = turn_events(s->turn, s->now, in, 1, &verdict, &s->err);
	if (rc < 0)
		return rc;
	if (verdict.outcome == TURN_REFUSED)
		say_refused(s, &verdict.refused);
	return pass(s, s->now);
}

static int source_index(struct lk_text name)
{
	for (size_t i = 0; i < SOURCES_N; i++)
		if (lk_text_says(name, sources[i].name))
			return (int)i;
	return -1;
}

/* An event whose time lies ahead moves the clock there first. Its place in its source's outbox is
 * that in the file. */
static int play_event(struct sim *s, const struct lk_bytes *wire)
{
	struct lk_event event;
	struct lk_refused why;
	struct turn_event in = { .bytes = wire->at, .len = wire->len };
	if (lk_event_decode(wire->at, wire->len, turn_agency_of, s->turn, &event, &why) < 0) {
		say_refused(s, &why);
		return 0;
	}
	int source = source_index(event.source);
	in.source = event.source;
	was_silent[source] = false;
	in.has_outbox_seq = true;
	in.seq = ++next_seq[source];
	int rc = s->now == LK_NO_INSTANT || event.time.at > s->now ? pass(s, event.time.at) : 0;
	return rc < 0 ? rc : apply(s, &in);
}

static int play_input(struct sim *s, const struct line *line)
{
	struct lk_bytes wire = { 0 };
	struct lk_refused why;
	int rc = lk_json_to_wire(line->text, line->len, &wire, &why);
	if (rc == LK_EREFUSED)
		say_refused(s, &why);
	rc = rc == 0 ? play_event(s, &wire) : rc == LK_EREFUSED ? 0 : rc;
	lk_bytes_free(&wire);
	return rc;
}

/* What was withdrawn and is somebody else's by now, nobody can answer for him. */
static void answer(void *context, const char *id, const char *worker)
{
	struct sim *s = context;
	uint8_t notice[LK_DIGEST];
	if (lk_digest_parse(lk_text_of(id), notice) != 0)
		return;
	int rc = turn_answer(s->turn, lk_text_of(worker), notice, s->now, &s->err);
	s->failed |= rc < 0 && rc != LK_ENOTFOUND;
}

static int play_line(struct sim *s, const struct line *line)
{
	switch (line->kind) {
	case LINE_BLANK:
	case LINE_NOTE: return 0;
	case LINE_CHECK: story_check(s->story, line, s->line); return 0;
	case LINE_CLOCK: story_stimulus(s->story, s->line); return play_clock(s, line);
	case LINE_ACK:
		story_stimulus(s->story, s->line);
		story_matching(s->story, line, answer, s);
		return 0;
	case LINE_INPUT: story_stimulus(s->story, s->line); return play_input(s, line);
	}
	return 0;
}

static int play_lines(struct sim *s, FILE *from)
{
	char *text = NULL;
	size_t room = 0;
	ssize_t len;
	int rc = 0;
	while (rc >= 0 && !s->failed && (len = getline(&text, &room, from)) >= 0) {
		struct line line;
		s->line++;
		while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == '\r'))
			len--;
		line_read(text, (size_t)len, &line);
		rc = play_line(s, &line);
		line_close(&line);
	}
	free(text);
	return rc;
}

/* ---- A run ----------------------------------------------------------------------------------- */

static int open_sim(struct sim *s, const char *name)
{
	const struct store_options in_memory = { .directory = NULL };
	memset(next_seq, 0, sizeof(next_seq));
	memset(was_silent, 0, sizeof(was_silent));
	s->now = LK_NO_INSTANT;
	s->story = story_create(name, stderr);
	if (s->story == NULL)
		return lk_fail(&s->err, LK_EMEMORY, "no memory for a story");
	int rc = store_open(&in_memory, &s->store, &s->err);
	if (rc < 0)
		return rc;
	struct turn_options options = {
		.store = s->store,
		.policy = s->policy,
		.sources = sources,
		.sources_n = SOURCES_N,
		.sink = { .context = s, .each = told },
	};
	return turn_create(&options, &s->turn, &s->err);
}

static void close_sim(struct sim *s)
{
	turn_destroy(s->turn);
	store_close(s->store);
	story_destroy(s->story);
}

/* The number of checks that failed, or negative. */
static int run_file(struct sim *s, const char *path)
{
	FILE *from = strcmp(path, "-") == 0 ? stdin : fopen(path, "r");
	if (from == NULL)
		return lk_fail(&s->err, LK_ENOTFOUND, "cannot read %s: %s", path, strerror(errno));
	int rc = open_sim(s, path);
	if (rc >= 0)
		rc = play_lines(s, from);
	if (rc >= 0 && s->failed)
		rc = lk_fail(&s->err, LK_EMEMORY, "%s:%d: could not go on", path, s->line);
	if (rc >= 0 && s->quiet && story_checked(s->story) == 0)
		rc = lk_fail(&s->err, LK_ENOTFOUND, "%s: there is no check in it", path);
	if (rc >= 0 && s->quiet)
		story_end(s->story);
	if (rc >= 0)
		rc = story_failed(s->story);
	close_sim(s);
	if (from != stdin)
		fclose(from);
	return rc;
}

static struct {
	bool check;
	const char *policy;
} settings;

static const struct option_row rows[] = {
	{ "check", 'c', OPTION_FLAG, NULL, &settings.check,
	  "hold the stories' own checks against what is said; print only how each went" },
	{ "policy", 'p', OPTION_TEXT, "FILE", &settings.policy,
	  "a county's policy (default: the built-in one)" },
};

static const struct tool tool = {
	.name = "linkages-sim",
	.synopsis = "[--policy FILE] FILE | --check FILE…",
	.purpose =
		"Plays a story (events, clock lines, acknowledgements; one JSON object a line) through the daemon's\n"
		"engine and store in memory, and prints every notice that it tells.",
	.rows = rows,
	.rows_n = sizeof(rows) / sizeof(rows[0]),
	.notes =
		"FILE - is the standard input. Exit status: 0; 1 where input was refused or a check failed;\n"
		"2 where it could not run.\n",
};

static int check_files(const struct policy *policy, char **paths, int n)
{
	int failed = 0;
	for (int i = 0; i < n; i++) {
		struct sim s = { .policy = policy, .quiet = true };
		int rc = run_file(&s, paths[i]);
		if (rc < 0)
			(void)options_complain(&tool, "%s", s.err.text);
		printf("%s %s\n", rc == 0 ? "ok  " : "FAIL", paths[i]);
		failed += rc != 0;
	}
	printf("%d passed, %d failed\n", n - failed, failed);
	return failed == 0 ? TOOL_OK : TOOL_REFUSED;
}

static int play_file(const struct policy *policy, const char *path)
{
	struct sim s = { .policy = policy };
	int rc = run_file(&s, path);
	if (rc < 0)
		return options_complain(&tool, "%s", s.err.text);
	return s.refused ? TOOL_REFUSED : TOOL_OK;
}

int main(int argc, char **argv)
{
	static struct policy policy;
	struct lk_error err;
	int first, done = options_parse(&tool, argc, argv, &first);
	if (done >= 0)
		return done;
	if (first >= argc || (!settings.check && first + 1 < argc))
		return options_complain(&tool, "name %s; see --help",
					settings.check ? "the stories to check" : "one story");
	if (policy_load(settings.policy, &policy, &err) < 0)
		return options_complain(&tool, "%s", err.text);
	done = settings.check ? check_files(&policy, argv + first, argc - first)
			      : play_file(&policy, argv[first]);
	return fflush(stdout) == 0 && ferror(stdout) == 0
		       ? done
		       : options_complain(&tool, "cannot write any more");
}
