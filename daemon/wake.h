/* wake.h - one timer for the next instant at which something falls due. Firing it is an ordinary
 * turn.
 *
 * With a manual clock it fires when somebody moves the clock. One thread.
 */
#ifndef LINKAGES_WAKE_H
#define LINKAGES_WAKE_H

#include <linkages/base.h>

struct clock;
struct loop;
struct turn;
struct wake;

int wake_create(struct loop *loop, struct clock *clock, struct wake **out,
		struct lk_error *err) LK_MUST_CHECK;
void wake_destroy(struct wake *wake); /* NULL-safe */
/* The turn is made after wake, because its sink tells wake. Looks at once for what is due
 * already. */
void wake_begin(struct wake *wake, struct turn *turn);
/* The sink's: only sets the timer. LK_NO_INSTANT: nothing to come. */
void wake_at(struct wake *wake, lk_instant at);
/* Something may be due now: another policy, for one. */
void wake_now(struct wake *wake);

/* Moves a manual clock to `to` and fires all that falls due on the way, before it returns: for
 * an event that lies ahead. Idempotent: after a failure call it again. */
int wake_reach(struct wake *wake, lk_instant to, struct lk_error *err) LK_MUST_CHECK;
/* How a move ended: NULL, the clock stands where it was to go; or why it stands short of that, at what is committed. */
typedef void wake_moved(void *context, const struct lk_error *err);
/* The same in bites with a look at the sockets between; `moved` is called once, at the end. LK_ESTATE where the clock is the
 * machine's or is being moved already, LK_EREFUSED for a step back. */
int wake_advance(struct wake *wake, lk_instant to, wake_moved *moved, void *context,
		 struct lk_error *err) LK_MUST_CHECK;
/* What is set, or LK_NO_INSTANT. */
lk_instant wake_next(const struct wake *wake);

#endif
