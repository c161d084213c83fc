/* roster.c - the table of clients, read whole, searched by key and by name.
 *
 * In: a YAML file. Out: a roster that never changes. Promise: no two clients share a name or a key; a revoked client,
 * an unknown one and one of another role may do nothing.
 */
#include "roster.h"
#include "yaml_walk.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

struct roster {
	struct roster_client *client; /* by key */
	size_t n;
	struct roster_client **by_name;
};

/* ---- Keys: ZeroMQ RFC 32 ------------------------------------------------------------------------- */

static const char z85_digits[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				 ".-:+=^!/*?&<>()[]{}@%$#";

/* Five digits of base 85 to four bytes. */
static bool parse_group(const char *digits, uint8_t out[4])
{
	uint64_t value = 0;

	for (int i = 0; i < 5; i++) {
		const char *digit = digits[i] != '\0' ? strchr(z85_digits, digits[i]) : NULL;

		if (digit == NULL)
			return false;
		value = value * 85 + (uint64_t)(digit - z85_digits);
	}
	if (value > UINT32_MAX)
		return false;
	for (int i = 0; i < 4; i++)
		out[i] = (uint8_t)(value >> (24 - 8 * i));
	return true;
}

int roster_key_parse(struct lk_text z85, uint8_t out[ROSTER_KEY])
{
	uint8_t key[ROSTER_KEY];

	if (z85.at == NULL || z85.len != ROSTER_KEY_TEXT - 1)
		return -1;
	for (size_t i = 0; i < ROSTER_KEY / 4; i++)
		if (!parse_group(z85.at + 5 * i, key + 4 * i))
			return -1;
	memcpy(out, key, sizeof(key));
	return 0;
}

void roster_key_print(const uint8_t key[ROSTER_KEY], char out[ROSTER_KEY_TEXT])
{
	for (size_t i = 0; i < ROSTER_KEY / 4; i++) {
		const uint8_t *group = key + 4 * i;
		uint32_t value = (uint32_t)group[0] << 24 | (uint32_t)group[1] << 16 |
				 (uint32_t)group[2] << 8 | group[3];

		for (size_t j = 5; j-- > 0; value /= 85)
			out[5 * i + j] = z85_digits[value % 85];
	}
	out[ROSTER_KEY_TEXT - 1] = '\0';
}

/* ---- Readers ------------------------------------------------------------------------------------- */

static const char *role_word(int code)
{
#define ROLE_WORD(name, word) [name] = word,
	static const char *const words[] = { ROSTER_ROLES(ROLE_WORD) };

	return code < 0 || code >= ROLE_COUNT ? NULL : words[code];
}

const char *roster_role_word(enum roster_role role)
{
	return role_word((int)role);
}

static const struct yaml_codes role_codes = { role_word };

static int read_key(const struct yaml_value *value, const struct yaml_key *key, void *target,
		    struct lk_error *err)
{
	struct lk_text text;

	(void)key;
	if (yaml_text(value, &text, err) < 0)
		return LK_ECONFIG;
	if (roster_key_parse(text, target) < 0)
		return yaml_complain(value, err,
				     "must be a public key: 40 characters of Z85 in single quotes");
	return 0;
}

struct ids {
	roster_id *at;
	size_t n;
	const char *others; /* characters allowed besides letters and digits */
};

static int read_id(const struct yaml_value *item, void *context, struct lk_error *err)
{
	struct ids *ids = context;
	struct lk_text text;

	if (yaml_id(item, ids->others, sizeof(roster_id) - 1, &text, err) < 0)
		return LK_ECONFIG;
	(void)snprintf(ids->at[ids->n++], sizeof(roster_id), "%.*s", LK_PRINT(text));
	return 0;
}

static int order_ids(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* '*' stands for every worker, and then alone. */
static int check_everyone(const struct yaml_value *value, const struct ids *ids,
			  struct lk_error *err)
{
	for (size_t i = 0; i < ids->n; i++)
		if (strchr(ids->at[i], '*') != NULL && (ids->n > 1 || strlen(ids->at[i]) > 1))
			return yaml_complain(value, err,
					     "has '*', which stands alone or not at all");
	return 0;
}

static int check_ids(const struct yaml_value *value, const struct ids *ids, struct lk_error *err)
{
	for (size_t i = 1; i < ids->n; i++)
		if (strcmp(ids->at[i - 1], ids->at[i]) == 0)
			return yaml_complain(value, err, "has '%s' twice", ids->at[i]);
	return check_everyone(value, ids, err);
}

/* Gives *at and *n to the client even where it fails, so that one place frees them. */
static int read_ids(const struct yaml_value *value, const char *others, roster_id **at, size_t *n,
		    struct lk_error *err)
{
	struct ids ids = { .others = others };
	int failed;

	if (!yaml_is_list(value) || yaml_count(value) == 0)
		return yaml_complain(value, err, "must be a list of at least one");
	ids.at = calloc(yaml_count(value), sizeof(*ids.at));
	if (ids.at == NULL)
		return lk_fail(err, LK_EMEMORY, "clients: out of memory");
	failed = yaml_each(value, read_id, &ids, err);
	qsort(ids.at, ids.n, sizeof(*ids.at), order_ids);
	*at = ids.at;
	*n = ids.n;
	return failed < 0 ? failed : check_ids(value, &ids, err);
}

static int read_sources(const struct yaml_value *value, const struct yaml_key *key, void *target,
			struct lk_error *err)
{
	struct roster_client *client = target;

	return read_ids(value, key->kind, &client->sources, &client->sources_n, err);
}

static int read_workers(const struct yaml_value *value, const struct yaml_key *key, void *target,
			struct lk_error *err)
{
	struct roster_client *client = target;

	return read_ids(value, key->kind, &client->workers, &client->workers_n, err);
}

#define IN_CLIENT(member) \
	offsetof(struct roster_client, member), sizeof(((struct roster_client *)0)->member)
#define WHOLE_CLIENT 0, sizeof(struct roster_client)

static const struct yaml_key client_keys[] = {
	{ "name", yaml_read_id, IN_CLIENT(name), "._-", true },
	{ "key", read_key, IN_CLIENT(key), NULL, true },
	{ "role", yaml_read_code, IN_CLIENT(role), &role_codes, true },
	{ "revoked", yaml_read_bool, IN_CLIENT(revoked), NULL, false },
	{ "sources", read_sources, WHOLE_CLIENT, "._-", false },
	{ "workers", read_workers, WHOLE_CLIENT, "._@-*", false },
};

static int check_role(const struct yaml_value *item, const struct roster_client *client,
		      struct lk_error *err)
{
	if ((client->role == ROLE_PUBLISHER) != (client->sources_n > 0))
		return yaml_complain(item, err, "'%s': a publisher, and nobody else, has 'sources'",
				     client->name);
	if ((client->role == ROLE_WORKER) != (client->workers_n > 0))
		return yaml_complain(item, err,
				     "'%s': a worker client, and nobody else, has 'workers'",
				     client->name);
	return 0;
}

static int read_client(const struct yaml_value *item, void *context, struct lk_error *err)
{
	struct roster *roster = context;
	struct roster_client *client = &roster->client[roster->n++];
	int failed = yaml_walk(item, client_keys, COUNT(client_keys), client, err);

	client->line = yaml_line(item);
	return failed < 0 ? failed : check_role(item, client, err);
}

/* ---- Order --------------------------------------------------------------------------------------- */

static int order_keys(const void *a, const void *b)
{
	const struct roster_client *left = a, *right = b;

	return memcmp(left->key, right->key, ROSTER_KEY);
}

static int order_names(const void *a, const void *b)
{
	const struct roster_client *const *left = a, *const *right = b;

	return strcmp((*left)->name, (*right)->name);
}

/* The complaint stands at the later one. */
static int complain_twice(const char *file, const struct roster_client *a,
			  const struct roster_client *b, const char *what, struct lk_error *err)
{
	const struct roster_client *first = a->line < b->line ? a : b;
	const struct roster_client *again = a->line < b->line ? b : a;

	return lk_fail(err, LK_ECONFIG, "%s:%u: '%s': its %s is that of '%s' on line %u", file,
		       again->line, again->name, what, first->name, first->line);
}

/* Equal names and equal keys are neighbours once they are in order. */
static int check_unique(const struct roster *roster, const char *file, struct lk_error *err)
{
	for (size_t i = 1; i < roster->n; i++) {
		if (order_keys(&roster->client[i - 1], &roster->client[i]) == 0)
			return complain_twice(file, &roster->client[i - 1], &roster->client[i],
					      "key", err);
		if (order_names(&roster->by_name[i - 1], &roster->by_name[i]) == 0)
			return complain_twice(file, roster->by_name[i - 1], roster->by_name[i],
					      "name", err);
	}
	return 0;
}

static void put_in_order(struct roster *roster)
{
	qsort(roster->client, roster->n, sizeof(*roster->client), order_keys);
	for (size_t i = 0; i < roster->n; i++)
		roster->by_name[i] = &roster->client[i];
	qsort(roster->by_name, roster->n, sizeof(struct roster_client *), order_names);
}

/* ---- Loading ------------------------------------------------------------------------------------- */

static struct roster *make_roster(size_t room)
{
	struct roster *roster = calloc(1, sizeof(*roster));

	if (roster == NULL)
		return NULL;
	/* One more than asked for: a roster of nobody has arrays, too. */
	roster->client = calloc(room + 1, sizeof(*roster->client));
	roster->by_name = calloc(room + 1, sizeof(struct roster_client *));
	if (roster->client != NULL && roster->by_name != NULL)
		return roster;
	roster_free(roster);
	return NULL;
}

static int fill(struct roster *roster, const struct yaml_file *file, struct lk_error *err)
{
	struct yaml_value list = yaml_root(file);
	int failed = list.node == 0 ? 0 : yaml_each(&list, read_client, roster, err);

	if (failed < 0)
		return failed;
	put_in_order(roster);
	return check_unique(roster, yaml_name(file), err);
}

static int read_file(const struct yaml_file *file, void *out, struct lk_error *err)
{
	struct yaml_value list = yaml_root(file);
	struct roster *roster = make_roster(yaml_count(&list)), **result = out;
	int failed;

	if (roster == NULL)
		return lk_fail(err, LK_EMEMORY, "clients: out of memory");
	failed = fill(roster, file, err);
	if (failed == 0)
		*result = roster;
	else
		roster_free(roster);
	return failed;
}

int roster_parse(const char *name, const char *text, size_t len, struct roster **out,
		 struct lk_error *err)
{
	return yaml_use_text(name, text, len, read_file, out, err);
}

int roster_load(const char *path, struct roster **out, struct lk_error *err)
{
	return path != NULL ? yaml_use_file(path, read_file, out, err)
			    : roster_parse("no clients", "", 0, out, err);
}

void roster_free(struct roster *roster)
{
	if (roster == NULL)
		return;
	for (size_t i = 0; i < roster->n; i++) {
		free(roster->client[i].sources);
		free(roster->client[i].workers);
	}
	free(roster->client);
	free(roster->by_name);
	free(roster);
}

/* ---- Questions ----------------------------------------------------------------------------------- */

size_t roster_count(const struct roster *roster)
{
	return roster->n;
}

const struct roster_client *roster_at(const struct roster *roster, size_t i)
{
	return roster->by_name[i];
}

const struct roster_client *roster_find_key(const struct roster *roster,
					    const uint8_t key[ROSTER_KEY])
{
	struct roster_client sought;

	memcpy(sought.key, key, ROSTER_KEY);
	return bsearch(&sought, roster->client, roster->n, sizeof(sought), order_keys);
}

static int order_text_and_name(const void *text, const void *name)
{
	const struct roster_client *const *client = name;

	return lk_text_order(*(const struct lk_text *)text, lk_text_of((*client)->name));
}

const struct roster_client *roster_find_name(const struct roster *roster, struct lk_text name)
{
	struct roster_client **found;

	if (!lk_text_given(name))
		return NULL;
	found = bsearch(&name, roster->by_name, roster->n, sizeof(struct roster_client *),
			order_text_and_name);
	return found != NULL ? *found : NULL;
}

static int order_text_and_id(const void *text, const void *id)
{
	return lk_text_order(*(const struct lk_text *)text, lk_text_of(id));
}

static bool has_id(roster_id *ids, size_t n, struct lk_text sought)
{
	return lk_text_given(sought) && n > 0 &&
	       bsearch(&sought, ids, n, sizeof(*ids), order_text_and_id) != NULL;
}

bool roster_has_role(const struct roster_client *client, enum roster_role role)
{
	return client != NULL && !client->revoked && client->role == role;
}

bool roster_may_speak_for(const struct roster_client *client, struct lk_text source)
{
	return roster_has_role(client, ROLE_PUBLISHER) &&
	       has_id(client->sources, client->sources_n, source);
}

bool roster_may_read(const struct roster_client *client, struct lk_text worker)
{
	return roster_has_role(client, ROLE_WORKER) &&
	       (roster_reads_all(client) || has_id(client->workers, client->workers_n, worker));
}

bool roster_reads_all(const struct roster_client *client)
{
	return client->workers_n == 1 && strcmp(client->workers[0], "*") == 0;
}

const struct roster_client *roster_reader(const struct roster *roster, struct lk_text worker)
{
	for (size_t i = 0; i < roster->n; i++)
		if (roster_may_read(&roster->client[i], worker))
			return &roster->client[i];
	return NULL;
}
