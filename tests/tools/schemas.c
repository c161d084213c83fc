/* schemas.c - prints the JSON Schemas (draft 2020-12) of every event, every lane message, the notice,
 * what each kind of notice adds to it, and the arguments and the answer of each verb.
 *
 * In: a folder. Out: its files events/TYPE.json, messages/MESSAGE.json, notice.json,
 * notices/KIND.json and verbs/VERB.json; the committed ones are in schemas/. Promise: they come from the same lists as
 * the decoder, so that what is published is what is checked; a kind of member without a line in the table below stops
 * the program. Verbs are in schemas_verbs.c.
 *
 * Built as linkages-schemas, not installed. tests/lint/schemas.sh holds its output against the
 * committed files.
 */
#include "schemas.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

FIELD_TABLE(head_fields, struct envelope, FIELDS_head)
FIELD_TABLE(tail_fields, struct envelope, FIELDS_tail)
FIELD_TABLE(other_fields, struct lk_other, FIELDS_other)
FIELD_TABLE(member_fields, struct lk_member, FIELDS_member)
FIELD_TABLE(notice_fields, struct lk_notice, FIELDS_notice)
FIELD_TABLE(about_fields, struct lk_about, LK_FIELDS_about)
FIELD_TABLE(contact_fields, struct lk_contact, FIELDS_contact)
FIELD_TABLE(because_fields, struct lk_notice, FIELDS_because)
FIELD_TABLE(answered_fields, struct lk_notice, FIELDS_answered)

#define DATA_TABLE(enumerator, tag, word) \
	FIELD_TABLE(tag##_fields, struct lk_##tag, LK_FIELDS_##tag)
LK_EVENT_TYPES(DATA_TABLE)
#define MESSAGE_TABLE(enumerator, tag, word) \
	FIELD_TABLE(tag##_members, struct lk_msg_##tag, LK_FIELDS_##tag)
LK_MESSAGES(MESSAGE_TABLE)
LK_MESSAGE_ITEMS(MESSAGE_TABLE)

/* ---- A schema grows member by member and is counted at its end ------------------------------- */

struct lk_bytes *schema_key(struct schema *s, const char *key)
{
	s->n++;
	lk_put_word(&s->pairs, key);
	return &s->pairs;
}

void schema_word(struct schema *s, const char *key, const char *word)
{
	lk_put_word(schema_key(s, key), word);
}

void schema_int(struct schema *s, const char *key, int64_t value)
{
	lk_put_int(schema_key(s, key), value);
}

void schema_end(struct schema *s, struct lk_bytes *out)
{
	lk_put_map(out, s->n);
	lk_put_raw(out, s->pairs.at, s->pairs.len);
	out->failed = out->failed || s->pairs.failed;
	lk_bytes_free(&s->pairs);
}

/* ---- Kinds --------------------------------------------------------------------------------------
 * Null is allowed wherever a member need not be there: it reads as absent. */

static bool may_be_null(const struct field *f)
{
	return f->presence != FIELD_REQUIRED;
}

static void type_say(struct schema *s, const struct field *f, const char *type)
{
	struct lk_bytes *out = schema_key(s, "type");

	if (may_be_null(f)) {
		lk_put_array(out, 2);
		lk_put_word(out, type);
		lk_put_word(out, "null");
	} else {
		lk_put_word(out, type);
	}
}

static void text_say(struct schema *s, const struct field *f)
{
	type_say(s, f, "string");
	schema_int(s, "minLength", f->min);
	schema_int(s, "maxLength", f->max);
}

static void worker_say(struct schema *s, const struct field *f)
{
	text_say(s, f);
	schema_word(s, "pattern", "^[A-Za-z0-9._@-]+$");
}

static void source_say(struct schema *s, const struct field *f)
{
	text_say(s, f);
	schema_word(s, "pattern", "^[A-Za-z0-9._-]+$");
}

static void case_say(struct schema *s, const struct field *f)
{
	text_say(s, f);
	schema_word(s, "pattern", "^[A-Za-z0-9-]+$");
}

static void id_say(struct schema *s, const struct field *f)
{
	text_say(s, f);
	schema_word(s, "pattern", "^[^\\u0000-\\u001f\\u007f-\\u009f]+$");
}

static void key_say(struct schema *s, const struct field *f)
{
	type_say(s, f, "string");
	schema_word(s, "pattern", "^[0-9a-f]{32}$");
}

static uint32_t words_count(const struct field *f)
{
	uint32_t n = 0;

	while (f->code_word((int)n) != NULL)
		n++;
	return n;
}

static void code_say(struct schema *s, const struct field *f)
{
	uint32_t n = words_count(f);
	struct lk_bytes *out = schema_key(s, "enum");

	lk_put_array(out, n + may_be_null(f));
	for (uint32_t code = 0; code < n; code++)
		lk_put_word(out, f->code_word((int)code));
	if (may_be_null(f))
		lk_put_nil(out);
}

static void own_code_say(struct schema *s, const struct field *f)
{
	code_say(s, f);
	schema_word(s, "description", "Only what belongs to the agency of the source.");
}

static void constant_say(struct schema *s, const struct field *f)
{
	struct lk_bytes *out = schema_key(s, "enum");

	lk_put_array(out, 1 + may_be_null(f));
	lk_put_word(out, f->constant);
	if (may_be_null(f))
		lk_put_nil(out);
}

static void date_say(struct schema *s, const struct field *f)
{
	type_say(s, f, "string");
	schema_word(s, "format", "date");
}

static void time_say(struct schema *s, const struct field *f)
{
	type_say(s, f, "string");
	schema_word(s, "format", "date-time");
	schema_word(s, "pattern", "^(199[0-9]|20[0-9][0-9]|2100)-");
}

static void bool_say(struct schema *s, const struct field *f)
{
	type_say(s, f, "boolean");
}

static void int_say(struct schema *s, const struct field *f)
{
	type_say(s, f, "integer");
	schema_int(s, "minimum", f->min);
	schema_int(s, "maximum", f->max);
}

static void sequence_say(struct schema *s, const struct field *f)
{
	type_say(s, f, "string");
	schema_word(s, "pattern", "^-?[0-9]+$");
	schema_word(s, "description", "An integer of 64 bits, as text.");
}

/* ---- Members whose value the decoder hands on as it is ------------------------------------------- */

static void text_or_null_say(struct schema *s)
{
	static const struct field text = { .presence = FIELD_OPTIONAL };

	type_say(s, &text, "string");
}

static void asked_say(struct schema *s)
{
	struct lk_bytes *out = schema_key(s, "type");

	lk_put_array(out, 3);
	lk_put_word(out, "string");
	lk_put_word(out, "integer");
	lk_put_word(out, "null");
	schema_word(
		s, "description",
		"What it answers: an event's seq, an answer's notice, else the name of the message.");
}

static void mailbox_say(struct schema *s)
{
	static const struct field key = { .presence = FIELD_OPTIONAL, FIELD_IS_KEY };

	key_say(s, &key);
	schema_word(s, "description", "Null where the client has none yet.");
}

static void limits_say(struct schema *s)
{
	static const struct field number = { .presence = FIELD_REQUIRED, FIELD_IS_NUMBER };
	struct lk_bytes *out;
	struct schema properties = { 0 }, credit = { 0 };

	schema_word(s, "type", "object");
	schema_word(s, "description", "credit: the most notices that may be asked for.");
	out = schema_key(&properties, "credit");
	int_say(&credit, &number);
	schema_end(&credit, out);
	schema_end(&properties, schema_key(s, "properties"));
}

static void event_say(struct schema *s)
{
	schema_word(s, "description",
		    "An event: ../events/TYPE.json. What is none is refused by its seq.");
}

static void notice_say(struct schema *s)
{
	schema_word(s, "type", "object");
	schema_word(s, "description", "A notice: ../notice.json and ../notices/KIND.json.");
}

static void arguments_say(struct schema *s)
{
	static const struct field map = { .presence = FIELD_OPTIONAL };

	type_say(s, &map, "object");
	schema_word(s, "description", "What the verb asks for: $defs.args of ../verbs/VERB.json.");
}

static void answer_say(struct schema *s)
{
	schema_word(s, "description",
		    "Where ok, what the verb answers: ../verbs/VERB.json; else ../refusal.json.");
}

static void raw_say(struct schema *s, const struct field *f)
{
	static const struct {
		const char *word;
		void (*say)(struct schema *s);
	} raws[] = {
		{ "field", text_or_null_say }, { "detail", text_or_null_say },
		{ "re", asked_say },           { "mailbox", mailbox_say },
		{ "limits", limits_say },      { "event", event_say },
		{ "notice", notice_say },      { "args", arguments_say },
		{ "body", answer_say },
	};

	for (size_t i = 0; i < sizeof(raws) / sizeof(*raws); i++) {
		if (strcmp(raws[i].word, f->word) == 0) {
			raws[i].say(s);
			return;
		}
	}
	fprintf(stderr, "linkages-schemas: nothing is said of the value of '%s'\n", f->word);
	exit(1);
}

static void list_say(struct schema *s, const struct field *f)
{
	type_say(s, f, "array");
}

/* The items of a list, as if each were a required member of their own. */
static void items_say(struct schema *s, const struct field *item,
		      void (*say)(struct schema *, const struct field *))
{
	struct lk_bytes *out = schema_key(s, "items");
	struct schema items = { 0 };

	say(&items, item);
	schema_end(&items, out);
}

static void set_say(struct schema *s, const struct field *f)
{
	const struct field item = { .code_word = f->code_word };

	type_say(s, f, "array");
	items_say(s, &item, code_say);
}

static void topicset_say(struct schema *s, const struct field *f)
{
	set_say(s, f);
	schema_int(s, "minItems", 1);
}

static void workers_say(struct schema *s, const struct field *f)
{
	static const struct field item = { FIELD_IS_WORKER };

	type_say(s, f, "array");
	schema_int(s, "maxItems", f->max);
	items_say(s, &item, worker_say);
}

static void proposals_say(struct schema *s, const struct field *f)
{
	static const struct field item = { FIELD_IS_TIME };

	type_say(s, f, "array");
	schema_int(s, "maxItems", f->max);
	items_say(s, &item, time_say);
}

static void events_say(struct schema *s, const struct field *f)
{
	static const struct field item = { FIELD_IS_TEXT(EVENT_NAME_MAX) };

	type_say(s, f, "array");
	schema_int(s, "maxItems", f->max);
	items_say(s, &item, text_say);
}

static void keys_say(struct schema *s, const struct field *f)
{
	static const struct field token = { .presence = FIELD_OPTIONAL };
	struct schema tokens = { 0 };

	type_say(s, f, "object");
	for (int code = 0; f->code_word(code) != NULL; code++) {
		struct lk_bytes *out = schema_key(&tokens, f->code_word(code));
		struct schema one = { 0 };

		key_say(&one, &token);
		schema_end(&one, out);
	}
	schema_end(&tokens, schema_key(s, "properties"));
}

/* ---- Maps ------------------------------------------------------------------------------------ */

static void required_say(struct lk_bytes *out, const struct field *fields, uint32_t *n)
{
	for (const struct field *f = fields; f->word != NULL; f++) {
		if (f->presence == FIELD_OPTIONAL)
			continue;
		++*n;
		lk_put_word(out, f->word);
	}
}

static void property_say(struct schema *properties, const struct field *f)
{
	struct lk_bytes *out = schema_key(properties, f->word);
	struct schema one = { 0 };

	field_say(&one, f);
	schema_end(&one, out);
}

/* Two rows that share a word: either may be meant. */
static void either_say(struct schema *properties, const struct field *a, const struct field *b)
{
	struct lk_bytes *out = schema_key(properties, a->word);
	struct schema first = { 0 }, second = { 0 };

	field_say(&first, a);
	field_say(&second, b);
	lk_put_map(out, 1);
	lk_put_word(out, "anyOf");
	lk_put_array(out, 2);
	schema_end(&first, out);
	schema_end(&second, out);
}

static const struct field *same_word(const struct field *from, const char *word)
{
	for (const struct field *f = from; f->word != NULL; f++) {
		if (strcmp(f->word, word) == 0)
			return f;
	}
	return NULL;
}

static void properties_say(struct schema *properties, const struct field *fields)
{
	for (const struct field *f = fields; f->word != NULL; f++) {
		const struct field *twin = same_word(f + 1, f->word);

		if (same_word(fields, f->word) != f)
			continue;
		if (twin != NULL)
			either_say(properties, f, twin);
		else
			property_say(properties, f);
	}
}

static void required_end(struct schema *s, struct lk_bytes *words, uint32_t n)
{
	if (n > 0) {
		lk_put_array(schema_key(s, "required"), n);
		lk_put_raw(&s->pairs, words->at, words->len);
	}
	lk_bytes_free(words);
}

void members_of_map_say(struct schema *s, const struct field *fields)
{
	struct lk_bytes words = { 0 };
	struct schema properties = { 0 };
	uint32_t n = 0;

	required_say(&words, fields, &n);
	required_end(s, &words, n);
	properties_say(&properties, fields);
	schema_end(&properties, schema_key(s, "properties"));
}

static void map_item_say(struct schema *s, const struct field *fields)
{
	schema_word(s, "type", "object");
	members_of_map_say(s, fields);
}

static void map_list_say(struct schema *s, const struct field *f, const struct field *item)
{
	struct schema items = { 0 };

	type_say(s, f, "array");
	if (f->max > 0)
		schema_int(s, "maxItems", f->max);
	schema_key(s, "items");
	map_item_say(&items, item);
	schema_end(&items, &s->pairs);
}

static void family_say(struct schema *s, const struct field *f)
{
	map_list_say(s, f, member_fields());
}

static void contacts_say(struct schema *s, const struct field *f)
{
	map_list_say(s, f, contact_fields());
}

#define SAY_MAP(name) \
	static void name##_say(struct schema *s, const struct field *f) \
	{ \
		type_say(s, f, "object"); \
		members_of_map_say(s, name##_fields()); \
	}
SAY_MAP(other)
SAY_MAP(about)
SAY_MAP(because)
SAY_MAP(answered)

static void (*const says[field_kind_count])(struct schema *s, const struct field *f) = {
	[FIELD_TEXT] = text_say,
	[FIELD_WORKER] = worker_say,
	[FIELD_CODE] = code_say,
	[FIELD_STATUS] = own_code_say,
	[FIELD_ROLE] = own_code_say,
	[FIELD_DATE] = date_say,
	[FIELD_TIME] = time_say,
	[FIELD_BOOL] = bool_say,
	[FIELD_INT] = int_say,
	[FIELD_TOPICSET] = topicset_say,
	[FIELD_WORKERS] = workers_say,
	[FIELD_MEMBERS] = family_say,
	[FIELD_OTHER] = other_say,
	[FIELD_CONSTANT] = constant_say,
	[FIELD_ID] = id_say,
	[FIELD_SOURCE] = source_say,
	[FIELD_TYPE] = code_say,
	[FIELD_CASE] = case_say,
	[FIELD_SEQUENCE] = sequence_say,
	[FIELD_KEYS] = keys_say,
	[FIELD_REASONS] = set_say,
	[FIELD_PROPOSALS] = proposals_say,
	[FIELD_NAME] = key_say,
	[FIELD_CONTACTS] = contacts_say,
	[FIELD_ABOUT] = about_say,
	[FIELD_BECAUSE] = because_say,
	[FIELD_EVENTS] = events_say,
	[FIELD_ANSWERED] = answered_say,
	[FIELD_NUMBER] = int_say,
	[FIELD_KEY] = key_say,
	[FIELD_RAW] = raw_say,
	[FIELD_LIST] = list_say,
};

void field_say(struct schema *s, const struct field *f)
{
	if (says[f->kind] == NULL) {
		fprintf(stderr, "linkages-schemas: nothing is said of the kind of member '%s'\n",
			f->word);
		exit(1);
	}
	says[f->kind](s, f);
}

/* ---- Printing -------------------------------------------------------------------------------- */

static void indent(FILE *file, int depth)
{
	fprintf(file, "\n%*s", 2 * depth, "");
}

static void value_print(FILE *file, struct lk_span value, int depth)
{
	bool is_map = span_kind(value) == SPAN_MAP;
	struct lk_bytes json = { 0 };
	struct lk_span key, item;
	size_t cursor = 0;

	/* One line where a line is enough. */
	if (lk_wire_to_json(value.at, value.len, &json) < 0)
		exit(1);
	if (lk_count(value) <= 0 || json.len <= 90) {
		fwrite(json.at, 1, json.len, file);
		lk_bytes_free(&json);
		return;
	}
	lk_bytes_free(&json);
	fputs(is_map ? "{" : "[", file);
	for (bool first = true; lk_next(value, &cursor, &key, &item); first = false) {
		fputs(first ? "" : ",", file);
		indent(file, depth + 1);
		if (is_map)
			fprintf(file, "\"%.*s\": ", LK_PRINT(lk_as_text(key)));
		value_print(file, item, depth + 1);
	}
	indent(file, depth);
	fputs(is_map ? "}" : "]", file);
}

void schema_write(const char *folder, const char *name, struct schema *s)
{
	struct lk_bytes bytes = { 0 };
	char path[4096];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s.json", folder, name);
	file = fopen(path, "w");
	if (file == NULL) {
		fprintf(stderr, "linkages-schemas: cannot write %s: %s\n", path, strerror(errno));
		exit(1);
	}
	schema_end(s, &bytes);
	value_print(file, lk_span_of(bytes.at, bytes.len), 0);
	fputs("\n", file);
	if (fclose(file) != 0)
		exit(1);
	lk_bytes_free(&bytes);
}

/* ---- Whole schemas --------------------------------------------------------------------------- */

static void title_say(struct schema *s, const char *group, const char *name)
{
	char id[120];

	snprintf(id, sizeof(id), "urn:linkages:%s:%s", group, name);
	schema_word(s, "$schema", "https://json-schema.org/draft/2020-12/schema");
	schema_word(s, "$id", id);
	schema_word(s, "title", name);
	schema_word(s, "type", "object");
}

static void constant_property(struct schema *properties, const char *key, const char *value)
{
	struct lk_bytes *out = schema_key(properties, key);

	lk_put_map(out, 1);
	lk_member_word(out, "const", value);
}

static void event_required(struct schema *s, enum lk_event_type type)
{
	struct lk_bytes words = { 0 };
	uint32_t n = 1;

	required_say(&words, head_fields(), &n);
	lk_put_word(&words, type == LK_EVENT_RETRACTED ? "supersedes" : "data");
	required_end(s, &words, n);
}

static void event_properties(struct schema *s, enum lk_event_type type, const struct field *data)
{
	struct field tail[8];
	struct schema properties = { 0 }, body = { 0 };
	size_t n = 0;

	for (const struct field *f = head_fields(); f->word != NULL; f++) {
		if (f->kind == FIELD_TYPE)
			constant_property(&properties, f->word, lk_event_type_word((int)type));
		else
			property_say(&properties, f);
	}
	schema_key(&properties, "data");
	type_say(&body,
		 &(struct field){ .presence = type == LK_EVENT_RETRACTED ? FIELD_OPTIONAL
									 : FIELD_REQUIRED },
		 "object");
	members_of_map_say(&body, data);
	schema_end(&body, &properties.pairs);
	for (const struct field *f = tail_fields(); f->word != NULL; f++, n++) {
		tail[n] = *f;
		if (type == LK_EVENT_RETRACTED && strcmp(f->word, "supersedes") == 0)
			tail[n].presence = FIELD_REQUIRED;
		property_say(&properties, &tail[n]);
	}
	schema_end(&properties, schema_key(s, "properties"));
}

static void event_write(const char *folder, enum lk_event_type type, const struct field *data)
{
	struct schema s = { 0 };

	title_say(&s, "event", lk_event_type_word((int)type));
	event_required(&s, type);
	event_properties(&s, type, data);
	schema_write(folder, lk_event_type_word((int)type), &s);
}

/* Which items a list of a message holds. */
static const struct {
	enum lk_message_type type;
	const char *word;
	const struct field *(*fields)(void);
} lists[] = {
	{ LK_MSG_SUBSCRIBE, "refused", refused_item_members },
	{ LK_MSG_ACK, "refused", refused_item_members },
	{ LK_MSG_SUB_HELLO, "workers", hello_worker_members },
	{ LK_MSG_WELCOME, "workers", welcome_worker_members },
};

/* Which lists of a message hold what is described elsewhere: as the one value of another message is. */
static const struct {
	enum lk_message_type type;
	const char *word, *one;
} carriers[] = {
	{ LK_MSG_EVENTS, "events", "event" },
	{ LK_MSG_NOTICES, "notices", "notice" },
};

static void carried_list_say(struct schema *s, const char *one)
{
	const struct field item = { .word = one, .kind = FIELD_RAW };
	struct schema items = { 0 };

	schema_word(s, "type", "array");
	schema_int(s, "minItems", 1);
	schema_key(s, "items");
	field_say(&items, &item);
	schema_end(&items, &s->pairs);
}

static void message_list_say(struct schema *s, enum lk_message_type type, const struct field *f)
{
	for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++) {
		if (lists[i].type == type && strcmp(lists[i].word, f->word) == 0) {
			map_list_say(s, f, lists[i].fields());
			return;
		}
	}
	for (size_t i = 0; i < sizeof(carriers) / sizeof(*carriers); i++) {
		if (carriers[i].type == type && strcmp(carriers[i].word, f->word) == 0) {
			carried_list_say(s, carriers[i].one);
			return;
		}
	}
	fprintf(stderr, "linkages-schemas: nothing is said of the items of '%s'\n", f->word);
	exit(1);
}

static void message_write(const char *folder, enum lk_message_type type, const char *tag,
			  const char *word, const struct field *fields)
{
	struct schema s = { 0 }, properties = { 0 };
	struct lk_bytes words = { 0 };
	uint32_t n = 1;

	title_say(&s, "message", tag);
	lk_put_word(&words, "m");
	required_say(&words, fields, &n);
	required_end(&s, &words, n);
	constant_property(&properties, "m", word);
	for (const struct field *f = fields; f->word != NULL; f++) {
		struct lk_bytes *out = schema_key(&properties, f->word);
		struct schema one = { 0 };

		if (f->kind == FIELD_LIST)
			message_list_say(&one, type, f);
		else
			field_say(&one, f);
		schema_end(&one, out);
	}
	schema_end(&properties, schema_key(&s, "properties"));
	schema_write(folder, tag, &s);
}

/* ---- Notices --------------------------------------------------------------------------------- */

#define FACT_ROW(name, word, kind, presence) FACT_##name,
enum fact { LK_FIELDS_about(FACT_ROW) fact_count };
_Static_assert(fact_count <= 32, "a set of facts is a set of bits");

/* Which facts a kind may name, in the order of LK_FIELDS_about; a kind that names none has no row. Every notice of
 * every story is held against it. */
#define FACT(name) (UINT32_C(1) << FACT_##name)
#define MEETING_FACTS (FACT(meeting) | FACT(meeting_kind) | FACT(start))
static const uint32_t facts[lk_notice_kind_count] = {
	[LK_STATUS_CHANGED] = FACT(what) | FACT(from) | FACT(status),
	[LK_CLOCK_NEAR] = FACT(left),
	[LK_MILESTONE_TOLD] = FACT(milestone),
	[LK_CLOSURE_PLANNED] = FACT(what),
	[LK_MEETING_NEEDED] = FACT(meeting_kind) | FACT(reasons),
	[LK_MEETING_OVERDUE] = FACT(meeting_kind) | FACT(reasons),
	[LK_MEETING_RESCHEDULE] = MEETING_FACTS | FACT(reasons) | FACT(with) | FACT(proposals),
	[LK_MEETING_CHANGED] = MEETING_FACTS | FACT(change) | FACT(end) | FACT(place),
	[LK_MEETING_REMINDER] = MEETING_FACTS | FACT(end) | FACT(place),
	[LK_SERVICE_DUPLICATE] = FACT(category),
	[LK_SERVICE_CREDIT] = FACT(category),
	[LK_REFERRAL_CHANGED] = FACT(referral) | FACT(category) | FACT(referral_status),
	[LK_REFERRAL_OVERDUE] = FACT(referral),
	[LK_NOTICE_UNANSWERED] = FACT(notice) | FACT(kind) | FACT(worker),
	[LK_FEED_SILENT] = FACT(source),
};

static void facts_say(struct schema *properties, uint32_t wanted)
{
	static const struct field map = { .presence = FIELD_OPTIONAL };
	struct lk_bytes *out = schema_key(properties, "about");
	struct schema about = { 0 }, members = { 0 };
	const struct field *rows = about_fields();

	for (uint32_t i = 0; i < fact_count; i++)
		if ((wanted >> i & 1) != 0)
			property_say(&members, &rows[i]);
	type_say(&about, &map, "object");
	schema_end(&members, schema_key(&about, "properties"));
	schema_end(&about, out);
}

static void notice_kind_write(const char *folder, const char *kind, uint32_t wanted)
{
	struct schema s = { 0 }, properties = { 0 };

	title_say(&s, "notice", kind);
	schema_word(&s, "description", "What ../notice.json says, and of this kind:");
	constant_property(&properties, "kind", kind);
	facts_say(&properties, wanted);
	schema_end(&properties, schema_key(&s, "properties"));
	schema_write(folder, kind, &s);
}

static void notices_write(const char *parent, const char *folder)
{
	struct schema notice = { 0 };

	title_say(&notice, "notice", "notice");
	members_of_map_say(&notice, notice_fields());
	schema_write(parent, "notice", &notice);
	for (int kind = 0; kind < lk_notice_kind_count; kind++)
		notice_kind_write(folder, lk_notice_kind_word(kind), facts[kind]);
}

static void folder_make(char *path, size_t size, const char *parent, const char *name)
{
	snprintf(path, size, "%s/%s", parent, name);
	if (mkdir(path, 0777) == 0 || errno == EEXIST)
		return;
	fprintf(stderr, "linkages-schemas: cannot make %s: %s\n", path, strerror(errno));
	exit(1);
}

int main(int argc, char **argv)
{
	char folder[4000];

	if (argc != 2 || argv[1][0] == '-') {
		fprintf(stderr, "usage: linkages-schemas FOLDER\n");
		return 2;
	}
	folder_make(folder, sizeof(folder), argv[1], "events");
#define WRITE_EVENT(enumerator, tag, word) event_write(folder, enumerator, tag##_fields());
	LK_EVENT_TYPES(WRITE_EVENT)
	folder_make(folder, sizeof(folder), argv[1], "messages");
#define WRITE_MESSAGE(enumerator, tag, word) \
	message_write(folder, enumerator, #tag, word, tag##_members());
	LK_MESSAGES(WRITE_MESSAGE)
	folder_make(folder, sizeof(folder), argv[1], "notices");
	notices_write(argv[1], folder);
	folder_make(folder, sizeof(folder), argv[1], "verbs");
	verbs_write(argv[1], folder);
	return 0;
}
