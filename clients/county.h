/* county.h - an invented county: what linkages-county.c (who lives there, and the files), county_life.c (what happens to
 * them) and county_say.c (how an agency says it) share. Nobody else includes it.
 */
#ifndef LINKAGES_COUNTY_H
#define LINKAGES_COUNTY_H

#include <linkages/client.h>

#include <stdbool.h>
#include <stddef.h>

#define DAY (24 * LK_HOUR)
#define AGENCIES 2
#define CHILDREN_MAX 5

struct chance {
	uint64_t state;
};

/* One of many, each with its weight; the list ends with a weight of 0. */
struct weighted {
	int value, weight;
};

/* G(enumerator, role, agency, families of the agency to a worker) */
#define STAFF_GROUPS(G) \
	G(SOCIAL_WORKERS, LK_SOCIAL_WORKER, LK_CWS, 15) \
	G(AIS_WORKERS, LK_AIS_WORKER, LK_CALWORKS, 25) \
	G(EMPLOYMENT_SPECIALISTS, LK_EMPLOYMENT_SPECIALIST, LK_CALWORKS, 60) \
	G(ELIGIBILITY_WORKERS, LK_ELIGIBILITY_WORKER, LK_CALWORKS, 150) \
	G(CWS_SUPERVISORS, LK_SUPERVISOR, LK_CWS, 90) \
	G(CALWORKS_SUPERVISORS, LK_SUPERVISOR, LK_CALWORKS, 250)
#define GROUP_NAME(name, role, agency, caseload) name,
enum group { STAFF_GROUPS(GROUP_NAME) GROUPS };

#define STAFF_MAX 1040 /* each surname with each letter once */

struct worker {
	char id[48], name[48], phone[16];
	enum group group;
	unsigned mutual; /* families of both agencies that this worker was given */
};

/* What child welfare has of a family. */
enum cws { NOT_IN_CWS, REFERRED, IN_CASE };

/* An event as text, and when its agency knows of it. */
struct line {
	lk_instant known_at;
	size_t order;
	char *json;
};

struct feed {
	struct line *line;
	size_t n, room;
};

struct side {
	bool has;
	char number[33];
	unsigned lead, supervisor; /* in county.worker */
	int status;
	lk_instant opened_at, closed_at;
};

struct family {
	unsigned number, namesake; /* namesake: whose children's names and birthdays these are */
	struct chance chance;
	enum cws cws;
	unsigned children, said;
	bool shares_cin;
	struct side side[AGENCIES];
};

struct options {
	unsigned families, days;
	uint64_t seed;
	lk_date start;
	const char *out;
	bool by_day;
};

struct county {
	struct options options;
	lk_instant load_at, end_at;
	struct worker worker[STAFF_MAX];
	unsigned first_of[GROUPS +
			  1]; /* workers of group g are first_of[g] .. first_of[g + 1] - 1 */
	struct family *family;
	struct feed feed[AGENCIES];
	struct lk_bytes wire, json;
	uint8_t key[LK_IDENTITY_KEY];
};

/* ---- county_say.c ---------------------------------------------------------------------------- */

/* lo..hi, both included */
int chance_between(struct chance *c, int lo, int hi);
bool chance_of(struct chance *c, int per_mille);
int chance_pick(struct chance *c, const struct weighted *list);

/* Pacific time, by the rule in force since 2007. */
struct lk_time pacific_time(lk_instant at);
lk_date pacific_date(lk_instant at);
lk_instant pacific_instant(lk_date date, int minute);
lk_date workday(lk_date date); /* the day, or the Monday after it */
/* During office hours of the day, or of the next day with office hours. */
lk_instant office_hour(struct family *f, lk_date date);

void die(const char *format, ...) LK_PRINTF(1, 2) __attribute__((noreturn));
void *room_for(void *at, size_t n, size_t size);

extern const char *const county_sources[AGENCIES];
extern const struct staff_group {
	int role, agency, caseload;
} county_groups[GROUPS];

/* An event of a type in which nothing is said yet. */
struct lk_event event_of(enum lk_event_type type);
/* Says it at its time, or late, and sometimes takes it back or corrects it a day or more later. */
void say(struct county *c, struct family *f, int agency, struct lk_event *e, lk_instant at);

/* ---- county_life.c --------------------------------------------------------------------------- */

/* Everything that becomes of the family, from its first case to the last day. */
void family_live(struct county *c, struct family *f);

#endif
