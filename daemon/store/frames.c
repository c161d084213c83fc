/* frames.c - what a commit adds to the log goes to the system in few calls.
 *
 * In: what SQLite writes to the log, two writes a page. Out: the same bytes at the same places. Promise: whatever is
 * written is in the file before it is synced, cut or asked for its length, and is read by this handle as if it were; a
 * write that fails is told to the next write, at the latest to the sync, so that no commit is answered without it.
 *
 * A commit of a full batch has some 500 pages: a thousand calls, which cost more than the pages. Other handles see what
 * was synced: SQLite tells them of a commit's frames behind its sync (synchronous = FULL).
 */
#include "internal.h"

#include <string.h>

static struct frames *frames_of(const sqlite3_file *file)
{
	return (struct frames *)(uintptr_t)file->pMethods;
}

/* What could not be written is given up: SQLite takes its transaction back. */
static int frames_flush(struct frames *f, sqlite3_file *file)
{
	int len = f->len;

	f->len = 0;
	return len == 0 ? SQLITE_OK : f->under->xWrite(file, f->at, len, f->offset);
}

static int frames_write(sqlite3_file *file, const void *at, int len, sqlite3_int64 offset)
{
	struct frames *f = frames_of(file);
	bool goes_on = offset == f->offset + f->len && len <= FRAMES_ROOM - f->len;
	int rc = goes_on ? SQLITE_OK : frames_flush(f, file);

	if (rc != SQLITE_OK || len > FRAMES_ROOM)
		return rc != SQLITE_OK ? rc : f->under->xWrite(file, at, len, offset);
	if (f->len == 0)
		f->offset = offset;
	memcpy(f->at + f->len, at, (size_t)len);
	f->len += len;
	return SQLITE_OK;
}

/* What waits is read from where it waits. Writing it out here might fail, and for SQLite a failed read ends the statement
 * only: it would go on with a transaction that has lost pages. Only a commit reads across the edge of what waits, and a
 * commit that fails ends the transaction. */
static int frames_read(sqlite3_file *file, void *at, int len, sqlite3_int64 offset)
{
	struct frames *f = frames_of(file);
	sqlite3_int64 end = f->offset + f->len;
	int rc = SQLITE_OK;

	if (offset >= f->offset && offset + len <= end) {
		memcpy(at, f->at + (offset - f->offset), (size_t)len);
		return SQLITE_OK;
	}
	if (offset < end && offset + len > f->offset)
		rc = frames_flush(f, file);
	return rc != SQLITE_OK ? rc : f->under->xRead(file, at, len, offset);
}

static int frames_truncate(sqlite3_file *file, sqlite3_int64 bytes)
{
	int rc = frames_flush(frames_of(file), file);

	return rc != SQLITE_OK ? rc : frames_of(file)->under->xTruncate(file, bytes);
}

static int frames_sync(sqlite3_file *file, int flags)
{
	int rc = frames_flush(frames_of(file), file);

	return rc != SQLITE_OK ? rc : frames_of(file)->under->xSync(file, flags);
}

static int frames_size(sqlite3_file *file, sqlite3_int64 *bytes)
{
	int rc = frames_flush(frames_of(file), file);

	return rc != SQLITE_OK ? rc : frames_of(file)->under->xFileSize(file, bytes);
}

static int frames_close(sqlite3_file *file)
{
	struct frames *f = frames_of(file);
	int rc = frames_flush(f, file), closed = f->under->xClose(file);

	f->is_open = false;
	return rc != SQLITE_OK ? rc : closed;
}

void frames_join(struct frames *f, sqlite3_file *file)
{
	if (f->is_open)
		return;
	f->is_open = true;
	f->under = file->pMethods;
	f->methods = *f->under;
	f->methods.xClose = frames_close;
	f->methods.xRead = frames_read;
	f->methods.xWrite = frames_write;
	f->methods.xTruncate = frames_truncate;
	f->methods.xSync = frames_sync;
	f->methods.xFileSize = frames_size;
	file->pMethods = &f->methods;
}
