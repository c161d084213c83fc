/* wal.c - the write-ahead logs: how long they may become, checkpoints, room that is made ahead.
 *
 * In: frames as commits add them. Out: checkpoints of a length that follows the disk. Promise: a log stays within bounds; a
 * sync that fails is told as one.
 *
 * What is made here holds up whoever waits; for linkages.db that is the last of a log that checkpoint.c has brought into the
 * database beside the loop.
 */
#include "internal.h"

#include <time.h>

/* Frames of 4 KiB. A checkpoint is one call that cannot be divided, so in quiet it is made small by being made often: the
 * bite follows what the disk does in 10 ms. While events come none is made until there are WAL_LONG: few large ones write
 * a page once that many commits have changed, and hold up fewer events than many small ones. The limit is where writers
 * wait for a checkpoint rather than the disk for them; before it the thread is pressed not to leave the disk to others. */
#define BITE_MIN 64
#define BITE_FIRST 1000
#define BITE_MAX 4000
#define WAL_LONG 16000
#define WAL_PRESSING 24000
#define WAL_LIMIT 32768
#define BITE_NS INT64_C(10000000)
#define PREPARED_A_BITE (1 << 20) /* bytes */

static int wal_grew(void *context, sqlite3 *db, const char *name, int frames)
{
	struct wal *wal = context;

	(void)db;
	(void)name;
	wal->frames = frames;
	return SQLITE_OK;
}

void wal_watch(struct wal *wal, sqlite3 *db, int64_t room)
{
	*wal = (struct wal){ .db = db, .bite = BITE_FIRST, .room = room };
	(void)sqlite3_wal_hook(db, wal_grew, wal);
}

bool wal_has_bite(const struct wal *wal)
{
	return wal->frames >= wal->bite;
}

bool wal_is_long(const struct wal *wal)
{
	return wal->frames >= WAL_LONG;
}

bool wal_is_pressing(const struct wal *wal)
{
	return wal->frames >= WAL_PRESSING;
}

bool wal_is_full(const struct wal *wal)
{
	return wal->frames >= WAL_LIMIT;
}

/* ---- Checkpoints ----------------------------------------------------------------------------- */

int64_t now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void bite_adapt(struct wal *wal, int64_t took_ns)
{
	if (took_ns > BITE_NS && wal->bite > BITE_MIN)
		wal->bite /= 2;
	else if (took_ns < BITE_NS / 4 && wal->bite < BITE_MAX)
		wal->bite += wal->bite / 4;
}

int wal_checkpoint(struct store *s, struct wal *wal, struct lk_error *err)
{
	int64_t begun = now_ns();
	int rc = sqlite3_wal_checkpoint_v2(wal->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);

	s->work.checkpoints++;
	s->work.checkpoint_us += (now_ns() - begun) / 1000;
	wal->frames = 0; /* until the next commit counts them anew */
	bite_adapt(wal, now_ns() - begun);
	if (rc == SQLITE_OK && wal == &s->wal && s->beside == NULL) /* else it was, beside */
		return mark_sync(s, err);
	if (rc == SQLITE_OK || rc == SQLITE_BUSY || rc == SQLITE_LOCKED)
		return 0; /* a reader of state.db may hold it up: later */
	return store_fault(s, wal->db, rc, "checkpoint", err);
}

/* ---- Room ahead ------------------------------------------------------------------------------ */

/* As SQLite has it open; NULL: there is none. */
static sqlite3_file *wal_file(const struct wal *wal, sqlite3_int64 *bytes)
{
	sqlite3_file *file = NULL;

	if (sqlite3_file_control(wal->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &file) !=
		    SQLITE_OK ||
	    file == NULL || file->pMethods == NULL ||
	    file->pMethods->xFileSize(file, bytes) != SQLITE_OK)
		return NULL;
	return file;
}

/* Zeros are no frames: whoever reads the log stops where they begin. */
static int zeros_write(sqlite3_file *file, sqlite3_int64 from, sqlite3_int64 until)
{
	static const uint8_t zeros[64 * 1024];
	int rc = SQLITE_OK;

	while (rc == SQLITE_OK && from < until) {
		sqlite3_int64 left = until - from;
		int n = left < (int)sizeof(zeros) ? (int)left : (int)sizeof(zeros);

		rc = file->pMethods->xWrite(file, zeros, n, from);
		from += n;
	}
	return rc;
}

int wal_prepare(struct store *s, struct wal *wal, struct lk_error *err)
{
	sqlite3_int64 bytes = 0, until;
	sqlite3_file *file = wal->room > 0 ? wal_file(wal, &bytes) : NULL;
	int rc;

	if (file == NULL || bytes >= wal->room) {
		wal->room = 0;
		return 0;
	}
	until = bytes + PREPARED_A_BITE < wal->room ? bytes + PREPARED_A_BITE : wal->room;
	/* Who asks for its length is told of the last write. */
	if (zeros_write(file, bytes, until) != SQLITE_OK || wal_file(wal, &bytes) == NULL) {
		wal->room = 0; /* a disk without room for them is no failure */
		return 0;
	}
	rc = file->pMethods->xSync(file, SQLITE_SYNC_NORMAL);
	return rc == SQLITE_OK ? 1 : store_fault(s, wal->db, rc, "log", err);
}
