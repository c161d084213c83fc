/* lane.c - the common half of the ROUTER lanes.
 *
 * In: two frames, a routing id and a body. Out: a decoded message from a known client, or a count
 * of what was dropped. Promise: nobody is believed beyond the key; nothing a peer wrote is repeated
 * to anyone; a session that is over is gone from every list before its memory is.
 */
#include "lane.h"

#include "access.h"
#include "clock.h"
#include "keys.h"
#include "log.h"
#include "loop.h"
#include "metrics.h"
#include "zsock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A power of two: routes are numbers that follow each other, so their low bits spread. */
#define BUCKETS 4096
#define ROUTE_LEN 5
#define PARTING_MAX 256

enum lane_frame { FRAME_ROUTE, FRAME_BODY, LANE_FRAMES };

struct lane {
	struct lane_options options;
	struct zsock *socket;
	struct loop_timer *tick;
	int64_t ticked_us;
	struct lane_session *bucket[BUCKETS];
	struct lane_session *newest; /* of all, in the order of their hellos */
	size_t n;
	struct lk_bytes out;               /* reused for each message sent */
	const struct zsock_message *heard; /* while it is handled */
	/* Connections to be shut in the next tick: the reason goes first. */
	struct zsock_line parting[PARTING_MAX];
	size_t parting_n;
	const struct lk_message *answering; /* the message at hand; NULL: nobody asked */
};

int lane_route_parse(const void *id, size_t len, lane_route *out)
{
	const uint8_t *at = id;

	if (len != ROUTE_LEN || at[0] != 0)
		return -1;
	*out = (lane_route)at[1] << 24 | (lane_route)at[2] << 16 | (lane_route)at[3] << 8 | at[4];
	return 0;
}

enum lane_liveness lane_liveness(const struct lane_session *session, int64_t now_us)
{
	if (now_us - session->heard_us >= LANE_SILENCE_US)
		return LANE_GONE;
	return now_us - session->spoke_us >= LANE_PING_US ? LANE_PING_DUE : LANE_FINE;
}

/* ---- Sessions ---- */

static struct lane_session *find(const struct lane *lane, lane_route route)
{
	struct lane_session *session = lane->bucket[route % BUCKETS];

	while (session != NULL && session->route != route)
		session = session->next;
	return session;
}

struct lane_sender lane_sender_now(const struct lane *lane, const struct lane_sender *from)
{
	return (struct lane_sender){ from->route, from->client,
				     from->session != NULL ? find(lane, from->route) : NULL };
}

void lane_keep(struct lane *lane)
{
	zsock_keep(lane->socket);
}

void lane_bite_again(struct lane *lane)
{
	zsock_bite_again(lane->socket);
}

static void list_join(struct lane *lane, struct lane_session *session)
{
	session->older = lane->newest;
	session->held_by = &lane->newest;
	if (session->older != NULL)
		session->older->held_by = &session->older;
	lane->newest = session;
}

static void list_leave(struct lane_session *session)
{
	*session->held_by = session->older;
	if (session->older != NULL)
		session->older->held_by = session->held_by;
}

void lane_open(struct lane *lane, const struct lane_sender *from, struct lane_session *session)
{
	struct lane_session **bucket = &lane->bucket[from->route % BUCKETS];

	session->route = from->route;
	memcpy(session->key, from->client->key, ROSTER_KEY);
	session->heard_us = session->spoke_us = clock_ticks();
	session->line = zsock_line_of(lane->heard);
	session->next = *bucket;
	*bucket = session;
	list_join(lane, session);
	lane->n++;
	metric_add(METRIC_SESSIONS_OPENED, 1);
}

void lane_end(struct lane *lane, struct lane_session *session)
{
	struct lane_session **at = &lane->bucket[session->route % BUCKETS];

	while (*at != session)
		at = &(*at)->next;
	*at = session->next;
	list_leave(session);
	lane->n--;
	lane->options.ended(lane->options.owner, session);
}

void lane_each(struct lane *lane, void (*visit)(void *context, struct lane_session *session),
	       void *context)
{
	for (struct lane_session *s = lane->newest, *older; s != NULL; s = older) {
		older = s->older;
		visit(context, s);
	}
}

const struct roster_client *lane_client(const struct lane *lane, const struct lane_session *session)
{
	return access_holder(lane->options.access, session->key);
}

size_t lane_count(const struct lane *lane)
{
	return lane->n;
}

/* ---- Sending ---- */

/* So that the next tick ends the session. LK_ENOTFOUND. */
static int mark_gone(struct lane_session *session)
{
	session->heard_us = session->spoke_us - LANE_SILENCE_US;
	return LK_ENOTFOUND;
}

/* A routing id does not say whose it is: another peer can have taken that of one who has gone, and
 * libzmq would hand over what is meant for the first. So the connection is looked at, too. */
static int send_out(struct lane *lane, lane_route route, struct lane_session *session)
{
	const uint8_t id[ROUTE_LEN] = { 0, (uint8_t)(route >> 24), (uint8_t)(route >> 16),
					(uint8_t)(route >> 8), (uint8_t)route };
	const struct zsock_part parts[] = { { id, sizeof(id) }, { lane->out.at, lane->out.len } };
	int rc;

	if (session != NULL && !zsock_line_holds(&session->line)) {
		metric_add(METRIC_PARTED, 1);
		return mark_gone(session);
	}
	rc = zsock_send(lane->socket, parts, LANE_FRAMES);
	if (session != NULL && rc == 0)
		session->spoke_us = clock_ticks();
	return session != NULL && rc == LK_ENOTFOUND ? mark_gone(session) : rc;
}

int lane_send(struct lane *lane, lane_route route, const struct lk_message *message)
{
	lk_bytes_clear(&lane->out);
	lk_message_encode(message, &lane->out);
	if (lane->out.failed)
		return LK_EMEMORY;
	int rc = send_out(lane, route, lane->n > 0 ? find(lane, route) : NULL);
	if (rc == LK_ESTATE)
		metric_add(METRIC_SENDS_BLOCKED, 1);
	return rc;
}

void lane_tell(struct lane *lane, lane_route route, const struct lk_message *message)
{
	int rc = lane_send(lane, route, message);

	if (rc < 0 && rc != LK_ENOTFOUND)
		log_line(LOG_DETAIL, "send lane=%s outcome=unsent fault=%d", lane->options.name,
			 rc);
}

bool lane_greet(struct lane *lane, lane_route route, const struct lk_message *message)
{
	if (message != NULL && lane_send(lane, route, message) == 0)
		return true;
	lane_end(lane, find(lane, route));
	return false;
}

static const char *error_word(enum lane_error code)
{
#define LANE_ERROR_WORD(name, word) [name] = word,
	static const char *const words[] = { LANE_ERRORS(LANE_ERROR_WORD) };
	return words[code];
}

/* `re`: an answer's notice, an event's place, else the name of the message; nil where nobody asked. */
static void put_re(const struct lk_message *asked, struct lk_bytes *out)
{
	if (asked == NULL)
		lk_put_nil(out);
	else if (asked->type == LK_MSG_ANSWER)
		lk_put_text(out, asked->answer.notice);
	else if (asked->type == LK_MSG_EVENT)
		lk_put_int(out, asked->event_sent.seq);
	else if (asked->type == LK_MSG_EVENTS)
		lk_put_int(out, asked->events_sent.seq);
	else
		lk_put_word(out, lk_message_word(asked->type));
}

static void send_error(struct lane *lane, lane_route route, enum lane_error code,
		       const char *detail)
{
	struct lk_message message = { .type = LK_MSG_ERROR };
	struct lk_bytes texts = { 0 };
	size_t split;

	lk_put_word(&texts, detail);
	split = texts.len;
	put_re(lane->answering, &texts);
	message.error.code = lk_text_of(error_word(code));
	if (!texts.failed) {
		message.error.detail = lk_span_of(texts.at, split);
		message.error.re = lk_span_of(texts.at + split, texts.len - split);
	}
	lane_tell(lane, route, &message);
	lk_bytes_free(&texts);
	metric_add(METRIC_ERRORS_SENT, 1);
}

void lane_error(struct lane *lane, const struct lane_sender *from, enum lane_error code,
		const char *detail)
{
	log_line(LOG_NOTE, "error lane=%s client=%s code=%s detail=\"%s\"", lane->options.name,
		 from->client->name, error_word(code), detail);
	send_error(lane, from->route, code, detail);
	if (from->session != NULL)
		lane_end(lane, from->session);
}

/* ---- Shutting connections ---- */

static void hang_up(const struct zsock_line *line)
{
	if (zsock_hang_up(line))
		metric_add(METRIC_HUNG_UP, 1);
}

static bool is_parting(const struct lane *lane, const struct zsock_line *line)
{
	for (size_t i = 0; i < lane->parting_n; i++)
		if (lane->parting[i].fd == line->fd)
			return true;
	return false;
}

/* What was sent to it has a second to get there. */
static void hang_up_soon(struct lane *lane, const struct zsock_line *line)
{
	if (line->fd < 0 || is_parting(lane, line))
		return;
	if (lane->parting_n < PARTING_MAX)
		lane->parting[lane->parting_n++] = *line;
	else
		hang_up(line);
}

static void hang_up_those_told(struct lane *lane)
{
	while (lane->parting_n > 0)
		hang_up(&lane->parting[--lane->parting_n]);
}

/* Its key was removed after it connected, or never counted. */
static void refuse_unproven(struct lane *lane, const struct zsock_message *m)
{
	const struct zsock_line line = zsock_line_of(m);

	metric_add(METRIC_UNPROVEN, 1);
	hang_up_soon(lane, &line);
}

/* ---- Receiving ---- */

/* Key and routing id have parted: somebody else speaks under the id now, and shall not inherit. */
static struct lane_session *session_of(struct lane *lane, lane_route route,
				       const struct roster_client *client)
{
	struct lane_session *session = lane->n > 0 ? find(lane, route) : NULL;

	if (session == NULL || memcmp(session->key, client->key, ROSTER_KEY) == 0)
		return session;
	lane_end(lane, session);
	return NULL;
}

static void answer_ping(struct lane *lane, const struct lane_sender *from)
{
	const struct lk_message pong = { .type = LK_MSG_PONG, .pong = { .last = INT64_MIN } };

	lane_tell(lane, from->route, &pong);
}

/* A greeting of another version may have other members, of other kinds; its sender is to hear of the version all the same.
 * `as`: which greeting it is. */
static bool is_other_version(const struct zsock_part *body, struct lk_message *as)
{
	static const enum lk_message_type greetings[] = { LK_MSG_PUB_HELLO, LK_MSG_VERB };
	struct lk_span said = lk_span_of(body->at, body->len);
	int64_t v;

	if (lk_wire_scan(said.at, said.len, &lk_message_limits, NULL) < 0 ||
	    !lk_as_int(lk_get(said, "v"), &v) || v < 0 || v == LK_PROTOCOL_VERSION)
		return false;
	for (size_t i = 0; i < sizeof(greetings) / sizeof(*greetings); i++) {
		as->type = greetings[i];
		if (lk_text_says(lk_as_text(lk_get(said, "m")), lk_message_word(as->type)))
			return true;
	}
	return false;
}

/* Malformed, beyond what a message may have, or of another version. */
static void refuse_body(struct lane *lane, const struct lane_sender *from,
			const struct zsock_part *body, int fault)
{
	struct lk_message as;

	if (is_other_version(body, &as)) {
		lane->answering = &as;
		lane_error(lane, from, LANE_VERSION, "1");
		lane->answering = NULL;
		return;
	}
	metric_add(METRIC_MALFORMED, 1);
	if (fault == LK_EREFUSED)
		lane_error(lane, from, LANE_TOO_LARGE, "a message has at most 8192 values");
	else
		lane_error(lane, from, LANE_MALFORMED, "not a message of this lane");
}

static bool received(void *owner, const struct zsock_message *m)
{
	struct lane *lane = owner;
	struct lane_sender from = { 0 };
	struct lk_message message;

	if (lane_route_parse(m->part[FRAME_ROUTE].at, m->part[FRAME_ROUTE].len, &from.route) < 0) {
		metric_add(METRIC_FOREIGN_ROUTE, 1);
		return true;
	}
	from.client = access_who(lane->options.access, m->user);
	if (from.client == NULL) {
		refuse_unproven(lane, m);
		return true;
	}
	lane->heard = m;
	from.session = session_of(lane, from.route, from.client);
	int fault = lk_message_decode(m->part[FRAME_BODY].at, m->part[FRAME_BODY].len,
				      lane->options.takes, &message, NULL);
	if (fault < 0) {
		refuse_body(lane, &from, &m->part[FRAME_BODY], fault);
		return true;
	}
	if (from.session != NULL)
		from.session->heard_us = clock_ticks();
	if (message.type == LK_MSG_PING && from.session != NULL)
		answer_ping(lane, &from);
	lane->answering = &message;
	bool go_on = lane->options.handle(lane->options.owner, &from, &message);
	lane->answering = NULL;
	return go_on;
}

static void bitten(void *owner)
{
	struct lane *lane = owner;

	if (lane->options.bitten != NULL)
		lane->options.bitten(lane->options.owner);
}

/* ---- Liveness ---- */

static void check_one(void *context, struct lane_session *session)
{
	struct lane *lane = context;
	const struct lk_message ping = { .type = LK_MSG_PING, .ping = { .last = INT64_MIN } };

	switch (lane_liveness(session, clock_ticks())) {
	case LANE_FINE: return;
	case LANE_PING_DUE: lane_tell(lane, session->route, &ping); return;
	case LANE_GONE:
		metric_add(METRIC_SESSIONS_SILENT, 1);
		hang_up_soon(lane, &session->line);
		lane_end(lane, session);
		return;
	}
}

/* While we did not listen nobody can be called silent: a long turn of our own is held against no session. They are still told
 * that we live. */
static bool has_listened(struct lane *lane)
{
	int64_t now = clock_ticks(), since = lane->ticked_us;

	lane->ticked_us = now;
	return now - since < 3 * LK_SECOND && !zsock_paused(lane->socket);
}

static void hear_one(void *context, struct lane_session *session)
{
	session->heard_us = *(const int64_t *)context;
}

static void ticked(void *context)
{
	struct lane *lane = context;

	loop_timer_in(lane->tick, LK_SECOND);
	hang_up_those_told(lane);
	if (!has_listened(lane))
		lane_each(lane, hear_one, &lane->ticked_us);
	lane_each(lane, check_one, lane);
	if (lane->options.ticked != NULL)
		lane->options.ticked(lane->options.owner);
}

static void recheck_one(void *context, struct lane_session *session)
{
	struct lane *lane = context;
	const struct roster_client *client = access_holder(lane->options.access, session->key);

	if (client != NULL && (lane->options.may_stay == NULL ||
			       lane->options.may_stay(lane->options.owner, client, session)))
		return;
	send_error(lane, session->route, LANE_FORBIDDEN,
		   client == NULL ? "this key is not enrolled any more"
				  : "this key may not do any more what the session does");
	hang_up_soon(lane, &session->line);
	lane_end(lane, session);
}

void lane_recheck(struct lane *lane)
{
	lane_each(lane, recheck_one, lane);
}

void lane_pause(struct lane *lane)
{
	zsock_pause(lane->socket);
}

void lane_resume(struct lane *lane)
{
	int64_t now = clock_ticks();

	lane_each(lane, hear_one, &now);
	zsock_resume(lane->socket);
}

void lane_dismiss(struct lane *lane, const char *why)
{
	for (struct lane_session *s = lane->newest, *older; s != NULL; s = older) {
		older = s->older;
		send_error(lane, s->route, LANE_NO_SESSION, why);
		lane_end(lane, s);
	}
}

static void drain_one(void *context, struct lane_session *session)
{
	struct lane *lane = context;

	send_error(lane, session->route, LANE_DRAINING,
		   "the daemon is going down; come back in a while");
	lane_end(lane, session);
}

void lane_drain(struct lane *lane)
{
	zsock_pause(lane->socket);
	loop_timer_cancel(lane->tick);
	lane_each(lane, drain_one, lane);
}

/* ---- Life ---- */

int lane_create(const struct lane_options *options, struct lane **out, struct lk_error *err)
{
	struct lane *lane = calloc(1, sizeof(*lane));
	struct zsock_options socket = {
		.place = options->place,
		.name = options->name,
		.kind = ZSOCK_ROUTER,
		.parts = LANE_FRAMES,
		.bite = options->bite,
		.queue = options->queue,
		.receive = received,
		.bitten = bitten,
		.owner = lane,
	};
	int rc;

	if (lane == NULL)
		return lk_fail(err, LK_EMEMORY, "no memory for a lane");
	lane->options = *options;
	rc = loop_timer_create(options->place.loop, LOOP_PROMPT, ticked, lane, &lane->tick, err);
	if (rc == 0)
		rc = zsock_create(&socket, &lane->socket, err);
	if (rc < 0) {
		lane_destroy(lane);
		return rc;
	}
	loop_timer_in(lane->tick, LK_SECOND);
	*out = lane;
	return 0;
}

static void end_one(void *context, struct lane_session *session)
{
	lane_end(context, session);
}

void lane_destroy(struct lane *lane)
{
	if (lane == NULL)
		return;
	lane_each(lane, end_one, lane);
	zsock_destroy(lane->socket);
	loop_timer_destroy(lane->tick);
	lk_bytes_free(&lane->out);
	free(lane);
}

struct zsock *lane_socket(struct lane *lane)
{
	return lane->socket;
}
