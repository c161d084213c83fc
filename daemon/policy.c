/* policy.c - a county's policy file becomes the struct policy that the engine reads.
 *
 * In: a YAML file, the built-in default, the system's tz database. Out: a policy that was checked whole, its zone as a
 * table, and a revision that is a digest of all of it.
 * Promise: nothing is half read: *out changes on success only. What a file may not do is refused here, first of all to
 * disclose more than the built-in rules do.
 */
#include "policy.h"
#include "yaml_walk.h"

#include <linkages/wire.h>

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- The zone ------------------------------------------------------------------------------------ */

#define ZONE_DIRECTORY "/usr/share/zoneinfo"

/* A name within the database: no way out of its folder. */
static bool is_zone_name(const char *name)
{
	static const char allowed[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/.";
	size_t len = strlen(name);

	return len > 0 && len < sizeof(((struct zone *)0)->name) && strspn(name, allowed) == len &&
	       name[0] != '/' && strstr(name, "..") == NULL;
}

/* glibc takes UTC for what it cannot read, without a word. */
static bool zone_exists(const char *name)
{
	const char *directory = getenv("TZDIR");
	char path[512], magic[4];
	FILE *stream;
	bool found;

	(void)snprintf(path, sizeof(path), "%s/%s", directory != NULL ? directory : ZONE_DIRECTORY,
		       name);
	stream = fopen(path, "re");
	if (stream == NULL)
		return false;
	found = fread(magic, 1, sizeof(magic), stream) == sizeof(magic) &&
		memcmp(magic, "TZif", 4) == 0;
	(void)fclose(stream);
	return found;
}

static int32_t offset_now(int64_t second)
{
	time_t at = (time_t)second;
	struct tm local;

	return localtime_r(&at, &local) != NULL ? (int32_t)local.tm_gmtoff : 0;
}

/* The first second at which the offset is no longer that of `low`; it has changed by `high`. */
static int64_t bisect(int64_t low, int64_t high)
{
	int32_t before = offset_now(low);

	while (high - low > 1) {
		int64_t middle = low + (high - low) / 2;

		if (offset_now(middle) == before)
			low = middle;
		else
			high = middle;
	}
	return high;
}

#define STEP_S (INT64_C(24) * 3600) /* no zone has changed its offset twice within a day */

static int walk_zone(struct zone *zone, struct lk_error *err)
{
	int64_t end = (int64_t)lk_date_of(2101, 1, 1) * 86400;
	int64_t at = (int64_t)lk_date_of(1990, 1, 1) * 86400;
	int32_t offset = offset_now(at);

	zone->first_offset_s = offset;
	for (; at < end; at += STEP_S) {
		int64_t change;

		if (offset_now(at + STEP_S) == offset)
			continue;
		if (zone->n == ZONE_CHANGES_MAX)
			return lk_fail(err, LK_ECONFIG, "zone %s changes more than %d times",
				       zone->name, ZONE_CHANGES_MAX);
		change = bisect(at, at + STEP_S);
		offset = offset_now(change);
		zone->change[zone->n++] = (struct zone_change){ change * LK_SECOND, offset };
	}
	return 0;
}

static void put_back(char *old)
{
	if (old != NULL)
		(void)setenv("TZ", old, 1);
	else
		(void)unsetenv("TZ");
	tzset();
	free(old);
}

int zone_read(const char *name, struct zone *out, struct lk_error *err)
{
	struct zone zone = { .n = 0 };
	const char *set = getenv("TZ");
	char *old = set != NULL ? strdup(set) : NULL;
	int failed;

	if (!is_zone_name(name) || !zone_exists(name)) {
		free(old);
		return lk_fail(err, LK_ECONFIG, "the system knows no time zone '%s'", name);
	}
	if ((set != NULL && old == NULL) || setenv("TZ", name, 1) < 0) {
		free(old);
		return lk_fail(err, LK_EMEMORY, "out of memory");
	}
	tzset();
	(void)snprintf(zone.name, sizeof(zone.name), "%s", name);
	failed = walk_zone(&zone, err);
	put_back(old);
	if (failed == 0)
		*out = zone;
	return failed;
}

/* ---- Readers ------------------------------------------------------------------------------------- */

/* By enum unit. */
static const char *const unit_words[] = { "minutes", "hours", "days", "months", NULL };
#define UNIT_BIT(unit) (1u << (unit))

/* The units that the built-in value has: a rule that counts hours, days or months keeps counting those. */
static unsigned units_allowed(const struct dated *built_in)
{
	unsigned units = 0;

	for (uint32_t i = 0; i < built_in->n; i++)
		units |= UNIT_BIT(built_in->at[i].value.unit);
	return units;
}

static int complain_unit(const struct yaml_value *value, unsigned allowed, struct lk_error *err)
{
	const char *words[2] = { NULL, NULL };
	size_t n = 0;

	for (int unit = 0; unit_words[unit] != NULL && n < 2; unit++)
		if ((UNIT_BIT(unit) & allowed) != 0)
			words[n++] = unit_words[unit];
	return yaml_complain(value, err, "must be in %s%s%s", words[0], n > 1 ? " or " : "",
			     n > 1 ? words[1] : "");
}

static int read_duration(const struct yaml_value *value, const struct yaml_key *key, void *target,
			 struct lk_error *err)
{
	/* Nothing need lie between two meetings; what is counted in hours, days or months is some. A hundred years in
	 * each unit: sums of instants stay far from their limits. */
	static const int32_t least[] = { 0, 1, 1, 1 };
	static const int32_t most[] = { 52596000, 876600, 36525, 1200 };
	struct duration *duration = target;
	const unsigned *allowed = key->kind;
	int unit;

	if (yaml_quantity(value, unit_words, &duration->n, &unit, err) < 0)
		return LK_ECONFIG;
	if ((UNIT_BIT(unit) & *allowed) == 0)
		return complain_unit(value, *allowed, err);
	if (duration->n < least[unit] || duration->n > most[unit])
		return yaml_complain(value, err, "must be from %d to %d %s", least[unit],
				     most[unit], unit_words[unit]);
	duration->unit = (enum unit)unit;
	return 0;
}

static int read_date(const struct yaml_value *value, const struct yaml_key *key, void *target,
		     struct lk_error *err)
{
	struct lk_text text;
	lk_date *date = target;

	(void)key;
	if (yaml_text(value, &text, err) < 0)
		return LK_ECONFIG;
	if (lk_date_parse(text, date) < 0)
		return yaml_complain(value, err, "must be a day, as in 2026-03-31");
	return 0;
}

struct dated_list {
	struct dated dated;
	unsigned allowed;
};

static int read_dated_item(const struct yaml_value *item, void *context, struct lk_error *err)
{
	struct dated_list *list = context;
	struct dated *dated = &list->dated;
	struct dated_value next = { .from = LK_NO_DATE };
	const struct yaml_key keys[] = {
		{ "from", read_date, offsetof(struct dated_value, from), sizeof(lk_date), NULL,
		  false },
		{ "value", read_duration, offsetof(struct dated_value, value),
		  sizeof(struct duration), &list->allowed, true },
	};

	if (yaml_walk(item, keys, sizeof(keys) / sizeof(keys[0]), &next, err) < 0)
		return LK_ECONFIG;
	if (dated->n == DATED_MAX)
		return yaml_complain(item, err, "more than %d values", DATED_MAX);
	if ((next.from == LK_NO_DATE) != (dated->n == 0))
		return yaml_complain(item, err,
				     dated->n == 0
					     ? "the first value held before all others: no 'from'"
					     : "'from' is missing");
	if (dated->n > 0 && next.from <= dated->at[dated->n - 1].from)
		return yaml_complain(item, err, "values must be in the order of their days");
	dated->at[dated->n++] = next;
	return 0;
}

static int read_dated(const struct yaml_value *value, const struct yaml_key *key, void *target,
		      struct lk_error *err)
{
	struct dated *dated = target;
	struct dated_list list = { .allowed = units_allowed(dated) };
	struct yaml_key plain = { .kind = &list.allowed };
	int failed;

	(void)key;
	if (yaml_is_list(value)) {
		failed = yaml_each(value, read_dated_item, &list, err);
		if (failed == 0 && list.dated.n == 0)
			failed = yaml_complain(value, err, "must have at least one value");
	} else {
		list.dated.n = 1;
		list.dated.at[0].from = LK_NO_DATE;
		failed = read_duration(value, &plain, &list.dated.at[0].value, err);
	}
	if (failed == 0)
		*dated = list.dated;
	return failed;
}

static bool two_digits(const char *at, int *out)
{
	if (at[0] < '0' || at[0] > '9' || at[1] < '0' || at[1] > '9')
		return false;
	*out = (at[0] - '0') * 10 + (at[1] - '0');
	return true;
}

static int read_minute(const struct yaml_value *value, const struct yaml_key *key, void *target,
		       struct lk_error *err)
{
	struct lk_text text;
	int hour, minute, *of_day = target;

	(void)key;
	if (yaml_text(value, &text, err) < 0)
		return LK_ECONFIG;
	if (text.len != 5 || text.at[2] != ':' || !two_digits(text.at, &hour) ||
	    !two_digits(text.at + 3, &minute) || hour > 23 || minute > 59)
		return yaml_complain(value, err, "must be a time of day, as in 08:00");
	*of_day = hour * 60 + minute;
	return 0;
}

static int read_quiet_before(const struct yaml_value *value, const struct yaml_key *key,
			     void *target, struct lk_error *err)
{
	struct lk_text text;
	lk_date *day = target;

	if (yaml_text(value, &text, err) < 0)
		return LK_ECONFIG;
	if (!lk_text_says(text, "never"))
		return read_date(value, key, target, err);
	*day = LK_NO_DATE;
	return 0;
}

static int read_zone(const struct yaml_value *value, const struct yaml_key *key, void *target,
		     struct lk_error *err)
{
	struct zone *zone = target;
	char name[sizeof(zone->name)];
	struct yaml_key row = *key;
	struct lk_error why;

	row.size = sizeof(name);
	if (yaml_read_text(value, &row, name, err) < 0)
		return LK_ECONFIG;
	if (zone_read(name, zone, &why) < 0)
		return yaml_complain(value, err, "%s", why.text);
	return 0;
}

/* The sets of statuses are of cws cases; calworks statuses have no meaning in them. */
static const char *cws_status_word(int code)
{
	return code < 0 || code >= lk_status_count ||
			       lk_status_agency((enum lk_status)code) != LK_CWS
		       ? NULL
		       : lk_status_word(code);
}

static const struct yaml_codes status_codes = { cws_status_word };
static const struct yaml_codes category_codes = { lk_category_word };
static const struct yaml_codes key_kind_codes = { lk_key_kind_word };

/* ---- Rules --------------------------------------------------------------------------------------- */

static const char *class_word(int code)
{
	return code == STANDING ? "standing" : code == MOMENT ? "moment" : NULL;
}

static const struct yaml_codes class_codes = { class_word };
static const struct yaml_codes slot_codes = { slot_word };
static const struct yaml_codes level_codes = { lk_level_word };
static const struct yaml_codes topic_codes = { lk_topic_word };
static const struct yaml_codes urgency_codes = { lk_urgency_word };

/* Shown in the document, not up to it: what the built-in rule is, decides how the engine derives it. */
static int read_class(const struct yaml_value *value, const struct yaml_key *key, void *target,
		      struct lk_error *err)
{
	const enum rule_class *fixed = target;
	int class;

	if (yaml_read_code(value, key, &class, err) < 0)
		return LK_ECONFIG;
	if (class != (int)*fixed)
		return yaml_complain(value, err, "is fixed: %s", class_word((int)*fixed));
	return 0;
}

static int read_blind(const struct yaml_value *value, const struct yaml_key *key, void *target,
		      struct lk_error *err)
{
	const bool *fixed = target;
	bool blind;

	if (yaml_read_bool(value, key, &blind, err) < 0)
		return LK_ECONFIG;
	if (blind != *fixed)
		return yaml_complain(value, err, "is fixed: %s", *fixed ? "true" : "false");
	return 0;
}

/* Never disclose without a basis: a level only goes down. The facts of a content rule are content whatever they are
 * called, so that it stays content or is switched off; and `own` says that nothing is from the other side, which no
 * setting can make true. */
static int read_level(const struct yaml_value *value, const struct yaml_key *key, void *target,
		      struct lk_error *err)
{
	struct rule_policy *rule = target;
	int level;

	if (yaml_read_code(value, key, &level, err) < 0)
		return LK_ECONFIG;
	if (level > rule->level)
		return yaml_complain(value, err, "may not be raised above %s",
				     lk_level_word(rule->level));
	if (level < rule->level && level == LK_OWN)
		return yaml_complain(value, err,
				     "may not be own: this rule speaks of the other side");
	if (rule->level == LK_CONTENT && level != LK_CONTENT)
		return yaml_complain(value, err,
				     "must stay content; 'enabled: false' switches the rule off");
	rule->level = level;
	return 0;
}

/* A consent covers topics: another topic would tell under a consent that was not given for it. */
static int read_topic(const struct yaml_value *value, const struct yaml_key *key, void *target,
		      struct lk_error *err)
{
	const int *fixed = target;
	struct lk_text text;
	int topic = NO_TOPIC;

	if (yaml_text(value, &text, err) < 0)
		return LK_ECONFIG;
	if (!lk_text_says(text, "none") && yaml_read_code(value, key, &topic, err) < 0)
		return LK_ECONFIG;
	if (topic != *fixed)
		return yaml_complain(value, err, "is fixed: %s",
				     *fixed == NO_TOPIC ? "none" : lk_topic_word(*fixed));
	return 0;
}

#define EITHER_LEAD (SAID_BY | TOLD_TO)
#define EITHER_SUPERVISOR (POLICY_BIT(SLOT_OWN_SUPERVISOR) | POLICY_BIT(SLOT_OTHER_SUPERVISOR))

/* Slots that are understood where the built-in rule has one of them. */
static const unsigned slot_families[] = {
	EITHER_LEAD | EITHER_SUPERVISOR, POLICY_BIT(SLOT_DISCOVERER),
	POLICY_BIT(SLOT_ORGANIZER),      POLICY_BIT(SLOT_REQUIRED) | POLICY_BIT(SLOT_OPTIONAL),
	POLICY_BIT(SLOT_HOLDERS),        POLICY_BIT(SLOT_LIAISONS),
};

/* Slots of one side: a rule of level own stays on its side. */
static const unsigned slot_sides[] = {
	POLICY_BIT(SLOT_OWN_LEAD) | POLICY_BIT(SLOT_OWN_SUPERVISOR),
	POLICY_BIT(SLOT_CWS_LEAD) | POLICY_BIT(SLOT_CWS_SUPERVISOR),
	POLICY_BIT(SLOT_CALWORKS_LEAD) | POLICY_BIT(SLOT_CALWORKS_SUPERVISOR),
	POLICY_BIT(SLOT_LIAISONS),
};

static unsigned reach(unsigned slots, const unsigned *groups, size_t n)
{
	unsigned all = 0;

	for (size_t i = 0; i < n; i++)
		if ((groups[i] & slots) != 0)
			all |= groups[i];
	return all;
}

/* Who had a notice that an undone link takes back; who asks after an answer, which depends on who did not give it: the
 * engine finds them by itself. */
static bool finds_its_own(const struct rule_policy *rule)
{
	return rule->to == POLICY_BIT(SLOT_HOLDERS) || rule->to == POLICY_BIT(SLOT_OWN_SUPERVISOR);
}

static unsigned slots_allowed(const struct rule_policy *rule)
{
	if (finds_its_own(rule))
		return rule->to;
	if (rule->level == LK_OWN)
		return reach(rule->to, slot_sides, sizeof(slot_sides) / sizeof(slot_sides[0]));
	return LEADS | SUPERVISORS |
	       reach(rule->to, slot_families, sizeof(slot_families) / sizeof(slot_families[0]));
}

static int read_to(const struct yaml_value *value, const struct yaml_key *key, void *target,
		   struct lk_error *err)
{
	struct rule_policy *rule = target;
	unsigned to, odd;
	int slot = 0;

	if (yaml_read_set(value, key, &to, err) < 0)
		return LK_ECONFIG;
	if (to == 0)
		return yaml_complain(value, err,
				     "names nobody; 'enabled: false' switches the rule off");
	odd = to & ~slots_allowed(rule);
	while (odd != 0 && (odd & POLICY_BIT(slot)) == 0)
		slot++;
	if (odd != 0)
		return yaml_complain(value, err, "this rule cannot be addressed to %s",
				     slot_word(slot));
	rule->to = to;
	return 0;
}

#define IN_RULE(member) \
	offsetof(struct rule_policy, member), sizeof(((struct rule_policy *)0)->member)
/* `to` and `level` are judged by the rule as it is built in, so that they are given all of it. */
#define WHOLE_RULE 0, sizeof(struct rule_policy)

static const struct yaml_key rule_keys[] = {
	{ "enabled", yaml_read_bool, IN_RULE(enabled), NULL, false },
	{ "class", read_class, IN_RULE(rule_class), &class_codes, false },
	{ "to", read_to, WHOLE_RULE, &slot_codes, false },
	{ "level", read_level, WHOLE_RULE, &level_codes, false },
	{ "topic", read_topic, IN_RULE(topic), &topic_codes, false },
	{ "urgency", yaml_read_code, IN_RULE(urgency), &urgency_codes, false },
	{ "blind", read_blind, IN_RULE(blind), NULL, false },
	{ "cites", yaml_read_text, IN_RULE(cites), NULL, false },
};

static int read_rule(const struct yaml_value *value, const struct yaml_key *key, void *target,
		     struct lk_error *err)
{
	(void)key;
	return yaml_walk(value, rule_keys, sizeof(rule_keys) / sizeof(rule_keys[0]), target, err);
}

/* ---- The file ------------------------------------------------------------------------------------ */

#define IN_POLICY(member) offsetof(struct policy, member), sizeof(((struct policy *)0)->member)
#define DURATION_ROW(name, path, value, cites) { path, read_dated, IN_POLICY(name), NULL, false },
#define MINUTE_ROW(name, path, value, cites) { path, read_minute, IN_POLICY(name), NULL, false },
#define SET_ROW(name, path, list, value, cites) \
	{ path, yaml_read_set, IN_POLICY(name), &list##_codes, false },
#define RULE_ROW(name, word) { "rules." word, read_rule, IN_POLICY(rule[name]), NULL, false },

static const struct yaml_key policy_keys[] = {
	{ "timezone", read_zone, IN_POLICY(zone), NULL, false },
	{ "liaisons.cws", yaml_read_id, IN_POLICY(liaison[LK_CWS]), "._@-", false },
	{ "liaisons.calworks", yaml_read_id, IN_POLICY(liaison[LK_CALWORKS]), "._@-", false },
	{ "moments.quiet_before", read_quiet_before, IN_POLICY(quiet_before), NULL, false },
	POLICY_DURATIONS(DURATION_ROW) POLICY_MINUTES(MINUTE_ROW) POLICY_SETS(SET_ROW)
		LK_NOTICE_KINDS(RULE_ROW)
};

/* Starts are sought half an hour apart, from the first on. */
static int check_proposals(const struct yaml_file *file, const struct policy *p,
			   struct lk_error *err)
{
	struct yaml_value from = yaml_find(file, "meetings.proposals.from");
	struct yaml_value until = yaml_find(file, "meetings.proposals.until");

	if (p->proposals_from % 30 != 0)
		return yaml_complain(&from, err, "must be on the hour or the half hour");
	if (p->proposals_from >= p->proposals_until)
		return yaml_complain(&until, err, "must be later than meetings.proposals.from");
	return 0;
}

/* ---- The revision -------------------------------------------------------------------------------- */

static void put_dated(struct lk_bytes *b, const struct dated *dated)
{
	lk_put_array(b, dated->n * 3);
	for (uint32_t i = 0; i < dated->n; i++) {
		lk_put_int(b, dated->at[i].from);
		lk_put_int(b, dated->at[i].value.n);
		lk_put_int(b, dated->at[i].value.unit);
	}
}

static void put_rule(struct lk_bytes *b, const struct rule_policy *rule)
{
	lk_put_bool(b, rule->enabled);
	lk_put_int(b, rule->rule_class);
	lk_put_int(b, rule->to);
	lk_put_int(b, rule->level);
	lk_put_int(b, rule->topic);
	lk_put_int(b, rule->urgency);
	lk_put_bool(b, rule->blind);
	lk_put_word(b, rule->cites);
}

static void put_zone(struct lk_bytes *b, const struct zone *zone)
{
	lk_put_word(b, zone->name);
	lk_put_int(b, zone->first_offset_s);
	lk_put_array(b, zone->n * 2);
	for (uint32_t i = 0; i < zone->n; i++) {
		lk_put_int(b, zone->change[i].at);
		lk_put_int(b, zone->change[i].offset_s);
	}
}

/* Every value in the order of the lists of engine/policy.h, so that equal policies have equal bytes on any machine,
 * and another tz database is another policy. */
static int revise(struct policy *p, struct lk_error *err)
{
	struct lk_bytes b = { .at = NULL };
	int failed = 0;

	put_zone(&b, &p->zone);
	for (int i = 0; i < lk_notice_kind_count; i++)
		put_rule(&b, &p->rule[i]);
#define PUT_DURATION(name, path, value, cites) put_dated(&b, &p->name);
	POLICY_DURATIONS(PUT_DURATION)
#define PUT_MINUTE(name, path, value, cites) lk_put_int(&b, p->name);
	POLICY_MINUTES(PUT_MINUTE)
#define PUT_SET(name, path, list, value, cites) lk_put_int(&b, p->name);
	POLICY_SETS(PUT_SET)
	lk_put_int(&b, p->quiet_before);
	lk_put_word(&b, p->liaison[LK_CWS]);
	lk_put_word(&b, p->liaison[LK_CALWORKS]);
	if (b.failed)
		failed = lk_fail(err, LK_EMEMORY, "policy: out of memory");
	else
		lk_digest(b.at, b.len, NULL, p->revision);
	lk_bytes_free(&b);
	return failed;
}

/* ---- Loading ------------------------------------------------------------------------------------- */

static int finish(struct policy *p, struct lk_error *err)
{
	if (p->zone.name[0] == '\0' && zone_read("America/Los_Angeles", &p->zone, err) < 0)
		return LK_ECONFIG;
	return revise(p, err);
}

static int read_file(const struct yaml_file *file, void *out, struct lk_error *err)
{
	struct yaml_value root = yaml_root(file);
	struct policy p, *result = out;
	int failed;

	policy_default(&p);
	failed = yaml_walk(&root, policy_keys, sizeof(policy_keys) / sizeof(policy_keys[0]), &p,
			   err);
	if (failed == 0)
		failed = check_proposals(file, &p, err);
	if (failed == 0)
		failed = finish(&p, err);
	if (failed == 0)
		*result = p;
	return failed;
}

int policy_parse(const char *name, const char *text, size_t len, struct policy *out,
		 struct lk_error *err)
{
	return yaml_use_text(name, text, len, read_file, out, err);
}

int policy_load(const char *path, struct policy *out, struct lk_error *err)
{
	return path != NULL ? yaml_use_file(path, read_file, out, err)
			    : policy_parse("the built-in policy", "", 0, out, err);
}
