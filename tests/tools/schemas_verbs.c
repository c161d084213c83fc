/* schemas_verbs.c - the JSON Schemas of the control lane: what each verb may be asked, and what it answers.
 *
 * In: the daemon's table of verbs, and a table of members for each body. Out: verbs/VERB.json, refusal.json. Promise: a verb
 * without a row here, and a row without its verb, stop the program; words come from the lists that the daemon has.
 * A system test holds what a daemon says against what is written here.
 */
#include "schemas.h"

#include "alarm.h"
#include "metrics.h"
#include "turn_print.h"
#include "verbs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Members ----------------------------------------------------------------------------------------------------------- */

enum form {
	ONE,     /* as its row says */
	LIST,    /* of what its row says */
	MAP,     /* of what `of` names */
	MAPS,    /* a list of such maps */
	BY_NAME, /* a map of names to such maps */
	WHEN,    /* an instant, or a day, or null */
	ABOUT,   /* what a notice is about */
	NOTICE,  /* a whole notice */
	EVENT,   /* a whole event */
};

struct member {
	const char *word;
	const char *what;
	enum form form;
	const struct member *of;
	struct field field;
	const char *pattern;
};

/* There, and not null; there, or null; an argument that may be left out. */
#define IS(word_, what_, ...) \
	{ \
		.word = word_, .what = what_, .field = {.presence = FIELD_REQUIRED, __VA_ARGS__ } \
	}
#define MAY(word_, what_, ...) \
	{ \
		.word = word_, .what = what_, .field = {.presence = FIELD_NULLABLE, __VA_ARGS__ } \
	}
#define ASK(word_, what_, ...) \
	{ \
		.word = word_, .what = what_, .field = {.presence = FIELD_OPTIONAL, __VA_ARGS__ } \
	}
#define OF(form_, word_, what_, of_) \
	{ \
		.word = word_, .what = what_, .form = form_, .of = of_ \
	}
#define SEVERAL(word_, what_, ...) \
	{ \
		.word = word_, .what = what_, .form = LIST, .field = { \
			.presence = FIELD_REQUIRED, \
			__VA_ARGS__ \
		} \
	}
#define A(form_, word_, what_) \
	{ \
		.word = word_, .what = what_, .form = form_ \
	}
#define END \
	{ \
		.word = NULL \
	}
#define WORD_OF(list) .kind = FIELD_CODE, .code_word = list

/* ---- Words that only the daemon lists ---------------------------------------------------------------------------------- */

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define WORD_AT(table) return (size_t)code < COUNT(table) ? (table)[code] : NULL

#define SECOND(name, word, ...) word,
static const char *bar_at(int code)
{
	static const char *const words[] = { BARS(SECOND) };
	WORD_AT(words);
}

static const char *held_at(int code)
{
	static const char *const words[] = { BARS(SECOND) HELDS(SECOND) };
	WORD_AT(words);
}

#define KEY_OF(name, path, ...) path,
static const char *policy_key_at(int code)
{
	static const char *const words[] = { POLICY_DURATIONS(KEY_OF) POLICY_MINUTES(KEY_OF)
						     POLICY_SETS(KEY_OF) "moments.quiet_before",
					     "liaisons.cws", "liaisons.calworks" };
	WORD_AT(words);
}

#define REFUSAL_WORD(word, what) word,
static const char *refusal_at(int code)
{
	static const char *const words[] = { CONTROL_REFUSALS(REFUSAL_WORD) };
	WORD_AT(words);
}

#define WORDS(name, ...) \
	static const char *name(int code) \
	{ \
		static const char *const words[] = { __VA_ARGS__ }; \
		WORD_AT(words); \
	}
WORDS(clock_at, "real", "manual")
WORDS(lane_at, "intake", "inbox")
WORDS(outcome_at, "applied", "repeated")
WORDS(class_at, "standing", "moment")
WORDS(how_at, "since", "by", "on", "until", "last")
WORDS(meeting_state_at, "planned", "held", "missed", "cancelled")
WORDS(referral_at, "made", "received", "accepted", "declined", "completed")

/* ---- What is asked ----------------------------------------------------------------------------------------------------- */

#define PURPOSE IS("purpose", "why it is asked: goes to the disclosure ledger", FIELD_IS_TEXT(200))
#define HEAD_PATTERN "^[0-9]+:[0-9a-f]{32}$"
static const struct member no_args[] = { END };
static const struct member purpose_args[] = { PURPOSE, END };
static const struct member case_args[] = { IS("agency", "whose case it is", FIELD_IS_CODE(agency)),
					   IS("case", "its number there", FIELD_IS_CASE), PURPOSE,
					   END };
static const struct member order_args[] = {
	IS("agency", "whose case it is", FIELD_IS_CODE(agency)),
	IS("case", "its number there", FIELD_IS_CASE),
	IS("purpose", "the order, or the reason; at most 200 bytes", FIELD_IS_TEXT(200)), END
};
static const struct member plan_args[] = {
	IS("agency", "whose case it is", FIELD_IS_CODE(agency)),
	IS("case", "its number there", FIELD_IS_CASE),
	IS("worker", "who is to see it; has a case of the family", FIELD_IS_TEXT(64)), PURPOSE, END
};
static const struct member why_args[] = { { .word = "notice",
					    .what = "its id, or the first digits of it",
					    .field = { .presence = FIELD_REQUIRED,
						       FIELD_IS_TEXT(32) },
					    .pattern = "^[0-9a-f]+$" },
					  PURPOSE,
					  END };
static const struct member why_not_args[] = {
	IS("event", "SOURCE/ID", FIELD_IS_TEXT(EVENT_NAME_MAX)),
	IS("worker", "a worker's id", FIELD_IS_TEXT(64)), PURPOSE, END
};
static const struct member workers_args[] = {
	ASK("unreachable", "true: only those whom no enrolled key covers", FIELD_IS_BOOL), END
};
static const struct member policy_args[] = {
	IS("text", "a policy file; at most 131,072 bytes", FIELD_IS_TEXT(131072)),
	ASK("name", "how complaints name it; at most 255 bytes", FIELD_IS_TEXT(255)), END
};
#define LETTERS_ASKED \
	ASK("after", "go on after this number (0)", FIELD_IS_NUMBER), \
		ASK("limit", "at most so many (100)", FIELD_IS_INT(1, 10000))
static const struct member letters_args[] = { LETTERS_ASKED, END };
static const struct member letters_read_args[] = { LETTERS_ASKED, PURPOSE, END };
static const struct member resubmit_args[] = {
	IS("number", "the dead letter's", FIELD_IS_NUMBER),
	A(EVENT, "event", "../events/TYPE.json; its source and its id are the letter's own"),
	PURPOSE, END
};
static const struct member verify_args[] = {
	{ .word = "head",
	  .what = "a head of the ledger that was kept elsewhere, NUMBER:CHAIN",
	  .field = { .presence = FIELD_OPTIONAL, FIELD_IS_TEXT(52) },
	  .pattern = HEAD_PATTERN },
	END
};
static const struct member verified_args[] = {
	IS("backup", "its number", FIELD_IS_NUMBER),
	IS("place", "where it was put; at most 1,024 bytes", FIELD_IS_TEXT(1024)), END
};
static const struct member forget_args[] = { IS("backup", "its number", FIELD_IS_NUMBER), END };
static const struct member clock_args[] = {
	IS("to", "where time is to be moved; forward", FIELD_IS_TIME),
	{ .word = "silent",
	  .what = "sources that are silent meanwhile; all others count as heard",
	  .form = LIST,
	  .field = { .presence = FIELD_OPTIONAL, FIELD_IS_SOURCE } },
	END
};

/* ---- How it is doing --------------------------------------------------------------------------------------------------- */

static const struct member source[] = {
	IS("source", "its name", FIELD_IS_SOURCE),
	IS("agency", "whose it is", FIELD_IS_CODE(agency)),
	MAY("heard", "when an event or a heartbeat came last; null: not yet", FIELD_IS_TIME),
	IS("watched", "its silence is told of", FIELD_IS_BOOL),
	IS("silent", "it is silent, as the policy says", FIELD_IS_BOOL),
	IS("accepted", "events stored since the start", FIELD_IS_NUMBER),
	IS("repeated", "events known already, since the start", FIELD_IS_NUMBER),
	IS("missing", "events that nobody has, noticed since the start", FIELD_IS_NUMBER),
	END
};
static const struct member sources[] = { OF(MAPS, "sources", NULL, source), END };

static const struct member session[] = {
	IS("lane", NULL, WORD_OF(lane_at)),
	IS("client", "its name in the table of clients", FIELD_IS_TEXT(64)),
	MAY("name", "inbox: what the client calls itself, which proves nothing; intake: null",
	    FIELD_IS_TEXT(64)),
	IS("quiet_s", "seconds since it was last heard", FIELD_IS_NUMBER),
	IS("for", "intake: streams; inbox: workers", FIELD_IS_NUMBER),
	IS("credit", "intake: events, inbox: notices that may be sent now", FIELD_IS_NUMBER),
	MAY("waiting", "inbox: notices that wait to be sent; intake: null", FIELD_IS_NUMBER),
	END
};
static const struct member sessions[] = { OF(MAPS, "sessions", NULL, session), END };

static const struct member worker[] = {
	IS("worker", "a worker's id", FIELD_IS_WORKER),
	MAY("client", "who reads the mailbox; null: nobody", FIELD_IS_TEXT(64)),
	IS("waiting", "notices that no client has stored yet", FIELD_IS_NUMBER),
	MAY("oldest", "when the oldest of them was told; null: none waits", FIELD_IS_TIME), END
};
static const struct member workers[] = { OF(MAPS, "workers", NULL, worker), END };

static const struct member alarm_state[] = {
	IS("stands", "it holds now", FIELD_IS_BOOL),
	IS("raised", "how often since the start", FIELD_IS_NUMBER), END
};
#define ALARM_MEMBER(name, word_, stands, what_) \
	{ .word = word_, \
	  .what = what_, \
	  .form = MAP, \
	  .of = alarm_state, \
	  .field = { .presence = FIELD_OPTIONAL } },
static const struct member alarms_raised[] = { ALARMS(ALARM_MEMBER) END };
static const struct member store_counts_[] = {
	IS("events", "in the log", FIELD_IS_NUMBER),
	IS("dead_letters", "kept", FIELD_IS_NUMBER),
	IS("cases", "that were ever named", FIELD_IS_NUMBER),
	IS("workers", "that were ever told something", FIELD_IS_NUMBER),
	IS("notices", "tellings kept", FIELD_IS_NUMBER),
	IS("ledger_rows", "of the disclosure ledger", FIELD_IS_NUMBER),
	IS("bytes", "of linkages.db", FIELD_IS_NUMBER),
	IS("wal_bytes", "of its write-ahead log", FIELD_IS_NUMBER),
	END
};
static const struct member waiting[] = {
	IS("unanswered", "notices that were told, still hold, and that nobody has acknowledged",
	   FIELD_IS_NUMBER),
	MAY("families", "that are kept; this and the rest: counted every 15 s, null before",
	    FIELD_IS_NUMBER),
	MAY("behind",
	    "of these families, yet to be derived again under the policy in force, as counted last; null: not counted yet",
	    FIELD_IS_NUMBER),
	MAY("mailboxes", "in which something waits", FIELD_IS_NUMBER),
	MAY("notices", "that no client has stored yet", FIELD_IS_NUMBER),
	MAY("oldest", "when the oldest of them was told; null: none waits", FIELD_IS_TIME),
	END
};
static const struct member dense[] = {
	IS("seen", "the highest `sequence`", FIELD_IS_NUMBER),
	IS("missing", "numbers that never came, noticed since the start", FIELD_IS_NUMBER), END
};
static const struct member intake_state[] = {
	IS("sessions", NULL, FIELD_IS_NUMBER),
	IS("streams", "outboxes that were heard", FIELD_IS_NUMBER),
	IS("credit", "events that a publisher may have sent beyond the last acknowledged",
	   FIELD_IS_NUMBER),
	IS("held", "a batch waits for a store that refuses it", FIELD_IS_BOOL), END
};
static const struct member inbox_state[] = {
	IS("sessions", NULL, FIELD_IS_NUMBER),
	IS("mailboxes", "that a session has open", FIELD_IS_NUMBER), END
};
static struct member counters[metric_count + 1]; /* counters_fill() */
static const struct member status[] = {
	IS("version", "of the daemon", FIELD_IS_TEXT(32)),
	IS("clock", "manual: moved by hand, no real county", WORD_OF(clock_at)),
	IS("now", "its time", FIELD_IS_TIME),
	IS("started", NULL, FIELD_IS_TIME),
	MAY("next_wake", "when the next thing falls due; null: nothing will", FIELD_IS_TIME),
	IS("policy", "revision of the policy in force", FIELD_IS_KEY),
	OF(MAP, "alarms", "those that were raised since the start", alarms_raised),
	OF(MAP, "store", "counts", store_counts_),
	OF(MAP, "waiting", "counts", waiting),
	OF(BY_NAME, "feed", "sources with `sequence: dense`, by their name", dense),
	OF(MAP, "intake", NULL, intake_state),
	OF(MAP, "inbox", NULL, inbox_state),
	OF(MAP, "counters", "since the start, over all labels: docs/metrics.md", counters),
	END
};

static const struct member policy_checked[] = {
	IS("policy", "revision of the file", FIELD_IS_KEY),
	IS("in_force", "it is the policy that the daemon goes by", FIELD_IS_BOOL), END
};
static const struct member clock_moved[] = { IS("clock", NULL, WORD_OF(clock_at)),
					     IS("now", "its time", FIELD_IS_TIME), END };
static const struct member clock_accepted[] = {
	IS("machine", "what the machine's clock says", FIELD_IS_TIME),
	IS("now", "the daemon's time; does not run backwards", FIELD_IS_TIME), END
};

/* ---- Dead letters ------------------------------------------------------------------------------------------------------ */

#define LETTER \
	IS("number", NULL, FIELD_IS_NUMBER), IS("source", "who sent it", FIELD_IS_SOURCE), \
		MAY("seq", "its place in the outbox; null: it came over the feed", \
		    FIELD_IS_NUMBER), \
		IS("at", "when it came", FIELD_IS_TIME), \
		IS("reason", NULL, FIELD_IS_CODE(refusal)), \
		MAY("field", "a path; null: the whole", FIELD_IS_TEXT(200)), \
		IS("detail", "a sentence", FIELD_IS_TEXT(200)), \
		IS("settled", "an event was submitted in its place", FIELD_IS_BOOL)
#define NEXT IS("next", "to go on, ask `after` this", FIELD_IS_NUMBER)
static const struct member letter[] = { LETTER, END };
static const struct member letters[] = { OF(MAPS, "letters", NULL, letter), NEXT, END };
static const struct member letter_read[] = {
	LETTER,
	MAY("json", "the event, as JSON text; null: it is none", FIELD_IS_TEXT(262144)),
	{ .word = "hex",
	  .what = "bytes that are no event; null: it is one",
	  .field = { .presence = FIELD_NULLABLE, FIELD_IS_NOTE(131072) },
	  .pattern = "^([0-9a-f]{2})*$" },
	END
};
static const struct member letters_read[] = { OF(MAPS, "letters", "none: the end", letter_read),
					      NEXT, END };
static const struct member resubmitted[] = {
	IS("outcome", NULL, WORD_OF(outcome_at)),
	IS("position", "the event's, in the log", FIELD_IS_NUMBER), END
};

/* ---- What keeps the store ---------------------------------------------------------------------------------------------- */

#define HEAD(what_) \
	{ \
		.word = "head", .what = what_, \
		.field = { .presence = FIELD_REQUIRED, FIELD_IS_TEXT(52) }, \
		.pattern = HEAD_PATTERN \
	}
static const struct member ledger_verified[] = {
	IS("sound", NULL, FIELD_IS_BOOL),
	IS("rows", "that were looked at", FIELD_IS_NUMBER),
	IS("expunged", "of them: only number, digest and link are left", FIELD_IS_NUMBER),
	IS("heads", "how many heads were compared", FIELD_IS_NUMBER),
	HEAD("the last row's, NUMBER:CHAIN"),
	MAY("broken", "a row's number; null: all is sound", FIELD_IS_NUMBER),
	MAY("why", "a sentence; null: all is sound", FIELD_IS_TEXT(200)),
	END
};
static const struct member vacuum_args[] = {
	IS("case", "a number that is looked for in what is squeezed", FIELD_IS_CASE), END
};
static const struct member vacuumed[] = {
	IS("bytes_searched", "of all notices", FIELD_IS_NUMBER),
	IS("occurrences", "of the number in them, as a word of its own", FIELD_IS_NUMBER), END
};
static const struct member scrubbed[] = {
	IS("sound", NULL, FIELD_IS_BOOL), IS("rows", "that were read", FIELD_IS_NUMBER),
	IS("damages", "how many were found", FIELD_IS_NUMBER),
	SEVERAL("damaged", "a sentence each, without content; at most 100", FIELD_IS_TEXT(200)), END
};
static const struct member rebuilt[] = {
	IS("equal", "nothing differed", FIELD_IS_BOOL),
	IS("families", "folded anew", FIELD_IS_NUMBER),
	IS("families_differed", "from their row; replaced", FIELD_IS_NUMBER),
	IS("state_differed", "families whose rows in state.db did; replaced", FIELD_IS_NUMBER),
	IS("state_orphans", "families in state.db that are none; taken out", FIELD_IS_NUMBER),
	END
};
static const struct member pruned[] = { IS("notices", "that have gone", FIELD_IS_NUMBER),
					IS("dead_letters", "that have gone", FIELD_IS_NUMBER),
					END };
static const struct member backup_made[] = {
	IS("backup", "its number", FIELD_IS_NUMBER),
	IS("made", NULL, FIELD_IS_TIME),
	IS("position", "of the last event in it", FIELD_IS_NUMBER),
	HEAD("of its ledger, NUMBER:CHAIN"),
	IS("file", "in the state directory, to be moved", FIELD_IS_TEXT(4096)),
	END
};
static const struct member backup[] = {
	IS("backup", "its number", FIELD_IS_NUMBER),
	IS("made", NULL, FIELD_IS_TIME),
	IS("position", "of the last event in it", FIELD_IS_NUMBER),
	IS("ledger", "rows of its ledger", FIELD_IS_NUMBER),
	MAY("place", "where it was put; null: not proved", FIELD_IS_TEXT(1024)),
	MAY("verified", "when it was proved sound; null: it was not", FIELD_IS_TIME),
	END
};
static const struct member backups[] = { OF(MAPS, "backups", NULL, backup), END };
static const struct member holder[] = {
	IS("backup", "its number", FIELD_IS_NUMBER), IS("made", NULL, FIELD_IS_TIME),
	MAY("place", "where it was put; null: not proved", FIELD_IS_TEXT(1024)), END
};
static const struct member expunged[] = {
	IS("order", "as it was given", FIELD_IS_TEXT(200)),
	IS("at", "when it was done", FIELD_IS_TIME),
	IS("cases", "of the family", FIELD_IS_NUMBER),
	IS("events", "of theirs, gone", FIELD_IS_NUMBER),
	IS("links_of_others", "events of other cases that named them, gone", FIELD_IS_NUMBER),
	IS("notices", "that keep their number and kind", FIELD_IS_NUMBER),
	IS("dead_letters", "that keep their reason", FIELD_IS_NUMBER),
	IS("ledger_rows", "that keep their place in its chain", FIELD_IS_NUMBER),
	HEAD("of the ledger afterwards, NUMBER:CHAIN"),
	OF(MAPS, "backups", "that still hold the family; at most 100", holder),
	END
};
static const struct member hold[] = { IS("agency", "whose case it is", FIELD_IS_CODE(agency)),
				      IS("case", "its number there", FIELD_IS_CASE),
				      IS("reason", "the purpose that was given",
					 FIELD_IS_TEXT(200)),
				      IS("since", NULL, FIELD_IS_TIME), END };
static const struct member holds[] = { OF(MAPS, "holds", NULL, hold), END };

/* ---- family ------------------------------------------------------------------------------------------------------------ */

static const struct member case_worker[] = { IS("role", NULL, FIELD_IS_CODE(role)),
					     IS("worker", "a worker's id", FIELD_IS_WORKER),
					     MAY("name", NULL, FIELD_IS_NOTE(80)),
					     MAY("phone", NULL, FIELD_IS_NOTE(32)), END };
static const struct member kase[] = {
	IS("agency", NULL, FIELD_IS_CODE(agency)),
	IS("case", "its number there", FIELD_IS_CASE),
	IS("open", NULL, FIELD_IS_BOOL),
	MAY("status", "null: not opened yet", WORD_OF(lk_status_word)),
	MAY("since", "when the status began", FIELD_IS_TIME),
	MAY("opened", "the last time; null: not yet", FIELD_IS_TIME),
	MAY("visited", "the last face-to-face contact", FIELD_IS_TIME),
	IS("limited_access", NULL, FIELD_IS_BOOL),
	MAY("closing", "the planned end", FIELD_IS_DATE),
	MAY("closed", "null: open, or not opened yet", FIELD_IS_TIME),
	SEVERAL("shared", "topics of it that the other side may see", FIELD_IS_CODE(topic)),
	OF(MAPS, "workers", "assigned now", case_worker),
	END
};
#define OF_CASE IS("case", "the number of the case that named it", FIELD_IS_CASE)
static const struct member consent[] = { IS("consent", "its id", FIELD_IS_TEXT(64)),
					 OF_CASE,
					 IS("in_force", NULL, FIELD_IS_BOOL),
					 IS("signed", NULL, FIELD_IS_TIME),
					 MAY("expires", "its last day; null: none", FIELD_IS_DATE),
					 SEVERAL("topics", NULL, FIELD_IS_CODE(topic)),
					 END };
static const struct member plan[] = { IS("plan", "its id", FIELD_IS_TEXT(64)),
				      OF_CASE,
				      MAY("kind", "null: not signed yet", FIELD_IS_CODE(plan_kind)),
				      MAY("signed", "null: not yet", FIELD_IS_TIME),
				      MAY("closing", "the planned end", FIELD_IS_DATE),
				      IS("ended", NULL, FIELD_IS_BOOL),
				      END };
static const struct member service[] = { IS("service", "its id", FIELD_IS_TEXT(64)),
					 OF_CASE,
					 MAY("category", "null: not started yet",
					     FIELD_IS_CODE(category)),
					 MAY("started", "null: not yet", FIELD_IS_TIME),
					 IS("running", NULL, FIELD_IS_BOOL),
					 END };
static const struct member concern[] = { IS("concern", "its id", FIELD_IS_TEXT(64)),
					 OF_CASE,
					 MAY("kind", "null: not raised yet",
					     FIELD_IS_CODE(concern_kind)),
					 MAY("raised", "null: not yet", FIELD_IS_TIME),
					 IS("resolved", NULL, FIELD_IS_BOOL),
					 END };
static const struct member referral[] = {
	IS("referral", "its id", FIELD_IS_TEXT(64)),
	OF_CASE,
	MAY("category", "null: not made yet", FIELD_IS_CODE(category)),
	MAY("to", "an agency, or a name; null: not made yet", FIELD_IS_TEXT(80)),
	MAY("status", "null: not made yet", WORD_OF(referral_at)),
	MAY("follow_up", NULL, FIELD_IS_DATE),
	END
};
static const struct member meeting[] = { IS("meeting", "its id", FIELD_IS_TEXT(64)),
					 IS("kind", NULL, FIELD_IS_CODE(meeting_kind)),
					 IS("state", NULL, WORD_OF(meeting_state_at)),
					 IS("start", NULL, FIELD_IS_TIME),
					 IS("end", NULL, FIELD_IS_TIME),
					 MAY("place", NULL, FIELD_IS_NOTE(200)),
					 END };
#define ABOUT_IT A(ABOUT, "about", "../notices/KIND.json says which facts a kind names")
static const struct member standing[] = {
	IS("id", NULL, FIELD_IS_KEY),
	IS("kind", NULL, FIELD_IS_CODE(notice_kind)),
	IS("standing", "false: a moment", FIELD_IS_BOOL),
	IS("to", "a worker's id", FIELD_IS_WORKER),
	IS("level", "what it carries of the other side", FIELD_IS_CODE(level)),
	IS("urgency", NULL, FIELD_IS_CODE(urgency)),
	IS("told", "for the first time", FIELD_IS_TIME),
	MAY("answered", "when a person acknowledged it; null: nobody did", FIELD_IS_TIME),
	MAY("due", NULL, FIELD_IS_DATE),
	ABOUT_IT,
	END
};
static const struct member coming[] = { IS("at", "when", FIELD_IS_TIME),
					IS("kind", NULL, FIELD_IS_CODE(notice_kind)),
					IS("state", NULL, FIELD_IS_CODE(notice_state)),
					MAY("reason", "of a withdrawal", FIELD_IS_CODE(withdrawal)),
					IS("to", "a worker's id", FIELD_IS_WORKER),
					MAY("due", NULL, FIELD_IS_DATE),
					ABOUT_IT,
					END };
static const struct member ahead[] = { IS("event", "SOURCE/ID", FIELD_IS_TEXT(EVENT_NAME_MAX)),
				       IS("type", NULL, FIELD_IS_CODE(event_type)),
				       IS("case", "its case's number", FIELD_IS_CASE),
				       IS("time", "when it takes effect", FIELD_IS_TIME), END };
static const struct member family[] = {
	IS("mutual", "each agency has an open case", FIELD_IS_BOOL),
	IS("episode", "how many times it has been mutual", FIELD_IS_NUMBER),
	MAY("since", "when the episode began; null: not mutual", FIELD_IS_TIME),
	MAY("next", "when something falls due; null: nothing will", FIELD_IS_TIME),
	OF(MAPS, "cases", NULL, kase),
	OF(MAPS, "consents", NULL, consent),
	OF(MAPS, "plans", NULL, plan),
	OF(MAPS, "services", NULL, service),
	OF(MAPS, "concerns", NULL, concern),
	OF(MAPS, "referrals", NULL, referral),
	OF(MAPS, "meetings", "that were scheduled", meeting),
	OF(MAPS, "notices", "that were told and still hold", standing),
	OF(MAPS, "coming", "what would be told if nothing else happened; at most 12, within a year",
	   coming),
	OF(MAPS, "ahead", "events whose time has not come", ahead),
	END
};

/* ---- why, why-not, plan ------------------------------------------------------------------------------------------------ */

static const struct member rule[] = {
	IS("rule", NULL, FIELD_IS_CODE(notice_kind)),
	IS("cites", "its citation", FIELD_IS_TEXT(400)),
	IS("class", NULL, WORD_OF(class_at)),
	IS("enabled", NULL, FIELD_IS_BOOL),
	IS("level", "what the other side gets", FIELD_IS_CODE(level)),
	MAY("topic", "what a consent must cover; null: none is asked for", FIELD_IS_CODE(topic)),
	IS("urgency", NULL, FIELD_IS_CODE(urgency)),
	IS("blind", "sent as a signal where there is no consent", FIELD_IS_BOOL),
	SEVERAL("to", "places", WORD_OF(slot_word)),
	END
};
#define EVENT_SEEN \
	IS("event", "SOURCE/ID", FIELD_IS_TEXT(EVENT_NAME_MAX)), \
		IS("type", NULL, FIELD_IS_CODE(event_type)), \
		IS("agency", NULL, FIELD_IS_CODE(agency)), \
		IS("case", "its number there", FIELD_IS_CASE), \
		IS("time", "when it happened or takes effect", FIELD_IS_TIME), \
		IS("received", NULL, FIELD_IS_TIME)
static const struct member cause[] = { EVENT_SEEN,
				       IS("shown", "the notice names it", FIELD_IS_BOOL), END };
static const struct member value[] = { IS("key", "as ../policy.md lists it",
					  WORD_OF(policy_key_at)),
				       IS("value", "in force", FIELD_IS_NOTE(239)),
				       IS("cites", "its citation", FIELD_IS_TEXT(400)), END };
static const struct member ledger_of[] = {
	IS("rev", "of the telling", FIELD_IS_NUMBER),
	IS("at", NULL, FIELD_IS_TIME),
	MAY("session", "a hand-out after a pause; null: when it was made", FIELD_IS_TEXT(32)),
	IS("level", NULL, FIELD_IS_CODE(level)),
	MAY("basis", "what it rested on", FIELD_IS_TEXT(1200)),
	END
};
static const struct member disclosure[] = {
	IS("level", "as it was told last", FIELD_IS_CODE(level)),
	MAY("topic", NULL, FIELD_IS_CODE(topic)),
	IS("may_be_seen", "now", FIELD_IS_BOOL),
	MAY("held_by", "null: nothing holds it back", WORD_OF(bar_at)),
	MAY("basis", "what it rests on now; null: it needs none, or has none", FIELD_IS_TEXT(1200)),
	OF(MAPS, "ledger", "its rows of the ledger", ledger_of),
	END
};
static const struct member telling[] = { IS("rev", NULL, FIELD_IS_NUMBER),
					 IS("state", NULL, FIELD_IS_CODE(notice_state)),
					 MAY("reason", "of a withdrawal",
					     FIELD_IS_CODE(withdrawal)),
					 IS("at", NULL, FIELD_IS_TIME),
					 IS("level", NULL, FIELD_IS_CODE(level)),
					 IS("seq", "its place in the mailbox", FIELD_IS_NUMBER),
					 END };
static const struct member answered[] = {
	MAY("by", "a worker's id; null: nobody has acknowledged it", FIELD_IS_TEXT(64)),
	MAY("at", NULL, FIELD_IS_TIME), END
};
static const struct member why[] = {
	A(NOTICE, "notice",
	  "as it was told last, before any withdrawal: ../notice.json, ../notices/KIND.json"),
	IS("follows", "it still does, now", FIELD_IS_BOOL),
	MAY("place", "by which it went to the worker; null: it can not be derived again",
	    WORD_OF(slot_word)),
	OF(MAP, "rule", NULL, rule),
	OF(MAPS, "events", "that led to it", cause),
	OF(MAPS, "policy", "values with which it would be another, or none, if they were others",
	   value),
	OF(MAP, "disclosure", NULL, disclosure),
	OF(MAPS, "tellings", "its history", telling),
	OF(MAP, "answered", NULL, answered),
	END
};

static const struct member asked_event[] = { EVENT_SEEN, END };
static const struct member held_role[] = { IS("agency", NULL, FIELD_IS_CODE(agency)),
					   IS("case", "its number there", FIELD_IS_CASE),
					   IS("role", NULL, FIELD_IS_CODE(role)), END };
static const struct member place[] = {
	IS("place", NULL, WORD_OF(slot_word)),
	MAY("worker", "who holds it; null: nobody", FIELD_IS_TEXT(64)), END
};
static const struct member held_row[] = {
	MAY("rule", "null: it is so of the event as a whole", FIELD_IS_CODE(notice_kind)),
	IS("held_by", "what became of it", WORD_OF(held_at)),
	IS("says", "the same as a sentence", FIELD_IS_TEXT(200)),
	MAY("place", "of the worker, by the rule", WORD_OF(slot_word)),
	MAY("holder", "who has it, where it was told", FIELD_IS_TEXT(64)),
	MAY("at", "when it was told, or will be", FIELD_IS_TIME),
	MAY("by", "SOURCE/ID of the event that took it back", FIELD_IS_TEXT(EVENT_NAME_MAX)),
	MAY("notice", "its id, where it was told", FIELD_IS_KEY),
	OF(MAPS, "places", "where it went to, or would", place),
	END
};
static const struct member why_not[] = {
	OF(MAP, "event", NULL, asked_event), IS("worker", "as asked", FIELD_IS_TEXT(64)),
	OF(MAPS, "holds", "the worker's places in the family, now", held_role),
	OF(MAPS, "rules", NULL, held_row), END
};

static const struct member item[] = { IS("what", "what is to be done, or holds",
					 FIELD_IS_TEXT(900)),
				      MAY("how", "how `when` is meant", WORD_OF(how_at)),
				      A(WHEN, "when", "an instant, or a day"),
				      MAY("who", NULL, FIELD_IS_TEXT(4224)),
				      MAY("why", NULL, FIELD_IS_TEXT(200)),
				      END };
static const struct member page[] = {
	IS("for", "the worker", FIELD_IS_TEXT(64)),
	IS("side", "the worker's", FIELD_IS_CODE(agency)),
	IS("at", "as of", FIELD_IS_TIME),
	IS("mutual", "each agency has an open case", FIELD_IS_BOOL),
	MAY("since", "when the episode began; null: not mutual", FIELD_IS_TIME),
	SEVERAL("shared", "topics of the other side that the worker may see", FIELD_IS_CODE(topic)),
	OF(MAPS, "goals", NULL, item),
	OF(MAPS, "family", NULL, item),
	OF(MAPS, "cws", NULL, item),
	OF(MAPS, "calworks", NULL, item),
	END
};

static const struct member reloaded[] = {
	SEVERAL("unreachable", "liaisons for whom no client reads now", FIELD_IS_TEXT(64)), END
};

/* ---- The table --------------------------------------------------------------------------------------------------------- */

enum manner { AT_ONCE, IN_PARTS, LONG_WORK };

static const struct verb {
	const char *name;
	const struct member *asks, *answers; /* NULL: nothing */
	enum manner manner;
	const char *what;
} verbs[] = {
	{ "status", no_args, status, AT_ONCE, "How the daemon is doing." },
	{ "sources", no_args, sources, IN_PARTS, "Who sends events." },
	{ "sessions", no_args, sessions, IN_PARTS, "Who is connected." },
	{ "workers", workers_args, workers, IN_PARTS,
	  "Mailboxes, who reads each, and what waits." },
	{ "family", case_args, family, AT_ONCE,
	  "The family of a case: its state, what stands, what comes next." },
	{ "why", why_args, why, AT_ONCE, "Why a notice was told." },
	{ "why-not", why_not_args, why_not, AT_ONCE, "What held an event back from a worker." },
	{ "plan", plan_args, page, AT_ONCE,
	  "The plan on one page, as far as a worker may see it." },
	{ "policy-check", policy_args, policy_checked, AT_ONCE,
	  "Is a policy sound? Nothing is changed." },
	{ "dead-letters", letters_args, letters, IN_PARTS, "Input that was refused." },
	{ "dead-letters-read", letters_read_args, letters_read, AT_ONCE,
	  "The same, with what it said." },
	{ "dead-letter-resubmit", resubmit_args, resubmitted, AT_ONCE,
	  "A corrected event in a letter's place." },
	{ "ledger-verify", verify_args, ledger_verified, LONG_WORK,
	  "Is the disclosure ledger as it was written?" },
	{ "scrub", no_args, scrubbed, LONG_WORK, "Every row read, and compared with its sum." },
	{ "expunge", order_args, expunged, LONG_WORK, "A family taken out for good, on order." },
	{ "vacuum", vacuum_args, vacuumed, AT_ONCE,
	  "Both files written anew, and looked through; everybody waits." },
	{ "hold", order_args, NULL, AT_ONCE, "The case's family may not be expunged." },
	{ "release", order_args, NULL, AT_ONCE, "The hold has ended." },
	{ "holds", purpose_args, holds, IN_PARTS, "Which cases are held." },
	{ "rebuild", no_args, rebuilt, LONG_WORK, "Every family folded anew from the log." },
	{ "prune", no_args, pruned, LONG_WORK, "What is older than it is kept, taken away." },
	{ "export", purpose_args, NULL, AT_ONCE,
	  "The purpose of a copy of state.db, into the ledger." },
	{ "backup", no_args, backup_made, LONG_WORK,
	  "A copy of the store, to be moved and proved." },
	{ "backup-verified", verified_args, NULL, AT_ONCE, "Outboxes may forget what is in it." },
	{ "backup-forget", forget_args, NULL, AT_ONCE, "It is kept nowhere any more." },
	{ "backups", no_args, backups, IN_PARTS, "Which backups were made." },
	{ "clock", clock_args, clock_moved, AT_ONCE,
	  "Time moved by hand, and all that fell due told." },
	{ "clock-accept", no_args, clock_accepted, AT_ONCE,
	  "The machine's clock is believed again." },
	{ "reload", no_args, reloaded, AT_ONCE, "Policy and table of clients read again." },
	{ "stop", no_args, NULL, AT_ONCE, "The daemon commits what waits, and ends." },
};

/* ---- Saying them ------------------------------------------------------------------------------------------------------- */

static void map_say(struct schema *s, const struct member *members);

static void type_of(struct schema *s, const char *type)
{
	schema_word(s, "type", type);
}

static void closed_say(struct schema *s)
{
	lk_put_bool(schema_key(s, "additionalProperties"), false);
}

static void leaf_say(struct schema *s, const struct member *m)
{
	field_say(s, &m->field);
	if (m->pattern != NULL)
		schema_word(s, "pattern", m->pattern);
}

static void list_say(struct schema *s, const struct member *m)
{
	struct member one = *m;
	struct schema items = { 0 };

	type_of(s, "array");
	schema_key(s, "items");
	one.field.presence = FIELD_REQUIRED;
	leaf_say(&items, &one);
	schema_end(&items, &s->pairs);
}

static void maps_say(struct schema *s, const struct member *m)
{
	struct schema items = { 0 };

	type_of(s, "array");
	schema_key(s, "items");
	map_say(&items, m->of);
	schema_end(&items, &s->pairs);
}

static void member_map_say(struct schema *s, const struct member *m)
{
	map_say(s, m->of);
}

static void by_name_say(struct schema *s, const struct member *m)
{
	struct schema each = { 0 };

	type_of(s, "object");
	schema_key(s, "additionalProperties");
	map_say(&each, m->of);
	schema_end(&each, &s->pairs);
}

static void when_say(struct schema *s, const struct member *m)
{
	static const struct field kinds[] = { { .presence = FIELD_NULLABLE, FIELD_IS_TIME },
					      { .presence = FIELD_NULLABLE, FIELD_IS_DATE } };

	(void)m;
	lk_put_array(schema_key(s, "anyOf"), COUNT(kinds));
	for (size_t i = 0; i < COUNT(kinds); i++) {
		struct schema one = { 0 };
		field_say(&one, &kinds[i]);
		schema_end(&one, &s->pairs);
	}
}

static void about_say(struct schema *s, const struct member *m)
{
	static const struct field about = { .presence = FIELD_REQUIRED, FIELD_IS_ABOUT };

	(void)m;
	field_say(s, &about);
	closed_say(s);
}

static void object_say(struct schema *s, const struct member *m)
{
	(void)m;
	type_of(s, "object");
}

static void member_say(struct schema *properties, const struct member *m)
{
	static void (*const says[])(struct schema * s, const struct member *m) = {
		[ONE] = leaf_say,    [LIST] = list_say,       [MAP] = member_map_say,
		[MAPS] = maps_say,   [BY_NAME] = by_name_say, [WHEN] = when_say,
		[ABOUT] = about_say, [NOTICE] = object_say,   [EVENT] = object_say,
	};
	struct schema one = { 0 };

	schema_key(properties, m->word);
	says[m->form](&one, m);
	if (m->what != NULL)
		schema_word(&one, "description", m->what);
	schema_end(&one, &properties->pairs);
}

static void map_say(struct schema *s, const struct member *members)
{
	struct lk_bytes required = { 0 };
	struct schema properties = { 0 };
	uint32_t n = 0;

	for (const struct member *m = members; m->word != NULL; m++) {
		member_say(&properties, m);
		if (m->field.presence == FIELD_OPTIONAL)
			continue;
		n++;
		lk_put_word(&required, m->word);
	}
	type_of(s, "object");
	if (n > 0) {
		lk_put_array(schema_key(s, "required"), n);
		lk_put_raw(&s->pairs, required.at, required.len);
	}
	schema_end(&properties, schema_key(s, "properties"));
	closed_say(s);
	lk_bytes_free(&required);
}

/* ---- A file each ------------------------------------------------------------------------------------------------------- */

/* As status names them: metrics_put(). */
static void counters_fill(void)
{
	static char words[metric_count][64];
	size_t n = 0;

	for (int i = 0; i < metric_count; i++) {
		const struct metric_row *row = metric_row((enum metric)i);

		if (row->kind != METRIC_COUNTER)
			continue;
		snprintf(words[i], sizeof(words[i]), "%.*s",
			 LK_PRINT(metric_short_name((enum metric)i)));
		counters[n++] = (struct member)IS(words[i], row->what, FIELD_IS_NUMBER);
	}
}

static void head_say(struct schema *s, const char *id, const char *title, const char *what)
{
	schema_word(s, "$schema", "https://json-schema.org/draft/2020-12/schema");
	schema_word(s, "$id", id);
	schema_word(s, "title", title);
	schema_word(s, "description", what);
}

static void definition_say(struct schema *definitions, const char *name,
			   const struct member *members)
{
	struct schema one = { 0 };

	schema_key(definitions, name);
	map_say(&one, members);
	schema_end(&one, &definitions->pairs);
}

static void definitions_say(struct schema *s, const struct verb *verb)
{
	const struct member working[] = {
		IS("working", "the verb", FIELD_IS_CONSTANT(verb->name)),
		IS("done", "how much of it, in rows, pages or families", FIELD_IS_NUMBER),
		IS("of", "of how much; 0: nobody knows", FIELD_IS_NUMBER), END
	};
	struct schema definitions = { 0 };

	definition_say(&definitions, "args", verb->asks);
	if (verb->manner == LONG_WORK)
		definition_say(&definitions, "working", working);
	schema_end(&definitions, schema_key(s, "$defs"));
}

static void verb_write(const char *folder, const struct verb *verb, enum roster_role role)
{
	static const char *const manners[] = {
		[AT_ONCE] = "",
		[IN_PARTS] = "; may come in parts, of which each is one of these",
		[LONG_WORK] = "; a long work, whose parts with `more` true are $defs.working",
	};
	struct schema s = { 0 };
	char what[300], id[64];

	snprintf(id, sizeof(id), "urn:linkages:verb:%s", verb->name);
	snprintf(what, sizeof(what),
		 "%s For role %s. This is the body of the reply%s; $defs.args is what is asked.",
		 verb->what, roster_role_word(role), manners[verb->manner]);
	head_say(&s, id, verb->name, what);
	if (verb->answers != NULL)
		map_say(&s, verb->answers);
	else
		type_of(&s, "null");
	definitions_say(&s, verb);
	schema_write(folder, verb->name, &s);
}

static const struct verb *verb_find(const char *name)
{
	for (size_t i = 0; i < COUNT(verbs); i++)
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	fprintf(stderr, "linkages-schemas: nothing is said of the verb '%s'\n", name);
	exit(1);
}

static void refusal_write(const char *folder)
{
	static const struct member refusal[] = {
		IS("code", "why; lanes/control.md explains each", WORD_OF(refusal_at)),
		IS("detail", "a sentence for people", FIELD_IS_TEXT(1000)), END
	};
	struct schema s = { 0 };

	head_say(&s, "urn:linkages:refusal", "refusal",
		 "The body of a reply on the control lane whose `ok` is false.");
	map_say(&s, refusal);
	schema_write(folder, "refusal", &s);
}

void verbs_write(const char *parent, const char *folder)
{
#define KNOWN(name, role, answer) { name, ROLE_##role },
	static const struct {
		const char *name;
		enum roster_role role;
	} known[] = { DAEMON_VERBS(KNOWN) };

	counters_fill();
	for (size_t i = 0; i < COUNT(known); i++)
		verb_write(folder, verb_find(known[i].name), known[i].role);
	if (COUNT(known) != COUNT(verbs)) {
		fprintf(stderr, "linkages-schemas: the daemon has %zu verbs, %zu are described\n",
			COUNT(known), COUNT(verbs));
		exit(1);
	}
	refusal_write(parent);
}
