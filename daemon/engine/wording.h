/* wording.h - what a notice says, made of a candidate or of the last telling. Pure.
 */
#ifndef LINKAGES_ENGINE_WORDING_H
#define LINKAGES_ENGINE_WORDING_H

#include "derive.h"

/* What a withdrawal may repeat of what was told. */
enum repeat {
	REPEAT_ALL,
	REPEAT_NO_CONTENT, /* the family's consent does not cover it any more */
	REPEAT_OWN,        /* nothing of the other side: no link leads there any more */
	REPEAT_OWN_MEETING, /* the same of a meeting that is the reader's own side's */
};

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
