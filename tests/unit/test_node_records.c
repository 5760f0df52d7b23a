/* SPDX-License-Identifier: Apache-2.0 */
/* A record is what was parsed of the very bytes that are asked for, whoever was asked for before. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "fsio.h"
#include "node_records.h"

static struct buf example(void)
{
	struct buf b = {0};

	assert_int_equal(fsio_read_file(fsio_system(), "tests/data/record/record.json", 65536, &b),
			 0);
	return b;
}

/* The same record with another label, of the same length. */
static void relabel(struct buf *b, unsigned int number)
{
	char *at = strstr((char *)b->data, "\"label\":\""), text[8];

	assert_non_null(at);
	snprintf(text, sizeof(text), "%04u", number % 10000);
	memcpy(at + 9, text, 4);
}

static void test_same(void **state)
{
	struct buf json = example();
	struct node_records *n = NULL;
	const struct record *first = NULL, *again = NULL;
	struct record parsed = {.incarnation = 0};
	struct why why = {""};

	(void)state;
	assert_int_equal(node_records_open(&n), 0);
	assert_int_equal(record_parse(json.data, json.size, &parsed, &why), 0);
	assert_int_equal(node_records_get(n, json.data, json.size, &first, &why), 0);
	assert_string_equal(first->node, parsed.node);
	assert_int_equal(first->ak_public.size, parsed.ak_public.size);
	assert_int_equal(node_records_get(n, json.data, json.size, &again, &why), 0);
	assert_ptr_equal(first, again);
	record_done(&parsed);
	node_records_free(n);
	buf_done(&json);
}

/* More of them than are kept: each is its own. */
static void test_many(void **state)
{
	struct buf json = example();
	struct node_records *n = NULL;
	struct why why = {""};

	(void)state;
	assert_int_equal(node_records_open(&n), 0);
	for (unsigned int i = 0; i < 2 * 1500; i++) {
		const struct record *r = NULL;
		char text[8];

		relabel(&json, i % 1500);
		assert_int_equal(node_records_get(n, json.data, json.size, &r, &why), 0);
		snprintf(text, sizeof(text), "%04u", i % 1500);
		assert_int_equal(strncmp(r->label, text, 4), 0);
	}
	node_records_free(n);
	buf_done(&json);
}

static void test_broken(void **state)
{
	struct buf json = example();
	struct node_records *n = NULL;
	const struct record *r = NULL;
	struct why why = {""};

	(void)state;
	assert_int_equal(node_records_open(&n), 0);
	for (int i = 0; i < 2; i++) {
		assert_true(node_records_get(n, json.data, json.size / 2, &r, &why) < 0);
		assert_null(r);
		assert_true(why.text[0]);
	}
	assert_int_equal(node_records_get(n, json.data, json.size, &r, &why), 0);
	node_records_free(n);
	buf_done(&json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_broken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
