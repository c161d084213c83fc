/* families.c - packed family rows, the cases they are made of, and what lets families find each
 * other.
 *
 * In: rows packed by the engine; links, identity tokens and calendar entries by case or family.
 * Out: the same. Promise: a family that was changed is marked, in the same transaction, for
 * state.db; a damaged row is not shown. What a family is, is asked of held.c: its row may be late.
 */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

/* ---- Rows ------------------------------------------------------------------------------------ */

/* A row as it is read: its bytes last until the next one is read or written. */
struct family_row {
	struct family_version is;
	const void *state, *told;
};

static void family_sum(struct store *s, const struct family_row *row)
{
	lk_bytes_clear(&s->scratch);
	sum_blob(&s->scratch, row->is.id, LK_DIGEST);
	sum_int(&s->scratch, row->is.wake_at);
	sum_blob(&s->scratch, row->is.policy, LK_DIGEST);
	sum_int(&s->scratch, row->is.number);
	sum_blob(&s->scratch, row->state, row->is.state_len);
	sum_blob(&s->scratch, row->told, row->is.told_len);
}

/* Both halves, squeezed in the row: 1, or 0 where they are not. */
static int halves_take(struct query *q, struct family_row *row, struct lk_error *err)
{
	struct lk_bytes *all = &q->store->squeezed;
	size_t len;
	const void *bytes = column_blob(q, &len);
	bool sound;

	lk_bytes_clear(all);
	sound = unsqueeze(bytes, len, FAMILY_BYTES_MAX, all);
	row->is.state_len = all->len;
	bytes = column_blob(q, &len);
	sound = sound && unsqueeze(bytes, len, FAMILY_BYTES_MAX, all);
	row->is.told_len = all->len - row->is.state_len;
	row->state = all->at;
	row->told = all->at + row->is.state_len;
	if (all->failed)
		return lk_fail(err, LK_EMEMORY, "store: no memory for a family");
	return sound;
}

/* 1, or 0 where it is not what was written. */
static int family_read(struct query *q, struct family_row *row, struct lk_error *err)
{
	int64_t sum = 0, stored;
	int rc;

	row->is = (struct family_version){ .ref = column_int(q) };
	(void)column_digest(q, row->is.id);
	row->is.wake_at = column_instant(q);
	(void)column_digest(q, row->is.policy);
	row->is.number = column_int(q);
	stored = column_int(q);
	if ((rc = halves_take(q, row, err)) != 1)
		return rc;
	family_sum(q->store, row);
	rc = sum_end(&q->store->scratch, &sum, err);
	return rc < 0 ? rc : sum == stored;
}

static int family_damaged(struct store *s, const struct family_row *row, struct lk_error *err)
{
	char hex[LK_DIGEST_HEX];

	lk_digest_hex(row->is.id, hex);
	store_doubt(s, DOUBT_DAMAGE, "a family's row is damaged: its sum is wrong");
	return lk_fail(err, LK_ESTORE, "store: family %s is damaged: its sum is wrong", hex);
}

int family_examine(struct query *q, struct lk_error *err)
{
	struct family_row row;
	int rc = family_read(q, &row, err);

	return rc == 0 ? family_damaged(q->store, &row, err) : rc < 0 ? rc : 0;
}

static int family_copy(const struct family_row *row, struct family_version *out,
		       struct lk_error *err)
{
	*out = row->is;
	out->bytes = malloc(row->is.state_len + row->is.told_len + 1);
	if (out->bytes == NULL)
		return lk_fail(err, LK_EMEMORY, "store: no memory for a family");
	if (row->is.state_len > 0)
		memcpy(out->bytes, row->state, row->is.state_len);
	if (row->is.told_len > 0)
		memcpy(out->bytes + row->is.state_len, row->told, row->is.told_len);
	return 1;
}

static int version_copy(const struct family_version *v, struct family_version *out,
			struct lk_error *err)
{
	const struct family_row row = { *v, v->bytes, v->bytes + v->state_len };

	return family_copy(&row, out, err);
}

/* Of a place: 0 where another family, or none, is there. */
static int row_load(struct store *s, const uint8_t id[LK_DIGEST], int64_t place,
		    struct family_version *out, struct lk_error *err)
{
	struct query q = query_begin(s, place != 0 ? SQL_family_at : SQL_family_get);
	struct family_row row;
	int rc, sound;

	bind_digest(&q, id);
	if (place != 0)
		bind_int(&q, place);
	if ((rc = query_step(&q, err)) == 1) {
		sound = family_read(&q, &row, err);
		rc = sound == 1 ? family_copy(&row, out, err) : sound;
		if (sound == 0 && !s->is_checked) /* else check.c names it */
			rc = family_damaged(s, &row, err);
	}
	query_end(&q);
	return rc;
}

int family_load(struct store *s, const uint8_t id[LK_DIGEST], struct family_version *out,
		struct lk_error *err)
{
	const struct case_slot *of = s->asked;
	const struct family_version *foreseen = ahead_family(s, id);
	int rc = 0;

	if (foreseen != NULL)
		return version_copy(foreseen, out, err);
	if (of != NULL && of->family_ref != 0 && memcmp(of->family, id, LK_DIGEST) == 0)
		rc = row_load(s, id, of->family_ref, out, err);
	return rc != 0 ? rc : row_load(s, id, 0, out, err);
}

static int version_sum(struct store *s, const struct family_version *v, int64_t *sum,
		       struct lk_error *err)
{
	const struct family_row row = { *v, v->bytes, v->bytes + v->state_len };

	family_sum(s, &row);
	return sum_end(&s->scratch, sum, err);
}

/* What it returns of the two halves, one behind the other, is the length of the first. */
static size_t version_squeeze(struct store *s, const struct family_version *v)
{
	size_t first;

	lk_bytes_clear(&s->squeezed);
	squeeze(v->bytes, v->state_len, &s->squeezed);
	first = s->squeezed.len;
	squeeze(v->bytes + v->state_len, v->told_len, &s->squeezed);
	return first;
}

static int version_run(struct query *q, const struct family_version *v, int64_t sum,
		       struct lk_error *err)
{
	const struct lk_bytes *halves = &q->store->squeezed;
	size_t first = version_squeeze(q->store, v);

	if (halves->failed) {
		query_end(q);
		return lk_fail(err, LK_EMEMORY, "store: no memory for a family");
	}
	bind_int(q, v->number);
	bind_int(q, sum);
	bind_blob(q, halves->at, first);
	bind_blob(q, halves->at + first, halves->len - first);
	return query_run(q, err);
}

int family_write(struct store *s, struct family_version *v, struct lk_error *err)
{
	int64_t policy, sum;
	struct query q;
	int rc = name_intern(s, name_of_policy(v->policy), &policy, err);

	if (rc < 0 || (rc = version_sum(s, v, &sum, err)) < 0)
		return rc;
	q = query_begin(s, v->ref == 0 ? SQL_family_add : SQL_family_put);
	if (v->ref == 0)
		bind_digest(&q, v->id);
	else
		bind_int(&q, v->ref);
	bind_instant(&q, v->wake_at);
	bind_int(&q, policy);
	if ((rc = version_run(&q, v, sum, err)) < 0 || v->ref != 0)
		return rc;
	v->ref = sqlite3_last_insert_rowid(s->db);
	q = query_begin(s, SQL_family_added);
	bind_digest(&q, v->id);
	bind_int(&q, v->ref);
	return query_run(&q, err);
}

int family_follow(struct store *s, const struct family_version *v, struct lk_error *err)
{
	struct query q;
	int64_t sum;
	int rc = version_sum(s, v, &sum, err);

	if (rc < 0)
		return rc;
	q = query_begin(s, SQL_family_follow);
	bind_int(&q, v->ref);
	return version_run(&q, v, sum, err);
}

/* ---- Families -------------------------------------------------------------------------------- */

struct stored_family stored_of(const struct family_version *v)
{
	struct stored_family family = { .wake_at = v->wake_at,
					.state = v->bytes,
					.state_len = v->state_len,
					.told = v->bytes + v->state_len,
					.told_len = v->told_len };

	memcpy(family.id, v->id, LK_DIGEST);
	memcpy(family.policy, v->policy, LK_DIGEST);
	return family;
}

int store_family_get(struct store *s, const uint8_t id[LK_DIGEST], stored_family_visitor *visit,
		     void *context, struct lk_error *err)
{
	const struct family_version *v;
	struct stored_family family;
	int rc = held_get(s, id, &v, err), answer;

	if (rc != 1)
		return rc;
	family = stored_of(v);
	answer = visit(context, &family);
	return answer != 0 ? answer : 1;
}

/* By its row's number: families that change together were often made together, and are marked on one page then. One that is
 * known to be marked is not marked again. */
static int family_mark(struct store *s, const uint8_t id[LK_DIGEST], struct lk_error *err)
{
	struct query q;
	int64_t ref = held_unmarked(s, id);

	s->changed = true;
	if (ref == 0)
		return 0;
	q = query_begin(s, SQL_dirty_put);
	bind_int(&q, ref);
	bind_int(&q, s->committed.position);
	return query_run(&q, err);
}

/* Most that go have joined another family before state.db ever heard of them. */
static int gone_mark(struct store *s, const uint8_t id[LK_DIGEST], struct lk_error *err)
{
	struct query q;

	s->changed = true;
	if (!state_may_have(s, id))
		return 0;
	q = query_begin(s, SQL_gone_put);
	bind_digest(&q, id);
	bind_int(&q, s->committed.position);
	return query_run(&q, err);
}

int store_family_put(struct store *s, const struct stored_family *family, struct lk_error *err)
{
	int rc = held_put(s, family, err);

	return rc < 0 ? rc : family_mark(s, family->id, err);
}

int store_draft_put(struct store *s, struct stored_draft *draft, struct lk_error *err)
{
	int rc = held_put_draft(s, draft, err);

	return rc < 0 ? rc : family_mark(s, draft->will.id, err);
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
	int rc = family_forget(s, SQL_dirty_clear, id, err);

	ahead_void(s);
	if (rc == 0)
		rc = family_forget(s, SQL_family_drop, id, err);
	held_drop(s, id);
	if (rc == 0)
		rc = family_forget(s, SQL_calendar_drop, id, err);
	return rc == 0 ? gone_mark(s, id, err) : rc;
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

/* NULL: nothing is remembered of it. */
static struct case_slot *case_remembered(const struct store *s, int64_t ref)
{
	struct case_slot *slot = &s->cases[ref % CASE_SLOTS];

	return slot->ref == ref && slot->generation == s->generation ? slot : NULL;
}

static struct case_slot *case_remember(const struct store *s, int64_t ref,
				       const uint8_t id[LK_DIGEST], int64_t family_ref)
{
	struct case_slot *slot = &s->cases[ref % CASE_SLOTS];

	*slot = (struct case_slot){ .ref = ref,
				    .family_ref = family_ref,
				    .generation = s->generation };
	memcpy(slot->family, id, LK_DIGEST);
	return slot;
}

void case_learn(struct query *q, int64_t ref)
{
	uint8_t family[LK_DIGEST];
	struct case_slot *slot;

	if (!column_digest(q, family))
		return;
	slot = case_remember(q->store, ref, family, column_int(q));
	slot->is_tokenless = column_int(q) == 0;
}

void case_foresee(struct store *s, int64_t ref, const uint8_t family[LK_DIGEST], int64_t family_ref,
		  bool is_tokenless)
{
	if (case_remembered(s, ref) == NULL)
		case_remember(s, ref, family, family_ref)->is_tokenless = is_tokenless;
}

static int case_ask(struct store *s, int64_t ref, struct lk_error *err)
{
	struct query q = query_begin(s, SQL_family_of_case);
	uint8_t family[LK_DIGEST];
	int rc;

	bind_int(&q, ref);
	if ((rc = query_step(&q, err)) == 1) {
		(void)column_digest(&q, family);
		s->asked = case_remember(s, ref, family, column_int(&q));
	}
	query_end(&q);
	return rc;
}

void case_expect(const struct store *s, int64_t ref)
{
	lines_expect(&s->cases[ref % CASE_SLOTS], sizeof(*s->cases));
}

bool case_family_known(const struct store *s, int64_t ref, uint8_t id[LK_DIGEST])
{
	const struct case_slot *slot = case_remembered(s, ref);

	if (slot != NULL)
		memcpy(id, slot->family, LK_DIGEST);
	return slot != NULL;
}

static int case_family(struct store *s, int64_t ref, uint8_t id[LK_DIGEST], struct lk_error *err)
{
	int rc;

	s->asked = case_remembered(s, ref);
	if (s->asked == NULL && (rc = case_ask(s, ref, err)) != 1)
		return rc;
	memcpy(id, s->asked->family, LK_DIGEST);
	return 1;
}

int store_case_family(struct store *s, struct case_key key, uint8_t id[LK_DIGEST],
		      struct lk_error *err)
{
	int64_t ref;
	int rc = name_seek(s, name_of_case(key), &ref, err);

	return rc == 1 ? case_family(s, ref, id, err) : rc;
}

int store_notice_family(struct store *s, const struct stored_notice *notice, uint8_t id[LK_DIGEST],
			struct lk_error *err)
{
	if (notice->own_ref != 0)
		return case_family(s, notice->own_ref, id, err);
	return lk_text_given(notice->own.number) ? store_case_family(s, notice->own, id, err) : 0;
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
	ahead_void(s);
	s->named = true; /* what is remembered of it is void after a rollback */
	(void)case_remember(s, ref, id, 0);
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

/* No sum is kept of a link, but it is there twice: a row that does not lead back is not what was written. */
static int link_checked(struct store *s, struct query *q, int64_t ref, struct lk_error *err)
{
	return column_int(q) != 0 ? 0 : row_damaged(s, err, "link of case", ref, "other end");
}

int store_link_between(struct store *s, struct case_key a, struct case_key b, lk_instant *since,
		       struct lk_error *err)
{
	struct query q;
	int64_t ref[2];
	int rc = name_seek(s, name_of_case(a), &ref[0], err);

	if (rc == 1)
		rc = name_seek(s, name_of_case(b), &ref[1], err);
	if (rc != 1)
		return rc;
	q = query_begin(s, SQL_link_between);
	bind_int(&q, ref[0]);
	bind_int(&q, ref[1]);
	if ((rc = query_step(&q, err)) == 1) {
		*since = column_int(&q);
		rc = link_checked(s, &q, ref[0], err) < 0 ? LK_ESTORE : 1;
	}
	query_end(&q);
	return rc;
}

typedef int case_since_visitor(void *context, struct case_key key, lk_instant since);

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
	while ((rc = query_step(&q, err)) == 1) {
		struct case_key other = { .agency = column_code(&q) };
		lk_instant since;

		other.number = column_text(&q);
		since = column_int(&q);
		rc = link_checked(s, &q, ref, err);
		if (rc == 0)
			rc = visit(context, other, since);
		if (rc != 0)
			break;
	}
	query_end(&q);
	return rc;
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
	if (case_remembered(s, ref) != NULL)
		case_remembered(s, ref)->is_tokenless = false;
	ahead_void(s);
	s->named = true; /* what is remembered of it is void after a rollback */
	q = query_begin(s, SQL_token_drop);
	bind_int(&q, ref);
	rc = query_run(&q, err);
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = token_put(s, ref, &tokens[i], err);
	return rc;
}

int store_has_tokens(struct store *s, struct case_key key, struct lk_error *err)
{
	struct case_slot *slot;
	struct query q;
	int64_t ref, one;
	int rc = name_seek(s, name_of_case(key), &ref, err);

	if (rc != 1)
		return rc;
	if ((slot = case_remembered(s, ref)) != NULL && slot->is_tokenless)
		return 0;
	q = query_begin(s, SQL_token_any);
	bind_int(&q, ref);
	rc = query_number(&q, &one, err);
	if (rc == 0 && slot != NULL)
		slot->is_tokenless = true;
	return rc;
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

int store_calendar_shared(struct store *s, const uint8_t family[LK_DIGEST], lk_instant from,
			  int (*visit)(void *context, const uint8_t other[LK_DIGEST]),
			  void *context, struct lk_error *err)
{
	uint8_t other[LK_DIGEST];
	int rc;
	struct query q = query_begin(s, SQL_calendar_shared);

	bind_digest(&q, family);
	bind_int(&q, from);
	while ((rc = query_step(&q, err)) == 1) {
		(void)column_digest(&q, other);
		if ((rc = visit(context, other)) != 0)
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

/* 1: to the first family of the next policy that some were derived under, but one; 0: there is none. */
static int next_policy(struct store *s, int64_t but, struct behind_place *place,
		       struct lk_error *err)
{
	int64_t next = place->policy;
	int rc;

	do {
		struct query q = query_begin(s, SQL_family_policy_next);
		bind_int(&q, next);
		rc = query_number(&q, &next, err);
	} while (rc == 1 && next == but);
	if (rc == 1)
		*place = (struct behind_place){ next, 0 };
	return rc;
}

int store_count_behind(struct store *s, const uint8_t policy[LK_DIGEST], struct behind_place *place,
		       int limit, int64_t *n, struct lk_error *err)
{
	int64_t ref = 0;
	int rc = name_seek(s, name_of_policy(policy), &ref, err), found = 0;
	struct query q;

	if (rc < 0)
		return rc;
	q = query_begin(s, SQL_family_of_policy);
	bind_int(&q, place->policy);
	bind_int(&q, place->family);
	bind_int(&q, limit);
	for (; (rc = query_step(&q, err)) == 1; found++)
		place->family = column_int(&q);
	query_end(&q);
	*n += found;
	if (rc < 0 || found == limit)
		return rc < 0 ? rc : 1;
	return next_policy(s, ref, place, err);
}
