/* log.c - the event log, which is the truth.
 *
 * In: events that were admitted, with their canonical bytes. Out: the same, in order of arrival.
 * Promise: what is shown is what was stored; a row that the disk has changed stops the walk.
 */
#include "internal.h"

#include <stdlib.h>

/* ---- Events ---------------------------------------------------------------------------------- */

/* For its sum. */
static void event_say(const struct stored_event *e, struct lk_bytes *said)
{
	lk_bytes_clear(said);
	sum_int(said, e->agency);
	sum_text(said, e->source);
	sum_text(said, e->id);
	sum_text(said, e->number);
	sum_text(said, e->supersedes);
	sum_int(said, e->type);
	sum_int(said, e->time_at);
	sum_int(said, e->received_at);
	sum_int(said, e->has_sequence);
	sum_int(said, e->has_sequence ? e->sequence : 0);
	sum_blob(said, e->body, e->body_len);
}

/* ---- Bodies ---------------------------------------------------------------------------------- */

/* What the row says beside the body; `at` is room for its time. */
static void event_own(const struct stored_event *e, char at[LK_TIME_TEXT],
		      struct lk_text own[OWN_TEXTS])
{
	lk_time_print((struct lk_time){ e->time_at, 0 }, at);
	own[OWN_ID] = e->id;
	own[OWN_SOURCE] = e->source;
	own[OWN_NUMBER] = e->number;
	own[OWN_TIME] = lk_text_of(at);
	own[OWN_SUPERSEDES] = e->supersedes;
	own[OWN_TYPE] = e->type < 0 ? LK_NO_TEXT : lk_text_of(lk_event_type_word(e->type));
}

int store_event_pack(const struct store *s, const struct stored_event *e, struct stored_packed *out,
		     struct lk_error *err)
{
	struct lk_text own[OWN_TEXTS];
	char at[LK_TIME_TEXT];
	int rc;

	event_say(e, &out->body); /* its room serves both */
	if ((rc = sum_end(&out->body, &out->sum, err)) < 0)
		return rc;
	event_own(e, at, own);
	lk_bytes_clear(&out->body);
	vocabulary_pack(&s->vocabulary, own, e->body, e->body_len, &out->body);
	return out->body.failed ? lk_fail(err, LK_EMEMORY, "store: no memory for an event") : 0;
}

int event_unpack(struct store *s, const struct stored_event *e, const void *packed, size_t len,
		 struct lk_bytes *out, struct lk_error *err)
{
	struct lk_text own[OWN_TEXTS];
	char at[LK_TIME_TEXT];

	event_own(e, at, own);
	lk_bytes_clear(out);
	if (!vocabulary_unpack(&s->vocabulary, own, packed, len, out))
		return row_damaged(s, err, "event", e->position, "body");
	return out->failed ? lk_fail(err, LK_EMEMORY, "store: no memory for an event") : 0;
}

/* ---- Adding ---------------------------------------------------------------------------------- */

struct event_refs {
	int64_t source, kase, stream;
};

static int event_is_known(struct store *s, int64_t source, struct lk_text id, struct lk_error *err)
{
	int64_t position;
	int rc = id_is_beyond(s, source, id, err);
	struct query q;

	if (rc != 0)
		return rc < 0 ? rc : 0;
	q = query_begin(s, SQL_event_known);
	bind_int(&q, source);
	bind_text(&q, id);
	return query_number(&q, &position, err);
}

/* 1, or 0: the event is known. A case that was never heard of gets no name by an event that is not
 * kept; with a case that has one, the row itself finds out. */
static int event_names(struct store *s, const struct stored_event *e, struct event_refs *refs,
		       struct lk_error *err)
{
	struct case_key key = { e->agency, e->number };
	int known = 0, rc = name_intern(s, name_of_source(e->source), &refs->source, err);

	if (rc == 0)
		rc = name_seek(s, name_of_case(key), &refs->kase, err);
	if (rc == 0)
		known = event_is_known(s, refs->source, e->id, err);
	if (rc == 0 && known == 0)
		rc = name_intern(s, name_of_case(key), &refs->kase, err);
	if (rc < 0 || known != 0)
		return rc < 0 ? rc : known < 0 ? known : 0;
	if (e->has_outbox_seq)
		rc = name_intern(s, name_of_stream(refs->source, e->epoch), &refs->stream, err);
	return rc < 0 ? rc : 1;
}

static struct query event_query(struct store *s, const struct stored_event *e,
				const struct event_refs *refs, const struct stored_packed *packed)
{
	struct query q = query_begin(s, SQL_event_add);

	bind_int(&q, s->tips.position + 1);
	bind_int(&q, refs->source);
	bind_text(&q, e->id);
	bind_int(&q, refs->kase);
	bind_int(&q, e->type);
	bind_text(&q, e->supersedes);
	bind_int(&q, e->received_at);
	bind_int(&q, e->received_at - e->time_at);
	bind_if(&q, e->has_sequence, e->sequence);
	bind_if(&q, e->has_outbox_seq, refs->stream);
	bind_if(&q, e->has_outbox_seq, e->outbox_seq);
	bind_int(&q, e->ahead);
	bind_int(&q, packed->sum);
	bind_blob(&q, packed->body.at, packed->body.len);
	return q;
}

/* 1, or 0 where the index says that it is known. */
static int event_insert(struct store *s, const struct stored_event *e,
			const struct event_refs *refs, const struct stored_packed *packed,
			struct lk_error *err)
{
	struct query q = event_query(s, e, refs, packed);
	int rc = query_run(&q, err);

	return rc < 0 ? rc : sqlite3_changes(s->db);
}

static int event_wait(struct store *s, const struct stored_event *e, const struct event_refs *refs,
		      const struct stored_packed *packed, struct lk_error *err)
{
	const struct waiting_event row = {
		.position = s->tips.position + 1,
		.source = refs->source,
		.kase = refs->kase,
		.type = e->type,
		.received_at = e->received_at,
		.lag = e->received_at - e->time_at,
		.sequence = { e->sequence, e->has_sequence },
		.stream = refs->stream,
		.outbox_seq = e->has_outbox_seq ? e->outbox_seq : 0,
		.ahead = e->ahead,
		.sum = packed->sum,
	};
	int rc = arrival_add(s, &row, e, &packed->body, err);

	return rc < 0 ? rc : 1;
}

/* 1, or 0: it is known. Where its id does not say that it is new, rows that wait are let in and the index is asked. */
static int event_put(struct store *s, const struct stored_event *e, const struct event_refs *refs,
		     struct lk_error *err)
{
	const struct stored_packed *packed = e->packed;
	int rc = id_is_beyond(s, refs->source, e->id, err);
	bool is_new = rc == 1;

	if (rc >= 0 && packed == NULL) {
		packed = &s->packed_event;
		rc = store_event_pack(s, e, &s->packed_event, err);
	}
	if (rc < 0)
		return rc;
	rc = (is_new ? event_wait : event_insert)(s, e, refs, packed, err);
	if (rc == 1)
		id_taken(s, refs->source, e->id);
	return rc;
}

int store_event_add(struct store *s, const struct stored_event *event, int64_t *position,
		    struct lk_error *err)
{
	struct event_refs refs = { 0 };
	int rc = event_names(s, event, &refs, err);

	if (rc == 1)
		rc = event_put(s, event, &refs, err);
	if (rc != 1)
		return rc;
	*position = ++s->tips.position;
	if (lk_text_given(event->supersedes))
		superseded_note(s, refs.source, event->supersedes);
	rc = case_event_add(s, *position, refs.kase, err);
	if (rc == 0 && event->has_outbox_seq)
		rc = stream_event_add(s, refs.stream, event->outbox_seq, *position, err);
	return rc < 0 ? rc : 1;
}

/* Its body is in `room`. */
static int event_read(struct query *q, struct stored_event *e, struct lk_bytes *room,
		      struct lk_error *err)
{
	int64_t sum;
	const void *packed;
	size_t len;
	int rc;

	e->position = column_int(q);
	e->agency = column_code(q);
	e->source = column_text(q);
	e->id = column_text(q);
	e->number = column_text(q);
	e->supersedes = column_text(q);
	e->type = column_code(q);
	e->time_at = column_int(q);
	e->received_at = column_int(q);
	e->has_sequence = !column_is_null(q);
	e->sequence = column_int(q);
	e->has_outbox_seq = !column_is_null(q);
	e->outbox_seq = column_int(q);
	(void)column_digest(q, e->epoch);
	e->ahead = column_int(q) != 0;
	sum = column_int(q);
	packed = column_blob(q, &len);
	if ((rc = event_unpack(q->store, e, packed, len, room, err)) < 0)
		return rc;
	e->body = room->at;
	e->body_len = room->len;
	e->packed = NULL;
	event_say(e, &q->store->scratch);
	return sum_check(q->store, sum, "event", e->position, err);
}

int event_examine(struct query *q, struct lk_error *err)
{
	struct lk_bytes room = { 0 };
	struct stored_event event;
	int rc = event_read(q, &event, &room, err);

	lk_bytes_free(&room);
	return rc;
}

/* Visits the rows of a query that is bound; the number of visits goes to *n. */
static int events_walk(struct query *q, stored_event_visitor *visit, void *context, int *n,
		       struct lk_error *err)
{
	struct lk_bytes room = { 0 };
	struct stored_event event;
	int rc;

	*n = 0;
	while ((rc = query_step(q, err)) == 1) {
		if ((rc = event_read(q, &event, &room, err)) < 0)
			break;
		++*n;
		if ((rc = visit(context, &event)) != 0)
			break;
	}
	query_end(q);
	lk_bytes_free(&room);
	return rc;
}

int store_event_find(struct store *s, struct lk_text source, struct lk_text id,
		     stored_event_visitor *visit, void *context, struct lk_error *err)
{
	struct query q;
	int64_t ref;
	int n, rc = name_seek(s, name_of_source(source), &ref, err);

	if (rc != 1)
		return rc;
	q = query_begin(s, SQL_event_find);
	bind_int(&q, ref);
	bind_text(&q, id);
	rc = events_walk(&q, visit, context, &n, err);
	return rc != 0 ? rc : n;
}

static int events_at(struct store *s, const int64_t *positions, size_t found,
		     stored_event_visitor *visit, void *context, struct lk_error *err)
{
	int n, rc = 0;

	for (size_t i = 0; rc == 0 && i < found; i++) {
		struct query q = query_begin(s, SQL_event_at);

		bind_int(&q, positions[i]);
		rc = events_walk(&q, visit, context, &n, err);
		if (rc == 0 && n == 0 && !s->recent[RECENT_CASES].is_struck)
			rc = row_damaged(s, err, "event", positions[i], "place");
	}
	return rc;
}

int store_case_events(struct store *s, struct case_key key, stored_event_visitor *visit,
		      void *context, struct lk_error *err)
{
	struct query q;
	int64_t ref, *recent;
	size_t found;
	int n, rc = name_seek(s, name_of_case(key), &ref, err);

	if (rc != 1)
		return rc;
	if ((rc = case_events_recent(s, ref, &recent, &found, err)) < 0)
		return rc;
	q = query_begin(s, SQL_event_of_case);
	bind_int(&q, ref);
	bind_int(&q, s->recent[RECENT_CASES].first); /* from here on it is not believed */
	rc = events_walk(&q, visit, context, &n, err);
	if (rc == 0)
		rc = events_at(s, recent, found, visit, context, err);
	free(recent);
	return rc;
}

/* An event that has no row in the view lacks what its row names: it would be due for ever. */
static int none_ahead(struct store *s, lk_instant now, struct lk_error *err)
{
	struct query q = query_begin(s, SQL_event_first_ahead);
	int64_t position;
	int rc;

	bind_int(&q, now);
	rc = query_number(&q, &position, err);
	return rc <= 0 ? rc : row_damaged(s, err, "event", position, "source or case");
}

int store_events_ahead(struct store *s, lk_instant now, int limit, stored_event_visitor *visit,
		       void *context, struct lk_error *err)
{
	struct query q = query_begin(s, SQL_event_due);
	int n, rc;

	bind_int(&q, now);
	bind_int(&q, limit);
	rc = events_walk(&q, visit, context, &n, err);
	return rc == 0 && n == 0 ? none_ahead(s, now, err) : rc;
}

int store_event_place(struct store *s, int64_t position, const uint8_t epoch[LK_DIGEST],
		      int64_t seq, struct lk_error *err)
{
	struct query q = query_begin(s, SQL_event_source);
	int64_t source, stream;
	int rc;

	bind_int(&q, position);
	if ((rc = query_number(&q, &source, err)) < 0)
		return rc;
	if (rc == 0)
		return lk_fail(err, LK_ENOTFOUND, "store: there is no event %lld",
			       (long long)position);
	if ((rc = name_intern(s, name_of_stream(source, epoch), &stream, err)) < 0)
		return rc;
	q = query_begin(s, SQL_event_place);
	bind_int(&q, position);
	bind_int(&q, stream);
	bind_int(&q, seq);
	rc = query_run(&q, err);
	return rc < 0 ? rc : stream_event_add(s, stream, seq, position, err);
}

static int event_digest(void *context, const struct stored_event *e)
{
	lk_digest(e->body, e->body_len, NULL, context);
	return 0;
}

int event_at_place(struct store *s, int64_t stream, int64_t seq, uint8_t digest[LK_DIGEST],
		   struct lk_error *err)
{
	struct query q = query_begin(s, SQL_stream_event);
	int n, rc;

	bind_int(&q, stream);
	bind_int(&q, seq);
	rc = events_walk(&q, event_digest, digest, &n, err);
	return rc < 0 ? rc : n;
}

int store_event_arrived(struct store *s, int64_t position, struct lk_error *err)
{
	struct query q = query_begin(s, SQL_event_arrived);
	int rc;

	bind_int(&q, position);
	rc = query_run(&q, err);
	if (rc == 0 && sqlite3_changes(s->db) == 0) /* as an index says that is damaged */
		rc = row_damaged(s, err, "event", position, "hour");
	return rc;
}

int store_next_ahead(struct store *s, lk_instant *at, struct lk_error *err)
{
	struct query q = query_begin(s, SQL_event_next_ahead);
	int rc;

	*at = LK_NO_INSTANT;
	rc = query_number(&q, at, err);
	return rc < 0 ? rc : 0;
}
