/* lane.h - what intake, inbox and control have in common: who speaks, what they may say, sessions,
 * liveness, errors.
 *
 * A message reaches its lane decoded, from a client whose key is enrolled and who did not choose
 * its own routing id. A session is bound to (routing id, key); it ends when the two part, after 15
 * s of silence, or by an error. One thread.
 */
#ifndef LINKAGES_LANE_H
#define LINKAGES_LANE_H

#include "roster.h"
#include "zsock.h"
#include <linkages/message.h>

struct access;
struct lane;

#define LANE_PING_US (5 * LK_SECOND)
#define LANE_SILENCE_US (15 * LK_SECOND)

/* A libzmq-made routing id is a zero byte and a number of four, the highest byte first, that counts up from a random one. */
typedef uint32_t lane_route;
/* 0 and *out, or -1 for an id that the peer chose itself. */
int lane_route_parse(const void *id, size_t len, lane_route *out) LK_MUST_CHECK;

/* First member of a lane's own session. */
struct lane_session {
	lane_route route;
	uint8_t key[ROSTER_KEY];
	int64_t heard_us, spoke_us;            /* clock_ticks() */
	struct zsock_line line;                /* of its hello */
	struct lane_session *next;             /* in its bucket */
	struct lane_session *older, **held_by; /* among all of the lane */
};

enum lane_liveness { LANE_FINE, LANE_PING_DUE, LANE_GONE };
enum lane_liveness lane_liveness(const struct lane_session *session, int64_t now_us);

/* Errors of protocol.md, "Lanes". C(enumerator, word) */
#define LANE_ERRORS(C) \
	C(LANE_VERSION, "version") \
	C(LANE_MALFORMED, "malformed") \
	C(LANE_FORBIDDEN, "forbidden") \
	C(LANE_UNKNOWN_SOURCE, "unknown_source") \
	C(LANE_UNKNOWN_WORKER, "unknown_worker") \
	C(LANE_NO_SESSION, "no_session") \
	C(LANE_TOO_LARGE, "too_large") \
	C(LANE_BUSY, "busy") \
	C(LANE_DRAINING, "draining")
#define LANE_ERROR_NAME(name, word) name,
enum lane_error { LANE_ERRORS(LANE_ERROR_NAME) lane_error_count };

/* Who a message came from. Borrowed until the handler returns. */
struct lane_sender {
	lane_route route;
	const struct roster_client *client;
	struct lane_session *session; /* or NULL */
};

struct lane_options {
	struct zsock_place place;
	struct access *access;
	const char *name;
	unsigned takes; /* LK_..._TAKES */
	size_t bite;
	int queue; /* messages that may wait to leave by one connection; 0: as many as usual */
	/* False ends the bite. */
	bool (*handle)(void *owner, const struct lane_sender *from,
		       const struct lk_message *message);
	/* May a session go on under another table of clients? `client` is who has its key now. NULL:
	 * whoever is enrolled may. */
	bool (*may_stay)(void *owner, const struct roster_client *client,
			 const struct lane_session *session);
	void (*bitten)(void *owner); /* may be NULL */
	/* Frees it; may be NULL without sessions. */
	void (*ended)(void *owner, struct lane_session *session);
	void (*ticked)(void *owner); /* each second; may be NULL */
	void *owner;
};

int lane_create(const struct lane_options *options, struct lane **out,
		struct lk_error *err) LK_MUST_CHECK;
void lane_destroy(struct lane *lane); /* NULL-safe; ends all sessions */
struct zsock *lane_socket(struct lane *lane);

/* 0; LK_ENOTFOUND: the peer is gone (its session, if any, ends in the next tick); LK_ESTATE: its
 * queue is full; LK_EMEMORY; LK_ENET. */
int lane_send(struct lane *lane, lane_route route, const struct lk_message *message) LK_MUST_CHECK;
/* For messages whose loss the peer survives: pongs, naks, acks (absolute; the next one says
 * more). */
void lane_tell(struct lane *lane, lane_route route, const struct lk_message *message);
/* The answer to a hello; NULL where there was no memory for it. False: it could not be sent, and the session that it was to
 * open has ended: whoever goes on without it hears `no_session`, and says hello again. */
bool lane_greet(struct lane *lane, lane_route route,
		const struct lk_message *message) LK_MUST_CHECK;
/* Says why, counts, and ends the session where there is one. `detail` repeats nothing that the
 * peer wrote; `re` names what is answered: an answer's notice, an event's seq, else the message. */
void lane_error(struct lane *lane, const struct lane_sender *from, enum lane_error code,
		const char *detail);

/* From inside `handle`, which then returns false: the message comes once more, in the next bite. */
void lane_keep(struct lane *lane);
/* From inside `bitten`: it is called again soon, also where nothing comes. */
void lane_bite_again(struct lane *lane);
/* The sender with the session that it has now: what was sent meanwhile may have ended the one that it had. */
struct lane_sender lane_sender_now(const struct lane *lane, const struct lane_sender *from);

/* Takes over a session made by the owner, whose key and route are filled from `from`. */
void lane_open(struct lane *lane, const struct lane_sender *from, struct lane_session *session);
void lane_end(struct lane *lane, struct lane_session *session);
/* Calls `visit` for each session; it may end the one that it is called for. */
void lane_each(struct lane *lane, void (*visit)(void *context, struct lane_session *session),
	       void *context);
/* Who a session is of, by the table of clients as it is now; NULL: nobody any more. */
const struct roster_client *lane_client(const struct lane *lane,
					const struct lane_session *session);
size_t lane_count(const struct lane *lane);
/* After another table of clients: ends the sessions of those who are not in it any more, or may do
 * less than they do; and shuts their connections, once the reason has been told. */
void lane_recheck(struct lane *lane);
/* Stops and starts reading. Nobody is silent while nobody listens. */
void lane_pause(struct lane *lane);
void lane_resume(struct lane *lane);
/* Ends all sessions with `no_session`; whoever was in one comes again. */
void lane_dismiss(struct lane *lane, const char *why);
/* Stops reading and tells everyone `draining`. */
void lane_drain(struct lane *lane);

#endif
