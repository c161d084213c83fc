/* compare.h - what follows now against what was told: the difference is what workers hear. Pure.
 */
#ifndef LINKAGES_ENGINE_COMPARE_H
#define LINKAGES_ENGINE_COMPARE_H

#include "derive.h"

/* What a withdrawal may repeat of what was told. */
enum repeat {
	REPEAT_ALL,
	REPEAT_NO_CONTENT, /* the family's consent does not cover it any more */
	REPEAT_OWN,        /* nothing of the other side: no link leads there any more */
	REPEAT_OWN_MEETING, /* the same of a meeting that is the reader's own side's */
};

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
	uint32_t n, room;
	bool failed; /* memory ran out: void */
};

/* Which notices a comparison is about: those that follow from the state, or notice.unanswered, which
 * follows from tellings and is compared after everything else has been told. */
enum scope { SCOPE_STATE, SCOPE_ANSWERS };

/* Holds d's candidates against told, which belongs to the same family; updates told, appends tellings
 * to out: withdrawals first, so that nobody reads two truths at once. */
void compare(struct tolds *told, const struct derivation *d, enum scope scope, struct outcome *out);
void outcome_free(struct outcome *out);

/* Room for the texts of one notice that stand nowhere else. */
struct notice_room {
	char events[LK_BECAUSE_MAX][340];
};
/* The notice of a candidate, without id, rev, state and at. Texts live as long as family, policy
 * and room; where room is NULL, no events are named. */
void notice_of(const struct derivation *d, const struct candidate *c, struct notice_room *room, struct lk_notice *out);
/* The notice that says an undone link's crossover.found is no more. */
void notice_of_ended(const struct policy *p, const struct tolds *told, const struct told *record, struct lk_notice *out);
/* Turns the last telling into its withdrawal: state, reason, and only what may be repeated. */
void notice_withdraw(struct lk_notice *notice, int reason, enum repeat repeat);

#endif
