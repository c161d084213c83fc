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

#define MIXER UINT64_C(0x9e3779b97f4a7c15)

/* Every byte reaches the upper half. Whoever makes names collide only makes us ask SQLite. */
static uint64_t hash_of(const struct name *name)
{
	uint64_t hash = (uint64_t)name->of << 8 ^ (uint64_t)name->kind, eight = 0;
	const uint8_t *at = name->at;
	size_t left = name->len;

	for (; left >= sizeof(eight); at += sizeof(eight), left -= sizeof(eight)) {
		memcpy(&eight, at, sizeof(eight));
		hash = (hash ^ eight) * MIXER;
		hash ^= hash >> 32;
	}
	for (eight = left; left > 0; left--)
		eight = eight << 8 | at[left - 1];
	hash = (hash ^ eight) * MIXER;
	return (hash ^ hash >> 32) * MIXER;
}

static bool slot_holds(const struct name_slot *slot, const struct name *name, uint32_t generation)
{
	return slot->generation == generation && slot->len == name->len && slot->of == name->of &&
	       slot->kind == (uint8_t)name->kind && memcmp(slot->at, name->at, name->len) == 0;
}

static bool slot_find(const struct store *s, const struct name *name, uint64_t hash, int64_t *ref)
{
	const struct name_set *set = &s->names[hash >> 32 & (NAME_SETS - 1)];

	for (unsigned i = 0; i < NAME_WAYS; i++) {
		if (set->tag[i] == (uint32_t)hash &&
		    slot_holds(&set->slot[i], name, s->generation)) {
			*ref = set->slot[i].ref;
			return true;
		}
	}
	return false;
}

/* An empty place, or whichever the hash says. */
static void slot_fill(struct store *s, const struct name *name, uint64_t hash, int64_t ref)
{
	struct name_set *set = &s->names[hash >> 32 & (NAME_SETS - 1)];
	unsigned way = 0;

	if (name->len == 0 || name->len > NAME_ROOM)
		return;
	while (way < NAME_WAYS && set->slot[way].generation == s->generation)
		way++;
	if (way == NAME_WAYS)
		way = (unsigned)(hash >> 62);
	set->tag[way] = (uint32_t)hash;
	set->slot[way] = (struct name_slot){ .ref = ref,
					     .of = name->of,
					     .generation = s->generation,
					     .kind = (uint8_t)name->kind,
					     .len = (uint8_t)name->len };
	memcpy(set->slot[way].at, name->at, name->len);
}

void name_learn(struct store *s, struct name name, int64_t ref)
{
	uint64_t hash = hash_of(&name);
	int64_t known;

	if (!slot_find(s, &name, hash, &known))
		slot_fill(s, &name, hash, ref);
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

static int name_ask(struct store *s, const struct name *name, uint64_t hash, int64_t *ref,
		    struct lk_error *err)
{
	struct query q = name_query(s, kinds[name->kind].seek, *name);
	int rc = query_step(&q, err);

	if (rc == 1) {
		*ref = column_int(&q);
		slot_fill(s, name, hash, *ref);
		if (name->kind == NAME_CASE)
			case_learn(&q, *ref);
	}
	query_end(&q);
	return rc;
}

int name_seek(struct store *s, struct name name, int64_t *ref, struct lk_error *err)
{
	uint64_t hash = hash_of(&name);

	return slot_find(s, &name, hash, ref) ? 1 : name_ask(s, &name, hash, ref, err);
}

int name_intern(struct store *s, struct name name, int64_t *ref, struct lk_error *err)
{
	uint64_t hash = hash_of(&name);
	struct query q;
	int rc = slot_find(s, &name, hash, ref) ? 1 : name_ask(s, &name, hash, ref, err);

	if (rc != 0)
		return rc < 0 ? rc : 0;
	q = name_query(s, kinds[name.kind].add, name);
	if ((rc = query_run(&q, err)) < 0)
		return rc;
	*ref = sqlite3_last_insert_rowid(s->db);
	s->named = true;
	slot_fill(s, &name, hash, *ref);
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
