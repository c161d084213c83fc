/* held.c - families written behind the log: what a commit changed of them is one row of `family_change`,
 * and their own rows follow later, several changes at once.
 *
 * In: families as the turn packs them. Out: the same, from memory or from their rows. Promise: what was
 * committed is there after a crash, whether or not a family's row had followed (held_change.c, held_follow.c);
 * after a rollback nothing is held but what was committed.
 *
 * What the store is asked by SQL is never late: a family that is new, gone, wakes at another time or was
 * derived under another policy is written through, in the transaction that changes it.
 */
#include "held_parts.h"

#include <stdlib.h>
#include <string.h>

static const struct held_bounds bounds = {
	.memory = (size_t)64 << 20,
	.families = 98304, /* each is a page to be read and written at the end */
	.bytes = (size_t)24 << 20,
	.changes = (size_t)8 << 20,
};

/* ---- What is held ---------------------------------------------------------------------------- */

static size_t bucket_of(const uint8_t id[LK_DIGEST])
{
	return (size_t)(id[0] | id[1] << 8) % HELD_BUCKETS; /* ids are digests: any bits will do */
}

struct held *held_find(const struct held_families *all, const uint8_t id[LK_DIGEST])
{
	struct held *h = all->bucket != NULL ? all->bucket[bucket_of(id)] : NULL;

	while (h != NULL && memcmp(h->is.id, id, LK_DIGEST) != 0)
		h = h->next_in_bucket;
	return h;
}

static const struct family_version *held_now(const struct held *h)
{
	return h->is_changed ? &h->will : &h->is;
}

static size_t whole_size(const struct held *h)
{
	return h->is.state_len + h->is.told_len;
}

static size_t held_size(const struct held *h)
{
	return sizeof(*h) + whole_size(h) + h->pending.len;
}

static void weight_add(struct held_families *all, const struct held *h)
{
	all->bytes += held_size(h);
	all->whole_bytes += whole_size(h);
}

static void weight_take(struct held_families *all, const struct held *h)
{
	all->bytes -= held_size(h);
	all->whole_bytes -= whole_size(h);
}

static void list_add(struct held_families *all, enum held_order order, struct held *h)
{
	struct held_list *list = &all->list[order];

	h->link[order] = (struct held_link){ .older = list->newest };
	*(list->newest != NULL ? &list->newest->link[order].newer : &list->oldest) = h;
	list->newest = h;
}

static void list_take(struct held_families *all, enum held_order order, struct held *h)
{
	struct held_list *list = &all->list[order];
	const struct held_link *is = &h->link[order];

	*(is->older != NULL ? &is->older->link[order].newer : &list->oldest) = is->newer;
	*(is->newer != NULL ? &is->newer->link[order].older : &list->newest) = is->older;
}

/* Of this transaction, if it changes a family. */
int64_t held_number(const struct held_families *all)
{
	return all->last + 1;
}

/* ---- What rows lack -------------------------------------------------------------------------- */

void pending_clear(struct held_families *all, struct held *h)
{
	all->bytes -= h->pending.len;
	all->late_bytes -= h->pending.len;
	all->pending_n -= h->pending.n;
	free(h->pending.at);
	h->pending = (struct pending){ 0 };
}

/* What is short of memory stays as it is, and is never lean. */
void pending_add(struct held_families *all, struct held *h, int64_t from, struct delta_bytes change)
{
	struct pending *p = &h->pending;
	uint8_t *wider = realloc(p->at, p->len + change.len);

	if (wider == NULL) {
		p->is_short = true;
		return;
	}
	memcpy(wider + p->len, change.at, change.len);
	p->from = p->len == 0 ? from : p->from;
	p->at = wider;
	p->len += change.len;
	p->n++;
	all->bytes += change.len;
	all->late_bytes += change.len;
	all->pending_n++;
}

void late_begin(struct held_families *all, struct held *h, int64_t since)
{
	if (h->is_late)
		return;
	h->is_late = true;
	h->since = since;
	list_add(all, HELD_LATE, h);
	all->late_n++;
}

void late_end(struct held_families *all, struct held *h)
{
	if (!h->is_late)
		return;
	list_take(all, HELD_LATE, h);
	all->late_n--;
	h->is_late = false;
	pending_clear(all, h);
}

/* ---- In memory, and out of it ---------------------------------------------------------------- */

void held_remove(struct held_families *all, struct held *h)
{
	struct held **at = &all->bucket[bucket_of(h->is.id)];

	late_end(all, h);
	if (!h->is_lean)
		list_take(all, HELD_USED, h);
	while (*at != h)
		at = &(*at)->next_in_bucket;
	*at = h->next_in_bucket;
	weight_take(all, h);
	free(h->is.bytes);
	free(h);
}

/* Another version of the same family takes the place of the one that was committed. */
static void held_replace(struct held_families *all, struct held *h, const struct family_version *by)
{
	weight_take(all, h);
	free(h->is.bytes);
	h->is = *by;
	weight_add(all, h);
}

static void held_lean(struct held_families *all, struct held *h)
{
	struct family_version lean = h->is;

	lean.bytes = NULL;
	lean.state_len = lean.told_len = 0;
	held_replace(all, h, &lean);
	list_take(all, HELD_USED, h);
	h->is_lean = true;
}

/* The log has what rows lack, but it can not be asked for one family. */
static bool can_be_lean(const struct held *h)
{
	return !h->is_broken && !h->pending.is_short && h->is.ref != 0;
}

/* What a transaction has changed is what was used last: nothing that may give way lies behind it. */
static void held_use(struct held_families *all, struct held *h)
{
	list_take(all, HELD_USED, h);
	list_add(all, HELD_USED, h);
}

static bool is_crowded(const struct held_families *all)
{
	return all->bytes > all->bounds.memory ||
	       all->whole_bytes > again_room(&all->again, all->bounds.memory);
}

void held_trim(struct held_families *all)
{
	struct held *h = all->list[HELD_USED].oldest, *newer;

	for (; is_crowded(all) && h != NULL && !h->is_changed; h = newer) {
		newer = h->link[HELD_USED].newer;
		if (!h->is_late)
			held_remove(all, h);
		else if (can_be_lean(h))
			held_lean(all, h);
	}
}

/* Takes the bytes of the version over, unless there is no memory. */
struct held *held_add(struct held_families *all, const struct family_version *is, bool is_lean)
{
	struct held *h = calloc(1, sizeof(*h));

	held_trim(all);
	if (h == NULL)
		return NULL;
	h->is = *is;
	h->is_lean = is_lean;
	h->next_in_bucket = all->bucket[bucket_of(is->id)];
	all->bucket[bucket_of(is->id)] = h;
	if (!is_lean)
		list_add(all, HELD_USED, h);
	weight_add(all, h);
	return h;
}

bool held_make(struct store *s)
{
	s->held.bounds = bounds;
	s->held.bucket = calloc(HELD_BUCKETS, sizeof(struct held *));
	return s->held.bucket != NULL;
}

/* What its row lacks of it, which may be nothing: rows follow in any order. */
static int pending_apply(struct store *s, struct held *h, struct family_version *v,
			 struct lk_error *err)
{
	struct delta_bytes rest = { h->pending.at, h->pending.len };
	int64_t number = h->pending.from;
	struct change c;
	int rc = 1;

	while (rc == 1 && rest.len > 0) {
		if (!change_take(&rest, &c))
			break; /* it was read before */
		number += c.back;
		if (number > v->number)
			rc = number - c.back == v->number ? change_apply(v, &c, err) : 0;
	}
	if (rc != 0)
		return rc;
	h->is_broken = true;
	return change_damaged(s, number, "predecessor", err);
}

/* From its row, and what is pending (h, if any): 1; 0: there is no row. */
int held_version(struct store *s, const uint8_t id[LK_DIGEST], struct held *h,
		 struct family_version *out, struct lk_error *err)
{
	int rc = family_load(s, id, out, err);

	if (rc != 1 || h == NULL)
		return rc;
	if ((rc = pending_apply(s, h, out, err)) < 0)
		free(out->bytes);
	return rc < 0 ? rc : 1;
}

static void lean_end(struct held_families *all, struct held *h)
{
	if (!h->is_lean)
		return;
	h->is_lean = false;
	list_add(all, HELD_USED, h);
}

static void was_read(struct held_families *all, struct held *h)
{
	h->read_in = held_number(all);
	all->reads++;
	again_came(&all->again, &h->is);
}

/* Of a family that is gone nothing is pending. */
static int held_fill(struct store *s, struct held *h, struct lk_error *err)
{
	struct held_families *all = &s->held;
	struct family_version is;
	int rc = held_version(s, h->is.id, h, &is, err);

	if (rc < 0)
		return rc;
	if (rc == 0) {
		is = (struct family_version){ .wake_at = LK_NO_INSTANT };
		memcpy(is.id, h->is.id, LK_DIGEST);
	}
	if (is.number > h->is.number || rc == 0)
		pending_clear(all, h);
	held_replace(all, h, &is);
	lean_end(all, h);
	was_read(all, h);
	return 1;
}

static int held_read(struct store *s, const uint8_t id[LK_DIGEST], struct held **out,
		     struct lk_error *err)
{
	struct family_version is;
	int rc = held_version(s, id, NULL, &is, err);

	if (rc != 1)
		return rc;
	if ((*out = held_add(&s->held, &is, false)) == NULL) {
		free(is.bytes);
		return lk_fail(err, LK_EMEMORY, "store: no memory for a family");
	}
	was_read(&s->held, *out);
	return 1;
}

uint64_t store_family_reads(const struct store *s)
{
	return s->held.reads;
}

bool store_families_come_back(const struct store *s)
{
	return again_many(&s->held.again);
}

/* 1 and *out, from memory or from its row; 0 and NULL: there is neither. */
int held_open(struct store *s, const uint8_t id[LK_DIGEST], struct held **out, struct lk_error *err)
{
	struct held_families *all = &s->held;

	*out = held_find(all, id);
	if (*out == NULL)
		return held_read(s, id, out, err);
	if (!(*out)->is_lean) {
		held_use(all, *out);
		return 1;
	}
	return (*out)->is_changed ? 1 : held_fill(s, *out, err); /* or it was dropped just now */
}

int held_get(struct store *s, const uint8_t id[LK_DIGEST], const struct family_version **out,
	     struct lk_error *err)
{
	struct held *h;
	int rc = held_open(s, id, &h, err);

	if (rc != 1)
		return rc;
	*out = held_now(h);
	return (*out)->ref != 0;
}

int store_ahead_keep(struct store *s, const uint8_t id[LK_DIGEST], struct lk_error *err)
{
	struct held *h;
	int rc = ahead_family(s, id) != NULL ? held_open(s, id, &h, err) : 0;

	return rc < 0 ? rc : 0;
}

int64_t held_unmarked(const struct store *s, const uint8_t id[LK_DIGEST])
{
	const struct held *h = held_find(&s->held, id);

	return h == NULL || h->is_marked ? 0 : held_now(h)->ref;
}

void held_unmark(struct store *s, const uint8_t id[LK_DIGEST])
{
	struct held *h = held_find(&s->held, id);

	if (h != NULL)
		h->is_marked = false;
}

void held_forget(struct store *s)
{
	struct held_families *all = &s->held;

	held_undo(s);
	while (all->list[HELD_LATE].oldest != NULL)
		held_remove(all, all->list[HELD_LATE].oldest);
	while (all->list[HELD_USED].oldest != NULL)
		held_remove(all, all->list[HELD_USED].oldest);
	lk_bytes_free(&all->changes);
	lk_bytes_free(&all->delta);
	lk_bytes_free(&all->squeezed);
	all->first = all->last = 0;
	all->log_bytes = 0;
}

/* ---- Within a transaction -------------------------------------------------------------------- */

static void change_begin(struct held_families *all, struct held *h)
{
	if (h->is_changed) {
		free(h->will.bytes);
		return;
	}
	h->is_changed = true;
	h->next_changed = all->changed;
	all->changed = h;
}

/* What SQL is asked for must be in the row, and what has no row needs one. */
static bool goes_through(const struct held *h, const struct family_version *will)
{
	const struct family_version *now = held_now(h);

	return h->is_through || now->ref == 0 || now->wake_at != will->wake_at ||
	       memcmp(now->policy, will->policy, LK_DIGEST) != 0;
}

static int version_make(const struct held_families *all, const struct stored_family *from,
			struct family_version *out, struct lk_error *err)
{
	*out = (struct family_version){ .number = held_number(all),
					.wake_at = from->wake_at,
					.state_len = from->state_len,
					.told_len = from->told_len };
	memcpy(out->id, from->id, LK_DIGEST);
	memcpy(out->policy, from->policy, LK_DIGEST);
	out->bytes = malloc(from->state_len + from->told_len + 1);
	if (out->bytes == NULL)
		return lk_fail(err, LK_EMEMORY, "store: no memory for a family");
	if (from->state_len > 0)
		memcpy(out->bytes, from->state, from->state_len);
	if (from->told_len > 0)
		memcpy(out->bytes + from->state_len, from->told, from->told_len);
	return 0;
}

/* Takes its bytes over. */
static int version_put(struct store *s, struct held *h, const struct family_version *will,
		       struct delta_bytes delta, struct lk_error *err)
{
	bool through = goes_through(h, will);
	int64_t ref = held_now(h)->ref;

	change_begin(&s->held, h);
	h->will = *will;
	h->will.ref = ref;
	h->is_through = through;
	h->delta = delta;
	int rc = through ? family_write(s, &h->will, err) : 0;
	if (ref == 0) /* it is made */
		again_came(&s->held.again, &h->will);
	return rc;
}

int held_put(struct store *s, const struct stored_family *family, struct lk_error *err)
{
	struct held_families *all = &s->held;
	struct family_version none = { .wake_at = LK_NO_INSTANT }, will;
	struct held *h;
	int rc = held_open(s, family->id, &h, err);

	if (rc < 0 || (rc = version_make(all, family, &will, err)) < 0)
		return rc;
	memcpy(none.id, family->id, LK_DIGEST);
	if (h == NULL && (h = held_add(all, &none, false)) == NULL) {
		free(will.bytes);
		return lk_fail(err, LK_EMEMORY, "store: no memory for a family");
	}
	return version_put(s, h, &will, (struct delta_bytes){ NULL, 0 }, err);
}

/* ---- Drafts ---------------------------------------------------------------------------------- */

/* A lean one is not in memory, and one that is gone is none. */
bool store_draft_begin(const struct store *s, const struct stored_family *will,
		       struct stored_draft *out)
{
	struct held *h = held_find(&s->held, will->id);
	struct family_version as = { .wake_at = will->wake_at };

	if (h == NULL || h->is_lean || held_now(h)->ref == 0)
		return false;
	*out = (struct stored_draft){ .is = stored_of(held_now(h)), .will = *will, .held = h };
	memcpy(as.policy, will->policy, LK_DIGEST);
	out->is_whole = goes_through(h, &as);
	return true;
}

void store_draft_make(struct stored_draft *draft, const struct lk_bytes *row, size_t state_len,
		      struct lk_bytes *deltas)
{
	const struct held *held = draft->held;
	struct family_version will = { .state_len = state_len, .told_len = row->len - state_len };

	will.bytes = draft->bytes = row->failed ? NULL : malloc(row->len + 1);
	if (draft->bytes == NULL)
		return;
	memcpy(draft->bytes, row->at, row->len);
	draft->will.state = will.bytes;
	draft->will.state_len = will.state_len;
	draft->will.told = will.bytes + state_len;
	draft->will.told_len = will.told_len;
	draft->deltas = deltas;
	draft->delta_at = deltas->len;
	if (!draft->is_whole)
		versions_differ(&held->is, &will, deltas);
	draft->delta_len = deltas->len - draft->delta_at;
}

void store_draft_drop(struct stored_draft *draft)
{
	free(draft->bytes);
	draft->bytes = NULL;
}

int held_put_draft(struct store *s, struct stored_draft *draft, struct lk_error *err)
{
	struct family_version will = { .number = held_number(&s->held),
				       .wake_at = draft->will.wake_at,
				       .bytes = draft->bytes,
				       .state_len = draft->will.state_len,
				       .told_len = draft->will.told_len };
	struct delta_bytes delta = { NULL, 0 };

	if (draft->bytes == NULL || draft->deltas->failed)
		return lk_fail(err, LK_EMEMORY, "store: no memory for a family");
	memcpy(will.id, draft->will.id, LK_DIGEST);
	memcpy(will.policy, draft->will.policy, LK_DIGEST);
	draft->bytes = NULL;
	if (draft->delta_len > 0)
		delta = (struct delta_bytes){ draft->deltas->at + draft->delta_at,
					      draft->delta_len };
	held_use(&s->held, draft->held);
	return version_put(s, draft->held, &will, delta, err);
}

void held_drop(struct store *s, const uint8_t id[LK_DIGEST])
{
	struct held *h = held_find(&s->held, id);

	if (h == NULL)
		return;
	if (!h->is_lean)
		held_use(&s->held, h);
	change_begin(&s->held, h);
	h->will = (struct family_version){ .wake_at = LK_NO_INSTANT };
	memcpy(h->will.id, id, LK_DIGEST);
	/* Its mark went with its row: one that is made again in its name needs another. */
	h->is_marked = false;
}

/* ---- After COMMIT, after a rollback ----------------------------------------------------------- */

static void change_keep(struct held_families *all, struct held *h)
{
	int64_t before = h->is.number;

	held_replace(all, h, &h->will);
	h->is_changed = false;
	h->is_marked = true;
	lean_end(all, h);
	if (h->is.ref == 0) {
		held_remove(all, h);
		return;
	}
	if (h->is_through) {
		late_end(all, h);
	} else {
		late_begin(all, h, h->is.number);
		pending_add(all, h, before, change_of(all, h));
	}
	h->is_through = false;
}

void held_keep(struct store *s)
{
	struct held_families *all = &s->held;

	follow_keep(all);
	if (all->changed == NULL) {
		held_trim(all);
		return;
	}
	all->last = held_number(all);
	all->log_bytes += all->squeezed.len;
	while (all->changed != NULL) {
		struct held *h = all->changed;

		all->changed = h->next_changed;
		change_keep(all, h);
	}
	held_trim(all);
}

void held_undo(struct store *s)
{
	struct held_families *all = &s->held;

	all->following = (struct following){ 0 };
	while (all->changed != NULL) {
		struct held *h = all->changed;

		all->changed = h->next_changed;
		free(h->will.bytes);
		h->is_changed = h->is_through = false;
		if (h->is.ref == 0 && !h->is_lean)
			held_remove(all, h);
	}
}
