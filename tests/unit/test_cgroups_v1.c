/* SPDX-License-Identifier: Apache-2.0 */
/* Where a process is in v1's hierarchies, by what kernels write: several controllers in one, a part of one, one that is not mounted. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cgroups_v1.h"

static const char cgroup[] = "5:freezer:/agent\n"
			     "4:memory:/\n"
			     "3:cpu,cpuacct:/system.slice/plumbd.service\n"
			     "2:pids:/pod/inner\n"
			     "1:name=systemd:/system.slice\n"
			     "0::/system.slice/plumbd.service\n";
static const char mountinfo[] =
	"30 20 0:26 / /sys/fs/cgroup rw - tmpfs tmpfs ro,mode=755\n"
	"31 30 0:27 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
	"32 30 0:28 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd\n"
	"33 30 0:29 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n"
	"34 30 0:30 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
	"35 30 0:31 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
	"36 30 0:31 / /again rw - cgroup cgroup rw,memory\n"
	"37 30 0:32 /pod /pids\\040here rw - cgroup cgroup rw,pids\n"
	"38 30 0:33 /other /freezer rw - cgroup cgroup rw,freezer\n";

struct seen {
	char text[512];
};

static void on_place(void *ctx, const char *root, const char *path)
{
	struct seen *s = ctx;
	size_t n = strlen(s->text);

	snprintf(s->text + n, sizeof(s->text) - n, "%s:%s ", root, path);
}

static int each(const char *places, const char *mounts, struct seen *ret)
{
	ret->text[0] = '\0';
	return cgroups_v1_each(places, strlen(places), mounts, strlen(mounts), on_place, ret);
}

static void hierarchies_are_found_by_their_controllers(void **state)
{
	struct seen s;

	(void)state;
	/* Of freezer only another part is mounted; what systemd names has no controls. */
	assert_int_equal(each(cgroup, mountinfo, &s), 3);
	assert_string_equal(s.text, "/sys/fs/cgroup/memory:/ "
				    "/sys/fs/cgroup/cpu,cpuacct:/system.slice/plumbd.service "
				    "/pids here:/inner ");
	assert_int_equal(each("0::/a\n", mountinfo, &s), 0);
	assert_int_equal(each("7:cpu:/\n", "1 0 0:1 / /c rw - cgroup c rw,cpuset\n", &s), 0);
	assert_int_equal(each("7:pids:/pods\n", mountinfo, &s), 0);
	assert_int_equal(each("7:pids:/pod\n", mountinfo, &s), 1);
	assert_string_equal(s.text, "/pids here:/ ");
	assert_int_equal(each("", "", &s), 0);
}

static void broken_lines_are_refused(void **state)
{
	static const char *const bad[] = {"x\n",       ":cpu:/a\n", "1:cpu\n",
					  "1:cpu:a\n", "1:cpu:\n",  "\n"};
	struct seen s;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(each(bad[i], mountinfo, &s), -EBADMSG);
	assert_int_equal(each("1:cpu:/a\n", "rubbish\n", &s), -EBADMSG);
	assert_int_equal(
		cgroups_v1_each("1:cpu:/a\0b\n", 11, mountinfo, strlen(mountinfo), on_place, &s),
		-EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hierarchies_are_found_by_their_controllers),
		cmocka_unit_test(broken_lines_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
