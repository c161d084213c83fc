/* turn.c - the life of a batch: begin, admit, commit, tell.
 *
 * In: admitted inputs. Out: rows, then what the sink is told.
 * Promise: all of a batch is committed or none is; running it twice changes nothing; nobody hears
 * of what is not on disk.
 */
#include "turn_parts.h"

#include <stdlib.h>
#include <string.h>

/* ---- Making and unmaking --------------------------------------------------------------------- */

int turn_create(const struct turn_options *options, struct turn **out, struct lk_error *err)
{
	struct turn *t = calloc(1, sizeof(*t));
	*out = NULL;
	if (t == NULL)
		return lk_fail(err, LK_EMEMORY, "no memory for the turn");
	t->store = options->store;
	t->policy = options->policy;
	t->sink = options->sink;
	t->replay_window_us = options->replay_window_us;
	t->wake_at = LK_NO_INSTANT;
	t->families_most = TURN_FAMILIES_MAX;
	t->fill_most = TURN_FILL_FIRST;
	t->homes_most = HOMES_BYTES;
	int rc = sources_copy(t, options, err);
	if (rc >= 0)
		rc = tally_load(t, err);
	if (rc >= 0)
		rc = store_value_get(t->store, "touched", &t->touched, err);
	if (rc >= 0)
		rc = revision_set(t, err);
	if (rc >= 0)
		rc = time_recall(t, err);
	if (rc >= 0)
		rc = waiting_recall(t, err);
	if (rc < 0) {
		turn_destroy(t);
		return rc;
	}
	*out = t;
	return 0;
}

void turn_destroy(struct turn *turn)
{
	if (turn == NULL)
		return;
	reader_stop(turn);
	homes_forget(turn);
	free(turn->sources);
	free(turn->grown);
	free(turn->tally.made);
	packers_free(turn);
	lk_bytes_free(&turn->each);
	lk_bytes_free(&turn->bodies);
	free(turn->handed);
	free(turn->answered);
	free(turn);
}

/* ---- One transaction ------------------------------------------------------------------------- */

/* Workers' ids differ most at their ends. */
static uint32_t *grown_bucket(struct turn *t, struct lk_text worker)
{
	uint32_t hash = worker.len;
	for (uint32_t i = worker.len > 8 ? worker.len - 8 : 0; i < worker.len; i++)
		hash = hash * 31 + (uint8_t)worker.at[i];
	return &t->grown_at[hash % GROWN_BUCKETS];
}

int note_grown(struct turn *t, struct lk_text worker, int64_t seq, struct lk_error *err)
{
	uint32_t *bucket = grown_bucket(t, worker);
	for (uint32_t i = *bucket; i > 0; i = t->grown[i - 1].next) {
		if (!lk_text_says(worker, t->grown[i - 1].worker))
			continue;
		t->grown[i - 1].seq = seq;
		return 0;
	}
	struct grown *wider = vector_grown(t->grown, t->grown_n, &t->grown_room, sizeof(*wider));
	if (wider == NULL)
		return lk_fail(err, LK_EMEMORY, "no memory to remember who is told");
	t->grown = wider;
	struct grown *g = &t->grown[t->grown_n++];
	memset(g, 0, sizeof(*g));
	memcpy(g->worker, worker.at,
	       worker.len < sizeof(g->worker) - 1 ? worker.len : sizeof(g->worker) - 1);
	g->seq = seq;
	g->next = *bucket;
	*bucket = t->grown_n;
	return 0;
}

static void forget_grown(struct turn *t)
{
	t->grown_n = 0;
	memset(t->grown_at, 0, sizeof(t->grown_at));
}

void turn_undo(struct turn *t)
{
	store_rollback(t->store);
	homes_forget(t);
	forget_grown(t);
	t->answered_n = 0;
	tally_undo(t);
	silence_undo(t);
	lk_bytes_clear(&t->each);
	t->stream.source = LK_NO_TEXT;
	t->is_told_by_events = false;
}

static void tell_each(struct turn *t)
{
	size_t at = 0;
	while (at < t->each.len) {
		size_t len;
		memcpy(&len, t->each.at + at, sizeof(len));
		t->sink.each(t->sink.context, t->each.at + at + sizeof(len), len);
		at += sizeof(len) + len;
	}
	lk_bytes_clear(&t->each);
}

/* From here on it is true. */
static void tell_sink(struct turn *t)
{
	lk_instant wake_at = turn_next_wake(t);
	tell_each(t);
	tally_tell(t);
	for (uint32_t i = 0; i < t->grown_n && t->sink.told != NULL; i++)
		t->sink.told(t->sink.context, lk_text_of(t->grown[i].worker), t->grown[i].seq);
	for (uint32_t i = 0; i < t->answered_n && t->sink.answered != NULL; i++)
		t->sink.answered(t->sink.context, lk_text_of(t->answered[i].worker),
				 t->answered[i].notice, lk_text_of(t->answered[i].worker),
				 t->answered[i].at);
	forget_grown(t);
	t->answered_n = 0;
	if (wake_at != t->wake_at && t->sink.wake != NULL)
		t->sink.wake(t->sink.context, wake_at);
	t->wake_at = wake_at;
}

int turn_commit(struct turn *t, struct lk_error *err)
{
	bool is_kept = is_time_kept(t);
	int rc = stream_flush(t, err);
	if (rc >= 0)
		rc = homes_flush_last(t, err);
	if (rc >= 0)
		rc = tally_flush(t, err);
	if (rc >= 0 && !is_kept)
		rc = time_keep(t, err);
	if (rc >= 0)
		rc = waiting_keep(t, err);
	if (rc >= 0)
		rc = store_commit(t->store, err);
	if (rc < 0) {
		turn_undo(t);
		return rc;
	}
	if (!is_kept)
		time_was_kept(t);
	waiting_was_kept(t);
	t->is_told_by_events = false;
	t->commits++;
	silence_keep(t);
	homes_trim(t);
	tell_sink(t);
	return 0;
}

/* ---- Events ---------------------------------------------------------------------------------- */

static bool all_applied(const struct turn_verdict *verdicts, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (verdicts[i].outcome != TURN_APPLIED)
			return false;
	return n > 0;
}

int turn_events(struct turn *t, lk_instant now, const struct turn_event *events, size_t n,
		struct turn_verdict *verdicts, struct lk_error *err)
{
	int rc = store_begin(t->store, err);
	if (rc < 0)
		return rc;
	time_advance(t, now);
	rc = waiting_look(t, t->now, err); /* passes rest where the clock is suspect */
	t->is_taking = true;
	reader_begin(t, events, n);
	for (size_t i = 0; rc >= 0 && i < n; i++)
		rc = admit(t, &events[i], reader_take(t, events, i), t->now, &verdicts[i], err);
	reader_end(t);
	t->is_taking = false;
	hand_drop(t);
	if (rc >= 0)
		rc = silence_settle(t, t->now, err);
	if (rc < 0) {
		turn_undo(t);
		return rc;
	}
	t->is_told_by_events = all_applied(verdicts, n);
	return turn_commit(t, err);
}

/* What the outbox has forgotten cannot be asked for: the range is recorded as lost. */
static int skip_gap(struct turn *t, struct stored_stream *stream, int64_t first,
		    struct lk_error *err)
{
	int rc = store_begin(t->store, err);
	if (rc < 0)
		return rc;
	lk_instant at = t->now != LK_NO_INSTANT ? t->now : 0;
	rc = store_gap_add(t->store, stream->source, stream->epoch, stream->next, first - 1, at,
			   err);
	stream->missing = first - stream->next;
	stream->next = first;
	if (rc >= 0)
		rc = store_stream_put(t->store, stream, err);
	if (rc >= 0)
		return turn_commit(t, err);
	turn_undo(t);
	return rc;
}

/* What the outbox does not know to be settled is asked for again. Its acknowledgement was lost: then the stored verdicts
 * are told. Or the outbox is an old copy that has given these numbers to other events: then they must not pass for those
 * that are here. A copy whose numbers do not reach as far as ours is told `next` itself, which says so at once. */
static int64_t wanted_of(const struct stored_stream *stream, int64_t first, int64_t last,
			 int64_t acked)
{
	int64_t unsettled = acked + 1 > first ? acked + 1 : first;
	return stream->next > last + 1 || stream->next < unsettled ? stream->next : unsettled;
}

/* It was acknowledged more than is here, and neither a rebuild nor a restore lies between: this is an older copy of the
 * store. Its mailboxes give places that readers have seen to other notices, so they begin anew. Once a start: a store
 * changes places only where nobody holds it. Of an outbox that is not known nothing follows, neither now nor when it comes
 * again before all of it is here. */
static int renew_if_old(struct turn *t, struct stored_stream *stream, bool is_known, int64_t acked,
			struct lk_error *err)
{
	int64_t said = STORE_LAG_ANY;
	int rc = is_known ? store_lag_get(t->store, stream, &said, err) : 0;
	bool is_expected = said == STORE_LAG_ANY;
	if (rc < 0 || (!is_expected && (acked < stream->next || acked <= said)))
		return rc;
	bool shows_old = !is_expected && !t->is_renewed;
	rc = store_lag_put(t->store, stream, acked, shows_old, err);
	if (rc < 0)
		return rc;
	stream->shows_old = shows_old;
	t->is_renewed |= shows_old;
	return 0;
}

int turn_subscribe(struct turn *t, struct lk_text source, const uint8_t epoch[LK_DIGEST],
		   int64_t first, int64_t last, int64_t acked, struct stored_stream *out,
		   dead_letter_visitor *refused, void *context, struct lk_error *err)
{
	int rc = store_stream_get(t->store, source, epoch, out, err);
	if (rc < 0)
		return rc;
	if (rc == 0)
		*out = (struct stored_stream){ .next = 1 };
	out->source = source;
	out->missing = 0;
	out->shows_old = false;
	memcpy(out->epoch, epoch, LK_DIGEST);
	rc = rc > 0 || acked > 0 ? renew_if_old(t, out, rc > 0, acked, err) : 0;
	bool is_gap = first > out->next && last + 1 >= out->next;
	if (rc == 0 && is_gap)
		rc = skip_gap(t, out, first, err);
	out->wanted = wanted_of(out, first, last, acked);
	return rc < 0 ? rc
		      : store_stream_refusals(t->store, source, epoch, acked, out->wanted, refused,
					      context, err);
}

int turn_safe(struct turn *t, struct lk_text source, const uint8_t epoch[LK_DIGEST], int64_t *safe,
	      struct lk_error *err)
{
	struct stored_stream stream;
	int rc = store_stream_get(t->store, source, epoch, &stream, err);
	if (rc > 0)
		*safe = stream.safe;
	return rc;
}

int64_t turn_let_go(const struct turn *t)
{
	return store_let_go(t->store);
}

int turn_touch(struct turn *t, lk_instant now, struct lk_error *err)
{
	int64_t read = 0;
	int rc = store_begin(t->store, err);
	if (rc < 0)
		return rc;
	time_advance(t, now);
	/* Another value each time: SQLite writes no page that says what it said before. */
	rc = store_value_put(t->store, "touched", ++t->touched, err);
	if (rc >= 0)
		rc = waiting_beat(t, err);
	if (rc < 0) {
		turn_undo(t);
		return rc;
	}
	rc = turn_commit(t, err);
	if (rc >= 0)
		rc = store_value_get(t->store, "touched", &read, err);
	if (rc >= 0 && read != t->touched)
		rc = lk_fail(err, LK_ESTORE,
			     "the store gives back something other than it was given");
	return rc < 0 ? rc : 0;
}

int turn_policy(struct turn *t, const struct policy *policy, struct lk_error *err)
{
	const struct policy *before = t->policy;
	t->policy = policy;
	int rc = revision_set(t, err);
	if (rc < 0) {
		t->policy = before;
		return rc;
	}
	silence_keep(t);
	homes_forget(t);
	return 0;
}
