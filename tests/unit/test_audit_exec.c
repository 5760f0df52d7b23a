/* SPDX-License-Identifier: Apache-2.0 */
/* test_audit_exec.c: which audit events are execs, of records in every order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../userspace/agent/audit_exec.h"

#define SYSCALL 1300
#define PATH 1302
#define EXECVE 1309

static uint32_t take(struct audit_exec *a, uint16_t type, uint32_t serial, uint32_t pid)
{
	uint32_t got = 0;
	bool known = audit_exec_take(a, type, serial, pid, &got);

	assert_true(known == (got != 0));
	return got;
}

static void an_exec_has_both_records(void **state)
{
	struct audit_exec a = {0};

	(void)state;
	assert_int_equal(take(&a, SYSCALL, 7, 100), 0);
	assert_int_equal(take(&a, EXECVE, 7, 0), 100);
	/* A long command line; a path; the same once more. */
	assert_int_equal(take(&a, EXECVE, 7, 0), 0);
	assert_int_equal(take(&a, PATH, 7, 0), 0);
	assert_int_equal(take(&a, SYSCALL, 7, 100), 0);
	/* The other way round. */
	assert_int_equal(take(&a, EXECVE, 8, 0), 0);
	assert_int_equal(take(&a, SYSCALL, 8, 101), 101);
}

static void others_are_none(void **state)
{
	struct audit_exec a = {0};

	(void)state;
	/* Another call, an execve that failed, one that only asked. */
	assert_int_equal(take(&a, SYSCALL, 1, 100), 0);
	assert_int_equal(take(&a, PATH, 1, 100), 0);
	/* Whose it is was not said, or its number was taken by a newer event. */
	assert_int_equal(take(&a, SYSCALL, 2, 0), 0);
	assert_int_equal(take(&a, EXECVE, 2, 0), 0);
	assert_int_equal(take(&a, SYSCALL, 3, 100), 0);
	assert_int_equal(take(&a, EXECVE, 3 + AUDIT_EXEC_OPEN, 0), 0);
	assert_int_equal(take(&a, EXECVE, 3, 0), 0);
}

static void records_of_many_come_mixed(void **state)
{
	struct audit_exec a = {0};

	(void)state;
	for (uint32_t i = 0; i < 200; i++)
		assert_int_equal(take(&a, SYSCALL, UINT32_MAX - 100 + i, 1000 + i), 0);
	for (uint32_t i = 200; i-- > 0;)
		assert_int_equal(take(&a, EXECVE, UINT32_MAX - 100 + i, 0), 1000 + i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_exec_has_both_records),
		cmocka_unit_test(others_are_none),
		cmocka_unit_test(records_of_many_come_mixed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
