/* turn_refold.c - families anew from the log: after a late event, a correction, a link made or undone.
 *
 * In: cases that something touched. Out: every family they belong to, folded from what was gathered and
 * settled; what was told goes with the recipient's own case. Promise: a family that comes apart, or that
 * two become, has told nothing twice and takes back all that no longer follows.
 */
#include "turn_gather.h"

#include <stdlib.h>
#include <string.h>

/* ---- Parts become families: all are folded before any is settled --------------------------------- */

struct part {
	uint32_t name; /* of the cases */
	struct home *home;
	struct derivation would; /* what it would say to nobody in particular: for the ids */
};

struct parts {
	struct part *at;
	uint32_t n;
};

/* A family folded anew may have lost a meeting, or one whom it required: whoever shares that worker is asked again. */
static int drop_family(struct gathering *g, const uint8_t id[LK_DIGEST], lk_instant at,
		       struct neighbours *had)
{
	int rc = neighbours_had(had, g->t, id, at, g->err);
	return rc < 0 ? rc : home_drop(g->t, id, g->err);
}

/* A mended row, or an event that is back, has put it behind: what it was told may have been taken back for want of events. */
static bool is_of_no_policy(const struct home *h)
{
	static const uint8_t none[LK_DIGEST];
	return memcmp(h->policy, none, LK_DIGEST) == 0;
}

/* Of a family whose state cannot be read: they may have been. */
static void note_opened(struct gathering *g, const struct home *h, uint32_t family)
{
	for (uint32_t i = 0; i < g->cases_n; i++) {
		struct gathered_case *c = &g->cases[i];
		if (c->family != family)
			continue;
		uint32_t k = family_case(&h->f, c->key.agency, c->key.number);
		bool is_so = k != NONE && h->f.cases[k].first_opened_at != LK_NO_INSTANT;
		c->was_opened = h->is_stale || is_so;
	}
}

/* All that the families were told, in one list, each name once: of families that were one before, several may know it.
 * The families themselves are dropped. */
static int collect_told(struct gathering *g, struct tolds *all, lk_instant at,
			struct neighbours *had)
{
	for (uint32_t i = 0; i < g->families_n; i++) {
		struct home *h = home_get(g->t, g->families[i], g->err);
		if (h == NULL)
			return LK_ESTORE;
		g->t->retells |= is_of_no_policy(h);
		note_opened(g, h, i);
		if (i == 0) { /* nearly always the only one */
			*all = h->told;
			h->told = (struct tolds){ 0 };
		}
		for (uint32_t r = 0; r < h->told.n; r++)
			tolds_join(all, &h->told, &h->told.at[r]);
		int rc = drop_family(g, g->families[i], at, had);
		if (rc < 0)
			return rc;
	}
	return all->failed ? lk_fail(g->err, LK_EMEMORY, "no memory for what was told") : 0;
}

static int open_part(struct gathering *g, struct part *part, lk_instant at)
{
	uint8_t id[LK_DIGEST];
	gathering_part_id(g, part->name, id);
	part->home = home_get(g->t, id, g->err);
	if (part->home == NULL)
		return LK_ESTORE;
	part->home->is_stale = false;
	memcpy(part->home->policy, g->t->revision, LK_DIGEST);
	part->home->told.settled = (struct settled){ 0 };
	for (uint32_t i = 0; i < g->cases_n; i++) {
		int rc = g->cases[i].part == part->name
				 ? store_case_join(g->t->store, g->cases[i].key, id, g->err)
				 : 0;
		if (rc < 0)
			return rc;
	}
	int rc = gathering_fold_part(g, g->t->policy, part->name, INT64_MAX, &part->home->f);
	if (rc >= 0) /* what time brought since is foreseen, too */
		fold_pass(&part->home->f, g->t->policy, at);
	return rc;
}

static int open_parts(struct gathering *g, struct parts *all, lk_instant at)
{
	all->at = calloc(g->cases_n + 1, sizeof(*all->at));
	if (all->at == NULL)
		return lk_fail(g->err, LK_EMEMORY, "no memory for families");
	for (uint32_t i = 0; i < g->cases_n; i++) {
		if (g->cases[i].part != i) /* a part is named by one of its cases */
			continue;
		all->at[all->n].name = i;
		int rc = open_part(g, &all->at[all->n++], at);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* ---- What was told goes with the recipient's own case -------------------------------------------- */

/* What each part would say at this instant: for the ids. */
static bool foresee(struct gathering *g, struct parts *all, lk_instant at,
		    void (*rules)(struct derivation *))
{
	static const struct surroundings nothing;
	bool failed = false;
	for (uint32_t i = 0; all->n > 1 && i < all->n; i++) {
		struct part *part = &all->at[i];
		derivation_free(&part->would);
		part->would = (struct derivation){ .f = &part->home->f,
						   .p = g->t->policy,
						   .s = &nothing,
						   .told = &part->home->told,
						   .now = at,
						   .wake = LK_NO_INSTANT };
		rules(&part->would);
		failed |= part->would.failed;
	}
	return !failed;
}

/* Somebody else may be asked for the same answer now: then it is theirs. */
static bool would_tell(const struct part *part, const struct told *record)
{
	for (uint32_t i = 0; i < part->would.n; i++) {
		const struct candidate *c = &part->would.at[i];
		if (memcmp(c->id, record->id, LK_DIGEST) == 0 ||
		    (c->kind == LK_NOTICE_UNANSWERED && c->cause == record->cause))
			return true;
	}
	return false;
}

/* With the recipient's own case; or, where that was left behind before, with the case it speaks of. */
static uint32_t part_of_record(const struct gathering *g, const struct parts *all,
			       const struct tolds *told, const struct told *record)
{
	struct lk_text own = words_text(&told->words, record->own);
	struct lk_text other = words_text(&told->words, record->other);
	uint32_t kase =
		lk_text_given(own) ? gathered(g, (struct case_key){ record->side, own }) : NONE;
	if (kase == NONE && lk_text_given(other))
		kase = gathered(g, (struct case_key){ 1 - record->side, other });
	for (uint32_t i = 0; kase != NONE && i < all->n; i++)
		if (all->at[i].name == g->cases[kase].part)
			return i;
	return 0;
}

/* One name is never told by two families: what another part says from now on goes there, where it is
 * taken back if it crossed a link that is no more. */
static void share_record(struct gathering *g, const struct parts *all, const struct tolds *told,
			 const struct told *record)
{
	uint32_t own = part_of_record(g, all, told, record);
	uint32_t other = own;
	for (uint32_t i = 0; i < all->n && !would_tell(&all->at[own], record); i++)
		if (would_tell(&all->at[i], record))
			other = i;
	tolds_move(&all->at[other].home->told, told, record);
}

static bool share_records(struct gathering *g, struct parts *all, const struct tolds *told,
			  bool answers)
{
	bool failed = false;
	for (uint32_t i = 0; i < told->n; i++)
		if ((told->at[i].kind == LK_NOTICE_UNANSWERED) == answers)
			share_record(g, all, told, &told->at[i]);
	for (uint32_t i = 0; i < all->n; i++)
		failed |= all->at[i].home->told.failed;
	return !failed;
}

/* notice.unanswered goes where the notice has gone that it speaks of: after all others. */
static int share_told(struct gathering *g, struct parts *all, struct tolds *told, lk_instant at)
{
	if (all->n == 1 && all->at[0].home->told.n == 0) { /* nearly always */
		tolds_free(&all->at[0].home->told);
		all->at[0].home->told = *told;
		all->at[0].home->told.settled = (struct settled){ 0 };
		*told = (struct tolds){ 0 };
		return 0;
	}
	bool shared = foresee(g, all, at, derive) && share_records(g, all, told, false) &&
		      foresee(g, all, at, rules_unanswered) && share_records(g, all, told, true);
	return shared ? 0 : lk_fail(g->err, LK_EMEMORY, "no memory for what was told");
}

/* One that was of its family is of another one now. Of a case that turns out never to have been opened nothing follows any more,
 * whatever it was linked with; and from one that had not been opened nothing had come. */
static bool has_lost(const struct gathering *g, uint32_t kase)
{
	const struct gathered_case *c = &g->cases[kase];
	if (c->family == NONE || c->opening == NULL)
		return false;
	for (uint32_t i = 0; i < g->cases_n; i++)
		if (g->cases[i].family == c->family && g->cases[i].part != c->part &&
		    g->cases[i].was_opened)
			return true;
	return false;
}

/* What goes of a family that others have only joined had crossed no link that was undone. */
static int settle_part(struct gathering *g, const struct part *part, lk_instant at)
{
	const struct family *f = &part->home->f;
	bool *apart = calloc(f->cases_n + 1, sizeof(*apart));
	if (apart == NULL)
		return lk_fail(g->err, LK_EMEMORY, "no memory for a family's cases");
	for (uint32_t i = 0; i < f->cases_n; i++) {
		uint32_t kase =
			gathered(g, (struct case_key){ f->cases[i].agency,
						       family_text(f, f->cases[i].number) });
		apart[i] = kase != NONE && has_lost(g, kase);
	}
	g->t->apart = apart;
	int rc = home_settle(g->t, part->home, at, g->err);
	g->t->apart = NULL;
	free(apart);
	return rc;
}

static int settle_all(struct gathering *g, struct parts *all, lk_instant at)
{
	int rc = 0;
	for (uint32_t i = 0; rc >= 0 && i < all->n; i++) /* each sees the others' */
		rc = home_write_calendar(g->t, all->at[i].home, g->err);
	for (uint32_t i = 0; rc >= 0 && i < all->n; i++)
		rc = settle_part(g, &all->at[i], at);
	g->t->retells = false; /* of others nothing was missing */
	for (uint32_t i = 0; rc >= 0 && i < all->n; i++)
		rc = settle_neighbours(g->t, all->at[i].home, at, g->err);
	for (uint32_t i = 0; rc >= 0 && i < all->n; i++)
		rc = settle_lookalikes(g->t, all->at[i].home, at, g->err);
	return rc;
}

/* A family that comes apart: its parts may each tell, one day, what it told. */
static int note_apart(struct gathering *g, const struct parts *all, const struct tolds *told)
{
	for (uint32_t i = 0; all->n > 1 && i < told->n; i++) {
		int rc = store_apart_put(g->t->store, told->at[i].id, told->at[i].rev, g->err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static bool is_gathered(const struct gathering *g, const uint8_t id[LK_DIGEST])
{
	for (uint32_t i = 0; i < g->families_n; i++)
		if (memcmp(g->families[i], id, LK_DIGEST) == 0)
			return true;
	return false;
}

/* Those that were gathered are settled themselves, or are no more. */
static int settle_left(struct gathering *g, struct neighbours *had, lk_instant at)
{
	uint32_t n = 0;
	for (uint32_t i = 0; i < had->n; i++)
		if (!is_gathered(g, had->ids[i]))
			memmove(had->ids[n++], had->ids[i], LK_DIGEST);
	had->n = n;
	return settle_others(g->t, had, at, g->err);
}

static int settle_parts(struct gathering *g, lk_instant at)
{
	struct tolds told = { 0 };
	struct parts all = { 0 };
	struct neighbours had = { 0 };
	int rc = collect_told(g, &told, at, &had);
	if (rc >= 0)
		rc = open_parts(g, &all, at);
	if (rc >= 0)
		rc = share_told(g, &all, &told, at);
	if (rc >= 0)
		rc = note_apart(g, &all, &told);
	if (rc >= 0)
		rc = settle_all(g, &all, at);
	if (rc >= 0)
		rc = settle_left(g, &had, at);
	g->t->retells = false;
	for (uint32_t i = 0; i < all.n; i++)
		derivation_free(&all.at[i].would);
	free(all.at);
	free(had.ids);
	tolds_free(&told);
	return rc;
}

int refold(struct turn *t, const struct case_key *cases, size_t n, lk_instant at,
	   struct lk_error *err)
{
	struct gathering g = { .t = t, .err = err, .known_at = LK_NO_INSTANT };
	int rc = 0;
	for (size_t i = 0; rc >= 0 && links_are_behind(t) && i < n; i++)
		rc = links_settle_all(t, cases[i], err);
	for (size_t i = 0; rc >= 0 && i < n; i++)
		rc = gathering_add(&g, cases[i]);
	if (rc >= 0)
		rc = gathering_read(&g);
	if (rc >= 0)
		rc = settle_parts(&g, at);
	gathering_free(&g);
	return rc;
}

/* What it told follows from nothing now, and its record of that is there when its cases come back. One that has joined another
 * has no row any more, and is not behind. */
int family_without_cases(struct turn *t, struct home *h, lk_instant at, struct lk_error *err)
{
	struct neighbours had = { 0 };
	if (memcmp(h->policy, t->revision, LK_DIGEST) == 0)
		return 0;
	family_free(&h->f);
	h->is_stale = false;
	memcpy(h->policy, t->revision, LK_DIGEST);
	h->told.settled = (struct settled){ 0 };
	int rc = neighbours_had(&had, t, h->id, at, err);
	if (rc >= 0)
		rc = home_write_calendar(t, h, err);
	if (rc >= 0)
		rc = home_settle(t, h, at, err);
	if (rc >= 0)
		rc = settle_others(t, &had, at, err);
	free(had.ids);
	return rc;
}
