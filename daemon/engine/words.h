/* words.h - a pool of texts that records name by place and length, so that records stay plain and
 * pack as they are. */
#ifndef LINKAGES_ENGINE_WORDS_H
#define LINKAGES_ENGINE_WORDS_H

#include <linkages/base.h>

#define NONE UINT32_MAX

/* A piece of the pool; at == NONE: absent. */
struct word {
	uint32_t at, len;
};
#define NO_WORD ((struct word){ NONE, 0 })

struct words {
	char *at;
	uint32_t len, room;
	bool failed; /* memory ran out */
};

/* Text of a word; valid until the next word is added. */
struct lk_text words_text(const struct words *w, struct word word);
bool words_say(const struct words *w, struct word word, struct lk_text text);
/* The word for a text, added if it is not there; NO_WORD for an absent text, and, with `failed`
 * set, where memory ran out. The text may not lie in the pool itself. */
struct word words_add(struct words *w, struct lk_text text);

/* Room for one more record of `size` in a vector, doubling: the vector's new place, or NULL
 * (nothing changed). */
void *vector_grown(void *at, uint32_t n, uint32_t *room, size_t size) LK_MUST_CHECK;
/* A copy of the next n records of a packed row, moving *from behind them; NULL where memory ran
 * out. */
void *vector_copied(const uint8_t **from, uint32_t n, size_t size) LK_MUST_CHECK;

#endif
