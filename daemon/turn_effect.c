/* turn_effect.c - what an event of the log changes: its own family, and those that what it takes back, its link or its
 * tokens touch.
 *
 * In: an event whose time has come, in the log already. Out: families folded and settled. Promise: onto the state at hand
 * where it comes in order and touches nothing else, nearly always; else as if every event had come at its time.
 */
#include "turn_parts.h"

#include <string.h>

/* ---- Whom it touches --------------------------------------------------------------------------- */

#define TOUCHED_MAX 6

struct touched {
	struct case_key at[TOUCHED_MAX];
	size_t n;
	char numbers[TOUCHED_MAX][33];
};

/* The key as it is kept. */
static struct case_key touch(struct touched *all, struct case_key key)
{
	for (size_t i = 0; i < all->n; i++)
		if (case_is(all->at[i], key))
			return all->at[i];
	size_t len = key.number.len < 32 ? key.number.len : 32;
	memcpy(all->numbers[all->n], key.number.at, len);
	key.number = (struct lk_text){ all->numbers[all->n], (uint32_t)len };
	return all->at[all->n++] = key;
}

struct superseded {
	struct turn *t;
	struct touched *touched;
	struct lk_error *err;
	bool was_link, was_opening;
	struct case_key pair[2]; /* its case, and a link's other one; points into touched */
};

static int touch_superseded(void *context, const struct stored_event *row)
{
	struct superseded *s = context;
	struct lk_event old;
	struct lk_refused why;
	s->pair[0] = touch(s->touched, (struct case_key){ row->agency, row->number });
	s->was_link = is_link(row->type);
	s->was_opening = row->type == LK_CASE_OPENED;
	if (!s->was_link ||
	    lk_event_decode(row->body, row->body_len, turn_agency_of, s->t, &old, &why) < 0)
		return 0;
	s->pair[1] = touch(s->touched, other_of(&old));
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

/* The opening may be said anew of another case, whose tokens or words link it: the families that settle have heard of that. */
static int undo_opening(struct turn *t, const struct lk_event *e, struct case_key old,
			lk_instant at, struct lk_error *err)
{
	struct case_key key = { (int)e->agency, e->subject };
	bool opens = e->type == LK_CASE_OPENED && !case_is(key, old);
	int rc = opens ? links_settle_case(t, key, err) : 0;
	return rc < 0 ? rc : links_undo_opening(t, old, at, err);
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
		rc = links_settle_pair(t, s.pair[0], s.pair[1], err);
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

static int find_link(struct turn *t, const struct lk_event *e, struct lk_error *err)
{
	struct case_key own = { (int)e->agency, e->subject };
	return links_settle_pair(t, own, other_of(e), err);
}

/* 1: it changes neither link nor family before its case opens, as whatever else is said of that (a no of the pair is not
 * asked for: it undoes what was said before it). Else each of many such words would read all those before it. A family that is
 * behind is not asked: its state may lack an opening that the log has. */
static int is_waiting_yes(struct turn *t, const struct lk_event *e, struct lk_error *err)
{
	struct home *h;
	int rc = e->type == LK_LINK_CONFIRMED && !links_are_behind(t)
			 ? home_at_hand(t, (struct case_key){ (int)e->agency, e->subject }, &h, err)
			 : 0;
	bool is_behind = rc > 0 && (h->is_stale || memcmp(h->policy, t->revision, LK_DIGEST) != 0);
	return rc <= 0 ? rc : !is_behind && is_waiting(&h->f, e);
}

static int effect_of_link(struct turn *t, const struct lk_event *e, struct touched *touched,
			  lk_instant at, struct lk_error *err)
{
	(void)touch(touched, (struct case_key){ (int)e->agency, e->subject });
	/* The other case comes along where it belongs to the family now, or did before. */
	(void)touch(touched, other_of(e));
	return refold_when_whole(t, touched->at, touched->n, at, err);
}

/* ---- What it changes --------------------------------------------------------------------------- */

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

/* An event, and what is known of it by now. */
struct effect {
	struct turn *t;
	const struct lk_event *e;
	const struct stored_event *row;
	bool is_known_case;
	bool counts; /* nothing has taken it back, and its time has come */
	bool takes;  /* another event back */
	lk_instant at;
	struct lk_error *err;
};

/* The case's family as it was until then: what the event's own instant brings due is told with it, not before it. A case of
 * which nothing counts yet has none. */
static int home_before(const struct effect *x, struct case_key key, struct home **out)
{
	int rc = x->counts ? home_open(x->t, key, out, x->err)
			   : home_at_hand(x->t, key, out, x->err);
	if (rc < 0 || *out == NULL)
		return rc;
	if (has_tokens(x->e))
		(*out)->is_tokenless = false;
	return home_catch_up(x->t, *out, x->e->time.at == x->at ? x->at - 1 : x->at, x->err);
}

/* May it be folded onto what is at hand: it comes in order, and its case is open or opens with it? */
static bool goes_on(const struct effect *x, const struct home *h, const struct fold_key *place)
{
	return fold_in_order(&h->f, place) &&
	       (is_opened(&h->f, x->e) || (x->e->type == LK_CASE_OPENED && !x->is_known_case));
}

static int effect_on_case(const struct effect *x, struct touched *touched)
{
	struct case_key key = { (int)x->e->agency, x->e->subject };
	struct fold_key place = key_of(x->e, x->row);
	struct home *h = NULL;
	bool links = has_tokens(x->e) || (x->e->type == LK_CASE_OPENED && x->is_known_case);
	int pairs = links && !x->row->ahead ? links_settle_case(x->t, key, x->err) : 0;
	int rc = pairs < 0 ? pairs : home_before(x, key, &h);
	if (rc < 0)
		return rc;
	bool is_alone = x->counts && !x->takes && !h->is_stale &&
			!links_are_behind(x->t); /* nothing before it is otherwise */
	if (is_alone && pairs == 0 && goes_on(x, h, &place))
		return fold_onto(x->t, h, x->e, &place, x->at, x->err);
	if (is_alone && is_waiting(&h->f, x->e))
		return home_settle(x->t, h, x->at, x->err);
	if (x->counts)
		(void)touch(touched, key);
	return touched->n > 0 ? refold_when_whole(x->t, touched->at, touched->n, x->at, x->err) : 0;
}

static int effect(struct turn *t, const struct lk_event *e, const struct stored_event *row,
		  bool is_known_case, lk_instant at, struct lk_error *err)
{
	struct touched touched = { .n = 0 };
	int out = is_superseded(t, e, row, err);
	if (out < 0)
		return out;
	bool counts = !out && !row->ahead;
	int waits = counts ? is_waiting_yes(t, e, err) : 0;
	if (waits < 0)
		return waits;
	bool links = counts && is_link((int)e->type) && !waits;
	/* Before anything is taken back, which may settle families: they have heard of the link by then. */
	int rc = links ? find_link(t, e, err) : 0;
	if (rc < 0)
		return rc;
	int taken = lk_text_given(e->supersedes) ? take_back(t, e, &touched, at, err) : 0;
	if (taken < 0)
		return taken;
	if (links)
		return effect_of_link(t, e, &touched, at, err);
	const struct effect x = { t, e, row, is_known_case, counts, taken > 0, at, err };
	return effect_on_case(&x, &touched);
}

int effect_settle(struct turn *t, const struct lk_event *e, const struct stored_event *row,
		  bool is_known_case, lk_instant at, struct lk_error *err)
{
	t->said_at = e->time.at;
	int rc = effect(t, e, row, is_known_case, at, err);
	t->said_at = LK_NO_INSTANT;
	return rc;
}

/* ---- Events that come back -------------------------------------------------------------------- */

/* 1: what it says beyond its family, of a pair or in tokens, is in the tables still; 0; negative. */
static int is_kept_abroad(struct turn *t, const struct lk_event *e, struct lk_error *err)
{
	struct case_key own = { (int)e->agency, e->subject };
	lk_instant since;
	if (is_link((int)e->type))
		return store_link_between(t->store, own, other_of(e), &since, err);
	return has_tokens(e) ? store_has_tokens(t->store, own, err) : 1;
}

/* Whatever was found meanwhile, of others too, it takes back; and what it does not add, nobody is told too early. */
static bool takes_away(const struct lk_event *e)
{
	return lk_text_given(e->supersedes) || e->type == LK_LINK_REFUSED ||
	       e->type == LK_LINK_REMOVED;
}

int effect_of_return(struct turn *t, const struct lk_event *e, const struct stored_event *row,
		     bool is_known_case, lk_instant at, struct lk_error *err)
{
	const struct case_key key = { (int)e->agency, e->subject };
	struct home *h;
	int rc = home_of_case(t, key, &h, err);
	if (rc > 0)
		rc = takes_away(e) ? 0 : is_kept_abroad(t, e, err);
	waiting_came_back(t);
	if (rc <= 0)
		return rc < 0 ? rc : effect_settle(t, e, row, is_known_case, at, err);
	if (e->type == LK_CASE_OPENED) /* which words of links have waited for */
		rc = links_settle_case(t, key, err);
	return rc < 0 ? rc : refold_when_whole(t, &key, 1, at, err);
}

/* ---- Places learnt later ---------------------------------------------------------------------- */

static bool is_cause(const struct family *f, const struct cause *c, const struct lk_event *e)
{
	return family_says(f, c->id, e->id) && family_says(f, c->source, e->source);
}

/* Was another event of the source folded for that instant? Only then does the place decide; of a pair always, for
 * what a refusal cancels is folded nowhere. */
static bool has_twin(const struct family *f, const struct lk_event *e)
{
	const struct cause *own = NULL;
	if (is_link((int)e->type))
		return true;
	for (uint32_t i = 0; own == NULL && i < f->causes_n; i++)
		own = is_cause(f, &f->causes[i], e) ? &f->causes[i] : NULL;
	for (uint32_t i = 0; own != NULL && i < f->causes_n; i++)
		if (&f->causes[i] != own && f->causes[i].at == own->at &&
		    family_says(f, f->causes[i].source, e->source))
			return true;
	return false;
}

/* The family as it is when every fold knows the place. */
static int order_anew(struct turn *t, const struct lk_event *e, struct home *h, lk_instant now,
		      struct lk_error *err)
{
	struct touched touched = { .n = 0 };
	int rc;
	if (is_link((int)e->type)) {
		rc = find_link(t, e, err);
		return rc < 0 ? rc : effect_of_link(t, e, &touched, now, err);
	}
	rc = home_catch_up(t, h, now, err);
	(void)touch(&touched, (struct case_key){ (int)e->agency, e->subject });
	return rc < 0 ? rc : refold_when_whole(t, touched.at, touched.n, now, err);
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

int effect_of_place(struct turn *t, const struct lk_event *e, int64_t place, lk_instant now,
		    struct lk_error *err)
{
	struct home *h;
	int rc = home_of_case(t, (struct case_key){ (int)e->agency, e->subject }, &h, err);
	hand_drop(t); /* it was read without the place */
	if (rc <= 0 || h->is_stale)
		return rc < 0 ? rc : 0;
	if (e->has_sequence || !has_twin(&h->f, e)) {
		note_place(h, e, place);
		return 0;
	}
	t->said_at = e->time.at;
	rc = order_anew(t, e, h, now, err);
	t->said_at = LK_NO_INSTANT;
	return rc;
}
