/* rig.c - plays deeds on the store and the turn, and remembers what was promised meanwhile.
 *
 * In: a history as a script. Out: what the turn answered; what it broke. Promise: an event counts as acknowledged, a notice
 * as told, at the very moment at which the daemon would say so on its sockets.
 */
#include "rig.h"

#include "store/internal.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define BATCH_MAX 7
#define PASSES_MOST 10000 /* a family is done in one, and there are some dozens */
#define LOG_ROOM \
	200000 /* bytes: less than a batch or two write, so that both kinds of log are tried */

static void *must(void *at)
{
	if (at == NULL)
		abort();
	return at;
}

void rig_wrong(struct rig *r, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	if (r->wrong++ == 0)
		(void)vsnprintf(r->what, sizeof(r->what), format, list);
	va_end(list);
}

/* ---- Scripts ------------------------------------------------------------------------------------------------------- */

static void script_add(struct script *s, struct deed deed)
{
	s->deed = must(realloc(s->deed, (s->deed_n + 1) * sizeof(*s->deed)));
	s->deed[s->deed_n++] = deed;
}

/* As many events as the dice say become one batch, up to a step that is none. The step after it. */
static uint32_t script_batch(struct script *s, uint32_t step, int64_t seq[HISTORY_SOURCES],
			     struct dice *dice)
{
	struct deed deed = { .kind = DEED_BATCH, .from = s->sent_n };
	uint32_t most = (uint32_t)dice_from(dice, 1, BATCH_MAX);

	for (; step < s->o.n && s->o.at[step].kind == STEP_EVENT && most-- > 0; step++) {
		const struct said *said = &s->h->at[s->o.at[step].event];

		s->sent[s->sent_n++] = (struct sent){ said, ++seq[said->source] };
		deed.now = s->o.at[step].at;
	}
	deed.until = s->sent_n;
	script_add(s, deed);
	return step;
}

struct script *script_roll(uint64_t seed, const struct policy *policy)
{
	struct script *s = must(calloc(1, sizeof(*s)));
	struct dice dice = { seed };
	int64_t seq[HISTORY_SOURCES] = { 0 };
	uint32_t step = 0;

	s->h = history_roll(&dice, &policy->zone);
	s->o = order_roll(s->h, ARRIVE_ANYHOW, true, &dice);
	s->sent = must(calloc(s->o.n + 1, sizeof(*s->sent)));
	while (step < s->o.n) {
		const struct step *at = &s->o.at[step];

		if (at->kind == STEP_EVENT)
			step = script_batch(s, step, seq, &dice);
		else
			step++;
		if (at->kind != STEP_EVENT)
			script_add(s,
				   (struct deed){ at->kind == STEP_ACK ? DEED_ANSWERS : DEED_BATCH,
						  at->at, s->sent_n, s->sent_n, at->worker });
		if (dice_percent(&dice, 15))
			script_add(s, (struct deed){ .kind = DEED_IDLE });
		if (dice_percent(&dice, 4))
			script_add(s, (struct deed){ .kind = DEED_RESTART });
	}
	script_add(s, (struct deed){ DEED_BATCH, s->o.ends, s->sent_n, s->sent_n, 0 });
	return s;
}

void script_free(struct script *s)
{
	order_free(&s->o);
	history_free(s->h);
	free(s->sent);
	free(s->deed);
	free(s);
}

/* ---- Outside ------------------------------------------------------------------------------------------------------- */

static int worker_index(struct lk_text worker)
{
	for (int i = 0; i < HISTORY_WORKERS; i++)
		if (lk_text_says(worker, history_worker(i)))
			return i;
	return -1;
}

static void told(void *context, struct lk_text worker, int64_t seq)
{
	struct rig *r = context;
	int i = worker_index(worker);

	if (i >= 0)
		r->outside.told[i] = seq;
}

struct epoch {
	uint8_t id[LK_DIGEST];
};

static struct epoch epoch_of(const struct rig *r, int source)
{
	return (struct epoch){ { (uint8_t)(source + 1), r->outside.era } };
}

void rig_renew(struct rig *r)
{
	r->outside.era++;
	r->keeps_all = false;
}

static int ignore_letter(void *context, const struct dead_letter *letter)
{
	(void)context;
	(void)letter;
	return 0;
}

static int64_t outbox_end(const struct rig *r, int source)
{
	int64_t end = 0;

	for (uint32_t i = 0; i < r->script->sent_n; i++)
		end += r->script->sent[i].said->source == source;
	return end;
}

static int subscribe(struct rig *r, int source, struct stored_stream *out)
{
	struct epoch epoch = epoch_of(r, source);

	return turn_subscribe(r->turn, lk_text_of(history_sources[source].name), epoch.id, 1,
			      outbox_end(r, source), r->outside.acked[source], out, ignore_letter,
			      NULL, &r->err);
}

/* A mailbox of another name begins anew for its worker, who is shown all that it holds. */
static int open_mailboxes(struct rig *r)
{
	struct stored_mailbox box;

	for (int i = 0; i < HISTORY_WORKERS; i++) {
		int rc = turn_mailbox_get(r->turn, lk_text_of(history_worker(i)), &box, &r->err);

		if (rc < 0)
			return rc;
		if (memcmp(r->outside.mailbox[i], box.id, LK_DIGEST) != 0)
			r->outside.told[i] = box.next - 1;
		memcpy(r->outside.mailbox[i], box.id, LK_DIGEST);
		if (box.next <= r->outside.told[i])
			rig_wrong(r, "a told notice is lost: %lld of %s",
				  (long long)r->outside.told[i], history_worker(i));
	}
	return 0;
}

/* ---- Life ---------------------------------------------------------------------------------------------------------- */

static int make_turn(struct rig *r)
{
	const struct turn_options options = {
		.store = r->store,
		.policy = r->policy,
		.sources = history_sources,
		.sources_n = HISTORY_SOURCES,
		.sink = { .context = r, .told = told },
	};
	return turn_create(&options, &r->turn, &r->err);
}

/* Rows fall behind as far as they may, and hardly any family stays in memory. */
static const struct held_bounds few = { 8, SIZE_MAX, 4000, 8000 };

int rig_open(struct rig *r)
{
	const struct store_options options = {
		.directory = CRASH_DIRECTORY,
		.lag = 8,
		.log_room = LOG_ROOM,
		.beside = r->is_beside,
	};
	int rc = store_open(&options, &r->store, &r->err);

	if (rc == 0) {
		r->store->held.bounds = few;
		rc = make_turn(r);
	}
	if (rc == 0)
		rc = open_mailboxes(r);
	if (rc < 0)
		rig_close(r);
	return rc;
}

void rig_close(struct rig *r)
{
	turn_destroy(r->turn);
	store_close(r->store);
	r->turn = NULL;
	r->store = NULL;
}

/* ---- Deeds --------------------------------------------------------------------------------------------------------- */

static int pass(struct rig *r, lk_instant now)
{
	int more = 1;

	r->outside.now = now;
	for (int n = 0; more > 0 && n < PASSES_MOST; n++)
		more = turn_pass(r->turn, now, &r->err);
	r->is_endless |= more > 0;
	if (more > 0)
		rig_wrong(r, "what falls due comes to no end");
	return more < 0 ? more : 0;
}

/* What the daemon has not got up to here, as its subscription says: it may ask for what it had before. */
static int batch_fill(struct rig *r, uint32_t until, struct turn_event *in, size_t *n)
{
	struct stored_stream stream[HISTORY_SOURCES] = { 0 };
	int rc = 0;

	for (int i = 0; rc >= 0 && i < HISTORY_SOURCES; i++) {
		rc = subscribe(r, i, &stream[i]);
		r->replays |= rc >= 0 && stream[i].next <= r->outside.acked[i];
	}
	for (uint32_t i = 0; rc >= 0 && i < until; i++) {
		const struct sent *s = &r->script->sent[i];
		const int source = s->said->source;

		if (s->seq < stream[source].next)
			continue;
		in[*n] = (struct turn_event){ .bytes = s->said->wire.at,
					      .len = s->said->wire.len,
					      .source = lk_text_of(history_sources[source].name),
					      .has_outbox_seq = true,
					      .seq = s->seq };
		struct epoch epoch = epoch_of(r, source);

		memcpy(in[(*n)++].epoch, epoch.id, LK_DIGEST);
	}
	return rc;
}

/* A batch is in the log whole or not at all; unless the daemon said that it must have lost something. */
static int send_all(struct rig *r, const struct deed *deed, struct turn_event *in,
		    struct turn_verdict *verdicts)
{
	size_t n = 0;
	int rc;

	r->replays = false;
	rc = batch_fill(r, deed->until, in, &n);
	if (rc >= 0 && !r->replays && n != 0 && n != deed->until - deed->from)
		rig_wrong(r, "half of a batch is stored");
	if (rc >= 0 && r->replays && r->keeps_all)
		rig_wrong(r, "the daemon asks again for what it has acknowledged");
	return rc >= 0 && n > 0 ? turn_events(r->turn, deed->now, in, n, verdicts, &r->err) : rc;
}

static int do_batch(struct rig *r, const struct deed *deed)
{
	struct turn_event *in = must(calloc(r->script->sent_n, sizeof(*in)));
	struct turn_verdict *verdicts = must(calloc(r->script->sent_n, sizeof(*verdicts)));
	int rc = send_all(r, deed, in, verdicts);

	for (uint32_t i = deed->from; rc >= 0 && i < deed->until; i++)
		r->outside.acked[r->script->sent[i].said->source] = r->script->sent[i].seq;
	free(in);
	free(verdicts);
	if (rc >= 0 && r->is_beside)
		beside_ask(r->store); /* as if the log were long */
	return rc < 0 ? rc : pass(r, deed->now);
}

int rig_replay(struct rig *r)
{
	struct deed again = { .kind = DEED_BATCH, .now = r->outside.now };

	for (uint32_t i = 0; i < r->outside.done; i++)
		if (r->script->deed[i].until > again.until)
			again.until = r->script->deed[i].until;
	again.from = again.until;
	return do_batch(r, &again);
}

struct answering {
	struct rig *r;
	const struct deed *deed;
	uint8_t id[64][LK_DIGEST];
	int n;
};

static int note_id(void *context, const struct stored_notice *notice)
{
	struct answering *a = context;

	if (a->n < 64 && notice->seq <= a->r->outside.answers_upto)
		memcpy(a->id[a->n++], notice->id, LK_DIGEST);
	return 0;
}

/* All that the worker had been told when the deed began. */
static int do_answers(struct rig *r, const struct deed *deed)
{
	const struct lk_text worker = lk_text_of(history_worker(deed->worker));
	struct answering a = { .r = r, .deed = deed };
	int rc = pass(r, deed->now);

	if (rc >= 0 && r->outside.answering != r->outside.done + 1) {
		r->outside.answering = r->outside.done + 1;
		r->outside.answers_upto = r->outside.told[deed->worker];
	}
	if (rc >= 0)
		rc = store_notices_after(r->store, worker, 0, 64, note_id, &a, &r->err);
	for (int i = 0; rc >= 0 && i < a.n; i++) {
		rc = turn_answer(r->turn, worker, a.id[i], deed->now, &r->err);
		if (rc == LK_ENOTFOUND)
			rc = 0; /* taken back for good: the worker is told so */
	}
	const struct turn_receipt receipt = { worker, r->outside.answers_upto };
	return rc < 0 ? rc : turn_receipts(r->turn, &receipt, 1, &r->err);
}

static int do_idle(struct rig *r, const struct deed *deed)
{
	int more = 1;

	(void)deed;
	while (more > 0)
		more = turn_idle(r->turn, &r->err);
	for (more = more < 0 ? more : 1; more > 0;) /* as if many families waited for it */
		more = store_write_back(r->store, &r->err);
	return more;
}

static int do_restart(struct rig *r, const struct deed *deed)
{
	(void)deed;
	rig_close(r);
	return rig_open(r);
}

int rig_go(struct rig *r, uint32_t until)
{
	static int (*const does[])(struct rig *, const struct deed *) = { do_batch, do_answers,
									  do_idle, do_restart };

	while (r->outside.done < until) {
		const struct deed *deed = &r->script->deed[r->outside.done];
		int rc = r->turn == NULL ? rig_open(r) : 0;

		if (rc >= 0)
			rc = does[deed->kind](r, deed);
		if (rc < 0)
			return rc;
		r->outside.done++;
	}
	return 0;
}

/* ---- What must hold ------------------------------------------------------------------------------------------------ */

static int note_found(void *context, const struct stored_event *event)
{
	struct lk_bytes *body = context;

	lk_bytes_clear(body);
	lk_bytes_add(body, event->body, event->body_len);
	return 0;
}

/* Its subject, or the other case of a link. */
static bool names_gone(const struct rig *r, const struct said *said)
{
	char value[20];

	for (size_t i = 0; i < r->gone_n; i++) {
		(void)snprintf(value, sizeof(value), "\"%s\"", r->gone[i].number);
		if (strstr(said->json, value) != NULL)
			return true;
	}
	return false;
}

static void check_event(struct rig *r, const struct sent *s)
{
	bool is_gone = names_gone(r, s->said);
	struct lk_bytes found = { 0 }, sent = { 0 };
	int rc = store_event_find(r->store, s->said->event.source, s->said->event.id, note_found,
				  &found, &r->err);

	if (is_gone && rc != 0)
		rig_wrong(r, "an expunged event is there: seq %lld", (long long)s->seq);
	else if (!is_gone && rc != 1)
		rig_wrong(r, "an acknowledged event is lost: seq %lld (%d: %s)", (long long)s->seq,
			  rc, rc < 0 ? r->err.text : "not there");
	else if (!is_gone && (lk_wire_canonical(s->said->wire.at, s->said->wire.len, &sent) < 0 ||
			      sent.len != found.len || memcmp(sent.at, found.at, sent.len) != 0))
		rig_wrong(r, "an acknowledged event is another: seq %lld", (long long)s->seq);
	lk_bytes_free(&found);
	lk_bytes_free(&sent);
}

void rig_stream(struct rig *r, struct store *s, int source, struct stored_stream *out)
{
	struct epoch epoch = epoch_of(r, source);

	*out = (struct stored_stream){ .next = 1 };
	if (store_stream_get(s, lk_text_of(history_sources[source].name), epoch.id, out, &r->err) <
	    0)
		rig_wrong(r, "a stream cannot be read: %s", r->err.text);
}

static void check_streams(struct rig *r)
{
	for (int i = 0; i < HISTORY_SOURCES; i++) {
		struct stored_stream stream;

		rig_stream(r, r->store, i, &stream);
		if (stream.next < stream.safe + 1)
			rig_wrong(r, "a stream says what is not so: %s", r->err.text);
	}
}

struct dense {
	int64_t expected;
	struct lk_bytes *all; /* may be NULL */
};

static int note_row(void *context, const struct stored_notice *notice)
{
	struct dense *d = context;

	if (notice->seq != d->expected++)
		return 1;
	if (d->all == NULL)
		return 0;
	lk_bytes_add(d->all, notice->worker.at, notice->worker.len);
	lk_bytes_add(d->all, &notice->seq, sizeof(notice->seq));
	lk_bytes_add(d->all, notice->id, LK_DIGEST);
	lk_bytes_add(d->all, &notice->rev, sizeof(notice->rev));
	lk_notice_encode(notice->said, d->all);
	return 0;
}

static void walk_mailbox(struct rig *r, const char *worker, struct lk_bytes *all)
{
	struct stored_mailbox box = { 0 };
	struct dense dense = { 1, all };
	int rc = turn_mailbox_get(r->turn, lk_text_of(worker), &box, &r->err);

	if (rc >= 0)
		rc = store_notices_after(r->store, lk_text_of(worker), 0, 1 << 20, note_row, &dense,
					 &r->err);
	if (rc < 0)
		rig_wrong(r, "the mailbox of %s cannot be read: %s", worker, r->err.text);
	else if (rc == 1 || dense.expected != box.next)
		rig_wrong(r, "the mailbox of %s is not dense", worker);
}

static void check_ledger(struct rig *r)
{
	struct store_mark mark;
	struct ledger_check check = { .known = &mark.head, .known_n = 1 };
	int more = 1;

	store_mark_found(r->store, &mark);
	if (mark.state == MARK_BEHIND || mark.state == MARK_REWRITTEN)
		rig_wrong(r, "the database is not where its mark is");
	if (mark.state == MARK_NONE || mark.state == MARK_UNREAD)
		check.known_n = 0;
	while (more > 0)
		more = store_ledger_check(r->store, &check, 1000, &r->err);
	if (more < 0 || check.broken != 0)
		rig_wrong(r, "the ledger does not hold: %s", more < 0 ? r->err.text : check.why);
}

static void note_damaged(void *context, const char *what)
{
	rig_wrong(context, "rows are taken for damaged: %s", what);
}

/* What the scrubber would say of it. */
static void check_rows(struct rig *r)
{
	struct store_check check = { .damaged = note_damaged, .context = r };
	int more = 1;

	while (more > 0)
		more = store_check(r->store, &check, 1000, &r->err);
	if (more < 0)
		rig_wrong(r, "the rows cannot be looked at: %s", r->err.text);
}

void rig_check(struct rig *r)
{
	check_rows(r);
	check_ledger(r);
	check_streams(r);
	for (uint32_t i = 0; i < r->script->sent_n; i++)
		if (r->script->sent[i].seq <= r->outside.acked[r->script->sent[i].said->source])
			check_event(r, &r->script->sent[i]);
	for (int i = 0; i < HISTORY_WORKERS; i++)
		walk_mailbox(r, history_worker(i), NULL);
}

void rig_mail(struct rig *r, uint8_t digest[LK_DIGEST])
{
	struct lk_bytes all = { 0 };

	for (int i = 0; i < HISTORY_WORKERS; i++)
		walk_mailbox(r, history_worker(i), &all);
	if (all.failed)
		abort();
	lk_digest(all.at, all.len, NULL, digest);
	lk_bytes_free(&all);
}

static int64_t notices_of(struct rig *r)
{
	struct store_counts counts = { 0 };

	if (store_counts(r->store, &counts, &r->err) < 0)
		rig_wrong(r, "the store cannot count: %s", r->err.text);
	return counts.notices;
}

void rig_check_compare(struct rig *r)
{
	static struct policy other;
	int64_t before = notices_of(r);

	other = *r->policy;
	other.revision[0] ^= 0x55;
	if (turn_policy(r->turn, &other, &r->err) < 0 || pass(r, r->outside.now) < 0)
		rig_wrong(r, "the families cannot be made anew: %s", r->err.text);
	else if (notices_of(r) != before)
		rig_wrong(r, "a second settling tells something else");
}

static void rebuilt_check(struct rig *r, const struct turn_rebuilt *found)
{
	if (found->folds > 0)
		rig_wrong(r, "%lld families are not what the log says", (long long)found->folds);
	if (found->rows > 0 || found->orphans > 0)
		rig_wrong(r, "state.db has other rows of %lld families, and %lld of none",
			  (long long)found->rows, (long long)found->orphans);
}

void rig_check_state(struct rig *r)
{
	struct turn_rebuilding *rebuilding = NULL;
	struct turn_rebuilt found = { 0 };
	int more = turn_rebuild(r->turn, &rebuilding, &r->err) < 0 ? -1 : 1;

	while (more > 0)
		more = turn_rebuild_step(rebuilding, &r->err);
	if (more == 0)
		turn_rebuild_told(rebuilding, &found);
	else
		rig_wrong(r, "what follows from the log cannot be made anew: %s", r->err.text);
	turn_rebuild_end(rebuilding);
	rebuilt_check(r, &found);
}
