/* feed.h - the simplest way in: any ZeroMQ publisher. Lossy by nature; same checks, same
 * idempotence as intake. protocol.md, "feed". One thread.
 */
#ifndef LINKAGES_FEED_H
#define LINKAGES_FEED_H

#include "zsock.h"

struct access;
struct clock;
struct config;
struct feed;
struct lk_bytes;
struct turn;
struct wake;

struct feed_options {
	struct zsock_place place;
	struct access *access;
	struct turn *turn;
	struct clock *clock;
	struct wake *wake;
	const struct config *config; /* borrowed: its sources */
};

int feed_create(const struct feed_options *options, struct feed **out,
		struct lk_error *err) LK_MUST_CHECK;
void feed_destroy(struct feed *feed); /* NULL-safe */
struct zsock *feed_socket(struct feed *feed);
/* Stops and starts reading; for as long as a manual clock is being moved. */
void feed_pause(struct feed *feed);
void feed_resume(struct feed *feed);
/* Reads no more and commits what waits. */
void feed_drain(struct feed *feed);
/* A batch waits for a store that refuses it. */
bool feed_is_held(const struct feed *feed);
/* Appends one map: for each source of dense sequence the last one seen and how many are missing. */
void feed_put(const struct feed *feed, struct lk_bytes *out);

/* Dense sequences, as arithmetic: how many are missing before this one. Moves `seen` up; a first
 * one misses nothing. */
struct feed_sequence {
	bool begun;
	int64_t seen, missing;
};
int64_t feed_sequence_event(struct feed_sequence *sequence, int64_t number);
/* A heartbeat says that `last` was sent; it comes after it on the same connection. */
int64_t feed_sequence_ping(struct feed_sequence *sequence, int64_t last);

#endif
