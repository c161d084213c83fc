/* test_squeeze.c - what is squeezed comes back; what is not is refused, or read within its bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store/squeeze.h"

static uint32_t dice_state;

static uint32_t dice(uint32_t sides)
{
	dice_state = dice_state * 1664525u + 1013904223u;
	return (dice_state >> 8) % sides;
}

/* Of their own, to their last byte, so that a look behind them is found. */
static uint8_t *own_copy(const void *bytes, size_t len)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);

	assert_non_null(copy);
	if (len > 0)
		memcpy(copy, bytes, len);
	return copy;
}

/* As rows are: pieces that were there before, pieces that are new, and zeroes. */
static size_t some_row(uint8_t *row, size_t most)
{
	size_t len = 0, until = dice((uint32_t)most);

	while (len < until) {
		size_t n = 1 + dice(dice(4) != 0 ? 12 : 300), back = 1 + dice((uint32_t)len + 1);
		uint32_t how = dice(3);

		for (; n > 0 && len < until; n--, len++)
			row[len] = how == 0                 ? 0
				   : how == 1 || back > len ? (uint8_t)dice(256)
							    : row[len - back];
	}
	return len;
}

static void comes_back(const uint8_t *row, size_t len)
{
	struct lk_bytes packed = { 0 }, back = { 0 };
	uint8_t *own = own_copy(row, len), *tight;

	lk_bytes_add(&back, "before", 6);
	squeeze(own, len, &packed);
	assert_false(packed.failed);
	assert_in_range(packed.len, 0, len + len / 128 + 16);
	tight = own_copy(packed.at, packed.len);
	assert_true(unsqueeze(tight, packed.len, len, &back));
	assert_int_equal(back.len, 6 + len);
	assert_true(len == 0 || memcmp(back.at + 6, row, len) == 0);
	if (len > 0)
		assert_false(unsqueeze(tight, packed.len, len - 1, &back));
	free(own);
	free(tight);
	lk_bytes_free(&packed);
	lk_bytes_free(&back);
}

static void rows_come_back(void **state)
{
	static uint8_t row[5000];

	(void)state;
	dice_state = 1;
	for (int round = 0; round < 4000; round++)
		comes_back(row, some_row(row, round % 8 != 0 ? 200 : sizeof(row)));
}

static void each_length_comes_back(void **state)
{
	static uint8_t row[700];

	(void)state;
	for (size_t len = 0; len <= sizeof(row); len++) {
		memset(row, 0, sizeof(row));
		comes_back(row, len);
		for (size_t i = 0; i < len; i++)
			row[i] = (uint8_t)(i * i * 31 >> 3);
		comes_back(row, len);
	}
}

static void records_like_each_other_take_little(void **state)
{
	struct lk_bytes records = { 0 }, packed = { 0 };

	(void)state;
	for (uint32_t i = 0; i < 100; i++) {
		uint32_t record[20] = { 7, i, 9, 0, 0, 0, i * 2654435761u, 1, 2, 3 };

		lk_bytes_add(&records, record, sizeof(record));
	}
	squeeze(records.at, records.len, &packed);
	assert_in_range(packed.len, 500, records.len / 5);
	lk_bytes_free(&records);
	lk_bytes_free(&packed);
}

/* Cut, and with a byte changed: refused, or as many bytes as it claims. */
static void what_is_damaged_is_read_within_its_bounds(void **state)
{
	static uint8_t row[400];
	int refused = 0;

	(void)state;
	dice_state = 2;
	for (int round = 0; round < 8000; round++) {
		struct lk_bytes packed = { 0 }, back = { 0 };
		size_t len = 8 + some_row(row, sizeof(row) - 8), cut;
		uint8_t *tight;

		squeeze(row, len, &packed);
		cut = packed.len - (round % 2 != 0 ? 1 + dice((uint32_t)packed.len - 1) : 0);
		tight = own_copy(packed.at, cut);
		tight[dice((uint32_t)cut)] ^= (uint8_t)(1u << dice(8));
		if (!unsqueeze(tight, cut, 1000, &back))
			refused++;
		assert_in_range(back.len, 0, 1000);
		free(tight);
		lk_bytes_free(&packed);
		lk_bytes_free(&back);
	}
	assert_in_range(refused, 3500, 7999);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_come_back),
		cmocka_unit_test(each_length_comes_back),
		cmocka_unit_test(records_like_each_other_take_little),
		cmocka_unit_test(what_is_damaged_is_read_within_its_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
