/* fuzz_rows.c - rows of the store as no release wrote them: a family's state, what it was told, a notice's body.
 *
 * In: the first byte picks the row; the rest are changes to a sound one (place, byte), or the bytes themselves. Promise:
 * a row is refused with a sentence, or read whole; what was read packs to a row that reads the same.
 */
#include "engine/family.h"
#include "engine/told.h"

#include <linkages/notice.h>

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void must(bool fact)
{
	if (!fact)
		abort();
}

static void same(const struct lk_bytes *a, const struct lk_bytes *b)
{
	must(a->len == b->len && (a->len == 0 || memcmp(a->at, b->at, a->len) == 0));
}

/* Three bytes a change; an odd end cuts the row there. */
static void change(struct lk_bytes *row, const uint8_t *bytes, size_t len)
{
	for (; len >= 3; bytes += 3, len -= 3)
		row->at[((size_t)bytes[0] << 8 | bytes[1]) % row->len] = bytes[2];
	if (len > 0)
		row->len -= bytes[0] % row->len;
}

/* ---- What was told ---- */

static void put_tolds(struct lk_bytes *out)
{
	static const char *const names[] = { "garcia", "jones", "0123-4567", "1B2C3D4" };
	struct tolds t = { 0 };

	for (uint8_t i = 0; i < 3; i++) {
		struct word own = words_add(&t.words, lk_text_of(names[i]));
		struct word other = words_add(&t.words, lk_text_of(names[i + 1]));
		struct told *record = tolds_add(&t);
		memset(record->id, i + 1, LK_DIGEST);
		record->worker = record->own = own;
		record->other = i > 0 ? other : NO_WORD;
		record->rev = i;
	}
	tolds_pack(&t, out);
	tolds_free(&t);
}

static void try_tolds(const struct lk_bytes *row)
{
	struct tolds t = { 0 }, again = { 0 };
	struct lk_bytes once = { 0 }, twice = { 0 };
	struct lk_error err = { 0 };

	if (tolds_unpack(row->at, row->len, &t, &err) == 0) {
		tolds_pack(&t, &once);
		must(tolds_unpack(once.at, once.len, &again, NULL) == 0);
		tolds_pack(&again, &twice);
		same(&once, &twice);
	} else {
		must(err.code == LK_EWIRE && err.text[0] != '\0');
	}
	tolds_free(&t);
	tolds_free(&again);
	lk_bytes_free(&once);
	lk_bytes_free(&twice);
}

/* ---- A family's state ---- */

static void put_family(struct lk_bytes *out)
{
	struct family f;

	family_init(&f);
	f.last_id = family_word(&f, LK_TEXT("e1"));
#define ADD_ONE(record, plural) (void)family_add_##record(&f);
	FAMILY_VECTORS(ADD_ONE)
	family_pack(&f, out);
	family_free(&f);
}

/* The head has a hole at its end, which is not kept. */
static void try_family(const struct lk_bytes *row)
{
	struct family f, back;
	struct lk_bytes once = { 0 }, twice = { 0 };
	struct lk_error err = { 0 };

	family_init(&back);
	if (family_unpack(row->at, row->len, &f, &err) == 0) {
		family_pack(&f, &once);
		must(family_unpack(once.at, once.len, &back, NULL) == 0);
		family_pack(&back, &twice);
		same(&once, &twice);
	} else {
		must(err.code == LK_EWIRE && err.text[0] != '\0');
	}
	family_free(&f);
	family_free(&back);
	lk_bytes_free(&once);
	lk_bytes_free(&twice);
}

/* ---- A notice's body ---- */

static void try_notice(const uint8_t *bytes, size_t len)
{
	static struct lk_notice notice;
	struct lk_bytes out = { 0 };

	if (lk_notice_decode(bytes, len, &notice, NULL) == 0)
		lk_notice_encode(&notice, &out);
	lk_bytes_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct lk_bytes row = { 0 };

	if (len < 1)
		return 0;
	if (bytes[0] % 3 == 0) {
		put_tolds(&row);
		change(&row, bytes + 1, len - 1);
		try_tolds(&row);
	} else if (bytes[0] % 3 == 1) {
		put_family(&row);
		change(&row, bytes + 1, len - 1);
		try_family(&row);
	} else {
		try_notice(bytes + 1, len - 1);
	}
	lk_bytes_free(&row);
	return 0;
}
