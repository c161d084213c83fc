/* fields.c - reads and writes every described map, and the kinds that hold one value.
 *
 * In: a scanned map and a table of rows. Out: a struct, or a refusal with the member's path and a
 * sentence. Promise: a row is enough; whoever adds a member to a list has it validated, decoded,
 * encoded and cleared. A refusal names a member of ours and never repeats what was said.
 */
#include "fields.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* ---- Refusals -------------------------------------------------------------------------------- */

int refuse(struct lk_refused *why, enum lk_refusal reason, const char *detail)
{
	why->reason = reason;
	why->field[0] = '\0';
	snprintf(why->detail, sizeof(why->detail), "%s", detail);
	return LK_EREFUSED;
}

/* A path grows from its end, so that reading well costs nothing for it. What is too long loses
 * its end, never half a character: members that are not ours have any name. */
static int refuse_before(struct lk_refused *why, const char *part)
{
	char path[2 * sizeof(why->field) + 2];
	const char *dot = why->field[0] == '\0' || why->field[0] == '[' ? "" : ".";
	size_t end = sizeof(why->field) - 1;

	snprintf(path, sizeof(path), "%s%s%s", part, dot, why->field);
	if (strlen(path) > end) {
		while (((unsigned char)path[end] & 0xc0) == 0x80)
			end--;
		path[end] = '\0';
	}
	memcpy(why->field, path, strlen(path) + 1);
	return LK_EREFUSED;
}

int refuse_under(struct lk_refused *why, const char *member)
{
	return refuse_before(why, member);
}

int refuse_at(struct lk_refused *why, size_t index)
{
	char part[24];

	snprintf(part, sizeof(part), "[%zu]", index);
	return refuse_before(why, part);
}

/* ---- Values that several kinds read ---------------------------------------------------------- */

static int plain_text_read(struct reader *r, struct lk_span value, struct lk_text *out)
{
	*out = lk_as_text(value);
	return out->at != NULL ? 0 : refuse(r->why, LK_BAD_TYPE, "This must be a text.");
}

int text_read(struct reader *r, struct lk_span value, int64_t min, int64_t max, struct lk_text *out)
{
	if (plain_text_read(r, value, out) < 0)
		return LK_EREFUSED;
	if (out->len < min)
		return refuse(r->why, LK_BAD_VALUE, "This text must not be empty.");
	if (out->len > max &&
	    text_characters(*out) > max) /* which are counted only where it matters */
		return refuse(r->why, LK_BAD_VALUE, "This text is too long.");
	return 0;
}

static bool is_token(struct lk_text text, const char *marks)
{
	for (uint32_t i = 0; i < text.len; i++) {
		char c = text.at[i];
		bool alphanumeric =
			(c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

		if (!alphanumeric && strchr(marks, c) == NULL)
			return false;
	}
	return true;
}

int token_read(struct reader *r, struct lk_span value, int64_t max, const char *marks,
	       struct lk_text *out)
{
	if (text_read(r, value, 1, max, out) < 0)
		return LK_EREFUSED;
	if (!is_token(*out, marks))
		return refuse(r->why, LK_BAD_VALUE,
			      "This text holds a character that is not allowed here.");
	return 0;
}

int code_read(struct reader *r, const struct field *f, struct lk_span value, int *out)
{
	struct lk_text word;

	if (plain_text_read(r, value, &word) < 0)
		return LK_EREFUSED;
	*out = f->code(word);
	if (*out >= 0 || r->tolerant)
		return 0;
	return refuse(r->why, LK_BAD_VALUE, "This is not one of the known words.");
}

int key_read(struct reader *r, struct lk_span value, struct lk_text *out)
{
	uint8_t digest[LK_DIGEST];

	if (plain_text_read(r, value, out) < 0)
		return LK_EREFUSED;
	if (lk_digest_parse(*out, digest) < 0)
		return refuse(r->why, LK_BAD_VALUE,
			      "This must be 32 lower-case hexadecimal digits.");
	return 0;
}

int time_read(struct reader *r, struct lk_span value, struct lk_time *out)
{
	struct lk_text text;

	if (plain_text_read(r, value, &text) < 0)
		return LK_EREFUSED;
	if (lk_time_parse(text, out) < 0)
		return refuse(r->why, LK_BAD_VALUE,
			      "This must be an instant of RFC 3339 with its offset, 1990 to 2100.");
	return 0;
}

/* ---- Texts ----------------------------------------------------------------------------------- */

static int text_field_read(struct reader *r, const struct field *f, struct lk_span value,
			   void *object)
{
	struct lk_text *text = field_in(f, object);

	if (text_read(r, value, f->min, f->max, text) < 0)
		return LK_EREFUSED;
	if (text->len == 0) /* a note with nothing in it says what no note says */
		*text = LK_NO_TEXT;
	return 0;
}

static int worker_read(struct reader *r, const struct field *f, struct lk_span value, void *object)
{
	return token_read(r, value, f->max, WORKER_MARKS, field_in(f, object));
}

static int case_read(struct reader *r, const struct field *f, struct lk_span value, void *object)
{
	return token_read(r, value, f->max, "-", field_in(f, object));
}

static int key_field_read(struct reader *r, const struct field *f, struct lk_span value,
			  void *object)
{
	(void)f;
	return key_read(r, value, field_in(f, object));
}

static bool is_control(uint32_t point)
{
	return point < 0x20 || (point >= 0x7f && point < 0xa0);
}

static int id_read(struct reader *r, const struct field *f, struct lk_span value, void *object)
{
	struct lk_text *id = field_in(f, object);

	if (text_read(r, value, f->min, f->max, id) < 0)
		return LK_EREFUSED;
	for (const char *at = id->at; at < id->at + id->len;) {
		if (is_control(text_point(&at)))
			return refuse(r->why, LK_BAD_VALUE,
				      "An id must not hold control characters.");
	}
	return 0;
}

static int source_read(struct reader *r, const struct field *f, struct lk_span value, void *object)
{
	struct lk_text *source = field_in(f, object);

	if (token_read(r, value, f->max, "._-", source) < 0)
		return LK_EREFUSED;
	r->agency = r->agency_of(r->context, *source);
	if (r->agency < 0)
		return refuse(r->why, LK_UNKNOWN_SOURCE,
			      "This source is not one that is configured.");
	return 0;
}

static void text_write(const struct field *f, const void *object, struct lk_bytes *out)
{
	const struct lk_text *text = field_of(f, object);

	lk_put_text(out, *text);
}

static void text_clear(const struct field *f, void *object)
{
	struct lk_text *text = field_in(f, object);

	*text = LK_NO_TEXT;
}

static bool text_given(const struct field *f, const void *object)
{
	const struct lk_text *text = field_of(f, object);

	return text->at != NULL;
}

static int constant_read(struct reader *r, const struct field *f, struct lk_span value,
			 void *object)
{
	struct lk_text text;

	(void)object;
	if (plain_text_read(r, value, &text) < 0)
		return LK_EREFUSED;
	return lk_text_says(text, f->constant)
		       ? 0
		       : refuse(r->why, LK_BAD_VALUE, "Only one value is spoken here.");
}

static void constant_write(const struct field *f, const void *object, struct lk_bytes *out)
{
	(void)object;
	lk_put_word(out, f->constant);
}

static void constant_clear(const struct field *f, void *object)
{
	(void)f, (void)object;
}

static bool constant_given(const struct field *f, const void *object)
{
	(void)object;
	return f->presence == FIELD_REQUIRED;
}

/* The name of a notice: a key that is kept in the struct itself. */
static int name_read(struct reader *r, const struct field *f, struct lk_span value, void *object)
{
	struct lk_text text;

	if (key_read(r, value, &text) < 0)
		return LK_EREFUSED;
	memcpy(field_in(f, object), text.at, text.len);
	return 0;
}

static void name_write(const struct field *f, const void *object, struct lk_bytes *out)
{
	lk_put_word(out, field_of(f, object));
}

static void name_clear(const struct field *f, void *object)
{
	memset(field_in(f, object), 0, LK_DIGEST_HEX);
}

static bool name_given(const struct field *f, const void *object)
{
	return *(const char *)field_of(f, object) != '\0';
}

/* ---- Codes and truth ------------------------------------------------------------------------- */

static int code_field_read(struct reader *r, const struct field *f, struct lk_span value,
			   void *object)
{
	return code_read(r, f, value, field_in(f, object));
}

static int type_read(struct reader *r, const struct field *f, struct lk_span value, void *object)
{
	struct lk_text word;
	int *type = field_in(f, object);

	if (plain_text_read(r, value, &word) < 0)
		return LK_EREFUSED;
	*type = f->code(word);
	return *type >= 0 ? 0 : refuse(r->why, LK_UNKNOWN_TYPE, "No such type of event is known.");
}

static int status_read(struct reader *r, const struct field *f, struct lk_span value, void *object)
{
	int *status = field_in(f, object);

	if (code_read(r, f, value, status) < 0)
		return LK_EREFUSED;
	if ((int)lk_status_agency((enum lk_status) * status) != r->agency)
		return refuse(r->why, LK_BAD_VALUE, "This status belongs to the other agency.");
	return 0;
}

static int role_read(struct reader *r, const struct field *f, struct lk_span value, void *object)
{
	int *role = field_in(f, object);

	if (code_read(r, f, value, role) < 0)
		return LK_EREFUSED;
	if (!lk_role_fits((enum lk_role) * role, (enum lk_agency)r->agency))
		return refuse(r->why, LK_BAD_VALUE, "This role belongs to the other agency.");
	return 0;
}

static void code_write(const struct field *f, const void *object, struct lk_bytes *out)
{
	const int *code = field_of(f, object);

	lk_put_word(out, f->code_word(*code));
}

static int bool_read(struct reader *r, const struct field *f, struct lk_span value, void *object)
{
	int *fact = field_in(f, object);
	bool said;

	if (!lk_as_bool(value, &said))
		return refuse(r->why, LK_BAD_TYPE, "This must be true or false.");
	*fact = said;
	return 0;
}

static void bool_write(const struct field *f, const void *object, struct lk_bytes *out)
{
	const int *fact = field_of(f, object);

	lk_put_bool(out, *fact != 0);
}

/* -1 stands for 'absent' in codes and in facts alike. */
static void code_clear(const struct field *f, void *object)
{
	int *code = field_in(f, object);

	*code = LK_NO_CODE;
}

static bool code_given(const struct field *f, const void *object)
{
	const int *code = field_of(f, object);

	return *code != LK_NO_CODE;
}

/* ---- Numbers and time ------------------------------------------------------------------------ */

static int int_read(struct reader *r, const struct field *f, struct lk_span value, void *object)
{
	int64_t *number = field_in(f, object);

	if (!lk_as_int(value, number))
		return refuse(r->why, LK_BAD_TYPE, "This must be an integer.");
	if (*number < f->min || *number > f->max)
		return refuse(r->why, LK_BAD_VALUE, "This number is out of its range.");
	return 0;
}

static void int_write(const struct field *f, const void *object, struct lk_bytes *out)
{
	const int64_t *number = field_of(f, object);

	lk_put_int(out, *number);
}

static void int_clear(const struct field *f, void *object)
{
	int64_t *number = field_in(f, object);

	*number = INT64_MIN;
}

static bool int_given(const struct field *f, const void *object)
{
	const int64_t *number = field_of(f, object);

	return *number != INT64_MIN;
}

/* An integer as text, as the CloudEvents extension writes it; leading zeros are allowed there.
 * INT64_MIN means absent and is refused with what lies beyond. */
static int integer_parse(struct lk_text text, int64_t *out)
{
	bool negative = text.len > 0 && text.at[0] == '-';
	int64_t value = 0;

	if (text.len == negative)
		return -1;
	for (uint32_t i = negative; i < text.len; i++) {
		if (text.at[i] < '0' || text.at[i] > '9' ||
		    __builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, text.at[i] - '0', &value))
			return -1;
	}
	*out = negative ? -value : value;
	return 0;
}

static int sequence_read(struct reader *r, const struct field *f, struct lk_span value,
			 void *object)
{
	struct lk_text text;

	if (plain_text_read(r, value, &text) < 0)
		return LK_EREFUSED;
	if (integer_parse(text, field_in(f, object)) < 0)
		return refuse(r->why, LK_BAD_VALUE, "This must be an integer, written as a text.");
	return 0;
}

static void sequence_write(const struct field *f, const void *object, struct lk_bytes *out)
{
	const int64_t *number = field_of(f, object);
	char text[24];

	snprintf(text, sizeof(text), "%lld", (long long)*number);
	lk_put_word(out, text);
}

static int date_read(struct reader *r, const struct field *f, struct lk_span value, void *object)
{
	struct lk_text text;

	if (plain_text_read(r, value, &text) < 0)
		return LK_EREFUSED;
	if (lk_date_parse(text, field_in(f, object)) < 0)
		return refuse(r->why, LK_BAD_VALUE, "This must be an existing day, YYYY-MM-DD.");
	return 0;
}

static void date_write(const struct field *f, const void *object, struct lk_bytes *out)
{
	const lk_date *date = field_of(f, object);

	lk_put_date(out, *date);
}

static void date_clear(const struct field *f, void *object)
{
	lk_date *date = field_in(f, object);

	*date = LK_NO_DATE;
}

static bool date_given(const struct field *f, const void *object)
{
	const lk_date *date = field_of(f, object);

	return *date != LK_NO_DATE;
}

static int time_field_read(struct reader *r, const struct field *f, struct lk_span value,
			   void *object)
{
	return time_read(r, value, field_in(f, object));
}

static void time_write(const struct field *f, const void *object, struct lk_bytes *out)
{
	const struct lk_time *time = field_of(f, object);

	lk_put_time(out, *time);
}

static void time_clear(const struct field *f, void *object)
{
	struct lk_time *time = field_in(f, object);

	*time = LK_NO_TIME;
}

static bool time_given(const struct field *f, const void *object)
{
	const struct lk_time *time = field_of(f, object);

	return time->at != LK_NO_INSTANT;
}

/* ---- Spans ----------------------------------------------------------------------------------- */

static int raw_read(struct reader *r, const struct field *f, struct lk_span value, void *object)
{
	struct lk_span *span = field_in(f, object);

	(void)r;
	*span = value;
	return 0;
}

static int list_read(struct reader *r, const struct field *f, struct lk_span value, void *object)
{
	if (span_kind(value) != SPAN_ARRAY)
		return refuse(r->why, LK_BAD_TYPE, "This must be a list.");
	return raw_read(r, f, value, object);
}

static void raw_write(const struct field *f, const void *object, struct lk_bytes *out)
{
	const struct lk_span *span = field_of(f, object);

	lk_put_raw(out, span->at, span->len);
}

static void raw_clear(const struct field *f, void *object)
{
	struct lk_span *span = field_in(f, object);

	*span = (struct lk_span){ NULL, 0 };
}

static bool raw_given(const struct field *f, const void *object)
{
	const struct lk_span *span = field_of(f, object);

	return span->at != NULL;
}

/* A list that nobody filled is an empty one. */
static void list_write(const struct field *f, const void *object, struct lk_bytes *out)
{
	if (raw_given(f, object))
		raw_write(f, object, out);
	else
		lk_put_array(out, 0);
}

static bool list_given(const struct field *f, const void *object)
{
	return f->presence == FIELD_REQUIRED || raw_given(f, object);
}

/* ---- The table of kinds ---------------------------------------------------------------------- */

static const struct kind kind_text = { text_field_read, text_write, text_clear, text_given };
static const struct kind kind_worker = { worker_read, text_write, text_clear, text_given };
static const struct kind kind_code = { code_field_read, code_write, code_clear, code_given };
static const struct kind kind_status = { status_read, code_write, code_clear, code_given };
static const struct kind kind_role = { role_read, code_write, code_clear, code_given };
static const struct kind kind_date = { date_read, date_write, date_clear, date_given };
static const struct kind kind_time = { time_field_read, time_write, time_clear, time_given };
static const struct kind kind_bool = { bool_read, bool_write, code_clear, code_given };
static const struct kind kind_int = { int_read, int_write, int_clear, int_given };
static const struct kind kind_constant = { constant_read, constant_write, constant_clear,
					   constant_given };
static const struct kind kind_id = { id_read, text_write, text_clear, text_given };
static const struct kind kind_source = { source_read, text_write, text_clear, text_given };
static const struct kind kind_type = { type_read, code_write, code_clear, code_given };
static const struct kind kind_case = { case_read, text_write, text_clear, text_given };
static const struct kind kind_sequence = { sequence_read, sequence_write, int_clear, int_given };
static const struct kind kind_name = { name_read, name_write, name_clear, name_given };
static const struct kind kind_key = { key_field_read, text_write, text_clear, text_given };
static const struct kind kind_raw = { raw_read, raw_write, raw_clear, raw_given };
static const struct kind kind_list = { list_read, list_write, raw_clear, list_given };

static const struct kind *const kinds[field_kind_count] = {
	[FIELD_TEXT] = &kind_text,
	[FIELD_WORKER] = &kind_worker,
	[FIELD_CODE] = &kind_code,
	[FIELD_STATUS] = &kind_status,
	[FIELD_ROLE] = &kind_role,
	[FIELD_DATE] = &kind_date,
	[FIELD_TIME] = &kind_time,
	[FIELD_BOOL] = &kind_bool,
	[FIELD_INT] = &kind_int,
	[FIELD_TOPICSET] = &kind_topicset,
	[FIELD_WORKERS] = &kind_workers,
	[FIELD_MEMBERS] = &kind_members,
	[FIELD_OTHER] = &kind_other,
	[FIELD_CONSTANT] = &kind_constant,
	[FIELD_ID] = &kind_id,
	[FIELD_SOURCE] = &kind_source,
	[FIELD_TYPE] = &kind_type,
	[FIELD_CASE] = &kind_case,
	[FIELD_SEQUENCE] = &kind_sequence,
	[FIELD_KEYS] = &kind_keys,
	[FIELD_REASONS] = &kind_reasons,
	[FIELD_PROPOSALS] = &kind_proposals,
	[FIELD_NAME] = &kind_name,
	[FIELD_CONTACTS] = &kind_contacts,
	[FIELD_ABOUT] = &kind_about,
	[FIELD_BECAUSE] = &kind_because,
	[FIELD_EVENTS] = &kind_events,
	[FIELD_ANSWERED] = &kind_answered,
	[FIELD_NUMBER] = &kind_int,
	[FIELD_KEY] = &kind_key,
	[FIELD_RAW] = &kind_raw,
	[FIELD_LIST] = &kind_list,
};

/* ---- Whole maps ------------------------------------------------------------------------------ */

void fields_clear(const struct field *fields, void *object)
{
	for (const struct field *f = fields; f->word != NULL; f++)
		kinds[f->kind]->clear(f, object);
}

static bool field_is(const struct field *f, struct lk_text word)
{
	return f->word_len == word.len && f->word[0] == word.at[0] &&
	       memcmp(f->word, word.at, word.len) == 0;
}

/* One walk over the map. Two rows may share a word (about.status). */
void fields_find(const struct field *fields, struct lk_span map, struct lk_span found[FIELDS_MAX])
{
	struct lk_span key, value;
	size_t cursor = 0;

	memset(found, 0, FIELDS_MAX * sizeof(*found));
	while (lk_next(map, &cursor, &key, &value)) {
		struct lk_text word = lk_as_text(key);

		for (size_t i = 0; fields[i].word != NULL; i++) {
			if (field_is(&fields[i], word))
				found[i] = value;
		}
	}
}

static int field_read(struct reader *r, const struct field *f, struct lk_span value, void *object)
{
	bool absent = value.at == NULL;
	bool nil = !absent && lk_is_nil(value);

	if ((absent && f->presence != FIELD_OPTIONAL) || (nil && f->presence == FIELD_REQUIRED))
		return refuse(r->why, LK_MISSING, "This member is required.");
	if (absent || nil)
		return 0;
	return kinds[f->kind]->read(r, f, value, object);
}

int fields_read_rows(struct reader *r, const struct field *fields, size_t from, size_t end,
		     const struct lk_span found[FIELDS_MAX], void *object)
{
	for (size_t i = from; i < end; i++) {
		if (field_read(r, &fields[i], found[i], object) < 0)
			return refuse_under(r->why, fields[i].word);
	}
	return 0;
}

int fields_read(struct reader *r, const struct field *fields, struct lk_span map, void *object)
{
	struct lk_span found[FIELDS_MAX];
	size_t n = 0;

	if (span_kind(map) != SPAN_MAP)
		return refuse(r->why, LK_BAD_TYPE, "This must be a map.");
	fields_find(fields, map, found);
	while (fields[n].word != NULL)
		n++;
	assert(n <= FIELDS_MAX);
	return fields_read_rows(r, fields, 0, n, found, object);
}

/* Texts and codes, which most members are, without a call. */
static bool field_given(const struct field *f, const void *object)
{
	const struct kind *kind = kinds[f->kind];

	if (kind->given == text_given)
		return text_given(f, object);
	return kind->given == code_given ? code_given(f, object) : kind->given(f, object);
}

bool fields_any(const struct field *fields, const void *object)
{
	while (fields->word != NULL &&
	       !(fields->presence != FIELD_OPTIONAL || field_given(fields, object)))
		fields++;
	return fields->word != NULL;
}

/* Of two rows that share a word, the first that is given is written. */
static bool field_shadowed(const struct field *fields, size_t row, uint32_t written)
{
	struct lk_text word = { fields[row].word, fields[row].word_len };

	for (size_t i = 0; i < row; i++) {
		if ((written >> i & 1) != 0 && field_is(&fields[i], word))
			return true;
	}
	return false;
}

/* A bit for each row that is written. */
static uint32_t fields_written(const struct field *fields, const void *object)
{
	uint32_t written = 0;

	for (size_t i = 0; fields[i].word != NULL; i++) {
		const struct field *f = &fields[i];
		bool is = f->presence != FIELD_OPTIONAL ||
			  (field_given(f, object) && !field_shadowed(fields, i, written));

		written |= (uint32_t)is << i;
	}
	return written;
}

static uint32_t rows_in(uint32_t written)
{
	uint32_t n = 0;

	for (; written != 0; written &= written - 1)
		n++;
	return n;
}

static void word_write(const struct field *f, struct lk_bytes *out)
{
	if (out->failed || out->room - out->len < sizeof(f->coded)) {
		lk_put_text(out, (struct lk_text){ f->word, f->word_len });
		return;
	}
	memcpy(out->at + out->len, f->coded, sizeof(f->coded));
	out->at[out->len] |= (uint8_t)f->word_len;
	out->len += 1 + (size_t)f->word_len;
}

static void rows_write(const struct field *fields, uint32_t written, const void *object,
		       struct lk_bytes *out)
{
	for (const struct field *f = fields; written != 0; f++, written >>= 1) {
		if ((written & 1) == 0)
			continue;
		word_write(f, out);
		if (f->presence == FIELD_OPTIONAL || field_given(f, object))
			kinds[f->kind]->write(f, object, out);
		else
			lk_put_nil(out);
	}
}

uint32_t fields_given(const struct field *fields, const void *object)
{
	return rows_in(fields_written(fields, object));
}

void fields_write(const struct field *fields, const void *object, struct lk_bytes *out)
{
	rows_write(fields, fields_written(fields, object), object, out);
}

void fields_put(const struct field *fields, const void *object, struct lk_bytes *out)
{
	uint32_t written = fields_written(fields, object);

	lk_put_map(out, rows_in(written));
	rows_write(fields, written, object, out);
}
