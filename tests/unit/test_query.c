/* SPDX-License-Identifier: Apache-2.0 */
/* Queries as plumbctl sends them, and as nobody should. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>

#include "query.h"

static void value(const char *query, int r, const char *want)
{
	char v[QUERY_VALUE_SIZE];

	memset(v, 'x', sizeof(v));
	if (query_value(query, "node", v) != r || strcmp(v, want) != 0)
		fail_msg("\"%s\" gives \"%.60s\"", query, v);
}

static void test_values(void **state)
{
	(void)state;
	value("", 0, "");
	value("node=", 0, "");
	value("node", 0, "");
	value("node=web-1", 0, "web-1");
	value("open=1&node=web-1&x", 0, "web-1");
	value("nodes=a&xnode=b&node=c", 0, "c");
	value("node=a%2Fb%2fc", 0, "a/b/c");
	value("node=a+b", 0, "a+b");
	value("&&node=a=b&", 0, "a=b");
}

static void test_twins(void **state)
{
	(void)state;
	value("node=%", -EBADMSG, "");
	value("node=%4", -EBADMSG, "");
	value("node=%4&1", -EBADMSG, "");
	value("node=%zz", -EBADMSG, "");
	value("node=%\x11\x11", -EBADMSG, "");
	value("node=a%00b", -EBADMSG, "");
	value("node=a&node=b", -EBADMSG, "");
	value("node=a&node=%", -EBADMSG, "");
}

static void test_length(void **state)
{
	char query[300] = "node=", want[QUERY_VALUE_SIZE] = {0};

	(void)state;
	memset(want, 'a', QUERY_VALUE_SIZE - 1);
	memcpy(query + 5, want, sizeof(want));
	value(query, 0, want);
	strcat(query, "a");
	value(query, -EBADMSG, "");
}

static void number(const char *query, int r, uint64_t want)
{
	uint64_t n = 7;

	assert_int_equal(query_number(query, "since", &n), r);
	assert_int_equal(n, want);
}

static void test_numbers(void **state)
{
	(void)state;
	number("", 0, 7);
	number("since=", 0, 7);
	number("since=0", 0, 0);
	number("since=999999999999999999", 0, 999999999999999999);
	number("since=1000000000000000000", -EBADMSG, 7);
	number("since=-1", -EBADMSG, 7);
	number("since=+1", -EBADMSG, 7);
	number("since=1%20", -EBADMSG, 7);
	number("since=0x10", -EBADMSG, 7);
	number("since=1&since=2", -EBADMSG, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_twins),
		cmocka_unit_test(test_length),
		cmocka_unit_test(test_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
