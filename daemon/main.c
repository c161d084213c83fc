/* main.c - linkagesd: options, the run, and its exit status.
 *
 * In: a command line. Out: an exit status of sysexits.h, as the usage lists them. Promise: nobody is told that we are
 * ready before everything is built (build.c); SIGTERM and SIGINT commit what waits before the end.
 */
#include "daemon.h"

#include "feed.h"
#include "inbox.h"
#include "intake.h"
#include "lane.h"
#include "log.h"
#include "loop.h"
#include "metrics.h"
#include "wake.h"
#include "zsock.h"

#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
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
	"daemon runs; 71 out of memory or files; 74 the store cannot be opened; 75 the disk\n"
	"failed, and the next start rebuilds; 77 strangers would be let in; 78 a file does not\n"
	"say what it should.\n";

/* Between two status lines, where no watchdog wants them sooner. */
#define STATUS_US (10 * LK_SECOND)

/* ---- The store ---- */

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

/* ---- Signals ---- */

void daemon_drain(struct daemon *d)
{
	d->draining = true;
	loop_tell_stopping();
	feed_drain(d->feed);
	intake_drain(d->intake);
	inbox_drain(d->inbox);
	touch_store(d); /* what was heard since the last commit */
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

/* ---- Alive ---- */

/* systemd is told that we live when the loop has turned and the store has answered, with success or with a refusal. The
 * watchdog is for calls that do not return, as on a disk that hangs. */
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

/* ---- Running ---- */

/* What ends the run or interrupts it; the first beat is run()'s. */
static int watch(struct daemon *d, struct lk_error *err)
{
	static const struct {
		int signal;
		loop_call *call;
	} signals[] = { { SIGHUP, hung_up }, { SIGTERM, terminated }, { SIGINT, terminated } };
	int rc = loop_timer_create(d->loop, LOOP_PROMPT, beaten, d, &d->beat, err);

	for (size_t i = 0; rc == 0 && i < sizeof(signals) / sizeof(*signals); i++)
		rc = loop_signal(d->loop, signals[i].signal, signals[i].call, d, err);
	return rc;
}

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

/* Who asks for a reload while we start is answered when we have: until then the signal would end the process. */
static void hold_reloads(int how)
{
	sigset_t reloads;

	sigemptyset(&reloads);
	sigaddset(&reloads, SIGHUP);
	sigprocmask(how, &reloads, NULL);
}

static int run(struct daemon *d, struct lk_error *err)
{
	int rc = daemon_build(d, err);

	if (rc == 0)
		rc = watch(d, err);
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
	daemon_tell_unread(d);
	loop_tell_ready(d->clock.manual ? "manual clock; serving" : "serving");
	hold_reloads(SIG_UNBLOCK);
	return loop_run(d->loop, err);
}

static int serve(const char *path)
{
	struct daemon d = { 0 };
	struct lk_error err = { 0 };
	int rc;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is a write that fails */
	hold_reloads(SIG_BLOCK);
	rc = daemon_load(&d, path, &err);
	if (rc == 0)
		rc = run(&d, &err);
	if (store_outlook(d.store, rc, &err) < 0)
		rc = complain(&err);
	loop_timer_destroy(d.beat);
	daemon_unwind(&d);
	log_line(LOG_NOTE, "ended status=%d", rc);
	return rc;
}

static int check(const char *path)
{
	struct daemon d = { 0 };
	struct lk_error err = { 0 };
	int rc = daemon_load(&d, path, &err);

	if (rc == 0)
		rc = daemon_check(&d, &err);
	if (rc == 0)
		printf("configuration, policy and table of clients are sound\n");
	else
		fprintf(stderr, "linkagesd: %s\n", err.text);
	daemon_unwind(&d);
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
