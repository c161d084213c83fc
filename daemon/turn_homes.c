/* turn_homes.c - families at hand: a cache over the family rows, written back once a transaction.
 *
 * In: ids. Out: unpacked families, and their rows at the end of a batch.
 * Promise: within a transaction every family is unpacked once and packed once; after a rollback
 * nothing is remembered; of families that nobody asked for lately, those asked for last stay, their histories only
 * as far as there is room for them.
 */
#include "turn_parts.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Families of which so many have room have no history to speak of: most of those that are asked for once in a long while. */
#define HOMES_SMALL 10240

static size_t bucket_of(const uint8_t id[LK_DIGEST])
{
	return (size_t)(id[0] | id[1] << 8) % HOME_BUCKETS; /* ids are digests: any bits will do */
}

void home_id(const struct case_key *first, uint8_t out[LK_DIGEST])
{
	uint8_t text[1 + 64];
	size_t len = first->number.len < 64 ? first->number.len : 64;
	text[0] = (uint8_t)first->agency;
	memcpy(text + 1, first->number.at, len);
	lk_digest(text, 1 + len, NULL, out);
}

/* ---- In the order of use --------------------------------------------------------------------- */

static void use_end(struct turn *t, struct home *h)
{
	if (t->whole == h)
		t->whole = h->newer;
	*(h->newer != NULL ? &h->newer->older : &t->newest) = h->older;
	*(h->older != NULL ? &h->older->newer : &t->oldest) = h->newer;
}

static void use_begin(struct turn *t, struct home *h)
{
	h->used = t->commits;
	h->newer = NULL;
	h->older = t->newest;
	*(t->newest != NULL ? &t->newest->newer : &t->oldest) = h;
	t->newest = h;
	if (t->whole == NULL)
		t->whole = h;
}

static void home_weigh(struct turn *t, struct home *h)
{
	t->homes_bytes -= h->bytes;
	h->bytes = sizeof(*h) + family_bytes(&h->f) + tolds_bytes(&h->told);
	t->homes_bytes += h->bytes;
}

/* ---- One family ------------------------------------------------------------------------------ */

static struct home *home_find(const struct turn *t, const uint8_t id[LK_DIGEST])
{
	struct home *h = t->homes[bucket_of(id)];
	while (h != NULL && memcmp(h->id, id, LK_DIGEST) != 0)
		h = h->next;
	return h;
}

#define LAST_TOLD 4 /* records: of two events */
#define LINE 64     /* bytes that come from memory at once */

static void lines_expect(const void *at, size_t len)
{
	for (size_t i = 0; i < len; i += LINE)
		__builtin_prefetch((const char *)at + i);
}

/* What an event reads of any family, and the last records, behind which the next ones will be. */
void home_expect(const struct turn *t, const uint8_t id[LK_DIGEST])
{
	const struct home *h = home_find(t, id);
	if (h == NULL)
		return;
	lines_expect(h, sizeof(*h));
#define EXPECT_VECTOR(record, plural) \
	lines_expect(h->f.plural, h->f.plural##_n * sizeof(struct record));
	FAMILY_SCENE(EXPECT_VECTOR)
	lines_expect(h->f.words.at, h->f.words.len);
	lines_expect(h->told.words.at, h->told.words.len);
	if (h->told.n >= LAST_TOLD)
		lines_expect(&h->told.at[h->told.n - LAST_TOLD], LAST_TOLD * sizeof(*h->told.at));
}

static struct home *home_make(struct turn *t, const uint8_t id[LK_DIGEST])
{
	struct home *h = calloc(1, sizeof(*h));
	if (h == NULL)
		return NULL;
	memcpy(h->id, id, LK_DIGEST);
	memcpy(h->policy, t->revision, LK_DIGEST);
	family_init(&h->f);
	h->wake_at = LK_NO_INSTANT;
	h->fresh = NONE;
	h->next = t->homes[bucket_of(id)];
	t->homes[bucket_of(id)] = h;
	use_begin(t, h);
	return h;
}

static void home_free(struct home *h)
{
	family_free(&h->f);
	tolds_free(&h->told);
	free(h);
}

static void home_remove(struct turn *t, const uint8_t id[LK_DIGEST])
{
	struct home **at = &t->homes[bucket_of(id)];
	while (*at != NULL && memcmp((*at)->id, id, LK_DIGEST) != 0)
		at = &(*at)->next;
	struct home *h = *at;
	if (h == NULL)
		return;
	*at = h->next;
	use_end(t, h);
	t->homes_bytes -= h->bytes;
	home_free(h);
}

struct reading {
	struct home *h;
	struct lk_error *err;
};

/* State of another layout is no loss: the log gives it again. What was told is: that row must be
 * right. */
static int read_row(void *context, const struct stored_family *row)
{
	struct reading *r = context;
	r->h->wake_at = row->wake_at;
	memcpy(r->h->policy, row->policy, LK_DIGEST);
	int rc = family_unpack(row->state, row->state_len, &r->h->f, r->err);
	r->h->is_stale = rc == LK_EWIRE;
	if (rc < 0 && rc != LK_EWIRE)
		return rc;
	rc = tolds_unpack(row->told, row->told_len, &r->h->told, r->err);
	if (rc != LK_EWIRE || row->state_len != 0)
		return rc;
	/* A damaged row that was mended keeps what was told as far as it can be read. */
	tolds_free(&r->h->told);
	r->h->told = (struct tolds){ 0 };
	return 0;
}

/* Its history may be away. */
static struct home *home_seek(struct turn *t, const uint8_t id[LK_DIGEST], struct lk_error *err)
{
	struct home *h = home_find(t, id);
	if (h != NULL) {
		use_end(t, h);
		use_begin(t, h);
		return h;
	}
	h = home_make(t, id);
	if (h == NULL) {
		(void)lk_fail(err, LK_EMEMORY, "no memory for a family");
		return NULL;
	}
	struct reading r = { h, err };
	if (store_family_get(t->store, id, read_row, &r, err) < 0) {
		home_remove(t, id);
		return NULL;
	}
	home_weigh(t, h);
	return h;
}

static int fetch_from(void *context, const struct stored_family *row)
{
	struct reading *r = context;
	int rc = family_fetch(&r->h->f, row->state, row->state_len, r->err);
	return rc < 0 ? rc : tolds_fetch(&r->h->told, row->told, row->told_len, r->err);
}

/* The row says what it said when all else was unpacked from it, or packed into it last. */
int home_fetch(struct turn *t, struct home *h, struct lk_error *err)
{
	struct reading r = { h, err };
	if (h->f.moments_away == 0 && h->told.away == 0)
		return 0;
	int rc = store_family_get(t->store, h->id, fetch_from, &r, err);
	home_weigh(t, h);
	return rc == 0 ? lk_fail(err, LK_ESTORE, "a family has no row any more") : rc;
}

struct home *home_get(struct turn *t, const uint8_t id[LK_DIGEST], struct lk_error *err)
{
	struct home *h = home_seek(t, id, err);
	return h == NULL || home_fetch(t, h, err) < 0 ? NULL : h;
}

static int home_found(struct turn *t, int rc, const uint8_t id[LK_DIGEST], struct home **out,
		      struct lk_error *err)
{
	*out = NULL;
	if (rc <= 0)
		return rc;
	*out = home_seek(t, id, err);
	return *out != NULL ? 1 : LK_ESTORE;
}

int home_at_hand(struct turn *t, struct case_key key, struct home **out, struct lk_error *err)
{
	uint8_t id[LK_DIGEST];
	int rc = store_case_family(t->store, key, id, err);
	return home_found(t, rc, id, out, err);
}

int home_of_notice(struct turn *t, const struct stored_notice *notice, struct home **out,
		   struct lk_error *err)
{
	uint8_t id[LK_DIGEST];
	int rc = store_notice_family(t->store, notice, id, err);
	return home_found(t, rc, id, out, err);
}

int home_of_case(struct turn *t, struct case_key key, struct home **out, struct lk_error *err)
{
	int rc = home_at_hand(t, key, out, err);
	return rc <= 0 || home_fetch(t, *out, err) >= 0 ? rc : LK_ESTORE;
}

int home_open(struct turn *t, struct case_key key, struct home **out, struct lk_error *err)
{
	uint8_t id[LK_DIGEST];
	int rc = home_at_hand(t, key, out, err);
	if (rc != 0)
		return rc;
	home_id(&key, id);
	*out = home_seek(t, id, err);
	return *out == NULL ? LK_ESTORE : store_case_join(t->store, key, id, err);
}

int home_drop(struct turn *t, const uint8_t id[LK_DIGEST], struct lk_error *err)
{
	home_remove(t, id);
	return store_family_drop(t->store, id, err);
}

struct packing {
	struct turn *t;
	struct home *h;
};

/* Most of a long life is as it was. */
static int pack_onto(void *context, const struct stored_family *was)
{
	const struct packing *p = context;
	family_pack_on(&p->h->f, was->state, was->state_len, &p->t->state);
	tolds_pack_on(&p->h->told, was->told, was->told_len, &p->t->told);
	return 0;
}

static int home_pack(struct turn *t, struct home *h, struct lk_error *err)
{
	static const struct stored_family none;
	struct packing p = { t, h };
	lk_bytes_clear(&t->state);
	lk_bytes_clear(&t->told);
	int rc = tolds_must_be_whole(&h->told) ? home_fetch(t, h, err) : 0;
	if (rc >= 0)
		rc = store_family_get(t->store, h->id, pack_onto, &p, err);
	if (rc == 0 && (rc = home_fetch(t, h, err)) == 0) /* without a row it has to be whole */
		(void)pack_onto(&p, &none);
	if (rc >= 0 && (t->state.failed || t->told.failed))
		rc = lk_fail(err, LK_EMEMORY, "no memory for a family's row");
	return rc;
}

static int home_write(struct turn *t, struct home *h, struct lk_error *err)
{
	int rc = home_pack(t, h, err);
	if (rc < 0)
		return rc;
	struct stored_family row = {
		.wake_at = h->wake_at,
		.state = t->state.at,
		.state_len = t->state.len,
		.told = t->told.at,
		.told_len = t->told.len,
	};
	memcpy(row.id, h->id, LK_DIGEST);
	memcpy(row.policy, h->policy, LK_DIGEST);
	rc = store_family_put(t->store, &row, err);
	h->is_dirty = rc < 0;
	return rc >= 0 && t->expunging != NULL ? expunge_look(t->expunging, &row, err) : rc;
}

/* ---- All of them ----------------------------------------------------------------------------- */

/* What was changed in this transaction was asked for in it. */
int homes_flush(struct turn *t, struct lk_error *err)
{
	for (struct home *h = t->newest; h != NULL && h->used == t->commits; h = h->older) {
		int rc = h->is_dirty ? home_write(t, h, err) : 0;
		if (rc < 0)
			return rc;
		home_weigh(t, h);
	}
	return 0;
}

void homes_forget(struct turn *t)
{
	while (t->newest != NULL) {
		struct home *h = t->newest;
		t->newest = h->older;
		home_free(h);
	}
	memset(t->homes, 0, sizeof(t->homes));
	t->oldest = t->whole = NULL;
	t->homes_bytes = 0;
}

/* What is long past is most of a family that has had many events, and next to nothing looks at it. */
static void home_leave(struct turn *t, struct home *h)
{
	if (h->bytes > t->homes_most / HOMES_SMALL) {
		family_leave(&h->f, h->told.settled.moments);
		tolds_leave(&h->told);
		home_weigh(t, h);
	}
	t->whole = h->newer;
}

void homes_trim(struct turn *t)
{
	bool come_back = store_families_come_back(t->store);
	while (t->homes_bytes > t->homes_most) {
		assert(!t->oldest->is_dirty);
		if (t->whole != NULL && come_back)
			home_leave(t, t->whole);
		else
			home_remove(t, t->oldest->id);
	}
}
