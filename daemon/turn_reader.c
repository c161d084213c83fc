/* turn_reader.c - events are read by a thread before the loop comes to them; and notices encoded.
 *
 * In: the events of a batch. Out: of each what follows from it alone: decoded or refused, and packed for its row; and what the
 * store knows of its family, where families are often not in memory (store/ahead.c).
 * Promise: what the loop is given is the same, whoever has read it. It waits for nobody while it takes events: what the
 * thread has not finished, it reads itself.
 *
 * The thread looks at events' bytes, at the agencies of sources, at the store's vocabulary and at what was committed, none of
 * which changes while a batch is taken. It writes into readings that the loop has left behind, and into no others: a reading
 * says whose it is when it is finished. Where there is nothing to read it encodes notices that were told (store/encoding.c).
 * At the end of a transaction the two share work in pieces: then the loop does wait, for the pieces that the thread has begun.
 */
#include "turn_parts.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* So many are read before the thread looks where the loop is, and it is so far ahead at most. Fewer than LEAST are as soon
 * taken as the thread is woken. */
#define BITE 32u
#define READINGS 128u
#define LEAST 32u
/* Where the loop overtakes it, it goes on so many events farther on: what it has not finished when the loop comes was for
 * nothing. */
#define LEAD 4u
/* Families are read ahead, too, while one in so many events is of a family that is not in memory. */
#define RARE 8u

struct reader {
	struct turn *turn;
	pthread_t thread;
	pthread_mutex_t
		mutex; /* of what follows, but that only the loop writes, which need not ask to read it */
	pthread_cond_t changed;
	const struct turn_event *events; /* of the batch */
	size_t n;                        /* 0: there is none */
	size_t taken;                    /* the loop is done with those before */
	bool ends;
	bool is_asked; /* to share, and has not begun */
	bool is_sharing;
	bool looks_ahead;             /* at families, in this batch */
	atomic_bool is_over;          /* nobody waits for the rest of the batch */
	size_t was_n;                 /* of the batch before */
	uint64_t reads;               /* of families, before this one */
	uint64_t first;               /* the batch's, counted from the first of all */
	atomic_uint_fast64_t resumes; /* counted likewise: the loop reads those before */
	/* The thread's: */
	size_t next;
	bool is_reading;
	struct {
		atomic_uint_fast64_t whose; /* counted likewise, from 1 */
		struct event_reading reading;
	} ring[READINGS];
};

/* ---- One event ------------------------------------------------------------------------------- */

struct stored_event reading_row(const struct turn_event *in, const struct lk_event *e,
				struct lk_span canonical, lk_instant now)
{
	struct stored_event row = {
		.agency = (int)e->agency,
		.source = e->source,
		.id = e->id,
		.number = e->subject,
		.supersedes = e->supersedes,
		.type = (int)e->type,
		.time_at = e->time.at,
		.received_at = now,
		.has_sequence = e->has_sequence,
		.sequence = e->sequence,
		.has_outbox_seq = in->has_outbox_seq,
		.outbox_seq = in->seq,
		.ahead = e->time.at > now,
		.body = canonical.at,
		.body_len = canonical.len,
	};
	memcpy(row.epoch, in->epoch, LK_DIGEST);
	return row;
}

static void read_event(struct turn *t, const struct turn_event *in, struct event_reading *out)
{
	memset(&out->refused, 0, sizeof(out->refused));
	out->is_packed = false;
	out->is_read = lk_event_decode(in->bytes, in->len, turn_agency_of, t, &out->event,
				       &out->refused) == 0;
}

/* Where there is no memory the loop tries it anew, and says so. */
static void pack(const struct turn *t, const struct turn_event *in, struct event_reading *out)
{
	struct stored_event row =
		reading_row(in, &out->event, lk_span_of(in->bytes, in->len), t->now);
	out->is_packed = store_event_pack(t->store, &row, &out->packed, NULL) == 0;
}

/* ---- In the thread --------------------------------------------------------------------------- */

/* Most of what a family that is not in memory costs is asking for it. */
static void foresee(struct reader *r, size_t slot, struct event_reading *out)
{
	out->is_foreseen = r->looks_ahead && out->is_read;
	if (out->is_foreseen)
		store_ahead_read(r->turn->store, slot,
				 (struct case_key){ (int)out->event.agency, out->event.subject });
}

static void read_bite(struct reader *r, size_t from, size_t end)
{
	for (size_t i = from; i < end && !atomic_load(&r->is_over); i++) {
		struct event_reading *out = &r->ring[i % READINGS].reading;
		if (r->first + i < atomic_load_explicit(&r->resumes, memory_order_relaxed))
			continue;
		read_event(r->turn, &r->events[i], out);
		if (out->is_read && out->event.is_canonical)
			pack(r->turn, &r->events[i], out);
		foresee(r, i % READINGS, out);
		atomic_store_explicit(&r->ring[i % READINGS].whose, r->first + i,
				      memory_order_release);
	}
}

static void read_on(struct reader *r, size_t from)
{
	size_t end = from + BITE < r->n ? from + BITE : r->n;
	r->next = end;
	r->is_reading = true;
	(void)pthread_mutex_unlock(&r->mutex);
	read_bite(r, from, end);
	(void)pthread_mutex_lock(&r->mutex);
	r->is_reading = false;
	(void)pthread_cond_broadcast(&r->changed);
}

/* So many at a time: the other may have to wait for them. */
#define PIECES 4u

static void share_take(struct turn *t, int by)
{
	struct shared *s = &t->shared;
	size_t i, end;
	while ((i = atomic_fetch_add(&s->next, PIECES)) < s->n)
		for (end = i + PIECES < s->n ? i + PIECES : s->n; i < end; i++)
			s->piece(t, by, i);
}

static void share_on(struct reader *r)
{
	r->is_asked = false;
	r->is_sharing = true;
	(void)pthread_mutex_unlock(&r->mutex);
	share_take(r->turn, BY_THREAD);
	(void)pthread_mutex_lock(&r->mutex);
	r->is_sharing = false;
	(void)pthread_cond_broadcast(&r->changed);
}

static void encode_on(struct reader *r)
{
	(void)pthread_mutex_unlock(&r->mutex);
	store_encode_some(r->turn->store);
	(void)pthread_mutex_lock(&r->mutex);
}

static void *run(void *context)
{
	struct reader *r = context;
	(void)pthread_mutex_lock(&r->mutex);
	while (!r->ends) {
		size_t from = r->next > r->taken ? r->next : r->taken;
		if (from < r->n && from + BITE <= r->taken + READINGS)
			read_on(r, from);
		else if (r->is_asked)
			share_on(r);
		else if (store_encoding_waits(r->turn->store))
			encode_on(r);
		else
			(void)pthread_cond_wait(&r->changed, &r->mutex);
	}
	(void)pthread_mutex_unlock(&r->mutex);
	return NULL;
}

/* ---- In the loop ----------------------------------------------------------------------------- */

/* As many as there were in the batch before. */
static void looks_ahead(struct reader *r, size_t n)
{
	uint64_t reads = store_family_reads(r->turn->store);

	r->looks_ahead = (reads - r->reads) * RARE >= r->was_n;
	r->reads = reads;
	r->was_n = n;
}

void reader_begin(struct turn *t, const struct turn_event *events, size_t n)
{
	struct reader *r = t->reader;
	if (r == NULL || n < LEAST)
		return;
	(void)pthread_mutex_lock(&r->mutex);
	r->events = events;
	r->n = n;
	r->taken = r->next = 0;
	atomic_store(&r->is_over, false);
	looks_ahead(r, n);
	(void)pthread_cond_broadcast(&r->changed);
	(void)pthread_mutex_unlock(&r->mutex);
}

static void come_to(struct reader *r, size_t i)
{
	(void)pthread_mutex_lock(&r->mutex);
	r->taken = i;
	(void)pthread_cond_broadcast(&r->changed);
	(void)pthread_mutex_unlock(&r->mutex);
}

static const struct event_reading *take(const struct reader *r, size_t slot)
{
	const struct event_reading *reading = &r->ring[slot].reading;

	if (reading->is_foreseen)
		store_ahead_use(r->turn->store, slot);
	else
		store_ahead_leave(r->turn->store);
	return reading;
}

/* One that was left to it is no reason to go farther on once more. */
static void overtake(struct reader *r, size_t i)
{
	if (atomic_load_explicit(&r->resumes, memory_order_relaxed) <= r->first + i)
		atomic_store_explicit(&r->resumes, r->first + i + LEAD, memory_order_relaxed);
}

const struct event_reading *reader_take(struct turn *t, const struct turn_event *events, size_t i)
{
	struct reader *r = t->reader;
	bool has_thread = r != NULL && r->n > 0;
	if (has_thread && i % BITE == 0)
		come_to(r, i);
	if (has_thread && atomic_load_explicit(&r->ring[i % READINGS].whose,
					       memory_order_acquire) == r->first + i)
		return take(r, i % READINGS);
	if (has_thread)
		overtake(r, i);
	store_ahead_leave(t->store);
	read_event(t, &events[i], &t->reading);
	return &t->reading;
}

/* Waits for what the thread has begun: one event, and its family where that is read ahead, if a batch failed or the loop came
 * to its end first. The caller takes the events away. */
void reader_end(struct turn *t)
{
	struct reader *r = t->reader;
	if (r == NULL || r->n == 0)
		return;
	store_ahead_leave(t->store);
	atomic_store(&r->is_over, true);
	(void)pthread_mutex_lock(&r->mutex);
	size_t n = r->n;
	r->n = 0;
	while (r->is_reading)
		(void)pthread_cond_wait(&r->changed, &r->mutex);
	r->first += n;
	(void)pthread_cond_broadcast(&r->changed); /* what was told last waits to be encoded */
	(void)pthread_mutex_unlock(&r->mutex);
}

void reader_share(struct turn *t, shared_piece *piece, size_t n)
{
	struct reader *r = t->reader;
	t->shared.piece = piece;
	t->shared.n = n;
	atomic_store(&t->shared.next, 0);
	if (r == NULL || n < SHARED_LEAST)
		return;
	(void)pthread_mutex_lock(&r->mutex);
	r->is_asked = true;
	(void)pthread_cond_broadcast(&r->changed);
	(void)pthread_mutex_unlock(&r->mutex);
}

/* What the thread has taken is all it waits for. */
void reader_join(struct turn *t)
{
	struct reader *r = t->reader;
	share_take(t, BY_LOOP);
	if (r == NULL || t->shared.n < SHARED_LEAST)
		return;
	(void)pthread_mutex_lock(&r->mutex);
	r->is_asked = false;
	while (r->is_sharing)
		(void)pthread_cond_wait(&r->changed, &r->mutex);
	(void)pthread_mutex_unlock(&r->mutex);
}

/* ---- Life ------------------------------------------------------------------------------------ */

/* Signals are the loop's. */
static int thread_start(struct reader *r, struct lk_error *err)
{
	sigset_t all, before;
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	int rc = pthread_create(&r->thread, NULL, run, r);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc != 0)
		return lk_fail(err, LK_EMEMORY, "no thread to read events: %s", strerror(rc));
	(void)pthread_setname_np(r->thread, "reader");
	return 0;
}

static void reader_free(struct reader *r)
{
	for (size_t i = 0; i < READINGS; i++)
		lk_bytes_free(&r->ring[i].reading.packed.body);
	store_ahead_close(r->turn->store);
	(void)pthread_cond_destroy(&r->changed);
	(void)pthread_mutex_destroy(&r->mutex);
	free(r);
}

int turn_start_reader(struct turn *t, struct lk_error *err)
{
	struct reader *r = calloc(1, sizeof(*r));
	if (r == NULL)
		return lk_fail(err, LK_EMEMORY, "no memory to read events beside the loop");
	r->turn = t;
	r->first = 1;
	(void)pthread_mutex_init(&r->mutex, NULL);
	(void)pthread_cond_init(&r->changed, NULL);
	int rc = store_ahead_open(t->store, READINGS, err);
	if (rc >= 0)
		rc = store_encoding_begin(t->store, err);
	if (rc >= 0 && (rc = thread_start(r, err)) < 0)
		store_encoding_end(t->store);
	if (rc < 0)
		reader_free(r);
	else
		t->reader = r;
	return rc;
}

void reader_stop(struct turn *t)
{
	struct reader *r = t->reader;
	if (r == NULL)
		return;
	(void)pthread_mutex_lock(&r->mutex);
	r->ends = true;
	(void)pthread_cond_broadcast(&r->changed);
	(void)pthread_mutex_unlock(&r->mutex);
	(void)pthread_join(r->thread, NULL);
	store_encoding_end(t->store);
	reader_free(r);
	t->reader = NULL;
}
