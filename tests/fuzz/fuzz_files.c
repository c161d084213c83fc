/* fuzz_files.c - any text, as configuration, table of clients or policy.
 *
 * In: text; the first byte picks the file. Out: nothing. Promise: a file is taken whole or refused with a sentence that
 * names it; nothing is kept of one that is refused.
 */
#include "config.h"
#include "policy.h"
#include "roster.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static int try_config(const char *text, size_t len, struct lk_error *err)
{
	struct config config;
	int code = config_parse("f", text, len, &config, err);

	if (code == 0)
		config_free(&config);
	return code;
}

static int try_roster(const char *text, size_t len, struct lk_error *err)
{
	struct roster *roster;
	int code = roster_parse("f", text, len, &roster, err);

	if (code == 0)
		roster_free(roster);
	return code;
}

static int try_policy(const char *text, size_t len, struct lk_error *err)
{
	static struct policy policy;

	return policy_parse("f", text, len, &policy, err);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static int (*const files[])(const char *, size_t,
				    struct lk_error *) = { try_config, try_roster, try_policy };
	struct lk_error err = { 0 };
	int code;

	if (len == 0)
		return 0;
	code = files[bytes[0] % 3]((const char *)bytes + 1, len - 1, &err);
	assert(code == 0 || (code == err.code && err.text[0] != '\0'));
	return 0;
}
