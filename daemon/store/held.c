/* held.c - families written behind the log: what a commit changed of them is one row of `family_change`,
 * and their own rows follow later, several changes at once.
 *
 * In: families as the turn packs them. Out: the same, from memory or from their rows. Promise: what was
 * committed is there after a crash, whether or not a family's row had followed; after a rollback nothing is
 * held but what was committed; no more is late than a start can make good within a second or so.
 *
 * A change says for each family what differs from the change before it of the same family, or from its row
 * (delta.c); all of a commit are squeezed together (squeeze.c), for they say much alike. A row knows the number of
 * the last change that it holds: changes up to there are none of its business, so that rows can follow in any
 * order, and a crash at any step leaves a row and changes that fit.
 *
 * What the store is asked by SQL is never late: a family that is new, gone, wakes at another time or was
 * derived under another policy is written through, in the transaction that changes it.
 */
#include "delta.h"
#include "internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static const struct held_bounds bounds = {
	.memory = (size_t)64 << 20,
	.families = 98304, /* each is a page to be read and written at the end */
	.bytes = (size_t)24 << 20,
	.changes = (size_t)8 << 20,
};

#define CHANGES_BYTES_MAX ((size_t)1 << 30) /* of a commit: more than SQLite keeps in a row */
#define FAMILIES_A_BITE 128
#define FOLLOW_MORE \
	4 /* rows that a commit brings up to date beyond those that it makes late, and a quarter */
#define LOG_BYTES_A_BITE ((size_t)4 << 20)

/* ---- What is held ---------------------------------------------------------------------------- */

static size_t bucket_of(const uint8_t id[LK_DIGEST])
{
	return (size_t)(id[0] | id[1] << 8) % HELD_BUCKETS; /* ids are digests: any bits will do */
}

static struct held *held_find(const struct held_families *all, const uint8_t id[LK_DIGEST])
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
static int64_t number_of(const struct held_families *all)
{
	return all->last + 1;
}

/* ---- What rows lack -------------------------------------------------------------------------- */

static void pending_clear(struct held_families *all, struct held *h)
{
	all->bytes -= h->pending.len;
	all->late_bytes -= h->pending.len;
	all->pending_n -= h->pending.n;
	free(h->pending.at);
	h->pending = (struct pending){ 0 };
}

/* What is short of memory stays as it is, and is never lean. */
static void pending_add(struct held_families *all, struct held *h, int64_t from,
			struct delta_bytes change)
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

static void late_begin(struct held_families *all, struct held *h, int64_t since)
{
	if (h->is_late)
		return;
	h->is_late = true;
	h->since = since;
	list_add(all, HELD_LATE, h);
	all->late_n++;
}

static void late_end(struct held_families *all, struct held *h)
{
	if (!h->is_late)
		return;
	list_take(all, HELD_LATE, h);
	all->late_n--;
	h->is_late = false;
	pending_clear(all, h);
}

/* ---- In memory, and out of it ---------------------------------------------------------------- */

static void held_remove(struct held_families *all, struct held *h)
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

static void held_trim(struct held_families *all)
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
static struct held *held_add(struct held_families *all, const struct family_version *is,
			     bool is_lean)
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

/* One family of a change. */
struct change {
	int64_t back; /* so many changes before it is the one that it goes on from */
	size_t state_len, told_len;
	struct delta_bytes delta;
};

static bool change_take(struct delta_bytes *from, struct change *out)
{
	uint64_t back, state_len, told_len, len;

	if (!delta_number_take(from, &back) || !delta_number_take(from, &state_len) ||
	    !delta_number_take(from, &told_len) || !delta_number_take(from, &len) ||
	    len > from->len || back == 0 || back > INT64_MAX || state_len > FAMILY_BYTES_MAX ||
	    told_len > FAMILY_BYTES_MAX)
		return false;
	out->back = (int64_t)back;
	out->state_len = state_len;
	out->told_len = told_len;
	out->delta = (struct delta_bytes){ from->at, len };
	*from = (struct delta_bytes){ from->at + len, from->len - len };
	return true;
}

/* While a copy is mended, what is damaged keeps nothing else from being read: check.c names it. */
static int damaged(struct store *s, int64_t number, const char *wrong, struct lk_error *err)
{
	return s->is_checked ? 0 : row_damaged(s, err, "family change", number, wrong);
}

static struct delta_bytes bytes_of(const struct family_version *v)
{
	return (struct delta_bytes){ v->bytes, v->state_len + v->told_len };
}

/* 1; 0: not from these bytes. */
static int change_apply(struct family_version *v, const struct change *c, struct lk_error *err)
{
	size_t len = c->state_len + c->told_len;
	uint8_t *next = malloc(len + 1);

	if (next == NULL)
		return lk_fail(err, LK_EMEMORY, "store: no memory for a family");
	if (!delta_apply(c->delta, bytes_of(v), next, len)) {
		free(next);
		return 0;
	}
	free(v->bytes);
	v->bytes = next;
	v->state_len = c->state_len;
	v->told_len = c->told_len;
	v->number += c->back;
	return 1;
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
	return damaged(s, number, "predecessor", err);
}

/* From its row, and what is pending (h, if any): 1; 0: there is no row. */
static int version_read(struct store *s, const uint8_t id[LK_DIGEST], struct held *h,
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
	h->read_in = number_of(all);
	all->reads++;
	again_came(&all->again, &h->is);
}

/* Of a family that is gone nothing is pending. */
static int held_fill(struct store *s, struct held *h, struct lk_error *err)
{
	struct held_families *all = &s->held;
	struct family_version is;
	int rc = version_read(s, h->is.id, h, &is, err);

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
	int rc = version_read(s, id, NULL, &is, err);

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
static int held_open(struct store *s, const uint8_t id[LK_DIGEST], struct held **out,
		     struct lk_error *err)
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
	*out = (struct family_version){ .number = number_of(all),
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

static struct delta_bytes state_of(const struct family_version *v)
{
	return (struct delta_bytes){ v->bytes, v->state_len };
}

static struct delta_bytes told_of(const struct family_version *v)
{
	return (struct delta_bytes){ v->bytes + v->state_len, v->told_len };
}

static void versions_differ(const struct family_version *is, const struct family_version *will,
			    struct lk_bytes *out)
{
	delta_make(state_of(is), state_of(will), out);
	delta_make(told_of(is), told_of(will), out);
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
	struct family_version will = { .number = number_of(&s->held),
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

/* ---- The row of a commit --------------------------------------------------------------------- */

static struct delta_bytes delta_of(struct held_families *all, const struct held *h)
{
	if (h->delta.at != NULL)
		return h->delta;
	lk_bytes_clear(&all->delta);
	versions_differ(&h->is, &h->will, &all->delta);
	all->changes.failed |= all->delta.failed;
	return (struct delta_bytes){ all->delta.at, all->delta.len };
}

static void change_put(struct held_families *all, struct held *h)
{
	struct lk_bytes *out = &all->changes;
	struct delta_bytes delta = delta_of(all, h);

	lk_bytes_add(out, h->is.id, LK_DIGEST);
	h->change_at = out->len;
	delta_number(out, (uint64_t)(h->will.number - h->is.number));
	delta_number(out, h->will.state_len);
	delta_number(out, h->will.told_len);
	delta_number(out, delta.len);
	lk_bytes_add(out, delta.at, delta.len);
}

static int changes_sum(struct store *s, int64_t number, struct delta_bytes changes, int64_t *sum,
		       struct lk_error *err)
{
	lk_bytes_clear(&s->scratch);
	sum_int(&s->scratch, number);
	sum_blob(&s->scratch, changes.at, changes.len);
	return sum_end(&s->scratch, sum, err);
}

static int changes_put(struct store *s, enum statement which, int64_t number,
		       struct delta_bytes changes, struct lk_error *err)
{
	struct query q;
	int64_t sum;
	int rc = changes_sum(s, number, changes, &sum, err);

	if (rc < 0)
		return rc;
	q = query_begin(s, which);
	bind_int(&q, number);
	bind_int(&q, sum);
	bind_blob(&q, changes.at, changes.len);
	return query_run(&q, err);
}

/* Also where all of it was written through: the number is used, and none may be used twice. */
int held_log(struct store *s, struct lk_error *err)
{
	struct held_families *all = &s->held;

	if (all->changed == NULL)
		return 0;
	lk_bytes_clear(&all->changes);
	for (struct held *h = all->changed; h != NULL; h = h->next_changed)
		if (!h->is_through && h->will.ref != 0)
			change_put(all, h);
	lk_bytes_clear(&all->squeezed);
	if (!all->changes.failed)
		squeeze(all->changes.at, all->changes.len, &all->squeezed);
	if (all->changes.failed || all->squeezed.failed || all->changes.len > CHANGES_BYTES_MAX)
		return lk_fail(err, LK_EMEMORY, "store: no memory for the families of a commit");
	s->tips.change = number_of(all);
	return changes_put(s, SQL_change_add, number_of(all),
			   (struct delta_bytes){ all->squeezed.at, all->squeezed.len }, err);
}

/* ---- Rows that follow ------------------------------------------------------------------------ */

/* As it will be when this transaction is committed; eighths of the bounds. */
static bool is_beyond(const struct held_families *all, size_t eighths)
{
	const struct following *f = &all->following;

	return all->late_n - f->n > all->bounds.families / 8 * eighths ||
	       all->late_bytes - f->bytes > all->bounds.bytes / 8 * eighths ||
	       all->log_bytes - f->dropped > all->bounds.changes / 8 * eighths;
}

bool held_is_due(const struct store *s)
{
	return is_beyond(&s->held, 2);
}

bool held_is_full(const struct store *s)
{
	return !s->held.is_writing && is_beyond(&s->held, 8);
}

static int by_ref(const void *a, const void *b)
{
	const struct held *const *x = a, *const *y = b;

	return ((*x)->is.ref > (*y)->is.ref) - ((*x)->is.ref < (*y)->is.ref);
}

/* Of the changes that are left. */
static int64_t first_of(const struct held_families *all)
{
	return all->following.until >= all->first ? all->following.until + 1 : all->first;
}

/* Of a family that is gone there is nothing to write. */
static int lean_follow(struct store *s, struct held *h, struct lk_error *err)
{
	struct family_version is;
	int rc = version_read(s, h->is.id, h, &is, err);

	if (rc != 1)
		return rc;
	rc = family_follow(s, &is, err);
	free(is.bytes);
	return rc;
}

/* What this transaction changes goes into the row at once, if it has not. */
static int row_follow(struct store *s, struct held *h, struct lk_error *err)
{
	if (h->is_lean)
		return lean_follow(s, h, err);
	if (!h->is_changed)
		return h->is.ref != 0 ? family_follow(s, &h->is, err) : 0;
	if (h->is_through || h->will.ref == 0)
		return 0;
	h->is_through = true;
	return family_follow(s, &h->will, err);
}

/* Up to where no family needs them, and as many as take no longer than a bite. */
static int changes_drop(struct store *s, struct lk_error *err)
{
	struct held_families *all = &s->held;
	struct following *f = &all->following;
	int64_t first = first_of(all);
	int64_t rows = all->last - first + 1,
		until = f->next != NULL ? f->next->since - 1 : all->last;
	size_t bytes = all->log_bytes - f->dropped;
	struct query q;
	int rc;

	if (bytes > LOG_BYTES_A_BITE)
		rows = rows * (int64_t)LOG_BYTES_A_BITE / (int64_t)bytes + 1;
	if (until > first + rows - 1)
		until = first + rows - 1;
	if (until >= all->last) /* the last one stays, for its number */
		until = all->last - 1;
	if (until < first)
		return 0;
	q = query_begin(s, SQL_change_drop);
	bind_int(&q, until);
	while ((rc = query_step(&q, err)) == 1)
		f->dropped += (size_t)column_int(&q);
	query_end(&q);
	f->until = until;
	return rc;
}

static int rows_write(struct store *s, struct held **some, size_t n, struct lk_error *err)
{
	int rc = 0;

	if (n > 0)
		qsort(some, n, sizeof(some[0]), by_ref);
	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = row_follow(s, some[i], err);
	return rc;
}

/* Of so many more that are late, those that have been it the longest, in the order of their rows. */
static int rows_follow(struct store *s, size_t most, struct lk_error *err)
{
	struct following *f = &s->held.following;
	struct held *h = f->n == 0 ? s->held.list[HELD_LATE].oldest : f->next;
	struct held *some[FAMILIES_A_BITE];
	size_t n = 0;
	int rc;

	for (; h != NULL && n < most && n < FAMILIES_A_BITE; h = h->link[HELD_LATE].newer) {
		some[n++] = h;
		f->bytes += h->pending.len;
	}
	f->n += n;
	f->next = h;
	rc = rows_write(s, some, n, err);
	return rc == 0 ? changes_drop(s, err) : rc;
}

static size_t changed_count(const struct held_families *all)
{
	size_t n = 0;

	for (const struct held *h = all->changed; h != NULL; h = h->next_changed)
		n++;
	return n;
}

/* What would be late from now on, and was not in memory: its page has just been read, and it needs no change and no
 * second reading. */
static int cold_follow(struct store *s, size_t *n, struct lk_error *err)
{
	struct held *some[FAMILIES_A_BITE], *h = s->held.changed;
	int rc = 0;

	*n = 0;
	while (rc == 0 && h != NULL) {
		size_t found = 0;

		for (; h != NULL && found < FAMILIES_A_BITE; h = h->next_changed)
			if (!h->is_late && !h->is_through && h->will.ref != 0 &&
			    h->read_in == number_of(&s->held))
				some[found++] = h;
		rc = rows_write(s, some, found, err);
		*n += found;
	}
	return rc;
}

/* Where families change but once before their rows follow, a change is one thing more to write. */
static bool change_once(const struct held_families *all)
{
	return all->pending_n < 2 * all->late_n;
}

int held_follow(struct store *s, struct lk_error *err)
{
	struct held_families *all = &s->held;
	size_t changed = changed_count(all), most, cold = 0;
	int rc = 0;

	if (changed == 0 || !is_beyond(all, 7))
		return 0;
	if (change_once(all))
		rc = cold_follow(s, &cold, err);
	most = changed + changed / 4 + FOLLOW_MORE - cold;
	while (rc == 0 && all->following.n < most && is_beyond(all, 7) &&
	       all->following.n < all->late_n)
		rc = rows_follow(s, most - all->following.n, err);
	return rc;
}

static void followed_keep(struct held_families *all)
{
	struct following *f = &all->following;

	for (; f->n > 0; f->n--) {
		struct held *h = all->list[HELD_LATE].oldest;

		late_end(all, h);
		if (h->is_lean && !h->is_changed) /* else it was dropped: change_keep() */
			held_remove(all, h);
	}
	all->first = first_of(all);
	all->log_bytes -= f->dropped;
	*f = (struct following){ 0 };
}

/* One bite; where that was all of it, the last change is said by the rows, too. */
static int bite_write(struct store *s, struct lk_error *err)
{
	struct held_families *all = &s->held;
	struct following *f = &all->following;
	int rc = rows_follow(s, FAMILIES_A_BITE, err);

	if (rc < 0 || f->next != NULL || first_of(all) < all->last || f->dropped == all->log_bytes)
		return rc;
	f->dropped = all->log_bytes;
	return changes_put(s, SQL_change_empty, all->last, (struct delta_bytes){ NULL, 0 }, err);
}

int store_write_back(struct store *s, struct lk_error *err)
{
	struct held_families *all = &s->held;
	int rc;

	if (all->late_n == 0 && all->log_bytes == 0 && all->first >= all->last)
		return 0;
	if ((rc = store_begin(s, err)) < 0)
		return rc;
	all->is_writing = true;
	rc = store_end(s, bite_write(s, err), err);
	all->is_writing = false;
	return rc < 0 ? rc : 1;
}

/* ---- After COMMIT, after a rollback ----------------------------------------------------------- */

/* As change_put() left it. */
static struct delta_bytes change_of(const struct held_families *all, const struct held *h)
{
	struct delta_bytes rest = { all->changes.at + h->change_at,
				    all->changes.len - h->change_at };
	const uint8_t *begin = rest.at;
	struct change c;

	return (struct delta_bytes){ begin,
				     change_take(&rest, &c) ? (size_t)(rest.at - begin) : 0 };
}

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

	followed_keep(all);
	if (all->changed == NULL) {
		held_trim(all);
		return;
	}
	all->last = number_of(all);
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

/* ---- After a start --------------------------------------------------------------------------- */

/* Its row is not asked: it has the change, or the one that this goes on from. What is known of it is of no use where that is
 * another one. */
static int change_load(struct store *s, const uint8_t id[LK_DIGEST], int64_t number, int64_t from,
		       struct delta_bytes change, struct lk_error *err)
{
	struct held_families *all = &s->held;
	struct family_version is = { .number = from };
	struct held *h = held_find(all, id);

	memcpy(is.id, id, LK_DIGEST);
	if (h == NULL && (h = held_add(all, &is, true)) == NULL)
		return lk_fail(err, LK_EMEMORY, "store: no memory for a family");
	if (h->is.number != from)
		pending_clear(all, h);
	late_begin(all, h, number);
	pending_add(all, h, from, change);
	h->is.number = number;
	return h->pending.is_short ? lk_fail(err, LK_EMEMORY, "store: no memory for a family") : 0;
}

/* One family of those that are left of a commit: 1; 0: it is not one. */
static int change_next(struct store *s, int64_t number, struct delta_bytes *changes,
		       struct lk_error *err)
{
	const uint8_t *id = changes->at, *begin;
	struct change c;
	int rc;

	if (changes->len < LK_DIGEST)
		return 0;
	begin = changes->at + LK_DIGEST;
	*changes = (struct delta_bytes){ begin, changes->len - LK_DIGEST };
	if (!change_take(changes, &c) || c.back > number)
		return 0;
	rc = change_load(s, id, number, number - c.back,
			 (struct delta_bytes){ begin, (size_t)(changes->at - begin) }, err);
	return rc < 0 ? rc : 1;
}

static int changes_read(struct query *q, int64_t *number, struct delta_bytes *changes,
			bool *is_sound, struct lk_error *err)
{
	int64_t sum, stored;
	int rc;

	*number = column_int(q);
	stored = column_int(q);
	changes->at = column_blob(q, &changes->len);
	rc = changes_sum(q->store, *number, *changes, &sum, err);
	*is_sound = rc == 0 && sum == stored;
	return rc;
}

int changes_examine(struct query *q, struct lk_error *err)
{
	struct delta_bytes changes;
	int64_t number;
	bool is_sound;
	int rc = changes_read(q, &number, &changes, &is_sound, err);

	return rc == 0 && !is_sound ? row_damaged(q->store, err, "family change", number, "sum")
				    : rc;
}

/* From what the row holds to what was squeezed into it; of nothing where that is damaged. */
static int changes_spread(struct store *s, int64_t number, struct delta_bytes *changes,
			  struct lk_error *err)
{
	struct lk_bytes *all = &s->held.changes;
	bool is_sound;

	lk_bytes_clear(all);
	is_sound = unsqueeze(changes->at, changes->len, CHANGES_BYTES_MAX, all);
	*changes = (struct delta_bytes){ all->at, all->len };
	if (all->failed)
		return lk_fail(err, LK_EMEMORY, "store: no memory for the families of a commit");
	return is_sound ? 0 : damaged(s, number, "bytes", err);
}

static int changes_load(struct store *s, struct query *q, struct lk_error *err)
{
	struct held_families *all = &s->held;
	struct delta_bytes changes;
	int64_t number;
	bool is_sound, is_next;
	int rc = changes_read(q, &number, &changes, &is_sound, err);

	is_next = all->last == 0 || number == all->last + 1;
	all->first = all->last == 0 ? number : all->first;
	all->last = number;
	all->log_bytes += changes.len;
	if (rc == 0 && !is_sound)
		return damaged(s, number, "sum", err);
	if (rc == 0 && !is_next)
		rc = damaged(s, number, "predecessor", err);
	if (rc == 0)
		rc = changes_spread(s, number, &changes, err);
	while (rc >= 0 && changes.len > 0)
		if ((rc = change_next(s, number, &changes, err)) == 0)
			return damaged(s, number, "form", err);
	return rc < 0 ? rc : 0;
}

int held_load(struct store *s, struct lk_error *err)
{
	struct query q = query_begin(s, SQL_change_all);
	int rc;

	while ((rc = query_step(&q, err)) == 1)
		if ((rc = changes_load(s, &q, err)) < 0)
			break;
	query_end(&q);
	s->held.first = s->held.last == 0 ? 1 : s->held.first;
	return rc < 0 && s->suspect ? 0 : rc; /* in doubt: it is made anew before it is used */
}

int held_lost(struct store *s, int64_t last, struct lk_error *err)
{
	return changes_put(s, SQL_change_add, last, (struct delta_bytes){ NULL, 0 }, err);
}

/* Families that are gone, or whose rows are not sound, have nothing pending. */
int held_examine(struct store *s, struct lk_error *err)
{
	struct held *h = s->held.list[HELD_LATE].oldest, *newer, *same;
	int rc = 0;

	for (; rc >= 0 && h != NULL; h = newer) {
		newer = h->link[HELD_LATE].newer;
		rc = held_open(s, h->is.id, &same, err);
		if (rc == 1 && h->is.ref == 0)
			held_remove(&s->held, h);
		held_trim(&s->held);
	}
	return rc < 0 ? rc : 0;
}

static int broken_anew(struct store *s, struct lk_error *err)
{
	int rc = store_begin(s, err);

	if (rc < 0)
		return rc;
	for (const struct held *h = s->held.list[HELD_LATE].oldest; rc == 0 && h != NULL;
	     h = h->link[HELD_LATE].newer) {
		struct stored_family anew = { .wake_at = LK_NO_INSTANT,
					      .told = h->is.bytes + h->is.state_len,
					      .told_len = h->is.told_len };

		memcpy(anew.id, h->is.id, LK_DIGEST);
		rc = h->is_broken ? store_family_put(s, &anew, err) : 0;
	}
	return store_end(s, rc, err);
}

/* The last row stays for its number, whatever was in it. */
static int last_empty(struct store *s, struct lk_error *err)
{
	const struct delta_bytes nothing = { NULL, 0 };
	int rc = store_begin(s, err);

	if (rc < 0)
		return rc;
	return store_end(s, changes_put(s, SQL_change_empty, s->held.last, nothing, err), err);
}

int held_mend(struct store *s, struct lk_error *err)
{
	int rc = broken_anew(s, err);

	while (rc >= 0 && (rc = store_write_back(s, err)) > 0)
		continue;
	return rc < 0 || s->held.last == 0 ? rc : last_empty(s, err);
}
