/* derive.h - state, policy and the present instant in; every notice that follows from them out.
 * Pure.
 *
 * A rule is a short function in rules/ that looks at the state and says facts; fact_tell() finds
 * who is to hear a fact and how much of it each may see. Nothing here knows what was told before,
 * but for two rules that speak of tellings (notice.unanswered) or must not begin during a silence
 * (absence rules).
 */
#ifndef LINKAGES_ENGINE_DERIVE_H
#define LINKAGES_ENGINE_DERIVE_H

#include "family.h"
#include "policy.h"
#include "told.h"
#include "trace.h"

/* ---- What reaches in from other families, fetched by the turn -------------------------------- */

/* A meeting of another family that requires a worker whom a meeting of this family requires, too.
 */
struct busy {
	struct lk_text worker, meeting, place;
	lk_instant start_at, end_at, said_at;
	int agency, kind;
	bool family_first; /* its family's name stands before this one's: meetings of one id and one instant */
};

/* Another family's case with an equal token of identity, open, of the other agency, unanswered. */
struct likely {
	struct lk_text number;       /* this family's case */
	int agency;                  /* of this family's case */
	struct lk_text other_number;
	lk_instant other_opened_at;
	struct lk_text other_source; /* that said the opening */
	const struct lk_contact *contacts;
	uint32_t contacts_n;
};

struct surroundings {
	const struct busy *busy;
	size_t busy_n;
	const struct likely *likely;
	size_t likely_n;
	const struct lk_text *silent; /* sources that are silent now */
	size_t silent_n;
};

/* ---- What comes out -------------------------------------------------------------------------- */

/* One notice for one worker. Texts live as long as the family, the policy and the surroundings. */
struct candidate {
	uint8_t id[LK_DIGEST];
	uint64_t cause; /* cause_digest() */
	int kind, side, level, topic, urgency;
	bool may_tell; /* moments: not stale, and it may cross; standing: always */
	bool withheld; /* it would be given, but may not be seen */
	enum bar bar;  /* why it is withheld, or may not be told */
	bool follows;  /* false: it could not be known when it happened, and is as if it were not */
	bool doubled;  /* the worker has it by another place already */
	struct lk_text worker;
	uint32_t own, other; /* cases; NONE */
	struct lk_text other_number; /* where the other case is another family's */
	const struct lk_contact *contacts;
	uint32_t contacts_n;
	lk_date due;
	lk_instant cause_at;
	char notice[LK_DIGEST_HEX]; /* notice.unanswered: what about.notice and about.worker say, kept here because */
	char waits_for[65];         /* the records they come from move while notices are compared */
	struct lk_about about;
	uint32_t causes[LK_BECAUSE_MAX];
	uint32_t causes_n;
};

struct derivation {
	const struct family *f;
	const struct policy *p;
	const struct surroundings *s;
	const struct tolds *told;
	lk_instant now;
	lk_instant said_at; /* when the event that is being settled says it happened; no later than now */
	lk_instant wake; /* next instant at which the answer may differ; LK_NO_INSTANT */
	struct candidate *at;
	uint32_t n, room; /* room may be LENT by the caller */
	bool thrifty; /* set by the caller: derive() may pass over what cannot differ from what was told */
	bool retells; /* set by the caller, for compare(): a moment that was taken back, and follows again, is told however old */
	const bool *apart; /* set by the caller, for compare(): which cases have just lost others by a link that was undone; or NULL */
	bool partial; /* derive() did: candidates are news, and whatever was told follows */
	bool lacks; /* nothing was derived: moments or records of what was told are away, and are to be fetched first */
	struct settled settled; /* derive(), thrifty: for compare() to keep */
	bool failed; /* memory ran out: void */
	const struct trace *trace; /* who asks why; NULL in all other work */
};

/* All rules but rules_unanswered() and rules_feed(). Fills out, whose four inputs, `now` and `thrifty` the caller has set,
 * the rest zero, or with room that is lent; derivation_free() gives its memory back. */
void derive(struct derivation *out);
void derivation_free(struct derivation *d);

/* ---- For rules ------------------------------------------------------------------------------- */

/* Somebody named by the rule itself: an organizer, a required worker. */
struct person {
	struct lk_text worker;
	int side;
	enum slot slot;
};

#define PEOPLE_MAX (2 * LK_WORKERS_MAX)

struct fact {
	int kind;              /* lk_notice_kind: gives rule, recipients, level, topic, urgency, citation */
	const char *key;       /* what it is about, unique among facts of the kind in the county */
	uint32_t kase;         /* the case it is about; NONE: the family */
	int agency;            /* the side whose fact it is; -1: both sides' */
	int only;              /* the one side it is told to; -1: all that the rule names */
	int to_side;           /* who counts as the other side; -1: the one that is not `agency` */
	lk_date due;
	enum bar bar;          /* a moment that may not be told any more, but still follows, and why; BAR_NONE */
	lk_instant at;         /* moments: when; standing: LK_NO_INSTANT */
	bool barred;           /* may never cross */
	int urgency;           /* above the rule's, or -1 */
	unsigned reasons[2];   /* lk_meeting_reason by the side that caused them */
	struct lk_text with;   /* meeting.reschedule: the other meeting, and who said it */
	int with_agency;       /* -1: no other meeting is in the way */
	bool with_foreign;     /* it is another family's: named only to the side that said it */
	uint32_t discoverer;   /* case whose lead discovered it, or whose side it asks something of */
	struct lk_text other_number;
	const struct lk_contact *contacts;
	uint32_t contacts_n;
	const struct person *people;
	uint32_t people_n;
	const uint8_t *notice; /* notice.unanswered: the notice that waits */
	struct lk_about about;
	uint32_t causes[LK_BECAUSE_MAX];
	uint32_t causes_n;
};

struct fact fact_of(int kind, const char *key); /* everything absent */
void fact_because(struct fact *fact, uint32_t cause); /* NONE is passed over */
void fact_tell(struct derivation *d, const struct fact *fact);

#define KEY_MAX 256
/* Keys: what a notice is about, in words that no late event changes. */
void key_case(const struct family *f, uint32_t kase, char out[KEY_MAX]);
void key_named(const struct family *f, uint32_t kase, struct word id, char out[KEY_MAX]);
void key_cause(const struct family *f, uint32_t cause, char out[KEY_MAX]);
/* What candidates of a kind and a key, and what was told of them, are found again by. */
uint64_t cause_digest(int kind, const char *key);
/* 'source/id' of an event. */
void cause_name(const struct family *f, uint32_t cause, char *out, size_t room);
/* This episode of this mutual family. */
void key_episode(const struct derivation *d, char out[KEY_MAX]);

/* Has the instant come? If not, it is remembered as one at which the answer may differ. */
bool has_come(struct derivation *d, lk_instant at);
/* 08:00 (day.begins) of a local day; its midnight. */
lk_instant morning(const struct derivation *d, lk_date day);
lk_instant midnight(const struct derivation *d, lk_date day);
lk_date today(const struct derivation *d);
lk_date day_of(const struct derivation *d, lk_instant at);
/* The day that lies a duration of days or months after (n > 0) or before it. */
lk_date day_after(lk_date day, struct duration duration);
lk_date day_before(lk_date day, struct duration duration);
/* The value of today, by which a rule speaks the sooner the more it is, or the less. On a day on which it changes, what
 * ends by that ends at midnight, and what begins is told in the morning. */
enum sooner { SOONER_BY_MORE, SOONER_BY_LESS };
struct duration value_today(struct derivation *d, const struct dated *value, enum sooner sooner);

bool is_short(const struct derivation *d); /* moments or records of what was told are away */
const struct kin *kin_of(const struct derivation *d); /* of the family as it is now */
bool is_mutual(const struct derivation *d);
/* The same, for rules that speak of mutual families only: kinds (bits of lk_notice_kind) that say nothing else. */
bool is_mutual_for(const struct derivation *d, unsigned kinds);
bool has_open(const struct derivation *d, int agency);
/* The side's case: the earliest opened that is open, else the last closed; NONE: no case was ever
 * opened there. */
uint32_t main_case(const struct family *f, int agency);
/* The source that said the case's present or last opening. */
struct lk_text opening_source(const struct family *f, uint32_t kase);
/* May the other side see this topic of any of the agency's cases now? */
bool is_live(const struct family *f, int agency, int topic);
/* The open case opened last: its lead discovered the family. */
uint32_t discovered_case(const struct derivation *d);
/* The worker is assigned to a case of the family now; was at any time; and on which side (-1:
 * neither). */
bool is_assigned(const struct family *f, struct lk_text worker);
int side_of(const struct family *f, struct lk_text worker);

/* Who answers for a side, asking case `first` (or NONE) before its other open cases: a worker, else
 * the supervisor, else the liaison. The supervisor alone: absent where nobody is assigned. */
struct lk_text lead_of(const struct derivation *d, int side, uint32_t first);
struct lk_text supervisor_of(const struct derivation *d, int side, uint32_t first);
/* A live telling of the same fact, whoever has it; NULL. */
const struct told *stands_told(const struct derivation *d, const struct fact *fact);

/* Absence rules (visit.*, *.overdue): may it be said now? Not while a source that has spoken of the
 * case (NONE: of any case of the family) is silent, unless it stood before. */
bool absence_holds(struct derivation *d, uint32_t kase, const struct fact *fact);

/* ---- The one decision function (domain.md, section 4) ---------------------------------------- */

struct disclosure {
	int level, topic;       /* lk_level asked for; lk_topic or NO_TOPIC */
	bool is_moment;
	int other_agency;       /* whose facts they are */
	struct lk_text other;   /* the case they are from; absent: any case of that side */
	lk_instant cause_at;    /* moments: when it happened */
};
/* May a worker of one side of this family see that now? Asked when a notice is made and again at
 * every hand-out. */
bool disclosed(const struct family *f, const struct disclosure *d);
enum bar disclosure_bar(const struct family *f, const struct disclosure *d); /* why not; BAR_NONE */

/* Rules, by family of rules: each says all its facts. */
void rules_crossover(struct derivation *d);
void rules_consent(struct derivation *d);
void rules_status(struct derivation *d);
void rules_closure(struct derivation *d);
void rules_meeting(struct derivation *d);
void rules_reschedule(struct derivation *d);
void rules_visit(struct derivation *d);
void rules_service(struct derivation *d);
void rules_moment(struct derivation *d);
/* Of tellings, and so asked for itself, once compare() has told everything else: notice.unanswered. */
void rules_unanswered(struct derivation *d);
/* feed.silent: of no family; for a derivation whose family is empty. */
void rules_feed(struct derivation *d);

#endif
