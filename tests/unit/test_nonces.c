/* SPDX-License-Identifier: Apache-2.0 */
/* A nonce is good for one node, once, for ten seconds of boot time; nodes that share a row do not take it from each other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>

#include "nonces.h"

#define A "00000000aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static uint64_t now;

static uint64_t boot(void *ctx)
{
	(void)ctx;
	return now;
}

/* UTC is not asked: whoever sets it back makes no old nonce good. */
static uint64_t utc(void *ctx)
{
	(void)ctx;
	fail();
	return 0;
}

static int set_up(void **state)
{
	static const struct clock clock = {utc, boot, NULL};

	now = 1000000000;
	return nonces_open(&clock, (struct nonces **)state);
}

static int tear_down(void **state)
{
	nonces_free(*state);
	return 0;
}

static void test_once(void **state)
{
	struct nonces *n = *state;
	uint8_t one[WIRE_NONCE_SIZE], two[WIRE_NONCE_SIZE], bad[WIRE_NONCE_SIZE] = {0};

	assert_int_equal(nonces_take(n, A, bad), -ENOENT);
	assert_int_equal(nonces_give(n, A, one), 0);
	memcpy(bad, one, sizeof(bad));
	bad[31] ^= 1;
	/* A wrong guess does not spend it. */
	assert_int_equal(nonces_take(n, A, bad), -ENOENT);
	assert_int_equal(nonces_take(n, A, one), 0);
	assert_int_equal(nonces_take(n, A, one), -ENOENT);
	assert_int_equal(nonces_give(n, A, one), 0);
	assert_int_equal(nonces_give(n, A, two), 0);
	assert_memory_not_equal(one, two, sizeof(one));
	assert_int_equal(nonces_take(n, A, one), -ENOENT);
	assert_int_equal(nonces_take(n, A, two), 0);
}

static void test_time(void **state)
{
	struct nonces *n = *state;
	uint8_t nonce[WIRE_NONCE_SIZE];

	assert_int_equal(nonces_give(n, A, nonce), 0);
	now += WIRE_NONCE_LIFE_MS * 1000000ull;
	assert_int_equal(nonces_take(n, A, nonce), 0);
	assert_int_equal(nonces_give(n, A, nonce), 0);
	now += WIRE_NONCE_LIFE_MS * 1000000ull + 1;
	assert_int_equal(nonces_take(n, A, nonce), -ETIMEDOUT);
	assert_int_equal(nonces_take(n, A, nonce), -ENOENT);
}

/* All in one row: as many as it has places go well together, each with what was given to it. */
static void test_shared_row(void **state)
{
	struct nonces *n = *state;
	uint8_t nonce[NONCES_WAYS + 1][WIRE_NONCE_SIZE];
	char id[NONCES_WAYS + 1][65];

	for (unsigned int i = 0; i <= NONCES_WAYS; i++) {
		snprintf(id[i], sizeof(id[i]), "%s", A);
		id[i][63] = (char)('0' + i);
	}
	for (unsigned int i = 0; i < NONCES_WAYS; i++)
		assert_int_equal(nonces_give(n, id[i], nonce[i]), 0);
	assert_int_equal(nonces_take(n, id[0], nonce[1]), -ENOENT);
	for (unsigned int i = 0; i < NONCES_WAYS; i++)
		assert_int_equal(nonces_take(n, id[i], nonce[i]), 0);
	/* One that asks without end takes nobody's. */
	assert_int_equal(nonces_give(n, id[0], nonce[0]), 0);
	for (unsigned int i = 0; i < 1000; i++)
		assert_int_equal(nonces_give(n, id[1], nonce[1]), 0);
	assert_int_equal(nonces_take(n, id[0], nonce[0]), 0);
	/* One too many: the oldest has to ask again. */
	for (unsigned int i = 0; i <= NONCES_WAYS; i++) {
		now++;
		assert_int_equal(nonces_give(n, id[i], nonce[i]), 0);
	}
	assert_int_equal(nonces_take(n, id[1], nonce[1]), 0);
	assert_int_equal(nonces_take(n, id[NONCES_WAYS], nonce[NONCES_WAYS]), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_time, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_shared_row, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("nonces", tests, NULL, NULL);
}
