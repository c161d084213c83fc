/* turn_tally.c - how many: notices by kind, level and state, and those that wait for a person.
 *
 * In: what a transaction tells and what is answered. Out: after COMMIT, numbers for the sink. Promise: a transaction that is
 * taken back counts nothing; how many are unanswered is a value of the store, written where it changes, so that nobody has
 * to count the mailboxes at a start.
 */
#include "turn_parts.h"

#define UNANSWERED "unanswered"

int tally_load(struct turn *t, struct lk_error *err)
{
	struct tally *tally = &t->tally;
	int rc = store_value_get(t->store, UNANSWERED, &tally->unanswered, err);

	tally->committed = tally->unanswered;
	return rc < 0 ? rc : 0;
}

/* A notice waits from its first telling until somebody answers it, or it is withdrawn. */
int tally_notice(struct turn *t, const struct told *record, const struct lk_notice *n,
		 struct lk_error *err)
{
	struct tally *tally = &t->tally;
	struct turn_made *wider =
		vector_grown(tally->made, tally->made_n, &tally->made_room, sizeof(*wider));

	if (wider == NULL)
		return lk_fail(err, LK_EMEMORY, "no memory to count a notice");
	tally->made = wider;
	wider[tally->made_n++] = (struct turn_made){ n->kind, n->level, n->state };
	if (n->state == LK_NEW)
		tally->unanswered++;
	else if (n->state == LK_WITHDRAWN && record->answered_at == LK_NO_INSTANT)
		tally->unanswered--;
	return 0;
}

void tally_answer(struct turn *t, const struct told *record)
{
	if (record->live)
		t->tally.unanswered--;
}

static bool is_waiting(const struct told *record)
{
	return record->live && !record->doubled && record->answered_at == LK_NO_INSTANT;
}

int64_t tally_waiting(const struct tolds *told)
{
	int64_t n = 0;

	for (uint32_t i = 0; i < told->n; i++)
		n += is_waiting(&told->at[i]);
	return n;
}

void tally_forget(struct turn *t, const struct told *record)
{
	t->tally.unanswered -= is_waiting(record);
}

int tally_flush(struct turn *t, struct lk_error *err)
{
	const struct tally *tally = &t->tally;

	if (tally->unanswered == tally->committed)
		return 0;
	return store_value_put(t->store, UNANSWERED, tally->unanswered, err);
}

void tally_tell(struct turn *t)
{
	struct tally *tally = &t->tally;

	for (uint32_t i = 0; i < tally->made_n && t->sink.made != NULL; i++)
		t->sink.made(t->sink.context, &tally->made[i]);
	tally->made_n = 0;
	tally->committed = tally->unanswered;
}

void tally_undo(struct turn *t)
{
	t->tally.made_n = 0;
	t->tally.unanswered = t->tally.committed;
}

int64_t turn_unanswered(const struct turn *t)
{
	return t->tally.committed;
}
