/* delta.c - what differs between two versions of a row's bytes, and the way back.
 *
 * In: two versions of a packed row. Out: steps, each "so many bytes as before, leave out so many, then these". Promise:
 * whatever the bytes are, applying gives the new version back; what is not a delta is refused; no step of the search
 * is longer than a bounded look ahead, so that the work is linear.
 *
 * Rows are packed records: most changes leave the bytes behind them where they were or move them on by a record. So the
 * place where two versions agree again is looked for first a few words on in both, then further on in one of the two.
 */
#include "delta.h"

#include <string.h>

#define KEY 8       /* bytes that must be equal for two places to be called the same */
#define NEAR 48     /* how far words that were written over are looked through */
#define FAR 1024    /* how far a piece that was put in or taken out is */
#define BLIND 32    /* how far one goes on where nothing of it is found */
#define STRETCH 256 /* bytes that are looked at in one go, for most of a row is as it was */

/* ---- Numbers --------------------------------------------------------------------------------- */

#define NUMBER_MAX 10 /* bytes of the longest */

static size_t number_print(uint8_t *bytes, uint64_t number)
{
	size_t n = 0;

	for (; number > 127; number >>= 7)
		bytes[n++] = (uint8_t)(number | 128);
	bytes[n++] = (uint8_t)number;
	return n;
}

void delta_number(struct lk_bytes *out, uint64_t number)
{
	uint8_t bytes[NUMBER_MAX];

	if (number < 128 && out->len < out->room && !out->failed) /* most are */
		out->at[out->len++] = (uint8_t)number;
	else
		lk_bytes_add(out, bytes, number_print(bytes, number));
}

bool delta_number_take(struct delta_bytes *from, uint64_t *out)
{
	*out = 0;
	if (from->len > 0 && *from->at < 128) {
		*out = *from->at++;
		from->len--;
		return true;
	}
	for (unsigned shift = 0; shift < 64 && from->len > 0; shift += 7) {
		uint8_t byte = *from->at++;

		from->len--;
		*out |= (uint64_t)(byte & 127) << shift;
		if (byte < 128)
			return true;
	}
	return false;
}

/* ---- Making ---------------------------------------------------------------------------------- */

static uint64_t word_at(const uint8_t *at)
{
	uint64_t word;

	memcpy(&word, at, sizeof(word));
	return word;
}

/* How many bytes two pieces have in common at their fronts. */
static size_t alike(struct delta_bytes a, struct delta_bytes b)
{
	size_t n = a.len < b.len ? a.len : b.len, i = 0;

	while (n - i >= STRETCH && memcmp(a.at + i, b.at + i, STRETCH) == 0)
		i += STRETCH;
	while (n - i >= sizeof(uint64_t) && word_at(a.at + i) == word_at(b.at + i))
		i += sizeof(uint64_t);
	while (i < n && a.at[i] == b.at[i])
		i++;
	return i;
}

static struct delta_bytes behind(struct delta_bytes piece, size_t n)
{
	return (struct delta_bytes){ piece.at + n, piece.len - n };
}

/* Where the first bytes of one begin within so many places of the other; its length where they do not. */
static size_t find(struct delta_bytes in, struct delta_bytes what, size_t places)
{
	uint64_t first = word_at(what.at);
	size_t n = in.len - KEY + 1 < places ? in.len - KEY + 1 : places;

	for (size_t i = 0; i < n; i++)
		if (word_at(in.at + i) == first)
			return i;
	return in.len;
}

/* What lies between two places that differ and the next two that do not. */
struct gap {
	size_t left_out, put_in;
};

/* How many bytes of both were written over; 0: it is not that. */
static size_t overwritten(const uint8_t *from, const uint8_t *to, size_t len)
{
	size_t n = len - KEY < NEAR ? len - KEY : NEAR;

	for (size_t i = 1; i <= n; i++)
		if (word_at(from + i) == word_at(to + i))
			return i;
	return 0;
}

static struct gap gap_find(struct delta_bytes from, struct delta_bytes to)
{
	size_t n = from.len < to.len ? from.len : to.len, both, in, out;

	if (n < KEY)
		return (struct gap){ from.len, to.len };
	if ((both = overwritten(from.at, to.at, n)) > 0)
		return (struct gap){ both, both };
	in = find(to, from, FAR);
	out = find(from, to, in < to.len ? in : FAR); /* a shorter one, if any */
	if (in < to.len && out == from.len)
		return (struct gap){ 0, in };
	if (out < from.len)
		return (struct gap){ out, 0 };
	n = n < BLIND ? n : BLIND;
	return (struct gap){ n, n };
}

static void step_put(struct lk_bytes *out, size_t same, size_t left_out, struct delta_bytes put_in)
{
	uint8_t numbers[3 * NUMBER_MAX];
	size_t n = number_print(numbers, same);

	n += number_print(numbers + n, left_out);
	n += number_print(numbers + n, put_in.len);
	lk_bytes_add(out, numbers, n);
	lk_bytes_add(out, put_in.at, put_in.len);
}

void delta_make(struct delta_bytes from, struct delta_bytes to, struct lk_bytes *out)
{
	while (to.len > 0) {
		size_t same = alike(from, to);
		struct gap gap;

		from = behind(from, same);
		to = behind(to, same);
		gap = gap_find(from, to);
		step_put(out, same, gap.left_out, (struct delta_bytes){ to.at, gap.put_in });
		from = behind(from, gap.left_out);
		to = behind(to, gap.put_in);
	}
	if (from.len > 0)
		step_put(out, 0, from.len, to);
}

/* ---- Applying -------------------------------------------------------------------------------- */

static bool step_apply(struct delta_bytes *delta, struct delta_bytes *from, uint8_t **to,
		       size_t *len)
{
	uint64_t same, left_out, put_in;

	if (!delta_number_take(delta, &same) || !delta_number_take(delta, &left_out) ||
	    !delta_number_take(delta, &put_in) || same > from->len || same > *len ||
	    left_out > from->len - same || put_in > *len - same || put_in > delta->len)
		return false;
	if (same > 0)
		memcpy(*to, from->at, same);
	if (put_in > 0)
		memcpy(*to + same, delta->at, put_in);
	*to += same + put_in;
	*len -= same + put_in;
	*from = behind(*from, same + left_out);
	*delta = behind(*delta, put_in);
	return true;
}

bool delta_apply(struct delta_bytes delta, struct delta_bytes from, uint8_t *to, size_t len)
{
	while (delta.len > 0)
		if (!step_apply(&delta, &from, &to, &len))
			return false;
	return len == 0;
}
