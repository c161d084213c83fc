/* test_publisher.c - the library as an agency's own program uses it: a descriptor, a wait, callbacks, key files.
 *
 * In: an outbox and a daemon's end of the intake lane, here a socket turned by hand. Out: what the caller is told.
 * Promise: clients/lib/publisher.c, asker.c, dealer.c and keys.c keep theirs; tests/system has the longer stories.
 */
#include "folder.h"

#include <linkages/client.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

static char folder[FOLDER_MAX], path[96];
static struct lk_error err;

static int setup(void **state)
{
	(void)state;
	folder_make(folder, "publisher");
	(void)snprintf(path, sizeof(path), "%s/file", folder);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	folder_drop(path);
	return rmdir(folder);
}

/* ---- A daemon's end, turned by hand ---------------------------------------------------------- */

struct end {
	void *context, *socket;
	char address[64], public_key[LK_Z85];
	uint8_t peer[8];
	int peer_len;
};

static void end_open(struct end *e)
{
	char secret[LK_Z85];
	size_t len = sizeof(e->address);
	int yes = 1, no = 0;

	e->context = zmq_ctx_new();
	e->socket = zmq_socket(e->context, ZMQ_ROUTER);
	assert_int_equal(zmq_curve_keypair(e->public_key, secret), 0);
	assert_int_equal(zmq_setsockopt(e->socket, ZMQ_CURVE_SERVER, &yes, sizeof(yes)), 0);
	assert_int_equal(zmq_setsockopt(e->socket, ZMQ_CURVE_SECRETKEY, secret, LK_Z85), 0);
	assert_int_equal(zmq_setsockopt(e->socket, ZMQ_LINGER, &no, sizeof(no)), 0);
	assert_int_equal(zmq_bind(e->socket, "tcp://127.0.0.1:*"), 0);
	assert_int_equal(zmq_getsockopt(e->socket, ZMQ_LAST_ENDPOINT, e->address, &len), 0);
}

static void end_close(struct end *e)
{
	(void)zmq_close(e->socket);
	(void)zmq_ctx_term(e->context);
}

static void end_say(struct end *e, const struct lk_message *message)
{
	struct lk_bytes body = { 0 };

	lk_message_encode(message, &body);
	assert_int_equal(zmq_send(e->socket, e->peer, (size_t)e->peer_len, ZMQ_SNDMORE),
			 e->peer_len);
	assert_int_equal(zmq_send(e->socket, body.at, body.len, 0), (int)body.len);
	lk_bytes_free(&body);
}

/* A frame, if one came. The message borrows from `frame`. */
static bool end_hear(struct end *e, unsigned takes, struct lk_message *out, uint8_t frame[4096])
{
	int len = zmq_recv(e->socket, e->peer, sizeof(e->peer), ZMQ_DONTWAIT);

	if (len < 0)
		return false;
	e->peer_len = len;
	len = zmq_recv(e->socket, frame, 4096, 0);
	assert_int_equal(lk_message_decode(frame, (size_t)len, takes, out, &err), 0);
	return true;
}

static struct lk_span empty_list(void)
{
	static const uint8_t nothing[] = { 0x90 };

	return lk_span_of(nothing, sizeof(nothing));
}

/* Greets, and acknowledges every event at once. */
static void end_turn(struct end *e)
{
	struct lk_message in, out;
	uint8_t frame[4096];

	while (end_hear(e, LK_INTAKE_TAKES, &in, frame)) {
		if (in.type == LK_MSG_PUB_HELLO) {
			out = (struct lk_message){ .type = LK_MSG_SUBSCRIBE };
			out.subscribe.epoch = in.pub_hello.epoch;
			out.subscribe.next = in.pub_hello.acked + 1;
			out.subscribe.credit = 10;
			out.subscribe.refused = empty_list();
			end_say(e, &out);
		} else if (in.type == LK_MSG_EVENT) {
			out = (struct lk_message){ .type = LK_MSG_ACK };
			out.ack.epoch = in.event_sent.epoch;
			out.ack.upto = in.event_sent.seq;
			out.ack.credit = 10;
			out.ack.refused = empty_list();
			end_say(e, &out);
		}
	}
}

/* ---- Publisher --------------------------------------------------------------------------------- */

static void on_settled(void *context, int64_t upto)
{
	*(int64_t *)context = upto;
}

static void append(struct lk_outbox *o, int n)
{
	struct lk_bytes event = { 0 };

	lk_put_map(&event, 1);
	lk_member_int(&event, "n", n);
	assert_int_equal(lk_outbox_append(o, event.at, event.len, NULL, NULL, &err), 0);
	lk_bytes_free(&event);
}

static struct lk_publisher *publisher_of(struct lk_outbox *o, const struct end *e, int64_t *settled)
{
	struct lk_publisher_options options = { .outbox = o,
						.context = settled,
						.settled = on_settled };
	struct lk_publisher *p;

	options.peer.address = e->address;
	memcpy(options.peer.server_key, e->public_key, LK_Z85);
	assert_int_equal(lk_keypair_make(&options.peer.keys, &err), 0);
	assert_int_equal(lk_publisher_create(&options, &p, &err), 0);
	return p;
}

static void waiting_ends_when_all_is_acknowledged(void **state)
{
	struct end e;
	struct lk_outbox *o;
	struct lk_publisher *p;
	struct lk_session_state session;
	int64_t settled = 0;
	int done;

	(void)state;
	end_open(&e);
	assert_int_equal(lk_outbox_open(path, "calsaws", &o, &err), 0);
	for (int n = 1; n <= 30; n++)
		append(o, n);
	p = publisher_of(o, &e, &settled);
	assert_int_equal(lk_publisher_wait(p, 0, &err), 0);
	while ((done = lk_publisher_wait(p, 10, &err)) == 0)
		end_turn(&e);
	assert_int_equal(done, 1);
	assert_int_equal(settled, 30);
	lk_publisher_state(p, &session);
	assert_true(session.connected);
	assert_string_equal(session.trouble, "");
	lk_publisher_destroy(p);
	lk_outbox_close(o);
	end_close(&e);
}

static void one_descriptor_is_all_a_loop_needs(void **state)
{
	struct end e;
	struct lk_outbox *o;
	struct lk_publisher *p;
	int64_t settled = 0;
	int fd;

	(void)state;
	end_open(&e);
	assert_int_equal(lk_outbox_open(path, "calsaws", &o, &err), 0);
	append(o, 1);
	p = publisher_of(o, &e, &settled);
	fd = lk_publisher_fd(p);
	while (settled < 1) {
		struct pollfd readable = { .fd = fd, .events = POLLIN };

		end_turn(&e);
		if (poll(&readable, 1, 10) == 1)
			assert_int_equal(lk_publisher_process(p, &err), 0);
	}
	assert_int_equal(lk_publisher_fd(p), fd);
	lk_publisher_destroy(p);
	lk_outbox_close(o);
	end_close(&e);
}

static void what_is_not_on_disk_is_not_sent(void **state)
{
	struct end e;
	struct lk_outbox *o;
	struct lk_publisher *p;
	int64_t settled = 0;

	(void)state;
	end_open(&e);
	assert_int_equal(lk_outbox_open(path, "calsaws", &o, &err), 0);
	p = publisher_of(o, &e, &settled);
	assert_int_equal(lk_outbox_begin(o, &err), 0);
	append(o, 1);
	assert_int_equal(lk_publisher_process(p, &err), LK_ESTATE);
	assert_int_equal(lk_outbox_commit(o, &err), 0);
	assert_int_equal(lk_publisher_process(p, &err), 0);
	lk_publisher_destroy(p);
	lk_outbox_close(o);
	end_close(&e);
}

static void an_address_that_is_none_is_refused(void **state)
{
	struct lk_peer peer = { .address = "nonsense" };
	struct lk_asker *asker;

	(void)state;
	assert_int_equal(lk_keypair_make(&peer.keys, &err), 0);
	memcpy(peer.server_key, peer.keys.public_key, LK_Z85);
	assert_int_equal(lk_asker_create(&peer, &asker, &err), LK_ECONFIG);
	assert_null(asker);
	peer.address = NULL;
	assert_int_equal(lk_asker_create(&peer, &asker, &err), LK_ECONFIG);
}

static int no_body(void *context, struct lk_span body)
{
	(void)context;
	(void)body;
	return 0;
}

static void a_question_to_nobody_ends_at_once(void **state)
{
	struct lk_peer peer = { 0 };
	struct lk_asker *asker;
	char address[128];

	(void)state;
	(void)snprintf(address, sizeof(address), "ipc://%s/nobody", folder);
	peer.address = address;
	assert_int_equal(lk_keypair_make(&peer.keys, &err), 0);
	memcpy(peer.server_key, peer.keys.public_key, LK_Z85);
	assert_int_equal(lk_asker_create(&peer, &asker, &err), 0);
	assert_int_equal(lk_asker_ask(asker, "status", (struct lk_span){ NULL, 0 }, 600000, no_body,
				      NULL, &err),
			 LK_ENET);
	assert_non_null(strstr(err.text, "is the daemon running?"));
	lk_asker_destroy(asker);
}

/* ---- Key files --------------------------------------------------------------------------------- */

static void a_key_file_is_private_and_never_overwritten(void **state)
{
	struct lk_keypair made, read;
	char public_key[LK_Z85];
	struct stat st;

	(void)state;
	assert_int_equal(lk_keypair_read(path, &read, &err), LK_ENOTFOUND);
	assert_int_equal(lk_keypair_make(&made, &err), 0);
	assert_int_equal(lk_keypair_write(path, &made, &err), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(lk_keypair_write(path, &made, &err), LK_ESTATE);
	assert_int_equal(lk_keypair_read(path, &read, &err), 0);
	assert_memory_equal(&read, &made, sizeof(made));
	assert_int_equal(lk_public_key_read(path, public_key, &err), 0);
	assert_string_equal(public_key, made.public_key);
	assert_int_equal(chmod(path, 0644), 0);
	assert_int_equal(lk_keypair_read(path, &read, &err), LK_ECONFIG);
}

static void keys_that_are_no_pair_are_refused(void **state)
{
	struct lk_keypair one, other, read;

	(void)state;
	assert_int_equal(lk_keypair_make(&one, &err), 0);
	assert_int_equal(lk_keypair_make(&other, &err), 0);
	memcpy(one.public_key, other.public_key, LK_Z85);
	assert_int_equal(lk_keypair_write(path, &one, &err), 0);
	assert_int_equal(lk_keypair_read(path, &read, &err), LK_ECONFIG);
}

static void a_file_without_keys_is_refused(void **state)
{
	struct lk_keypair read;
	char public_key[LK_Z85];
	int fd = open(path, O_WRONLY | O_CREAT, 0600);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "no key\n", 7), 7);
	close(fd);
	assert_int_equal(lk_keypair_read(path, &read, &err), LK_ECONFIG);
	assert_int_equal(lk_public_key_read(path, public_key, &err), LK_ECONFIG);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(waiting_ends_when_all_is_acknowledged),
		TEST(one_descriptor_is_all_a_loop_needs),
		TEST(what_is_not_on_disk_is_not_sent),
		TEST(an_address_that_is_none_is_refused),
		TEST(a_question_to_nobody_ends_at_once),
		TEST(a_key_file_is_private_and_never_overwritten),
		TEST(keys_that_are_no_pair_are_refused),
		TEST(a_file_without_keys_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
