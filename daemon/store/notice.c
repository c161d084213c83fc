/* notice.c - what a notice says, as its row in a mailbox keeps it: a quarter of what goes on the wire.
 *
 * In: a notice and its row. Out: bytes; and the same notice again. Promise: a notice that is read is,
 * member by member, the one that was told, or it is damaged and shown to nobody: the row's sum is of
 * all that it says, the phrases that it names spelled out.
 *
 * Nothing stands twice: what a column says, and what follows from the kind, is a bit in a mask. Codes
 * are their numbers; whoever has a case, a citation, a source is a phrase (phrase.c). What an order may
 * have to take away (a milestone, a meeting, an event's own id) is spelled here, in the row itself, by pieces of words where
 * that is shorter (spelling.c).
 *
 * Layout: how long before its telling the cause happened; the mask of members that are given, in the
 * order of `members`; their values in that order. Numbers are varints, seven bits a byte, the lowest
 * first; those that may be negative zigzag.
 */
#include "delta.h"
#include "internal.h"

#include <assert.h>
#include <string.h>

/* ---- Bytes ----------------------------------------------------------------------------------- */

struct packing {
	struct store *store;
	const struct stored_notice *row;
	struct lk_bytes *out;
	struct lk_error *err;
	int rc;
};

struct unpacking {
	struct store *store; /* which knows phrases; NULL: they are spelled out */
	const uint8_t *phrases;
	const struct spelling *spelling;
	const struct stored_notice *row;
	struct said_room *room;
	const uint8_t *at, *end;
	struct lk_error *err;
	int rc;     /* the store's */
	bool wrong; /* these are not bytes that were packed */
};

static uint64_t get_number(struct unpacking *u)
{
	struct delta_bytes rest = { u->at, (size_t)(u->end - u->at) };
	uint64_t value;
	bool taken = delta_number_take(&rest, &value);

	u->at = rest.at;
	u->wrong |= !taken;
	return taken ? value : 0;
}

static void put_signed(struct lk_bytes *out, int64_t value)
{
	delta_number(out, (uint64_t)value << 1 ^ (uint64_t)(value >> 63));
}

static int64_t get_signed(struct unpacking *u)
{
	uint64_t value = get_number(u);

	return (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
}

/* In units of `unit` where it is a whole number of them. */
static void put_measure(struct lk_bytes *out, int64_t value, int64_t unit)
{
	bool is_odd = value % unit != 0;
	int64_t n = is_odd ? value : value / unit;

	delta_number(out, ((uint64_t)n << 1 ^ (uint64_t)(n >> 63)) << 1 | is_odd);
}

static int64_t get_measure(struct unpacking *u, int64_t unit)
{
	uint64_t value = get_number(u), zigzag = value >> 1;
	int64_t n = (int64_t)(zigzag >> 1) ^ -(int64_t)(zigzag & 1);

	if ((value & 1) != 0 || n > INT64_MAX / unit || n < INT64_MIN / unit)
		return n;
	return n * unit;
}

static void put_spelled(struct lk_bytes *out, struct lk_text text)
{
	delta_number(out, text.len);
	lk_bytes_add(out, text.at, text.len);
}

/* Borrowed from the bytes. */
static struct lk_text get_letters(struct unpacking *u, uint64_t len)
{
	struct lk_text text = { (const char *)u->at, (uint32_t)len };

	if (u->wrong || len > (uint64_t)(u->end - u->at)) {
		u->wrong = true;
		return LK_NO_TEXT;
	}
	u->at += len;
	return text;
}

static struct lk_text get_spelled(struct unpacking *u)
{
	return get_letters(u, get_number(u));
}

/* ---- Phrases --------------------------------------------------------------------------------- */

/* The sum of the row is of what they say, in the order in which they are named. */
static void put_phrase(struct packing *p, const void *at, size_t len)
{
	int64_t ref = 0;

	if (p->rc == 0)
		p->rc = phrase_ref(p->store, at, len, &ref, p->err);
	delta_number(p->out, (uint64_t)ref);
	sum_blob(&p->store->scratch, at, len);
}

/* Room in which a text lasts as long as the notice does. */
static char *room_take(struct unpacking *u, size_t len)
{
	struct said_room *room = u->room;

	if (len > sizeof(room->texts) - room->used) {
		u->wrong = true;
		return NULL;
	}
	room->used += len;
	return room->texts + room->used - len;
}

static struct lk_text room_copy(struct unpacking *u, struct lk_text text)
{
	char *at = room_take(u, text.len);

	if (at == NULL)
		return LK_NO_TEXT;
	if (text.len > 0)
		memcpy(at, text.at, text.len);
	return (struct lk_text){ at, text.len };
}

/* Borrowed until the next one is asked for. */
static struct lk_text phrase_named(struct unpacking *u)
{
	int64_t ref = (int64_t)get_number(u);
	struct lk_text said = LK_NO_TEXT;

	if (u->store == NULL)
		return said_text(&u->phrases);
	if (!u->wrong && u->rc == 0) {
		int rc = phrase_get(u->store, ref, &said, u->err);

		u->wrong = rc == 0;
		u->rc = rc < 0 ? rc : 0;
	}
	sum_blob(&u->store->scratch, said.at, said.len);
	return said;
}

/* ---- Members --------------------------------------------------------------------------------- */

struct member {
	size_t offset; /* in struct lk_notice */
	const struct form *form;
};

/* How a kind of member is kept. */
struct form {
	bool (*given)(const struct lk_notice *n, const void *value);
	void (*put)(struct packing *p, const struct lk_notice *n, const void *value);
	void (*get)(struct unpacking *u, struct lk_notice *n, void *value);
};

static bool code_given(const struct lk_notice *n, const void *value)
{
	(void)n;
	return *(const int *)value != LK_NO_CODE;
}

static void code_put(struct packing *p, const struct lk_notice *n, const void *value)
{
	(void)n;
	delta_number(p->out, (uint64_t) * (const int *)value);
}

static void code_get(struct unpacking *u, struct lk_notice *n, void *value)
{
	(void)n;
	*(int *)value = (int)get_number(u);
}

static bool text_given(const struct lk_notice *n, const void *value)
{
	(void)n;
	return lk_text_given(*(const struct lk_text *)value);
}

/* By pieces of words; 0 bytes where that is not shorter. An event's notices say the same, one after the other. */
static struct delta_bytes spelled(struct store *s, struct lk_text text)
{
	struct spelled *last = &s->spelled;

	if (text.len == 0 || text.len > sizeof(last->text))
		return (struct delta_bytes){ NULL, 0 };
	if (text.len != last->len || memcmp(text.at, last->text, text.len) != 0) {
		last->len = text.len;
		memcpy(last->text, text.at, text.len);
		last->letters_len =
			spelling_put(&s->vocabulary.spelling, text, last->letters, text.len - 1);
	}
	return (struct delta_bytes){ last->letters, last->letters_len };
}

/* Its length, doubled; one more where it follows as it is. */
static void text_put(struct packing *p, const struct lk_notice *n, const void *value)
{
	struct lk_text text = *(const struct lk_text *)value;
	struct delta_bytes letters = spelled(p->store, text);

	(void)n;
	delta_number(p->out, (uint64_t)text.len << 1 | (letters.len == 0));
	if (letters.len > 0)
		lk_bytes_add(p->out, letters.at, letters.len);
	else
		lk_bytes_add(p->out, text.at, text.len);
}

static struct lk_text text_read(struct unpacking *u, size_t len)
{
	struct lk_bytes text = { .at = (uint8_t *)room_take(u, len), .room = len };

	if (u->wrong)
		return LK_NO_TEXT;
	u->at = spelling_take(u->spelling, u->at, u->end, len, &text);
	u->wrong = u->at == NULL;
	return (struct lk_text){ (const char *)text.at, (uint32_t)len };
}

static void text_get(struct unpacking *u, struct lk_notice *n, void *value)
{
	uint64_t len = get_number(u);

	(void)n;
	*(struct lk_text *)value =
		(len & 1) != 0 ? get_letters(u, len >> 1) : text_read(u, len >> 1);
}

static bool int_given(const struct lk_notice *n, const void *value)
{
	(void)n;
	return *(const int64_t *)value != INT64_MIN;
}

static void int_put(struct packing *p, const struct lk_notice *n, const void *value)
{
	(void)n;
	put_signed(p->out, *(const int64_t *)value);
}

static void int_get(struct unpacking *u, struct lk_notice *n, void *value)
{
	(void)n;
	*(int64_t *)value = get_signed(u);
}

static bool reasons_given(const struct lk_notice *n, const void *value)
{
	(void)n;
	return *(const unsigned *)value != 0;
}

static void reasons_put(struct packing *p, const struct lk_notice *n, const void *value)
{
	(void)n;
	delta_number(p->out, *(const unsigned *)value);
}

static void reasons_get(struct unpacking *u, struct lk_notice *n, void *value)
{
	(void)n;
	*(unsigned *)value = (unsigned)get_number(u);
}

static bool time_given(const struct lk_notice *n, const void *value)
{
	(void)n;
	return ((const struct lk_time *)value)->at != LK_NO_INSTANT;
}

#define OFFSET_UNIT 900 /* seconds: what offsets from UTC are made of */

static void time_put(struct packing *p, const struct lk_notice *n, const void *value)
{
	const struct lk_time *time = value;

	(void)n;
	put_measure(p->out, time->at, LK_MINUTE);
	put_measure(p->out, time->offset_s, OFFSET_UNIT);
}

static void time_get(struct unpacking *u, struct lk_notice *n, void *value)
{
	struct lk_time *time = value;

	(void)n;
	time->at = get_measure(u, LK_MINUTE);
	time->offset_s = (int32_t)get_measure(u, OFFSET_UNIT);
}

static bool proposals_given(const struct lk_notice *n, const void *value)
{
	(void)n;
	return ((const struct lk_proposals *)value)->n > 0;
}

static void proposals_put(struct packing *p, const struct lk_notice *n, const void *value)
{
	const struct lk_proposals *proposals = value;

	delta_number(p->out, proposals->n);
	for (uint32_t i = 0; i < proposals->n; i++)
		time_put(p, n, &proposals->at[i]);
}

static void proposals_get(struct unpacking *u, struct lk_notice *n, void *value)
{
	struct lk_proposals *proposals = value;
	uint64_t count = get_number(u);

	u->wrong |= count > LK_PROPOSALS_MAX;
	for (; !u->wrong && proposals->n < count; proposals->n++)
		time_get(u, n, &proposals->at[proposals->n]);
}

static bool date_given(const struct lk_notice *n, const void *value)
{
	(void)n;
	return *(const lk_date *)value != LK_NO_DATE;
}

static void date_put(struct packing *p, const struct lk_notice *n, const void *value)
{
	(void)n;
	put_signed(p->out, *(const lk_date *)value);
}

static void date_get(struct unpacking *u, struct lk_notice *n, void *value)
{
	(void)n;
	*(lk_date *)value = (lk_date)get_signed(u);
}

/* ---- Members that a column or the kind says already ------------------------------------------ */

/* The instant of the telling, on the clock of the county. */
static void at_put(struct packing *p, const struct lk_notice *n, const void *value)
{
	const struct lk_time *time = value;

	(void)n;
	put_measure(p->out, time->offset_s, OFFSET_UNIT);
	put_signed(p->out, time->at - p->row->told_at);
}

static void at_get(struct unpacking *u, struct lk_notice *n, void *value)
{
	struct lk_time *time = value;

	(void)n;
	time->offset_s = (int32_t)get_measure(u, OFFSET_UNIT);
	time->at = (lk_instant)((uint64_t)u->row->told_at + (uint64_t)get_signed(u));
}

static void level_put(struct packing *p, const struct lk_notice *n, const void *value)
{
	(void)n;
	assert(*(const int *)value == p->row->level);
	(void)p;
	(void)value;
}

static void level_get(struct unpacking *u, struct lk_notice *n, void *value)
{
	(void)n;
	*(int *)value = u->row->level;
}

/* A case's number: that of the column, or spelled. */
static void case_put(struct packing *p, struct lk_text column, struct lk_text number)
{
	bool is_same = lk_text_is(column, number);

	delta_number(p->out, is_same ? 0 : number.len);
	if (!is_same)
		lk_bytes_add(p->out, number.at, number.len);
}

static struct lk_text case_get(struct unpacking *u, struct lk_text column)
{
	struct lk_text spelled = get_spelled(u);

	return spelled.len == 0 ? column : spelled;
}

static void own_put(struct packing *p, const struct lk_notice *n, const void *value)
{
	(void)n;
	case_put(p, p->row->own.number, *(const struct lk_text *)value);
}

static void own_get(struct unpacking *u, struct lk_notice *n, void *value)
{
	(void)n;
	*(struct lk_text *)value = case_get(u, u->row->own.number);
}

static void other_put(struct packing *p, const struct lk_notice *n, const void *value)
{
	(void)n;
	case_put(p, p->row->other.number, *(const struct lk_text *)value);
}

static void other_get(struct unpacking *u, struct lk_notice *n, void *value)
{
	(void)n;
	*(struct lk_text *)value = case_get(u, u->row->other.number);
}

static struct lk_text word_of_kind(const struct stored_notice *row)
{
	return lk_text_of(lk_notice_kind_word(row->kind));
}

static void rule_put(struct packing *p, const struct lk_notice *n, const void *value)
{
	(void)n;
	case_put(p, word_of_kind(p->row), *(const struct lk_text *)value);
}

static void rule_get(struct unpacking *u, struct lk_notice *n, void *value)
{
	(void)n;
	*(struct lk_text *)value = case_get(u, word_of_kind(u->row));
}

/* ---- Members that others say too ------------------------------------------------------------- */

static void phrase_put(struct packing *p, const struct lk_notice *n, const void *value)
{
	const struct lk_text *text = value;

	(void)n;
	put_phrase(p, text->at, text->len);
}

static void phrase_take(struct unpacking *u, struct lk_notice *n, void *value)
{
	(void)n;
	*(struct lk_text *)value = room_copy(u, phrase_named(u));
}

/* "source/id": the source is a phrase, the id is the family's affair. */
static uint32_t source_len(struct lk_text name)
{
	const char *slash = memchr(name.at, '/', name.len);

	return slash == NULL ? 0 : (uint32_t)(slash - name.at) + 1;
}

static bool events_given(const struct lk_notice *n, const void *value)
{
	(void)value;
	return n->events_n > 0;
}

static void events_put(struct packing *p, const struct lk_notice *n, const void *value)
{
	(void)value;
	delta_number(p->out, n->events_n);
	for (uint32_t i = 0; i < n->events_n; i++) {
		struct lk_text name = n->events[i];
		uint32_t source = source_len(name);

		put_phrase(p, name.at, source);
		put_spelled(p->out, (struct lk_text){ name.at + source, name.len - source });
	}
}

static struct lk_text event_get(struct unpacking *u)
{
	struct lk_text source = room_copy(u, phrase_named(u)), id = get_spelled(u);
	char *rest = u->wrong ? NULL : room_take(u, id.len); /* lies behind the source */

	if (rest == NULL)
		return LK_NO_TEXT;
	if (id.len > 0)
		memcpy(rest, id.at, id.len);
	return (struct lk_text){ source.at, source.len + id.len };
}

static void events_get(struct unpacking *u, struct lk_notice *n, void *value)
{
	uint64_t count = get_number(u);

	(void)value;
	u->wrong |= count > LK_BECAUSE_MAX;
	while (!u->wrong && n->events_n < count)
		n->events[n->events_n++] = event_get(u);
}

/* Who works on a case is the same for all that is told of it: one phrase for all of them. */
static bool contacts_given(const struct lk_notice *n, const void *value)
{
	(void)value;
	return n->contacts_n > 0;
}

static void put_given(struct lk_bytes *out, struct lk_text text)
{
	delta_number(out, lk_text_given(text) ? (uint64_t)text.len + 1 : 0);
	if (text.len > 0)
		lk_bytes_add(out, text.at, text.len);
}

static void contacts_put(struct packing *p, const struct lk_notice *n, const void *value)
{
	struct lk_bytes *all = &p->store->contacts;

	(void)value;
	lk_bytes_clear(all);
	delta_number(all, n->contacts_n);
	for (uint32_t i = 0; i < n->contacts_n; i++) {
		const struct lk_contact *c = &n->contacts[i];

		put_signed(all, c->agency);
		put_signed(all, c->role);
		put_given(all, c->worker);
		put_given(all, c->name);
		put_given(all, c->phone);
	}
	if (all->failed)
		p->rc = lk_fail(p->err, LK_EMEMORY, "store: no memory for contacts");
	else
		put_phrase(p, all->at, all->len);
}

static struct lk_text get_given(struct unpacking *u)
{
	uint64_t len = get_number(u);
	struct lk_text text = { (const char *)u->at, (uint32_t)(len - 1) };

	if (len == 0 || u->wrong)
		return LK_NO_TEXT;
	if (len - 1 > (uint64_t)(u->end - u->at)) {
		u->wrong = true;
		return LK_NO_TEXT;
	}
	u->at += len - 1;
	return text;
}

static void contact_get(struct unpacking *u, struct lk_contact *c)
{
	c->agency = (int)get_signed(u);
	c->role = (int)get_signed(u);
	c->worker = get_given(u);
	c->name = get_given(u);
	c->phone = get_given(u);
}

static void contacts_get(struct unpacking *u, struct lk_notice *n, void *value)
{
	struct lk_text all = room_copy(u, phrase_named(u));
	struct unpacking inner = *u;
	uint64_t count;

	(void)value;
	inner.at = (const uint8_t *)all.at;
	inner.end = inner.at + all.len;
	count = u->wrong ? 0 : get_number(&inner);
	inner.wrong |= count > LK_CONTACTS_MAX;
	while (!inner.wrong && n->contacts_n < count)
		contact_get(&inner, &n->contacts[n->contacts_n++]);
	u->wrong |= inner.wrong;
}

/* ---- The table ------------------------------------------------------------------------------- */

static const struct form form_code = { code_given, code_put, code_get };
static const struct form form_text = { text_given, text_put, text_get };
static const struct form form_int = { int_given, int_put, int_get };
static const struct form form_reasons = { reasons_given, reasons_put, reasons_get };
static const struct form form_time = { time_given, time_put, time_get };
static const struct form form_proposals = { proposals_given, proposals_put, proposals_get };
static const struct form form_date = { date_given, date_put, date_get };
static const struct form form_at = { time_given, at_put, at_get };
static const struct form form_level = { code_given, level_put, level_get };
static const struct form form_own = { text_given, own_put, own_get };
static const struct form form_other = { text_given, other_put, other_get };
static const struct form form_rule = { text_given, rule_put, rule_get };
static const struct form form_phrase = { text_given, phrase_put, phrase_take };
static const struct form form_events = { events_given, events_put, events_get };
static const struct form form_contacts = { contacts_given, contacts_put, contacts_get };

/* The kinds of <linkages/notice.h>. */
#define FORM_TEXT(max) &form_text
#define FORM_CODE(tag) &form_code
#define FORM_INT(min, max) &form_int
#define FORM_TIME &form_time
#define FORM_REASONS &form_reasons
#define FORM_PROPOSALS &form_proposals

#define ABOUT_MEMBER(name, word, kind, presence) \
	{ offsetof(struct lk_notice, about.name), FORM_##kind },
#define MEMBER(name, form) \
	{ \
		offsetof(struct lk_notice, name), &form \
	}

/* Appended to, never reordered: the places are bits in rows. The most frequent have the lowest. What
 * is not here is a column of the row, or `answered`, which is no part of the telling. */
static const struct member members[] = { MEMBER(at, form_at),
					 MEMBER(case_number, form_own),
					 MEMBER(level, form_level),
					 MEMBER(urgency, form_code),
					 MEMBER(rule, form_rule),
					 MEMBER(cites, form_phrase),
					 MEMBER(events, form_events),
					 MEMBER(other_number, form_other),
					 MEMBER(contacts, form_contacts),
					 MEMBER(due, form_date),
					 MEMBER(reason, form_code),
					 LK_FIELDS_about(ABOUT_MEMBER) };
#define MEMBERS (sizeof(members) / sizeof(members[0]))
static_assert(MEMBERS <= 64, "the mask is a number of 64 bits");

int notice_pack(struct store *s, const struct stored_notice *row, struct lk_bytes *out,
		struct lk_error *err)
{
	struct packing p = { .store = s, .row = row, .out = out, .err = err };
	const struct lk_notice *n = row->said;
	uint64_t mask = 0;

	for (size_t i = 0; i < MEMBERS; i++)
		if (members[i].form->given(n, (const char *)n + members[i].offset))
			mask |= UINT64_C(1) << i;
	put_signed(out, (int64_t)((uint64_t)row->told_at - (uint64_t)row->cause_at));
	delta_number(out, mask);
	for (; mask != 0; mask &= mask - 1) {
		const struct member *m = &members[__builtin_ctzll(mask)];

		m->form->put(&p, n, (const char *)n + m->offset);
	}
	if (p.rc == 0 && out->failed)
		p.rc = lk_fail(err, LK_EMEMORY, "store: no memory for a notice");
	return p.rc;
}

static void take_members(struct unpacking *u, struct lk_notice *n)
{
	uint64_t mask = get_number(u);

	for (; mask != 0 && !u->wrong && u->rc == 0; mask &= mask - 1) {
		const struct member *m = &members[__builtin_ctzll(mask)];

		if (m >= members + MEMBERS)
			u->wrong = true;
		else
			m->form->get(u, n, (char *)n + m->offset);
	}
}

static void unpack(struct unpacking *u, const void *body, size_t len, struct stored_notice *row)
{
	struct lk_notice *n = &u->room->notice;

	u->row = row;
	u->at = body;
	u->end = u->at + len;
	u->room->used = 0;
	lk_notice_clear(n);
	lk_digest_hex(row->id, n->id);
	n->rev = row->rev;
	n->to = row->worker;
	n->kind = row->kind;
	n->state = row->state;
	row->said = n;
	row->cause_at = (lk_instant)((uint64_t)row->told_at - (uint64_t)get_signed(u));
	take_members(u, n);
	u->wrong |= u->at != u->end;
}

bool notice_unpack_said(const struct store *s, const uint8_t *phrases, const void *body, size_t len,
			struct stored_notice *row, struct said_room *room)
{
	struct unpacking u = { .phrases = phrases,
			       .spelling = &s->vocabulary.spelling,
			       .room = room };

	unpack(&u, body, len, row);
	return !u.wrong;
}

int notice_unpack(struct store *s, const void *body, size_t len, struct stored_notice *row,
		  struct said_room *room, struct lk_error *err)
{
	struct unpacking u = {
		.store = s, .spelling = &s->vocabulary.spelling, .room = room, .err = err
	};

	unpack(&u, body, len, row);
	if (u.rc < 0)
		return u.rc;
	return u.wrong ? row_damaged(s, err, "a notice, its place in the mailbox", row->seq, "body")
		       : 0;
}
