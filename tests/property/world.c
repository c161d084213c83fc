/* world.c - plays an order through the turn and keeps what was told.
 *
 * In: a history, an order, a policy. Out: tellings, standing notices, states.
 * Promise: time moves as in linkages-sim: up to a step, the step, whatever it brought due; but an event ahead of its
 * time waits in the log as it does in the daemon.
 */
#include "../unit/beside.h"
#include "engine/family.h"
#include "world.h"

#include <stdlib.h>
#include <string.h>

static void out_of_memory(void)
{
	fputs("no memory for the test itself\n", stderr);
	abort();
}

static void hear(void *context, const void *body, size_t len)
{
	struct world *w = context;
	if (w->hearing != NULL)
		w->hearing();
	if (w->heard_n == w->heard_room) {
		w->heard_room = w->heard_room == 0 ? 64 : w->heard_room * 2;
		w->heard = realloc(w->heard, w->heard_room * sizeof(*w->heard));
		if (w->heard == NULL)
			out_of_memory();
	}
	struct heard *n = &w->heard[w->heard_n++];
	*n = (struct heard){ .known = w->known };
	lk_bytes_add(&n->body, body, len);
	if (n->body.failed)
		out_of_memory();
	if (lk_notice_decode(n->body.at, n->body.len, &n->notice, &w->err) < 0) {
		fprintf(stderr, "a notice that cannot be read: %s\n", w->err.text);
		abort();
	}
}

static void make_turn(struct world *w)
{
	struct turn_options options = {
		.store = w->store,
		.policy = w->policy,
		.sources = history_sources,
		.sources_n = HISTORY_SOURCES,
		.sink = { .context = w, .each = hear },
	};
	if (turn_create(&options, &w->turn, &w->err) < 0) {
		fprintf(stderr, "no turn: %s\n", w->err.text);
		abort();
	}
}

void world_open(struct world *w, const struct history *h, const struct order *o,
		const struct policy *policy)
{
	const struct store_options in_memory = { .directory = NULL };
	*w = (struct world){ .h = h, .o = o, .policy = policy, .now = LK_NO_INSTANT };
	if (store_open(&in_memory, &w->store, &w->err) < 0) {
		fprintf(stderr, "no store: %s\n", w->err.text);
		abort();
	}
	make_turn(w);
}

void world_close(struct world *w)
{
	turn_destroy(w->turn);
	store_close(w->store);
	for (uint32_t i = 0; i < w->heard_n; i++)
		lk_bytes_free(&w->heard[i].body);
	free(w->heard);
	*w = (struct world){ 0 };
}

int world_share(struct world *w)
{
	int rc = turn_start_reader(w->turn, &w->err);
	if (rc >= 0)
		pack_by_both(w->turn);
	return rc;
}

void world_shorten(struct world *w)
{
	w->turn->homes_most = 16000;
}

void world_restart(struct world *w)
{
	turn_destroy(w->turn);
	make_turn(w);
}

/* ---- Commits that fail ------------------------------------------------------------------------- */

static int refuse(void *context)
{
	struct world *w = context;
	w->was_refused = w->refusals > 0;
	w->refusals -= w->was_refused;
	return w->was_refused;
}

static void tried_first(struct world *w)
{
	w->refusals = w->is_failing ? w->tried++ % 3 : 0;
	(void)sqlite3_commit_hook(w->store->db, refuse, w);
}

/* Because its commit was refused. */
static bool is_to_be_tried_again(struct world *w, int rc)
{
	bool was_refused = w->was_refused;
	w->was_refused = false;
	return rc < 0 && was_refused;
}

/* ---- Playing ----------------------------------------------------------------------------------- */

static int pass_once(struct world *w)
{
	int rc;
	tried_first(w);
	do
		rc = turn_pass(w->turn, w->now, &w->err);
	while (is_to_be_tried_again(w, rc));
	return rc;
}

int world_pass(struct world *w, lk_instant to)
{
	int more = 1;
	if (w->now == LK_NO_INSTANT || to > w->now)
		w->now = to;
	while (more > 0)
		more = pass_once(w);
	return more;
}

int world_refold(struct world *w, const struct policy *policy)
{
	w->policy = policy;
	int rc = turn_policy(w->turn, policy, &w->err);
	return rc < 0 ? rc : world_pass(w, w->now);
}

static struct turn_event event_of(struct world *w, const struct said *s)
{
	return (struct turn_event){
		.bytes = s->wire.at,
		.len = s->wire.len,
		.source = s->event.source,
		.has_outbox_seq = !w->o->by_feed,
		.seq = w->o->by_feed ? 0 : ++w->next_seq[s->source],
	};
}

static int hand_in(struct world *w, const struct turn_event *events, size_t n)
{
	static struct turn_verdict verdicts[WORLD_BATCH_MAX];
	int rc;
	tried_first(w);
	do
		rc = turn_events(w->turn, w->now, events, n, verdicts, &w->err);
	while (is_to_be_tried_again(w, rc));
	for (size_t i = 0; rc >= 0 && i < n; i++)
		if (verdicts[i].outcome != TURN_APPLIED)
			rc = lk_fail(&w->err, LK_EREFUSED, "refused: %s %s",
				     verdicts[i].refused.field, verdicts[i].refused.detail);
	return rc;
}

static int arrive(struct world *w, const struct said *s)
{
	struct turn_event in = event_of(w, s);
	int rc = hand_in(w, &in, 1);
	return rc < 0 ? rc : world_pass(w, w->now);
}

static int answer(struct world *w, struct lk_text worker, const uint8_t id[LK_DIGEST])
{
	int rc;
	tried_first(w);
	do
		rc = turn_answer(w->turn, worker, id, w->now, &w->err);
	while (is_to_be_tried_again(w, rc));
	return rc == LK_ENOTFOUND ? 0 : rc; /* taken back for good: the worker is told so */
}

static int acknowledge(struct world *w, struct lk_text worker)
{
	for (uint32_t i = 0; i < w->heard_n; i++) {
		uint8_t id[LK_DIGEST];
		if (!lk_text_is(w->heard[i].notice.to, worker) ||
		    lk_digest_parse(lk_text_of(w->heard[i].notice.id), id) < 0)
			continue;
		int rc = answer(w, worker, id);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int world_step(struct world *w, uint32_t step)
{
	const struct step *s = &w->o->at[step];
	int rc = world_pass(w, s->at);
	w->known = step + 1;
	if (rc < 0)
		return rc;
	if (s->kind == STEP_EVENT)
		return arrive(w, &w->h->at[s->event]);
	return s->kind == STEP_ACK ? acknowledge(w, lk_text_of(history_worker(s->worker))) : 0;
}

int world_run(struct world *w)
{
	for (uint32_t i = 0; i < w->o->n; i++) {
		int rc = w->o->at[i].left_out ? 0 : world_step(w, i);
		if (rc < 0)
			return rc;
	}
	return world_pass(w, w->o->ends);
}

#define SMALL_BATCH 40

/* Events in a row from this step on, as many as the step's own number says, in one batch of four all that are there. */
static uint32_t batch_from(struct world *w, uint32_t first, struct turn_event *in, size_t *n)
{
	uint64_t tie = w->o->at[first].tie;
	uint32_t i = first,
		 most = tie % 4 == 0 ? WORLD_BATCH_MAX : 2 + (uint32_t)(tie % (SMALL_BATCH - 1));
	for (*n = 0; i < w->o->n && *n < most && w->o->at[i].kind == STEP_EVENT; i++)
		if (!w->o->at[i].left_out)
			in[(*n)++] = event_of(w, &w->h->at[w->o->at[i].event]);
	return i;
}

static int take_batch(struct world *w, const struct turn_event *in, size_t n, bool at_once)
{
	int rc = at_once ? hand_in(w, in, n) : 0;
	for (size_t i = 0; rc >= 0 && !at_once && i < n; i++)
		rc = hand_in(w, &in[i], 1);
	return rc < 0 ? rc : world_pass(w, w->now);
}

int world_run_batches(struct world *w, bool at_once)
{
	struct turn_event in[WORLD_BATCH_MAX];
	size_t n;
	int rc = 0;
	for (uint32_t i = 0; rc >= 0 && i < w->o->n;) {
		if (w->o->at[i].left_out || w->o->at[i].kind != STEP_EVENT) {
			rc = w->o->at[i].left_out ? 0 : world_step(w, i);
			i++;
			continue;
		}
		i = batch_from(w, i, in, &n);
		w->known = i;
		rc = world_pass(w, w->o->at[i - 1].at);
		if (rc >= 0)
			rc = take_batch(w, in, n, at_once);
	}
	return rc < 0 ? rc : world_pass(w, w->o->ends);
}

/* ---- What is compared -------------------------------------------------------------------------- */

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Lines, sorted, become one text. */
static struct lk_bytes sort_lines(struct lk_bytes *text)
{
	struct lk_bytes out = { 0 };
	size_t n = 0;
	lk_bytes_add(text, "", 1);
	char **lines = calloc(text->len + 1, sizeof(*lines)), *rest = (char *)text->at;
	if (lines == NULL || text->failed)
		out_of_memory();
	for (char *line; (line = strsep(&rest, "\n")) != NULL;)
		if (*line != '\0')
			lines[n++] = line;
	qsort(lines, n, sizeof(*lines), by_text);
	for (size_t i = 0; i < n; i++) {
		lk_bytes_add(&out, lines[i], strlen(lines[i]));
		lk_bytes_add(&out, "\n", 1);
	}
	free(lines);
	lk_bytes_free(text);
	lk_bytes_add(&out, "", 1);
	if (out.failed)
		out_of_memory();
	return out;
}

static void add_json(struct lk_bytes *out, const void *body, size_t len)
{
	if (lk_wire_to_json(body, len, out) < 0)
		out_of_memory();
	lk_bytes_add(out, "\n", 1);
}

/* The last telling of each id counts. */
static bool was_told_again(const struct world *w, uint32_t index)
{
	for (uint32_t i = index + 1; i < w->heard_n; i++)
		if (strcmp(w->heard[i].notice.id, w->heard[index].notice.id) == 0)
			return true;
	return false;
}

static bool stands(const struct world *w, uint32_t index)
{
	const struct lk_notice *n = &w->heard[index].notice;
	return w->policy->rule[n->kind].rule_class == STANDING && n->state != LK_WITHDRAWN &&
	       !was_told_again(w, index);
}

static void add_standing(const struct lk_notice *notice, struct lk_bytes *out)
{
	static struct lk_notice n;
	struct lk_bytes body = { 0 };
	n = *notice;
	memset(n.id, 0, sizeof(n.id));
	n.rev = 0;
	n.state = LK_NEW;
	n.at = LK_NO_TIME;
	n.events_n = 0;
	n.about.proposals.n = 0;
	lk_notice_encode(&n, &body);
	add_json(out, body.at, body.len);
	lk_bytes_free(&body);
}

struct lk_bytes world_standing(const struct world *w, bool with_unanswered)
{
	struct lk_bytes text = { 0 };
	for (uint32_t i = 0; i < w->heard_n; i++)
		if (stands(w, i) &&
		    (with_unanswered || w->heard[i].notice.kind != LK_NOTICE_UNANSWERED))
			add_standing(&w->heard[i].notice, &text);
	return sort_lines(&text);
}

/* Of a case of which nothing counts yet there may be an empty family or none: both are no state. */
static int add_state(void *context, const struct stored_family *row)
{
	struct family family;
	struct lk_error err;
	char hex[LK_DIGEST_HEX];
	uint8_t digest[LK_DIGEST];
	if (family_unpack(row->state, row->state_len, &family, &err) < 0)
		abort();
	bool is_empty = family.cases_n == 0;
	family_free(&family);
	if (is_empty)
		return 0;
	lk_digest_hex(row->id, hex);
	lk_bytes_add(context, hex, strlen(hex));
	lk_digest(row->state, row->state_len, NULL, digest);
	lk_digest_hex(digest, hex);
	lk_bytes_add(context, " ", 1);
	lk_bytes_add(context, hex, strlen(hex));
	return 0;
}

struct lk_bytes world_states(const struct world *w)
{
	struct lk_bytes text = { 0 };
	struct lk_error err;
	for (int agency = 0; agency < lk_agency_count; agency++) {
		for (int n = 0; n < w->h->cases[agency]; n++) {
			char number[16];
			uint8_t id[LK_DIGEST];
			history_number(agency, n, number);
			struct case_key key = { agency, lk_text_of(number) };
			lk_bytes_add(&text, number, strlen(number));
			lk_bytes_add(&text, " ", 1);
			if (store_case_family(w->store, key, id, &err) <= 0) {
				lk_bytes_add(&text, "\n", 1);
				continue;
			}
			if (store_family_get(w->store, id, add_state, &text, &err) < 0)
				lk_bytes_add(&text, "lost", 4);
			lk_bytes_add(&text, "\n", 1);
		}
	}
	return sort_lines(&text);
}

struct lk_bytes world_told(const struct world *w, uint32_t first, bool sorted)
{
	struct lk_bytes text = { 0 };
	for (uint32_t i = first; i < w->heard_n; i++)
		add_json(&text, w->heard[i].body.at, w->heard[i].body.len);
	if (sorted)
		return sort_lines(&text);
	lk_bytes_add(&text, "", 1);
	if (text.failed)
		out_of_memory();
	return text;
}
