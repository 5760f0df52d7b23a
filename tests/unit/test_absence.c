/* SPDX-License-Identifier: Apache-2.0 */
/* Later each time, with a bound, a little apart from others, and short again after a good try. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "absence.h"

static uint64_t now_ns;

static uint64_t now(void *ctx)
{
	(void)ctx;
	return now_ns;
}

static const struct clock fake = {now, now, NULL};

static void test_waits(void **state)
{
	struct absence a = {.clock = &fake};
	uint64_t expected = ABSENCE_MIN_MS, apart = 0;

	(void)state;
	now_ns = 0;
	for (int i = 0; i < 20; i++) {
		assert_int_equal(absence_wait_ms(&a, 0), expected);
		expected = expected * 2 > ABSENCE_MAX_MS ? ABSENCE_MAX_MS : expected * 2;
	}
	assert_int_equal(absence_wait_ms(&a, 60000), 60000);
	assert_int_equal(absence_wait_ms(&a, 0), ABSENCE_MAX_MS);
	absence_reset(&a);
	for (int i = 0; i < 100; i++) {
		uint64_t ms;

		absence_reset(&a);
		now_ns = 12345678ull * (uint64_t)i;
		ms = absence_wait_ms(&a, 0);
		assert_in_range(ms, ABSENCE_MIN_MS, ABSENCE_MIN_MS * 5 / 4);
		apart += ms != ABSENCE_MIN_MS;
	}
	assert_true(apart > 50);
}

static void test_away(void **state)
{
	struct absence a = {.clock = &fake};
	const struct why why = {"a reason"};

	(void)state;
	now_ns = 5000000000ull;
	absence_tell(&a, -ECONNREFUSED, &why);
	assert_true(a.away);
	absence_tell(&a, -EKEYREJECTED, &why);
	assert_int_equal(a.error, -EKEYREJECTED);
	absence_back(&a, 7);
	assert_false(a.away);
}

/* From the first failure on, whatever is answered between two of them, until evidence is accepted. */
static void test_long(void **state)
{
	struct absence a = {.clock = &fake};
	const struct why why = {"a reason"};

	(void)state;
	now_ns = 5000000000ull;
	assert_false(absence_is_long(&a));
	absence_tell(&a, -ECONNREFUSED, &why);
	absence_wait_ms(&a, 0);
	now_ns += ABSENCE_LONG_MS * 1000000ull;
	assert_false(absence_is_long(&a));
	now_ns++;
	assert_true(absence_is_long(&a));
	absence_wait_ms(&a, 0);
	assert_true(absence_is_long(&a));
	absence_back(&a, 7);
	absence_reset(&a);
	assert_true(absence_is_long(&a));
	absence_taken(&a);
	assert_false(absence_is_long(&a));
	assert_int_equal(absence_wait_ms(&a, 0) / 100, ABSENCE_MIN_MS / 100);
	assert_false(absence_is_long(&a));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_waits),
		cmocka_unit_test(test_away),
		cmocka_unit_test(test_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
