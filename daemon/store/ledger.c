/* ledger.c - who was shown what of the other side, on what basis: append-only, each row chained
 * to the one before.
 *
 * In: one row a disclosure. Out: the rows, and whether they are as they were written. Promise: a
 * row that was changed, taken out, put in, moved or cut off is found; a row may be made to say
 * nothing, on order, without breaking the chain.
 *
 * digest = BLAKE2b-128 of: the salt (12 bytes that nobody can guess); then as 8 bytes each,
 * little-endian, the instant, first_seq, last_seq and the level; then reader, session and basis,
 * each as its length in the same 8 bytes (-1: absent) and its bytes, as the view ledger_row has them.
 * chain = BLAKE2b-128 of: the chain of the row before (zeroes for the first), the number in 8
 * bytes, the digest. The last row of each commit keeps all of it, the others its first two bytes:
 * enough to name, nearly always, the row that was changed; that none was is said by those that keep all.
 * salt = the row's seal; where that is null, the 12 bytes of its place among the 768 that
 * randombytes_buf_deterministic() of libsodium (ChaCha20) makes of the secret of its block, which is 64
 * rows: (number - 1) / 64 says which, and the remainder the place.
 * A row that is expunged keeps number and chain; its seal is the digest from then on. Without the
 * salt nobody can try what the row may have said: so the secret of its block goes too, and the other
 * rows of the block keep their salts as seals. The table ledger_expunged names the row of the
 * order that took it away, and that row, chained like any other, counts and digests what it took:
 * a row cannot be hidden as if it had been expunged. An auditor can follow all of it with any tool
 * that knows the digest.
 *
 * Somebody who can write the file can write a chain anew from any row on. Therefore its head is
 * kept outside: in linkages.mark (mark.c) after each commit, and in the journal, which the daemon
 * can add to but not change, at every checkpoint.
 */
#include "ledger_parts.h"

#include <stdio.h>
#include <string.h>

/* ---- Chaining -------------------------------------------------------------------------------- */

static int ledger_digest(struct store *s, const struct ledger_row *row, const uint8_t salt[SALT],
			 uint8_t out[LK_DIGEST], struct lk_error *err)
{
	lk_bytes_clear(&s->scratch);
	lk_bytes_add(&s->scratch, salt, SALT);
	sum_int(&s->scratch, row->at);
	sum_int(&s->scratch, row->from);
	sum_int(&s->scratch, row->upto);
	sum_int(&s->scratch, row->level);
	sum_text(&s->scratch, row->worker);
	sum_text(&s->scratch, row->session);
	sum_text(&s->scratch, row->basis);
	if (s->scratch.failed)
		return lk_fail(err, LK_EMEMORY, "store: no memory for the chain of the ledger");
	lk_digest(s->scratch.at, s->scratch.len, NULL, out);
	return 0;
}

void ledger_chain_on(uint8_t chain[LK_DIGEST], int64_t number, const uint8_t digest[LK_DIGEST])
{
	uint8_t bytes[2 * LK_DIGEST + 8];

	memcpy(bytes, chain, LK_DIGEST);
	for (unsigned i = 0; i < 8; i++)
		bytes[LK_DIGEST + i] = (uint8_t)((uint64_t)number >> (8 * i));
	memcpy(bytes + LK_DIGEST + 8, digest, LK_DIGEST);
	lk_digest(bytes, sizeof(bytes), NULL, chain);
}

/* ---- Rows ------------------------------------------------------------------------------------ */

/* How the basis of a notice begins is said of many: up to the source of a consent, or all of it where it names
 * none. What people are asked for, and say, stays in the row: it may name a case. */
static uint32_t ground_len(const struct ledger_row *row)
{
	const char *slash;

	if (row->from == 0 || !lk_text_given(row->basis))
		return 0;
	slash = memchr(row->basis.at, '/', row->basis.len);
	return slash != NULL ? (uint32_t)(slash - row->basis.at) + 1 : row->basis.len;
}

/* As all tellings do. A row that was handed out is found by where it ends. */
static bool tells_one(const struct ledger_row *row)
{
	return row->upto == row->from && !lk_text_given(row->session);
}

static int ledger_insert(struct store *s, const struct ledger_row *row, int64_t reader,
			 const struct seal *salt, struct lk_error *err)
{
	struct fresh_ledger kept = { .number = s->tips.ledger,
				     .salt = *salt,
				     .at = row->at,
				     .reader = reader,
				     .from = row->from,
				     .upto = tells_one(row) ? 0 : row->upto,
				     .level = row->level };
	uint32_t ground = ground_len(row);
	struct lk_text rest = row->basis;
	int rc = ground > 0 ? phrase_ref(s, row->basis.at, ground, &kept.ground, err) : 0;

	if (rc < 0)
		return rc;
	if (ground > 0 && ground < rest.len)
		rest = (struct lk_text){ rest.at + ground, rest.len - ground };
	else if (ground > 0)
		rest = LK_NO_TEXT;
	memcpy(kept.chain.at, s->tips.chain, LK_DIGEST);
	return fresh_ledger_add(s, &kept, row->session, rest, err);
}

int store_ledger_add(struct store *s, const struct ledger_row *row, struct lk_error *err)
{
	uint8_t digest[LK_DIGEST];
	struct seal salt;
	int64_t reader;
	int rc = name_intern(s, name_of_worker(row->worker), &reader, err);

	if (rc == 0)
		rc = salt_make(s, s->tips.ledger + 1, &salt, err);
	if (rc == 0)
		rc = ledger_digest(s, row, salt.at, digest, err);
	if (rc < 0)
		return rc;
	s->tips.ledger++;
	ledger_chain_on(s->tips.chain, s->tips.ledger, digest);
	return ledger_insert(s, row, reader, &salt, err);
}

/* ---- Reading --------------------------------------------------------------------------------- */

static void seal_read(struct query *q, size_t expected, uint8_t seal[LK_DIGEST])
{
	size_t len;
	const void *at = column_blob(q, &len);

	memset(seal, 0, LK_DIGEST);
	if (len == expected)
		memcpy(seal, at, len);
}

/* All of it, or how it begins; else nothing that fits. */
static void link_read(struct query *q, struct sealed *out)
{
	size_t len;
	const void *at = column_blob(q, &len);

	memset(out->chain, 0, sizeof(out->chain));
	out->chain_len = len == LINK_START ? LINK_START : LK_DIGEST;
	if (len == out->chain_len)
		memcpy(out->chain, at, len);
}

void sealed_read(struct query *q, struct sealed *out)
{
	struct ledger_row *row = &out->row;

	row->number = column_int(q);
	row->at = column_instant(q);
	row->worker = column_text(q);
	row->session = column_text(q);
	row->from = column_int(q);
	row->upto = column_int(q);
	row->level = column_code(q);
	row->basis = column_text(q);
	out->follows = lk_text_given(row->worker) && column_is_null(q);
	seal_read(q, lk_text_given(row->worker) ? SALT : LK_DIGEST, out->seal);
	link_read(q, out);
}

int sealed_digest(struct store *s, const struct sealed *sealed, uint8_t out[LK_DIGEST],
		  struct lk_error *err)
{
	const uint8_t *salt = sealed->seal;
	int rc = sealed->follows ? salts_load(s, sealed->row.number, err) : 0;

	if (rc < 0)
		return rc;
	if (sealed->follows)
		salt = salt_at(s, sealed->row.number);
	return ledger_digest(s, &sealed->row, salt, out, err);
}

static int ledger_walk(struct query *q, ledger_visitor *visit, void *context, struct lk_error *err)
{
	struct sealed sealed;
	int rc;

	while ((rc = query_step(q, err)) == 1) {
		sealed_read(q, &sealed);
		if ((rc = visit(context, &sealed.row)) != 0)
			break;
	}
	query_end(q);
	return rc;
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
	return ledger_walk(&q, visit, context, err);
}

int store_ledger_after(struct store *s, int64_t after, int limit, ledger_visitor *visit,
		       void *context, struct lk_error *err)
{
	struct query q = query_begin(s, SQL_ledger_after);

	bind_int(&q, after);
	bind_int(&q, limit);
	return ledger_walk(&q, visit, context, err);
}

void store_ledger_head(const struct store *s, struct ledger_head *out)
{
	out->number = s->committed.ledger;
	memcpy(out->chain, s->committed.chain, LK_DIGEST);
}

/* ---- Taking rows away, on order -------------------------------------------------------------- */

#define ORDER_TAIL "; rows %lld %s"

void order_note(struct order *order, int64_t number)
{
	uint8_t bytes[8];

	for (unsigned i = 0; i < 8; i++)
		bytes[i] = (uint8_t)((uint64_t)number >> (8 * i));
	lk_bytes_add(&order->numbers, bytes, sizeof(bytes));
	order->n++;
}

void order_tail(const struct order *order, char out[ORDER_ROOM])
{
	uint8_t digest[LK_DIGEST];
	char hex[LK_DIGEST_HEX];

	lk_digest(order->numbers.at, order->numbers.len, NULL, digest);
	lk_digest_hex(digest, hex);
	(void)snprintf(out, ORDER_ROOM, ORDER_TAIL, (long long)order->n, hex);
}

/* 1: the row says nothing from now on; 0: it said nothing before. */
static int row_bare(struct store *s, int64_t number, struct lk_error *err)
{
	struct sealed sealed;
	uint8_t digest[LK_DIGEST];
	struct query q = query_begin(s, SQL_ledger_get);
	int rc;

	bind_int(&q, number);
	if ((rc = query_step(&q, err)) == 1) {
		sealed_read(&q, &sealed);
		rc = sealed_digest(s, &sealed, digest, err);
		rc = rc < 0 ? rc : 1;
	}
	query_end(&q);
	if (rc != 1)
		return rc;
	if ((rc = salts_spell(s, number, err)) < 0)
		return rc;
	q = query_begin(s, SQL_ledger_bare);
	bind_int(&q, number);
	bind_digest(&q, digest);
	rc = query_run(&q, err);
	return rc < 0 ? rc : 1;
}

static int order_row_add(struct store *s, int64_t number, struct lk_error *err)
{
	struct query q = query_begin(s, SQL_ledger_order_add);

	bind_int(&q, s->tips.ledger);
	bind_int(&q, number);
	return query_run(&q, err);
}

static int order_rows_bare(struct store *s, struct order *order, int64_t *numbers, size_t n,
			   struct lk_error *err)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		int rc = row_bare(s, numbers[i], err);

		if (rc < 0)
			return rc;
		if (rc == 0)
			continue;
		order_note(order, numbers[i]);
		numbers[kept++] = numbers[i];
	}
	return order->numbers.failed ? lk_fail(err, LK_EMEMORY, "store: no memory for an order")
				     : 0;
}

int store_ledger_expunge(struct store *s, const struct ledger_row *telling, int64_t *numbers,
			 size_t n, int64_t *gone, struct lk_error *err)
{
	char basis[ORDER_ROOM + 256], tail[ORDER_ROOM];
	struct ledger_row row = *telling;
	struct order order = { .n = 0 };
	int rc = order_rows_bare(s, &order, numbers, n, err);

	order_tail(&order, tail);
	row.basis = (struct lk_text){ basis, (uint32_t)snprintf(basis, sizeof(basis), "%.*s%s",
								LK_PRINT(telling->basis), tail) };
	if (rc == 0)
		rc = store_ledger_add(s, &row, err);
	for (int64_t i = 0; rc == 0 && i < order.n; i++)
		rc = order_row_add(s, numbers[i], err);
	*gone = order.n;
	lk_bytes_free(&order.numbers);
	return rc;
}
