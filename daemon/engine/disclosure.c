/* disclosure.c - the one decision function: may a worker of one side of this family see that now?
 *
 * In: the family, and what somebody would be given. Out: yes, or the bar that it meets. Promise: pure; no is
 * the default. Asked when a notice is made, when it is withdrawn, and again at each hand-out.
 */
#include "derive.h"

bool is_live(const struct family *f, int agency, int topic)
{
	for (uint32_t i = 0; i < f->cases_n; i++)
		if (f->cases[i].agency == agency && f->cases[i].live_at[topic] != LK_NO_INSTANT)
			return true;
	return false;
}

static bool has_side(const struct family *f, int agency)
{
	return main_case(f, agency) != NONE;
}

/* Content is live nowhere: which of the two is missing. */
static enum bar content_bar(const struct family *f)
{
	for (uint32_t i = 0; i < f->cases_n; i++)
		if (f->cases[i].open && f->cases[i].limited)
			return BAR_LIMITED;
	return BAR_NO_CONSENT;
}

enum bar disclosure_bar(const struct family *f, const struct disclosure *d)
{
	if (d->level <= LK_SIGNAL)
		return BAR_NONE;
	uint32_t kase = NONE;
	if (lk_text_given(d->other) && (kase = family_case(f, d->other_agency, d->other)) == NONE)
		return BAR_UNLINKED; /* no link leads there any more */
	if (!has_side(f, d->other_agency))
		return BAR_NO_SIDE;
	if (d->level == LK_REGISTRY)
		return BAR_NONE;
	if (kase == NONE || !d->is_moment)
		return is_live(f, d->other_agency, d->topic) ? BAR_NONE : content_bar(f);
	lk_instant live_at = f->cases[kase].live_at[d->topic];
	if (live_at == LK_NO_INSTANT)
		return content_bar(f);
	return d->cause_at >= live_at ? BAR_NONE : BAR_PAST;
}

bool disclosed(const struct family *f, const struct disclosure *d)
{
	return disclosure_bar(f, d) == BAR_NONE;
}
