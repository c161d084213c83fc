/* mend.c - a copy of the store, freed of the rows that are not what was written.
 *
 * In: a copy that nobody has seen yet. Out: the same, without them; what is to be had again is asked
 * for again. Promise: no row whose sum is wrong is left; each is named in the table `damage`; places
 * in a mailbox stay dense. What becomes of a row:
 *
 *   event, dead letter   its publisher is asked for all that its outbox may still hold
 *   family               its state is folded from the log again; what was told is kept
 *   notice               in its place stands that something was told and withdrawn; it can be answered still, unless nothing of
 *                        its block can be read
 *   family change        all families are folded from the log again; of whom it told is not known;
 *                        likewise where the last ones are gone, of which linkages.mark knows
 *   values of before     of which linkages.mark knows, too: all families, links and tokens are found anew
 *   link                 all links and tokens are found in the log again, as all families are
 *   family that is gone  its state is folded from the log again; of whom it told is not known
 *   place of a family    of which its cases say it: found again by the family's id
 *   place in a mailbox   as a notice; a roll, and what was told last of a name, are found again by the notice's own row
 *   place of an event    in the log: as an event; in an outbox: it is found again by the event's own row; where the outbox is
 *                        not known any more, the event stays without one
 *   outbox               it is asked for all that it may still hold
 *   worker, source       what names it is not what was written, one by one: notices, events
 *   token                its index is made anew, with all others
 *
 * Pages that are no pages of their table any more are not mended: only a backup knows what was in them.
 */
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROWS_A_STEP 1000
#define DAMAGES_MAX 100000 /* more is no damage to rows but another kind of file */

struct damaged {
	int part;
	int64_t at;
	char what[160];
};

struct mending {
	struct store *store;
	struct store_check check;
	struct damaged *rows;
	size_t n, room;
	bool is_short; /* of memory, or there are too many */
	bool lost_outbox;
	int64_t awaited; /* STORE_AWAITED; 0: only a sync failed, and all could be read */
};

static bool has_room(struct mending *m)
{
	struct damaged *wider;

	if (m->n < m->room)
		return true;
	wider = realloc(m->rows, (m->room * 2 + 16) * sizeof(*wider));
	if (wider == NULL)
		return false;
	m->rows = wider;
	m->room = m->room * 2 + 16;
	return true;
}

static void note_damaged(void *context, const char *what)
{
	struct mending *m = context;

	m->is_short = m->is_short || m->n == DAMAGES_MAX || !has_room(m);
	if (m->is_short)
		return;
	m->rows[m->n] = (struct damaged){ .part = m->check.part, .at = m->check.at };
	(void)snprintf(m->rows[m->n++].what, sizeof(m->rows[0].what), "%s", what);
}

static int look_at_all(struct mending *m, struct lk_error *err)
{
	int more = 1;

	m->check = (struct store_check){ .damaged = note_damaged, .context = m };
	while (more > 0)
		more = store_check(m->store, &m->check, ROWS_A_STEP, err);
	if (more == 0 && m->check.is_torn)
		return lk_fail(err, LK_ESTORE, "%s",
			       m->n > 0 ? m->rows[m->n - 1].what : "its pages");
	if (more == 0 && m->is_short)
		return lk_fail(err, LK_ESTORE, "too much is damaged");
	return more;
}

/* ---- One row --------------------------------------------------------------------------------- */

static int run_alone(struct store *s, enum statement which, struct lk_error *err)
{
	struct query q = query_begin(s, which);

	return query_run(&q, err);
}

static int drop(struct store *s, enum statement which, int64_t at, struct lk_error *err)
{
	struct query q = query_begin(s, which);

	bind_int(&q, at);
	return query_run(&q, err);
}

static int drop_event(struct store *s, int64_t at, struct lk_error *err)
{
	return drop(s, SQL_mend_event, at, err);
}

static int drop_letter(struct store *s, int64_t at, struct lk_error *err)
{
	return drop(s, SQL_mend_letter, at, err);
}

/* Its worker has it, and may be waited for: what is left of it says where an answer belongs, and the family's own record
 * whether it does. */
static int drop_notice(struct store *s, int64_t at, struct lk_error *err)
{
	int rc = drop(s, SQL_mend_answer, at, err);

	return rc < 0 ? rc : drop(s, SQL_mend_notice, at, err);
}

static int family_replace(struct store *s, int64_t at, const struct stored_family *by,
			  struct lk_error *err)
{
	int rc = drop(s, SQL_mend_drop_dirty, at, err);

	if (rc == 0)
		rc = drop(s, SQL_mend_drop_family, at, err);
	return rc == 0 ? store_family_put(s, by, err) : rc;
}

/* No state, and of no policy: the turn folds it anew before it does anything with it. */
static int family_anew(struct store *s, int64_t at, struct lk_error *err)
{
	struct stored_family family = { .wake_at = LK_NO_INSTANT };
	struct lk_bytes told = { 0 };
	struct query q = query_begin(s, SQL_mend_family);
	const void *bytes;
	size_t len;
	int rc;

	bind_int(&q, at);
	if ((rc = query_step(&q, err)) == 1) {
		(void)column_digest(&q, family.id);
		bytes = column_blob(&q, &len);
		if (!unsqueeze(bytes, len, FAMILY_BYTES_MAX, &told))
			lk_bytes_clear(&told);
	}
	query_end(&q);
	family.told = told.at;
	family.told_len = told.len;
	if (rc == 1)
		rc = told.failed ? lk_fail(err, LK_EMEMORY, "no memory for a family")
				 : family_replace(s, at, &family, err);
	lk_bytes_free(&told);
	return rc;
}

static int families_anew(struct store *s, int64_t at, struct lk_error *err)
{
	int64_t times = 0;
	int rc = store_value_get(s, STORE_FAMILIES_ANEW, &times, err);

	(void)at;
	return rc < 0 ? rc : store_value_put(s, STORE_FAMILIES_ANEW, times + 1, err);
}

/* Places are filled in mailboxes_fill(). */
static int leave(struct store *s, int64_t at, struct lk_error *err)
{
	(void)s;
	(void)at;
	(void)err;
	return 0;
}

/* Of a case: its family, or where that is, where either is what is gone; events are asked for again with all others. */
static int lost_family_anew(struct store *s, int64_t at, struct lk_error *err)
{
	struct stored_family family = { .wake_at = LK_NO_INSTANT };
	struct query q = query_begin(s, SQL_mend_lost_family);
	int rc;

	bind_int(&q, at);
	if ((rc = query_step(&q, err)) == 1)
		(void)column_digest(&q, family.id);
	query_end(&q);
	if (rc == 1)
		rc = store_family_put(s, &family, err);
	return rc < 0 ? rc : drop(s, SQL_mend_case, at, err);
}

/* What is left is believed where it is there twice; the turn finds the rest before it does anything with a family. */
static int links_anew(struct store *s, struct query q, struct lk_error *err)
{
	int rc = query_run(&q, err);

	if (rc == 0)
		rc = store_value_put(s, STORE_LINKS_BY, STORE_LINKS_LOST, err);
	return rc == 0 ? families_anew(s, 0, err) : rc;
}

static int case_links_anew(struct store *s, int64_t at, struct lk_error *err)
{
	struct query q = query_begin(s, SQL_mend_links);

	bind_int(&q, at);
	return links_anew(s, q, err);
}

int mend_tokens(struct store *s, struct lk_error *err)
{
	int rc = store_begin(s, err);

	return rc == 0 ? store_end(s, links_anew(s, query_begin(s, SQL_mend_tokens), err), err)
		       : rc;
}

/* Of a notice: what was told last of its name is in its own row. */
static int place_again(struct store *s, int64_t at, struct lk_error *err)
{
	return drop(s, SQL_mend_apart, at, err);
}

/* In the order of check.c's parts. */
static int (*const mends[])(struct store *s, int64_t at, struct lk_error *err) = {
	drop_event,  drop_letter,      drop_notice,     family_anew, leave, families_anew, leave,
	place_again, lost_family_anew, case_links_anew, leave,       leave, leave,
};

static int damage_add(struct store *s, const char *what, lk_instant now, struct lk_error *err)
{
	struct query q = query_begin(s, SQL_damage_add);

	bind_copy(&q, what);
	bind_int(&q, now);
	return query_run(&q, err);
}

static int mend_row(struct store *s, const struct damaged *row, lk_instant now,
		    struct lk_error *err)
{
	int rc = damage_add(s, row->what, now, err);

	return rc == 0 ? mends[row->part](s, row->at, err) : rc;
}

/* ---- Mailboxes ------------------------------------------------------------------------------- */

static int worker_name(struct store *s, int64_t ref, char name[65], struct lk_error *err)
{
	struct query q = query_begin(s, SQL_worker_name);
	int rc;

	bind_int(&q, ref);
	if ((rc = query_step(&q, err)) == 1) {
		struct lk_text worker = column_text(&q);

		(void)snprintf(name, 65, "%.*s", LK_PRINT(worker));
	}
	query_end(&q);
	return rc < 0 ? rc : 0;
}

static int places_fill(struct store *s, const struct mailbox_row *box, struct lk_error *err)
{
	struct roll roll = { 0 };
	char worker[65] = "";
	int64_t serial;
	int rc = 0;

	for (int64_t seq = box->first; rc >= 0 && seq < box->next; seq++) {
		rc = place_seek(s, &roll, (box->ref << SEQ_BITS) + seq, &serial, err);
		if (rc == 0)
			rc = worker_name(s, box->ref, worker, err);
		if (rc == 0)
			rc = notice_bury(s, lk_text_of(worker), box->ref, seq, err);
	}
	return rc;
}

/* By rolls that lead to each row that is left, and to nothing else. */
static int mailboxes_fill(struct store *s, struct lk_error *err)
{
	struct mailbox_row box = { .ref = 0 };
	int rc = recent_rebuild(s, RECENT_PLACES, err);

	if (rc == 0)
		rc = run_alone(s, SQL_mend_strays, err);
	if (rc == 0)
		rc = run_alone(s, SQL_mend_mailbox_ends, err);
	while (rc >= 0 && (rc = mailbox_row_get(s, box.ref, &box, err)) == 1)
		rc = places_fill(s, &box, err);
	return rc;
}

/* ---- All of it ------------------------------------------------------------------------------- */

static int mend_rows(struct mending *m, struct lk_error *err)
{
	lk_instant now = 0;
	int rc = store_value_get(m->store, "now", &now, err);

	for (size_t i = 0; rc >= 0 && i < m->n; i++)
		rc = mend_row(m->store, &m->rows[i], now, err);
	return rc < 0 ? rc : 0;
}

/* Asked for again is whatever the outboxes may still have: it is known what was damaged, but not
 * what is missing without a trace. How far they had come is remembered: up to there an event is none that is new. */
static int ask_again(struct store *s, int64_t awaited, struct lk_error *err)
{
	int64_t before = 0; /* a damage whose events have not all come back yet */
	int rc = run_alone(s, SQL_mend_outboxes_gone, err); /* others may get their numbers */

	if (rc == 0)
		rc = run_alone(s, SQL_mend_asked, err);
	if (rc == 0)
		rc = run_alone(s, SQL_mend_streams, err);
	if (rc == 0)
		rc = store_value_get(s, STORE_AWAITED, &before, err);
	if (rc < 0 || awaited <= before)
		return rc < 0 ? rc : 0;
	return store_value_put(s, STORE_AWAITED, awaited, err);
}

/* Which names it said is not known: so it says all that mailboxes have. A rev that is not given is no harm; one that is given
 * twice is a notice that its client takes for the one that it has. */
static int aparts_fill(struct store *s, struct lk_error *err)
{
	int rc = run_alone(s, SQL_mend_aparts, err);

	return rc == 0 ? run_alone(s, SQL_mend_apart_count, err) : rc;
}

static int mend_all(struct mending *m, struct lk_error *err)
{
	int rc = store_begin(m->store, err);

	if (rc == 0)
		rc = mend_rows(m, err);
	if (rc == 0) /* what is not there is known, and asked for */
		rc = store_value_put(m->store, VALUE_STRUCK_UPTO, m->store->tips.position, err);
	if (rc == 0)
		rc = recent_rebuild(m->store, RECENT_CASES, err);
	if (rc == 0)
		rc = run_alone(m->store, SQL_mend_workers, err);
	if (rc == 0)
		rc = aparts_fill(m->store, err);
	if (rc == 0)
		rc = mailboxes_fill(m->store, err);
	if (rc == 0)
		rc = streams_rebuild(m->store, err);
	if (rc == 0)
		rc = ask_again(m->store, m->awaited, err);
	if (rc == 0)
		rc = store_renew(m->store, err);
	return store_end(m->store, rc, err);
}

/* Nothing else speaks of changes that have gone from the end. */
static int note_lost(struct store *s, const struct store_mark *mark, struct lk_error *err)
{
	int rc;

	if (mark->state != MARK_BEHIND || mark->change <= s->tips.change)
		return 0;
	rc = store_begin(s, err);
	if (rc == 0)
		rc = held_lost(s, mark->change, err);
	if (rc == 0)
		rc = families_anew(s, mark->change, err);
	return store_end(s, rc, err);
}

/* Values may be old without anything else. */
static bool is_behind(const struct store *s, const struct store_mark *mark)
{
	return mark->state == MARK_BEHIND &&
	       (s->tips.position < mark->position || s->tips.ledger < mark->head.number ||
		s->tips.change < mark->change);
}

static bool lacks_events(const struct mending *m, bool behind)
{
	bool lacks = behind;

	for (size_t i = 0; i < m->n; i++)
		lacks |= mends[m->rows[i].part] == drop_event;
	return lacks;
}

/* Values of before: each is put where nothing rests on what it may have been. The log says how late it is. */
static int values_put(struct store *s, int64_t lost, struct lk_error *err)
{
	struct query q = query_begin(s, SQL_mend_now);
	int64_t now = 0, spoken = 0, expunged = (int64_t)s->tombs.n;
	int rc = query_number(&q, &now, err);

	if (rc == 1)
		rc = store_value_put(s, "now", now, err);
	if (rc >= 0)
		rc = store_value_get(s, STORE_FAMILIES_ANEW, &spoken, err);
	if (rc >= 0)
		rc = store_value_put(s, STORE_FAMILIES_ANEW, spoken + lost, err);
	if (rc == 0)
		rc = store_value_put(s, STORE_LINKS_BY, STORE_LINKS_LOST, err);
	return rc == 0 ? store_value_put(s, VALUE_EXPUNGED, expunged, err) : rc;
}

/* Nothing else speaks of a page of values that is older than the rest. */
static int note_stale(struct store *s, const struct store_mark *mark, struct lk_error *err)
{
	int64_t lost = mark->values - s->tips.values;
	int rc;

	if (mark->state != MARK_BEHIND || lost <= 0)
		return 0;
	if ((rc = store_begin(s, err)) < 0)
		return rc;
	s->tips.values = mark->values - 1; /* as the next put says */
	s->committed.values = s->tips.values;
	return store_end(s, values_put(s, lost + 1, err), err);
}

/* Of an outbox that is gone each event would be a damage of its own: they stay, as if the feed had brought them. */
static int places_drop(struct mending *m, struct lk_error *err)
{
	char what[80];
	lk_instant now = 0;
	int rc = store_begin(m->store, err);

	if (rc == 0)
		rc = run_alone(m->store, SQL_mend_places, err);
	int events = rc == 0 ? sqlite3_changes(m->store->db) : 0;
	m->lost_outbox = events > 0;
	if (rc == 0)
		rc = store_value_get(m->store, "now", &now, err);
	(void)snprintf(what, sizeof(what), "outbox is gone: %d events have no place in it any more",
		       events);
	if (rc >= 0 && m->lost_outbox)
		rc = damage_add(m->store, what, now, err);
	return store_end(m->store, rc < 0 ? rc : 0, err);
}

/* Before anything is looked for by them: rolls say nothing that the rows of notices do not, and many may be wrong. */
static int rolls_anew(struct store *s, struct lk_error *err)
{
	int rc = store_begin(s, err);

	return rc == 0 ? store_end(s, recent_rebuild(s, RECENT_PLACES, err), err) : rc;
}

/* What can be read of the changes; what cannot is found again by look_at_all(). */
static int load_all(struct store *s, struct lk_error *err)
{
	int rc;

	s->is_checked = true;
	rc = held_load(s, err);
	if (rc == 0)
		rc = held_examine(s, err);
	s->is_checked = false;
	return rc;
}

int mend(struct store *copy, const struct store_mark *mark, struct store_rebuild *told,
	 struct lk_error *err)
{
	struct mending m = { .store = copy };
	struct query q = query_begin(copy, SQL_damage_last);
	int rc = query_number(&q, &told->known, err);
	bool behind = is_behind(copy, mark);

	if (rc >= 0)
		rc = note_lost(copy, mark, err);
	if (rc >= 0)
		rc = note_stale(copy, mark, err);
	if (rc >= 0)
		rc = load_all(copy, err);
	if (rc >= 0)
		rc = rolls_anew(copy, err);
	if (rc >= 0)
		rc = places_drop(&m, err);
	if (rc >= 0)
		rc = look_at_all(&m, err);
	told->damages = (int64_t)m.n + m.lost_outbox;
	if (lacks_events(&m, behind))
		m.awaited = STORE_AWAITED_GONE;
	else
		m.awaited = told->damages > 0 || strncmp(told->why, "sync", 4) != 0;
	if (rc == 0)
		rc = mend_all(&m, err);
	if (rc == 0)
		rc = held_mend(copy, err);
	if (rc == 0) {
		m.n = 0;
		rc = look_at_all(&m, err);
	}
	if (rc == 0 && m.n > 0)
		rc = lk_fail(err, LK_ESTORE, "rebuild: a damage remains: %s", m.rows[0].what);
	free(m.rows);
	return rc;
}

int store_damages(struct store *s, int64_t after, int limit, damage_visitor *visit, void *context,
		  struct lk_error *err)
{
	struct query q = query_begin(s, SQL_damage_after);
	int rc;

	bind_int(&q, after);
	bind_int(&q, limit);
	while ((rc = query_step(&q, err)) == 1) {
		struct stored_damage damage = { .number = column_int(&q) };

		damage.what = column_text(&q);
		damage.noticed_at = column_int(&q);
		if ((rc = visit(context, &damage)) != 0)
			break;
	}
	query_end(&q);
	return rc;
}
