/* fold.h - from events to state, in the order of (time, source, sequence). Pure.
 *
 * The caller gives events of one family (cases that links join), each once, superseded ones left
 * out, link events that a later refusal or removal cancelled left out. An event earlier than its
 * case's opening is given after it.
 */
#ifndef LINKAGES_ENGINE_FOLD_H
#define LINKAGES_ENGINE_FOLD_H

#include "family.h"
#include "policy.h"

/* Where an event stands among all others: domain.md, section 3, `sequence`. */
struct fold_key {
	lk_instant at;       /* its time; for one that waited for its case's opening, the opening's */
	lk_instant time_at;  /* its own time, which orders those that waited */
	const struct fold_key *opening; /* of one that waited: what it stands behind; else NULL */
	struct lk_text source;
	int64_t sequence;    /* INT64_MAX where it has none */
	int64_t place;       /* in the outbox or the file; INT64_MAX for the feed lane */
	struct lk_text id;
};
int fold_order(const struct fold_key *a, const struct fold_key *b); /* <0, 0, >0 */
/* May the event be folded onto the state at hand, or must the family be folded again? */
bool fold_in_order(const struct family *f, const struct fold_key *key);

/* Folds one event; whatever fell due before it by the passing of time is folded first. */
void fold_event(struct family *f, const struct policy *p, const struct lk_event *event, const struct fold_key *key);
/* Folds a link that no person confirmed: equal tokens of identity. */
void fold_link(struct family *f, const struct policy *p, int agency, struct lk_text number, int other_agency,
	       struct lk_text other, lk_instant at);
/* Folds what falls due by the passing of time, up to and including now. */
void fold_pass(struct family *f, const struct policy *p, lk_instant now);
/* The next instant at which fold_pass() has something to do; LK_NO_INSTANT. */
lk_instant fold_next(const struct family *f, const struct policy *p);
/* Is an open CWS case of these linked cases in a status that calls for the two programs to work together? */
bool has_linkages_case(const struct family *f, const struct policy *p, uint32_t kin);
/* After any of these f->failed tells of lack of memory. */

#endif
