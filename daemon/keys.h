/* keys.h - CURVE key pairs in files. A leaf.
 *
 * A key file holds the public key on line 1 and the secret on line 2, each 40 characters of Z85,
 * mode 0600.
 */
#ifndef LINKAGES_KEYS_H
#define LINKAGES_KEYS_H

#include <linkages/base.h>

#define KEY_TEXT 41 /* 40 characters of Z85 and NUL */

struct key_pair {
	char public_key[KEY_TEXT];
	char secret_key[KEY_TEXT];
};

int keys_make(struct key_pair *out, struct lk_error *err) LK_MUST_CHECK;
/* Reads a pair; refuses a file that others may read, and a public key that is not the secret's.
 * LK_ENOTFOUND where there is no file. */
int keys_read(const char *path, struct key_pair *out, struct lk_error *err) LK_MUST_CHECK;
/* Writes a new file whole, mode 0600, synced together with its directory; an existing one is
 * never overwritten. */
int keys_write(const char *path, const struct key_pair *pair, struct lk_error *err) LK_MUST_CHECK;
/* The daemon's pair at `path`, made where it is missing; and the public key alone at `public_path`, which
 * the county hands out; that one is rewritten if it differs. */
int keys_server(const char *path, const char *public_path, struct key_pair *out,
		struct lk_error *err) LK_MUST_CHECK;
/* Reads the pair at path, or makes it. */
int keys_ensure(const char *path, struct key_pair *out, struct lk_error *err) LK_MUST_CHECK;
/* Writes text as a whole file: a temporary one, synced, renamed, its directory synced. */
int keys_put_file(const char *path, unsigned mode, const char *text, size_t len,
		  struct lk_error *err) LK_MUST_CHECK;

#endif
