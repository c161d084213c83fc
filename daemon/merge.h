/* merge.h - events of several outboxes that wait for a commit, and which of them is the next: the one that happened first.
 *
 * Outboxes that come from an outage send what happened in the same weeks, each as fast as it can. What one of them says of a
 * family after the other has gone on in time is late, and a late event folds its family anew. So who is behind goes first.
 *
 * Whoever goes first goes on until somebody else has been passed over for MERGE_PASSED_MOST events: a few events out of order
 * make next to none of them late, and what an outbox has in a row in the log takes no room in the store to be found again.
 *
 * Bounds: an outbox stays in its own order; it waits for those only that have something here; and it is never passed over by
 * more than MERGE_PASSED_MOST events on end, whatever times they and it say, but for one of each other that is due with it.
 * A leaf. One thread.
 */
#ifndef LINKAGES_MERGE_H
#define LINKAGES_MERGE_H

#include <linkages/base.h>

/* So a clock that is a year slow, or fast, keeps nobody out: even where each event is late, at 7,000 of them a second, the others
 * are served 200 times a second. And so an outbox may still have thirty times as many events as another in the same time without
 * leaving it behind. */
#define MERGE_PASSED_MOST 32
/* Of all that waits; what one message brings beyond it is taken. As much as a batch: what a failing store may hold in memory. */
#define MERGE_BYTES_MAX (16u * 1024 * 1024)

struct merge_event {
	struct merge_event *next;
	int64_t seq;
	/* LK_NO_INSTANT where it says none: it is before all that say one. */
	lk_instant time;
	size_t len;
	uint8_t bytes[];
};

/* What waits of one outbox. Starts from zeroes; is where it is for as long as anything waits. */
struct merge_queue {
	/* Who says it: decides between events of one instant, as the fold does. The owner's. */
	const char *source;
	/* It has sent all that it may, so more will come for what is taken: until nothing of it waits. The owner's to set. */
	bool is_pressed;
	struct merge_queue *next; /* among those of which something waits */
	struct merge_event *first, *last;
	size_t n;
	size_t left;   /* so many may be taken in this commit */
	size_t passed; /* events of others that were taken since one of its own was */
};

/* Starts from zeroes. */
struct merge {
	struct merge_queue *waiting;
	struct merge_queue *going; /* it went first, and goes on; NULL: the times decide */
	size_t bytes;              /* of memory */
};

/* The bytes are copied; NULL where there are none. LK_EMEMORY. */
int merge_add(struct merge *merge, struct merge_queue *queue, int64_t seq, lk_instant time,
	      const void *bytes, size_t len) LK_MUST_CHECK;
bool merge_is_full(const struct merge *merge);
/* A commit begins. */
void merge_begin(struct merge *merge);
/* Whose first event is the next; NULL where this commit is to take no more. Where others wait too it leaves half of what a pressed
 * outbox has here: else that would be gone for as long as a commit's answer and the next events are on their way, the others'
 * turn would come, and who is ahead would stay ahead. */
struct merge_queue *merge_next(const struct merge *merge);
/* Its first event is taken. */
void merge_take(struct merge *merge, struct merge_queue *queue);
/* All of it is forgotten. */
void merge_clear(struct merge *merge, struct merge_queue *queue);

#endif
