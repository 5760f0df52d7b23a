/* SPDX-License-Identifier: Apache-2.0 */
/* Options of a command wherever they stand between its words; what is none, or lacks its value, is wrong usage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <getopt.h>

#include "arguments.h"
#include "cleanup.h"
#include "print.h"

static FILE *asked;

static void help(FILE *f)
{
	asked = f;
}

static struct {
	const char *reason, *state;
	bool json;
} a;

static const struct arguments_option options[] = {
	{"reason", &a.reason, NULL}, {"state", &a.state, NULL}, {"json", NULL, &a.json}};
static const struct arguments_command command = {"node", help, options, ARRAY_SIZE(options)};

static int take(int *ret_exit, char **words)
{
	int n = 0;

	while (words[n])
		n++;
	memset(&a, 0, sizeof(a));
	asked = NULL;
	*ret_exit = 4711;
	optind = 0; /* anew */
	return arguments_take(n, words, &command, ret_exit);
}

#define TAKE(...) take(&code, (char *[]){(char *)"plumbctl", __VA_ARGS__, NULL})
#define W(text) (char *)(text)

static void test_good(void **state)
{
	int code;

	(void)state;
	assert_int_equal(TAKE(W("list")), 1);
	assert_null(a.reason);
	assert_false(a.json);
	assert_int_equal(TAKE(W("scan"), W("--reason=why"), W("one"), W("--json")), 2);
	assert_string_equal(a.reason, "why");
	assert_true(a.json);
	assert_null(a.state);
	assert_null(asked);
	assert_int_equal(TAKE(W("--state"), W("held"), W("list"), W("--"), W("--json")), 2);
	assert_string_equal(a.state, "held");
	assert_false(a.json);
	assert_int_equal(code, 4711);
}

static void test_over(void **state)
{
	int code;

	(void)state;
	assert_int_equal(TAKE(W("list"), W("--help")), 0);
	assert_int_equal(code, PRINT_GOOD);
	assert_ptr_equal(asked, stdout);
	assert_int_equal(TAKE(W("--json")), 0);
	assert_int_equal(code, PRINT_USAGE);
	assert_ptr_equal(asked, stderr);
	assert_int_equal(TAKE(W("list"), W("--label=x")), 0);
	assert_int_equal(code, PRINT_USAGE);
	assert_null(asked);
	assert_int_equal(TAKE(W("list"), W("--reason")), 0);
	assert_int_equal(code, PRINT_USAGE);
	assert_int_equal(TAKE(W("list"), W("--json=yes")), 0);
	assert_int_equal(code, PRINT_USAGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
