/* no_join.c - a loop that does not wait until the other thread is done: linked in the place of turn_reader.c's own, so that
 * ThreadSanitizer has a race to find.
 *
 * It looks how many pieces were taken, and believes that so many are finished.
 */
#include "turn_parts.h"

#include <sched.h>

void __real_reader_join(struct turn *t);
void __wrap_reader_join(struct turn *t);

void __wrap_reader_join(struct turn *t)
{
	bool is_shared = t->reader != NULL && t->shared.n >= SHARED_LEAST;

	while (is_shared &&
	       atomic_load_explicit(&t->shared.next, memory_order_relaxed) < t->shared.n)
		(void)sched_yield();
	if (!is_shared)
		__real_reader_join(t);
}
