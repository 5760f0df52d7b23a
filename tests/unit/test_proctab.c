/* SPDX-License-Identifier: Apache-2.0 */
/* test_proctab.c: who is who, from records and from /proc; what is not known stays unknown, also when the table is full. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../userspace/agent/proctab.h"
#include "scratch.h"

#define S 1000000000ull

static struct plumb_task task(uint32_t pid, uint64_t start_ns, uint32_t ppid,
			      uint64_t parent_start_ns, const char *comm)
{
	struct plumb_task t = {
		.pid = pid,
		.tid = pid,
		.ppid = ppid,
		.uid = 7,
		.gid = 8,
		.start_ns = start_ns,
		.parent_start_ns = parent_start_ns,
	};

	snprintf(t.comm, sizeof(t.comm), "%s", comm);
	return t;
}

static struct proctab *table(uint32_t max)
{
	struct proctab *p = NULL;

	assert_int_equal(proctab_open(max, NULL, &p), 0);
	return p;
}

static void exec_fork_exit_are_followed(void **state)
{
	struct proctab *p = table(16);
	struct plumb_task init = task(1, 1 * S, 0, 0, "init");
	struct plumb_task shell = task(10, 5 * S, 1, 1 * S, "sh");
	struct line_actor a;

	(void)state;
	proctab_exec(p, &init, "/sbin/init");
	proctab_exec(p, &shell, "/bin/sh");
	proctab_fork(p, &shell, 11, 6 * S);
	assert_int_equal(proctab_actor(p, 11, 6 * S, &a), 0);
	assert_true(a.known);
	assert_string_equal(a.exe, "/bin/sh");
	assert_string_equal(a.comm, "sh");
	assert_int_equal(a.ppid, 10);
	assert_int_equal(a.uid, 7);
	assert_int_equal(a.n_ancestors, 2);
	assert_int_equal(a.ancestors[0].pid, 10);
	assert_string_equal(a.ancestors[1].exe, "/sbin/init");
	/* The child becomes another program; the parent does not. */
	proctab_exec(p,
		     &(struct plumb_task){
			     .pid = 11, .ppid = 10, .start_ns = 6 * S, .parent_start_ns = 5 * S},
		     "/bin/true");
	assert_int_equal(proctab_actor(p, 11, 0, &a), 0);
	assert_string_equal(a.exe, "/bin/true");
	assert_string_equal(a.ancestors[0].exe, "/bin/sh");
	/* An ended one is still known: its last deeds may be on their way. */
	proctab_exit(p, 11, 6 * S);
	assert_int_equal(proctab_actor(p, 11, 0, &a), 0);
	proctab_free(p);
}

static void unknown_stays_unknown(void **state)
{
	struct proctab *p = table(16);
	struct plumb_task t = task(10, 5 * S, 9, 4 * S, "x");
	struct line_actor a = {.known = true};

	(void)state;
	assert_int_equal(proctab_actor(p, 10, 0, &a), -ENOENT);
	assert_false(a.known);
	proctab_exec(p, &t, NULL);
	assert_int_equal(proctab_actor(p, 10, 5 * S, &a), 0);
	assert_null(a.exe);
	assert_int_equal(a.n_ancestors, 0);
	/* Another process that had this pid once. */
	assert_int_equal(proctab_actor(p, 10, 3 * S, &a), -ENOENT);
	proctab_exit(p, 99, 0);
	proctab_free(p);
}

static void reused_pid_is_another_process(void **state)
{
	struct proctab *p = table(16);
	struct plumb_task old = task(10, 5 * S, 1, 1 * S, "old");
	struct plumb_task new = task(10, 50 * S, 1, 1 * S, "new");
	struct plumb_task child = task(11, 6 * S, 10, 5 * S, "child");
	struct line_actor a;

	(void)state;
	proctab_exec(p, &old, "/old");
	proctab_exec(p, &child, "/child");
	proctab_exec(p, &new, "/new"); /* the exit of the old one was lost */
	assert_int_equal(proctab_actor(p, 10, 0, &a), 0);
	assert_string_equal(a.exe, "/new");
	assert_int_equal(proctab_actor(p, 10, 5 * S, &a), 0);
	assert_string_equal(a.exe, "/old");
	assert_int_equal(proctab_actor(p, 11, 0, &a), 0);
	assert_string_equal(a.ancestors[0].exe, "/old");
	proctab_free(p);
}

static void exec_by_a_thread_revives(void **state)
{
	struct proctab *p = table(16);
	struct plumb_task t = task(10, 5 * S, 1, 1 * S, "x");
	struct plumb_task other = task(12, 5 * S, 1, 1 * S, "y");
	struct line_actor a;

	(void)state;
	proctab_exec(p, &t, "/before");
	proctab_exit(p, 10, 5 * S); /* the old leader */
	proctab_exec(p, &t, "/after");
	for (int i = 0; i < 20; i++) { /* enough to push out what has ended */
		other.pid = 100 + (uint32_t)i;
		proctab_exec(p, &other, "/other");
		proctab_exit(p, other.pid, other.start_ns);
	}
	assert_int_equal(proctab_actor(p, 10, 0, &a), 0);
	assert_string_equal(a.exe, "/after");
	proctab_free(p);
}

static void full_table_forgets_the_ended_first(void **state)
{
	struct proctab *p = table(8);
	struct line_actor a;

	(void)state;
	for (uint32_t i = 1; i <= 8; i++) {
		struct plumb_task t = task(i, i * S, 0, 0, "p");

		proctab_exec(p, &t, "/p");
	}
	proctab_exit(p, 5, 5 * S);
	for (uint32_t i = 100; i < 102; i++) {
		struct plumb_task t = task(i, i * S, 0, 0, "q");

		proctab_exec(p, &t, "/q");
	}
	assert_int_equal(proctab_n(p), 8);
	assert_int_equal(proctab_actor(p, 5, 0, &a), -ENOENT); /* ended */
	assert_int_equal(proctab_actor(p, 1, 0, &a), -ENOENT); /* untouched for longest */
	assert_int_equal(proctab_actor(p, 2, 0, &a), 0);
	assert_int_equal(proctab_actor(p, 101, 0, &a), 0);
	proctab_free(p);
}

/* A burst takes no more of the table than those that ended may have, and none of the living. */
static void a_burst_stays_small(void **state)
{
	struct proctab *p = table(800);
	struct plumb_task shell = task(10, 5 * S, 1, 1 * S, "sh");
	struct line_actor a;

	(void)state;
	proctab_exec(p, &shell, "/bin/sh");
	for (uint32_t pid = 100; pid < 3000; pid++) {
		proctab_fork(p, &shell, pid, pid * S);
		assert_int_equal(proctab_actor(p, pid, pid * S, &a), 0);
		proctab_exit(p, pid, pid * S);
	}
	assert_int_equal(proctab_n(p), 101);
	assert_int_equal(proctab_actor(p, 2899, 2899 * S, &a), -ENOENT);
	assert_int_equal(proctab_actor(p, 2900, 2900 * S, &a), 0);
	for (uint32_t pid = 3000; pid < 3700; pid++)
		proctab_fork(p, &shell, pid, pid * S);
	assert_int_equal(proctab_n(p), 800);
	assert_int_equal(proctab_actor(p, 3000, 3000 * S, &a), 0);
	assert_string_equal(a.ancestors[0].exe, "/bin/sh");
	proctab_free(p);
}

/* The list that is kept is the one that would be found, and its text the one that would be written. */
static void expect_ancestors(struct proctab *p, uint32_t pid, uint64_t start_ns, const char *first,
			     const char *second)
{
	struct buf text = {0};
	struct line_actor a;

	for (int i = 0; i < 2; i++) {
		assert_int_equal(proctab_actor(p, pid, start_ns, &a), 0);
		assert_int_equal(a.n_ancestors, 2);
		assert_string_equal(a.ancestors[0].exe, first);
		assert_string_equal(a.ancestors[1].exe, second);
		assert_non_null(a.ancestors_text);
		buf_clear(&text);
		assert_int_equal(line_ancestors(a.ancestors, a.n_ancestors, &text), 0);
		assert_int_equal(text.size, a.ancestors_size);
		assert_memory_equal(text.data, a.ancestors_text, text.size);
	}
	buf_done(&text);
}

static void kept_ancestors_follow_every_change(void **state)
{
	struct proctab *p = table(16);
	struct plumb_task init = task(1, 1 * S, 0, 0, "init");
	struct plumb_task shell = task(10, 5 * S, 1, 1 * S, "sh");
	struct plumb_task child = task(11, 6 * S, 10, 5 * S, "a");
	struct plumb_task old = task(12, 7 * S, 10, 0, "b"); /* as /proc tells: not since when */
	struct line_actor a;

	(void)state;
	proctab_exec(p, &init, "/sbin/init");
	proctab_exec(p, &shell, "/bin/sh");
	proctab_exec(p, &child, "/bin/a");
	proctab_exec(p, &old, "/bin/b");
	expect_ancestors(p, 11, 6 * S, "/bin/sh", "/sbin/init");
	expect_ancestors(p, 12, 7 * S, "/bin/sh", "/sbin/init");
	proctab_exec(p, &init, "/sbin/other");
	expect_ancestors(p, 11, 6 * S, "/bin/sh", "/sbin/other");
	proctab_exec(p, &shell, "/bin/dash");
	expect_ancestors(p, 11, 6 * S, "/bin/dash", "/sbin/other");
	expect_ancestors(p, 12, 7 * S, "/bin/dash", "/sbin/other");
	/* Another process with the shell's number: who came from the old one is not its child, who only knows the number may be. */
	proctab_exit(p, 10, 5 * S);
	expect_ancestors(p, 11, 6 * S, "/bin/dash", "/sbin/other");
	assert_int_equal(proctab_actor(p, 12, 7 * S, &a), 0);
	assert_int_equal(a.n_ancestors, 0);
	shell.start_ns = 50 * S;
	proctab_exec(p, &shell, "/bin/new");
	expect_ancestors(p, 12, 7 * S, "/bin/new", "/sbin/other");
	expect_ancestors(p, 11, 6 * S, "/bin/dash", "/sbin/other");
	proctab_free(p);
}

/* Further up, too: who ends, or is pushed out of the table, is in nobody's list any more. */
static void kept_ancestors_end(void **state)
{
	for (int by_number = 0; by_number < 2; by_number++) {
		struct proctab *p = table(16);
		struct plumb_task init = task(1, 1 * S, 0, 0, "init");
		struct plumb_task shell = task(10, 5 * S, 1, 1 * S, "sh");
		struct plumb_task middle =
			task(11, 6 * S, 10, by_number ? 0 : 5 * S, "a"); /* 0: as /proc tells */
		struct plumb_task child = task(12, 7 * S, 11, 6 * S, "b");
		struct line_actor a;

		proctab_exec(p, &init, "/sbin/init");
		proctab_exec(p, &shell, "/bin/sh");
		proctab_exec(p, &middle, "/bin/a");
		proctab_exec(p, &child, "/bin/b");
		assert_int_equal(proctab_actor(p, 12, 7 * S, &a), 0);
		assert_int_equal(a.n_ancestors, 3);
		proctab_exit(p, 10, 5 * S);
		assert_int_equal(proctab_actor(p, 12, 7 * S, &a), 0);
		assert_int_equal(a.n_ancestors, by_number ? 1 : 3);
		for (uint32_t pid = 100; pid < 130; pid++) {
			proctab_fork(p, &init, pid, pid * S);
			proctab_exit(p, pid, pid * S);
		}
		assert_int_equal(proctab_actor(p, 12, 7 * S, &a), 0);
		assert_int_equal(a.n_ancestors, 1);
		assert_string_equal(a.ancestors[0].exe, "/bin/a");
		proctab_free(p);
	}
	(void)state;
}

/* Where a parent is not known yet nothing is kept: it may still turn up. */
static void late_parents_are_found(void **state)
{
	struct proctab *p = table(16);
	struct plumb_task init = task(1, 1 * S, 0, 0, "init");
	struct plumb_task shell = task(10, 5 * S, 1, 1 * S, "sh");
	struct plumb_task child = task(11, 6 * S, 10, 5 * S, "a");
	struct line_actor a;

	(void)state;
	proctab_exec(p, &shell, "/bin/sh");
	proctab_exec(p, &child, "/bin/a");
	assert_int_equal(proctab_actor(p, 11, 6 * S, &a), 0);
	assert_int_equal(a.n_ancestors, 1);
	assert_null(a.ancestors_text);
	proctab_exec(p, &init, "/sbin/init");
	expect_ancestors(p, 11, 6 * S, "/bin/sh", "/sbin/init");
	proctab_free(p);
}

static void ancestry_is_bounded_and_ends_in_circles(void **state)
{
	struct proctab *p = table(32);
	struct line_actor a;

	(void)state;
	for (uint32_t i = 1; i <= 20; i++) {
		struct plumb_task t = task(i, i * S, i - 1, (i - 1) * S, "p");

		proctab_exec(p, &t, "/p");
	}
	assert_int_equal(proctab_actor(p, 20, 0, &a), 0);
	assert_int_equal(a.n_ancestors, LINE_MAX_ANCESTORS);
	/* Records that say that each is the other's parent. */
	struct plumb_task x = task(30, 30 * S, 31, 31 * S, "x");
	struct plumb_task y = task(31, 31 * S, 30, 30 * S, "y");

	proctab_exec(p, &x, "/x");
	proctab_exec(p, &y, "/y");
	assert_int_equal(proctab_actor(p, 30, 0, &a), 0);
	assert_true(a.n_ancestors <= LINE_MAX_ANCESTORS);
	proctab_free(p);
}

static void scan_finds_us(void **state)
{
	struct proctab *p = table(0);
	struct line_actor a;
	char exe[512] = "";

	(void)state;
	assert_true(proctab_scan(p, "/proc") > 1);
	assert_int_equal(proctab_actor(p, (uint32_t)getpid(), 0, &a), 0);
	assert_true(readlink("/proc/self/exe", exe, sizeof(exe) - 1) > 0);
	assert_string_equal(a.exe, exe);
	assert_int_equal(a.ppid, getppid());
	assert_int_equal(a.uid, getuid());
	assert_true(a.start_ns > 0);
	assert_true(a.n_ancestors > 0);
	assert_int_equal(proctab_scan(p, "/nonexistent"), -ENOENT);
	proctab_free(p);
}

static void cgroup_ids_become_paths(void **state)
{
	char top[] = "/tmp/plumb-test-cgroups-XXXXXX", path[128];
	struct cgroups *c = NULL;
	struct why why = {""};
	struct stat st;

	(void)state;
	/* A plain tree stands for the mount: an id is the inode number of a directory. */
	assert_non_null(mkdtemp(top));
	snprintf(path, sizeof(path), "%s/a.slice", top);
	assert_int_equal(mkdir(path, 0755), 0);
	assert_int_equal(cgroups_open(top, &c, &why), 0);
	assert_null(cgroups_path(c, 0));
	assert_null(cgroups_path(c, 1));
	assert_int_equal(stat(path, &st), 0);
	assert_string_equal(cgroups_path(c, st.st_ino), "/a.slice");
	assert_int_equal(stat(top, &st), 0);
	assert_string_equal(cgroups_path(c, st.st_ino), "/");
	/* One that is made later is found when it is asked for, and stays known when it is gone. */
	strcat(path, "/b.scope");
	assert_int_equal(mkdir(path, 0755), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_string_equal(cgroups_path(c, st.st_ino), "/a.slice/b.scope");
	assert_int_equal(rmdir(path), 0);
	assert_string_equal(cgroups_path(c, st.st_ino), "/a.slice/b.scope");
	cgroups_free(c);
	*strrchr(path, '/') = '\0';
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(rmdir(top), 0);
}

/* Two groups that are gone, told in turns; and more of them than are remembered: in all that, few walks. */
static void groups_that_are_gone_cost_little(void **state)
{
	char top[SCRATCH_SIZE], path[SCRATCH_SIZE + 64];
	struct cgroups *c = NULL;
	struct why why = {""};
	struct stat st;
	uint64_t n;

	(void)state;
	scratch_open(top, "cgroups");
	for (int i = 0; i < 2000; i++) {
		snprintf(path, sizeof(path), "%s/%d.slice", top, i);
		assert_int_equal(mkdir(path, 0755), 0);
	}
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(cgroups_open(top, &c, &why), 0);
	for (int i = 0; i < 100; i++)
		assert_null(cgroups_path(c, 1 + (uint64_t)i % 2));
	n = cgroups_n_walks(c);
	assert_in_range(n, 1, 4);
	assert_string_equal(cgroups_path(c, st.st_ino), "/1999.slice");
	for (int i = 0; i < 2000; i++)
		assert_null(cgroups_path(c, UINT64_MAX - (uint64_t)i));
	assert_in_range(cgroups_n_walks(c), n, n + 500);
	cgroups_free(c);
	scratch_done(top);
}

/* Where there is a hierarchy the kernel finds them, and nothing is walked. */
static void the_kernel_finds_its_own(void **state)
{
	struct cgroups *c = NULL;
	struct why why = {""};
	struct stat st;

	(void)state;
	if (cgroups_open(NULL, &c, &why) < 0 || stat(cgroups_root(c), &st) < 0 || geteuid() != 0) {
		cgroups_free(c);
		skip();
	}
	assert_string_equal(cgroups_path(c, st.st_ino), "/");
	assert_null(cgroups_path(c, UINT64_MAX));
	if (cgroups_n_walks(c) > 0) {
		cgroups_free(c);
		skip(); /* root of a user namespace that is not the first */
	}
	cgroups_free(c);
}

static void those_of_one_mount_namespace_are_found(void **state)
{
	struct proctab *p = table(16);
	struct plumb_task shell = task(10, 5 * S, 1, 1 * S, "sh");
	struct plumb_task other = task(20, 5 * S, 1, 1 * S, "sh");
	uint32_t pids[4];

	(void)state;
	shell.mnt_ns = 77;
	other.mnt_ns = 78;
	proctab_exec(p, &shell, "/bin/sh");
	proctab_exec(p, &other, "/bin/sh");
	proctab_fork(p, &shell, 11, 6 * S);
	proctab_fork(p, &shell, 12, 7 * S);
	proctab_exit(p, 12, 7 * S);
	assert_int_equal(proctab_peers(p, 77, 0, pids, 4), 2);
	assert_int_equal(pids[0], 10);
	assert_int_equal(pids[1], 11);
	assert_int_equal(proctab_peers(p, 77, 10, pids, 4), 1);
	assert_int_equal(pids[0], 11);
	assert_int_equal(proctab_peers(p, 77, 0, pids, 1), 1);
	assert_int_equal(proctab_peers(p, 79, 0, pids, 4), 0);
	assert_int_equal(proctab_peers(p, 0, 0, pids, 4), 0); /* not known is nobody's */
	proctab_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exec_fork_exit_are_followed),
		cmocka_unit_test(those_of_one_mount_namespace_are_found),
		cmocka_unit_test(unknown_stays_unknown),
		cmocka_unit_test(reused_pid_is_another_process),
		cmocka_unit_test(exec_by_a_thread_revives),
		cmocka_unit_test(full_table_forgets_the_ended_first),
		cmocka_unit_test(a_burst_stays_small),
		cmocka_unit_test(kept_ancestors_follow_every_change),
		cmocka_unit_test(kept_ancestors_end),
		cmocka_unit_test(late_parents_are_found),
		cmocka_unit_test(ancestry_is_bounded_and_ends_in_circles),
		cmocka_unit_test(scan_finds_us),
		cmocka_unit_test(cgroup_ids_become_paths),
		cmocka_unit_test(groups_that_are_gone_cost_little),
		cmocka_unit_test(the_kernel_finds_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
