/* host.h - a daemon of our own in a folder of our own, for as long as we need it. */
#ifndef LINKAGES_HOST_H
#define LINKAGES_HOST_H

#include <linkages/client.h>

#include <sys/types.h>

#define HOST_PATH 512

struct host {
	char folder[HOST_PATH];  /* configuration, keys, state; removed at the end if it was made here */
	char program[HOST_PATH]; /* linkagesd */
	bool is_ours;
	int credit;
	char intake[64], inbox[64]; /* addresses on loopback */
	pid_t pid;                  /* 0: not running */
};

/* Configuration, table of clients and keys: two publishers, cws-cms and calsaws, `workers`, who reads every mailbox, and
 * an operator.
 * `folder` NULL: a temporary one. One that has them already is used as it is. `program` NULL: the linkagesd beside this
 * program. `credit`: events a publisher may have on the way. */
int host_make(struct host *host, const char *folder, const char *program, int credit,
	      struct lk_error *err) LK_MUST_CHECK;
/* Returns when it is ready; LK_ENET: it ended or was not ready within a minute. */
int host_start(struct host *host, struct lk_error *err) LK_MUST_CHECK;
/* SIGTERM: it commits what waits and ends. LK_ENET: it did not end well. */
int host_stop(struct host *host, struct lk_error *err) LK_MUST_CHECK;
/* Another policy comes into force, as by SIGHUP: consents expire a day earlier or later, so that nothing of a family with a
 * live consent is told, but every family is derived again. */
int host_another_policy(const struct host *host, struct lk_error *err) LK_MUST_CHECK;
/* Ends it if it runs, and removes what was made. */
void host_unmake(struct host *host);

/* The daemon's intake or inbox, with the keys of this client. */
int host_peer(const struct host *host, const char *client, const char *address, struct lk_peer *out,
	      struct lk_error *err) LK_MUST_CHECK;

/* Families that are yet to be derived again under its policy: how many, HOST_SOME while it has not counted them, or an error. */
#define HOST_SOME INT64_MAX
int64_t host_behind(const struct host *host, struct lk_error *err) LK_MUST_CHECK;

/* What it has used so far: processor time of all its threads, and memory at its height. */
struct host_usage {
	int64_t cpu_ns, peak_bytes;
};
struct host_usage host_usage(const struct host *host);
/* Bytes of a file of its state directory; 0: there is none. */
int64_t host_file_bytes(const struct host *host, const char *name);

#endif
