/* turn_rebuild.c - every projection made anew from the log, and held against what was there.
 *
 * In: idle moments. Out: how many families were looked at, and how many were not what the log says. Promise: the log is the
 * truth: what differs is replaced by what it says; what is equal is proved so byte by byte.
 */
#include "turn_parts.h"

#include <stdlib.h>
#include <string.h>

#define FAMILIES_A_STEP 4

struct turn_rebuilding {
	struct turn *t;
	uint8_t at[LK_DIGEST]; /* the last family that was looked at */
	bool begun, orphans;
	struct turn_rebuilt found;
	int64_t waiting,
		before; /* notices that wait for a person: counted here, and what was said when this began */
	int64_t told; /* notices in the store then: who tells or answers meanwhile makes the count worthless */
};

struct some {
	uint8_t ids[FAMILIES_A_STEP][LK_DIGEST];
	int n;
};

static int note_id(void *context, const uint8_t id[LK_DIGEST], lk_instant wake_at)
{
	struct some *some = context;
	(void)wake_at;
	memcpy(some->ids[some->n++], id, LK_DIGEST);
	return 0;
}

struct first {
	struct case_key key;
	char number[33];
};

static int note_first(void *context, struct case_key key)
{
	struct first *first = context;
	size_t len = key.number.len < 32 ? key.number.len : 32;
	memcpy(first->number, key.number.at, len);
	first->key = (struct case_key){ key.agency, { first->number, (uint32_t)len } };
	return 1;
}

/* ---- The family's row ------------------------------------------------------------------------ */

/* What the row says now, against what the log says: 1 where they differ. */
static int fold_differs(struct turn *t, const uint8_t id[LK_DIGEST], struct lk_error *err)
{
	struct lk_bytes before = { 0 }, after = { 0 };
	struct first first = { .key = { LK_NO_CODE, LK_NO_TEXT } };
	struct home *h = home_get(t, id, err);
	int rc = h == NULL ? LK_ESTORE : home_catch_up(t, h, t->now, err);
	if (rc >= 0)
		rc = store_family_cases(t->store, id, note_first, &first, err);
	if (rc >= 0)
		family_pack(&h->f, &before);
	if (rc > 0) {
		rc = refold(t, &first.key, 1, t->now, err);
		h = rc >= 0 ? home_get(t, id, err) : NULL;
		rc = h == NULL ? LK_ESTORE : 0;
	}
	if (rc == 0)
		family_pack(&h->f, &after);
	if (rc == 0 && (before.failed || after.failed))
		rc = lk_fail(err, LK_EMEMORY, "no memory to compare a family");
	if (rc == 0)
		rc = t->grown_n > 0 || before.len != after.len ||
		     (before.len > 0 && memcmp(before.at, after.at, before.len) != 0);
	lk_bytes_free(&before);
	lk_bytes_free(&after);
	return rc;
}

/* Equal: nothing is written. */
static int fold_anew(struct turn_rebuilding *r, const uint8_t id[LK_DIGEST], struct lk_error *err)
{
	int rc = store_begin(r->t->store, err);
	if (rc < 0)
		return rc;
	struct home *h = home_get(r->t, id, err);
	r->waiting += h != NULL ? tally_waiting(&h->told) : 0;
	rc = h != NULL ? fold_differs(r->t, id, err) : LK_ESTORE;
	if (rc <= 0) {
		turn_undo(r->t);
		return rc;
	}
	r->found.folds++;
	return turn_commit(r->t, err);
}

/* ---- Its rows in state.db -------------------------------------------------------------------- */

static int project_differs(struct turn *t, const uint8_t id[LK_DIGEST], struct lk_error *err)
{
	uint8_t before[LK_DIGEST], after[LK_DIGEST];
	int behind = store_is_dirty(t->store, id, err);
	int rc = behind < 0 ? behind : store_project_digest(t->store, id, before, err);
	if (rc >= 0)
		rc = home_project(t, id, err);
	if (rc >= 0)
		rc = store_project_digest(t->store, id, after, err);
	return rc < 0 ? rc : !behind && memcmp(before, after, LK_DIGEST) != 0;
}

static int reproject(struct turn_rebuilding *r, const uint8_t id[LK_DIGEST], struct lk_error *err)
{
	int rc = store_begin(r->t->store, err);
	if (rc < 0)
		return rc;
	int differs = project_differs(r->t, id, err);
	rc = differs < 0 ? differs : store_commit(r->t->store, err);
	if (rc < 0)
		turn_undo(r->t);
	else
		r->found.rows += differs;
	return rc;
}

/* ---- Steps ----------------------------------------------------------------------------------- */

/* What is told of feeds has a row of its own, and is no family. */
static int rebuild_one(struct turn_rebuilding *r, const uint8_t id[LK_DIGEST], struct lk_error *err)
{
	int rc = fold_anew(r, id, err);
	if (rc >= 0)
		rc = reproject(r, id, err);
	r->found.families += memcmp(id, feeds_id, LK_DIGEST) != 0;
	return rc;
}

/* Rows of a family that is none any more: projected like any other, they go. Those that wait for that are no surprise. */
static int drop_one(struct turn_rebuilding *r, const uint8_t id[LK_DIGEST], struct lk_error *err)
{
	struct first first;
	int rc = store_family_cases(r->t->store, id, note_first, &first, err);
	if (rc != 0)
		return rc < 0 ? rc : 0;
	int64_t before = r->found.rows;
	rc = reproject(r, id, err);
	r->found.orphans += r->found.rows - before;
	r->found.rows = before;
	return rc;
}

/* Where nothing came between, the count is right and the number kept may not be. */
static int recount(struct turn_rebuilding *r, struct lk_error *err)
{
	struct tally *tally = &r->t->tally;
	struct store_counts now = { 0 };
	int rc = store_counts(r->t->store, &now, err);
	if (rc < 0 || tally->committed != r->before || now.notices != r->told ||
	    r->waiting == r->before)
		return rc;
	if ((rc = store_begin(r->t->store, err)) < 0)
		return rc;
	tally->unanswered = r->waiting;
	return turn_commit(r->t, err);
}

int turn_rebuild_step(struct turn_rebuilding *r, struct lk_error *err)
{
	struct some some = { .n = 0 };
	if (turn_awaits(r->t)) /* since it began */
		return waiting_refuse(r->t, err);
	int rc = r->orphans ? store_projected_after(r->t->store, r->begun ? r->at : NULL,
						    FAMILIES_A_STEP, note_id, &some, err)
			    : store_families_after(r->t->store, r->begun ? r->at : NULL,
						   FAMILIES_A_STEP, note_id, &some, err);
	for (int i = 0; rc >= 0 && i < some.n; i++)
		rc = r->orphans ? drop_one(r, some.ids[i], err) : rebuild_one(r, some.ids[i], err);
	homes_trim(r->t);
	if (rc < 0)
		return rc;
	r->begun = some.n > 0;
	if (some.n > 0)
		memcpy(r->at, some.ids[some.n - 1], LK_DIGEST);
	if (some.n == FAMILIES_A_STEP || !r->orphans) {
		r->orphans |= some.n < FAMILIES_A_STEP;
		r->begun &= some.n == FAMILIES_A_STEP;
		return 1;
	}
	return recount(r, err);
}

int turn_rebuild(struct turn *t, struct turn_rebuilding **out, struct lk_error *err)
{
	*out = NULL;
	if (turn_awaits(t))
		return waiting_refuse(t, err);
	struct turn_rebuilding *r = calloc(1, sizeof(*r));
	*out = r;
	if (r == NULL)
		return lk_fail(err, LK_EMEMORY, "no memory to rebuild");
	struct store_counts now = { 0 };
	int rc = store_counts(t->store, &now, err);
	r->t = t;
	r->before = t->tally.committed;
	r->told = now.notices;
	if (rc < 0) {
		turn_rebuild_end(r);
		*out = NULL;
	}
	return rc;
}

void turn_rebuild_told(const struct turn_rebuilding *r, struct turn_rebuilt *out)
{
	*out = r->found;
}

void turn_rebuild_end(struct turn_rebuilding *r)
{
	free(r);
}
