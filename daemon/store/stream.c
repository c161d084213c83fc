/* stream.c - how far each outbox has come, and what became of each place in it.
 *
 * In: (source, epoch) and places. Out: the next place wanted, verdicts. Promise: a verdict is
 * found as long as the event or the dead letter is kept, so that a lost acknowledgement can be
 * given again word for word.
 */
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Ends ------------------------------------------------------------------------------------ */

static void *wider_by_half(void *at, size_t size, size_t least, size_t *room)
{
	size_t to = *room + *room / 2 > least ? *room + *room / 2 : least;
	void *wider = realloc(at, to * size);

	if (wider != NULL)
		*room = to;
	return wider;
}

static int ends_reserve(struct store *s, int64_t ref, struct lk_error *err)
{
	struct stream_ends *ends = &s->streams;
	size_t was = ends->room;
	struct stream_end *wider;

	if ((size_t)ref < was)
		return 0;
	wider = wider_by_half(ends->at, sizeof(*wider), (size_t)ref + 16, &ends->room);
	if (wider == NULL)
		return lk_fail(err, LK_EMEMORY, "store: no memory for the ends of outboxes");
	memset(wider + was, 0, (ends->room - was) * sizeof(*wider));
	ends->at = wider;
	return 0;
}

static int moved_note(struct store *s, int64_t ref, struct lk_error *err)
{
	struct stream_ends *ends = &s->streams;
	int64_t *wider = ends->moved;

	if (ends->at[ref].moved)
		return 0;
	if (ends->moved_n == ends->moved_room)
		wider = wider_by_half(ends->moved, sizeof(*wider), 16, &ends->moved_room);
	if (wider == NULL)
		return lk_fail(err, LK_EMEMORY, "store: no memory for the ends of outboxes");
	ends->moved = wider;
	ends->moved[ends->moved_n++] = ref;
	ends->at[ref].moved = true;
	return 0;
}

/* 1, or 0 where it has not been opened. */
static int end_load(struct store *s, int64_t ref, struct lk_error *err)
{
	struct query q = query_begin(s, SQL_stream_get);
	struct stream_end *end = &s->streams.at[ref];
	int rc;

	bind_int(&q, ref);
	if ((rc = query_step(&q, err)) == 1) {
		end->next = column_int(&q);
		end->safe = column_int(&q);
		end->known = column_int(&q);
		end->asked = column_int(&q);
		end->is_known = true;
	}
	query_end(&q);
	return rc;
}

static int end_write(struct store *s, int64_t ref, int64_t next, int64_t safe, struct lk_error *err)
{
	struct query q = query_begin(s, SQL_stream_put);

	bind_int(&q, ref);
	bind_int(&q, next);
	bind_int(&q, safe);
	return query_run(&q, err);
}

void stream_reached(struct store *s, int64_t ref, int64_t seq)
{
	struct stream_ends *ends = &s->streams;

	if ((size_t)ref < ends->room && ends->at[ref].known < seq)
		ends->at[ref].known = seq; /* said over where it is not known */
}

/* Outboxes take turns, and what one sends in a row lies in the log in a row: so only where places and positions do not go up
 * together there is a row of outbox_run, and one at each multiple of RUN, so that the last of them leads to the end. */
#define RUN 512 /* linkages-1.sql says so too */

static bool goes_on(const struct stream_end *end, int64_t seq, int64_t position)
{
	return seq % RUN != 0 && end->last != 0 && seq == end->last + 1 &&
	       position == end->position + 1;
}

static int run_write(struct store *s, enum statement which, int64_t ref, int64_t seq,
		     struct lk_error *err)
{
	struct query q = query_begin(s, which);

	bind_int(&q, ref);
	bind_int(&q, seq);
	if (which == SQL_run_put)
		bind_int(&q, s->streams.at[ref].position);
	return query_run(&q, err);
}

/* Where later places are known already, as after a rebuild, those that followed by themselves still do. */
int stream_event_add(struct store *s, int64_t ref, int64_t seq, int64_t position,
		     struct lk_error *err)
{
	struct stream_end *end;
	bool is_new, follows;
	int rc = ends_reserve(s, ref, err);

	if (rc < 0)
		return rc;
	end = &s->streams.at[ref];
	is_new = end->is_known && seq > end->known;
	follows = is_new && goes_on(end, seq, position);
	end->last = is_new ? seq : 0; /* what is split off may not be where the next one goes */
	end->position = position;
	stream_reached(s, ref, seq);
	if (!is_new)
		rc = run_write(s, SQL_run_split, ref, seq, err);
	return rc < 0 || follows ? rc : run_write(s, SQL_run_put, ref, seq, err);
}

/* As if it came now: nothing is known of its outbox but what came before. */
static int place_anew(struct store *s, int64_t position, int64_t ref, int64_t seq,
		      struct lk_error *err)
{
	int rc = ends_reserve(s, ref, err);

	if (rc < 0)
		return rc;
	s->streams.at[ref].is_known = true;
	return stream_event_add(s, ref, seq, position, err);
}

int streams_rebuild(struct store *s, struct lk_error *err)
{
	struct query q = query_begin(s, SQL_mend_runs_clear);
	int rc = query_run(&q, err);

	streams_forget(s);
	if (rc < 0)
		return rc;
	q = query_begin(s, SQL_mend_runs);
	while ((rc = query_step(&q, err)) == 1) {
		int64_t position = column_int(&q), ref = column_int(&q);

		if ((rc = place_anew(s, position, ref, column_int(&q), err)) < 0)
			break;
	}
	query_end(&q);
	streams_forget(s);
	return rc;
}

int streams_flush(struct store *s, struct lk_error *err)
{
	struct stream_ends *ends = &s->streams;

	for (; ends->moved_n > 0; ends->moved_n--) {
		int64_t ref = ends->moved[ends->moved_n - 1];
		int rc = end_write(s, ref, ends->at[ref].next, ends->at[ref].safe, err);

		if (rc < 0)
			return rc;
		ends->at[ref].moved = false;
	}
	return 0;
}

void streams_forget(struct store *s)
{
	if (s->streams.room > 0)
		memset(s->streams.at, 0, s->streams.room * sizeof(*s->streams.at));
	s->streams.moved_n = 0;
}

void streams_free(struct store *s)
{
	free(s->streams.at);
	free(s->streams.moved);
}

/* ---- One outbox ------------------------------------------------------------------------------ */

int store_stream_get(struct store *s, struct lk_text source, const uint8_t epoch[LK_DIGEST],
		     struct stored_stream *out, struct lk_error *err)
{
	int64_t ref;
	int rc = stream_seek(s, source, epoch, &ref, err);

	if (rc != 1)
		return rc;
	if ((rc = ends_reserve(s, ref, err)) < 0)
		return rc;
	if (!s->streams.at[ref].is_known && (rc = end_load(s, ref, err)) != 1)
		return rc;
	out->source = source;
	memcpy(out->epoch, epoch, LK_DIGEST);
	out->next = s->streams.at[ref].next;
	out->safe = s->streams.at[ref].safe;
	out->known = s->streams.at[ref].known;
	out->asked = s->streams.at[ref].asked;
	return 1;
}

int store_stream_put(struct store *s, const struct stored_stream *stream, struct lk_error *err)
{
	int64_t ref;
	int rc = stream_intern(s, stream->source, stream->epoch, &ref, err);

	if (rc == 0)
		rc = ends_reserve(s, ref, err);
	if (rc < 0)
		return rc;
	if (!s->streams.at[ref].is_known)
		return end_write(s, ref, stream->next, stream->safe, err);
	s->streams.at[ref].next = stream->next;
	s->streams.at[ref].safe = stream->safe;
	return moved_note(s, ref, err);
}

int store_streams(struct store *s, stream_visitor *visit, void *context, struct lk_error *err)
{
	struct query q = query_begin(s, SQL_stream_list);
	int rc;

	bind_int(&q, 0);
	while ((rc = query_step(&q, err)) == 1) {
		struct stored_stream stream = { .source = column_text(&q) };

		(void)column_digest(&q, stream.epoch);
		stream.next = column_int(&q);
		stream.safe = column_int(&q);
		stream.asked = column_int(&q);
		if ((rc = visit(context, &stream)) != 0)
			break;
	}
	query_end(&q);
	return rc;
}

int store_streams_asked(struct store *s, struct lk_error *err)
{
	struct query q = query_begin(s, SQL_stream_asked);
	int64_t n = 0;
	int rc = query_number(&q, &n, err);

	return rc < 0 ? rc : n > 0;
}

int store_gap_add(struct store *s, struct lk_text source, const uint8_t epoch[LK_DIGEST],
		  int64_t first, int64_t upto, lk_instant noticed_at, struct lk_error *err)
{
	struct query q;
	int64_t ref;
	int rc = stream_intern(s, source, epoch, &ref, err);

	if (rc < 0)
		return rc;
	q = query_begin(s, SQL_gap_put);
	bind_int(&q, ref);
	bind_int(&q, first);
	bind_int(&q, upto);
	bind_int(&q, noticed_at);
	return query_run(&q, err);
}

/* ---- Lags ------------------------------------------------------------------------------------ */

struct lag_name {
	char at[32];
};

/* 1; 0: there is no such outbox. */
static int lag_name(struct store *s, const struct stored_stream *stream, struct lag_name *out,
		    struct lk_error *err)
{
	int64_t ref = 0;
	int rc = stream_seek(s, stream->source, stream->epoch, &ref, err);

	(void)snprintf(out->at, sizeof(out->at), "lag.%lld", (long long)ref);
	return rc;
}

int store_lag_get(struct store *s, const struct stored_stream *stream, int64_t *acked,
		  struct lk_error *err)
{
	struct lag_name name;
	int rc = lag_name(s, stream, &name, err);

	*acked = 0;
	if (rc == 1)
		rc = store_value_get(s, name.at, acked, err);
	return rc < 0 ? rc : 0;
}

static int lag_write(struct store *s, const struct stored_stream *stream, int64_t acked,
		     bool renews, struct lk_error *err)
{
	struct lag_name name;
	int rc = renews ? store_renew(s, err) : 0;

	if (rc == 0)
		rc = lag_name(s, stream, &name, err);
	if (rc == 0) {
		rc = store_stream_put(s, stream, err);
		rc = rc < 0 ? rc : lag_name(s, stream, &name, err);
	}
	return rc == 1 ? store_value_put(s, name.at, acked, err) : rc;
}

int store_lag_put(struct store *s, const struct stored_stream *stream, int64_t acked, bool renews,
		  struct lk_error *err)
{
	uint8_t before[LK_DIGEST];
	int rc = store_begin(s, err);

	memcpy(before, s->identity, LK_DIGEST);
	if (rc == 0)
		rc = store_end(s, lag_write(s, stream, acked, renews, err), err);
	if (rc < 0)
		memcpy(s->identity, before, LK_DIGEST);
	return rc;
}

/* ---- Verdicts -------------------------------------------------------------------------------- */

static void text_keep(struct lk_text text, char *out, size_t room)
{
	(void)snprintf(out, room, "%.*s", LK_PRINT(text));
}

static int verdict_refused(struct store *s, int64_t stream, int64_t seq, struct stream_verdict *out,
			   struct lk_error *err)
{
	struct query q = query_begin(s, SQL_stream_letter);
	int rc;

	bind_int(&q, stream);
	bind_int(&q, seq);
	if ((rc = query_step(&q, err)) == 1) {
		out->was_refused = true;
		(void)column_digest(&q, out->digest);
		out->refused.reason = (enum lk_refusal)column_code(&q);
		text_keep(column_text(&q), out->refused.field, sizeof(out->refused.field));
		text_keep(column_text(&q), out->refused.detail, sizeof(out->refused.detail));
	}
	query_end(&q);
	return rc;
}

int store_stream_verdict(struct store *s, struct lk_text source, const uint8_t epoch[LK_DIGEST],
			 int64_t seq, struct stream_verdict *out, struct lk_error *err)
{
	int64_t stream;
	int rc = stream_seek(s, source, epoch, &stream, err);

	if (rc != 1)
		return rc;
	memset(out, 0, sizeof(*out));
	rc = event_at_place(s, stream, seq, out->digest, err);
	return rc != 0 ? rc : verdict_refused(s, stream, seq, out, err);
}
