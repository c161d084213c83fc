/* telling.c - what each worker was told, as told, in the order of telling; and the answers.
 *
 * In: notices. Out: what they said, by worker and place or by id. Promise: a telling is never rewritten, but
 * on order (expunge.c) or by its age (retain.c), and then keeps its name; a damaged one is never shown, to
 * anybody.
 */
#include "internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* ---- Its columns ------------------------------------------------------------------------------ */

static int64_t number_of(int64_t worker, int64_t seq)
{
	return (worker << SEQ_BITS) + seq;
}

/* Small codes share one column: the view notice_row takes them apart. */
#define MARK_KIND 0
#define MARK_STATE 8
#define MARK_LEVEL 10
#define MARK_CLASS 12
#define MARK_OWN 13
#define MARK_OTHER 15
#define MARK_TOPIC 17

static int64_t marks_of(const struct stored_notice *n)
{
	return (int64_t)n->kind << MARK_KIND | (int64_t)n->state << MARK_STATE |
	       (int64_t)n->level << MARK_LEVEL | (int64_t)n->rule_class << MARK_CLASS |
	       (int64_t)(n->own.agency + 1) << MARK_OWN |
	       (int64_t)(n->other.agency + 1) << MARK_OTHER | (int64_t)(n->topic + 1) << MARK_TOPIC;
}

static void marks_read(int64_t marks, struct stored_notice *n)
{
	n->kind = (int)(marks >> MARK_KIND & 255);
	n->state = (int)(marks >> MARK_STATE & 3);
	n->level = (int)(marks >> MARK_LEVEL & 3);
	n->rule_class = (int)(marks >> MARK_CLASS & 1);
	n->own.agency = (int)(marks >> MARK_OWN & 3) - 1;
	n->other.agency = (int)(marks >> MARK_OTHER & 3) - 1;
	n->topic = (int)(marks >> MARK_TOPIC & 255) - 1;
}

/* The columns; what the body names follows, and then the body. */
static void sum_columns(struct store *s, const struct stored_notice *n, int64_t marks,
			int64_t ledger)
{
	lk_bytes_clear(&s->scratch);
	sum_text(&s->scratch, n->worker);
	sum_int(&s->scratch, n->seq);
	sum_blob(&s->scratch, n->id, LK_DIGEST);
	sum_int(&s->scratch, n->rev);
	sum_int(&s->scratch, marks);
	sum_text(&s->scratch, n->own.number);
	sum_text(&s->scratch, n->other.number);
	sum_int(&s->scratch, n->told_at);
	sum_int(&s->scratch, ledger);
}

void notice_columns_said(const uint8_t **at, struct stored_notice *n)
{
	n->worker = said_text(at);
	n->seq = said_int(at);
	memcpy(n->id, said_text(at).at, LK_DIGEST);
	n->rev = said_int(at);
	marks_read(said_int(at), n);
	n->own.number = said_text(at);
	n->other.number = said_text(at);
	n->told_at = said_int(at);
	(void)said_int(at); /* its row of the ledger */
}

/* ---- Adding ---------------------------------------------------------------------------------- */

/* 0 where there is none. */
static int case_ref(struct store *s, struct case_key key, int64_t *ref, struct lk_error *err)
{
	*ref = 0;
	return lk_text_given(key.number) ? name_intern(s, name_of_case(key), ref, err) : 0;
}

/* What is made for a row: its small codes, its sum and its body, which lasts until the next one. */
struct bound {
	int64_t marks, sum;
	uint64_t encoding;
	struct lk_bytes *body;
};

static int notice_bind(struct store *s, const struct stored_notice *n, int64_t ledger,
		       struct bound *out, struct lk_error *err)
{
	int rc;

	assert(n->said->kind == n->kind && n->said->state == n->state && n->said->rev == n->rev);
	assert(lk_text_is(n->said->to, n->worker)); /* nobody reads another's notice */
	out->marks = marks_of(n);
	out->body = &s->packed;
	lk_bytes_clear(out->body);
	sum_columns(s, n, out->marks, ledger);
	if ((rc = notice_pack(s, n, out->body, err)) < 0)
		return rc;
	sum_blob(&s->scratch, out->body->at, out->body->len);
	out->encoding = encoding_give(s, out->body->len);
	return sum_end(&s->scratch, &out->sum, err);
}

static int notice_insert(struct store *s, const struct stored_notice *n, int64_t worker,
			 struct lk_error *err)
{
	struct fresh_notice row = { .number = number_of(worker, n->seq),
				    .rev = n->rev,
				    .told_at = n->told_at,
				    .ledger = lk_text_given(n->basis) ? s->tips.ledger : 0,
				    .answers = n->is_first ? s->fresh.answers : 0 };
	struct bound bound;
	int rc = notice_bind(s, n, row.ledger, &bound, err);

	if (rc == 0)
		rc = case_ref(s, n->own, &row.own_case, err);
	if (rc == 0)
		rc = case_ref(s, n->other, &row.other_case, err);
	if (rc == 0)
		rc = place_add(s, row.number, s->tips.serial + 1, n->id, err);
	if (rc < 0)
		return rc;
	memcpy(row.id, n->id, LK_DIGEST);
	row.marks = bound.marks;
	row.sum = bound.sum;
	row.encoding = bound.encoding;
	return fresh_notice_add(s, &row,
				&(struct fresh_texts){ n->own.number, n->other.number,
						       bound.body->at, bound.body->len },
				err);
}

/* Nothing of the other side is kept for a worker whose row in the ledger is not kept with it. */
static int notice_disclose(struct store *s, const struct stored_notice *n, struct lk_error *err)
{
	const struct ledger_row row = {
		.at = n->told_at,
		.worker = n->worker,
		.from = n->seq,
		.upto = n->seq,
		.level = n->level,
		.basis = n->basis,
	};

	return lk_text_given(n->basis) ? store_ledger_add(s, &row, err) : 0;
}

int store_notice_add(struct store *s, const struct stored_notice *notice, int64_t *seq,
		     struct lk_error *err)
{
	struct stored_notice placed = *notice;
	int64_t worker;
	int rc = name_intern(s, name_of_worker(notice->worker), &worker, err);

	if (rc < 0)
		return rc;
	if ((rc = mailbox_grow(s, notice->worker, worker, &placed.seq, err)) < 0)
		return rc;
	*seq = placed.seq;
	if ((rc = notice_disclose(s, &placed, err)) < 0)
		return rc;
	return notice_insert(s, &placed, worker, err);
}

/* ---- Reading --------------------------------------------------------------------------------- */

static int notice_read(struct query *q, struct stored_notice *n, struct said_room *room,
		       struct lk_error *err)
{
	int64_t marks, sum, ledger;
	const void *body;
	size_t len;
	int rc;

	n->worker = column_text(q);
	n->seq = column_int(q);
	(void)column_digest(q, n->id);
	n->rev = column_int(q);
	marks = column_int(q);
	n->own.number = column_text(q);
	n->other.number = column_text(q);
	n->told_at = column_int(q);
	sum = column_int(q);
	body = column_blob(q, &len);
	n->answered_by = column_text(q);
	n->answered_at = column_instant(q);
	ledger = column_int(q);
	n->own_ref = 0;
	n->encoded = (struct lk_span){ NULL, 0 };
	marks_read(marks, n);
	sum_columns(q->store, n, marks, ledger);
	if ((rc = notice_unpack(q->store, body, len, n, room, err)) < 0)
		return rc;
	sum_blob(&q->store->scratch, body, len);
	return sum_check(q->store, sum, "a notice, its place in the mailbox", n->seq, err);
}

static struct said_room *room_make(struct lk_error *err)
{
	struct said_room *room = malloc(sizeof(*room)); /* on the stack all of it would be zeroed */

	if (room == NULL)
		(void)lk_fail(err, LK_EMEMORY, "store: no memory for a notice");
	return room;
}

int notice_examine(struct query *q, struct lk_error *err)
{
	struct stored_notice notice;
	struct said_room *room = room_make(err);
	int rc = room == NULL ? LK_EMEMORY : notice_read(q, &notice, room, err);

	free(room);
	return rc;
}

int place_gone(struct store *s, int64_t seq, struct lk_error *err)
{
	struct lk_error said;
	int rc = lk_fail(&said, LK_ESTORE,
			 "store: a mailbox is damaged: the notice at its place %lld is gone",
			 (long long)seq);

	store_doubt(s, DOUBT_DAMAGE, said.text);
	return lk_fail(err, rc, "%s", said.text);
}

/* The answer to a notice whose row was not asked. */
static int answer_recall(struct store *s, struct fresh_notice *row, struct stored_notice *n,
			 struct said_room *room, struct lk_error *err)
{
	struct query q;
	int rc;

	n->answered_by = LK_NO_TEXT;
	n->answered_at = LK_NO_INSTANT;
	if (row->answers == s->fresh.answers)
		return 0;
	q = query_begin(s, SQL_answer_get);
	bind_digest(&q, row->id);
	if ((rc = query_step(&q, err)) == 1) {
		struct lk_text by = column_text(&q);

		memcpy(room->answerer, by.at, by.len);
		n->answered_by = (struct lk_text){ room->answerer, by.len };
		n->answered_at = column_instant(&q);
	}
	query_end(&q);
	if (rc == 0)
		row->answers = s->fresh.answers;
	return rc < 0 ? rc : 0;
}

/* One that was just told, as its row would say it. */
static int notice_recall(struct store *s, struct lk_text worker, struct fresh_notice *row,
			 const struct fresh_texts *texts, struct stored_notice *n,
			 struct said_room *room, bool takes_encoded, struct lk_error *err)
{
	int rc;

	*n = (struct stored_notice){ .worker = worker,
				     .seq = row->number & (((int64_t)1 << SEQ_BITS) - 1),
				     .rev = row->rev,
				     .told_at = row->told_at };
	memcpy(n->id, row->id, LK_DIGEST);
	n->own_ref = row->own_case;
	n->own.number = texts->own;
	n->other.number = texts->other;
	marks_read(row->marks, n);
	rc = answer_recall(s, row, n, room, err);
	if (rc < 0 || (takes_encoded && !lk_text_given(n->answered_by) &&
		       encoding_take(s, row->encoding, n, room)))
		return rc;
	lk_bytes_clear(&s->scratch); /* what phrases add to one is not asked for */
	return notice_unpack(s, texts->body, texts->body_len, n, room, err);
}

/* To whom notices are shown, and with what room. */
struct showing {
	stored_notice_visitor *visit;
	void *context;
	struct said_room *room;
	struct roll roll;
	bool takes_encoded;
	int n; /* of them */
};

static int row_show(struct store *s, struct showing *to, int64_t number, int64_t serial,
		    struct lk_error *err)
{
	struct stored_notice notice;
	struct query q = query_begin(s, SQL_notice_get);
	int rc;

	bind_int(&q, serial);
	bind_int(&q, number);
	if ((rc = query_step(&q, err)) == 1 &&
	    (rc = notice_read(&q, &notice, to->room, err)) == 0) {
		to->n++;
		rc = to->visit(to->context, &notice);
	}
	query_end(&q);
	return rc;
}

/* 0 where it is not there, too. */
static int notice_show(struct store *s, struct showing *to, struct lk_text worker, int64_t number,
		       struct lk_error *err)
{
	struct stored_notice notice;
	struct fresh_texts texts;
	struct fresh_notice *row;
	int64_t serial;
	int rc = place_seek(s, &to->roll, number, &serial, err);

	if (rc != 1)
		return rc;
	row = lk_text_given(worker) ? fresh_get(s, serial, number, &texts) : NULL;
	if (row == NULL)
		return row_show(s, to, number, serial, err);
	rc = notice_recall(s, worker, row, &texts, &notice, to->room, to->takes_encoded, err);
	if (rc < 0)
		return rc;
	to->n++;
	return to->visit(to->context, &notice);
}

/* Each round reads what the one before has asked for. */
uint32_t store_notices_expect(struct store *s, struct lk_text worker, int64_t after,
			      uint8_t families[STORE_EXPECTED][LK_DIGEST])
{
	const struct fresh_notice *row[STORE_EXPECTED];
	uint32_t n = 0, known = 0;
	int64_t ref;

	if (name_seek(s, name_of_worker(worker), &ref, NULL) != 1)
		return 0;
	while (n < STORE_EXPECTED &&
	       (row[n] = fresh_expect(s, number_of(ref, after + 1 + n))) != NULL)
		n++;
	for (uint32_t i = 0; i < n; i++) {
		case_expect(s, row[i]->own_case);
		encoding_expect(s, row[i]->encoding);
	}
	for (uint32_t i = 0; i < n; i++)
		known += case_family_known(s, row[i]->own_case, families[known]);
	return known;
}

/* Where no notice was found: at the end of the mailbox, or in front of its first one, to which *seq leads. */
static int place_pass(struct store *s, struct lk_text worker, int64_t *seq, struct lk_error *err)
{
	struct stored_mailbox box;
	int rc = store_mailbox_get(s, worker, &box, err);

	if (rc < 0)
		return rc;
	if (*seq >= box.first && *seq < box.next)
		return place_gone(s, *seq, err);
	*seq = *seq < box.first ? box.first - 1 : INT64_MAX - 1;
	return 0;
}

/* Those after one place, up to another. */
static int notices_show(struct store *s, struct showing *to, struct lk_text worker, int64_t after,
			int64_t upto, int limit, struct lk_error *err)
{
	int64_t ref;
	int rc = name_seek(s, name_of_worker(worker), &ref, err);

	if (rc != 1)
		return rc;
	rc = 0;
	for (int64_t seq = after + 1; rc == 0 && seq <= upto && to->n < limit; seq++) {
		int n = to->n;

		if (mailbox_ends_at(s, ref, seq))
			break;
		rc = notice_show(s, to, worker, number_of(ref, seq), err);
		if (rc == 0 && to->n == n)
			rc = place_pass(s, worker, &seq, err);
	}
	return rc;
}

static int showing_begin(struct showing *to, stored_notice_visitor *visit, void *context,
			 struct lk_error *err)
{
	*to = (struct showing){ .visit = visit, .context = context, .room = room_make(err) };
	return to->room != NULL ? 0 : LK_EMEMORY;
}

int store_notices_after(struct store *s, struct lk_text worker, int64_t after, int limit,
			stored_notice_visitor *visit, void *context, struct lk_error *err)
{
	struct showing to;
	int rc = showing_begin(&to, visit, context, err);

	to.takes_encoded = true;
	if (rc == 0)
		rc = notices_show(s, &to, worker, after, UINT32_MAX, limit, err);
	free(to.room);
	return rc;
}

int store_notice_at(struct store *s, struct lk_text worker, int64_t seq,
		    stored_notice_visitor *visit, void *context, struct lk_error *err)
{
	struct showing to;
	int rc = showing_begin(&to, visit, context, err);

	if (rc == 0)
		rc = notices_show(s, &to, worker, seq - 1, seq, 1, err);
	free(to.room);
	return rc != 0 ? rc : to.n;
}

int notice_get(struct store *s, int64_t number, stored_notice_visitor *visit, void *context,
	       struct lk_error *err)
{
	struct showing to;
	int rc = showing_begin(&to, visit, context, err);

	if (rc == 0)
		rc = notice_show(s, &to, LK_NO_TEXT, number, err);
	free(to.room);
	return rc != 0 ? rc : to.n;
}

/* ---- Striking out ---------------------------------------------------------------------------- */

/* That something was told, and not what: as at a hand-out that may not show it. */
static void notice_reduce(struct stored_notice *n, struct lk_notice *said)
{
	lk_notice_reduce(said);
	n->said = said;
	n->state = LK_WITHDRAWN;
	n->level = LK_OWN;
	n->topic = -1;
	n->own = n->other = (struct case_key){ -1, LK_NO_TEXT };
	n->cause_at = n->told_at;
}

/* Named by its place: what its name was is not known any more. */
static int buried_name(struct store *s, struct lk_text worker, int64_t seq, uint8_t id[LK_DIGEST],
		       struct lk_error *err)
{
	lk_bytes_clear(&s->scratch);
	sum_blob(&s->scratch, s->identity, LK_DIGEST);
	sum_text(&s->scratch, worker);
	sum_int(&s->scratch, seq);
	if (s->scratch.failed)
		return lk_fail(err, LK_EMEMORY, "no memory for a notice");
	lk_digest(s->scratch.at, s->scratch.len, NULL, id);
	return 0;
}

int notice_bury(struct store *s, struct lk_text worker, int64_t ref, int64_t seq,
		struct lk_error *err)
{
	struct stored_notice n = { .worker = worker, .seq = seq, .rev = 1 };
	struct lk_notice said;
	int rc = buried_name(s, worker, seq, n.id, err);

	if (rc < 0)
		return rc;
	lk_notice_clear(&said);
	said.rev = n.rev;
	said.to = worker;
	said.kind = n.kind;
	notice_reduce(&n, &said);
	if ((rc = notice_insert(s, &n, ref, err)) == 0)
		rc = fresh_flush(s, err);
	fresh_forget(s); /* of millions nobody reads along */
	return rc;
}

struct striking {
	struct store *store;
	int64_t number;
	uint8_t *id;
	struct lk_error *err;
};

static int notice_rewrite(void *context, const struct stored_notice *row)
{
	const struct striking *strike = context;
	struct stored_notice n = *row;
	struct lk_notice said = *row->said;
	struct bound bound;
	struct query q;
	int rc;

	memcpy(strike->id, n.id, LK_DIGEST);
	notice_reduce(&n, &said);
	if ((rc = notice_bind(strike->store, &n, 0, &bound, strike->err)) < 0)
		return rc;
	q = query_begin(strike->store, SQL_strike_notice);
	bind_int(&q, strike->number);
	bind_int(&q, bound.marks);
	bind_int(&q, bound.sum);
	bind_blob(&q, bound.body->at, bound.body->len);
	return query_run(&q, strike->err);
}

int notice_strike(struct store *s, int64_t number, int64_t *ledger, uint8_t id[LK_DIGEST],
		  struct lk_error *err)
{
	struct striking strike = { s, number, id, err };
	struct query q = query_begin(s, SQL_strike_ledger_of);
	int rc, had;

	bind_int(&q, number);
	if ((had = query_number(&q, ledger, err)) < 0)
		return had;
	rc = notice_get(s, number, notice_rewrite, &strike, err);
	fresh_forget(s);
	return rc < 0 ? rc : had;
}

/* ---- Revs of families that came apart --------------------------------------------------------- */

int store_apart_get(struct store *s, const uint8_t id[LK_DIGEST], int64_t *rev,
		    struct lk_error *err)
{
	struct query q = query_begin(s, SQL_apart_get);

	bind_digest(&q, id);
	return query_number(&q, rev, err);
}

int store_apart_put(struct store *s, const uint8_t id[LK_DIGEST], int64_t rev, struct lk_error *err)
{
	struct query q =
		query_begin(s, SQL_apart_count); /* a row that is gone leaves no trace else */
	int rc;

	bind_digest(&q, id);
	if ((rc = query_run(&q, err)) < 0)
		return rc;
	q = query_begin(s, SQL_apart_put);
	bind_digest(&q, id);
	bind_int(&q, rev);
	return query_run(&q, err);
}

/* ---- Answers ---------------------------------------------------------------------------------- */

int store_answer_forget(struct store *s, const uint8_t id[LK_DIGEST], struct lk_error *err)
{
	struct query q = query_begin(s, SQL_answer_drop);

	bind_digest(&q, id);
	return query_run(&q, err);
}

int store_answer(struct store *s, const uint8_t id[LK_DIGEST], struct lk_text by, lk_instant at,
		 struct lk_error *err)
{
	struct query q;
	int64_t ref;
	int rc = name_intern(s, name_of_worker(by), &ref, err);

	if (rc < 0)
		return rc;
	s->fresh.answers++;
	q = query_begin(s, SQL_answer_add);
	bind_digest(&q, id);
	bind_int(&q, ref);
	bind_int(&q, at);
	return query_run(&q, err);
}
