/* verbs.c - three rows, of which the page knows one. */
const struct control_verb daemon_verbs[] = {
	{ "status", ROLE_OPERATOR, verb_status },
	{ "new-verb", ROLE_OPERATOR, verb_new },
	{ "family", ROLE_AUDITOR, verb_family },
};
