/* SPDX-License-Identifier: Apache-2.0 */
/* An agent in mounts of its own takes on those of another process: what it sees then, what it still finds of its own, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host_view.h"

#define CHECK(what)                                                          \
	do {                                                                 \
		if (!(what)) {                                               \
			fprintf(stderr, "# line %d: %s\n", __LINE__, #what); \
			_exit(1);                                            \
		}                                                            \
	} while (0)

/* All that changes namespaces does so in a child. */
static int in_child(void (*what)(const char *host, const char *dir), const char *dir)
{
	char host[32];
	int status = 0;
	pid_t pid;

	snprintf(host, sizeof(host), "/proc/%d", (int)getpid());
	pid = fork();
	if (pid == 0) {
		what(host, dir);
		_exit(0);
	}
	assert_true(pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void write_file(const char *dir, const char *name, const char *text)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "we");
	CHECK(f && fputs(text, f) >= 0 && fclose(f) == 0);
}

static bool has_text(const char *path, const char *text)
{
	char got[64] = "";
	FILE *f = fopen(path, "re");
	bool is = f && fgets(got, sizeof(got), f) && strcmp(got, text) == 0;

	if (f)
		fclose(f);
	return is;
}

/* What a container is: the same paths, other files. Below dir alone, and nobody else sees it. */
static void cover(const char *dir, int more)
{
	if (unshare(CLONE_NEWNS | more) < 0)
		_exit(77);
	CHECK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
	CHECK(mount("own", dir, "tmpfs", 0, NULL) == 0);
	write_file(dir, "file", "container");
}

static void see_the_host(const char *host, const char *dir)
{
	struct host_view *v = NULL;
	struct why why = {""};
	char path[256], cgroup[64], *own, *none = NULL, *relative = strdup("file");
	struct stat ours, theirs;

	cover(dir, CLONE_NEWCGROUP);
	snprintf(path, sizeof(path), "%s/file", dir);
	own = strdup(path);
	CHECK(own && has_text(path, "container"));
	CHECK(host_view_enter(host, &v, &why) == 0 && v);
	CHECK(has_text(path, "host"));
	CHECK(host_view_own(v, &own) == 0 && has_text(own, "container"));
	CHECK(host_view_own(v, &none) == 0 && !none);
	CHECK(host_view_own(v, &relative) == 0 && strcmp(relative, "file") == 0);
	snprintf(path, sizeof(path), "%s/ns/mnt", host);
	CHECK(stat(path, &theirs) == 0 && stat("/proc/self/ns/mnt", &ours) == 0);
	CHECK(ours.st_ino == theirs.st_ino);
	snprintf(cgroup, sizeof(cgroup), "%s/ns/cgroup", host);
	CHECK(stat(cgroup, &theirs) == 0 && stat("/proc/self/ns/cgroup", &ours) == 0);
	CHECK(ours.st_ino == theirs.st_ino);
	free(own);
	free(relative);
	CHECK(host_view_free(v) == NULL);
}

/* hostPID is not set: what is /proc/1 there is the container's own first process. */
static void refuse_own(const char *host, const char *dir)
{
	struct host_view *v = NULL;
	struct why why = {""};

	(void)host;
	(void)dir;
	CHECK(host_view_enter("/proc/self", &v, &why) == -EINVAL && !v);
	CHECK(strstr(why.text, "hostPID"));
}

static void refuse_none(const char *host, const char *dir)
{
	struct host_view *v = NULL;
	struct why why = {""};

	(void)host;
	CHECK(host_view_enter(dir, &v, &why) == -ENOENT && !v);
	CHECK(strstr(why.text, dir) && strstr(why.text, "ns/mnt"));
}

/* A process of other numbers than its /proc counts: it would read another's files as its own. */
static void refuse_foreign_proc(const char *host, const char *dir)
{
	struct host_view *v = NULL;
	struct why why = {""};
	int status = 0;
	pid_t pid;

	cover(dir, CLONE_NEWPID);
	pid = fork();
	if (pid == 0) {
		CHECK(host_view_enter(host, &v, &why) == -EINVAL && !v);
		CHECK(strstr(why.text, "does not know this process"));
		_exit(0);
	}
	CHECK(pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	_exit(WEXITSTATUS(status));
}

static void refuse_powerless(const char *host, const char *dir)
{
	struct host_view *v = NULL;
	struct why why = {""};

	cover(dir, 0);
	/* In a user namespace of its own it has every capability, and none over the host's. */
	CHECK(unshare(CLONE_NEWUSER) == 0);
	CHECK(host_view_enter(host, &v, &why) < 0 && !v && why.text[0]);
}

static void one(void (*what)(const char *host, const char *dir))
{
	char dir[] = "/tmp/plumb-host-view.XXXXXX", path[64];
	int code;

	if (geteuid() != 0)
		skip();
	assert_non_null(mkdtemp(dir));
	write_file(dir, "file", "host");
	code = in_child(what, dir);
	snprintf(path, sizeof(path), "%s/file", dir);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(dir), 0);
	if (code == 77)
		skip();
	assert_int_equal(code, 0);
}

static void test_sees_the_host(void **state)
{
	(void)state;
	one(see_the_host);
}

static void test_own_view(void **state)
{
	(void)state;
	one(refuse_own);
}

static void test_no_process(void **state)
{
	(void)state;
	one(refuse_none);
}

static void test_foreign_proc(void **state)
{
	(void)state;
	one(refuse_foreign_proc);
}

static void test_powerless(void **state)
{
	(void)state;
	one(refuse_powerless);
}

static void test_nothing_asked(void **state)
{
	char *path = strdup("/etc/a");

	(void)state;
	assert_int_equal(host_view_own(NULL, &path), 0);
	assert_string_equal(path, "/etc/a");
	free(path);
	assert_null(host_view_free(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sees_the_host), cmocka_unit_test(test_own_view),
		cmocka_unit_test(test_no_process),    cmocka_unit_test(test_foreign_proc),
		cmocka_unit_test(test_powerless),     cmocka_unit_test(test_nothing_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
