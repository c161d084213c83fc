/* dealer.c - one CURVE connection to one lane of the daemon, made again whenever it ends.
 *
 * In: an address and keys. Out: frames, and the news that a connection came up.
 * Promise: never blocks; 15 s of silence end a connection; pauses grow from 1 s to 60 s, scattered by half, so that a
 * thousand clients do not return in one instant; frames of more than one part are dropped whole.
 */
#include "dealer.h"

#include <errno.h>
#include <poll.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

#define PING_AFTER (5 * LK_SECOND)
#define SILENCE_MAX (15 * LK_SECOND)
#define DIAL_MAX (10 * LK_SECOND)
#define PAUSE_FIRST LK_SECOND
#define PAUSE_MAX (60 * LK_SECOND)
#define QUEUE_MAX 8192 /* frames on either side; credit keeps both lanes below it */

/* We dial anew ourselves, with a new socket. With -1, "do not reconnect", libzmq takes a pipe away with the messages in it
 * that nobody has read yet, the answer to `stop` for one. */
#define NEVER_MS (24 * 3600 * 1000)

enum dealer_phase { PAUSING, DIALLING, OPEN };

struct dealer {
	void *context, *socket, *monitor;
	zmq_msg_t frame;
	int epoll_fd, timer_fd;
	char address[256];
	char server_key[LK_Z85];
	struct lk_keypair keys;
	enum dealer_phase phase;
	bool reached; /* TCP or ipc connected; the handshake not yet */
	bool greeted;
	bool left; /* the daemon closed the connection; what it had said before may wait to be read */
	bool again;   /* more to do than was done */
	bool blocked; /* the last send found the queue full */
	unsigned dials, drops;
	unsigned failures; /* in a row */
	lk_instant due_at; /* pausing: dial; dialling: give up */
	lk_instant heard_at, sent_at;
	lk_instant wake_at;  /* when the owner wants its turn; 0: it does not */
	lk_instant armed_at; /* when the timer rings */
	char trouble[400];
};

lk_instant dealer_now(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (lk_instant)now.tv_sec * LK_SECOND + now.tv_nsec / 1000;
}

/* ---- The socket ---------------------------------------------------------------------------------------------------- */

static int watch(struct dealer *l, void *socket, int operation)
{
	struct epoll_event readable = { .events = EPOLLIN };
	int fd;
	size_t size = sizeof(fd);

	if (zmq_getsockopt(socket, ZMQ_FD, &fd, &size) < 0)
		return -1;
	return epoll_ctl(l->epoll_fd, operation, fd, &readable);
}

static void hang_up(struct dealer *l, int linger_ms)
{
	if (l->monitor != NULL) {
		(void)watch(l, l->monitor, EPOLL_CTL_DEL);
		(void)zmq_socket_monitor(l->socket, NULL, 0);
		(void)zmq_close(l->monitor);
	}
	if (l->socket != NULL) {
		(void)watch(l, l->socket, EPOLL_CTL_DEL);
		(void)zmq_setsockopt(l->socket, ZMQ_LINGER, &linger_ms, sizeof(linger_ms));
		(void)zmq_close(l->socket);
	}
	l->socket = l->monitor = NULL;
	l->reached = l->greeted = l->blocked = false;
}

static int set_number(void *socket, int option, int value)
{
	return zmq_setsockopt(socket, option, &value, sizeof(value));
}

static int set_options(struct dealer *l)
{
	static const struct {
		int option, value;
	} numbers[] = {
		{ ZMQ_RECONNECT_IVL, NEVER_MS },
		{ ZMQ_CONNECT_TIMEOUT, 5000 },
		{ ZMQ_HANDSHAKE_IVL, 5000 },
		{ ZMQ_SNDHWM, QUEUE_MAX },
		{ ZMQ_RCVHWM, QUEUE_MAX },
		{ ZMQ_LINGER, 0 },
		{ ZMQ_HEARTBEAT_IVL, 5000 },
		{ ZMQ_HEARTBEAT_TIMEOUT, 15000 },
		{ ZMQ_IPV6, 1 },
	};
	int64_t largest = LK_MESSAGE_MAX + LK_CURVE_BOX;
	int failed = zmq_setsockopt(l->socket, ZMQ_MAXMSGSIZE, &largest, sizeof(largest));

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		failed |= set_number(l->socket, numbers[i].option, numbers[i].value);
	failed |= zmq_setsockopt(l->socket, ZMQ_CURVE_SERVERKEY, l->server_key, LK_Z85);
	failed |= zmq_setsockopt(l->socket, ZMQ_CURVE_PUBLICKEY, l->keys.public_key, LK_Z85);
	failed |= zmq_setsockopt(l->socket, ZMQ_CURVE_SECRETKEY, l->keys.secret_key, LK_Z85);
	return failed;
}

static int set_monitor(struct dealer *l)
{
	char name[48];
	int events = ZMQ_EVENT_CONNECTED | ZMQ_EVENT_CLOSED | ZMQ_EVENT_DISCONNECTED |
		     ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH |
		     ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL;

	(void)snprintf(name, sizeof(name), "inproc://dealer-%u", l->dials);
	if (zmq_socket_monitor(l->socket, name, events) < 0)
		return -1;
	l->monitor = zmq_socket(l->context, ZMQ_PAIR);
	if (l->monitor == NULL || set_number(l->monitor, ZMQ_LINGER, 0) < 0)
		return -1;
	return zmq_connect(l->monitor, name);
}

/* errno of libzmq tells; 0 on success. */
static int dial(struct dealer *l)
{
	l->dials++;
	l->phase = DIALLING;
	l->due_at = dealer_now() + DIAL_MAX;
	l->socket = zmq_socket(l->context, ZMQ_DEALER);
	if (l->socket == NULL || set_options(l) != 0 || set_monitor(l) < 0 ||
	    watch(l, l->socket, EPOLL_CTL_ADD) < 0 || watch(l, l->monitor, EPOLL_CTL_ADD) < 0 ||
	    zmq_connect(l->socket, l->address) < 0)
		return errno != 0 ? errno : EINVAL;
	dealer_again(l);
	return 0;
}

static lk_instant pause_length(unsigned failures)
{
	lk_instant pause = PAUSE_MAX;

	if (failures < 6)
		pause = PAUSE_FIRST << failures;
	return pause / 2 + (lk_instant)randombytes_uniform((uint32_t)pause);
}

void dealer_drop(struct dealer *l, const char *format, ...)
{
	va_list values;

	va_start(values, format);
	(void)vsnprintf(l->trouble, sizeof(l->trouble), format, values);
	va_end(values);
	hang_up(l, 0);
	l->phase = PAUSING;
	l->left = false;
	l->drops++;
	l->due_at = dealer_now() + pause_length(l->failures);
	if (l->failures < 6)
		l->failures++;
}

/* ---- Opening ------------------------------------------------------------------------------------------------------- */

static int no_descriptors(struct lk_error *err, int fault)
{
	return lk_fail(err, LK_ENET, "no descriptors left: %s", strerror(fault));
}

static int descriptors_make(struct dealer *l, struct lk_error *err)
{
	struct epoll_event readable = { .events = EPOLLIN };

	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	l->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (l->epoll_fd < 0 || l->timer_fd < 0 ||
	    epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, l->timer_fd, &readable) < 0)
		return no_descriptors(err, errno);
	l->context = zmq_ctx_new();
	return l->context != NULL ? 0 : lk_fail(err, LK_ENET, "no socket: %s", zmq_strerror(errno));
}

static int cannot_dial(const struct dealer *l, int failed, struct lk_error *err)
{
	if (failed == EMFILE || failed == ENFILE)
		return no_descriptors(err, failed);
	return lk_fail(err, LK_ECONFIG, "%s: %s; an address is like tcp://127.0.0.1:5562",
		       l->address, zmq_strerror(failed));
}

int dealer_create(const struct lk_peer *peer, struct dealer **out, struct lk_error *err)
{
	struct dealer *l;
	int code, failed;

	*out = NULL;
	if (peer->address == NULL || strlen(peer->address) >= sizeof(l->address))
		return lk_fail(err, LK_ECONFIG, "an address is needed, like tcp://127.0.0.1:5562");
	if (sodium_init() < 0 || (l = calloc(1, sizeof(*l))) == NULL)
		return lk_fail(err, LK_EMEMORY, "out of memory");
	l->epoll_fd = l->timer_fd = -1;
	(void)zmq_msg_init(&l->frame);
	memcpy(l->address, peer->address, strlen(peer->address) + 1);
	memcpy(l->server_key, peer->server_key, LK_Z85);
	l->keys = peer->keys;
	code = descriptors_make(l, err);
	if (code == 0 && (failed = dial(l)) != 0)
		code = cannot_dial(l, failed, err);
	if (code == 0)
		dealer_arm(l);
	if (code < 0) {
		dealer_destroy(l);
		return code;
	}
	*out = l;
	return 0;
}

void dealer_destroy(struct dealer *l)
{
	if (l == NULL)
		return;
	hang_up(l, l->greeted ? 1000 : 0);
	(void)zmq_msg_close(&l->frame);
	if (l->context != NULL)
		(void)zmq_ctx_term(l->context);
	if (l->timer_fd >= 0)
		close(l->timer_fd);
	if (l->epoll_fd >= 0)
		close(l->epoll_fd);
	sodium_memzero(&l->keys, sizeof(l->keys));
	free(l);
}

int dealer_fd(const struct dealer *l)
{
	return l->epoll_fd;
}

/* ---- What the monitor says ------------------------------------------------------------------------------------------ */

static enum dealer_news came_up(struct dealer *l, uint32_t value)
{
	(void)value;
	l->phase = OPEN;
	l->heard_at = l->sent_at = dealer_now();
	return DEALER_UP;
}

static enum dealer_news came_near(struct dealer *l, uint32_t value)
{
	(void)value;
	l->reached = true;
	return DEALER_NOTHING;
}

/* A daemon that does not know a key hangs up without a word. */
static enum dealer_news was_kept_out(struct dealer *l, uint32_t value)
{
	(void)value;
	dealer_drop(
		l,
		"%s: the daemon lets nobody in with this key: is it in its table of clients, and is the server "
		"key the right one?",
		l->address);
	return DEALER_NOTHING;
}

static enum dealer_news went_away(struct dealer *l, uint32_t value)
{
	if (l->phase != OPEN && l->reached)
		return was_kept_out(l, value);
	if (l->phase == OPEN)
		l->left = true;
	else
		dealer_drop(l, "%s: nobody answers: is the daemon running?", l->address);
	return DEALER_NOTHING;
}

/* Who is not enrolled hears nothing: of those who are told, 400 was let in once. */
static enum dealer_news was_refused(struct dealer *l, uint32_t value)
{
	dealer_drop(l,
		    value == 400
			    ? "%s: this key was revoked (%u): ask for another to be enrolled"
			    : "%s: the daemon refuses this key (%u): ask for it to be enrolled",
		    l->address, (unsigned)value);
	return DEALER_NOTHING;
}

static enum dealer_news spoke_oddly(struct dealer *l, uint32_t value)
{
	(void)value;
	dealer_drop(
		l,
		"%s: no CURVE handshake: is this a lane of Linkages, and is the server key the right one?",
		l->address);
	return DEALER_NOTHING;
}

static const struct {
	uint16_t event;
	enum dealer_news (*take)(struct dealer *l, uint32_t value);
} monitored[] = {
	{ ZMQ_EVENT_CONNECTED, came_near },
	{ ZMQ_EVENT_HANDSHAKE_SUCCEEDED, came_up },
	{ ZMQ_EVENT_DISCONNECTED, went_away },
	{ ZMQ_EVENT_CLOSED, went_away },
	{ ZMQ_EVENT_HANDSHAKE_FAILED_AUTH, was_refused },
	{ ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL, spoke_oddly },
	{ ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL, was_kept_out },
};

/* A monitor message: six bytes (event, value), then the address, which we know. */
static enum dealer_news monitor_take(struct dealer *l)
{
	uint8_t head[6];
	uint16_t event;
	uint32_t value;

	while (l->monitor != NULL &&
	       zmq_recv(l->monitor, head, sizeof(head), ZMQ_DONTWAIT) == (int)sizeof(head)) {
		enum dealer_news news = DEALER_NOTHING;

		(void)zmq_recv(l->monitor, NULL, 0, ZMQ_DONTWAIT);
		memcpy(&event, head, sizeof(event));
		memcpy(&value, head + sizeof(event), sizeof(value));
		for (size_t i = 0; i < sizeof(monitored) / sizeof(monitored[0]); i++)
			if (monitored[i].event == event)
				news = monitored[i].take(l, value);
		if (news != DEALER_NOTHING)
			return news;
	}
	return DEALER_NOTHING;
}

/* ---- Frames -------------------------------------------------------------------------------------------------------- */

static bool frame_take(struct dealer *l, struct lk_span *frame)
{
	while (l->socket != NULL && zmq_msg_recv(&l->frame, l->socket, ZMQ_DONTWAIT) >= 0) {
		bool whole = zmq_msg_more(&l->frame) == 0;

		l->heard_at = dealer_now();
		while (zmq_msg_more(&l->frame) != 0)
			if (zmq_msg_recv(&l->frame, l->socket, ZMQ_DONTWAIT) < 0)
				return false;
		if (whole) {
			*frame = lk_span_of(zmq_msg_data(&l->frame), zmq_msg_size(&l->frame));
			return true;
		}
	}
	return false;
}

static enum dealer_news time_take(struct dealer *l)
{
	lk_instant now = dealer_now();

	if (l->phase == PAUSING && now >= l->due_at) {
		int failed = dial(l);
		if (failed != 0)
			dealer_drop(l, "%s: %s", l->address, zmq_strerror(failed));
	} else if (l->phase == DIALLING && now >= l->due_at) {
		dealer_drop(
			l,
			"%s: no answer within %d s: is the address right, and the way there open?",
			l->address, (int)(DIAL_MAX / LK_SECOND));
	} else if (l->phase == OPEN && now - l->heard_at >= SILENCE_MAX) {
		dealer_drop(l, "%s: the daemon has said nothing for 15 s", l->address);
	} else if (l->phase == OPEN && now - l->sent_at >= PING_AFTER) {
		l->sent_at = now;
		return DEALER_IDLE;
	}
	return DEALER_NOTHING;
}

enum dealer_news dealer_next(struct dealer *l, struct lk_span *frame)
{
	uint64_t expirations;
	enum dealer_news news;

	if (frame_take(l, frame))
		return DEALER_MESSAGE;
	news = monitor_take(l);
	if (news != DEALER_NOTHING)
		return news;
	if (l->left && frame_take(l, frame))
		return DEALER_MESSAGE;
	if (l->left)
		dealer_drop(l, "%s: the daemon closed the connection", l->address);
	if (dealer_now() >= l->armed_at && read(l->timer_fd, &expirations, sizeof(expirations)) < 0)
		expirations = 0; /* was read before */
	return time_take(l);
}

static bool send_body(struct dealer *l, const struct lk_bytes *body)
{
	if (l->phase != OPEN || body->failed)
		return false;
	if (zmq_send(l->socket, body->at, body->len, ZMQ_DONTWAIT) < 0) {
		l->blocked = true;
		return false;
	}
	l->blocked = false;
	l->sent_at = dealer_now();
	return true;
}

bool dealer_say(struct dealer *l, const struct lk_message *message)
{
	struct lk_bytes body = { 0 };
	bool sent;

	lk_message_encode(message, &body);
	sent = send_body(l, &body);
	lk_bytes_free(&body);
	return sent;
}

void dealer_greeted(struct dealer *l)
{
	l->greeted = true;
	l->failures = 0;
	l->trouble[0] = '\0';
}

/* ---- Waiting -------------------------------------------------------------------------------------------------------- */

void dealer_again(struct dealer *l)
{
	l->again = true;
}

void dealer_wake(struct dealer *l, lk_instant at)
{
	l->wake_at = at;
}

static lk_instant earlier(lk_instant a, lk_instant b)
{
	return a < b ? a : b;
}

static lk_instant dealer_due(const struct dealer *l)
{
	lk_instant due = earlier(l->heard_at + SILENCE_MAX, l->sent_at + PING_AFTER);

	if (l->phase != OPEN)
		due = l->due_at;
	return l->wake_at != 0 ? earlier(due, l->wake_at) : due;
}

/* libzmq's descriptors tell of changes, not of states, and a send may swallow one: ask the sockets themselves. */
static bool dealer_pending(const struct dealer *l)
{
	int events = 0;
	size_t size = sizeof(events);

	if (l->socket == NULL)
		return false;
	if (zmq_getsockopt(l->socket, ZMQ_EVENTS, &events, &size) == 0 &&
	    ((events & ZMQ_POLLIN) != 0 || (l->blocked && (events & ZMQ_POLLOUT) != 0)))
		return true;
	return zmq_getsockopt(l->monitor, ZMQ_EVENTS, &events, &size) == 0 &&
	       (events & ZMQ_POLLIN) != 0;
}

/* A timer that rings too early costs one look; setting it anew each time would cost a system call a turn. */
void dealer_arm(struct dealer *l)
{
	lk_instant now = dealer_now(), due = dealer_due(l);
	struct itimerspec at = { 0 };

	if (l->again || due <= now || dealer_pending(l))
		due = now + 1;
	l->again = false;
	l->wake_at = 0;
	if (l->armed_at > now && l->armed_at <= due)
		return;
	l->armed_at = due;
	at.it_value.tv_sec = due / LK_SECOND;
	at.it_value.tv_nsec = (due % LK_SECOND) * 1000;
	(void)timerfd_settime(l->timer_fd, TFD_TIMER_ABSTIME, &at, NULL);
}

int dealer_wait(struct dealer *l, int timeout_ms, struct lk_error *err)
{
	struct pollfd readable = { .fd = l->epoll_fd, .events = POLLIN };
	int n = poll(&readable, 1, timeout_ms);

	if (n < 0 && errno == EINTR)
		return lk_fail(err, LK_ESTATE, "interrupted");
	return n < 0 ? lk_fail(err, LK_ENET, "cannot wait: %s", strerror(errno)) : n;
}

unsigned dealer_drops(const struct dealer *l)
{
	return l->drops;
}

bool dealer_connected(const struct dealer *l)
{
	return l->greeted;
}

void dealer_state(const struct dealer *l, struct lk_session_state *out)
{
	out->connected = l->greeted;
	out->clock_manual = false;
	memcpy(out->trouble, l->trouble, sizeof(out->trouble));
}

/* ---- Errors the daemon names ----------------------------------------------------------------------------------------- */

static const struct {
	const char *code;
	bool final; /* trying again does not help */
	const char *advice;
} refusals[] = {
	{ "version", true,
	  "the daemon speaks another version of the protocol; use the tools of its version" },
	{ "forbidden", true,
	  "this key may not do that; ask for the right in the daemon's table of clients" },
	{ "malformed", false,
	  "the daemon could not read what we said; are the two of one version?" },
	{ "unknown_source", false, "the daemon knows no such source; add it to its configuration" },
	{ "unknown_worker", false, "the daemon knows no such worker" },
	{ "no_session", false, "the daemon had ended the session; connecting again" },
	{ "too_large", false, "the daemon found a message too large" },
	{ "busy", false, "the daemon is busy; trying again" },
	{ "draining", false, "the daemon is shutting down; trying again" },
};

int dealer_refused(struct dealer *l, const struct lk_msg_error *error, struct lk_error *err)
{
	struct lk_text detail = lk_as_text(error->detail);
	const char *advice = "an error that this version does not know";
	bool final = false;

	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		if (lk_text_says(error->code, refusals[i].code)) {
			advice = refusals[i].advice;
			final = refusals[i].final;
		}
	}
	dealer_drop(l, "%s: %s (%.*s%s%.*s)", l->address, advice, LK_PRINT(error->code),
		    lk_text_given(detail) ? ": " : "", LK_PRINT(detail));
	return final ? lk_fail(err, LK_EAUTH, "%s", l->trouble) : 0;
}
