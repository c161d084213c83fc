/* progress.h - how far a work of more than a second has come, on the terminal of whoever waits.
 *
 * One line on standard error, drawn over itself; nothing in the first second, nothing where standard error is no terminal,
 * nothing where TERM is `dumb`. One work at a time a process.
 */
#ifndef LINKAGES_PROGRESS_H
#define LINKAGES_PROGRESS_H

#include <linkages/base.h>

/* Microseconds of a clock that nobody sets. */
int64_t steady_us(void);
/* `done` of `of` (0: nobody knows how many) of what is named; costs a look at the clock. Call it as often as you like. */
void progress_say(const char *what, int64_t done, int64_t of);
/* Clears the line: before anything else is printed. Does nothing where none was drawn. */
void progress_end(void);

#endif
