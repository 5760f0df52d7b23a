/* SPDX-License-Identifier: Apache-2.0 */
/* The newest lines in memory: bounded, without holes, and never other bytes than were written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>

#include "tail.h"

static void add(struct tail *t, uint64_t seq)
{
	char text[32];

	snprintf(text, sizeof(text), "line %llu", (unsigned long long)seq);
	tail_add(t, seq, text, strlen(text));
}

static void expect(const struct tail *t, uint64_t from, uint64_t to, size_t max, uint64_t reached)
{
	struct buf b = {0}, want = {0};
	uint64_t at = 12345;

	assert_int_equal(tail_lines(t, from, to, max, &b, &at), 0);
	assert_int_equal(at, reached);
	for (; from < reached; from++)
		buf_printf(&want, "line %llu\n", (unsigned long long)from);
	assert_int_equal(b.size, want.size);
	if (b.size)
		assert_memory_equal(b.data, want.data, b.size);
	buf_done(&b);
	buf_done(&want);
}

static void absent(const struct tail *t, uint64_t from, uint64_t to)
{
	struct buf b = {0};
	uint64_t at = 12345;

	assert_int_equal(tail_lines(t, from, to, 1000, &b, &at), -ENOENT);
	assert_int_equal(at, 12345);
	assert_int_equal(b.size, 0);
}

static void test_lines(void **state)
{
	struct tail *t;

	(void)state;
	assert_int_equal(tail_open(&t), 0);
	expect(t, 0, 0, 100, 0);
	absent(t, 0, 1);
	for (uint64_t i = 0; i < 10; i++)
		add(t, i);
	expect(t, 0, 10, 1000, 10);
	expect(t, 3, 7, 1000, 7);
	expect(t, 10, 10, 1000, 10);
	absent(t, 0, 11);
	absent(t, 11, 11);
	/* Whole lines only. */
	expect(t, 0, 10, 16, 2);
	expect(t, 0, 10, 13, 1);
	expect(t, 0, 10, 6, 0);
	tail_free(t);
	assert_null(tail_free(NULL));
}

static void test_bounds(void **state)
{
	struct tail *t;
	char *big = malloc(TAIL_BYTES);
	struct buf b = {0};
	uint64_t at = 0;

	(void)state;
	assert_int_equal(tail_open(&t), 0);
	for (uint64_t i = 0; i < TAIL_LINES + 5; i++)
		add(t, i);
	absent(t, 4, 6);
	expect(t, 5, 8, 1000, 8);
	expect(t, TAIL_LINES, TAIL_LINES + 5, 1000, TAIL_LINES + 5);
	/* Large ones push out the small. */
	memset(big, 'x', TAIL_BYTES);
	for (uint64_t i = 0; i < 200; i++)
		tail_add(t, TAIL_LINES + 5 + i, big, 65535);
	absent(t, TAIL_LINES, TAIL_LINES + 1);
	assert_int_equal(tail_lines(t, TAIL_LINES + 204, TAIL_LINES + 205, TAIL_BYTES, &b, &at), 0);
	assert_int_equal(b.size, 65536);
	buf_done(&b);
	tail_free(t);
	free(big);
}

static size_t size_of(uint64_t seq)
{
	return 1 + seq * 7919 % 65535;
}

/* Lines of all sizes, many times around: whatever is still here is as it was written, and as much is here as fits. */
static void test_around(void **state)
{
	char *line = malloc(65536);
	struct buf b = {0};
	struct tail *t;

	(void)state;
	assert_int_equal(tail_open(&t), 0);
	for (uint64_t i = 0; i < 3000; i++) {
		uint64_t from = i, at, bytes = 0;

		memset(line, 'a' + (int)(i % 26), size_of(i));
		tail_add(t, i, line, size_of(i));
		while (from > 0 && bytes + 4 * 65536 < TAIL_BYTES)
			bytes += size_of(from--) + 1;
		if (i % 97)
			continue;
		buf_clear(&b);
		assert_int_equal(tail_lines(t, from, i + 1, TAIL_BYTES, &b, &at), 0);
		assert_int_equal(at, i + 1);
		for (size_t o = 0; from <= i; o += size_of(from++) + 1) {
			memset(line, 'a' + (int)(from % 26), size_of(from));
			assert_memory_equal(b.data + o, line, size_of(from));
			assert_int_equal(b.data[o + size_of(from)], '\n');
		}
	}
	buf_done(&b);
	free(line);
	tail_free(t);
}

/* A hole would be worse than an empty tail. */
static void test_hole(void **state)
{
	struct tail *t;

	(void)state;
	assert_int_equal(tail_open(&t), 0);
	for (uint64_t i = 100; i < 110; i++)
		add(t, i);
	absent(t, 99, 101);
	expect(t, 100, 110, 1000, 110);
	add(t, 111);
	absent(t, 100, 112);
	absent(t, 109, 110);
	expect(t, 111, 112, 1000, 112);
	add(t, 5);
	absent(t, 111, 112);
	expect(t, 5, 6, 1000, 6);
	tail_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_around),
		cmocka_unit_test(test_hole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
