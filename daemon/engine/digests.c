/* digests.c - an index of a list by a digest.
 *
 * In: digests, in the order of the list. Out: the places where one may be. Promise: what was added is found; of places
 * with other digests about one is offered for each that is right.
 */
#include "digests.h"

#include <stdlib.h>
#include <string.h>

#define ROOM_FIRST 32

void digests_free(struct digests *x)
{
	free(x->first);
	memset(x, 0, sizeof(*x));
}

static void chain(struct digests *x, uint32_t place, uint32_t hash)
{
	uint32_t *first = &x->first[hash & (x->room - 1)];
	x->hash[place] = hash;
	x->next[place] = *first;
	*first = place;
}

/* As many chains as places: a power of two. */
static bool widen(struct digests *x)
{
	struct digests wider = { .n = x->n, .room = x->room == 0 ? ROOM_FIRST : 2 * x->room };
	wider.first = malloc((size_t)wider.room * 3 * sizeof(uint32_t));
	if (wider.first == NULL)
		return false;
	wider.next = wider.first + wider.room;
	wider.hash = wider.next + wider.room;
	memset(wider.first, 0xff, wider.room * sizeof(uint32_t)); /* NONE */
	for (uint32_t i = 0; i < x->n; i++)
		chain(&wider, i, x->hash[i]);
	free(x->first);
	*x = wider;
	return true;
}

/* Digests are as good as chance: any bits will do. */
bool digests_add(struct digests *x, uint64_t digest)
{
	if (x->n == x->room && !widen(x))
		return false;
	chain(x, x->n, (uint32_t)digest);
	x->n++;
	return true;
}

uint32_t digests_first(const struct digests *x, uint64_t digest)
{
	return x->n == 0 ? NONE : x->first[(uint32_t)digest & (x->room - 1)];
}

uint32_t digests_next(const struct digests *x, uint32_t place)
{
	return x->next[place];
}
