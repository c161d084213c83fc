/* verbs_case.c - questions whose answers show case content: family, why, why-not, plan.
 *
 * In: what is asked, and a purpose. Out: the answer of the turn. Promise: the purpose, with what was asked, stands in the
 * ledger, on disk, before anything is shown.
 */
#include "verbs.h"

#include "daemon.h"

#include <stdio.h>

#define PURPOSE_MAX (200 * 4) /* characters of up to four bytes */
#define ABOUT_MAX 480         /* bytes: two names of 64, an id of 64 characters, a few words */

/* One question: checks its arguments, asks the turn, and says in a few words what it was about. LK_EREFUSED where the
 * arguments are wrong. */
typedef int question(struct daemon *d, struct lk_span args, struct lk_bytes *body,
		     char about[ABOUT_MAX], struct lk_error *err);

static int read_purpose(struct lk_span args, struct lk_text *purpose, struct lk_error *err)
{
	*purpose = lk_as_text(lk_get(args, "purpose"));
	return purpose->len >= 1 && purpose->len <= PURPOSE_MAX
		       ? 0
		       : lk_fail(err, LK_EREFUSED,
				 "purpose: why it is asked, up to 200 characters");
}

int verb_purpose(struct daemon *d, const struct control_asker *asker, struct lk_span args,
		 const char *about, struct lk_error *err)
{
	struct lk_text purpose;
	char basis[PURPOSE_MAX + ABOUT_MAX + 32];
	struct ledger_row row = {
		.at = clock_now(&d->clock),
		.worker = lk_text_of(asker->client),
		.level = LK_CONTENT,
	};
	int rc = read_purpose(args, &purpose, err);

	if (rc < 0)
		return rc;
	row.basis.at = basis;
	row.basis.len = (uint32_t)snprintf(basis, sizeof(basis), "purpose: %.*s (%.*s)",
					   LK_PRINT(purpose), ABOUT_MAX, about);
	if ((rc = store_begin(d->store, err)) < 0)
		return rc;
	rc = store_ledger_add(d->store, &row, err);
	if (rc == 0)
		rc = store_commit(d->store, err);
	if (rc < 0)
		store_rollback(d->store);
	return rc;
}

static void answer(struct daemon *d, struct control *control, const struct control_asker *asker,
		   struct lk_span args, question *ask)
{
	struct lk_text purpose;
	struct lk_bytes body = { 0 };
	struct lk_error err = { 0 };
	char about[ABOUT_MAX];
	int rc = read_purpose(args, &purpose, &err);

	if (rc >= 0)
		rc = ask(d, args, &body, about, &err);
	if (rc >= 0)
		rc = verb_purpose(d, asker, args, about, &err);
	if (rc < 0)
		verb_fail(control, asker, &err);
	else
		control_reply(control, asker, false, &body);
	lk_bytes_free(&body);
}

/* ---- Arguments ---- */

static int read_worker(struct lk_span args, struct lk_text *worker, struct lk_error *err)
{
	*worker = lk_as_text(lk_get(args, "worker"));
	if (worker->len < 1 || worker->len > 64)
		return lk_fail(err, LK_EREFUSED, "worker: a worker's id");
	return 0;
}

/* 'SOURCE/ID': a source has no slash in it, an id may. */
static int read_event(struct lk_span args, struct lk_text *source, struct lk_text *id,
		      struct lk_error *err)
{
	struct lk_text name = lk_as_text(lk_get(args, "event"));
	uint32_t slash = 0;

	while (slash < name.len && name.at[slash] != '/')
		slash++;
	*source = (struct lk_text){ name.at, slash };
	*id = (struct lk_text){ name.at + slash + 1, name.len - slash - 1 };
	if (slash < 1 || slash > 64 || slash + 1 >= name.len || name.len - slash > 257)
		return lk_fail(err, LK_EREFUSED, "event: SOURCE/ID, as notices name it");
	return 0;
}

/* ---- Questions ---- */

static int ask_family(struct daemon *d, struct lk_span args, struct lk_bytes *body,
		      char about[ABOUT_MAX], struct lk_error *err)
{
	struct case_key key;

	if (verb_case(args, &key, err) < 0)
		return LK_EREFUSED;
	(void)snprintf(about, ABOUT_MAX, "%s %.*s", lk_agency_word(key.agency),
		       LK_PRINT(key.number));
	return turn_family(d->turn, key, clock_now(&d->clock), body, err);
}

static int ask_why(struct daemon *d, struct lk_span args, struct lk_bytes *body,
		   char about[ABOUT_MAX], struct lk_error *err)
{
	struct lk_text notice = lk_as_text(lk_get(args, "notice"));

	(void)snprintf(about, ABOUT_MAX, "notice %.*s", notice.len < 33 ? (int)notice.len : 33,
		       notice.at != NULL ? notice.at : "");
	return turn_why(d->turn, notice, clock_now(&d->clock), body, err);
}

static int ask_why_not(struct daemon *d, struct lk_span args, struct lk_bytes *body,
		       char about[ABOUT_MAX], struct lk_error *err)
{
	struct lk_text source, id, worker;

	if (read_event(args, &source, &id, err) < 0 || read_worker(args, &worker, err) < 0)
		return LK_EREFUSED;
	(void)snprintf(about, ABOUT_MAX, "event %.*s/%.*s, worker %.*s", LK_PRINT(source),
		       LK_PRINT(id), LK_PRINT(worker));
	return turn_why_not(d->turn, source, id, worker, clock_now(&d->clock), body, err);
}

static int ask_plan(struct daemon *d, struct lk_span args, struct lk_bytes *body,
		    char about[ABOUT_MAX], struct lk_error *err)
{
	struct case_key key;
	struct lk_text worker;

	if (verb_case(args, &key, err) < 0 || read_worker(args, &worker, err) < 0)
		return LK_EREFUSED;
	(void)snprintf(about, ABOUT_MAX, "plan of %s %.*s for %.*s", lk_agency_word(key.agency),
		       LK_PRINT(key.number), LK_PRINT(worker));
	return turn_plan(d->turn, key, worker, clock_now(&d->clock), body, err);
}

void verb_family(void *context, struct control *control, const struct control_asker *asker,
		 struct lk_span args)
{
	answer(context, control, asker, args, ask_family);
}

void verb_why(void *context, struct control *control, const struct control_asker *asker,
	      struct lk_span args)
{
	answer(context, control, asker, args, ask_why);
}

void verb_why_not(void *context, struct control *control, const struct control_asker *asker,
		  struct lk_span args)
{
	answer(context, control, asker, args, ask_why_not);
}

void verb_plan(void *context, struct control *control, const struct control_asker *asker,
	       struct lk_span args)
{
	answer(context, control, asker, args, ask_plan);
}

/* Only the purpose comes here: the tool reads state.db itself. */
void verb_export(void *context, struct control *control, const struct control_asker *asker,
		 struct lk_span args)
{
	struct lk_error err = { 0 };

	if (verb_purpose(context, asker, args, "export of the state store", &err) < 0)
		verb_fail(control, asker, &err);
	else
		control_reply(control, asker, false, NULL);
}
