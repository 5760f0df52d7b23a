/* SPDX-License-Identifier: Apache-2.0 */
/* What is said to be plain is what a parser of JSON takes, too, and no name of it comes twice; all else is left to that parser. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "buf.h"
#include "cleanup.h"
#include "jsonl.h"
#include "members.h"

static const char *const envelope[] = {"v", "seq", "type"};

static bool plain(const char *text)
{
	return members_are_plain(text, envelope, ARRAY_SIZE(envelope));
}

static void test_plain(void **state)
{
	static const char *const good[] = {
		"\"a\":1",
		"\"a\":0,\"b\":\"\",\"c\":true,\"d\":false,\"e\":null",
		"\"node\":\"aa\",\"list\":[],\"told\":[\"x\",1,null,true]",
		"\"size\":999999999999999999",
		"\"va\":1,\"se\":2,\"types\":3",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_true(plain(good[i]));
}

static void test_other(void **state)
{
	static const char *const other[] = {
		"",
		",",
		"a",
		"\"a\"",
		"\"a\":",
		"\"a\":1,",
		",\"a\":1",
		"\"a\":1 ",
		" \"a\":1",
		"\"a\":1}",
		"\"a\":1,,\"b\":2",
		"\"a\":01",
		"\"a\":-1",
		"\"a\":1.5",
		"\"a\":1e5",
		"\"a\":1000000000000000000",
		"\"a\":tru",
		"\"a\":truex",
		"\"a\":[",
		"\"a\":[1",
		"\"a\":[1,]",
		"\"a\":[,1]",
		"\"a\":[1]]",
		"\"a\":[[1]]",
		"\"a\":{\"b\":1}",
		"\"a\":\"x",
		"\"a\":\"x\\\"",
		"\"a\":\"\\u0041\"",
		"\"a\":\"\xc3\xbc\"",
		"\"a\":\"\n\"",
		"\"a\n\":1",
		"\"a\":1,\"a\":2",
		"\"a\":1,\"b\":2,\"a\":3",
		"\"seq\":1",
		"\"a\":1,\"type\":\"x\"",
		"\"\":1,\"v\":1",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(other); i++)
		if (plain(other[i]))
			fail_msg("plain: %s", other[i]);
}

/* More than are kept in mind are for the parser; as many as that are not. */
static void test_many(void **state)
{
	struct buf b = {0};

	(void)state;
	for (unsigned int i = 0; i < MEMBERS_MAX; i++)
		buf_printf(&b, "%s\"m%u\":%u", i ? "," : "", i, i);
	assert_true(plain((char *)b.data));
	buf_puts(&b, ",\"one\":1");
	assert_false(plain((char *)b.data));
	buf_done(&b);
}

static void test_as_written(void **state)
{
	struct buf b = {0};
	struct jsonl j = {.buf = &b};

	(void)state;
	jsonl_str(&j, "node", "aa");
	jsonl_uint(&j, "size", 12);
	jsonl_bool(&j, "provisional", true);
	jsonl_null(&j, "other");
	jsonl_hex(&j, "root", "12345678", 8);
	jsonl_array(&j, "drift");
	jsonl_str(&j, NULL, "file:/etc/one");
	jsonl_close(&j);
	assert_true(plain((char *)b.data));
	buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_other),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_as_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
