/* host.c - a daemon of our own: the folder it lives in, starting it, stopping it, what it uses.
 *
 * In: a folder, or none. Out: a daemon that is ready, on loopback ports that nobody had. Promise: it does not outlive
 * us, and a folder that was made here is removed.
 */
#include "host.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <libgen.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define READY_MS 60000
#define START_TRIES 3
#define STOP_MS 60000
#define ANSWER_MS 10000
#define DEFAULT_DAYS 14 /* consent.expiring_before of the built-in policy */

/* ---- Files ---------------------------------------------------------------------------------- */

static int path_of(const struct host *host, const char *name, char out[HOST_PATH],
		   struct lk_error *err)
{
	int len = snprintf(out, HOST_PATH, "%s/%s", host->folder, name);

	return len < HOST_PATH ? 0 : lk_fail(err, LK_ECONFIG, "%s: too long", host->folder);
}

static FILE *file_make(const struct host *host, const char *name, struct lk_error *err)
{
	char path[HOST_PATH];
	FILE *file = path_of(host, name, path, err) < 0 ? NULL : fopen(path, "w");

	if (file == NULL)
		(void)lk_fail(err, LK_EFULL, "%s/%s: %s", host->folder, name, strerror(errno));
	return file;
}

static int file_done(FILE *file, const char *name, struct lk_error *err)
{
	bool failed = ferror(file) != 0;

	return fclose(file) != 0 || failed ? lk_fail(err, LK_EFULL, "%s: cannot write it", name)
					   : 0;
}

/* A port that nobody has now. */
static int free_port(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int port = 0;

	if (fd >= 0 && bind(fd, (struct sockaddr *)&at, len) == 0 &&
	    getsockname(fd, (struct sockaddr *)&at, &len) == 0)
		port = ntohs(at.sin_port);
	if (fd >= 0)
		close(fd);
	return port;
}

static int write_config(struct host *host, struct lk_error *err)
{
	FILE *file = file_make(host, "linkages.yaml", err);

	if (file == NULL)
		return LK_EFULL;
	(void)snprintf(host->intake, sizeof(host->intake), "tcp://127.0.0.1:%d", free_port());
	(void)snprintf(host->inbox, sizeof(host->inbox), "tcp://127.0.0.1:%d", free_port());
	fprintf(file,
		"state_directory: state\nruntime_directory: run\nclients: clients.yaml\npolicy: policy.yaml\n"
		"lanes:\n  feed: tcp://127.0.0.1:%d\n  intake: %s\n  inbox: %s\n  http: off\n"
		"sources:\n  - {name: cws-cms, agency: cws}\n  - {name: calsaws, agency: calworks}\n"
		"intake:\n  credit: %d\nlog:\n  level: warning\n",
		free_port(), host->intake, host->inbox, host->credit);
	return file_done(file, "linkages.yaml", err);
}

/* Consents are said to expire so many days before they do. 0: no policy was written yet. */
static int policy_days(const struct host *host)
{
	char path[HOST_PATH];
	FILE *file = path_of(host, "policy.yaml", path, NULL) < 0 ? NULL : fopen(path, "r");
	int days = 0;

	if (file != NULL && fscanf(file, "consent: {expiring_before: %d days}", &days) != 1)
		days = 0;
	if (file != NULL)
		fclose(file);
	return days;
}

static int write_policy(const struct host *host, int days, struct lk_error *err)
{
	FILE *file = file_make(host, "policy.yaml", err);

	if (file == NULL)
		return LK_EFULL;
	fprintf(file, "consent: {expiring_before: %d days}\n", days);
	return file_done(file, "policy.yaml", err);
}

static int enroll(const struct host *host, FILE *table, const char *name, const char *rights,
		  struct lk_error *err)
{
	char path[HOST_PATH], key[80];
	struct lk_keypair pair;
	int code;

	(void)snprintf(key, sizeof(key), "%s.key", name);
	code = path_of(host, key, path, err);
	if (code == 0)
		code = lk_keypair_read(path, &pair, err);
	if (code == LK_ENOTFOUND) {
		code = lk_keypair_make(&pair, err);
		if (code == 0)
			code = lk_keypair_write(path, &pair, err);
	}
	if (code == 0)
		fprintf(table, "- name: %s\n  key: '%s'\n  %s\n", name, pair.public_key, rights);
	return code;
}

static int write_clients(const struct host *host, struct lk_error *err)
{
	FILE *table = file_make(host, "clients.yaml", err);
	int code, written;

	if (table == NULL)
		return LK_EFULL;
	code = enroll(host, table, "cws-cms", "role: publisher\n  sources: [cws-cms]", err);
	if (code == 0)
		code = enroll(host, table, "calsaws", "role: publisher\n  sources: [calsaws]", err);
	if (code == 0)
		code = enroll(host, table, "workers", "role: worker\n  workers: ['*']", err);
	if (code == 0)
		code = enroll(host, table, "operator", "role: operator", err);
	written = file_done(table, "clients.yaml", code == 0 ? err : NULL);
	return code < 0 ? code : written;
}

/* ---- Making --------------------------------------------------------------------------------- */

static int make_folder(struct host *host, const char *folder, struct lk_error *err)
{
	const char *temporary = getenv("TMPDIR");

	host->is_ours = folder == NULL;
	if (folder != NULL) {
		(void)snprintf(host->folder, sizeof(host->folder), "%s", folder);
		if (mkdir(folder, 0700) < 0 && errno != EEXIST)
			return lk_fail(err, LK_ECONFIG, "%s: %s", folder, strerror(errno));
		return 0;
	}
	(void)snprintf(host->folder, sizeof(host->folder), "%s/linkages-host.XXXXXX",
		       temporary != NULL ? temporary : "/tmp");
	if (mkdtemp(host->folder) == NULL) {
		host->is_ours = false;
		return lk_fail(err, LK_ECONFIG, "%s: %s", host->folder, strerror(errno));
	}
	return 0;
}

/* The linkagesd beside this program, or in the sbin beside its bin. */
static int find_program(struct host *host, const char *program, struct lk_error *err)
{
	static const char *const places[] = { "linkagesd", "../sbin/linkagesd" };
	char self[HOST_PATH - 32];
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (program != NULL) {
		(void)snprintf(host->program, sizeof(host->program), "%s", program);
		return 0;
	}
	self[len > 0 ? len : 0] = '\0';
	const char *folder = dirname(self);
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		(void)snprintf(host->program, sizeof(host->program), "%s/%s", folder, places[i]);
		if (access(host->program, X_OK) == 0)
			return 0;
	}
	return lk_fail(err, LK_ENOTFOUND, "there is no linkagesd beside this program; name one");
}

int host_make(struct host *host, const char *folder, const char *program, int credit,
	      struct lk_error *err)
{
	int code = find_program(host, program, err);

	if (code == 0)
		code = make_folder(host, folder, err);
	host->credit = credit;
	if (code == 0 && policy_days(host) == 0)
		code = write_policy(host, DEFAULT_DAYS, err);
	return code < 0 ? code : write_clients(host, err);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

void host_unmake(struct host *host)
{
	if (host->pid > 0) {
		(void)kill(host->pid, SIGKILL);
		(void)waitpid(host->pid, NULL, 0);
		host->pid = 0;
	}
	if (host->is_ours)
		(void)nftw(host->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* ---- Starting and stopping ------------------------------------------------------------------ */

/* As systemd does: a socket on which the daemon says READY=1. */
static int listen_ready(struct sockaddr_un *at, struct lk_error *err)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	*at = (struct sockaddr_un){ .sun_family = AF_UNIX };
	/* Abstract, for a path of a folder may be too long. */
	(void)snprintf(at->sun_path + 1, sizeof(at->sun_path) - 1, "linkages-host-%ld",
		       (long)getpid());
	if (fd < 0 || bind(fd, (struct sockaddr *)at,
			   (socklen_t)(sizeof(at->sun_family) + 1 + strlen(at->sun_path + 1))) < 0)
		return lk_fail(err, LK_ENET, "no socket to hear that the daemon is ready: %s",
			       strerror(errno));
	return fd;
}

static _Noreturn void become_daemon(const struct host *host, const struct sockaddr_un *ready)
{
	char config[HOST_PATH], name[sizeof(ready->sun_path) + 1];

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)snprintf(name, sizeof(name), "@%s", ready->sun_path + 1);
	(void)setenv("NOTIFY_SOCKET", name, 1);
	if (path_of(host, "linkages.yaml", config, NULL) == 0)
		(void)execl(host->program, "linkagesd", "--config", config, (char *)NULL);
	_exit(127);
}

static int await_ready(struct host *host, int fd, struct lk_error *err)
{
	struct pollfd readable = { .fd = fd, .events = POLLIN };
	char said[512];

	for (int waited = 0; waited < READY_MS; waited += 10) {
		ssize_t len = poll(&readable, 1, 10) == 1 ? recv(fd, said, sizeof(said) - 1, 0) : 0;

		said[len > 0 ? len : 0] = '\0';
		if (strstr(said, "READY=1") != NULL)
			return 0;
		if (waitpid(host->pid, NULL, WNOHANG) == host->pid) {
			host->pid = 0;
			return lk_fail(err, LK_ENET, "%s ended before it was ready", host->program);
		}
	}
	return lk_fail(err, LK_ENET, "%s was not ready within a minute", host->program);
}

static int start_once(struct host *host, struct lk_error *err)
{
	struct sockaddr_un ready;
	int fd = listen_ready(&ready, err), code;

	if (fd < 0)
		return fd;
	host->pid = fork();
	if (host->pid == 0)
		become_daemon(host, &ready);
	code = host->pid < 0 ? lk_fail(err, LK_ENET, "cannot start it: %s", strerror(errno))
			     : await_ready(host, fd, err);
	close(fd);
	return code;
}

/* Somebody may have taken a port between our look at it and the daemon's. */
int host_start(struct host *host, struct lk_error *err)
{
	int code = LK_ENET;

	for (int tries = 0; tries < START_TRIES && code == LK_ENET; tries++) {
		code = write_config(host, err);
		if (code == 0)
			code = start_once(host, err);
	}
	return code;
}

int host_stop(struct host *host, struct lk_error *err)
{
	const struct timespec pause = { .tv_nsec = 1000000 };
	int status = 0;

	(void)kill(host->pid, SIGTERM);
	for (int waited = 0; waited < STOP_MS; waited++) {
		if (waitpid(host->pid, &status, WNOHANG) == host->pid) {
			host->pid = 0;
			return WIFEXITED(status) && WEXITSTATUS(status) == 0
				       ? 0
				       : lk_fail(err, LK_ENET, "the daemon did not end well");
		}
		(void)nanosleep(&pause, NULL);
	}
	return lk_fail(err, LK_ENET, "the daemon does not end");
}

int host_another_policy(const struct host *host, struct lk_error *err)
{
	int code = write_policy(
		host, policy_days(host) == DEFAULT_DAYS ? DEFAULT_DAYS + 1 : DEFAULT_DAYS, err);

	if (code == 0 && kill(host->pid, SIGHUP) < 0)
		code = lk_fail(err, LK_ENET, "the daemon is not there: %s", strerror(errno));
	return code;
}

/* ---- Asking --------------------------------------------------------------------------------- */

int host_peer(const struct host *host, const char *client, const char *address, struct lk_peer *out,
	      struct lk_error *err)
{
	char path[HOST_PATH], key[80];
	int code = path_of(host, "state/server.pub", path, err);

	*out = (struct lk_peer){ .address = address };
	if (code == 0)
		code = lk_public_key_read(path, out->server_key, err);
	(void)snprintf(key, sizeof(key), "%s.key", client);
	if (code == 0)
		code = path_of(host, key, path, err);
	return code < 0 ? code : lk_keypair_read(path, &out->keys, err);
}

static int note_behind(void *context, struct lk_span body)
{
	struct lk_span said = lk_get(lk_get(body, "waiting"), "behind");
	int64_t *behind = context;

	if (said.at == NULL)
		*behind = 0; /* an older daemon's: nobody knows */
	else if (!lk_as_int(said, behind))
		*behind = HOST_SOME;
	return 0;
}

int64_t host_behind(const struct host *host, struct lk_error *err)
{
	char address[HOST_PATH + 32];
	struct lk_asker *asker = NULL;
	struct lk_peer peer;
	int64_t behind = HOST_SOME;
	int code;

	(void)snprintf(address, sizeof(address), "ipc://%s/run/control", host->folder);
	code = host_peer(host, "operator", address, &peer, err);
	if (code == 0)
		code = lk_asker_create(&peer, &asker, err);
	if (code == 0)
		code = lk_asker_ask(asker, "status", (struct lk_span){ 0 }, ANSWER_MS, note_behind,
				    &behind, err);
	lk_asker_destroy(asker);
	return code < 0 ? code : behind;
}

static int64_t peak_bytes(pid_t pid)
{
	char path[64], line[128];
	long kib = 0;
	FILE *file;

	(void)snprintf(path, sizeof(path), "/proc/%ld/status", (long)pid);
	file = fopen(path, "r");
	while (file != NULL && fgets(line, sizeof(line), file) != NULL)
		if (sscanf(line, "VmHWM: %ld kB", &kib) == 1)
			break;
	if (file != NULL)
		fclose(file);
	return kib * INT64_C(1024);
}

struct host_usage host_usage(const struct host *host)
{
	struct host_usage usage = { .peak_bytes = peak_bytes(host->pid) };
	struct timespec used;
	clockid_t clock;

	if (clock_getcpuclockid(host->pid, &clock) == 0 && clock_gettime(clock, &used) == 0)
		usage.cpu_ns = (int64_t)used.tv_sec * 1000000000 + used.tv_nsec;
	return usage;
}

int64_t host_file_bytes(const struct host *host, const char *name)
{
	char path[HOST_PATH], file[80];
	struct stat st;

	(void)snprintf(file, sizeof(file), "state/%s", name);
	return path_of(host, file, path, NULL) == 0 && stat(path, &st) == 0 ? (int64_t)st.st_size
									    : 0;
}
