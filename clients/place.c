/* place.c - where a daemon on this machine keeps its things, and where we keep ours.
 *
 * In: what the options name, the environment, what is there. Out: paths, keys, the address of a lane. Promise: what was named
 * goes before what is usual; a file that is missing is named together with what makes it.
 */
#include "place.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define ETC "/etc/linkages"

static int path_put(char out[PLACE_PATH], struct lk_error *err, const char *format, ...)
	LK_PRINTF(3, 4);
static int path_put(char out[PLACE_PATH], struct lk_error *err, const char *format, ...)
{
	va_list values;
	int len;

	va_start(values, format);
	len = vsnprintf(out, PLACE_PATH, format, values);
	va_end(values);
	return len >= 0 && len < PLACE_PATH ? 0 : lk_fail(err, LK_ECONFIG, "a path is too long");
}

static const char *given(const char *variable)
{
	const char *value = getenv(variable);

	return value != NULL && *value != '\0' ? value : NULL;
}

/* systemd writes several directories with colons between them; the first is the one meant. */
static int path_first(char out[PLACE_PATH], const char *list, const char *rest,
		      struct lk_error *err)
{
	return path_put(out, err, "%.*s%s", (int)strcspn(list, ":"), list, rest);
}

int place_config(const struct place *place, char out[PLACE_PATH], struct lk_error *err)
{
	struct stat st;

	if (place->config != NULL && stat(place->config, &st) == 0 && !S_ISDIR(st.st_mode))
		return lk_fail(err, LK_ECONFIG,
			       "%s is no folder: --config names the one that holds linkages.yaml",
			       place->config);
	if (place->config != NULL)
		return path_put(out, err, "%s", place->config);
	if (given("CONFIGURATION_DIRECTORY") != NULL)
		return path_first(out, given("CONFIGURATION_DIRECTORY"), "", err);
	return path_put(out, err, ETC);
}

int place_config_file(const struct place *place, char out[PLACE_PATH], struct lk_error *err)
{
	char folder[PLACE_PATH];
	int code = place_config(place, folder, err);

	return code < 0 ? code : path_put(out, err, "%s/linkages.yaml", folder);
}

int place_state(const struct place *place, char out[PLACE_PATH], struct lk_error *err)
{
	size_t len;
	int code;

	if (place->state != NULL)
		code = path_put(out, err, "%s", place->state);
	else if (given("STATE_DIRECTORY") != NULL)
		code = path_first(out, given("STATE_DIRECTORY"), "", err);
	else if (given("XDG_STATE_HOME") != NULL)
		code = path_put(out, err, "%s/linkages", given("XDG_STATE_HOME"));
	else if (given("HOME") != NULL)
		code = path_put(out, err, "%s/.local/state/linkages", given("HOME"));
	else
		code = lk_fail(err, LK_ECONFIG, "no state directory: say --state DIR");
	for (len = code == 0 ? strlen(out) : 0; len > 1 && out[len - 1] == '/'; len--)
		out[len - 1] = '\0';
	return code;
}

static int folder_make(char *path, struct lk_error *err)
{
	for (char *at = path + 1;; at++) {
		char kept = *at;

		if (kept != '/' && kept != '\0')
			continue;
		*at = '\0';
		if (mkdir(path, 0700) < 0 && errno != EEXIST)
			return lk_fail(err, LK_ECONFIG, "%s: cannot make this folder: %s", path,
				       strerror(errno));
		*at = kept;
		if (kept == '\0')
			return 0;
	}
}

int place_own(const struct place *place, const char *name, const char *suffix, char out[PLACE_PATH],
	      struct lk_error *err)
{
	char state[PLACE_PATH], folder[PLACE_PATH];
	int code = place_state(place, state, err);

	if (code == 0 && (strchr(name, '/') != NULL || *name == '.'))
		code = lk_fail(err, LK_ECONFIG, "'%s' cannot name a file", name);
	if (code == 0)
		code = path_put(folder, err, "%s-clients", state);
	if (code == 0)
		code = folder_make(folder, err);
	if (code == 0)
		code = path_put(out, err, "%s/%s.%s", folder, name, suffix);
	return code;
}

/* Where keys are looked for, in this order: what was named, and else what is usual. */
struct folders {
	char at[3][PLACE_PATH];
	size_t n;
};

static int folders_find(const struct place *place, struct folders *out, struct lk_error *err)
{
	int code = 0;

	out->n = 0;
	if (place->config != NULL)
		code = place_config(place, out->at[out->n++], err);
	if (code == 0 && (place->config == NULL || place->state != NULL))
		code = place_state(place, out->at[out->n++], err);
	if (code == 0 && place->config == NULL && place->state == NULL)
		code = place_config(place, out->at[out->n++], err);
	return code;
}

static int peer_server_key(const struct place *place, const struct folders *folders,
			   struct lk_peer *out, struct lk_error *err)
{
	char path[PLACE_PATH];
	int code = LK_ENOTFOUND;

	if (place->server_key != NULL)
		return lk_public_key_read(place->server_key, out->server_key, err);
	for (size_t i = 0; i < folders->n && code == LK_ENOTFOUND; i++) {
		code = path_put(path, err, "%s/server.pub", folders->at[i]);
		if (code == 0)
			code = lk_public_key_read(path, out->server_key, err);
	}
	if (code == LK_ENOTFOUND)
		return lk_fail(
			err, code,
			"%s/server.pub is not there: start linkagesd once (it makes its keys), or name the "
			"county's file with --server-key",
			folders->at[0]);
	return code;
}

static int peer_key(const struct place *place, const struct folders *folders,
		    const char *const *names, size_t n, struct lk_peer *out, struct lk_error *err)
{
	char path[PLACE_PATH];

	if (place->key != NULL)
		return lk_keypair_read(place->key, &out->keys, err);
	for (size_t i = 0; i < n * folders->n; i++) {
		int code = path_put(path, err, "%s/keys/%s.key", folders->at[i % folders->n],
				    names[i / folders->n]);

		if (code == 0)
			code = lk_keypair_read(path, &out->keys, err);
		if (code != LK_ENOTFOUND)
			return code;
	}
	return lk_fail(
		err, LK_ENOTFOUND,
		"%s/keys/%s.key is not there: name your key file with --key ('linkages-ctl keygen' makes one)",
		folders->at[0], names[0]);
}

int place_peer(const struct place *place, const char *address, const char *const *names, size_t n,
	       struct lk_peer *out, struct lk_error *err)
{
	struct folders folders = { .n = 0 };
	int code = 0;

	if (place->server_key == NULL || place->key == NULL)
		code = folders_find(place, &folders, err);
	if (code == 0)
		code = peer_server_key(place, &folders, out, err);
	if (code == 0)
		code = peer_key(place, &folders, names, n, out, err);
	out->address = place->server != NULL ? place->server : address;
	return code;
}

/* A daemon that has ended leaves its socket behind: one that nobody listens at counts where there is no other. */
enum liveness { SOCKET_NONE, SOCKET_DEAD, SOCKET_ALIVE };

static enum liveness socket_look(const char *path)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	size_t len = strlen(path);
	bool dead;
	struct stat st;
	int fd;

	if (stat(path, &st) < 0 || !S_ISSOCK(st.st_mode))
		return SOCKET_NONE;
	fd = len < sizeof(at.sun_path)
		     ? socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)
		     : -1;
	if (fd < 0)
		return SOCKET_ALIVE; /* it cannot be tried: whoever connects will say so */
	memcpy(at.sun_path, path, len);
	dead = connect(fd, (struct sockaddr *)&at, sizeof(at)) < 0 && errno == ECONNREFUSED;
	(void)close(fd);
	return dead ? SOCKET_DEAD : SOCKET_ALIVE;
}

/* Candidates, in order; those that nothing names stay empty. */
#define SOCKETS 6
static int sockets_find(const struct place *place, const char *state,
			char path[SOCKETS][PLACE_PATH], struct lk_error *err)
{
	char config[PLACE_PATH];
	int code = path_put(path[4], err, "%s/control", state);

	if (code == 0 && place->config != NULL)
		code = place_config(place, config, err);
	if (code == 0 && place->config != NULL && strncmp(config, ETC, strlen(ETC)) == 0)
		code = path_put(path[0], err, "/run%s/control", config + strlen("/etc"));
	else if (code == 0 && place->config != NULL)
		code = path_put(path[0], err, "%s/run/control", config);
	if (code == 0 && place->state != NULL)
		code = path_put(path[1], err, "%s/control", state);
	if (code == 0 && given("RUNTIME_DIRECTORY") != NULL)
		code = path_first(path[2], given("RUNTIME_DIRECTORY"), "/control", err);
	if (code == 0 && given("XDG_RUNTIME_DIR") != NULL)
		code = path_put(path[3], err, "%s/linkages/control", given("XDG_RUNTIME_DIR"));
	return code == 0 ? path_put(path[5], err, "/run/linkages/control") : code;
}

static bool is_denied(const char *path)
{
	return *path != '\0' && access(path, W_OK) < 0 && errno == EACCES;
}

/* Only its group can tell whether it is there. */
static int control_missing(char path[SOCKETS][PLACE_PATH], struct lk_error *err)
{
	size_t i;

	for (i = 0; i < SOCKETS; i++)
		if (is_denied(path[i]))
			return lk_fail(
				err, LK_ENOTFOUND,
				"%s: permission denied: the control socket is for the daemon's group, 'linkages' where it is a service",
				path[i]);
	for (i = 0; path[i][0] == '\0'; i++)
		;
	return lk_fail(
		err, LK_ENOTFOUND,
		"no control socket at %s%s%s: is linkagesd running? Else name it: --server ipc:///run/…/control",
		path[i], i < SOCKETS - 1 ? ", nor at " : "",
		i < SOCKETS - 1 ? path[SOCKETS - 1] : "");
}

int place_control(const struct place *place, char out[PLACE_PATH], struct lk_error *err)
{
	char state[PLACE_PATH] = "", path[SOCKETS][PLACE_PATH] = { "" };
	size_t i;
	int code;

	if (place->server != NULL)
		return path_put(out, err, "%s", place->server);
	code = place_state(place, state, err);
	if (code == 0)
		code = sockets_find(place, state, path, err);
	if (code < 0)
		return code;
	for (enum liveness wanted = SOCKET_ALIVE; wanted > SOCKET_NONE; wanted--)
		for (i = 0; i < SOCKETS; i++)
			if (path[i][0] != '\0' && !is_denied(path[i]) &&
			    socket_look(path[i]) == wanted)
				return path_put(out, err, "ipc://%s", path[i]);
	return control_missing(path, err);
}
