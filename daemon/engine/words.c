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

void *vector_copied(const uint8_t **from, uint32_t n, size_t size)
{
	void *copy = malloc(n * size);
	if (copy != NULL)
		memcpy(copy, *from, n * size);
	*from += n * size;
	return copy;
}
