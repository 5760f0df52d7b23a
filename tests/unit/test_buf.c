/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes that grow to a bound and no further, and reads that never pass the end. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "buf.h"
#include "cleanup.h"

static void test_grow(void **state)
{
	struct buf b = {0};

	(void)state;
	for (uint32_t i = 0; i < 5000; i++)
		buf_put_u8(&b, (uint8_t)i);
	assert_int_equal(buf_status(&b), 0);
	assert_int_equal(b.size, 5000);
	for (uint32_t i = 0; i < 5000; i++)
		assert_int_equal(b.data[i], (uint8_t)i);
	assert_int_equal(b.data[5000], 0);
	buf_done(&b);
	assert_null(b.data);
	buf_puts(&b, "again");
	assert_string_equal((char *)b.data, "again");
	buf_done(&b);
}

static void test_bound(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 8);
	buf_put(&b, "12345678", 8);
	assert_int_equal(buf_status(&b), 0);
	buf_put(&b, "9", 1);
	assert_int_equal(buf_status(&b), -E2BIG);
	assert_string_equal((char *)b.data, "12345678");
	/* The failure sticks: what would fit is not put either, and nobody takes a half. */
	b.size = 0;
	buf_put(&b, "x", 1);
	assert_int_equal(b.size, 0);
	assert_null(buf_take(&b));
	assert_int_equal(b.max, 8);
	buf_printf(&b, "%s", "123456789");
	assert_int_equal(buf_status(&b), -E2BIG);
	buf_clear(&b);
	buf_printf(&b, "%d", 12345678);
	assert_int_equal(buf_status(&b), 0);
	buf_put(&b, "", SIZE_MAX);
	assert_int_equal(buf_status(&b), -E2BIG);
	buf_done(&b);
	buf_init(&b, SIZE_MAX);
	buf_put(&b, "", SIZE_MAX - 1);
	assert_int_equal(buf_status(&b), -E2BIG);
	buf_done(&b);
}

/* Room that is there already gives nobody more than the bound, also when that is set after the room was taken. */
static void test_late_bound(void **state)
{
	struct buf b = {0};

	(void)state;
	buf_put(&b, "12345", 5);
	b.max = 8;
	buf_put(&b, "678", 3);
	assert_int_equal(buf_status(&b), 0);
	assert_null(buf_room(&b, 1));
	assert_int_equal(buf_status(&b), -E2BIG);
	assert_string_equal((char *)b.data, "12345678");
	buf_done(&b);
}

/* What is written in place is held to the same bound, and fails the same way. */
static void test_room(void **state)
{
	struct buf b = {0};

	(void)state;
	buf_init(&b, 100);
	buf_puts(&b, "ab");
	memset(buf_room(&b, 98), 'c', 98);
	buf_grew(&b, 97);
	assert_int_equal(b.size, 99);
	assert_int_equal(strlen((char *)b.data), 99);
	assert_non_null(buf_room(&b, 1));
	assert_null(buf_room(&b, 2));
	assert_int_equal(buf_status(&b), -E2BIG);
	assert_null(buf_room(&b, 1));
	buf_done(&b);
}

static void test_cut(void **state)
{
	struct buf b = {0};

	(void)state;
	buf_cut(&b, 0);
	assert_int_equal(b.size, 0);
	buf_puts(&b, "keep and throw");
	buf_cut(&b, 99);
	assert_int_equal(b.size, 14);
	buf_cut(&b, 4);
	assert_string_equal((char *)b.data, "keep");
	buf_puts(&b, "s");
	assert_string_equal((char *)b.data, "keeps");
	buf_clear(&b);
	assert_string_equal((char *)b.data, "");
	buf_done(&b);
}

static void test_take(void **state)
{
	CLEANUP_FREE char *text = NULL;
	CLEANUP_FREE char *empty = NULL;
	struct buf b = {0};

	(void)state;
	buf_printf(&b, "%s-%05d", "n", 42);
	text = buf_take(&b);
	assert_string_equal(text, "n-00042");
	assert_int_equal(b.size, 0);
	empty = buf_take(&b);
	assert_string_equal(empty, "");
}

static void test_order(void **state)
{
	static const uint8_t bytes[] = {0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08};
	struct buf_reader r = buf_reader_of(bytes, sizeof(bytes));
	struct buf b = {0};
	uint64_t v8;
	uint32_t v4;
	uint16_t v2;
	uint8_t v1;

	(void)state;
	assert_int_equal(buf_read_u64be(&r, &v8), 0);
	assert_true(v8 == 0x0102030405060708ull);
	r.at = 0;
	assert_int_equal(buf_read_u64le(&r, &v8), 0);
	assert_true(v8 == 0x0807060504030201ull);
	r.at = 0;
	assert_int_equal(buf_read_u32be(&r, &v4), 0);
	assert_int_equal(v4, 0x01020304);
	assert_int_equal(buf_read_u32le(&r, &v4), 0);
	assert_int_equal(v4, 0x08070605);
	r.at = 1;
	assert_int_equal(buf_read_u16be(&r, &v2), 0);
	assert_int_equal(v2, 0x0203);
	assert_int_equal(buf_read_u16le(&r, &v2), 0);
	assert_int_equal(v2, 0x0504);
	assert_int_equal(buf_read_u8(&r, &v1), 0);
	assert_int_equal(v1, 6);
	buf_put_u16be(&b, 0x0102);
	buf_put_u8(&b, 3);
	buf_put_u8(&b, 4);
	buf_put_u32be(&b, 0x05060708);
	buf_put_u64be(&b, 0x0102030405060708ull);
	assert_memory_equal(b.data, bytes, 8);
	assert_memory_equal(b.data + 8, bytes, 8);
	buf_done(&b);
}

/* One byte short of each number: refused, and the reader and the result stay as they were. */
static void test_short(void **state)
{
	static const uint8_t bytes[8] = {0};
	struct buf_reader r;
	uint64_t v8 = 7;
	uint32_t v4 = 7;
	uint16_t v2 = 7;
	uint8_t v1 = 7;

	(void)state;
	r = buf_reader_of(bytes, 7);
	assert_int_equal(buf_read_u64be(&r, &v8), -EBADMSG);
	assert_int_equal(buf_read_u64le(&r, &v8), -EBADMSG);
	r = buf_reader_of(bytes, 3);
	assert_int_equal(buf_read_u32be(&r, &v4), -EBADMSG);
	assert_int_equal(buf_read_u32le(&r, &v4), -EBADMSG);
	r = buf_reader_of(bytes, 1);
	assert_int_equal(buf_read_u16be(&r, &v2), -EBADMSG);
	assert_int_equal(buf_read_u16le(&r, &v2), -EBADMSG);
	assert_int_equal(r.at, 0);
	r = buf_reader_of(bytes, 0);
	assert_int_equal(buf_read_u8(&r, &v1), -EBADMSG);
	assert_true(v8 == 7 && v4 == 7 && v2 == 7 && v1 == 7);
}

static void test_sized(void **state)
{
	static const uint8_t sized16[] = {0, 3, 'a', 'b', 'c'};
	struct buf_view v = {NULL, 99};
	struct buf_reader r;
	struct buf b = {0};

	(void)state;
	r = buf_reader_of(sized16, sizeof(sized16));
	assert_int_equal(buf_read_sized16be(&r, 2, &v), -E2BIG);
	assert_true(r.at == 0 && v.size == 99);
	assert_int_equal(buf_read_sized16be(&r, 3, &v), 0);
	assert_memory_equal(v.data, "abc", 3);
	assert_int_equal(buf_left(&r), 0);
	for (size_t cut = 0; cut < sizeof(sized16); cut++) {
		r = buf_reader_of(sized16, cut);
		assert_int_equal(buf_read_sized16be(&r, 3, &v), -EBADMSG);
		assert_int_equal(r.at, 0);
	}
	buf_put_sized(&b, "", 0);
	buf_put_sized(&b, "abcd", 4);
	r = buf_reader_of(b.data, b.size);
	assert_int_equal(buf_read_sized32be(&r, 0, &v), 0);
	assert_int_equal(v.size, 0);
	assert_int_equal(buf_read_sized32be(&r, 4, &v), 0);
	assert_memory_equal(v.data, "abcd", 4);
	/* A length of nearly 4 GiB must not wrap around. */
	memset(b.data, 0xff, 4);
	r = buf_reader_of(b.data, b.size);
	assert_int_equal(buf_read_sized32be(&r, SIZE_MAX, &v), -EBADMSG);
	assert_int_equal(r.at, 0);
	r.at = b.size;
	assert_int_equal(buf_read_bytes(&r, SIZE_MAX, &v), -EBADMSG);
	assert_int_equal(buf_read_bytes(&r, 0, &v), 0);
	buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_grow),	   cmocka_unit_test(test_bound),
		cmocka_unit_test(test_late_bound), cmocka_unit_test(test_room),
		cmocka_unit_test(test_cut),	   cmocka_unit_test(test_take),
		cmocka_unit_test(test_order),	   cmocka_unit_test(test_short),
		cmocka_unit_test(test_sized),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
