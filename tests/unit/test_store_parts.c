/* SPDX-License-Identifier: Apache-2.0 */
/* The pieces that a blob was appended in: their number, and each from any of them on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "verifier_fixture.h"

static struct verifier_fixture v;

static int setup(void **state)
{
	(void)state;
	verifier_fixture_open(&v);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	verifier_fixture_done(&v);
	return 0;
}

#define DO(op, ...) v.store.ops->op(v.store.ctx __VA_OPT__(, ) __VA_ARGS__)

struct parts {
	char text[64];
	uint64_t stop;
};

static int on_part(void *ctx, uint64_t part, const void *data, size_t size)
{
	struct parts *s = ctx;
	size_t used = strlen(s->text);

	snprintf(s->text + used, sizeof(s->text) - used, "%llu=%.*s ", (unsigned long long)part,
		 (int)size, (const char *)data);
	return part == s->stop;
}

static void are(const char *name, uint64_t from, uint64_t stop, int r, const char *text)
{
	struct parts s = {.stop = stop};

	assert_int_equal(DO(blob_parts_each, "notes", name, from, on_part, &s), r);
	assert_string_equal(s.text, text);
}

static void test_parts(void **state)
{
	uint64_t n = 7;

	(void)state;
	assert_int_equal(DO(blob_parts, "notes", "aa", &n), 0);
	assert_int_equal(n, 0);
	are("aa", 0, 9, 0, "");
	assert_int_equal(DO(begin), 0);
	assert_int_equal(DO(blob_put, "notes", "aa", "one", 3), 0);
	assert_int_equal(DO(blob_append, "notes", "aa", "two", 3), 0);
	assert_int_equal(DO(blob_append, "notes", "bb", "no", 2), 0);
	assert_int_equal(DO(blob_append, "notes", "aa", "three", 5), 0);
	assert_int_equal(DO(commit), 0);
	assert_int_equal(DO(blob_parts, "notes", "aa", &n), 0);
	assert_int_equal(n, 3);
	are("aa", 0, 9, 0, "0=one 1=two 2=three ");
	are("aa", 1, 1, 1, "1=two ");
	are("aa", 3, 9, 0, "");
	are("bb", 0, 9, 0, "0=no ");
	assert_int_equal(DO(begin), 0);
	assert_int_equal(DO(blob_put, "notes", "aa", "anew", 4), 0);
	assert_int_equal(DO(commit), 0);
	are("aa", 0, 9, 0, "0=anew ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_parts, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
