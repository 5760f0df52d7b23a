/* SPDX-License-Identifier: Apache-2.0 */
/* test_loader_marks.c: of which files somebody may be writing of whom no record tells. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "loader_marks.h"
#include "plumb/event.h"

static void a_mark_is_late_where_nobody_was_told_of(void **state)
{
	const uint32_t file = PLUMB_MARK_FILE, dir = PLUMB_MARK_DIR | PLUMB_MARK_TREE;

	(void)state;
	assert_true(loader_marks_are_late(0, file));
	assert_true(loader_marks_are_late(PLUMB_MARK_GUARD, file));
	/* The kernel's programs marked it before it could be opened. */
	assert_false(loader_marks_are_late(file, file));
	assert_false(loader_marks_are_late(file | PLUMB_MARK_GUARD, file));
	/* They marked it when it was open, or lost the record of an open. */
	assert_true(loader_marks_are_late(file | PLUMB_MARK_WRITTEN, file));
	/* A directory is not written to, and the guard looks for nobody. */
	assert_false(loader_marks_are_late(0, dir));
	assert_false(loader_marks_are_late(0, PLUMB_MARK_GUARD));
	assert_false(loader_marks_are_late(file | PLUMB_MARK_WRITTEN, PLUMB_MARK_GUARD));
}

/* Asked for once: the agent's own mark takes the bit away, and the guard's does not. */
static void it_is_a_mark_of_the_watch(void **state)
{
	(void)state;
	assert_int_equal(PLUMB_MARK_WRITTEN & ~PLUMB_MARK_WATCHED, 0);
	assert_int_equal(PLUMB_MARK_WRITTEN & (PLUMB_MARK_FILE | PLUMB_MARK_DIR | PLUMB_MARK_TREE |
					       PLUMB_MARK_ANCESTOR | PLUMB_MARK_NAMES),
			 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_mark_is_late_where_nobody_was_told_of),
		cmocka_unit_test(it_is_a_mark_of_the_watch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
