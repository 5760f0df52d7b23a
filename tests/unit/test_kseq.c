/* SPDX-License-Identifier: Apache-2.0 */
/* test_kseq.c: numbers in order, swapped, missing, twice, and more holes than are kept. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../userspace/agent/kseq.h"

static bool see(struct kseq *k, uint64_t number)
{
	bool hole;

	return kseq_see(k, number, &hole);
}

static uint64_t after_ticks(struct kseq *k)
{
	for (int i = 0; i < KSEQ_TICKS; i++)
		kseq_tick(k);
	return kseq_lost(k);
}

static void in_order_nothing_is_missing(void **state)
{
	struct kseq k = {0};
	bool hole;

	(void)state;
	for (uint64_t n = 1; n < 100; n++) {
		assert_true(kseq_see(&k, n, &hole));
		assert_false(hole);
	}
	assert_int_equal(after_ticks(&k), 0);
}

static void swapped_neighbours_are_not_lost(void **state)
{
	struct kseq k = {0};
	bool hole;

	(void)state;
	assert_true(see(&k, 1));
	assert_true(kseq_see(&k, 4, &hole));
	assert_true(hole);
	kseq_tick(&k);
	assert_true(see(&k, 3));
	assert_true(see(&k, 2));
	assert_int_equal(after_ticks(&k), 0);
}

static void what_does_not_come_is_lost_once(void **state)
{
	struct kseq k = {0};

	(void)state;
	assert_true(see(&k, 3)); /* 1 and 2 */
	assert_true(see(&k, 10)); /* 4 to 9 */
	assert_int_equal(kseq_lost(&k), 0); /* not yet */
	assert_true(see(&k, 6)); /* splits the second hole */
	assert_int_equal(after_ticks(&k), 2 + 2 + 3);
	assert_int_equal(after_ticks(&k), 0);
	/* Too late: it was told as lost, and counts as a repeat. */
	assert_false(see(&k, 5));
}

static void a_repeat_is_told(void **state)
{
	struct kseq k = {0};

	(void)state;
	assert_false(see(&k, 0)); /* numbers begin at 1 */
	assert_true(see(&k, 1));
	assert_false(see(&k, 1));
	assert_true(see(&k, 5));
	assert_true(see(&k, 3));
	assert_false(see(&k, 3));
}

static void ends_of_a_hole_come(void **state)
{
	struct kseq k = {0};

	(void)state;
	assert_true(see(&k, 6)); /* 1 to 5 */
	assert_true(see(&k, 1));
	assert_true(see(&k, 5));
	assert_int_equal(after_ticks(&k), 3);
}

static void more_holes_than_are_kept(void **state)
{
	struct kseq k = {0};
	uint64_t n = 2;

	(void)state;
	for (; n <= 2 * (KSEQ_MAX_HOLES + 3); n += 2)
		assert_true(see(&k, n));
	assert_int_equal(kseq_lost(&k), 3); /* the oldest, at once */
	/* A number in the middle of a wide hole, when there is no room for its two halves. */
	assert_true(see(&k, n + 10));
	assert_int_equal(kseq_lost(&k), 1);
	assert_true(see(&k, n + 5));
	assert_int_equal(kseq_lost(&k), 1);
	assert_int_equal(after_ticks(&k), KSEQ_MAX_HOLES - 2 + 10);
	/* The largest number that there is. */
	assert_true(see(&k, UINT64_MAX));
	assert_false(see(&k, UINT64_MAX));
	assert_true(after_ticks(&k) > UINT64_MAX / 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_order_nothing_is_missing),
		cmocka_unit_test(swapped_neighbours_are_not_lost),
		cmocka_unit_test(what_does_not_come_is_lost_once),
		cmocka_unit_test(a_repeat_is_told),
		cmocka_unit_test(ends_of_a_hole_come),
		cmocka_unit_test(more_holes_than_are_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
