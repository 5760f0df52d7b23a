/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes, hex, base64, times: known answers and what must be refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "clock.h"
#include "digest.h"
#include "plumb/terms.h"

static void test_sha256(void **state)
{
	struct digest d, e;
	char hex[DIGEST_HEX_SIZE];

	(void)state;
	assert_int_equal(digest_sha256("abc", 3, &d), 0);
	digest_hex(&d, hex);
	assert_string_equal(hex,
			    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	assert_int_equal(digest_from_hex(hex, &e), 0);
	assert_true(digest_equal(&d, &e));
	hex[5] = 'A';
	assert_true(digest_from_hex(hex, &e) < 0);
	hex[63] = 0;
	assert_true(digest_from_hex(hex, &e) < 0);
}

static void test_base64(void **state)
{
	static const char *const good[] = {"",	       "Zg==",	   "Zm8=",    "Zm9v",
					   "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"};
	static const char *const bad[] = {
		"Z", "Zg", "Zg=", "Zh==", "Zm9=", "Zm9v\n", " Zm9", "Zm-v", "====", "Zg==Zg=="};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct buf b = {0}, t = {0};

		assert_int_equal(digest_from_base64(good[i], strlen(good[i]), &b), 0);
		assert_int_equal(b.size, i);
		assert_true(i == 0 || memcmp(b.data, "foobar", i) == 0);
		digest_base64(&t, "foobar", i);
		assert_true(i == 0 || strcmp((char *)t.data, good[i]) == 0);
		buf_done(&b);
		buf_done(&t);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct buf b = {0};

		assert_true(digest_from_base64(bad[i], strlen(bad[i]), &b) < 0);
		assert_int_equal(b.size, 0);
		buf_done(&b);
	}
}

static void test_buf(void **state)
{
	struct buf b;
	struct buf_reader r;
	struct buf_view v;
	uint64_t n;
	uint16_t s;

	(void)state;
	buf_init(&b, 16);
	buf_put_u64be(&b, 0x0102030405060708ull);
	buf_put_sized(&b, "abc", 3);
	assert_int_equal(buf_status(&b), 0);
	buf_put_u16be(&b, 1);
	assert_true(buf_status(&b) < 0);
	r = buf_reader_of(b.data, 15);
	assert_int_equal(buf_read_u64be(&r, &n), 0);
	assert_true(n == 0x0102030405060708ull);
	assert_true(buf_read_sized32be(&r, 2, &v) < 0);
	assert_int_equal(r.at, 8);
	assert_int_equal(buf_read_sized32be(&r, 3, &v), 0);
	assert_memory_equal(v.data, "abc", 3);
	assert_true(buf_read_u16le(&r, &s) < 0);
	r = buf_reader_of(b.data, 14);
	assert_int_equal(buf_read_u16le(&r, &s), 0);
	assert_int_equal(s, 0x0201);
	r.at = 8;
	assert_true(buf_read_sized32be(&r, 3, &v) < 0);
	buf_done(&b);
}

static void test_clock(void **state)
{
	static const char *const bad[] = {"2026-02-30T00:00:00.000000000Z", "2026-11-24T00:00:00Z",
					  "2026-11-24T24:00:00.000000000Z", ""};
	char text[CLOCK_TEXT_SIZE];
	uint64_t ns;

	(void)state;
	clock_text(1700000000123456789ull, text);
	assert_string_equal(text, "2023-11-14T22:13:20.123456789Z");
	assert_int_equal(clock_from_text(text, &ns), 0);
	assert_true(ns == 1700000000123456789ull);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_true(clock_from_text(bad[i], &ns) < 0);
}

static void test_terms(void **state)
{
	(void)state;
	assert_string_equal(terms_type_name(PLUMB_TYPE_EXEC), "exec");
	assert_int_equal(terms_type_from_name("gap"), PLUMB_TYPE_GAP);
	assert_int_equal(terms_type_from_name("nonsense"), PLUMB_TYPE_UNKNOWN);
	assert_int_equal(terms_finding_from_name(NULL), 0);
	for (int v = 1; v <= 12; v++)
		assert_int_equal(terms_finding_from_name(terms_finding_name((enum plumb_finding)v)),
				 v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sha256), cmocka_unit_test(test_base64),
		cmocka_unit_test(test_buf),    cmocka_unit_test(test_clock),
		cmocka_unit_test(test_terms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
