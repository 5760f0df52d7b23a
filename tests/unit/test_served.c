/* SPDX-License-Identifier: Apache-2.0 */
/* test_served.c: mount tables of this test's own that say who serves what; paths are looked up as the kernel does, and nobody is asked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "scratch.h"
#include "served.h"
#include "served_walk.h"

struct bench {
	char top[SCRATCH_SIZE], proc[SCRATCH_SIZE + 8];
	int root;
};

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	char path[SCRATCH_SIZE + 8];

	scratch_open(b->top, "served");
	scratch_run(b->top, "mkdir -p proc/7 proc/self root/bin root/usr/lib/deep "
			    "&& echo >root/usr/lib/deep/file && echo >proc/self/mountinfo");
	snprintf(b->proc, sizeof(b->proc), "%s/proc", b->top);
	snprintf(path, sizeof(path), "%s/root", b->top);
	b->root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(b->root >= 0);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;

	close(b->root);
	scratch_done(b->top);
	free(b);
	return 0;
}

/* What the scratch directory lies on is, for process pid of this test's /proc, of that type; NULL: not in its table. */
static void table(const struct bench *b, const char *pid, const char *fstype)
{
	uint64_t mount = 0;

	assert_int_equal(served_mount_of(b->root, &mount), 0);
	scratch_run(b->top,
		    "printf '1 0 0:1 / /not-this rw - nfs4 server:/ rw\\n' >proc/%s/mountinfo",
		    pid);
	if (fstype)
		scratch_run(
			b->top,
			"printf '%llu 1 0:40 / /a\\\\040-\\\\040b rw shared:3 master:1 - %s none "
			"rw - nfs\\n' >>proc/%s/mountinfo",
			(unsigned long long)mount, fstype, pid);
}

static int check(const struct bench *b, uint32_t pid)
{
	return served_check(b->proc, pid, b->root, NULL);
}

static void test_mount_of(void **state)
{
	struct bench *b = *state;
	struct statx st;
	uint64_t mount = 0;

	assert_int_equal(served_mount_of(b->root, &mount), 0);
	assert_int_equal(statx(b->root, "", AT_EMPTY_PATH, STATX_MNT_ID, &st), 0);
	assert_int_equal(mount, st.stx_mnt_id);
	assert_true(served_mount_of(99999, &mount) < 0);
}

static void test_kinds(void **state)
{
	static const char *const served[] = {"fuse.sshfs", "fuseblk",  "nfs",  "nfs4", "9p",
					     "cifs",	   "virtiofs", "ceph", "afs",  "autofs"};
	static const char *const own[] = {"ext4", "tmpfs", "overlay", "btrfs"};
	struct bench *b = *state;

	for (size_t i = 0; i < ARRAY_SIZE(served); i++) {
		table(b, "7", served[i]);
		assert_int_equal(check(b, 7), -EREMOTE);
	}
	for (size_t i = 0; i < ARRAY_SIZE(own); i++) {
		table(b, "7", own[i]);
		assert_int_equal(check(b, 7), 0);
	}
}

/* Without a mount table: by what the file system itself is. */
static void test_magics(void **state)
{
	static const uint32_t served[] = {0x65735546, 0x6969, 0x01021997, 0xff534d42, 0xfe534d42};
	struct bench *b = *state;

	for (size_t i = 0; i < ARRAY_SIZE(served); i++)
		assert_true(served_magic(served[i]));
	assert_false(served_magic(0xef53));
	assert_int_equal(served_file_system(b->root), 0);
	assert_int_equal(served_file_system(-1), -EBADF);
}

static void test_other_tables(void **state)
{
	struct bench *b = *state;

	/* One that is gone, and one that has it not: ours has it. */
	table(b, "self", "nfs4");
	assert_int_equal(check(b, 8), -EREMOTE);
	table(b, "7", NULL);
	assert_int_equal(check(b, 7), -EREMOTE);
	table(b, "self", "ext4");
	assert_int_equal(check(b, 8), 0);
	/* Its own comes first. */
	table(b, "7", "fuse");
	assert_int_equal(check(b, 7), -EREMOTE);
	scratch_run(b->top, "rm proc/7/mountinfo && mkdir proc/7/mountinfo");
	assert_int_equal(check(b, 7), -EISDIR);
	scratch_run(b->top, "rmdir proc/7/mountinfo && head -c 5000000 /dev/zero | tr '\\0' '\\n' "
			    ">proc/7/mountinfo");
	assert_int_equal(check(b, 7), -EFBIG);
}

/* No table has what is memory. */
static void test_not_listed(void **state)
{
	CLEANUP_CLOSE int memory = memfd_create("test", MFD_CLOEXEC);
	CLEANUP_CLOSE int dev = open("/proc/self/ns", O_PATH | O_CLOEXEC);
	struct bench *b = *state;

	table(b, "7", NULL);
	assert_int_equal(served_check(b->proc, 7, memory, NULL), 0);
	assert_int_equal(served_check(b->proc, 7, dev, NULL), -EREMOTE);
}

/* Of the same mount it is not asked again, of another it is. */
static void test_own(void **state)
{
	CLEANUP_CLOSE int proc = open("/proc/self/ns", O_PATH | O_CLOEXEC);
	struct bench *b = *state;
	uint64_t own = 0;

	table(b, "7", "ext4");
	assert_int_equal(served_check(b->proc, 7, b->root, &own), 0);
	table(b, "7", "nfs4");
	assert_int_equal(served_check(b->proc, 7, b->root, &own), 0);
	assert_int_equal(served_check(b->proc, 7, proc, &own), -EREMOTE);
	own = 0;
	assert_int_equal(served_check(b->proc, 7, b->root, &own), -EREMOTE);
	assert_int_equal(own, 0);
}

static void test_open(void **state)
{
	struct bench *b = *state;
	CLEANUP_CLOSE int link = openat(b->root, "usr/lib/deep/file", O_PATH | O_CLOEXEC);
	CLEANUP_CLOSE int fd = served_open(link);
	char c;

	assert_true(fd >= 0);
	assert_int_equal(read(fd, &c, 1), 1);
	assert_int_equal(served_open(99999), -ENOENT);
}

/* Where it leads below the root, as the walk by steps and the kernel have it alike; "": no such thing. */
static void leads(const struct bench *b, const char *path, bool follow, const char *to)
{
	const struct served_walk w = {b->proc, 7, b->root};

	for (int by_steps = 0; by_steps < 2; by_steps++) {
		CLEANUP_CLOSE int fd = by_steps ? served_walk_by_steps(&w, path, follow)
						: served_walk(&w, path, follow);
		struct stat is, wanted;

		if (!to[0] && fd >= 0)
			fail_msg("%s leads somewhere", path);
		if (!to[0])
			continue;
		if (fd < 0)
			fail_msg("%s (by steps: %d): %s", path, by_steps, strerror(-fd));
		assert_int_equal(fstat(fd, &is), 0);
		assert_int_equal(fstatat(b->root, to, &wanted, AT_SYMLINK_NOFOLLOW), 0);
		if (is.st_ino != wanted.st_ino || is.st_dev != wanted.st_dev)
			fail_msg("%s (by steps: %d) is not %s", path, by_steps, to);
	}
}

static void test_walk(void **state)
{
	struct bench *b = *state;

	table(b, "7", "ext4");
	scratch_run(b->top,
		    "cd root && ln -s usr/lib lib && ln -s /usr/lib/deep absolute && ln -s "
		    "../../../../../../lib/deep/file usr/out && ln -s /lib/../lib/./deep/file "
		    "bin/x && ln -s loop loop && ln -s nowhere dangling");
	leads(b, "/", true, ".");
	leads(b, "/..", true, ".");
	leads(b, "/usr/lib/deep/file", true, "usr/lib/deep/file");
	leads(b, "//usr/./lib//deep/../deep/file", true, "usr/lib/deep/file");
	leads(b, "/../../usr", true, "usr");
	leads(b, "/usr/..", true, ".");
	leads(b, "/lib", false, "lib");
	leads(b, "/lib", true, "usr/lib");
	leads(b, "/lib/deep/file", false, "usr/lib/deep/file");
	leads(b, "/lib/..", true, "usr");
	leads(b, "/absolute/file", true, "usr/lib/deep/file");
	leads(b, "/usr/out", true, "usr/lib/deep/file");
	leads(b, "/usr/out", false, "usr/out");
	leads(b, "/bin/x", true, "usr/lib/deep/file");
	leads(b, "/loop", false, "loop");
	leads(b, "/loop", true, "");
	leads(b, "/dangling", true, "");
	leads(b, "/nowhere/x", true, "");
	leads(b, "/usr/lib/deep/file/x", true, "");
}

/* From one mount to another, and not by links that are the kernel's. */
static void test_walk_mounts(void **state)
{
	CLEANUP_CLOSE int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	const struct served_walk w = {NULL, (uint32_t)getpid(), root};
	CLEANUP_CLOSE int fd = served_walk_by_steps(&w, "/proc/self/../version", true);
	struct stat is, wanted;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &is), 0);
	assert_int_equal(stat("/proc/version", &wanted), 0);
	assert_int_equal(is.st_ino, wanted.st_ino);
	assert_int_equal(is.st_dev, wanted.st_dev);
	assert_true(served_walk_by_steps(&w, "/proc/self/exe", true) < 0);
	assert_true(served_walk(&w, "/proc/self/exe", true) < 0);
}

/* A name that nobody has looked up yet, and a link, are the server's to tell; what is in memory is not. */
static void test_walk_served(void **state)
{
	struct bench *b = *state;
	const struct served_walk w = {b->proc, 7, b->root};
	CLEANUP_CLOSE int known = -1;
	char cold[64], wide[16], *deep = calloc(1, 5000);

	table(b, "7", "nfs4");
	known = served_walk_by_steps(&w, "/usr/lib/deep/file", true);
	if (known == -EREMOTE)
		skip(); /* Linux before 5.12 */
	assert_true(known >= 0);
	snprintf(cold, sizeof(cold), "/usr/lib/%d.cold", getpid());
	assert_int_equal(served_walk(&w, cold, true), -EREMOTE);
	scratch_run(b->top, "ln -s usr/lib root/lib");
	assert_int_equal(served_walk_by_steps(&w, "/lib/deep", true), -EREMOTE);
	table(b, "7", "ext4");
	assert_int_equal(served_walk(&w, cold, true), -ENOENT);
	/* Deeper than is followed. */
	for (int i = 0; i < SERVED_WALK_DEPTH + 2; i++) {
		snprintf(wide, sizeof(wide), "/%d", i);
		strcat(deep, wide);
	}
	scratch_run(b->top, "mkdir -p root%s", deep);
	assert_int_equal(served_walk_by_steps(&w, deep, true), -ENAMETOOLONG);
	free(deep);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_mount_of, setup, teardown),
		cmocka_unit_test_setup_teardown(test_kinds, setup, teardown),
		cmocka_unit_test_setup_teardown(test_magics, setup, teardown),
		cmocka_unit_test_setup_teardown(test_other_tables, setup, teardown),
		cmocka_unit_test_setup_teardown(test_not_listed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_own, setup, teardown),
		cmocka_unit_test_setup_teardown(test_open, setup, teardown),
		cmocka_unit_test_setup_teardown(test_walk, setup, teardown),
		cmocka_unit_test_setup_teardown(test_walk_mounts, setup, teardown),
		cmocka_unit_test_setup_teardown(test_walk_served, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
