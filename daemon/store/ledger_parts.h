/* ledger_parts.h - between ledger.c, which writes and reads the ledger, and ledger_check.c, which proves it. */
#ifndef LINKAGES_STORE_LEDGER_PARTS_H
#define LINKAGES_STORE_LEDGER_PARTS_H

#include "internal.h"

/* A row, and what it is chained by. */
struct sealed {
	struct ledger_row row;
	uint8_t seal[LK_DIGEST]; /* a salt, or the digest of a row that says nothing; zeroes: neither */
	bool follows;            /* its salt, from the block's secret */
	uint8_t chain[LK_DIGEST];
	size_t chain_len; /* so much of it is kept */
};

/* The row that a query of ledger_row stands at. */
void sealed_read(struct query *q, struct sealed *out);
/* Of a row that says something, with its salt, wherever that is. */
int sealed_digest(struct store *s, const struct sealed *sealed, uint8_t out[LK_DIGEST],
		  struct lk_error *err) LK_MUST_CHECK;
/* The next link. */
void ledger_chain_on(uint8_t chain[LK_DIGEST], int64_t number, const uint8_t digest[LK_DIGEST]);

/* An order, and the rows that it took. */
struct order {
	int64_t by; /* its own row */
	int64_t n;
	struct lk_bytes numbers;
};
void order_note(struct order *order, int64_t number); /* of a row that it took; ascending */
/* What its row says after the order's own words: how many rows it took, and the digest of their numbers, as 8 bytes each,
 * little-endian. */
#define ORDER_ROOM 80
void order_tail(const struct order *order, char out[ORDER_ROOM]);

#endif
