/* verbs.h - three rows, of which the page knows one, and of which one has no schema. */
#define DAEMON_VERBS(V) \
	V("status", OPERATOR, verb_status) \
	V("new-verb", OPERATOR, verb_new) \
	V("family", AUDITOR, verb_family)
