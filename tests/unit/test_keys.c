/* test_keys.c - key files, and the embedded default's.
 *
 * In: a folder of its own. Out: files. Promise: as keys.h and enroll.h say.
 */
#include "config.h"
#include "enroll.h"
#include "keys.h"
#include "log.h"
#include "roster.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static char folder[64];

static int make_folder(void **state)
{
	(void)state;
	snprintf(folder, sizeof(folder), "/tmp/linkages-keys.XXXXXX");
	log_open(LOG_ERROR);
	return mkdtemp(folder) == NULL ? -1 : 0;
}

static int remove_folder(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	return system(command);
}

static const char *in_folder(const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static unsigned mode_of(const char *name)
{
	struct stat st;

	assert_int_equal(stat(in_folder(name), &st), 0);
	return st.st_mode & 0777;
}

static void a_pair_is_written_once_and_read_back(void **state)
{
	struct key_pair made, read;

	(void)state;
	assert_int_equal(keys_make(&made, NULL), 0);
	assert_int_equal(keys_write(in_folder("a.key"), &made, NULL), 0);
	assert_int_equal(mode_of("a.key"), 0600);
	assert_int_equal(keys_read(in_folder("a.key"), &read, NULL), 0);
	assert_memory_equal(&made, &read, sizeof(made));
	assert_int_equal(keys_write(in_folder("a.key"), &made, NULL), LK_ECONFIG);
}

static void write_text(const char *name, const char *text, mode_t mode)
{
	FILE *f = fopen(in_folder(name), "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(in_folder(name), mode), 0);
}

static void what_is_no_pair_is_refused(void **state)
{
	struct key_pair one, two, read;
	char text[256];

	(void)state;
	assert_int_equal(keys_read(in_folder("none.key"), &read, NULL), LK_ENOTFOUND);
	assert_int_equal(keys_make(&one, NULL), 0);
	assert_int_equal(keys_make(&two, NULL), 0);
	snprintf(text, sizeof(text), "%s\n%s\n", one.public_key, two.secret_key);
	write_text("mixed.key", text, 0600);
	assert_int_equal(keys_read(in_folder("mixed.key"), &read, NULL), LK_ECONFIG);
	write_text("short.key", "abc\n", 0600);
	assert_int_equal(keys_read(in_folder("short.key"), &read, NULL), LK_ECONFIG);
	snprintf(text, sizeof(text), "%s\n%s\n", one.public_key, one.secret_key);
	write_text("open.key", text, 0644);
	assert_int_equal(keys_read(in_folder("open.key"), &read, NULL), LK_ECONFIG);
	write_text("open.key", text, 0600);
	assert_int_equal(keys_read(in_folder("open.key"), &read, NULL), 0);
}

static void the_server_has_its_public_key_beside_it(void **state)
{
	struct key_pair first, again;
	char line[64] = "", key[512], public[512];
	FILE *f;

	(void)state;
	(void)snprintf(key, sizeof(key), "%s", in_folder("server.key"));
	(void)snprintf(public, sizeof(public), "%s", in_folder("server.pub"));
	assert_int_equal(keys_server(key, public, &first, NULL), 0);
	assert_int_equal(mode_of("server.key"), 0600);
	assert_int_equal(mode_of("server.pub"), 0644);
	write_text("server.pub", "something else\n", 0644);
	assert_int_equal(keys_server(key, public, &again, NULL), 0);
	assert_memory_equal(&first, &again, sizeof(first));
	f = fopen(in_folder("server.pub"), "r");
	assert_non_null(f);
	assert_non_null(fgets(line, sizeof(line), f));
	fclose(f);
	line[strcspn(line, "\n")] = '\0';
	assert_string_equal(line, first.public_key);
}

static void configure(struct config *config, const char *more)
{
	char text[512];

	snprintf(text, sizeof(text), "state_directory: %s\nruntime_directory: %s\n%s", folder,
		 folder, more);
	assert_int_equal(config_parse("test", text, strlen(text), config, NULL), 0);
}

static void everybody_is_enrolled_on_the_first_start_only(void **state)
{
	struct config config = { 0 };
	struct roster *roster;
	struct key_pair pair;
	const struct roster_client *client;
	uint8_t key[ROSTER_KEY];

	(void)state;
	configure(&config, "");
	assert_int_equal(enroll_default(&config, NULL), 1);
	assert_int_equal(enroll_default(&config, NULL), 0);
	assert_int_equal(roster_load(config.clients, &roster, NULL), 0);
	assert_int_equal(roster_count(roster), config.sources_n + 3);
	assert_int_equal(keys_read(in_folder("keys/workers.key"), &pair, NULL), 0);
	assert_int_equal(roster_key_parse(lk_text_of(pair.public_key), key), 0);
	client = roster_find_key(roster, key);
	assert_non_null(client);
	assert_true(roster_may_read(client, LK_TEXT("anyone")));
	assert_false(roster_may_speak_for(client, LK_TEXT("cws-cms")));
	client = roster_find_name(roster, LK_TEXT("calsaws"));
	assert_true(roster_may_speak_for(client, LK_TEXT("calsaws")));
	assert_false(roster_may_speak_for(client, LK_TEXT("cws-cms")));
	roster_free(roster);
	config_free(&config);
}

static void nobody_is_enrolled_where_others_can_call(void **state)
{
	struct config config = { 0 };

	(void)state;
	configure(&config, "lanes: {inbox: 'tcp://*:15563'}\n");
	assert_false(enroll_is_due(&config));
	assert_int_equal(enroll_default(&config, NULL), 0);
	assert_int_not_equal(access(in_folder("clients.yaml"), F_OK), 0);
	config_free(&config);
}

static void half_a_start_is_finished_by_the_next(void **state)
{
	struct config config = { 0 };
	struct key_pair before, after;

	(void)state;
	configure(&config, "");
	assert_int_equal(enroll_default(&config, NULL), 1);
	assert_int_equal(keys_read(in_folder("keys/operator.key"), &before, NULL), 0);
	assert_int_equal(unlink(config.clients), 0);
	assert_int_equal(unlink(in_folder("keys/auditor.key")), 0);
	assert_int_equal(enroll_default(&config, NULL), 1);
	assert_int_equal(keys_read(in_folder("keys/operator.key"), &after, NULL), 0);
	assert_memory_equal(&before, &after, sizeof(before));
	assert_int_equal(keys_read(in_folder("keys/auditor.key"), &after, NULL), 0);
	config_free(&config);
}

#define WITH_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_FOLDER(a_pair_is_written_once_and_read_back),
		WITH_FOLDER(what_is_no_pair_is_refused),
		WITH_FOLDER(the_server_has_its_public_key_beside_it),
		WITH_FOLDER(everybody_is_enrolled_on_the_first_start_only),
		WITH_FOLDER(nobody_is_enrolled_where_others_can_call),
		WITH_FOLDER(half_a_start_is_finished_by_the_next),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
