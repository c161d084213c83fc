/* inbox_store.c - the notices a client received, and the place it has reached in each worker's mailbox.
 *
 * In: notices as they came, numbered per worker. Out: each once, in order of arrival, to whoever takes them.
 * Promise: a notice and the place after it are committed together, so that neither a restart nor a repetition loses or
 * doubles one; what a worker may not see any more is erased here too.
 *
 * What came in one message is one row. Which notice is where is asked only where one is withdrawn for good, where a
 * mailbox is another than before, or where a person names one by its first digits; so the table of names is brought up to
 * date when it is asked, or when nothing else is to be done, and not with each row.
 */
#include "inbox_store.h"
#include "sqlfile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The position of a notice: its row's number times this, and which of the row's it is. No message holds as many. */
#define ROW_MAX 8192
#define ROW_OF_NAME "arrival.number = name.position / 8192"

static const struct sqlfile_kind store_kind = {
	.what = "inbox",
	.application_id = 0x4c4b4958, /* LKIX */
	.version = 1,
	.schema =
		"CREATE TABLE place (worker TEXT PRIMARY KEY,"
		" mailbox TEXT NOT NULL," /* 32 hex digits; another after the daemon lost rows */
		" last INTEGER NOT NULL"  /* highest seq stored of it */
		") STRICT, WITHOUT ROWID;"
		"CREATE TABLE arrival (number INTEGER PRIMARY KEY," /* over all workers */
		" worker TEXT NOT NULL,"
		" seq INTEGER NOT NULL," /* of the first; the others follow */
		" notices BLOB NOT NULL" /* an array; nil: erased, it may not be seen any more */
		") STRICT;"
		"CREATE TABLE name (id BLOB NOT NULL, rev INTEGER NOT NULL, position INTEGER NOT NULL,"
		" PRIMARY KEY (id, rev, position)"
		") STRICT, WITHOUT ROWID;"
		"CREATE TABLE reached (one INTEGER PRIMARY KEY CHECK (one = 1),"
		" taken INTEGER NOT NULL," /* position of the last notice that was taken */
		" named INTEGER NOT NULL," /* number of the last row whose notices are in `name` */
		" repeats INTEGER NOT NULL" /* number of the last row whose notices may come again: those that a mailbox had
					     * brought before it was another */
		") STRICT;"
		"INSERT INTO reached VALUES (1, 0, 0, 0);",
	.instead = "name a new file: whatever the daemon keeps comes again",
};

#define STORE_STATEMENTS(S) \
	S(BEGIN, "BEGIN IMMEDIATE") \
	S(COMMIT, "COMMIT") \
	S(ROLLBACK, "ROLLBACK") \
	S(PLACE, "SELECT mailbox, last FROM place WHERE worker = ?") \
	S(MAILBOX, "INSERT OR REPLACE INTO place VALUES (?, ?, ?)") \
	S(LAST, "UPDATE place SET last = ? WHERE worker = ? AND last < ?") \
	S(PUT, "INSERT INTO arrival (worker, seq, notices) VALUES (?, ?, ?)") \
	S(READ, "SELECT notices FROM arrival WHERE number = ?") \
	S(CHANGE, "UPDATE arrival SET notices = ? WHERE number = ?") \
	S(UNNAMED, "SELECT number, notices FROM arrival" \
		   " WHERE number > (SELECT named FROM reached) AND number <= ? ORDER BY number") \
	S(BEHIND, "SELECT coalesce(max(number), 0) - (SELECT named FROM reached) FROM arrival") \
	S(NAME, "INSERT INTO name VALUES (?, ?, ?)") \
	S(NAMED, "UPDATE reached SET named = ?") \
	S(KNOWN, "SELECT position FROM name JOIN arrival ON " ROW_OF_NAME \
		 " WHERE id = ? AND worker = ? AND rev BETWEEN ? AND ?") \
	S(FIND, "SELECT DISTINCT lower(hex(id)), worker FROM name JOIN arrival ON " ROW_OF_NAME \
		" WHERE substr(lower(hex(id)), 1, length(?1)) = ?1 LIMIT 2") \
	S(UNTAKEN, "SELECT number, worker, seq, notices FROM arrival" \
		   " WHERE number >= ? ORDER BY number") \
	S(REACHED, "SELECT taken, repeats, named FROM reached") \
	S(TAKEN, "UPDATE reached SET taken = ?") \
	S(REPEATS, "UPDATE reached SET repeats = (SELECT coalesce(max(number), 0) FROM arrival)" \
		   " RETURNING repeats")

#define STATEMENT_NAME(name, sql) STORE_##name,
#define STATEMENT_SQL(name, sql) (sql),
enum { STORE_STATEMENTS(STATEMENT_NAME) store_statements_n };
static const char *const store_sql[] = { STORE_STATEMENTS(STATEMENT_SQL) };

struct lk_inbox_store {
	sqlite3 *db;
	sqlite3_stmt *stmt[store_statements_n];
	bool in_transaction;
	int64_t repeats; /* as in the table, or higher where that was rolled back: it costs time only */
	int64_t named; /* rows up to this one have their names; 0 where that was rolled back */
	struct lk_bytes notices; /* a row that is being made */
	/* How far the worker has come whose notices are being put: notices of one worker come together, and their last
	 * place is the one that counts. Written before anything else of a place is, and before COMMIT. */
	char worker[65];
	int64_t last; /* 0: nothing to write */
};

static int reached_read(struct lk_inbox_store *s, int64_t *taken, struct lk_error *err)
{
	sqlite3_stmt *reached = s->stmt[STORE_REACHED];
	int found = sqlfile_step(reached, err);

	if (found <= 0)
		return found < 0 ? found : lk_fail(err, LK_ENOTFOUND, "the inbox file is empty");
	*taken = sqlite3_column_int64(reached, 0);
	s->repeats = sqlite3_column_int64(reached, 1);
	s->named = sqlite3_column_int64(reached, 2);
	sqlite3_reset(reached);
	return 0;
}

int lk_inbox_store_open(const char *path, struct lk_inbox_store **out, struct lk_error *err)
{
	struct lk_inbox_store *s = calloc(1, sizeof(*s));
	int64_t taken;
	int code;

	*out = NULL;
	if (s == NULL)
		return lk_fail(err, LK_EMEMORY, "out of memory");
	code = sqlfile_open(path, &store_kind, true, &s->db, err);
	if (code == 0)
		code = sqlfile_prepare(s->db, &store_kind, store_sql, store_statements_n, s->stmt,
				       err);
	if (code == 0)
		code = reached_read(s, &taken, err);
	if (code < 0) {
		lk_inbox_store_close(s);
		return code;
	}
	*out = s;
	return 0;
}

void lk_inbox_store_close(struct lk_inbox_store *s)
{
	if (s == NULL)
		return;
	sqlfile_finalize(s->stmt, store_statements_n);
	sqlite3_close(s->db);
	lk_bytes_free(&s->notices);
	free(s);
}

/* ---- Transactions -------------------------------------------------------------------------------------------------- */

bool inbox_store_in_transaction(const struct lk_inbox_store *s)
{
	return s->in_transaction;
}

int lk_inbox_store_begin(struct lk_inbox_store *s, struct lk_error *err)
{
	int code;

	if (s->in_transaction)
		return lk_fail(err, LK_ESTATE, "the inbox store is in a transaction already");
	code = sqlfile_exec(s->stmt[STORE_BEGIN], err);
	s->in_transaction = code == 0;
	return code;
}

static int last_write(struct lk_inbox_store *s, struct lk_error *err)
{
	int64_t last = s->last;

	if (last == 0)
		return 0;
	s->last = 0;
	sqlfile_bind(s->stmt[STORE_LAST], "iti", last, lk_text_of(s->worker), last);
	return sqlfile_exec(s->stmt[STORE_LAST], err);
}

int lk_inbox_store_commit(struct lk_inbox_store *s, struct lk_error *err)
{
	int code;

	if (!s->in_transaction)
		return lk_fail(err, LK_ESTATE, "the inbox store is in no transaction");
	code = last_write(s, err);
	if (code == 0)
		code = sqlfile_exec(s->stmt[STORE_COMMIT], err);
	if (code < 0)
		lk_inbox_store_rollback(s);
	s->in_transaction = false;
	return code;
}

void lk_inbox_store_rollback(struct lk_inbox_store *s)
{
	if (s->in_transaction)
		sqlfile_undo(s->stmt[STORE_ROLLBACK]);
	s->in_transaction = false;
	s->last = s->named = 0;
}

/* ---- Places -------------------------------------------------------------------------------------------------------- */

int lk_inbox_store_place(struct lk_inbox_store *s, struct lk_text worker,
			 struct lk_inbox_place *out, struct lk_error *err)
{
	sqlite3_stmt *place = s->stmt[STORE_PLACE];
	int found = last_write(s, err);

	if (found < 0)
		return found;
	sqlfile_bind(place, "t", worker);
	found = sqlfile_step(place, err);
	if (found != 1)
		return found;
	(void)snprintf(out->mailbox, sizeof(out->mailbox), "%s",
		       (const char *)sqlite3_column_text(place, 0));
	out->last = sqlite3_column_int64(place, 1);
	sqlite3_reset(place);
	return 1;
}

static int repeats_note(struct lk_inbox_store *s, struct lk_error *err)
{
	sqlite3_stmt *repeats = s->stmt[STORE_REPEATS];
	int code = sqlfile_step(repeats, err);

	if (code <= 0)
		return code;
	s->repeats = sqlite3_column_int64(repeats, 0);
	sqlite3_reset(repeats);
	return 0;
}

int lk_inbox_store_mailbox(struct lk_inbox_store *s, struct lk_text worker, struct lk_text mailbox,
			   int64_t last, struct lk_error *err)
{
	struct lk_inbox_place before;
	int code;

	if (!s->in_transaction)
		return lk_fail(err, LK_ESTATE, "begin a transaction first");
	code = lk_inbox_store_place(s, worker, &before, err);
	if (code == 1)
		code = repeats_note(s, err);
	if (code < 0)
		return code;
	sqlfile_bind(s->stmt[STORE_MAILBOX], "tti", worker, mailbox, last);
	return sqlfile_exec(s->stmt[STORE_MAILBOX], err);
}

/* The higher of the two, where the same worker's place is noted already. */
static int last_note(struct lk_inbox_store *s, struct lk_text worker, int64_t seq,
		     struct lk_error *err)
{
	int code = 0;

	if (s->last != 0 && !lk_text_says(worker, s->worker))
		code = last_write(s, err);
	if (code < 0)
		return code;
	if (s->last == 0)
		(void)snprintf(s->worker, sizeof(s->worker), "%.*s", LK_PRINT(worker));
	if (seq > s->last)
		s->last = seq;
	return 0;
}

/* ---- Rows ---------------------------------------------------------------------------------------------------------- */

static int row_add(struct lk_inbox_store *s, struct lk_text worker, int64_t seq,
		   struct lk_span notices, struct lk_error *err)
{
	int code;

	sqlfile_bind(s->stmt[STORE_PUT], "tib", worker, seq, (const void *)notices.at, notices.len);
	code = sqlfile_exec(s->stmt[STORE_PUT], err);
	return code < 0 ? code : last_note(s, worker, seq + lk_count(notices) - 1, err);
}

static int row_add_one(struct lk_inbox_store *s, struct lk_text worker, int64_t seq,
		       struct lk_span notice, struct lk_error *err)
{
	lk_bytes_clear(&s->notices);
	lk_put_array(&s->notices, 1);
	lk_bytes_add(&s->notices, notice.at, notice.len);
	if (s->notices.failed)
		return lk_fail(err, LK_EMEMORY, "out of memory");
	return row_add(s, worker, seq, lk_span_of(s->notices.at, s->notices.len), err);
}

/* `row` is the statement that reads it: its notices are column `column`. */
static struct lk_span row_notices(sqlite3_stmt *row, int column)
{
	return lk_span_of(sqlite3_column_blob(row, column),
			  (size_t)sqlite3_column_bytes(row, column));
}

static int row_change(struct lk_inbox_store *s, int64_t position, struct lk_span instead,
		      struct lk_error *err)
{
	sqlite3_stmt *read = s->stmt[STORE_READ];
	struct lk_span notices, key, notice;
	size_t cursor = 0;
	int code;

	sqlfile_bind(read, "i", position / ROW_MAX);
	code = sqlfile_step(read, err);
	if (code <= 0)
		return code;
	notices = row_notices(read, 0);
	lk_bytes_clear(&s->notices);
	lk_put_array(&s->notices, (uint32_t)lk_count(notices));
	for (int64_t i = 0; lk_next(notices, &cursor, &key, &notice); i++) {
		struct lk_span put = i == position % ROW_MAX ? instead : notice;
		lk_bytes_add(&s->notices, put.at, put.len);
	}
	sqlite3_reset(read);
	if (s->notices.failed)
		return lk_fail(err, LK_EMEMORY, "out of memory");
	sqlfile_bind(s->stmt[STORE_CHANGE], "bi", (const void *)s->notices.at, s->notices.len,
		     position / ROW_MAX);
	return sqlfile_exec(s->stmt[STORE_CHANGE], err);
}

/* ---- Names --------------------------------------------------------------------------------------------------------- */

/* What a repetition is known by, and what makes earlier tellings vanish. */
struct telling {
	uint8_t id[LK_DIGEST];
	int64_t rev;
	bool erases; /* what was told before under this id may not be seen any more */
};

/* Reads no more than that: a notice of a later daemon may hold more than we understand. */
static int telling_read(struct lk_span notice, struct telling *out, struct lk_error *err)
{
	struct lk_text reason;

	out->erases = false;
	if (lk_digest_parse(lk_as_text(lk_get(notice, "id")), out->id) < 0 ||
	    !lk_as_int(lk_get(notice, "rev"), &out->rev) || out->rev < 1)
		return lk_fail(err, LK_EWIRE, "a notice without id or rev");
	if (!lk_text_says(lk_as_text(lk_get(notice, "state")), "withdrawn"))
		return 0;
	reason = lk_as_text(lk_get(notice, "reason"));
	out->erases = lk_text_says(reason, "consent") || lk_text_says(reason, "unlinked");
	return 0;
}

/* On its way into the table: in its order, so that each page of it is written once for many names, and not once for each. */
struct name {
	uint8_t id[LK_DIGEST];
	int64_t rev, position;
};

#define NAMES_A_TIME 32768 /* 1 MiB, a tenth of a second */
#define NAMELESS_ROWS 512  /* wait for whoever asks: 65,536 notices at most */

/* One that a damage took has no name: to fail would be to receive nothing any more. */
static void row_name(sqlite3_stmt *row, struct lk_bytes *names)
{
	struct name name = { .position = sqlite3_column_int64(row, 0) * ROW_MAX };
	struct lk_span notices = row_notices(row, 1), key, notice;
	struct telling t;
	size_t cursor = 0;

	for (; lk_next(notices, &cursor, &key, &notice); name.position++) {
		if (telling_read(notice, &t, NULL) < 0)
			continue;
		memcpy(name.id, t.id, LK_DIGEST);
		name.rev = t.rev;
		lk_bytes_add(names, &name, sizeof(name));
	}
}

/* Of the next rows, none beyond `upto`. *number: the last of them. */
static int names_gather(struct lk_inbox_store *s, int64_t upto, struct lk_bytes *names,
			int64_t *number, struct lk_error *err)
{
	sqlite3_stmt *rows = s->stmt[STORE_UNNAMED];
	int code = 0;

	sqlfile_bind(rows, "i", upto);
	while (names->len < NAMES_A_TIME * sizeof(struct name) &&
	       (code = sqlfile_step(rows, err)) == 1) {
		*number = sqlite3_column_int64(rows, 0);
		row_name(rows, names);
	}
	sqlite3_reset(rows);
	if (names->failed)
		return lk_fail(err, LK_EMEMORY, "out of memory");
	return code < 0 ? code : 0;
}

static int order_ids(const void *a, const void *b)
{
	return memcmp(((const struct name *)a)->id, ((const struct name *)b)->id, LK_DIGEST);
}

static int names_put(struct lk_inbox_store *s, struct name *names, size_t n, struct lk_error *err)
{
	int code = 0;

	if (n > 0)
		qsort(names, n, sizeof(*names), order_ids);
	for (size_t i = 0; i < n && code == 0; i++) {
		sqlfile_bind(s->stmt[STORE_NAME], "bii", (const void *)names[i].id,
			     (size_t)LK_DIGEST, names[i].rev, names[i].position);
		code = sqlfile_exec(s->stmt[STORE_NAME], err);
	}
	return code;
}

/* Inside a transaction. 1: there may be more rows without names, up to that one; 0; negative. */
static int names_fill_some(struct lk_inbox_store *s, int64_t upto, struct lk_error *err)
{
	struct lk_bytes names = { 0 };
	int64_t number = 0;
	int code = upto > s->named ? names_gather(s, upto, &names, &number, err) : 0;

	if (code == 0)
		code = names_put(s, (void *)names.at, names.len / sizeof(struct name), err);
	lk_bytes_free(&names);
	if (code < 0 || number == 0)
		return code;
	s->named = number;
	sqlfile_bind(s->stmt[STORE_NAMED], "i", number);
	code = sqlfile_exec(s->stmt[STORE_NAMED], err);
	return code < 0 ? code : 1;
}

static int names_fill(struct lk_inbox_store *s, int64_t upto, struct lk_error *err)
{
	int code;

	do
		code = names_fill_some(s, upto, err);
	while (code > 0);
	return code;
}

int inbox_store_name_some(struct lk_inbox_store *s, struct lk_error *err)
{
	int code = sqlfile_step(s->stmt[STORE_BEHIND], err);
	int64_t behind;

	if (code < 0)
		return code;
	behind = sqlite3_column_int64(s->stmt[STORE_BEHIND], 0);
	sqlite3_reset(s->stmt[STORE_BEHIND]);
	if (behind < NAMELESS_ROWS)
		return 0;
	code = lk_inbox_store_begin(s, err);
	if (code == 0)
		code = names_fill_some(s, INT64_MAX, err);
	if (code >= 0)
		code = lk_inbox_store_commit(s, err);
	if (code < 0)
		lk_inbox_store_rollback(s);
	return code < 0 ? code : 1;
}

/* Puts `instead`, unless there is none, where tellings of this name stand, from one rev to another. How many those are. */
static int named_change(struct lk_inbox_store *s, struct lk_text worker,
			const uint8_t id[LK_DIGEST], int64_t from, int64_t upto,
			struct lk_span instead, struct lk_error *err)
{
	sqlite3_stmt *known = s->stmt[STORE_KNOWN];
	int n = 0, code;

	sqlfile_bind(known, "btii", (const void *)id, (size_t)LK_DIGEST, worker, from, upto);
	while ((code = sqlfile_step(known, err)) == 1) {
		if (instead.at != NULL)
			code = row_change(s, sqlite3_column_int64(known, 0), instead, err);
		if (code < 0)
			break;
		n++;
	}
	sqlite3_reset(known);
	return code < 0 ? code : n;
}

static int name_find(struct lk_inbox_store *s, struct lk_text prefix, char id[LK_DIGEST_HEX],
		     char worker[65], struct lk_error *err)
{
	sqlite3_stmt *find = s->stmt[STORE_FIND];
	int found, more = 0;

	sqlfile_bind(find, "t", prefix);
	found = sqlfile_step(find, err);
	if (found != 1)
		return found;
	(void)snprintf(id, LK_DIGEST_HEX, "%s", (const char *)sqlite3_column_text(find, 0));
	(void)snprintf(worker, 65, "%s", (const char *)sqlite3_column_text(find, 1));
	more = sqlfile_step(find, err);
	sqlite3_reset(find);
	if (more == 1)
		return lk_fail(err, LK_ESTATE,
			       "several notices begin with %.*s: say more of the id",
			       LK_PRINT(prefix));
	return more < 0 ? more : 1;
}

int lk_inbox_store_find(struct lk_inbox_store *s, struct lk_text prefix, char id[LK_DIGEST_HEX],
			char worker[65], struct lk_error *err)
{
	bool alone = !s->in_transaction;
	int found = alone ? lk_inbox_store_begin(s, err) : 0;

	if (found == 0)
		found = names_fill(s, INT64_MAX, err);
	if (found == 0 && alone)
		found = lk_inbox_store_commit(s, err);
	if (found == 0)
		return name_find(s, prefix, id, worker, err);
	if (alone)
		lk_inbox_store_rollback(s);
	return found;
}

/* ---- Notices ------------------------------------------------------------------------------------------------------- */

/* One that makes earlier ones vanish. */
static int erasing_put(struct lk_inbox_store *s, struct lk_text worker, int64_t seq,
		       struct lk_span notice, const struct telling *t, struct lk_error *err)
{
	static const uint8_t nil = 0xc0;
	int known = names_fill(s, INT64_MAX, err), code;

	/* The same telling again, less than before: it may be seen in this form only. */
	if (known == 0)
		known = named_change(s, worker, t->id, t->rev, t->rev, notice, err);
	code = known;
	if (known == 0)
		code = row_add_one(s, worker, seq, notice, err);
	else if (known > 0)
		code = last_note(s, worker, seq, err);
	if (code == 0)
		code = named_change(s, worker, t->id, 1, t->rev - 1, lk_span_of(&nil, 1), err);
	return code < 0 ? code : known == 0;
}

/* 1: it came from a mailbox that was another; 0; negative. */
static int is_repeated(struct lk_inbox_store *s, struct lk_text worker, const struct telling *t,
		       struct lk_error *err)
{
	int known = names_fill(s, s->repeats, err);

	if (known == 0 && s->repeats > 0)
		known = named_change(s, worker, t->id, t->rev, t->rev, lk_span_of(NULL, 0), err);
	return known < 0 ? known : known > 0;
}

int lk_inbox_store_put(struct lk_inbox_store *s, struct lk_text worker, int64_t seq,
		       struct lk_span notice, struct lk_error *err)
{
	struct telling t;
	int code;

	if (!s->in_transaction)
		return lk_fail(err, LK_ESTATE, "begin a transaction first");
	code = telling_read(notice, &t, err);
	if (code == 0 && t.erases)
		return erasing_put(s, worker, seq, notice, &t, err);
	if (code == 0)
		code = is_repeated(s, worker, &t, err);
	if (code == 1)
		return last_note(s, worker, seq, err);
	if (code == 0)
		code = row_add_one(s, worker, seq, notice, err);
	return code < 0 ? code : 1;
}

static int put_each(struct lk_inbox_store *s, struct lk_text worker, int64_t seq,
		    struct lk_span notices, int64_t from, struct lk_error *err)
{
	struct lk_span key, notice;
	size_t cursor = 0;
	int n = 0, code = 0;

	for (; code >= 0 && lk_next(notices, &cursor, &key, &notice); seq++) {
		if (seq < from)
			continue;
		code = lk_inbox_store_put(s, worker, seq, notice, err);
		n += code == 1;
	}
	return code < 0 ? code : n;
}

int inbox_store_put_several(struct lk_inbox_store *s, struct lk_text worker, int64_t seq,
			    struct lk_span notices, int64_t from, struct lk_error *err)
{
	struct lk_span key, notice;
	struct telling t;
	size_t cursor = 0;
	bool plain = seq >= from;
	int n = 0, code = 0;

	for (; plain && lk_next(notices, &cursor, &key, &notice); n++) {
		code = telling_read(notice, &t, err);
		if (code == 0)
			code = is_repeated(s, worker, &t, err);
		if (code < 0)
			return code;
		plain = code == 0 && !t.erases;
	}
	if (!plain || n == 0)
		return put_each(s, worker, seq, notices, from, err);
	code = row_add(s, worker, seq, notices, err);
	return code < 0 ? code : n;
}

/* ---- Taking -------------------------------------------------------------------------------------------------------- */

#define TAKEN_A_TIME \
	256 /* or what the row then holds: so many may be handed over again after a death */

struct taking {
	lk_received_visitor *visit;
	void *context;
	int64_t taken; /* position of the last one that counts as taken */
	int n;         /* since the last mark */
	int told;      /* by the visitor */
};

static void row_visit(sqlite3_stmt *row, struct taking *t)
{
	struct lk_received received = { .position = sqlite3_column_int64(row, 0) * ROW_MAX,
					.worker = sqlfile_text(row, 1),
					.seq = sqlite3_column_int64(row, 2) };
	struct lk_span notices = row_notices(row, 3), key;
	size_t cursor = 0;

	for (; lk_next(notices, &cursor, &key, &received.body);
	     received.position++, received.seq++) {
		if (received.position <= t->taken)
			continue;
		/* Erased before anybody took it: there is nothing to hand over. */
		t->told = lk_is_nil(received.body) ? 0 : t->visit(t->context, &received);
		if (t->told != 0)
			return;
		t->taken = received.position;
		t->n++;
	}
}

static int untaken_visit(struct lk_inbox_store *s, struct taking *t, struct lk_error *err)
{
	sqlite3_stmt *rows = s->stmt[STORE_UNTAKEN];
	int code = 0;

	t->n = 0;
	sqlfile_bind(rows, "i", t->taken / ROW_MAX);
	while (t->told == 0 && t->n < TAKEN_A_TIME && (code = sqlfile_step(rows, err)) == 1)
		row_visit(rows, t);
	sqlite3_reset(rows);
	return code < 0 ? code : 0;
}

static int taken_mark(struct lk_inbox_store *s, int64_t upto, struct lk_error *err)
{
	sqlfile_bind(s->stmt[STORE_TAKEN], "i", upto);
	return sqlfile_exec(s->stmt[STORE_TAKEN], err);
}

int lk_inbox_store_take(struct lk_inbox_store *s, lk_received_visitor *visit, void *context,
			struct lk_error *err)
{
	struct taking t = { .visit = visit, .context = context };
	int total = 0, code;

	if (s->in_transaction)
		return lk_fail(err, LK_ESTATE, "the inbox store is in a transaction");
	code = reached_read(s, &t.taken, err);
	do {
		if (code == 0)
			code = untaken_visit(s, &t, err);
		if (code == 0 && t.n > 0)
			code = taken_mark(s, t.taken, err);
		if (code < 0)
			return code;
		total += t.n;
	} while (t.n >= TAKEN_A_TIME && t.told == 0);
	return t.told < 0 ? t.told : total;
}
