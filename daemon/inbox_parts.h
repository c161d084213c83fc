/* inbox_parts.h - between inbox.c, which hears what clients say, and inbox_send.c, which sends them their notices. */
#ifndef LINKAGES_INBOX_PARTS_H
#define LINKAGES_INBOX_PARTS_H

#include "inbox.h"
#include "lane.h"

#include <linkages/message.h>
#include <sodium.h>

#define BUCKETS 4096 /* a power of two */

struct inbox_session;

/* One worker's mailbox, as long as anyone reads it. */
struct mailbox {
	struct mailbox *next_mailbox; /* in its bucket */
	char worker[65];
	int64_t told;    /* the highest seq that there is */
	int64_t receipt; /* waits to be written; 0: none */
	struct reader *readers;
};

/* One worker in one session. */
struct reader {
	struct inbox_session *session;
	struct mailbox *mailbox;
	struct reader *next_reader; /* of the mailbox */
	int64_t sent;               /* the highest seq sent in this session */
	int64_t since_us;           /* ticks: when the first of what waits was told; where it has caught up */
	bool caught_up;
};

/* An answer that a full connection did not take: nothing else tells it of a notice that was sent before. */
struct unsaid {
	const struct mailbox *mailbox; /* which the session reads */
	char by[65];
	uint8_t notice[LK_DIGEST];
	lk_instant at;
};

struct inbox_session {
	struct lane_session base;
	char id[LK_DIGEST_HEX];
	char name[4 * 64 + 1]; /* as its hello says; proves nothing */
	int64_t credit;
	int64_t several; /* notices that it takes in one message */
	bool queued, blocked;
	struct inbox_session *next_queued;
	struct unsaid *unsaid; /* the oldest first */
	size_t unsaid_n, unsaid_room;
	size_t cursor; /* whose turn it is */
	size_t n;
	struct reader reader[];
};

struct inbox {
	struct inbox_options options;
	struct lane *lane;
	struct loop_timer *pump, *unblock, *receipts;
	struct inbox_session *first, *last; /* those that have something to be sent */
	uint8_t hash_key[crypto_shorthash_KEYBYTES];
	struct mailbox *bucket[BUCKETS];
	size_t mailboxes_n;
	struct lk_bytes notices, array; /* of the message that is being made */
};

/* ---- inbox_send.c ---- */

/* It has something to be sent, or may have. */
void inbox_queue(struct inbox *inbox, struct inbox_session *session);
void inbox_unqueue(struct inbox *inbox, struct inbox_session *session);
/* `answered` to one session: now, or as soon as its connection has room. */
void inbox_say_answered(struct inbox *inbox, const struct reader *reader, const uint8_t notice[LK_DIGEST],
			struct lk_text by, lk_instant at);
/* Timers': sends what waits, as far as one bite goes; tries again with those whose connection was full. */
void inbox_pump(void *inbox);
void inbox_unblock(void *inbox);

/* ---- inbox.c ---- */

/* Says so; after a failed sync the daemon ends. */
void inbox_store_failed(struct inbox *inbox, const struct lk_error *err);

#endif
