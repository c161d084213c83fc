/* compare.h - what follows now against what was told: the difference is what workers hear. Pure.
 */
#ifndef LINKAGES_ENGINE_COMPARE_H
#define LINKAGES_ENGINE_COMPARE_H

#include "wording.h"

struct telling {
	const struct candidate *candidate; /* new, updated; NULL where nothing is derived */
	uint32_t told;                     /* index of the record, already brought up to date */
	int state;                         /* lk_notice_state */
	int reason;                        /* lk_withdrawal, or -1 */
	enum repeat repeat;
	bool is_ended;                     /* crossover.ended: made here, of a crossover.found taken back */
	struct told as;                    /* the record at this telling: it may be told on to another worker at once */
};

struct outcome {
	struct telling *at;
	uint32_t n, room; /* room may be LENT by the caller */
	bool failed; /* memory ran out: void */
};

/* Which notices a comparison is about: those that follow from the state, or notice.unanswered, which
 * follows from tellings and is compared after everything else has been told. */
enum scope { SCOPE_STATE, SCOPE_ANSWERS };

/* Holds d's candidates against told, which belongs to the same family; updates told, appends tellings
 * to out: withdrawals first, so that nobody reads two truths at once. */
void compare(struct tolds *told, const struct derivation *d, enum scope scope, struct outcome *out);
void outcome_free(struct outcome *out);

#endif
