/* again.c - whether families that were in memory are asked for again, and so how much room they get there.
 *
 * In: families that had to be read from their rows, or were made. Out: how much of a shelf of families is to be used. Promise:
 * a store whose families may all have room gives them all of it, and so does one whose families come back while they are
 * remembered here. Where each is asked for once in a long while, more of it would hold nothing that is asked for, and be page
 * faults.
 */
#include "internal.h"

#include <string.h>

#define FEW 32768 /* families: nearly all of so many are remembered, and short ones have room */
#define ONCE 4096 /* in a row that were not remembered: only a third is used */
#define AGAIN 4   /* one that comes back outweighs so many that do not */

static uint32_t *place_of(struct again *a, const uint8_t id[LK_DIGEST])
{
	return &a->seen[(size_t)(id[0] | id[1] << 8) %
			AGAIN_SEEN]; /* ids are digests: any bits will do */
}

void again_came(struct again *a, const struct family_version *v)
{
	uint32_t *seen = place_of(a, v->id), tag;

	memcpy(&tag, v->id + 4, sizeof(tag));
	a->last = v->ref > a->last ? v->ref : a->last;
	if (*seen == tag)
		a->once -= a->once < AGAIN ? a->once : AGAIN;
	else if (a->once < ONCE && a->last > FEW)
		a->once++;
	*seen = tag;
}

size_t again_room(const struct again *a, size_t most)
{
	return most - most / 3 * 2 / ONCE * a->once;
}

bool again_many(const struct again *a)
{
	return a->once < ONCE / 2;
}
