/* scan.h - what the library's own files ask of scan.c beyond the public header.
 *
 * A scan says more than yes or no: which limit was passed decides the name of a refusal, and bytes
 * that are in their canonical form already need not be written anew.
 */
#ifndef LINKAGES_LIB_SCAN_H
#define LINKAGES_LIB_SCAN_H

#include <linkages/wire.h>

/* The largest integer that every JSON reader keeps exactly. */
#define INTEGER_MAX ((INT64_C(1) << 53) - 1)

/* SPAN_FOREIGN: a value of MessagePack that is not spoken here; it can only be stepped over. */
enum span_kind {
	SPAN_NONE,
	SPAN_NIL,
	SPAN_BOOL,
	SPAN_INT,
	SPAN_TEXT,
	SPAN_ARRAY,
	SPAN_MAP,
	SPAN_FOREIGN,
};

enum scan_fault {
	SCAN_FINE,
	SCAN_LONG,   /* more bytes than the limit */
	SCAN_MANY,   /* more values than the limit */
	SCAN_DEEP,   /* nested deeper than the limit */
	SCAN_BROKEN, /* not one value of the subset */
	SCAN_MEMORY,
};

struct scan {
	enum scan_fault fault;
	const char *detail; /* a sentence that repeats nothing of the bytes; NULL if all is fine */
	bool canonical;     /* valid where all is fine */
	unsigned sealed;    /* a bit for each name of scan_envelope()'s list that was met */
};

/* For values that were held against a narrower limit before, or are the program's own. */
extern const struct lk_limits scan_any_limits;

/* 0, or -1 with the fault named. Any value, not only a map. */
int scan_value(const void *bytes, size_t len, const struct lk_limits *limits,
	       struct scan *out) LK_MUST_CHECK;
/* As scan_value(), and the value must be a map. */
int scan_map(const void *bytes, size_t len, const struct lk_limits *limits,
	     struct scan *out) LK_MUST_CHECK;

/* As scan_map(), but members of the outermost map whose names are in `sealed` (a list that NULL ends; NULL: none)
 * are only measured, whatever they hold: who opens one scans it by its own limits. */
int scan_envelope(const void *bytes, size_t len, const struct lk_limits *limits,
		  const char *const *sealed, struct scan *out) LK_MUST_CHECK;

enum span_kind span_kind(struct lk_span value);

/* One code point of scanned text; *at moves behind it. */
uint32_t text_point(const char **at);
/* How many characters (code points) a scanned text has. */
uint32_t text_characters(struct lk_text text);

#endif
