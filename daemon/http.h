/* http.h - metrics and health, as plain HTTP on loopback: /metrics, /healthz, /readyz. protocol.md, "Lanes".
 *
 * GET and HEAD, one request a connection, small, within a deadline; connections above a limit are closed at once. What is
 * told are numbers and codes; nothing here changes anything. One thread.
 */
#ifndef LINKAGES_HTTP_H
#define LINKAGES_HTTP_H

#include <linkages/base.h>

struct http;
struct loop;

struct http_options {
	struct loop *loop;
	const char *endpoint; /* tcp://ADDRESS:PORT */
	/* Before the metrics are told: brings those up to date that are looked at, not counted. */
	void (*measure)(void *context);
	/* What keeps the daemon from being ready, as a word; NULL: it is. */
	const char *(*obstacle)(void *context);
	void *context;
};

/* LK_ENET where the address cannot be had; err says what to do. */
int http_create(const struct http_options *options, struct http **out,
		struct lk_error *err) LK_MUST_CHECK;
void http_destroy(struct http *http); /* NULL-safe; ends all connections */

#endif
