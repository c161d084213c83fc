/* idle.h - checkpoints and projections, in bites, when nobody waits. One thread. */
#ifndef LINKAGES_IDLE_H
#define LINKAGES_IDLE_H

#include <linkages/base.h>

struct idle;
struct loop;
struct turn;

/* Starts at once. The turn is borrowed. */
int idle_create(struct loop *loop, struct turn *turn, struct idle **out,
		struct lk_error *err) LK_MUST_CHECK;
void idle_destroy(struct idle *idle); /* NULL-safe */

#endif
