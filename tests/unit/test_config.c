/* test_config.c - one daemon's configuration: its defaults, its paths, its addresses, and what is refused.
 *
 * In: pieces of YAML, an environment made by the test. Out: cmocka's verdicts.
 * Promise: without a file nobody outside can reach the daemon; a refusal names its place and changes nothing.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const char *const variables[] = { "STATE_DIRECTORY", "RUNTIME_DIRECTORY", "XDG_STATE_HOME",
					 "XDG_RUNTIME_DIR" };

/* A person's login without anything set. */
static int bare_environment(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
		(void)unsetenv(variables[i]);
	return setenv("HOME", "/home/clerk", 1);
}

static struct config parse(const char *name, const char *text)
{
	struct config config;
	struct lk_error err;

	if (config_parse(name, text, strlen(text), &config, &err) < 0)
		fail_msg("%s", err.text);
	return config;
}

static void assert_refused(const char *text, const char *words)
{
	struct config config, before;
	struct lk_error err = { .code = 0 };

	memset(&config, 0x5a, sizeof(config));
	memcpy(&before, &config, sizeof(config));
	assert_int_equal(config_parse("/etc/linkages/daemon.yaml", text, strlen(text), &config,
				      &err),
			 LK_ECONFIG);
	assert_int_equal(err.code, LK_ECONFIG);
	assert_memory_equal(&config, &before, sizeof(config));
	if (strstr(err.text, words) == NULL)
		fail_msg("'%s' does not say '%s'", err.text, words);
}

/* ---- Defaults ------------------------------------------------------------------------------------ */

static void assert_source(const struct config *config, const char *name, int agency)
{
	const struct config_source *source = config_find_source(config, lk_text_of(name));

	assert_non_null(source);
	assert_int_equal(source->agency, agency);
	assert_false(source->dense);
	assert_true(source->watched);
}

static void without_a_file_all_is_local(void **state)
{
	struct config config;
	struct lk_error err;

	(void)state;
	assert_int_equal(config_load(NULL, &config, &err), 0);
	assert_string_equal(config.lane[LANE_FEED], "tcp://127.0.0.1:5561");
	assert_string_equal(config.lane[LANE_INTAKE], "tcp://127.0.0.1:5562");
	assert_string_equal(config.lane[LANE_INBOX], "tcp://127.0.0.1:5563");
	assert_string_equal(config.lane[LANE_CONTROL],
			    "ipc:///home/clerk/.local/state/linkages/control");
	for (int i = 0; i <= LANE_CONTROL; i++)
		assert_true(config_is_local(config.lane[i]));
	for (int i = LANE_SECOND_FEED; i < LANE_COUNT; i++)
		assert_string_equal(config.lane[i], "");
	assert_string_equal(config.state_directory, "/home/clerk/.local/state/linkages");
	assert_string_equal(config.clients, "/home/clerk/.local/state/linkages/clients.yaml");
	assert_string_equal(config.server_key, "/home/clerk/.local/state/linkages/server.key");
	assert_string_equal(config.policy, "");
	assert_int_equal(config.sources_n, 3);
	assert_source(&config, "cws-cms", LK_CWS);
	assert_source(&config, "cws-cares", LK_CWS);
	assert_source(&config, "calsaws", LK_CALWORKS);
	assert_int_equal(config.clock, CLOCK_REAL);
	assert_int_equal(config.log_level, LOG_LEVEL_INFO);
	assert_int_equal(config.replay_window_us, 30 * 24 * LK_HOUR);
	config_free(&config);
	assert_null(config.sources);
	config_free(&config);
	config_free(NULL);
}

static void directories_come_from_systemd_then_from_the_login(void **state)
{
	struct config config;

	(void)state;
	(void)setenv("XDG_STATE_HOME", "/home/clerk/state", 1);
	(void)setenv("XDG_RUNTIME_DIR", "/run/user/7", 1);
	config = parse("x", "");
	assert_string_equal(config.state_directory, "/home/clerk/state/linkages");
	assert_string_equal(config.runtime_directory, "/run/user/7/linkages");
	config_free(&config);
	(void)setenv("STATE_DIRECTORY", "/var/lib/linkages:/var/lib/other", 1);
	(void)setenv("RUNTIME_DIRECTORY", "/run/linkages", 1);
	config = parse("x", "");
	assert_string_equal(config.state_directory, "/var/lib/linkages");
	assert_string_equal(config.runtime_directory, "/run/linkages");
	assert_string_equal(config.lane[LANE_CONTROL], "ipc:///run/linkages/control");
	config_free(&config);
}

static void nowhere_to_be_is_said(void **state)
{
	(void)state;
	(void)unsetenv("HOME");
	assert_refused("", "no place for the state");
}

static void example_file_is_the_default_in_other_places(void **state)
{
	struct config config, plain = parse("x", "");
	struct lk_error err;

	(void)state;
	if (config_load(TEST_ROOT "/daemon/linkages.yaml", &config, &err) < 0)
		fail_msg("%s", err.text);
	assert_string_equal(config.state_directory, "/var/lib/linkages");
	assert_string_equal(config.policy, TEST_ROOT "/daemon/policy.yaml");
	assert_string_equal(config.clients, TEST_ROOT "/daemon/clients.yaml");
	assert_string_equal(config.server_key, "/var/lib/linkages/server.key");
	assert_string_equal(config.lane[LANE_CONTROL], "ipc:///run/linkages/control");
	for (int i = 0; i < LANE_CONTROL; i++)
		assert_string_equal(config.lane[i], plain.lane[i]);
	assert_int_equal(config.sources_n, plain.sources_n);
	assert_memory_equal(config.sources, plain.sources,
			    plain.sources_n * sizeof(*plain.sources));
	assert_int_equal(config.clock, plain.clock);
	assert_int_equal(config.replay_window_us, plain.replay_window_us);
	assert_int_equal(config.intake_credit, plain.intake_credit);
	assert_int_equal(config.log_level, plain.log_level);
	config_free(&config);
	config_free(&plain);
}

/* ---- Values -------------------------------------------------------------------------------------- */

static void every_key_is_read(void **state)
{
	struct config config =
		parse("/etc/linkages/daemon.yaml",
		      "state_directory: /srv/state\n"
		      "runtime_directory: run\n"
		      "policy: ../policy.yaml\n"
		      "clients: people.yaml\n"
		      "keys: {server: /srv/keys/s}\n"
		      "lanes:\n"
		      "  feed: tcp://10.0.0.7:7001\n"
		      "  intake: tcp://[fd00::7]:7002\n"
		      "  inbox: 'tcp://*:7003'\n"
		      "  control: ipc://ctl\n"
		      "sources:\n"
		      "  - {name: one, agency: calworks, sequence: dense}\n"
		      "  - {name: two, agency: cws, watched: false}\n"
		      "clock: real\n"
		      "intake: {replay_window: 36 hours, credit: 10, disk_reserve: 2 GiB}\n"
		      "log: {level: error}\n");

	(void)state;
	assert_string_equal(config.state_directory, "/srv/state");
	assert_string_equal(config.runtime_directory, "/etc/linkages/run");
	assert_string_equal(config.policy, "/etc/linkages/../policy.yaml");
	assert_string_equal(config.clients, "/etc/linkages/people.yaml");
	assert_string_equal(config.server_key, "/srv/keys/s");
	assert_string_equal(config.lane[LANE_FEED], "tcp://10.0.0.7:7001");
	assert_string_equal(config.lane[LANE_INTAKE], "tcp://[fd00::7]:7002");
	assert_string_equal(config.lane[LANE_INBOX], "tcp://*:7003");
	assert_string_equal(config.lane[LANE_CONTROL], "ipc:///etc/linkages/ctl");
	assert_int_equal(config.sources_n, 2);
	assert_true(config.sources[0].dense && config.sources[0].watched);
	assert_true(!config.sources[1].dense && !config.sources[1].watched);
	assert_int_equal(config.replay_window_us, 36 * LK_HOUR);
	assert_int_equal(config.intake_credit, 10);
	assert_int_equal(config.disk_reserve, INT64_C(2) << 30);
	assert_int_equal(config.log_level, LOG_LEVEL_ERROR);
	config_free(&config);
}

static void a_file_beside_the_daemon_has_no_folder(void **state)
{
	struct config config = parse("daemon.yaml", "policy: p.yaml\n");

	(void)state;
	assert_string_equal(config.policy, "p.yaml");
	config_free(&config);
}

static void local_is_what_nobody_else_can_reach(void **state)
{
	static const char *const near[] = { "ipc:///run/x", "tcp://127.0.0.1:1",
					    "tcp://127.9.9.9:65535", "tcp://[::1]:5561",
					    "tcp://[0:0::1]:5561" };
	static const char *const far[] = {
		"tcp://0.0.0.0:1",      "tcp://*:5561",     "tcp://10.0.0.1:5561",
		"tcp://[::]:5561",      "tcp://[::2]:5561", "tcp://localhost:5561",
		"tcp://128.0.0.1:5561", "inproc://x",       ""
	};

	(void)state;
	for (size_t i = 0; i < sizeof(near) / sizeof(near[0]); i++)
		assert_true(config_is_local(near[i]));
	for (size_t i = 0; i < sizeof(far) / sizeof(far[0]); i++)
		assert_false(config_is_local(far[i]));
}

static void manual_clock_is_for_local_lanes(void **state)
{
	struct config config = parse(
		"x", "clock: manual\nlanes: {inbox: 'tcp://[::1]:7000', feed: ipc:///tmp/f}\n");

	(void)state;
	assert_int_equal(config.clock, CLOCK_MANUAL);
	config_free(&config);
	assert_refused(
		"lanes: {inbox: 'tcp://*:5563'}\nclock: manual\n",
		"daemon.yaml:2:8: clock: may be manual only where every lane is loopback or ipc: "
		"lanes.inbox is not");
	assert_refused("clock: manual\nrotation: {key: k, inbox: 'tcp://*:5573'}\n",
		       "rotation.inbox is not");
}

static void a_second_address_has_a_second_key(void **state)
{
	struct config config =
		parse("/etc/x.yaml", "rotation: {key: next.key, intake: 'tcp://*:7'}");

	(void)state;
	assert_string_equal(config.second_key, "/etc/next.key");
	assert_string_equal(config.lane[LANE_SECOND_FEED], "");
	assert_string_equal(config.lane[LANE_SECOND_INTAKE], "tcp://*:7");
	assert_string_equal(config.lane[LANE_INTAKE], "tcp://127.0.0.1:5562");
	config_free(&config);
	assert_refused("clock: real\nrotation: {intake: 'tcp://*:7'}",
		       "daemon.yaml:2:11: rotation: must have a key, and an address for it");
	assert_refused("rotation: {key: next.key}", "must have a key, and an address for it");
	assert_refused("rotation: {key: next.key, feed: 'tcp://127.0.0.1:5561'}",
		       "feed and rotation.feed have one address");
	assert_refused("rotation: {key: next.key, feed: 'tcp://localhost:7'}",
		       "rotation.feed: must be tcp://ADDRESS:PORT");
}

/* ---- Refusals ------------------------------------------------------------------------------------ */

static void addresses_are_judged(void **state)
{
	static const char *const wrong[] = { "tcp://127.0.0.1",       "tcp://127.0.0.1:0",
					     "tcp://127.0.0.1:65536", "tcp://127.0.0.1:x",
					     "tcp://localhost:5561",  "tcp://:5561",
					     "tcp://1.2.3:5561",      "tcp://[::1:5561",
					     "udp://127.0.0.1:5561",  "127.0.0.1:5561",
					     "tcp://127.0.0.1:+561",  "tcp://127.0.0.1:5561/" };
	char text[200];

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		(void)snprintf(text, sizeof(text), "lanes: {feed: '%s'}", wrong[i]);
		assert_refused(text, "lanes.feed: must be tcp://ADDRESS:PORT");
	}
	assert_refused("lanes: {feed: 'ipc://'}", "must have a path");
	assert_refused("lanes: {control: 'tcp://127.0.0.1:1'}", "must be an ipc address");
	assert_refused("lanes: {http: 'tcp://10.0.0.1:5564'}",
		       "loopback, for nobody shows a key there");
	assert_refused("lanes: {http: 'ipc:///run/x'}", "must be tcp://ADDRESS:PORT on loopback");
	assert_refused("lanes: {http: 'tcp://127.0.0.1:5561'}", "feed and http have one address");
	assert_refused("lanes: {feed: tcp://127.0.0.1:5562}", "feed and intake have one address");
}

static void socket_paths_fit_the_kernel(void **state)
{
	char text[400], folder[120];

	(void)state;
	memset(folder, 'a', sizeof(folder) - 1);
	folder[sizeof(folder) - 1] = '\0';
	(void)snprintf(text, sizeof(text), "lanes: {feed: 'ipc:///%s'}", folder);
	assert_refused(text, "107 bytes of a socket's path");
	(void)snprintf(text, sizeof(text), "runtime_directory: /%s", folder);
	assert_refused(text, "107 bytes of a socket's path");
}

static void complaints_name_the_place(void **state)
{
	(void)state;
	assert_refused(
		"lanes:\n  ferd: tcp://127.0.0.1:1\n",
		"/etc/linkages/daemon.yaml:2:3: lanes.ferd: no such key; did you mean 'lanes.feed'?");
	assert_refused("sources:\n  - {name: a, agency: cws}\n  - {name: b, agency: police}\n",
		       "daemon.yaml:3:23: sources[2].agency: must be one of: cws, calworks");
	assert_refused("sources: [{name: a, agency: cws}, {name: a, agency: cws}]",
		       "named 'a' is in the list");
	assert_refused("sources: [{name: linkages, agency: cws}]",
		       "sources[1]: 'linkages' is the daemon's own");
	assert_refused("sources: [{name: a}]", "sources[1]: 'agency' is missing");
	assert_refused("sources: [{name: a b, agency: cws}]", "letters, digits");
	assert_refused("sources: [{name: a, agency: cws, sequence: tight}]",
		       "one of: sparse, dense");
	assert_refused("sources: []", "at least one source");
	assert_refused("sources: cws-cms", "must be a list");
	assert_refused("clock: sundial", "must be one of: real, manual");
	assert_refused("log: {level: loud}", "must be one of: debug, info, warning, error");
	assert_refused("intake: {credit: 0}", "from 1 to 65536");
	assert_refused("intake: {credit: 65537}", "from 1 to 65536");
	assert_refused("intake: {replay_window: 1 months}", "no unit");
	assert_refused("intake: {replay_window: 0 days}", "from 1 minute to 3650 days");
	assert_refused("intake: {replay_window: 3651 days}", "from 1 minute to 3650 days");
	assert_refused("intake: {disk_reserve: 64}", "a number and a unit, as in '7 MiB'");
	assert_refused("intake: {disk_reserve: 64 Mi}", "no unit");
	assert_refused("intake: {disk_reserve: 0 MiB}", "from 1 MiB to 1024 GiB");
	assert_refused("intake: {disk_reserve: 1025 GiB}", "from 1 MiB to 1024 GiB");
	assert_refused("policy: ''", "must be a path");
	assert_refused("policy: [a]", "single text");
}

static void overlong_path_is_refused(void **state)
{
	static char text[CONFIG_PATH_MAX + 20];

	(void)state;
	memset(text, 'a', sizeof(text) - 1);
	memcpy(text, "policy: /", 9);
	assert_refused(text, "policy: longer than 1023 bytes");
	memcpy(text, "state_directory: /", 18);
	text[17 + 1000] = '\0';
	assert_refused(text, "longer than");
}

static void missing_file_is_told_from_a_wrong_one(void **state)
{
	struct config config;
	struct lk_error err;

	(void)state;
	assert_int_equal(config_load("/nowhere/daemon.yaml", &config, &err), LK_ENOTFOUND);
	assert_int_equal(config_load(TEST_ROOT "/daemon", &config, &err), LK_ECONFIG);
}

static void sources_are_found_by_name(void **state)
{
	struct config config = parse("x", "");

	(void)state;
	assert_null(config_find_source(&config, LK_TEXT("cws")));
	assert_null(config_find_source(&config, LK_TEXT("cws-cmsx")));
	assert_null(config_find_source(&config, LK_NO_TEXT));
	assert_string_equal(config_lane_word(LANE_CONTROL), "control");
	config_free(&config);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, bare_environment)
	const struct CMUnitTest tests[] = {
		TEST(without_a_file_all_is_local),
		TEST(directories_come_from_systemd_then_from_the_login),
		TEST(nowhere_to_be_is_said),
		TEST(example_file_is_the_default_in_other_places),
		TEST(every_key_is_read),
		TEST(a_file_beside_the_daemon_has_no_folder),
		TEST(local_is_what_nobody_else_can_reach),
		TEST(manual_clock_is_for_local_lanes),
		TEST(a_second_address_has_a_second_key),
		TEST(addresses_are_judged),
		TEST(socket_paths_fit_the_kernel),
		TEST(complaints_name_the_place),
		TEST(overlong_path_is_refused),
		TEST(missing_file_is_told_from_a_wrong_one),
		TEST(sources_are_found_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
