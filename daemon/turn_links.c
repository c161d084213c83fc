/* turn_links.c - which two cases are linked: by what people said of the pair, and by equal tokens of identity.
 *
 * In: a pair, or a case whose openings came or went. Out: rows of links and of tokens. Promise: the answer
 * is found from all that the log says of the pair, never from the answer of before; a person's no beats
 * equal tokens.
 */
#include "turn_gather.h"

#include <stdlib.h>

/* ---- One pair: are the two cases linked? ----------------------------------------------------- */

/* The gathering's first case, and this one. */
static bool is_of_pair(const struct gathered_event *e, uint32_t other)
{
	return (e->kase == 0 && gathered_pairs(e, other)) ||
	       (e->kase == other && gathered_pairs(e, 0));
}

/* In the order in which it was said: the last refusal or removal makes all before it as if it had never been; the
 * confirmation after it that counts first links. One that waits for its case's opening counts from there. */
static lk_instant said_since(const struct gathering *g, uint32_t other)
{
	lk_instant since = LK_NO_INSTANT;
	for (uint32_t i = 0; i < g->events_n; i++) {
		const struct gathered_event *e = g->events[i];
		if (!is_of_pair(e, other))
			continue;
		if (e->type != LK_LINK_CONFIRMED)
			since = LINK_REFUSED;
		else if (g->cases[e->kase].opening != NULL &&
			 (since == LK_NO_INSTANT || e->key.at < since))
			since = e->key.at;
	}
	return since;
}

static bool was_refused(const struct gathering *g, uint32_t other)
{
	for (uint32_t i = 0; i < g->events_n; i++)
		if (g->events[i]->type != LK_LINK_CONFIRMED && is_of_pair(g->events[i], other))
			return true;
	return false;
}

struct matching {
	const struct gathering *g;
	uint32_t other;
	lk_instant since;
};

/* Tokens link cases of different agencies: a child's move between two CalWORKs cases makes no
 * Linkages family. */
static int match_token(void *context, struct case_key other, int kind, lk_instant since)
{
	struct matching *m = context;
	bool automatic = (m->g->t->policy->links_automatic & POLICY_BIT(kind)) != 0;
	if (automatic && case_is(other, m->g->cases[m->other].key) &&
	    (m->since == LK_NO_INSTANT || since < m->since))
		m->since = since;
	return 0;
}

/* A person's no beats equal tokens; a person's yes and equal tokens link from the earlier of both.
 */
static int settle_pair(struct gathering *g, uint32_t other)
{
	struct store *store = g->t->store;
	struct matching m = { g, other, LK_NO_INSTANT };
	struct case_key a = g->cases[0].key, b = g->cases[other].key;
	lk_instant since = said_since(g, other);
	int rc = a.agency != b.agency ? store_lookalikes(store, a, match_token, &m, g->err) : 0;
	if (rc < 0)
		return rc;
	if (since == LK_NO_INSTANT || (since != LINK_REFUSED && m.since != LK_NO_INSTANT &&
				       m.since < since && !was_refused(g, other)))
		since = m.since;
	return since != LK_NO_INSTANT ? store_link_put(store, a, b, since, g->err)
				      : store_link_drop(store, a, b, g->err);
}

/* All that was said, in the order in which it was said. */
static int read_words(struct gathering *g)
{
	int rc = gathering_load(g);
	gathering_sort(g);
	gathering_place(g);
	return rc;
}

/* 1: what was said of it is there; 0: a case and itself; negative. */
static int read_pair(struct gathering *g, struct case_key a, struct case_key b)
{
	int rc = gathering_add(g, a);
	if (rc >= 0)
		rc = gathering_add(g, b);
	if (rc < 0 || g->cases_n < 2)
		return rc < 0 ? rc : 0;
	rc = read_words(g);
	return rc < 0 ? rc : 1;
}

int links_settle_pair(struct turn *t, struct case_key a, struct case_key b, struct lk_error *err)
{
	struct gathering g = { .t = t, .err = err, .known_at = LK_NO_INSTANT };
	int rc = read_pair(&g, a, b);
	if (rc > 0)
		rc = settle_pair(&g, 1);
	gathering_free(&g);
	return rc;
}

int links_is_void(struct turn *t, struct case_key own, struct case_key other, struct lk_text source,
		  struct lk_text id, struct lk_error *err)
{
	struct gathering g = { .t = t, .err = err, .known_at = LK_NO_INSTANT };
	int rc = read_pair(&g, own, other);
	bool is_void = false;
	for (uint32_t i = 0; rc > 0 && i < g.events_n; i++) {
		const struct gathered_event *e = g.events[i];
		if (lk_text_is(e->key.source, source) && lk_text_is(e->key.id, id))
			is_void = gathered_is_void(&g, e, 1);
	}
	gathering_free(&g);
	return rc < 0 ? rc : is_void;
}

/* ---- One case: what it said of links, its tokens of identity --------------------------------- */

struct tokens {
	struct stored_token *at;
	uint32_t n, room;
};

static int add_tokens(struct tokens *all, const struct lk_member *member, lk_instant since)
{
	for (int kind = 0; kind < lk_key_kind_count; kind++) {
		struct stored_token *wider =
			vector_grown(all->at, all->n, &all->room, sizeof(*wider));
		if (wider == NULL)
			return LK_EMEMORY;
		all->at = wider;
		all->at[all->n] = (struct stored_token){ .kind = kind, .since = since };
		if (lk_text_given(member->key[kind]) &&
		    lk_digest_parse(member->key[kind], all->at[all->n].token) == 0)
			all->n++;
	}
	return 0;
}

static int find_tokens(const struct gathering *g, struct tokens *all)
{
	struct lk_event event;
	struct lk_refused why;
	for (uint32_t i = 0; i < g->events_n; i++) {
		const struct gathered_event *e = g->events[i];
		if (e->type != LK_CASE_OPENED ||
		    lk_event_decode(e->body, e->body_len, turn_agency_of, g->t, &event, &why) < 0)
			continue;
		for (uint32_t m = 0; m < event.case_opened.members.n; m++)
			if (add_tokens(all, &event.case_opened.members.at[m], e->key.at) < 0)
				return lk_fail(g->err, LK_EMEMORY, "no memory for tokens");
	}
	return 0;
}

static int visit_lookalike(void *context, struct case_key other, int kind, lk_instant since)
{
	struct gathering *g = context;
	(void)kind;
	(void)since;
	return other.agency != g->cases[0].key.agency ? gathering_add(g, other) : 0;
}

/* Whatever the case said of a link may have waited for its opening. */
static int add_said(struct gathering *g)
{
	struct lk_event event;
	struct lk_refused why;
	int rc = 0;
	for (uint32_t i = 0; rc >= 0 && i < g->events_n; i++) {
		const struct gathered_event *e = g->events[i];
		if (is_link(e->type) &&
		    lk_event_decode(e->body, e->body_len, turn_agency_of, g->t, &event, &why) >= 0)
			rc = gathering_add(g, other_of(&event));
	}
	return rc;
}

/* The pairs that it spoke of, and that the tokens of before and of now make, each settled anew. The number of pairs. */
static int settle_pairs(struct gathering *g)
{
	int rc = read_words(g);
	for (uint32_t i = 1; rc >= 0 && i < g->cases_n; i++)
		rc = settle_pair(g, i);
	return rc < 0 ? rc : (int)g->cases_n - 1;
}

/* All that looked alike before or do now: a likely match may have come or gone with the tokens. */
static int gather_alike(struct gathering *g, lk_instant at)
{
	struct case_key *keys = calloc(g->cases_n, sizeof(*keys));
	if (keys == NULL)
		return lk_fail(g->err, LK_EMEMORY, "no memory for lookalikes");
	for (uint32_t i = 0; i < g->cases_n; i++)
		keys[i] = g->cases[i].key;
	int rc = refold_when_whole(g->t, keys, g->cases_n, at, g->err);
	free(keys);
	return rc;
}

static int settle_case(struct gathering *g, struct case_key key)
{
	struct tokens all = { 0 };
	int rc = gathering_add(g, key);
	if (rc >= 0)
		rc = gathering_load(g);
	if (rc >= 0)
		rc = add_said(g);
	if (rc >= 0)
		rc = find_tokens(g, &all);
	if (rc >= 0)
		rc = store_lookalikes(g->t->store, key, visit_lookalike, g, g->err);
	if (rc >= 0)
		rc = store_tokens_put(g->t->store, key, all.at, all.n, g->err);
	if (rc >= 0)
		rc = store_lookalikes(g->t->store, key, visit_lookalike, g, g->err);
	free(all.at);
	return rc < 0 ? rc : settle_pairs(g);
}

int links_settle_case(struct turn *t, struct case_key key, struct lk_error *err)
{
	struct gathering g = { .t = t, .err = err, .known_at = LK_NO_INSTANT };
	int rc = settle_case(&g, key);
	gathering_free(&g);
	return rc;
}

int links_undo_opening(struct turn *t, struct case_key key, lk_instant at, struct lk_error *err)
{
	struct gathering g = { .t = t, .err = err, .known_at = LK_NO_INSTANT };
	int rc = settle_case(&g, key);
	if (rc > 0)
		rc = gather_alike(&g, at);
	gathering_free(&g);
	return rc;
}

/* ---- All links of a family, anew ------------------------------------------------------------- */

bool links_are_behind(const struct turn *t)
{
	return t->links_by != (int64_t)t->policy->links_automatic;
}

int links_settle_all(struct turn *t, struct case_key key, struct lk_error *err)
{
	struct gathering g = { .t = t, .err = err, .known_at = LK_NO_INSTANT };
	int rc = gathering_add(&g, key);
	for (uint32_t i = 0; rc >= 0 && i < g.cases_n; i++) {
		rc = links_settle_case(t, g.cases[i].key, err);
		if (rc >= 0) /* a family that is taken in has no turn of its own any more */
			rc = gathering_reach(&g, i);
	}
	gathering_free(&g);
	return rc < 0 ? rc : 0;
}
