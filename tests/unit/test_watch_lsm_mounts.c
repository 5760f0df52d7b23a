/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_watch_lsm_mounts.c: mounts over watched paths, as the kernel programs tell of them: in another namespace they are lines, here they name who mounted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "scratch.h"
#include "watch_lsm_fixture.h"

static union event_record mount_record(const char *path, uint32_t mnt_ns)
{
	union event_record r = {
		.mount = {.event = {.kind = PLUMB_KIND_MOUNT},
			  .task = {.pid = LSM_BENCH_PID, .start_ns = LSM_BENCH_START_NS},
			  .mark = PLUMB_MARK_DIR | PLUMB_MARK_TREE,
			  .op = PLUMB_MOUNT_MOUNT,
			  .fstype = "tmpfs",
			  .source = "cover"}};
	struct stat st;

	assert_int_equal(lstat(path, &st), 0);
	r.mount.file.ino = st.st_ino;
	r.mount.file.dev = lsm_bench_dev(&st);
	r.mount.event.boottime_ns = clock_boot_ns(clock_system());
	r.mount.task.mnt_ns = mnt_ns;
	return r;
}

static void mounts_elsewhere_are_told(void **state)
{
	struct lsm_bench *b = *state;
	union event_record r;

	assert_int_equal(lsm_bench_try(b), 0);
	r = mount_record(b->dir, 1);
	watch_lsm_take(b->watch, &r);
	assert_int_equal(b->n, 1);
	assert_int_equal(b->lines[0].type, PLUMB_TYPE_MOUNT);
	assert_string_equal(b->lines[0].key + strlen("mountns:"), b->dir);
	assert_string_equal(b->lines[0].found, "tmpfs cover");
	assert_int_equal(b->lines[0].pid, LSM_BENCH_PID);
	assert_int_equal(b->n_noted, 1);
	assert_string_equal(b->noted_key, b->lines[0].key);
	assert_string_equal(b->noted_value, "tmpfs cover");
	/* Flags, and a path on itself, hide nothing. */
	r.mount.flags = MS_REMOUNT | MS_BIND | MS_RDONLY;
	watch_lsm_take(b->watch, &r);
	r.mount.flags = MS_SLAVE | MS_REC;
	watch_lsm_take(b->watch, &r);
	r.mount.flags = MS_BIND;
	lsm_bench_copy(r.mount.source, sizeof(r.mount.source), b->dir);
	watch_lsm_take(b->watch, &r);
	r = mount_record("/", 1); /* a root of one's own, as systemd and runc make it */
	r.mount.flags = MS_MOVE;
	watch_lsm_take(b->watch, &r);
	assert_int_equal(b->n, 1);
	assert_int_equal(b->n_noted, 1);
	/* One of whom nothing was told before is whom the record says. */
	r = mount_record(b->dir, 1);
	r.mount.task.pid = 4194201;
	watch_lsm_take(b->watch, &r);
	assert_int_equal(b->n, 2);
	assert_int_equal(b->lines[1].pid, 4194201);
}

/* By the first process, to whom it is what it is here: a service has no such path any more. */
static void what_is_taken_away_is_not(void **state)
{
	const struct plumb_task first = {.pid = 1, .comm = "systemd"};
	const struct plumb_task child = {
		.pid = LSM_BENCH_PID, .start_ns = LSM_BENCH_START_NS + 1, .comm = "(d)"};
	struct lsm_bench *b = *state;
	union event_record r;

	assert_int_equal(lsm_bench_try(b), 0);
	scratch_run(
		b->top,
		"mkdir -p run/systemd/inaccessible/dir && chmod 0 run/systemd/inaccessible/dir");
	proctab_exec(b->proctab, &first, "/lib/systemd/systemd");
	r = mount_record(b->dir, 1);
	r.mount.flags = MS_BIND | MS_REC;
	lsm_bench_copy(r.mount.source, sizeof(r.mount.source), "/run/systemd/inaccessible/dir");
	watch_lsm_take(b->watch, &r); /* somebody else's words */
	assert_int_equal(b->n, 1);
	r.mount.task.start_ns = child.start_ns;
	proctab_exec(b->proctab, &child, "/lib/systemd/systemd");
	watch_lsm_take(b->watch, &r);
	proctab_exec(b->proctab, &child, "/lib/systemd/systemd-executor");
	watch_lsm_take(b->watch, &r);
	assert_int_equal(b->n, 1);
	proctab_exec(b->proctab, &child, "/lib/systemd/systemd-else");
	watch_lsm_take(b->watch, &r);
	assert_int_equal(b->n, 2);
	proctab_exec(b->proctab, &child, "/lib/systemd/systemd");
	scratch_run(b->top, "touch run/systemd/inaccessible/dir/a");
	watch_lsm_take(b->watch, &r);
	assert_int_equal(b->n, 3);
}

/* ProtectSystem=, ReadWritePaths=: in the tree that systemd puts together below /run, and moves to its root only then. */
static void what_is_made_read_only_is_not(void **state)
{
	static const char *const roots[] = {"/run/systemd/unit-root", "/run/systemd/mount-rootfs"};
	const struct plumb_task first = {.pid = 1, .comm = "systemd"};
	struct plumb_task child = {
		.pid = LSM_BENCH_PID, .start_ns = LSM_BENCH_START_NS + 1, .comm = "(d)"};
	struct lsm_bench *b = *state;
	union event_record r;

	assert_int_equal(lsm_bench_try(b), 0);
	scratch_run(b->top, "mkdir -p run/systemd/unit-root run/systemd/mount-rootfs");
	proctab_exec(b->proctab, &first, "/lib/systemd/systemd");
	proctab_exec(b->proctab, &child, "/lib/systemd/systemd-executor");
	r = mount_record(b->dir, 1);
	r.mount.task.start_ns = child.start_ns;
	r.mount.flags = MS_BIND | MS_REC;
	for (int i = 0; i < 2; i++) {
		snprintf(r.mount.source, sizeof(r.mount.source), "%s%s", roots[i], b->dir);
		watch_lsm_take(b->watch, &r);
	}
	r = mount_record("/", 1);
	r.mount.task.start_ns = child.start_ns;
	r.mount.flags = MS_BIND | MS_REC;
	lsm_bench_copy(r.mount.source, sizeof(r.mount.source), roots[0]);
	watch_lsm_take(b->watch, &r);
	assert_int_equal(b->n, 0);
	/* Another path in it, no bind mount, and what is like it. */
	r = mount_record(b->dir, 1);
	r.mount.task.start_ns = child.start_ns;
	r.mount.flags = MS_BIND | MS_REC;
	snprintf(r.mount.source, sizeof(r.mount.source), "%s%s/sub", roots[0], b->dir);
	watch_lsm_take(b->watch, &r);
	assert_int_equal(b->n, 1);
	snprintf(r.mount.source, sizeof(r.mount.source), "/run/systemd/unit-root2%s", b->dir);
	watch_lsm_take(b->watch, &r);
	assert_int_equal(b->n, 2);
	snprintf(r.mount.source, sizeof(r.mount.source), "%s%s", roots[0], b->dir);
	r.mount.flags = 0;
	watch_lsm_take(b->watch, &r);
	assert_int_equal(b->n, 3);
	/* Somebody has put files there, for systemd to bind them; or it is not systemd. */
	r.mount.flags = MS_BIND | MS_REC;
	scratch_run(b->top, "mkdir run/systemd/unit-root/etc");
	watch_lsm_take(b->watch, &r);
	assert_int_equal(b->n, 4);
	scratch_run(b->top, "rmdir run/systemd/unit-root/etc");
	watch_lsm_take(b->watch, &r);
	assert_int_equal(b->n, 4);
	proctab_exec(b->proctab, &child, "/usr/bin/mount");
	watch_lsm_take(b->watch, &r);
	assert_int_equal(b->n, 5);
}

static void take_inaccessible(struct lsm_bench *b)
{
	scratch_run(b->top, "mkdir -p run/systemd/inaccessible/dir && touch "
			    "run/systemd/inaccessible/reg && chmod 0 run/systemd/inaccessible/*");
	assert_int_equal(lsm_bench_try(b), 0);
}

static union event_record mount_over_inaccessible(struct lsm_bench *b, const char *name,
						  uint32_t mnt_ns)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/run/systemd/inaccessible/%s", b->top, name);
	return mount_record(path, mnt_ns);
}

/* Where a path was taken away, what stands there is none of the watched: whose it is all the same is known by its own. */
static void over_what_was_taken_away(void **state)
{
	struct lsm_bench *b = *state;
	union event_record r;
	struct stat ns;

	take_inaccessible(b);
	r = mount_over_inaccessible(b, "dir", 1);
	r.mount.mark = PLUMB_MARK_ANCESTOR | PLUMB_MARK_NAMES;
	watch_lsm_take(b->watch, &r);
	assert_int_equal(b->n, 1);
	assert_string_equal(b->lines[0].key, "mountns:/run/systemd/inaccessible/dir");
	assert_string_equal(b->lines[0].found, "tmpfs cover");
	assert_int_equal(b->n_noted, 1);
	/* Flags, and that it is given back. */
	r.mount.flags = MS_REMOUNT | MS_BIND | MS_RDONLY;
	watch_lsm_take(b->watch, &r);
	r.mount.flags = 0;
	r.mount.op = PLUMB_MOUNT_UMOUNT;
	watch_lsm_take(b->watch, &r);
	r = mount_over_inaccessible(b, "reg", 1);
	r.mount.mark = PLUMB_MARK_ANCESTOR | PLUMB_MARK_FILE;
	r.mount.op = PLUMB_MOUNT_UMOUNT;
	watch_lsm_take(b->watch, &r);
	assert_int_equal(b->n, 1);
	r.mount.op = PLUMB_MOUNT_MOUNT;
	watch_lsm_take(b->watch, &r);
	assert_int_equal(b->n, 2);
	/* Here it is where services get it from: marked anew. */
	assert_int_equal(stat("/proc/self/ns/mnt", &ns), 0);
	b->n_scans = 0;
	r = mount_over_inaccessible(b, "dir", (uint32_t)ns.st_ino);
	watch_lsm_take(b->watch, &r);
	assert_int_equal(b->n, 2);
	assert_int_equal(b->n_scans, 1);
}

static union event_record file_record(struct lsm_bench *b, uint16_t op, const char *name)
{
	union event_record r = {
		.file = {.event = {.kind = PLUMB_KIND_FILE},
			 .task = {.pid = LSM_BENCH_PID, .start_ns = LSM_BENCH_START_NS},
			 .op = op,
			 .mark = PLUMB_MARK_ANCESTOR | PLUMB_MARK_NAMES}};
	char path[128];
	struct stat st;

	snprintf(path, sizeof(path), "%s/run/systemd/inaccessible/dir", b->top);
	assert_int_equal(lstat(path, &st), 0);
	r.file.dir_ino = st.st_ino;
	r.file.dir_dev = lsm_bench_dev(&st);
	lsm_bench_copy(r.file.name, sizeof(r.file.name), name);
	return r;
}

/* Put there and taken away again, between two passes. */
static void into_what_was_taken_away(void **state)
{
	struct lsm_bench *b = *state;
	union event_record r;
	char path[128];
	struct stat st;

	take_inaccessible(b);
	r = file_record(b, PLUMB_FILE_CREATE, "sshd_config");
	watch_lsm_take(b->watch, &r);
	assert_int_equal(b->n, 1);
	assert_int_equal(b->lines[0].type, PLUMB_TYPE_MOUNT);
	assert_string_equal(b->lines[0].key, "mountns:/run/systemd/inaccessible/dir");
	assert_string_equal(b->lines[0].found, "filled sshd_config");
	assert_string_equal(b->lines[0].op, "create");
	assert_int_equal(b->lines[0].pid, LSM_BENCH_PID);
	assert_int_equal(b->n_noted, 1);
	r = file_record(b, PLUMB_FILE_UNLINK, "sshd_config");
	watch_lsm_take(b->watch, &r);
	assert_int_equal(b->n, 1);
	r = file_record(b, PLUMB_FILE_RENAME, "sshd_config"); /* away */
	watch_lsm_take(b->watch, &r);
	assert_int_equal(b->n, 1);
	r.file.other_dir_ino = r.file.dir_ino;
	r.file.other_dir_dev = r.file.dir_dev;
	lsm_bench_copy(r.file.other_name, sizeof(r.file.other_name), "other");
	watch_lsm_take(b->watch, &r);
	assert_int_equal(b->n, 2);
	assert_string_equal(b->lines[1].found, "filled other");
	assert_string_equal(b->lines[1].op, "moved_to");
	/* A file's own. */
	snprintf(path, sizeof(path), "%s/run/systemd/inaccessible/reg", b->top);
	assert_int_equal(lstat(path, &st), 0);
	r = file_record(b, PLUMB_FILE_OPEN_WRITE, "reg");
	r.file.mark = PLUMB_MARK_ANCESTOR | PLUMB_MARK_FILE;
	r.file.dir_ino = 0;
	r.file.file.ino = st.st_ino;
	r.file.file.dev = lsm_bench_dev(&st);
	watch_lsm_take(b->watch, &r);
	assert_int_equal(b->n, 3);
	assert_string_equal(b->lines[2].key, "mountns:/run/systemd/inaccessible/reg");
	assert_string_equal(b->lines[2].found, "filled");
	assert_string_equal(b->lines[2].op, "write");
	r.file.op = PLUMB_FILE_SETATTR;
	watch_lsm_take(b->watch, &r);
	assert_int_equal(b->n, 3);
}

static void mounts_here_have_a_mounter(void **state)
{
	struct lsm_bench *b = *state;
	struct line_actor actor;
	union event_record r;
	struct stat ns;

	assert_int_equal(lsm_bench_try(b), 0);
	assert_int_equal(stat("/proc/self/ns/mnt", &ns), 0);
	assert_int_equal(watch_lsm_mounter(b->watch, b->dir, false, &actor), -ENOENT);
	r = mount_record(b->dir, (uint32_t)ns.st_ino);
	watch_lsm_take(b->watch, &r);
	assert_int_equal(b->n, 0); /* mountinfo tells it */
	assert_int_equal(watch_lsm_mounter(b->watch, b->dir, false, &actor), 0);
	assert_int_equal(actor.pid, LSM_BENCH_PID);
	assert_int_equal(watch_lsm_mounter(b->watch, b->dir, true, &actor), -ENOENT);
	assert_int_equal(watch_lsm_mounter(b->watch, "/", false, &actor), -ENOENT);
}

/* The path was marked anew, with what was mounted there, before the record of that mount was taken. */
static void a_mounter_is_known_by_what_he_covered(void **state)
{
	struct lsm_bench *b = *state;
	const char *file = lsm_bench_in_dir(b, "file"), *other = lsm_bench_in_dir(b, "other");
	const struct changes_note n = {
		.src = "fanotify", .path = file, .what = CHANGES_CREATE, .pid = 1};
	struct line_actor actor;
	union event_record r;
	struct stat ns;

	assert_int_equal(lsm_bench_try(b), 0);
	assert_int_equal(stat("/proc/self/ns/mnt", &ns), 0);
	r = mount_record(file, (uint32_t)ns.st_ino);
	lsm_bench_write(other, "two");
	assert_int_equal(rename(other, file), 0);
	changes_note(b->changes, &n);
	changes_look(b->changes);
	watch_lsm_take(b->watch, &r);
	assert_int_equal(watch_lsm_mounter(b->watch, file, false, &actor), 0);
	assert_int_equal(actor.pid, LSM_BENCH_PID);
}

#define T(test) cmocka_unit_test_setup_teardown(test, lsm_bench_open, lsm_bench_done)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(mounts_elsewhere_are_told),
		T(what_is_taken_away_is_not),
		T(what_is_made_read_only_is_not),
		T(over_what_was_taken_away),
		T(into_what_was_taken_away),
		T(mounts_here_have_a_mounter),
		T(a_mounter_is_known_by_what_he_covered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
