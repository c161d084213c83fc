/* enroll.c - keys for everybody in the embedded default.
 *
 * In: a configuration without a table of clients. Out: keys and the table, in the state directory.
 * Promise: only within this machine, and only where nobody has written a table; a crash half way is
 * finished by the next start.
 */
#include "enroll.h"

#include "config.h"
#include "keys.h"
#include "log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_MAX_BYTES (CONFIG_PATH_MAX + 128)

/* `has` is the member that the role asks for: sources, workers, or none. */
struct enrolled {
	const char *name, *role, *has, *whom;
};

static const struct enrolled everyone_else[] = {
	{ "workers", "worker", "workers", "'*'" },
	{ "operator", "operator", NULL, NULL },
	{ "auditor", "auditor", NULL, NULL },
};

static const char preface[] =
	"# Made on the first start: everybody on this machine who can read the keys. A county\n"
	"# writes its own table and names it in the configuration; '*' stands for every worker\n"
	"# and is for trying things out.\n";

static void append(struct lk_bytes *out, const char *text)
{
	lk_bytes_add(out, text, strlen(text));
}

static int enroll(const char *directory, const struct enrolled *who, struct lk_bytes *table,
		  struct lk_error *err)
{
	char path[PATH_MAX_BYTES], entry[512];
	struct key_pair pair;
	int rc;

	snprintf(path, sizeof(path), "%s/%s.key", directory, who->name);
	rc = keys_ensure(path, &pair, err);
	if (rc < 0)
		return rc;
	snprintf(entry, sizeof(entry), "\n- name: '%s'\n  key: '%s'\n  role: %s\n", who->name,
		 pair.public_key, who->role);
	append(table, entry);
	if (who->has != NULL) {
		snprintf(entry, sizeof(entry), "  %s: [%s]\n", who->has, who->whom);
		append(table, entry);
	}
	return table->failed ? lk_fail(err, LK_EMEMORY, "no memory for the table of clients") : 0;
}

static int enroll_everyone(const struct config *config, const char *directory,
			   struct lk_bytes *table, struct lk_error *err)
{
	char whom[80];
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < config->sources_n; i++) {
		const char *name = config->sources[i].name;
		snprintf(whom, sizeof(whom), "'%s'", name);
		rc = enroll(directory, &(struct enrolled){ name, "publisher", "sources", whom },
			    table, err);
	}
	for (size_t i = 0; rc == 0 && i < sizeof(everyone_else) / sizeof(*everyone_else); i++)
		rc = enroll(directory, &everyone_else[i], table, err);
	return rc;
}

bool enroll_is_due(const struct config *config)
{
	char place[PATH_MAX_BYTES];

	for (int lane = 0; lane < LANE_COUNT; lane++)
		if (!config_lane_is_local(config, (enum config_lane)lane))
			return false;
	snprintf(place, sizeof(place), "%s/clients.yaml", config->state_directory);
	return strcmp(place, config->clients) == 0 && access(place, F_OK) != 0;
}

int enroll_default(const struct config *config, struct lk_error *err)
{
	char directory[PATH_MAX_BYTES];
	struct lk_bytes table = { 0 };
	int rc;

	if (!enroll_is_due(config))
		return 0;
	snprintf(directory, sizeof(directory), "%s/keys", config->state_directory);
	if (mkdir(directory, 0700) < 0 && errno != EEXIST)
		return lk_fail(err, LK_ECONFIG, "cannot make %s: %s", directory, strerror(errno));
	append(&table, preface);
	rc = enroll_everyone(config, directory, &table, err);
	if (rc == 0)
		rc = keys_put_file(config->clients, 0640, (const char *)table.at, table.len, err);
	lk_bytes_free(&table);
	if (rc == 0)
		log_line(LOG_NOTE, "enrolled clients=%zu directory=%s",
			 config->sources_n + sizeof(everyone_else) / sizeof(*everyone_else),
			 directory);
	return rc < 0 ? rc : 1;
}
