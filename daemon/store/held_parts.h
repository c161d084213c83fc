/* held_parts.h - between held.c, which holds families, held_change.c, which keeps what a commit changed of them, and
 * held_follow.c, which lets their rows follow. */
#ifndef LINKAGES_STORE_HELD_PARTS_H
#define LINKAGES_STORE_HELD_PARTS_H

#include "delta.h"
#include "internal.h"

/* ---- held.c --------------------------------------------------------------------------------- */

struct held *held_find(const struct held_families *all, const uint8_t id[LK_DIGEST]);
/* Takes the bytes of the version over, unless there is no memory (NULL). */
struct held *held_add(struct held_families *all, const struct family_version *is, bool is_lean);
void held_remove(struct held_families *all, struct held *h);
void held_trim(struct held_families *all); /* what was not used lately gives way */
/* 1 and *out, from memory or from its row; 0 and NULL: there is neither. */
int held_open(struct store *s, const uint8_t id[LK_DIGEST], struct held **out,
	      struct lk_error *err) LK_MUST_CHECK;
/* From its row, and what is pending (h, if any): 1, and its bytes are the caller's; 0: there is no row. */
int held_version(struct store *s, const uint8_t id[LK_DIGEST], struct held *h,
		 struct family_version *out, struct lk_error *err) LK_MUST_CHECK;
int64_t held_number(
	const struct held_families *all); /* of this transaction, if it changes a family */
/* What its row lacks. Without memory for it the change is in `family_change` alone. */
void late_begin(struct held_families *all, struct held *h, int64_t since);
void late_end(struct held_families *all, struct held *h);
void pending_add(struct held_families *all, struct held *h, int64_t from,
		 struct delta_bytes change);
void pending_clear(struct held_families *all, struct held *h);

/* ---- held_change.c --------------------------------------------------------------------------- */

/* One family of a change. */
struct change {
	int64_t back; /* so many changes before it is the one that it goes on from */
	size_t state_len, told_len;
	struct delta_bytes delta;
};
bool change_take(struct delta_bytes *from, struct change *out); /* false: it is none */
/* 1; 0: not from these bytes. */
int change_apply(struct family_version *v, const struct change *c,
		 struct lk_error *err) LK_MUST_CHECK;
/* As the row of this transaction has it. */
struct delta_bytes change_of(const struct held_families *all, const struct held *h);
int change_damaged(struct store *s, int64_t number, const char *wrong,
		   struct lk_error *err) LK_MUST_CHECK;
int changes_put(struct store *s, enum statement which, int64_t number, struct delta_bytes changes,
		struct lk_error *err) LK_MUST_CHECK;
/* May be asked by any thread: it looks at nothing else. */
void versions_differ(const struct family_version *is, const struct family_version *will,
		     struct lk_bytes *out);

/* ---- held_follow.c --------------------------------------------------------------------------- */

void follow_keep(struct held_families *all); /* after COMMIT: what followed is not late */

#endif
