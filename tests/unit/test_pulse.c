/* SPDX-License-Identifier: Apache-2.0 */
/* When a loop counts as held up, by what, and when not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>

#include "pulse.h"

#define S 1000000000ull

static const struct pulse fresh = {.tick_ns = S, .limit_ns = 3 * S, .busy_ns = 10 * S};

/* One reading at 100 s, the next so much later. */
static bool beat(uint64_t boot, uint64_t mono, uint64_t cpu, uint64_t wait, bool continued,
		 struct pulse_hold *ret)
{
	const struct pulse_reading first = {100 * S, 90 * S, 5 * S, 7 * S, false};
	const struct pulse_reading next = {100 * S + boot, 90 * S + mono, 5 * S + cpu, 7 * S + wait,
					   continued};
	struct pulse p = fresh;

	assert_false(pulse_beat(&p, &first, ret));
	return pulse_beat(&p, &next, ret);
}

static void in_time_is_nothing(void **state)
{
	struct pulse_hold h;

	(void)state;
	assert_false(beat(S, S, 0, 0, false, &h));
	assert_false(beat(4 * S, 4 * S, 0, 0, false, &h));
	assert_false(beat(S / 2, S / 2, 0, 0, true, &h));
}

static void each_reason_is_told(void **state)
{
	struct pulse_hold h;

	(void)state;
	assert_true(beat(6 * S, 6 * S, 0, 0, false, &h));
	assert_string_equal(h.how, "stopped or frozen");
	assert_int_equal(h.held_ms, 5000);
	assert_true(beat(6 * S, 6 * S, 0, 0, true, &h));
	assert_string_equal(h.how, "stopped by a signal");
	assert_true(beat(16 * S, 16 * S, S / 100, 14 * S, false, &h));
	assert_string_equal(h.how, "without a CPU");
	assert_int_equal(h.wait_ms, 14000);
	assert_int_equal(h.cpu_ms, 10);
}

/* Our own work may take a little longer, and so may that of a busy node. */
static void work_has_a_limit_of_its_own(void **state)
{
	struct pulse_hold h;

	(void)state;
	assert_false(beat(8 * S, 8 * S, 7 * S, 0, false, &h));
	assert_false(beat(8 * S, 8 * S, 0, 6 * S, false, &h));
	assert_true(beat(8 * S, 8 * S, 0, 2 * S, false, &h));
	assert_true(beat(20 * S, 20 * S, 18 * S, 0, false, &h));
	assert_string_equal(h.how, "busy");
}

static void sleep_of_the_machine_is_none(void **state)
{
	struct pulse_hold h;

	(void)state;
	assert_false(beat(3600 * S, S, 0, 0, false, &h));
	assert_true(beat(3600 * S, 6 * S, 0, 0, false, &h));
	assert_int_equal(h.held_ms, 5000);
}

static void schedstat_is_read(void **state)
{
	uint64_t cpu = 1, wait = 2;

	(void)state;
	assert_int_equal(pulse_schedstat("123456 789 42\n", &cpu, &wait), 0);
	assert_int_equal(cpu, 123456);
	assert_int_equal(wait, 789);
	assert_int_equal(pulse_schedstat("", &cpu, &wait), -EBADMSG);
	assert_int_equal(pulse_schedstat("1", &cpu, &wait), -EBADMSG);
	assert_int_equal(pulse_schedstat("1 2", &cpu, &wait), -EBADMSG);
	assert_int_equal(pulse_schedstat("x 2 3", &cpu, &wait), -EBADMSG);
	assert_int_equal(cpu, 123456);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_time_is_nothing),
		cmocka_unit_test(each_reason_is_told),
		cmocka_unit_test(work_has_a_limit_of_its_own),
		cmocka_unit_test(sleep_of_the_machine_is_none),
		cmocka_unit_test(schedstat_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
