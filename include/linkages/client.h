/* client.h - liblinkages: an outbox for agencies, an inbox for workers, questions for operators.
 *
 * The library does nothing hidden: no threads, timers or signals of its own (libzmq keeps one I/O thread for each
 * publisher, inbox or asker), no exit(), nothing printed. Each session has one descriptor that stays the same for its
 * life and turns readable whenever its process function has something to do, the passing of time included: add it to
 * any event loop, or call the wait function, which is a small loop of its own.
 *
 * Threads: an object and what it borrows belong to one thread at a time. Different objects may be used in different
 * threads. Callbacks are called from inside process, wait or take, on the same thread, and may not destroy the object
 * that calls them.
 *
 * Errors: 0 or a count, or a negative enum lk_fault with *err filled (err may be NULL). A failed call has changed
 * nothing. Every destroy or close function accepts NULL.
 */
#ifndef LINKAGES_CLIENT_H
#define LINKAGES_CLIENT_H

#include <linkages/message.h>

/* The version of the library, "1.0.0". Never NULL. */
const char *lk_version(void);

/* ---- Keys -------------------------------------------------------------------------------------------------------- *
 * CURVE keys, written in Z85: 40 characters. A key file has the public key on line 1 and the secret on line 2; a .pub
 * file has line 1 only. */

#define LK_Z85 41 /* bytes, NUL included */

struct lk_keypair {
	char public_key[LK_Z85];
	char secret_key[LK_Z85];
};

/* A new pair from the system's randomness. LK_EMEMORY where there is none. */
int lk_keypair_make(struct lk_keypair *out, struct lk_error *err) LK_MUST_CHECK;
/* Reads a key file. LK_ENOTFOUND: no such file. LK_ECONFIG: not a key file, the two keys are no pair, or people who
 * are neither owner nor group may read it. */
int lk_keypair_read(const char *path, struct lk_keypair *out, struct lk_error *err) LK_MUST_CHECK;
/* Writes PATH (0600) and syncs it. Never overwrites: LK_ESTATE where PATH is there already. */
int lk_keypair_write(const char *path, const struct lk_keypair *keys, struct lk_error *err) LK_MUST_CHECK;
/* Line 1 of a .pub file (or of a key file, whose line 2 is not looked at). LK_ENOTFOUND, LK_ECONFIG. */
int lk_public_key_read(const char *path, char out[LK_Z85], struct lk_error *err) LK_MUST_CHECK;
/* Writes a .pub file (0644) of one line; never overwrites. */
int lk_public_key_write(const char *path, const char key[LK_Z85], struct lk_error *err) LK_MUST_CHECK;

/* The daemon, and who we are to it. Copied by whoever is given one. */
struct lk_peer {
	const char *address;      /* "tcp://host:port" or "ipc:///path" */
	char server_key[LK_Z85];  /* the county hands it out */
	struct lk_keypair keys;   /* our own, enrolled in the daemon's table of clients */
};

/* How a session stands, for people and for programs. */
struct lk_session_state {
	bool connected;     /* greeted by the daemon, and not silent since */
	bool clock_manual;  /* inbox only: the daemon's clock is moved by hand (training, tests) */
	char trouble[400];  /* why it is not connected, as a sentence; empty where nothing is wrong */
};

/* ---- Outbox: nothing that was appended is lost --------------------------------------------------------------------- *
 * One SQLite file for one source. Numbers (seq) are dense from 1 within an epoch, a random name made with the file. An
 * event is deleted only when the daemon says that it needs it no more (safe), so that the daemon can be given
 * everything again after it lost something. One process may hold an outbox at a time. */

struct lk_outbox;

struct lk_outbox_state {
	char source[65];
	char epoch[LK_DIGEST_HEX];
	int64_t first;   /* oldest seq kept; last + 1 where nothing is kept */
	int64_t last;    /* highest seq that is on disk; 0: none yet */
	int64_t acked;   /* the daemon has committed everything up to here */
	int64_t refused; /* how many refusals are on record */
};

/* Opens PATH, or makes it (0600) where it is not there; NULL: in memory, gone at close. `source` NULL: whatever source
 * the file is of; a file that is not there is then LK_ENOTFOUND. LK_ECONFIG: not an outbox, another version's, or another
 * source's. LK_ESTATE: another process holds it. LK_ESTORE, LK_EFULL, LK_ESYNC: the disk. */
int lk_outbox_open(const char *path, const char *source, struct lk_outbox **out, struct lk_error *err) LK_MUST_CHECK;
void lk_outbox_close(struct lk_outbox *outbox);
void lk_outbox_state(const struct lk_outbox *outbox, struct lk_outbox_state *out);

/* Appends one event in MessagePack (lk_json_to_wire() or lk_event_encode() make it); it is kept in canonical form.
 * 0: appended. 1: the very same event is kept already; nothing was done. *seq is its number either way (may be NULL).
 * 0 outside of begin and commit means: on disk, synced. LK_EREFUSED: no MessagePack map, too large, or of another
 * source; `why` (may be NULL) says which. Whether the event makes sense is for the daemon to say. */
int lk_outbox_append(struct lk_outbox *outbox, const void *event, size_t len, int64_t *seq, struct lk_refused *why,
		     struct lk_error *err) LK_MUST_CHECK;
/* Many appends, one sync. Between the two nothing may be sent: lk_publisher_process() answers LK_ESTATE. A rollback, a
 * failed commit, and an append that the disk failed end the batch and forget every append since begin. */
int lk_outbox_begin(struct lk_outbox *outbox, struct lk_error *err) LK_MUST_CHECK;
int lk_outbox_commit(struct lk_outbox *outbox, struct lk_error *err) LK_MUST_CHECK;
void lk_outbox_rollback(struct lk_outbox *outbox);

/* Visits up to `limit` events from seq `from` on, in order. Bytes are borrowed until the visitor returns. A visitor
 * that returns non-zero stops the walk, and the walk returns that; else the number visited. */
typedef int lk_outbox_visitor(void *context, int64_t seq, const void *event, size_t len);
int lk_outbox_read(struct lk_outbox *outbox, int64_t from, int limit, lk_outbox_visitor *visit, void *context,
		   struct lk_error *err) LK_MUST_CHECK;

/* What the daemon refused, by seq. `reason` is a word of LK_REFUSALS, or one that a later daemon knows. */
struct lk_refusal_row {
	int64_t seq;
	struct lk_text id; /* of the event; absent where it has none, or is not kept any more */
	struct lk_text reason, field, detail;
};
typedef int lk_refusal_visitor(void *context, const struct lk_refusal_row *row);
/* Those with a seq above `after`; returns as lk_outbox_read(). */
int lk_outbox_refusals(struct lk_outbox *outbox, int64_t after, lk_refusal_visitor *visit, void *context,
		       struct lk_error *err) LK_MUST_CHECK;

/* For those who speak the intake protocol by other means than a publisher. */

/* The daemon's word on the stream: everything up to `upto` is committed, what is listed of it was refused, and nothing
 * up to `safe` will be asked for again. One transaction, synced. `upto` may go back: a daemon that came back from an
 * older state has less than it had. Deletes up to the smaller of `upto` and `safe`. */
int lk_outbox_settle(struct lk_outbox *outbox, int64_t upto, int64_t safe, const struct lk_msg_refused_item *refused,
		     size_t refused_n, struct lk_error *err) LK_MUST_CHECK;
/* The daemon knows more of this outbox than the outbox does: the file is an old copy. A new epoch, and what is kept is
 * numbered from 1 again. */
int lk_outbox_renew(struct lk_outbox *outbox, struct lk_error *err) LK_MUST_CHECK;

/* ---- Publisher: an outbox's way to the daemon ------------------------------------------------------------------------ *
 * Connects, says what it has, sends what it is asked for within the credit it is given, records verdicts, starts over
 * with a new connection after 15 s of silence, backs off from 1 s to 60 s while the daemon is away. */

struct lk_publisher;

struct lk_publisher_options {
	struct lk_peer peer;
	struct lk_outbox *outbox; /* borrowed; closed by the caller after lk_publisher_destroy() */
	void *context;
	/* The daemon has committed everything up to `upto`; what it refused is on record. May be NULL. */
	void (*settled)(void *context, int64_t upto);
	/* The daemon asked for a new epoch: every seq known before is void; lk_outbox_state() tells the new. May be NULL. */
	void (*renewed)(void *context);
};

int lk_publisher_create(const struct lk_publisher_options *options, struct lk_publisher **out,
			struct lk_error *err) LK_MUST_CHECK;
void lk_publisher_destroy(struct lk_publisher *publisher);
/* Readable: call lk_publisher_process(). Owned by the publisher; the same for its life. */
int lk_publisher_fd(const struct lk_publisher *publisher);
/* Does a bounded bite of what there is to do, without blocking; also call it after appending to the outbox. 0, or
 * LK_EAUTH: the daemon speaks another version, or forbids this key this source: retrying does not help. Disk errors
 * of the outbox as above. A daemon that is away is no error: see lk_publisher_state(). */
int lk_publisher_process(struct lk_publisher *publisher, struct lk_error *err) LK_MUST_CHECK;
/* Blocks until everything that is in the outbox is acknowledged (1), or timeout_ms have passed (0; -1: no limit).
 * Negative as lk_publisher_process(), or LK_ESTATE where a signal interrupted the wait. */
int lk_publisher_wait(struct lk_publisher *publisher, int timeout_ms, struct lk_error *err) LK_MUST_CHECK;
void lk_publisher_state(const struct lk_publisher *publisher, struct lk_session_state *out);

/* ---- Inbox: a worker's notices, each once --------------------------------------------------------------------------- *
 * The store keeps, in one SQLite file, the notices received together with the place reached in each worker's mailbox,
 * so that neither a lost receipt nor a restart on either side shows a notice twice or not at all. */

struct lk_inbox_store;

/* Opens PATH, or makes it (0600); NULL: in memory, gone at close. Errors as lk_outbox_open(). */
int lk_inbox_store_open(const char *path, struct lk_inbox_store **out, struct lk_error *err) LK_MUST_CHECK;
void lk_inbox_store_close(struct lk_inbox_store *store);

/* The place reached: 1 and filled, 0 where nothing of this worker was ever received. */
struct lk_inbox_place {
	char mailbox[LK_DIGEST_HEX];
	int64_t last;
};
int lk_inbox_store_place(struct lk_inbox_store *store, struct lk_text worker, struct lk_inbox_place *out,
			 struct lk_error *err) LK_MUST_CHECK;

/* A notice as it is kept. */
struct lk_received {
	int64_t position;    /* in order of arrival, over all workers */
	struct lk_text worker;
	int64_t seq;         /* in the worker's mailbox at the time */
	struct lk_span body; /* for lk_notice_decode() */
};
/* Non-zero stops; that notice then counts as not taken. */
typedef int lk_received_visitor(void *context, const struct lk_received *received);
/* Hands over every notice that was received and not taken yet, in order, and then marks them as taken, in one
 * transaction. Each notice is handed over once; again only where the process died between the visit and the mark.
 * Returns the number taken, or negative (also where the visitor stopped with a negative number). */
int lk_inbox_store_take(struct lk_inbox_store *store, lk_received_visitor *visit, void *context,
			struct lk_error *err) LK_MUST_CHECK;
/* The one notice whose id begins with `prefix`: 1, with its id and worker; 0 where there is none; LK_ESTATE where there
 * are several. */
int lk_inbox_store_find(struct lk_inbox_store *store, struct lk_text prefix, char id[LK_DIGEST_HEX], char worker[65],
			struct lk_error *err) LK_MUST_CHECK;

/* For those who speak the inbox protocol by other means than an inbox. Between begin and commit. */
int lk_inbox_store_begin(struct lk_inbox_store *store, struct lk_error *err) LK_MUST_CHECK;
int lk_inbox_store_commit(struct lk_inbox_store *store, struct lk_error *err) LK_MUST_CHECK;
void lk_inbox_store_rollback(struct lk_inbox_store *store);
/* The worker's mailbox is this one from now on, and the place in it is `last`. What was received before is kept, so
 * that repetitions are known by (id, rev). */
int lk_inbox_store_mailbox(struct lk_inbox_store *store, struct lk_text worker, struct lk_text mailbox, int64_t last,
			   struct lk_error *err) LK_MUST_CHECK;
/* One notice as it came (bytes: the notice's map). 1: new; 0: it came already, in a mailbox before this one. A withdrawal
 * for want of consent, or of a wrong link, also erases the earlier tellings of that notice: they may not be seen any more. */
int lk_inbox_store_put(struct lk_inbox_store *store, struct lk_text worker, int64_t seq, struct lk_span notice,
		       struct lk_error *err) LK_MUST_CHECK;

struct lk_inbox;

struct lk_inbox_options {
	struct lk_peer peer;
	struct lk_inbox_store *store; /* borrowed */
	const char *client;           /* a name for this client, 1..64 characters, shown to operators */
	const char *const *workers;   /* whose mailboxes; copied */
	size_t workers_n;             /* 1..1,000 */
	bool answers_only;            /* asks for no notices: for a process that answers while another one reads */
	void *context;
	/* There is something to lk_inbox_store_take(). Called after its commit. May be NULL. */
	void (*received)(void *context);
	/* Everything that was in the mailbox when we connected has been received. May be NULL. */
	void (*caught_up)(void *context, struct lk_text worker, int64_t seq);
	/* A person acknowledged a notice, here or elsewhere. May be NULL. */
	void (*answered)(void *context, struct lk_text worker, struct lk_text notice, struct lk_text by, struct lk_time at);
	/* The daemon did not take an answer; `why` is for people. May be NULL. */
	void (*unanswered)(void *context, struct lk_text worker, struct lk_text notice, struct lk_text why);
};

int lk_inbox_create(const struct lk_inbox_options *options, struct lk_inbox **out, struct lk_error *err) LK_MUST_CHECK;
void lk_inbox_destroy(struct lk_inbox *inbox);
/* As the publisher's. */
int lk_inbox_fd(const struct lk_inbox *inbox);
int lk_inbox_process(struct lk_inbox *inbox, struct lk_error *err) LK_MUST_CHECK;
/* Blocks until there was something to process (1) or timeout_ms have passed (0; -1: no limit). Negative as
 * lk_inbox_process(), or LK_ESTATE where a signal interrupted the wait. */
int lk_inbox_wait(struct lk_inbox *inbox, int timeout_ms, struct lk_error *err) LK_MUST_CHECK;
void lk_inbox_state(const struct lk_inbox *inbox, struct lk_session_state *out);
/* True once every worker's mailbox has been caught up with in the present session. */
bool lk_inbox_caught_up(const struct lk_inbox *inbox);
/* Tells the daemon that a person has acknowledged the notice (32 hex digits). Kept until the daemon confirms it, over
 * reconnections, but not over the end of the process. LK_ENOTFOUND: not a worker of this inbox. LK_EREFUSED: no id. */
int lk_inbox_answer(struct lk_inbox *inbox, struct lk_text worker, struct lk_text notice, struct lk_error *err) LK_MUST_CHECK;

/* ---- Asker: questions and orders on the control lane ---------------------------------------------------------------- */

struct lk_asker;

int lk_asker_create(const struct lk_peer *peer, struct lk_asker **out, struct lk_error *err) LK_MUST_CHECK;
void lk_asker_destroy(struct lk_asker *asker);
/* Asks, and blocks for the answer: `visit` is called with the body of each part (borrowed until it returns; non-zero
 * stops listening and is returned). `args` is a MessagePack map, or {NULL, 0}. 0: answered whole. LK_EREFUSED: the
 * daemon said no, and why is in err. LK_EAUTH: it does not know this key, or forbids this verb. LK_ENET: no answer,
 * or no further part of one, within timeout_ms. */
typedef int lk_answer_visitor(void *context, struct lk_span body);
int lk_asker_ask(struct lk_asker *asker, const char *verb, struct lk_span args, int timeout_ms,
		 lk_answer_visitor *visit, void *context, struct lk_error *err) LK_MUST_CHECK;

/* ---- Identity tokens: who is who, without saying who ---------------------------------------------------------------- *
 * Made on the agency's side with a key that the agencies share and the daemon never has: protocol.md, "Identity and
 * access". The daemon sees the tokens only. */

#define LK_IDENTITY_KEY 32
/* A file of 64 hex digits (and a newline). Errors as lk_keypair_read(). */
int lk_identity_key_read(const char *path, uint8_t key[LK_IDENTITY_KEY], struct lk_error *err) LK_MUST_CHECK;

/* Each normalises, then digests. 0, or -1 where the value cannot be what it says (an SSN without nine digits or with
 * a group of zeroes, a name without letters, a day that does not exist): then no token is made, for a token of nonsense
 * would join strangers. */
int lk_token_cin(const uint8_t key[LK_IDENTITY_KEY], struct lk_text cin, char out[LK_DIGEST_HEX]) LK_MUST_CHECK;
int lk_token_ssn(const uint8_t key[LK_IDENTITY_KEY], struct lk_text ssn, char out[LK_DIGEST_HEX]) LK_MUST_CHECK;
int lk_token_name_dob(const uint8_t key[LK_IDENTITY_KEY], struct lk_text last, struct lk_text first,
		      struct lk_text birth, char out[LK_DIGEST_HEX]) LK_MUST_CHECK;

/* Copies an event (MessagePack) to `out`, with each member's `identity` {cin, ssn, last, first, birth} replaced by
 * `keys`; tokens that were in `keys` already stay. 0; LK_EREFUSED with *why where an identity cannot be made a token
 * of (the path names it, no value is repeated), where there is an identity and `key` is NULL, or where one stands anywhere
 * else: nothing identifying may leave the machine. LK_EWIRE, LK_EMEMORY. */
int lk_identity_seal(const void *event, size_t len, const uint8_t *key, struct lk_bytes *out,
		     struct lk_refused *why) LK_MUST_CHECK;

#endif
