/* expunge.c - everything that names some cases, found and struck out on order.
 *
 * In: the cases of a family, and the words of an order. Out: what was struck out, counted. Promise: all of it in one
 * transaction or none; the ledger still verifies, and says that something was taken away and on whose order.
 */
#include "internal.h"

#include <assert.h>
#include <linkages/wire.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct numbers {
	int64_t *at;
	size_t n, room;
};

#define PARTS 4 /* of the search: events, notices, dead letters, the ledger */

struct named_case {
	int agency;
	char number[33];
	int64_t ref;
};

struct store_traces {
	struct store *store;
	struct named_case *cases, *neighbours;
	size_t cases_n, neighbours_n, neighbours_room;
	struct numbers events, foreign, notices, letters, asked;
	struct lk_bytes told;  /* ids of notices, all of whose tellings go */
	struct lk_bytes names; /* of events that go, 'SOURCE/ID', each ended by a zero */
	int part;
	int64_t at, reached[PARTS], done, of;
	struct lk_error *err;
};

/* ---- Lists ----------------------------------------------------------------------------------- */

static int number_add(struct store_traces *t, struct numbers *list, int64_t number)
{
	if (list->n == list->room) {
		size_t room = list->room * 2 + 64;
		int64_t *wider = realloc(list->at, room * sizeof(*wider));

		if (wider == NULL)
			return lk_fail(t->err, LK_EMEMORY,
				       "no memory for what is to be struck out");
		list->at = wider;
		list->room = room;
	}
	list->at[list->n++] = number;
	return 0;
}

static const struct named_case *case_named(const struct store_traces *t, int agency,
					   struct lk_text number)
{
	for (size_t i = 0; i < t->cases_n; i++)
		if (t->cases[i].agency == agency && lk_text_says(number, t->cases[i].number))
			return &t->cases[i];
	return NULL;
}

static int neighbour_add(struct store_traces *t, int agency, struct lk_text number)
{
	struct named_case *n;

	for (size_t i = 0; i < t->neighbours_n; i++)
		if (t->neighbours[i].agency == agency &&
		    lk_text_says(number, t->neighbours[i].number))
			return 0;
	if (t->neighbours_n == t->neighbours_room) {
		size_t room = t->neighbours_room * 2 + 16;
		struct named_case *wider = realloc(t->neighbours, room * sizeof(*wider));

		if (wider == NULL)
			return lk_fail(t->err, LK_EMEMORY, "no memory for neighbours");
		t->neighbours = wider;
		t->neighbours_room = room;
	}
	n = &t->neighbours[t->neighbours_n++];
	*n = (struct named_case){ .agency = agency };
	(void)snprintf(n->number, sizeof(n->number), "%.*s", LK_PRINT(number));
	return 0;
}

int store_traces_neighbour(struct store_traces *t, struct case_key key, struct lk_error *err)
{
	t->err = err;
	return neighbour_add(t, key.agency, key.number);
}

int store_traces_open(struct store *s, const struct case_key *cases, size_t n,
		      struct store_traces **out, struct lk_error *err)
{
	struct store_traces *t = calloc(1, sizeof(*t));

	if (t == NULL || (t->cases = calloc(n + 1, sizeof(*t->cases))) == NULL) {
		free(t);
		return lk_fail(err, LK_EMEMORY, "no memory for what is to be struck out");
	}
	t->store = s;
	t->cases_n = n;
	for (size_t i = 0; i < n; i++) {
		t->cases[i].agency = cases[i].agency;
		(void)snprintf(t->cases[i].number, sizeof(t->cases[i].number), "%.*s",
			       LK_PRINT(cases[i].number));
	}
	*out = t;
	return 0;
}

void store_traces_close(struct store_traces *t)
{
	if (t == NULL)
		return;
	free(t->events.at);
	free(t->foreign.at);
	free(t->notices.at);
	free(t->letters.at);
	free(t->asked.at);
	free(t->neighbours);
	free(t->cases);
	lk_bytes_free(&t->told);
	lk_bytes_free(&t->names);
	free(t);
}

int store_traces_neighbours(struct store_traces *t, case_visitor *visit, void *context)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < t->neighbours_n; i++)
		rc = visit(context, (struct case_key){ t->neighbours[i].agency,
						       lk_text_of(t->neighbours[i].number) });
	return rc;
}

void store_traces_count(const struct store_traces *t, int64_t *done, int64_t *of)
{
	*done = t->done;
	*of = t->of;
}

/* ---- Finding, row by row --------------------------------------------------------------------- */

/* 1: what was said of a link names one of the cases as its other end; 0: it does not. */
static int names_other(struct store_traces *t, const struct stored_event *e, const void *packed,
		       size_t len)
{
	struct lk_bytes body = { 0 };
	int rc = event_unpack(t->store, e, packed, len, &body, t->err);
	struct lk_span other = lk_get_path(lk_span_of(body.at, body.len), "data.other");

	if (rc == 0)
		rc = case_named(t, lk_agency_code(lk_as_text(lk_get(other, "agency"))),
				lk_as_text(lk_get(other, "case"))) != NULL;
	lk_bytes_free(&body);
	return rc;
}

/* Columns: position, agency, number, source, id, type, time, supersedes, body. */
static int find_event(struct store_traces *t, struct query *q, int64_t position)
{
	struct stored_event e = { .position = position, .agency = column_code(q) };
	const void *packed;
	size_t len;
	int rc;

	e.number = column_text(q);
	e.source = column_text(q);
	e.id = column_text(q);
	e.type = column_code(q);
	if (case_named(t, e.agency, e.number) != NULL) {
		lk_bytes_add(&t->names, e.source.at, e.source.len);
		lk_bytes_add(&t->names, "/", 1);
		lk_bytes_add(&t->names, e.id.at, e.id.len);
		lk_bytes_add(&t->names, "", 1);
		return number_add(t, &t->events, position);
	}
	if (e.type != LK_LINK_CONFIRMED && e.type != LK_LINK_REFUSED && e.type != LK_LINK_REMOVED)
		return 0;
	e.time_at = column_int(q);
	e.supersedes = column_text(q);
	packed = column_blob(q, &len);
	if ((rc = names_other(t, &e, packed, len)) != 1)
		return rc;
	if (neighbour_add(t, e.agency, e.number) < 0)
		return LK_EMEMORY;
	return number_add(t, &t->foreign, position);
}

/* Columns: serial; number; own agency, number; other agency, number. Of a block that cannot be read nobody knows whom it
 * names. */
static int find_notice(struct store_traces *t, struct query *q, int64_t serial)
{
	int64_t number = column_int(q);
	int own_agency = column_code(q), other_agency;
	struct lk_text own = column_text(q), other;
	bool is_own, is_other;

	if (number == 0)
		return row_damaged(t->store, t->err, "notice", serial, "block");
	other_agency = column_code(q);
	other = column_text(q);
	is_own = case_named(t, own_agency, own) != NULL;
	is_other = case_named(t, other_agency, other) != NULL;
	if (!is_own && !is_other)
		return 0;
	if (!is_own && lk_text_given(own) && neighbour_add(t, own_agency, own) < 0)
		return LK_EMEMORY;
	if (!is_other && lk_text_given(other) && neighbour_add(t, other_agency, other) < 0)
		return LK_EMEMORY;
	return number_add(t, &t->notices, number);
}

static bool is_word_byte(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	       c == '-';
}

int64_t store_words_said(const void *bytes, size_t len, struct lk_text word)
{
	const char *at = bytes, *found = at, *end = at + len;
	int64_t n = 0;

	while ((found = memmem(found, (size_t)(end - found), word.at, word.len)) != NULL) {
		n += (found == at || !is_word_byte(found[-1])) &&
		     (found + word.len == end || !is_word_byte(found[word.len]));
		found++;
	}
	return n;
}

static bool says_case(const struct store_traces *t, const char *at, size_t len)
{
	for (size_t i = 0; i < t->cases_n; i++)
		if (store_words_said(at, len, lk_text_of(t->cases[i].number)) > 0)
			return true;
	return false;
}

/* Bytes that may be nothing at all: the number anywhere in them is enough. */
static int find_letter(struct store_traces *t, struct query *q, int64_t number)
{
	size_t len;
	const void *body = column_blob(q, &len);

	for (size_t i = 0; i < t->cases_n; i++)
		if (memmem(body, len, t->cases[i].number, strlen(t->cases[i].number)) != NULL)
			return number_add(t, &t->letters, number);
	return 0;
}

/* What auditors looked at: a case, an event or a notice of it; and what a notice rested on that has left its mailbox by its
 * age. The row of an order stays: it accounts for what it took away. */
static int find_asked(struct store_traces *t, struct query *q, int64_t number)
{
	struct lk_text basis = column_text(q);

	if (column_int(q) == 0)
		return 0;
	if (says_case(t, basis.at, basis.len))
		return number_add(t, &t->asked, number);
	for (const char *name = (const char *)t->names.at, *end = name + t->names.len; name < end;
	     name += strlen(name) + 1)
		if (store_words_said(basis.at, basis.len, lk_text_of(name)) > 0)
			return number_add(t, &t->asked, number);
	return 0;
}

static const struct part {
	enum statement rows;
	int (*find)(struct store_traces *t, struct query *q, int64_t number);
} parts[] = {
	{ SQL_trace_events, find_event },
	{ SQL_trace_notices, find_notice },
	{ SQL_trace_letters, find_letter },
	{ SQL_trace_asked, find_asked },
};
static_assert(sizeof(parts) / sizeof(parts[0]) == PARTS, "a place reached for each");

static int part_find(struct store_traces *t, int limit, struct lk_error *err)
{
	const struct part *part = &parts[t->part];
	struct query q = query_begin(t->store, part->rows);
	int n = 0, rc;

	t->err = err;
	bind_int(&q, t->at);
	bind_int(&q, limit);
	while ((rc = query_step(&q, err)) == 1) {
		t->at = column_int(&q);
		n++;
		if ((rc = part->find(t, &q, t->at)) < 0)
			break;
	}
	query_end(&q);
	t->done += n;
	return rc < 0 ? rc : n == limit;
}

int store_traces_find(struct store_traces *t, int limit, struct lk_error *err)
{
	struct store_counts counts = { 0 };
	int rc = part_find(t, limit, err);

	if (rc == 0) {
		t->reached[t->part++] = t->at;
		t->at = 0;
	}
	if (rc < 0 || t->part == PARTS)
		return rc < 0 ? rc : 0;
	rc = store_counts(t->store, &counts, err);
	t->of = counts.events + counts.notices + counts.dead_letters;
	return rc < 0 ? rc : 1;
}

/* ---- Striking out ---------------------------------------------------------------------------- */

static int ascending(const void *a, const void *b)
{
	int64_t one = *(const int64_t *)a, other = *(const int64_t *)b;

	return one < other ? -1 : one > other;
}

static int strike_ref(struct store *s, enum statement which, int64_t ref, struct lk_error *err)
{
	struct query q = query_begin(s, which);

	bind_int(&q, ref);
	return query_run(&q, err);
}

static int strike_events(struct store *s, const struct numbers *list, struct lk_error *err)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < list->n; i++) {
		rc = case_event_strike(s, list->at[i], err);
		if (rc == 0)
			rc = strike_ref(s, SQL_strike_event, list->at[i], err);
	}
	return rc;
}

/* The rows of their making go from the ledger with them. */
static int strike_notices(struct store_traces *t, struct numbers *ledger, int64_t *count,
			  struct lk_error *err)
{
	uint8_t id[LK_DIGEST];
	int64_t number, struck = 0;
	int rc = 0;

	if (t->notices.n > 0)
		qsort(t->notices.at, t->notices.n, sizeof(*t->notices.at), ascending);
	for (size_t i = 0; rc == 0 && i < t->notices.n; i++) {
		if (i > 0 && t->notices.at[i] == t->notices.at[i - 1])
			continue; /* found, and noted */
		struck++;
		if ((rc = notice_strike(t->store, t->notices.at[i], &number, id, err)) == 1)
			rc = number_add(t, ledger, number);
		if (rc == 0)
			rc = store_answer_forget(t->store, id, err);
	}
	*count = struck;
	return rc;
}

static int strike_case(struct store *s, const struct named_case *c, struct lk_error *err)
{
	struct case_key key = { c->agency, lk_text_of(c->number) };
	int64_t ref;
	int rc = name_seek(s, name_of_case(key), &ref, err);

	if (rc != 1)
		return rc;
	rc = strike_ref(s, SQL_token_drop, ref, err);
	if (rc == 0)
		rc = strike_ref(s, SQL_strike_links_back, ref, err);
	if (rc == 0)
		rc = strike_ref(s, SQL_strike_links, ref, err);
	return rc == 0 ? strike_ref(s, SQL_strike_case, ref, err) : rc;
}

/* What left its mailbox by its age has no row that would name the case. */
static int strike_aged(struct store_traces *t, struct lk_error *err)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < t->told.len; i += LK_DIGEST) {
		struct query q = query_begin(t->store, SQL_aged_drop);

		bind_digest(&q, t->told.at + i);
		rc = query_run(&q, err);
	}
	return rc;
}

static int strike_ledger(struct store_traces *t, struct numbers *ledger,
			 const struct ledger_row *order, int64_t *gone, struct lk_error *err)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < t->asked.n; i++)
		rc = number_add(t, ledger, t->asked.at[i]);
	if (rc < 0)
		return rc;
	if (ledger->n > 0)
		qsort(ledger->at, ledger->n, sizeof(*ledger->at), ascending);
	return store_ledger_expunge(t->store, order, ledger->at, ledger->n, gone, err);
}

int store_traces_note(struct store_traces *t, const uint8_t notice[LK_DIGEST], struct lk_error *err)
{
	lk_bytes_add(&t->told, notice, LK_DIGEST);
	return t->told.failed ? lk_fail(err, LK_EMEMORY, "no memory for what was told") : 0;
}

static int id_order(const void *a, const void *b)
{
	return memcmp(a, b, LK_DIGEST);
}

static int start_order(const void *a, const void *b)
{
	return memcmp(a, b, ROLL_START);
}

static const void *told_search(const struct sought *sought, const void *key,
			       int (*order)(const void *a, const void *b))
{
	const struct store_traces *t = sought->context;

	return bsearch(key, t->told.at, t->told.len / LK_DIGEST, LK_DIGEST, order);
}

static bool may_be_told(const struct sought *sought, const uint8_t start[ROLL_START])
{
	return told_search(sought, start, start_order) != NULL;
}

static bool is_told(const struct sought *sought, const uint8_t id[LK_DIGEST])
{
	return told_search(sought, id, id_order) != NULL;
}

static int note_told(void *context, int64_t number, const uint8_t id[LK_DIGEST], int64_t rev)
{
	struct store_traces *t = context;

	(void)id;
	(void)rev;
	return number_add(t, &t->notices, number);
}

/* Every telling of what was noted, in whatever mailbox. */
static int find_told(struct store_traces *t, struct lk_error *err)
{
	const struct sought told = {
		.may = may_be_told, .is = is_told, .found = note_told, .context = t
	};
	int rc = mailboxes_flush(t->store, err);

	if (rc < 0 || t->told.len == 0)
		return rc;
	t->err = err;
	qsort(t->told.at, t->told.len / LK_DIGEST, LK_DIGEST, id_order);
	return mailboxes_seek(t->store, &told, err);
}

/* What has come since each part was searched. */
static int find_since(struct store_traces *t, struct lk_error *err)
{
	int rc = 0;

	for (t->part = 0; rc == 0 && t->part < PARTS; t->part++) {
		t->at = t->reached[t->part];
		while ((rc = part_find(t, 1000, err)) == 1)
			continue;
	}
	return rc;
}

static int strike_all(struct store_traces *t, const struct ledger_row *order,
		      struct numbers *ledger, struct stored_struck *out, struct lk_error *err)
{
	struct store *s = t->store;
	int rc = find_since(t, err);

	if (rc == 0)
		rc = find_told(t, err);
	if (rc == 0)
		rc = strike_events(s, &t->events, err);
	if (rc == 0)
		rc = strike_events(s, &t->foreign, err);
	if (rc == 0)
		rc = strike_notices(t, ledger, &out->notices, err);
	if (rc == 0)
		rc = strike_aged(t, err);
	for (size_t i = 0; rc == 0 && i < t->letters.n; i++)
		rc = letter_strike(s, t->letters.at[i], err);
	for (size_t i = 0; rc == 0 && i < t->cases_n; i++)
		rc = strike_case(s, &t->cases[i], err);
	if (rc == 0)
		rc = strike_ledger(t, ledger, order, &out->ledger, err);
	if (rc == 0)
		rc = store_value_put(s, VALUE_EXPUNGED, (int64_t)s->tombs.n, err);
	/* The last event may be gone: a start is not to believe that the log is behind its mark. */
	if (rc == 0)
		rc = store_value_put(s, VALUE_STRUCK_UPTO, s->tips.position, err);
	return rc;
}

int store_traces_strike(struct store_traces *t, const struct ledger_row *order,
			struct stored_struck *out, struct lk_error *err)
{
	struct numbers ledger = { 0 };
	int rc = strike_all(t, order, &ledger, out, err);

	out->events = (int64_t)t->events.n;
	out->foreign_events = (int64_t)t->foreign.n;
	out->letters = (int64_t)t->letters.n;
	free(ledger.at);
	t->store->named = true;
	t->store->generation++; /* names have gone: none is believed any more, and none of now after a rollback */
	return rc;
}

/* ---- Afterwards ------------------------------------------------------------------------------ */

int store_notices_say(struct store *s, struct lk_text word, int64_t *bytes, int64_t *found,
		      struct lk_error *err)
{
	struct query q = query_begin(s, SQL_notice_bodies);
	int rc;

	*bytes = *found = 0;
	while ((rc = query_step(&q, err)) == 1) {
		size_t len;
		const void *body = column_blob(&q, &len);

		*bytes += (int64_t)len;
		*found += store_words_said(body, len, word);
	}
	query_end(&q);
	return rc;
}
