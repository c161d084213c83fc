/* zsock.c - a ZeroMQ socket in a libevent loop.
 *
 * In: readiness. Out: whole messages, one call each, and after each bite one call more, so that an
 * owner can commit what came together. Promise: what is measured of libzmq 4.3.4 is guarded here
 * (protocol.md, "Identity and access", "ZeroMQ in a libevent loop"): limits before bind, a ZAP
 * domain that is enforced, mandatory routing, no handover, bounded linger, bounded bites.
 */
#include "zsock.h"

#include "keys.h"
#include "log.h"
#include "loop.h"
#include "metrics.h"

#include <assert.h>
#include <errno.h>
#include <linkages/wire.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>
#include <zmq.h>

/* zmq.h of 4.3.4 hides the name behind ZMQ_BUILD_DRAFT_API; the option itself is in the library. */
#define ZAP_ENFORCE_DOMAIN 93
static_assert(sizeof(ZSOCK_DOMAIN) > 1, "enforcing an empty domain switches authentication off");

/* libzmq measures what comes by the wire: a message in its box. */
#define FRAME_MAX (LK_MESSAGE_MAX + LK_CURVE_BOX)
#define HANDSHAKE_MS 3000
#define ASKED_S 5
#define ASKED_TIMES 2
#define PATIENCE_MS 15000
#define LINGER_MS 1000
#define BACKLOG 1024
/* Messages a connection may have waiting. Receiving: what one batch can take. Sending: enough to
 * keep a network busy; more would be buffering in memory what is better left on disk. */
#define RECEIVE_HWM 2048
#define SEND_HWM 1000

struct zsock_context {
	void *raw;
};

/* libzmq 4.3.4 ends the process where a connection to an ipc address finds no descriptor left in it (EMFILE); where the whole
 * system has none (ENFILE) it waits, and over TCP in both cases. Whoever opens enough connections to a lane would only have to
 * wait for somebody to ask on the control lane. So this stands in front of the C library's function, which libzmq calls. */
int zsock_accept(int listener, void *address, socklen_t *len, int flags) __asm__("accept4");

int zsock_accept(int listener, void *address, socklen_t *len, int flags)
{
	int taken = (int)syscall(SYS_accept4, listener, address, len, flags);

	if (taken < 0 && errno == EMFILE)
		errno = ENFILE;
	return taken;
}

struct zsock {
	void *socket;
	struct loop_watch *watch;
	struct loop_timer *again;
	struct zsock_options options;
	char endpoint[512], second[512];
	bool paused;
	bool due; /* `again` is set */
	bool keep;
	bool owes;                       /* the owner a call of `bitten`, whatever a bite brings */
	zmq_msg_t kept[ZSOCK_PARTS_MAX]; /* a message that is to come once more */
	size_t kept_n;
};

/* ---- Context ---- */

int zsock_begin(struct zsock_context **out, struct lk_error *err)
{
	struct zsock_context *context = calloc(1, sizeof(*context));
	unsigned seed;

	if (context == NULL)
		return lk_fail(err, LK_EMEMORY, "no memory for ZeroMQ");
	if (getrandom(&seed, sizeof(seed), 0) != (ssize_t)sizeof(seed)) {
		free(context);
		return lk_fail(err, LK_ENET, "the kernel gives no random numbers");
	}
	context->raw = zmq_ctx_new();
	if (context->raw == NULL) {
		free(context);
		return lk_fail(err, LK_ENET, "no ZeroMQ context: %s", zmq_strerror(zmq_errno()));
	}
	srand(seed);
	*out = context;
	return 0;
}

void zsock_end(struct zsock_context *context)
{
	if (context == NULL)
		return;
	while (zmq_ctx_term(context->raw) != 0 && zmq_errno() == EINTR)
		;
	free(context);
}

void *zsock_raw(struct zsock_context *context)
{
	return context->raw;
}

/* libzmq starts its threads with the first socket; they inherit the mask, and signals stay with
 * the loop. */
static void *open_deaf(struct zsock_context *context, enum zsock_kind kind)
{
	static const int types[] = { [ZSOCK_ROUTER] = ZMQ_ROUTER, [ZSOCK_SUB] = ZMQ_SUB };
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	void *socket = zmq_socket(context->raw, types[kind]);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return socket;
}

/* ---- Options: rows, so that none is forgotten ---- */

struct int_option {
	int name;
	int value;
	const char *what;
};

static const struct int_option every_option[] = {
	{ ZMQ_LINGER, LINGER_MS, "ZMQ_LINGER" },
	{ ZMQ_RCVHWM, RECEIVE_HWM, "ZMQ_RCVHWM" },
	{ ZMQ_SNDHWM, SEND_HWM, "ZMQ_SNDHWM" },
};

/* Only where asked for: it makes a mapped address of every IPv4 one. */
static const struct int_option ipv6_option[] = { { ZMQ_IPV6, 1, "ZMQ_IPV6" } };

/* Who finds out that a peer is gone: TCP, which asks a quiet connection for a sign of life and gives up one whose bytes are not
 * taken; and the lane, which hangs up on a session that is silent. Peers find out that we are gone by heartbeats of their own.
 * We send none: if a connection breaks while messages from it wait to be taken, libzmq's next heartbeat ends the process (the
 * assertion `!_io_error` of 4.3.4; a disk that hung for ten seconds was enough). */
static const struct int_option lane_option[] = {
	{ ZMQ_CURVE_SERVER, 1, "ZMQ_CURVE_SERVER" },
	{ ZAP_ENFORCE_DOMAIN, 1, "ZMQ_ZAP_ENFORCE_DOMAIN" },
	{ ZMQ_BACKLOG, BACKLOG, "ZMQ_BACKLOG" },
	{ ZMQ_HANDSHAKE_IVL, HANDSHAKE_MS, "ZMQ_HANDSHAKE_IVL" },
	{ ZMQ_HEARTBEAT_IVL, 0, "ZMQ_HEARTBEAT_IVL" },
	{ ZMQ_TCP_KEEPALIVE, 1, "ZMQ_TCP_KEEPALIVE" },
	{ ZMQ_TCP_KEEPALIVE_IDLE, ASKED_S, "ZMQ_TCP_KEEPALIVE_IDLE" },
	{ ZMQ_TCP_KEEPALIVE_INTVL, ASKED_S, "ZMQ_TCP_KEEPALIVE_INTVL" },
	{ ZMQ_TCP_KEEPALIVE_CNT, ASKED_TIMES, "ZMQ_TCP_KEEPALIVE_CNT" },
	{ ZMQ_TCP_MAXRT, PATIENCE_MS, "ZMQ_TCP_MAXRT" },
};

static const struct int_option router_option[] = {
	{ ZMQ_ROUTER_MANDATORY, 1, "ZMQ_ROUTER_MANDATORY" },
	{ ZMQ_ROUTER_HANDOVER, 0, "ZMQ_ROUTER_HANDOVER" },
};

static int set_all(void *socket, const struct int_option *rows, size_t n, struct lk_error *err)
{
	for (size_t i = 0; i < n; i++)
		if (zmq_setsockopt(socket, rows[i].name, &rows[i].value, sizeof(int)) != 0)
			return lk_fail(err, LK_ENET, "%s: %s", rows[i].what,
				       zmq_strerror(zmq_errno()));
	return 0;
}

static int set_lane(void *socket, const struct key_pair *keys, struct lk_error *err)
{
	const int64_t frame_max = FRAME_MAX;

	if (zmq_setsockopt(socket, ZMQ_ZAP_DOMAIN, ZSOCK_DOMAIN, strlen(ZSOCK_DOMAIN)) != 0 ||
	    zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, keys->secret_key, KEY_TEXT) != 0 ||
	    zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &frame_max, sizeof(frame_max)) != 0)
		return lk_fail(err, LK_ENET, "the lane cannot be secured: %s",
			       zmq_strerror(zmq_errno()));
	return set_all(socket, lane_option, sizeof(lane_option) / sizeof(*lane_option), err);
}

static int set_options(struct zsock *zsock, struct lk_error *err)
{
	const struct zsock_options *options = &zsock->options;
	int rc = set_all(zsock->socket, every_option, sizeof(every_option) / sizeof(*every_option),
			 err);

	if (rc == 0 && options->kind == ZSOCK_ROUTER)
		rc = set_all(zsock->socket, router_option,
			     sizeof(router_option) / sizeof(*router_option), err);
	if (rc == 0 && strchr(options->place.endpoint, '[') != NULL)
		rc = set_all(zsock->socket, ipv6_option, 1, err);
	if (rc == 0 && options->kind == ZSOCK_SUB &&
	    zmq_setsockopt(zsock->socket, ZMQ_SUBSCRIBE, "", 0) != 0)
		rc = lk_fail(err, LK_ENET, "ZMQ_SUBSCRIBE: %s", zmq_strerror(zmq_errno()));
	if (rc == 0 && options->queue > 0)
		rc = set_all(zsock->socket,
			     &(struct int_option){ ZMQ_SNDHWM, options->queue, "ZMQ_SNDHWM" }, 1,
			     err);
	if (rc == 0 && options->place.keys != NULL)
		rc = set_lane(zsock->socket, options->place.keys, err);
	return rc;
}

/* ---- Receiving ---- */

static void close_parts(zmq_msg_t *parts, size_t n)
{
	for (size_t i = 0; i < n; i++)
		zmq_msg_close(&parts[i]);
}

/* Takes one message of any number of parts; those beyond the room are counted and thrown away.
 * False: none waits. */
static bool take(void *socket, zmq_msg_t *parts, size_t *n)
{
	bool more = true;
	zmq_msg_t part;

	for (*n = 0; more; (*n)++) {
		zmq_msg_init(&part);
		if (zmq_msg_recv(&part, socket, ZMQ_DONTWAIT) < 0) {
			zmq_msg_close(&part);
			if (*n == 0)
				return false;
			break; /* parts come together: the context is going down */
		}
		more = zmq_msg_more(&part) != 0;
		if (*n < ZSOCK_PARTS_MAX) {
			zmq_msg_init(&parts[*n]);
			zmq_msg_move(&parts[*n], &part);
		}
		zmq_msg_close(&part);
	}
	return true;
}

/* Comes back in the loop's next turn, without waiting for an edge. */
static void look_again(struct zsock *zsock)
{
	if (!zsock->due)
		loop_timer_in(zsock->again, 0);
	zsock->due = true;
}

void zsock_keep(struct zsock *zsock)
{
	zsock->keep = true;
}

void zsock_bite_again(struct zsock *zsock)
{
	zsock->owes = true;
	if (!zsock->paused)
		look_again(zsock);
}

static void move_parts(zmq_msg_t *to, zmq_msg_t *from, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		zmq_msg_init(&to[i]);
		zmq_msg_move(&to[i], &from[i]);
	}
}

/* The message that was kept, else the next. False: none waits. */
static bool take_next(struct zsock *zsock, zmq_msg_t *parts, size_t *n)
{
	if (zsock->kept_n == 0)
		return take(zsock->socket, parts, n);
	*n = zsock->kept_n;
	move_parts(parts, zsock->kept, *n);
	zsock->kept_n = 0;
	return true;
}

static void put_back(struct zsock *zsock, zmq_msg_t *parts, size_t n)
{
	move_parts(zsock->kept, parts, n);
	zsock->kept_n = n;
	zsock->keep = false;
}

static bool hand_over(struct zsock *zsock, zmq_msg_t *parts, size_t n)
{
	struct zsock_message message = { .n = n };

	for (size_t i = 0; i < n; i++)
		message.part[i] =
			(struct zsock_part){ zmq_msg_data(&parts[i]), zmq_msg_size(&parts[i]) };
	/* The body's frame: the routing id's loses its metadata once ZMQ_EVENTS was asked. */
	message.user = zmq_msg_gets(&parts[n - 1], "User-Id");
	message.frame = &parts[n - 1];
	return zsock->options.receive(zsock->options.owner, &message);
}

void zsock_look(struct zsock *zsock)
{
	zmq_msg_t parts[ZSOCK_PARTS_MAX];
	size_t taken = 0, n;
	bool go_on = true, empty = false, owes = zsock->owes;

	zsock->owes = false;
	while (!zsock->paused && go_on && taken < zsock->options.bite) {
		empty = !take_next(zsock, parts, &n);
		if (empty)
			break;
		taken++;
		if (n == zsock->options.parts)
			go_on = hand_over(zsock, parts, n);
		else
			metric_add(METRIC_SHAPE_DROPPED, 1);
		if (zsock->keep)
			put_back(zsock, parts, n);
		close_parts(parts, n < ZSOCK_PARTS_MAX ? n : ZSOCK_PARTS_MAX);
	}
	if (!empty && !zsock->paused)
		look_again(zsock);
	if ((taken > 0 || owes) && zsock->options.bitten != NULL)
		zsock->options.bitten(zsock->options.owner);
}

static void looked_at(void *context)
{
	zsock_look(context);
}

static void came_back(void *context)
{
	struct zsock *zsock = context;

	zsock->due = false;
	zsock_look(zsock);
}

void zsock_pause(struct zsock *zsock)
{
	if (zsock->paused)
		return;
	zsock->paused = true;
	loop_watch_pause(zsock->watch);
	loop_timer_cancel(zsock->again);
	zsock->due = false;
}

/* Whatever came meanwhile has spent its edge: look. */
void zsock_resume(struct zsock *zsock)
{
	if (!zsock->paused)
		return;
	zsock->paused = false;
	loop_watch_resume(zsock->watch);
	look_again(zsock);
}

bool zsock_paused(const struct zsock *zsock)
{
	return zsock->paused;
}

/* ---- Connections: libzmq knows routing ids only, but says by which descriptor a frame came ---- */

/* False where there is nobody at the other end any more. */
static bool peer_of(int fd, uint8_t out[ZSOCK_PEER])
{
	union {
		struct sockaddr any;
		struct sockaddr_storage room;
	} address = { .room = { 0 } };
	socklen_t room = sizeof(address);
	struct ucred process;

	if (fd < 0 || getpeername(fd, &address.any, &room) != 0)
		return false;
	memcpy(out, &address, ZSOCK_PEER);
	if (address.any.sa_family != AF_UNIX)
		return true;
	/* Who connects within this machine has no address, but is a process. */
	room = sizeof(process);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &process, &room) != 0)
		return false;
	memcpy(out, &process, sizeof(process));
	return true;
}

struct zsock_line zsock_line_of(const struct zsock_message *message)
{
	struct zsock_line line = { .fd = zmq_msg_get(message->frame, ZMQ_SRCFD) };

	if (!peer_of(line.fd, line.peer))
		line.fd = -1;
	return line;
}

bool zsock_line_holds(const struct zsock_line *line)
{
	uint8_t peer[ZSOCK_PEER];

	return peer_of(line->fd, peer) && memcmp(peer, line->peer, ZSOCK_PEER) == 0;
}

bool zsock_hang_up(const struct zsock_line *line)
{
	return zsock_line_holds(line) && shutdown(line->fd, SHUT_RDWR) == 0;
}

/* ---- Sending ---- */

static int send_fault(int error)
{
	static const struct {
		int error, fault;
	} faults[] = { { EHOSTUNREACH, LK_ENOTFOUND }, { EAGAIN, LK_ESTATE } };

	for (size_t i = 0; i < sizeof(faults) / sizeof(*faults); i++)
		if (faults[i].error == error)
			return faults[i].fault;
	return LK_ENET;
}

int zsock_send(struct zsock *zsock, const struct zsock_part *parts, size_t n)
{
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0; i++) {
		int flags = ZMQ_DONTWAIT | (i + 1 < n ? ZMQ_SNDMORE : 0);
		if (zmq_send(zsock->socket, parts[i].at, parts[i].len, flags) < 0)
			rc = send_fault(zmq_errno());
	}
	/* A send can swallow the edge that tells of a message. */
	if (!zsock->paused)
		look_again(zsock);
	return rc;
}

/* ---- Life ---- */

#define IPC "ipc://"

static bool is_ipc(const char *endpoint)
{
	return strncmp(endpoint, IPC, sizeof(IPC) - 1) == 0;
}

/* libzmq takes away whatever socket is at the path, also one that another daemon listens at. */
static bool is_listened_at(const char *endpoint)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	bool listens;

	(void)snprintf(at.sun_path, sizeof(at.sun_path), "%s", endpoint + sizeof(IPC) - 1);
	listens = fd >= 0 &&
		  (connect(fd, (const struct sockaddr *)&at, sizeof(at)) == 0 || errno == EAGAIN);
	if (fd >= 0)
		close(fd);
	return listens;
}

static const char *why_not_bound(const char *endpoint)
{
	if (is_ipc(endpoint) && zmq_errno() == EADDRINUSE)
		return "there is a file that cannot be taken away";
	return zmq_strerror(zmq_errno());
}

/* An ipc socket is for the owner and the group: the creation mask decides, so that it is so from
 * the first moment. */
static int bind_to(struct zsock *zsock, const char *endpoint, char *bound, size_t room,
		   struct lk_error *err)
{
	mode_t before;
	int rc;

	if (is_ipc(endpoint) && is_listened_at(endpoint))
		return lk_fail(err, LK_ENET, "cannot bind %s to %s: another process listens there",
			       zsock->options.name, endpoint);
	before = umask(0117);
	rc = zmq_bind(zsock->socket, endpoint);
	umask(before);
	if (rc != 0)
		return lk_fail(err, LK_ENET, "cannot bind %s to %s: %s", zsock->options.name,
			       endpoint, why_not_bound(endpoint));
	if (zmq_getsockopt(zsock->socket, ZMQ_LAST_ENDPOINT, bound, &room) != 0)
		return lk_fail(err, LK_ENET, "%s has no endpoint: %s", zsock->options.name,
			       zmq_strerror(zmq_errno()));
	return 0;
}

/* An address keeps the options that the socket had when it was bound: so each has a key of its own. */
static int bind_both(struct zsock *zsock, struct lk_error *err)
{
	const struct zsock_place *place = &zsock->options.place;
	const struct zsock_second *second = &place->second;
	int rc = bind_to(zsock, place->endpoint, zsock->endpoint, sizeof(zsock->endpoint), err);

	if (rc < 0 || second->endpoint == NULL || second->endpoint[0] == '\0')
		return rc;
	if (zmq_setsockopt(zsock->socket, ZMQ_CURVE_SECRETKEY, second->keys->secret_key,
			   KEY_TEXT) != 0)
		return lk_fail(err, LK_ENET, "the second key of %s: %s", zsock->options.name,
			       zmq_strerror(zmq_errno()));
	return bind_to(zsock, second->endpoint, zsock->second, sizeof(zsock->second), err);
}

static int join_loop(struct zsock *zsock, struct lk_error *err)
{
	struct loop *loop = zsock->options.place.loop;
	int fd = -1;
	size_t size = sizeof(fd);
	int rc;

	if (zmq_getsockopt(zsock->socket, ZMQ_FD, &fd, &size) != 0)
		return lk_fail(err, LK_ENET, "ZMQ_FD: %s", zmq_strerror(zmq_errno()));
	rc = loop_timer_create(loop, LOOP_PROMPT, came_back, zsock, &zsock->again, err);
	if (rc == 0)
		rc = loop_watch_create(loop, fd, looked_at, zsock, &zsock->watch, err);
	if (rc == 0)
		look_again(zsock);
	return rc;
}

int zsock_create(const struct zsock_options *options, struct zsock **out, struct lk_error *err)
{
	struct zsock *zsock = calloc(1, sizeof(*zsock));
	int rc;

	if (zsock == NULL)
		return lk_fail(err, LK_EMEMORY, "no memory for a socket");
	zsock->options = *options;
	zsock->socket = open_deaf(options->place.context, options->kind);
	if (zsock->socket == NULL)
		rc = lk_fail(err, LK_ENET, "no socket for %s: %s", options->name,
			     zmq_strerror(zmq_errno()));
	else
		rc = set_options(zsock, err);
	if (rc == 0)
		rc = bind_both(zsock, err);
	if (rc == 0)
		rc = join_loop(zsock, err);
	if (rc < 0) {
		zsock_destroy(zsock);
		return rc;
	}
	*out = zsock;
	return 0;
}

/* libzmq leaves the file of an ipc socket behind, and whoever sees it thinks that somebody listens. */
static void take_file_away(const char *bound)
{
	if (is_ipc(bound) && bound[sizeof(IPC) - 1] != '@')
		(void)unlink(bound + sizeof(IPC) - 1);
}

void zsock_destroy(struct zsock *zsock)
{
	if (zsock == NULL)
		return;
	take_file_away(zsock->endpoint);
	take_file_away(zsock->second);
	loop_watch_destroy(zsock->watch);
	loop_timer_destroy(zsock->again);
	close_parts(zsock->kept, zsock->kept_n);
	if (zsock->socket != NULL)
		zmq_close(zsock->socket);
	free(zsock);
}

const char *zsock_endpoint(const struct zsock *zsock)
{
	return zsock->endpoint;
}

const char *zsock_second_endpoint(const struct zsock *zsock)
{
	return zsock->second;
}

enum zsock_kind zsock_kind(const struct zsock *zsock)
{
	return zsock->options.kind;
}
