/* control.h - questions and orders of operators and auditors: a table of verbs, each with a role.
 * protocol.md, "Lanes".
 *
 * {m: verb, v, id, args} is answered by one or more {m: reply, id, ok, more, body}. A refusal has
 * ok false and a body {code, detail}; somebody without the verb's role gets code `forbidden`. One
 * thread.
 */
#ifndef LINKAGES_CONTROL_H
#define LINKAGES_CONTROL_H

#include "roster.h"
#include "zsock.h"
#include <linkages/wire.h>

struct access;
struct control;
struct lane;

/* Why a verb is refused. C(code, what it means) */
#define CONTROL_REFUSALS(C) \
	C("unknown_verb", "this daemon knows no such verb") \
	C("forbidden", "this key has not the role that the verb asks for") \
	C("bad_value", "an argument is missing or makes no sense") \
	C("not_found", "no such case, notice, event") \
	C("not_now", "what is asked cannot be done at present") \
	C("refused", "a file does not say what it should") \
	C("too_large", "the answer is more than a message may hold") \
	C("busy", "the store cannot answer now")

/* Whom an answer goes to; may be kept until later. */
struct control_asker {
	uint32_t route;
	int64_t id;
	roster_id client;
};

/* A verb. `answer` replies at once or later: once with more false, or with a refusal. `args` is
 * a map, or {NULL, 0}; borrowed until it returns. */
struct control_verb {
	const char *name;
	enum roster_role role;
	void (*answer)(void *context, struct control *control, const struct control_asker *asker,
		       struct lk_span args);
};

struct control_options {
	struct zsock_place place;
	struct access *access;
	const struct control_verb *verbs; /* borrowed */
	size_t verbs_n;
	void *verbs_context;
};

int control_create(const struct control_options *options, struct control **out,
		   struct lk_error *err) LK_MUST_CHECK;
void control_destroy(struct control *control); /* NULL-safe */
struct lane *control_lane(struct control *control);
/* One part of an answer; `body` is one encoded value, or NULL. */
void control_reply(struct control *control, const struct control_asker *asker, bool more,
		   const struct lk_bytes *body);
/* `code` is one of CONTROL_REFUSALS. */
void control_refuse(struct control *control, const struct control_asker *asker, const char *code,
		    const char *detail);

#endif
