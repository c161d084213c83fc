/* telling_find.c - notices by their names, for answers and for people: in all mailboxes, by the rolls (roll.c).
 *
 * In: the id of a notice, or how one begins. Out: its tellings. Promise: what is found is read as it is in its mailbox; an id
 * that several notices begin with is no name.
 */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

static int note_last(void *context, int64_t number, const uint8_t id[LK_DIGEST], int64_t rev)
{
	(void)id;
	(void)rev;
	*(int64_t *)context = number;
	return 1;
}

int store_notice_find(struct store *s, struct lk_text worker, const uint8_t id[LK_DIGEST],
		      stored_notice_visitor *visit, void *context, struct lk_error *err)
{
	int64_t number = 0;
	const struct sought latest = { .may = roll_may_be,
				       .is = roll_is,
				       .found = note_last,
				       .context = &number,
				       .low = id,
				       .high = id,
				       .is_backward = true };
	struct mailbox_row box = { 0 };
	int64_t ref;
	int rc = name_seek(s, name_of_worker(worker), &ref, err);

	if (rc == 1 && (rc = mailboxes_flush(s, err)) == 0)
		rc = mailbox_row_get(s, ref - 1, &box, err);
	if (rc == 1 && box.ref == ref)
		rc = mailbox_seek(s, &box, &latest, err);
	if (rc < 0 || number == 0)
		return rc < 0 ? rc : 0;
	return notice_get(s, number, visit, context, err);
}

int store_notice_aged(struct store *s, struct lk_text worker, const uint8_t id[LK_DIGEST],
		      stored_notice_visitor *visit, void *context, struct lk_error *err)
{
	struct stored_notice n = { .worker = worker };
	struct query q;
	int64_t ref;
	int rc = name_seek(s, name_of_worker(worker), &ref, err);

	if (rc != 1)
		return rc;
	memcpy(n.id, id, LK_DIGEST);
	q = query_begin(s, SQL_aged_get);
	bind_digest(&q, id);
	bind_int(&q, ref);
	if ((rc = query_step(&q, err)) == 1) {
		n.own.agency = column_code(&q);
		n.own.number = column_text(&q);
		n.other.agency = column_code(&q);
		n.other.number = column_text(&q);
		rc = visit(context, &n);
		rc = rc == 0 ? 1 : rc;
	}
	query_end(&q);
	return rc;
}

struct telling {
	int64_t number, rev;
};

struct tellings {
	struct telling *at;
	size_t n, room;
};

static int note_telling(void *context, int64_t number, const uint8_t id[LK_DIGEST], int64_t rev)
{
	struct tellings *all = context;
	struct telling *wider;

	(void)id;
	if (all->n == all->room) {
		wider = realloc(all->at, (2 * all->room + 16) * sizeof(*wider));
		if (wider == NULL)
			return LK_EMEMORY;
		all->at = wider;
		all->room = 2 * all->room + 16;
	}
	all->at[all->n++] = (struct telling){ number, rev };
	return 0;
}

static int by_rev(const void *a, const void *b)
{
	const struct telling *one = a, *other = b;

	return one->rev < other->rev ? -1 : one->rev > other->rev;
}

int store_notice_history(struct store *s, const uint8_t id[LK_DIGEST], stored_notice_visitor *visit,
			 void *context, struct lk_error *err)
{
	struct tellings all = { .n = 0 };
	const struct sought each = { .may = roll_may_be,
				     .is = roll_is,
				     .found = note_telling,
				     .context = &all,
				     .low = id,
				     .high = id };
	int rc = mailboxes_flush(s, err), n = 0;

	if (rc == 0)
		rc = mailboxes_seek(s, &each, err);
	if (rc == LK_EMEMORY)
		(void)lk_fail(err, LK_EMEMORY, "store: no memory for a notice's history");
	if (all.n > 1)
		qsort(all.at, all.n, sizeof(*all.at), by_rev);
	for (size_t i = 0; rc >= 0 && i < all.n; i++) {
		rc = notice_get(s, all.at[i].number, visit, context, err);
		n += rc == 1;
	}
	free(all.at);
	return rc < 0 ? rc : n;
}

/* The lowest or the highest id that begins so. */
static int id_bound(struct lk_text prefix, char filler, uint8_t id[LK_DIGEST])
{
	char hex[2 * LK_DIGEST];

	if (prefix.len < 1 || prefix.len > sizeof(hex))
		return -1;
	memset(hex, filler, sizeof(hex));
	memcpy(hex, prefix.at, prefix.len);
	return lk_digest_parse((struct lk_text){ hex, sizeof(hex) }, id);
}

struct naming {
	uint8_t id[LK_DIGEST];
	int n; /* how many begin so; not counted beyond two */
};

static int note_name(void *context, int64_t number, const uint8_t id[LK_DIGEST], int64_t rev)
{
	struct naming *naming = context;

	(void)number;
	(void)rev;
	if (naming->n == 1 && memcmp(naming->id, id, LK_DIGEST) == 0)
		return 0;
	memcpy(naming->id, id, LK_DIGEST);
	return ++naming->n == 2;
}

int store_notice_named(struct store *s, struct lk_text prefix, uint8_t id[LK_DIGEST],
		       struct lk_error *err)
{
	uint8_t low[LK_DIGEST], high[LK_DIGEST];
	struct naming naming = { .n = 0 };
	const struct sought sought = { .may = roll_may_be,
				       .is = roll_is,
				       .found = note_name,
				       .context = &naming,
				       .low = low,
				       .high = high };
	int rc;

	if (id_bound(prefix, '0', low) < 0 || id_bound(prefix, 'f', high) < 0)
		return lk_fail(err, LK_EREFUSED, "a notice's id is up to 32 lower-case hex digits");
	if ((rc = mailboxes_flush(s, err)) < 0)
		return rc;
	if ((rc = mailboxes_seek(s, &sought, err)) < 0)
		return rc;
	if (naming.n == 2)
		return lk_fail(err, LK_ESTATE, "several notices begin so: give more digits");
	if (naming.n == 1)
		memcpy(id, naming.id, LK_DIGEST);
	return naming.n;
}
