/* scenario.h - stories with expected notices: telling their lines apart, and holding what was said
 * against the checks.
 *
 * The format is tests/scenarios/README.md. Lines and output are JSON texts, so that nothing here
 * knows the daemon.
 */
#ifndef LINKAGES_SCENARIO_H
#define LINKAGES_SCENARIO_H

#include <linkages/base.h>
#include <stdio.h>

enum line_kind { LINE_BLANK, LINE_NOTE, LINE_CHECK, LINE_CLOCK, LINE_ACK, LINE_INPUT };

struct line {
	enum line_kind kind;
	const char *text; /* borrowed: the whole line */
	size_t len;
	struct lk_time clock; /* LINE_CLOCK; LK_NO_INSTANT: it names no instant */
	void *json;           /* of LINE_CHECK, LINE_CLOCK and LINE_ACK; line_close() */
};

void line_read(const char *text, size_t len, struct line *out);
void line_close(struct line *line);
/* LINE_CLOCK: is the source among those that have been silent? */
bool line_names_silent(const struct line *line, const char *source);

/* What a run has said so far, and how its checks went. */
struct story;
struct story *story_create(const char *name, FILE *complaints); /* NULL: no memory */
void story_destroy(struct story *story);
/* A line of output: one JSON object with `line`. 0, or LK_EMEMORY. */
int story_said(struct story *story, const char *json, size_t len) LK_MUST_CHECK;
/* A stimulus begins: a group of checks before it has ended. */
void story_stimulus(struct story *story, int line);
/* Holds a check against what was said; a failure is printed to complaints with the notices that
 * came near. */
void story_check(struct story *story, const struct line *check, int line);
/* The story has ended: input that was refused and that no check asks for, as a check that is spelt wrongly is, is named
 * among the complaints. It is no failure. */
void story_end(const struct story *story);
int story_checked(const struct story *story); /* checks there were */
int story_failed(const struct story *story);  /* checks that failed */
/* Calls visit with the id and worker of every telling so far that matches; a notice that was told
 * twice is visited twice, and an answer given twice is one. */
void story_matching(const struct story *story, const struct line *ack,
		    void (*visit)(void *context, const char *id, const char *worker), void *context);

#endif
