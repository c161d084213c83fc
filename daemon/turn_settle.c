/* turn_settle.c - one family at one instant: fold, derive, compare, and write the difference.
 *
 * In: a family at hand, the calendars and silences around it. Out: rows in mailboxes and the
 * ledger, the next wake.
 * Promise: every registry or content notice has its ledger row in the same transaction; nothing is
 * told before COMMIT.
 */
#include "turn_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Surroundings: what reaches across families ---------------------------------------------- */

struct nearby {
	struct turn *t;
	struct home *h;
	struct busy *busy;
	uint32_t busy_n, busy_room;
	struct lk_text *silent;
	size_t silent_n;
	struct likely *likely;
	uint32_t likely_n, likely_room;
	const struct kase *looking; /* the case whose lookalikes are looked at */
	struct lk_error *err;
	bool failed;
};

/* The store's texts last only as long as the visit: copy each. */
static struct lk_text kept(struct nearby *n, struct lk_text text)
{
	if (!lk_text_given(text))
		return LK_NO_TEXT;
	char *copy = malloc(text.len + 1);
	if (copy == NULL) {
		n->failed = true;
		return LK_NO_TEXT;
	}
	memcpy(copy, text.at, text.len);
	return (struct lk_text){ copy, text.len };
}

/* The time of a meeting to be put on the calendar anew: it keeps no worker busy, but its family is to be asked
 * again whenever the worker's calendar changes. */
#define NEVER INT64_MAX

static int note_busy(void *context, const uint8_t family[LK_DIGEST],
		     const struct calendar_entry *entry)
{
	struct nearby *n = context;
	if (memcmp(family, n->h->id, LK_DIGEST) == 0 || entry->start == NEVER)
		return 0;
	struct busy *wider = vector_grown(n->busy, n->busy_n, &n->busy_room, sizeof(*wider));
	if (wider == NULL)
		return LK_EMEMORY;
	n->busy = wider;
	n->busy[n->busy_n++] = (struct busy){
		.worker = kept(n, entry->worker),
		.meeting = kept(n, entry->meeting),
		.place = kept(n, entry->place),
		.start_at = entry->start,
		.end_at = entry->end,
		.said_at = entry->scheduled_at,
		.agency = entry->agency,
		.kind = entry->kind,
		.family_first = memcmp(family, n->h->id, LK_DIGEST) < 0,
	};
	return n->failed ? LK_EMEMORY : 0;
}

/* A meeting whose workers' other meetings matter: it is on the calendar, or was missed or held in
 * vain. */
static bool needs_calendar(const struct family *f, const struct meeting *m, lk_instant at)
{
	if (m->version == NONE || m->state == MEETING_CANCELLED)
		return false;
	if (m->state == MEETING_PLANNED)
		return f->versions[m->version].start_at > at;
	return m->state == MEETING_MISSED || !m->with_family;
}

static bool asked_before(const struct nearby *n, struct lk_text worker)
{
	for (uint32_t i = 0; i < n->busy_n; i++)
		if (lk_text_is(n->busy[i].worker, worker))
			return true;
	return false;
}

static int fetch_busy(struct nearby *n, lk_instant at, struct lk_error *err)
{
	const struct family *f = &n->h->f;
	for (uint32_t i = 0; i < f->meetings_n; i++) {
		const struct meeting *m = &f->meetings[i];
		if (!needs_calendar(f, m, at))
			continue;
		const struct version *v = &f->versions[m->version];
		for (uint32_t w = 0; w < v->required_n; w++) {
			struct lk_text worker = family_text(f, f->names[v->required + w]);
			int rc = asked_before(n, worker) ? 0
							 : store_calendar_of(n->t->store, worker,
									     at, note_busy, n, err);
			if (rc < 0)
				return rc;
		}
	}
	return 0;
}

static int fetch_silent(struct nearby *n, struct lk_error *err)
{
	for (size_t i = 0; i < n->t->sources_n; i++) {
		const struct source_state *s = &n->t->sources[i];
		if (!s->is_silent)
			continue;
		if (n->silent == NULL)
			n->silent = calloc(n->t->sources_n, sizeof(*n->silent));
		if (n->silent == NULL)
			return lk_fail(err, LK_EMEMORY, "no memory for the sources");
		n->silent[n->silent_n++] = lk_text_of(s->source.name);
	}
	return 0;
}

/* ---- Likely matches: equal tokens, other agencies, both open, no answer on the pair ---------- */

static struct lk_contact *contacts_of(const struct family *f, uint32_t kase, uint32_t *n)
{
	struct lk_contact *contacts = calloc(f->assignments_n + 1, sizeof(*contacts));
	*n = 0;
	for (uint32_t i = 0; contacts != NULL && i < f->assignments_n; i++) {
		const struct assignment *a = &f->assignments[i];
		if (a->kase == kase && a->until_step == 0)
			contacts[(*n)++] = (struct lk_contact){
				.agency = f->cases[kase].agency,
				.role = a->role,
				.worker = family_text(f, a->worker),
				.name = family_text(f, a->name),
				.phone = family_text(f, a->phone),
			};
	}
	return contacts;
}

static int add_likely(struct nearby *n, const struct family *f, uint32_t kase)
{
	struct likely *wider =
		vector_grown(n->likely, n->likely_n, &n->likely_room, sizeof(*wider));
	if (wider == NULL)
		return LK_EMEMORY;
	n->likely = wider;
	struct likely *l = &n->likely[n->likely_n];
	*l = (struct likely){
		.number = family_text(&n->h->f, n->looking->number),
		.agency = n->looking->agency,
		.other_number = family_text(f, f->cases[kase].number),
		.other_opened_at = f->cases[kase].opened_at,
		.other_source = opening_source(f, kase),
	};
	l->contacts = contacts_of(f, kase, &l->contacts_n);
	n->likely_n++;
	return l->contacts == NULL ? LK_EMEMORY : 0;
}

static bool is_noted(const struct nearby *n, struct lk_text other)
{
	struct lk_text own = family_text(&n->h->f, n->looking->number);
	for (uint32_t i = 0; i < n->likely_n; i++)
		if (lk_text_is(n->likely[i].other_number, other) &&
		    lk_text_is(n->likely[i].number, own))
			return true;
	return false;
}

struct answer {
	struct case_key other;
	bool given;
};

static int note_answer(void *context, struct case_key other, lk_instant since)
{
	struct answer *a = context;
	(void)since;
	a->given |= other.agency == a->other.agency && lk_text_is(other.number, a->other.number);
	return 0;
}

static int note_likely(void *context, struct case_key other, int kind, lk_instant since)
{
	struct nearby *n = context;
	struct case_key own = { n->looking->agency, family_text(&n->h->f, n->looking->number) };
	struct answer answer = { other, false };
	struct home *home;
	(void)kind;
	(void)since;
	if (other.agency == own.agency ||
	    family_case(&n->h->f, other.agency, other.number) != NONE || is_noted(n, other.number))
		return 0;
	int rc = store_links_of(n->t->store, own, note_answer, &answer, n->err);
	if (rc >= 0 && !answer.given)
		rc = home_of_case(n->t, other, &home, n->err);
	if (rc <= 0 || answer.given)
		return rc < 0 ? rc : 0;
	uint32_t kase = family_case(&home->f, other.agency, other.number);
	return kase != NONE && home->f.cases[kase].open ? add_likely(n, &home->f, kase) : 0;
}

/* Most families have none, and are asked for it once. */
static int find_tokens(const struct nearby *n)
{
	const struct family *f = &n->h->f;
	int found = 0;
	for (uint32_t i = 0; i < f->cases_n && found == 0; i++) {
		struct case_key key = { f->cases[i].agency, family_text(f, f->cases[i].number) };
		found = store_has_tokens(n->t->store, key, n->err);
	}
	return found;
}

static int fetch_likely(struct nearby *n)
{
	const struct family *f = &n->h->f;
	int found = n->h->is_tokenless ? 0 : find_tokens(n);
	n->h->is_tokenless = found == 0;
	if (found <= 0)
		return found;
	for (uint32_t i = 0; i < f->cases_n; i++) {
		n->looking = &f->cases[i];
		struct case_key key = { n->looking->agency, family_text(f, n->looking->number) };
		int rc = n->looking->open
				 ? store_lookalikes(n->t->store, key, note_likely, n, n->err)
				 : 0;
		if (rc < 0)
			return rc;
	}
	return 0;
}

static void nearby_free(struct nearby *n)
{
	for (uint32_t i = 0; i < n->likely_n; i++)
		free((struct lk_contact *)(uintptr_t)n->likely[i].contacts);
	free(n->likely);
	for (uint32_t i = 0; i < n->busy_n; i++) {
		free((char *)(uintptr_t)n->busy[i].worker.at);
		free((char *)(uintptr_t)n->busy[i].meeting.at);
		free((char *)(uintptr_t)n->busy[i].place.at);
	}
	free(n->busy);
	free(n->silent);
}

/* ---- Writing --------------------------------------------------------------------------------- */

struct writing {
	struct turn *t;
	struct home *h;
	const struct derivation *d;
	lk_instant at;
	struct lk_error *err;
};

/* What a notice at content level rests on: the consent in force that covers its topic. */
void content_basis(const struct family *f, int topic, char out[BASIS_MAX])
{
	static const char word[] = "consent";
	memcpy(out, word, sizeof(word));
	for (uint32_t i = 0; i < f->consents_n; i++) {
		const struct consent *c = &f->consents[i];
		if (!c->in_force || topic < 0 || (c->topics & POLICY_BIT(topic)) == 0)
			continue;
		out[sizeof(word) - 1] = ' ';
		cause_name(f, c->cause, out + sizeof(word), BASIS_MAX - sizeof(word));
		return;
	}
}

static struct lk_text basis_of(const struct writing *w, const struct told *t, int level,
			       char room[BASIS_MAX])
{
	if (level < LK_REGISTRY)
		return LK_NO_TEXT;
	if (level < LK_CONTENT)
		return LK_TEXT("WIC 18961.5");
	content_basis(&w->h->f, t->topic, room);
	return lk_text_of(room);
}

static struct stored_notice row_of(const struct writing *w, const struct told *t,
				   const struct lk_notice *n)
{
	const struct words *words = &w->h->told.words;
	struct stored_notice row = {
		.worker = words_text(words, t->worker),
		.rev = n->rev,
		.kind = n->kind,
		.state = n->state,
		.level = n->level,
		.topic = t->topic,
		.rule_class = (int)w->t->policy->rule[n->kind].rule_class,
		.own = { t->side, words_text(words, t->own) },
		.other = { 1 - t->side, words_text(words, t->other) },
		.cause_at = t->cause_at,
		.told_at = w->at,
		.said = n,
	};
	memcpy(row.id, t->id, LK_DIGEST);
	return row;
}

static int note_each(struct writing *w, const struct lk_notice *n)
{
	struct lk_bytes body = { 0 };
	lk_notice_encode(n, &body);
	lk_bytes_add(&w->t->each, &body.len, sizeof(body.len));
	lk_bytes_add(&w->t->each, body.at, body.len);
	bool failed = body.failed || w->t->each.failed;
	lk_bytes_free(&body);
	return failed ? lk_fail(w->err, LK_EMEMORY, "no memory to show a notice") : 0;
}

/* The event at hand is new to the log, and so is every moment that is named by it. */
static bool is_fresh(const struct writing *w, const struct telling *telling)
{
	const struct candidate *c = telling->candidate;
	return c != NULL && telling->state == LK_NEW && c->causes_n > 0 &&
	       c->causes[0] == w->h->fresh && w->t->policy->rule[c->kind].rule_class == MOMENT;
}

/* What is written is as the telling was; the record remembers where its last one lies. */
static int write_notice(struct writing *w, const struct telling *telling, const struct told *as,
			struct lk_notice *n)
{
	char basis[BASIS_MAX];
	struct told *record = tolds_change(&w->h->told, &w->h->told.at[telling->told]);
	lk_digest_hex(as->id, n->id);
	n->rev = as->rev;
	n->at = zone_time(&w->t->policy->zone, w->at);
	struct stored_notice row = row_of(w, as, n);
	row.basis = basis_of(w, as, n->level, basis);
	row.is_first = is_fresh(w, telling);
	int rc = store_notice_add(w->t->store, &row, &record->seq, w->err);
	record->rev = as->rev;
	if (rc >= 0)
		rc = note_grown(w->t, row.worker, record->seq, w->err);
	if (rc >= 0)
		rc = tally_notice(w->t, as, n, w->err);
	if (rc >= 0 && w->t->sink.each != NULL)
		rc = note_each(w, n);
	return rc;
}

static int copy_body(void *context, const struct stored_notice *row)
{
	lk_notice_encode(row->said, context);
	return 0;
}

static bool is_pruned(const struct writing *w, struct lk_text worker, int64_t seq)
{
	struct stored_mailbox mailbox;
	return store_mailbox_get(w->t->store, worker, &mailbox, w->err) >= 0 && seq < mailbox.first;
}

/* Whoever has stored the notice still has it: the withdrawal names it, and repeats nothing. */
static void notice_of_record(const struct writing *w, const struct told *as, struct lk_notice *out)
{
	lk_notice_clear(out);
	out->to = words_text(&w->h->told.words, as->worker);
	out->kind = as->kind;
	out->case_number = words_text(&w->h->told.words, as->own);
	out->urgency = as->urgency;
	out->level = LK_SIGNAL;
}

/* The last telling as it stands in its mailbox: 1; 0 where retention has taken it out, or where a
 * rebuild knew only that something had been told in this place. */
static int last_telling(const struct writing *w, const struct told *as, struct lk_bytes *bytes,
			struct lk_notice *out)
{
	struct lk_text worker = words_text(&w->h->told.words, as->worker);
	int rc = store_notice_at(w->t->store, worker, as->seq, copy_body, bytes, w->err);
	if (rc == 0 && !is_pruned(w, worker, as->seq))
		return lk_fail(w->err, LK_ESTORE, "a notice that was told is not in its mailbox");
	if (rc >= 0 && bytes->failed)
		return lk_fail(w->err, LK_EMEMORY, "no memory for a notice");
	if (rc <= 0)
		return rc;
	rc = lk_notice_decode(bytes->at, bytes->len, out, w->err);
	return rc < 0 ? rc : out->level != LK_NO_CODE;
}

/* The withdrawal repeats what was told: the last telling, edited. */
static int write_withdrawal(struct writing *w, const struct telling *telling, const struct told *as)
{
	struct lk_bytes last = { 0 };
	struct lk_notice n;
	int rc = last_telling(w, as, &last, &n);
	if (rc == 0)
		notice_of_record(w, as, &n);
	if (rc >= 0) {
		notice_withdraw(&n, telling->reason, telling->repeat);
		rc = write_notice(w, telling, as, &n);
	}
	lk_bytes_free(&last);
	return rc;
}

/* Every telling of a name has the next rev, also where another part of a family that came apart
 * told it before. */
static int claim_rev(struct writing *w, const struct telling *telling, struct told *as)
{
	int64_t last = 0;
	if (is_fresh(w, telling))
		return 0;
	int rc = store_apart_get(w->t->store, as->id, &last, w->err);
	if (rc <= 0)
		return rc;
	if (last >= as->rev)
		as->rev = (uint32_t)last + 1;
	return store_apart_put(w->t->store, as->id, as->rev, w->err);
}

static int write_telling(struct writing *w, const struct telling *telling)
{
	struct lk_notice *n = &w->t->notice;
	struct told as = telling->as;
	int rc = claim_rev(w, telling, &as);
	if (rc >= 0 && telling->state == LK_NEW && as.rev > 1)
		rc = store_answer_forget(w->t->store, as.id, w->err);
	if (rc < 0)
		return rc;
	if (telling->state == LK_WITHDRAWN)
		return write_withdrawal(w, telling, &as);
	if (telling->is_ended)
		notice_of_ended(w->t->policy, &w->h->told, &as, n);
	else
		notice_of(w->d, telling->candidate, &w->t->room, n);
	n->state = telling->state;
	return write_notice(w, telling, &as, n);
}

static int write_outcome(struct writing *w, const struct outcome *out)
{
	if (out->failed || w->d->failed || w->h->f.failed || w->h->told.failed)
		return lk_fail(w->err, LK_EMEMORY, "no memory to settle a family");
	for (uint32_t i = 0; i < out->n; i++) {
		int rc = write_telling(w, &out->at[i]);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int show_outcome(const struct writing *w, const struct outcome *out,
			const struct foresight *to)
{
	if (out->failed || w->d->failed || w->h->f.failed || w->h->told.failed)
		return lk_fail(w->err, LK_EMEMORY, "no memory to look at a family");
	return to->see == NULL ? 0 : to->see(to->context, w->d, &w->h->told, out);
}

/* ---- Settling -------------------------------------------------------------------------------- */

/* One look at the family: some rules, what they change of what was told, and when to look again. */
struct look {
	void (*rules)(struct derivation *d);
	enum scope scope;
};
static const struct look at_state = { derive, SCOPE_STATE };
static const struct look at_answers = { rules_unanswered, SCOPE_ANSWERS };
static const struct look at_feeds = { rules_feed, SCOPE_STATE };

static int look_at(struct nearby *n, struct home *h, lk_instant at, const struct look *look,
		   const struct foresight *only)
{
	struct surroundings around = {
		.busy = n->busy,
		.busy_n = n->busy_n,
		.likely = n->likely,
		.likely_n = n->likely_n,
		.silent = n->silent,
		.silent_n = n->silent_n,
	};
	struct derivation d = { .f = &h->f,
				.p = only != NULL ? only->policy : n->t->policy,
				.trace = only != NULL ? only->trace : NULL,
				.s = &around,
				.told = &h->told,
				.now = at,
				.said_at = instant_earlier(n->t->said_at, at),
				.wake = LK_NO_INSTANT,
				.thrifty = only == NULL };
	struct outcome out = { 0 };
	look->rules(&d);
	compare(&h->told, &d, look->scope, &out);
	struct writing w = { n->t, h, &d, at, n->err };
	int rc = only != NULL ? show_outcome(&w, &out, only) : write_outcome(&w, &out);
	h->wake_at = instant_earlier(h->wake_at, d.wake);
	outcome_free(&out);
	derivation_free(&d);
	return rc;
}

static int look_at_answers(struct nearby *n, struct home *h, lk_instant at,
			   const struct foresight *only)
{
	lk_instant wake = h->told.answers_wake;
	bool stands = h->told.answers_stand && (wake == LK_NO_INSTANT || at < wake);
	if (only != NULL || !stands)
		return look_at(n, h, at, &at_answers, only);
	h->wake_at = instant_earlier(h->wake_at, wake);
	return 0;
}

static int settle(struct turn *t, struct home *h, lk_instant at, const struct foresight *only,
		  struct lk_error *err)
{
	struct nearby n = { .t = t, .h = h, .err = err };
	const struct policy *policy = only != NULL ? only->policy : t->policy;
	fold_pass(&h->f, policy, at);
	h->wake_at = fold_next(&h->f, policy);
	int rc = fetch_silent(&n, err);
	if (rc >= 0)
		rc = fetch_busy(&n, at, err);
	if (rc >= 0)
		rc = fetch_likely(&n);
	if (rc >= 0)
		rc = look_at(&n, h, at, &at_state, only);
	if (rc >= 0)
		rc = look_at_answers(&n, h, at, only);
	nearby_free(&n);
	return rc;
}

int home_settle(struct turn *t, struct home *h, lk_instant at, struct lk_error *err)
{
	if (h->is_stale)
		return 0; /* of another layout: it is behind, and will be gathered anew */
	h->is_dirty = true;
	/* One that is behind stays so until it is gathered: it was folded under another policy. */
	return settle(t, h, at, NULL, err);
}

int home_foresee(struct turn *t, struct home *h, lk_instant at, const struct foresight *see,
		 struct lk_error *err)
{
	return settle(t, h, at, see, err);
}

int home_catch_up(struct turn *t, struct home *h, lk_instant now, struct lk_error *err)
{
	while (!h->is_stale && h->wake_at != LK_NO_INSTANT && h->wake_at <= now) {
		int rc = home_settle(t, h, h->wake_at, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

const uint8_t feeds_id[LK_DIGEST];

int feeds_settle(struct turn *t, lk_instant at, struct lk_error *err)
{
	struct home *h = home_get(t, feeds_id, err);
	if (h == NULL)
		return LK_ESTORE;
	struct nearby n = { .t = t, .h = h, .err = err };
	h->is_dirty = true;
	memcpy(h->policy, t->revision, LK_DIGEST);
	int rc = fetch_silent(&n, err);
	if (rc >= 0)
		rc = look_at(&n, h, at, &at_feeds, NULL);
	nearby_free(&n);
	return rc;
}

/* ---- Neighbours: families that share a worker's calendar ------------------------------------- */

struct neighbours {
	const struct home *h;
	uint8_t (*ids)[LK_DIGEST];
	uint32_t n, room;
};

static int note_neighbour(void *context, const uint8_t family[LK_DIGEST],
			  const struct calendar_entry *entry)
{
	struct neighbours *all = context;
	(void)entry;
	if (memcmp(family, all->h->id, LK_DIGEST) == 0)
		return 0;
	for (uint32_t i = 0; i < all->n; i++)
		if (memcmp(all->ids[i], family, LK_DIGEST) == 0)
			return 0;
	void *wider = vector_grown(all->ids, all->n, &all->room, sizeof(*all->ids));
	if (wider == NULL)
		return LK_EMEMORY;
	all->ids = wider;
	memcpy(all->ids[all->n++], family, LK_DIGEST);
	return 0;
}

static int find_neighbours(struct turn *t, struct neighbours *all, lk_instant at,
			   struct lk_error *err)
{
	const struct family *f = &all->h->f;
	for (uint32_t i = 0; i < f->names_n; i++) {
		int rc = store_calendar_of(t->store, family_text(f, f->names[i]), at,
					   note_neighbour, all, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static bool is_in_calendar(const struct family *f, const struct meeting *m)
{
	if (m->version == NONE || m->state == MEETING_CANCELLED)
		return false;
	return m->state != MEETING_HELD ||
	       (f->versions[m->version].kind == LK_LTM && !m->with_family);
}

static uint32_t entries_of(const struct family *f, const struct meeting *m,
			   struct calendar_entry *out)
{
	const struct version *v = &f->versions[m->version];
	bool planned = m->state == MEETING_PLANNED;
	for (uint32_t i = 0; i < v->required_n; i++)
		out[i] = (struct calendar_entry){
			.worker = family_text(f, f->names[v->required + i]),
			.meeting = family_text(f, m->id),
			.place = family_text(f, v->place),
			.start = planned ? v->start_at : NEVER,
			.end = planned ? v->end_at : NEVER,
			.scheduled_at = v->said_at,
			.agency = v->agency,
			.kind = v->kind,
		};
	return v->required_n;
}

int home_write_calendar(struct turn *t, const struct home *h, struct lk_error *err)
{
	const struct family *f = &h->f;
	struct calendar_entry *entries = calloc(f->names_n + 1, sizeof(*entries));
	uint32_t n = 0;
	if (entries == NULL)
		return lk_fail(err, LK_EMEMORY, "no memory for a calendar");
	for (uint32_t i = 0; i < f->meetings_n; i++) {
		const struct meeting *m = &f->meetings[i];
		if (is_in_calendar(f, m))
			n += entries_of(f, m, entries + n);
	}
	int rc = store_calendar_put(t->store, h->id, entries, n, err);
	free(entries);
	return rc;
}

static int settle_others(struct turn *t, const struct neighbours *all, lk_instant at,
			 struct lk_error *err)
{
	int rc = 0;
	for (uint32_t i = 0; rc >= 0 && i < all->n; i++) {
		struct home *other = home_get(t, all->ids[i], err);
		rc = other == NULL ? LK_ESTORE : home_catch_up(t, other, at, err);
		if (rc >= 0)
			rc = home_settle(t, other, at, err);
	}
	return rc;
}

int settle_neighbours(struct turn *t, struct home *h, lk_instant at, struct lk_error *err)
{
	struct neighbours all = { .h = h };
	int rc = home_write_calendar(t, h, err);
	if (rc >= 0)
		rc = find_neighbours(t, &all, at, err);
	if (rc >= 0)
		rc = settle_others(t, &all, at, err);
	free(all.ids);
	return rc;
}

struct looking {
	struct turn *t;
	struct neighbours all;
	struct lk_error *err;
};

static int note_lookalike(void *context, struct case_key other, int kind, lk_instant since)
{
	struct looking *l = context;
	uint8_t id[LK_DIGEST];
	(void)kind;
	(void)since;
	int rc = store_case_family(l->t->store, other, id, l->err);
	return rc > 0 ? note_neighbour(&l->all, id, NULL) : rc;
}

int settle_lookalikes(struct turn *t, struct home *h, lk_instant at, struct lk_error *err)
{
	struct looking l = { .t = t, .all = { .h = h }, .err = err };
	int rc = 0;
	if (h->is_tokenless)
		return 0;
	for (uint32_t i = 0; rc >= 0 && i < h->f.cases_n; i++) {
		struct case_key key = { h->f.cases[i].agency,
					family_text(&h->f, h->f.cases[i].number) };
		rc = store_lookalikes(t->store, key, note_lookalike, &l, err);
	}
	if (rc >= 0)
		rc = settle_others(t, &l.all, at, err);
	free(l.all.ids);
	return rc;
}
