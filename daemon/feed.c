/* feed.c - events from publishers who keep no outbox.
 *
 * In: two frames, the source's name and an event or a heartbeat. Out: one batch for all that came
 * together; gaps counted and told of where a source numbers densely. Promise: nobody speaks for a
 * source that is not theirs; what makes no sense is kept as a dead letter.
 */
#include "feed.h"

#include "access.h"
#include "alarm.h"
#include "batch.h"
#include "clock.h"
#include "config.h"
#include "log.h"
#include "metrics.h"
#include "zsock.h"

#include <inttypes.h>
#include <linkages/message.h>
#include <stdio.h>
#include <stdlib.h>

enum feed_frame { FRAME_SOURCE, FRAME_EVENT, FEED_FRAMES };

struct feed {
	struct feed_options options;
	struct zsock *socket;
	struct batch *batch;
	bool paused;
	struct feed_sequence *sequence; /* one for each source of the configuration */
};

/* ---- Dense sequences ---- */

int64_t feed_sequence_event(struct feed_sequence *sequence, int64_t number)
{
	int64_t gap =
		sequence->begun && number > sequence->seen + 1 ? number - sequence->seen - 1 : 0;

	if (!sequence->begun || number > sequence->seen)
		sequence->seen = number;
	sequence->begun = true;
	sequence->missing += gap;
	return gap;
}

int64_t feed_sequence_ping(struct feed_sequence *sequence, int64_t last)
{
	int64_t gap = sequence->begun && last > sequence->seen ? last - sequence->seen : 0;

	if (gap > 0 || !sequence->begun)
		sequence->seen = last;
	sequence->begun = true;
	sequence->missing += gap;
	return gap;
}

static struct feed_sequence *sequence_of(struct feed *feed, struct lk_text source)
{
	const struct config_source *found = config_find_source(feed->options.config, source);

	return found != NULL && found->dense
		       ? &feed->sequence[found - feed->options.config->sources]
		       : NULL;
}

static void tell_gap(struct lk_text source, int64_t gap)
{
	char labels[128];

	if (gap == 0)
		return;
	(void)snprintf(labels, sizeof(labels), "source=\"%.*s\"", LK_PRINT(source));
	metric_add_to(METRIC_FEED_GAPS, labels, gap);
	alarm_raise(ALARM_FEED_GAP, "source=%.*s missing=%" PRId64, LK_PRINT(source), gap);
}

#define SEQUENCE_DIGITS 15
#define SEQUENCE_MOST INT64_C(999999999999999)

/* What was sent while nobody listened is missing, too: each dense source goes on where the log ends. */
static int sequences_begin(struct feed *feed, struct lk_error *err)
{
	const struct config *config = feed->options.config;
	int rc = 0;

	for (size_t i = 0; rc >= 0 && i < config->sources_n; i++) {
		struct feed_sequence *sequence = &feed->sequence[i];
		if (!config->sources[i].dense)
			continue;
		const struct lk_text name = lk_text_of(config->sources[i].name);
		rc = turn_sequence(feed->options.turn, name, SEQUENCE_MOST, &sequence->seen, err);
		sequence->begun = rc > 0;
		if (rc > 0) /* so that a lower one, said again, does not take its place */
			turn_numbered(feed->options.turn, name, sequence->seen);
	}
	return rc < 0 ? rc : 0;
}

/* `sequence` is an integer as text; what is none is the event decoder's to refuse. */
static bool sequence_in(struct lk_span event, int64_t *out)
{
	struct lk_text text = lk_as_text(lk_get(event, "sequence"));
	int64_t number = 0;

	if (text.len == 0 || text.len > SEQUENCE_DIGITS)
		return false;
	for (uint32_t i = 0; i < text.len; i++) {
		if (text.at[i] < '0' || text.at[i] > '9')
			return false;
		number = number * 10 + (text.at[i] - '0');
	}
	*out = number;
	return true;
}

/* ---- Frames ---- */

static bool is_ping(struct lk_span body, struct lk_message *message)
{
	return lk_text_says(lk_as_text(lk_get(body, "m")), "ping") &&
	       lk_message_decode(body.at, body.len, LK_TAKES(LK_MSG_PING), message, NULL) == 0;
}

/* Its number counts as come at once. */
static void take_ping(struct feed *feed, struct lk_text source, int64_t last)
{
	struct feed_sequence *sequence = sequence_of(feed, source);

	turn_heard(feed->options.turn, source, clock_now(feed->options.clock));
	if (sequence == NULL || last < 0)
		return;
	tell_gap(source, feed_sequence_ping(sequence, last));
	turn_numbered(feed->options.turn, source, last);
}

/* The number of an event of a dense source, or 0. It counts as come when the event is on disk, whatever becomes of it. */
static int64_t take_number(struct feed *feed, struct lk_text source, struct lk_span event)
{
	struct feed_sequence *sequence = sequence_of(feed, source);
	int64_t number = 0;

	if (sequence != NULL && sequence_in(event, &number))
		tell_gap(source, feed_sequence_event(sequence, number));
	return number;
}

/* A heartbeat is used up here. An event waits for its commit, also one that cannot be read: it becomes a dead letter. */
static void take(struct feed *feed, const struct roster_client *client, struct lk_text source,
		 struct lk_span body)
{
	struct batch_input input = { .source = source, .bytes = body.at, .len = body.len };
	struct lk_message message;

	if (lk_wire_scan(body.at, body.len, &lk_event_limits, NULL) == 0) {
		if (is_ping(body, &message)) {
			take_ping(feed, source, message.ping.last);
			return;
		}
		input.number = take_number(feed, source, body);
	}
	if (batch_add(feed->batch, &input) < 0) {
		metric_add(METRIC_FEED_DROPPED, 1);
		log_line(LOG_ERROR, "drop lane=feed client=%s reason=no_memory", client->name);
	}
}

/* Its key was removed after it connected, or never counted. */
static void refuse_unproven(const struct zsock_message *m)
{
	const struct zsock_line line = zsock_line_of(m);

	metric_add(METRIC_UNPROVEN, 1);
	if (zsock_hang_up(&line))
		metric_add(METRIC_HUNG_UP, 1);
}

static bool receive(void *owner, const struct zsock_message *m)
{
	struct feed *feed = owner;
	const struct roster_client *client = access_who(feed->options.access, m->user);
	struct lk_text source = { m->part[FRAME_SOURCE].at, (uint32_t)m->part[FRAME_SOURCE].len };
	struct lk_span body = { m->part[FRAME_EVENT].at, m->part[FRAME_EVENT].len };

	if (client == NULL) {
		refuse_unproven(m);
		return true;
	}
	if (!roster_may_speak_for(client, source) ||
	    turn_agency_of(feed->options.turn, source) < 0) {
		metric_add(METRIC_FEED_DROPPED, 1);
		log_line(LOG_DETAIL, "drop lane=feed client=%s reason=not_its_source",
			 client->name);
		return true;
	}
	take(feed, client, source, body);
	return !batch_is_full(feed->batch);
}

static void bitten(void *owner)
{
	struct feed *feed = owner;

	if (!batch_is_held(feed->batch))
		batch_commit(feed->batch);
}

/* Nobody waits for an answer here. */
static void committed(void *owner, int64_t us)
{
	(void)owner;
	(void)us;
}

static void held(void *owner, bool held)
{
	struct feed *feed = owner;

	if (held)
		zsock_pause(feed->socket);
	else if (!feed->paused)
		zsock_resume(feed->socket);
}

/* ---- Life ---- */

void feed_pause(struct feed *feed)
{
	feed->paused = true;
	zsock_pause(feed->socket);
}

void feed_resume(struct feed *feed)
{
	feed->paused = false;
	if (!batch_is_held(feed->batch))
		zsock_resume(feed->socket);
}

void feed_drain(struct feed *feed)
{
	feed_pause(feed);
	batch_commit(feed->batch);
}

bool feed_is_held(const struct feed *feed)
{
	return batch_is_held(feed->batch);
}

struct zsock *feed_socket(struct feed *feed)
{
	return feed->socket;
}

void feed_put(const struct feed *feed, struct lk_bytes *out)
{
	const struct config *config = feed->options.config;
	uint32_t n = 0;

	for (size_t i = 0; i < config->sources_n; i++)
		n += config->sources[i].dense;
	lk_put_map(out, n);
	for (size_t i = 0; i < config->sources_n; i++) {
		if (!config->sources[i].dense)
			continue;
		lk_put_word(out, config->sources[i].name);
		lk_put_map(out, 2);
		lk_member_int(out, "seen", feed->sequence[i].seen);
		lk_member_int(out, "missing", feed->sequence[i].missing);
	}
}

static int make_batch(struct feed *feed, struct lk_error *err)
{
	const struct batch_options options = {
		.loop = feed->options.place.loop,
		.turn = feed->options.turn,
		.clock = feed->options.clock,
		.wake = feed->options.wake,
		.name = "feed",
		.committed = committed,
		.held = held,
		.owner = feed,
	};
	return batch_create(&options, &feed->batch, err);
}

static int make_socket(struct feed *feed, struct lk_error *err)
{
	const struct zsock_options options = {
		.place = feed->options.place,
		.name = "feed",
		.kind = ZSOCK_SUB,
		.parts = FEED_FRAMES,
		.bite = TURN_BATCH_MAX,
		.receive = receive,
		.bitten = bitten,
		.owner = feed,
	};
	return zsock_create(&options, &feed->socket, err);
}

int feed_create(const struct feed_options *options, struct feed **out, struct lk_error *err)
{
	struct feed *feed = calloc(1, sizeof(*feed));
	int rc;

	if (feed == NULL)
		return lk_fail(err, LK_EMEMORY, "no memory for the feed lane");
	feed->options = *options;
	feed->sequence = calloc(options->config->sources_n + 1, sizeof(*feed->sequence));
	if (feed->sequence == NULL)
		rc = lk_fail(err, LK_EMEMORY, "no memory for the feed lane");
	else
		rc = sequences_begin(feed, err);
	if (rc == 0)
		rc = make_batch(feed, err);
	if (rc == 0)
		rc = make_socket(feed, err);
	if (rc < 0) {
		feed_destroy(feed);
		return rc;
	}
	*out = feed;
	return 0;
}

void feed_destroy(struct feed *feed)
{
	if (feed == NULL)
		return;
	zsock_destroy(feed->socket);
	batch_destroy(feed->batch);
	free(feed->sequence);
	free(feed);
}
