/* event.h - what an agency may say: every event type and every member of its data, described once.
 *
 * The lists below give the structs, the MessagePack and JSON codecs, the validation and the JSON Schemas; a type or a
 * member cannot be forgotten in one of them. Source: domain.md, section 3 (handbook and state notice cited there).
 *
 * Numbers of enumerators reach the disk in packed family rows: append, never renumber.
 */
#ifndef LINKAGES_EVENT_H
#define LINKAGES_EVENT_H

#include <linkages/base.h>

/* ---- Codes: C(enumerator, word on the wire) ---------------------------------------------------------------------- */

#define LK_AGENCIES(C) C(LK_CWS, "cws") C(LK_CALWORKS, "calworks")

/* The first seven belong to cws, the rest to calworks: lk_status_agency(). */
#define LK_STATUSES(C) \
	C(LK_REFERRAL, "referral") C(LK_ER, "er") C(LK_IFS, "ifs") C(LK_FM, "fm") C(LK_FR, "fr") \
	C(LK_PP, "pp") C(LK_ST, "st") \
	C(LK_APPLIED, "applied") C(LK_ACTIVE, "active") C(LK_EXEMPT, "exempt") C(LK_GOOD_CAUSE, "good_cause") \
	C(LK_NONCOMPLIANCE, "noncompliance") C(LK_SANCTIONED, "sanctioned") C(LK_TIMED_OUT, "timed_out") \
	C(LK_REUNIFICATION, "reunification")

/* In the order in which a calworks lead is sought; social_worker is cws only, the three after it calworks only. */
#define LK_ROLES(C) \
	C(LK_SOCIAL_WORKER, "social_worker") C(LK_AIS_WORKER, "ais_worker") \
	C(LK_EMPLOYMENT_SPECIALIST, "employment_specialist") C(LK_ELIGIBILITY_WORKER, "eligibility_worker") \
	C(LK_SUPERVISOR, "supervisor") C(LK_CLERK, "clerk")

#define LK_TOPICS(C) \
	C(LK_TOPIC_STATUS, "status") C(LK_TOPIC_CLOSURE, "closure") C(LK_TOPIC_MILESTONE, "milestone") \
	C(LK_TOPIC_MEETING, "meeting") C(LK_TOPIC_SERVICES, "services") C(LK_TOPIC_REFERRAL, "referral")

#define LK_MEETING_KINDS(C) \
	C(LK_PLTM, "pltm") C(LK_LTM, "ltm") C(LK_TDM, "tdm") C(LK_CFT, "cft") C(LK_STAFFING, "staffing") \
	C(LK_DISPOSITION, "disposition") C(LK_COURT, "court") C(LK_VISIT, "visit") C(LK_APPOINTMENT, "appointment")

#define LK_PLAN_KINDS(C) \
	C(LK_IFS_AGREEMENT, "ifs_agreement") C(LK_CWS_CASE_PLAN, "cws_case_plan") C(LK_WTW_PLAN, "wtw_plan") \
	C(LK_LCCP, "lccp")

#define LK_CATEGORIES(C) \
	C(LK_SUBSTANCE_USE, "substance_use") C(LK_MENTAL_HEALTH, "mental_health") \
	C(LK_DOMESTIC_VIOLENCE, "domestic_violence") C(LK_ANGER_MANAGEMENT, "anger_management") \
	C(LK_PARENTING_CLASS, "parenting_class") C(LK_HOUSING, "housing") C(LK_TRANSPORTATION, "transportation") \
	C(LK_CHILD_CARE, "child_care") C(LK_FOOD, "food") C(LK_EMPLOYMENT, "employment") \
	C(LK_EDUCATION, "education") C(LK_CLOTHING, "clothing") C(LK_HOME_VISITING, "home_visiting") \
	C(LK_ASSESSMENT, "assessment") C(LK_OTHER_SERVICE, "other")

#define LK_MEMBER_ROLES(C) \
	C(LK_PARENT, "parent") C(LK_CHILD, "child") C(LK_CARETAKER, "caretaker") C(LK_OTHER_MEMBER, "other")

#define LK_KEY_KINDS(C) C(LK_CIN, "cin") C(LK_SSN, "ssn") C(LK_NAME_DOB, "name_dob")

#define LK_OUTCOMES(C) C(LK_COMPLETED, "completed") C(LK_STOPPED, "stopped") C(LK_NOT_STARTED, "not_started")

#define LK_CONTACT_KINDS(C) C(LK_FACE_TO_FACE, "face_to_face") C(LK_PHONE, "phone") C(LK_WRITTEN, "written")

#define LK_CONCERN_KINDS(C) \
	C(LK_NOT_MEETING_REQUIREMENTS, "not_meeting_requirements") C(LK_DEVIATION, "deviation") \
	C(LK_REMOVAL_CONSIDERED, "removal_considered") C(LK_PLAN_CHANGE, "plan_change") C(LK_OTHER_CONCERN, "other")

#define LK_REFERRAL_STATUSES(C) \
	C(LK_RECEIVED, "received") C(LK_ACCEPTED, "accepted") C(LK_DECLINED, "declined") \
	C(LK_REFERRAL_COMPLETED, "completed")

#define LK_CLOCKS(C) C(LK_TANF60, "tanf60")

/* Every code list, for those who treat all alike: L(tag, list, enum name) */
#define LK_CODE_LISTS(L) \
	L(agency, LK_AGENCIES) L(status, LK_STATUSES) L(role, LK_ROLES) L(topic, LK_TOPICS) \
	L(meeting_kind, LK_MEETING_KINDS) L(plan_kind, LK_PLAN_KINDS) L(category, LK_CATEGORIES) \
	L(member_role, LK_MEMBER_ROLES) L(key_kind, LK_KEY_KINDS) L(outcome, LK_OUTCOMES) \
	L(contact_kind, LK_CONTACT_KINDS) L(concern_kind, LK_CONCERN_KINDS) \
	L(referral_status, LK_REFERRAL_STATUSES) L(clock, LK_CLOCKS)

#define LK_ENUMERATOR(name, word) name,
#define LK_DECLARE_CODES(tag, list) \
	enum lk_##tag { list(LK_ENUMERATOR) lk_##tag##_count }; \
	const char *lk_##tag##_word(int code);    /* the word on the wire; NULL for a number that is no code */ \
	int lk_##tag##_code(struct lk_text word); /* the enumerator, or -1 */
LK_CODE_LISTS(LK_DECLARE_CODES)

#define LK_NO_CODE (-1)
static inline enum lk_agency lk_status_agency(enum lk_status s)
{
	return s < LK_APPLIED ? LK_CWS : LK_CALWORKS;
}
bool lk_role_fits(enum lk_role role, enum lk_agency agency);

/* ---- Members of data: F(name in C, name on the wire, kind, presence) --------------------------------------------- *
 * Kinds and their C types, with the value that stands for 'absent':
 *   TEXT(max)    struct lk_text   an id or a name of 1..max characters (at == NULL)
 *   NOTE(max)    struct lk_text   free text of up to max characters; an empty one reads as absent
 *   WORKER       struct lk_text   1..64 of A-Za-z0-9._@-
 *   CODE(tag)    int              an enumerator of lk_<tag> (LK_NO_CODE)
 *   STATUS       int              as CODE(status), of the source's own agency
 *   ROLE         int              as CODE(role), of the source's own agency
 *   DATE         lk_date          (LK_NO_DATE); TIME  struct lk_time (LK_NO_INSTANT)
 *   BOOL         int              0, 1 (-1)
 *   INT(min,max) int64_t          (INT64_MIN)
 *   TOPICSET     unsigned         bit per lk_topic (0); an empty list on the wire is bad_value
 *   WORKERS, MEMBERS, OTHER       the structs below
 * Presence: REQUIRED, OPTIONAL, or NULLABLE (must be there, may be null, which reads as absent).
 */

#define LK_FIELDS_case_opened(F) \
	F(status, "status", STATUS, REQUIRED) F(members, "members", MEMBERS, OPTIONAL) \
	F(limited_access, "limited_access", BOOL, OPTIONAL) F(county, "county", NOTE(64), OPTIONAL)
#define LK_FIELDS_case_status(F) \
	F(status, "status", STATUS, REQUIRED) F(reason, "reason", NOTE(2000), OPTIONAL) \
	F(until, "until", DATE, OPTIONAL)
#define LK_FIELDS_case_closing(F) \
	F(date, "date", DATE, NULLABLE) F(reason, "reason", NOTE(2000), OPTIONAL)
#define LK_FIELDS_case_closed(F) F(reason, "reason", NOTE(2000), OPTIONAL)
#define LK_FIELDS_case_restricted(F) F(limited_access, "limited_access", BOOL, REQUIRED)
#define LK_FIELDS_worker_assigned(F) \
	F(role, "role", ROLE, REQUIRED) F(worker, "worker", WORKER, REQUIRED) F(name, "name", NOTE(80), OPTIONAL) \
	F(phone, "phone", NOTE(32), OPTIONAL) F(unit, "unit", NOTE(80), OPTIONAL)
#define LK_FIELDS_worker_unassigned(F) F(role, "role", ROLE, REQUIRED)
#define LK_FIELDS_link_confirmed(F) F(other, "other", OTHER, REQUIRED)
#define LK_FIELDS_link_refused(F) LK_FIELDS_link_confirmed(F)
#define LK_FIELDS_link_removed(F) LK_FIELDS_link_confirmed(F)
#define LK_FIELDS_consent_signed(F) \
	F(consent, "consent", TEXT(64), REQUIRED) F(expires, "expires", DATE, OPTIONAL) \
	F(topics, "topics", TOPICSET, OPTIONAL)
#define LK_FIELDS_consent_revoked(F) F(consent, "consent", TEXT(64), REQUIRED)
#define LK_FIELDS_consent_refused(F) F(consent, "consent", TEXT(64), OPTIONAL)
#define LK_FIELDS_plan_signed(F) \
	F(plan, "plan", TEXT(64), REQUIRED) F(kind, "kind", CODE(plan_kind), REQUIRED) \
	F(court_ordered, "court_ordered", BOOL, OPTIONAL)
#define LK_FIELDS_plan_closing(F) \
	F(plan, "plan", TEXT(64), REQUIRED) F(date, "date", DATE, NULLABLE) F(reason, "reason", NOTE(2000), OPTIONAL)
#define LK_FIELDS_plan_ended(F) \
	F(plan, "plan", TEXT(64), REQUIRED) F(date, "date", DATE, OPTIONAL) F(reason, "reason", NOTE(2000), OPTIONAL)
#define LK_FIELDS_service_started(F) \
	F(service, "service", TEXT(64), REQUIRED) F(category, "category", CODE(category), REQUIRED) \
	F(person, "person", TEXT(64), OPTIONAL) F(court_ordered, "court_ordered", BOOL, OPTIONAL)
#define LK_FIELDS_service_ended(F) \
	F(service, "service", TEXT(64), REQUIRED) F(outcome, "outcome", CODE(outcome), REQUIRED)
#define LK_FIELDS_meeting_scheduled(F) \
	F(meeting, "meeting", TEXT(64), REQUIRED) F(kind, "kind", CODE(meeting_kind), REQUIRED) \
	F(start, "start", TIME, REQUIRED) F(end, "end", TIME, REQUIRED) F(place, "place", NOTE(200), OPTIONAL) \
	F(required, "required", WORKERS, OPTIONAL) F(optional, "optional", WORKERS, OPTIONAL) \
	F(family, "family", BOOL, OPTIONAL) F(organizer, "organizer", WORKER, OPTIONAL)
#define LK_FIELDS_meeting_held(F) \
	F(meeting, "meeting", TEXT(64), REQUIRED) F(family, "family", BOOL, OPTIONAL) \
	F(plan_signed, "signed", BOOL, OPTIONAL)
#define LK_FIELDS_meeting_missed(F) \
	F(meeting, "meeting", TEXT(64), REQUIRED) F(reason, "reason", NOTE(2000), OPTIONAL)
#define LK_FIELDS_meeting_cancelled(F) LK_FIELDS_meeting_missed(F)
#define LK_FIELDS_contact_made(F) F(kind, "kind", CODE(contact_kind), REQUIRED)
#define LK_FIELDS_milestone_reached(F) \
	F(milestone, "milestone", TEXT(64), REQUIRED) F(note, "note", NOTE(2000), OPTIONAL)
#define LK_FIELDS_concern_raised(F) \
	F(concern, "concern", TEXT(64), REQUIRED) F(kind, "kind", CODE(concern_kind), REQUIRED) \
	F(note, "note", NOTE(2000), OPTIONAL)
#define LK_FIELDS_concern_resolved(F) F(concern, "concern", TEXT(64), REQUIRED)
#define LK_FIELDS_referral_made(F) \
	F(referral, "referral", TEXT(64), REQUIRED) F(category, "category", CODE(category), REQUIRED) \
	F(to, "to", TEXT(80), REQUIRED) F(follow_up, "follow_up", DATE, OPTIONAL) F(urgent, "urgent", BOOL, OPTIONAL)
#define LK_FIELDS_referral_updated(F) \
	F(referral, "referral", TEXT(64), REQUIRED) F(status, "status", CODE(referral_status), REQUIRED)
#define LK_FIELDS_child_removed(F) F(person, "person", TEXT(64), REQUIRED)
#define LK_FIELDS_child_returned(F) LK_FIELDS_child_removed(F)
#define LK_FIELDS_household_changed(F) F(what, "what", TEXT(64), REQUIRED)
#define LK_FIELDS_clock_reported(F) \
	F(clock, "clock", CODE(clock), REQUIRED) F(used, "used", INT(0, 1200), REQUIRED)
#define LK_FIELDS_event_retracted(F)

/* Every type: E(enumerator, struct tag, word on the wire). Appended to, never renumbered. */
#define LK_EVENT_TYPES(E) \
	E(LK_CASE_OPENED, case_opened, "case.opened") \
	E(LK_CASE_STATUS, case_status, "case.status") \
	E(LK_CASE_CLOSING, case_closing, "case.closing") \
	E(LK_CASE_CLOSED, case_closed, "case.closed") \
	E(LK_CASE_RESTRICTED, case_restricted, "case.restricted") \
	E(LK_WORKER_ASSIGNED, worker_assigned, "worker.assigned") \
	E(LK_WORKER_UNASSIGNED, worker_unassigned, "worker.unassigned") \
	E(LK_LINK_CONFIRMED, link_confirmed, "link.confirmed") \
	E(LK_LINK_REFUSED, link_refused, "link.refused") \
	E(LK_LINK_REMOVED, link_removed, "link.removed") \
	E(LK_CONSENT_SIGNED, consent_signed, "consent.signed") \
	E(LK_CONSENT_REVOKED, consent_revoked, "consent.revoked") \
	E(LK_CONSENT_REFUSED, consent_refused, "consent.refused") \
	E(LK_PLAN_SIGNED, plan_signed, "plan.signed") \
	E(LK_PLAN_CLOSING, plan_closing, "plan.closing") \
	E(LK_PLAN_ENDED, plan_ended, "plan.ended") \
	E(LK_SERVICE_STARTED, service_started, "service.started") \
	E(LK_SERVICE_ENDED, service_ended, "service.ended") \
	E(LK_MEETING_SCHEDULED, meeting_scheduled, "meeting.scheduled") \
	E(LK_MEETING_HELD, meeting_held, "meeting.held") \
	E(LK_MEETING_MISSED, meeting_missed, "meeting.missed") \
	E(LK_MEETING_CANCELLED, meeting_cancelled, "meeting.cancelled") \
	E(LK_CONTACT_MADE, contact_made, "contact.made") \
	E(LK_MILESTONE_REACHED, milestone_reached, "milestone.reached") \
	E(LK_CONCERN_RAISED, concern_raised, "concern.raised") \
	E(LK_CONCERN_RESOLVED, concern_resolved, "concern.resolved") \
	E(LK_REFERRAL_MADE, referral_made, "referral.made") \
	E(LK_REFERRAL_UPDATED, referral_updated, "referral.updated") \
	E(LK_CHILD_REMOVED, child_removed, "child.removed") \
	E(LK_CHILD_RETURNED, child_returned, "child.returned") \
	E(LK_HOUSEHOLD_CHANGED, household_changed, "household.changed") \
	E(LK_CLOCK_REPORTED, clock_reported, "clock.reported") \
	E(LK_EVENT_RETRACTED, event_retracted, "event.retracted")

#define LK_EVENT_ENUMERATOR(name, tag, word) name,
enum lk_event_type { LK_EVENT_TYPES(LK_EVENT_ENUMERATOR) lk_event_type_count };
const char *lk_event_type_word(int type);
int lk_event_type_code(struct lk_text word);

#define LK_WORKERS_MAX 64
#define LK_MEMBERS_MAX 64

struct lk_workers {
	uint32_t n;
	struct lk_text at[LK_WORKERS_MAX];
};

struct lk_member {
	struct lk_text person; /* the agency's own id of a person, 1..64 characters; never a name */
	int role;              /* lk_member_role, LK_NO_CODE where not said */
	struct lk_text key[lk_key_kind_count]; /* 32 lower-case hex digits each; see protocol.md, identity tokens */
};

struct lk_members {
	uint32_t n;
	struct lk_member at[LK_MEMBERS_MAX];
};

struct lk_other {
	int agency;          /* lk_agency */
	struct lk_text number; /* `case` on the wire: 1..32 of A-Za-z0-9- */
};

#define LK_CTYPE_TEXT(max) struct lk_text
#define LK_CTYPE_NOTE(max) struct lk_text
#define LK_CTYPE_WORKER struct lk_text
#define LK_CTYPE_CODE(tag) int
#define LK_CTYPE_STATUS int
#define LK_CTYPE_ROLE int
#define LK_CTYPE_DATE lk_date
#define LK_CTYPE_TIME struct lk_time
#define LK_CTYPE_BOOL int
#define LK_CTYPE_INT(min, max) int64_t
#define LK_CTYPE_TOPICSET unsigned
#define LK_CTYPE_WORKERS struct lk_workers
#define LK_CTYPE_MEMBERS struct lk_members
#define LK_CTYPE_OTHER struct lk_other

#define LK_STRUCT_MEMBER(name, word, kind, presence) LK_CTYPE_##kind name;
#define LK_DECLARE_EVENT(enumerator, tag, word) \
	struct lk_##tag { LK_FIELDS_##tag(LK_STRUCT_MEMBER) char end_; };
LK_EVENT_TYPES(LK_DECLARE_EVENT)

/* One event, as CloudEvents 1.0 has it. All texts point into the bytes it was decoded from. */
struct lk_event {
	struct lk_text id;         /* 1..64 characters, unique within the source */
	struct lk_text source;     /* 1..64 of A-Za-z0-9._- */
	struct lk_text subject;    /* case number: 1..32 of A-Za-z0-9- */
	struct lk_text supersedes; /* absent, or an id of the same source */
	struct lk_time time;       /* when it happened or takes effect; 1990..2100 */
	int64_t sequence;          /* valid where has_sequence */
	bool has_sequence;
	bool is_canonical;         /* decoded from bytes that are the canonical form */
	enum lk_agency agency;     /* the source's */
	enum lk_event_type type;
#define LK_UNION_MEMBER(enumerator, tag, word) struct lk_##tag tag;
	union {
		LK_EVENT_TYPES(LK_UNION_MEMBER)
	};
#undef LK_UNION_MEMBER
};

/* ---- Refusals ---------------------------------------------------------------------------------------------------- */

#define LK_REFUSALS(C) \
	C(LK_MALFORMED, "malformed") C(LK_MISSING, "missing") C(LK_BAD_TYPE, "bad_type") \
	C(LK_BAD_VALUE, "bad_value") C(LK_UNKNOWN_TYPE, "unknown_type") C(LK_UNKNOWN_SOURCE, "unknown_source") \
	C(LK_CONFLICT, "conflict") C(LK_FORBIDDEN, "forbidden") C(LK_TOO_LARGE, "too_large")
LK_DECLARE_CODES(refusal, LK_REFUSALS)

/* Why an input was refused. `detail` never repeats a value of the input: it may be shown to operators. */
struct lk_refused {
	enum lk_refusal reason;
	char field[80];   /* a path, 'data.status'; empty where it is the whole */
	char detail[160];
};

#endif
