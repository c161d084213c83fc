/* answers.c - the answers of family, why and why-not, as text for people.
 *
 * In: maps from the daemon. Out: aligned lines. Promise: instants are shown to the minute, ids by their first digits; --json
 * has all of it.
 */
#include "answers.h"

#include "grid.h"
#include "phrase.h"

static void phrase_print(struct output *out, struct lk_span notice)
{
	struct lk_bytes phrase = { 0 };

	phrase_notice(notice, &phrase);
	piece_say(out, line_text(&phrase));
	lk_bytes_free(&phrase);
}

/* ---- family ------------------------------------------------------------------------------------------------------------ */

#define CASES_AT (GRID_INDENT + 10)

static unsigned numbers_width(struct lk_span cases)
{
	struct lk_span key, kase;
	size_t cursor = 0;
	unsigned widest = 0;

	while (lk_next(cases, &cursor, &key, &kase)) {
		unsigned width = output_width(member_text(kase, "case"));

		widest = width > widest ? width : widest;
	}
	return widest;
}

/* A case of which only others have spoken, or that waits for its opening, is not closed. */
static const char *standing_of(struct lk_span kase)
{
	if (member_is_true(kase, "open"))
		return "open";
	return lk_is_nil(lk_get(kase, "opened")) && lk_is_nil(lk_get(kase, "closed")) ? "not opened"
										      : "closed";
}

static void case_print(struct output *out, struct lk_span kase, unsigned numbers)
{
	output_pad(out, GRID_INDENT);
	output_text(out, member_text(kase, "agency"));
	output_pad(out, CASES_AT);
	output_text(out, member_text(kase, "case"));
	output_pad(out, CASES_AT + numbers + 2);
	output_word(out, standing_of(kase));
	piece_print(out, " ", kase, "closed", CELL_TIME);
	piece_print(out, ", ", kase, "status", CELL_TEXT);
	piece_print(out, " since ", kase, "since", CELL_TIME);
	piece_print(out, ", to close on ", kase, "closing", CELL_TEXT);
	piece_print(out, ", last visit ", kase, "visited", CELL_TIME);
	if (member_is_true(kase, "limited_access"))
		output_word(out, ", limited access");
	output_word(out, "\n");
}

static void worker_print(struct output *out, struct lk_span worker)
{
	output_pad(out, CASES_AT);
	output_text(out, member_text(worker, "role"));
	output_pad(out, GRID_INDENT + 34);
	output_text(out, member_text(worker, "worker"));
	piece_print(out, ", ", worker, "name", CELL_TEXT);
	piece_print(out, ", ", worker, "phone", CELL_TEXT);
	output_word(out, "\n");
}

static void cases_print(struct output *out, struct lk_span cases)
{
	struct lk_span key, kase, worker;
	size_t cursor = 0;
	unsigned numbers = numbers_width(cases);

	heading_print(out, "Cases");
	while (lk_next(cases, &cursor, &key, &kase)) {
		size_t at = 0;

		case_print(out, kase, numbers);
		while (lk_next(lk_get(kase, "workers"), &at, &key, &worker))
			worker_print(out, worker);
		if (lk_count(lk_get(kase, "shared")) > 0) {
			output_pad(out, CASES_AT);
			piece_print(out, "the other side may know: ", kase, "shared", CELL_LIST);
			output_word(out, "\n");
		}
	}
}

static const struct column consent_columns[] = {
	{ "consent", "consent", CELL_TEXT, 0 },   { "case", "case", CELL_TEXT, 0 },
	{ "in_force", "in force", CELL_FLAG, 0 }, { "signed", "signed", CELL_TIME, 0 },
	{ "expires", "expires", CELL_TEXT, 0 },   { "topics", "topics", CELL_LIST, 0 },
};
static const struct column plan_columns[] = {
	{ "plan", "plan", CELL_TEXT, 0 },       { "case", "case", CELL_TEXT, 0 },
	{ "kind", "kind", CELL_TEXT, 0 },       { "signed", "signed", CELL_TIME, 0 },
	{ "closing", "closing", CELL_TEXT, 0 }, { "ended", "ended", CELL_FLAG, 0 },
};
static const struct column service_columns[] = {
	{ "service", "service", CELL_TEXT, 0 },
	{ "case", "case", CELL_TEXT, 0 },
	{ "category", "category", CELL_TEXT, 0 },
	{ "started", "started", CELL_TIME, 0 },
};
static const struct column concern_columns[] = {
	{ "concern", "concern", CELL_TEXT, 0 },   { "case", "case", CELL_TEXT, 0 },
	{ "kind", "kind", CELL_TEXT, 0 },         { "raised", "raised", CELL_TIME, 0 },
	{ "resolved", "resolved", CELL_FLAG, 0 },
};
static const struct column referral_columns[] = {
	{ "referral", "referral", CELL_TEXT, 0 }, { "case", "case", CELL_TEXT, 0 },
	{ "category", "category", CELL_TEXT, 0 }, { "to", "to", CELL_TEXT, 0 },
	{ "status", "status", CELL_TEXT, 0 },     { "follow_up", "follow up", CELL_TEXT, 0 },
};
static const struct column meeting_columns[] = {
	{ "meeting", "meeting", CELL_TEXT, 0 }, { "kind", "kind", CELL_TEXT, 0 },
	{ "state", "state", CELL_TEXT, 0 },     { "start", "start", CELL_TIME, 0 },
	{ "place", "place", CELL_TEXT, 0 },
};
static const struct column standing_columns[] = {
	{ "id", "notice", CELL_ID, 0 },   { "to", "to", CELL_TEXT, 0 },
	{ "due", "due", CELL_TEXT, 0 },   { "urgency", "urgency", CELL_TEXT, 0 },
	{ "told", "told", CELL_TIME, 0 }, { "answered", "answered", CELL_TIME, 0 },
	{ NULL, "what", CELL_PHRASE, 0 },
};
static const struct column coming_columns[] = {
	{ "at", "when", CELL_TIME, 0 },     { "kind", "kind", CELL_TEXT, 0 },
	{ "state", "state", CELL_TEXT, 0 }, { "reason", "reason", CELL_TEXT, 0 },
	{ "to", "to", CELL_TEXT, 0 },       { "due", "due", CELL_TEXT, 0 },
	{ NULL, "what", CELL_PHRASE, 0 },
};
static const struct column ahead_columns[] = {
	{ "time", "when", CELL_TIME, 0 },
	{ "type", "type", CELL_TEXT, 0 },
	{ "case", "case", CELL_TEXT, 0 },
	{ "event", "event", CELL_TEXT, 0 },
};

void answer_family(struct output *out, struct lk_span body)
{
	int64_t episode = 0;

	label_print(out, "Family");
	if (member_is_true(body, "mutual"))
		piece_print(out, "served by both agencies since ", body, "since", CELL_TIME);
	else
		output_word(out, "not served by both agencies");
	(void)lk_as_int(lk_get(body, "episode"), &episode);
	if (episode > 0)
		piece_print(out, "; episode ", body, "episode", CELL_NUMBER);
	output_word(out, "\n");
	cases_print(out, lk_get(body, "cases"));
	GRID(out, "Consents", lk_get(body, "consents"), consent_columns, NULL);
	GRID(out, "Plans", lk_get(body, "plans"), plan_columns, NULL);
	GRID(out, "Services that run", lk_get(body, "services"), service_columns, "running");
	GRID(out, "Concerns", lk_get(body, "concerns"), concern_columns, NULL);
	GRID(out, "Referrals", lk_get(body, "referrals"), referral_columns, NULL);
	GRID(out, "Meetings", lk_get(body, "meetings"), meeting_columns, NULL);
	GRID(out, "What stands", lk_get(body, "notices"), standing_columns, "standing");
	GRID(out, "What comes next, if nothing else happens", lk_get(body, "coming"),
	     coming_columns, NULL);
	GRID(out, "Events that wait for their time", lk_get(body, "ahead"), ahead_columns, NULL);
}

/* ---- why --------------------------------------------------------------------------------------------------------------- */

static const struct column event_columns[] = {
	{ "event", "event", CELL_TEXT, 0 },
	{ "type", "type", CELL_TEXT, 0 },
	{ "agency", "of", CELL_TEXT, 0 },
	{ "case", "case", CELL_TEXT, 0 },
	{ "time", "when", CELL_TIME, 0 },
	{ "received", "received", CELL_TIME, 0 },
	{ "shown", "named to the worker", CELL_FLAG, 0 },
};
static const struct column value_columns[] = {
	{ "key", "key", CELL_TEXT, 0 },
	{ "value", "value", CELL_TEXT, 0 },
	{ "cites", "basis", CELL_TEXT, 0 },
};
static const struct column ledger_columns[] = {
	{ "rev", "rev", CELL_NUMBER, 0 },   { "at", "when", CELL_TIME, 0 },
	{ "level", "level", CELL_TEXT, 0 }, { "session", "session", CELL_TEXT, 0 },
	{ "basis", "basis", CELL_TEXT, 0 },
};
static const struct column telling_columns[] = {
	{ "rev", "rev", CELL_NUMBER, 0 },   { "at", "when", CELL_TIME, 0 },
	{ "state", "state", CELL_TEXT, 0 }, { "reason", "reason", CELL_TEXT, 0 },
	{ "level", "level", CELL_TEXT, 0 }, { "seq", "place in the mailbox", CELL_NUMBER, 0 },
};

static void told_print(struct output *out, struct lk_span body)
{
	struct lk_span notice = lk_get(body, "notice");

	label_print(out, "Notice");
	output_text(out, member_text(notice, "id"));
	output_word(out, "\n");
	output_pad(out, GRID_LABEL);
	phrase_print(out, notice);
	piece_print(out, "; due ", notice, "due", CELL_TEXT);
	output_word(out, "\n");
	label_print(out, "Told to");
	output_text(out, member_text(notice, "to"));
	piece_print(out, ", by the place ", body, "place", CELL_TEXT);
	piece_print(out, ", case ", notice, "case", CELL_TEXT);
	piece_print(out, ", other side's case ", notice, "other", CELL_TEXT);
	piece_say(out, member_is_true(body, "follows") ? LK_TEXT("; it follows now")
						       : LK_TEXT("; it does not follow any more"));
	output_word(out, "\n");
}

static void rule_print(struct output *out, struct lk_span rule)
{
	label_print(out, "Rule");
	output_text(out, member_text(rule, "rule"));
	piece_print(out, " (", rule, "class", CELL_TEXT);
	piece_print(out, ", ", rule, "urgency", CELL_TEXT);
	output_word(out, member_is_true(rule, "enabled") ? "): " : ", switched off): ");
	piece_say(out, member_text(rule, "cites"));
	output_word(out, "\n");
	output_pad(out, GRID_LABEL);
	piece_print(out, "goes to ", rule, "to", CELL_LIST);
	piece_print(out, "; at most ", rule, "level", CELL_TEXT);
	piece_print(out, " of topic ", rule, "topic", CELL_TEXT);
	if (member_is_true(rule, "blind"))
		piece_say(out, LK_TEXT("; blind without consent"));
	output_word(out, "\n");
}

static void disclosure_print(struct output *out, struct lk_span disclosure)
{
	label_print(out, "Disclosure");
	piece_print(out, "told at level ", disclosure, "level", CELL_TEXT);
	piece_print(out, ", topic ", disclosure, "topic", CELL_TEXT);
	if (member_is_true(disclosure, "may_be_seen"))
		piece_say(out, LK_TEXT("; may be seen now"));
	else
		piece_print(out, "; may not be seen now: ", disclosure, "held_by", CELL_TEXT);
	piece_print(out, ", on the basis of ", disclosure, "basis", CELL_TEXT);
	output_word(out, "\n");
}

void answer_why(struct output *out, struct lk_span body)
{
	told_print(out, body);
	rule_print(out, lk_get(body, "rule"));
	disclosure_print(out, lk_get(body, "disclosure"));
	label_print(out, "Answered");
	if (lk_text_given(member_text(body, "answered.by"))) {
		output_text(out, member_text(body, "answered.by"));
		piece_print(out, ", ", body, "answered.at", CELL_TIME);
	} else {
		output_word(out, "no");
	}
	output_word(out, "\n");
	GRID(out, "Events behind it", lk_get(body, "events"), event_columns, NULL);
	GRID(out, "Values of the policy that counted", lk_get(body, "policy"), value_columns, NULL);
	GRID(out, "Tellings", lk_get(body, "tellings"), telling_columns, NULL);
	GRID(out, "Disclosure ledger", lk_get_path(body, "disclosure.ledger"), ledger_columns,
	     NULL);
}

/* ---- why-not ------------------------------------------------------------------------------------------------------------ */

static void places_print(struct output *out, struct lk_span places)
{
	struct lk_bytes list = { 0 };
	struct lk_span key, place;
	size_t cursor = 0;

	while (lk_next(places, &cursor, &key, &place)) {
		line_add(&list, list.len > 0 ? LK_TEXT(", ") : LK_TEXT(" ("));
		line_add(&list, member_text(place, "place"));
		line_add(&list, LK_TEXT(": "));
		line_add(&list, member_text(place, "worker"));
	}
	if (list.len > 0)
		line_add(&list, LK_TEXT(")"));
	piece_say(out, line_text(&list));
	lk_bytes_free(&list);
}

static void held_print(struct output *out, struct lk_span row)
{
	struct lk_text rule = member_text(row, "rule");

	output_pad(out, GRID_INDENT);
	output_text(out, lk_text_given(rule) ? rule : LK_TEXT("the event"));
	output_pad(out, GRID_INDENT + 24);
	output_text(out, member_text(row, "held_by"));
	output_pad(out, GRID_INDENT + 40);
	piece_say(out, member_text(row, "says"));
	piece_print(out, "; as ", row, "place", CELL_TEXT);
	piece_print(out, "; held by ", row, "holder", CELL_TEXT);
	piece_print(out, "; ", row, "at", CELL_TIME);
	piece_print(out, "; notice ", row, "notice", CELL_ID);
	piece_print(out, "; by ", row, "by", CELL_TEXT);
	places_print(out, lk_get(row, "places"));
	output_word(out, "\n");
}

static void holds_print(struct output *out, struct lk_span holds)
{
	struct lk_span key, role;
	size_t cursor = 0;

	while (lk_next(holds, &cursor, &key, &role)) {
		output_word(out, ", ");
		output_text(out, member_text(role, "role"));
		piece_print(out, " of ", role, "agency", CELL_TEXT);
		piece_print(out, " ", role, "case", CELL_TEXT);
	}
	if (lk_count(holds) <= 0)
		output_word(out, ", no place in this family");
}

#define NOT_SO "not_so"

/* Rules of whom there is nothing more to say, on one line. */
static void others_print(struct output *out, struct lk_span rules)
{
	struct lk_bytes list = { 0 };
	struct lk_span key, row;
	size_t cursor = 0;

	while (lk_next(rules, &cursor, &key, &row)) {
		if (!lk_text_says(member_text(row, "held_by"), NOT_SO))
			continue;
		line_add(&list, list.len > 0 ? LK_TEXT(", ")
					     : LK_TEXT("Nothing follows from it now for: "));
		line_add(&list, member_text(row, "rule"));
	}
	output_word(out, list.len > 0 ? "\n" : "");
	output_wrapped(out, line_text(&list), GRID_INDENT);
	output_word(out, list.len > 0 ? "\n" : "");
	lk_bytes_free(&list);
}

void answer_why_not(struct output *out, struct lk_span body)
{
	struct lk_span key, row;
	size_t cursor = 0;
	bool held = false;

	label_print(out, "Event");
	output_text(out, member_text(body, "event.event"));
	piece_print(out, ", ", body, "event.type", CELL_TEXT);
	piece_print(out, " of ", body, "event.agency", CELL_TEXT);
	piece_print(out, " ", body, "event.case", CELL_TEXT);
	piece_print(out, ", ", body, "event.time", CELL_TIME);
	piece_print(out, ", received ", body, "event.received", CELL_TIME);
	output_word(out, "\n");
	label_print(out, "Worker");
	output_text(out, member_text(body, "worker"));
	holds_print(out, lk_get(body, "holds"));
	output_word(out, "\n");
	heading_print(out, "What held it back");
	while (lk_next(lk_get(body, "rules"), &cursor, &key, &row)) {
		if (lk_text_says(member_text(row, "held_by"), NOT_SO))
			continue;
		held_print(out, row);
		held = true;
	}
	if (lk_count(lk_get(body, "rules")) <= 0)
		output_word(out, "  no rule speaks of such an event\n");
	else if (!held)
		output_word(out, "  nothing: it says nothing now that this worker would be told\n");
	others_print(out, lk_get(body, "rules"));
}
