/* verbs.h - the verbs that show case content (verbs_case.c) and those that keep the store (verbs_keep.c), for the table in
 * verbs.c; and how any verb fails. */
#ifndef LINKAGES_VERBS_H
#define LINKAGES_VERBS_H

#include "control.h"

struct daemon;

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
