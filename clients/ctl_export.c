/* ctl_export.c - the state store, copied for analysts: a snapshot, and a CSV file a table.
 *
 * In: a folder that is not there yet, and a purpose. Out: state.db as of one instant, and TABLE.csv. Promise: the purpose
 * is in the disclosure ledger before a byte is copied; the folder is the asker's alone.
 */
#include "ctl.h"

#include "progress.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct export
{
	sqlite3 *db;
	const char *folder;
	int64_t rows, tables;
	struct lk_error *err;
};

static int ask_leave(const char *key, struct lk_error *err)
{
	struct lk_bytes arguments = { 0 };
	struct lk_asker *asker = NULL;
	int rc = ctl_asker_open(key, &asker, err);

	lk_put_map(&arguments, 1);
	lk_member_word(&arguments, "purpose", ctl_settings.purpose);
	if (rc == 0)
		rc = ctl_asker_tell(asker, "export", &arguments, err);
	lk_asker_destroy(asker);
	lk_bytes_free(&arguments);
	return rc;
}

static int failed(struct export *x, const char *what)
{
	return lk_fail(x->err, LK_ESTORE, "%s: %s", what, sqlite3_errmsg(x->db));
}

/* All of it as of one instant, whatever the daemon writes meanwhile. */
static int snapshot(struct export *x)
{
	char state[PLACE_PATH], path[PLACE_PATH + 16], *sql;
	int rc = ctl_store(state, x->err);

	if (rc < 0)
		return rc;
	(void)snprintf(path, sizeof(path), "%s/state.db", state);
	if (access(path, R_OK) != 0)
		return lk_fail(x->err, LK_ENOTFOUND, "%s cannot be read: %s", path,
			       strerror(errno));
	if (sqlite3_open_v2(path, &x->db, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK)
		return failed(x, path);
	(void)sqlite3_busy_timeout(x->db, 5000);
	sql = sqlite3_mprintf("VACUUM INTO '%q/state.db'", x->folder);
	rc = sqlite3_exec(x->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : failed(x, "state.db");
	sqlite3_free(sql);
	(void)sqlite3_close(x->db);
	x->db = NULL;
	(void)snprintf(path, sizeof(path), "%s/state.db", x->folder);
	if (rc == 0 && sqlite3_open_v2(path, &x->db, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK)
		rc = failed(x, path);
	return rc;
}

/* RFC 4180: quoted where it must be; what is absent is empty. */
static void put_field(FILE *to, const char *text)
{
	if (text == NULL)
		return;
	if (text[strcspn(text, ",\"\r\n")] == '\0') {
		(void)fputs(text, to);
		return;
	}
	(void)fputc('"', to);
	for (; *text != '\0'; text++) {
		if (*text == '"')
			(void)fputc('"', to);
		(void)fputc(*text, to);
	}
	(void)fputc('"', to);
}

static int put_rows(struct export *x, sqlite3_stmt *rows, FILE *to)
{
	int n = sqlite3_column_count(rows), rc;

	for (int i = 0; i < n; i++) {
		(void)fputs(i > 0 ? "," : "", to);
		put_field(to, sqlite3_column_name(rows, i));
	}
	(void)fputs("\r\n", to);
	while ((rc = sqlite3_step(rows)) == SQLITE_ROW) {
		for (int i = 0; i < n; i++) {
			(void)fputs(i > 0 ? "," : "", to);
			put_field(to, (const char *)sqlite3_column_text(rows, i));
		}
		(void)fputs("\r\n", to);
		progress_say("rows", ++x->rows, 0);
	}
	return rc == SQLITE_DONE ? 0 : failed(x, "state.db");
}

static int put_table(struct export *x, const char *name)
{
	char path[PLACE_PATH + 80];
	sqlite3_stmt *rows = NULL;
	char *sql = sqlite3_mprintf("SELECT * FROM \"%w\"", name);
	FILE *to;
	int rc;

	(void)snprintf(path, sizeof(path), "%s/%s.csv", x->folder, name);
	to = fopen(path, "wxe");
	if (to == NULL)
		rc = lk_fail(x->err, LK_ESTORE, "%s: %s", path, strerror(errno));
	else if (sqlite3_prepare_v2(x->db, sql, -1, &rows, NULL) != SQLITE_OK)
		rc = failed(x, name);
	else
		rc = put_rows(x, rows, to);
	(void)sqlite3_finalize(rows);
	sqlite3_free(sql);
	if (to != NULL && fclose(to) != 0 && rc == 0)
		rc = lk_fail(x->err, LK_EFULL, "%s: %s", path, strerror(errno));
	x->tables++;
	return rc;
}

static int put_tables(struct export *x)
{
	sqlite3_stmt *names = NULL;
	int rc = 0;

	if (sqlite3_prepare_v2(x->db,
			       "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') "
			       "AND name <> 'standing' AND name NOT LIKE 'kept#_%' ESCAPE '#' "
			       "ORDER BY name",
			       -1, &names, NULL) != SQLITE_OK)
		return failed(x, "state.db");
	while (rc == 0 && sqlite3_step(names) == SQLITE_ROW)
		rc = put_table(x, (const char *)sqlite3_column_text(names, 0));
	(void)sqlite3_finalize(names);
	progress_end();
	return rc;
}

static void print_export(const struct export *x)
{
	struct lk_bytes body = { 0 };
	struct output out;

	lk_put_map(&body, 3);
	lk_member_word(&body, "folder", x->folder);
	lk_member_int(&body, "tables", x->tables);
	lk_member_int(&body, "rows", x->rows);
	output_open(&out, stdout, ctl_settings.json);
	output_value(&out, lk_span_of(body.at, body.len));
	(void)output_close(&out);
	lk_bytes_free(&body);
}

static int export(const struct ctl_command *command, char *const *arguments)
{
	struct lk_error err;
	struct export x = { .folder = arguments[0], .err = &err };
	int rc;

	if (ctl_settings.purpose == NULL)
		return options_complain(
			&ctl_tool, "why is it exported? Say --purpose TEXT; it goes to the ledger");
	if (access(arguments[0], F_OK) == 0)
		return options_complain(&ctl_tool, "%s is there already", arguments[0]);
	rc = ask_leave(command->key, &err);
	(void)umask(077);
	if (rc == 0 && mkdir(arguments[0], 0700) != 0)
		rc = lk_fail(&err, LK_ESTORE, "%s: %s", arguments[0], strerror(errno));
	if (rc == 0)
		rc = snapshot(&x);
	if (rc == 0)
		rc = put_tables(&x);
	if (rc == 0)
		print_export(&x);
	(void)sqlite3_close(x.db);
	return ctl_status(rc, &err);
}

static const struct ctl_command commands[] = {
	{ "export", "DIR",
	  "copy the state store into a new folder: a snapshot, and a CSV file a table; --purpose, --state",
	  "auditor", NULL, NULL, NULL, export },
};
const struct ctl_group ctl_export = { commands, sizeof(commands) / sizeof(commands[0]) };
