/* ctl_table.h - the table of clients as a text that people wrote: edited in place, comments and all. */
#ifndef LINKAGES_CTL_TABLE_H
#define LINKAGES_CTL_TABLE_H

#include <linkages/wire.h>

struct roster;

/* A table in a file. Zeroes are none. */
struct table_text {
	char path[1024];
	struct lk_bytes text;
	struct roster *roster; /* what the text says */
};

/* Reads it; a file that is not there is an empty table. LK_ECONFIG: err names file, line, column, key and reason. */
int table_read(const char *path, struct table_text *out, struct lk_error *err) LK_MUST_CHECK;
void table_free(struct table_text *table);
/* Borrowed from the table, until it is edited or freed; NULL: it has none of that name, and err says so (LK_ENOTFOUND). */
const struct roster_client *table_client(const struct table_text *table, const char *name, struct lk_error *err);
/* Each edits the text, and reads the result as the daemon will: a result that does not say what was meant is refused
 * (LK_ECONFIG, naming the line to edit by hand), and the text is as it was. */
int table_add(struct table_text *table, const char *entry, struct lk_error *err) LK_MUST_CHECK;
int table_revoke(struct table_text *table, const char *name, struct lk_error *err) LK_MUST_CHECK;
int table_rekey(struct table_text *table, const char *name, const char *key,
		struct lk_error *err) LK_MUST_CHECK;
/* Puts it in the place of the file, whole and synced, with the old one's mode and owner. */
int table_write(const struct table_text *table, struct lk_error *err) LK_MUST_CHECK;

/* A whole file of text put in its place: a temporary one, synced, renamed. Mode and owner are those of `like`, where it is
 * there, else `mode` and ours. */
int text_put(const char *path, const char *like, unsigned mode, const void *text, size_t len,
	     struct lk_error *err) LK_MUST_CHECK;

#endif
