/* salts.c - what is mixed into each row's digest in the ledger, so that nobody can guess a row and try it.
 *
 * In: the number of a row. Out: its salt. Promise: the salts of a block of rows follow from one secret, which is kept once;
 * when that has to go with one of the rows, the others keep theirs spelled out. The format is told in ledger.c.
 */
#include "internal.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>
#include <sys/random.h>

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

int salts_load(struct store *s, int64_t number, struct lk_error *err)
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

const uint8_t *salt_at(const struct store *s, int64_t number)
{
	return s->salts.at[(number - 1) % SALTS];
}

int salt_make(struct store *s, int64_t number, struct seal *out, struct lk_error *err)
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

int salts_spell(struct store *s, int64_t number, struct lk_error *err)
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
