/* turn_family.c - "who is it?": a family's folded state, what stands, and what comes next, as one
 * map.
 *
 * In: a case. Out: MessagePack that clients print. Promise: shown to auditors only, by the lane
 * that asks; nothing here writes.
 */
#include "turn_parts.h"

#include <string.h>

struct print {
	struct turn *t;
	const struct family *f;
	struct lk_bytes *out;
};

static void put_key(struct print *p, const char *key)
{
	lk_put_word(p->out, key);
}

static void put_word(struct print *p, const char *key, struct word w)
{
	put_key(p, key);
	lk_put_text(p->out, family_text(p->f, w));
}

static void put_code(struct print *p, const char *key, const char *word)
{
	put_key(p, key);
	if (word == NULL)
		lk_put_nil(p->out);
	else
		lk_put_word(p->out, word);
}

static void put_instant(struct print *p, const char *key, lk_instant at)
{
	put_key(p, key);
	if (at == LK_NO_INSTANT)
		lk_put_nil(p->out);
	else
		lk_put_time(p->out, zone_time(&p->t->policy->zone, at));
}

static void put_date(struct print *p, const char *key, lk_date date)
{
	put_key(p, key);
	if (date == LK_NO_DATE)
		lk_put_nil(p->out);
	else
		lk_put_date(p->out, date);
}

static void put_flag(struct print *p, const char *key, bool flag)
{
	put_key(p, key);
	lk_put_bool(p->out, flag);
}

static void put_case_name(struct print *p, const char *key, uint32_t kase)
{
	put_word(p, key, p->f->cases[kase].number);
}

static void put_workers(struct print *p, uint32_t kase)
{
	uint32_t n = 0;
	for (uint32_t i = 0; i < p->f->assignments_n; i++)
		n += p->f->assignments[i].kase == kase && p->f->assignments[i].until_step == 0;
	put_key(p, "workers");
	lk_put_array(p->out, n);
	for (uint32_t i = 0; i < p->f->assignments_n; i++) {
		const struct assignment *a = &p->f->assignments[i];
		if (a->kase != kase || a->until_step != 0)
			continue;
		lk_put_map(p->out, 4);
		put_code(p, "role", lk_role_word(a->role));
		put_word(p, "worker", a->worker);
		put_word(p, "name", a->name);
		put_word(p, "phone", a->phone);
	}
}

static void put_cases(struct print *p)
{
	put_key(p, "cases");
	lk_put_array(p->out, p->f->cases_n);
	for (uint32_t i = 0; i < p->f->cases_n; i++) {
		const struct kase *k = &p->f->cases[i];
		lk_put_map(p->out, 9);
		put_code(p, "agency", lk_agency_word(k->agency));
		put_word(p, "case", k->number);
		put_flag(p, "open", k->open);
		put_code(p, "status", lk_status_word(k->status));
		put_instant(p, "since", k->status_at);
		put_instant(p, "opened", k->opened_at);
		put_flag(p, "limited_access", k->limited);
		put_date(p, "closing", k->closing_on);
		put_workers(p, i);
	}
}

static void put_consents(struct print *p)
{
	put_key(p, "consents");
	lk_put_array(p->out, p->f->consents_n);
	for (uint32_t i = 0; i < p->f->consents_n; i++) {
		const struct consent *c = &p->f->consents[i];
		lk_put_map(p->out, 5);
		put_word(p, "consent", c->id);
		put_case_name(p, "case", c->kase);
		put_flag(p, "in_force", c->in_force);
		put_instant(p, "signed", c->signed_at);
		put_date(p, "expires", c->expires);
	}
}

static const char *meeting_state_word(int state)
{
	static const char *const words[] = { "planned", "held", "missed", "cancelled" };
	return words[state];
}

static void put_meetings(struct print *p)
{
	put_key(p, "meetings");
	lk_put_array(p->out, p->f->meetings_n);
	for (uint32_t i = 0; i < p->f->meetings_n; i++) {
		const struct meeting *m = &p->f->meetings[i];
		const struct version *v = &p->f->versions[m->version];
		lk_put_map(p->out, 6);
		put_word(p, "meeting", m->id);
		put_code(p, "kind", lk_meeting_kind_word(v->kind));
		put_code(p, "state", meeting_state_word(m->state));
		put_instant(p, "start", v->start_at);
		put_instant(p, "end", v->end_at);
		put_word(p, "place", v->place);
	}
}

static uint32_t standing_n(const struct tolds *told)
{
	uint32_t n = 0;
	for (uint32_t i = 0; i < told->n; i++)
		n += told->at[i].live && !told->at[i].doubled;
	return n;
}

static void put_standing(struct print *p, const struct tolds *told)
{
	put_key(p, "notices");
	lk_put_array(p->out, standing_n(told));
	for (uint32_t i = 0; i < told->n; i++) {
		const struct told *t = &told->at[i];
		char id[LK_DIGEST_HEX];
		if (!t->live || t->doubled)
			continue;
		lk_digest_hex(t->id, id);
		lk_put_map(p->out, 7);
		put_code(p, "id", id);
		put_code(p, "kind", lk_notice_kind_word(t->kind));
		put_key(p, "to");
		lk_put_text(p->out, words_text(&told->words, t->worker));
		put_code(p, "level", lk_level_word(t->level));
		put_code(p, "urgency", lk_urgency_word(t->urgency));
		put_instant(p, "told", t->first_told_at);
		put_instant(p, "answered", t->answered_at);
	}
}

static void put_family(struct print *p, const struct home *h)
{
	const struct kin *k = p->f->cases_n > 0 ? &p->f->kins[p->f->cases[0].unit] : NULL;
	bool mutual = k != NULL && k->mutual;
	lk_put_map(p->out, 8);
	put_flag(p, "mutual", mutual);
	put_key(p, "episode");
	lk_put_int(p->out, k != NULL ? k->episode : 0);
	put_instant(p, "since", mutual ? k->episode_at : LK_NO_INSTANT);
	put_instant(p, "next", h->wake_at);
	put_cases(p);
	put_consents(p);
	put_meetings(p);
	put_standing(p, &h->told);
}

int turn_family(struct turn *t, struct case_key key, lk_instant now, struct lk_bytes *out,
		struct lk_error *err)
{
	struct home *h;
	(void)now;
	int rc = home_of_case(t, key, &h, err);
	if (rc == 0)
		return lk_fail(err, LK_ENOTFOUND, "no such case");
	if (rc < 0)
		return rc;
	struct print p = { t, &h->f, out };
	put_family(&p, h);
	return out->failed ? lk_fail(err, LK_EMEMORY, "no memory to print a family") : 0;
}
