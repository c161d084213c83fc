/* ctl_init.c - the first hour: everything that a daemon needs, in one folder.
 *
 * In: a folder. Out: keys, a commented configuration and policy, a table of clients with an operator and an auditor.
 * Promise: what is there already is kept, so that it may be run again; keys can be read by their owner only.
 */
#include "ctl.h"
#include "ctl_table.h"

#include "example_linkages.h"
#include "example_policy.h"

#include <errno.h>
#include <grp.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define USUAL "/etc/linkages"
#define GROUP "linkages"

static const char clients_head[] =
	"# Whose key is whose, and what each may say and read: 'linkages-ctl clients' keeps it, or edit it by hand.\n"
	"# /usr/share/linkages/examples/clients.yaml explains every member. Read again on reload.\n";

struct making {
	char folder[PLACE_PATH - 64];
	bool is_usual;          /* a folder of the packaged service */
	struct lk_bytes report; /* rows: file, made */
	uint32_t n;
	struct lk_error err;
};

static void report(struct making *m, const char *path, bool made)
{
	lk_put_map(&m->report, 2);
	lk_member_word(&m->report, "file", path);
	lk_member_bool(&m->report, "made", made);
	m->n++;
}

static void path_of(const struct making *m, const char *name, char out[PLACE_PATH])
{
	(void)snprintf(out, PLACE_PATH, "%s/%s", m->folder, name);
}

static bool is_there(const char *path)
{
	return access(path, F_OK) == 0;
}

/* The service reads the files by its group. Who is not root, or has no such group, runs the daemon as themselves. */
static void hand_over(const char *path, mode_t mode)
{
	struct group *group = geteuid() == 0 ? getgrnam(GROUP) : NULL;

	if (group != NULL && chown(path, (uid_t)-1, group->gr_gid) == 0)
		(void)chmod(path, mode);
}

static int folder_make(struct making *m, const char *name, mode_t mode)
{
	char path[PLACE_PATH];

	path_of(m, name, path);
	if (mkdir(path, mode) < 0 && errno != EEXIST)
		return lk_fail(&m->err, LK_ECONFIG, "%s: cannot be made: %s", path,
			       strerror(errno));
	return 0;
}

/* ---- Keys ---- */

static int pair_make(struct making *m, const char *name, struct lk_keypair *pair)
{
	char path[PLACE_PATH];
	bool known;
	int code;

	path_of(m, name, path);
	known = is_there(path);
	code = known ? lk_keypair_read(path, pair, &m->err) : lk_keypair_make(pair, &m->err);
	if (code == 0 && !known)
		code = lk_keypair_write(path, pair, &m->err);
	if (code == 0)
		report(m, path, !known);
	return code;
}

static int server_make(struct making *m)
{
	struct lk_keypair pair;
	char path[PLACE_PATH];
	bool known;
	int code = pair_make(m, "server.key", &pair);

	path_of(m, "server.pub", path);
	known = is_there(path);
	if (code == 0 && !known)
		code = lk_public_key_write(path, pair.public_key, &m->err);
	if (code == 0)
		report(m, path, !known);
	return code;
}

/* ---- Files ---- */

static int file_make(struct making *m, const char *name, const struct lk_bytes *text)
{
	char path[PLACE_PATH];
	int code;

	path_of(m, name, path);
	if (is_there(path)) {
		report(m, path, false);
		return 0;
	}
	if (text->failed)
		return lk_fail(&m->err, LK_EMEMORY, "out of memory");
	code = text_put(path, path, 0640, text->at, text->len, &m->err);
	if (code < 0)
		return code;
	hand_over(path, 0640);
	report(m, path, true);
	return 0;
}

static void add(struct lk_bytes *out, const char *text)
{
	lk_bytes_add(out, text, strlen(text));
}

/* Lines of the example that say where things are. In the usual folder: where the package has them; an instance's beside
 * them. Elsewhere all is kept in the folder. */
static const char *line_for(const struct making *m, const char *line, char room[PLACE_PATH])
{
	const char *instance = m->is_usual ? m->folder + strlen(USUAL) : "";
	static const struct {
		const char *begins, *usual, *elsewhere;
	} lines[] = {
		{ "state_directory:", "state_directory: /var/lib/linkages%s\n",
		  "state_directory: state%s\n" },
		{ "runtime_directory:", "runtime_directory: /run/linkages%s\n",
		  "runtime_directory: run%s\n" },
		{ "  server: ", "  server: server.key\n", "  server: server.key\n" },
		{ "  control: ", "  # control: ipc:///run/linkages/control\n",
		  "  # control: ipc:///run/linkages/control\n" },
	};

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		const char *format = m->is_usual ? lines[i].usual : lines[i].elsewhere;
		const char *hole = strstr(format, "%s");

		if (strncmp(line, lines[i].begins, strlen(lines[i].begins)) != 0)
			continue;
		if (hole == NULL)
			return format;
		(void)snprintf(room, PLACE_PATH, "%.*s%s%s", (int)(hole - format), format, instance,
			       hole + 2);
		return room;
	}
	return NULL;
}

static void configuration_text(const struct making *m, struct lk_bytes *out)
{
	const char *line = example_linkages;
	char room[PLACE_PATH];

	while (*line != '\0') {
		size_t len = strcspn(line, "\n") + 1;
		const char *ours = line_for(m, line, room);

		if (ours != NULL)
			add(out, ours);
		else
			lk_bytes_add(out, line, len);
		line += len;
	}
}

static int table_make(struct making *m)
{
	static const char *const roles[] = { "operator", "auditor" };
	struct lk_bytes text = { 0 };
	struct lk_keypair pair;
	char entry[256];
	int code = folder_make(m, "keys", 0700);

	add(&text, clients_head);
	for (size_t i = 0; code == 0 && i < 2; i++) {
		(void)snprintf(entry, sizeof(entry), "keys/%s.key", roles[i]);
		code = pair_make(m, entry, &pair);
		(void)snprintf(entry, sizeof(entry), "\n- name: %s\n  key: '%s'\n  role: %s\n",
			       roles[i], pair.public_key, roles[i]);
		add(&text, entry);
	}
	if (code == 0)
		code = file_make(m, "clients.yaml", &text);
	lk_bytes_free(&text);
	return code;
}

static int all_make(struct making *m)
{
	struct lk_bytes text = { 0 };
	int code = folder_make(m, "", 0750);

	if (code == 0)
		hand_over(m->folder, 0750);
	if (code == 0)
		code = server_make(m);
	if (code == 0)
		code = table_make(m);
	configuration_text(m, &text);
	if (code == 0)
		code = file_make(m, "linkages.yaml", &text);
	lk_bytes_clear(&text);
	add(&text, example_policy);
	if (code == 0)
		code = file_make(m, "policy.yaml", &text);
	lk_bytes_free(&text);
	return code;
}

static void tell(const struct making *m)
{
	struct lk_bytes list = { 0 };
	struct output out;

	lk_put_array(&list, m->n);
	lk_bytes_add(&list, m->report.at, m->report.len);
	output_open(&out, stdout, ctl_settings.json);
	output_value(&out, lk_span_of(list.at, list.len));
	lk_bytes_free(&list);
	if (out.json)
		return;
	printf("\nNext:\n"
	       "  edit %s/linkages.yaml (sources, lanes) and policy.yaml (liaisons)\n"
	       "  linkages-ctl --config %s --role publisher --covers calsaws clients add calsaws-feed\n"
	       "  linkages-ctl --config %s --role worker --covers cws.liaison,calworks.liaison clients add liaisons\n"
	       "  linkagesd -n -c %s/linkages.yaml\n",
	       m->folder, m->folder, m->folder, m->folder);
}

static int folder_find(struct making *m, const char *named)
{
	char folder[PLACE_PATH];
	size_t len;
	int code = place_config(&ctl_settings.place, folder, &m->err);

	if (code < 0)
		return code;
	if (named != NULL)
		(void)snprintf(folder, sizeof(folder), "%s", named);
	for (len = strlen(folder); len > 1 && folder[len - 1] == '/'; len--)
		folder[len - 1] = '\0';
	if (len == 0 || len >= sizeof(m->folder))
		return lk_fail(&m->err, LK_ECONFIG, "'%s' cannot name a folder", folder);
	memcpy(m->folder, folder, len + 1);
	m->is_usual = strncmp(folder, USUAL, strlen(USUAL)) == 0 &&
		      (folder[strlen(USUAL)] == '\0' || folder[strlen(USUAL)] == '/');
	return 0;
}

int ctl_init(const struct ctl_command *command, char *const *arguments)
{
	struct making m = { .n = 0 };
	int code = folder_find(&m, arguments[0]);

	(void)command;
	if (code == 0)
		code = all_make(&m);
	if (code == 0)
		tell(&m);
	lk_bytes_free(&m.report);
	return code < 0 ? options_complain(&ctl_tool, "%s", m.err.text) : TOOL_OK;
}
