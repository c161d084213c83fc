/* intake.h - the agencies' lane: a durable subscription to each outbox. protocol.md, "intake".
 *
 * Events of all sessions are collected into one batch; whoever sent them is told after its commit.
 * One thread.
 */
#ifndef LINKAGES_INTAKE_H
#define LINKAGES_INTAKE_H

#include "zsock.h"

struct access;
struct clock;
struct intake;
struct lane;
struct lk_bytes;
struct turn;
struct wake;

struct intake_options {
	struct zsock_place place;
	struct access *access;
	struct turn *turn;
	struct clock *clock;
	struct wake *wake;
	void (*hand_out)(void *context); /* what a commit has told goes to its readers now */
	void (*renewed)(void *context); /* every mailbox has another id now */
	void *context;                  /* of both */
	const char *disk;                  /* a folder on the store's file system */
	int64_t credit_most;
	int64_t disk_reserve; /* bytes on that file system */
};

int intake_create(const struct intake_options *options, struct intake **out,
		  struct lk_error *err) LK_MUST_CHECK;
void intake_destroy(struct intake *intake); /* NULL-safe */
struct lane *intake_lane(struct intake *intake);
/* Stops and starts reading; for as long as a manual clock is being moved. */
void intake_pause(struct intake *intake);
void intake_resume(struct intake *intake);
/* Reads no more, commits what waits, for two seconds at most, acknowledges it, tells everyone. */
void intake_drain(struct intake *intake);
/* The store may say that outboxes may forget more: from now on acknowledgements say so too. */
int intake_safe_moved(struct intake *intake, struct lk_error *err) LK_MUST_CHECK;
/* A batch waits for a store that refuses it. */
bool intake_is_held(const struct intake *intake);
/* What a publisher is offered now; what is left on the store's file system, as last looked at. */
int64_t intake_credit(const struct intake *intake);
int64_t intake_free_bytes(const struct intake *intake);
/* Appends one map: sessions, streams, credit, held. */
void intake_put(const struct intake *intake, struct lk_bytes *out);

/* One session, for whoever looks after the daemon. */
struct intake_look {
	const char *client;
	size_t streams;
	int64_t open; /* credit granted and not used, over all streams */
	int64_t quiet_us;
};
void intake_each(struct intake *intake,
		 void (*visit)(void *context, const struct intake_look *look), void *context);

#endif
