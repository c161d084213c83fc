/* property.c - what must hold of every history, held against thousands of random ones.
 *
 * In: a seed and a number of histories. Out: for each property that fails, the seed, the complaint, and the history cut
 * down to what is needed, as lines that linkages-sim can play. Exit status 1 if any failed.
 * Promise: domain.md, section 2, sentence by sentence; the same seed gives the same run.
 */
#include "oracle.h"
#include "policy.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* Two policies that differ in nothing but their revision: changing from one to the other derives everything anew. */
static struct policy policies[2];

struct trial {
	struct history *h;
	struct order a, b; /* b: where a property compares two */
	struct policy
		other; /* where a policy is followed by another one, and the step before which it is */
	uint32_t taken_on_at; /* that */
};

/* ---- Complaints -------------------------------------------------------------------------------- */

static char *complain(const char *format, ...) LK_PRINTF(1, 2);
static char *complain(const char *format, ...)
{
	char *text;
	va_list args;
	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		abort();
	va_end(args);
	return text;
}

static bool has_line(const char *text, const char *line, size_t len)
{
	for (const char *at = text; at != NULL && *at != '\0';) {
		const char *end = strchr(at, '\n');
		size_t n = end != NULL ? (size_t)(end - at) : strlen(at);
		if (n == len && memcmp(at, line, len) == 0)
			return true;
		at = end != NULL ? end + 1 : NULL;
	}
	return false;
}

static void add_missing(struct lk_bytes *out, const char *sign, const char *from, const char *in)
{
	for (const char *at = from; at != NULL && *at != '\0';) {
		const char *end = strchr(at, '\n');
		size_t n = end != NULL ? (size_t)(end - at) : strlen(at);
		if (n > 0 && !has_line(in, at, n)) {
			lk_bytes_add(out, sign, strlen(sign));
			lk_bytes_add(out, at, n);
			lk_bytes_add(out, "\n", 1);
		}
		at = end != NULL ? end + 1 : NULL;
	}
}

/* NULL where both texts are one; else what either has alone. Takes both. */
static char *differ(const char *what, struct lk_bytes a, struct lk_bytes b)
{
	struct lk_bytes out = { 0 };
	char *text = NULL;
	if (strcmp((char *)a.at, (char *)b.at) != 0) {
		add_missing(&out, "  - ", (char *)a.at, (char *)b.at);
		add_missing(&out, "  + ", (char *)b.at, (char *)a.at);
		lk_bytes_add(&out, "", 1);
		text = complain("%s\n%s", what, (char *)out.at);
	}
	lk_bytes_free(&out);
	lk_bytes_free(&a);
	lk_bytes_free(&b);
	return text;
}

static char *failed(const struct world *w)
{
	return complain("the turn failed: %s\n", w->err.text);
}

/* ---- Order does not matter --------------------------------------------------------------------- */

static void prepare_order(struct trial *t, struct dice *dice)
{
	t->a = order_roll(t->h, ARRIVE_IN_TIME, dice_percent(dice, 30), dice);
	t->b = order_roll(t->h, (enum arrival)dice_from(dice, ARRIVE_LATE, ARRIVAL_COUNT - 1),
			  dice_percent(dice, 30), dice);
	t->b.ends = t->a.ends;
	t->a.by_feed = t->b.by_feed =
		true; /* an outbox has one order, and the places in it are part of the state */
}

static char *check_order(const struct trial *t)
{
	struct world a, b;
	char *complaint = NULL;
	world_open(&a, t->h, &t->a, &policies[0]);
	world_open(&b, t->h, &t->b, &policies[0]);
	if (world_run(&a) < 0)
		complaint = failed(&a);
	else if (world_run(&b) < 0)
		complaint = failed(&b);
	if (complaint == NULL)
		complaint = differ("standing notices: in time (-), otherwise (+)",
				   world_standing(&a, false), world_standing(&b, false));
	if (complaint == NULL)
		complaint = differ("states: in time (-), otherwise (+)", world_states(&a),
				   world_states(&b));
	world_close(&a);
	world_close(&b);
	return complaint;
}

/* ---- Step by step equals refold; what stands is what follows ------------------------------------ */

static void prepare_one(struct trial *t, struct dice *dice)
{
	t->a = order_roll(t->h, (enum arrival)dice_from(dice, 0, ARRIVAL_COUNT - 1), true, dice);
}

/* Everything derived anew from the log: the same states, and nobody hears anything. */
static char *look_again(struct world *w, uint32_t step)
{
	struct lk_bytes before = world_states(w);
	uint32_t heard_n = w->heard_n;
	char head[80];
	if (world_refold(w, &policies[step % 2]) < 0) {
		lk_bytes_free(&before);
		return failed(w);
	}
	(void)snprintf(head, sizeof(head), "step %u: states as they stood (-), folded anew (+)",
		       step + 1);
	char *complaint = differ(head, before, world_states(w));
	if (complaint != NULL || w->heard_n == heard_n)
		return complaint;
	struct lk_bytes told = world_told(w, heard_n, false);
	complaint = complain("step %u: deriving anew told more\n%s", step + 1, (char *)told.at);
	lk_bytes_free(&told);
	return complaint;
}

static char *run_looking(struct world *w)
{
	char *complaint = NULL;
	for (uint32_t i = 0; complaint == NULL && i < w->o->n; i++) {
		if (w->o->at[i].left_out)
			continue;
		if (world_pass(w, w->o->at[i].at) < 0)
			return failed(w);
		complaint = look_again(w, 2 * i + 1);
		if (complaint == NULL && world_step(w, i) < 0)
			return failed(w);
		if (complaint == NULL)
			complaint = look_again(w, 2 * i + 2);
	}
	if (complaint == NULL && world_pass(w, w->o->ends) < 0)
		return failed(w);
	return complaint != NULL ? complaint : look_again(w, 2 * w->o->n + 1);
}

static char *check_refold(const struct trial *t)
{
	struct world a, b;
	world_open(&a, t->h, &t->a, &policies[0]);
	world_open(&b, t->h, &t->a, &policies[0]);
	char *complaint = run_looking(&b);
	if (complaint == NULL && world_run(&a) < 0)
		complaint = failed(&a);
	if (complaint == NULL)
		complaint = differ("told: without looking (-), with looking in between (+)",
				   world_told(&a, 0, true), world_told(&b, 0, true));
	world_close(&a);
	world_close(&b);
	return complaint;
}

/* ---- Another policy, taken on at any time, is as if it had always been so ------------------------ */

static void roll_duration(struct dated *value, struct dice *dice)
{
	for (uint32_t i = 0; i < value->n && dice_percent(dice, 30); i++) {
		int32_t n = value->at[i].value.n + dice_from(dice, -4, 8);
		value->at[i].value.n = n > 0 ? n : 1;
	}
}

/* One member of a set less, or more. */
static void roll_set(unsigned *set, int codes, struct dice *dice)
{
	if (dice_percent(dice, 30))
		*set ^= POLICY_BIT(dice_from(dice, 0, codes - 1));
}

static void roll_rule(struct rule_policy *rule, struct dice *dice)
{
	rule->enabled &= !dice_percent(dice, 5);
	if (dice_percent(dice, 10))
		rule->to ^= LEADS;
	if (dice_percent(dice, 10))
		rule->to ^= SUPERVISORS;
	if (dice_percent(dice, 10))
		rule->urgency = dice_from(dice, 0, lk_urgency_count - 1);
	if (dice_percent(dice, 10) && rule->topic != NO_TOPIC)
		rule->topic = dice_from(dice, 0, lk_topic_count - 1);
}

static void roll_policy(struct policy *p, struct dice *dice)
{
#define ROLL_DURATION(name, path, value, cites) roll_duration(&p->name, dice);
	POLICY_DURATIONS(ROLL_DURATION)
#define ROLL_MINUTE(name, path, value, cites) p->name += 30 * dice_from(dice, -1, 1);
	POLICY_MINUTES(ROLL_MINUTE)
#define ROLL_SET(name, path, list, value, cites) roll_set(&p->name, lk_##list##_count, dice);
	POLICY_SETS(ROLL_SET)
	for (int kind = 0; kind < lk_notice_kind_count; kind++)
		roll_rule(&p->rule[kind], dice);
	p->revision[1] ^= 1;
}

static void prepare_policy(struct trial *t, struct dice *dice)
{
	prepare_one(t, dice);
	t->other = policies[0];
	roll_policy(&t->other, dice);
	t->taken_on_at = (uint32_t)dice_from(dice, 0, (int)t->a.n);
}

static int run_with_another(struct world *w, const struct trial *t)
{
	int rc = 0;
	for (uint32_t i = 0; rc >= 0 && i < w->o->n; i++) {
		if (i == t->taken_on_at)
			rc = world_refold(w, &t->other);
		if (rc >= 0 && !w->o->at[i].left_out)
			rc = world_step(w, i);
	}
	if (rc >= 0 && t->taken_on_at >= w->o->n)
		rc = world_refold(w, &t->other);
	return rc < 0 ? rc : world_pass(w, w->o->ends);
}

static char *check_policy(const struct trial *t)
{
	struct world a, b;
	char *complaint = NULL;
	world_open(&a, t->h, &t->a, &t->other);
	world_open(&b, t->h, &t->a, &policies[0]);
	if (world_run(&a) < 0)
		complaint = failed(&a);
	else if (run_with_another(&b, t) < 0)
		complaint = failed(&b);
	if (complaint == NULL)
		complaint = differ("standing notices: always by it (-), since it was taken on (+)",
				   world_standing(&a, false), world_standing(&b, false));
	if (complaint == NULL)
		complaint = differ("states: always by it (-), since it was taken on (+)",
				   world_states(&a), world_states(&b));
	world_close(&a);
	world_close(&b);
	return complaint;
}

/* ---- Retracting everything leaves nothing ------------------------------------------------------- */

static void prepare_retraction(struct trial *t, struct dice *dice)
{
	char id[16];
	uint32_t n = t->h->n < HISTORY_MAX / 2 ? t->h->n : HISTORY_MAX / 2;
	prepare_one(t, dice);
	for (uint32_t i = 0; i < n; i++) {
		const struct lk_event *e = &t->h->at[i].event;
		char number[33];
		(void)snprintf(id, sizeof(id), "e%u", i + 1);
		(void)snprintf(number, sizeof(number), "%.*s", LK_PRINT(e->subject));
		uint32_t taken =
			history_say(t->h, t->h->at[i].source, LK_EVENT_RETRACTED, number,
				    dice_percent(dice, 50) ? e->time.at : t->a.ends, id, "{}");
		order_add(&t->a, (struct step){ .kind = STEP_EVENT,
						.at = t->a.ends,
						.event = taken,
						.fixed = true });
	}
}

static char *check_retraction(const struct trial *t)
{
	struct world w;
	world_open(&w, t->h, &t->a, &policies[0]);
	char *complaint = world_run(&w) < 0 ? failed(&w) : NULL;
	struct lk_bytes nothing = { 0 };
	lk_bytes_add(&nothing, "", 1);
	if (complaint == NULL)
		complaint = differ("still standing (+)", nothing, world_standing(&w, true));
	else
		lk_bytes_free(&nothing);
	world_close(&w);
	return complaint;
}

/* ---- A wrong link can be undone ----------------------------------------------------------------- */

static bool speaks_of_pair(const struct lk_event *e, const char *cws, const char *calworks)
{
	if (e->type != LK_LINK_CONFIRMED && e->type != LK_LINK_REFUSED &&
	    e->type != LK_LINK_REMOVED)
		return false;
	const struct lk_other *o = &e->link_confirmed.other;
	return (lk_text_says(e->subject, cws) && lk_text_says(o->number, calworks)) ||
	       (lk_text_says(e->subject, calworks) && lk_text_says(o->number, cws));
}

static bool is_free_pair(const struct history *h, const char *cws, const char *calworks)
{
	for (uint32_t i = 0; i < h->n; i++)
		if (speaks_of_pair(&h->at[i].event, cws, calworks))
			return false;
	return true;
}

static void put_in(struct order *o, struct step step)
{
	uint32_t at = 0;
	while (at < o->n && o->at[at].at <= step.at)
		at++;
	order_add(o, step);
	memmove(&o->at[at + 1], &o->at[at], (o->n - 1 - at) * sizeof(step));
	o->at[at] = step;
}

/* Undone by a removal, a refusal, or by taking the confirmation back; b is the life without the mistake. */
static void prepare_unlink(struct trial *t, struct dice *dice)
{
	static const int undo[] = { LK_LINK_REMOVED, LK_LINK_REFUSED, LK_EVENT_RETRACTED };
	char cws[16], calworks[16], data[80], id[16];
	prepare_one(t, dice);
	t->b = order_copy(&t->a);
	history_number(LK_CWS, dice_from(dice, 0, t->h->cases[LK_CWS] - 1), cws);
	history_number(LK_CALWORKS, dice_from(dice, 0, t->h->cases[LK_CALWORKS] - 1), calworks);
	bool may_be_linked = t->h->has_keys || !is_free_pair(t->h, cws, calworks);
	if (may_be_linked || t->h->n + 2 > HISTORY_MAX)
		return;
	lk_instant first =
		zone_instant(t->h->zone, t->h->first + dice_from(dice, 0, t->h->days), 700);
	lk_instant last = first + dice_from(dice, 1, 40 * 24 * 60) * LK_MINUTE;
	int type = undo[dice_from(dice, 0, 2)];
	if (last > t->a.ends)
		last = t->a.ends;
	(void)snprintf(data, sizeof(data), "{\"other\": {\"agency\": \"cws\", \"case\": \"%s\"}}",
		       cws);
	uint32_t made = history_say(t->h, 2, LK_LINK_CONFIRMED, calworks, first, NULL, data);
	(void)snprintf(id, sizeof(id), "e%u", made + 1);
	uint32_t undone = history_say(t->h, 2, type, calworks, last,
				      type == LK_EVENT_RETRACTED ? id : NULL, data);
	put_in(&t->a,
	       (struct step){ .kind = STEP_EVENT, .at = first, .event = made, .fixed = true });
	put_in(&t->a,
	       (struct step){ .kind = STEP_EVENT, .at = last, .event = undone, .fixed = true });
}

static char *check_unlink(const struct trial *t)
{
	struct world a, b;
	char *complaint = NULL;
	world_open(&a, t->h, &t->a, &policies[0]);
	world_open(&b, t->h, &t->b, &policies[0]);
	if (world_run(&a) < 0)
		complaint = failed(&a);
	else if (world_run(&b) < 0)
		complaint = failed(&b);
	if (complaint == NULL)
		complaint = differ("standing notices: linked and unlinked (-), never linked (+)",
				   world_standing(&a, false), world_standing(&b, false));
	world_close(&a);
	world_close(&b);
	return complaint;
}

/* ---- Replay ------------------------------------------------------------------------------------- */

static int run_restarting(struct world *w)
{
	for (uint32_t i = 0; i < w->o->n; i++) {
		world_restart(w);
		int rc = w->o->at[i].left_out ? 0 : world_step(w, i);
		if (rc < 0)
			return rc;
	}
	world_restart(w);
	return world_pass(w, w->o->ends);
}

static char *check_replay(const struct trial *t)
{
	struct world a, b;
	char *complaint = NULL;
	world_open(&a, t->h, &t->a, &policies[0]);
	world_open(&b, t->h, &t->a, &policies[0]);
	if (world_run(&a) < 0)
		complaint = failed(&a);
	else if (run_restarting(&b) < 0)
		complaint = failed(&b);
	if (complaint == NULL)
		complaint = differ("told: at one go (-), with a restart before each step (+)",
				   world_told(&a, 0, false), world_told(&b, 0, false));
	world_close(&a);
	world_close(&b);
	return complaint;
}

/* ---- Batches ------------------------------------------------------------------------------------ */

/* Small batches, and then one of all the rest, in which many families are changed that had a row. */
static void batch_crowd(struct order *o)
{
	for (uint32_t i = 0; i < o->n; i++)
		o->at[i].tie = i < o->n / 2 ? o->at[i].tie | 1 : 0;
}

/* A third of the trials is long, and nobody interrupts it: the thread that reads goes round its ring. Where it is of many
 * families, too, the thread packs some of them. */
static void prepare_batches(struct trial *t, struct dice *dice)
{
	bool is_long = dice_percent(dice, 33), is_crowd = is_long && dice_percent(dice, 33);
	if (is_crowd)
		history_crowd(t->h, dice, 24);
	if (is_long)
		history_go_on(t->h, dice, dice_from(dice, 100, 300));
	t->a = order_roll(t->h, (enum arrival)dice_from(dice, 0, ARRIVAL_COUNT - 1), !is_long,
			  dice);
	if (is_crowd)
		batch_crowd(&t->a);
}

static char *check_batches(const struct trial *t)
{
	struct world a, b;
	char *complaint = NULL;
	world_open(&a, t->h, &t->a, &policies[0]);
	world_open(&b, t->h, &t->a, &policies[0]);
	if (world_run_batches(&a, false) < 0)
		complaint = failed(&a);
	else if (world_share(&b) < 0 || world_run_batches(&b, true) < 0)
		complaint = failed(&b);
	if (complaint == NULL)
		complaint = differ("told: one event a commit (-), many (+)",
				   world_told(&a, 0, false), world_told(&b, 0, false));
	if (complaint == NULL)
		complaint = differ("states: one event a commit (-), many (+)", world_states(&a),
				   world_states(&b));
	world_close(&a);
	world_close(&b);
	return complaint;
}

/* ---- Failures ----------------------------------------------------------------------------------- */

/* Whatever is kept in memory beside the store is as the store is, or it would be told. */
static char *check_failures(const struct trial *t)
{
	struct world a, b;
	char *complaint = NULL;
	world_open(&a, t->h, &t->a, &policies[0]);
	world_open(&b, t->h, &t->a, &policies[0]);
	b.is_failing = true;
	if (world_run_batches(&a, true) < 0)
		complaint = failed(&a);
	else if (world_run_batches(&b, true) < 0)
		complaint = failed(&b);
	if (complaint == NULL)
		complaint = differ("told: every commit succeeds (-), some fail first (+)",
				   world_told(&a, 0, false), world_told(&b, 0, false));
	if (complaint == NULL)
		complaint = differ("states: every commit succeeds (-), some fail first (+)",
				   world_states(&a), world_states(&b));
	world_close(&a);
	world_close(&b);
	return complaint;
}

/* ---- Memory ------------------------------------------------------------------------------------- */

static char *check_memory(const struct trial *t)
{
	struct world a, b;
	char *complaint = NULL;
	world_open(&a, t->h, &t->a, &policies[0]);
	world_open(&b, t->h, &t->a, &policies[0]);
	world_shorten(&b);
	if (world_run(&a) < 0)
		complaint = failed(&a);
	else if (world_run(&b) < 0)
		complaint = failed(&b);
	if (complaint == NULL)
		complaint = differ("told: families in memory (-), the last of their histories (+)",
				   world_told(&a, 0, false), world_told(&b, 0, false));
	if (complaint == NULL)
		complaint =
			differ("states: families in memory (-), the last of their histories (+)",
			       world_states(&a), world_states(&b));
	world_close(&a);
	world_close(&b);
	return complaint;
}

/* ---- Disclosure ---------------------------------------------------------------------------------- */

static char *complain_of(const char *what, const char *why, const void *body, size_t len)
{
	struct lk_bytes json = { 0 };
	if (lk_wire_to_json(body, len, &json) < 0)
		abort();
	lk_bytes_add(&json, "", 1);
	char *text = complain("%s: %s\n  %s\n", what, why, (char *)json.at);
	lk_bytes_free(&json);
	return text;
}

struct opening {
	const struct world *w;
	char *complaint;
};

static int look_at_shown(void *context, int64_t seq, const void *body, size_t len)
{
	static struct lk_notice n;
	struct opening *o = context;
	struct lk_error err;
	(void)seq;
	if (o->complaint != NULL)
		return 0;
	if (lk_notice_decode(body, len, &n, &err) < 0)
		o->complaint = complain("shown: %s\n", err.text);
	const char *why = o->complaint == NULL ? oracle_shown(o->w, &n) : NULL;
	if (why != NULL)
		o->complaint = complain_of("shown at the end", why, body, len);
	return 0;
}

static char *open_mailboxes(struct world *w)
{
	struct opening o = { w, NULL };
	for (int i = 0; i < HISTORY_WORKERS && o.complaint == NULL; i++)
		if (turn_mailbox(w->turn, lk_text_of(history_worker(i)), 0, 100000, LK_NO_TEXT,
				 w->now, look_at_shown, &o, &w->err) < 0)
			return failed(w);
	return o.complaint;
}

static char *check_disclosure(const struct trial *t)
{
	struct world w;
	world_open(&w, t->h, &t->a, &policies[0]);
	char *complaint = world_run(&w) < 0 ? failed(&w) : NULL;
	for (uint32_t i = 0; complaint == NULL && i < w.heard_n; i++) {
		const char *why = oracle_told(&w, &w.heard[i]);
		if (why != NULL)
			complaint =
				complain_of("told", why, w.heard[i].body.at, w.heard[i].body.len);
	}
	if (complaint == NULL)
		complaint = open_mailboxes(&w);
	world_close(&w);
	return complaint;
}

/* ---- All of them ---------------------------------------------------------------------------------- */

static const struct property {
	const char *name, *promise;
	void (*prepare)(struct trial *t, struct dice *dice);
	char *(*check)(const struct trial *t);
} properties[] = {
	{ "order", "any interleaving and lateness gives the same state and standing notices",
	  prepare_order, check_order },
	{ "refold", "step by step equals refold, and what stands is what follows", prepare_one,
	  check_refold },
	{ "policy", "a policy taken on at any time is as if it had always been so", prepare_policy,
	  check_policy },
	{ "retract", "retracting every event leaves nothing standing", prepare_retraction,
	  check_retraction },
	{ "unlink", "link then unlink equals never linked", prepare_unlink, check_unlink },
	{ "replay", "the same input gives the same output, to the byte", prepare_one,
	  check_replay },
	{ "batches",
	  "what is told does not depend on how many events one commit takes, nor on who reads them",
	  prepare_batches, check_batches },
	{ "failures", "a commit that fails, also twice in a row, leaves no trace", prepare_one,
	  check_failures },
	{ "memory", "what is told does not depend on how much of a family is in memory",
	  prepare_one, check_memory },
	{ "disclosure", "nothing crosses that may not", prepare_one, check_disclosure },
};
#define PROPERTIES (sizeof(properties) / sizeof(*properties))

static uint64_t mixed(uint64_t seed, uint64_t with)
{
	struct dice d = { seed ^ (with * UINT64_C(0xd1342543de82ef95)) };
	return dice_next(&d);
}

static struct trial trial_of(const struct property *p, uint64_t seed)
{
	struct dice dice = { mixed(seed, 1) },
		    own = { mixed(seed, 2 + (uint64_t)(p - properties)) };
	struct trial t = { .h = history_roll(&dice, &policies[0].zone) };
	p->prepare(&t, &own);
	return t;
}

static void trial_free(struct trial *t)
{
	history_free(t->h);
	order_free(&t->a);
	order_free(&t->b);
}

/* ---- Shrinking ------------------------------------------------------------------------------------ */

/* Steps of a; those of b with the same event go with them. */
static void leave_out(struct trial *t, uint32_t first, uint32_t n, bool out)
{
	for (uint32_t i = first; i < first + n && i < t->a.n; i++) {
		struct step *s = &t->a.at[i];
		if (s->fixed)
			continue;
		s->left_out = out;
		for (uint32_t j = 0; s->kind == STEP_EVENT && j < t->b.n; j++)
			if (t->b.at[j].kind == STEP_EVENT && t->b.at[j].event == s->event)
				t->b.at[j].left_out = out;
	}
}

static bool any_left(const struct trial *t, uint32_t first, uint32_t n)
{
	for (uint32_t i = first; i < first + n && i < t->a.n; i++)
		if (!t->a.at[i].left_out && !t->a.at[i].fixed)
			return true;
	return false;
}

static bool shrink_by(const struct property *p, struct trial *t, uint32_t chunk, char **complaint)
{
	bool shrunk = false;
	for (uint32_t first = 0; first < t->a.n; first += chunk) {
		if (!any_left(t, first, chunk))
			continue;
		struct order a = order_copy(&t->a), b = order_copy(&t->b);
		leave_out(t, first, chunk, true);
		char *now = p->check(t);
		if (now != NULL) {
			free(*complaint);
			*complaint = now;
			shrunk = true;
			order_free(&a);
			order_free(&b);
		} else {
			order_free(&t->a);
			order_free(&t->b);
			t->a = a;
			t->b = b;
		}
	}
	return shrunk;
}

static void drop_busy_steps(const struct property *p, struct trial *t, char **complaint)
{
	for (uint32_t j = 0; j < t->b.n; j++) {
		if (t->b.at[j].kind == STEP_EVENT || t->b.at[j].left_out)
			continue;
		t->b.at[j].left_out = true;
		char *now = p->check(t);
		t->b.at[j].left_out = now != NULL;
		if (now != NULL) {
			free(*complaint);
			*complaint = now;
		}
	}
}

static void shrink(const struct property *p, struct trial *t, char **complaint)
{
	uint32_t chunk = t->a.n / 2;
	while (chunk > 0)
		if (!shrink_by(p, t, chunk, complaint) || chunk > 1)
			chunk /= 2;
	drop_busy_steps(p, t, complaint);
}

static void report(const struct property *p, struct trial *t, uint64_t seed, char *complaint)
{
	shrink(p, t, &complaint);
	printf("FAIL %s (%s): --only %s --seed %llu --histories 1\n%s", p->name, p->promise,
	       p->name, (unsigned long long)seed, complaint);
	order_print(t->h, &t->a, stdout);
	if (t->b.n > 0) {
		printf("# the other order:\n");
		order_print(t->h, &t->b, stdout);
	}
	fflush(stdout);
	free(complaint);
}

/* ---- A run ------------------------------------------------------------------------------------------ */

struct options {
	uint64_t seed;
	long histories, failures;
	const char *only, *policy;
};

static long try_seed(const struct options *o, uint64_t seed)
{
	long n = 0;
	for (size_t i = 0; i < PROPERTIES; i++) {
		const struct property *p = &properties[i];
		if (o->only != NULL && strcmp(o->only, p->name) != 0)
			continue;
		struct trial t = trial_of(p, seed);
		char *complaint = p->check(&t);
		if (complaint != NULL)
			report(p, &t, seed, complaint);
		n += complaint != NULL;
		trial_free(&t);
	}
	return n;
}

static int usage(const char *program)
{
	fprintf(stderr,
		"usage: %s [--histories N] [--seed S] [--only PROPERTY] [--failures N]\n"
		"       [--policy FILE]\n"
		"Rolls N histories (300) from seed S (1) on and holds every property against each; stops after\n"
		"so many failures (1).\n",
		program);
	return 2;
}

static bool read_options(int argc, char **argv, struct options *o)
{
	static const struct option rows[] = { { "histories", required_argument, NULL, 'n' },
					      { "seed", required_argument, NULL, 's' },
					      { "only", required_argument, NULL, 'o' },
					      { "failures", required_argument, NULL, 'f' },
					      { "policy", required_argument, NULL, 'p' },
					      { 0 } };
	for (int c; (c = getopt_long(argc, argv, "", rows, NULL)) >= 0;) {
		if (c == 'n')
			o->histories = strtol(optarg, NULL, 10);
		else if (c == 's')
			o->seed = strtoull(optarg, NULL, 10);
		else if (c == 'o')
			o->only = optarg;
		else if (c == 'f')
			o->failures = strtol(optarg, NULL, 10);
		else if (c == 'p')
			o->policy = optarg;
		else
			return false;
	}
	return optind == argc;
}

int main(int argc, char **argv)
{
	struct options o = { .seed = 1, .histories = 300, .failures = 1 };
	struct lk_error err;
	long failures = 0, done = 0;
	if (!read_options(argc, argv, &o))
		return usage(argv[0]);
	if (policy_load(o.policy, &policies[0], &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		return 2;
	}
	policies[1] = policies[0];
	policies[1].revision[0] ^= 1;
	for (; done < o.histories && failures < o.failures; done++)
		failures += try_seed(&o, o.seed + (uint64_t)done);
	printf("%ld histories from seed %llu: %ld failed\n", done, (unsigned long long)o.seed,
	       failures);
	return failures == 0 ? 0 : 1;
}
