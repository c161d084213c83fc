/* main.c - linkagesd: options, configuration, the modules in order, the run, and everything undone
 * again.
 *
 * In: a command line. Out: an exit status of sysexits.h: 0 drained, 75 the store is suspect (a
 * restart recovers it), 78 a file does not say what it should. Promise: nothing is bound before
 * there is a ZAP handler, nobody is told that we are ready before the store, the lanes and the
 * proof that strangers are kept out.
 */
#include "daemon.h"

#include "access.h"
#include "census.h"
#include "enroll.h"
#include "feed.h"
#include "http.h"
#include "idle.h"
#include "inbox.h"
#include "intake.h"
#include "jobs.h"
#include "lane.h"
#include "log.h"
#include "loop.h"
#include "metrics.h"
#include "policy.h"
#include "prune.h"
#include "wake.h"
#include "zsock.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sysexits.h>

static const char usage[] =
	"Usage: linkagesd [OPTION]...\n"
	"Takes in the events of both agencies and hands out the notices that follow.\n"
	"\n"
	"  -c, --config=FILE  its configuration; without it, loopback and keys of its own\n"
	"  -n, --check        check configuration, policy and table of clients, and exit\n"
	"  -h, --help         this help\n"
	"  -V, --version      the version\n"
	"\n"
	"Files are kept in $STATE_DIRECTORY, $XDG_STATE_HOME/linkages or\n"
	"~/.local/state/linkages. SIGHUP reads policy and table of clients again; SIGTERM\n"
	"commits what waits, tells everyone and ends.\n"
	"\n"
	"Exit status: 0 drained; 64 wrong usage; 69 an address cannot be bound, or another\n"
	"daemon runs; 71 out of memory; 74 the store cannot be opened; 75 the disk failed,\n"
	"and the next start rebuilds; 77 strangers would be let in; 78 a file does not say\n"
	"what it should.\n";

#define STATUS_US (10 * LK_SECOND)
#define LOG_ROOM (INT64_C(64) << 20)

/* ---- What the turn tells ---- */

static void told(void *context, struct lk_text worker, int64_t seq)
{
	struct daemon *d = context;

	if (d->inbox != NULL)
		inbox_told(d->inbox, worker, seq);
}

static void answered(void *context, struct lk_text worker, const uint8_t notice[LK_DIGEST],
		     struct lk_text by, lk_instant at)
{
	struct daemon *d = context;

	if (d->inbox != NULL)
		inbox_answered(d->inbox, worker, notice, by, at);
}

static void wake_told(void *context, lk_instant at)
{
	struct daemon *d = context;

	wake_at(d->wake, at);
}

static void made(void *context, const struct turn_made *notice)
{
	(void)context;
	daemon_count_made(notice);
}

static void handed(void *context, int level, int64_t n)
{
	(void)context;
	daemon_count_handed(level, n);
}

/* ---- Reload and drain ---- */

static const char *named(const char *path)
{
	return path[0] != '\0' ? path : NULL;
}

static bool is_local(const struct config *config)
{
	for (int lane = 0; lane < LANE_COUNT; lane++)
		if (!config_lane_is_local(config, (enum config_lane)lane))
			return false;
	return true;
}

/* A key that reads every mailbox is for trying things out, on this machine. */
static int load_roster(const struct config *config, struct roster **out, struct lk_error *err)
{
	struct roster *roster;
	int rc = roster_load(config->clients, &roster, err);

	if (rc < 0)
		return rc;
	for (size_t i = 0; rc == 0 && !is_local(config) && i < roster_count(roster); i++)
		if (roster_reads_all(roster_at(roster, i)))
			rc = lk_fail(
				err, LK_ECONFIG,
				"%s:%u: workers ['*'] only where every lane is loopback or ipc",
				config->clients, roster_at(roster, i)->line);
	if (rc < 0)
		roster_free(roster);
	else
		*out = roster;
	return rc;
}

/* The turn borrows the policy: the old one is given back once the turn has the new one. */
static int swap_policy(struct daemon *d, struct policy *policy, struct lk_error *err)
{
	int rc = turn_policy(d->turn, policy, err);

	if (rc < 0)
		return rc;
	free(d->policy);
	d->policy = policy;
	wake_now(d->wake);
	return 0;
}

static void swap_roster(struct daemon *d, struct roster *roster)
{
	access_swap(d->access, roster);
	lane_recheck(intake_lane(d->intake));
	lane_recheck(inbox_lane(d->inbox));
}

static int reload(struct daemon *d, struct lk_error *err)
{
	struct policy *policy = calloc(1, sizeof(*policy));
	struct roster *roster = NULL;
	int rc = policy == NULL ? lk_fail(err, LK_EMEMORY, "no memory for a policy") : 0;

	if (rc == 0)
		rc = policy_load(named(d->config.policy), policy, err);
	if (rc == 0)
		rc = load_roster(&d->config, &roster, err);
	if (rc == 0)
		rc = swap_policy(d, policy, err);
	if (rc < 0) {
		roster_free(roster);
		free(policy);
		return rc;
	}
	swap_roster(d, roster);
	return 0;
}

int daemon_reload(struct daemon *d, struct lk_error *err)
{
	struct lk_error why = { 0 };
	int rc;

	loop_tell_reloading();
	rc = reload(d, &why);
	metric_add(rc < 0 ? METRIC_RELOADS_REFUSED : METRIC_RELOADS, 1);
	if (rc < 0)
		log_line(LOG_ERROR, "reload outcome=refused detail=\"%s\"", why.text);
	else
		log_line(LOG_NOTE, "reload outcome=accepted");
	loop_tell_reloaded(rc < 0 ? "reload refused; the old settings stay" : "serving");
	*err = why;
	return rc;
}

void daemon_drain(struct daemon *d)
{
	d->draining = true;
	loop_tell_stopping();
	feed_drain(d->feed);
	intake_drain(d->intake);
	inbox_drain(d->inbox);
	loop_stop(d->loop, EX_OK);
}

static void hung_up(void *context)
{
	struct lk_error err;

	/* A refusal is logged and told to systemd there. */
	if (daemon_reload(context, &err) < 0)
		return;
}

static void terminated(void *context)
{
	log_line(LOG_NOTE, "drain");
	daemon_drain(context);
}

/* ---- Alive and ready ---- */

/* A commit and a read. A store that refuses, a full disk for one, answers too: the sockets are served, and nothing is
 * acknowledged that is not on disk. */
static void touch_store(struct daemon *d)
{
	struct lk_error err = { 0 };
	bool answers = turn_touch(d->turn, clock_now(&d->clock), &err) == 0;

	if (answers) {
		clock_mark(&d->clock);
		metric_set(METRIC_COMMITTED_AT, "", clock_read().machine);
	}
	if (answers != d->store_answers)
		log_line(answers ? LOG_NOTE : LOG_ERROR, "store outcome=%s fault=%d detail=\"%s\"",
			 answers ? "answers" : "refuses", err.code, err.text);
	if (err.code == LK_ESYNC)
		loop_stop(d->loop, EX_TEMPFAIL);
	d->store_answers = answers;
}

/* systemd is told that we live when the loop has turned and the store has answered, with success or with a refusal. A
 * call that does not come back, for a disk that hangs, is what the watchdog is for. */
static void beaten(void *context)
{
	struct daemon *d = context;
	int64_t watchdog_us = loop_watchdog_us();

	touch_store(d);
	loop_tell_alive();
	loop_tell_status("%s%s; %" PRId64 " events, %" PRId64 " notices sent",
			 d->clock.manual ? "manual clock; " : "",
			 d->store_answers ? "serving"
					  : "the store refuses: nothing is acknowledged",
			 metric_get(METRIC_EVENTS_ACCEPTED), metric_get(METRIC_NOTICES_SENT));
	witness_beat(&d->witness);
	loop_timer_in(d->beat,
		      watchdog_us > 0 && watchdog_us < STATUS_US ? watchdog_us : STATUS_US);
}

static void measure(void *context)
{
	daemon_measure(context);
}

/* For load balancers: whether what comes now would be acknowledged. Who of the sources is silent is known when the first
 * pass is done. */
static const char *obstacle(void *context)
{
	const struct daemon *d = context;

	if (d->draining)
		return "draining";
	if (!d->store_answers || intake_is_held(d->intake) || feed_is_held(d->feed))
		return "the store refuses";
	if (metric_get(METRIC_PASSES) == 0)
		return "feeds are not known yet";
	return NULL;
}

/* ---- Building, in the order of struct daemon ---- */

/* Each folder on the way, for the owner and the group. */
static int make_folders(const char *path, struct lk_error *err)
{
	char part[CONFIG_PATH_MAX];

	for (size_t i = 1; path[i - 1] != '\0'; i++) {
		if (path[i] != '/' && path[i] != '\0')
			continue;
		snprintf(part, sizeof(part), "%.*s", (int)i, path);
		if (mkdir(part, 0750) < 0 && errno != EEXIST)
			return lk_fail(err, LK_ECONFIG, "cannot make %s: %s", part,
				       strerror(errno));
	}
	return 0;
}

/* Only where the disk will not miss it. */
static int64_t log_room(const struct config *config)
{
	struct statvfs disk;

	if (statvfs(config->state_directory, &disk) < 0 ||
	    (int64_t)(disk.f_bavail * disk.f_frsize) < config->disk_reserve + 8 * LOG_ROOM)
		return 0;
	return LOG_ROOM;
}

static int build_keys(struct daemon *d, struct lk_error *err)
{
	const struct config *config = &d->config;
	char path[CONFIG_PATH_MAX + 32];
	int rc;

	(void)snprintf(path, sizeof(path), "%s/server.pub", config->state_directory);
	rc = keys_server(config->server_key, path, &d->keys, err);
	if (rc < 0 || config->second_key[0] == '\0')
		return rc;
	(void)snprintf(path, sizeof(path), "%s/server.next.pub", config->state_directory);
	return keys_server(config->second_key, path, &d->second_keys, err);
}

static int build_files(struct daemon *d, struct lk_error *err)
{
	struct store_options options = { .directory = d->config.state_directory, .beside = true };
	int rc = make_folders(d->config.state_directory, err);

	if (rc == 0)
		rc = make_folders(d->config.runtime_directory, err);
	options.log_room = log_room(&d->config);
	if (rc == 0)
		rc = store_open(&options, &d->store, err);
	if (rc == 0)
		witness_begin(&d->witness, d->store);
	if (rc == 0)
		rc = build_keys(d, err);
	if (rc == 0)
		rc = enroll_default(&d->config, err);
	return rc < 0 ? rc : 0;
}

static int build_access(struct daemon *d, struct lk_error *err)
{
	struct roster *roster = NULL;
	int rc = load_roster(&d->config, &roster, err);

	if (rc == 0)
		rc = loop_create(&d->loop, err);
	if (rc == 0)
		rc = zsock_begin(&d->sockets, err);
	if (rc == 0)
		rc = access_create(d->loop, d->sockets, roster, &d->access, err);
	if (d->access == NULL)
		roster_free(roster);
	return rc;
}

/* The clock goes on where the store left it. */
static void start_clock(struct daemon *d)
{
	clock_start(&d->clock, d->config.clock == CLOCK_MANUAL, turn_now(d->turn));
	d->started_at = clock_now(&d->clock);
}

static struct turn_source *turn_sources(const struct config *config)
{
	struct turn_source *sources = calloc(config->sources_n + 1, sizeof(*sources));

	for (size_t i = 0; sources != NULL && i < config->sources_n; i++) {
		snprintf(sources[i].name, sizeof(sources[i].name), "%s", config->sources[i].name);
		sources[i].agency = config->sources[i].agency;
		/* A clock that is moved by hand makes nobody silent: verbs.c, note_silence(). */
		sources[i].watched = config->sources[i].watched && config->clock == CLOCK_REAL;
	}
	return sources;
}

static int build_turn(struct daemon *d, struct lk_error *err)
{
	struct turn_source *sources = turn_sources(&d->config);
	const struct turn_options options = {
		.store = d->store,
		.policy = d->policy,
		.sources = sources,
		.sources_n = d->config.sources_n,
		.replay_window_us = d->config.replay_window_us,
		.sink = { .context = d,
			  .told = told,
			  .answered = answered,
			  .made = made,
			  .handed = handed,
			  .wake = wake_told },
	};
	int rc;

	d->silent = calloc(d->config.sources_n + 1, sizeof(*d->silent));
	rc = sources == NULL || d->silent == NULL
		     ? lk_fail(err, LK_EMEMORY, "no memory for the sources")
		     : wake_create(d->loop, &d->clock, &d->wake, err);

	if (rc == 0)
		rc = turn_create(&options, &d->turn, err);
	if (rc == 0)
		start_clock(d);
	free(sources);
	return rc;
}

static struct zsock_second second_of(const struct daemon *d, enum config_lane lane)
{
	return (struct zsock_second){ d->config.lane[lane], &d->second_keys };
}

static int build_feed(struct daemon *d, struct lk_error *err)
{
	const struct zsock_second second = second_of(d, LANE_SECOND_FEED);
	const struct feed_options options = {
		.loop = d->loop,
		.context = d->sockets,
		.access = d->access,
		.keys = &d->keys,
		.turn = d->turn,
		.clock = &d->clock,
		.wake = d->wake,
		.config = &d->config,
		.second = &second,
	};
	return feed_create(&options, &d->feed, err);
}

static void hand_out(void *context)
{
	struct daemon *d = context;

	if (d->inbox != NULL)
		inbox_hand_out(d->inbox);
}

static int build_intake(struct daemon *d, struct lk_error *err)
{
	const struct zsock_second second = second_of(d, LANE_SECOND_INTAKE);
	const struct intake_options options = {
		.loop = d->loop,
		.context = d->sockets,
		.access = d->access,
		.keys = &d->keys,
		.turn = d->turn,
		.clock = &d->clock,
		.wake = d->wake,
		.hand_out = hand_out,
		.hand_out_context = d,
		.endpoint = d->config.lane[LANE_INTAKE],
		.second = &second,
		.disk = d->config.state_directory,
		.credit_most = d->config.intake_credit,
		.disk_reserve = d->config.disk_reserve,
	};
	return intake_create(&options, &d->intake, err);
}

static int build_inbox(struct daemon *d, struct lk_error *err)
{
	const struct zsock_second second = second_of(d, LANE_SECOND_INBOX);
	const struct inbox_options options = {
		.loop = d->loop,
		.context = d->sockets,
		.access = d->access,
		.keys = &d->keys,
		.turn = d->turn,
		.clock = &d->clock,
		.endpoint = d->config.lane[LANE_INBOX],
		.second = &second,
	};
	return inbox_create(&options, &d->inbox, err);
}

static int build_control(struct daemon *d, struct lk_error *err)
{
	const struct control_options options = {
		.loop = d->loop,
		.context = d->sockets,
		.access = d->access,
		.keys = &d->keys,
		.endpoint = d->config.lane[LANE_CONTROL],
		.verbs = daemon_verbs,
		.verbs_n = daemon_verbs_n,
		.verbs_context = d,
	};
	return control_create(&options, &d->control, err);
}

static int build_http(struct daemon *d, struct lk_error *err)
{
	const struct http_options options = {
		.loop = d->loop,
		.endpoint = d->config.http,
		.measure = measure,
		.obstacle = obstacle,
		.context = d,
	};
	int rc = census_create(d->loop, d->store, &d->census, err);

	daemon_measure_first(d);
	if (rc < 0 || d->config.http[0] == '\0')
		return rc;
	return http_create(&options, &d->http, err);
}

static int prove_lane(struct daemon *d, const struct zsock *lane, struct lk_error *err)
{
	const char *second = zsock_second_endpoint(lane);
	int rc = access_prove(d->access, lane, zsock_endpoint(lane), d->keys.public_key, err);

	return rc < 0 || second[0] == '\0'
		       ? rc
		       : access_prove(d->access, lane, second, d->second_keys.public_key, err);
}

static int prove_lanes(struct daemon *d, struct lk_error *err)
{
	const struct zsock *lanes[] = {
		feed_socket(d->feed),
		lane_socket(intake_lane(d->intake)),
		lane_socket(inbox_lane(d->inbox)),
		lane_socket(control_lane(d->control)),
	};
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < sizeof(lanes) / sizeof(*lanes); i++)
		rc = prove_lane(d, lanes[i], err);
	return rc;
}

static int build_loop(struct daemon *d, struct lk_error *err)
{
	static const struct {
		int signal;
		loop_call *call;
	} signals[] = { { SIGHUP, hung_up }, { SIGTERM, terminated }, { SIGINT, terminated } };
	int rc = idle_create(d->loop, d->turn, &d->idle, err);

	if (rc == 0)
		rc = jobs_create(d->loop, &d->jobs, err);
	if (rc == 0)
		rc = witness_join(&d->witness, d->loop, err);
	if (rc == 0)
		rc = prune_create(d->loop, d->store, &d->clock, &d->config, &d->prune, err);
	if (rc == 0)
		rc = loop_timer_create(d->loop, LOOP_PROMPT, beaten, d, &d->beat, err);
	for (size_t i = 0; rc == 0 && i < sizeof(signals) / sizeof(*signals); i++)
		rc = loop_signal(d->loop, signals[i].signal, signals[i].call, d, err);
	return rc;
}

static int build(struct daemon *d, struct lk_error *err)
{
	static int (*const steps[])(struct daemon *, struct lk_error *) = {
		build_files, build_access,  build_turn, build_feed,  build_intake,
		build_inbox, build_control, build_http, prove_lanes, build_loop,
	};
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < sizeof(steps) / sizeof(*steps); i++)
		rc = steps[i](d, err);
	return rc;
}

static void unwind(struct daemon *d)
{
	if (d->loop != NULL)
		loop_timer_destroy(d->beat);
	http_destroy(d->http);
	census_destroy(d->census);
	idle_destroy(d->idle);
	jobs_destroy(d->jobs);
	prune_destroy(d->prune);
	witness_leave(&d->witness);
	control_destroy(d->control);
	inbox_destroy(d->inbox);
	intake_destroy(d->intake);
	feed_destroy(d->feed);
	turn_destroy(d->turn);
	wake_destroy(d->wake);
	access_destroy(d->access);
	zsock_end(d->sockets);
	loop_destroy(d->loop);
	witness_end(&d->witness);
	store_close(d->store);
	free(d->silent);
	free(d->policy);
	config_free(&d->config);
}

/* ---- Running ---- */

static int status_of(int fault)
{
	static const struct {
		int fault, status;
	} statuses[] = {
		{ LK_ECONFIG, EX_CONFIG },   { LK_ENOTFOUND, EX_CONFIG },
		{ LK_ENET, EX_UNAVAILABLE }, { LK_EMEMORY, EX_OSERR },
		{ LK_ESTORE, EX_IOERR },     { LK_EFULL, EX_IOERR },
		{ LK_ESYNC, EX_TEMPFAIL },   { LK_ESTATE, EX_UNAVAILABLE },
		{ LK_EAUTH, EX_NOPERM },
	};
	for (size_t i = 0; i < sizeof(statuses) / sizeof(*statuses); i++)
		if (statuses[i].fault == fault)
			return statuses[i].status;
	return EX_SOFTWARE;
}

static int complain(const struct lk_error *err)
{
	log_line(LOG_ERROR, "linkagesd: %s", err->text);
	return status_of(err->code);
}

static enum log_level level_of(enum config_log level)
{
	static const enum log_level levels[] = {
		[LOG_LEVEL_DEBUG] = LOG_DETAIL,
		[LOG_LEVEL_INFO] = LOG_INFO,
		[LOG_LEVEL_WARNING] = LOG_WARN,
		[LOG_LEVEL_ERROR] = LOG_ERROR,
	};
	return levels[level];
}

static int run(struct daemon *d, struct lk_error *err)
{
	int rc = build(d, err);

	if (rc < 0)
		return rc;
	wake_begin(d->wake, d->turn);
	d->store_answers = true;
	loop_timer_in(d->beat, 0);
	log_line(LOG_NOTE, "ready version=%s feed=%s intake=%s inbox=%s control=%s http=%s",
		 LINKAGES_VERSION, zsock_endpoint(feed_socket(d->feed)),
		 zsock_endpoint(lane_socket(intake_lane(d->intake))),
		 zsock_endpoint(lane_socket(inbox_lane(d->inbox))),
		 zsock_endpoint(lane_socket(control_lane(d->control))),
		 d->http != NULL ? d->config.http : "off");
	if (d->config.second_key[0] != '\0')
		log_line(LOG_NOTE, "rotation feed=%s intake=%s inbox=%s",
			 zsock_second_endpoint(feed_socket(d->feed)),
			 zsock_second_endpoint(lane_socket(intake_lane(d->intake))),
			 zsock_second_endpoint(lane_socket(inbox_lane(d->inbox))));
	loop_tell_ready(d->clock.manual ? "manual clock; serving" : "serving");
	return loop_run(d->loop, err);
}

static int load(struct daemon *d, const char *path, struct lk_error *err)
{
	int rc = config_load(path, &d->config, err);

	if (rc < 0)
		return rc;
	log_open(level_of(d->config.log_level));
	log_manual(d->config.clock == CLOCK_MANUAL);
	d->policy = calloc(1, sizeof(*d->policy));
	if (d->policy == NULL)
		return lk_fail(err, LK_EMEMORY, "no memory for a policy");
	return policy_load(named(d->config.policy), d->policy, err);
}

static int serve(const char *path)
{
	struct daemon d = { 0 };
	struct lk_error err = { 0 };
	int rc;

	signal(SIGPIPE, SIG_IGN);
	rc = load(&d, path, &err);
	if (rc == 0)
		rc = run(&d, &err);
	if (rc < 0)
		rc = complain(&err);
	unwind(&d);
	log_line(LOG_NOTE, "ended status=%d", rc);
	return rc;
}

/* ---- Checking ---- */

/* A notice for somebody whose mailbox nobody can open is told to nobody. */
struct reach {
	const struct roster *roster;
	const char *table;
	int missing;
};

static int reach_one(struct reach *reach, struct lk_text worker, const char *what)
{
	if (!lk_text_given(worker) || worker.len == 0 ||
	    roster_reader(reach->roster, worker) != NULL)
		return 0;
	reach->missing++;
	fprintf(stderr,
		"linkagesd: %s: no client reads for %s '%.*s': name the worker in a client's "
		"workers ('linkages-ctl clients add' enrolls one)\n",
		reach->table, what, LK_PRINT(worker));
	return 0;
}

static int reach_supervisor(void *context, struct lk_text worker)
{
	return reach_one(context, worker, "the supervisor");
}

/* Not wrong yet: a source that the daemon is to know after its next start may have its client already. */
static void warn_sources(const struct daemon *d, const struct roster *roster)
{
	for (size_t i = 0; i < roster_count(roster); i++) {
		const struct roster_client *client = roster_at(roster, i);

		for (size_t j = 0; !client->revoked && j < client->sources_n; j++)
			if (config_find_source(&d->config, lk_text_of(client->sources[j])) == NULL)
				fprintf(stderr,
					"linkagesd: %s: '%s' speaks for '%s', which the configuration has "
					"no source of\n",
					d->config.clients, client->name, client->sources[j]);
	}
}

/* Liaisons from the policy; supervisors as the state store has them, where there is one. */
static int check_reach(const struct daemon *d, const struct roster *roster, struct lk_error *err)
{
	struct reach reach = { .roster = roster, .table = d->config.clients };
	int rc;

	for (int agency = 0; agency < lk_agency_count; agency++)
		reach_one(&reach, lk_text_of(d->policy->liaison[agency]), "the liaison");
	rc = store_supervisors(d->config.state_directory, reach_supervisor, &reach, err);
	if (rc == 0 && reach.missing > 0)
		rc = lk_fail(err, LK_ECONFIG, "%d of those who must be reachable are not",
			     reach.missing);
	return rc;
}

/* In the embedded default the table of clients is made on the first start: then there is none to
 * check. */
static int check(const char *path)
{
	struct daemon d = { 0 };
	struct lk_error err = { 0 };
	struct roster *roster = NULL;
	int rc = load(&d, path, &err);

	if (rc == 0)
		rc = load_roster(&d.config, &roster, &err);
	if (rc == LK_ENOTFOUND && enroll_is_due(&d.config))
		rc = 0;
	else if (rc == 0) {
		warn_sources(&d, roster);
		rc = check_reach(&d, roster, &err);
	}
	if (rc == 0)
		printf("configuration, policy and table of clients are sound\n");
	else
		fprintf(stderr, "linkagesd: %s\n", err.text);
	roster_free(roster);
	free(d.policy);
	config_free(&d.config);
	return rc == 0 ? EX_OK : status_of(rc);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "check", no_argument, NULL, 'n' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	const char *path = NULL;
	bool only_check = false;
	int option;

	while ((option = getopt_long(argc, argv, "c:nhV", options, NULL)) != -1) {
		if (option == 'c') {
			path = optarg;
		} else if (option == 'n') {
			only_check = true;
		} else if (option == 'h') {
			return fputs(usage, stdout) < 0 ? EX_IOERR : EX_OK;
		} else if (option == 'V') {
			return printf("linkagesd %s\n", LINKAGES_VERSION) < 0 ? EX_IOERR : EX_OK;
		} else {
			fprintf(stderr, "Try 'linkagesd --help'.\n");
			return EX_USAGE;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "linkagesd: no operands are taken: '%s'\nTry 'linkagesd --help'.\n",
			argv[optind]);
		return EX_USAGE;
	}
	return only_check ? check(path) : serve(path);
}
