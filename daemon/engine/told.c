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

#define ROW_MAGIC 0x33544b4cu /* "LKT3" */

static_assert(sizeof(struct told) == 160,
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
	lk_bytes_add(out, t->at, t->n * sizeof(*t->at));
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

int tolds_unpack(const void *row, size_t len, struct tolds *out, struct lk_error *err)
{
	struct row_head head;
	if (len < sizeof(head))
		return lk_fail(err, LK_EWIRE, "row of what was told is too short: %zu bytes", len);
	memcpy(&head, row, sizeof(head));
	size_t records = head.n * sizeof(struct told);
	if (head.magic != ROW_MAGIC || len != sizeof(head) + records + head.words)
		return lk_fail(err, LK_EWIRE, "row of what was told is not of this layout");
	const uint8_t *from = (const uint8_t *)row + sizeof(head);
	struct words words = { .at = (char *)(uintptr_t)(from + records), .len = head.words };
	for (uint32_t i = 0; i < head.n; i++) {
		struct told record;
		memcpy(&record, from + i * sizeof(record), sizeof(record));
		if (!is_sound(&words, &record))
			return lk_fail(err, LK_EWIRE,
				       "row of what was told names texts it has not");
		move_record(out, &words, &record);
	}
	out->settled = (struct settled){ head.scene, head.wake, head.moments };
	return out->failed ? lk_fail(err, LK_EMEMORY, "no memory for %u told notices", head.n) : 0;
}
