/* SPDX-License-Identifier: Apache-2.0 */
/* The border: an operator's release, byte for byte; and each way in which one is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>

#include "dsse.h"
#include "fsio.h"
#include "plumb/wire.h"
#include "release_order.h"

#define NUMBER 1234567890123456789

static struct sign_key *ours, *second, *stranger;
static char node[65];

static int begin(void **state)
{
	struct buf pem = {0};
	struct why why;

	(void)state;
	memset(node, 'a', 64);
	assert_int_equal(
		fsio_read_file(fsio_system(), "tests/data/checkpoint/ed25519.pem", 65536, &pem), 0);
	assert_int_equal(sign_key_from_pem((char *)pem.data, pem.size, &ours, &why), 0);
	assert_int_equal(sign_key_generate(SIGN_P256, &second), 0);
	assert_int_equal(sign_key_generate(SIGN_ED25519, &stranger), 0);
	buf_done(&pem);
	return 0;
}

static int end(void **state)
{
	(void)state;
	sign_key_free(ours);
	sign_key_free(second);
	sign_key_free(stranger);
	return 0;
}

static struct order example(void)
{
	struct order o = {.number = NUMBER,
			  .kind = ORDER_RELEASE,
			  .issued_ns = 1700000000123456789,
			  .reason = "false alarm"};

	memcpy(o.node, node, sizeof(o.node));
	return o;
}

static void seal(const struct order *o, const struct sign_key *key, const char *type,
		 struct buf *ret)
{
	struct buf payload = {0};

	buf_clear(ret);
	assert_int_equal(order_write(o, &payload), 0);
	assert_int_equal(dsse_sign(type, payload.data, payload.size,
				   (const struct sign_key *const *)&key, 1, ret),
			 0);
	buf_done(&payload);
}

static int take(const struct buf *b, uint64_t number, uint32_t *ret_key)
{
	const struct sign_key *const keys[] = {second, ours};
	const struct release_order_for f = {keys, 2, node, number};
	struct order o;
	struct why why = {""};
	int r = release_order_open(b->data, b->size, &f, &o, ret_key, &why);

	assert_true(r >= 0 || why.text[0]);
	if (r >= 0)
		assert_string_equal(o.reason, "false alarm");
	return r;
}

static void test_bytes(void **state)
{
	struct order o = example();
	struct buf b = {0}, want = {0};
	uint32_t key = 9;

	(void)state;
	seal(&o, ours, WIRE_DSSE_RELEASE, &b);
	assert_int_equal(
		fsio_read_file(fsio_system(), "tests/data/isolation/release.dsse", 65536, &want),
		0);
	assert_int_equal(b.size, want.size);
	assert_memory_equal(b.data, want.data, b.size);
	assert_int_equal(take(&want, NUMBER, &key), 0);
	assert_int_equal(key, 1);
	buf_done(&b);
	buf_done(&want);
}

static void test_refused(void **state)
{
	const struct release_order_for nobody = {NULL, 0, node, NUMBER};
	struct order o = example();
	struct buf b = {0};
	struct why why;
	uint32_t key = 9;

	(void)state;
	seal(&o, second, WIRE_DSSE_RELEASE, &b);
	assert_int_equal(take(&b, NUMBER, &key), 0);
	assert_int_equal(key, 0);
	/* Another isolation's, or none's: it was used, or not asked for. */
	assert_int_equal(take(&b, NUMBER + 1, &key), -ESTALE);
	assert_int_equal(take(&b, 0, &key), -ESTALE);
	assert_int_equal(release_order_open(b.data, b.size, &nobody, &o, &key, &why),
			 -EKEYREJECTED);
	seal(&o, stranger, WIRE_DSSE_RELEASE, &b);
	assert_int_equal(take(&b, NUMBER, &key), -EKEYREJECTED);
	/* What a pinned key signed for something else. */
	seal(&o, ours, WIRE_DSSE_ORDER, &b);
	assert_true(take(&b, NUMBER, &key) < 0);
	seal(&o, ours, WIRE_DSSE_ACTION, &b);
	assert_true(take(&b, NUMBER, &key) < 0);
	for (int kind = ORDER_CHALLENGE; kind <= ORDER_SCAN; kind++) {
		o.kind = (enum order_kind)kind;
		seal(&o, ours, WIRE_DSSE_RELEASE, &b);
		assert_int_equal(take(&b, NUMBER, &key), kind == ORDER_RELEASE ? 0 : -EBADMSG);
	}
	o = example();
	o.node[3] = 'b';
	seal(&o, ours, WIRE_DSSE_RELEASE, &b);
	assert_int_equal(take(&b, NUMBER, &key), -EKEYREJECTED);
	o = example();
	seal(&o, ours, WIRE_DSSE_RELEASE, &b);
	for (size_t i = 0; i < b.size; i++) {
		struct buf cut = {0};

		buf_put(&cut, b.data, i);
		assert_true(take(&cut, NUMBER, &key) < 0);
		buf_done(&cut);
	}
	buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_bytes),
					   cmocka_unit_test(test_refused)};

	return cmocka_run_group_tests(tests, begin, end);
}
