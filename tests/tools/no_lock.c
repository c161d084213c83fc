/* no_lock.c - locks that lock nothing: compiled in the place of share.c's own, so that ThreadSanitizer has a race to find.
 *
 * What they guard is seldom touched by both threads at once; that there is one more of them is touched with each call.
 */
#include <pthread.h>

unsigned long no_locks;

int no_lock(pthread_mutex_t *mutex)
{
	(void)mutex;
	no_locks++;
	return 0;
}
