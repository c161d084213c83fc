/* turn_parts.h - what the files of the turn share. Nobody else includes it.
 *
 * A batch:       turn.c (begin, commit, tell), turn_reader.c (read by a thread; work that it shares), turn_admit.c (one event), turn_effect.c (what it
 *                changes)
 * A family:      turn_homes.c (at hand), turn_settle.c (fold, derive, compare), turn_nearby.c (what reaches in from others),
 *                turn_write.c (tellings), turn_tally.c (tellings, counted)
 * From the log:  turn_gather.c (its events), turn_hand.c (those that were read already), turn_links.c (which cases are
 *                linked), turn_refold.c (families anew), turn_waiting.c (while the log has holes)
 * Time:          turn_pass.c (what falls due), turn_sources.c (who was heard, who is silent)
 * Workers:       turn_mailbox.c (hand-out), turn_answer.c (answers)
 * Operators:     turn_idle.c (state.db), turn_rebuild.c, turn_expunge.c, turn_family.c and its like (questions)
 *
 * Functions that return int give 0 or more, or a negative code with err filled; then the transaction is to be rolled back.
 */
#ifndef LINKAGES_TURN_PARTS_H
#define LINKAGES_TURN_PARTS_H

#include "engine/compare.h"
#include "engine/fold.h"
#include "turn.h"

#include <stdatomic.h>

/* A family at hand: its state, and what was told of it. */
struct home {
	struct home *next; /* in its bucket */
	struct home *newer, *older; /* by use */
	uint64_t used;     /* turn.commits when it was asked for last */
	size_t bytes;      /* as last weighed */
	uint8_t id[LK_DIGEST];
	uint8_t policy[LK_DIGEST];
	struct family f;
	struct tolds told;
	lk_instant wake_at;
	uint32_t fresh; /* cause that the event at hand has just become; NONE */
	bool is_tokenless; /* none of its cases has a token: as was found once, until a token comes */
	bool is_dirty;  /* differs from its row */
	bool is_stale;  /* the row's state was of another layout: to be folded from the log */
};

/* A mailbox that has grown, to be told of after COMMIT. */
struct grown {
	char worker[65];
	int64_t seq;
	uint32_t next; /* index + 1 of another in its bucket; 0: none */
};
#define GROWN_BUCKETS 256

struct answered {
	char worker[65];
	uint8_t notice[LK_DIGEST];
	lk_instant at;
};

struct source_state {
	struct turn_source source;
	lk_instant heard_at; /* LK_NO_INSTANT: not yet */
	bool is_silent, was_silent; /* in this transaction; as committed */
	/* That it has come to, of a dense sequence, 0: none; with this transaction; as the store was told. */
	int64_t number, comes_to, kept_number;
};

struct tally {
	struct turn_made *made; /* in this transaction */
	uint32_t made_n, made_room;
	int64_t unanswered, committed;
};

/* What an event says, and what follows of its row from that alone. */
struct event_reading {
	bool is_read; /* else it makes no sense */
	struct lk_refused refused; /* where it is not read */
	struct lk_event event; /* where it is; borrows from the bytes that came */
	bool is_packed; /* for its row, as it came, which is the canonical form then */
	struct stored_packed packed;
	bool is_foreseen; /* what the store knows of its case's family is in the slot of its reading */
};

/* For events that a damage has taken out of the log: turn_waiting.c. */
struct waiting {
	bool is_on;         /* no family is folded from the log */
	bool lacks_events;  /* some are known to be gone: a family without a state is not folded either */
	bool has_caught_up; /* an outbox that was asked again has sent all of it: to be looked at */
	int quiet_beats;    /* since one was sent again */
	int64_t kept;       /* what the store says of is_on and lacks_events, as committed */
	lk_instant since, back_at; /* when it began, and when one was sent again last; LK_NO_INSTANT: not looked at yet */
};

/* Rooms for families that are being packed: each is of the loop or of the thread. */
struct packer {
	struct lk_bytes row;    /* of the one at hand */
	struct lk_bytes deltas; /* of this transaction's */
};
enum { BY_LOOP, BY_THREAD, PACKERS };

struct home_draft {
	struct home *home;
	bool is_made;
	size_t bytes; /* that the home weighs */
	struct stored_draft row;
};

/* Work in like pieces that the loop and the thread share: each is done by one of them, once. Fewer than so many wake nobody. */
#define SHARED_LEAST 32u
typedef void shared_piece(struct turn *t, int by, size_t i);
struct shared {
	shared_piece *piece;
	size_t n;
	atomic_size_t next;
};

#define HOME_BUCKETS 65536
#define HOMES_BYTES ((size_t)68 << 20) /* kept from batch to batch; histories give way first, then whole families */

struct turn {
	struct store *store;
	const struct policy *policy;
	struct turn_sink sink;
	struct source_state *sources;
	size_t sources_n;
	int64_t replay_window_us;
	lk_instant now;             /* of the last call */
	lk_instant kept_at;         /* what the store was told of it last; LK_NO_INSTANT: nothing yet */
	lk_instant said_at;         /* of the event at hand, as it says itself; LK_NO_INSTANT */
	lk_instant wake_at;         /* as last told to the sink */
	uint8_t revision[LK_DIGEST]; /* of the policy and of what silence has held back: in this transaction */
	uint8_t committed[LK_DIGEST]; /* the same, as committed */
	int families_most;          /* that one pass takes on */
	int fill_most;              /* that one bite takes into state.db */
	bool is_taking;             /* events, in this transaction */
	bool is_told_by_events;     /* the events of this transaction say in their rows when it was */
	bool feeds_due;             /* nobody has looked yet whether what is told of sources is so */
	bool is_behind;             /* some family was derived under another revision */
	struct behind {
		struct behind_place place; /* where counting them stands */
		int64_t so_far, n;         /* n: as counted last */
		bool is_counted;
	} behind;
	bool retells;               /* while families are gathered: they may have been folded without events that are back now */
	const bool *apart;          /* while a family is gathered: which of its cases have lost others by a link that was undone; or NULL */
	struct waiting waiting;
	bool is_renewed;            /* mailboxes have begun anew, and outboxes may well have been told more than is here */
	int64_t links_by;           /* as the value STORE_LINKS_BY */
	struct home *homes[HOME_BUCKETS], *newest, *oldest;
	struct home *whole; /* the oldest whose history may not have given way yet; NULL: all have */
	size_t homes_bytes, homes_most; /* at hand; from batch to batch */
	uint64_t commits; /* so far: whoever was not asked for since the last one is as its row is */
	struct grown *grown;
	uint32_t grown_n, grown_room;
	uint32_t grown_at[GROWN_BUCKETS]; /* index + 1; 0: none */
	struct reader *reader;      /* reads events beside the loop; NULL: nobody does */
	struct event_reading reading;     /* of the event at hand, where the loop has read it */
	struct hand *hand;          /* events that gatherings of this transaction have read */
	struct lk_notice notice;    /* that is being written, and the room for its texts */
	struct notice_room room;
	struct packer packers[PACKERS];
	struct home_draft *drafts;   /* rows of this transaction */
	uint32_t drafts_n, drafts_room;
	struct shared shared;
	struct handed *handed;      /* notices of the hand-out at hand, and their bodies */
	uint32_t handed_room;
	struct lk_bytes bodies;
	struct lk_bytes each;       /* bodies told in this transaction, where the sink asks for each */
	struct answered *answered;
	uint32_t answered_n, answered_room;
	struct tally tally;
	int64_t touched; /* how often turn_touch() was asked; begins where the store left it */
	struct turn_expunging *expunging; /* is to look at each family that is written; NULL: none is under way */
	struct stored_stream stream; /* the outbox of the batch at hand; source absent: none */
	char stream_source[65];
};

/* What is said of a pair of cases, and which the other one is. */
static inline bool is_link(int type)
{
	return type == LK_LINK_CONFIRMED || type == LK_LINK_REFUSED || type == LK_LINK_REMOVED;
}
static inline struct case_key other_of(const struct lk_event *e)
{
	return (struct case_key){ e->link_confirmed.other.agency, e->link_confirmed.other.number };
}
/* It is of a case that was expunged, or of a link to one. */
static inline bool names_expunged(const struct turn *t, const struct lk_event *e)
{
	return store_is_expunged(t->store, (struct case_key){ (int)e->agency, e->subject }) ||
	       (is_link((int)e->type) && store_is_expunged(t->store, other_of(e)));
}

/* ---- turn_homes.c ---------------------------------------------------------------------------- */

/* The family with this id, from the cache or its row; made empty where there is neither. NULL: err
 * says why. */
struct home *home_get(struct turn *t, const uint8_t id[LK_DIGEST], struct lk_error *err);
/* 1 and *out: the family the case belongs to; 0: none; negative. */
int home_of_case(struct turn *t, struct case_key key, struct home **out, struct lk_error *err);
/* The same, of which moments and records of what was told may be away: for whoever settles it, or asks for home_fetch(). */
int home_at_hand(struct turn *t, struct case_key key, struct home **out, struct lk_error *err);
/* The same of a notice's own case; 0 also where it has none. */
int home_of_notice(struct turn *t, const struct stored_notice *notice, struct home **out, struct lk_error *err);
/* The same of a case, which is made where it is new. */
int home_open(struct turn *t, struct case_key key, struct home **out, struct lk_error *err);
/* It is about to be asked for: where it is at hand, the processor fetches it from memory meanwhile. */
void home_expect(const struct turn *t, const uint8_t id[LK_DIGEST]);
void homes_expect(const struct turn *t, uint8_t (*ids)[LK_DIGEST], uint32_t n);
/* Nothing is away from now on. Pointers to its moments and records are void. */
int home_fetch(struct turn *t, struct home *h, struct lk_error *err);
/* Out of the cache and the store. */
int home_drop(struct turn *t, const uint8_t id[LK_DIGEST], struct lk_error *err);
int homes_flush(struct turn *t, struct lk_error *err); /* writes what is dirty, within the transaction */
/* The same, and the store's rows with it, at the end of the transaction. */
int homes_flush_last(struct turn *t, struct lk_error *err);
void packers_free(struct turn *t);
void homes_forget(struct turn *t);                      /* all, after a rollback */
/* Of work that goes through all families: one that was not at hand before it was asked for does not stay, so that those that are spoken
 * of do. One that is changed stays. */
bool home_is_here(const struct turn *t, const uint8_t id[LK_DIGEST]);
void home_let_go(struct turn *t, const uint8_t id[LK_DIGEST]);
void homes_trim(struct turn *t);                        /* back to homes_most, between transactions: of those used last more stays */
/* The id a family has: of its first case, by agency and number. */
void home_id(const struct case_key *first, uint8_t out[LK_DIGEST]);

/* ---- turn_settle.c --------------------------------------------------------------------------- */

/* Fold what time brought, derive, compare, write the difference: at this instant. */
int home_settle(struct turn *t, struct home *h, lk_instant at, struct lk_error *err);
/* Everything of the home that fell due before now, each at its own instant. */
int home_catch_up(struct turn *t, struct home *h, lk_instant now, struct lk_error *err);
/* Sources have no family: what is told of them lives in a home of its own, whose id is zeroes. */
extern const uint8_t feeds_id[LK_DIGEST];
int feeds_settle(struct turn *t, lk_instant at, struct lk_error *err); /* feed.silent */

/* A look at what a settling would say, of a family that nobody keeps: nothing is written. */
struct foresight {
	const struct policy *policy;
	const struct trace *trace; /* may be NULL */
	void *context;
	/* What would be told, of state and then of answers; borrowed until it returns. May be NULL; negative stops. */
	int (*see)(void *context, const struct derivation *d, const struct tolds *told, const struct outcome *out);
};
/* As home_settle(); h->told and h->wake_at are as they would be. h->id names the family that is kept. */
int home_foresee(struct turn *t, struct home *h, lk_instant at, const struct foresight *see,
		 struct lk_error *err);

/* ---- turn_sources.c -------------------------------------------------------------------------- */

int sources_copy(struct turn *t, const struct turn_options *o, struct lk_error *err);
/* Families remember under what they were derived: the policy, and how often a silence that held them back has ended. After a
 * change of either: they are behind. */
int revision_set(struct turn *t, struct lk_error *err);
/* Within a transaction: what has begun or ended to be silent by now. */
int silence_settle(struct turn *t, lk_instant now, struct lk_error *err);
lk_instant silence_next(const struct turn *t); /* when the next source will be silent; LK_NO_INSTANT */
void source_comes_to(struct turn *t, struct lk_text source, int64_t number); /* of this transaction */
void silence_keep(struct turn *t);             /* after COMMIT */
void silence_undo(struct turn *t);             /* after a rollback */
int time_recall(struct turn *t, struct lk_error *err); /* as the store was left */
void time_advance(struct turn *t, lk_instant now);     /* never back */
/* Within a transaction: the time, when each source was heard, and to what number it has come. */
int time_keep(struct turn *t, struct lk_error *err);
bool is_time_kept(const struct turn *t); /* this transaction need not */
void time_was_kept(struct turn *t);      /* after COMMIT */

/* ---- turn_nearby.c --------------------------------------------------------------------------- */

/* Its meetings as other families' workers see them. */
int home_write_calendar(struct turn *t, const struct home *h, struct lk_error *err);
/* After a change of its meetings: the other families whose workers they require. */
int settle_neighbours(struct turn *t, struct home *h, lk_instant at, struct lk_error *err);
/* Other families, once each; freed by free(ids). */
struct neighbours {
	const uint8_t *of; /* the family whose they are */
	uint8_t (*ids)[LK_DIGEST];
	uint32_t n, room;
};
/* Adds those with workers of the family's calendar as it was last written. */
int neighbours_had(struct neighbours *all, struct turn *t, const uint8_t family[LK_DIGEST],
		   lk_instant at, struct lk_error *err);
int settle_others(struct turn *t, const struct neighbours *all, lk_instant at, struct lk_error *err);
/* After a change of who is open and who works there: the families that equal tokens make a likely
 * match. */
int settle_lookalikes(struct turn *t, struct home *h, lk_instant at, struct lk_error *err);

/* ---- turn_write.c ---------------------------------------------------------------------------- */

#define BASIS_MAX 400
/* The consent in force that content of this topic rests on: 'consent SOURCE/ID'. */
void content_basis(const struct family *f, int topic, char out[BASIS_MAX]);

/* ---- turn_mailbox.c -------------------------------------------------------------------------- */

/* The last telling of a record, as it stands in its mailbox: 1; 0 where it does not, by its age or by a damage: a rebuild may know
 * only that something had been told in this place, or something else is in it by now; negative. */
int told_body(struct turn *t, const struct tolds *told, const struct told *record, struct lk_bytes *body, struct lk_error *err);
/* When what the row tells happened, where it is content and a moment, which are asked for that: a correction may have found an
 * earlier time since. */
lk_instant home_happened_at(const struct home *home, const struct stored_notice *row);
/* May its reader see it now: is there still a link to the case the facts are from, and a consent for their topic? Asked at
 * each hand-out, and by whoever says what a hand-out would show. 1, 0 or negative. */
int notice_may_show(struct turn *t, const struct stored_notice *row, struct lk_error *err);
/* A case of these was expunged, and is in the store all the same: an older backup brought it back, or the order was cut
 * short. What is to be gone is shown to nobody. */
bool notice_is_expunged(const struct turn *t, const struct stored_notice *row);
bool family_is_expunged(const struct turn *t, const struct family *f);
int expunged_refuse(struct lk_error *err); /* LK_ESTATE */
/* As home_of_case(), folded from the log where it waits for that: a transaction of its own. LK_ESTATE while the log has holes. */
int home_folded(struct turn *t, struct case_key key, struct home **out, struct lk_error *err);
/* The same for somebody who asks to see it: 1; LK_ENOTFOUND; LK_ESTATE, also of one that was expunged; negative. */
int home_to_show(struct turn *t, struct case_key key, struct home **out, struct lk_error *err);

/* ---- turn_hand.c ----------------------------------------------------------------------------- */

/* An event of the log, to be folded with others of its family. */
struct gathered_event {
	struct fold_key key; /* its texts point into row */
	uint32_t kase;       /* of the gathering */
	uint32_t other;      /* of a link by token, and of a word on a link; NONE: not of the gathering */
	struct lk_text numbers[2]; /* its two cases'; else empty */
	int type;
	bool is_out; /* superseded by what was known at an instant that has passed */
	struct lk_text supersedes;
	struct lk_event *decoded; /* as much of it as its type has; NULL: not yet */
	size_t decoded_len, body_len;
	const uint8_t *body;
	uint8_t row[]; /* source, id, supersedes, body */
};
struct gathered_list {
	struct gathered_event **at; /* free() gives it back */
	uint32_t n;
};

struct gathered_event *gathered_copy(const struct stored_event *row); /* NULL: no memory */
void gathered_free(struct gathered_event *e);                        /* NULL-safe */
/* Texts of the event live as long as e. */
int gathered_decode(struct turn *t, struct gathered_event *e, struct lk_event *out, struct lk_error *err);

#define HAND_CASES 32 /* at hand at one time */
/* While events are taken: the case's events that count now, all of them. The taker has them alone, and gives them back. */
bool hand_take(struct turn *t, struct case_key key, struct gathered_list *out);
void hand_give(struct turn *t, struct case_key key, const struct gathered_list *list);
/* An event has come into the log that nothing known supersedes. */
void hand_note(struct turn *t, const struct stored_event *row);
void hand_drop(struct turn *t); /* what was read counts no more */

/* ---- turn_refold.c --------------------------------------------------------------------------- */

/* Folds the families of these cases anew from the log, as links join them now, and settles them. */
int refold(struct turn *t, const struct case_key *cases, size_t n, lk_instant at, struct lk_error *err);
/* Of one that is behind, and that no case belongs to any more, nothing stands: it is not behind then. */
int family_without_cases(struct turn *t, struct home *h, lk_instant at, struct lk_error *err);

/* ---- turn_waiting.c -------------------------------------------------------------------------- */

/* As refold(), now if the log is whole; else the families stay as they are and are behind, until it is. */
int refold_when_whole(struct turn *t, const struct case_key *cases, size_t n, lk_instant at, struct lk_error *err);
/* Whether the store waits for what a damage took. */
int waiting_recall(struct turn *t, struct lk_error *err);
/* An outbox sends again what it was asked for; the last of it. */
void waiting_sent_again(struct turn *t, bool is_last);
void waiting_came_back(struct turn *t); /* what it sent was gone from the log */
int waiting_beat(struct turn *t, struct lk_error *err); /* within a transaction, whatever the clock says */
/* Within a transaction that is about to be committed: whether it waits, for the next start. What was rolled back is kept with
 * the next one. */
int waiting_keep(struct turn *t, struct lk_error *err);
void waiting_was_kept(struct turn *t); /* after COMMIT */
/* Within a transaction. 1: it waits; 0: not, or not any more; negative. */
int waiting_look(struct turn *t, lk_instant now, struct lk_error *err);
lk_instant waiting_until(const struct turn *t); /* when to look */
int waiting_refuse(struct turn *t, struct lk_error *err); /* LK_ESTATE: it says what is waited for */

/* ---- turn_links.c ---------------------------------------------------------------------------- */

/* Finds anew whether the two cases are linked, from all that was said of the pair. */
int links_settle_pair(struct turn *t, struct case_key a, struct case_key b, struct lk_error *err);
/* 1: a person has said no to the pair after this link.confirmed, of `own`; 0; negative. */
int links_is_void(struct turn *t, struct case_key own, struct case_key other, struct lk_text source,
		  struct lk_text id, struct lk_error *err);
/* Keeps the tokens of identity that the case's openings carry, and finds anew which links they and its own words
 * make. The number of pairs that were looked at: 0 where nothing of it can have changed a family.
 */
int links_settle_case(struct turn *t, struct case_key key, struct lk_error *err);
/* Are links to be found again, for other tokens link by themselves than did, or rows of them were lost? */
bool links_are_behind(const struct turn *t);
/* All links and tokens of a case, of its family, and of whatever families they lead to, as the log and the policy at hand
 * have them; the families that they make are not gathered. */
int links_settle_all(struct turn *t, struct case_key key, struct lk_error *err);
/* The same after an opening was taken back; families that looked alike are settled, too. */
int links_undo_opening(struct turn *t, struct case_key key, lk_instant at, struct lk_error *err);

/* ---- turn_gather.c --------------------------------------------------------------------------- */

/* The events of a case's family at hand, to be folded as often as one likes into families that nobody keeps: those that
 * are known, or only those that were known at an instant. */
struct gathering;
int gathering_open(struct turn *t, struct case_key key, lk_instant known_at, struct gathering **out,
		   struct lk_error *err);
void gathering_close(struct gathering *g); /* NULL-safe */
/* Events up to `until`. `out` is one that family_init() or an earlier call has made; its trace is kept. */
int gathering_fold(struct gathering *g, const struct policy *policy, lk_instant until,
		   struct family *out);

/* ---- turn_reader.c --------------------------------------------------------------------------- */

/* The events of a batch may be read from here on, before reader_take() asks for each in turn; none is looked at after
 * reader_end(). */
void reader_begin(struct turn *t, const struct turn_event *events, size_t n);
/* Valid until the next is taken. */
const struct event_reading *reader_take(struct turn *t, const struct turn_event *events, size_t i);
void reader_end(struct turn *t);
/* Between batches: pieces 0 to n - 1 are done from here on, some of them by the thread, if there is one and they are worth it; and
 * all are done when the second call returns. */
void reader_share(struct turn *t, shared_piece *piece, size_t n);
void reader_join(struct turn *t);
void reader_stop(struct turn *t); /* NULL-safe: where turn_start_reader() was not asked for, nothing */
/* The row of an event that was read; its position is the store's. */
struct stored_event reading_row(const struct turn_event *in, const struct lk_event *e, struct lk_span canonical,
				lk_instant now);

/* ---- turn_admit.c ---------------------------------------------------------------------------- */

int admit(struct turn *t, const struct turn_event *in, const struct event_reading *reading, lk_instant now,
	  struct turn_verdict *verdict, struct lk_error *err);
int stream_flush(struct turn *t, struct lk_error *err);

/* ---- turn_effect.c --------------------------------------------------------------------------- */

/* An event whose time has come, or that has just arrived: folds it and settles what it touches. */
int effect_settle(struct turn *t, const struct lk_event *event, const struct stored_event *row, bool is_known_case,
		  lk_instant at, struct lk_error *err);
/* An event that is back in the log, which a damage had taken it from: its family was folded with it, and stays as it is
 * until the log is whole. */
int effect_of_return(struct turn *t, const struct lk_event *event, const struct stored_event *row, bool is_known_case,
		     lk_instant at, struct lk_error *err);
/* An event that the feed had brought has a place in its source's outbox now, which may stand between equals. */
int effect_of_place(struct turn *t, const struct lk_event *event, int64_t place, lk_instant now,
		    struct lk_error *err);

/* ---- turn_tally.c ---------------------------------------------------------------------------- */

int tally_load(struct turn *t, struct lk_error *err);
/* Counts a telling in this transaction. LK_EMEMORY. */
int tally_notice(struct turn *t, const struct told *record, const struct lk_notice *n, struct lk_error *err);
void tally_answer(struct turn *t, const struct told *record);
int64_t tally_waiting(const struct tolds *told);            /* of these, how many wait for a person */
void tally_forget(struct turn *t, const struct told *record); /* it is as if it had never been told */
int tally_flush(struct turn *t, struct lk_error *err); /* within the transaction */
void tally_tell(struct turn *t);                       /* after COMMIT */
void tally_undo(struct turn *t);

/* ---- turn_expunge.c -------------------------------------------------------------------------- */

/* A family as it is, or as it will be: was it told of the cases that are to go? */
int expunge_look(struct turn_expunging *x, const struct stored_family *row, struct lk_error *err);

/* ---- turn_idle.c ----------------------------------------------------------------------------- */

/* The family's rows in state.db, within a transaction that changes no family: 1, or 0 where it waits
 * to be gathered anew. */
int home_project(struct turn *t, const uint8_t id[LK_DIGEST], struct lk_error *err);

/* ---- turn.c ---------------------------------------------------------------------------------- */

/* Remembers for after COMMIT. LK_EMEMORY. */
int note_grown(struct turn *t, struct lk_text worker, int64_t seq, struct lk_error *err);
int turn_commit(struct turn *t, struct lk_error *err); /* flush, COMMIT, tell; on failure rolls back */
void turn_undo(struct turn *t);

#endif
