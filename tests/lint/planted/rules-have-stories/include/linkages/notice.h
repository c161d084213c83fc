/* notice.h - three kinds, for the gate to look at. */
#define LK_NOTICE_KINDS(C) \
	C(LK_STATUS_CHANGED, "status.changed") C(LK_VISIT_DUE, "visit.due") C(LK_FORGOTTEN, "rule.forgotten")
