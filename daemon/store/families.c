/* families.c - packed family rows, the cases they are made of, and what lets families find each
 * other.
 *
 * In: rows packed by the engine; links, identity tokens and calendar entries by case or family.
 * Out: the same. Promise: a family that was changed is marked, in the same transaction, for
 * state.db; a damaged row is not shown.
 */
#include "internal.h"

#include <string.h>

/* ---- Rows ------------------------------------------------------------------------------------ */

static void family_sum(struct store *s, const struct stored_family *f)
{
	sum_begin(s);
	sum_blob(s, f->id, LK_DIGEST);
	sum_int(s, f->wake_at);
	sum_blob(s, f->policy, LK_DIGEST);
	sum_blob(s, f->state, f->state_len);
	sum_blob(s, f->told, f->told_len);
}

static int family_read(struct query *q, struct stored_family *f, struct lk_error *err)
{
	int64_t sum = 0, stored;
	int rc;

	(void)column_digest(q, f->id);
	f->wake_at = column_instant(q);
	(void)column_digest(q, f->policy);
	stored = column_int(q);
	f->state = column_blob(q, &f->state_len);
	f->told = column_blob(q, &f->told_len);
	family_sum(q->store, f);
	if ((rc = sum_end(q->store, &sum, err)) == 0 && sum != stored) {
		char hex[LK_DIGEST_HEX];

		lk_digest_hex(f->id, hex);
		rc = lk_fail(err, LK_ESTORE, "store: family %s is damaged: its sum is wrong", hex);
		store_doubt(q->store, DOUBT_DAMAGE, "a family's row is damaged: its sum is wrong");
	}
	return rc;
}

int family_examine(struct query *q, struct lk_error *err)
{
	struct stored_family family;

	return family_read(q, &family, err);
}

int store_family_get(struct store *s, const uint8_t id[LK_DIGEST], stored_family_visitor *visit,
		     void *context, struct lk_error *err)
{
	struct query q = query_begin(s, SQL_family_get);
	struct stored_family family;
	int rc, answer;

	bind_digest(&q, id);
	rc = query_step(&q, err);
	if (rc == 1) {
		if ((answer = family_read(&q, &family, err)) == 0)
			answer = visit(context, &family);
		rc = answer != 0 ? answer : 1;
	}
	query_end(&q);
	return rc;
}

int families_mark(struct store *s, const uint8_t id[LK_DIGEST], struct lk_error *err)
{
	struct query q = query_begin(s, SQL_dirty_put);

	s->changed = true;
	bind_digest(&q, id);
	bind_int(&q, s->committed.position);
	return query_run(&q, err);
}

int store_family_put(struct store *s, const struct stored_family *family, struct lk_error *err)
{
	int64_t policy, sum;
	struct query q;
	int rc = name_intern(s, name_of_policy(family->policy), &policy, err);

	if (rc < 0)
		return rc;
	family_sum(s, family);
	if ((rc = sum_end(s, &sum, err)) < 0)
		return rc;
	q = query_begin(s, SQL_family_put);
	bind_digest(&q, family->id);
	bind_instant(&q, family->wake_at);
	bind_int(&q, policy);
	bind_int(&q, sum);
	bind_blob(&q, family->state, family->state_len);
	bind_blob(&q, family->told, family->told_len);
	if ((rc = query_run(&q, err)) < 0)
		return rc;
	return families_mark(s, family->id, err);
}

static int family_forget(struct store *s, enum statement which, const uint8_t id[LK_DIGEST],
			 struct lk_error *err)
{
	struct query q = query_begin(s, which);

	bind_digest(&q, id);
	return query_run(&q, err);
}

int store_family_drop(struct store *s, const uint8_t id[LK_DIGEST], struct lk_error *err)
{
	int rc = family_forget(s, SQL_family_drop, id, err);

	if (rc == 0)
		rc = family_forget(s, SQL_calendar_drop, id, err);
	return rc == 0 ? families_mark(s, id, err) : rc;
}

/* ---- What is due ----------------------------------------------------------------------------- */

static int ids_walk(struct query *q, family_id_visitor *visit, void *context, struct lk_error *err)
{
	uint8_t id[LK_DIGEST];
	int rc;

	while ((rc = query_step(q, err)) == 1) {
		(void)column_digest(q, id);
		if ((rc = visit(context, id, column_instant(q))) != 0)
			break;
	}
	query_end(q);
	return rc;
}

int store_families_due(struct store *s, lk_instant now, int limit, family_id_visitor *visit,
		       void *context, struct lk_error *err)
{
	struct query q = query_begin(s, SQL_family_due);

	bind_int(&q, now);
	bind_int(&q, limit);
	return ids_walk(&q, visit, context, err);
}

int store_families_behind(struct store *s, const uint8_t policy[LK_DIGEST], int limit,
			  family_id_visitor *visit, void *context, struct lk_error *err)
{
	struct query q;
	int64_t ref =
		0; /* no family was derived under a policy that was never named: all are behind */
	int rc = name_seek(s, name_of_policy(policy), &ref, err);

	if (rc < 0)
		return rc;
	q = query_begin(s, SQL_family_behind);
	bind_int(&q, ref);
	bind_int(&q, limit);
	return ids_walk(&q, visit, context, err);
}

int store_families_after(struct store *s, const uint8_t *after, int limit, family_id_visitor *visit,
			 void *context, struct lk_error *err)
{
	struct query q = query_begin(s, SQL_family_after);

	bind_blob(&q, after, after != NULL ? LK_DIGEST : 0);
	bind_int(&q, limit);
	return ids_walk(&q, visit, context, err);
}

int store_is_dirty(struct store *s, const uint8_t id[LK_DIGEST], struct lk_error *err)
{
	struct query q = query_begin(s, SQL_dirty_get);
	int64_t one;

	bind_digest(&q, id);
	return query_number(&q, &one, err);
}

int store_next_wake(struct store *s, lk_instant *at, struct lk_error *err)
{
	struct query q = query_begin(s, SQL_family_next_wake);
	int rc;

	*at = LK_NO_INSTANT;
	rc = query_number(&q, at, err);
	return rc < 0 ? rc : 0;
}

int store_dirty_families(struct store *s, int limit, family_id_visitor *visit, void *context,
			 struct lk_error *err)
{
	struct query q = query_begin(s, SQL_dirty_some);

	bind_int(&q, limit);
	return ids_walk(&q, visit, context, err);
}

/* ---- Cases ----------------------------------------------------------------------------------- */

static void case_remember(const struct store *s, struct case_slot *slot, int64_t ref,
			  const uint8_t id[LK_DIGEST])
{
	slot->ref = ref;
	slot->generation = s->generation;
	memcpy(slot->family, id, LK_DIGEST);
}

int store_case_family(struct store *s, struct case_key key, uint8_t id[LK_DIGEST],
		      struct lk_error *err)
{
	struct case_slot *slot;
	struct query q;
	int64_t ref;
	int rc = name_seek(s, name_of_case(key), &ref, err);

	if (rc != 1)
		return rc;
	slot = &s->cases[ref % CASE_SLOTS];
	if (slot->ref == ref && slot->generation == s->generation) {
		memcpy(id, slot->family, LK_DIGEST);
		return 1;
	}
	q = query_begin(s, SQL_family_of_case);
	bind_int(&q, ref);
	if ((rc = query_step(&q, err)) == 1 && column_digest(&q, id))
		case_remember(s, slot, ref, id);
	query_end(&q);
	return rc;
}

int store_case_join(struct store *s, struct case_key key, const uint8_t id[LK_DIGEST],
		    struct lk_error *err)
{
	struct query q;
	int64_t ref;
	int rc = name_intern(s, name_of_case(key), &ref, err);

	if (rc < 0)
		return rc;
	q = query_begin(s, SQL_case_join);
	bind_int(&q, ref);
	bind_digest(&q, id);
	s->named = true; /* what is remembered of it is void after a rollback */
	case_remember(s, &s->cases[ref % CASE_SLOTS], ref, id);
	return query_run(&q, err);
}

int store_family_cases(struct store *s, const uint8_t id[LK_DIGEST], case_visitor *visit,
		       void *context, struct lk_error *err)
{
	struct query q = query_begin(s, SQL_family_cases);
	struct case_key key;
	int rc;

	bind_digest(&q, id);
	while ((rc = query_step(&q, err)) == 1) {
		key.agency = column_code(&q);
		key.number = column_text(&q);
		if ((rc = visit(context, key)) != 0)
			break;
	}
	query_end(&q);
	return rc;
}

/* ---- Links and tokens ------------------------------------------------------------------------ */

static int pair_intern(struct store *s, struct case_key a, struct case_key b, int64_t ref[2],
		       struct lk_error *err)
{
	int rc = name_intern(s, name_of_case(a), &ref[0], err);

	return rc < 0 ? rc : name_intern(s, name_of_case(b), &ref[1], err);
}

int store_link_put(struct store *s, struct case_key a, struct case_key b, lk_instant since,
		   struct lk_error *err)
{
	struct query q;
	int64_t ref[2];
	int rc = pair_intern(s, a, b, ref, err);

	if (rc < 0)
		return rc;
	q = query_begin(s, SQL_link_put);
	bind_int(&q, ref[0]);
	bind_int(&q, ref[1]);
	bind_int(&q, since);
	return query_run(&q, err);
}

int store_link_drop(struct store *s, struct case_key a, struct case_key b, struct lk_error *err)
{
	struct query q;
	int64_t ref[2];
	int rc = pair_intern(s, a, b, ref, err);

	if (rc < 0)
		return rc;
	q = query_begin(s, SQL_link_drop);
	bind_int(&q, ref[0]);
	bind_int(&q, ref[1]);
	return query_run(&q, err);
}

typedef int case_since_visitor(void *context, struct case_key key, lk_instant since);

static int cases_walk(struct query *q, case_since_visitor *visit, void *context,
		      struct lk_error *err)
{
	struct case_key key;
	int rc;

	while ((rc = query_step(q, err)) == 1) {
		key.agency = column_code(q);
		key.number = column_text(q);
		if ((rc = visit(context, key, column_int(q))) != 0)
			break;
	}
	query_end(q);
	return rc;
}

int store_links_of(struct store *s, struct case_key key, case_since_visitor *visit, void *context,
		   struct lk_error *err)
{
	struct query q;
	int64_t ref;
	int rc = name_seek(s, name_of_case(key), &ref, err);

	if (rc != 1)
		return rc;
	q = query_begin(s, SQL_link_of);
	bind_int(&q, ref);
	return cases_walk(&q, visit, context, err);
}

static int token_put(struct store *s, int64_t ref, const struct stored_token *token,
		     struct lk_error *err)
{
	struct query q = query_begin(s, SQL_token_put);

	bind_int(&q, token->kind);
	bind_digest(&q, token->token);
	bind_int(&q, ref);
	bind_int(&q, token->since);
	return query_run(&q, err);
}

int store_tokens_put(struct store *s, struct case_key key, const struct stored_token *tokens,
		     size_t n, struct lk_error *err)
{
	struct query q;
	int64_t ref;
	int rc = name_intern(s, name_of_case(key), &ref, err);

	if (rc < 0)
		return rc;
	q = query_begin(s, SQL_token_drop);
	bind_int(&q, ref);
	rc = query_run(&q, err);
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = token_put(s, ref, &tokens[i], err);
	return rc;
}

int store_has_tokens(struct store *s, struct case_key key, struct lk_error *err)
{
	struct query q;
	int64_t ref, one;
	int rc = name_seek(s, name_of_case(key), &ref, err);

	if (rc != 1)
		return rc;
	q = query_begin(s, SQL_token_any);
	bind_int(&q, ref);
	return query_number(&q, &one, err);
}

int store_lookalikes(struct store *s, struct case_key key, lookalike_visitor *visit, void *context,
		     struct lk_error *err)
{
	struct query q;
	struct case_key other;
	int64_t ref;
	int kind, rc = name_seek(s, name_of_case(key), &ref, err);

	if (rc != 1)
		return rc;
	q = query_begin(s, SQL_lookalikes);
	bind_int(&q, ref);
	while ((rc = query_step(&q, err)) == 1) {
		other.agency = column_code(&q);
		other.number = column_text(&q);
		kind = column_code(&q);
		if ((rc = visit(context, other, kind, column_int(&q))) != 0)
			break;
	}
	query_end(&q);
	return rc;
}

/* ---- Calendars ------------------------------------------------------------------------------- */

static int calendar_line(struct store *s, const uint8_t family[LK_DIGEST], size_t line,
			 const struct calendar_entry *entry, struct lk_error *err)
{
	struct query q;
	int64_t worker;
	int rc = name_intern(s, name_of_worker(entry->worker), &worker, err);

	if (rc < 0)
		return rc;
	q = query_begin(s, SQL_calendar_put);
	bind_digest(&q, family);
	bind_int(&q, (int64_t)line);
	bind_int(&q, worker);
	bind_text(&q, entry->meeting);
	bind_text(&q, entry->place);
	bind_int(&q, entry->start);
	bind_int(&q, entry->end);
	bind_int(&q, entry->scheduled_at);
	bind_int(&q, entry->agency);
	bind_int(&q, entry->kind);
	return query_run(&q, err);
}

int store_calendar_put(struct store *s, const uint8_t family[LK_DIGEST],
		       const struct calendar_entry *entries, size_t n, struct lk_error *err)
{
	int rc = family_forget(s, SQL_calendar_drop, family, err);

	for (size_t i = 0; i < n && rc == 0; i++)
		rc = calendar_line(s, family, i, &entries[i], err);
	return rc;
}

int store_calendar_of(struct store *s, struct lk_text worker, lk_instant from,
		      calendar_visitor *visit, void *context, struct lk_error *err)
{
	struct calendar_entry entry = { .worker = worker };
	uint8_t family[LK_DIGEST];
	struct query q;
	int64_t ref;
	int rc = name_seek(s, name_of_worker(worker), &ref, err);

	if (rc != 1)
		return rc;
	q = query_begin(s, SQL_calendar_of);
	bind_int(&q, ref);
	bind_int(&q, from);
	while ((rc = query_step(&q, err)) == 1) {
		(void)column_digest(&q, family);
		entry.meeting = column_text(&q);
		entry.place = column_text(&q);
		entry.start = column_int(&q);
		entry.end = column_int(&q);
		entry.scheduled_at = column_int(&q);
		entry.agency = column_code(&q);
		entry.kind = column_code(&q);
		if ((rc = visit(context, family, &entry)) != 0)
			break;
	}
	query_end(&q);
	return rc;
}

/* ---- How many -------------------------------------------------------------------------------- */

int store_count_families(struct store *s, uint8_t after[LK_DIGEST], int limit, struct lk_error *err)
{
	struct query q = query_begin(s, SQL_family_ids);
	uint8_t from[LK_DIGEST];
	int rc, n = 0;

	memcpy(from, after, LK_DIGEST);
	bind_digest(&q, from);
	bind_int(&q, limit);
	for (; (rc = query_step(&q, err)) == 1; n++)
		(void)column_digest(&q, after);
	query_end(&q);
	return rc < 0 ? rc : n;
}
