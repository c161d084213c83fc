/* ctl_keys.c - keys for clients: keygen.
 *
 * In: a name and a role. Out: a key file, and the entry that the table of clients needs. Promise: a key file is made whole
 * or not at all, and never overwritten.
 */
#include "ctl.h"

#include <string.h>
#include <unistd.h>

int ctl_role(const struct ctl_role **out, struct lk_error *err)
{
	static const struct ctl_role roles[] = {
		{ "publisher", "sources" },
		{ "worker", "workers" },
		{ "operator", NULL },
		{ "auditor", NULL },
	};
	const char *named = ctl_settings.role != NULL ? ctl_settings.role : "publisher";

	*out = NULL;
	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++)
		if (strcmp(named, roles[i].name) == 0)
			*out = &roles[i];
	return *out != NULL
		       ? 0
		       : lk_fail(err, LK_ECONFIG,
				 "'%s' is no role: publisher, worker, operator or auditor", named);
}

bool ctl_is_name(const char *name)
{
	size_t len =
		strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");

	return len > 0 && len <= 64 && name[len] == '\0' && name[0] != '.';
}

static void entry_print(const char *name, const struct ctl_role *role, const char *key)
{
	if (ctl_settings.json) {
		struct lk_bytes line = { 0 };
		struct output out;

		lk_put_map(&line, 3);
		lk_member_word(&line, "name", name);
		lk_member_word(&line, "key", key);
		lk_member_word(&line, "role", role->name);
		output_open(&out, stdout, true);
		output_line(&out, lk_span_of(line.at, line.len));
		lk_bytes_free(&line);
		return;
	}
	/* Z85 has no single quote, so that the key needs no escaping between them. */
	printf("- name: %s\n  key: '%s'\n  role: %s\n", name, key, role->name);
	if (role->covers != NULL && ctl_settings.covers != NULL)
		printf("  %s: [%s]\n", role->covers, ctl_settings.covers);
	else if (role->covers != NULL)
		printf("  %s: [] # which? --covers LIST says so\n", role->covers);
}

static int pair_write(const char *name, struct lk_keypair *keys, struct lk_error *err)
{
	char secret[128], public[128];
	int code = lk_keypair_make(keys, err);

	(void)snprintf(secret, sizeof(secret), "%s.key", name);
	(void)snprintf(public, sizeof(public), "%s.pub", name);
	if (code == 0)
		code = lk_keypair_write(secret, keys, err);
	if (code < 0)
		return code;
	code = lk_public_key_write(public, keys->public_key, err);
	if (code < 0)
		(void)unlink(secret); /* made a moment ago, and nobody has its public half */
	return code;
}

static int keygen(const struct ctl_command *command, char *const *arguments)
{
	const char *name = arguments[0];
	const struct ctl_role *role;
	struct lk_keypair keys;
	struct lk_error err;

	(void)command;
	if (ctl_role(&role, &err) < 0)
		return options_complain(&ctl_tool, "%s", err.text);
	if (!ctl_is_name(name))
		return options_complain(&ctl_tool, "%s", CTL_NAME_RULE);
	if (pair_write(name, &keys, &err) < 0)
		return options_complain(&ctl_tool, "%s", err.text);
	entry_print(name, role, keys.public_key);
	return fflush(stdout) == 0 ? TOOL_OK : TOOL_FAILED;
}

static const struct ctl_command commands[] = {
	{ "keygen", "NAME",
	  "make NAME.key and NAME.pub here, and print an entry for the table of clients", NULL,
	  NULL, NULL, NULL, keygen },
};
const struct ctl_group ctl_keys = { commands, sizeof(commands) / sizeof(commands[0]) };
