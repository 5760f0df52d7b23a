/* SPDX-License-Identifier: Apache-2.0 */
/* test_fs_lives.c: a file system that may be another one by now is told, before anybody believes what was remembered of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../userspace/agent/fs_lives.h"
#include "scratch.h"

struct bench {
	char top[SCRATCH_SIZE];
	struct fs_lives *lives;
	int inotify; /* its number */
	uint32_t n_gone;
	dev_t gone[8];
};

static void on_gone(void *ctx, dev_t dev)
{
	struct bench *b = ctx;

	if (b->n_gone < 8)
		b->gone[b->n_gone] = dev;
	b->n_gone++;
}

static int lowest_fd(void)
{
	int fd = dup(0);

	close(fd);
	return fd;
}

static int setup_of(void **state, uint32_t max)
{
	struct bench *b = calloc(1, sizeof(*b));

	assert_non_null(b);
	*state = b;
	scratch_open(b->top, "lives");
	b->inotify = lowest_fd();
	assert_int_equal(fs_lives_open(max, on_gone, b, &b->lives), 0);
	assert_int_equal(fs_lives_error(b->lives), 0);
	return 0;
}

static int setup(void **state)
{
	return setup_of(state, 0);
}

static int setup_two(void **state)
{
	return setup_of(state, 2);
}

static int teardown(void **state)
{
	struct bench *b = *state;

	fs_lives_free(b->lives);
	for (int i = 0; i < 3; i++) {
		char point[SCRATCH_SIZE + 8];

		snprintf(point, sizeof(point), "%s/%d", b->top, i);
		(void)umount2(point, MNT_DETACH);
	}
	scratch_done(b->top);
	free(b);
	return 0;
}

/* A tmpfs at number i; whoever may not mount cannot test this. */
static void mount_at(struct bench *b, int i)
{
	char point[SCRATCH_SIZE + 16];

	snprintf(point, sizeof(point), "%s/%d", b->top, i);
	mkdir(point, 0755);
	if (geteuid() != 0 ||
	    (i == 0 &&
	     (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)) ||
	    mount("lives", point, "tmpfs", 0, NULL) < 0) {
		print_message("# no mounts of its own: %s\n", strerror(errno));
		skip();
	}
}

static void umount_at(struct bench *b, int i)
{
	char point[SCRATCH_SIZE + 16];

	snprintf(point, sizeof(point), "%s/%d", b->top, i);
	assert_int_equal(umount(point), 0);
}

static dev_t hold(struct bench *b, const char *name)
{
	char path[SCRATCH_SIZE + 64];
	struct stat st;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", b->top, name);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(fs_lives_hold(b->lives, fd, st.st_dev), 0);
	close(fd);
	return st.st_dev;
}

static void remove_at(struct bench *b, const char *name)
{
	char path[SCRATCH_SIZE + 64];

	snprintf(path, sizeof(path), "%s/%s", b->top, name);
	assert_int_equal(unlink(path), 0);
}

static void unmounted_ones_are_told(void **state)
{
	struct bench *b = *state;
	dev_t first, second;

	mount_at(b, 0);
	mount_at(b, 1);
	first = hold(b, "0/a");
	(void)hold(b, "0/b");
	second = hold(b, "1/a");
	assert_int_equal(fs_lives_n(b->lives), 2);
	fs_lives_read(b->lives);
	assert_int_equal(b->n_gone, 0);
	/* Held by nobody. */
	umount_at(b, 0);
	fs_lives_read(b->lives);
	assert_int_equal(b->n_gone, 1);
	assert_int_equal(b->gone[0], first);
	assert_int_equal(fs_lives_n(b->lives), 1);
	umount_at(b, 1);
	mount_at(b, 1);
	fs_lives_read(b->lives);
	assert_int_equal(b->n_gone, 2);
	assert_int_equal(b->gone[1], second);
	(void)hold(b, "1/a");
	fs_lives_read(b->lives);
	assert_int_equal(b->n_gone, 2);
}

/* In one mount of two it is not unmounted; one that is in use lives on without any. */
static void it_lives_while_it_is_used(void **state)
{
	struct bench *b = *state;
	char point[SCRATCH_SIZE + 8];
	int fd;

	mount_at(b, 0);
	(void)hold(b, "0/a");
	scratch_run(b->top, "mkdir 2 && mount --bind 0 2");
	umount_at(b, 0);
	fs_lives_read(b->lives);
	assert_int_equal(b->n_gone, 0);
	snprintf(point, sizeof(point), "%s/2", b->top);
	fd = open(point, O_RDONLY | O_CLOEXEC);
	assert_int_equal(umount2(point, MNT_DETACH), 0);
	fs_lives_read(b->lives);
	assert_int_equal(b->n_gone, 0);
	close(fd);
	fs_lives_read(b->lives);
	assert_int_equal(b->n_gone, 1);
}

static void removed_files_leave_it_to_others(void **state)
{
	struct bench *b = *state;
	static const char *const names[] = {"0/a", "0/b", "0/c", "0/d", "0/e", "0/f"};
	dev_t dev;

	mount_at(b, 0);
	dev = hold(b, names[0]);
	for (int i = 0; i < 6; i++)
		(void)hold(b, names[i]);
	for (int i = 0; i < 3; i++)
		remove_at(b, names[i]);
	fs_lives_read(b->lives);
	assert_int_equal(b->n_gone, 0);
	/* One takes the place of another. */
	(void)hold(b, names[4]);
	remove_at(b, names[3]);
	fs_lives_read(b->lives);
	assert_int_equal(b->n_gone, 0);
	remove_at(b, names[4]);
	fs_lives_read(b->lives);
	assert_int_equal(b->n_gone, 1);
	assert_int_equal(b->gone[0], dev);
	assert_int_equal(fs_lives_n(b->lives), 0);
}

static void one_too_many_takes_a_place(void **state)
{
	struct bench *b = *state;
	dev_t devs[3];
	char name[8];

	for (int i = 0; i < 3; i++) {
		mount_at(b, i);
		snprintf(name, sizeof(name), "%d/a", i);
		devs[i] = hold(b, name);
		assert_int_equal(b->n_gone, i / 2);
	}
	assert_int_equal(fs_lives_n(b->lives), 2);
	assert_int_equal(b->gone[0], devs[0]);
	/* Its watch is nobody's now. */
	umount_at(b, 0);
	fs_lives_read(b->lives);
	assert_int_equal(b->n_gone, 1);
	umount_at(b, 2);
	fs_lives_read(b->lives);
	assert_int_equal(b->n_gone, 2);
	assert_int_equal(b->gone[1], devs[2]);
}

/* The queue says what we write. */
static int fake_queue(struct bench *b)
{
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	assert_int_equal(dup3(ends[0], b->inotify, O_CLOEXEC), b->inotify);
	close(ends[0]);
	return ends[1];
}

static void lost_events_are_every_ones(void **state)
{
	const struct inotify_event lost = {.wd = -1, .mask = IN_Q_OVERFLOW};
	struct bench *b = *state;
	int fd;

	mount_at(b, 0);
	mount_at(b, 1);
	(void)hold(b, "0/a");
	(void)hold(b, "1/a");
	fd = fake_queue(b);
	assert_int_equal(write(fd, &lost, sizeof(lost)), sizeof(lost));
	fs_lives_read(b->lives);
	assert_int_equal(b->n_gone, 2);
	assert_int_equal(fs_lives_n(b->lives), 0);
	assert_int_equal(fs_lives_error(b->lives), 0);
	close(fd);
}

static void odd_events_harm_nobody(void **state)
{
	const struct inotify_event odd[] = {
		{.wd = 77, .mask = IN_UNMOUNT}, {.wd = 78, .mask = IN_IGNORED},
		{.wd = -1, .mask = IN_UNMOUNT}, {.wd = 1, .mask = IN_DELETE_SELF},
		{.wd = 1, .mask = IN_ACCESS},
	};
	struct bench *b = *state;
	int fd;

	mount_at(b, 0);
	(void)hold(b, "0/a");
	fd = fake_queue(b);
	assert_int_equal(write(fd, odd, sizeof(odd)), sizeof(odd));
	fs_lives_read(b->lives);
	assert_int_equal(b->n_gone, 0);
	assert_int_equal(fs_lives_n(b->lives), 1);
	close(fd);
}

/* From then on nobody says anything. */
static void dead(struct bench *b, int error)
{
	char path[SCRATCH_SIZE + 8];
	struct stat st;
	int fd;

	fs_lives_read(b->lives);
	assert_int_equal(b->n_gone, 1);
	assert_int_equal(fs_lives_error(b->lives), error);
	snprintf(path, sizeof(path), "%s/0/a", b->top);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(fs_lives_hold(b->lives, fd, st.st_dev), error);
	close(fd);
	assert_int_equal(fs_lives_n(b->lives), 0);
}

static void cut_events_end_it(void **state)
{
	const struct inotify_event cut[] = {
		{.wd = 77, .mask = IN_UNMOUNT},
		{.wd = 1, .mask = IN_ACCESS, .len = 4096},
		{.wd = 1, .mask = IN_UNMOUNT},
	};
	struct bench *b = *state;
	int fd;

	mount_at(b, 0);
	(void)hold(b, "0/a");
	fd = fake_queue(b);
	assert_int_equal(write(fd, cut, sizeof(cut)), sizeof(cut));
	dead(b, -EBADMSG);
	close(fd);
}

static void no_queue_ends_it(void **state)
{
	struct bench *b = *state;

	mount_at(b, 0);
	(void)hold(b, "0/a");
	close(fake_queue(b));
	dead(b, -EIO);
}

static void without_inotify_only_the_root_lives(void **state)
{
	struct bench *b = *state;
	struct fs_lives *l = NULL;
	struct rlimit all, few;
	struct stat st;
	/* One for the root, none for inotify: it is asked first. */
	int fd = open("/", O_RDONLY | O_CLOEXEC), probe = lowest_fd();

	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &all), 0);
	few = (struct rlimit){(rlim_t)probe, all.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	assert_int_equal(fs_lives_open(0, on_gone, b, &l), 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &all), 0);
	assert_int_equal(fs_lives_error(l), -EMFILE);
	/* Nor could the root be held. */
	assert_int_equal(fs_lives_hold(l, fd, st.st_dev), -EMFILE);
	fs_lives_read(l);
	fs_lives_free(l);
	/* There it is, and needs no watch. */
	assert_int_equal(fs_lives_hold(b->lives, fd, st.st_dev), 0);
	assert_int_equal(fs_lives_n(b->lives), 0);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(unmounted_ones_are_told, setup, teardown),
		cmocka_unit_test_setup_teardown(it_lives_while_it_is_used, setup, teardown),
		cmocka_unit_test_setup_teardown(removed_files_leave_it_to_others, setup, teardown),
		cmocka_unit_test_setup_teardown(one_too_many_takes_a_place, setup_two, teardown),
		cmocka_unit_test_setup_teardown(lost_events_are_every_ones, setup, teardown),
		cmocka_unit_test_setup_teardown(odd_events_harm_nobody, setup, teardown),
		cmocka_unit_test_setup_teardown(cut_events_end_it, setup, teardown),
		cmocka_unit_test_setup_teardown(no_queue_ends_it, setup, teardown),
		cmocka_unit_test_setup_teardown(without_inotify_only_the_root_lives, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
