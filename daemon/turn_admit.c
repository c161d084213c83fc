/* turn_admit.c - one event: who said it, is it known, what is it, whom does it touch.
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
	lk_instant now;
	struct turn_verdict *verdict;
	struct lk_error *err;
	struct lk_bytes rewritten; /* the canonical form, where it came in another */
	struct lk_span canonical;
	struct lk_event event;
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

/* Of such a case, or of a link to one. */
static bool names_expunged(const struct admission *a)
{
	const struct lk_event *e = &a->event;
	const struct lk_other *other = &e->link_confirmed.other;
	return store_is_expunged(a->t->store, (struct case_key){ (int)e->agency, e->subject }) ||
	       (is_link((int)e->type) &&
		store_is_expunged(a->t->store, (struct case_key){ other->agency, other->number }));
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
	if (a->event.is_canonical)
		return 0;
	if (lk_wire_canonical(in->bytes, in->len, &a->rewritten) < 0)
		return LK_EMEMORY;
	a->canonical = lk_span_of(a->rewritten.at, a->rewritten.len);
	return 0;
}

static int read_event(struct admission *a)
{
	const struct turn_event *in = a->in;
	struct lk_refused *why = &a->verdict->refused;
	memset(why, 0, sizeof(*why));
	if (lk_event_decode(in->bytes, in->len, turn_agency_of, a->t, &a->event, why) < 0) {
		a->verdict->outcome = TURN_REFUSED;
		if (!names_expunged_badly(a))
			return digest_refused(a);
		forget_expunged(a);
		return LK_EREFUSED;
	}
	if (canonical_form(a) < 0)
		return lk_fail(a->err, LK_EMEMORY, "no memory for an event");
	if (names_expunged(a))
		return refuse_expunged(a);
	if (lk_text_given(in->source) && !lk_text_is(in->source, a->event.source))
		return refuse(a, LK_FORBIDDEN, "source",
			      "not a source that this sender may speak for");
	if (a->event.time.at - a->now > AHEAD_DAYS * 24 * LK_HOUR)
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
	int rc =
		store_event_find(a->t->store, a->event.source, a->event.id, note_known, &k, a->err);
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

/* ---- Effects --------------------------------------------------------------------------------- */

#define TOUCHED_MAX 6

struct touched {
	struct case_key at[TOUCHED_MAX];
	size_t n;
	char numbers[TOUCHED_MAX][33];
};

static void touch(struct touched *all, int agency, struct lk_text number)
{
	for (size_t i = 0; i < all->n; i++)
		if (all->at[i].agency == agency && lk_text_is(all->at[i].number, number))
			return;
	size_t len = number.len < 32 ? number.len : 32;
	memcpy(all->numbers[all->n], number.at, len);
	all->at[all->n] = (struct case_key){ agency, { all->numbers[all->n], (uint32_t)len } };
	all->n++;
}

struct superseded {
	struct turn *t;
	struct touched *touched;
	struct lk_error *err;
	bool was_link, was_opening;
	struct case_key pair[2]; /* its case, and a link's other one; points into touched */
};

static struct case_key touched_as(const struct touched *all, int agency, struct lk_text number)
{
	for (size_t i = 0; i < all->n; i++)
		if (all->at[i].agency == agency && lk_text_is(all->at[i].number, number))
			return all->at[i];
	return (struct case_key){ agency, LK_NO_TEXT };
}

static int touch_superseded(void *context, const struct stored_event *row)
{
	struct superseded *s = context;
	struct lk_event old;
	struct lk_refused why;
	touch(s->touched, row->agency, row->number);
	s->pair[0] = touched_as(s->touched, row->agency, row->number);
	s->was_link = is_link(row->type);
	s->was_opening = row->type == LK_CASE_OPENED;
	if (!s->was_link ||
	    lk_event_decode(row->body, row->body_len, turn_agency_of, s->t, &old, &why) < 0)
		return 0;
	const struct lk_other *other = &old.link_confirmed.other;
	touch(s->touched, other->agency, other->number);
	s->pair[1] = touched_as(s->touched, other->agency, other->number);
	return 0;
}

static bool has_tokens(const struct lk_event *e)
{
	if (e->type != LK_CASE_OPENED)
		return false;
	for (uint32_t i = 0; i < e->case_opened.members.n; i++)
		for (int kind = 0; kind < lk_key_kind_count; kind++)
			if (lk_text_given(e->case_opened.members.at[i].key[kind]))
				return true;
	return false;
}

/* The opening may be said anew of another case, by the same tokens: the families that settle have heard of that case. */
static int undo_opening(struct turn *t, const struct lk_event *e, struct case_key old,
			lk_instant at, struct lk_error *err)
{
	struct case_key key = { (int)e->agency, e->subject };
	bool is_other = key.agency != old.agency || !lk_text_is(key.number, old.number);
	int rc = is_other && has_tokens(e) ? gather_tokens(t, key, err) : 0;
	return rc < 0 ? rc : gather_opening_undone(t, old, at, err);
}

/* What an event takes back is out from now on, also where the event's own time lies ahead. */
static int take_back(struct turn *t, const struct lk_event *e, struct touched *touched,
		     lk_instant at, struct lk_error *err)
{
	struct superseded s = { .t = t, .touched = touched, .err = err };
	int rc = store_event_find(t->store, e->source, e->supersedes, touch_superseded, &s, err);
	if (rc <= 0)
		return rc;
	if (s.was_link)
		rc = gather_pair(t, s.pair[0], s.pair[1], err);
	else if (s.was_opening)
		rc = undo_opening(t, e, s.pair[0], at, err);
	return rc < 0 ? rc : 1;
}

static struct fold_key key_of(const struct lk_event *e, const struct stored_event *row)
{
	return (struct fold_key){
		.at = e->time.at,
		.time_at = e->time.at,
		.source = e->source,
		.sequence = e->has_sequence ? e->sequence : INT64_MAX,
		.place = row->has_outbox_seq ? row->outbox_seq : INT64_MAX,
		.id = e->id,
	};
}

static bool is_opened(const struct family *f, const struct lk_event *e)
{
	uint32_t kase = family_case(f, (int)e->agency, e->subject);
	return kase != NONE && f->cases[kase].first_opened_at != LK_NO_INSTANT &&
	       f->cases[kase].first_opened_at <= e->time.at;
}

/* Whatever is said of a case waits for its opening, and changes nothing until then. */
static bool is_waiting(const struct family *f, const struct lk_event *e)
{
	uint32_t kase = family_case(f, (int)e->agency, e->subject);
	return e->type != LK_CASE_OPENED &&
	       (kase == NONE || f->cases[kase].first_opened_at == LK_NO_INSTANT);
}

/* What another family's crossover.possible looks at: is the case open, and who works on it. */
static bool shows_abroad(int type)
{
	return type == LK_CASE_OPENED || type == LK_CASE_CLOSED || type == LK_WORKER_ASSIGNED ||
	       type == LK_WORKER_UNASSIGNED;
}

static bool is_meeting(int type)
{
	return type >= LK_MEETING_SCHEDULED && type <= LK_MEETING_CANCELLED;
}

/* Onto the state at hand, where the event comes in order and touches one family: nearly always. */
static int fold_onto(struct turn *t, struct home *h, const struct lk_event *e,
		     const struct fold_key *key, lk_instant at, struct lk_error *err)
{
	fold_event(&h->f, t->policy, e, key);
	h->fresh = h->f.causes_n - 1;
	int rc = h->f.failed ? lk_fail(err, LK_EMEMORY, "no memory to fold an event")
			     : home_settle(t, h, at, err);
	h->fresh = NONE;
	if (rc >= 0 && is_meeting((int)e->type))
		rc = settle_neighbours(t, h, at, err);
	return rc >= 0 && shows_abroad((int)e->type) ? settle_lookalikes(t, h, at, err) : rc;
}

/* A case's own family, made where the case is new. */
static int open_home(struct turn *t, struct case_key key, struct home **out, struct lk_error *err)
{
	uint8_t id[LK_DIGEST];
	int rc = home_of_case(t, key, out, err);
	if (rc != 0)
		return rc;
	home_id(&key, id);
	*out = home_get(t, id, err);
	return *out == NULL ? LK_ESTORE : store_case_join(t->store, key, id, err);
}

static int find_link(struct turn *t, const struct lk_event *e, struct lk_error *err)
{
	const struct lk_other *other = &e->link_confirmed.other;
	struct case_key own = { (int)e->agency, e->subject };
	return gather_pair(t, own, (struct case_key){ other->agency, other->number }, err);
}

static int effect_of_link(struct turn *t, const struct lk_event *e, struct touched *touched,
			  lk_instant at, struct lk_error *err)
{
	touch(touched, (int)e->agency, e->subject);
	/* The other case comes along where it belongs to the family now, or did before. */
	touch(touched, e->link_confirmed.other.agency, e->link_confirmed.other.number);
	return gather(t, touched->at, touched->n, at, err);
}

/* 1: an event that came before has taken it back; 0; negative. What is at hand of the log goes with it. */
static int is_superseded(struct turn *t, const struct lk_event *e, const struct stored_event *row,
			 struct lk_error *err)
{
	int out = store_is_superseded(t->store, e->source, e->id, err);
	if (lk_text_given(e->supersedes))
		hand_drop(t);
	else if (out == 0)
		hand_note(t, row);
	return out;
}

static int effect(struct turn *t, const struct lk_event *e, const struct stored_event *row,
		  bool is_known_case, lk_instant at, struct lk_error *err)
{
	struct touched touched = { .n = 0 };
	struct home *h = NULL;
	int out = is_superseded(t, e, row, err);
	if (out < 0)
		return out;
	bool links = !out && !row->ahead && is_link((int)e->type);
	/* Before anything is taken back, which may settle families: they have heard of the link by then. */
	int rc = links ? find_link(t, e, err) : 0;
	if (rc < 0)
		return rc;
	int taken = lk_text_given(e->supersedes) ? take_back(t, e, &touched, at, err) : 0;
	if (taken < 0)
		return taken;
	if (links)
		return effect_of_link(t, e, &touched, at, err);
	struct case_key key = { (int)e->agency, e->subject };
	int pairs = has_tokens(e) && !row->ahead ? gather_tokens(t, key, err) : 0;
	rc = pairs < 0 ? pairs : open_home(t, key, &h, err);
	if (rc >= 0 && has_tokens(e))
		h->is_tokenless = false;
	/* What the event's own instant brings due is told with it, not before it. */
	if (rc >= 0)
		rc = home_catch_up(t, h, e->time.at == at ? at - 1 : at, err);
	if (rc < 0)
		return rc;
	struct fold_key place = key_of(e, row);
	bool counts = !out && !row->ahead;
	bool is_simple = !taken && pairs == 0 && !h->is_stale && fold_in_order(&h->f, &place);
	if (counts && is_simple &&
	    (is_opened(&h->f, e) || (e->type == LK_CASE_OPENED && !is_known_case)))
		return fold_onto(t, h, e, &place, at, err);
	if (counts && !taken && !h->is_stale && is_waiting(&h->f, e))
		return home_settle(t, h, at, err);
	if (counts)
		touch(&touched, key.agency, key.number);
	return touched.n > 0 ? gather(t, touched.at, touched.n, at, err) : 0;
}

int admit_effect(struct turn *t, const struct lk_event *e, const struct stored_event *row,
		 bool is_known_case, lk_instant at, struct lk_error *err)
{
	t->said_at = e->time.at;
	int rc = effect(t, e, row, is_known_case, at, err);
	t->said_at = LK_NO_INSTANT;
	return rc;
}

/* ---- Places learnt later ---------------------------------------------------------------------- */

static bool is_cause(const struct family *f, const struct cause *c, const struct lk_event *e)
{
	return family_says(f, c->id, e->id) && family_says(f, c->source, e->source);
}

/* Was another event of the source folded for that instant? Only then does the place decide. */
static bool has_twin(const struct family *f, const struct lk_event *e)
{
	const struct cause *own = NULL;
	for (uint32_t i = 0; own == NULL && i < f->causes_n; i++)
		own = is_cause(f, &f->causes[i], e) ? &f->causes[i] : NULL;
	for (uint32_t i = 0; own != NULL && i < f->causes_n; i++)
		if (&f->causes[i] != own && f->causes[i].at == own->at &&
		    family_says(f, f->causes[i].source, e->source))
			return true;
	return false;
}

/* The family as it is when every fold knows the place. */
static int order_anew(struct admission *a, struct home *h, struct case_key key)
{
	struct touched touched = { .n = 0 };
	int rc;
	if (is_link((int)a->event.type)) {
		rc = find_link(a->t, &a->event, a->err);
		return rc < 0 ? rc : effect_of_link(a->t, &a->event, &touched, a->now, a->err);
	}
	rc = home_catch_up(a->t, h, a->now, a->err);
	touch(&touched, key.agency, key.number);
	return rc < 0 ? rc : gather(a->t, touched.at, touched.n, a->now, a->err);
}

static void note_place(struct home *h, const struct lk_event *e, int64_t place)
{
	bool is_last = family_says(&h->f, h->f.last_id, e->id) &&
		       family_says(&h->f, h->f.last_source, e->source);
	if (!is_last)
		return;
	h->f.last_place = place;
	h->is_dirty = true;
}

static int order_learnt(struct admission *a)
{
	struct case_key key = { (int)a->event.agency, a->event.subject };
	struct home *h;
	int rc = home_of_case(a->t, key, &h, a->err);
	hand_drop(a->t); /* it was read without the place */
	if (rc <= 0 || h->is_stale)
		return rc < 0 ? rc : 0;
	if (a->event.has_sequence || !has_twin(&h->f, &a->event)) {
		note_place(h, &a->event, a->in->seq);
		return 0;
	}
	a->t->said_at = a->event.time.at;
	rc = order_anew(a, h, key);
	a->t->said_at = LK_NO_INSTANT;
	return rc;
}

/* ---- Keeping --------------------------------------------------------------------------------- */

static struct stored_event row_of(const struct admission *a)
{
	const struct lk_event *e = &a->event;
	struct stored_event row = {
		.agency = (int)e->agency,
		.source = e->source,
		.id = e->id,
		.number = e->subject,
		.supersedes = e->supersedes,
		.type = (int)e->type,
		.time_at = e->time.at,
		.received_at = a->now,
		.has_sequence = e->has_sequence,
		.sequence = e->sequence,
		.has_outbox_seq = a->in->has_outbox_seq,
		.outbox_seq = a->in->seq,
		.ahead = e->time.at > a->now,
		.body = a->canonical.at,
		.body_len = a->canonical.len,
	};
	memcpy(row.epoch, a->in->epoch, LK_DIGEST);
	return row;
}

static int keep_event(struct admission *a)
{
	struct stored_event row = row_of(a);
	uint8_t family[LK_DIGEST];
	struct case_key key = { row.agency, row.number };
	int known = store_case_family(a->t->store, key, family, a->err);
	if (known < 0)
		return known;
	int rc = store_event_add(a->t->store, &row, &row.position, a->err);
	if (rc <= 0)
		return rc < 0 ? rc : look_up(a);
	a->verdict->outcome = TURN_APPLIED;
	return admit_effect(a->t, &a->event, &row, known > 0, a->now, a->err);
}

static int admit_new(struct admission *a, bool is_read)
{
	int rc = is_read ? keep_event(a) : LK_EREFUSED;
	if (rc == LK_EREFUSED)
		rc = keep_letter(a, a->in->has_outbox_seq);
	if (rc >= 0 && a->in->has_outbox_seq)
		a->t->stream.next = a->in->seq + 1;
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
		a->t->stream.next = a->in->seq + 1;
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

int admit(struct turn *t, const struct turn_event *in, lk_instant now, struct turn_verdict *verdict,
	  struct lk_error *err)
{
	struct admission a = { .t = t, .in = in, .now = now, .verdict = verdict, .err = err };
	int rc = read_event(&a);
	if (rc == 0 || rc == LK_EREFUSED) {
		if (rc == 0)
			turn_heard(t, a.event.source, now);
		rc = admit_placed(&a, rc == 0);
	}
	if (rc >= 0 && a.has_learnt)
		rc = order_learnt(&a);
	lk_bytes_free(&a.rewritten);
	return rc;
}
