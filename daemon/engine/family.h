/* family.h - one family as the engine sees it: what fold() makes of its events, in plain fixed-size records.
 *
 * Everything a record names is an index or a word (a piece of the family's own text pool), so that the whole state
 * packs into one row and unpacks without parsing. The row is a cache: the event log can always give it again, and
 * folding step by step gives the same bytes as folding from the start (tests hold it to that).
 */
#ifndef LINKAGES_ENGINE_FAMILY_H
#define LINKAGES_ENGINE_FAMILY_H

#include "words.h"

#include <linkages/event.h>
#include <linkages/notice.h>

struct trace;

/* An event that something rests on; what notices name in `because`. */
struct cause {
	struct word source, id;
	lk_instant at; /* from when it counts: its time, or the opening of its case */
	int32_t agency;
	int32_t type; /* lk_event_type */
};

/* One agency's case. */
struct kase {
	struct word number;
	int32_t agency;
	int32_t open;              /* 0, 1 */
	int32_t limited;           /* limited_access: closes `content` while the case is open */
	int32_t status, previous;  /* lk_status; -1: none yet */
	uint32_t kin;              /* which of family.kins */
	uint32_t turned_step;      /* order of its last opening or closing among all steps */
	uint32_t status_cause, closing_cause, clock_cause;
	lk_instant first_opened_at, opened_at, closed_at;
	lk_instant status_at;      /* since when this status */
	lk_instant not_meeting_at; /* since when noncompliance or sanctioned; LK_NO_INSTANT: not so */
	uint32_t not_meeting_cause;
	lk_date status_until;      /* the status's own end, where the agency gave one */
	lk_date closing_on;        /* planned end */
	int32_t limited_said;      /* by its last opening: what was said before it is older */
	uint32_t episodes;         /* so many are named by it: a CWS case */
	int32_t status_shared;     /* the latest status is one the other side may know */
	lk_instant closing_at;     /* since when an end is planned */
	lk_instant visited_at;     /* last face-to-face contact */
	lk_instant contact_at;     /* last contact of any kind */
	lk_instant mutual_at;      /* since when without a break its family is mutual; LK_NO_INSTANT: it is not */
	int64_t clock_used;        /* months counted; -1: never reported */
	lk_instant live_at[lk_topic_count]; /* since when without a break the other side may know this of the case */
};

/* Cases that links have joined: kase.kin says which. Links only ever join (one that was removed is as if it had never been). */
struct kin {
	uint32_t joined_to;     /* another one, once merged into it; NONE: alive */
	uint32_t episode;       /* counts stretches of being mutual, from 1; 0: never was */
	int32_t mutual;
	uint32_t episode_step;
	lk_instant episode_at;  /* start of the present or last episode */
	lk_instant ended_at;    /* end of the last one; of kin that were merged: when that was */
	lk_instant pltm_at;     /* first instant of this episode with both sides at work */
	uint32_t episode_cause, pltm_cause;
	uint32_t first[2];      /* by lk_agency: what names the episode, the lowest case numbers open at its start */
	uint32_t nth;           /* of the episodes that are named by its CWS case, from 1 */
	uint32_t spare;
	uint32_t signed_step;   /* last signature of a consent; 0: none */
	uint32_t denied_step;   /* last refusal or revocation */
};

struct assignment {
	uint32_t kase;
	int32_t role;
	struct word worker, name, phone;
	uint32_t from_step, until_step; /* until_step 0: still assigned */
	lk_instant from_at, until_at;   /* until_at LK_NO_INSTANT: still assigned */
};

/* What ids name belongs to the case that first named them, be it by an ending: its cause, or a meeting's version, is
 * NONE until it was started, raised, made or scheduled. A consent alone is named by its signature, so that a revocation
 * never misses it. */
struct consent {
	struct word id;
	uint32_t kase, cause;
	uint32_t topics;
	lk_date expires; /* last day; LK_NO_DATE: none */
	int32_t in_force;
	int32_t ran_out; /* by its day, not by a person */
	lk_instant signed_at;
};

struct plan {
	struct word id;
	uint32_t kase, signed_cause, closing_cause;
	int32_t kind; /* lk_plan_kind; -1: named before it was signed */
	int32_t ended;
	lk_date closing_on;
	lk_instant signed_at, closing_at;
};

struct service {
	struct word id;
	uint32_t kase, cause;
	int32_t category, running;
	lk_instant started_at;
};

enum meeting_state { MEETING_PLANNED, MEETING_HELD, MEETING_MISSED, MEETING_CANCELLED };
const char *meeting_state_word(int state);

struct meeting {
	struct word id;
	uint32_t kase;       /* that first named it */
	uint32_t version;    /* latest; NONE: never scheduled */
	int32_t state;       /* enum meeting_state */
	int32_t with_family; /* held: was the family there */
	uint32_t state_step, state_cause;
	lk_instant held_at;
};

/* A meeting that took place: what is put on the calendar under its id later does not undo it. */
struct holding {
	struct word meeting;
	uint32_t kase, cause;
	int32_t kind, with_family;
	lk_instant at;
};

/* One telling of a meeting's place and time. */
struct version {
	uint32_t meeting, cause, step;
	int32_t kind;        /* lk_meeting_kind */
	struct word place, organizer;
	uint32_t required, required_n, optional, optional_n; /* into names */
	int32_t family, agency; /* needs the family; who said it */
	lk_instant said_at, start_at, end_at;
	int32_t reminded;
	uint32_t spare;
};

struct concern {
	struct word id;
	uint32_t kase, cause;
	int32_t kind, resolved;
	lk_instant raised_at;
};

struct referral {
	struct word id, to;
	uint32_t kase, cause;
	int32_t category, status; /* lk_referral_status; -1: made */
	int32_t to_agency;        /* -1: somebody else */
	int32_t urgent;
	lk_date follow_up;
	uint32_t maker; /* case that made it */
	lk_instant made_at;
};

struct removal {
	struct word person;
	uint32_t kase, cause;
	int32_t returned;
	uint32_t spare;
	lk_instant removed_at;
};

/* A source that has spoken of a case: its silence holds absence rules back. */
struct speaker {
	struct word source;
	uint32_t kase;
	uint32_t spare;
};

/* A stretch of time, now past, in which a case was in a mutual family. */
struct stretch {
	uint32_t kase;
	uint32_t spare;
	lk_instant from_at, until_at;
};

#define ENDED_BY_DAY 0 /* moment.what of a consent.ended that no person said */

/* Something that happened and is told once. */
struct moment {
	int32_t kind;      /* lk_notice_kind */
	uint32_t kase;     /* it is about */
	uint32_t cause;    /* NONE: the passing of time */
	int32_t agency;    /* whose fact it is: the side that said it */
	uint32_t subject;  /* version, referral or consent, by kind; NONE */
	int32_t what;      /* lk_what, lk_change, the side that hears of a referral or ENDED_BY_DAY, by kind; -1 */
	int32_t from;      /* lk_status or lk_category, by kind: as it was then; -1 */
	int32_t status;    /* lk_status, lk_referral_status or the month without a visit (lk_date), by kind; -1 */
	struct word code;  /* milestone */
	int32_t barred;    /* may never cross to the other side */
	int32_t urgency;   /* lk_urgency; -1: the rule's */
	lk_instant at;     /* told from then on; staleness counts from there */
};

/* V(record, plural). The scene is what notices follow from, and who is there to hear them; causes, stretches and
 * moments are history, to which steps only add. */
#define FAMILY_SCENE(V) \
	V(kase, cases) V(kin, kins) V(assignment, assignments) V(consent, consents) \
	V(plan, plans) V(service, services) V(meeting, meetings) V(holding, holdings) \
	V(version, versions) V(word, names) \
	V(concern, concerns) V(referral, referrals) V(removal, removals) V(speaker, speakers)
#define FAMILY_VECTORS(V) V(cause, causes) FAMILY_SCENE(V) V(stretch, stretches) V(moment, moments)

struct family {
	/* Where the fold stands: an event below is late, and the family is folded again from the log. */
	lk_instant folded_at; /* key of the last event folded: time, source, sequence, place or id */
	lk_instant ticked_at; /* last instant at which the mere passing of time changed something */
	uint32_t steps;       /* events, links and ticks folded so far, from 1 */
	struct word last_source, last_id;
	int64_t last_sequence, last_place; /* INT64_MAX: had none */
	struct words words;
	bool failed; /* memory ran out: the state is void */
	void *block; /* of a row: what has no room of its own lies in it */
	size_t block_len;
	/* How long these two are in the row that was unpacked or packed last; 0: there is none. Steps only add to them. */
	uint32_t causes_packed, moments_packed;
	uint32_t moments_away; /* so many come before the first one, and are in that row alone: family_leave() */
	const struct trace *trace; /* who asks why; NULL in all other work. Never packed */
#define FAMILY_VECTOR_MEMBER(record, plural) \
	struct record *plural; \
	uint32_t plural##_n, plural##_room;
	FAMILY_VECTORS(FAMILY_VECTOR_MEMBER)
};

void family_init(struct family *f);
void family_free(struct family *f); /* NULL-safe; leaves it as family_init() does */
size_t family_bytes(const struct family *f); /* of memory, about */

/* Text of a word; valid until the next word is added. */
struct lk_text family_text(const struct family *f, struct word w);
/* As words_add(); on lack of memory sets f->failed. */
struct word family_word(struct family *f, struct lk_text text);
bool family_says(const struct family *f, struct word w, struct lk_text text);

/* Each family_add_<record>() gives a zeroed record at the end, or, with f->failed set, a scratch one that may be
 * written to. The pointer holds until the next addition to the same vector. */
#define FAMILY_DECLARE_ADD(record, plural) struct record *family_add_##record(struct family *f);
FAMILY_VECTORS(FAMILY_DECLARE_ADD)

/* One row, and back. Packing appends to out (out->failed). Unpacking checks the layout: LK_EWIRE means the row was written
 * by another one, and the family is to be folded from the log. That it holds what was written is told by the store's sum. */
void family_pack(const struct family *f, struct lk_bytes *out);
/* The same bytes, where `was` is the row that f was unpacked from or packed into last (NULL, 0: there is none): history is
 * taken from there. The new row counts as the last one. */
void family_pack_on(struct family *f, const void *was, size_t was_len, struct lk_bytes *out);
int family_unpack(const void *row, size_t len, struct family *out, struct lk_error *err) LK_MUST_CHECK;
/* Of a family that is as in the row that it was unpacked from or packed into last: takes no more memory than it needs, and
 * leaves moments to the row, the first `most` at most. Until family_fetch() they may not be asked for, but it may be folded on
 * and packed by family_pack_on(). */
void family_leave(struct family *f, uint32_t most);
/* Moments that are away, from that row: LK_EMEMORY; LK_EWIRE: it is another one. */
int family_fetch(struct family *f, const void *row, size_t len, struct lk_error *err) LK_MUST_CHECK;

/* NONE where the family has no such case. */
uint32_t family_case(const struct family *f, int agency, struct lk_text number);

#endif
