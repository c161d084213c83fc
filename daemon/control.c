/* control.c - finds the verb, looks at the role, hands over.
 *
 * In: a verb of somebody whose key is known. Out: its answer. Promise: each verb's role
 * is in its row, so that no verb can be without one; whoever does not have it gets nothing.
 */
#include "control.h"

#include "lane.h"
#include "log.h"
#include "metrics.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define CONTROL_BITE 16

struct control {
	struct control_options options;
	struct lane *lane;
};

/* Of a message, an answer has what these leave: m, id, ok, more, and the map around them. */
#define AROUND_ITEMS 5
#define AROUND_BYTES 64

static bool is_sendable(const struct lk_bytes *body)
{
	struct lk_limits room = lk_message_limits;
	struct lk_error err;

	room.depth -= 1;
	room.items -= AROUND_ITEMS;
	room.bytes -= AROUND_BYTES;
	return lk_wire_scan(body->at, body->len, &room, &err) == 0;
}

void control_reply(struct control *control, const struct control_asker *asker, bool more,
		   const struct lk_bytes *body)
{
	struct lk_message message = { .type = LK_MSG_REPLY };

	if (body != NULL && body->failed) {
		control_refuse(control, asker, "busy", "no memory");
		return;
	}
	if (body != NULL && !is_sendable(body)) {
		control_refuse(control, asker, "too_large",
			       "it is more than a message may hold; state.db has it in tables");
		return;
	}
	message.reply.id = asker->id;
	message.reply.ok = true;
	message.reply.more = more;
	if (body != NULL)
		message.reply.body = lk_span_of(body->at, body->len);
	lane_tell(control->lane, asker->route, &message);
}

void control_refuse(struct control *control, const struct control_asker *asker, const char *code,
		    const char *detail)
{
	struct lk_message message = { .type = LK_MSG_REPLY };
	struct lk_bytes body = { 0 };

	lk_put_map(&body, 2);
	lk_member_word(&body, "code", code);
	lk_member_word(&body, "detail", detail);
	message.reply.id = asker->id;
	message.reply.ok = false;
	message.reply.more = false;
	if (!body.failed)
		message.reply.body = lk_span_of(body.at, body.len);
	lane_tell(control->lane, asker->route, &message);
	lk_bytes_free(&body);
}

static const struct control_verb *find(const struct control *control, struct lk_text name)
{
	for (size_t i = 0; i < control->options.verbs_n; i++)
		if (lk_text_says(name, control->options.verbs[i].name))
			return &control->options.verbs[i];
	return NULL;
}

static bool handle(void *owner, const struct lane_sender *from, const struct lk_message *message)
{
	struct control *control = owner;
	const struct control_verb *verb = find(control, message->verb.verb);
	struct control_asker asker = { .route = from->route, .id = message->verb.id };

	snprintf(asker.client, sizeof(asker.client), "%s", from->client->name);
	if (message->verb.v != LK_PROTOCOL_VERSION) {
		lane_error(control->lane, from, LANE_VERSION, "1");
	} else if (verb == NULL) {
		control_refuse(control, &asker, "unknown_verb", "this daemon knows no such verb");
	} else if (!roster_has_role(from->client, verb->role)) {
		metric_add(METRIC_VERBS_FORBIDDEN, 1);
		log_line(LOG_WARN, "verb client=%s verb=%s outcome=forbidden", asker.client,
			 verb->name);
		control_refuse(control, &asker, "forbidden",
			       "this key has not the role that the verb asks for");
	} else {
		metric_add(METRIC_VERBS, 1);
		log_line(LOG_INFO, "verb client=%s verb=%s", asker.client, verb->name);
		verb->answer(control->options.verbs_context, control, &asker, message->verb.args);
	}
	return true;
}

int control_create(const struct control_options *options, struct control **out,
		   struct lk_error *err)
{
	struct control *control = calloc(1, sizeof(*control));

	if (control == NULL)
		return lk_fail(err, LK_EMEMORY, "no memory for the control lane");
	control->options = *options;
	const struct lane_options lane = {
		.place = options->place,
		.access = options->access,
		.name = "control",
		.takes = LK_CONTROL_TAKES,
		.bite = CONTROL_BITE,
		.handle = handle,
		.owner = control,
	};
	int rc = lane_create(&lane, &control->lane, err);
	if (rc < 0) {
		free(control);
		return rc;
	}
	*out = control;
	return 0;
}

void control_destroy(struct control *control)
{
	if (control == NULL)
		return;
	lane_destroy(control->lane);
	free(control);
}

struct lane *control_lane(struct control *control)
{
	return control->lane;
}
