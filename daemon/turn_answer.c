/* turn_answer.c - a worker has acknowledged a notice.
 *
 * In: a worker and the id of a notice. Out: the answer, on the notice's row, in the record of what was told, and as an event of
 * our own in the log. Promise: only whoever the notice was told to, and has the place still, can answer it; an answer that is
 * said again is confirmed as it was.
 */
#include "turn_parts.h"

#include <stdio.h>
#include <string.h>

struct asked {
	char worker[65], number[33], other[33];
	int agency, other_agency;
	bool has_case;
	bool is_aged; /* its mailbox has it no more */
};

static int note_asked(void *context, const struct stored_notice *row)
{
	struct asked *a = context;
	snprintf(a->worker, sizeof(a->worker), "%.*s", LK_PRINT(row->worker));
	a->has_case = lk_text_given(row->own.number);
	a->agency = row->own.agency;
	snprintf(a->number, sizeof(a->number), "%.*s", LK_PRINT(row->own.number));
	a->other_agency = row->other.agency;
	snprintf(a->other, sizeof(a->other), "%.*s", LK_PRINT(row->other.number));
	return 0;
}

/* The answer as an event of our own, so that the log alone can tell it again. */
static int log_answer(struct turn *t, const struct asked *a, const struct told *record,
		      lk_instant now, struct lk_error *err)
{
	struct lk_bytes body = { 0 };
	char notice[LK_DIGEST_HEX], id[LK_DIGEST_HEX + 24];
	int64_t position;
	lk_digest_hex(record->id, notice);
	snprintf(id, sizeof(id), "%s-%u", notice, record->rev);
	lk_put_map(&body, 3);
	lk_put_word(&body, "at");
	lk_put_time(&body, zone_time(&t->policy->zone, now));
	lk_member_word(&body, "by", a->worker);
	lk_member_word(&body, "notice", notice);
	struct stored_event row = {
		.agency = a->agency,
		.source = LK_TEXT("linkages"),
		.id = lk_text_of(id),
		.number = lk_text_of(a->number),
		.type = LK_NO_CODE,
		.time_at = now,
		.received_at = now,
		.body = body.at,
		.body_len = body.len,
	};
	int rc = body.failed ? lk_fail(err, LK_EMEMORY, "no memory for an answer")
			     : store_event_add(t->store, &row, &position, err);
	lk_bytes_free(&body);
	return rc;
}

/* For after COMMIT; also where the notice was answered before, so that an answer whose confirmation
 * was lost is confirmed when it is sent again. */
static int note_answered(struct turn *t, const struct asked *a, const uint8_t notice[LK_DIGEST],
			 lk_instant at, struct lk_error *err)
{
	struct answered *wider =
		vector_grown(t->answered, t->answered_n, &t->answered_room, sizeof(*wider));
	if (wider == NULL)
		return lk_fail(err, LK_EMEMORY, "no memory for an answer");
	t->answered = wider;
	struct answered *e = &t->answered[t->answered_n++];
	memcpy(e->worker, a->worker, sizeof(e->worker));
	memcpy(e->notice, notice, LK_DIGEST);
	e->at = at;
	return 0;
}

static int home_of_answer(struct turn *t, const struct asked *a, struct home **out,
			  struct lk_error *err)
{
	if (a->has_case)
		return home_of_case(t, (struct case_key){ a->agency, lk_text_of(a->number) }, out,
				    err);
	*out = home_get(t, feeds_id, err);
	return *out == NULL ? LK_ESTORE : 1;
}

/* The record is with the recipient's own case; or, after a link of the side's other cases was undone,
 * with the case that it speaks of. */
static int find_asked(struct turn *t, const struct asked *a, const uint8_t notice[LK_DIGEST],
		      struct home **h, const struct told **record, struct lk_error *err)
{
	struct case_key other = { a->other_agency, lk_text_of(a->other) };
	int rc = home_of_answer(t, a, h, err);
	*record = rc > 0 ? tolds_find(&(*h)->told, notice) : NULL;
	if (rc >= 0 && *record == NULL && a->other[0] != '\0') {
		rc = home_of_case(t, other, h, err);
		*record = rc > 0 ? tolds_find(&(*h)->told, notice) : NULL;
	}
	if (rc >= 0 && *record != NULL)
		return 0;
	if (rc >= 0)
		(void)lk_fail(err, LK_ENOTFOUND, "no such notice");
	return rc < 0 ? rc : LK_ENOTFOUND;
}

static int answer_in(struct turn *t, const struct asked *a, const uint8_t notice[LK_DIGEST],
		     lk_instant now, struct lk_error *err)
{
	struct home *h;
	const struct told *record;
	int rc = find_asked(t, a, notice, &h, &record, err);
	if (rc < 0)
		return rc; /* LK_ENOTFOUND: taken back as its case left the family */
	if (!lk_text_says(words_text(&h->told.words, record->worker), a->worker))
		return lk_fail(err, LK_ENOTFOUND, "the place has another holder by now");
	if (record->answered_at != LK_NO_INSTANT)
		return note_answered(t, a, notice, record->answered_at, err);
	tolds_change(&h->told, record)->answered_at = now;
	h->told.answers_stand = false;
	tally_answer(t, record);
	h->is_dirty = true;
	rc = a->has_case ? log_answer(t, a, record, now, err) : 0;
	if (rc >= 0 && !a->is_aged)
		rc = store_answer(t->store, notice, lk_text_of(a->worker), now, err);
	if (rc >= 0)
		rc = note_answered(t, a, notice, now, err);
	if (rc >= 0 && a->has_case)
		rc = home_catch_up(t, h, now, err);
	if (rc >= 0 && a->has_case)
		rc = home_settle(t, h, now, err);
	return rc < 0 ? rc : 1;
}

/* Whoever was told it may answer it, however long ago: what waits for the answer does. */
static int find_told_to(struct turn *t, struct lk_text worker, const uint8_t notice[LK_DIGEST],
			struct asked *a, struct lk_error *err)
{
	int rc = store_notice_find(t->store, worker, notice, note_asked, a, err);
	a->is_aged = rc == 0;
	return rc == 0 ? store_notice_aged(t->store, worker, notice, note_asked, a, err) : rc;
}

int turn_answer(struct turn *t, struct lk_text worker, const uint8_t notice[LK_DIGEST],
		lk_instant now, struct lk_error *err)
{
	struct asked a;
	int rc = find_told_to(t, worker, notice, &a, err);
	if (rc <= 0)
		return rc < 0 ? rc : lk_fail(err, LK_ENOTFOUND, "no such notice of this worker");
	rc = store_begin(t->store, err);
	if (rc < 0)
		return rc;
	time_advance(t, now);
	int stored = answer_in(t, &a, notice, t->now, err);
	if (stored < 0) {
		turn_undo(t);
		return stored;
	}
	rc = turn_commit(t, err);
	return rc < 0 ? rc : stored;
}
