/* policy.h - two rules; a third has none. */
#define POLICY_RULES(R) \
	R(LK_STATUS_CHANGED, MOMENT, TOLD_TO, LK_CONTENT, LK_TOPIC_STATUS, LK_PROMPT, false, \
	  "ACIN") \
	R(LK_VISIT_DUE, STANDING, POLICY_BIT(SLOT_CWS_LEAD), LK_OWN, NO_TOPIC, LK_PROMPT, \
	  false, "HB")
