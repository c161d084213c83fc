/* census.h - what would be too much to count whenever it is asked for: families, and what waits in mailboxes. Looked at
 * in bites, when the sockets are quiet, every 15 seconds. One thread.
 */
#ifndef LINKAGES_CENSUS_H
#define LINKAGES_CENSUS_H

#include <linkages/base.h>

struct census;
struct loop;
struct store;

/* Starts at once. The store is borrowed. */
int census_create(struct loop *loop, struct store *store, struct census **out,
		  struct lk_error *err) LK_MUST_CHECK;
void census_destroy(struct census *census); /* NULL-safe */

/* As the last look that came to its end found it. False until there was one. */
struct census_count {
	int64_t families;
	int64_t mailboxes, notices; /* in which something waits, and how much */
	lk_instant oldest_at;       /* LK_NO_INSTANT: nothing waits */
};
bool census_count(const struct census *census, struct census_count *out);

#endif
