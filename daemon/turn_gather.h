/* turn_gather.h - events of cases that belong together, read from the log: between turn_gather.c, which reads
 * them, turn_refold.c, which makes families of them, and turn_links.c, which finds out what links say.
 *
 * A gathering lives within one transaction and sees the links of its moment. Whoever begins one sets .t,
 * .err (errors go there) and .known_at, and ends it with gathering_free().
 */
#ifndef LINKAGES_TURN_GATHER_H
#define LINKAGES_TURN_GATHER_H

#include "turn_parts.h"

struct gathered_case {
	struct case_key key;            /* its number is a copy of our own */
	uint32_t part;                  /* the cases that links join share one */
	uint32_t family;                /* of before, among .families; NONE */
	const struct fold_key *opening; /* first that counts; NULL: none yet */
	bool was_opened;                /* in that family */
};

struct gathering {
	struct turn *t;
	struct lk_error *err;
	lk_instant known_at; /* only what had come in by then; LK_NO_INSTANT: all */
	struct gathered_case *cases;
	uint32_t cases_n, cases_room;
	uint32_t *slots; /* a case's index + 1, by a hash of its key; 0: free. NULL: few cases */
	uint32_t slots_n; /* a power of two */
	struct gathered_event **events;
	uint32_t events_n, events_room;
	uint8_t (*families)[LK_DIGEST]; /* that the cases belonged to */
	uint32_t families_n, families_room;
	uint32_t loading; /* case whose events are read; all are where it is cases_n */
};

/* The case's index; NONE. */
uint32_t gathered(const struct gathering *g, struct case_key key);
/* Also where it is there already. */
int gathering_add(struct gathering *g, struct case_key key);
/* Adds the cases of the family that one of them is of, and those that it is linked with. */
int gathering_reach(struct gathering *g, uint32_t kase);
/* The events of these cases, no others; of those that were added since, where it is done again. */
int gathering_load(struct gathering *g);
void gathering_sort(struct gathering *g);
/* Each event is where it counts: what came before its case's opening, at the opening. Before anything is asked of pairs. */
void gathering_place(struct gathering *g);
/* Does the event speak of a link between its case and this one? */
bool gathered_pairs(const struct gathered_event *e, uint32_t other);
/* Has a person said no to the pair, the event's case and this one, after it? */
bool gathered_is_void(const struct gathering *g, const struct gathered_event *e, uint32_t other);
/* Every case that links or families of before reach; their events in order, each where it counts; their parts. */
int gathering_read(struct gathering *g);
void gathering_free(struct gathering *g); /* what it holds */

/* The id that the family of these cases has. */
void gathering_part_id(const struct gathering *g, uint32_t part, uint8_t id[LK_DIGEST]);
/* As gathering_fold(), of one part. */
int gathering_fold_part(struct gathering *g, const struct policy *policy, uint32_t part,
			lk_instant until, struct family *out);

#endif
