/* groups.c - the kinds that hold several values: lists, sets, and maps inside maps.
 *
 * In: a scanned list or map. Out: a part of a struct, or a refusal whose path leads to the very
 * item. Promise: no list grows beyond the room of its struct, whatever the bytes say.
 */
#include "fields.h"

#include <string.h>
#include <threads.h>

FIELD_TABLE(other_fields, struct lk_other, FIELDS_other)
FIELD_TABLE(member_fields, struct lk_member, FIELDS_member)
FIELD_TABLE(about_fields, struct lk_about, LK_FIELDS_about)
FIELD_TABLE(contact_fields, struct lk_contact, FIELDS_contact)
FIELD_TABLE(because_fields, struct lk_notice, FIELDS_because)
FIELD_TABLE(answered_fields, struct lk_notice, FIELDS_answered)

/* Reads item number i of a list into the object. */
typedef int item_reader(struct reader *r, const struct field *f, struct lk_span item, size_t i,
			void *object);

static int items_read(struct reader *r, const struct field *f, struct lk_span list, int64_t max,
		      item_reader *read, void *object)
{
	struct lk_span key, item;
	size_t cursor = 0;

	if (span_kind(list) != SPAN_ARRAY)
		return refuse(r->why, LK_BAD_TYPE, "This must be a list.");
	if (lk_count(list) > max)
		return refuse(r->why, LK_BAD_VALUE, "This list is too long.");
	for (size_t i = 0; lk_next(list, &cursor, &key, &item); i++) {
		if (read(r, f, item, i, object) < 0)
			return refuse_at(r->why, i);
	}
	return 0;
}

/* ---- Sets of codes --------------------------------------------------------------------------- */

static int set_item_read(struct reader *r, const struct field *f, struct lk_span item, size_t i,
			 void *object)
{
	unsigned *set = field_in(f, object);
	int code;

	(void)i;
	if (code_read(r, f, item, &code) < 0)
		return LK_EREFUSED;
	if (code >= 0)
		*set |= 1u << code;
	return 0;
}

/* A word said twice is in the set once; how long the list may be is the scan's affair. */
static int set_read(struct reader *r, const struct field *f, struct lk_span value, void *object)
{
	return items_read(r, f, value, INT64_MAX, set_item_read, object);
}

static int topicset_read(struct reader *r, const struct field *f, struct lk_span value,
			 void *object)
{
	if (lk_count(value) == 0 && span_kind(value) == SPAN_ARRAY)
		return refuse(r->why, LK_BAD_VALUE, "This list must not be empty.");
	return set_read(r, f, value, object);
}

static void set_write(const struct field *f, const void *object, struct lk_bytes *out)
{
	const unsigned *set = field_of(f, object);

	lk_put_array(out, (uint32_t)__builtin_popcount(*set));
	for (int code = 0; f->code_word(code) != NULL; code++) {
		if ((*set >> code & 1) != 0)
			lk_put_word(out, f->code_word(code));
	}
}

static void set_clear(const struct field *f, void *object)
{
	unsigned *set = field_in(f, object);

	*set = 0;
}

static bool set_given(const struct field *f, const void *object)
{
	const unsigned *set = field_of(f, object);

	return *set != 0;
}

const struct kind kind_topicset = { topicset_read, set_write, set_clear, set_given };
const struct kind kind_reasons = { set_read, set_write, set_clear, set_given };

/* ---- Workers --------------------------------------------------------------------------------- */

static int worker_item_read(struct reader *r, const struct field *f, struct lk_span item, size_t i,
			    void *object)
{
	struct lk_workers *workers = field_in(f, object);

	workers->n = (uint32_t)i + 1;
	return token_read(r, item, 64, WORKER_MARKS, &workers->at[i]);
}

static int workers_read(struct reader *r, const struct field *f, struct lk_span value, void *object)
{
	return items_read(r, f, value, f->max, worker_item_read, object);
}

static void workers_write(const struct field *f, const void *object, struct lk_bytes *out)
{
	const struct lk_workers *workers = field_of(f, object);

	lk_put_array(out, workers->n);
	for (uint32_t i = 0; i < workers->n; i++)
		lk_put_text(out, workers->at[i]);
}

static void workers_clear(const struct field *f, void *object)
{
	struct lk_workers *workers = field_in(f, object);

	workers->n = 0;
}

static bool workers_given(const struct field *f, const void *object)
{
	const struct lk_workers *workers = field_of(f, object);

	return workers->n > 0;
}

const struct kind kind_workers = { workers_read, workers_write, workers_clear, workers_given };

/* ---- Members of a family, and their tokens --------------------------------------------------- */

static int keys_read(struct reader *r, const struct field *f, struct lk_span value, void *object)
{
	struct lk_text *keys = field_in(f, object);
	struct lk_span word, token;
	size_t cursor = 0;

	if (span_kind(value) != SPAN_MAP)
		return refuse(r->why, LK_BAD_TYPE, "This must be a map.");
	while (lk_next(value, &cursor, &word, &token)) {
		int code = f->code(lk_as_text(word));

		if (code < 0 || lk_is_nil(token))
			continue; /* another agreement's token, or none */
		if (key_read(r, token, &keys[code]) < 0)
			return refuse_under(r->why, f->code_word(code));
	}
	return 0;
}

static uint32_t keys_count(const struct field *f, const void *object)
{
	const struct lk_text *keys = field_of(f, object);
	uint32_t n = 0;

	for (int code = 0; code < lk_key_kind_count; code++)
		n += keys[code].at != NULL;
	return n;
}

static void keys_write(const struct field *f, const void *object, struct lk_bytes *out)
{
	const struct lk_text *keys = field_of(f, object);

	lk_put_map(out, keys_count(f, object));
	for (int code = 0; code < lk_key_kind_count; code++) {
		if (keys[code].at == NULL)
			continue;
		lk_put_word(out, f->code_word(code));
		lk_put_text(out, keys[code]);
	}
}

static void keys_clear(const struct field *f, void *object)
{
	memset(field_in(f, object), 0, lk_key_kind_count * sizeof(struct lk_text));
}

static bool keys_given(const struct field *f, const void *object)
{
	return keys_count(f, object) > 0;
}

const struct kind kind_keys = { keys_read, keys_write, keys_clear, keys_given };

static int member_item_read(struct reader *r, const struct field *f, struct lk_span item, size_t i,
			    void *object)
{
	struct lk_members *members = field_in(f, object);

	members->n = (uint32_t)i + 1;
	fields_clear(member_fields(), &members->at[i]);
	return fields_read(r, member_fields(), item, &members->at[i]);
}

static int members_read(struct reader *r, const struct field *f, struct lk_span value, void *object)
{
	return items_read(r, f, value, f->max, member_item_read, object);
}

static void members_write(const struct field *f, const void *object, struct lk_bytes *out)
{
	const struct lk_members *members = field_of(f, object);

	lk_put_array(out, members->n);
	for (uint32_t i = 0; i < members->n; i++)
		fields_put(member_fields(), &members->at[i], out);
}

static void members_clear(const struct field *f, void *object)
{
	struct lk_members *members = field_in(f, object);

	members->n = 0;
}

static bool members_given(const struct field *f, const void *object)
{
	const struct lk_members *members = field_of(f, object);

	return members->n > 0;
}

const struct kind kind_members = { members_read, members_write, members_clear, members_given };

/* ---- The other case of a link ---------------------------------------------------------------- */

static int other_read(struct reader *r, const struct field *f, struct lk_span value, void *object)
{
	return fields_read(r, other_fields(), value, field_in(f, object));
}

static void other_write(const struct field *f, const void *object, struct lk_bytes *out)
{
	fields_put(other_fields(), field_of(f, object), out);
}

static void other_clear(const struct field *f, void *object)
{
	fields_clear(other_fields(), field_in(f, object));
}

static bool other_given(const struct field *f, const void *object)
{
	const struct lk_other *other = field_of(f, object);

	return other->number.at != NULL;
}

const struct kind kind_other = { other_read, other_write, other_clear, other_given };

/* ---- What a notice is about ------------------------------------------------------------------ */

static int proposal_item_read(struct reader *r, const struct field *f, struct lk_span item,
			      size_t i, void *object)
{
	struct lk_proposals *proposals = field_in(f, object);

	proposals->n = (uint32_t)i + 1;
	return time_read(r, item, &proposals->at[i]);
}

static int proposals_read(struct reader *r, const struct field *f, struct lk_span value,
			  void *object)
{
	return items_read(r, f, value, f->max, proposal_item_read, object);
}

static void proposals_write(const struct field *f, const void *object, struct lk_bytes *out)
{
	const struct lk_proposals *proposals = field_of(f, object);

	lk_put_array(out, proposals->n);
	for (uint32_t i = 0; i < proposals->n; i++)
		lk_put_time(out, proposals->at[i]);
}

static void proposals_clear(const struct field *f, void *object)
{
	struct lk_proposals *proposals = field_in(f, object);

	proposals->n = 0;
}

static bool proposals_given(const struct field *f, const void *object)
{
	const struct lk_proposals *proposals = field_of(f, object);

	return proposals->n > 0;
}

const struct kind kind_proposals = { proposals_read, proposals_write, proposals_clear,
				     proposals_given };

/* As of a notice (notice.c): copied, not cleared row by row. */
static struct lk_about absent;

static void absent_make(void)
{
	fields_clear(about_fields(), &absent);
}

void lk_about_clear(struct lk_about *about)
{
	static once_flag once = ONCE_FLAG_INIT;

	call_once(&once, absent_make);
	*about = absent;
}

static int about_read(struct reader *r, const struct field *f, struct lk_span value, void *object)
{
	bool before = r->tolerant;
	int result;

	r->tolerant = true;
	result = fields_read(r, about_fields(), value, field_in(f, object));
	r->tolerant = before;
	return result;
}

static void about_write(const struct field *f, const void *object, struct lk_bytes *out)
{
	fields_put(about_fields(), field_of(f, object), out);
}

static void about_clear(const struct field *f, void *object)
{
	lk_about_clear(field_in(f, object));
}

/* A withdrawal that may no longer be shown has no instant, and then neither a matter nor a
 * cause. */
static bool about_given(const struct field *f, const void *object)
{
	const struct lk_notice *notice = object;

	return notice->at.at != LK_NO_INSTANT || fields_any(about_fields(), field_of(f, object));
}

const struct kind kind_about = { about_read, about_write, about_clear, about_given };

/* ---- The parts of a notice that lie in its own struct ---------------------------------------- */

static int because_read(struct reader *r, const struct field *f, struct lk_span value, void *object)
{
	(void)f;
	return fields_read(r, because_fields(), value, object);
}

static void because_write(const struct field *f, const void *object, struct lk_bytes *out)
{
	(void)f;
	fields_put(because_fields(), object, out);
}

static void because_clear(const struct field *f, void *object)
{
	(void)f;
	fields_clear(because_fields(), object);
}

static bool because_given(const struct field *f, const void *object)
{
	const struct lk_notice *notice = object;

	(void)f;
	return notice->at.at != LK_NO_INSTANT || fields_any(because_fields(), object);
}

const struct kind kind_because = { because_read, because_write, because_clear, because_given };

static int answered_read(struct reader *r, const struct field *f, struct lk_span value,
			 void *object)
{
	(void)f;
	return fields_read(r, answered_fields(), value, object);
}

static void answered_write(const struct field *f, const void *object, struct lk_bytes *out)
{
	(void)f;
	fields_put(answered_fields(), object, out);
}

static void answered_clear(const struct field *f, void *object)
{
	(void)f;
	fields_clear(answered_fields(), object);
}

static bool answered_given(const struct field *f, const void *object)
{
	const struct lk_notice *notice = object;

	(void)f;
	return notice->answered_by.at != NULL;
}

const struct kind kind_answered = { answered_read, answered_write, answered_clear, answered_given };

static int event_item_read(struct reader *r, const struct field *f, struct lk_span item, size_t i,
			   void *object)
{
	struct lk_notice *notice = object;

	(void)f;
	notice->events_n = (uint32_t)i + 1;
	return text_read(r, item, 1, EVENT_NAME_MAX, &notice->events[i]);
}

static int events_read(struct reader *r, const struct field *f, struct lk_span value, void *object)
{
	return items_read(r, f, value, f->max, event_item_read, object);
}

static void events_write(const struct field *f, const void *object, struct lk_bytes *out)
{
	const struct lk_notice *notice = object;

	(void)f;
	lk_put_array(out, notice->events_n);
	for (uint32_t i = 0; i < notice->events_n; i++)
		lk_put_text(out, notice->events[i]);
}

static void events_clear(const struct field *f, void *object)
{
	struct lk_notice *notice = object;

	(void)f;
	notice->events_n = 0;
}

static bool events_given(const struct field *f, const void *object)
{
	const struct lk_notice *notice = object;

	(void)f;
	return notice->events_n > 0;
}

const struct kind kind_events = { events_read, events_write, events_clear, events_given };

static int contact_item_read(struct reader *r, const struct field *f, struct lk_span item, size_t i,
			     void *object)
{
	struct lk_notice *notice = object;

	(void)f;
	notice->contacts_n = (uint32_t)i + 1;
	fields_clear(contact_fields(), &notice->contacts[i]);
	return fields_read(r, contact_fields(), item, &notice->contacts[i]);
}

static int contacts_read(struct reader *r, const struct field *f, struct lk_span value,
			 void *object)
{
	return items_read(r, f, value, f->max, contact_item_read, object);
}

static void contacts_write(const struct field *f, const void *object, struct lk_bytes *out)
{
	const struct lk_notice *notice = object;

	(void)f;
	lk_put_array(out, notice->contacts_n);
	for (uint32_t i = 0; i < notice->contacts_n; i++)
		fields_put(contact_fields(), &notice->contacts[i], out);
}

static void contacts_clear(const struct field *f, void *object)
{
	struct lk_notice *notice = object;

	(void)f;
	notice->contacts_n = 0;
}

static bool contacts_given(const struct field *f, const void *object)
{
	const struct lk_notice *notice = object;

	(void)f;
	return notice->contacts_n > 0;
}

const struct kind kind_contacts = { contacts_read, contacts_write, contacts_clear, contacts_given };
