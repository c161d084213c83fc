/* turn_gather.c - families anew from the log: after a late event, a correction, a link made or
 * undone.
 *
 * In: cases that something touched. Out: every family they belong to, folded from its events in
 * order, under the links that hold now; what was told goes with the recipient's own case.
 * Promise: the same state as if every event had arrived at its time and no link that was undone had
 * ever been.
 */
#include "turn_parts.h"

#include <stdlib.h>
#include <string.h>

/* ---- What is gathered ------------------------------------------------------------------------ */

struct gathered_case {
	struct case_key key;  /* its number is a copy of our own */
	uint32_t part;        /* the cases that links join share one */
	lk_instant opened_at; /* first opening that counts; LK_NO_INSTANT: none yet */
};

#define LINK_BY_TOKEN (-2) /* no event: equal tokens link from then on */

struct gathering {
	struct turn *t;
	struct lk_error *err;
	lk_instant known_at; /* only what had come in by then; LK_NO_INSTANT: all */
	struct gathered_case *cases;
	uint32_t cases_n, cases_room;
	struct gathered_event **events;
	uint32_t events_n, events_room;
	uint8_t (*families)[LK_DIGEST]; /* that the cases belonged to */
	uint32_t families_n, families_room;
	uint32_t loading; /* case whose events are read; all are where it is cases_n */
};

/* Whatever else comes late in this transaction finds the case's events at hand. */
static void give_back(struct gathering *g, uint32_t kase)
{
	struct gathered_list list = { calloc(g->events_n + 1, sizeof(struct gathered_event *)), 0 };
	for (uint32_t i = 0; list.at != NULL && i < g->events_n; i++) {
		struct gathered_event *e = g->events[i];
		if (e == NULL || e->kase != kase || e->type == LINK_BY_TOKEN)
			continue;
		list.at[list.n++] = e;
		g->events[i] = NULL;
	}
	if (list.at != NULL)
		hand_give(g->t, g->cases[kase].key, &list);
}

static bool is_whole(const struct gathering *g)
{
	return g->t->is_taking && g->known_at == LK_NO_INSTANT && g->loading == g->cases_n;
}

static void gathering_free(struct gathering *g)
{
	for (uint32_t i = 0; is_whole(g) && i < g->cases_n; i++)
		give_back(g, i);
	for (uint32_t i = 0; i < g->cases_n; i++)
		free((char *)(uintptr_t)g->cases[i].key.number.at);
	for (uint32_t i = 0; i < g->events_n; i++)
		gathered_free(g->events[i]);
	free(g->cases);
	free(g->events);
	free(g->families);
}

static uint32_t gathered(const struct gathering *g, struct case_key key)
{
	for (uint32_t i = 0; i < g->cases_n; i++)
		if (g->cases[i].key.agency == key.agency &&
		    lk_text_is(g->cases[i].key.number, key.number))
			return i;
	return NONE;
}

static int add_case(struct gathering *g, struct case_key key)
{
	if (gathered(g, key) != NONE)
		return 0;
	struct gathered_case *wider =
		vector_grown(g->cases, g->cases_n, &g->cases_room, sizeof(*wider));
	if (wider == NULL)
		return lk_fail(g->err, LK_EMEMORY, "no memory for a family's cases");
	g->cases = wider;
	char *number = malloc(key.number.len + 1);
	if (number == NULL)
		return lk_fail(g->err, LK_EMEMORY, "no memory for a family's cases");
	memcpy(number, key.number.at, key.number.len);
	g->cases[g->cases_n] = (struct gathered_case){
		.key = { key.agency, { number, key.number.len } },
		.part = g->cases_n,
		.opened_at = LK_NO_INSTANT,
	};
	g->cases_n++;
	return 0;
}

static int visit_case(void *context, struct case_key key)
{
	return add_case(context, key);
}

static int visit_link(void *context, struct case_key other, lk_instant since)
{
	return since == LINK_REFUSED ? 0 : add_case(context, other);
}

static int add_family(struct gathering *g, const uint8_t id[LK_DIGEST])
{
	for (uint32_t i = 0; i < g->families_n; i++)
		if (memcmp(g->families[i], id, LK_DIGEST) == 0)
			return 0;
	void *wider =
		vector_grown(g->families, g->families_n, &g->families_room, sizeof(*g->families));
	if (wider == NULL)
		return lk_fail(g->err, LK_EMEMORY, "no memory for families");
	g->families = wider;
	memcpy(g->families[g->families_n++], id, LK_DIGEST);
	return store_family_cases(g->t->store, id, visit_case, g, g->err);
}

/* Everything reachable: by links that hold now, and by the families that were. */
static int find_cases(struct gathering *g)
{
	for (uint32_t i = 0; i < g->cases_n; i++) {
		uint8_t id[LK_DIGEST];
		int rc = store_case_family(g->t->store, g->cases[i].key, id, g->err);
		if (rc > 0)
			rc = add_family(g, id);
		if (rc >= 0)
			rc = store_links_of(g->t->store, g->cases[i].key, visit_link, g, g->err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* ---- Events ---------------------------------------------------------------------------------- */

static bool was_known(const struct gathering *g, const struct stored_event *row)
{
	return g->known_at == LK_NO_INSTANT || row->received_at <= g->known_at;
}

/* What was superseded later still stood at an instant that has passed: drop_superseded(). */
static int is_out(struct gathering *g, const struct stored_event *row)
{
	if (g->known_at != LK_NO_INSTANT)
		return 0;
	return store_is_superseded(g->t->store, row->source, row->id, g->err);
}

static int add_event(struct gathering *g, struct gathered_event *e)
{
	struct gathered_event **wider =
		vector_grown(g->events, g->events_n, &g->events_room, sizeof(*wider));
	if (wider == NULL) {
		gathered_free(e);
		return lk_fail(g->err, LK_EMEMORY, "no memory for a family's events");
	}
	g->events = wider;
	e->kase = g->loading;
	g->events[g->events_n++] = e;
	return 0;
}

/* Events that are still to come, answers, and what any known event supersedes are left out. */
static int visit_event(void *context, const struct stored_event *row)
{
	struct gathering *g = context;
	if (row->ahead || row->type < 0 || !was_known(g, row))
		return 0;
	int out = is_out(g, row);
	if (out != 0)
		return out < 0 ? out : 0;
	struct gathered_event *e = gathered_copy(row);
	if (e == NULL)
		return lk_fail(g->err, LK_EMEMORY, "no memory for a family's events");
	return add_event(g, e);
}

static int add_at_hand(struct gathering *g, const struct gathered_list *list)
{
	int rc = 0;
	for (uint32_t i = 0; i < list->n; i++) {
		struct gathered_event *e = list->at[i];
		e->key.at = e->key.time_at; /* as it was read: place_events() */
		e->key.waited = 0;
		int added = add_event(g, e);
		rc = rc < 0 ? rc : added;
	}
	free(list->at);
	return rc;
}

static int load_events(struct gathering *g)
{
	struct gathered_list list;
	for (g->loading = 0; g->loading < g->cases_n; g->loading++) {
		struct case_key key = g->cases[g->loading].key;
		bool at_hand = g->known_at == LK_NO_INSTANT && hand_take(g->t, key, &list);
		int rc = at_hand ? add_at_hand(g, &list)
				 : store_case_events(g->t->store, key, visit_event, g, g->err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static void find_openings(struct gathering *g)
{
	for (uint32_t i = 0; i < g->events_n; i++) {
		const struct gathered_event *e = g->events[i];
		struct gathered_case *k = &g->cases[e->kase];
		if (e->type == LK_CASE_OPENED &&
		    (k->opened_at == LK_NO_INSTANT || e->key.at < k->opened_at))
			k->opened_at = e->key.at;
	}
}

/* A case's events count from its opening on; what was said of links counts from its own time. */
static void place_events(struct gathering *g)
{
	find_openings(g);
	for (uint32_t i = 0; i < g->events_n; i++) {
		struct gathered_event *e = g->events[i];
		lk_instant opened_at = g->cases[e->kase].opened_at;
		if (is_link(e->type) || opened_at == LK_NO_INSTANT || e->key.at >= opened_at)
			continue;
		e->key.at = opened_at;
		e->key.waited = 1;
	}
}

/* A link stands behind what it goes by; of several the numbers decide, so that every fold takes them
 * alike. */
static int by_key(const void *a, const void *b)
{
	const struct gathered_event *x = *(const struct gathered_event *const *)a;
	const struct gathered_event *y = *(const struct gathered_event *const *)b;
	int order = fold_order(&x->key, &y->key);
	if (order == 0)
		order = (x->type == LINK_BY_TOKEN) - (y->type == LINK_BY_TOKEN);
	for (int i = 0; order == 0 && i < 2; i++)
		order = lk_text_order(x->numbers[i], y->numbers[i]);
	return order;
}

static void sort_events(struct gathering *g)
{
	if (g->events_n > 0)
		qsort(g->events, g->events_n, sizeof(*g->events), by_key);
}

/* ---- Parts: the families that links make of the cases ---------------------------------------- */

static int key_order(const struct case_key *a, const struct case_key *b)
{
	return a->agency != b->agency ? a->agency - b->agency : lk_text_order(a->number, b->number);
}

static bool confirms(const struct gathering *g, const struct gathered_event *e, uint32_t other)
{
	struct lk_event event;
	struct lk_refused why;
	if (e->type != LK_LINK_CONFIRMED ||
	    lk_event_decode(e->body, e->body_len, turn_agency_of, g->t, &event, &why) < 0)
		return false;
	const struct lk_other *o = &event.link_confirmed.other;
	return gathered(g, (struct case_key){ o->agency, o->number }) == other;
}

/* The opening whose tokens link the two cases at an instant; NULL where a person's word does. */
static const struct gathered_event *linking_opening(const struct gathering *g, uint32_t a,
						    uint32_t b, lk_instant since)
{
	const struct gathered_event *last = NULL;
	for (uint32_t i = 0; i < g->events_n; i++) {
		const struct gathered_event *e = g->events[i];
		if ((e->kase != a && e->kase != b) || e->key.at != since)
			continue;
		if (confirms(g, e, e->kase == a ? b : a))
			return NULL;
		if (e->type == LK_CASE_OPENED &&
		    (last == NULL || fold_order(&last->key, &e->key) < 0))
			last = e;
	}
	return last;
}

/* Every link is folded at its instant: behind the opening that brought its tokens, or behind what was
 * said then, and a person's confirmation with it, but before what had waited for an opening. */
static int add_link(struct gathering *g, uint32_t kase, uint32_t other, lk_instant since)
{
	struct gathered_event **wider =
		vector_grown(g->events, g->events_n, &g->events_room, sizeof(*wider));
	if (wider == NULL)
		return lk_fail(g->err, LK_EMEMORY, "no memory for a family's links");
	g->events = wider;
	struct gathered_event *e = calloc(1, sizeof(*e));
	if (e == NULL)
		return lk_fail(g->err, LK_EMEMORY, "no memory for a family's links");
	const struct gathered_event *opening = linking_opening(g, kase, other, since);
	bool turned = key_order(&g->cases[kase].key, &g->cases[other].key) > 0;
	e->kase = turned ? other : kase;
	e->other = turned ? kase : other;
	e->numbers[0] = g->cases[e->kase].key.number;
	e->numbers[1] = g->cases[e->other].key.number;
	e->key = opening != NULL ? opening->key
				 : (struct fold_key){ .at = since,
						      .waited = 1,
						      .time_at = LK_NO_INSTANT,
						      .sequence = INT64_MAX,
						      .place = INT64_MAX };
	e->type = LINK_BY_TOKEN;
	g->events[g->events_n++] = e;
	return 0;
}

struct joining {
	struct gathering *g;
	uint32_t kase;
};

static int join_part(void *context, struct case_key other, lk_instant since)
{
	struct joining *j = context;
	uint32_t found = gathered(j->g, other);
	if (found == NONE || since == LINK_REFUSED)
		return 0;
	uint32_t from = j->g->cases[found].part, to = j->g->cases[j->kase].part;
	int rc = found > j->kase ? add_link(j->g, j->kase, found, since)
				 : 0; /* each pair is there both ways */
	if (rc < 0)
		return rc;
	for (uint32_t i = 0; i < j->g->cases_n; i++)
		if (j->g->cases[i].part == from)
			j->g->cases[i].part = to;
	return 0;
}

static int find_parts(struct gathering *g)
{
	for (uint32_t i = 0; i < g->cases_n; i++) {
		struct joining j = { g, i };
		int rc = store_links_of(g->t->store, g->cases[i].key, join_part, &j, g->err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static void part_id(const struct gathering *g, uint32_t part, uint8_t id[LK_DIGEST])
{
	const struct case_key *first = NULL;
	for (uint32_t i = 0; i < g->cases_n; i++)
		if (g->cases[i].part == part &&
		    (first == NULL || key_order(&g->cases[i].key, first) < 0))
			first = &g->cases[i].key;
	home_id(first, id);
}

/* ---- Folding --------------------------------------------------------------------------------- */

/* Does the link of a link.confirmed hold: is it in the table, from then or before? */
struct asking {
	struct case_key other;
	lk_instant at;
	bool holds;
};

static int match_link(void *context, struct case_key other, lk_instant since)
{
	struct asking *a = context;
	if (other.agency == a->other.agency && lk_text_is(other.number, a->other.number) &&
	    since <= a->at)
		a->holds = true;
	return 0;
}

static int link_holds(struct gathering *g, const struct gathered_event *e,
		      const struct lk_event *event)
{
	const struct lk_other *o = &event->link_confirmed.other;
	struct asking a = { { o->agency, o->number }, e->key.at, false };
	int rc = store_links_of(g->t->store, g->cases[e->kase].key, match_link, &a, g->err);
	return rc < 0 ? rc : a.holds;
}

/* Where to, under which policy, and up to when. */
struct folding {
	struct family *f;
	const struct policy *policy;
	uint32_t part;
	lk_instant until;
	struct lk_event event; /* at hand */
};

/* Where a person's confirmation of that instant has joined the two already, this changes nothing.
 */
static int fold_by_token(const struct folding *to, const struct gathering *g,
			 const struct gathered_event *e)
{
	const struct case_key *a = &g->cases[e->kase].key, *b = &g->cases[e->other].key;
	fold_link(to->f, to->policy, a->agency, a->number, b->agency, b->number, e->key.at);
	return 0;
}

static int fold_gathered(struct folding *to, struct gathering *g, struct gathered_event *e)
{
	if (e->type == LINK_BY_TOKEN)
		return fold_by_token(to, g, e);
	if (!is_link(e->type) && g->cases[e->kase].opened_at == LK_NO_INSTANT)
		return 0; /* kept until the case opens */
	int rc = gathered_decode(g->t, e, &to->event, g->err);
	if (rc < 0)
		return rc;
	int holds = e->type == LK_LINK_CONFIRMED ? link_holds(g, e, &to->event) : 1;
	if (holds < 0)
		return holds;
	if (holds > 0)
		fold_event(to->f, to->policy, &to->event, &e->key);
	return 0;
}

static int fold_part(struct gathering *g, struct folding *to)
{
	for (uint32_t i = 0; i < g->events_n; i++) {
		struct gathered_event *e = g->events[i];
		if (g->cases[e->kase].part != to->part || e->key.at > to->until)
			continue;
		int rc = fold_gathered(to, g, e);
		if (rc < 0)
			return rc;
	}
	return to->f->failed ? lk_fail(g->err, LK_EMEMORY, "no memory to fold a family") : 0;
}

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

/* All that the families were told, in one list; the families themselves are dropped. */
static int collect_told(struct gathering *g, struct tolds *all)
{
	for (uint32_t i = 0; i < g->families_n; i++) {
		struct home *h = home_get(g->t, g->families[i], g->err);
		if (h == NULL)
			return LK_ESTORE;
		if (i == 0) { /* nearly always the only one */
			*all = h->told;
			h->told = (struct tolds){ 0 };
		}
		for (uint32_t r = 0; r < h->told.n; r++)
			tolds_move(all, &h->told, &h->told.at[r]);
		int rc = home_drop(g->t, g->families[i], g->err);
		if (rc < 0)
			return rc;
	}
	return all->failed ? lk_fail(g->err, LK_EMEMORY, "no memory for what was told") : 0;
}

static int open_part(struct gathering *g, struct part *part, lk_instant at)
{
	uint8_t id[LK_DIGEST];
	part_id(g, part->name, id);
	part->home = home_get(g->t, id, g->err);
	if (part->home == NULL)
		return LK_ESTORE;
	part->home->is_stale = false;
	part->home->told.settled = (struct settled){ 0 };
	for (uint32_t i = 0; i < g->cases_n; i++) {
		int rc = g->cases[i].part == part->name
				 ? store_case_join(g->t->store, g->cases[i].key, id, g->err)
				 : 0;
		if (rc < 0)
			return rc;
	}
	struct folding to = {
		.f = &part->home->f, .policy = g->t->policy, .part = part->name, .until = INT64_MAX
	};
	family_free(to.f);
	int rc = fold_part(g, &to);
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
		    (c->kind == LK_NOTICE_UNANSWERED &&
		     memcmp(c->cause, record->cause, LK_DIGEST) == 0))
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

static int settle_all(struct gathering *g, struct parts *all, lk_instant at)
{
	int rc = 0;
	for (uint32_t i = 0; rc >= 0 && i < all->n; i++) /* each sees the others' */
		rc = home_write_calendar(g->t, all->at[i].home, g->err);
	for (uint32_t i = 0; rc >= 0 && i < all->n; i++)
		rc = home_settle(g->t, all->at[i].home, at, g->err);
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

static int settle_parts(struct gathering *g, lk_instant at)
{
	struct tolds told = { 0 };
	struct parts all = { 0 };
	int rc = collect_told(g, &told);
	if (rc >= 0)
		rc = open_parts(g, &all, at);
	if (rc >= 0)
		rc = share_told(g, &all, &told, at);
	if (rc >= 0)
		rc = note_apart(g, &all, &told);
	if (rc >= 0)
		rc = settle_all(g, &all, at);
	for (uint32_t i = 0; i < all.n; i++)
		derivation_free(&all.at[i].would);
	free(all.at);
	tolds_free(&told);
	return rc;
}

int gather(struct turn *t, const struct case_key *cases, size_t n, lk_instant at,
	   struct lk_error *err)
{
	struct gathering g = { .t = t, .err = err, .known_at = LK_NO_INSTANT };
	int rc = 0;
	for (size_t i = 0; rc >= 0 && i < n; i++)
		rc = add_case(&g, cases[i]);
	if (rc >= 0)
		rc = find_cases(&g);
	if (rc >= 0)
		rc = load_events(&g);
	if (rc >= 0) {
		place_events(&g);
		rc = find_parts(&g);
	}
	if (rc >= 0) {
		sort_events(&g);
		rc = settle_parts(&g, at);
	}
	gathering_free(&g);
	return rc;
}

/* ---- Families that nobody keeps: for explanations -------------------------------------------- */

/* Of what was known at an instant that has passed: what an event that was known then superseded. */
static void drop_superseded(struct gathering *g)
{
	uint32_t kept = 0;
	for (uint32_t i = 0; i < g->events_n; i++) {
		bool out = false;
		for (uint32_t o = 0; o < g->events_n; o++)
			out |= lk_text_is(g->events[o]->supersedes, g->events[i]->key.id) &&
			       lk_text_is(g->events[o]->key.source, g->events[i]->key.source);
		g->events[i]->is_out = out;
	}
	for (uint32_t i = 0; i < g->events_n; i++) {
		struct gathered_event *e = g->events[i];
		if (e->is_out)
			gathered_free(e);
		else
			g->events[kept++] = e;
	}
	g->events_n = kept;
}

static int load_known(struct gathering *g, struct case_key key)
{
	int rc = add_case(g, key);
	if (rc >= 0)
		rc = find_cases(g);
	if (rc >= 0)
		rc = load_events(g);
	if (rc < 0)
		return rc;
	if (g->known_at != LK_NO_INSTANT)
		drop_superseded(g);
	place_events(g);
	rc = find_parts(g);
	sort_events(g);
	return rc;
}

int gathering_open(struct turn *t, struct case_key key, lk_instant known_at, struct gathering **out,
		   struct lk_error *err)
{
	struct gathering *g = calloc(1, sizeof(*g));
	*out = NULL;
	if (g == NULL)
		return lk_fail(err, LK_EMEMORY, "no memory for a family's events");
	g->t = t;
	g->err = err;
	g->known_at = known_at;
	int rc = load_known(g, key);
	if (rc < 0) {
		gathering_close(g);
		return rc;
	}
	*out = g;
	return 0;
}

void gathering_close(struct gathering *g)
{
	if (g == NULL)
		return;
	gathering_free(g);
	free(g);
}

int gathering_fold(struct gathering *g, const struct policy *policy, lk_instant until,
		   struct family *out)
{
	const struct trace *trace = out->trace;
	struct folding to = {
		.f = out, .policy = policy, .part = g->cases[0].part, .until = until
	};
	family_free(out);
	out->trace = trace;
	return fold_part(g, &to);
}

/* ---- One pair: are the two cases linked? ----------------------------------------------------- */

static bool is_of_pair(const struct gathering *g, const struct gathered_event *e,
		       struct lk_event *event)
{
	struct lk_refused why;
	if (lk_event_decode(e->body, e->body_len, turn_agency_of, g->t, event, &why) < 0)
		return false;
	const struct case_key *other = &g->cases[1 - e->kase].key;
	const struct lk_other *o = &event->link_confirmed.other;
	return o->agency == other->agency && lk_text_is(o->number, other->number);
}

/* The last refusal or removal makes all before it as if it had never been; the first confirmation
 * after it links. */
static lk_instant said_since(const struct gathering *g)
{
	lk_instant since = LK_NO_INSTANT;
	struct lk_event event;
	for (uint32_t i = 0; i < g->events_n; i++) {
		const struct gathered_event *e = g->events[i];
		if (!is_link(e->type) || !is_of_pair(g, e, &event))
			continue;
		if (e->type != LK_LINK_CONFIRMED)
			since = LINK_REFUSED;
		else if (since == LK_NO_INSTANT || since == LINK_REFUSED)
			since = e->key.at;
	}
	return since;
}

static bool was_refused(const struct gathering *g)
{
	struct lk_event event;
	for (uint32_t i = 0; i < g->events_n; i++)
		if (is_link(g->events[i]->type) && g->events[i]->type != LK_LINK_CONFIRMED &&
		    is_of_pair(g, g->events[i], &event))
			return true;
	return false;
}

struct matching {
	const struct gathering *g;
	lk_instant since;
};

/* Tokens link cases of different agencies: a child's move between two CalWORKs cases makes no
 * Linkages family. */
static int match_token(void *context, struct case_key other, int kind, lk_instant since)
{
	struct matching *m = context;
	const struct case_key *b = &m->g->cases[1].key;
	bool automatic = (m->g->t->policy->links_automatic & POLICY_BIT(kind)) != 0;
	if (automatic && other.agency == b->agency && lk_text_is(other.number, b->number) &&
	    (m->since == LK_NO_INSTANT || since < m->since))
		m->since = since;
	return 0;
}

/* A person's no beats equal tokens; a person's yes and equal tokens link from the earlier of both.
 */
static int settle_pair(struct gathering *g)
{
	struct store *store = g->t->store;
	struct matching m = { g, LK_NO_INSTANT };
	struct case_key a = g->cases[0].key, b = g->cases[1].key;
	lk_instant since = said_since(g);
	int rc = a.agency != b.agency ? store_lookalikes(store, a, match_token, &m, g->err) : 0;
	if (rc < 0)
		return rc;
	if (since == LK_NO_INSTANT || (since != LINK_REFUSED && m.since != LK_NO_INSTANT &&
				       m.since < since && !was_refused(g)))
		since = m.since;
	return since != LK_NO_INSTANT ? store_link_put(store, a, b, since, g->err)
				      : store_link_drop(store, a, b, g->err);
}

int gather_pair(struct turn *t, struct case_key a, struct case_key b, struct lk_error *err)
{
	struct gathering g = { .t = t, .err = err, .known_at = LK_NO_INSTANT };
	int rc = add_case(&g, a);
	if (rc >= 0)
		rc = add_case(&g, b);
	bool is_pair = g.cases_n == 2; /* a case that is linked with itself is as it was */
	if (rc >= 0 && is_pair)
		rc = load_events(&g);
	if (rc >= 0 && is_pair) {
		sort_events(&g);
		rc = settle_pair(&g);
	}
	gathering_free(&g);
	return rc;
}

/* ---- Tokens of identity ---------------------------------------------------------------------- */

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
	return other.agency != g->cases[0].key.agency ? add_case(g, other) : 0;
}

/* The pairs that the tokens of before and of now make, each settled anew. The number of pairs. */
static int settle_pairs(struct gathering *g)
{
	for (uint32_t i = 1; i < g->cases_n; i++) {
		int rc = gather_pair(g->t, g->cases[0].key, g->cases[i].key, g->err);
		if (rc < 0)
			return rc;
	}
	return (int)g->cases_n - 1;
}

/* All that looked alike before or do now: a likely match may have come or gone with the tokens. */
static int gather_alike(struct gathering *g, lk_instant at)
{
	struct case_key *keys = calloc(g->cases_n, sizeof(*keys));
	if (keys == NULL)
		return lk_fail(g->err, LK_EMEMORY, "no memory for lookalikes");
	for (uint32_t i = 0; i < g->cases_n; i++)
		keys[i] = g->cases[i].key;
	int rc = gather(g->t, keys, g->cases_n, at, g->err);
	free(keys);
	return rc;
}

static int keep_tokens(struct gathering *g, struct case_key key)
{
	struct tokens all = { 0 };
	int rc = add_case(g, key);
	if (rc >= 0)
		rc = load_events(g);
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

int gather_tokens(struct turn *t, struct case_key key, struct lk_error *err)
{
	struct gathering g = { .t = t, .err = err, .known_at = LK_NO_INSTANT };
	int rc = keep_tokens(&g, key);
	gathering_free(&g);
	return rc;
}

int gather_opening_undone(struct turn *t, struct case_key key, lk_instant at, struct lk_error *err)
{
	struct gathering g = { .t = t, .err = err, .known_at = LK_NO_INSTANT };
	int rc = keep_tokens(&g, key);
	if (rc > 0)
		rc = gather_alike(&g, at);
	gathering_free(&g);
	return rc;
}
