/* outbox.c - an agency's events, kept until the daemon needs them no more.
 *
 * In: events in MessagePack, and the daemon's word on what it has. Out: the events again, as often as they are wanted.
 * Promise: an event that was appended is on disk, synced; numbers are dense within an epoch and never mean another
 * event; nothing is deleted that the daemon may ask for again; a damaged event is noticed when it is read, not sent.
 */
#include "outbox.h"
#include "sqlfile.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct sqlfile_kind outbox_kind = {
	.what = "outbox",
	.application_id = 0x4c4b4f58, /* LKOX */
	.version = 1,
	.schema =
		"CREATE TABLE outbox (one INTEGER PRIMARY KEY CHECK (one = 1)," /* a file is one outbox */
		" source TEXT NOT NULL,"                                        /* whose events */
		" epoch TEXT NOT NULL,"   /* 32 hex digits: in which these numbers mean something */
		" last INTEGER NOT NULL," /* highest number given, also when nothing is kept */
		" acked INTEGER NOT NULL" /* committed by the daemon up to here */
		") STRICT;"
		"CREATE TABLE event (seq INTEGER PRIMARY KEY,"
		" digest BLOB NOT NULL," /* of body: tells repetition */
		" sum INTEGER NOT NULL," /* of body: tells damage, each time it is read */
		" body BLOB NOT NULL"    /* canonical MessagePack */
		") STRICT;"
		"CREATE INDEX event_digest ON event (digest);"
		"CREATE TABLE refusal (seq INTEGER PRIMARY KEY,"
		" id TEXT," /* of the event, which may be deleted before anybody reads this */
		" reason TEXT NOT NULL, field TEXT, detail TEXT"
		") STRICT;",
	.instead = "let that version send what is in it, then name a new file",
};

#define OUTBOX_STATEMENTS(S) \
	S(BEGIN, "BEGIN IMMEDIATE") \
	S(COMMIT, "COMMIT") \
	S(ROLLBACK, "ROLLBACK") \
	S(MAKE, "INSERT INTO outbox VALUES (1, ?, ?, 0, 0)") \
	S(LOAD, \
	  "SELECT source, epoch, last, acked, coalesce((SELECT min(seq) FROM event), last + 1)," \
	  " (SELECT count(*) FROM refusal) FROM outbox") \
	S(FIND, "SELECT seq FROM event WHERE digest = ?") \
	S(APPEND, "INSERT INTO event (seq, digest, sum, body) VALUES (?, ?, ?, ?)") \
	S(LAST, "UPDATE outbox SET last = ?") \
	S(READ, "SELECT seq, sum, body FROM event WHERE seq >= ? ORDER BY seq LIMIT ?") \
	S(REFUSE, \
	  "INSERT OR REPLACE INTO refusal (seq, id, reason, field, detail) VALUES (?, ?, ?, ?, ?)") \
	S(REFUSALS, \
	  "SELECT seq, id, reason, field, detail FROM refusal WHERE seq > ? ORDER BY seq") \
	S(ACKED, "UPDATE outbox SET acked = ?") \
	S(DELETE, "DELETE FROM event WHERE seq <= ?") \
	S(RENUMBER, "UPDATE event SET seq = seq - ?") \
	S(FORGET, "DELETE FROM refusal") \
	S(RENEW, "UPDATE outbox SET epoch = ?, last = ?, acked = 0")

#define STATEMENT_NAME(name, sql) OUTBOX_##name,
#define STATEMENT_SQL(name, sql) (sql),
enum { OUTBOX_STATEMENTS(STATEMENT_NAME) outbox_statements_n };
static const char *const outbox_sql[] = { OUTBOX_STATEMENTS(STATEMENT_SQL) };

struct lk_outbox {
	sqlite3 *db;
	sqlite3_stmt *stmt[outbox_statements_n];
	struct lk_outbox_state state; /* as committed */
	int64_t appended;             /* as state.last, with what the open transaction added */
	bool in_batch;                /* between lk_outbox_begin() and commit or rollback */
};

static void epoch_make(char out[LK_DIGEST_HEX])
{
	uint8_t random[LK_DIGEST];

	randombytes_buf(random, sizeof(random));
	lk_digest_hex(random, out);
}

/* ---- Transactions -------------------------------------------------------------------------------------------------- */

static int outbox_load(struct lk_outbox *o, struct lk_error *err)
{
	sqlite3_stmt *load = o->stmt[OUTBOX_LOAD];
	int found = sqlfile_step(load, err);

	if (found <= 0)
		return found < 0 ? found : lk_fail(err, LK_ENOTFOUND, "the outbox file is empty");
	(void)snprintf(o->state.source, sizeof(o->state.source), "%s",
		       (const char *)sqlite3_column_text(load, 0));
	(void)snprintf(o->state.epoch, sizeof(o->state.epoch), "%s",
		       (const char *)sqlite3_column_text(load, 1));
	o->state.last = sqlite3_column_int64(load, 2);
	o->state.acked = sqlite3_column_int64(load, 3);
	o->state.first = sqlite3_column_int64(load, 4);
	o->state.refused = sqlite3_column_int64(load, 5);
	o->appended = o->state.last;
	sqlite3_reset(load);
	return 0;
}

static void outbox_undo(struct lk_outbox *o)
{
	sqlfile_undo(o->stmt[OUTBOX_ROLLBACK]);
	o->appended = o->state.last;
	o->in_batch = false;
}

/* Commits, or rolls back and keeps the first complaint. */
static int outbox_finish(struct lk_outbox *o, int code, struct lk_error *err)
{
	if (code == 0)
		code = sqlfile_exec(o->stmt[OUTBOX_COMMIT], err);
	if (code == 0)
		code = outbox_load(o, err);
	else
		outbox_undo(o);
	return code;
}

int lk_outbox_begin(struct lk_outbox *o, struct lk_error *err)
{
	int code;

	if (o->in_batch)
		return lk_fail(err, LK_ESTATE, "the outbox is in a batch already");
	code = sqlfile_exec(o->stmt[OUTBOX_BEGIN], err);
	o->in_batch = code == 0;
	return code;
}

int lk_outbox_commit(struct lk_outbox *o, struct lk_error *err)
{
	int code;

	if (!o->in_batch)
		return lk_fail(err, LK_ESTATE, "the outbox is in no batch");
	sqlfile_bind(o->stmt[OUTBOX_LAST], "i", o->appended);
	code = outbox_finish(o, sqlfile_exec(o->stmt[OUTBOX_LAST], err), err);
	o->in_batch = false;
	return code;
}

void lk_outbox_rollback(struct lk_outbox *o)
{
	if (o->in_batch)
		outbox_undo(o);
}

/* ---- Opening ------------------------------------------------------------------------------------------------------- */

static int outbox_claim(struct lk_outbox *o, const char *path, const char *source,
			struct lk_error *err)
{
	char epoch[LK_DIGEST_HEX];
	struct lk_error why = { 0 };
	int code = outbox_load(o, &why);

	if (code == LK_ENOTFOUND && source != NULL) {
		epoch_make(epoch);
		sqlfile_bind(o->stmt[OUTBOX_MAKE], "tt", lk_text_of(source), lk_text_of(epoch));
		code = sqlfile_exec(o->stmt[OUTBOX_MAKE], err);
		return code < 0 ? code : outbox_load(o, err);
	}
	if (code < 0)
		return lk_fail(err, code, "%s", why.text);
	if (source != NULL && strcmp(source, o->state.source) != 0)
		return lk_fail(err, LK_ECONFIG,
			       "%s is the outbox of source %s, not of %s; name another file", path,
			       o->state.source, source);
	return 0;
}

int lk_outbox_open(const char *path, const char *source, struct lk_outbox **out,
		   struct lk_error *err)
{
	struct lk_outbox *o;
	int code;

	*out = NULL;
	if (source != NULL && (*source == '\0' || strlen(source) >= sizeof(o->state.source)))
		return lk_fail(err, LK_ECONFIG, "a source has 1 to 64 characters");
	if (sodium_init() < 0)
		return lk_fail(err, LK_EMEMORY, "the system gives no randomness");
	o = calloc(1, sizeof(*o));
	if (o == NULL)
		return lk_fail(err, LK_EMEMORY, "out of memory");
	code = sqlfile_open(path, &outbox_kind, source != NULL, &o->db, err);
	if (code == 0)
		code = sqlfile_prepare(o->db, &outbox_kind, outbox_sql, outbox_statements_n,
				       o->stmt, err);
	if (code == 0)
		code = outbox_claim(o, path, source, err);
	if (code < 0) {
		lk_outbox_close(o);
		return code;
	}
	*out = o;
	return 0;
}

void lk_outbox_close(struct lk_outbox *o)
{
	if (o == NULL)
		return;
	sqlfile_finalize(o->stmt, outbox_statements_n);
	sqlite3_close(o->db);
	free(o);
}

bool outbox_in_batch(const struct lk_outbox *o)
{
	return o->in_batch;
}

void lk_outbox_state(const struct lk_outbox *o, struct lk_outbox_state *out)
{
	*out = o->state;
}

/* ---- Appending ----------------------------------------------------------------------------------------------------- */

static int refuse(struct lk_refused *why, enum lk_refusal reason, const char *field,
		  const char *detail)
{
	if (why != NULL) {
		why->reason = reason;
		(void)snprintf(why->field, sizeof(why->field), "%s", field);
		(void)snprintf(why->detail, sizeof(why->detail), "%s", detail);
	}
	return LK_EREFUSED;
}

/* An event that names no source goes on: the daemon keeps it as a dead letter of this one. */
static int event_accept(const struct lk_outbox *o, const void *event, size_t len,
			struct lk_refused *why, struct lk_error *err)
{
	struct lk_text source;

	if (len > LK_EVENT_MAX) {
		(void)lk_fail(err, LK_EREFUSED, "an event has at most %u bytes", LK_EVENT_MAX);
		return refuse(why, LK_TOO_LARGE, "", "an event has at most 65536 bytes");
	}
	if (lk_wire_scan(event, len, &lk_event_limits, err) < 0) {
		(void)lk_fail(err, LK_EREFUSED, "these bytes are no event");
		return refuse(why, LK_MALFORMED, "", "not one map within the limits of an event");
	}
	source = lk_as_text(lk_get(lk_span_of(event, len), "source"));
	if (lk_text_given(source) && !lk_text_says(source, o->state.source)) {
		(void)lk_fail(err, LK_EREFUSED, "this outbox is of source %s", o->state.source);
		return refuse(why, LK_FORBIDDEN, "source",
			      "This outbox is of another source; each has its own.");
	}
	return 0;
}

/* SipHash under a key of zeroes: against a disk that errs, not against a person. */
static int64_t body_sum(const void *body, size_t len)
{
	static const uint8_t key[crypto_shorthash_KEYBYTES];
	uint8_t hash[crypto_shorthash_BYTES];
	int64_t sum;

	_Static_assert(sizeof(sum) == sizeof(hash), "the whole of it is kept");
	(void)crypto_shorthash(hash, body, len, key);
	memcpy(&sum, hash, sizeof(sum));
	return sum;
}

static int outbox_keep(struct lk_outbox *o, const struct lk_bytes *body, int64_t *seq,
		       struct lk_error *err)
{
	uint8_t digest[LK_DIGEST];
	sqlite3_stmt *find = o->stmt[OUTBOX_FIND];
	int code;

	lk_digest(body->at, body->len, NULL, digest);
	sqlfile_bind(find, "b", (const void *)digest, sizeof(digest));
	code = sqlfile_step(find, err);
	if (code == 1) {
		*seq = sqlite3_column_int64(find, 0);
		sqlite3_reset(find);
		return 1;
	}
	if (code < 0)
		return code;
	*seq = o->appended + 1;
	sqlfile_bind(o->stmt[OUTBOX_APPEND], "ibib", *seq, (const void *)digest, sizeof(digest),
		     body_sum(body->at, body->len), (const void *)body->at, body->len);
	code = sqlfile_exec(o->stmt[OUTBOX_APPEND], err);
	if (code == 0)
		o->appended = *seq;
	return code;
}

int lk_outbox_append(struct lk_outbox *o, const void *event, size_t len, int64_t *seq,
		     struct lk_refused *why, struct lk_error *err)
{
	struct lk_bytes body = { 0 };
	bool alone = !o->in_batch;
	int64_t given = 0;
	int code = event_accept(o, event, len, why, err);

	if (code < 0)
		return code;
	if (lk_wire_canonical(event, len, &body) < 0 || body.failed)
		code = lk_fail(err, LK_EMEMORY, "out of memory");
	if (code == 0 && alone)
		code = lk_outbox_begin(o, err);
	if (code == 0) {
		code = outbox_keep(o, &body, &given, err);
		if (code < 0)
			outbox_undo(o);
		else if (alone && code == 1)
			lk_outbox_rollback(o);
		else if (alone)
			code = lk_outbox_commit(o, err);
	}
	lk_bytes_free(&body);
	if (code >= 0 && seq != NULL)
		*seq = given;
	return code;
}

/* ---- Reading ------------------------------------------------------------------------------------------------------- */

static int event_hand(sqlite3_stmt *read, lk_outbox_visitor *visit, void *context,
		      struct lk_error *err)
{
	int64_t seq = sqlite3_column_int64(read, 0);
	const void *body = sqlite3_column_blob(read, 2);
	size_t len = (size_t)sqlite3_column_bytes(read, 2);

	if (body_sum(body, len) != sqlite3_column_int64(read, 1))
		return lk_fail(err, LK_ESTORE,
			       "event %lld of the outbox is damaged on disk; restore the file",
			       (long long)seq);
	return visit(context, seq, body, len);
}

int lk_outbox_read(struct lk_outbox *o, int64_t from, int limit, lk_outbox_visitor *visit,
		   void *context, struct lk_error *err)
{
	sqlite3_stmt *read = o->stmt[OUTBOX_READ];
	int n = 0, code;

	sqlfile_bind(read, "ii", from, (int64_t)limit);
	while ((code = sqlfile_step(read, err)) == 1) {
		int told = event_hand(read, visit, context, err);
		if (told != 0) {
			sqlite3_reset(read);
			return told;
		}
		n++;
	}
	return code < 0 ? code : n;
}

int lk_outbox_refusals(struct lk_outbox *o, int64_t after, lk_refusal_visitor *visit, void *context,
		       struct lk_error *err)
{
	sqlite3_stmt *rows = o->stmt[OUTBOX_REFUSALS];
	int n = 0, code;

	sqlfile_bind(rows, "i", after);
	while ((code = sqlfile_step(rows, err)) == 1) {
		struct lk_refusal_row row = { .seq = sqlite3_column_int64(rows, 0),
					      .id = sqlfile_text(rows, 1),
					      .reason = sqlfile_text(rows, 2),
					      .field = sqlfile_text(rows, 3),
					      .detail = sqlfile_text(rows, 4) };
		int told = visit(context, &row);
		if (told != 0) {
			sqlite3_reset(rows);
			return told;
		}
		n++;
	}
	return code < 0 ? code : n;
}

/* ---- The daemon's word --------------------------------------------------------------------------------------------- */

struct refusal_write {
	struct lk_outbox *outbox;
	const struct lk_msg_refused_item *item;
	struct lk_error *err;
};

static int refusal_write(void *context, int64_t seq, const void *event, size_t len)
{
	struct refusal_write *w = context;
	sqlite3_stmt *put = w->outbox->stmt[OUTBOX_REFUSE];
	struct lk_text id = LK_NO_TEXT;
	int code;

	if (event != NULL && seq == w->item->seq)
		id = lk_as_text(lk_get(lk_span_of(event, len), "id"));
	sqlfile_bind(put, "itttt", w->item->seq, id, w->item->reason, lk_as_text(w->item->field),
		     lk_as_text(w->item->detail));
	code = sqlfile_exec(put, w->err);
	return code < 0 ? code : 1;
}

/* Records one refusal with the event's own id, for as long as the event is here to be asked. */
static int outbox_refuse(struct lk_outbox *o, const struct lk_msg_refused_item *item,
			 struct lk_error *err)
{
	struct refusal_write w = { o, item, err };
	int code;

	if (item->seq < 1 || item->seq > o->state.last)
		return 0;
	code = lk_outbox_read(o, item->seq, 1, refusal_write, &w, err);
	if (code == 0)
		code = refusal_write(&w, item->seq, NULL, 0);
	return code < 0 ? code : 0;
}

static int outbox_settle_in(struct lk_outbox *o, int64_t upto, int64_t safe,
			    const struct lk_msg_refused_item *refused, size_t refused_n,
			    struct lk_error *err)
{
	int code = 0;

	for (size_t i = 0; i < refused_n && code == 0; i++)
		code = outbox_refuse(o, &refused[i], err);
	if (code == 0) {
		sqlfile_bind(o->stmt[OUTBOX_ACKED], "i", upto);
		code = sqlfile_exec(o->stmt[OUTBOX_ACKED], err);
	}
	if (code == 0) {
		sqlfile_bind(o->stmt[OUTBOX_DELETE], "i", safe < upto ? safe : upto);
		code = sqlfile_exec(o->stmt[OUTBOX_DELETE], err);
	}
	return code;
}

int lk_outbox_settle(struct lk_outbox *o, int64_t upto, int64_t safe,
		     const struct lk_msg_refused_item *refused, size_t refused_n,
		     struct lk_error *err)
{
	int code;

	if (o->in_batch)
		return lk_fail(err, LK_ESTATE, "the outbox is in a batch");
	if (upto < 0 || upto > o->state.last)
		return lk_fail(err, LK_ESTATE, "the outbox has nothing above %lld",
			       (long long)o->state.last);
	if (upto == o->state.acked && refused_n == 0 &&
	    (safe < o->state.first || upto < o->state.first))
		return 0;
	code = sqlfile_exec(o->stmt[OUTBOX_BEGIN], err);
	if (code < 0)
		return code;
	return outbox_finish(o, outbox_settle_in(o, upto, safe, refused, refused_n, err), err);
}

int lk_outbox_renew(struct lk_outbox *o, struct lk_error *err)
{
	char epoch[LK_DIGEST_HEX];
	int64_t shift = o->state.first - 1;
	int code;

	if (o->in_batch)
		return lk_fail(err, LK_ESTATE, "the outbox is in a batch");
	code = sqlfile_exec(o->stmt[OUTBOX_BEGIN], err);
	if (code < 0)
		return code;
	epoch_make(epoch);
	sqlfile_bind(o->stmt[OUTBOX_RENUMBER], "i", shift);
	sqlfile_bind(o->stmt[OUTBOX_RENEW], "ti", lk_text_of(epoch), o->state.last - shift);
	code = sqlfile_exec(o->stmt[OUTBOX_RENUMBER], err);
	if (code == 0)
		code = sqlfile_exec(o->stmt[OUTBOX_FORGET], err);
	if (code == 0)
		code = sqlfile_exec(o->stmt[OUTBOX_RENEW], err);
	return outbox_finish(o, code, err);
}
