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
	struct lk_bytes body; /* what is being said */
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

static int watch(struct dealer *d, void *socket, int operation)
{
	struct epoll_event readable = { .events = EPOLLIN };
	int fd;
	size_t size = sizeof(fd);

	if (zmq_getsockopt(socket, ZMQ_FD, &fd, &size) < 0)
		return -1;
	return epoll_ctl(d->epoll_fd, operation, fd, &readable);
}

static void hang_up(struct dealer *d, int linger_ms)
{
	if (d->monitor != NULL) {
		(void)watch(d, d->monitor, EPOLL_CTL_DEL);
		(void)zmq_socket_monitor(d->socket, NULL, 0);
		(void)zmq_close(d->monitor);
	}
	if (d->socket != NULL) {
		(void)watch(d, d->socket, EPOLL_CTL_DEL);
		(void)zmq_setsockopt(d->socket, ZMQ_LINGER, &linger_ms, sizeof(linger_ms));
		(void)zmq_close(d->socket);
	}
	d->socket = d->monitor = NULL;
	d->reached = d->greeted = d->blocked = false;
}

static int set_number(void *socket, int option, int value)
{
	return zmq_setsockopt(socket, option, &value, sizeof(value));
}

static int set_options(struct dealer *d)
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
	int failed = zmq_setsockopt(d->socket, ZMQ_MAXMSGSIZE, &largest, sizeof(largest));

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		failed |= set_number(d->socket, numbers[i].option, numbers[i].value);
	failed |= zmq_setsockopt(d->socket, ZMQ_CURVE_SERVERKEY, d->server_key, LK_Z85);
	failed |= zmq_setsockopt(d->socket, ZMQ_CURVE_PUBLICKEY, d->keys.public_key, LK_Z85);
	failed |= zmq_setsockopt(d->socket, ZMQ_CURVE_SECRETKEY, d->keys.secret_key, LK_Z85);
	return failed;
}

static int set_monitor(struct dealer *d)
{
	char name[48];
	int events = ZMQ_EVENT_CONNECTED | ZMQ_EVENT_CLOSED | ZMQ_EVENT_DISCONNECTED |
		     ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH |
		     ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL;

	(void)snprintf(name, sizeof(name), "inproc://dealer-%u", d->dials);
	if (zmq_socket_monitor(d->socket, name, events) < 0)
		return -1;
	d->monitor = zmq_socket(d->context, ZMQ_PAIR);
	if (d->monitor == NULL || set_number(d->monitor, ZMQ_LINGER, 0) < 0)
		return -1;
	return zmq_connect(d->monitor, name);
}

/* errno of libzmq tells; 0 on success. */
static int dial(struct dealer *d)
{
	d->dials++;
	d->phase = DIALLING;
	d->due_at = dealer_now() + DIAL_MAX;
	d->socket = zmq_socket(d->context, ZMQ_DEALER);
	if (d->socket == NULL || set_options(d) != 0 || set_monitor(d) < 0 ||
	    watch(d, d->socket, EPOLL_CTL_ADD) < 0 || watch(d, d->monitor, EPOLL_CTL_ADD) < 0 ||
	    zmq_connect(d->socket, d->address) < 0)
		return errno != 0 ? errno : EINVAL;
	dealer_again(d);
	return 0;
}

static lk_instant pause_length(unsigned failures)
{
	lk_instant pause = PAUSE_MAX;

	if (failures < 6)
		pause = PAUSE_FIRST << failures;
	return pause / 2 + (lk_instant)randombytes_uniform((uint32_t)pause);
}

void dealer_drop(struct dealer *d, const char *format, ...)
{
	va_list values;

	va_start(values, format);
	(void)vsnprintf(d->trouble, sizeof(d->trouble), format, values);
	va_end(values);
	hang_up(d, 0);
	d->phase = PAUSING;
	d->left = false;
	d->drops++;
	d->due_at = dealer_now() + pause_length(d->failures);
	if (d->failures < 6)
		d->failures++;
}

/* ---- Opening ------------------------------------------------------------------------------------------------------- */

static int no_descriptors(struct lk_error *err, int fault)
{
	return lk_fail(err, LK_ENET, "no descriptors left: %s", strerror(fault));
}

static int descriptors_make(struct dealer *d, struct lk_error *err)
{
	struct epoll_event readable = { .events = EPOLLIN };

	d->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	d->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (d->epoll_fd < 0 || d->timer_fd < 0 ||
	    epoll_ctl(d->epoll_fd, EPOLL_CTL_ADD, d->timer_fd, &readable) < 0)
		return no_descriptors(err, errno);
	d->context = zmq_ctx_new();
	return d->context != NULL ? 0 : lk_fail(err, LK_ENET, "no socket: %s", zmq_strerror(errno));
}

static int cannot_dial(const struct dealer *d, int failed, struct lk_error *err)
{
	if (failed == EMFILE || failed == ENFILE)
		return no_descriptors(err, failed);
	return lk_fail(err, LK_ECONFIG, "%s: %s; an address is like tcp://127.0.0.1:5562",
		       d->address, zmq_strerror(failed));
}

int dealer_create(const struct lk_peer *peer, struct dealer **out, struct lk_error *err)
{
	struct dealer *d;
	int code, failed;

	*out = NULL;
	if (peer->address == NULL || strlen(peer->address) >= sizeof(d->address))
		return lk_fail(err, LK_ECONFIG, "an address is needed, like tcp://127.0.0.1:5562");
	if (sodium_init() < 0 || (d = calloc(1, sizeof(*d))) == NULL)
		return lk_fail(err, LK_EMEMORY, "out of memory");
	d->epoll_fd = d->timer_fd = -1;
	(void)zmq_msg_init(&d->frame);
	memcpy(d->address, peer->address, strlen(peer->address) + 1);
	memcpy(d->server_key, peer->server_key, LK_Z85);
	d->keys = peer->keys;
	code = descriptors_make(d, err);
	if (code == 0 && (failed = dial(d)) != 0)
		code = cannot_dial(d, failed, err);
	if (code == 0)
		dealer_arm(d);
	if (code < 0) {
		dealer_destroy(d);
		return code;
	}
	*out = d;
	return 0;
}

void dealer_destroy(struct dealer *d)
{
	if (d == NULL)
		return;
	hang_up(d, d->greeted ? 1000 : 0);
	(void)zmq_msg_close(&d->frame);
	lk_bytes_free(&d->body);
	if (d->context != NULL)
		(void)zmq_ctx_term(d->context);
	if (d->timer_fd >= 0)
		close(d->timer_fd);
	if (d->epoll_fd >= 0)
		close(d->epoll_fd);
	sodium_memzero(&d->keys, sizeof(d->keys));
	free(d);
}

int dealer_fd(const struct dealer *d)
{
	return d->epoll_fd;
}

/* ---- What the monitor says ------------------------------------------------------------------------------------------ */

static enum dealer_news came_up(struct dealer *d, uint32_t value)
{
	(void)value;
	d->phase = OPEN;
	d->heard_at = d->sent_at = dealer_now();
	return DEALER_UP;
}

static enum dealer_news came_near(struct dealer *d, uint32_t value)
{
	(void)value;
	d->reached = true;
	return DEALER_NOTHING;
}

/* A daemon that does not know a key hangs up without a word. */
static enum dealer_news was_kept_out(struct dealer *d, uint32_t value)
{
	(void)value;
	dealer_drop(
		d,
		"%s: the daemon lets nobody in with this key: is it in its table of clients, and is the server "
		"key the right one?",
		d->address);
	return DEALER_NOTHING;
}

static enum dealer_news went_away(struct dealer *d, uint32_t value)
{
	if (d->phase != OPEN && d->reached)
		return was_kept_out(d, value);
	if (d->phase == OPEN)
		d->left = true;
	else
		dealer_drop(d, "%s: nobody answers: is the daemon running?", d->address);
	return DEALER_NOTHING;
}

/* Who is not enrolled hears nothing: of those who are told, 400 was let in once. */
static enum dealer_news was_refused(struct dealer *d, uint32_t value)
{
	dealer_drop(d,
		    value == 400
			    ? "%s: this key was revoked (%u): ask for another to be enrolled"
			    : "%s: the daemon refuses this key (%u): ask for it to be enrolled",
		    d->address, (unsigned)value);
	return DEALER_NOTHING;
}

static enum dealer_news spoke_oddly(struct dealer *d, uint32_t value)
{
	(void)value;
	dealer_drop(
		d,
		"%s: no CURVE handshake: is this a lane of Linkages, and is the server key the right one?",
		d->address);
	return DEALER_NOTHING;
}

static const struct {
	uint16_t event;
	enum dealer_news (*take)(struct dealer *d, uint32_t value);
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
static enum dealer_news monitor_take(struct dealer *d)
{
	uint8_t head[6];
	uint16_t event;
	uint32_t value;

	while (d->monitor != NULL &&
	       zmq_recv(d->monitor, head, sizeof(head), ZMQ_DONTWAIT) == (int)sizeof(head)) {
		enum dealer_news news = DEALER_NOTHING;

		(void)zmq_recv(d->monitor, NULL, 0, ZMQ_DONTWAIT);
		memcpy(&event, head, sizeof(event));
		memcpy(&value, head + sizeof(event), sizeof(value));
		for (size_t i = 0; i < sizeof(monitored) / sizeof(monitored[0]); i++)
			if (monitored[i].event == event)
				news = monitored[i].take(d, value);
		if (news != DEALER_NOTHING)
			return news;
	}
	return DEALER_NOTHING;
}

/* ---- Frames -------------------------------------------------------------------------------------------------------- */

static bool frame_take(struct dealer *d, struct lk_span *frame)
{
	while (d->socket != NULL && zmq_msg_recv(&d->frame, d->socket, ZMQ_DONTWAIT) >= 0) {
		bool whole = zmq_msg_more(&d->frame) == 0;

		d->heard_at = dealer_now();
		while (zmq_msg_more(&d->frame) != 0)
			if (zmq_msg_recv(&d->frame, d->socket, ZMQ_DONTWAIT) < 0)
				return false;
		if (whole) {
			*frame = lk_span_of(zmq_msg_data(&d->frame), zmq_msg_size(&d->frame));
			return true;
		}
	}
	return false;
}

static enum dealer_news time_take(struct dealer *d)
{
	lk_instant now = dealer_now();

	if (d->phase == PAUSING && now >= d->due_at) {
		int failed = dial(d);
		if (failed != 0)
			dealer_drop(d, "%s: %s", d->address, zmq_strerror(failed));
	} else if (d->phase == DIALLING && now >= d->due_at) {
		dealer_drop(
			d,
			"%s: no answer within %d s: is the address right, and the way there open?",
			d->address, (int)(DIAL_MAX / LK_SECOND));
	} else if (d->phase == OPEN && now - d->heard_at >= SILENCE_MAX) {
		dealer_drop(d, "%s: the daemon has said nothing for 15 s", d->address);
	} else if (d->phase == OPEN && now - d->sent_at >= PING_AFTER) {
		d->sent_at = now;
		return DEALER_IDLE;
	}
	return DEALER_NOTHING;
}

enum dealer_news dealer_next(struct dealer *d, struct lk_span *frame)
{
	uint64_t expirations;
	enum dealer_news news;

	if (frame_take(d, frame))
		return DEALER_MESSAGE;
	news = monitor_take(d);
	if (news != DEALER_NOTHING)
		return news;
	if (d->left && frame_take(d, frame))
		return DEALER_MESSAGE;
	if (d->left)
		dealer_drop(d, "%s: the daemon closed the connection", d->address);
	if (dealer_now() >= d->armed_at && read(d->timer_fd, &expirations, sizeof(expirations)) < 0)
		expirations = 0; /* was read before */
	return time_take(d);
}

bool dealer_say(struct dealer *d, const struct lk_message *message)
{
	lk_bytes_clear(&d->body);
	lk_message_encode(message, &d->body);
	if (d->phase != OPEN || d->body.failed)
		return false;
	if (zmq_send(d->socket, d->body.at, d->body.len, ZMQ_DONTWAIT) < 0) {
		d->blocked = true;
		return false;
	}
	d->blocked = false;
	d->sent_at = dealer_now();
	return true;
}

void dealer_greeted(struct dealer *d)
{
	d->greeted = true;
	d->failures = 0;
	d->trouble[0] = '\0';
}

/* ---- Waiting -------------------------------------------------------------------------------------------------------- */

void dealer_again(struct dealer *d)
{
	d->again = true;
}

static lk_instant earlier(lk_instant a, lk_instant b)
{
	return a < b ? a : b;
}

void dealer_wake(struct dealer *d, lk_instant at)
{
	d->wake_at = d->wake_at != 0 ? earlier(d->wake_at, at) : at;
}

static lk_instant dealer_due(const struct dealer *d)
{
	lk_instant due = earlier(d->heard_at + SILENCE_MAX, d->sent_at + PING_AFTER);

	if (d->phase != OPEN)
		due = d->due_at;
	return d->wake_at != 0 ? earlier(due, d->wake_at) : due;
}

/* libzmq's descriptors tell of changes, not of states, and a send may swallow one: ask the sockets themselves. */
static bool dealer_pending(const struct dealer *d)
{
	int events = 0;
	size_t size = sizeof(events);

	if (d->socket == NULL)
		return false;
	if (zmq_getsockopt(d->socket, ZMQ_EVENTS, &events, &size) == 0 &&
	    ((events & ZMQ_POLLIN) != 0 || (d->blocked && (events & ZMQ_POLLOUT) != 0)))
		return true;
	return zmq_getsockopt(d->monitor, ZMQ_EVENTS, &events, &size) == 0 &&
	       (events & ZMQ_POLLIN) != 0;
}

/* A timer that rings too early costs one look; setting it anew each time would cost a system call a turn. */
void dealer_arm(struct dealer *d)
{
	lk_instant now = dealer_now(), due = dealer_due(d);
	struct itimerspec at = { 0 };

	if (d->again || due <= now || dealer_pending(d))
		due = now + 1;
	d->again = false;
	d->wake_at = 0;
	if (d->armed_at > now && d->armed_at <= due)
		return;
	d->armed_at = due;
	at.it_value.tv_sec = due / LK_SECOND;
	at.it_value.tv_nsec = (due % LK_SECOND) * 1000;
	(void)timerfd_settime(d->timer_fd, TFD_TIMER_ABSTIME, &at, NULL);
}

int dealer_wait(struct dealer *d, int timeout_ms, struct lk_error *err)
{
	struct pollfd readable = { .fd = d->epoll_fd, .events = POLLIN };
	int n = poll(&readable, 1, timeout_ms);

	if (n < 0 && errno == EINTR)
		return lk_fail(err, LK_ESTATE, "interrupted");
	return n < 0 ? lk_fail(err, LK_ENET, "cannot wait: %s", strerror(errno)) : n;
}

unsigned dealer_drops(const struct dealer *d)
{
	return d->drops;
}

bool dealer_connected(const struct dealer *d)
{
	return d->greeted;
}

void dealer_state(const struct dealer *d, struct lk_session_state *out)
{
	out->connected = d->greeted;
	out->clock_manual = false;
	memcpy(out->trouble, d->trouble, sizeof(out->trouble));
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

int dealer_refused(struct dealer *d, const struct lk_msg_error *error, struct lk_error *err)
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
	dealer_drop(d, "%s: %s (%.*s%s%.*s)", d->address, advice, LK_PRINT(error->code),
		    lk_text_given(detail) ? ": " : "", LK_PRINT(detail));
	return final ? lk_fail(err, LK_EAUTH, "%s", d->trouble) : 0;
}
