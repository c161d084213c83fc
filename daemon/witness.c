/* witness.c - tells the journal the ledger's head: whoever can write the database cannot change it there.
 *
 * In: the store. Out: lines in the journal, and the alarms of what the store found when it was opened: store_rebuilt,
 * row_damaged, expunged_back. Promise: a ledger that was written anew or cut below a head told here is found by
 * `linkages-ctl ledger verify --head NUMBER:CHAIN`.
 */
#include "witness.h"

#include "alarm.h"
#include "log.h"
#include "loop.h"

#include <inttypes.h>

#define BEATS 6
#define DAMAGES_TOLD 1000
#define CASES_A_BITE 4096

static void tell(struct witness *w)
{
	struct ledger_head head;
	char chain[LK_DIGEST_HEX];

	if (w->store == NULL)
		return;
	store_ledger_head(w->store, &head);
	if (head.number == w->told)
		return;
	lk_digest_hex(head.chain, chain);
	log_line(LOG_NOTE, "ledger head=%" PRId64 ":%s", head.number, chain);
	w->told = head.number;
	w->beats = 0;
}

static int tell_damage(void *context, const struct stored_damage *damage)
{
	(void)context;
	alarm_raise(ALARM_ROW_DAMAGED, "detail=\"%.*s\"", LK_PRINT(damage->what));
	return 0;
}

/* The damages of this rebuild are the last ones that the store remembers. */
static void tell_rebuild(struct store *store)
{
	struct store_rebuild done;
	struct lk_error err;

	store_rebuild_found(store, &done);
	if (done.why[0] == '\0')
		return;
	alarm_raise(ALARM_STORE_REBUILT, "damages=%" PRId64 " kept=%s why=\"%s\"", done.damages,
		    done.kept[0] != '\0' ? done.kept : "-", done.why);
	if (done.damages > 0 &&
	    store_damages(store, done.known, DAMAGES_TOLD, tell_damage, NULL, &err) < 0)
		log_line(LOG_ERROR, "damages outcome=failed detail=\"%s\"", err.text);
}

/* ---- Cases that were expunged ---------------------------------------------------------------- */

/* No number of a case may stand in a journal: who gave the orders knows them. */
static void tell_expunged(const struct witness *w)
{
	if (w->back > 0)
		alarm_raise(ALARM_EXPUNGED_BACK, "cases=%" PRId64, w->back);
	else
		alarm_clear(ALARM_EXPUNGED_BACK);
}

static void look_on(struct witness *w)
{
	struct lk_error err;
	int more = store_expunged_left(w->store, &w->case_at, CASES_A_BITE, &w->back, &err);

	w->is_looking = more > 0;
	if (more == 0 && w->back > 0)
		more = store_expunged_hide(w->store, &err);
	if (more < 0)
		log_line(LOG_ERROR, "expunged outcome=failed detail=\"%s\"", err.text);
	else if (more == 0)
		tell_expunged(w);
	else if (w->bite != NULL)
		loop_timer_in(w->bite, 0);
}

static void bitten(void *context)
{
	struct witness *w = context;

	if (w->is_looking)
		look_on(w);
}

void witness_expunging(struct witness *w)
{
	w->is_looking = false;
}

void witness_expunged(struct witness *w)
{
	w->case_at = w->back = 0;
	look_on(w);
}

int witness_join(struct witness *w, struct loop *loop, struct lk_error *err)
{
	int rc = loop_timer_create(loop, LOOP_IDLE, bitten, w, &w->bite, err);

	if (rc == 0 && w->is_looking)
		loop_timer_in(w->bite, 0);
	return rc;
}

void witness_leave(struct witness *w)
{
	loop_timer_destroy(w->bite);
	w->bite = NULL;
}

/* ---- The start, and each beat ---------------------------------------------------------------- */

void witness_begin(struct witness *w, struct store *store)
{
	static const struct {
		enum log_level level;
		const char *words;
	} found[] = {
		[MARK_NONE] = { LOG_NOTE, "there is none yet" },
		[MARK_HOLDS] = { LOG_DETAIL, "the database is where it says" },
		[MARK_UNREAD] = { LOG_ERROR, "the file linkages.mark is damaged" },
		[MARK_BEHIND] = { LOG_ERROR, "the database is behind it: committed rows are gone" },
		[MARK_REWRITTEN] = { LOG_ERROR, "the ledger is another than the one it knows" },
	};
	struct store_mark mark;

	*w = (struct witness){ .store = store };
	store_mark_found(store, &mark);
	log_line(found[mark.state].level,
		 "mark position=%" PRId64 " ledger=%" PRId64 " detail=\"%s\"", mark.position,
		 mark.head.number, found[mark.state].words);
	tell_rebuild(store);
	witness_expunged(w);
	tell(w);
}

void witness_beat(struct witness *w)
{
	if (++w->beats >= BEATS)
		tell(w);
}

void witness_end(struct witness *w)
{
	tell(w);
	w->store = NULL;
}
