/* yaml_walk.h - one table-driven walker for every file that people write: policy, configuration, clients.
 *
 * A file is described by rows: the path of a key, the function that reads its value, where the value goes. The walker
 * finds the row of each key and refuses what has none; each complaint names file, line, column, key and reason.
 * libyaml stays in yaml.c (whose header cannot be called yaml.h, for that is libyaml's own).
 *
 * Errors: 0 or a negative lk_fault with err filled. One thread a file.
 */
#ifndef LINKAGES_YAML_WALK_H
#define LINKAGES_YAML_WALK_H

#include <linkages/base.h>

struct yaml_file;

/* One value in a file. Borrows from the file: valid inside the yaml_user. */
struct yaml_value {
	const struct yaml_file *file;
	int node;        /* libyaml's number of it; 0: an empty file's root, which reads as a mapping of nothing */
	char path[160];  /* how complaints call it: 'lanes.feed', 'sources[2].name'; empty for the root */
};

#define YAML_FILE_MAX (1024u * 1024u) /* bytes; a longer file is refused */

/* What reads a whole file into *out. */
typedef int yaml_user(const struct yaml_file *file, void *out, struct lk_error *err);
/* Reads a file of one document, has `use` read it, and forgets it. What `use` returned, or LK_ENOTFOUND: no such file;
 * LK_ECONFIG: it cannot be read, or is no YAML; LK_EMEMORY. */
int yaml_use_file(const char *path, yaml_user *use, void *out, struct lk_error *err) LK_MUST_CHECK;
/* The same for text in memory; name stands for the file in complaints. */
int yaml_use_text(const char *name, const char *text, size_t len, yaml_user *use, void *out,
		  struct lk_error *err) LK_MUST_CHECK;

const char *yaml_name(const struct yaml_file *file); /* as complaints call it; borrowed */
struct yaml_value yaml_root(const struct yaml_file *file);
/* The value of a path of keys, as yaml_walk() would find it; the root where there is none: a place to complain of. */
struct yaml_value yaml_find(const struct yaml_file *file, const char *path);
unsigned yaml_line(const struct yaml_value *value); /* counted from 1 */
/* LK_ECONFIG, with 'file:line:column: key: reason' in err. */
int yaml_complain(const struct yaml_value *value, struct lk_error *err, const char *format, ...) LK_PRINTF(3, 4);

/* ---- The walk ---------------------------------------------------------------------------------------------------- */

struct yaml_key;
typedef int yaml_reader(const struct yaml_value *value, const struct yaml_key *key, void *target, struct lk_error *err);

/* One row. The readers below say what size and kind mean to them. */
struct yaml_key {
	const char *path;  /* keys joined by dots: 'meetings.pltm.due' */
	yaml_reader *read; /* called with target = out + offset */
	size_t offset, size;
	const void *kind;
	bool required;
};

#define YAML_KEYS_MAX 128 /* rows of one table */

/* Reads a mapping into out by its table. A key may be nested or joined by dots; one that is given twice, that the
 * table does not have (the nearest one is named), or that is required and missing is refused. */
int yaml_walk(const struct yaml_value *mapping, const struct yaml_key *keys, size_t n, void *out,
	      struct lk_error *err) LK_MUST_CHECK;

/* Visits the items of a list in order until a visitor answers other than 0, and returns that answer. */
typedef int yaml_visitor(const struct yaml_value *item, void *context, struct lk_error *err);
int yaml_each(const struct yaml_value *list, yaml_visitor *visit, void *context, struct lk_error *err) LK_MUST_CHECK;
bool yaml_is_list(const struct yaml_value *value);
size_t yaml_count(const struct yaml_value *list); /* its items; 0 for what is no list */

/* ---- Readers ----------------------------------------------------------------------------------------------------- */

/* The text of a plain or quoted value, borrowed; a list, a mapping and a text with control characters are refused. */
int yaml_text(const struct yaml_value *value, struct lk_text *out, struct lk_error *err) LK_MUST_CHECK;
/* A number and a word: '7 days', '1 month'. The words are plural, NULL at the end; *unit is the word's index. A number beyond
 * INT32_MAX is INT32_MAX. */
int yaml_quantity(const struct yaml_value *value, const char *const *words, int32_t *n, int *unit,
		  struct lk_error *err) LK_MUST_CHECK;
/* A text of 1..max characters, letters, digits and those of `others`. */
int yaml_id(const struct yaml_value *value, const char *others, size_t max, struct lk_text *out,
	    struct lk_error *err) LK_MUST_CHECK;

/* Words of a code list, by number; word(i) is NULL from the first number on that has none. */
struct yaml_codes {
	const char *(*word)(int code);
};
struct yaml_range {
	int64_t from, to;
};

yaml_reader yaml_read_text;    /* char[size], NUL included */
yaml_reader yaml_read_id;      /* char[size]; kind: the characters allowed besides letters and digits */
yaml_reader yaml_read_bool;    /* bool; true or false */
yaml_reader yaml_read_integer; /* int64_t; kind: struct yaml_range */
yaml_reader yaml_read_code;    /* int; kind: struct yaml_codes */
yaml_reader yaml_read_set;     /* unsigned, bit per code; kind: struct yaml_codes; a list of words, or one word */

#endif
