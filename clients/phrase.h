/* phrase.h - what a notice is about, in a few words for people.
 */
#ifndef LINKAGES_PHRASE_H
#define LINKAGES_PHRASE_H

#include <linkages/wire.h>

/* Appends the phrase for a notice (its map, as it came) to out; not NUL-terminated, not escaped. A kind that this
 * version does not know gets its bare name. */
void phrase_notice(struct lk_span notice, struct lk_bytes *out);
/* '2026-03-09 10:00' of an RFC 3339 text, as it is written there; any other text is appended as it is. */
void phrase_time(struct lk_text time, struct lk_bytes *out);

#endif
