/* SPDX-License-Identifier: Apache-2.0 */
/* Programs that run already: a /proc of this test's own whose processes are links to files, a mount table for each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "claims_fixture.h"
#include "hash_pieces.h"
#include "scan_running.h"

/* SHA-256 of "abc" and of 5 MiB of zeros. */
#define ABC "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define ZEROS "sha256:c036cbb7553a909f8b8877d4461924307f27ecb66cff928eeeafd569c3887e29"
#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

struct bench {
	struct claims_fixture f;
	struct hash_cache *cache;
	uint32_t n_steps;
};

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));

	claims_fixture_open(&b->f);
	assert_int_equal(hash_cache_open(0, 0, &b->cache), 0);
	scratch_run(b->f.top,
		    "mkdir -p proc/self root/here root/other bin && ln -s ../../root/here "
		    "proc/self/root && printf abc >bin/abc && head -c 5242880 /dev/zero "
		    ">bin/zeros");
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;

	hash_cache_free(b->cache);
	claims_fixture_done(&b->f);
	free(b);
	return 0;
}

/* fstype NULL: the mount that the program is on is not in the process's table. */
static void process(struct bench *b, const char *pid, const char *program, const char *root,
		    const char *fstype)
{
	char name[64], path[256], text[256] = "1 0 8:1 / /nowhere rw - ext4 /dev/sda1 rw\n";
	struct statx st;

	scratch_run(b->f.top,
		    "mkdir -p proc/%s && ln -s ../../root/%s proc/%s/root && ln -s "
		    "%s/bin/%s proc/%s/exe",
		    pid, root, pid, b->f.top, program, pid);
	snprintf(path, sizeof(path), "%s/bin/%s", b->f.top, program);
	if (fstype && statx(AT_FDCWD, path, 0, STATX_MNT_ID, &st) == 0)
		snprintf(text, sizeof(text), "%llu 0 8:1 / / rw - %s /dev/sda1 rw\n",
			 (unsigned long long)st.stx_mnt_id, fstype);
	snprintf(name, sizeof(name), "proc/%s/mountinfo", pid);
	claims_fixture_text(&b->f, name, text);
}

static int scan(struct bench *b)
{
	struct scan_running *s;
	int r, put = -1;

	assert_int_equal(scan_running_open(&b->f.source, b->cache, &s), 0);
	b->n_steps = 0;
	do {
		r = scan_running_step(s, &put);
		b->n_steps++;
	} while (r == 1);
	scan_running_free(s);
	assert_int_equal(r, 0);
	return put;
}

static const char *found(struct bench *b, const char *who, const char *program)
{
	char key[256];

	snprintf(key, sizeof(key), "running:%s%s/bin/%s", who, b->f.top, program);
	return claims_fixture_found(&b->f, key);
}

static void test_measured(void **state)
{
	struct bench *b = *state;

	process(b, "10", "abc", "here", "ext4");
	process(b, "11", "abc", "here", "ext4");
	process(b, "12", "zeros", "here", "ext4");
	scratch_run(b->f.top, "mkdir proc/13"); /* a thread of the kernel's */
	assert_int_equal(scan(b), 2);
	assert_string_equal(found(b, "", "abc"), ABC);
	assert_string_equal(found(b, "", "zeros"), ZEROS);
	/* The large one was read a piece at a time. */
	assert_true(b->n_steps >= 5242880 / HASH_PIECES_STEP + 4);
	assert_int_equal(b->f.n, 2);
}

/* The name is that of the file that is read: who executes something else in between does not lend it his new one's bytes. */
static void test_named_by_its_file(void **state)
{
	struct bench *b = *state;

	scratch_run(b->f.top, "ln -s abc bin/before");
	process(b, "10", "before", "here", "ext4");
	assert_int_equal(scan(b), 1);
	assert_string_equal(found(b, "", "abc"), ABC);
	assert_string_equal(found(b, "", "before"), "(not put)");
}

/* What is seen from another root is another path. */
static void test_elsewhere(void **state)
{
	struct bench *b = *state;

	process(b, "10", "abc", "other", "overlay");
	claims_fixture_text(&b->f, "proc/10/cgroup",
			    "0::/kubepods.slice/cri-containerd-" ID ".scope\n");
	process(b, "11", "abc", "other", "overlay");
	claims_fixture_text(&b->f, "proc/11/cgroup", "0::/system.slice/some.service\n");
	assert_int_equal(scan(b), 2);
	assert_string_equal(found(b, "container:" ID ":", "abc"), ABC);
	assert_string_equal(found(b, "elsewhere:", "abc"), ABC);
	assert_string_equal(found(b, "", "abc"), "(not put)");
}

/* Served by somebody, or by nobody knows whom: not opened at all. */
static void test_served(void **state)
{
	static const char *const served[] = {"fuse.sshfs", "nfs4", "9p", "virtiofs", NULL};
	struct bench *b = *state;

	for (size_t i = 0; i < sizeof(served) / sizeof(served[0]); i++) {
		char pid[8];

		snprintf(pid, sizeof(pid), "%zu", 10 + i);
		scratch_run(b->f.top, "rm -rf proc/1[0-9]");
		process(b, pid, "abc", "here", served[i]);
		(void)scan(b);
		assert_string_equal(found(b, "", "abc"),
				    "unmeasured on no file system that is the kernel's own");
	}
}

/* The agent itself, from a container: it is in the host's mounts, and its program is not. */
static void test_own_from_elsewhere(void **state)
{
	struct bench *b = *state;

	process(b, "10", "abc", "here", NULL);
	claims_fixture_text(&b->f, "proc/10/cgroup",
			    "0::/kubepods.slice/cri-containerd-" ID ".scope\n");
	process(b, "11", "zeros", "here", NULL);
	scratch_run(b->f.top, "cd proc && rm -r self && ln -s 10 self");
	assert_int_equal(scan(b), 2);
	assert_string_equal(found(b, "container:" ID ":", "abc"), ABC);
	/* Another one's may be served by anybody. */
	assert_string_equal(found(b, "", "zeros"),
			    "unmeasured on no file system that is the kernel's own");
}

/* A host's own agent is the host's. */
static void test_own(void **state)
{
	struct bench *b = *state;

	process(b, "10", "abc", "here", "ext4");
	claims_fixture_text(&b->f, "proc/10/cgroup",
			    "0::/kubepods.slice/cri-containerd-" ID ".scope\n");
	scratch_run(b->f.top, "cd proc && rm -r self && ln -s 10 self");
	assert_int_equal(scan(b), 1);
	assert_string_equal(found(b, "", "abc"), ABC);
	scratch_run(b->f.top, "rm -r proc/10");
	process(b, "10", "zeros", "here", "fuse.sshfs");
	assert_int_equal(scan(b), 1);
	assert_string_equal(found(b, "", "zeros"),
			    "unmeasured on no file system that is the kernel's own");
}

static void test_cannot_be_read(void **state)
{
	struct bench *b = *state;

	process(b, "10", "abc", "here", "ext4");
	scratch_run(b->f.top, "rm proc/10/mountinfo && mkdir proc/10/mountinfo");
	assert_int_equal(scan(b), 1);
	assert_string_equal(found(b, "", "abc"), "unmeasured EISDIR");
	/* One that ended meanwhile is nobody's business. */
	scratch_run(b->f.top, "rm -rf proc/10 && mkdir proc/11 && ln -s /nowhere proc/11/exe");
	assert_int_equal(scan(b), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_measured, setup, teardown),
		cmocka_unit_test_setup_teardown(test_named_by_its_file, setup, teardown),
		cmocka_unit_test_setup_teardown(test_elsewhere, setup, teardown),
		cmocka_unit_test_setup_teardown(test_served, setup, teardown),
		cmocka_unit_test_setup_teardown(test_own_from_elsewhere, setup, teardown),
		cmocka_unit_test_setup_teardown(test_own, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cannot_be_read, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
