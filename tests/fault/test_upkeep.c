/* test_upkeep.c - what operators do to a store, on a disk that fails: a backup, a restore, an expunction.
 *
 * In: --seed N, --cuts N (2,000 or more: every step of each work; fewer: one of a few). Out: cmocka's verdicts, and a line of
 * figures for each test. Promise: every fault befalls each work at every call at which it can; afterwards there is the old
 * store or the new one, a backup that is called one is one, and what was expunged does not come back.
 */
#include "rig.h"

#include "engine/told.h"
#include "policy.h"
#include "store/internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define IN_STORE(name) CRASH_DIRECTORY "/" name
#define SAVED IN_STORE("saved") /* where the operator keeps the backup */
#define KEPT IN_STORE("linkages.db.before-1000")
#define DEEDS 24
#define LONG_RUN 2000

static struct policy policy;
static uint64_t first_seed = 1;
static bool is_long;

/* ---- A work, and where it begins ----------------------------------------------------------------------------------- */

struct work {
	const char *name;
	int (*run)(struct rig *r); /* from a start of the daemon to its end */
	void (*look)(struct rig *r,
		     bool is_done); /* after the fault; what is wrong goes to rig_wrong() */
	int stride;                 /* of a short run */
};

static struct script *script;
static struct crash_image *before;
static struct outside outside;      /* of that image */
static uint8_t identity[LK_DIGEST]; /* of its store */
static struct ledger_head head;     /* and where its ledger ends */
static struct gone family[16];      /* cases of the family that is expunged */
static size_t family_n;
static long counted[8]; /* what the looks saw */

static struct rig rig_now(void)
{
	return (struct rig){
		.script = script, .policy = &policy, .outside = outside, .keeps_all = true
	};
}

static void must_be(int rc, const struct lk_error *err, const char *what)
{
	if (rc < 0)
		fail_msg("%s on a sound disk: %s", what, err->text);
}

static void must_go(struct rig *r, uint32_t until)
{
	if (r->turn == NULL)
		must_be(rig_open(r), &r->err, "opening");
	must_be(rig_go(r, until), &r->err, "going on");
}

static uint32_t middle(void)
{
	return script->deed_n - 8;
}

static void script_make(uint64_t seed)
{
	script = script_roll(seed, &policy);
	while (script->deed_n < DEEDS) {
		script_free(script);
		script = script_roll(seed += 1000, &policy);
	}
	crash_begin(seed);
	memset(&outside, 0, sizeof(outside));
	memset(counted, 0, sizeof(counted));
	family_n = 0;
}

/* Ended as it should, or by a power cut. */
static void image_make(struct rig *r, bool is_cut)
{
	must_go(r, middle());
	memcpy(identity, r->store->identity, LK_DIGEST);
	store_ledger_head(r->store, &head);
	if (is_cut)
		crash_kill();
	rig_close(r);
	if (is_cut)
		crash_power();
	outside = r->outside;
	before = crash_save();
}

static void image_free(void)
{
	crash_image_free(before);
	script_free(script);
	crash_end();
}

/* ---- As linkages-ctl proves a file --------------------------------------------------------------------------------- */

static int prove_all(struct store *s, const struct ledger_head *known, struct lk_error *err)
{
	struct store_check check = { 0 };
	struct ledger_check ledger = { .known = known, .known_n = known != NULL };
	int rc = store_integrity(s, NULL, NULL, err), more = 1;

	while (rc == 0 && (more = store_check(s, &check, 4000, err)) > 0)
		continue;
	while (rc == 0 && more == 0 && (more = store_ledger_check(s, &ledger, 4000, err)) > 0)
		more = 0;
	if (rc < 0 || more < 0 || check.damages > 0 || ledger.broken != 0)
		return LK_EREFUSED;
	return 0;
}

/* 0: sound, and its head is *known, where one is given. */
static int prove(const char *path, const struct ledger_head *known)
{
	const struct store_options options = { .file = path };
	struct lk_error err = { 0 };
	struct store *s = NULL;
	int rc = store_open(&options, &s, &err);

	if (rc == 0)
		rc = prove_all(s, known, &err);
	store_close(s);
	return rc;
}

/* ---- Faults -------------------------------------------------------------------------------------------------------- */

static const char *const faults[] = { [CRASH_CUT] = "power cut",
				      [CRASH_SYNC] = "a sync fails",
				      [CRASH_WRITE] = "a write or renaming fails" };

/* The nth call fails, or the power goes in it. False: there are not so many. */
static bool strike(const struct work *w, enum crash_fault fault, long n, struct rig *r)
{
	int rc;

	*r = rig_now();
	crash_load(before);
	crash_seed(first_seed + (uint64_t)n);
	crash_arm(fault, n);
	rc = w->run(r);
	bool has_struck = crash_struck();

	if (fault == CRASH_CUT)
		crash_kill();
	rig_close(r);
	if (!has_struck)
		return false;
	if (fault == CRASH_CUT)
		crash_power();
	else
		crash_next_process(n % 2 == 0);
	r->keeps_all = fault == CRASH_CUT;
	w->look(r, rc == 0);
	rig_close(r);
	return true;
}

static long strike_everywhere(const struct work *w, enum crash_fault fault)
{
	struct rig r;
	long times = 0, step = is_long ? 1 : fault == CRASH_SYNC ? 3 : w->stride;

	for (long n = 1; strike(w, fault, n, &r); n += step, times++)
		if (r.wrong > 0)
			fail_msg("%s, %s at call %ld: %s", w->name, faults[fault], n, r.what);
	assert_true(times > 2);
	return times;
}

static void try_all(const struct work *w, const char *promise)
{
	for (enum crash_fault fault = CRASH_CUT; fault <= CRASH_WRITE; fault++)
		printf("%s at %s of %s: %ld times, %s\n", faults[fault],
		       is_long ? "every step" : "some steps", w->name, strike_everywhere(w, fault),
		       promise);
}

/* ---- Backup -------------------------------------------------------------------------------------------------------- */

/* The operator's part, when the daemon says that a copy is there. */
static int bring_home(struct rig *r, const struct stored_backup *made)
{
	if (prove(IN_STORE("backup.db"), &made->head) < 0)
		rig_wrong(r, "the daemon calls a copy whole that is not sound");
	crash_copy(IN_STORE("backup.db"), SAVED);
	return store_backup_verified(r->store, made->number, LK_TEXT(SAVED), outside.now, &r->err);
}

/* A copy does not outlive the daemon that makes it. */
static uint32_t before_a_restart(const struct rig *r, uint32_t until)
{
	uint32_t i = r->outside.done;

	while (i < until && script->deed[i].kind != DEED_RESTART)
		i++;
	return i < until ? i : until;
}

/* While it is made, the store goes on. */
static int backup_all(struct rig *r, uint32_t until)
{
	struct stored_backup made;
	struct store_backup *b;
	int rc = store_backup_begin(r->store, &b, &r->err);

	if (rc < 0)
		return rc;
	rc = store_backup_step(b, &r->err);
	if (rc > 0 && (rc = rig_go(r, before_a_restart(r, until))) == 0)
		while ((rc = store_backup_step(b, &r->err)) > 0)
			continue;
	if (rc == 0)
		rc = store_backup_finish(b, outside.now, &made, &r->err);
	store_backup_end(b);
	return rc == 0 ? bring_home(r, &made) : rc;
}

static int run_backup(struct rig *r)
{
	int rc = rig_open(r);

	return rc == 0 ? backup_all(r, middle() + 2) : rc;
}

static int note_verified(void *context, const struct stored_backup *backup)
{
	struct stored_backup *last = context;

	if (backup->verified_at != LK_NO_INSTANT)
		*last = *backup;
	return 0;
}

/* Outboxes may forget what a verified backup holds: it must be there, and hold that. */
static void look_at_list(struct rig *r)
{
	const struct store_options options = { .file = SAVED };
	struct stored_backup last = { 0 };
	struct store *s = NULL;

	if (store_backups(r->store, note_verified, &last, &r->err) < 0)
		rig_wrong(r, "the list of backups cannot be read: %s", r->err.text);
	if (last.number == 0)
		return;
	counted[0]++;
	if (prove(SAVED, NULL) < 0 || store_open(&options, &s, &r->err) < 0) {
		rig_wrong(r, "a backup is listed as verified and is none");
		return;
	}
	if (s->tips.position < last.position)
		rig_wrong(r, "a verified backup holds less than the list says");
	store_close(s);
}

/* A file that is half of one must not pass for one, whatever it is called. */
static void look_at_copies(struct rig *r)
{
	if (crash_size(IN_STORE("backup.db")) >= 0 && prove(IN_STORE("backup.db"), NULL) < 0)
		rig_wrong(r, "a half backup has the name of a whole one");
	if (crash_size(IN_STORE("backup.db.part")) < 0)
		return;
	counted[1]++;
	if (prove(IN_STORE("backup.db.part"), NULL) < 0)
		counted[2]++;
}

static void look_after_backup(struct rig *r, bool is_done)
{
	(void)is_done;
	look_at_copies(r);
	if (rig_open(r) < 0) {
		rig_wrong(r, "the daemon does not start again: %s", r->err.text);
		return;
	}
	rig_check(r);
	look_at_list(r);
	if (backup_all(r, middle() + 2) < 0 || rig_go(r, script->deed_n) < 0)
		rig_wrong(r, "it cannot be done again: %s", r->err.text);
	rig_check(r);
	look_at_list(r);
}

/* More than a backup copies in its first step. */
static void fill_up(struct rig *r)
{
	char name[64];

	must_go(r, middle());
	must_be(store_begin(r->store, &r->err), &r->err, "beginning");
	for (int i = 0; i < 6000; i++) {
		(void)snprintf(name, sizeof(name), "a value that takes room, number %d", i);
		must_be(store_value_put(r->store, name, i, &r->err), &r->err, "filling");
	}
	must_be(store_commit(r->store, &r->err), &r->err, "committing");
}

static void a_backup(void **state)
{
	static const struct work work = { "a backup", run_backup, look_after_backup, 23 };
	struct rig r;

	(void)state;
	script_make(first_seed);
	r = rig_now();
	fill_up(&r);
	image_make(&r, false);
	try_all(&work, "0 lost, no half of one in the place of a whole one");
	assert_true(counted[0] > 0 && counted[1] > 0);
	printf("copies that were cut short: %ld, of which %ld refused by the check, %ld complete\n",
	       counted[1], counted[2], counted[1] - counted[2]);
	image_free();
}

/* ---- Restore ------------------------------------------------------------------------------------------------------- */

static int restore_at(struct rig *r, lk_instant at)
{
	const struct store_restore order = { .directory = CRASH_DIRECTORY,
					     .file = SAVED,
					     .at = at };

	return store_restore(&order, &r->err);
}

static int run_restore(struct rig *r)
{
	return restore_at(r, 1000 * LK_SECOND);
}

/* What came after the backup comes from the outboxes. */
static void finish_restored(struct rig *r)
{
	struct store_rebuild rebuilt;

	counted[1]++;
	r->keeps_all = false;
	store_rebuild_found(r->store, &rebuilt);
	if (rebuilt.why[0] != '\0')
		rig_wrong(r, "a restored store is in doubt: %s", rebuilt.why);
	if (rig_replay(r) < 0 || rig_go(r, script->deed_n) < 0)
		rig_wrong(r, "the restored store does not go on: %s", r->err.text);
	rig_check(r);
	rig_check_compare(r);
}

static void look_at_kept(struct rig *r)
{
	if (prove(KEPT, &head) < 0)
		rig_wrong(r, "the old store was not kept as it was");
}

static void look_after_restore(struct rig *r, bool is_done)
{
	int rc = rig_open(r);

	if (rc == 0 && memcmp(r->store->identity, identity, LK_DIGEST) == 0) {
		counted[0]++;
		if (is_done)
			rig_wrong(r, "the old store is there, though it was called restored");
		rig_check(r);
		rig_close(r);
		if (restore_at(r, 1001 * LK_SECOND) < 0)
			rig_wrong(r, "it cannot be restored again: %s", r->err.text);
		rc = rig_open(r);
	} else if (rc == 0) {
		look_at_kept(r);
	}
	if (rc < 0)
		rig_wrong(r, "there is neither the old store nor the restored one: %s",
			  r->err.text);
	else
		finish_restored(r);
}

static void restore_from(bool is_cut)
{
	static const struct work clean = { "a restore", run_restore, look_after_restore, 13 },
				 cut = { "a restore over a store that was cut off", run_restore,
					 look_after_restore, 17 };
	struct rig r;

	script_make(first_seed + 1);
	r = rig_now();
	must_go(&r, middle() / 2);
	must_be(backup_all(&r, middle() / 2 + 1), &r.err, "a backup");
	image_make(&r, is_cut);
	try_all(is_cut ? &cut : &clean, "the old store or the restored one, 0 lost");
	assert_true(counted[0] > 0 && counted[1] > counted[0]);
	image_free();
}

static void a_restore(void **state)
{
	(void)state;
	restore_from(false);
	restore_from(true);
}

/* ---- Expunction ---------------------------------------------------------------------------------------------------- */

static struct case_key key_of(const struct gone *g)
{
	return (struct case_key){ g->agency, lk_text_of(g->number) };
}

static int note_case(void *context, struct case_key key)
{
	(void)context;
	family[family_n].agency = key.agency;
	(void)snprintf(family[family_n++].number, sizeof(family[0].number), "%.*s",
		       LK_PRINT(key.number));
	return family_n == sizeof(family) / sizeof(family[0]);
}

/* The family of the first case that an agency opened. */
static void choose_family(struct rig *r)
{
	const struct case_key first = { LK_CWS, LK_TEXT("C-1") };
	uint8_t id[LK_DIGEST];

	assert_int_equal(store_case_family(r->store, first, id, &r->err), 1);
	must_be(store_family_cases(r->store, id, note_case, NULL, &r->err), &r->err, "looking");
	assert_true(family_n > 0);
}

static int expunge_all(struct rig *r)
{
	const struct ledger_row order = { .at = outside.now,
					  .worker = LK_TEXT("auditor"),
					  .level = LK_OWN,
					  .basis = LK_TEXT("expunged: order 7") };
	struct turn_expunging *x;
	int rc = turn_expunge(r->turn, key_of(&family[0]), LK_TEXT("order"), &x, &r->err);

	if (rc < 0)
		return rc;
	while ((rc = turn_expunge_step(x, &order, &r->err)) > 0)
		continue;
	turn_expunge_end(x);
	return rc;
}

static int run_expunge(struct rig *r)
{
	int rc = rig_open(r);

	if (rc == 0)
		rc = expunge_all(r);
	if (rc == 0)
		rc = store_vacuum(r->store, &r->err);
	return rc;
}

/* That the bytes are gone from the files is test_keep.py's to see: these numbers are too short to be told from chance. */
static int note_shown(void *context, int64_t seq, const void *body, size_t len)
{
	bool *found = context;
	char value[20];

	(void)seq;
	for (size_t i = 0; i < family_n; i++) {
		int n = snprintf(value, sizeof(value), "%c%s",
				 (char)(0xa0 | strlen(family[i].number)), family[i].number);

		*found |= memmem(body, len, value, (size_t)n) != NULL;
	}
	return 0;
}

static bool is_shown(struct rig *r)
{
	bool found = false;

	for (int w = 0; w < HISTORY_WORKERS; w++)
		if (turn_mailbox(r->turn, lk_text_of(history_worker(w)), 0, 1000, LK_NO_TEXT,
				 r->outside.now, note_shown, &found, &r->err) < 0)
			rig_wrong(r, "a mailbox cannot be shown: %s", r->err.text);
	return found;
}

static bool is_gone(int agency, struct lk_text number)
{
	for (size_t i = 0; i < family_n; i++)
		if (family[i].agency == agency && lk_text_says(number, family[i].number))
			return true;
	return false;
}

static int look_at_told(void *context, const struct stored_family *row)
{
	struct rig *r = context;
	struct tolds told = { .n = 0 };

	must_be(tolds_unpack(row->told, row->told_len, &told, &r->err), &r->err, "unpacking");
	for (uint32_t i = 0; i < told.n; i++) {
		const struct told *t = &told.at[i];

		if (is_gone(t->side, words_text(&told.words, t->own)) ||
		    is_gone(1 - t->side, words_text(&told.words, t->other)))
			rig_wrong(r,
				  "a family has a record of what it was told of an expunged case");
	}
	tolds_free(&told);
	return 0;
}

static int look_at_family(void *context, const uint8_t id[LK_DIGEST], lk_instant wake_at)
{
	struct rig *r = context;

	(void)wake_at;
	return store_family_get(r->store, id, look_at_told, r, &r->err) < 0 ? LK_ESTORE : 0;
}

/* Numbers of rows that have gone are given again: whatever still says one would mean another case. SQL calls NULL not
 * in a table that is empty. */
static const char *const pointers[] = {
	"SELECT count(*) FROM link WHERE one NOT IN (SELECT ref FROM agency_case) OR other NOT IN (SELECT ref FROM agency_case)",
	"SELECT count(*) FROM token WHERE case_ref NOT IN (SELECT ref FROM agency_case)",
	"SELECT count(*) FROM event_case WHERE case_ref > 0 AND case_ref NOT IN (SELECT ref FROM agency_case)",
	"SELECT count(*) FROM aged WHERE (own_case > 0 AND own_case NOT IN (SELECT ref FROM agency_case)) OR (other_case > 0 AND other_case NOT IN (SELECT ref FROM agency_case))",
	"SELECT count(*) FROM notice WHERE (own_case > 0 AND own_case NOT IN (SELECT ref FROM agency_case)) OR (other_case > 0 AND other_case NOT IN (SELECT ref FROM agency_case))",
	"SELECT count(*) FROM calendar WHERE family NOT IN (SELECT id FROM family)",
	"SELECT count(*) FROM dirty WHERE ref NOT IN (SELECT ref FROM family)",
	"SELECT count(*) FROM agency_case WHERE family > x'' AND family NOT IN (SELECT id FROM family)",
};

static void look_for_pointers(struct rig *r)
{
	for (size_t i = 0; i < sizeof(pointers) / sizeof(pointers[0]); i++) {
		sqlite3_stmt *count = NULL;

		assert_int_equal(sqlite3_prepare_v2(r->store->db, pointers[i], -1, &count, NULL),
				 SQLITE_OK);
		if (sqlite3_step(count) != SQLITE_ROW || sqlite3_column_int64(count, 0) != 0)
			rig_wrong(r, "rows say what is not there: %s", pointers[i]);
		(void)sqlite3_finalize(count);
	}
}

static void look_for_family(struct rig *r)
{
	uint8_t id[LK_DIGEST];

	look_for_pointers(r);
	must_be(store_families_after(r->store, NULL, 1000, look_at_family, r, &r->err), &r->err,
		"looking");

	for (size_t i = 0; i < family_n; i++)
		if (store_case_family(r->store, key_of(&family[i]), id, &r->err) != 0)
			rig_wrong(r, "an expunged case is there again");
	if (is_shown(r))
		rig_wrong(r, "a worker is shown an expunged case");
}

/* It is known as expunged: the order is given again and ends, and its outboxes bring nothing back. */
static void finish_expunged(struct rig *r)
{
	counted[1]++;
	if (expunge_all(r) < 0)
		rig_wrong(r, "it cannot be expunged again: %s", r->err.text);
	r->gone = family;
	r->gone_n = family_n;
	look_for_family(r);
	rig_check(r);
	rig_renew(r);
	if (rig_replay(r) < 0 || rig_go(r, script->deed_n) < 0)
		rig_wrong(r, "the store does not go on: %s", r->err.text);
	look_for_family(r);
	rig_check(r);
	rig_check_compare(r);
}

static void look_after_expunge(struct rig *r, bool is_done)
{
	if (rig_open(r) < 0) {
		rig_wrong(r, "the daemon does not start again: %s", r->err.text);
		return;
	}
	if (store_is_expunged(r->store, key_of(&family[0]))) {
		finish_expunged(r);
		return;
	}
	counted[0]++;
	if (is_done)
		rig_wrong(r, "what was called expunged is not");
	rig_check(r);
}

static void an_expunction(void **state)
{
	static const struct work work = { "an expunction", run_expunge, look_after_expunge, 37 };
	struct rig r;

	(void)state;
	for (uint64_t seed = first_seed + 2;; seed += 100) {
		script_make(seed);
		r = rig_now();
		must_go(&r, middle());
		choose_family(&r);
		if (is_shown(&r))
			break;
		rig_close(&r);
		script_free(script);
	}
	image_make(&r, false);
	try_all(&work, "0 lost of others, nothing comes back");
	assert_true(counted[0] > 0 && counted[1] > 0);
	image_free();
}

/* ---- Reading the command line -------------------------------------------------------------------------------------- */

static int take_options(int argc, char **argv)
{
	for (int i = 1; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--seed") == 0)
			first_seed = strtoull(argv[i + 1], NULL, 10);
		else if (strcmp(argv[i], "--cuts") == 0)
			is_long = strtol(argv[i + 1], NULL, 10) >= LONG_RUN;
		else
			return -1;
	}
	return argc % 2 == 1 ? 0 : -1;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_backup),
		cmocka_unit_test(a_restore),
		cmocka_unit_test(an_expunction),
	};
	struct lk_error err;

	if (take_options(argc, argv) < 0 || policy_load(NULL, &policy, &err) < 0)
		return 2;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
