/* SPDX-License-Identifier: Apache-2.0 */
/* test_counters_line.c: what a `counters` line says, with and without drops. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../userspace/agent/counters_line.h"

static void is(const struct counters_line *l, const char *expected)
{
	struct buf b = {0};

	assert_int_equal(counters_line_members(l, &b), 0);
	assert_string_equal((char *)b.data, expected);
	buf_done(&b);
}

static void without_drops(void **state)
{
	const struct plumb_counters c = {.attempts = 9, .submitted = 8};
	const struct counters_line l = {0x1f, 3, 7, 2, &c};

	(void)state;
	is(&l, "\"session\":\"000000000000001f\",\"on_cpu\":3,\"attempts\":9,\"submitted\":8,"
	       "\"dropped\":0,\"received\":7,\"exec_repeats\":2");
}

static void drops_by_kind(void **state)
{
	struct plumb_counters c = {.attempts = 90, .submitted = 80, .dropped = 10};
	const struct counters_line l = {1, 0, 80, 0, &c};

	(void)state;
	c.dropped_by_kind[0] = 4;
	c.dropped_by_kind[4] = 5;
	c.dropped_by_kind[PLUMB_DROPPED_KINDS - 1] = 1;
	is(&l, "\"session\":\"0000000000000001\",\"on_cpu\":0,\"attempts\":90,\"submitted\":80,"
	       "\"dropped\":10,\"dropped_by\":{\"exec\":4,\"file\":5,\"other\":1},\"received\":80,"
	       "\"exec_repeats\":0");
	for (int i = 0; i < PLUMB_DROPPED_KINDS; i++)
		c.dropped_by_kind[i] = (uint64_t)i + 1;
	is(&l, "\"session\":\"0000000000000001\",\"on_cpu\":0,\"attempts\":90,\"submitted\":80,"
	       "\"dropped\":10,\"dropped_by\":{\"exec\":1,\"fork\":2,\"exit\":3,\"module\":4,"
	       "\"file\":5,\"kernel\":6,\"guard\":7,\"other\":8},\"received\":80,"
	       "\"exec_repeats\":0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_drops),
		cmocka_unit_test(drops_by_kind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
