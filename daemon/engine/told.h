/* told.h - what was told to whom: the half of a family's row that no recomputation may change.
 *
 * compare() holds what derive() gives against it; only compare adds to it or takes back.
 */
#ifndef LINKAGES_ENGINE_TOLD_H
#define LINKAGES_ENGINE_TOLD_H

#include "digests.h"

#include <linkages/notice.h>

/* One notice as it was told last. */
struct told {
	uint8_t id[LK_DIGEST];
	uint64_t cause;             /* digest of rule and cause, whoever has it */
	uint64_t content;           /* standing: digest of everything that makes a telling differ from the one before */
	struct word worker, own, other; /* own: number of the recipient's side's case; other: of the case it crossed from */
	int16_t kind;
	int8_t side;                /* lk_agency of `own`; -1: no side */
	int8_t level, topic;
	uint8_t urgency;
	uint8_t live;               /* told and not withdrawn */
	uint8_t doubled;            /* never sent: the worker has it by another place */
	uint32_t rev;
	uint32_t seq;               /* of the last telling, in the worker's mailbox; whoever writes it notes it */
	lk_instant cause_at;        /* of what it tells */
	lk_instant first_told_at;   /* of this life: withdrawn and told again begins anew */
	lk_instant answered_at;     /* LK_NO_INSTANT: nobody has acknowledged it in this life */
	lk_instant proposals[LK_PROPOSALS_MAX]; /* LK_NO_INSTANT: none */
};

/* The state as compare() saw it last. Under an equal scene, before the wake, everything follows that followed then, and
 * only later moments can be news. */
struct settled {
	uint64_t scene;   /* digest of all that rules read but moments, causes and the time; 0: settle it whole */
	lk_instant wake;  /* from when rules may say otherwise by themselves; LK_NO_INSTANT: never */
	uint32_t moments; /* so many have come, and are told or never will be */
};

struct tolds {
	struct words words;
	const struct told *at; /* written to by tolds_change() */
	uint32_t n, room;
	uint32_t away;  /* so many come before them and are in the row alone: tolds_leave() */
	uint16_t *tags; /* of the causes of those */
	/* That are in the row that was unpacked or packed last, those away among them; so many, from the first on, as they are. */
	uint32_t packed, same;
	struct settled settled;
	bool answers_stand;      /* notice.unanswered follows as it did, until answers_wake; not in the row */
	lk_instant answers_wake; /* LK_NO_INSTANT: nothing waits */
	struct digests causes; /* of the records that were looked through for a cause */
	void *block; /* of a row: what has no room of its own lies in it */
	size_t block_len;
	bool failed; /* memory ran out: void */
};

void tolds_free(struct tolds *t); /* NULL-safe; leaves it empty, as zeroes are */
size_t tolds_bytes(const struct tolds *t); /* of memory, about */
void tolds_pack(const struct tolds *t, struct lk_bytes *out);
/* The same bytes, where `was` is the row that t was unpacked from or packed into last (NULL, 0: there is none): what is as
 * it was is taken from there. The new row counts as the last one. */
void tolds_pack_on(struct tolds *t, const void *was, size_t was_len, struct lk_bytes *out);
/* LK_EWIRE: not such a row - told rows are never guessed at; out is empty then. */
int tolds_unpack(const void *row, size_t len, struct tolds *out, struct lk_error *err) LK_MUST_CHECK;
/* Leaves all but the last few records to the row, if they are as in it, to be short in memory: of the others only
 * tolds_may_lack() and tolds_find() may be asked, and tolds_pack_on() unless tolds_must_be_whole(). Whatever else is done
 * with the list wants tolds_fetch() first. */
void tolds_leave(struct tolds *t);
bool tolds_may_lack(const struct tolds *t, uint64_t cause); /* a record of that cause that is away */
bool tolds_must_be_whole(const struct tolds *t); /* to be packed: a record is not as in the row any more */
/* What is away, from the row that t was unpacked from or packed into last: LK_EMEMORY; LK_EWIRE: it is not that row. Pointers
 * to records are void. */
int tolds_fetch(struct tolds *t, const void *row, size_t len, struct lk_error *err) LK_MUST_CHECK;
const struct told *tolds_find(const struct tolds *t, const uint8_t id[LK_DIGEST]); /* NULL: never told, or away */
/* One of its records, to be written to: who keeps the pointer beyond the next packing is not seen to write. */
struct told *tolds_change(struct tolds *t, const struct told *record);
/* The records of one cause, each once, whoever has it: a place in t->at, the one after it; NONE. For want of memory, with
 * t->failed set, there are none. */
uint32_t tolds_of(struct tolds *t, uint64_t cause);
uint32_t tolds_after(const struct tolds *t, uint32_t place);
/* A zeroed record; with t->failed set a scratch one. Pointers from before are void. */
struct told *tolds_add(struct tolds *t);
/* Copies one record of another list, words and all. */
void tolds_move(struct tolds *to, const struct tolds *from, const struct told *record);
/* The same, where `to` may have a record of its id: of the two the live one stays, else the one told last. */
void tolds_join(struct tolds *to, const struct tolds *from, const struct told *record);

#endif
