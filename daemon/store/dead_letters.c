/* dead_letters.c - inputs that made no sense, kept for whoever has to find out why.
 *
 * In: the input as it came, and the reason of its refusal. Out: the same, in order of arrival. Promise: what is shown
 * is what was stored; a refused place of an outbox gets the same verdict as long as its letter is kept.
 */
#include "internal.h"

#define LETTER_MAX (64u * 1024) /* bytes kept of one */

static void letter_sum(struct store *s, const struct dead_letter *l, size_t kept)
{
	lk_bytes_clear(&s->scratch);
	sum_text(&s->scratch, l->source);
	sum_int(&s->scratch, l->has_seq);
	sum_int(&s->scratch, l->has_seq ? l->seq : 0);
	sum_int(&s->scratch, l->received_at);
	sum_int(&s->scratch, (int64_t)l->reason);
	sum_text(&s->scratch, l->field);
	sum_text(&s->scratch, l->detail);
	sum_blob(&s->scratch, l->body, kept);
}

int store_dead_letter_add(struct store *s, const struct dead_letter *letter, struct lk_error *err)
{
	size_t kept = letter->body_len < LETTER_MAX ? letter->body_len : LETTER_MAX;
	int64_t sum, stream = 0;
	struct query q;
	int rc = 0;

	if (letter->has_seq)
		rc = stream_intern(s, letter->source, letter->epoch, &stream, err);
	if (rc < 0)
		return rc;
	letter_sum(s, letter, kept);
	if ((rc = sum_end(&s->scratch, &sum, err)) < 0)
		return rc;
	q = query_begin(s, SQL_letter_add);
	bind_text(&q, letter->source);
	bind_if(&q, letter->has_seq, stream);
	bind_if(&q, letter->has_seq, letter->seq);
	bind_int(&q, letter->received_at);
	bind_int(&q, (int64_t)letter->reason);
	bind_text(&q, letter->field);
	bind_text(&q, letter->detail);
	bind_digest(&q, letter->digest);
	bind_int(&q, sum);
	bind_blob(&q, letter->body, kept);
	rc = query_run(&q, err);
	if (letter->has_seq)
		stream_reached(s, stream, letter->seq);
	return rc;
}

static int letter_read(struct query *q, struct dead_letter *l, struct lk_error *err)
{
	int64_t sum;

	l->number = column_int(q);
	l->source = column_text(q);
	l->has_seq = !column_is_null(q);
	l->seq = column_int(q);
	(void)column_digest(q, l->epoch);
	l->received_at = column_int(q);
	l->reason = (enum lk_refusal)column_code(q);
	l->field = column_text(q);
	l->detail = column_text(q);
	l->position = column_is_null(q) ? 0 : sqlite3_column_int64(q->statement, q->column);
	q->column++;
	sum = column_int(q);
	l->body = column_blob(q, &l->body_len);
	letter_sum(q->store, l, l->body_len);
	return sum_check(q->store, sum, "dead letter", l->number, err);
}

int letter_examine(struct query *q, struct lk_error *err)
{
	struct dead_letter letter;

	return letter_read(q, &letter, err);
}

static int letters_walk(struct query *q, dead_letter_visitor *visit, void *context,
			struct lk_error *err)
{
	struct dead_letter letter;
	int rc;

	while ((rc = query_step(q, err)) == 1) {
		if ((rc = letter_read(q, &letter, err)) < 0)
			break;
		if ((rc = visit(context, &letter)) != 0)
			break;
	}
	query_end(q);
	return rc;
}

int store_dead_letters(struct store *s, int64_t after, int limit, dead_letter_visitor *visit,
		       void *context, struct lk_error *err)
{
	struct query q = query_begin(s, SQL_letter_after);

	bind_int(&q, after);
	bind_int(&q, limit);
	return letters_walk(&q, visit, context, err);
}

int letter_strike(struct store *s, int64_t number, struct lk_error *err)
{
	struct dead_letter letter;
	struct query q = query_begin(s, SQL_strike_get_letter);
	int64_t sum = 0;
	int rc;

	bind_int(&q, number);
	if ((rc = query_step(&q, err)) == 1 && (rc = letter_read(&q, &letter, err)) == 0) {
		letter_sum(s, &letter, 0);
		rc = sum_end(&s->scratch, &sum, err);
	}
	query_end(&q);
	if (rc < 0)
		return rc;
	q = query_begin(s, SQL_strike_letter);
	bind_int(&q, number);
	bind_int(&q, sum);
	return query_run(&q, err);
}

int store_dead_letter_settled(struct store *s, int64_t number, int64_t position,
			      struct lk_error *err)
{
	struct query q = query_begin(s, SQL_letter_settle);

	bind_int(&q, number);
	bind_int(&q, position);
	return query_run(&q, err);
}

int store_stream_refusals(struct store *s, struct lk_text source, const uint8_t epoch[LK_DIGEST],
			  int64_t after, int64_t before, dead_letter_visitor *visit, void *context,
			  struct lk_error *err)
{
	struct query q;
	int64_t ref;
	int rc = stream_seek(s, source, epoch, &ref, err);

	if (rc != 1)
		return rc;
	q = query_begin(s, SQL_letter_of_stream);
	bind_int(&q, ref);
	bind_int(&q, after);
	bind_int(&q, before);
	return letters_walk(&q, visit, context, err);
}
