/* place.h - where the daemon's keys, sockets and folders are, and ours: options that the tools share, and what they lead to.
 */
#ifndef LINKAGES_PLACE_H
#define LINKAGES_PLACE_H

#include "options.h"

struct place {
	const char *state;      /* --state */
	const char *config;     /* --config */
	const char *server;     /* --server */
	const char *server_key; /* --server-key */
	const char *key;        /* --key */
};

/* clang-format off */
#define PLACE_ROWS(place) \
	{ "state", 0, OPTION_TEXT, "DIR", &(place).state, \
	  "the state directory of a daemon on this machine; keys are looked for there\n" \
	  "(default: $STATE_DIRECTORY, $XDG_STATE_HOME/linkages or ~/.local/state/linkages)" }, \
	{ "config", 'c', OPTION_TEXT, "DIR", &(place).config, \
	  "the folder that `linkages-ctl init` has made; its keys come first\n" \
	  "(default: $CONFIGURATION_DIRECTORY or /etc/linkages)" }, \
	{ "server", 's', OPTION_TEXT, "ADDRESS", &(place).server, \
	  "where the daemon listens, like tcp://host:port" }, \
	{ "server-key", 0, OPTION_TEXT, "FILE", &(place).server_key, \
	  "the daemon's public key (default: server.pub in the state directory)" }, \
	{ "key", 'k', OPTION_TEXT, "FILE", &(place).key, "our own key file (default: see Files)" }
/* clang-format on */

#define PLACE_PATH 1024
/* The folder of the configuration, whether it is there or not. LK_ECONFIG: what --config names is something else. */
int place_config(const struct place *place, char out[PLACE_PATH], struct lk_error *err) LK_MUST_CHECK;
/* linkages.yaml in it. */
int place_config_file(const struct place *place, char out[PLACE_PATH],
		      struct lk_error *err) LK_MUST_CHECK;
/* The state directory, whether it is there or not. 0, or LK_ECONFIG where nothing tells. */
int place_state(const struct place *place, char out[PLACE_PATH],
		struct lk_error *err) LK_MUST_CHECK;
/* A file of ours: <state directory>-clients/NAME.SUFFIX. Makes the folder (0700). */
int place_own(const struct place *place, const char *name, const char *suffix, char out[PLACE_PATH],
	      struct lk_error *err) LK_MUST_CHECK;
/* The daemon at --server, or at `address`; with --key, or else the first of names[0..n) that is at keys/NAME.key in the
 * folder of --config, in the state directory, or, where neither was named, in the configuration's usual folder.
 * server.pub is looked for likewise. `out` borrows the address. */
int place_peer(const struct place *place, const char *address, const char *const *names, size_t n,
	       struct lk_peer *out, struct lk_error *err) LK_MUST_CHECK;
/* The control lane's address: --server; else the first socket named 'control' at which somebody listens, or else the first
 * at all, in the run folder of --config, in the state directory (where --state is given), $RUNTIME_DIRECTORY,
 * $XDG_RUNTIME_DIR/linkages, the state directory, /run/linkages. */
int place_control(const struct place *place, char out[PLACE_PATH],
		  struct lk_error *err) LK_MUST_CHECK;

#endif
