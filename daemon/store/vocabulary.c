/* vocabulary.c - an event's bytes as they are kept: words that every event says are two bytes, and so is
 * what the row says anyway; what people wrote is spelled in half of its bytes (spelling.c).
 *
 * In: MessagePack, and the texts of its row. Out: shorter bytes, and from them and the same texts exactly
 * those that were put in. Promise: whatever was put in comes back, also what is no MessagePack; bytes
 * that were damaged may give others, which the row's sum finds.
 *
 * The byte 0xc1 begins no MessagePack value. Here it stands before a number: of a word below; of a text
 * of the row; of 32 hex digits, 16 bytes; of a text that is spelled, its length, seven bits a byte, the
 * lowest first, and its letters; at the end, of the members that an event's envelope ends with, all of them
 * said by the row; or of bytes that are kept as they are, to their end.
 */
#include "internal.h"

#include <assert.h>
#include <string.h>

#define MARK 0xc1
#define OWN_FIRST 0xf0 /* + enum own_text */
#define ENVELOPE 0xfc
#define SPELLED 0xfd
#define HEX_DIGITS 0xfe
#define AS_IT_IS 0xff
#define WORDS_MAX OWN_FIRST
#define WORD_LEAST 2 /* a shorter one, with its head, is no longer than what would stand for it */
#define WORD_MOST 31 /* its head is one byte */
#define SPELLED_MOST UINT16_MAX

/* Numbers are kept on disk: appended to, never changed. */
static const char *const words[] = {
	"data",
	"id",
	"source",
	"specversion",
	"1.0",
	"subject",
	"time",
	"type",
	"sequence",
	"supersedes",
	"datacontenttype",
	"application/json",
	"case.opened",
	"case.status",
	"case.closing",
	"case.closed",
	"case.restricted",
	"worker.assigned",
	"worker.unassigned",
	"link.confirmed",
	"link.refused",
	"link.removed",
	"consent.signed",
	"consent.revoked",
	"consent.refused",
	"plan.signed",
	"plan.closing",
	"plan.ended",
	"service.started",
	"service.ended",
	"meeting.scheduled",
	"meeting.held",
	"meeting.missed",
	"meeting.cancelled",
	"contact.made",
	"milestone.reached",
	"concern.raised",
	"concern.resolved",
	"referral.made",
	"referral.updated",
	"child.removed",
	"child.returned",
	"household.changed",
	"clock.reported",
	"event.retracted",
	"status",
	"members",
	"limited_access",
	"county",
	"reason",
	"until",
	"date",
	"role",
	"worker",
	"name",
	"phone",
	"unit",
	"other",
	"consent",
	"expires",
	"topics",
	"plan",
	"kind",
	"court_ordered",
	"service",
	"category",
	"person",
	"outcome",
	"meeting",
	"start",
	"end",
	"place",
	"required",
	"optional",
	"family",
	"organizer",
	"signed",
	"milestone",
	"note",
	"concern",
	"referral",
	"to",
	"follow_up",
	"urgent",
	"what",
	"clock",
	"used",
	"keys",
	"agency",
	"case",
	"cws",
	"calworks",
	"er",
	"ifs",
	"fm",
	"fr",
	"pp",
	"st",
	"applied",
	"active",
	"exempt",
	"good_cause",
	"noncompliance",
	"sanctioned",
	"timed_out",
	"reunification",
	"social_worker",
	"ais_worker",
	"employment_specialist",
	"eligibility_worker",
	"supervisor",
	"clerk",
	"closure",
	"services",
	"pltm",
	"ltm",
	"tdm",
	"cft",
	"staffing",
	"disposition",
	"court",
	"visit",
	"appointment",
	"ifs_agreement",
	"cws_case_plan",
	"wtw_plan",
	"lccp",
	"substance_use",
	"mental_health",
	"domestic_violence",
	"anger_management",
	"parenting_class",
	"housing",
	"transportation",
	"child_care",
	"food",
	"employment",
	"education",
	"clothing",
	"home_visiting",
	"assessment",
	"parent",
	"child",
	"caretaker",
	"cin",
	"ssn",
	"name_dob",
	"completed",
	"stopped",
	"not_started",
	"face_to_face",
	"written",
	"not_meeting_requirements",
	"deviation",
	"removal_considered",
	"plan_change",
	"received",
	"accepted",
	"declined",
	"tanf60",
	"at",
	"by",
	"notice",
};
#define WORDS (sizeof(words) / sizeof(words[0]))
static_assert(WORDS <= WORDS_MAX, "a number of a byte for each");

/* ---- Looking up ------------------------------------------------------------------------------ */

#define SLOTS 1024u

static uint32_t word_hash(const char *at, size_t len)
{
	uint32_t hash = (uint32_t)len;

	hash = hash * 31 + (uint8_t)at[0];
	hash = hash * 31 + (uint8_t)at[1];
	hash = hash * 31 + (uint8_t)at[len / 2];
	return hash * 31 + (uint8_t)at[len - 1];
}

void vocabulary_load(struct vocabulary *v)
{
	memset(v, 0, sizeof(*v));
	spelling_load(&v->spelling);
	for (size_t i = 0; i < WORDS; i++) {
		size_t len = strlen(words[i]);
		uint32_t slot = word_hash(words[i], len) % SLOTS;

		while (v->slot[slot] != 0)
			slot = (slot + 1) % SLOTS;
		v->slot[slot] = (uint8_t)(i + 1);
		v->len[i] = (uint8_t)len;
	}
}

/* The word's number, or -1. */
static int word_find(const struct vocabulary *v, struct lk_text text)
{
	if (text.len < WORD_LEAST || text.len > WORD_MOST)
		return -1;
	for (uint32_t slot = word_hash(text.at, text.len) % SLOTS; v->slot[slot] != 0;
	     slot = (slot + 1) % SLOTS) {
		int i = v->slot[slot] - 1;

		if (v->len[i] == text.len && memcmp(words[i], text.at, text.len) == 0)
			return i;
	}
	return -1;
}

static int own_find(const struct lk_text own[OWN_TEXTS], struct lk_text text)
{
	for (int i = 0; i < OWN_TEXTS && text.len >= WORD_LEAST; i++)
		if (lk_text_is(own[i], text))
			return OWN_FIRST + i;
	return -1;
}

/* ---- Values, one after the other ------------------------------------------------------------- */

/* How many bytes a value's head has, and how many of them say its length; what is not in the table
 * is a number, a map or a list without a length of its own, and 0 what an event may not have. */
struct head {
	uint8_t bytes, length;
};
static const struct head heads[] = {
	[0xc0] = { 1, 0 }, [0xc2] = { 1, 0 }, [0xc3] = { 1, 0 }, [0xcc] = { 2, 0 },
	[0xcd] = { 3, 0 }, [0xce] = { 5, 0 }, [0xcf] = { 9, 0 }, [0xd0] = { 2, 0 },
	[0xd1] = { 3, 0 }, [0xd2] = { 5, 0 }, [0xd3] = { 9, 0 }, [0xd9] = { 2, 1 },
	[0xda] = { 3, 2 }, [0xdb] = { 5, 4 }, [0xdc] = { 3, 0 }, [0xdd] = { 5, 0 },
	[0xde] = { 3, 0 }, [0xdf] = { 5, 0 },
};

struct walk {
	const uint8_t *at, *end;
	const uint8_t *value; /* the one at hand */
	struct lk_text text;  /* of it; absent: it is none */
};

static bool walk_text(struct walk *w, size_t head, size_t len)
{
	if ((size_t)(w->end - w->value) < head + len)
		return false;
	w->text = (struct lk_text){ (const char *)w->value + head, (uint32_t)len };
	w->at = w->value + head + len;
	return true;
}

/* To the next value: what is in a map or a list follows as values of their own. */
static bool walk_next(struct walk *w)
{
	uint8_t first = *w->at;
	size_t len = 0;

	w->value = w->at;
	w->text = LK_NO_TEXT;
	if (first >= 0xa0 && first <= 0xbf)
		return walk_text(w, 1, first & 31);
	if (first < 0xc0 || first >= 0xe0) {
		w->at++;
		return true;
	}
	if (heads[first].bytes == 0 || (size_t)(w->end - w->at) < heads[first].bytes)
		return false;
	for (unsigned i = 1; i <= heads[first].length; i++)
		len = len << 8 | w->value[i];
	if (heads[first].length > 0)
		return walk_text(w, heads[first].bytes, len);
	w->at += heads[first].bytes;
	return true;
}

/* As the canonical form has it: what is shorter than its head may say is left alone. */
static bool has_short_head(const struct walk *w)
{
	if (*w->value == 0xd9)
		return w->text.len > WORD_MOST;
	if (*w->value == 0xda)
		return w->text.len > UINT8_MAX;
	return *w->value < 0xc0;
}

static void put_head(struct lk_bytes *out, size_t len)
{
	const uint8_t head[] = { len > UINT8_MAX ? 0xda : 0xd9, (uint8_t)(len >> 8), (uint8_t)len };
	const uint8_t fix = (uint8_t)(0xa0 + len);

	if (len <= WORD_MOST)
		lk_bytes_add(out, &fix, 1);
	else if (len > UINT8_MAX)
		lk_bytes_add(out, head, sizeof(head));
	else {
		lk_bytes_add(out, head, 1);
		lk_bytes_add(out, head + 2, 1);
	}
}

static bool give_text(struct lk_bytes *out, struct lk_text text)
{
	if (!lk_text_given(text) || text.len > UINT8_MAX)
		return false;
	put_head(out, text.len);
	lk_bytes_add(out, text.at, text.len);
	return true;
}

/* ---- In -------------------------------------------------------------------------------------- */

/* What stands for a text is never longer than it: so all is written over a copy of what came in. */
static uint8_t *put_code(uint8_t *to, int code)
{
	*to++ = MARK;
	*to++ = (uint8_t)code;
	return to;
}

/* NULL where that would not be shorter. */
static uint8_t *put_spelled(const struct vocabulary *v, struct lk_text text, uint8_t *to)
{
	uint8_t *begun = to;
	uint32_t len = text.len;
	size_t n;

	to = put_code(to, SPELLED);
	for (; len >= 0x80; len >>= 7)
		*to++ = (uint8_t)(len | 0x80);
	*to++ = (uint8_t)len;
	if ((size_t)(to - begun) >= text.len)
		return NULL;
	n = spelling_put(&v->spelling, text, to, text.len - (size_t)(to - begun));
	return n > 0 ? to + n : NULL;
}

/* NULL: nothing stands for it. */
static uint8_t *put_text(const struct vocabulary *v, const struct lk_text own[OWN_TEXTS],
			 struct lk_text text, uint8_t *to)
{
	int code = word_find(v, text);
	uint8_t bytes[LK_DIGEST];

	if (code < 0)
		code = own_find(own, text);
	if (code >= 0)
		return put_code(to, code);
	if (text.len != 2 * LK_DIGEST || lk_digest_parse(text, bytes) < 0)
		return put_spelled(v, text, to);
	to = put_code(to, HEX_DIGITS);
	memcpy(to, bytes, sizeof(bytes));
	return to + sizeof(bytes);
}

static uint8_t *put_kept(uint8_t *to, const uint8_t *kept, const uint8_t *end)
{
	memcpy(to, kept, (size_t)(end - kept));
	return to + (end - kept);
}

/* The end of what was written; NULL: these are no values. */
static uint8_t *pack(const struct vocabulary *v, const struct lk_text own[OWN_TEXTS],
		     struct walk *w, uint8_t *to)
{
	const uint8_t *kept = w->at; /* from here on it is not written yet */

	while (w->at < w->end) {
		uint8_t *behind, *coded;

		if (!walk_next(w))
			return NULL;
		if (w->text.len < WORD_LEAST || !has_short_head(w))
			continue;
		behind = put_kept(to, kept, w->value);
		coded = put_text(v, own, w->text, behind);
		to = coded != NULL ? coded : behind;
		kept = coded != NULL ? w->at : w->value;
	}
	return put_kept(to, kept, w->end);
}

/* What all events end with, that have neither a sequence nor another attribute, in the canonical order. False: the
 * row does not say all of it. */
static bool give_envelope(const struct lk_text own[OWN_TEXTS], struct lk_bytes *out)
{
	const struct lk_text said[] = {
		LK_TEXT("id"),          own[OWN_ID],    LK_TEXT("source"),  own[OWN_SOURCE],
		LK_TEXT("specversion"), LK_TEXT("1.0"), LK_TEXT("subject"), own[OWN_NUMBER],
		LK_TEXT("time"),        own[OWN_TIME],  LK_TEXT("type"),    own[OWN_TYPE],
	};

	for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++)
		if (!give_text(out, said[i]))
			return false;
	return true;
}

/* How long that is here; 0: these bytes end otherwise. `room` is left as it was. */
static size_t envelope_len(const struct lk_text own[OWN_TEXTS], const uint8_t *bytes, size_t len,
			   struct lk_bytes *room)
{
	size_t begun = room->len, n;
	bool is_said = give_envelope(own, room) && !room->failed;

	n = room->len - begun;
	room->len = begun;
	return is_said && n <= len && memcmp(room->at + begun, bytes + len - n, n) == 0 ? n : 0;
}

void vocabulary_pack(const struct vocabulary *v, const struct lk_text own[OWN_TEXTS],
		     const void *bytes, size_t len, struct lk_bytes *out)
{
	static const uint8_t as_it_is[] = { MARK, AS_IT_IS };
	size_t begun = out->len, envelope = envelope_len(own, bytes, len, out);
	struct walk w = { .at = bytes, .end = (const uint8_t *)bytes + len - envelope };
	uint8_t *end;

	lk_bytes_add(out, bytes, len);
	if (out->failed)
		return;
	end = pack(v, own, &w, out->at + begun);
	if (end != NULL && envelope > 0)
		end = put_code(end, ENVELOPE);
	out->len = end != NULL ? (size_t)(end - out->at) : begun;
	if (end != NULL)
		return;
	lk_bytes_add(out, as_it_is, sizeof(as_it_is));
	lk_bytes_add(out, bytes, len);
}

/* ---- Out ------------------------------------------------------------------------------------- */

static bool give_digits(struct walk *w, struct lk_bytes *out)
{
	char hex[LK_DIGEST_HEX];

	if ((size_t)(w->end - w->at) < LK_DIGEST)
		return false;
	lk_digest_hex(w->at, hex);
	w->at += LK_DIGEST;
	return give_text(out, lk_text_of(hex));
}

static bool give_spelled(const struct vocabulary *v, struct walk *w, struct lk_bytes *out)
{
	size_t len = 0;
	uint8_t byte = 0x80;

	for (unsigned shift = 0; byte >= 0x80; shift += 7) {
		if (w->at == w->end || shift > 14)
			return false;
		byte = *w->at++;
		len |= (size_t)(byte & 0x7f) << shift;
	}
	if (len > SPELLED_MOST)
		return false;
	put_head(out, len);
	w->at = spelling_take(&v->spelling, w->at, w->end, len, out);
	return w->at != NULL;
}

/* What stands behind the mark. */
static bool give_coded(const struct vocabulary *v, const struct lk_text own[OWN_TEXTS],
		       struct walk *w, struct lk_bytes *out)
{
	uint8_t code;

	if (w->end - w->at < 2)
		return false;
	code = w->at[1];
	w->at += 2;
	if (code < WORDS)
		return give_text(out, (struct lk_text){ words[code], v->len[code] });
	if (code >= OWN_FIRST && code < OWN_FIRST + OWN_TEXTS)
		return give_text(out, own[code - OWN_FIRST]);
	if (code == ENVELOPE)
		return give_envelope(own, out);
	if (code == SPELLED)
		return give_spelled(v, w, out);
	return code == HEX_DIGITS && give_digits(w, out);
}

bool vocabulary_unpack(const struct vocabulary *v, const struct lk_text own[OWN_TEXTS],
		       const void *bytes, size_t len, struct lk_bytes *out)
{
	struct walk w = { .at = bytes, .end = (const uint8_t *)bytes + len };
	const uint8_t *kept = w.at;

	if (len >= 2 && w.at[0] == MARK && w.at[1] == AS_IT_IS) {
		lk_bytes_add(out, w.at + 2, len - 2);
		return true;
	}
	while (w.at < w.end) {
		if (*w.at != MARK && !walk_next(&w))
			return false;
		if (w.at == w.end || *w.at != MARK)
			continue;
		lk_bytes_add(out, kept, (size_t)(w.at - kept));
		if (!give_coded(v, own, &w, out))
			return false;
		kept = w.at;
	}
	lk_bytes_add(out, kept, (size_t)(w.end - kept));
	return true;
}
