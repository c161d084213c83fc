/* ctl_expunge.c - a family taken out on order, with a certificate; and legal holds, which forbid it.
 *
 * In: a case and an order. Out: a certificate of what is gone, and of where it still is. Promise: what is certified was
 * looked for afterwards, byte by byte, in every file of the store, and by the daemon in notices, which lie squeezed there.
 */
#include "ctl.h"

#include "progress.h"
#include "store/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PART_BYTES (1u << 20)
#define NUMBER_MAX 64

static int case_arguments(char *const *arguments, struct lk_bytes *out)
{
	if (!ctl_has_agency())
		return TOOL_FAILED;
	if (ctl_settings.purpose == NULL)
		return options_complain(&ctl_tool, "on whose order, or why? Say --purpose TEXT");
	lk_put_map(out, 3);
	lk_member_word(out, "agency", ctl_settings.agency);
	lk_member_word(out, "case", arguments[0]);
	lk_member_word(out, "purpose", ctl_settings.purpose);
	return TOOL_OK;
}

/* ---- Looking for it ---------------------------------------------------------------------------------------------------- */

struct search {
	const char *number;
	int64_t bytes, found;
	char first[300]; /* the first other file with the number in it; empty: none */
};

/* Parts overlap, so that nothing hides between two. */
static int search_file(struct search *s, const char *path, struct lk_error *err)
{
	static char bytes[NUMBER_MAX + PART_BYTES];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t kept = 0;
	ssize_t n;

	if (fd < 0)
		return errno == ENOENT ? 0
				       : lk_fail(err, LK_ESTORE, "%s cannot be looked at: %s", path,
						 strerror(errno));
	while ((n = read(fd, bytes + kept, PART_BYTES)) > 0) {
		size_t len = kept + (size_t)n;

		s->found += store_words_said(bytes, len, lk_text_of(s->number));
		kept = len < NUMBER_MAX ? len : NUMBER_MAX;
		memmove(bytes, bytes + len - kept, kept);
		s->bytes += n;
		progress_say("looking through the files", s->bytes, 0);
	}
	(void)close(fd);
	return n < 0 ? lk_fail(err, LK_ESTORE, "%s cannot be read: %s", path, strerror(errno)) : 0;
}

static bool begins_with(const char *name, const char *with)
{
	return strncmp(name, with, strlen(with)) == 0;
}

/* What the daemon has open; the others are copies that a restore, a rebuild or a backup has left. */
static bool is_in_use(const char *name)
{
	static const char *const names[] = { "linkages.db", "linkages.db-wal", "state.db",
					     "state.db-wal" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

static int search_entry(struct search *s, const char *state, const char *name, struct lk_error *err)
{
	char path[PLACE_PATH + NAME_MAX + 2];
	int64_t before = s->found;
	int rc;

	if (!begins_with(name, "linkages.db") && !begins_with(name, "state.db") &&
	    !begins_with(name, "backup.db"))
		return 0;
	(void)snprintf(path, sizeof(path), "%s/%s", state, name);
	rc = search_file(s, path, err);
	if (!is_in_use(name) && s->found > before && s->first[0] == '\0')
		(void)snprintf(s->first, sizeof(s->first), "%.299s", name);
	return rc;
}

static int search_files(struct search *s, struct lk_error *err)
{
	char state[PLACE_PATH];
	int rc = ctl_store(state, err);
	DIR *folder = rc == 0 ? opendir(state) : NULL;
	const struct dirent *entry;

	*s = (struct search){ .number = s->number };
	if (rc == 0 && folder == NULL)
		rc = lk_fail(err, LK_ECONFIG, "%s cannot be looked at: %s", state, strerror(errno));
	while (rc == 0 && (entry = readdir(folder)) != NULL)
		rc = search_entry(s, state, entry->d_name, err);
	if (folder != NULL)
		(void)closedir(folder);
	progress_end();
	if (rc == 0 && s->bytes == 0)
		rc = lk_fail(err, LK_ECONFIG, "%s holds no store: say --state", state);
	return rc;
}

/* ---- expunge ----------------------------------------------------------------------------------------------------------- */

static int keep_body(void *context, struct lk_span body)
{
	lk_bytes_add(context, body.at, body.len);
	return 0;
}

/* Notices lie squeezed in their rows: the daemon looks through them. */
static void take_search(struct search *s, struct lk_span answer)
{
	int64_t bytes = 0, found = 0;

	(void)lk_as_int(lk_get(answer, "bytes_searched"), &bytes);
	(void)lk_as_int(lk_get(answer, "occurrences"), &found);
	s->bytes += bytes;
	s->found += found;
}

/* Unused space of the files may hold older rows of the family, and of notices, in compressed form, where a search finds no
 * name. So both files are written anew first. That takes long, and everybody waits for it; an order to expunge is rare. */
static int prove_gone(struct lk_asker *asker, struct search *s, struct lk_error *err)
{
	struct lk_bytes question = { 0 }, answer = { 0 };
	int rc;

	lk_put_map(&question, 1);
	lk_member_word(&question, "case", s->number);
	rc = ctl_asker_ask(asker, "vacuum", &question, keep_body, &answer, err);
	if (rc == 0)
		rc = search_files(s, err);
	if (rc == 0)
		take_search(s, lk_span_of(answer.at, answer.len));
	lk_bytes_free(&question);
	lk_bytes_free(&answer);
	return rc;
}

/* The daemon's members, and what was looked for and found here. */
static void put_certificate(struct lk_bytes *out, struct lk_span body, const struct search *s)
{
	struct lk_span key, value;
	size_t cursor = 0;

	lk_put_map(out, (uint32_t)lk_count(body) + 2);
	while (lk_next(body, &cursor, &key, &value)) {
		lk_put_text(out, lk_as_text(key));
		lk_put_raw(out, value.at, value.len);
	}
	lk_member_int(out, "bytes_searched", s->bytes);
	lk_member_int(out, "occurrences", s->found);
}

/* A number, and what there is of it: of one, and of none or more. */
static void print_line(struct output *out, struct lk_span body, const char *const line[3])
{
	char number[32];
	int64_t n = 0;

	(void)lk_as_int(lk_get(body, line[0]), &n);
	(void)snprintf(number, sizeof(number), "  %8lld ", (long long)n);
	output_word(out, number);
	output_word(out, line[n == 1 ? 1 : 2]);
	output_word(out, "\n");
}

static void print_backups(struct output *out, struct lk_span backups)
{
	struct lk_span key, value;
	size_t cursor = 0;

	if (lk_count(backups) <= 0) {
		output_word(out, "No backup is known that still holds it.\n");
		return;
	}
	output_word(out, "Backups that still hold it; destroy each, then 'backup forget' it:\n");
	while (lk_next(backups, &cursor, &key, &value)) {
		struct lk_text place = lk_as_text(lk_get(value, "place"));

		output_word(out, "  ");
		output_cell(out, lk_get(value, "made"));
		output_word(out, "  ");
		output_text(out, lk_text_given(place) ? place : LK_TEXT("(never verified)"));
		output_word(out, "\n");
	}
}

static void certificate_page(struct output *out, struct lk_span body)
{
	static const char *const gone[][3] = {
		{ "cases", "case of one family", "cases of one family" },
		{ "events", "event of the family", "events of the family" },
		{ "links_of_others", "link that others had said of it",
		  "links that others had said of it" },
		{ "notices", "notice, which keeps its number and kind",
		  "notices, which keep their number and kind" },
		{ "dead_letters", "dead letter, which keeps its reason",
		  "dead letters, which keep their reason" },
		{ "ledger_rows", "row of the ledger, which keeps its place in the chain",
		  "rows of the ledger, which keep their place in the chain" },
	};
	static const char *const looked[][3] = {
		{ "bytes_searched", "byte searched", "bytes searched" },
		{ "occurrences", "occurrence of the case number",
		  "occurrences of the case number" },
	};

	output_painted(out, PAINT_BOLD, "Certificate of expunction\n");
	output_word(out, "Order: ");
	output_text(out, lk_as_text(lk_get(body, "order")));
	output_word(out, "\nDone:  ");
	output_cell(out, lk_get(body, "at"));
	output_word(out, "\nHead of the ledger afterwards: ");
	output_cell(out, lk_get(body, "head"));
	output_word(out, "\nGone:\n");
	for (size_t i = 0; i < sizeof(gone) / sizeof(gone[0]); i++)
		print_line(out, body, gone[i]);
	output_word(
		out,
		"Both files were written anew. Looked for afterwards, in the database, the state store, their logs and copies beside them:\n");
	for (size_t i = 0; i < sizeof(looked) / sizeof(looked[0]); i++)
		print_line(out, body, looked[i]);
	print_backups(out, lk_get(body, "backups"));
	output_word(out, "Events of the family are refused from now on.\n");
}

static int certify(struct lk_asker *asker, struct lk_span body, const char *number,
		   struct lk_error *err)
{
	struct search s = { .number = number };
	struct lk_bytes certificate = { 0 };
	struct output out;
	int rc = prove_gone(asker, &s, err);

	if (rc < 0)
		return rc;
	put_certificate(&certificate, body, &s);
	output_open(&out, stdout, ctl_settings.json);
	(void)ctl_print_as(&out, lk_span_of(certificate.at, certificate.len), certificate_page);
	lk_bytes_free(&certificate);
	if (output_close(&out) < 0)
		return lk_fail(err, LK_EFULL, "cannot write the certificate");
	if (s.first[0] != '\0')
		return lk_fail(
			err, LK_EREFUSED,
			"the number is still in %s in the state directory, a copy of an older store: destroy it",
			s.first);
	if (s.found > 0)
		return lk_fail(err, LK_EREFUSED,
			       "the number is still there: it may be a word of another family's");
	return 0;
}

static int expunge(const struct ctl_command *command, char *const *arguments)
{
	struct lk_bytes question = { 0 }, answer = { 0 };
	struct lk_asker *asker = NULL;
	struct lk_error err;
	int rc, status = strlen(arguments[0]) < NUMBER_MAX
				 ? case_arguments(arguments, &question)
				 : options_complain(&ctl_tool, "that is no case number");

	if (status == TOOL_OK)
		status = ctl_confirm(
			"Take case %s and its whole family out of the store for good, on the order '%s'?",
			arguments[0], ctl_settings.purpose);
	if (status != TOOL_OK) {
		lk_bytes_free(&question);
		return status;
	}
	rc = ctl_asker_open(command->key, &asker, &err);
	if (rc == 0)
		rc = ctl_asker_ask(asker, command->verb, &question, keep_body, &answer, &err);
	if (rc == 0)
		rc = certify(asker, lk_span_of(answer.at, answer.len), arguments[0], &err);
	lk_asker_destroy(asker);
	lk_bytes_free(&question);
	lk_bytes_free(&answer);
	return ctl_status(rc, &err);
}

/* ---- Holds ------------------------------------------------------------------------------------------------------------- */

static int list_arguments(char *const *arguments, struct lk_bytes *out)
{
	(void)arguments;
	if (!ctl_has_purpose())
		return TOOL_FAILED;
	lk_put_map(out, 1);
	lk_member_word(out, "purpose", ctl_settings.purpose);
	return TOOL_OK;
}

static int holds_print(void *context, struct lk_span body)
{
	struct output *out = context;
	struct lk_span list = lk_get(body, "holds");

	if (!out->json && lk_count(list) == 0)
		output_word(out, "no holds\n");
	else
		output_value(out, out->json ? body : list);
	return 0;
}

static int hold_run(const struct ctl_command *command, char *const *arguments)
{
	return ctl_ask_and_say(command, arguments, "the family is held: it may not be expunged");
}

static int release_run(const struct ctl_command *command, char *const *arguments)
{
	return ctl_ask_and_say(command, arguments, "the hold has ended");
}

static const struct ctl_command commands[] = {
	{ "expunge", "CASE",
	  "take a family out for good, on order, and print a certificate; --agency, --purpose ORDER, --state",
	  "auditor", "expunge", NULL, NULL, expunge },
	{ "hold add", "CASE", "a legal hold: the family may not be expunged; --agency, --purpose",
	  "auditor", "hold", case_arguments, ctl_print_value, hold_run },
	{ "hold release", "CASE", "the hold ends; --agency, --purpose", "auditor", "release",
	  case_arguments, ctl_print_value, release_run },
	{ "hold list", NULL, "which cases are held, and why; --purpose", "auditor", "holds",
	  list_arguments, holds_print, ctl_ask },
};
const struct ctl_group ctl_expunge = { commands, sizeof(commands) / sizeof(commands[0]) };
