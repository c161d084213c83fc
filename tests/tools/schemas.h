/* schemas.h - what the two files of linkages-schemas share: a schema as it grows, and how a member that the decoder's tables
 * describe is said.
 */
#ifndef LINKAGES_SCHEMAS_H
#define LINKAGES_SCHEMAS_H

#include "fields.h"

/* Grows member by member, and is counted at its end. Starts as zeroes. */
struct schema {
	struct lk_bytes pairs;
	uint32_t n;
};

/* Where the member's value is to be written. */
struct lk_bytes *schema_key(struct schema *s, const char *key);
void schema_word(struct schema *s, const char *key, const char *word);
void schema_int(struct schema *s, const char *key, int64_t value);
/* As one map; gives the memory back. */
void schema_end(struct schema *s, struct lk_bytes *out);
/* As the file FOLDER/NAME.json; leaves the program where that fails. */
void schema_write(const char *folder, const char *name, struct schema *s);

/* What may stand there, by the kind of the row. */
void field_say(struct schema *s, const struct field *f);
/* `required` and `properties` of a table. */
void members_of_map_say(struct schema *s, const struct field *fields);

/* FOLDER/VERB.json for each verb of the daemon's table, and PARENT/refusal.json. */
void verbs_write(const char *parent, const char *folder);

#endif
