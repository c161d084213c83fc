/* ledger_check.c - whether the ledger is as it was written.
 *
 * In: the rows, in as many steps as one likes, and heads that were kept outside of the database. Out: the first row that
 * does not fit its link, and why: the one that was meddled with, or, once in 65,536, one soon behind it. Promise: a row that
 * was changed, put in, taken out or cut off is found, also one that passes for expunged: what an order says it took must be
 * what is gone.
 */
#include "ledger_parts.h"

#include <stdio.h>
#include <string.h>

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
	ledger_chain_on(check->at.chain, number, digest);
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
			sealed_read(&q, &sealed);
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
