/* turn_pass.c - the passing of time: events that were kept for their hour, families that wake, sources that fall silent; and
 * families that are behind a policy.
 *
 * In: an instant. Out: whatever fell due by then, each at its own instant, in their order, as much as one transaction takes on.
 * Promise: an event whose hour comes is as any that arrives; families that are behind come first, as of the last instant.
 */
#include "turn_parts.h"

#include <string.h>

struct due {
	uint8_t ids[TURN_FAMILIES_MAX][LK_DIGEST];
	lk_instant at[TURN_FAMILIES_MAX];
	bool was_here[TURN_FAMILIES_MAX];
	int n;
};

static int note_due(void *context, const uint8_t id[LK_DIGEST], lk_instant wake_at)
{
	struct due *due = context;
	memcpy(due->ids[due->n], id, LK_DIGEST);
	due->at[due->n++] = wake_at;
	return 0;
}

/* An event that was kept: a copy of its row. */
struct arrived {
	struct lk_bytes body;
	struct stored_event row;
	char source[65], id[260], number[33], supersedes[260];
	bool found;
};

static struct lk_text copy_text(char *to, size_t room, struct lk_text text)
{
	if (!lk_text_given(text))
		return LK_NO_TEXT;
	size_t len = text.len < room ? text.len : room;
	memcpy(to, text.at, len);
	return (struct lk_text){ to, (uint32_t)len };
}

static int note_arrived(void *context, const struct stored_event *row)
{
	struct arrived *a = context;
	a->row = *row;
	a->row.source = copy_text(a->source, sizeof(a->source), row->source);
	a->row.id = copy_text(a->id, sizeof(a->id), row->id);
	a->row.number = copy_text(a->number, sizeof(a->number), row->number);
	a->row.supersedes = copy_text(a->supersedes, sizeof(a->supersedes), row->supersedes);
	lk_bytes_add(&a->body, row->body, row->body_len);
	a->row.body = a->body.at;
	a->row.ahead = false;
	a->found = true;
	return 0;
}

/* The time of an event that was kept has come: from here on it is as any that arrives. While an order is carried out, that is as
 * one that is refused: the row goes with the others. */
static int pass_event(struct turn *t, lk_instant at, struct lk_error *err)
{
	struct arrived a = { .found = false };
	struct lk_event event;
	struct lk_refused why;
	int rc = store_events_ahead(t->store, at, 1, note_arrived, &a, err);
	if (rc >= 0 && a.found)
		rc = store_event_arrived(t->store, a.row.position, err);
	if (rc >= 0 && a.body.failed)
		rc = lk_fail(err, LK_EMEMORY, "no memory for an event");
	if (rc >= 0 && a.found &&
	    lk_event_decode(a.row.body, a.row.body_len, turn_agency_of, t, &event, &why) == 0 &&
	    !names_expunged(t, &event))
		rc = effect_settle(t, &event, &a.row, true, at, err);
	lk_bytes_free(&a.body);
	return rc;
}

/* Where nothing of it was settled in this transaction it would be due for ever: an index says another instant than its row. */
static int pass_family(struct turn *t, const uint8_t id[LK_DIGEST], lk_instant at,
		       struct lk_error *err)
{
	struct home *h = home_get(t, id, err);
	int rc = h == NULL ? LK_ESTORE : home_catch_up(t, h, at, err);
	if (rc < 0 || h->is_dirty)
		return rc;
	store_distrust(t->store, "a family does not wake at the instant that an index says");
	return lk_fail(err, LK_ESTORE, "turn: a family does not wake when it is due");
}

static int pass_families(struct turn *t, lk_instant at, int most, struct lk_error *err)
{
	struct due due = { .n = 0 };
	int rc = store_families_due(t->store, at, most, note_due, &due, err);
	for (int i = 0; rc >= 0 && i < due.n; i++)
		rc = pass_family(t, due.ids[i], at, err);
	return rc < 0 ? rc : due.n;
}

struct first_case {
	struct case_key key;
	char number[33];
	bool found;
};

static int note_case(void *context, struct case_key key)
{
	struct first_case *c = context;
	c->key.agency = key.agency;
	c->key.number = copy_text(c->number, sizeof(c->number), key.number);
	c->found = true;
	return 1;
}

/* Remembers which tokens made links by themselves when all links were found; while families are still behind, that is
 * lost. */
static int links_note(struct turn *t, bool is_done, struct lk_error *err)
{
	int64_t by = is_done ? (int64_t)t->policy->links_automatic : STORE_LINKS_LOST, kept = 0;
	int rc = store_value_get(t->store, STORE_LINKS_BY, &kept, err);
	if (rc < 0 || (rc > 0 && kept == by) || (!is_done && !links_are_behind(t)))
		return rc < 0 ? rc : 0;
	t->links_by = by;
	return store_value_put(t->store, STORE_LINKS_BY, by, err);
}

/* Another policy may fold otherwise: the family is made anew from the log. */
static int pass_anew(struct turn *t, const uint8_t id[LK_DIGEST], lk_instant now,
		     struct lk_error *err)
{
	struct first_case first = { .found = false };
	struct home *h = home_get(t, id, err);
	int rc = h == NULL ? LK_ESTORE : home_catch_up(t, h, now, err);
	if (rc >= 0)
		rc = store_family_cases(t->store, id, note_case, &first, err);
	if (rc < 0)
		return rc;
	if (!first.found && memcmp(id, feeds_id, LK_DIGEST) == 0)
		return feeds_settle(t, now, err);
	if (!first.found)
		return family_without_cases(t, h, now, err);
	return refold(t, &first.key, 1, now, err);
}

#define COUNTED 1024 /* entries of an index, a pass */

/* Over and over, a bite each pass: the loop has no quiet moment meanwhile. */
static int count_behind(struct turn *t, struct lk_error *err)
{
	int rc = store_count_behind(t->store, t->revision, &t->behind.place, COUNTED,
				    &t->behind.so_far, err);
	if (rc == 0)
		t->behind = (struct behind){ .n = t->behind.so_far, .is_counted = true };
	return rc;
}

/* Families derived under another revision: as many as one turn bears, as of the last instant; what has fallen due since
 * comes after it, in its order. The number done. */
static int pass_behind(struct turn *t, lk_instant now, struct lk_error *err)
{
	struct due due = { .n = 0 };
	lk_instant at = t->now != LK_NO_INSTANT ? t->now : now;
	int rc =
		store_families_behind(t->store, t->revision, t->families_most, note_due, &due, err);
	for (int i = 0; i < due.n; i++)
		due.was_here[i] = home_is_here(t, due.ids[i]);
	for (int i = 0; rc >= 0 && i < due.n; i++)
		rc = pass_anew(t, due.ids[i], at, err);
	if (rc >= 0)
		rc = links_note(t, due.n == 0, err);
	if (rc >= 0)
		rc = homes_flush(t, err);
	if (rc >= 0 && due.n > 0)
		rc = count_behind(t, err);
	for (int i = 0; i < due.n; i++)
		if (!due.was_here[i])
			home_let_go(t, due.ids[i]);
	t->is_behind = rc < 0 || due.n > 0;
	return rc < 0 ? rc : due.n;
}

/* One instant: sources that fall silent, then events that were kept for it, then families that wake. The number of events and
 * families, `most` at the most: what is left of the instant is the next call's. */
static int pass_instant(struct turn *t, lk_instant at, int most, struct lk_error *err)
{
	lk_instant ahead = LK_NO_INSTANT;
	int done = 0, rc = silence_settle(t, at, err);
	while (rc >= 0 && done < most && (rc = store_next_ahead(t->store, &ahead, err)) >= 0 &&
	       ahead != LK_NO_INSTANT && ahead <= at) {
		rc = pass_event(t, at, err);
		done++;
	}
	if (rc >= 0 && done < most) {
		rc = pass_families(t, at, most - done, err);
		done += rc;
	}
	if (rc >= 0)
		rc = homes_flush(t, err);
	return rc < 0 ? rc : done;
}

static int next_instant(struct turn *t, lk_instant *at, struct lk_error *err)
{
	lk_instant ahead = LK_NO_INSTANT, family = LK_NO_INSTANT;
	int rc = store_next_ahead(t->store, &ahead, err);
	if (rc >= 0)
		rc = store_next_wake(t->store, &family, err);
	*at = instant_earlier(silence_next(t), instant_earlier(ahead, family));
	return rc;
}

/* Nothing is due before now. 1: the end of a silence has put families behind; 0. */
static int pass_to_now(struct turn *t, lk_instant now, struct lk_error *err)
{
	time_advance(t, now);
	int rc = silence_settle(t, now, err);
	return rc < 0 ? rc : t->is_behind;
}

/* Instants in their order, until now or until `most` events and families are done. 1: there is more; 0. */
static int pass_instants(struct turn *t, lk_instant now, int most, struct lk_error *err)
{
	for (int done = 0; done < most && !t->is_behind;) {
		lk_instant at;
		int rc = next_instant(t, &at, err);
		if (rc < 0)
			return rc;
		if (at == LK_NO_INSTANT || at > now)
			return pass_to_now(t, now, err);
		time_advance(t, at);
		rc = pass_instant(t, at, most - done, err);
		if (rc < 0)
			return rc;
		done += rc > 0 ? rc : 1; /* a silence alone is work, too */
	}
	return 1;
}

/* Families that are behind come first. */
static int pass_all(struct turn *t, lk_instant now, struct lk_error *err)
{
	int waits = waiting_look(t, now, err);
	if (waits != 0)
		return waits < 0 ? waits : 0;
	int done = t->is_behind ? pass_behind(t, now, err) : 0;
	return done < 0 ? done : pass_instants(t, now, t->families_most - done, err);
}

void turn_pass_at_most(struct turn *t, int families)
{
	t->families_most = families;
}

int turn_pass(struct turn *t, lk_instant now, struct lk_error *err)
{
	lk_instant before = t->now;
	int rc = store_begin(t->store, err);
	if (rc < 0)
		return rc;
	int more = pass_all(t, now, err);
	if (more < 0)
		turn_undo(t);
	else
		rc = turn_commit(t, err);
	/* With the rest: a clock that is moved by hand may stay where it is. */
	if (more < 0 || rc < 0)
		t->now = before;
	return rc < 0 ? rc : more;
}

int64_t turn_behind(const struct turn *t)
{
	return !t->is_behind ? 0 : t->behind.is_counted ? t->behind.n : TURN_UNCOUNTED;
}

lk_instant turn_now(const struct turn *t)
{
	return t->now;
}

lk_instant turn_next_wake(const struct turn *t)
{
	lk_instant at = LK_NO_INSTANT;
	if (turn_awaits(t))
		return waiting_until(t);
	if (t->is_behind)
		return t->now;
	/* A question that fails here is asked again, and answered with an error, by the next
	 * turn_pass(). */
	if (next_instant((struct turn *)(uintptr_t)t, &at, NULL) < 0)
		return t->now;
	return at;
}
