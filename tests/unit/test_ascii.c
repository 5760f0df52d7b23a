/* SPDX-License-Identifier: Apache-2.0 */
/* As the C library writes numbers, at each number of digits; plain text is copied whole and nothing beyond it is touched. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "ascii.h"

static void check_number(uint64_t value)
{
	char expected[32], to[32];
	unsigned int n;

	memset(to, '#', sizeof(to));
	n = ascii_put_uint((uint8_t *)to, value);
	assert_int_equal(to[n], '#');
	to[n] = 0;
	snprintf(expected, sizeof(expected), "%" PRIu64, value);
	assert_string_equal(to, expected);
	assert_int_equal(ascii_n_digits(value), n);
}

static void test_numbers(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < 12345; i++)
		check_number(i);
	for (uint64_t power = 1, i = 0; i < ASCII_DIGITS; i++, power *= 10) {
		check_number(power - 1);
		check_number(power);
		check_number(power + 1);
	}
	for (unsigned int bit = 0; bit < 64; bit++) {
		check_number(1ull << bit);
		check_number((1ull << bit) - 1);
	}
	check_number(UINT64_MAX);
	for (uint32_t i = 0; i < 100; i++) {
		char expected[4];
		uint8_t two[3] = {0, 0, 0};

		snprintf(expected, sizeof(expected), "%02" PRIu32, i);
		ascii_put_two(two, i);
		assert_string_equal((char *)two, expected);
	}
}

static bool is_plain(unsigned char c)
{
	return c >= ' ' && c < 0x7f && c != '"' && c != '\\';
}

static void test_plain(void **state)
{
	char text[80];
	uint8_t to[96];

	(void)state;
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)('A' + i % 26);
	for (size_t size = 0; size < 70; size++) {
		memset(to, '#', sizeof(to));
		assert_true(ascii_copy_plain(to + 8, text, size));
		assert_memory_equal(to, "########", 8);
		assert_memory_equal(to + 8, text, size);
		assert_memory_equal(to + 8 + size, "########", 8);
		/* One character at each place is another. */
		for (size_t at = 0; at < size; at++)
			for (unsigned int c = 0; c < 256; c++) {
				char before = text[at];

				text[at] = (char)c;
				assert_int_equal(ascii_copy_plain(to, text, size),
						 is_plain((unsigned char)c));
				text[at] = before;
			}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_plain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
