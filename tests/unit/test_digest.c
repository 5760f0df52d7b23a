/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256, hex and base64: known answers, one spelling for one value, and what must be refused. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "digest.h"

static void assert_hex(const struct digest *d, const char *hex)
{
	char got[DIGEST_HEX_SIZE];

	digest_hex(d, got);
	assert_string_equal(got, hex);
}

/* FIPS 180-4's examples. */
#define EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define MILLION "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"

static void test_sha256(void **state)
{
	const struct buf_view parts[] = {
		{(const uint8_t *)"a", 1}, {NULL, 0}, {(const uint8_t *)"bc", 2}};
	struct digest_stream *s = NULL;
	static char as[1000];
	struct digest d;

	(void)state;
	assert_int_equal(digest_sha256("", 0, &d), 0);
	assert_hex(&d, EMPTY);
	assert_int_equal(digest_sha256("abc", 3, &d), 0);
	assert_hex(&d, ABC);
	assert_int_equal(digest_sha256_parts(parts, 3, &d), 0);
	assert_hex(&d, ABC);
	assert_int_equal(digest_sha256_parts(NULL, 0, &d), 0);
	assert_hex(&d, EMPTY);
	memset(as, 'a', sizeof(as));
	assert_int_equal(digest_stream_open(&s), 0);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(digest_stream_add(s, as, sizeof(as)), 0);
	assert_int_equal(digest_stream_end(s, &d), 0);
	assert_hex(&d, MILLION);
	/* Fed anew. */
	assert_int_equal(digest_stream_add(s, "abc", 3), 0);
	assert_int_equal(digest_stream_end(s, &d), 0);
	assert_hex(&d, ABC);
	assert_null(digest_stream_free(s));
	assert_null(digest_stream_free(NULL));
}

static void *hash_in_thread(void *ctx)
{
	const char *text = ctx;
	struct digest *d = malloc(sizeof(*d)), again;

	for (int i = 0; i < 1000; i++) {
		assert_int_equal(digest_sha256(text, strlen(text), d), 0);
		assert_int_equal(digest_sha256("", 0, &again), 0);
	}
	return d;
}

/* Each has a state of its own, and none is left when a thread ends: the sanitizers would tell. */
static void test_threads(void **state)
{
	static const char *const texts[] = {"abc", "abcd", "x"};
	pthread_t threads[3];

	(void)state;
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(
			pthread_create(&threads[i], NULL, hash_in_thread, (void *)texts[i]), 0);
	for (size_t i = 0; i < 3; i++) {
		struct digest here;
		void *there;

		assert_int_equal(pthread_join(threads[i], &there), 0);
		assert_int_equal(digest_sha256(texts[i], strlen(texts[i]), &here), 0);
		assert_true(digest_equal(&here, there));
		free(there);
	}
}

static void test_fd(void **state)
{
	FILE *f = tmpfile();
	struct digest d = {{7}};
	uint64_t size = 7;
	int fd;

	(void)state;
	assert_non_null(f);
	fd = fileno(f);
	assert_int_equal(digest_fd(fd, 0, &d, NULL), 0);
	assert_hex(&d, EMPTY);
	for (int i = 0; i < 1000000; i++)
		fputc('a', f);
	assert_int_equal(fflush(f), 0);
	/* From its start, wherever the descriptor stands. */
	assert_int_equal(digest_fd(fd, 0, &d, &size), 0);
	assert_hex(&d, MILLION);
	assert_true(size == 1000000);
	assert_int_equal(digest_fd(fd, 1000000, &d, &size), 0);
	d.bytes[0] = 9;
	size = 7;
	assert_int_equal(digest_fd(fd, 999999, &d, &size), -EFBIG);
	assert_true(d.bytes[0] == 9 && size == 7);
	fclose(f);
	assert_int_equal(digest_fd(-1, 0, &d, &size), -EBADF);
}

static void test_hex(void **state)
{
	static const uint8_t bytes[] = {0x00, 0x9a, 0xff};
	char hex[7], text[DIGEST_HEX_SIZE + 1] = ABC, room[2 * 256 + 1];
	struct digest d, e;
	uint8_t got[3];

	(void)state;
	digest_bytes_hex(bytes, 3, hex);
	assert_string_equal(hex, "009aff");
	assert_int_equal(digest_bytes_from_hex(hex, 6, got, 3), 0);
	assert_memory_equal(got, bytes, 3);
	assert_int_equal(digest_bytes_from_hex("", 0, got, 0), 0);
	assert_int_equal(digest_bytes_from_hex(hex, 6, got, 2), -EBADMSG);
	assert_int_equal(digest_bytes_from_hex(hex, 5, got, 3), -EBADMSG);
	assert_int_equal(digest_bytes_from_hex("009AFF", 6, got, 3), -EBADMSG);
	assert_int_equal(digest_bytes_from_hex("009a\0f", 6, got, 3), -EBADMSG);
	assert_int_equal(digest_bytes_from_hex(" 09aff", 6, got, 3), -EBADMSG);
	assert_memory_equal(got, bytes, 3);
	/* Each value of a byte at each place, whatever size is left over. */
	for (size_t size = 0; size <= 256; size++) {
		char all[2 * 256 + 2] = "", *at = all;
		uint8_t data[256];

		for (size_t i = 0; i < size; i++) {
			data[i] = (uint8_t)(i + 7 * size);
			at += snprintf(at, 3, "%02x", data[i]);
		}
		digest_bytes_hex(data, size, room);
		assert_string_equal(room, all);
	}
	assert_int_equal(digest_from_hex(text, &d), 0);
	assert_int_equal(digest_sha256("abc", 3, &e), 0);
	assert_true(digest_equal(&d, &e));
	for (size_t i = 0; i < 256; i++) {
		e.bytes[i / 8] ^= (uint8_t)(1u << i % 8);
		assert_false(digest_equal(&d, &e));
		e.bytes[i / 8] ^= (uint8_t)(1u << i % 8);
	}
	text[63] = 0;
	assert_int_equal(digest_from_hex(text, &d), -EBADMSG);
	memcpy(text + 63, "d0", 3);
	assert_int_equal(digest_from_hex(text, &d), -EBADMSG);
}

/* RFC 4648, 10. */
static const char *const good[] = {"", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"};

static void test_base64(void **state)
{
	static const char *const bad[] = {
		"Z",	    "Zg",      "Zg=",	"Zg===",    "Zh==", "Zm9=",
		"Zm9v\n",   " Zm9",    "Zm-v",	"Zm_v",	    "====", "=",
		"Zg==Zg==", "Z===",    "Zm9v=", "Zm9v====", "Zm=v", "\xff\xff\xff\xff",
		"Zm9vZ=g=", "Zm8=Zm9v"};
	struct buf b = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		buf_clear(&b);
		assert_int_equal(digest_from_base64(good[i], strlen(good[i]), &b), 0);
		assert_int_equal(b.size, i);
		assert_true(i == 0 || memcmp(b.data, "foobar", i) == 0);
		buf_clear(&b);
		buf_puts(&b, ">");
		digest_base64(&b, "foobar", i);
		assert_string_equal((char *)b.data + 1, good[i]);
	}
	buf_clear(&b);
	buf_puts(&b, "kept");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(digest_from_base64(bad[i], strlen(bad[i]), &b), -EBADMSG);
		assert_string_equal((char *)b.data, "kept");
	}
	assert_int_equal(digest_from_base64("Zm\0v", 4, &b), -EBADMSG);
	buf_done(&b);
	/* No room: nothing of it stays. */
	buf_init(&b, 4);
	assert_int_equal(digest_from_base64("Zm9vYmFy", 8, &b), -E2BIG);
	assert_int_equal(b.size, 0);
	buf_done(&b);
}

static void test_base64_url(void **state)
{
	static const uint8_t bytes[] = {0xfb, 0xef, 0xff, 0xfe};
	static const char *const bad[] = {
		"-", "--_-_", "Zg==", "Zm8=", "Zh", "Zm9", "++/+", "Zm9v\n"};
	struct buf b = {0};

	(void)state;
	digest_base64_url(&b, bytes, sizeof(bytes));
	assert_string_equal((char *)b.data, "--___g");
	buf_clear(&b);
	assert_int_equal(digest_from_base64_url("--___g", 6, &b), 0);
	assert_int_equal(b.size, sizeof(bytes));
	assert_memory_equal(b.data, bytes, sizeof(bytes));
	buf_clear(&b);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(digest_from_base64_url(bad[i], strlen(bad[i]), &b), -EBADMSG);
	assert_int_equal(b.size, 0);
	digest_base64(&b, bytes, sizeof(bytes));
	assert_string_equal((char *)b.data, "++///g==");
	buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sha256), cmocka_unit_test(test_threads),
		cmocka_unit_test(test_fd),     cmocka_unit_test(test_hex),
		cmocka_unit_test(test_base64), cmocka_unit_test(test_base64_url),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
