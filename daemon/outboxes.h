/* outboxes.h - the outboxes that speak now, and how their sources fare: for intake.c. */
#ifndef LINKAGES_OUTBOXES_H
#define LINKAGES_OUTBOXES_H

#include "turn.h"

struct standing;

/* One (source, epoch), shared by all sessions that speak under it. */
struct stream {
	struct stream *next_stream;
	struct standing *standing; /* of its source */
	char source[65];
	uint8_t epoch[LK_DIGEST];
	int64_t safe;
	size_t users; /* sessions, and inputs of the batch */
};

/* Starts from zeroes. */
struct outboxes {
	struct stream *first;
	size_t n;
	struct standing *standings; /* of sources, for as long as the daemon runs: they are those of the configuration */
};
void outboxes_free(struct outboxes *all); /* nobody uses a stream any more */

/* The stream, with one user more; of a new one `safe` is the caller's to set. NULL: no memory. */
struct stream *stream_use(struct outboxes *all, struct lk_text source,
			  const uint8_t epoch[LK_DIGEST]);
/* One user less: gone with the last. */
void stream_release(struct outboxes *all, struct stream *stream);
/* What it is offered of what everybody is: less where most of its source's events are refused. */
int64_t stream_offer(const struct stream *stream, int64_t offer);

/* What became of one of its events. outboxes_learn(), after a batch, draws the conclusions. */
void stream_judged(struct stream *stream, enum turn_outcome outcome);
void outboxes_learn(struct outboxes *all, int64_t offer);
/* Says of each source whether it is slowed, where that is another answer than before. */
void outboxes_tell(struct outboxes *all, int64_t offer);

#endif
