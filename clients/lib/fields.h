/* fields.h - the one engine behind every described map: events, notices, lane messages and what
 * they contain.
 *
 * An X-list F(name in C, name on the wire, kind, presence) becomes a table of rows; the same rows
 * validate and decode, encode, clear, and print the JSON Schema. A kind is one row of functions in
 * fields.c (and of schema in tests/tools/schemas.c), so that a new kind cannot be half there.
 */
#ifndef LINKAGES_LIB_FIELDS_H
#define LINKAGES_LIB_FIELDS_H

#include "scan.h"
#include <linkages/message.h>

enum field_kind {
	/* event.h */
	FIELD_TEXT, FIELD_WORKER, FIELD_CODE, FIELD_STATUS, FIELD_ROLE, FIELD_DATE, FIELD_TIME,
	FIELD_BOOL, FIELD_INT, FIELD_TOPICSET, FIELD_WORKERS, FIELD_MEMBERS, FIELD_OTHER,
	/* the envelope, members and links of an event */
	FIELD_CONSTANT, FIELD_ID, FIELD_SOURCE, FIELD_TYPE, FIELD_CASE, FIELD_SEQUENCE,
	FIELD_KEYS,
	/* notice.h, and what a notice is made of */
	FIELD_REASONS, FIELD_PROPOSALS, FIELD_NAME, FIELD_CONTACTS, FIELD_ABOUT, FIELD_BECAUSE,
	FIELD_EVENTS, FIELD_ANSWERED,
	/* message.h */
	FIELD_NUMBER, FIELD_KEY, FIELD_RAW, FIELD_LIST,
	field_kind_count
};

enum field_presence { FIELD_REQUIRED, FIELD_OPTIONAL, FIELD_NULLABLE };

#define WORD_ROOM 24
struct field {
	const char *word; /* on the wire; NULL ends a table */
	char coded[WORD_ROOM]; /* the same behind its head, filled up: it is copied whole */
	uint32_t word_len;
	size_t offset;    /* in the struct */
	enum field_presence presence;
	enum field_kind kind;
	int64_t min, max; /* of an integer; of the characters of a text */
	const char *constant;
	const char *(*code_word)(int code);
	int (*code)(struct lk_text word);
};

#define FIELD_IS_TEXT(max_) .kind = FIELD_TEXT, .min = 1, .max = (max_)
#define FIELD_IS_NOTE(max_) .kind = FIELD_TEXT, .min = 0, .max = (max_)
#define FIELD_IS_WORD(max_) FIELD_IS_TEXT(max_)
#define FIELD_IS_WORKER .kind = FIELD_WORKER, .min = 1, .max = 64
#define FIELD_IS_CODE(tag) .kind = FIELD_CODE, .code = lk_##tag##_code, .code_word = lk_##tag##_word
#define FIELD_IS_STATUS .kind = FIELD_STATUS, .code = lk_status_code, .code_word = lk_status_word
#define FIELD_IS_ROLE .kind = FIELD_ROLE, .code = lk_role_code, .code_word = lk_role_word
#define FIELD_IS_DATE .kind = FIELD_DATE
#define FIELD_IS_TIME .kind = FIELD_TIME
#define FIELD_IS_TIMETEXT .kind = FIELD_TIME
#define FIELD_IS_BOOL .kind = FIELD_BOOL
#define FIELD_IS_INT(min_, max_) .kind = FIELD_INT, .min = (min_), .max = (max_)
#define FIELD_IS_TOPICSET .kind = FIELD_TOPICSET, .code = lk_topic_code, .code_word = lk_topic_word
#define FIELD_IS_WORKERS .kind = FIELD_WORKERS, .max = LK_WORKERS_MAX
#define FIELD_IS_MEMBERS .kind = FIELD_MEMBERS, .max = LK_MEMBERS_MAX
#define FIELD_IS_OTHER .kind = FIELD_OTHER
#define FIELD_IS_CONSTANT(text_) .kind = FIELD_CONSTANT, .constant = (text_)
#define FIELD_IS_ID .kind = FIELD_ID, .min = 1, .max = 64
#define FIELD_IS_SOURCE .kind = FIELD_SOURCE, .min = 1, .max = 64
#define FIELD_IS_TYPE \
	.kind = FIELD_TYPE, .code = lk_event_type_code, .code_word = lk_event_type_word
#define FIELD_IS_CASE .kind = FIELD_CASE, .min = 1, .max = 32
#define FIELD_IS_SEQUENCE .kind = FIELD_SEQUENCE
#define FIELD_IS_KEYS .kind = FIELD_KEYS, .code = lk_key_kind_code, .code_word = lk_key_kind_word
#define FIELD_IS_REASONS \
	.kind = FIELD_REASONS, .code = lk_meeting_reason_code, .code_word = lk_meeting_reason_word
#define FIELD_IS_PROPOSALS .kind = FIELD_PROPOSALS, .max = LK_PROPOSALS_MAX
#define FIELD_IS_NAME .kind = FIELD_NAME
#define FIELD_IS_CONTACTS .kind = FIELD_CONTACTS, .max = LK_CONTACTS_MAX
#define FIELD_IS_ABOUT .kind = FIELD_ABOUT
#define FIELD_IS_BECAUSE .kind = FIELD_BECAUSE
#define FIELD_IS_EVENTS .kind = FIELD_EVENTS, .min = 1, .max = LK_BECAUSE_MAX
#define FIELD_IS_ANSWERED .kind = FIELD_ANSWERED
#define FIELD_IS_NUMBER .kind = FIELD_NUMBER, .min = 0, .max = INTEGER_MAX
#define FIELD_IS_KEY .kind = FIELD_KEY
#define FIELD_IS_RAW .kind = FIELD_RAW
#define FIELD_IS_LIST .kind = FIELD_LIST

/* `record` is whatever struct the table is about: FIELD_TABLE names it so for its rows. */
#define FIELD_ROW(name, word_, kind_, presence_) \
	{ .word = word_, .coded = "\xa0" word_, .word_len = sizeof(word_) - 1, .offset = offsetof(record, name), \
	  .presence = FIELD_##presence_, FIELD_IS_##kind_ },
#define FIELD_TABLE(function, struct_, list) \
	static const struct field *function(void) \
	{ \
		typedef struct_ record; \
		static const struct field rows[] = { list(FIELD_ROW) { \
			.word = NULL, .offset = sizeof(record) } }; \
		return rows; \
	}

/* ---- Maps that the public headers describe in prose ------------------------------------------ */

/* The envelope, in the order in which domain.md lists it, which is the order in which it is
 * refused. `data` lies between the two: what is asked of it depends on the type. */
struct envelope {
	char constant; /* members that say one thing or are refused */
	struct lk_span data;
	struct lk_text id, source, subject, supersedes;
	struct lk_time time;
	int type;
	int64_t sequence;
};
#define FIELDS_head(F) \
	F(constant, "specversion", CONSTANT("1.0"), REQUIRED) F(id, "id", ID, REQUIRED) \
	F(source, "source", SOURCE, REQUIRED) F(type, "type", TYPE, REQUIRED) \
	F(subject, "subject", CASE, REQUIRED) F(time, "time", TIME, REQUIRED)
#define FIELDS_data(F) F(data, "data", RAW, OPTIONAL)
#define FIELDS_tail(F) \
	F(sequence, "sequence", SEQUENCE, OPTIONAL) F(supersedes, "supersedes", ID, OPTIONAL) \
	F(constant, "datacontenttype", CONSTANT("application/json"), OPTIONAL)

#define FIELDS_other(F) \
	F(agency, "agency", CODE(agency), REQUIRED) F(number, "case", CASE, REQUIRED)
#define FIELDS_member(F) \
	F(person, "person", TEXT(64), REQUIRED) F(role, "role", CODE(member_role), OPTIONAL) \
	F(key, "keys", KEYS, OPTIONAL)

/* A withdrawal that may no longer be shown is only its first members, up to `reason`
 * (protocol.md, "inbox"). */
#define FIELDS_notice(F) \
	F(id, "id", NAME, REQUIRED) F(rev, "rev", NUMBER, REQUIRED) F(to, "to", WORKER, REQUIRED) \
	F(kind, "kind", CODE(notice_kind), REQUIRED) \
	F(state, "state", CODE(notice_state), REQUIRED) \
	F(reason, "reason", CODE(withdrawal), OPTIONAL) F(at, "at", TIME, OPTIONAL) \
	F(case_number, "case", CASE, OPTIONAL) F(other_number, "other", CASE, OPTIONAL) \
	F(contacts, "contacts", CONTACTS, OPTIONAL) F(due, "due", DATE, OPTIONAL) \
	F(urgency, "urgency", CODE(urgency), OPTIONAL) F(level, "level", CODE(level), OPTIONAL) \
	F(about, "about", ABOUT, OPTIONAL) F(rule, "because", BECAUSE, OPTIONAL) \
	F(answered_by, "answered", ANSWERED, OPTIONAL)
#define FIELDS_contact(F) \
	F(agency, "agency", CODE(agency), REQUIRED) F(role, "role", CODE(role), REQUIRED) \
	F(worker, "worker", WORKER, REQUIRED) F(name, "name", TEXT(80), OPTIONAL) \
	F(phone, "phone", TEXT(32), OPTIONAL)
/* These two lie in struct lk_notice itself. */
#define FIELDS_because(F) \
	F(rule, "rule", TEXT(64), OPTIONAL) F(cites, "cites", TEXT(400), OPTIONAL) \
	F(events, "events", EVENTS, OPTIONAL)
#define FIELDS_answered(F) \
	F(answered_by, "by", TEXT(64), REQUIRED) F(answered_at, "at", TIME, REQUIRED)

/* The most characters of "source/id". */
#define EVENT_NAME_MAX 129

/* ---- The engine ------------------------------------------------------------------------------ */

/* What reading needs to know beyond the value, and learns on the way. */
struct reader {
	lk_agency_of *agency_of;
	void *context;
	int agency;    /* of the source; a status and a role must be of it */
	bool tolerant; /* a word that is not known reads as absent: a later daemon may say more */
	struct lk_refused *why;
};

/* Every member absent. */
void fields_clear(const struct field *fields, void *object);
/* Reads every row out of a map, in the table's order; the object was cleared. 0, or LK_EREFUSED
 * with why filled, the path relative to the map. Unknown members are passed over. */
int fields_read(struct reader *r, const struct field *fields, struct lk_span map,
		void *object) LK_MUST_CHECK;
/* The same in two steps, for whoever asks between rows: where each row's word is in the map, a span a row; and the rows
 * from one to another, read out of there. */
#define FIELDS_MAX 32
void fields_find(const struct field *fields, struct lk_span map, struct lk_span found[FIELDS_MAX]);
int fields_read_rows(struct reader *r, const struct field *fields, size_t from, size_t end,
		     const struct lk_span found[FIELDS_MAX], void *object) LK_MUST_CHECK;
/* Is any of them there to be written? */
bool fields_any(const struct field *fields, const void *object);
/* How many members fields_write() will write, for lk_put_map(). */
uint32_t fields_given(const struct field *fields, const void *object);
void fields_write(const struct field *fields, const void *object, struct lk_bytes *out);
/* Map and members. */
void fields_put(const struct field *fields, const void *object, struct lk_bytes *out);

struct kind {
	/* The value is there and not nil. */
	int (*read)(struct reader *r, const struct field *f, struct lk_span value, void *object);
	/* The member is given. */
	void (*write)(const struct field *f, const void *object, struct lk_bytes *out);
	void (*clear)(const struct field *f, void *object);
	bool (*given)(const struct field *f, const void *object);
};

/* Kinds that hold several values: groups.c. */
extern const struct kind kind_topicset, kind_workers, kind_members, kind_other, kind_keys;
extern const struct kind kind_reasons, kind_proposals, kind_contacts, kind_about, kind_because;
extern const struct kind kind_events, kind_answered;

static inline void *field_in(const struct field *f, void *object)
{
	return (char *)object + f->offset;
}
static inline const void *field_of(const struct field *f, const void *object)
{
	return (const char *)object + f->offset;
}

/* One text of min..max characters, min 0 or 1; one text of a list with its own limits. */
int text_read(struct reader *r, struct lk_span value, int64_t min, int64_t max,
	      struct lk_text *out) LK_MUST_CHECK;
/* One text of letters, digits and the given marks, as well. */
int token_read(struct reader *r, struct lk_span value, int64_t max, const char *marks,
	       struct lk_text *out) LK_MUST_CHECK;
int code_read(struct reader *r, const struct field *f, struct lk_span value,
	      int *out) LK_MUST_CHECK;
int key_read(struct reader *r, struct lk_span value, struct lk_text *out) LK_MUST_CHECK;
int time_read(struct reader *r, struct lk_span value, struct lk_time *out) LK_MUST_CHECK;
#define WORKER_MARKS "._@-"

/* Fills why, about the whole, and returns LK_EREFUSED. The detail is a constant sentence: it
 * cannot repeat a value. */
int refuse(struct lk_refused *why, enum lk_refusal reason, const char *detail);
/* Puts a member or an index before the path of a refusal that came from inside it, and returns
 * LK_EREFUSED. */
int refuse_under(struct lk_refused *why, const char *member);
int refuse_at(struct lk_refused *why, size_t index);

#endif
