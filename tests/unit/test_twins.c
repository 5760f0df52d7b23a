/* SPDX-License-Identifier: Apache-2.0 */
/* Pairs find each other whatever lies between them, the earliest first; what nobody confirmed comes out in the order it came. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "twins.h"

static const struct twin first = {1, 100, 7, 5000, 1000};

static void test_match(void **state)
{
	static const struct {
		struct twin other;
		bool same;
	} cases[] = {
		{{2, 100, 7, 5000, 1000}, true},    {{2, 100, 9, 0, 1000}, true},
		{{1, 100, 7, 5000, 1000}, false},   {{2, 101, 7, 5000, 1000}, false},
		{{2, 100, 7, 5001, 1000}, false},   {{2, 100, 7, 5000, 1010}, true},
		{{2, 100, 7, 5000, 990}, true},	    {{2, 100, 7, 5000, 1011}, false},
		{{2, 100, 7, 5000, 989}, false},    {{2, 100 + TWINS_MAX, 7, 5000, 1000}, false},
		{{2, 4294967295u, 7, 0, 0}, false},
	};
	struct twins *t;

	(void)state;
	assert_int_equal(twins_open(&t), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_true(twins_put(t, &first));
		assert_int_equal(twins_match(t, &cases[i].other, 10), cases[i].same);
		assert_int_equal(twins_n(t), !cases[i].same);
		assert_int_equal(twins_oldest(t) != NULL, !cases[i].same);
		assert_false(cases[i].same && twins_match(t, &cases[i].other, 10));
		twins_clear(t);
	}
	assert_null(twins_free(t));
	assert_null(twins_free(NULL));
}

static void test_earliest(void **state)
{
	struct twin a = first, b = first, other = {2, 100, 0, 0, 1000};
	struct twins *t;

	(void)state;
	assert_int_equal(twins_open(&t), 0);
	a.start_ns = 1;
	b.start_ns = 2;
	assert_true(twins_put(t, &a) && twins_put(t, &b) && twins_put(t, &first));
	assert_true(twins_match(t, &other, 10));
	assert_int_equal(twins_oldest(t)->start_ns, 2);
	other.start_ns = 5000;
	assert_true(twins_match(t, &other, 10));
	assert_int_equal(twins_oldest(t)->start_ns, 2);
	assert_int_equal(twins_n(t), 1);
	twins_drop_oldest(t);
	assert_null(twins_oldest(t));
	twins_drop_oldest(t);
	assert_int_equal(twins_n(t), 0);
	twins_free(t);
}

/* As many as there is room for, of few processes; every third is matched, the others come out in order. */
static void test_full(void **state)
{
	struct twins *t;
	uint32_t left = 0;

	(void)state;
	assert_int_equal(twins_open(&t), 0);
	for (int round = 0; round < 3; round++) {
		for (uint32_t i = 0; i < TWINS_MAX; i++) {
			const struct twin one = {1, i % 50, i, 1000 + i, i};

			assert_true(twins_put(t, &one));
		}
		assert_false(twins_put(t, &first));
		assert_int_equal(twins_n(t), TWINS_MAX);
		for (uint32_t i = 0; i < TWINS_MAX; i += 3) {
			const struct twin other = {2, i % 50, 0, 1000 + i, i};

			assert_true(twins_match(t, &other, 0));
		}
		left = 0;
		for (uint32_t i = 0; i < TWINS_MAX; i++) {
			if (i % 3 == 0)
				continue;
			assert_int_equal(twins_oldest(t)->came, i);
			twins_drop_oldest(t);
			left++;
		}
		assert_null(twins_oldest(t));
		assert_int_equal(left, TWINS_MAX - (TWINS_MAX + 2) / 3);
	}
	twins_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_match),
		cmocka_unit_test(test_earliest),
		cmocka_unit_test(test_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
