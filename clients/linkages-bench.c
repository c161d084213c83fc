/* linkages-bench.c - how many events a second a real daemon bears, and how long a notice takes.
 *
 * In: how many events, over how many families. Out: one line with the figures. Promise: nothing of the work is left
 * out: two publishers with outboxes, CURVE over loopback, default policy, live consent, the ledger, receipts; every
 * event gives two notices, each is received once, and if not so the bench fails.
 *
 * Times are of the monotonic clock, in nanoseconds.
 */
#include "host.h"
#include "options.h"
#include "progress.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define WINDOW 1024
#define WORKERS 128 /* half of them on each side */
#define NOTICES_AN_EVENT 2
#define CHUNK 20000      /* families made ready at a time, so that memory stays flat */
#define STORE_MAX 200000 /* notices of the making ready that one store holds */
#define NOTE_BYTES 150   /* makes an event about 300 bytes */
#define ID_MAX 48
#define SECOND_NS INT64_C(1000000000)
#define STUCK_NS (60 * SECOND_NS)
#define ASK_MS 200

static struct settings {
	int events, families, paced;
	const char *state, *daemon;
	bool details, reload;
} settings = { .events = 200000, .families = 10000, .paced = -1 }; /* not paced: a flood */

static const struct option_row rows[] = {
	{ "events", 'n', OPTION_NUMBER, "N", &settings.events,
	  "how many events (default: 200000)" },
	{ "families", 'f', OPTION_NUMBER, "F", &settings.families,
	  "over how many families, each with an open case on both sides and a consent (default: 10000)" },
	{ "paced", 'p', OPTION_NUMBER, "R", &settings.paced,
	  "R events a second, and how long each notice takes; else as fast as it goes" },
	{ "reload", 'r', OPTION_FLAG, NULL, &settings.reload,
	  "with --paced: another policy after a tenth of the events, so that every family is derived again meanwhile" },
	{ "details", 'd', OPTION_FLAG, NULL, &settings.details,
	  "what was used, on standard error: processor time and bytes an event, memory" },
	{ "state", 0, OPTION_TEXT, "DIR", &settings.state,
	  "keep the daemon's folder here; one that is there already is used with its families\n"
	  "(give the same --families); default: a temporary one, removed" },
	{ "daemon", 0, OPTION_TEXT, "FILE", &settings.daemon,
	  "the linkagesd to start (default: the one beside this program)" },
};

static const struct tool tool = {
	"linkages-bench",
	"[--events N] [--families F] [--paced R]",
	"Measures a real daemon over loopback TCP with CURVE, default policy, consents and ledger on. F families are made\n"
	"ready first, which is not timed. Then two publishers, one an agency, each with at most 1,024 events on the way,\n"
	"publish N events milestone.reached of about 300 bytes; each gives two notices, one to the lead on each side, and\n"
	"one client receives those of all 128 leads and says so.\n"
	"\n"
	"Without --paced: seconds from the first publish to the last notice received. With it: milliseconds from the\n"
	"publisher's send to the client's receive, each notice. Outboxes and the client's store are in memory and are\n"
	"filled before the first publish; the daemon's store is on the disk that holds its folder ($TMPDIR or /tmp), and\n"
	"its checkpoints are part of what is measured.",
	rows,
	sizeof(rows) / sizeof(rows[0]),
	"Exit status: 0 measured; 2 could not, or a notice was missing or twice.\n",
};

struct agency {
	const char *source;
	struct lk_outbox *outbox;
	struct lk_publisher *publisher;
};

/* What was used, of processors and disk. */
struct cost {
	int64_t cpu_ns, own_ns, peak_bytes, log_bytes, state_bytes;
};

struct bench {
	struct host host;
	struct agency agency[lk_agency_count];
	struct lk_inbox_store *store;
	struct lk_inbox *inbox;
	char worker[WORKERS][16];
	const char *workers[WORKERS];
	char run[20];      /* sets this run's event ids apart from those of other runs */
	int64_t *sent_ns;  /* of each event; paced only */
	uint8_t *received; /* notices of each event */
	int64_t *took_ns;  /* of each notice; paced only */
	size_t took_n;
	int64_t spoken_n;     /* milestones of earlier runs, and so many more, always the same */
	int64_t received_n;   /* notices of events */
	int64_t strange;      /* notices of nothing that was published */
	int64_t now_ns;       /* when the notices at hand came in */
	struct lk_bytes wire; /* the event being made */
	struct cost begun, ended; /* with the stretch that is timed */
	struct lk_error err;
};

static int64_t now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * SECOND_NS + now.tv_nsec;
}

static lk_instant wall_clock(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (lk_instant)now.tv_sec * LK_SECOND + now.tv_nsec / 1000;
}

/* ---- Events: the members of data are put by the caller -------------------------------------- */

static void begin_event(struct bench *b, int agency, const char *type, const char *id, int family,
			lk_instant at, uint32_t members)
{
	struct lk_bytes *w = &b->wire;
	char subject[16];

	(void)snprintf(subject, sizeof(subject), "%c%07d", agency == LK_CWS ? 'C' : 'W', family);
	lk_bytes_clear(w);
	lk_put_map(w, 7);
	lk_member_word(w, "specversion", "1.0");
	lk_member_word(w, "id", id);
	lk_member_word(w, "source", b->agency[agency].source);
	lk_member_word(w, "type", type);
	lk_member_word(w, "subject", subject);
	lk_put_word(w, "time");
	lk_put_time(w, (struct lk_time){ at, 0 });
	lk_put_word(w, "data");
	lk_put_map(w, members);
}

static void put_pair(struct bench *b, const char *name, const char *value)
{
	lk_put_word(&b->wire, name);
	lk_put_word(&b->wire, value);
}

static int append(struct bench *b, int agency)
{
	struct lk_refused why;

	return lk_outbox_append(b->agency[agency].outbox, b->wire.at, b->wire.len, NULL, &why,
				&b->err);
}

static int append_opened(struct bench *b, int agency, int family, lk_instant at)
{
	char id[ID_MAX];

	(void)snprintf(id, sizeof(id), "f%07d-open", family);
	begin_event(b, agency, "case.opened", id, family, at, 1);
	put_pair(b, "status", agency == LK_CWS ? "ifs" : "active");
	return append(b, agency);
}

static int append_lead(struct bench *b, int agency, int family, lk_instant at)
{
	const char *worker = b->worker[family % (WORKERS / 2) * 2 + agency];
	char id[ID_MAX], name[32], phone[32];

	(void)snprintf(id, sizeof(id), "f%07d-lead", family);
	(void)snprintf(name, sizeof(name), "A. Worker %s", worker);
	(void)snprintf(phone, sizeof(phone), "925-555-%s", worker + 1);
	begin_event(b, agency, "worker.assigned", id, family, at, 4);
	put_pair(b, "role", agency == LK_CWS ? "social_worker" : "ais_worker");
	put_pair(b, "worker", worker);
	put_pair(b, "name", name);
	put_pair(b, "phone", phone);
	return append(b, agency);
}

static int append_link(struct bench *b, int family, lk_instant at)
{
	char id[ID_MAX], other[16];

	(void)snprintf(id, sizeof(id), "f%07d-link", family);
	(void)snprintf(other, sizeof(other), "W%07d", family);
	begin_event(b, LK_CWS, "link.confirmed", id, family, at, 1);
	lk_put_word(&b->wire, "other");
	lk_put_map(&b->wire, 2);
	put_pair(b, "agency", "calworks");
	put_pair(b, "case", other);
	return append(b, LK_CWS);
}

static int append_consent(struct bench *b, int family, lk_instant at)
{
	char id[ID_MAX], consent[ID_MAX];

	(void)snprintf(id, sizeof(id), "f%07d-consent", family);
	(void)snprintf(consent, sizeof(consent), "consent-%07d", family);
	begin_event(b, LK_CWS, "consent.signed", id, family, at, 1);
	put_pair(b, "consent", consent);
	return append(b, LK_CWS);
}

/* The nth event of the measurement: the agencies take turns, and so do the families, from where the last measurement of a
 * folder that is kept has ended. The agencies are half the county apart: where both spoke of one family at once, the slower
 * publisher's events would be late, and that is another measurement. */
static int append_milestone(struct bench *b, int n)
{
	static const char note[] =
		"Certificate of the second course was handed in at the district office; attendance was "
		"complete in all twelve weeks, and the next course begins in the autumn.";
	char id[ID_MAX];
	int agency = n % lk_agency_count;
	int64_t turn = (b->spoken_n + n) / lk_agency_count;
	int family = (int)((turn + agency * settings.families / 2) % settings.families);

	(void)snprintf(id, sizeof(id), "%s-%07d", b->run, n);
	begin_event(b, agency, "milestone.reached", id, family, wall_clock(), 2);
	put_pair(b, "milestone", "training_completed");
	lk_member_text(&b->wire, "note", (struct lk_text){ note, NOTE_BYTES });
	return append(b, agency);
}

/* ---- Publishers ----------------------------------------------------------------------------- */

static void hang_up(struct agency *a)
{
	lk_publisher_destroy(a->publisher);
	lk_outbox_close(a->outbox);
	a->publisher = NULL;
	a->outbox = NULL;
}

/* A new outbox each time: the one before is full of what the daemon has. */
static int dial(struct bench *b, struct agency *a)
{
	struct lk_publisher_options options = { 0 };
	int code;

	hang_up(a);
	code = host_peer(&b->host, a->source, b->host.intake, &options.peer, &b->err);
	if (code == 0)
		code = lk_outbox_open(NULL, a->source, &a->outbox, &b->err);
	options.outbox = a->outbox;
	if (code == 0)
		code = lk_publisher_create(&options, &a->publisher, &b->err);
	/* Nothing is in the outbox: it waits for the daemon's greeting. */
	if (code == 0)
		code = lk_publisher_wait(a->publisher, 60000, &b->err);
	if (code == 0)
		code = lk_fail(&b->err, LK_ENET, "the daemon does not greet %s", a->source);
	return code < 0 ? code : 0;
}

/* Events of it that are not acknowledged yet. */
static int64_t left(const struct agency *a)
{
	struct lk_outbox_state state;

	lk_outbox_state(a->outbox, &state);
	return state.last - state.acked;
}

static int64_t acknowledged(const struct bench *b)
{
	return settings.events - left(&b->agency[0]) - left(&b->agency[1]);
}

/* ---- Making ready --------------------------------------------------------------------------- */

/* Earlier than anything that the measurement says, later than any month's first visit is due. */
static int append_families(struct bench *b, int agency, int from, int until, lk_instant at)
{
	int code = lk_outbox_begin(b->agency[agency].outbox, &b->err);

	for (int family = from; family < until && code >= 0; family++) {
		code = append_opened(b, agency, family, at);
		if (code >= 0)
			code = append_lead(b, agency, family, at + LK_SECOND);
		if (code >= 0 && agency == LK_CWS)
			code = append_link(b, family, at + 2 * LK_SECOND);
		if (code >= 0 && agency == LK_CWS)
			code = append_consent(b, family, at + 3 * LK_SECOND);
	}
	return code < 0 ? code : lk_outbox_commit(b->agency[agency].outbox, &b->err);
}

/* CalWORKs first: then nothing is late, and no family is folded twice. */
static int make_families(struct bench *b)
{
	static const int order[] = { LK_CALWORKS, LK_CWS };
	lk_instant at = wall_clock() - LK_MINUTE;
	int code = 0;

	for (int from = 0; from < settings.families && code >= 0 && !tool_stopped; from += CHUNK) {
		int until = from + CHUNK < settings.families ? from + CHUNK : settings.families;
		progress_say("families made ready", from, settings.families);
		for (size_t i = 0; i < lk_agency_count && code >= 0; i++) {
			struct agency *a = &b->agency[order[i]];
			code = dial(b, a);
			if (code >= 0)
				code = append_families(b, order[i], from, until,
						       at + (lk_instant)i * 10 * LK_SECOND);
			if (code >= 0)
				code = lk_publisher_wait(a->publisher, -1, &b->err);
			hang_up(a);
		}
	}
	return code < 0 ? code : 0;
}

/* ---- The client ----------------------------------------------------------------------------- */

/* Beside a daemon's folder that is kept: how far its notices have been received, so that they come once. */
static FILE *places_open(const struct bench *b, const char *mode)
{
	char path[HOST_PATH + 16];

	(void)snprintf(path, sizeof(path), "%s/places", b->host.folder);
	return fopen(path, mode);
}

static int places_keep(struct bench *b)
{
	struct lk_inbox_place place;
	FILE *file = places_open(b, "w");
	bool failed = file == NULL;

	for (size_t i = 0; i < WORKERS && !failed; i++)
		if (lk_inbox_store_place(b->store, lk_text_of(b->worker[i]), &place, &b->err) > 0)
			failed = fprintf(file, "%s %s %lld\n", b->worker[i], place.mailbox,
					 (long long)place.last) < 0;
	if (file != NULL)
		failed |= fclose(file) != 0;
	return failed ? lk_fail(&b->err, LK_EFULL, "%s/places cannot be written", b->host.folder)
		      : 0;
}

static int places_read(struct bench *b, struct lk_inbox_store *store)
{
	char worker[16], mailbox[LK_DIGEST_HEX];
	FILE *file = places_open(b, "r");
	long long last;
	int code = 0;

	while (file != NULL && code >= 0 &&
	       fscanf(file, "%15s %32s %lld", worker, mailbox, &last) == 3)
		code = lk_inbox_store_mailbox(store, lk_text_of(worker), lk_text_of(mailbox), last,
					      &b->err);
	if (file != NULL)
		fclose(file);
	return code;
}

static int places_copy(struct bench *b, struct lk_inbox_store *store)
{
	struct lk_inbox_place place;
	int code = 0;

	for (size_t i = 0; i < WORKERS && code >= 0; i++) {
		struct lk_text worker = lk_text_of(b->worker[i]);
		code = lk_inbox_store_place(b->store, worker, &place, &b->err);
		if (code > 0)
			code = lk_inbox_store_mailbox(store, worker, lk_text_of(place.mailbox),
						      place.last, &b->err);
	}
	return code;
}

/* An empty store that stands where the one before stood: notices of the making ready are not kept. */
static int renew_store(struct bench *b)
{
	struct lk_inbox_store *store;
	int code = lk_inbox_store_open(NULL, &store, &b->err);

	if (code < 0)
		return code;
	code = lk_inbox_store_begin(store, &b->err);
	if (code >= 0)
		code = b->store != NULL ? places_copy(b, store) : places_read(b, store);
	if (code >= 0)
		code = lk_inbox_store_commit(store, &b->err);
	lk_inbox_store_close(b->store);
	b->store = store;
	return code;
}

static int follow(struct bench *b)
{
	struct lk_inbox_options options = { .client = "bench",
					    .workers = b->workers,
					    .workers_n = WORKERS };
	int code;

	lk_inbox_destroy(b->inbox);
	b->inbox = NULL;
	code = renew_store(b);
	options.store = b->store;
	if (code == 0)
		code = host_peer(&b->host, "workers", b->host.inbox, &options.peer, &b->err);
	return code < 0 ? code : lk_inbox_create(&options, &b->inbox, &b->err);
}

static int pass_over(void *context, const struct lk_received *received)
{
	(void)context;
	(void)received;
	return 0;
}

/* Receives what the making ready told, and forgets it. */
static int catch_up(struct bench *b)
{
	int64_t held = 0;
	int code = follow(b), taken;

	while (code >= 0 && !lk_inbox_caught_up(b->inbox) && !tool_stopped) {
		code = lk_inbox_wait(b->inbox, 1000, &b->err);
		taken = code < 0 ? 0 : lk_inbox_store_take(b->store, pass_over, NULL, &b->err);
		held += taken;
		if (taken < 0)
			code = taken;
		if (code >= 0 && held > STORE_MAX) {
			code = follow(b);
			held = 0;
		}
	}
	if (code >= 0)
		code = follow(b);
	while (code >= 0 && !lk_inbox_caught_up(b->inbox) && !tool_stopped)
		code = lk_inbox_wait(b->inbox, 1000, &b->err);
	return code < 0 ? code : places_keep(b);
}

/* An earlier run may have left another policy on its way through the families. */
static int await_derived(struct bench *b)
{
	int64_t behind;

	while ((behind = host_behind(&b->host, &b->err)) > 0 && !tool_stopped) {
		progress_say("families derived again",
			     behind < settings.families ? settings.families - behind : 0,
			     settings.families);
		(void)poll(NULL, 0, ASK_MS);
	}
	progress_end();
	return behind < 0 ? (int)behind : 0;
}

/* Which event a notice tells of: the number at the end of the id that it names; -1: none of this run. */
static int event_of(const struct bench *b, const struct lk_notice *notice)
{
	const struct lk_text event = notice->events_n > 0 ? notice->events[0] : LK_NO_TEXT;
	const size_t run = strlen(b->run), digits = 7;
	int n = 0;

	if (event.len < run + 1 + digits ||
	    memcmp(event.at + event.len - digits - 1 - run, b->run, run) != 0)
		return -1;
	for (size_t i = event.len - digits; i < event.len; i++)
		n = n * 10 + (event.at[i] - '0');
	return n >= 0 && n < settings.events ? n : -1;
}

static int note_received(void *context, const struct lk_received *received)
{
	struct bench *b = context;
	struct lk_notice notice;
	int n, code = lk_notice_decode(received->body.at, received->body.len, &notice, &b->err);

	if (code < 0)
		return code;
	n = event_of(b, &notice);
	if (n < 0 || notice.state != LK_NEW) {
		b->strange++;
		return 0;
	}
	b->received[n]++;
	b->received_n++;
	if (b->took_ns != NULL)
		b->took_ns[b->took_n++] = b->now_ns - b->sent_ns[n];
	return 0;
}

static int take_notices(struct bench *b)
{
	b->now_ns = now_ns();
	return lk_inbox_store_take(b->store, note_received, b, &b->err);
}

/* ---- One loop for all three ----------------------------------------------------------------- */

/* Waits until one of them has something to do, or until an instant. */
static void await_any(const struct bench *b, int64_t until)
{
	struct pollfd fds[] = { { .fd = lk_publisher_fd(b->agency[0].publisher), .events = POLLIN },
				{ .fd = lk_publisher_fd(b->agency[1].publisher), .events = POLLIN },
				{ .fd = lk_inbox_fd(b->inbox), .events = POLLIN } };
	int64_t wait = until - now_ns();
	struct timespec pause = { 0 };

	if (wait > 0)
		pause = (struct timespec){ wait / SECOND_NS, wait % SECOND_NS };
	(void)ppoll(fds, 3, &pause, NULL);
}

static int turn_all(struct bench *b)
{
	int code = 0;

	for (int i = 0; i < lk_agency_count && code >= 0; i++)
		code = lk_publisher_process(b->agency[i].publisher, &b->err);
	return code < 0 ? code : lk_inbox_process(b->inbox, &b->err);
}

static int stuck(struct bench *b)
{
	struct lk_session_state state;

	if (tool_stopped)
		return lk_fail(&b->err, LK_ESTATE, "interrupted");
	lk_inbox_state(b->inbox, &state);
	return lk_fail(&b->err, LK_ENET, "nothing moves for a minute %s", state.trouble);
}

/* ---- Flood ---------------------------------------------------------------------------------- */

static int append_all(struct bench *b)
{
	int code = 0;

	for (int i = 0; i < lk_agency_count && code >= 0; i++)
		code = lk_outbox_begin(b->agency[i].outbox, &b->err);
	for (int n = 0; n < settings.events && code >= 0; n++)
		code = append_milestone(b, n);
	for (int i = 0; i < lk_agency_count && code >= 0; i++)
		code = lk_outbox_commit(b->agency[i].outbox, &b->err);
	return code < 0 ? code : 0;
}

/* How many notices the store has, by the places that it has reached. */
static int64_t places_sum(struct bench *b)
{
	struct lk_inbox_place place;
	int64_t sum = 0;

	for (size_t i = 0; i < WORKERS; i++)
		if (lk_inbox_store_place(b->store, lk_text_of(b->worker[i]), &place, &b->err) > 0)
			sum += place.last;
	return sum;
}

static struct cost cost_now(const struct bench *b)
{
	struct host_usage usage = host_usage(&b->host);
	struct timespec own;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &own);
	return (struct cost){
		.cpu_ns = usage.cpu_ns,
		.own_ns = (int64_t)own.tv_sec * SECOND_NS + own.tv_nsec,
		.peak_bytes = usage.peak_bytes,
		.log_bytes = host_file_bytes(&b->host, "linkages.db"),
		.state_bytes = host_file_bytes(&b->host, "state.db"),
	};
}

/* Events acknowledged, and then notices, too: counting these costs the client time, and begins when the last event is. */
static int64_t reached(struct bench *b)
{
	int64_t events = acknowledged(b);

	return events < settings.events ? events : events + places_sum(b);
}

static int flood(struct bench *b, int64_t *took)
{
	int code = append_all(b);
	int64_t all = places_sum(b) + (1 + NOTICES_AN_EVENT) * (int64_t)settings.events;
	int64_t begun = now_ns(), moved = begun, before = 0, now;

	b->begun = cost_now(b);
	while (code >= 0) {
		code = turn_all(b);
		if ((now = reached(b)) >= all)
			break;
		if (now > before)
			moved = now_ns();
		before = now;
		progress_say("events acknowledged", acknowledged(b), settings.events);
		if (code >= 0)
			await_any(b, now_ns() + SECOND_NS);
		if (tool_stopped || now_ns() - moved > STUCK_NS)
			return stuck(b);
	}
	*took = now_ns() - begun;
	b->ended = cost_now(b);
	return code < 0 ? code : take_notices(b);
}

/* ---- Paced ---------------------------------------------------------------------------------- */

/* Says those events whose time has come. */
static int say_due(struct bench *b, int *n, int64_t begun)
{
	int64_t due = (now_ns() - begun) * settings.paced / SECOND_NS + 1;
	int code = 0;

	while (*n < settings.events && *n < due && code >= 0) {
		struct agency *a = &b->agency[*n % lk_agency_count];
		code = append_milestone(b, *n);
		b->sent_ns[(*n)++] = now_ns();
		if (code >= 0)
			code = lk_publisher_process(a->publisher, &b->err);
	}
	return code;
}

static int paced(struct bench *b, int64_t *took)
{
	const int64_t all = NOTICES_AN_EVENT * (int64_t)settings.events;
	int64_t begun = now_ns(), moved = begun;
	bool renew = settings.reload;
	int n = 0, code = 0;

	b->begun = cost_now(b);
	while (code >= 0 && b->received_n < all) {
		code = say_due(b, &n, begun);
		if (code >= 0 && renew && n >= settings.events / 10) {
			code = host_another_policy(&b->host, &b->err);
			renew = false;
		}
		if (code >= 0)
			code = turn_all(b);
		if (code >= 0)
			code = take_notices(b);
		if (code > 0)
			moved = now_ns();
		progress_say("notices received", b->received_n, all);
		if (tool_stopped || now_ns() - moved > STUCK_NS)
			return stuck(b);
		if (code >= 0 && b->received_n < all)
			await_any(b, n < settings.events ? begun + n * SECOND_NS / settings.paced
							 : now_ns() + SECOND_NS);
	}
	*took = now_ns() - begun;
	b->ended = cost_now(b);
	return code < 0 ? code : 0;
}

/* ---- The whole ------------------------------------------------------------------------------ */

static int by_length(const void *a, const void *b)
{
	const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static double quantile_ms(const struct bench *b, size_t per_mille)
{
	size_t at = (b->took_n - 1) * per_mille / 1000;

	return (double)b->took_ns[at] / 1e6;
}

static void tell(struct bench *b, int64_t took)
{
	double seconds = (double)took / 1e9;

	printf("linkagesd %s events=%d seconds=%.3f events_per_s=%.0f",
	       settings.paced > 0 ? "paced" : "flood", settings.events, seconds,
	       settings.events / seconds);
	if (settings.paced > 0) {
		qsort(b->took_ns, b->took_n, sizeof(*b->took_ns), by_length);
		printf(" p50_ms=%.3f p99_ms=%.3f max_ms=%.3f", quantile_ms(b, 500),
		       quantile_ms(b, 990), quantile_ms(b, 1000));
	}
	printf("\n");
}

static int check(struct bench *b)
{
	int wrong = 0;

	for (int n = 0; n < settings.events; n++)
		wrong += b->received[n] != NOTICES_AN_EVENT;
	if (wrong == 0)
		return 0;
	return lk_fail(&b->err, LK_ESTATE,
		       "%d events have not two notices each; %lld notices were of something else",
		       wrong, (long long)b->strange);
}

/* Processors: of the stretch that is timed; making the events before it and counting the notices after it by themselves.
 * Files: their sizes are those of a daemon that has ended: nothing waits in a log beside them. */
static void tell_cost(const struct bench *b, const struct cost *before)
{
	double n = settings.events;
	struct cost now = cost_now(b);
	int64_t own = b->ended.own_ns - b->begun.own_ns, all = now.own_ns - before->own_ns;

	fprintf(stderr,
		"cpu_us_per_event daemon=%.2f publishers_and_client=%.2f making_and_counting=%.2f; "
		"daemon peak_mib=%.1f; bytes_per_event linkages.db=%.0f state.db=%.0f\n",
		(double)(b->ended.cpu_ns - b->begun.cpu_ns) / n / 1e3, (double)own / n / 1e3,
		(double)(all - own) / n / 1e3, (double)b->ended.peak_bytes / 1048576,
		(double)(now.log_bytes - before->log_bytes) / n,
		(double)(now.state_bytes - before->state_bytes) / n);
}

/* How long another policy takes from the first publish on; memory at its height is that of all of it. */
static int tell_derived(struct bench *b, int64_t begun)
{
	int code = await_derived(b);

	b->ended.peak_bytes = cost_now(b).peak_bytes;
	if (code == 0 && settings.details)
		fprintf(stderr, "every family derived again within %.1f s\n",
			(double)(now_ns() - begun) / 1e9);
	return code;
}

static int measure(struct bench *b)
{
	struct cost before = cost_now(b);
	int64_t took = 0, begun = now_ns();
	int code;

	b->spoken_n = places_sum(b) / NOTICES_AN_EVENT;
	code = settings.paced > 0 ? paced(b, &took) : flood(b, &took);
	progress_end();
	if (code >= 0) {
		tell(b, took);
		code = check(b);
	}
	if (code >= 0 && settings.reload)
		code = tell_derived(b, begun);
	if (code >= 0)
		code = places_keep(b);
	if (code >= 0)
		code = host_stop(&b->host, &b->err);
	if (code >= 0 && settings.details)
		tell_cost(b, &before);
	return code;
}

/* A daemon that has just started: its files are whole, its caches empty. */
static int make_ready(struct bench *b)
{
	bool is_new = host_file_bytes(&b->host, "linkages.db") == 0;
	int64_t begun = now_ns();
	int code = host_start(&b->host, &b->err);

	if (code == 0 && is_new)
		code = make_families(b);
	if (code == 0)
		code = await_derived(b);
	if (code == 0)
		code = catch_up(b);
	if (code == 0)
		code = host_stop(&b->host, &b->err);
	progress_end();
	if (settings.details)
		fprintf(stderr, "made ready in %.1f s\n", (double)(now_ns() - begun) / 1e9);
	begun = now_ns();
	if (code == 0)
		code = host_start(&b->host, &b->err);
	if (settings.details)
		fprintf(stderr, "started in %.3f s\n", (double)(now_ns() - begun) / 1e9);
	if (code == 0)
		code = catch_up(b);
	for (int i = 0; i < lk_agency_count && code == 0; i++)
		code = dial(b, &b->agency[i]);
	return tool_stopped ? lk_fail(&b->err, LK_ESTATE, "interrupted") : code;
}

static int make_room(struct bench *b)
{
	size_t n = (size_t)settings.events;

	for (int i = 0; i < WORKERS; i++) {
		(void)snprintf(b->worker[i], sizeof(b->worker[i]), "w%04d", i);
		b->workers[i] = b->worker[i];
	}
	b->agency[LK_CWS].source = "cws-cms";
	b->agency[LK_CALWORKS].source = "calsaws";
	(void)snprintf(b->run, sizeof(b->run), "m%llx", (unsigned long long)wall_clock());
	b->received = calloc(n, sizeof(*b->received));
	if (settings.paced > 0) {
		b->sent_ns = calloc(n, sizeof(*b->sent_ns));
		b->took_ns = calloc(n * UINT8_MAX, sizeof(*b->took_ns));
	}
	if (b->received == NULL ||
	    (settings.paced > 0 && (b->sent_ns == NULL || b->took_ns == NULL)))
		return lk_fail(&b->err, LK_EMEMORY, "no memory for %d events", settings.events);
	return 0;
}

static void unmake(struct bench *b)
{
	for (int i = 0; i < lk_agency_count; i++)
		hang_up(&b->agency[i]);
	lk_inbox_destroy(b->inbox);
	lk_inbox_store_close(b->store);
	host_unmake(&b->host);
	lk_bytes_free(&b->wire);
	free(b->received);
	free(b->sent_ns);
	free(b->took_ns);
}

static int settings_check(int argc, char **argv, int first)
{
	if (first < argc)
		return options_complain(&tool, "'%s' is not an option; see --help", argv[first]);
	if (settings.events < 1 || settings.families < 1 || settings.events > 9999999 ||
	    settings.families > 9999999)
		return options_complain(&tool, "1 to 9999999 events and families; see --help");
	if (settings.paced == 0)
		return options_complain(
			&tool,
			"--paced wants 1 or more events a second; without it, as fast as it goes");
	if (settings.reload && settings.paced < 0)
		return options_complain(&tool, "--reload goes with --paced");
	return TOOL_OK;
}

int main(int argc, char **argv)
{
	static struct bench b;
	int first, code, status = options_parse(&tool, argc, argv, &first);

	if (status >= 0)
		return status;
	status = settings_check(argc, argv, first);
	if (status != TOOL_OK)
		return status;
	tool_await_stop();
	code = make_room(&b);
	if (code == 0)
		code = host_make(&b.host, settings.state, settings.daemon, WINDOW, &b.err);
	if (code == 0)
		code = make_ready(&b);
	if (code == 0)
		code = measure(&b);
	progress_end();
	if (code < 0)
		(void)options_complain(&tool, "%s", b.err.text);
	unmake(&b);
	return code < 0 ? TOOL_FAILED : TOOL_OK;
}
