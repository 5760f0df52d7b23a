/* SPDX-License-Identifier: Apache-2.0 */
/* Line 0 and the record name the same predecessor, or both none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "first_line.h"

#define ROOT "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define ITS "{\"origin\":\"test/node/a/1\",\"size\":12,\"root\":\"" ROOT "\"}"

static bool good(const struct record *r, const char *predecessor)
{
	char text[512];
	struct why why = {""};
	bool is;

	snprintf(text, sizeof(text),
		 "{\"v\":1,\"seq\":0,\"type\":\"log\"%s%s}\n{\"predecessor\":4}\n",
		 predecessor ? ",\"predecessor\":" : "", predecessor ? predecessor : "");
	is = first_line_is_good(r, text, strlen(text), &why);
	assert_int_equal(is, why.text[0] == 0);
	return is;
}

static void test_second_history(void **state)
{
	struct record r = {.incarnation = 2, .predecessor_size = 12};

	(void)state;
	snprintf(r.predecessor_origin, sizeof(r.predecessor_origin), "test/node/a/1");
	for (int i = 0; i < DIGEST_SIZE; i++)
		r.predecessor_root.bytes[i] = (uint8_t)i;
	assert_true(good(&r, ITS));
	assert_false(good(&r, "null"));
	assert_false(good(&r, NULL));
	assert_false(good(&r, "7"));
	assert_false(good(&r, "{}"));
	r.predecessor_size = 11;
	assert_false(good(&r, ITS));
	r.predecessor_size = 12;
	r.predecessor_root.bytes[31] ^= 1;
	assert_false(good(&r, ITS));
	r.predecessor_root.bytes[31] ^= 1;
	r.predecessor_origin[12] = '2';
	assert_false(good(&r, ITS));
}

static void test_first_history(void **state)
{
	const struct record r = {.incarnation = 1};
	struct why why = {""};

	(void)state;
	assert_true(good(&r, "null"));
	assert_true(good(&r, NULL));
	assert_false(good(&r, ITS));
	assert_false(good(&r, "{}"));
	/* None, and what is none. */
	assert_true(first_line_is_good(&r, NULL, 0, &why));
	assert_true(first_line_is_good(&r, "x", 1, &why));
	assert_true(first_line_is_good(&r, "x\n", 2, &why));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_second_history),
		cmocka_unit_test(test_first_history),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
