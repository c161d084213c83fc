/* keys.c - CURVE key files.
 *
 * In: paths. Out: keys, checked. Promise: a secret is written for its owner only, never over another, and is on disk
 * when the call returns; a file that strangers may read is not used.
 */
#include <linkages/client.h>

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

int lk_keypair_make(struct lk_keypair *out, struct lk_error *err)
{
	if (sodium_init() < 0 || zmq_curve_keypair(out->public_key, out->secret_key) < 0)
		return lk_fail(err, LK_EMEMORY,
			       "no keys can be made: the system gives no randomness");
	return 0;
}

static int file_open(const char *path, struct lk_error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return lk_fail(err, errno == ENOENT ? LK_ENOTFOUND : LK_ECONFIG, "%s: %s", path,
			       strerror(errno));
	return fd;
}

static bool file_is_private(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && (st.st_mode & S_IRWXO) == 0;
}

/* Reads a file that should be short; the rest of a longer one is not looked at. */
static int file_read(int fd, const char *path, char *out, size_t size, struct lk_error *err)
{
	size_t len = 0;
	ssize_t n;

	while (len < size - 1 && (n = read(fd, out + len, size - 1 - len)) != 0) {
		if (n < 0 && errno != EINTR) {
			close(fd);
			return lk_fail(err, LK_ECONFIG, "%s: %s", path, strerror(errno));
		}
		len += n > 0 ? (size_t)n : 0;
	}
	close(fd);
	out[len] = '\0';
	return 0;
}

/* One line of exactly 40 characters that decode; returns what follows it, or NULL. */
static const char *z85_take(const char *text, char out[LK_Z85])
{
	uint8_t bytes[32];
	size_t len = strcspn(text, "\r\n");

	if (len != LK_Z85 - 1)
		return NULL;
	memcpy(out, text, len);
	out[len] = '\0';
	if (zmq_z85_decode(bytes, out) == NULL)
		return NULL;
	sodium_memzero(bytes, sizeof(bytes));
	text += len;
	return text + strspn(text, "\r\n");
}

static bool keys_match(const struct lk_keypair *keys)
{
	char derived[LK_Z85];

	return zmq_curve_public(derived, keys->secret_key) == 0 &&
	       strcmp(derived, keys->public_key) == 0;
}

/* What is wrong comes before who may read it: a public key taken for a key file is no secret. */
static int keypair_parse(const char *path, const char *text, bool is_private,
			 struct lk_keypair *out, struct lk_error *err)
{
	const char *rest = z85_take(text, out->public_key);

	if (rest != NULL && *rest == '\0')
		return lk_fail(
			err, LK_ECONFIG,
			"%s holds a public key only; the key file has the secret key on line 2",
			path);
	if (!is_private)
		return lk_fail(err, LK_ECONFIG,
			       "%s: others may read this secret; run: chmod 600 %s", path, path);
	if (rest == NULL || z85_take(rest, out->secret_key) == NULL || !keys_match(out))
		return lk_fail(
			err, LK_ECONFIG,
			"%s is no key file (public key, then secret key, one a line); linkages-ctl keygen makes "
			"one",
			path);
	return 0;
}

int lk_keypair_read(const char *path, struct lk_keypair *out, struct lk_error *err)
{
	char text[256];
	int fd = file_open(path, err);
	bool is_private = fd >= 0 && file_is_private(fd);
	int code = fd < 0 ? fd : file_read(fd, path, text, sizeof(text), err);

	if (code == 0)
		code = keypair_parse(path, text, is_private, out, err);
	sodium_memzero(text, sizeof(text));
	return code;
}

int lk_public_key_read(const char *path, char out[LK_Z85], struct lk_error *err)
{
	char text[256];
	int fd = file_open(path, err);
	int code = fd < 0 ? fd : file_read(fd, path, text, sizeof(text), err);

	if (code == 0 && z85_take(text, out) == NULL)
		code = lk_fail(err, LK_ECONFIG,
			       "%s holds no public key (40 characters of Z85 on line 1)", path);
	sodium_memzero(text, sizeof(text));
	return code;
}

static int file_write(const char *path, mode_t mode, const char *text, struct lk_error *err)
{
	size_t len = strlen(text);
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	bool written;

	if (fd < 0)
		return lk_fail(err, errno == EEXIST ? LK_ESTATE : LK_ECONFIG, "%s: %s", path,
			       errno == EEXIST ? "is there already; move it away first"
					       : strerror(errno));
	written = write(fd, text, len) == (ssize_t)len && fsync(fd) == 0;
	close(fd);
	if (!written)
		(void)unlink(path);
	return written ? 0 : lk_fail(err, LK_EFULL, "%s: cannot write it whole", path);
}

int lk_keypair_write(const char *path, const struct lk_keypair *keys, struct lk_error *err)
{
	char text[2 * LK_Z85 + 1];
	int code;

	(void)snprintf(text, sizeof(text), "%s\n%s\n", keys->public_key, keys->secret_key);
	code = file_write(path, 0600, text, err);
	sodium_memzero(text, sizeof(text));
	return code;
}

int lk_public_key_write(const char *path, const char key[LK_Z85], struct lk_error *err)
{
	char text[LK_Z85 + 1];

	(void)snprintf(text, sizeof(text), "%s\n", key);
	return file_write(path, 0644, text, err);
}

const char *lk_version(void)
{
	return LINKAGES_VERSION;
}
