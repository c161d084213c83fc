/* names.c - names become small integers, once: a row holds the integer, the cache spares the
 * question.
 *
 * In: sources, workers, cases, outboxes, policy revisions. Out: the integer that stands for each
 * inside the file. Promise: after a rollback nothing is believed that the transaction had named;
 * memory does not grow.
 */
#include "internal.h"

#include <string.h>

static const struct {
	enum statement seek, add;
	bool has_of; /* two columns name it */
	bool is_text;
} kinds[] = {
	[NAME_SOURCE] = { SQL_source_seek, SQL_source_add, false, true },
	[NAME_WORKER] = { SQL_worker_seek, SQL_worker_add, false, true },
	[NAME_CASE] = { SQL_case_seek, SQL_case_add, true, true },
	[NAME_STREAM] = { SQL_stream_seek, SQL_stream_add, true, false },
	[NAME_POLICY] = { SQL_policy_seek, SQL_policy_add, false, false },
};

struct name name_of_source(struct lk_text source)
{
	return (struct name){ NAME_SOURCE, 0, source.at, source.len };
}

struct name name_of_worker(struct lk_text worker)
{
	return (struct name){ NAME_WORKER, 0, worker.at, worker.len };
}

struct name name_of_case(struct case_key key)
{
	return (struct name){ NAME_CASE, key.agency, key.number.at, key.number.len };
}

struct name name_of_stream(int64_t source, const uint8_t epoch[LK_DIGEST])
{
	return (struct name){ NAME_STREAM, source, epoch, LK_DIGEST };
}

struct name name_of_policy(const uint8_t revision[LK_DIGEST])
{
	return (struct name){ NAME_POLICY, 0, revision, LK_DIGEST };
}

/* ---- The cache ------------------------------------------------------------------------------- */

struct name_key {
	uint8_t at[NAME_ROOM + 7]; /* zeroes behind it, so that it is hashed by eight */
	uint8_t len;               /* 0: too long to be kept */
};

static struct name_key key_of(struct name name)
{
	struct name_key key = { .len = 0 };

	if (name.at == NULL || name.len + 2 > NAME_ROOM || name.of < 0 || name.of > UINT8_MAX)
		return key;
	key.at[0] = (uint8_t)name.kind;
	key.at[1] = (uint8_t)name.of;
	memcpy(key.at + 2, name.at, name.len);
	key.len = (uint8_t)(name.len + 2);
	return key;
}

/* Whoever makes names collide only makes us ask SQLite. */
static struct name_slot *slot_of(struct store *s, const struct name_key *key)
{
	uint64_t hash = UINT64_C(14695981039346656037), bytes;

	for (unsigned i = 0; i < key->len; i += sizeof(bytes)) {
		memcpy(&bytes, key->at + i, sizeof(bytes));
		hash = (hash ^ bytes) * UINT64_C(0x9e3779b97f4a7c15);
		hash ^= hash >> 32;
	}
	return &s->names[hash % NAME_SLOTS];
}

static bool slot_holds(const struct store *s, const struct name_slot *slot,
		       const struct name_key *key)
{
	return key->len != 0 && slot->generation == s->generation && slot->len == key->len &&
	       memcmp(slot->key, key->at, key->len) == 0;
}

static void slot_fill(struct store *s, struct name_slot *slot, const struct name_key *key,
		      int64_t ref)
{
	if (key->len == 0)
		return;
	slot->ref = ref;
	slot->generation = s->generation;
	slot->len = key->len;
	memcpy(slot->key, key->at, key->len);
}

void names_forget(struct store *s)
{
	if (s->named)
		s->generation++;
	s->named = false;
}

/* ---- Asking ---------------------------------------------------------------------------------- */

static struct query name_query(struct store *s, enum statement which, struct name name)
{
	struct query q = query_begin(s, which);

	if (kinds[name.kind].has_of)
		bind_int(&q, name.of);
	if (kinds[name.kind].is_text)
		bind_text(&q, (struct lk_text){ name.at, (uint32_t)name.len });
	else
		bind_blob(&q, name.at, name.len);
	return q;
}

int name_seek(struct store *s, struct name name, int64_t *ref, struct lk_error *err)
{
	struct name_key key = key_of(name);
	struct name_slot *slot = slot_of(s, &key);
	struct query q;
	int rc;

	if (slot_holds(s, slot, &key)) {
		*ref = slot->ref;
		return 1;
	}
	q = name_query(s, kinds[name.kind].seek, name);
	rc = query_number(&q, ref, err);
	if (rc == 1)
		slot_fill(s, slot, &key, *ref);
	return rc;
}

int name_intern(struct store *s, struct name name, int64_t *ref, struct lk_error *err)
{
	struct name_key key = key_of(name);
	struct query q;
	int rc = name_seek(s, name, ref, err);

	if (rc != 0)
		return rc < 0 ? rc : 0;
	q = name_query(s, kinds[name.kind].add, name);
	if ((rc = query_run(&q, err)) < 0)
		return rc;
	*ref = sqlite3_last_insert_rowid(s->db);
	s->named = true;
	slot_fill(s, slot_of(s, &key), &key, *ref);
	return 0;
}

int stream_seek(struct store *s, struct lk_text source, const uint8_t epoch[LK_DIGEST],
		int64_t *ref, struct lk_error *err)
{
	int64_t source_ref;
	int rc = name_seek(s, name_of_source(source), &source_ref, err);

	if (rc != 1)
		return rc;
	return name_seek(s, name_of_stream(source_ref, epoch), ref, err);
}

int stream_intern(struct store *s, struct lk_text source, const uint8_t epoch[LK_DIGEST],
		  int64_t *ref, struct lk_error *err)
{
	int64_t source_ref;
	int rc = name_intern(s, name_of_source(source), &source_ref, err);

	if (rc < 0)
		return rc;
	return name_intern(s, name_of_stream(source_ref, epoch), ref, err);
}
