/* turn_mailbox.c - handing out: every notice is looked at again before it is shown.
 *
 * In: a worker's mailbox. Out: bodies as told, or no more than a number and a kind where the basis
 * has gone.
 * Promise: the decision at hand-out is the one of the making (disclosed()); the ledger row of a
 * catch-up is on disk before its first byte is shown.
 */
#include "turn_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int turn_mailbox_get(struct turn *t, struct lk_text worker, struct stored_mailbox *out,
		     struct lk_error *err)
{
	return store_mailbox_get(t->store, worker, out, err);
}

int turn_receipts(struct turn *t, const struct turn_receipt *receipts, size_t n,
		  struct lk_error *err)
{
	int rc = store_begin(t->store, err);
	if (rc < 0)
		return rc;
	for (size_t i = 0; rc >= 0 && i < n; i++)
		rc = store_receipt(t->store, receipts[i].worker, receipts[i].upto, err);
	if (rc >= 0)
		return turn_commit(t, err);
	turn_undo(t);
	return rc;
}

struct recall {
	const uint8_t *id;
	struct lk_bytes *body;
	bool is_found;
};

static int copy_body(void *context, const struct stored_notice *row)
{
	struct recall *r = context;
	r->is_found = memcmp(row->id, r->id, LK_DIGEST) == 0;
	if (r->is_found)
		lk_notice_encode(row->said, r->body);
	return 0;
}

int told_body(struct turn *t, const struct tolds *told, const struct told *record,
	      struct lk_bytes *body, struct lk_error *err)
{
	struct lk_text worker = words_text(&told->words, record->worker);
	struct recall r = { .id = record->id, .body = body };
	lk_bytes_clear(body);
	int rc = store_notice_at(t->store, worker, record->seq, copy_body, &r, err);
	if (rc >= 0 && body->failed)
		return lk_fail(err, LK_EMEMORY, "no memory for a notice");
	return rc < 0 ? rc : r.is_found;
}

/* ---- Hand-out -------------------------------------------------------------------------------- */

struct handed {
	int64_t seq;
	size_t at, len; /* in turn.bodies */
};

struct hand_out {
	struct turn *t;
	struct lk_error *err;
	lk_instant now;
	struct lk_text worker;
	int64_t expected; /* place: up to here the processor was told what will be read */
	uint32_t n;       /* of t->handed */
	int level;        /* highest shown */
	int64_t shown[LK_CONTENT + 1], withheld;
	struct unfolded *
		unfolded; /* whose families wait to be folded from the log: they are to be, first */
	uint32_t unfolded_n, unfolded_room;
};

struct unfolded {
	int agency;
	char number[33];
};

/* A likely match has no link to ask of: what was told of it may be seen as long as it stands, and
 * its withdrawal names once more what is over. */
static bool match_shows(const struct home *home, const struct stored_notice *row)
{
	const struct told *t = tolds_find(&home->told, row->id);
	return row->state == LK_WITHDRAWN || (t != NULL && t->live);
}

lk_instant home_happened_at(const struct home *home, const struct stored_notice *row)
{
	const struct told *t = tolds_find(&home->told, row->id);
	if (t != NULL && t->live && t->seq == row->seq)
		return t->cause_at; /* which compare() keeps right as long as it is told */
	return t != NULL && t->cause_at < row->cause_at ? t->cause_at : row->cause_at;
}

/* Its record is at hand, where there is one. */
static int recall_record(struct turn *t, struct home *home, const struct stored_notice *row,
			 struct lk_error *err)
{
	bool is_here = home->told.away == 0 || tolds_find(&home->told, row->id) != NULL;
	int rc = is_here ? 0 : home_fetch(t, home, err);
	return rc < 0 ? rc : 1;
}

static bool has_cause(const struct family *f, struct lk_text source, struct lk_text id)
{
	for (uint32_t i = f->causes_n; i-- > 0;)
		if (family_says(f, f->causes[i].id, id) &&
		    family_says(f, f->causes[i].source, source))
			return true;
	return false;
}

struct family_look {
	const struct family *f;
	bool is_in;
};

static int look_for_case(void *context, const struct stored_event *event)
{
	struct family_look *look = context;
	look->is_in = family_case(look->f, event->agency, event->number) != NONE;
	return 0;
}

/* "source/id": of the recipient's own side, or of a case that is in the family still. */
static int is_family_event(struct turn *t, const struct home *home, const struct stored_notice *row,
			   struct lk_text name, struct lk_error *err)
{
	struct family_look look = { .f = &home->f };
	const char *slash = memchr(name.at, '/', name.len);
	if (slash == NULL)
		return 0;
	struct lk_text source = { name.at, (uint32_t)(slash - name.at) };
	struct lk_text id = { slash + 1, name.len - source.len - 1 };
	if (turn_agency_of(t, source) == row->own.agency || has_cause(&home->f, source, id))
		return 1;
	int rc = store_event_find(t->store, source, id, look_for_case, &look, err);
	return rc < 0 ? rc : look.is_in;
}

/* What stands on several cases of the other side names one of them. Another may have left the
 * family since, by a link that was undone. */
static int rests_on_family(struct turn *t, const struct home *home, const struct stored_notice *row,
			   struct lk_error *err)
{
	int rc = 1;
	for (uint32_t i = 0; rc > 0 && i < row->said->events_n; i++)
		rc = is_family_event(t, home, row, row->said->events[i], err);
	return rc;
}

bool family_is_expunged(const struct turn *t, const struct family *f)
{
	for (uint32_t i = 0; i < f->cases_n; i++) {
		const struct case_key key = { f->cases[i].agency,
					      family_text(f, f->cases[i].number) };
		if (store_is_expunged(t->store, key))
			return true;
	}
	return false;
}

int expunged_refuse(struct lk_error *err)
{
	return lk_fail(err, LK_ESTATE,
		       "the family was expunged, and is in the store again: repeat the order");
}

/* Within a transaction: what waits to be folded from the log is. */
static int fold_one(struct turn *t, struct case_key key, struct lk_error *err)
{
	struct home *home;
	int rc = home_of_case(t, key, &home, err);
	return rc > 0 && home->is_stale ? refold(t, &key, 1, t->now, err) : rc;
}

static int fold_now(struct turn *t, struct case_key key, struct lk_error *err)
{
	int rc = turn_lacks_events(t) ? waiting_refuse(t, err) : store_begin(t->store, err);
	if (rc < 0)
		return rc;
	if ((rc = fold_one(t, key, err)) >= 0)
		return turn_commit(t, err);
	turn_undo(t);
	return rc;
}

int home_folded(struct turn *t, struct case_key key, struct home **out, struct lk_error *err)
{
	int rc = home_of_case(t, key, out, err);
	if (rc <= 0 || !(*out)->is_stale)
		return rc;
	rc = fold_now(t, key, err);
	return rc < 0 ? rc : home_of_case(t, key, out, err);
}

int home_to_show(struct turn *t, struct case_key key, struct home **out, struct lk_error *err)
{
	int rc = home_folded(t, key, out, err);
	if (rc == 0)
		return lk_fail(err, LK_ENOTFOUND, "no such case");
	return rc > 0 && family_is_expunged(t, &(*out)->f) ? expunged_refuse(err) : rc;
}

bool notice_is_expunged(const struct turn *t, const struct stored_notice *row)
{
	return store_is_expunged(t->store, row->own) || store_is_expunged(t->store, row->other);
}

/* The opening of the reader's case was taken back: as if there were no such case. */
static bool was_never_opened(const struct home *home, const struct stored_notice *row)
{
	uint32_t own = family_case(&home->f, row->own.agency, row->own.number);
	return own != NONE && home->f.cases[own].first_opened_at == LK_NO_INSTANT;
}

int notice_may_show(struct turn *t, const struct stored_notice *row, struct lk_error *err)
{
	struct home *home;
	struct disclosure ask = {
		.level = row->level,
		.topic = row->topic,
		.is_moment = row->rule_class == MOMENT,
		.other_agency = row->other.agency,
		.other = row->other.number,
	};
	if (notice_is_expunged(t, row))
		return 0;
	if (row->level < LK_REGISTRY)
		return 1;
	int rc = home_of_notice(t, row, &home, err);
	if (rc > 0)
		rc = recall_record(t, home, row, err);
	if (rc > 0 && row->kind == LK_CROSSOVER_POSSIBLE)
		return match_shows(home, row);
	if (rc <= 0)
		return rc;
	ask.cause_at = home_happened_at(home, row);
	if (was_never_opened(home, row) || !disclosed(&home->f, &ask))
		return 0;
	return row->level < LK_CONTENT ? 1 : rests_on_family(t, home, row, err);
}

static int note_unfolded(struct hand_out *h, struct case_key key)
{
	struct unfolded *wider =
		vector_grown(h->unfolded, h->unfolded_n, &h->unfolded_room, sizeof(*wider));
	if (wider == NULL)
		return lk_fail(h->err, LK_EMEMORY, "no memory to hand out notices");
	h->unfolded = wider;
	struct unfolded *e = &h->unfolded[h->unfolded_n++];
	e->agency = key.agency;
	snprintf(e->number, sizeof(e->number), "%.*s", LK_PRINT(key.number));
	return 0;
}

/* Nothing can be said of a family without a state, and what is blanked once is never shown: it is to be folded first. Where
 * the log has holes it cannot be, and the mailbox ends here: 1. */
static int put_waiting(struct hand_out *h, const struct stored_notice *row)
{
	int rc = note_unfolded(h, row->own);
	return rc < 0 ? rc : turn_lacks_events(h->t);
}

static int waits_to_fold(const struct hand_out *h, const struct stored_notice *row)
{
	struct home *home;
	int rc = home_at_hand(h->t, row->own, &home, h->err);
	return rc > 0 ? home->is_stale : rc;
}

/* A number and a kind: that something was told, and not what. */
static int put_reduced(struct hand_out *h, const struct stored_notice *row)
{
	int waits = waits_to_fold(h, row);
	if (waits != 0)
		return waits < 0 ? waits : put_waiting(h, row);
	struct lk_notice n = *row->said;
	lk_notice_reduce(&n);
	lk_notice_encode(&n, &h->t->bodies);
	h->withheld++;
	return 0;
}

static void put_answered(struct hand_out *h, const struct stored_notice *row)
{
	struct lk_notice n = *row->said;
	n.answered_by = row->answered_by;
	n.answered_at = zone_time(&h->t->policy->zone, row->answered_at);
	lk_notice_encode(&n, &h->t->bodies);
}

static int put_body(struct hand_out *h, const struct stored_notice *row)
{
	int shown = notice_may_show(h->t, row, h->err);
	if (shown < 0)
		return shown;
	if (!shown)
		return put_reduced(h, row);
	h->shown[row->level]++;
	if (row->level > h->level)
		h->level = row->level;
	if (row->encoded.at != NULL)
		lk_bytes_add(&h->t->bodies, row->encoded.at, row->encoded.len);
	else if (lk_text_given(row->answered_by))
		put_answered(h, row);
	else
		lk_notice_encode(row->said, &h->t->bodies);
	return 0;
}

#define EXPECT_BEFORE 4 /* places: what they take is the time that memory takes */

/* Hardly anything that a notice of a mailbox needs is in the processor's cache: each is of another family. */
static void expect_after(struct hand_out *h, int64_t place)
{
	uint8_t families[STORE_EXPECTED][LK_DIGEST];
	uint32_t n = store_notices_expect(h->t->store, h->worker, place, families);
	homes_expect(h->t, families, n);
	h->expected = place + STORE_EXPECTED;
}

static int collect(void *context, const struct stored_notice *row)
{
	struct hand_out *h = context;
	if (row->seq + EXPECT_BEFORE > h->expected)
		expect_after(h, row->seq > h->expected ? row->seq : h->expected);
	struct handed *wider = vector_grown(h->t->handed, h->n, &h->t->handed_room, sizeof(*wider));
	if (wider == NULL)
		return lk_fail(h->err, LK_EMEMORY, "no memory to hand out notices");
	h->t->handed = wider;
	size_t from = h->t->bodies.len;
	int rc = put_body(h, row);
	if (rc != 0)
		return rc;
	wider[h->n++] = (struct handed){ row->seq, from, h->t->bodies.len - from };
	return 0;
}

static int fold_first(struct hand_out *h)
{
	int rc = store_begin(h->t->store, h->err);
	if (rc < 0)
		return rc;
	for (uint32_t i = 0; rc >= 0 && i < h->unfolded_n; i++) {
		const struct unfolded *e = &h->unfolded[i];
		rc = fold_one(h->t, (struct case_key){ e->agency, lk_text_of(e->number) }, h->err);
	}
	if (rc >= 0)
		return turn_commit(h->t, h->err);
	turn_undo(h->t);
	return rc;
}

static void begin_anew(struct hand_out *h)
{
	lk_bytes_clear(&h->t->bodies);
	memset(h->shown, 0, sizeof(h->shown));
	h->withheld = h->n = h->unfolded_n = 0;
	h->level = LK_OWN;
}

static int collect_all(struct hand_out *h, struct lk_text worker, int64_t after, int limit)
{
	expect_after(h, after);
	int rc = store_notices_after(h->t->store, worker, after, limit, collect, h, h->err);
	while (rc >= 0 && h->unfolded_n > 0 && !turn_lacks_events(h->t)) {
		rc = fold_first(h);
		begin_anew(h);
		if (rc >= 0)
			rc = store_notices_after(h->t->store, worker, after, limit, collect, h,
						 h->err);
	}
	if (rc >= 0 && h->t->bodies.failed)
		rc = lk_fail(h->err, LK_EMEMORY, "no memory to hand out notices");
	return rc;
}

/* One row a batch of catch-up, on disk before the first byte is shown. */
static int write_catch_up(struct hand_out *h, struct lk_text worker, struct lk_text session)
{
	struct ledger_row row = {
		.at = h->now,
		.worker = worker,
		.session = session,
		.from = h->t->handed[0].seq,
		.upto = h->t->handed[h->n - 1].seq,
		.level = h->level,
		.basis = h->level == LK_CONTENT ? LK_TEXT("consent in force; WIC 18961.5")
						: LK_TEXT("WIC 18961.5"),
	};
	int rc = store_begin(h->t->store, h->err);
	if (rc < 0)
		return rc;
	rc = store_ledger_add(h->t->store, &row, h->err);
	if (rc >= 0)
		return turn_commit(h->t, h->err);
	turn_undo(h->t);
	return rc;
}

static int show(const struct hand_out *h, turn_notice_visitor *visit, void *context)
{
	for (uint32_t i = 0; i < h->n; i++) {
		const struct handed *row = &h->t->handed[i];
		int rc = visit(context, row->seq, h->t->bodies.at + row->at, row->len);
		if (rc != 0)
			return rc < 0 ? rc : (int)i + 1;
	}
	return (int)h->n;
}

/* What was told live was counted when it was made. */
static void count_handed(const struct hand_out *h, bool again)
{
	const struct turn_sink *sink = &h->t->sink;

	if (sink->handed == NULL)
		return;
	for (int level = LK_REGISTRY; again && level <= LK_CONTENT; level++)
		sink->handed(sink->context, level, h->shown[level]);
	sink->handed(sink->context, -1, h->withheld);
}

int turn_mailbox(struct turn *t, struct lk_text worker, int64_t after, int limit,
		 struct lk_text session, lk_instant now, turn_notice_visitor *visit, void *context,
		 struct lk_error *err)
{
	struct hand_out h = { .t = t, .err = err, .now = now, .worker = worker };
	begin_anew(&h);
	int rc = collect_all(&h, worker, after, limit);
	if (rc >= 0 && h.level >= LK_REGISTRY && lk_text_given(session))
		rc = write_catch_up(&h, worker, session);
	if (rc >= 0)
		rc = show(&h, visit, context);
	if (rc > 0)
		count_handed(&h, lk_text_given(session));
	homes_trim(t);
	free(h.unfolded);
	return rc;
}
