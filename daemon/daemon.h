/* daemon.h - one running daemon: what build.c makes, in this order, and what its verbs reach. One thread. */
#ifndef LINKAGES_DAEMON_H
#define LINKAGES_DAEMON_H

#include "clock.h"
#include "config.h"
#include "control.h"
#include "keys.h"
#include "turn.h"
#include "witness.h"

struct daemon {
	struct config config;
	struct policy *policy;             /* borrowed by the turn */
	struct key_pair keys, second_keys; /* the second ones: `rotation` of the configuration */
	struct clock clock;
	lk_instant started_at;
	struct store *store;
	struct witness witness;
	struct loop *loop;
	struct zsock_context *sockets;
	struct access *access;
	struct wake *wake;
	struct turn *turn;
	struct feed *feed;
	struct intake *intake;
	struct inbox *inbox;
	struct control *control;
	struct idle *idle;
	struct jobs *jobs;
	struct prune *prune;
	struct census *census;
	struct http *http;       /* NULL: off */
	struct loop_timer *beat; /* of the status line and the watchdog */
	bool store_answers;      /* when it was last touched */
	bool draining;
	struct control_asker mover; /* who waits for a manual clock that is under way */
	bool *silent; /* with a manual clock: the sources that the last move named as silent */
};

/* What the control lane can be asked: verbs.c. The context is the daemon. */
extern const struct control_verb daemon_verbs[];
extern const size_t daemon_verbs_n;

/* settings.c. Configuration (path NULL: the default) and policy, read into a daemon that is all zeroes; the log is opened
 * at the level that they name. Negative: daemon_unwind() gives back what was read. */
int daemon_load(struct daemon *daemon, const char *path, struct lk_error *err) LK_MUST_CHECK;
/* Names on stderr who cannot be reached, and sources that nobody knows. LK_ECONFIG where a liaison or a supervisor cannot be
 * reached, and as roster_load(). */
int daemon_check(const struct daemon *daemon, struct lk_error *err) LK_MUST_CHECK;
/* The table of clients that the configuration names, as roster_load(). */
int daemon_roster(const struct config *config, struct roster **out,
		  struct lk_error *err) LK_MUST_CHECK;
/* Policy and table of clients, read, checked whole, then swapped. What is refused changes
 * nothing. */
int daemon_reload(struct daemon *daemon, struct lk_error *err) LK_MUST_CHECK;
/* The liaison of an agency for whom no client reads, as policy and table are now: what is told to it waits for nobody. NULL:
 * there is a client. Of a daemon that was built. */
const char *daemon_unread(const struct daemon *daemon, int agency);
void daemon_tell_unread(const struct daemon *daemon); /* a line of the log for each */

/* build.c. Everything from keys to http, of a daemon that daemon_load() has filled. Negative: daemon_unwind() undoes what
 * was made. */
int daemon_build(struct daemon *daemon, struct lk_error *err) LK_MUST_CHECK;
void daemon_unwind(struct daemon *daemon); /* of whatever is there; `beat` is gone already */

/* main.c: reads no more, commits what waits, acknowledges, tells everyone; the loop ends with status 0. */
void daemon_drain(struct daemon *daemon);

/* measure.c: brings up to date the metrics that are looked at; those that are there from the start; how old the newest proved
 * backup is, where it may be another. */
void daemon_measure(struct daemon *daemon);
void daemon_measure_first(struct daemon *daemon);
void daemon_measure_backups(struct daemon *daemon);
void daemon_count_made(const struct turn_made *made);
void daemon_count_handed(int level, int64_t n); /* level -1: withheld */

#endif
