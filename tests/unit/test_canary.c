/* SPDX-License-Identifier: Apache-2.0 */
/* A canary is a process of its own, ends with what its deed says, and leaves nothing behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#include "canary.h"

static int tell_pid(void *arg)
{
	*(int *)arg = (int)getpid();
	return 7;
}

static void it_runs_and_ends(void **state)
{
	int seen = 0, result = -1, pid = canary_run(tell_pid, &seen, &result);

	(void)state;
	assert_true(pid > 0 && pid != (int)getpid());
	assert_int_equal(seen, pid);
	assert_int_equal(result, 7);
	assert_true(canary_run(NULL, NULL, NULL) > 0);
	assert_int_equal(canary_run(NULL, NULL, &result) > 0, 1);
	assert_int_equal(result, 0);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(it_runs_and_ends)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
