/* SPDX-License-Identifier: Apache-2.0 */
/* Log lines: whole, one write each, nothing in them that a terminal would obey; and the sentence of why.h. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "log.h"
#include "why.h"

static int ends[2];

static int setup(void **state)
{
	(void)state;
	if (pipe(ends) < 0)
		return -1;
	log_open("test", LOG_LEVEL_INFO, ends[1]);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	log_open("test", LOG_LEVEL_INFO, STDERR_FILENO);
	close(ends[0]);
	close(ends[1]);
	return 0;
}

/* What one line became. */
static const char *line_of(const char *text)
{
	static char got[8192];
	ssize_t n;

	log_warning("%s", text);
	n = read(ends[0], got, sizeof(got) - 1);
	assert_true(n > 0);
	got[n] = 0;
	return got;
}

static void test_form(void **state)
{
	(void)state;
	assert_string_equal(line_of("a=1 b=\"x\""), "<4>test: warning a=1 b=\"x\"\n");
	assert_string_equal(line_of(""), "<4>test: warning \n");
	/* Two lines may not be made of one, and no terminal is told anything. */
	assert_string_equal(line_of("a\nb\r\x1b[2J\x7f"),
			    "<4>test: warning a\\x0ab\\x0d\\x1b[2J\\x7f\n");
	assert_string_equal(line_of("\xc2\x9b"
				    "2J"),
			    "<4>test: warning \\xc2\\x9b2J\n");
	assert_string_equal(line_of("gr\xc3\xbc\xc3\x9f"), "<4>test: warning gr\xc3\xbc\xc3\x9f\n");
	assert_string_equal(line_of("\xc2"), "<4>test: warning \xc2\n");
}

static void test_cut(void **state)
{
	char big[5000];
	const char *got;

	(void)state;
	memset(big, 'a', sizeof(big) - 1);
	big[sizeof(big) - 1] = 0;
	got = line_of(big);
	assert_true(strlen(got) < 4096);
	assert_string_equal(got + strlen(got) - 8, "a [cut]\n");
	memset(big, 1, sizeof(big) - 1);
	got = line_of(big);
	assert_true(strlen(got) < 4096);
	assert_string_equal(got + strlen(got) - 11, "\\x01 [cut]\n");
}

static void test_level(void **state)
{
	(void)state;
	log_debug("%s", "not seen");
	errno = ENOENT;
	assert_string_equal(line_of("seen"), "<4>test: warning seen\n");
	log_open("test", LOG_LEVEL_INFO, -1);
	errno = ENOENT;
	log_error("%s", "to nowhere");
	assert_int_equal(errno, ENOENT);
	log_open("test", LOG_LEVEL_INFO, ends[1]);
}

static void *write_many(void *which)
{
	for (int i = 0; i < 100; i++)
		log_notice("who=%s", (const char *)which);
	return NULL;
}

static void test_threads(void **state)
{
	static const char a[] = "<5>test: notice who=aaaaaaaaaaaaaaaa\n";
	static const char b[] = "<5>test: notice who=bbbbbbbbbbbbbbbb\n";
	static char got[200 * sizeof(a)];
	pthread_t one, two;
	unsigned int n_a = 0, n_b = 0;
	ssize_t n;

	(void)state;
	assert_int_equal(pthread_create(&one, NULL, write_many, (void *)"aaaaaaaaaaaaaaaa"), 0);
	assert_int_equal(pthread_create(&two, NULL, write_many, (void *)"bbbbbbbbbbbbbbbb"), 0);
	pthread_join(one, NULL);
	pthread_join(two, NULL);
	n = read(ends[0], got, sizeof(got));
	assert_int_equal(n, 200 * (sizeof(a) - 1));
	for (ssize_t at = 0; at < n; at += (ssize_t)sizeof(a) - 1) {
		n_a += memcmp(got + at, a, sizeof(a) - 1) == 0;
		n_b += memcmp(got + at, b, sizeof(b) - 1) == 0;
	}
	assert_true(n_a == 100 && n_b == 100);
}

static void test_why(void **state)
{
	struct why why = {"before"};
	char big[400];

	(void)state;
	assert_int_equal(why_set(NULL, -EBADMSG, "%s", "x"), -EBADMSG);
	assert_int_equal(why_set(&why, -E2BIG, "%d bytes", 7), -E2BIG);
	assert_string_equal(why.text, "7 bytes");
	/* The old sentence inside the new one. */
	why_set(&why, -1, "line %d: %s", 3, why.text);
	assert_string_equal(why.text, "line 3: 7 bytes");
	why_set(&why, -1, "near \"%s\"", "\x1b[2J\n");
	assert_string_equal(why.text, "near \"?[2J?\"");
	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = 0;
	why_set(&why, -1, "%s", big);
	assert_int_equal(strlen(why.text), sizeof(why.text) - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_form, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cut, setup, teardown),
		cmocka_unit_test_setup_teardown(test_level, setup, teardown),
		cmocka_unit_test_setup_teardown(test_threads, setup, teardown),
		cmocka_unit_test(test_why),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
