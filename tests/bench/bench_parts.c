/* bench_parts.c - what each step of an event costs by itself.
 *
 * In: nothing. Out: a line a part: processor time, the median of seven rounds. Promise: each part does what it does in
 * the turn, on an event of about 300 bytes and on families of 20 and of 500 events.
 */
#include "engine/compare.h"
#include "engine/fold.h"
#include "policy.h"
#include "store/store.h"

#include <linkages/wire.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ROUNDS 7
#define BEGUN_AT (INT64_C(20514) * 24 * LK_HOUR) /* 2026-03-02 */
#define LONG_LIFE 500

static struct policy policy;
static struct lk_error err;

/* Events of one family: opened twice, assigned twice, linked, signed, then milestones of both sides. */
struct life {
	struct lk_bytes wire[LONG_LIFE];
	int n;
};

static void must(int rc)
{
	if (rc >= 0)
		return;
	fprintf(stderr, "bench_parts: %s\n", err.text);
	exit(2);
}

static int agency_of(void *context, struct lk_text source)
{
	(void)context;
	return lk_text_says(source, "cws-cms") ? LK_CWS : LK_CALWORKS;
}

/* `data` is JSON. */
static void say(struct life *l, int agency, const char *type, const char *data)
{
	struct lk_refused why;
	char json[700], at[LK_TIME_TEXT];

	lk_time_print((struct lk_time){ BEGUN_AT + l->n * LK_SECOND, 0 }, at);
	int len = snprintf(
		json, sizeof(json),
		"{\"specversion\":\"1.0\",\"id\":\"e-%07d\",\"source\":\"%s\",\"type\":\"%s\","
		"\"subject\":\"%s\",\"time\":\"%s\",\"data\":%s}",
		l->n, agency == LK_CWS ? "cws-cms" : "calsaws", type,
		agency == LK_CWS ? "C0000001" : "W0000001", at, data);
	must(lk_json_to_wire(json, (size_t)len, &l->wire[l->n++], &why));
}

static void live(struct life *l, int n)
{
	static const char milestone[] =
		"{\"milestone\":\"training_completed\",\"note\":\"Certificate of the second course was handed "
		"in at the district office; attendance was complete in all twelve weeks, and the next "
		"course begins then.\"}";

	l->n = 0;
	say(l, LK_CALWORKS, "case.opened", "{\"status\":\"active\"}");
	say(l, LK_CALWORKS, "worker.assigned", "{\"role\":\"ais_worker\",\"worker\":\"jones\"}");
	say(l, LK_CWS, "case.opened", "{\"status\":\"ifs\"}");
	say(l, LK_CWS, "worker.assigned", "{\"role\":\"social_worker\",\"worker\":\"garcia\"}");
	say(l, LK_CWS, "link.confirmed",
	    "{\"other\":{\"agency\":\"calworks\",\"case\":\"W0000001\"}}");
	say(l, LK_CWS, "consent.signed", "{\"consent\":\"c1\"}");
	while (l->n < n)
		say(l, l->n % lk_agency_count, "milestone.reached", milestone);
}

static void decode(const struct lk_bytes *wire, struct lk_event *event)
{
	struct lk_refused why;

	must(lk_event_decode(wire->at, wire->len, agency_of, NULL, event, &why));
}

static void fold_one(struct family *f, const struct lk_bytes *wire, int place)
{
	static struct lk_event event;

	decode(wire, &event);
	struct fold_key key = { .at = event.time.at,
				.time_at = event.time.at,
				.source = event.source,
				.sequence = INT64_MAX,
				.place = place,
				.id = event.id };
	fold_event(f, &policy, &event, &key);
}

static void fold_life(struct family *f, const struct life *l)
{
	family_free(f);
	for (int i = 0; i < l->n; i++)
		fold_one(f, &l->wire[i], i);
}

/* ---- Parts: each does its work `times` over -------------------------------------------------- */

static struct life short_life, long_life;
static struct family short_family, long_family;
static struct tolds short_told, long_told;
static struct lk_bytes room;

static void part_decode(int times)
{
	static struct lk_event event;
	for (int i = 0; i < times; i++)
		decode(&short_life.wire[10], &event);
}

static void part_canonical(int times)
{
	uint8_t digest[LK_DIGEST];
	for (int i = 0; i < times; i++) {
		lk_bytes_clear(&room);
		must(lk_wire_canonical(short_life.wire[10].at, short_life.wire[10].len, &room));
		lk_digest(room.at, room.len, NULL, digest);
	}
}

static void part_refold(int times)
{
	for (int i = 0; i < times; i++)
		fold_life(&long_family, &long_life);
}

static void settle(const struct family *f, struct tolds *told, bool thrifty)
{
	static const struct surroundings nothing;
	struct derivation d = { .f = f,
				.p = &policy,
				.s = &nothing,
				.told = told,
				.now = BEGUN_AT + LK_HOUR,
				.wake = LK_NO_INSTANT,
				.thrifty = thrifty };
	struct outcome out = { 0 };
	derive(&d);
	compare(told, &d, SCOPE_STATE, &out);
	outcome_free(&out);
	derivation_free(&d);
}

static void part_settle_still(int times)
{
	for (int i = 0; i < times; i++)
		settle(&short_family, &short_told, true);
}

static void part_settle_short(int times)
{
	for (int i = 0; i < times; i++)
		settle(&short_family, &short_told, false);
}

static void part_settle_long(int times)
{
	for (int i = 0; i < times; i++)
		settle(&long_family, &long_told, false);
}

static void pack(const struct family *f, const struct tolds *told)
{
	struct family again;
	struct tolds told_again = { 0 };
	lk_bytes_clear(&room);
	family_pack(f, &room);
	must(family_unpack(room.at, room.len, &again, &err));
	family_free(&again);
	lk_bytes_clear(&room);
	tolds_pack(told, &room);
	must(tolds_unpack(room.at, room.len, &told_again, &err));
	tolds_free(&told_again);
}

static void part_pack(int times)
{
	for (int i = 0; i < times; i++)
		pack(&short_family, &short_told);
}

static struct store *in_memory(void)
{
	const struct store_options options = { .directory = NULL };
	struct store *store;

	must(store_open(&options, &store, &err));
	return store;
}

/* In memory, as new ids each time. */
static void store_events(struct store *store, struct lk_text number, int times)
{
	static int64_t n;
	const struct lk_bytes *wire = &short_life.wire[10];
	char id[32];

	must(store_begin(store, &err));
	for (int i = 0; i < times; i++) {
		struct stored_event row = { .agency = LK_CWS,
					    .source = LK_TEXT("cws-cms"),
					    .number = number,
					    .type = LK_MILESTONE_REACHED,
					    .time_at = BEGUN_AT,
					    .received_at = BEGUN_AT,
					    .has_outbox_seq = true,
					    .outbox_seq = ++n,
					    .body = wire->at,
					    .body_len = wire->len };
		(void)snprintf(id, sizeof(id), "s-%07lld", (long long)n);
		row.id = lk_text_of(id);
		must(store_event_add(store, &row, &row.position, &err));
	}
	must(store_commit(store, &err));
}

static void part_store_event(int times)
{
	static struct store *store;

	if (store == NULL)
		store = in_memory();
	store_events(store, LK_TEXT("C0000001"), times); /* a transaction */
}

static int see_event(void *context, const struct stored_event *event)
{
	*(size_t *)context += event->body_len;
	return 0;
}

static void part_read_events(int times)
{
	static const struct case_key key = { LK_CWS, { "C0000002", 8 } };
	static struct store *store;
	size_t bytes = 0;

	if (store == NULL) {
		store = in_memory();
		store_events(store, key.number, LONG_LIFE);
	}
	for (int i = 0; i < times; i++)
		must(store_case_events(store, key, see_event, &bytes, &err));
}

static const struct part {
	const char *name;
	void (*run)(int times);
	int times;
} parts[] = {
	{ "decode an event", part_decode, 20000 },
	{ "canonical form and digest", part_canonical, 20000 },
	{ "fold 500 events anew", part_refold, 20 },
	{ "derive and compare, nothing changed, 20 events", part_settle_still, 20000 },
	{ "derive and compare whole, 20 events", part_settle_short, 1000 },
	{ "derive and compare whole, 500 events", part_settle_long, 5 },
	{ "pack and unpack a row, 20 events", part_pack, 5000 },
	{ "store an event", part_store_event, 1000 },
	{ "read a case of 500 events from the log", part_read_events, 20 },
};

static double cpu_us(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static int by_size(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void measure(const struct part *part)
{
	double took[ROUNDS];

	for (int i = 0; i < ROUNDS; i++) {
		double begun = cpu_us();
		part->run(part->times);
		took[i] = (cpu_us() - begun) / part->times;
	}
	qsort(took, ROUNDS, sizeof(took[0]), by_size);
	printf("%-48s %10.2f us\n", part->name, took[ROUNDS / 2]);
}

int main(void)
{
	must(policy_load(NULL, &policy, &err));
	live(&short_life, 20);
	live(&long_life, LONG_LIFE);
	family_init(&short_family);
	family_init(&long_family);
	fold_life(&short_family, &short_life);
	fold_life(&long_family, &long_life);
	settle(&short_family, &short_told, true);
	settle(&long_family, &long_told, true);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		measure(&parts[i]);
	return 0;
}
