/* access.c - ZAP (ZeroMQ RFC 27), the table of clients, and the proof at start that both are in
 * force.
 *
 * In: a public key that a peer proved to hold. Out: 200 and an id, 300 (not enrolled) or 400
 * (revoked). Promise: with no answer from here nobody gets in, and no frame is believed beyond its
 * key.
 */
#include "access.h"

#include "clock.h"
#include "keys.h"
#include "log.h"
#include "metrics.h"
#include "zsock.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#define ZAP_ENDPOINT "inproc://zeromq.zap.01"
#define SECRET_BYTES 16
#define SECRET_TEXT (2 * SECRET_BYTES)
/* "secret:key", both as text */
#define USER_MAX (SECRET_TEXT + 1 + ROSTER_KEY_TEXT)

struct access {
	struct zsock *zap;
	struct zsock_context *context;
	struct roster *roster;
	char secret[SECRET_TEXT + 1];
	uint8_t probe[ROSTER_KEY]; /* the throw-away key of a proof that is running */
	bool probe_refused;
};

/* ---- The handler ---- */

/* What a ROUTER sees of a request: routing id, delimiter, and the seven frames of RFC 27. */
enum zap_frame {
	ZAP_ROUTE,
	ZAP_DELIMITER,
	ZAP_VERSION,
	ZAP_REQUEST,
	ZAP_DOMAIN,
	ZAP_ADDRESS,
	ZAP_IDENTITY,
	ZAP_MECHANISM,
	ZAP_CREDENTIALS,
	ZAP_FRAMES,
};

struct zap_verdict {
	const char *status, *text;
	enum metric metric;
};
static const struct zap_verdict verdict_admitted = { "200", "", METRIC_ZAP_ADMITTED };
static const struct zap_verdict verdict_unknown = { "300", "not enrolled", METRIC_ZAP_UNKNOWN };
static const struct zap_verdict verdict_revoked = { "400", "revoked", METRIC_ZAP_REVOKED };
/* After 300 libzmq is silent and lets the handshake run out; after 400 it says no at once, so that a
 * start is quick. */
static const struct zap_verdict verdict_probe = { "400", "made to knock", METRIC_ZAP_PROOFS };

static bool part_says(struct zsock_part part, const char *word)
{
	return part.len == strlen(word) && memcmp(part.at, word, part.len) == 0;
}

static bool is_curve_request(const struct zsock_message *m)
{
	return part_says(m->part[ZAP_VERSION], "1.0") &&
	       part_says(m->part[ZAP_DOMAIN], ZSOCK_DOMAIN) &&
	       part_says(m->part[ZAP_MECHANISM], "CURVE") &&
	       m->part[ZAP_CREDENTIALS].len == ROSTER_KEY;
}

static const struct zap_verdict *judge(struct access *access, const struct zsock_message *m)
{
	if (!is_curve_request(m))
		return &verdict_unknown;
	const uint8_t *key = m->part[ZAP_CREDENTIALS].at;
	const struct roster_client *client = roster_find_key(access->roster, key);
	if (memcmp(key, access->probe, ROSTER_KEY) == 0) {
		access->probe_refused = true;
		return &verdict_probe;
	}
	if (client == NULL)
		return &verdict_unknown;
	return client->revoked ? &verdict_revoked : &verdict_admitted;
}

static void print_user(const struct access *access, const uint8_t *key, char out[USER_MAX])
{
	char text[ROSTER_KEY_TEXT];

	roster_key_print(key, text);
	snprintf(out, USER_MAX, "%s:%s", access->secret, text);
}

static bool zap_asked(void *owner, const struct zsock_message *m)
{
	struct access *access = owner;
	const struct zap_verdict *verdict = judge(access, m);
	char user[USER_MAX] = "";

	if (verdict == &verdict_admitted)
		print_user(access, m->part[ZAP_CREDENTIALS].at, user);
	const struct zsock_part reply[] = {
		m->part[ZAP_ROUTE],
		m->part[ZAP_DELIMITER],
		{ "1.0", 3 },
		m->part[ZAP_REQUEST],
		{ verdict->status, strlen(verdict->status) },
		{ verdict->text, strlen(verdict->text) },
		{ user, strlen(user) },
		{ "", 0 },
	};
	metric_add(verdict->metric, 1);
	/* A reply that cannot be sent is a connection that is not admitted. */
	if (zsock_send(access->zap, reply, sizeof(reply) / sizeof(*reply)) < 0)
		log_line(LOG_WARN, "zap outcome=unsent");
	return true;
}

/* ---- Who ---- */

const struct roster *access_roster(const struct access *access)
{
	return access->roster;
}

const struct roster_client *access_holder(struct access *access, const uint8_t key[ROSTER_KEY])
{
	const struct roster_client *client = roster_find_key(access->roster, key);

	return client == NULL || client->revoked ? NULL : client;
}

const struct roster_client *access_who(struct access *access, const char *user)
{
	uint8_t key[ROSTER_KEY];

	if (user == NULL || strlen(user) != USER_MAX - 1 || user[SECRET_TEXT] != ':')
		return NULL;
	if (sodium_memcmp(user, access->secret, SECRET_TEXT) != 0)
		return NULL;
	if (roster_key_parse(lk_text_of(user + SECRET_TEXT + 1), key) < 0)
		return NULL;
	return access_holder(access, key);
}

void access_swap(struct access *access, struct roster *roster)
{
	roster_free(access->roster);
	access->roster = roster;
}

/* ---- The proof ---- */

#define PROOF_MS 5000
#define PROOF_STEP_MS 10

enum proof { PROOF_PENDING, PROOF_LET_IN, PROOF_KEPT_OUT };

/* One event of a socket monitor: a frame whose first two bytes are the event, and a frame with
 * the address. */
static enum proof monitor_step(void *monitor)
{
	zmq_pollitem_t item = { .socket = monitor, .events = ZMQ_POLLIN };
	uint8_t head[16] = { 0 }, address[256];
	uint16_t event;

	if (zmq_poll(&item, 1, PROOF_STEP_MS) <= 0)
		return PROOF_PENDING;
	if (zmq_recv(monitor, head, sizeof(head), 0) < (int)sizeof(event) ||
	    zmq_recv(monitor, address, sizeof(address), 0) < 0)
		return PROOF_PENDING;
	memcpy(&event, head, sizeof(event));
	return event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED ? PROOF_LET_IN : PROOF_KEPT_OUT;
}

/* A bound wildcard address is reached by loopback. */
static void reachable(const char *bound, char *out, size_t room)
{
	static const char *const wildcards[][2] = {
		{ "tcp://0.0.0.0:", "tcp://127.0.0.1:" },
		{ "tcp://[::]:", "tcp://[::1]:" },
	};
	for (size_t i = 0; i < sizeof(wildcards) / sizeof(*wildcards); i++) {
		size_t len = strlen(wildcards[i][0]);
		if (strncmp(bound, wildcards[i][0], len) == 0) {
			snprintf(out, room, "%s%s", wildcards[i][1], bound + len);
			return;
		}
	}
	snprintf(out, room, "%s", bound);
}

/* Knocks as a peer that would otherwise be welcome: one of a wrong socket type would be turned away
 * without our being asked. */
static int knock(void *raw, const struct zsock *lane, const char *endpoint, const char *server_key,
		 const struct key_pair *pair, void **socket, void **monitor, struct lk_error *err)
{
	static const int peers[] = { [ZSOCK_ROUTER] = ZMQ_DEALER, [ZSOCK_SUB] = ZMQ_PUB };
	const int none = 0, never = -1, yes = 1;
	char address[512], events[64];

	/* Sockets close in the background, so each proof needs a name of its own. */
	snprintf(events, sizeof(events), "inproc://proof.%.8s", pair->public_key);
	*socket = zmq_socket(raw, peers[zsock_kind(lane)]);
	*monitor = zmq_socket(raw, ZMQ_PAIR);
	reachable(endpoint, address, sizeof(address));
	if (*socket == NULL || *monitor == NULL ||
	    zmq_setsockopt(*socket, ZMQ_LINGER, &none, sizeof(none)) != 0 ||
	    zmq_setsockopt(*monitor, ZMQ_LINGER, &none, sizeof(none)) != 0 ||
	    zmq_setsockopt(*socket, ZMQ_IPV6, &yes, sizeof(yes)) != 0 ||
	    zmq_setsockopt(*socket, ZMQ_RECONNECT_IVL, &never, sizeof(never)) != 0 ||
	    zmq_setsockopt(*socket, ZMQ_CURVE_SERVERKEY, server_key, KEY_TEXT) != 0 ||
	    zmq_setsockopt(*socket, ZMQ_CURVE_PUBLICKEY, pair->public_key, KEY_TEXT) != 0 ||
	    zmq_setsockopt(*socket, ZMQ_CURVE_SECRETKEY, pair->secret_key, KEY_TEXT) != 0 ||
	    zmq_socket_monitor(*socket, events,
			       ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED |
				       ZMQ_EVENT_HANDSHAKE_FAILED_AUTH |
				       ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |
				       ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL) != 0 ||
	    zmq_connect(*monitor, events) != 0 || zmq_connect(*socket, address) != 0)
		return lk_fail(err, LK_EAUTH, "cannot knock at %s: %s", address,
			       zmq_strerror(zmq_errno()));
	return 0;
}

/* Monitoring ends before the monitor does: libzmq sends its events without asking whether anyone
 * listens, and an I/O thread that waits for a listener does nothing else, for anyone, ever again. */
static void hang_up(void *socket, void *monitor)
{
	if (socket != NULL) {
		zmq_socket_monitor(socket, NULL, 0);
		zmq_close(socket);
	}
	if (monitor != NULL)
		zmq_close(monitor);
}

static bool is_settled(const struct access *access, enum proof proof)
{
	return proof == PROOF_LET_IN || (proof == PROOF_KEPT_OUT && access->probe_refused);
}

int access_prove(struct access *access, const struct zsock *lane, const char *endpoint,
		 const char *server_key, struct lk_error *err)
{
	int64_t until = clock_ticks() + PROOF_MS * INT64_C(1000);
	enum proof proof = PROOF_PENDING;
	void *socket = NULL, *monitor = NULL;
	struct key_pair pair;
	int rc = keys_make(&pair, err);

	if (rc == 0 && roster_key_parse(lk_text_of(pair.public_key), access->probe) < 0)
		rc = lk_fail(err, LK_EAUTH, "a key that was just made does not parse");
	if (rc < 0)
		return rc;
	access->probe_refused = false;
	rc = knock(zsock_raw(access->context), lane, endpoint, server_key, &pair, &socket, &monitor,
		   err);
	while (rc == 0 && !is_settled(access, proof) && clock_ticks() < until) {
		enum proof step = monitor_step(monitor);
		proof = step == PROOF_PENDING ? proof : step;
		zsock_look(access->zap);
	}
	hang_up(socket, monitor);
	if (rc == 0 && (proof != PROOF_KEPT_OUT || !access->probe_refused))
		rc = lk_fail(err, LK_EAUTH, "%s does not keep strangers out; not running",
			     endpoint);
	return rc;
}

/* ---- Life ---- */

int access_create(struct loop *loop, struct zsock_context *context, struct roster *roster,
		  struct access **out, struct lk_error *err)
{
	struct access *access = calloc(1, sizeof(*access));
	uint8_t secret[SECRET_BYTES];
	struct zsock_options options = {
		.place = { .loop = loop, .context = context, .endpoint = ZAP_ENDPOINT },
		.name = "zap",
		.kind = ZSOCK_ROUTER,
		.parts = ZAP_FRAMES,
		.bite = 64,
		.receive = zap_asked,
		.owner = access,
	};

	if (access == NULL || sodium_init() < 0) {
		free(access);
		return lk_fail(err, LK_EMEMORY, "no memory for access control");
	}
	access->context = context;
	randombytes_buf(secret, sizeof(secret));
	sodium_bin2hex(access->secret, sizeof(access->secret), secret, sizeof(secret));
	int rc = zsock_create(&options, &access->zap, err);
	if (rc < 0) {
		free(access);
		return rc;
	}
	access->roster = roster;
	*out = access;
	return 0;
}

void access_destroy(struct access *access)
{
	if (access == NULL)
		return;
	zsock_destroy(access->zap);
	roster_free(access->roster);
	sodium_memzero(access->secret, sizeof(access->secret));
	free(access);
}
