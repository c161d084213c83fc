/* test_roster.c - the table of clients: who is found, who may what, and which tables are refused.
 *
 * In: pieces of YAML with invented keys. Out: cmocka's verdicts.
 * Promise: nobody may do what the table does not say; a table with a mistake is no table.
 */
#include "roster.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Eight groups of five digits; the last digit tells the keys apart. */
#define KEY(digit) "'000000000000000000000000000000000000000" digit "'"

static struct roster *parse(const char *text)
{
	struct roster *roster;
	struct lk_error err;

	if (roster_parse("clients.yaml", text, strlen(text), &roster, &err) < 0)
		fail_msg("%s", err.text);
	return roster;
}

static void assert_refused(const char *text, const char *words)
{
	struct roster *untouched = (struct roster *)(void *)&words, *roster = untouched;
	struct lk_error err = { .code = 0 };

	assert_int_equal(roster_parse("clients.yaml", text, strlen(text), &roster, &err),
			 LK_ECONFIG);
	assert_ptr_equal(roster, untouched);
	if (strstr(err.text, words) == NULL)
		fail_msg("'%s' does not say '%s'", err.text, words);
}

static const struct roster_client *find(const struct roster *roster, const char *name)
{
	return roster_find_name(roster, lk_text_of(name));
}

static const char county[] = "- {name: zeta-feed, key: " KEY(
	"5") ", role: publisher, sources: [cws-cms, cws-cares]}\n"
	     "- name: alpha\n"
	     "  key: " KEY(
		     "3") "\n"
			  "  role: worker\n"
			  "  workers: [garcia, a.b@c_d, cws.liaison]\n"
			  "- {name: gone, key: " KEY(
				  "4") ", role: worker, workers: [garcia], revoked: true}\n"
				       "- {name: ops, key: " KEY(
					       "1") ", role: operator}\n"
						    "- {name: audit, key: " KEY(
							    "2") ", role: auditor, revoked: false}\n";

/* ---- Finding ------------------------------------------------------------------------------------- */

static void clients_are_found_by_key_and_by_name(void **state)
{
	struct roster *roster = parse(county);
	uint8_t nobody[ROSTER_KEY] = { 0 };

	(void)state;
	assert_int_equal(roster_count(roster), 5);
	for (size_t i = 0; i < roster_count(roster); i++) {
		const struct roster_client *client = roster_at(roster, i);

		assert_ptr_equal(roster_find_key(roster, client->key), client);
		assert_ptr_equal(find(roster, client->name), client);
	}
	assert_null(roster_find_key(roster, nobody));
	assert_null(find(roster, "beta"));
	assert_null(find(roster, ""));
	assert_null(roster_find_name(roster, LK_NO_TEXT));
	assert_int_equal(find(roster, "alpha")->line, 2);
	assert_int_equal(find(roster, "audit")->role, ROLE_AUDITOR);
	assert_true(find(roster, "gone")->revoked);
	roster_free(roster);
}

static void empty_table_knows_nobody(void **state)
{
	static const char *const texts[] = { "", "# nobody yet\n", "[]\n" };
	uint8_t key[ROSTER_KEY] = { 0 };
	struct roster *roster;
	struct lk_error err;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		roster = parse(texts[i]);
		assert_int_equal(roster_count(roster), 0);
		assert_null(roster_find_key(roster, key));
		assert_null(find(roster, "alpha"));
		roster_free(roster);
	}
	assert_int_equal(roster_load(NULL, &roster, &err), 0);
	assert_int_equal(roster_count(roster), 0);
	roster_free(roster);
	roster_free(NULL);
}

static void example_file_can_be_loaded(void **state)
{
	struct roster *roster;
	struct lk_error err;

	(void)state;
	if (roster_load(TEST_ROOT "/daemon/clients.yaml", &roster, &err) < 0)
		fail_msg("%s", err.text);
	assert_true(roster_may_speak_for(find(roster, "cws-feed"), LK_TEXT("cws-cares")));
	roster_free(roster);
	assert_int_equal(roster_load(TEST_ROOT "/daemon/no-such.yaml", &roster, &err),
			 LK_ENOTFOUND);
}

/* ---- Rights -------------------------------------------------------------------------------------- */

static void a_publisher_speaks_for_its_sources_only(void **state)
{
	struct roster *roster = parse(county);
	const struct roster_client *feed = find(roster, "zeta-feed");

	(void)state;
	assert_true(roster_may_speak_for(feed, LK_TEXT("cws-cms")));
	assert_true(roster_may_speak_for(feed, LK_TEXT("cws-cares")));
	assert_false(roster_may_speak_for(feed, LK_TEXT("calsaws")));
	assert_false(roster_may_speak_for(feed, LK_TEXT("cws")));
	assert_false(roster_may_speak_for(feed, LK_TEXT("cws-cms2")));
	assert_false(roster_may_speak_for(feed, LK_TEXT("CWS-CMS")));
	assert_false(roster_may_speak_for(feed, LK_TEXT("")));
	assert_false(roster_may_speak_for(feed, LK_NO_TEXT));
	assert_false(roster_may_speak_for(feed, (struct lk_text){ "cws-cms\0x", 9 }));
	assert_false(roster_may_read(feed, LK_TEXT("garcia")));
	roster_free(roster);
}

static void a_worker_client_reads_its_workers_only(void **state)
{
	struct roster *roster = parse(county);
	const struct roster_client *desk = find(roster, "alpha");

	(void)state;
	assert_true(roster_may_read(desk, LK_TEXT("garcia")));
	assert_true(roster_may_read(desk, LK_TEXT("a.b@c_d")));
	assert_true(roster_may_read(desk, LK_TEXT("cws.liaison")));
	assert_false(roster_may_read(desk, LK_TEXT("garci")));
	assert_false(roster_may_read(desk, LK_TEXT("okafor")));
	assert_false(roster_may_speak_for(desk, LK_TEXT("cws-cms")));
	roster_free(roster);
}

static void a_star_reads_every_worker(void **state)
{
	struct roster *roster = parse("- {name: desk, key: " KEY(
		"1") ", role: worker, workers: ['*']}\n"
		     "- {name: old, key: " KEY(
			     "2") ", role: worker, workers: ['*'], revoked: true}\n"
				  "- {name: one, key: " KEY(
					  "3") ", role: worker, workers: [garcia]}\n");

	(void)state;
	assert_true(roster_may_read(find(roster, "desk"), LK_TEXT("garcia")));
	assert_true(roster_may_read(find(roster, "desk"), LK_TEXT("okafor")));
	assert_false(roster_may_speak_for(find(roster, "desk"), LK_TEXT("cws-cms")));
	assert_false(roster_may_read(find(roster, "old"), LK_TEXT("garcia")));
	assert_true(roster_reads_all(find(roster, "desk")));
	assert_false(roster_reads_all(find(roster, "one")));
	roster_free(roster);
	assert_refused("- {name: a, key: " KEY("1") ", role: worker, workers: ['*', b]}",
		       "stands alone");
	assert_refused("- {name: a, key: " KEY("1") ", role: worker, workers: [b*]}",
		       "stands alone");
	assert_refused("- {name: a, key: " KEY("1") ", role: publisher, sources: ['*']}",
		       "letters, digits");
}

static void others_may_neither(void **state)
{
	static const char *const names[] = { "ops", "audit", "gone", "nobody" };
	struct roster *roster = parse(county);

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_false(roster_may_read(find(roster, names[i]), LK_TEXT("garcia")));
		assert_false(roster_may_speak_for(find(roster, names[i]), LK_TEXT("cws-cms")));
	}
	assert_true(roster_has_role(find(roster, "ops"), ROLE_OPERATOR));
	assert_false(roster_has_role(find(roster, "ops"), ROLE_AUDITOR));
	assert_false(roster_has_role(find(roster, "gone"), ROLE_WORKER));
	assert_false(roster_has_role(NULL, ROLE_PUBLISHER));
	assert_string_equal(roster_role_word(ROLE_WORKER), "worker");
	roster_free(roster);
}

/* Two thousand clients of a county: all are found, each reads its own. */
static void large_tables_are_searched_too(void **state)
{
	enum { CLIENTS = 2000 };
	size_t room = CLIENTS * 120, len = 0;
	char *text = test_malloc(room), worker[20], z85[ROSTER_KEY_TEXT];
	struct roster *roster;

	(void)state;
	for (unsigned i = 0; i < CLIENTS; i++) {
		uint8_t key[ROSTER_KEY] = {
			[3] = (uint8_t)(i * 37), [7] = (uint8_t)(i >> 8), [11] = (uint8_t)i
		};

		roster_key_print(key, z85);
		len += (size_t)snprintf(text + len, room - len,
					"- {name: c%u, key: '%s', role: worker, workers: [w%u]}\n",
					i, z85, i);
	}
	roster = parse(text);
	for (unsigned i = 0; i < CLIENTS; i++) {
		(void)snprintf(worker, sizeof(worker), "c%u", i);
		const struct roster_client *client = find(roster, worker);

		assert_non_null(client);
		assert_ptr_equal(roster_find_key(roster, client->key), client);
		worker[0] = 'w';
		assert_true(roster_may_read(client, lk_text_of(worker)));
		assert_false(roster_may_read(client, LK_TEXT("w")));
	}
	roster_free(roster);
	test_free(text);
}

/* ---- Keys ---------------------------------------------------------------------------------------- */

static void keys_are_z85(void **state)
{
	uint8_t key[ROSTER_KEY], back[ROSTER_KEY];
	char text[ROSTER_KEY_TEXT];

	(void)state;
	for (unsigned seed = 0; seed < 256; seed++) {
		for (size_t i = 0; i < sizeof(key); i++)
			key[i] = (uint8_t)(seed * 31 + i * 7 + seed * i);
		roster_key_print(key, text);
		assert_int_equal(strlen(text), 40);
		assert_int_equal(roster_key_parse(lk_text_of(text), back), 0);
		assert_memory_equal(key, back, sizeof(key));
	}
	memset(key, 0xff, sizeof(key));
	roster_key_print(key, text);
	assert_string_equal(text, "%nSc0%nSc0%nSc0%nSc0%nSc0%nSc0%nSc0%nSc0");
}

static void what_is_no_key_is_refused(void **state)
{
	static const char *const wrong[] = {
		"",
		"000000000000000000000000000000000000000",
		"00000000000000000000000000000000000000000",
		"000000000000000000000000000000000000000~",
		"000000000000000000000000000000000000 000",
		"%nSc100000000000000000000000000000000000",
		"#####00000000000000000000000000000000000",
	};
	uint8_t key[ROSTER_KEY] = { 7 };

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(roster_key_parse(lk_text_of(wrong[i]), key), -1);
	assert_int_equal(roster_key_parse(LK_NO_TEXT, key), -1);
	assert_int_equal(key[0], 7);
}

/* ---- Refusals ------------------------------------------------------------------------------------ */

static void two_alike_are_refused(void **state)
{
	(void)state;
	assert_refused("- {name: a, key: " KEY("1") ", role: operator}\n"
						    "- {name: b, key: " KEY(
							    "2") ", role: operator}\n"
								 "- {name: a, key: " KEY(
									 "3") ", role: auditor}\n",
		       "clients.yaml:3: 'a': its name is that of 'a' on line 1");
	assert_refused(
		"- {name: b, key: " KEY("1") ", role: operator}\n"
					     "- {name: a, key: " KEY(
						     "1") ", role: operator, revoked: true}\n",
		"clients.yaml:2: 'a': its key is that of 'b' on line 1");
}

static void roles_have_what_they_need(void **state)
{
	(void)state;
	assert_refused("- {name: a, key: " KEY("1") ", role: publisher}",
		       "'a': a publisher, and nobody else");
	assert_refused("- {name: a, key: " KEY("1") ", role: operator, sources: [x]}",
		       "a publisher, and nobody");
	assert_refused("- {name: a, key: " KEY("1") ", role: worker}",
		       "a worker client, and nobody else");
	assert_refused("- {name: a, key: " KEY("1") ", role: auditor, workers: [x]}",
		       "a worker client, and");
	assert_refused("- {name: a, key: " KEY("1") ", role: worker, workers: []}", "at least one");
	assert_refused("- {name: a, key: " KEY("1") ", role: worker, workers: [b, a, b]}",
		       "has 'b' twice");
	assert_refused("- {name: a, key: " KEY("1") ", role: publisher, sources: [b@c]}",
		       "letters, digits");
	assert_refused("- {name: a, key: " KEY("1") ", role: worker, workers: [a b]}",
		       "clients.yaml:1:86: [1].workers[1]: may have letters, digits");
}

static void complaints_name_the_place(void **state)
{
	(void)state;
	assert_refused("- {name: a, key: " KEY("1") "}",
		       "clients.yaml:1:3: [1]: 'role' is missing");
	assert_refused("- {name: a, role: operator}", "'key' is missing");
	assert_refused("- {key: " KEY("1") ", role: operator}", "'name' is missing");
	assert_refused("- name: a\n  key: short\n",
		       "clients.yaml:2:8: [1].key: must be a public key");
	assert_refused("- name: a\n  roll: operator\n",
		       "[1].roll: no such key; did you mean 'role'?");
	assert_refused("- {name: a, key: " KEY("1") ", role: king}",
		       "must be one of: publisher, worker, operator, auditor");
	assert_refused("- {name: 'a b', key: " KEY("1") ", role: operator}", "letters, digits");
	assert_refused("- {name: a, key: " KEY("1") ", role: operator, revoked: maybe}",
		       "true or false");
	assert_refused("name: a\n", "clients.yaml:1:1: must be a list");
	assert_refused("- a\n", "[1]: must be a mapping");
	assert_refused("- {name: a, key: [}\n", "not YAML");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clients_are_found_by_key_and_by_name),
		cmocka_unit_test(empty_table_knows_nobody),
		cmocka_unit_test(example_file_can_be_loaded),
		cmocka_unit_test(a_publisher_speaks_for_its_sources_only),
		cmocka_unit_test(a_worker_client_reads_its_workers_only),
		cmocka_unit_test(a_star_reads_every_worker),
		cmocka_unit_test(others_may_neither),
		cmocka_unit_test(large_tables_are_searched_too),
		cmocka_unit_test(keys_are_z85),
		cmocka_unit_test(what_is_no_key_is_refused),
		cmocka_unit_test(two_alike_are_refused),
		cmocka_unit_test(roles_have_what_they_need),
		cmocka_unit_test(complaints_name_the_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
