/* answers.h - the daemon's answers to questions about families, as text for people. */
#ifndef LINKAGES_ANSWERS_H
#define LINKAGES_ANSWERS_H

#include "output.h"

/* Each takes the body of a reply, as the verb of that name gives it. `out` is no JSON. */
void answer_family(struct output *out, struct lk_span body);
void answer_why(struct output *out, struct lk_span body);
void answer_why_not(struct output *out, struct lk_span body);
/* In four columns on a page of `width`, 120 at most; below each other where it is narrower than 80. At least 40. */
void answer_plan(struct output *out, struct lk_span body, unsigned width);

#endif
