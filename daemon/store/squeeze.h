/* squeeze.h - bytes that repeat themselves in fewer bytes, and the way back.
 *
 * For packed rows of some kilobytes: fields that are mostly equal, records like the one before, texts that begin alike.
 * What repeats nothing becomes a little longer.
 */
#ifndef LINKAGES_STORE_SQUEEZE_H
#define LINKAGES_STORE_SQUEEZE_H

#include <linkages/base.h>

/* Appends; on lack of memory out->failed. `len` below 1 GiB, which is more than SQLite keeps in a row. */
void squeeze(const void *bytes, size_t len, struct lk_bytes *out);
/* Appends what was put in. False: these bytes are not squeezed, or give more than `most`; nothing is appended then. On lack
 * of memory out->failed, and true. */
bool unsqueeze(const void *bytes, size_t len, size_t most, struct lk_bytes *out) LK_MUST_CHECK;

#endif
