/* test_checkpoint.c - checkpoints beside whoever commits: the log stays short, what fails is told, nobody else gets in. */
#include "folder.h"
#include "good.h"

#include "store/internal.h"
#include "store/store.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define FRAME 4120
#define LETTER 40000 /* bytes: ten pages and some */

/* ---- A disk whose database fails, and whose log does not ---------------------------------------------------------- */

static struct {
	const sqlite3_io_methods *real;
	sqlite3_io_methods methods;
	sqlite3_vfs vfs;
	sqlite3_vfs *below;
	atomic_int write_answer, sync_answer; /* SQLITE_OK: as the disk has it */
	atomic_int refused;
	atomic_llong wrote_ns,
		rested_ns; /* the last page's write; from there to the first sync that followed */
} disk;

static int disk_write(sqlite3_file *file, const void *bytes, int n, sqlite3_int64 at)
{
	int answer = atomic_load(&disk.write_answer);

	atomic_store(&disk.wrote_ns, now_ns());
	if (answer == SQLITE_OK)
		return disk.real->xWrite(file, bytes, n, at);
	atomic_fetch_add(&disk.refused, 1);
	return answer;
}

static int disk_sync(sqlite3_file *file, int flags)
{
	int answer = atomic_load(&disk.sync_answer);
	long long never = 0;

	(void)atomic_compare_exchange_strong(&disk.rested_ns, &never,
					     now_ns() - atomic_load(&disk.wrote_ns));
	if (answer == SQLITE_OK)
		return disk.real->xSync(file, flags);
	atomic_fetch_add(&disk.refused, 1);
	return answer;
}

static int disk_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out)
{
	int rc = disk.below->xOpen(disk.below, name, file, flags, out);

	(void)vfs;
	if (rc != SQLITE_OK || !(flags & SQLITE_OPEN_MAIN_DB) ||
	    strstr(name, "linkages.db") == NULL)
		return rc;
	if (disk.real == NULL) {
		disk.real = file->pMethods;
		disk.methods = *disk.real;
		disk.methods.xWrite = disk_write;
		disk.methods.xSync = disk_sync;
	}
	file->pMethods = &disk.methods;
	return rc;
}

static void disk_watch(void)
{
	memset(&disk, 0, sizeof(disk));
	disk.below = sqlite3_vfs_find(NULL);
	disk.vfs = *disk.below;
	disk.vfs.zName = "watched";
	disk.vfs.xOpen = disk_open;
	disk.vfs.pNext = NULL;
	assert_int_equal(sqlite3_vfs_register(&disk.vfs, 1), SQLITE_OK);
}

static void disk_unwatch(void)
{
	assert_int_equal(sqlite3_vfs_register(disk.below, 1), SQLITE_OK);
	assert_int_equal(sqlite3_vfs_unregister(&disk.vfs), SQLITE_OK);
}

/* ---- A place to be ------------------------------------------------------------------------------------------------ */

struct site {
	char directory[64];
	struct store *store;
	int64_t letters; /* that a commit has answered for */
};

static const char *path_in(const struct site *site, const char *name)
{
	static char path[400];

	(void)snprintf(path, sizeof(path), "%s/%s", site->directory, name);
	return path;
}

static int place_open(struct site *site)
{
	const struct store_options options = { .directory = site->directory, .beside = true };

	return store_open(&options, &site->store, &err);
}

static void place_close(struct site *site)
{
	store_close(site->store);
	site->store = NULL;
}

static int arrive(void **state)
{
	struct site *site = calloc(1, sizeof(*site));

	folder_make(site->directory, "beside");
	disk_watch();
	GOOD(place_open(site));
	*state = site;
	return 0;
}

static int leave(void **state)
{
	struct site *site = *state;

	store_close(site->store);
	disk_unwatch();
	folder_remove(site->directory);
	free(site);
	return 0;
}

static const struct case_key a_case = { LK_CWS, { "C-1", 3 } };

/* n letters in one commit; meanwhile a case is read, where somebody reads ahead. */
static int put(struct site *site, int n)
{
	static char body[LETTER];
	int rc = store_begin(site->store, &err);

	store_ahead_read(site->store, 0, a_case);
	for (int i = 0; rc == 0 && i < n; i++) {
		struct dead_letter letter = { .source = LK_TEXT("calsaws"),
					      .received_at = 5,
					      .reason = LK_BAD_VALUE,
					      .field = LK_TEXT("data.status"),
					      .detail = LK_TEXT("no status of this agency"),
					      .body = body,
					      .body_len = sizeof(body) };

		int64_t number = site->letters + i;

		memcpy(body, &number, sizeof(number)); /* each is another */
		lk_digest(body, sizeof(body), NULL, letter.digest);
		rc = store_dead_letter_add(site->store, &letter, &err);
	}
	rc = store_end(site->store, rc, &err);
	site->letters += rc == 0 ? n : 0;
	return rc;
}

static struct store_counts counts_of(struct site *site)
{
	struct store_counts counts = { 0 };

	GOOD(store_counts(site->store, &counts, &err));
	return counts;
}

static int64_t checkpoints(const struct site *site)
{
	struct store_work work;

	store_work(site->store, &work);
	return work.checkpoints;
}

/* ---- What is promised --------------------------------------------------------------------------------------------- */

static void log_begins_anew(struct site *site)
{
	struct store_counts counts;

	/* A thread's, and the loop's of what was left. */
	for (int i = 0; i < 400 && checkpoints(site) < 2; i++)
		GOOD(put(site, 50));
	assert_true(checkpoints(site) >= 2);
	counts = counts_of(site);
	assert_true(counts.wal_bytes < (int64_t)33500 * FRAME);
	assert_true(counts.bytes > (int64_t)15000 * 4096);
	GOOD(put(site, 50)); /* over the log's beginning */
	assert_true(counts_of(site).wal_bytes <= counts.wal_bytes);
}

static void the_log_begins_anew_while_commits_go_on(void **state)
{
	struct site *site = *state;

	log_begins_anew(site);
	place_close(site);
	GOOD(place_open(site));
	GOOD(store_integrity(site->store, NULL, NULL, &err));
	assert_int_equal(counts_of(site).dead_letters, site->letters);
}

static void a_log_that_is_read_ahead_begins_anew_too(void **state)
{
	const struct stored_family family = { .id = { 1 },
					      .wake_at = LK_NO_INSTANT,
					      .state = "a state",
					      .state_len = 7,
					      .told = "told",
					      .told_len = 4 };
	struct site *site = *state;

	GOOD(store_begin(site->store, &err));
	GOOD(store_case_join(site->store, a_case, family.id, &err));
	GOOD(store_family_put(site->store, &family, &err));
	GOOD(store_commit(site->store, &err));
	place_close(site);
	GOOD(place_open(site));
	GOOD(store_ahead_open(site->store, 1, &err));
	log_begins_anew(site);
	store_ahead_use(site->store, 0);
	assert_non_null(ahead_family(site->store, family.id));
	store_ahead_close(site->store);
}

static void a_log_is_in_the_database_whole_after_a_rest(void **state)
{
	struct site *site = *state;

	GOOD(put(site, 20));
	assert_true(counts_of(site).bytes < 20 * LETTER);
	beside_ask(site->store);
	GOOD(beside_settle(site->store, &err));
	assert_true(counts_of(site).bytes >= 20 * LETTER);
	int64_t log = counts_of(site).wal_bytes;
	GOOD(put(site, 19)); /* over the log's beginning */
	assert_int_equal(counts_of(site).wal_bytes, log);
	GOOD(put(site, 20));
	beside_ask(site->store);
	GOOD(store_flush(site->store, &err)); /* which waits for it */
	assert_int_equal(counts_of(site).wal_bytes, 0);
	beside_ask(site->store);
	GOOD(store_vacuum(site->store, &err));
	assert_int_equal(counts_of(site).wal_bytes, 0);
}

/* Two milliseconds, if none has ended by then. */
static void a_bite_is_not_synced_while_a_commit_is(void **state)
{
	struct site *site = *state;

	GOOD(put(site, 20));
	atomic_store(&disk.rested_ns, 0);
	beside_commits(site->store, true);
	beside_ask(site->store);
	for (int i = 0; i < 60000 && atomic_load(&disk.rested_ns) == 0; i++)
		(void)usleep(1000);
	assert_true(atomic_load(&disk.rested_ns) >= 2000000);
	beside_commits(site->store, false);
	GOOD(beside_settle(site->store, &err));
	assert_true(counts_of(site).bytes >= 20 * LETTER);
}

static void nobody_else_gets_in(void **state)
{
	struct site *site = *state;
	const struct store_options beside = { .directory = site->directory, .beside = true },
				   alone = { .directory = site->directory };
	struct store *second;
	sqlite3 *db;
	int status = -1;

	assert_int_equal(store_open(&beside, &second, &err), LK_ESTATE);
	assert_non_null(strstr(err.text, "linkages.db is held by another process"));
	assert_int_equal(store_open(&alone, &second, &err), LK_ESTATE);
	pid_t child = fork();
	if (child == 0) {
		bool opens = sqlite3_open(path_in(site, "linkages.db"), &db) == SQLITE_OK &&
			     sqlite3_exec(db, "SELECT * FROM sqlite_schema", NULL, NULL, NULL) ==
				     SQLITE_OK;
		_exit(opens || store_open(&beside, &second, &err) != LK_ESTATE);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	GOOD(put(site, 1));
	assert_int_equal(access(path_in(site, "linkages.db-shm"), F_OK), -1);
}

/* Until the thread has met the disk. */
static void await_refusal(void)
{
	for (int i = 0; i < 60000 && atomic_load(&disk.refused) == 0; i++)
		(void)usleep(1000);
	assert_true(atomic_load(&disk.refused) > 0);
}

static void a_failed_sync_is_told_before_the_next_commit_is(void **state)
{
	struct site *site = *state;
	struct store_rebuild rebuilt;
	int rc = 0;

	GOOD(put(site, 20));
	atomic_store(&disk.sync_answer, SQLITE_IOERR_FSYNC);
	beside_ask(site->store);
	await_refusal();
	atomic_store(&disk.sync_answer, SQLITE_OK); /* it is not to be believed */
	for (int i = 0; i < 1000 && rc == 0; i++)   /* the thread has still to say so */
		rc = put(site, 1);
	assert_int_equal(rc, LK_ESYNC);
	assert_int_equal(store_begin(site->store, &err), LK_ESYNC);
	assert_int_equal(store_idle(site->store, &err), LK_ESYNC);
	place_close(site);
	GOOD(place_open(site));
	store_rebuild_found(site->store, &rebuilt);
	assert_non_null(strstr(rebuilt.why, "sync"));
	assert_true(counts_of(site).dead_letters >= site->letters);
}

static void a_full_disk_is_told_when_nobody_waits(void **state)
{
	struct site *site = *state;
	int rc = 0;

	GOOD(put(site, 20));
	atomic_store(&disk.write_answer, SQLITE_FULL);
	beside_ask(site->store);
	await_refusal();
	GOOD(put(site, 1));
	for (int i = 0; i < 60000 && rc == 0; i++, (void)usleep(1000))
		rc = store_relieve(site->store, &err);
	assert_int_equal(rc, LK_EFULL);
	GOOD(put(site, 1));
	atomic_store(&disk.write_answer, SQLITE_OK);
	beside_ask(site->store);
	GOOD(beside_settle(site->store, &err));
	assert_true(counts_of(site).bytes >= 22 * LETTER);
}

static void move_mark(struct site *site)
{
	const struct ledger_row row = { .at = 5,
					.worker = LK_TEXT("w1"),
					.basis = LK_TEXT("none") };

	GOOD(store_begin(site->store, &err));
	GOOD(store_ledger_add(site->store, &row, &err));
	GOOD(store_commit(site->store, &err));
}

/* By a person: the disk has not failed. */
static void a_mark_that_is_taken_away_is_made_anew(void **state)
{
	struct site *site = *state;
	struct store_mark mark;

	GOOD(put(site, 20));
	move_mark(site);
	assert_int_equal(unlink(path_in(site, "linkages.mark")), 0);
	beside_ask(site->store);
	GOOD(beside_settle(site->store, &err));
	assert_int_equal(access(path_in(site, "linkages.mark"), F_OK), 0);
	move_mark(site);
	place_close(site);
	GOOD(place_open(site));
	store_mark_found(site->store, &mark);
	assert_int_equal(mark.state, MARK_HOLDS);
}

/* Both at once: the one that is worse is told. */
static void a_mark_that_cannot_be_synced_is_told_on_a_full_disk_too(void **state)
{
	struct site *site = *state;

	GOOD(put(site, 20));
	move_mark(site);
	assert_int_equal(unlink(path_in(site, "linkages.mark")), 0);
	assert_int_equal(symlink("linkages.mark", path_in(site, "linkages.mark")), 0);
	atomic_store(&disk.write_answer, SQLITE_FULL);
	beside_ask(site->store);
	assert_int_equal(beside_settle(site->store, &err), LK_ESYNC);
	assert_non_null(strstr(err.text, "linkages.mark cannot be synced"));
	atomic_store(&disk.write_answer, SQLITE_OK);
}

/* Its name, that is: it can be written on, and is gone with the process. */
static void a_log_that_is_taken_away_loses_nothing(void **state)
{
	struct site *site = *state;
	struct store_rebuild rebuilt;

	GOOD(put(site, 20));
	assert_int_equal(unlink(path_in(site, "linkages.db-wal")), 0);
	assert_int_equal(put(site, 1), LK_ESYNC);
	assert_non_null(strstr(err.text, "linkages.db-wal was taken away"));
	place_close(site);
	GOOD(place_open(site));
	store_rebuild_found(site->store, &rebuilt);
	assert_non_null(strstr(rebuilt.why, "taken away"));
	assert_true(counts_of(site).dead_letters >= site->letters);
	GOOD(put(site, 1));
}

/* ---- The log is not begun anew under a checkpoint ------------------------------------------------------------------ */

#define CHECKPOINT_LOCK 1 /* places in the wal-index, by SQLite's description of its format */
#define MARKS_FIRST 4
#define MARKS (SQLITE_SHM_NLOCK - MARKS_FIRST)

static sqlite3 *joined(const struct site *site, const struct share *share, sqlite3_file **file)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open_v2(path_in(site, "shared.db"), &db,
					 SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
					 share_name(share)),
			 SQLITE_OK);
	assert_int_equal(sqlite3_exec(db,
				      "PRAGMA journal_mode = WAL; CREATE TABLE IF NOT EXISTS t (a)",
				      NULL, NULL, NULL),
			 SQLITE_OK);
	assert_int_equal(sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, file),
			 SQLITE_OK);
	return db;
}

static int take(sqlite3_file *file, int first, int n)
{
	return file->pMethods->xShmLock(file, first, n, SQLITE_SHM_LOCK | SQLITE_SHM_EXCLUSIVE);
}

static void give(sqlite3_file *file, int first, int n)
{
	assert_int_equal(file->pMethods->xShmLock(file, first, n,
						  SQLITE_SHM_UNLOCK | SQLITE_SHM_EXCLUSIVE),
			 SQLITE_OK);
}

static void no_log_begins_under_a_checkpoint(void **state)
{
	struct share *share = share_create();
	sqlite3_file *loop, *thread;
	sqlite3 *first = joined(*state, share, &loop), *second = joined(*state, share, &thread);

	assert_int_equal(take(thread, CHECKPOINT_LOCK, 1), SQLITE_OK);
	assert_int_equal(take(loop, MARKS_FIRST, MARKS), SQLITE_BUSY);
	assert_int_equal(take(loop, MARKS_FIRST, 1), SQLITE_OK); /* a reader that moves its mark */
	give(loop, MARKS_FIRST, 1);
	assert_int_equal(take(thread, MARKS_FIRST, MARKS),
			 SQLITE_OK); /* a checkpoint that begins it anew itself */
	give(thread, MARKS_FIRST, MARKS);
	give(thread, CHECKPOINT_LOCK, 1);

	assert_int_equal(take(loop, MARKS_FIRST, MARKS), SQLITE_OK);
	assert_int_equal(take(thread, CHECKPOINT_LOCK, 1), SQLITE_BUSY);
	give(loop, MARKS_FIRST, MARKS);
	assert_int_equal(take(thread, CHECKPOINT_LOCK, 1), SQLITE_OK);
	give(thread, CHECKPOINT_LOCK, 1);
	assert_int_equal(sqlite3_close(second), SQLITE_OK);
	assert_int_equal(sqlite3_close(first), SQLITE_OK);
	share_free(share);
}

/* ---- What a commit writes to the log ------------------------------------------------------------------------------- */

static int64_t asked(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *statement;
	int64_t answer;

	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	answer = sqlite3_column_int64(statement, 0);
	assert_int_equal(sqlite3_finalize(statement), SQLITE_OK);
	return answer;
}

static void run(sqlite3 *db, const char *sql)
{
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
}

static sqlite3_file *log_of(sqlite3 *db)
{
	sqlite3_file *log = NULL;

	assert_int_equal(sqlite3_file_control(db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log),
			 SQLITE_OK);
	assert_non_null(log);
	return log;
}

#define THOUSAND(value) \
	"WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) " \
	"INSERT INTO t SELECT " value " FROM n"

/* More than the cache holds goes to the log before its COMMIT, and is read from there. */
static void what_waits_for_the_log_is_read_and_taken_back(void **state)
{
	struct share *share = share_create();
	sqlite3_file *loop, *thread;
	sqlite3 *first = joined(*state, share, &loop), *second = joined(*state, share, &thread);

	run(first, "PRAGMA synchronous = FULL; PRAGMA cache_size = 10; BEGIN");
	run(first, THOUSAND("zeroblob(900)"));
	assert_int_equal(asked(first, "SELECT sum(length(a)) FROM t"), 900000);
	assert_int_equal(asked(second, "SELECT count(*) FROM t"), 0);
	run(first, "COMMIT");
	assert_int_equal(asked(second, "SELECT sum(length(a)) FROM t"), 900000);

	run(first, "BEGIN");
	run(first, THOUSAND("zeroblob(800)"));
	run(first, "ROLLBACK; BEGIN");
	run(first, THOUSAND("'one'"));
	run(first, "COMMIT");
	assert_int_equal(asked(second, "SELECT count(*) FROM t WHERE a = 'one'"), 1000);
	assert_int_equal(asked(second, "SELECT count(*) FROM t"), 2000);

	/* Only who writes has its calls put together. */
	assert_ptr_not_equal(log_of(first)->pMethods->xWrite, log_of(second)->pMethods->xWrite);
	assert_int_equal(sqlite3_close(second), SQLITE_OK);
	assert_int_equal(sqlite3_close(first), SQLITE_OK);
	share_free(share);
}

static int no_room(sqlite3_file *file, const void *bytes, int n, sqlite3_int64 at)
{
	(void)file;
	(void)bytes;
	(void)n;
	(void)at;
	return SQLITE_FULL;
}

/* Where a statement ends and its transaction does not, what the transaction wrote before is still all there. */
static void a_transaction_is_whole_or_gone_when_the_log_has_no_room(void **state)
{
	struct share *share = share_create();
	sqlite3_file *loop;
	sqlite3 *db = joined(*state, share, &loop);
	sqlite3_io_methods full;
	struct frames *frames;

	run(db, "CREATE TABLE once (a UNIQUE); PRAGMA cache_size = 10; BEGIN");
	run(db, THOUSAND("zeroblob(900)"));
	frames = (struct frames *)(uintptr_t)log_of(db)->pMethods;
	full = *frames->under;
	full.xWrite = no_room;
	const sqlite3_io_methods *under = frames->under;

	frames->under = &full;
	(void)sqlite3_exec(db, "INSERT INTO once SELECT rowid FROM t WHERE rowid < 100", NULL, NULL,
			   NULL);
	frames->under = under;
	if (sqlite3_get_autocommit(db) == 0)
		(void)sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
	assert_int_equal(asked(db, "SELECT count(*) FROM pragma_integrity_check "
				   "WHERE integrity_check <> 'ok'"),
			 0);
	assert_int_equal(asked(db, "SELECT count(*) % 1000 FROM t"), 0);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	share_free(share);
}

/* ---- Room ahead ---------------------------------------------------------------------------------------------------- */

/* As on a disk that is full: each of the zeros' writes is the one that fails, the last of a bite as well. */
static void a_disk_without_room_for_zeros_keeps_no_store_from_opening(void **state)
{
	struct site *site = *state;
	struct store_options options = { .directory = site->directory,
					 .beside = true,
					 .log_room = 2 << 20 };
	struct rlimit before, less;

	place_close(site);
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	less = before;
	for (rlim_t bytes = 1 << 20; bytes <= 2 << 20; bytes += 1 << 16) {
		less.rlim_cur = bytes - 1000;
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &less), 0);
		int rc = store_open(&options, &site->store, &err);
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
		assert_int_equal(rc, 0);
		place_close(site);
	}
	(void)signal(SIGXFSZ, SIG_DFL);
	GOOD(place_open(site));
}

#define BESIDE(test) cmocka_unit_test_setup_teardown(test, arrive, leave)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BESIDE(no_log_begins_under_a_checkpoint),
		BESIDE(what_waits_for_the_log_is_read_and_taken_back),
		BESIDE(a_transaction_is_whole_or_gone_when_the_log_has_no_room),
		BESIDE(a_disk_without_room_for_zeros_keeps_no_store_from_opening),
		BESIDE(the_log_begins_anew_while_commits_go_on),
		BESIDE(a_log_that_is_read_ahead_begins_anew_too),
		BESIDE(a_log_is_in_the_database_whole_after_a_rest),
		BESIDE(a_bite_is_not_synced_while_a_commit_is),
		BESIDE(nobody_else_gets_in),
		BESIDE(a_failed_sync_is_told_before_the_next_commit_is),
		BESIDE(a_full_disk_is_told_when_nobody_waits),
		BESIDE(a_mark_that_is_taken_away_is_made_anew),
		BESIDE(a_mark_that_cannot_be_synced_is_told_on_a_full_disk_too),
		BESIDE(a_log_that_is_taken_away_loses_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
