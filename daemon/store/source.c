/* source.c - what is known of each source, and what time it was: for whoever starts again.
 *
 * In: when a source was heard, what number it has come to, the time. Out: the same. Promise: what came after the last writing
 * is in the log's own rows, and read from there.
 */
#include "internal.h"

#include <stdio.h>

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

/* ---- Sequences ------------------------------------------------------------------------------- */

/* Events at the end of the log that are looked at: reading them takes no time that a start would miss. */
#define SEQUENCES_AMONG 50000

/* The value that keeps a source's number: names of sources are at most 64 characters long. */
struct sequence_name {
	char at[80];
};

static struct sequence_name sequence_name(struct lk_text source)
{
	struct sequence_name name;

	(void)snprintf(name.at, sizeof(name.at), "sequence.%.*s", LK_PRINT(source));
	return name;
}

int store_sequence_put(struct store *s, struct lk_text source, int64_t number, struct lk_error *err)
{
	return store_value_put(s, sequence_name(source).at, number, err);
}

static int sequence_in_log(struct store *s, struct lk_text source, int64_t most, int64_t *out,
			   struct lk_error *err)
{
	struct query q;
	int64_t ref;
	int rc = name_seek(s, name_of_source(source), &ref, err);

	if (rc != 1)
		return rc;
	q = query_begin(s, SQL_sequence_last);
	bind_int(&q, ref);
	bind_int(&q, s->tips.position - SEQUENCES_AMONG);
	bind_int(&q, most);
	return query_number(&q, out, err);
}

int store_sequence_last(struct store *s, struct lk_text source, int64_t most, int64_t *out,
			struct lk_error *err)
{
	int64_t logged = 0, kept = 0;
	int in_log = sequence_in_log(s, source, most, &logged, err);
	int is_kept =
		in_log < 0 ? in_log : store_value_get(s, sequence_name(source).at, &kept, err);

	if (is_kept < 0)
		return is_kept;
	*out = kept > logged ? kept : logged;
	return in_log > 0 || is_kept > 0;
}

/* ---- Time ------------------------------------------------------------------------------------ */

#define NOW_POSITION "now.position"

int store_now_put(struct store *s, lk_instant now, struct lk_error *err)
{
	int rc = store_value_put(s, "now", now, err);

	return rc < 0 ? rc : store_value_put(s, NOW_POSITION, s->tips.position, err);
}

static int events_came(struct store *s, int64_t position, event_came_visitor *visit, void *context,
		       struct lk_error *err)
{
	struct query q = query_begin(s, SQL_event_came);
	int rc;

	bind_int(&q, position);
	while ((rc = query_step(&q, err)) == 1) {
		struct lk_text source = column_text(&q);

		visit(context, source, column_int(&q));
	}
	query_end(&q);
	return rc;
}

int store_now_get(struct store *s, lk_instant *now, event_came_visitor *visit, void *context,
		  struct lk_error *err)
{
	int64_t position = s->tips.position;
	int rc = store_value_get(s, "now", now, err);

	if (rc != 1)
		return rc;
	if ((rc = store_value_get(s, NOW_POSITION, &position, err)) >= 0)
		rc = events_came(s, position, visit, context, err);
	return rc < 0 ? rc : 1;
}
