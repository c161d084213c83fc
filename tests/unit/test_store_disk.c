/* test_store_disk.c - the store and its disk: syncs, full disks, damage, and whose files they are.
 *
 * In: a store in a folder, with a watching VFS between SQLite and the disk. Out: what is promised after a commit, and what is
 * refused after the disk failed, was cut short or was changed behind the store's back. Promise: what is not as it was
 * written is noticed before it is shown.
 */
#include "place.h"

#include <sys/stat.h>
#include <sys/wait.h>

/* ---- A disk that is watched ------------------------------------------------------------------ */
static struct {
	const sqlite3_io_methods *real;
	sqlite3_io_methods methods;
	sqlite3_vfs vfs;
	sqlite3_vfs *below;
	int writes, unsynced, syncs;   /* of write-ahead logs */
	int write_answer, sync_answer; /* SQLITE_OK: as the disk has it */
} disk;

static int disk_write(sqlite3_file *file, const void *bytes, int n, sqlite3_int64 at)
{
	if (disk.write_answer != SQLITE_OK)
		return disk.write_answer;
	disk.writes++;
	disk.unsynced++;
	return disk.real->xWrite(file, bytes, n, at);
}

static int disk_sync(sqlite3_file *file, int flags)
{
	if (disk.sync_answer != SQLITE_OK)
		return disk.sync_answer;
	disk.syncs++;
	disk.unsynced = 0;
	return disk.real->xSync(file, flags);
}

/* Only the log of linkages.db is watched: it is what a commit writes. */
static int disk_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out)
{
	int rc = disk.below->xOpen(disk.below, name, file, flags, out);

	(void)vfs;
	if (rc != SQLITE_OK || name == NULL || strstr(name, "linkages.db-wal") == NULL)
		return rc;
	disk.real = file->pMethods;
	disk.methods = *disk.real;
	disk.methods.xWrite = disk_write;
	disk.methods.xSync = disk_sync;
	file->pMethods = &disk.methods;
	return rc;
}

static void disk_watch(void)
{
	disk.below = sqlite3_vfs_find(NULL);
	disk.vfs = *disk.below;
	disk.vfs.zName = "watched";
	disk.vfs.xOpen = disk_open;
	disk.vfs.pNext = NULL;
	disk.writes = disk.unsynced = disk.syncs = 0;
	disk.write_answer = disk.sync_answer = SQLITE_OK;
	assert_int_equal(sqlite3_vfs_register(&disk.vfs, 1), SQLITE_OK);
}

static void disk_unwatch(void)
{
	assert_int_equal(sqlite3_vfs_register(disk.below, 1), SQLITE_OK);
	assert_int_equal(sqlite3_vfs_unregister(&disk.vfs), SQLITE_OK);
}

/* ---- The disk -------------------------------------------------------------------------------- */
static int on_watched_disk(void **state)
{
	disk_watch();
	return in_directory(state);
}

static int leave_watched_disk(void **state)
{
	disk.write_answer = disk.sync_answer = SQLITE_OK;
	(void)leave(state);
	disk_unwatch();
	return 0;
}

static void a_commit_returns_only_after_its_sync(void **state)
{
	struct store *s = ((struct place *)*state)->store;

	for (int i = 0; i < 5; i++) {
		char id[16];
		int writes = disk.writes, syncs = disk.syncs;

		(void)snprintf(id, sizeof(id), "e%d", i);
		struct stored_event e = an_event(id);
		GOOD(store_begin(s, &err));
		add_event(s, &e);
		GOOD(store_commit(s, &err));
		assert_true(disk.writes > writes);
		assert_true(disk.syncs > syncs);
		assert_int_equal(disk.unsynced, 0); /* nothing was written after the last sync */
	}
}

static void a_full_disk_keeps_nothing_of_the_batch(void **state)
{
	struct place *place = *state;
	struct stored_event one = an_event("e1"), two = an_event("e2");

	GOOD(store_begin(place->store, &err));
	add_event(place->store, &one);
	disk.write_answer = SQLITE_FULL;
	assert_int_equal(store_commit(place->store, &err), LK_EFULL);
	store_rollback(place->store);
	disk.write_answer = SQLITE_OK;
	SAW("", store_case_events(place->store, CWS_CASE, see_event, &seen, &err));
	GOOD(store_begin(place->store, &err));
	assert_int_equal(add_event(place->store, &two), 1);
	GOOD(store_commit(place->store, &err));
	SAW("e2", store_case_events(place->store, CWS_CASE, see_event, &seen, &err));
}

/* A batch larger than the cache spills before its commit: then SQLite gives the transaction up
 * by itself. */
static void a_transaction_that_sqlite_gave_up_is_not_written_to(void **state)
{
	struct place *place = *state;
	static char body[60000];
	int rc = 1;

	GOOD(store_begin(place->store, &err));
	disk.write_answer = SQLITE_FULL;
	for (int i = 0; i < 2500 && rc == 1; i++) {
		char id[16];
		int64_t position;

		(void)snprintf(id, sizeof(id), "e%d", i);
		struct stored_event e = an_event(id);
		e.body = body;
		e.body_len = sizeof(body);
		rc = store_event_add(place->store, &e, &position, &err);
	}
	disk.write_answer = SQLITE_OK;
	assert_int_equal(rc, LK_EFULL);
	struct stored_event late = an_event("late");
	int64_t position;
	REFUSED(store_event_add(place->store, &late, &position, &err), LK_ESTORE, "rolled back");
	assert_true(store_commit(place->store, &err) < 0);
	store_rollback(place->store);
	GOOD(store_begin(place->store, &err));
	assert_int_equal(add_event(place->store, &late), 1);
	GOOD(store_commit(place->store, &err));
}

static void after_a_failed_sync_nothing_is_promised(void **state)
{
	struct place *place = *state;
	struct stored_event e = an_event("e1");
	struct seen seen = { 0 };

	GOOD(store_begin(place->store, &err));
	add_event(place->store, &e);
	disk.sync_answer = SQLITE_IOERR_FSYNC;
	assert_int_equal(store_commit(place->store, &err), LK_ESYNC);
	store_rollback(place->store);
	disk.sync_answer =
		SQLITE_OK; /* the disk says that all is well again: it is not to be believed */
	assert_int_equal(store_begin(place->store, &err), LK_ESYNC);
	assert_int_equal(store_idle(place->store, &err), LK_ESYNC);
	assert_int_equal(store_case_events(place->store, CWS_CASE, see_event, &seen, &err),
			 LK_ESYNC);
}

static void the_write_ahead_log_stays_small(void **state)
{
	struct place *place = *state;
	static char body[20000];
	struct store_counts counts = { 0 };

	for (int i = 0; i < 400; i++) {
		char id[16];

		(void)snprintf(id, sizeof(id), "e%d", i);
		struct stored_event e = an_event(id);
		e.body = body;
		e.body_len = sizeof(body);
		GOOD(store_begin(place->store, &err));
		for (int part = 0; part < 5; part++) {
			struct dead_letter letter = a_letter(id, 0);

			letter.body = body;
			letter.body_len = sizeof(body);
			GOOD(store_dead_letter_add(place->store, &letter, &err));
		}
		add_event(place->store, &e);
		GOOD(store_commit(place->store, &err));
		GOOD(store_idle(place->store, &err));
	}
	GOOD(store_counts(place->store, &counts, &err));
	assert_true(counts.bytes > 40 * 1000 * 1000); /* it went into the database */
	assert_true(counts.wal_bytes < 40 * 1000 * 1000);
}

static int64_t log_bytes(struct place *place)
{
	struct store_counts counts = { 0 };

	GOOD(store_counts(place->store, &counts, &err));
	return counts.wal_bytes;
}

static void put_event(struct store *s, const char *id)
{
	struct stored_event e = an_event(id);

	GOOD(store_begin(s, &err));
	add_event(s, &e);
	GOOD(store_commit(s, &err));
}

static void a_log_is_written_ahead_and_then_over(void **state)
{
	struct place *place = *state;
	const struct store_options options = { .directory = place->directory, .log_room = 3000000 };

	place_close(place);
	GOOD(store_open(&options, &place->store, &err));
	assert_int_equal(log_bytes(place), 3000000);
	put_event(place->store, "e1");
	assert_int_equal(log_bytes(place), 3000000);
	GOOD(store_flush(place->store, &err));
	assert_int_equal(log_bytes(place), 0);
	while (store_idle(place->store, &err) == 1)
		;
	put_event(place->store, "e2");
	assert_int_equal(log_bytes(place), 3000000);
	place_close(place);
	GOOD(place_open(place));
	SAW("e1 e2", store_case_events(place->store, CWS_CASE, see_event, &seen, &err));
}

/* ---- Damage ---------------------------------------------------------------------------------- */
struct damage {
	const char *sql;
	int (*read)(struct store *s, struct seen *seen);
};

static int read_events(struct store *s, struct seen *seen)
{
	return store_case_events(s, CWS_CASE, see_event, seen, &err);
}

static int read_other_events(struct store *s, struct seen *seen)
{
	return store_case_events(s, AID_CASE, see_event, seen, &err);
}

static int read_letters(struct store *s, struct seen *seen)
{
	return store_dead_letters(s, 0, 9, see_letter, seen, &err);
}

static int read_family(struct store *s, struct seen *seen)
{
	return store_family_get(s, family_a, see_family, seen, &err);
}

static int read_notices(struct store *s, struct seen *seen)
{
	return store_notices_after(s, LK_TEXT("w1"), 0, 9, see_notice, seen, &err);
}

static int read_others_notices(struct store *s, struct seen *seen)
{
	return store_notices_after(s, LK_TEXT("w2"), 0, 9, see_notice, seen, &err);
}

/* Offences: one thing changed in a row, and the read that must notice it before it shows
 * anything. */
static const struct damage damages[] = {
	{ "UPDATE event SET body = x'6532'", read_events },
	{ "UPDATE event SET body = x'653100'", read_events },
	{ "UPDATE event SET id = 'e9'", read_events },
	{ "UPDATE event SET type = 0", read_events },
	{ "UPDATE event SET lag = lag + 1", read_events },
	{ "UPDATE event SET case_ref = (SELECT ref FROM agency_case WHERE number = 'W-200')",
	  read_other_events },
	{ "UPDATE agency_case SET agency = 1 - agency, number = 'W-200' WHERE number = 'C-100'",
	  read_other_events },
	{ "UPDATE dead_letter SET body = x'00'", read_letters },
	{ "UPDATE dead_letter SET source = 'calsaws'", read_letters },
	{ "UPDATE family SET state = x'7374617466'", read_family },
	{ "UPDATE family SET told = x'746f6c63'", read_family },
	{ "UPDATE family SET wake_at = 11", read_family },
	{ "UPDATE notice SET body = x'626f647a'", read_notices },
	{ "UPDATE notice SET body = CAST(replace(body, 'body', 'bodz') AS BLOB)", read_notices },
	{ "UPDATE notice SET body = substr(body, 1, length(body) - 1)", read_notices },
	{ "UPDATE phrase SET bytes = CAST('who said' AS BLOB)", read_notices },
	{ "DELETE FROM phrase", read_notices },
	{ "UPDATE notice SET marks = marks & ~(3 << 10)", read_notices },
	{ "UPDATE notice SET other_case = NULL", read_notices },
	{ "UPDATE notice SET ledger = coalesce(ledger, 0) + 1", read_notices },
	{ "UPDATE notice_block SET bytes = substr(bytes, 1, length(bytes) - 1)", read_notices },
	{ "UPDATE notice_block SET bytes = zeroblob(length(bytes))", read_notices },
	{ "UPDATE notice SET number = number + 1", read_notices },
	{ "UPDATE notice SET number = (SELECT ref << 32 FROM worker WHERE name = 'w2') + 1",
	  read_others_notices },
	{ "UPDATE worker SET name = 'w2' WHERE name = 'w1'", read_others_notices },
	{ "DELETE FROM notice", read_notices },
};

/* At this start: it was noticed before anybody could ask. */
static bool was_made_anew(const struct place *place)
{
	struct store_rebuild found;

	store_rebuild_found(place->store, &found);
	return found.why[0] != '\0';
}

static void a_changed_row_is_noticed_before_it_is_shown(void **state)
{
	struct place *place = *state;
	static const char *const undo[] = { "linkages.db", "linkages.kept" };

	put_one_of_each(place->store);
	place_close(place);
	for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
		struct seen seen = { 0 };
		char copy[200];

		(void)unlink(path_in(place, undo[1]));
		(void)snprintf(copy, sizeof(copy), "VACUUM INTO '%s'", path_in(place, undo[1]));
		meddle(place, undo[0], copy);
		meddle(place, undo[0],
		       "INSERT OR IGNORE INTO agency_case (agency, number) SELECT 1, 'W-200' "
		       "WHERE NOT EXISTS (SELECT 1 FROM agency_case WHERE number = 'W-200')");
		if (strstr(damages[i].sql, "UPDATE agency_case") != NULL)
			meddle(place, undo[0], "DELETE FROM agency_case WHERE number = 'W-200'");
		if (strstr(damages[i].sql, "name = 'w2')") != NULL)
			meddle(place, undo[0], "INSERT INTO worker (name) VALUES ('w2')");
		meddle(place, undo[0], damages[i].sql);
		GOOD(place_open(place));
		if (!was_made_anew(place)) {
			if (damages[i].read(place->store, &seen) != LK_ESTORE)
				fail_msg("not noticed: %s", damages[i].sql);
			assert_non_null(strstr(err.text, "damaged"));
		}
		assert_int_equal(seen.n, 0);
		place_close(place);
		(void)unlink(path_in(place, "linkages.suspect"));
		assert_int_equal(rename(path_in(place, undo[1]), path_in(place, undo[0])), 0);
	}
}

/* Rows that a page took with it: nothing is left whose sum could be wrong. */
static const char *const losses[] = {
	"DELETE FROM notice WHERE number & 3 = 1",
	"DELETE FROM notice WHERE number & 3 = 2",
	"DELETE FROM notice WHERE number & 3 = 3",
	"DELETE FROM notice",
	"DELETE FROM notice_block",
	"UPDATE notice_block SET bytes = zeroblob(length(bytes))",
	"DELETE FROM event WHERE position = 1",
	"DELETE FROM event WHERE position = 5; DELETE FROM event_case WHERE position = 5",
	"DELETE FROM family",
	"DELETE FROM agency_case",
	"DELETE FROM source",
	"DELETE FROM worker",
	"DELETE FROM policy",
	"DELETE FROM link WHERE one < other",
	"UPDATE link SET other = other + 9 WHERE one < other",
	"DELETE FROM link WHERE since < 9223372036854775807",
	"UPDATE agency_case SET family_ref = family_ref + 1",
};

static void put_several(struct store *s)
{
	static const uint8_t ids[3][LK_DIGEST] = { { 1 }, { 2 }, { 3 } };
	struct stored_family f = a_family(family_a, 10, policy_a);
	char id[16];

	GOOD(store_begin(s, &err));
	for (int i = 0; i < 9; i++) {
		(void)snprintf(id, sizeof(id), "e%d", i);
		struct stored_event e = an_event(id);
		add_event(s, &e);
	}
	for (int i = 0; i < 3; i++) {
		struct stored_notice n = a_notice("w1", ids[i], 1, "body");
		add_notice(s, &n);
	}
	GOOD(store_family_put(s, &f, &err));
	GOOD(store_case_join(s, CWS_CASE, family_a, &err));
	GOOD(store_case_join(s, AID_CASE, family_a, &err));
	GOOD(store_link_put(s, CWS_CASE, AID_CASE, 1, &err));
	GOOD(store_commit(s, &err));
}

/* As it is when some more have come: store/recent.c. */
static void list_events(const struct place *place)
{
	meddle(place, "linkages.db",
	       "INSERT INTO event_case (case_ref, position) SELECT case_ref, position FROM event;"
	       "INSERT OR REPLACE INTO value (name, value) SELECT 'event_case.upto', max(position) FROM event");
}

static int64_t damages_found(struct store *s)
{
	struct store_check check = { 0 };
	int more;

	while ((more = store_check(s, &check, 1, &err)) > 0)
		continue;
	assert_int_equal(more, 0);
	return check.damages;
}

static void what_is_gone_without_a_trace_is_noticed(void **state)
{
	struct place *place = *state;
	char copy[200];

	put_several(place->store);
	assert_int_equal(damages_found(place->store), 0);
	place_close(place);
	list_events(place);
	(void)snprintf(copy, sizeof(copy), "VACUUM INTO '%s'", path_in(place, "linkages.kept"));
	meddle(place, "linkages.db", copy);
	for (size_t i = 0; i < sizeof(losses) / sizeof(losses[0]); i++) {
		(void)snprintf(copy, sizeof(copy), "cp '%s/linkages.kept' '%s/linkages.db'",
			       place->directory, place->directory);
		assert_int_equal(system(copy), 0);
		meddle(place, "linkages.db", losses[i]);
		GOOD(place_open(place));
		if (damages_found(place->store) == 0 && !was_made_anew(place))
			fail_msg("not noticed: %s", losses[i]);
		place_close(place);
		(void)unlink(path_in(place, "linkages.suspect"));
	}
	GOOD(place_open(place));
}

/* An order that says that all is gone while a block holds it, unread, would be wrong. */
static void an_order_does_not_pass_over_a_damaged_block(void **state)
{
	static const char *const blocks[] = {
		"UPDATE notice_block SET bytes = zeroblob(length(bytes))",
		"UPDATE notice_block SET bytes = substr(bytes, 1, length(bytes) - 1)",
	};
	const struct ledger_row order = { .worker = LK_TEXT("auditor"), .basis = LK_TEXT("order") };
	struct place *place = *state;

	for (size_t i = 0; i < 2; i++) {
		struct stored_notice n = a_notice("w1", notice_a, 1, "body");
		struct store_traces *traces;
		struct stored_struck struck;
		int rc = 1;

		GOOD(store_begin(place->store, &err));
		add_notice(place->store, &n);
		GOOD(store_commit(place->store, &err));
		place_close(place);
		meddle(place, "linkages.db", blocks[i]);
		GOOD(place_open(place));
		GOOD(store_traces_open(place->store, &AID_CASE, 1, &traces, &err));
		while (rc > 0)
			rc = store_traces_find(traces, 100, &err);
		if (rc == 0) {
			GOOD(store_begin(place->store, &err));
			rc = store_traces_strike(traces, &order, &struck, &err);
			store_rollback(place->store);
		}
		assert_int_equal(rc, LK_ESTORE);
		store_traces_close(traces);
		place_close(place);
		GOOD(place_open(place)); /* made anew: it is buried */
		assert_int_equal(damages_found(place->store), 0);
	}
}

/* Where a family lies by a word of its case: nowhere, at another family's place, and not known. */
static const char *const short_cuts[] = {
	"UPDATE agency_case SET family_ref = family_ref",
	"UPDATE agency_case SET family_ref = 99",
	"UPDATE agency_case SET family_ref = (SELECT ref FROM family WHERE id <> agency_case.family)",
	"UPDATE agency_case SET family_ref = NULL",
};

static int64_t right_short_cuts(struct place *place)
{
	return ask(
		place, "linkages.db",
		"SELECT count(*) FROM agency_case JOIN family ON family.ref = family_ref AND id = family");
}

static int see_id(void *context, const struct stored_family *family)
{
	memcpy(context, family->id, LK_DIGEST);
	return 0;
}

static void a_short_cut_leads_to_no_other_family(void **state)
{
	struct place *place = *state;
	struct stored_family other = a_family(family_b, 10, policy_a);
	uint8_t id[LK_DIGEST], seen[LK_DIGEST];

	put_several(place->store);
	GOOD(store_begin(place->store, &err));
	GOOD(store_family_put(place->store, &other, &err));
	GOOD(store_commit(place->store, &err));
	for (size_t i = 0; i < sizeof(short_cuts) / sizeof(short_cuts[0]); i++) {
		place_close(place);
		meddle(place, "linkages.db", short_cuts[i]);
		assert_int_equal(right_short_cuts(place), i == 0 ? 2 : 0);
		GOOD(place_open(place));
		assert_int_equal(store_case_family(place->store, CWS_CASE, id, &err), 1);
		assert_memory_equal(id, family_a, LK_DIGEST);
		assert_int_equal(store_family_get(place->store, id, see_id, seen, &err), 1);
		assert_memory_equal(seen, family_a, LK_DIGEST);
		assert_int_equal(store_family_get(place->store, family_b, see_id, seen, &err), 1);
		assert_memory_equal(seen, family_b, LK_DIGEST);
	}
	GOOD(store_begin(place->store, &err));
	GOOD(store_case_join(place->store, CWS_CASE, family_b, &err));
	GOOD(store_commit(place->store, &err));
	place_close(place);
	assert_int_equal(right_short_cuts(place), 1);
	GOOD(place_open(place));
}

/* ---- Files ----------------------------------------------------------------------------------- */
static unsigned mode_of(const struct place *place, const char *name)
{
	struct stat st;

	assert_int_equal(stat(path_in(place, name), &st), 0);
	return (unsigned)st.st_mode & 0777u;
}

static void files_have_their_modes(void **state)
{
	struct place *place = *state;
	struct stored_event e = an_event("e1");

	GOOD(store_begin(place->store, &err));
	add_event(place->store, &e);
	GOOD(store_commit(place->store, &err));
	assert_int_equal(mode_of(place, "linkages.db"), 0600);
	assert_int_equal(mode_of(place, "linkages.db-wal"), 0600);
	assert_int_equal(mode_of(place, "state.db"), 0640);
	assert_int_equal(mode_of(place, "state.db-wal"), 0640);
	assert_int_equal(mode_of(place, "state.db-shm"), 0640);
	assert_int_equal(access(path_in(place, "linkages.db-shm"), F_OK),
			 -1); /* nobody else is to look in */
}

static void a_second_daemon_is_refused(void **state)
{
	struct place *place = *state;
	struct store_options options = { .directory = place->directory };
	struct store *second;

	REFUSED(store_open(&options, &second, &err), LK_ESTATE,
		"linkages.db is held by another process");
	assert_null(second);
	pid_t child = fork();
	if (child == 0)
		_exit(store_open(&options, &second, &err) == LK_ESTATE ? 0 : 1);
	int status = -1;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	GOOD(store_begin(place->store, &err)); /* the first goes on */
	store_rollback(place->store);
}

static void refused_with(struct place *place, int fault, const char *words)
{
	if (place_open(place) >= 0)
		fail_msg("was opened; should have been refused: %s", words);
	REFUSED(err.code, fault, words);
	assert_null(place->store);
}

static void a_newer_or_foreign_file_is_refused(void **state)
{
	struct place *place = *state;

	place_close(place);
	meddle(place, "linkages.db", "PRAGMA user_version = 900");
	refused_with(place, LK_ESTORE, "linkages.db is newer: it has version 900");
	assert_int_equal(ask(place, "linkages.db", "PRAGMA user_version"),
			 900); /* and left as it was */
	meddle(place, "linkages.db", "PRAGMA user_version = 1; PRAGMA application_id = 77");
	refused_with(place, LK_ESTORE, "linkages.db is foreign: its application id");
	file_write(path_in(place, "linkages.db"),
		   "Dear diary, this is no database at all. Not even nearly so, or is it?");
	refused_with(place, LK_ESTORE, "linkages.db is foreign: it is no SQLite database");
}

/* The runbook says that it may be deleted: nobody thinks of the files beside it. */
static void state_db_may_be_deleted(void **state)
{
	struct place *place = *state;
	struct stored_event e = an_event("e1");

	GOOD(store_begin(place->store, &err));
	add_event(place->store, &e);
	GOOD(store_commit(place->store, &err));
	place_close(place);
	assert_int_equal(access(path_in(place, "state.db-wal"), F_OK), 0);
	assert_int_equal(unlink(path_in(place, "state.db")), 0);
	GOOD(place_open(place));
	assert_int_equal(mode_of(place, "state.db"), 0640);
	place_close(place);
	file_write(path_in(place, "state.db"),
		   "Dear diary, this is no database at all. Not even nearly so, or is it?");
	refused_with(place, LK_ESTORE, "move it away, and it is made anew");
	assert_int_equal(unlink(path_in(place, "state.db")), 0);
	GOOD(place_open(place));
	place_close(place);
	assert_int_equal(truncate(path_in(place, "state.db"), 0), 0);
	GOOD(place_open(place)); /* an empty one is as good as none */
}

static void an_empty_missing_or_swapped_file_is_refused(void **state)
{
	struct place *place = *state;
	struct store_options nowhere = { .directory = "/nonexistent/linkages" };
	struct store *store;

	place_close(place);
	assert_int_equal(rename(path_in(place, "linkages.db"), path_in(place, "kept")), 0);
	file_write(path_in(place, "linkages.db"), "");
	refused_with(place, LK_ESTORE, "linkages.db is empty");
	assert_int_equal(unlink(path_in(place, "linkages.db")), 0);
	file_write(path_in(place, "linkages.db-wal"), "what was written ahead");
	refused_with(place, LK_ESTORE, "linkages.db is missing, its write-ahead log is there");
	assert_int_equal(unlink(path_in(place, "linkages.db-wal")), 0);
	assert_int_equal(rename(path_in(place, "state.db"), path_in(place, "linkages.db")), 0);
	refused_with(place, LK_ESTORE, "linkages.db is foreign: its application id");
	assert_int_equal(rename(path_in(place, "kept"), path_in(place, "state.db")), 0);
	assert_int_equal(unlink(path_in(place, "linkages.db")), 0);
	refused_with(place, LK_ESTORE, "state.db is foreign: its application id");
	assert_true(store_open(&nowhere, &store, &err) < 0);
}

static void a_truncated_or_damaged_file_is_refused(void **state)
{
	struct place *place = *state;

	put_one_of_each(place->store);
	place_close(place);
	char *path = path_in(place, "linkages.db");
	struct stat st;
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(truncate(path, st.st_size / 8192 * 4096), 0);
	refused_with(place, LK_ESTORE, "linkages.db is damaged");
}

/* What SQLite keeps of its tables is text: it may be damaged and yet make sense. */
static void a_table_of_other_columns_is_refused(void **state)
{
	struct place *place = *state;

	put_one_of_each(place->store);
	place_close(place);
	meddle(place, "linkages.db",
	       "PRAGMA writable_schema = ON;"
	       "UPDATE sqlite_schema SET sql = replace(sql, 'by_worker', 'by_worjer');"
	       "PRAGMA writable_schema = RESET");
	refused_with(place, LK_ESTORE, "linkages.db is damaged");
	refused_with(place, LK_ESTORE, ": restore a backup");
}

static void page_clear(const char *path, int64_t page)
{
	static const char nothing[4096];
	FILE *file = fopen(path, "r+b");

	assert_non_null(file);
	assert_int_equal(fseek(file, (long)(page * 4096), SEEK_SET), 0);
	assert_int_equal(fwrite(nothing, 1, sizeof(nothing), file), sizeof(nothing));
	assert_int_equal(fclose(file), 0);
}

/* Whichever of its pages: the store is made anew, goes on without it, or says what there is to do. */
static void a_page_without_anything_in_it_is_survived_or_named(void **state)
{
	struct place *place = *state;
	char kept[4200], damaged[4200];
	struct stat st;
	int refused = 0;

	put_one_of_each(place->store);
	place_close(place);
	(void)snprintf(kept, sizeof(kept), "%s", path_in(place, "kept"));
	(void)snprintf(damaged, sizeof(damaged), "%s", path_in(place, "linkages.db"));
	assert_int_equal(stat(damaged, &st), 0);
	assert_int_equal(rename(damaged, kept), 0);
	for (int64_t page = 1; page < st.st_size / 4096; page += 4) {
		(void)unlink(path_in(place, "linkages.suspect"));
		(void)unlink(path_in(place, "linkages.db-wal"));
		file_copy(place, "kept", "linkages.db");
		page_clear(damaged, page);
		if (place_open(place) < 0) {
			REFUSED(err.code, LK_ESTORE, "linkages.db is damaged");
			REFUSED(err.code, LK_ESTORE, ": restore a backup");
			refused++;
		}
		place_close(place);
	}
	assert_true(refused > 0);
}

/* Not in the list of its case yet, and the rest is in order: nothing speaks of it but its place. */
static void an_event_that_is_gone_is_noticed_by_its_place(void **state)
{
	struct place *place = *state;
	struct store_rebuild found;
	struct stored_event again = an_event("e4");

	put_several(place->store);
	place_close(place);
	meddle(place, "linkages.db", "DELETE FROM event WHERE position = 5");
	GOOD(place_open(place));
	store_rebuild_found(place->store, &found);
	assert_string_equal(found.why, "damage: an event is gone from the log");
	assert_int_equal(damages_found(place->store), 0);
	GOOD(store_begin(place->store, &err));
	assert_int_equal(add_event(place->store, &again), 10);
	GOOD(store_commit(place->store, &err));
	place_close(place);
	GOOD(place_open(place));
	store_rebuild_found(place->store, &found);
	assert_string_equal(found.why, "");
}

/* As if its page had never been written: what it says of the tables is not so. */
static void damage_index(const struct place *place, const char *name, const char *narrower)
{
	char sql[600];

	(void)snprintf(sql, sizeof(sql),
		       "CREATE TABLE kept AS SELECT sql FROM sqlite_schema WHERE name = '%s';"
		       "PRAGMA writable_schema = ON;"
		       "UPDATE sqlite_schema SET sql = sql || '%s' WHERE name = '%s';"
		       "PRAGMA writable_schema = RESET; REINDEX %s; PRAGMA writable_schema = ON;"
		       "UPDATE sqlite_schema SET sql = (SELECT sql FROM kept) WHERE name = '%s';"
		       "DROP TABLE kept; PRAGMA writable_schema = RESET",
		       name, narrower, name, name, name);
	meddle(place, "linkages.db", sql);
}

static void a_damaged_index_is_made_anew(void **state)
{
	struct place *place = *state;
	lk_instant wake = LK_NO_INSTANT;

	put_several(place->store);
	place_close(place);
	damage_index(place, "family_wake", " AND 0");
	GOOD(place_open(place));
	GOOD(store_next_wake(place->store, &wake, &err));
	assert_int_equal(wake, LK_NO_INSTANT);
	assert_int_equal(damages_found(place->store), 1);
	store_distrust(place->store, "a wake is missing");
	place_close(place);
	GOOD(place_open(place));
	assert_int_equal(damages_found(place->store), 0);
	GOOD(store_next_wake(place->store, &wake, &err));
	assert_int_equal(wake, 10);
}

/* Events of an outbox, tokens, a notice that was told in a family which came apart, and a mailbox that has a roll. */
static void put_small_tables(struct store *s)
{
	const struct stored_token token = { LK_CIN, { 7 }, 1 };
	struct stored_stream stream = { .source = SOURCE, .next = 4 };
	char id[16];

	put_several(s);
	memcpy(stream.epoch, epoch, LK_DIGEST);
	GOOD(store_begin(s, &err));
	for (int i = 1; i < 4; i++) {
		(void)snprintf(id, sizeof(id), "o%d", i);
		struct stored_event e = an_event(id);
		e.has_outbox_seq = true;
		e.outbox_seq = i;
		memcpy(e.epoch, epoch, LK_DIGEST);
		add_event(s, &e);
	}
	GOOD(store_stream_put(s, &stream, &err));
	GOOD(store_tokens_put(s, CWS_CASE, &token, 1, &err));
	GOOD(store_apart_put(s, notice_a, 200, &err));
	for (int64_t rev = 1; rev <= 200; rev++) {
		struct stored_notice n = a_notice("w2", notice_a, rev, "body");
		add_notice(s, &n);
		GOOD(store_commit(s, &err));
		GOOD(store_begin(s, &err));
	}
	GOOD(store_commit(s, &err));
}

/* Whatever is there is as it was written, but long ago. */
static const char *const old_pages[] = {
	"DELETE FROM roll",
	"UPDATE roll SET ids = substr(ids, 1, 3)",
	"UPDATE apart SET rev = 199",
	"UPDATE stream SET next = 3",
	"UPDATE stream SET next = 1, safe = 0",
	"DELETE FROM stream",
	"DELETE FROM event_case WHERE position = (SELECT max(position) FROM event_case)",
	"UPDATE worker SET next = next - 1, received = 0 WHERE next > 100",
	"UPDATE agency_case SET family_ref = family_ref + 1",
};

/* Of which nothing is left, or what they once were. */
static const char *const old_indexes[][2] = {
	{ "token_case", " WHERE 0" },
	{ "agency_case_family", " AND 0" },
	{ "family_policy", " WHERE 0" },
};

static void is_found_and_made_good(struct place *place, const char *what)
{
	GOOD(place_open(place));
	if (damages_found(place->store) == 0 && !was_made_anew(place))
		fail_msg("not noticed: %s", what);
	store_distrust(place->store, what);
	place_close(place);
	GOOD(place_open(place));
	assert_int_equal(damages_found(place->store), 0);
	place_close(place);
}

static void an_old_page_of_a_small_table_is_noticed(void **state)
{
	struct place *place = *state;
	char copy[200];

	place->lag = 40;
	place_close(place);
	GOOD(place_open(place));
	put_small_tables(place->store);
	assert_int_equal(damages_found(place->store), 0);
	place_close(place);
	list_events(place);
	(void)snprintf(copy, sizeof(copy), "VACUUM INTO '%s'", path_in(place, "linkages.kept"));
	meddle(place, "linkages.db", copy);
	for (size_t i = 0; i < sizeof(old_pages) / sizeof(old_pages[0]); i++) {
		(void)snprintf(copy, sizeof(copy), "cp '%s/linkages.kept' '%s/linkages.db'",
			       place->directory, place->directory);
		assert_int_equal(system(copy), 0);
		(void)unlink(path_in(place, "linkages.mark"));
		meddle(place, "linkages.db", old_pages[i]);
		is_found_and_made_good(place, old_pages[i]);
	}
	for (size_t i = 0; i < sizeof(old_indexes) / sizeof(old_indexes[0]); i++) {
		assert_int_equal(system(copy), 0);
		(void)unlink(path_in(place, "linkages.mark"));
		damage_index(place, old_indexes[i][0], old_indexes[i][1]);
		is_found_and_made_good(place, old_indexes[i][0]);
	}
	GOOD(place_open(place));
}

/* The header of the first record of a table or an index is longer than the record: whoever reads it is told that it makes no sense,
 * and whoever copies it as it is notices nothing. Those that have no record yet, or more than a page, are left alone. */
static bool record_spoil(const struct place *place, int64_t page)
{
	enum { LEAF_OF_TABLE = 13, LEAF_OF_INDEX = 10 };
	uint8_t bytes[4096];
	FILE *file = fopen(path_in(place, "linkages.db"), "r+b");

	assert_non_null(file);
	assert_int_equal(fseek(file, (long)(4096 * (page - 1)), SEEK_SET), 0);
	assert_int_equal(fread(bytes, sizeof(bytes), 1, file), 1);
	bool has_record = (bytes[0] == LEAF_OF_TABLE || bytes[0] == LEAF_OF_INDEX) &&
			  (bytes[3] != 0 || bytes[4] != 0);
	size_t at = (size_t)bytes[8] << 8 | bytes[9];
	while (has_record && bytes[at++] > 127) /* its length */
		;
	while (has_record && bytes[0] == LEAF_OF_TABLE && bytes[at++] > 127) /* its number */
		;
	if (has_record) {
		assert_int_equal(fseek(file, (long)(4096 * (page - 1)) + (long)at, SEEK_SET), 0);
		assert_int_equal(fputc(127, file), 127);
	}
	assert_int_equal(fclose(file), 0);
	return has_record;
}

/* Whoever comes across it says so, and the next start makes the store anew. */
static void look_for_damage(struct place *place)
{
	struct store_check check = { 0 };
	int rc = place_open(place);

	while (rc == 0 && store_check(place->store, &check, 1, &err) > 0)
		continue;
	if (rc == 0)
		store_distrust(place->store, "a record makes no sense");
	place_close(place);
}

static void a_record_without_sense_is_survived_or_named(void **state)
{
	struct place *place = *state;
	int made_good = 0, refused = 0;

	put_small_tables(place->store);
	place_close(place);
	list_events(place);
	meddle(place, "linkages.db", "PRAGMA wal_checkpoint(TRUNCATE)");
	file_copy(place, "linkages.db", "linkages.kept");
	int64_t pages = ask(place, "linkages.kept", "SELECT max(rootpage) FROM sqlite_schema");
	for (int64_t page = 2; page <= pages; page++) {
		(void)unlink(path_in(place, "linkages.suspect"));
		(void)unlink(path_in(place, "linkages.mark"));
		(void)unlink(path_in(place, "linkages.db-wal"));
		file_copy(place, "linkages.kept", "linkages.db");
		if (!record_spoil(place, page))
			continue;
		look_for_damage(place);
		if (place_open(place) == 0) {
			assert_int_equal(damages_found(place->store), 0);
			made_good++;
		} else {
			REFUSED(err.code, LK_ESTORE, "linkages.db is damaged");
			REFUSED(err.code, LK_ESTORE, ": restore a backup");
			refused++;
		}
		place_close(place);
	}
	assert_true(made_good > 0 && refused > 0);
	file_copy(place, "linkages.kept", "linkages.db");
	GOOD(place_open(place));
}

/* They are interned anew when they come again, under numbers that stand for others. */
static void names_that_are_gone_are_noticed_at_a_start(void **state)
{
	static const char *const names[] = {
		"DELETE FROM worker WHERE ref = 1",
		"DELETE FROM worker WHERE ref = (SELECT max(ref) FROM worker)",
		"DELETE FROM source",
		"DELETE FROM apart",
	};
	struct place *place = *state;
	char copy[200];
	int64_t rev = 0;

	put_small_tables(place->store);
	place_close(place);
	(void)snprintf(copy, sizeof(copy), "VACUUM INTO '%s'", path_in(place, "linkages.kept"));
	meddle(place, "linkages.db", copy);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		(void)unlink(path_in(place, "linkages.mark"));
		file_copy(place, "linkages.kept", "linkages.db");
		meddle(place, "linkages.db", names[i]);
		GOOD(place_open(place));
		if (!was_made_anew(place))
			fail_msg("not noticed: %s", names[i]);
		assert_int_equal(damages_found(place->store), 0);
		assert_int_equal(store_apart_get(place->store, notice_a, &rev, &err), 1);
		assert_int_equal(rev, 200);
		place_close(place);
		GOOD(place_open(place));
		assert_false(was_made_anew(place));
		place_close(place);
	}
	GOOD(place_open(place));
}

/* However many events came from it. */
static void an_outbox_that_is_gone_is_one_damage(void **state)
{
	struct place *place = *state;
	struct store_rebuild found;

	put_small_tables(place->store);
	place_close(place);
	meddle(place, "linkages.db",
	       "DELETE FROM stream; INSERT INTO value VALUES ('asked.1', 9), ('lag.1', 9)");
	GOOD(place_open(place));
	assert_int_equal(damages_found(place->store), 3);
	store_distrust(place->store, "an outbox");
	place_close(place);
	GOOD(place_open(place));
	store_rebuild_found(place->store, &found);
	assert_int_equal(found.damages, 1);
	place_close(place);
	assert_int_equal(ask(place, "linkages.db", "SELECT count(*) FROM damage"), 1);
	assert_int_equal(ask(place, "linkages.db", "SELECT count(*) FROM event"), 12);
	assert_int_equal(ask(place, "linkages.db", "SELECT count(stream) FROM event"), 0);
	assert_int_equal(ask(place, "linkages.db",
			     "SELECT count(*) FROM value WHERE name IN ('asked.1', 'lag.1')"),
			 0);
	GOOD(place_open(place));
}

/* All rows have followed: it holds no more than its number. */
static void the_last_change_of_all_may_be_damaged(void **state)
{
	struct place *place = *state;

	put_several(place->store);
	place_close(place);
	assert_int_equal(
		ask(place, "linkages.db", "SELECT sum(length(changes)) FROM family_change"), 0);
	meddle(place, "linkages.db", "UPDATE family_change SET sum = sum + 1");
	GOOD(place_open(place));
	assert_true(was_made_anew(place));
	place_close(place);
	GOOD(place_open(place));
	assert_false(was_made_anew(place));
}

/* A mailbox that is shorter than it was: the next notice finds its place taken. */
static void a_place_that_is_taken_is_damage(void **state)
{
	struct place *place = *state;
	const struct stored_notice n = a_notice("w1", notice_a, 1, "body");
	int64_t seq;

	put_several(place->store);
	place_close(place);
	meddle(place, "linkages.db", "UPDATE worker SET next = 2, received = 0 WHERE name = 'w1'");
	GOOD(place_open(place));
	GOOD(store_begin(place->store, &err));
	REFUSED(store_notice_add(place->store, &n, &seq, &err), LK_ESTORE,
		"its place 2 is damaged");
	store_rollback(place->store);
	assert_int_equal(store_begin(place->store, &err), LK_ESYNC);
	place_close(place);
	GOOD(place_open(place));
	assert_true(was_made_anew(place));
	GOOD(store_begin(place->store, &err));
	assert_int_equal(add_notice(place->store, &n), 4);
	GOOD(store_commit(place->store, &err));
}

/* The first one found that events are gone, and nobody has sent them since; the second finds nothing. */
static void what_is_waited_for_is_so_after_another_damage(void **state)
{
	struct place *place = *state;
	int64_t awaited = 0;

	put_several(place->store);
	place_close(place);
	meddle(place, "linkages.db", "UPDATE event SET sum = sum + 1 WHERE position = 2");
	GOOD(place_open(place));
	store_distrust(place->store, "an event");
	place_close(place);
	for (int i = 0; i < 2; i++) {
		GOOD(place_open(place));
		assert_true(was_made_anew(place));
		GOOD(store_value_get(place->store, STORE_AWAITED, &awaited, &err));
		assert_int_equal(awaited, STORE_AWAITED_GONE);
		store_distrust(place->store, "an index");
		place_close(place);
	}
	GOOD(place_open(place));
}

/* What nobody can write is our own fault: a store that is made anew for it is so again, with each start. */
static void a_row_that_may_not_be_is_no_damage(void **state)
{
	struct place *place = *state;

	GOOD(store_begin(place->store, &err));
	REFUSED(store_hold_put(place->store, CWS_CASE, LK_NO_TEXT, 1, &err), LK_ESTORE, "NOT NULL");
	store_rollback(place->store);
	put_several(place->store);
	place_close(place);
	GOOD(place_open(place));
	assert_false(was_made_anew(place));
}

/* They lie on one page; what it may have said since is derived anew, or does not matter. */
static void old_values_are_noticed_by_the_mark(void **state)
{
	struct place *place = *state;
	struct store_rebuild found;
	struct store_mark mark;
	int64_t value = 0;

	put_small_tables(place->store);
	GOOD(store_begin(place->store, &err));
	GOOD(store_value_put(place->store, "now", 1500, &err));
	GOOD(store_value_put(place->store, STORE_FAMILIES_ANEW, 7, &err));
	GOOD(store_commit(place->store, &err));
	place_close(place);
	meddle(place, "linkages.db",
	       "UPDATE value SET value = value - 1 WHERE name = 'values';"
	       "UPDATE value SET value = 6 WHERE name = '" STORE_FAMILIES_ANEW "'");
	GOOD(place_open(place));
	store_mark_found(place->store, &mark);
	store_rebuild_found(place->store, &found);
	assert_string_equal(found.why, "damage: the database is behind its mark");
	GOOD(store_value_get(place->store, STORE_FAMILIES_ANEW, &value, &err));
	assert_true(value > 7);
	GOOD(store_value_get(place->store, STORE_LINKS_BY, &value, &err));
	assert_int_equal(value, STORE_LINKS_LOST);
	GOOD(store_value_get(place->store, "now", &value, &err));
	assert_int_equal(value, 2000); /* so late the last event came */
	place_close(place);
	GOOD(place_open(place));
	store_rebuild_found(place->store, &found);
	assert_string_equal(found.why, "");
}

static void a_start_that_was_cut_short_leaves_nothing_behind(void **state)
{
	struct place *place = *state;

	place_close(place);
	assert_int_equal(rename(path_in(place, "linkages.db"), path_in(place, "linkages.db.new")),
			 0);
	assert_int_equal(truncate(path_in(place, "linkages.db.new"), 5000), 0);
	GOOD(place_open(place)); /* a new store, a whole one; state.db is made anew to fit it */
	put_one_of_each(place->store);
	assert_int_equal(access(path_in(place, "linkages.db.new"), F_OK), -1);
}

static void a_store_can_be_read_only(void **state)
{
	struct place *place = *state;
	struct store_options options = { .directory = place->directory, .read_only = true };
	struct store *s;

	put_one_of_each(place->store);
	REFUSED(store_open(&options, &s, &err), LK_ESTATE, "held by another process");
	place_close(place);
	GOOD(store_open(&options, &s, &err));
	SAW("e1", store_case_events(s, CWS_CASE, see_event, &seen, &err));
	REFUSED(store_begin(s, &err), LK_ESTATE, "read only");
	store_close(s);
	assert_int_equal(unlink(path_in(place, "linkages.db")), 0);
	assert_int_equal(store_open(&options, &s, &err), LK_ENOTFOUND);
}

#define WATCHED(test) cmocka_unit_test_setup_teardown(test, on_watched_disk, leave_watched_disk)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WATCHED(a_commit_returns_only_after_its_sync),
		WATCHED(a_full_disk_keeps_nothing_of_the_batch),
		WATCHED(a_transaction_that_sqlite_gave_up_is_not_written_to),
		WATCHED(after_a_failed_sync_nothing_is_promised),
		FILES(the_write_ahead_log_stays_small),
		FILES(a_log_is_written_ahead_and_then_over),
		FILES(a_changed_row_is_noticed_before_it_is_shown),
		FILES(files_have_their_modes),
		FILES(state_db_may_be_deleted),
		FILES(a_second_daemon_is_refused),
		FILES(a_newer_or_foreign_file_is_refused),
		FILES(an_empty_missing_or_swapped_file_is_refused),
		FILES(a_truncated_or_damaged_file_is_refused),
		FILES(a_table_of_other_columns_is_refused),
		FILES(a_page_without_anything_in_it_is_survived_or_named),
		FILES(what_is_gone_without_a_trace_is_noticed),
		FILES(an_order_does_not_pass_over_a_damaged_block),
		FILES(a_short_cut_leads_to_no_other_family),
		FILES(an_event_that_is_gone_is_noticed_by_its_place),
		FILES(a_damaged_index_is_made_anew),
		FILES(an_old_page_of_a_small_table_is_noticed),
		FILES(a_record_without_sense_is_survived_or_named),
		FILES(names_that_are_gone_are_noticed_at_a_start),
		FILES(an_outbox_that_is_gone_is_one_damage),
		FILES(the_last_change_of_all_may_be_damaged),
		FILES(a_place_that_is_taken_is_damage),
		FILES(what_is_waited_for_is_so_after_another_damage),
		FILES(a_row_that_may_not_be_is_no_damage),
		FILES(old_values_are_noticed_by_the_mark),
		FILES(a_start_that_was_cut_short_leaves_nothing_behind),
		FILES(a_store_can_be_read_only),
	};

	return cmocka_run_group_tests_name("store disk", tests, NULL, NULL);
}
