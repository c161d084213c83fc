/* store.c - the door of the store: opening, transactions, idle work, and the few values that
 * belong nowhere else.
 *
 * In: a directory. Out: a store whose every statement is prepared. Promise: store_commit()
 * answers 0 only when the batch is on the disk and synced; once a sync has failed nothing is
 * promised any more, and every call says so.
 */
#include "disk.h"
#include "internal.h"
#include "notice_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* ---- Opening --------------------------------------------------------------------------------- */

static const char *const statement_sql[] = {
#define STATEMENT_TEXT(name, sql) sql,
	SQL_STATEMENTS(STATEMENT_TEXT) SQL_STATE_STATEMENTS(STATEMENT_TEXT)
};

/* Which statements ask a table whose rows may wait: SQLite says at their making what they will touch. */
static int note_table(void *context, int action, const char *table, const char *column,
		      const char *database, const char *view)
{
	static const struct {
		const char *table;
		enum waits rows;
	} may_wait[] = { { "notice", WAITS_FRESH },
			 { "ledger", WAITS_FRESH },
			 { "event", WAITS_EVENTS } };
	uint8_t *lets_in = context;

	(void)column;
	(void)database;
	(void)view;
	if (action != SQLITE_READ && action != SQLITE_INSERT && action != SQLITE_UPDATE &&
	    action != SQLITE_DELETE)
		return SQLITE_OK;
	for (size_t i = 0; i < sizeof(may_wait) / sizeof(may_wait[0]); i++)
		if (strcmp(table, may_wait[i].table) == 0)
			*lets_in |= (uint8_t)may_wait[i].rows;
	return SQLITE_OK;
}

static int statements_prepare(struct store *s, sqlite3 *db, int from, int until,
			      struct lk_error *err)
{
	uint8_t lets_in;
	int rc = sqlite3_set_authorizer(db, note_table, &lets_in);

	for (int i = from; rc == SQLITE_OK && i < until; i++) {
		lets_in = 0;
		rc = sqlite3_prepare_v3(db, statement_sql[i], -1, SQLITE_PREPARE_PERSISTENT,
					&s->statement[i], NULL);
		s->lets_in[i] = lets_in;
	}
	if (rc != SQLITE_OK)
		rc = store_fault(s, db, rc, "store: tables are not as they should be", err);
	(void)sqlite3_set_authorizer(db, NULL, NULL);
	return rc;
}

/* A file is named by chance when it is made; a store in memory has no name, so that it is the
 * same each time. */
static int identity_make(struct store *s, struct lk_error *err)
{
	struct query q;
	int rc;

	if (s->directory != NULL && getrandom(s->identity, LK_DIGEST, 0) != LK_DIGEST)
		return lk_fail(err, LK_ESTORE, "store: the system has no randomness");
	if ((rc = store_begin(s, err)) < 0)
		return rc;
	q = query_begin(s, SQL_identity_put);
	bind_digest(&q, s->identity);
	rc = query_run(&q, err);
	return rc < 0 ? rc : store_commit(s, err);
}

static int identity_load(struct store *s, struct lk_error *err)
{
	struct query q = query_begin(s, SQL_identity_get);
	int rc = query_step(&q, err);

	if (rc == 1 && !column_digest(&q, s->identity))
		rc = lk_fail(err, LK_ESTORE,
			     "linkages.db is damaged: it does not know its own name");
	query_end(&q);
	if (rc != 0)
		return rc < 0 ? rc : 0;
	return identity_make(s, err);
}

static int tips_load(struct store *s, struct lk_error *err)
{
	struct query q = query_begin(s, SQL_event_last);
	int64_t struck = 0;
	int rc = query_number(&q, &s->tips.position, err);

	if (rc >= 0)
		rc = store_value_get(s, VALUE_STRUCK_UPTO, &struck, err);
	if (rc < 0)
		return rc;
	if (s->tips.position < struck)
		s->tips.position = struck;
	q = query_begin(s, SQL_ledger_tip);
	if ((rc = query_step(&q, err)) == 1) {
		s->tips.ledger = column_int(&q);
		(void)column_digest(&q, s->tips.chain);
	}
	query_end(&q);
	q = query_begin(s, SQL_change_last);
	if (rc >= 0)
		rc = query_number(&q, &s->tips.change, err);
	if (rc >= 0)
		rc = store_value_get(s, VALUE_VALUES, &s->tips.values, err);
	q = query_begin(s, SQL_notice_last);
	if (rc >= 0)
		rc = query_number(&q, &s->tips.serial, err);
	s->committed = s->tips;
	arrivals_forget(s);
	fresh_forget(s);
	return rc < 0 ? rc : 0;
}

/* What cannot be loaded cannot be copied either. */
static int no_rebuild(struct lk_error *err)
{
	struct lk_error why;

	if (err == NULL)
		return LK_ESTORE;
	why = *err;
	return lk_fail(err, LK_ESTORE, "linkages.db is damaged (%.200s): restore a backup",
		       why.text);
}

int store_load(struct store *s, const struct file_kind *kind, struct lk_error *err)
{
	int rc = file_open(s, kind, &s->db, err);

	if (rc < 0)
		return rc;
	(void)sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	wal_watch(&s->wal, s->db, s->log_room);
	if ((rc = waiting_declare(s, err)) < 0 || (rc = serial_declare(s, err)) < 0)
		return rc;
	if ((rc = notice_table_declare(s->db)) != SQLITE_OK ||
	    (rc = blocks_open(&s->blocks, s->db)) != SQLITE_OK)
		return store_fault(s, s->db, rc, "store: tables are not as they should be", err);
	if ((rc = statements_prepare(s, s->db, 0, STATE_FIRST, err)) < 0)
		return sqlite3_errcode(s->db) == SQLITE_ERROR ? no_rebuild(err) : rc;
	if ((rc = identity_load(s, err)) < 0)
		return rc;
	if ((rc = tips_load(s, err)) < 0)
		return rc;
	if ((rc = superseded_load(s, err)) < 0)
		return rc;
	if ((rc = phrases_load(s, err)) < 0)
		return rc;
	if ((rc = recent_load(s, err)) < 0)
		return rc;
	return tombs_open(s, err);
}

/* After linkages.db, which says what state.db should be. */
static int store_load_state(struct store *s, struct lk_error *err)
{
	int rc;

	if (s->read_only)
		return 0;
	if ((rc = state_open(s, err)) < 0)
		return rc;
	wal_watch(&s->state_wal, s->state, 0);
	if ((rc = statements_prepare(s, s->state, STATE_FIRST, STATEMENT_COUNT, err)) < 0)
		return rc;
	return state_load(s, err);
}

static char *copied(const char *text)
{
	return text != NULL ? strdup(text) : NULL;
}

/* Counts of SQLite's own, each behind a lock, that nobody reads. Only before its first use; later it
 * stays as it is. */
static void sqlite_prepare(void)
{
	static bool done;

	if (!done)
		(void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	done = true;
}

int store_make(const struct store_options *options, struct store **out, struct lk_error *err)
{
	struct store *s = calloc(1, sizeof(*s));

	sqlite_prepare();
	*out = s;
	if (s == NULL)
		return lk_fail(err, LK_EMEMORY, "store: no memory");
	s->read_only = options->read_only || options->file != NULL;
	s->has_beside = options->beside && options->directory != NULL && !s->read_only;
	s->log_room = s->read_only ? 0 : options->log_room;
	s->lag = (uint32_t)options->lag;
	s->mark.file = -1;
	vocabulary_load(&s->vocabulary);
	fresh_make(s);
	s->generation = 1; /* slots are born in generation 0 */
	s->names = calloc(NAME_SETS, sizeof(*s->names));
	s->cases = calloc(CASE_SLOTS, sizeof(*s->cases));
	s->phrases = calloc(1, sizeof(*s->phrases));
	s->directory = copied(options->directory);
	s->file = copied(options->file);
	if (!held_make(s) || s->names == NULL || s->cases == NULL || s->phrases == NULL ||
	    (options->directory != NULL && s->directory == NULL) ||
	    (options->file != NULL && s->file == NULL))
		return lk_fail(err, LK_EMEMORY, "store: no memory");
	return 0;
}

static void store_unload(struct store *s)
{
	beside_stop(s);
	for (int i = 0; i < STATEMENT_COUNT; i++) {
		(void)sqlite3_finalize(s->statement[i]);
		s->statement[i] = NULL;
	}
	blocks_close(&s->blocks);
	/* After a failed sync the log is the better copy: it is left as it is. */
	if (s->suspect && s->db != NULL)
		(void)sqlite3_db_config(s->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	(void)sqlite3_close(s->state);
	(void)sqlite3_close(s->db);
	s->state = s->db = NULL;
	share_free(s->share);
	s->share = NULL;
	mark_close(s);
	recent_free(s);
	held_forget(s);
	tombs_free(s);
}

/* What the mark said of the old file is what is told of this start. */
static int store_rebuild(struct store *s, struct lk_error *err)
{
	struct store_mark found = s->mark.found;
	int rc;

	s->suspect = true;
	rc = rebuild_make(s, err);
	store_unload(s);
	s->suspect = false;
	s->generation++;
	mailboxes_forget(s);
	streams_forget(s);
	memset(&s->tips, 0, sizeof(s->tips));
	if (rc == 0)
		rc = rebuild_finish(s, err);
	if (rc == 0)
		rc = store_load(s, &linkages_file, err);
	if (rc == 0)
		rc = mark_open(s, err);
	if (rc == 0)
		rc = held_load(s, err);
	s->mark.found = found;
	return rc;
}

/* 0: there is no file of that name. */
static uint64_t file_named(const struct store *s, const char *name)
{
	struct place place = place_in(s->directory, name);
	struct disk_file file;

	return disk_look(place.at, &file) == 0 ? file.id : 0;
}

#define LOG_NAME "linkages.db-wal"
#define STATE_LOG_NAME "state.db-wal"

static void file_watch(struct store *s)
{
	if (s->directory == NULL || s->read_only)
		return;
	s->file_id = file_named(s, linkages_file.name);
	s->log_id = file_named(s, LOG_NAME);
}

static void state_watch(struct store *s)
{
	if (s->directory == NULL || s->read_only)
		return;
	s->state_id = file_named(s, state_file.name);
	s->state_log_id = file_named(s, STATE_LOG_NAME);
}

static bool state_is_there(const struct store *s)
{
	return s->state_id == 0 || (file_named(s, state_file.name) == s->state_id &&
				    file_named(s, STATE_LOG_NAME) == s->state_log_id);
}

#define STATE_WAIT_LEAST 1000000000ll
#define STATE_WAIT_MOST (1024 * STATE_WAIT_LEAST)

/* A disk that damages it each time must not have all families filled in again without end. */
static void state_put_off(struct store *s)
{
	s->state_wait_ns *= 2;
	if (s->state_wait_ns < STATE_WAIT_LEAST)
		s->state_wait_ns = STATE_WAIT_LEAST;
	if (s->state_wait_ns > STATE_WAIT_MOST)
		s->state_wait_ns = STATE_WAIT_MOST;
	s->state_due_ns = now_ns() + s->state_wait_ns;
}

bool store_state_waits(const struct store *s)
{
	return s->state_damaged;
}

/* It may be deleted at any time: then it is made anew, and all families wait for it. Where a page of it makes no sense we
 * delete it: whatever is to be filled in there would fail each time. */
static int state_renew(struct store *s, struct lk_error *err)
{
	int rc;

	if (state_is_there(s) && (!s->state_damaged || now_ns() < s->state_due_ns))
		return 0;
	if (s->state_damaged)
		state_put_off(s);
	for (int i = STATE_FIRST; i < STATEMENT_COUNT; i++) {
		(void)sqlite3_finalize(s->statement[i]);
		s->statement[i] = NULL;
	}
	(void)sqlite3_close(s->state);
	s->state = NULL;
	memset(s->manners, 0, sizeof(s->manners));
	rc = s->state_damaged ? file_remove(s, &state_file, err) : 0;
	if (rc < 0)
		return rc;
	rc = store_load_state(s, err);
	s->state_damaged =
		rc < 0; /* the next file may get the number of the one that was watched */
	if (rc == 0)
		state_watch(s);
	return rc;
}

int store_outlook(const struct store *s, int rc, struct lk_error *err)
{
	struct lk_error why;

	if (s == NULL || err == NULL || rc != LK_ESTORE || !s->suspect)
		return rc;
	why = *err;
	return lk_fail(err, LK_ESYNC,
		       "linkages.db is damaged (%.200s): the next start rebuilds it where it can",
		       why.text);
}

static int store_come_up(struct store *s, struct lk_error *err)
{
	/* Or a change of places was cut short. */
	bool is_whole = s->directory == NULL || s->read_only;
	int rc = is_whole ? 0 : restore_finish(s->directory, err);

	if (rc == 0 && !is_whole)
		rc = rebuild_finish(s, err);
	if (rc == 0)
		rc = store_load(s, &linkages_file, err);
	if (rc == 0)
		rc = mark_open(s, err);
	if (rc == 0)
		rc = held_load(s, err);
	if (rc == 0)
		rc = rebuild_is_due(s, err);
	if (rc == LK_ESTORE && s->suspect)
		rc = no_rebuild(err);
	return rc == 1 ? store_rebuild(s, err) : rc;
}

static int store_get_ready(struct store *s, struct lk_error *err)
{
	int rc = store_load_state(s, err);

	if (rc == 0)
		file_watch(s);
	if (rc == 0)
		state_watch(s);
	while (rc == 0 && (rc = wal_prepare(s, &s->wal, err)) == 1)
		rc = 0;
	return rc == 0 && s->has_beside ? beside_start(s, err) : rc;
}

int store_open(const struct store_options *options, struct store **out, struct lk_error *err)
{
	struct store *s;
	int rc = store_make(options, &s, err);

	*out = NULL;
	if (rc == 0)
		rc = store_come_up(s, err);
	if (rc == 0)
		rc = store_outlook(s, store_get_ready(s, err), err);
	if (rc < 0)
		store_close(s);
	else
		*out = s;
	return rc;
}

/* A store that was left in peace is whole in its rows. Where that fails, the changes are still there. */
static void store_settle(struct store *s)
{
	int more = s->directory != NULL && !s->read_only && !s->suspect;

	while (more > 0)
		more = store_write_back(s, NULL);
}

void store_close(struct store *s)
{
	if (s == NULL)
		return;
	if (s->open_since_begin)
		store_rollback(s);
	store_settle(s);
	store_unload(s);
	lk_bytes_free(&s->scratch);
	lk_bytes_free(&s->squeezed);
	lk_bytes_free(&s->packed);
	lk_bytes_free(&s->packed_event.body);
	lk_bytes_free(&s->contacts);
	phrases_free(s);
	mailboxes_free(s);
	fresh_free(s);
	lk_bytes_free(&s->arrivals.bytes);
	streams_free(s);
	free(s->superseded.at);
	free(s->names);
	free(s->cases);
	free(s->held.bucket);
	free(s->directory);
	free(s->file);
	free(s);
}

/* ---- Transactions ---------------------------------------------------------------------------- */

int store_begin(struct store *s, struct lk_error *err)
{
	struct query q;
	int rc;

	if (s->open_since_begin)
		return lk_fail(err, LK_ESTATE, "store: a transaction is open already");
	if (s->read_only)
		return lk_fail(err, LK_ESTATE, "store: opened to be read only");
	s->open_since_begin = true;
	q = query_begin(s, SQL_begin);
	if ((rc = query_run(&q, err)) < 0) {
		s->open_since_begin = s->lost = false;
		return rc;
	}
	s->tips = s->committed;
	s->changed = false;
	ahead_begin(s);
	return 0;
}

static int taken_away(struct store *s, const char *why, struct lk_error *err)
{
	store_doubt(s, DOUBT_DAMAGE, why);
	return lk_fail(err, LK_ESYNC, "%s", why);
}

/* A file that was taken away can be written all the same, and what is written is gone with the process. What a log without a
 * name holds is brought into the database before that. */
static int still_there(struct store *s, struct lk_error *err)
{
	if (s->file_id == 0)
		return 0;
	if (file_named(s, linkages_file.name) != s->file_id)
		return taken_away(s, "linkages.db was taken away while it was in use", err);
	if (s->log_id == 0 || file_named(s, LOG_NAME) == s->log_id)
		return 0;
	if (beside_settle(s, NULL) == 0)
		(void)wal_checkpoint(s, &s->wal, NULL);
	return taken_away(s, LOG_NAME " was taken away while it was in use", err);
}

/* What waited for an idle moment for too long. The batch is durable whatever comes of this; the next call
 * tells of a failed sync. */
static void store_catch_up(struct store *s)
{
	if (s->beside != NULL && wal_is_full(&s->wal))
		(void)beside_settle(s, NULL);
	else if (s->beside != NULL && wal_is_long(&s->wal))
		beside_ask(s);
	if (wal_is_full(&s->wal) && !s->suspect)
		(void)wal_checkpoint(s, &s->wal, NULL);
	while (held_is_full(s))
		if (store_write_back(s, NULL) <= 0)
			break;
}

int store_let_in(struct store *s, struct lk_error *err)
{
	static int (*const flushes[])(struct store *, struct lk_error *) = {
		arrivals_flush, fresh_flush, mailboxes_flush, streams_flush, recent_flush,
	};
	int rc = 0;

	for (size_t i = 0; rc >= 0 && i < sizeof(flushes) / sizeof(*flushes); i++)
		rc = flushes[i](s, err);
	return rc < 0 ? rc : 0;
}

/* Whatever the transaction has kept in memory so far goes into its tables. */
static int flush_all(struct store *s, struct lk_error *err)
{
	int rc = store_let_in(s, err);

	if (rc >= 0)
		rc = held_follow(s, err);
	if (rc >= 0)
		rc = held_log(s, err);
	return rc < 0 ? rc : state_commit(s, err);
}

static int commit_to_disk(struct store *s, struct lk_error *err)
{
	struct query q;
	int rc;

	beside_commits(s, true);
	q = query_begin(s, SQL_commit);
	rc = query_run(&q, err);
	beside_commits(s, false);
	return rc;
}

int store_commit(struct store *s, struct lk_error *err)
{
	int rc;

	if (!s->open_since_begin)
		return lk_fail(err, LK_ESTATE, "store: no transaction is open");
	if ((rc = flush_all(s, err)) < 0 || (rc = commit_to_disk(s, err)) < 0)
		return rc;
	s->open_since_begin = false;
	s->named = false;
	fresh_commit(s);
	recent_commit(s);
	held_keep(s);
	if ((rc = still_there(s, err)) < 0)
		return rc;
	if (memcmp(&s->committed, &s->tips, sizeof(s->tips)) != 0) {
		s->committed = s->tips;
		mark_write(s);
	}
	if (beside_look(s, true, err) < 0 && s->suspect)
		return LK_ESYNC;
	store_catch_up(s);
	return 0;
}

void store_rollback(struct store *s)
{
	if (!s->open_since_begin)
		return;
	take_back(s, s->db, SQL_rollback);
	state_rollback(s);
	s->open_since_begin = s->lost = false;
	s->tips = s->committed;
	names_forget(s);
	salts_forget(s);
	arrivals_forget(s);
	fresh_forget(s);
	mailboxes_forget(s);
	streams_forget(s);
	recent_rollback(s);
	held_undo(s);
}

int store_end(struct store *s, int rc, struct lk_error *err)
{
	if (rc == 0)
		rc = store_commit(s, err);
	if (rc < 0)
		store_rollback(s);
	return rc;
}

/* ---- Idle work ------------------------------------------------------------------------------- */

static int idle_allowed(const struct store *s, struct lk_error *err)
{
	if (s->suspect)
		return lk_fail(err, LK_ESYNC, "store: suspect, to be rebuilt at the next start");
	if (s->open_since_begin)
		return lk_fail(err, LK_ESTATE, "store: idle within a transaction");
	return 0;
}

/* Beside, or here and now. */
static int log_shorten(struct store *s, struct lk_error *err)
{
	if (s->beside == NULL)
		return wal_checkpoint(s, &s->wal, err);
	beside_ask(s);
	return 0;
}

int store_relieve(struct store *s, struct lk_error *err)
{
	int rc = idle_allowed(s, err);

	if (rc == 0)
		rc = beside_look(s, false, err);
	if (rc == 0 && wal_is_long(&s->wal))
		rc = log_shorten(s, err);
	if (rc == 0 && wal_is_long(&s->state_wal))
		rc = wal_checkpoint(s, &s->state_wal, err);
	return rc;
}

int store_idle(struct store *s, struct lk_error *err)
{
	int rc = idle_allowed(s, err);

	if (rc == 0)
		rc = beside_look(s, false, err);
	if (rc < 0)
		return rc;
	if ((rc = wal_prepare(s, &s->wal, err)) != 0)
		return rc;
	if (wal_has_bite(&s->wal)) {
		rc = log_shorten(s, err);
		if (rc < 0 || s->beside == NULL)
			return rc < 0 ? rc : wal_has_bite(&s->state_wal);
	}
	if (wal_has_bite(&s->state_wal))
		return wal_checkpoint(s, &s->state_wal, err);
	if (s->read_only)
		return 0;
	if ((rc = state_renew(s, err)) < 0)
		return rc;
	rc = held_is_due(s) ? store_write_back(s, err) : 0;
	return rc == 0 ? recent_follow(s, err) : rc;
}

/* ---- Values ---------------------------------------------------------------------------------- */

int store_value_get(struct store *s, const char *name, int64_t *out, struct lk_error *err)
{
	struct query q = query_begin(s, SQL_value_get);

	bind_text(&q, lk_text_of(name));
	return query_number(&q, out, err);
}

static int value_write(struct store *s, const char *name, int64_t value, struct lk_error *err)
{
	struct query q = query_begin(s, SQL_value_put);

	bind_text(&q, lk_text_of(name));
	bind_int(&q, value);
	return query_run(&q, err);
}

/* Of these an old copy would tell what is not so. Of the others the next writing says as much, or the rows do; and they
 * are written every second. */
static bool is_counted(const char *name)
{
	static const char *const counted[] = { STORE_FAMILIES_ANEW, STORE_LINKS_BY, STORE_AWAITED,
					       VALUE_EXPUNGED, VALUE_STRUCK_UPTO };

	for (size_t i = 0; i < sizeof(counted) / sizeof(counted[0]); i++)
		if (strcmp(name, counted[i]) == 0)
			return true;
	return false;
}

/* The count once in a transaction: values are all on one page. */
int store_value_put(struct store *s, const char *name, int64_t value, struct lk_error *err)
{
	int rc = 0;

	if (is_counted(name) && s->tips.values == s->committed.values)
		rc = value_write(s, VALUE_VALUES, ++s->tips.values, err);
	return rc == 0 ? value_write(s, name, value, err) : rc;
}

static int64_t file_bytes(const struct store *s, const char *suffix)
{
	char path[4096];
	struct disk_file file;

	if (s->directory == NULL)
		return 0;
	(void)snprintf(path, sizeof(path), "%s/%s%s", s->directory, linkages_file.name, suffix);
	return disk_look(path, &file) == 0 ? file.bytes : 0;
}

void store_work(const struct store *s, struct store_work *out)
{
	*out = s->work;
}

int store_counts(struct store *s, struct store_counts *out, struct lk_error *err)
{
	struct query q = query_begin(s, SQL_count_all);
	int rc = query_step(&q, err);

	if (rc == 1) {
		out->events = column_int(&q);
		out->dead_letters = column_int(&q);
		out->cases = column_int(&q);
		out->workers = column_int(&q);
		out->notices = column_int(&q);
		out->ledger_rows = column_int(&q);
		out->bytes = file_bytes(s, "");
		out->wal_bytes = file_bytes(s, "-wal");
	}
	query_end(&q);
	return rc < 0 ? rc : 0;
}
