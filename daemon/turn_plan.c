/* turn_plan.c - the coordinated plan on one page, in four columns (ACIN I-70-09): shared goals, family, CWS, CalWORKs.
 *
 * In: a family, a worker. Out: items of what, when, who and why, by column. Promise: the other side's facts are there as
 * far as disclosed() lets this worker see them now; what is left out leaves no trace, but for the topics that are shared.
 */
#include "engine/needs.h"
#include "turn_print.h"

#include <stdio.h>
#include <string.h>

enum column { GOALS, FAMILY, CWS, CALWORKS, COLUMN_COUNT };

struct page {
	struct print p;
	const struct family *f;
	const struct policy *policy;
	struct derivation d; /* for what the engine can be asked: needs, leads, today */
	struct lk_text worker;
	int side; /* the worker's */
	struct listing column[COLUMN_COUNT];
};

/* What is to be done or holds; the rest may be absent. There is room for the longest place, and for 64 workers, in
 * letters of up to four bytes. */
struct item {
	char what[900];
	const char *how; /* since, by, on, until, last: how `at` or `date` is meant */
	lk_instant at;
	lk_date date;
	char who[64 * (64 + 2)], why[200];
};

#define ITEM ((struct item){ .at = LK_NO_INSTANT, .date = LK_NO_DATE })

static void put_item(struct page *page, enum column column, const struct item *i)
{
	struct print item = listing_item(&page->p, &page->column[column]);
	lk_put_map(item.out, 5);
	put_code(&item, "what", i->what);
	put_code(&item, "how", i->how);
	if (i->date != LK_NO_DATE)
		put_date(&item, "when", i->date);
	else
		put_instant(&item, "when", i->at);
	put_code(&item, "who", i->who[0] != '\0' ? i->who : NULL);
	put_code(&item, "why", i->why[0] != '\0' ? i->why : NULL);
}

static enum column column_of(int agency)
{
	return agency == LK_CWS ? CWS : CALWORKS;
}

/* ---- What this worker may see ---------------------------------------------------------------- */

static bool may_see(const struct page *page, uint32_t kase, int level, int topic,
		    lk_instant cause_at)
{
	const struct kase *k = &page->f->cases[kase];
	const struct disclosure ask = {
		.level = level,
		.topic = topic,
		.is_moment = cause_at != LK_NO_INSTANT,
		.other_agency = k->agency,
		.other = family_text(page->f, k->number),
		.cause_at = cause_at,
	};
	return k->agency == page->side || disclosed(page->f, &ask);
}

static bool sees_content(const struct page *page, uint32_t kase, int topic)
{
	return may_see(page, kase, LK_CONTENT, topic, LK_NO_INSTANT);
}

static bool sees_registry(const struct page *page, uint32_t kase)
{
	return may_see(page, kase, LK_REGISTRY, NO_TOPIC, LK_NO_INSTANT);
}

/* ---- Shared goals ---------------------------------------------------------------------------- */

static void add_words(char *out, size_t room, const char *word)
{
	size_t len = strlen(out);
	snprintf(out + len, room - len, "%s%s", len > 0 ? ", " : "", word);
}

static void add_text(char *out, size_t room, struct lk_text text)
{
	char word[80 * 4 + 1];
	snprintf(word, sizeof(word), "%.*s", LK_PRINT(text));
	add_words(out, room, word);
}

static void add_leads(struct page *page, struct item *i)
{
	for (int side = 0; side < lk_agency_count; side++)
		if (main_case(page->f, side) != NONE)
			add_text(i->who, sizeof(i->who),
				 lead_of(&page->d, side, main_case(page->f, side)));
}

static void add_reasons(const struct page *page, const struct need *need, struct item *i)
{
	bool live = is_live(page->f, 1 - page->side, LK_TOPIC_MEETING);
	unsigned seen = need->reasons[page->side] | (live ? need->reasons[1 - page->side] : 0);
	for (int reason = 0; reason < lk_meeting_reason_count; reason++)
		if ((seen & POLICY_BIT(reason)) != 0)
			add_words(i->why, sizeof(i->why), lk_meeting_reason_word(reason));
	if (seen == 0)
		add_words(i->why, sizeof(i->why), page->policy->rule[LK_MEETING_NEEDED].cites);
}

/* Kind and day are for both sides, as in the notice; a duty of one side is for that side. */
static void put_need(struct derivation *d, const struct need *need, void *context)
{
	struct page *page = context;
	struct item i = ITEM;
	(void)d;
	if (need->only >= 0 && need->only != page->side)
		return;
	snprintf(i.what, sizeof(i.what), "hold %s", lk_meeting_kind_word(need->kind));
	i.how = "by";
	i.date = need->due;
	add_reasons(page, need, &i);
	if (need->only < 0)
		add_leads(page, &i);
	put_item(page, need->only < 0 ? GOALS : column_of(need->only), &i);
}

static void put_removals(struct page *page)
{
	for (uint32_t r = 0; r < page->f->removals_n; r++) {
		const struct removal *removal = &page->f->removals[r];
		struct item i = ITEM;
		if (removal->returned || !page->f->cases[removal->kase].open ||
		    !sees_content(page, removal->kase, LK_TOPIC_STATUS))
			continue;
		snprintf(i.what, sizeof(i.what), "reunify: a child is away");
		i.how = "since";
		i.at = removal->removed_at;
		put_item(page, GOALS, &i);
	}
}

/* Rules tell the other side of a plan under the topic of closure: it is what a consent to it must cover here, too. */
static void put_plans(struct page *page)
{
	for (uint32_t n = 0; n < page->f->plans_n; n++) {
		const struct plan *plan = &page->f->plans[n];
		struct item i = ITEM;
		if (plan->kind < 0 || plan->ended || !page->f->cases[plan->kase].open ||
		    !sees_content(page, plan->kase, LK_TOPIC_CLOSURE))
			continue;
		snprintf(i.what, sizeof(i.what), "plan: %s", lk_plan_kind_word(plan->kind));
		i.how = plan->closing_on != LK_NO_DATE ? "until" : "since";
		i.date = plan->closing_on;
		i.at = plan->signed_at;
		put_item(page,
			 plan->kind == LK_LCCP ? GOALS
					       : column_of(page->f->cases[plan->kase].agency),
			 &i);
	}
}

/* ---- Meetings -------------------------------------------------------------------------------- */

static bool is_required(const struct page *page, const struct version *v)
{
	for (uint32_t i = 0; i < v->required_n; i++)
		if (family_says(page->f, page->f->names[v->required + i], page->worker))
			return true;
	for (uint32_t i = 0; i < v->optional_n; i++)
		if (family_says(page->f, page->f->names[v->optional + i], page->worker))
			return true;
	return false;
}

/* Dates of joint meetings are for both sides; of others, for the side that said them and for whoever is asked to come. */
static bool sees_meeting(const struct page *page, const struct meeting *m, const struct version *v)
{
	bool joint = v->kind == LK_PLTM || v->kind == LK_LTM;
	if (v->agency == page->side || is_required(page, v))
		return true;
	return joint && sees_registry(page, m->kase);
}

static enum column column_of_meeting(const struct version *v)
{
	if (v->kind == LK_PLTM || v->kind == LK_LTM)
		return GOALS;
	return v->family ? FAMILY : column_of(v->agency);
}

static void put_meetings(struct page *page)
{
	for (uint32_t n = 0; n < page->f->meetings_n; n++) {
		const struct meeting *m = &page->f->meetings[n];
		struct item i = ITEM;
		if (m->version == NONE || m->state != MEETING_PLANNED)
			continue;
		const struct version *v = &page->f->versions[m->version];
		if (v->end_at < page->d.now || !sees_meeting(page, m, v))
			continue;
		struct lk_text place = family_text(page->f, v->place);
		snprintf(i.what, sizeof(i.what), "%s%s%.*s", lk_meeting_kind_word(v->kind),
			 lk_text_given(place) ? ", " : "", LK_PRINT(place));
		i.how = "on";
		i.at = v->start_at;
		for (uint32_t w = 0; w < v->required_n; w++)
			add_text(i.who, sizeof(i.who),
				 family_text(page->f, page->f->names[v->required + w]));
		put_item(page, column_of_meeting(v), &i);
	}
}

/* ---- The family ------------------------------------------------------------------------------ */

static void put_consents(struct page *page)
{
	bool any = false;
	for (uint32_t n = 0; n < page->f->consents_n; n++) {
		const struct consent *c = &page->f->consents[n];
		struct item i = ITEM;
		if (!c->in_force)
			continue;
		any = true;
		snprintf(i.what, sizeof(i.what), "consent given");
		i.how = c->expires != LK_NO_DATE ? "until" : "since";
		i.date = c->expires;
		i.at = c->signed_at;
		for (int topic = 0; topic < lk_topic_count; topic++)
			if ((c->topics & POLICY_BIT(topic)) != 0)
				add_words(i.why, sizeof(i.why), lk_topic_word(topic));
		put_item(page, FAMILY, &i);
	}
	struct item none = ITEM;
	snprintf(none.what, sizeof(none.what), "no consent in force");
	if (!any && is_mutual(&page->d))
		put_item(page, FAMILY, &none);
}

static void put_services(struct page *page)
{
	for (uint32_t n = 0; n < page->f->services_n; n++) {
		const struct service *s = &page->f->services[n];
		struct item i = ITEM;
		if (!s->running || !page->f->cases[s->kase].open ||
		    !sees_content(page, s->kase, LK_TOPIC_SERVICES))
			continue;
		snprintf(i.what, sizeof(i.what), "attend %s", lk_category_word(s->category));
		i.how = "since";
		i.at = s->started_at;
		snprintf(i.who, sizeof(i.who), "through %s",
			 lk_agency_word(page->f->cases[s->kase].agency));
		put_item(page, FAMILY, &i);
	}
}

static void put_milestones(struct page *page)
{
	for (uint32_t n = 0; n < page->f->moments_n; n++) {
		const struct moment *m = &page->f->moments[n];
		struct item i = ITEM;
		if (m->kind != LK_MILESTONE_TOLD ||
		    !may_see(page, m->kase, LK_CONTENT, LK_TOPIC_MILESTONE, m->at))
			continue;
		snprintf(i.what, sizeof(i.what), "reached: %.*s",
			 LK_PRINT(family_text(page->f, m->code)));
		i.how = "on";
		i.at = m->at;
		put_item(page, FAMILY, &i);
	}
}

/* ---- Each side's own column ------------------------------------------------------------------ */

static void put_workers(struct page *page, uint32_t kase)
{
	for (uint32_t n = 0; n < page->f->assignments_n; n++) {
		const struct assignment *a = &page->f->assignments[n];
		struct item i = ITEM;
		if (a->kase != kase || a->until_step != 0 || !sees_registry(page, kase))
			continue;
		struct lk_text name = family_text(page->f, a->name);
		snprintf(i.what, sizeof(i.what), "%s", lk_role_word(a->role));
		add_text(i.who, sizeof(i.who),
			 lk_text_given(name) ? name : family_text(page->f, a->worker));
		if (a->phone.at != NONE)
			add_text(i.who, sizeof(i.who), family_text(page->f, a->phone));
		put_item(page, column_of(page->f->cases[kase].agency), &i);
	}
}

static void put_status(struct page *page, uint32_t kase)
{
	const struct kase *k = &page->f->cases[kase];
	struct item i = ITEM;
	if (k->status < 0 || !sees_content(page, kase, LK_TOPIC_STATUS))
		return;
	snprintf(i.what, sizeof(i.what), "status: %s", lk_status_word(k->status));
	i.how = k->status_until != LK_NO_DATE ? "until" : "since";
	i.date = k->status_until;
	i.at = k->status_at;
	put_item(page, column_of(k->agency), &i);
}

static void put_closing(struct page *page, uint32_t kase)
{
	const struct kase *k = &page->f->cases[kase];
	struct item i = ITEM;
	if (k->closing_on == LK_NO_DATE || !sees_content(page, kase, LK_TOPIC_CLOSURE))
		return;
	snprintf(i.what, sizeof(i.what), "case is to close");
	i.how = "on";
	i.date = k->closing_on;
	put_item(page, column_of(k->agency), &i);
}

static void put_clock(struct page *page, uint32_t kase)
{
	const struct kase *k = &page->f->cases[kase];
	struct item i = ITEM;
	if (k->clock_used < 0 || !sees_content(page, kase, LK_TOPIC_CLOSURE))
		return;
	snprintf(i.what, sizeof(i.what), "%lld of %d months used", (long long)k->clock_used,
		 dated_on(&page->policy->clock_limit, today(&page->d)).n);
	put_item(page, column_of(k->agency), &i);
}

/* Dates of contact are registry; that a visit is owed is the side's own duty. */
static void put_contact(struct page *page, uint32_t kase)
{
	const struct kase *k = &page->f->cases[kase];
	lk_date day = today(&page->d);
	struct item seen = ITEM, owed = ITEM;
	bool visits = k->agency == LK_CWS && k->status >= 0 &&
		      (page->policy->visit_statuses & POLICY_BIT(k->status)) != 0;
	snprintf(seen.what, sizeof(seen.what), "contact");
	seen.how = "last";
	seen.at = k->contact_at;
	if (k->contact_at != LK_NO_INSTANT && sees_registry(page, kase))
		put_item(page, column_of(k->agency), &seen);
	snprintf(owed.what, sizeof(owed.what), "visit the family");
	owed.how = "by";
	owed.date = date_month_last(day);
	if (visits && k->agency == page->side &&
	    k->visited_at < midnight(&page->d, date_month_first(day)))
		put_item(page, column_of(k->agency), &owed);
}

static void put_concerns(struct page *page, uint32_t kase)
{
	for (uint32_t n = 0; n < page->f->concerns_n; n++) {
		const struct concern *c = &page->f->concerns[n];
		struct item i = ITEM;
		if (c->kase != kase || c->resolved || !sees_content(page, kase, LK_TOPIC_MEETING))
			continue;
		snprintf(i.what, sizeof(i.what), "concern: %s", lk_concern_kind_word(c->kind));
		i.how = "since";
		i.at = c->raised_at;
		put_item(page, column_of(page->f->cases[kase].agency), &i);
	}
}

static void put_referrals(struct page *page, uint32_t kase)
{
	for (uint32_t n = 0; n < page->f->referrals_n; n++) {
		const struct referral *r = &page->f->referrals[n];
		struct item i = ITEM;
		bool done = r->status == LK_DECLINED || r->status == LK_REFERRAL_COMPLETED;
		if (r->cause == NONE || r->kase != kase || done ||
		    !sees_content(page, kase, LK_TOPIC_REFERRAL))
			continue;
		snprintf(i.what, sizeof(i.what), "referral: %s to %.*s",
			 lk_category_word(r->category), LK_PRINT(family_text(page->f, r->to)));
		i.how = r->follow_up != LK_NO_DATE ? "by" : "since";
		i.date = r->follow_up;
		i.at = r->made_at;
		snprintf(i.why, sizeof(i.why), "%s",
			 r->status < 0 ? "made" : lk_referral_status_word(r->status));
		put_item(page, column_of(page->f->cases[kase].agency), &i);
	}
}

static void put_case_columns(struct page *page)
{
	static void (*const parts[])(struct page * page, uint32_t kase) = {
		put_workers, put_status,   put_closing,   put_clock,
		put_contact, put_concerns, put_referrals,
	};
	for (uint32_t kase = 0; kase < page->f->cases_n; kase++) {
		const struct kase *k = &page->f->cases[kase];
		struct item i = ITEM;
		if (!k->open || !sees_registry(page, kase))
			continue;
		snprintf(i.what, sizeof(i.what), "case %.*s",
			 LK_PRINT(family_text(page->f, k->number)));
		put_item(page, column_of(k->agency), &i);
		for (size_t part = 0; part < sizeof(parts) / sizeof(parts[0]); part++)
			parts[part](page, kase);
	}
}

/* ---- The page -------------------------------------------------------------------------------- */

/* Topics of the other side that this worker may see now. */
static void put_shared(struct page *page)
{
	struct listing list = { .n = 0 };
	for (int topic = 0; topic < lk_topic_count; topic++)
		if (is_live(page->f, 1 - page->side, topic))
			lk_put_word(listing_item(&page->p, &list).out, lk_topic_word(topic));
	put_listing(&page->p, "shared", &list);
}

static void put_page(struct page *page)
{
	static const char *const names[] = { "goals", "family", "cws", "calworks" };
	const struct print *p = &page->p;
	put_case_columns(page);
	each_need(&page->d, MET_BY_HOLDING, put_need, page);
	put_removals(page);
	put_plans(page);
	put_meetings(page);
	put_consents(page);
	put_services(page);
	put_milestones(page);
	lk_put_map(p->out, 6 + COLUMN_COUNT);
	put_text(p, "for", page->worker);
	put_code(p, "side", lk_agency_word(page->side));
	put_instant(p, "at", page->d.now);
	put_flag(p, "mutual", is_mutual(&page->d));
	put_instant(p, "since", is_mutual(&page->d) ? kin_of(&page->d)->episode_at : LK_NO_INSTANT);
	put_shared(page);
	for (int column = 0; column < COLUMN_COUNT; column++)
		put_listing(p, names[column], &page->column[column]);
}

int turn_plan(struct turn *t, struct case_key key, struct lk_text worker, lk_instant now,
	      struct lk_bytes *out, struct lk_error *err)
{
	static const struct surroundings nothing;
	struct home *h;
	int rc = home_to_show(t, key, &h, err);
	if (rc < 0)
		return rc;
	if (!is_assigned(&h->f, worker))
		return lk_fail(err, LK_ENOTFOUND, "the worker has no case of this family");
	struct page page = {
		.p = { &t->policy->zone, &h->f, out },
		.f = &h->f,
		.policy = t->policy,
		.d = { .f = &h->f,
		       .p = t->policy,
		       .s = &nothing,
		       .told = &h->told,
		       .now = now,
		       .wake = LK_NO_INSTANT },
		.worker = worker,
		.side = side_of(&h->f, worker),
	};
	put_page(&page);
	return out->failed ? lk_fail(err, LK_EMEMORY, "no memory for a plan") : 0;
}
