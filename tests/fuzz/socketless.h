/* socketless.h - the socket adaptor of the daemon without sockets: a test is the other end of every lane.
 *
 * It takes the place of daemon/zsock.c at linking; all else that is linked is what runs. One thread.
 */
#ifndef LINKAGES_SOCKETLESS_H
#define LINKAGES_SOCKETLESS_H

#include "zsock.h"

/* Called for each message that the daemon sends; what it returns is what zsock_send() returns. */
typedef int socketless_heard(void *context, const char *socket, const struct zsock_part *parts,
			     size_t n);
void socketless_listen(socketless_heard *heard, void *context);

/* One message to the socket of that name, then the end of a bite; nothing if the socket is paused
 * or wants another number of parts. `user` is what ZAP would have said, `line` the number of the
 * connection, below SOCKETLESS_LINES. */
#define SOCKETLESS_LINES 16
void socketless_say(const char *socket, const struct zsock_part *parts, size_t n, const char *user,
		    int line);
/* The connection is gone, or there is one of that number again. */
void socketless_cut(int line, bool cut);

#endif
