/* SPDX-License-Identifier: Apache-2.0 */
/* What a drill does can be seen, and afterwards nothing of it can; what somebody else wrote meanwhile is not cut off with it. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "drill_deed.h"
#include "fsio.h"
#include "scratch.h"

static char dir[SCRATCH_SIZE], file[96];
static struct why why;

static int setup(void **state)
{
	(void)state;
	scratch_open(dir, "drill");
	snprintf(file, sizeof(file), "%s/file", dir);
	scratch_run(dir, "printf 'one\\ntwo' >file && chmod 640 file && cp -p file kept");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	scratch_done(dir);
	return 0;
}

static void test_file(void **state)
{
	struct drill_deed d;
	struct stat before, after;

	(void)state;
	assert_int_equal(stat(file, &before), 0);
	assert_int_equal(drill_deed_prepare(DRILL_FILE, file, &d, &why), 0);
	assert_non_null(strstr(d.key, "file:/"));
	scratch_run(dir, "cmp file kept");
	assert_int_equal(drill_deed_do(&d, &why), 0);
	scratch_run(dir, "! cmp -s file kept && head -c 7 file | cmp - kept && grep -q 'plumbctl "
			 "drill' file");
	assert_int_equal(drill_deed_undo(&d, &why), 0);
	assert_int_equal(drill_deed_undo(&d, &why), 0);
	scratch_run(dir, "cmp file kept");
	assert_int_equal(stat(file, &after), 0);
	assert_int_equal(after.st_ino, before.st_ino);
	assert_int_equal(after.st_mode, before.st_mode);
}

static void test_file_that_somebody_wrote(void **state)
{
	struct drill_deed d;

	(void)state;
	assert_int_equal(drill_deed_prepare(DRILL_FILE, file, &d, &why), 0);
	assert_int_equal(drill_deed_do(&d, &why), 0);
	scratch_run(dir, "echo mine >>file");
	assert_int_equal(drill_deed_undo(&d, &why), -EBUSY);
	assert_non_null(strstr(why.text, "somebody else"));
	scratch_run(dir, "grep -q mine file && cp -p kept file");
	/* Nothing was done yet. */
	assert_int_equal(drill_deed_prepare(DRILL_FILE, file, &d, &why), 0);
	assert_int_equal(drill_deed_undo(&d, &why), 0);
	scratch_run(dir, "cmp file kept");
}

static void test_what_is_no_file(void **state)
{
	struct drill_deed d;
	char path[128];

	(void)state;
	assert_int_equal(drill_deed_prepare(DRILL_FILE, "/dev/null", &d, &why), -EINVAL);
	assert_true(drill_deed_prepare(DRILL_FILE, dir, &d, &why) < 0);
	snprintf(path, sizeof(path), "%s/none", dir);
	assert_int_equal(drill_deed_prepare(DRILL_FILE, path, &d, &why), -ENOENT);
	assert_int_equal(drill_deed_prepare(DRILL_EXEC, path, &d, &why), -ENOENT);
	assert_int_equal(drill_deed_prepare(DRILL_EXEC, file, &d, &why), -EINVAL);
	scratch_run(dir, "truncate -s 17M big");
	snprintf(path, sizeof(path), "%s/big", dir);
	assert_int_equal(drill_deed_prepare(DRILL_FILE, path, &d, &why), -EINVAL);
	scratch_run(dir, "rm big && cmp file kept && test $(ls | wc -l) -eq 2");
}

static void test_exec(void **state)
{
	struct drill_deed a, b;

	(void)state;
	/* /dev/shm may forbid programs. */
	assert_int_equal(drill_deed_prepare(DRILL_EXEC, "/tmp", &a, &why), 0);
	assert_int_equal(drill_deed_prepare(DRILL_EXEC, "/tmp", &b, &why), 0);
	assert_string_not_equal(a.key, b.key);
	assert_non_null(strstr(a.key, "exec:/tmp/plumb-drill-"));
	scratch_run(dir, "! cmp -s %s %s && test -x %s", a.path, b.path, a.path);
	assert_int_equal(drill_deed_do(&a, &why), 0);
	assert_int_equal(drill_deed_undo(&a, &why), 0);
	assert_int_equal(drill_deed_undo(&b, &why), 0);
	assert_int_equal(access(a.path, F_OK) | access(b.path, F_OK), -1);
}

/* The key is the ledger's (docs/baseline.md); the kernel refuses it, who must be root to be told so. */
static void test_module(void **state)
{
	struct drill_deed d;
	char key[256];
	int r;

	(void)state;
	assert_int_equal(drill_deed_prepare(DRILL_MODULE, "/tmp", &d, &why), 0);
	snprintf(key, sizeof(key), "load:module:%.200s", d.path);
	assert_string_equal(d.key, key);
	scratch_run(dir, "grep -q 'plumbctl drill' %s", d.path);
	/* A kernel may have no modules at all. */
	r = drill_deed_do(&d, &why);
	assert_true(r == 0 || r == -ENOSYS);
	assert_int_equal(drill_deed_undo(&d, &why), 0);
	assert_int_equal(access(d.path, F_OK), -1);
}

static void test_names(void **state)
{
	(void)state;
	assert_int_equal(drill_kind_from_name("exec"), DRILL_EXEC);
	assert_int_equal(drill_kind_from_name("file"), DRILL_FILE);
	assert_int_equal(drill_kind_from_name("module"), DRILL_MODULE);
	assert_int_equal(drill_kind_from_name("rm"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_file),
		cmocka_unit_test(test_file_that_somebody_wrote),
		cmocka_unit_test(test_what_is_no_file),
		cmocka_unit_test(test_exec),
		cmocka_unit_test(test_module),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
