/* notice.h - what the daemon tells one worker: domain.md, section 5.
 *
 * Made by the engine, stored as told, encoded at each hand-out: to the same bytes each time. Decoded by clients.
 */
#ifndef LINKAGES_NOTICE_H
#define LINKAGES_NOTICE_H

#include <linkages/event.h>

/* Appended to, never renumbered: the numbers are in family rows. */
#define LK_NOTICE_KINDS(C) \
	C(LK_CROSSOVER_FOUND, "crossover.found") C(LK_CROSSOVER_POSSIBLE, "crossover.possible") \
	C(LK_CROSSOVER_ENDED, "crossover.ended") C(LK_CONSENT_NEEDED, "consent.needed") \
	C(LK_CONSENT_EXPIRING, "consent.expiring") C(LK_CONSENT_ENDED, "consent.ended") \
	C(LK_STATUS_CHANGED, "status.changed") C(LK_SANCTION_REVIEW, "sanction.review") \
	C(LK_REUNIFICATION_EVALUATE, "reunification.evaluate") \
	C(LK_REUNIFICATION_ENDING, "reunification.ending") C(LK_CLOCK_NEAR, "clock.near") \
	C(LK_MILESTONE_TOLD, "milestone.reached") C(LK_CLOSURE_PLANNED, "closure.planned") \
	C(LK_CLOSURE_ONE_SIDE, "closure.one_side") C(LK_CLOSURE_BOTH, "closure.both") \
	C(LK_CLOSURE_SCREEN, "closure.screen") C(LK_MEETING_NEEDED, "meeting.needed") \
	C(LK_MEETING_OVERDUE, "meeting.overdue") C(LK_MEETING_RESCHEDULE, "meeting.reschedule") \
	C(LK_MEETING_CHANGED, "meeting.changed") C(LK_MEETING_REMINDER, "meeting.reminder") \
	C(LK_VISIT_DUE, "visit.due") C(LK_VISIT_MISSED, "visit.missed") \
	C(LK_SERVICE_DUPLICATE, "service.duplicate") C(LK_SERVICE_CREDIT, "service.credit") \
	C(LK_REFERRAL_CHANGED, "referral.changed") C(LK_REFERRAL_OVERDUE, "referral.overdue") \
	C(LK_NOTICE_UNANSWERED, "notice.unanswered") C(LK_FEED_SILENT, "feed.silent")

#define LK_NOTICE_STATES(C) C(LK_NEW, "new") C(LK_UPDATED, "updated") C(LK_WITHDRAWN, "withdrawn")
#define LK_URGENCIES(C) C(LK_ROUTINE, "routine") C(LK_PROMPT, "prompt") C(LK_URGENT, "urgent")
/* In rising order: what a notice carries of the other side. */
#define LK_LEVELS(C) C(LK_OWN, "own") C(LK_SIGNAL, "signal") C(LK_REGISTRY, "registry") C(LK_CONTENT, "content")
#define LK_WITHDRAWALS(C) \
	C(LK_OVER, "over") C(LK_REASSIGNED, "reassigned") C(LK_NO_CONSENT, "consent") C(LK_CORRECTED, "corrected") \
	C(LK_UNLINKED, "unlinked")
#define LK_MEETING_REASONS(C) \
	C(LK_NOT_MEETING, "not_meeting") C(LK_DISCONTINUING, "discontinuing") C(LK_CONCERN, "concern") \
	C(LK_CONFLICTING, "conflict") C(LK_PARTICIPANT, "participant") C(LK_CLOSED, "closed") C(LK_LATE, "late") \
	C(LK_MISSED, "missed") C(LK_NO_FAMILY, "no_family")
#define LK_CHANGES(C) C(LK_SCHEDULED, "scheduled") C(LK_MOVED, "moved") C(LK_CANCELLED, "cancelled")
#define LK_WHATS(C) \
	C(LK_WHAT_STATUS, "status") C(LK_WHAT_REMOVAL, "removal") C(LK_WHAT_RETURN, "return") \
	C(LK_WHAT_HOUSEHOLD, "household") C(LK_WHAT_CASE, "case") C(LK_WHAT_PLAN, "plan")

#define LK_NOTICE_CODE_LISTS(L) \
	L(notice_kind, LK_NOTICE_KINDS) L(notice_state, LK_NOTICE_STATES) L(urgency, LK_URGENCIES) \
	L(level, LK_LEVELS) L(withdrawal, LK_WITHDRAWALS) L(meeting_reason, LK_MEETING_REASONS) \
	L(change, LK_CHANGES) L(what, LK_WHATS)
LK_NOTICE_CODE_LISTS(LK_DECLARE_CODES)

#define LK_PROPOSALS_MAX 3
struct lk_proposals {
	uint32_t n;
	struct lk_time at[LK_PROPOSALS_MAX];
};

/* The facts a notice may name: F(name in C, name on the wire, kind, presence). Kinds as in event.h, and
 *   REASONS      unsigned: bit per lk_meeting_reason (0: absent)
 *   PROPOSALS    struct lk_proposals (n == 0: absent) */
#define LK_CTYPE_REASONS unsigned
#define LK_CTYPE_PROPOSALS struct lk_proposals
#define LK_FIELDS_about(F) \
	F(what, "what", CODE(what), OPTIONAL) F(from, "from", CODE(status), OPTIONAL) \
	F(status, "status", CODE(status), OPTIONAL) \
	F(milestone, "milestone", TEXT(64), OPTIONAL) F(left, "left", INT(-1200, 1200), OPTIONAL) \
	F(meeting_kind, "meeting_kind", CODE(meeting_kind), OPTIONAL) \
	F(reasons, "reasons", REASONS, OPTIONAL) F(meeting, "meeting", TEXT(64), OPTIONAL) \
	F(change, "change", CODE(change), OPTIONAL) F(start, "start", TIME, OPTIONAL) F(end, "end", TIME, OPTIONAL) \
	F(place, "place", TEXT(200), OPTIONAL) F(with, "with", TEXT(64), OPTIONAL) \
	F(proposals, "proposals", PROPOSALS, OPTIONAL) F(category, "category", CODE(category), OPTIONAL) \
	F(referral, "referral", TEXT(64), OPTIONAL) \
	F(referral_status, "status", CODE(referral_status), OPTIONAL) \
	F(notice, "notice", TEXT(32), OPTIONAL) F(kind, "kind", CODE(notice_kind), OPTIONAL) \
	F(worker, "worker", TEXT(64), OPTIONAL) F(source, "source", TEXT(64), OPTIONAL)
struct lk_about {
	LK_FIELDS_about(LK_STRUCT_MEMBER)
};
void lk_about_clear(struct lk_about *about); /* every member absent */

struct lk_contact {
	int agency; /* lk_agency */
	int role;   /* lk_role */
	struct lk_text worker, name, phone; /* name and phone may be absent */
};

#define LK_CONTACTS_MAX 32
#define LK_BECAUSE_MAX 16
struct lk_notice {
	char id[LK_DIGEST_HEX];
	int64_t rev; /* 1, 2, … */
	struct lk_text to;
	int kind;   /* lk_notice_kind */
	int state;  /* lk_notice_state */
	int reason; /* lk_withdrawal, LK_NO_CODE unless withdrawn */
	lk_date due; /* LK_NO_DATE */
	struct lk_time at;
	struct lk_text case_number;  /* `case`: the recipient's side's; absent where there is none */
	struct lk_text other_number; /* `other`; absent below registry */
	uint32_t contacts_n, events_n;
	struct lk_contact contacts[LK_CONTACTS_MAX];
	int urgency; /* lk_urgency */
	int level;   /* lk_level */
	struct lk_about about;
	struct lk_text rule, cites;
	struct lk_text events[LK_BECAUSE_MAX]; /* "source/id" */
	/* Only where handed out after a person has acknowledged it. */
	struct lk_text answered_by;
	struct lk_time answered_at;
};

/* Absent everywhere, so that making a notice names only what it carries. */
void lk_notice_clear(struct lk_notice *notice);

/* What may be said of a notice whose content may not: its id, rev, recipient and kind, and that it is withdrawn
 * (reason `consent`). */
void lk_notice_reduce(struct lk_notice *notice);

/* MessagePack map with the member names of domain.md section 5; absent members are left out (about and because are
 * always maps; a withdrawn notice may have an empty about. Without `at`, a withdrawal that may no longer be shown, the
 * empty ones are left out too). Appends to out; out->failed tells of lack of memory. */
void lk_notice_encode(const struct lk_notice *notice, struct lk_bytes *out);
/* Texts point into bytes. Returns 0, or LK_EWIRE. Unknown members are ignored (a later daemon may say more). */
int lk_notice_decode(const void *bytes, size_t len, struct lk_notice *out, struct lk_error *err) LK_MUST_CHECK;

#endif
