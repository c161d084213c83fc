/* loop.h - the event loop: timers, descriptors, signals, and what systemd is told. Only loop.c and
 * http.c see libevent.
 *
 * Callbacks are thin: they call a named verb and return, and free nothing that they were called
 * for. One thread. Everything made from a loop is destroyed before it.
 */
#ifndef LINKAGES_LOOP_H
#define LINKAGES_LOOP_H

#include <linkages/base.h>

struct event_base;
struct loop;
struct loop_timer;
struct loop_watch;
typedef void loop_call(void *context);

int loop_create(struct loop **out, struct lk_error *err) LK_MUST_CHECK;
void loop_destroy(struct loop *loop); /* NULL-safe */
/* Runs until loop_stop(). The status given there, or LK_ENET where the loop itself failed. */
int loop_run(struct loop *loop, struct lk_error *err) LK_MUST_CHECK;
/* Ends the run after the present callback. The first status stays: 0, or one of sysexits.h. */
void loop_stop(struct loop *loop, int status);

/* A timer fires once for each loop_timer_in(). An IDLE one fires only in a turn that has nothing
 * else to do. */
enum loop_class { LOOP_PROMPT, LOOP_IDLE };
int loop_timer_create(struct loop *loop, enum loop_class class, loop_call *call, void *context,
		      struct loop_timer **out, struct lk_error *err) LK_MUST_CHECK;
void loop_timer_destroy(struct loop_timer *timer); /* NULL-safe */
/* After `us` microseconds; 0 means: in the next turn, after the sockets were looked at. Replaces
 * what was set. */
void loop_timer_in(struct loop_timer *timer, int64_t us);
void loop_timer_cancel(struct loop_timer *timer);
bool loop_timer_set(const struct loop_timer *timer);

/* Calls whenever fd may be read. */
int loop_watch_create(struct loop *loop, int fd, loop_call *call, void *context,
		      struct loop_watch **out, struct lk_error *err) LK_MUST_CHECK;
void loop_watch_destroy(struct loop_watch *watch); /* NULL-safe */
void loop_watch_pause(struct loop_watch *watch);
void loop_watch_resume(struct loop_watch *watch);
/* Calls, from inside the loop, for each delivery of a signal. Kept until the loop is destroyed. */
int loop_signal(struct loop *loop, int signal, loop_call *call, void *context,
		struct lk_error *err) LK_MUST_CHECK;

/* For http.c, whose connections libevent buffers. */
struct event_base *loop_base(struct loop *loop);

/* systemd, where it started us; otherwise nothing. */
void loop_tell_ready(const char *status);
/* How often systemd wants to be told that we live, as microseconds: a third of its patience; 0: it does not. */
int64_t loop_watchdog_us(void);
void loop_tell_alive(void);
void loop_tell_status(const char *format, ...) LK_PRINTF(1, 2);
void loop_tell_reloading(void);
void loop_tell_reloaded(const char *status);
void loop_tell_stopping(void);

#endif
