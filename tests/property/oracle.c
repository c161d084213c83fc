/* oracle.c - the disclosure oracle: from events that were known at an instant to what may cross.
 *
 * In: a history, how much of an order had arrived, an instant, a notice. Out: a complaint or none.
 * Promise: nothing of the engine is used but the calendar. It looks at every event anew for every notice.
 */
#include "oracle.h"

#include <stdlib.h>
#include <string.h>

#define CASES_MAX 16
#define CONSENTS_MAX 64
#define ALL_TOPICS ((1u << lk_topic_count) - 1)

struct known_case {
	int agency;
	struct lk_text number;
	lk_instant opened_at; /* first opening; LK_NO_INSTANT: none */
	uint32_t opening;
	bool was_opened, open, limited;
	bool limit_said; /* by its last opening */
	int group;       /* cases that links join share one */
	uint32_t status; /* the event that its latest came with; UINT32_MAX: none */
	int code;        /* that status */
	lk_instant live_since[lk_topic_count];
	uint32_t first_status[lk_topic_count]; /* the latest as that began; UINT32_MAX: closed */
};

struct known_consent {
	struct lk_text id;
	int owner;
	unsigned topics;
	lk_date expires;
	bool in_force;
};

/* An event in the order in which it counts. */
struct counted {
	uint32_t event;
	lk_instant at;
	uint32_t behind; /* the opening that it waited for; else itself */
	bool waited;
};

struct view {
	const struct history *h;
	const struct policy *p;
	lk_instant at;
	struct known_case cases[CASES_MAX];
	int cases_n;
	struct known_consent consents[CONSENTS_MAX];
	int consents_n;
	bool is_known[HISTORY_MAX]; /* has arrived */
	bool is_out[HISTORY_MAX]; /* superseded, still to come, or of a case that is not open yet */
	struct counted order[HISTORY_MAX];
	uint32_t order_n;
};

/* A person's, to a pair of cases. */
static bool is_no(const struct lk_event *e)
{
	return e->type == LK_LINK_REFUSED || e->type == LK_LINK_REMOVED;
}

static int case_of(struct view *v, int agency, struct lk_text number)
{
	for (int i = 0; i < v->cases_n; i++)
		if (v->cases[i].agency == agency && lk_text_is(v->cases[i].number, number))
			return i;
	if (v->cases_n == CASES_MAX)
		abort();
	struct known_case *k = &v->cases[v->cases_n];
	*k = (struct known_case){ .agency = agency, .number = number, .opened_at = LK_NO_INSTANT };
	k->group = v->cases_n;
	k->status = UINT32_MAX;
	for (int t = 0; t < lk_topic_count; t++)
		k->live_since[t] = LK_NO_INSTANT;
	return v->cases_n++;
}

static const struct lk_event *event_at(const struct view *v, uint32_t i)
{
	return &v->h->at[i].event;
}

/* ---- What counts ------------------------------------------------------------------------------- */

static void find_superseded(struct view *v)
{
	for (uint32_t i = 0; i < v->h->n; i++) {
		const struct lk_event *by = event_at(v, i);
		if (!v->is_known[i] || !lk_text_given(by->supersedes))
			continue;
		for (uint32_t j = 0; j < v->h->n; j++)
			v->is_out[j] |= lk_text_is(event_at(v, j)->source, by->source) &&
					lk_text_is(event_at(v, j)->id, by->supersedes);
	}
}

/* Within one instant. */
static int by_source(const struct lk_event *e, const struct lk_event *f)
{
	int order = lk_text_order(e->source, f->source);
	return order != 0 ? order : (e->sequence > f->sequence) - (e->sequence < f->sequence);
}

static void find_openings(struct view *v)
{
	for (uint32_t i = 0; i < v->h->n; i++) {
		const struct lk_event *e = event_at(v, i);
		if (v->is_out[i] || e->type != LK_CASE_OPENED)
			continue;
		struct known_case *k = &v->cases[case_of(v, (int)e->agency, e->subject)];
		if (k->opened_at != LK_NO_INSTANT &&
		    (e->time.at > k->opened_at ||
		     (e->time.at == k->opened_at && by_source(e, event_at(v, k->opening)) > 0)))
			continue;
		k->opened_at = e->time.at;
		k->opening = i;
	}
}

static bool stands_before(const struct view *v, const struct lk_event *e, uint32_t opening)
{
	const struct lk_event *o = event_at(v, opening);
	return e->time.at != o->time.at ? e->time.at < o->time.at : by_source(e, o) < 0;
}

static const struct view *sorting;

/* What waited stands right behind the opening: links, then all else by its own time. */
static int by_order(const void *a, const void *b)
{
	const struct counted *x = a, *y = b;
	const struct lk_event *e = event_at(sorting, x->event), *f = event_at(sorting, y->event);
	if (x->at != y->at)
		return x->at < y->at ? -1 : 1;
	int order = by_source(event_at(sorting, x->behind), event_at(sorting, y->behind));
	if (order != 0)
		return order;
	if (x->waited != y->waited)
		return x->waited ? 1 : -1;
	order = (f->type == LK_LINK_CONFIRMED) - (e->type == LK_LINK_CONFIRMED);
	if (x->waited && order != 0)
		return order;
	if (e->time.at != f->time.at)
		return e->time.at < f->time.at ? -1 : 1;
	return by_source(e, f);
}

static void find_order(struct view *v)
{
	for (uint32_t i = 0; i < v->h->n; i++) {
		const struct lk_event *e = event_at(v, i);
		v->is_out[i] |= !v->is_known[i] || e->time.at > v->at;
	}
	find_openings(v);
	for (uint32_t i = 0; i < v->h->n; i++) {
		const struct lk_event *e = event_at(v, i);
		if (v->is_out[i])
			continue;
		const struct known_case *k = &v->cases[case_of(v, (int)e->agency, e->subject)];
		struct counted c = { i, e->time.at, i, false };
		v->is_out[i] = !is_no(e) && k->opened_at == LK_NO_INSTANT;
		if (!is_no(e) && !v->is_out[i] && stands_before(v, e, k->opening))
			c = (struct counted){ i, k->opened_at, k->opening, true };
		if (!v->is_out[i])
			v->order[v->order_n++] = c;
	}
	sorting = v;
	if (v->order_n > 0)
		qsort(v->order, v->order_n, sizeof(*v->order), by_order);
}

/* ---- Links ------------------------------------------------------------------------------------- */

static bool same_pair(const struct lk_event *a, const struct lk_event *b)
{
	const struct lk_other *x = &a->link_confirmed.other, *y = &b->link_confirmed.other;
	bool straight = a->agency == b->agency && lk_text_is(a->subject, b->subject) &&
			x->agency == y->agency && lk_text_is(x->number, y->number);
	bool crossed = (int)a->agency == y->agency && lk_text_is(a->subject, y->number) &&
		       (int)b->agency == x->agency && lk_text_is(b->subject, x->number);
	return straight || crossed;
}

/* A confirmation that a later refusal or removal of the pair makes as if it had never been: later said, wherever it stands. */
static bool is_undone(const struct view *v, uint32_t place)
{
	const struct lk_event *e = event_at(v, v->order[place].event);
	for (uint32_t i = 0; i < v->order_n; i++) {
		const struct lk_event *later = event_at(v, v->order[i].event);
		if (is_no(later) && same_pair(e, later) && stands_before(v, e, v->order[i].event))
			return true;
	}
	return false;
}

static void join(struct view *v, int a, int b)
{
	int from = v->cases[b].group, to = v->cases[a].group;
	for (int i = 0; i < v->cases_n; i++)
		if (v->cases[i].group == from)
			v->cases[i].group = to;
}

/* A person's no, whenever it was said, beats equal tokens. */
static bool was_refused(const struct view *v, int a, int b)
{
	for (uint32_t i = 0; i < v->order_n; i++) {
		const struct lk_event *e = event_at(v, v->order[i].event);
		const struct lk_other *o = &e->link_confirmed.other;
		if (!is_no(e))
			continue;
		int own = case_of((struct view *)(uintptr_t)v, (int)e->agency, e->subject);
		int other = case_of((struct view *)(uintptr_t)v, o->agency, o->number);
		if ((own == a && other == b) || (own == b && other == a))
			return true;
	}
	return false;
}

static bool shares_token(const struct lk_members *a, const struct lk_members *b)
{
	for (uint32_t i = 0; i < a->n; i++)
		for (uint32_t j = 0; j < b->n; j++)
			if (lk_text_given(a->at[i].key[LK_CIN]) &&
			    lk_text_is(a->at[i].key[LK_CIN], b->at[j].key[LK_CIN]))
				return true;
	return false;
}

/* Equal tokens of the automatic kind, in any opening of either case so far. */
static void join_alike(struct view *v, uint32_t place)
{
	const struct lk_event *e = event_at(v, v->order[place].event);
	int kase = case_of(v, (int)e->agency, e->subject);
	for (uint32_t i = 0; i < place; i++) {
		const struct lk_event *f = event_at(v, v->order[i].event);
		if (f->type != LK_CASE_OPENED || f->agency == e->agency)
			continue;
		int other = case_of(v, (int)f->agency, f->subject);
		if (shares_token(&e->case_opened.members, &f->case_opened.members) &&
		    !was_refused(v, kase, other))
			join(v, kase, other);
	}
}

/* ---- Consents ---------------------------------------------------------------------------------- */

/* The case's own, else its agency's in the family, else the other agency's. */
static struct known_consent *consent_named(struct view *v, int kase, struct lk_text id)
{
	struct known_consent *found = NULL;
	int nearest = 3;
	for (int i = 0; i < v->consents_n; i++) {
		struct known_consent *c = &v->consents[i];
		const struct known_case *owner = &v->cases[c->owner];
		if (!lk_text_is(c->id, id) || owner->group != v->cases[kase].group)
			continue;
		int near = c->owner == kase ? 0 : owner->agency == v->cases[kase].agency ? 1 : 2;
		if (near < nearest) {
			nearest = near;
			found = c;
		}
	}
	return found;
}

static void sign(struct view *v, int kase, const struct lk_consent_signed *d, lk_instant at)
{
	struct known_consent *c = consent_named(v, kase, d->consent);
	if (c == NULL) {
		if (v->consents_n == CONSENTS_MAX)
			abort();
		c = &v->consents[v->consents_n++];
		*c = (struct known_consent){ .id = d->consent, .owner = kase };
	}
	c->topics = d->topics != 0 ? d->topics : ALL_TOPICS;
	c->expires = d->expires;
	c->in_force = d->expires == LK_NO_DATE || zone_date(&v->p->zone, at) <= d->expires;
}

/* ---- Live -------------------------------------------------------------------------------------- */

/* What the other side may know of an agency's cases: somebody must be there to know it. */
static unsigned topics_of(const struct view *v, int group, int agency)
{
	bool sides[2] = { false, false }, limited = false;
	unsigned topics = 0;
	for (int i = 0; i < v->cases_n; i++) {
		const struct known_case *k = &v->cases[i];
		if (k->group != group)
			continue;
		sides[k->agency] |= k->was_opened;
		limited |= k->open && k->limited;
	}
	for (int i = 0; i < v->consents_n; i++)
		if (v->consents[i].in_force && v->cases[v->consents[i].owner].group == group)
			topics |= v->consents[i].topics;
	return sides[1 - agency] && !limited ? topics : 0;
}

static void look_at_live(struct view *v, lk_instant at)
{
	for (int i = 0; i < v->cases_n; i++) {
		unsigned live = topics_of(v, v->cases[i].group, v->cases[i].agency);
		for (int t = 0; t < lk_topic_count; t++) {
			struct known_case *k = &v->cases[i];
			if ((live & (1u << t)) == 0) {
				k->live_since[t] = LK_NO_INSTANT;
			} else if (k->live_since[t] == LK_NO_INSTANT) {
				k->live_since[t] = at;
				k->first_status[t] = k->open ? k->status : UINT32_MAX;
			}
		}
	}
}

static lk_instant expires_at(const struct view *v, const struct known_consent *c)
{
	return zone_instant(&v->p->zone, c->expires + 1, 0);
}

/* A consent ends with its day, before anything that is said at that midnight. */
static void expire_until(struct view *v, lk_instant at)
{
	for (;;) {
		struct known_consent *next = NULL;
		for (int i = 0; i < v->consents_n; i++) {
			struct known_consent *c = &v->consents[i];
			if (c->in_force && c->expires != LK_NO_DATE && expires_at(v, c) <= at &&
			    (next == NULL || c->expires < next->expires))
				next = c;
		}
		if (next == NULL)
			return;
		next->in_force = false;
		look_at_live(v, expires_at(v, next));
	}
}

/* ---- Events in their order ---------------------------------------------------------------------- */

/* The same again is no status of its own. */
static void note_status(struct known_case *k, uint32_t event, int code)
{
	if (k->status != UINT32_MAX && k->code == code)
		return;
	k->status = event;
	k->code = code;
}

/* What the opening says anew of the case itself is newer than what had waited for it. */
static bool is_older(const struct known_case *k, const struct counted *c, int type)
{
	return c->waited && (type == LK_CASE_CLOSED || type == LK_CASE_STATUS ||
			     (type == LK_CASE_RESTRICTED && k->limit_said));
}

static void apply(struct view *v, uint32_t place)
{
	const struct counted *c = &v->order[place];
	const struct lk_event *e = event_at(v, c->event);
	int kase = case_of(v, (int)e->agency, e->subject);
	struct known_case *k = &v->cases[kase];
	struct known_consent *consent;
	if (is_older(k, c, (int)e->type))
		return;
	if (e->type == LK_CASE_OPENED) {
		k->open = k->was_opened = true;
		note_status(k, c->event, e->case_opened.status);
		k->limit_said = e->case_opened.limited_access >= 0;
		if (k->limit_said)
			k->limited = e->case_opened.limited_access == 1;
		join_alike(v, place);
	} else if (e->type == LK_CASE_STATUS) {
		note_status(k, c->event, e->case_status.status);
	} else if (e->type == LK_CASE_CLOSED) {
		k->open = false;
	} else if (e->type == LK_CASE_RESTRICTED) {
		k->limited = e->case_restricted.limited_access == 1;
	} else if (e->type == LK_CONSENT_SIGNED) {
		sign(v, kase, &e->consent_signed, c->at);
	} else if (e->type == LK_CONSENT_REVOKED) {
		consent = consent_named(v, kase, e->consent_revoked.consent);
		if (consent != NULL)
			consent->in_force = false;
	} else if (e->type == LK_LINK_CONFIRMED && !is_undone(v, place)) {
		const struct lk_other *o = &e->link_confirmed.other;
		join(v, kase, case_of(v, o->agency, o->number));
	}
}

static struct view *view_at(const struct world *w, uint32_t known, lk_instant at)
{
	struct view *v = calloc(1, sizeof(*v));
	if (v == NULL)
		abort();
	v->h = w->h;
	v->p = w->policy;
	v->at = at;
	for (uint32_t i = 0; i < known && i < w->o->n; i++)
		if (w->o->at[i].kind == STEP_EVENT && !w->o->at[i].left_out)
			v->is_known[w->o->at[i].event] = true;
	find_superseded(v);
	find_order(v);
	for (uint32_t i = 0; i < v->order_n; i++) {
		expire_until(v, v->order[i].at - 1);
		expire_until(v, v->order[i].at);
		apply(v, i);
		look_at_live(v, v->order[i].at);
	}
	expire_until(v, at);
	return v;
}

/* ---- Judging a notice -------------------------------------------------------------------------- */

static const int topics[lk_notice_kind_count] = {
	[LK_STATUS_CHANGED] = LK_TOPIC_STATUS,       [LK_REUNIFICATION_EVALUATE] = LK_TOPIC_STATUS,
	[LK_REUNIFICATION_ENDING] = LK_TOPIC_STATUS, [LK_CLOCK_NEAR] = LK_TOPIC_CLOSURE,
	[LK_MILESTONE_TOLD] = LK_TOPIC_MILESTONE,    [LK_CLOSURE_PLANNED] = LK_TOPIC_CLOSURE,
	[LK_CLOSURE_ONE_SIDE] = LK_TOPIC_CLOSURE,    [LK_MEETING_NEEDED] = LK_TOPIC_MEETING,
	[LK_MEETING_OVERDUE] = LK_TOPIC_MEETING,     [LK_MEETING_RESCHEDULE] = LK_TOPIC_MEETING,
	[LK_SERVICE_DUPLICATE] = LK_TOPIC_SERVICES,  [LK_SERVICE_CREDIT] = LK_TOPIC_SERVICES,
	[LK_REFERRAL_CHANGED] = LK_TOPIC_REFERRAL,
};

struct judging {
	struct view *v;
	const struct lk_notice *n;
	int side, own, other; /* cases; -1: not named */
	int level;            /* the rule's */
	bool is_moment;
};

static int find_case(const struct view *v, int agency, struct lk_text number)
{
	for (int i = 0; i < v->cases_n; i++)
		if (v->cases[i].agency == agency && lk_text_is(v->cases[i].number, number))
			return i;
	return -1;
}

/* "source/id" */
static const struct lk_event *event_named(const struct view *v, struct lk_text name,
					  uint32_t *index)
{
	for (uint32_t i = 0; i < v->h->n; i++) {
		const struct lk_event *e = event_at(v, i);
		size_t source = e->source.len;
		if (name.len == source + 1 + e->id.len &&
		    memcmp(name.at, e->source.at, source) == 0 &&
		    memcmp(name.at + source + 1, e->id.at, e->id.len) == 0) {
			*index = i;
			return e;
		}
	}
	return NULL;
}

static const char *judge_link(const struct judging *j)
{
	if (!lk_text_given(j->n->other_number))
		return j->n->contacts_n > 0 ? "contacts without the case they belong to" : NULL;
	if (j->other < 0)
		return "names a case that nobody knows";
	if (j->v->cases[j->own].group != j->v->cases[j->other].group)
		return "names a case that no link leads to";
	return NULL;
}

static bool any_live(const struct judging *j, int topic)
{
	for (int i = 0; i < j->v->cases_n; i++) {
		const struct known_case *k = &j->v->cases[i];
		if (k->agency != j->side && k->group == j->v->cases[j->own].group &&
		    k->live_since[topic] != LK_NO_INSTANT)
			return true;
	}
	return false;
}

/* A moment crosses if its topic has been live since its time; when that begins, the latest status alone is told. */
static const char *judge_moment(const struct judging *j, int topic)
{
	uint32_t index = 0;
	const struct lk_event *e =
		j->n->events_n > 0 ? event_named(j->v, j->n->events[0], &index) : NULL;
	if (e == NULL)
		return "a moment of the other side without the event it comes from";
	int kase = find_case(j->v, (int)e->agency, e->subject);
	if (kase < 0 || (int)e->agency == j->side)
		return "content that is not of the other side";
	const struct known_case *k = &j->v->cases[kase];
	lk_instant since = k->live_since[topic], happened_at = e->time.at;
	if (k->opened_at != LK_NO_INSTANT && happened_at < k->opened_at)
		happened_at = k->opened_at;
	if (since == LK_NO_INSTANT)
		return "content without live consent";
	if (k->group != j->v->cases[j->own].group)
		return "content of a case that no link leads to";
	if (since <= happened_at)
		return NULL;
	bool is_status = j->n->kind == LK_STATUS_CHANGED && j->n->about.what == LK_WHAT_STATUS;
	return is_status && (since <= j->n->at.at || k->first_status[topic] == index)
		       ? NULL
		       : "content of before the consent";
}

static const char *judge_content(const struct judging *j)
{
	int topic = topics[j->n->kind];
	if (j->is_moment)
		return judge_moment(j, topic);
	return any_live(j, topic) ? NULL : "content without live consent";
}

/* Below content: no event of the other side, and of what a blind rule names no more than that. */
static const char *judge_events(const struct judging *j)
{
	for (uint32_t i = 0; i < j->n->events_n; i++) {
		uint32_t index;
		const struct lk_event *e = event_named(j->v, j->n->events[i], &index);
		if (e == NULL || (int)e->agency != j->side)
			return "names an event of the other side";
	}
	return NULL;
}

static const char *judge_signal(const struct judging *j)
{
	unsigned theirs = j->side == LK_CWS ? (1u << LK_NOT_MEETING) | (1u << LK_DISCONTINUING) : 0;
	const struct lk_about *a = &j->n->about;
	if (lk_text_given(j->n->other_number) || j->n->contacts_n > 0)
		return "a signal that names the other side's case or workers";
	if (a->from >= 0 || a->status >= 0 || a->what >= 0 || a->category >= 0 ||
	    lk_text_given(a->milestone) || lk_text_given(a->place) || a->left != INT64_MIN)
		return "a signal that says more than that something is to be done";
	if ((a->reasons & theirs) != 0 && !any_live(j, LK_TOPIC_MEETING))
		return "a reason of the other side";
	return NULL;
}

/* What a rule says at content, and had to take back, leaves the case and its workers: no fact, no date. */
static const char *judge_registry(const struct judging *j)
{
	const struct lk_about *a = &j->n->about;
	if (j->level < LK_CONTENT || topics[j->n->kind] == LK_TOPIC_MEETING)
		return NULL;
	bool says = a->from >= 0 || a->status >= 0 || a->what >= 0 || a->category >= 0 ||
		    lk_text_given(a->milestone) || lk_text_given(a->referral) ||
		    a->left != INT64_MIN || j->n->due != LK_NO_DATE;
	return says ? "content, and says that it is none" : NULL;
}

static const char *judge_own(const struct judging *j)
{
	bool names_other = lk_text_given(j->n->other_number) || j->n->contacts_n > 0;
	return names_other ? "names the other side, and says that it does not" : NULL;
}

static const char *judge(const struct judging *j)
{
	const char *complaint = NULL;
	if (j->own < 0)
		return j->n->level == LK_CONTENT ? "content for nobody's case" : NULL;
	if (j->n->level >= LK_REGISTRY)
		complaint = judge_link(j);
	if (complaint == NULL && j->n->level == LK_CONTENT)
		complaint = judge_content(j);
	if (complaint == NULL && j->n->level < LK_CONTENT)
		complaint = judge_events(j);
	if (complaint == NULL && j->n->level == LK_SIGNAL)
		complaint = judge_signal(j);
	if (complaint == NULL && j->n->level == LK_REGISTRY)
		complaint = judge_registry(j);
	if (complaint == NULL && j->n->level == LK_OWN)
		complaint = judge_own(j);
	return complaint;
}

/* Numbers tell the agency: C-n and W-n. */
static struct judging judging_of(const struct world *w, struct view *v, const struct lk_notice *n)
{
	struct judging j = { .v = v, .n = n, .side = LK_NO_CODE, .own = -1, .other = -1 };
	j.is_moment = w->policy->rule[n->kind].rule_class == MOMENT;
	j.level = w->policy->rule[n->kind].level;
	if (!lk_text_given(n->case_number))
		return j;
	j.side = n->case_number.at[0] == 'C' ? LK_CWS : LK_CALWORKS;
	j.own = case_of(v, j.side, n->case_number);
	if (lk_text_given(n->other_number))
		j.other = find_case(v, 1 - j.side, n->other_number);
	return j;
}

/* Events that waited for one instant are folded one after the other: what is told between them is of neither. */
static bool is_crowded(const struct world *w, const struct heard *heard)
{
	int n = 0;
	for (uint32_t i = 0; i < heard->known; i++)
		n += w->o->at[i].kind == STEP_EVENT && !w->o->at[i].left_out &&
		     w->h->at[w->o->at[i].event].event.time.at == heard->notice.at.at &&
		     w->o->at[i].at < heard->notice.at.at;
	return n > 1;
}

const char *oracle_told(const struct world *w, const struct heard *heard)
{
	if (heard->notice.kind == LK_CROSSOVER_POSSIBLE || is_crowded(w, heard))
		return NULL;
	struct view *v = view_at(w, heard->known, heard->notice.at.at);
	struct judging j = judging_of(w, v, &heard->notice);
	const char *complaint = judge(&j);
	free(v);
	return complaint;
}

const char *oracle_shown(const struct world *w, const struct lk_notice *notice)
{
	bool is_reduced = notice->at.at == LK_NO_INSTANT; /* to a number and a kind */
	if (is_reduced || notice->kind == LK_CROSSOVER_POSSIBLE)
		return NULL;
	struct view *v = view_at(w, w->o->n, w->now);
	struct judging j = judging_of(w, v, notice);
	const char *complaint = judge(&j);
	free(v);
	return complaint;
}
