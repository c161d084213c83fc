/* internal.h - what the files of this folder share; nobody else includes it.
 *
 * A query is one run of a prepared statement: begin, bind from left to right, step, read columns
 * from left to right, end. The first thing that goes wrong is remembered and told by the next
 * step, so that binding needs no checks.
 */
#ifndef LINKAGES_STORE_INTERNAL_H
#define LINKAGES_STORE_INTERNAL_H

#include "delta.h"
#include "squeeze.h"
#include "store.h"
#include "store_sql.h"
#include <sqlite3.h>

#define STATE_FIRST SQL_state_begin /* statements from here on are on state.db */
#define STATEMENT_ENUMERATOR(name, sql) SQL_##name,
enum statement {
	SQL_STATEMENTS(STATEMENT_ENUMERATOR)       /* on linkages.db */
	SQL_STATE_STATEMENTS(STATEMENT_ENUMERATOR) /* on state.db */
	STATEMENT_COUNT,
};

/* ---- Names that are interned ---------------------------------------------------------------- */

enum name_kind { NAME_SOURCE, NAME_WORKER, NAME_CASE, NAME_STREAM, NAME_POLICY };

struct name {
	enum name_kind kind;
	int64_t of; /* agency of a case, source of a stream; 0 for the others */
	const void *at;
	size_t len;
};

/* One cache for all kinds, in sets of four: a name has its set, and any place in it. A slot is believed only within its
 * generation; a rollback that may have taken names back begins a new one. Names that do not fit are looked up each
 * time. */
#define NAME_SETS 16384u
#define NAME_WAYS 4u
#define NAME_ROOM 64
struct name_slot {
	int64_t ref, of;
	uint32_t generation; /* 0: empty */
	uint8_t kind, len;
	uint8_t at[NAME_ROOM];
};
struct name_set {
	uint32_t tag[NAME_WAYS]; /* of the name's hash, so that others are passed over unseen */
	struct name_slot slot[NAME_WAYS];
};

/* The family of a case, and whether it was seen to have no tokens, by the case's ref; believed as name slots are. */
#define CASE_SLOTS 65536u
struct case_slot {
	int64_t ref;
	int64_t family_ref; /* 0: not known; a family's row is believed where it says its id */
	uint32_t generation;
	bool is_tokenless;
	uint8_t family[LK_DIGEST];
};

/* Bytes that stand for themselves in many rows, by their number; believed as name slots are. */
#define PHRASE_SLOTS 16384u
struct phrase {
	int64_t ref;
	uint32_t generation;
	struct lk_bytes bytes;
};
struct phrases {
	struct phrase at[PHRASE_SLOTS];
	int64_t heard[PHRASE_SLOTS]; /* numbers, by what they say; 0: none */
};

/* ---- The store ------------------------------------------------------------------------------ */

/* Ends of the two logs, kept so that the hot path does not ask for them. */
struct tips {
	int64_t position;         /* last event */
	int64_t serial;           /* last notice */
	int64_t ledger;           /* last row of the ledger */
	uint8_t chain[LK_DIGEST]; /* and its link of the chain */
	int64_t change;           /* last row of family_change */
	int64_t values;           /* how many transactions have written a value that counts: store.c */
};

/* How many frames wait in a write-ahead log, and how many make one bite of at most 10 ms. */
struct wal {
	sqlite3 *db;
	int frames, bite;
	int64_t room; /* bytes that it shall have, written ahead; 0: as it comes */
};

/* The file linkages.mark: mark.c. */
struct mark {
	char path[4096];
	int file; /* kept open: each commit writes it; -1: there is none */
	bool unsynced;
	struct store_mark found;
};

/* The file linkages.expunged: tombs.c. */
struct tombs {
	uint8_t key[32];
	uint8_t (*at)[LK_DIGEST];
	size_t n, room;
	uint32_t *slot; /* twice the room: where each one is in `at`, from 1; 0: nothing */
};

/* Where the scrubber is: scrub.c. */
struct scrub {
	struct store_check check;
	int64_t upto;  /* last event when this pass began */
	int64_t aging; /* the stream that was looked at last, where the pass is at its end */
	unsigned bites;
	int64_t let_go; /* times that outboxes were let forget what is old, since the store was opened */
	lk_instant ended; /* the last whole pass; LK_NO_INSTANT: there was none */
	bool is_loaded, is_aging;
	char what[160]; /* the first damage */
};

/* Which names may be superseded, a Bloom filter: superseded.c. */
struct superseded {
	uint64_t *at;
	uint64_t bits; /* a power of two */
};

/* Where an outbox is, known by its stream's ref: asked once, written once a batch. */
struct stream_end {
	int64_t next, safe, known, asked;
	int64_t last, position; /* of the event that was added last; 0: none since this is remembered */
	bool is_known; /* else the row is asked */
	bool moved;    /* in this transaction: the row is behind */
};

struct stream_ends {
	struct stream_end *at;
	size_t room;
	int64_t *moved; /* refs of those that moved */
	size_t moved_n, moved_room;
};

/* Pieces of words that are a byte each: spelling.c. */
#define PIECES 127
#define PIECE_MOST 8 /* letters */
#define SPELLING_SLOTS 256
struct spelling {
	uint8_t first[SPELLING_SLOTS]; /* number + 1 of the longest that begins so, */
	uint8_t next[PIECES];        /* and of the next shorter one; 0: none */
	uint8_t len[PIECES];
	uint8_t kind[256]; /* of each byte: spelling.c */
	uint64_t piece[PIECES], mask[PIECES]; /* its letters, the first the lowest */
};

/* A text of a notice, and how it was spelled: notice.c. */
struct spelled {
	char text[UINT8_MAX];
	uint8_t letters[UINT8_MAX];
	size_t len, letters_len;
};

/* Words that every event says: vocabulary.c. */
struct vocabulary {
	struct spelling spelling;
	uint8_t slot[1024]; /* number + 1 */
	uint8_t len[256];
};

/* Texts that a row says, and need not be said again in its body. */
enum own_text {
	OWN_ID,
	OWN_SOURCE,
	OWN_NUMBER,
	OWN_TIME,
	OWN_SUPERSEDES,
	OWN_TYPE,
	OWN_TEXTS
};

/* Rows that a list lacks: recent.c. */
struct recent_row {
	int64_t key;     /* that the list has it under; 0: it went */
	uint32_t before; /* index + 1 of the one before it in its bucket; 0: none */
	uint32_t note;   /* what the list says of it beyond its place */
};

struct recent_entry {
	int64_t key, place;
};

struct recent {
	int64_t first; /* place of the first; the list is believed of all before */
	struct recent_row *at;
	uint32_t n, room, committed;
	uint32_t *bucket; /* index + 1 of the last of each */
	uint32_t buckets, lag;
	struct recent_entry *order; /* of the first `run`, which are being moved into the list */
	uint32_t run, moved, moved_committed;
	uint32_t owed;  /* to be moved, too few to be worth while */
	bool is_paid;   /* what is owed for this transaction was moved */
	int64_t gone;   /* a row that must be there, and is not; 0: none */
	bool is_struck; /* in this transaction something was struck out */
	bool is_stale;  /* to be read again */
};

enum recent_list { RECENT_CASES, RECENT_PLACES, RECENT_LISTS };

/* Salts of the ledger's rows, a block at a time: salts.c. */
#define SALT 12        /* bytes */
#define SALTS 64       /* rows of a block: linkages-1.sql says so too */
#define SALTS_SECRET 32 /* bytes */
struct salts {
	int64_t block; /* from 1: that of the rows 64 * block - 63 to 64 * block; 0: none */
	bool has_secret; /* else each row keeps its own */
	uint8_t at[SALTS][SALT];
};

#define SEQ_BITS 32 /* a notice's number is its worker's ref and its place */

/* Where a mailbox ends, known by its worker's ref: a batch asks once, and writes once. */
struct mailbox_end {
	int64_t next; /* 0: not known */
	bool grew;    /* in this transaction: the row in `worker` is behind */
};

struct mailbox_ends {
	struct mailbox_end *at;
	size_t room;
	int64_t *grown; /* refs of those that grew */
	size_t grown_n, grown_room;
};

/* Bytes that lie among others. */
#define PIECE_ABSENT UINT32_MAX /* as a length: there is no such text */
struct piece {
	size_t at;
	uint32_t len;
};

/* Rows that wait in memory for their tables. */
enum waits { WAITS_FRESH = 1, WAITS_EVENTS = 2 };

/* A notice's row, as it is told: fresh.c. */
struct fresh_notice {
	int64_t serial, number, rev, marks, told_at, sum;
	int64_t own_case, other_case, ledger; /* 0: null */
	uint8_t id[LK_DIGEST];
	struct piece own_number, other_number, body;
	uint64_t answers; /* nobody had answered it when this was the count of answers; 0: not known */
	uint64_t encoding; /* its number among those to be encoded; 0: none */
};

#define LINK_START 2 /* bytes */
struct fresh_ledger {
	int64_t number, at, reader, from, level;
	int64_t upto, ground; /* 0: null */
	struct piece session, basis;
	struct seal {
		uint8_t at[SALT];
		bool is_spelled; /* else it follows from its block's secret */
	} salt;
	struct link {
		uint8_t at[LK_DIGEST];
		uint32_t len; /* so much of it is written: of the last one of a commit all, else LINK_START */
	} chain;
};

/* An event's row that waits, and the highest id of a source: arrivals.c. */
struct waiting_event {
	int64_t position, source, kase, type, received_at, lag, ahead, sum;
	int64_t stream, outbox_seq; /* 0: null */
	struct sequence {
		int64_t is;
		bool given; /* else null */
	} sequence;
	struct piece id, supersedes, body;
};

struct last_id {
	int64_t source; /* 0: nobody's */
	size_t len;
	char at[NAME_ROOM];
};

#define ARRIVALS 256u /* more by one statement make none of them cheaper */
#define LAST_IDS 16u
struct arrivals {
	struct waiting_event at[ARRIVALS];
	uint32_t n;
	struct lk_bytes bytes;
	struct last_id last[LAST_IDS]; /* each where its source's ref leads to, if it is known */
};

/* Notices by serial number, which are dense. */
struct shelf {
	struct fresh_notice *at;
	uint32_t n, room;
	int64_t first; /* the serial number of the first */
	struct lk_bytes bytes;
};

struct fresh {
	struct shelf newer, older;
	uint32_t written; /* of the newer one; those behind are not in the table yet */
	struct fresh_ledger *ledger; /* not in the table yet */
	uint32_t ledger_n, ledger_room;
	struct lk_bytes ledger_bytes;
	uint64_t answers; /* to any notice */
};

/* Blocks of notices, as a connection has them: blocks.c. */
enum blocks_statement { BLOCKS_AT, BLOCKS_AFTER, BLOCKS_ADD, BLOCKS_PUT, BLOCKS_DROP, BLOCKS_STATEMENTS };
#define BLOCKS_IDLE 8u         /* unpacked ones that nobody reads: 20 KiB each */
#define BLOCK_IDLE_MOST 65536u /* bytes of one: a long notice, or a damage, leaves no large one behind */
struct blocks {
	sqlite3_stmt *statement[BLOCKS_STATEMENTS];
	struct block *idle[BLOCKS_IDLE]; /* the one that was used last is the last */
	uint32_t idle_n;
	size_t each; /* bytes that a notice took in the block that was filled last */
};

/* A family as of some change; its bytes are its owner's. */
struct family_version {
	uint8_t id[LK_DIGEST];
	int64_t ref;    /* its place in the table; 0: there is no such family (any more) */
	int64_t number; /* of the change that made it what it is */
	lk_instant wake_at;
	uint8_t policy[LK_DIGEST];
	uint8_t *bytes; /* state, and told behind it */
	size_t state_len, told_len;
};
#define FAMILY_BYTES_MAX ((size_t)1 << 28) /* of either, as a change may claim */

/* Changes that a family's row lacks, as they are in `family_change` but for its id. */
struct pending {
	uint8_t *at;
	size_t len;
	int64_t from; /* number of the change that the first one goes on from */
	uint32_t n;
	bool is_short; /* of memory: some are in `family_change` alone */
};

/* What families are held by: in `late` by `since`, in `used` by use. */
enum held_order { HELD_LATE, HELD_USED, HELD_ORDERS };
struct held_link {
	struct held *older, *newer;
};

/* A family in memory: held.c. */
struct held {
	struct held *next_in_bucket, *next_changed;
	struct held_link link[HELD_ORDERS];
	struct family_version is;   /* as committed; where is_lean, without bytes */
	struct family_version will; /* as of this transaction; where is_changed */
	struct delta_bytes delta;   /* from is to will, as a draft had it; where is_changed; at NULL: none is made yet */
	size_t change_at;           /* in the changes of this transaction; where is_changed, and not is_through */
	int64_t since;              /* the first change that its row lacks; where is_late */
	int64_t read_in;            /* its row was read in the transaction of that number */
	struct pending pending;     /* where is_late */
	bool is_changed;
	bool is_through; /* its row was written in this transaction, and will be again */
	bool is_late;    /* its row is not what was committed */
	bool is_lean;    /* late, and what it is has to be read: its row, and what is pending */
	bool is_marked;  /* for state.db: known to be in `dirty` */
	bool is_broken;  /* changes of it are missing: while a copy is mended */
};

struct held_list {
	struct held *oldest, *newest;
};

/* What a transaction brings up to date of late families; nothing outside of its commit. */
struct following {
	struct held *next;	 /* where n > 0: those before this one are written, */
	size_t n, bytes;	 /* so many, for which so many bytes were pending */
	int64_t until;		 /* changes up to here are deleted, */
	size_t dropped;		 /* of so many bytes */
};

/* How far rows may be behind: so many families, bytes that are pending, bytes of changes. How much is in memory: what was
 * not used lately gives way, but for what is pending. */
struct held_bounds {
	size_t families, bytes, changes, memory;
};

/* Families that were not in memory when they were asked for: again.c. */
#define AGAIN_SEEN 32768u
struct again {
	uint32_t seen[AGAIN_SEEN]; /* some bits of the id of the last one of each place */
	int64_t last;              /* the highest ref: about how many families there are */
	uint32_t once;             /* that do not come back, lately */
};

#define HELD_BUCKETS 65536u
struct held_families {
	struct held **bucket;
	struct held_bounds bounds;
	struct held_list list[HELD_ORDERS];
	struct held *changed; /* in this transaction */
	size_t late_n, late_bytes, pending_n, bytes;
	size_t whole_bytes; /* of those that are not lean, without what is pending */
	struct again again;
	uint64_t reads; /* of rows, since the store was opened */
	int64_t first, last;   /* rows of `family_change`; the last one stays, for its number */
	size_t log_bytes;      /* of their changes */
	bool is_writing;       /* back, to the rows */
	struct following following;
	struct lk_bytes changes, delta, squeezed; /* of a commit; of a family; of a commit, as its row keeps them */
};

struct store {
	sqlite3 *db,
		*state; /* linkages.db and state.db; the latter is NULL where it is only read */
	sqlite3_stmt *statement[STATEMENT_COUNT];
	uint8_t lets_in[STATEMENT_COUNT]; /* which tables it asks whose rows may wait */
	char *directory; /* NULL: in memory, or a file alone */
	char *file;      /* a copy of linkages.db, to be read; NULL: the files of a directory */
	bool read_only;
	bool has_beside; /* is to have one */
	bool open_since_begin; /* between store_begin() and its commit or rollback */
	bool lost; /* SQLite rolled the transaction back by itself, or rows that waited did not come in: no commit */
	bool suspect;          /* a sync failed, or a row is damaged: see rebuild.c */
	bool is_draft; /* a copy that has no name yet: what is wrong with it is its maker's to know */
	bool is_checked; /* damage is looked for: finding it is no surprise */
	struct store_rebuild rebuilt;
	struct scrub scrub;
	bool named;       /* a name was interned in this transaction */
	bool changed;     /* a family was changed in this transaction */
	bool filling;     /* state.db has a transaction of its own within this one */
	int64_t state_wait_ns, state_due_ns; /* how long, and until when, state.db is left alone where it is damaged again */
	bool state_damaged; /* state.db makes no sense, or was not made anew in whole: it is, when nobody waits */
	int64_t fillings; /* of state.db so far */
	/* kept_manner.ref of what many rows of what was told say; 0: not known. By kind, level, side + 1, standing. */
	uint32_t manners[lk_notice_kind_count][lk_level_count][lk_agency_count + 1][2];
	uint8_t identity[LK_DIGEST];
	struct tips tips, committed;
	struct mark mark;
	uint64_t file_id; /* of linkages.db, whose name must go on leading to it; 0: it has none */
	uint64_t log_id;  /* likewise of its write-ahead log */
	uint64_t state_id, state_log_id; /* of state.db, which is made anew where it was taken away */
	struct tombs tombs;
	struct wal wal, state_wal;
	struct share *share;   /* of linkages.db between its connections; NULL: it has one */
	struct beside *beside; /* makes its checkpoints; NULL: whoever calls does */
	int64_t log_room;
	struct store_work work;
	uint32_t generation;
	struct name_set *names;
	struct case_slot *cases;
	const struct case_slot *asked; /* the one whose family was asked for last; NULL: none */
	struct ahead *ahead; /* reads for whoever asks later; NULL: nobody does */
	struct phrases *phrases;
	struct mailbox_ends ends;
	struct fresh fresh;
	struct arrivals arrivals;
	struct encoding *encoding; /* by another thread, ahead of hand-outs; NULL: none is */
	struct blocks blocks;
	struct stream_ends streams;
	struct superseded superseded;
	struct recent recent[RECENT_LISTS];
	struct held_families held;
	struct vocabulary vocabulary;
	struct stored_packed packed_event; /* on its way into its row */
	uint32_t lag;                     /* of lists that are filled behind; 0: what is best */
	struct lk_bytes scratch;          /* what a row says, for its sum */
	struct lk_bytes squeezed;         /* a family's row, as it is kept or as it is read */
	struct lk_bytes packed, contacts; /* of the notice that is being written */
	struct spelled spelled;           /* the last one */
	struct salts salts; /* of the block that was asked for last */
};

/* ---- query.c -------------------------------------------------------------------------------- */

struct query {
	struct store *store;
	sqlite3_stmt *statement;
	int bound, column;
	int rc;
	unsigned lets_in; /* rows that wait, before its first step */
};

struct query query_begin(struct store *s, enum statement which);
void bind_int(struct query *q, int64_t value);
void bind_null(struct query *q);
void bind_if(struct query *q, bool given, int64_t value); /* not given: null */
void bind_instant(struct query *q, lk_instant at); /* LK_NO_INSTANT: null */
void bind_text(struct query *q,
	       struct lk_text text);                 /* absent: null. Borrowed until query_end(). */
void bind_copy(struct query *q, const char *string); /* NULL: null. Copied. */
void bind_blob(struct query *q, const void *at, size_t len); /* borrowed likewise */
void bind_digest(struct query *q, const uint8_t digest[LK_DIGEST]);
/* 1: there is a row; 0: there is none (any more); negative: err says why. */
int query_step(struct query *q, struct lk_error *err) LK_MUST_CHECK;
void query_end(struct query *q);
/* Steps to the end and ends: 0 or negative. */
int query_run(struct query *q, struct lk_error *err) LK_MUST_CHECK;
/* The transaction that is open there was never begun, whatever state the store is in. The statement was prepared with all
 * others: where there is no memory for a row there is none to prepare one, and rows of a transaction that stays open are read
 * as if they were committed. */
void take_back(struct store *s, sqlite3 *db, enum statement rollback);
/* Whether anything may be asked or written now: 0, LK_ESYNC, LK_ESTORE. */
int store_allows(const struct store *s, struct lk_error *err) LK_MUST_CHECK;
/* The one number of the one row, and ends: 1, 0 where there is no row or it is null, negative. */
int query_number(struct query *q, int64_t *out, struct lk_error *err) LK_MUST_CHECK;

bool column_is_null(const struct query *q);
int64_t column_int(struct query *q);
int column_code(struct query *q);
lk_instant column_instant(struct query *q);  /* null: LK_NO_INSTANT */
struct lk_text column_text(struct query *q); /* valid until the next step */
const void *column_blob(struct query *q, size_t *len);
bool column_digest(struct query *q, uint8_t out[LK_DIGEST]); /* false and zeroes: not 16 bytes */

/* Fills err from what SQLite says of a connection, and remembers what that means for the
 * transaction. */
int store_fault(struct store *s, sqlite3 *db, int rc, const char *what, struct lk_error *err);
enum lk_fault store_fault_of(int rc);

/* Sums: everything that a row says is gathered in a fixed order, mostly in store.scratch. */
void sum_int(struct lk_bytes *said, int64_t value);
void sum_text(struct lk_bytes *said, struct lk_text text);
/* Read again what sum_int(), and sum_text() or sum_blob(), wrote there; *at goes on behind it. */
int64_t said_int(const uint8_t **at);
struct lk_text said_text(const uint8_t **at);
void sum_blob(struct lk_bytes *said, const void *at, size_t len);
int sum_end(const struct lk_bytes *said, int64_t *sum, struct lk_error *err) LK_MUST_CHECK;
/* LK_ESTORE, naming the row; the store is not to be trusted as it is. */
int row_damaged(struct store *s, struct lk_error *err, const char *what, int64_t number,
		const char *wrong);
/* Of what is in store.scratch: 0, or LK_ESTORE naming the row where the stored sum is another. */
int sum_check(struct store *s, int64_t stored, const char *what, int64_t number,
	      struct lk_error *err) LK_MUST_CHECK;

/* ---- names.c -------------------------------------------------------------------------------- */

/* 1 and *ref, or 0 where the name has never been heard. */
int name_seek(struct store *s, struct name name, int64_t *ref, struct lk_error *err) LK_MUST_CHECK;
/* 0 and *ref, given now if it had none. */
int name_intern(struct store *s, struct name name, int64_t *ref,
		struct lk_error *err) LK_MUST_CHECK;
/* What is committed: in its slot, if there is none for it yet. */
void name_learn(struct store *s, struct name name, int64_t ref);
void names_forget(struct store *s);

struct name name_of_source(struct lk_text source);
struct name name_of_worker(struct lk_text worker);
struct name name_of_case(struct case_key key);
struct name name_of_stream(int64_t source, const uint8_t epoch[LK_DIGEST]);
struct name name_of_policy(const uint8_t revision[LK_DIGEST]);
/* The stream of an outbox: as name_seek() and name_intern(). */
int stream_seek(struct store *s, struct lk_text source, const uint8_t epoch[LK_DIGEST],
		int64_t *ref, struct lk_error *err) LK_MUST_CHECK;
int stream_intern(struct store *s, struct lk_text source, const uint8_t epoch[LK_DIGEST],
		  int64_t *ref, struct lk_error *err) LK_MUST_CHECK;

/* ---- phrase.c ------------------------------------------------------------------------------- */

/* 0 and *ref, written now if it is not remembered. */
int phrase_ref(struct store *s, const void *at, size_t len, int64_t *ref,
	       struct lk_error *err) LK_MUST_CHECK;
/* 1 and *out, valid until the next one is asked for; 0: there is none of that number. */
int phrase_get(struct store *s, int64_t ref, struct lk_text *out,
	       struct lk_error *err) LK_MUST_CHECK;
int phrases_load(struct store *s, struct lk_error *err) LK_MUST_CHECK; /* remembers the last ones */
void phrases_free(struct store *s);

/* ---- fresh.c -------------------------------------------------------------------------------- */

struct piece bytes_piece(struct lk_bytes *bytes, const void *at, size_t len);
struct piece bytes_text(struct lk_bytes *bytes, struct lk_text text); /* it may be absent */

/* What a row says beyond its numbers; of one that is got, until the next is added. */
struct fresh_texts {
	struct lk_text own, other; /* numbers of the cases */
	const void *body;
	size_t body_len;
};
void fresh_make(struct store *s);
void fresh_free(struct store *s);
/* Its texts are copied; its serial number and pieces are given here. */
int fresh_notice_add(struct store *s, const struct fresh_notice *row,
		     const struct fresh_texts *texts, struct lk_error *err) LK_MUST_CHECK;
int fresh_ledger_add(struct store *s, const struct fresh_ledger *row, struct lk_text session,
		     struct lk_text basis, struct lk_error *err) LK_MUST_CHECK;
bool fresh_waits(const struct store *s);
/* Before COMMIT, and before any statement asks the tables. After COMMIT. */
int fresh_flush(struct store *s, struct lk_error *err) LK_MUST_CHECK;
void fresh_commit(struct store *s);
/* After a rollback, and when rows of notices were changed by a statement. */
void fresh_forget(struct store *s);
/* The notice in this place of a mailbox, if it is kept in memory; else NULL. The processor fetches it meanwhile. */
const struct fresh_notice *fresh_expect(const struct store *s, int64_t number);
/* The notice that has both of these numbers; NULL: ask the table. */
struct fresh_notice *fresh_get(struct store *s, int64_t serial, int64_t number,
			       struct fresh_texts *texts);

/* ---- block.c -------------------------------------------------------------------------------- */

/* Notices that share a row. */
struct block {
	int64_t first; /* no serial number in it is lower: its name in the table */
	struct fresh_notice *at; /* in the order of their serial numbers; of their pieces only bodies */
	uint32_t n, room;
	bool is_broken; /* its row says nothing that can be read: there is no notice in it */
	struct lk_bytes bodies;
	struct lk_bytes packed; /* as it was packed last, or before it was unpacked */
	struct lk_bytes plain;  /* what was squeezed, or will be */
};
void block_begin(struct block *b, int64_t first);
/* Into b->packed; false: no memory. Of one that has notices. */
bool block_pack(struct block *b) LK_MUST_CHECK;
/* False: no memory. */
bool block_unpack(struct block *b, int64_t first, const void *at, size_t len) LK_MUST_CHECK;
/* Where the first notice is that is not before that one; b->n: nowhere. */
uint32_t block_find(const struct block *b, int64_t serial);
/* A copy, body and all; false: no memory. */
bool block_put(struct block *b, const struct fresh_notice *row, const void *body) LK_MUST_CHECK;
void block_remove(struct block *b, uint32_t i);
size_t block_room(const struct block *b); /* bytes of memory that it holds */
void block_free(struct block *b);         /* NULL-safe */

/* ---- blocks.c ------------------------------------------------------------------------------- */

/* All of these: codes of SQLite's. */
int blocks_open(struct blocks *all, sqlite3 *db) LK_MUST_CHECK; /* all zeroes; blocks_close() also after a failure */
void blocks_close(struct blocks *all);
/* BLOCKS_AT: the last block that may have that notice; BLOCKS_AFTER: the first one behind it. NULL: there is none. It is the
 * caller's, to be read, until given back. */
int blocks_get(struct blocks *all, enum blocks_statement which, int64_t serial, struct block **out) LK_MUST_CHECK;
void blocks_give(struct blocks *all, struct block *b); /* NULL-safe */
/* SQLITE_CONSTRAINT_ROWID: there is one of that serial number. The pieces of *row but for its body's length are not asked. */
int blocks_insert(struct blocks *all, const struct fresh_notice *row, const void *body) LK_MUST_CHECK;
int blocks_remove(struct blocks *all, int64_t serial) LK_MUST_CHECK; /* if it is there */
/* Those from `i` on, behind all others. */
int blocks_append(struct blocks *all, const struct shelf *from, uint32_t i) LK_MUST_CHECK;

/* ---- waiting.c ------------------------------------------------------------------------------ */

/* Before statements are prepared. */
int waiting_declare(struct store *s, struct lk_error *err) LK_MUST_CHECK;

/* ---- notice.c ------------------------------------------------------------------------------- */

/* A notice that was read, and texts of it that stand nowhere else in one piece. */
#define NOTICE_TEXTS 34816 /* the most that contacts, citation, events and what it is about can be */
struct said_room {
	struct lk_notice notice;
	char answerer[65]; /* where it was read without its row */
	size_t used;
	char texts[NOTICE_TEXTS];
};

/* Both add what the phrases say to the sum that has been begun. Appends what row->said says beyond the
 * row. */
int notice_pack(struct store *s, const struct stored_notice *row, struct lk_bytes *out,
		struct lk_error *err) LK_MUST_CHECK;
/* The columns of *row are read; fills said, in the room, and cause_at. It borrows from body and from the
 * row's texts. LK_ESTORE where these bytes are no notice; they are not compared with the sum here. */
int notice_unpack(struct store *s, const void *body, size_t len, struct stored_notice *row,
		  struct said_room *room, struct lk_error *err) LK_MUST_CHECK;
/* The same with phrases as they are in what the sum is of; it looks at nothing of the store that ever changes. False: no notice. */
bool notice_unpack_said(const struct store *s, const uint8_t *phrases, const void *body, size_t len,
			struct stored_notice *row, struct said_room *room) LK_MUST_CHECK;

/* What a notice's sum begins with: its columns; its topic and the like, too. */
void notice_columns_said(const uint8_t **at, struct stored_notice *n);

/* ---- encoding.c ----------------------------------------------------------------------------- */

/* The notice whose sum was begun in s->scratch, up to its body, which is the last: its number, or 0: nobody encodes it. */
uint64_t encoding_give(struct store *s, size_t body_len);
void encoding_expect(const struct store *s, uint64_t number); /* it is about to be taken */
/* False: it is not encoded (yet, or any more). Else n->encoded, n->cause_at, and of n->said what store.h says. */
bool encoding_take(struct store *s, uint64_t number, struct stored_notice *n,
		   struct said_room *room) LK_MUST_CHECK;

/* ---- roll.c --------------------------------------------------------------------------------- */

#define ROLL_START 3 /* bytes of an id */

/* Which notices; `may` and `is` are asked of the beginning of an id and of the whole. */
struct sought {
	bool (*may)(const struct sought *sought, const uint8_t start[ROLL_START]);
	bool (*is)(const struct sought *sought, const uint8_t id[LK_DIGEST]);
	/* Not zero: that will do; the search gives it back. May write nothing but other tables. */
	int (*found)(void *context, int64_t number, const uint8_t id[LK_DIGEST], int64_t rev);
	void *context;
	const uint8_t *low, *high; /* for the two below: ids between, both included */
	int64_t after;             /* only numbers behind this one */
	bool is_backward;          /* in each mailbox from its end */
};
bool roll_may_be(const struct sought *sought, const uint8_t start[ROLL_START]);
bool roll_is(const struct sought *sought, const uint8_t id[LK_DIGEST]);

struct mailbox_row {
	int64_t ref, first, next, received;
};
/* 1 and the next one after that ref; 0. */
int mailbox_row_get(struct store *s, int64_t after, struct mailbox_row *out,
		    struct lk_error *err) LK_MUST_CHECK;
/* Mailboxes were flushed. 0, or what `found` gave. */
int mailbox_seek(struct store *s, const struct mailbox_row *box, const struct sought *sought,
		 struct lk_error *err) LK_MUST_CHECK;
int mailboxes_seek(struct store *s, const struct sought *sought, struct lk_error *err) LK_MUST_CHECK;

#define ROLL_PLACES 64 /* in a row: linkages-1.sql says so too */
#define ROLL_ENTRY 8   /* bytes, of a place: the start of its notice's id, and its serial number */
/* A row of a roll, as it was read last; one that is all zeroes was not read yet. */
struct roll {
	int64_t number; /* of its first place */
	uint32_t n;
	uint8_t at[ROLL_PLACES][ROLL_ENTRY];
};
/* 1 and where in the order of arrival the notice of that number is: its row is to say so, too; 0: nobody knows of it. *roll
 * makes it cheap to go on with its neighbours. */
int place_seek(struct store *s, struct roll *roll, int64_t number, int64_t *serial,
	       struct lk_error *err) LK_MUST_CHECK;
/* The same of a place that no roll has yet; -1 of others. */
int64_t place_recent(const struct store *s, int64_t number);
/* serial_of(NUMBER) for statements: the same, or null. */
int serial_declare(struct store *s, struct lk_error *err) LK_MUST_CHECK;
/* LK_ESTORE, and doubt, where a notice is known to be there. */
int place_add(struct store *s, int64_t number, int64_t serial, const uint8_t id[LK_DIGEST],
	      struct lk_error *err) LK_MUST_CHECK;
int place_taken(struct store *s, int64_t seq, struct lk_error *err);

/* ---- families.c ----------------------------------------------------------------------------- */

/* The row of a family, read: 1 and *out, whose bytes are the caller's; 0: there is none. It is looked for at the place that
 * the case says which was asked for last, if that is one of the family's, and then by its id. */
int family_load(struct store *s, const uint8_t id[LK_DIGEST], struct family_version *out,
		struct lk_error *err) LK_MUST_CHECK;
/* Written as a whole; made, and v->ref given, where that is 0. */
int family_write(struct store *s, struct family_version *v, struct lk_error *err) LK_MUST_CHECK;
/* From what another thread has read of a committed case, where nothing is remembered of it. */
void case_foresee(struct store *s, int64_t ref, const uint8_t family[LK_DIGEST], int64_t family_ref, bool is_tokenless);
/* What is remembered of it is about to be asked for; and its family, if it is. */
void case_expect(const struct store *s, int64_t ref);
bool case_family_known(const struct store *s, int64_t ref, uint8_t id[LK_DIGEST]);
/* What SQL_case_seek says of a case beyond its ref is remembered: most who ask for its name ask for that, too. */
void case_learn(struct query *q, int64_t ref);
/* Written but for what a late row may not lack. */
struct stored_family stored_of(const struct family_version *v); /* borrows its bytes */
int family_follow(struct store *s, const struct family_version *v,
		  struct lk_error *err) LK_MUST_CHECK;

/* ---- ahead.c -------------------------------------------------------------------------------- */

/* The row of a family as it is in this transaction, if it was read ahead for the event at hand; NULL: it is to be read. Its
 * bytes are valid until store_ahead_use() or store_ahead_leave(). */
const struct family_version *ahead_family(const struct store *s, const uint8_t id[LK_DIGEST]);
void ahead_begin(struct store *s); /* a transaction */
void ahead_void(struct store *s); /* within one: what is committed of cases, tokens or families is not so any more */

/* ---- again.c -------------------------------------------------------------------------------- */

void again_came(struct again *a, const struct family_version *v); /* it was made, or read from its row */
size_t again_room(const struct again *a, size_t most); /* bytes to be used of that room */
bool again_many(const struct again *a);                /* more come back than do not */

/* ---- held.c, held_change.c, held_follow.c ------------------------------------------------------- */

bool held_make(struct store *s); /* false: no memory */
/* 1 and *out, valid until the next call; 0: there is no such family. */
int held_get(struct store *s, const uint8_t id[LK_DIGEST], const struct family_version **out,
	     struct lk_error *err) LK_MUST_CHECK;
int held_put(struct store *s, const struct stored_family *family,
	     struct lk_error *err) LK_MUST_CHECK;
int held_put_draft(struct store *s, struct stored_draft *draft, struct lk_error *err) LK_MUST_CHECK;
void held_drop(struct store *s, const uint8_t id[LK_DIGEST]); /* its row is the caller's to drop */
/* The row of a family that is held and not known to be marked for state.db; 0: there is none. */
int64_t held_unmarked(const struct store *s, const uint8_t id[LK_DIGEST]);
void held_unmark(struct store *s, const uint8_t id[LK_DIGEST]);
/* Before COMMIT: rows of others follow, where so many are late that a commit may not add to them; the row of what the
 * transaction changed. What is so after COMMIT; after a rollback. */
int held_follow(struct store *s, struct lk_error *err) LK_MUST_CHECK;
int held_log(struct store *s, struct lk_error *err) LK_MUST_CHECK;
void held_keep(struct store *s);
void held_undo(struct store *s);
bool held_is_due(const struct store *s);  /* rows should follow when nobody waits */
bool held_is_full(const struct store *s); /* rows must follow now */
/* What rows lacked when the store was left. Damage puts the store in doubt, and is no failure then. */
int held_load(struct store *s, struct lk_error *err) LK_MUST_CHECK;
/* Of a copy that is mended, while damage is looked for: which families lack something is known from then on. */
int held_examine(struct store *s, struct lk_error *err) LK_MUST_CHECK;
/* Of a copy whose changes were damaged: every row holds what is known of its family, and families of which something is
 * missing are to be folded anew. */
int held_mend(struct store *s, struct lk_error *err) LK_MUST_CHECK;
/* The last changes were lost: their numbers are not given again. */
int held_lost(struct store *s, int64_t last, struct lk_error *err) LK_MUST_CHECK;
void held_forget(struct store *s); /* everything: the store is closed */

/* ---- tombs.c -------------------------------------------------------------------------------- */

/* Of linkages.db, how far its log went when something was struck out of it last. */
#define VALUE_STRUCK_UPTO "struck_upto"
#define VALUE_EXPUNGED "expunged" /* how many cases: tombs.c */
#define VALUE_VALUES "values" /* tips.values: of a page that is older than its table, linkages.mark knows */
int tombs_open(struct store *s, struct lk_error *err) LK_MUST_CHECK;
void tombs_free(struct store *s);

/* ---- log.c ---------------------------------------------------------------------------------- */

/* The body as it came in, of a row whose other columns have been read. */
int event_unpack(struct store *s, const struct stored_event *e, const void *packed, size_t len,
		 struct lk_bytes *out, struct lk_error *err) LK_MUST_CHECK;
/* The event at one place of an outbox: 1 and the digest of its body, or 0. */
int event_at_place(struct store *s, int64_t stream, int64_t seq, uint8_t digest[LK_DIGEST],
		   struct lk_error *err) LK_MUST_CHECK;

/* ---- arrivals.c ----------------------------------------------------------------------------- */

/* 1: no event of that source has that id, or a higher one; 0: not known. */
int id_is_beyond(struct store *s, int64_t source, struct lk_text id,
		 struct lk_error *err) LK_MUST_CHECK;
/* Of a row that was added, if it is the highest; id_is_beyond() was asked. */
void id_taken(struct store *s, int64_t source, struct lk_text id);
/* A row that waits, of an event that is new; its pieces are given here. */
int arrival_add(struct store *s, const struct waiting_event *row, const struct stored_event *e,
		const struct lk_bytes *body, struct lk_error *err) LK_MUST_CHECK;
/* Before COMMIT, and before any statement asks the table. */
int arrivals_flush(struct store *s, struct lk_error *err) LK_MUST_CHECK;
void arrivals_forget(struct store *s); /* after a rollback */

/* ---- superseded.c --------------------------------------------------------------------------- */

/* Read from the log when the store is opened. */
int superseded_load(struct store *s, struct lk_error *err) LK_MUST_CHECK;
void superseded_note(struct store *s, int64_t source, struct lk_text id);

/* ---- spelling.c ------------------------------------------------------------------------------- */

void spelling_load(struct spelling *l);
/* How many bytes were written; 0: they would be more than there is room for. */
size_t spelling_put(const struct spelling *l, struct lk_text text, uint8_t *to, size_t room);
/* Appends a text of so many bytes. Returns the end of what was read; NULL: there was not enough. */
const uint8_t *spelling_take(const struct spelling *l, const uint8_t *from, const uint8_t *end,
			    size_t len, struct lk_bytes *out) LK_MUST_CHECK;

/* ---- vocabulary.c --------------------------------------------------------------------------- */

void vocabulary_load(struct vocabulary *v);
/* Appends to `out`, which may fail for want of memory. */
void vocabulary_pack(const struct vocabulary *v, const struct lk_text own[OWN_TEXTS],
		     const void *bytes, size_t len, struct lk_bytes *out);
/* With the texts that they were packed with. False: that is not how they were packed. */
bool vocabulary_unpack(const struct vocabulary *v, const struct lk_text own[OWN_TEXTS],
		       const void *bytes, size_t len, struct lk_bytes *out) LK_MUST_CHECK;

/* ---- recent.c ------------------------------------------------------------------------------- */

struct recent_found {
	int64_t place, key;
	uint32_t note;
};
struct recent_kind {
	const char *upto;      /* value: the list is believed up to there */
	const char *struck;    /* value: up to there a row may have gone; NULL: anywhere */
	enum statement rows;   /* those behind a place, in their order, up to a limit: place, key, and what is noted */
	enum statement clear;
	uint32_t lag;
	uint32_t (*note)(struct query *q); /* NULL: nothing is */
	/* Into the list: r->order[i], and what is moved with it at no cost. How many were; negative. */
	int (*move)(struct store *s, const struct recent *r, uint32_t i, struct lk_error *err);
};
extern const struct recent_kind case_list, roll_list;

int recent_load(struct store *s, struct lk_error *err) LK_MUST_CHECK;
void recent_free(struct store *s);
/* Before any is looked for. */
int recent_ready(struct store *s, enum recent_list which, struct lk_error *err) LK_MUST_CHECK;
/* 1: the list is believed of that place, and the caller's to write. */
int recent_add(struct store *s, enum recent_list which, struct recent_found row,
	       struct lk_error *err) LK_MUST_CHECK;
/* Index + 1 of the last one of that key, of the one before it; 0: there is none. */
uint32_t recent_last(const struct recent *r, int64_t key);
uint32_t recent_before(const struct recent *r, uint32_t i);
/* All of the list, after damage. */
int recent_rebuild(struct store *s, enum recent_list which, struct lk_error *err) LK_MUST_CHECK;
int recent_flush(struct store *s, struct lk_error *err) LK_MUST_CHECK; /* before COMMIT */
/* A bite of what lists lack, when nobody waits; in a transaction of its own. 1: there may be more; 0: nothing is due. */
int recent_follow(struct store *s, struct lk_error *err) LK_MUST_CHECK;
void recent_commit(struct store *s);                                   /* after it */
void recent_rollback(struct store *s);

/* ---- case_list.c ---------------------------------------------------------------------------- */

int case_event_add(struct store *s, int64_t position, int64_t kase,
		   struct lk_error *err) LK_MUST_CHECK;
/* Before the row of an event is deleted. */
int case_event_strike(struct store *s, int64_t position, struct lk_error *err) LK_MUST_CHECK;
/* Those of a case that the list lacks, ascending; to be freed. */
int case_events_recent(struct store *s, int64_t kase, int64_t **positions, size_t *n,
		       struct lk_error *err) LK_MUST_CHECK;

/* ---- stream.c ------------------------------------------------------------------------------- */

/* A verdict of this place is kept from now on. */
void stream_reached(struct store *s, int64_t ref, int64_t seq);
/* It is an event, and found by its place. */
int stream_event_add(struct store *s, int64_t ref, int64_t seq, int64_t position,
		     struct lk_error *err) LK_MUST_CHECK;
/* Before COMMIT, and before anything in the transaction asks the rows. */
int streams_flush(struct store *s, struct lk_error *err) LK_MUST_CHECK;
void streams_forget(
	struct store *s); /* after a rollback, and when rows were changed by a statement */
/* Where the places of all outboxes are, found again from what each event says; of the outboxes nothing is known afterwards. */
int streams_rebuild(struct store *s, struct lk_error *err) LK_MUST_CHECK;
void streams_free(struct store *s);

/* ---- telling.c, for telling_find.c and roll.c -------------------------------------------------- */

/* LK_ESTORE: a place of a mailbox holds nothing. The store is not to be trusted as it is. */
int place_gone(struct store *s, int64_t seq, struct lk_error *err);
/* The telling of that number: 1 and visit, or 0. */
int notice_get(struct store *s, int64_t number, stored_notice_visitor *visit, void *context,
	       struct lk_error *err) LK_MUST_CHECK;

/* ---- telling.c, dead_letters.c, for expunge.c --------------------------------------------------- */

/* A notice keeps its place, id, rev and kind. 1 and its ledger row, 0: it had none. */
int notice_strike(struct store *s, int64_t number, int64_t *ledger, uint8_t id[LK_DIGEST],
		  struct lk_error *err) LK_MUST_CHECK;
/* A dead letter keeps its place and its reason. */
int letter_strike(struct store *s, int64_t number, struct lk_error *err) LK_MUST_CHECK;

/* ---- salts.c -------------------------------------------------------------------------------- */

/* A salt for the row of that number, which is to be written. */
int salt_make(struct store *s, int64_t number, struct seal *out, struct lk_error *err) LK_MUST_CHECK;
/* The salts of the row's block, for salt_at(). */
int salts_load(struct store *s, int64_t number, struct lk_error *err) LK_MUST_CHECK;
const uint8_t *salt_at(const struct store *s, int64_t number);
/* The secret of the row's block goes, and what followed from it stands in its rows. */
int salts_spell(struct store *s, int64_t number, struct lk_error *err) LK_MUST_CHECK;
void salts_forget(struct store *s); /* after a rollback: a secret may have gone with it */

/* ---- For check.c ----------------------------------------------------------------------------- */

/* Reads the row that a query stands at: 0, or LK_ESTORE where it is not what was written. */
int event_examine(struct query *q, struct lk_error *err) LK_MUST_CHECK;
int letter_examine(struct query *q, struct lk_error *err) LK_MUST_CHECK;
int notice_examine(struct query *q, struct lk_error *err) LK_MUST_CHECK;
int family_examine(struct query *q, struct lk_error *err) LK_MUST_CHECK;
int changes_examine(struct query *q, struct lk_error *err) LK_MUST_CHECK;

/* ---- check.c --------------------------------------------------------------------------------- */

/* At a start: 1, a worker or a source that rows speak of is not there; 0; negative. */
int check_names(struct store *s, struct lk_error *err) LK_MUST_CHECK;

/* ---- mailbox.c ------------------------------------------------------------------------------ */

/* Every mailbox gets the id that the store's present identity gives it. */
int mailboxes_rename(struct store *s, struct lk_error *err) LK_MUST_CHECK;
/* That the mailbox has no such place yet; false: it may have. */
bool mailbox_ends_at(const struct store *s, int64_t ref, int64_t seq);
/* The next place in the worker's mailbox, which grows by one. */
int mailbox_grow(struct store *s, struct lk_text worker, int64_t ref, int64_t *seq,
		 struct lk_error *err) LK_MUST_CHECK;
/* Before COMMIT, and before anything in the transaction asks the rows. */
int mailboxes_flush(struct store *s, struct lk_error *err) LK_MUST_CHECK;
void mailboxes_forget(struct store *s); /* after a rollback */
void mailboxes_free(struct store *s);

/* ---- wal.c ---------------------------------------------------------------------------------- */

int64_t now_ns(void); /* of a clock that nobody sets: for how long something took */
void wal_watch(struct wal *wal, sqlite3 *db, int64_t room);
bool wal_has_bite(const struct wal *wal); /* as much as 10 ms of checkpointing */
bool wal_is_long(const struct wal *wal);  /* too long to wait for quiet */
bool wal_is_pressing(const struct wal *wal); /* soon too long */
bool wal_is_full(const struct wal *wal);  /* too long for another commit */
int wal_checkpoint(struct store *s, struct wal *wal, struct lk_error *err);
/* One bite of zeros behind what is written. 1: there is more to come; 0: there is room enough; LK_ESYNC. */
int wal_prepare(struct store *s, struct wal *wal, struct lk_error *err) LK_MUST_CHECK;

/* ---- frames.c ------------------------------------------------------------------------------- */

#define FRAMES_ROOM (64 * 1024)
struct frames {
	sqlite3_io_methods methods; /* the first member: a file leads here by them */
	const sqlite3_io_methods *under;
	bool is_open;
	int len; /* of what waits to be written, from `offset` on */
	sqlite3_int64 offset;
	uint8_t at[FRAMES_ROOM];
};
void frames_join(struct frames *f, sqlite3_file *file); /* unless another file writes by it */

/* ---- share.c -------------------------------------------------------------------------------- */

/* What is called after each write to the database by a connection that is watched; its failure is the write's. */
typedef int share_call(void *context);
struct share *share_create(void);                    /* NULL: no memory */
const char *share_name(const struct share *share);   /* of the VFS for its connections; NULL of NULL */
/* Another connection to the file of `of`, for another thread; *db also where it failed, to be closed. SQLite's code. */
int share_connect(const struct share *share, sqlite3 *of, const char *settings, sqlite3 **db);
void share_watch(struct share *share, const sqlite3_file *file, share_call *wrote, void *context);
void share_free(struct share *share); /* every connection is closed */

/* ---- checkpoint.c --------------------------------------------------------------------------- */

int beside_start(struct store *s, struct lk_error *err) LK_MUST_CHECK;
void beside_ask(struct store *s); /* a checkpoint, unless one is under way */
/* A commit begins and ends: the thread keeps out of its way. */
void beside_commits(struct store *s, bool begins);
/* What one has come to, if it is done: 0, or negative as wal_checkpoint(). With `commits` only what a commit must know. */
int beside_look(struct store *s, bool commits, struct lk_error *err) LK_MUST_CHECK;
int beside_settle(struct store *s, struct lk_error *err); /* the same, waiting until none is under way */
void beside_stop(struct store *s);                        /* NULL-safe; settles */

/* ---- mark.c --------------------------------------------------------------------------------- */

int mark_open(struct store *s, struct lk_error *err) LK_MUST_CHECK;
void mark_write(struct store *s);
int mark_sync(struct store *s, struct lk_error *err) LK_MUST_CHECK;
int mark_synced(struct store *s, int rc, struct lk_error *err) LK_MUST_CHECK; /* its sync came to that */
void mark_close(struct store *s);

/* ---- rebuild.c, mend.c ------------------------------------------------------------------------ */

enum doubt { DOUBT_SYNC, DOUBT_DAMAGE };
/* What is on the disk is not what was written, or nobody knows: remembered beside the database, and
 * from now on every call fails with LK_ESYNC. */
void store_doubt(struct store *s, enum doubt doubt, const char *why);
int rebuild_is_due(struct store *s, struct lk_error *err) LK_MUST_CHECK; /* 1; 0; negative */
/* Of the open store, a whole new file beside it; then, with the store closed, into its place. The
 * latter does nothing where there is no such file. */
struct place {
	char at[4096];
};
struct place place_in(const char *directory, const char *name);
int rebuild_make(struct store *s, struct lk_error *err) LK_MUST_CHECK;
int rebuild_finish(struct store *s, struct lk_error *err) LK_MUST_CHECK;
/* Puts a restored store into its place, where one is ready: restore.c. */
int restore_finish(const char *directory, struct lk_error *err) LK_MUST_CHECK;
/* Within a transaction of a store that is nothing but a copy of the backup at `place`, proved sound at that instant: lists it, for
 * a copy never holds its own row. */
int backup_note(struct store *s, struct lk_text place, lk_instant at, struct lk_error *err) LK_MUST_CHECK;
/* Tokens of identity are to be found again in the log. */
int mend_tokens(struct store *copy, struct lk_error *err) LK_MUST_CHECK;
/* What the mark of the old file says goes beyond what is left in the copy, or does not. */
int mend(struct store *copy, const struct store_mark *mark, struct store_rebuild *told, struct lk_error *err) LK_MUST_CHECK;

/* ---- store.c ---------------------------------------------------------------------------------- */

/* Ends the transaction in which rc came about: committed if it is 0, else rolled back. 0: on disk. */
int store_end(struct store *s, int rc, struct lk_error *err) LK_MUST_CHECK;
/* A store that has opened nothing yet; store_close() gives it back. */
int store_make(const struct store_options *options, struct store **out,
	       struct lk_error *err) LK_MUST_CHECK;
struct file_kind;
/* Opens the database alone. */
int store_load(struct store *s, const struct file_kind *kind, struct lk_error *err) LK_MUST_CHECK;

/* A place in a mailbox that holds nothing any more says so from now on. */
int notice_bury(struct store *s, struct lk_text worker, int64_t ref, int64_t seq,
		struct lk_error *err) LK_MUST_CHECK;

/* ---- migrate.c ------------------------------------------------------------------------------ */

/* What a kind of file is: its name, its mark, and how to come from each version to the next. */
struct file_kind {
	const char *name;
	int32_t application_id;
	unsigned mode;
	const char *locking;     /* pragma value */
	int cache_kib;           /* pages in memory, at most */
	const char *synchronous; /* pragma value */
	bool remade; /* a projection: what cannot be used is not refused but made anew */
	const char *const *const *version; /* [n]: NULL-ended pieces that make n + 1 of n */
	int versions;
};
extern const struct file_kind linkages_file, state_file;

/* Opens, creates or migrates one file of the store: 0, or negative. 1: it is to be made anew. */
int file_open(struct store *s, const struct file_kind *kind, sqlite3 **db,
	      struct lk_error *err) LK_MUST_CHECK;
/* Syncs a file; a directory whose entries have changed. */
int path_sync(const char *path, struct lk_error *err) LK_MUST_CHECK;
int entries_sync(const char *directory, struct lk_error *err) LK_MUST_CHECK;
/* An empty file of that mode, in the place of whatever was there. */
int file_reserve(const char *path, unsigned mode, struct lk_error *err) LK_MUST_CHECK;
/* From now on changes go to a write-ahead log: a copy that was made of a file has another kind of journal. */
int file_keep_log(struct store *s, sqlite3 *db, const char *what,
		  struct lk_error *err) LK_MUST_CHECK;
/* Takes a file and its logs away. */
int file_remove(struct store *s, const struct file_kind *kind, struct lk_error *err) LK_MUST_CHECK;

/* ---- state.c -------------------------------------------------------------------------------- */

/* Opens state.db; makes it anew where it is another version, damaged, of another store or an old
 * copy. */
int state_open(struct store *s, struct lk_error *err) LK_MUST_CHECK;
int state_load(struct store *s, struct lk_error *err) LK_MUST_CHECK;
/* Its own transaction begins, if it has not, within one of linkages.db that changes no family. */
int state_begin(struct store *s, struct lk_error *err) LK_MUST_CHECK;
/* Every family's rows are to be filled in again. */
int state_mark_all(struct store *s, struct lk_error *err) LK_MUST_CHECK;
/* Commits what was filled in, before the marks are cleared for good. */
int state_commit(struct store *s, struct lk_error *err) LK_MUST_CHECK;
void state_rollback(struct store *s);
/* It has rows of that family; also where that cannot be found out. */
bool state_may_have(struct store *s, const uint8_t id[LK_DIGEST]);

#endif
