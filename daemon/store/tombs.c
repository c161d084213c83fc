/* tombs.c - linkages.expunged: cases that were expunged, by keyed digests that say nothing to anybody else.
 *
 * In: cases, on order. Out: whether a case is one of them. Promise: a digest is on the disk before anything is struck out;
 * a store that was expunged does not open without the file, for what is gone would come back from the outboxes.
 *
 * The first line is `key ` and 64 hex digits, made when the first case is expunged; each line after it the digest of one
 * case, BLAKE2b-128 under that key of the agency's code in one byte and the case number.
 */
#include "internal.h"

#include "disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define KEY_LINE 69 /* bytes, newline included */
#define TOMB_LINE 33
#define EXPUNGED "expunged" /* how many, as linkages.db remembers */

static void path_of(const struct store *s, char out[4096])
{
	(void)snprintf(out, 4096, "%s/linkages.expunged", s->directory);
}

static void tomb_of(const struct store *s, struct case_key key, uint8_t out[LK_DIGEST])
{
	uint8_t text[1 + 64];
	size_t len = key.number.len < 64 ? key.number.len : 64;

	text[0] = (uint8_t)key.agency;
	memcpy(text + 1, key.number.at, len);
	lk_digest(text, 1 + len, s->tombs.key, out);
}

bool store_is_expunged(const struct store *s, struct case_key key)
{
	uint8_t tomb[LK_DIGEST];

	if (s->tombs.n == 0 || !lk_text_given(key.number))
		return false;
	tomb_of(s, key, tomb);
	for (size_t i = 0; i < s->tombs.n; i++)
		if (memcmp(s->tombs.at[i], tomb, LK_DIGEST) == 0)
			return true;
	return false;
}

/* ---- Reading --------------------------------------------------------------------------------- */

static int key_read(struct store *s, FILE *file, struct lk_error *err)
{
	char line[KEY_LINE + 2];

	if (fgets(line, sizeof(line), file) == NULL || strlen(line) != KEY_LINE ||
	    strncmp(line, "key ", 4) != 0 ||
	    lk_digest_parse((struct lk_text){ line + 4, 32 }, s->tombs.key) < 0 ||
	    lk_digest_parse((struct lk_text){ line + 36, 32 }, s->tombs.key + LK_DIGEST) < 0)
		return lk_fail(err, LK_ESTORE, "linkages.expunged is damaged: it has no key");
	return 0;
}

static int tomb_note(struct store *s, const uint8_t tomb[LK_DIGEST], struct lk_error *err)
{
	void *wider = realloc(s->tombs.at, (s->tombs.n + 1) * LK_DIGEST);

	if (wider == NULL)
		return lk_fail(err, LK_EMEMORY, "no memory for linkages.expunged");
	s->tombs.at = wider;
	memcpy(s->tombs.at[s->tombs.n++], tomb, LK_DIGEST);
	return 0;
}

/* A last line that was cut short by a power cut named nothing that had been struck out yet. */
static int tombs_read(struct store *s, FILE *file, struct lk_error *err)
{
	char line[TOMB_LINE + 2];
	uint8_t tomb[LK_DIGEST];
	int rc = key_read(s, file, err);

	while (rc == 0 && fgets(line, sizeof(line), file) != NULL && strlen(line) == TOMB_LINE) {
		if (lk_digest_parse((struct lk_text){ line, 32 }, tomb) < 0)
			return lk_fail(err, LK_ESTORE, "linkages.expunged is damaged");
		rc = tomb_note(s, tomb, err);
	}
	return rc;
}

int tombs_open(struct store *s, struct lk_error *err)
{
	int64_t remembered = 0;
	char path[4096];
	FILE *file;
	int rc;

	if (s->directory == NULL || s->read_only)
		return 0;
	path_of(s, path);
	file = fopen(path, "re");
	rc = file != NULL ? tombs_read(s, file, err) : 0;
	if (file != NULL)
		(void)fclose(file);
	if (rc == 0)
		rc = store_value_get(s, EXPUNGED, &remembered, err);
	if (rc >= 0 && (int64_t)s->tombs.n < remembered)
		return lk_fail(
			err, LK_ESTORE,
			"linkages.expunged names %zu cases, not %lld: what was expunged could "
			"come back; put the file back that belongs to this store",
			s->tombs.n, (long long)remembered);
	return rc < 0 ? rc : 0;
}

/* ---- Adding ---------------------------------------------------------------------------------- */

static int key_make(struct store *s, int fd, struct lk_error *err)
{
	char line[KEY_LINE + 1], half[2][LK_DIGEST_HEX];

	if (getrandom(s->tombs.key, sizeof(s->tombs.key), 0) != (ssize_t)sizeof(s->tombs.key))
		return lk_fail(err, LK_ESTORE, "store: the system has no randomness");
	lk_digest_hex(s->tombs.key, half[0]);
	lk_digest_hex(s->tombs.key + LK_DIGEST, half[1]);
	(void)snprintf(line, sizeof(line), "key %s%s\n", half[0], half[1]);
	return pwrite(fd, line, KEY_LINE, 0) == KEY_LINE
		       ? 0
		       : lk_fail(err, LK_ESTORE, "linkages.expunged cannot be written");
}

static int tomb_write(struct store *s, int fd, const uint8_t tomb[LK_DIGEST], struct lk_error *err)
{
	char line[LK_DIGEST_HEX + 1];
	off_t at = KEY_LINE + (off_t)s->tombs.n * TOMB_LINE;

	lk_digest_hex(tomb, line);
	line[TOMB_LINE - 1] = '\n';
	if (pwrite(fd, line, TOMB_LINE, at) != TOMB_LINE)
		return lk_fail(err, LK_ESTORE, "linkages.expunged cannot be written");
	return tomb_note(s, tomb, err);
}

static int tombs_add(struct store *s, int fd, const struct case_key *cases, size_t n,
		     struct lk_error *err)
{
	uint8_t tomb[LK_DIGEST];
	int rc = s->tombs.n == 0 ? key_make(s, fd, err) : 0;

	for (size_t i = 0; rc == 0 && i < n; i++) {
		if (store_is_expunged(s, cases[i]))
			continue;
		tomb_of(s, cases[i], tomb);
		rc = tomb_write(s, fd, tomb, err);
	}
	if (rc == 0 && fsync(fd) != 0)
		rc = lk_fail(err, LK_ESYNC, "linkages.expunged cannot be synced");
	return rc;
}

int store_expunged_add(struct store *s, const struct case_key *cases, size_t n,
		       struct lk_error *err)
{
	char path[4096];
	int fd, rc;

	if (s->directory == NULL)
		return lk_fail(err, LK_ESTATE, "a store in memory keeps nothing to expunge");
	path_of(s, path);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return lk_fail(err, LK_ESTORE, "linkages.expunged cannot be opened: %s",
			       strerror(errno));
	rc = tombs_add(s, fd, cases, n, err);
	(void)close(fd);
	return rc < 0 ? rc
	       : disk_sync_entries(s->directory) < 0
		       ? lk_fail(err, LK_ESYNC, "the state directory cannot be synced")
		       : 0;
}
