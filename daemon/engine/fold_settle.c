/* fold_settle.c - what a step changes around it: is the family mutual, since when may the other side see which
 * topic of which case, is the PLTM's trigger there, and which of the step's moments stay.
 *
 * In: a step whose event, or whose hour, has been folded. Out: the family as it is from then on. Promise:
 * asked after every step, of the step's own kin alone.
 */
#include "fold_step.h"
#include "trace.h"

/* ---- A step's beginning, and its moments ----------------------------------------------------- */

void step_begin(struct step *s)
{
	const struct kase *k = step_case(s);
	s->f->steps++;
	s->first_moment = s->f->moments_n;
	s->was_mutual = s->f->kins[k->kin].mutual;
	s->was_live = k->live_at[LK_TOPIC_CLOSURE] != LK_NO_INSTANT;
}

struct moment *step_moment(const struct step *s, int kind)
{
	struct moment *m = family_add_moment(s->f);
	m->kind = kind;
	m->kase = s->kase;
	m->cause = s->cause;
	m->agency = step_case(s)->agency;
	m->subject = NONE;
	m->what = m->from = m->status = m->urgency = LK_NO_CODE;
	m->code = NO_WORD;
	m->at = s->at;
	return m;
}

struct moment *step_status_moment(const struct step *s, const struct kase *k)
{
	struct moment *m = step_moment(s, LK_STATUS_CHANGED);
	m->what = LK_WHAT_STATUS;
	m->from = k->previous;
	m->status = k->status;
	return m;
}

/* ---- Mutual, live, first instants ------------------------------------------------------------ */

struct kin_view {
	uint32_t open[2], cases[2]; /* by lk_agency */
	bool limited;
	unsigned topics; /* that consents in force cover */
};

static struct kin_view view_kin(const struct family *f, uint32_t kin)
{
	struct kin_view v = { { 0, 0 }, { 0, 0 }, false, 0 };
	for (uint32_t i = 0; i < f->cases_n; i++) {
		const struct kase *k = &f->cases[i];
		if (k->kin != kin || k->first_opened_at == LK_NO_INSTANT)
			continue;
		v.cases[k->agency]++;
		v.open[k->agency] += (uint32_t)k->open;
		v.limited |= k->open && k->limited;
	}
	for (uint32_t i = 0; i < f->consents_n; i++)
		if (f->consents[i].in_force && f->cases[f->consents[i].kase].kin == kin)
			v.topics |= f->consents[i].topics;
	return v;
}

/* By number, which nothing corrects. */
static uint32_t lowest_open(const struct family *f, uint32_t kin, int agency)
{
	uint32_t found = NONE;
	for (uint32_t i = 0; i < f->cases_n; i++) {
		const struct kase *k = &f->cases[i];
		if (k->kin != kin || k->agency != agency || !k->open)
			continue;
		if (found == NONE || lk_text_order(family_text(f, k->number),
						   family_text(f, f->cases[found].number)) < 0)
			found = i;
	}
	return found;
}

/* Whichever event turns out to have begun it, its name stays. */
static void name_episode(const struct step *s, struct kin *u, uint32_t kin)
{
	for (int agency = LK_CWS; agency <= LK_CALWORKS; agency++)
		u->first[agency] = lowest_open(s->f, kin, agency);
	u->nth = ++s->f->cases[u->first[LK_CWS]].episodes;
}

static void settle_episode(const struct step *s, uint32_t kin, const struct kin_view *v)
{
	struct kin *u = &s->f->kins[kin];
	bool mutual = v->open[LK_CWS] > 0 && v->open[LK_CALWORKS] > 0;
	if (mutual && !u->mutual) {
		u->episode++;
		u->episode_at = s->at;
		u->episode_step = s->f->steps;
		u->episode_cause = s->cause;
		u->pltm_at = LK_NO_INSTANT;
		name_episode(s, u, kin);
	}
	if (!mutual && u->mutual)
		u->ended_at = s->at;
	u->mutual = mutual;
}

static bool role_filled(const struct family *f, uint32_t kin,
			bool (*fits)(const struct kase *k, int role))
{
	for (uint32_t i = 0; i < f->assignments_n; i++) {
		const struct assignment *a = &f->assignments[i];
		const struct kase *k = &f->cases[a->kase];
		if (a->until_step == 0 && k->kin == kin && k->open && fits(k, a->role))
			return true;
	}
	return false;
}

static bool is_social_worker(const struct kase *k, int role)
{
	return k->agency == LK_CWS && role == LK_SOCIAL_WORKER;
}

static bool is_calworks_lead(const struct kase *k, int role)
{
	return k->agency == LK_CALWORKS && role >= LK_AIS_WORKER && role <= LK_ELIGIBILITY_WORKER;
}

bool has_linkages_case(const struct family *f, const struct policy *p, uint32_t kin)
{
	for (uint32_t i = 0; i < f->cases_n; i++) {
		const struct kase *k = &f->cases[i];
		if (k->kin == kin && k->open && k->agency == LK_CWS &&
		    (p->linkages_statuses & POLICY_BIT(k->status)) != 0)
			return true;
	}
	return false;
}

/* The trigger of the PLTM: both sides at work for the first time in this episode. */
static void settle_pltm(const struct step *s, struct kin *u, uint32_t kin)
{
	if (!u->mutual || u->pltm_at != LK_NO_INSTANT || !has_linkages_case(s->f, s->p, kin))
		return;
	if (!role_filled(s->f, kin, is_social_worker) || !role_filled(s->f, kin, is_calworks_lead))
		return;
	u->pltm_at = s->at;
	u->pltm_cause = s->cause;
}

static bool told_in_step(const struct step *s, uint32_t cause)
{
	for (uint32_t i = s->first_moment; i < s->f->moments_n; i++)
		if (s->f->moments[i].kind == LK_STATUS_CHANGED && s->f->moments[i].cause == cause)
			return true;
	return false;
}

/* When the other side may know from now on, the latest status is told, however old, and nothing
 * else of before. */
static void share_status(struct step *s, uint32_t index, bool shared)
{
	struct kase *k = &s->f->cases[index];
	bool begins = shared && !k->status_shared;
	k->status_shared = shared;
	if (!begins || k->status < 0 || told_in_step(s, k->status_cause))
		return;
	struct step of = *s;
	of.kase = index;
	of.cause = k->status_cause;
	step_status_moment(&of, k);
}

static void note_mutual(const struct step *s, uint32_t index, bool mutual)
{
	struct kase *k = &s->f->cases[index];
	if (mutual == (k->mutual_at != LK_NO_INSTANT))
		return;
	if (!mutual) {
		struct stretch past = { index, 0, k->mutual_at, s->at };
		*family_add_stretch(s->f) = past;
	}
	k->mutual_at = mutual ? s->at : LK_NO_INSTANT;
}

static void settle_case(struct step *s, uint32_t index, const struct kin_view *v, bool mutual)
{
	struct kase *k = &s->f->cases[index];
	bool linked = v->cases[1 - k->agency] > 0;
	unsigned live = linked && !v->limited ? v->topics : 0;
	for (int t = 0; t < lk_topic_count; t++) {
		if ((live & (1u << t)) == 0)
			k->live_at[t] = LK_NO_INSTANT;
		else if (k->live_at[t] == LK_NO_INSTANT)
			k->live_at[t] = s->at;
	}
	note_mutual(s, index, mutual);
	share_status(s, index, mutual && k->open && (live & (1u << LK_TOPIC_STATUS)) != 0);
}

static void settle_kin(struct step *s, uint32_t kin)
{
	struct kin *u = &s->f->kins[kin];
	struct kin_view v = view_kin(s->f, kin);
	settle_episode(s, kin, &v);
	settle_pltm(s, u, kin);
	for (uint32_t i = 0; i < s->f->cases_n; i++)
		if (s->f->cases[i].kin == kin)
			settle_case(s, i, &v, u->mutual);
}

static bool is_within(const struct step *s, lk_instant ended_at)
{
	if (ended_at == LK_NO_INSTANT)
		return false;
	lk_date today = zone_date(&s->p->zone, s->at);
	return today - zone_date(&s->p->zone, ended_at) <=
	       dated_on(&s->p->closure_both_within, today).n;
}

/* What a closing means: one side is left, or none; a CWS family without CalWORKs is to be screened.
 */
static void settle_closure(struct step *s, struct moment m)
{
	const struct kase *k = step_case(s);
	const struct kin *u = kin_at(s->f, s->kase);
	struct kin_view v = view_kin(s->f, k->kin);
	m.barred = !s->was_live;
	if (s->was_mutual && !u->mutual)
		*family_add_moment(s->f) = m;
	m.kind = LK_CLOSURE_BOTH;
	if (v.open[0] + v.open[1] == 0 && is_within(s, u->ended_at))
		*family_add_moment(s->f) = m;
	m.kind = LK_CLOSURE_SCREEN;
	if (k->agency == LK_CWS && k->status != LK_REFERRAL && v.open[LK_CALWORKS] == 0)
		*family_add_moment(s->f) = m;
}

static bool speaks_of_mutual(int kind)
{
	return kind != LK_MEETING_CHANGED;
}

/* What the other side could not know when it happened never crosses: past is past. */
static struct moment barred_if_private(const struct step *s, struct moment m)
{
	int topic = s->p->rule[m.kind].topic;
	m.barred = topic != NO_TOPIC && s->f->cases[m.kase].live_at[topic] == LK_NO_INSTANT;
	return m;
}

/* Moments of this step stay only where their rule holds: nearly every rule speaks of a mutual
 * family. */
static void settle_moments(struct step *s)
{
	struct family *f = s->f;
	uint32_t kept = s->first_moment, until = f->moments_n;
	struct moment closing = { .kind = LK_NO_CODE };
	for (uint32_t i = s->first_moment; i < until; i++) {
		struct moment m = f->moments[i];
		if (m.kind == LK_CLOSURE_ONE_SIDE)
			closing = m;
		else if (!speaks_of_mutual(m.kind) || kin_at(f, m.kase)->mutual)
			f->moments[kept++] = barred_if_private(s, m);
		else if (f->trace != NULL)
			f->trace->moment(f->trace->context, &m, BAR_NOT_MUTUAL);
	}
	f->moments_n = kept;
	if (closing.kind != LK_NO_CODE)
		settle_closure(s, closing);
}

void step_settle(struct step *s)
{
	settle_kin(s, step_case(s)->kin);
	settle_moments(s);
}
