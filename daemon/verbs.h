/* verbs.h - the verbs that show case content (verbs_case.c) and those that keep the store (verbs_keep.c), for the table in
 * verbs.c; and how any verb fails. */
#ifndef LINKAGES_VERBS_H
#define LINKAGES_VERBS_H

#include "control.h"

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
void verb_backup(void *context, struct control *control, const struct control_asker *asker,
		 struct lk_span args);
/* Said by the tool, once it has moved the copy and proved it sound. */
void verb_backup_verified(void *context, struct control *control, const struct control_asker *asker,
			  struct lk_span args);
void verb_backup_forget(void *context, struct control *control, const struct control_asker *asker,
			struct lk_span args);
void verb_backups(void *context, struct control *control, const struct control_asker *asker,
		  struct lk_span args);

/* Refuses with the code and the sentence of a fault. */
void verb_fail(struct control *control, const struct control_asker *asker,
	       const struct lk_error *err);

#endif
