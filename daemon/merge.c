/* merge.c - who is behind goes first.
 *
 * In: events as they come, of several outboxes. Out: the order in which commits take them. Promise: by time, as far as what waits
 * here tells it, and a few in a row; each outbox in its own order; nobody is passed over for long.
 *
 * Outboxes are a handful, so they are looked through for each event.
 */
#include "merge.h"

#include <stdlib.h>
#include <string.h>

/* Also what is around it: events of a byte each would else take many times the memory that they are counted for. */
static size_t size_of(size_t len)
{
	return sizeof(struct merge_event) + len;
}

int merge_add(struct merge *merge, struct merge_queue *queue, int64_t seq, lk_instant time,
	      const void *bytes, size_t len)
{
	struct merge_event *event = malloc(size_of(len));

	if (event == NULL)
		return LK_EMEMORY;
	*event = (struct merge_event){ .seq = seq, .time = time, .len = len };
	if (len > 0)
		memcpy(event->bytes, bytes, len);
	if (queue->n++ > 0) {
		queue->last->next = event;
	} else {
		queue->first = event;
		queue->passed = 0;
		queue->next = merge->waiting;
		merge->waiting = queue;
	}
	queue->last = event;
	merge->bytes += size_of(len);
	return 0;
}

bool merge_is_full(const struct merge *merge)
{
	return merge->bytes >= MERGE_BYTES_MAX;
}

void merge_begin(struct merge *merge)
{
	bool alone = merge->waiting == NULL || merge->waiting->next == NULL;

	for (struct merge_queue *q = merge->waiting; q != NULL; q = q->next)
		q->left = alone || !q->is_pressed ? q->n : (q->n + 1) / 2;
}

static bool is_overdue(const struct merge_queue *queue)
{
	return queue->passed >= MERGE_PASSED_MOST;
}

static bool goes_on(const struct merge *merge, const struct merge_queue *queue)
{
	return queue == merge->going && queue->left > 0;
}

static bool goes_before(const struct merge *merge, const struct merge_queue *a,
			const struct merge_queue *b)
{
	if (is_overdue(a) || is_overdue(b))
		return a->passed > b->passed;
	if (goes_on(merge, a) || goes_on(merge, b))
		return goes_on(merge, a);
	if (a->first->time != b->first->time)
		return a->first->time < b->first->time;
	return strcmp(a->source, b->source) < 0;
}

struct merge_queue *merge_next(const struct merge *merge)
{
	struct merge_queue *next = merge->waiting;

	for (struct merge_queue *q = next; q != NULL; q = q->next)
		if (goes_before(merge, q, next))
			next = q;
	return next != NULL && next->left > 0 ? next : NULL;
}

static void leave(struct merge *merge, struct merge_queue *queue)
{
	struct merge_queue **at = &merge->waiting;

	while (*at != queue)
		at = &(*at)->next;
	*at = queue->next;
	queue->is_pressed = false;
	if (merge->going == queue)
		merge->going = NULL;
}

static void drop_first(struct merge *merge, struct merge_queue *queue)
{
	struct merge_event *event = queue->first;

	queue->first = event->next;
	merge->bytes -= size_of(event->len);
	free(event);
	if (--queue->n == 0)
		leave(merge, queue);
}

void merge_take(struct merge *merge, struct merge_queue *queue)
{
	merge->going = is_overdue(queue) ? NULL : queue;
	for (struct merge_queue *q = merge->waiting; q != NULL; q = q->next)
		q->passed++;
	queue->passed = 0;
	queue->left--;
	drop_first(merge, queue);
}

void merge_clear(struct merge *merge, struct merge_queue *queue)
{
	while (queue->n > 0)
		drop_first(merge, queue);
}
