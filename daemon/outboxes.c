/* outboxes.c - the outboxes that speak now, and how their sources fare.
 *
 * In: sessions and inputs that use a stream, and what became of each event. Out: how far each stream is, and
 * how much of the credit its source is offered. Promise: a stream lives as long as it has a user; what a
 * source had refused is remembered however often it connects anew.
 */
#include "outboxes.h"

#include "clock.h"
#include "credit.h"
#include "log.h"
#include "metrics.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How a source fares. */
struct standing {
	struct standing *next;
	char source[65];
	struct patience patience;
	int64_t accepted, refused; /* of the batch at hand */
	bool slowed;
};

/* ---- Sources ---- */

static struct standing *standing_of(struct outboxes *all, struct lk_text source)
{
	struct standing *s = all->standings;

	while (s != NULL && !lk_text_says(source, s->source))
		s = s->next;
	if (s != NULL || source.len >= sizeof(s->source) || (s = calloc(1, sizeof(*s))) == NULL)
		return s;
	memcpy(s->source, source.at, source.len);
	patience_start(&s->patience, clock_ticks());
	s->next = all->standings;
	all->standings = s;
	return s;
}

/* Slowed from the first time that it gets less than others until it gets as much again. */
static void standing_tell(struct standing *s, int64_t offer)
{
	bool slowed = patience_offer(&s->patience, offer, clock_ticks()) < offer;
	char labels[96];

	if (slowed == s->slowed)
		return;
	s->slowed = slowed;
	(void)snprintf(labels, sizeof(labels), "source=\"%s\"", s->source);
	metric_set(METRIC_SOURCE_SLOWED, labels, slowed);
	log_line(slowed ? LOG_WARN : LOG_INFO, "intake source=%s outcome=%s", s->source,
		 slowed ? "slowed reason=refusals" : "at_full_speed");
}

void stream_judged(struct stream *stream, enum turn_outcome outcome)
{
	stream->standing->refused += outcome == TURN_REFUSED;
	stream->standing->accepted += outcome == TURN_APPLIED;
}

void outboxes_learn(struct outboxes *all, int64_t offer)
{
	for (struct standing *s = all->standings; s != NULL; s = s->next) {
		patience_learn(&s->patience, s->accepted, s->refused, clock_ticks());
		s->accepted = s->refused = 0;
		standing_tell(s, offer);
	}
}

void outboxes_tell(struct outboxes *all, int64_t offer)
{
	for (struct standing *s = all->standings; s != NULL; s = s->next)
		standing_tell(s, offer);
}

/* ---- Streams ---- */

static struct stream *stream_find(const struct outboxes *all, struct lk_text source,
				  const uint8_t epoch[LK_DIGEST])
{
	struct stream *s = all->first;

	while (s != NULL &&
	       (memcmp(s->epoch, epoch, LK_DIGEST) != 0 || !lk_text_says(source, s->source)))
		s = s->next_stream;
	return s;
}

static struct stream *stream_make(struct outboxes *all, struct lk_text source,
				  const uint8_t epoch[LK_DIGEST])
{
	struct standing *standing = standing_of(all, source);
	struct stream *s = standing != NULL ? calloc(1, sizeof(*s)) : NULL;

	if (s == NULL)
		return NULL;
	s->standing = standing;
	memcpy(s->source, source.at, source.len);
	memcpy(s->epoch, epoch, LK_DIGEST);
	s->next_stream = all->first;
	all->first = s;
	all->n++;
	return s;
}

struct stream *stream_use(struct outboxes *all, struct lk_text source,
			  const uint8_t epoch[LK_DIGEST])
{
	struct stream *s = stream_find(all, source, epoch);

	if (s == NULL)
		s = stream_make(all, source, epoch);
	if (s != NULL)
		s->users++;
	return s;
}

void stream_release(struct outboxes *all, struct stream *stream)
{
	struct stream **at = &all->first;

	if (--stream->users > 0)
		return;
	while (*at != stream)
		at = &(*at)->next_stream;
	*at = stream->next_stream;
	all->n--;
	free(stream);
}

int64_t stream_offer(const struct stream *stream, int64_t offer)
{
	return patience_offer(&stream->standing->patience, offer, clock_ticks());
}

void outboxes_free(struct outboxes *all)
{
	for (struct standing *s = all->standings, *next; s != NULL; s = next) {
		next = s->next;
		free(s);
	}
	all->standings = NULL;
}
