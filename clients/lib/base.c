/* base.c - texts, instants, dates, growable bytes, errors, digests.
 *
 * In: the caller's own values. Out: the same. Promise: nothing here keeps, shares or hides state;
 * nothing but lk_bytes allocates, and an allocation that fails is a flag, never a crash.
 */
#include <linkages/base.h>

#include <assert.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <threads.h>

static_assert(LK_DIGEST >= crypto_generichash_BYTES_MIN, "libsodium makes digests of this length");

/* ---- Texts ----------------------------------------------------------------------------------- */

struct lk_text lk_text_of(const char *string)
{
	if (string == NULL)
		return LK_NO_TEXT;
	return (struct lk_text){ string, (uint32_t)strlen(string) };
}

bool lk_text_is(struct lk_text a, struct lk_text b)
{
	if (a.at == NULL || b.at == NULL)
		return a.at == b.at;
	return a.len == b.len && memcmp(a.at, b.at, a.len) == 0;
}

bool lk_text_says(struct lk_text a, const char *string)
{
	return lk_text_is(a, lk_text_of(string));
}

void lk_text_trim(char *string)
{
	size_t len = strlen(string), first = len;

	while (first > 0 && ((uint8_t)string[first - 1] & 0xc0) == 0x80)
		first--;
	if (first == 0 || (uint8_t)string[first - 1] < 0xc0)
		return;
	uint8_t lead = (uint8_t)string[first - 1];
	size_t whole = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;

	if (len - (first - 1) < whole)
		string[first - 1] = '\0';
}

int lk_text_order(struct lk_text a, struct lk_text b)
{
	uint32_t common = a.len < b.len ? a.len : b.len;
	int order = common > 0 ? memcmp(a.at, b.at, common) : 0;

	if (order != 0)
		return order;
	return (a.len > b.len) - (a.len < b.len);
}

/* ---- Days ------------------------------------------------------------------------------------ *
 * The calendar repeats every 400 years of 146,097 days. Years are counted from 1 March, so that
 * the leap day comes last and the months before it have lengths that one line of arithmetic gives
 * (153 days in five months). */

#define DAYS_IN_400_YEARS 146097
#define DAY_OF_EPOCH 719468 /* 1970-01-01, counted from 0000-03-01 */

static int64_t floor_divided(int64_t value, int64_t by)
{
	return value / by - (value % by < 0);
}

lk_date lk_date_of(int year, int month, int day)
{
	int64_t y = (int64_t)year - (month <= 2);
	int64_t era = floor_divided(y, 400);
	int64_t year_of_era = y - era * 400;
	int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
	int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

	return (lk_date)(era * DAYS_IN_400_YEARS + day_of_era - DAY_OF_EPOCH);
}

void lk_date_civil(lk_date date, int *year, int *month, int *day)
{
	int64_t days = (int64_t)date + DAY_OF_EPOCH;
	int64_t era = floor_divided(days, DAYS_IN_400_YEARS);
	int64_t day_of_era = days - era * DAYS_IN_400_YEARS;
	int64_t year_of_era =
		(day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	int64_t day_of_year =
		day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int64_t march_month = (5 * day_of_year + 2) / 153;

	*day = (int)(day_of_year - (153 * march_month + 2) / 5 + 1);
	*month = (int)(march_month < 10 ? march_month + 3 : march_month - 9);
	*year = (int)(year_of_era + era * 400 + (*month <= 2));
}

/* A pattern of digits ('0') and literal characters against the head of a text; numbers are left
 * to right. */
static bool digits_fit(const char *at, const char *pattern)
{
	for (; *pattern != '\0'; pattern++, at++) {
		if (*pattern == '0' ? *at < '0' || *at > '9' : *at != *pattern)
			return false;
	}
	return true;
}

static int number_at(const char *at, int digits)
{
	int value = 0;

	for (int i = 0; i < digits; i++)
		value = value * 10 + (at[i] - '0');
	return value;
}

static void digits_put(char *at, int digits, int value)
{
	for (int i = digits - 1; i >= 0; i--, value /= 10)
		at[i] = (char)('0' + value % 10);
}

int lk_date_parse(struct lk_text text, lk_date *out)
{
	int year, month, day, back_year, back_month, back_day;
	lk_date date;

	if (text.at == NULL || text.len != 10 || !digits_fit(text.at, "0000-00-00"))
		return -1;
	year = number_at(text.at, 4);
	month = number_at(text.at + 5, 2);
	day = number_at(text.at + 8, 2);
	if (month < 1 || month > 12 || day < 1 || day > 31)
		return -1;
	date = lk_date_of(year, month, day);
	lk_date_civil(date, &back_year, &back_month, &back_day);
	if (back_month != month)
		return -1; /* 31 April runs over into May */
	*out = date;
	return 0;
}

void lk_date_print(lk_date date, char out[LK_DATE_TEXT])
{
	int year, month, day;

	lk_date_civil(date, &year, &month, &day);
	memcpy(out, "0000-00-00", LK_DATE_TEXT);
	digits_put(out, 4, year < 0 ? 0 : year);
	digits_put(out + 5, 2, month);
	digits_put(out + 8, 2, day);
}

/* ---- Instants -------------------------------------------------------------------------------- */

#define FIRST_YEAR 1990
#define LAST_YEAR 2100
#define SECONDS_IN_DAY 86400

/* '.' and digits; what lies below a microsecond is dropped. Moves *at on; -1 where no digit
 * follows the point. */
static int fraction_parse(const char **at, const char *end, int64_t *us)
{
	int64_t unit = LK_SECOND / 10;
	const char *p = *at;

	*us = 0;
	if (p == end || *p != '.')
		return 0;
	for (p++; p < end && *p >= '0' && *p <= '9'; p++, unit /= 10)
		*us += (*p - '0') * unit;
	if (p == *at + 1)
		return -1;
	*at = p;
	return 0;
}

/* 'Z' or +hh:mm up to the end. */
static int offset_parse(const char *at, const char *end, int32_t *seconds)
{
	int hours, minutes;

	*seconds = 0;
	if (end - at == 1 && (*at == 'Z' || *at == 'z'))
		return 0;
	if (end - at != 6 || (*at != '+' && *at != '-') || !digits_fit(at + 1, "00:00"))
		return -1;
	hours = number_at(at + 1, 2);
	minutes = number_at(at + 4, 2);
	if (hours > 23 || minutes > 59)
		return -1;
	*seconds = (hours * 60 + minutes) * (*at == '-' ? -60 : 60);
	return 0;
}

/* Second 60 is refused: no agency's clock shows one, and it would not come back as it was
 * written. */
int lk_time_parse(struct lk_text text, struct lk_time *out)
{
	const char *at = text.at, *end;
	int hour, minute, second, year;
	int64_t us;
	int32_t offset;
	lk_date date;

	if (at == NULL || text.len < 20 || (at[10] != 'T' && at[10] != 't') ||
	    !digits_fit(at + 11, "00:00:00"))
		return -1;
	end = at + text.len;
	if (lk_date_parse((struct lk_text){ at, 10 }, &date) < 0)
		return -1;
	year = number_at(at, 4);
	hour = number_at(at + 11, 2);
	minute = number_at(at + 14, 2);
	second = number_at(at + 17, 2);
	if (year < FIRST_YEAR || year > LAST_YEAR || hour > 23 || minute > 59 || second > 59)
		return -1;
	at += 19;
	if (fraction_parse(&at, end, &us) < 0 || offset_parse(at, end, &offset) < 0)
		return -1;
	out->at = ((int64_t)date * SECONDS_IN_DAY + hour * 3600 + minute * 60 + second - offset) *
			  LK_SECOND +
		  us;
	out->offset_s = offset;
	return 0;
}

static char *fraction_print(char *at, int us)
{
	int digits = 6;

	if (us == 0)
		return at;
	for (; us % 10 == 0; us /= 10)
		digits--;
	*at++ = '.';
	digits_put(at, digits, us);
	return at + digits;
}

void lk_time_print(struct lk_time time, char out[LK_TIME_TEXT])
{
	int64_t whole = floor_divided(time.at, LK_SECOND);
	int64_t local = whole + time.offset_s;
	int64_t day = floor_divided(local, SECONDS_IN_DAY);
	int second = (int)(local - day * SECONDS_IN_DAY);
	int minutes = (time.offset_s < 0 ? -(time.offset_s / 60) : time.offset_s / 60);
	int us = (int)((time.at % LK_SECOND + LK_SECOND) % LK_SECOND);
	char *at = out + 19;

	lk_date_print((lk_date)day, out);
	memcpy(out + 10, "T00:00:00", sizeof("T00:00:00"));
	digits_put(out + 11, 2, second / 3600);
	digits_put(out + 14, 2, second / 60 % 60);
	digits_put(out + 17, 2, second % 60);
	at = fraction_print(at, us);
	memcpy(at, "+00:00", 7);
	if (time.offset_s < 0)
		*at = '-';
	digits_put(at + 1, 2, minutes / 60);
	digits_put(at + 4, 2, minutes % 60);
}

/* ---- Errors ---------------------------------------------------------------------------------- */

int(lk_fail)(struct lk_error *err, int code, const char *format, ...)
{
	va_list args;

	if (err == NULL)
		return code;
	err->code = code;
	va_start(args, format);
	if (vsnprintf(err->text, sizeof(err->text), format, args) < 0)
		err->text[0] = '\0';
	va_end(args);
	lk_text_trim(err->text);
	return code;
}

/* ---- Growable bytes -------------------------------------------------------------------------- */

#define FIRST_ROOM 256

static int bytes_grow(struct lk_bytes *b, size_t len)
{
	size_t room = b->room > 0 ? b->room : FIRST_ROOM;
	uint8_t *at;

	if (len > SIZE_MAX / 2 - b->len)
		return -1;
	while (room < b->len + len)
		room *= 2;
	at = realloc(b->at, room);
	if (at == NULL)
		return -1;
	b->at = at;
	b->room = room;
	return 0;
}

void lk_bytes_add(struct lk_bytes *b, const void *at, size_t len)
{
	if (b->failed || len == 0)
		return;
	if (len > b->room - b->len && bytes_grow(b, len) < 0) {
		b->failed = true;
		return;
	}
	memcpy(b->at + b->len, at, len);
	b->len += len;
}

void lk_bytes_clear(struct lk_bytes *b)
{
	b->len = 0;
	b->failed = false;
}

void lk_bytes_free(struct lk_bytes *b)
{
	free(b->at);
	*b = (struct lk_bytes){ 0 };
}

/* ---- Digests --------------------------------------------------------------------------------- */

/* Picks the fastest code for this processor. Should it fail, the portable code stays in place:
 * same digests. */
static void sodium_prepare(void)
{
	int faster = sodium_init();

	(void)faster;
}

void lk_digest(const void *bytes, size_t len, const uint8_t *key32, uint8_t out[LK_DIGEST])
{
	static once_flag once = ONCE_FLAG_INIT;

	call_once(&once, sodium_prepare);
	(void)crypto_generichash(out, LK_DIGEST, bytes, len, key32, key32 != NULL ? 32 : 0);
}

void lk_digest_hex(const uint8_t digest[LK_DIGEST], char out[LK_DIGEST_HEX])
{
	static const char hex[] = "0123456789abcdef";

	for (size_t i = 0; i < LK_DIGEST; i++) {
		out[2 * i] = hex[digest[i] >> 4];
		out[2 * i + 1] = hex[digest[i] & 15];
	}
	out[2 * LK_DIGEST] = '\0';
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int lk_digest_parse(struct lk_text hex, uint8_t out[LK_DIGEST])
{
	uint8_t digest[LK_DIGEST];

	if (hex.at == NULL || hex.len != 2 * LK_DIGEST)
		return -1;
	for (size_t i = 0; i < LK_DIGEST; i++) {
		int high = hex_value(hex.at[2 * i]), low = hex_value(hex.at[2 * i + 1]);

		if (high < 0 || low < 0)
			return -1;
		digest[i] = (uint8_t)(high << 4 | low);
	}
	memcpy(out, digest, sizeof(digest));
	return 0;
}
