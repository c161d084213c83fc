/* ctl_table.c - the table of clients, edited as a text.
 *
 * In: a file that people wrote. Out: the same with one entry more, revoked, or with another key. Promise: what the edit did
 * not mean is as it was, comments included; nothing is written that the daemon would not read as it was meant.
 */
#include "ctl_table.h"

#include "roster.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TABLE_MOST (16u * 1024 * 1024)

/* ---- Files ---- */

static int text_read(const char *path, struct lk_bytes *out, struct lk_error *err)
{
	FILE *file = fopen(path, "re");
	char piece[4096];
	size_t n;

	if (file == NULL)
		return errno == ENOENT ? 0
				       : lk_fail(err, LK_ECONFIG, "%s: %s", path, strerror(errno));
	while ((n = fread(piece, 1, sizeof(piece), file)) > 0 && out->len < TABLE_MOST)
		lk_bytes_add(out, piece, n);
	n = (size_t)ferror(file);
	(void)fclose(file);
	if (n != 0 || out->len >= TABLE_MOST)
		return lk_fail(err, LK_ECONFIG, "%s: cannot be read", path);
	return out->failed ? lk_fail(err, LK_EMEMORY, "out of memory") : 0;
}

static bool write_all(int fd, const void *text, size_t len)
{
	const char *at = text;

	while (len > 0) {
		ssize_t n = write(fd, at, len);

		if (n < 0)
			return false;
		at += n;
		len -= (size_t)n;
	}
	return fsync(fd) == 0;
}

int text_put(const char *path, const char *like, unsigned mode, const void *text, size_t len,
	     struct lk_error *err)
{
	char beside[1100];
	struct stat st = { .st_mode = (mode_t)mode, .st_uid = geteuid(), .st_gid = getegid() };
	bool known = stat(like, &st) == 0, done;
	int fd;

	(void)snprintf(beside, sizeof(beside), "%s.new", path);
	fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return lk_fail(err, LK_ECONFIG, "%s: %s", beside, strerror(errno));
	/* Not ours to give away where we are not root: then it stays ours. */
	if (known && fchown(fd, st.st_uid, st.st_gid) < 0)
		errno = 0;
	done = write_all(fd, text, len) && fchmod(fd, st.st_mode & 07777) == 0;
	done = close(fd) == 0 && done && rename(beside, path) == 0;
	if (done)
		return 0;
	(void)unlink(beside);
	return lk_fail(err, LK_EFULL, "%s: cannot be written: %s", path, strerror(errno));
}

int table_read(const char *path, struct table_text *out, struct lk_error *err)
{
	int code;

	*out = (struct table_text){ 0 };
	(void)snprintf(out->path, sizeof(out->path), "%s", path);
	code = text_read(path, &out->text, err);
	if (code == 0)
		code = roster_parse(path, (const char *)out->text.at, out->text.len, &out->roster,
				    err);
	return code;
}

int table_write(const struct table_text *table, struct lk_error *err)
{
	return text_put(table->path, table->path, 0640, table->text.at, table->text.len, err);
}

void table_free(struct table_text *table)
{
	roster_free(table->roster);
	lk_bytes_free(&table->text);
}

/* ---- Edits ---- */

/* Where line n (from 1) begins. */
static size_t line_at(const struct lk_bytes *text, unsigned n)
{
	size_t at = 0;

	while (n > 1 && at < text->len)
		n -= text->at[at++] == '\n';
	return at;
}

/* `len` bytes at `at` become `piece`. */
static void text_replace(const struct lk_bytes *text, size_t at, size_t len, const char *piece,
			 struct lk_bytes *out)
{
	lk_bytes_add(out, text->at, at);
	lk_bytes_add(out, piece, strlen(piece));
	lk_bytes_add(out, text->at + at + len, text->len - at - len);
}

/* The edited text takes the table's place if the daemon would read it. */
static int take(struct table_text *table, struct lk_bytes *edited, struct lk_error *err)
{
	struct roster *roster = NULL;
	int code = edited->failed ? lk_fail(err, LK_EMEMORY, "out of memory")
				  : roster_parse(table->path, (const char *)edited->at, edited->len,
						 &roster, err);

	if (code < 0) {
		lk_bytes_free(edited);
		return code;
	}
	table_free(table);
	table->text = *edited;
	table->roster = roster;
	return 0;
}

static int by_hand(const struct table_text *table, unsigned line, const char *what,
		   struct lk_error *err)
{
	return lk_fail(err, LK_ECONFIG,
		       "%s:%u: this entry is laid out in a way of its own: %s by hand", table->path,
		       line, what);
}

int table_add(struct table_text *table, const char *entry, struct lk_error *err)
{
	size_t before = roster_count(table->roster);
	struct lk_bytes edited = { 0 };
	int code;

	lk_bytes_add(&edited, table->text.at, table->text.len);
	if (edited.len > 0 && edited.at[edited.len - 1] != '\n')
		lk_bytes_add(&edited, "\n", 1);
	if (edited.len > 0)
		lk_bytes_add(&edited, "\n", 1);
	lk_bytes_add(&edited, entry, strlen(entry));
	code = take(table, &edited, err);
	if (code == 0 && roster_count(table->roster) != before + 1)
		code = lk_fail(err, LK_ECONFIG,
			       "%s: is laid out in a way of its own: add the entry by hand",
			       table->path);
	return code;
}

const struct roster_client *table_client(const struct table_text *table, const char *name,
					 struct lk_error *err)
{
	const struct roster_client *client = roster_find_name(table->roster, lk_text_of(name));

	if (client == NULL)
		(void)lk_fail(err, LK_ENOTFOUND,
			      "%s: there is no client '%s'; 'linkages-ctl clients list' names all",
			      table->path, name);
	return client;
}

int table_revoke(struct table_text *table, const char *name, struct lk_error *err)
{
	const struct roster_client *client = table_client(table, name, err);
	struct lk_bytes edited = { 0 };
	unsigned line;
	size_t at;
	int code;

	if (client == NULL)
		return LK_ENOTFOUND;
	if (client->revoked)
		return lk_fail(err, LK_ESTATE, "'%s' is revoked already", name);
	line = client->line;
	at = line_at(&table->text, line + 1);
	if (table->text.at[line_at(&table->text, line)] != '-')
		return by_hand(table, line, "write 'revoked: true'", err);
	text_replace(&table->text, at, 0, "  revoked: true\n", &edited);
	if (take(table, &edited, err) < 0)
		return by_hand(table, line, "write 'revoked: true'", err);
	client = table_client(table, name, err);
	code = client != NULL && client->revoked
		       ? 0
		       : by_hand(table, line, "write 'revoked: true'", err);
	return code;
}

/* The old key stands once in the file, for keys are unique. */
int table_rekey(struct table_text *table, const char *name, const char *key, struct lk_error *err)
{
	const struct roster_client *client = table_client(table, name, err);
	struct lk_bytes edited = { 0 };
	char old[ROSTER_KEY_TEXT];
	const char *found;
	unsigned line;

	if (client == NULL)
		return LK_ENOTFOUND;
	line = client->line;
	roster_key_print(client->key, old);
	found = memmem(table->text.at, table->text.len, old, ROSTER_KEY_TEXT - 1);
	if (found == NULL)
		return by_hand(table, line, "write the new key", err);
	text_replace(&table->text, (size_t)(found - (const char *)table->text.at),
		     ROSTER_KEY_TEXT - 1, key, &edited);
	if (take(table, &edited, err) < 0)
		return LK_ECONFIG;
	client = table_client(table, name, err);
	if (client == NULL)
		return LK_ECONFIG;
	roster_key_print(client->key, old);
	return strcmp(old, key) == 0 ? 0 : by_hand(table, line, "write the new key", err);
}
