/* told.c - the container of what was told, and its packed row.
 *
 * In: records that compare() keeps. Out: the same from a row of bytes.
 * Promise: a row is read whole or refused; this half of a family's row is a truth of its own, no
 * cache.
 */
#include "told.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define ROW_MAGIC 0x34544b4cu /* "LKT4" */

static_assert(sizeof(struct told) == 160 && sizeof(struct told) <= RECORD_MAX,
	      "written to disk: a change of layout needs a migration and a new magic");

struct row_head {
	uint32_t magic, n, words, moments;
	uint64_t scene;
	lk_instant wake;
};

void tolds_free(struct tolds *t)
{
	if (t == NULL)
		return;
	free(t->words.at);
	free(t->at);
	memset(t, 0, sizeof(*t));
}

struct told *tolds_find(const struct tolds *t, const uint8_t id[LK_DIGEST])
{
	for (uint32_t i = 0; i < t->n; i++)
		if (memcmp(t->at[i].id, id, LK_DIGEST) == 0)
			return &t->at[i];
	return NULL;
}

struct told *tolds_add(struct tolds *t)
{
	static struct told scratch;
	struct told *wider = vector_grown(t->at, t->n, &t->room, sizeof(*wider));
	if (wider == NULL) {
		t->failed = true;
		return &scratch;
	}
	t->at = wider;
	memset(&t->at[t->n], 0, sizeof(*wider));
	return &t->at[t->n++];
}

static struct word moved(struct tolds *to, const struct words *from, struct word w)
{
	struct word added = words_add(&to->words, words_text(from, w));
	to->failed |= to->words.failed;
	return added;
}

static void move_record(struct tolds *to, const struct words *from, const struct told *record)
{
	struct told copy = *record;
	copy.worker = moved(to, from, record->worker);
	copy.own = moved(to, from, record->own);
	copy.other = moved(to, from, record->other);
	*tolds_add(to) = copy;
}

void tolds_move(struct tolds *to, const struct tolds *from, const struct told *record)
{
	move_record(to, &from->words, record);
}

void tolds_pack(const struct tolds *t, struct lk_bytes *out)
{
	struct row_head head = {
		.magic = ROW_MAGIC,
		.n = t->n,
		.words = t->words.len,
		.moments = t->settled.moments,
		.scene = t->settled.scene,
		.wake = t->settled.wake,
	};
	lk_bytes_add(out, &head, sizeof(head));
	records_pack(out, t->at, t->n, sizeof(*t->at));
	lk_bytes_add(out, t->words.at, t->words.len);
}

static bool is_in(const struct words *words, struct word w)
{
	return w.at == NONE || (w.at <= words->len && w.len <= words->len - w.at);
}

static bool is_sound(const struct words *words, const struct told *record)
{
	return is_in(words, record->worker) && is_in(words, record->own) &&
	       is_in(words, record->other);
}

/* All or none. */
static int move_records(struct tolds *to, const struct words *words, const struct told *records,
			uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (!is_sound(words, &records[i]))
			return LK_EWIRE;
	for (uint32_t i = 0; i < n; i++)
		move_record(to, words, &records[i]);
	return to->failed ? LK_EMEMORY : 0;
}

static int row_unpack(const struct row_head *head, const uint8_t *from, const uint8_t *end,
		      struct tolds *out)
{
	void *records;
	int rc = head->magic == ROW_MAGIC
			 ? records_unpack(&from, end, head->n, sizeof(struct told), &records)
			 : LK_EWIRE;
	if (rc < 0)
		return rc;
	struct words words = { .at = (char *)(uintptr_t)from, .len = head->words };
	rc = head->words == (size_t)(end - from) ? move_records(out, &words, records, head->n)
						 : LK_EWIRE;
	free(records);
	return rc;
}

int tolds_unpack(const void *row, size_t len, struct tolds *out, struct lk_error *err)
{
	struct row_head head;
	if (len < sizeof(head))
		return lk_fail(err, LK_EWIRE, "row of what was told is too short: %zu bytes", len);
	memcpy(&head, row, sizeof(head));
	const uint8_t *from = row;
	int rc = row_unpack(&head, from + sizeof(head), from + len, out);
	if (rc == LK_EMEMORY)
		return lk_fail(err, rc, "no memory for %u told notices", head.n);
	if (rc < 0)
		return lk_fail(err, rc, "row of what was told is not of this layout");
	out->settled = (struct settled){ head.scene, head.wake, head.moments };
	return 0;
}
