/* squeeze.c - bytes that repeat themselves in fewer bytes, by LZ4.
 *
 * In: bytes. Out: their number (delta.c), and a block of LZ4; of nothing, nothing. From them the same bytes. Promise: whatever
 * is put in comes back; what is not squeezed is refused, or gives other bytes, within bounds.
 */
#include "squeeze.h"

#include "delta.h"

#include <lz4.h>
#include <stdlib.h>

#define GAIN_MOST 255u /* a block of LZ4 gives no more from a byte: what claims more is damaged */

static bool room_make(struct lk_bytes *out, size_t n)
{
	uint8_t *wider;

	if (n <= out->room - out->len)
		return true;
	wider = realloc(out->at, out->len + n);
	if (wider == NULL) {
		out->failed = true;
		return false;
	}
	out->at = wider;
	out->room = out->len + n;
	return true;
}

void squeeze(const void *bytes, size_t len, struct lk_bytes *out)
{
	int room = LZ4_compressBound((int)len);

	if (len == 0)
		return;
	delta_number(out, len);
	if (room_make(out, (size_t)room))
		out->len += (size_t)LZ4_compress_default(bytes, (char *)out->at + out->len,
							 (int)len, room);
}

bool unsqueeze(const void *bytes, size_t len, size_t most, struct lk_bytes *out)
{
	struct delta_bytes from = { bytes, len };
	uint64_t all;

	if (len == 0)
		return true;
	if (!delta_number_take(&from, &all) || all > most || all / GAIN_MOST > from.len)
		return false;
	if (!room_make(out, (size_t)all))
		return true;
	if (LZ4_decompress_safe((const char *)from.at, (char *)out->at + out->len, (int)from.len,
				(int)all) != (int)all)
		return false;
	out->len += (size_t)all;
	return true;
}
