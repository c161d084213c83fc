/* fuzz_yaml.c - any bytes as a policy, a configuration and a table of clients.
 *
 * In: bytes. Out: nothing. Promise: each is read or refused with a complaint that is not empty; nothing else happens,
 * and what was read once reads the same again.
 */
#include "config.h"
#include "policy.h"
#include "roster.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void check(int failed, const struct lk_error *err)
{
	if (failed < 0 && (failed != err->code || err->text[0] == '\0'))
		abort();
}

static void try_policy(const char *text, size_t len)
{
	static struct policy policy, again;
	struct lk_error err = { .code = 0 };
	int failed = policy_parse("policy", text, len, &policy, &err);

	check(failed, &err);
	if (failed == 0 && (policy_parse("policy", text, len, &again, &err) < 0 ||
			    memcmp(policy.revision, again.revision, sizeof(again.revision)) != 0))
		abort();
}

static void try_config(const char *text, size_t len)
{
	static struct config config;
	struct lk_error err = { .code = 0 };
	int failed = config_parse("/etc/linkages/config", text, len, &config, &err);

	check(failed, &err);
	if (failed == 0 && config.sources_n == 0)
		abort();
	if (failed == 0)
		config_free(&config);
}

static void try_roster(const char *text, size_t len)
{
	struct lk_error err = { .code = 0 };
	struct roster *roster;
	int failed = roster_parse("clients", text, len, &roster, &err);

	check(failed, &err);
	if (failed < 0)
		return;
	for (size_t i = 0; i < roster_count(roster); i++)
		if (roster_find_key(roster, roster_at(roster, i)->key) != roster_at(roster, i))
			abort();
	roster_free(roster);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	const char *text = (const char *)bytes;

	try_policy(text, len);
	try_config(text, len);
	try_roster(text, len);
	return 0;
}
