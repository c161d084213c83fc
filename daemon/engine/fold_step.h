/* fold_step.h - one step of a fold, between fold.c, which takes it, fold_events.c (what each type of event says),
 * fold_time.c (what the calendar brings) and fold_settle.c (what follows of it around the case).
 */
#ifndef LINKAGES_ENGINE_FOLD_STEP_H
#define LINKAGES_ENGINE_FOLD_STEP_H

#include "fold.h"

struct step {
	struct family *f;
	const struct policy *p;
	const struct lk_event *e;
	lk_instant at;
	uint32_t kase, cause;
	uint32_t first_moment;     /* moments of this step start here */
	bool was_mutual, was_live; /* before the step; live: closures of this case could cross */
};

static inline struct kase *step_case(const struct step *s)
{
	return &s->f->cases[s->kase];
}

static inline struct kin *kin_at(struct family *f, uint32_t kase)
{
	return &f->kins[f->cases[kase].kin];
}

/* ---- fold_settle.c: how a step begins and ends ----------------------------------------------- */

void step_begin(struct step *s); /* its case is known */
/* What the step changed around it: is the family mutual, what may be seen since when, which of its moments stay. */
void step_settle(struct step *s);
/* Something that happened once: told where step_settle() leaves it. */
struct moment *step_moment(const struct step *s, int kind);
struct moment *step_status_moment(const struct step *s, const struct kase *k);

/* ---- fold_events.c --------------------------------------------------------------------------- */

void step_fold(struct step *s); /* what its event says */
/* Added where it is not there; f->failed tells of lack of memory. */
uint32_t case_named(struct family *f, int agency, struct lk_text number);
bool are_kin(const struct family *f, uint32_t a, uint32_t b); /* of two cases: are they one family now? */
/* From `at` on the cases of both are one family. */
void cases_join(struct family *f, uint32_t a, uint32_t b, lk_instant at);

/* ---- fold_time.c ----------------------------------------------------------------------------- */

/* Runs ticks up to `until`; reminders of the very instant only where `whole`. */
void fold_ticks(struct family *f, const struct policy *p, lk_instant until, bool whole);

#endif
