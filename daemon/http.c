/* http.c - three pages for machines.
 *
 * In: requests of Prometheus and of load balancers. Out: an answer each, and the end of the connection. Promise: a peer
 * that sends too much, too slowly or too often costs 4 KiB and five seconds; that an answer comes proves that the loop
 * turns.
 */
#include "http.h"

#include "loop.h"
#include "metrics.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <event2/util.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define CONNECTIONS_MAX 32
#define REQUEST_MAX 4096
#define DEADLINE_US (5 * LK_SECOND)
#define METHOD_MAX 8
#define PATH_MAX_BYTES 64

struct connection {
	struct connection *next, **from; /* in the list of all */
	struct http *http;
	struct bufferevent *stream;
	struct loop_timer *deadline;
	bool answered;
	bool deaf; /* the peer says no more */
};

struct http {
	struct http_options options;
	struct evconnlistener *listener;
	struct connection *connections;
	size_t connections_n;
};

/* ---- Pages ---- */

struct page {
	const char *path;
	/* Appends the body; the status. */
	int (*make)(struct http *http, struct lk_bytes *body);
};

static void say(struct lk_bytes *body, const char *text)
{
	lk_bytes_add(body, text, strlen(text));
}

static int page_metrics(struct http *http, struct lk_bytes *body)
{
	http->options.measure(http->options.context);
	metrics_print(body);
	return 200;
}

static int page_health(struct http *http, struct lk_bytes *body)
{
	(void)http;
	say(body, "the loop turns\n");
	return 200;
}

static int page_ready(struct http *http, struct lk_bytes *body)
{
	const char *obstacle = http->options.obstacle(http->options.context);

	say(body, obstacle == NULL ? "ready" : obstacle);
	say(body, "\n");
	return obstacle == NULL ? 200 : 503;
}

static const struct page pages[] = {
	{ "/metrics", page_metrics },
	{ "/healthz", page_health },
	{ "/readyz", page_ready },
};

static const char *reason_of(int status)
{
	static const struct {
		int status;
		const char *reason;
	} reasons[] = {
		{ 200, "OK" },
		{ 400, "Bad Request" },
		{ 404, "Not Found" },
		{ 405, "Method Not Allowed" },
		{ 431, "Request Header Fields Too Large" },
		{ 503, "Service Unavailable" },
	};
	size_t i = 0;

	while (reasons[i].status != status)
		i++;
	return reasons[i].reason;
}

/* ---- One connection ---- */

static void connection_end(struct connection *c)
{
	*c->from = c->next;
	if (c->next != NULL)
		c->next->from = c->from;
	c->http->connections_n--;
	loop_timer_destroy(c->deadline);
	bufferevent_free(c->stream);
	free(c);
}

static void overdue(void *context)
{
	struct connection *c = context;

	if (!c->answered)
		metric_add(METRIC_HTTP_TURNED_AWAY, 1);
	connection_end(c);
}

static void answer(struct connection *c, int status, const struct lk_bytes *body, bool with_body)
{
	struct evbuffer *out = bufferevent_get_output(c->stream);
	char labels[16];

	(void)snprintf(labels, sizeof(labels), "code=\"%d\"", status);
	metric_add_to(METRIC_HTTP_REQUESTS, labels, 1);
	c->answered = true;
	evbuffer_add_printf(out,
			    "HTTP/1.1 %d %s\r\n"
			    "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
			    "Content-Length: %zu\r\n"
			    "Cache-Control: no-store\r\n"
			    "%sConnection: close\r\n\r\n",
			    status, reason_of(status), body->len,
			    status == 405 ? "Allow: GET, HEAD\r\n" : "");
	if (with_body)
		evbuffer_add(out, body->at, body->len);
}

static const struct page *page_find(const char *path)
{
	for (size_t i = 0; i < sizeof(pages) / sizeof(*pages); i++)
		if (strcmp(path, pages[i].path) == 0)
			return &pages[i];
	return NULL;
}

/* "GET /metrics?x HTTP/1.1": the method, and the path up to the question mark. */
static bool request_parse(const char *line, char method[METHOD_MAX], char path[PATH_MAX_BYTES])
{
	return sscanf(line, "%7[A-Z] %63[^ ?]", method, path) == 2 &&
	       strstr(line, " HTTP/1.") != NULL;
}

static void respond(struct connection *c, const char *line)
{
	char method[METHOD_MAX] = "", path[PATH_MAX_BYTES] = "";
	bool understood = request_parse(line, method, path);
	bool is_head = strcmp(method, "HEAD") == 0;
	const struct page *page = page_find(path);
	struct lk_bytes body = { 0 };
	int status = 400;

	if (understood && !is_head && strcmp(method, "GET") != 0)
		status = 405;
	else if (understood && page == NULL)
		status = 404;
	else if (understood)
		status = page->make(c->http, &body);
	if (body.failed)
		status = 503;
	if (status >= 400 && status != 503)
		say(&body, "/metrics, /healthz, /readyz\n");
	answer(c, status, &body, !is_head);
	lk_bytes_free(&body);
}

/* After the answer the peer is still read, and not listened to: closing with bytes unread would take the answer back. */
static void readable(struct bufferevent *stream, void *context)
{
	struct connection *c = context;
	struct evbuffer *in = bufferevent_get_input(stream);
	struct lk_bytes none = { 0 };
	char *line;

	if (c->answered) {
		evbuffer_drain(in, evbuffer_get_length(in));
		return;
	}
	if (evbuffer_search(in, "\r\n\r\n", 4, NULL).pos >= 0) {
		line = evbuffer_readln(in, NULL, EVBUFFER_EOL_CRLF);
		if (line != NULL)
			respond(c, line);
		free(line);
	} else if (evbuffer_get_length(in) >= REQUEST_MAX) {
		answer(c, 431, &none, true);
	}
}

/* All of the answer has left. */
static void written(struct bufferevent *stream, void *context)
{
	struct connection *c = context;

	if (c->deaf)
		connection_end(c);
	else if (c->answered)
		(void)shutdown(bufferevent_getfd(stream), SHUT_WR);
}

/* A peer that has said all it will may still want to hear the answer. */
static void happened(struct bufferevent *stream, short what, void *context)
{
	struct connection *c = context;

	c->deaf = (what & BEV_EVENT_EOF) != 0 && c->answered &&
		  evbuffer_get_length(bufferevent_get_output(stream)) > 0;
	if (!c->deaf)
		connection_end(c);
}

/* NULL: no memory, and the descriptor is still the caller's. */
static struct connection *connection_make(struct http *http, evutil_socket_t fd)
{
	struct loop *loop = http->options.loop;
	struct connection *c = calloc(1, sizeof(*c));

	if (c == NULL || loop_timer_create(loop, LOOP_PROMPT, overdue, c, &c->deadline, NULL) < 0) {
		free(c);
		return NULL;
	}
	c->stream = bufferevent_socket_new(loop_base(loop), fd, BEV_OPT_CLOSE_ON_FREE);
	if (c->stream == NULL) {
		loop_timer_destroy(c->deadline);
		free(c);
		return NULL;
	}
	c->http = http;
	bufferevent_setwatermark(c->stream, EV_READ, 0, REQUEST_MAX);
	bufferevent_setcb(c->stream, readable, written, happened, c);
	return c;
}

static void accepted(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *address,
		     int len, void *context)
{
	struct http *http = context;
	struct connection *c =
		http->connections_n < CONNECTIONS_MAX ? connection_make(http, fd) : NULL;

	(void)listener;
	(void)address;
	(void)len;
	if (c == NULL) {
		metric_add(METRIC_HTTP_TURNED_AWAY, 1);
		evutil_closesocket(fd);
		return;
	}
	c->next = http->connections;
	c->from = &http->connections;
	if (c->next != NULL)
		c->next->from = &c->next;
	http->connections = c;
	http->connections_n++;
	loop_timer_in(c->deadline, DEADLINE_US);
	(void)bufferevent_enable(c->stream, EV_READ | EV_WRITE);
}

/* ---- Life ---- */

static int listen_on(struct http *http, struct lk_error *err)
{
	const char *endpoint = http->options.endpoint;
	struct sockaddr_storage address;
	int len = sizeof(address);

	if (evutil_parse_sockaddr_port(endpoint + strlen("tcp://"), (struct sockaddr *)&address,
				       &len) < 0)
		return lk_fail(err, LK_ENET, "lanes.http: %s is no address", endpoint);
	http->listener = evconnlistener_new_bind(loop_base(http->options.loop), accepted, http,
						 LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC |
							 LEV_OPT_REUSEABLE,
						 CONNECTIONS_MAX, (struct sockaddr *)&address, len);
	if (http->listener == NULL)
		return lk_fail(err, LK_ENET,
			       "lanes.http: cannot listen at %s: %s; name another port, or off",
			       endpoint, strerror(errno));
	return 0;
}

int http_create(const struct http_options *options, struct http **out, struct lk_error *err)
{
	struct http *http = calloc(1, sizeof(*http));
	int rc;

	if (http == NULL)
		return lk_fail(err, LK_EMEMORY, "no memory for the http lane");
	http->options = *options;
	rc = listen_on(http, err);
	if (rc < 0)
		http_destroy(http);
	else
		*out = http;
	return rc;
}

void http_destroy(struct http *http)
{
	struct connection *next;

	if (http == NULL)
		return;
	for (struct connection *c = http->connections; c != NULL; c = next) {
		next = c->next;
		connection_end(c);
	}
	if (http->listener != NULL)
		evconnlistener_free(http->listener);
	free(http);
}
