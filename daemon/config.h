/* config.h - how one daemon is set up: where its files are, where it listens, who its sources are.
 *
 * A leaf: it knows no module, every module may know it. The keys are rows of one table in config.c; daemon/linkages.yaml
 * shows and explains each of them.
 */
#ifndef LINKAGES_CONFIG_H
#define LINKAGES_CONFIG_H

#include <linkages/event.h>

#define CONFIG_PATH_MAX 1024   /* bytes, NUL included */
#define CONFIG_ADDRESS_MAX 256 /* bytes, NUL included */

/* C(enumerator, key under `lanes`, address where none is given). The control lane's is made from runtime_directory. `rotation.…` are the
 * second addresses, for as long as clients move to another key of ours; empty: none. */
#define CONFIG_LANES(C) \
	C(LANE_FEED, "feed", "tcp://127.0.0.1:5561") \
	C(LANE_INTAKE, "intake", "tcp://127.0.0.1:5562") \
	C(LANE_INBOX, "inbox", "tcp://127.0.0.1:5563") \
	C(LANE_CONTROL, "control", "") \
	C(LANE_SECOND_FEED, "rotation.feed", "") \
	C(LANE_SECOND_INTAKE, "rotation.intake", "") \
	C(LANE_SECOND_INBOX, "rotation.inbox", "")
#define CONFIG_LANE(name, word, address) name,
enum config_lane { CONFIG_LANES(CONFIG_LANE) LANE_COUNT };

enum config_clock { CLOCK_REAL, CLOCK_MANUAL };
enum config_log { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARNING, LOG_LEVEL_ERROR };

struct config_source {
	char name[65]; /* 1..64 of A-Za-z0-9._- */
	int agency;    /* lk_agency */
	bool dense;    /* `sequence: dense`: its own sequence has no gaps, so that one on the feed lane is told of */
	bool watched;  /* its silence is told of */
};

struct config {
	char state_directory[CONFIG_PATH_MAX];   /* linkages.db, keys: kept */
	char runtime_directory[CONFIG_PATH_MAX]; /* the control socket: gone after a boot */
	char policy[CONFIG_PATH_MAX];            /* empty: the built-in policy */
	char clients[CONFIG_PATH_MAX];           /* the table of clients; `clients.yaml` in state_directory */
	char server_key[CONFIG_PATH_MAX];        /* server.key of systemd's credentials; else `keys.server`; else of state_directory */
	char second_key[CONFIG_PATH_MAX];        /* `rotation.key`: the key of the second addresses; empty: there are none */
	char lane[LANE_COUNT][CONFIG_ADDRESS_MAX]; /* ZeroMQ endpoints to bind */
	char http[CONFIG_ADDRESS_MAX];           /* `lanes.http`: tcp://ADDRESS:PORT, loopback; empty: off */
	struct config_source *sources;           /* in the order of the file; names are unique */
	size_t sources_n;
	enum config_clock clock;
	int64_t replay_window_us; /* `intake.replay_window`: a scrubbed event older than this may leave its outbox */
	int64_t keep_mailbox_us;  /* `retention.mailbox`: notices that are older leave the front of their mailbox */
	int64_t keep_letters_us;  /* `retention.dead_letters`: likewise */
	int64_t intake_credit;    /* `intake.credit`: events a publisher may have sent beyond `upto` */
	int64_t disk_reserve;    /* `intake.disk_reserve`: bytes; with no more free, no events are asked for */
	enum config_log log_level;
};

/* Reads a configuration file over the embedded default; path NULL: the embedded default alone (loopback lanes, sources
 * cws-cms and cws-cares of cws and calsaws of calworks, real clock). A file's `sources` replace the default ones.
 * Relative paths in a file are taken from the file's folder. Directories that are not given come from
 * $STATE_DIRECTORY, else $XDG_STATE_HOME/linkages, else ~/.local/state/linkages; and from $RUNTIME_DIRECTORY, else
 * $XDG_RUNTIME_DIR/linkages, else the state directory. Nothing is created and no other file is opened.
 * 0: *out is filled; give it back with config_free(). LK_ECONFIG (err names file, line, column, key and reason),
 * LK_ENOTFOUND (no such file), LK_EMEMORY: *out is untouched, so that a reload that is refused keeps the old one. */
int config_load(const char *path, struct config *out, struct lk_error *err) LK_MUST_CHECK;

/* The same for text in memory; name stands for the file in complaints and its folder for the relative paths. */
int config_parse(const char *name, const char *text, size_t len, struct config *out,
		 struct lk_error *err) LK_MUST_CHECK;

/* Gives back what config_load() took; *config is zeroes afterwards. A config of zeroes and NULL are fine. */
void config_free(struct config *config);

const struct config_source *config_find_source(const struct config *config, struct lk_text name); /* or NULL */
const char *config_lane_word(enum config_lane lane); /* "feed", … */
/* Nobody outside this machine can reach the address: ipc, or tcp on 127.0.0.0/8 or [::1]. */
bool config_is_local(const char *address);
bool config_lane_is_local(const struct config *config, enum config_lane lane); /* or it has no address */

#endif
