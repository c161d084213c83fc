/* batch.h - events that wait for one commit, kept until the store has taken them.
 *
 * Both intake and feed collect here what a bite of their socket brings. A store that fails changes
 * nothing but the hour: the events stay, reading stops, and the same batch is tried again. One
 * thread.
 */
#ifndef LINKAGES_BATCH_H
#define LINKAGES_BATCH_H

#include "turn.h"

struct batch;
struct clock;
struct loop;
struct wake;

/* Of events in one batch: what a failing store may hold in memory. */
#define BATCH_BYTES_MAX (16u * 1024 * 1024)

struct batch_options {
	struct loop *loop;
	struct turn *turn;
	struct clock *clock;
	struct wake *wake;
	const char *name; /* for the log */
	/* All is on disk; batch_verdict() tells what became of each. The batch is empty
	 * afterwards. */
	void (*committed)(void *owner, int64_t us);
	/* true: the store fails, read no more; false: go on. */
	void (*held)(void *owner, bool held);
	void *owner;
};

int batch_create(const struct batch_options *options, struct batch **out,
		 struct lk_error *err) LK_MUST_CHECK;
void batch_destroy(struct batch *batch); /* NULL-safe */

/* An input; the bytes are copied. Returns its place, or LK_EMEMORY. May only be called while
 * there is room. */
struct batch_input {
	struct lk_text source;
	const void *bytes;
	size_t len;
	bool has_outbox_seq;
	uint8_t epoch[LK_DIGEST];
	int64_t seq;
	int64_t number; /* as in struct turn_event */
};
int batch_add(struct batch *batch, const struct batch_input *input) LK_MUST_CHECK;
size_t batch_count(const struct batch *batch);
bool batch_is_full(const struct batch *batch);
bool batch_is_held(const struct batch *batch);
/* Tries now. What follows comes by `committed` or `held`, possibly before this returns. Nothing
 * to do: nothing. */
void batch_commit(struct batch *batch);
/* Valid inside `committed`. */
const struct turn_verdict *batch_verdict(const struct batch *batch, size_t i);

#endif
