/* build.c - the modules of a daemon, made in the order of struct daemon, and undone again.
 *
 * In: a daemon whose settings are loaded. Out: one that the loop can run. Promise: nothing is bound
 * before there is a ZAP handler, and it has been proved of each lane that it keeps strangers out.
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
#include "prune.h"
#include "wake.h"
#include "zsock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#define LOG_ROOM (INT64_C(64) << 20) /* of the write-ahead log, made ready at the start */
/* Open at once: libzmq and libevent end a process that gets no more of them. */
#define FILES_LEAST 64

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
	int rc = daemon_roster(&d->config, &roster, err);

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

/* Without it all is as it should be, and slower. */
static void start_reader(struct daemon *d)
{
	struct lk_error err;

	if (turn_start_reader(d->turn, &err) < 0)
		log_line(LOG_WARN, "reader outcome=failed fault=%d detail=\"%s\"", err.code,
			 err.text);
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
	if (rc == 0) {
		start_clock(d);
		start_reader(d);
	}
	free(sources);
	return rc;
}

/* A lane's, with the address that another key has for it during a rotation. */
static struct zsock_place place_of(const struct daemon *d, enum config_lane lane,
				   enum config_lane second)
{
	return (struct zsock_place){
		.loop = d->loop,
		.context = d->sockets,
		.endpoint = d->config.lane[lane],
		.keys = &d->keys,
		.second = { d->config.lane[second], &d->second_keys },
	};
}

static int build_feed(struct daemon *d, struct lk_error *err)
{
	const struct feed_options options = {
		.place = place_of(d, LANE_FEED, LANE_SECOND_FEED),
		.access = d->access,
		.turn = d->turn,
		.clock = &d->clock,
		.wake = d->wake,
		.config = &d->config,
	};
	return feed_create(&options, &d->feed, err);
}

static void hand_out(void *context)
{
	struct daemon *d = context;

	if (d->inbox != NULL)
		inbox_hand_out(d->inbox);
}

static void renewed(void *context)
{
	struct daemon *d = context;

	if (d->inbox != NULL)
		lane_dismiss(inbox_lane(d->inbox), "mailboxes have begun anew: say hello again");
}

static int build_intake(struct daemon *d, struct lk_error *err)
{
	const struct intake_options options = {
		.place = place_of(d, LANE_INTAKE, LANE_SECOND_INTAKE),
		.access = d->access,
		.turn = d->turn,
		.clock = &d->clock,
		.wake = d->wake,
		.hand_out = hand_out,
		.renewed = renewed,
		.context = d,
		.disk = d->config.state_directory,
		.credit_most = d->config.intake_credit,
		.disk_reserve = d->config.disk_reserve,
	};
	return intake_create(&options, &d->intake, err);
}

static int build_inbox(struct daemon *d, struct lk_error *err)
{
	const struct inbox_options options = {
		.place = place_of(d, LANE_INBOX, LANE_SECOND_INBOX),
		.access = d->access,
		.turn = d->turn,
		.clock = &d->clock,
	};
	return inbox_create(&options, &d->inbox, err);
}

static int build_control(struct daemon *d, struct lk_error *err)
{
	const struct control_options options = {
		.place = { .loop = d->loop,
			   .context = d->sockets,
			   .endpoint = d->config.lane[LANE_CONTROL],
			   .keys = &d->keys },
		.access = d->access,
		.verbs = daemon_verbs,
		.verbs_n = daemon_verbs_n,
		.verbs_context = d,
	};
	return control_create(&options, &d->control, err);
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

static int build_idle_work(struct daemon *d, struct lk_error *err)
{
	int rc = idle_create(d->loop, d->turn, &d->idle, err);

	if (rc == 0)
		rc = jobs_create(d->loop, &d->jobs, err);
	if (rc == 0)
		rc = witness_join(&d->witness, d->loop, err);
	if (rc == 0)
		rc = prune_create(d->loop, d->store, &d->clock, &d->config, &d->prune, err);
	return rc;
}

static int count_files(struct daemon *d, struct lk_error *err)
{
	struct rlimit files;

	(void)d;
	if (getrlimit(RLIMIT_NOFILE, &files) < 0 || files.rlim_cur >= FILES_LEAST)
		return 0;
	return lk_fail(err, LK_EMEMORY,
		       "only %llu files may be open at once: %d are needed, and one for each "
		       "connection; raise LimitNOFILE= of the unit, or ulimit -n",
		       (unsigned long long)files.rlim_cur, FILES_LEAST);
}

int daemon_build(struct daemon *d, struct lk_error *err)
{
	static int (*const steps[])(struct daemon *, struct lk_error *) = {
		count_files, build_files,  build_access,    build_turn,
		build_feed,  build_intake, build_inbox,     build_control,
		build_http,  prove_lanes,  build_idle_work,
	};
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < sizeof(steps) / sizeof(*steps); i++)
		rc = steps[i](d, err);
	return rc;
}

void daemon_unwind(struct daemon *d)
{
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
