/* base.h - the few plain things that every part of Linkages speaks in.
 *
 * Texts that are borrowed, instants, dates, growable bytes, and errors that say what and why.
 * No third-party type appears in any public header.
 *
 * Threads: everything here works on the caller's own values; nothing is shared or hidden.
 */
#ifndef LINKAGES_BASE_H
#define LINKAGES_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define LK_MUST_CHECK __attribute__((warn_unused_result))
#define LK_PRINTF(f, a) __attribute__((format(printf, f, a)))
#else
#define LK_MUST_CHECK
#define LK_PRINTF(f, a)
#endif

/* A borrowed piece of UTF-8; not NUL-terminated. at == NULL: absent. An empty text has at != NULL. */
struct lk_text {
	const char *at;
	uint32_t len;
};

#define LK_TEXT(literal) ((struct lk_text){ (literal), sizeof(literal) - 1 })
#define LK_NO_TEXT ((struct lk_text){ NULL, 0 })
/* For printf: printf("%.*s", LK_PRINT(text)) */
#define LK_PRINT(t) (int)(t).len, ((t).at != NULL ? (t).at : "")

struct lk_text lk_text_of(const char *string); /* NULL gives LK_NO_TEXT */
bool lk_text_is(struct lk_text a, struct lk_text b);
bool lk_text_says(struct lk_text a, const char *string);
/* Takes away what is left of the last character of a string that was cut where its room ended. */
void lk_text_trim(char *string);
/* Bytewise order, shorter first among equals; <0, 0, >0. */
int lk_text_order(struct lk_text a, struct lk_text b);
static inline bool lk_text_given(struct lk_text t)
{
	return t.at != NULL;
}

/* An instant: microseconds since 1970-01-01T00:00:00Z. */
typedef int64_t lk_instant;
#define LK_NO_INSTANT INT64_MIN
#define LK_SECOND INT64_C(1000000)
#define LK_MINUTE (60 * LK_SECOND)
#define LK_HOUR (60 * LK_MINUTE)

/* An instant together with the offset from UTC, in seconds, in which it is written. */
struct lk_time {
	lk_instant at;
	int32_t offset_s;
};
#define LK_NO_TIME ((struct lk_time){ LK_NO_INSTANT, 0 })

/* A calendar day: days since 1970-01-01 (proleptic Gregorian). */
typedef int32_t lk_date;
#define LK_NO_DATE INT32_MIN

lk_date lk_date_of(int year, int month, int day);
void lk_date_civil(lk_date date, int *year, int *month, int *day);
/* 'YYYY-MM-DD' in and out. Parsing returns -1 for anything that is not exactly an existing day. */
int lk_date_parse(struct lk_text text, lk_date *out) LK_MUST_CHECK;
#define LK_DATE_TEXT 11 /* bytes, NUL included */
void lk_date_print(lk_date date, char out[LK_DATE_TEXT]);
/* RFC 3339 in (offset or Z demanded, fraction kept to the microsecond; years 1990-2100) and out (fraction only
 * where there is one; 'Z' is written '+00:00'). */
int lk_time_parse(struct lk_text text, struct lk_time *out) LK_MUST_CHECK;
#define LK_TIME_TEXT 40
void lk_time_print(struct lk_time time, char out[LK_TIME_TEXT]);

/* What went wrong: a negative code for programs, a sentence for people. Three kinds, never mixed:
 * theirs (refuse, name, count), the world's (back off, retry or stop acknowledging), ours (assert). */
enum lk_fault {
	LK_OK = 0,
	LK_EWIRE = -1,    /* bytes that are not one bounded value */
	LK_EREFUSED = -2, /* an input that makes no sense; struct lk_refused says why */
	LK_EMEMORY = -3,
	LK_ESTORE = -4,   /* SQLite said no; nothing was kept */
	LK_EFULL = -5,    /* no room on the disk */
	LK_ESYNC = -6,    /* an fsync failed: the store is suspect */
	LK_ENET = -7,     /* a socket said no */
	LK_EAUTH = -8,    /* a key or a right is missing */
	LK_ECONFIG = -9,  /* a file that does not say what it should */
	LK_ESTATE = -10,  /* not now: asked in the wrong order, or busy */
	LK_ENOTFOUND = -11,
};

struct lk_error {
	int code;
	char text[400];
};

/* Fills err (may be NULL) and returns code, so that `return lk_fail(err, LK_EWIRE, "...")` reads as one thought. */
int lk_fail(struct lk_error *err, int code, const char *format, ...) LK_PRINTF(3, 4);
#ifdef __clang_analyzer__ /* it looks into no other file, and would suppose that a failure can return 0 */
#define lk_fail(err, code, ...) ((void)lk_fail(err, code, __VA_ARGS__), (code))
#endif

/* Growable bytes. Start from zeroes; lk_bytes_free() gives the memory back. A failed append sets `failed`,
 * which stays set until lk_bytes_clear(), so that a row of appends is checked once at its end. */
struct lk_bytes {
	uint8_t *at;
	size_t len, room;
	bool failed;
};
void lk_bytes_add(struct lk_bytes *b, const void *at, size_t len);
void lk_bytes_clear(struct lk_bytes *b);
void lk_bytes_free(struct lk_bytes *b);

/* BLAKE2b, 128 bits: names of notices, hashes of events, tokens of identity (keyed; key may be NULL). */
#define LK_DIGEST 16
#define LK_DIGEST_HEX (2 * LK_DIGEST + 1)
void lk_digest(const void *bytes, size_t len, const uint8_t *key32, uint8_t out[LK_DIGEST]);
void lk_digest_hex(const uint8_t digest[LK_DIGEST], char out[LK_DIGEST_HEX]);
int lk_digest_parse(struct lk_text hex, uint8_t out[LK_DIGEST]) LK_MUST_CHECK; /* 32 lower-case hex digits or -1 */

#endif
