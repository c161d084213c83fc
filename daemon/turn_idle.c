/* turn_idle.c - what can wait until nobody does: checkpoints, and state.db filled from the
 * families.
 *
 * In: idle moments. Out: one bite of at most about 10 ms. Promise: the shared state store says only
 * what is committed; reports disturb nobody, and a loss of state.db loses nothing.
 */
#include "turn_parts.h"

#include <string.h>

#define FAMILIES_A_BITE 32

struct bite {
	uint8_t ids[FAMILIES_A_BITE][LK_DIGEST];
	int n;
};

static int note_dirty(void *context, const uint8_t id[LK_DIGEST], lk_instant wake_at)
{
	struct bite *bite = context;
	(void)wake_at;
	memcpy(bite->ids[bite->n++], id, LK_DIGEST);
	return 0;
}

/* A family whose cases have gone to another is none any more. */
static int project(struct turn *t, const uint8_t id[LK_DIGEST], struct lk_error *err)
{
	struct home *h = home_get(t, id, err);
	if (h == NULL)
		return LK_ESTORE;
	if (h->is_stale)
		return 0; /* behind: it is gathered anew, and marked again, by a turn that passes */
	return store_project(t->store, id, h->f.cases_n > 0 ? &h->f : NULL, err);
}

static int project_some(struct turn *t, struct lk_error *err)
{
	struct bite bite = { .n = 0 };
	int rc = store_dirty_families(t->store, FAMILIES_A_BITE, note_dirty, &bite, err);
	if (rc < 0 || bite.n == 0)
		return rc < 0 ? rc : 0;
	rc = store_begin(t->store, err);
	if (rc < 0)
		return rc;
	for (int i = 0; rc >= 0 && i < bite.n; i++)
		rc = project(t, bite.ids[i], err);
	if (rc >= 0)
		rc = store_commit(t->store, err);
	if (rc < 0)
		turn_undo(t);
	homes_trim(t);
	return rc < 0 ? rc : 1;
}

int turn_idle(struct turn *t, struct lk_error *err)
{
	int more = store_idle(t->store, err);
	return more != 0 ? more : project_some(t, err);
}
