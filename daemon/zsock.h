/* zsock.h - the one adaptor around a ZeroMQ socket: bounded bites, and never a lost wake-up.
 *
 * ZMQ_FD is edge-triggered and says "look", not "readable"; a send can swallow the edge. So every
 * socket has one owner here, who looks until the bite is full or nothing is left, comes back by a
 * zero-delay timer, and looks again after each send. One thread.
 */
#ifndef LINKAGES_ZSOCK_H
#define LINKAGES_ZSOCK_H

#include <linkages/base.h>

struct loop;
struct key_pair;
struct zsock;
struct zsock_context;

/* ZMQ_ZAP_DOMAIN of every lane; an empty one would switch authentication off. */
#define ZSOCK_DOMAIN "linkages"

/* Seeds rand() from the kernel, for libzmq draws routing ids from it. One I/O thread, deaf to
 * signals. */
int zsock_begin(struct zsock_context **out, struct lk_error *err) LK_MUST_CHECK;
/* Waits until what was sent has left, as long as ZMQ_LINGER allows (a second). All sockets are
 * destroyed before. */
void zsock_end(struct zsock_context *context); /* NULL-safe */
/* The libzmq context, for access.c, which speaks as a client to prove that strangers are kept
 * out. */
void *zsock_raw(struct zsock_context *context);

enum zsock_kind { ZSOCK_ROUTER, ZSOCK_SUB };

#define ZSOCK_PARTS_MAX 12
struct zsock_part {
	const void *at;
	size_t len;
};
struct zsock_message {
	struct zsock_part part[ZSOCK_PARTS_MAX];
	size_t n;
	const char *user; /* what ZAP said of the sender, read from the last frame; NULL: nothing */
	const void *frame; /* the last frame as libzmq has it, for zsock_line_of() */
};

/* The connection that a message came by: a descriptor, and who was at its other end, for libzmq may
 * have closed it since and another connection have its number. */
#define ZSOCK_PEER 28 /* an address of IPv6 with its port */
struct zsock_line {
	int fd; /* -1: not known */
	uint8_t peer[ZSOCK_PEER];
};
struct zsock_line zsock_line_of(const struct zsock_message *message);
/* Is it the same connection still? */
bool zsock_line_holds(const struct zsock_line *line);
/* Shuts the connection if it is still the same. libzmq notices, forgets the peer and whatever it
 * had in hand for it; a peer that comes back is asked for its key. True: it was shut. */
bool zsock_hang_up(const struct zsock_line *line);

/* A second address, under another key: for as long as clients move from one key of ours to the other. They are peers of one
 * socket, whichever way they came. */
struct zsock_second {
	const char *endpoint; /* NULL or empty: none */
	const struct key_pair *keys;
};

/* Where a socket is bound, and in whose loop it is looked at. All is borrowed for as long as the socket is there. */
struct zsock_place {
	struct loop *loop;
	struct zsock_context *context;
	const char *endpoint;
	const struct key_pair *keys; /* NULL: in-process, no CURVE */
	struct zsock_second second;
};

struct zsock_options {
	struct zsock_place place;
	const char *name; /* for the log */
	enum zsock_kind kind;
	size_t parts; /* a message of another number is dropped whole and counted */
	size_t bite;  /* messages at most before others have their turn */
	int queue;    /* messages that may wait to leave by one connection; 0: as many as usual */
	/* One message, borrowed until it returns. False ends the bite. */
	bool (*receive)(void *owner, const struct zsock_message *message);
	void (*bitten)(void *owner); /* after a bite that brought something; may be NULL */
	void *owner;
};

int zsock_create(const struct zsock_options *options, struct zsock **out,
		 struct lk_error *err) LK_MUST_CHECK;
void zsock_destroy(struct zsock *zsock); /* NULL-safe */
/* 0; LK_ENOTFOUND: no such peer any more; LK_ESTATE: its queue is full, try later; LK_ENET.
 * Never blocks. */
int zsock_send(struct zsock *zsock, const struct zsock_part *parts, size_t n) LK_MUST_CHECK;
/* Stops and starts reading; sending goes on. */
void zsock_pause(struct zsock *zsock);
void zsock_resume(struct zsock *zsock);
bool zsock_paused(const struct zsock *zsock);
/* From inside `receive`, which then returns false: the message was not used up; it comes once more, as
 * the first of the next bite. */
void zsock_keep(struct zsock *zsock);
/* From inside `bitten`: it left work that waits. It is called again after the next bite, whether that brings anything or not. */
void zsock_bite_again(struct zsock *zsock);
/* One bite, now. */
void zsock_look(struct zsock *zsock);
/* The endpoint as bound: a wildcard port is a number here. */
const char *zsock_endpoint(const struct zsock *zsock);
/* Likewise the second one; empty: there is none. */
const char *zsock_second_endpoint(const struct zsock *zsock);
enum zsock_kind zsock_kind(const struct zsock *zsock);

#endif
