/* SPDX-License-Identifier: Apache-2.0 */
/* The agent's options: the file that they are read from is the one that is guarded, in whatever form it was named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <stdlib.h>
#include <unistd.h>

#include "settings.h"

static char path[32];

static int make_file(void **state)
{
	int fd;

	(void)state;
	snprintf(path, sizeof(path), "/tmp/plumb-settings-XXXXXX");
	fd = mkstemp(path);
	if (fd < 0 || dprintf(fd, "batch: 70ms\n") < 0)
		return -1;
	return close(fd);
}

static int remove_file(void **state)
{
	(void)state;
	return unlink(path);
}

static void reads(const char *one, const char *two, const char *three)
{
	char *argv[] = {(char *)"plumbd", (char *)one, (char *)two, (char *)three, NULL};
	struct settings s;
	struct why why = {""};
	int argc = three ? 4 : two ? 3 : 2;

	if (settings_load(argc, argv, &s, &why) != 0)
		fail_msg("%s: %s", one, why.text);
	assert_int_equal(s.batch, 70);
	assert_string_equal(s.file, path);
	settings_done(&s);
}

static void test_its_file(void **state)
{
	char together[64];

	(void)state;
	snprintf(together, sizeof(together), "--config=%s", path);
	reads(together, NULL, NULL);
	reads("--config", path, NULL);
	reads("--verbose", "--config", path);
	/* The last one counts. */
	reads("--config=/dev/null", together, NULL);
	reads("--config=/dev/null", "--config", path);
}

/* What is another option's value is no file of ours. */
static void test_no_file_of_its(void **state)
{
	char *argv[] = {(char *)"plumbd",  (char *)"--config",		 path,
			(char *)"--label", (char *)"--config=/dev/null", NULL};
	struct settings s;
	struct why why = {""};

	(void)state;
	assert_int_equal(settings_load(5, argv, &s, &why), 0);
	assert_string_equal(s.label, "--config=/dev/null");
	assert_string_equal(s.file, path);
	settings_done(&s);
}

static void test_default(void **state)
{
	char *argv[] = {(char *)"plumbd", (char *)"--help", NULL};
	struct settings s;

	(void)state;
	assert_int_equal(settings_load(2, argv, &s, NULL), 1);
	assert_string_equal(s.file, SETTINGS_FILE);
	settings_done(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_its_file, make_file, remove_file),
		cmocka_unit_test_setup_teardown(test_no_file_of_its, make_file, remove_file),
		cmocka_unit_test(test_default),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
