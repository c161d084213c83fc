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

#define ROW_MAGIC 0x37544b4cu /* "LKT7" */
#define SPARE_RECORDS 4       /* left free behind what is unpacked: two events for two sides */
#define FEW 8                 /* so many are looked through sooner than an index of them is made */
#define STAYS 4 /* records, where the others are left to the row: the next are packed on them */

static_assert(sizeof(struct told) == 120 && sizeof(struct told) <= RECORD_MAX,
	      "written to disk: a change of layout needs a migration and a new magic");
static_assert(STAYS >= 2, "a record is packed on the one before the last");

struct row_head {
	uint32_t magic, n, words, moments;
	uint64_t scene;
	lk_instant wake;
};

void tolds_free(struct tolds *t)
{
	if (t == NULL)
		return;
	if (is_own_room(t->words.room))
		free(t->words.at);
	if (is_own_room(t->room))
		free((void *)t->at);
	free(t->block);
	free(t->tags);
	digests_free(&t->causes);
	memset(t, 0, sizeof(*t));
}

size_t tolds_bytes(const struct tolds *t)
{
	return t->block_len + (is_own_room(t->words.room) ? t->words.room : 0) +
	       (is_own_room(t->room) ? t->room * sizeof(struct told) : 0) +
	       t->away * sizeof(*t->tags) + 3 * (size_t)t->causes.room * sizeof(uint32_t);
}

struct told *tolds_change(struct tolds *t, const struct told *record)
{
	uint32_t place = t->away + (uint32_t)(record - t->at);
	if (place < t->same)
		t->same = place;
	return (struct told *)record;
}

const struct told *tolds_find(const struct tolds *t, const uint8_t id[LK_DIGEST])
{
	for (uint32_t i = t->n; i > 0; i--) /* who asks has mostly been told it just now */
		if (memcmp(t->at[i - 1].id, id, LK_DIGEST) == 0)
			return &t->at[i - 1];
	return NULL;
}

/* Those that came since it was asked last are known by their causes from now on. */
static bool know_causes(struct tolds *t)
{
	while (t->causes.n < t->n)
		if (!digests_add(&t->causes, t->at[t->causes.n].cause))
			return false;
	return true;
}

static uint32_t same_cause(const struct tolds *t, uint32_t place, uint64_t cause)
{
	while (place != NONE && t->at[place].cause != cause)
		place = digests_next(&t->causes, place);
	return place;
}

/* The last of that cause before a place. */
static uint32_t few_of(const struct tolds *t, uint32_t place, uint64_t cause)
{
	while (place-- > 0)
		if (t->at[place].cause == cause)
			return place;
	return NONE;
}

uint32_t tolds_of(struct tolds *t, uint64_t cause)
{
	if (t->n <= FEW && t->causes.n == 0)
		return few_of(t, t->n, cause);
	if (!know_causes(t)) {
		t->failed = true;
		return NONE;
	}
	return same_cause(t, digests_first(&t->causes, cause), cause);
}

uint32_t tolds_after(const struct tolds *t, uint32_t place)
{
	uint64_t cause = t->at[place].cause;
	return t->causes.n == 0 ? few_of(t, place, cause)
				: same_cause(t, digests_next(&t->causes, place), cause);
}

static size_t words_space(const struct words *words)
{
	return ((size_t)words->len + 7) & ~(size_t)7;
}

/* The records have left it: what they had is given back, and all of it where there are no words in it. */
static void block_shrink(struct tolds *t)
{
	bool has_words = t->words.len > 0 && !is_own_room(t->words.room);
	size_t space = has_words ? words_space(&t->words) : 0;
	void *less = has_words ? realloc(t->block, space) : NULL;
	if (has_words && less == NULL)
		return;
	if (!has_words)
		free(t->block);
	if (!is_own_room(t->words.room))
		t->words.at = less;
	t->block = less;
	t->block_len = space;
}

struct told *tolds_add(struct tolds *t)
{
	static struct told scratch;
	bool lent = t->block != NULL && !is_own_room(t->room);
	struct told *wider = vector_grown((void *)t->at, t->n, &t->room, sizeof(*wider));
	if (wider == NULL) {
		t->failed = true;
		return &scratch;
	}
	t->at = wider;
	if (lent && is_own_room(t->room))
		block_shrink(t);
	memset(&wider[t->n], 0, sizeof(*wider));
	return &wider[t->n++];
}

/* ---- Short in memory -------------------------------------------------------------------------- */

static uint16_t tag_of(uint64_t cause)
{
	return (uint16_t)(cause >> 48); /* a digest: any bits will do */
}

static bool tags_add(struct tolds *t, uint32_t n)
{
	uint16_t *wider = realloc(t->tags, (t->away + n) * sizeof(*wider));
	if (wider == NULL)
		return false;
	t->tags = wider;
	for (uint32_t i = 0; i < n; i++)
		wider[t->away + i] = tag_of(t->at[i].cause);
	return true;
}

/* Into a vector of their own, with room for a few more; what they were in is given back. */
static void records_move(struct tolds *t, struct told *to, uint32_t n)
{
	if (is_own_room(t->room))
		free((void *)t->at);
	else if (t->block != NULL)
		block_shrink(t);
	digests_free(&t->causes);
	t->at = to;
	t->n = n;
	t->room = n + SPARE_RECORDS;
}

static struct told *vector_of(uint32_t n)
{
	return malloc((n + SPARE_RECORDS) * sizeof(struct told));
}

/* For want of memory for less of it, all stays as it is. */
void tolds_leave(struct tolds *t)
{
	uint32_t goes = t->n > STAYS + SPARE_RECORDS / 2 ? t->n - STAYS : 0;
	if (goes == 0 || t->same != t->away + t->n || t->packed != t->same || !tags_add(t, goes))
		return;
	struct told *rest = vector_of(STAYS);
	if (rest == NULL)
		return;
	memcpy(rest, t->at + goes, STAYS * sizeof(*rest));
	records_move(t, rest, STAYS);
	t->away += goes;
}

bool tolds_may_lack(const struct tolds *t, uint64_t cause)
{
	uint16_t tag = tag_of(cause);
	for (uint32_t i = 0; i < t->away; i++)
		if (t->tags[i] == tag)
			return true;
	return false;
}

bool tolds_must_be_whole(const struct tolds *t)
{
	return t->away > 0 && t->same < t->packed;
}

static struct word moved(struct tolds *to, const struct words *from, struct word w)
{
	struct word added = words_add(&to->words, words_text(from, w));
	to->failed |= to->words.failed;
	return added;
}

static struct told record_moved(struct tolds *to, const struct tolds *from,
				const struct told *record)
{
	struct told copy = *record;
	copy.worker = moved(to, &from->words, record->worker);
	copy.own = moved(to, &from->words, record->own);
	copy.other = moved(to, &from->words, record->other);
	return copy;
}

void tolds_move(struct tolds *to, const struct tolds *from, const struct told *record)
{
	const struct told copy = record_moved(to, from, record);
	*tolds_add(to) = copy;
}

void tolds_join(struct tolds *to, const struct tolds *from, const struct told *record)
{
	const struct told *same = tolds_find(to, record->id);
	if (same == NULL)
		tolds_move(to, from, record);
	else if (!same->live && (record->live || record->rev > same->rev))
		*tolds_change(to, same) = record_moved(to, from, record);
}

/* Records that are packed already, before all others: those away, and some that are at hand. */
struct packed {
	const uint8_t *at;
	size_t len;
	uint32_t n;
};

static void pack(const struct tolds *t, struct packed first, struct lk_bytes *out)
{
	struct row_head head = {
		.magic = ROW_MAGIC,
		.n = t->away + t->n,
		.words = t->words.len,
		.moments = t->settled.moments,
		.scene = t->settled.scene,
		.wake = t->settled.wake,
	};
	lk_bytes_add(out, &head, sizeof(head));
	lk_bytes_add(out, first.at, first.len);
	assert(first.n >= t->away);
	records_pack_more(out, t->at, first.n - t->away, t->n, sizeof(*t->at));
	lk_bytes_add(out, t->words.at, t->words.len);
}

void tolds_pack(const struct tolds *t, struct lk_bytes *out)
{
	pack(t, (struct packed){ 0 }, out);
}

/* All of the row's records, or, where one of them is not as it was, none. */
static struct packed packed_before(const struct tolds *t, const uint8_t *was, size_t len)
{
	struct row_head head;
	if (len < sizeof(head))
		return (struct packed){ 0 };
	memcpy(&head, was, sizeof(head));
	if (head.n > t->same || head.words > len - sizeof(head))
		return (struct packed){ 0 };
	return (struct packed){ was + sizeof(head), len - sizeof(head) - head.words, head.n };
}

void tolds_pack_on(struct tolds *t, const void *was, size_t was_len, struct lk_bytes *out)
{
	pack(t, packed_before(t, was, was_len), out);
	t->packed = t->same = t->away + t->n;
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

static bool are_sound(const struct words *words, const struct told *at, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (!is_sound(words, &at[i]))
			return false;
	return true;
}

/* One block for the words and the records, which leave it first. */
static int row_unpack(const struct row_head *head, const uint8_t *from, size_t len,
		      struct tolds *out)
{
	const uint8_t *end = from + len;
	if (head->magic != ROW_MAGIC || head->n > len || head->words > len)
		return LK_EWIRE;
	out->words = (struct words){ .len = head->words, .room = head->words | LENT };
	size_t space = words_space(&out->words);
	out->block_len = space + records_space(head->n + SPARE_RECORDS, sizeof(struct told));
	uint8_t *block = malloc(out->block_len);
	if (block == NULL)
		return LK_EMEMORY;
	out->block = block;
	out->words.at = (char *)block;
	out->at = (struct told *)(void *)(block + space);
	if (!records_unpack(&from, end, head->n, sizeof(struct told), block + space) ||
	    head->words != (size_t)(end - from))
		return LK_EWIRE;
	memcpy(block, from, head->words);
	out->n = head->n;
	out->room = (head->n + SPARE_RECORDS) | LENT;
	out->packed = out->same = head->n;
	out->settled = (struct settled){ head->scene, head->wake, head->moments };
	return are_sound(&out->words, out->at, out->n) ? 0 : LK_EWIRE;
}

int tolds_unpack(const void *row, size_t len, struct tolds *out, struct lk_error *err)
{
	struct row_head head;
	memset(out, 0, sizeof(*out));
	if (len < sizeof(head))
		return lk_fail(err, LK_EWIRE, "row of what was told is too short: %zu bytes", len);
	memcpy(&head, row, sizeof(head));
	int rc = row_unpack(&head, (const uint8_t *)row + sizeof(head), len - sizeof(head), out);
	if (rc == 0)
		return 0;
	free(out->block); /* nothing has room of its own yet */
	memset(out, 0, sizeof(*out));
	return rc == LK_EMEMORY ? lk_fail(err, rc, "no memory for %u told notices", head.n)
				: lk_fail(err, rc, "row of what was told is not of this layout");
}

/* Those away, before those that are at hand. */
static int records_fetch(struct tolds *t, const uint8_t *from, const uint8_t *end)
{
	uint32_t n = t->away + t->n;
	struct told *all = vector_of(n);
	if (all == NULL)
		return LK_EMEMORY;
	if (!records_unpack(&from, end, t->away, sizeof(*all), all) ||
	    !are_sound(&t->words, all, t->away)) {
		free(all);
		return LK_EWIRE;
	}
	memcpy(all + t->away, t->at, t->n * sizeof(*all));
	records_move(t, all, n);
	free(t->tags);
	t->tags = NULL;
	t->away = 0;
	return 0;
}

int tolds_fetch(struct tolds *t, const void *row, size_t len, struct lk_error *err)
{
	struct row_head head = { .magic = 0 };
	if (t->away == 0)
		return 0;
	if (len >= sizeof(head))
		memcpy(&head, row, sizeof(head));
	if (head.magic != ROW_MAGIC || head.n != t->packed)
		return lk_fail(err, LK_EWIRE, "what was told is not in its row");
	int rc = records_fetch(t, (const uint8_t *)row + sizeof(head), (const uint8_t *)row + len);
	return rc == 0 ? 0 : lk_fail(err, rc, "what was told cannot be fetched from its row");
}
