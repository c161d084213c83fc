/* turn_explain.c - why a notice was told: rule, place, events, the policy's values that counted, disclosure, history.
 *
 * In: a notice's id. Out: one map. Promise: what is said to have led to it does, for it is found by deriving the notice
 * again: now, or, where it does not follow any more, from what was known when it was told. A value of the policy counted
 * if with another one the notice would be another, or none: that is tried, not listed.
 */
#include "turn_print.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- The values of a policy ------------------------------------------------------------------ */

struct value {
	const char *path, *cites;
	size_t at; /* in struct policy */
	void (*alter)(struct policy *p, size_t at, int variant);
	void (*print)(const struct policy *p, size_t at, char *out, size_t room);
};

#define VARIANTS 2
#define VALUE_TEXT 240

/* Another limit, and none to speak of; never the value itself. */
static void alter_dated(struct policy *p, size_t at, int variant)
{
	struct dated *dated = (struct dated *)(void *)((char *)p + at);
	for (uint32_t i = 0; i < dated->n; i++)
		dated->at[i].value.n = variant == 0 && dated->at[i].value.n > 1
					       ? 1
					       : dated->at[i].value.n + 1 + variant;
}

static void alter_minute(struct policy *p, size_t at, int variant)
{
	int *minute = (int *)(void *)((char *)p + at);
	*minute += variant == 0 ? 30 : -30;
}

static void alter_set(struct policy *p, size_t at, int variant)
{
	unsigned *set = (unsigned *)(void *)((char *)p + at);
	*set = variant == 0 ? ~*set : 0;
}

/* The day that silences all that happened until today, and no such day. */
static void alter_quiet(struct policy *p, size_t at, int variant)
{
	(void)at;
	(void)variant;
	p->quiet_before = LK_NO_DATE;
}

static void alter_liaison(struct policy *p, size_t at, int variant)
{
	char *worker = (char *)p + at;
	worker[0] = variant == 0 ? '.' : '-';
}

static void print_duration(struct duration duration, char *out, size_t room)
{
	static const char *const units[] = { "minute", "hour", "day", "month" };
	snprintf(out, room, "%d %s%s", duration.n, units[duration.unit],
		 duration.n == 1 ? "" : "s");
}

/* '180 days; 6 months from 2025-01-01' */
static void print_dated(const struct policy *p, size_t at, char *out, size_t room)
{
	const struct dated *dated = (const struct dated *)(const void *)((const char *)p + at);
	size_t len = 0;
	for (uint32_t i = 0; i < dated->n && len < room; i++) {
		char one[32], from[LK_DATE_TEXT];
		print_duration(dated->at[i].value, one, sizeof(one));
		if (i > 0)
			lk_date_print(dated->at[i].from, from);
		int n = i == 0 ? snprintf(out, room, "%s", one)
			       : snprintf(out + len, room - len, "; %s from %s", one, from);
		len += n > 0 ? (size_t)n : 0;
	}
}

static void print_minute(const struct policy *p, size_t at, char *out, size_t room)
{
	const int *minute = (const int *)(const void *)((const char *)p + at);
	snprintf(out, room, "%02d:%02d", *minute / 60, *minute % 60);
}

static void print_words(unsigned set, const char *(*word)(int code), char *out, size_t room)
{
	size_t len = 0;
	out[0] = '\0';
	for (int code = 0; code < 32 && word(code) != NULL && len < room; code++)
		if ((set & POLICY_BIT(code)) != 0) {
			int n = snprintf(out + len, room - len, "%s%s", len > 0 ? ", " : "",
					 word(code));
			len += n > 0 ? (size_t)n : 0;
		}
}

#define PRINT_SET(name, path, list, value, cites) \
	static void print_##name(const struct policy *p, size_t at, char *out, size_t room) \
	{ \
		(void)at; \
		print_words(p->name, lk_##list##_word, out, room); \
	}
POLICY_SETS(PRINT_SET)

static void print_quiet(const struct policy *p, size_t at, char *out, size_t room)
{
	char day[LK_DATE_TEXT];
	(void)at;
	if (p->quiet_before != LK_NO_DATE)
		lk_date_print(p->quiet_before, day);
	snprintf(out, room, "%s", p->quiet_before == LK_NO_DATE ? "never" : day);
}

static void print_text(const struct policy *p, size_t at, char *out, size_t room)
{
	snprintf(out, room, "%s", (const char *)p + at);
}

#define AT(member) offsetof(struct policy, member)
#define DURATION_VALUE(name, path, value, cites) \
	{ path, cites, AT(name), alter_dated, print_dated },
#define MINUTE_VALUE(name, path, value, cites) \
	{ path, cites, AT(name), alter_minute, print_minute },
#define SET_VALUE(name, path, list, value, cites) \
	{ path, cites, AT(name), alter_set, print_##name },
static const struct value values[] = {
	POLICY_DURATIONS(DURATION_VALUE) POLICY_MINUTES(MINUTE_VALUE) POLICY_SETS(SET_VALUE){
		"moments.quiet_before", "domain 2", AT(quiet_before), alter_quiet, print_quiet },
	{ "liaisons.cws", "domain 1", AT(liaison[LK_CWS]), alter_liaison, print_text },
	{ "liaisons.calworks", "domain 1", AT(liaison[LK_CALWORKS]), alter_liaison, print_text },
};
#define VALUES_N (sizeof(values) / sizeof(values[0]))

/* ---- The question ---------------------------------------------------------------------------- */

/* One telling, as it stands in a mailbox. */
struct history {
	int64_t rev, seq;
	int state, reason, level;
	lk_instant at;
};

/* The notice as derived: whether it follows, and all that it would say. */
struct finding {
	bool found;
	int slot;
	enum bar bar;
	uint8_t content[LK_DIGEST];
};

struct why {
	struct turn *t;
	struct lk_error *err;
	lk_instant now;
	struct print p;
	uint8_t id[LK_DIGEST];
	struct stored_notice row; /* the last telling; its texts are below */
	bool shown;               /* would a hand-out show it now? */
	char worker[65], own[33], other[33], answered_by[65];
	struct lk_bytes body; /* of the last telling that was no withdrawal */
	lk_instant told_at;   /* when that was */
	struct history *history;
	uint32_t history_n, history_room;
	struct home *kept;
	struct gathering *g;
	struct home look;
	struct finding now_or_then;
	bool follows;          /* now */
	struct listing events; /* of the fact: with those that the worker is not told of */
};

static struct lk_text copied(char *to, size_t room, struct lk_text text)
{
	if (!lk_text_given(text))
		return LK_NO_TEXT;
	snprintf(to, room, "%.*s", LK_PRINT(text));
	return lk_text_of(to);
}

static int note_telling(void *context, const struct stored_notice *row)
{
	struct why *w = context;
	int shown = notice_may_show(w->t, row, w->err);
	if (shown < 0)
		return shown;
	w->shown = shown > 0;
	struct history *wider =
		vector_grown(w->history, w->history_n, &w->history_room, sizeof(*wider));
	if (wider == NULL)
		return lk_fail(w->err, LK_EMEMORY, "no memory for a notice's history");
	w->history = wider;
	w->history[w->history_n++] =
		(struct history){ row->rev,          row->seq,   row->state,
				  row->said->reason, row->level, row->told_at };
	w->row = *row;
	w->row.worker = copied(w->worker, sizeof(w->worker), row->worker);
	w->row.own.number = copied(w->own, sizeof(w->own), row->own.number);
	w->row.other.number = copied(w->other, sizeof(w->other), row->other.number);
	w->row.answered_by = copied(w->answered_by, sizeof(w->answered_by), row->answered_by);
	if (row->state == LK_WITHDRAWN && w->body.len > 0)
		return 0;
	lk_bytes_clear(&w->body);
	lk_notice_encode(row->said, &w->body);
	w->told_at = row->told_at;
	return w->body.failed ? lk_fail(w->err, LK_EMEMORY, "no memory for a notice") : 0;
}

static int note_case(void *context, const struct stored_notice *row)
{
	struct why *w = context;
	w->row.own.agency = row->own.agency;
	w->row.own.number = copied(w->own, sizeof(w->own), row->own.number);
	return 0;
}

static int find_notice(struct why *w, struct lk_text prefix)
{
	int rc = store_notice_named(w->t->store, prefix, w->id, w->err);
	if (rc == 0)
		return lk_fail(w->err, LK_ENOTFOUND, "no such notice");
	return rc < 0 ? rc : store_notice_history(w->t->store, w->id, note_case, w, w->err);
}

/* Its family first: by that it is decided what a hand-out would show. Sources have none. 1: it has one; 0; negative. */
static int find_tellings(struct why *w)
{
	int has_family = lk_text_given(w->row.own.number)
				 ? home_folded(w->t, w->row.own, &w->kept, w->err)
				 : 0;
	if (has_family < 0)
		return has_family;
	int rc = store_notice_history(w->t->store, w->id, note_telling, w, w->err);
	return rc < 0 ? rc : has_family;
}

/* ---- Deriving it again ----------------------------------------------------------------------- */

static void on_moment(void *context, const struct moment *m, enum bar bar)
{
	(void)context;
	(void)m;
	(void)bar;
}

static void on_rule(void *context, int kind, enum bar bar)
{
	(void)context;
	(void)kind;
	(void)bar;
}

static void on_fact(void *context, const struct fact *fact, enum bar bar)
{
	(void)context;
	(void)fact;
	(void)bar;
}

struct deriving {
	struct why *w;
	struct finding found;
	struct listing *events; /* where they are asked for */
};

static void on_place(void *context, int slot, struct lk_text worker, const struct candidate *c)
{
	struct deriving *d = context;
	(void)worker;
	if (c == NULL || d->found.found || memcmp(c->id, d->w->id, LK_DIGEST) != 0)
		return;
	d->found.found = true;
	d->found.slot = slot;
	d->found.bar = c->bar;
}

static int note_causes(struct deriving *d, const struct family *f, const struct candidate *c);

static int see_candidate(void *context, const struct derivation *d, const struct tolds *told,
			 const struct outcome *out)
{
	struct deriving *to = context;
	struct lk_bytes bytes = { .at = NULL };
	struct notice_room room;
	struct lk_notice n;
	uint32_t i = 0;
	(void)told;
	(void)out;
	while (i < d->n && memcmp(d->at[i].id, to->w->id, LK_DIGEST) != 0)
		i++;
	if (i == d->n)
		return 0;
	notice_of(d, &d->at[i], &room, &n);
	lk_notice_encode(&n, &bytes);
	lk_digest(bytes.at, bytes.len, NULL, to->found.content);
	lk_bytes_free(&bytes);
	return to->events != NULL ? note_causes(to, d->f, &d->at[i]) : 0;
}

/* The notice as it follows under this policy, at an instant. */
static int derive_again(struct why *w, const struct policy *policy, lk_instant at,
			struct deriving *to)
{
	const struct trace trace = { to, on_moment, on_rule, on_fact, on_place };
	const struct foresight see = { policy, &trace, to, see_candidate };
	tolds_free(&w->look.told);
	for (uint32_t i = 0; i < w->kept->told.n; i++)
		tolds_move(&w->look.told, &w->kept->told, &w->kept->told.at[i]);
	int rc = gathering_fold(w->g, policy, at, &w->look.f);
	return rc < 0 ? rc : home_foresee(w->t, &w->look, at, &see, w->err);
}

static int find_at(struct why *w, lk_instant known_at, lk_instant at)
{
	struct deriving d = { .w = w, .events = &w->events };
	gathering_close(w->g);
	int rc = gathering_open(w->t, w->row.own, known_at, &w->g, w->err);
	if (rc >= 0)
		rc = derive_again(w, w->t->policy, at, &d);
	w->now_or_then = d.found;
	return rc;
}

/* Now; or, where it does not follow any more, from what was known when it was told last. */
static int find_again(struct why *w)
{
	int rc = find_at(w, LK_NO_INSTANT, w->now);
	w->follows = rc >= 0 && w->now_or_then.found && w->row.state != LK_WITHDRAWN;
	if (rc >= 0 && !w->now_or_then.found)
		rc = find_at(w, w->told_at, w->told_at);
	return rc;
}

/* ---- Its events ------------------------------------------------------------------------------ */

struct event_row {
	struct why *w;
	struct listing *to;
	bool shown;
};

static int put_event(void *context, const struct stored_event *row)
{
	struct event_row *e = context;
	struct print item = listing_item(&e->w->p, e->to);
	char name[EVENT_NAME];
	event_name(row->source, row->id, name);
	lk_put_map(item.out, 7);
	put_code(&item, "event", name);
	put_code(&item, "type", lk_event_type_word(row->type));
	put_code(&item, "agency", lk_agency_word(row->agency));
	put_text(&item, "case", row->number);
	put_instant(&item, "time", row->time_at);
	put_instant(&item, "received", row->received_at);
	put_flag(&item, "shown", e->shown);
	return 0;
}

static bool is_shown(const struct lk_notice *n, struct lk_text source, struct lk_text id)
{
	char name[EVENT_NAME];
	event_name(source, id, name);
	for (uint32_t i = 0; i < n->events_n; i++)
		if (lk_text_says(n->events[i], name))
			return true;
	return false;
}

static int note_causes(struct deriving *d, const struct family *f, const struct candidate *c)
{
	struct why *w = d->w;
	struct lk_notice n;
	int rc = lk_notice_decode(w->body.at, w->body.len, &n, w->err);
	for (uint32_t i = 0; rc >= 0 && i < c->causes_n; i++) {
		const struct cause *cause = &f->causes[c->causes[i]];
		struct lk_text source = family_text(f, cause->source),
			       id = family_text(f, cause->id);
		struct event_row row = { w, d->events, is_shown(&n, source, id) };
		rc = store_event_find(w->t->store, source, id, put_event, &row, w->err);
	}
	return rc < 0 ? rc : 0;
}

/* Where it cannot be derived again: the events that the telling itself names. */
static int note_told_events(struct why *w)
{
	struct lk_notice n;
	int rc = lk_notice_decode(w->body.at, w->body.len, &n, w->err);
	for (uint32_t i = 0; rc >= 0 && i < n.events_n; i++) {
		const char *slash = memchr(n.events[i].at, '/', n.events[i].len);
		if (slash == NULL)
			continue;
		struct lk_text source = { n.events[i].at, (uint32_t)(slash - n.events[i].at) };
		struct lk_text id = { slash + 1, n.events[i].len - source.len - 1 };
		struct event_row row = { w, &w->events, true };
		rc = store_event_find(w->t->store, source, id, put_event, &row, w->err);
	}
	return rc < 0 ? rc : 0;
}

/* ---- The values that counted ----------------------------------------------------------------- */

static bool differs(const struct finding *a, const struct finding *b)
{
	return a->found != b->found || a->bar != b->bar ||
	       memcmp(a->content, b->content, LK_DIGEST) != 0;
}

/* 1: with another value the notice would be another, or none. */
static int has_counted(struct why *w, const struct value *v, lk_instant at)
{
	struct policy *altered = malloc(sizeof(*altered));
	bool counted = false;
	int rc = 0;
	if (altered == NULL)
		return lk_fail(w->err, LK_EMEMORY, "no memory for a policy");
	for (int variant = 0; rc >= 0 && !counted && variant < VARIANTS; variant++) {
		struct deriving d = { .w = w };
		*altered = *w->t->policy;
		v->alter(altered, v->at, variant);
		rc = derive_again(w, altered, at, &d);
		counted = rc >= 0 && differs(&d.found, &w->now_or_then);
	}
	free(altered);
	return rc < 0 ? rc : counted;
}

static int put_values(struct why *w)
{
	struct listing list = { .n = 0 };
	lk_instant at = w->follows ? w->now : w->told_at;
	int rc = 0;
	for (size_t i = 0; rc >= 0 && w->now_or_then.found && i < VALUES_N; i++) {
		char text[VALUE_TEXT];
		rc = has_counted(w, &values[i], at);
		if (rc <= 0)
			continue;
		values[i].print(w->t->policy, values[i].at, text, sizeof(text));
		struct print item = listing_item(&w->p, &list);
		lk_put_map(item.out, 3);
		put_code(&item, "key", values[i].path);
		put_code(&item, "value", text);
		put_code(&item, "cites", values[i].cites);
	}
	put_listing(&w->p, "policy", &list);
	return rc;
}

/* ---- The answer ------------------------------------------------------------------------------ */

static void put_rule(const struct why *w)
{
	const struct rule_policy *rule = &w->t->policy->rule[w->row.kind];
	const struct print *p = &w->p;
	struct listing to = { .n = 0 };
	put_key(p, "rule");
	lk_put_map(p->out, 9);
	put_code(p, "rule", lk_notice_kind_word(w->row.kind));
	put_code(p, "cites", rule->cites);
	put_code(p, "class", rule->rule_class == STANDING ? "standing" : "moment");
	put_flag(p, "enabled", rule->enabled);
	put_code(p, "level", lk_level_word(rule->level));
	put_code(p, "topic", lk_topic_word(rule->topic));
	put_code(p, "urgency", lk_urgency_word(rule->urgency));
	put_flag(p, "blind", rule->blind);
	for (int slot = 0; slot < SLOT_COUNT; slot++)
		if ((rule->to & POLICY_BIT(slot)) != 0)
			lk_put_word(listing_item(p, &to).out, slot_word(slot));
	put_listing(p, "to", &to);
}

static enum bar bar_now(const struct why *w)
{
	const struct disclosure ask = {
		.level = w->row.level,
		.topic = w->row.topic,
		.is_moment = w->row.rule_class == MOMENT,
		.other_agency = w->row.other.agency,
		.other = w->row.other.number,
		.cause_at = w->kept != NULL ? home_happened_at(w->kept, &w->row) : w->row.cause_at,
	};
	enum bar bar = w->kept != NULL ? disclosure_bar(&w->kept->f, &ask) : BAR_NONE;
	return bar != BAR_NONE ? bar
			       : BAR_UNLINKED; /* a hand-out asks for more than the link at hand */
}

/* What a hand-out would show of it at this moment, and on what that rests. */
static void put_disclosure_now(const struct why *w)
{
	static const char *const words[] = {
#define BAR_WORD(name, word, sentence) [name] = word,
		BARS(BAR_WORD)
	};
	bool crosses = w->row.level >= LK_REGISTRY && w->kept != NULL;
	char basis[BASIS_MAX] = "WIC 18961.5";
	if (crosses && w->row.level == LK_CONTENT)
		content_basis(&w->kept->f, w->row.topic, basis);
	put_flag(&w->p, "may_be_seen", w->shown);
	put_code(&w->p, "held_by", w->shown ? NULL : words[bar_now(w)]);
	put_code(&w->p, "basis", w->shown && crosses ? basis : NULL);
}

struct ledger {
	const struct why *w;
	const struct history *telling;
	struct listing *to;
};

static int put_ledger_row(void *context, const struct ledger_row *row)
{
	struct ledger *l = context;
	struct print item = listing_item(&l->w->p, l->to);
	lk_put_map(item.out, 5);
	put_int(&item, "rev", l->telling->rev);
	put_instant(&item, "at", row->at);
	put_text(&item, "session", row->session);
	put_code(&item, "level", lk_level_word(row->level));
	put_text(&item, "basis", row->basis);
	return 0;
}

/* What the ledger says of each telling with something of the other side: when it was made, and each hand-out after a pause. The
 * row of a hand-out covers whatever lay between its first place and its last, and so also what disclosed nothing. */
static int put_disclosure(struct why *w)
{
	struct listing list = { .n = 0 };
	int rc = 0;
	put_key(&w->p, "disclosure");
	lk_put_map(w->p.out, 6);
	put_code(&w->p, "level", lk_level_word(w->row.level));
	put_code(&w->p, "topic", lk_topic_word(w->row.topic));
	put_disclosure_now(w);
	for (uint32_t i = 0; rc >= 0 && i < w->history_n; i++) {
		struct ledger l = { w, &w->history[i], &list };
		if (w->history[i].level < LK_REGISTRY)
			continue;
		rc = store_ledger_of(w->t->store, w->row.worker, w->history[i].seq, put_ledger_row,
				     &l, w->err);
	}
	put_listing(&w->p, "ledger", &list);
	return rc;
}

static void put_tellings(const struct why *w)
{
	const struct print *p = &w->p;
	put_key(p, "tellings");
	lk_put_array(p->out, w->history_n);
	for (uint32_t i = 0; i < w->history_n; i++) {
		const struct history *h = &w->history[i];
		lk_put_map(p->out, 6);
		put_int(p, "rev", h->rev);
		put_code(p, "state", lk_notice_state_word(h->state));
		put_code(p, "reason", lk_withdrawal_word(h->reason));
		put_instant(p, "at", h->at);
		put_code(p, "level", lk_level_word(h->level));
		put_int(p, "seq", h->seq);
	}
	put_key(p, "answered");
	lk_put_map(p->out, 2);
	put_text(p, "by", w->row.answered_by);
	put_instant(p, "at",
		    lk_text_given(w->row.answered_by) ? w->row.answered_at : LK_NO_INSTANT);
}

static int put_answer(struct why *w)
{
	const struct print *p = &w->p;
	lk_put_map(p->out, 9);
	put_key(p, "notice");
	lk_put_raw(p->out, w->body.at, w->body.len);
	put_flag(p, "follows", w->follows);
	put_code(p, "place", slot_word(w->now_or_then.found ? w->now_or_then.slot : LK_NO_CODE));
	put_rule(w);
	put_listing(p, "events", &w->events);
	int rc = put_values(w);
	if (rc >= 0)
		rc = put_disclosure(w);
	put_tellings(w);
	return rc;
}

/* Where there is no family, as of feed.silent, it is told by its rule alone. */
static int explain(struct why *w)
{
	int rc = find_tellings(w);
	if (rc < 0)
		return rc;
	if (notice_is_expunged(w->t, &w->row) || (rc > 0 && family_is_expunged(w->t, &w->kept->f)))
		return expunged_refuse(w->err);
	if (rc > 0) {
		memcpy(w->look.id, w->kept->id, LK_DIGEST);
		rc = find_again(w);
	}
	if (rc >= 0 && w->events.n == 0)
		rc = note_told_events(w);
	if (rc >= 0)
		rc = put_answer(w);
	if (rc >= 0 && w->p.out->failed)
		rc = lk_fail(w->err, LK_EMEMORY, "no memory to explain");
	return rc < 0 ? rc : 0;
}

int turn_why(struct turn *t, struct lk_text notice, lk_instant now, struct lk_bytes *out,
	     struct lk_error *err)
{
	struct why w = { .t = t, .err = err, .now = now };
	w.p = (struct print){ &t->policy->zone, NULL, out };
	family_init(&w.look.f);
	int rc = find_notice(&w, notice);
	if (rc >= 0)
		rc = explain(&w);
	gathering_close(w.g);
	family_free(&w.look.f);
	tolds_free(&w.look.told);
	lk_bytes_free(&w.events.items);
	lk_bytes_free(&w.body);
	free(w.history);
	homes_trim(t);
	return rc;
}
