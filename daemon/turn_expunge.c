/* turn_expunge.c - a family taken out on order, and everything that names its cases.
 *
 * In: one of its cases, the words of the order. Out: counts. Promise: from the first step on nothing that names the cases
 * is taken in; what is struck out is struck out in one transaction; other families forget what they were told of these
 * cases, and are as they would be if those had never been.
 */
#include "turn_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define ROWS_A_STEP 1000
#define FAMILIES_A_STEP 200
#define CASES_MAX 256 /* of one family */
#define BITES_MAX 100 /* of rows that follow; what is left then follows at once */

struct turn_expunging {
	struct turn *t;
	struct store_traces *traces;
	uint8_t family[LK_DIGEST];
	struct case_key cases[CASES_MAX], *neighbours;
	char (*numbers)[33];
	size_t n, neighbours_n;
	bool has_family; /* no: it was struck out, and perhaps the process died before all was overwritten; or nothing counts yet */
	enum { SEARCHING, ASKING, FOLLOWING, STRIKING, PROJECTING, FLUSHING } stage;
	uint8_t asked[LK_DIGEST]; /* the family that was asked last */
	struct lk_bytes told_of;  /* ids of families that were told of the cases */
	int bites;
	struct stored_struck struck;
	struct lk_error *err;
};

/* ---- Whom it concerns ------------------------------------------------------------------------ */

static int note_case(void *context, struct case_key key)
{
	struct turn_expunging *x = context;
	if (x->n == CASES_MAX)
		return lk_fail(x->err, LK_ESTATE, "a family of more than %d cases", CASES_MAX);
	char(*wider)[33] = realloc(x->numbers, (x->n + 1) * sizeof(*wider));
	if (wider == NULL)
		return lk_fail(x->err, LK_EMEMORY, "no memory for a family's cases");
	x->numbers = wider;
	snprintf(x->numbers[x->n], sizeof(*wider), "%.*s", LK_PRINT(key.number));
	x->cases[x->n++].agency = key.agency;
	return 0;
}

static int note_any(void *context, const struct stored_event *row)
{
	(void)context;
	(void)row;
	return 1;
}

/* 1: the store has something of it, or had; 0; negative. A case of which nothing counts yet has no family. */
static int is_case(struct turn *t, struct case_key key, uint8_t family[LK_DIGEST], bool *has_family,
		   struct lk_error *err)
{
	int rc = store_case_family(t->store, key, family, err);
	*has_family = rc > 0;
	if (rc == 0 && store_is_expunged(t->store, key))
		return 1;
	return rc == 0 ? store_case_events(t->store, key, note_any, NULL, err) : rc;
}

static int find_family(struct turn_expunging *x, struct case_key key)
{
	int rc = is_case(x->t, key, x->family, &x->has_family, x->err);
	if (rc == 0)
		return lk_fail(x->err, LK_ENOTFOUND, "there is no such case");
	if (rc > 0)
		rc = x->has_family
			     ? store_family_cases(x->t->store, x->family, note_case, x, x->err)
			     : note_case(x, key);
	for (size_t i = 0; i < x->n; i++)
		x->cases[i].number = lk_text_of(x->numbers[i]);
	for (size_t i = 0; rc >= 0 && i < x->n; i++) {
		rc = store_is_held(x->t->store, x->cases[i], x->err);
		if (rc > 0)
			return lk_fail(x->err, LK_ESTATE, "the family is under a legal hold");
	}
	return rc;
}

/* ---- The words of the order ------------------------------------------------------------------ */

static bool is_letter(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* However it is spelled, and whatever is written onto it. */
static bool says_number(struct lk_text words, const char *number)
{
	size_t n = strlen(number);
	for (size_t i = 0; i + n <= words.len; i++)
		if (strncasecmp(words.at + i, number, n) == 0 &&
		    (i == 0 || !is_letter(words.at[i - 1])) &&
		    (i + n == words.len || !is_letter(words.at[i + n])))
			return true;
	return false;
}

/* 1: the word is the number of a case, at either agency; 0; negative. */
static int is_number(struct turn *t, struct lk_text word, struct lk_error *err)
{
	uint8_t family[LK_DIGEST];
	bool has_family;
	int rc = 0;
	for (int agency = 0; rc == 0 && agency < lk_agency_count; agency++)
		rc = is_case(t, (struct case_key){ agency, word }, family, &has_family, err);
	return rc;
}

static uint32_t word_end(struct lk_text words, uint32_t from)
{
	while (from < words.len && (is_letter(words.at[from]) || words.at[from] == '-'))
		from++;
	return from;
}

/* They stay in the ledger for good, which tells of the order, also when it is another case's turn to go. */
static int look_at_words(struct turn_expunging *x, struct lk_text order)
{
	int found = 0;
	for (size_t i = 0; i < x->n; i++)
		found |= says_number(order, x->numbers[i]);
	for (uint32_t at = 0, end; found == 0 && at < order.len; at = end + 1) {
		end = word_end(order, at);
		if (end > at)
			found = is_number(x->t, (struct lk_text){ order.at + at, end - at },
					  x->err);
	}
	if (found <= 0)
		return found;
	return lk_fail(x->err, LK_EREFUSED,
		       "purpose: these words stay for good: name the order, and no case");
}

/* From now on nobody's case looks like one of these: no family is told of them any more. */
static int forget_tokens(struct turn_expunging *x)
{
	int rc = store_begin(x->t->store, x->err);
	if (rc < 0)
		return rc;
	for (size_t i = 0; rc >= 0 && i < x->n; i++)
		rc = store_tokens_put(x->t->store, x->cases[i], NULL, 0, x->err);
	if (rc >= 0)
		return turn_commit(x->t, x->err);
	turn_undo(x->t);
	return rc;
}

int turn_expunge(struct turn *t, struct case_key key, struct lk_text order,
		 struct turn_expunging **out, struct lk_error *err)
{
	struct turn_expunging *x;

	*out = NULL;
	if (turn_awaits(t))
		return waiting_refuse(t, err);
	if ((x = calloc(1, sizeof(*x))) == NULL)
		return lk_fail(err, LK_EMEMORY, "no memory to expunge a family");
	x->t = t;
	x->err = err;
	int rc = find_family(x, key);
	if (rc >= 0)
		rc = look_at_words(x, order);
	if (rc >= 0)
		rc = store_expunged_add(t->store, x->cases, x->n, err);
	if (rc >= 0)
		rc = forget_tokens(x);
	if (rc >= 0)
		rc = store_traces_open(t->store, x->cases, x->n, &x->traces, err);
	if (rc < 0) {
		turn_expunge_end(x);
		return rc;
	}
	t->expunging = x;
	*out = x;
	return 0;
}

void turn_expunge_end(struct turn_expunging *x)
{
	if (x == NULL)
		return;
	x->t->expunging = NULL;
	store_traces_close(x->traces);
	lk_bytes_free(&x->told_of);
	free(x->numbers);
	free(x->neighbours);
	free(x);
}

/* ---- Other families -------------------------------------------------------------------------- */

static bool is_of(const struct turn_expunging *x, int agency, struct lk_text number)
{
	for (size_t i = 0; i < x->n; i++)
		if (x->cases[i].agency == agency && lk_text_is(number, x->cases[i].number))
			return true;
	return false;
}

static bool tells_of(const struct turn_expunging *x, const struct tolds *told, const struct told *t)
{
	return is_of(x, 1 - t->side, words_text(&told->words, t->other)) ||
	       is_of(x, t->side, words_text(&told->words, t->own));
}

/* The words go with the records: what is kept is copied, what is not leaves nothing. */
static int forget_told(struct turn_expunging *x, struct home *h)
{
	struct tolds kept = { .n = 0 };
	int rc = 0;
	for (uint32_t i = 0; rc >= 0 && i < h->told.n; i++) {
		const struct told *t = &h->told.at[i];
		if (tells_of(x, &h->told, t)) {
			tally_forget(x->t, t);
			rc = store_traces_note(x->traces, t->id, x->err);
		} else {
			tolds_move(&kept, &h->told, t);
		}
	}
	if (rc < 0) {
		tolds_free(&kept);
		return rc;
	}
	if (kept.failed) {
		tolds_free(&kept);
		return lk_fail(x->err, LK_EMEMORY, "no memory to forget what was told");
	}
	tolds_free(&h->told);
	h->told = kept;
	h->is_dirty = true;
	return 0;
}

static int note_neighbour(void *context, struct case_key key)
{
	struct turn_expunging *x = context;
	uint8_t id[LK_DIGEST];
	int rc = store_case_family(x->t->store, key, id, x->err);
	if (rc <= 0 || memcmp(id, x->family, LK_DIGEST) == 0)
		return rc < 0 ? rc : 0;
	struct case_key *wider = realloc(x->neighbours, (x->neighbours_n + 1) * sizeof(*wider));
	if (wider == NULL)
		return lk_fail(x->err, LK_EMEMORY, "no memory for neighbours");
	x->neighbours = wider;
	x->neighbours[x->neighbours_n++] = key; /* the traces keep its text */
	struct home *h = home_get(x->t, id, x->err);
	return h == NULL ? LK_ESTORE : forget_told(x, h);
}

/* ---- Families that links and mailboxes do not lead to ---------------------------------------- */

/* A record is kept as long as its family, whatever became of the notice. */
static bool any_tells_of(const struct turn_expunging *x, const struct tolds *told)
{
	for (uint32_t i = 0; i < told->n; i++)
		if (tells_of(x, told, &told->at[i]))
			return true;
	return false;
}

static bool may_tell_of(const struct turn_expunging *x, const struct stored_family *row)
{
	for (size_t i = 0; i < x->n; i++)
		if (memmem(row->told, row->told_len, x->numbers[i], strlen(x->numbers[i])) != NULL)
			return true;
	return false;
}

int expunge_look(struct turn_expunging *x, const struct stored_family *row, struct lk_error *err)
{
	struct tolds told;
	if (!may_tell_of(x, row))
		return 0;
	int rc = tolds_unpack(row->told, row->told_len, &told, err);
	if (rc < 0)
		return rc == LK_EWIRE && row->state_len == 0 ? 0 : rc; /* as home_get() reads it */
	if (any_tells_of(x, &told))
		lk_bytes_add(&x->told_of, row->id, LK_DIGEST);
	tolds_free(&told);
	return x->told_of.failed ? lk_fail(err, LK_EMEMORY, "no memory for families") : 0;
}

static int look_at_row(void *context, const struct stored_family *row)
{
	struct turn_expunging *x = context;
	return expunge_look(x, row, x->err);
}

struct ids {
	uint8_t at[FAMILIES_A_STEP][LK_DIGEST];
	int n;
};

static int note_id(void *context, const uint8_t id[LK_DIGEST], lk_instant wake_at)
{
	struct ids *ids = context;
	(void)wake_at;
	memcpy(ids->at[ids->n++], id, LK_DIGEST);
	return 0;
}

/* Some families, each once; whatever is written meanwhile is looked at as it is written. 1: there are more; 0; negative. */
static int ask_families(struct turn_expunging *x)
{
	struct store *store = x->t->store;
	struct ids ids = { .n = 0 };
	int rc = store_families_after(store, x->asked, FAMILIES_A_STEP, note_id, &ids, x->err);
	for (int i = 0; rc >= 0 && i < ids.n; i++)
		rc = store_family_get(store, ids.at[i], look_at_row, x, x->err);
	if (ids.n > 0)
		memcpy(x->asked, ids.at[ids.n - 1], LK_DIGEST);
	return rc < 0 ? rc : ids.n == FAMILIES_A_STEP;
}

static int one_case(void *context, struct case_key key)
{
	struct turn_expunging *x = context;
	int rc = store_traces_neighbour(x->traces, key, x->err);
	return rc < 0 ? rc : 1;
}

/* Some of them are gone by now, or were found by another way, too. */
static int note_told_of(struct turn_expunging *x)
{
	int rc = 0;
	for (size_t i = 0; rc >= 0 && i < x->told_of.len; i += LK_DIGEST)
		rc = store_family_cases(x->t->store, x->told_of.at + i, one_case, x, x->err);
	return rc;
}

/* ---- Striking -------------------------------------------------------------------------------- */

static int note_own(struct turn_expunging *x)
{
	struct home *own = home_get(x->t, x->family, x->err);
	int rc = own == NULL ? LK_ESTORE : 0;
	for (uint32_t i = 0; rc >= 0 && i < own->told.n; i++) {
		tally_forget(x->t, &own->told.at[i]);
		rc = store_traces_note(x->traces, own->told.at[i].id, x->err);
	}
	return rc;
}

/* `had`: whom its meetings were in the way of. */
static int drop_own(struct turn_expunging *x, struct neighbours *had)
{
	int rc = neighbours_had(had, x->t, x->family, x->t->now, x->err);
	return rc < 0 ? rc : home_drop(x->t, x->family, x->err);
}

static int strike(struct turn_expunging *x, const struct ledger_row *order)
{
	struct turn *t = x->t;
	struct neighbours had = { 0 };
	x->neighbours_n = 0;
	int rc = x->has_family ? note_own(x) : 0;
	if (rc >= 0)
		rc = note_told_of(x);
	if (rc >= 0)
		rc = store_traces_neighbours(x->traces, note_neighbour, x);
	if (rc >= 0)
		rc = store_traces_strike(x->traces, order, &x->struck, x->err);
	if (rc >= 0 && x->has_family)
		rc = drop_own(x, &had);
	if (rc >= 0)
		rc = homes_flush(t, x->err);
	for (size_t i = 0; rc >= 0 && i < x->neighbours_n; i++)
		rc = refold(t, &x->neighbours[i], 1, t->now, x->err);
	if (rc >= 0)
		rc = settle_others(t, &had, t->now, x->err);
	free(had.ids);
	return rc;
}

static int strike_in_one(struct turn_expunging *x, const struct ledger_row *order)
{
	int rc;
	do
		rc = store_write_back(x->t->store, x->err);
	while (rc > 0);
	if (rc == 0)
		rc = store_begin(x->t->store, x->err);
	if (rc < 0)
		return rc;
	rc = strike(x, order);
	if (rc >= 0)
		return turn_commit(x->t, x->err);
	turn_undo(x->t);
	return rc;
}

/* ---- Steps ----------------------------------------------------------------------------------- */

static int search_step(struct turn_expunging *x, const struct ledger_row *order)
{
	(void)order;
	int rc = store_traces_find(x->traces, ROWS_A_STEP, x->err);
	if (rc == 0)
		x->stage = ASKING;
	return rc < 0 ? rc : 1;
}

static int ask_step(struct turn_expunging *x, const struct ledger_row *order)
{
	(void)order;
	int rc = ask_families(x);
	if (rc == 0)
		x->stage = FOLLOWING;
	return rc < 0 ? rc : 1;
}

/* Changes that wait for their families' rows name cases, too. */
static int follow_step(struct turn_expunging *x, const struct ledger_row *order)
{
	(void)order;
	int rc = store_write_back(x->t->store, x->err);
	if (rc == 0 || ++x->bites == BITES_MAX)
		x->stage = STRIKING;
	return rc < 0 ? rc : 1;
}

static int strike_step(struct turn_expunging *x, const struct ledger_row *order)
{
	int rc = strike_in_one(x, order);
	x->stage = PROJECTING;
	x->t->expunging = NULL;
	return rc < 0 ? rc : 1;
}

static int project_step(struct turn_expunging *x, const struct ledger_row *order)
{
	(void)order;
	int rc = turn_idle(x->t, x->err);
	if (rc != 0)
		return rc;
	x->stage = FLUSHING;
	homes_forget(x->t);
	return 1;
}

/* A copy of the store that nobody has come for holds the family, too. */
static int flush_step(struct turn_expunging *x, const struct ledger_row *order)
{
	(void)order;
	store_backup_drop(x->t->store);
	return store_flush(x->t->store, x->err);
}

int turn_expunge_step(struct turn_expunging *x, const struct ledger_row *order,
		      struct lk_error *err)
{
	static int (*const steps[])(struct turn_expunging *, const struct ledger_row *) = {
		[SEARCHING] = search_step, [ASKING] = ask_step,         [FOLLOWING] = follow_step,
		[STRIKING] = strike_step,  [PROJECTING] = project_step, [FLUSHING] = flush_step,
	};
	x->err = err;
	return steps[x->stage](x, order);
}

void turn_expunge_count(const struct turn_expunging *x, int64_t *done, int64_t *of)
{
	store_traces_count(x->traces, done, of);
}

void turn_expunge_told(const struct turn_expunging *x, struct stored_struck *out, size_t *cases)
{
	*out = x->struck;
	*cases = x->n;
}
