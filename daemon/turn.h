/* turn.h - the spine: a batch of admitted inputs, one transaction, answers after COMMIT.
 *
 * In: events, answers, receipts, the passing of time, another policy. Out: rows; and, after a commit only, what the
 * sink is told. Promise: all of a batch is committed or none is; running it twice changes nothing.
 * One thread, but for turn_start_reader(); no call may be made from inside a sink function except those marked so.
 */
#ifndef LINKAGES_TURN_H
#define LINKAGES_TURN_H

#include "engine/policy.h"
#include "store/store.h"
#include <linkages/wire.h>

struct turn;

/* A telling, as it is counted. */
struct turn_made {
	int kind, level, state; /* lk_notice_kind, lk_level, lk_notice_state */
};

/* Told after COMMIT, never before. */
struct turn_sink {
	void *context;
	/* A mailbox has grown up to and including seq; read it with turn_mailbox(). May be called once for several notices. */
	void (*told)(void *context, struct lk_text worker, int64_t seq);
	/* May be NULL: every notice as told, in the order of its making over all mailboxes. For the simulator. */
	void (*each)(void *context, const void *body, size_t len);
	/* A person has acknowledged a notice. */
	void (*answered)(void *context, struct lk_text worker, const uint8_t notice[LK_DIGEST], struct lk_text by, lk_instant at);
	/* The next instant at which turn_pass() has something to do; LK_NO_INSTANT: none. */
	void (*wake)(void *context, lk_instant at);
	/* May be NULL: one notice was told. */
	void (*made)(void *context, const struct turn_made *made);
	/* May be NULL: what turn_mailbox() showed again of a level, and how many it withheld (level -1). */
	void (*handed)(void *context, int level, int64_t n);
};

struct turn_source {
	char name[65];
	int agency; /* lk_agency */
	bool watched; /* its silence is told of */
};

struct turn_options {
	struct store *store;          /* borrowed */
	const struct policy *policy;  /* borrowed until turn_policy() or turn_destroy() */
	const struct turn_source *sources;
	size_t sources_n;             /* copied */
	int64_t replay_window_us;     /* an outbox may forget what is older, and was scrubbed; 0: never for that */
	struct turn_sink sink;
};

int turn_create(const struct turn_options *options, struct turn **out, struct lk_error *err) LK_MUST_CHECK;
void turn_destroy(struct turn *turn); /* NULL-safe */
/* Once: from now on events of a large batch are read, and notices encoded for their hand-out, by a thread of the turn's own,
 * beside whoever calls; what comes of it is the same. LK_EMEMORY: there is none, and the turn goes on without. */
int turn_start_reader(struct turn *t, struct lk_error *err) LK_MUST_CHECK;
/* The configured agency of a source, or -1. Usable as lk_agency_of with the turn as context. */
int turn_agency_of(void *turn, struct lk_text source);

/* ---- Events ------------------------------------------------------------------------------------------------------ */

struct turn_event {
	const void *bytes; /* one event in MessagePack, as it came; borrowed until turn_events() returns */
	size_t len;
	struct lk_text source;   /* the source its sender may speak for and named; another in the event is `forbidden` */
	bool has_outbox_seq;     /* false on the feed lane */
	uint8_t epoch[LK_DIGEST];
	int64_t seq;
	int64_t number; /* the `sequence` that it came with, where its source numbers densely: turn_numbered(); 0: none */
};

enum turn_outcome { TURN_APPLIED, TURN_REPEATED, TURN_REFUSED };

struct turn_verdict {
	enum turn_outcome outcome;
	struct lk_refused refused; /* valid where TURN_REFUSED */
};

/* One batch, one transaction. 0: committed; verdicts[i] tells what became of events[i] (a refused event is a stored
 * dead letter). Negative: nothing was kept, verdicts are void, err says why; LK_ESYNC means stop for good.
 * For each (source, epoch) the seqs of a batch must be dense and start at the stream's `next`; seqs below are
 * answered from the log. `now` never runs backwards from one call to the next; turn_events() moves it up if it does. */
#define TURN_BATCH_MAX 2048
int turn_events(struct turn *t, lk_instant now, const struct turn_event *events, size_t n,
		struct turn_verdict *verdicts, struct lk_error *err) LK_MUST_CHECK;

/* What a publisher's hello is answered with. `refused` is visited for every dead letter in (acked, out->wanted). */
int turn_subscribe(struct turn *t, struct lk_text source, const uint8_t epoch[LK_DIGEST], int64_t first, int64_t last,
		   int64_t acked, struct stored_stream *out, dead_letter_visitor *refused, void *context,
		   struct lk_error *err) LK_MUST_CHECK;
/* How far an outbox may forget, by now: 1 and *safe, or 0: never seen. */
int turn_safe(struct turn *t, struct lk_text source, const uint8_t epoch[LK_DIGEST], int64_t *safe,
	      struct lk_error *err) LK_MUST_CHECK;
/* Grows when age alone has let an outbox forget more, in an idle bite. */
int64_t turn_let_go(const struct turn *t);
/* The highest `sequence` that a source has come to: among its latest events up to `most`, or as turn_numbered() was told.
 * 1 and *out, or 0: none is known. */
int turn_sequence(struct turn *t, struct lk_text source, int64_t most, int64_t *out,
		  struct lk_error *err) LK_MUST_CHECK;
/* A source that numbers densely has come to this number, whatever became of the event. Written with a commit that is made
 * anyway; an event's own number with the event. */
void turn_numbered(struct turn *t, struct lk_text source, int64_t number);
/* A heartbeat or an event of a source was heard. Cheap; written with a commit, at most once a second. */
void turn_heard(struct turn *t, struct lk_text source, lk_instant now);

/* Whether a source's silence is told of from now on. */
void turn_watch(struct turn *t, struct lk_text source, bool watched);

/* The i-th source, in the order of turn_options; false: there are not so many. */
struct turn_hearing {
	const char *name;
	bool watched, silent;
	lk_instant heard_at; /* LK_NO_INSTANT: not yet */
};
bool turn_hearing(const struct turn *t, size_t i, struct turn_hearing *out);

/* ---- Time and policy --------------------------------------------------------------------------------------------- */

/* Everything that falls due by `now`, each at its own instant, in one transaction; at most TURN_FAMILIES_MAX a call, of families
 * and of events that waited.
 * 1: more is due, call again after looking at the sockets; 0: done; negative: as above. After a damage nothing is due until
 * outboxes have sent again what they were asked for, or half a minute nothing of it. */
#define TURN_FAMILIES_MAX 256
int turn_pass(struct turn *t, lk_instant now, struct lk_error *err) LK_MUST_CHECK;
/* From now on a call takes on so many families, 1 to TURN_FAMILIES_MAX: whoever calls knows how long others may wait. */
void turn_pass_at_most(struct turn *t, int families);
/* The last instant that the store knows of; LK_NO_INSTANT: none. */
lk_instant turn_now(const struct turn *t);
/* Outboxes are asked for what a damage has taken out of the log: no family is folded, and nothing falls due, until they have said
 * it, or for a while. */
bool turn_awaits(const struct turn *t);
/* Families that are derived under another policy than the one in force, as turn_pass() counted them last while it derives them
 * again; TURN_UNCOUNTED: some, or it has not looked yet. */
#define TURN_UNCOUNTED (-1)
int64_t turn_behind(const struct turn *t);
/* The next instant at which turn_pass() has something to do. */
lk_instant turn_next_wake(const struct turn *t);
/* From now on this policy. Families are re-derived by the following turn_pass() calls. On failure the one before stays, and
 * this one is not borrowed. */
int turn_policy(struct turn *t, const struct policy *policy, struct lk_error *err) LK_MUST_CHECK;

/* One bite of what can wait: a checkpoint, some families into state.db, or a look at some rows. TURN_FILLED: there is more, and the
 * bite was as many families as it may take; 1: there is more; 0: idle; negative. */
#define TURN_FILLED 2
#define TURN_FILL_FIRST 16
#define TURN_FILL_MAX 64
int turn_idle(struct turn *t, struct lk_error *err) LK_MUST_CHECK;
/* From now on such a bite is so many families, 1 to TURN_FILL_MAX; TURN_FILL_FIRST until then. */
void turn_fill_at_most(struct turn *t, int families);
/* What cannot wait until there is quiet: a checkpoint of a log that is too long. 0 or negative. */
int turn_relieve(struct turn *t, struct lk_error *err) LK_MUST_CHECK;

/* A commit and a read of what was committed: whether the store answers. Negative where it refuses, as ever. */
int turn_touch(struct turn *t, lk_instant now, struct lk_error *err) LK_MUST_CHECK;

/* ---- Making the projections anew ---------------------------------------------------------------------------------- */

/* Every family folded anew from the log and held against its row, and its rows in state.db against those made of it.
 * What differs is replaced. A few families a step: 1: there are more; 0: done. Not within a transaction. */
struct turn_rebuilding;
struct turn_rebuilt {
	int64_t families;
	int64_t folds;   /* whose row was not what the log says */
	int64_t rows;    /* whose rows in state.db were not, though they were not waiting to be filled */
	int64_t orphans; /* in state.db, of no family, likewise */
};
/* Both, LK_ESTATE: the log is not whole, outboxes are still asked for the rest. */
int turn_rebuild(struct turn *t, struct turn_rebuilding **out, struct lk_error *err) LK_MUST_CHECK;
int turn_rebuild_step(struct turn_rebuilding *rebuilding, struct lk_error *err) LK_MUST_CHECK;
void turn_rebuild_told(const struct turn_rebuilding *rebuilding, struct turn_rebuilt *out);
void turn_rebuild_end(struct turn_rebuilding *rebuilding); /* NULL-safe */

/* ---- Expunging a family, on order --------------------------------------------------------------------------------- */

/* From here on nothing that names a case of the family is taken in, whatever becomes of the rest. A case that was expunged
 * before is expunged again: what a crash may have left of it is overwritten. LK_ENOTFOUND: no such case; LK_ESTATE: a case of it
 * is under a legal hold, or the log is not whole, and those who stay would be folded from it; LK_EREFUSED: the words of the order
 * name a case, and would stay. One at a time. */
struct turn_expunging;
int turn_expunge(struct turn *t, struct case_key key, struct lk_text order, struct turn_expunging **out,
		 struct lk_error *err) LK_MUST_CHECK;
/* 1: there is more to do; 0: done, on disk, and overwritten where it stood. The same order at each step: what its row in
 * the ledger begins with. Not within a transaction. */
int turn_expunge_step(struct turn_expunging *expunging, const struct ledger_row *order, struct lk_error *err) LK_MUST_CHECK;
void turn_expunge_count(const struct turn_expunging *expunging, int64_t *done, int64_t *of);
void turn_expunge_told(const struct turn_expunging *expunging, struct stored_struck *out, size_t *cases);
void turn_expunge_end(struct turn_expunging *expunging); /* NULL-safe */

/* ---- Workers ----------------------------------------------------------------------------------------------------- */

/* As store_mailbox_get(). */
int turn_mailbox_get(struct turn *t, struct lk_text worker, struct stored_mailbox *out, struct lk_error *err) LK_MUST_CHECK;
/* Up to `limit` notices after `after`, as they may be shown now: the decision function is asked for each, a row that
 * may not be shown is reduced, the ledger row of a catch-up is committed before the first visit.
 * `session` is absent where the rows have just been told live. Returns the number visited, or negative. */
typedef int turn_notice_visitor(void *context, int64_t seq, const void *body, size_t len);
int turn_mailbox(struct turn *t, struct lk_text worker, int64_t after, int limit, struct lk_text session, lk_instant now,
		 turn_notice_visitor *visit, void *context, struct lk_error *err) LK_MUST_CHECK;
/* After a damage that took events outboxes are asked again: until they have sent them, turn_mailbox() stops before a notice of a
 * family that has to be folded first. */
bool turn_lacks_events(const struct turn *t);
struct turn_receipt {
	struct lk_text worker;
	int64_t upto; /* stored by a client up to here */
};
/* One transaction for all. */
int turn_receipts(struct turn *t, const struct turn_receipt *receipts, size_t n, struct lk_error *err) LK_MUST_CHECK;
/* A person answered. 1: stored; 0: was answered before (the sink tells both times, with the first answer's instant);
 * LK_ENOTFOUND: not this worker's notice, or not any more, and nothing waits for the answer. */
int turn_answer(struct turn *t, struct lk_text worker, const uint8_t notice[LK_DIGEST], lk_instant now,
		struct lk_error *err) LK_MUST_CHECK;

/* Notices that were told, still hold, and that nobody has answered. */
int64_t turn_unanswered(const struct turn *t);

/* ---- Questions (control lane) -------------------------------------------------------------------------------------- */

/* Each answers with one MessagePack map, and changes nothing. Content of cases: for auditors, whose purpose the asking
 * lane has written to the ledger. LK_ENOTFOUND where there is no such case, notice or event. */

/* The folded state of a case's family, what stands, and what comes next if nothing else happens. */
int turn_family(struct turn *t, struct case_key key, lk_instant now, struct lk_bytes *out, struct lk_error *err) LK_MUST_CHECK;
/* A notice, by its id or the first digits of it: its rule, its place, its events, the policy's values that counted, what
 * disclosure rests on, then and now, and its history. LK_ESTATE: several begin so. LK_EREFUSED: no hex digits. */
int turn_why(struct turn *t, struct lk_text notice, lk_instant now, struct lk_bytes *out, struct lk_error *err) LK_MUST_CHECK;
/* Each rule that an event came near, and what held it back from a worker. */
int turn_why_not(struct turn *t, struct lk_text source, struct lk_text id, struct lk_text worker, lk_instant now,
		 struct lk_bytes *out, struct lk_error *err) LK_MUST_CHECK;
/* The coordinated plan of a case's family in four columns, as far as a worker may see. LK_ENOTFOUND also where the worker
 * has no case of the family. */
int turn_plan(struct turn *t, struct case_key key, struct lk_text worker, lk_instant now, struct lk_bytes *out,
	      struct lk_error *err) LK_MUST_CHECK;

#endif
