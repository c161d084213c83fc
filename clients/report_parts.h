/* report_parts.h - between report.c, which reads families from state.db, and report_count.c, which counts what became of them.
 */
#ifndef LINKAGES_REPORT_PARTS_H
#define LINKAGES_REPORT_PARTS_H

#include "report.h"

#include "engine/policy.h"

#include <linkages/event.h>

#include <sqlite3.h>

enum happening {
	OPENED,
	STATUS,
	CLOSING,
	CLOSED,
	ASSIGNED,
	UNASSIGNED,
	SIGNED,
	REVOKED,
	AGREED,
	AGREEMENT_ENDED,
	LINKED,
};

struct happened {
	lk_instant at;
	enum happening what;
	int kase, other; /* other: of a link */
	int code;        /* lk_status, lk_role */
	char ref[65];
	lk_date on;
};

struct mycase {
	char number[33];
	int agency, status, group;
	unsigned roles; /* bits of lk_role that are filled */
	bool open, agreed;
	int consents;
	char agreement[65];
	lk_instant closed_at;
	lk_date closing_on, told_on;
};

/* What is known of a stretch of being mutual. By group: the cases that links have joined. */
struct stretch {
	bool mutual, consented, met;
	int month; /* in which it began */
	lk_instant begun_at;
};

struct held {
	lk_date on;
	bool is_ltm, with_family;
};

struct walk {
	sqlite3 *db;
	sqlite3_stmt *cases, *history, *links, *meetings, *told;
	struct report *report;
	const struct policy *policy;
	int from;
	lk_instant *ends; /* of the months */
	size_t next_end;  /* the first that has not been counted for this family */
	struct mycase *mine;
	struct stretch *stretch;
	size_t mine_n, mine_room;
	struct happened *past;
	size_t past_n, past_room;
	struct held *held;
	size_t held_n, held_room;
	bool failed;
};

/* The local day of an instant; the end of a month, 12 * year + month - 1. */
lk_date report_day(lk_instant at);
lk_instant report_month_end(int month);
/* What became of the family that was read, month by month, into walk->report. */
void report_count(struct walk *walk);

#endif
