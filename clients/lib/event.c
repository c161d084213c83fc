/* event.c - bytes to one event and back.
 *
 * In: MessagePack that nobody vouches for. Out: a struct lk_event that borrows from it, or a
 * refusal by name. Promise: what comes out is an event that makes sense by itself (domain.md,
 * section 3); whether its time lies too far ahead needs a clock and is asked by whoever has one.
 */
#include "fields.h"

FIELD_TABLE(head_fields, struct envelope, FIELDS_head)
FIELD_TABLE(tail_fields, struct envelope, FIELDS_tail)

/* Both, with what lies between them: for one walk over an event. */
#define FIELDS_envelope(F) FIELDS_head(F) FIELDS_data(F) FIELDS_tail(F)
FIELD_TABLE(envelope_fields, struct envelope, FIELDS_envelope)

#define ONE_ROW(name, word, kind, presence) +1
enum {
	DATA_ROW = 0 FIELDS_head(ONE_ROW),
	TAIL_ROW = DATA_ROW FIELDS_data(ONE_ROW),
	ENVELOPE_ROWS = TAIL_ROW FIELDS_tail(ONE_ROW),
};

#define DATA_TABLE(enumerator, tag, word) \
	FIELD_TABLE(tag##_fields, struct lk_##tag, LK_FIELDS_##tag)
LK_EVENT_TYPES(DATA_TABLE)

static int meeting_check(const struct lk_event *event, struct lk_refused *why)
{
	if (event->meeting_scheduled.end.at > event->meeting_scheduled.start.at)
		return 0;
	refuse(why, LK_BAD_VALUE, "A meeting must end after it starts.");
	return refuse_under(why, "end");
}

static const struct {
	const struct field *(*fields)(void);
	size_t offset; /* of its data in struct lk_event */
} data_types[lk_event_type_count] = {
#define DATA_TYPE(enumerator, tag, word) \
	[enumerator] = { tag##_fields, offsetof(struct lk_event, tag) },
	LK_EVENT_TYPES(DATA_TYPE)
};

/* What members of one type's data owe to each other. */
static int (*const data_checks[lk_event_type_count])(const struct lk_event *event,
						     struct lk_refused *why) = {
	[LK_MEETING_SCHEDULED] = meeting_check,
};

/* ---- Decoding -------------------------------------------------------------------------------- */

static int scan_refuse(const struct scan *scan, struct lk_refused *why)
{
	static const struct {
		enum lk_refusal reason;
		const char *detail;
	} refusals[] = {
		[SCAN_LONG] = { LK_TOO_LARGE, "An event has at most 64 KiB." },
		[SCAN_MANY] = { LK_TOO_LARGE, "An event has at most 512 values." },
		[SCAN_DEEP] = { LK_MALFORMED, "An event is nested at most 8 deep." },
		[SCAN_BROKEN] = { LK_MALFORMED, NULL },
		[SCAN_MEMORY] = { LK_TOO_LARGE,
				  NULL }, /* not met: no map of an event has that many keys */
	};
	const char *detail = refusals[scan->fault].detail;

	return refuse(why, refusals[scan->fault].reason, detail != NULL ? detail : scan->detail);
}

static int data_read(struct reader *r, struct lk_span data, struct lk_event *out)
{
	void *object = (char *)out + data_types[out->type].offset;
	const struct field *fields = data_types[out->type].fields();

	fields_clear(fields, object);
	if (span_kind(data) != SPAN_MAP)
		return 0; /* a retraction that says nothing: data_shape() let only that pass */
	if (fields_read(r, fields, data, object) < 0)
		return LK_EREFUSED;
	return data_checks[out->type] != NULL ? data_checks[out->type](out, r->why) : 0;
}

/* The envelope comes before what data says, so that a stranger learns first that it is one. */
static int data_shape(struct lk_span data, enum lk_event_type type, struct lk_refused *why)
{
	bool absent = data.at == NULL || lk_is_nil(data);

	if (span_kind(data) == SPAN_MAP || (absent && type == LK_EVENT_RETRACTED))
		return 0;
	if (absent)
		refuse(why, LK_MISSING, "This member is required.");
	else
		refuse(why, LK_BAD_TYPE, "This must be a map.");
	return refuse_under(why, "data");
}

static int envelope_read(struct reader *r, struct lk_span event, struct envelope *out)
{
	const struct field *fields = envelope_fields();
	struct lk_span found[FIELDS_MAX];

	fields_clear(fields, out);
	fields_find(fields, event, found);
	out->data = found[DATA_ROW];
	if (fields_read_rows(r, fields, 0, DATA_ROW, found, out) < 0 ||
	    data_shape(out->data, (enum lk_event_type)out->type, r->why) < 0 ||
	    fields_read_rows(r, fields, TAIL_ROW, ENVELOPE_ROWS, found, out) < 0)
		return LK_EREFUSED;
	if (out->type != LK_EVENT_RETRACTED || out->supersedes.at != NULL)
		return 0;
	refuse(r->why, LK_MISSING, "A retraction must name what it takes back.");
	return refuse_under(r->why, "supersedes");
}

static void envelope_keep(const struct envelope *envelope, int agency, struct lk_event *out)
{
	out->id = envelope->id;
	out->source = envelope->source;
	out->subject = envelope->subject;
	out->supersedes = envelope->supersedes;
	out->time = envelope->time;
	out->has_sequence = envelope->sequence != INT64_MIN;
	out->sequence = out->has_sequence ? envelope->sequence : 0;
	out->agency = (enum lk_agency)agency;
	out->type = (enum lk_event_type)envelope->type;
}

int lk_event_decode(const void *bytes, size_t len, lk_agency_of *agency_of, void *context,
		    struct lk_event *out, struct lk_refused *why)
{
	struct reader reader = {
		.agency_of = agency_of, .context = context, .agency = -1, .why = why
	};
	struct envelope envelope;
	struct scan scan;

	if (scan_map(bytes, len, &lk_event_limits, &scan) < 0)
		return scan_refuse(&scan, why);
	if (envelope_read(&reader, lk_span_of(bytes, len), &envelope) < 0)
		return LK_EREFUSED;
	envelope_keep(&envelope, reader.agency, out);
	out->is_canonical = scan.canonical;
	if (data_read(&reader, envelope.data, out) < 0)
		return refuse_under(why, "data");
	return 0;
}

/* ---- Encoding -------------------------------------------------------------------------------- */

static void envelope_write(const struct envelope *envelope, const struct lk_event *event,
			   struct lk_bytes *out)
{
	bool with_data = event->type != LK_EVENT_RETRACTED;
	uint32_t n = fields_given(head_fields(), envelope) + fields_given(tail_fields(), envelope) +
		     with_data;

	lk_put_map(out, n);
	fields_write(head_fields(), envelope, out);
	fields_write(tail_fields(), envelope, out);
	if (!with_data)
		return;
	lk_put_word(out, "data");
	fields_put(data_types[event->type].fields(),
		   (const char *)event + data_types[event->type].offset, out);
}

void lk_event_encode(const struct lk_event *event, struct lk_bytes *out)
{
	struct envelope envelope = {
		.id = event->id,
		.source = event->source,
		.subject = event->subject,
		.supersedes = event->supersedes,
		.time = event->time,
		.type = (int)event->type,
		.sequence = event->has_sequence ? event->sequence : INT64_MIN,
	};
	struct lk_bytes plain = { 0 };

	envelope_write(&envelope, event, &plain);
	if (plain.failed || lk_wire_canonical(plain.at, plain.len, out) < 0)
		out->failed = true;
	lk_bytes_free(&plain);
}
