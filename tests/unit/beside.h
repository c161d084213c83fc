/* beside.h - a commit whose families are packed by two threads, also where the loop would be done before the other woke up. */
#ifndef LINKAGES_TESTS_BESIDE_H
#define LINKAGES_TESTS_BESIDE_H

#include "store/internal.h"
#include "turn_parts.h"

#include <sched.h>

/* While the loop lets rows in, families wait to be packed: it goes on when the thread has begun to. */
static int wait_for_thread(void *context)
{
	const struct turn *t = context;

	while (t->shared.n >= SHARED_LEAST && atomic_load(&t->shared.next) == 0)
		(void)sched_yield();
	return 0;
}

/* From now on, of a turn that has a reader. */
static void pack_by_both(struct turn *t)
{
	sqlite3_progress_handler(t->store->db, 100, wait_for_thread, t);
}

#endif
