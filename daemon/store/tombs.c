/* tombs.c - linkages.expunged: cases that were expunged, by keyed digests that say nothing to anybody else.
 *
 * In: cases, on order. Out: whether a case is one of them. Promise: a digest is on the disk before anything is struck out;
 * a store that was expunged does not open without the file, for what is gone would come back from the outboxes.
 *
 * The first line is `key ` and 64 hex digits, made when the first case is expunged; each line after it the digest of one
 * case, BLAKE2b-128 under that key of the agency's code in one byte and the case number. The file is small and is written
 * anew as a whole: at every instant there is the old one or the new one.
 */
#include "internal.h"

#include "disk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define KEY_LINE 69 /* bytes, newline included */
#define TOMB_LINE 33
#define HIDDEN \
	"expunged.hidden" /* how many there were when state.db was filled anew without them */

#define NAME "linkages.expunged"
#define FRESH "linkages.expunged.new"

static void tomb_of(const struct store *s, struct case_key key, uint8_t out[LK_DIGEST])
{
	uint8_t text[1 + 64];
	size_t len = key.number.len < 64 ? key.number.len : 64;

	text[0] = (uint8_t)key.agency;
	memcpy(text + 1, key.number.at, len);
	lk_digest(text, 1 + len, s->tombs.key, out);
}

/* Where it is, or would be. Digests under a key that nobody has spread by themselves. */
static uint32_t *slot_of(const struct tombs *t, const uint8_t tomb[LK_DIGEST])
{
	size_t last = 2 * t->room - 1, i;

	memcpy(&i, tomb, sizeof(i));
	for (i &= last; t->slot[i] != 0; i = (i + 1) & last)
		if (memcmp(t->at[t->slot[i] - 1], tomb, LK_DIGEST) == 0)
			break;
	return &t->slot[i];
}

/* Every event asks this, of its case and of the other that it may name. */
bool store_is_expunged(const struct store *s, struct case_key key)
{
	uint8_t tomb[LK_DIGEST];

	if (s->tombs.n == 0 || !lk_text_given(key.number))
		return false;
	tomb_of(s, key, tomb);
	return *slot_of(&s->tombs, tomb) != 0;
}

int store_expunged_left(struct store *s, int64_t *after, int limit, int64_t *cases,
			struct lk_error *err)
{
	struct query q;
	int n = 0, rc;

	if (s->tombs.n == 0)
		return 0;
	q = query_begin(s, SQL_case_after);
	bind_int(&q, *after);
	bind_int(&q, limit);
	for (; (rc = query_step(&q, err)) == 1; n++) {
		struct case_key key;
		bool has_family;

		*after = column_int(&q);
		has_family = column_int(&q) != 0;
		key.agency = column_code(&q);
		key.number = column_text(&q);
		*cases += has_family && store_is_expunged(s, key);
	}
	query_end(&q);
	return rc < 0 ? rc : n == limit;
}

int store_expunged_hide(struct store *s, struct lk_error *err)
{
	int64_t hidden = 0, all = (int64_t)s->tombs.n;
	int rc = store_value_get(s, HIDDEN, &hidden, err);

	if (rc < 0 || hidden == all)
		return rc < 0 ? rc : 0;
	if ((rc = store_begin(s, err)) < 0)
		return rc;
	rc = store_project_reset(s, err);
	return store_end(s, rc == 0 ? store_value_put(s, HIDDEN, all, err) : rc, err);
}

/* ---- In memory ------------------------------------------------------------------------------- */

static void tombs_index(struct tombs *t)
{
	memset(t->slot, 0, 2 * t->room * sizeof(*t->slot));
	for (uint32_t i = 0; i < t->n; i++)
		*slot_of(t, t->at[i]) = i + 1;
}

/* Twice as many slots as there is room, so that half of them are free. */
static int tombs_widen(struct tombs *t, struct lk_error *err)
{
	size_t room = t->room == 0 ? 64 : 2 * t->room;
	void *at = realloc(t->at, room * LK_DIGEST);
	uint32_t *slot = calloc(2 * room, sizeof(*slot));

	if (at != NULL)
		t->at = at;
	if (at == NULL || slot == NULL) {
		free(slot);
		return lk_fail(err, LK_EMEMORY, "no memory for " NAME);
	}
	free(t->slot);
	t->slot = slot;
	t->room = room;
	tombs_index(t);
	return 0;
}

static int tomb_note(struct store *s, const uint8_t tomb[LK_DIGEST], struct lk_error *err)
{
	struct tombs *t = &s->tombs;

	if (t->n == t->room && tombs_widen(t, err) < 0)
		return LK_EMEMORY;
	memcpy(t->at[t->n++], tomb, LK_DIGEST);
	*slot_of(t, tomb) = (uint32_t)t->n;
	return 0;
}

static void tombs_cut(struct tombs *t, size_t n)
{
	t->n = n;
	if (t->room > 0)
		tombs_index(t);
}

void tombs_free(struct store *s)
{
	free(s->tombs.at);
	free(s->tombs.slot);
	s->tombs = (struct tombs){ .n = 0 };
}

/* ---- Reading --------------------------------------------------------------------------------- */

static int key_read(struct store *s, const char *at, size_t len, struct lk_error *err)
{
	if (len < KEY_LINE || memcmp(at, "key ", 4) != 0 || at[KEY_LINE - 1] != '\n' ||
	    lk_digest_parse((struct lk_text){ at + 4, 32 }, s->tombs.key) < 0 ||
	    lk_digest_parse((struct lk_text){ at + 36, 32 }, s->tombs.key + LK_DIGEST) < 0)
		return lk_fail(err, LK_ESTORE, NAME " is damaged: it has no key");
	return 0;
}

static int tombs_parse(struct store *s, const char *at, size_t len, struct lk_error *err)
{
	uint8_t tomb[LK_DIGEST];
	int rc = key_read(s, at, len, err);

	for (size_t i = KEY_LINE; rc == 0 && i < len; i += TOMB_LINE) {
		if (len - i < TOMB_LINE || at[i + TOMB_LINE - 1] != '\n' ||
		    lk_digest_parse((struct lk_text){ at + i, 32 }, tomb) < 0)
			return lk_fail(err, LK_ESTORE, NAME " is damaged");
		rc = tomb_note(s, tomb, err);
	}
	return rc;
}

static int tombs_unread(int rc, struct lk_error *err)
{
	return lk_fail(err, LK_ESTORE, NAME " cannot be read: %s", strerror(-rc));
}

/* A file that is not there names nobody. */
static int tombs_read(struct store *s, struct lk_error *err)
{
	struct place place = place_in(s->directory, NAME);
	struct disk_file found;
	char *text;
	int rc = disk_look(place.at, &found);

	if (rc == -ENOENT)
		return 0;
	if (rc != 0)
		return tombs_unread(rc, err);
	text = malloc((size_t)found.bytes + 1);
	if (text == NULL)
		return lk_fail(err, LK_EMEMORY, "no memory for " NAME);
	rc = disk_read(place.at, 0, text, (size_t)found.bytes);
	rc = rc < 0 ? tombs_unread(rc, err) : tombs_parse(s, text, (size_t)rc, err);
	free(text);
	return rc;
}

int tombs_open(struct store *s, struct lk_error *err)
{
	int64_t remembered = 0;
	int rc;

	if (s->directory == NULL || s->read_only)
		return 0;
	if ((rc = tombs_read(s, err)) == 0)
		rc = store_value_get(s, VALUE_EXPUNGED, &remembered, err);
	if (rc >= 0 && (int64_t)s->tombs.n < remembered)
		return lk_fail(err, LK_ESTORE,
			       NAME
			       " names %zu cases, not %lld: what was expunged could come back; "
			       "put the file back that belongs to this store",
			       s->tombs.n, (long long)remembered);
	return rc < 0 ? rc : 0;
}

/* ---- Adding ---------------------------------------------------------------------------------- */

static void tombs_print(const struct store *s, struct lk_bytes *out)
{
	char hex[LK_DIGEST_HEX];

	lk_bytes_add(out, "key ", 4);
	for (size_t i = 0; i < 2; i++) {
		lk_digest_hex(s->tombs.key + i * LK_DIGEST, hex);
		lk_bytes_add(out, hex, LK_DIGEST_HEX - 1);
	}
	lk_bytes_add(out, "\n", 1);
	for (size_t i = 0; i < s->tombs.n; i++) {
		lk_digest_hex(s->tombs.at[i], hex);
		lk_bytes_add(out, hex, LK_DIGEST_HEX - 1);
		lk_bytes_add(out, "\n", 1);
	}
}

static int written(struct lk_error *err, int rc)
{
	if (rc == 0)
		return 0;
	return lk_fail(err, rc == -ENOSPC ? LK_EFULL : LK_ESTORE, NAME " cannot be written: %s",
		       strerror(-rc));
}

static int tombs_write(struct store *s, const struct lk_bytes *text, struct lk_error *err)
{
	struct place fresh = place_in(s->directory, FRESH), place = place_in(s->directory, NAME);
	int rc = file_reserve(fresh.at, 0600, err);

	if (rc == 0)
		rc = written(err, disk_write(fresh.at, 0, text->at, text->len));
	if (rc == 0)
		rc = path_sync(fresh.at, err);
	if (rc == 0)
		rc = written(err, disk_rename(fresh.at, place.at));
	return rc == 0 ? entries_sync(s->directory, err) : rc;
}

static int tombs_save(struct store *s, struct lk_error *err)
{
	struct lk_bytes text = { 0 };
	int rc;

	tombs_print(s, &text);
	rc = text.failed ? lk_fail(err, LK_EMEMORY, "no memory for " NAME)
			 : tombs_write(s, &text, err);
	lk_bytes_free(&text);
	if (rc == LK_ESYNC)
		store_doubt(s, DOUBT_SYNC, NAME " cannot be synced");
	return rc;
}

static int tombs_add(struct store *s, const struct case_key *cases, size_t n, struct lk_error *err)
{
	uint8_t tomb[LK_DIGEST];
	int rc = 0;

	if (s->tombs.n == 0 &&
	    getrandom(s->tombs.key, sizeof(s->tombs.key), 0) != (ssize_t)sizeof(s->tombs.key))
		return lk_fail(err, LK_ESTORE, "store: the system has no randomness");
	for (size_t i = 0; rc == 0 && i < n; i++) {
		if (store_is_expunged(s, cases[i]))
			continue;
		tomb_of(s, cases[i], tomb);
		rc = tomb_note(s, tomb, err);
	}
	return rc == 0 ? tombs_save(s, err) : rc;
}

int store_expunged_add(struct store *s, const struct case_key *cases, size_t n,
		       struct lk_error *err)
{
	size_t before = s->tombs.n;
	int rc;

	if (s->directory == NULL)
		return lk_fail(err, LK_ESTATE, "a store in memory keeps nothing to expunge");
	if ((rc = tombs_add(s, cases, n, err)) < 0)
		tombs_cut(&s->tombs, before);
	return rc;
}
