/* scrub.c - every row is read again, over days, a few at each idle moment.
 *
 * In: idle moments. Out: a store in doubt where a row is not what was written; else, at the end of
 * each pass, outboxes that may forget what is old enough. Promise: a bite is a few hundred rows; a
 * pass that is interrupted goes on near where it was.
 */
#include "internal.h"

#include <stdio.h>
#include <string.h>

#define ROWS_A_BITE 100
#define ROWS_TO_FORGET 1000
#define KEEP_EVERY 240      /* bites: about a minute */
#define REST (24 * LK_HOUR) /* from the end of one pass to the beginning of the next */

static const char part_value[] = "scrub.part", place_value[] = "scrub.place",
		  upto_value[] = "scrub.upto";

/* ---- The place ------------------------------------------------------------------------------- */

static int place_load(struct store *s, struct lk_error *err)
{
	struct scrub *scrub = &s->scrub;
	int64_t part = 0;
	int rc;

	scrub->ended = LK_NO_INSTANT;
	rc = store_value_get(s, part_value, &part, err);

	if (rc == 1 && part >= 0 && part < INT32_MAX)
		rc = store_value_get(s, place_value, &scrub->check.at, err);
	if (rc == 1)
		rc = store_value_get(s, upto_value, &scrub->upto, err);
	if (rc >= 0)
		rc = store_value_get(s, STORE_SCRUBBED_AT, &scrub->ended, err) < 0 ? LK_ESTORE : rc;
	if (rc < 0)
		return rc;
	scrub->check.part = rc == 1 ? (int)part : 0;
	scrub->is_loaded = true;
	return 0;
}

static int place_put(struct store *s, struct lk_error *err)
{
	const struct scrub *scrub = &s->scrub;
	int rc = store_value_put(s, part_value, scrub->check.part, err);

	if (rc == 0)
		rc = store_value_put(s, place_value, scrub->check.at, err);
	return rc == 0 ? store_value_put(s, upto_value, scrub->upto, err) : rc;
}

static int place_keep(struct store *s, struct lk_error *err)
{
	int rc = store_begin(s, err);

	return rc < 0 ? rc : store_end(s, place_put(s, err), err);
}

/* ---- What outboxes may forget ---------------------------------------------------------------- */

struct aging {
	int64_t stream, next, safe;
};

static int stream_after(struct store *s, struct aging *a, struct lk_error *err)
{
	struct query q = query_begin(s, SQL_safe_stream);
	int rc;

	bind_int(&q, a->stream);
	if ((rc = query_step(&q, err)) == 1) {
		a->stream = column_int(&q);
		a->next = column_int(&q);
		a->safe = column_int(&q);
	}
	query_end(&q);
	return rc;
}

/* As far as all rows are old and were looked at in the pass that has just ended. 1: there may be more of them. */
static int stream_age(struct store *s, struct aging *a, lk_instant before, struct lk_error *err)
{
	struct query q = query_begin(s, SQL_safe_rows);
	int rc, n = 0;

	bind_int(&q, a->stream);
	bind_int(&q, a->safe);
	bind_int(&q, a->next);
	bind_int(&q, ROWS_TO_FORGET);
	while ((rc = query_step(&q, err)) == 1) {
		int64_t seq = column_int(&q), position = column_int(&q);

		if (column_int(&q) >= before || position > s->scrub.upto)
			break;
		a->safe = seq;
		n++;
	}
	query_end(&q);
	return rc < 0 ? rc : n == ROWS_TO_FORGET;
}

static int stream_keep(struct store *s, const struct aging *a, struct lk_error *err)
{
	struct query q = query_begin(s, SQL_safe_put);

	streams_forget(s);
	bind_int(&q, a->stream);
	bind_int(&q, a->safe);
	return query_run(&q, err);
}

/* One bite of one stream. 1: there is more; 0: all streams are done. */
static int age_some(struct store *s, lk_instant before, struct lk_error *err)
{
	struct aging a = { .stream = s->scrub.aging };
	int more, rc = stream_after(s, &a, err);

	if (rc <= 0)
		return rc;
	if ((more = stream_age(s, &a, before, err)) < 0 || (rc = store_begin(s, err)) < 0)
		return more < 0 ? more : rc;
	if ((rc = store_end(s, stream_keep(s, &a, err), err)) < 0)
		return rc;
	s->scrub.let_go++;
	s->scrub.aging = more ? a.stream - 1 : a.stream;
	return 1;
}

/* ---- A bite ---------------------------------------------------------------------------------- */

static void note_damaged(void *context, const char *what)
{
	struct scrub *scrub = context;

	if (scrub->what[0] == '\0')
		(void)snprintf(scrub->what, sizeof(scrub->what), "%s", what);
}

static int pass_end(struct store *s, lk_instant now, struct lk_error *err)
{
	struct scrub *scrub = &s->scrub;
	int rc = store_begin(s, err);

	if (rc < 0)
		return rc;
	scrub->check = (struct store_check){ .part = 0 };
	scrub->is_aging = false;
	scrub->ended = now;
	if ((rc = store_value_put(s, STORE_SCRUBBED_AT, now, err)) == 0)
		rc = place_put(s, err);
	return store_end(s, rc, err);
}

static int look(struct store *s, struct lk_error *err)
{
	struct scrub *scrub = &s->scrub;
	int more;

	if (scrub->check.part == 0 && scrub->check.at == 0)
		scrub->upto = s->committed.position;
	scrub->check.damaged = note_damaged;
	scrub->check.context = scrub;
	more = store_check(s, &scrub->check, ROWS_A_BITE, err);
	if (more < 0 || scrub->what[0] == '\0')
		return more;
	store_doubt(s, DOUBT_DAMAGE, scrub->what);
	return lk_fail(err, LK_ESYNC, "store: suspect, to be rebuilt at the next start: %s",
		       scrub->what);
}

int64_t store_let_go(const struct store *s)
{
	return s->scrub.let_go;
}

int store_scrub(struct store *s, lk_instant now, int64_t window_us, struct lk_error *err)
{
	struct scrub *scrub = &s->scrub;
	int rc = scrub->is_loaded ? 0 : place_load(s, err);

	if (rc < 0)
		return rc;
	if (scrub->is_aging) {
		rc = window_us > 0 ? age_some(s, now - window_us, err) : 0;
		return rc != 0 ? (rc < 0 ? rc : 0) : pass_end(s, now, err);
	}
	if (scrub->check.part == 0 && scrub->check.at == 0 && scrub->ended != LK_NO_INSTANT &&
	    now < scrub->ended + REST)
		return 0;
	if ((rc = look(s, err)) < 0)
		return rc;
	scrub->is_aging = rc == 0;
	if (scrub->is_aging)
		scrub->aging = 0;
	return ++scrub->bites % KEEP_EVERY == 0 && rc > 0 ? place_keep(s, err) : 0;
}
