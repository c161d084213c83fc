/* ctl_restore.c - the store put back from a backup, while the daemon is stopped.
 *
 * In: a backup's file. Out: a restored store in the place of the one that is there. Promise: nothing is replaced before the
 * backup was proved sound and what would be lost was told; one restore at a time.
 */
#include "ctl.h"
#include "ctl_proof.h"

#include "progress.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

static void restore_tick(void *context, int64_t done, int64_t of)
{
	(void)context;
	progress_say("copying", done, of);
}

/* What would be lost with the store that is there. */
struct loss {
	struct store *copy;
	int64_t events, newest; /* newest: the number of the newest proved backup; 0: none */
	char place[512];
	struct lk_error *err;
};

/* What is safe, outboxes may have forgotten: where it is not in the copy either, nobody can send it. */
static int loss_count(void *context, const struct stored_stream *stream)
{
	struct loss *l = context;
	struct stored_stream then = { .next = 1 };
	int rc = store_stream_get(l->copy, stream->source, stream->epoch, &then, l->err);

	if (rc >= 0 && stream->safe >= then.next)
		l->events += stream->safe - then.next + 1;
	return rc < 0 ? rc : 0;
}

static int loss_newest(void *context, const struct stored_backup *backup)
{
	struct loss *l = context;

	if (backup->verified_at == LK_NO_INSTANT)
		return 0;
	l->newest = backup->number;
	(void)snprintf(l->place, sizeof(l->place), "%.*s", LK_PRINT(backup->place));
	return 0;
}

static int loss_look(struct loss *l, struct store *present, const char *file, struct lk_error *err)
{
	const struct store_options options = { .file = file };
	int rc = store_open(&options, &l->copy, err);

	l->err = err;
	if (rc == 0)
		rc = store_streams(present, loss_count, l, err);
	if (rc == 0)
		rc = store_backups(present, loss_newest, l, err);
	store_close(l->copy);
	return rc;
}

static void loss_tell(const struct loss *l, const char *file)
{
	if (l->events == 0)
		return;
	(void)options_complain(
		&ctl_tool,
		"%lld events that outboxes may have forgotten since are not in %s: nobody could send them again",
		(long long)l->events, file);
	if (l->newest != 0)
		(void)options_complain(&ctl_tool, "the newest backup is number %lld, %s",
				       (long long)l->newest, l->place);
}

/* Before anything is asked. A store that is held ends it; one that cannot be read says nothing of backups. */
static int restore_look(const char *state, const char *file, struct lk_error *err)
{
	const struct store_options options = { .directory = state, .read_only = true };
	struct store *present = NULL;
	struct lk_error why = { 0 };
	struct loss l = { .copy = NULL };
	int rc;

	if (access(state, F_OK) != 0)
		return lk_fail(
			err, LK_ECONFIG,
			"%s: no such folder; make it first, and give it to the daemon's user",
			state);
	rc = store_open(&options, &present, &why);
	if (rc == LK_ESTATE)
		return lk_fail(err, rc, "%s: stop the daemon first", why.text);
	if (rc < 0)
		return 0;
	rc = loss_look(&l, present, file, err);
	store_close(present);
	if (rc == 0)
		loss_tell(&l, file);
	return rc;
}

static int restore_ask(const char *state, const char *file)
{
	return ctl_confirm(
		"Put %s in the place of the store in %s? What came after it is asked for "
		"again from the outboxes; the old file is kept.",
		file, state);
}

/* One at a time: two would write the same copy. Held until the tool ends, however it ends; where a file system has no locks of
 * folders nobody is kept out. */
static int restore_alone(const char *state, struct lk_error *err)
{
	int fd = open(state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return lk_fail(err, LK_ECONFIG, "%s: %s", state, strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK)
		return lk_fail(err, LK_ESTATE, "%s: another restore is under way", state);
	return 0;
}

static int restore(const struct ctl_command *command, char *const *arguments)
{
	static char state[PLACE_PATH], whole[PATH_MAX];
	struct store_restore order = {
		.directory = state,
		.file = realpath(arguments[0], whole) != NULL ? whole : arguments[0],
		.tick = restore_tick,
	};
	struct lk_error err;
	struct proof p;
	int status, rc = ctl_store(state, &err);

	(void)command;
	if (rc == 0)
		rc = prove_sound(arguments[0], NULL, &p, &err);
	if (rc == 0)
		rc = restore_look(state, arguments[0], &err);
	if (rc < 0)
		return ctl_status(rc, &err);
	if ((status = restore_ask(state, arguments[0])) != TOOL_OK)
		return status;
	order.at = (lk_instant)time(NULL) * LK_SECOND;
	rc = restore_alone(state, &err);
	if (rc == 0)
		rc = store_restore(&order, &err);
	progress_end();
	if (rc == 0 &&
	    printf("restored in %s; start the daemon: the outboxes send again what is missing\n",
		   state) < 0)
		rc = lk_fail(&err, LK_EFULL, "cannot write the answer");
	return ctl_status(rc, &err);
}

static const struct ctl_command commands[] = {
	{ "restore", "FILE", "put the store back from a backup; the daemon is stopped", NULL, NULL,
	  NULL, NULL, restore },
};
const struct ctl_group ctl_restore = { commands, sizeof(commands) / sizeof(commands[0]) };
