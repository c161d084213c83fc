/* place.h - who is at a place: between fact.c, which tells facts, and place.c, which knows where workers sit.
 */
#ifndef LINKAGES_ENGINE_PLACE_H
#define LINKAGES_ENGINE_PLACE_H

#include "derive.h"

struct recipient {
	struct lk_text worker;
	int side;
	uint32_t own; /* case of that side; NONE */
	enum slot slot;
	bool named;  /* a place of its own for each person: the worker is part of a moment's id */
	bool vacant; /* nobody is there any more: the worker is who was when it happened */
};

/* Gives everyone whom the fact finds at the place, one by one. */
void place_ask(const struct derivation *d, const struct fact *fact, enum slot slot,
	       void (*hear)(void *context, const struct recipient *who), void *context);

#endif
