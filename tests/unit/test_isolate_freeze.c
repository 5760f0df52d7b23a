/* SPDX-License-Identifier: Apache-2.0 */
/* Which cgroups are frozen, and which never; in a real hierarchy, in cgroups of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cgroups.h"
#include "fsio.h"
#include "isolate_freeze.h"
#include "scratch.h"

static bool has(const char *dir, const char *cgroup, const char *value)
{
	char path[256];
	struct buf b = {0};
	bool yes;

	snprintf(path, sizeof(path), "%s%s/cgroup.freeze", dir, cgroup);
	assert_int_equal(fsio_read_file(fsio_system(), path, 16, &b), 0);
	yes = b.size > 0 && b.data[0] == (uint8_t)value[0];
	buf_done(&b);
	return yes;
}

/* Files stand in for the kernel's: what is written where. */
static void test_names(void **state)
{
	static const char *const one[] = {"/a/b"}, *const bad[] = {"/a/../b"},
				 *const root[] = {"/"}, *const none[] = {"/nowhere"},
				 *const two[] = {"/a/b", "/x"};
	struct isolate_state *s = calloc(1, sizeof(*s));
	struct isolate_freeze f = {.named = NULL};
	char dir[SCRATCH_SIZE];
	struct why why = {""};

	(void)state;
	assert_int_equal(isolate_freeze_begin(&f, s, &why), -ENOTSUP);
	scratch_open(dir, "freeze");
	f.root = dir;
	assert_int_equal(isolate_freeze_begin(&f, s, &why), -ENOENT);
	scratch_run(dir,
		    "mkdir -p kubepods.slice a/b x && echo 0 | tee kubepods.slice/cgroup.freeze "
		    "a/b/cgroup.freeze >x/cgroup.freeze && echo 1 >x/cgroup.freeze");
	assert_int_equal(isolate_freeze_begin(&f, s, &why), 0);
	assert_int_equal(s->n_frozen, 1);
	assert_string_equal(s->frozen[0], "/kubepods.slice");
	assert_true(has(dir, "/kubepods.slice", "1") && has(dir, "/a/b", "0"));
	/* Again is once. */
	assert_int_equal(isolate_freeze_begin(&f, s, &why), 0);
	assert_int_equal(s->n_frozen, 1);
	f.named = one;
	f.n_named = 1;
	assert_int_equal(isolate_freeze_begin(&f, s, &why), 0);
	assert_int_equal(s->n_frozen, 2);
	assert_true(has(dir, "/a/b", "1"));
	/* What somebody else froze is his. */
	f.named = two;
	f.n_named = 2;
	assert_int_equal(isolate_freeze_begin(&f, s, &why), 0);
	assert_int_equal(s->n_frozen, 2);
	assert_int_equal(isolate_freeze_end(&f, s, &why), 0);
	assert_true(has(dir, "/a/b", "0") && has(dir, "/kubepods.slice", "0") &&
		    has(dir, "/x", "1"));
	f.n_named = 1;
	f.named = bad;
	assert_int_equal(isolate_freeze_begin(&f, s, &why), -EINVAL);
	f.named = root;
	assert_int_equal(isolate_freeze_begin(&f, s, &why), -EINVAL);
	f.named = none;
	assert_int_equal(isolate_freeze_begin(&f, s, &why), -ENOENT);
	/* One that is gone by then holds nobody up. */
	scratch_run(dir, "rm -r a");
	assert_int_equal(isolate_freeze_end(&f, s, &why), 0);
	scratch_done(dir);
	free(s);
}

/* The agent's own, and those above it, in the hierarchy that this test runs in. */
static void test_own(void **state)
{
	struct isolate_state *s = calloc(1, sizeof(*s));
	struct cgroups *c = NULL;
	char own[CONTAINER_PATH_MAX], one[64], text[256];
	const char *names[] = {own};
	struct isolate_freeze f = {.named = names, .n_named = 1};
	struct why why = {""};
	pid_t pid;

	(void)state;
	if (cgroups_open(NULL, &c, &why) < 0 || cgroups_v2_path((uint32_t)getpid(), own) < 0) {
		print_message("# no cgroup v2 here\n");
		cgroups_free(c);
		free(s);
		skip();
	}
	f.root = cgroups_root(c);
	if (strlen(own) > 1) {
		assert_int_equal(isolate_freeze_begin(&f, s, &why), -EPERM);
		assert_int_equal(s->n_frozen, 0);
	}
	snprintf(one, sizeof(one), "/plumb-test-freeze-%d", (int)getpid());
	snprintf(text, sizeof(text), "%s%s", f.root, one);
	if (mkdir(text, 0700) < 0) {
		print_message("# no cgroup can be made here\n");
		cgroups_free(c);
		free(s);
		skip();
	}
	names[0] = one;
	pid = fork();
	if (pid == 0) {
		pause();
		_exit(0);
	}
	snprintf(text, sizeof(text), "echo %d >%s%s/cgroup.procs", (int)pid, f.root, one);
	assert_int_equal(system(text), 0);
	assert_int_equal(isolate_freeze_begin(&f, s, &why), 0);
	snprintf(text, sizeof(text),
		 "for i in $(seq 50); do grep -q 'frozen 1' %s%s/cgroup.events && exit 0; sleep "
		 "0.1; "
		 "done; exit 1",
		 f.root, one);
	assert_int_equal(system(text), 0);
	/* It is in it now: then it would stop itself. */
	f.own = (uint32_t)pid;
	s->n_frozen = 0;
	assert_int_equal(isolate_freeze_begin(&f, s, &why), -EPERM);
	s->n_frozen = 1;
	assert_int_equal(isolate_freeze_end(&f, s, &why), 0);
	snprintf(text, sizeof(text),
		 "for i in $(seq 50); do grep -q 'frozen 0' %s%s/cgroup.events && exit 0; sleep "
		 "0.1; "
		 "done; exit 1",
		 f.root, one);
	assert_int_equal(system(text), 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	snprintf(text, sizeof(text), "for i in $(seq 50); do rmdir %s%s && exit 0; sleep 0.1; done",
		 f.root, one);
	(void)!system(text);
	cgroups_free(c);
	free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_names),
					   cmocka_unit_test(test_own)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
