/* dealer.h - one CURVE connection to one lane of the daemon, made again whenever it ends.
 *
 * Internal to the library. A dealer has one descriptor for its life (an epoll of the socket, its monitor and a timer).
 * One TCP connection is one ZeroMQ socket: libzmq does not reconnect for us, so that a greeting is said once for each.
 */
#ifndef LINKAGES_DEALER_H
#define LINKAGES_DEALER_H

#include <linkages/client.h>

struct dealer;

enum dealer_news {
	DEALER_NOTHING, /* nothing more at present */
	DEALER_UP,      /* connected: say hello */
	DEALER_MESSAGE, /* a frame came */
	DEALER_IDLE,    /* we have said nothing for 5 s: say ping */
};

int dealer_create(const struct lk_peer *peer, struct dealer **out,
		  struct lk_error *err) LK_MUST_CHECK;
/* Gives what was sent a second to leave. NULL-safe. */
void dealer_destroy(struct dealer *dealer);
int dealer_fd(const struct dealer *dealer);
/* What happened next. The frame is borrowed until the next call. Dials, gives up and backs off by itself. */
enum dealer_news dealer_next(struct dealer *dealer, struct lk_span *frame);
/* True: it will be sent; false: not now (nobody there, or the queue is full: look again when it turns readable). */
bool dealer_say(struct dealer *dealer, const struct lk_message *message) LK_MUST_CHECK;
/* The daemon has answered our hello: the session stands, and the next failure backs off from the start again. */
void dealer_greeted(struct dealer *dealer);
/* Ends the connection; the next comes after a pause. The sentence is kept for dealer_state(). */
void dealer_drop(struct dealer *dealer, const char *format, ...) LK_PRINTF(2, 3);
/* Came to the end of a bite, not to the end of the work: turn readable at once. */
void dealer_again(struct dealer *dealer);
/* Turn readable at this instant of dealer_now(), or at an earlier one that was asked for, if nothing else happens before;
 * forgotten at each dealer_arm(). */
void dealer_wake(struct dealer *dealer, lk_instant at);
/* Sets the timer. Last in every process function. */
void dealer_arm(struct dealer *dealer);
/* 1: readable, 0: timeout_ms have passed, LK_ESTATE: a signal came. */
int dealer_wait(struct dealer *dealer, int timeout_ms, struct lk_error *err) LK_MUST_CHECK;
unsigned dealer_drops(
	const struct dealer *dealer); /* how many connections have ended or failed so far */
bool dealer_connected(const struct dealer *dealer);
void dealer_state(const struct dealer *dealer, struct lk_session_state *out);
lk_instant dealer_now(void); /* monotonic: differences only */

/* An error message of the daemon. LK_EAUTH where retrying does not help (version, forbidden); else the connection is
 * dropped with a sentence, and 0. */
int dealer_refused(struct dealer *dealer, const struct lk_msg_error *error,
		   struct lk_error *err) LK_MUST_CHECK;

#endif
