/* fuzz_lanes.c - any messages, in any order, from anybody: the lanes as they run, on the real turn and store.
 *
 * In: a play, one step after the other: what is done, by whom, and the body that is sent. Promise: no crash; whatever the
 * daemon sends is a message of its lane and goes to somebody who is there; a notice goes only to a session whose key may
 * read for its worker; a key that is not enrolled is not let in. Chance is taken out, so that a play is the same each time.
 */
#include "access.h"
#include "census.h"
#include "daemon.h"
#include "feed.h"
#include "inbox.h"
#include "intake.h"
#include "lane.h"
#include "log.h"
#include "loop.h"
#include "policy.h"
#include "socketless.h"
#include "wake.h"

#include <linkages/message.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void must(bool fact)
{
	if (!fact)
		abort();
}

/* ---- Who there is ---- */

enum key { CWS, CALWORKS, GARCIA, JONES, OPERATOR, AUDITOR, STRANGER, KEYS };

/* A key's connection to a lane. Those of one lane and route are rivals for the routing id. */
struct speaker {
	const char *lane;
	enum key key;
	uint8_t route;
};
static const struct speaker speakers[] = {
	{ "intake", CWS, 1 },       { "intake", CALWORKS, 2 },  { "inbox", GARCIA, 1 },
	{ "inbox", JONES, 2 },      { "control", OPERATOR, 1 }, { "control", AUDITOR, 2 },
	{ "feed", CWS, 1 },         { "feed", CALWORKS, 2 },    { "inbox", CALWORKS, 1 },
	{ "intake", GARCIA, 1 },    { "inbox", STRANGER, 3 },   { "intake", CALWORKS, 1 },
	{ "control", STRANGER, 3 }, { "inbox", JONES, 1 },
};
#define SPEAKERS (sizeof(speakers) / sizeof(*speakers))

struct table {
	const char *member[KEYS]; /* of the entry of each key; NULL: it has none */
};
static const struct table tables[] = {
	{ { "publisher, sources: [cws-cms]", "publisher, sources: [calsaws]",
	    "worker, workers: [garcia]", "worker, workers: [jones]", "operator", "auditor",
	    NULL } },
	{ { "publisher, sources: [cws-cms]", "publisher, sources: [calsaws], revoked: true",
	    "worker, workers: [garcia]", NULL, "operator", "auditor", NULL } },
	{ { "publisher, sources: [calsaws]", "publisher, sources: [cws-cms]",
	    "worker, workers: [jones]", "worker, workers: [garcia]", "auditor", "operator",
	    NULL } },
};
#define TABLES (sizeof(tables) / sizeof(*tables))

static struct roster *roster_of(const struct table *table)
{
	char text[2048] = "", key_text[ROSTER_KEY_TEXT];
	struct roster *roster = NULL;
	size_t at = 0;

	for (int key = 0; key < KEYS; key++) {
		uint8_t bytes[ROSTER_KEY];
		memset(bytes, key + 1, sizeof(bytes));
		roster_key_print(bytes, key_text);
		if (table->member[key] != NULL)
			at += (size_t)snprintf(text + at, sizeof(text) - at,
					       "- {name: k%d, key: '%s', role: %s}\n", key,
					       key_text, table->member[key]);
	}
	must(roster_parse("table", text, at, &roster, NULL) == 0);
	return roster;
}

/* ---- The daemon, less sockets and chance ---- */

static struct {
	struct daemon d;
	char user[KEYS][128]; /* what ZAP said of each; empty: refused */
	enum key asking;
	const struct table *table;
	struct loop_timer *stop;
	uint8_t chance;
	int fault; /* what sending returns */
} play;

static const char *chance_name(void)
{
	return "none";
}

static void chance_fill(void *const out, const size_t len)
{
	memset(out, ++play.chance, len);
}

static uint32_t chance_next(void)
{
	return ++play.chance;
}

static struct randombytes_implementation no_chance = {
	.implementation_name = chance_name,
	.random = chance_next,
	.buf = chance_fill,
};

int daemon_reload(struct daemon *d, struct lk_error *err)
{
	(void)d;
	return lk_fail(err, LK_ECONFIG, "the play changes tables by itself");
}

const char *daemon_unread(const struct daemon *d, int agency)
{
	(void)d;
	(void)agency;
	return NULL;
}

void daemon_drain(struct daemon *d)
{
	(void)d;
}

static void told(void *context, struct lk_text worker, int64_t seq)
{
	struct daemon *d = context;

	inbox_told(d->inbox, worker, seq);
}

static void answered(void *context, struct lk_text worker, const uint8_t notice[LK_DIGEST],
		     struct lk_text by, lk_instant at)
{
	struct daemon *d = context;

	inbox_answered(d->inbox, worker, notice, by, at);
}

static void hand_out(void *context)
{
	const struct daemon *d = context;

	inbox_hand_out(d->inbox);
}

static void renewed(void *context)
{
	const struct daemon *d = context;

	lane_dismiss(inbox_lane(d->inbox), "mailboxes have begun anew");
}

static void wake_told(void *context, lk_instant at)
{
	struct daemon *d = context;

	wake_at(d->wake, at);
}

static void stopped(void *context)
{
	loop_stop(context, 0);
}

/* All that is due at once. */
static void turn_loop(void)
{
	loop_timer_in(play.stop, 0);
	must(loop_run(play.d.loop, NULL) == 0);
}

/* ---- What is heard ---- */

static bool may_read(uint8_t route, struct lk_text worker)
{
	for (size_t i = 0; i < SPEAKERS; i++) {
		const char *member = play.table->member[speakers[i].key];
		char name[80];
		if (strcmp(speakers[i].lane, "inbox") != 0 || speakers[i].route != route ||
		    member == NULL)
			continue;
		snprintf(name, sizeof(name), "[%.*s]", LK_PRINT(worker));
		if (strstr(member, name) != NULL)
			return true;
	}
	return false;
}

static void take_verdict(const struct zsock_part *parts, size_t n)
{
	must(n == 8);
	snprintf(play.user[play.asking], sizeof(play.user[0]), "%.*s", (int)parts[6].len,
		 (const char *)parts[6].at);
	must((memcmp(parts[4].at, "200", 3) == 0) == (parts[6].len > 0));
}

static int heard(void *context, const char *socket, const struct zsock_part *parts, size_t n)
{
	static const struct {
		const char *socket;
		unsigned takes;
	} peers[] = { { "intake", LK_PUBLISHER_TAKES },
		      { "inbox", LK_WORKER_TAKES },
		      { "control", LK_ASKER_TAKES } };
	struct lk_message message;
	uint8_t route;

	(void)context;
	if (strcmp(socket, "zap") == 0) {
		take_verdict(parts, n);
		return 0;
	}
	must(n == 2 && parts[0].len == 5);
	route = ((const uint8_t *)parts[0].at)[1];
	for (size_t i = 0; i < sizeof(peers) / sizeof(*peers); i++)
		if (strcmp(socket, peers[i].socket) == 0)
			must(lk_message_decode(parts[1].at, parts[1].len, peers[i].takes, &message,
					       NULL) == 0);
	if (message.type == LK_MSG_NOTICE)
		must(may_read(route, message.notice_sent.worker));
	if (message.type == LK_MSG_NOTICES)
		must(may_read(route, message.notices_sent.worker));
	return play.fault;
}

/* ---- Life ---- */

static void ask_zap(enum key key, const struct zsock_part *credentials)
{
	const struct zsock_part request[] = { { "\0zap", 4 }, { "", 0 },         { "1.0", 3 },
					      { "1", 1 },     { "linkages", 8 }, { "127.0.0.1", 9 },
					      { "", 0 },      { "CURVE", 5 },    *credentials };

	play.asking = key;
	play.user[key][0] = '\0';
	socketless_say("zap", request, sizeof(request) / sizeof(*request), NULL, 0);
}

static void ask_for_all(void)
{
	for (enum key key = 0; key < KEYS; key++) {
		uint8_t bytes[ROSTER_KEY];
		memset(bytes, (int)key + 1, sizeof(bytes));
		ask_zap(key, &(struct zsock_part){ bytes, sizeof(bytes) });
	}
	must(play.user[STRANGER][0] == '\0');
}

/* Those that need no more of a daemon than there is here: no folder, no jobs, no witness. */
static size_t verbs_played(struct control_verb *out)
{
	static const char *const names[] = { "status",       "family",       "why",   "why-not",
					     "plan",         "dead-letters", "clock", "reload",
					     "policy-check", "stop" };
	size_t n = 0;

	for (size_t i = 0; i < daemon_verbs_n; i++)
		for (size_t j = 0; j < sizeof(names) / sizeof(*names); j++)
			if (strcmp(daemon_verbs[i].name, names[j]) == 0)
				out[n++] = daemon_verbs[i];
	must(n == sizeof(names) / sizeof(*names));
	return n;
}

static void build_lanes(struct daemon *d)
{
	static struct control_verb verbs[64];
	const struct zsock_place place = { .loop = d->loop,
					   .context = d->sockets,
					   .keys = &d->keys };
	const struct feed_options feed = {
		place, d->access, d->turn, &d->clock, d->wake, &d->config
	};
	const struct inbox_options inbox = { place, d->access, d->turn, &d->clock };
	const struct intake_options intake = { .place = place,
					       .access = d->access,
					       .turn = d->turn,
					       .clock = &d->clock,
					       .wake = d->wake,
					       .hand_out = hand_out,
					       .renewed = renewed,
					       .context = d,
					       .disk = "/",
					       .credit_most = 8 };
	const struct control_options control = { .place = place,
						 .access = d->access,
						 .verbs = verbs,
						 .verbs_n = verbs_played(verbs),
						 .verbs_context = d };

	must(census_create(d->loop, d->store, &d->census, NULL) == 0);
	must(feed_create(&feed, &d->feed, NULL) == 0);
	must(intake_create(&intake, &d->intake, NULL) == 0);
	must(inbox_create(&inbox, &d->inbox, NULL) == 0);
	must(control_create(&control, &d->control, NULL) == 0);
}

static void build_turn(struct daemon *d)
{
	static const struct turn_source sources[] = { { "cws-cms", LK_CWS, false },
						      { "calsaws", LK_CALWORKS, false } };
	const struct turn_options options = {
		.store = d->store,
		.policy = d->policy,
		.sources = sources,
		.sources_n = 2,
		.sink = { .context = d, .told = told, .answered = answered, .wake = wake_told },
	};

	clock_start(&d->clock, true, LK_NO_INSTANT);
	must(wake_create(d->loop, &d->clock, &d->wake, NULL) == 0);
	must(turn_create(&options, &d->turn, NULL) == 0);
}

/* Nothing changes it, and its time zone takes long to read. */
static struct policy *policy(void)
{
	static struct policy built_in;
	static bool is_read;

	must(is_read || policy_load(NULL, &built_in, NULL) == 0);
	is_read = true;
	return &built_in;
}

static void begin(void)
{
	static const char config[] = "clock: manual\nstate_directory: /s\nruntime_directory: /r\n"
				     "sources: [{name: cws-cms, agency: cws, sequence: dense},"
				     " {name: calsaws, agency: calworks}]\n";
	const struct store_options store = { .directory = NULL };
	struct daemon *d = &play.d;

	memset(&play, 0, sizeof(play));
	play.table = &tables[0];
	log_open(LOG_ERROR);
	socketless_listen(heard, NULL);
	must(config_parse("/c", config, sizeof(config) - 1, &d->config, NULL) == 0);
	d->policy = policy();
	d->silent = calloc(3, sizeof(*d->silent));
	must(d->silent != NULL);
	must(store_open(&store, &d->store, NULL) == 0 && loop_create(&d->loop, NULL) == 0);
	must(loop_timer_create(d->loop, LOOP_PROMPT, stopped, d->loop, &play.stop, NULL) == 0);
	must(zsock_begin(&d->sockets, NULL) == 0);
	must(access_create(d->loop, d->sockets, roster_of(play.table), &d->access, NULL) == 0);
	build_turn(d);
	build_lanes(d);
	wake_begin(d->wake, d->turn);
	ask_for_all();
}

static void end(void)
{
	struct daemon *d = &play.d;

	turn_loop();
	census_destroy(d->census);
	control_destroy(d->control);
	inbox_destroy(d->inbox);
	intake_destroy(d->intake);
	feed_destroy(d->feed);
	turn_destroy(d->turn);
	wake_destroy(d->wake);
	access_destroy(d->access);
	zsock_end(d->sockets);
	loop_timer_destroy(play.stop);
	loop_destroy(d->loop);
	store_close(d->store);
	free(d->silent);
	config_free(&d->config);
}

/* ---- The play ---- */

struct step {
	uint8_t what, who;
	const uint8_t *body;
	size_t len;
};

static void step_say(const struct step *step)
{
	static const char *const sources[] = { "cws-cms", "calsaws" };
	size_t i = step->who % SPEAKERS;
	const struct speaker *s = &speakers[i];
	uint8_t route[5] = { 0, s->route, 0, 0, 0 };
	struct zsock_part parts[] = { { route, sizeof(route) }, { step->body, step->len } };

	if (strcmp(s->lane, "feed") == 0)
		parts[0] = (struct zsock_part){ sources[s->key], 7 };
	socketless_say(s->lane, parts, 2, play.user[s->key], (int)i);
}

static bool was_handed_out(const char *user)
{
	for (enum key key = 0; key < KEYS; key++)
		if (strcmp(user, play.user[key]) == 0)
			return true;
	return false;
}

/* As if ZAP had not been asked: the id is what the peer wrote. */
static void step_forge(const struct step *step)
{
	uint8_t route[5] = { 0, 9, 0, 0, 0 };
	const struct zsock_part parts[] = { { route, sizeof(route) }, { step->body, step->len } };
	char user[sizeof(play.user[0])];

	snprintf(user, sizeof(user), "%.*s", (int)step->len, (const char *)step->body);
	must(access_who(play.d.access, user) == NULL || was_handed_out(user));
	socketless_say("intake", parts, 2, user, 15);
}

static void step_zap(const struct step *step)
{
	char before[sizeof(play.user[0])];

	memcpy(before, play.user[STRANGER], sizeof(before));
	ask_zap(STRANGER, &(struct zsock_part){ step->body, step->len });
	memcpy(play.user[STRANGER], before, sizeof(before));
}

static void step_table(const struct step *step)
{
	play.table = &tables[step->who % TABLES];
	access_swap(play.d.access, roster_of(play.table));
	lane_recheck(intake_lane(play.d.intake));
	lane_recheck(inbox_lane(play.d.inbox));
	for (enum key key = 0; key < KEYS; key++)
		if (play.user[key][0] == '\0')
			ask_for_all();
}

static void step_fault(const struct step *step)
{
	static const int faults[] = { 0, LK_ENOTFOUND, LK_ESTATE, LK_ENET };

	play.fault = faults[step->who % 4];
}

static void step_cut(const struct step *step)
{
	socketless_cut(step->who % SOCKETLESS_LINES, (step->who & 0x80) == 0);
}

static void step_turn(const struct step *step)
{
	(void)step;
	turn_loop();
}

static void step_route(const struct step *step)
{
	const struct zsock_part parts[] = { { step->body, step->len }, { step->body, step->len } };

	socketless_say(speakers[step->who % 6].lane, parts, 2, play.user[CWS], 0);
}

/* Speech is most of it. */
static void (*const steps[])(const struct step *) = {
	step_say,  step_say, step_say,   step_say, step_say,   step_say,   step_say,   step_say,
	step_turn, step_cut, step_table, step_zap, step_forge, step_route, step_fault, step_turn,
};

/* What, by whom, two bytes of length, so many bytes; what is cut short is what is left. */
static size_t step_read(const uint8_t *bytes, size_t len, struct step *out)
{
	size_t n = (size_t)bytes[2] << 8 | bytes[3];

	if (n > len - 4)
		n = len - 4;
	*out = (struct step){ bytes[0], bytes[1], bytes + 4, n };
	return 4 + n;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct step step;

	must(randombytes_set_implementation(&no_chance) == 0);
	begin();
	while (len >= 4) {
		size_t used = step_read(bytes, len, &step);
		steps[step.what % (sizeof(steps) / sizeof(*steps))](&step);
		bytes += used;
		len -= used;
	}
	end();
	return 0;
}
