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
const char *slot_word(int slot); /* a place, as the policy names it; -1: NULL */

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
