/* test_policy.c - the policy file: what is shipped is what is built in, what is wrong is named with its place.
 *
 * In: daemon/policy.yaml and pieces of YAML. Out: cmocka's verdicts.
 * Promise: every key of the lists can be set and is in the revision; nothing can be set that would disclose more.
 */
#include "policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct policy built_in(void)
{
	static struct policy p;
	static bool loaded;
	struct lk_error err;

	if (!loaded && policy_load(NULL, &p, &err) < 0)
		fail_msg("%s", err.text);
	loaded = true;
	return p;
}

static struct policy parse(const char *text)
{
	struct policy p;
	struct lk_error err;

	if (policy_parse("county.yaml", text, strlen(text), &p, &err) < 0)
		fail_msg("%s", err.text);
	return p;
}

/* The complaint says all of `words`, and the policy at hand stays as it was. */
static void assert_refused(const char *text, const char *words)
{
	struct policy before, p;
	struct lk_error err = { .code = 0 };

	memset(&p, 0x5a, sizeof(p));
	memcpy(&before, &p, sizeof(p));
	assert_int_equal(policy_parse("county.yaml", text, strlen(text), &p, &err), LK_ECONFIG);
	assert_int_equal(err.code, LK_ECONFIG);
	assert_memory_equal(&before, &p, sizeof(p));
	if (strstr(err.text, words) == NULL)
		fail_msg("'%s' does not say '%s'", err.text, words);
}

static bool same_revision(const struct policy *a, const struct policy *b)
{
	return memcmp(a->revision, b->revision, sizeof(a->revision)) == 0;
}

/* ---- The shipped file ---------------------------------------------------------------------------- */

static void assert_same_dated(const struct dated *a, const struct dated *b, const char *path)
{
	bool same = a->n == b->n;

	for (uint32_t i = 0; same && i < a->n; i++)
		same = a->at[i].from == b->at[i].from && a->at[i].value.n == b->at[i].value.n &&
		       a->at[i].value.unit == b->at[i].value.unit;
	if (!same)
		fail_msg("%s differs", path);
}

static void assert_same_rule(const struct rule_policy *a, const struct rule_policy *b,
			     const char *kind)
{
	if (a->enabled != b->enabled || a->rule_class != b->rule_class || a->to != b->to ||
	    a->level != b->level || a->topic != b->topic || a->urgency != b->urgency ||
	    a->blind != b->blind || strcmp(a->cites, b->cites) != 0)
		fail_msg("rules.%s differs", kind);
}

static void assert_same_values(const struct policy *a, const struct policy *b)
{
#define SAME_DATED(name, path, value, cites) assert_same_dated(&a->name, &b->name, path);
	POLICY_DURATIONS(SAME_DATED)
#define SAME_MINUTE(name, path, value, cites) assert_int_equal(a->name, b->name);
	POLICY_MINUTES(SAME_MINUTE)
#define SAME_SET(name, path, list, value, cites) assert_int_equal(a->name, b->name);
	POLICY_SETS(SAME_SET)
	for (int i = 0; i < lk_notice_kind_count; i++)
		assert_same_rule(&a->rule[i], &b->rule[i], lk_notice_kind_word(i));
	assert_int_equal(a->quiet_before, b->quiet_before);
	assert_string_equal(a->liaison[LK_CWS], b->liaison[LK_CWS]);
	assert_string_equal(a->liaison[LK_CALWORKS], b->liaison[LK_CALWORKS]);
}

static struct policy shipped(void)
{
	struct policy p;
	struct lk_error err;

	if (policy_load(TEST_ROOT "/daemon/policy.yaml", &p, &err) < 0)
		fail_msg("%s", err.text);
	return p;
}

static void shipped_file_is_the_built_in_policy(void **state)
{
	struct policy file = shipped(), all = built_in(), values;

	(void)state;
	policy_default(&values);
	assert_same_values(&file, &values);
	assert_string_equal(file.zone.name, "America/Los_Angeles");
	assert_string_equal(file.liaison[LK_CWS], "cws.liaison");
	assert_string_equal(file.liaison[LK_CALWORKS], "calworks.liaison");
	assert_true(same_revision(&file, &all));
}

static char *read_shipped(void)
{
	FILE *stream = fopen(TEST_ROOT "/daemon/policy.yaml", "re");
	char *text = test_calloc(1, 65536);

	assert_non_null(stream);
	assert_in_range(fread(text, 1, 65535, stream), 1, 65534);
	(void)fclose(stream);
	return text;
}

static void find_path(const char *text, const char *path)
{
	char words[100], *rest = words, *word, key[100];
	const char *at = text;

	(void)snprintf(words, sizeof(words), "%s", path);
	while ((word = strsep(&rest, ".")) != NULL) {
		(void)snprintf(key, sizeof(key), "%s:", word);
		at = strstr(at, key);
		if (at == NULL) {
			fail_msg("policy.yaml does not show %s", path);
			return;
		}
	}
}

/* Whoever opens the file sees every key, every kind and every citation. */
static void shipped_file_shows_everything(void **state)
{
	struct policy p = built_in();
	char *text = read_shipped(), entry[200];

	(void)state;
#define FIND(name, path, value, cites) find_path(text, path);
	POLICY_DURATIONS(FIND)
	POLICY_MINUTES(FIND)
#define FIND_SET(name, path, list, value, cites) find_path(text, path);
	POLICY_SETS(FIND_SET)
	for (int i = 0; i < lk_notice_kind_count; i++) {
		(void)snprintf(entry, sizeof(entry), "  %s:\n", lk_notice_kind_word(i));
		assert_non_null(strstr(text, entry));
		(void)snprintf(entry, sizeof(entry), "cites: \"%s\"", p.rule[i].cites);
		assert_non_null(strstr(text, entry));
	}
	test_free(text);
}

/* ---- The built-in policy ------------------------------------------------------------------------- */

/* Where each notice kind stands in the list of rules: none is forgotten, and content has its topic. */
static void every_rule_is_built_in(void **state)
{
	struct policy p;

	(void)state;
	policy_default(&p);
	for (int i = 0; i < lk_notice_kind_count; i++) {
		assert_true(p.rule[i].enabled);
		assert_true(p.rule[i].to != 0);
		assert_true(p.rule[i].cites[0] != '\0');
		assert_int_equal(p.rule[i].level == LK_CONTENT, p.rule[i].topic != NO_TOPIC);
	}
}

static void law_changes_on_its_day(void **state)
{
	struct policy p = built_in();

	(void)state;
	assert_int_equal(dated_on(&p.clock_limit, lk_date_of(2022, 4, 30)).n, 48);
	assert_int_equal(dated_on(&p.clock_limit, lk_date_of(2022, 5, 1)).n, 60);
	assert_int_equal(dated_on(&p.clock_limit, lk_date_of(2099, 1, 1)).n, 60);
	assert_int_equal(dated_on(&p.clock_limit, LK_NO_DATE).n, 48);
	assert_int_equal(dated_on(&p.reunification_length, lk_date_of(2024, 12, 31)).unit,
			 UNIT_DAYS);
	assert_int_equal(dated_on(&p.reunification_length, lk_date_of(2025, 1, 1)).unit,
			 UNIT_MONTHS);
	assert_int_equal(dated_on(&p.pltm_due, lk_date_of(1995, 1, 1)).n, 7);
}

/* ---- What a county may set ----------------------------------------------------------------------- */

static void each_value_is_read_and_revised(const char *text)
{
	struct policy p = parse(text), before = built_in();

	if (same_revision(&p, &before))
		fail_msg("the revision does not cover: %s", text);
}

static void everything_set_changes_the_revision(void **state)
{
	static const char *const texts[] = {
		"timezone: America/Denver",
		"liaisons: {cws: a.b}",
		"liaisons: {calworks: a.b}",
		"moments: {quiet_before: 2026-01-01}",
		"moments: {stale_after: 31 days}",
		"consent: {expiring_before: 15 days}",
		"reunification: {length: 180 days}",
		"reunification: {ending_before: 1 day}",
		"clock: {limit: 60 months}",
		"clock: {near: 7 months}",
		"closure: {both_within: 366 days}",
		"meetings: {pltm: {due: 8 days}}",
		"meetings: {ltm: {due: 8 days}}",
		"meetings: {reconvene: {due: 8 days}}",
		"meetings: {tdm: {due: 3 days}}",
		"meetings: {disposition: {every: 4 months}}",
		"meetings: {disposition: {told_before: 20 days}}",
		"meetings: {buffer: 45 minutes}",
		"meetings: {buffer: 0 minutes}",
		"meetings: {reminder_before: 2 days}",
		"meetings: {proposals: {from: 09:00}}",
		"meetings: {proposals: {until: 16:30}}",
		"day: {begins: 07:30}",
		"visits: {told_before: 8 days}",
		"visits: {statuses: [fm]}",
		"services: {creditable: [education]}",
		"cases: {linkages_statuses: [fm, fr]}",
		"links: {automatic: []}",
		"links: {automatic: [cin, ssn]}",
		"unanswered: {prompt: 24 hours}",
		"unanswered: {urgent: 4 hours}",
		"feeds: {silence: 12 hours}",
		"rules: {visit.due: {enabled: false}}",
		"rules: {visit.due: {to: [cws_lead, cws_supervisor]}}",
		"rules: {visit.due: {urgency: urgent}}",
		"rules: {visit.due: {cites: county letter 12}}",
		"rules: {consent.needed: {level: signal}}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		each_value_is_read_and_revised(texts[i]);
}

static void equal_files_have_equal_revisions(void **state)
{
	struct policy a = parse("clock: {near: 7 months}\nfeeds: {silence: 12 hours}\n");
	struct policy b = parse("feeds:\n  silence: '12 hours'\n'clock.near': 7 months\n");

	(void)state;
	assert_true(same_revision(&a, &b));
}

static void values_land_where_they_belong(void **state)
{
	struct policy p = parse("meetings:\n"
				"  buffer: 45 minutes\n"
				"  proposals: {from: 09:30}\n"
				"moments: {quiet_before: 2026-07-01}\n"
				"clock:\n"
				"  limit:\n"
				"    - {value: 24 months}\n"
				"    - {from: 2011-07-01, value: 48 months}\n"
				"    - {from: 2022-05-01, value: 60 months}\n"
				"links: {automatic: [ssn, cin]}\n"
				"rules:\n"
				"  crossover.found: {to: cws_lead, urgency: urgent}\n");

	(void)state;
	assert_int_equal(p.meeting_buffer.at[0].value.n, 45);
	assert_int_equal(p.proposals_from, 570);
	assert_int_equal(p.quiet_before, lk_date_of(2026, 7, 1));
	assert_int_equal(dated_on(&p.clock_limit, lk_date_of(2011, 6, 30)).n, 24);
	assert_int_equal(dated_on(&p.clock_limit, lk_date_of(2011, 7, 1)).n, 48);
	assert_int_equal(dated_on(&p.clock_limit, lk_date_of(2022, 5, 1)).n, 60);
	assert_int_equal(p.links_automatic, POLICY_BIT(LK_CIN) | POLICY_BIT(LK_SSN));
	assert_int_equal(p.rule[LK_CROSSOVER_FOUND].to, POLICY_BIT(SLOT_CWS_LEAD));
	assert_int_equal(p.rule[LK_CROSSOVER_FOUND].urgency, LK_URGENT);
	assert_true(p.rule[LK_CROSSOVER_FOUND].enabled);
}

/* ---- What it may not ----------------------------------------------------------------------------- */

static void nothing_discloses_more_than_is_built_in(void **state)
{
	(void)state;
	assert_refused("rules: {crossover.found: {level: content}}",
		       "may not be raised above registry");
	assert_refused("rules: {sanction.review: {level: registry}}",
		       "may not be raised above signal");
	assert_refused("rules: {visit.due: {level: signal}}", "may not be raised above own");
	assert_refused("rules: {crossover.found: {level: own}}", "speaks of the other side");
	assert_refused("rules: {status.changed: {level: registry}}", "must stay content");
	assert_refused("rules: {meeting.needed: {level: signal}}", "must stay content");
	assert_refused("rules: {closure.planned: {topic: status}}", "is fixed: closure");
	assert_refused("rules: {closure.planned: {topic: none}}", "is fixed: closure");
	assert_refused("rules: {crossover.found: {topic: status}}", "is fixed: none");
	assert_refused("rules: {closure.planned: {blind: true}}", "is fixed: false");
	assert_refused("rules: {closure.planned: {class: moment}}", "is fixed: standing");
	assert_refused("rules: {visit.due: {to: [cws_lead, calworks_lead]}}", "to calworks_lead");
	assert_refused("rules: {referral.overdue: {to: [other_lead]}}", "to other_lead");
	assert_refused("rules: {closure.both: {to: [organizer]}}", "to organizer");
	assert_refused("rules: {status.changed: {to: []}}", "names nobody");
	assert_refused("rules: {crossover.ended: {to: [holders, cws_lead]}}", "to cws_lead");
	assert_refused("rules: {crossover.ended: {to: [calworks_supervisor]}}",
		       "to calworks_supervisor");
	assert_refused("rules: {notice.unanswered: {to: [own_lead]}}", "to own_lead");
	assert_refused("rules: {notice.unanswered: {to: [own_supervisor, other_supervisor]}}",
		       "to other_supervisor");
}

static void what_is_fixed_may_be_shown(void **state)
{
	struct policy p = parse(
		"rules:\n  meeting.needed: {class: standing, blind: true, level: content, topic: "
		"meeting}\n  crossover.found: {topic: none, level: registry}\n");
	struct policy before = built_in();

	(void)state;
	assert_true(same_revision(&p, &before));
}

static void complaints_name_the_place(void **state)
{
	(void)state;
	assert_refused("feeds:\n  silence: soon\n",
		       "county.yaml:2:12: feeds.silence: must be a number");
	assert_refused("feeds:\n  silnce: 1 hour\n",
		       "county.yaml:2:3: feeds.silnce: no such key; did you mean 'feeds.silence'?");
	assert_refused("feds: 1\n", "county.yaml:1:1: feds: no such key; did you mean 'feeds'?");
	assert_refused("rules:\n  crossover.fuond: {}\n", "did you mean 'rules.crossover.found'?");
	assert_refused(
		"rules:\n  visit.due:\n    leveel: own\n",
		"county.yaml:3:5: rules.visit.due.leveel: no such key; did you mean 'level'?");
	assert_refused("weather: rain\n", "county.yaml:1:1: weather: no such key");
	assert_refused("feeds: {silence: 1 hours}\nfeeds: {silence: 2 hours}\n",
		       "given twice, first on line 1");
	assert_refused("feeds: 24 hours\n", "feeds: must be a mapping");
	assert_refused("- feeds\n", "county.yaml:1:1: must be a mapping");
	assert_refused("feeds: {silence: [1 hour}\n", "county.yaml:1:");
	assert_refused("feeds: {}\n---\nfeeds: {}\n", "a second document");
	assert_refused("? [a]\n: b\n", "a key must be a word");
	assert_refused("liaisons: {cws: \"a\\0b\"}\n", "control character");
}

static void durations_are_positive_and_keep_their_unit(void **state)
{
	(void)state;
	assert_refused("feeds: {silence: 0 hours}", "must be from 1 to");
	assert_refused("visits: {told_before: 0 days}", "must be from 1 to");
	assert_refused("meetings: {buffer: -1 minutes}", "must begin with a whole number");
	assert_refused("feeds: {silence: -1 hours}", "whole number, as in '7 hours'");
	assert_refused("feeds: {silence: 1.5 hours}", "whole number");
	assert_refused("feeds: {silence: 99999999999 hours}", "must be from 1 to 876600 hours");
	assert_refused("feeds: {silence: 900000 hours}", "must be from 1 to 876600 hours");
	assert_refused("feeds: {silence: 1 fortnight}", "no unit");
	assert_refused("feeds: {silence: 24}", "number and a unit");
	assert_refused("feeds: {silence: {value: 24 hours}}", "single text");
	assert_refused("feeds: {silence: 1 days}", "must be in hours");
	assert_refused("clock: {limit: 5 days}", "must be in months");
	assert_refused("reunification: {length: 5 hours}", "must be in days or months");
}

static void values_of_the_law_are_in_order(void **state)
{
	(void)state;
	assert_refused("clock: {limit: []}", "at least one value");
	assert_refused("clock: {limit: [{from: 2020-01-01, value: 1 month}]}", "no 'from'");
	assert_refused("clock: {limit: [{value: 1 month}, {value: 2 months}]}",
		       "'from' is missing");
	assert_refused("clock: {limit: [{value: 1 month}, {from: 2020-02-30, value: 2 months}]}",
		       "clock.limit[2].from: must be a day");
	assert_refused("clock: {limit: [{from: 2020-01-01}]}", "'value' is missing");
	assert_refused(
		"clock: {limit: [{value: 1 month}, {from: 2020-01-02, value: 2 months}, {from: "
		"2020-01-02, value: 3 months}]}",
		"in the order of their days");
	assert_refused(
		"clock: {limit: [{value: 1 month}, {from: 2020-01-01, value: 1 month}, {from: "
		"2021-01-01, value: 1 month}, {from: 2022-01-01, value: 1 month}, {from: 2023-01-01, "
		"value: 1 month}]}",
		"more than 4 values");
}

static void other_values_are_judged_too(void **state)
{
	(void)state;
	assert_refused("day: {begins: 24:00}", "time of day");
	assert_refused("day: {begins: 8:00}", "time of day");
	assert_refused("day: {begins: 08:60}", "time of day");
	assert_refused("meetings: {proposals: {from: 17:00}}",
		       "must be later than meetings.proposals.from");
	assert_refused("meetings:\n  proposals:\n    until: 07:00\n",
		       "county.yaml:3:12: meetings.proposals.until: must be later");
	assert_refused("meetings: {proposals: {from: 08:15}}", "on the hour or the half hour");
	assert_refused("visits: {statuses: [sanctioned]}", "must be one of: referral, er, ifs");
	assert_refused("visits: {statuses: [fm, fm]}", "in the list already");
	assert_refused("links: {automatic: {cin: true}}", "single text");
	assert_refused("liaisons: {cws: a b}", "letters, digits");
	assert_refused("liaisons: {cws: ''}", "1 to 64 characters");
	assert_refused("moments: {quiet_before: soon}", "must be a day");
	assert_refused("rules: {visit.due: {enabled: yes}}", "true or false");
	assert_refused("rules: {visit.due: {urgency: high}}",
		       "must be one of: routine, prompt, urgent");
}

/* A hundred of what may be given once: `&` names a piece, `*` repeats it; what points into itself ends, too. */
static void aliases_cannot_hang_the_walk(void **state)
{
	(void)state;
	assert_refused("meetings: &m\n  pltm: *m\n", "no such key");
	assert_refused("clock: &c\n  limit: &l [*l]\n", "must be a mapping");
	assert_refused("rules: &r {visit.due: *r}\n", "no such key");
}

/* ---- Files and zones ----------------------------------------------------------------------------- */

static void missing_file_is_told_from_a_wrong_one(void **state)
{
	struct policy p;
	struct lk_error err;

	(void)state;
	assert_int_equal(policy_load(TEST_ROOT "/daemon/no-such.yaml", &p, &err), LK_ENOTFOUND);
	assert_non_null(strstr(err.text, "no-such.yaml"));
	assert_int_equal(policy_load(TEST_ROOT "/daemon", &p, &err), LK_ECONFIG);
	assert_int_equal(policy_load(TEST_ROOT "/daemon/policy.c", &p, &err), LK_ECONFIG);
}

static void empty_file_is_the_built_in_policy(void **state)
{
	struct policy p = parse(""), comments = parse("# nothing\nfeeds:\n#  silence: 1 hour\n"),
		      all = built_in();

	(void)state;
	assert_true(same_revision(&p, &all));
	assert_true(same_revision(&comments, &all));
}

static void unknown_zone_is_refused(void **state)
{
	static const char *const names[] = {
		"America/Los_Angles",     "",        "/etc/localtime", "../zoneinfo/UTC",
		"PST8PDT,M3.2.0,M11.1.0", "America", "tzdata.zi",      "zone.tab"
	};
	struct lk_error err;
	struct zone zone;

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_int_equal(zone_read(names[i], &zone, &err), LK_ECONFIG);
	assert_refused("day: {}\ntimezone: Mars/Olympus\n",
		       "county.yaml:2:11: timezone: the system knows no time zone 'Mars/Olympus'");
}

static void zone_is_read_whole_and_tz_put_back(void **state)
{
	struct lk_error err;
	struct zone zone;

	(void)state;
	assert_int_equal(setenv("TZ", "Asia/Tokyo", 1), 0);
	assert_int_equal(zone_read("America/Los_Angeles", &zone, &err), 0);
	assert_string_equal(getenv("TZ"), "Asia/Tokyo");
	assert_int_equal(zone.n, 2 * 111);
	assert_int_equal(zone.first_offset_s, -8 * 3600);
	assert_int_equal(unsetenv("TZ"), 0);
	assert_int_equal(zone_read("UTC", &zone, &err), 0);
	assert_null(getenv("TZ"));
	assert_int_equal(zone.n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shipped_file_is_the_built_in_policy),
		cmocka_unit_test(shipped_file_shows_everything),
		cmocka_unit_test(every_rule_is_built_in),
		cmocka_unit_test(law_changes_on_its_day),
		cmocka_unit_test(everything_set_changes_the_revision),
		cmocka_unit_test(equal_files_have_equal_revisions),
		cmocka_unit_test(values_land_where_they_belong),
		cmocka_unit_test(nothing_discloses_more_than_is_built_in),
		cmocka_unit_test(what_is_fixed_may_be_shown),
		cmocka_unit_test(complaints_name_the_place),
		cmocka_unit_test(durations_are_positive_and_keep_their_unit),
		cmocka_unit_test(values_of_the_law_are_in_order),
		cmocka_unit_test(other_values_are_judged_too),
		cmocka_unit_test(aliases_cannot_hang_the_walk),
		cmocka_unit_test(missing_file_is_told_from_a_wrong_one),
		cmocka_unit_test(empty_file_is_the_built_in_policy),
		cmocka_unit_test(unknown_zone_is_refused),
		cmocka_unit_test(zone_is_read_whole_and_tz_put_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
