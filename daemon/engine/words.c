/* words.c - the pool of texts, and the growing of plain vectors.
 *
 * In: texts and counts. Out: words and room. Promise: equal additions in equal order give equal
 * bytes.
 */
#include "words.h"

#include <stdlib.h>
#include <string.h>

struct lk_text words_text(const struct words *w, struct word word)
{
	if (word.at == NONE)
		return LK_NO_TEXT;
	return (struct lk_text){ w->at != NULL ? w->at + word.at : "", word.len };
}

bool words_say(const struct words *w, struct word word, struct lk_text text)
{
	return word.at != NONE && text.at != NULL && lk_text_is(words_text(w, word), text);
}

/* Words repeat (a worker, a case number): look before adding. Pools are a few kilobytes at most. */
static bool pool_find(const struct words *w, struct lk_text text, uint32_t *at)
{
	if (text.len == 0)
		return false;
	const char *found = w->len < text.len ? NULL : memmem(w->at, w->len, text.at, text.len);
	if (found == NULL)
		return false;
	*at = (uint32_t)(found - w->at);
	return true;
}

static bool pool_reserve(struct words *w, uint32_t more)
{
	if (w->len + more <= w->room)
		return true;
	uint32_t room = w->room == 0 ? 256 : w->room;
	while (room < w->len + more)
		room *= 2;
	char *wider = realloc(w->at, room);
	if (wider == NULL)
		return false;
	w->at = wider;
	w->room = room;
	return true;
}

struct word words_add(struct words *w, struct lk_text text)
{
	if (text.at == NULL)
		return NO_WORD;
	struct word word = { w->len, text.len };
	if (pool_find(w, text, &word.at))
		return word;
	if (!pool_reserve(w, text.len)) {
		w->failed = true;
		return NO_WORD;
	}
	if (text.len > 0)
		memcpy(w->at + w->len, text.at, text.len);
	w->len += text.len;
	return word;
}

void *vector_grown(void *at, uint32_t n, uint32_t *room, size_t size)
{
	if (n < *room)
		return at;
	uint32_t more = *room == 0 ? 4 : *room * 2;
	void *wider = realloc(at, more * size);
	if (wider != NULL)
		*room = more;
	return wider;
}

/* ---- Packed records --------------------------------------------------------------------------- *
 * A mask of the words that differ from the record before the last, then those words: what is told
 * goes to one side and to the other in turn. The first two differ from zeroes. */

#define WORD sizeof(uint32_t)

static uint32_t word_at(const uint8_t *record, size_t i)
{
	uint32_t word;
	memcpy(&word, record + i, WORD);
	return word;
}

static uint64_t differing(const uint8_t *record, const uint8_t *from, size_t size)
{
	uint64_t mask = 0;
	for (size_t i = 0; i < size; i += WORD)
		mask |= (uint64_t)(word_at(record, i) != word_at(from, i)) << i / WORD;
	return mask;
}

static void record_pack(struct lk_bytes *out, const uint8_t *record, uint64_t mask)
{
	uint8_t packed[sizeof(mask) + RECORD_MAX];
	size_t len = sizeof(mask);
	memcpy(packed, &mask, sizeof(mask));
	for (; mask != 0; mask &= mask - 1, len += WORD)
		memcpy(packed + len, record + (size_t)__builtin_ctzll(mask) * WORD, WORD);
	lk_bytes_add(out, packed, len);
}

void records_pack(struct lk_bytes *out, const void *at, uint32_t n, size_t size)
{
	static const uint8_t nothing[RECORD_MAX];
	for (uint32_t i = 0; i < n; i++) {
		const uint8_t *record = (const uint8_t *)at + i * size;
		const uint8_t *from = i > 1 ? record - 2 * size : nothing;
		record_pack(out, record, differing(record, from, size));
	}
}

static bool record_unpack(const uint8_t **from, const uint8_t *end, uint8_t *record, uint32_t i,
			  size_t size)
{
	uint64_t mask;
	if ((size_t)(end - *from) < sizeof(mask))
		return false;
	memcpy(&mask, *from, sizeof(mask));
	*from += sizeof(mask);
	if (mask >> size / WORD != 0 ||
	    (size_t)(end - *from) < (size_t)__builtin_popcountll(mask) * WORD)
		return false;
	if (i > 1)
		memcpy(record, record - 2 * size, size);
	for (; mask != 0; mask &= mask - 1, *from += WORD)
		memcpy(record + (size_t)__builtin_ctzll(mask) * WORD, *from, WORD);
	return true;
}

int records_unpack(const uint8_t **from, const uint8_t *end, uint32_t n, size_t size, void **out)
{
	*out = NULL;
	if (n == 0)
		return 0;
	if (n > (size_t)(end - *from) / sizeof(uint64_t))
		return LK_EWIRE;
	uint8_t *records = calloc(n, size);
	if (records == NULL)
		return LK_EMEMORY;
	for (uint32_t i = 0; i < n; i++) {
		if (!record_unpack(from, end, records + i * size, i, size)) {
			free(records);
			return LK_EWIRE;
		}
	}
	*out = records;
	return 0;
}
