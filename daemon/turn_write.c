/* turn_write.c - what differs from what was told, as rows of mailboxes and of the ledger.
 *
 * In: the outcome of a comparison. Out: a row for each telling, and its record changed. Promise: every registry or content
 * notice has its ledger row in the same transaction; a withdrawal repeats what was told and nothing newer.
 */
#include "turn_settle.h"

#include <stdlib.h>
#include <string.h>

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
	int64_t seq = 0;
	int rc = store_notice_add(w->t->store, &row, &seq, w->err);
	record->rev = as->rev;
	record->seq = (uint32_t)seq;
	if (rc >= 0)
		rc = note_grown(w->t, row.worker, seq, w->err);
	if (rc >= 0)
		rc = tally_notice(w->t, as, n, w->err);
	if (rc >= 0 && w->t->sink.each != NULL)
		rc = note_each(w, n);
	return rc;
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

/* As it stands in its mailbox: 1; 0 where it does not. */
static int last_telling(const struct writing *w, const struct told *as, struct lk_bytes *bytes,
			struct lk_notice *out)
{
	int rc = told_body(w->t, &w->h->told, as, bytes, w->err);
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

int outcome_write(struct writing *w, const struct outcome *out)
{
	for (uint32_t i = 0; i < out->n; i++) {
		int rc = write_telling(w, &out->at[i]);
		if (rc < 0)
			return rc;
	}
	return 0;
}
