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

#define ROWS_A_PART 200

static void put_word(struct lk_bytes *out, const char *key, const char *word)
{
	lk_put_word(out, key);
	lk_put_word(out, word);
}

static void put_flag(struct lk_bytes *out, const char *key, bool flag)
{
	lk_put_word(out, key);
	lk_put_bool(out, flag);
}

/* ---- Rows in parts ---- */

struct table {
	struct daemon *d;
	struct control *control;
	const struct control_asker *asker;
	const char *name;
	struct lk_bytes rows;
	uint32_t n;
	bool only_unreachable;
};

static void part_send(struct table *t, bool more)
{
	struct lk_bytes body = { 0 };

	lk_put_map(&body, 1);
	lk_put_word(&body, t->name);
	lk_put_array(&body, t->n);
	lk_bytes_add(&body, t->rows.at, t->rows.len);
	body.failed |= t->rows.failed;
	control_reply(t->control, t->asker, more, &body);
	lk_bytes_free(&body);
	lk_bytes_clear(&t->rows);
	t->n = 0;
}

/* Before a row. */
static void row_begin(struct table *t, uint32_t members)
{
	if (t->n == ROWS_A_PART)
		part_send(t, true);
	lk_put_map(&t->rows, members);
	t->n++;
}

static void table_end(struct table *t)
{
	part_send(t, false);
	lk_bytes_free(&t->rows);
}

/* ---- sources ---- */

static void put_counts(struct table *t, const char *source)
{
	char labels[128];

	(void)snprintf(labels, sizeof(labels), "source=\"%s\"", source);
	verb_put_number(&t->rows, "accepted", *metric_cell(METRIC_EVENTS_ACCEPTED, labels));
	verb_put_number(&t->rows, "repeated", *metric_cell(METRIC_EVENTS_REPEATED, labels));
	verb_put_number(&t->rows, "missing",
			*metric_cell(METRIC_SOURCE_GAPS, labels) +
				*metric_cell(METRIC_FEED_GAPS, labels));
}

void verb_sources(void *context, struct control *control, const struct control_asker *asker,
		  struct lk_span args)
{
	struct daemon *d = context;
	struct table t = { .d = d, .control = control, .asker = asker, .name = "sources" };
	struct turn_hearing h;

	(void)args;
	for (size_t i = 0; turn_hearing(d->turn, i, &h); i++) {
		row_begin(&t, 8);
		put_word(&t.rows, "source", h.name);
		put_word(&t.rows, "agency",
			 lk_agency_word(turn_agency_of(d->turn, lk_text_of(h.name))));
		verb_put_instant(&t.rows, "heard", h.heard_at);
		put_flag(&t.rows, "watched", h.watched);
		put_flag(&t.rows, "silent", h.silent);
		put_counts(&t, h.name);
	}
	table_end(&t);
}

/* ---- sessions ---- */

static void put_session(struct table *t, const char *lane, const char *client, int64_t quiet_us)
{
	row_begin(t, 6);
	put_word(&t->rows, "lane", lane);
	put_word(&t->rows, "client", client);
	verb_put_number(&t->rows, "quiet_s", quiet_us / LK_SECOND);
}

static void put_intake(void *context, const struct intake_look *look)
{
	struct table *t = context;

	put_session(t, "intake", look->client, look->quiet_us);
	verb_put_number(&t->rows, "for", (int64_t)look->streams);
	verb_put_number(&t->rows, "credit", look->open);
	lk_put_word(&t->rows, "waiting");
	lk_put_nil(&t->rows);
}

static void put_inbox(void *context, const struct inbox_look *look)
{
	struct table *t = context;

	put_session(t, "inbox", look->client, look->quiet_us);
	verb_put_number(&t->rows, "for", (int64_t)look->workers);
	verb_put_number(&t->rows, "credit", look->credit);
	verb_put_number(&t->rows, "waiting", look->waiting);
}

void verb_sessions(void *context, struct control *control, const struct control_asker *asker,
		   struct lk_span args)
{
	struct daemon *d = context;
	struct table t = { .d = d, .control = control, .asker = asker, .name = "sessions" };

	(void)args;
	intake_each(d->intake, put_intake, &t);
	inbox_each(d->inbox, put_inbox, &t);
	table_end(&t);
}

/* ---- workers ---- */

static int put_worker(void *context, const struct mailbox_depth *depth)
{
	struct table *t = context;
	const struct roster_client *reader =
		roster_reader(access_roster(t->d->access), depth->worker);

	if (t->only_unreachable && reader != NULL)
		return 0;
	row_begin(t, 4);
	lk_put_word(&t->rows, "worker");
	lk_put_text(&t->rows, depth->worker);
	lk_put_word(&t->rows, "client");
	lk_put_text(&t->rows, reader != NULL ? lk_text_of(reader->name) : LK_NO_TEXT);
	verb_put_number(&t->rows, "waiting", depth->waiting);
	verb_put_instant(&t->rows, "oldest", depth->oldest_at);
	return 0;
}

void verb_workers(void *context, struct control *control, const struct control_asker *asker,
		  struct lk_span args)
{
	struct daemon *d = context;
	struct table t = { .d = d, .control = control, .asker = asker, .name = "workers" };
	struct lk_error err = { 0 };
	int64_t after = 0;
	int rc;

	(void)lk_as_bool(lk_get(args, "unreachable"), &t.only_unreachable);
	do
		rc = store_mailbox_depths(d->store, &after, ROWS_A_PART, put_worker, &t, &err);
	while (rc == ROWS_A_PART);
	if (rc < 0) {
		verb_fail(control, asker, &err);
		lk_bytes_free(&t.rows);
		return;
	}
	table_end(&t);
}
