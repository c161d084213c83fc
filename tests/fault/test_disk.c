/* test_disk.c - the promise on a disk that fails: power cuts, failing syncs and writes, a disk that is full.
 *
 * In: --seed N, --cuts N (random power cuts; some hundreds without), --only PATTERN (of the tests' names). Out: cmocka's verdicts, and a line of figures for each
 * test. Promise: every fault befalls the real store and turn at every call at which it can, in a run that is then played to
 * its end and must leave what an undisturbed run leaves.
 */
#include "rig.h"

#include "policy.h"
#include "store/internal.h"
#include "store/notice_table.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define DATABASE CRASH_DIRECTORY "/linkages.db"
#define SMALL_DEEDS 14
#define PAGE 4096
#define SHORT_STEP 32768
#define LONG_RUN 2000 /* random cuts from which on every other test is thorough, too */

static struct policy policy;
static uint64_t first_seed = 1;
static long cuts_wanted = 100;

/* ---- One run ------------------------------------------------------------------------------------------------------- */

/* A run from some image of the disk on, and what it must leave. */
struct course {
	const struct script *script;
	struct crash_image *before;
	struct outside outside; /* of the image */
	uint32_t until;
	bool asks_again; /* the daemon may, from the beginning */
	bool is_beside;  /* checkpoints are made by a thread */
	uint8_t mail[LK_DIGEST];
};

static struct rig rig_for(const struct course *c)
{
	return (struct rig){ .script = c->script,
			     .policy = &policy,
			     .outside = c->outside,
			     .keeps_all = !c->asks_again,
			     .is_beside = c->is_beside };
}

static void expect_fine(const struct rig *r)
{
	if (r->wrong > 0)
		fail_msg("%d promises are broken; the first: %s", r->wrong, r->what);
}

/* From a start to a clean end. */
static int go(struct rig *r, const struct course *c)
{
	int rc = rig_open(r);

	if (rc == 0)
		rc = rig_go(r, c->until);
	if (rc == 0)
		rig_close(r);
	return rc;
}

/* Without a fault: what comes of it. */
static void course_learn(struct course *c)
{
	struct rig r = rig_for(c);

	crash_load(c->before);
	crash_seed(first_seed);
	if (go(&r, c) < 0)
		fail_msg("on a sound disk: %s", r.err.text);
	assert_int_equal(rig_open(&r), 0);
	rig_mail(&r, c->mail);
	rig_check(&r);
	rig_check_compare(&r);
	rig_close(&r);
	expect_fine(&r);
}

static void course_free(struct course *c)
{
	crash_image_free(c->before);
}

/* The first deeds of a script, from an empty disk. */
static struct course course_small(const struct script *script)
{
	struct course c = { .script = script, .until = SMALL_DEEDS };

	crash_begin(first_seed);
	c.before = crash_save();
	course_learn(&c);
	return c;
}

/* From the middle of the small run on: `how` is what happened to the process there. */
static struct course course_on(const struct script *script, bool is_killed)
{
	struct course c = course_small(script);
	struct rig r = rig_for(&c);

	crash_load(c.before);
	crash_image_free(c.before);
	if (rig_open(&r) < 0 || rig_go(&r, SMALL_DEEDS / 2) < 0)
		fail_msg("on a sound disk: %s", r.err.text);
	if (is_killed)
		crash_kill();
	rig_close(&r);
	if (is_killed)
		crash_power();
	c.outside = r.outside;
	c.before = crash_save();
	course_learn(&c);
	return c;
}

/* ---- After a fault ------------------------------------------------------------------------------------------------- */

/* A start must succeed, all that was promised be there, and the rest of the run come to the same. */
static void finish(struct rig *r, const struct course *c)
{
	uint8_t mail[LK_DIGEST];

	if (r->turn == NULL && rig_open(r) < 0) {
		rig_wrong(r, "the daemon does not start again: %s", r->err.text);
		return;
	}
	rig_check(r);
	if (rig_go(r, c->until) < 0)
		rig_wrong(r, "the daemon does not go on: %s", r->err.text);
	rig_check(r);
	rig_mail(r, mail);
	if (memcmp(mail, c->mail, LK_DIGEST) != 0)
		rig_wrong(r, "the mailboxes hold something else than after an undisturbed run");
	if (r->wrong == 0)
		rig_check_state(r);
	rig_close(r);
}

/* As finish(), then the power goes once more: what the run has promised meanwhile must survive that, too. */
static void finish_and_cut(struct rig *r, const struct course *c)
{
	finish(r, c);
	if (r->wrong > 0 || rig_open(r) < 0)
		return;
	crash_kill();
	rig_close(r);
	crash_power();
	if (rig_open(r) < 0) {
		rig_wrong(r, "the daemon does not start again: %s", r->err.text);
		return;
	}
	rig_check(r);
	rig_check_compare(r);
	rig_close(r);
}

/* The power goes at the nth step. False: there are not so many. */
static bool cut_at(const struct course *c, long n, uint64_t seed, struct rig *r)
{
	*r = rig_for(c);
	crash_load(c->before);
	crash_seed(seed);
	crash_arm(CRASH_CUT, n);
	(void)go(r, c);
	rig_close(r);
	if (!crash_struck())
		return false;
	crash_power();
	return true;
}

/* ---- Power cuts ---------------------------------------------------------------------------------------------------- */

/* At every step in a long run, at one of 37 in a short one. */
static long stride(void)
{
	return cuts_wanted >= LONG_RUN ? 1 : 37;
}

static const char *how_often(void)
{
	return stride() == 1 ? "every step" : "one step of 37";
}

static long cut_everywhere(const struct course *c)
{
	struct rig r;
	long cuts = 0;

	for (long n = 1; cut_at(c, n, first_seed + (uint64_t)n, &r); n += stride(), cuts++) {
		finish_and_cut(&r, c);
		if (r.wrong > 0)
			fail_msg("cut at step %ld: %s", n, r.what);
	}
	return cuts;
}

static struct script *script_of(uint64_t seed)
{
	struct script *script = script_roll(seed, &policy);

	for (; script->deed_n <= SMALL_DEEDS; script = script_roll(++seed * 1000, &policy))
		script_free(script);
	return script;
}

static void power_cut_at_every_step(void **state)
{
	struct script *script = script_of(first_seed);
	struct course whole = course_small(script), on = course_on(script, false),
		      again = course_on(script, true);
	long n = cut_everywhere(&whole), m = cut_everywhere(&on), o = cut_everywhere(&again);

	(void)state;
	assert_true(n * stride() > 100 && m * stride() > 20 && o * stride() > 20);
	printf("power cut at %s of making the files, batches, time passing, checkpoint, restart: %ld cuts, 0 lost\n",
	       how_often(), n);
	printf("power cut at %s after a clean end: %ld cuts, 0 lost\n", how_often(), m);
	printf("power cut at %s after a power cut, recovery included: %ld cuts, 0 lost\n",
	       how_often(), o);
	course_free(&whole);
	course_free(&on);
	course_free(&again);
	script_free(script);
}

/* How far apart the steps are at which a start is cut again. Starts after neighbouring cuts are much alike: each is cut at other
 * steps than the one before, so that as many in a row have them all. */
static long recovery_stride(void)
{
	return stride() == 1 ? 20 : 37;
}

/* The power goes again in the start after a cut. Cuts; -1: the run has no step `at`. */
static long cut_recovery(const struct course *c, long at)
{
	struct crash_image *after;
	struct outside outside;
	struct rig r;
	long cuts = 0;

	if (!cut_at(c, at, first_seed + (uint64_t)at, &r))
		return -1;
	outside = r.outside;
	after = crash_save();
	for (long n = 1 + at % recovery_stride();; n += recovery_stride(), cuts++) {
		struct course rest = *c;

		rest.outside = outside;
		crash_load(after);
		r = rig_for(&rest);
		crash_arm(CRASH_CUT, n);
		if (rig_open(&r) == 0)
			rig_close(&r);
		if (!crash_struck())
			break;
		crash_power();
		finish(&r, c);
		if (r.wrong > 0)
			fail_msg("cut at step %ld, then at step %ld of the start: %s", at, n,
				 r.what);
	}
	crash_image_free(after);
	return cuts;
}

static void power_cut_in_recovery(void **state)
{
	struct script *script = script_of(first_seed + 1);
	struct course whole = course_small(script);
	long total = 0, n = 0;

	(void)state;
	for (long at = 1; n >= 0; at += stride()) {
		n = cut_recovery(&whole, at);
		total += n > 0 ? n : 0;
	}
	assert_true(total > 20);
	printf("power cut at %s, and again in its recovery at one step of %ld, each time at others: %ld cuts, 0 lost\n",
	       how_often(), recovery_stride(), total);
	course_free(&whole);
	script_free(script);
}

/* ---- Random cuts --------------------------------------------------------------------------------------------------- */

typedef void meddling(struct rig *r);

#define CUT_WITHIN 200 /* steps of a life */

/* A start that makes the store anew takes more steps than that: the next life is longer where this one came to nothing. */
static int life_after(int steps, bool came_on)
{
	return came_on ? CUT_WITHIN : steps > INT_MAX / 2 ? INT_MAX : steps * 2;
}

/* From a start until the power goes, at the latest `steps` steps later. */
static void live_until_cut(struct rig *r, int steps, struct dice *dice, meddling *meddle)
{
	int rc;

	crash_arm(CRASH_CUT, dice_from(dice, 1, steps));
	rc = rig_open(r);
	if (rc == 0 && meddle != NULL)
		meddle(r);
	if (rc == 0)
		rig_check(r);
	if (rc == 0)
		rc = rig_go(r, r->script->deed_n);
	if (rc < 0 && !crash_struck())
		rig_wrong(r, "without a cut: %s", r->err.text);
	crash_kill();
	rig_close(r);
	crash_power();
}

/* A whole script; the power goes again and again. Cuts; *wrong: broken promises. */
static long play_with_cuts(uint64_t seed, bool is_beside, meddling *meddle, int *wrong,
			   char what[160])
{
	struct script *script = script_roll(seed, &policy);
	struct rig r = { .script = script,
			 .policy = &policy,
			 .keeps_all = meddle == NULL,
			 .is_beside = is_beside };
	struct dice dice = { seed * 2 + 1 };
	int steps = CUT_WITHIN;
	long cuts = 0;

	crash_seed(seed);
	for (; r.outside.done < script->deed_n && r.wrong == 0; cuts++) {
		uint32_t done = r.outside.done;

		live_until_cut(&r, steps, &dice, meddle);
		steps = life_after(steps, r.outside.done > done);
	}
	if (r.is_endless)
		fail_msg("seed %llu: %s", (unsigned long long)seed, r.what);
	if (r.wrong == 0 && rig_open(&r) == 0) {
		rig_check(&r);
		rig_check_compare(&r);
		rig_close(&r);
	}
	*wrong += r.wrong;
	if (r.wrong > 0)
		memcpy(what, r.what, sizeof(r.what));
	script_free(script);
	return cuts;
}

static long cut_at_random(bool is_beside, long *runs)
{
	long cuts = 0;
	char what[160];

	for (uint64_t seed = first_seed; cuts < cuts_wanted; seed++, ++*runs) {
		int wrong = 0;

		crash_begin(seed);
		cuts += play_with_cuts(seed, is_beside, NULL, &wrong, what);
		if (wrong > 0)
			fail_msg("seed %llu: %s", (unsigned long long)seed, what);
	}
	return cuts;
}

static void random_cuts(void **state)
{
	long runs = 0, cuts = cut_at_random(false, &runs);

	(void)state;
	printf("random power cuts, sectors torn, names lost: %ld cuts in %ld runs, 0 lost\n", cuts,
	       runs);
}

static void random_cuts_beside(void **state)
{
	long runs = 0, cuts = cut_at_random(true, &runs);

	(void)state;
	printf("random power cuts while a thread makes checkpoints: %ld cuts in %ld runs, 0 lost\n",
	       cuts, runs);
}

/* ---- The state store made anew ------------------------------------------------------------------------------------- */

/* A store whose families all stand in state.db, and that file is gone. */
static struct course course_without_state(const struct script *script)
{
	struct course c = course_on(script, false);
	struct rig r = rig_for(&c);
	int more = 1;

	crash_load(c.before);
	crash_image_free(c.before);
	assert_int_equal(rig_open(&r), 0);
	while (more > 0)
		more = turn_idle(r.turn, &r.err);
	assert_int_equal(more, 0);
	rig_close(&r);
	crash_next_process(false);
	crash_drop(CRASH_DIRECTORY "/state.db");
	crash_drop(CRASH_DIRECTORY "/state.db-wal");
	c.before = crash_save();
	return c;
}

/* The process ends at the nth step of the start, and the power goes with it or stays. False: there are not so many. */
static bool end_start_at(const struct course *c, long n, bool is_cut)
{
	struct rig r = rig_for(c);

	crash_load(c->before);
	crash_seed(first_seed + (uint64_t)n);
	crash_arm(CRASH_CUT, n);
	(void)rig_open(&r);
	crash_kill();
	rig_close(&r);
	if (!crash_struck())
		return false;
	if (is_cut)
		crash_power();
	else
		crash_next_process(false);
	assert_int_equal(rig_open(&r), 0);
	rig_check_state(&r);
	rig_close(&r);
	if (r.wrong > 0)
		fail_msg("%s at step %ld of the start: %s", is_cut ? "cut" : "killed", n, r.what);
	return true;
}

static void a_start_without_state_db_ends_early(void **state)
{
	struct script *script = script_of(first_seed + 7);
	struct course c = course_without_state(script);
	long n = 1;

	(void)state;
	while (end_start_at(&c, n, false) && end_start_at(&c, n, true))
		n++;
	assert_true(n > 20);
	printf("killed, or the power cut, at each of %ld steps of a start that makes state.db anew: it says what the log says\n",
	       n - 1);
	course_free(&c);
	script_free(script);
}

static void idle_to_the_end(struct rig *r)
{
	int more = 1;

	while (more > 0)
		more = turn_idle(r->turn, &r->err);
	assert_int_equal(more, 0);
}

/* As a disk does that spoils each new one: the first is made anew at once, the others after a wait, and nothing else waits for that. */
static void a_state_db_that_is_damaged_again_is_left_alone_for_a_while(void **state)
{
	struct script *script = script_of(first_seed + 7);
	struct course c = course_without_state(script);
	struct rig r = rig_for(&c);
	int made = 0;

	(void)state;
	crash_load(c.before);
	assert_int_equal(rig_open(&r), 0);
	idle_to_the_end(&r);
	for (int i = 0; i < 3; i++) {
		(void)store_fault(r.store, r.store->state, SQLITE_CORRUPT, "a test", &r.err);
		idle_to_the_end(&r);
		made += !store_state_waits(r.store);
	}
	assert_int_equal(made, 1);
	r.store->state_due_ns = 0;
	idle_to_the_end(&r);
	assert_false(store_state_waits(r.store));
	rig_check_state(&r);
	rig_close(&r);
	expect_fine(&r);
	course_free(&c);
	script_free(script);
}

/* ---- Calls that fail ----------------------------------------------------------------------------------------------- */

/* The nth call that this fault can befall fails. The daemon tries again, or ends and is started again. False: there are not
 * so many. */
static bool fail_at(const struct course *c, enum crash_fault fault, long n, struct rig *r)
{
	int rc;

	*r = rig_for(c);
	r->keeps_all = false;
	crash_load(c->before);
	crash_seed(first_seed + (uint64_t)n);
	crash_arm(fault, n);
	rc = go(r, c);
	if (!crash_struck()) {
		rig_close(r);
		return false;
	}
	if (fault == CRASH_SYNC && rc < 0 && rc != LK_ESYNC)
		rig_wrong(r, "a failed sync is called something else: %s", r->err.text);
	if (rc == 0 || rc == LK_ESYNC || r->turn == NULL) {
		rig_close(r);
		crash_next_process(n % 2 == 0);
	}
	return true;
}

static long fail_everywhere(const struct course *c, enum crash_fault fault)
{
	struct rig r;
	long times = 0, step = fault == CRASH_SYNC && stride() > 1 ? 13 : stride();

	for (long n = 1; fail_at(c, fault, n, &r); n += step, times++) {
		finish_and_cut(&r, c);
		if (r.wrong > 0)
			fail_msg("fault %d at call %ld: %s", (int)fault, n, r.what);
	}
	/* The last run met no fault: its calls, however many the script makes of them, were all within reach before. */
	assert_true(crash_count(fault) > 0 && times * step >= crash_count(fault));
	return times;
}

static void a_call_fails(void **state)
{
	struct script *script = script_of(first_seed + 2);
	struct course whole = course_small(script);

	(void)state;
	printf("a sync fails, every one in its turn; rebuilt, then the power goes: %ld times, 0 lost\n",
	       fail_everywhere(&whole, CRASH_SYNC));
	printf("a write, cut or renaming fails, every one in its turn: %ld times, 0 lost\n",
	       fail_everywhere(&whole, CRASH_WRITE));
	printf("a read fails, every one in its turn: %ld times, 0 lost\n",
	       fail_everywhere(&whole, CRASH_READ));
	course_free(&whole);
	script_free(script);
}

static void a_call_fails_beside(void **state)
{
	struct script *script = script_of(first_seed + 2);
	struct course whole = course_small(script);

	(void)state;
	whole.is_beside = true;
	printf("a sync fails, of the loop or of the thread: %ld times, 0 lost\n",
	       fail_everywhere(&whole, CRASH_SYNC));
	printf("a write, cut or renaming fails, of the loop or of the thread: %ld times, 0 lost\n",
	       fail_everywhere(&whole, CRASH_WRITE));
	course_free(&whole);
	script_free(script);
}

/* ---- A full disk --------------------------------------------------------------------------------------------------- */

static bool fill_at(const struct course *c, int64_t room, struct rig *r)
{
	int rc;

	*r = rig_for(c);
	r->keeps_all = false;
	crash_load(c->before);
	crash_room(room);
	rc = go(r, c);
	if (rc == 0)
		return false;
	if (rc != LK_EFULL)
		rig_wrong(r, "a full disk is called something else: %s", r->err.text);
	if (r->turn != NULL)
		rig_check(r); /* reading goes on */
	else
		crash_next_process(false);
	crash_room(-1);
	return true;
}

/* The next room with which anything happens otherwise; in a short run not each of them. */
static int64_t next_room(int64_t room)
{
	int64_t more = crash_lacking(), least = stride() == 1 ? 1 : SHORT_STEP;

	if (more == 0) /* a thread was in luck */
		more = PAGE;
	return room + (more > least ? more : least);
}

static const char *which_rooms(void)
{
	return stride() == 1 ? "at every size that makes a difference" : "at some sizes";
}

static void the_disk_is_full(void **state)
{
	struct script *script = script_of(first_seed + 3);
	struct course whole = course_small(script);
	struct rig r;
	long times = 0;

	(void)state;
	for (int64_t room = 0; fill_at(&whole, room, &r); room = next_room(room), times++) {
		finish_and_cut(&r, &whole);
		if (r.wrong > 0)
			fail_msg("a disk of %lld bytes: %s", (long long)room, r.what);
	}
	assert_true(times > 3);
	printf("the disk is full, %s: %ld times, 0 lost, nothing half stored\n", which_rooms(),
	       times);
	course_free(&whole);
	script_free(script);
}

/* Ten pages: a batch is in the log before it is whole. */
static void set_small(struct rig *r)
{
	assert_int_equal(sqlite3_exec(r->store->db, "PRAGMA cache_size = 10", NULL, NULL, NULL), 0);
}

static bool spill_at(const struct course *c, int64_t room, struct rig *r, long *spills)
{
	int now = 0, most, rc;

	*r = rig_for(c);
	r->keeps_all = false;
	crash_load(c->before);
	rc = rig_open(r);
	assert_int_equal(rc, 0);
	set_small(r);
	crash_room(crash_used() + room);
	rc = rig_go(r, c->until);
	if (r->store != NULL)
		(void)sqlite3_db_status(r->store->db, SQLITE_DBSTATUS_CACHE_SPILL, &now, &most, 0);
	*spills += now;
	if (rc == 0)
		return false;
	if (rc != LK_EFULL)
		rig_wrong(r, "a full disk is called something else: %s", r->err.text);
	if (r->turn != NULL)
		rig_check(r);
	crash_room(-1);
	return true;
}

static void spill_and_finish(const struct course *on, int64_t room, long *times, long *spills)
{
	struct rig r;

	if (spill_at(on, room, &r, spills))
		++*times;
	crash_room(-1);
	finish_and_cut(&r, on);
	if (r.wrong > 0)
		fail_msg("a disk with room for %lld bytes: %s", (long long)room, r.what);
}

/* With a thread that makes checkpoints as well: there is more room for what it brings into the database in time. */
static void the_disk_is_full_and_the_cache_small(void **state)
{
	struct script *script = script_of(first_seed + 3);
	struct course on = course_on(script, false);
	long times = 0, before = -1, beside = 0, spills = 0;
	int64_t enough = 0;

	(void)state;
	for (; times > before; enough = next_room(enough)) {
		before = times;
		spill_and_finish(&on, enough, &times, &spills);
	}
	assert_true(times > 0 && spills > 0);
	on.is_beside = true;
	for (int64_t room = 0; room < enough; room = next_room(room))
		spill_and_finish(&on, room, &beside, &spills);
	assert_true(beside > 0);
	times += beside;
	printf("the disk is full in the middle of a batch that does not fit into memory: %ld times, %ld pages written before their time, 0 lost, nothing half stored\n",
	       times, spills);
	course_free(&on);
	script_free(script);
}

/* ---- A file system that becomes read-only ------------------------------------------------------------------------------ */

/* From the nth step on. Nothing is acknowledged, everything can be read, and it goes on when it can be written. */
static bool freeze_at(const struct course *c, long n, struct rig *r)
{
	int rc;

	*r = rig_for(c);
	r->keeps_all = false;
	crash_load(c->before);
	crash_seed(first_seed + (uint64_t)n);
	crash_arm(CRASH_FROZEN, n);
	rc = go(r, c);
	if (!crash_struck()) {
		rig_close(r);
		return false;
	}
	if (r->turn != NULL && rc != LK_ESYNC)
		rig_check(r);
	if (rc == LK_ESYNC) {
		rig_close(r);
		crash_next_process(n % 2 == 0);
	}
	crash_thaw();
	return true;
}

static void the_disk_becomes_read_only(void **state)
{
	struct script *script = script_of(first_seed + 3);
	struct course on = course_on(script, false);
	struct rig r;
	long times = 0;

	(void)state;
	for (long n = 1; freeze_at(&on, n, &r); n += stride(), times++) {
		finish_and_cut(&r, &on);
		if (r.wrong > 0)
			fail_msg("nothing can be written from step %ld on: %s", n, r.what);
	}
	assert_true(times > 3);
	printf("the file system becomes read-only at %s: %ld times, 0 lost, read all the while\n",
	       how_often(), times);
	course_free(&on);
	script_free(script);
}

/* ---- Rebuilding ---------------------------------------------------------------------------------------------------- */

/* As after a failure in the middle of the small run. */
static struct course course_suspect(const struct script *script, enum doubt doubt)
{
	struct course c = course_on(script, true);
	struct rig r = rig_for(&c);

	crash_load(c.before);
	crash_image_free(c.before);
	assert_int_equal(rig_open(&r), 0);
	store_doubt(r.store, doubt, "a test");
	rig_close(&r);
	c.before = crash_save();
	c.asks_again = true;
	course_learn(&c);
	return c;
}

/* One that the disk does not take is not made twice: over a large store that takes minutes. */
static void a_copy_that_cannot_be_written_is_made_once(void **state)
{
	struct script *script = script_of(first_seed + 4);
	struct course c = course_suspect(script, DOUBT_DAMAGE);
	long failed = 0;

	(void)state;
	for (long n = 1; n < 40; n += 3) {
		struct rig r = rig_for(&c);

		crash_load(c.before);
		crash_arm(CRASH_WRITE, n);
		int rc = rig_open(&r);
		bool has_struck = crash_struck();
		rig_close(&r);
		crash_next_process(false);
		if (has_struck && rc == 0)
			fail_msg("another copy was made where call %ld had failed", n);
		failed += has_struck;
		assert_int_equal(rig_open(&r), 0);
		rig_close(&r);
	}
	assert_true(failed > 5);
	course_free(&c);
	script_free(script);
}

/* The start ends, and the next one that has room begins with a copy of its own. */
static void the_disk_is_full_in_a_rebuild(void **state)
{
	struct script *script = script_of(first_seed + 4);
	struct course c = course_suspect(script, DOUBT_DAMAGE);
	struct rig r;
	long times = 0;

	(void)state;
	for (int64_t room = 0; fill_at(&c, room, &r); room = next_room(room), times++) {
		finish_and_cut(&r, &c);
		if (r.wrong > 0)
			fail_msg("a disk of %lld bytes: %s", (long long)room, r.what);
	}
	assert_true(times > 3);
	printf("the disk is full in a rebuild, %s: %ld times, 0 lost\n", which_rooms(), times);
	course_free(&c);
	script_free(script);
}

static void power_cut_in_a_rebuild(void **state)
{
	struct script *script = script_of(first_seed + 4);
	struct course sync = course_suspect(script, DOUBT_SYNC),
		      damage = course_suspect(script, DOUBT_DAMAGE);
	long n = cut_everywhere(&sync), m = cut_everywhere(&damage);

	(void)state;
	assert_true(n * stride() > 50 && m * stride() > 50);
	printf("power cut at %s of a rebuild: %ld cuts, 0 lost\n", how_often(), n + m);
	course_free(&sync);
	course_free(&damage);
	script_free(script);
}

/* A file as version 1 made it. */
static void make_version_1(void)
{
#define PIECE(name, sql) sql,
	static const char *const pieces[] = { SQL_LINKAGES_1(PIECE) };
	sqlite3 *db;

	assert_int_equal(sqlite3_open(CRASH_DIRECTORY "/linkages.db", &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "BEGIN", NULL, NULL, NULL), SQLITE_OK);
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++)
		assert_int_equal(sqlite3_exec(db, pieces[i], NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(
		sqlite3_exec(db,
			     "PRAGMA application_id = 0x4c4b4442; PRAGMA user_version = 1; COMMIT; "
			     "PRAGMA journal_mode = WAL",
			     NULL, NULL, NULL),
		SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void power_cut_in_a_migration(void **state)
{
	struct script *script = script_of(first_seed + 5);
	struct course c = { .script = script, .until = 2 };
	long n;

	(void)state;
	crash_begin(first_seed);
	make_version_1();
	crash_next_process(false);
	c.before = crash_save();
	course_learn(&c);
	n = cut_everywhere(&c);
	assert_true(n * stride() > 50);
	printf("power cut at %s of a migration and the first batches after it: %ld cuts, 0 lost\n",
	       how_often(), n);
	course_free(&c);
	script_free(script);
}

/* ---- Damage -------------------------------------------------------------------------------------------------------- */

static void meddle_with(const char *sql)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(DATABASE, &db), SQLITE_OK);
	assert_int_equal(notice_table_declare(db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	crash_next_process(false);
}

/* The middle of the small run, closed, with nothing in the log; the scrubber has not rested yet. */
static struct course course_at_rest(const struct script *script)
{
	struct course c = course_on(script, false);

	c.asks_again = true;
	crash_load(c.before);
	crash_image_free(c.before);
	meddle_with("DELETE FROM value WHERE name LIKE 'scrub.%'");
	c.before = crash_save();
	return c;
}

/* One in the middle of whose small run somebody has been told something. */
static struct script *script_that_tells(uint64_t seed, struct course *at_rest)
{
	for (;; seed += 100) {
		struct script *script = script_of(seed);
		struct store_counts counts = { 0 };
		struct rig r;

		*at_rest = course_at_rest(script);
		r = rig_for(at_rest);
		crash_load(at_rest->before);
		assert_int_equal(rig_open(&r), 0);
		assert_int_equal(store_counts(r.store, &counts, &r.err), 0);
		rig_close(&r);
		if (counts.notices >= 3)
			return script;
		course_free(at_rest);
		script_free(script);
	}
}

/* After a rebuild: what the outboxes send again is there again, and the run goes to its end. */
static void finish_with_replay(struct rig *r, const struct course *c)
{
	if (r->turn == NULL && rig_open(r) < 0) {
		rig_wrong(r, "the daemon does not start again: %s", r->err.text);
		return;
	}
	if (rig_replay(r) < 0 || rig_go(r, c->until) < 0)
		rig_wrong(r, "the daemon does not go on: %s", r->err.text);
	rig_close(r);
	if (rig_open(r) < 0) {
		rig_wrong(r, "the daemon does not start a third time: %s", r->err.text);
		return;
	}
	rig_check(r);
	rig_check_compare(r);
	rig_close(r);
}

/* Whoever comes across the damage first says so; every call after that says that the store is in doubt. */
static int idle_until_found(struct rig *r)
{
	int rc = turn_pass(r->turn, r->outside.now, &r->err);

	for (int i = 0; rc != LK_ESYNC && i < 300; i++)
		rc = turn_idle(r->turn, &r->err);
	return rc;
}

static void a_damaged_row_is_found_and_comes_back(void **state)
{
	static const char *const damages[] = {
		"UPDATE event SET body = x'01' WHERE position = (SELECT max(position) FROM event)",
		"UPDATE event SET lag = lag + 1 WHERE position = 1",
		"UPDATE event SET id = 'another' WHERE position = 1",
		"UPDATE family SET state = substr(state, 1, length(state) / 2) WHERE ref = (SELECT min(ref) FROM family)",
		"UPDATE notice SET body = x'01' WHERE number = (SELECT min(number) FROM notice)",
	};
	struct course c;
	struct script *script = script_that_tells(first_seed + 6, &c);
	struct store_rebuild found;

	(void)state;
	for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
		struct rig r = rig_for(&c);

		crash_load(c.before);
		meddle_with(damages[i]);
		assert_int_equal(rig_open(&r), 0);
		if (idle_until_found(&r) != LK_ESYNC)
			fail_msg("not found: %s", damages[i]);
		rig_close(&r);
		assert_int_equal(rig_open(&r), 0);
		store_rebuild_found(r.store, &found);
		assert_int_equal(found.damages, 1);
		assert_string_equal(found.kept, "linkages.db.damaged");
		finish_with_replay(&r, &c);
		if (r.wrong > 0)
			fail_msg("%s: %s", damages[i], r.what);
	}
	printf("a row is damaged; found by the scrubber, set aside, sent again: %zu kinds of damage, 0 lost\n",
	       sizeof(damages) / sizeof(damages[0]));
	course_free(&c);
	script_free(script);
}

/* A process that is killed where several commits wait to reach their families' rows. */
static bool kill_with_changes(struct rig *r, const struct course *c)
{
	bool waits;

	*r = rig_for(c);
	crash_load(c->before);
	assert_int_equal(rig_open(r), 0);
	assert_int_equal(rig_go(r, SMALL_DEEDS - 2), 0);
	waits = r->store->held.log_bytes > 0 && r->store->held.last >= r->store->held.first + 2;
	crash_kill();
	rig_close(r);
	crash_next_process(false);
	return waits;
}

static struct script *script_that_changes(uint64_t seed, struct course *c)
{
	for (;; seed += 100) {
		struct script *script = script_of(seed);
		struct rig r;

		*c = course_small(script);
		c->asks_again = true;
		if (kill_with_changes(&r, c))
			return script;
		course_free(c);
		script_free(script);
	}
}

static void a_damaged_change_is_found_and_comes_back(void **state)
{
	static const char *const damages[] = {
		"UPDATE family_change SET changes = x'01' WHERE number = (SELECT max(number) FROM family_change)",
		"UPDATE family_change SET sum = sum + 1",
		"UPDATE family_change SET changes = x'00' WHERE changes <> x''",
	};
	struct course c;
	struct script *script = script_that_changes(first_seed + 10, &c);
	struct store_rebuild found;

	(void)state;
	for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
		struct rig r;

		(void)kill_with_changes(&r, &c);
		meddle_with(damages[i]);
		if (rig_open(&r) < 0)
			fail_msg("%s: %s", damages[i], r.err.text);
		store_rebuild_found(r.store, &found);
		assert_string_equal(found.kept, "linkages.db.damaged");
		finish_with_replay(&r, &c);
		if (r.wrong > 0)
			fail_msg("%s: %s", damages[i], r.what);
	}
	printf("a change that no row has followed is damaged; found at the start, made good: %zu kinds of damage, 0 lost\n",
	       sizeof(damages) / sizeof(damages[0]));
	course_free(&c);
	script_free(script);
}

/* The database of the middle of the run under the mark of its end. */
static void an_old_copy_is_noticed(void **state)
{
	struct script *script = script_of(first_seed + 7);
	struct course c = course_at_rest(script);
	struct rig r = rig_for(&c);
	struct store_mark mark;

	(void)state;
	crash_load(c.before);
	crash_copy(DATABASE, CRASH_DIRECTORY "/old");
	if (go(&r, &c) < 0)
		fail_msg("on a sound disk: %s", r.err.text);
	crash_copy(CRASH_DIRECTORY "/old", DATABASE);
	assert_int_equal(rig_open(&r), 0);
	store_mark_found(r.store, &mark);
	assert_int_equal(mark.state, MARK_BEHIND);
	finish_with_replay(&r, &c);
	expect_fine(&r);
	printf("an old copy in the place of the database: noticed by its mark, all sent again, 0 lost\n");
	course_free(&c);
	script_free(script);
}

/* What a worker would be shown of a place must be what was told there, or nothing. */
struct showing {
	struct lk_bytes bodies[64];
	int n;
	bool differs;
	const struct showing *right;
};

static int note_shown(void *context, int64_t seq, const void *body, size_t len)
{
	struct showing *s = context;
	const struct lk_bytes *right =
		s->right != NULL && seq <= s->right->n ? &s->right->bodies[seq - 1] : NULL;

	if (s->right != NULL)
		s->differs |=
			right == NULL || right->len != len || memcmp(right->at, body, len) != 0;
	else if (s->n < 64)
		lk_bytes_add(&s->bodies[s->n++], body, len);
	return 0;
}

static int show(struct rig *r, int worker, struct showing *to)
{
	return turn_mailbox(r->turn, lk_text_of(history_worker(worker)), 0, 64, LK_NO_TEXT,
			    r->outside.now, note_shown, to, &r->err);
}

static void showing_clear(struct showing *s)
{
	for (int i = 0; i < s->n; i++)
		lk_bytes_free(&s->bodies[i]);
}

enum found { FOUND_REFUSED, FOUND_NOTICED, FOUND_NOTHING, FOUNDS };

/* A start, a look into every mailbox, and the scrubber, after a bit was flipped. */
static enum found look_after_flip(struct rig *r, struct showing right[HISTORY_WORKERS],
				  bool *differs)
{
	struct store_rebuild rebuilt;
	int rc = rig_open(r);

	if (rc < 0)
		return FOUND_REFUSED;
	store_rebuild_found(r->store, &rebuilt);
	for (int w = 0; rc >= 0 && rebuilt.why[0] == '\0' && w < HISTORY_WORKERS; w++) {
		struct showing now = { .right = &right[w] };

		rc = show(r, w, &now);
		*differs |= now.differs;
	}
	if (rc >= 0)
		rc = idle_until_found(r);
	rig_close(r);
	return rc < 0 || rebuilt.why[0] != '\0' ? FOUND_NOTICED : FOUND_NOTHING;
}

/* A bit of one of its bytes that say something: what is empty may be anything. */
static void flip_one(const char *path, int64_t from, int64_t len, uint64_t seed)
{
	struct dice dice = { seed };
	const uint8_t *bytes = crash_bytes(path);
	int64_t place = dice_from(&dice, 0, (int)len - 1), looked = 0;

	while (bytes[from + place] == 0 && ++looked < len)
		place = (place + 1) % len;
	crash_flip(path, from + place, (unsigned)dice_from(&dice, 0, 7));
}

static void flip_all(const struct course *c, const char *path, int64_t unit, int64_t from,
		     const char *what)
{
	struct showing right[HISTORY_WORKERS] = { 0 };
	struct rig r = rig_for(c);
	long n[FOUNDS] = { 0 }, shown = 0;

	crash_load(c->before);
	assert_int_equal(rig_open(&r), 0);
	for (int w = 0; w < HISTORY_WORKERS; w++)
		assert_true(show(&r, w, &right[w]) >= 0);
	rig_close(&r);
	crash_load(c->before);
	int64_t size = crash_size(path), step = cuts_wanted >= LONG_RUN ? unit : 7 * unit;

	for (int64_t at = from; at < size; at += step) {
		bool differs = false;

		crash_load(c->before);
		flip_one(path, at, unit < size - at ? unit : size - at, first_seed + (uint64_t)at);
		r = rig_for(c);
		n[look_after_flip(&r, right, &differs)]++;
		shown += differs;
	}
	for (int w = 0; w < HISTORY_WORKERS; w++)
		showing_clear(&right[w]);
	if (shown > 0)
		fail_msg("%s: %ld times something else was shown", what, shown);
	assert_true(n[FOUND_REFUSED] + n[FOUND_NOTICED] > 0);
	printf("%s: %ld flips, %ld refused by name at the start, %ld noticed and rebuilt, %ld without effect on what is shown\n",
	       what, n[0] + n[1] + n[2], n[FOUND_REFUSED], n[FOUND_NOTICED], n[FOUND_NOTHING]);
}

static void a_bit_flips(void **state)
{
	struct script *script = script_of(first_seed + 8);
	struct course rest = course_at_rest(script), killed;
	struct rig r;

	(void)state;
	flip_all(&rest, DATABASE, 4096, 0, "a bit flips in every page of the database");
	course_free(&rest);
	killed = course_small(script);
	r = rig_for(&killed);
	crash_load(killed.before);
	assert_int_equal(rig_open(&r), 0);
	assert_int_equal(rig_go(&r, SMALL_DEEDS / 2), 0);
	crash_kill();
	rig_close(&r);
	crash_next_process(false);
	killed.outside = r.outside;
	killed.asks_again = true;
	crash_image_free(killed.before);
	killed.before = crash_save();
	flip_all(&killed, DATABASE "-wal", 4120, 32,
		 "a bit flips in every frame of the write-ahead log");
	course_free(&killed);
	script_free(script);
}

/* In an index a name is followed by the number of its row, and the length of both stands four bytes before it: it is longer from
 * here on, so that the number is looked for behind it. */
static int mislead(const char *name)
{
	const uint8_t *bytes = crash_bytes(DATABASE);
	size_t len = strlen(name);
	int n = 0;

	for (int64_t at = 0; at + (int64_t)len < crash_size(DATABASE); at++)
		if (memcmp(bytes + at, name, len) == 0 && bytes[at + (int64_t)len] > 1 &&
		    bytes[at + (int64_t)len] < 8) {
			crash_flip(DATABASE, at - 4, 4);
			n++;
		}
	return n;
}

/* Which SQLite's own check takes for sound. */
static void an_entry_that_leads_elsewhere_is_made_anew(void **state)
{
	struct script *script = script_of(first_seed + 9);
	struct course c = course_at_rest(script);
	struct rig r = rig_for(&c);

	(void)state;
	crash_load(c.before);
	assert_int_equal(mislead("calsaws"), 1);
	rig_renew(&r);
	assert_int_equal(rig_open(&r), 0);
	assert_true(rig_replay(&r) < 0 || rig_go(&r, c.until) < 0);
	rig_close(&r);
	finish_with_replay(&r, &c);
	expect_fine(&r);
	printf("the index of sources leads to no row: noticed and rebuilt, 0 lost\n");
	course_free(&c);
	script_free(script);
}

/* ---- All at once ---------------------------------------------------------------------------------------------------- */

/* Somewhere in the log, where there is one and the dice say so; else in the database. */
static void flip_anywhere(uint64_t seed)
{
	struct dice dice = { seed };
	bool has_log = crash_size(DATABASE "-wal") > 0;
	const char *path = has_log && dice_percent(&dice, 50) ? DATABASE "-wal" : DATABASE;
	int64_t page = dice_from(&dice, 0, (int)(crash_size(path) / PAGE) - 1);

	flip_one(path, page * PAGE, PAGE, dice_next(&dice));
}

#define STARTS 4 /* that a damage may take until it is found and made good */

/* What is damaged there nobody makes good: 1; negative where it cannot be read. */
static int ledger_is_broken(struct rig *r)
{
	struct ledger_check check = { 0 };
	int more = 1;

	while (more > 0)
		more = store_ledger_check(r->store, &check, 1000, &r->err);
	return more < 0 ? more : check.broken != 0;
}

/* From start to start, until nothing is found any more; or what is damaged is named, and only a backup has it. */
static enum found live_on(struct rig *r, const struct course *c)
{
	enum found found = FOUND_NOTHING;

	for (int i = 0; i < STARTS; i++) {
		struct store_rebuild rebuilt;
		int rc = rig_open(r);

		if (rc < 0 && strstr(r->err.text, "linkages.db is ") != NULL)
			return FOUND_REFUSED;
		if (rc < 0) { /* remembered: the next start makes the store anew */
			found = FOUND_NOTICED;
			continue;
		}
		store_rebuild_found(r->store, &rebuilt);
		rc = rig_replay(r);
		if (rc >= 0)
			rc = rig_go(r, c->until);
		if (rc >= 0)
			rc = idle_until_found(r);
		if (rc >= 0)
			rc = ledger_is_broken(r);
		rig_close(r);
		if (rc > 0)
			return FOUND_REFUSED;
		if (rc < 0 || rebuilt.why[0] != '\0')
			found = FOUND_NOTICED;
		else
			return found;
	}
	return FOUNDS;
}

/* The power went; a bit flips before it comes back; and the publishers start again, too: they say how far they were
 * acknowledged, or their outboxes are new. Nobody has asked for a mailbox yet. */
static enum found begin_again(struct rig *r, const struct course *c, uint64_t seed)
{
	memset(r->outside.mailbox, 0, sizeof(r->outside.mailbox));
	if (seed % 2 == 0)
		rig_renew(r);
	flip_anywhere(seed);

	enum found found = live_on(r, c);

	if (found == FOUND_NOTICED || found == FOUND_NOTHING)
		finish_with_replay(r, c);
	return found;
}

static void begin_again_everywhere(uint64_t seed, long n[FOUNDS])
{
	struct script *script = script_of(seed);
	struct course c = course_on(script, true);
	long step = stride() > 1 ? 11 : 1;
	struct rig r;

	c.asks_again = true;
	for (long at = 1; cut_at(&c, at, seed + (uint64_t)at, &r); at += step) {
		enum found found = begin_again(&r, &c, seed + (uint64_t)at);

		if (found == FOUNDS)
			fail_msg("seed %llu, cut at step %ld: it comes to no end: %s",
				 (unsigned long long)seed, at, r.err.text);
		if (r.wrong > 0)
			fail_msg("seed %llu, cut at step %ld: %s", (unsigned long long)seed, at,
				 r.what);
		n[found]++;
	}
	course_free(&c);
	script_free(script);
}

static void power_cut_bit_flip_and_publishers_anew(void **state)
{
	uint64_t scripts = stride() > 1 ? 1 : 5;
	long n[FOUNDS] = { 0 };

	(void)state;
	for (uint64_t i = 0; i < scripts; i++)
		begin_again_everywhere(first_seed + 9 + i, n);
	assert_true(n[FOUND_NOTICED] > 0 && n[FOUND_NOTHING] > 0);
	printf("power cut, a bit flips, publishers start again: %ld times, %ld refused by name, %ld noticed and made good, %ld without effect, 0 lost\n",
	       n[FOUND_REFUSED] + n[FOUND_NOTICED] + n[FOUND_NOTHING], n[FOUND_REFUSED],
	       n[FOUND_NOTICED], n[FOUND_NOTHING]);
}

/* ---- Files that are not what they should be ------------------------------------------------------------------------ */

static void expect_refused(const struct course *c, const char *words)
{
	struct rig r = rig_for(c);

	assert_true(rig_open(&r) < 0);
	if (strstr(r.err.text, words) == NULL)
		fail_msg("expected '%s', was told '%s'", words, r.err.text);
}

static void files_are_refused_by_name(void **state)
{
	struct script *script = script_of(first_seed + 9);
	struct course c = course_at_rest(script);

	(void)state;
	crash_load(c.before);
	crash_cut_short(DATABASE, 0);
	expect_refused(&c, "linkages.db is empty");
	crash_load(c.before);
	crash_cut_short(DATABASE, 5000);
	expect_refused(&c, "linkages.db is damaged");
	crash_load(c.before);
	crash_copy(CRASH_DIRECTORY "/state.db", DATABASE);
	expect_refused(&c, "linkages.db is foreign");
	crash_load(c.before);
	meddle_with("PRAGMA user_version = 99");
	expect_refused(&c, "linkages.db is newer");
	crash_load(c.before);
	crash_copy(DATABASE, DATABASE "-wal");
	crash_drop(DATABASE);
	expect_refused(&c, "linkages.db is missing, its write-ahead log is there");
	printf("empty, cut short, foreign, newer, missing beside its log: 5 files, each refused by name\n");
	course_free(&c);
	script_free(script);
}

/* ---- The test of the test ------------------------------------------------------------------------------------------ */

static void set_normal(struct rig *r)
{
	assert_int_equal(
		sqlite3_exec(r->store->db, "PRAGMA synchronous = NORMAL", NULL, NULL, NULL), 0);
}

static void set_off(struct rig *r)
{
	assert_int_equal(sqlite3_exec(r->store->db, "PRAGMA synchronous = OFF", NULL, NULL, NULL),
			 0);
}

static void set_lying(struct rig *r)
{
	(void)r;
	crash_lie(true);
}

static void expect_loss(const char *name, meddling *meddle)
{
	long runs = cuts_wanted >= LONG_RUN ? 100 : 3, cuts = 0, lossy = 0;
	char what[160];

	for (uint64_t seed = first_seed; seed < first_seed + (uint64_t)runs; seed++) {
		int wrong = 0;

		crash_begin(seed);
		cuts += play_with_cuts(seed, false, meddle, &wrong, what);
		lossy += wrong > 0;
	}
	assert_true(lossy > 0);
	printf("%s: loss found in %ld of %ld runs, %ld cuts\n", name, lossy, runs, cuts);
}

static void loss_is_found(void **state)
{
	(void)state;
	expect_loss("shown to find loss, synchronous=NORMAL", set_normal);
	expect_loss("shown to find loss, synchronous=OFF", set_off);
	expect_loss("shown to find loss, syncs that lie", set_lying);
}

/* ---- Reading the command line -------------------------------------------------------------------------------------- */

static int take_options(int argc, char **argv)
{
	for (int i = 1; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--seed") == 0)
			first_seed = strtoull(argv[i + 1], NULL, 10);
		else if (strcmp(argv[i], "--cuts") == 0)
			cuts_wanted = strtol(argv[i + 1], NULL, 10);
		else if (strcmp(argv[i], "--only") == 0)
			cmocka_set_test_filter(argv[i + 1]);
		else
			return -1;
	}
	return argc % 2 == 1 ? 0 : -1;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(power_cut_at_every_step),
		cmocka_unit_test(power_cut_in_recovery),
		cmocka_unit_test(random_cuts),
		cmocka_unit_test(random_cuts_beside),
		cmocka_unit_test(a_start_without_state_db_ends_early),
		cmocka_unit_test(a_state_db_that_is_damaged_again_is_left_alone_for_a_while),
		cmocka_unit_test(a_call_fails),
		cmocka_unit_test(a_call_fails_beside),
		cmocka_unit_test(the_disk_is_full),
		cmocka_unit_test(the_disk_is_full_and_the_cache_small),
		cmocka_unit_test(the_disk_becomes_read_only),
		cmocka_unit_test(a_copy_that_cannot_be_written_is_made_once),
		cmocka_unit_test(the_disk_is_full_in_a_rebuild),
		cmocka_unit_test(power_cut_in_a_rebuild),
		cmocka_unit_test(power_cut_in_a_migration),
		cmocka_unit_test(a_damaged_row_is_found_and_comes_back),
		cmocka_unit_test(a_damaged_change_is_found_and_comes_back),
		cmocka_unit_test(an_old_copy_is_noticed),
		cmocka_unit_test(a_bit_flips),
		cmocka_unit_test(an_entry_that_leads_elsewhere_is_made_anew),
		cmocka_unit_test(power_cut_bit_flip_and_publishers_anew),
		cmocka_unit_test(files_are_refused_by_name),
		cmocka_unit_test(loss_is_found),
	};
	struct lk_error err;

	if (take_options(argc, argv) < 0 || policy_load(NULL, &policy, &err) < 0)
		return 2;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
