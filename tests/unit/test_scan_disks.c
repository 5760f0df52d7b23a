/* SPDX-License-Identifier: Apache-2.0 */
/* Who has a disk open for writing, in a /proc of the test's own whose descriptors lead to nodes that nobody opens. */
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

#include "cleanup.h"
#include "scan_disks.h"
#include "scratch.h"

struct bench {
	char top[SCRATCH_SIZE];
	struct proctab *proctab;
	struct scan_disks *disks;
	char told[512]; /* pid:kind:major:minor, in the order of what was found */
	bool nothing;
};

static bool on_found(void *ctx, const struct scan_disks_found *f)
{
	struct bench *b = ctx;
	size_t n = strlen(b->told);

	snprintf(b->told + n, sizeof(b->told) - n, "%u:%s:%u:%u ", f->pid,
		 S_ISBLK(f->mode) ? "b" : "c", f->dev >> 20, f->dev & 0xfffff);
	return !b->nothing;
}

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	struct scan_disks_options o = {.found = on_found, .ctx = b};

	scratch_open(b->top, "disks");
	assert_int_equal(proctab_open(0, NULL, &b->proctab), 0);
	o.proc = b->top;
	o.proctab = b->proctab;
	*state = b;
	return scan_disks_open(&o, &b->disks);
}

static int teardown(void **state)
{
	struct bench *b = *state;

	scan_disks_free(b->disks);
	proctab_free(b->proctab);
	scratch_done(b->top);
	free(b);
	return 0;
}

/* A node, which is not opened: there is no such device here. */
static bool node(const struct bench *b, const char *name, mode_t mode, unsigned int maj,
		 unsigned int min)
{
	char path[SCRATCH_SIZE + 16];

	snprintf(path, sizeof(path), "%s/%s", b->top, name);
	return mknod(path, mode | 0600, makedev(maj, min)) == 0;
}

static void descriptor(const struct bench *b, uint32_t pid, uint32_t fd, const char *to,
		       const char *flags)
{
	scratch_run(b->top,
		    "mkdir -p %u/fd %u/fdinfo && ln -sfn ../../%s %u/fd/%u && "
		    "printf 'pos:\\t0\\nflags:\\t%s\\nmnt_id:\\t1\\n' >%u/fdinfo/%u",
		    pid, pid, to, pid, fd, flags, pid, fd);
}

static const char *pass(struct bench *b)
{
	int r = 1;

	b->told[0] = '\0';
	while (r == 1)
		r = scan_disks_step(b->disks);
	assert_int_equal(r, 0);
	return b->told;
}

static void test_found(void **state)
{
	struct bench *b = *state;

	if (!node(b, "sda", S_IFBLK, 8, 0) || !node(b, "sg0", S_IFCHR, 21, 0) ||
	    !node(b, "null", S_IFCHR, 1, 3))
		skip();
	scratch_run(b->top, "echo x >file && mkdir 9 8 && echo x >8/fd");
	descriptor(b, 7, 3, "sda", "0100001");
	descriptor(b, 7, 4, "sda", "0100002"); /* once a process */
	descriptor(b, 7, 5, "null", "0100002");
	descriptor(b, 7, 6, "file", "0100002");
	assert_string_equal(pass(b), "7:b:8:0 ");
	assert_string_equal(scan_disks_blind(b->disks), "ENOTDIR");
	scratch_run(b->top, "rm -r 8");
	assert_string_equal(pass(b), "");
	assert_null(scan_disks_blind(b->disks));
	descriptor(b, 10, 3, "sg0", "0100000"); /* for reading */
	assert_string_equal(pass(b), "");
	descriptor(b, 10, 4, "sg0", "02");
	assert_string_equal(pass(b), "10:c:21:0 ");
	assert_string_equal(pass(b), "");
	/* It was closed, and is open anew. */
	scratch_run(b->top, "rm 10/fd/4");
	assert_string_equal(pass(b), "");
	descriptor(b, 10, 4, "sg0", "02");
	assert_string_equal(pass(b), "10:c:21:0 ");
}

/* What is nothing yet may be something in the next pass; and a process that could not be looked at has not closed its disks. */
static void test_again(void **state)
{
	struct bench *b = *state;

	if (!node(b, "sda", S_IFBLK, 8, 0))
		skip();
	descriptor(b, 7, 3, "sda", "0100001");
	b->nothing = true;
	assert_string_equal(pass(b), "7:b:8:0 ");
	b->nothing = false;
	assert_string_equal(pass(b), "7:b:8:0 ");
	assert_string_equal(pass(b), "");
	scratch_run(b->top, "mv 7/fd 7/none && echo x >7/fd");
	assert_string_equal(pass(b), "");
	assert_string_equal(scan_disks_blind(b->disks), "ENOTDIR");
	scratch_run(b->top, "rm 7/fd && mv 7/none 7/fd");
	assert_string_equal(pass(b), "");
	/* Another process of that number. */
	proctab_exec(b->proctab, &(struct plumb_task){.pid = 7, .start_ns = 1000000000}, "/bin/x");
	assert_string_equal(pass(b), "7:b:8:0 ");
}

/* More than can be remembered: each pass tells of the rest. */
static void test_many(void **state)
{
	struct bench *b = *state;

	if (!node(b, "sda", S_IFBLK, 8, 0))
		skip();
	scratch_run(b->top,
		    "mkdir -p 1/fd 1/fdinfo && ln -s ../../sda 1/fd/3 && "
		    "printf 'flags:\\t01\\n' >1/fdinfo/3 && for i in $(seq 2 %u); do ln -s 1 $i; "
		    "done",
		    SCAN_DISKS_KNOWN + 2);
	b->told[0] = '\0';
	(void)pass(b);
	assert_true(strlen(pass(b)) >= 2 * strlen("1:b:8:0 "));
	assert_true(strlen(b->told) <= 2 * strlen("100:b:8:0 "));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_found, setup, teardown),
		cmocka_unit_test_setup_teardown(test_again, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
