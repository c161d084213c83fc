/* arrivals.c - events' rows on their way into their table, and what shows that an event is new.
 *
 * In: rows, one by one, of events that are known to be new. Out: the table, many rows by one statement (waiting.c). Promise:
 * whatever asks the table finds in it all that was added before; what a rollback takes back is remembered by nobody; no event is
 * taken for new that is known.
 *
 * A statement costs more than the row that it writes. But only the table's index on ids says of any event whether it is known,
 * and it says so when the row is added. Ids mostly ascend, though: numbers, or instants. What is beyond all ids of its source is
 * new, and need not be looked for; so its row can wait. Any other is added at once, and the index is asked, as it
 * would be of each.
 */
#include "internal.h"

#include <string.h>

/* ---- The highest id of a source -------------------------------------------------------------- */

static struct last_id *last_of(struct store *s, int64_t source)
{
	return &s->arrivals.last[(uint64_t)source % LAST_IDS];
}

/* Of one that there is no room for stands what no text is beyond. */
static void last_set(struct last_id *last, int64_t source, struct lk_text id)
{
	bool fits = id.len <= sizeof(last->at);

	last->source = source;
	last->len = fits ? id.len : sizeof(last->at);
	memset(last->at, 0xff, sizeof(last->at));
	if (fits && id.len > 0)
		memcpy(last->at, id.at, id.len);
}

static int last_load(struct store *s, int64_t source, struct lk_error *err)
{
	struct query q = query_begin(s, SQL_event_last_id);
	size_t len;
	int rc;

	bind_int(&q, source);
	if ((rc = query_step(&q, err)) == 1) {
		/* As a text it may ask for memory, and where there is none it would seem to be no id. */
		const void *at = column_blob(&q, &len);
		last_set(last_of(s, source), source, (struct lk_text){ at, (uint32_t)len });
	}
	query_end(&q);
	return rc < 0 ? rc : 0;
}

/* In the order of the index. */
static bool is_beyond(const struct last_id *last, struct lk_text id)
{
	size_t least = id.len < last->len ? id.len : last->len;
	int order = least > 0 ? memcmp(id.at, last->at, least) : 0;

	return order != 0 ? order > 0 : id.len > last->len;
}

int id_is_beyond(struct store *s, int64_t source, struct lk_text id, struct lk_error *err)
{
	const struct last_id *last = last_of(s, source);
	int rc = last->source == source ? 0 : last_load(s, source, err);

	return rc < 0 ? rc : is_beyond(last, id);
}

void id_taken(struct store *s, int64_t source, struct lk_text id)
{
	struct last_id *last = last_of(s, source);

	if (is_beyond(last, id))
		last_set(last, source, id);
}

/* ---- Rows that wait -------------------------------------------------------------------------- */

#define BYTES_MOST ((size_t)64 << 10)

/* 0: a row may wait, and there is room for it. */
static int arrivals_reserve(struct store *s, struct lk_error *err)
{
	bool is_full = s->arrivals.n == ARRIVALS || s->arrivals.bytes.len > BYTES_MOST;
	int rc = store_allows(s, err);

	if (rc == 0 && !s->open_since_begin)
		rc = lk_fail(err, LK_ESTATE, "store: a write outside of a transaction");
	return rc == 0 && is_full ? arrivals_flush(s, err) : rc;
}

int arrival_add(struct store *s, const struct waiting_event *row, const struct stored_event *e,
		const struct lk_bytes *body, struct lk_error *err)
{
	struct arrivals *a = &s->arrivals;
	struct waiting_event *kept;
	int rc = arrivals_reserve(s, err);

	if (rc < 0)
		return rc;
	kept = &a->at[a->n];
	*kept = *row;
	kept->id = bytes_text(&a->bytes, e->id);
	kept->supersedes = bytes_text(&a->bytes, e->supersedes);
	kept->body = bytes_piece(&a->bytes, body->at, body->len);
	if (a->bytes.failed)
		return lk_fail(err, LK_EMEMORY, "store: no memory for rows that wait");
	a->n++;
	return 0;
}

static void arrivals_clear(struct arrivals *a)
{
	a->n = 0;
	lk_bytes_clear(&a->bytes);
}

int arrivals_flush(struct store *s, struct lk_error *err)
{
	struct query q;
	int rc;

	if (s->arrivals.n == 0)
		return 0;
	q = query_begin(s, SQL_event_take);
	q.lets_in = 0; /* it is what lets them in */
	rc = query_run(&q, err);
	arrivals_clear(&s->arrivals);
	s->lost |= rc < 0; /* whoever asked may go on, but not to a commit without them */
	return rc;
}

void arrivals_forget(struct store *s)
{
	arrivals_clear(&s->arrivals);
	memset(s->arrivals.last, 0, sizeof(s->arrivals.last));
}
