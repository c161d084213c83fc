/* codes.c - the words of every code list, and back.
 *
 * In: a number or a word. Out: the other. Promise: made from the lists in the public headers alone,
 * so that no code can be missing here; the numbers that lie in packed rows on disk are pinned
 * below.
 */
#include <linkages/event.h>
#include <linkages/notice.h>

#include <assert.h>
#include <string.h>

static const char *word_at(const struct lk_text *words, int count, int code)
{
	return code >= 0 && code < count ? words[code].at : NULL;
}

static int code_of(const struct lk_text *words, int count, struct lk_text word)
{
	if (word.at == NULL)
		return LK_NO_CODE;
	for (int code = 0; code < count; code++) {
		if (words[code].len == word.len && memcmp(words[code].at, word.at, word.len) == 0)
			return code;
	}
	return LK_NO_CODE;
}

#define WORD(name, word) { word, sizeof(word) - 1 },
#define DEFINE_CODES(tag, list) \
	static const struct lk_text tag##_words[] = { list(WORD) }; \
	const char *lk_##tag##_word(int code) \
	{ \
		return word_at(tag##_words, lk_##tag##_count, code); \
	} \
	int lk_##tag##_code(struct lk_text word) \
	{ \
		return code_of(tag##_words, lk_##tag##_count, word); \
	}

LK_CODE_LISTS(DEFINE_CODES)
LK_NOTICE_CODE_LISTS(DEFINE_CODES)
DEFINE_CODES(refusal, LK_REFUSALS)

#define EVENT_WORD(name, tag, word) WORD(name, word)
#define EVENT_TYPE_WORDS(C) LK_EVENT_TYPES(EVENT_WORD)
DEFINE_CODES(event_type, EVENT_TYPE_WORDS)

bool lk_role_fits(enum lk_role role, enum lk_agency agency)
{
	static const bool fits[lk_role_count][lk_agency_count] = {
		[LK_SOCIAL_WORKER] = { [LK_CWS] = true },
		[LK_AIS_WORKER] = { [LK_CALWORKS] = true },
		[LK_EMPLOYMENT_SPECIALIST] = { [LK_CALWORKS] = true },
		[LK_ELIGIBILITY_WORKER] = { [LK_CALWORKS] = true },
		[LK_SUPERVISOR] = { [LK_CWS] = true, [LK_CALWORKS] = true },
		[LK_CLERK] = { [LK_CWS] = true, [LK_CALWORKS] = true },
	};

	return role < lk_role_count && agency < lk_agency_count && fits[role][agency];
}

/* What packed rows on disk mean: the last code of each list, and of its first release. A list
 * may grow behind these; a code that moves stops the build. */
static_assert(LK_CWS == 0 && LK_CALWORKS == 1, "agencies are on disk");
static_assert(LK_REFERRAL == 0 && LK_ST == 6 && LK_APPLIED == 7 && LK_REUNIFICATION == 14,
	      "statuses are on disk");
static_assert(LK_SOCIAL_WORKER == 0 && LK_SUPERVISOR == 4 && LK_CLERK == 5, "roles are on disk");
static_assert(LK_TOPIC_STATUS == 0 && LK_TOPIC_REFERRAL == 5, "topics are on disk");
static_assert(LK_PLTM == 0 && LK_APPOINTMENT == 8, "kinds of meetings are on disk");
static_assert(LK_IFS_AGREEMENT == 0 && LK_LCCP == 3, "kinds of plans are on disk");
static_assert(LK_SUBSTANCE_USE == 0 && LK_OTHER_SERVICE == 14, "categories are on disk");
static_assert(LK_PARENT == 0 && LK_OTHER_MEMBER == 3, "roles of members are on disk");
static_assert(LK_CIN == 0 && LK_NAME_DOB == 2, "kinds of keys are on disk");
static_assert(LK_COMPLETED == 0 && LK_NOT_STARTED == 2, "outcomes are on disk");
static_assert(LK_FACE_TO_FACE == 0 && LK_WRITTEN == 2, "kinds of contacts are on disk");
static_assert(LK_NOT_MEETING_REQUIREMENTS == 0 && LK_OTHER_CONCERN == 4,
	      "kinds of concerns are on disk");
static_assert(LK_RECEIVED == 0 && LK_REFERRAL_COMPLETED == 3, "statuses of referrals are on disk");
static_assert(LK_CASE_OPENED == 0 && LK_MEETING_SCHEDULED == 18 && LK_EVENT_RETRACTED == 32,
	      "types are on disk");
static_assert(LK_CROSSOVER_FOUND == 0 && LK_MEETING_NEEDED == 16 && LK_FEED_SILENT == 28,
	      "notices are on disk");
static_assert(LK_NEW == 0 && LK_WITHDRAWN == 2 && LK_ROUTINE == 0 && LK_URGENT == 2,
	      "states are on disk");
static_assert(LK_OWN == 0 && LK_CONTENT == 3 && LK_OVER == 0 && LK_UNLINKED == 4,
	      "levels are on disk");
static_assert(LK_NOT_MEETING == 0 && LK_NO_FAMILY == 8, "reasons are bits in packed rows");
static_assert(LK_MALFORMED == 0 && LK_TOO_LARGE == 8, "refusals are on disk");
