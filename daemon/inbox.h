/* inbox.h - the workers' lane: numbered notices with credit, catch-up, receipts, answers.
 * protocol.md, "inbox". */
#ifndef LINKAGES_INBOX_H
#define LINKAGES_INBOX_H

#include "zsock.h"

struct access;
struct clock;
struct inbox;
struct lane;
struct lk_bytes;
struct turn;

struct inbox_options {
	struct zsock_place place;
	struct access *access;
	struct turn *turn;
	struct clock *clock;
};

int inbox_create(const struct inbox_options *options, struct inbox **out,
		 struct lk_error *err) LK_MUST_CHECK;
void inbox_destroy(struct inbox *inbox); /* NULL-safe */
struct lane *inbox_lane(struct inbox *inbox);
/* The sink's: a mailbox has grown up to seq. Only wakes the sessions that read it. */
void inbox_told(struct inbox *inbox, struct lk_text worker, int64_t seq);
/* Sends what waits, one bite of it, at once and not in the loop's next turn. */
void inbox_hand_out(struct inbox *inbox);
/* The sink's: tells every session of the worker. */
void inbox_answered(struct inbox *inbox, struct lk_text worker, const uint8_t notice[LK_DIGEST],
		    struct lk_text by, lk_instant at);
/* Reads no more, writes the receipts that wait, tells everyone. */
void inbox_drain(struct inbox *inbox);
/* Appends one map: sessions, mailboxes. */
void inbox_put(const struct inbox *inbox, struct lk_bytes *out);

/* One session, for whoever looks after the daemon. */
struct inbox_look {
	const char *client, *name; /* in the table; what it calls itself */
	size_t workers;
	int64_t credit, waiting; /* waiting: told and not yet sent, over all of its workers */
	int64_t quiet_us;
};
void inbox_each(struct inbox *inbox, void (*visit)(void *context, const struct inbox_look *look),
		void *context);

#endif
