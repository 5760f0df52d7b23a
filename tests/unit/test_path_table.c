/* SPDX-License-Identifier: Apache-2.0 */
/* Thousands of puts and drops beside a list that is as simple as can be: both always say the same; the bound holds, and places are used again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "path_table.h"

#define MAX 40
#define PATHS 64
#define KEYS 8

/* Of path /p<i>: its key, or -1. */
static int model[PATHS];

static void name(char *ret, size_t size, int i)
{
	/* Some lie below others: /p1 and /p1/p9. */
	if (i >= 8)
		snprintf(ret, size, "/p%d/p%d", i % 8, i);
	else
		snprintf(ret, size, "/p%d", i);
}

static void check(struct path_table *t)
{
	uint32_t n = 0, of_key[KEYS] = {0};
	char path[32];

	for (int i = 0; i < PATHS; i++) {
		uint32_t at;

		name(path, sizeof(path), i);
		at = path_table_find(t, path);
		assert_int_equal(at != PATH_TABLE_NONE, model[i] >= 0);
		if (model[i] < 0)
			continue;
		n++;
		of_key[model[i]]++;
		assert_string_equal(path_table_path(t, at), path);
		assert_int_equal(*(int *)path_table_extra(t, at), i);
	}
	assert_int_equal(path_table_n(t), n);
	assert_true(path_table_end(t) <= MAX);
	for (uint64_t k = 0; k < KEYS; k++) {
		uint32_t found = 0;

		for (uint32_t i = path_table_first(t, &k, sizeof(k)); i != PATH_TABLE_NONE;
		     i = path_table_next(t, i)) {
			assert_int_equal(model[*(int *)path_table_extra(t, i)], k);
			found++;
		}
		assert_int_equal(found, of_key[k]);
		/* The same bytes and fewer of them are another key. */
		assert_int_equal(path_table_first(t, &k, 4), PATH_TABLE_NONE);
	}
}

static void drop(void *ctx, uint32_t i)
{
	model[*(int *)path_table_extra(ctx, i)] = -1;
	path_table_drop(ctx, i);
}

static void test_random(void **state)
{
	struct path_table *t;
	char path[32];

	(void)state;
	memset(model, 0xff, sizeof(model));
	srand(3);
	assert_int_equal(path_table_open(MAX, sizeof(int), &t), 0);
	for (int step = 0; step < 20000; step++) {
		int i = rand() % PATHS;
		uint64_t key = (uint64_t)rand() % KEYS;

		name(path, sizeof(path), i);
		if (step % 97 == 0) {
			path_table_each_below(t, path, drop, t);
			for (int k = 0; i < 8 && k < PATHS; k++)
				assert_true(k % 8 != i || model[k] < 0);
		} else if (model[i] >= 0) {
			drop(t, path_table_find(t, path));
		} else {
			int64_t r = path_table_put(t, path, &key, sizeof(key));

			if (path_table_n(t) == MAX && r < 0) {
				assert_int_equal(r, -ENOSPC);
				continue;
			}
			assert_true(r >= 0 && r < MAX);
			assert_int_equal(*(int *)path_table_extra(t, (uint32_t)r), 0);
			*(int *)path_table_extra(t, (uint32_t)r) = i;
			model[i] = (int)key;
		}
		if (step % 10 == 0)
			check(t);
	}
	check(t);
	path_table_free(t);
}

/* /p1 is not above /p10. */
static void test_below(void **state)
{
	struct path_table *t;

	(void)state;
	assert_int_equal(path_table_open(4, sizeof(int), &t), 0);
	assert_true(path_table_put(t, "/p1", "k", 1) >= 0);
	assert_true(path_table_put(t, "/p10", "k", 1) >= 0);
	assert_true(path_table_put(t, "/p1/a", "", 0) >= 0);
	path_table_each_below(t, "/p1", drop, t);
	assert_int_equal(path_table_n(t), 1);
	assert_true(path_table_find(t, "/p10") != PATH_TABLE_NONE);
	path_table_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_below),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
