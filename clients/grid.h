/* grid.h - parts of answers for people: cells, grids of them, labels and pieces of lines. Text only: JSON is output.h's.
 *
 * A map is a scanned MessagePack value; whatever is not there, or is of another kind, shows as nothing or as "-". One thread.
 */
#ifndef LINKAGES_GRID_H
#define LINKAGES_GRID_H

#include "output.h"

#define GRID_INDENT 2
#define GRID_LABEL 12 /* where values begin that have a label */
#define GRID_COLUMNS_MAX 10

/* CELL_PHRASE: of the row as a whole, which is a notice or as good as one. CELL_ID: the first digits of it. */
enum cell { CELL_TEXT, CELL_TIME, CELL_ID, CELL_FLAG, CELL_LIST, CELL_NUMBER, CELL_PHRASE };

struct column {
	const char *member, *heading;
	enum cell kind;
	unsigned width; /* grid.c's */
};

/* A heading and a row for each map of the list, of which only those whose member `only` is true (NULL: all). Nothing at all
 * where there are none. Columns that the terminal has no room for are pairs below the row. */
void grid_print(struct output *out, const char *heading, struct lk_span rows,
		const struct column *columns, size_t n, const char *only);
#define GRID(out, heading, rows, columns, only) \
	grid_print(out, heading, rows, columns, sizeof(columns) / sizeof((columns)[0]), only)

void heading_print(struct output *out, const char *heading); /* behind an empty line */
void label_print(struct output *out, const char *label);     /* and spaces up to GRID_LABEL */

/* A part of a line; where the terminal ends it goes on at GRID_LABEL. */
void piece_say(struct output *out, struct lk_text text);
/* `before` and what is at the path in the map; nothing where it is absent. */
void piece_print(struct output *out, const char *before, struct lk_span map, const char *path,
		 enum cell kind);

/* What is at a path of a map. Absent unless it is a text; false unless it is true. */
struct lk_text member_text(struct lk_span map, const char *path);
bool member_is_true(struct lk_span map, const char *path);
bool is_absent(struct lk_span value); /* not there, nil, or an empty list or map */

/* A line that is being put together; its failing shows as what is missing. */
void line_add(struct lk_bytes *line, struct lk_text text);
struct lk_text line_text(const struct lk_bytes *line); /* borrowed */

#endif
