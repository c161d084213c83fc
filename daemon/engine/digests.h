/* digests.h - digests of eight bytes, and where one is in a list: chains of places, so that nobody looks through the whole
 * list for it. */
#ifndef LINKAGES_ENGINE_DIGESTS_H
#define LINKAGES_ENGINE_DIGESTS_H

#include "words.h"

#include <string.h>

/* Half of a digest: enough to tell apart what one family says. */
static inline uint64_t digest_start(const uint8_t digest[LK_DIGEST])
{
	uint64_t start;
	memcpy(&start, digest, sizeof(start));
	return start;
}

/* Starts from zeroes. Places are counted from 0, in the order in which their digests are added. */
struct digests {
	uint32_t *first; /* the last place of each chain; with next and hash behind it in one piece */
	uint32_t *next, *hash;
	uint32_t n, room;
};

void digests_free(struct digests *x); /* leaves it empty */
/* The next place has this digest. False: no memory, and nothing changed. */
bool digests_add(struct digests *x, uint64_t digest) LK_MUST_CHECK;
/* A place that may have this digest, and another one after it; NONE: no more. Whoever asks compares. */
uint32_t digests_first(const struct digests *x, uint64_t digest);
uint32_t digests_next(const struct digests *x, uint32_t place);

#endif
