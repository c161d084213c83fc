/* phrase.c - what a notice is about, in a few words for people.
 *
 * In: a notice as it came from the wire. Out: a phrase, from one table of templates. Promise: only members that are
 * there are spoken of; a notice at signal level says what is to be done and no more.
 */
#include "phrase.h"

#include <string.h>

/* {member} is the member of `about`, {.member} one of the notice itself; what stands in brackets is left out where a
 * member in it is missing. Rows of one kind that ask for a `what` come before the one that does not. */
static const struct {
	const char *kind, *what, *template;
} templates[] = {
	{ "crossover.found", NULL,
	  "this family is served by both agencies[; their case {.other}]" },
	{ "crossover.possible", NULL,
	  "may be one family with[ case {.other} of] the other agency: confirm or refuse" },
	{ "crossover.ended", NULL, "a link to the other agency was removed" },
	{ "consent.needed", NULL, "ask the family for its consent to share" },
	{ "consent.expiring", NULL, "the last consent is about to expire" },
	{ "consent.ended", NULL, "a consent ended" },
	{ "status.changed", "removal", "a child was removed" },
	{ "status.changed", "return", "a child returned home" },
	{ "status.changed", "household", "the household changed" },
	{ "status.changed", NULL, "status[ {from} to][ {status}]" },
	{ "sanction.review", NULL, "sanction: the child welfare plan may be good cause" },
	{ "reunification.evaluate", NULL, "a child was removed: evaluate for reunification" },
	{ "reunification.ending", NULL, "reunification is about to end" },
	{ "clock.near", NULL, "months of aid left:[ {left}]" },
	{ "milestone.reached", NULL, "milestone[ {milestone}]" },
	{ "closure.planned", "plan", "a plan is about to close" },
	{ "closure.planned", NULL, "a case is about to close" },
	{ "closure.one_side", NULL, "one side has no open case any more" },
	{ "closure.both", NULL, "the last open case of the family closed" },
	{ "closure.screen", NULL, "child welfare closed: screen for CalWORKs" },
	{ "meeting.needed", NULL, "[{meeting_kind} ]meeting needed[: {reasons}]" },
	{ "meeting.overdue", NULL, "[{meeting_kind} ]meeting overdue[: {reasons}]" },
	{ "meeting.reschedule", NULL,
	  "move[ {meeting_kind}][ {meeting}][ of {start}][: {reasons}][ with {with}][; free: {proposals}]" },
	{ "meeting.changed", NULL, "[{meeting_kind} ]meeting[ {change}][: {start}][, {place}]" },
	{ "meeting.reminder", NULL, "[{meeting_kind} ]meeting[ {start}][, {place}]" },
	{ "visit.due", NULL, "no face-to-face visit yet this month" },
	{ "visit.missed", NULL, "the month ended without a face-to-face visit" },
	{ "service.duplicate", NULL, "both agencies run a service[: {category}]" },
	{ "service.credit", NULL,
	  "child welfare service may count for welfare-to-work[: {category}]" },
	{ "referral.changed", NULL, "referral[ {referral}][ for {category}][: {status}]" },
	{ "referral.overdue", NULL, "referral[ {referral}] is past its follow-up" },
	{ "notice.unanswered", NULL, "[{worker} has not answered][ {kind}]" },
	{ "feed.silent", NULL, "nothing is heard from[ {source}]" },
};

static void put(struct lk_bytes *out, const char *at, size_t len)
{
	lk_bytes_add(out, at, len);
}

void phrase_time(struct lk_text time, struct lk_bytes *out)
{
	struct lk_time parsed;

	if (lk_time_parse(time, &parsed) < 0) {
		put(out, time.at, time.len);
		return;
	}
	put(out, time.at, 10);
	put(out, " ", 1);
	put(out, time.at + 11, 5);
}

/* Codes are words with underscores; ids and free texts are left as they are. */
static void put_text(struct lk_text text, bool is_code, struct lk_bytes *out)
{
	for (uint32_t i = 0; i < text.len; i++)
		put(out, is_code && text.at[i] == '_' ? " " : text.at + i, 1);
}

static bool is_code(struct lk_text name)
{
	static const char *const codes[] = { "from",    "status",   "meeting_kind",
					     "reasons", "category", "change" };

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (lk_text_says(name, codes[i]))
			return true;
	return false;
}

static void put_value(struct lk_text name, struct lk_span value, struct lk_bytes *out)
{
	struct lk_text text = lk_as_text(value);
	struct lk_span key, item;
	size_t cursor = 0;

	if (lk_text_says(name, "start")) {
		phrase_time(text, out);
	} else if (lk_text_given(text)) {
		put_text(text, is_code(name), out);
	} else if (lk_count(value) < 0) {
		if (lk_wire_to_json(value.at, value.len, out) < 0)
			put(out, "?", 1);
	} else {
		for (bool more = false; lk_next(value, &cursor, &key, &item); more = true) {
			put(out, ", ", more ? 2 : 0);
			put_value(lk_text_says(name, "proposals") ? LK_TEXT("start") : name, item,
				  out);
		}
	}
}

static struct lk_span member(struct lk_span notice, struct lk_text name)
{
	char key[32];

	if (name.len >= sizeof(key))
		return (struct lk_span){ NULL, 0 };
	memcpy(key, name.at, name.len);
	key[name.len] = '\0';
	return key[0] == '.' ? lk_get(notice, key + 1) : lk_get(lk_get(notice, "about"), key);
}

/* One piece of a template, up to `end`. False where a member that it names is missing. */
static bool put_piece(struct lk_span notice, const char *at, const char *end, struct lk_bytes *out)
{
	while (at < end) {
		const char *open = memchr(at, '{', (size_t)(end - at));
		const char *close = open != NULL ? memchr(open, '}', (size_t)(end - open)) : NULL;
		struct lk_text name;
		struct lk_span value;

		put(out, at, (size_t)((open != NULL ? open : end) - at));
		if (open == NULL || close == NULL)
			return true;
		name = (struct lk_text){ open + 1, (uint32_t)(close - open - 1) };
		value = member(notice, name);
		if (value.at == NULL || lk_is_nil(value))
			return false;
		put_value(name, value, out);
		at = close + 1;
	}
	return true;
}

static void put_template(struct lk_span notice, const char *template, struct lk_bytes *out)
{
	const char *at = template;

	while (*at != '\0') {
		size_t plain = strcspn(at, "[");
		size_t before, inside;

		(void)put_piece(notice, at, at + plain, out);
		at += plain;
		if (*at == '\0')
			return;
		before = out->len;
		inside = strcspn(at, "]");
		if (!put_piece(notice, at + 1, at + inside, out))
			out->len = before;
		at += inside + 1;
	}
}

static const char *template_of(struct lk_text kind, struct lk_text what)
{
	for (size_t i = 0; i < sizeof(templates) / sizeof(templates[0]); i++)
		if (lk_text_says(kind, templates[i].kind) &&
		    (templates[i].what == NULL || lk_text_says(what, templates[i].what)))
			return templates[i].template;
	return NULL;
}

void phrase_notice(struct lk_span notice, struct lk_bytes *out)
{
	struct lk_text kind = lk_as_text(lk_get(notice, "kind"));
	struct lk_text what = lk_as_text(lk_get_path(notice, "about.what"));
	const char *template = template_of(kind, what);

	if (template != NULL)
		put_template(notice, template, out);
	else
		put_text(kind, false, out);
}
