/* SPDX-License-Identifier: Apache-2.0 */
/* What is marked as the agent's own: trees whole, directories first, control files of each cgroup up to the root, and what an inode is called. */
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
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "guard_marks.h"
#include "plumb/event.h"

struct bench {
	char top[64];
	char paths[64][256];
	uint32_t marks[64], n, n_cgroups;
	uint64_t cgroups[8];
	int refuse; /* the mark of that number */
	struct guard_marks *m;
};

static int on_mark(void *ctx, int fd, uint32_t mark)
{
	struct bench *b = ctx;
	char link[64];
	ssize_t n;

	if (b->refuse && b->n + 1 == (uint32_t)b->refuse)
		return -ENOMEM;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, b->paths[b->n], sizeof(b->paths[0]) - 1);
	assert_true(n > 0 && b->n < 63);
	b->paths[b->n][n] = '\0';
	b->marks[b->n++] = mark;
	return 0;
}

static int on_cgroup(void *ctx, uint64_t id)
{
	struct bench *b = ctx;

	b->cgroups[b->n_cgroups++] = id;
	return 0;
}

static const char *in(const struct bench *b, const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", b->top, name);
	return path;
}

static uint32_t mark_of(const struct bench *b, const char *name)
{
	for (uint32_t i = 0; i < b->n; i++)
		if (strcmp(b->paths[i], in(b, name)) == 0)
			return b->marks[i];
	return 0;
}

static void make(const struct bench *b, const char *name)
{
	int fd = open(in(b, name), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	close(fd);
}

static int setup(void **state)
{
	static const char *const dirs[] = {"ledger", "ledger/tiles", "ledger/tiles/0",
					   "cg",     "cg/a",	     "cg/a/b"};
	static const char *const files[] = {
		"ledger/anchors",   "ledger/tiles/0/1",	    "settings",
		"cg/cgroup.freeze", "cg/a/cgroup.freeze",   "cg/a/cgroup.kill",
		"cg/a/cpu.max",	    "cg/a/b/cgroup.freeze", "cg/a/b/memory.max"};
	struct bench *b = calloc(1, sizeof(*b));
	const struct guard_marks_options o = {on_mark, on_cgroup, b};

	assert_non_null(b);
	strcpy(b->top, "/tmp/plumb-test-guard-XXXXXX");
	assert_non_null(mkdtemp(b->top));
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		assert_int_equal(mkdir(in(b, dirs[i]), 0700), 0);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		make(b, files[i]);
	assert_int_equal(guard_marks_open(&o, &b->m), 0);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;
	char command[128];

	guard_marks_free(b->m);
	snprintf(command, sizeof(command), "rm -rf %s", b->top);
	assert_int_equal(system(command), 0);
	free(b);
	return 0;
}

static void a_tree_is_marked_whole(void **state)
{
	struct bench *b = *state;
	const uint32_t dir = PLUMB_MARK_GUARD | PLUMB_MARK_GUARD_DIR;
	struct stat st;

	assert_int_equal(symlink("ledger", in(b, "link")), 0);
	assert_int_equal(guard_marks_add(b->m, in(b, "link")), 0);
	assert_int_equal(b->n, 5);
	assert_string_equal(b->paths[0], in(b, "ledger"));
	assert_int_equal(mark_of(b, "ledger"), dir);
	assert_int_equal(mark_of(b, "ledger/tiles"), dir);
	assert_int_equal(mark_of(b, "ledger/tiles/0"), dir);
	assert_int_equal(mark_of(b, "ledger/anchors"), PLUMB_MARK_GUARD);
	assert_int_equal(mark_of(b, "ledger/tiles/0/1"), PLUMB_MARK_GUARD);
	assert_int_equal(guard_marks_add(b->m, in(b, "settings")), 0);
	assert_int_equal(mark_of(b, "settings"), PLUMB_MARK_GUARD);
	assert_int_equal(stat(in(b, "ledger/tiles"), &st), 0);
	assert_string_equal(
		guard_marks_path(b->m, major(st.st_dev) << 20 | minor(st.st_dev), st.st_ino),
		in(b, "ledger/tiles"));
	assert_null(guard_marks_path(b->m, 1, st.st_ino));
}

static void cgroups_up_to_the_root(void **state)
{
	struct bench *b = *state;
	struct stat st;
	char root[256];

	snprintf(root, sizeof(root), "%s", in(b, "cg"));
	assert_int_equal(guard_marks_cgroup(b->m, root, "/a/b", true), 0);
	assert_int_equal(b->n, 5);
	assert_int_equal(mark_of(b, "cg/a/b/cgroup.freeze"), PLUMB_MARK_GUARD_CGROUP);
	assert_int_equal(mark_of(b, "cg/a/b/memory.max"), PLUMB_MARK_GUARD_LIMIT);
	assert_int_equal(mark_of(b, "cg/a/cgroup.kill"), PLUMB_MARK_GUARD_CGROUP);
	assert_int_equal(mark_of(b, "cg/a/cpu.max"), PLUMB_MARK_GUARD_LIMIT);
	/* The root's own can stop nobody. */
	assert_int_equal(mark_of(b, "cg/cgroup.freeze"), 0);
	assert_int_equal(b->n_cgroups, 2);
	assert_int_equal(stat(in(b, "cg/a"), &st), 0);
	assert_int_equal(b->cgroups[1], st.st_ino);
	assert_int_equal(guard_marks_cgroup(b->m, root, "/", true), 0);
	assert_int_equal(b->n_cgroups, 2);
}

/* What is marked again is held once; a number of v1's is none of v2's. */
static void hierarchies_of_v1_and_again(void **state)
{
	struct bench *b = *state;
	char root[256];

	make(b, "cg/a/freezer.state");
	make(b, "cg/a/b/cpu.cfs_quota_us");
	make(b, "cg/freezer.state");
	snprintf(root, sizeof(root), "%s", in(b, "cg"));
	for (int i = 0; i < GUARD_MARKS_MAX; i++) {
		b->n = 0;
		assert_int_equal(guard_marks_cgroup(b->m, root, "/a/b", false), 0);
	}
	assert_int_equal(b->n, 7);
	assert_int_equal(mark_of(b, "cg/a/freezer.state"), PLUMB_MARK_GUARD_CGROUP);
	assert_int_equal(mark_of(b, "cg/a/b/cpu.cfs_quota_us"), PLUMB_MARK_GUARD_LIMIT);
	assert_int_equal(mark_of(b, "cg/freezer.state"), 0);
	assert_int_equal(b->n_cgroups, 0);
}

static void what_fails_is_told(void **state)
{
	struct bench *b = *state;

	assert_int_equal(guard_marks_add(b->m, in(b, "none")), -ENOENT);
	b->refuse = 3;
	assert_int_equal(guard_marks_add(b->m, in(b, "ledger")), -ENOMEM);
	assert_true(b->n >= 2);
}

/* As the program that runs, from a container: what has its name now is another file. */
static void the_file_itself_is_marked(void **state)
{
	struct bench *b = *state;
	struct stat ours, other;
	char link[64];
	int fd = open(in(b, "settings"), O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0 && fstat(fd, &ours) == 0);
	assert_int_equal(unlink(in(b, "settings")), 0);
	make(b, "settings");
	assert_int_equal(stat(in(b, "settings"), &other), 0);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	assert_int_equal(guard_marks_add(b->m, link), 0);
	assert_int_equal(b->n, 1);
	assert_non_null(
		guard_marks_path(b->m, major(ours.st_dev) << 20 | minor(ours.st_dev), ours.st_ino));
	assert_null(guard_marks_path(b->m, major(other.st_dev) << 20 | minor(other.st_dev),
				     other.st_ino));
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_tree_is_marked_whole, setup, teardown),
		cmocka_unit_test_setup_teardown(cgroups_up_to_the_root, setup, teardown),
		cmocka_unit_test_setup_teardown(hierarchies_of_v1_and_again, setup, teardown),
		cmocka_unit_test_setup_teardown(what_fails_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(the_file_itself_is_marked, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
