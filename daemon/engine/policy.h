/* policy.h - what a county decides: every duration, recipient, level, topic, urgency and switch of the rules.
 *
 * Plain structs that daemon/policy.c fills from YAML and the engine reads. The lists below are the built-in default
 * (policy_default()), equal to the shipped daemon/policy.yaml, and drive its parser; a test keeps the two equal.
 * Sources of the numbers: domain.md section 5 and the citations there, repeated in the last column.
 */
#ifndef LINKAGES_ENGINE_POLICY_H
#define LINKAGES_ENGINE_POLICY_H

#include "calendar.h"
#include <linkages/notice.h>

/* ---- Values that change with the law ----------------------------------------------------------------------------- */

enum unit { UNIT_MINUTES, UNIT_HOURS, UNIT_DAYS, UNIT_MONTHS };

struct duration {
	int32_t n;
	enum unit unit;
};

#define DATED_MAX 4
struct dated {
	uint32_t n; /* at least 1; at[0].from is LK_NO_DATE: it held before all others. Sorted by from. */
	struct dated_value {
		lk_date from;
		struct duration value;
	} at[DATED_MAX];
};
/* The value in force on a day. */
struct duration dated_on(const struct dated *dated, lk_date day);

/* D(name, path in YAML, built-in value, citation). Built-in value: V(n, unit), or two joined by SINCE. */
#define POLICY_DURATIONS(D) \
	D(moments_stale_after, "moments.stale_after", V(30, UNIT_DAYS), "domain 2") \
	D(consent_expiring_before, "consent.expiring_before", V(14, UNIT_DAYS), "WIC 832") \
	D(reunification_length, "reunification.length", \
	  SINCE(V(180, UNIT_DAYS), 2025, 1, 1, V(6, UNIT_MONTHS)), "AB 429; AB 135, ACL 25-05") \
	D(reunification_ending_before, "reunification.ending_before", V(30, UNIT_DAYS), "AB 135") \
	D(clock_limit, "clock.limit", SINCE(V(48, UNIT_MONTHS), 2022, 5, 1, V(60, UNIT_MONTHS)), "AB 79; ACL 20-113") \
	D(clock_near, "clock.near", V(6, UNIT_MONTHS), "ACIN I-70-09 G18") \
	D(closure_both_within, "closure.both_within", V(365, UNIT_DAYS), "ACIN I-70-09 G17") \
	D(pltm_due, "meetings.pltm.due", V(7, UNIT_DAYS), "HB 31-090 IV.E") \
	D(ltm_due, "meetings.ltm.due", V(7, UNIT_DAYS), "HB 31-090 III.E.1") \
	D(reconvene_due, "meetings.reconvene.due", V(7, UNIT_DAYS), "HB 31-090 III.G") \
	D(tdm_due, "meetings.tdm.due", V(2, UNIT_DAYS), "ACIN I-70-09 field note 1") \
	D(disposition_every, "meetings.disposition.every", V(3, UNIT_MONTHS), "HB 31-090 III.G") \
	D(disposition_before, "meetings.disposition.told_before", V(21, UNIT_DAYS), "domain 5.1") \
	D(meeting_buffer, "meetings.buffer", V(30, UNIT_MINUTES), "domain 5.2") \
	D(reminder_before, "meetings.reminder_before", V(1, UNIT_DAYS), "domain 5") \
	D(visit_before, "visits.told_before", V(7, UNIT_DAYS), "HB 31-090 V.A.6; measure 2S/2F") \
	D(unanswered_prompt, "unanswered.prompt", V(48, UNIT_HOURS), "DK accountability") \
	D(unanswered_urgent, "unanswered.urgent", V(8, UNIT_HOURS), "DK accountability") \
	D(feeds_silence, "feeds.silence", V(24, UNIT_HOURS), "domain 5")

/* M(name, path, built-in minute of the local day, citation), written 'HH:MM' */
#define POLICY_MINUTES(M) \
	M(day_begins, "day.begins", 8 * 60, "domain 2") \
	M(proposals_from, "meetings.proposals.from", 8 * 60, "domain 5.2") \
	M(proposals_until, "meetings.proposals.until", 17 * 60, "domain 5.2")

/* S(name, path, code list, built-in set as bits, citation), written as a list of words */
#define POLICY_SETS(S) \
	S(linkages_statuses, "cases.linkages_statuses", status, BIT(LK_IFS) | BIT(LK_FM) | BIT(LK_FR), "HB 31-090 III.A") \
	S(visit_statuses, "visits.statuses", status, BIT(LK_IFS) | BIT(LK_FM) | BIT(LK_FR) | BIT(LK_PP), "HB 31-090 V.A.6") \
	S(creditable, "services.creditable", category, \
	  BIT(LK_PARENTING_CLASS) | BIT(LK_SUBSTANCE_USE) | BIT(LK_MENTAL_HEALTH) | BIT(LK_DOMESTIC_VIOLENCE) | \
		  BIT(LK_EMPLOYMENT) | BIT(LK_EDUCATION), "ACIN I-70-09 G12, G14") \
	S(links_automatic, "links.automatic", key_kind, BIT(LK_CIN), "domain 3")

#define POLICY_BIT(code) (1u << (code))

/* ---- Rules ------------------------------------------------------------------------------------------------------- */

enum rule_class { STANDING, MOMENT };

/* Places a notice can be addressed to. OWN is the side that said it, OTHER the side that did not. Resolved in this
 * order; nobody gets one notice twice. C(enumerator, word in YAML) */
#define POLICY_SLOTS(C) \
	C(SLOT_OWN_LEAD, "own_lead") C(SLOT_OTHER_LEAD, "other_lead") \
	C(SLOT_CWS_LEAD, "cws_lead") C(SLOT_CALWORKS_LEAD, "calworks_lead") \
	C(SLOT_OWN_SUPERVISOR, "own_supervisor") C(SLOT_OTHER_SUPERVISOR, "other_supervisor") \
	C(SLOT_CWS_SUPERVISOR, "cws_supervisor") C(SLOT_CALWORKS_SUPERVISOR, "calworks_supervisor") \
	C(SLOT_DISCOVERER, "discoverer") C(SLOT_ORGANIZER, "organizer") C(SLOT_REQUIRED, "required") \
	C(SLOT_OPTIONAL, "optional") C(SLOT_HOLDERS, "holders") C(SLOT_LIAISONS, "liaisons")
#define POLICY_SLOT(name, word) name,
enum slot { POLICY_SLOTS(POLICY_SLOT) SLOT_COUNT };
#define LEADS (POLICY_BIT(SLOT_CWS_LEAD) | POLICY_BIT(SLOT_CALWORKS_LEAD))
#define SUPERVISORS (POLICY_BIT(SLOT_CWS_SUPERVISOR) | POLICY_BIT(SLOT_CALWORKS_SUPERVISOR))
#define SAID_BY (POLICY_BIT(SLOT_OWN_LEAD))
#define TOLD_TO (POLICY_BIT(SLOT_OTHER_LEAD))

#define NO_TOPIC LK_NO_CODE

/* R(notice kind, class, to, level for the other side, topic, urgency, blind, citation). Level OWN: one side's own duty. */
#define POLICY_RULES(R) \
	R(LK_CROSSOVER_FOUND, STANDING, LEADS | SUPERVISORS, LK_REGISTRY, NO_TOPIC, LK_PROMPT, false, \
	  "HB 31-090 III.B, IV.B-C; ACIN I-70-09 G5") \
	R(LK_CROSSOVER_POSSIBLE, STANDING, POLICY_BIT(SLOT_DISCOVERER), LK_REGISTRY, NO_TOPIC, LK_ROUTINE, false, \
	  "WB Cross-Referencing") \
	R(LK_CROSSOVER_ENDED, MOMENT, POLICY_BIT(SLOT_HOLDERS), LK_SIGNAL, NO_TOPIC, LK_ROUTINE, false, "domain 5") \
	R(LK_CONSENT_NEEDED, STANDING, POLICY_BIT(SLOT_DISCOVERER), LK_REGISTRY, NO_TOPIC, LK_PROMPT, false, \
	  "HB 31-090 IV.D") \
	R(LK_CONSENT_EXPIRING, STANDING, LEADS, LK_REGISTRY, NO_TOPIC, LK_PROMPT, false, "WIC 832") \
	R(LK_CONSENT_ENDED, MOMENT, LEADS, LK_REGISTRY, NO_TOPIC, LK_PROMPT, false, "HB 31-090 III.C") \
	R(LK_STATUS_CHANGED, MOMENT, TOLD_TO, LK_CONTENT, LK_TOPIC_STATUS, LK_PROMPT, false, \
	  "ACIN I-70-09 G8; HB 31-090 V.A.7") \
	R(LK_SANCTION_REVIEW, STANDING, POLICY_BIT(SLOT_CALWORKS_LEAD), LK_SIGNAL, NO_TOPIC, LK_PROMPT, false, \
	  "ACIN I-70-09 G10") \
	R(LK_REUNIFICATION_EVALUATE, STANDING, POLICY_BIT(SLOT_CALWORKS_LEAD), LK_CONTENT, LK_TOPIC_STATUS, LK_PROMPT, \
	  false, "AB 429, AB 135; DK") \
	R(LK_REUNIFICATION_ENDING, STANDING, LEADS, LK_CONTENT, LK_TOPIC_STATUS, LK_PROMPT, false, "AB 135") \
	R(LK_CLOCK_NEAR, STANDING, LEADS, LK_CONTENT, LK_TOPIC_CLOSURE, LK_ROUTINE, false, "ACIN I-70-09 G18") \
	R(LK_MILESTONE_TOLD, MOMENT, SAID_BY | TOLD_TO, LK_CONTENT, LK_TOPIC_MILESTONE, LK_ROUTINE, false, \
	  "ACIN I-70-09 Key milestones") \
	R(LK_CLOSURE_PLANNED, STANDING, LEADS, LK_CONTENT, LK_TOPIC_CLOSURE, LK_PROMPT, false, "ACIN I-70-09 G18") \
	R(LK_CLOSURE_ONE_SIDE, MOMENT, LEADS, LK_CONTENT, LK_TOPIC_CLOSURE, LK_PROMPT, false, "ACIN I-70-09 G17-18") \
	R(LK_CLOSURE_BOTH, MOMENT, LEADS, LK_SIGNAL, NO_TOPIC, LK_ROUTINE, false, "ACIN I-70-09 G17") \
	R(LK_CLOSURE_SCREEN, MOMENT, POLICY_BIT(SLOT_CWS_LEAD), LK_SIGNAL, NO_TOPIC, LK_ROUTINE, false, \
	  "ACIN I-70-09 G8") \
	R(LK_MEETING_NEEDED, STANDING, LEADS, LK_CONTENT, LK_TOPIC_MEETING, LK_PROMPT, true, "HB 31-090 III.D-G") \
	R(LK_MEETING_OVERDUE, STANDING, LEADS | SUPERVISORS, LK_CONTENT, LK_TOPIC_MEETING, LK_URGENT, true, \
	  "HB 31-090 III.G") \
	R(LK_MEETING_RESCHEDULE, STANDING, POLICY_BIT(SLOT_ORGANIZER), LK_CONTENT, LK_TOPIC_MEETING, LK_PROMPT, true, \
	  "ACIN I-70-09 two places at once; HB 31-090 III.F") \
	R(LK_MEETING_CHANGED, MOMENT, POLICY_BIT(SLOT_REQUIRED) | POLICY_BIT(SLOT_OPTIONAL), LK_REGISTRY, NO_TOPIC, \
	  LK_ROUTINE, false, "HB 31-090 IV.F") \
	R(LK_MEETING_REMINDER, MOMENT, POLICY_BIT(SLOT_REQUIRED), LK_REGISTRY, NO_TOPIC, LK_ROUTINE, false, "domain 5") \
	R(LK_VISIT_DUE, STANDING, POLICY_BIT(SLOT_CWS_LEAD), LK_OWN, NO_TOPIC, LK_PROMPT, false, "HB 31-090 V.A.6") \
	R(LK_VISIT_MISSED, MOMENT, POLICY_BIT(SLOT_CWS_LEAD) | POLICY_BIT(SLOT_CWS_SUPERVISOR), LK_OWN, NO_TOPIC, \
	  LK_PROMPT, false, "HB 31-090 V.A.6") \
	R(LK_SERVICE_DUPLICATE, STANDING, LEADS, LK_CONTENT, LK_TOPIC_SERVICES, LK_ROUTINE, false, "HB 31-090 III.C.3") \
	R(LK_SERVICE_CREDIT, MOMENT, POLICY_BIT(SLOT_CALWORKS_LEAD), LK_CONTENT, LK_TOPIC_SERVICES, LK_ROUTINE, false, \
	  "ACIN I-70-09 G12, G14") \
	R(LK_REFERRAL_CHANGED, MOMENT, TOLD_TO, LK_CONTENT, LK_TOPIC_REFERRAL, LK_ROUTINE, false, \
	  "WB Referral tracking") \
	R(LK_REFERRAL_OVERDUE, STANDING, SAID_BY | POLICY_BIT(SLOT_OWN_SUPERVISOR), LK_OWN, NO_TOPIC, LK_PROMPT, false, \
	  "WB Referral tracking") \
	R(LK_NOTICE_UNANSWERED, STANDING, POLICY_BIT(SLOT_OWN_SUPERVISOR), LK_SIGNAL, NO_TOPIC, LK_PROMPT, false, \
	  "DK accountable") \
	R(LK_FEED_SILENT, STANDING, POLICY_BIT(SLOT_LIAISONS), LK_OWN, NO_TOPIC, LK_PROMPT, false, "domain 5")

struct rule_policy {
	bool enabled;
	bool blind;                 /* fixed by the program */
	enum rule_class rule_class; /* fixed by the program, shown in the document */
	unsigned to;                /* bits of enum slot */
	int level;                  /* lk_level */
	int topic;                  /* lk_topic or NO_TOPIC */
	int urgency;                /* lk_urgency */
	char cites[120];
};

struct policy {
	uint8_t revision[LK_DIGEST]; /* of everything below, so that a family row can say what it was derived under */
	struct zone zone;
	struct rule_policy rule[lk_notice_kind_count];
#define POLICY_DURATION_MEMBER(name, path, value, cites) struct dated name;
	POLICY_DURATIONS(POLICY_DURATION_MEMBER)
#define POLICY_MINUTE_MEMBER(name, path, value, cites) int name;
	POLICY_MINUTES(POLICY_MINUTE_MEMBER)
#define POLICY_SET_MEMBER(name, path, list, value, cites) unsigned name;
	POLICY_SETS(POLICY_SET_MEMBER)
	lk_date quiet_before;     /* `moments.quiet_before`: the day the county went live; LK_NO_DATE: never quiet */
	char liaison[2][65];      /* worker ids, by lk_agency: `liaisons.cws`, `liaisons.calworks` */
};

/* The built-in default, without the zone (UTC, no name) and the revision (zeroes): policy_load() adds both. */
void policy_default(struct policy *p);

const char *slot_word(int slot); /* a place, as the policy names it; NULL for a number that is none */

#endif
