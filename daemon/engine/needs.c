/* needs.c - which meetings a family needs, since when, and until when: domain.md, section 5.1.
 *
 * In: episodes, agreements, statuses, planned closings, concerns, and the meetings there are. Out:
 * needs not yet met.
 * Promise: handbook 31-090 III.D-G, IV.E; ACIN I-70-09 field note 1 (TDM within two days).
 */
#include "needs.h"

#include <stdio.h>
#include <string.h>

/* An LTM without the family is none. */
static bool counts(const struct holding *h)
{
	return h->kind != LK_LTM || h->with_family;
}

bool need_concerns(const struct need *need, uint32_t kase)
{
	return need->kase == NONE || need->kase == kase;
}

static bool was_held(const struct derivation *d, const struct need *need)
{
	for (uint32_t i = 0; i < d->f->holdings_n; i++) {
		const struct holding *h = &d->f->holdings[i];
		if (need_concerns(need, h->kase) && (need->met_by & POLICY_BIT(h->kind)) != 0 &&
		    counts(h) && h->at >= need->trigger_at)
			return true;
	}
	return false;
}

/* On the calendar: also one that was missed, or an LTM held without the family; meeting.reschedule
 * speaks of those. One that was held is not. */
static bool is_on_calendar(const struct derivation *d, const struct meeting *m,
			   const struct need *need)
{
	if (m->version == NONE || m->state == MEETING_CANCELLED || !need_concerns(need, m->kase))
		return false;
	const struct version *v = &d->f->versions[m->version];
	bool in_vain = v->kind == LK_LTM && !m->with_family;
	if ((need->met_by & POLICY_BIT(v->kind)) == 0 || (m->state == MEETING_HELD && !in_vain))
		return false;
	return day_of(d, v->start_at) >= day_of(d, need->trigger_at);
}

static bool is_met(const struct derivation *d, const struct need *need, enum met met)
{
	for (uint32_t i = 0; met == MET_BY_CALENDAR && i < d->f->meetings_n; i++)
		if (is_on_calendar(d, &d->f->meetings[i], need))
			return true;
	return was_held(d, need);
}

static struct need need_of(int kind, unsigned met_by, lk_instant trigger_at, uint32_t cause)
{
	struct need need = {
		.kind = kind,
		.met_by = met_by,
		.kase = NONE,
		.agency = LK_NO_CODE,
		.only = LK_NO_CODE,
		.trigger_at = trigger_at,
		.told_from = LK_NO_DATE,
	};
	if (cause != NONE)
		need.causes[need.causes_n++] = cause;
	return need;
}

/* What is older than the episode counts from the episode's start. */
static lk_instant in_episode(const struct derivation *d, lk_instant at)
{
	lk_instant start = kin_of(d)->episode_at;
	return at > start ? at : start;
}

static lk_date due_after(const struct derivation *d, lk_instant trigger_at,
			 const struct dated *within)
{
	lk_date day = day_of(d, trigger_at);
	return day_after(day, dated_on(within, day));
}

/* The side that said it, which need not be the one whose case its id belongs to. */
static int said_by(const struct derivation *d, uint32_t cause)
{
	return d->f->causes[cause].agency;
}

struct asking {
	enum met met;
	need_visitor *visit;
	void *context;
};

static void ask(struct derivation *d, const struct asking *a, struct need *need, const char *key)
{
	need->key = key;
	if (!is_met(d, need, a->met))
		a->visit(d, need, a->context);
}

/* It has taken another status than the one that it was opened with. */
static bool has_turned_since(const struct kase *k, lk_instant at)
{
	return k->status_at >= at && k->status_at > k->opened_at;
}

/* A closed case needs no PLTM: one is open that is worked together, or that may have been since `at`. */
static bool is_worked_since(const struct derivation *d, lk_instant at)
{
	for (uint32_t i = 0; i < d->f->cases_n; i++) {
		const struct kase *k = &d->f->cases[i];
		if (k->open && k->agency == LK_CWS &&
		    ((d->p->linkages_statuses & POLICY_BIT(k->status)) != 0 ||
		     has_turned_since(k, at)))
			return true;
	}
	return false;
}

static void need_pltm(struct derivation *d, const struct asking *a)
{
	char episode[KEY_MAX], key[KEY_MAX];
	const struct kin *k = kin_of(d);
	if (k->pltm_at == LK_NO_INSTANT || !is_worked_since(d, k->pltm_at))
		return;
	struct need need = need_of(LK_PLTM, POLICY_BIT(LK_PLTM) | POLICY_BIT(LK_LTM), k->pltm_at,
				   k->pltm_cause);
	need.due = due_after(d, k->pltm_at, &d->p->pltm_due);
	key_episode(d, episode);
	snprintf(key, sizeof(key), "pltm/%.200s", episode);
	ask(d, a, &need, key);
}

static void need_ltm(struct derivation *d, const struct asking *a)
{
	for (uint32_t i = 0; i < d->f->plans_n; i++) {
		char named[KEY_MAX], key[KEY_MAX];
		const struct plan *p = &d->f->plans[i];
		if (p->kind != LK_IFS_AGREEMENT || p->ended || !d->f->cases[p->kase].open)
			continue;
		struct need need = need_of(LK_LTM, POLICY_BIT(LK_LTM), in_episode(d, p->signed_at),
					   p->signed_cause);
		need.agency = said_by(d, p->signed_cause);
		need.due = due_after(d, need.trigger_at, &d->p->ltm_due);
		key_named(d->f, p->kase, p->id, named);
		snprintf(key, sizeof(key), "ltm/%.200s", named);
		ask(d, a, &need, key);
	}
}

static void need_tdm(struct derivation *d, const struct asking *a)
{
	for (uint32_t i = 0; i < d->f->concerns_n; i++) {
		char named[KEY_MAX], key[KEY_MAX];
		const struct concern *c = &d->f->concerns[i];
		if (c->resolved || c->kind != LK_REMOVAL_CONSIDERED || !d->f->cases[c->kase].open)
			continue;
		struct need need =
			need_of(LK_TDM, POLICY_BIT(LK_TDM), in_episode(d, c->raised_at), c->cause);
		need.agency = said_by(d, c->cause);
		need.due = due_after(d, need.trigger_at, &d->p->tdm_due);
		key_named(d->f, c->kase, c->id, named);
		snprintf(key, sizeof(key), "tdm/%.200s", named);
		ask(d, a, &need, key);
	}
}

/* ---- Reconvene: one need a family, however many reasons -------------------------------------- */

/* Adds one reason, unless a meeting since has met it. */
static void add_reason(struct derivation *d, const struct asking *a, struct need *all, int reason,
		       lk_instant at, uint32_t cause)
{
	struct need one =
		need_of(LK_LTM, POLICY_BIT(LK_LTM) | POLICY_BIT(LK_CFT), in_episode(d, at), cause);
	if (is_met(d, &one, a->met))
		return;
	all->reasons[said_by(d, cause)] |= POLICY_BIT(reason);
	if (all->trigger_at == LK_NO_INSTANT || one.trigger_at < all->trigger_at)
		all->trigger_at = one.trigger_at;
	if (all->causes_n < LK_BECAUSE_MAX)
		all->causes[all->causes_n++] = cause;
}

static void add_case_reasons(struct derivation *d, const struct asking *a, struct need *all,
			     uint32_t kase)
{
	const struct kase *k = &d->f->cases[kase];
	if (!k->open || k->agency != LK_CALWORKS)
		return;
	if (k->not_meeting_at != LK_NO_INSTANT)
		add_reason(d, a, all, LK_NOT_MEETING, k->not_meeting_at, k->not_meeting_cause);
	if (k->closing_on != LK_NO_DATE)
		add_reason(d, a, all, LK_DISCONTINUING, k->closing_at, k->closing_cause);
}

static void add_concern_reason(struct derivation *d, const struct asking *a, struct need *all,
			       const struct concern *c)
{
	if (!c->resolved && c->kind != LK_REMOVAL_CONSIDERED && d->f->cases[c->kase].open)
		add_reason(d, a, all, LK_CONCERN, c->raised_at, c->cause);
}

static void need_reconvene(struct derivation *d, const struct asking *a)
{
	char episode[KEY_MAX], key[KEY_MAX];
	struct need all =
		need_of(LK_LTM, POLICY_BIT(LK_LTM) | POLICY_BIT(LK_CFT), LK_NO_INSTANT, NONE);
	for (uint32_t i = 0; i < d->f->cases_n; i++)
		add_case_reasons(d, a, &all, i);
	for (uint32_t i = 0; i < d->f->concerns_n; i++)
		add_concern_reason(d, a, &all, &d->f->concerns[i]);
	if (all.trigger_at == LK_NO_INSTANT)
		return;
	all.due = due_after(d, all.trigger_at, &d->p->reconvene_due);
	key_episode(d, episode);
	snprintf(key, sizeof(key), "reconvene/%.200s", episode);
	all.key = key;
	a->visit(d, &all, a->context);
}

/* ---- Disposition: one agency's duty on its own case ------------------------------------------ */

/* What a disposition counts from: a disposition held, an agreement, or the status. Only the first is part of the need's name: once
 * one was held another is needed, but a late agreement moves the day and calls for no other meeting. */
struct base {
	lk_instant at;
	struct word held;
	uint32_t cause;
};

static struct base last_disposition(const struct derivation *d, uint32_t kase)
{
	struct base base = { LK_NO_INSTANT, NO_WORD, NONE };
	for (uint32_t i = 0; i < d->f->holdings_n; i++) {
		const struct holding *h = &d->f->holdings[i];
		if (h->kase == kase && h->kind == LK_DISPOSITION && h->at > base.at)
			base = (struct base){ h->at, h->meeting, h->cause };
	}
	return base;
}

static struct base last_agreement(const struct derivation *d, uint32_t kase)
{
	struct base base = { LK_NO_INSTANT, NO_WORD, NONE };
	for (uint32_t i = 0; i < d->f->plans_n; i++) {
		const struct plan *p = &d->f->plans[i];
		if (p->kase == kase && p->kind == LK_IFS_AGREEMENT && !p->ended &&
		    p->signed_at > base.at)
			base = (struct base){ p->signed_at, NO_WORD, p->signed_cause };
	}
	return base;
}

/* The last disposition held, else the agreement, else the status itself. */
static struct base disposition_base(const struct derivation *d, uint32_t kase)
{
	const struct kase *k = &d->f->cases[kase];
	struct base base = last_disposition(d, kase);
	if (base.at == LK_NO_INSTANT)
		base = last_agreement(d, kase);
	return base.at != LK_NO_INSTANT ? base
					: (struct base){ k->status_at, NO_WORD, k->status_cause };
}

static void need_disposition(struct derivation *d, const struct asking *a, uint32_t kase)
{
	char owner[KEY_MAX], key[KEY_MAX];
	const struct kase *k = &d->f->cases[kase];
	if (!k->open || k->agency != LK_CWS || k->status != LK_IFS)
		return;
	struct base base = disposition_base(d, kase);
	struct need need =
		need_of(LK_DISPOSITION, POLICY_BIT(LK_DISPOSITION), base.at + 1, base.cause);
	need.kase = kase;
	need.agency = need.only = LK_CWS;
	need.due = due_after(d, base.at, &d->p->disposition_every);
	need.told_from = day_before(need.due, dated_on(&d->p->disposition_before, need.due));
	key_case(d->f, kase, owner);
	snprintf(key, sizeof(key), "disposition/%.100s/%.*s", owner,
		 LK_PRINT(family_text(d->f, base.held)));
	ask(d, a, &need, key);
}

void each_need(struct derivation *d, enum met met, need_visitor *visit, void *context)
{
	struct asking a = { met, visit, context };
	for (uint32_t i = 0; i < d->f->cases_n; i++)
		need_disposition(d, &a, i);
	if (!is_mutual_for(d, POLICY_BIT(LK_MEETING_NEEDED) | POLICY_BIT(LK_MEETING_OVERDUE)))
		return;
	need_pltm(d, &a);
	need_ltm(d, &a);
	need_reconvene(d, &a);
	need_tdm(d, &a);
}
