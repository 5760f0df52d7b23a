/* SPDX-License-Identifier: Apache-2.0 */
/* A line is seen when it is whole and its key is the one, in the segment that there was and in the next; what was before the tail is not. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "drill_watch.h"
#include "scratch.h"

static char dir[SCRATCH_SIZE];

static int setup(void **state)
{
	(void)state;
	scratch_open(dir, "watch");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	scratch_done(dir);
	return 0;
}

static void test_tail(void **state)
{
	struct drill_tail t;

	(void)state;
	assert_int_equal(drill_watch_tail(dir, &t), -ENOENT);
	scratch_run(dir, "echo '{\"key\":\"exec:/a\"}' >events-00000000000000000000.jsonl");
	assert_int_equal(drill_watch_tail(dir, &t), 0);
	assert_int_equal(drill_watch_line(&t, "exec:/a"), 0);
	scratch_run(dir, "printf '{\"key\":\"exec:/a\"}' >>events-00000000000000000000.jsonl");
	assert_int_equal(drill_watch_line(&t, "exec:/a"), 0);
	scratch_run(dir, "echo >>events-00000000000000000000.jsonl");
	assert_int_equal(drill_watch_line(&t, "exec:/a"), 1);
	assert_int_equal(drill_watch_line(&t, "exec:/a"), 0);
	scratch_run(dir, "echo '{\"key\":\"exec:/ab\"}' >>events-00000000000000000000.jsonl");
	assert_int_equal(drill_watch_line(&t, "exec:/a"), 0);
	/* It was closed, packed, and the next one began. */
	scratch_run(dir,
		    "mv events-00000000000000000000.jsonl events-00000000000000000000.jsonl.zst && "
		    "echo '{\"key\":\"file:/\\\"x\"}' >events-00000000000000000007.jsonl");
	assert_int_equal(drill_watch_line(&t, "exec:/a"), 0);
	scratch_run(dir, "echo '{\"key\":\"exec:/a\"}' >>events-00000000000000000007.jsonl");
	assert_int_equal(drill_watch_line(&t, "exec:/a"), 1);
	assert_int_equal(t.first, 7);
}

static void test_escaped(void **state)
{
	struct drill_tail t;

	(void)state;
	assert_int_equal(drill_watch_tail(dir, &t), 0);
	scratch_run(dir, "echo '{\"key\":\"file:/q\\\\\"x\"}' >>events-00000000000000000007.jsonl");
	assert_int_equal(drill_watch_line(&t, "file:/q\"x"), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tail),
		cmocka_unit_test(test_escaped),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
