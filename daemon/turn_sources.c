/* turn_sources.c - sources: when each was heard, whether it is silent, what its silence holds back; and the time, which is
 * kept with them.
 *
 * In: who was heard, instants. Out: what is told of silences (through turn_settle.c); rows. Promise: whatever a silence held back
 * is looked at again when it ends; after a rollback all is as it was committed.
 */
#include "turn_parts.h"

#include <stdlib.h>
#include <string.h>

int sources_copy(struct turn *t, const struct turn_options *o, struct lk_error *err)
{
	t->sources = calloc(o->sources_n + 1, sizeof(*t->sources));
	if (t->sources == NULL)
		return lk_fail(err, LK_EMEMORY, "no memory for %zu sources", o->sources_n);
	t->sources_n = o->sources_n;
	for (size_t i = 0; i < o->sources_n; i++) {
		struct source_state *s = &t->sources[i];
		s->source = o->sources[i];
		s->heard_at = LK_NO_INSTANT;
		int rc = store_heard_get(t->store, lk_text_of(s->source.name), &s->heard_at, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int turn_agency_of(void *turn, struct lk_text source)
{
	const struct turn *t = turn;
	for (size_t i = 0; i < t->sources_n; i++)
		if (lk_text_says(source, t->sources[i].source.name))
			return t->sources[i].source.agency;
	return LK_NO_CODE;
}

static struct source_state *source_named(struct turn *t, struct lk_text name)
{
	for (size_t i = 0; i < t->sources_n; i++)
		if (lk_text_says(name, t->sources[i].source.name))
			return &t->sources[i];
	return NULL;
}

void turn_heard(struct turn *t, struct lk_text source, lk_instant now)
{
	struct source_state *s = source_named(t, source);
	if (s != NULL && (s->heard_at == LK_NO_INSTANT || now > s->heard_at))
		s->heard_at = now;
}

void turn_numbered(struct turn *t, struct lk_text source, int64_t number)
{
	struct source_state *s = source_named(t, source);
	if (s != NULL && number > s->number)
		s->number = number;
}

void source_comes_to(struct turn *t, struct lk_text source, int64_t number)
{
	struct source_state *s = source_named(t, source);
	if (s != NULL && number > s->comes_to)
		s->comes_to = number;
}

static int64_t number_of(const struct source_state *s)
{
	return s->comes_to > s->number ? s->comes_to : s->number;
}

int turn_sequence(struct turn *t, struct lk_text source, int64_t most, int64_t *out,
		  struct lk_error *err)
{
	return store_sequence_last(t->store, source, most, out, err);
}

void turn_watch(struct turn *t, struct lk_text source, bool watched)
{
	struct source_state *s = source_named(t, source);
	if (s != NULL)
		s->source.watched = watched;
}

bool turn_hearing(const struct turn *t, size_t i, struct turn_hearing *out)
{
	if (i >= t->sources_n)
		return false;
	const struct source_state *s = &t->sources[i];
	*out = (struct turn_hearing){ s->source.name, s->source.watched, s->is_silent,
				      s->heard_at };
	return true;
}

/* ---- Silence --------------------------------------------------------------------------------- */

static lk_instant silent_at(const struct turn *t, const struct source_state *s)
{
	if (!s->source.watched || s->heard_at == LK_NO_INSTANT)
		return LK_NO_INSTANT;
	struct duration silence =
		dated_on(&t->policy->feeds_silence, zone_date(&t->policy->zone, s->heard_at));
	return s->heard_at + silence.n * LK_HOUR;
}

static bool is_silent(const struct turn *t, const struct source_state *s, lk_instant now)
{
	lk_instant at = silent_at(t, s);
	return at != LK_NO_INSTANT && at <= now;
}

void silence_keep(struct turn *t)
{
	for (size_t i = 0; i < t->sources_n; i++) {
		struct source_state *s = &t->sources[i];
		s->was_silent = s->is_silent;
		s->number = number_of(s);
		s->comes_to = 0;
	}
	memcpy(t->committed, t->revision, LK_DIGEST);
}

/* A silence whose beginning or end was rolled back is yet to begin or end. */
void silence_undo(struct turn *t)
{
	for (size_t i = 0; i < t->sources_n; i++) {
		t->sources[i].is_silent = t->sources[i].was_silent;
		t->sources[i].comes_to = 0;
	}
	memcpy(t->revision, t->committed, LK_DIGEST);
	t->feeds_due = true;
}

int revision_set(struct turn *t, struct lk_error *err)
{
	struct {
		uint8_t policy[LK_DIGEST];
		int64_t spoken;
	} both = { .spoken = 0 };
	memcpy(both.policy, t->policy->revision, LK_DIGEST);
	int rc = store_value_get(t->store, STORE_FAMILIES_ANEW, &both.spoken, err);
	if (rc < 0)
		return rc;
	lk_digest(&both, sizeof(both), NULL, t->revision);
	t->is_behind = true; /* the first pass finds out */
	t->behind = (struct behind){ 0 };
	rc = store_value_get(t->store, STORE_LINKS_BY, &t->links_by, err);
	if (rc == 0) /* a new store has no links yet */
		t->links_by = (int64_t)t->policy->links_automatic;
	return rc < 0 ? rc : 0;
}

/* A silence that ends lets go what it held back: every family is derived again, as after a change
 * of policy. */
static int note_spoken(struct turn *t, struct lk_error *err)
{
	int64_t spoken = 0;
	int rc = store_value_get(t->store, STORE_FAMILIES_ANEW, &spoken, err);
	if (rc >= 0)
		rc = store_value_put(t->store, STORE_FAMILIES_ANEW, spoken + 1, err);
	return rc < 0 ? rc : revision_set(t, err);
}

int silence_settle(struct turn *t, lk_instant now, struct lk_error *err)
{
	bool changed = t->feeds_due, spoke = false;
	for (size_t i = 0; i < t->sources_n; i++) {
		struct source_state *s = &t->sources[i];
		bool silent = is_silent(t, s, now);
		changed |= silent != s->is_silent;
		spoke |= s->is_silent && !silent;
		s->is_silent = silent;
	}
	int rc = spoke ? note_spoken(t, err) : 0;
	if (rc >= 0 && changed)
		rc = feeds_settle(t, now, err);
	t->feeds_due = rc < 0;
	return rc;
}

lk_instant silence_next(const struct turn *t)
{
	lk_instant next = LK_NO_INSTANT;
	for (size_t i = 0; i < t->sources_n; i++) {
		lk_instant at =
			t->sources[i].is_silent ? LK_NO_INSTANT : silent_at(t, &t->sources[i]);
		if (at != LK_NO_INSTANT && (next == LK_NO_INSTANT || at < next))
			next = at;
	}
	return next;
}

/* ---- The time -------------------------------------------------------------------------------- */

void time_advance(struct turn *t, lk_instant now)
{
	if (t->now == LK_NO_INSTANT || now > t->now)
		t->now = now;
}

/* Events that came after the time was written last say when they did. */
static void recall_event(void *context, struct lk_text source, lk_instant received_at)
{
	struct turn *t = context;
	if (received_at > t->now)
		t->now = received_at;
	turn_heard(t, source, received_at);
}

/* Who was silent when the store was left is so until heard: what that held back is to be let go then. */
int time_recall(struct turn *t, struct lk_error *err)
{
	t->now = LK_NO_INSTANT;
	int rc = store_now_get(t->store, &t->now, recall_event, t, err);
	t->kept_at = LK_NO_INSTANT;
	for (size_t i = 0; rc >= 0 && i < t->sources_n; i++)
		t->sources[i].is_silent = is_silent(t, &t->sources[i], t->now);
	t->feeds_due = true;
	silence_keep(t);
	return rc < 0 ? rc : 0;
}

static int keep_source(struct turn *t, const struct source_state *s, struct lk_error *err)
{
	struct lk_text name = lk_text_of(s->source.name);
	int rc = 0;
	if (s->heard_at != LK_NO_INSTANT)
		rc = store_heard_put(t->store, name, s->heard_at, err);
	if (rc >= 0 && number_of(s) != s->kept_number)
		rc = store_sequence_put(t->store, name, number_of(s), err);
	return rc;
}

int time_keep(struct turn *t, struct lk_error *err)
{
	int rc = store_now_put(t->store, t->now, err);
	for (size_t i = 0; rc >= 0 && i < t->sources_n; i++)
		rc = keep_source(t, &t->sources[i], err);
	return rc;
}

/* Events that were applied say in their rows when they came: beside them a page with the time is written once a second
 * and not for each. */
bool is_time_kept(const struct turn *t)
{
	return t->is_told_by_events && t->kept_at != LK_NO_INSTANT &&
	       t->now - t->kept_at < LK_SECOND;
}

void time_was_kept(struct turn *t)
{
	t->kept_at = t->now;
	for (size_t i = 0; i < t->sources_n; i++)
		t->sources[i].kept_number = number_of(&t->sources[i]);
}
