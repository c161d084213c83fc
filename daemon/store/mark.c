/* mark.c - linkages.mark: how far the database had come, kept outside of it.
 *
 * In: each commit. Out: one line of fixed length: the log position, the ledger's last row and its
 * chain, the numbers of the last change of families and of values, and a sum of these. Promise: it is written after
 * COMMIT and synced with checkpoints, so that after a power cut it may be behind the database; where
 * the database is behind it, rows that were committed are gone.
 *
 * The line fits into one sector, so that it is there whole or not at all. It is the ledger's head
 * and the log's watermark at once: both ask whether this is still the file that we wrote.
 */
#include "disk.h"
#include "internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define MARK_ROOM 160
#define MARK_FORMAT \
	"linkages.mark 2 %020lld %020lld %s %020lld %020lld " /* and the sum, and a newline */

static int mark_print(const struct store_mark *mark, char out[MARK_ROOM])
{
	char chain[LK_DIGEST_HEX], sum[LK_DIGEST_HEX];
	uint8_t digest[LK_DIGEST];
	int len;

	lk_digest_hex(mark->head.chain, chain);
	len = snprintf(out, MARK_ROOM, MARK_FORMAT, (long long)mark->position,
		       (long long)mark->head.number, chain, (long long)mark->change,
		       (long long)mark->values);
	lk_digest(out, (size_t)len, NULL, digest);
	lk_digest_hex(digest, sum);
	return len + snprintf(out + len, MARK_ROOM - (size_t)len, "%.8s\n", sum);
}

/* Believed only if it is, to the byte, what we would write. */
static bool mark_parse(const char *text, struct store_mark *out)
{
	long long position, number, change, values;
	char chain[LK_DIGEST_HEX], again[MARK_ROOM];

	if (sscanf(text, "linkages.mark 2 %20lld %20lld %32[0-9a-f] %20lld %20lld ", &position,
		   &number, chain, &change, &values) != 5 ||
	    lk_digest_parse(lk_text_of(chain), out->head.chain) < 0)
		return false;
	out->position = position;
	out->head.number = number;
	out->change = change;
	out->values = values;
	(void)mark_print(out, again);
	return strcmp(text, again) == 0;
}

static enum store_mark_state mark_compare(struct store *s, const struct store_mark *mark,
					  struct lk_error *err)
{
	uint8_t chain[LK_DIGEST] = { 0 };
	struct query q;
	int rc = 1;

	if (s->tips.position < mark->position || s->tips.ledger < mark->head.number ||
	    s->tips.change < mark->change || s->tips.values < mark->values)
		return MARK_BEHIND;
	if (mark->head.number > 0) {
		q = query_begin(s, SQL_ledger_chain);
		bind_int(&q, mark->head.number);
		if ((rc = query_step(&q, err)) == 1)
			(void)column_digest(&q, chain);
		query_end(&q);
	}
	return rc == 1 && memcmp(chain, mark->head.chain, LK_DIGEST) == 0 ? MARK_HOLDS
									  : MARK_REWRITTEN;
}

static void mark_read(struct store *s, struct lk_error *err)
{
	struct store_mark *found = &s->mark.found;
	char text[MARK_ROOM] = "";
	int len = disk_read(s->mark.path, 0, text, sizeof(text) - 1);

	found->state = MARK_NONE;
	if (len != 0 && len != -ENOENT)
		found->state = len > 0 && mark_parse(text, found) ? mark_compare(s, found, err)
								  : MARK_UNREAD;
}

/* Made where it is not there, and kept open: 0; -EEXIST: it was there; else it is neither. */
static int mark_file(struct store *s)
{
	int rc = disk_create(s->mark.path, 0600);

	if (rc < 0 && rc != -EEXIST)
		return rc;
	s->mark.file = disk_open(s->mark.path);
	return s->mark.file < 0 ? s->mark.file : rc;
}

int mark_open(struct store *s, struct lk_error *err)
{
	int rc;

	if (s->directory == NULL)
		return 0;
	(void)snprintf(s->mark.path, sizeof(s->mark.path), "%s/linkages.mark", s->directory);
	if (s->read_only) {
		mark_read(s, err);
		return 0;
	}
	rc = mark_file(s);
	if (rc == -EEXIST)
		mark_read(s, err);
	else if (rc == -ENXIO)
		return lk_fail(err, LK_ESTORE,
			       "%s is no regular file: move it away, and start again",
			       s->mark.path);
	else if (rc < 0)
		return lk_fail(err, LK_ESTORE, "linkages.mark cannot be opened: %s", strerror(-rc));
	return 0;
}

/* A mark that cannot be written stays behind, where it is always believed. */
void mark_write(struct store *s)
{
	struct store_mark now = { .position = s->committed.position,
				  .change = s->committed.change,
				  .values = s->committed.values };
	char text[MARK_ROOM];

	if (s->mark.file < 0)
		return;
	store_ledger_head(s, &now.head);
	int len = mark_print(&now, text);

	s->mark.unsynced = disk_put(s->mark.file, 0, text, (size_t)len) == 0;
}

/* One that was taken away is made anew, or taken as somebody has put it back meanwhile. */
static void mark_renew(struct store *s)
{
	disk_shut(s->mark.file);
	s->mark.file = -1;
	(void)mark_file(s);
	mark_write(s);
}

int mark_synced(struct store *s, int rc, struct lk_error *err)
{
	if (rc == -ENOENT) { /* the disk has lost nothing */
		mark_renew(s);
		return 0;
	}
	if (rc == 0)
		return 0;
	store_doubt(s, DOUBT_SYNC, "linkages.mark cannot be synced");
	return lk_fail(err, LK_ESYNC, "linkages.mark cannot be synced: %s", strerror(-rc));
}

int mark_sync(struct store *s, struct lk_error *err)
{
	int rc;

	if (!s->mark.unsynced)
		return 0;
	s->mark.unsynced = false;
	rc = disk_sync(s->mark.path);
	return mark_synced(s, rc, err);
}

void mark_close(struct store *s)
{
	if (s->mark.unsynced)
		(void)disk_sync(s->mark.path);
	s->mark.unsynced = false;
	if (s->mark.file >= 0)
		disk_shut(s->mark.file);
	s->mark.file = -1;
}

void store_mark_found(const struct store *s, struct store_mark *out)
{
	*out = s->mark.found;
}
