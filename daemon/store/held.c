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

#define HELD_BYTES ((size_t)64 << 20) /* of all that is held; what is not late gives way */
static const struct late_bounds bounds = {
	.families = 16384, /* each is a page to be read at a start */
	.bytes = (size_t)48 << 20,
	.changes = (size_t)8 << 20,
};

#define CHANGES_BYTES_MAX ((size_t)1 << 30) /* of a commit: more than SQLite keeps in a row */
#define FAMILIES_A_BITE 256
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

static size_t version_size(const struct family_version *v)
{
	return sizeof(struct held) + v->state_len + v->told_len;
}

static void list_add(struct held_list *list, struct held *h)
{
	h->older = list->newest;
	h->newer = NULL;
	*(list->newest != NULL ? &list->newest->newer : &list->oldest) = h;
	list->newest = h;
}

static void list_take(struct held_list *list, struct held *h)
{
	*(h->older != NULL ? &h->older->newer : &list->oldest) = h->newer;
	*(h->newer != NULL ? &h->newer->older : &list->newest) = h->older;
}

static void late_begin(struct held_families *all, struct held *h, int64_t since)
{
	if (h->is_late)
		return;
	list_take(&all->rested, h);
	h->is_late = true;
	h->since = since;
	list_add(&all->late, h);
	all->late_n++;
	all->late_bytes += version_size(&h->is);
}

static void late_end(struct held_families *all, struct held *h)
{
	if (!h->is_late)
		return;
	list_take(&all->late, h);
	all->late_n--;
	all->late_bytes -= version_size(&h->is);
	h->is_late = false;
	list_add(&all->rested, h);
}

static void held_remove(struct held_families *all, struct held *h)
{
	struct held **at = &all->bucket[bucket_of(h->is.id)];

	late_end(all, h);
	list_take(&all->rested, h);
	while (*at != h)
		at = &(*at)->next_in_bucket;
	*at = h->next_in_bucket;
	all->bytes -= version_size(&h->is);
	free(h->is.bytes);
	free(h);
}

static void held_trim(struct held_families *all)
{
	struct held *h = all->rested.oldest, *newer;

	for (; all->bytes > HELD_BYTES && h != NULL && !h->is_changed; h = newer) {
		newer = h->newer;
		held_remove(all, h);
	}
}

/* Takes the bytes of the version over, unless there is no memory. */
static struct held *held_add(struct held_families *all, const struct family_version *is)
{
	struct held *h = calloc(1, sizeof(*h));

	held_trim(all);
	if (h == NULL)
		return NULL;
	h->is = *is;
	h->next_in_bucket = all->bucket[bucket_of(is->id)];
	all->bucket[bucket_of(is->id)] = h;
	list_add(&all->rested, h);
	all->bytes += version_size(is);
	return h;
}

/* Another version of the same family takes the place of the one that was committed. */
static void held_replace(struct held_families *all, struct held *h, const struct family_version *by)
{
	size_t before = version_size(&h->is), after = version_size(by);

	all->bytes += after - before;
	all->late_bytes += h->is_late ? after - before : 0;
	free(h->is.bytes);
	h->is = *by;
}

bool held_make(struct store *s)
{
	s->held.bounds = bounds;
	s->held.bucket = calloc(HELD_BUCKETS, sizeof(struct held *));
	return s->held.bucket != NULL;
}

/* 1 and *out, from memory or from its row; 0 and NULL: there is neither. */
static int held_open(struct store *s, const uint8_t id[LK_DIGEST], struct held **out,
		     struct lk_error *err)
{
	struct held_families *all = &s->held;
	struct family_version is;
	int rc;

	*out = held_find(all, id);
	if (*out != NULL) {
		if (!(*out)->is_late) {
			list_take(&all->rested, *out);
			list_add(&all->rested, *out);
		}
		return 1;
	}
	if ((rc = family_load(s, id, &is, err)) != 1)
		return rc;
	if ((*out = held_add(all, &is)) != NULL)
		return 1;
	free(is.bytes);
	return lk_fail(err, LK_EMEMORY, "store: no memory for a family");
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
	while (all->late.oldest != NULL)
		held_remove(all, all->late.oldest);
	while (all->rested.oldest != NULL)
		held_remove(all, all->rested.oldest);
	lk_bytes_free(&all->changes);
	lk_bytes_free(&all->delta);
	lk_bytes_free(&all->squeezed);
	all->first = all->last = 0;
	all->log_bytes = 0;
}

/* ---- Within a transaction -------------------------------------------------------------------- */

/* Of this transaction, if it changes a family. */
static int64_t number_of(const struct held_families *all)
{
	return all->last + 1;
}

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

int held_put(struct store *s, const struct stored_family *family, struct lk_error *err)
{
	struct held_families *all = &s->held;
	struct family_version none = { .wake_at = LK_NO_INSTANT }, will;
	struct held *h;
	int rc = held_open(s, family->id, &h, err);

	if (rc < 0 || (rc = version_make(all, family, &will, err)) < 0)
		return rc;
	memcpy(none.id, family->id, LK_DIGEST);
	if (h == NULL && (h = held_add(all, &none)) == NULL) {
		free(will.bytes);
		return lk_fail(err, LK_EMEMORY, "store: no memory for a family");
	}
	bool through = goes_through(h, &will);

	will.ref = held_now(h)->ref;
	change_begin(all, h);
	h->will = will;
	h->is_through = through;
	return through ? family_write(s, &h->will, err) : 0;
}

void held_drop(struct store *s, const uint8_t id[LK_DIGEST])
{
	struct held *h = held_find(&s->held, id);

	if (h == NULL)
		return;
	change_begin(&s->held, h);
	h->will = (struct family_version){ .wake_at = LK_NO_INSTANT };
	memcpy(h->will.id, id, LK_DIGEST);
	/* Its mark went with its row: one that is made again in its name needs another. */
	h->is_marked = false;
}

/* ---- The row of a commit --------------------------------------------------------------------- */

static struct delta_bytes state_of(const struct family_version *v)
{
	return (struct delta_bytes){ v->bytes, v->state_len };
}

static struct delta_bytes told_of(const struct family_version *v)
{
	return (struct delta_bytes){ v->bytes + v->state_len, v->told_len };
}

static struct delta_bytes bytes_of(const struct family_version *v)
{
	return (struct delta_bytes){ v->bytes, v->state_len + v->told_len };
}

static void change_put(struct held_families *all, const struct held *h)
{
	struct lk_bytes *out = &all->changes;

	lk_bytes_clear(&all->delta);
	delta_make(state_of(&h->is), state_of(&h->will), &all->delta);
	delta_make(told_of(&h->is), told_of(&h->will), &all->delta);
	lk_bytes_add(out, h->is.id, LK_DIGEST);
	delta_number(out, (uint64_t)(h->will.number - h->is.number));
	delta_number(out, h->will.state_len);
	delta_number(out, h->will.told_len);
	delta_number(out, all->delta.len);
	lk_bytes_add(out, all->delta.at, all->delta.len);
	out->failed |= all->delta.failed;
}

static int changes_sum(struct store *s, int64_t number, struct delta_bytes changes, int64_t *sum,
		       struct lk_error *err)
{
	sum_begin(s);
	sum_int(s, number);
	sum_blob(s, changes.at, changes.len);
	return sum_end(s, sum, err);
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
	for (const struct held *h = all->changed; h != NULL; h = h->next_changed)
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
	return is_beyond(&s->held, 4);
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

/* What this transaction changes goes into the row at once, if it has not. */
static int row_follow(struct store *s, struct held *h, struct lk_error *err)
{
	if (!h->is_changed)
		return family_follow(s, &h->is, err);
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
	struct held *h = f->n == 0 ? s->held.late.oldest : f->next, *some[FAMILIES_A_BITE];
	size_t n = 0;
	int rc;

	for (; h != NULL && n < most && n < FAMILIES_A_BITE; h = h->newer) {
		some[n++] = h;
		f->bytes += version_size(&h->is);
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

/* What would be late from now on: its page has just been read, and it needs no change and no second reading. */
static int cold_follow(struct store *s, size_t *n, struct lk_error *err)
{
	struct held *some[FAMILIES_A_BITE], *h = s->held.changed;
	int rc = 0;

	*n = 0;
	while (rc == 0 && h != NULL) {
		size_t found = 0;

		for (; h != NULL && found < FAMILIES_A_BITE; h = h->next_changed)
			if (!h->is_late && !h->is_through && h->will.ref != 0)
				some[found++] = h;
		rc = rows_write(s, some, found, err);
		*n += found;
	}
	return rc;
}

int held_follow(struct store *s, struct lk_error *err)
{
	struct held_families *all = &s->held;
	size_t changed = changed_count(all), most, cold;
	int rc;

	if (changed == 0 || !is_beyond(all, 7))
		return 0;
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

	for (; f->n > 0; f->n--)
		late_end(all, all->late.oldest);
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

static void change_keep(struct held_families *all, struct held *h)
{
	held_replace(all, h, &h->will);
	h->is_changed = false;
	h->is_marked = true;
	if (h->is.ref == 0) {
		held_remove(all, h);
		return;
	}
	if (h->is_through)
		late_end(all, h);
	else
		late_begin(all, h, h->is.number);
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
		if (h->is.ref == 0)
			held_remove(all, h);
	}
}

/* ---- After a start --------------------------------------------------------------------------- */

/* One family of a change. */
struct change {
	const uint8_t *id;
	int64_t from; /* number of the change that it goes on from */
	size_t state_len, told_len;
	struct delta_bytes delta;
};

static bool change_take(struct delta_bytes *from, int64_t number, struct change *out)
{
	uint64_t back, state_len, told_len, len;

	if (from->len < LK_DIGEST)
		return false;
	out->id = from->at;
	*from = (struct delta_bytes){ from->at + LK_DIGEST, from->len - LK_DIGEST };
	if (!delta_number_take(from, &back) || !delta_number_take(from, &state_len) ||
	    !delta_number_take(from, &told_len) || !delta_number_take(from, &len) ||
	    len > from->len || back == 0 || back > (uint64_t)number ||
	    state_len > FAMILY_BYTES_MAX || told_len > FAMILY_BYTES_MAX)
		return false;
	out->from = number - (int64_t)back;
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

static int change_apply(struct store *s, struct held *h, const struct change *c, int64_t number,
			struct lk_error *err)
{
	struct family_version next = h->is;
	size_t len = c->state_len + c->told_len;

	next.number = number;
	next.state_len = c->state_len;
	next.told_len = c->told_len;
	next.bytes = malloc(len + 1);
	if (next.bytes == NULL)
		return lk_fail(err, LK_EMEMORY, "store: no memory for a family");
	if (!delta_apply(c->delta, bytes_of(&h->is), next.bytes, len)) {
		free(next.bytes);
		h->is_broken = true;
		return damaged(s, number, "delta", err);
	}
	held_replace(&s->held, h, &next);
	late_begin(&s->held, h, number);
	return 0;
}

/* A family that is gone, or whose row is further than that, has no use for it. */
static int change_load(struct store *s, const struct change *c, int64_t number,
		       struct lk_error *err)
{
	struct held *h;
	int rc = held_open(s, c->id, &h, err);

	if (rc != 1 || h->is.number >= number || h->is_broken)
		return rc < 0 ? rc : 0;
	if (h->is.number == c->from)
		return change_apply(s, h, c, number, err);
	late_begin(&s->held, h, number);
	h->is_broken = true;
	return damaged(s, number, "predecessor", err);
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
	struct change c;
	int64_t number;
	bool is_sound;
	int rc = changes_read(q, &number, &changes, &is_sound, err);

	all->first = all->last == 0 ? number : all->first;
	all->last = number;
	all->log_bytes += changes.len;
	if (rc == 0 && !is_sound)
		return damaged(s, number, "sum", err);
	if (rc == 0)
		rc = changes_spread(s, number, &changes, err);
	while (rc == 0 && changes.len > 0) {
		if (!change_take(&changes, number, &c))
			return damaged(s, number, "form", err);
		rc = change_load(s, &c, number, err);
	}
	return rc;
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
	held_trim(&s->held);
	return rc < 0 && s->suspect ? 0 : rc; /* in doubt: it is made anew before it is used */
}

int held_lost(struct store *s, int64_t last, struct lk_error *err)
{
	return changes_put(s, SQL_change_add, last, (struct delta_bytes){ NULL, 0 }, err);
}

static int broken_anew(struct store *s, struct lk_error *err)
{
	int rc = store_begin(s, err);

	if (rc < 0)
		return rc;
	for (const struct held *h = s->held.late.oldest; rc == 0 && h != NULL; h = h->newer) {
		struct stored_family anew = { .wake_at = LK_NO_INSTANT,
					      .told = h->is.bytes + h->is.state_len,
					      .told_len = h->is.told_len };

		memcpy(anew.id, h->is.id, LK_DIGEST);
		rc = h->is_broken ? store_family_put(s, &anew, err) : 0;
	}
	return store_end(s, rc, err);
}

int held_mend(struct store *s, struct lk_error *err)
{
	int rc = broken_anew(s, err);

	while (rc >= 0 && (rc = store_write_back(s, err)) > 0)
		continue;
	return rc;
}
