/* verbs_expunge.c - a family taken out on order, what must not be, and files written anew.
 *
 * In: a case, an order or a reason. Out: what was struck out, counted. Promise: the order stands in the ledger, in the row
 * that tells what it took; a family under a legal hold is not touched.
 */
#include "verbs.h"

#include "daemon.h"
#include "jobs.h"
#include "witness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ORDER_MAX 200 /* characters */
#define BACKUPS_SHOWN 100

/* ---- expunge --------------------------------------------------------------------------------- */

struct expunging {
	struct daemon *daemon;
	struct turn_expunging *turn;
	char order[ORDER_MAX * 4 + 32], client[sizeof(roster_id)];
};

static int expunge_step(void *work, struct lk_error *err)
{
	struct expunging *x = work;
	const struct ledger_row order = {
		.at = clock_now(&x->daemon->clock),
		.worker = lk_text_of(x->client),
		.level = LK_OWN,
		.basis = lk_text_of(x->order),
	};

	return turn_expunge_step(x->turn, &order, err);
}

static void expunge_count(const void *work, int64_t *done, int64_t *of)
{
	const struct expunging *x = work;

	turn_expunge_count(x->turn, done, of);
}

struct holding {
	struct lk_bytes items;
	uint32_t n;
};

/* Every copy that was made before still holds it. */
static int put_holder(void *context, const struct stored_backup *b)
{
	struct holding *h = context;

	if (h->n == BACKUPS_SHOWN)
		return 1;
	h->n++;
	lk_put_map(&h->items, 3);
	lk_member_int(&h->items, "backup", b->number);
	verb_put_instant(&h->items, "made", b->made_at);
	lk_member_text(&h->items, "place", b->place);
	return 0;
}

static void put_struck(struct lk_bytes *body, const struct stored_struck *s, size_t cases)
{
	const struct {
		const char *name;
		int64_t value;
	} counts[] = {
		{ "cases", (int64_t)cases },
		{ "events", s->events },
		{ "links_of_others", s->foreign_events },
		{ "notices", s->notices },
		{ "dead_letters", s->letters },
		{ "ledger_rows", s->ledger },
	};

	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		lk_member_int(body, counts[i].name, counts[i].value);
}

static void expunge_report(void *work, struct lk_bytes *body)
{
	struct expunging *x = work;
	struct holding holders = { .n = 0 };
	struct stored_struck struck;
	struct ledger_head head;
	struct lk_error err;
	size_t cases;

	turn_expunge_told(x->turn, &struck, &cases);
	store_ledger_head(x->daemon->store, &head);
	if (store_backups(x->daemon->store, put_holder, &holders, &err) < 0)
		body->failed = true;
	lk_put_map(body, 10);
	lk_member_word(body, "order", x->order + strlen("expunged: "));
	verb_put_instant(body, "at", clock_now(&x->daemon->clock));
	put_struck(body, &struck, cases);
	verb_put_head(body, &head);
	lk_put_word(body, "backups");
	lk_put_array(body, holders.n);
	lk_put_raw(body, holders.items.at, holders.items.len);
	lk_bytes_free(&holders.items);
}

static void expunge_end(void *work)
{
	struct expunging *x = work;

	turn_expunge_end(x->turn);
	witness_expunged(&x->daemon->witness);
	free(x);
}

static const struct job_kind expunge = { "expunge", expunge_step, expunge_count, expunge_report,
					 expunge_end };

static int expunge_begin(struct expunging *x, struct lk_span args, struct lk_error *err)
{
	struct lk_text order = lk_as_text(lk_get(args, "purpose"));
	const char *busy = jobs_under_way(x->daemon->jobs);
	struct case_key key;

	if (order.len < 1 || order.len > ORDER_MAX)
		return lk_fail(err, LK_EREFUSED, "purpose: the order, up to 200 bytes");
	if (verb_case(args, &key, err) < 0)
		return LK_EREFUSED;
	if (busy != NULL)
		return lk_fail(err, LK_ESTATE, "%s is under way: ask again when it is done", busy);
	(void)snprintf(x->order, sizeof(x->order), "expunged: %.*s", LK_PRINT(order));
	return turn_expunge(x->daemon->turn, key, order, &x->turn, err);
}

void verb_expunge(void *context, struct control *control, const struct control_asker *asker,
		  struct lk_span args)
{
	struct daemon *d = context;
	struct expunging *x = calloc(1, sizeof(*x));
	struct lk_error err = { 0 };
	int rc = x == NULL ? lk_fail(&err, LK_EMEMORY, "no memory") : 0;

	if (rc == 0) {
		x->daemon = d;
		memcpy(x->client, asker->client, sizeof(x->client));
		rc = expunge_begin(x, args, &err);
	}
	if (rc == 0)
		witness_expunging(&d->witness);
	if (rc == 0)
		rc = jobs_begin(d->jobs, &expunge, x, control, asker, &err);
	else
		free(x);
	if (rc < 0)
		verb_fail(control, asker, &err);
}

/* ---- vacuum ---------------------------------------------------------------------------------- */

static void put_search(struct control *control, const struct control_asker *asker, int64_t bytes,
		       int64_t found)
{
	struct lk_bytes body = { 0 };

	lk_put_map(&body, 2);
	lk_member_int(&body, "bytes_searched", bytes);
	lk_member_int(&body, "occurrences", found);
	control_reply(control, asker, false, &body);
	lk_bytes_free(&body);
}

/* In one go: whoever asks for it knows that everybody waits. */
void verb_vacuum(void *context, struct control *control, const struct control_asker *asker,
		 struct lk_span args)
{
	struct daemon *d = context;
	struct lk_text number = lk_as_text(lk_get(args, "case"));
	struct lk_error err = { 0 };
	int64_t bytes = 0, found = 0;
	int rc = number.len > 0 ? 0 : lk_fail(&err, LK_EREFUSED, "case: which number to look for");

	if (rc == 0 && jobs_under_way(d->jobs) != NULL)
		rc = lk_fail(&err, LK_ESTATE, "another long work is under way");
	if (rc == 0)
		rc = store_vacuum(d->store, &err);
	if (rc == 0)
		rc = store_notices_say(d->store, number, &bytes, &found, &err);
	if (rc < 0)
		verb_fail(control, asker, &err);
	else
		put_search(control, asker, bytes, found);
}

/* ---- holds ----------------------------------------------------------------------------------- */

/* A hold that was granted has to be kept: none is granted while an order is being carried out. */
static bool is_too_late(const struct daemon *d)
{
	const char *busy = jobs_under_way(d->jobs);

	return busy != NULL && strcmp(busy, expunge.name) == 0;
}

static int hold_change(struct daemon *d, struct lk_span args, bool held, struct lk_error *err)
{
	struct lk_text reason = lk_as_text(lk_get(args, "purpose"));
	struct case_key key;
	int rc = verb_case(args, &key, err);

	if (rc == 0 && held && is_too_late(d))
		rc = lk_fail(err, LK_ESTATE, "an expunge is under way: ask again when it is done");
	if (rc == 0 && (reason.len < 1 || reason.len > ORDER_MAX))
		rc = lk_fail(err, LK_EREFUSED, "purpose: why, up to 200 bytes");
	if (rc == 0)
		rc = store_begin(d->store, err);
	if (rc < 0)
		return rc;
	rc = held ? store_hold_put(d->store, key, reason, clock_now(&d->clock), err)
		  : store_hold_drop(d->store, key, err);
	if (!held && rc == 0)
		rc = lk_fail(err, LK_ENOTFOUND, "the case is under no hold");
	if (rc >= 0)
		rc = store_commit(d->store, err);
	if (rc < 0)
		store_rollback(d->store);
	return rc;
}

static void hold(struct daemon *d, struct control *control, const struct control_asker *asker,
		 struct lk_span args, bool held)
{
	struct case_key key;
	struct lk_error err = { 0 };
	char about[80] = "a legal hold";
	int rc = verb_case(args, &key, &err);

	if (rc == 0) {
		(void)snprintf(about, sizeof(about), "legal hold %s: %s %.*s", held ? "on" : "off",
			       lk_agency_word(key.agency), LK_PRINT(key.number));
		rc = verb_purpose(d, asker, args, about, &err);
	}
	if (rc == 0)
		rc = hold_change(d, args, held, &err);
	if (rc < 0)
		verb_fail(control, asker, &err);
	else
		control_reply(control, asker, false, NULL);
}

void verb_hold(void *context, struct control *control, const struct control_asker *asker,
	       struct lk_span args)
{
	hold(context, control, asker, args, true);
}

void verb_release(void *context, struct control *control, const struct control_asker *asker,
		  struct lk_span args)
{
	hold(context, control, asker, args, false);
}

static int put_hold(void *context, struct case_key key, struct lk_text reason, lk_instant at)
{
	struct verb_rows *t = context;

	verb_row_begin(t, 4);
	lk_member_word(&t->rows, "agency", lk_agency_word(key.agency));
	lk_member_text(&t->rows, "case", key.number);
	lk_member_text(&t->rows, "reason", reason);
	verb_put_instant(&t->rows, "since", at);
	return 0;
}

void verb_holds(void *context, struct control *control, const struct control_asker *asker,
		struct lk_span args)
{
	struct daemon *d = context;
	struct verb_rows t = { .control = control, .asker = asker, .name = "holds" };
	struct lk_error err = { 0 };
	int rc = verb_purpose(d, asker, args, "the list of legal holds", &err);

	if (rc == 0)
		rc = store_holds(d->store, put_hold, &t, &err);
	if (rc < 0)
		verb_rows_fail(&t, &err);
	else
		verb_rows_end(&t);
}
