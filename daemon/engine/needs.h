/* needs.h - meetings that a family needs: domain.md, section 5.1. Shared by the rules that ask for
 * a meeting, those that say it is overdue, and those that look for another time for it.
 */
#ifndef LINKAGES_ENGINE_NEEDS_H
#define LINKAGES_ENGINE_NEEDS_H

#include "derive.h"

struct need {
	int kind;           /* lk_meeting_kind */
	unsigned met_by;    /* bits of lk_meeting_kind */
	const char *key;
	uint32_t kase;      /* NONE: the family's */
	int agency, only;   /* as in struct fact */
	lk_instant trigger_at;
	lk_date due;
	lk_date told_from;  /* LK_NO_DATE: at once */
	unsigned reasons[2];
	uint32_t causes[LK_BECAUSE_MAX];
	uint32_t causes_n;
};

enum met { MET_BY_CALENDAR, MET_BY_HOLDING };

/* Calls visit for each need that is not met so: no such meeting on the calendar, or none held. */
typedef void need_visitor(struct derivation *d, const struct need *need, void *context);
void each_need(struct derivation *d, enum met met, need_visitor *visit, void *context);

/* A need of one case is met by a meeting of that case; a family's by any of the family. */
bool need_concerns(const struct need *need, uint32_t kase);

#endif
