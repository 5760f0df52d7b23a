/* SPDX-License-Identifier: Apache-2.0 */
/* The reader's position, moved by others in each direction: noticed, and put where reading can go on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "ring_watch.h"

struct bench {
	uint64_t consumer, producer;
	struct ring_watch w;
};

static struct bench *begin(struct bench *b)
{
	*b = (struct bench){.consumer = 5000, .producer = 5600};
	b->w = (struct ring_watch){&b->consumer, &b->producer, 4096, 0};
	ring_watch_taken(&b->w);
	return b;
}

static void left_alone(void **state)
{
	struct bench b;

	(void)state;
	begin(&b);
	assert_false(ring_watch_check(&b.w));
	assert_false(ring_watch_is_empty(&b.w));
	b.consumer = 5600; /* as the reader itself moves it */
	ring_watch_taken(&b.w);
	assert_true(ring_watch_is_empty(&b.w));
	b.producer = 6000;
	assert_false(ring_watch_check(&b.w));
	assert_int_equal(b.consumer, 5600);
}

static void pushed_ahead_it_goes_back(void **state)
{
	struct bench b;

	(void)state;
	begin(&b)->consumer = 1ull << 40;
	assert_true(ring_watch_check(&b.w));
	assert_int_equal(b.consumer, 5000);
	assert_false(ring_watch_check(&b.w));
	b.consumer = 5600; /* to the newest: what waits would be skipped */
	assert_true(ring_watch_check(&b.w));
	assert_int_equal(b.consumer, 5000);
	b.consumer = 0;
	assert_true(ring_watch_check(&b.w));
	assert_int_equal(b.consumer, 5000);
}

static void what_was_written_over_is_passed(void **state)
{
	struct bench b;

	(void)state;
	begin(&b)->consumer = 9000;
	b.producer = 5000 + 4096;
	assert_true(ring_watch_check(&b.w));
	assert_int_equal(b.consumer, 5000);
	b.consumer = 9000;
	b.producer = 5000 + 4096 + 8;
	assert_true(ring_watch_check(&b.w));
	assert_int_equal(b.consumer, b.producer);
	assert_true(ring_watch_is_empty(&b.w));
}

static void one_that_was_not_opened(void **state)
{
	struct ring_watch w = {.consumer = NULL};

	(void)state;
	assert_int_equal(ring_watch_open(&w, -1, 4096), -EBADF);
	assert_false(ring_watch_check(&w));
	assert_true(ring_watch_is_empty(&w));
	ring_watch_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(left_alone),
		cmocka_unit_test(pushed_ahead_it_goes_back),
		cmocka_unit_test(what_was_written_over_is_passed),
		cmocka_unit_test(one_that_was_not_opened),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
