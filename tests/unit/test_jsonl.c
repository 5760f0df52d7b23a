/* SPDX-License-Identifier: Apache-2.0 */
/* Writing in order, and refusing what is not exactly one object. */
#include <errno.h>
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

/* Each byte at each place of texts of all lengths: it stands for itself, or is escaped, or is no UTF-8, wherever it is. */
static void test_each_byte(void **state)
{
	(void)state;
	for (size_t size = 1; size < 36; size++)
		for (size_t at = 0; at < size; at++)
			for (unsigned int c = 1; c < 256; c++) {
				char text[40], escaped[8], expected[128];
				struct buf b = {0};
				struct jsonl j;

				memset(text, 'x', size);
				text[at] = (char)c;
				text[size] = 0;
				snprintf(escaped, sizeof(escaped),
					 c == '"' || c == '\\'	 ? "\\%c"
					 : c < 0x20 || c == 0x7f ? "\\u%04x"
								 : "%c",
					 c);
				snprintf(expected, sizeof(expected),
					 "{\"first\":1,\"k\":\"%.*s%s%s\"", (int)at, text,
					 c >= 0x80 ? "\xef\xbf\xbd" : escaped, text + at + 1);
				jsonl_begin(&j, &b);
				jsonl_uint(&j, "first", 1);
				jsonl_path(&j, "k", text);
				assert_int_equal(buf_status(&b), 0);
				assert_memory_equal(b.data, expected, strlen(expected));
				assert_int_equal(strncmp((char *)b.data + strlen(expected),
							 ",\"k_b64\":\"", 10) == 0,
						 c >= 0x80);
				assert_true(c >= 0x80 || b.size == strlen(expected));
				buf_done(&b);
			}
}

/* Written in two steps it is the same as in one, also where the value needs a second name. */
static void test_name(void **state)
{
	static const char *const values[] = {"", "plain", "q\"", "\xc3\xa9", "x\xff", NULL};

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		struct buf one = {0}, two = {0};
		struct jsonl j, k;

		jsonl_begin(&j, &one);
		jsonl_begin(&k, &two);
		jsonl_path(&j, "path", values[i]);
		jsonl_name(&k, "path");
		jsonl_path_value(&k, "path", values[i]);
		jsonl_uint(&j, "n", i);
		jsonl_name(&k, "n");
		jsonl_uint(&k, NULL, i);
		jsonl_str(&j, "text", values[i]);
		jsonl_name(&k, "text");
		jsonl_str(&k, NULL, values[i]);
		jsonl_bool(&j, "end", true);
		jsonl_bool(&k, "end", true);
		assert_int_equal(buf_status(&two), 0);
		assert_string_equal((char *)one.data, (char *)two.data);
		buf_done(&one);
		buf_done(&two);
	}
}

static void test_numbers(void **state)
{
	struct buf b = {0};
	struct jsonl j;

	(void)state;
	jsonl_begin(&j, &b);
	jsonl_int(&j, "a", INT64_MIN);
	jsonl_int(&j, "b", INT64_MAX);
	jsonl_int(&j, "c", 0);
	jsonl_uint(&j, "a longer name", 10);
	jsonl_hex(&j, "\"", "\x00\xff\x1a", 3);
	jsonl_end(&j);
	assert_string_equal((char *)b.data,
			    "{\"a\":-9223372036854775808,\"b\":9223372036854775807,\"c\":0,"
			    "\"a longer name\":10,\"\\\"\":\"00ff1a\"}");
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

/* A foreign text comes out as exactly this, and our own reader takes it. */
static void assert_written(const char *text, size_t size, const char *expected)
{
	struct buf b = {0};
	struct jsonl j;
	struct why why;
	json_t *o = NULL;

	jsonl_begin(&j, &b);
	jsonl_strn(&j, "s", text, size);
	jsonl_end(&j);
	assert_string_equal((char *)b.data, expected);
	assert_int_equal(jsonl_parse(b.data, b.size, 4096, &o, &why), 0);
	json_decref(o);
	buf_done(&b);
}

#define BAD "\xef\xbf\xbd"

static void test_lossy(void **state)
{
	(void)state;
	assert_written("", 0, "{\"s\":\"\"}");
	/* The edges of what is UTF-8: U+0080, U+07FF, U+0800, U+D7FF, U+E000, U+FFFF, U+10000, U+10FFFF. */
	assert_written("\xc2\x80\xdf\xbf", 4, "{\"s\":\"\xc2\x80\xdf\xbf\"}");
	assert_written("\xe0\xa0\x80\xed\x9f\xbf", 6, "{\"s\":\"\xe0\xa0\x80\xed\x9f\xbf\"}");
	assert_written("\xee\x80\x80\xef\xbf\xbf", 6, "{\"s\":\"\xee\x80\x80\xef\xbf\xbf\"}");
	assert_written("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", 8,
		       "{\"s\":\"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\"}");
	/* And just beyond: overlong of two, three and four bytes, surrogates, above U+10FFFF. */
	assert_written("\xc1\xbf", 2, "{\"s\":\"" BAD BAD "\"}");
	assert_written("\xe0\x9f\xbf", 3, "{\"s\":\"" BAD BAD BAD "\"}");
	assert_written("\xf0\x8f\xbf\xbf", 4, "{\"s\":\"" BAD BAD BAD BAD "\"}");
	assert_written("\xed\xa0\x80", 3, "{\"s\":\"" BAD BAD BAD "\"}");
	assert_written("\xed\xbf\xbf", 3, "{\"s\":\"" BAD BAD BAD "\"}");
	assert_written("\xf4\x90\x80\x80", 4, "{\"s\":\"" BAD BAD BAD BAD "\"}");
	/* Cut within a character, and good ones after bad ones. */
	assert_written("a\xe2\x82", 3, "{\"s\":\"a" BAD BAD "\"}");
	assert_written("\xe2\x82"
		       "a\xc3\xa9",
		       5, "{\"s\":\"" BAD BAD "a\xc3\xa9\"}");
	assert_written("\x01\x1f\x7f\"\\/", 6, "{\"s\":\"\\u0001\\u001f\\u007f\\\"\\\\/\"}");
}

/* All that is written is read back: values, nesting, numbers at their ends. */
static void test_both_ways(void **state)
{
	static const uint8_t bytes[] = {0, 0xff, 0x10};
	struct buf b = {0}, back = {0};
	json_t *o = NULL, *in, *list;
	struct jsonl j;
	struct why why;
	const char *s;
	uint8_t three[3];
	uint64_t n;

	(void)state;
	jsonl_begin(&j, &b);
	jsonl_uint(&j, "max", INT64_MAX);
	jsonl_int(&j, "min", INT64_MIN);
	jsonl_str(&j, "none", NULL);
	jsonl_hex(&j, "hex", bytes, 3);
	jsonl_base64(&j, "b64", bytes, 3);
	jsonl_object(&j, "in");
	jsonl_array(&j, "list");
	jsonl_path(&j, NULL, "bad \xff");
	jsonl_raw(&j, NULL, "[]", 2);
	jsonl_bool(&j, NULL, false);
	jsonl_close(&j);
	jsonl_close(&j);
	jsonl_str(&j, "k\n", "last");
	jsonl_end(&j);
	assert_int_equal(buf_status(&b), 0);
	assert_string_equal((char *)b.data,
			    "{\"max\":9223372036854775807,\"min\":-9223372036854775808,\"none\":"
			    "null,\"hex\":\"00ff10\",\"b64\":\"AP8Q\",\"in\":{\"list\":[\"bad " BAD
			    "\",[],false]},\"k\\u000a\":\"last\"}");
	assert_int_equal(jsonl_parse(b.data, b.size, b.size, &o, &why), 0);
	assert_int_equal(jsonl_get_uint(o, "max", INT64_MAX, &n, &why), 0);
	assert_true(n == INT64_MAX);
	assert_int_equal(jsonl_get_hex(o, "hex", three, 3, &why), 0);
	assert_memory_equal(three, bytes, 3);
	assert_int_equal(jsonl_get_base64(o, "b64", 3, &back, &why), 0);
	assert_memory_equal(back.data, bytes, 3);
	assert_int_equal(jsonl_get_object(o, "in", &in, &why), 0);
	assert_int_equal(jsonl_get_array(in, "list", 3, &list, &why), 0);
	assert_int_equal(jsonl_get_array(in, "list", 2, &list, &why), -EBADMSG);
	assert_int_equal(jsonl_get_str(o, "k\n", 4, &s, &why), 0);
	assert_string_equal(s, "last");
	jsonl_decref_p(&o);
	/* A name that cannot be made is an error, and never a cut name. */
	jsonl_path(&j, "a-key-of-more-than-sixty-characters-does-not-leave-room-for-its-ending",
		   "\xff");
	assert_int_equal(buf_status(&b), -E2BIG);
	buf_done(&b);
	buf_done(&back);
}

static int parse(const char *text, size_t size)
{
	struct why why = {""};
	json_t *o = NULL;
	int r = jsonl_parse(text, size, 4096, &o, &why);

	assert_true((r == 0) == (o != NULL));
	json_decref(o);
	if (r < 0)
		assert_true(why.text[0] != 0);
	return r;
}

#define BYTES(text)                    \
	{                              \
		text, sizeof(text) - 1 \
	}

static void test_refused(void **state)
{
	static const struct {
		const char *text;
		size_t size;
	} bad[] = {
		BYTES(""),
		BYTES(" "),
		BYTES("{"),
		BYTES("}"),
		BYTES("[]"),
		BYTES("1"),
		BYTES("null"),
		BYTES("\"a\""),
		BYTES("{\"a\":1.5}"),
		BYTES("{\"a\":1.0}"),
		BYTES("{\"a\":[1e3]}"),
		BYTES("{\"a\":{\"b\":[{\"c\":-0.0}]}}"),
		BYTES("{\"a\":9223372036854775808}"),
		BYTES("{\"a\":-9223372036854775809}"),
		BYTES("{\"a\":01}"),
		BYTES("{\"a\":+1}"),
		BYTES("{\"a\":NaN}"),
		BYTES("{\"a\":1,\"a\":2}"),
		BYTES("{\"b\":{\"a\":1,\"a\":1}}"),
		BYTES("{\"a\":1,\"\\u0061\":2}"),
		BYTES("{\"a\":1}x"),
		BYTES("{\"a\":1}{}"),
		BYTES("{\"a\":1}\0"),
		BYTES("{\"a\":\"\0\"}"),
		BYTES("{\"a\":\"\\u0000\"}"),
		BYTES("{\"\\u0000\":1}"),
		BYTES("{\"a\":\"\n\"}"),
		BYTES("{\"a\":\"\xff\"}"),
		BYTES("{\"a\":\"\xc0\x80\"}"),
		BYTES("{\"a\":\"\xed\xa0\x80\"}"),
		BYTES("{\"a\":\"\\ud800\"}"),
		BYTES("{\"a\":\"\\udc00\\ud800\"}"),
		BYTES("\xef\xbb\xbf{}"),
		BYTES("{'a':1}"),
		BYTES("{a:1}"),
		BYTES("{\"a\":1,}"),
		BYTES("{\"a\":1}//"),
	};
	static const char good[] = " {\"a\" : [1,{\"b\":null}, \"\\ud83d\\ude00\"] }\n";

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(parse(bad[i].text, bad[i].size), -EBADMSG);
	assert_int_equal(parse("{}", 2), 0);
	assert_int_equal(parse(good, strlen(good)), 0);
	for (size_t cut = 0; cut < strlen(good) - 2; cut++)
		assert_int_equal(parse(good, cut), -EBADMSG);
}

/* {"a":[[…]]} of so many levels, the outer object counted. */
static int parse_levels(size_t levels, char left, char right)
{
	char text[4096];
	size_t n = (size_t)sprintf(text, "{\"a\":");

	for (size_t i = 1; i < levels; i++)
		n += (size_t)sprintf(text + n, "%c%s", left,
				     left == '{' && i + 1 < levels ? "\"a\":" : "");
	for (size_t i = 1; i < levels; i++)
		text[n++] = right;
	text[n++] = '}';
	return parse(text, n);
}

static void test_bounds(void **state)
{
	static char text[4097];

	(void)state;
	assert_int_equal(parse_levels(31, '[', ']'), 0);
	assert_int_equal(parse_levels(32, '[', ']'), 0);
	assert_int_equal(parse_levels(33, '[', ']'), -EBADMSG);
	assert_int_equal(parse_levels(1500, '[', ']'), -EBADMSG);
	assert_int_equal(parse_levels(32, '{', '}'), 0);
	assert_int_equal(parse_levels(33, '{', '}'), -EBADMSG);
	memset(text, '[', sizeof(text));
	memcpy(text, "{\"a\":", 5);
	assert_int_equal(parse(text, 4096), -EBADMSG);
	memset(text, ' ', sizeof(text));
	memcpy(text, "{}", 2);
	assert_int_equal(parse(text, 4096), 0);
	assert_int_equal(parse(text, 4097), -E2BIG);
}

static void test_get_plain(void **state)
{
	static const char text[] = "{\"s\":\"abc\",\"n\":7,\"m\":-1,\"t\":true,\"f\":false,"
				   "\"o\":{},\"z\":null}";
	struct why why;
	json_t *o = NULL, *in = NULL;
	const char *s;
	uint64_t n;
	bool t;

	(void)state;
	assert_int_equal(jsonl_parse(text, strlen(text), 4096, &o, &why), 0);
	assert_int_equal(jsonl_get_str(o, "s", 3, &s, &why), 0);
	assert_int_equal(jsonl_get_str(o, "s", 2, &s, &why), -EBADMSG);
	assert_string_equal(why.text, "\"s\" has more than 2 bytes");
	assert_int_equal(jsonl_get_str(o, "n", 9, &s, &why), -EBADMSG);
	assert_int_equal(jsonl_get_str(o, "z", 9, &s, &why), -EBADMSG);
	assert_int_equal(jsonl_get_str(o, "none", 9, &s, &why), -ENOENT);
	assert_string_equal(why.text, "\"none\" is missing");
	assert_string_equal(s, "abc");
	assert_int_equal(jsonl_get_uint(o, "n", 7, &n, &why), 0);
	assert_int_equal(jsonl_get_uint(o, "n", 6, &n, &why), -EBADMSG);
	assert_int_equal(jsonl_get_uint(o, "m", 7, &n, &why), -EBADMSG);
	assert_int_equal(jsonl_get_uint(o, "m", UINT64_MAX, &n, &why), -EBADMSG);
	assert_int_equal(jsonl_get_uint(o, "s", 7, &n, &why), -EBADMSG);
	assert_int_equal(jsonl_get_uint(o, "t", 7, &n, &why), -EBADMSG);
	assert_true(n == 7);
	assert_int_equal(jsonl_get_bool(o, "f", &t, &why), 0);
	assert_false(t);
	assert_int_equal(jsonl_get_bool(o, "t", &t, &why), 0);
	assert_true(t);
	assert_int_equal(jsonl_get_bool(o, "n", &t, &why), -EBADMSG);
	assert_int_equal(jsonl_get_object(o, "o", &in, &why), 0);
	assert_int_equal(jsonl_get_object(o, "s", &in, &why), -EBADMSG);
	assert_int_equal(jsonl_get_array(o, "o", 9, &in, &why), -EBADMSG);
	assert_int_equal(jsonl_get_array(o, "none", 9, &in, &why), -ENOENT);
	json_decref(o);
}

static void test_get_bytes(void **state)
{
	static const char text[] =
		"{\"s\":\"abc\",\"n\":7,\"h\":\"00ff\",\"H\":\"00FF\",\"b\":\"AQI=\"}";
	struct buf b = {0};
	struct why why;
	json_t *o = NULL;
	uint8_t two[2];

	(void)state;
	assert_int_equal(jsonl_parse(text, strlen(text), 4096, &o, &why), 0);
	assert_int_equal(jsonl_get_hex(o, "h", two, 2, &why), 0);
	assert_int_equal(two[1], 0xff);
	assert_int_equal(jsonl_get_hex(o, "h", two, 1, &why), -EBADMSG);
	assert_int_equal(jsonl_get_hex(o, "H", two, 2, &why), -EBADMSG);
	assert_int_equal(jsonl_get_hex(o, "n", two, 2, &why), -EBADMSG);
	buf_puts(&b, "kept");
	assert_int_equal(jsonl_get_base64(o, "b", 2, &b, &why), 0);
	assert_true(b.size == 6 && b.data[5] == 2);
	buf_cut(&b, 4);
	/* Four digits for one byte or for two: the bound is of bytes. */
	assert_int_equal(jsonl_get_base64(o, "b", 1, &b, &why), -EBADMSG);
	assert_int_equal(jsonl_get_base64(o, "b", 0, &b, &why), -EBADMSG);
	assert_int_equal(jsonl_get_base64(o, "s", 9, &b, &why), -EBADMSG);
	assert_int_equal(jsonl_get_base64(o, "n", 9, &b, &why), -EBADMSG);
	assert_string_equal((char *)b.data, "kept");
	assert_int_equal(jsonl_get_base64(o, "b", SIZE_MAX, &b, &why), 0);
	assert_int_equal(b.size, 6);
	buf_done(&b);
	json_decref(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_write),	  cmocka_unit_test(test_utf8),
		cmocka_unit_test(test_each_byte), cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_name),	  cmocka_unit_test(test_lossy),
		cmocka_unit_test(test_both_ways), cmocka_unit_test(test_refused),
		cmocka_unit_test(test_bounds),	  cmocka_unit_test(test_get_plain),
		cmocka_unit_test(test_get_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
