/* store.h - everything that must outlive the process, behind one narrow door. Only this folder sees sqlite3.h.
 *
 * linkages.db holds the event log (the truth), packed family rows, mailboxes, dead letters and the disclosure ledger;
 * state.db, the shared state store, holds plain tables that are filled from family rows in idle bites and can be
 * rebuilt at any time. Settings as protocol.md, "SQLite".
 *
 * Calls between store_begin() and store_commit() are one transaction. Every call returns 0 (or a count) or a negative
 * enum lk_fault with err filled; after any failure the caller rolls back and nothing of the batch is kept.
 * Rows handed to a visitor are borrowed until it returns; a visitor that returns non-zero stops the walk, and the
 * walk returns that number. Visitors may not write to the store.
 * One thread, but for the checkpoints (struct store_options, beside), store_event_pack(), store_ahead_read() and store_encode_some(). Ids are never bare rowids: callers speak of sources, cases, workers and families by their names.
 */
#ifndef LINKAGES_STORE_H
#define LINKAGES_STORE_H

#include <linkages/event.h>
#include <linkages/notice.h>
#include <linkages/wire.h>

struct store;

struct store_options {
	const char *directory; /* of linkages.db and state.db; NULL: both in memory, for the simulator and tests */
	bool read_only;
	/* So many bytes of the write-ahead log are written ahead: commits that overwrite are synced faster than those that
	 * append, for no metadata is written. 0: the log grows as it is needed. */
	int64_t log_room;
	/* Checkpoints of linkages.db are made by a thread of the store's own beside whoever calls, who serves others meanwhile.
	 * Else they are made in store_idle(), store_relieve() and, where a log is full, store_commit(). */
	bool beside;
	int lag; /* by how many rows lists that are filled behind lack what they list; 0: as many as is best */
	const char *file; /* NULL, or a copy of linkages.db by any name: opened alone, to be read, as for read_only */
};

/* Opens, creates (synchronous=EXTRA while doing so), migrates, or rebuilds a store that was marked as suspect
 * (store_rebuild_found()); that takes as long as it takes to write the database anew. Refuses by name: a newer file, a foreign file, a
 * damaged one, one that another process holds. */
int store_open(const struct store_options *options, struct store **out, struct lk_error *err) LK_MUST_CHECK;
/* Of a start that failed with rc and err: the same, or, where damage was met that the next start rebuilds where it can, LK_ESYNC
 * and words that say so. store_open() asks it of its own. */
int store_outlook(const struct store *store, int rc, struct lk_error *err) LK_MUST_CHECK; /* NULL-safe */
void store_close(struct store *store); /* NULL-safe; checkpoints */

int store_begin(struct store *store, struct lk_error *err) LK_MUST_CHECK;
/* Within a transaction: what waits in memory goes into its tables, but for families. The commit does it, too: this is for whoever
 * has something to wait for meanwhile. */
int store_let_in(struct store *store, struct lk_error *err) LK_MUST_CHECK;
/* 0 means: on disk, synced. LK_ESYNC: the store is suspect, stop acknowledging and exit (protocol.md, "SQLite"). */
int store_commit(struct store *store, struct lk_error *err) LK_MUST_CHECK;
void store_rollback(struct store *store);
/* One bite (at most about 10 ms) of checkpointing. 1: there is more to do; 0: idle. Not within a transaction. */
int store_idle(struct store *store, struct lk_error *err) LK_MUST_CHECK;
/* True: state.db is damaged, and store_idle() will make it anew; after the first time it waits before it does, up to 17 minutes.
 * Until then nothing is to be filled in. The thread that has the store. */
bool store_state_waits(const struct store *s);
/* A checkpoint where the write-ahead log has become so long that it cannot wait for quiet. Not within a transaction. */
int store_relieve(struct store *store, struct lk_error *err) LK_MUST_CHECK;
/* Families' own rows follow what was committed of them: held.c. One bite, in a transaction of its own; the store does it
 * by itself when many wait, or when it is closed. 1: there is more; 0: nothing of a family is anywhere but in its row. */
int store_write_back(struct store *store, struct lk_error *err) LK_MUST_CHECK;

/* A case named by its agency's number. */
struct case_key {
	int agency; /* lk_agency */
	struct lk_text number;
};
static inline bool case_is(struct case_key a, struct case_key b)
{
	return a.agency == b.agency && lk_text_is(a.number, b.number);
}

/* ---- The event log ----------------------------------------------------------------------------------------------- */

struct stored_event {
	int64_t position; /* of arrival, from 1; given by the store */
	int agency;
	struct lk_text source, id, number; /* number: the case */
	struct lk_text supersedes;         /* absent, or an id of the same source */
	int type;                          /* lk_event_type, or -1: notice.answered */
	lk_instant time_at, received_at;
	bool has_sequence;
	int64_t sequence;
	bool has_outbox_seq;   /* came over intake (or a file): its place in the source's outbox */
	int64_t outbox_seq;
	uint8_t epoch[LK_DIGEST]; /* valid where has_outbox_seq */
	bool ahead;            /* its time had not come when it was stored, and it has not been folded yet */
	const void *body;      /* canonical MessagePack */
	size_t body_len;
	const struct stored_packed *packed; /* of store_event_pack(), borrowed; NULL: to be packed when it is added */
};
/* What of an event's row follows from the event alone. Zeroed before it is filled first. */
struct stored_packed {
	struct lk_bytes body; /* lk_bytes_free() */
	int64_t sum;
};
typedef int stored_event_visitor(void *context, const struct stored_event *event);

/* 1 and visit, or 0 where no such event is known. */
int store_event_find(struct store *s, struct lk_text source, struct lk_text id, stored_event_visitor *visit,
		     void *context, struct lk_error *err) LK_MUST_CHECK;
/* 1 and *position; or 0: an event of that source and id is known, and nothing is written. */
int store_event_add(struct store *s, const struct stored_event *event, int64_t *position,
		    struct lk_error *err) LK_MUST_CHECK;
/* Beforehand, and by any thread while the store is open: no row is looked at, and nothing of the store changes. LK_EMEMORY. */
int store_event_pack(const struct store *s, const struct stored_event *event, struct stored_packed *out,
		     struct lk_error *err) LK_MUST_CHECK;
/* Reading ahead, where the store has a directory and checkpoints beside: otherwise nothing of it does anything. So many slots
 * for what is read of the families of cases. LK_EMEMORY, LK_ESTORE. */
int store_ahead_open(struct store *s, size_t slots, struct lk_error *err) LK_MUST_CHECK;
void store_ahead_close(struct store *s);
/* In another thread, one at a time, while the store is within one transaction; into a slot that is not in use. */
void store_ahead_read(struct store *s, size_t slot, struct case_key key);
/* In the same transaction: what the slot holds is used instead of reading it, until the next is used or store_ahead_leave(). */
void store_ahead_use(struct store *s, size_t slot);
void store_ahead_leave(struct store *s);
/* The family's row will be asked for when the slot is left: it is taken into memory, if the slot in use holds it; else nothing is
 * done. 0; LK_EMEMORY, LK_ESTORE. */
int store_ahead_keep(struct store *s, const uint8_t id[LK_DIGEST], struct lk_error *err) LK_MUST_CHECK;
/* How many families have been read from their rows since the store was opened. */
uint64_t store_family_reads(const struct store *s);
/* Whether it is worth while to keep as many as possible in memory; else each is asked for once in a long while. */
bool store_families_come_back(const struct store *s);
/* A known event came again over intake: remember its place in the outbox if it had none. */
int store_event_place(struct store *s, int64_t position, const uint8_t epoch[LK_DIGEST], int64_t seq,
		      struct lk_error *err) LK_MUST_CHECK;
/* All events of one case, in order of arrival. A row whose sum is wrong stops the walk with LK_ESTORE. */
int store_case_events(struct store *s, struct case_key key, stored_event_visitor *visit, void *context,
		      struct lk_error *err) LK_MUST_CHECK;
/* Events kept for later whose time has come by `now`, earliest first, at most `limit`. LK_ESTORE where there are only such as
 * cannot be read. */
int store_events_ahead(struct store *s, lk_instant now, int limit, stored_event_visitor *visit, void *context,
		       struct lk_error *err) LK_MUST_CHECK;
/* LK_ESTORE where it was not kept for later, or is not there. */
int store_event_arrived(struct store *s, int64_t position, struct lk_error *err) LK_MUST_CHECK;
/* The earliest time of an event kept for later; LK_NO_INSTANT where there is none. */
int store_next_ahead(struct store *s, lk_instant *at, struct lk_error *err) LK_MUST_CHECK;
/* 1 if any known event of the source names id in `supersedes`, else 0. */
int store_is_superseded(struct store *s, struct lk_text source, struct lk_text id, struct lk_error *err) LK_MUST_CHECK;

struct dead_letter {
	int64_t number; /* given by the store, from 1 */
	struct lk_text source; /* may be absent: the feed lane's first frame, or the publisher's name for the lane */
	bool has_seq;
	int64_t seq;
	uint8_t epoch[LK_DIGEST];
	lk_instant received_at;
	enum lk_refusal reason;
	struct lk_text field, detail;
	int64_t position; /* of the event that was submitted in its place; 0: none was. Not for adding */
	uint8_t digest[LK_DIGEST]; /* of the canonical form, or of the bytes where they have none; given when added */
	const void *body; /* as it came; what is kept of it is cut at 64 KiB */
	size_t body_len;
};
typedef int dead_letter_visitor(void *context, const struct dead_letter *letter);
int store_dead_letter_add(struct store *s, const struct dead_letter *letter, struct lk_error *err) LK_MUST_CHECK;
int store_dead_letters(struct store *s, int64_t after, int limit, dead_letter_visitor *visit, void *context,
		       struct lk_error *err) LK_MUST_CHECK;

/* What it should have said is in the log, at that position. */
int store_dead_letter_settled(struct store *s, int64_t number, int64_t position, struct lk_error *err) LK_MUST_CHECK;

/* ---- Streams: how far each outbox has come ----------------------------------------------------------------------- */

struct stored_stream {
	struct lk_text source;
	uint8_t epoch[LK_DIGEST];
	int64_t next; /* lowest seq not yet stored, from 1 */
	int64_t safe; /* the publisher may forget up to here */
	int64_t known; /* highest seq that a verdict is kept of: next or more while the outbox is asked again */
	int64_t asked; /* how far it had come before a rebuild asked it again for what it may still have; 0: never */
	int64_t missing; /* not stored: how many seqs turn_subscribe() has just found lost */
	int64_t wanted;  /* not stored: from where it wants the outbox to send, at most `next` */
	bool shows_old;  /* not stored: turn_subscribe() has just learnt by it that the store is an older copy */
};
/* 1 and *out (whose source is the caller's), or 0: not seen before. */
int store_stream_get(struct store *s, struct lk_text source, const uint8_t epoch[LK_DIGEST], struct stored_stream *out,
		     struct lk_error *err) LK_MUST_CHECK;
/* Every outbox that ever came, with `next`, `safe` and `asked`, as committed. A visitor that returns other than 0 ends it. */
typedef int stream_visitor(void *context, const struct stored_stream *stream);
int store_streams(struct store *s, stream_visitor *visit, void *context, struct lk_error *err) LK_MUST_CHECK;
/* How far an outbox that has been here was acknowledged, by its own word, where that lies behind `next`; 0: it never said so;
 * STORE_LAG_ANY: it has not said anything since the store was renewed, and may well have been told of more than is here. */
#define STORE_LAG_ANY INT64_MAX
int store_lag_get(struct store *s, const struct stored_stream *stream, int64_t *acked, struct lk_error *err) LK_MUST_CHECK;
/* In a transaction of its own: keeps that, also of an outbox that has not been here; `renews`: and is renewed, as by
 * store_renew(). */
int store_lag_put(struct store *s, const struct stored_stream *stream, int64_t acked, bool renews,
		  struct lk_error *err) LK_MUST_CHECK;
/* 1: some outbox that was asked again has not sent all of it yet, as committed; 0. */
int store_streams_asked(struct store *s, struct lk_error *err) LK_MUST_CHECK;
int store_stream_put(struct store *s, const struct stored_stream *stream, struct lk_error *err) LK_MUST_CHECK;
/* The outbox has forgotten first..upto, which we do not have: a gap that nobody can fill. */
int store_gap_add(struct store *s, struct lk_text source, const uint8_t epoch[LK_DIGEST], int64_t first, int64_t upto,
		  lk_instant noticed_at, struct lk_error *err) LK_MUST_CHECK;
/* What became of one seq: 1 and *digest (a dead letter's as it was given) and, where it was
 * refused, *refused with its reason; 0: not known. */
struct stream_verdict {
	uint8_t digest[LK_DIGEST];
	bool was_refused;
	struct lk_refused refused;
};
int store_stream_verdict(struct store *s, struct lk_text source, const uint8_t epoch[LK_DIGEST], int64_t seq,
			 struct stream_verdict *out, struct lk_error *err) LK_MUST_CHECK;
/* Dead letters of one stream with after < seq < before, by seq. */
int store_stream_refusals(struct store *s, struct lk_text source, const uint8_t epoch[LK_DIGEST], int64_t after,
			  int64_t before, dead_letter_visitor *visit, void *context, struct lk_error *err) LK_MUST_CHECK;
/* When a source was last heard of, for silence: kept across restarts. */
int store_heard_put(struct store *s, struct lk_text source, lk_instant at, struct lk_error *err) LK_MUST_CHECK;
int store_heard_get(struct store *s, struct lk_text source, lk_instant *at, struct lk_error *err) LK_MUST_CHECK;
/* The number that a source has come to, of an event that may not be in the log. */
int store_sequence_put(struct store *s, struct lk_text source, int64_t number, struct lk_error *err) LK_MUST_CHECK;
/* The highest `sequence` up to `most` among a source's events at the end of the log, or what was put: 1 and *out, 0: neither. */
int store_sequence_last(struct store *s, struct lk_text source, int64_t most, int64_t *out,
			struct lk_error *err) LK_MUST_CHECK;
/* What time it is, within a transaction; and what it was at the last put: 1 and *now, 0: never put. Events that came after
 * that in the log are visited, and say when they did. */
typedef void event_came_visitor(void *context, struct lk_text source, lk_instant received_at);
int store_now_put(struct store *s, lk_instant now, struct lk_error *err) LK_MUST_CHECK;
int store_now_get(struct store *s, lk_instant *now, event_came_visitor *visit, void *context,
		  struct lk_error *err) LK_MUST_CHECK;

/* ---- Families ---------------------------------------------------------------------------------------------------- */

struct stored_family {
	uint8_t id[LK_DIGEST];
	lk_instant wake_at;           /* LK_NO_INSTANT: nothing to come */
	uint8_t policy[LK_DIGEST];    /* revision it was derived under */
	const void *state;            /* packed by the engine; a cache of the log */
	size_t state_len;
	const void *told;             /* packed by the engine; what was issued: a truth of its own */
	size_t told_len;
};
typedef int stored_family_visitor(void *context, const struct stored_family *family);
/* 1 and visit, or 0. */
int store_family_get(struct store *s, const uint8_t id[LK_DIGEST], stored_family_visitor *visit, void *context,
		     struct lk_error *err) LK_MUST_CHECK;
int store_family_put(struct store *s, const struct stored_family *family, struct lk_error *err) LK_MUST_CHECK;
/* A family's next row on its way into this transaction. Several threads may make some, each of other families, as long as the
 * store is asked for nothing of families meanwhile. */
struct stored_draft {
	struct stored_family is, will; /* as it is in this transaction; will.state and will.told are to be made */
	void *held;                   /* the store's own */
	bool is_whole;                /* goes into the family's row at once: what differs is of no use */
	uint8_t *bytes;               /* of both halves, one behind the other; NULL: none, or put */
	const struct lk_bytes *deltas;
	size_t delta_at, delta_len;
};
/* In any thread, of will's id, wake_at and policy: true; false where the family is not in memory, and for store_family_put(). */
bool store_draft_begin(const struct store *s, const struct stored_family *will, struct stored_draft *out);
/* In any thread: copies `row`, whose first state_len bytes are the state. What differs goes behind `deltas`, which no other thread
 * writes to, and which stays until the transaction ends. What fails for want of memory fails when it is put. */
void store_draft_make(struct stored_draft *draft, const struct lk_bytes *row, size_t state_len,
		      struct lk_bytes *deltas);
/* As store_family_put(), of one draft after the other, and of nothing else of families before the last. will.state and will.told
 * are valid until the family is put again. */
int store_draft_put(struct store *s, struct stored_draft *draft, struct lk_error *err) LK_MUST_CHECK;
void store_draft_drop(struct stored_draft *draft); /* one that was put, too */
int store_family_drop(struct store *s, const uint8_t id[LK_DIGEST], struct lk_error *err) LK_MUST_CHECK;
/* The family a case belongs to: 1 and id, or 0. */
int store_case_family(struct store *s, struct case_key key, uint8_t id[LK_DIGEST], struct lk_error *err) LK_MUST_CHECK;
int store_case_join(struct store *s, struct case_key key, const uint8_t id[LK_DIGEST], struct lk_error *err) LK_MUST_CHECK;
typedef int case_visitor(void *context, struct case_key key);
int store_family_cases(struct store *s, const uint8_t id[LK_DIGEST], case_visitor *visit, void *context,
		       struct lk_error *err) LK_MUST_CHECK;
/* Ids of families with wake_at <= now, earliest first; of families derived under another policy. At most `limit`. */
typedef int family_id_visitor(void *context, const uint8_t id[LK_DIGEST], lk_instant wake_at);
int store_families_due(struct store *s, lk_instant now, int limit, family_id_visitor *visit, void *context,
		       struct lk_error *err) LK_MUST_CHECK;
int store_families_behind(struct store *s, const uint8_t policy[LK_DIGEST], int limit, family_id_visitor *visit,
			  void *context, struct lk_error *err) LK_MUST_CHECK;
int store_next_wake(struct store *s, lk_instant *at, struct lk_error *err) LK_MUST_CHECK;
/* Families whose rows in state.db are older than they are, longest waiting first; wake_at says nothing here. */
int store_dirty_families(struct store *s, int limit, family_id_visitor *visit, void *context,
			 struct lk_error *err) LK_MUST_CHECK;

/* What holds of a pair now: linked since then, or LINK_REFUSED, a person's no. For finding who belongs together. */
#define LINK_REFUSED INT64_MAX
int store_link_put(struct store *s, struct case_key a, struct case_key b, lk_instant since, struct lk_error *err) LK_MUST_CHECK;
int store_link_drop(struct store *s, struct case_key a, struct case_key b, struct lk_error *err) LK_MUST_CHECK;
/* 1 and *since: what holds of this pair; 0: nothing was said of it. */
int store_link_between(struct store *s, struct case_key a, struct case_key b, lk_instant *since,
		       struct lk_error *err) LK_MUST_CHECK;
int store_links_of(struct store *s, struct case_key key,
		   int (*visit)(void *context, struct case_key other, lk_instant since), void *context,
		   struct lk_error *err) LK_MUST_CHECK;

/* Tokens of identity by case (protocol.md): replaces all that the case had. */
struct stored_token {
	int kind; /* lk_key_kind */
	uint8_t token[LK_DIGEST];
	lk_instant since;
};
int store_tokens_put(struct store *s, struct case_key key, const struct stored_token *tokens, size_t n,
		     struct lk_error *err) LK_MUST_CHECK;
/* 1 if the case has any token, else 0: then nothing looks like it. */
int store_has_tokens(struct store *s, struct case_key key, struct lk_error *err) LK_MUST_CHECK;
/* Other cases that carry an equal token: once for each kind and case; since: both have carried it. */
typedef int lookalike_visitor(void *context, struct case_key other, int kind, lk_instant since);
int store_lookalikes(struct store *s, struct case_key key, lookalike_visitor *visit, void *context,
		     struct lk_error *err) LK_MUST_CHECK;

/* Workers' calendars across families: one row for each required worker of a meeting that is on the calendar. */
struct calendar_entry {
	struct lk_text worker, meeting, place; /* place may be absent */
	lk_instant start, end, scheduled_at;
	int agency; /* that said it */
	int kind;   /* lk_meeting_kind */
};
int store_calendar_put(struct store *s, const uint8_t family[LK_DIGEST], const struct calendar_entry *entries, size_t n,
		       struct lk_error *err) LK_MUST_CHECK;
typedef int calendar_visitor(void *context, const uint8_t family[LK_DIGEST], const struct calendar_entry *entry);
/* Entries of a worker that end after `from`, by start. */
int store_calendar_of(struct store *s, struct lk_text worker, lk_instant from, calendar_visitor *visit, void *context,
		      struct lk_error *err) LK_MUST_CHECK;
/* Other families with an entry that ends after `from`, of a worker of one of this family's entries. */
int store_calendar_shared(struct store *s, const uint8_t family[LK_DIGEST], lk_instant from,
			  int (*visit)(void *context, const uint8_t other[LK_DIGEST]), void *context,
			  struct lk_error *err) LK_MUST_CHECK;

/* ---- state.db ---------------------------------------------------------------------------------------------------- */

/* Replaces the family's rows in state.db, clears its mark, and moves the position that state.db stands at. family is
 * unpacked by the caller; NULL: there is no such family any more. Within a transaction that changes no family: state.db
 * is committed a moment earlier, and may say only what linkages.db has committed. LK_ESTATE otherwise. */
struct family;
int store_project(struct store *s, const uint8_t id[LK_DIGEST], const struct family *family,
		  struct lk_error *err) LK_MUST_CHECK;
/* What a family's row does not say: each goes behind the last one, after store_project() in the same transaction. */
struct history_line {
	lk_instant at, known_at;
	uint32_t case_line;  /* which of the projected family's cases it is of */
	int type;            /* lk_event_type */
	const char *code;    /* a word of ours; NULL: none */
	char ref[65];        /* empty: none */
	lk_date on;          /* LK_NO_DATE: none */
};
int store_project_history(struct store *s, const uint8_t id[LK_DIGEST], int64_t number, const struct history_line *line,
			  struct lk_error *err) LK_MUST_CHECK;
struct told_line {
	int kind, level, side; /* lk_notice_kind, lk_level, lk_agency or -1 */
	struct lk_text own, other;   /* numbers of its cases; absent: none */
	int64_t own_line, other_line; /* which of the projected family's cases they are; -1: none of them */
	bool is_standing;
	lk_instant told_at; /* LK_NO_INSTANT: when the family's line before was */
	lk_instant answered_at;
};
int store_project_told(struct store *s, const uint8_t id[LK_DIGEST], int64_t number, const struct told_line *line,
		       struct lk_error *err) LK_MUST_CHECK;
/* Of all its rows in state.db, in the order of their tables and lines. */
int store_project_digest(struct store *s, const uint8_t id[LK_DIGEST], uint8_t out[LK_DIGEST],
			 struct lk_error *err) LK_MUST_CHECK;
/* 1: its rows wait to be filled in; 0: they are what it was. */
int store_is_dirty(struct store *s, const uint8_t id[LK_DIGEST], struct lk_error *err) LK_MUST_CHECK;
/* Ids of families, of linkages.db and of state.db, in their order, after `after` (NULL: from the first). */
int store_families_after(struct store *s, const uint8_t *after, int limit, family_id_visitor *visit, void *context,
			 struct lk_error *err) LK_MUST_CHECK;
int store_projected_after(struct store *s, const uint8_t *after, int limit, family_id_visitor *visit, void *context,
			  struct lk_error *err) LK_MUST_CHECK;
/* Empties state.db and marks every family, to have it filled again. Within a transaction, as above. */
int store_project_reset(struct store *s, struct lk_error *err) LK_MUST_CHECK;

/* ---- Mailboxes --------------------------------------------------------------------------------------------------- */

struct stored_mailbox {
	uint8_t id[LK_DIGEST]; /* the store's own; new after a restore or rebuild */
	int64_t first;         /* oldest seq kept */
	int64_t next;          /* next to be given */
	int64_t received;      /* highest seq a client has stored */
};
/* Every worker has one. Its row is made with its first notice; until then it is empty and has its id already, which follows
 * from the worker's name: so whoever comes to read writes nothing. */
int store_mailbox_get(struct store *s, struct lk_text worker, struct stored_mailbox *out, struct lk_error *err) LK_MUST_CHECK;

/* A telling, as told, with what the decision function needs to ask again at every hand-out. */
struct stored_notice {
	struct lk_text worker;
	int64_t seq; /* given by the store: dense per worker, from 1 */
	uint8_t id[LK_DIGEST];
	int64_t rev;
	int kind, state, level, topic; /* lk_notice_kind, lk_notice_state, lk_level, lk_topic or -1 */
	int rule_class;                /* STANDING or MOMENT, engine/policy.h */
	bool is_first;                 /* adding only: nothing of that id was ever told, so nobody has answered it */
	int64_t own_ref;               /* reading only: of that case in the store, where it is known without a look; else 0 */
	struct case_key own;           /* the recipient's side's case; number absent where there is none */
	struct case_key other;         /* the case the facts are from; number absent where none crossed */
	lk_instant cause_at;           /* of what it tells */
	lk_instant told_at;
	struct lk_text basis;          /* adding only: what its disclosure rests on; absent where nothing of the other side is in it */
	const struct lk_notice *said;  /* the notice itself; without `answered`. Its kind, state, rev, level and `to` are those above */
	struct lk_span encoded;        /* reading only: lk_notice_encode(said), where that was made ahead; then said has only id, rev,
					* to, kind, state and events. Else absent */
	struct lk_text answered_by;    /* absent, or who acknowledged the notice (worker id), and when */
	lk_instant answered_at;
};
typedef int stored_notice_visitor(void *context, const struct stored_notice *notice);
/* With a basis, its row of the ledger is written with it. */
int store_notice_add(struct store *s, const struct stored_notice *notice, int64_t *seq, struct lk_error *err) LK_MUST_CHECK;
/* Where a notice was encoded ahead, the visitor is given that. */
int store_notices_after(struct store *s, struct lk_text worker, int64_t after, int limit, stored_notice_visitor *visit,
			void *context, struct lk_error *err) LK_MUST_CHECK;
#define LINE 64 /* bytes that come from memory at once */
/* They are about to be read: the processor fetches them meanwhile. */
static inline void lines_expect(const void *at, size_t len)
{
	for (size_t i = 0; i < len; i += LINE)
		__builtin_prefetch((const char *)at + i);
}
/* A hand-out comes to the next places of the mailbox soon: what it will read of their notices, as long as they are kept in memory,
 * the processor fetches meanwhile. Returns how many families of theirs are known, each as often as a notice is its. */
#define STORE_EXPECTED 16
uint32_t store_notices_expect(struct store *s, struct lk_text worker, int64_t after,
			      uint8_t families[STORE_EXPECTED][LK_DIGEST]);
/* From now on notices that are told wait to be encoded by a thread beside the store's own. LK_EMEMORY. */
int store_encoding_begin(struct store *s, struct lk_error *err) LK_MUST_CHECK;
/* These two are that thread's: whether some wait; a bite of them. */
bool store_encoding_waits(const struct store *s);
void store_encode_some(struct store *s);
void store_encoding_end(struct store *s); /* when that thread is gone; not within a transaction */
/* The family of its own case, as store_case_family(). */
int store_notice_family(struct store *s, const struct stored_notice *notice, uint8_t id[LK_DIGEST],
			struct lk_error *err) LK_MUST_CHECK;
/* The telling at one place: 1 and visit, or 0. */
int store_notice_at(struct store *s, struct lk_text worker, int64_t seq, stored_notice_visitor *visit, void *context,
		    struct lk_error *err) LK_MUST_CHECK;
/* The latest telling of a notice in that worker's mailbox: 1 and visit, or 0. Costs the more the longer ago it was, about
 * two microseconds for a hundred notices. */
int store_notice_find(struct store *s, struct lk_text worker, const uint8_t id[LK_DIGEST], stored_notice_visitor *visit,
		      void *context, struct lk_error *err) LK_MUST_CHECK;
/* The next two are for people: they go through what is known of the ids in all mailboxes. */
/* Every telling of it, first to last. */
int store_notice_history(struct store *s, const uint8_t id[LK_DIGEST], stored_notice_visitor *visit,
			 void *context, struct lk_error *err) LK_MUST_CHECK;
/* Where it has left that mailbox by its age and nobody had answered it: 1 and visit, with worker, id and cases alone; or 0. */
int store_notice_aged(struct store *s, struct lk_text worker, const uint8_t id[LK_DIGEST], stored_notice_visitor *visit,
		      void *context, struct lk_error *err) LK_MUST_CHECK;
/* The notice whose id begins with these 1 to 32 lower-case hex digits: 1 and id; 0 where there is none; LK_ESTATE where
 * there are several; LK_EREFUSED where they are no such digits. */
int store_notice_named(struct store *s, struct lk_text prefix, uint8_t id[LK_DIGEST],
		       struct lk_error *err) LK_MUST_CHECK;
/* Notices told in a family that came apart since: any of the parts may tell them again, and goes on from the last rev.
 * 1 and *rev, or 0; put keeps the higher one. */
int store_apart_get(struct store *s, const uint8_t id[LK_DIGEST], int64_t *rev, struct lk_error *err) LK_MUST_CHECK;
int store_apart_put(struct store *s, const uint8_t id[LK_DIGEST], int64_t rev, struct lk_error *err) LK_MUST_CHECK;
int store_receipt(struct store *s, struct lk_text worker, int64_t upto, struct lk_error *err) LK_MUST_CHECK;
/* A notice that was withdrawn is told again: it waits for an answer of its own. */
int store_answer_forget(struct store *s, const uint8_t id[LK_DIGEST], struct lk_error *err) LK_MUST_CHECK;
int store_answer(struct store *s, const uint8_t id[LK_DIGEST], struct lk_text by, lk_instant at, struct lk_error *err) LK_MUST_CHECK;

/* ---- Disclosure ledger: append-only, each row chained to the one before by digest -------------------------------- */

struct ledger_row {
	int64_t number;         /* given by the store, from 1, without a gap */
	lk_instant at;
	struct lk_text worker;  /* or the auditor's client name; absent: the row was expunged, and tells its number only */
	struct lk_text session; /* absent: when the notice was made */
	int64_t from, upto;     /* seq in the worker's mailbox; 0 where it was not a notice */
	int level;              /* lk_level */
	struct lk_text basis;   /* 'WIC 18961.5', 'consent SOURCE/ID', 'purpose: …' */
};
/* What the ledger says of one place in a worker's mailbox: when it was made, and each hand-out after a pause. */
typedef int ledger_visitor(void *context, const struct ledger_row *row);
int store_ledger_of(struct store *s, struct lk_text worker, int64_t seq, ledger_visitor *visit, void *context,
		    struct lk_error *err) LK_MUST_CHECK;
int store_ledger_add(struct store *s, const struct ledger_row *row, struct lk_error *err) LK_MUST_CHECK;
/* Up to `limit` rows after that number, in order. */
int store_ledger_after(struct store *s, int64_t after, int limit, ledger_visitor *visit, void *context,
		       struct lk_error *err) LK_MUST_CHECK;

/* Makes rows say nothing any more, on order, and adds a row that tells of it: its basis begins with the words given, and
 * goes on to count and digest what was taken. `numbers` ascend, and are written over. *gone: how many of them had said
 * something. */
int store_ledger_expunge(struct store *s, const struct ledger_row *telling, int64_t *numbers, size_t n, int64_t *gone,
			 struct lk_error *err) LK_MUST_CHECK;

/* How far the ledger goes, and the chain there: all that is needed, kept elsewhere, to find a ledger that was rewritten
 * or cut. The store keeps one in the file linkages.mark; the daemon tells it to the journal. */
struct ledger_head {
	int64_t number; /* 0: the ledger is empty */
	uint8_t chain[LK_DIGEST];
};
void store_ledger_head(const struct store *s, struct ledger_head *out);

/* A check of the chain, in as many steps as one likes: zeroes, but for `known` and `known_n`, to begin with. */
struct ledger_check {
	const struct ledger_head *known; /* heads from outside the database; borrowed */
	size_t known_n;
	struct ledger_head at;           /* sound up to here */
	int64_t upto;                    /* the last row there was at the first step */
	int64_t expunged;                /* rows among them that say nothing any more */
	int64_t broken;                  /* the first row that is seen not to be as it was written, to be put in, or missing; 0: none */
	char why[160];                   /* of that, in a sentence */
};
/* Looks at up to `limit` more rows. 1: there are more; 0: done, or broken; negative: could not be read. */
int store_ledger_check(struct store *s, struct ledger_check *check, int limit, struct lk_error *err) LK_MUST_CHECK;

/* What the file linkages.mark said when the store was opened, beside what the database says. Written after every commit
 * that moved it, synced with checkpoints: after a power cut it may be behind the database, never ahead of it. */
struct store_mark {
	enum store_mark_state {
		MARK_NONE,     /* a store in memory, opened to be read, or of a version that had no mark */
		MARK_HOLDS,    /* the database is where the mark is, or a little further */
		MARK_UNREAD,   /* the file is damaged: it says nothing */
		MARK_BEHIND,   /* the database is behind its mark: it has lost rows that were committed, or is an old copy */
		MARK_REWRITTEN /* the ledger at the mark's place is another */
	} state;
	int64_t position; /* of the log: stored_event.position of the last event */
	struct ledger_head head;
	int64_t change; /* how many commits have changed a family */
	int64_t values; /* and how many the table value */
};
void store_mark_found(const struct store *s, struct store_mark *out);

/* ---- Whether what is kept is what was written ---------------------------------------------------------------------- */

/* Every row that carries a sum is read and compared, in as many steps as one likes: zeroes to begin with, but for the
 * visitor. Rows that come meanwhile are looked at too. */
struct store_check {
	/* A row that is not what was written, in a sentence without content; may be NULL. */
	void (*damaged)(void *context, const char *what);
	void *context;
	int64_t done, of; /* places looked at, of so many: for people */
	int64_t rows;     /* looked at */
	int64_t damages;
	bool is_torn;     /* some of them are pages, not rows: what lay behind them is not known */
	int part;         /* where it is */
	int64_t at;
};
/* Looks at up to `limit` rows. 1: there are more; 0: done; negative: could not be read at all. */
int store_check(struct store *s, struct store_check *check, int limit, struct lk_error *err) LK_MUST_CHECK;
/* A bite of the same, without end: what the store does when it has nothing else to do. A damaged row puts it in doubt
 * (LK_ESYNC). After each whole pass outboxes may forget what was looked at and came in longer than window_us ago; 0: they
 * may not. Its place outlives the process, about; the last pass that ended is the value STORE_SCRUBBED_AT, an instant. */
#define STORE_SCRUBBED_AT "scrub.ended"
/* What was found so puts the store in doubt: it is made anew at the next start, and nothing is committed before that. */
void store_distrust(struct store *s, const char *what);
int store_scrub(struct store *s, lk_instant now, int64_t window_us, struct lk_error *err) LK_MUST_CHECK;
/* Grows when it has let an outbox forget: whoever remembers how far each may is to ask again. */
int64_t store_let_go(const struct store *s);
/* SQLite's own look at every page and index, in one go: not for a store that somebody waits for. 0, or LK_ESTORE with its
 * first complaint. `tick` is called now and then; may be NULL. */
int store_integrity(struct store *s, void (*tick)(void *context), void *context, struct lk_error *err) LK_MUST_CHECK;

/* What store_open() had to do before the store could be used: nothing (why is ""), or a rebuild after a failed sync, after
 * damage, or because the database was behind its mark. Then publishers are asked again for what their outboxes may still
 * have, and mailboxes have new names. */
struct store_rebuild {
	char why[160];   /* 'sync: …' or 'damage: …' */
	char kept[32];   /* name of the file that the old database was kept as; "": it was as good as the new one */
	int64_t damages; /* rows that were not what was written: set aside, and named by store_damages() */
	int64_t known;   /* after this number */
};
void store_rebuild_found(const struct store *s, struct store_rebuild *out);
struct stored_damage {
	int64_t number; /* from 1 */
	struct lk_text what; /* by table and place */
	lk_instant noticed_at;
};
typedef int damage_visitor(void *context, const struct stored_damage *damage);
int store_damages(struct store *s, int64_t after, int limit, damage_visitor *visit, void *context,
		  struct lk_error *err) LK_MUST_CHECK;

/* ---- Copies -------------------------------------------------------------------------------------------------------- */

/* A copy of linkages.db is made beside it, page by page; what is written meanwhile goes into both. When the last page is
 * there, it is the state of that instant, synced and complete in one file, and is listed as a backup. */
struct store_backup;
struct stored_backup {
	int64_t number; /* from 1 */
	lk_instant made_at;
	int64_t position; /* last event of the log in it */
	struct ledger_head head; /* number alone, where it comes from the list */
	struct lk_text place;   /* where the tool put it; absent: never verified */
	lk_instant verified_at; /* LK_NO_INSTANT: never */
};
/* One at a time. A copy that was left over is removed. */
int store_backup_begin(struct store *s, struct store_backup **out, struct lk_error *err) LK_MUST_CHECK;
/* One bite of about 10 ms. 1: there is more; 0: all pages are there. Not within a transaction. */
int store_backup_step(struct store_backup *backup, struct lk_error *err) LK_MUST_CHECK;
void store_backup_count(const struct store_backup *backup, int64_t *done, int64_t *of); /* pages */
/* After the last step, and before anything else is written: the file is `backup.db` in the store's directory now. */
int store_backup_finish(struct store_backup *backup, lk_instant now, struct stored_backup *out,
			struct lk_error *err) LK_MUST_CHECK;
void store_backup_end(struct store_backup *backup); /* NULL-safe; a copy that is not finished is removed */
/* The copy was moved to `place` and proved sound: what is in it may be forgotten by the outboxes. The file beside the
 * store is removed, unless it is of a newer one. LK_ENOTFOUND: there is no such backup. Begins and commits a transaction. */
int store_backup_verified(struct store *s, int64_t number, struct lk_text place, lk_instant at,
			  struct lk_error *err) LK_MUST_CHECK;
/* It is kept nowhere any more, and a copy of it that nobody has come for is removed. Begins and commits a transaction. */
int store_backup_forget(struct store *s, int64_t number, struct lk_error *err) LK_MUST_CHECK;
/* Removes a copy beside the store that nobody has come for, whole or in part. Not while one is being made. */
void store_backup_drop(const struct store *s);
typedef int backup_visitor(void *context, const struct stored_backup *backup);
int store_backups(struct store *s, backup_visitor *visit, void *context, struct lk_error *err) LK_MUST_CHECK;

/* Within a transaction: this store may have lost rows that others have seen. A new name for it, so that state.db is made
 * anew when it is opened next, and a new id for every mailbox, so that clients take all of them in again and know by
 * (id, rev) what they have. */
int store_renew(struct store *s, struct lk_error *err) LK_MUST_CHECK;

/* Puts a store back from a copy that was proved sound, and is listed as a backup in it. The old files stay in the directory, as
 * linkages.db.before-SECONDS.
 * LK_ESTATE: somebody holds the store. At every instant there is the old store or the restored one, whole. */
struct store_restore {
	const char *directory, *file; /* file: by the whole path, for the list */
	lk_instant at; /* now */
	void (*tick)(void *context, int64_t done, int64_t of); /* bytes; may be NULL */
	void *context;
};
int store_restore(const struct store_restore *order, struct lk_error *err) LK_MUST_CHECK;

/* ---- Keeping no longer ------------------------------------------------------------------------------------------------ */

/* Within a transaction: the front of the next mailbox after *after (0: the first), as far as its notices were told before
 * that instant, have been stored by a client, do not stand any more and are held by nobody; up to `limit` of them. Moves
 * *after, and adds to *gone. 1: there may be more; 0: there is no further mailbox. */
int store_prune_mailbox(struct store *s, int64_t *after, lk_instant before, int limit, int64_t *gone,
			struct lk_error *err) LK_MUST_CHECK;
/* Up to `limit` dead letters that came before that instant, the oldest first. Likewise. */
int store_prune_letters(struct store *s, lk_instant before, int limit, int64_t *gone, struct lk_error *err) LK_MUST_CHECK;

/* ---- Expunging, on order ------------------------------------------------------------------------------------------- */

/* A case that was expunged is known by a keyed digest of its number, in the file linkages.expunged beside the database
 * (key and digests; it goes with the store to another machine, and a backup does not hold it). While it is there, nothing
 * that names the case is taken in. */
bool store_is_expunged(const struct store *s, struct case_key key);
/* Adds to *cases how many such cases have a family all the same: the store came from a backup of before the order, or the
 * order was cut short. Looks at up to `limit` cases after *after, which it moves; 0 to begin with. 1: there are more; 0: that
 * was all. */
int store_expunged_left(struct store *s, int64_t *after, int limit, int64_t *cases, struct lk_error *err) LK_MUST_CHECK;
/* Where there are some: state.db is filled anew, without them. Once; begins and commits a transaction. */
int store_expunged_hide(struct store *s, struct lk_error *err) LK_MUST_CHECK;
/* Synced before it returns. Before what it names is struck out: a crash between the two brings nothing back. */
int store_expunged_add(struct store *s, const struct case_key *cases, size_t n, struct lk_error *err) LK_MUST_CHECK;

/* Everything that names some cases. Found in steps, row by row of every table that has no better way; struck out in one
 * transaction, which looks once more at what has come since, but for notices: store_traces_note(). */
struct store_traces;
struct stored_struck {
	int64_t events, foreign_events; /* of the cases; links that others said of them */
	int64_t notices, letters, ledger;
};
int store_traces_open(struct store *s, const struct case_key *cases, size_t n, struct store_traces **out,
		      struct lk_error *err) LK_MUST_CHECK;
void store_traces_close(struct store_traces *traces); /* NULL-safe */
/* 1: there is more to look at; 0: all of it was. */
int store_traces_find(struct store_traces *traces, int limit, struct lk_error *err) LK_MUST_CHECK;
void store_traces_count(const struct store_traces *traces, int64_t *done, int64_t *of);
/* Adds a case of others that the caller has found. */
int store_traces_neighbour(struct store_traces *traces, struct case_key key, struct lk_error *err) LK_MUST_CHECK;
/* Cases of others that something found belongs to: their families are to forget what they were told of these. */
int store_traces_neighbours(struct store_traces *traces, case_visitor *visit, void *context) LK_MUST_CHECK;
/* Every telling of this notice is struck out, too: what was told since the search was at the end. Within the
 * transaction that strikes. */
int store_traces_note(struct store_traces *traces, const uint8_t notice[LK_DIGEST], struct lk_error *err) LK_MUST_CHECK;
/* Within a transaction. Events, links, tokens and names are gone; a notice keeps its place, id, rev and kind, and says
 * `withdrawn`; a dead letter keeps its place and its reason; ledger rows say nothing, but that of the order, which begins
 * with `order`. The family row is the caller's. */
int store_traces_strike(struct store_traces *traces, const struct ledger_row *order, struct stored_struck *out,
			struct lk_error *err) LK_MUST_CHECK;
/* All logs into their files, and the logs cut to nothing. Not within a transaction. LK_ESTATE: a reader of state.db is in
 * the way. */
int store_flush(struct store *s, struct lk_error *err) LK_MUST_CHECK;
/* Both files written anew without what was given up. Takes as long as it takes: the store does nothing else meanwhile. */
int store_vacuum(struct store *s, struct lk_error *err) LK_MUST_CHECK;
/* How often the bytes say it as a word of its own: a number that is part of a longer one is another case's. Not empty. Any
 * thread. */
int64_t store_words_said(const void *bytes, size_t len, struct lk_text word);
/* How often notices say a case's number, as a word of its own, and in how many bytes it was looked for: they lie squeezed in
 * their rows, where a search through the file does not see it. Walks all of them. */
int store_notices_say(struct store *s, struct lk_text word, int64_t *bytes, int64_t *found,
		      struct lk_error *err) LK_MUST_CHECK;

/* A case that may be neither expunged nor pruned, and why. */
int store_hold_put(struct store *s, struct case_key key, struct lk_text reason, lk_instant at,
		   struct lk_error *err) LK_MUST_CHECK;
int store_hold_drop(struct store *s, struct case_key key, struct lk_error *err) LK_MUST_CHECK; /* 1, or 0: there was none */
int store_is_held(struct store *s, struct case_key key, struct lk_error *err) LK_MUST_CHECK;   /* 1 or 0 */
typedef int hold_visitor(void *context, struct case_key key, struct lk_text reason, lk_instant at);
int store_holds(struct store *s, hold_visitor *visit, void *context, struct lk_error *err) LK_MUST_CHECK;

/* ---- The rest ---------------------------------------------------------------------------------------------------- */

/* Small named values: the last committed instant, the clock, the boot. 1 and *out, or 0. */
/* Outboxes are waited for that a rebuild asked again: 1, or STORE_AWAITED_GONE, where events are known to be gone. */
#define STORE_AWAITED "awaited"
#define STORE_AWAITED_GONE 2
#define STORE_FAMILIES_ANEW "spoken" /* counts how often all families had to be derived anew: part of their revision */
/* The kinds of tokens that linked by themselves when all links were found last, as bits; STORE_LINKS_LOST: rows are missing. */
#define STORE_LINKS_BY "links.by"
#define STORE_LINKS_LOST (-1)
int store_value_get(struct store *s, const char *name, int64_t *out, struct lk_error *err) LK_MUST_CHECK;
int store_value_put(struct store *s, const char *name, int64_t value, struct lk_error *err) LK_MUST_CHECK;

/* For a look at all of it in bites: at most `limit` rows behind a place, and the place to go on from; 0 rows: the end.
 * Families, by id. */
int store_count_families(struct store *s, uint8_t after[LK_DIGEST], int limit, struct lk_error *err) LK_MUST_CHECK;
/* Families derived under another policy, each added to *n. 1: there is more behind the place, which begins as zeroes; 0: the end. */
struct behind_place {
	int64_t policy, family; /* numbers of the store's own */
};
int store_count_behind(struct store *s, const uint8_t policy[LK_DIGEST], struct behind_place *place, int limit, int64_t *n,
		       struct lk_error *err) LK_MUST_CHECK;
/* Mailboxes, by a number of the store's own: what of each no client has stored yet, and when its oldest was told. */
struct mailbox_depth {
	struct lk_text worker;
	int64_t waiting;
	lk_instant oldest_at; /* LK_NO_INSTANT: nothing waits */
};
typedef int mailbox_depth_visitor(void *context, const struct mailbox_depth *depth);
int store_mailbox_depths(struct store *s, int64_t *after, int limit, mailbox_depth_visitor *visit, void *context,
			 struct lk_error *err) LK_MUST_CHECK;

/* Workers who stand in state.db as supervisors now. Opens the file of `directory` for itself, to be read only: also
 * beside a daemon that runs. 0, also where there is no such file. */
int store_supervisors(const char *directory, int (*visit)(void *context, struct lk_text worker), void *context,
		      struct lk_error *err) LK_MUST_CHECK;

/* Since the store was opened. */
struct store_work {
	int64_t checkpoints, checkpoint_us;
};
void store_work(const struct store *s, struct store_work *out);

/* Cheap: the ends of tables and of files. */
struct store_counts {
	int64_t events, dead_letters, cases, workers, notices, ledger_rows, bytes, wal_bytes;
};
int store_counts(struct store *s, struct store_counts *out, struct lk_error *err) LK_MUST_CHECK;

#endif
