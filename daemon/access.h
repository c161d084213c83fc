/* access.h - who is there: the ZAP handler, and what a frame's sender is believed to be.
 *
 * One in-process handler answers for every lane, before any lane is bound. The id that it hands out
 * carries a secret of this boot, so that nothing a peer wrote about itself is ever taken for it.
 * One thread.
 */
#ifndef LINKAGES_ACCESS_H
#define LINKAGES_ACCESS_H

#include "roster.h"

struct access;
struct loop;
struct zsock;
struct zsock_context;

/* Binds the handler. The roster is taken over: access frees it. */
int access_create(struct loop *loop, struct zsock_context *context, struct roster *roster,
		  struct access **out, struct lk_error *err) LK_MUST_CHECK;
void access_destroy(struct access *access); /* NULL-safe */
/* From now on this table, which is taken over; the one before is freed. Sessions are looked at
 * by their lanes. */
void access_swap(struct access *access, struct roster *roster);

/* The table in force. Borrowed until access_swap(). */
const struct roster *access_roster(const struct access *access);

/* The client whose key opened the connection that a frame came by, or NULL: no id, not ours, not
 * enrolled any more. `user` as zsock reads it from the body's frame. Borrowed until
 * access_swap(). */
const struct roster_client *access_who(struct access *access, const char *user);
/* The client that has the key now, or NULL: not enrolled, or revoked. */
const struct roster_client *access_holder(struct access *access, const uint8_t key[ROSTER_KEY]);

/* Connects to one of the endpoints that a lane is bound to, with a key made for the purpose. 0: it was kept out, by us. LK_EAUTH:
 * it was let in, or was kept out without our having been asked; the daemon may not run.
 * `server_key` in Z85. */
int access_prove(struct access *access, const struct zsock *lane, const char *endpoint,
		 const char *server_key, struct lk_error *err) LK_MUST_CHECK;

#endif
