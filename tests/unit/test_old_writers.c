/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_old_writers.c: a /proc of its own with descriptors and maps; when is the program attached, and what is claimed.
 */
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
#include <sys/syscall.h>
#include <unistd.h>

#include "../../userspace/agent/old_writers.h"
#include "clock.h"

#define PAUSE_MS 400

/* In the C library's place: a descriptor may be of a file whose server does not answer, so it must not be asked. */
static uint32_t n_known, n_asked_server;

int statx(int dir, const char *restrict path, int flags, unsigned int mask,
	  struct statx *restrict ret)
{
	const int wanted = AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT;

	if ((flags & wanted) == wanted)
		n_known++;
	else
		n_asked_server++;
	return (int)syscall(SYS_statx, dir, path, flags, mask, ret);
}

int fstatat(int dir, const char *restrict path, struct stat *restrict ret, int flags)
{
	n_asked_server++;
	return (int)syscall(SYS_newfstatat, dir, path, ret, flags);
}

struct bench {
	char top[64];
	struct event_base *base;
	struct old_writers *writers;
	struct held_proc *held;
	uint64_t watched_ino;
	uint32_t watched_dev;
	char claim[128];
	uint32_t n_claims, n_attach, n_detach, n_mapped, n_asked;
	int error;
};

static bool on_watched(void *ctx, uint32_t dev, uint64_t ino)
{
	struct bench *b = ctx;

	b->n_asked++;
	return ino == b->watched_ino && (b->watched_dev == 0 || dev == b->watched_dev);
}

static int on_attach(void *ctx, bool on)
{
	struct bench *b = ctx;

	b->n_attach += on;
	b->n_detach += !on;
	return b->error;
}

static void on_mapped(void *ctx, uint32_t dev, uint64_t ino)
{
	struct bench *b = ctx;

	assert_int_equal(dev, b->watched_dev);
	assert_int_equal(ino, b->watched_ino);
	b->n_mapped++;
}

static void run(struct bench *b, unsigned int ms)
{
	struct timeval tv = {ms / 1000, ms % 1000 * 1000};

	event_base_loopexit(b->base, &tv);
	event_base_dispatch(b->base);
}

static void on_claim(void *ctx, const char *value)
{
	struct bench *b = ctx;

	snprintf(b->claim, sizeof(b->claim), "%s", value);
	b->n_claims++;
}

static void put(struct bench *b, const char *name, const char *text)
{
	char path[160];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", b->top, name);
	f = fopen(path, "we");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	fclose(f);
}

static void make_dir(struct bench *b, const char *name)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/%s", b->top, name);
	assert_int_equal(mkdir(path, 0755), 0);
}

/* Process 123456, fd 7 of which is the file "target". */
static void put_process(struct bench *b, const char *flags, const char *maps)
{
	char link[160], target[160], text[64];
	struct stat st;

	make_dir(b, "123456");
	make_dir(b, "123456/fd");
	make_dir(b, "123456/fdinfo");
	put(b, "target", "x");
	snprintf(target, sizeof(target), "%s/target", b->top);
	snprintf(link, sizeof(link), "%s/123456/fd/7", b->top);
	assert_int_equal(symlink(target, link), 0);
	snprintf(text, sizeof(text), "pos:\t0\nflags:\t%s\nmnt_id:\t1\n", flags);
	put(b, "123456/fdinfo/7", text);
	put(b, "123456/maps", maps);
	assert_int_equal(stat(target, &st), 0);
	if (b->watched_ino == 0)
		b->watched_ino = st.st_ino;
}

static void open_writers(struct bench *b)
{
	const struct old_writers_options o = {.proc = b->top,
					      .held = b->held,
					      .watched = on_watched,
					      .attach = on_attach,
					      .claim = on_claim,
					      .mapped = on_mapped,
					      .ctx = b,
					      .pause_ms = PAUSE_MS,
					      .interval_ms = 10};

	assert_int_equal(old_writers_open(b->base, &o, &b->writers), 0);
}

static const struct held_proc_options hurried = {
	.wait_us = 2000, .patience_ms = 300, .rest_ms = 300};

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));

	assert_non_null(b);
	strcpy(b->top, "/tmp/plumb-test-old-XXXXXX");
	assert_non_null(mkdtemp(b->top));
	b->base = event_base_new();
	*state = b;
	return held_proc_open(&hurried, &b->held);
}

static int teardown(void **state)
{
	struct bench *b = *state;
	char command[128];

	old_writers_free(b->writers);
	held_proc_free(b->held);
	event_base_free(b->base);
	snprintf(command, sizeof(command), "rm -rf %s", b->top);
	assert_int_equal(system(command), 0);
	free(b);
	return 0;
}

static void a_writer_keeps_it_attached(void **state)
{
	struct bench *b = *state;

	put_process(b, "0100001", "");
	open_writers(b);
	assert_true(old_writers_is_attached(b->writers));
	assert_string_equal(b->claim, "attached older writers");
	assert_int_equal(b->n_detach, 0);
}

static void no_server_is_asked(void **state)
{
	struct bench *b = *state;

	put_process(b, "0100001", "");
	n_known = 0;
	n_asked_server = 0;
	open_writers(b);
	assert_int_equal(n_known, 1);
	assert_int_equal(n_asked_server, 0);
}

static void a_reader_does_not(void **state)
{
	struct bench *b = *state;

	put_process(b, "0100000",
		    "7f0000000000-7f0000001000 r--s 00000000 08:01 4242 /etc/x\n"
		    "7f0000002000-7f0000003000 rw-p 00000000 08:01 4242 /etc/x\n"
		    "7f0000004000-7f0000005000 rw-s 00000000 08:01 4243 /etc/y\n");
	open_writers(b);
	assert_false(old_writers_is_attached(b->writers));
	assert_string_equal(b->claim, "absent no older writers");
	assert_int_equal(b->n_attach, 1); /* before it looked */
	assert_int_equal(b->n_detach, 1);
}

static void a_mapping_is_told(void **state)
{
	struct bench *b = *state;

	b->watched_ino = 4242;
	b->watched_dev = 8u << 20 | 1;
	put_process(b, "0100000",
		    "7f0000000000-7f0000001000 rw-s 00000000 08:01 4242 /etc/x\n"
		    "7f0000001000-7f0000002000 rw-s 00001000 08:01 4242 /etc/x\n");
	open_writers(b);
	assert_true(old_writers_is_attached(b->writers));
	assert_string_equal(b->claim, "attached older writable mappings");
	assert_int_equal(b->n_mapped, 1); /* one file, however often it is mapped */
	run(b, 300);
	assert_true(b->n_mapped > 1); /* and again with each pass */
}

/* However often it is asked, the walk has its pace; and it does begin: who asks for ever does not put it off for ever. */
static void it_is_not_hurried(void **state)
{
	struct bench *b = *state;
	uint32_t asked;
	uint64_t begun;

	put_process(b, "0100000", "7f0000004000-7f0000005000 rw-s 00000000 08:01 4243 /etc/y\n");
	open_writers(b);
	asked = b->n_asked;
	begun = clock_boot_ns(clock_system());
	for (int i = 0; i < 1000 && b->n_asked == asked; i++) {
		old_writers_look(b->writers);
		assert_true(old_writers_is_attached(b->writers));
		assert_string_equal(b->claim, "attached older writers are looked for");
		assert_int_equal(b->n_claims, 2); /* however often it is asked */
		run(b, 10);
	}
	assert_true(b->n_asked > asked);
	assert_true(clock_boot_ns(clock_system()) - begun >= PAUSE_MS * 900000ull);
	for (int i = 0; i < 100 && old_writers_is_attached(b->writers); i++)
		run(b, 20);
	assert_false(old_writers_is_attached(b->writers));
}

/* Something is marked while a pass runs: that pass may be past whoever has it open, so the program stays until one has been whole. */
static void a_look_within_a_pass_counts(void **state)
{
	struct bench *b = *state;
	uint32_t asked;
	char name[32];

	for (int i = 1; i <= 60; i++) {
		snprintf(name, sizeof(name), "%d", i);
		make_dir(b, name);
		snprintf(name, sizeof(name), "%d/fd", i);
		make_dir(b, name);
		snprintf(name, sizeof(name), "%d/maps", i);
		put(b, name, "7f0000004000-7f0000005000 rw-s 00000000 08:01 4243 /etc/y\n");
	}
	open_writers(b);
	assert_false(old_writers_is_attached(b->writers));
	asked = b->n_asked;
	old_writers_look(b->writers);
	while (b->n_asked == asked)
		event_base_loop(b->base, EVLOOP_ONCE);
	assert_true(b->n_asked < asked * 2);
	old_writers_look(b->writers);
	while (b->n_asked < asked * 2)
		event_base_loop(b->base, EVLOOP_ONCE);
	while (b->n_asked == asked * 2) {
		assert_true(old_writers_is_attached(b->writers));
		event_base_loop(b->base, EVLOOP_ONCE);
	}
	for (int i = 0; i < 100 && old_writers_is_attached(b->writers); i++)
		run(b, 20);
	assert_false(old_writers_is_attached(b->writers));
	assert_int_equal(b->n_asked, asked * 3);
}

static void another_file_is_nothing(void **state)
{
	struct bench *b = *state;

	b->watched_ino = 1;
	put_process(b, "0100002", "");
	open_writers(b);
	assert_string_equal(b->claim, "absent no older writers");
}

static void it_goes_when_they_go(void **state)
{
	struct bench *b = *state;
	char path[160];

	put_process(b, "02", "");
	open_writers(b);
	assert_true(old_writers_is_attached(b->writers));
	assert_int_equal(b->n_claims, 1);
	snprintf(path, sizeof(path), "%s/123456/fd/7", b->top);
	assert_int_equal(unlink(path), 0);
	for (int i = 0; i < 500 && old_writers_is_attached(b->writers); i++)
		run(b, 10);
	assert_false(old_writers_is_attached(b->writers));
	assert_string_equal(b->claim, "absent no older writers");
	assert_int_equal(b->n_claims, 2); /* and not one a pass */
}

static void what_cannot_be_read_is_not_good(void **state)
{
	struct bench *b = *state;
	char path[160];

	put_process(b, "0100000", "");
	snprintf(path, sizeof(path), "%s/123456/maps", b->top);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink(path, path), 0); /* ELOOP */
	open_writers(b);
	assert_true(old_writers_is_attached(b->writers));
	assert_string_equal(b->claim, "attached not all processes can be looked at");
}

/*
 * A process keeps its maps: a pipe that nobody writes to. Whoever comes after it is looked at, the start is not held up, and the program stays
 * until it gives them.
 */
static void nobody_is_waited_for(void **state)
{
	struct bench *b = *state;
	char path[160];
	uint64_t from;
	int fd;

	b->watched_ino = 4242;
	b->watched_dev = 8u << 20 | 1;
	put_process(b, "0100000", "7f0000000000-7f0000001000 rw-s 00000000 08:01 4242 /etc/x\n");
	make_dir(b, "7");
	make_dir(b, "7/fd");
	snprintf(path, sizeof(path), "%s/7/maps", b->top);
	assert_int_equal(mkfifo(path, 0600), 0);
	alarm(60);
	from = clock_boot_ns(clock_system());
	open_writers(b);
	assert_true(clock_boot_ns(clock_system()) - from < 2000000000);
	assert_true(old_writers_is_attached(b->writers));
	assert_string_equal(b->claim, "attached older writers are looked for");
	for (int i = 0; i < 500 && b->n_mapped == 0; i++)
		run(b, 10);
	assert_string_equal(b->claim, "attached older writable mappings");
	put(b, "123456/maps", "");
	for (int i = 0; i < 500 && strcmp(b->claim, "attached older writable mappings") == 0; i++)
		run(b, 10);
	assert_string_equal(b->claim, "attached not all processes can be looked at");
	run(b, 700); /* its rest, and more */
	assert_int_equal(b->n_detach, 0);
	fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(unlink(path), 0);
	put(b, "7/maps", "");
	close(fd);
	for (int i = 0; i < 500 && old_writers_is_attached(b->writers); i++)
		run(b, 10);
	assert_string_equal(b->claim, "absent no older writers");
	alarm(0);
}

static void without_the_program_it_is_said(void **state)
{
	struct bench *b = *state;

	b->error = -ENOTSUP;
	put_process(b, "0100001", "");
	open_writers(b);
	assert_false(old_writers_is_attached(b->writers));
	assert_string_equal(b->claim, "absent no such program is loaded");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_writer_keeps_it_attached, setup, teardown),
		cmocka_unit_test_setup_teardown(no_server_is_asked, setup, teardown),
		cmocka_unit_test_setup_teardown(a_reader_does_not, setup, teardown),
		cmocka_unit_test_setup_teardown(a_mapping_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(it_is_not_hurried, setup, teardown),
		cmocka_unit_test_setup_teardown(a_look_within_a_pass_counts, setup, teardown),
		cmocka_unit_test_setup_teardown(another_file_is_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(it_goes_when_they_go, setup, teardown),
		cmocka_unit_test_setup_teardown(what_cannot_be_read_is_not_good, setup, teardown),
		cmocka_unit_test_setup_teardown(nobody_is_waited_for, setup, teardown),
		cmocka_unit_test_setup_teardown(without_the_program_it_is_said, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
