/* checkpoint.c - the log goes into the database beside the loop: a thread with a connection of its own.
 *
 * In: a log that has become long. Out: its pages in linkages.db, few at a time, each few synced. Promise: whoever commits
 * meanwhile waits for no page but those of the last commits; what fails is told to the loop's thread, which alone says what
 * it means, before another commit is answered for.
 *
 * Two syncs at once take each other's time, so a bite's begins in a pause between two commits: the loop notes when it is in one,
 * and how long the last pause was.
 *
 * The thread calls nothing but SQLite on its own connection and a sync of linkages.mark; what it came to is taken over under
 * the mutex. It can not come to the end of a log that grows meanwhile, and only a log that is in the database whole is begun
 * anew: so what is left of it, some commits' pages, is one bite of the loop's own (wal.c).
 */
#include "disk.h"
#include "internal.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A commit's sync waits for what the disk has been given before: so it is given few pages at a time, and as long as they took
 * it is left to others. */
#define PAGES_A_BITE 16
#define REST_MOST_NS 5000000
/* A pause is taken while half of it is left, by the length of the last; where none comes for so long, none is waited for; and
 * where no commit has come for so long, nobody is in the way. */
#define AWAIT_MOST_NS 2000000
#define QUIET_NS 5000000
#define LOOK_NS 50000
/* Each pass leaves what was committed while it lasted: another follows, until one had only few frames to move. */
#define PASSES 8
#define FEW 32

enum beside_state { AT_REST, ASKED, DONE };

struct came {
	int rc;      /* SQLite's */
	int mark_rc; /* of the mark's sync: 0 or a negative errno */
	int64_t us;
};

struct beside {
	sqlite3 *db;
	sqlite3_file *file;
	const char *mark;
	pthread_t thread;
	bool is_running;
	int written; /* the thread's: pages since the last sync */
	atomic_bool hurries;
	atomic_bool is_committing; /* the loop is */
	atomic_llong committed_at,
		pause; /* the end of its last commit, and how long it was after the one before; ns */
	pthread_mutex_t mutex; /* of all that follows */
	pthread_cond_t changed;
	enum beside_state state;
	bool ends, marks;
	struct came came;
};

/* ---- In the thread --------------------------------------------------------------------------- */

static int pages_sync(struct beside *b)
{
	b->written = 0;
	return b->file->pMethods->xSync(b->file, SQLITE_SYNC_NORMAL);
}

static bool is_in_way(const struct beside *b)
{
	int64_t since = now_ns() - atomic_load(&b->committed_at);

	return atomic_load(&b->is_committing) ||
	       (since > atomic_load(&b->pause) / 2 && since < QUIET_NS);
}

static void pause_await(const struct beside *b)
{
	int64_t until = now_ns() + AWAIT_MOST_NS;

	while (is_in_way(b) && now_ns() < until && !atomic_load(&b->hurries))
		(void)nanosleep(&(struct timespec){ .tv_nsec = LOOK_NS }, NULL);
}

/* After each page. */
static int wrote(void *context)
{
	struct beside *b = context;
	int64_t begun, took;
	int rc;

	if (++b->written < PAGES_A_BITE || atomic_load(&b->hurries))
		return SQLITE_OK;
	pause_await(b);
	begun = now_ns();
	rc = pages_sync(b);
	took = now_ns() - begun;
	(void)nanosleep(&(struct timespec){ .tv_nsec = took < REST_MOST_NS ? took : REST_MOST_NS },
			NULL);
	return rc;
}

/* *moved: frames of the log that are in the database afterwards; *few: it is nearly all of them. */
static int pass(struct beside *b, int *moved, bool *few)
{
	int before = *moved, frames = 0;
	int rc = sqlite3_wal_checkpoint_v2(b->db, NULL, SQLITE_CHECKPOINT_PASSIVE, &frames, moved);

	*few = *moved - before <= FEW;
	if (rc == SQLITE_BUSY || rc == SQLITE_LOCKED)
		rc = SQLITE_OK;
	if (rc != SQLITE_OK || b->written <= FEW)
		return rc;
	pause_await(b);
	return pages_sync(b);
}

static struct came work(struct beside *b, bool marks)
{
	struct came came = { .rc = SQLITE_OK };
	int64_t begun = now_ns();
	int moved = 0;
	bool few = false;

	if (marks)
		came.mark_rc = disk_sync(b->mark);
	for (int n = 0; n < PASSES && came.rc == SQLITE_OK && !few; n++)
		came.rc = pass(b, &moved, &few);
	came.us = (now_ns() - begun) / 1000;
	return came;
}

static void *run(void *context)
{
	struct beside *b = context;

	(void)pthread_mutex_lock(&b->mutex);
	while (!b->ends) {
		if (b->state != ASKED) {
			(void)pthread_cond_wait(&b->changed, &b->mutex);
			continue;
		}
		bool marks = b->marks;
		(void)pthread_mutex_unlock(&b->mutex);
		struct came came = work(b, marks);
		(void)pthread_mutex_lock(&b->mutex);
		b->came = came;
		b->state = DONE;
		(void)pthread_cond_broadcast(&b->changed);
	}
	(void)pthread_mutex_unlock(&b->mutex);
	return NULL;
}

/* ---- In the loop ----------------------------------------------------------------------------- */

void beside_commits(struct store *s, bool begins)
{
	struct beside *b = s->beside;

	if (b == NULL)
		return;
	if (begins)
		atomic_store(&b->pause, now_ns() - atomic_load(&b->committed_at));
	else
		atomic_store(&b->committed_at, now_ns());
	atomic_store(&b->is_committing, begins);
}

void beside_ask(struct store *s)
{
	struct beside *b = s->beside;

	(void)pthread_mutex_lock(&b->mutex);
	if (b->state == AT_REST) {
		b->state = ASKED;
		b->marks = s->mark.unsynced;
		s->mark.unsynced = false;
		(void)pthread_cond_broadcast(&b->changed);
	}
	(void)pthread_mutex_unlock(&b->mutex);
	if (wal_is_pressing(&s->wal))
		atomic_store(&b->hurries, true);
}

static int take(struct store *s, const struct came *came, struct lk_error *err)
{
	s->work.checkpoints++;
	s->work.checkpoint_us += came->us;
	atomic_store(&s->beside->hurries, false);
	if (mark_synced(s, came->mark_rc, err) < 0)
		return LK_ESYNC;
	if (came->rc != SQLITE_OK)
		return store_fault(s, s->beside->db, came->rc, "checkpoint", err);
	if (wal_is_long(&s->wal))
		return wal_checkpoint(s, &s->wal, err);
	s->wal.frames = 0; /* until the next commit counts them anew */
	return 0;
}

int beside_look(struct store *s, bool commits, struct lk_error *err)
{
	struct beside *b = s->beside;
	struct came came;
	bool is_done;

	if (b == NULL)
		return 0;
	(void)pthread_mutex_lock(&b->mutex);
	came = b->came;
	is_done = b->state == DONE;
	if (commits && came.mark_rc == 0 && came.rc != SQLITE_OK &&
	    store_fault_of(came.rc) != LK_ESYNC)
		is_done = false; /* the commit is none the worse for it: told when nobody waits */
	if (is_done)
		b->state = AT_REST;
	(void)pthread_mutex_unlock(&b->mutex);
	return is_done ? take(s, &came, err) : 0;
}

int beside_settle(struct store *s, struct lk_error *err)
{
	struct beside *b = s->beside;

	if (b == NULL)
		return 0;
	atomic_store(&b->hurries, true);
	(void)pthread_mutex_lock(&b->mutex);
	while (b->state == ASKED)
		(void)pthread_cond_wait(&b->changed, &b->mutex);
	(void)pthread_mutex_unlock(&b->mutex);
	return beside_look(s, false, err);
}

/* ---- Life ------------------------------------------------------------------------------------ */

/* The read opens the log. */
static int connect(struct store *s, struct beside *b, struct lk_error *err)
{
	static const char settings[] = "PRAGMA mmap_size = 0; PRAGMA cache_size = -64;"
				       "PRAGMA wal_autocheckpoint = 0; PRAGMA synchronous = FULL;"
				       "SELECT count(*) FROM sqlite_schema";
	int rc = share_connect(s->share, s->db, settings, &b->db);

	if (rc == SQLITE_OK)
		rc = sqlite3_file_control(b->db, "main", SQLITE_FCNTL_FILE_POINTER, &b->file);
	if (rc != SQLITE_OK)
		return store_fault(s, b->db, rc, "linkages.db, for its checkpoints", err);
	share_watch(s->share, b->file, wrote, b);
	return 0;
}

/* Signals are the loop's. */
static int thread_start(struct beside *b, struct lk_error *err)
{
	sigset_t all, before;
	int rc;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&b->thread, NULL, run, b);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc != 0)
		return lk_fail(err, LK_EMEMORY, "no thread for checkpoints: %s", strerror(rc));
	b->is_running = true;
	(void)pthread_setname_np(b->thread, "checkpoint");
	return 0;
}

int beside_start(struct store *s, struct lk_error *err)
{
	struct beside *b = calloc(1, sizeof(*b));
	int rc;

	if (b == NULL)
		return lk_fail(err, LK_EMEMORY, "store: no memory");
	b->mark = s->mark.path;
	(void)pthread_mutex_init(&b->mutex, NULL);
	(void)pthread_cond_init(&b->changed, NULL);
	s->beside = b;
	rc = connect(s, b, err);
	return rc == 0 ? thread_start(b, err) : rc;
}

void beside_stop(struct store *s)
{
	struct beside *b = s->beside;

	if (b == NULL)
		return;
	if (b->is_running) {
		(void)beside_settle(s, NULL);
		(void)pthread_mutex_lock(&b->mutex);
		b->ends = true;
		(void)pthread_cond_broadcast(&b->changed);
		(void)pthread_mutex_unlock(&b->mutex);
		(void)pthread_join(b->thread, NULL);
	}
	(void)sqlite3_close(b->db);
	(void)pthread_cond_destroy(&b->changed);
	(void)pthread_mutex_destroy(&b->mutex);
	free(b);
	s->beside = NULL;
}
