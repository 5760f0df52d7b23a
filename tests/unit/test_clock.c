/* SPDX-License-Identifier: Apache-2.0 */
/* Times as text and back, exactly one spelling each; a clock that a test hands in. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "clock.h"

#define NS 1000000000ull

static uint64_t fixed_utc(void *ctx)
{
	return *(const uint64_t *)ctx;
}

static uint64_t fixed_boot(void *ctx)
{
	return *(const uint64_t *)ctx + 1;
}

static void test_door(void **state)
{
	uint64_t now = 42;
	const struct clock c = {fixed_utc, fixed_boot, &now};

	(void)state;
	assert_true(clock_utc_ns(&c) == 42);
	assert_true(clock_boot_ns(&c) == 43);
	now = 50;
	assert_true(clock_utc_ns(&c) == 50);
}

static void test_system(void **state)
{
	const struct clock *c = clock_system();
	uint64_t first = clock_boot_ns(c);

	(void)state;
	/* After 2020, and boot time is no calendar time. */
	assert_true(clock_utc_ns(c) > 1577836800 * NS);
	assert_true(first > 0 && first < clock_utc_ns(c));
	assert_true(clock_boot_ns(c) >= first);
}

static void test_both_ways(void **state)
{
	static const struct {
		uint64_t ns;
		const char *text;
	} known[] = {
		{0, "1970-01-01T00:00:00.000000000Z"},
		{1, "1970-01-01T00:00:00.000000001Z"},
		{951782400 * NS + 999999999, "2000-02-29T00:00:00.999999999Z"},
		{1700000000123456789ull, "2023-11-14T22:13:20.123456789Z"},
		{1798761599 * NS, "2026-12-31T23:59:59.000000000Z"},
		{4107542400 * NS, "2100-03-01T00:00:00.000000000Z"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		char text[CLOCK_TEXT_SIZE];
		uint64_t ns = 7;

		clock_text(known[i].ns, text);
		assert_string_equal(text, known[i].text);
		assert_int_equal(clock_from_text(text, &ns), 0);
		assert_true(ns == known[i].ns);
	}
}

/* Two days before and after each first of a month, to the end of what 64 bits of nanoseconds hold, as the C library has it. */
static void test_calendar(void **state)
{
	(void)state;
	for (int month = 2; month < (2554 - 1970) * 12; month++) {
		struct tm first = {.tm_year = 70 + month / 12, .tm_mon = month % 12, .tm_mday = 1};
		time_t s = timegm(&first);

		for (time_t at = s - 2 * 86400; at <= s + 2 * 86400; at += 86399) {
			char text[CLOCK_TEXT_SIZE], expected[CLOCK_TEXT_SIZE];
			struct tm tm;

			gmtime_r(&at, &tm);
			strftime(expected, sizeof(expected), "%Y-%m-%dT%H:%M:%S.000000007Z", &tm);
			clock_text((uint64_t)at * NS + 7, text);
			assert_string_equal(text, expected);
		}
	}
}

static void test_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"Z",
		"2026-11-24T00:00:00Z",
		"2026-11-24T00:00:00.12345678Z",
		"2026-11-24T00:00:00.1234567890Z",
		"2026-11-24T00:00:00.123456789",
		"2026-11-24T00:00:00.123456789z",
		"2026-11-24t00:00:00.123456789Z",
		"2026-11-24 00:00:00.123456789Z",
		"2026-11-24T00:00:00,123456789Z",
		"2026-11-24T00:00:00.12345678 Z",
		" 026-11-24T00:00:00.123456789Z",
		"+026-11-24T00:00:00.123456789Z",
		"2026-11-24T24:00:00.000000000Z",
		"2026-11-24T00:60:00.000000000Z",
		"2026-11-24T00:00:60.000000000Z",
		"2026-13-01T00:00:00.000000000Z",
		"2026-00-01T00:00:00.000000000Z",
		"2026-02-30T00:00:00.000000000Z",
		"2100-02-29T00:00:00.000000000Z",
		"2026-11-00T00:00:00.000000000Z",
		"1969-12-31T23:59:59.999999999Z",
		"9999-12-31T23:59:59.999999999Z",
	};
	uint64_t ns = 7;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(clock_from_text(bad[i], &ns), -EBADMSG);
	assert_true(ns == 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_door),	  cmocka_unit_test(test_system),
		cmocka_unit_test(test_both_ways), cmocka_unit_test(test_calendar),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
