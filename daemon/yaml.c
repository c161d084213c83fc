/* yaml.c - the walker of yaml_walk.h over libyaml's document nodes, which keep line and column.
 *
 * In: a file that people wrote, and the table of its keys. Out: a filled struct, or a complaint that names its place.
 * Promise: the only file that knows libyaml. What is not in the table is refused, never skipped; nothing recurses
 * deeper than the table's own paths, whatever the file says.
 */
#include "yaml_walk.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

struct yaml_file {
	char *name;
	yaml_document_t document;
};

/* ---- Files ------------------------------------------------------------------------------------------------------- */

static int fail_parser(const char *name, const yaml_parser_t *parser, struct lk_error *err)
{
	if (parser->error == YAML_MEMORY_ERROR)
		return lk_fail(err, LK_EMEMORY, "%s: out of memory", name);
	return lk_fail(err, LK_ECONFIG, "%s:%zu:%zu: not YAML: %s%s%s", name,
		       parser->problem_mark.line + 1, parser->problem_mark.column + 1,
		       parser->problem, parser->context != NULL ? " " : "",
		       parser->context != NULL ? parser->context : "");
}

static int check_end(const char *name, yaml_parser_t *parser, struct lk_error *err)
{
	yaml_document_t next;
	const yaml_node_t *root;
	int found = 0;

	if (!yaml_parser_load(parser, &next))
		return fail_parser(name, parser, err);
	root = yaml_document_get_root_node(&next);
	if (root != NULL)
		found = lk_fail(err, LK_ECONFIG,
				"%s:%zu:%zu: a second document begins here; one is all", name,
				root->start_mark.line + 1, root->start_mark.column + 1);
	yaml_document_delete(&next);
	return found;
}

static int load(struct yaml_file *file, yaml_parser_t *parser, struct lk_error *err)
{
	int failed;

	if (!yaml_parser_load(parser, &file->document))
		return fail_parser(file->name, parser, err);
	/* An empty stream has ended with its first document. */
	failed = yaml_document_get_root_node(&file->document) != NULL
			 ? check_end(file->name, parser, err)
			 : 0;
	if (failed < 0)
		yaml_document_delete(&file->document);
	return failed;
}

static int parse(const char *name, const char *text, size_t len, struct yaml_file **out,
		 struct lk_error *err)
{
	struct yaml_file *file = calloc(1, sizeof(*file));
	yaml_parser_t parser;
	int failed = LK_EMEMORY;

	if (file == NULL || (file->name = strdup(name)) == NULL ||
	    !yaml_parser_initialize(&parser)) {
		(void)lk_fail(err, LK_EMEMORY, "%s: out of memory", name);
		goto undo;
	}
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
	failed = load(file, &parser, err);
	yaml_parser_delete(&parser);
	if (failed < 0)
		goto undo;
	*out = file;
	return 0;
undo:
	if (file != NULL)
		free(file->name);
	free(file);
	return failed;
}

static void forget(struct yaml_file *file)
{
	yaml_document_delete(&file->document);
	free(file->name);
	free(file);
}

static int slurp(const char *path, FILE *stream, char *text, size_t *len, struct lk_error *err)
{
	*len = fread(text, 1, YAML_FILE_MAX + 1, stream);
	if (ferror(stream))
		return lk_fail(err, LK_ECONFIG, "%s: %s", path, strerror(errno));
	if (*len > YAML_FILE_MAX)
		return lk_fail(err, LK_ECONFIG, "%s: longer than %u bytes", path, YAML_FILE_MAX);
	return 0;
}

static int read_and_parse(const char *path, struct yaml_file **out, struct lk_error *err)
{
	FILE *stream = fopen(path, "re");
	char *text;
	size_t len = 0;
	int failed;

	if (stream == NULL)
		return lk_fail(err, errno == ENOENT ? LK_ENOTFOUND : LK_ECONFIG, "%s: %s", path,
			       strerror(errno));
	text = malloc(YAML_FILE_MAX + 1);
	failed = text == NULL ? lk_fail(err, LK_EMEMORY, "%s: out of memory", path)
			      : slurp(path, stream, text, &len, err);
	(void)fclose(stream);
	if (failed == 0)
		failed = parse(path, text, len, out, err);
	free(text);
	return failed;
}

static int use_and_forget(struct yaml_file *file, yaml_user *use, void *out, struct lk_error *err)
{
	int failed = use(file, out, err);

	forget(file);
	return failed;
}

int yaml_use_file(const char *path, yaml_user *use, void *out, struct lk_error *err)
{
	struct yaml_file *file;
	int failed = read_and_parse(path, &file, err);

	return failed < 0 ? failed : use_and_forget(file, use, out, err);
}

int yaml_use_text(const char *name, const char *text, size_t len, yaml_user *use, void *out,
		  struct lk_error *err)
{
	struct yaml_file *file;
	int failed = parse(name, text, len, &file, err);

	return failed < 0 ? failed : use_and_forget(file, use, out, err);
}

/* ---- Values and complaints --------------------------------------------------------------------------------------- */

/* libyaml counts nodes from 1 and does not change a document that is only read. */
static const yaml_node_t *node_of(const struct yaml_value *value)
{
	return value->node == 0 ? NULL : &value->file->document.nodes.start[value->node - 1];
}

const char *yaml_name(const struct yaml_file *file)
{
	return file->name;
}

struct yaml_value yaml_root(const struct yaml_file *file)
{
	struct yaml_value root = { .file = file };

	root.node = file->document.nodes.start < file->document.nodes.top ? 1 : 0;
	return root;
}

unsigned yaml_line(const struct yaml_value *value)
{
	const yaml_node_t *node = node_of(value);

	return node == NULL ? 1 : (unsigned)node->start_mark.line + 1;
}

static unsigned column(const struct yaml_value *value)
{
	const yaml_node_t *node = node_of(value);

	return node == NULL ? 1 : (unsigned)node->start_mark.column + 1;
}

int yaml_complain(const struct yaml_value *value, struct lk_error *err, const char *format, ...)
{
	char reason[300];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(reason, sizeof(reason), format, arguments);
	va_end(arguments);
	lk_text_trim(reason);
	return lk_fail(err, LK_ECONFIG, "%s:%u:%u: %s%s%s", value->file->name, yaml_line(value),
		       column(value), value->path, value->path[0] != '\0' ? ": " : "", reason);
}

static struct lk_text scalar(const struct yaml_value *value)
{
	const yaml_node_t *node = node_of(value);

	if (node == NULL || node->type != YAML_SCALAR_NODE)
		return LK_NO_TEXT;
	return (struct lk_text){ (const char *)node->data.scalar.value,
				 (uint32_t)node->data.scalar.length };
}

bool yaml_is_list(const struct yaml_value *value)
{
	const yaml_node_t *node = node_of(value);

	return node != NULL && node->type == YAML_SEQUENCE_NODE;
}

/* ---- Mappings ---------------------------------------------------------------------------------------------------- */

struct pairs {
	const yaml_node_pair_t *at, *end;
};

/* An empty file, and a key with nothing after it, are mappings of nothing: all of theirs may be commented out. */
static int open_mapping(const struct yaml_value *value, struct pairs *out, struct lk_error *err)
{
	const yaml_node_t *node = node_of(value);

	*out = (struct pairs){ NULL, NULL };
	if (node == NULL || (node->type == YAML_SCALAR_NODE && node->data.scalar.length == 0))
		return 0;
	if (node->type != YAML_MAPPING_NODE)
		return yaml_complain(value, err, "must be a mapping of keys to values");
	out->at = node->data.mapping.pairs.start;
	out->end = node->data.mapping.pairs.top;
	return 0;
}

/* False where the path does not fit; no row's path is that long. */
static bool extend_path(struct yaml_value *value, const char *path, struct lk_text key)
{
	int len = snprintf(value->path, sizeof(value->path), "%s%s%.*s", path,
			   path[0] != '\0' ? "." : "", LK_PRINT(key));

	lk_text_trim(value->path);
	return len >= 0 && (size_t)len < sizeof(value->path);
}

struct walk {
	const struct yaml_key *keys;
	size_t n;
	size_t skip; /* bytes of the paths in this walk that belong to the mapping it began at */
	char *out;
	unsigned seen[YAML_KEYS_MAX]; /* line, 0: not yet */
	struct lk_error *err;
};

static const char *row_path(const struct walk *w, const struct yaml_value *value)
{
	return value->path + w->skip;
}

static size_t find_row(const struct walk *w, const char *path)
{
	size_t i = 0;

	while (i < w->n && strcmp(w->keys[i].path, path) != 0)
		i++;
	return i;
}

static bool leads_to_rows(const struct walk *w, const char *path)
{
	size_t len = strlen(path);

	for (size_t i = 0; i < w->n; i++)
		if (strncmp(w->keys[i].path, path, len) == 0 && w->keys[i].path[len] == '.')
			return true;
	return false;
}

#define WORD_MAX 80

/* How many letters must be put in, taken out or changed to make one word of the other. */
static size_t distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
	size_t row[WORD_MAX + 1];

	if (a_len > WORD_MAX || b_len > WORD_MAX)
		return SIZE_MAX;
	for (size_t j = 0; j <= b_len; j++)
		row[j] = j;
	for (size_t i = 1; i <= a_len; i++) {
		size_t corner = row[0];

		row[0] = i;
		for (size_t j = 1; j <= b_len; j++) {
			size_t best = corner + (a[i - 1] == b[j - 1] ? 0 : 1);

			corner = row[j];
			best = best < corner + 1 ? best : corner + 1;
			row[j] = best < row[j - 1] + 1 ? best : row[j - 1] + 1;
		}
	}
	return row[b_len];
}

/* Of a row's path, as many words as the other path has: 'meetngs' is compared with 'meetings', not with all below. */
static size_t same_depth(const char *row, const char *path)
{
	size_t dots = 0, len;

	for (; *path != '\0'; path++)
		dots += *path == '.';
	for (len = 0; row[len] != '\0' && (row[len] != '.' || dots > 0); len++)
		dots -= row[len] == '.';
	return len;
}

static int complain_unknown(const struct walk *w, const struct yaml_value *key)
{
	const char *path = row_path(w, key), *nearest = NULL;
	size_t len = strlen(path), nearest_len = 0, least = len / 3 + 2;

	for (size_t i = 0; i < w->n; i++) {
		size_t row_len = same_depth(w->keys[i].path, path);
		size_t far = distance(path, len, w->keys[i].path, row_len);

		if (far < least) {
			least = far;
			nearest = w->keys[i].path;
			nearest_len = row_len;
		}
	}
	if (nearest == NULL)
		return yaml_complain(key, w->err, "no such key");
	return yaml_complain(key, w->err, "no such key; did you mean '%.*s'?", (int)nearest_len,
			     nearest);
}

static int walk_mapping(struct walk *w, const struct yaml_value *mapping);

static int walk_value(struct walk *w, const struct yaml_value *key, const struct yaml_value *value)
{
	size_t row = find_row(w, row_path(w, value));

	if (row == w->n)
		return leads_to_rows(w, row_path(w, value)) ? walk_mapping(w, value)
							    : complain_unknown(w, key);
	if (w->seen[row] != 0)
		return yaml_complain(key, w->err, "given twice, first on line %u", w->seen[row]);
	w->seen[row] = yaml_line(key);
	return w->keys[row].read(value, &w->keys[row], w->out + w->keys[row].offset, w->err);
}

static int walk_pair(struct walk *w, const struct yaml_value *mapping, const yaml_node_pair_t *pair)
{
	struct yaml_value key = { .file = mapping->file, .node = pair->key };
	struct yaml_value value = { .file = mapping->file, .node = pair->value };
	struct lk_text word = scalar(&key);

	if (!lk_text_given(word))
		return yaml_complain(&key, w->err, "a key must be a word");
	if (!extend_path(&value, mapping->path, word))
		return yaml_complain(&key, w->err, "no such key");
	memcpy(key.path, value.path, sizeof(key.path));
	return walk_value(w, &key, &value);
}

static int walk_mapping(struct walk *w, const struct yaml_value *mapping)
{
	struct pairs pairs;
	int failed = open_mapping(mapping, &pairs, w->err);

	for (; failed == 0 && pairs.at < pairs.end; pairs.at++)
		failed = walk_pair(w, mapping, pairs.at);
	return failed;
}

int yaml_walk(const struct yaml_value *mapping, const struct yaml_key *keys, size_t n, void *out,
	      struct lk_error *err)
{
	struct walk w = { .keys = keys, .n = n, .out = out, .err = err };
	int failed;

	assert(n <= YAML_KEYS_MAX);
	w.skip = strlen(mapping->path) + (mapping->path[0] != '\0' ? 1 : 0);
	failed = walk_mapping(&w, mapping);
	for (size_t i = 0; failed == 0 && i < n; i++)
		if (keys[i].required && w.seen[i] == 0)
			failed = yaml_complain(mapping, err, "'%s' is missing", keys[i].path);
	return failed;
}

/* The value under the key that the path begins with, and the rest of the path. */
static bool step(struct yaml_value *value, const char **path)
{
	struct pairs pairs;

	if (open_mapping(value, &pairs, NULL) < 0)
		return false;
	for (; pairs.at < pairs.end; pairs.at++) {
		struct yaml_value key = { .file = value->file, .node = pairs.at->key };
		struct lk_text word = scalar(&key);
		char end;

		if (word.len == 0 || strncmp(*path, word.at, word.len) != 0)
			continue;
		end = (*path)[word.len];
		if (end != '\0' && end != '.')
			continue;
		*path += word.len + (end == '.' ? 1 : 0);
		value->node = pairs.at->value;
		return true;
	}
	return false;
}

struct yaml_value yaml_find(const struct yaml_file *file, const char *path)
{
	struct yaml_value value = yaml_root(file);
	const char *rest = path;

	while (*rest != '\0')
		if (!step(&value, &rest))
			return yaml_root(file);
	(void)snprintf(value.path, sizeof(value.path), "%s", path);
	return value;
}

/* ---- Lists ------------------------------------------------------------------------------------------------------- */

size_t yaml_count(const struct yaml_value *list)
{
	const yaml_node_t *node = node_of(list);

	if (!yaml_is_list(list))
		return 0;
	return (size_t)(node->data.sequence.items.top - node->data.sequence.items.start);
}

int yaml_each(const struct yaml_value *list, yaml_visitor *visit, void *context,
	      struct lk_error *err)
{
	const yaml_node_t *node = node_of(list);
	size_t n = yaml_count(list);
	int answer = 0;

	if (!yaml_is_list(list))
		return yaml_complain(list, err, "must be a list");
	for (size_t i = 0; answer == 0 && i < n; i++) {
		struct yaml_value item = { .file = list->file,
					   .node = node->data.sequence.items.start[i] };

		(void)snprintf(item.path, sizeof(item.path), "%.130s[%zu]", list->path, i + 1);
		answer = visit(&item, context, err);
	}
	return answer;
}

/* ---- Readers ----------------------------------------------------------------------------------------------------- */

int yaml_text(const struct yaml_value *value, struct lk_text *out, struct lk_error *err)
{
	*out = scalar(value);
	if (!lk_text_given(*out))
		return yaml_complain(value, err, "must be a single text");
	for (uint32_t i = 0; i < out->len; i++)
		if ((unsigned char)out->at[i] < ' ' || out->at[i] == 0x7f)
			return yaml_complain(value, err, "has a control character");
	return 0;
}

int yaml_id(const struct yaml_value *value, const char *others, size_t max, struct lk_text *out,
	    struct lk_error *err)
{
	static const char letters[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

	if (yaml_text(value, out, err) < 0)
		return LK_ECONFIG;
	if (out->len < 1 || out->len > max)
		return yaml_complain(value, err, "must be of 1 to %zu characters", max);
	for (uint32_t i = 0; i < out->len; i++)
		if (strchr(letters, out->at[i]) == NULL && strchr(others, out->at[i]) == NULL)
			return yaml_complain(value, err, "may have letters, digits and '%s' only",
					     others);
	return 0;
}

/* Digits without a sign or a leading zero: a number is written in one way. */
static bool parse_number(struct lk_text text, int64_t *out)
{
	*out = 0;
	if (text.len < 1 || text.len > 15 || (text.len > 1 && text.at[0] == '0'))
		return false;
	for (uint32_t i = 0; i < text.len; i++) {
		if (text.at[i] < '0' || text.at[i] > '9')
			return false;
		*out = *out * 10 + (text.at[i] - '0');
	}
	return true;
}

static int find_unit(struct lk_text word, const char *const *words)
{
	for (int i = 0; words[i] != NULL; i++) {
		size_t plural = strlen(words[i]);

		if (lk_text_says(word, words[i]))
			return i;
		if (words[i][plural - 1] == 's' && word.len == plural - 1 &&
		    memcmp(word.at, words[i], word.len) == 0)
			return i;
	}
	return -1;
}

int yaml_quantity(const struct yaml_value *value, const char *const *words, int32_t *n, int *unit,
		  struct lk_error *err)
{
	struct lk_text text, number, word;
	const char *space;
	int64_t count;

	if (yaml_text(value, &text, err) < 0)
		return LK_ECONFIG;
	space = memchr(text.at, ' ', text.len);
	if (space == NULL)
		return yaml_complain(value, err, "must be a number and a unit, as in '7 %s'",
				     words[0]);
	number = (struct lk_text){ text.at, (uint32_t)(space - text.at) };
	word = (struct lk_text){ space + 1, text.len - number.len - 1 };
	*unit = find_unit(word, words);
	if (!parse_number(number, &count))
		return yaml_complain(value, err, "must begin with a whole number, as in '7 %s'",
				     words[*unit < 0 ? 0 : *unit]);
	if (*unit < 0)
		return yaml_complain(value, err, "'%.*s' is no unit here", LK_PRINT(word));
	*n = count < INT32_MAX ? (int32_t)count : INT32_MAX; /* more than any caller allows */
	return 0;
}

int yaml_read_text(const struct yaml_value *value, const struct yaml_key *key, void *target,
		   struct lk_error *err)
{
	struct lk_text text;

	if (yaml_text(value, &text, err) < 0)
		return LK_ECONFIG;
	if (text.len < 1 || text.len >= key->size)
		return yaml_complain(value, err, "must be of 1 to %zu bytes", key->size - 1);
	(void)snprintf(target, key->size, "%.*s", LK_PRINT(text));
	return 0;
}

int yaml_read_id(const struct yaml_value *value, const struct yaml_key *key, void *target,
		 struct lk_error *err)
{
	struct lk_text text;

	if (yaml_id(value, key->kind, key->size - 1, &text, err) < 0)
		return LK_ECONFIG;
	(void)snprintf(target, key->size, "%.*s", LK_PRINT(text));
	return 0;
}

int yaml_read_bool(const struct yaml_value *value, const struct yaml_key *key, void *target,
		   struct lk_error *err)
{
	struct lk_text text;
	bool *flag = target;

	(void)key;
	if (yaml_text(value, &text, err) < 0)
		return LK_ECONFIG;
	*flag = lk_text_says(text, "true");
	if (!*flag && !lk_text_says(text, "false"))
		return yaml_complain(value, err, "must be true or false");
	return 0;
}

int yaml_read_integer(const struct yaml_value *value, const struct yaml_key *key, void *target,
		      struct lk_error *err)
{
	const struct yaml_range *range = key->kind;
	struct lk_text text;
	int64_t *number = target;

	if (yaml_text(value, &text, err) < 0)
		return LK_ECONFIG;
	if (!parse_number(text, number) || *number < range->from || *number > range->to)
		return yaml_complain(value, err, "must be a whole number from %lld to %lld",
				     (long long)range->from, (long long)range->to);
	return 0;
}

static int complain_word(const struct yaml_value *value, const struct yaml_codes *codes,
			 struct lk_error *err)
{
	char words[240] = "";
	size_t len = 0;

	for (int i = 0; codes->word(i) != NULL && len < sizeof(words); i++) {
		int more = snprintf(words + len, sizeof(words) - len, "%s%s", i > 0 ? ", " : "",
				    codes->word(i));

		len += more > 0 ? (size_t)more : 0;
	}
	return yaml_complain(value, err, "must be one of: %s", words);
}

int yaml_read_code(const struct yaml_value *value, const struct yaml_key *key, void *target,
		   struct lk_error *err)
{
	const struct yaml_codes *codes = key->kind;
	struct lk_text text;
	int *code = target;

	if (yaml_text(value, &text, err) < 0)
		return LK_ECONFIG;
	for (int i = 0; codes->word(i) != NULL; i++)
		if (lk_text_says(text, codes->word(i))) {
			*code = i;
			return 0;
		}
	return complain_word(value, codes, err);
}

struct set {
	const struct yaml_key *key;
	unsigned bits;
};

static int read_member(const struct yaml_value *item, void *context, struct lk_error *err)
{
	struct set *set = context;
	int code = 0;

	if (yaml_read_code(item, set->key, &code, err) < 0)
		return LK_ECONFIG;
	if ((set->bits & 1u << code) != 0)
		return yaml_complain(item, err, "is in the list already");
	set->bits |= 1u << code;
	return 0;
}

int yaml_read_set(const struct yaml_value *value, const struct yaml_key *key, void *target,
		  struct lk_error *err)
{
	struct set set = { .key = key };
	unsigned *bits = target;
	int failed;

	failed = yaml_is_list(value) ? yaml_each(value, read_member, &set, err)
				     : read_member(value, &set, err);
	if (failed == 0)
		*bits = set.bits;
	return failed;
}
