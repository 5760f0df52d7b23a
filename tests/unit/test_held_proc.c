/* SPDX-License-Identifier: Apache-2.0 */
/* What a process may keep is asked for by a thread; pipes that nobody writes to stand for what is kept. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "held_proc.h"
#include "scratch.h"

#define MANY (HELD_PROC_MAX + 1)

struct bench {
	char top[SCRATCH_SIZE];
	struct held_proc *held;
	struct buf text;
};

static const struct held_proc_options hurried = {
	.wait_us = 5000, .patience_ms = 500, .rest_ms = 1000};

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));

	scratch_open(b->top, "held");
	scratch_run(b->top, "mkdir 7 8 && mkfifo 7/maps && printf 'one\\n' >8/maps && "
			    "printf x >7/exe");
	*state = b;
	return held_proc_open(&hurried, &b->held);
}

static int teardown(void **state)
{
	struct bench *b = *state;

	held_proc_free(b->held);
	buf_done(&b->text);
	scratch_done(b->top);
	free(b);
	return 0;
}

static struct held_proc_want want(const struct bench *b, uint32_t pid, const char *name)
{
	return (struct held_proc_want){b->top, pid, name, 16};
}

static int text(struct bench *b, uint32_t pid, const char *name)
{
	const struct held_proc_want w = want(b, pid, name);

	buf_clear(&b->text);
	return held_proc_text(b->held, &w, &b->text);
}

/* Until it is anything else than on its way, which it is at most for its patience. */
static int end_of(struct bench *b, uint32_t pid, const char *name)
{
	int r = -EINPROGRESS;

	for (int i = 0; i < 1000 && r == -EINPROGRESS; i++)
		r = text(b, pid, name);
	return r;
}

static uint32_t n_threads(void)
{
	DIR *d = opendir("/proc/self/task");
	uint32_t n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n - 2;
}

static void wait_ms(uint32_t ms)
{
	usleep(ms * 1000);
}

/* Whoever waits to read that pipe, now or in a moment, does no more. */
static bool let_go(const struct bench *b, uint32_t pid, uint32_t tries)
{
	char path[SCRATCH_SIZE + 32];
	int fd = -1;

	snprintf(path, sizeof(path), "%s/%u/maps", b->top, pid);
	for (uint32_t i = 0; i < tries && fd < 0; i++) {
		fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
		if (fd < 0)
			wait_ms(5);
	}
	if (fd < 0)
		return false;
	assert_int_equal(write(fd, "free\n", 5), 5);
	close(fd);
	return true;
}

static void test_given(void **state)
{
	struct bench *b = *state;
	struct held_proc_want w = want(b, 7, "exe");
	uint32_t n;
	int fd;

	assert_int_equal(end_of(b, 8, "maps"), 0);
	n = n_threads();
	for (int i = 0; i < 100; i++) {
		assert_int_equal(end_of(b, 8, "maps"), 0);
		assert_string_equal((char *)b->text.data, "one\n");
	}
	assert_int_equal(n_threads(), n);
	assert_int_equal(end_of(b, 9, "maps"), -ENOENT);
	scratch_run(b->top, "printf 0123456789abcdefX >8/maps");
	assert_int_equal(end_of(b, 8, "maps"), -EFBIG);
	do
		fd = held_proc_path(b->held, &w);
	while (fd == -EINPROGRESS);
	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_GETFL) & O_PATH, O_PATH);
	close(fd);
}

static void test_held(void **state)
{
	struct bench *b = *state;
	uint64_t from = clock_boot_ns(clock_system());
	uint32_t n;

	assert_int_equal(text(b, 7, "maps"), -EINPROGRESS);
	assert_true(clock_boot_ns(clock_system()) - from < 400000000);
	assert_int_equal(text(b, 7, "exe"), -EINPROGRESS); /* it is asked one thing at a time */
	assert_int_equal(end_of(b, 8, "maps"), 0);
	assert_int_equal(end_of(b, 7, "maps"), -ETIMEDOUT);
	assert_non_null(held_proc_why(-ETIMEDOUT));
	n = n_threads();
	for (int i = 0; i < 100; i++) {
		assert_int_equal(text(b, 7, "maps"), -ETIMEDOUT);
		assert_int_equal(text(b, 7, "exe"), -ETIMEDOUT);
		assert_int_equal(end_of(b, 8, "maps"), 0);
	}
	assert_int_equal(n_threads(), n);
	/* Long after its rest, while somebody still waits for it. */
	wait_ms(1200);
	assert_int_equal(text(b, 7, "maps"), -ETIMEDOUT);
	assert_int_equal(n_threads(), n);
	assert_true(let_go(b, 7, 1000));
	for (int i = 0; i < 1000 && n_threads() == n; i++)
		wait_ms(5);
	assert_int_equal(n_threads(), n - 1);
	assert_int_equal(end_of(b, 7, "exe"), 0);
	assert_string_equal((char *)b->text.data, "x");
}

/* Each time that it holds what it was asked for it rests for longer. */
static void test_rests(void **state)
{
	struct bench *b = *state;

	assert_int_equal(end_of(b, 7, "maps"), -ETIMEDOUT);
	assert_true(let_go(b, 7, 1000));
	wait_ms(200);
	assert_int_equal(text(b, 7, "exe"), -ETIMEDOUT);
	wait_ms(1000);
	assert_int_equal(end_of(b, 7, "exe"), 0);
	assert_int_equal(end_of(b, 7, "maps"), -ETIMEDOUT);
	assert_true(let_go(b, 7, 1000));
	wait_ms(1200);
	assert_int_equal(text(b, 7, "exe"), -ETIMEDOUT);
	wait_ms(1000);
	assert_int_equal(end_of(b, 7, "exe"), 0);
}

/* However many hold what they are asked for, the threads have a bound. */
static void test_many(void **state)
{
	struct bench *b = *state;
	uint32_t before = n_threads();

	scratch_run(b->top, "for i in $(seq 101 %d); do mkdir $i && mkfifo $i/maps; done",
		    100 + MANY);
	for (uint32_t i = 1; i < MANY; i++)
		(void)text(b, 100 + i, "maps");
	assert_int_equal(end_of(b, 100 + MANY, "maps"), -EBUSY);
	assert_int_equal(end_of(b, 8, "maps"), -EBUSY);
	assert_non_null(held_proc_why(-EBUSY));
	assert_int_equal(n_threads(), before + HELD_PROC_MAX);
	for (uint32_t i = 1; i < MANY; i++) {
		assert_int_equal(end_of(b, 100 + i, "maps"), -ETIMEDOUT);
		assert_true(let_go(b, 100 + i, 1000));
	}
	for (int i = 0; i < 1000 && n_threads() > before; i++)
		wait_ms(5);
	assert_int_equal(end_of(b, 8, "maps"), 0);
}

/* What came for one who asked no more is not given to who asks later. */
static void test_stale(void **state)
{
	struct bench *b = *state;

	assert_int_equal(text(b, 7, "maps"), -EINPROGRESS);
	assert_true(let_go(b, 7, 1000));
	wait_ms(1300);
	assert_int_equal(text(b, 7, "maps"), -EINPROGRESS);
	assert_true(let_go(b, 7, 1000));
	assert_int_equal(end_of(b, 7, "maps"), 0);
	assert_string_equal((char *)b->text.data, "free\n");
}

static void test_freed_meanwhile(void **state)
{
	struct bench *b = *state;
	uint32_t before = n_threads();

	assert_int_equal(text(b, 7, "maps"), -EINPROGRESS);
	b->held = held_proc_free(b->held);
	(void)let_go(b, 7, 20); /* or it had not begun */
	for (int i = 0; i < 1000 && n_threads() > before; i++)
		wait_ms(5);
	assert_int_equal(n_threads(), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_given, setup, teardown),
		cmocka_unit_test_setup_teardown(test_held, setup, teardown),
		cmocka_unit_test_setup_teardown(test_rests, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stale, setup, teardown),
		cmocka_unit_test_setup_teardown(test_freed_meanwhile, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
