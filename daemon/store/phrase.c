/* phrase.c - what many rows say is written once: a source, a citation, who works on a case, a
 * legal basis.
 *
 * In: bytes by which no family is known. Out: the number that stands for them inside the file.
 * Promise: a number means the same bytes for ever; after a rollback nothing is believed that the
 * transaction had written; memory does not grow.
 *
 * The table has no index on the bytes. What is not remembered is written down a second time, which
 * costs its bytes and changes nothing; so that a start does not forget everything, the last ones are
 * heard again. Nothing that an order may expunge can stand here: nobody looks for it here.
 */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

#define HEARD_AT_START 4096

static struct phrase *slot_of(struct store *s, int64_t ref)
{
	return &s->phrases->at[(uint64_t)ref % PHRASE_SLOTS];
}

static bool slot_holds(const struct store *s, const struct phrase *p, int64_t ref)
{
	return p->ref == ref && p->generation == s->generation;
}

/* Whoever makes bytes collide only makes us write them down again. */
static int64_t *heard_of(struct store *s, const uint8_t *at, size_t len)
{
	uint64_t hash = len, part = 0;

	for (; len >= sizeof(part); at += sizeof(part), len -= sizeof(part)) {
		memcpy(&part, at, sizeof(part));
		hash = (hash ^ part) * UINT64_C(0x9e3779b97f4a7c15);
		hash ^= hash >> 29;
	}
	part = 0;
	memcpy(&part, at, len);
	hash = (hash ^ part) * UINT64_C(0x9e3779b97f4a7c15);
	return &s->phrases->heard[(hash ^ hash >> 32) % PHRASE_SLOTS];
}

static int slot_fill(struct store *s, int64_t ref, const void *at, size_t len, struct lk_error *err)
{
	struct phrase *p = slot_of(s, ref);

	lk_bytes_clear(&p->bytes);
	lk_bytes_add(&p->bytes, at, len);
	p->ref = ref;
	p->generation = p->bytes.failed ? 0 : s->generation;
	return p->bytes.failed ? lk_fail(err, LK_EMEMORY, "store: no memory for a phrase") : 0;
}

static bool says(const struct phrase *p, const void *at, size_t len)
{
	return p->bytes.len == len && (len == 0 || memcmp(p->bytes.at, at, len) == 0);
}

/* The one remembered that says so; 0: none. */
static int64_t phrase_heard(struct store *s, const void *at, size_t len)
{
	int64_t ref = *heard_of(s, at, len);
	const struct phrase *p = slot_of(s, ref);

	return ref != 0 && slot_holds(s, p, ref) && says(p, at, len) ? ref : 0;
}

int phrase_ref(struct store *s, const void *at, size_t len, int64_t *ref, struct lk_error *err)
{
	struct query q;
	int rc;

	if ((*ref = phrase_heard(s, at, len)) != 0)
		return 0;
	q = query_begin(s, SQL_phrase_add);
	bind_blob(&q, at, len);
	if ((rc = query_run(&q, err)) < 0)
		return rc;
	*ref = sqlite3_last_insert_rowid(s->db);
	*heard_of(s, at, len) = *ref;
	s->named = true;
	return slot_fill(s, *ref, at, len, err);
}

int phrase_get(struct store *s, int64_t ref, struct lk_text *out, struct lk_error *err)
{
	const struct phrase *p = slot_of(s, ref);
	const void *at;
	struct query q;
	size_t len;
	int rc = 1;

	if (!slot_holds(s, p, ref)) {
		q = query_begin(s, SQL_phrase_get);
		bind_int(&q, ref);
		if ((rc = query_step(&q, err)) == 1) {
			at = column_blob(&q, &len);
			rc = slot_fill(s, ref, at, len, err) < 0 ? LK_EMEMORY : 1;
		}
		query_end(&q);
	}
	if (rc == 1)
		*out = (struct lk_text){ (const char *)p->bytes.at, (uint32_t)p->bytes.len };
	return rc;
}

int phrases_load(struct store *s, struct lk_error *err)
{
	struct query q = query_begin(s, SQL_phrase_last);
	int rc;

	bind_int(&q, HEARD_AT_START);
	while ((rc = query_step(&q, err)) == 1) {
		int64_t ref = column_int(&q);
		size_t len;
		const void *at = column_blob(&q, &len);

		*heard_of(s, at, len) = ref;
		if ((rc = slot_fill(s, ref, at, len, err)) < 0)
			break;
	}
	query_end(&q);
	return rc;
}

void phrases_free(struct store *s)
{
	for (size_t i = 0; s->phrases != NULL && i < PHRASE_SLOTS; i++)
		lk_bytes_free(&s->phrases->at[i].bytes);
	free(s->phrases);
}
