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
	if (w->len + more <= (w->room & ~LENT))
		return true;
	bool own = is_own_room(w->room);
	uint32_t room = own ? w->room : 256;
	while (room < w->len + more)
		room *= 2;
	char *wider = realloc(own ? w->at : NULL, room);
	if (wider == NULL)
		return false;
	if (!own && w->len > 0)
		memcpy(wider, w->at, w->len);
	w->at = wider;
	w->room = room;
	return true;
}

struct word words_append(struct words *w, struct lk_text text)
{
	if (text.at == NULL)
		return NO_WORD;
	struct word word = { w->len, text.len };
	if (!pool_reserve(w, text.len)) {
		w->failed = true;
		return NO_WORD;
	}
	if (text.len > 0)
		memcpy(w->at + w->len, text.at, text.len);
	w->len += text.len;
	return word;
}

struct word words_add(struct words *w, struct lk_text text)
{
	struct word word = { 0, text.len };
	return pool_find(w, text, &word.at) ? word : words_append(w, text);
}

void *vector_grown(void *at, uint32_t n, uint32_t *room, size_t size)
{
	if (n < (*room & ~LENT))
		return at;
	bool own = is_own_room(*room);
	uint32_t more = n + n / 4 + 4;
	void *wider = realloc(own ? at : NULL, more * size);
	if (wider == NULL)
		return NULL;
	if (!own && n > 0)
		memcpy(wider, at, n * size);
	*room = more;
	return wider;
}

/* ---- Packed records --------------------------------------------------------------------------- *
 * A mask of the words that differ from the record before the last, then those words: what is told
 * goes to one side and to the other in turn. The first two differ from zeroes. */

#define WORD sizeof(uint32_t)
#define WORDS_MAX (RECORD_MAX / WORD)

static uint32_t word_at(const uint8_t *at)
{
	uint32_t word;
	memcpy(&word, at, WORD);
	return word;
}

/* A bit for each word of a record. */
static size_t mask_len(size_t size)
{
	return (size / WORD + 7) / 8;
}

/* One record as it is written: the mask, which ends where the words begin. */
#define MASK_MAX sizeof(uint64_t)
union packed {
	uint8_t bytes[MASK_MAX + RECORD_MAX];
	uint32_t words[MASK_MAX / WORD + WORDS_MAX];
};

static void record_pack(struct lk_bytes *out, const uint8_t *record, const uint8_t *from,
			size_t size, union packed *p)
{
	uint64_t mask = 0;
	size_t len = mask_len(size), n = MASK_MAX / WORD;
	for (size_t i = 0; i < size / WORD; i++) {
		uint32_t word = word_at(record + i * WORD);
		if (word == word_at(from + i * WORD))
			continue;
		mask |= UINT64_C(1) << i;
		p->words[n++] = word;
	}
	for (size_t i = 0; i < len; i++)
		p->bytes[MASK_MAX - len + i] = (uint8_t)(mask >> 8 * i);
	lk_bytes_add(out, p->bytes + MASK_MAX - len, n * WORD - (MASK_MAX - len));
}

static void pack_all(struct lk_bytes *out, const uint8_t *at, uint32_t first, uint32_t n,
		     size_t size)
{
	static const uint8_t nothing[RECORD_MAX];
	union packed room;
	at += first * size;
	for (uint32_t i = first; i < n; i++, at += size)
		record_pack(out, at, i > 1 ? at - 2 * size : nothing, size, &room);
}

void records_pack_more(struct lk_bytes *out, const void *at, uint32_t first, uint32_t n,
		       size_t size)
{
	if (first < n) /* most vectors of most families are empty */
		pack_all(out, at, first, n, size);
}

void records_pack(struct lk_bytes *out, const void *at, uint32_t n, size_t size)
{
	records_pack_more(out, at, 0, n, size);
}

/* Over what the record before the last one was. */
static bool record_unpack(const uint8_t **from, const uint8_t *end, uint32_t *record, size_t size)
{
	uint64_t mask = 0;
	size_t len = mask_len(size);
	if ((size_t)(end - *from) < len)
		return false;
	for (size_t i = 0; i < len; i++)
		mask |= (uint64_t)(*from)[i] << 8 * i;
	*from += len;
	if (mask >> size / WORD != 0 ||
	    (size_t)(end - *from) < (size_t)__builtin_popcountll(mask) * WORD)
		return false;
	for (; mask != 0; mask &= mask - 1, *from += WORD)
		record[__builtin_ctzll(mask)] = word_at(*from);
	return true;
}

static bool unpack_all(const uint8_t **from, const uint8_t *end, uint32_t n, size_t size,
		       uint8_t *out)
{
	uint32_t last[2][WORDS_MAX] = { { 0 } };
	for (uint32_t i = 0; i < n; i++, out += size) {
		if (!record_unpack(from, end, last[i % 2], size))
			return false;
		memcpy(out, last[i % 2], size);
	}
	return true;
}

bool records_unpack(const uint8_t **from, const uint8_t *end, uint32_t n, size_t size, void *out)
{
	return n == 0 || unpack_all(from, end, n, size, out);
}
