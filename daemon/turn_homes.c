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

static size_t home_bytes(const struct home *h)
{
	return sizeof(*h) + family_bytes(&h->f) + tolds_bytes(&h->told);
}

static void home_weighs(struct turn *t, struct home *h, size_t bytes)
{
	t->homes_bytes += bytes - h->bytes;
	h->bytes = bytes;
}

static void home_weigh(struct turn *t, struct home *h)
{
	home_weighs(t, h, home_bytes(h));
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

/* Each round reads what the one before has asked for. */
void homes_expect(const struct turn *t, uint8_t (*ids)[LK_DIGEST], uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		const struct home *first = t->homes[bucket_of(ids[i])];
		lines_expect(first, first != NULL ? sizeof(*first) : 0);
	}
	for (uint32_t i = 0; i < n; i++)
		home_expect(t, ids[i]);
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

bool home_is_here(const struct turn *t, const uint8_t id[LK_DIGEST])
{
	return home_find(t, id) != NULL;
}

void home_let_go(struct turn *t, const uint8_t id[LK_DIGEST])
{
	const struct home *h = home_find(t, id);
	if (h != NULL && !h->is_dirty)
		home_remove(t, id);
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

static bool home_is_whole(const struct home *h)
{
	return h->f.moments_away == 0 && h->told.away == 0;
}

/* Its history may be away: then its row is what the next one is packed onto. */
static struct home *home_seek(struct turn *t, const uint8_t id[LK_DIGEST], struct lk_error *err)
{
	struct home *h = home_find(t, id);
	if (h != NULL) {
		use_end(t, h);
		use_begin(t, h);
		return home_is_whole(h) || store_ahead_keep(t->store, id, err) == 0 ? h : NULL;
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
	if (home_is_whole(h))
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

/* ---- Packing --------------------------------------------------------------------------------- */

/* Most of a long life is as it was. Returns how long the first half is. */
static size_t pack_onto(struct home *h, const struct stored_family *was, struct lk_bytes *row)
{
	lk_bytes_clear(row);
	family_pack_on(&h->f, was->state, was->state_len, row);
	size_t state_len = row->len;
	tolds_pack_on(&h->told, was->told, was->told_len, row);
	return state_len;
}

struct packing {
	struct home *h;
	struct lk_bytes *row;
	size_t state_len;
};

static int pack_visited(void *context, const struct stored_family *was)
{
	struct packing *p = context;
	p->state_len = pack_onto(p->h, was, p->row);
	return 0;
}

static int home_pack(struct turn *t, struct packing *p, struct lk_error *err)
{
	static const struct stored_family none;
	int rc = tolds_must_be_whole(&p->h->told) ? home_fetch(t, p->h, err) : 0;
	if (rc >= 0)
		rc = store_family_get(t->store, p->h->id, pack_visited, p, err);
	if (rc == 0 && (rc = home_fetch(t, p->h, err)) == 0) /* without a row it has to be whole */
		(void)pack_visited(p, &none);
	if (rc >= 0 && p->row->failed)
		rc = lk_fail(err, LK_EMEMORY, "no memory for a family's row");
	return rc;
}

static struct stored_family row_of(const struct home *h)
{
	struct stored_family row = { .wake_at = h->wake_at };
	memcpy(row.id, h->id, LK_DIGEST);
	memcpy(row.policy, h->policy, LK_DIGEST);
	return row;
}

static int home_written(struct turn *t, struct home *h, const struct stored_family *row,
			struct lk_error *err)
{
	h->is_dirty = false;
	return t->expunging != NULL ? expunge_look(t->expunging, row, err) : 0;
}

static int home_write(struct turn *t, struct home *h, struct lk_error *err)
{
	struct packing p = { .h = h, .row = &t->packers[BY_LOOP].row };
	int rc = home_pack(t, &p, err);
	if (rc < 0)
		return rc;
	struct stored_family row = row_of(h);
	row.state = p.row->at;
	row.state_len = p.state_len;
	row.told = p.row->at + p.state_len;
	row.told_len = p.row->len - p.state_len;
	rc = store_family_put(t->store, &row, err);
	return rc < 0 ? rc : home_written(t, h, &row, err);
}

void packers_free(struct turn *t)
{
	for (int i = 0; i < PACKERS; i++) {
		lk_bytes_free(&t->packers[i].row);
		lk_bytes_free(&t->packers[i].deltas);
	}
	free(t->drafts);
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

/* ---- All of them, by two threads -------------------------------------------------------------- */

/* In either thread. What is not at hand as it was is left to home_write(). */
static void draft_make(struct turn *t, int by, size_t i)
{
	struct home_draft *d = &t->drafts[i];
	struct packer *p = &t->packers[by];
	const struct stored_family will = row_of(d->home);
	d->is_made =
		!tolds_must_be_whole(&d->home->told) && store_draft_begin(t->store, &will, &d->row);
	if (!d->is_made)
		return;
	size_t state_len = pack_onto(d->home, &d->row.is, &p->row);
	store_draft_make(&d->row, &p->row, state_len, &p->deltas);
	d->bytes = home_bytes(d->home);
}

static int draft_add(struct turn *t, struct home *h, struct lk_error *err)
{
	struct home_draft *wider =
		vector_grown(t->drafts, t->drafts_n, &t->drafts_room, sizeof(*wider));
	if (wider == NULL)
		return lk_fail(err, LK_EMEMORY, "no memory for families' rows");
	t->drafts = wider;
	wider[t->drafts_n++].home = h;
	return 0;
}

static int drafts_begin(struct turn *t, struct lk_error *err)
{
	int rc = 0;
	t->drafts_n = 0;
	for (int i = 0; i < PACKERS; i++)
		lk_bytes_clear(&t->packers[i].deltas);
	for (struct home *h = t->newest; rc == 0 && h != NULL && h->used == t->commits;
	     h = h->older)
		if (h->is_dirty)
			rc = draft_add(t, h, err);
		else
			home_weigh(t, h);
	return rc;
}

static int drafts_put(struct turn *t, struct lk_error *err)
{
	int rc = 0;
	for (uint32_t i = 0; rc >= 0 && i < t->drafts_n; i++) {
		struct home_draft *d = &t->drafts[i];
		if (!d->is_made)
			continue;
		rc = store_draft_put(t->store, &d->row, err);
		home_weighs(t, d->home, d->bytes);
		if (rc >= 0)
			rc = home_written(t, d->home, &d->row.will, err);
	}
	return rc;
}

/* What was put has none any more. */
static void drafts_drop(struct turn *t)
{
	for (uint32_t i = 0; i < t->drafts_n; i++)
		if (t->drafts[i].is_made)
			store_draft_drop(&t->drafts[i].row);
}

static int others_write(struct turn *t, struct lk_error *err)
{
	int rc = 0;
	for (uint32_t i = 0; rc >= 0 && i < t->drafts_n; i++) {
		struct home *h = t->drafts[i].home;
		if (h->is_dirty && (rc = home_write(t, h, err)) >= 0)
			home_weigh(t, h);
	}
	return rc;
}

int homes_flush_last(struct turn *t, struct lk_error *err)
{
	int rc = drafts_begin(t, err);
	if (rc < 0)
		return rc;
	reader_share(t, draft_make, t->drafts_n);
	rc = store_let_in(t->store, err);
	reader_join(t);
	if (rc >= 0)
		rc = drafts_put(t, err);
	drafts_drop(t);
	return rc < 0 ? rc : others_write(t, err);
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
