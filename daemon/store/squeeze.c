/* squeeze.c - bytes that repeat themselves in fewer bytes: "so many as they are, then so many from so far back".
 *
 * In: bytes. Out: their number, and steps (of nothing, nothing); from them the same bytes. Promise: whatever is put in comes back; what is not
 * squeezed is refused, or gives other bytes, within bounds; the work is linear.
 *
 * A step is a byte, the number of bytes that follow as they are in its upper half and the number that is repeated, less
 * REPEAT_LEAST, in its lower; 15 in either: a number is added to it. Then the former, the number for the latter, and how
 * far back, where 0 is as far as in the step before: records follow each other at one distance. Of the last step only the
 * upper half counts. Numbers are as delta.c has them.
 */
#include "squeeze.h"

#include "delta.h"

#include <stdlib.h>
#include <string.h>

#define REPEAT_LEAST 3u
#define KEY \
	4u /* bytes by which a repetition is found; at the distance of the step before REPEAT_LEAST do */
#define HALF_MOST 15u

/* ---- In -------------------------------------------------------------------------------------- */

struct squeezing {
	struct squeezer *seen; /* of each key: the place behind its first byte; 0: none */
	const uint8_t *at;
	size_t len, done; /* bytes before `done` are written */
	size_t back;      /* of the step before; 0: there was none */
	struct lk_bytes *out;
};

struct repeat {
	size_t len, back;
};

static uint32_t *slot_of(const struct squeezing *s, size_t place)
{
	uint32_t key;

	memcpy(&key, s->at + place, sizeof(key));
	return &s->seen->at[key * 2654435761u >> 20];
}

static size_t alike(const struct squeezing *s, size_t place, size_t back)
{
	size_t n = 0;

	while (place + n < s->len && s->at[place + n] == s->at[place + n - back])
		n++;
	return n;
}

/* What the bytes at a place repeat, from the step's distance or from where their key was seen last. */
static struct repeat repeat_find(const struct squeezing *s, size_t place)
{
	size_t seen = *slot_of(s, place);
	struct repeat same = { 0, s->back }, other = { 0, 0 };

	if (s->back > 0 && s->back <= place)
		same.len = alike(s, place, s->back);
	if (seen > 0) {
		other.back = place - (seen - 1);
		other.len = alike(s, place, other.back);
	}
	if (other.len >= KEY && other.len > same.len + 1)
		return other;
	return same;
}

static void half_rest(struct lk_bytes *out, size_t n)
{
	if (n >= HALF_MOST)
		delta_number(out, n - HALF_MOST);
}

static void step_put(struct squeezing *s, size_t place, struct repeat repeat)
{
	size_t kept = place - s->done, more = repeat.len > 0 ? repeat.len - REPEAT_LEAST : 0;
	uint8_t head = (uint8_t)((kept < HALF_MOST ? kept : HALF_MOST) << 4 |
				 (more < HALF_MOST ? more : HALF_MOST));

	lk_bytes_add(s->out, &head, 1);
	half_rest(s->out, kept);
	lk_bytes_add(s->out, s->at + s->done, kept);
	s->done = place + repeat.len;
	if (repeat.len == 0)
		return;
	half_rest(s->out, more);
	delta_number(s->out, repeat.back == s->back ? 0 : repeat.back);
	s->back = repeat.back;
}

void squeeze(struct squeezer *z, const void *bytes, size_t len, struct lk_bytes *out)
{
	struct squeezing s = { .seen = z, .at = bytes, .len = len, .out = out };
	size_t place = 0;

	if (len == 0)
		return;
	memset(z, 0, sizeof(*z));
	delta_number(out, len);
	while (place + KEY <= len) {
		struct repeat repeat = repeat_find(&s, place);
		size_t until = place + (repeat.len >= REPEAT_LEAST ? repeat.len : 1);

		if (repeat.len >= REPEAT_LEAST)
			step_put(&s, place, repeat);
		for (; place < until && place + KEY <= len; place++)
			*slot_of(&s, place) = (uint32_t)place + 1;
		place = until;
	}
	if (s.done < len)
		step_put(&s, len, (struct repeat){ 0, 0 });
}

/* ---- Out ------------------------------------------------------------------------------------- */

static bool room_make(struct lk_bytes *out, size_t n)
{
	size_t room = out->room + out->room / 2;
	uint8_t *wider;

	if (n <= out->room - out->len)
		return true;
	if (room < out->len + n)
		room = out->len + n;
	wider = realloc(out->at, room);
	if (wider == NULL) {
		out->failed = true;
		return false;
	}
	out->at = wider;
	out->room = room;
	return true;
}

/* What is repeated may go on into itself. */
static void repeat_give(struct lk_bytes *out, size_t back, size_t n)
{
	uint8_t *to = out->at + out->len;

	out->len += n;
	for (; n > 0; n--, to++)
		*to = to[-(ptrdiff_t)back];
}

static bool half_take(struct delta_bytes *from, unsigned half, uint64_t *n)
{
	*n = 0;
	if (half == HALF_MOST && !delta_number_take(from, n))
		return false;
	*n += half;
	return *n >= half;
}

/* Gives no more than `left`, which becomes what is left then. */
static bool step_give(struct delta_bytes *from, size_t begun, size_t *left, size_t *back,
		      struct lk_bytes *out)
{
	uint8_t head = *from->at;
	uint64_t kept, more, far;

	*from = (struct delta_bytes){ from->at + 1, from->len - 1 };
	if (!half_take(from, head >> 4, &kept) || kept > from->len || kept > *left)
		return false;
	lk_bytes_add(out, from->at, kept);
	*from = (struct delta_bytes){ from->at + kept, from->len - kept };
	*left -= kept;
	if (*left == 0)
		return true;
	if (!half_take(from, head & HALF_MOST, &more) || !delta_number_take(from, &far) ||
	    *left < REPEAT_LEAST || more > *left - REPEAT_LEAST)
		return false;
	*back = far > 0 ? far : *back;
	more += REPEAT_LEAST;
	if (*back == 0 || *back > out->len - begun)
		return out->failed;
	if (room_make(out, more))
		repeat_give(out, *back, more);
	*left -= more;
	return true;
}

bool unsqueeze(const void *bytes, size_t len, size_t most, struct lk_bytes *out)
{
	struct delta_bytes from = { bytes, len };
	size_t begun = out->len, back = 0, left;
	uint64_t all;

	if (len == 0)
		return true;
	if (!delta_number_take(&from, &all) || all > most)
		return false;
	left = all;
	while (left > 0 && !out->failed)
		if (from.len == 0 || !step_give(&from, begun, &left, &back, out))
			return false;
	return from.len == 0 || out->failed;
}
