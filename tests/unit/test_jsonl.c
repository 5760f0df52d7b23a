/* SPDX-License-Identifier: Apache-2.0 */
/* Writing in order, and refusing what is not exactly one object. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "jsonl.h"

static void test_write(void **state)
{
	struct buf b = {0};
	struct jsonl j;

	(void)state;
	jsonl_begin(&j, &b);
	jsonl_int(&j, "z", -5);
	jsonl_str(&j, "a", "q\"\\\n\x01\xc3\xa9");
	jsonl_array(&j, "l");
	jsonl_uint(&j, NULL, 1);
	jsonl_object(&j, NULL);
	jsonl_bool(&j, "t", true);
	jsonl_close(&j);
	jsonl_close(&j);
	jsonl_path(&j, "p", "x\xff");
	jsonl_null(&j, "n");
	jsonl_end(&j);
	assert_int_equal(buf_status(&b), 0);
	assert_string_equal(
		(char *)b.data,
		"{\"z\":-5,\"a\":\"q\\\"\\\\\\u000a\\u0001\xc3\xa9\",\"l\":[1,{\"t\":true}],"
		"\"p\":\"x\xef\xbf\xbd\",\"p_b64\":\"eP8=\",\"n\":null}");
	jsonl_uint(&j, "big", UINT64_MAX);
	assert_int_not_equal(buf_status(&b), 0);
	buf_done(&b);
}

static void test_utf8(void **state)
{
	/* Overlong, surrogate, above U+10FFFF, cut short: each byte becomes U+FFFD. */
	static const char *const bad[] = {"\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80",
					  "\xe2\x82", "\xf5",	      "\x80"};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct buf b = {0};
		struct jsonl j;

		jsonl_begin(&j, &b);
		jsonl_path(&j, "p", bad[i]);
		jsonl_end(&j);
		assert_non_null(strstr((char *)b.data, "\xef\xbf\xbd"));
		assert_non_null(strstr((char *)b.data, "p_b64"));
		buf_done(&b);
	}
}

static int parse(const char *text, size_t size)
{
	struct why why = {""};
	json_t *o = NULL;
	int r = jsonl_parse(text, size, 4096, &o, &why);

	json_decref(o);
	if (r < 0)
		assert_true(why.text[0] != 0);
	return r;
}

static void test_refused(void **state)
{
	static const char *const bad[] = {"",
					  "{",
					  "[]",
					  "1",
					  "{\"a\":1.5}",
					  "{\"a\":1,\"a\":2}",
					  "{\"a\":1}x",
					  "{\"a\":\"\xff\"}",
					  "{\"a\":[1e3]}"};
	char deep[200];
	size_t n = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_true(parse(bad[i], strlen(bad[i])) < 0);
	assert_int_equal(parse("{\"a\":[1,{\"b\":null}]}", 20), 0);
	n += (size_t)sprintf(deep, "{\"a\":");
	memset(deep + n, '[', 40);
	memset(deep + n + 40, ']', 40);
	deep[n + 80] = '}';
	assert_true(parse(deep, n + 81) < 0);
	assert_true(parse(memset(deep, ' ', sizeof(deep)), sizeof(deep)) < 0);
}

static void test_get(void **state)
{
	static const char text[] =
		"{\"s\":\"abc\",\"n\":7,\"m\":-1,\"h\":\"00ff\",\"b\":\"AQI=\",\"t\":true}";
	struct buf b = {0};
	struct why why;
	json_t *o = NULL;
	const char *s;
	uint8_t two[2];
	uint64_t n;
	bool t;

	(void)state;
	assert_int_equal(jsonl_parse(text, strlen(text), 4096, &o, &why), 0);
	assert_int_equal(jsonl_get_str(o, "s", 3, &s, &why), 0);
	assert_true(jsonl_get_str(o, "s", 2, &s, &why) < 0);
	assert_true(jsonl_get_str(o, "n", 9, &s, &why) < 0);
	assert_true(jsonl_get_str(o, "none", 9, &s, &why) < 0);
	assert_int_equal(jsonl_get_uint(o, "n", 7, &n, &why), 0);
	assert_true(jsonl_get_uint(o, "n", 6, &n, &why) < 0);
	assert_true(jsonl_get_uint(o, "m", 7, &n, &why) < 0);
	assert_int_equal(jsonl_get_hex(o, "h", two, 2, &why), 0);
	assert_int_equal(two[1], 0xff);
	assert_true(jsonl_get_hex(o, "h", two, 1, &why) < 0);
	assert_int_equal(jsonl_get_base64(o, "b", 2, &b, &why), 0);
	assert_true(b.size == 2 && b.data[1] == 2);
	assert_true(jsonl_get_base64(o, "s", 2, &b, &why) < 0);
	assert_int_equal(jsonl_get_bool(o, "t", &t, &why), 0);
	assert_true(t);
	buf_done(&b);
	json_decref(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_write),
		cmocka_unit_test(test_utf8),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_get),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
