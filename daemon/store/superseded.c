/* superseded.c - whether an event was superseded, mostly without asking the database.
 *
 * In: the names that events supersede. Out: yes or no. Promise: the answer is the index's own. Before it stands a Bloom
 * filter in memory, of two hashes a name: where one of the bits is not set, nobody superseded that event. So nearly all
 * events are answered, and only the others ask the index.
 */
#include "internal.h"

#include <stdlib.h>

#define BITS_LEAST (UINT64_C(1) << 20)
#define BITS_MOST (UINT64_C(1) << 26)
#define BITS_A_NAME 16

static uint64_t superseded_hash(int64_t source, struct lk_text id)
{
	uint64_t hash = UINT64_C(14695981039346656037) ^ (uint64_t)source;

	for (uint32_t i = 0; i < id.len; i++)
		hash = (hash ^ (uint8_t)id.at[i]) * UINT64_C(1099511628211);
	return hash ^ hash >> 29;
}

static bool superseded_bit(const struct superseded *all, uint64_t hash, bool set)
{
	uint64_t bit = hash & (all->bits - 1), mask = UINT64_C(1) << (bit % 64);

	if (set)
		all->at[bit / 64] |= mask;
	return (all->at[bit / 64] & mask) != 0;
}

/* What is rolled back afterwards leaves its bits: then the index is asked once too often. */
void superseded_note(struct store *s, int64_t source, struct lk_text id)
{
	uint64_t hash = superseded_hash(source, id);

	(void)superseded_bit(&s->superseded, hash, true);
	(void)superseded_bit(&s->superseded, hash >> 32, true);
}

static bool may_be_superseded(const struct store *s, int64_t source, struct lk_text id)
{
	uint64_t hash = superseded_hash(source, id);

	return superseded_bit(&s->superseded, hash, false) &&
	       superseded_bit(&s->superseded, hash >> 32, false);
}

int superseded_load(struct store *s, struct lk_error *err)
{
	struct query q = query_begin(s, SQL_event_superseded_count);
	struct superseded *all = &s->superseded;
	int64_t names = 0, source;
	int rc = query_number(&q, &names, err);

	if (rc < 0)
		return rc;
	for (all->bits = BITS_LEAST;
	     all->bits < BITS_MOST && all->bits / BITS_A_NAME < (uint64_t)names;)
		all->bits *= 2;
	free(all->at);
	if ((all->at = calloc(all->bits / 64, sizeof(*all->at))) == NULL)
		return lk_fail(err, LK_EMEMORY, "store: no memory for what is superseded");
	q = query_begin(s, SQL_event_superseders);
	while ((rc = query_step(&q, err)) == 1) {
		source = column_int(&q);
		superseded_note(s, source, column_text(&q));
	}
	query_end(&q);
	return rc;
}

int store_is_superseded(struct store *s, struct lk_text source, struct lk_text id,
			struct lk_error *err)
{
	struct query q;
	int64_t ref, one;
	int rc = name_seek(s, name_of_source(source), &ref, err);

	if (rc != 1 || !may_be_superseded(s, ref, id))
		return rc < 0 ? rc : 0;
	q = query_begin(s, SQL_event_superseded);
	bind_int(&q, ref);
	bind_text(&q, id);
	return query_number(&q, &one, err);
}
