/* compare.c - the difference between what follows and what was told.
 *
 * In: candidates and the records of what was told. Out: tellings (new, updated, withdrawn), records
 * brought up to date.
 * Promise: a moment is told once and only ever taken back; a standing notice is told again when its
 * content differs and withdrawn when it stops following; a withdrawal never repeats what its reader
 * may not see any more (wording.c).
 */
#include "compare.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void outcome_free(struct outcome *out)
{
	if (is_own_room(out->room))
		free(out->at);
	memset(out, 0, sizeof(*out));
}

static struct telling *add_telling(struct outcome *out)
{
	static struct telling scratch;
	struct telling *wider = vector_grown(out->at, out->n, &out->room, sizeof(*wider));
	if (wider == NULL) {
		out->failed = true;
		return &scratch;
	}
	out->at = wider;
	return &out->at[out->n++];
}

static bool is_moment(const struct policy *p, int kind)
{
	return p->rule[kind].rule_class == MOMENT;
}

/* ---- Telling --------------------------------------------------------------------------------- */

/* Of everything a reader would notice; `because` explains and does not count. */
static uint64_t content_digest(const struct derivation *d, const struct candidate *c,
			       struct outcome *out)
{
	uint8_t digest[LK_DIGEST];
	struct lk_notice notice;
	struct lk_bytes bytes = { 0 };
	notice_of(d, c, NULL, &notice);
	lk_notice_encode(&notice, &bytes);
	out->failed |= bytes.failed;
	lk_digest(bytes.at, bytes.len, NULL, digest);
	lk_bytes_free(&bytes);
	return digest_start(digest);
}

/* The word that a record before says, where it is that text: nothing is looked for then. */
static struct word told_word(struct tolds *told, struct word before, struct lk_text text)
{
	if (words_say(&told->words, before, text))
		return before;
	struct word w = words_add(&told->words, text);
	told->failed |= told->words.failed;
	return w;
}

static struct word case_word(struct tolds *told, struct word before, const struct family *f,
			     uint32_t kase)
{
	return kase == NONE ? NO_WORD
			    : told_word(told, before, family_text(f, f->cases[kase].number));
}

/* One agency's duty on its own case crosses no link, whoever else is linked; nor does a likely match, whose case is none of
 * the family's. */
static bool has_crossed(const struct candidate *c)
{
	static const bool own_duty[lk_notice_kind_count] = {
		[LK_VISIT_DUE] = true,        [LK_VISIT_MISSED] = true,
		[LK_CLOSURE_SCREEN] = true,   [LK_MEETING_CHANGED] = true,
		[LK_MEETING_REMINDER] = true, [LK_MEETING_RESCHEDULE] = true,
		[LK_REFERRAL_OVERDUE] = true, [LK_NOTICE_UNANSWERED] = true,
	};
	bool disposition = c->about.meeting_kind == LK_DISPOSITION;
	int crosses_above = c->kind == LK_MEETING_RESCHEDULE ? LK_OWN : LK_SIGNAL;
	if (c->kind == LK_CROSSOVER_POSSIBLE)
		return false;
	return !(own_duty[c->kind] || disposition) || c->level > crosses_above;
}

#define ALIKE \
	4 /* records, of which one is of the same side, nearly always, and says the same words */

static const struct told *told_alike(const struct tolds *told, const struct told *t, int side)
{
	uint32_t last = told->failed ? 0 : (uint32_t)(t - told->at);
	for (uint32_t i = last; i > 0 && last - i < ALIKE; i--)
		if (told->at[i - 1].side == side)
			return &told->at[i - 1];
	return t;
}

static void note_candidate(struct tolds *told, struct told *t, const struct derivation *d,
			   const struct candidate *c)
{
	const struct told *before = told_alike(told, t, c->side);
	memcpy(t->id, c->id, LK_DIGEST);
	t->cause = c->cause;
	t->worker = told_word(told, before->worker, c->worker);
	t->own = case_word(told, before->own, d->f, c->own);
	t->other = case_word(told, before->other, d->f, has_crossed(c) ? c->other : NONE);
	t->kind = (int16_t)c->kind;
	t->side = (int8_t)c->side;
	t->level = (int8_t)c->level;
	t->topic = (int8_t)c->topic;
	t->urgency = (uint8_t)c->urgency;
	t->cause_at = c->cause_at;
	for (uint32_t i = 0; i < LK_PROPOSALS_MAX; i++)
		t->proposals[i] =
			i < c->about.proposals.n ? c->about.proposals.at[i].at : LK_NO_INSTANT;
}

/* Its record; NULL: never told. */
static const struct told *told_as(struct tolds *told, const struct candidate *c)
{
	for (uint32_t i = tolds_of(told, c->cause); i != NONE; i = tolds_after(told, i))
		if (memcmp(told->at[i].id, c->id, LK_DIGEST) == 0)
			return &told->at[i];
	return NULL;
}

/* Nobody gets one notice twice: the worker has been told by another place. */
static bool has_it(struct tolds *told, const struct candidate *c)
{
	for (uint32_t i = tolds_of(told, c->cause); i != NONE; i = tolds_after(told, i)) {
		const struct told *t = &told->at[i];
		if (t->live && !t->doubled &&
		    lk_text_is(words_text(&told->words, t->worker), c->worker))
			return true;
	}
	return false;
}

static void tell(struct tolds *told, const struct told *as, const struct derivation *d,
		 const struct candidate *c, int state, struct outcome *out)
{
	bool doubled = is_moment(d->p, c->kind) && has_it(told, c);
	struct told *t = as == NULL ? tolds_add(told) : tolds_change(told, as);
	note_candidate(told, t, d, c);
	if (state == LK_NEW) {
		t->first_told_at = d->now;
		t->answered_at = LK_NO_INSTANT;
	}
	t->live = 1;
	t->doubled = doubled;
	if (doubled)
		return;
	t->rev++;
	*add_telling(out) =
		(struct telling){ c, (uint32_t)(t - told->at), state, LK_NO_CODE, REPEAT_ALL, false,
				  *t };
}

static void compare_standing(struct tolds *told, const struct told *t, const struct derivation *d,
			     const struct candidate *c, struct outcome *out)
{
	uint64_t content = content_digest(d, c, out);
	bool stands = t != NULL && t->live;
	if (stands && t->content == content)
		return;
	tell(told, t, d, c, stands ? LK_UPDATED : LK_NEW, out);
	t = told_as(told, c);
	if (t != NULL)
		tolds_change(told, t)->content = content;
}

/* What was taken back for want of events that were lost for a while was never wrong: however old it is, whoever was told
 * so is told. */
static bool may_tell(const struct derivation *d, const struct told *t, const struct candidate *c)
{
	bool is_old = c->bar == BAR_STALE || c->bar == BAR_QUIET;
	return c->may_tell || (d->retells && is_old && t != NULL && t->rev > 0);
}

static void compare_candidate(struct tolds *told, const struct derivation *d,
			      const struct candidate *c, struct outcome *out)
{
	const struct told *t = told_as(told, c);
	if (c->withheld || !may_tell(d, t, c))
		return;
	if (!is_moment(d->p, c->kind))
		compare_standing(told, t, d, c, out);
	else if (t == NULL || !t->live)
		tell(told, t, d, c, LK_NEW, out);
}

/* ---- Withdrawing ----------------------------------------------------------------------------- */

static bool is_family(const struct tolds *told, const struct derivation *d, int agency,
		      struct word number)
{
	return family_case(d->f, agency, words_text(&told->words, number)) != NONE;
}

/* It was told for a case that no link reaches any more, or that was never opened. */
static bool is_astray(const struct tolds *told, const struct derivation *d, const struct told *t)
{
	return t->side >= 0 && t->own.at != NONE && !is_family(told, d, t->side, t->own);
}

/* No link leads from the recipient's case to the one it came from any more. */
static bool is_unlinked(const struct tolds *told, const struct derivation *d, const struct told *t)
{
	return t->side >= 0 && t->other.at != NONE &&
	       (is_astray(told, d, t) || !is_family(told, d, 1 - t->side, t->other));
}

/* What follows of a record: its own candidate, and whoever else has its cause. */
struct standing {
	bool follows, withheld, elsewhere;
	bool hidden;   /* its own candidate may not be seen */
	bool goes;     /* it is to be withdrawn */
	lk_instant at; /* of its own candidate: rather of one that may be seen; LK_NO_INSTANT */
};

static void stand(struct standing *s, const struct derivation *d, const struct told *t,
		  const struct candidate *c)
{
	s->withheld |= c->withheld && c->side == t->side;
	s->elsewhere |= !c->withheld;
	if (memcmp(c->id, t->id, LK_DIGEST) != 0)
		return;
	s->follows |= c->follows && (!c->withheld || is_moment(d->p, c->kind));
	s->hidden |= c->withheld;
	/* The latest status is a candidate again, by the same name, each time that a consent begins. */
	if (!c->withheld || s->at == LK_NO_INSTANT)
		s->at = c->cause_at;
}

/* Of each record; free() gives it back. NULL: no memory. */
static struct standing *standings_of(struct tolds *told, const struct derivation *d)
{
	struct standing *all = calloc(told->n, sizeof(*all)); /* withdraw_all() has seen one */
	for (uint32_t i = 0; all != NULL && i < told->n; i++)
		all[i].at = LK_NO_INSTANT;
	for (uint32_t c = 0; all != NULL && c < d->n; c++) {
		uint32_t i = tolds_of(told, d->at[c].cause);
		for (; i != NONE; i = tolds_after(told, i))
			stand(&all[i], d, &told->at[i], &d->at[c]);
	}
	return all;
}

/* What is asked of the decision function for a record. */
static struct disclosure disclosure_of(const struct tolds *told, const struct derivation *d,
				       const struct told *t)
{
	return (struct disclosure){
		.level = t->level,
		.topic = t->topic,
		.is_moment = is_moment(d->p, t->kind),
		.other_agency = 1 - t->side,
		.other = words_text(&told->words, t->other),
		.cause_at = t->cause_at,
	};
}

/* It is all content, which may not be seen any more, whether it still follows or not. */
static bool lacks_consent(const struct tolds *told, const struct derivation *d,
			  const struct told *t)
{
	const struct disclosure ask = disclosure_of(told, d, t);
	bool is_content = t->level == LK_CONTENT && !d->p->rule[t->kind].blind &&
			  main_case(d->f, t->side) != NONE;
	enum bar bar = is_content ? disclosure_bar(d->f, &ask) : BAR_NONE;
	return bar == BAR_NO_CONSENT || bar == BAR_LIMITED;
}

/* Its case has just lost others: nothing but that link has taken back what goes, which had crossed it, though both cases that it
 * names may be linked by another one. */
static bool has_come_apart(const struct tolds *told, const struct derivation *d,
			   const struct told *t)
{
	if (d->apart == NULL || t->side < 0 || t->other.at == NONE)
		return false;
	uint32_t own = family_case(d->f, t->side, words_text(&told->words, t->own));
	return own != NONE && d->apart[own];
}

static int withdrawal_reason(const struct tolds *told, const struct derivation *d,
			     const struct told *t, const struct standing *s)
{
	bool unlinked = is_unlinked(told, d, t) || has_come_apart(told, d, t);
	if (is_moment(d->p, t->kind))
		return unlinked || s->follows ? LK_UNLINKED : LK_CORRECTED;
	/* Of what its own side had said, that reason would say that the other side has something to say, too. */
	if (s->withheld && t->level == LK_CONTENT)
		return LK_NO_CONSENT;
	if (unlinked)
		return LK_UNLINKED;
	if (lacks_consent(told, d, t))
		return LK_NO_CONSENT;
	return s->elsewhere ? LK_REASSIGNED : LK_OVER;
}

/* What the decision function is asked with from now on, here and at every hand-out. */
static bool is_dated(const struct derivation *d, const struct told *t)
{
	return is_moment(d->p, t->kind) && t->level == LK_CONTENT;
}

/* When the events that moments of a kind are named by count from now: a late event may have moved them. Of an event that
 * is no more, as it was told. */
static void date_kind(struct tolds *told, const struct derivation *d, const struct standing *all,
		      int kind)
{
	for (uint32_t c = 0; c < d->f->causes_n; c++) {
		char key[KEY_MAX];
		key_cause(d->f, c, key);
		uint64_t cause = cause_digest(kind, key);
		for (uint32_t i = tolds_of(told, cause); i != NONE; i = tolds_after(told, i))
			if (all[i].goes && is_dated(d, &told->at[i]))
				tolds_change(told, &told->at[i])->cause_at = d->f->causes[c].at;
	}
}

/* What follows still, but from a time at which it could not be known, never happened. */
static void date_again(struct tolds *told, const struct derivation *d, const struct standing *all)
{
	unsigned kinds = 0;
	for (uint32_t i = 0; i < told->n; i++)
		if (all[i].goes && is_dated(d, &told->at[i]))
			kinds |= POLICY_BIT(told->at[i].kind);
	for (int kind = 0; kind < lk_notice_kind_count; kind++)
		if ((kinds & POLICY_BIT(kind)) != 0)
			date_kind(told, d, all, kind);
	for (uint32_t i = 0; i < told->n; i++)
		if (all[i].goes && all[i].hidden && is_dated(d, &told->at[i]))
			tolds_change(told, &told->at[i])->cause_at = LK_NO_INSTANT;
}

/* What stays, by the time that it has now: a case's opening may have been moved, and with it what waited for it. */
static void date_following(struct tolds *told, const struct derivation *d,
			   const struct standing *all)
{
	for (uint32_t i = 0; i < told->n; i++) {
		const struct told *t = &told->at[i];
		bool moved = all[i].at != LK_NO_INSTANT && all[i].at != t->cause_at;
		if (moved && is_dated(d, t))
			tolds_change(told, t)->cause_at = all[i].at;
	}
}

/* A meeting of the reader's own side stays known when the link is undone that put another in its way. */
static enum repeat without_link(const struct derivation *d, const struct told *t)
{
	for (uint32_t i = 0; t->kind == LK_MEETING_RESCHEDULE && i < d->f->meetings_n; i++) {
		char key[KEY_MAX];
		const struct meeting *m = &d->f->meetings[i];
		key_named(d->f, m->kase, m->id, key);
		if (cause_digest(t->kind, key) == t->cause &&
		    d->f->cases[m->kase].agency == t->side)
			return REPEAT_OWN_MEETING;
	}
	return REPEAT_OWN;
}

/* The case that it was told for is not the family's, or turns out never to have been opened. */
static bool is_away(const struct tolds *told, const struct derivation *d, const struct told *t)
{
	if (t->own.at == NONE)
		return false;
	uint32_t own = family_case(d->f, t->side, words_text(&told->words, t->own));
	return own == NONE || d->f->cases[own].first_opened_at == LK_NO_INSTANT;
}

static enum repeat may_repeat(const struct tolds *told, const struct derivation *d,
			      const struct told *t, int reason)
{
	struct disclosure ask = disclosure_of(told, d, t);
	if (reason == LK_UNLINKED || is_away(told, d, t))
		return without_link(d, t);
	if (t->side < 0 || t->kind == LK_CROSSOVER_POSSIBLE ||
	    (reason != LK_NO_CONSENT && disclosed(d->f, &ask)))
		return REPEAT_ALL;
	ask.level = LK_REGISTRY;
	return disclosed(d->f, &ask) ? REPEAT_NO_CONTENT : REPEAT_OWN;
}

static bool was_mutual(const struct family *f, uint32_t kase, lk_instant at)
{
	lk_instant since = f->cases[kase].mutual_at;
	if (since != LK_NO_INSTANT && since <= at)
		return true;
	for (uint32_t i = 0; i < f->stretches_n; i++)
		if (f->stretches[i].kase == kase && f->stretches[i].from_at <= at &&
		    at < f->stretches[i].until_at)
			return true;
	return false;
}

/* crossover.ended follows from a link that was undone; it is wrong if the undoing was itself taken back,
 * or if the family turns out to have been mutual by another link when that happened. */
static bool ended_follows(const struct tolds *told, const struct derivation *d,
			  const struct told *t)
{
	uint32_t kase = family_case(d->f, t->side, words_text(&told->words, t->own));
	return kase == NONE || !was_mutual(d->f, kase, t->cause_at);
}

static bool goes(const struct tolds *told, const struct derivation *d, const struct told *t,
		 const struct standing *s)
{
	bool names_other = t->level >= LK_REGISTRY;
	bool is_wrong = is_moment(d->p, t->kind) && /* what it names is not the family's any more */
			(names_other ? is_unlinked(told, d, t) : is_astray(told, d, t));
	return t->live && (!s->follows || is_wrong) &&
	       !(t->kind == LK_CROSSOVER_ENDED && ended_follows(told, d, t));
}

static void withdraw(struct tolds *told, uint32_t index, const struct derivation *d,
		     const struct standing *s, struct outcome *out)
{
	struct told *t = tolds_change(told, &told->at[index]);
	int reason = withdrawal_reason(told, d, t, s);
	t->live = 0;
	if (t->doubled)
		return;
	t->rev++;
	*add_telling(out) = (struct telling){
		NULL, index, LK_WITHDRAWN, reason, may_repeat(told, d, t, reason), false, *t
	};
}

/* Whoever had the notice of a family that is none learns that it is over. */
static void tell_ended(struct tolds *told, uint32_t index, const struct derivation *d,
		       struct outcome *out)
{
	struct told ended = told->at[index];
	struct {
		uint8_t id[LK_DIGEST];
		lk_instant at;
		int64_t kind,
			rev; /* of the withdrawal: another link may be undone in the same instant */
	} name = { .at = ended.first_told_at, .kind = LK_CROSSOVER_ENDED, .rev = ended.rev };
	memcpy(name.id, ended.id, LK_DIGEST);
	lk_digest(&name, sizeof(name), NULL, ended.id);
	ended.cause = digest_start(ended.id);
	ended.kind = LK_CROSSOVER_ENDED;
	ended.other = NO_WORD; /* it speaks of no link that is there */
	ended.level = LK_SIGNAL;
	ended.topic = NO_TOPIC;
	ended.urgency = (uint8_t)d->p->rule[LK_CROSSOVER_ENDED].urgency;
	ended.live = 1;
	ended.rev = 1;
	ended.cause_at = d->said_at;
	ended.first_told_at = d->now;
	ended.answered_at = LK_NO_INSTANT;
	*tolds_add(told) = ended;
	*add_telling(out) =
		(struct telling){ NULL, told->n - 1, LK_NEW, LK_NO_CODE, REPEAT_ALL, true, ended };
}

static bool is_in(enum scope scope, const struct told *t)
{
	return (t->kind == LK_NOTICE_UNANSWERED) == (scope == SCOPE_ANSWERS);
}

static bool any_live(const struct tolds *told, enum scope scope)
{
	for (uint32_t i = 0; i < told->n; i++)
		if (told->at[i].live && is_in(scope, &told->at[i]))
			return true;
	return false;
}

/* A link was removed, and from then on the family is not mutual by another one. */
static bool ends_episode(const struct tolds *told, const struct derivation *d,
			 const struct telling *telling)
{
	const struct told *t = &told->at[telling->told];
	uint32_t kase = family_case(d->f, t->side, words_text(&told->words, t->own));
	return telling->reason == LK_UNLINKED && t->kind == LK_CROSSOVER_FOUND &&
	       d->p->rule[LK_CROSSOVER_ENDED].enabled &&
	       (kase == NONE || !was_mutual(d->f, kase, d->said_at));
}

static void withdraw_all(struct tolds *told, const struct derivation *d, enum scope scope,
			 struct outcome *out)
{
	uint32_t before = told->n, first = out->n;
	assert(told->away == 0);
	if (!any_live(told, scope))
		return;
	struct standing *all = standings_of(told, d);
	if (all == NULL) {
		out->failed = true;
		return;
	}
	for (uint32_t i = 0; i < before; i++)
		all[i].goes = is_in(scope, &told->at[i]) && goes(told, d, &told->at[i], &all[i]);
	date_following(told, d, all);
	date_again(told, d, all);
	for (uint32_t i = 0; i < before; i++)
		if (all[i].goes)
			withdraw(told, i, d, &all[i], out);
	free(all);
	uint32_t withdrawn = out->n;
	for (uint32_t i = first; i < withdrawn; i++)
		if (ends_episode(told, d, &out->at[i]))
			tell_ended(told, out->at[i].told, d, out);
}

/* What nobody has answered can be another matter only after a telling that asks for an answer, or with all else. */
static void note_answers(struct tolds *told, const struct derivation *d, enum scope scope,
			 const struct outcome *out)
{
	if (scope == SCOPE_ANSWERS) {
		told->answers_stand = d->thrifty;
		told->answers_wake = d->wake;
		return;
	}
	told->answers_stand &= d->partial;
	for (uint32_t i = 0; i < out->n; i++)
		told->answers_stand &= out->at[i].as.urgency < LK_PROMPT;
}

void compare(struct tolds *told, const struct derivation *d, enum scope scope, struct outcome *out)
{
	if (!d->partial)
		withdraw_all(told, d, scope, out);
	for (uint32_t i = 0; i < d->n; i++)
		compare_candidate(told, d, &d->at[i], out);
	if (scope == SCOPE_STATE && d->thrifty)
		told->settled = d->settled;
	note_answers(told, d, scope, out);
	out->failed |= told->failed || d->failed;
}
