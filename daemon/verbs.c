/* verbs.c - what operators and auditors can ask, as one table; and the verbs that show no case content.
 *
 * In: arguments as they came. Out: a reply, or a refusal with a code and a sentence. Promise: an
 * operator sees ids, counts and kinds; what shows more is in verbs_case.c, for auditors.
 */
#include "daemon.h"

#include "alarm.h"
#include "census.h"
#include "feed.h"
#include "inbox.h"
#include "intake.h"
#include "log.h"
#include "metrics.h"
#include "policy.h"
#include "verbs.h"
#include "wake.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void verb_put_instant(struct lk_bytes *out, const char *key, lk_instant at)
{
	lk_put_word(out, key);
	if (at == LK_NO_INSTANT)
		lk_put_nil(out);
	else
		lk_put_time(out, (struct lk_time){ at, 0 });
}

int verb_case(struct lk_span args, struct case_key *key, struct lk_error *err)
{
	key->agency = lk_agency_code(lk_as_text(lk_get(args, "agency")));
	key->number = lk_as_text(lk_get(args, "case"));
	if (key->agency < 0)
		return lk_fail(err, LK_EREFUSED, "agency: cws or calworks");
	if (key->number.len < 1 || key->number.len > 32)
		return lk_fail(err, LK_EREFUSED, "case: the agency's case number");
	return 0;
}

/* A store that failed under a question: nothing is told, nothing is lost. */
void verb_fail(struct control *control, const struct control_asker *asker,
	       const struct lk_error *err)
{
	static const struct {
		int fault;
		const char *code;
	} codes[] = { { LK_ENOTFOUND, "not_found" },
		      { LK_ESTATE, "not_now" },
		      { LK_EREFUSED, "bad_value" },
		      { LK_ECONFIG, "refused" } };
	const char *code = "busy";

	for (size_t i = 0; i < sizeof(codes) / sizeof(*codes); i++)
		if (codes[i].fault == err->code)
			code = codes[i].code;
	control_refuse(control, asker, code, err->text);
}

/* ---- Rows in parts ---- */

#define ROWS_A_PART 200 /* of ten values each: a message has room for four times as many */

static void part_send(struct verb_rows *t, bool more)
{
	struct lk_bytes body = { 0 };

	lk_put_map(&body, 1);
	lk_put_word(&body, t->name);
	lk_put_array(&body, t->n);
	lk_put_raw(&body, t->rows.at, t->rows.len);
	body.failed |= t->rows.failed;
	control_reply(t->control, t->asker, more, &body);
	lk_bytes_free(&body);
	lk_bytes_clear(&t->rows);
	t->n = 0;
}

void verb_row_begin(struct verb_rows *t, uint32_t members)
{
	if (t->n == ROWS_A_PART)
		part_send(t, true);
	lk_put_map(&t->rows, members);
	t->n++;
}

void verb_rows_end(struct verb_rows *t)
{
	part_send(t, false);
	lk_bytes_free(&t->rows);
}

void verb_rows_fail(struct verb_rows *t, const struct lk_error *err)
{
	verb_fail(t->control, t->asker, err);
	lk_bytes_free(&t->rows);
}

/* ---- status ---- */

static void put_known(struct lk_bytes *out, const char *key, bool known, int64_t value)
{
	lk_put_word(out, key);
	if (known)
		lk_put_int(out, value);
	else
		lk_put_nil(out);
}

static void put_counts(struct lk_bytes *out, const struct store_counts *c)
{
	const struct {
		const char *name;
		int64_t value;
	} counts[] = {
		{ "events", c->events },   { "dead_letters", c->dead_letters },
		{ "cases", c->cases },     { "workers", c->workers },
		{ "notices", c->notices }, { "ledger_rows", c->ledger_rows },
		{ "bytes", c->bytes },     { "wal_bytes", c->wal_bytes },
	};
	const size_t n = sizeof(counts) / sizeof(*counts);

	lk_put_map(out, (uint32_t)n);
	for (size_t i = 0; i < n; i++)
		lk_member_int(out, counts[i].name, counts[i].value);
}

/* As the last look in idle bites found it; nil before there was one. */
static void put_waiting(struct daemon *d, struct lk_bytes *body)
{
	struct census_count count;
	bool known = census_count(d->census, &count);
	int64_t behind = turn_behind(d->turn);

	lk_put_map(body, 6);
	lk_member_int(body, "unanswered", turn_unanswered(d->turn));
	put_known(body, "families", known, count.families);
	put_known(body, "behind", behind != TURN_UNCOUNTED, behind);
	put_known(body, "mailboxes", known, count.mailboxes);
	put_known(body, "notices", known, count.notices);
	verb_put_instant(body, "oldest", known ? count.oldest_at : LK_NO_INSTANT);
}

static void put_status(struct daemon *d, const struct store_counts *counts, struct lk_bytes *body)
{
	char revision[LK_DIGEST_HEX];

	lk_digest_hex(d->policy->revision, revision);
	lk_put_map(body, 13);
	lk_member_word(body, "version", LINKAGES_VERSION);
	lk_member_word(body, "clock", clock_word(&d->clock));
	verb_put_instant(body, "now", clock_now(&d->clock));
	verb_put_instant(body, "started", d->started_at);
	verb_put_instant(body, "next_wake", wake_next(d->wake));
	lk_member_word(body, "policy", revision);
	lk_put_word(body, "alarms");
	alarms_put(body);
	lk_put_word(body, "store");
	put_counts(body, counts);
	lk_put_word(body, "waiting");
	put_waiting(d, body);
	lk_put_word(body, "feed");
	feed_put(d->feed, body);
	lk_put_word(body, "intake");
	intake_put(d->intake, body);
	lk_put_word(body, "inbox");
	inbox_put(d->inbox, body);
	lk_put_word(body, "counters");
	metrics_put(body);
}

void verb_status(void *context, struct control *control, const struct control_asker *asker,
		 struct lk_span args)
{
	struct daemon *d = context;
	struct store_counts counts;
	struct lk_bytes body = { 0 };
	struct lk_error err = { 0 };

	(void)args;
	if (store_counts(d->store, &counts, &err) < 0) {
		verb_fail(control, asker, &err);
		return;
	}
	put_status(d, &counts, &body);
	control_reply(control, asker, false, &body);
	lk_bytes_free(&body);
}

/* ---- policy-check ---- */

#define POLICY_MOST (128u * 1024)
#define POLICY_NAME 256

static void put_policy(const struct daemon *d, const struct policy *policy, struct lk_bytes *body)
{
	char revision[LK_DIGEST_HEX];

	lk_digest_hex(policy->revision, revision);
	lk_put_map(body, 2);
	lk_member_word(body, "policy", revision);
	lk_member_bool(body, "in_force",
		       memcmp(policy->revision, d->policy->revision, LK_DIGEST) == 0);
}

static int check_policy(const struct daemon *d, const char *name, struct lk_text text,
			struct lk_bytes *body, struct lk_error *err)
{
	struct policy *policy = calloc(1, sizeof(*policy));
	int rc;

	if (policy == NULL)
		return lk_fail(err, LK_EMEMORY, "no memory for a policy");
	rc = policy_parse(name, text.at, text.len, policy, err);
	if (rc == 0)
		put_policy(d, policy, body);
	free(policy);
	return rc;
}

/* Asked of the daemon that would read the file: its version, its time zones. Nothing is changed. */
void verb_policy_check(void *context, struct control *control, const struct control_asker *asker,
		       struct lk_span args)
{
	struct lk_text text = lk_as_text(lk_get(args, "text"));
	struct lk_text name = lk_as_text(lk_get(args, "name"));
	struct lk_bytes body = { 0 };
	struct lk_error err = { 0 };
	char named[POLICY_NAME];

	if (!lk_text_given(text) || text.len > POLICY_MOST || name.len >= sizeof(named)) {
		control_refuse(control, asker, "bad_value",
			       "text: a policy file, up to 128 KiB; name: how complaints name it");
		return;
	}
	(void)snprintf(named, sizeof(named), "%.*s", LK_PRINT(name));
	if (check_policy(context, named, text, &body, &err) < 0)
		verb_fail(control, asker, &err);
	else
		control_reply(control, asker, false, &body);
	lk_bytes_free(&body);
}

/* ---- clock ---- */

static void moved(void *context, const struct lk_error *err)
{
	struct daemon *d = context;
	struct lk_bytes body = { 0 };

	feed_resume(d->feed);
	intake_resume(d->intake);
	if (err != NULL) {
		verb_fail(d->control, &d->mover, err);
		return;
	}
	lk_put_map(&body, 2);
	lk_member_word(&body, "clock", clock_word(&d->clock));
	verb_put_instant(&body, "now", clock_now(&d->clock));
	control_reply(d->control, &d->mover, false, &body);
	lk_bytes_free(&body);
}

static bool is_named(struct lk_span names, const char *name)
{
	struct lk_span key, value;
	size_t cursor = 0;

	while (lk_count(names) > 0 && lk_next(names, &cursor, &key, &value))
		if (lk_text_says(lk_as_text(value), name))
			return true;
	return false;
}

/* Where time is moved by hand nobody sends meanwhile: a source is silent if the move says so,
 * and else alive. */
static void note_silence(struct daemon *d, struct lk_span names)
{
	for (size_t i = 0; i < d->config.sources_n; i++) {
		struct lk_text source = lk_text_of(d->config.sources[i].name);
		bool silent = is_named(names, d->config.sources[i].name);

		if (!silent || !d->silent[i])
			turn_heard(d->turn, source, clock_now(&d->clock));
		turn_watch(d->turn, source, silent);
		d->silent[i] = silent;
	}
}

/* Events would come at an instant that is neither the old nor the new: they wait until the clock
 * stands. */
void verb_clock(void *context, struct control *control, const struct control_asker *asker,
		struct lk_span args)
{
	struct daemon *d = context;
	struct lk_time to;
	struct lk_error err = { 0 };

	if (lk_time_parse(lk_as_text(lk_get(args, "to")), &to) < 0) {
		control_refuse(control, asker, "bad_value", "to: an RFC 3339 time with its offset");
		return;
	}
	if (wake_advance(d->wake, to.at, moved, d, &err) < 0) {
		verb_fail(control, asker, &err);
		return;
	}
	note_silence(d, lk_get(args, "silent"));
	d->mover = *asker;
	feed_pause(d->feed);
	intake_pause(d->intake);
}

/* Wakes go on, from what the machine's clock says now. */
void verb_clock_accept(void *context, struct control *control, const struct control_asker *asker,
		       struct lk_span args)
{
	struct daemon *d = context;
	struct lk_error err = { 0 };
	struct lk_bytes body = { 0 };

	(void)args;
	if (clock_accept(&d->clock, &err) < 0) {
		verb_fail(control, asker, &err);
		return;
	}
	log_line(LOG_NOTE, "clock outcome=accepted client=%s", asker->client);
	wake_now(d->wake);
	lk_put_map(&body, 2);
	verb_put_instant(&body, "machine", clock_read().machine);
	verb_put_instant(&body, "now", clock_now(&d->clock));
	control_reply(control, asker, false, &body);
	lk_bytes_free(&body);
}

/* ---- reload, stop ---- */

void verb_reload(void *context, struct control *control, const struct control_asker *asker,
		 struct lk_span args)
{
	const char *unread[lk_agency_count];
	struct lk_bytes body = { 0 };
	struct lk_error err = { 0 };
	uint32_t n = 0;

	(void)args;
	if (daemon_reload(context, &err) < 0) {
		verb_fail(control, asker, &err);
		return;
	}
	for (int agency = 0; agency < lk_agency_count; agency++)
		if ((unread[n] = daemon_unread(context, agency)) != NULL)
			n++;
	lk_put_map(&body, 1);
	lk_put_word(&body, "unreachable");
	lk_put_array(&body, n);
	for (uint32_t i = 0; i < n; i++)
		lk_put_word(&body, unread[i]);
	control_reply(control, asker, false, &body);
	lk_bytes_free(&body);
}

void verb_stop(void *context, struct control *control, const struct control_asker *asker,
	       struct lk_span args)
{
	(void)args;
	control_reply(control, asker, false, NULL);
	daemon_drain(context);
}

#define VERB_ROW(name, role, answer) { name, ROLE_##role, answer },
const struct control_verb daemon_verbs[] = { DAEMON_VERBS(VERB_ROW) };
const size_t daemon_verbs_n = sizeof(daemon_verbs) / sizeof(*daemon_verbs);
