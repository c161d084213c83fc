/* delta.h - what differs between two versions of a row's bytes, and the way back.
 *
 * A delta is worth its place where little changed: some words in place, a record more at the end of a list, a word more
 * at the end of all. Of two versions that have nothing in common it is a little longer than the new one.
 */
#ifndef LINKAGES_STORE_DELTA_H
#define LINKAGES_STORE_DELTA_H

#include <linkages/base.h>

struct delta_bytes {
	const uint8_t *at;
	size_t len;
};

/* Appends what makes `to` of `from`; on lack of memory out->failed. Behind it may follow what makes another piece, behind
 * `to`, of another one behind `from`: together they are the delta of both. */
void delta_make(struct delta_bytes from, struct delta_bytes to, struct lk_bytes *out);
/* Fills `to`, which the caller has made as long as it was. False: the delta is not one of these; what `to` holds then is
 * nothing. Never reads or writes outside of the three. */
bool delta_apply(struct delta_bytes delta, struct delta_bytes from, uint8_t *to, size_t len) LK_MUST_CHECK;

/* Numbers as short as they are: seven bits a byte, the least first. */
void delta_number(struct lk_bytes *out, uint64_t number);
/* Moves *from behind the number; false where there is none. */
bool delta_number_take(struct delta_bytes *from, uint64_t *out) LK_MUST_CHECK;
/* A step up or down as such a number, which is small where the step is; and back. */
static inline uint64_t delta_fold(int64_t step)
{
	return (uint64_t)step << 1 ^ (uint64_t)(step >> 63);
}
static inline int64_t delta_unfold(uint64_t number)
{
	return (int64_t)(number >> 1) ^ -(int64_t)(number & 1);
}

#endif
