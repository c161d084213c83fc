/* history.h - random histories: what agencies might say of a few families, and the orders in which it may arrive.
 *
 * A history is a bag of events, each with its own time and its source's own sequence; an order says when each of them
 * arrives. Both follow from a seed alone.
 */
#ifndef LINKAGES_TESTS_HISTORY_H
#define LINKAGES_TESTS_HISTORY_H

#include "engine/calendar.h"
#include "turn.h"

#include <stdio.h>

/* splitmix64: small, and the same everywhere. */
struct dice {
	uint64_t state;
};
uint64_t dice_next(struct dice *d);
int dice_from(struct dice *d, int min, int max); /* both included */
bool dice_percent(struct dice *d, int percent);

#define HISTORY_SOURCES 3
extern const struct turn_source history_sources[HISTORY_SOURCES];
int history_agency_of(void *context, struct lk_text source); /* an lk_agency_of */

/* One event: as text for people and the simulator, as bytes for the turn, decoded for the oracle. */
struct said {
	char *json;
	struct lk_bytes wire;
	struct lk_event event; /* its texts point into wire */
	int source;
};

#define HISTORY_MAX 400
struct history {
	const struct zone *zone;
	struct said *at;
	uint32_t n;
	int64_t sequence;
	lk_date first;  /* local day of the beginning */
	int days;       /* events lie within so many */
	int cases[2];   /* of each agency */
	bool has_keys;  /* openings carry tokens of identity, which may link cases by themselves */
};

/* Everything follows from the dice. Aborts where memory runs out, as all of this test does. */
struct history *history_roll(struct dice *dice, const struct zone *zone);
/* So many events more, as far as there is room. */
void history_go_on(struct history *h, struct dice *dice, int n);
/* So many cases more of each agency, opened and with a worker; few of them are linked. Room for up to five events each. */
void history_crowd(struct history *h, struct dice *dice, int n);
void history_free(struct history *h); /* NULL-safe */
/* Adds an event; `supersedes` may be NULL; data is a JSON object. Its index. */
uint32_t history_say(struct history *h, int source, int type, const char *number, lk_instant time,
		     const char *supersedes, const char *data);
/* The number of the n-th case of an agency. */
void history_number(int agency, int n, char out[16]);
#define HISTORY_WORKERS 10
const char *history_worker(int n); /* n: 0..HISTORY_WORKERS-1; the liaisons are among them */

enum step_kind { STEP_EVENT, STEP_ACK, STEP_CLOCK };

struct step {
	enum step_kind kind;
	lk_instant at;
	uint32_t event; /* STEP_EVENT */
	int worker;     /* STEP_ACK: acknowledges everything told so far */
	bool left_out;  /* by the shrinker */
	bool fixed;     /* belongs to the property: the shrinker keeps it */
	uint64_t tie;   /* decides between steps of one instant */
};

struct order {
	struct step *at;
	uint32_t n, room;
	lk_instant ends; /* the clock goes on until then */
	bool by_feed;    /* the lane without outboxes: events have no place in one */
};

enum arrival { ARRIVE_IN_TIME, ARRIVE_LATE, ARRIVE_AHEAD, ARRIVE_AT_ONCE, ARRIVE_ANYHOW, ARRIVAL_COUNT };
/* Events of h with arrivals of that sort; acknowledgements and glances at the clock where `busy`. */
struct order order_roll(const struct history *h, enum arrival arrival, bool busy, struct dice *dice);
struct order order_copy(const struct order *o);
void order_add(struct order *o, struct step step); /* at the end */
void order_free(struct order *o);
/* As linkages-sim reads it. An event that arrives before its time does not wait there, as the clock moves with it. */
void order_print(const struct history *h, const struct order *o, FILE *to);

#endif
