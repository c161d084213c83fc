/* turn_print.h - how the turn's answers to questions are written: values of a family as MessagePack, that clients print.
 */
#ifndef LINKAGES_TURN_PRINT_H
#define LINKAGES_TURN_PRINT_H

#include "turn_parts.h"

struct print {
	const struct zone *zone;
	const struct family *f; /* whose words are meant; may be NULL where none are */
	struct lk_bytes *out;
};

/* A member of a map: its key, and a value. Nil stands for what is absent. */
void put_key(const struct print *p, const char *key);
void put_word(const struct print *p, const char *key, struct word w);
void put_text(const struct print *p, const char *key, struct lk_text text);
void put_code(const struct print *p, const char *key, const char *word); /* NULL: nil */
void put_int(const struct print *p, const char *key, int64_t value);
void put_instant(const struct print *p, const char *key, lk_instant at);
void put_date(const struct print *p, const char *key, lk_date date);
void put_flag(const struct print *p, const char *key, bool flag);
void put_digest(const struct print *p, const char *key, const uint8_t digest[LK_DIGEST]);
void put_case(const struct print *p, const char *key, uint32_t kase); /* its number; NONE: nil */

/* What holds an event back from a worker, besides the engine's bars (BARS in engine/trace.h): H(enumerator, word, sentence) */
#define HELDS(H) \
	H(HELD_TOLD, "told", "the worker has been told") \
	H(HELD_TOLD_BEFORE, "told_before", "the worker was told, and it was withdrawn since") \
	H(HELD_ELSEWHERE, "elsewhere", "the worker has it by another place already") \
	H(HELD_HOLDER_THEN, "holder_then", \
	  "it was told to who held the place then, and is not told twice") \
	H(HELD_OTHERS, "others", "the places that it goes to are held by others") \
	H(HELD_NO_PLACE, "no_place", "the worker holds no place in this family") \
	H(HELD_NOT_YET, "not_yet", "it will be told at its time, if nothing else happens") \
	H(HELD_NOT_SO, "not_so", "its condition does not hold, or what happened changed nothing") \
	H(HELD_SUPERSEDED, "superseded", "a later event has taken it back") \
	H(HELD_UNDONE, "undone", "a later word on the pair has undone the link") \
	H(HELD_AHEAD, "ahead", "its time has not come: it is kept until then") \
	H(HELD_NOT_OPEN, "not_open", "its case has not been opened yet: it is kept until then")

#define EVENT_NAME 340 /* bytes, NUL included: a source of 64, an id of 64 characters of up to four bytes */
/* 'SOURCE/ID', as notices name events. */
void event_name(struct lk_text source, struct lk_text id, char out[EVENT_NAME]);

/* A list that is counted when it is done: items are written to `items`, n counts them. Starts as zeroes. */
struct listing {
	struct lk_bytes items;
	uint32_t n;
};
/* The same words, written to the list's next item. */
struct print listing_item(const struct print *p, struct listing *list);
/* As a member of a map; the list's memory is given back. */
void put_listing(const struct print *p, const char *key, struct listing *list);

#endif
