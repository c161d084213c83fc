/* ahead.c - what a transaction will ask of cases and families, read by another thread before it does.
 *
 * In: the cases of events that are to come. Out: the cases of each one's family, and the family's row, as the last commit left
 * them. Promise: a transaction is told what it would read itself, or nothing: once it has written what may be another answer
 * (a case joined, a token, a family that went), it is told nothing more. What a family is that it has changed, held.c knows,
 * which is asked first.
 *
 * The thread has a connection of its own, and reads while the loop is within a transaction, so that nothing is committed
 * meanwhile. Between two slots it holds no lock of the log. What is damaged it passes over: the loop comes to it.
 */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

#define CASES 4u /* of a family; of more, those that were named first */
#define ROW_MOST \
	((size_t)16 \
	 << 10) /* bytes of a family: what is longer is left to the loop, for there are many slots */

struct foreseen_case {
	int64_t ref, family_ref;
	int agency;
	bool is_tokenless;
	uint32_t len;
	char number[NAME_ROOM];
};

struct foreseen {
	struct foreseen_case of[CASES];
	unsigned n;
	uint8_t family[LK_DIGEST];
	struct family_version is; /* where its ref is not 0; its bytes are the slot's in any case */
};

struct ahead {
	struct store own; /* the thread's: a connection, and what reading a row takes */
	const struct foreseen *at_hand; /* the loop's; NULL: nothing is known of the event */
	bool is_void;                   /* until the transaction ends */
	size_t slots;
	struct foreseen slot[];
};

/* ---- In the thread --------------------------------------------------------------------------- */

static void case_take(struct query *q, struct foreseen *out)
{
	struct foreseen_case *c = &out->of[out->n];
	struct lk_text number;

	c->ref = column_int(q);
	c->agency = column_code(q);
	number = column_text(q);
	(void)column_digest(q, out->family);
	c->family_ref = column_int(q);
	c->is_tokenless = column_int(q) == 0;
	c->len = number.len;
	if (number.len > sizeof(c->number))
		return;
	memcpy(c->number, number.at, number.len);
	out->n++;
}

static void cases_read(struct store *own, struct case_key key, struct foreseen *out)
{
	struct query q = query_begin(own, SQL_ahead_cases);

	out->n = 0;
	bind_int(&q, key.agency);
	bind_text(&q, key.number);
	while (out->n < CASES && query_step(&q, NULL) == 1)
		case_take(&q, out);
	query_end(&q);
}

/* A long one is the loop's to read, and leaves nothing behind here. */
static void row_leave(struct store *own, struct foreseen *out)
{
	free(out->is.bytes);
	out->is = (struct family_version){ 0 };
	lk_bytes_free(&own->scratch);
	lk_bytes_free(&own->squeezed);
}

static void row_read(struct store *own, struct foreseen *out)
{
	struct case_slot at = { .family_ref = out->of[0].family_ref };
	struct family_version is;

	memcpy(at.family, out->family, LK_DIGEST);
	own->asked = &at;
	if (family_load(own, out->family, &is, NULL) == 1) {
		free(out->is.bytes);
		out->is = is;
		if (is.state_len + is.told_len > ROW_MOST)
			row_leave(own, out);
	}
	own->asked = NULL;
}

void store_ahead_read(struct store *s, size_t slot, struct case_key key)
{
	struct foreseen *out;

	if (s->ahead == NULL)
		return;
	out = &s->ahead->slot[slot];
	out->is.ref = 0;
	cases_read(&s->ahead->own, key, out);
	if (out->n > 0)
		row_read(&s->ahead->own, out);
}

/* ---- In the loop ----------------------------------------------------------------------------- */

void store_ahead_use(struct store *s, size_t slot)
{
	const struct foreseen *f;

	if (s->ahead == NULL || s->ahead->is_void)
		return;
	f = &s->ahead->slot[slot];
	s->ahead->at_hand = f;
	for (unsigned i = 0; i < f->n; i++) {
		const struct foreseen_case *c = &f->of[i];

		name_learn(s, (struct name){ NAME_CASE, c->agency, c->number, c->len }, c->ref);
		case_foresee(s, c->ref, f->family, c->family_ref, c->is_tokenless);
	}
}

void store_ahead_leave(struct store *s)
{
	if (s->ahead != NULL)
		s->ahead->at_hand = NULL;
}

const struct family_version *ahead_family(const struct store *s, const uint8_t id[LK_DIGEST])
{
	const struct foreseen *f = s->ahead != NULL ? s->ahead->at_hand : NULL;

	return f != NULL && f->is.ref != 0 && memcmp(f->is.id, id, LK_DIGEST) == 0 ? &f->is : NULL;
}

void ahead_begin(struct store *s)
{
	if (s->ahead != NULL)
		s->ahead->is_void = false;
}

void ahead_void(struct store *s)
{
	store_ahead_leave(s);
	if (s->ahead != NULL)
		s->ahead->is_void = true;
}

/* ---- Life ------------------------------------------------------------------------------------ */

static int prepare(const struct store *s, struct store *own, enum statement which)
{
	return sqlite3_prepare_v3(own->db, sqlite3_sql(s->statement[which]), -1,
				  SQLITE_PREPARE_PERSISTENT, &own->statement[which], NULL);
}

static int connect(const struct store *s, struct store *own)
{
	static const char settings[] = "PRAGMA mmap_size = 0; PRAGMA cell_size_check = ON;"
				       "PRAGMA trusted_schema = OFF; PRAGMA cache_size = -1024;"
				       "PRAGMA query_only = ON";
	int rc = share_connect(s->share, s->db, settings, &own->db);

	if (rc == SQLITE_OK)
		rc = prepare(s, own, SQL_ahead_cases);
	if (rc == SQLITE_OK)
		rc = prepare(s, own, SQL_family_at);
	return rc == SQLITE_OK ? prepare(s, own, SQL_family_get) : rc;
}

int store_ahead_open(struct store *s, size_t slots, struct lk_error *err)
{
	struct ahead *a;
	int rc;

	if (s->share == NULL)
		return 0;
	a = calloc(1, sizeof(*a) + slots * sizeof(a->slot[0]));
	if (a == NULL)
		return lk_fail(err, LK_EMEMORY, "store: no memory to read ahead");
	a->slots = slots;
	a->own.is_checked = true; /* damage is the loop's to find */
	s->ahead = a;
	rc = connect(s, &a->own);
	if (rc == SQLITE_OK)
		return 0;
	rc = store_fault(s, a->own.db, rc, "linkages.db, to be read ahead", err);
	store_ahead_close(s);
	return rc;
}

void store_ahead_close(struct store *s)
{
	struct ahead *a = s->ahead;

	if (a == NULL)
		return;
	for (int i = 0; i < STATEMENT_COUNT; i++)
		(void)sqlite3_finalize(a->own.statement[i]);
	(void)sqlite3_close(a->own.db);
	lk_bytes_free(&a->own.scratch);
	lk_bytes_free(&a->own.squeezed);
	for (size_t i = 0; i < a->slots; i++)
		free(a->slot[i].is.bytes);
	free(a);
	s->ahead = NULL;
}
