/* ctl_keep.c - what keeps a store worth keeping: ledger verify, scrub, rebuild, prune, backup.
 *
 * In: a command. Out: a verdict, or a file that was proved sound. Promise: a backup that is called one can be opened: it was
 * proved (ctl_proof.c) in the very file, after it was copied and synced.
 */
#include "ctl.h"
#include "ctl_proof.h"

#include "progress.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COPY_BYTES (1u << 20)

static void put_head(struct lk_bytes *out, const struct ledger_head *head)
{
	char text[LK_DIGEST_HEX + 24], chain[LK_DIGEST_HEX];

	lk_digest_hex(head->chain, chain);
	(void)snprintf(text, sizeof(text), "%lld:%s", (long long)head->number, chain);
	lk_member_word(out, "head", text);
}

/* ---- ledger verify ----------------------------------------------------------------------------------------------------- */

static void verdict_page(struct output *out, struct lk_span body)
{
	bool sound = false;
	int64_t rows = 0, broken = 0, expunged = 0;
	char line[200];

	(void)lk_as_bool(lk_get(body, "sound"), &sound);
	(void)lk_as_int(lk_get(body, "rows"), &rows);
	(void)lk_as_int(lk_get(body, "broken"), &broken);
	(void)lk_as_int(lk_get(body, "expunged"), &expunged);
	output_painted(out, sound ? PAINT_GOOD : PAINT_ALARM, sound ? "sound" : "broken");
	if (sound) {
		(void)snprintf(line, sizeof(line),
			       ": %lld rows, %lld of them expunged on order; head ",
			       (long long)rows, (long long)expunged);
		output_word(out, line);
		output_text(out, lk_as_text(lk_get(body, "head")));
	} else {
		output_word(out, ": ");
		output_text(out, lk_as_text(lk_get(body, "why")));
	}
	output_word(out, "\n");
}

static int verdict_print(void *context, struct lk_span body)
{
	bool sound = false;

	(void)ctl_print_as(context, body, verdict_page);
	(void)lk_as_bool(lk_get(body, "sound"), &sound);
	return sound ? 0 : 1;
}

static int verify_arguments(char *const *arguments, struct lk_bytes *out)
{
	(void)arguments;
	lk_put_map(out, ctl_settings.head != NULL ? 1 : 0);
	if (ctl_settings.head != NULL)
		lk_member_word(out, "head", ctl_settings.head);
	return TOOL_OK;
}

static int head_read(const char *text, struct ledger_head *out)
{
	char *colon;

	out->number = strtoll(text, &colon, 10);
	return *colon == ':' && colon != text && out->number >= 0
		       ? lk_digest_parse(lk_text_of(colon + 1), out->chain)
		       : -1;
}

/* The members of the daemon's own answer (schemas/verbs/ledger-verify.json): whoever reads one can read the other. */
static void put_verdict(struct lk_bytes *out, const struct proof *p)
{
	bool sound = p->damages == 0;

	lk_put_map(out, 7);
	lk_member_bool(out, "sound", sound);
	lk_member_int(out, "rows", p->ledger);
	lk_member_int(out, "expunged", p->expunged);
	lk_member_int(out, "heads", p->known != NULL ? 1 : 0);
	put_head(out, &p->head);
	lk_put_word(out, "broken");
	if (sound)
		lk_put_nil(out);
	else
		lk_put_int(out, p->broken);
	lk_member_text(out, "why", sound ? LK_NO_TEXT : lk_text_of(p->first));
}

static int verify_file(const char *file)
{
	struct ledger_head known;
	struct proof p = { .known = ctl_settings.head != NULL ? &known : NULL };
	struct lk_bytes body = { 0 };
	struct lk_error err;
	struct output out;
	int rc;

	if (p.known != NULL && head_read(ctl_settings.head, &known) < 0)
		return options_complain(&ctl_tool, "--head: NUMBER:CHAIN, as the journal tells it");
	if (prove(file, true, &p, &err) < 0)
		return options_complain(&ctl_tool, "%s", err.text);
	put_verdict(&body, &p);
	output_open(&out, stdout, ctl_settings.json);
	rc = verdict_print(&out, lk_span_of(body.at, body.len));
	lk_bytes_free(&body);
	return output_close(&out) < 0 ? TOOL_FAILED : rc == 0 ? TOOL_OK : TOOL_REFUSED;
}

/* With a file, nobody is asked: the tool looks at it itself. */
static int verify(const struct ctl_command *command, char *const *arguments)
{
	return arguments[0] != NULL ? verify_file(arguments[0]) : ctl_ask(command, arguments);
}

/* ---- scrub ------------------------------------------------------------------------------------------------------------- */

static void scrub_page(struct output *out, struct lk_span body)
{
	struct lk_span damaged = lk_get(body, "damaged"), key, value;
	int64_t rows = 0, damages = 0;
	size_t cursor = 0;
	char line[100];

	(void)lk_as_int(lk_get(body, "rows"), &rows);
	(void)lk_as_int(lk_get(body, "damages"), &damages);
	(void)snprintf(line, sizeof(line), "%lld rows read, %lld damaged\n", (long long)rows,
		       (long long)damages);
	output_word(out, line);
	while (lk_count(damaged) > 0 && lk_next(damaged, &cursor, &key, &value)) {
		output_word(out, "  ");
		output_text(out, lk_as_text(value));
		output_word(out, "\n");
	}
}

static int scrub_print(void *context, struct lk_span body)
{
	bool sound = false;

	(void)ctl_print_as(context, body, scrub_page);
	(void)lk_as_bool(lk_get(body, "sound"), &sound);
	return sound ? 0 : 1;
}

/* ---- rebuild ----------------------------------------------------------------------------------------------------------- */

static void rebuild_page(struct output *out, struct lk_span body)
{
	static const char *const counts[][2] = {
		{ "families_differed", " were not what the log says; " },
		{ "state_differed", " had other rows in state.db; " },
		{ "state_orphans", " in state.db were of no family\n" },
	};
	bool equal = false;
	int64_t n = 0;
	char number[32];

	(void)lk_as_bool(lk_get(body, "equal"), &equal);
	(void)lk_as_int(lk_get(body, "families"), &n);
	output_count(out, n, "family", "families");
	output_word(out, equal ? " folded anew from the log: all equal, and so is state.db\n"
			       : " folded anew from the log; what differed was replaced: ");
	for (size_t i = 0; !equal && i < sizeof(counts) / sizeof(counts[0]); i++) {
		(void)lk_as_int(lk_get(body, counts[i][0]), &n);
		(void)snprintf(number, sizeof(number), "%lld", (long long)n);
		output_word(out, number);
		output_word(out, counts[i][1]);
	}
}

static int rebuild_print(void *context, struct lk_span body)
{
	bool equal = false;

	(void)ctl_print_as(context, body, rebuild_page);
	(void)lk_as_bool(lk_get(body, "equal"), &equal);
	return equal ? 0 : 1;
}

/* ---- prune ------------------------------------------------------------------------------------------------------------- */

static int prune_arguments(char *const *arguments, struct lk_bytes *out)
{
	int status = ctl_confirm("Take away now what is older than the configuration keeps it?");

	return status == TOOL_OK ? ctl_put_nothing(arguments, out) : status;
}

/* ---- backup ------------------------------------------------------------------------------------------------------------ */

struct made {
	int64_t number, position;
	struct ledger_head head;
	char file[PATH_MAX];
};

static int note_made(void *context, struct lk_span body)
{
	struct made *m = context;
	struct lk_text head = lk_as_text(lk_get(body, "head"));
	struct lk_text file = lk_as_text(lk_get(body, "file"));
	char text[80];

	(void)snprintf(text, sizeof(text), "%.*s", LK_PRINT(head));
	(void)snprintf(m->file, sizeof(m->file), "%.*s", LK_PRINT(file));
	(void)lk_as_int(lk_get(body, "backup"), &m->number);
	(void)lk_as_int(lk_get(body, "position"), &m->position);
	return head_read(text, &m->head) < 0 ? LK_EWIRE : 0;
}

static int copy_failed(struct lk_error *err, const char *what, const char *path)
{
	int why = errno;

	return lk_fail(err, why == ENOSPC ? LK_EFULL : LK_ESTORE, "%s: %s: %s", path, what,
		       strerror(why));
}

/* A disk that fills up takes a part first, and says why only when it is given the rest. */
static int write_all(int to, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = write(to, bytes, len);

		if (n < 0)
			return -1;
		bytes += n;
		len -= (size_t)n;
	}
	return 0;
}

static int copy_bytes(int from, int to, const char *path, struct lk_error *err)
{
	static char bytes[COPY_BYTES];
	struct stat st;
	int64_t done = 0;
	ssize_t n;

	if (fstat(from, &st) != 0)
		return copy_failed(err, "cannot be read", path);
	while ((n = read(from, bytes, sizeof(bytes))) > 0) {
		if (write_all(to, bytes, (size_t)n) < 0)
			return copy_failed(err, "cannot be written", path);
		done += n;
		progress_say("copying", done, (int64_t)st.st_size);
	}
	progress_end();
	if (n < 0)
		return copy_failed(err, "cannot be read", path);
	return fsync(to) == 0 ? 0 : copy_failed(err, "cannot be synced", path);
}

static int copy_file(const char *from, const char *to, struct lk_error *err)
{
	int in = open(from, O_RDONLY | O_CLOEXEC), out, rc;

	if (in < 0)
		return copy_failed(err, "cannot be read", from);
	out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	rc = out < 0 ? copy_failed(err, "cannot be made", to) : copy_bytes(in, out, to, err);
	if (out >= 0)
		(void)close(out);
	(void)close(in);
	return rc;
}

static int folder_sync(const char *path, struct lk_error *err)
{
	char copy[PATH_MAX];
	int fd, rc;

	(void)snprintf(copy, sizeof(copy), "%s", path);
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	rc = fd >= 0 && fsync(fd) == 0 ? 0 : copy_failed(err, "its folder cannot be synced", path);
	if (fd >= 0)
		(void)close(fd);
	return rc;
}

/* Under another name until it is proved. It is made before the daemon is asked: a place where nothing can be put is told
 * at once, and not after hours of copying. */
static int part_make(const char *to, char part[PATH_MAX], struct lk_error *err)
{
	int fd;

	if (access(to, F_OK) == 0)
		return lk_fail(err, LK_ECONFIG, "%s is there already", to);
	if (snprintf(part, PATH_MAX, "%s.part", to) >= PATH_MAX)
		return lk_fail(err, LK_ECONFIG, "%s: the name is too long", to);
	fd = open(part, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return copy_failed(err, "cannot be made", part);
	(void)close(fd);
	return 0;
}

static int bring_home(const struct made *m, const char *part, const char *to, struct proof *p,
		      struct lk_error *err)
{
	int rc = copy_file(m->file, part, err);

	if (rc == 0)
		rc = prove_sound(part, &m->head, p, err);
	if (rc == 0 && rename(part, to) != 0)
		rc = copy_failed(err, "cannot be given its name", to);
	if (rc == 0)
		rc = folder_sync(to, err);
	return rc;
}

static int tell_verified(struct lk_asker *asker, const struct made *m, const char *place,
			 struct lk_error *err)
{
	struct lk_bytes arguments = { 0 };
	char full[PATH_MAX];
	int rc;

	lk_put_map(&arguments, 2);
	lk_member_int(&arguments, "backup", m->number);
	lk_member_word(&arguments, "place", realpath(place, full) != NULL ? full : place);
	rc = ctl_asker_tell(asker, "backup-verified", &arguments, err);
	lk_bytes_free(&arguments);
	return rc;
}

/* What nobody could put anywhere is no backup, and the daemon need not keep its copy. */
static void give_up(struct lk_asker *asker, int64_t number)
{
	struct lk_bytes arguments = { 0 };
	struct lk_error err;

	if (number == 0)
		return;
	lk_put_map(&arguments, 1);
	lk_member_int(&arguments, "backup", number);
	if (ctl_asker_tell(asker, "backup-forget", &arguments, &err) < 0)
		(void)options_complain(&ctl_tool, "the daemon's copy stays where it is: %s",
				       err.text);
	lk_bytes_free(&arguments);
}

static void print_backup(const struct made *m, const char *place, const struct proof *p)
{
	struct lk_bytes body = { 0 };
	struct output out;

	lk_put_map(&body, 6);
	lk_member_int(&body, "backup", m->number);
	lk_member_word(&body, "file", place);
	lk_member_int(&body, "position", m->position);
	lk_member_int(&body, "rows", p->rows);
	lk_member_int(&body, "ledger", p->ledger);
	put_head(&body, &p->head);
	output_open(&out, stdout, ctl_settings.json);
	output_value(&out, lk_span_of(body.at, body.len));
	(void)output_close(&out);
	lk_bytes_free(&body);
}

static int backup(const struct ctl_command *command, char *const *arguments)
{
	struct lk_bytes nothing = { 0 };
	struct lk_asker *asker = NULL;
	struct made m = { 0 };
	struct lk_error err;
	struct proof p = { 0 };
	char part[PATH_MAX];
	int rc = part_make(arguments[0], part, &err);

	if (rc < 0)
		return ctl_status(rc, &err);
	lk_put_map(&nothing, 0);
	rc = ctl_asker_open(command->key, &asker, &err);
	if (rc == 0)
		rc = ctl_asker_ask(asker, command->verb, &nothing, note_made, &m, &err);
	if (rc == 0 && (rc = bring_home(&m, part, arguments[0], &p, &err)) < 0)
		give_up(asker, m.number);
	if (rc == 0)
		rc = tell_verified(asker, &m, arguments[0], &err);
	if (rc == 0)
		print_backup(&m, arguments[0], &p);
	else
		(void)unlink(part);
	lk_bytes_free(&nothing);
	lk_asker_destroy(asker);
	return ctl_status(rc, &err);
}

static int number_argument(char *const *arguments, struct lk_bytes *out)
{
	char *end;
	long long number = strtoll(arguments[0], &end, 10);

	if (*end != '\0' || number < 1)
		return options_complain(&ctl_tool, "'%s' is no backup's number", arguments[0]);
	lk_put_map(out, 1);
	lk_member_int(out, "backup", number);
	return TOOL_OK;
}

static int backups_print(void *context, struct lk_span body)
{
	struct output *out = context;
	struct lk_span list = lk_get(body, "backups");

	if (!out->json && lk_count(list) == 0)
		output_word(out, "no backups\n");
	else
		output_value(out, out->json ? body : list);
	return 0;
}

/* ---- Commands ---------------------------------------------------------------------------------------------------------- */

static int forget_run(const struct ctl_command *command, char *const *arguments)
{
	return ctl_ask_and_say(command, arguments, "forgotten: it is kept nowhere any more");
}

static const struct ctl_command commands[] = {
	{ "ledger verify", "[FILE]",
	  "is the disclosure ledger as it was written? Of the running daemon, or in a copy of its file; --head",
	  "operator", "ledger-verify", verify_arguments, verdict_print, verify },
	{ "scrub", NULL, "read every row, and compare it with its sum", "operator", "scrub",
	  ctl_put_nothing, scrub_print, ctl_ask },
	{ "rebuild", NULL,
	  "fold every family anew from the log, fill state.db anew, and say whether both were equal",
	  "operator", "rebuild", ctl_put_nothing, rebuild_print, ctl_ask },
	{ "prune", NULL, "take away now what is older than the configuration keeps it", "operator",
	  "prune", prune_arguments, ctl_print_value, ctl_ask },
	{ "backup list", NULL, "which backups were made, and where they were put", "operator",
	  "backups", ctl_put_nothing, backups_print, ctl_ask },
	{ "backup forget", "NUMBER", "a backup is kept nowhere any more", "operator",
	  "backup-forget", number_argument, ctl_print_value, forget_run },
	{ "backup", "FILE",
	  "copy the store while it is in use, prove the copy sound, and let outboxes forget",
	  "operator", "backup", NULL, NULL, backup },
};
const struct ctl_group ctl_keep = { commands, sizeof(commands) / sizeof(commands[0]) };
