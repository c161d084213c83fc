/* trace.h - what fold and derive decide on their way, for whoever asks why a worker was told, or was not.
 *
 * A bar is named where the decision is made, and is the decision: the same code runs when nobody asks (trace NULL), so
 * that an explanation cannot say what did not happen. A sink may look, and change nothing.
 */
#ifndef LINKAGES_ENGINE_TRACE_H
#define LINKAGES_ENGINE_TRACE_H

#include <linkages/base.h>

struct candidate;
struct fact;
struct moment;

/* What holds something back. B(enumerator, word for programs, sentence for people) */
#define BARS(B) \
	B(BAR_NONE, "nothing", "nothing holds it back") \
	B(BAR_OFF, "off", "the rule is switched off in the policy") \
	B(BAR_NOT_MUTUAL, "not_mutual", "the family is not, or was not then, served by both agencies") \
	B(BAR_SILENT, "silent", "a source that has spoken of the case is silent; what is absent may only be unsaid") \
	B(BAR_STALE, "stale", "it happened longer ago than moments.stale_after when it could first be told") \
	B(BAR_QUIET, "quiet", "it happened before moments.quiet_before") \
	B(BAR_BEGUN, "begun", "the meeting has begun, was moved or was cancelled") \
	B(BAR_VACANT, "vacant", "nobody is at the place any more to whom it would be told") \
	B(BAR_UNLINKED, "unlinked", "no link leads to the case that it is from") \
	B(BAR_NO_SIDE, "no_side", "the other agency has had no case of this family") \
	B(BAR_LIMITED, "limited_access", "an open case has limited access: no content crosses") \
	B(BAR_NO_CONSENT, "no_consent", "no consent in force covers the topic") \
	B(BAR_PAST, "past", "it could not cross when it happened, and past is past")
#define BAR_ENUMERATOR(name, word, sentence) name,
enum bar { BARS(BAR_ENUMERATOR) BAR_COUNT };

struct trace {
	void *context;
	/* The fold saw it happen, and did not keep it. */
	void (*moment)(void *context, const struct moment *moment, enum bar bar);
	/* A rule said nothing, for this reason alone. */
	void (*rule)(void *context, int kind, enum bar bar);
	/* A rule said a fact. BAR_NONE: it went to its places, which follow. */
	void (*fact)(void *context, const struct fact *fact, enum bar bar);
	/* Who is at one of its places (enum slot), and what became of it there; c NULL: a standing notice that the worker
	 * has by another place. */
	void (*place)(void *context, int slot, struct lk_text worker, const struct candidate *c);
};

#endif
