/* stream.c - how far each outbox has come, what became of each place in it, and when a source
 * was last heard.
 *
 * In: (source, epoch) and places. Out: the next place wanted, verdicts. Promise: a verdict is
 * found as long as the event or the dead letter is kept, so that a lost acknowledgement can be
 * given again word for word.
 */
#include "internal.h"

#include <stdio.h>
#include <string.h>

int store_stream_get(struct store *s, struct lk_text source, const uint8_t epoch[LK_DIGEST],
		     struct stored_stream *out, struct lk_error *err)
{
	struct query q;
	int64_t ref;
	int rc = stream_seek(s, source, epoch, &ref, err);

	if (rc != 1)
		return rc;
	q = query_begin(s, SQL_stream_get);
	bind_int(&q, ref);
	if ((rc = query_step(&q, err)) == 1) {
		out->source = source;
		memcpy(out->epoch, epoch, LK_DIGEST);
		out->next = column_int(&q);
		out->safe = column_int(&q);
		out->known = column_int(&q);
	}
	query_end(&q);
	return rc;
}

int store_stream_put(struct store *s, const struct stored_stream *stream, struct lk_error *err)
{
	struct query q;
	int64_t ref;
	int rc = stream_intern(s, stream->source, stream->epoch, &ref, err);

	if (rc < 0)
		return rc;
	q = query_begin(s, SQL_stream_put);
	bind_int(&q, ref);
	bind_int(&q, stream->next);
	bind_int(&q, stream->safe);
	return query_run(&q, err);
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

/* ---- Verdicts -------------------------------------------------------------------------------- */

static int verdict_applied(struct store *s, int64_t stream, int64_t seq, struct stream_verdict *out,
			   struct lk_error *err)
{
	struct query q = query_begin(s, SQL_stream_event);
	int rc;

	bind_int(&q, stream);
	bind_int(&q, seq);
	if ((rc = query_step(&q, err)) == 1)
		(void)column_digest(&q, out->digest);
	query_end(&q);
	return rc;
}

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
	rc = verdict_applied(s, stream, seq, out, err);
	return rc != 0 ? rc : verdict_refused(s, stream, seq, out, err);
}

/* ---- Silence --------------------------------------------------------------------------------- */

int store_heard_put(struct store *s, struct lk_text source, lk_instant at, struct lk_error *err)
{
	struct query q;
	int64_t ref;
	int rc = name_intern(s, name_of_source(source), &ref, err);

	if (rc < 0)
		return rc;
	q = query_begin(s, SQL_heard_put);
	bind_int(&q, ref);
	bind_instant(&q, at);
	return query_run(&q, err);
}

int store_heard_get(struct store *s, struct lk_text source, lk_instant *at, struct lk_error *err)
{
	struct query q;
	int64_t ref;
	int rc = name_seek(s, name_of_source(source), &ref, err);

	if (rc != 1)
		return rc;
	q = query_begin(s, SQL_heard_get);
	bind_int(&q, ref);
	return query_number(&q, at, err);
}
