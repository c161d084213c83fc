/* turn_hand.c - events of the log at hand: what one late event of a batch had read, the next one need not read again.
 *
 * In: rows of the log, and what gatherings have read of whole cases. Out: the same events, decoded once. Promise: a case
 * is at hand whole or not at all, up to the last event admitted; nothing is at hand from one transaction to the next.
 */
#include "turn_parts.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* ---- One event ------------------------------------------------------------------------------- */

static struct lk_text put_text(uint8_t **at, struct lk_text text)
{
	if (!lk_text_given(text))
		return LK_NO_TEXT;
	memcpy(*at, text.at, text.len);
	struct lk_text copy = { (const char *)*at, text.len };
	*at += text.len;
	return copy;
}

struct gathered_event *gathered_copy(const struct stored_event *row)
{
	size_t texts = row->source.len + row->id.len + row->supersedes.len;
	struct gathered_event *e = calloc(1, sizeof(*e) + texts + row->body_len);
	if (e == NULL)
		return NULL;
	uint8_t *at = e->row;
	e->key = (struct fold_key){
		.at = row->time_at,
		.time_at = row->time_at,
		.source = put_text(&at, row->source),
		.sequence = row->has_sequence ? row->sequence : INT64_MAX,
		.place = row->has_outbox_seq ? row->outbox_seq : INT64_MAX,
	};
	e->key.id = put_text(&at, row->id);
	e->supersedes = put_text(&at, row->supersedes);
	e->type = row->type;
	e->body = at;
	e->body_len = row->body_len;
	memcpy(at, row->body, row->body_len);
	return e;
}

void gathered_free(struct gathered_event *e)
{
	if (e != NULL)
		free(e->decoded);
	free(e);
}

/* What is there of an event of this type, behind the envelope. */
static size_t decoded_len(enum lk_event_type type)
{
#define DECODED_LEN(enumerator, tag, word) \
	[enumerator] = offsetof(struct lk_event, tag) + sizeof(struct lk_##tag),
	static const size_t len[lk_event_type_count] = { LK_EVENT_TYPES(DECODED_LEN) };
	return len[type];
}

int gathered_decode(struct turn *t, struct gathered_event *e, struct lk_event *out,
		    struct lk_error *err)
{
	struct lk_refused why;
	if (e->decoded != NULL) {
		memcpy(out, e->decoded, e->decoded_len);
		return 0;
	}
	if (lk_event_decode(e->body, e->body_len, turn_agency_of, t, out, &why) < 0)
		return lk_fail(err, LK_ESTORE, "event in the log is refused now: %s %s",
			       lk_refusal_word((int)why.reason), why.field);
	if (!t->is_taking)
		return 0;
	e->decoded_len = decoded_len(out->type);
	e->decoded = malloc(e->decoded_len);
	if (e->decoded != NULL)
		memcpy(e->decoded, out, e->decoded_len);
	return 0;
}

/* ---- Cases at hand --------------------------------------------------------------------------- */

#define HAND_EVENTS 8192

struct hand_case {
	int agency;
	char number[33];
	struct gathered_event **events;
	uint32_t n, room;
};

struct hand {
	struct hand_case cases[HAND_CASES];
	uint32_t n, events_n;
};

static struct hand_case *hand_find(const struct turn *t, struct case_key key)
{
	for (uint32_t i = 0; t->hand != NULL && i < t->hand->n; i++) {
		struct hand_case *k = &t->hand->cases[i];
		if (k->agency == key.agency && lk_text_says(key.number, k->number))
			return k;
	}
	return NULL;
}

static void case_free(struct hand_case *k)
{
	for (uint32_t i = 0; i < k->n; i++)
		gathered_free(k->events[i]);
	free(k->events);
}

void hand_drop(struct turn *t)
{
	for (uint32_t i = 0; t->hand != NULL && i < t->hand->n; i++)
		case_free(&t->hand->cases[i]);
	free(t->hand);
	t->hand = NULL;
}

void hand_note(struct turn *t, const struct stored_event *row)
{
	struct hand_case *k = hand_find(t, (struct case_key){ row->agency, row->number });
	if (k == NULL || row->ahead || row->type < 0)
		return;
	struct gathered_event *e = gathered_copy(row);
	struct gathered_event **wider =
		e != NULL ? vector_grown(k->events, k->n, &k->room, sizeof(*wider)) : NULL;
	if (wider == NULL) { /* no memory to have the case whole */
		gathered_free(e);
		hand_drop(t);
		return;
	}
	k->events = wider;
	k->events[k->n++] = e;
	t->hand->events_n++;
}

bool hand_take(struct turn *t, struct case_key key, struct gathered_list *out)
{
	struct hand_case *k = hand_find(t, key);
	if (k == NULL)
		return false;
	*out = (struct gathered_list){ k->events, k->n };
	t->hand->events_n -= k->n;
	*k = t->hand->cases[--t->hand->n];
	return true;
}

static bool has_room(struct turn *t, uint32_t more)
{
	if (t->hand != NULL && (t->hand->n == HAND_CASES || t->hand->events_n + more > HAND_EVENTS))
		hand_drop(t);
	if (t->hand == NULL)
		t->hand = calloc(1, sizeof(*t->hand));
	return t->hand != NULL && more <= HAND_EVENTS;
}

void hand_give(struct turn *t, struct case_key key, const struct gathered_list *list)
{
	/* Room that is none would be another's: give_back() makes it for one more than there are. */
	struct hand_case k = {
		.agency = key.agency, .events = list->at, .n = list->n, .room = list->n + 1
	};
	if (k.n == 0) { /* a vector without room is none of its own */
		free(k.events);
		k.events = NULL;
	}
	if (key.number.len >= sizeof(k.number) || hand_find(t, key) != NULL || !has_room(t, k.n)) {
		case_free(&k);
		return;
	}
	memcpy(k.number, key.number.at, key.number.len);
	t->hand->cases[t->hand->n++] = k;
	t->hand->events_n += k.n;
}
