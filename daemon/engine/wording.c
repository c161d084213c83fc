/* wording.c - what a notice says, and what of it its withdrawal may repeat.
 *
 * In: a candidate, or the last telling. Out: a notice. Promise: the other side's case, people and events stand in it as far as
 * its level reaches; a withdrawal says nothing that its reader may not see any more.
 */
#include "wording.h"

/* ---- Tellings ----------------------------------------------------------------------------------- */

static void add_contact(const struct family *f, const struct assignment *a, struct lk_notice *out)
{
	if (out->contacts_n == LK_CONTACTS_MAX)
		return;
	out->contacts[out->contacts_n++] = (struct lk_contact){
		.agency = f->cases[a->kase].agency,
		.role = a->role,
		.worker = family_text(f, a->worker),
		.name = family_text(f, a->name),
		.phone = family_text(f, a->phone),
	};
}

/* By role, so that the order in which they were assigned is no change of content. */
static void add_contacts(const struct family *f, uint32_t kase, struct lk_notice *out)
{
	for (int role = 0; role < lk_role_count; role++) {
		for (uint32_t i = 0; i < f->assignments_n; i++) {
			const struct assignment *a = &f->assignments[i];
			if (a->kase == kase && a->role == role && a->until_step == 0)
				add_contact(f, a, out);
		}
	}
}

static void add_other(const struct derivation *d, const struct candidate *c, struct lk_notice *out)
{
	if (lk_text_given(c->other_number)) {
		out->other_number = c->other_number;
		for (uint32_t i = 0; i < c->contacts_n && i < LK_CONTACTS_MAX; i++)
			out->contacts[out->contacts_n++] = c->contacts[i];
	} else if (c->other != NONE) {
		out->other_number = family_text(d->f, d->f->cases[c->other].number);
		add_contacts(d->f, c->other, out);
	}
}

/* The other side's events are named only where their content is. */
static void add_events(const struct derivation *d, const struct candidate *c,
		       struct notice_room *room, struct lk_notice *out)
{
	for (uint32_t i = 0; i < c->causes_n; i++) {
		const struct cause *cause = &d->f->causes[c->causes[i]];
		if (cause->agency != c->side && c->level != LK_CONTENT)
			continue;
		char *text = room->events[out->events_n];
		cause_name(d->f, c->causes[i], text, sizeof(room->events[0]));
		out->events[out->events_n++] = lk_text_of(text);
	}
}

void notice_of(const struct derivation *d, const struct candidate *c, struct notice_room *room,
	       struct lk_notice *out)
{
	lk_notice_clear(out);
	out->to = c->worker;
	out->kind = c->kind;
	if (c->own != NONE)
		out->case_number = family_text(d->f, d->f->cases[c->own].number);
	if (c->level >= LK_REGISTRY)
		add_other(d, c, out);
	out->due = c->due;
	out->urgency = c->urgency;
	out->level = c->level;
	out->about = c->about;
	if (c->notice[0] != '\0') {
		out->about.notice = lk_text_of(c->notice);
		out->about.worker = lk_text_of(c->waits_for);
	}
	out->rule = lk_text_of(lk_notice_kind_word(c->kind));
	out->cites = lk_text_of(d->p->rule[c->kind].cites);
	if (room != NULL)
		add_events(d, c, room, out);
}

void notice_of_ended(const struct policy *p, const struct tolds *told, const struct told *record,
		     struct lk_notice *out)
{
	const struct rule_policy *rule = &p->rule[LK_CROSSOVER_ENDED];
	lk_notice_clear(out);
	out->to = words_text(&told->words, record->worker);
	out->kind = LK_CROSSOVER_ENDED;
	out->case_number = words_text(&told->words, record->own);
	out->urgency = rule->urgency;
	out->level = LK_SIGNAL;
	out->rule = lk_text_of(lk_notice_kind_word(LK_CROSSOVER_ENDED));
	out->cites = lk_text_of(rule->cites);
}

/* ---- Withdrawals -------------------------------------------------------------------------------- */

/* What a blind rule says without consent: domain.md, sections 5.1 and 5.2. */
static void keep_blind(struct lk_notice *n)
{
	struct lk_about about = n->about;
	lk_about_clear(&n->about);
	n->about.meeting_kind = about.meeting_kind;
	if (n->kind != LK_MEETING_RESCHEDULE)
		return;
	n->about.meeting = about.meeting;
	n->about.start = about.start;
	n->about.reasons = about.reasons;
	n->about.proposals = about.proposals;
}

static bool is_blind(int kind)
{
	return kind == LK_MEETING_NEEDED || kind == LK_MEETING_OVERDUE ||
	       kind == LK_MEETING_RESCHEDULE;
}

static void drop_content(struct lk_notice *n)
{
	if (n->level < LK_CONTENT)
		return;
	n->events_n = 0;
	n->level = LK_REGISTRY;
	if (is_blind(n->kind)) {
		keep_blind(n);
		return;
	}
	lk_about_clear(&n->about);
	n->due = LK_NO_DATE;
}

/* A meeting that is called for is so for both sides; one to be moved is whose it is. */
static void keep_unlinked(struct lk_notice *n, enum repeat repeat)
{
	struct lk_about about = n->about;
	bool called = n->kind == LK_MEETING_NEEDED || n->kind == LK_MEETING_OVERDUE;
	lk_about_clear(&n->about);
	if (called || repeat == REPEAT_OWN_MEETING) {
		n->about = about;
		n->about.with = LK_NO_TEXT;
		if (called && n->level == LK_CONTENT) /* some of them are the other side's */
			n->about.reasons = 0;
		return;
	}
	n->due = LK_NO_DATE;
}

static void drop_other_side(struct lk_notice *n, enum repeat repeat)
{
	n->other_number = LK_NO_TEXT;
	n->contacts_n = 0;
	if (n->level == LK_OWN || (n->level == LK_SIGNAL && n->kind != LK_MEETING_RESCHEDULE))
		return;
	keep_unlinked(n, repeat);
	n->events_n = 0;
	n->level = LK_SIGNAL;
}

void notice_withdraw(struct lk_notice *notice, int reason, enum repeat repeat)
{
	notice->state = LK_WITHDRAWN;
	notice->reason = reason;
	notice->answered_by = LK_NO_TEXT;
	notice->answered_at = LK_NO_TIME;
	if (repeat == REPEAT_NO_CONTENT)
		drop_content(notice);
	else if (repeat != REPEAT_ALL)
		drop_other_side(notice, repeat);
}
