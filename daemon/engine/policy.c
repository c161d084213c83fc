/* policy.c - the built-in policy, and the value in force on a day.
 *
 * In: the lists of policy.h. Out: a struct policy.
 * Promise: pure. The zone and the revision are not set here: the tz database is the system's, and
 * the revision covers it.
 */
#include "policy.h"

#include <string.h>

struct duration dated_on(const struct dated *dated, lk_date day)
{
	uint32_t i = dated->n - 1;

	while (i > 0 && dated->at[i].from > day)
		i--;
	return dated->at[i].value;
}

/* How the lists of policy.h write durations. */
static struct dated always(int32_t n, enum unit unit)
{
	return (struct dated){ .n = 1, .at = { { LK_NO_DATE, { n, unit } } } };
}

static struct dated since(struct dated before, lk_date from, struct dated then)
{
	before.at[before.n].from = from;
	before.at[before.n].value = then.at[0].value;
	before.n++;
	return before;
}

#define V(n, unit) always(n, unit)
#define SINCE(before, year, month, day, then) since(before, lk_date_of(year, month, day), then)
#define BIT(code) POLICY_BIT(code)

static const struct rule_policy default_rules[lk_notice_kind_count] = {
#define RULE(kind, class, slots, most, about, haste, is_blind, source) \
	[kind] = { .enabled = true, \
		   .rule_class = class, \
		   .to = slots, \
		   .level = most, \
		   .topic = about, \
		   .urgency = haste, \
		   .blind = is_blind, \
		   .cites = source },
	POLICY_RULES(RULE)
};

void policy_default(struct policy *p)
{
	memset(p, 0, sizeof(*p));
#define SET_DURATION(name, path, value, cites) p->name = value;
	POLICY_DURATIONS(SET_DURATION)
#define SET_VALUE(name, path, value, cites) p->name = value;
	POLICY_MINUTES(SET_VALUE)
#define SET_SET(name, path, list, value, cites) p->name = value;
	POLICY_SETS(SET_SET)
	memcpy(p->rule, default_rules, sizeof(p->rule));
	p->quiet_before = LK_NO_DATE;
	memcpy(p->liaison[LK_CWS], "cws.liaison", sizeof("cws.liaison"));
	memcpy(p->liaison[LK_CALWORKS], "calworks.liaison", sizeof("calworks.liaison"));
}

const char *slot_word(int code)
{
#define SLOT_WORD(name, word) [name] = word,
	static const char *const words[] = { POLICY_SLOTS(SLOT_WORD) };

	return code < 0 || code >= SLOT_COUNT ? NULL : words[code];
}
