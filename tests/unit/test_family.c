/* test_family.c - what family.h promises: one row and back, equal histories give equal bytes, a row
 * of another layout is refused. */
#include "story.h"

static void live(struct story *s)
{
	two_cases(s, "ifs", "active");
	with_consent(s);
	said(s, "2026-03-03T09:00:00-08:00", "C-1", "meeting.scheduled",
	     "{'meeting':'m1','kind':'pltm','start':'2026-03-06T10:00:00-08:00',"
	     "'end':'2026-03-06T11:00:00-08:00','required':['garcia','jones']}");
	said(s, "2026-03-04T09:00:00-08:00", "W-1", "service.started",
	     "{'service':'s1','category':'housing'}");
}

static struct lk_bytes packed(const struct family *f)
{
	struct lk_bytes row = { 0 };

	family_pack(f, &row);
	assert_false(row.failed);
	return row;
}

static void a_row_gives_the_family_again(void **state)
{
	struct story s;
	struct family back;
	struct lk_error err;

	(void)state;
	live(&s);
	struct lk_bytes row = packed(&s.f);
	assert_int_equal(family_unpack(row.at, row.len, &back, &err), 0);
	struct lk_bytes again = packed(&back);
	assert_int_equal(row.len, again.len);
	assert_memory_equal(row.at, again.at, row.len);
	assert_int_equal(back.cases_n, 2);
	assert_true(family_says(&back, back.cases[0].number, LK_TEXT("C-1")));
	family_free(&back);
	lk_bytes_free(&row);
	lk_bytes_free(&again);
	story_end(&s);
}

static void assert_same(const struct lk_bytes *a, const struct lk_bytes *b)
{
	assert_int_equal(a->len, b->len);
	assert_memory_equal(a->at, b->at, a->len);
}

static void milestone_on(struct story *s, int day)
{
	char at[48];

	snprintf(at, sizeof(at), "2026-03-%dT09:00:00-08:00", day);
	said(s, at, day % 2 != 0 ? "C-1" : "W-1", "milestone.reached",
	     "{'milestone':'training_completed'}");
}

/* Also where the family comes from its row each time: packed is onto the row that it came from. */
static void a_row_packed_onto_the_last_one_is_the_whole_row(void **state)
{
	struct story s;
	struct lk_bytes last = { 0 };
	struct lk_error err;

	(void)state;
	live(&s);
	for (int day = 10; day < 28; day++) {
		struct lk_bytes next = { 0 }, whole;

		milestone_on(&s, day);
		whole = packed(&s.f);
		family_pack_on(&s.f, last.at, last.len, &next);
		assert_same(&next, &whole);
		lk_bytes_free(&last);
		lk_bytes_free(&whole);
		last = next;
		if (day % 3 == 0) {
			family_free(&s.f);
			assert_int_equal(family_unpack(last.at, last.len, &s.f, &err), 0);
		}
	}
	lk_bytes_free(&last);
	story_end(&s);
}

/* One whose moments are away half of the time, and one that keeps them, are packed alike and are the same in the end. */
static void what_is_left_to_the_row_is_fetched_from_it(void **state)
{
	struct story s, whole;
	struct lk_bytes row = { 0 }, other;
	struct lk_error err;
	uint32_t most = 0;

	(void)state;
	live(&s);
	live(&whole);
	for (int day = 10; day < 28; day++) {
		struct lk_bytes next = { 0 };

		milestone_on(&s, day);
		milestone_on(&whole, day);
		family_pack_on(&s.f, row.at, row.len, &next);
		other = packed(&whole.f);
		assert_same(&next, &other);
		lk_bytes_free(&other);
		lk_bytes_free(&row);
		row = next;
		most = s.f.moments_away > most ? s.f.moments_away : most;
		if (day % 5 == 0)
			assert_int_equal(family_fetch(&s.f, row.at, row.len, &err), 0);
		else
			family_leave(&s.f, (uint32_t)day);
	}
	assert_true(most > 10 && s.f.moments_away > 10);
	assert_int_equal(family_fetch(&s.f, row.at, 40, &err), LK_EWIRE);
	assert_int_equal(family_fetch(&s.f, row.at, row.len, &err), 0);
	assert_int_equal(s.f.moments_n, whole.f.moments_n);
	assert_memory_equal(s.f.moments, whole.f.moments,
			    whole.f.moments_n * sizeof(*whole.f.moments));
	lk_bytes_free(&row);
	story_end(&s);
	story_end(&whole);
}

static void an_unpacked_family_goes_on_as_the_one_that_stayed(void **state)
{
	struct story s, other;
	struct lk_error err;

	(void)state;
	live(&s);
	other = s;
	struct lk_bytes row = packed(&s.f);
	assert_int_equal(family_unpack(row.at, row.len, &other.f, &err), 0);
	said(&s, "2026-03-05T09:00:00-08:00", "C-1", "case.closed", "{}");
	said(&other, "2026-03-05T09:00:00-08:00", "C-1", "case.closed", "{}");
	struct lk_bytes a = packed(&s.f), b = packed(&other.f);
	assert_int_equal(a.len, b.len);
	assert_memory_equal(a.at, b.at, a.len);
	lk_bytes_free(&row);
	lk_bytes_free(&a);
	lk_bytes_free(&b);
	family_free(&other.f);
	story_end(&s);
}

static void equal_histories_give_equal_bytes(void **state)
{
	struct story a, b;

	(void)state;
	live(&a);
	live(&b);
	struct lk_bytes x = packed(&a.f), y = packed(&b.f);
	assert_int_equal(x.len, y.len);
	assert_memory_equal(x.at, y.at, x.len);
	lk_bytes_free(&x);
	lk_bytes_free(&y);
	story_end(&a);
	story_end(&b);
}

/* Of any length that is not the whole, and of a head that says something else. */
static void a_row_of_another_layout_is_refused(void **state)
{
	struct story s;
	struct family back;
	struct lk_error err;

	(void)state;
	live(&s);
	struct lk_bytes row = packed(&s.f);
	for (size_t len = 0; len < row.len; len += 1 + len / 16)
		assert_int_equal(family_unpack(row.at, len, &back, &err), LK_EWIRE);
	lk_bytes_add(&row, "x", 1);
	assert_int_equal(family_unpack(row.at, row.len, &back, &err), LK_EWIRE);
	row.len--;
	row.at[0] ^= 1;
	assert_int_equal(family_unpack(row.at, row.len, &back, &err), LK_EWIRE);
	assert_int_equal(back.cases_n, 0);
	lk_bytes_free(&row);
	story_end(&s);
}

static void an_empty_family_packs_too(void **state)
{
	struct family f, back;
	struct lk_error err;

	(void)state;
	family_init(&f);
	struct lk_bytes row = packed(&f);
	assert_int_equal(family_unpack(row.at, row.len, &back, &err), 0);
	assert_int_equal(back.folded_at, LK_NO_INSTANT);
	lk_bytes_free(&row);
	family_free(&back);
	family_free(&f);
	family_free(NULL);
}

static void a_case_is_found_by_agency_and_number(void **state)
{
	struct story s;

	(void)state;
	live(&s);
	assert_int_equal(family_case(&s.f, LK_CWS, LK_TEXT("C-1")), 0);
	assert_int_equal(family_case(&s.f, LK_CALWORKS, LK_TEXT("W-1")), 1);
	assert_int_equal(family_case(&s.f, LK_CALWORKS, LK_TEXT("C-1")), NONE);
	assert_int_equal(family_case(&s.f, LK_CWS, LK_TEXT("C")), NONE);
	story_end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_row_gives_the_family_again),
		cmocka_unit_test(an_unpacked_family_goes_on_as_the_one_that_stayed),
		cmocka_unit_test(equal_histories_give_equal_bytes),
		cmocka_unit_test(a_row_of_another_layout_is_refused),
		cmocka_unit_test(a_row_packed_onto_the_last_one_is_the_whole_row),
		cmocka_unit_test(what_is_left_to_the_row_is_fetched_from_it),
		cmocka_unit_test(an_empty_family_packs_too),
		cmocka_unit_test(a_case_is_found_by_agency_and_number),
	};

	return cmocka_run_group_tests(tests, story_policies, NULL);
}
