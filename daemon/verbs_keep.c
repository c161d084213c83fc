/* verbs_keep.c - what keeps the store worth keeping: ledger verify, scrub, backup, rebuild.
 *
 * In: what is to be done. Out: how far it is, then what was found. Promise: each is a work of short steps (jobs.h), so that
 * intake and delivery go on meanwhile; no answer here shows case content.
 */
#include "verbs.h"

#include "census.h"
#include "daemon.h"
#include "intake.h"
#include "jobs.h"
#include "metrics.h"
#include "prune.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void verb_put_head(struct lk_bytes *out, const struct ledger_head *head)
{
	char text[LK_DIGEST_HEX + 24], chain[LK_DIGEST_HEX];

	lk_digest_hex(head->chain, chain);
	(void)snprintf(text, sizeof(text), "%lld:%s", (long long)head->number, chain);
	lk_member_word(out, "head", text);
}

static void begin(struct daemon *d, const struct job_kind *kind, void *work,
		  struct control *control, const struct control_asker *asker)
{
	struct lk_error err = { 0 };

	if (jobs_begin(d->jobs, kind, work, control, asker, &err) < 0)
		verb_fail(control, asker, &err);
}

/* ---- ledger-verify ---- */

#define LEDGER_ROWS_A_STEP 4000
#define HEADS_MAX 3

struct verifying {
	struct store *store;
	struct ledger_head known[HEADS_MAX]; /* the mark's, the one in memory, the asker's */
	struct ledger_check check;
};

static int verify_step(void *work, struct lk_error *err)
{
	struct verifying *v = work;

	return store_ledger_check(v->store, &v->check, LEDGER_ROWS_A_STEP, err);
}

static void verify_count(const void *work, int64_t *done, int64_t *of)
{
	const struct verifying *v = work;

	*done = v->check.at.number;
	*of = v->check.upto;
}

static void verify_report(void *work, struct lk_bytes *body)
{
	const struct verifying *v = work;
	bool sound = v->check.broken == 0;

	lk_put_map(body, 7);
	lk_member_bool(body, "sound", sound);
	lk_member_int(body, "rows", v->check.upto);
	lk_member_int(body, "expunged", v->check.expunged);
	lk_member_int(body, "heads", (int64_t)v->check.known_n);
	verb_put_head(body, &v->check.at);
	lk_put_word(body, "broken");
	if (sound)
		lk_put_nil(body);
	else
		lk_put_int(body, v->check.broken);
	lk_member_text(body, "why", sound ? LK_NO_TEXT : lk_text_of(v->check.why));
}

static const struct job_kind ledger_verify = { "ledger-verify", verify_step, verify_count,
					       verify_report, free };

/* 'NUMBER:CHAIN', as the journal and a backup tell it. */
static int head_parse(struct lk_text text, struct ledger_head *out)
{
	uint32_t colon = 0;

	out->number = 0;
	while (colon < text.len && colon < 18 && text.at[colon] >= '0' && text.at[colon] <= '9')
		out->number = out->number * 10 + (text.at[colon++] - '0');
	if (colon == 0 || colon == text.len || text.at[colon] != ':')
		return -1;
	return lk_digest_parse((struct lk_text){ text.at + colon + 1, text.len - colon - 1 },
			       out->chain);
}

void verb_ledger_verify(void *context, struct control *control, const struct control_asker *asker,
			struct lk_span args)
{
	struct daemon *d = context;
	struct verifying *v = calloc(1, sizeof(*v));
	struct lk_text given = lk_as_text(lk_get(args, "head"));
	struct store_mark mark;
	size_t n = 0;

	if (v == NULL) {
		control_refuse(control, asker, "busy", "no memory");
		return;
	}
	v->store = d->store;
	store_mark_found(d->store, &mark);
	if (mark.state >= MARK_HOLDS && mark.state != MARK_UNREAD)
		v->known[n++] = mark.head;
	store_ledger_head(d->store, &v->known[n++]);
	if (lk_text_given(given) && head_parse(given, &v->known[n++]) < 0) {
		control_refuse(control, asker, "bad_value",
			       "head: NUMBER:CHAIN, as the journal tells it");
		free(v);
		return;
	}
	v->check.known = v->known;
	v->check.known_n = n;
	begin(d, &ledger_verify, v, control, asker);
}

/* ---- scrub ---- */

#define ROWS_A_STEP 500
#define DAMAGES_SHOWN 100

struct scrubbing {
	struct store *store;
	struct store_check check;
	struct lk_bytes damages; /* texts, encoded */
	uint32_t shown;
	char first[160];
};

static void note_damage(void *context, const char *what)
{
	struct scrubbing *s = context;

	if (s->shown == DAMAGES_SHOWN)
		return;
	if (s->shown == 0)
		(void)snprintf(s->first, sizeof(s->first), "%s", what);
	s->shown++;
	lk_put_word(&s->damages, what);
}

static int scrub_step(void *work, struct lk_error *err)
{
	struct scrubbing *s = work;

	return store_check(s->store, &s->check, ROWS_A_STEP, err);
}

static void scrub_count(const void *work, int64_t *done, int64_t *of)
{
	const struct scrubbing *s = work;

	*done = s->check.done;
	*of = s->check.of;
}

static void scrub_report(void *work, struct lk_bytes *body)
{
	const struct scrubbing *s = work;

	metric_set(METRIC_SCRUBBED_AT, "", clock_read().machine);
	metric_set(METRIC_SCRUB_DAMAGES, "", s->check.damages);
	lk_put_map(body, 4);
	lk_member_bool(body, "sound", s->check.damages == 0);
	lk_member_int(body, "rows", s->check.rows);
	lk_member_int(body, "damages", s->check.damages);
	lk_put_word(body, "damaged");
	lk_put_array(body, s->shown);
	if (s->shown > 0)
		lk_bytes_add(body, s->damages.at, s->damages.len);
	if (s->shown > 0)
		store_distrust(s->store, s->first);
}

static void scrub_end(void *work)
{
	struct scrubbing *s = work;

	lk_bytes_free(&s->damages);
	free(s);
}

static const struct job_kind scrub = { "scrub", scrub_step, scrub_count, scrub_report, scrub_end };

void verb_scrub(void *context, struct control *control, const struct control_asker *asker,
		struct lk_span args)
{
	struct daemon *d = context;
	struct scrubbing *s = calloc(1, sizeof(*s));

	(void)args;
	if (s == NULL) {
		control_refuse(control, asker, "busy", "no memory");
		return;
	}
	s->store = d->store;
	s->check.damaged = note_damage;
	s->check.context = s;
	begin(d, &scrub, s, control, asker);
}

/* ---- backup ---- */

struct backing {
	struct daemon *daemon;
	struct store_backup *backup;
	struct stored_backup made;
};

static int backup_step(void *work, struct lk_error *err)
{
	struct backing *b = work;
	int rc = store_backup_step(b->backup, err);

	return rc != 0 ? rc
		       : store_backup_finish(b->backup, clock_now(&b->daemon->clock), &b->made,
					     err);
}

static void backup_count(const void *work, int64_t *done, int64_t *of)
{
	const struct backing *b = work;

	store_backup_count(b->backup, done, of);
}

static void backup_report(void *work, struct lk_bytes *body)
{
	const struct backing *b = work;
	char file[CONFIG_PATH_MAX + 16];

	(void)snprintf(file, sizeof(file), "%s/backup.db", b->daemon->config.state_directory);
	lk_put_map(body, 5);
	lk_member_int(body, "backup", b->made.number);
	verb_put_instant(body, "made", b->made.made_at);
	lk_member_int(body, "position", b->made.position);
	verb_put_head(body, &b->made.head);
	lk_member_word(body, "file", file);
}

static void backup_end(void *work)
{
	struct backing *b = work;

	store_backup_end(b->backup);
	free(b);
}

static const struct job_kind backup = { "backup", backup_step, backup_count, backup_report,
					backup_end };

void verb_backup(void *context, struct control *control, const struct control_asker *asker,
		 struct lk_span args)
{
	struct daemon *d = context;
	struct backing *b = calloc(1, sizeof(*b));
	struct lk_error err = { 0 };
	const char *busy = jobs_under_way(d->jobs);

	(void)args;
	if (b == NULL)
		(void)lk_fail(&err, LK_EMEMORY, "no memory for a backup");
	else if (busy != NULL)
		(void)lk_fail(&err, LK_ESTATE, "%s is under way: ask again when it is done", busy);
	else if (store_backup_begin(d->store, &b->backup, &err) == 0) {
		b->daemon = d;
		begin(d, &backup, b, control, asker);
		return;
	}
	free(b);
	verb_fail(control, asker, &err);
}

#define PLACE_MOST 1024

/* Said by the tool, once it has moved the copy and proved it sound. */
void verb_backup_verified(void *context, struct control *control, const struct control_asker *asker,
			  struct lk_span args)
{
	struct daemon *d = context;
	struct lk_text place = lk_as_text(lk_get(args, "place"));
	struct lk_error err = { 0 };
	int64_t number = 0;

	if (!lk_as_int(lk_get(args, "backup"), &number) || place.len < 1 ||
	    place.len > PLACE_MOST) {
		control_refuse(control, asker, "bad_value",
			       "backup: its number; place: where it was put");
	} else if (store_backup_verified(d->store, number, place, clock_now(&d->clock), &err) < 0 ||
		   intake_safe_moved(d->intake, &err) < 0) {
		verb_fail(control, asker, &err);
	} else {
		daemon_measure_backups(d);
		control_reply(control, asker, false, NULL);
	}
}

void verb_backup_forget(void *context, struct control *control, const struct control_asker *asker,
			struct lk_span args)
{
	struct daemon *d = context;
	struct lk_error err = { 0 };
	int64_t number = 0;

	if (!lk_as_int(lk_get(args, "backup"), &number))
		control_refuse(control, asker, "bad_value", "backup: its number");
	else if (store_backup_forget(d->store, number, &err) < 0)
		verb_fail(control, asker, &err);
	else {
		daemon_measure_backups(d);
		control_reply(control, asker, false, NULL);
	}
}

static int put_backup(void *context, const struct stored_backup *b)
{
	struct verb_rows *t = context;

	verb_row_begin(t, 6);
	lk_member_int(&t->rows, "backup", b->number);
	verb_put_instant(&t->rows, "made", b->made_at);
	lk_member_int(&t->rows, "position", b->position);
	lk_member_int(&t->rows, "ledger", b->head.number);
	lk_member_text(&t->rows, "place", b->place);
	verb_put_instant(&t->rows, "verified", b->verified_at);
	return 0;
}

void verb_backups(void *context, struct control *control, const struct control_asker *asker,
		  struct lk_span args)
{
	struct daemon *d = context;
	struct verb_rows t = { .control = control, .asker = asker, .name = "backups" };
	struct lk_error err = { 0 };

	(void)args;
	if (store_backups(d->store, put_backup, &t, &err) < 0)
		verb_rows_fail(&t, &err);
	else
		verb_rows_end(&t);
}

/* ---- rebuild --------------------------------------------------------------------------------- */

struct rebuilding {
	struct turn_rebuilding *turn;
	int64_t families; /* as the last look found it; 0: nobody has looked yet */
};

static int rebuild_step(void *work, struct lk_error *err)
{
	struct rebuilding *r = work;

	return turn_rebuild_step(r->turn, err);
}

static void rebuild_count(const void *work, int64_t *done, int64_t *of)
{
	const struct rebuilding *r = work;
	struct turn_rebuilt found;

	turn_rebuild_told(r->turn, &found);
	*done = found.families;
	*of = r->families;
}

static void rebuild_report(void *work, struct lk_bytes *body)
{
	const struct rebuilding *r = work;
	struct turn_rebuilt found;

	turn_rebuild_told(r->turn, &found);
	lk_put_map(body, 5);
	lk_member_bool(body, "equal", found.folds == 0 && found.rows == 0 && found.orphans == 0);
	lk_member_int(body, "families", found.families);
	lk_member_int(body, "families_differed", found.folds);
	lk_member_int(body, "state_differed", found.rows);
	lk_member_int(body, "state_orphans", found.orphans);
}

static void rebuild_end(void *work)
{
	struct rebuilding *r = work;

	turn_rebuild_end(r->turn);
	free(r);
}

static const struct job_kind rebuild = { "rebuild", rebuild_step, rebuild_count, rebuild_report,
					 rebuild_end };

void verb_rebuild(void *context, struct control *control, const struct control_asker *asker,
		  struct lk_span args)
{
	struct daemon *d = context;
	struct rebuilding *r = calloc(1, sizeof(*r));
	struct census_count count = { 0 };
	struct lk_error err = { 0 };
	int rc = r == NULL ? lk_fail(&err, LK_EMEMORY, "no memory") : 0;

	(void)args;
	if (rc == 0)
		rc = turn_rebuild(d->turn, &r->turn, &err);
	if (rc < 0) {
		free(r);
		verb_fail(control, asker, &err);
		return;
	}
	if (census_count(d->census, &count))
		r->families = count.families;
	begin(d, &rebuild, r, control, asker);
}

/* ---- prune ----------------------------------------------------------------------------------- */

static int pruning_step(void *work, struct lk_error *err)
{
	return prune_step(work, err);
}

static void pruning_count(const void *work, int64_t *done, int64_t *of)
{
	struct prune_count count;

	prune_told(work, &count);
	*done = count.notices + count.letters;
	*of = 0;
}

static void pruning_report(void *work, struct lk_bytes *body)
{
	struct prune_count count;

	prune_told(work, &count);
	lk_put_map(body, 2);
	lk_member_int(body, "notices", count.notices);
	lk_member_int(body, "dead_letters", count.letters);
}

/* The work is the daemon's own, which does the same once an hour. */
static void pruning_end(void *work)
{
	(void)work;
}

static const struct job_kind pruning = { "prune", pruning_step, pruning_count, pruning_report,
					 pruning_end };

void verb_prune(void *context, struct control *control, const struct control_asker *asker,
		struct lk_span args)
{
	struct daemon *d = context;

	(void)args;
	if (jobs_under_way(d->jobs) == NULL)
		prune_begin(d->prune);
	begin(d, &pruning, d->prune, control, asker);
}
