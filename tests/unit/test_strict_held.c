/* SPDX-License-Identifier: Apache-2.0 */
/* Who is held, for how long, and what frees him: the keeper's table with real files and a door that writes down what it is asked to do. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "cleanup.h"
#include "image_fixture.h"
#include "strict.h"
#include "strict_held.h"

#define ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define WAIT 1000

struct bench {
	char dir[64];
	struct strict_held *held;
	uint32_t n_allowed, n_denied, n_ignored, n_unignored, n_msgs;
	bool deaf;
	struct strict_msg last;
};

static void on_answer(void *ctx, int fd, bool allow)
{
	struct bench *b = ctx;

	assert_true(fcntl(fd, F_GETFD) >= 0); /* the kernel knows the question by it */
	b->n_allowed += allow;
	b->n_denied += !allow;
}

static int on_ignore(void *ctx, int fd)
{
	struct bench *b = ctx;

	(void)fd;
	b->n_ignored++;
	return 0;
}

static void on_unignore(void *ctx, int fd)
{
	struct bench *b = ctx;

	assert_true(fcntl(fd, F_GETFD) >= 0);
	b->n_unignored++;
}

static int on_send(void *ctx, const struct strict_msg *m)
{
	struct bench *b = ctx;
	struct why why;

	if (b->deaf)
		return -EAGAIN;
	assert_int_equal(
		strict_check(m, offsetof(struct strict_msg, path) + strlen(m->path) + 1, &why), 0);
	b->last = *m;
	b->n_msgs++;
	return 0;
}

static void bench_open(struct bench *b, bool closed)
{
	const struct strict_door door = {b, on_answer, on_ignore, on_unignore, on_send};

	*b = (struct bench){.n_msgs = 0};
	strcpy(b->dir, "/tmp/plumb-test-strict-XXXXXX");
	assert_non_null(mkdtemp(b->dir));
	assert_int_equal(strict_held_open(WAIT, closed, &door, &b->held), 0);
}

static void bench_done(struct bench *b)
{
	char command[128];

	b->held = strict_held_free(b->held);
	snprintf(command, sizeof(command), "rm -rf %s", b->dir);
	assert_int_equal(system(command), 0);
}

static void path_of(const struct bench *b, const char *name, char ret[128])
{
	snprintf(ret, 128, "%s/%s", b->dir, name);
}

static void put(const struct bench *b, const char *name, const char *text)
{
	char path[128];
	FILE *f;

	path_of(b, name, path);
	f = fopen(path, "a");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static int open_file(const struct bench *b, const char *name)
{
	char path[128];
	int fd;

	path_of(b, name, path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

static void rest(int ms)
{
	const struct timespec t = {0, ms * 1000000L};

	nanosleep(&t, NULL);
}

/* Works until nothing is due at that time. */
static void work(struct bench *b, uint64_t now_ms)
{
	for (int i = 0; i < 200; i++) {
		if (!strict_held_work(b->held, now_ms) &&
		    strict_held_next_ms(b->held, now_ms) > STRICT_SETTLE_MS)
			return;
		if (strict_held_next_ms(b->held, now_ms) < 0 && !strict_held_work(b->held, now_ms))
			return;
		rest(1);
	}
}

static void test_first_run(void **state)
{
	struct bench b;
	char hex[DIGEST_HEX_SIZE], path[128];

	(void)state;
	bench_open(&b, true);
	put(&b, "a", "abc");
	path_of(&b, "a", path);
	strict_held_event(b.held, open_file(&b, "a"), 7, 1, 100);
	strict_held_event(b.held, open_file(&b, "a"), 8, 1, 101);
	/* What changed a moment ago is not read yet: the next change might not show. */
	assert_false(strict_held_work(b.held, 102));
	assert_int_equal(b.n_msgs, 0);
	work(&b, 102);
	assert_int_equal(b.n_msgs, 1); /* one file, however many wait */
	assert_int_equal(b.last.kind, STRICT_MEASURED);
	assert_int_equal(b.last.error, 0);
	assert_int_equal(b.last.pid, 7);
	assert_string_equal(b.last.path, path);
	digest_hex(&b.last.digest, hex);
	assert_string_equal(hex, ABC);
	assert_int_equal(b.n_allowed, 0);
	strict_held_anchored(b.held, b.last.id + 1);
	assert_int_equal(b.n_allowed, 0);
	strict_held_anchored(b.held, b.last.id);
	assert_int_equal(b.n_allowed, 2);
	assert_int_equal(b.n_ignored, 1);
	assert_int_equal(strict_held_n_files(b.held), 0);
	/* Its mark was lost: it is known all the same, and marked again. */
	strict_held_event(b.held, open_file(&b, "a"), 9, 1, 200);
	assert_int_equal(b.n_allowed, 3);
	assert_int_equal(b.n_ignored, 2);
	assert_int_equal(strict_held_n_files(b.held), 0);
	/* Changed: held anew. */
	put(&b, "a", "d");
	strict_held_event(b.held, open_file(&b, "a"), 9, 1, 300);
	assert_int_equal(b.n_allowed, 3);
	work(&b, 301);
	assert_int_equal(b.n_msgs, 2);
	assert_memory_not_equal(b.last.digest.bytes, "\xba\x78\x16\xbf", 4);
	bench_done(&b);
	assert_int_equal(b.n_allowed, 4); /* whoever waits at the end may go */
	assert_int_equal(b.n_denied, 0);
}

/* Between measurement and anchor somebody writes: what was measured is not what would run. */
static void test_changed_meanwhile(void **state)
{
	struct bench b;

	(void)state;
	bench_open(&b, false);
	put(&b, "a", "abc");
	strict_held_event(b.held, open_file(&b, "a"), 7, 1, 0);
	for (uint32_t i = 1; i <= STRICT_TRIES; i++) {
		work(&b, 1);
		assert_int_equal(b.n_msgs, i);
		assert_int_equal(b.last.error, 0);
		put(&b, "a", "x");
		strict_held_anchored(b.held, b.last.id);
		assert_int_equal(b.n_allowed, 0);
	}
	/* Who keeps on writing is said to be unmeasured, and not marked. */
	work(&b, 2);
	assert_int_equal(b.last.error, -ESTALE);
	b.n_ignored = 0;
	strict_held_anchored(b.held, b.last.id);
	assert_int_equal(b.n_allowed, 1);
	assert_int_equal(b.n_ignored, 0);
	bench_done(&b);
}

static void run_at(struct bench *b, const char *path, uint64_t now_ms)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	strict_held_event(b->held, fd, 7, 1, now_ms);
	work(b, now_ms);
	strict_held_anchored(b->held, b->last.id);
}

static void run(struct bench *b, const char *name, uint64_t now_ms)
{
	char path[128];

	path_of(b, name, path);
	run_at(b, path, now_ms);
}

/* A store through a mapping changes neither size nor time, as long as the page is dirty. */
static void test_stored(void **state)
{
	struct bench b;
	char path[128];
	int fd;

	(void)state;
	bench_open(&b, false);
	put(&b, "a", "abc");
	path_of(&b, "a", path);
	run(&b, "a", 1);
	run(&b, "a", 2);
	assert_int_equal(b.n_msgs, 1);
	assert_int_equal(b.n_unignored, 0);
	/* Whoever could write has closed it. */
	strict_held_closed(b.held, open_file(&b, "a"));
	assert_int_equal(b.n_unignored, 1);
	run(&b, "a", 3);
	assert_int_equal(b.n_msgs, 2);
	assert_int_equal(b.n_allowed, 3);
	/* While somebody can, it is measured, and not known. */
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	run(&b, "a", 4);
	run(&b, "a", 5);
	assert_int_equal(b.n_msgs, 4);
	assert_int_equal(b.n_unignored, 3);
	close(fd);
	run(&b, "a", 6);
	run(&b, "a", 7);
	assert_int_equal(b.n_msgs, 5);
	/* He closed it between its measurement and the word that it is anchored. */
	strict_held_closed(b.held, open_file(&b, "a"));
	strict_held_event(b.held, open_file(&b, "a"), 7, 1, 8);
	work(&b, 8);
	strict_held_closed(b.held, open_file(&b, "a"));
	strict_held_anchored(b.held, b.last.id);
	assert_int_equal(b.n_allowed, 7);
	work(&b, 9);
	strict_held_anchored(b.held, b.last.id);
	assert_int_equal(b.n_allowed, 8);
	assert_int_equal(b.n_msgs, 7);
	bench_done(&b);
}

/* The same device, inode, size and times, and other bytes. */
static void test_remounted(void **state)
{
	struct image_fixture i;
	uint32_t n_known, n_held;
	const char *no = image_fixture_open(&i);
	struct bench b;
	bool mounted;
	struct digest d;

	(void)state;
	if (no) {
		print_message("# %s\n", no);
		skip();
	}
	bench_open(&b, false);
	run_at(&b, i.program, 1);
	run_at(&b, i.program, 2);
	n_known = b.n_msgs;
	mounted = image_fixture_patch(&i);
	run_at(&b, i.program, 3);
	n_held = b.n_msgs;
	bench_done(&b);
	image_fixture_close(&i);
	assert_true(mounted);
	assert_int_equal(n_known, 1);
	assert_int_equal(n_held, 2);
	assert_int_equal(digest_sha256(IMAGE_FIXTURE_PATCHED, strlen(IMAGE_FIXTURE_PATCHED), &d),
			 0);
	assert_true(digest_equal(&b.last.digest, &d));
}

static void time_out(bool closed)
{
	struct bench b;

	bench_open(&b, closed);
	put(&b, "a", "abc");
	put(&b, "b", "abc");
	rest(STRICT_SETTLE_MS + 5);
	b.deaf = true; /* the agent is stopped */
	strict_held_event(b.held, open_file(&b, "a"), 7, 1, 100);
	strict_held_event(b.held, open_file(&b, "b"), 8, 1, 600);
	strict_held_work(b.held, 100);
	while (strict_held_work(b.held, 100))
		;
	assert_true(strict_held_wants_to_send(b.held));
	assert_int_equal(strict_held_next_ms(b.held, 100), WAIT);
	assert_int_equal(strict_held_next_ms(b.held, 700), WAIT - 600);
	strict_held_work(b.held, 100 + WAIT - 1);
	assert_int_equal(b.n_allowed + b.n_denied, 0);
	strict_held_work(b.held, 100 + WAIT);
	assert_int_equal(b.n_allowed + b.n_denied, 1);
	strict_held_work(b.held, 600 + WAIT);
	assert_int_equal(closed ? b.n_denied : b.n_allowed, 2);
	assert_int_equal(b.n_allowed + b.n_denied, 2);
	b.deaf = false; /* it goes on: each is told, and both are still to be written down */
	strict_held_work(b.held, 700 + WAIT);
	assert_int_equal(b.n_msgs, 4);
	strict_held_event(b.held, open_file(&b, "b"), 9, 1, 800 + WAIT);
	strict_held_anchored(b.held, b.last.id);
	assert_int_equal(b.n_ignored, 1);
	bench_done(&b);
}

static void test_time_out(void **state)
{
	(void)state;
	time_out(false);
	time_out(true);
}

/* More than there is room for: answered at once as a time-out is, and counted; and one unit's storm takes no other's room. */
static void test_flood(void **state)
{
	const uint32_t files = STRICT_FILES / STRICT_QUOTA, holds = STRICT_HOLDS / STRICT_QUOTA;
	struct bench b;

	(void)state;
	bench_open(&b, false);
	put(&b, "a", "abc");
	rest(STRICT_SETTLE_MS + 5);
	b.deaf = true;
	for (uint32_t i = 0; i < holds + 7; i++)
		strict_held_event(b.held, open_file(&b, "a"), 7, 1, 0);
	assert_int_equal(b.n_allowed, 7);
	for (uint32_t unit = 2; unit < 10; unit++) {
		b.n_allowed = 0;
		for (uint32_t i = 0; i < files + 3; i++) {
			char name[32];

			snprintf(name, sizeof(name), "f%u-%u", unit, i);
			put(&b, name, "x");
			strict_held_event(b.held, open_file(&b, name), 8, unit, 0);
		}
		/* Three of them have all that the first has left; others still nothing when all is taken. */
		assert_int_equal(b.n_allowed, unit < 5 ? 3 : unit == 5 ? 4 : files + 3);
	}
	assert_int_equal(strict_held_n_files(b.held), STRICT_FILES);
	b.deaf = false;
	for (int i = 0; i < 2000 && strict_held_wants_to_send(b.held); i++)
		strict_held_work(b.held, 0);
	assert_true(b.n_msgs >= STRICT_TOLD);
	bench_done(&b);
}

/* Nobody waits for what ran before; a program that somebody waits for comes first, and neither keeps places for ever. */
static void test_programs(void **state)
{
	struct bench b;
	CLEANUP_FREE char *big = malloc(6u << 20);
	char path[128];
	int fd;

	(void)state;
	bench_open(&b, false);
	memset(big, 'x', 6u << 20);
	path_of(&b, "big", path);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0700);
	assert_int_equal(write(fd, big, 6u << 20), 6 << 20);
	close(fd);
	put(&b, "small", "abc");
	rest(STRICT_SETTLE_MS + 5);
	strict_held_program(b.held, open_file(&b, "big"));
	strict_held_program(b.held, open_file(&b, "big"));
	assert_int_equal(strict_held_n_files(b.held), 1);
	assert_true(strict_held_work(b.held, 0));
	strict_held_event(b.held, open_file(&b, "small"), 7, 1, 0);
	for (int i = 0; i < 3; i++)
		strict_held_work(b.held, 0);
	assert_int_equal(b.n_msgs, 1);
	assert_non_null(strstr(b.last.path, "/small"));
	work(&b, 0);
	assert_int_equal(b.n_msgs, 2);
	assert_int_equal(b.last.pid, 0);
	assert_int_equal(b.n_allowed, 0);
	/* The agent could not write it down. */
	strict_held_work(b.held, 60000 + WAIT + 1);
	strict_held_work(b.held, 60000 + WAIT + 1);
	assert_int_equal(strict_held_n_files(b.held), 0);
	bench_done(&b);
}

static void test_unmeasurable(void **state)
{
	struct bench b;
	char path[128];

	(void)state;
	bench_open(&b, true);
	strict_held_event(b.held, open("/dev/null", O_RDONLY | O_CLOEXEC), 7, 1, 0);
	assert_int_equal(b.n_allowed, 1); /* no program: the kernel itself refuses it */
	put(&b, "huge", "abc");
	path_of(&b, "huge", path);
	assert_int_equal(truncate(path, (2ll << 30)), 0);
	rest(STRICT_SETTLE_MS + 5);
	strict_held_event(b.held, open_file(&b, "huge"), 7, 1, 0);
	work(&b, 0);
	assert_int_equal(b.last.error, -EFBIG);
	strict_held_anchored(b.held, b.last.id);
	assert_int_equal(b.n_allowed, 2);
	assert_int_equal(b.n_ignored, 0);
	bench_done(&b);
}

static void test_check(void **state)
{
	const size_t head = offsetof(struct strict_msg, path);
	CLEANUP_FREE struct strict_msg *m = calloc(1, sizeof(*m));
	struct why why;

	(void)state;
	m->kind = STRICT_MEASURED;
	strcpy(m->path, "/a");
	assert_int_equal(strict_check(m, head + 3, &why), 0);
	assert_int_equal(strict_check(m, head + 2, &why), -EBADMSG);
	assert_int_equal(strict_check(m, head + 4, &why), -EBADMSG);
	assert_int_equal(strict_check(m, head, &why), -EBADMSG);
	assert_int_equal(strict_check(m, sizeof(*m) + 1, &why), -EBADMSG);
	m->error = 5;
	assert_int_equal(strict_check(m, head + 3, &why), -EBADMSG);
	m->error = -5;
	m->kind = STRICT_GO;
	assert_int_equal(strict_check(m, head + 3, &why), -EBADMSG);
	m->kind = 0;
	assert_int_equal(strict_check(m, head + 3, &why), -EBADMSG);
}

static bool has_layer(const char *options, const char *point)
{
	return strict_keeper_has_layer(options, strlen(options), point);
}

static void test_skips(void **state)
{
	(void)state;
	assert_true(strict_keeper_skips("proc"));
	assert_true(strict_keeper_skips("nfs4"));
	assert_true(strict_keeper_skips("fuse.sshfs"));
	assert_false(strict_keeper_skips("fuseblk"));
	assert_false(strict_keeper_skips("ext4"));
	assert_false(strict_keeper_skips("overlay"));
	assert_false(strict_keeper_skips("tmpfs"));
	assert_true(
		has_layer("rw,lowerdir=/snap/2/fs:/snap/1/fs,upperdir=/snap/3/fs", "/snap/1/fs"));
	assert_true(has_layer("rw,lowerdir=/snap/2/fs:/snap/1/fs", "/snap/1/fs"));
	assert_true(has_layer("rw,lowerdir+=/snap/2/fs,lowerdir+=/snap/1/fs", "/snap"));
	assert_false(has_layer("rw,lowerdir=/snap/10/fs:/old/snap/1/fs", "/snap/1"));
	assert_false(has_layer("rw,lowerdir=/snap/10/fs", "/snap/1"));
	assert_false(has_layer("", "/snap/1"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_run),    cmocka_unit_test(test_changed_meanwhile),
		cmocka_unit_test(test_stored),	     cmocka_unit_test(test_time_out),
		cmocka_unit_test(test_flood),	     cmocka_unit_test(test_programs),
		cmocka_unit_test(test_unmeasurable), cmocka_unit_test(test_check),
		cmocka_unit_test(test_skips),	     cmocka_unit_test(test_remounted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
