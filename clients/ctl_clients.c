/* ctl_clients.c - who is let in: clients add, list, revoke, rotate.
 *
 * In: the folder of the configuration. Out: its table of clients, edited, and key files. Promise: a table is changed whole
 * or not at all, and only to one that the daemon will read; a key file is never overwritten.
 */
#include "ctl.h"
#include "ctl_table.h"

#include "config.h"
#include "roster.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ENTRY_MAX 8192

/* ---- Where ---- */

static int configuration_load(struct config *out, struct lk_error *err)
{
	char path[PLACE_PATH];
	int code = place_config_file(&ctl_settings.place, path, err);

	if (code < 0)
		return code;
	code = config_load(path, out, err);
	if (code == LK_ENOTFOUND)
		return lk_fail(
			err, code,
			"%s is not there: 'linkages-ctl init' makes it, --config names another folder",
			path);
	return code;
}

/* The table that the folder's configuration names. */
static int table_path(char out[PLACE_PATH], struct lk_error *err)
{
	struct config config;
	int code = configuration_load(&config, err);

	if (code < 0)
		return code;
	(void)snprintf(out, PLACE_PATH, "%s", config.clients);
	config_free(&config);
	return 0;
}

static int table_open(struct table_text *table, struct lk_error *err)
{
	char path[PLACE_PATH];
	int code = table_path(path, err);

	*table = (struct table_text){ 0 };
	return code < 0 ? code : table_read(path, table, err);
}

/* The client's public key: from the file named, or of a pair made in the folder's keys. *made: the new key file. */
static int key_for(const char *name, const char *file, char made[PLACE_PATH], char key[LK_Z85],
		   struct lk_error *err)
{
	struct lk_keypair pair;
	char folder[PLACE_PATH - 128];
	int code;

	made[0] = '\0';
	if (file != NULL)
		return lk_public_key_read(file, key, err);
	code = place_config(&ctl_settings.place, made, err);
	if (code < 0)
		return code;
	(void)snprintf(folder, sizeof(folder), "%.*s/keys", (int)sizeof(folder) - 8, made);
	if (mkdir(folder, 0700) < 0 && errno != EEXIST)
		return lk_fail(err, LK_ECONFIG, "%s: %s", folder, strerror(errno));
	(void)snprintf(made, PLACE_PATH, "%s/%s.key", folder, name);
	code = lk_keypair_make(&pair, err);
	if (code == 0)
		code = lk_keypair_write(made, &pair, err);
	memcpy(key, pair.public_key, LK_Z85);
	return code;
}

static int finish(int code, const struct lk_error *err)
{
	return code < 0 ? options_complain(&ctl_tool, "%s", err->text) : TOOL_OK;
}

static void tell(const char *name, const char *what, const char *made)
{
	struct output out;

	output_open(&out, stdout, ctl_settings.json);
	if (out.json) {
		struct lk_bytes line = { 0 };

		lk_put_map(&line, 3);
		lk_member_word(&line, "client", name);
		lk_member_word(&line, "outcome", what);
		lk_member_text(&line, "key_file", made[0] != '\0' ? lk_text_of(made) : LK_NO_TEXT);
		output_line(&out, lk_span_of(line.at, line.len));
		lk_bytes_free(&line);
		return;
	}
	printf("%s: %s. In force after 'linkages-ctl reload'.\n", name, what);
	if (made[0] != '\0')
		printf("Its key file is %s: hand it over with server.pub, and keep no copy.\n",
		       made);
}

/* ---- add ---- */

static int entry_make(const char *name, const char *key, char out[ENTRY_MAX], struct lk_error *err)
{
	const char *covers = ctl_settings.covers;
	const struct ctl_role *role;
	int len, code = ctl_role(&role, err);

	if (code < 0)
		return code;
	if (role->covers != NULL && covers == NULL)
		return lk_fail(err, LK_ECONFIG, "whose %s? Say --covers LIST", role->covers);
	if (role->covers == NULL && covers != NULL)
		return lk_fail(err, LK_ECONFIG, "%s covers nobody: no --covers", role->name);
	len = snprintf(out, ENTRY_MAX, "- name: %s\n  key: '%s'\n  role: %s\n", name, key,
		       role->name);
	if (covers != NULL && len > 0 && len < ENTRY_MAX)
		len += snprintf(out + len, (size_t)(ENTRY_MAX - len), "  %s: [%s]\n", role->covers,
				covers);
	return len > 0 && len < ENTRY_MAX ? 0 : lk_fail(err, LK_ECONFIG, "--covers is too long");
}

static int source_unknown(const struct config *config, struct lk_text name, struct lk_error *err)
{
	char known[200] = "";

	for (size_t i = 0; i < config->sources_n; i++) {
		size_t at = strlen(known);

		(void)snprintf(known + at, sizeof(known) - at, "%s%s", i > 0 ? ", " : "",
			       config->sources[i].name);
	}
	return lk_fail(err, LK_ECONFIG, "linkages.yaml has no source '%.*s', only: %s",
		       LK_PRINT(name), known);
}

/* A publisher of a source that the daemon does not know could never say anything. */
static int covers_known(struct lk_error *err)
{
	const char *at = ctl_settings.covers;
	struct config config;
	int code;

	if (at == NULL ||
	    (ctl_settings.role != NULL && strcmp(ctl_settings.role, "publisher") != 0))
		return 0;
	code = configuration_load(&config, err);
	if (code < 0)
		return code;
	while (code == 0 && *at != '\0') {
		size_t blanks = strspn(at, " ,"), len = strcspn(at + blanks, " ,");
		struct lk_text name = { at + blanks, (uint32_t)len };

		if (len > 0 && config_find_source(&config, name) == NULL)
			code = source_unknown(&config, name, err);
		at += blanks + len;
	}
	config_free(&config);
	return code;
}

static int client_add(struct table_text *table, char *const *arguments, char made[PLACE_PATH],
		      struct lk_error *err)
{
	char entry[ENTRY_MAX], key[LK_Z85];
	int code = entry_make(arguments[0], "?", entry, err); /* before a key is made */

	if (code == 0 && !ctl_is_name(arguments[0]))
		code = lk_fail(err, LK_ECONFIG, "%s", CTL_NAME_RULE);
	if (code == 0)
		code = covers_known(err);
	if (code == 0 && roster_find_name(table->roster, lk_text_of(arguments[0])) != NULL)
		code = lk_fail(err, LK_ESTATE, "%s: '%s' is in the table already", table->path,
			       arguments[0]);
	if (code == 0)
		code = key_for(arguments[0], arguments[1], made, key, err);
	if (code == 0)
		code = entry_make(arguments[0], key, entry, err);
	if (code == 0)
		code = table_add(table, entry, err);
	return code < 0 ? code : table_write(table, err);
}

/* One change of the table, told if it was made; if it was not, a key that was made for it goes again. */
static int table_change(char *const *arguments,
			int (*change)(struct table_text *table, char *const *arguments,
				      char made[PLACE_PATH], struct lk_error *err),
			const char *outcome)
{
	struct table_text table;
	struct lk_error err;
	char made[PLACE_PATH] = "";
	int code = table_open(&table, &err);

	if (code == 0)
		code = change(&table, arguments, made, &err);
	table_free(&table);
	if (code == 0)
		tell(arguments[0], outcome, made);
	else if (made[0] != '\0' && code != LK_ESTATE)
		(void)unlink(made); /* made a moment ago, and nobody has it */
	return finish(code, &err);
}

static int add_run(const struct ctl_command *command, char *const *arguments)
{
	(void)command;
	return table_change(arguments, client_add, "added");
}

/* ---- revoke, rotate ---- */

/* What is told to a worker for whom no other client reads waits for nobody. */
static void tell_unread(const struct roster *roster, const struct roster_client *client)
{
	const char *between = "linkages-ctl: then no client reads for ";

	for (size_t i = 0; i < client->workers_n && strcmp(client->workers[i], "*") != 0; i++) {
		if (roster_reader(roster, lk_text_of(client->workers[i])) != NULL)
			continue;
		fprintf(stderr, "%s%s", between, client->workers[i]);
		between = ", ";
	}
	if (between[0] == ',')
		fputc('\n', stderr);
}

static int client_revoke(struct table_text *table, char *const *arguments, char made[PLACE_PATH],
			 struct lk_error *err)
{
	int code = table_revoke(table, arguments[0], err);

	(void)made;
	if (code == 0)
		code = table_write(table, err);
	if (code == 0)
		tell_unread(table->roster,
			    roster_find_name(table->roster, lk_text_of(arguments[0])));
	return code;
}

/* Nobody is asked about a client that is not there. */
static int client_look(const char *name)
{
	struct table_text table;
	struct lk_error err;
	int code = table_open(&table, &err);

	if (code == 0 && table_client(&table, name, &err) == NULL)
		code = LK_ENOTFOUND;
	table_free(&table);
	return finish(code, &err);
}

static int revoke_run(const struct ctl_command *command, char *const *arguments)
{
	int status = client_look(arguments[0]);

	(void)command;
	if (status == TOOL_OK)
		status = ctl_confirm("Revoke '%s'? With the next reload its sessions end.",
				     arguments[0]);
	return status != TOOL_OK ? status : table_change(arguments, client_revoke, "revoked");
}

/* The old key file, if it is ours, stays: it is worth nothing after the reload. Whether who was revoked is to come in again is
 * for a person to say. */
static int client_rotate(struct table_text *table, char *const *arguments, char made[PLACE_PATH],
			 struct lk_error *err)
{
	const struct roster_client *client = table_client(table, arguments[0], err);
	char name[80], key[LK_Z85];
	int code;

	if (client == NULL)
		return LK_ENOTFOUND;
	if (client->revoked)
		return lk_fail(
			err, LK_ESTATE,
			"%s:%u: '%s' is revoked, with whatever key: take 'revoked: true' out by "
			"hand first, if it is to be let in again",
			table->path, client->line, arguments[0]);
	(void)snprintf(name, sizeof(name), "%.64s.new", arguments[0]);
	code = key_for(name, arguments[1], made, key, err);
	if (code == 0)
		code = table_rekey(table, arguments[0], key, err);
	return code < 0 ? code : table_write(table, err);
}

static int rotate_run(const struct ctl_command *command, char *const *arguments)
{
	int status = client_look(arguments[0]);

	(void)command;
	if (status == TOOL_OK)
		status = ctl_confirm(
			"Give '%s' another key? With the next reload the old one is refused.",
			arguments[0]);
	return status != TOOL_OK ? status
				 : table_change(arguments, client_rotate, "has another key");
}

/* ---- list ---- */

static void put_ids(struct lk_bytes *out, roster_id *ids, size_t n)
{
	lk_put_array(out, (uint32_t)n);
	for (size_t i = 0; i < n; i++)
		lk_put_word(out, ids[i]);
}

static void put_client(struct lk_bytes *out, const struct roster_client *client)
{
	char key[ROSTER_KEY_TEXT];

	roster_key_print(client->key, key);
	lk_put_map(out, 5);
	lk_member_word(out, "client", client->name);
	lk_member_word(out, "role", roster_role_word(client->role));
	lk_member_bool(out, "revoked", client->revoked);
	lk_member_word(out, "key", key);
	lk_put_word(out, "covers");
	if (client->role == ROLE_PUBLISHER)
		put_ids(out, client->sources, client->sources_n);
	else
		put_ids(out, client->workers, client->workers_n);
}

static int list_run(const struct ctl_command *command, char *const *arguments)
{
	struct table_text table;
	struct lk_bytes rows = { 0 };
	struct lk_error err;
	struct output out;
	int code = table_open(&table, &err);
	size_t n = code == 0 ? roster_count(table.roster) : 0;

	(void)command;
	(void)arguments;
	lk_put_array(&rows, (uint32_t)n);
	for (size_t i = 0; i < n; i++)
		put_client(&rows, roster_at(table.roster, i));
	output_open(&out, stdout, ctl_settings.json);
	if (code == 0 && n == 0 && !out.json)
		output_word(&out, "nobody is enrolled\n");
	else if (code == 0)
		output_value(&out, lk_span_of(rows.at, rows.len));
	if (code == 0 && output_close(&out) < 0)
		code = lk_fail(&err, LK_EFULL, "cannot write the answer");
	lk_bytes_free(&rows);
	table_free(&table);
	return finish(code, &err);
}

static const struct ctl_command commands[] = {
	{ "init", "[DIR]",
	  "make keys, a commented configuration and a table of clients in a folder", NULL, NULL,
	  NULL, NULL, ctl_init },
	{ "clients list", NULL, "who is enrolled", NULL, NULL, NULL, NULL, list_run },
	{ "clients add", "NAME [PUBLIC]",
	  "enroll a client by its public key file, or make its keys; --role, --covers", NULL, NULL,
	  NULL, NULL, add_run },
	{ "clients revoke", "NAME", "let a client in no more", NULL, NULL, NULL, NULL, revoke_run },
	{ "clients rotate", "NAME [PUBLIC]", "give a client another key", NULL, NULL, NULL, NULL,
	  rotate_run },
};
const struct ctl_group ctl_clients = { commands, sizeof(commands) / sizeof(commands[0]) };
