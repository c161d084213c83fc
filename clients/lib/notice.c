/* notice.c - one notice to bytes and back.
 *
 * In: what the engine made, or a mailbox's bytes. Out: the map that a worker's client is sent, or a
 * struct that borrows from it. Promise: the same notice gives the same bytes, members in the order
 * of domain.md section 5.
 */
#include "fields.h"

#include <string.h>
#include <threads.h>

FIELD_TABLE(notice_fields, struct lk_notice, FIELDS_notice)

/* Every notice begins as a copy of it. */
static struct lk_notice absent;

static void absent_make(void)
{
	fields_clear(notice_fields(), &absent);
}

void lk_notice_clear(struct lk_notice *notice)
{
	static once_flag once = ONCE_FLAG_INIT;

	call_once(&once, absent_make);
	*notice = absent;
}

void lk_notice_reduce(struct lk_notice *notice)
{
	struct lk_notice reduced;

	lk_notice_clear(&reduced);
	memcpy(reduced.id, notice->id, sizeof(reduced.id));
	reduced.rev = notice->rev;
	reduced.to = notice->to;
	reduced.kind = notice->kind;
	reduced.state = LK_WITHDRAWN;
	reduced.reason = LK_NO_CONSENT;
	*notice = reduced;
}

void lk_notice_encode(const struct lk_notice *notice, struct lk_bytes *out)
{
	fields_put(notice_fields(), notice, out);
}

int lk_notice_decode(const void *bytes, size_t len, struct lk_notice *out, struct lk_error *err)
{
	struct lk_refused why;
	struct reader reader = { .agency = LK_NO_CODE, .why = &why };

	if (lk_wire_scan(bytes, len, &lk_message_limits, err) < 0)
		return LK_EWIRE;
	lk_notice_clear(out);
	if (fields_read(&reader, notice_fields(), lk_span_of(bytes, len), out) < 0)
		return lk_fail(err, LK_EWIRE, "notice, member %s: %s", why.field, why.detail);
	return 0;
}
