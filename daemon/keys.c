/* keys.c - key pairs: made, written, read.
 *
 * In: a path. Out: a pair that belongs together. Promise: a secret is never in a file that others
 * may read, and a crash leaves either no file or a whole one.
 */
#include "keys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

#define KEY_LEN (KEY_TEXT - 1)
#define FILE_LEN (2 * (KEY_LEN + 1))

int keys_make(struct key_pair *out, struct lk_error *err)
{
	if (zmq_curve_keypair(out->public_key, out->secret_key) != 0)
		return lk_fail(err, LK_EAUTH, "no key pair: %s", zmq_strerror(zmq_errno()));
	return 0;
}

static int sync_directory_of(const char *path)
{
	char directory[4096];
	const char *slash = strrchr(path, '/');
	int length = slash == NULL ? 1 : slash == path ? 1 : (int)(slash - path);

	snprintf(directory, sizeof(directory), "%.*s", length, slash == NULL ? "." : path);
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	int failed = fsync(fd);
	close(fd);
	return failed;
}

static int write_whole(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, text, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		text += n;
		len -= (size_t)n;
	}
	return fsync(fd);
}

int keys_put_file(const char *path, unsigned mode, const char *text, size_t len,
		  struct lk_error *err)
{
	char temporary[4096];
	int n = snprintf(temporary, sizeof(temporary), "%s.new", path);

	if (n < 0 || (size_t)n >= sizeof(temporary))
		return lk_fail(err, LK_ECONFIG, "the path of a file is too long");
	unlink(temporary); /* left by a crash */
	int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, (mode_t)mode);
	if (fd < 0)
		return lk_fail(err, LK_ECONFIG, "cannot create %s: %s", temporary, strerror(errno));
	/* The creation mask may have taken bits that readers of a public file need. */
	int failed = fchmod(fd, (mode_t)mode) < 0 || write_whole(fd, text, len) < 0;
	if (close(fd) < 0)
		failed = 1;
	if (failed || rename(temporary, path) < 0 || sync_directory_of(path) < 0) {
		lk_fail(err, LK_ECONFIG, "cannot write %s: %s", path, strerror(errno));
		unlink(temporary);
		return LK_ECONFIG;
	}
	return 0;
}

int keys_write(const char *path, const struct key_pair *pair, struct lk_error *err)
{
	char text[FILE_LEN + 1];

	if (access(path, F_OK) == 0)
		return lk_fail(err, LK_ECONFIG, "%s is there already; a key is never overwritten",
			       path);
	snprintf(text, sizeof(text), "%s\n%s\n", pair->public_key, pair->secret_key);
	return keys_put_file(path, 0600, text, FILE_LEN, err);
}

static int parse_pair(const char *text, size_t len, struct key_pair *out)
{
	char proof[KEY_TEXT];
	uint8_t binary[32];

	if (len < FILE_LEN - 1 || text[KEY_LEN] != '\n')
		return -1;
	memcpy(out->public_key, text, KEY_LEN);
	memcpy(out->secret_key, text + KEY_LEN + 1, KEY_LEN);
	out->public_key[KEY_LEN] = out->secret_key[KEY_LEN] = '\0';
	if (zmq_z85_decode(binary, out->secret_key) == NULL)
		return -1;
	return zmq_curve_public(proof, out->secret_key) == 0 && strcmp(proof, out->public_key) == 0
		       ? 0
		       : -1;
}

int keys_read(const char *path, struct key_pair *out, struct lk_error *err)
{
	char text[FILE_LEN + 1] = "";
	struct stat st;
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return lk_fail(err, errno == ENOENT ? LK_ENOTFOUND : LK_ECONFIG,
			       "cannot open %s: %s", path, strerror(errno));
	ssize_t n = read(fd, text, FILE_LEN);
	int unknown = fstat(fd, &st);
	close(fd);
	if (n < 0 || unknown != 0)
		return lk_fail(err, LK_ECONFIG, "cannot read %s: %s", path, strerror(errno));
	if ((st.st_mode & 077) != 0)
		return lk_fail(err, LK_ECONFIG,
			       "%s holds a secret that others may read: chmod 600 it", path);
	if (parse_pair(text, (size_t)n, out) < 0)
		return lk_fail(err, LK_ECONFIG, "%s is not a public key and its secret, one a line",
			       path);
	return 0;
}

int keys_ensure(const char *path, struct key_pair *out, struct lk_error *err)
{
	int rc = keys_read(path, out, err);

	if (rc != LK_ENOTFOUND)
		return rc;
	rc = keys_make(out, err);
	return rc < 0 ? rc : keys_write(path, out, err);
}

static bool file_says(const char *path, const char *text, size_t len)
{
	char found[128];
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return false;
	ssize_t n = read(fd, found, sizeof(found));
	close(fd);
	return n >= 0 && (size_t)n == len && memcmp(found, text, len) == 0;
}

int keys_server(const char *path, const char *public_path, struct key_pair *out,
		struct lk_error *err)
{
	char line[KEY_TEXT + 1];
	int rc = keys_ensure(path, out, err);

	if (rc < 0)
		return rc;
	snprintf(line, sizeof(line), "%s\n", out->public_key);
	if (file_says(public_path, line, KEY_TEXT))
		return 0;
	return keys_put_file(public_path, 0644, line, KEY_TEXT, err);
}
