/* socketless.c - zsock.h for a test that is the other end of every lane.
 *
 * In: messages as if they had been received. Out: messages as they would be sent. Promise: a paused
 * socket hears nothing, a connection that was cut does not hold.
 */
#include "socketless.h"

#include <linkages/wire.h>
#include <stdlib.h>
#include <string.h>

#define SOCKETS_MAX 8

struct zsock_context {
	int unused;
};

struct zsock {
	struct zsock_options options;
	bool paused;
	bool keep, owes; /* the message, a call of `bitten`: once more */
};

static struct {
	struct zsock *socket[SOCKETS_MAX];
	socketless_heard *heard;
	void *context;
	bool cut[SOCKETLESS_LINES];
	int line; /* by which the present message came */
} world;

void socketless_listen(socketless_heard *heard, void *context)
{
	world.heard = heard;
	world.context = context;
	memset(world.cut, 0, sizeof(world.cut));
}

void socketless_cut(int line, bool cut)
{
	world.cut[line] = cut;
}

static struct zsock *find(const char *name)
{
	for (size_t i = 0; i < SOCKETS_MAX; i++)
		if (world.socket[i] != NULL && strcmp(world.socket[i]->options.name, name) == 0)
			return world.socket[i];
	abort();
}

static void bitten(struct zsock *zsock)
{
	zsock->owes = false;
	if (zsock->options.bitten != NULL)
		zsock->options.bitten(zsock->options.owner);
}

void socketless_say(const char *socket, const struct zsock_part *parts, size_t n, const char *user,
		    int line)
{
	struct zsock *zsock = find(socket);
	struct zsock_message message = { .n = n, .user = user };

	if (zsock->paused || n != zsock->options.parts)
		return;
	memcpy(message.part, parts, n * sizeof(*parts));
	world.line = line;
	do { /* each is a bite of its own */
		zsock->keep = false;
		(void)zsock->options.receive(zsock->options.owner, &message);
		bitten(zsock);
	} while (zsock->keep && !zsock->paused);
	while (zsock->owes && !zsock->paused)
		bitten(zsock);
}

void zsock_bite_again(struct zsock *zsock)
{
	zsock->owes = true;
}

void zsock_keep(struct zsock *zsock)
{
	zsock->keep = true;
}

int zsock_begin(struct zsock_context **out, struct lk_error *err)
{
	*out = calloc(1, sizeof(**out));
	return *out != NULL ? 0 : lk_fail(err, LK_EMEMORY, "no memory");
}

void zsock_end(struct zsock_context *context)
{
	free(context);
}

void *zsock_raw(struct zsock_context *context)
{
	return context;
}

int zsock_create(const struct zsock_options *options, struct zsock **out, struct lk_error *err)
{
	struct zsock *zsock = calloc(1, sizeof(*zsock));

	if (zsock == NULL)
		return lk_fail(err, LK_EMEMORY, "no memory");
	zsock->options = *options;
	for (size_t i = 0; i < SOCKETS_MAX; i++)
		if (world.socket[i] == NULL) {
			*out = world.socket[i] = zsock;
			return 0;
		}
	abort();
}

void zsock_destroy(struct zsock *zsock)
{
	for (size_t i = 0; i < SOCKETS_MAX; i++)
		if (world.socket[i] == zsock)
			world.socket[i] = NULL;
	free(zsock);
}

int zsock_send(struct zsock *zsock, const struct zsock_part *parts, size_t n)
{
	return world.heard(world.context, zsock->options.name, parts, n);
}

void zsock_pause(struct zsock *zsock)
{
	zsock->paused = true;
}

void zsock_resume(struct zsock *zsock)
{
	zsock->paused = false;
}

bool zsock_paused(const struct zsock *zsock)
{
	return zsock->paused;
}

void zsock_look(struct zsock *zsock)
{
	(void)zsock;
}

struct zsock_line zsock_line_of(const struct zsock_message *message)
{
	(void)message;
	return (struct zsock_line){ .fd = world.line };
}

bool zsock_line_holds(const struct zsock_line *line)
{
	return line->fd >= 0 && !world.cut[line->fd];
}

bool zsock_hang_up(const struct zsock_line *line)
{
	bool was_there = zsock_line_holds(line);

	if (was_there)
		world.cut[line->fd] = true;
	return was_there;
}

const char *zsock_endpoint(const struct zsock *zsock)
{
	return zsock->options.place.endpoint;
}

enum zsock_kind zsock_kind(const struct zsock *zsock)
{
	return zsock->options.kind;
}
