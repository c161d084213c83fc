/* rig.h - the daemon without its sockets, on a disk that fails: the real store and turn, the outboxes of the agencies in
 * front of them, and what was promised to whom.
 *
 * A history is cut into deeds: a batch of events and the time that passes with it, answers of a worker, idle bites, a
 * restart. Whatever happens to the disk, playing the same deeds to their end must leave what an undisturbed run left.
 */
#ifndef LINKAGES_TESTS_RIG_H
#define LINKAGES_TESTS_RIG_H

#include "../property/history.h"
#include "crashvfs.h"

enum deed_kind { DEED_BATCH, DEED_ANSWERS, DEED_IDLE, DEED_RESTART };

struct deed {
	enum deed_kind kind;
	lk_instant now;
	uint32_t from, until; /* DEED_BATCH: places in the script's `sent` */
	int worker;           /* DEED_ANSWERS */
};

/* One event in the order of sending, and its place in the outbox of its source. */
struct sent {
	const struct said *said;
	int64_t seq;
};

struct script {
	struct history *h;
	struct order o;
	struct sent *sent;
	uint32_t sent_n;
	struct deed *deed;
	uint32_t deed_n;
};

struct script *script_roll(uint64_t seed, const struct policy *policy);
void script_free(struct script *script);

/* What people and agencies outside know: it survives what the daemon does not. */
struct outside {
	uint32_t done;                       /* deeds */
	lk_instant now;                      /* of the deed that was tried last */
	int64_t acked[HISTORY_SOURCES];      /* told to the outbox */
	int64_t told[HISTORY_WORKERS];       /* told to the worker's session */
	uint8_t mailbox[HISTORY_WORKERS][LK_DIGEST];
	uint8_t era;                         /* outboxes made anew so far */
	uint32_t answering;                  /* the deed of answers that has begun, + 1 */
	int64_t answers_upto;                /* it is about the mailbox up to here */
};

struct gone {
	int agency;
	char number[16];
};

struct rig {
	const struct script *script;
	const struct policy *policy;
	struct store *store;
	struct turn *turn;
	struct outside outside;
	struct lk_error err;
	bool keeps_all;   /* nothing has happened that the daemon may ask again for */
	bool replays;     /* it does, in the batch at hand */
	const struct gone *gone; /* cases that were expunged: whatever names one must be lost */
	size_t gone_n;
	bool is_beside;   /* checkpoints are made by a thread, after each batch */
	bool is_endless;  /* what falls due comes to no end: no disk is to blame for that */
	int wrong;        /* promises found broken */
	char what[160];   /* the first of them */
};

/* Store and turn, as at a start of the daemon; then the outboxes subscribe. 0 or negative; closed again if negative. */
int rig_open(struct rig *r);
void rig_close(struct rig *r);
/* Deeds up to, not including, `until`. 0, or what the first call said that failed. */
int rig_go(struct rig *r, uint32_t until);
/* The outboxes are made anew, and begin from their first event. */
void rig_renew(struct rig *r);
/* The outboxes send again what they are asked for, of the deeds that were done. 0 or negative. */
int rig_replay(struct rig *r);
/* Where a source's outbox is in a store; as if nothing had ever come where it is not known. */
void rig_stream(struct rig *r, struct store *s, int source, struct stored_stream *out);
/* What was promised is there: acknowledged events, told notices, whole batches, dense mailboxes. */
void rig_check(struct rig *r);
/* What the mailboxes hold: a digest over all tellings. */
void rig_mail(struct rig *r, uint8_t digest[LK_DIGEST]);
/* Every family anew from the log must tell nobody anything. */
void rig_check_compare(struct rig *r);
/* Families are what follows from the log, and what state.db says of those that do not wait for it is what follows from them. */
void rig_check_state(struct rig *r);
void rig_wrong(struct rig *r, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
