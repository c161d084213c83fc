/* credit.h - how much may be under way: pure arithmetic for both lanes. A leaf. */
#ifndef LINKAGES_CREDIT_H
#define LINKAGES_CREDIT_H

#include <linkages/base.h>

/* ---- intake: events beyond `upto` ---- */

#define CREDIT_FLOOR 16 /* a slow disk still gets batches, not single events */
#define CREDIT_COMMIT_US (100 * INT64_C(1000)) /* a commit that takes longer than this is slow */
#define CREDIT_DISK_PLENTY 4 /* times the reserve: from here on everything is asked for */

struct credit {
	int64_t most;       /* by configuration */
	int64_t commit_us;  /* moving average of what a commit takes */
	int64_t free_bytes; /* on the store's file system */
	int64_t reserve;    /* bytes, 1 to 2^40: with no more free than this nothing is asked for */
};

void credit_start(struct credit *credit, int64_t most, int64_t reserve);
void credit_learn(struct credit *credit, int64_t commit_us);
/* What to offer now: `most` as long as commits are quick, less in proportion when they are slow,
 * 0 before the disk is full. Comes back by itself with the causes. */
int64_t credit_offer(const struct credit *credit);
/* The highest seq a publisher may have sent after being told `upto` and `offer`. Never lower
 * than it was: what was granted was granted. */
int64_t credit_limit(int64_t limit, int64_t upto, int64_t offer);

/* ---- intake: events of a source that are refused ----
 *
 * Each is a row that somebody must read, so that a source which sends little else is not taken in at
 * full speed. */

#define PATIENCE_MOST 512      /* refusals that may come at once */
#define PATIENCE_A_SECOND 64   /* and as many more with each second */
#define PATIENCE_PER_EVENT 16  /* accepted events make good one refusal: few among many cost nothing */

struct patience {
	int64_t left;  /* in sixteenths of a refusal; down to a debt of PATIENCE_MOST refusals */
	int64_t at_us; /* clock_ticks() */
};

void patience_start(struct patience *patience, int64_t now_us);
void patience_learn(struct patience *patience, int64_t accepted, int64_t refused, int64_t now_us);
/* What to offer of `offer`: all of it while half of the patience is left; then as many events as it
 * would bear to be refused; 0 where it has run out. */
int64_t patience_offer(const struct patience *patience, int64_t offer, int64_t now_us);

/* ---- One commit ---- */

#define CREDIT_TURN_US (50 * INT64_C(1000)) /* of work, after which others are looked at */
#define CREDIT_TURN_FIRST 256               /* events, while nothing is known of what they cost */

/* How many events the next commit may take. The last one was allowed `room`, took n, and cost work_us
 * of processor time; the next is to cost aim_us. At least one, at most `most`, and at most twice
 * `room`. Time that the disk takes does not count: a slow sync is no reason to sync more often.
 * The families of a pass and of an idle bite are counted out in the same way (wake.c, idle.c). */
size_t credit_turn(size_t room, size_t n, int64_t work_us, int64_t aim_us, size_t most);

/* ---- inbox: notices ---- */

#define CREDIT_NOTICES_MAX 65536
int64_t credit_add(int64_t have, int64_t n); /* have + n, at most CREDIT_NOTICES_MAX */

#endif
