/* output.h - what the tools print: text for people, JSON for programs, and nothing from outside as it came.
 *
 * Every text goes through output_text(), which writes control characters and those that reorder a line as escapes, so
 * that no peer can write to a terminal through us.
 */
#ifndef LINKAGES_OUTPUT_H
#define LINKAGES_OUTPUT_H

#include <linkages/wire.h>
#include <stdio.h>

struct output {
	FILE *to;
	bool json;       /* one JSON object a line */
	bool coloured;   /* a terminal, text, and NO_COLOR not set */
	unsigned column; /* characters on this line so far */
	unsigned width;  /* of the terminal; 0: there is none, and lines are as long as they are */
};

enum paint { PAINT_PLAIN, PAINT_BOLD, PAINT_FAINT, PAINT_ALARM, PAINT_GOOD };

void output_open(struct output *out, FILE *to, bool json);
/* A number and what is counted: one, or many of them. */
void output_count(struct output *out, int64_t n, const char *one, const char *many);
void output_word(struct output *out, const char *ours); /* our own words, as they are */
void output_text(struct output *out, struct lk_text theirs);
/* The same, broken at blanks where the terminal ends; lines after the first begin at `indent`. */
void output_wrapped(struct output *out, struct lk_text theirs, unsigned indent);
/* Until the next; nothing where it is not coloured. */
void output_paint(struct output *out, enum paint paint);
void output_painted(struct output *out, enum paint paint, const char *ours); /* plain afterwards */
void output_pad(struct output *out, unsigned column); /* spaces up to there; at least one */
/* How many columns output_text() will take. */
unsigned output_width(struct lk_text theirs);
/* One MessagePack value as a line of JSON. */
void output_line(struct output *out, struct lk_span value);
/* A value for people: maps as aligned pairs, lists of maps as tables, the rest on one line. In JSON: output_line(). */
void output_value(struct output *out, struct lk_span value);
/* A scalar, or a list of them, without the end of the line; instants to the second. */
void output_cell(struct output *out, struct lk_span value);
/* 0 where all that was written has left; -1: the disk is full, or the reader gone. */
int output_close(struct output *out);

#endif
