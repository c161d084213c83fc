/* turn_gather.c - what a family is folded from: its cases, their events in the log, the links that hold.
 *
 * In: a case, or several that something touched. Out: every case that they reach, the events of all in
 * order, and which cases links join (a part); a part folded into a family. Promise: the same state as if
 * every event had arrived at its time and no link that was undone had ever been.
 */
#include "turn_gather.h"

#include <stdlib.h>
#include <string.h>

/* ---- Cases ----------------------------------------------------------------------------------- */

#define LINK_BY_TOKEN (-2) /* no event: equal tokens link from then on */

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

void gathering_free(struct gathering *g)
{
	for (uint32_t i = 0; is_whole(g) && i < g->cases_n && i < HAND_CASES; i++)
		give_back(g, i);
	for (uint32_t i = 0; i < g->cases_n; i++)
		free((char *)(uintptr_t)g->cases[i].key.number.at);
	for (uint32_t i = 0; i < g->events_n; i++)
		gathered_free(g->events[i]);
	free(g->cases);
	free(g->events);
	free(g->families);
	free(g->slots);
}

#define FEW 16 /* cases, through which one looks faster than by a hash */

/* The slot that names the case, or would: 0 there. */
static uint32_t *slot_of(const struct gathering *g, struct case_key key)
{
	uint32_t hash = 2166136261 + (uint32_t)key.agency; /* FNV-1a */
	for (size_t i = 0; i < key.number.len; i++)
		hash = (hash ^ (uint8_t)key.number.at[i]) * 16777619;
	for (;; hash++) {
		uint32_t *slot = &g->slots[hash & (g->slots_n - 1)];
		if (*slot == 0 || case_is(g->cases[*slot - 1].key, key))
			return slot;
	}
}

/* The newest case gets its slot, and where they have become scarce all cases get others. */
static int give_slot(struct gathering *g)
{
	uint32_t from = g->cases_n - 1;
	if (g->cases_n > FEW && g->cases_n * 2 > g->slots_n) {
		uint32_t n = g->slots_n > 0 ? g->slots_n * 2 : 4 * FEW;
		uint32_t *slots = calloc(n, sizeof(*slots));
		if (slots == NULL)
			return lk_fail(g->err, LK_EMEMORY, "no memory for a family's cases");
		free(g->slots);
		g->slots = slots;
		g->slots_n = n;
		from = 0;
	}
	for (; g->slots != NULL && from < g->cases_n; from++)
		*slot_of(g, g->cases[from].key) = from + 1;
	return 0;
}

uint32_t gathered(const struct gathering *g, struct case_key key)
{
	if (g->slots != NULL)
		return *slot_of(g, key) - 1; /* NONE, where it is 0 */
	for (uint32_t i = 0; i < g->cases_n; i++)
		if (case_is(g->cases[i].key, key))
			return i;
	return NONE;
}

int gathering_add(struct gathering *g, struct case_key key)
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
		.family = NONE,
	};
	g->cases_n++;
	return give_slot(g);
}

static int visit_case(void *context, struct case_key key)
{
	return gathering_add(context, key);
}

static int visit_link(void *context, struct case_key other, lk_instant since)
{
	return since == LINK_REFUSED ? 0 : gathering_add(context, other);
}

static uint32_t family_index(const struct gathering *g, const uint8_t id[LK_DIGEST])
{
	for (uint32_t i = 0; i < g->families_n; i++)
		if (memcmp(g->families[i], id, LK_DIGEST) == 0)
			return i;
	return NONE;
}

static int add_family(struct gathering *g, const uint8_t id[LK_DIGEST])
{
	if (family_index(g, id) != NONE)
		return 0;
	void *wider =
		vector_grown(g->families, g->families_n, &g->families_room, sizeof(*g->families));
	if (wider == NULL)
		return lk_fail(g->err, LK_EMEMORY, "no memory for families");
	g->families = wider;
	memcpy(g->families[g->families_n++], id, LK_DIGEST);
	return store_family_cases(g->t->store, id, visit_case, g, g->err);
}

int gathering_reach(struct gathering *g, uint32_t kase)
{
	uint8_t id[LK_DIGEST];
	int rc = store_case_family(g->t->store, g->cases[kase].key, id, g->err);
	if (rc > 0) {
		rc = add_family(g, id);
		g->cases[kase].family = family_index(g, id);
	}
	return rc < 0 ? rc : store_links_of(g->t->store, g->cases[kase].key, visit_link, g, g->err);
}

/* Everything reachable: by links that hold now, and by the families that were. */
static int find_cases(struct gathering *g)
{
	int rc = 0;
	for (uint32_t i = 0; rc >= 0 && i < g->cases_n; i++)
		rc = gathering_reach(g, i);
	return rc < 0 ? rc : 0;
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
		e->key.at = e->key.time_at; /* as it was read: gathering_place() */
		e->key.opening = NULL;
		int added = add_event(g, e);
		rc = rc < 0 ? rc : added;
	}
	free(list->at);
	return rc;
}

int gathering_load(struct gathering *g)
{
	struct gathered_list list;
	for (; g->loading < g->cases_n; g->loading++) {
		struct case_key key = g->cases[g->loading].key;
		bool at_hand = g->known_at == LK_NO_INSTANT && hand_take(g->t, key, &list);
		int rc = at_hand ? add_at_hand(g, &list)
				 : store_case_events(g->t->store, key, visit_event, g, g->err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

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

static void find_openings(struct gathering *g)
{
	for (uint32_t i = 0; i < g->events_n; i++) {
		const struct gathered_event *e = g->events[i];
		struct gathered_case *k = &g->cases[e->kase];
		if (e->type == LK_CASE_OPENED &&
		    (k->opening == NULL || fold_order(&e->key, k->opening) < 0))
			k->opening = &e->key;
	}
}

/* Found once: who asks which words are of a pair asks it of every word for every pair. */
static void find_others(struct gathering *g)
{
	struct lk_event event;
	struct lk_refused why;
	for (uint32_t i = 0; i < g->events_n; i++) {
		struct gathered_event *e = g->events[i];
		e->other = NONE;
		if (is_link(e->type) &&
		    lk_event_decode(e->body, e->body_len, turn_agency_of, g->t, &event, &why) >= 0)
			e->other = gathered(g, other_of(&event));
	}
}

void gathering_place(struct gathering *g)
{
	find_openings(g);
	find_others(g);
	for (uint32_t i = 0; i < g->events_n; i++) {
		struct gathered_event *e = g->events[i];
		const struct fold_key *opening = g->cases[e->kase].opening;
		if (opening == NULL || fold_order(&e->key, opening) >= 0)
			continue;
		e->key.at = opening->at;
		e->key.opening = opening;
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

void gathering_sort(struct gathering *g)
{
	if (g->events_n > 0)
		qsort(g->events, g->events_n, sizeof(*g->events), by_key);
}

/* ---- Parts: the families that links make of the cases ---------------------------------------- */

static int key_order(const struct case_key *a, const struct case_key *b)
{
	return a->agency != b->agency ? a->agency - b->agency : lk_text_order(a->number, b->number);
}

bool gathered_pairs(const struct gathered_event *e, uint32_t other)
{
	return is_link(e->type) && e->other == other;
}

/* The order in which people said it, whichever opening it has waited for. */
static int said_order(const struct gathered_event *a, const struct gathered_event *b)
{
	struct fold_key x = a->key, y = b->key;
	x.at = x.time_at;
	y.at = y.time_at;
	x.opening = y.opening = NULL;
	return fold_order(&x, &y);
}

static bool is_no(const struct gathered_event *e)
{
	return e->type == LK_LINK_REFUSED || e->type == LK_LINK_REMOVED;
}

bool gathered_is_void(const struct gathering *g, const struct gathered_event *e, uint32_t other)
{
	for (uint32_t i = 0; i < g->events_n; i++) {
		const struct gathered_event *no = g->events[i];
		if (is_no(no) && said_order(no, e) > 0 &&
		    ((no->kase == e->kase && gathered_pairs(no, other)) ||
		     (no->kase == other && gathered_pairs(no, e->kase))))
			return true;
	}
	return false;
}

/* The opening that links the two cases at an instant: the first for which a word on them has waited, or the last, for the tokens
 * are there by then; NULL where a person's word of that instant links them. */
static const struct fold_key *linking_opening(const struct gathering *g, uint32_t a, uint32_t b,
					      lk_instant since)
{
	const struct fold_key *waited = NULL, *last = NULL;
	bool is_said = false;
	for (uint32_t i = 0; i < g->events_n; i++) {
		const struct gathered_event *e = g->events[i];
		const struct fold_key *opening = e->key.opening;
		uint32_t other = e->kase == a ? b : a;
		if ((e->kase != a && e->kase != b) || e->key.at != since)
			continue;
		if (e->type == LK_LINK_CONFIRMED && gathered_pairs(e, other)) {
			is_said |= opening == NULL;
			if (opening != NULL && !gathered_is_void(g, e, other) &&
			    (waited == NULL || fold_order(opening, waited) < 0))
				waited = opening;
		}
		if (e->type == LK_CASE_OPENED && (last == NULL || fold_order(last, &e->key) < 0))
			last = &e->key;
	}
	return waited != NULL || is_said ? waited : last;
}

/* A text that no source's name is behind. */
#define LAST_SOURCE LK_TEXT("\xff")

/* Every link is folded at its instant: behind the opening that brought it and before whatever else had waited for
 * that, or behind everything that was said then, and a person's confirmation with it. */
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
	const struct fold_key *opening = linking_opening(g, kase, other, since);
	bool turned = key_order(&g->cases[kase].key, &g->cases[other].key) > 0;
	e->kase = turned ? other : kase;
	e->other = turned ? kase : other;
	e->numbers[0] = g->cases[e->kase].key.number;
	e->numbers[1] = g->cases[e->other].key.number;
	e->key =
		opening != NULL
			? *opening
			: (struct fold_key){ .at = since, .time_at = since, .source = LAST_SOURCE };
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
	for (uint32_t i = 0; from != to && i < j->g->cases_n; i++)
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

void gathering_part_id(const struct gathering *g, uint32_t part, uint8_t id[LK_DIGEST])
{
	const struct case_key *first = NULL;
	for (uint32_t i = 0; i < g->cases_n; i++)
		if (g->cases[i].part == part &&
		    (first == NULL || key_order(&g->cases[i].key, first) < 0))
			first = &g->cases[i].key;
	home_id(first, id);
}

int gathering_read(struct gathering *g)
{
	int rc = find_cases(g);
	if (rc >= 0)
		rc = gathering_load(g);
	if (rc < 0)
		return rc;
	if (g->known_at != LK_NO_INSTANT)
		drop_superseded(g);
	gathering_place(g);
	rc = find_parts(g);
	gathering_sort(g);
	return rc;
}

/* ---- Folding --------------------------------------------------------------------------------- */

/* Does the link of a link.confirmed hold: is it in the table, from then or before, and by this word or an earlier one? */
static int link_holds(struct gathering *g, const struct gathered_event *e,
		      const struct lk_event *event)
{
	lk_instant since;
	struct case_key other = other_of(event);
	int rc = store_link_between(g->t->store, g->cases[e->kase].key, other, &since, g->err);
	if (rc != 1 || since > e->key.at)
		return rc < 0 ? rc : 0;
	return !gathered_is_void(g, e, e->other);
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
	if (g->cases[e->kase].opening == NULL && !is_no(e))
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

int gathering_fold_part(struct gathering *g, const struct policy *policy, uint32_t part,
			lk_instant until, struct family *out)
{
	const struct trace *trace = out->trace;
	struct folding to = { .f = out, .policy = policy, .part = part, .until = until };
	family_free(out);
	out->trace = trace;
	return fold_part(g, &to);
}

/* ---- Families that nobody keeps: for explanations -------------------------------------------- */

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
	int rc = gathering_add(g, key);
	if (rc >= 0)
		rc = gathering_read(g);
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
	return gathering_fold_part(g, policy, g->cases[0].part, until, out);
}
