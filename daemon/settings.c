/* settings.c - what files say of a daemon: configuration, policy and table of clients.
 *
 * In: files. Out: settings that make sense as a whole, in a daemon that starts or, policy and table
 * of clients, in one that runs. Promise: what is refused changes nothing, and is named.
 */
#include "daemon.h"

#include "access.h"
#include "enroll.h"
#include "inbox.h"
#include "intake.h"
#include "lane.h"
#include "log.h"
#include "loop.h"
#include "metrics.h"
#include "policy.h"
#include "wake.h"

#include <stdio.h>
#include <stdlib.h>

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
int daemon_roster(const struct config *config, struct roster **out, struct lk_error *err)
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

/* ---- At the start ---- */

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

int daemon_load(struct daemon *d, const char *path, struct lk_error *err)
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

/* ---- While it runs ---- */

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

const char *daemon_unread(const struct daemon *d, int agency)
{
	const char *liaison = d->policy->liaison[agency];

	return roster_reader(access_roster(d->access), lk_text_of(liaison)) != NULL ? NULL
										    : liaison;
}

void daemon_tell_unread(const struct daemon *d)
{
	for (int agency = 0; agency < lk_agency_count; agency++) {
		const char *liaison = daemon_unread(d, agency);

		if (liaison != NULL)
			log_line(LOG_WARN,
				 "reach outcome=nobody worker=%s detail=\"no client reads for the "
				 "liaison of %s: what is told to it waits\"",
				 liaison, lk_agency_word(agency));
	}
}

static int reload(struct daemon *d, struct lk_error *err)
{
	struct policy *policy = calloc(1, sizeof(*policy));
	struct roster *roster = NULL;
	int rc = policy == NULL ? lk_fail(err, LK_EMEMORY, "no memory for a policy") : 0;

	if (rc == 0)
		rc = policy_load(named(d->config.policy), policy, err);
	if (rc == 0)
		rc = daemon_roster(&d->config, &roster, err);
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
	if (rc == 0)
		daemon_tell_unread(d);
	loop_tell_reloaded(rc < 0 ? "reload refused; the old settings stay" : "serving");
	*err = why;
	return rc;
}

/* ---- For -n ---- */

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
		rc = lk_fail(err, LK_ECONFIG, "nobody reads for %d who must be reachable",
			     reach.missing);
	return rc;
}

/* In the embedded default the table of clients is made on the first start: then there is none to
 * check. */
int daemon_check(const struct daemon *d, struct lk_error *err)
{
	struct roster *roster = NULL;
	int rc = daemon_roster(&d->config, &roster, err);

	if (rc == LK_ENOTFOUND && enroll_is_due(&d->config))
		return 0;
	if (rc == 0) {
		warn_sources(d, roster);
		rc = check_reach(d, roster, err);
	}
	roster_free(roster);
	return rc;
}
