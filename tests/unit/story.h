/* story.h - a family's life in a few lines, for tests of the pure engine: what was said, and what
 * follows from it at an instant, as text.
 *
 * No store, no turn: events are folded in the order in which the test gives them, and tellings are
 * those of derive() and compare().
 */
#ifndef LINKAGES_TESTS_STORY_H
#define LINKAGES_TESTS_STORY_H

#include "engine/compare.h"
#include "engine/fold.h"
#include "policy.h"
#include "values.h"

static struct policy story_policy; /* the built-in one; story_policies() reads it once */

struct story {
	struct family f;
	struct tolds told;
	struct surroundings around; /* empty unless the test fills it */
	lk_instant wake;            /* as the last look found it */
	int64_t place;
	bool retells;    /* for the next look: as after events were lost for a while */
	bool partial;    /* the last look passed over what could not differ */
	char text[8192]; /* what the last look told */
};

static inline int story_policies(void **state)
{
	struct lk_error err;

	(void)state;
	return policy_load(NULL, &story_policy, &err);
}

static inline lk_instant story_instant(const char *text)
{
	struct lk_time time;

	assert_int_equal(lk_time_parse(lk_text_of(text), &time), 0);
	return time.at;
}

static inline void story_begin(struct story *s)
{
	memset(s, 0, sizeof(*s));
	family_init(&s->f);
}

static inline void story_end(struct story *s)
{
	family_free(&s->f);
	tolds_free(&s->told);
}

static inline int story_agency(void *context, struct lk_text source)
{
	(void)context;
	return lk_text_says(source, "calsaws") ? LK_CALWORKS : LK_CWS;
}

/* Cases are named C-… and W-…, and so tell their source. */
static inline const char *story_source(const char *number)
{
	return number[0] == 'W' ? "calsaws" : "cws-cms";
}

/* An event as bytes; the caller frees. `members` come behind the envelope; their quotes are single ones. */
static inline struct lk_bytes story_event(const char *source, const char *id, const char *time,
					  const char *number, const char *type, const char *members)
{
	struct lk_bytes wire = { 0 };
	struct lk_refused why;
	char json[2000];
	int len = snprintf(json, sizeof(json),
			   "{'specversion':'1.0','id':'%s','source':'%s','type':'%s',"
			   "'subject':'%s','time':'%s',%s}",
			   id, source, type, number, time, members);

	for (int i = 0; i < len; i++)
		json[i] = json[i] == '\'' ? '"' : json[i];
	if (lk_json_to_wire(json, (size_t)len, &wire, &why) < 0)
		fail_msg("%s %s in %s", lk_refusal_word((int)why.reason), why.field, json);
	return wire;
}

static inline struct fold_key story_key(const struct lk_event *e, int64_t place)
{
	return (struct fold_key){
		.at = e->time.at,
		.time_at = e->time.at,
		.source = e->source,
		.sequence = INT64_MAX,
		.place = place,
		.id = e->id,
	};
}

/* Its id follows from its place. */
static inline struct lk_bytes story_bytes(const struct story *s, const char *time,
					  const char *number, const char *type, const char *data)
{
	char id[24], members[1500];

	(void)snprintf(id, sizeof(id), "e%lld", (long long)s->place + 1);
	(void)snprintf(members, sizeof(members), "'data':%s", data);
	return story_event(story_source(number), id, time, number, type, members);
}

/* Quotes in data are single ones. */
static inline void said(struct story *s, const char *time, const char *number, const char *type,
			const char *data)
{
	static struct lk_event event;
	struct lk_refused why;
	struct lk_bytes wire = story_bytes(s, time, number, type, data);

	if (lk_event_decode(wire.at, wire.len, story_agency, NULL, &event, &why) < 0)
		fail_msg("%s %s: %s %s", lk_refusal_word((int)why.reason), why.field, type, data);
	struct fold_key key = story_key(&event, ++s->place);
	fold_event(&s->f, &story_policy, &event, &key);
	assert_false(s->f.failed);
	lk_bytes_free(&wire);
}

static inline void story_write(struct story *s, const struct derivation *d,
			       const struct telling *telling)
{
	const struct told *t = &s->told.at[telling->told];
	size_t len = strlen(s->text);
	char due[LK_DATE_TEXT] = "";

	if (telling->candidate != NULL && telling->candidate->due != LK_NO_DATE)
		lk_date_print(telling->candidate->due, due);
	(void)d;
	(void)snprintf(s->text + len, sizeof(s->text) - len, "%s %s %.*s%s%s%s%s\n",
		       lk_notice_state_word(telling->state), lk_notice_kind_word(t->kind),
		       LK_PRINT(words_text(&s->told.words, t->worker)),
		       telling->state == LK_WITHDRAWN ? "" : " ",
		       telling->state == LK_WITHDRAWN ? "" : lk_level_word(t->level),
		       telling->reason >= 0 || due[0] != '\0' ? " " : "",
		       telling->reason >= 0 ? lk_withdrawal_word(telling->reason) : due);
}

/* How much is told where nothing is passed over, to a copy of what was told. */
static inline uint32_t story_whole(const struct story *s, struct derivation d, enum scope scope,
				   void (*rules)(struct derivation *))
{
	struct tolds copy = { 0 };
	struct outcome out = { 0 };

	for (uint32_t i = 0; i < s->told.n; i++)
		tolds_move(&copy, &s->told, &s->told.at[i]);
	d.thrifty = false;
	d.told = &copy;
	rules(&d);
	compare(&copy, &d, scope, &out);
	uint32_t n = out.n;
	outcome_free(&out);
	derivation_free(&d);
	tolds_free(&copy);
	return n;
}

static inline void story_look_with(struct story *s, lk_instant now, enum scope scope,
				   void (*rules)(struct derivation *))
{
	struct derivation d = { .f = &s->f,
				.p = &story_policy,
				.s = &s->around,
				.told = &s->told,
				.now = now,
				.wake = LK_NO_INSTANT,
				.thrifty = true,
				.retells = s->retells };
	struct outcome out = { 0 };
	uint32_t whole = story_whole(s, d, scope, rules);

	rules(&d);
	compare(&s->told, &d, scope, &out);
	assert_false(out.failed);
	assert_int_equal(out.n, whole);
	s->partial = d.partial;
	for (uint32_t i = 0; i < out.n; i++)
		story_write(s, &d, &out.at[i]);
	if (d.wake != LK_NO_INSTANT && (s->wake == LK_NO_INSTANT || d.wake < s->wake))
		s->wake = d.wake;
	outcome_free(&out);
	derivation_free(&d);
}

/* What is told at that instant, one line each: state, kind, worker, level and due or reason. */
static inline const char *look(struct story *s, const char *now)
{
	lk_instant at = story_instant(now);

	s->text[0] = '\0';
	s->wake = LK_NO_INSTANT;
	fold_pass(&s->f, &story_policy, at);
	story_look_with(s, at, SCOPE_STATE, derive);
	story_look_with(s, at, SCOPE_ANSWERS, rules_unanswered);
	return s->text;
}

/* The lines of the last look that name a kind. */
static inline const char *only(const struct story *s, const char *kind)
{
	static char lines[4096];
	size_t len = 0;

	lines[0] = '\0';
	for (const char *at = s->text; *at != '\0';) {
		const char *end = strchr(at, '\n');
		const char *found = strstr(at, kind);

		if (found != NULL && found < end) {
			memcpy(lines + len, at, (size_t)(end - at) + 1);
			len += (size_t)(end - at) + 1;
			lines[len] = '\0';
		}
		at = end + 1;
	}
	return lines;
}

/* ---- Lives that many tests begin with ------------------------------------------------------------ */

/* A CWS case of garcia's and a CalWORKs case of jones's, linked at ten on a Monday. */
static inline void two_cases(struct story *s, const char *cws, const char *calworks)
{
	char data[100];

	story_begin(s);
	(void)snprintf(data, sizeof(data), "{'status':'%s'}", cws);
	said(s, "2026-03-02T09:00:00-08:00", "C-1", "case.opened", data);
	said(s, "2026-03-02T09:01:00-08:00", "C-1", "worker.assigned",
	     "{'role':'social_worker','worker':'garcia'}");
	(void)snprintf(data, sizeof(data), "{'status':'%s'}", calworks);
	said(s, "2026-03-02T09:02:00-08:00", "W-1", "case.opened", data);
	said(s, "2026-03-02T09:03:00-08:00", "W-1", "worker.assigned",
	     "{'role':'ais_worker','worker':'jones'}");
	said(s, "2026-03-02T10:00:00-08:00", "W-1", "link.confirmed",
	     "{'other':{'agency':'cws','case':'C-1'}}");
}

static inline void with_consent(struct story *s)
{
	said(s, "2026-03-02T10:30:00-08:00", "C-1", "consent.signed", "{'consent':'c1'}");
}

#endif
