/* SPDX-License-Identifier: Apache-2.0 */
/* Lines that are other than before; who is wanted; and each reason for telling none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "file_texts.h"
#include "text_diff.h"

static const char *const wanted[] = {"/etc/app", "/etc/secret.conf"};

static int open_texts(uint32_t max_bytes, const struct redact *redact, struct file_texts **ret)
{
	return file_texts_open(
		&(struct file_texts_options){
			.paths = wanted, .n_paths = 2, .redact = redact, .max_bytes = max_bytes},
		ret);
}

/* What is told when path has these bytes now. */
static const char *take(struct file_texts *t, const char *path, const char *text, size_t size,
			bool was_absent)
{
	static char told[8192];
	int fd = memfd_create("text", MFD_CLOEXEC);
	struct buf out = {0};
	struct digest d;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, size), size);
	assert_int_equal(digest_sha256(text, size, &d), 0);
	assert_int_equal(file_texts_take(t, path, fd, &d, was_absent, &out), 0);
	snprintf(told, sizeof(told), "%s", out.data ? (char *)out.data : "");
	buf_done(&out);
	close(fd);
	return told;
}

static void expect(struct file_texts *t, const char *text, const char *want)
{
	assert_string_equal(take(t, "/etc/app/a", text, strlen(text), false), want);
}

static void test_lines(void **state)
{
	struct file_texts *t;
	struct buf out = {0};

	(void)state;
	assert_int_equal(open_texts(0, NULL, &t), 0);
	expect(t, "one\ntwo\n", "");
	expect(t, "one\ntwo\n", "");
	expect(t, "one\npassword=x\n", "@@ -2 +2 @@\n-two\n+password=***");
	expect(t, "one\n", "@@ -2 +1,0 @@\n-password=***");
	assert_int_equal(file_texts_gone(t, "/etc/app/a", &out), 0);
	assert_string_equal((char *)out.data, "@@ -1 +0,0 @@\n-one");
	assert_int_equal(file_texts_n_bytes(t), 0);
	expect(t, "one\n", ""); /* nothing is known of it */
	assert_string_equal(take(t, "/etc/app/new", "x\n", 2, true), "@@ -0,0 +1 @@\n+x");
	buf_done(&out);
	file_texts_free(t);
}

/* What a person named as well, and what is hidden in arguments of programs; a line that is very long is hidden from where nobody looks. */
static void test_redact(void **state)
{
	static const char *const patterns[] = {"pin=([0-9]+)"};
	static char text[REDACT_MAX_LINE + 100];
	struct redact *redact;
	struct file_texts *t;
	struct why why = {""};
	struct buf out = {0};

	(void)state;
	assert_int_equal(redact_open(patterns, 1, &redact, &why), 0);
	assert_int_equal(open_texts(0, redact, &t), 0);
	expect(t, "one\n", "");
	expect(t, "a pin=1234 b\n", "@@ -1 +1 @@\n-one\n+a pin=*** b");
	expect(t, "MYSQL_PWD=hunter2\n", "@@ -1 +1 @@\n-a pin=*** b\n+MYSQL_PWD=***");
	expect(t, "", "@@ -1 +0,0 @@\n-MYSQL_PWD=***");
	memset(text, 'x', sizeof(text));
	redact_line(redact, text, sizeof(text), &out);
	assert_int_equal(out.size, REDACT_MAX_LINE + 3);
	assert_string_equal((char *)out.data + REDACT_MAX_LINE, "***");
	buf_done(&out);
	file_texts_free(t);
	redact_free(redact);
}

static void test_none(void **state)
{
	static char big[TEXT_DIFF_MAX_SIZE + 2], long_text[FILE_TEXTS_MAX_DIFF + 2000];
	struct file_texts *t;
	struct buf out = {0};
	struct digest other;
	int fd = memfd_create("text", MFD_CLOEXEC);

	(void)state;
	assert_int_equal(open_texts(100000, NULL, &t), 0);
	expect(t, "one\n", "");
	assert_string_equal(take(t, "/etc/app/a", "\0", 1, false), "none: not text");
	expect(t, "one\n", "none: not text"); /* that it was none is known */
	memset(big, 'x', sizeof(big) - 1);
	expect(t, big, "none: too long");
	expect(t, "one\n", "none: too long");
	/* 47 lines of 105 bytes: few enough, and together too much. */
	for (size_t i = 0; i < 47; i++)
		memcpy(long_text + i * 105, i % 2 ? big : "yyyy\n", i % 2 ? 104 : 5);
	for (size_t i = 0; i < 46; i++)
		long_text[i * 105 + 104] = '\n';
	long_text[46 * 105] = '\0';
	for (char *p = long_text; p < long_text + 46 * 105; p++)
		*p = *p ? *p : 'y';
	expect(t, long_text, "none: too different");
	/* Bytes that were not measured are not told, nor kept. */
	assert_int_equal(digest_sha256("b", 1, &other), 0);
	assert_int_equal(write(fd, "a", 1), 1);
	assert_int_equal(file_texts_take(t, "/etc/app/a", fd, &other, false, &out), 0);
	assert_string_equal((char *)out.data, "none: changed while it was read");
	expect(t, "one\n", "none: changed while it was read");
	close(fd);
	buf_done(&out);
	file_texts_free(t);
}

/* The bound holds, and who found no room says so. */
static void test_room(void **state)
{
	static char text[30000];
	struct file_texts *t;
	char path[64];

	(void)state;
	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 2] = '\n';
	assert_int_equal(open_texts(100000, NULL, &t), 0);
	for (int i = 0; i < 5; i++) {
		snprintf(path, sizeof(path), "/etc/app/%d", i);
		assert_string_equal(take(t, path, text, sizeof(text) - 1, false), "");
		assert_true(file_texts_n_bytes(t) <= 100000);
	}
	assert_string_equal(take(t, "/etc/app/4", "b\n", 2, false), "none: no text kept");
	assert_string_equal(take(t, "/etc/app/4", "c\n", 2, false), "@@ -1 +1 @@\n-b\n+c");
	assert_string_equal(take(t, "/etc/app/0", "b\n", 2, false),
			    "@@ -1 +1 @@\n-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
			    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
			    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa…\n+b");
	file_texts_free(t);
}

static void test_wanted(void **state)
{
	const struct stat open_to_all = {.st_mode = S_IFREG | 0644};
	const struct stat secret = {.st_mode = S_IFREG | 0640};
	struct file_texts *t;

	(void)state;
	assert_int_equal(open_texts(0, NULL, &t), 0);
	assert_true(file_texts_wants(t, "/etc/app/deep/a", &open_to_all));
	assert_false(file_texts_wants(t, "/etc/app/deep/a", &secret));
	assert_true(file_texts_wants(t, "/etc/secret.conf", &secret));
	assert_false(file_texts_wants(t, "/etc/application", &open_to_all));
	assert_false(file_texts_wants(t, "/etc/passwd", &open_to_all));
	file_texts_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),  cmocka_unit_test(test_redact),
		cmocka_unit_test(test_none),   cmocka_unit_test(test_room),
		cmocka_unit_test(test_wanted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
