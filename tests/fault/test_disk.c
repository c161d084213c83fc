/* test_disk.c - the promise on a disk that fails: power cuts, failing syncs and writes, a disk that is full.
 *
 * In: --seed N, --cuts N (random power cuts; some hundreds without). Out: cmocka's verdicts, and a line of figures for each
 * test. Promise: every fault befalls the real store and turn at every call at which it can, in a run that is then played to
 * its end and must leave what an undisturbed run leaves.
 */
#include "rig.h"

#include "policy.h"
#include "store/internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SMALL_DEEDS 14
#define LONG_RUN 2000 /* random cuts from which on every other test is thorough, too */

static struct policy policy;
static uint64_t first_seed = 1;
static long cuts_wanted = 200;

/* ---- One run ------------------------------------------------------------------------------------------------------- */

/* A run from some image of the disk on, and what it must leave. */
struct course {
	const struct script *script;
	struct crash_image *before;
	struct outside outside; /* of the image */
	uint32_t until;
	uint8_t mail[LK_DIGEST];
	long steps, syncs, reads;
};

static struct rig rig_for(const struct course *c)
{
	return (struct rig){
		.script = c->script, .policy = &policy, .outside = c->outside, .keeps_all = true
	};
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

/* Without a fault: what comes of it, and how many calls there are. */
static void course_learn(struct course *c)
{
	struct rig r = rig_for(c);

	crash_load(c->before);
	crash_seed(first_seed);
	if (go(&r, c) < 0)
		fail_msg("on a sound disk: %s", r.err.text);
	c->steps = crash_count(CRASH_WRITE);
	c->syncs = crash_count(CRASH_SYNC);
	c->reads = crash_count(CRASH_READ);
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

	if (rig_open(r) < 0) {
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

/* At every step in a long run, at every thirteenth in a short one. */
static long stride(void)
{
	return cuts_wanted >= LONG_RUN ? 1 : 13;
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
	printf("power cut at every step of making the files, batches, time passing, checkpoint, restart: %ld cuts, 0 lost\n",
	       n);
	printf("power cut at every step after a clean end: %ld cuts, 0 lost\n", m);
	printf("power cut at every step after a power cut, recovery included: %ld cuts, 0 lost\n",
	       o);
	course_free(&whole);
	course_free(&on);
	course_free(&again);
	script_free(script);
}

/* The power goes again at every step of the start after a cut. */
static long cut_recovery(const struct course *c, long at)
{
	struct crash_image *after;
	struct outside outside;
	struct rig r;
	long n = 0, before;

	if (!cut_at(c, at, first_seed + (uint64_t)at, &r))
		return -1;
	outside = r.outside;
	after = crash_save();
	do {
		struct course rest = *c;

		before = n++;
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
	} while (n > before);
	crash_image_free(after);
	return n - 1;
}

static void power_cut_in_recovery(void **state)
{
	struct script *script = script_of(first_seed + 1);
	struct course whole = course_small(script);
	long total = 0, n = 0;

	(void)state;
	for (long at = 1; n >= 0; at += cuts_wanted >= LONG_RUN ? 5 : 300) {
		n = cut_recovery(&whole, at);
		total += n > 0 ? n : 0;
	}
	assert_true(total > 20);
	printf("power cut at every step of recovery from a power cut: %ld cuts, 0 lost\n", total);
	course_free(&whole);
	script_free(script);
}

/* ---- Random cuts --------------------------------------------------------------------------------------------------- */

typedef void meddling(struct rig *r);

/* A whole script; the power goes again and again. Cuts; *wrong: broken promises. */
static long play_with_cuts(uint64_t seed, meddling *meddle, int *wrong, char what[160])
{
	struct script *script = script_roll(seed, &policy);
	struct rig r = { .script = script, .policy = &policy, .keeps_all = meddle == NULL };
	struct dice dice = { seed * 2 + 1 };
	long cuts = 0;

	crash_seed(seed);
	while (r.outside.done < script->deed_n && r.wrong == 0) {
		int rc;

		crash_arm(CRASH_CUT, dice_from(&dice, 1, 200));
		rc = rig_open(&r);
		if (rc == 0 && meddle != NULL)
			meddle(&r);
		if (rc == 0)
			rig_check(&r);
		if (rc == 0)
			rc = rig_go(&r, script->deed_n);
		if (rc < 0 && !crash_struck())
			rig_wrong(&r, "without a cut: %s", r.err.text);
		crash_kill();
		rig_close(&r);
		crash_power();
		cuts++;
	}
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

static void random_cuts(void **state)
{
	long cuts = 0, runs = 0;
	char what[160];

	(void)state;
	for (uint64_t seed = first_seed; cuts < cuts_wanted; seed++, runs++) {
		int wrong = 0;

		crash_begin(seed);
		cuts += play_with_cuts(seed, NULL, &wrong, what);
		if (wrong > 0)
			fail_msg("seed %llu: %s", (unsigned long long)seed, what);
	}
	printf("random power cuts, sectors torn, names lost: %ld cuts in %ld runs, 0 lost\n", cuts,
	       runs);
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
	long runs = cuts_wanted >= LONG_RUN ? 100 : 5, cuts = 0, lossy = 0;
	char what[160];

	for (uint64_t seed = first_seed; seed < first_seed + (uint64_t)runs; seed++) {
		int wrong = 0;

		crash_begin(seed);
		cuts += play_with_cuts(seed, meddle, &wrong, what);
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
		cmocka_unit_test(loss_is_found),
	};
	struct lk_error err;

	if (take_options(argc, argv) < 0 || policy_load(NULL, &policy, &err) < 0)
		return 2;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
