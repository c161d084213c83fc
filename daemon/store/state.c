/* state.c - state.db: opened, made anew where it does not fit, and filled in a transaction of its own.
 *
 * In: the file, if there is one. Out: a connection that project.c can fill. Promise: state.db says only what the log has
 * committed, and where in the log it stands; an old copy, or that of another store, is noticed and made anew.
 */
#include "internal.h"

#include <string.h>

/* What linkages.db knows of state.db: how often it was filled. state.db knows it too, a moment
 * earlier. */
#define FILLINGS "state.fillings"

/* ---- Opening --------------------------------------------------------------------------------- */

/* 0: it may be used; 1: it is of another store, older than linkages.db remembers, or cannot say. */
static int state_fits(struct store *s, struct lk_error *err)
{
	sqlite3_stmt *statement = NULL;
	int64_t remembered = 0;
	int rc = store_value_get(s, FILLINGS, &remembered, err);

	if (rc < 0)
		return rc;
	rc = sqlite3_prepare_v2(s->state, "SELECT store, fillings FROM standing", -1, &statement,
				NULL);
	int step = rc == SQLITE_OK ? sqlite3_step(statement) : SQLITE_DONE;
	if ((step & 0xff) == SQLITE_CORRUPT)
		rc = step; /* whatever asked it next would fail, and with it the start */
	if (step == SQLITE_ROW) {
		const void *store = sqlite3_column_blob(statement, 0);

		rc = sqlite3_column_bytes(statement, 0) != LK_DIGEST ||
		     memcmp(store, s->identity, LK_DIGEST) != 0 ||
		     sqlite3_column_int64(statement, 1) < remembered;
	}
	(void)sqlite3_finalize(statement);
	return rc != SQLITE_OK;
}

static int state_take(struct store *s, struct lk_error *err)
{
	int rc = file_open(s, &state_file, &s->state, err);

	return rc != 0 ? rc : state_fits(s, err);
}

int state_open(struct store *s, struct lk_error *err)
{
	int on = 1;
	int rc = state_take(s, err);

	if (rc == 1) {
		(void)sqlite3_close(s->state);
		s->state = NULL;
		if ((rc = file_remove(s, &state_file, err)) == 0)
			rc = state_take(s, err);
	}
	if (rc == 1)
		rc = lk_fail(err, LK_ESTORE, "state.db cannot be made anew");
	/* The log stays when we go, so that those who may only read can still open it. */
	if (rc == 0)
		(void)sqlite3_file_control(s->state, "main", SQLITE_FCNTL_PERSIST_WAL, &on);
	return rc;
}

/* ---- Its own transaction, within that of linkages.db ----------------------------------------- */

int state_begin(struct store *s, struct lk_error *err)
{
	struct query q;
	int rc;

	if (!s->open_since_begin || s->changed)
		return lk_fail(err, LK_ESTATE,
			       "store: state.db is filled in a transaction of its own");
	if (s->filling)
		return 0;
	q = query_begin(s, SQL_state_begin);
	if ((rc = query_run(&q, err)) == 0)
		s->filling = true;
	return rc;
}

static int standing_put(struct store *s, int64_t fillings, struct lk_error *err)
{
	int64_t position = s->tips.position;
	struct query q = query_begin(s, SQL_dirty_oldest);
	int rc = query_number(&q, &position, err);

	if (rc < 0)
		return rc;
	q = query_begin(s, SQL_standing_put);
	bind_digest(&q, s->identity);
	bind_int(&q, position);
	bind_int(&q, fillings);
	return query_run(&q, err);
}

/* state.db first: if all ends between the two, its families are still marked and are filled in
 * again. */
int state_commit(struct store *s, struct lk_error *err)
{
	struct query q;
	int rc;

	if (!s->filling)
		return 0;
	if ((rc = standing_put(s, s->fillings + 1, err)) < 0)
		return rc;
	if ((rc = store_value_put(s, FILLINGS, s->fillings + 1, err)) < 0)
		return rc;
	q = query_begin(s, SQL_state_commit);
	if ((rc = query_run(&q, err)) < 0)
		return rc;
	s->filling = false;
	s->fillings++;
	return 0;
}

void state_rollback(struct store *s)
{
	if (s->filling)
		take_back(s, s->state, SQL_state_rollback);
	s->filling = false;
	memset(s->manners, 0, sizeof(s->manners));
}

bool state_may_have(struct store *s, const uint8_t id[LK_DIGEST])
{
	char hex[LK_DIGEST_HEX];
	struct lk_error unheard;
	int64_t ref;
	struct query q;

	if (s->state == NULL)
		return true;
	lk_digest_hex(id, hex);
	q = query_begin(s, SQL_has_family);
	bind_copy(&q, hex);
	return query_number(&q, &ref, &unheard) != 0;
}

int state_mark_all(struct store *s, struct lk_error *err)
{
	struct query q = query_begin(s, SQL_dirty_all);

	return query_run(&q, err);
}

/* All families are marked before the empty file knows whose it is: where all ends between the two, the next start comes here
 * again. In one transaction the file would be committed first, and pass for a full one. */
static int state_begin_anew(struct store *s, struct lk_error *err)
{
	int rc = store_begin(s, err);

	if (rc == 0)
		rc = store_end(s, state_mark_all(s, err), err);
	if (rc == 0)
		rc = store_begin(s, err);
	return rc == 0 ? store_end(s, state_begin(s, err), err) : rc;
}

int state_load(struct store *s, struct lk_error *err)
{
	struct query q = query_begin(s, SQL_standing_get);
	int rc = query_number(&q, &s->fillings, err);

	if (rc != 0)
		return rc < 0 ? rc : 0;
	if ((rc = store_value_get(s, FILLINGS, &s->fillings, err)) < 0)
		return rc;
	return state_begin_anew(s, err);
}
