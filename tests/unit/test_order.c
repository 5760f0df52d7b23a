/* SPDX-License-Identifier: Apache-2.0 */
/* The border: an order in its envelope as another implementation made it, read and written again as the same bytes. */
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
#include "order.h"
#include "plumb/wire.h"

static void read_data(const char *path, struct buf *ret)
{
	assert_int_equal(fsio_read_file(fsio_system(), path, 65536, ret), 0);
}

static void test_example(void **state)
{
	struct buf pem = {0}, env = {0}, want = {0}, text = {0}, again = {0};
	struct sign_key *k = NULL;
	const struct sign_key *keys[1];
	struct why why = {""};
	struct order o;

	(void)state;
	read_data("tests/data/checkpoint/p256.pem", &pem);
	read_data("tests/data/order/order.dsse", &env);
	read_data("tests/data/order/order.json", &want);
	assert_int_equal(sign_key_from_pem((char *)pem.data, pem.size, &k, &why), 0);
	keys[0] = k;
	assert_int_equal(
		dsse_open(env.data, env.size, 8192, WIRE_DSSE_ORDER, keys, 1, &text, NULL, &why),
		0);
	assert_int_equal(order_parse(text.data, text.size, &o, &why), 0);
	assert_int_equal(o.kind, ORDER_BASELINE);
	assert_int_equal(o.number, 3);
	assert_int_equal(o.head_size, 12);
	assert_int_equal(o.life_ms, 600000);
	assert_int_equal(o.version, 2);
	assert_string_equal(o.case_id, "");
	assert_string_equal(o.reason, "new packages");
	assert_int_equal(order_write(&o, &again), 0);
	assert_int_equal(again.size, want.size);
	assert_memory_equal(again.data, want.data, want.size);
	sign_key_free(k);
	buf_done(&pem);
	buf_done(&env);
	buf_done(&want);
	buf_done(&text);
	buf_done(&again);
}

/* A kind that came later: its payload, byte for byte. */
static void test_example_scan(void **state)
{
	struct buf want = {0}, again = {0};
	struct why why = {""};
	struct order o;

	(void)state;
	read_data("tests/data/order/scan.json", &want);
	assert_int_equal(order_parse(want.data, want.size, &o, &why), 0);
	assert_int_equal(o.kind, ORDER_SCAN);
	assert_int_equal(o.number, 4);
	assert_string_equal(o.reason, "alice: after the incident");
	assert_int_equal(order_write(&o, &again), 0);
	assert_int_equal(again.size, want.size);
	assert_memory_equal(again.data, want.data, want.size);
	buf_done(&want);
	buf_done(&again);
}

static void test_key_bytes(void **state)
{
	struct buf want = {0}, again = {0};
	struct order o;
	struct why why;
	char *at;

	(void)state;
	read_data("tests/data/order/order_key.json", &want);
	assert_int_equal(order_parse(want.data, want.size, &o, &why), 0);
	assert_int_equal(o.kind, ORDER_KEY);
	assert_int_equal(o.key_size, 91);
	assert_int_equal(order_write(&o, &again), 0);
	assert_int_equal(again.size, want.size);
	assert_memory_equal(again.data, want.data, want.size);
	/* Without its key it is none. */
	at = memmem(again.data, again.size, "\"key\"", 5);
	assert_non_null(at);
	at[1] = 'x';
	assert_int_equal(order_parse(again.data, again.size, &o, &why), -EBADMSG);
	buf_done(&want);
	buf_done(&again);
}

static void test_witness_key(void **state)
{
	struct buf want = {0}, again = {0};
	struct order o;
	struct why why;

	(void)state;
	read_data("tests/data/order/witness_key.json", &want);
	assert_int_equal(order_parse(want.data, want.size, &o, &why), 0);
	assert_int_equal(o.kind, ORDER_WITNESS_KEY);
	assert_int_equal(o.key_size, 44);
	assert_int_equal(o.head_size, 12);
	assert_int_equal(order_write(&o, &again), 0);
	assert_int_equal(again.size, want.size);
	assert_memory_equal(again.data, want.data, want.size);
	buf_done(&want);
	buf_done(&again);
}

static void test_kinds(void **state)
{
	static const char *const names[] = {"challenge",  "baseline",  "restart",
					    "quarantine", "release",   "scan",
					    "rekey",	  "order_key", "witness_key"};

	(void)state;
	for (int k = ORDER_CHALLENGE; k <= ORDER_WITNESS_KEY; k++) {
		struct order o = {.kind = (enum order_kind)k}, back;
		struct buf text = {0};

		memset(o.node, 'a', 64);
		memset(o.key, 7, 91);
		o.key_size = 91;
		assert_string_equal(order_kind_name(o.kind), names[k - 1]);
		assert_int_equal(order_write(&o, &text), 0);
		assert_int_equal(order_parse(text.data, text.size, &back, NULL), 0);
		assert_int_equal(back.kind, k);
		assert_int_equal(back.key_size, k >= ORDER_KEY ? 91 : 0);
		buf_done(&text);
	}
	assert_null(order_kind_name((enum order_kind)0));
	assert_null(order_kind_name((enum order_kind)10));
	assert_null(order_kind_name((enum order_kind) - 1));
}

static void test_broken(void **state)
{
	static const struct {
		const char *from, *to, *why;
	} twins[] = {
		{"\"v\":1", "\"v\":2", "\"v\""},
		{"\"node\":\"5e", "\"node\":\"5g", "\"node\""},
		{"\"number\":3", "\"number\":-3", "\"number\""},
		{"\"number\":3", "\"number\":9223372036854775808", ""},
		{"\"number\":3,", "", "\"number\""},
		{"\"kind\":\"baseline", "\"kind\":\"reboot", "\"kind\""},
		{"\"kind\":\"baseline", "\"kind\":\"", "\"kind\""},
		{"\"kind\":\"baseline\"", "\"kind\":2", "\"kind\""},
		{"\"case\":\"",
		 "\"case\":\"0123456789012345678901234567890123456789012345678901234567890123",
		 "\"case\""},
		{"\"issued\":\"2026-11-23T19", "\"issued\":\"2026-11-23T29", "\"issued\""},
		{"\"head_root\":\"47", "\"head_root\":\"4", "\"head_root\""},
		{"\"life_ms\":600000", "\"life_ms\":\"600000\"", "\"life_ms\""},
		{"\"version\":2}", "\"version\":2}}", ""},
		{"\"version\":2}", "\"version\":2,\"number\":4}", "uplicate"},
	};
	struct buf text = {0};

	(void)state;
	read_data("tests/data/order/order.json", &text);
	for (size_t i = 0; i < sizeof(twins) / sizeof(twins[0]); i++) {
		const char *at = strstr((char *)text.data, twins[i].from);
		struct buf twin = {0};
		struct why why = {""};
		struct order o;

		assert_non_null(at);
		buf_put(&twin, text.data, (size_t)(at - (char *)text.data));
		buf_puts(&twin, twins[i].to);
		buf_puts(&twin, at + strlen(twins[i].from));
		assert_int_equal(order_parse(twin.data, twin.size, &o, &why), -EBADMSG);
		if (!strstr(why.text, twins[i].why))
			fail_msg("%s: %s", twins[i].to, why.text);
		buf_done(&twin);
	}
	for (size_t n = 0; n < text.size; n++) {
		struct order o;

		assert_true(order_parse(text.data, n, &o, NULL) < 0);
	}
	buf_done(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_example),	    cmocka_unit_test(test_example_scan),
		cmocka_unit_test(test_witness_key), cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_key_bytes),   cmocka_unit_test(test_broken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
