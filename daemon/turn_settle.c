/* turn_settle.c - one family at one instant: fold, derive, compare, and have the difference written.
 *
 * In: a family at hand, and what reaches in from others. Out: tellings, and the next wake. Promise:
 * nothing is told before COMMIT; looking at what would be told (home_foresee()) writes nothing.
 */
#include "turn_settle.h"

#include <string.h>

static int carry_out(struct writing *w, const struct outcome *out, const struct foresight *only)
{
	if (out->failed || w->d->failed || w->h->f.failed || w->h->told.failed)
		return lk_fail(w->err, LK_EMEMORY, "no memory to settle a family");
	if (only == NULL)
		return outcome_write(w, out);
	return only->see == NULL ? 0 : only->see(only->context, w->d, &w->h->told, out);
}

/* One look at the family: some rules, what they change of what was told, and when to look again. */
struct look {
	void (*rules)(struct derivation *d);
	enum scope scope;
};
static const struct look at_state = { derive, SCOPE_STATE };
static const struct look at_answers = { rules_unanswered, SCOPE_ANSWERS };
static const struct look at_feeds = { rules_feed, SCOPE_STATE };

static bool looks_back(const struct derivation *d)
{
	bool is_away = d->lacks;
	for (uint32_t i = 0; !is_away && i < d->n; i++)
		is_away = tolds_may_lack(d->told, d->at[i].cause);
	return is_away;
}

/* Nearly all that is new looks at nothing that is away. */
static int ask(const struct nearby *n, struct derivation *d, const struct look *look)
{
	look->rules(d);
	if (!looks_back(d))
		return 0;
	int rc = home_fetch(n->t, n->h, n->err);
	d->n = 0;
	if (rc >= 0)
		look->rules(d);
	return rc;
}

#define FEW 2 /* so many tellings, as of nearly every event, have room without asking for memory */

static int look_at(struct nearby *n, lk_instant at, const struct look *look,
		   const struct foresight *only)
{
	struct home *h = n->h;
	struct surroundings around = nearby_surroundings(n);
	struct candidate candidates[FEW];
	struct telling tellings[FEW];
	struct derivation d = { .f = &h->f,
				.p = only != NULL ? only->policy : n->t->policy,
				.trace = only != NULL ? only->trace : NULL,
				.s = &around,
				.told = &h->told,
				.now = at,
				.said_at = instant_earlier(n->t->said_at, at),
				.wake = LK_NO_INSTANT,
				.at = candidates,
				.room = FEW | LENT,
				.thrifty = only == NULL,
				.retells = only == NULL && n->t->retells,
				.apart = only == NULL ? n->t->apart : NULL };
	struct outcome out = { .at = tellings, .room = FEW | LENT };
	struct writing w = { n->t, h, &d, at, n->err };
	int rc = ask(n, &d, look);
	if (rc >= 0) {
		compare(&h->told, &d, look->scope, &out);
		rc = carry_out(&w, &out, only);
	}
	h->wake_at = instant_earlier(h->wake_at, d.wake);
	outcome_free(&out);
	derivation_free(&d);
	return rc;
}

static int look_at_answers(struct nearby *n, lk_instant at, const struct foresight *only)
{
	struct home *h = n->h;
	lk_instant wake = h->told.answers_wake;
	bool stands = h->told.answers_stand && (wake == LK_NO_INSTANT || at < wake);
	if (only != NULL || !stands)
		return look_at(n, at, &at_answers, only);
	h->wake_at = instant_earlier(h->wake_at, wake);
	return 0;
}

static int settle(struct turn *t, struct home *h, lk_instant at, const struct foresight *only,
		  struct lk_error *err)
{
	struct nearby n = { .t = t, .h = h, .err = err };
	const struct policy *policy = only != NULL ? only->policy : t->policy;
	fold_pass(&h->f, policy, at);
	h->wake_at = fold_next(&h->f, policy);
	int rc = nearby_fetch(&n, at);
	if (rc >= 0)
		rc = look_at(&n, at, &at_state, only);
	if (rc >= 0)
		rc = look_at_answers(&n, at, only);
	nearby_free(&n);
	return rc;
}

int home_settle(struct turn *t, struct home *h, lk_instant at, struct lk_error *err)
{
	if (h->is_stale)
		return 0; /* of another layout: it is behind, and will be gathered anew */
	h->is_dirty = true;
	/* One that is behind stays so until it is gathered: it was folded under another policy. */
	return settle(t, h, at, NULL, err);
}

int home_foresee(struct turn *t, struct home *h, lk_instant at, const struct foresight *see,
		 struct lk_error *err)
{
	return settle(t, h, at, see, err);
}

int home_catch_up(struct turn *t, struct home *h, lk_instant now, struct lk_error *err)
{
	while (!h->is_stale && h->wake_at != LK_NO_INSTANT && h->wake_at <= now) {
		int rc = home_settle(t, h, h->wake_at, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

const uint8_t feeds_id[LK_DIGEST];

int feeds_settle(struct turn *t, lk_instant at, struct lk_error *err)
{
	struct home *h = home_get(t, feeds_id, err);
	if (h == NULL)
		return LK_ESTORE;
	struct nearby n = { .t = t, .h = h, .err = err };
	h->is_dirty = true;
	memcpy(h->policy, t->revision, LK_DIGEST);
	int rc = nearby_silent(&n);
	if (rc >= 0)
		rc = look_at(&n, at, &at_feeds, NULL);
	nearby_free(&n);
	return rc;
}
