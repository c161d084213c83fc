/* ledger.c - who was shown what of the other side, on what basis: append-only, each row chained
 * to the one before.
 *
 * In: one row a disclosure. Out: the row, and what it says of one notice. Promise: a row that was changed, taken out
 * or put in later breaks the chain for all after it.
 *
 * chain = BLAKE2b-128 of: the chain of the row before (zeroes for the first); then as 8 bytes
 * each, little-endian, the number, the instant, first_seq, last_seq and the level; then reader,
 * session and basis, each as its length in the same 8 bytes (-1: absent) and its bytes. An
 * auditor can follow it with any tool that knows the digest.
 */
#include "internal.h"

#include <string.h>

static int ledger_chain(struct store *s, const struct ledger_row *row, int64_t number,
			uint8_t chain[LK_DIGEST], struct lk_error *err)
{
	sum_begin(s);
	lk_bytes_add(&s->scratch, s->tips.chain, LK_DIGEST);
	sum_int(s, number);
	sum_int(s, row->at);
	sum_int(s, row->from);
	sum_int(s, row->upto);
	sum_int(s, row->level);
	sum_text(s, row->worker);
	sum_text(s, row->session);
	sum_text(s, row->basis);
	if (s->scratch.failed)
		return lk_fail(err, LK_EMEMORY, "store: no memory for the chain of the ledger");
	lk_digest(s->scratch.at, s->scratch.len, NULL, chain);
	return 0;
}

int store_ledger_add(struct store *s, const struct ledger_row *row, struct lk_error *err)
{
	int64_t reader, number = s->tips.ledger + 1;
	uint8_t chain[LK_DIGEST];
	struct query q;
	int rc = name_intern(s, name_of_worker(row->worker), &reader, err);

	if (rc == 0)
		rc = ledger_chain(s, row, number, chain, err);
	if (rc < 0)
		return rc;
	q = query_begin(s, SQL_ledger_add);
	bind_int(&q, number);
	bind_int(&q, row->at);
	bind_int(&q, reader);
	bind_text(&q, row->session);
	bind_int(&q, row->from);
	bind_int(&q, row->upto);
	bind_int(&q, row->level);
	bind_text(&q, row->basis);
	bind_digest(&q, chain);
	if ((rc = query_run(&q, err)) < 0)
		return rc;
	s->tips.ledger = number;
	memcpy(s->tips.chain, chain, LK_DIGEST);
	return 0;
}

int store_ledger_of(struct store *s, struct lk_text worker, int64_t seq, ledger_visitor *visit,
		    void *context, struct lk_error *err)
{
	struct query q;
	int64_t reader;
	int rc = name_seek(s, name_of_worker(worker), &reader, err);

	if (rc != 1)
		return rc;
	q = query_begin(s, SQL_ledger_of);
	bind_int(&q, reader);
	bind_int(&q, seq);
	while ((rc = query_step(&q, err)) == 1) {
		struct ledger_row row = { .worker = worker };

		row.at = column_int(&q);
		row.session = column_text(&q);
		row.from = column_int(&q);
		row.upto = column_int(&q);
		row.level = column_code(&q);
		row.basis = column_text(&q);
		if ((rc = visit(context, &row)) != 0)
			break;
	}
	query_end(&q);
	return rc;
}
