/* SPDX-License-Identifier: Apache-2.0 */
/* Canonical values: two hosts in the same state say the same text, and what could not be read says so. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "claims.h"
#include "cleanup.h"
#include "line.h"

#define HEX "ab00000000000000000000000000000000000000000000000000000000000000"

static void test_files(void **state)
{
	static const struct {
		mode_t mode;
		bool hashed;
		const char *target, *value;
	} rows[] = {
		{S_IFREG | 04755, true, NULL, "reg 4755 1:2 3 sha256:" HEX},
		{S_IFREG | 0, true, NULL, "reg 0000 1:2 3 sha256:" HEX},
		{S_IFREG | 0644, false, NULL, "unreadable EIO"},
		{S_IFDIR | 01777, false, NULL, "dir 1777 1:2"},
		{S_IFLNK | 0777, false, "../x -> y", "link 1:2 -> ../x -> y"},
		{S_IFIFO | 0600, false, NULL, "other 010600 1:2"},
	};
	struct digest d = {{0xab}};
	struct buf b = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct stat st = {.st_mode = rows[i].mode, .st_uid = 1, .st_gid = 2, .st_size = 3};

		buf_clear(&b);
		assert_int_equal(
			claims_file_value(&st, rows[i].hashed ? &d : NULL, rows[i].target, &b), 0);
		assert_string_equal((char *)b.data, rows[i].value);
	}
	buf_done(&b);
}

static void test_words(void **state)
{
	struct digest d = {{0xab}};
	struct buf b = {0};

	(void)state;
	assert_int_equal(claims_absent(&b), 0);
	buf_puts(&b, "|");
	assert_int_equal(claims_unreadable(EACCES, &b), 0);
	buf_puts(&b, "|");
	assert_int_equal(claims_unreadable(99999, &b), 0);
	buf_puts(&b, "|");
	assert_int_equal(claims_unknown("ENOENT", &b), 0);
	buf_puts(&b, "|");
	assert_int_equal(claims_exec_value(&d, &b), 0);
	assert_string_equal((char *)b.data,
			    "absent|unreadable EACCES|unreadable EIO|unknown ENOENT|sha256:" HEX);
	buf_done(&b);
}

static void test_text(void **state)
{
	static const char *const rows[][2] = {
		{"a\n", "a"},	    {"1\t2  3\n\n", "1 2 3"},
		{"  lead", "lead"}, {"trail \t ", "trail"},
		{"", ""},	    {" \n", ""},
		{"a\nb", "a b"},
	};
	struct buf b = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		buf_clear(&b);
		buf_puts(&b, "");
		assert_int_equal(claims_text_value(rows[i][0], strlen(rows[i][0]), &b), 0);
		if (strcmp((char *)b.data, rows[i][1]) != 0)
			fail_msg("row %zu: \"%s\"", i, (char *)b.data);
	}
	buf_clear(&b);
	assert_int_equal(claims_text_value("a\0b\0", 4, &b), 0); /* as /proc/PID/cmdline */
	assert_string_equal((char *)b.data, "a b");
	buf_done(&b);
}

/* The longest text that stands as it is, and the first that is told by its digest. */
static void test_long_text(void **state)
{
	static char text[LINE_MAX_VALUE];
	struct buf b = {0};

	(void)state;
	memset(text, 'x', sizeof(text));
	assert_int_equal(claims_text_value(text, sizeof(text) - 1, &b), 0);
	assert_int_equal(b.size, LINE_MAX_VALUE - 1);
	buf_clear(&b);
	buf_puts(&b, "before ");
	assert_int_equal(claims_text_value(text, sizeof(text), &b), 0);
	assert_int_equal(strncmp((char *)b.data, "before sha256:", 14), 0);
	assert_string_equal((char *)b.data + 14 + 64, " 4096");
	buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_long_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
