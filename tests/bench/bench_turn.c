/* bench_turn.c - what an event costs in the turn: decode, fold, derive, compare, store, hand out.
 *
 * In: how many events, over how many families, how many a batch; a folder for the store, or '' for memory; how many of the first
 * family come late after that. Out: a line with processor time an event, and one an event that was late. Promise: the same work as linkages-bench does, without sockets: two notices an event, each
 * handed out; the events of a run are the same each time, so that instructions can be counted.
 */
#include "policy.h"
#include "turn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define WORKERS 128
#define SOURCES 2
#define MILLISECOND (LK_SECOND / 1000)
#define BEGUN_AT (INT64_C(20514) * 24 * LK_HOUR) /* 2026-03-02 */

struct play {
	int events, families, batch, late;
	const char *folder;
	struct store *store;
	struct turn *turn;
	lk_instant now;
	lk_instant time; /* of the event that is said; LK_NO_INSTANT: now */
	struct lk_bytes arena;
	size_t place[TURN_BATCH_MAX + 1];
	struct turn_event event[TURN_BATCH_MAX];
	struct turn_verdict verdict[TURN_BATCH_MAX];
	size_t n;
	int64_t next_seq[SOURCES];
	int64_t told[WORKERS], handed[WORKERS];
	int64_t notices;
	struct lk_error err;
};

static const struct turn_source sources[SOURCES] = { { "cws-cms", LK_CWS, false },
						     { "calsaws", LK_CALWORKS, false } };

static void must(struct play *p, int rc)
{
	if (rc >= 0)
		return;
	fprintf(stderr, "bench_turn: %s\n", p->err.text);
	exit(2);
}

static void told(void *context, struct lk_text worker, int64_t seq)
{
	struct play *p = context;
	p->told[atoi(worker.at + 1)] = seq;
}

/* ---- Events ---------------------------------------------------------------------------------- */

static void put_pair(struct lk_bytes *w, const char *name, const char *value)
{
	lk_put_word(w, name);
	lk_put_word(w, value);
}

/* Members in the order of the canonical form. The data is put by the caller. */
static void begin_event(struct play *p, uint32_t members)
{
	p->place[p->n] = p->arena.len;
	lk_put_map(&p->arena, 7);
	lk_put_word(&p->arena, "data");
	lk_put_map(&p->arena, members);
}

static void commit(struct play *p)
{
	if (p->n == 0)
		return;
	p->place[p->n] = p->arena.len;
	for (size_t i = 0; i < p->n; i++) {
		p->event[i].bytes = p->arena.at + p->place[i];
		p->event[i].len = p->place[i + 1] - p->place[i];
	}
	must(p, turn_events(p->turn, p->now, p->event, p->n, p->verdict, &p->err));
	for (size_t i = 0; i < p->n; i++) {
		if (p->verdict[i].outcome == TURN_APPLIED)
			continue;
		fprintf(stderr, "bench_turn: %s %s\n", p->verdict[i].refused.field,
			p->verdict[i].refused.detail);
		exit(2);
	}
	lk_bytes_clear(&p->arena);
	p->n = 0;
}

static void end_event(struct play *p, int agency, const char *type, const char *id, int family)
{
	char subject[16];

	(void)snprintf(subject, sizeof(subject), "%c%07d", agency == LK_CWS ? 'C' : 'W', family);
	put_pair(&p->arena, "id", id);
	put_pair(&p->arena, "source", sources[agency].name);
	put_pair(&p->arena, "specversion", "1.0");
	put_pair(&p->arena, "subject", subject);
	lk_put_word(&p->arena, "time");
	lk_put_time(&p->arena, (struct lk_time){ p->time != LK_NO_INSTANT ? p->time : p->now, 0 });
	put_pair(&p->arena, "type", type);
	p->event[p->n] = (struct turn_event){ .source = lk_text_of(sources[agency].name),
					      .has_outbox_seq = true,
					      .seq = ++p->next_seq[agency] };
	p->event[p->n].epoch[0] = (uint8_t)(agency + 1);
	p->now += MILLISECOND;
	if (++p->n == (size_t)p->batch)
		commit(p);
}

static void say_lead(struct play *p, int agency, int family)
{
	char id[32], worker[16];

	(void)snprintf(id, sizeof(id), "f%07d-lead", family);
	(void)snprintf(worker, sizeof(worker), "w%04d", family % (WORKERS / 2) * 2 + agency);
	begin_event(p, 4);
	put_pair(&p->arena, "name", "A. Worker");
	put_pair(&p->arena, "phone", "925-555-0100");
	put_pair(&p->arena, "role", agency == LK_CWS ? "social_worker" : "ais_worker");
	put_pair(&p->arena, "worker", worker);
	end_event(p, agency, "worker.assigned", id, family);
}

static void say_opened(struct play *p, int agency, int family)
{
	char id[32];

	(void)snprintf(id, sizeof(id), "f%07d-open", family);
	begin_event(p, 1);
	put_pair(&p->arena, "status", agency == LK_CWS ? "ifs" : "active");
	end_event(p, agency, "case.opened", id, family);
}

static void say_family(struct play *p, int family)
{
	char id[32], other[16];

	say_opened(p, LK_CALWORKS, family);
	say_lead(p, LK_CALWORKS, family);
	say_opened(p, LK_CWS, family);
	say_lead(p, LK_CWS, family);
	(void)snprintf(id, sizeof(id), "f%07d-link", family);
	(void)snprintf(other, sizeof(other), "W%07d", family);
	begin_event(p, 1);
	lk_put_word(&p->arena, "other");
	lk_put_map(&p->arena, 2);
	put_pair(&p->arena, "agency", "calworks");
	put_pair(&p->arena, "case", other);
	end_event(p, LK_CWS, "link.confirmed", id, family);
	(void)snprintf(id, sizeof(id), "f%07d-consent", family);
	begin_event(p, 1);
	put_pair(&p->arena, "consent", "c1");
	end_event(p, LK_CWS, "consent.signed", id, family);
}

static void say_milestone(struct play *p, char series, int n, int family)
{
	static const char note[] =
		"Certificate of the second course was handed in at the district office; attendance was "
		"complete in all twelve weeks, and the next course begins then.";
	char id[32];

	(void)snprintf(id, sizeof(id), "%c-%07d", series, n);
	begin_event(p, 2);
	put_pair(&p->arena, "milestone", "training_completed");
	put_pair(&p->arena, "note", note);
	end_event(p, n % SOURCES, "milestone.reached", id, family);
}

/* ---- Playing --------------------------------------------------------------------------------- */

static int count_one(void *context, int64_t seq, const void *body, size_t len)
{
	struct play *p = context;
	(void)seq;
	(void)body;
	p->notices += len > 0;
	return 0;
}

static void hand_out(struct play *p)
{
	char worker[16];

	for (int i = 0; i < WORKERS; i++) {
		(void)snprintf(worker, sizeof(worker), "w%04d", i);
		while (p->handed[i] < p->told[i]) {
			int n = turn_mailbox(p->turn, lk_text_of(worker), p->handed[i], 64,
					     LK_NO_TEXT, p->now, count_one, p, &p->err);
			must(p, n);
			p->handed[i] += n;
		}
	}
}

static double cpu_us(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static void open_play(struct play *p, const struct policy *policy)
{
	const struct store_options options = { .directory = p->folder };

	must(p, store_open(&options, &p->store, &p->err));
	const struct turn_options turn = { .store = p->store,
					   .policy = policy,
					   .sources = sources,
					   .sources_n = SOURCES,
					   .sink = { .context = p, .told = told } };
	must(p, turn_create(&turn, &p->turn, &p->err));
	p->now = BEGUN_AT;
	p->time = LK_NO_INSTANT;
	for (int i = 0; i < p->families; i++)
		say_family(p, i);
	commit(p);
	memcpy(p->handed, p->told, sizeof(p->handed));
}

static void measure(struct play *p)
{
	double begun = cpu_us(), turned = 0, handed = 0;

	for (int n = 0; n < p->events;) {
		for (int i = 0; i < p->batch && n < p->events; i++, n++)
			say_milestone(p, 'm', n, n / SOURCES % p->families);
		commit(p);
		turned += cpu_us() - begun;
		begun = cpu_us();
		hand_out(p);
		handed += cpu_us() - begun;
		begun = cpu_us();
	}
	printf("turn events=%d families=%d batch=%d us_per_event turn=%.2f hand_out=%.2f\n",
	       p->events, p->families, p->batch, turned / p->events, handed / p->events);
}

/* Each lies somewhere else in the family's life: strewn by a number that has no divisor in common with theirs. */
static void measure_late(struct play *p)
{
	lk_instant first = p->now - (lk_instant)p->events * MILLISECOND, last = p->now;
	double begun = cpu_us();

	for (int n = 0; n < p->late;) {
		for (int i = 0; i < p->batch && n < p->late; i++, n++) {
			p->time = first + (last - first) / p->late * (n * 7919L % p->late);
			say_milestone(p, 'l', n, 0);
		}
		commit(p);
	}
	printf("late events=%d batch=%d us_per_event turn=%.2f\n", p->late, p->batch,
	       (cpu_us() - begun) / p->late);
}

int main(int argc, char **argv)
{
	static struct policy policy;
	static struct play p = { .events = 20000, .families = 1000, .batch = 1024 };
	int *const numbers[] = { &p.events, &p.families, &p.batch };

	for (int i = 1; i < argc && i <= 3; i++)
		*numbers[i - 1] = atoi(argv[i]);
	p.folder = argc > 4 && argv[4][0] != '\0' ? argv[4] : NULL;
	p.late = argc > 5 ? atoi(argv[5]) : 0;
	if (p.events < 1 || p.families < 1 || p.batch < 1 || p.batch > TURN_BATCH_MAX) {
		fputs("usage: bench_turn [EVENTS [FAMILIES [BATCH [FOLDER [LATE]]]]]\n", stderr);
		return 2;
	}
	must(&p, policy_load(NULL, &policy, &p.err));
	open_play(&p, &policy);
	measure(&p);
	if (p.notices != 2 * (int64_t)p.events) {
		fprintf(stderr, "bench_turn: %lld notices\n", (long long)p.notices);
		return 1;
	}
	if (p.late > 0)
		measure_late(&p);
	turn_destroy(p.turn);
	store_close(p.store);
	lk_bytes_free(&p.arena);
	return 0;
}
