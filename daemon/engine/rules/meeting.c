/* meeting.c - rules that call the team together, and say when it is late.
 *
 * In: needs (needs.c). Out: meeting.needed until such a meeting is on the calendar, meeting.overdue
 * until one was held.
 * Promise: handbook 31-090 III.D-G. A reason is content of the side that caused it; without consent
 * the other side gets the kind and the due date alone.
 */
#include "../needs.h"

#include <string.h>

static void tell_need(struct derivation *d, int kind, const struct need *need)
{
	struct fact fact = fact_of(kind, need->key);
	fact.kase = need->kase;
	fact.agency = need->agency;
	fact.only = need->only;
	fact.due = need->due;
	fact.reasons[0] = need->reasons[0];
	fact.reasons[1] = need->reasons[1];
	fact.about.meeting_kind = need->kind;
	fact.causes_n = need->causes_n;
	memcpy(fact.causes, need->causes, sizeof(fact.causes));
	if (kind == LK_MEETING_NEEDED || absence_holds(d, NONE, &fact))
		fact_tell(d, &fact);
}

static void needed(struct derivation *d, const struct need *need, void *context)
{
	(void)context;
	if (need->told_from == LK_NO_DATE || has_come(d, morning(d, need->told_from)))
		tell_need(d, LK_MEETING_NEEDED, need);
}

static void overdue(struct derivation *d, const struct need *need, void *context)
{
	(void)context;
	if (has_come(d, morning(d, need->due + 1)))
		tell_need(d, LK_MEETING_OVERDUE, need);
}

void rules_meeting(struct derivation *d)
{
	each_need(d, MET_BY_CALENDAR, needed, NULL);
	each_need(d, MET_BY_HOLDING, overdue, NULL);
}
