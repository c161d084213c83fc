/* turn_waiting.c - after a damage: until the log is whole, no family is folded from it.
 *
 * In: a store that was made anew without what could not be read, and outboxes that bring that back, one event after the
 * other. Out: families that stay as they are, for they were folded with what is gone, and are made anew when all is there.
 * Promise: nobody is told, or shown, what follows only from a log with holes in it - a consent whose revocation is yet to
 * come back, a moment taken back for want of what it rests on. Time stands still as long; and that is bounded: an outbox
 * that does not come is not waited for.
 */
#include "turn_parts.h"

#include <inttypes.h>
#include <string.h>

/* Since the last event that was sent again; and in all. A clock that does not move, or is not believed, is no reason to wait
 * for longer: so many times the loop has looked whether the store answers, every ten seconds. */
#define QUIET_US (30 * LK_SECOND)
#define WAITING_US (10 * 60 * LK_SECOND)
#define QUIET_BEATS 3

static void wait_from(struct turn *t, lk_instant since)
{
	t->waiting.is_on = true;
	t->waiting.since = t->waiting.back_at = since;
	t->waiting.quiet_beats = 0;
}

int waiting_recall(struct turn *t, struct lk_error *err)
{
	int64_t awaited = 0;
	int rc = store_value_get(t->store, STORE_AWAITED, &awaited, err);
	t->waiting.since = LK_NO_INSTANT;
	t->waiting.lacks_events = awaited == STORE_AWAITED_GONE;
	t->waiting.kept = awaited;
	if (rc >= 0 && awaited != 0)
		wait_from(t,
			  LK_NO_INSTANT); /* the first look begins it, and finds out who is asked */
	t->waiting.has_caught_up = true;
	return rc;
}

void waiting_sent_again(struct turn *t, bool is_last)
{
	t->waiting.back_at = t->now;
	t->waiting.quiet_beats = 0;
	t->waiting.has_caught_up |= is_last;
}

int waiting_beat(struct turn *t, struct lk_error *err)
{
	if (!t->waiting.is_on)
		return 0;
	t->waiting.quiet_beats++;
	return waiting_look(t, t->now, err);
}

void waiting_came_back(struct turn *t)
{
	if (!t->waiting.is_on)
		wait_from(t, t->now);
	t->waiting.lacks_events = true;
}

lk_instant waiting_until(const struct turn *t)
{
	return t->waiting.has_caught_up || t->waiting.since == LK_NO_INSTANT
		       ? t->now
		       : instant_earlier(t->waiting.back_at + QUIET_US,
					 t->waiting.since + WAITING_US);
}

bool turn_lacks_events(const struct turn *t)
{
	return t->waiting.lacks_events;
}

int waiting_look(struct turn *t, lk_instant now, struct lk_error *err)
{
	if (!t->waiting.is_on)
		return 0;
	if (t->waiting.since == LK_NO_INSTANT)
		wait_from(t, now);
	int rest = t->waiting.has_caught_up ? store_streams_asked(t->store, err) : 1;
	if (rest < 0)
		return rest;
	t->waiting.has_caught_up = false;
	if (rest > 0 && now < waiting_until(t) && t->waiting.quiet_beats < QUIET_BEATS)
		return 1;
	t->waiting.is_on = t->waiting.lacks_events = false;
	t->is_behind = true;
	t->behind = (struct behind){ 0 };
	return 0;
}

bool turn_awaits(const struct turn *t)
{
	return t->waiting.is_on;
}

/* The first outbox that has not sent all again; another may come after it. */
static int refuse_for(void *context, const struct stored_stream *stream)
{
	return stream->next > stream->asked
		       ? 0
		       : lk_fail(context, LK_ESTATE,
				 "events %" PRId64 " to %" PRId64
				 " of the outbox of %.*s are waited for, where a damage has "
				 "taken some: ask again in a minute",
				 stream->next, stream->asked, LK_PRINT(stream->source));
}

int waiting_refuse(struct turn *t, struct lk_error *err)
{
	int rc = store_streams(t->store, refuse_for, err, err);
	return rc < 0 ? rc
		      : lk_fail(err, LK_ESTATE,
				"what a damage has taken has just come back: ask again in a moment");
}

static int64_t awaited_now(const struct turn *t)
{
	return !t->waiting.is_on ? 0 : t->waiting.lacks_events ? STORE_AWAITED_GONE : 1;
}

int waiting_keep(struct turn *t, struct lk_error *err)
{
	int64_t now = awaited_now(t);
	return now == t->waiting.kept ? 0 : store_value_put(t->store, STORE_AWAITED, now, err);
}

void waiting_was_kept(struct turn *t)
{
	t->waiting.kept = awaited_now(t);
}

/* Of one that waits to be folded from the log already there is no state to keep. A case that nobody knew, of a link, has a
 * family from now on: else nothing would look for the link again. */
static int put_behind(struct turn *t, struct case_key key, struct lk_error *err)
{
	struct home *h;
	int rc = home_open(t, key, &h, err);
	if (rc < 0 || h->is_stale)
		return rc < 0 ? rc : 0;
	memset(h->policy, 0, LK_DIGEST);
	h->is_dirty = true;
	return 0;
}

int refold_when_whole(struct turn *t, const struct case_key *cases, size_t n, lk_instant at,
		      struct lk_error *err)
{
	int rc = 0;
	if (!t->waiting.is_on)
		return refold(t, cases, n, at, err);
	hand_drop(t); /* what was read lacks what is to come */
	for (size_t i = 0; rc >= 0 && i < n; i++)
		rc = put_behind(t, cases[i], err);
	return rc;
}
