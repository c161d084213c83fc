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
 * bytes, the digest. The last row of each commit keeps all of it, the others its first four bytes:
 * enough to name the row that was changed; that none was is said by those that keep all.
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
#include "internal.h"

#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

/* ---- Chaining -------------------------------------------------------------------------------- */

static int ledger_digest(struct store *s, const struct ledger_row *row, const uint8_t salt[SALT],
			 uint8_t out[LK_DIGEST], struct lk_error *err)
{
	sum_begin(s);
	lk_bytes_add(&s->scratch, salt, SALT);
	sum_int(s, row->at);
	sum_int(s, row->from);
	sum_int(s, row->upto);
	sum_int(s, row->level);
	sum_text(s, row->worker);
	sum_text(s, row->session);
	sum_text(s, row->basis);
	if (s->scratch.failed)
		return lk_fail(err, LK_EMEMORY, "store: no memory for the chain of the ledger");
	lk_digest(s->scratch.at, s->scratch.len, NULL, out);
	return 0;
}

static void chain_on(uint8_t chain[LK_DIGEST], int64_t number, const uint8_t digest[LK_DIGEST])
{
	uint8_t bytes[2 * LK_DIGEST + 8];

	memcpy(bytes, chain, LK_DIGEST);
	for (unsigned i = 0; i < 8; i++)
		bytes[LK_DIGEST + i] = (uint8_t)((uint64_t)number >> (8 * i));
	memcpy(bytes + LK_DIGEST + 8, digest, LK_DIGEST);
	lk_digest(bytes, sizeof(bytes), NULL, chain);
}

/* ---- Salts ----------------------------------------------------------------------------------- */

static int64_t block_of(int64_t number)
{
	return (number - 1) / SALTS + 1;
}

void salts_forget(struct store *s)
{
	sodium_memzero(&s->salts, sizeof(s->salts));
}

static void salts_fill(struct store *s, const uint8_t secret[SALTS_SECRET])
{
	static_assert(SALTS_SECRET == randombytes_SEEDBYTES, "a secret is a seed");
	randombytes_buf_deterministic(s->salts.at, sizeof(s->salts.at), secret);
	s->salts.has_secret = true;
}

/* A store in memory is the same each time it is played: its salts are no secret. */
static int randomness(const struct store *s, int64_t number, uint8_t *out, size_t len,
		      struct lk_error *err)
{
	uint8_t digest[LK_DIGEST];

	if (s->directory != NULL)
		return getrandom(out, len, 0) == (ssize_t)len
			       ? 0
			       : lk_fail(err, LK_ESTORE, "store: the system has no randomness");
	lk_digest(&number, sizeof(number), NULL, digest);
	for (size_t i = 0; i < len; i++)
		out[i] = digest[i % LK_DIGEST];
	return 0;
}

/* Those of the row of that number and its neighbours. */
static int salts_load(struct store *s, int64_t number, struct lk_error *err)
{
	int64_t block = block_of(number);
	struct query q;
	int rc;

	if (s->salts.block == block)
		return 0;
	salts_forget(s);
	q = query_begin(s, SQL_secret_get);
	bind_int(&q, block - 1);
	if ((rc = query_step(&q, err)) == 1) {
		size_t len;
		const void *secret = column_blob(&q, &len);

		if (len == SALTS_SECRET)
			salts_fill(s, secret);
	}
	query_end(&q);
	if (rc >= 0)
		s->salts.block = block;
	return rc < 0 ? rc : 0;
}

/* Of the block that begins with the row of that number. */
static int salts_make(struct store *s, int64_t number, struct lk_error *err)
{
	uint8_t secret[SALTS_SECRET];
	struct query q;
	int rc = randomness(s, number, secret, sizeof(secret), err);

	if (rc < 0)
		return rc;
	q = query_begin(s, SQL_secret_add);
	bind_int(&q, block_of(number) - 1);
	bind_blob(&q, secret, sizeof(secret));
	if ((rc = query_run(&q, err)) == 0) {
		salts_fill(s, secret);
		s->salts.block = block_of(number);
	}
	sodium_memzero(secret, sizeof(secret));
	return rc;
}

static const uint8_t *salt_at(const struct store *s, int64_t number)
{
	return s->salts.at[(number - 1) % SALTS];
}

/* Of a row that is to be written. */
static int salt_make(struct store *s, int64_t number, struct seal *out, struct lk_error *err)
{
	int rc = salts_load(s, number, err);

	if (rc == 0 && !s->salts.has_secret && number % SALTS == 1)
		rc = salts_make(s, number, err);
	if (rc < 0)
		return rc;
	out->is_spelled = !s->salts.has_secret;
	if (out->is_spelled)
		return randomness(s, number, out->at, SALT, err);
	memcpy(out->at, salt_at(s, number), SALT);
	return 0;
}

/* The block's secret goes, and what followed from it stands in its rows. */
static int salts_spell(struct store *s, int64_t number, struct lk_error *err)
{
	int64_t first = (block_of(number) - 1) * SALTS + 1;
	int rc = salts_load(s, number, err);
	struct query q;

	for (int64_t n = first; rc == 0 && s->salts.has_secret && n < first + SALTS; n++) {
		q = query_begin(s, SQL_ledger_spell);
		bind_int(&q, n);
		bind_blob(&q, salt_at(s, n), SALT);
		rc = query_run(&q, err);
	}
	if (rc < 0)
		return rc;
	salts_forget(s);
	q = query_begin(s, SQL_secret_drop);
	bind_int(&q, block_of(number) - 1);
	return query_run(&q, err);
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

static int ledger_insert(struct store *s, const struct ledger_row *row, int64_t reader,
			 const struct seal *salt, struct lk_error *err)
{
	struct fresh_ledger kept = { .number = s->tips.ledger,
				     .salt = *salt,
				     .at = row->at,
				     .reader = reader,
				     .from = row->from,
				     .upto = row->upto,
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
	chain_on(s->tips.chain, s->tips.ledger, digest);
	return ledger_insert(s, row, reader, &salt, err);
}

/* ---- Reading --------------------------------------------------------------------------------- */

struct sealed {
	struct ledger_row row;
	uint8_t seal
		[LK_DIGEST]; /* a salt, or the digest of a row that says nothing; zeroes: neither */
	bool follows;        /* its salt, from the block's secret */
	uint8_t chain[LK_DIGEST];
	size_t chain_len;
};

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

static void ledger_read(struct query *q, struct sealed *out)
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

/* With its salt, wherever that is. */
static int sealed_digest(struct store *s, const struct sealed *sealed, uint8_t out[LK_DIGEST],
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
		ledger_read(q, &sealed);
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

/* What an order's row says after the order's own words: how many rows it took, and the digest of
 * their numbers, ascending, as 8 bytes each, little-endian. */
#define ORDER_ROOM 80
#define ORDER_TAIL "; rows %lld %s"

struct order {
	int64_t by, n;
	struct lk_bytes numbers;
};

static void order_note(struct order *order, int64_t number)
{
	uint8_t bytes[8];

	for (unsigned i = 0; i < 8; i++)
		bytes[i] = (uint8_t)((uint64_t)number >> (8 * i));
	lk_bytes_add(&order->numbers, bytes, sizeof(bytes));
	order->n++;
}

static void order_tail(const struct order *order, char out[ORDER_ROOM])
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
		ledger_read(&q, &sealed);
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

/* ---- Checking -------------------------------------------------------------------------------- */

static int broken_at(struct ledger_check *check, int64_t number, const char *why)
{
	check->broken = number;
	(void)snprintf(check->why, sizeof(check->why), "row %lld %s", (long long)number, why);
	return 1;
}

/* 0 where the row says that it may say nothing; 1: it is broken. */
static int expunged_check(struct store *s, struct ledger_check *check, int64_t number,
			  struct lk_error *err)
{
	struct query q = query_begin(s, SQL_ledger_ordered_by);
	int64_t by = 0;
	int rc;

	bind_int(&q, number);
	rc = query_number(&q, &by, err);
	if (rc < 0)
		return rc;
	check->expunged++;
	return rc == 1 && by > number && by <= check->upto
		       ? 0
		       : broken_at(check, number, "says nothing, and no order took it away");
}

static int row_check(struct store *s, struct ledger_check *check, const struct sealed *sealed,
		     struct lk_error *err)
{
	int64_t number = sealed->row.number;
	uint8_t digest[LK_DIGEST];
	int rc = 0;

	if (number != check->at.number + 1)
		return broken_at(check, check->at.number + 1, "is missing");
	memcpy(digest, sealed->seal, LK_DIGEST);
	if (lk_text_given(sealed->row.worker))
		rc = sealed_digest(s, sealed, digest, err);
	else
		rc = expunged_check(s, check, number, err);
	if (rc != 0)
		return rc;
	chain_on(check->at.chain, number, digest);
	if (memcmp(check->at.chain, sealed->chain, sealed->chain_len) != 0)
		return broken_at(check, number, "is not the one that was written there");
	check->at.number = number;
	for (size_t i = 0; i < check->known_n; i++)
		if (check->known[i].number == number &&
		    memcmp(check->known[i].chain, check->at.chain, LK_DIGEST) != 0)
			return broken_at(
				check, number,
				"ends another chain than the head kept outside: the ledger "
				"was written anew");
	return 0;
}

/* An order is sound if its row says how many rows it took, and which. */
static int order_end(struct ledger_check *check, struct order *order, struct lk_text basis)
{
	char tail[ORDER_ROOM];
	size_t len;

	order_tail(order, tail);
	len = strlen(tail);
	lk_bytes_clear(&order->numbers);
	order->n = 0;
	if (basis.len >= len && memcmp(basis.at + basis.len - len, tail, len) == 0)
		return 0;
	return broken_at(check, order->by,
			 "tells of an order that took other rows away than those that are gone");
}

static int orders_walk(struct query *q, struct ledger_check *check, struct order *order,
		       struct lk_error *err)
{
	char basis[1024] = "";
	int rc;

	while ((rc = query_step(q, err)) == 1) {
		int64_t by = column_int(q), number = column_int(q);
		struct lk_text said = column_text(q);

		if (order->n > 0 && by != order->by &&
		    (rc = order_end(check, order, lk_text_of(basis))) != 0)
			return rc;
		if (by != order->by)
			(void)snprintf(basis, sizeof(basis), "%.*s", LK_PRINT(said));
		order->by = by;
		order_note(order, number);
	}
	return rc < 0 || order->n == 0 ? rc : order_end(check, order, lk_text_of(basis));
}

static int ledger_orders_check(struct store *s, struct ledger_check *check, struct lk_error *err)
{
	struct query q = query_begin(s, SQL_ledger_orders);
	struct order order = { .n = 0 };
	int rc = orders_walk(&q, check, &order, err);

	query_end(&q);
	lk_bytes_free(&order.numbers);
	return rc;
}

/* The last step: what the heads outside know must be there, and what orders took away is what
 * they say. */
static int end_check(struct store *s, struct ledger_check *check, struct lk_error *err)
{
	if (check->at.number < check->upto)
		return broken_at(check, check->at.number + 1, "is missing");
	for (size_t i = 0; i < check->known_n; i++)
		if (check->known[i].number > check->upto)
			return broken_at(check, check->upto + 1,
					 "is missing: the head kept outside is further");
	return ledger_orders_check(s, check, err);
}

int store_ledger_check(struct store *s, struct ledger_check *check, int limit, struct lk_error *err)
{
	struct sealed sealed = { 0 };
	struct query q;
	int n = 0, rc;

	if (check->upto == 0)
		check->upto = s->committed.ledger;
	q = query_begin(s, SQL_ledger_after);
	bind_int(&q, check->at.number);
	bind_int(&q, limit);
	while (check->broken == 0 && check->at.number < check->upto &&
	       (rc = query_step(&q, err)) != 0) {
		if (rc == 1)
			ledger_read(&q, &sealed);
		if (rc < 0 || (rc = row_check(s, check, &sealed, err)) < 0) {
			query_end(&q);
			return rc;
		}
		n++;
	}
	query_end(&q);
	if (check->broken != 0)
		return 0;
	if (n == limit && check->at.number < check->upto)
		return 1;
	rc = end_check(s, check, err);
	return rc < 0 ? rc : 0;
}
