/* hold.c - legal holds: cases that may not be expunged.
 *
 * In: a case and a reason. Out: whether it is held, and the list of those that are. Promise: a hold stays until it is released.
 */
#include "internal.h"

static struct query hold_query(struct store *s, enum statement which, struct case_key key)
{
	struct query q = query_begin(s, which);

	bind_int(&q, key.agency);
	bind_text(&q, key.number);
	return q;
}

int store_hold_put(struct store *s, struct case_key key, struct lk_text reason, lk_instant at,
		   struct lk_error *err)
{
	struct query q = hold_query(s, SQL_hold_put, key);

	bind_text(&q, reason);
	bind_int(&q, at);
	return query_run(&q, err);
}

int store_hold_drop(struct store *s, struct case_key key, struct lk_error *err)
{
	struct query q = hold_query(s, SQL_hold_drop, key);
	int64_t one;

	return query_number(&q, &one, err);
}

int store_is_held(struct store *s, struct case_key key, struct lk_error *err)
{
	struct query q = hold_query(s, SQL_hold_get, key);
	int64_t one;

	return query_number(&q, &one, err);
}

int store_holds(struct store *s, hold_visitor *visit, void *context, struct lk_error *err)
{
	struct query q = query_begin(s, SQL_hold_list);
	struct lk_text reason;
	struct case_key key;
	int rc;

	while ((rc = query_step(&q, err)) == 1) {
		key.agency = column_code(&q);
		key.number = column_text(&q);
		reason = column_text(&q);
		if ((rc = visit(context, key, reason, column_int(&q))) != 0)
			break;
	}
	query_end(&q);
	return rc;
}
