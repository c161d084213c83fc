/* turn_nearby.c - what reaches across families: workers' calendars, likely matches, and sources that are silent.
 *
 * In: a family at hand. Out: its surroundings, as rules read them; its own meetings on its workers' calendars; and, settled
 * anew, the families that a change of it reaches. Promise: texts of surroundings are copies, and last until nearby_free().
 */
#include "turn_settle.h"

#include <stdlib.h>
#include <string.h>

/* ---- What reaches in: calendars and silences ------------------------------------------------- */

/* The store's texts last only as long as the visit: copy each. */
static struct lk_text kept(struct nearby *n, struct lk_text text)
{
	if (!lk_text_given(text))
		return LK_NO_TEXT;
	char *copy = malloc(text.len + 1);
	if (copy == NULL) {
		n->failed = true;
		return LK_NO_TEXT;
	}
	memcpy(copy, text.at, text.len);
	return (struct lk_text){ copy, text.len };
}

/* The time of a meeting to be put on the calendar anew: it keeps no worker busy, but its family is to be asked
 * again whenever the worker's calendar changes. */
#define NEVER INT64_MAX

static int note_busy(void *context, const uint8_t family[LK_DIGEST],
		     const struct calendar_entry *entry)
{
	struct nearby *n = context;
	if (memcmp(family, n->h->id, LK_DIGEST) == 0 || entry->start == NEVER)
		return 0;
	struct busy *wider = vector_grown(n->busy, n->busy_n, &n->busy_room, sizeof(*wider));
	if (wider == NULL)
		return LK_EMEMORY;
	n->busy = wider;
	n->busy[n->busy_n++] = (struct busy){
		.worker = kept(n, entry->worker),
		.meeting = kept(n, entry->meeting),
		.place = kept(n, entry->place),
		.start_at = entry->start,
		.end_at = entry->end,
		.said_at = entry->scheduled_at,
		.agency = entry->agency,
		.kind = entry->kind,
		.family_first = memcmp(family, n->h->id, LK_DIGEST) < 0,
	};
	return n->failed ? LK_EMEMORY : 0;
}

/* A meeting whose workers' other meetings matter: it is on the calendar, or was missed or held in
 * vain. */
static bool needs_calendar(const struct family *f, const struct meeting *m, lk_instant at)
{
	if (m->version == NONE || m->state == MEETING_CANCELLED)
		return false;
	if (m->state == MEETING_PLANNED)
		return f->versions[m->version].start_at > at;
	return m->state == MEETING_MISSED || !m->with_family;
}

static bool asked_before(const struct nearby *n, struct lk_text worker)
{
	for (uint32_t i = 0; i < n->busy_n; i++)
		if (lk_text_is(n->busy[i].worker, worker))
			return true;
	return false;
}

static int fetch_busy(struct nearby *n, lk_instant at)
{
	const struct family *f = &n->h->f;
	for (uint32_t i = 0; i < f->meetings_n; i++) {
		const struct meeting *m = &f->meetings[i];
		if (!needs_calendar(f, m, at))
			continue;
		const struct version *v = &f->versions[m->version];
		for (uint32_t w = 0; w < v->required_n; w++) {
			struct lk_text worker = family_text(f, f->names[v->required + w]);
			int rc = asked_before(n, worker)
					 ? 0
					 : store_calendar_of(n->t->store, worker, at, note_busy, n,
							     n->err);
			if (rc < 0)
				return rc;
		}
	}
	return 0;
}

int nearby_silent(struct nearby *n)
{
	for (size_t i = 0; i < n->t->sources_n; i++) {
		const struct source_state *s = &n->t->sources[i];
		if (!s->is_silent)
			continue;
		if (n->silent == NULL)
			n->silent = calloc(n->t->sources_n, sizeof(*n->silent));
		if (n->silent == NULL)
			return lk_fail(n->err, LK_EMEMORY, "no memory for the sources");
		n->silent[n->silent_n++] = lk_text_of(s->source.name);
	}
	return 0;
}

/* ---- Likely matches: equal tokens, other agencies, both open, no answer on the pair ---------- */

static int by_role(const void *a, const void *b)
{
	const struct lk_contact *x = a, *y = b;
	return x->role - y->role;
}

/* By role, so that the order in which they were assigned is no change of content. */
static struct lk_contact *contacts_of(const struct family *f, uint32_t kase, uint32_t *n)
{
	struct lk_contact *contacts = calloc(f->assignments_n + 1, sizeof(*contacts));
	*n = 0;
	for (uint32_t i = 0; contacts != NULL && i < f->assignments_n; i++) {
		const struct assignment *a = &f->assignments[i];
		if (a->kase == kase && a->until_step == 0)
			contacts[(*n)++] = (struct lk_contact){
				.agency = f->cases[kase].agency,
				.role = a->role,
				.worker = family_text(f, a->worker),
				.name = family_text(f, a->name),
				.phone = family_text(f, a->phone),
			};
	}
	if (*n > 1) /* no two hold one role of a case */
		qsort(contacts, *n, sizeof(*contacts), by_role);
	return contacts;
}

static int add_likely(struct nearby *n, const struct family *f, uint32_t kase)
{
	struct likely *wider =
		vector_grown(n->likely, n->likely_n, &n->likely_room, sizeof(*wider));
	if (wider == NULL)
		return LK_EMEMORY;
	n->likely = wider;
	struct likely *l = &n->likely[n->likely_n];
	*l = (struct likely){
		.number = family_text(&n->h->f, n->looking->number),
		.agency = n->looking->agency,
		.other_number = family_text(f, f->cases[kase].number),
		.other_opened_at = f->cases[kase].opened_at,
		.other_source = opening_source(f, kase),
	};
	l->contacts = contacts_of(f, kase, &l->contacts_n);
	n->likely_n++;
	return l->contacts == NULL ? LK_EMEMORY : 0;
}

static bool is_noted(const struct nearby *n, struct lk_text other)
{
	struct lk_text own = family_text(&n->h->f, n->looking->number);
	for (uint32_t i = 0; i < n->likely_n; i++)
		if (lk_text_is(n->likely[i].other_number, other) &&
		    lk_text_is(n->likely[i].number, own))
			return true;
	return false;
}

static int note_likely(void *context, struct case_key other, int kind, lk_instant since)
{
	struct nearby *n = context;
	struct case_key own = { n->looking->agency, family_text(&n->h->f, n->looking->number) };
	struct home *home;
	lk_instant said;
	(void)kind;
	(void)since;
	if (other.agency == own.agency ||
	    family_case(&n->h->f, other.agency, other.number) != NONE || is_noted(n, other.number))
		return 0;
	int rc = store_link_between(n->t->store, own, other, &said, n->err);
	if (rc != 0) /* a person has answered */
		return rc < 0 ? rc : 0;
	if ((rc = home_at_hand(n->t, other, &home, n->err)) <= 0)
		return rc;
	uint32_t kase = family_case(&home->f, other.agency, other.number);
	return kase != NONE && home->f.cases[kase].open ? add_likely(n, &home->f, kase) : 0;
}

/* Most families have none, and are asked for it once. */
static int find_tokens(const struct nearby *n)
{
	const struct family *f = &n->h->f;
	int found = 0;
	for (uint32_t i = 0; i < f->cases_n && found == 0; i++) {
		struct case_key key = { f->cases[i].agency, family_text(f, f->cases[i].number) };
		found = store_has_tokens(n->t->store, key, n->err);
	}
	return found;
}

static int fetch_likely(struct nearby *n)
{
	const struct family *f = &n->h->f;
	int found = n->h->is_tokenless ? 0 : find_tokens(n);
	n->h->is_tokenless = found == 0;
	if (found <= 0)
		return found;
	for (uint32_t i = 0; i < f->cases_n; i++) {
		n->looking = &f->cases[i];
		struct case_key key = { n->looking->agency, family_text(f, n->looking->number) };
		int rc = n->looking->open
				 ? store_lookalikes(n->t->store, key, note_likely, n, n->err)
				 : 0;
		if (rc < 0)
			return rc;
	}
	return 0;
}

int nearby_fetch(struct nearby *n, lk_instant at)
{
	int rc = nearby_silent(n);
	if (rc >= 0)
		rc = fetch_busy(n, at);
	return rc < 0 ? rc : fetch_likely(n);
}

struct surroundings nearby_surroundings(const struct nearby *n)
{
	return (struct surroundings){
		.busy = n->busy,
		.busy_n = n->busy_n,
		.likely = n->likely,
		.likely_n = n->likely_n,
		.silent = n->silent,
		.silent_n = n->silent_n,
	};
}

void nearby_free(struct nearby *n)
{
	for (uint32_t i = 0; i < n->likely_n; i++)
		free((struct lk_contact *)(uintptr_t)n->likely[i].contacts);
	free(n->likely);
	for (uint32_t i = 0; i < n->busy_n; i++) {
		free((char *)(uintptr_t)n->busy[i].worker.at);
		free((char *)(uintptr_t)n->busy[i].meeting.at);
		free((char *)(uintptr_t)n->busy[i].place.at);
	}
	free(n->busy);
	free(n->silent);
}

/* ---- Neighbours: families that share a worker's calendar ------------------------------------- */

static int note_neighbour(void *context, const uint8_t family[LK_DIGEST])
{
	struct neighbours *all = context;
	if (memcmp(family, all->of, LK_DIGEST) == 0)
		return 0;
	for (uint32_t i = 0; i < all->n; i++)
		if (memcmp(all->ids[i], family, LK_DIGEST) == 0)
			return 0;
	void *wider = vector_grown(all->ids, all->n, &all->room, sizeof(*all->ids));
	if (wider == NULL)
		return LK_EMEMORY;
	all->ids = wider;
	memcpy(all->ids[all->n++], family, LK_DIGEST);
	return 0;
}

static int note_entry(void *context, const uint8_t family[LK_DIGEST],
		      const struct calendar_entry *entry)
{
	(void)entry;
	return note_neighbour(context, family);
}

int neighbours_had(struct neighbours *all, struct turn *t, const uint8_t family[LK_DIGEST],
		   lk_instant at, struct lk_error *err)
{
	all->of = family;
	return store_calendar_shared(t->store, family, at, note_neighbour, all, err);
}

static int find_neighbours(struct turn *t, struct neighbours *all, const struct family *f,
			   lk_instant at, struct lk_error *err)
{
	for (uint32_t i = 0; i < f->names_n; i++) {
		int rc = store_calendar_of(t->store, family_text(f, f->names[i]), at, note_entry,
					   all, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static bool is_in_calendar(const struct family *f, const struct meeting *m)
{
	if (m->version == NONE || m->state == MEETING_CANCELLED)
		return false;
	return m->state != MEETING_HELD ||
	       (f->versions[m->version].kind == LK_LTM && !m->with_family);
}

/* One for each worker whom the meeting requires. */
static uint32_t entries_at(const struct family *f, const struct meeting *m, lk_instant start,
			   lk_instant end, struct calendar_entry *out)
{
	const struct version *v = &f->versions[m->version];
	for (uint32_t i = 0; i < v->required_n; i++)
		out[i] = (struct calendar_entry){
			.worker = family_text(f, f->names[v->required + i]),
			.meeting = family_text(f, m->id),
			.place = family_text(f, v->place),
			.start = start,
			.end = end,
			.scheduled_at = v->said_at,
			.agency = v->agency,
			.kind = v->kind,
		};
	return v->required_n;
}

/* One that was missed stands at its hour, too: that may still be to come. */
static uint32_t entries_of(const struct family *f, const struct meeting *m,
			   struct calendar_entry *out)
{
	const struct version *v = &f->versions[m->version];
	uint32_t n = 0;
	if (m->state != MEETING_HELD)
		n += entries_at(f, m, v->start_at, v->end_at, out);
	if (m->state != MEETING_PLANNED)
		n += entries_at(f, m, NEVER, NEVER, out + n);
	return n;
}

int home_write_calendar(struct turn *t, const struct home *h, struct lk_error *err)
{
	const struct family *f = &h->f;
	struct calendar_entry *entries = calloc(2 * (size_t)f->names_n + 1, sizeof(*entries));
	uint32_t n = 0;
	if (entries == NULL)
		return lk_fail(err, LK_EMEMORY, "no memory for a calendar");
	for (uint32_t i = 0; i < f->meetings_n; i++) {
		const struct meeting *m = &f->meetings[i];
		if (is_in_calendar(f, m))
			n += entries_of(f, m, entries + n);
	}
	int rc = store_calendar_put(t->store, h->id, entries, n, err);
	free(entries);
	return rc;
}

int settle_others(struct turn *t, const struct neighbours *all, lk_instant at, struct lk_error *err)
{
	int rc = 0;
	for (uint32_t i = 0; rc >= 0 && i < all->n; i++) {
		struct home *other = home_get(t, all->ids[i], err);
		rc = other == NULL ? LK_ESTORE : home_catch_up(t, other, at, err);
		if (rc >= 0)
			rc = home_settle(t, other, at, err);
	}
	return rc;
}

int settle_neighbours(struct turn *t, struct home *h, lk_instant at, struct lk_error *err)
{
	struct neighbours all = { .of = h->id };
	int rc = home_write_calendar(t, h, err);
	if (rc >= 0)
		rc = find_neighbours(t, &all, &h->f, at, err);
	if (rc >= 0)
		rc = settle_others(t, &all, at, err);
	free(all.ids);
	return rc;
}

struct looking {
	struct turn *t;
	struct neighbours all;
	struct lk_error *err;
};

static int note_lookalike(void *context, struct case_key other, int kind, lk_instant since)
{
	struct looking *l = context;
	uint8_t id[LK_DIGEST];
	(void)kind;
	(void)since;
	int rc = store_case_family(l->t->store, other, id, l->err);
	return rc > 0 ? note_neighbour(&l->all, id) : rc;
}

int settle_lookalikes(struct turn *t, struct home *h, lk_instant at, struct lk_error *err)
{
	struct looking l = { .t = t, .all = { .of = h->id }, .err = err };
	int rc = 0;
	if (h->is_tokenless)
		return 0;
	for (uint32_t i = 0; rc >= 0 && i < h->f.cases_n; i++) {
		struct case_key key = { h->f.cases[i].agency,
					family_text(&h->f, h->f.cases[i].number) };
		rc = store_lookalikes(t->store, key, note_lookalike, &l, err);
	}
	if (rc >= 0)
		rc = settle_others(t, &l.all, at, err);
	free(l.all.ids);
	return rc;
}
