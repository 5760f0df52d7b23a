/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_watch_lsm.c: records as the kernel programs would make them, of files of the test's own: which path, whose, what becomes a line.
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
#include <unistd.h>

#include "watch_lsm_fixture.h"

static void on_wanted(void *ctx)
{
	((struct lsm_bench *)ctx)->n_wanted++;
}

/* A record of op on the inode at path (NULL: none), by name in dir (NULL: not known). */
static struct plumb_event_file record(uint16_t op, const char *path, const char *dir,
				      const char *name)
{
	struct plumb_event_file e = {
		.event = {.kind = PLUMB_KIND_FILE},
		.task = {.pid = LSM_BENCH_PID, .start_ns = LSM_BENCH_START_NS, .mnt_ns = 77},
		.op = op,
	};
	struct stat st;

	if (path) {
		assert_int_equal(lstat(path, &st), 0);
		e.file.ino = st.st_ino;
		e.file.dev = lsm_bench_dev(&st);
		e.file.mode = st.st_mode;
	}
	if (dir) {
		assert_int_equal(lstat(dir, &st), 0);
		e.dir_ino = st.st_ino;
		e.dir_dev = lsm_bench_dev(&st);
	}
	lsm_bench_copy(e.name, sizeof(e.name), name);
	return e;
}

static void take(struct lsm_bench *b, const struct plumb_event_file *e)
{
	union event_record r = {.file = *e};

	watch_lsm_take(b->watch, &r);
}

static void expect(const struct lsm_bench *b, uint32_t i, const char *path, const char *op)
{
	char key[300];

	assert_true(i < b->n);
	snprintf(key, sizeof(key), "file:%s", path);
	assert_string_equal(b->lines[i].key, key);
	assert_string_equal(b->lines[i].op, op);
	assert_string_equal(b->lines[i].src, "lsm");
	assert_int_equal(b->lines[i].pid, LSM_BENCH_PID);
	assert_int_equal(b->lines[i].start_ns, LSM_BENCH_START_NS);
}

static void writes_are_told_by_inode(void **state)
{
	const uint16_t ops[] = {PLUMB_FILE_OPEN_WRITE, PLUMB_FILE_WRITE, PLUMB_FILE_MMAP,
				PLUMB_FILE_IOCTL};
	struct lsm_bench *b = *state;
	char text[32];

	assert_int_equal(lsm_bench_try(b), 0);
	for (uint32_t i = 0; i < 4; i++) {
		/* By a name that is not watched: a hard link, another mount. */
		struct plumb_event_file e =
			record(ops[i], lsm_bench_in_dir(b, "file"), "/", "elsewhere");

		take(b, &e);
		snprintf(text, sizeof(text), "text %u", i);
		lsm_bench_write(lsm_bench_in_dir(b, "file"), text);
		changes_look(b->changes);
		assert_int_equal(b->n, i + 1);
		expect(b, i, lsm_bench_in_dir(b, "file"), "write");
	}
	assert_int_equal(proctab_peers(b->proctab, 77, 0, &(uint32_t){0}, 1), 1); /* as they say */
}

static void attributes_are_told_though_nothing_changed(void **state)
{
	struct lsm_bench *b = *state;
	struct plumb_event_file e;

	assert_int_equal(lsm_bench_try(b), 0);
	e = record(PLUMB_FILE_XATTR, lsm_bench_in_dir(b, "file"), b->dir, "file");
	take(b, &e);
	changes_look(b->changes);
	expect(b, 0, lsm_bench_in_dir(b, "file"), "attr");
	e = record(PLUMB_FILE_SETATTR, lsm_bench_in_dir(b, "sub"), b->dir, "sub");
	take(b, &e);
	changes_look(b->changes);
	expect(b, 1, lsm_bench_in_dir(b, "sub"), "attr");
	assert_int_equal(b->n, 2);
}

static void names_that_come_are_told(void **state)
{
	struct lsm_bench *b = *state;
	struct plumb_event_file e;

	assert_int_equal(lsm_bench_try(b), 0);
	e = record(PLUMB_FILE_CREATE, NULL, b->dir, "new");
	take(b, &e);
	lsm_bench_write(lsm_bench_in_dir(b, "new"), "n");
	changes_look(b->changes);
	expect(b, 0, lsm_bench_in_dir(b, "new"), "create");
	e = record(PLUMB_FILE_SYMLINK, NULL, b->dir, "link");
	take(b, &e);
	assert_int_equal(symlink("/etc/passwd", lsm_bench_in_dir(b, "link")), 0);
	changes_look(b->changes);
	expect(b, 1, lsm_bench_in_dir(b, "link"), "create");
	e = record(PLUMB_FILE_MKDIR, NULL, lsm_bench_in_dir(b, "sub"), "deep");
	take(b, &e);
	assert_int_equal(mkdir(lsm_bench_in_dir(b, "sub/deep"), 0755), 0);
	lsm_bench_write(lsm_bench_in_dir(b, "sub/deep/file"), "d");
	changes_look(b->changes);
	expect(b, 2, lsm_bench_in_dir(b, "sub/deep"), "create");
	expect(b, 3, lsm_bench_in_dir(b, "sub/deep/file"), "create");
	/* And what came is in the table. */
	e = record(PLUMB_FILE_OPEN_WRITE, lsm_bench_in_dir(b, "sub/deep/file"), NULL, "");
	take(b, &e);
	lsm_bench_write(lsm_bench_in_dir(b, "sub/deep/file"), "dd");
	changes_look(b->changes);
	expect(b, 4, lsm_bench_in_dir(b, "sub/deep/file"), "write");
}

static void a_link_is_told_with_its_twin(void **state)
{
	struct lsm_bench *b = *state;
	struct plumb_event_file e;
	char outside[128];

	assert_int_equal(lsm_bench_try(b), 0);
	snprintf(outside, sizeof(outside), "%s/outside", b->top);
	e = record(PLUMB_FILE_LINK, lsm_bench_in_dir(b, "file"), b->top, "outside");
	take(b, &e);
	assert_int_equal(link(lsm_bench_in_dir(b, "file"), outside), 0);
	changes_look(b->changes);
	assert_int_equal(b->n, 1);
	expect(b, 0, lsm_bench_in_dir(b, "file"), "attr");
}

static void names_that_go_are_told(void **state)
{
	struct lsm_bench *b = *state;
	struct plumb_event_file e;

	assert_int_equal(lsm_bench_try(b), 0);
	e = record(PLUMB_FILE_UNLINK, lsm_bench_in_dir(b, "file"), b->dir, "file");
	take(b, &e);
	assert_int_equal(unlink(lsm_bench_in_dir(b, "file")), 0);
	e = record(PLUMB_FILE_RMDIR, lsm_bench_in_dir(b, "sub"), b->dir, "sub");
	take(b, &e);
	assert_int_equal(rmdir(lsm_bench_in_dir(b, "sub")), 0);
	changes_look(b->changes);
	expect(b, 0, lsm_bench_in_dir(b, "file"), "delete");
	assert_string_equal(b->lines[0].found, "absent");
	expect(b, 1, lsm_bench_in_dir(b, "sub"), "delete");
}

static void a_rename_is_told_at_both_ends(void **state)
{
	struct lsm_bench *b = *state;
	struct plumb_event_file e;
	struct stat st;

	assert_int_equal(lsm_bench_try(b), 0);
	e = record(PLUMB_FILE_RENAME, lsm_bench_in_dir(b, "file"), b->dir, "file");
	assert_int_equal(lstat(lsm_bench_in_dir(b, "sub"), &st), 0);
	e.other_dir_ino = st.st_ino;
	e.other_dir_dev = lsm_bench_dev(&st);
	strcpy(e.other_name, "moved");
	take(b, &e);
	assert_int_equal(rename(lsm_bench_in_dir(b, "file"), lsm_bench_in_dir(b, "sub/moved")), 0);
	changes_look(b->changes);
	expect(b, 0, lsm_bench_in_dir(b, "file"), "moved_from");
	assert_string_equal(b->lines[0].other, lsm_bench_in_dir(b, "sub/moved"));
	expect(b, 1, lsm_bench_in_dir(b, "sub/moved"), "moved_to");
	assert_string_equal(b->lines[1].other, lsm_bench_in_dir(b, "file"));
}

static void a_directory_above_that_moves_wants_a_scan(void **state)
{
	struct lsm_bench *b = *state;
	struct plumb_event_file e;
	struct stat st;

	assert_int_equal(lsm_bench_try(b), 0);
	e = record(PLUMB_FILE_RENAME, b->top, "/tmp", strrchr(b->top, '/') + 1);
	assert_int_equal(lstat("/tmp", &st), 0);
	e.other_dir_ino = st.st_ino;
	e.other_dir_dev = lsm_bench_dev(&st);
	strcpy(e.other_name, "plumb-test-lsm-away");
	take(b, &e);
	changes_look(b->changes);
	assert_true(b->n_scans > 0);
	assert_int_equal(b->n, 0);
}

static void a_name_that_could_not_be_read_wants_a_scan(void **state)
{
	struct lsm_bench *b = *state;
	struct plumb_event_file e;

	assert_int_equal(lsm_bench_try(b), 0);
	e = record(PLUMB_FILE_CREATE, NULL, b->dir, "");
	take(b, &e);
	assert_int_equal(b->n_scans, 1);
	/* Of a directory in which one file is watched: all others' names are as long. */
	e.mark = PLUMB_MARK_ANCESTOR | PLUMB_MARK_NAMES;
	take(b, &e);
	assert_int_equal(b->n_scans, 1);
}

static void unknown_inodes_are_nothing(void **state)
{
	struct lsm_bench *b = *state;
	struct plumb_event_file e;

	assert_int_equal(lsm_bench_try(b), 0);
	e = record(PLUMB_FILE_OPEN_WRITE, "/proc/self/status", NULL, "");
	take(b, &e);
	changes_look(b->changes);
	assert_int_equal(b->n, 0);
	assert_int_equal(b->lost, 0);
}

static void a_canary_that_is_not_heard_is_an_error(void **state)
{
	struct lsm_bench *b = *state;

	b->deaf = true;
	assert_int_equal(lsm_bench_try(b), -ENODATA);
	assert_null(b->watch);
}

/* Once for what was dropped, and not again for the same. */
static void dropped_records_want_a_scan(void **state)
{
	const struct timeval more = {5, 300000};
	struct lsm_bench *b = *state;

	assert_int_equal(lsm_bench_try(b), 0);
	assert_true(file_set_on_want(b->files, on_wanted, b) >= 0);
	b->dropped = 3;
	event_base_loopexit(b->base, &more);
	event_base_dispatch(b->base);
	assert_int_equal(b->n_wanted, 1);
	event_base_loopexit(b->base, &more);
	event_base_dispatch(b->base);
	assert_int_equal(b->n_wanted, 1);
	(void)file_set_on_want(b->files, NULL, b);
}

static uint32_t late_after_all_was_marked(struct lsm_bench *b, int says)
{
	const struct timeval soon = {0, 150000};

	b->mark_says = says;
	file_set_want_scan(b->files);
	event_base_loopexit(b->base, &soon);
	event_base_dispatch(b->base);
	return b->n_late;
}

static void who_may_have_it_open_is_sought(void **state)
{
	struct lsm_bench *b = *state;

	b->mark_says = 1; /* whoever opens it looks at all */
	assert_int_equal(lsm_bench_try(b), 0);
	assert_int_equal(late_after_all_was_marked(b, 0), 0);
	assert_int_equal(late_after_all_was_marked(b, 1), 1); /* once, of however many files */
}

static void who_has_it_open_as_it_comes_is_sought(void **state)
{
	const char *const names[] = {"created", "moved"};
	struct lsm_bench *b = *state;

	assert_int_equal(lsm_bench_try(b), 0);
	for (int says = 0; says < 2; says++) {
		struct plumb_event_file e = record(PLUMB_FILE_CREATE, NULL, b->dir, names[says]);

		b->mark_says = says;
		lsm_bench_write(lsm_bench_in_dir(b, names[says]), "one");
		take(b, &e);
		changes_look(b->changes);
		assert_int_equal(b->n_late, says);
	}
}

#define T(test) cmocka_unit_test_setup_teardown(test, lsm_bench_open, lsm_bench_done)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(who_may_have_it_open_is_sought),
		T(who_has_it_open_as_it_comes_is_sought),
		T(dropped_records_want_a_scan),
		T(writes_are_told_by_inode),
		T(attributes_are_told_though_nothing_changed),
		T(names_that_come_are_told),
		T(a_link_is_told_with_its_twin),
		T(names_that_go_are_told),
		T(a_rename_is_told_at_both_ends),
		T(a_directory_above_that_moves_wants_a_scan),
		T(a_name_that_could_not_be_read_wants_a_scan),
		T(unknown_inodes_are_nothing),
		T(a_canary_that_is_not_heard_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
