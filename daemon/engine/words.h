/* words.h - a pool of texts that records name by place and length, so that records stay plain and
 * pack as they are. */
#ifndef LINKAGES_ENGINE_WORDS_H
#define LINKAGES_ENGINE_WORDS_H

#include <linkages/base.h>

#define NONE UINT32_MAX

/* Marks room that lies in a block which somebody else gives back: as an unpacked row has it. */
#define LENT ((uint32_t)1 << 31)
static inline bool is_own_room(uint32_t room)
{
	return room > 0 && (room & LENT) == 0;
}

/* A piece of the pool; at == NONE: absent. */
struct word {
	uint32_t at, len;
};
#define NO_WORD ((struct word){ NONE, 0 })

struct words {
	char *at;
	uint32_t len, room; /* may be LENT */
	bool failed; /* memory ran out */
};

/* Text of a word; valid until the next word is added. */
struct lk_text words_text(const struct words *w, struct word word);
bool words_say(const struct words *w, struct word word, struct lk_text text);
/* The word for a text, added if it is not there; NO_WORD for an absent text, and, with `failed`
 * set, where memory ran out. The text may not lie in the pool itself. */
struct word words_add(struct words *w, struct lk_text text);

/* The same for a text that nobody has said before, and nobody looks for: the id of an event. */
struct word words_append(struct words *w, struct lk_text text);

/* Room for one more record of `size` in a vector, a quarter more each time: the vector's new place, or NULL (nothing changed). One whose
 * room is lent, and full, is copied out. */
void *vector_grown(void *at, uint32_t n, uint32_t *room, size_t size) LK_MUST_CHECK;
/* Records of a packed row: each as what differs from the record before the last one, in words of four bytes, so that a
 * long history of like records is short. Sizes are multiples of four, up to RECORD_MAX. */
#define RECORD_MAX 252
void records_pack(struct lk_bytes *out, const void *at, uint32_t n, size_t size);
/* The same from the record `first` on: behind what records_pack() gives for those before it. */
void records_pack_more(struct lk_bytes *out, const void *at, uint32_t first, uint32_t n, size_t size);
/* The next n records, moving *from behind them; out has room for them. False: the row ends before they do. */
bool records_unpack(const uint8_t **from, const uint8_t *end, uint32_t n, size_t size, void *out) LK_MUST_CHECK;
/* Bytes of a block that n records take, so that the next may begin behind them. */
static inline size_t records_space(uint32_t n, size_t size)
{
	return (n * size + 7) & ~(size_t)7;
}

#endif
