/* verbs_letters.c - dead letters: input that was refused, listed, read, and submitted again.
 *
 * In: numbers; a corrected event. Out: reasons and places for operators; what was refused, for auditors. Promise: what a
 * letter says is shown only after its purpose is in the ledger; what is submitted in its place goes the way of any event,
 * under the source and the id that the letter has.
 */
#include "verbs.h"

#include "daemon.h"

#include <stdio.h>

/* ---- dead-letters ----------------------------------------------------------------------------- */

#define LETTERS_A_PART 100
#define LETTERS_DEFAULT 100
#define LETTERS_MOST 10000

struct letters {
	struct lk_bytes items;
	uint32_t n;
	int64_t last;
	bool with_body;
};

static void put_hex(struct lk_bytes *out, const uint8_t *bytes, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	struct lk_bytes text = { 0 };

	for (size_t i = 0; i < len; i++)
		lk_bytes_add(&text, &(char[2]){ digits[bytes[i] >> 4], digits[bytes[i] & 15] }, 2);
	out->failed |= text.failed;
	lk_put_text(out,
		    (struct lk_text){ len > 0 ? (const char *)text.at : "", (uint32_t)text.len });
	lk_bytes_free(&text);
}

/* An event as `json`; bytes that are none as `hex`; the other one nil. */
static void put_body(struct lk_bytes *out, const struct dead_letter *letter)
{
	struct lk_bytes text = { 0 };
	bool is_event = lk_wire_scan(letter->body, letter->body_len, &lk_event_limits, NULL) == 0 &&
			lk_wire_to_json(letter->body, letter->body_len, &text) == 0;

	lk_put_word(out, "json");
	if (is_event)
		lk_put_text(out, (struct lk_text){ (const char *)text.at, (uint32_t)text.len });
	else
		lk_put_nil(out);
	lk_put_word(out, "hex");
	if (is_event)
		lk_put_nil(out);
	else
		put_hex(out, letter->body, letter->body_len);
	out->failed |= text.failed;
	lk_bytes_free(&text);
}

static int put_letter(void *context, const struct dead_letter *letter)
{
	struct letters *l = context;

	lk_put_map(&l->items, l->with_body ? 10 : 8);
	lk_member_int(&l->items, "number", letter->number);
	lk_member_text(&l->items, "source", letter->source);
	lk_put_word(&l->items, "seq");
	if (letter->has_seq)
		lk_put_int(&l->items, letter->seq);
	else
		lk_put_nil(&l->items);
	verb_put_instant(&l->items, "at", letter->received_at);
	lk_member_word(&l->items, "reason", lk_refusal_word((int)letter->reason));
	lk_member_text(&l->items, "field", letter->field.len > 0 ? letter->field : LK_NO_TEXT);
	lk_member_text(&l->items, "detail", letter->detail);
	lk_member_bool(&l->items, "settled", letter->position != 0);
	if (l->with_body)
		put_body(&l->items, letter);
	l->last = letter->number;
	l->n++;
	return 0;
}

/* {letters: [...], next}: `next` is what to ask `after` to go on. */
static void reply_letters(struct control *control, const struct control_asker *asker,
			  const struct letters *l, bool more)
{
	struct lk_bytes body = { 0 };

	lk_put_map(&body, 2);
	lk_put_word(&body, "letters");
	lk_put_array(&body, l->n);
	lk_bytes_add(&body, l->items.at, l->items.len);
	lk_member_int(&body, "next", l->last);
	control_reply(control, asker, more, &body);
	lk_bytes_free(&body);
}

void verb_dead_letters(void *context, struct control *control, const struct control_asker *asker,
		       struct lk_span args)
{
	struct daemon *d = context;
	struct letters l = { 0 };
	struct lk_error err = { 0 };
	int64_t after = 0, limit = LETTERS_DEFAULT;
	bool more = true;
	int rc = 0;

	(void)lk_as_int(lk_get(args, "after"), &after);
	(void)lk_as_int(lk_get(args, "limit"), &limit);
	if (after < 0 || limit < 1 || limit > LETTERS_MOST) {
		control_refuse(control, asker, "bad_value", "after: 0 or more; limit: 1 to 10000");
		return;
	}
	for (l.last = after; rc >= 0 && more; limit -= LETTERS_A_PART) {
		int part = limit < LETTERS_A_PART ? (int)limit : LETTERS_A_PART;
		lk_bytes_clear(&l.items);
		l.n = 0;
		rc = store_dead_letters(d->store, l.last, part, put_letter, &l, &err);
		more = l.n == LETTERS_A_PART && limit > LETTERS_A_PART;
		if (rc >= 0)
			reply_letters(control, asker, &l, more);
	}
	if (rc < 0)
		verb_fail(control, asker, &err);
	lk_bytes_free(&l.items);
}

/* ---- dead-letters-read ------------------------------------------------------------------------ */

/* A part may be one letter longer, and stays below what a message takes. */
#define READ_BYTES (96u * 1024)

/* Stops where the part is full. */
static int put_whole_letter(void *context, const struct dead_letter *letter)
{
	struct letters *l = context;
	int rc = put_letter(context, letter);

	return rc == 0 && l->items.len > READ_BYTES ? 1 : rc;
}

/* One part; whoever wants more asks after `next`. An empty one is the end. */
void verb_dead_letters_read(void *context, struct control *control,
			    const struct control_asker *asker, struct lk_span args)
{
	struct daemon *d = context;
	struct letters l = { .with_body = true };
	struct lk_error err = { 0 };
	int64_t after = 0, limit = LETTERS_DEFAULT;
	char about[80];
	int rc;

	(void)lk_as_int(lk_get(args, "after"), &after);
	(void)lk_as_int(lk_get(args, "limit"), &limit);
	if (after < 0 || limit < 1 || limit > LETTERS_MOST) {
		control_refuse(control, asker, "bad_value", "after: 0 or more; limit: 1 to 10000");
		return;
	}
	l.last = after;
	rc = store_dead_letters(d->store, after, (int)limit, put_whole_letter, &l, &err);
	(void)snprintf(about, sizeof(about), "dead letters %lld to %lld", (long long)after + 1,
		       (long long)l.last);
	if (rc >= 0)
		rc = verb_purpose(d, asker, args, about, &err);
	if (rc >= 0)
		reply_letters(control, asker, &l, false);
	else
		verb_fail(control, asker, &err);
	lk_bytes_free(&l.items);
}

/* ---- dead-letter-resubmit --------------------------------------------------------------------- */

struct corrected {
	struct daemon *daemon;
	int64_t number;
	char source[65], id[65];
	bool found, has_id;
	struct lk_event event;
	int64_t position;
};

static int note_letter(void *context, const struct dead_letter *letter)
{
	struct corrected *c = context;
	struct lk_text id = LK_NO_TEXT;

	if (letter->number != c->number)
		return 1;
	if (lk_wire_scan(letter->body, letter->body_len, &lk_event_limits, NULL) == 0)
		id = lk_as_text(lk_get(lk_span_of(letter->body, letter->body_len), "id"));
	c->found = true;
	c->has_id = id.len > 0 && id.len < sizeof(c->id);
	(void)snprintf(c->source, sizeof(c->source), "%.*s", LK_PRINT(letter->source));
	if (c->has_id)
		(void)snprintf(c->id, sizeof(c->id), "%.*s", LK_PRINT(id));
	return 1;
}

/* What makes no sense again is told at once, and kept nowhere. */
static int corrected_read(struct corrected *c, struct lk_span event, struct lk_error *err)
{
	struct lk_refused why = { 0 };
	int rc = store_dead_letters(c->daemon->store, c->number - 1, 1, note_letter, c, err);

	if (rc < 0)
		return rc;
	if (!c->found)
		return lk_fail(err, LK_ENOTFOUND, "there is no dead letter %lld",
			       (long long)c->number);
	if (lk_event_decode(event.at, event.len, turn_agency_of, c->daemon->turn, &c->event, &why) <
	    0)
		return lk_fail(err, LK_EREFUSED, "%s%s%s: %s", lk_refusal_word((int)why.reason),
			       why.field[0] != '\0' ? " " : "", why.field, why.detail);
	if (!lk_text_says(c->event.source, c->source))
		return lk_fail(err, LK_EREFUSED, "source: the letter is of %s", c->source);
	if (c->has_id && !lk_text_says(c->event.id, c->id))
		return lk_fail(err, LK_EREFUSED, "id: a corrected event keeps its own");
	return 0;
}

static int note_position(void *context, const struct stored_event *row)
{
	struct corrected *c = context;

	c->position = row->position;
	return 0;
}

static int corrected_settle(struct corrected *c, struct lk_error *err)
{
	struct store *s = c->daemon->store;
	int rc = store_event_find(s, c->event.source, c->event.id, note_position, c, err);

	if (rc > 0 && (rc = store_begin(s, err)) == 0)
		rc = store_dead_letter_settled(s, c->number, c->position, err);
	if (rc == 0)
		rc = store_commit(s, err);
	if (rc < 0)
		store_rollback(s);
	return rc;
}

static int corrected_submit(struct corrected *c, struct lk_span event, struct turn_verdict *verdict,
			    struct lk_error *err)
{
	const struct turn_event in = { .bytes = event.at,
				       .len = event.len,
				       .source = c->event.source };
	int rc = turn_events(c->daemon->turn, clock_now(&c->daemon->clock), &in, 1, verdict, err);

	if (rc < 0)
		return rc;
	if (verdict->outcome == TURN_REFUSED)
		return lk_fail(err, LK_EREFUSED, "%s %s: %s",
			       lk_refusal_word((int)verdict->refused.reason),
			       verdict->refused.field, verdict->refused.detail);
	return corrected_settle(c, err);
}

void verb_dead_letter_resubmit(void *context, struct control *control,
			       const struct control_asker *asker, struct lk_span args)
{
	static struct corrected c; /* an event is large */
	struct lk_span event = lk_get(args, "event");
	struct turn_verdict verdict = { 0 };
	struct lk_bytes body = { 0 };
	struct lk_error err = { 0 };
	char about[64];
	int rc;

	c = (struct corrected){ .daemon = context };
	(void)lk_as_int(lk_get(args, "number"), &c.number);
	(void)snprintf(about, sizeof(about), "dead letter %lld, submitted again",
		       (long long)c.number);
	rc = corrected_read(&c, event, &err);
	if (rc == 0)
		rc = verb_purpose(context, asker, args, about, &err);
	if (rc == 0)
		rc = corrected_submit(&c, event, &verdict, &err);
	if (rc < 0) {
		verb_fail(control, asker, &err);
		return;
	}
	lk_put_map(&body, 2);
	lk_member_word(&body, "outcome", verdict.outcome == TURN_APPLIED ? "applied" : "repeated");
	lk_member_int(&body, "position", c.position);
	control_reply(control, asker, false, &body);
	lk_bytes_free(&body);
}
