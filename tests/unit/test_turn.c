/* test_turn.c - what turn.h promises: all of a batch or none, twice is once, nothing is told before
 * COMMIT, every row is looked at again before it is shown. The store is the real one, in memory. */
#include "folder.h"
#include "story.h"

#include "daemon/store/internal.h"
#include "turn_parts.h"

#include <unistd.h>

static const struct turn_source sources[] = {
	{ "cws-cms", LK_CWS, false },
	{ "calsaws", LK_CALWORKS, true },
};

struct office {
	struct store *store;
	struct turn *turn;
	struct lk_error err;
	struct turn_verdict verdict;
	lk_instant wake_at;
	int made; /* ids of events */
	int64_t seq[2];
	char told[8192]; /* 'worker seq' of every call since the last look */
	char each[8192]; /* 'state kind worker' likewise */
	char answered[200];
	int64_t shown[lk_level_count], withheld; /* since the last look, live hand-outs left out */
	uint8_t last[LK_DIGEST];                 /* id of the last telling */
};

static void hear_told(void *context, struct lk_text worker, int64_t seq)
{
	struct office *o = context;
	size_t len = strlen(o->told);

	(void)snprintf(o->told + len, sizeof(o->told) - len, "%.*s %lld\n", LK_PRINT(worker),
		       (long long)seq);
}

static void hear_each(void *context, const void *body, size_t size)
{
	static struct lk_notice n;
	struct office *o = context;
	size_t len = strlen(o->each);

	assert_int_equal(lk_notice_decode(body, size, &n, &o->err), 0);
	(void)snprintf(o->each + len, sizeof(o->each) - len, "%s %s %.*s\n",
		       lk_notice_state_word(n.state), lk_notice_kind_word(n.kind), LK_PRINT(n.to));
	assert_int_equal(lk_digest_parse(lk_text_of(n.id), o->last), 0);
}

static void hear_handed(void *context, int level, int64_t n)
{
	struct office *o = context;

	*(level < 0 ? &o->withheld : &o->shown[level]) += n;
}

static void hear_answered(void *context, struct lk_text worker, const uint8_t notice[LK_DIGEST],
			  struct lk_text by, lk_instant at)
{
	struct office *o = context;

	(void)notice;
	(void)at;
	(void)snprintf(o->answered, sizeof(o->answered), "%.*s by %.*s", LK_PRINT(worker),
		       LK_PRINT(by));
}

static void hear_wake(void *context, lk_instant at)
{
	((struct office *)context)->wake_at = at;
}

static void make_turn(struct office *o, const struct policy *policy)
{
	struct turn_options options = {
		.store = o->store,
		.policy = policy,
		.sources = sources,
		.sources_n = 2,
		.sink = { .context = o,
			  .told = hear_told,
			  .each = hear_each,
			  .handed = hear_handed,
			  .answered = hear_answered,
			  .wake = hear_wake },
	};

	assert_int_equal(turn_create(&options, &o->turn, &o->err), 0);
}

static void restarts(struct office *o)
{
	turn_destroy(o->turn);
	make_turn(o, &story_policy);
}

static int open_office(void **state)
{
	struct store_options in_memory = { .directory = NULL };
	struct office *o = calloc(1, sizeof(*o));

	assert_non_null(o);
	o->wake_at = LK_NO_INSTANT;
	assert_int_equal(store_open(&in_memory, &o->store, &o->err), 0);
	assert_int_equal(store_encoding_begin(o->store, &o->err), 0);
	make_turn(o, &story_policy);
	*state = o;
	return 0;
}

static int close_office(void **state)
{
	struct office *o = *state;

	turn_destroy(o->turn);
	store_encoding_end(o->store);
	store_close(o->store);
	free(o);
	return 0;
}

/* What was told since the last time it was asked. */
static const char *heard(struct office *o)
{
	static char copy[8192];

	memcpy(copy, o->each, sizeof(copy));
	o->each[0] = o->told[0] = '\0';
	return copy;
}

/* ---- Saying ------------------------------------------------------------------------------------ */

static struct lk_bytes event(const char *id, const char *time, const char *number, const char *type,
			     const char *extra)
{
	return story_event(story_source(number), id, time, number, type, extra);
}

static int pass(struct office *o, const char *now)
{
	int more = 1;

	while (more > 0)
		more = turn_pass(o->turn, story_instant(now), &o->err);
	return more;
}

/* One event over intake, now; its id is e1, e2, … */
static enum turn_outcome says_more(struct office *o, const char *now, const char *time,
				   const char *number, const char *type, const char *extra)
{
	char id[20];
	struct turn_event in = { .has_outbox_seq = true };

	(void)snprintf(id, sizeof(id), "e%d", ++o->made);
	struct lk_bytes wire = event(id, time, number, type, extra);
	in.bytes = wire.at;
	in.len = wire.len;
	in.source = number[0] == 'W' ? LK_TEXT("calsaws") : LK_TEXT("cws-cms");
	in.seq = ++o->seq[number[0] == 'W'];
	assert_int_equal(pass(o, now), 0);
	assert_int_equal(turn_events(o->turn, story_instant(now), &in, 1, &o->verdict, &o->err), 0);
	lk_bytes_free(&wire);
	return o->verdict.outcome;
}

static enum turn_outcome says(struct office *o, const char *time, const char *number,
			      const char *type, const char *data)
{
	char extra[1000];

	(void)snprintf(extra, sizeof(extra), "'data':%s", data);
	return says_more(o, time, time, number, type, extra);
}

static void a_family(struct office *o)
{
	says(o, "2026-03-02T09:00:00-08:00", "C-1", "case.opened", "{'status':'er'}");
	says(o, "2026-03-02T09:01:00-08:00", "C-1", "worker.assigned",
	     "{'role':'social_worker','worker':'garcia'}");
	says(o, "2026-03-02T09:02:00-08:00", "W-1", "case.opened", "{'status':'active'}");
	says(o, "2026-03-02T09:03:00-08:00", "W-1", "worker.assigned",
	     "{'role':'ais_worker','worker':'jones'}");
	says(o, "2026-03-02T10:00:00-08:00", "W-1", "link.confirmed",
	     "{'other':{'agency':'cws','case':'C-1'}}");
}

static struct store_counts counts(struct office *o)
{
	struct store_counts c;

	assert_int_equal(store_counts(o->store, &c, &o->err), 0);
	return c;
}

/* ---- Events ------------------------------------------------------------------------------------ */

static int nothing_was_told(void *context)
{
	return ((struct office *)context)->each[0] != '\0'; /* else the commit is refused */
}

static void a_batch_is_told_of_after_its_commit(void **state)
{
	struct office *o = *state;

	(void)sqlite3_commit_hook(o->store->db, nothing_was_told, o);
	a_family(o);
	(void)sqlite3_commit_hook(o->store->db, NULL, NULL);
	assert_string_equal(o->told, "garcia 1\njones 2\n");
	assert_string_equal(heard(o), "new crossover.found garcia\nnew crossover.found jones\n"
				      "new consent.needed jones\n");
	assert_int_equal(o->wake_at,
			 story_instant("2026-03-03T10:00:00-08:00")); /* calsaws silent */
}

static void the_same_event_again_changes_nothing(void **state)
{
	struct office *o = *state;
	struct lk_bytes wire = event("e2", "2026-03-02T09:01:00-08:00", "C-1", "worker.assigned",
				     "'data':{'role':'social_worker','worker':'garcia'}");
	struct turn_event by_seq = { wire.at, wire.len, LK_TEXT("cws-cms"), true, { 0 }, 2, 0 };
	struct turn_event by_feed = { .bytes = wire.at, .len = wire.len };

	a_family(o);
	(void)heard(o);
	int64_t events = counts(o).events;
	assert_int_equal(turn_events(o->turn, 0, &by_seq, 1, &o->verdict, &o->err), 0);
	assert_int_equal(o->verdict.outcome, TURN_REPEATED);
	assert_int_equal(turn_events(o->turn, 0, &by_feed, 1, &o->verdict, &o->err), 0);
	assert_int_equal(o->verdict.outcome, TURN_REPEATED);
	assert_int_equal(counts(o).events, events);
	assert_string_equal(heard(o), "");
	lk_bytes_free(&wire);
}

static void a_known_id_with_other_content_is_a_conflict(void **state)
{
	struct office *o = *state;
	struct lk_bytes wire = event("e2", "2026-03-02T09:01:00-08:00", "C-1", "worker.assigned",
				     "'data':{'role':'social_worker','worker':'ito'}");
	struct turn_event by_seq = { wire.at, wire.len, LK_TEXT("cws-cms"), true, { 0 }, 2, 0 };
	struct turn_event by_feed = { .bytes = wire.at, .len = wire.len };

	a_family(o);
	assert_int_equal(turn_events(o->turn, 0, &by_feed, 1, &o->verdict, &o->err), 0);
	assert_int_equal(o->verdict.outcome, TURN_REFUSED);
	assert_int_equal(o->verdict.refused.reason, LK_CONFLICT);
	assert_string_equal(o->verdict.refused.field, "id");
	assert_int_equal(turn_events(o->turn, 0, &by_seq, 1, &o->verdict, &o->err), 0);
	assert_int_equal(o->verdict.refused.reason, LK_CONFLICT);
	assert_int_equal(counts(o).dead_letters, 2);
	lk_bytes_free(&wire);
}

static void what_makes_no_sense_is_kept_and_the_queue_goes_on(void **state)
{
	struct office *o = *state;

	assert_int_equal(says(o, "2026-03-02T09:00:00-08:00", "C-1", "case.opened",
			      "{'status':'gone'}"),
			 TURN_REFUSED);
	assert_int_equal(o->verdict.refused.reason, LK_BAD_VALUE);
	assert_string_equal(o->verdict.refused.field, "data.status");
	assert_int_equal(says(o, "2026-03-02T09:00:00-08:00", "C-1", "case.opened",
			      "{'status':'ifs'}"),
			 TURN_APPLIED);
	assert_int_equal(counts(o).dead_letters, 1);
}

static void nobody_speaks_for_another_source(void **state)
{
	struct office *o = *state;
	struct lk_bytes wire = event("e1", "2026-03-02T09:00:00-08:00", "C-1", "case.opened",
				     "'data':{'status':'ifs'}");
	struct turn_event in = { wire.at, wire.len, LK_TEXT("calsaws"), true, { 0 }, 1, 0 };

	assert_int_equal(turn_events(o->turn, story_instant("2026-03-02T09:00:00-08:00"), &in, 1,
				     &o->verdict, &o->err),
			 0);
	assert_int_equal(o->verdict.refused.reason, LK_FORBIDDEN);
	assert_int_equal(counts(o).events, 0);
	lk_bytes_free(&wire);
}

static void more_than_four_hundred_days_ahead_is_a_mistake(void **state)
{
	struct office *o = *state;

	says_more(o, "2026-03-02T09:00:00-08:00", "2027-04-06T09:00:01-08:00", "C-1", "case.opened",
		  "'data':{'status':'ifs'}");
	assert_int_equal(o->verdict.refused.reason, LK_BAD_VALUE);
	assert_string_equal(o->verdict.refused.field, "time");
}

/* The first of the two is not in the log either. */
static void a_gap_in_an_outbox_undoes_the_batch(void **state)
{
	struct office *o = *state;
	struct lk_bytes one = event("e1", "2026-03-02T09:00:00-08:00", "C-1", "case.opened",
				    "'data':{'status':'ifs'}");
	struct lk_bytes two =
		event("e2", "2026-03-02T09:00:00-08:00", "C-1", "case.closed", "'data':{}");
	struct turn_event in[] = {
		{ one.at, one.len, LK_TEXT("cws-cms"), true, { 0 }, 1, 0 },
		{ two.at, two.len, LK_TEXT("cws-cms"), true, { 0 }, 3, 0 },
	};
	struct turn_verdict verdicts[2];

	assert_int_equal(turn_events(o->turn, story_instant("2026-03-02T09:00:00-08:00"), in, 2,
				     verdicts, &o->err),
			 LK_ESTATE);
	assert_int_equal(counts(o).events, 0);
	in[1].seq = 2;
	assert_int_equal(turn_events(o->turn, story_instant("2026-03-02T09:00:00-08:00"), in, 2,
				     verdicts, &o->err),
			 0);
	assert_int_equal(counts(o).events, 2);
	lk_bytes_free(&one);
	lk_bytes_free(&two);
}

/* Of SQLite's own machine, since the last time it was asked: they depend on nothing but what is asked for. */
static int64_t steps_of(struct office *o)
{
	int64_t steps = 0;

	for (sqlite3_stmt *q = NULL; (q = sqlite3_next_stmt(o->store->db, q)) != NULL;)
		steps += sqlite3_stmt_status(q, SQLITE_STMTSTATUS_VM_STEP, 1);
	return steps;
}

static void links(struct office *o, int minutes, int other)
{
	char time[40], data[80];

	(void)snprintf(time, sizeof(time), "2026-03-02T%02d:%02d:00-08:00", minutes / 60,
		       minutes % 60);
	(void)snprintf(data, sizeof(data), "{'other':{'agency':'calworks','case':'W-%d'}}", other);
	says(o, time, "C-1", "link.confirmed", data);
}

static void links_that_wait_for_an_opening_do_not_read_each_other(void **state)
{
	struct office *o = *state;
	int64_t steps;

	says(o, "2026-03-02T09:00:00-08:00", "W-150", "case.opened", "{'status':'active'}");
	for (int i = 0; i < 20; i++)
		links(o, 550 + i, i);
	(void)steps_of(o);
	links(o, 580, 20);
	steps = steps_of(o);
	for (int i = 21; i < 200; i++)
		links(o, 580 + i, i);
	(void)steps_of(o);
	links(o, 800, 200);
	assert_in_range(steps_of(o), 1, steps * 3 / 2);
	says(o, "2026-03-02T16:00:00-08:00", "C-1", "case.opened", "{'status':'er'}");
	says(o, "2026-03-02T16:01:00-08:00", "C-1", "worker.assigned",
	     "{'role':'social_worker','worker':'garcia'}");
	assert_non_null(strstr(heard(o), "new crossover.found garcia\n"));
}

/* ---- Time -------------------------------------------------------------------------------------- */

static void an_event_ahead_waits_for_its_time(void **state)
{
	struct office *o = *state;

	a_family(o);
	(void)heard(o);
	says_more(o, "2026-03-02T11:00:00-08:00", "2026-03-03T09:00:00-08:00", "C-1", "case.closed",
		  "'data':{}");
	assert_string_equal(heard(o), "");
	assert_int_equal(o->wake_at, story_instant("2026-03-03T09:00:00-08:00"));
	assert_int_equal(pass(o, "2026-03-03T08:59:59-08:00"), 0);
	assert_string_equal(heard(o), "");
	assert_int_equal(pass(o, "2026-03-03T09:00:00-08:00"), 0);
	assert_non_null(strstr(heard(o), "withdrawn crossover.found garcia\n"));
}

/* How often one has to come back until all is done that falls due by then. */
static int passes_until(struct office *o, const char *at)
{
	int n = 0, more = 1;

	for (; more == 1; n++)
		more = turn_pass(o->turn, story_instant(at), &o->err);
	assert_int_equal(more, 0);
	return n;
}

/* The first of a month wakes every family at one instant, and an agency's extract says much ahead for one. */
static void an_instant_of_many_is_passed_in_bites(void **state)
{
	struct office *o = *state;
	char subject[20];

	for (int i = 0; i < 12; i++) {
		(void)snprintf(subject, sizeof(subject), "C-%d", i);
		says(o, "2026-03-02T09:00:00-08:00", subject, "case.opened", "{'status':'fm'}");
	}
	for (int i = 0; i < 12; i++) {
		(void)snprintf(subject, sizeof(subject), "C-%d", i);
		says_more(o, "2026-03-02T11:00:00-08:00", "2026-03-03T09:00:00-08:00", subject,
			  "contact.made", "'data':{'kind':'face_to_face'}");
	}
	for (int i = 0; i < 2; i++)
		says_more(o, "2026-03-02T11:00:00-08:00", "2026-04-23T08:00:00-07:00", "C-0",
			  "contact.made", "'data':{'kind':'phone'}");
	(void)passes_until(o, "2026-03-03T08:59:00-08:00");
	turn_pass_at_most(o->turn, 3);
	assert_true(passes_until(o, "2026-03-03T09:00:00-08:00") >= 4);
	(void)passes_until(o, "2026-03-31T23:59:00-07:00");
	assert_true(passes_until(o, "2026-04-01T09:00:00-07:00") >= 4);
	(void)passes_until(o, "2026-04-23T07:59:00-07:00");
	/* Two events and a family, three families three times, and the last one. */
	assert_int_equal(passes_until(o, "2026-04-23T08:00:00-07:00"), 5);
	turn_pass_at_most(o->turn, 256);
	assert_int_equal(passes_until(o, "2026-04-23T08:00:00-07:00"), 1);
}

static void a_late_event_takes_its_place(void **state)
{
	struct office *o = *state;

	a_family(o);
	says(o, "2026-03-05T09:00:00-08:00", "W-1", "case.closed", "{}");
	(void)heard(o);
	says_more(o, "2026-03-06T09:00:00-08:00", "2026-03-02T09:30:00-08:00", "W-1",
		  "worker.assigned", "'data':{'role':'ais_worker','worker':'lopez'}");
	assert_null(strstr(o->each, "new crossover.found lopez")); /* it was over when this came */
	says(o, "2026-03-06T10:00:00-08:00", "W-1", "case.opened", "{'status':'active'}");
	assert_non_null(strstr(o->each, "new crossover.found lopez"));
}

static void a_correction_may_come_before_what_it_corrects(void **state)
{
	struct office *o = *state;

	a_family(o);
	says_more(o, "2026-03-02T11:00:00-08:00", "2026-03-02T11:00:00-08:00", "C-1",
		  "event.retracted", "'supersedes':'e7','data':{}");
	(void)heard(o);
	says(o, "2026-03-02T12:00:00-08:00", "C-1", "case.closed", "{}"); /* e7 */
	assert_string_equal(heard(o), "");
}

/* Twice in one instant: an outbox may send all of it at once. */
static void each_link_that_was_undone_has_a_notice_of_its_own(void **state)
{
	static const char noon[] = "2026-03-02T12:00:00-08:00";
	static const char other[] = "'data':{'other':{'agency':'cws','case':'C-1'}}";
	struct office *o = *state;
	uint8_t first[LK_DIGEST];

	a_family(o);
	says_more(o, noon, "2026-03-02T10:01:00-08:00", "W-1", "link.removed", other);
	says_more(o, noon, "2026-03-02T10:02:00-08:00", "W-1", "link.confirmed", other);
	says_more(o, noon, "2026-03-02T10:03:00-08:00", "W-1", "link.removed", other);
	assert_non_null(strstr(heard(o), "new crossover.ended jones\n"));
	memcpy(first, o->last, LK_DIGEST);
	says_more(o, noon, "2026-03-02T10:04:00-08:00", "W-1", "link.confirmed", other);
	says_more(o, noon, "2026-03-02T10:05:00-08:00", "W-1", "link.removed", other);
	assert_non_null(strstr(heard(o), "new crossover.ended jones\n"));
	assert_memory_not_equal(first, o->last, LK_DIGEST);
}

static void what_falls_due_is_told_at_its_own_instant(void **state)
{
	struct office *o = *state;

	a_family(o);
	(void)heard(o);
	assert_int_equal(pass(o, "2026-03-20T09:00:00-07:00"), 0);
	assert_non_null(strstr(o->each, "new notice.unanswered cws.liaison\n"));
	assert_true(o->wake_at > story_instant("2026-03-20T09:00:00-07:00"));
}

static void a_silent_source_is_told_of_until_it_speaks(void **state)
{
	struct office *o = *state;

	a_family(o);
	(void)heard(o);
	assert_int_equal(pass(o, "2026-03-03T10:00:00-08:00"), 0);
	assert_string_equal(heard(o), "new feed.silent cws.liaison\n"
				      "new feed.silent calworks.liaison\n");
	turn_heard(o->turn, LK_TEXT("calsaws"), story_instant("2026-03-03T10:05:00-08:00"));
	assert_int_equal(pass(o, "2026-03-03T10:05:00-08:00"), 0);
	assert_string_equal(heard(o), "withdrawn feed.silent cws.liaison\n"
				      "withdrawn feed.silent calworks.liaison\n");
}

static int refuse_commit(void *context)
{
	(void)context;
	return 1;
}

/* The transaction is rolled back at its COMMIT. */
static void a_pass_fails(struct office *o, const char *now)
{
	(void)sqlite3_commit_hook(o->store->db, refuse_commit, NULL);
	assert_true(turn_pass(o->turn, story_instant(now), &o->err) < 0);
	(void)sqlite3_commit_hook(o->store->db, NULL, NULL);
	assert_string_equal(heard(o), "");
}

static void a_silence_is_told_of_also_where_the_first_commit_failed(void **state)
{
	struct office *o = *state;

	a_family(o);
	(void)heard(o);
	a_pass_fails(o, "2026-03-03T10:00:00-08:00");
	assert_int_equal(pass(o, "2026-03-03T10:00:00-08:00"), 0);
	assert_string_equal(heard(o), "new feed.silent cws.liaison\n"
				      "new feed.silent calworks.liaison\n");
	turn_heard(o->turn, LK_TEXT("calsaws"), story_instant("2026-03-03T10:05:00-08:00"));
	a_pass_fails(o, "2026-03-03T10:05:00-08:00");
	assert_int_equal(pass(o, "2026-03-03T10:05:00-08:00"), 0);
	assert_string_equal(heard(o), "withdrawn feed.silent cws.liaison\n"
				      "withdrawn feed.silent calworks.liaison\n");
}

/* Its first event lies ahead, or was taken back before it came: it has no family yet, and nothing is missing. */
static void a_case_of_which_nothing_counts_is_no_damage(void **state)
{
	struct office *o = *state;
	struct store_check check = { 0 };
	int more = 1;

	says_more(o, "2026-03-02T09:00:00-08:00", "2026-03-05T09:00:00-08:00", "C-1", "case.opened",
		  "'data':{'status':'er'}");
	says_more(o, "2026-03-02T09:00:00-08:00", "2026-03-02T09:00:00-08:00", "W-1",
		  "event.retracted", "'supersedes':'e3','data':{}");
	says_more(o, "2026-03-02T09:00:00-08:00", "2026-03-02T09:00:00-08:00", "W-2", "case.opened",
		  "'data':{'status':'active'}");
	for (int i = 0; i < 2; i++) {
		while ((more = store_check(o->store, &check, 100, &o->err)) > 0)
			continue;
		assert_int_equal(more, 0);
		assert_int_equal(check.damages, 0);
		check = (struct store_check){ 0 };
		assert_int_equal(pass(o, "2026-03-06T09:00:00-08:00"), 0);
	}
	assert_int_equal(o->made, 3);
}

static int64_t last_number(struct office *o)
{
	int64_t number = 0;

	assert_true(turn_sequence(o->turn, LK_TEXT("calsaws"), 1000, &number, &o->err) >= 0);
	return number;
}

/* A number that a heartbeat said has come; one of an event whose transaction was rolled back has not. */
static void what_a_source_has_come_to_is_as_it_was_committed(void **state)
{
	struct office *o = *state;
	struct turn_event in = { .source = LK_TEXT("calsaws"), .number = 9 };
	struct lk_bytes wire = event("e9", "2026-03-02T09:00:30-08:00", "W-1", "case.closed",
				     "'sequence':'no number','data':{}");

	in.bytes = wire.at;
	in.len = wire.len;
	says(o, "2026-03-02T09:00:00-08:00", "W-1", "case.opened", "{'status':'active'}");
	turn_numbered(o->turn, in.source, 7);
	(void)sqlite3_commit_hook(o->store->db, refuse_commit, NULL);
	assert_true(turn_events(o->turn, story_instant("2026-03-02T09:00:30-08:00"), &in, 1,
				&o->verdict, &o->err) < 0);
	(void)sqlite3_commit_hook(o->store->db, NULL, NULL);
	assert_int_equal(turn_touch(o->turn, story_instant("2026-03-02T09:01:00-08:00"), &o->err),
			 0);
	assert_int_equal(last_number(o), 7);
	assert_int_equal(turn_events(o->turn, story_instant("2026-03-02T09:02:00-08:00"), &in, 1,
				     &o->verdict, &o->err),
			 0);
	assert_int_equal(last_number(o), 9);
	lk_bytes_free(&wire);
}

/* Two silences, the first end of which failed once: also the second lets go what it held back. */
static void what_silence_held_back_is_told_after_each_that_ends(void **state)
{
	struct office *o = *state;

	says(o, "2026-03-02T09:00:00-08:00", "W-1", "case.opened", "{'status':'active'}");
	says(o, "2026-03-02T09:03:00-08:00", "W-1", "worker.assigned",
	     "{'role':'ais_worker','worker':'jones'}");
	for (int i = 0; i < 2; i++) {
		const char *made = i == 0 ? "2026-03-02T09:10:00-08:00"
					  : "2026-03-10T09:10:00-07:00",
			   *due = i == 0 ? "2026-03-06T09:00:00-08:00"
					 : "2026-03-14T09:00:00-07:00";

		says(o, made, "W-1", "referral.made",
		     i == 0 ? "{'referral':'R-1','category':'food','to':'cws','follow_up':'2026-03-04'}"
			    : "{'referral':'R-2','category':'food','to':'cws','follow_up':'2026-03-12'}");
		assert_int_equal(pass(o, due), 0);
		assert_null(strstr(heard(o), "referral.overdue"));
		turn_heard(o->turn, LK_TEXT("calsaws"), story_instant(due) + LK_HOUR);
		if (i == 0) {
			(void)sqlite3_commit_hook(o->store->db, refuse_commit, NULL);
			assert_true(turn_pass(o->turn, story_instant(due) + LK_HOUR, &o->err) < 0);
			(void)sqlite3_commit_hook(o->store->db, NULL, NULL);
		}
		while (turn_pass(o->turn, story_instant(due) + LK_HOUR, &o->err) > 0)
			continue;
		assert_non_null(strstr(heard(o), "new referral.overdue jones\n"));
	}
}

/* The daemon was down for days, and came back with another policy: what was kept for an instant of these days counts
 * before what fell due after it. */
static void another_policy_is_taken_on_before_time_goes_on(void **state)
{
	struct office *o = *state;
	static struct policy other;

	a_family(o);
	says_more(o, "2026-03-02T11:00:00-08:00", "2026-03-05T09:00:00-08:00", "C-1", "case.closed",
		  "'data':{}");
	says(o, "2026-03-02T11:01:00-08:00", "C-1", "meeting.scheduled",
	     "{'meeting':'M-1','kind':'pltm','start':'2026-03-07T09:00:00-08:00',"
	     "'end':'2026-03-07T10:00:00-08:00','required':['jones']}");
	(void)heard(o);
	other = story_policy;
	other.revision[0] ^= 1;
	turn_destroy(o->turn);
	make_turn(o, &other);
	assert_int_equal(pass(o, "2026-03-10T09:00:00-07:00"), 0);
	const char *told = heard(o);
	const char *over = strstr(told, "withdrawn crossover.found jones\n");
	const char *reminder = strstr(told, "new meeting.reminder jones\n");
	assert_non_null(over);
	assert_non_null(reminder);
	assert_true(over < reminder);
}

/* A clock that is suspect lets events in and no time pass. */
static void a_silence_that_outlasts_the_daemon_ends_with_the_first_event(void **state)
{
	struct office *o = *state;
	const char *spoke = "2026-03-03T10:05:00-08:00";

	a_family(o);
	assert_int_equal(pass(o, "2026-03-03T10:00:00-08:00"), 0);
	(void)heard(o);
	restarts(o);
	struct lk_bytes wire =
		event("first", spoke, "W-1", "contact.made", "'data':{'kind':'phone'}");
	const struct turn_event in = { .bytes = wire.at, .len = wire.len };
	assert_int_equal(turn_events(o->turn, story_instant(spoke), &in, 1, &o->verdict, &o->err),
			 0);
	assert_string_equal(heard(o), "withdrawn feed.silent cws.liaison\n"
				      "withdrawn feed.silent calworks.liaison\n");
	lk_bytes_free(&wire);
}

static void a_restart_remembers_everything(void **state)
{
	struct office *o = *state;

	a_family(o);
	(void)heard(o);
	restarts(o);
	assert_int_equal(pass(o, "2026-03-02T10:00:00-08:00"), 0);
	assert_string_equal(heard(o), "");
	says(o, "2026-03-02T11:00:00-08:00", "C-1", "case.closed", "{}");
	assert_non_null(strstr(o->each, "withdrawn crossover.found garcia\n"));
}

/* An event of the feed lane, and nothing passes before it. */
static void calls(struct office *o, const char *id, const char *now)
{
	struct lk_bytes wire = event(id, now, "C-1", "contact.made", "'data':{'kind':'phone'}");
	const struct turn_event in = { .bytes = wire.at, .len = wire.len };

	assert_int_equal(turn_events(o->turn, story_instant(now), &in, 1, &o->verdict, &o->err), 0);
	assert_int_equal(o->verdict.outcome, TURN_APPLIED);
	lk_bytes_free(&wire);
}

static lk_instant time_written(struct office *o)
{
	lk_instant now = LK_NO_INSTANT;

	assert_int_equal(store_value_get(o->store, "now", &now, &o->err), 1);
	return now;
}

static void time_is_written_once_a_second_and_read_from_the_log_beside_it(void **state)
{
	struct office *o = *state;
	const char *first = "2026-03-02T11:00:00-08:00", *second = "2026-03-02T11:00:00.400-08:00";
	struct turn_hearing hearing;

	a_family(o);
	calls(o, "first", first);
	calls(o, "second", second);
	assert_int_equal(time_written(o), story_instant(first));
	restarts(o);
	assert_int_equal(turn_now(o->turn), story_instant(second));
	assert_true(turn_hearing(o->turn, 0, &hearing));
	assert_string_equal(hearing.name, "cws-cms");
	assert_int_equal(hearing.heard_at, story_instant(second));
	assert_int_equal(pass(o, "2026-03-02T11:00:00.500-08:00"), 0);
	assert_int_equal(time_written(o), story_instant("2026-03-02T11:00:00.500-08:00"));
}

/* ---- Policy ------------------------------------------------------------------------------------ */

static void another_policy_publishes_only_differences(void **state)
{
	struct office *o = *state;
	static struct policy other;

	a_family(o);
	(void)heard(o);
	other = story_policy;
	other.revision[0] ^= 1;
	other.rule[LK_CONSENT_NEEDED].enabled = false;
	assert_int_equal(turn_policy(o->turn, &other, &o->err), 0);
	assert_int_equal(pass(o, "2026-03-02T10:30:00-08:00"), 0);
	assert_string_equal(heard(o), "withdrawn consent.needed jones\n");
	assert_int_equal(turn_policy(o->turn, &story_policy, &o->err), 0);
	assert_int_equal(pass(o, "2026-03-02T10:31:00-08:00"), 0);
	assert_string_equal(heard(o), "new consent.needed jones\n");
}

/* What comes in before its family's turn is folded onto what another policy has folded: the family has its turn all the same. */
static void another_policy_is_taken_on_by_a_family_that_was_settled_meanwhile(void **state)
{
	struct office *o = *state;
	static struct policy other;

	other = story_policy;
	other.revision[0] ^= 1;
	other.creditable = 0;
	assert_int_equal(turn_policy(o->turn, &other, &o->err), 0);
	a_family(o);
	says(o, "2026-03-02T10:01:00-08:00", "C-1", "consent.signed", "{'consent':'K-1'}");
	says(o, "2026-03-02T10:02:00-08:00", "C-1", "service.started",
	     "{'service':'S-1','category':'substance_use'}");
	assert_null(strstr(heard(o), "service.credit"));
	assert_int_equal(turn_policy(o->turn, &story_policy, &o->err), 0);
	calls(o, "meanwhile", "2026-03-02T10:03:00-08:00");
	assert_int_equal(turn_behind(o->turn), TURN_UNCOUNTED);
	assert_int_equal(pass(o, "2026-03-02T10:04:00-08:00"), 0);
	assert_non_null(strstr(heard(o), "new service.credit jones\n"));
	assert_int_equal(turn_behind(o->turn), 0);
}

#define OF_ONE_CHILD(status) \
	"{'status':'" status "','members':[{'person':'P-1','role':'child','keys':" \
	"{'ssn':'00112233445566778899aabbccddeeff'}}]}"

static void alike(struct office *o)
{
	a_family(o);
	says(o, "2026-03-02T10:01:00-08:00", "C-7", "case.opened", OF_ONE_CHILD("er"));
	says(o, "2026-03-02T10:02:00-08:00", "C-7", "worker.assigned",
	     "{'role':'social_worker','worker':'garcia'}");
	says(o, "2026-03-02T10:03:00-08:00", "W-7", "case.opened", OF_ONE_CHILD("active"));
	says(o, "2026-03-02T10:04:00-08:00", "W-7", "worker.assigned",
	     "{'role':'employment_specialist','worker':'jones'}");
}

/* Which tokens link by themselves is the policy's, and a state is folded as if it had always been so. */
static void another_policy_links_by_other_tokens(void **state)
{
	struct office *o = *state;
	static struct policy other;

	alike(o);
	assert_non_null(strstr(o->each, "new crossover.possible jones\n"));
	(void)heard(o);
	other = story_policy;
	other.revision[0] ^= 1;
	other.links_automatic |= POLICY_BIT(LK_SSN);
	assert_int_equal(turn_policy(o->turn, &other, &o->err), 0);
	turn_pass_at_most(o->turn, 1);
	while (turn_pass(o->turn, story_instant("2026-03-02T10:30:00-08:00"), &o->err) == 1)
		continue;
	const char *told = heard(o);
	assert_non_null(strstr(told, "withdrawn crossover.possible jones\n"));
	assert_non_null(strstr(told, "new crossover.found jones\n"));
	assert_non_null(strstr(told, "new crossover.found garcia\n"));
	turn_destroy(o->turn);
	make_turn(o, &story_policy); /* as if the daemon had been started with it */
	while (turn_pass(o->turn, story_instant("2026-03-02T10:31:00-08:00"), &o->err) == 1)
		continue;
	told = heard(o);
	assert_non_null(strstr(told, "withdrawn crossover.found garcia\n"));
	assert_non_null(strstr(told, "new crossover.possible jones\n"));
}

#define OF_A_PARENT(status, keys) \
	"{'status':'" status "','members':[{'person':'P-2','role':'parent','keys':{" keys "}}]}"
#define BY_CIN "'cin':'ffeeddccbbaa99887766554433221100'"
#define BY_SSN "'ssn':'00112233445566778899aabbccddeeff'"

/* Whichever of the families has its turn first: of one that another takes in, the links are found, too. */
static void another_policy_parts_a_family_that_another_one_takes_in(void **state)
{
	struct office *o = *state;
	static struct policy other;

	says(o, "2026-03-02T09:00:00-08:00", "C-7", "case.opened", OF_A_PARENT("er", BY_CIN));
	says(o, "2026-03-02T09:01:00-08:00", "C-7", "worker.assigned",
	     "{'role':'social_worker','worker':'garcia'}");
	says(o, "2026-03-02T09:02:00-08:00", "W-7", "case.opened",
	     OF_A_PARENT("active", BY_CIN "," BY_SSN));
	assert_non_null(strstr(heard(o), "new crossover.found garcia\n"));
	says(o, "2026-03-02T09:03:00-08:00", "C-1", "case.opened", OF_A_PARENT("er", BY_SSN));
	(void)heard(o);
	other = story_policy;
	other.revision[0] ^= 1;
	other.links_automatic = POLICY_BIT(LK_SSN);
	assert_int_equal(turn_policy(o->turn, &other, &o->err), 0);
	calls(o, "first", "2026-03-02T09:04:00-08:00");
	assert_int_equal(pass(o, "2026-03-02T09:05:00-08:00"), 0);
	assert_non_null(strstr(heard(o), "withdrawn crossover.found garcia\n"));
}

/* A damaged page has taken them; what comes in before all families were looked through finds them, too. */
static void links_and_tokens_that_are_lost_are_found_in_the_log(void **state)
{
	struct office *o = *state;
	static struct policy other;

	alike(o);
	says(o, "2026-03-02T10:05:00-08:00", "W-7", "link.confirmed",
	     "{'other':{'agency':'cws','case':'C-7'}}");
	(void)heard(o);
	assert_int_equal(sqlite3_exec(o->store->db,
				      "DELETE FROM link; DELETE FROM token;"
				      "INSERT OR REPLACE INTO value VALUES ('links.by', -1)",
				      NULL, NULL, NULL),
			 SQLITE_OK);
	other = story_policy;
	other.revision[0] ^= 1;
	turn_destroy(o->turn);
	make_turn(o, &other);
	struct lk_bytes late = event("late", "2026-03-02T10:02:30-08:00", "C-7", "contact.made",
				     "'data':{'kind':'phone'}");
	const struct turn_event in = { .bytes = late.at, .len = late.len };
	assert_int_equal(turn_events(o->turn, story_instant("2026-03-02T10:20:00-08:00"), &in, 1,
				     &o->verdict, &o->err),
			 0);
	lk_bytes_free(&late);
	assert_int_equal(pass(o, "2026-03-02T10:30:00-08:00"), 0);
	assert_string_equal(heard(o), "");
	says(o, "2026-03-02T11:31:00-08:00", "C-8", "case.opened", OF_ONE_CHILD("er"));
	assert_non_null(strstr(o->each, "new crossover.possible"));
}

static void another_policy_is_taken_on_by_as_many_families_as_a_pass_may(void **state)
{
	struct office *o = *state;
	static struct policy other;
	int passes = 0;

	a_family(o);
	says(o, "2026-03-02T10:01:00-08:00", "C-2", "case.opened", "{'status':'er'}");
	says(o, "2026-03-02T10:02:00-08:00", "C-3", "case.opened", "{'status':'er'}");
	(void)heard(o);
	other = story_policy;
	other.revision[0] ^= 1;
	other.rule[LK_CONSENT_NEEDED].enabled = false;
	assert_int_equal(turn_policy(o->turn, &other, &o->err), 0);
	turn_pass_at_most(o->turn, 1);
	while (turn_pass(o->turn, story_instant("2026-03-02T10:30:00-08:00"), &o->err) == 1)
		passes++;
	assert_true(passes >= 3); /* a family each */
	assert_string_equal(heard(o), "withdrawn consent.needed jones\n");
}

/* Whoever reloads gives it back then: nothing may look at it. */
static void a_policy_that_could_not_be_taken_is_not_borrowed(void **state)
{
	struct office *o = *state;
	struct policy *other = malloc(sizeof(*other));

	assert_non_null(other);
	a_family(o);
	(void)heard(o);
	*other = story_policy;
	other->revision[0] ^= 1;
	o->store->suspect = true;
	assert_int_equal(turn_policy(o->turn, other, &o->err), LK_ESYNC);
	o->store->suspect = false;
	free(other);
	says(o, "2026-03-02T11:00:00-08:00", "C-1", "case.closed", "{}");
	assert_non_null(strstr(o->each, "withdrawn crossover.found garcia\n"));
}

/* ---- Hand-out ---------------------------------------------------------------------------------- */

struct opened {
	char lines[4000];
	struct lk_bytes bodies;
	struct lk_error err;
};

static int open_one(void *context, int64_t seq, const void *body, size_t size)
{
	static struct lk_notice n;
	struct opened *all = context;
	size_t len = strlen(all->lines);

	assert_int_equal(lk_notice_decode(body, size, &n, &all->err), 0);
	(void)snprintf(all->lines + len, sizeof(all->lines) - len, "%lld %s %s%s\n", (long long)seq,
		       lk_notice_state_word(n.state), lk_notice_kind_word(n.kind),
		       n.at.at == LK_NO_INSTANT       ? " reduced"
		       : lk_text_given(n.answered_by) ? " answered"
						      : "");
	lk_bytes_add(&all->bodies, body, size);
	return 0;
}

/* Once more, from what was encoded meanwhile: the same. */
static void open_encoded(struct office *o, struct lk_text worker, int64_t after,
			 const struct opened *was)
{
	struct opened all = { 0 };

	while (store_encoding_waits(o->store))
		store_encode_some(o->store);
	assert_true(turn_mailbox(o->turn, worker, after, 100, LK_NO_TEXT,
				 story_instant("2026-03-10T09:00:00-07:00"), open_one, &all,
				 &o->err) >= 0);
	assert_string_equal(all.lines, was->lines);
	assert_int_equal(all.bodies.len, was->bodies.len);
	assert_memory_equal(all.bodies.at, was->bodies.at, was->bodies.len);
	lk_bytes_free(&all.bodies);
}

static const char *opened(struct office *o, const char *worker, int64_t after, const char *session)
{
	static struct opened all;

	all.lines[0] = '\0';
	assert_true(turn_mailbox(o->turn, lk_text_of(worker), after, 100, lk_text_of(session),
				 story_instant("2026-03-10T09:00:00-07:00"), open_one, &all,
				 &o->err) >= 0);
	open_encoded(o, lk_text_of(worker), after, &all);
	lk_bytes_free(&all.bodies);
	return all.lines;
}

static void a_mailbox_is_handed_out_in_order(void **state)
{
	struct office *o = *state;

	a_family(o);
	assert_string_equal(opened(o, "jones", 0, NULL),
			    "1 new crossover.found\n2 new consent.needed\n");
	assert_string_equal(opened(o, "jones", 1, NULL), "2 new consent.needed\n");
	assert_string_equal(opened(o, "nobody", 0, NULL), "");
}

/* A client whose credit is used up takes no more. */
static int take_two(void *context, int64_t seq, const void *body, size_t size)
{
	(void)body;
	(void)size;
	*(int64_t *)context = seq;
	return seq == 2;
}

static void a_hand_out_ends_where_its_reader_says_so(void **state)
{
	struct office *o = *state;
	int64_t last = 0;

	a_family(o);
	says(o, "2026-03-02T10:30:00-08:00", "C-1", "consent.signed", "{'consent':'c1'}");
	assert_int_equal(turn_mailbox(o->turn, LK_TEXT("jones"), 0, 100, LK_NO_TEXT,
				      story_instant("2026-03-10T09:00:00-07:00"), take_two, &last,
				      &o->err),
			 2);
	assert_int_equal(last, 2);
	assert_int_equal(turn_mailbox(o->turn, LK_TEXT("jones"), 2, 100, LK_NO_TEXT,
				      story_instant("2026-03-10T09:00:00-07:00"), take_two, &last,
				      &o->err),
			 2);
}

static void content_is_not_shown_once_consent_has_ended(void **state)
{
	struct office *o = *state;

	a_family(o);
	says(o, "2026-03-02T10:30:00-08:00", "C-1", "consent.signed", "{'consent':'c1'}");
	says(o, "2026-03-02T10:40:00-08:00", "W-1", "milestone.reached", "{'milestone':'job'}");
	assert_non_null(strstr(opened(o, "garcia", 0, NULL), "new milestone.reached\n"));
	says(o, "2026-03-02T10:50:00-08:00", "C-1", "consent.revoked", "{'consent':'c1'}");
	assert_non_null(
		strstr(opened(o, "garcia", 0, NULL), "withdrawn milestone.reached reduced\n"));
	assert_non_null(strstr(opened(o, "jones", 0, NULL), "new milestone.reached\n"));
}

static void assert_handed(struct office *o, int64_t registry, int64_t content, int64_t withheld)
{
	assert_int_equal(o->shown[LK_REGISTRY], registry);
	assert_int_equal(o->shown[LK_CONTENT], content);
	assert_int_equal(o->withheld, withheld);
	memset(o->shown, 0, sizeof(o->shown));
	o->withheld = 0;
}

/* Of whoever catches up: live, what is shown was counted when it was told, and what is withheld is counted each time. A mailbox
 * is opened twice, the second time live. */
static void what_is_shown_is_counted_by_its_level(void **state)
{
	struct office *o = *state;

	a_family(o);
	says(o, "2026-03-02T10:30:00-08:00", "C-1", "consent.signed", "{'consent':'c1'}");
	says(o, "2026-03-02T10:40:00-08:00", "W-1", "milestone.reached", "{'milestone':'job'}");
	(void)opened(o, "garcia", 1, NULL);
	assert_handed(o, 0, 0, 0);
	(void)opened(o, "garcia", 0, "s1");
	assert_handed(o, 1, 2, 0);
	says(o, "2026-03-02T10:50:00-08:00", "C-1", "consent.revoked", "{'consent':'c1'}");
	(void)opened(o, "garcia", 0, "s1");
	assert_handed(o, 2, 0, 4);
}

/* What was said of a case counts from its opening: that was later, in truth, and so was the consent. */
static void a_moment_from_before_its_opening(struct office *o)
{
	a_family(o);
	says(o, "2026-03-02T10:30:00-08:00", "C-1", "consent.signed", "{'consent':'c1'}");
	says(o, "2026-03-02T10:40:00-08:00", "W-1", "milestone.reached", "{'milestone':'job'}");
	says_more(o, "2026-03-02T11:00:00-08:00", "2026-03-02T10:45:00-08:00", "W-1", "case.opened",
		  "'supersedes':'e3','data':{'status':'active'}");
	says_more(o, "2026-03-02T11:01:00-08:00", "2026-03-02T10:42:00-08:00", "C-1",
		  "consent.signed", "'supersedes':'e6','data':{'consent':'c1'}");
}

static void a_moment_is_shown_by_the_time_that_it_has_now(void **state)
{
	struct office *o = *state;

	a_moment_from_before_its_opening(o);
	assert_null(strstr(heard(o), "withdrawn milestone.reached"));
	assert_non_null(strstr(opened(o, "garcia", 0, NULL), "new milestone.reached\n"));
}

/* As above, when its record is in the family's row alone. */
static void a_moment_of_long_ago_is_shown_by_its_record(void **state)
{
	struct office *o = *state;
	char time[40];

	a_moment_from_before_its_opening(o);
	for (int minute = 10; minute < 20; minute++) {
		(void)snprintf(time, sizeof(time), "2026-03-02T11:%d:00-08:00", minute);
		says(o, time, "W-1", "milestone.reached", "{'milestone':'applied'}");
		o->turn->homes_most = o->turn->homes_bytes - 1;
	}
	assert_true(o->turn->newest->told.away > 10 && o->turn->newest->f.moments_away > 5);
	const char *shown = opened(o, "garcia", 2, NULL);
	assert_ptr_equal(strstr(shown, "3 new milestone.reached\n"), shown);
}

/* Its history alone is not taken from it where nobody asks for it again. */
static void a_family_that_does_not_come_back_is_let_go_whole(void **state)
{
	struct office *o = *state;
	struct again *again = &o->turn->store->held.again;

	a_moment_from_before_its_opening(o);
	o->turn->homes_most = o->turn->homes_bytes - 1;
	for (uint8_t i = 0; store_families_come_back(o->turn->store); i++)
		again_came(again,
			   &(struct family_version){ .ref = 1000000, .id = { 1, 0, 0, 0, i } });
	says(o, "2026-03-02T11:10:00-08:00", "W-1", "milestone.reached", "{'milestone':'applied'}");
	assert_null(o->turn->newest);
	assert_non_null(strstr(opened(o, "garcia", 0, NULL), "new milestone.reached\n"));
}

/* Nine families, and the row for silent sources. */
static void families_behind_a_policy_are_counted_while_they_become_fewer(void **state)
{
	struct office *o = *state;
	static struct policy other;
	char number[] = "W-0";
	int64_t before = TURN_FAMILIES_MAX, now;

	for (; number[2] < '9'; number[2]++)
		says(o, "2026-03-02T10:00:00-08:00", number, "case.opened", "{'status':'active'}");
	assert_int_equal(pass(o, "2026-03-02T10:01:00-08:00"), 0);
	assert_int_equal(turn_behind(o->turn), 0);
	other = story_policy;
	other.revision[0] ^= 1;
	assert_int_equal(turn_policy(o->turn, &other, &o->err), 0);
	assert_int_equal(turn_behind(o->turn), TURN_UNCOUNTED);
	turn_pass_at_most(o->turn, 1);
	while ((now = turn_behind(o->turn)) != 0) {
		assert_true(now == TURN_UNCOUNTED || (now < before && now < 10));
		assert_true(now != TURN_UNCOUNTED || before == TURN_FAMILIES_MAX);
		if (now != TURN_UNCOUNTED)
			before = now + 1; /* the same again, until it is counted anew */
		assert_in_range(turn_pass(o->turn, story_instant("2026-03-02T10:02:00-08:00"),
					  &o->err),
				0, 1);
	}
	assert_true(before < 10);
	assert_int_equal(pass(o, "2026-03-02T10:02:00-08:00"), 0);
	assert_int_equal(turn_behind(o->turn), 0);
}

static uint32_t families_here(const struct office *o)
{
	uint32_t n = 0;

	for (const struct home *h = o->turn->newest; h != NULL; h = h->older)
		n++;
	return n;
}

/* Whatever goes through all families finds those that were let go, and those that are at hand stay. */
static void only_families_that_are_spoken_of_stay_at_hand(void **state)
{
	struct office *o = *state;
	static struct policy other;

	a_family(o);
	says(o, "2026-03-02T10:50:00-08:00", "W-7", "case.opened", "{'status':'active'}");
	other = story_policy;
	other.revision[0] ^= 1;
	assert_int_equal(turn_policy(o->turn, &other, &o->err), 0);
	says(o, "2026-03-02T10:51:00-08:00", "W-7", "milestone.reached", "{'milestone':'job'}");
	assert_int_equal(pass(o, "2026-03-02T10:52:00-08:00"), 0);
	assert_int_equal(turn_behind(o->turn), 0);
	assert_int_equal(families_here(o), 1);
	while (turn_idle(o->turn, &o->err) > 0)
		;
	assert_int_equal(families_here(o), 1);
	assert_true(family_case(&o->turn->newest->f, LK_CALWORKS, lk_text_of("W-7")) != NONE);
}

/* It crossed as the latest one when consent began, and follows from then on; its event's own time is older. */
static void a_status_stays_shown_that_a_consent_let_cross(void **state)
{
	struct office *o = *state;

	a_family(o);
	says(o, "2026-03-02T10:20:00-08:00", "W-1", "case.status", "{'status':'exempt'}");
	says(o, "2026-03-02T10:30:00-08:00", "C-1", "consent.signed", "{'consent':'c1'}");
	assert_non_null(strstr(opened(o, "garcia", 0, NULL), "new status.changed\n"));
	says(o, "2026-03-02T10:40:00-08:00", "W-1", "worker.unassigned", "{'role':'ais_worker'}");
	assert_non_null(strstr(opened(o, "garcia", 0, NULL), "new status.changed\n"));
}

/* The latest status may be known again from the next consent on; nothing else of before may. */
static void the_next_consent_shows_the_latest_status_again(void **state)
{
	struct office *o = *state;

	a_family(o);
	says(o, "2026-03-02T10:30:00-08:00", "C-1", "consent.signed", "{'consent':'c1'}");
	says(o, "2026-03-02T10:40:00-08:00", "W-1", "case.status", "{'status':'exempt'}");
	says(o, "2026-03-02T10:41:00-08:00", "W-1", "milestone.reached", "{'milestone':'job'}");
	says(o, "2026-03-02T10:50:00-08:00", "C-1", "consent.revoked", "{'consent':'c1'}");
	assert_null(strstr(opened(o, "garcia", 0, NULL), "new status.changed\n"));
	(void)heard(o);
	says(o, "2026-03-02T11:00:00-08:00", "C-1", "consent.signed", "{'consent':'c2'}");
	assert_null(strstr(heard(o), "status.changed"));
	const char *shown = opened(o, "garcia", 0, NULL);
	const char *status = strstr(shown, "new status.changed\n");
	assert_non_null(status);
	assert_null(strstr(status + 1, "new status.changed\n"));
	assert_null(strstr(shown, "new milestone.reached\n"));
}

static void nothing_of_an_undone_link_is_shown(void **state)
{
	struct office *o = *state;

	a_family(o);
	says(o, "2026-03-02T10:30:00-08:00", "C-1", "consent.signed", "{'consent':'c1'}");
	says(o, "2026-03-02T11:00:00-08:00", "W-1", "link.removed",
	     "{'other':{'agency':'cws','case':'C-1'}}");
	assert_non_null(strstr(o->each, "new crossover.ended garcia\n"));
	assert_non_null(
		strstr(opened(o, "jones", 0, NULL), "1 withdrawn crossover.found reduced\n"));
	assert_non_null(
		strstr(opened(o, "jones", 0, NULL), "3 withdrawn consent.needed reduced\n"));
}

/* The link stands, but a case that was never opened has no reader. */
static void nothing_is_shown_to_a_case_that_was_never_opened(void **state)
{
	struct office *o = *state;

	a_family(o);
	assert_string_equal(opened(o, "garcia", 0, NULL), "1 new crossover.found\n");
	says_more(o, "2026-03-02T11:00:00-08:00", "2026-03-02T11:00:00-08:00", "C-1",
		  "event.retracted", "'supersedes':'e1','data':{}");
	assert_string_equal(opened(o, "garcia", 0, NULL), "1 withdrawn crossover.found reduced\n"
							  "2 withdrawn crossover.found\n");
}

/* The row names one case of the other side; what it tells rests on two, and one of them leaves. */
static void nothing_that_rests_on_an_undone_link_is_shown(void **state)
{
	struct office *o = *state;
	static const char to_c1[] = "{'other':{'agency':'cws','case':'C-1'}}";

	a_family(o);
	says(o, "2026-03-02T10:30:00-08:00", "C-1", "consent.signed", "{'consent':'c1'}");
	says(o, "2026-03-02T10:31:00-08:00", "W-2", "case.opened", "{'status':'active'}");
	says(o, "2026-03-02T10:32:00-08:00", "W-2", "link.confirmed", to_c1);
	says(o, "2026-03-02T10:33:00-08:00", "W-1", "concern.raised",
	     "{'concern':'x','kind':'deviation'}");
	says(o, "2026-03-02T10:34:00-08:00", "W-2", "case.closing", "{'date':'2026-04-01'}");
	assert_non_null(strstr(opened(o, "garcia", 0, NULL), "updated meeting.needed\n"));
	says(o, "2026-03-02T10:35:00-08:00", "W-2", "link.removed", to_c1);
	const char *lines = opened(o, "garcia", 0, NULL);
	assert_non_null(strstr(lines, "new meeting.needed\n"));
	assert_non_null(strstr(lines, "withdrawn meeting.needed reduced\n"));
}

/* What the reader's own side has said may be seen also where its case has left the family. */
static void what_rests_on_the_own_side_stays_shown(void **state)
{
	struct office *o = *state;
	static const char to_w1[] = "{'other':{'agency':'calworks','case':'W-1'}}";

	a_family(o);
	says(o, "2026-03-02T10:30:00-08:00", "C-1", "consent.signed", "{'consent':'c1'}");
	says(o, "2026-03-02T10:31:00-08:00", "C-2", "case.opened", "{'status':'er'}");
	says(o, "2026-03-02T10:32:00-08:00", "C-2", "link.confirmed", to_w1);
	says(o, "2026-03-02T10:33:00-08:00", "W-1", "case.closing", "{'date':'2026-04-01'}");
	says(o, "2026-03-02T10:34:00-08:00", "C-2", "concern.raised",
	     "{'concern':'x','kind':'deviation'}");
	assert_non_null(strstr(opened(o, "garcia", 3, NULL),
			       "4 new meeting.needed\n5 updated meeting.needed\n"));
	says(o, "2026-03-02T10:35:00-08:00", "C-2", "link.removed", to_w1);
	assert_string_equal(opened(o, "garcia", 3, NULL),
			    "4 new meeting.needed\n5 updated meeting.needed\n"
			    "6 updated meeting.needed\n");
}

/* Whether `why` says that its worker may see the notice now. */
static bool why_shows(struct office *o, const uint8_t notice[LK_DIGEST])
{
	char hex[LK_DIGEST_HEX];
	struct lk_bytes answer = { 0 };
	bool shown;

	lk_digest_hex(notice, hex);
	assert_int_equal(turn_why(o->turn, lk_text_of(hex),
				  story_instant("2026-03-02T11:00:00-08:00"), &answer, &o->err),
			 0);
	struct lk_span now = lk_get(lk_span_of(answer.at, answer.len), "disclosure");
	assert_true(lk_as_bool(lk_get(now, "may_be_seen"), &shown));
	assert_int_equal(lk_text_given(lk_as_text(lk_get(now, "held_by"))), !shown);
	lk_bytes_free(&answer);
	return shown;
}

/* The two ask the same question: a likely match may be seen without a link. */
static void why_says_what_the_hand_out_does(void **state)
{
	struct office *o = *state;

	alike(o);
	assert_non_null(strstr(opened(o, "jones", 2, NULL), " new crossover.possible\n"));
	assert_true(why_shows(o, o->last));
}

static int print_row(void *context, const struct ledger_row *row)
{
	(void)snprintf(context, 200, "%.*s %.*s %lld-%lld %d %.*s", LK_PRINT(row->worker),
		       LK_PRINT(row->session), (long long)row->from, (long long)row->upto,
		       row->level, LK_PRINT(row->basis));
	return 0;
}

/* Of what was shown: from its first place to its last, and what the highest level rests on. */
static void a_catch_ups_row_says_what_was_shown(void **state)
{
	struct office *o = *state;
	char row[200];

	a_family(o);
	(void)opened(o, "jones", 0, "s1");
	assert_int_equal(store_ledger_after(o->store, counts(o).ledger_rows - 1, 1, print_row, row,
					    &o->err),
			 0);
	assert_string_equal(row, "jones s1 1-2 2 WIC 18961.5");
	says(o, "2026-03-02T10:30:00-08:00", "C-1", "consent.signed", "{'consent':'c1'}");
	says(o, "2026-03-02T10:40:00-08:00", "W-1", "milestone.reached", "{'milestone':'job'}");
	(void)opened(o, "garcia", 0, "s2");
	assert_int_equal(store_ledger_after(o->store, counts(o).ledger_rows - 1, 1, print_row, row,
					    &o->err),
			 0);
	assert_string_equal(row, "garcia s2 1-3 3 consent in force; WIC 18961.5");
}

static void a_catch_up_has_its_row_in_the_ledger(void **state)
{
	struct office *o = *state;

	a_family(o);
	int64_t rows = counts(o).ledger_rows;
	(void)opened(o, "jones", 0, NULL);
	assert_int_equal(counts(o).ledger_rows, rows);
	(void)opened(o, "jones", 0, "00112233445566778899aabbccddeeff");
	assert_int_equal(counts(o).ledger_rows, rows + 1);
}

static void one_answer_answers_all(void **state)
{
	struct office *o = *state;
	lk_instant now = story_instant("2026-03-02T11:00:00-08:00");

	a_family(o); /* the last telling is jones's consent.needed */
	assert_int_equal(turn_answer(o->turn, LK_TEXT("garcia"), o->last, now, &o->err),
			 LK_ENOTFOUND);
	assert_int_equal(turn_answer(o->turn, LK_TEXT("jones"), o->last, now, &o->err), 1);
	assert_string_equal(o->answered, "jones by jones");
	assert_int_equal(turn_answer(o->turn, LK_TEXT("jones"), o->last, now, &o->err), 0);
	assert_non_null(strstr(opened(o, "jones", 0, NULL), "2 new consent.needed answered\n"));
	(void)heard(o);
	assert_int_equal(pass(o, "2026-03-04T10:00:00-08:00"), 0);
	assert_null(strstr(o->each, "new notice.unanswered calworks.liaison\n"
				    "new notice.unanswered calworks.liaison\n"));
	assert_non_null(strstr(o->each, "new notice.unanswered calworks.liaison\n"));
}

static int64_t received(struct office *o, const char *worker)
{
	struct stored_mailbox mailbox;

	assert_int_equal(turn_mailbox_get(o->turn, lk_text_of(worker), &mailbox, &o->err), 0);
	return mailbox.received;
}

static void receipts_are_stored_together(void **state)
{
	struct office *o = *state;
	const struct turn_receipt receipts[] = { { LK_TEXT("garcia"), 1 },
						 { LK_TEXT("jones"), 2 } };

	a_family(o);
	assert_int_equal(turn_receipts(o->turn, receipts, 2, &o->err), 0);
	assert_int_equal(received(o, "garcia"), 1);
	assert_int_equal(received(o, "jones"), 2);
}

/* All that every mailbox may forget: what its client has stored and nothing rests on. */
static void prune_stored(struct office *o, const char *worker, const char *before)
{
	int64_t mailbox = 0, gone = 0;
	int more = 1;

	assert_int_equal(store_begin(o->store, &o->err), 0);
	assert_int_equal(store_receipt(o->store, lk_text_of(worker), 100, &o->err), 0);
	while (more > 0)
		more = store_prune_mailbox(o->store, &mailbox, story_instant(before), 100, &gone,
					   &o->err);
	assert_int_equal(more, 0);
	assert_int_equal(store_commit(o->store, &o->err), 0);
	assert_true(gone > 0);
}

/* Whoever has stored it believes it, whatever has become of its row; and it waits for nobody any more. */
static void what_left_its_mailbox_is_taken_back_too(void **state)
{
	struct office *o = *state;

	a_family(o);
	says(o, "2026-03-02T10:30:00-08:00", "C-1", "consent.signed", "{'consent':'c1'}");
	says(o, "2026-03-02T10:40:00-08:00", "W-1", "milestone.reached", "{'milestone':'job'}");
	says(o, "2026-03-02T10:50:00-08:00", "C-1", "case.closed", "{}");
	prune_stored(o, "garcia", "2026-03-02T11:00:00-08:00");
	assert_string_equal(opened(o, "garcia", 0, NULL), "");
	(void)heard(o);
	int64_t waiting = turn_unanswered(o->turn);
	says_more(o, "2026-03-02T11:00:00-08:00", "2026-03-02T10:40:00-08:00", "W-1",
		  "event.retracted", "'supersedes':'e7','data':{}");
	assert_string_equal(heard(o), "withdrawn milestone.reached jones\n"
				      "withdrawn milestone.reached garcia\n");
	assert_non_null(strstr(opened(o, "garcia", 0, NULL), "withdrawn milestone.reached\n"));
	assert_int_equal(turn_unanswered(o->turn), waiting - 2);
}

/* It waits for an answer as long as it is told, wherever it is kept. */
static void what_left_its_mailbox_can_be_answered(void **state)
{
	struct office *o = *state;
	lk_instant now = story_instant("2026-03-05T11:00:00-08:00");
	uint8_t moment[LK_DIGEST];

	a_family(o);
	says(o, "2026-03-02T10:30:00-08:00", "C-1", "consent.signed", "{'consent':'c1'}");
	(void)heard(o);
	says(o, "2026-03-02T10:40:00-08:00", "W-1", "case.status", "{'status':'exempt'}");
	assert_string_equal(heard(o), "new status.changed garcia\n");
	memcpy(moment, o->last, LK_DIGEST);
	says(o, "2026-03-02T10:50:00-08:00", "C-1", "case.closed", "{}");
	assert_int_equal(pass(o, "2026-03-05T10:00:00-08:00"), 0);
	assert_non_null(strstr(o->each, "new notice.unanswered cws.liaison\n"));
	prune_stored(o, "garcia", "2026-03-02T11:00:00-08:00");
	(void)heard(o);
	int64_t waiting = turn_unanswered(o->turn);
	assert_int_equal(turn_answer(o->turn, LK_TEXT("jones"), moment, now, &o->err),
			 LK_ENOTFOUND);
	assert_int_equal(turn_answer(o->turn, LK_TEXT("garcia"), moment, now, &o->err), 1);
	assert_string_equal(heard(o), "withdrawn notice.unanswered cws.liaison\n");
	assert_int_equal(turn_unanswered(o->turn), waiting - 2); /* and what was said of it */
	o->answered[0] = '\0';
	assert_int_equal(turn_answer(o->turn, LK_TEXT("garcia"), moment, now, &o->err), 0);
	assert_string_equal(o->answered, "garcia by garcia");
}

static void rebuilt(struct office *o, struct turn_rebuilt *found)
{
	struct turn_rebuilding *rebuilding;
	int more = 1;

	assert_int_equal(turn_rebuild(o->turn, &rebuilding, &o->err), 0);
	while (more > 0)
		more = turn_rebuild_step(rebuilding, &o->err);
	assert_int_equal(more, 0);
	turn_rebuild_told(rebuilding, found);
	turn_rebuild_end(rebuilding);
}

static void is_as_the_log_says(struct office *o)
{
	struct turn_rebuilt found;

	rebuilt(o, &found);
	assert_int_equal(found.folds, 0);
}

/* The same child, under the number of another case. */
static void a_family_whose_case_was_another_stays_one(void **state)
{
#define CHILD \
	"'members':[{'person':'p1','role':'child','keys':{'cin':'00112233445566778899aabbccddeeff'}}]"
	struct office *o = *state;

	says(o, "2026-03-02T09:00:00-08:00", "C-1", "case.opened", "{'status':'er'," CHILD "}");
	says(o, "2026-03-02T09:02:00-08:00", "W-1", "case.opened", "{'status':'active'," CHILD "}");
	says(o, "2026-03-02T09:03:00-08:00", "W-1", "worker.assigned",
	     "{'role':'ais_worker','worker':'jones'}");
	assert_non_null(strstr(heard(o), "new crossover.found jones\n"));
	says_more(o, "2026-03-02T10:00:00-08:00", "2026-03-02T09:30:00-08:00", "C-2", "case.opened",
		  "'supersedes':'e1','data':{'status':'er'," CHILD "}");
	assert_null(strstr(o->each, "crossover.ended jones"));
	assert_non_null(strstr(heard(o), "new crossover.found jones\n"));
	is_as_the_log_says(o);
}

/* ---- Streams ----------------------------------------------------------------------------------- */

static int count_letter(void *context, const struct dead_letter *letter)
{
	(void)letter;
	(*(int *)context)++;
	return 0;
}

static void a_publisher_is_asked_for_what_is_missing(void **state)
{
	static const uint8_t epoch[LK_DIGEST];
	struct office *o = *state;
	struct stored_stream stream;
	int letters = 0;

	a_family(o);
	says(o, "2026-03-02T12:00:00-08:00", "C-1", "case.status", "{'status':'gone'}");
	assert_int_equal(turn_subscribe(o->turn, LK_TEXT("cws-cms"), epoch, 1, 9, 0, &stream,
					count_letter, &letters, &o->err),
			 0);
	assert_int_equal(stream.next, 4);
	assert_int_equal(stream.wanted, 1); /* what it does not know to be settled comes again */
	assert_int_equal(letters, 0);
	assert_int_equal(turn_subscribe(o->turn, LK_TEXT("cws-cms"), epoch, 1, 9, 3, &stream,
					count_letter, &letters, &o->err),
			 0);
	assert_int_equal(stream.wanted, 4);
	assert_int_equal(letters, 0);
	assert_int_equal(turn_subscribe(o->turn, LK_TEXT("cws-cms"), epoch, 4, 9, 0, &stream,
					count_letter, &letters, &o->err),
			 0);
	assert_int_equal(stream.wanted, 4); /* it has them no more: the verdict is told at once */
	assert_int_equal(letters, 1);
	assert_int_equal(turn_subscribe(o->turn, LK_TEXT("cws-cms"), epoch, 1, 2, 1, &stream,
					count_letter, &letters, &o->err),
			 0);
	assert_int_equal(stream.wanted, 4); /* an old copy, and told so */
}

/* A place below `next` that nothing is known of: only an event that is known by its id passes there. */
static void nothing_new_passes_for_what_was_settled(void **state)
{
	static const uint8_t epoch[LK_DIGEST] = { 7 };
	struct office *o = *state;
	struct stored_stream stream;
	lk_instant now = story_instant("2026-03-02T12:00:00-08:00");
	struct lk_bytes bytes = event("z-1", "2026-03-02T12:00:00-08:00", "C-1", "contact.made",
				      "'data':{'kind':'phone'}");
	struct turn_event sent = { bytes.at, bytes.len, LK_TEXT("cws-cms"), true, { 7 }, 2, 0 };
	int letters = 0;

	assert_int_equal(turn_subscribe(o->turn, LK_TEXT("cws-cms"), epoch, 5, 9, 0, &stream,
					count_letter, &letters, &o->err),
			 0);
	assert_int_equal(turn_events(o->turn, now, &sent, 1, &o->verdict, &o->err), 0);
	assert_int_equal(o->verdict.outcome, TURN_REFUSED);
	assert_int_equal(o->verdict.refused.reason, LK_CONFLICT);
	assert_string_equal(o->verdict.refused.field, "seq");
	sent.has_outbox_seq = false;
	assert_int_equal(turn_events(o->turn, now, &sent, 1, &o->verdict, &o->err), 0);
	assert_int_equal(o->verdict.outcome, TURN_APPLIED);
	sent.has_outbox_seq = true;
	assert_int_equal(turn_events(o->turn, now, &sent, 1, &o->verdict, &o->err), 0);
	assert_int_equal(o->verdict.outcome, TURN_REPEATED);
	lk_bytes_free(&bytes);
}

static void what_an_outbox_forgot_is_passed_over(void **state)
{
	static const uint8_t epoch[LK_DIGEST];
	struct office *o = *state;
	struct stored_stream stream;
	int letters = 0;

	assert_int_equal(turn_subscribe(o->turn, LK_TEXT("cws-cms"), epoch, 5, 9, 0, &stream,
					count_letter, &letters, &o->err),
			 0);
	assert_int_equal(stream.next, 5);
}

static bool shows_old_by(struct office *o, struct lk_text source, const uint8_t epoch[LK_DIGEST],
			 int64_t acked)
{
	struct stored_stream stream;
	int letters = 0;

	assert_int_equal(turn_subscribe(o->turn, source, epoch, 1, acked, acked, &stream,
					count_letter, &letters, &o->err),
			 0);
	return stream.shows_old;
}

static bool shows_old(struct office *o, struct lk_text source, int64_t acked)
{
	static const uint8_t epoch[LK_DIGEST];

	return shows_old_by(o, source, epoch, acked);
}

/* One outbox tells of it; another one may come long after, and tells nothing new. */
static void an_older_copy_is_told_of_once(void **state)
{
	struct office *o = *state;

	a_family(o);
	assert_true(shows_old(o, LK_TEXT("cws-cms"), 9));
	restarts(o);
	assert_false(shows_old(o, LK_TEXT("calsaws"), 9));
	assert_false(shows_old(o, LK_TEXT("cws-cms"), 9));
	assert_true(shows_old(o, LK_TEXT("calsaws"), 12)); /* a copy of after that has come back */
}

/* Whichever outbox comes when: that it was acknowledged more is to be expected of each, once. */
static void a_restored_store_is_no_older_copy(void **state)
{
	struct office *o = *state;

	a_family(o);
	assert_int_equal(store_begin(o->store, &o->err), 0);
	assert_int_equal(store_renew(o->store, &o->err), 0);
	assert_int_equal(store_commit(o->store, &o->err), 0);
	restarts(o);
	assert_false(shows_old(o, LK_TEXT("cws-cms"), 9));
	restarts(o);
	assert_false(shows_old(o, LK_TEXT("calsaws"), 9));
	assert_true(shows_old(o, LK_TEXT("calsaws"), 12));
}

/* It is not in the copy that was restored, and is cut off while it says all of it again. */
static void an_outbox_that_is_not_known_shows_no_older_copy(void **state)
{
	static const uint8_t epoch[LK_DIGEST] = { 7 };
	struct office *o = *state;
	struct lk_bytes bytes = event("z-1", "2026-03-02T12:00:00-08:00", "C-1", "contact.made",
				      "'data':{'kind':'phone'}");
	struct turn_event sent = { bytes.at, bytes.len, LK_TEXT("cws-cms"), true, { 7 }, 1, 0 };

	a_family(o);
	assert_false(shows_old_by(o, LK_TEXT("cws-cms"), epoch, 9));
	assert_int_equal(turn_events(o->turn, story_instant("2026-03-02T12:00:00-08:00"), &sent, 1,
				     &o->verdict, &o->err),
			 0);
	assert_int_equal(o->verdict.outcome, TURN_APPLIED);
	restarts(o);
	assert_false(shows_old_by(o, LK_TEXT("cws-cms"), epoch, 9));
	assert_true(shows_old_by(o, LK_TEXT("cws-cms"), epoch, 12));
	lk_bytes_free(&bytes);
}

static void comes(struct office *o, const char *id, int64_t seq, const char *type, const char *data)
{
	char extra[100];

	(void)snprintf(extra, sizeof(extra), "'data':%s", data);
	struct lk_bytes wire = event(id, "2026-03-02T10:40:00-08:00", "W-1", type, extra);
	const struct turn_event in = {
		wire.at, wire.len, LK_TEXT("calsaws"), seq > 0, { 0 }, seq, 0
	};

	assert_int_equal(turn_events(o->turn, story_instant("2026-03-02T10:40:00-08:00"), &in, 1,
				     &o->verdict, &o->err),
			 0);
	lk_bytes_free(&wire);
}

/* Of one source and one instant, without a sequence: over the feed their ids decide, their places once they are known. */
static void a_place_that_is_learnt_later_decides(void **state)
{
	struct office *o = *state;

	a_family(o);
	says(o, "2026-03-02T10:30:00-08:00", "C-1", "consent.signed", "{'consent':'c1'}");
	says(o, "2026-03-02T10:31:00-08:00", "C-1", "case.status", "{'status':'ifs'}");
	comes(o, "s1", 0, "case.status", "{'status':'exempt'}");
	comes(o, "s2", 0, "case.status", "{'status':'sanctioned'}");
	assert_non_null(strstr(heard(o), "new sanction.review jones\n"));
	comes(o, "s2", 4, "case.status", "{'status':'sanctioned'}");
	assert_int_equal(o->verdict.outcome, TURN_REPEATED);
	comes(o, "s1", 5, "case.status", "{'status':'exempt'}");
	assert_non_null(strstr(heard(o), "withdrawn sanction.review jones\n"));
	is_as_the_log_says(o);
}

/* What a refusal cancels is folded nowhere, and still it may turn out to be the last word. */
static void a_place_that_is_learnt_later_decides_of_a_pair(void **state)
{
	static const char pair[] = "{'other':{'agency':'cws','case':'C-1'}}";
	struct office *o = *state;

	a_family(o);
	comes(o, "s1", 0, "link.confirmed", pair);
	comes(o, "s2", 0, "link.refused", pair);
	assert_non_null(strstr(heard(o), "withdrawn crossover.found jones\n"));
	comes(o, "s2", 4, "link.refused", pair);
	comes(o, "s1", 5, "link.confirmed", pair);
	assert_int_equal(o->verdict.outcome, TURN_REPEATED);
	assert_non_null(strstr(heard(o), "new crossover.found jones\n"));
	is_as_the_log_says(o);
}

static void a_family_is_as_the_log_says_also_where_a_place_was_learnt(void **state)
{
	struct office *o = *state;

	a_family(o);
	comes(o, "s1", 0, "case.status", "{'status':'exempt'}");
	comes(o, "s1", 4, "case.status", "{'status':'exempt'}");
	is_as_the_log_says(o);
}

/* ---- Questions --------------------------------------------------------------------------------- */

static void who_is_it(void **state)
{
	struct office *o = *state;
	struct lk_bytes map = { 0 };
	bool mutual = false;

	a_family(o);
	assert_int_equal(turn_family(o->turn, (struct case_key){ LK_CWS, LK_TEXT("C-1") },
				     story_instant("2026-03-02T11:00:00-08:00"), &map, &o->err),
			 0);
	assert_true(lk_as_bool(lk_get(lk_span_of(map.at, map.len), "mutual"), &mutual) && mutual);
	assert_int_equal(lk_count(lk_get(lk_span_of(map.at, map.len), "cases")), 2);
	assert_int_equal(turn_family(o->turn, (struct case_key){ LK_CWS, LK_TEXT("C-9") }, 0, &map,
				     &o->err),
			 LK_ENOTFOUND);
	lk_bytes_free(&map);
}

#define IN_OFFICE(test) cmocka_unit_test_setup_teardown(test, open_office, close_office)

/* ---- On order ---------------------------------------------------------------------------------- */

struct archive {
	struct office o;
	char directory[FOLDER_MAX];
};

static int open_archive(void **state)
{
	struct archive *a = calloc(1, sizeof(*a));
	const struct store_options options = { .directory = a->directory };

	assert_non_null(a);
	folder_make(a->directory, "turn");
	assert_int_equal(store_open(&options, &a->o.store, &a->o.err), 0);
	make_turn(&a->o, &story_policy);
	*state = a;
	return 0;
}

static int close_archive(void **state)
{
	static const char *const names[] = { "linkages.db",         "linkages.mark",
					     "linkages.expunged",   "state.db",
					     "state.db-wal",        "state.db-shm",
					     "linkages.db.damaged", "linkages.db.damaged-wal" };
	struct archive *a = *state;
	char path[128];

	turn_destroy(a->o.turn);
	store_close(a->o.store);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", a->directory, names[i]);
		(void)unlink(path);
	}
	assert_int_equal(rmdir(a->directory), 0);
	free(a);
	return 0;
}

/* Over the feed. */
static void says_as(struct office *o, const char *source, const char *time, const char *number,
		    const char *type, const char *extra)
{
	char id[20];

	(void)snprintf(id, sizeof(id), "e%d", ++o->made);
	struct lk_bytes wire = story_event(source, id, time, number, type, extra);
	const struct turn_event in = { .bytes = wire.at, .len = wire.len };

	assert_int_equal(turn_events(o->turn, story_instant(time), &in, 1, &o->verdict, &o->err),
			 0);
	assert_int_equal(o->verdict.outcome, TURN_APPLIED);
	lk_bytes_free(&wire);
}

static struct turn_expunging *is_ordered(struct office *o, int agency, const char *number)
{
	const struct case_key key = { agency, lk_text_of(number) };
	struct turn_expunging *x;

	assert_int_equal(turn_expunge(o->turn, key, LK_TEXT("order"), &x, &o->err), 0);
	return x;
}

static void is_carried_out(struct office *o, struct turn_expunging *x)
{
	const struct ledger_row order = { .worker = LK_TEXT("auditor"), .basis = LK_TEXT("order") };
	int more = 1;

	while (more > 0)
		more = turn_expunge_step(x, &order, &o->err);
	assert_int_equal(more, 0);
	turn_expunge_end(x);
}

static void expunge(struct office *o, int agency, const char *number)
{
	is_carried_out(o, is_ordered(o, agency, number));
}

/* ---- A pass comes to an end, whatever a damage has taken ------------------------------------------ */

#define PASSES_MOST 20

/* What the last of the passes answered: 1 if they come to no end. */
static int passes_end(struct office *o, const char *now)
{
	int more = 1;

	for (int i = 0; more > 0 && i < PASSES_MOST; i++)
		more = turn_pass(o->turn, story_instant(now), &o->err);
	return more;
}

/* It is in doubt, and a start makes it anew. */
static void is_made_anew(struct archive *a)
{
	const struct store_options options = { .directory = a->directory };

	assert_true(a->o.store->suspect);
	turn_destroy(a->o.turn);
	store_close(a->o.store);
	assert_int_equal(store_open(&options, &a->o.store, &a->o.err), 0);
	make_turn(&a->o, &story_policy);
}

/* The name of its source is on a page that is gone: nobody can read it, and its hour comes. */
static void an_event_ahead_that_can_not_be_read_is_a_damage(void **state)
{
	struct archive *a = *state;
	struct office *o = &a->o;

	a_family(o);
	says_more(o, "2026-03-02T11:00:00-08:00", "2026-03-03T09:00:00-08:00", "C-1", "case.closed",
		  "'data':{}");
	assert_int_equal(sqlite3_exec(o->store->db, "DELETE FROM source", NULL, NULL, NULL),
			 SQLITE_OK);
	assert_int_equal(passes_end(o, "2026-03-03T09:30:00-08:00"), LK_ESTORE);
	assert_non_null(strstr(o->err.text, "event 6 is damaged"));
	is_made_anew(a);
	assert_int_equal(passes_end(o, "2026-03-03T09:30:00-08:00"), 0);
}

/* An index that still says what the row does not: the event would come again and again. */
static void an_event_that_has_come_comes_once(void **state)
{
	struct archive *a = *state;
	struct office *o = &a->o;

	a_family(o);
	assert_int_equal(store_begin(o->store, &o->err), 0);
	assert_int_equal(store_event_arrived(o->store, 1, &o->err), LK_ESTORE);
	store_rollback(o->store);
	assert_non_null(strstr(o->err.text, "event 1 is damaged"));
	is_made_anew(a);
}

/* An index that says other instants than the rows do. */
static void a_family_that_does_not_wake_when_it_should_is_a_damage(void **state)
{
	struct archive *a = *state;
	struct office *o = &a->o;

	a_family(o);
	assert_int_equal(pass(o, "2026-03-02T10:30:00-08:00"), 0);
	assert_int_equal(sqlite3_exec(o->store->db,
				      "UPDATE family SET wake_at = 5 WHERE wake_at IS NOT NULL",
				      NULL, NULL, NULL),
			 SQLITE_OK);
	assert_int_equal(passes_end(o, "2026-03-02T10:31:00-08:00"), LK_ESTORE);
	assert_non_null(strstr(o->err.text, "does not wake"));
	is_made_anew(a);
	assert_int_equal(passes_end(o, "2026-03-02T10:31:00-08:00"), 0);
}

/* ---- What a damage took comes back --------------------------------------------------------------- */

#define SUMMER "2026-06-01T12:00:00-07:00"

/* A source's part of a life, said by now; the names are those of the first time. */
static void says_part(struct office *o, char agency, const char *now)
{
	static const char *const life[][4] = {
		{ "2026-03-02T09:00:00-08:00", "C-1", "case.opened", "{'status':'er'}" },
		{ "2026-03-02T09:01:00-08:00", "C-1", "worker.assigned",
		  "{'role':'social_worker','worker':'garcia'}" },
		{ "2026-03-02T09:02:00-08:00", "W-1", "case.opened", "{'status':'active'}" },
		{ "2026-03-02T09:03:00-08:00", "W-1", "worker.assigned",
		  "{'role':'ais_worker','worker':'jones'}" },
		{ "2026-03-02T10:00:00-08:00", "W-1", "link.confirmed",
		  "{'other':{'agency':'cws','case':'C-1'}}" },
		{ "2026-03-02T10:30:00-08:00", "C-1", "consent.signed", "{'consent':'c1'}" },
		{ "2026-03-02T10:40:00-08:00", "W-1", "case.status", "{'status':'exempt'}" },
	};

	o->seq[agency == 'W'] = 0;
	for (o->made = 0; o->made < (int)(sizeof(life) / sizeof(*life));) {
		const char *const *e = life[o->made];
		char extra[200];

		(void)snprintf(extra, sizeof(extra), "'data':%s", e[3]);
		if (e[1][0] == agency)
			assert_int_equal(says_more(o, now, e[0], e[1], e[2], extra), TURN_APPLIED);
		else
			o->made++;
	}
}

/* The store is made anew without what can not be read any more, and outboxes are asked again. */
static void loses(struct archive *a, const char *damage)
{
	const struct store_options options = { .directory = a->directory };

	turn_destroy(a->o.turn);
	store_close(a->o.store);
	assert_int_equal(store_open(&options, &a->o.store, &a->o.err), 0);
	assert_int_equal(sqlite3_exec(a->o.store->db, damage, NULL, NULL, NULL), SQLITE_OK);
	store_distrust(a->o.store, "a test");
	store_close(a->o.store);
	assert_int_equal(store_open(&options, &a->o.store, &a->o.err), 0);
	make_turn(&a->o, &story_policy);
}

static void loses_the_log(struct archive *a)
{
	loses(a, "UPDATE event SET body = CAST(body || x'00' AS BLOB)");
	assert_int_equal(counts(&a->o).events, 0);
}

static void what_a_damage_took_comes_back_and_nobody_hears_of_it(void **state)
{
	struct archive *a = *state;
	struct office *o = &a->o;

	says_part(o, 'C', "2026-03-02T10:45:00-08:00");
	says_part(o, 'W', "2026-03-02T10:45:00-08:00");
	assert_non_null(strstr(heard(o), "new status.changed garcia\n"));
	assert_int_equal(pass(o, SUMMER), 0);
	loses_the_log(a);
	assert_int_equal(pass(o, SUMMER), 0);
	(void)heard(o);
	says_part(o, 'W', SUMMER);
	assert_int_equal(pass(o, SUMMER), 0);
	assert_string_equal(heard(o), "withdrawn feed.silent cws.liaison\n"
				      "withdrawn feed.silent calworks.liaison\n");
	says_part(o, 'C', SUMMER);
	assert_int_equal(turn_next_wake(o->turn), story_instant(SUMMER));
	assert_int_equal(pass(o, SUMMER), 0);
	assert_string_equal(heard(o), "");
	assert_true(turn_next_wake(o->turn) > story_instant(SUMMER));
}

/* The family is put behind, and its state does not say that the case is open: the word is of a case that is. */
static void a_link_said_while_a_log_with_holes_in_it_waits_is_kept(void **state)
{
	struct archive *a = *state;
	struct office *o = &a->o;
	const char *role = "'data':{'role':'social_worker','worker':'lopez'}";

	says_part(o, 'C', "2026-03-02T10:45:00-08:00");
	says_part(o, 'W', "2026-03-02T10:45:00-08:00");
	o->made = 50;
	assert_int_equal(says_more(o, "2026-03-02T10:46:00-08:00", "2026-03-02T10:46:00-08:00",
				   "C-9", "worker.assigned", role),
			 TURN_APPLIED);
	loses_the_log(a);
	says_part(o, 'C', "2026-03-02T10:50:00-08:00");
	o->made = 50;
	assert_int_equal(says_more(o, "2026-03-02T10:50:01-08:00", "2026-03-02T10:46:00-08:00",
				   "C-9", "worker.assigned", role),
			 TURN_APPLIED);
	assert_true(turn_awaits(o->turn));
	assert_int_equal(says_more(o, "2026-03-02T10:50:02-08:00", "2026-03-02T10:47:00-08:00",
				   "C-9", "case.opened", "'data':{'status':'er'}"),
			 TURN_APPLIED);
	assert_true(turn_awaits(o->turn));
	assert_int_equal(says_more(o, "2026-03-02T10:50:03-08:00", "2026-03-02T10:48:00-08:00",
				   "C-9", "link.confirmed",
				   "'data':{'other':{'agency':'calworks','case':'W-1'}}"),
			 TURN_APPLIED);
	assert_true(turn_awaits(o->turn));
	says_part(o, 'W', "2026-03-02T10:50:04-08:00");
	assert_int_equal(pass(o, "2026-03-02T10:50:05-08:00"), 0);
	assert_false(turn_awaits(o->turn));
	assert_non_null(strstr(heard(o), "new status.changed garcia\nnew status.changed jones\n"));
}

/* Its state is to be had from the log alone: it is folded before anything of it is shown, whoever asks first. */
static void a_family_without_a_state_is_folded_before_it_is_shown(void **state)
{
	struct archive *a = *state;
	struct office *o = &a->o;

	a_family(o);
	loses(a, "UPDATE family SET state = x'00'");
	assert_string_equal(opened(o, "jones", 0, "s-1"),
			    "1 new crossover.found\n2 new consent.needed\n");
}

/* The worker has stored it, and knows nothing of the damage. */
static void can_be_answered_after(struct archive *a, const char *damage)
{
	struct office *o = &a->o;
	const lk_instant now = story_instant("2026-03-02T11:00:00-08:00");
	uint8_t needed[LK_DIGEST];

	a_family(o); /* the last telling is jones's consent.needed */
	memcpy(needed, o->last, LK_DIGEST);
	loses(a, damage);
	assert_int_equal(turn_answer(o->turn, LK_TEXT("garcia"), needed, now, &o->err),
			 LK_ENOTFOUND);
	assert_int_equal(turn_answer(o->turn, LK_TEXT("jones"), needed, now, &o->err), 1);
	assert_string_equal(o->answered, "jones by jones");
	assert_int_equal(turn_answer(o->turn, LK_TEXT("jones"), needed, now, &o->err), 0);
}

static void a_notice_whose_row_was_damaged_can_be_answered(void **state)
{
	can_be_answered_after(*state, "UPDATE notice SET body = CAST(body || x'00' AS BLOB)");
}

static void so_can_all_of_a_block_that_cannot_be_unpacked(void **state)
{
	can_be_answered_after(
		*state, "UPDATE notice_block SET bytes = substr(bytes, 1, length(bytes) - 1)");
}

/* Over the feed: the outbox has been asked for all that it had sent before. */
static void feed_says(struct office *o, const char *time, const char *number, const char *type,
		      const char *data)
{
	struct turn_event in = { .source = number[0] == 'W' ? LK_TEXT("calsaws")
							    : LK_TEXT("cws-cms") };
	struct lk_bytes wire = event(type, time, number, type, data);

	in.bytes = wire.at;
	in.len = wire.len;
	assert_int_equal(turn_events(o->turn, story_instant(time), &in, 1, &o->verdict, &o->err),
			 0);
	assert_int_equal(o->verdict.outcome, TURN_APPLIED);
	lk_bytes_free(&wire);
}

/* How much `family` says of what jones was told; -1: that is not there. */
static int64_t members_told(struct office *o, const char *kind)
{
	struct lk_bytes map = { 0 };
	struct lk_span key, item;
	size_t cursor = 0;
	int64_t n = -1;

	assert_int_equal(turn_family(o->turn, (struct case_key){ LK_CWS, LK_TEXT("C-1") },
				     story_instant("2026-03-02T10:30:00-08:00"), &map, &o->err),
			 0);
	struct lk_span all = lk_get(lk_span_of(map.at, map.len), "notices");
	while (lk_next(all, &cursor, &key, &item))
		if (lk_text_says(lk_as_text(lk_get(item, "kind")), kind) &&
		    lk_text_says(lk_as_text(lk_get(item, "to")), "jones"))
			n = lk_count(lk_get(item, "about"));
	lk_bytes_free(&map);
	return n;
}

/* The mailbox is gone with its row, and begins anew: what was told is taken back by its name, whatever lies in its place. */
static void what_was_told_in_a_mailbox_that_is_lost_is_taken_back(void **state)
{
	struct archive *a = *state;
	struct office *o = &a->o;

	a_family(o);
	loses(a, "DELETE FROM worker WHERE name = 'jones'");
	for (int beats = 0; beats < 4; beats++) {
		assert_int_equal(pass(o, "2026-03-02T10:20:00-08:00"), 0);
		assert_int_equal(turn_touch(o->turn, story_instant("2026-03-02T10:20:00-08:00"),
					    &o->err),
				 0);
	}
	(void)heard(o);
	assert_int_equal(members_told(o, "crossover.found"), 0);
	feed_says(o, "2026-03-02T10:25:00-08:00", "W-1", "clock.reported",
		  "'data':{'clock':'tanf60','used':58}");
	assert_int_equal(members_told(o, "clock.near"), 1);
	assert_int_equal(members_told(o, "crossover.found"), 0); /* in whose place that is */
	feed_says(o, "2026-03-02T10:30:00-08:00", "C-1", "consent.signed",
		  "'data':{'consent':'c1'}");
	assert_non_null(strstr(heard(o), "withdrawn consent.needed jones\n"));
	feed_says(o, "2026-03-02T10:40:00-08:00", "W-1", "case.closed", "'data':{}");
	assert_non_null(strstr(heard(o), "withdrawn crossover.found jones\n"));
	assert_non_null(strstr(opened(o, "jones", 0, "s-1"), "withdrawn consent.needed"));
}

/* Likewise whoever asks about it. */
static void a_family_without_a_state_is_folded_before_a_question(void **state)
{
	struct archive *a = *state;
	struct office *o = &a->o;
	const struct case_key key = { LK_CWS, LK_TEXT("C-1") };
	const lk_instant now = story_instant("2026-03-02T11:00:00-08:00");
	struct lk_bytes map = { 0 };
	char needed[LK_DIGEST_HEX];
	bool mutual = false, shown = false;

	a_family(o);
	lk_digest_hex(o->last, needed); /* jones's consent.needed */
	loses(a, "UPDATE family SET state = x'00'");
	assert_int_equal(turn_family(o->turn, key, now, &map, &o->err), 0);
	assert_true(lk_as_bool(lk_get(lk_span_of(map.at, map.len), "mutual"), &mutual) && mutual);
	loses(a, "UPDATE family SET state = x'00'");
	assert_int_equal(turn_plan(o->turn, key, LK_TEXT("garcia"), now, &map, &o->err), 0);
	loses(a, "UPDATE family SET state = x'00'");
	lk_bytes_clear(&map);
	assert_int_equal(turn_why(o->turn, lk_text_of(needed), now, &map, &o->err), 0);
	assert_true(lk_as_bool(lk_get_path(lk_span_of(map.at, map.len), "disclosure.may_be_seen"),
			       &shown) &&
		    shown);
	loses(a,
	      "UPDATE family SET state = x'00'; UPDATE event SET body = CAST(body || x'00' AS BLOB) "
	      "WHERE position = (SELECT max(position) FROM event)");
	assert_int_equal(turn_family(o->turn, key, now, &map, &o->err), LK_ESTATE);
	assert_non_null(strstr(o->err.text, "are waited for"));
	lk_bytes_free(&map);
}

static int count_commit(void *context)
{
	++*(int *)context;
	return 0;
}

static void families_that_one_mailbox_tells_of_are_folded_together(void **state)
{
	struct archive *a = *state;
	struct office *o = &a->o;
	char line[200], number[2][16];
	int commits = 0;

	for (int i = 0; i < 3; i++) {
		(void)snprintf(number[0], sizeof(number[0]), "C-%d", i);
		(void)snprintf(number[1], sizeof(number[1]), "W-%d", i);
		says(o, "2026-03-02T09:00:00-08:00", number[0], "case.opened", "{'status':'er'}");
		says(o, "2026-03-02T09:02:00-08:00", number[1], "case.opened",
		     "{'status':'active'}");
		says(o, "2026-03-02T09:03:00-08:00", number[1], "worker.assigned",
		     "{'role':'ais_worker','worker':'jones'}");
		(void)snprintf(line, sizeof(line), "{'other':{'agency':'cws','case':'%s'}}",
			       number[0]);
		says(o, "2026-03-02T10:00:00-08:00", number[1], "link.confirmed", line);
	}
	loses(a, "UPDATE family SET state = x'00'");
	(void)sqlite3_commit_hook(o->store->db, count_commit, &commits);
	assert_null(strstr(opened(o, "jones", 0, "s-1"), "reduced"));
	(void)sqlite3_commit_hook(o->store->db, NULL, NULL);
	assert_int_equal(commits, 2); /* and the row of the hand-out */
}

/* Its outboxes are gone, too: there is nothing to fold, and a hand-out does not wait for it for ever. */
static void a_family_of_which_nothing_is_left_is_handed_out_reduced(void **state)
{
	struct archive *a = *state;
	struct office *o = &a->o;

	a_family(o);
	loses(a,
	      "UPDATE family SET state = x'00'; UPDATE event SET body = CAST(body || x'00' AS BLOB)");
	assert_string_equal(opened(o, "jones", 0, "s-1"), "");
	for (int beats = 0; beats < 4; beats++) {
		assert_int_equal(pass(o, "2026-03-02T11:00:00-08:00"), 0);
		assert_int_equal(turn_touch(o->turn, story_instant("2026-03-02T11:00:00-08:00"),
					    &o->err),
				 0);
	}
	assert_non_null(strstr(opened(o, "jones", 0, "s-1"), "reduced"));
}

/* The revocation is yet to come back; the consent is in the log. */
static void nothing_is_shown_by_a_log_with_holes_in_it(void **state)
{
	struct archive *a = *state;
	struct office *o = &a->o;

	a_family(o);
	says(o, "2026-03-02T10:30:00-08:00", "C-1", "consent.signed", "{'consent':'c1'}");
	says(o, "2026-03-02T10:40:00-08:00", "W-1", "milestone.reached", "{'milestone':'job'}");
	says(o, "2026-03-02T10:50:00-08:00", "C-1", "consent.revoked", "{'consent':'c1'}");
	loses(a,
	      "UPDATE family SET state = x'00'; UPDATE event SET body = CAST(body || x'00' AS BLOB) "
	      "WHERE position = (SELECT max(position) FROM event)");
	assert_string_equal(opened(o, "garcia", 0, "s-1"), "");
	o->made = 0;
	o->seq[0] = 0;
	says(o, "2026-03-02T10:50:00-08:00", "C-1", "case.opened", "{'status':'er'}");
	says(o, "2026-03-02T10:50:00-08:00", "C-1", "worker.assigned", "{}");
	o->made = 5;
	says(o, "2026-03-02T10:50:00-08:00", "C-1", "consent.signed", "{'consent':'c1'}");
	assert_string_equal(opened(o, "garcia", 0, "s-1"), "");
	o->made = 7;
	says(o, "2026-03-02T10:50:00-08:00", "C-1", "consent.revoked", "{'consent':'c1'}");
	assert_int_equal(pass(o, "2026-03-02T10:51:00-08:00"), 0);
	assert_non_null(strstr(opened(o, "garcia", 0, "s-1"), "new crossover.found\n"));
	assert_non_null(
		strstr(opened(o, "garcia", 0, "s-1"), "withdrawn milestone.reached reduced\n"));
}

/* Who loses the log and hears no more than a part of it again, and waits for the rest. */
static void hears_a_part(struct archive *a)
{
	struct office *o = &a->o;

	says_part(o, 'C', "2026-03-02T10:45:00-08:00");
	says_part(o, 'W', "2026-03-02T10:45:00-08:00");
	assert_int_equal(pass(o, SUMMER), 0);
	loses_the_log(a);
	says_part(o, 'W', SUMMER);
	(void)heard(o);
}

/* Half a minute later families are made of what there is. What is taken back for want of the rest is told again with it, long after. */
static void who_does_not_say_the_rest_is_not_waited_for(void **state)
{
	struct archive *a = *state;
	struct office *o = &a->o;
	const struct case_key key = { LK_CALWORKS, LK_TEXT("W-1") };
	struct turn_rebuilding *rebuilding;
	struct turn_expunging *x;

	hears_a_part(a);
	assert_true(turn_next_wake(o->turn) <= story_instant("2026-06-01T12:01:00-07:00"));
	assert_true(turn_awaits(o->turn));
	assert_int_equal(turn_rebuild(o->turn, &rebuilding, &o->err), LK_ESTATE);
	assert_non_null(
		strstr(o->err.text, "events 1 to 3 of the outbox of cws-cms are waited for"));
	assert_int_equal(turn_expunge(o->turn, key, LK_TEXT("order"), &x, &o->err), LK_ESTATE);
	assert_false(store_is_expunged(o->store, key));
	assert_int_equal(pass(o, "2026-06-01T12:01:00-07:00"), 0);
	assert_false(turn_awaits(o->turn));
	assert_non_null(strstr(heard(o), "withdrawn status.changed garcia\n"));
	says_part(o, 'C', "2026-06-01T12:02:00-07:00");
	assert_int_equal(pass(o, "2026-06-01T12:02:00-07:00"), 0);
	assert_non_null(strstr(heard(o), "new status.changed garcia\n"));
}

/* What it told follows from nothing until they are back, and nobody else waits for them. */
static void a_family_whose_cases_are_gone_is_done_once(void **state)
{
	struct archive *a = *state;
	struct office *o = &a->o;
	static struct policy other;

	says_part(o, 'C', "2026-03-02T10:45:00-08:00");
	says_part(o, 'W', "2026-03-02T10:45:00-08:00");
	assert_int_equal(pass(o, SUMMER), 0);
	loses(a, "UPDATE event SET body = CAST(body || x'00' AS BLOB); DELETE FROM link;"
		 "UPDATE agency_case SET family = NULL");
	other = story_policy;
	other.revision[0] ^= 1;
	assert_int_equal(turn_policy(o->turn, &other, &o->err), 0);
	assert_int_equal(passes_end(o, SUMMER), 0);
	(void)heard(o);
	assert_int_equal(passes_end(o, "2026-06-01T12:01:00-07:00"), 0);
	assert_non_null(strstr(heard(o), "withdrawn status.changed garcia\n"));
	assert_true(turn_next_wake(o->turn) == LK_NO_INSTANT);
	says_part(o, 'W', "2026-06-01T12:02:00-07:00");
	says_part(o, 'C', "2026-06-01T12:02:00-07:00");
	assert_int_equal(passes_end(o, "2026-06-01T12:02:00-07:00"), 0);
	assert_non_null(strstr(heard(o), "new status.changed garcia\n"));
	is_as_the_log_says(o);
}

static void a_link_of_cases_that_nobody_knew_is_found_when_the_wait_is_over(void **state)
{
	static const char now[] = "2026-06-01T12:02:00-07:00";
	struct archive *a = *state;
	struct office *o = &a->o;

	hears_a_part(a);
	o->made = 20;
	says_more(o, SUMMER, SUMMER, "W-9", "link.confirmed",
		  "'data':{'other':{'agency':'cws','case':'C-9'}}");
	o->made = 7;
	says_part(o, 'C', SUMMER);
	assert_int_equal(pass(o, now), 0);
	(void)heard(o);
	o->made = 21;
	says(o, now, "C-9", "case.opened", "{'status':'er'}");
	says(o, now, "W-9", "case.opened", "{'status':'active'}");
	assert_non_null(strstr(heard(o), "new crossover.found cws.liaison\n"));
}

/* Over the feed, which has no outbox that is to send other things first. */
static void feeds(struct office *o, const char *now, const char *time, const char *number,
		  const char *type, const char *extra)
{
	struct lk_bytes wire = event("by-feed", time, number, type, extra);
	const struct turn_event in = { .bytes = wire.at,
				       .len = wire.len,
				       .source = lk_text_of(story_source(number)) };

	assert_int_equal(turn_events(o->turn, story_instant(now), &in, 1, &o->verdict, &o->err), 0);
	assert_int_equal(o->verdict.outcome, TURN_APPLIED);
	lk_bytes_free(&wire);
}

/* Whom a late event folds before the next pass does is told again all the same. */
static void a_late_event_does_not_hide_what_is_to_be_told_again(void **state)
{
	static const char later[] = "2026-06-01T12:02:00-07:00";
	struct archive *a = *state;
	struct office *o = &a->o;

	hears_a_part(a);
	assert_int_equal(pass(o, "2026-06-01T12:01:00-07:00"), 0);
	assert_non_null(strstr(heard(o), "withdrawn status.changed garcia\n"));
	says_part(o, 'C', later);
	feeds(o, later, "2026-03-02T10:35:00-08:00", "W-1", "contact.made",
	      "'data':{'kind':'phone'}");
	assert_int_equal(pass(o, later), 0);
	assert_non_null(strstr(heard(o), "new status.changed garcia\n"));
}

/* What was said of the one case was meant of the other. */
static void says_a_correction(struct office *o, const char *now)
{
	o->made = 5;
	says_more(o, now, "2026-03-02T11:00:00-08:00", "C-1", "milestone.reached",
		  "'data':{'milestone':'job'}");
	says_more(o, now, "2026-03-02T11:10:00-08:00", "C-2", "event.retracted",
		  "'supersedes':'e6'");
	says_more(o, now, "2026-03-02T11:20:00-08:00", "C-2", "case.opened",
		  "'data':{'status':'er'}");
}

/* A family that was folded without it meanwhile is another than its own. */
static void a_correction_that_comes_back_corrects_again(void **state)
{
	static const char minute[] = "2026-03-02T12:01:00-08:00";
	static const char later[] = "2026-03-02T12:02:00-08:00";
	struct archive *a = *state;
	struct office *o = &a->o;

	a_family(o);
	says_a_correction(o, "2026-03-02T11:30:00-08:00");
	assert_non_null(strstr(heard(o), "withdrawn milestone.reached garcia\n"));
	loses(a,
	      "UPDATE event SET body = CAST(body || x'00' AS BLOB) WHERE supersedes IS NOT NULL");
	assert_int_equal(pass(o, "2026-03-02T12:00:00-08:00"), 0);
	assert_int_equal(pass(o, minute), 0);
	feeds(o, minute, "2026-03-02T09:30:00-08:00", "W-1", "contact.made",
	      "'data':{'kind':'phone'}");
	assert_non_null(strstr(heard(o), "new milestone.reached garcia\n"));
	o->made = 0;
	o->seq[0] = 0;
	says_more(o, later, "2026-03-02T09:00:00-08:00", "C-1", "case.opened",
		  "'data':{'status':'er'}");
	says_more(o, later, "2026-03-02T09:01:00-08:00", "C-1", "worker.assigned",
		  "'data':{'role':'social_worker','worker':'garcia'}");
	says_a_correction(o, later);
	assert_int_equal(pass(o, "2026-03-02T12:03:00-08:00"), 0);
	assert_non_null(strstr(heard(o), "withdrawn milestone.reached garcia\n"));
}

/* Nothing was known to be missing, or not any more, until an event came back. */
static void a_wait_that_an_event_began_outlasts_the_daemon(void **state)
{
	static const char later[] = "2026-06-01T12:02:00-07:00";
	struct archive *a = *state;
	struct office *o = &a->o;
	struct turn_rebuilding *r;

	says_part(o, 'C', "2026-03-02T10:45:00-08:00");
	says_part(o, 'W', "2026-03-02T10:45:00-08:00");
	loses_the_log(a);
	assert_int_equal(pass(o, SUMMER), 0);
	assert_int_equal(pass(o, "2026-06-01T12:01:00-07:00"), 0);
	says_part(o, 'W', later);
	restarts(o);
	assert_int_equal(pass(o, later), 0);
	assert_int_equal(turn_rebuild(o->turn, &r, &o->err), LK_ESTATE);
	assert_null(r);
	assert_int_equal(pass(o, "2026-06-01T12:03:00-07:00"), 0);
	assert_int_equal(turn_rebuild(o->turn, &r, &o->err), 0);
	says_part(o, 'C', "2026-06-01T12:04:00-07:00");
	assert_int_equal(turn_rebuild_step(r, &o->err), LK_ESTATE);
	turn_rebuild_end(r);
}

static void a_clock_that_stands_still_is_no_reason_to_wait(void **state)
{
	struct archive *a = *state;
	struct office *o = &a->o;

	hears_a_part(a);
	for (int beats = 0; beats < 3; beats++) {
		assert_int_equal(pass(o, SUMMER), 0);
		assert_string_equal(heard(o), "");
		assert_int_equal(turn_touch(o->turn, story_instant(SUMMER), &o->err), 0);
	}
	assert_int_equal(pass(o, SUMMER), 0);
	assert_non_null(strstr(heard(o), "withdrawn status.changed garcia\n"));
}

/* The number is a case number at both agencies; the two were one family by mistake. */
static void a_case_of_the_same_number_at_the_other_agency_stays(void **state)
{
	struct office *o = &((struct archive *)*state)->o;

	says(o, "2026-03-02T09:00:00-08:00", "C-1", "case.opened", "{'status':'er'}");
	says(o, "2026-03-02T09:01:00-08:00", "C-1", "worker.assigned",
	     "{'role':'social_worker','worker':'garcia'}");
	says(o, "2026-03-02T09:02:00-08:00", "W-1", "case.opened", "{'status':'active'}");
	says(o, "2026-03-02T09:03:00-08:00", "W-1", "worker.assigned",
	     "{'role':'ais_worker','worker':'jones'}");
	says_as(o, "cws-cms", "2026-03-02T09:04:00-08:00", "W-1", "case.opened",
		"'data':{'status':'er'}");
	says(o, "2026-03-02T09:05:00-08:00", "W-1", "link.confirmed",
	     "{'other':{'agency':'cws','case':'W-1'}}");
	says(o, "2026-03-02T09:06:00-08:00", "W-1", "link.removed",
	     "{'other':{'agency':'cws','case':'W-1'}}");
	says(o, "2026-03-02T10:00:00-08:00", "W-1", "link.confirmed",
	     "{'other':{'agency':'cws','case':'C-1'}}");
	assert_non_null(strstr(heard(o), "new crossover.found garcia\n"));
	expunge(o, LK_CWS, "W-1");
	assert_string_equal(heard(o), "");
	assert_string_equal(opened(o, "garcia", 0, NULL), "1 new crossover.found\n");
}

/* Over intake, at a place of its outbox; events of C- and W-cases. */
static void sends(struct office *o, int64_t seq, const char *id, const char *number,
		  const char *type, const char *data)
{
	char extra[200];

	(void)snprintf(extra, sizeof(extra), "'data':%s", data);
	struct lk_bytes wire = event(id, "2026-03-02T09:00:00-08:00", number, type, extra);
	const struct turn_event in = { wire.at, wire.len, LK_TEXT("cws-cms"), true, { 0 }, seq, 0 };

	assert_int_equal(turn_events(o->turn, story_instant("2026-03-02T11:00:00-08:00"), &in, 1,
				     &o->verdict, &o->err),
			 0);
	lk_bytes_free(&wire);
}

static void is_refused_as(const struct office *o, enum lk_refusal reason, const char *field)
{
	assert_int_equal(o->verdict.outcome, TURN_REFUSED);
	assert_int_equal(o->verdict.refused.reason, reason);
	assert_string_equal(o->verdict.refused.field, field);
}

static int64_t number_of(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *statement;

	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	int64_t n = sqlite3_column_int64(statement, 0);
	(void)sqlite3_finalize(statement);
	return n;
}

static void what_left_its_mailbox_is_expunged_too(void **state)
{
	static const char by_consent[] =
		"SELECT count(*) FROM ledger_row WHERE basis = 'consent cws-cms/e6'";
	struct office *o = &((struct archive *)*state)->o;
	lk_instant now = story_instant("2026-03-02T11:00:00-08:00");
	uint8_t moment[LK_DIGEST];

	a_family(o);
	says(o, "2026-03-02T10:30:00-08:00", "C-1", "consent.signed", "{'consent':'c1'}");
	says(o, "2026-03-02T10:40:00-08:00", "W-1", "case.status", "{'status':'exempt'}");
	memcpy(moment, o->last, LK_DIGEST);
	says(o, "2026-03-02T10:50:00-08:00", "C-1", "case.closed", "{}");
	prune_stored(o, "garcia", "2026-03-02T11:00:00-08:00");
	assert_true(number_of(o->store->db, by_consent) > 0);
	expunge(o, LK_CWS, "C-1");
	assert_int_equal(number_of(o->store->db, by_consent), 0);
	assert_int_equal(turn_answer(o->turn, LK_TEXT("garcia"), moment, now, &o->err),
			 LK_ENOTFOUND);
}

struct search {
	const char *number;
	bool is_found;
	struct lk_error err;
	struct office *o;
};

static int search_family(void *context, const struct stored_family *row)
{
	struct search *x = context;

	x->is_found |= memmem(row->told, row->told_len, x->number, strlen(x->number)) != NULL ||
		       memmem(row->state, row->state_len, x->number, strlen(x->number)) != NULL;
	return 0;
}

static int search_id(void *context, const uint8_t id[LK_DIGEST], lk_instant wake_at)
{
	struct search *x = context;

	(void)wake_at;
	return store_family_get(x->o->store, id, search_family, x, &x->err) < 0 ? -1 : 0;
}

/* In what any family knows or was told. */
static bool is_known(struct office *o, const char *number)
{
	struct search x = { .number = number, .o = o };

	assert_int_equal(store_families_after(o->store, NULL, 1000, search_id, &x, &x.err), 0);
	return x.is_found;
}

/* Tokens had linked the two, so that no event speaks of the link; and mailboxes keep nothing of it any more. */
static void what_left_another_familys_mailbox_is_expunged_too(void **state)
{
	struct office *o = &((struct archive *)*state)->o;

	says(o, "2026-03-02T09:00:00-08:00", "W-7", "case.opened", OF_A_PARENT("active", BY_CIN));
	says(o, "2026-03-02T09:00:00-08:00", "W-7", "worker.assigned",
	     "{'role':'employment_specialist','worker':'jones'}");
	says(o, "2026-03-02T09:02:00-08:00", "C-7", "case.opened", OF_A_PARENT("er", BY_CIN));
	assert_non_null(strstr(heard(o), "new crossover.found jones\n"));
	says_more(o, "2026-03-02T10:00:00-08:00", "2026-03-02T09:00:00-08:00", "C-7", "case.opened",
		  "'supersedes':'e3','data':{'status':'er'}");
	assert_non_null(strstr(heard(o), "withdrawn crossover.found jones\n"));
	prune_stored(o, "jones", "2026-03-03T11:00:00-08:00");
	prune_stored(o, "cws.liaison", "2026-03-03T11:00:00-08:00");
	assert_true(is_known(o, "C-7"));
	expunge(o, LK_CWS, "C-7");
	assert_false(is_known(o, "C-7"));
	assert_true(is_known(o, "W-7"));
}

/* Whose worker it had required is free for another family's meeting. */
static void a_family_that_is_expunged_is_in_nobodys_way(void **state)
{
	struct office *o = &((struct archive *)*state)->o;

	says(o, "2026-03-02T09:00:00-08:00", "C-1", "case.opened", "{'status':'er'}");
	says(o, "2026-03-02T09:01:00-08:00", "W-1", "case.opened", "{'status':'active'}");
	says(o, "2026-03-02T09:10:00-08:00", "W-1", "meeting.scheduled",
	     "{'meeting':'m1','kind':'appointment','start':'2026-03-12T10:00:00-07:00',"
	     "'end':'2026-03-12T11:00:00-07:00','required':['jones']}");
	says(o, "2026-03-02T10:00:00-08:00", "C-1", "meeting.scheduled",
	     "{'meeting':'m2','kind':'court','start':'2026-03-12T10:30:00-07:00',"
	     "'end':'2026-03-12T11:30:00-07:00','required':['jones']}");
	assert_non_null(strstr(heard(o), "new meeting.reschedule calworks.liaison\n"));
	expunge(o, LK_CWS, "C-1");
	assert_non_null(strstr(heard(o), "withdrawn meeting.reschedule calworks.liaison\n"));
}

/* What is ordered stands in the ledger for good. */
static void the_words_of_an_order_name_no_case(void **state)
{
	static const char *const refused[] = { "C-1", "order 12, c-1.", "order-C-1",
					       "case W-1 is to go", "as C-2 was" };
	struct office *o = &((struct archive *)*state)->o;
	const struct case_key key = { LK_CWS, LK_TEXT("C-1") };
	struct turn_expunging *x;

	a_family(o);
	says(o, "2026-03-02T10:01:00-08:00", "C-2", "case.opened", "{'status':'er'}");
	expunge(o, LK_CWS, "C-2");
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		assert_int_equal(turn_expunge(o->turn, key, lk_text_of(refused[i]), &x, &o->err),
				 LK_EREFUSED);
	assert_false(store_is_expunged(o->store, key));
	assert_int_equal(turn_expunge(o->turn, key, LK_TEXT("order C-12 of 1-1"), &x, &o->err), 0);
	turn_expunge_end(x);
}

static bool file_says(const struct archive *a, const char *name, const char *word)
{
	char path[FOLDER_MAX + 32], part[4096];
	struct lk_bytes all = { 0 };
	size_t n;

	(void)snprintf(path, sizeof(path), "%s/%s", a->directory, name);
	FILE *file = fopen(path, "rb");
	assert_non_null(file);
	while ((n = fread(part, 1, sizeof(part), file)) > 0)
		lk_put_raw(&all, part, n);
	assert_int_equal(fclose(file), 0);
	assert_false(all.failed);
	bool said = all.len > 0 && memmem(all.at, all.len, word, strlen(word)) != NULL;
	lk_bytes_free(&all);
	return said;
}

/* A hold that is over is a row that everyday work gave up, long before the order, and after another one. */
static void what_was_given_up_before_is_overwritten_too(void **state)
{
	struct archive *a = *state;
	struct office *o = &a->o;
	const struct case_key key = { LK_CWS, LK_TEXT("C-31337") };

	says(o, "2026-03-02T09:00:00-08:00", "C-2", "case.opened", "{'status':'er'}");
	says(o, "2026-03-02T09:00:00-08:00", "C-31337", "case.opened", "{'status':'er'}");
	expunge(o, LK_CWS, "C-2");
	assert_int_equal(store_begin(o->store, &o->err), 0);
	assert_int_equal(store_hold_put(o->store, key, LK_TEXT("appeal"), 0, &o->err), 0);
	assert_int_equal(store_hold_drop(o->store, key, &o->err), 1);
	assert_int_equal(store_commit(o->store, &o->err), 0);
	assert_int_equal(store_flush(o->store, &o->err), 0);
	assert_true(file_says(a, "linkages.db", "C-31337"));
	expunge(o, LK_CWS, "C-31337");
	assert_false(file_says(a, "linkages.db", "C-31337"));
}

/* Its row is in the mailbox still: whoever answers it is told no, and not left waiting. */
static void what_was_expunged_is_not_answered_any_more(void **state)
{
	struct office *o = &((struct archive *)*state)->o;
	lk_instant now = story_instant("2026-03-02T11:00:00-08:00");
	uint8_t needed[LK_DIGEST];

	a_family(o); /* the last telling is jones's consent.needed */
	memcpy(needed, o->last, LK_DIGEST);
	expunge(o, LK_CWS, "C-1");
	assert_non_null(strstr(opened(o, "jones", 0, NULL), "withdrawn consent.needed"));
	o->answered[0] = '\0';
	assert_int_equal(turn_answer(o->turn, LK_TEXT("jones"), needed, now, &o->err),
			 LK_ENOTFOUND);
	assert_string_equal(o->answered, "");
}

static int is_empty(void *context, const struct dead_letter *letter)
{
	(void)context;
	assert_int_equal(letter->body_len, 0);
	return 0;
}

/* Whose acknowledgements were lost says it all again: that nothing is kept of it is no conflict. */
static int is_there(void *context, const struct stored_event *row)
{
	(void)context;
	(void)row;
	return 1;
}

/* Its only event lies ahead: it has no family yet, and is in the log. */
static void a_case_of_which_nothing_counts_is_expunged(void **state)
{
	struct office *o = &((struct archive *)*state)->o;
	const struct case_key gone = { LK_CWS, LK_TEXT("C-1") };
	struct turn_expunging *x;

	says_more(o, "2026-03-02T09:00:00-08:00", "2026-03-05T09:00:00-08:00", "C-1", "case.opened",
		  "'data':{'status':'er'}");
	says_more(o, "2026-03-02T09:00:00-08:00", "2026-03-05T09:00:00-08:00", "W-1", "case.opened",
		  "'data':{'status':'active'}");
	assert_int_equal(turn_expunge(o->turn, gone, LK_TEXT("order of W-1"), &x, &o->err),
			 LK_EREFUSED);
	assert_int_equal(store_case_events(o->store, gone, is_there, NULL, &o->err), 1);
	expunge(o, LK_CWS, "C-1");
	assert_int_equal(store_case_events(o->store, gone, is_there, NULL, &o->err), 0);
	assert_int_equal(pass(o, "2026-03-06T09:00:00-08:00"), 0);
	says_more(o, "2026-03-06T09:00:00-08:00", "2026-03-06T09:00:00-08:00", "W-1", "case.closed",
		  "'data':{}");
}

/* Its opening comes due while the order is carried out, and so does a link to it of a family that stays. */
static void what_comes_due_during_an_order_is_expunged_too(void **state)
{
	static const char day[] = "2026-03-02T09:00:00-08:00", due[] = "2026-03-05T09:00:00-08:00";
	struct office *o = &((struct archive *)*state)->o;
	const struct case_key gone = { LK_CWS, LK_TEXT("C-1") };
	const struct case_key stays = { LK_CALWORKS, LK_TEXT("W-1") };
	uint8_t family[LK_DIGEST];

	says(o, day, "W-1", "case.opened", "{'status':'active'}");
	says_more(o, day, due, "C-1", "case.opened", "'data':{'status':'er'}");
	says_more(o, day, due, "W-1", "link.confirmed",
		  "'data':{'other':{'agency':'cws','case':'C-1'}}");
	struct turn_expunging *x = is_ordered(o, LK_CWS, "C-1");
	assert_int_equal(pass(o, "2026-03-06T09:00:00-08:00"), 0);
	is_carried_out(o, x);
	assert_int_equal(store_case_family(o->store, gone, family, &o->err), 0);
	assert_int_equal(store_case_family(o->store, stays, family, &o->err), 1);
	assert_int_equal(store_case_events(o->store, gone, is_there, NULL, &o->err), 0);
	is_as_the_log_says(o);
}

static void what_was_expunged_is_forbidden_when_it_comes_again(void **state)
{
	struct office *o = &((struct archive *)*state)->o;
	static const char opening[] = "{'status':'er'}", nonsense[] = "{'status':'gone'}";

	sends(o, 1, "e1", "C-1", "case.opened", opening);
	sends(o, 2, "e2", "C-1", "case.status", nonsense);
	sends(o, 3, "e3", "C-2", "case.opened", opening);
	expunge(o, LK_CWS, "C-1");
	int64_t letters = counts(o).dead_letters;
	for (int i = 0; i < 2; i++) {
		sends(o, 1, "e1", "C-1", "case.opened", opening);
		is_refused_as(o, LK_FORBIDDEN, "subject");
		sends(o, 2, "e2", "C-1", "case.status", nonsense);
		is_refused_as(o, LK_BAD_VALUE, "data.status");
	}
	assert_int_equal(counts(o).dead_letters, letters + 1); /* its place says it from now on */
	sends(o, 3, "e4", "C-1", "case.opened", opening);      /* which is C-2's */
	is_refused_as(o, LK_CONFLICT, "seq");
	sends(o, 4, "e1", "C-1", "case.opened", opening);
	is_refused_as(o, LK_FORBIDDEN, "subject");
	sends(o, 5, "e5", "C-1", "case.status", nonsense);
	is_refused_as(o, LK_BAD_VALUE, "data.status");
	assert_int_equal(store_dead_letters(o->store, counts(o).dead_letters - 2, 2, is_empty, NULL,
					    &o->err),
			 0);
}

static void be_idle(struct office *o)
{
	int more = 1;

	while (more > 0)
		more = turn_idle(o->turn, &o->err);
	assert_int_equal(more, 0);
}

static void questions_are_refused(struct office *o, const uint8_t notice[LK_DIGEST])
{
	const struct case_key w1 = { LK_CALWORKS, LK_TEXT("W-1") };
	lk_instant now = story_instant("2026-03-02T11:00:00-08:00");
	struct lk_bytes out = { 0 };
	char hex[LK_DIGEST_HEX];

	lk_digest_hex(notice, hex);
	assert_int_equal(turn_family(o->turn, w1, now, &out, &o->err), LK_ESTATE);
	assert_int_equal(turn_plan(o->turn, w1, LK_TEXT("jones"), now, &out, &o->err), LK_ESTATE);
	assert_int_equal(turn_why(o->turn, lk_text_of(hex), now, &out, &o->err), LK_ESTATE);
	assert_int_equal(turn_why_not(o->turn, LK_TEXT("calsaws"), LK_TEXT("e5"), LK_TEXT("jones"),
				      now, &out, &o->err),
			 LK_ESTATE);
	assert_int_equal(out.len, 0);
	lk_bytes_free(&out);
}

/* As an order leaves it that was cut short, and a backup of before it: nobody is shown anything. */
static void what_was_expunged_and_is_there_again_is_shown_nowhere(void **state)
{
	static const char
		cases[] = "SELECT count(*) FROM state_case",
		named[] = "SELECT count(*) FROM told WHERE 'C-1' IN (own_number, other_number)";
	struct office *o = &((struct archive *)*state)->o;
	const struct case_key gone[] = { { LK_CWS, LK_TEXT("C-1") },
					 { LK_CALWORKS, LK_TEXT("W-1") } };
	uint8_t needed[LK_DIGEST];

	a_family(o);
	memcpy(needed, o->last, LK_DIGEST);
	says(o, "2026-03-02T10:31:00-08:00", "W-2", "case.opened", "{'status':'active'}");
	be_idle(o);
	assert_int_equal(number_of(o->store->state, cases), 3);
	assert_true(number_of(o->store->state, named) > 0);
	assert_int_equal(store_expunged_add(o->store, gone, 2, &o->err), 0);
	questions_are_refused(o, needed);
	assert_int_equal(store_expunged_hide(o->store, &o->err), 0);
	be_idle(o);
	assert_int_equal(number_of(o->store->state, cases), 1);
	assert_int_equal(number_of(o->store->state, named), 0);
	assert_int_equal(store_expunged_hide(o->store, &o->err), 0);
	assert_int_equal(number_of(o->store->state, cases),
			 1); /* what is hidden is not hidden again */
	expunge(o, LK_CWS, "C-1");
	assert_int_equal(number_of(o->store->state, cases), 1);
}

/* The order was about a case that no link led to any more; a backup brings back when one did. */
static void what_names_an_expunged_case_is_shown_to_neither_side(void **state)
{
	struct office *o = &((struct archive *)*state)->o;
	const struct case_key gone = { LK_CWS, LK_TEXT("C-1") };

	a_family(o);
	assert_int_equal(store_expunged_add(o->store, &gone, 1, &o->err), 0);
	assert_string_equal(opened(o, "garcia", 0, NULL), "1 withdrawn crossover.found reduced\n");
	assert_string_equal(opened(o, "jones", 0, NULL), "1 withdrawn crossover.found reduced\n"
							 "2 withdrawn consent.needed reduced\n");
}

/* A line without an instant is read by way of those before it: not of all of them, where everything was told at once. */
static void what_was_told_at_once_is_read_by_way_of_a_few_lines(void **state)
{
	static const char far[] =
		"SELECT max(line - (SELECT max(line) FROM kept_told AS before WHERE told_at IS NOT NULL "
		"AND before.family = kept_told.family AND before.line <= kept_told.line)) FROM kept_told";
	struct office *o = *state;

	a_family(o);
	says(o, "2026-03-02T10:30:00-08:00", "C-1", "consent.signed", "{'consent':'c1'}");
	for (int i = 0; i < 100; i++)
		says(o, "2026-03-02T10:40:00-08:00", "W-1", "milestone.reached",
		     "{'milestone':'job'}");
	be_idle(o);
	assert_true(number_of(o->store->state, "SELECT count(*) FROM told") > 100);
	assert_true(number_of(o->store->state, far) > 0);
	assert_true(number_of(o->store->state, far) < 32);
}

/* Two families stand in state.db, become one, and nobody was idle since. */
static void what_waits_for_state_db_is_no_difference(void **state)
{
	struct office *o = *state;
	struct turn_rebuilt found;

	says(o, "2026-03-02T09:00:00-08:00", "C-1", "case.opened", "{'status':'fm'}");
	says(o, "2026-03-02T09:02:00-08:00", "W-1", "case.opened", "{'status':'active'}");
	while (turn_idle(o->turn, &o->err) > 0)
		continue;
	says(o, "2026-03-02T10:00:00-08:00", "W-1", "link.confirmed",
	     "{'other':{'agency':'cws','case':'C-1'}}");
	rebuilt(o, &found);
	assert_int_equal(found.families, 1);
	assert_int_equal(found.folds + found.rows + found.orphans, 0);
	rebuilt(o, &found);
	assert_int_equal(found.folds + found.rows + found.orphans, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_OFFICE(a_batch_is_told_of_after_its_commit),
		IN_OFFICE(the_same_event_again_changes_nothing),
		IN_OFFICE(a_known_id_with_other_content_is_a_conflict),
		IN_OFFICE(what_makes_no_sense_is_kept_and_the_queue_goes_on),
		IN_OFFICE(nobody_speaks_for_another_source),
		IN_OFFICE(more_than_four_hundred_days_ahead_is_a_mistake),
		IN_OFFICE(a_gap_in_an_outbox_undoes_the_batch),
		IN_OFFICE(an_event_ahead_waits_for_its_time),
		IN_OFFICE(an_instant_of_many_is_passed_in_bites),
		IN_OFFICE(a_late_event_takes_its_place),
		IN_OFFICE(a_correction_may_come_before_what_it_corrects),
		IN_OFFICE(each_link_that_was_undone_has_a_notice_of_its_own),
		IN_OFFICE(links_that_wait_for_an_opening_do_not_read_each_other),
		IN_OFFICE(what_falls_due_is_told_at_its_own_instant),
		IN_OFFICE(a_silent_source_is_told_of_until_it_speaks),
		IN_OFFICE(a_silence_is_told_of_also_where_the_first_commit_failed),
		IN_OFFICE(a_case_of_which_nothing_counts_is_no_damage),
		IN_OFFICE(what_a_source_has_come_to_is_as_it_was_committed),
		IN_OFFICE(what_silence_held_back_is_told_after_each_that_ends),
		IN_OFFICE(a_silence_that_outlasts_the_daemon_ends_with_the_first_event),
		IN_OFFICE(another_policy_is_taken_on_before_time_goes_on),
		IN_OFFICE(a_restart_remembers_everything),
		IN_OFFICE(time_is_written_once_a_second_and_read_from_the_log_beside_it),
		cmocka_unit_test_setup_teardown(a_case_of_the_same_number_at_the_other_agency_stays,
						open_archive, close_archive),
		cmocka_unit_test_setup_teardown(
			what_a_damage_took_comes_back_and_nobody_hears_of_it, open_archive,
			close_archive),
		cmocka_unit_test_setup_teardown(
			a_family_without_a_state_is_folded_before_it_is_shown, open_archive,
			close_archive),
		cmocka_unit_test_setup_teardown(nothing_is_shown_by_a_log_with_holes_in_it,
						open_archive, close_archive),
		cmocka_unit_test_setup_teardown(
			a_link_of_cases_that_nobody_knew_is_found_when_the_wait_is_over,
			open_archive, close_archive),
		cmocka_unit_test_setup_teardown(a_late_event_does_not_hide_what_is_to_be_told_again,
						open_archive, close_archive),
		cmocka_unit_test_setup_teardown(a_correction_that_comes_back_corrects_again,
						open_archive, close_archive),
		cmocka_unit_test_setup_teardown(a_wait_that_an_event_began_outlasts_the_daemon,
						open_archive, close_archive),
		cmocka_unit_test_setup_teardown(an_event_ahead_that_can_not_be_read_is_a_damage,
						open_archive, close_archive),
		cmocka_unit_test_setup_teardown(an_event_that_has_come_comes_once, open_archive,
						close_archive),
		cmocka_unit_test_setup_teardown(
			a_family_that_does_not_wake_when_it_should_is_a_damage, open_archive,
			close_archive),
		cmocka_unit_test_setup_teardown(a_family_whose_cases_are_gone_is_done_once,
						open_archive, close_archive),
		cmocka_unit_test_setup_teardown(
			a_family_without_a_state_is_folded_before_a_question, open_archive,
			close_archive),
		cmocka_unit_test_setup_teardown(
			what_was_told_in_a_mailbox_that_is_lost_is_taken_back, open_archive,
			close_archive),
		cmocka_unit_test_setup_teardown(
			a_link_said_while_a_log_with_holes_in_it_waits_is_kept, open_archive,
			close_archive),
		cmocka_unit_test_setup_teardown(a_notice_whose_row_was_damaged_can_be_answered,
						open_archive, close_archive),
		cmocka_unit_test_setup_teardown(so_can_all_of_a_block_that_cannot_be_unpacked,
						open_archive, close_archive),
		cmocka_unit_test_setup_teardown(
			families_that_one_mailbox_tells_of_are_folded_together, open_archive,
			close_archive),
		cmocka_unit_test_setup_teardown(
			a_family_of_which_nothing_is_left_is_handed_out_reduced, open_archive,
			close_archive),
		cmocka_unit_test_setup_teardown(a_clock_that_stands_still_is_no_reason_to_wait,
						open_archive, close_archive),
		cmocka_unit_test_setup_teardown(who_does_not_say_the_rest_is_not_waited_for,
						open_archive, close_archive),
		cmocka_unit_test_setup_teardown(what_left_its_mailbox_is_expunged_too, open_archive,
						close_archive),
		cmocka_unit_test_setup_teardown(
			what_was_expunged_and_is_there_again_is_shown_nowhere, open_archive,
			close_archive),
		cmocka_unit_test_setup_teardown(
			what_names_an_expunged_case_is_shown_to_neither_side, open_archive,
			close_archive),
		cmocka_unit_test_setup_teardown(what_left_another_familys_mailbox_is_expunged_too,
						open_archive, close_archive),
		cmocka_unit_test_setup_teardown(a_family_that_is_expunged_is_in_nobodys_way,
						open_archive, close_archive),
		cmocka_unit_test_setup_teardown(the_words_of_an_order_name_no_case, open_archive,
						close_archive),
		cmocka_unit_test_setup_teardown(what_was_given_up_before_is_overwritten_too,
						open_archive, close_archive),
		cmocka_unit_test_setup_teardown(what_was_expunged_is_not_answered_any_more,
						open_archive, close_archive),
		cmocka_unit_test_setup_teardown(a_case_of_which_nothing_counts_is_expunged,
						open_archive, close_archive),
		cmocka_unit_test_setup_teardown(what_comes_due_during_an_order_is_expunged_too,
						open_archive, close_archive),
		cmocka_unit_test_setup_teardown(what_was_expunged_is_forbidden_when_it_comes_again,
						open_archive, close_archive),
		IN_OFFICE(another_policy_publishes_only_differences),
		IN_OFFICE(another_policy_is_taken_on_by_a_family_that_was_settled_meanwhile),
		IN_OFFICE(another_policy_links_by_other_tokens),
		IN_OFFICE(another_policy_parts_a_family_that_another_one_takes_in),
		IN_OFFICE(links_and_tokens_that_are_lost_are_found_in_the_log),
		IN_OFFICE(a_policy_that_could_not_be_taken_is_not_borrowed),
		IN_OFFICE(another_policy_is_taken_on_by_as_many_families_as_a_pass_may),
		IN_OFFICE(a_mailbox_is_handed_out_in_order),
		IN_OFFICE(a_hand_out_ends_where_its_reader_says_so),
		IN_OFFICE(content_is_not_shown_once_consent_has_ended),
		IN_OFFICE(what_is_shown_is_counted_by_its_level),
		IN_OFFICE(a_moment_is_shown_by_the_time_that_it_has_now),
		IN_OFFICE(a_moment_of_long_ago_is_shown_by_its_record),
		IN_OFFICE(a_family_that_does_not_come_back_is_let_go_whole),
		IN_OFFICE(families_behind_a_policy_are_counted_while_they_become_fewer),
		IN_OFFICE(only_families_that_are_spoken_of_stay_at_hand),
		IN_OFFICE(a_status_stays_shown_that_a_consent_let_cross),
		IN_OFFICE(the_next_consent_shows_the_latest_status_again),
		IN_OFFICE(nothing_of_an_undone_link_is_shown),
		IN_OFFICE(nothing_is_shown_to_a_case_that_was_never_opened),
		IN_OFFICE(nothing_that_rests_on_an_undone_link_is_shown),
		IN_OFFICE(what_rests_on_the_own_side_stays_shown),
		IN_OFFICE(why_says_what_the_hand_out_does),
		IN_OFFICE(a_catch_ups_row_says_what_was_shown),
		IN_OFFICE(a_catch_up_has_its_row_in_the_ledger),
		IN_OFFICE(one_answer_answers_all),
		IN_OFFICE(receipts_are_stored_together),
		IN_OFFICE(what_left_its_mailbox_is_taken_back_too),
		IN_OFFICE(what_left_its_mailbox_can_be_answered),
		IN_OFFICE(a_family_whose_case_was_another_stays_one),
		IN_OFFICE(a_publisher_is_asked_for_what_is_missing),
		IN_OFFICE(nothing_new_passes_for_what_was_settled),
		IN_OFFICE(what_an_outbox_forgot_is_passed_over),
		IN_OFFICE(an_older_copy_is_told_of_once),
		IN_OFFICE(a_restored_store_is_no_older_copy),
		IN_OFFICE(an_outbox_that_is_not_known_shows_no_older_copy),
		IN_OFFICE(what_was_told_at_once_is_read_by_way_of_a_few_lines),
		IN_OFFICE(what_waits_for_state_db_is_no_difference),
		IN_OFFICE(a_place_that_is_learnt_later_decides),
		IN_OFFICE(a_place_that_is_learnt_later_decides_of_a_pair),
		IN_OFFICE(a_family_is_as_the_log_says_also_where_a_place_was_learnt),
		IN_OFFICE(who_is_it),
	};

	return cmocka_run_group_tests(tests, story_policies, NULL);
}
