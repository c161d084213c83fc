/* verbs.h - the verbs that show case content (verbs_case.c) and those that keep the store (verbs_keep.c), for the table in
 * verbs.c; and how any verb fails. */
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

/* As struct control_verb has it. Each asks for a `purpose`, which stands in the ledger before anything is shown. */
void verb_family(void *context, struct control *control, const struct control_asker *asker,
		 struct lk_span args);
void verb_why(void *context, struct control *control, const struct control_asker *asker,
	      struct lk_span args);
void verb_why_not(void *context, struct control *control, const struct control_asker *asker,
		  struct lk_span args);
void verb_plan(void *context, struct control *control, const struct control_asker *asker,
	       struct lk_span args);

/* Long works, answered when they are done: jobs.h. */
void verb_ledger_verify(void *context, struct control *control, const struct control_asker *asker,
			struct lk_span args);
void verb_scrub(void *context, struct control *control, const struct control_asker *asker,
		struct lk_span args);
void verb_rebuild(void *context, struct control *control, const struct control_asker *asker,
		  struct lk_span args);
void verb_prune(void *context, struct control *control, const struct control_asker *asker,
		struct lk_span args);
void verb_backup(void *context, struct control *control, const struct control_asker *asker,
		 struct lk_span args);
/* Said by the tool, once it has moved the copy and proved it sound. */
void verb_backup_verified(void *context, struct control *control, const struct control_asker *asker,
			  struct lk_span args);
void verb_backup_forget(void *context, struct control *control, const struct control_asker *asker,
			struct lk_span args);
void verb_backups(void *context, struct control *control, const struct control_asker *asker,
		  struct lk_span args);

/* verbs_expunge.c. A long work; one that nobody else gets a word in; and holds. */
void verb_expunge(void *context, struct control *control, const struct control_asker *asker,
		  struct lk_span args);
void verb_vacuum(void *context, struct control *control, const struct control_asker *asker,
		 struct lk_span args);
void verb_hold(void *context, struct control *control, const struct control_asker *asker,
	       struct lk_span args);
void verb_release(void *context, struct control *control, const struct control_asker *asker,
		  struct lk_span args);
void verb_holds(void *context, struct control *control, const struct control_asker *asker,
		struct lk_span args);

/* The purpose of an export of state.db goes to the ledger; the tool reads the file itself. */
void verb_export(void *context, struct control *control, const struct control_asker *asker,
		 struct lk_span args);

/* Dead letters: verbs_letters.c. The list shows ids and reasons; reading and submitting again are for auditors. */
void verb_dead_letters(void *context, struct control *control, const struct control_asker *asker,
		       struct lk_span args);
void verb_dead_letters_read(void *context, struct control *control,
			    const struct control_asker *asker, struct lk_span args);
void verb_dead_letter_resubmit(void *context, struct control *control,
			       const struct control_asker *asker, struct lk_span args);

/* The purpose among the arguments, with what is asked in a few words, into the ledger, on disk. LK_EREFUSED: there is
 * none. */
int verb_purpose(struct daemon *daemon, const struct control_asker *asker, struct lk_span args,
		 const char *about, struct lk_error *err) LK_MUST_CHECK;

/* A key and a value; LK_NO_INSTANT gives nil. */
void verb_put_instant(struct lk_bytes *out, const char *key, lk_instant at);
void verb_put_number(struct lk_bytes *out, const char *key, int64_t value);

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

/* verbs_service.c: who is there, what waits. */
void verb_sources(void *context, struct control *control, const struct control_asker *asker,
		  struct lk_span args);
void verb_sessions(void *context, struct control *control, const struct control_asker *asker,
		   struct lk_span args);
void verb_workers(void *context, struct control *control, const struct control_asker *asker,
		  struct lk_span args);

/* Refuses with the code and the sentence of a fault. */
void verb_fail(struct control *control, const struct control_asker *asker,
	       const struct lk_error *err);

#endif
