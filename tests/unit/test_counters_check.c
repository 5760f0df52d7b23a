/* SPDX-License-Identifier: Apache-2.0 */
/* Which counts of the kernel programs cannot be, and which can while programs run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "counters_check.h"

static const struct plumb_counters before = {.attempts = 100, .submitted = 90, .dropped = 10};

static const char *check(uint64_t attempts, uint64_t submitted, uint64_t dropped, uint64_t received)
{
	const struct plumb_counters now = {
		.attempts = attempts, .submitted = submitted, .dropped = dropped};

	return counters_check(&before, &now, received);
}

static void what_can_be(void **state)
{
	(void)state;
	assert_null(check(100, 90, 10, 90));
	assert_null(check(100, 90, 10, 50));
	assert_null(check(150, 135, 15, 135));
	/* Some are between their number and their record, at either reading. */
	assert_null(check(150, 130, 15, 130));
	assert_null(check(150, 136, 15, 90));
}

static void what_cannot(void **state)
{
	const struct plumb_counters ahead = {.attempts = 1000, .submitted = 90, .dropped = 10};
	const struct plumb_counters same = {.attempts = 1000, .submitted = 95, .dropped = 10};

	(void)state;
	assert_non_null(check(99, 90, 10, 80));
	assert_non_null(check(100, 89, 10, 80));
	assert_non_null(check(100, 90, 9, 80));
	assert_non_null(check(0, 0, 0, 0));
	assert_non_null(check(120, 110, 10, 121));
	assert_non_null(check(120, 110, 10, 111));
	assert_non_null(counters_check(&ahead, &same, 95));
	/* Drops that were added by hand are more than was attempted. */
	assert_non_null(counters_check(
		&(struct plumb_counters){.attempts = 100, .submitted = 90, .dropped = 50},
		&(struct plumb_counters){.attempts = 101, .submitted = 91, .dropped = 50}, 91));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(what_can_be),
					   cmocka_unit_test(what_cannot)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
