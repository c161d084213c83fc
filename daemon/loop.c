/* loop.c - libevent, behind verbs of our own.
 *
 * In: descriptors, instants, signals. Out: calls, one at a time. Promise: whatever is set again
 * with no delay comes back by a timer and not by event_active(), which libevent 2.1 would run
 * before it polls again (measured: 385 ms without a tick of any other timer); so nobody starves
 * anybody.
 */
#include "loop.h"

#include <event2/event.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#define PRIORITIES 2
#define SIGNALS_MAX 8

struct loop_signal {
	struct event *event;
	loop_call *call;
	void *context;
};

struct loop {
	struct event_base *base;
	struct loop_signal signals[SIGNALS_MAX];
	size_t signals_n;
	bool stopped;
	int status;
};

struct loop_timer {
	struct event *event;
	loop_call *call;
	void *context;
};

struct loop_watch {
	struct event *event;
	loop_call *call;
	void *context;
};

int loop_create(struct loop **out, struct lk_error *err)
{
	struct loop *loop = calloc(1, sizeof(*loop));

	if (loop == NULL)
		return lk_fail(err, LK_EMEMORY, "no memory for the loop");
	loop->base = event_base_new();
	if (loop->base == NULL || event_base_priority_init(loop->base, PRIORITIES) < 0) {
		loop_destroy(loop);
		return lk_fail(err, LK_EMEMORY, "libevent gives no event base");
	}
	*out = loop;
	return 0;
}

void loop_destroy(struct loop *loop)
{
	if (loop == NULL)
		return;
	for (size_t i = 0; i < loop->signals_n; i++)
		event_free(loop->signals[i].event);
	if (loop->base != NULL)
		event_base_free(loop->base);
	free(loop);
}

int loop_run(struct loop *loop, struct lk_error *err)
{
	if (event_base_dispatch(loop->base) < 0)
		return lk_fail(err, LK_ENET, "the event loop failed");
	return loop->status;
}

void loop_stop(struct loop *loop, int status)
{
	if (!loop->stopped)
		loop->status = status;
	loop->stopped = true;
	event_base_loopbreak(loop->base);
}

/* ---- Timers ---- */

static void timer_fired(evutil_socket_t fd, short what, void *context)
{
	struct loop_timer *timer = context;

	(void)fd;
	(void)what;
	timer->call(timer->context);
}

int loop_timer_create(struct loop *loop, enum loop_class class, loop_call *call, void *context,
		      struct loop_timer **out, struct lk_error *err)
{
	struct loop_timer *timer = calloc(1, sizeof(*timer));

	if (timer == NULL)
		return lk_fail(err, LK_EMEMORY, "no memory for a timer");
	*timer = (struct loop_timer){ .call = call, .context = context };
	timer->event = event_new(loop->base, -1, 0, timer_fired, timer);
	if (timer->event == NULL ||
	    event_priority_set(timer->event, class == LOOP_IDLE ? 1 : 0) < 0) {
		loop_timer_destroy(timer);
		return lk_fail(err, LK_EMEMORY, "libevent gives no timer");
	}
	*out = timer;
	return 0;
}

void loop_timer_destroy(struct loop_timer *timer)
{
	if (timer == NULL)
		return;
	if (timer->event != NULL)
		event_free(timer->event);
	free(timer);
}

void loop_timer_in(struct loop_timer *timer, int64_t us)
{
	struct timeval tv = { .tv_sec = us / LK_SECOND, .tv_usec = us % LK_SECOND };

	event_add(timer->event, &tv);
}

void loop_timer_cancel(struct loop_timer *timer)
{
	event_del(timer->event);
}

bool loop_timer_set(const struct loop_timer *timer)
{
	return event_pending(timer->event, EV_TIMEOUT, NULL) != 0;
}

/* ---- Descriptors and signals ---- */

static void watch_fired(evutil_socket_t fd, short what, void *context)
{
	struct loop_watch *watch = context;

	(void)fd;
	(void)what;
	watch->call(watch->context);
}

int loop_watch_create(struct loop *loop, int fd, loop_call *call, void *context,
		      struct loop_watch **out, struct lk_error *err)
{
	struct loop_watch *watch = calloc(1, sizeof(*watch));

	if (watch == NULL)
		return lk_fail(err, LK_EMEMORY, "no memory to watch a descriptor");
	*watch = (struct loop_watch){ .call = call, .context = context };
	watch->event = event_new(loop->base, fd, EV_READ | EV_PERSIST, watch_fired, watch);
	if (watch->event == NULL || event_priority_set(watch->event, 0) < 0 ||
	    event_add(watch->event, NULL) < 0) {
		loop_watch_destroy(watch);
		return lk_fail(err, LK_ENET, "libevent cannot watch a descriptor");
	}
	*out = watch;
	return 0;
}

void loop_watch_destroy(struct loop_watch *watch)
{
	if (watch == NULL)
		return;
	if (watch->event != NULL)
		event_free(watch->event);
	free(watch);
}

void loop_watch_pause(struct loop_watch *watch)
{
	event_del(watch->event);
}

void loop_watch_resume(struct loop_watch *watch)
{
	event_add(watch->event, NULL);
}

static void signal_fired(evutil_socket_t signal, short what, void *context)
{
	struct loop_signal *handler = context;

	(void)signal;
	(void)what;
	handler->call(handler->context);
}

int loop_signal(struct loop *loop, int signal, loop_call *call, void *context, struct lk_error *err)
{
	struct loop_signal *handler = &loop->signals[loop->signals_n];

	if (loop->signals_n == SIGNALS_MAX)
		return lk_fail(err, LK_ESTATE, "more signals than the loop has room for");
	*handler = (struct loop_signal){ .call = call, .context = context };
	handler->event = evsignal_new(loop->base, signal, signal_fired, handler);
	if (handler->event == NULL || event_priority_set(handler->event, 0) < 0 ||
	    event_add(handler->event, NULL) < 0)
		return lk_fail(err, LK_ENET, "libevent cannot wait for signal %d", signal);
	loop->signals_n++;
	return 0;
}

/* ---- systemd ---- */

struct event_base *loop_base(struct loop *loop)
{
	return loop->base;
}

int64_t loop_watchdog_us(void)
{
	uint64_t limit_us = 0;

	return sd_watchdog_enabled(0, &limit_us) > 0 ? (int64_t)(limit_us / 3) : 0;
}

void loop_tell_alive(void)
{
	sd_notify(0, "WATCHDOG=1");
}

void loop_tell_ready(const char *status)
{
	sd_notifyf(0, "READY=1\nSTATUS=%s", status);
}

void loop_tell_status(const char *format, ...)
{
	char text[256];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	sd_notifyf(0, "STATUS=%s", text);
}

/* systemd from 253 on wants the instant together with RELOADING; older ones ignore it. */
void loop_tell_reloading(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	int64_t us = (int64_t)ts.tv_sec * LK_SECOND + ts.tv_nsec / 1000;
	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRId64, us);
}

void loop_tell_reloaded(const char *status)
{
	sd_notifyf(0, "READY=1\nSTATUS=%s", status);
}

void loop_tell_stopping(void)
{
	sd_notify(0, "STOPPING=1\nSTATUS=draining");
}
