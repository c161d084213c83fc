/* lane.h - one CURVE connection to one lane of the daemon, made again whenever it ends.
 *
 * Internal to the library. A lane has one descriptor for its life (an epoll of the socket, its monitor and a timer).
 * One TCP connection is one ZeroMQ socket: libzmq does not reconnect for us, so that a greeting is said once for each.
 */
#ifndef LINKAGES_LANE_H
#define LINKAGES_LANE_H

#include <linkages/client.h>

struct lane;

enum lane_news {
	LANE_NOTHING, /* nothing more for now */
	LANE_UP,      /* connected: say hello */
	LANE_MESSAGE, /* a frame came */
	LANE_IDLE,    /* we have said nothing for 5 s: say ping */
};

int lane_create(const struct lk_peer *peer, struct lane **out, struct lk_error *err) LK_MUST_CHECK;
/* Gives what was sent a second to leave. NULL-safe. */
void lane_destroy(struct lane *lane);
int lane_fd(const struct lane *lane);
/* What happened next. The frame is borrowed until the next call. Dials, gives up and backs off by itself. */
enum lane_news lane_next(struct lane *lane, struct lk_span *frame);
/* True: it will be sent; false: not now (nobody there, or the queue is full: look again when the lane turns readable). */
bool lane_send(struct lane *lane, const struct lk_bytes *body) LK_MUST_CHECK;
bool lane_say(struct lane *lane, const struct lk_message *message) LK_MUST_CHECK;
/* The daemon has answered our hello: the session stands, and the next failure backs off from the start again. */
void lane_greeted(struct lane *lane);
/* Ends the connection; the next comes after a pause. The sentence is kept for lane_state(). */
void lane_drop(struct lane *lane, const char *format, ...) LK_PRINTF(2, 3);
/* Came to the end of a bite, not to the end of the work: turn readable at once. */
void lane_again(struct lane *lane);
/* Sets the timer. Last in every process function. */
void lane_arm(struct lane *lane);
/* 1: readable, 0: timeout_ms have passed, LK_ESTATE: a signal came. */
int lane_wait(struct lane *lane, int timeout_ms, struct lk_error *err) LK_MUST_CHECK;
bool lane_connected(const struct lane *lane);
void lane_state(const struct lane *lane, struct lk_session_state *out);
lk_instant lane_now(void); /* monotonic: differences only */

/* An error message of the daemon. LK_EAUTH where retrying does not help (version, forbidden); else the connection is
 * dropped with a sentence, and 0. */
int lane_refused(struct lane *lane, const struct lk_msg_error *error, struct lk_error *err) LK_MUST_CHECK;

#endif
