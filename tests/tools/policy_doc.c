/* policy_doc.c - prints schemas/policy.md: every key of policy.yaml, its type, built-in value, source and effect.
 *
 * In: the lists of daemon/engine/policy.h. Out: Markdown on standard output. Promise: a key of the lists that has no line
 * below does not compile, so that none can be forgotten; values are those of policy_default().
 *
 * Built as linkages-policy-doc, not installed. tests/lint/policy_doc.sh holds its output against the committed file.
 */
#include "engine/policy.h"

#include <stdio.h>

/* ---- What each key does: EFFECT_<name> ----------------------------------------------------------------------------- */

#define EFFECT_moments_stale_after \
	"What happened longer ago than this when it could first be told is not told any more; what was told stays."
#define EFFECT_consent_expiring_before \
	"From so long before the last day of the last consent in force `consent.expiring` stands."
#define EFFECT_reunification_length \
	"Length of aid or services during reunification, for the day it began. In months: so many full calendar months " \
	"after the month of its start."
#define EFFECT_reunification_ending_before \
	"From so long before the last day of reunification `reunification.ending` stands."
#define EFFECT_clock_limit \
	"Months of aid in a lifetime, for today; `clock.near` subtracts the months reported."
#define EFFECT_clock_near "With so many months left, or fewer, `clock.near` stands."
#define EFFECT_closure_both_within \
	"`closure.both` is told where the family was mutual within so long before its last case closed."
#define EFFECT_pltm_due "From both sides at work for the first time to the day the PLTM is due."
#define EFFECT_ltm_due "From the signing of an IFS agreement to the day the LTM is due."
#define EFFECT_reconvene_due "From the earliest reason to meet again to the day that LTM is due."
#define EFFECT_tdm_due "From a removal being considered to the day the TDM is due."
#define EFFECT_disposition_every "From one disposition, or from the agreement, to the next."
#define EFFECT_disposition_before "From so long before its day a disposition is asked for."
#define EFFECT_meeting_buffer \
	"Between two meetings at different, named places; with less, the one of lower rank is to be moved."
#define EFFECT_reminder_before \
	"So long before the day of a meeting, at `day.begins`, its people are reminded."
#define EFFECT_visit_before \
	"From so long before the last day of a month without a face-to-face visit `visit.due` stands."
#define EFFECT_unanswered_prompt \
	"A prompt notice that waits so long for an answer is told to the supervisor."
#define EFFECT_unanswered_urgent "The same for an urgent notice."
#define EFFECT_feeds_silence \
	"A source that has sent nothing for so long is silent: `feed.silent` stands, and absence rules do not begin."
#define EFFECT_day_begins "When what begins by the passing of days is told."
#define EFFECT_proposals_from \
	"Earliest start that is proposed for a meeting, Monday to Friday; on the half hour."
#define EFFECT_proposals_until \
	"Latest end of a meeting that is proposed; later than `meetings.proposals.from`."
#define EFFECT_linkages_statuses \
	"CWS statuses in which a mutual family is worked together: they call for a PLTM and for `sanction.review`."
#define EFFECT_visit_statuses "CWS statuses that ask for a face-to-face visit each calendar month."
#define EFFECT_creditable "Categories whose hours may count for welfare-to-work: `service.credit`."
#define EFFECT_links_automatic \
	"Equal identity tokens of these kinds link two cases of different agencies without a person's word; a person's no " \
	"is stronger. Of other kinds they ask: `crossover.possible`."

#define EFFECT_LK_CROSSOVER_FOUND "The family has an open case on both sides."
#define EFFECT_LK_CROSSOVER_POSSIBLE "Two cases look like one family; a person is to say yes or no."
#define EFFECT_LK_CROSSOVER_ENDED "A link was removed, and the family is not mutual by it any more."
#define EFFECT_LK_CONSENT_NEEDED \
	"Mutual, no limited access, no consent in force, and nobody has said no in this episode."
#define EFFECT_LK_CONSENT_EXPIRING "The last consent in force ends soon."
#define EFFECT_LK_CONSENT_ENDED "A consent was revoked, or the last one's day has passed."
#define EFFECT_LK_STATUS_CHANGED \
	"A status, a removal, a return or a change of household on the other side."
#define EFFECT_LK_SANCTION_REVIEW \
	"Noncompliance or a sanction in a family with a CWS plan: effort on it may be good cause."
#define EFFECT_LK_REUNIFICATION_EVALUATE \
	"A child is removed and the CalWORKs case is not in reunification."
#define EFFECT_LK_REUNIFICATION_ENDING "Aid or services during reunification end soon."
#define EFFECT_LK_CLOCK_NEAR "Few months of the time limit are left."
#define EFFECT_LK_MILESTONE_TOLD "A family reached a milestone."
#define EFFECT_LK_CLOSURE_PLANNED \
	"A case or a plan is to end on a day, and the other side has an open case."
#define EFFECT_LK_CLOSURE_ONE_SIDE \
	"One side of a mutual family has no open case any more, the other has."
#define EFFECT_LK_CLOSURE_BOTH "The last open case closed of a family that was mutual not long ago."
#define EFFECT_LK_CLOSURE_SCREEN \
	"A CWS case closed and there is no CalWORKs case: screen for eligibility."
#define EFFECT_LK_MEETING_NEEDED "A meeting that is owed to the family is not on the calendar."
#define EFFECT_LK_MEETING_OVERDUE "The day for it has passed and it was not held."
#define EFFECT_LK_MEETING_RESCHEDULE "A meeting cannot stay where it is; free times are proposed."
#define EFFECT_LK_MEETING_CHANGED "A meeting was scheduled, moved or cancelled."
#define EFFECT_LK_MEETING_REMINDER "A meeting is near."
#define EFFECT_LK_VISIT_DUE "No face-to-face visit yet this month, and its end is near."
#define EFFECT_LK_VISIT_MISSED "The month ended without one."
#define EFFECT_LK_SERVICE_DUPLICATE "One category of service runs on both sides."
#define EFFECT_LK_SERVICE_CREDIT "CWS started a service whose hours may count for welfare-to-work."
#define EFFECT_LK_REFERRAL_CHANGED \
	"A referral was made to the other agency, or answered. Urgent where the referral is."
#define EFFECT_LK_REFERRAL_OVERDUE \
	"The day for following up a referral has passed without an answer."
#define EFFECT_LK_NOTICE_UNANSWERED "A notice that wants an answer has waited too long."
#define EFFECT_LK_FEED_SILENT "A source has sent nothing for `feeds.silence`."

/* ---- Values as YAML has them ------------------------------------------------------------------------------------------ */

static const char *const units[] = { "minutes", "hours", "days", "months" };

/* '1 day', '2 days' */
static void duration_print(struct duration d)
{
	static const char *const one[] = { "minute", "hour", "day", "month" };

	printf("%d %s", d.n, d.n == 1 ? one[d.unit] : units[d.unit]);
}

static bool has_unit(const struct dated *dated, enum unit unit)
{
	for (uint32_t i = 0; i < dated->n; i++)
		if (dated->at[i].value.unit == unit)
			return true;
	return false;
}

static void dated_print(const char *path, const struct dated *dated, const char *cites,
			const char *effect)
{
	bool more = false;

	printf("| `%s` | duration in ", path);
	for (int unit = 0; unit < (int)(sizeof(units) / sizeof(units[0])); unit++) {
		if (!has_unit(dated, (enum unit)unit))
			continue;
		printf("%s%s", more ? " or " : "", units[unit]);
		more = true;
	}
	printf(" | ");
	for (uint32_t i = 0; i < dated->n; i++) {
		char day[LK_DATE_TEXT];

		printf("%s", i > 0 ? "; " : "");
		duration_print(dated->at[i].value);
		if (i > 0) {
			lk_date_print(dated->at[i].from, day);
			printf(" from %s", day);
		}
	}
	printf(" | %s | %s |\n", cites, effect);
}

static void minute_print(const char *path, int minute, const char *cites, const char *effect)
{
	printf("| `%s` | time of day | \"%02d:%02d\" | %s | %s |\n", path, minute / 60, minute % 60,
	       cites, effect);
}

static void words_print(unsigned set, const char *(*word)(int code))
{
	bool more = false;

	printf("[");
	for (int code = 0; word(code) != NULL; code++) {
		if ((set & POLICY_BIT(code)) == 0)
			continue;
		printf("%s%s", more ? ", " : "", word(code));
		more = true;
	}
	printf("]");
}

static void set_print(const char *path, const char *list, unsigned set,
		      const char *(*word)(int code), const char *cites, const char *effect)
{
	printf("| `%s` | list of %s | ", path, list);
	words_print(set, word);
	printf(" | %s | %s |\n", cites, effect);
}

static void rule_print(const char *word, const struct rule_policy *r, const char *effect)
{
	const char *topic = lk_topic_word(r->topic);

	printf("| `rules.%s` | %s | ", word, r->rule_class == STANDING ? "standing" : "moment");
	words_print(r->to, slot_word);
	printf(" | %s | %s | %s | %s | %s | %s |\n", lk_level_word(r->level),
	       topic != NULL ? topic : "none", lk_urgency_word(r->urgency),
	       r->blind ? "true" : "false", r->cites, effect);
}

/* ---- The page ----------------------------------------------------------------------------------------------------------- */

static const char head[] =
	"# Policy: every key of `policy.yaml`\n"
	"\n"
	"Generated by `linkages-policy-doc` from `daemon/engine/policy.h`; `tests/lint/policy_doc.sh --write` writes it\n"
	"anew. What a file leaves out keeps its built-in value; what it names and is not listed here is refused. `linkagesd\n"
	"-n` checks the configured file, `linkages-ctl policy check FILE` any file against a running daemon; both name line,\n"
	"column, key and reason. A reload puts a file in force, or keeps the old policy and says why.\n"
	"\n"
	"A duration is a number and one of the units given, as in `7 days`, at least 1 (minutes: at least 0). Minutes and\n"
	"hours run on the clock, days and months on the calendar. Where the law changed, or will, a duration is a list: the\n"
	"first entry `{value}` held before all others, each further one `{from: YYYY-MM-DD, value}` from its day on, four at\n"
	"most.\n"
	"\n"
	"## Values\n"
	"\n"
	"| key | type | built in | source | effect |\n"
	"|---|---|---|---|---|\n";

static const char rules_head[] =
	"\n"
	"## Rules\n"
	"\n"
	"One entry a kind of notice, `rules.KIND`, with these members:\n"
	"\n"
	"| member | type | may be changed | effect |\n"
	"|---|---|---|---|\n"
	"| `enabled` | true or false | yes | false: the rule tells nothing, and what stood by it is withdrawn |\n"
	"| `class` | standing or moment | no: shown here | true until it is not, or told once |\n"
	"| `to` | list of places | among the places that the rule can be addressed to; `crossover.ended` and `notice.unanswered` find their own | who is told; `own` is the side that "
	"said it, `other` the side that did not |\n"
	"| `level` | own, signal, registry, content | down, never up; content stays content | the most the other side learns |\n"
	"| `topic` | a topic of consent, or none | no: shown here | what a consent must cover for content |\n"
	"| `urgency` | routine, prompt, urgent | yes | prompt and urgent ones are to be answered |\n"
	"| `blind` | true or false | no: shown here | sent as a bare signal where there is no consent |\n"
	"| `cites` | text of up to 119 bytes | yes | the basis, carried in every notice |\n"
	"\n"
	"Built in:\n"
	"\n"
	"| key | class | to | level | topic | urgency | blind | cites | told when |\n"
	"|---|---|---|---|---|---|---|---|---|\n";

static void plain_print(const struct policy *p)
{
	printf("| `timezone` | name in the system's tz database | America/Los_Angeles | domain 2 | Turns instants into days. |\n");
	printf("| `liaisons.cws` | worker id | %s | domain 1 | Gets what has no worker on the CWS side. |\n",
	       p->liaison[LK_CWS]);
	printf("| `liaisons.calworks` | worker id | %s | domain 1 | Gets what has no worker on the CalWORKs side. |\n",
	       p->liaison[LK_CALWORKS]);
	printf("| `moments.quiet_before` | day, or never | never | domain 2 | The day the county went live: nothing that "
	       "happened before it is told. |\n");
}

int main(void)
{
	static struct policy p;

	policy_default(&p);
	fputs(head, stdout);
	plain_print(&p);
#define DURATION_LINE(name, path, value, cites) dated_print(path, &p.name, cites, EFFECT_##name);
	POLICY_DURATIONS(DURATION_LINE)
#define MINUTE_LINE(name, path, value, cites) minute_print(path, p.name, cites, EFFECT_##name);
	POLICY_MINUTES(MINUTE_LINE)
#define SET_LINE(name, path, list, value, cites) \
	set_print(path, #list, p.name, lk_##list##_word, cites, EFFECT_##name);
	POLICY_SETS(SET_LINE)
	fputs(rules_head, stdout);
#define RULE_LINE(kind, word) rule_print(word, &p.rule[kind], EFFECT_##kind);
	LK_NOTICE_KINDS(RULE_LINE)
	return fflush(stdout) == 0 ? 0 : 1;
}
