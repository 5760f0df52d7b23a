/* SPDX-License-Identifier: Apache-2.0 */
/* A set of few files on a busy day: names that come and go for ever fit into it, each is told; what was there at the start is never forgotten. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "file_set.h"
#include "scratch.h"

#define MAX 6

struct bench {
	char top[64];
	struct hash_cache *cache;
	struct file_set *files;
	unsigned int n_lines, n_lost;
	char last[256];
};

static void on_line(void *ctx, const struct line *l)
{
	struct bench *b = ctx;

	b->n_lines++;
	snprintf(b->last, sizeof(b->last), "%s %.6s", strrchr(l->key, '/') + 1, l->found);
}

static void on_lost(void *ctx, const char *src, uint64_t n, const char *what)
{
	struct bench *b = ctx;

	(void)src;
	(void)what;
	b->n_lost += (unsigned int)n;
}

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	const struct measure_sink sink = {.measurement = on_line, .lost = on_lost, .ctx = b};
	const char *paths[1];
	struct why why = {""};

	assert_non_null(b);
	strcpy(b->top, "/tmp/plumb-test-file-set-XXXXXX");
	assert_non_null(mkdtemp(b->top));
	scratch_run(b->top, "echo a >a && echo b >b");
	paths[0] = b->top;
	assert_int_equal(hash_cache_open(0, 0, &b->cache), 0);
	const struct file_set_options o = {.paths = paths,
					   .n_paths = 1,
					   .hash_cache = b->cache,
					   .clock = clock_system(),
					   .max = MAX};

	assert_int_equal(file_set_open(&o, &sink, &b->files, &why), 0);
	assert_int_equal(file_set_n(b->files), 3);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;

	file_set_free(b->files);
	hash_cache_free(b->cache);
	scratch_run(".", "rm -rf %s", b->top);
	free(b);
	return 0;
}

static int check(struct bench *b, const char *name, const char *op)
{
	const struct file_set_deed deed = {.src = "fanotify", .op = op};
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", b->top, name);
	return file_set_check(b->files, path, &deed);
}

static const char *value(struct bench *b, const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", b->top, name);
	return file_set_value(b->files, path);
}

static void come_and_go(struct bench *b, unsigned int n)
{
	char name[32], line[64];

	snprintf(name, sizeof(name), "..2026_%u", n);
	scratch_run(b->top, "echo %u >%s", n, name);
	assert_int_equal(check(b, name, "create"), 1);
	snprintf(line, sizeof(line), "%s reg 06", name);
	assert_string_equal(b->last, line);
	scratch_run(b->top, "rm %s", name);
	assert_int_equal(check(b, name, "delete"), 1);
	snprintf(line, sizeof(line), "%s absent", name);
	assert_string_equal(b->last, line);
}

static void test_names_that_come_and_go_fit(void **state)
{
	struct bench *b = *state;

	assert_int_equal(check(b, "a", "write"), 0);
	assert_int_equal(check(b, "b", "write"), 0);
	scratch_run(b->top, "rm b");
	assert_int_equal(check(b, "b", "delete"), 1);
	for (unsigned int n = 0; n < 40; n++)
		come_and_go(b, n);
	assert_int_equal(b->n_lost, 0);
	assert_true(file_set_n(b->files) <= MAX);
	/* Of the start, and gone: a baseline may list it, so it is told again when another one judges. */
	assert_string_equal(value(b, "b"), "absent");
	assert_non_null(value(b, "a"));
	assert_null(value(b, "..2026_0"));
	b->n_lines = 0;
	file_set_tell_all(b->files);
	assert_true(b->n_lines >= 2);
}

static void test_names_that_stay_fill_it(void **state)
{
	struct bench *b = *state;

	come_and_go(b, 1);
	scratch_run(b->top, "echo 1 >s1; echo 2 >s2; echo 3 >s3; echo 4 >s4");
	assert_int_equal(check(b, "s1", "create"), 1);
	assert_int_equal(check(b, "s2", "create"), 1);
	assert_int_equal(check(b, "s3", "create"), 1); /* in the place of the one that went */
	assert_int_equal(b->n_lost, 0);
	assert_true(check(b, "s4", "create") < 0);
	assert_int_equal(b->n_lost, 1);
	assert_non_null(value(b, "s1"));
	assert_non_null(value(b, "s3"));
	/* One that was found anew, and is back, is not taken for one that went. */
	scratch_run(b->top, "rm s1");
	assert_int_equal(check(b, "s1", "delete"), 1);
	scratch_run(b->top, "echo 1 >s1");
	assert_int_equal(check(b, "s1", "create"), 1);
	assert_true(check(b, "s4", "create") < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_names_that_come_and_go_fit, setup, teardown),
		cmocka_unit_test_setup_teardown(test_names_that_stay_fill_it, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
