/* intake_parts.h - between intake.c, which hears what publishers say, and intake_send.c, which sends them what became of it. */
#ifndef LINKAGES_INTAKE_PARTS_H
#define LINKAGES_INTAKE_PARTS_H

#include "batch.h"
#include "credit.h"
#include "intake.h"
#include "lane.h"
#include "merge.h"
#include "outboxes.h"

#define STREAMS_MAX 4 /* epochs that one session may speak under */
#define NO_INPUT (-1)

/* A session's view of a stream. */
struct subscription {
	struct merge_queue queue; /* first: what it has sent, and no commit has taken yet */
	struct stream *stream;    /* NULL: free */
	int64_t next;             /* the seq expected from it */
	int64_t taken;            /* all below it are on disk, or in the batch */
	int64_t limit;            /* the highest seq that may have been sent */
	int64_t told;             /* the highest seq that may be sent, as the publisher was told last */
	int64_t naked;            /* the lowest missing seq that was asked for last; 0: none */
	bool exceeded;            /* sent above its credit once, and was told */
	int first, last; /* its inputs in the batch, chained; NO_INPUT */
};

struct intake_session {
	struct lane_session base;
	struct subscription subscription[STREAMS_MAX];
};

struct intake_input {
	struct stream *stream;
	int64_t seq;
	int next; /* of the same subscription, or NO_INPUT */
};

struct intake {
	struct intake_options options;
	struct lane *lane;
	struct batch *batch;
	struct merge merge;
	struct outboxes outboxes;
	struct credit credit;
	int64_t let_go; /* turn_let_go(), as last seen */
	bool paused;
	struct intake_input input[TURN_BATCH_MAX];
};

/* Refusals to be told, as items of an array; starts from zeroes. */
struct refusals {
	struct lk_bytes items;
	uint32_t n;
};
/* In one message: 8,192 items and 256 KiB are the limits of a lane message. */
#define REFUSALS_MAX 256
void refusals_add(struct refusals *refusals, int64_t seq, enum lk_refusal reason,
		  struct lk_text field, struct lk_text detail);

/* What the publisher does not know to be settled is asked for again, and acknowledged with its stored verdict; verdicts are
 * told here of what it has no more. False: it could not be, and its session has ended. */
bool intake_send_subscribe(struct intake *intake, const struct lane_sender *from,
			   struct lk_text epoch, struct subscription *s,
			   const struct stored_stream *stored, const struct refusals *refused);
/* It is to send again from what is expected of it. */
void intake_send_nak(struct intake *intake, lane_route route, struct subscription *s);
/* After a commit, to every session: how far its outboxes are, and which of their events were refused. */
void intake_send_acks(struct intake *intake);
/* To sessions that were told otherwise: there is credit again, or none any more. */
void intake_send_credit(struct intake *intake);

#endif
