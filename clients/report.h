/* report.h - the evaluation of a county's Linkages work (domain.md, section 6), month by month, from state.db.
 *
 * Counts only: nobody is named. A month is one of the county's own calendar; what has a day is counted by the local day.
 */
#ifndef LINKAGES_REPORT_H
#define LINKAGES_REPORT_H

#include <linkages/base.h>
#include <stdio.h>

/* C(name, heading, what it counts). The order is that of every output. */
#define REPORT_COLUMNS(C) \
	C(mutual, "mutual", "families with an open case on both sides, at the month's end") \
	C(begun, "begun", "families that became mutual in the month") \
	C(ended, "ended", "families that stopped being mutual in the month") \
	C(primary, "primary", "families with open CalWORKs cases only, at the month's end") \
	C(secondary, "secondary", "mutual, and no CWS case beyond referral or emergency response, at the month's end") \
	C(tertiary, "tertiary", "mutual with a CWS case beyond that, at the month's end") \
	C(cws_open, "CWS open", "open CWS cases at the month's end") \
	C(cws_mutual, "CWS mutual", "of these, in a mutual family") \
	C(cws_share, "CWS %", "the share, in percent") \
	C(calworks_open, "CalW open", "open CalWORKs cases at the month's end") \
	C(calworks_mutual, "CalW mutual", "of these, in a mutual family") \
	C(calworks_share, "CalW %", "the share, in percent") \
	C(consented, "consented", "of the families begun in the month, those with a consent since, or then") \
	C(consent_days, "days to it", "days from mutual to consent, the middle one of these; none: -1") \
	C(pltm_needed, "PLTM", "pre-Linkages team meetings that the month called for") \
	C(pltm_on_time, "on time", "of these, held within the days that the policy gives") \
	C(ltm_needed, "LTM", "Linkages team meetings that an IFS agreement of the month called for") \
	C(ltm_on_time, "on time", "of these, held with the family within the days that the policy gives") \
	C(sanctions_ended, "sanctions ended", "CalWORKs cases that left the status sanctioned in the month") \
	C(sanctions_mutual, "mutual", "of these, in a mutual family") \
	C(cws_closures, "CWS closures", "CWS cases of mutual families that closed in the month") \
	C(cws_told, "told before", "of these, told to the other side before their day") \
	C(calworks_closures, "CalW closures", "CalWORKs cases of mutual families that closed in the month") \
	C(calworks_told, "told before", "of these, told to the other side before their day") \
	C(referrals, "referrals", "CWS cases opened in the month as referral or emergency response") \
	C(repeats, "repeats", "of these, in a family whose CWS case had closed within the 365 days before")

#define REPORT_ENUMERATOR(name, heading, help) REPORT_##name,
enum report_column { REPORT_COLUMNS(REPORT_ENUMERATOR) REPORT_COLUMNS_N };
struct report_heading {
	const char *name, *heading, *help;
};
extern const struct report_heading report_headings[REPORT_COLUMNS_N];

struct report_month {
	int year, month; /* 1..12 */
	int64_t value[REPORT_COLUMNS_N];
	int *days; /* from mutual to consent, of the families begun in it */
	size_t days_n, days_room;
};

struct report {
	struct report_month *months;
	size_t n;
	int64_t families;
	lk_instant now; /* a month that is not over is counted up to here */
};

#define REPORT_MONTHS_MAX 240
/* Counts. `from` and `to` are months, 12 * year + month - 1; local days are those of the process's TZ. LK_ENOTFOUND,
 * LK_ECONFIG: no state.db, or of another version; LK_ESTORE. `tick` may be NULL. */
struct policy;
struct report_order {
	const char *state_db;
	int from, to;
	lk_instant now;
	const struct policy *policy; /* when a meeting is on time */
	void (*tick)(int64_t done, int64_t of);
};
int report_make(const struct report_order *order, struct report *out, struct lk_error *err) LK_MUST_CHECK;
void report_free(struct report *report);
/* One HTML page with plots, whole in itself. */
void report_page(const struct report *report, const char *title, FILE *to);

#endif
