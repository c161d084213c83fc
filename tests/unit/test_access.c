/* test_access.c - sockets in a loop, and who is let in: real libzmq, real CURVE, in one process.
 *
 * In: lanes as the daemon makes them, and some that lack a guard. Out: messages, proofs. Promise:
 * as zsock.h and access.h say; a lane without its guard is found by the proof.
 */
#include "access.h"
#include "keys.h"
#include "log.h"
#include "loop.h"
#include "zsock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>
#include <cmocka.h>

struct fixture {
	struct loop *loop;
	struct zsock_context *context;
	struct access *access;
	struct zsock *lane;
	struct loop_timer *timer; /* NULL, or due with the first message */
	struct key_pair server, client;
	int received, wanted, ticks;
	char user[128];
	uint8_t route[5]; /* of the last message */
};

static struct roster *roster_of(const struct key_pair *client)
{
	char text[256];
	struct roster *roster;

	snprintf(text, sizeof(text),
		 "- name: a\n  key: '%s'\n  role: publisher\n  sources: [calsaws]\n",
		 client->public_key);
	assert_int_equal(roster_parse("test", text, strlen(text), &roster, NULL), 0);
	return roster;
}

static bool receive(void *owner, const struct zsock_message *m)
{
	struct fixture *f = owner;
	struct zsock_part reply[] = { m->part[0], { "yes", 3 } };

	snprintf(f->user, sizeof(f->user), "%s", m->user != NULL ? m->user : "");
	assert_int_equal(m->part[0].len, sizeof(f->route));
	memcpy(f->route, m->part[0].at, sizeof(f->route));
	/* The client takes no reply: its queue may be full, and the edge is swallowed all the same. */
	int rc = zsock_send(f->lane, reply, 2);
	assert_true(rc == 0 || rc == LK_ESTATE);
	f->received++;
	if (f->received == 1 && f->timer != NULL)
		loop_timer_in(f->timer, 0);
	if (f->received == f->wanted)
		loop_stop(f->loop, 0);
	return true;
}

static void make_lane(struct fixture *f, const struct key_pair *keys, size_t bite)
{
	const struct zsock_options options = {
		.place = { .loop = f->loop,
			   .context = f->context,
			   .endpoint = "tcp://127.0.0.1:*",
			   .keys = keys },
		.name = "test",
		.kind = ZSOCK_ROUTER,
		.parts = 2,
		.bite = bite,
		.receive = receive,
		.owner = f,
	};
	assert_int_equal(zsock_create(&options, &f->lane, NULL), 0);
}

static void setup(struct fixture *f)
{
	*f = (struct fixture){ 0 };
	log_open(LOG_ERROR);
	assert_int_equal(keys_make(&f->server, NULL), 0);
	assert_int_equal(keys_make(&f->client, NULL), 0);
	assert_int_equal(loop_create(&f->loop, NULL), 0);
	assert_int_equal(zsock_begin(&f->context, NULL), 0);
}

static void guard(struct fixture *f)
{
	assert_int_equal(
		access_create(f->loop, f->context, roster_of(&f->client), &f->access, NULL), 0);
}

static void teardown(struct fixture *f)
{
	zsock_destroy(f->lane);
	access_destroy(f->access);
	zsock_end(f->context);
	loop_destroy(f->loop);
}

static void *connect_client(struct fixture *f, void *context)
{
	void *socket = zmq_socket(context, ZMQ_DEALER);
	const int none = 0;

	zmq_setsockopt(socket, ZMQ_LINGER, &none, sizeof(none));
	zmq_setsockopt(socket, ZMQ_SNDHWM, &none, sizeof(none));
	zmq_setsockopt(socket, ZMQ_RCVHWM, &none, sizeof(none));
	zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, f->server.public_key, KEY_TEXT);
	zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, f->client.public_key, KEY_TEXT);
	zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, f->client.secret_key, KEY_TEXT);
	assert_int_equal(zmq_connect(socket, zsock_endpoint(f->lane)), 0);
	return socket;
}

static void tick(void *context)
{
	struct fixture *f = context;

	f->ticks++;
}

/* Each bite is smaller than what waits, and each message is answered: the edge is lost again and
 * again. */
static void nothing_waits_for_an_edge_that_was_swallowed(void **state)
{
	struct fixture f;
	void *context = zmq_ctx_new(), *socket;

	(void)state;
	setup(&f);
	guard(&f);
	make_lane(&f, &f.server, 3);
	f.wanted = 2000;
	socket = connect_client(&f, context);
	for (int i = 0; i < f.wanted; i++)
		assert_int_equal(zmq_send(socket, "hello", 5, 0), 5);
	assert_int_equal(loop_timer_create(f.loop, LOOP_PROMPT, tick, &f, &f.timer, NULL), 0);
	assert_int_equal(loop_run(f.loop, NULL), 0);
	assert_int_equal(f.received, f.wanted);
	assert_int_equal(f.ticks, 1); /* a timer had its turn between the bites */
	loop_timer_destroy(f.timer);
	zmq_close(socket);
	zmq_ctx_term(context);
	teardown(&f);
}

static void the_sender_is_known_by_its_key(void **state)
{
	struct fixture f;
	void *context = zmq_ctx_new(), *socket;
	const struct roster_client *client;
	char forged[128];

	(void)state;
	setup(&f);
	guard(&f);
	make_lane(&f, &f.server, 16);
	f.wanted = 1;
	socket = connect_client(&f, context);
	assert_int_equal(zmq_send(socket, "hello", 5, 0), 5);
	assert_int_equal(loop_run(f.loop, NULL), 0);
	client = access_who(f.access, f.user);
	assert_non_null(client);
	assert_string_equal(client->name, "a");

	assert_null(access_who(f.access, NULL));
	assert_null(access_who(f.access, ""));
	assert_null(access_who(f.access, f.client.public_key));
	snprintf(forged, sizeof(forged), "%s", f.user);
	forged[0] = forged[0] == '0' ? '1' : '0'; /* another boot's secret */
	assert_null(access_who(f.access, forged));

	access_swap(f.access, roster_of(&f.server));
	assert_null(access_who(f.access, f.user));
	zmq_close(socket);
	zmq_ctx_term(context);
	teardown(&f);
}

static void a_guarded_lane_is_proved(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f);
	guard(&f);
	make_lane(&f, &f.server, 16);
	assert_int_equal(access_prove(f.access, f.lane, zsock_endpoint(f.lane), f.server.public_key,
				      NULL),
			 0);
	teardown(&f);
}

/* Planted: a lane without keys. A stranger is not let in as CURVE, but nobody asked us either. */
static void a_lane_without_curve_is_found(void **state)
{
	struct fixture f;
	struct lk_error err;

	(void)state;
	setup(&f);
	guard(&f);
	make_lane(&f, NULL, 16);
	assert_int_equal(access_prove(f.access, f.lane, zsock_endpoint(f.lane), f.server.public_key,
				      &err),
			 LK_EAUTH);
	teardown(&f);
}

/* A client of the enrolled key that watches how its handshake ends. */
struct watched {
	void *context, *socket, *monitor;
};

static void watch_client(struct fixture *f, struct watched *w)
{
	w->context = zmq_ctx_new();
	w->socket = connect_client(f, w->context);
	zmq_disconnect(w->socket, zsock_endpoint(f->lane));
	assert_int_equal(zmq_socket_monitor(w->socket, "inproc://m",
					    ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED |
						    ZMQ_EVENT_HANDSHAKE_FAILED_AUTH |
						    ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |
						    ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL),
			 0);
	w->monitor = zmq_socket(w->context, ZMQ_PAIR);
	assert_int_equal(zmq_connect(w->monitor, "inproc://m"), 0);
	assert_int_equal(zmq_connect(w->socket, zsock_endpoint(f->lane)), 0);
}

/* Waits, as libzmq does by itself: its handshake interval is three seconds. */
static int outcome_of(struct watched *w)
{
	uint8_t head[16], address[256];
	uint16_t happened;

	assert_true(zmq_recv(w->monitor, head, sizeof(head), 0) >= 2);
	assert_true(zmq_recv(w->monitor, address, sizeof(address), 0) >= 0);
	memcpy(&happened, head, sizeof(happened));
	zmq_socket_monitor(w->socket, NULL, 0);
	zmq_close(w->socket);
	zmq_close(w->monitor);
	zmq_ctx_term(w->context);
	return happened;
}

/* Planted: keys, and no ZAP handler. With the domain enforced libzmq keeps everybody out rather
 * than letting all in. */
static void without_a_handler_nobody_gets_in(void **state)
{
	struct fixture f;
	struct watched w;

	(void)state;
	setup(&f);
	make_lane(&f, &f.server, 16);
	watch_client(&f, &w);
	assert_int_not_equal(outcome_of(&w), ZMQ_EVENT_HANDSHAKE_SUCCEEDED);
	teardown(&f);
}

/* Planted: the handler goes away while the lane serves. Who is enrolled does not get in either. */
static void when_the_handler_has_gone_nobody_gets_in(void **state)
{
	struct fixture f;
	struct watched w;

	(void)state;
	setup(&f);
	guard(&f);
	make_lane(&f, &f.server, 16);
	assert_int_equal(access_prove(f.access, f.lane, zsock_endpoint(f.lane), f.server.public_key,
				      NULL),
			 0);
	access_destroy(f.access);
	f.access = NULL;
	watch_client(&f, &w);
	assert_int_not_equal(outcome_of(&w), ZMQ_EVENT_HANDSHAKE_SUCCEEDED);
	teardown(&f);
}

/* Planted: the handler answers nobody. Who is in is served, who knocks is not let in. */
static void a_handler_that_is_slow_delays_only_those_who_knock(void **state)
{
	struct fixture f;
	struct watched w;
	void *context = zmq_ctx_new(), *inside;

	(void)state;
	setup(&f);
	guard(&f);
	make_lane(&f, &f.server, 16);
	f.wanted = 1;
	inside = connect_client(&f, context);
	assert_int_equal(zmq_send(inside, "hello", 5, 0), 5);
	assert_int_equal(loop_run(f.loop, NULL), 0);
	watch_client(&f, &w);
	assert_int_equal(zmq_send(inside, "again", 5, 0), 5);
	while (f.received < 2) /* the lane is looked at, the handler is not */
		zsock_look(f.lane);
	assert_int_not_equal(outcome_of(&w), ZMQ_EVENT_HANDSHAKE_SUCCEEDED);
	zmq_close(inside);
	zmq_ctx_term(context);
	teardown(&f);
}

/* libzmq counts routing ids up from a random number; unseeded, it is the same in every run. */
static void routing_ids_differ_between_runs(void **state)
{
	uint8_t first[2][5];

	(void)state;
	for (int run = 0; run < 2; run++) {
		struct fixture f;
		void *context = zmq_ctx_new(), *socket;

		setup(&f);
		guard(&f);
		make_lane(&f, &f.server, 16);
		f.wanted = 1;
		socket = connect_client(&f, context);
		assert_int_equal(zmq_send(socket, "hello", 5, 0), 5);
		assert_int_equal(loop_run(f.loop, NULL), 0);
		memcpy(first[run], f.route, sizeof(f.route));
		assert_memory_not_equal(f.route, "\0\x6b\x8b\x45\x67", sizeof(f.route));
		zmq_close(socket);
		zmq_ctx_term(context);
		teardown(&f);
	}
	assert_memory_not_equal(first[0], first[1], sizeof(first[0]));
}

static void a_peer_that_is_gone_is_told_as_such(void **state)
{
	struct fixture f;
	const struct zsock_part parts[] = { { "\0abcd", 5 }, { "x", 1 } };

	(void)state;
	setup(&f);
	guard(&f);
	make_lane(&f, &f.server, 16);
	assert_int_equal(zsock_send(f.lane, parts, 2), LK_ENOTFOUND);
	teardown(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_waits_for_an_edge_that_was_swallowed),
		cmocka_unit_test(the_sender_is_known_by_its_key),
		cmocka_unit_test(a_guarded_lane_is_proved),
		cmocka_unit_test(a_lane_without_curve_is_found),
		cmocka_unit_test(without_a_handler_nobody_gets_in),
		cmocka_unit_test(when_the_handler_has_gone_nobody_gets_in),
		cmocka_unit_test(a_handler_that_is_slow_delays_only_those_who_knock),
		cmocka_unit_test(routing_ids_differ_between_runs),
		cmocka_unit_test(a_peer_that_is_gone_is_told_as_such),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
