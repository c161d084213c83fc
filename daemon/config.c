/* config.c - one daemon's configuration: every key a row.
 *
 * In: a YAML file, the environment's directories, the embedded default. Out: a struct config that was checked whole.
 * Promise: *out changes on success only. Without a file nobody outside this machine can reach the daemon; a clock that
 * can be set by hand is refused where somebody could.
 */
#include "config.h"
#include "yaml_walk.h"

#include <arpa/inet.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* ---- The embedded default ------------------------------------------------------------------------ */

#define LANE_ADDRESS(name, word, address) [name] = address,
static const char *const default_lane[LANE_COUNT] = { CONFIG_LANES(LANE_ADDRESS) };

static const struct config_source default_sources[] = {
	{ .name = "cws-cms", .agency = LK_CWS, .watched = true },
	{ .name = "cws-cares", .agency = LK_CWS, .watched = true },
	{ .name = "calsaws", .agency = LK_CALWORKS, .watched = true },
};

#define DEFAULT_HTTP "tcp://127.0.0.1:5564"
#define DAY_US (24 * LK_HOUR)
#define DEFAULT_REPLAY_WINDOW (30 * DAY_US)
#define DEFAULT_RETENTION (3650 * DAY_US)
#define DEFAULT_CREDIT 4096 /* two turns' worth of events: one being committed, one under way */
#define MIB (INT64_C(1024) * 1024)
#define DEFAULT_DISK_RESERVE (64 * MIB)

static int add_source(struct config *config, const struct config_source *source)
{
	struct config_source *more =
		realloc(config->sources, (config->sources_n + 1) * sizeof(*config->sources));

	if (more == NULL)
		return LK_EMEMORY;
	config->sources = more;
	more[config->sources_n++] = *source;
	return 0;
}

static int use_default_sources(struct config *config, struct lk_error *err)
{
	for (size_t i = 0; i < COUNT(default_sources); i++)
		if (add_source(config, &default_sources[i]) < 0)
			return lk_fail(err, LK_EMEMORY, "configuration: out of memory");
	return 0;
}

/* ---- Paths --------------------------------------------------------------------------------------- */

static int join(char *out, size_t size, const char *folder, const char *name, struct lk_error *err)
{
	bool separate = folder[0] != '\0' && folder[strlen(folder) - 1] != '/';
	int len = snprintf(out, size, "%s%s%s", folder, separate ? "/" : "", name);

	if (len < 0 || (size_t)len >= size)
		return lk_fail(err, LK_ECONFIG, "a path is longer than %zu bytes: %.200s", size - 1,
			       folder);
	return 0;
}

/* systemd gives a list, of which the first is ours. */
static bool first_of(const char *variable, char *out, size_t size)
{
	const char *value = getenv(variable);
	size_t len = value != NULL ? strcspn(value, ":") : 0;

	if (len == 0 || len >= size)
		return false;
	memcpy(out, value, len);
	out[len] = '\0';
	return true;
}

static int find_state(struct config *config, struct lk_error *err)
{
	char base[CONFIG_PATH_MAX];

	if (first_of("STATE_DIRECTORY", config->state_directory, CONFIG_PATH_MAX))
		return 0;
	if (first_of("XDG_STATE_HOME", base, sizeof(base)))
		return join(config->state_directory, CONFIG_PATH_MAX, base, "linkages", err);
	if (first_of("HOME", base, sizeof(base)))
		return join(config->state_directory, CONFIG_PATH_MAX, base, ".local/state/linkages",
			    err);
	return lk_fail(
		err, LK_ECONFIG,
		"no place for the state: give state_directory in a configuration, or set HOME");
}

static int find_runtime(struct config *config, struct lk_error *err)
{
	char base[CONFIG_PATH_MAX];

	if (first_of("RUNTIME_DIRECTORY", config->runtime_directory, CONFIG_PATH_MAX))
		return 0;
	if (first_of("XDG_RUNTIME_DIR", base, sizeof(base)))
		return join(config->runtime_directory, CONFIG_PATH_MAX, base, "linkages", err);
	return join(config->runtime_directory, CONFIG_PATH_MAX, config->state_directory, "", err);
}

static int fill_place(char place[CONFIG_PATH_MAX], const char *folder, const char *name,
		      struct lk_error *err)
{
	return place[0] != '\0' ? 0 : join(place, CONFIG_PATH_MAX, folder, name, err);
}

#define IPC "ipc://"
#define IPC_LEN (sizeof(IPC) - 1)
/* What the kernel takes for the path of a socket. */
#define SOCKET_PATH_MAX 107

static int fill_control(struct config *config, struct lk_error *err)
{
	char path[CONFIG_PATH_MAX];

	if (config->lane[LANE_CONTROL][0] != '\0')
		return 0;
	if (join(path, sizeof(path), config->runtime_directory, "control", err) < 0)
		return LK_ECONFIG;
	if (strlen(path) > SOCKET_PATH_MAX)
		return lk_fail(err, LK_ECONFIG,
			       "longer than the %d bytes of a socket's path: %.200s",
			       SOCKET_PATH_MAX, path);
	return join(config->lane[LANE_CONTROL], CONFIG_ADDRESS_MAX, IPC, path, err);
}

/* systemd hands the key to us alone where the unit loads it as a credential. */
static int fill_server_key(struct config *config, struct lk_error *err)
{
	char folder[CONFIG_PATH_MAX], path[CONFIG_PATH_MAX];

	if (first_of("CREDENTIALS_DIRECTORY", folder, sizeof(folder)) &&
	    join(path, sizeof(path), folder, "server.key", err) == 0 && access(path, F_OK) == 0)
		memcpy(config->server_key, path, sizeof(path));
	return fill_place(config->server_key, config->state_directory, "server.key", err);
}

/* What the file left open follows from what it said. */
static int complete(struct config *config, struct lk_error *err)
{
	if (config->state_directory[0] == '\0' && find_state(config, err) < 0)
		return LK_ECONFIG;
	if (config->runtime_directory[0] == '\0' && find_runtime(config, err) < 0)
		return LK_ECONFIG;
	if (fill_place(config->clients, config->state_directory, "clients.yaml", err) < 0 ||
	    fill_server_key(config, err) < 0 || fill_control(config, err) < 0)
		return LK_ECONFIG;
	return config->sources_n > 0 ? 0 : use_default_sources(config, err);
}

/* ---- Addresses ----------------------------------------------------------------------------------- */

static bool is_port(const char *text)
{
	size_t len = strspn(text, "0123456789");
	long port = len > 0 && len <= 5 && text[len] == '\0' ? strtol(text, NULL, 10) : 0;

	return port >= 1 && port <= 65535;
}

/* The host of 'tcp://HOST:PORT'. False for anything else. */
static bool split_tcp(const char *address, char *host, size_t size)
{
	const char *at = address + 6, *colon;

	if (strncmp(address, "tcp://", 6) != 0)
		return false;
	colon = strrchr(at, ':');
	if (colon == NULL || colon == at || !is_port(colon + 1) || (size_t)(colon - at) >= size)
		return false;
	memcpy(host, at, (size_t)(colon - at));
	host[colon - at] = '\0';
	return true;
}

/* '[::1]' to '::1'. */
static bool is_ipv6(const char *host, struct in6_addr *out)
{
	char inside[INET6_ADDRSTRLEN];
	size_t len = strlen(host);

	if (len < 4 || len >= sizeof(inside) || host[0] != '[' || host[len - 1] != ']')
		return false;
	memcpy(inside, host + 1, len - 2);
	inside[len - 2] = '\0';
	return inet_pton(AF_INET6, inside, out) == 1;
}

bool config_is_local(const char *address)
{
	static const struct in6_addr loopback = IN6ADDR_LOOPBACK_INIT;
	char host[CONFIG_ADDRESS_MAX];
	struct in_addr v4;
	struct in6_addr v6;

	if (strncmp(address, IPC, IPC_LEN) == 0)
		return true;
	if (!split_tcp(address, host, sizeof(host)))
		return false;
	if (inet_pton(AF_INET, host, &v4) == 1)
		return ntohl(v4.s_addr) >> 24 == 127;
	return is_ipv6(host, &v6) && memcmp(&v6, &loopback, sizeof(v6)) == 0;
}

bool config_lane_is_local(const struct config *config, enum config_lane lane)
{
	return config->lane[lane][0] == '\0' || config_is_local(config->lane[lane]);
}

/* What a socket can be bound to: numbers, or all of the machine's addresses. Names are not looked up. */
static bool is_tcp(const char *address)
{
	char host[CONFIG_ADDRESS_MAX];
	struct in_addr v4;
	struct in6_addr v6;

	return split_tcp(address, host, sizeof(host)) &&
	       (strcmp(host, "*") == 0 || inet_pton(AF_INET, host, &v4) == 1 || is_ipv6(host, &v6));
}

/* ---- Readers ------------------------------------------------------------------------------------- */

/* Paths are taken from the folder of the file that names them, wherever the daemon was started. */
static int read_place(const struct yaml_value *value, char *out, size_t size, struct lk_text path,
		      struct lk_error *err)
{
	const char *file = yaml_name(value->file), *slash = strrchr(file, '/');
	int folder = path.at[0] == '/' || slash == NULL ? 0 : (int)(slash - file) + 1;
	int len = snprintf(out, size, "%.*s%.*s", folder, file, LK_PRINT(path));

	if (len < 0 || (size_t)len >= size)
		return yaml_complain(value, err, "longer than %zu bytes", size - 1);
	return 0;
}

static int read_path(const struct yaml_value *value, const struct yaml_key *key, void *target,
		     struct lk_error *err)
{
	struct lk_text path;

	if (yaml_text(value, &path, err) < 0)
		return LK_ECONFIG;
	if (path.len == 0)
		return yaml_complain(value, err, "must be a path");
	return read_place(value, target, key->size, path, err);
}

static int read_ipc(const struct yaml_value *value, char address[CONFIG_ADDRESS_MAX],
		    struct lk_text path, struct lk_error *err)
{
	if (path.len == 0)
		return yaml_complain(value, err, "must have a path after '%s'", IPC);
	memcpy(address, IPC, IPC_LEN);
	if (read_place(value, address + IPC_LEN, CONFIG_ADDRESS_MAX - IPC_LEN, path, err) < 0)
		return LK_ECONFIG;
	if (strlen(address) - IPC_LEN > SOCKET_PATH_MAX)
		return yaml_complain(value, err, "longer than the %d bytes of a socket's path",
				     SOCKET_PATH_MAX);
	return 0;
}

static int read_control(const struct yaml_value *value, const struct yaml_key *key, void *target,
			struct lk_error *err)
{
	struct lk_text text;

	(void)key;
	if (yaml_text(value, &text, err) < 0)
		return LK_ECONFIG;
	if (text.len < IPC_LEN || memcmp(text.at, IPC, IPC_LEN) != 0)
		return yaml_complain(value, err,
				     "must be an ipc address, as in 'ipc:///run/linkages/control'");
	return read_ipc(value, target,
			(struct lk_text){ text.at + IPC_LEN, text.len - (uint32_t)IPC_LEN }, err);
}

static int read_lane(const struct yaml_value *value, const struct yaml_key *key, void *target,
		     struct lk_error *err)
{
	struct lk_text text;

	if (yaml_text(value, &text, err) < 0)
		return LK_ECONFIG;
	if (text.len >= IPC_LEN && memcmp(text.at, IPC, IPC_LEN) == 0)
		return read_control(value, key, target, err);
	if (yaml_read_text(value, key, target, err) < 0)
		return LK_ECONFIG;
	if (!is_tcp(target))
		return yaml_complain(
			value, err,
			"must be tcp://ADDRESS:PORT with a numeric address, or ipc://PATH");
	return 0;
}

/* Nobody shows a key on this lane, so nobody else may reach it. */
static int read_http(const struct yaml_value *value, const struct yaml_key *key, void *target,
		     struct lk_error *err)
{
	char *address = target;

	if (yaml_read_text(value, key, target, err) < 0)
		return LK_ECONFIG;
	if (strcmp(address, "off") == 0)
		address[0] = '\0';
	else if (!is_tcp(address) || !config_is_local(address))
		return yaml_complain(
			value, err,
			"must be tcp://ADDRESS:PORT on loopback, for nobody shows a key "
			"there; or off");
	return 0;
}

static int read_window(const struct yaml_value *value, const struct yaml_key *key, void *target,
		       struct lk_error *err)
{
	static const char *const words[] = { "minutes", "hours", "days", NULL };
	static const int64_t unit_us[] = { LK_MINUTE, LK_HOUR, DAY_US };
	int64_t *window = target;
	int32_t n;
	int unit;

	(void)key;
	if (yaml_quantity(value, words, &n, &unit, err) < 0)
		return LK_ECONFIG;
	if (n < 1 || n > 3650 * DAY_US / unit_us[unit])
		return yaml_complain(value, err, "must be from 1 minute to 3650 days");
	*window = n * unit_us[unit];
	return 0;
}

static int read_size(const struct yaml_value *value, const struct yaml_key *key, void *target,
		     struct lk_error *err)
{
	static const char *const words[] = { "MiB", "GiB", NULL };
	static const int64_t unit[] = { MIB, 1024 * MIB };
	int64_t *size = target;
	int32_t n;
	int word;

	(void)key;
	if (yaml_quantity(value, words, &n, &word, err) < 0)
		return LK_ECONFIG;
	if (n < 1 || n > 1024 * 1024 * MIB / unit[word])
		return yaml_complain(value, err, "must be from 1 MiB to 1024 GiB");
	*size = n * unit[word];
	return 0;
}

static const char *word_of(const char *const *words, size_t n, int code)
{
	return code < 0 || (size_t)code >= n ? NULL : words[code];
}

static const char *clock_word(int code)
{
	static const char *const words[] = { [CLOCK_REAL] = "real", [CLOCK_MANUAL] = "manual" };

	return word_of(words, COUNT(words), code);
}

static const char *log_word(int code)
{
	static const char *const words[] = { [LOG_LEVEL_DEBUG] = "debug",
					     [LOG_LEVEL_INFO] = "info",
					     [LOG_LEVEL_WARNING] = "warning",
					     [LOG_LEVEL_ERROR] = "error" };

	return word_of(words, COUNT(words), code);
}

static const char *sequence_word(int code)
{
	static const char *const words[] = { "sparse", "dense" };

	return word_of(words, COUNT(words), code);
}

static const struct yaml_codes clock_codes = { clock_word };
static const struct yaml_codes log_codes = { log_word };
static const struct yaml_codes sequence_codes = { sequence_word };
static const struct yaml_codes agency_codes = { lk_agency_word };

static int read_sequence(const struct yaml_value *value, const struct yaml_key *key, void *target,
			 struct lk_error *err)
{
	bool *dense = target;
	int code;

	if (yaml_read_code(value, key, &code, err) < 0)
		return LK_ECONFIG;
	*dense = code == 1;
	return 0;
}

#define IN_SOURCE(member) \
	offsetof(struct config_source, member), sizeof(((struct config_source *)0)->member)
static const struct yaml_key source_keys[] = {
	{ "name", yaml_read_id, IN_SOURCE(name), "._-", true },
	{ "agency", yaml_read_code, IN_SOURCE(agency), &agency_codes, true },
	{ "sequence", read_sequence, IN_SOURCE(dense), &sequence_codes, false },
	{ "watched", yaml_read_bool, IN_SOURCE(watched), NULL, false },
};

/* Answers are events of it: a publisher who spoke for it could take their ids, or take them back. */
#define OWN_SOURCE "linkages"

static int read_source(const struct yaml_value *item, void *context, struct lk_error *err)
{
	struct config *config = context;
	struct config_source source = { .watched = true };
	int failed = yaml_walk(item, source_keys, COUNT(source_keys), &source, err);

	if (failed < 0)
		return failed;
	if (strcmp(source.name, OWN_SOURCE) == 0)
		return yaml_complain(item, err,
				     "'%s' is the daemon's own source, of what people answer",
				     source.name);
	if (config_find_source(config, lk_text_of(source.name)) != NULL)
		return yaml_complain(item, err, "a source named '%s' is in the list already",
				     source.name);
	if (add_source(config, &source) < 0)
		return lk_fail(err, LK_EMEMORY, "configuration: out of memory");
	return 0;
}

static int read_sources(const struct yaml_value *value, const struct yaml_key *key, void *target,
			struct lk_error *err)
{
	struct config *config = target;
	int failed = yaml_each(value, read_source, config, err);

	(void)key;
	if (failed == 0 && config->sources_n == 0)
		return yaml_complain(value, err, "must have at least one source");
	return failed;
}

/* ---- The file ------------------------------------------------------------------------------------ */

#define IN_CONFIG(member) offsetof(struct config, member), sizeof(((struct config *)0)->member)
static const struct yaml_range credit_range = { 1, 65536 };

static const struct yaml_key config_keys[] = {
	{ "state_directory", read_path, IN_CONFIG(state_directory), NULL, false },
	{ "runtime_directory", read_path, IN_CONFIG(runtime_directory), NULL, false },
	{ "policy", read_path, IN_CONFIG(policy), NULL, false },
	{ "clients", read_path, IN_CONFIG(clients), NULL, false },
	{ "keys.server", read_path, IN_CONFIG(server_key), NULL, false },
	{ "lanes.feed", read_lane, IN_CONFIG(lane[LANE_FEED]), NULL, false },
	{ "lanes.intake", read_lane, IN_CONFIG(lane[LANE_INTAKE]), NULL, false },
	{ "lanes.inbox", read_lane, IN_CONFIG(lane[LANE_INBOX]), NULL, false },
	{ "lanes.control", read_control, IN_CONFIG(lane[LANE_CONTROL]), NULL, false },
	{ "rotation.key", read_path, IN_CONFIG(second_key), NULL, false },
	{ "rotation.feed", read_lane, IN_CONFIG(lane[LANE_SECOND_FEED]), NULL, false },
	{ "rotation.intake", read_lane, IN_CONFIG(lane[LANE_SECOND_INTAKE]), NULL, false },
	{ "rotation.inbox", read_lane, IN_CONFIG(lane[LANE_SECOND_INBOX]), NULL, false },
	{ "lanes.http", read_http, IN_CONFIG(http), NULL, false },
	{ "sources", read_sources, 0, sizeof(struct config), NULL, false },
	{ "clock", yaml_read_code, IN_CONFIG(clock), &clock_codes, false },
	{ "intake.replay_window", read_window, IN_CONFIG(replay_window_us), NULL, false },
	{ "intake.credit", yaml_read_integer, IN_CONFIG(intake_credit), &credit_range, false },
	{ "intake.disk_reserve", read_size, IN_CONFIG(disk_reserve), NULL, false },
	{ "retention.mailbox", read_window, IN_CONFIG(keep_mailbox_us), NULL, false },
	{ "retention.dead_letters", read_window, IN_CONFIG(keep_letters_us), NULL, false },
	{ "log.level", yaml_read_code, IN_CONFIG(log_level), &log_codes, false },
};

/* Who can move time can make any deadline pass. */
static int check_clock(const struct yaml_file *file, const struct config *config,
		       struct lk_error *err)
{
	struct yaml_value clock = yaml_find(file, "clock");

	if (config->clock != CLOCK_MANUAL)
		return 0;
	for (int i = 0; i < LANE_COUNT; i++)
		if (!config_lane_is_local(config, (enum config_lane)i))
			return yaml_complain(
				&clock, err,
				"may be manual only where every lane is loopback or ipc: "
				"%s%s is not",
				i < LANE_SECOND_FEED ? "lanes." : "",
				config_lane_word((enum config_lane)i));
	return 0;
}

static bool is_one_address(const char *a, const char *b)
{
	return a[0] != '\0' && strcmp(a, b) == 0;
}

/* While keys are rotated, a second address answers with the second key: neither is of use without the other. */
static int check_rotation(const struct yaml_file *file, const struct config *config,
			  struct lk_error *err)
{
	struct yaml_value rotation = yaml_find(file, "rotation");
	bool has_lane = false;

	for (int i = LANE_SECOND_FEED; i <= LANE_SECOND_INBOX; i++)
		has_lane |= config->lane[i][0] != '\0';
	if (has_lane == (config->second_key[0] != '\0'))
		return 0;
	return yaml_complain(&rotation, err, "must have a key, and an address for it");
}

static int check_lanes(const struct yaml_file *file, const struct config *config,
		       struct lk_error *err)
{
	struct yaml_value lanes = yaml_find(file, "lanes");

	for (int i = 0; i < LANE_COUNT; i++)
		if (is_one_address(config->lane[i], config->http))
			return yaml_complain(&lanes, err, "%s and http have one address",
					     config_lane_word((enum config_lane)i));
	for (int i = 0; i < LANE_COUNT; i++)
		for (int j = 0; j < i; j++)
			if (is_one_address(config->lane[i], config->lane[j]))
				return yaml_complain(&lanes, err, "%s and %s have one address",
						     config_lane_word((enum config_lane)j),
						     config_lane_word((enum config_lane)i));
	return 0;
}

static void use_defaults(struct config *config)
{
	*config = (struct config){ .clock = CLOCK_REAL,
				   .replay_window_us = DEFAULT_REPLAY_WINDOW,
				   .intake_credit = DEFAULT_CREDIT,
				   .keep_mailbox_us = DEFAULT_RETENTION,
				   .keep_letters_us = DEFAULT_RETENTION,
				   .disk_reserve = DEFAULT_DISK_RESERVE,
				   .log_level = LOG_LEVEL_INFO };
	(void)snprintf(config->http, CONFIG_ADDRESS_MAX, "%s", DEFAULT_HTTP);
	for (int i = 0; i < LANE_COUNT; i++)
		(void)snprintf(config->lane[i], CONFIG_ADDRESS_MAX, "%s", default_lane[i]);
}

static int read_file(const struct yaml_file *file, void *out, struct lk_error *err)
{
	struct yaml_value root = yaml_root(file);
	struct config config, *result = out;
	int failed;

	use_defaults(&config);
	failed = yaml_walk(&root, config_keys, COUNT(config_keys), &config, err);
	if (failed == 0)
		failed = complete(&config, err);
	if (failed == 0)
		failed = check_lanes(file, &config, err);
	if (failed == 0)
		failed = check_rotation(file, &config, err);
	if (failed == 0)
		failed = check_clock(file, &config, err);
	if (failed == 0)
		*result = config;
	else
		config_free(&config);
	return failed;
}

int config_parse(const char *name, const char *text, size_t len, struct config *out,
		 struct lk_error *err)
{
	return yaml_use_text(name, text, len, read_file, out, err);
}

int config_load(const char *path, struct config *out, struct lk_error *err)
{
	return path != NULL ? yaml_use_file(path, read_file, out, err)
			    : config_parse("the embedded configuration", "", 0, out, err);
}

void config_free(struct config *config)
{
	if (config == NULL)
		return;
	free(config->sources);
	memset(config, 0, sizeof(*config));
}

/* ---- Questions ----------------------------------------------------------------------------------- */

const struct config_source *config_find_source(const struct config *config, struct lk_text name)
{
	for (size_t i = 0; i < config->sources_n; i++)
		if (lk_text_says(name, config->sources[i].name))
			return &config->sources[i];
	return NULL;
}

const char *config_lane_word(enum config_lane lane)
{
#define LANE_WORD(name, word, address) [name] = word,
	static const char *const words[] = { CONFIG_LANES(LANE_WORD) };

	return words[lane];
}
