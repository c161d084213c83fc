/* ctl_proof.c - whether a copy of the store is sound.
 *
 * In: a file. Out: what is wrong with it, counted, and the first damage in a sentence. Promise: every page, every sum and the
 * ledger's chain are looked at in the very file; nothing is written.
 */
#include "ctl_proof.h"

#include "progress.h"

#include <stdio.h>
#include <string.h>

#define ROWS_A_STEP 4000

static void note_damage(void *context, const char *what)
{
	struct proof *p = context;

	if (p->damages++ == 0)
		(void)snprintf(p->first, sizeof(p->first), "%.199s", what);
}

static void pages_tick(void *context)
{
	int64_t *ticks = context;

	progress_say("looking at every page", ++*ticks, 0);
}

static int prove_rows(struct store *s, struct proof *p, struct lk_error *err)
{
	struct store_check check = { .damaged = note_damage, .context = p };
	int rc;

	while ((rc = store_check(s, &check, ROWS_A_STEP, err)) == 1)
		progress_say("checking every sum", check.done, check.of);
	p->rows = check.rows;
	return rc;
}

static int prove_ledger(struct store *s, struct proof *p, struct lk_error *err)
{
	struct ledger_check check = { .known = p->known, .known_n = p->known != NULL };
	int rc;

	while ((rc = store_ledger_check(s, &check, ROWS_A_STEP, err)) == 1)
		progress_say("following the ledger", check.at.number, check.upto);
	p->ledger = check.upto;
	p->expunged = check.expunged;
	p->head = check.at;
	p->broken = check.broken;
	if (check.broken != 0)
		note_damage(p, check.why);
	return rc;
}

/* The store says of a file what it would say of its own. */
static int file_named(const char *file, struct lk_error *err)
{
	static const char own[] = "linkages.db ";
	char why[sizeof(err->text)];
	bool is_it = strncmp(err->text, own, strlen(own)) == 0;

	(void)snprintf(why, sizeof(why), "%s", err->text);
	return strncmp(why, file, strlen(file)) == 0
		       ? err->code
		       : lk_fail(err, err->code, "%s is no copy of a store that can be read: %s%s",
				 file, is_it ? "it " : "", is_it ? why + strlen(own) : why);
}

int prove(const char *file, bool ledger_only, struct proof *p, struct lk_error *err)
{
	const struct store_options options = { .file = file };
	struct lk_error why = { 0 };
	struct store *s = NULL;
	int64_t ticks = 0;
	int rc = store_open(&options, &s, err);

	if (rc == 0 && !ledger_only) {
		if (store_integrity(s, pages_tick, &ticks, &why) < 0)
			note_damage(p, why.text);
		rc = prove_rows(s, p, err);
	}
	if (rc == 0)
		rc = prove_ledger(s, p, err);
	store_close(s);
	progress_end();
	return rc < 0 ? file_named(file, err) : rc;
}

int prove_sound(const char *file, const struct ledger_head *known, struct proof *p,
		struct lk_error *err)
{
	int rc;

	*p = (struct proof){ .known = known };
	rc = prove(file, false, p, err);
	if (rc == 0 && p->damages != 0)
		rc = lk_fail(err, LK_EREFUSED, "%s is damaged: %s", file, p->first);
	return rc;
}
