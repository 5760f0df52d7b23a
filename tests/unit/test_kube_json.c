/* SPDX-License-Identifier: Apache-2.0 */
/* No text of the API has a NUL in it, and none that had one equals another; what was no NUL stays as it was. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>

#include "cleanup.h"
#include "kube_json.h"

#define FFFF "\xef\xbf\xbf"

static void test_texts(void **state)
{
	static const struct {
		const char *json, *text;
	} rows[] = {
		{"[\"a\"]", "a"},
		{"[\"\\u0000\"]", FFFF},
		{"[\"a\\u0000b\\u0000\"]", "a" FFFF "b" FFFF},
		{"[\"\\\\u0000\"]", "\\u0000"},
		{"[\"\\\\\\u0000\"]", "\\" FFFF},
		{"[\"\\\"\\u0000\\u00000\"]", "\"" FFFF FFFF "0"},
		{"[\"\\u0001\\u00001\"]", "\x01" FFFF "1"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		json_t *o = kube_json_load(rows[i].json, strlen(rows[i].json), 0);
		const json_t *t = json_array_get(o, 0);

		assert_non_null(o);
		assert_string_equal(json_string_value(t), rows[i].text);
		assert_int_equal(json_string_length(t), strlen(rows[i].text));
		json_decref(o);
	}
}

/* jansson itself takes none in a key, whatever it is told. */
static void test_keys(void **state)
{
	static const char keyed[] = "{\"a\\u0000\":1,\"a\":2}",
			  twice[] = "{\"a\\u0000\":1,\"a\\u0000\":2}";
	json_t *o = kube_json_load(keyed, strlen(keyed), JSON_REJECT_DUPLICATES);

	(void)state;
	assert_int_equal(json_object_size(o), 2);
	assert_int_equal(json_integer_value(json_object_get(o, "a")), 2);
	assert_int_equal(json_integer_value(json_object_get(o, "a" FFFF)), 1);
	json_decref(o);
	assert_null(kube_json_load(twice, strlen(twice), JSON_REJECT_DUPLICATES));
}

static void test_no_json(void **state)
{
	static const char *const bad[] = {"",		"x",	     "\\u0000",	     "[\"\\u0000\"",
					  "[\"\\u0000", "[\"\\u000", "[\"\\u0000\\", "[\\u0000]"};
	static const char raw[] = "[\"\0\"]";

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_null(kube_json_load(bad[i], strlen(bad[i]), 0));
	assert_null(kube_json_load(raw, sizeof(raw) - 1, 0));
}

/* A list of so many numbers: as many signs. */
static void put_list(struct buf *b, size_t n, const char *rest)
{
	buf_puts(b, "[1");
	for (size_t i = 1; i < n; i++)
		buf_puts(b, ",1");
	buf_puts(b, rest);
}

/* Before any of them takes its memory. Those in a text are none. */
static void test_too_many_values(void **state)
{
	static const char *const texts[] = {"", ",\"[{:,\"]", ",\"\\\"[{:,\\\\\"]"};
	static const char *const more[] = {",1]", ",[]]", ",{}]", ",\"\\\\\",1]"};
	CLEANUP(buf_done) struct buf b = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		buf_clear(&b);
		put_list(&b, KUBE_JSON_MAX_SIGNS - (i > 0), texts[i]);
		assert_true(kube_json_fits(b.data, b.size));
	}
	for (size_t i = 0; i < ARRAY_SIZE(more); i++) {
		buf_clear(&b);
		put_list(&b, KUBE_JSON_MAX_SIGNS - (i > 0), more[i]);
		assert_false(kube_json_fits(b.data, b.size));
		assert_null(kube_json_load(b.data, b.size, 0));
	}
	/* An object counts its members twice. */
	buf_clear(&b);
	put_list(&b, KUBE_JSON_MAX_SIGNS - 2, ",{\"a\":1}]");
	assert_false(kube_json_fits(b.data, b.size));
}

static int more_of(const char *list, struct buf *ret)
{
	json_t *o = kube_json_load(list, strlen(list), 0);
	int r = kube_json_more(o, ret);

	assert_non_null(o);
	json_decref(o);
	return r;
}

/* Nothing of it ends the query that it stands in. */
static void test_more(void **state)
{
	CLEANUP(buf_done) struct buf b = {0};
	char list[2048];

	(void)state;
	assert_int_equal(more_of("{\"metadata\":{\"continue\":\"aZ09&limit=1 /\"}}", &b), 0);
	assert_string_equal((char *)b.data, "aZ09%26limit%3D1%20%2F");
	assert_int_equal(more_of("{\"metadata\":{\"continue\":7}}", &b), 0);
	assert_int_equal(b.size, 0);
	snprintf(list, sizeof(list), "{\"metadata\":{\"continue\":\"%01025d\"}}", 0);
	assert_int_equal(more_of(list, &b), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_texts),	cmocka_unit_test(test_keys),
		cmocka_unit_test(test_no_json), cmocka_unit_test(test_too_many_values),
		cmocka_unit_test(test_more),
	};

	return cmocka_run_group_tests_name("kube_json", tests, NULL, NULL);
}
