/* turn.c - the life of a batch: begin, admit, commit, tell; and the passing of time.
 *
 * In: admitted inputs and instants. Out: rows, then what the sink is told.
 * Promise: all of a batch is committed or none is; running it twice changes nothing; nobody hears
 * of what is not on disk.
 */
#include "turn_parts.h"

#include <stdlib.h>
#include <string.h>

/* ---- Making and unmaking --------------------------------------------------------------------- */

static int copy_sources(struct turn *t, const struct turn_options *o, struct lk_error *err)
{
	t->sources = calloc(o->sources_n + 1, sizeof(*t->sources));
	if (t->sources == NULL)
		return lk_fail(err, LK_EMEMORY, "no memory for %zu sources", o->sources_n);
	t->sources_n = o->sources_n;
	for (size_t i = 0; i < o->sources_n; i++) {
		struct source_state *s = &t->sources[i];
		s->source = o->sources[i];
		s->heard_at = LK_NO_INSTANT;
		int rc = store_heard_get(t->store, lk_text_of(s->source.name), &s->heard_at, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* Events that came after the time was written last say when they did. */
static void recall_event(void *context, struct lk_text source, lk_instant received_at)
{
	struct turn *t = context;
	if (received_at > t->now)
		t->now = received_at;
	turn_heard(t, source, received_at);
}

/* Families remember under what they were derived: the policy, and how often a silence that held
 * them back has ended. */
static int set_revision(struct turn *t, struct lk_error *err)
{
	struct {
		uint8_t policy[LK_DIGEST];
		int64_t spoken;
	} both = { .spoken = 0 };
	memcpy(both.policy, t->policy->revision, LK_DIGEST);
	int rc = store_value_get(t->store, STORE_FAMILIES_ANEW, &both.spoken, err);
	if (rc < 0)
		return rc;
	lk_digest(&both, sizeof(both), NULL, t->revision);
	t->is_behind = true; /* the first pass finds out */
	rc = store_value_get(t->store, STORE_LINKS_BY, &t->links_by, err);
	if (rc == 0) /* a new store has no links yet */
		t->links_by = (int64_t)t->policy->links_automatic;
	return rc < 0 ? rc : 0;
}

static lk_instant silent_at(const struct turn *t, const struct source_state *s)
{
	if (!s->source.watched || s->heard_at == LK_NO_INSTANT)
		return LK_NO_INSTANT;
	struct duration silence =
		dated_on(&t->policy->feeds_silence, zone_date(&t->policy->zone, s->heard_at));
	return s->heard_at + silence.n * LK_HOUR;
}

static bool is_silent(const struct turn *t, const struct source_state *s, lk_instant now)
{
	lk_instant at = silent_at(t, s);
	return at != LK_NO_INSTANT && at <= now;
}

/* What is so from now on. */
static void keep_silence(struct turn *t)
{
	for (size_t i = 0; i < t->sources_n; i++)
		t->sources[i].was_silent = t->sources[i].is_silent;
	memcpy(t->committed, t->revision, LK_DIGEST);
}

/* A silence whose beginning or end was rolled back is yet to begin or end. */
static void undo_silence(struct turn *t)
{
	for (size_t i = 0; i < t->sources_n; i++) {
		t->sources[i].is_silent = t->sources[i].was_silent;
		t->sources[i].number = t->sources[i].kept_number;
	}
	memcpy(t->revision, t->committed, LK_DIGEST);
	t->feeds_due = true;
}

/* Who was silent when the store was left is so until heard: what that held back is to be let go then. */
static int recall_now(struct turn *t, struct lk_error *err)
{
	t->now = LK_NO_INSTANT;
	int rc = store_now_get(t->store, &t->now, recall_event, t, err);
	t->kept_at = LK_NO_INSTANT;
	for (size_t i = 0; rc >= 0 && i < t->sources_n; i++)
		t->sources[i].is_silent = is_silent(t, &t->sources[i], t->now);
	t->feeds_due = true;
	keep_silence(t);
	return rc < 0 ? rc : 0;
}

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
	int rc = copy_sources(t, options, err);
	if (rc >= 0)
		rc = tally_load(t, err);
	if (rc >= 0)
		rc = store_value_get(t->store, "touched", &t->touched, err);
	if (rc >= 0)
		rc = set_revision(t, err);
	if (rc >= 0)
		rc = recall_now(t, err);
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
	homes_forget(turn);
	free(turn->sources);
	free(turn->grown);
	free(turn->tally.made);
	lk_bytes_free(&turn->state);
	lk_bytes_free(&turn->told);
	lk_bytes_free(&turn->each);
	free(turn->answered);
	free(turn);
}

int turn_agency_of(void *turn, struct lk_text source)
{
	const struct turn *t = turn;
	for (size_t i = 0; i < t->sources_n; i++)
		if (lk_text_says(source, t->sources[i].source.name))
			return t->sources[i].source.agency;
	return LK_NO_CODE;
}

/* ---- One transaction ------------------------------------------------------------------------- */

/* Of a worker's id its end tells most. */
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
	undo_silence(t);
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

static int keep_source(struct turn *t, const struct source_state *s, struct lk_error *err)
{
	struct lk_text name = lk_text_of(s->source.name);
	int rc = 0;
	if (s->heard_at != LK_NO_INSTANT)
		rc = store_heard_put(t->store, name, s->heard_at, err);
	if (rc >= 0 && s->number != s->kept_number)
		rc = store_sequence_put(t->store, name, s->number, err);
	return rc;
}

/* Time, when each source was heard, and to what number: within the transaction. */
static int keep_time(struct turn *t, struct lk_error *err)
{
	int rc = store_now_put(t->store, t->now, err);
	for (size_t i = 0; rc >= 0 && i < t->sources_n; i++)
		rc = keep_source(t, &t->sources[i], err);
	return rc;
}

static void time_is_kept(struct turn *t)
{
	t->kept_at = t->now;
	for (size_t i = 0; i < t->sources_n; i++)
		t->sources[i].kept_number = t->sources[i].number;
}

/* Events that were applied say in their rows when they came: beside them a page with the time is written once a second
 * and not for each. */
static bool is_time_kept(const struct turn *t)
{
	return t->is_told_by_events && t->kept_at != LK_NO_INSTANT &&
	       t->now - t->kept_at < LK_SECOND;
}

int turn_commit(struct turn *t, struct lk_error *err)
{
	bool is_kept = is_time_kept(t);
	int rc = stream_flush(t, err);
	if (rc >= 0)
		rc = homes_flush(t, err);
	if (rc >= 0)
		rc = tally_flush(t, err);
	if (rc >= 0 && !is_kept)
		rc = keep_time(t, err);
	if (rc >= 0)
		rc = store_commit(t->store, err);
	if (rc < 0) {
		turn_undo(t);
		return rc;
	}
	if (!is_kept)
		time_is_kept(t);
	t->is_told_by_events = false;
	t->commits++;
	keep_silence(t);
	homes_trim(t);
	tell_sink(t);
	return 0;
}

static void advance(struct turn *t, lk_instant now)
{
	if (t->now == LK_NO_INSTANT || now > t->now)
		t->now = now;
}

/* ---- Silence --------------------------------------------------------------------------------- */

static struct source_state *source_named(struct turn *t, struct lk_text name)
{
	for (size_t i = 0; i < t->sources_n; i++)
		if (lk_text_says(name, t->sources[i].source.name))
			return &t->sources[i];
	return NULL;
}

void turn_heard(struct turn *t, struct lk_text source, lk_instant now)
{
	struct source_state *s = source_named(t, source);
	if (s != NULL && (s->heard_at == LK_NO_INSTANT || now > s->heard_at))
		s->heard_at = now;
}

int turn_sequence(struct turn *t, struct lk_text source, int64_t most, int64_t *out,
		  struct lk_error *err)
{
	return store_sequence_last(t->store, source, most, out, err);
}

void turn_numbered(struct turn *t, struct lk_text source, int64_t number)
{
	struct source_state *s = source_named(t, source);
	if (s != NULL && number > s->number)
		s->number = number;
}

void turn_watch(struct turn *t, struct lk_text source, bool watched)
{
	struct source_state *s = source_named(t, source);
	if (s != NULL)
		s->source.watched = watched;
}

bool turn_hearing(const struct turn *t, size_t i, struct turn_hearing *out)
{
	if (i >= t->sources_n)
		return false;
	const struct source_state *s = &t->sources[i];
	*out = (struct turn_hearing){ s->source.name, s->source.watched, s->is_silent,
				      s->heard_at };
	return true;
}

/* A silence that ends lets go what it held back: every family is derived again, as after a change
 * of policy. */
static int note_spoken(struct turn *t, struct lk_error *err)
{
	int64_t spoken = 0;
	int rc = store_value_get(t->store, STORE_FAMILIES_ANEW, &spoken, err);
	if (rc >= 0)
		rc = store_value_put(t->store, STORE_FAMILIES_ANEW, spoken + 1, err);
	return rc < 0 ? rc : set_revision(t, err);
}

/* Within a transaction: what has begun or ended to be silent by now. */
static int settle_silence(struct turn *t, lk_instant now, struct lk_error *err)
{
	bool changed = t->feeds_due, spoke = false;
	for (size_t i = 0; i < t->sources_n; i++) {
		struct source_state *s = &t->sources[i];
		bool silent = is_silent(t, s, now);
		changed |= silent != s->is_silent;
		spoke |= s->is_silent && !silent;
		s->is_silent = silent;
	}
	int rc = spoke ? note_spoken(t, err) : 0;
	if (rc >= 0 && changed)
		rc = feeds_settle(t, now, err);
	t->feeds_due = rc < 0;
	return rc;
}

static lk_instant next_silence(const struct turn *t)
{
	lk_instant next = LK_NO_INSTANT;
	for (size_t i = 0; i < t->sources_n; i++) {
		lk_instant at =
			t->sources[i].is_silent ? LK_NO_INSTANT : silent_at(t, &t->sources[i]);
		if (at != LK_NO_INSTANT && (next == LK_NO_INSTANT || at < next))
			next = at;
	}
	return next;
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
	advance(t, now);
	rc = waiting_look(t, t->now, err); /* passes rest where the clock is suspect */
	t->is_taking = true;
	for (size_t i = 0; rc >= 0 && i < n; i++)
		rc = admit(t, &events[i], t->now, &verdicts[i], err);
	t->is_taking = false;
	hand_drop(t);
	if (rc >= 0)
		rc = settle_silence(t, t->now, err);
	if (rc < 0) {
		turn_undo(t);
		return rc;
	}
	t->is_told_by_events = all_applied(verdicts, n);
	return turn_commit(t, err);
}

/* What the outbox has forgotten can not be asked for: the range is recorded as lost. */
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
	memcpy(out->epoch, epoch, LK_DIGEST);
	bool is_gap = first > out->next && last + 1 >= out->next;
	rc = is_gap ? skip_gap(t, out, first, err) : 0;
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

/* ---- Time ------------------------------------------------------------------------------------ */

struct due {
	uint8_t ids[TURN_FAMILIES_MAX][LK_DIGEST];
	lk_instant at[TURN_FAMILIES_MAX];
	int n;
};

static int note_due(void *context, const uint8_t id[LK_DIGEST], lk_instant wake_at)
{
	struct due *due = context;
	memcpy(due->ids[due->n], id, LK_DIGEST);
	due->at[due->n++] = wake_at;
	return 0;
}

struct arrived {
	struct turn *t;
	struct lk_error *err;
	struct lk_bytes body;
	struct stored_event row;
	char source[65], id[260], number[33], supersedes[260];
	bool found;
};

static struct lk_text copy_text(char *to, size_t room, struct lk_text text)
{
	if (!lk_text_given(text))
		return LK_NO_TEXT;
	size_t len = text.len < room ? text.len : room;
	memcpy(to, text.at, len);
	return (struct lk_text){ to, (uint32_t)len };
}

static int note_arrived(void *context, const struct stored_event *row)
{
	struct arrived *a = context;
	a->row = *row;
	a->row.source = copy_text(a->source, sizeof(a->source), row->source);
	a->row.id = copy_text(a->id, sizeof(a->id), row->id);
	a->row.number = copy_text(a->number, sizeof(a->number), row->number);
	a->row.supersedes = copy_text(a->supersedes, sizeof(a->supersedes), row->supersedes);
	lk_bytes_add(&a->body, row->body, row->body_len);
	a->row.body = a->body.at;
	a->row.ahead = false;
	a->found = true;
	return 0;
}

/* The time of an event that was kept has come: from here on it is as any that arrives. */
static int pass_event(struct turn *t, lk_instant at, struct lk_error *err)
{
	struct arrived a = { .t = t, .err = err };
	struct lk_event event;
	struct lk_refused why;
	int rc = store_events_ahead(t->store, at, 1, note_arrived, &a, err);
	if (rc >= 0 && a.found)
		rc = store_event_arrived(t->store, a.row.position, err);
	if (rc >= 0 && a.body.failed)
		rc = lk_fail(err, LK_EMEMORY, "no memory for an event");
	if (rc >= 0 && a.found &&
	    lk_event_decode(a.row.body, a.row.body_len, turn_agency_of, t, &event, &why) == 0)
		rc = effect_settle(t, &event, &a.row, true, at, err);
	lk_bytes_free(&a.body);
	return rc;
}

static int pass_families(struct turn *t, lk_instant at, struct lk_error *err)
{
	struct due due = { .n = 0 };
	int rc = store_families_due(t->store, at, t->families_most, note_due, &due, err);
	for (int i = 0; rc >= 0 && i < due.n; i++) {
		struct home *h = home_get(t, due.ids[i], err);
		rc = h == NULL ? LK_ESTORE : home_catch_up(t, h, at, err);
	}
	return rc < 0 ? rc : due.n;
}

static int first_case(void *context, struct case_key key)
{
	struct arrived *a = context;
	a->row.agency = key.agency;
	a->row.number = copy_text(a->number, sizeof(a->number), key.number);
	a->found = true;
	return 1;
}

/* Until all families are done it is not known by what their links were found. */
static int links_note(struct turn *t, bool is_done, struct lk_error *err)
{
	int64_t by = is_done ? (int64_t)t->policy->links_automatic : STORE_LINKS_LOST, kept = 0;
	int rc = store_value_get(t->store, STORE_LINKS_BY, &kept, err);
	if (rc < 0 || (rc > 0 && kept == by) || (!is_done && !links_are_behind(t)))
		return rc < 0 ? rc : 0;
	t->links_by = by;
	return store_value_put(t->store, STORE_LINKS_BY, by, err);
}

/* Of families that a mended row, or an event that is back, puts behind. */
static const uint8_t no_policy[LK_DIGEST];

/* Another policy may fold otherwise: the family is made anew from the log. */
static int pass_anew(struct turn *t, const uint8_t id[LK_DIGEST], lk_instant now,
		     struct lk_error *err)
{
	struct arrived a = { .t = t, .err = err };
	struct home *h = home_get(t, id, err);
	bool is_of_no_policy = h != NULL && memcmp(h->policy, no_policy, LK_DIGEST) == 0;
	int rc = h == NULL ? LK_ESTORE : home_catch_up(t, h, now, err);
	if (rc >= 0)
		rc = store_family_cases(t->store, id, first_case, &a, err);
	if (rc < 0)
		return rc;
	if (!a.found) /* the county's own; or one that has joined another meanwhile */
		return memcmp(id, feeds_id, LK_DIGEST) == 0 ? feeds_settle(t, now, err) : 0;
	struct case_key key = { a.row.agency, a.row.number };
	t->retells = is_of_no_policy;
	rc = gather(t, &key, 1, now, err);
	t->retells = false;
	return rc;
}

/* Families derived under another revision: as many as one turn bears, as of the last instant; what has fallen due since
 * comes after it, in its order. The number done. */
static int pass_behind(struct turn *t, lk_instant now, struct lk_error *err)
{
	struct due due = { .n = 0 };
	lk_instant at = t->now != LK_NO_INSTANT ? t->now : now;
	int rc =
		store_families_behind(t->store, t->revision, t->families_most, note_due, &due, err);
	for (int i = 0; rc >= 0 && i < due.n; i++)
		rc = pass_anew(t, due.ids[i], at, err);
	if (rc >= 0)
		rc = links_note(t, due.n == 0, err);
	if (rc >= 0)
		rc = homes_flush(t, err);
	t->is_behind = rc < 0 || due.n > 0;
	return rc < 0 ? rc : due.n;
}

/* One instant: events that were kept for it, then families that wake, then sources that fell
 * silent. */
static int pass_instant(struct turn *t, lk_instant at, struct lk_error *err)
{
	int rc = settle_silence(t, at, err);
	lk_instant ahead = LK_NO_INSTANT;
	while (rc >= 0 && (rc = store_next_ahead(t->store, &ahead, err)) >= 0 &&
	       ahead != LK_NO_INSTANT && ahead <= at)
		rc = pass_event(t, at, err);
	if (rc >= 0)
		rc = pass_families(t, at, err);
	return rc < 0 ? rc : homes_flush(t, err);
}

static int next_instant(struct turn *t, lk_instant *at, struct lk_error *err)
{
	lk_instant ahead = LK_NO_INSTANT, family = LK_NO_INSTANT;
	int rc = store_next_ahead(t->store, &ahead, err);
	if (rc >= 0)
		rc = store_next_wake(t->store, &family, err);
	*at = instant_earlier(next_silence(t), instant_earlier(ahead, family));
	return rc;
}

/* Those behind first, then instants in their order, until now or until the turn has done enough. */
static int pass_all(struct turn *t, lk_instant now, struct lk_error *err)
{
	lk_instant at;
	int rc = waiting_look(t, now, err);
	if (rc != 0)
		return rc < 0 ? rc : 0;
	if (t->is_behind)
		rc = pass_behind(t, now, err);
	for (int done = rc; rc >= 0 && done < t->families_most && !t->is_behind; done += 1 + rc) {
		rc = next_instant(t, &at, err);
		if (rc < 0)
			return rc;
		if (at == LK_NO_INSTANT || at > now) {
			advance(t, now);
			rc = settle_silence(t, now, err);
			return rc < 0 ? rc : t->is_behind;
		}
		advance(t, at);
		rc = pass_instant(t, at, err);
	}
	return rc < 0 ? rc : 1;
}

void turn_pass_at_most(struct turn *t, int families)
{
	t->families_most = families;
}

int turn_pass(struct turn *t, lk_instant now, struct lk_error *err)
{
	int rc = store_begin(t->store, err);
	if (rc < 0)
		return rc;
	int more = pass_all(t, now, err);
	if (more < 0) {
		turn_undo(t);
		return more;
	}
	rc = turn_commit(t, err);
	return rc < 0 ? rc : more;
}

lk_instant turn_now(const struct turn *t)
{
	return t->now;
}

lk_instant turn_next_wake(const struct turn *t)
{
	lk_instant at = LK_NO_INSTANT;
	if (t->is_waiting)
		return waiting_until(t);
	if (t->is_behind)
		return t->now;
	/* A question that fails here is asked again, and answered with an error, by the next
	 * turn_pass(). */
	if (next_instant((struct turn *)(uintptr_t)t, &at, NULL) < 0)
		return t->now;
	return at;
}

int turn_touch(struct turn *t, lk_instant now, struct lk_error *err)
{
	int64_t read = 0;
	int rc = store_begin(t->store, err);
	if (rc < 0)
		return rc;
	advance(t, now);
	/* Another value each time: SQLite writes no page that says what it said before. */
	rc = store_value_put(t->store, "touched", ++t->touched, err);
	if (rc < 0) {
		turn_undo(t);
		return rc;
	}
	rc = turn_commit(t, err);
	if (rc >= 0)
		rc = store_value_get(t->store, "touched", &read, err);
	if (rc >= 0 && read != t->touched)
		rc = lk_fail(err, LK_ESTORE,
			     "the store gives back something else than it was given");
	return rc < 0 ? rc : 0;
}

int turn_policy(struct turn *t, const struct policy *policy, struct lk_error *err)
{
	const struct policy *before = t->policy;
	t->policy = policy;
	int rc = set_revision(t, err);
	if (rc < 0) {
		t->policy = before;
		return rc;
	}
	keep_silence(t);
	homes_forget(t);
	return 0;
}
