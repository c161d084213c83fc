/* roll.c - where a notice is: by its place in a mailbox, and by its id, without an index on either.
 *
 * In: notices as they are told. Out: which row holds a place; places of what has an id, or begins like one. Promise:
 * whatever was told is found, at every instant; what is found was asked of the notice's own row.
 *
 * Rows of notices lie in order of arrival. An index would be written to at random with each of them. The roll of a mailbox
 * has the serial numbers of its notices and the first three bytes of each id instead, in the order of the places, 64 to a
 * row. It is a list that is filled behind (recent.c): many places of a mailbox at a time. Who looks for an id goes through
 * the places, a tenth of what they stand for. A worker's answer asks one mailbox, from its end; people who ask of a
 * notice, all.
 */
#include "delta.h"
#include "internal.h"

#include <string.h>

#define LAG 65536 /* 4 MiB of memory */
#define SERIAL_BITS 40
#define SERIAL_MOST (((int64_t)1 << SERIAL_BITS) - 1)

static int64_t row_of(int64_t number)
{
	return ((number - 1) & -(int64_t)ROLL_PLACES) + 1;
}

static int64_t seq_of(int64_t number)
{
	return number & UINT32_MAX;
}

/* ---- Rows of a roll -------------------------------------------------------------------------- */

static uint32_t start_of(const uint8_t id[ROLL_START])
{
	return (uint32_t)id[0] << 16 | (uint32_t)id[1] << 8 | id[2];
}

/* 0: there is none. */
static uint64_t entry_get(const struct roll *roll, int64_t number)
{
	size_t i = (size_t)(number - roll->number);
	uint64_t entry = 0;

	for (size_t n = 0; i < roll->n && n < ROLL_ENTRY; n++)
		entry = entry << 8 | roll->at[i][n];
	return entry;
}

static void entry_put(struct roll *roll, int64_t number, uint64_t entry)
{
	size_t i = (size_t)(number - roll->number);

	for (; roll->n <= i; roll->n++)
		memset(roll->at[roll->n], 0, ROLL_ENTRY);
	for (size_t n = ROLL_ENTRY; n-- > 0; entry >>= 8)
		roll->at[i][n] = (uint8_t)entry;
}

/* Serial numbers of a mailbox go up by little. 0 is none, and no step. */
static void serials_put(const struct roll *roll, struct lk_bytes *out)
{
	int64_t last = 0;

	for (uint32_t i = 0; i < roll->n; i++) {
		int64_t serial = (int64_t)entry_get(roll, roll->number + i) & SERIAL_MOST;

		delta_number(out, serial == 0 ? 0 : delta_fold(serial - last) + 1);
		last = serial == 0 ? last : serial;
	}
}

/* Entries that have the beginnings of their ids get their serial numbers. */
static bool serials_take(struct roll *roll, struct delta_bytes from)
{
	uint64_t last = 0, step;

	for (uint32_t i = 0; i < roll->n; i++) {
		if (!delta_number_take(&from, &step))
			return false;
		if (step == 0)
			continue;
		last = (last + (uint64_t)delta_unfold(step - 1)) & (uint64_t)SERIAL_MOST;
		for (size_t n = ROLL_ENTRY; n-- > ROLL_START;)
			roll->at[i][n] = (uint8_t)(last >> 8 * (ROLL_ENTRY - 1 - n));
	}
	return from.len == 0;
}

/* One that is not whole is none: what it should lead to is missed by whoever looks for it. */
static void roll_read(struct query *q, struct roll *roll)
{
	struct delta_bytes ids, serials;

	ids.at = column_blob(q, &ids.len);
	serials.at = column_blob(q, &serials.len);
	roll->n = 0;
	if (ids.len % ROLL_START != 0 || ids.len > (size_t)ROLL_PLACES * ROLL_START)
		return;
	for (; roll->n * ROLL_START < ids.len; roll->n++) {
		memset(roll->at[roll->n], 0, ROLL_ENTRY);
		memcpy(roll->at[roll->n], ids.at + roll->n * ROLL_START, ROLL_START);
	}
	if (!serials_take(roll, serials))
		roll->n = 0;
}

static int roll_get(struct store *s, struct roll *roll, int64_t number, struct lk_error *err)
{
	struct query q = query_begin(s, SQL_roll_get);
	int rc;

	*roll = (struct roll){ .number = number };
	bind_int(&q, number);
	if ((rc = query_step(&q, err)) == 1)
		roll_read(&q, roll);
	query_end(&q);
	return rc < 0 ? rc : 0;
}

static int roll_put(struct store *s, const struct roll *roll, struct lk_error *err)
{
	uint8_t ids[ROLL_PLACES][ROLL_START];
	struct query q = query_begin(s, SQL_roll_put);

	for (uint32_t i = 0; i < roll->n; i++)
		memcpy(ids[i], roll->at[i], ROLL_START);
	lk_bytes_clear(&s->scratch);
	serials_put(roll, &s->scratch);
	if (s->scratch.failed)
		return lk_fail(err, LK_EMEMORY, "store: no memory for a roll");
	bind_int(&q, roll->number);
	bind_blob(&q, ids, roll->n * ROLL_START);
	bind_blob(&q, s->scratch.at, s->scratch.len);
	return query_run(&q, err);
}

/* ---- Filled behind --------------------------------------------------------------------------- */

int place_taken(struct store *s, int64_t seq, struct lk_error *err)
{
	return row_damaged(s, err, "the end of a mailbox, its place", seq, "row");
}

int place_add(struct store *s, int64_t number, int64_t serial, const uint8_t id[LK_DIGEST],
	      struct lk_error *err)
{
	struct recent_found row = { serial, number, start_of(id) };
	int rc = recent_ready(s, RECENT_PLACES, err);

	if (rc == 0 && recent_last(&s->recent[RECENT_PLACES], number) > 0)
		return place_taken(s, seq_of(number), err);
	if (rc == 0)
		rc = recent_add(s, RECENT_PLACES, row, err);
	return rc == 1 ? row_damaged(s, err, "notice", serial, "serial number") : rc;
}

static uint32_t id_note(struct query *q)
{
	uint8_t id[LK_DIGEST];

	(void)column_digest(q, id);
	return start_of(id);
}

/* The row of the number's place, and the first place that its mailbox keeps: 1; 0: nobody's. */
static int roll_open(struct store *s, struct roll *roll, int64_t *first, struct lk_error *err)
{
	struct query q = query_begin(s, SQL_roll_of);
	int rc;

	bind_int(&q, roll->number);
	if ((rc = query_step(&q, err)) == 1) {
		*first = column_int(&q);
		roll_read(&q, roll);
	}
	query_end(&q);
	return rc;
}

/* All of one row. What has been pruned since it was told is in no roll any more. */
static int entries_move(struct store *s, const struct recent *r, uint32_t i, struct lk_error *err)
{
	struct roll roll = { .number = row_of(r->order[i].key) };
	int64_t first = INT64_MAX;
	uint32_t n = 0, moved = 0;
	int rc = roll_open(s, &roll, &first, err);

	for (; rc >= 0 && i + n < r->run && row_of(r->order[i + n].key) == roll.number; n++) {
		struct recent_entry e = r->order[i + n];

		if (seq_of(e.key) < first || e.place > SERIAL_MOST)
			continue;
		entry_put(&roll, e.key,
			  (uint64_t)r->at[e.place - r->first].note << SERIAL_BITS |
				  (uint64_t)e.place);
		moved++;
	}
	if (moved > 0)
		rc = roll_put(s, &roll, err);
	return rc < 0 ? rc : (int)n;
}

const struct recent_kind roll_list = {
	.upto = "roll.upto",
	.rows = SQL_places_after,
	.clear = SQL_mend_rolls,
	.lag = LAG,
	.note = id_note,
	.move = entries_move,
};

/* ---- By place -------------------------------------------------------------------------------- */

static uint64_t recent_entry(const struct recent *r, int64_t number)
{
	uint32_t i = recent_last(r, number);

	return i > 0 ? (uint64_t)r->at[i - 1].note << SERIAL_BITS | (uint64_t)(r->first + i - 1)
		     : 0;
}

int64_t place_recent(const struct store *s, int64_t number)
{
	const struct recent *r = &s->recent[RECENT_PLACES];
	uint32_t i = r->is_stale ? 0 : recent_last(r, number);

	return i > 0 ? r->first + i - 1 : -1;
}

/* 1; 0: there is none. */
static int entry_seek(struct store *s, struct roll *roll, int64_t number, uint64_t *entry,
		      struct lk_error *err)
{
	bool is_read = roll->number == row_of(number);
	int rc = recent_ready(s, RECENT_PLACES, err);

	*entry = is_read ? entry_get(roll, number) : 0;
	if (rc == 0 && *entry == 0)
		*entry = recent_entry(&s->recent[RECENT_PLACES], number);
	if (rc == 0 && *entry == 0 && !is_read) {
		rc = roll_get(s, roll, row_of(number), err);
		*entry = entry_get(roll, number);
	}
	return rc < 0 ? rc : *entry != 0;
}

int place_seek(struct store *s, struct roll *roll, int64_t number, int64_t *serial,
	       struct lk_error *err)
{
	uint64_t entry;
	int rc = entry_seek(s, roll, number, &entry, err);

	*serial = (int64_t)entry & SERIAL_MOST;
	return rc;
}

static void serial_tell(sqlite3_context *to, int argc, sqlite3_value **argv)
{
	struct store *s = sqlite3_user_data(to);
	struct roll roll = { 0 };
	int64_t serial;
	int rc = place_seek(s, &roll, sqlite3_value_int64(argv[0]), &serial, NULL);

	(void)argc;
	if (rc == 1)
		sqlite3_result_int64(to, serial);
	else if (rc == LK_EMEMORY)
		sqlite3_result_error_nomem(to);
	else if (rc < 0)
		sqlite3_result_error_code(to, sqlite3_extended_errcode(s->db) & 0xff
						      ? sqlite3_extended_errcode(s->db)
						      : SQLITE_ERROR);
}

int serial_declare(struct store *s, struct lk_error *err)
{
	int rc = sqlite3_create_function(s->db, "serial_of", 1, SQLITE_UTF8 | SQLITE_DIRECTONLY, s,
					 serial_tell, NULL, NULL);

	return rc == SQLITE_OK ? 0 : store_fault(s, s->db, rc, "places of notices", err);
}

/* ---- By id ----------------------------------------------------------------------------------- */

static int notice_look(struct store *s, const struct sought *sought, int64_t number, int64_t serial,
		       struct lk_error *err)
{
	uint8_t id[LK_DIGEST];
	int64_t rev = 0;
	struct query q = query_begin(s, SQL_place_id);
	int rc;

	bind_int(&q, serial);
	bind_int(&q, number);
	if ((rc = query_step(&q, err)) == 1) {
		(void)column_digest(&q, id);
		rev = column_int(&q);
	}
	query_end(&q);
	if (rc == 0)
		return place_gone(s, seq_of(number), err);
	return rc == 1 && sought->is(sought, id) ? sought->found(sought->context, number, id, rev)
						 : (rc < 0 ? rc : 0);
}

static int place_look(struct store *s, const struct sought *sought, struct roll *roll,
		      int64_t number, struct lk_error *err)
{
	uint8_t start[ROLL_START];
	uint64_t entry;
	int rc = entry_seek(s, roll, number, &entry, err);

	if (rc <= 0)
		return rc < 0 ? rc : place_gone(s, seq_of(number), err);
	for (int i = 0; i < ROLL_START; i++)
		start[i] = (uint8_t)(entry >> (8 * (ROLL_ENTRY - 1 - i)));
	return sought->may(sought, start)
		       ? notice_look(s, sought, number, (int64_t)entry & SERIAL_MOST, err)
		       : 0;
}

int mailbox_seek(struct store *s, const struct mailbox_row *box, const struct sought *sought,
		 struct lk_error *err)
{
	int64_t base = box->ref << SEQ_BITS, low = base + box->first, high = base + box->next - 1;
	struct roll roll = { 0 };
	int rc = 0;

	if (low <= sought->after)
		low = sought->after + 1;
	for (int64_t i = 0; rc == 0 && i <= high - low; i++)
		rc = place_look(s, sought, &roll, sought->is_backward ? high - i : low + i, err);
	return rc;
}

int mailbox_row_get(struct store *s, int64_t after, struct mailbox_row *out, struct lk_error *err)
{
	struct query q = query_begin(s, SQL_mailbox_row);
	int rc;

	bind_int(&q, after);
	if ((rc = query_step(&q, err)) == 1) {
		out->ref = column_int(&q);
		out->first = column_int(&q);
		out->next = column_int(&q);
		out->received = column_int(&q);
	}
	query_end(&q);
	return rc;
}

int mailboxes_seek(struct store *s, const struct sought *sought, struct lk_error *err)
{
	struct mailbox_row box = { .ref = 0 };
	int rc;

	while ((rc = mailbox_row_get(s, box.ref, &box, err)) == 1)
		if ((rc = mailbox_seek(s, &box, sought, err)) != 0)
			break;
	return rc;
}

/* ---- What is sought -------------------------------------------------------------------------- */

bool roll_may_be(const struct sought *sought, const uint8_t start[ROLL_START])
{
	return memcmp(start, sought->low, ROLL_START) >= 0 &&
	       memcmp(start, sought->high, ROLL_START) <= 0;
}

bool roll_is(const struct sought *sought, const uint8_t id[LK_DIGEST])
{
	return memcmp(id, sought->low, LK_DIGEST) >= 0 && memcmp(id, sought->high, LK_DIGEST) <= 0;
}
