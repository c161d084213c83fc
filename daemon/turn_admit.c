/* turn_admit.c - one event: who said it, is it known, what is it; whom it touches is turn_effect.c.
 *
 * In: bytes as they came, from a sender that may speak for one source. Out: a row in the log or a
 * dead letter, a verdict, and the touched families settled.
 * Promise: idempotent by (source, id) and by (source, epoch, seq); what makes no sense is kept,
 * named and acknowledged.
 */
#include "turn_parts.h"

#include <stdlib.h>
#include <string.h>

#define AHEAD_DAYS 400 /* protocol.md, "Time": further ahead is a mistake, not a plan */

struct admission {
	struct turn *t;
	const struct turn_event *in;
	const struct event_reading *reading;
	const struct lk_event *event; /* of it */
	lk_instant now;
	struct turn_verdict *verdict;
	struct lk_error *err;
	struct lk_bytes rewritten; /* the canonical form, where it came in another */
	struct lk_span canonical;
	uint8_t digest[LK_DIGEST]; /* of what it says: digest_of() */
	bool has_digest;
	bool has_learnt;  /* a place in an outbox, of an event that the feed had brought */
	bool is_expunged; /* it names a case that nothing may be kept of */
};

static int refuse(struct admission *a, enum lk_refusal reason, const char *field,
		  const char *detail)
{
	struct lk_refused *r = &a->verdict->refused;
	a->verdict->outcome = TURN_REFUSED;
	memset(r, 0, sizeof(*r));
	r->reason = reason;
	strncpy(r->field, field, sizeof(r->field) - 1);
	strncpy(r->detail, detail, sizeof(r->detail) - 1);
	return LK_EREFUSED;
}

/* ---- Streams --------------------------------------------------------------------------------- */

int stream_flush(struct turn *t, struct lk_error *err)
{
	if (!lk_text_given(t->stream.source))
		return 0;
	t->stream.source = lk_text_of(t->stream_source);
	int rc = store_stream_put(t->store, &t->stream, err);
	t->stream.source = LK_NO_TEXT;
	return rc;
}

static int stream_open(struct turn *t, struct lk_text source, const uint8_t epoch[LK_DIGEST],
		       struct lk_error *err)
{
	bool is_open = lk_text_given(t->stream.source) && lk_text_says(source, t->stream_source) &&
		       memcmp(t->stream.epoch, epoch, LK_DIGEST) == 0;
	if (is_open)
		return 0;
	int rc = stream_flush(t, err);
	if (rc < 0)
		return rc;
	rc = store_stream_get(t->store, source, epoch, &t->stream, err);
	if (rc < 0)
		return rc;
	if (rc == 0) {
		t->stream = (struct stored_stream){ .next = 1 };
		memcpy(t->stream.epoch, epoch, LK_DIGEST);
	}
	size_t len = source.len < sizeof(t->stream_source) - 1 ? source.len
							       : sizeof(t->stream_source) - 1;
	memcpy(t->stream_source, source.at, len);
	t->stream_source[len] = '\0';
	t->stream.source = lk_text_of(t->stream_source);
	return 0;
}

/* ---- Reading --------------------------------------------------------------------------------- */

/* Content is compared as values: bytes that are no value are compared as bytes. */
static int digest_refused(struct admission *a)
{
	int rc = lk_wire_digest(a->in->bytes, a->in->len, a->digest);
	if (rc == LK_EMEMORY)
		return lk_fail(a->err, rc, "no memory for an event");
	if (rc < 0)
		lk_digest(a->in->bytes, a->in->len, NULL, a->digest);
	a->has_digest = true;
	return LK_EREFUSED;
}

/* Asked for only where something is known already, or refused. */
static const uint8_t *digest_of(struct admission *a)
{
	if (!a->has_digest)
		lk_digest(a->canonical.at, a->canonical.len, NULL, a->digest);
	a->has_digest = true;
	return a->digest;
}

/* Its place in the outbox is kept, and nothing of what it says, not even a digest. */
static void forget_expunged(struct admission *a)
{
	a->is_expunged = true;
	a->has_digest = true;
	memset(a->digest, 0, LK_DIGEST);
}

static int refuse_expunged(struct admission *a)
{
	forget_expunged(a);
	return refuse(a, LK_FORBIDDEN, "subject", "this case was expunged on order");
}

/* What makes no sense may name such a case all the same. */
static bool names_expunged_badly(const struct admission *a)
{
	struct lk_span event = lk_span_of(a->in->bytes, a->in->len);
	if (lk_wire_scan(event.at, event.len, &lk_event_limits, NULL) < 0)
		return false;
	int agency = turn_agency_of(a->t, lk_as_text(lk_get(event, "source")));
	struct lk_text number = lk_as_text(lk_get(event, "subject"));
	return agency >= 0 && store_is_expunged(a->t->store, (struct case_key){ agency, number });
}

/* Which it is in already, mostly. */
static int canonical_form(struct admission *a)
{
	const struct turn_event *in = a->in;
	a->canonical = lk_span_of(in->bytes, in->len);
	if (a->event->is_canonical)
		return 0;
	if (lk_wire_canonical(in->bytes, in->len, &a->rewritten) < 0)
		return LK_EMEMORY;
	a->canonical = lk_span_of(a->rewritten.at, a->rewritten.len);
	return 0;
}

static int read_event(struct admission *a)
{
	const struct turn_event *in = a->in;
	if (!a->reading->is_read) {
		a->verdict->refused = a->reading->refused;
		a->verdict->outcome = TURN_REFUSED;
		if (!names_expunged_badly(a))
			return digest_refused(a);
		forget_expunged(a);
		return LK_EREFUSED;
	}
	if (canonical_form(a) < 0)
		return lk_fail(a->err, LK_EMEMORY, "no memory for an event");
	if (names_expunged(a->t, a->event))
		return refuse_expunged(a);
	if (lk_text_given(in->source) && !lk_text_is(in->source, a->event->source))
		return refuse(a, LK_FORBIDDEN, "source",
			      "not a source that this sender may speak for");
	if (a->event->time.at - a->now > AHEAD_DAYS * 24 * LK_HOUR)
		return refuse(a, LK_BAD_VALUE, "time", "more than 400 days ahead");
	return 0;
}

/* ---- Known events ---------------------------------------------------------------------------- */

struct known {
	int64_t position;
	bool has_place;
	uint8_t digest[LK_DIGEST];
};

static int note_known(void *context, const struct stored_event *row)
{
	struct known *k = context;
	k->position = row->position;
	k->has_place = row->has_outbox_seq;
	lk_digest(row->body, row->body_len, NULL, k->digest);
	return 0;
}

/* 1: known, and the verdict says so; 0: new. */
static int look_up(struct admission *a)
{
	struct known k;
	int rc = store_event_find(a->t->store, a->event->source, a->event->id, note_known, &k,
				  a->err);
	if (rc <= 0)
		return rc;
	if (memcmp(k.digest, digest_of(a), LK_DIGEST) != 0)
		return refuse(a, LK_CONFLICT, "id", "a known id with other content");
	a->verdict->outcome = TURN_REPEATED;
	a->has_learnt = a->in->has_outbox_seq && !k.has_place;
	if (a->has_learnt)
		rc = store_event_place(a->t->store, k.position, a->in->epoch, a->in->seq, a->err);
	return rc < 0 ? rc : 1;
}

/* ---- Dead letters ----------------------------------------------------------------------------- */

static int keep_letter(struct admission *a, bool has_place)
{
	const struct lk_refused *r = &a->verdict->refused;
	struct dead_letter letter = {
		.source = a->in->source,
		.has_seq = has_place,
		.seq = a->in->seq,
		.received_at = a->now,
		.reason = r->reason,
		.field = lk_text_of(r->field),
		.detail = lk_text_of(r->detail),
		.body = a->in->bytes,
		.body_len = a->is_expunged ? 0 : a->in->len,
	};
	memcpy(letter.epoch, a->in->epoch, LK_DIGEST);
	memcpy(letter.digest, digest_of(a), LK_DIGEST);
	return store_dead_letter_add(a->t->store, &letter, a->err);
}

/* ---- Known places ----------------------------------------------------------------------------- */

static int refuse_other(struct admission *a)
{
	return refuse(a, LK_CONFLICT, "seq", "this place in the outbox held other content before");
}

/* A place that was passed over: its event was known by its id from elsewhere, and that must be the event; or an outbox
 * had forgotten it, and what comes now is not what was settled. */
static int answer_elsewhere(struct admission *a, bool is_read)
{
	int rc = is_read ? look_up(a) : 0;
	return rc == 0 ? refuse_other(a) : rc > 0 ? 0 : rc;
}

/* A place whose event was struck out, or had never one: from now on it says what became of it. */
static int answer_expunged(struct admission *a)
{
	a->verdict->outcome = TURN_REFUSED;
	return keep_letter(a, true);
}

/* A letter that was struck out does not say any more what it held. */
static bool is_as_it_was(struct admission *a, const struct stream_verdict *was, bool is_read)
{
	static const uint8_t struck[LK_DIGEST];
	bool unknown = was->was_refused && memcmp(was->digest, struck, LK_DIGEST) == 0;
	return memcmp(was->digest, digest_of(a), LK_DIGEST) == 0 || (unknown && !is_read);
}

/* A seq of which a verdict is kept: the verdict of then, unless the content is another. 1: answered; 0: none is kept. */
static int answer_again(struct admission *a, bool is_read)
{
	struct stream_verdict was;
	int rc = store_stream_verdict(a->t->store, a->in->source, a->in->epoch, a->in->seq, &was,
				      a->err);
	if (rc <= 0)
		return rc;
	a->verdict->outcome = TURN_REPEATED;
	if (!is_as_it_was(a, &was, is_read))
		return refuse_other(a);
	if (was.was_refused) {
		a->verdict->outcome = TURN_REFUSED;
		a->verdict->refused = was.refused;
	}
	return 1;
}

/* A seq that was stored before. */
static int answer_stored(struct admission *a, bool is_read)
{
	int rc = answer_again(a, is_read);
	if (rc != 0)
		return rc;
	if (a->is_expunged)
		return answer_expunged(a);
	a->verdict->outcome = TURN_REPEATED;
	return answer_elsewhere(a, is_read);
}

/* ---- Keeping --------------------------------------------------------------------------------- */

static int keep_event(struct admission *a)
{
	struct stored_event row = reading_row(a->in, a->event, a->canonical, a->now);
	row.packed = a->reading->is_packed ? &a->reading->packed : NULL;
	uint8_t family[LK_DIGEST];
	struct case_key key = { row.agency, row.number };
	int known = store_case_family(a->t->store, key, family, a->err);
	if (known < 0)
		return known;
	if (known > 0)
		home_expect(a->t, family);
	int rc = store_event_add(a->t->store, &row, &row.position, a->err);
	if (rc <= 0)
		return rc < 0 ? rc : look_up(a);
	a->verdict->outcome = TURN_APPLIED;
	bool is_back = row.has_outbox_seq && row.outbox_seq <= a->t->stream.asked;
	return (is_back ? effect_of_return : effect_settle)(a->t, a->event, &row, known > 0, a->now,
							    a->err);
}

/* Its place is settled. An outbox that was asked again may have said all of it with this one. */
static void go_on(struct admission *a)
{
	struct stored_stream *stream = &a->t->stream;
	stream->next = a->in->seq + 1;
	if (a->in->seq <= stream->asked)
		waiting_sent_again(a->t, a->in->seq == stream->asked);
}

static int admit_new(struct admission *a, bool is_read)
{
	int rc = is_read ? keep_event(a) : LK_EREFUSED;
	if (rc == LK_EREFUSED)
		rc = keep_letter(a, a->in->has_outbox_seq);
	if (rc >= 0 && a->in->has_outbox_seq)
		go_on(a);
	return rc;
}

/* The next of its stream. After a rebuild outboxes are asked again for what may still be there. */
static int admit_next(struct admission *a, bool is_read)
{
	int rc = a->in->seq <= a->t->stream.known ? answer_again(a, is_read) : 0;
	if (rc == 0)
		return admit_new(a, is_read);
	if (rc == LK_EREFUSED)
		rc = keep_letter(a, false);
	if (rc >= 0)
		go_on(a);
	return rc;
}

static int admit_placed(struct admission *a, bool is_read)
{
	if (!a->in->has_outbox_seq)
		return admit_new(a, is_read);
	int rc = stream_open(a->t, a->in->source, a->in->epoch, a->err);
	if (rc < 0)
		return rc;
	if (a->in->seq > a->t->stream.next)
		return lk_fail(a->err, LK_ESTATE, "seq %lld came before %lld",
			       (long long)a->in->seq, (long long)a->t->stream.next);
	if (a->in->seq == a->t->stream.next)
		return admit_next(a, is_read);
	rc = answer_stored(a, is_read);
	return rc == LK_EREFUSED ? keep_letter(a, false) : rc;
}

int admit(struct turn *t, const struct turn_event *in, const struct event_reading *reading,
	  lk_instant now, struct turn_verdict *verdict, struct lk_error *err)
{
	struct admission a = { .t = t,
			       .in = in,
			       .reading = reading,
			       .event = &reading->event,
			       .now = now,
			       .verdict = verdict,
			       .err = err };
	int rc = read_event(&a);
	if (rc == 0 || rc == LK_EREFUSED) {
		if (rc == 0)
			turn_heard(t, a.event->source, now);
		rc = admit_placed(&a, rc == 0);
	}
	if (rc >= 0 && a.has_learnt)
		rc = effect_of_place(t, a.event, in->seq, now, err);
	if (rc >= 0)
		source_comes_to(t, in->source, in->number);
	lk_bytes_free(&a.rewritten);
	return rc;
}
