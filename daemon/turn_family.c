/* turn_family.c - "who is it?": a family's folded state, what stands, and what comes next, as one
 * map.
 *
 * In: a case. Out: MessagePack that clients print. Promise: shown to auditors only, by the lane
 * that asks; nothing here writes, but a family that waits to be folded is folded first. What comes
 * next is no list of timers: it is what the engine would tell at each instant to come if nothing
 * else happened.
 */
#include "turn_print.h"

#include <stdlib.h>
#include <string.h>

/* ---- State ----------------------------------------------------------------------------------- */

static void put_workers(const struct print *p, uint32_t kase)
{
	struct listing list = { .n = 0 };
	for (uint32_t i = 0; i < p->f->assignments_n; i++) {
		const struct assignment *a = &p->f->assignments[i];
		if (a->kase != kase || a->until_step != 0)
			continue;
		struct print item = listing_item(p, &list);
		lk_put_map(item.out, 4);
		put_code(&item, "role", lk_role_word(a->role));
		put_word(&item, "worker", a->worker);
		put_word(&item, "name", a->name);
		put_word(&item, "phone", a->phone);
	}
	put_listing(p, "workers", &list);
}

static void put_topics(const struct print *p, const char *key, unsigned topics)
{
	struct listing list = { .n = 0 };
	for (int topic = 0; topic < lk_topic_count; topic++)
		if ((topics & POLICY_BIT(topic)) != 0)
			lk_put_word(listing_item(p, &list).out, lk_topic_word(topic));
	put_listing(p, key, &list);
}

static unsigned live_topics(const struct kase *k)
{
	unsigned topics = 0;
	for (int topic = 0; topic < lk_topic_count; topic++)
		if (k->live_at[topic] != LK_NO_INSTANT)
			topics |= POLICY_BIT(topic);
	return topics;
}

static void put_cases(const struct print *p)
{
	put_key(p, "cases");
	lk_put_array(p->out, p->f->cases_n);
	for (uint32_t i = 0; i < p->f->cases_n; i++) {
		const struct kase *k = &p->f->cases[i];
		lk_put_map(p->out, 12);
		put_code(p, "agency", lk_agency_word(k->agency));
		put_word(p, "case", k->number);
		put_flag(p, "open", k->open);
		put_code(p, "status", lk_status_word(k->status));
		put_instant(p, "since", k->status_at);
		put_instant(p, "opened",
			    k->first_opened_at == LK_NO_INSTANT ? LK_NO_INSTANT : k->opened_at);
		put_instant(p, "visited", k->visited_at);
		put_flag(p, "limited_access", k->limited);
		put_date(p, "closing", k->closing_on);
		put_instant(p, "closed", k->open ? LK_NO_INSTANT : k->closed_at);
		put_topics(p, "shared", live_topics(k));
		put_workers(p, i);
	}
}

static void put_consents(const struct print *p)
{
	put_key(p, "consents");
	lk_put_array(p->out, p->f->consents_n);
	for (uint32_t i = 0; i < p->f->consents_n; i++) {
		const struct consent *c = &p->f->consents[i];
		lk_put_map(p->out, 6);
		put_word(p, "consent", c->id);
		put_case(p, "case", c->kase);
		put_flag(p, "in_force", c->in_force);
		put_instant(p, "signed", c->signed_at);
		put_date(p, "expires", c->expires);
		put_topics(p, "topics", c->topics);
	}
}

static void put_plans(const struct print *p)
{
	put_key(p, "plans");
	lk_put_array(p->out, p->f->plans_n);
	for (uint32_t i = 0; i < p->f->plans_n; i++) {
		const struct plan *n = &p->f->plans[i];
		lk_put_map(p->out, 6);
		put_word(p, "plan", n->id);
		put_case(p, "case", n->kase);
		put_code(p, "kind", lk_plan_kind_word(n->kind));
		put_instant(p, "signed", n->signed_at);
		put_date(p, "closing", n->closing_on);
		put_flag(p, "ended", n->ended);
	}
}

static void put_services(const struct print *p)
{
	put_key(p, "services");
	lk_put_array(p->out, p->f->services_n);
	for (uint32_t i = 0; i < p->f->services_n; i++) {
		const struct service *s = &p->f->services[i];
		lk_put_map(p->out, 5);
		put_word(p, "service", s->id);
		put_case(p, "case", s->kase);
		put_code(p, "category", lk_category_word(s->category));
		put_instant(p, "started", s->started_at);
		put_flag(p, "running", s->running);
	}
}

static void put_concerns(const struct print *p)
{
	put_key(p, "concerns");
	lk_put_array(p->out, p->f->concerns_n);
	for (uint32_t i = 0; i < p->f->concerns_n; i++) {
		const struct concern *c = &p->f->concerns[i];
		lk_put_map(p->out, 5);
		put_word(p, "concern", c->id);
		put_case(p, "case", c->kase);
		put_code(p, "kind", lk_concern_kind_word(c->kind));
		put_instant(p, "raised", c->raised_at);
		put_flag(p, "resolved", c->resolved);
	}
}

/* NULL: it was named before it was made. */
static const char *referral_word(const struct referral *r)
{
	if (r->cause == NONE)
		return NULL;
	return r->status < 0 ? "made" : lk_referral_status_word(r->status);
}

static void put_referrals(const struct print *p)
{
	put_key(p, "referrals");
	lk_put_array(p->out, p->f->referrals_n);
	for (uint32_t i = 0; i < p->f->referrals_n; i++) {
		const struct referral *r = &p->f->referrals[i];
		lk_put_map(p->out, 6);
		put_word(p, "referral", r->id);
		put_case(p, "case", r->kase);
		put_code(p, "category", lk_category_word(r->category));
		put_word(p, "to", r->to);
		put_code(p, "status", referral_word(r));
		put_date(p, "follow_up", r->follow_up);
	}
}

/* One that was named before it was scheduled has no version, and nothing to show yet. */
static void put_meetings(const struct print *p)
{
	struct listing list = { .n = 0 };
	for (uint32_t i = 0; i < p->f->meetings_n; i++) {
		const struct meeting *m = &p->f->meetings[i];
		if (m->version == NONE)
			continue;
		const struct version *v = &p->f->versions[m->version];
		struct print item = listing_item(p, &list);
		lk_put_map(item.out, 6);
		put_word(&item, "meeting", m->id);
		put_code(&item, "kind", lk_meeting_kind_word(v->kind));
		put_code(&item, "state", meeting_state_word(m->state));
		put_instant(&item, "start", v->start_at);
		put_instant(&item, "end", v->end_at);
		put_word(&item, "place", v->place);
	}
	put_listing(p, "meetings", &list);
}

/* ---- What stands ----------------------------------------------------------------------------- */

/* What the last telling says: the rest is in the family's record of it. */
static void put_said(const struct print *p, struct lk_span notice)
{
	struct lk_span about = lk_get(notice, "about");
	put_text(p, "due", lk_as_text(lk_get(notice, "due")));
	put_key(p, "about");
	if (about.at != NULL)
		lk_put_raw(p->out, about.at, about.len);
	else
		lk_put_map(p->out, 0);
}

static void put_told(const struct print *item, bool stands, const struct tolds *told,
		     const struct told *n, struct lk_span said)
{
	lk_put_map(item->out, 10);
	put_digest(item, "id", n->id);
	put_code(item, "kind", lk_notice_kind_word(n->kind));
	put_flag(item, "standing", stands);
	put_text(item, "to", words_text(&told->words, n->worker));
	put_code(item, "level", lk_level_word(n->level));
	put_code(item, "urgency", lk_urgency_word(n->urgency));
	put_instant(item, "told", n->first_told_at);
	put_instant(item, "answered", n->answered_at);
	put_said(item, said);
}

/* A mailbox keeps a moment for a time, its record stays as long as the family. What stands does so also where a damage has
 * taken the words of it. */
static int put_standing(struct turn *t, const struct print *p, const struct tolds *told,
			struct lk_error *err)
{
	struct listing list = { .n = 0 };
	struct lk_bytes body = { .at = NULL };
	int rc = 0;
	for (uint32_t i = 0; rc >= 0 && i < told->n; i++) {
		const struct told *n = &told->at[i];
		bool stands = t->policy->rule[n->kind].rule_class == STANDING;
		if (!n->live || n->doubled)
			continue;
		rc = told_body(t, told, n, &body, err);
		struct lk_span said = lk_span_of(body.at, rc > 0 ? body.len : 0);
		if (rc > 0 || (rc == 0 && stands)) {
			struct print item = listing_item(p, &list);
			put_told(&item, stands, told, n, said);
		}
	}
	lk_bytes_free(&body);
	put_listing(p, "notices", &list);
	return rc < 0 ? rc : 0;
}

/* ---- What comes next ------------------------------------------------------------------------- */

#define COMING_MOST 12  /* tellings */
#define COMING_WAKES 64 /* instants looked at: some bring nothing */
#define COMING_DAYS INT64_C(366)

struct coming {
	const struct print *p;
	struct listing list;
};

static void put_coming_about(const struct print *p, const struct derivation *d,
			     const struct candidate *candidate)
{
	struct lk_bytes body = { .at = NULL };
	struct notice_room room;
	struct lk_notice n;
	lk_notice_clear(&n);
	if (candidate != NULL)
		notice_of(d, candidate, &room, &n);
	lk_notice_encode(&n, &body);
	struct lk_span about = lk_get(lk_span_of(body.at, body.len), "about");
	put_key(p, "about");
	if (about.at != NULL)
		lk_put_raw(p->out, about.at, about.len);
	else
		lk_put_map(p->out, 0);
	p->out->failed |= body.failed;
	lk_bytes_free(&body);
}

static void put_coming(struct coming *c, const struct derivation *d, const struct tolds *told,
		       const struct telling *telling)
{
	const struct told *t = &told->at[telling->told];
	struct print item = listing_item(c->p, &c->list);
	lk_put_map(item.out, 7);
	put_instant(&item, "at", d->now);
	put_code(&item, "kind", lk_notice_kind_word(t->kind));
	put_code(&item, "state", lk_notice_state_word(telling->state));
	put_code(&item, "reason", lk_withdrawal_word(telling->reason));
	put_text(&item, "to", words_text(&told->words, t->worker));
	put_date(&item, "due", telling->candidate != NULL ? telling->candidate->due : LK_NO_DATE);
	put_coming_about(&item, d, telling->candidate);
}

static int see_coming(void *context, const struct derivation *d, const struct tolds *told,
		      const struct outcome *out)
{
	struct coming *c = context;
	for (uint32_t i = 0; i < out->n && c->list.n < COMING_MOST; i++)
		put_coming(c, d, told, &out->at[i]);
	return 0;
}

/* The family goes on alone: no event comes, nobody answers, no source speaks or falls silent. */
static int foresee_coming(struct turn *t, struct home *copy, lk_instant now, struct coming *c,
			  struct lk_error *err)
{
	const struct foresight see = { t->policy, NULL, c, see_coming };
	int rc = 0;
	for (int i = 0; rc >= 0 && i < COMING_WAKES && c->list.n < COMING_MOST; i++) {
		if (copy->wake_at == LK_NO_INSTANT ||
		    copy->wake_at - now > COMING_DAYS * 24 * LK_HOUR)
			return 0;
		rc = home_foresee(t, copy, copy->wake_at, &see, err);
	}
	return rc;
}

static int home_copy(const struct home *h, struct home *copy, struct lk_error *err)
{
	struct lk_bytes row = { .at = NULL };
	memset(copy, 0, sizeof(*copy));
	memcpy(copy->id, h->id, LK_DIGEST);
	copy->wake_at = h->wake_at;
	family_init(&copy->f);
	family_pack(&h->f, &row);
	int rc = row.failed ? lk_fail(err, LK_EMEMORY, "no memory to copy a family")
			    : family_unpack(row.at, row.len, &copy->f, err);
	for (uint32_t i = 0; i < h->told.n; i++)
		tolds_move(&copy->told, &h->told, &h->told.at[i]);
	lk_bytes_free(&row);
	return rc;
}

static int put_comings(struct turn *t, const struct home *h, lk_instant now, const struct print *p,
		       struct lk_error *err)
{
	struct coming c = { .p = p };
	struct home copy;
	int rc = home_copy(h, &copy, err);
	if (rc >= 0)
		rc = foresee_coming(t, &copy, now, &c, err);
	put_listing(p, "coming", &c.list);
	family_free(&copy.f);
	tolds_free(&copy.told);
	return rc;
}

/* ---- Events whose time has not come ---------------------------------------------------------- */

struct ahead {
	const struct print *p;
	struct listing list;
};

static int see_ahead(void *context, const struct stored_event *row)
{
	struct ahead *a = context;
	char name[EVENT_NAME];
	if (!row->ahead)
		return 0;
	struct print item = listing_item(a->p, &a->list);
	event_name(row->source, row->id, name);
	lk_put_map(item.out, 4);
	put_code(&item, "event", name);
	put_code(&item, "type", lk_event_type_word(row->type));
	put_text(&item, "case", row->number);
	put_instant(&item, "time", row->time_at);
	return 0;
}

static int put_ahead(struct turn *t, const struct print *p, struct lk_error *err)
{
	struct ahead a = { .p = p };
	int rc = 0;
	for (uint32_t i = 0; rc >= 0 && i < p->f->cases_n; i++) {
		const struct kase *k = &p->f->cases[i];
		struct case_key key = { k->agency, family_text(p->f, k->number) };
		rc = store_case_events(t->store, key, see_ahead, &a, err);
	}
	put_listing(p, "ahead", &a.list);
	return rc;
}

/* ---- All of it ------------------------------------------------------------------------------- */

static int put_family(struct turn *t, const struct home *h, lk_instant now, const struct print *p,
		      struct lk_error *err)
{
	const struct kin *k = p->f->cases_n > 0 ? &p->f->kins[p->f->cases[0].kin] : NULL;
	bool mutual = k != NULL && k->mutual;
	lk_put_map(p->out, 14);
	put_flag(p, "mutual", mutual);
	put_int(p, "episode", k != NULL ? k->episode : 0);
	put_instant(p, "since", mutual ? k->episode_at : LK_NO_INSTANT);
	put_instant(p, "next", h->wake_at);
	put_cases(p);
	put_consents(p);
	put_plans(p);
	put_services(p);
	put_concerns(p);
	put_referrals(p);
	put_meetings(p);
	int rc = put_standing(t, p, &h->told, err);
	if (rc >= 0)
		rc = put_comings(t, h, now, p, err);
	return rc < 0 ? rc : put_ahead(t, p, err);
}

int turn_family(struct turn *t, struct case_key key, lk_instant now, struct lk_bytes *out,
		struct lk_error *err)
{
	struct home *h;
	int rc = home_to_show(t, key, &h, err);
	if (rc < 0)
		return rc;
	struct print p = { &t->policy->zone, &h->f, out };
	rc = put_family(t, h, now, &p, err);
	homes_trim(t);
	if (rc < 0)
		return rc;
	return out->failed ? lk_fail(err, LK_EMEMORY, "no memory to print a family") : 0;
}
