/* SPDX-License-Identifier: Apache-2.0 */
/* test_proctab_place.c: where a process is: its container, from records of it, from its parent's, and from /proc. */
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

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
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

/* Of a process that is gone nobody can be asked: what it came from tells, when both are in one mount namespace that is not the host's. */
static void a_gone_one_is_where_its_parent_is(void **state)
{
	char top[] = "/tmp/plumb-test-cgroups-XXXXXX", path[160], scope[CGROUPS_SCOPE_SIZE];
	struct plumb_task parent = task(4194200, 5 * S, 1, 1 * S, "sh");
	struct plumb_task child = task(4194201, 6 * S, 4194200, 5 * S, "x");
	struct cgroups *c = NULL;
	struct proctab *p = NULL;
	struct why why = {""};
	struct line_actor a;
	struct stat st;

	(void)state;
	assert_non_null(mkdtemp(top));
	snprintf(path, sizeof(path), "%s/docker-" ID ".scope", top);
	assert_int_equal(mkdir(path, 0755), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(cgroups_open(top, &c, &why), 0);
	assert_int_equal(proctab_open(16, c, &p), 0);
	parent.cgroup_id = st.st_ino;
	parent.mnt_ns = child.mnt_ns = 77;
	child.cgroup_id = 1;
	proctab_exec(p, &parent, "/bin/sh");
	proctab_exec(p, &child, "/bin/x");
	assert_int_equal(proctab_actor(p, 4194201, 6 * S, &a), 0);
	assert_string_equal(a.container, ID);
	assert_null(a.pod);
	proctab_scope(p, 4194201, 6 * S, scope);
	assert_string_equal(scope, "container:" ID);
	/* In another namespace than its parent: nobody knows. It is not the host. */
	child.pid++;
	child.mnt_ns = 78;
	proctab_exec(p, &child, "/bin/x");
	proctab_scope(p, child.pid, 6 * S, scope);
	assert_string_equal(scope, "container:unknown");
	assert_int_equal(proctab_actor(p, child.pid, 6 * S, &a), 0);
	assert_null(a.container);
	/* In the host's it is: the stricter rules. */
	child.pid++;
	child.mnt_ns = cgroups_host_mnt_ns();
	proctab_exec(p, &child, "/bin/x");
	proctab_scope(p, child.pid, 6 * S, scope);
	assert_string_equal(scope, "host");
	proctab_free(p);
	cgroups_free(c);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(rmdir(top), 0);
}

/* A tree that stands for the mount: the host's part, and a container's. */
struct groups {
	char top[SCRATCH_SIZE];
	uint64_t host, container;
	struct cgroups *c;
};

static void groups_open(struct groups *g)
{
	char path[SCRATCH_SIZE + 128];
	struct why why = {""};
	struct stat st;

	scratch_open(g->top, "cgroups");
	scratch_run(g->top, "mkdir host.slice docker-" ID ".scope");
	snprintf(path, sizeof(path), "%s/host.slice", g->top);
	assert_int_equal(stat(path, &st), 0);
	g->host = st.st_ino;
	snprintf(path, sizeof(path), "%s/docker-" ID ".scope", g->top);
	assert_int_equal(stat(path, &st), 0);
	g->container = st.st_ino;
	assert_int_equal(cgroups_open(g->top, &g->c, &why), 0);
}

static void groups_done(struct groups *g)
{
	cgroups_free(g->c);
	scratch_done(g->top);
}

static void expect_scope(struct proctab *p, const struct plumb_task *t, const char *wanted)
{
	char scope[CGROUPS_SCOPE_SIZE];

	proctab_scope(p, t->pid, t->start_ns, scope);
	assert_string_equal(scope, wanted);
}

/* As a runtime does that begins a program in a container which runs: forked by what is the host's, moved, and only then it is executed. */
static void who_is_moved_is_where_it_was_seen(void **state)
{
	struct plumb_task runtime = task(4194200, 5 * S, 1, 1 * S, "runc");
	struct plumb_task child = task(4194201, 6 * S, 4194200, 5 * S, "runc:[2:INIT]");
	struct plumb_task other = task(4194202, 7 * S, 1, 1 * S, "lost");
	struct plumb_task ended = task(4194202, 3 * S, 1, 1 * S, "ended");
	struct proctab *p = NULL;
	struct line_actor a;
	struct groups g;

	(void)state;
	groups_open(&g);
	assert_int_equal(proctab_open(16, g.c, &p), 0);
	runtime.cgroup_id = g.host;
	runtime.mnt_ns = cgroups_host_mnt_ns();
	proctab_exec(p, &runtime, "/usr/bin/runc");
	proctab_fork(p, &runtime, child.pid, child.start_ns);
	child.cgroup_id = g.host;
	child.mnt_ns = 77;
	proctab_seen(p, &child);
	expect_scope(p, &child, "host");
	child.cgroup_id = g.container;
	proctab_seen(p, &child);
	expect_scope(p, &child, "container:" ID);
	assert_int_equal(proctab_actor(p, child.pid, child.start_ns, &a), 0);
	assert_string_equal(a.container, ID);
	assert_string_equal(a.exe, "/usr/bin/runc");
	assert_string_equal(a.ancestors[0].exe, "/usr/bin/runc");
	expect_scope(p, &runtime, "host");
	/* At its end the kernel does not say where it is; and who has ended stays so. */
	proctab_exit(p, child.pid, child.start_ns);
	child.cgroup_id = child.mnt_ns = 0;
	proctab_seen(p, &child);
	expect_scope(p, &child, "container:" ID);
	assert_int_equal(proctab_peers(p, 77, 0, &(uint32_t){0}, 1), 0);
	/* One whose fork was lost is where its record says; what it runs nobody knows. */
	other.cgroup_id = g.container;
	other.mnt_ns = 78;
	proctab_seen(p, &other);
	expect_scope(p, &other, "container:" ID);
	assert_int_equal(proctab_actor(p, other.pid, other.start_ns, &a), 0);
	assert_null(a.exe);
	/* A late one of who had the number before does not end it. */
	ended.mnt_ns = 79;
	proctab_seen(p, &ended);
	assert_int_equal(proctab_peers(p, 78, 0, &(uint32_t){0}, 1), 1);
	assert_int_equal(proctab_actor(p, ended.pid, ended.start_ns, &a), -ENOENT);
	proctab_free(p);
	groups_done(&g);
}

/* With cgroup v1 the number of v2's root is everybody's: a parent's text is of the namespace in which the parent was when it was found. */
static void a_child_in_another_namespace_asks_for_itself(void **state)
{
	struct plumb_task parent = task((uint32_t)getpid(), 5 * S, 1, 1 * S, "runc");
	struct plumb_task child = task(4194201, 6 * S, parent.pid, 5 * S, "x");
	struct proctab *p = NULL;
	struct line_actor a;
	struct groups g;

	(void)state;
	groups_open(&g);
	assert_int_equal(proctab_open(16, g.c, &p), 0);
	parent.cgroup_id = 1; /* no path has it: /proc tells */
	parent.mnt_ns = cgroups_host_mnt_ns();
	proctab_exec(p, &parent, "/usr/bin/runc");
	assert_int_equal(proctab_actor(p, parent.pid, parent.start_ns, &a), 0);
	assert_non_null(a.cgroup);
	parent.mnt_ns = 77; /* it went there before it forked */
	proctab_fork(p, &parent, child.pid, child.start_ns);
	expect_scope(p, &child, "container:unknown");
	proctab_free(p);
	groups_done(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_gone_one_is_where_its_parent_is),
		cmocka_unit_test(who_is_moved_is_where_it_was_seen),
		cmocka_unit_test(a_child_in_another_namespace_asks_for_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
