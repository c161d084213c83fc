/* turn_print.c - values of a family as MessagePack.
 *
 * In: words, instants, days, codes. Out: members of maps, lists. Promise: what is absent is nil, never left out, so that
 * an answer has the same members each time.
 */
#include "turn_print.h"

#include <stdio.h>

void put_key(const struct print *p, const char *key)
{
	lk_put_word(p->out, key);
}

void put_text(const struct print *p, const char *key, struct lk_text text)
{
	put_key(p, key);
	lk_put_text(p->out, text);
}

void put_word(const struct print *p, const char *key, struct word w)
{
	put_text(p, key, family_text(p->f, w));
}

void put_code(const struct print *p, const char *key, const char *word)
{
	put_text(p, key, lk_text_of(word));
}

void put_int(const struct print *p, const char *key, int64_t value)
{
	put_key(p, key);
	lk_put_int(p->out, value);
}

void put_instant(const struct print *p, const char *key, lk_instant at)
{
	put_key(p, key);
	if (at == LK_NO_INSTANT)
		lk_put_nil(p->out);
	else
		lk_put_time(p->out, zone_time(p->zone, at));
}

void put_date(const struct print *p, const char *key, lk_date date)
{
	put_key(p, key);
	if (date == LK_NO_DATE)
		lk_put_nil(p->out);
	else
		lk_put_date(p->out, date);
}

void put_flag(const struct print *p, const char *key, bool flag)
{
	put_key(p, key);
	lk_put_bool(p->out, flag);
}

void put_digest(const struct print *p, const char *key, const uint8_t digest[LK_DIGEST])
{
	char hex[LK_DIGEST_HEX];
	lk_digest_hex(digest, hex);
	put_code(p, key, hex);
}

void put_case(const struct print *p, const char *key, uint32_t kase)
{
	put_text(p, key, kase == NONE ? LK_NO_TEXT : family_text(p->f, p->f->cases[kase].number));
}

void event_name(struct lk_text source, struct lk_text id, char out[EVENT_NAME])
{
	snprintf(out, EVENT_NAME, "%.*s/%.*s", LK_PRINT(source), LK_PRINT(id));
}

struct print listing_item(const struct print *p, struct listing *list)
{
	list->n++;
	return (struct print){ p->zone, p->f, &list->items };
}

void put_listing(const struct print *p, const char *key, struct listing *list)
{
	put_key(p, key);
	lk_put_array(p->out, list->n);
	lk_put_raw(p->out, list->items.at, list->items.len);
	p->out->failed |= list->items.failed;
	lk_bytes_free(&list->items);
}
