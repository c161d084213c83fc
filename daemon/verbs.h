/* verbs.h - what the control lane can be asked, as one list; and what the files of its verbs share. One thread. */
#ifndef LINKAGES_VERBS_H
#define LINKAGES_VERBS_H

#include "control.h"

struct daemon;

/* Every verb: V(name, the role that it asks for, who answers). What each is asked and answers with is described in
 * tests/tools/schemas_verbs.c, of which schemas/verbs/ is made. */
#define DAEMON_VERBS(V) \
	V("status", OPERATOR, verb_status) \
	V("sources", OPERATOR, verb_sources) \
	V("sessions", OPERATOR, verb_sessions) \
	V("workers", OPERATOR, verb_workers) \
	V("family", AUDITOR, verb_family) \
	V("why", AUDITOR, verb_why) \
	V("why-not", AUDITOR, verb_why_not) \
	V("plan", AUDITOR, verb_plan) \
	V("policy-check", OPERATOR, verb_policy_check) \
	V("dead-letters", OPERATOR, verb_dead_letters) \
	V("dead-letters-read", AUDITOR, verb_dead_letters_read) \
	V("dead-letter-resubmit", AUDITOR, verb_dead_letter_resubmit) \
	V("ledger-verify", OPERATOR, verb_ledger_verify) \
	V("scrub", OPERATOR, verb_scrub) \
	V("expunge", AUDITOR, verb_expunge) \
	V("vacuum", AUDITOR, verb_vacuum) \
	V("hold", AUDITOR, verb_hold) \
	V("release", AUDITOR, verb_release) \
	V("holds", AUDITOR, verb_holds) \
	V("rebuild", OPERATOR, verb_rebuild) \
	V("prune", OPERATOR, verb_prune) \
	V("export", AUDITOR, verb_export) \
	V("backup", OPERATOR, verb_backup) \
	V("backup-verified", OPERATOR, verb_backup_verified) \
	V("backup-forget", OPERATOR, verb_backup_forget) \
	V("backups", OPERATOR, verb_backups) \
	V("clock", OPERATOR, verb_clock) \
	V("clock-accept", OPERATOR, verb_clock_accept) \
	V("reload", OPERATOR, verb_reload) \
	V("stop", OPERATOR, verb_stop)

/* As struct control_verb has it: each answers, or refuses, at once or, where it is a long work (jobs.h), when that is done. The
 * context is the daemon. Auditors' verbs write their purpose to the ledger before they show or change anything.
 *
 * In verbs_case.c: family, why, why-not, plan, export. In verbs_letters.c: dead letters. In verbs_keep.c: what keeps the store:
 * ledger-verify, scrub, rebuild, prune, backups. In verbs_expunge.c: expunge, vacuum, and holds. In verbs_service.c: sources,
 * sessions, workers. In verbs.c: the rest. */
#define DAEMON_VERB(name, role, verb) \
	void verb(void *context, struct control *control, const struct control_asker *asker, \
		  struct lk_span args);
DAEMON_VERBS(DAEMON_VERB)
#undef DAEMON_VERB

/* The purpose among the arguments, with what is asked in a few words, into the ledger, on disk. LK_EREFUSED: there is
 * none. */
int verb_purpose(struct daemon *daemon, const struct control_asker *asker, struct lk_span args,
		 const char *about, struct lk_error *err) LK_MUST_CHECK;

/* The case among the arguments; borrows from them. LK_EREFUSED: there is none. */
struct case_key;
int verb_case(struct lk_span args, struct case_key *key, struct lk_error *err) LK_MUST_CHECK;

/* A key and a value; LK_NO_INSTANT gives nil. */
void verb_put_instant(struct lk_bytes *out, const char *key, lk_instant at);

/* `head`: a head of the ledger as NUMBER:CHAIN. */
struct ledger_head;
void verb_put_head(struct lk_bytes *out, const struct ledger_head *head);

/* A list that may be too long for one message: {name: [rows]}, as many parts as it takes. Starts with its first three
 * members; ends with verb_rows_end() or verb_rows_fail(), which give its memory back. */
struct verb_rows {
	struct control *control;
	const struct control_asker *asker;
	const char *name;
	struct lk_bytes rows;
	uint32_t n;
};
/* Before a row; its members are then written to `rows`. */
void verb_row_begin(struct verb_rows *t, uint32_t members);
void verb_rows_end(struct verb_rows *t);
void verb_rows_fail(struct verb_rows *t, const struct lk_error *err);

/* Refuses with the code and the sentence of a fault. */
void verb_fail(struct control *control, const struct control_asker *asker,
	       const struct lk_error *err);

#endif
