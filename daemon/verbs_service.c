/* verbs_service.c - who is there and what waits: sources, sessions, workers.
 *
 * In: a question. Out: a row for each, in parts. Promise: names of sources, clients and workers, counts and instants; no
 * case.
 */
#include "verbs.h"

#include "access.h"
#include "daemon.h"
#include "inbox.h"
#include "intake.h"
#include "metrics.h"

#include <stdio.h>

#define MAILBOXES_A_LOOK 200

/* ---- sources ---- */

static void put_counts(struct verb_rows *t, const char *source)
{
	char labels[128];

	(void)snprintf(labels, sizeof(labels), "source=\"%s\"", source);
	lk_member_int(&t->rows, "accepted", *metric_cell(METRIC_EVENTS_ACCEPTED, labels));
	lk_member_int(&t->rows, "repeated", *metric_cell(METRIC_EVENTS_REPEATED, labels));
	lk_member_int(&t->rows, "missing",
		      metric_sum(*metric_cell(METRIC_SOURCE_GAPS, labels),
				 *metric_cell(METRIC_FEED_GAPS, labels)));
}

void verb_sources(void *context, struct control *control, const struct control_asker *asker,
		  struct lk_span args)
{
	struct daemon *d = context;
	struct verb_rows t = { .control = control, .asker = asker, .name = "sources" };
	struct turn_hearing h;

	(void)args;
	for (size_t i = 0; turn_hearing(d->turn, i, &h); i++) {
		verb_row_begin(&t, 8);
		lk_member_word(&t.rows, "source", h.name);
		lk_member_word(&t.rows, "agency",
			       lk_agency_word(turn_agency_of(d->turn, lk_text_of(h.name))));
		verb_put_instant(&t.rows, "heard", h.heard_at);
		lk_member_bool(&t.rows, "watched", h.watched);
		lk_member_bool(&t.rows, "silent", h.silent);
		put_counts(&t, h.name);
	}
	verb_rows_end(&t);
}

/* ---- sessions ---- */

static void put_session(struct verb_rows *t, const char *lane, const char *client,
			struct lk_text name, int64_t quiet_us)
{
	verb_row_begin(t, 7);
	lk_member_word(&t->rows, "lane", lane);
	lk_member_word(&t->rows, "client", client);
	lk_member_text(&t->rows, "name", name);
	lk_member_int(&t->rows, "quiet_s", quiet_us / LK_SECOND);
}

static void put_intake(void *context, const struct intake_look *look)
{
	struct verb_rows *t = context;

	put_session(t, "intake", look->client, LK_NO_TEXT, look->quiet_us);
	lk_member_int(&t->rows, "for", (int64_t)look->streams);
	lk_member_int(&t->rows, "credit", look->open);
	lk_put_word(&t->rows, "waiting");
	lk_put_nil(&t->rows);
}

static void put_inbox(void *context, const struct inbox_look *look)
{
	struct verb_rows *t = context;

	put_session(t, "inbox", look->client, lk_text_of(look->name), look->quiet_us);
	lk_member_int(&t->rows, "for", (int64_t)look->workers);
	lk_member_int(&t->rows, "credit", look->credit);
	lk_member_int(&t->rows, "waiting", look->waiting);
}

void verb_sessions(void *context, struct control *control, const struct control_asker *asker,
		   struct lk_span args)
{
	struct daemon *d = context;
	struct verb_rows t = { .control = control, .asker = asker, .name = "sessions" };

	(void)args;
	intake_each(d->intake, put_intake, &t);
	inbox_each(d->inbox, put_inbox, &t);
	verb_rows_end(&t);
}

/* ---- workers ---- */

struct reading {
	struct verb_rows t;
	struct daemon *d;
	bool only_unreachable;
};

static int put_worker(void *context, const struct mailbox_depth *depth)
{
	struct reading *r = context;
	struct lk_bytes *rows = &r->t.rows;
	const struct roster_client *reader =
		roster_reader(access_roster(r->d->access), depth->worker);

	if (r->only_unreachable && reader != NULL)
		return 0;
	verb_row_begin(&r->t, 4);
	lk_member_text(rows, "worker", depth->worker);
	lk_member_text(rows, "client", reader != NULL ? lk_text_of(reader->name) : LK_NO_TEXT);
	lk_member_int(rows, "waiting", depth->waiting);
	verb_put_instant(rows, "oldest", depth->oldest_at);
	return 0;
}

void verb_workers(void *context, struct control *control, const struct control_asker *asker,
		  struct lk_span args)
{
	struct reading r = { .t = { .control = control, .asker = asker, .name = "workers" },
			     .d = context };
	struct lk_error err = { 0 };
	int64_t after = 0;
	int rc;

	(void)lk_as_bool(lk_get(args, "unreachable"), &r.only_unreachable);
	do
		rc = store_mailbox_depths(r.d->store, &after, MAILBOXES_A_LOOK, put_worker, &r,
					  &err);
	while (rc == MAILBOXES_A_LOOK);
	if (rc < 0)
		verb_rows_fail(&r.t, &err);
	else
		verb_rows_end(&r.t);
}
