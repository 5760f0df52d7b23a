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
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "../../userspace/agent/watch_lsm.h"

#define MAX_LINES 16
#define PID 4242
#define START_NS 777000

struct told {
	enum plumb_type type;
	char key[256], op[16], src[16], other[256], found[128];
	uint32_t pid;
	uint64_t start_ns;
};

struct bench {
	char top[64], dir[96];
	struct event_base *base;
	struct hash_cache *cache;
	struct proctab *proctab;
	struct file_set *files;
	struct changes *changes;
	struct watch_lsm *watch;
	struct told lines[MAX_LINES];
	uint32_t n, n_scans, n_late;
	int mark_says;
	uint64_t lost, failed, dropped, canary_ino;
	uint32_t n_wanted;
	bool deaf; /* no record comes */
};

static void copy(char *ret, size_t size, const char *text)
{
	snprintf(ret, size, "%s", text ? text : "");
}

static void on_line(void *ctx, const struct line *l)
{
	struct bench *b = ctx;
	struct told *t = &b->lines[b->n];

	assert_true(b->n < MAX_LINES);
	b->n++;
	t->type = l->type;
	copy(t->key, sizeof(t->key), l->key);
	copy(t->op, sizeof(t->op), l->op);
	copy(t->src, sizeof(t->src), l->src);
	copy(t->other, sizeof(t->other), l->other);
	copy(t->found, sizeof(t->found), l->found);
	t->pid = l->actor.pid;
	t->start_ns = l->actor.start_ns;
}

static void on_lost(void *ctx, const char *src, uint64_t n, const char *what)
{
	(void)src;
	(void)what;
	((struct bench *)ctx)->lost += n;
}

static void on_want(void *ctx)
{
	((struct bench *)ctx)->n_scans++;
}

/* The first inode that is marked is the canary's. */
static int on_mark(void *ctx, int fd, uint32_t mark)
{
	struct bench *b = ctx;
	struct stat st;

	(void)mark;
	assert_int_equal(fstat(fd, &st), 0);
	if (b->canary_ino == 0)
		b->canary_ino = st.st_ino;
	return b->mark_says;
}

static uint64_t on_failed(void *ctx)
{
	return ((struct bench *)ctx)->failed;
}

static uint64_t on_dropped(void *ctx)
{
	return ((struct bench *)ctx)->dropped;
}

static void on_wanted(void *ctx)
{
	((struct bench *)ctx)->n_wanted++;
}

static void on_late(void *ctx)
{
	((struct bench *)ctx)->n_late++;
}

static void on_flush(void *ctx)
{
	struct bench *b = ctx;
	union event_record r = {.file = {.event = {.kind = PLUMB_KIND_FILE},
					 .task = {.pid = (uint32_t)getpid()},
					 .op = PLUMB_FILE_OPEN_WRITE,
					 .file = {.ino = b->canary_ino}}};

	if (!b->deaf && b->watch)
		watch_lsm_take(b->watch, &r);
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static const char *in_dir(struct bench *b, const char *name)
{
	static char paths[4][256];
	static int next;

	next = (next + 1) % 4;
	snprintf(paths[next], sizeof(paths[next]), "%s/%s", b->dir, name);
	return paths[next];
}

static int try_open(struct bench *b)
{
	const struct measure_sink sink = {.ctx = b, .measurement = on_line, .lost = on_lost};
	const struct watch_lsm_options o = {.files = b->files,
					    .changes = b->changes,
					    .proctab = b->proctab,
					    .clock = clock_system(),
					    .mark = on_mark,
					    .marks_failed = on_failed,
					    .dropped = on_dropped,
					    .flush = on_flush,
					    .marked_late = on_late,
					    .ctx = b};
	struct why why = {""};

	return watch_lsm_open(b->base, &o, &sink, &b->watch, &why);
}

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	const struct measure_sink sink = {.ctx = b, .measurement = on_line, .lost = on_lost};
	const struct file_set_deed first = {.src = "scan", .op = "rescan"};
	const struct plumb_task task = {.pid = PID, .start_ns = START_NS, .comm = "deed"};
	const char *paths[1];
	struct why why = {""};

	assert_non_null(b);
	strcpy(b->top, "/tmp/plumb-test-lsm-XXXXXX");
	assert_non_null(mkdtemp(b->top));
	snprintf(b->dir, sizeof(b->dir), "%s/etc", b->top);
	assert_int_equal(mkdir(b->dir, 0755), 0);
	assert_int_equal(mkdir(in_dir(b, "sub"), 0755), 0);
	write_file(in_dir(b, "file"), "one");
	b->base = event_base_new();
	paths[0] = b->dir;
	assert_int_equal(hash_cache_open(64, 0, &b->cache), 0);
	assert_int_equal(proctab_open(64, NULL, &b->proctab), 0);
	proctab_exec(b->proctab, &task, "/bin/deed");
	assert_int_equal(file_set_open(&(struct file_set_options){.paths = paths,
								  .n_paths = 1,
								  .hash_cache = b->cache,
								  .clock = clock_system()},
				       &sink, &b->files, &why),
			 0);
	assert_int_equal(changes_open(b->base,
				      &(struct changes_options){.files = b->files,
								.proctab = b->proctab,
								.clock = clock_system()},
				      &sink, &b->changes),
			 0);
	for (uint32_t i = 0; i < file_set_n(b->files); i++)
		assert_true(file_set_check(b->files, file_set_path_at(b->files, i), &first) >= 0);
	assert_int_equal(file_set_on_want(b->files, on_want, b), 0);
	b->n = 0;
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;
	char command[128];

	watch_lsm_free(b->watch);
	changes_free(b->changes);
	file_set_free(b->files);
	proctab_free(b->proctab);
	hash_cache_free(b->cache);
	event_base_free(b->base);
	snprintf(command, sizeof(command), "rm -rf %s", b->top);
	assert_int_equal(system(command), 0);
	free(b);
	return 0;
}

static uint32_t dev_of(const struct stat *st)
{
	return major(st->st_dev) << 20 | minor(st->st_dev);
}

/* A record of op on the inode at path (NULL: none), by name in dir (NULL: not known). */
static struct plumb_event_file record(uint16_t op, const char *path, const char *dir,
				      const char *name)
{
	struct plumb_event_file e = {
		.event = {.kind = PLUMB_KIND_FILE},
		.task = {.pid = PID, .start_ns = START_NS},
		.op = op,
	};
	struct stat st;

	if (path) {
		assert_int_equal(lstat(path, &st), 0);
		e.file.ino = st.st_ino;
		e.file.dev = dev_of(&st);
		e.file.mode = st.st_mode;
	}
	if (dir) {
		assert_int_equal(lstat(dir, &st), 0);
		e.dir_ino = st.st_ino;
		e.dir_dev = dev_of(&st);
	}
	copy(e.name, sizeof(e.name), name);
	return e;
}

static void take(struct bench *b, const struct plumb_event_file *e)
{
	union event_record r = {.file = *e};

	watch_lsm_take(b->watch, &r);
}

static void expect(const struct bench *b, uint32_t i, const char *path, const char *op)
{
	char key[300];

	assert_true(i < b->n);
	snprintf(key, sizeof(key), "file:%s", path);
	assert_string_equal(b->lines[i].key, key);
	assert_string_equal(b->lines[i].op, op);
	assert_string_equal(b->lines[i].src, "lsm");
	assert_int_equal(b->lines[i].pid, PID);
	assert_int_equal(b->lines[i].start_ns, START_NS);
}

static void writes_are_told_by_inode(void **state)
{
	const uint16_t ops[] = {PLUMB_FILE_OPEN_WRITE, PLUMB_FILE_WRITE, PLUMB_FILE_MMAP,
				PLUMB_FILE_IOCTL};
	struct bench *b = *state;
	char text[32];

	assert_int_equal(try_open(b), 0);
	for (uint32_t i = 0; i < 4; i++) {
		/* By a name that is not watched: a hard link, another mount. */
		struct plumb_event_file e = record(ops[i], in_dir(b, "file"), "/", "elsewhere");

		take(b, &e);
		snprintf(text, sizeof(text), "text %u", i);
		write_file(in_dir(b, "file"), text);
		changes_look(b->changes);
		assert_int_equal(b->n, i + 1);
		expect(b, i, in_dir(b, "file"), "write");
	}
}

static void attributes_are_told_though_nothing_changed(void **state)
{
	struct bench *b = *state;
	struct plumb_event_file e;

	assert_int_equal(try_open(b), 0);
	e = record(PLUMB_FILE_XATTR, in_dir(b, "file"), b->dir, "file");
	take(b, &e);
	changes_look(b->changes);
	expect(b, 0, in_dir(b, "file"), "attr");
	e = record(PLUMB_FILE_SETATTR, in_dir(b, "sub"), b->dir, "sub");
	take(b, &e);
	changes_look(b->changes);
	expect(b, 1, in_dir(b, "sub"), "attr");
	assert_int_equal(b->n, 2);
}

static void names_that_come_are_told(void **state)
{
	struct bench *b = *state;
	struct plumb_event_file e;

	assert_int_equal(try_open(b), 0);
	e = record(PLUMB_FILE_CREATE, NULL, b->dir, "new");
	take(b, &e);
	write_file(in_dir(b, "new"), "n");
	changes_look(b->changes);
	expect(b, 0, in_dir(b, "new"), "create");
	e = record(PLUMB_FILE_SYMLINK, NULL, b->dir, "link");
	take(b, &e);
	assert_int_equal(symlink("/etc/passwd", in_dir(b, "link")), 0);
	changes_look(b->changes);
	expect(b, 1, in_dir(b, "link"), "create");
	e = record(PLUMB_FILE_MKDIR, NULL, in_dir(b, "sub"), "deep");
	take(b, &e);
	assert_int_equal(mkdir(in_dir(b, "sub/deep"), 0755), 0);
	write_file(in_dir(b, "sub/deep/file"), "d");
	changes_look(b->changes);
	expect(b, 2, in_dir(b, "sub/deep"), "create");
	expect(b, 3, in_dir(b, "sub/deep/file"), "create");
	/* And what came is in the table. */
	e = record(PLUMB_FILE_OPEN_WRITE, in_dir(b, "sub/deep/file"), NULL, "");
	take(b, &e);
	write_file(in_dir(b, "sub/deep/file"), "dd");
	changes_look(b->changes);
	expect(b, 4, in_dir(b, "sub/deep/file"), "write");
}

static void a_link_is_told_with_its_twin(void **state)
{
	struct bench *b = *state;
	struct plumb_event_file e;
	char outside[128];

	assert_int_equal(try_open(b), 0);
	snprintf(outside, sizeof(outside), "%s/outside", b->top);
	e = record(PLUMB_FILE_LINK, in_dir(b, "file"), b->top, "outside");
	take(b, &e);
	assert_int_equal(link(in_dir(b, "file"), outside), 0);
	changes_look(b->changes);
	assert_int_equal(b->n, 1);
	expect(b, 0, in_dir(b, "file"), "attr");
}

static void names_that_go_are_told(void **state)
{
	struct bench *b = *state;
	struct plumb_event_file e;

	assert_int_equal(try_open(b), 0);
	e = record(PLUMB_FILE_UNLINK, in_dir(b, "file"), b->dir, "file");
	take(b, &e);
	assert_int_equal(unlink(in_dir(b, "file")), 0);
	e = record(PLUMB_FILE_RMDIR, in_dir(b, "sub"), b->dir, "sub");
	take(b, &e);
	assert_int_equal(rmdir(in_dir(b, "sub")), 0);
	changes_look(b->changes);
	expect(b, 0, in_dir(b, "file"), "delete");
	assert_string_equal(b->lines[0].found, "absent");
	expect(b, 1, in_dir(b, "sub"), "delete");
}

static void a_rename_is_told_at_both_ends(void **state)
{
	struct bench *b = *state;
	struct plumb_event_file e;
	struct stat st;

	assert_int_equal(try_open(b), 0);
	e = record(PLUMB_FILE_RENAME, in_dir(b, "file"), b->dir, "file");
	assert_int_equal(lstat(in_dir(b, "sub"), &st), 0);
	e.other_dir_ino = st.st_ino;
	e.other_dir_dev = dev_of(&st);
	strcpy(e.other_name, "moved");
	take(b, &e);
	assert_int_equal(rename(in_dir(b, "file"), in_dir(b, "sub/moved")), 0);
	changes_look(b->changes);
	expect(b, 0, in_dir(b, "file"), "moved_from");
	assert_string_equal(b->lines[0].other, in_dir(b, "sub/moved"));
	expect(b, 1, in_dir(b, "sub/moved"), "moved_to");
	assert_string_equal(b->lines[1].other, in_dir(b, "file"));
}

static void a_directory_above_that_moves_wants_a_scan(void **state)
{
	struct bench *b = *state;
	struct plumb_event_file e;
	struct stat st;

	assert_int_equal(try_open(b), 0);
	e = record(PLUMB_FILE_RENAME, b->top, "/tmp", strrchr(b->top, '/') + 1);
	assert_int_equal(lstat("/tmp", &st), 0);
	e.other_dir_ino = st.st_ino;
	e.other_dir_dev = dev_of(&st);
	strcpy(e.other_name, "plumb-test-lsm-away");
	take(b, &e);
	changes_look(b->changes);
	assert_true(b->n_scans > 0);
	assert_int_equal(b->n, 0);
}

static void a_name_that_could_not_be_read_wants_a_scan(void **state)
{
	struct bench *b = *state;
	struct plumb_event_file e;

	assert_int_equal(try_open(b), 0);
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
	struct bench *b = *state;
	struct plumb_event_file e;

	assert_int_equal(try_open(b), 0);
	e = record(PLUMB_FILE_OPEN_WRITE, "/proc/self/status", NULL, "");
	take(b, &e);
	changes_look(b->changes);
	assert_int_equal(b->n, 0);
	assert_int_equal(b->lost, 0);
}

static union event_record mount_record(const char *path, uint32_t mnt_ns)
{
	union event_record r = {.mount = {.event = {.kind = PLUMB_KIND_MOUNT},
					  .task = {.pid = PID, .start_ns = START_NS},
					  .mark = PLUMB_MARK_DIR | PLUMB_MARK_TREE,
					  .op = PLUMB_MOUNT_MOUNT,
					  .fstype = "tmpfs",
					  .source = "cover"}};
	struct stat st;

	assert_int_equal(lstat(path, &st), 0);
	r.mount.file.ino = st.st_ino;
	r.mount.file.dev = dev_of(&st);
	r.mount.event.boottime_ns = clock_boot_ns(clock_system());
	r.mount.task.mnt_ns = mnt_ns;
	return r;
}

static void mounts_elsewhere_are_told(void **state)
{
	struct bench *b = *state;
	union event_record r;

	assert_int_equal(try_open(b), 0);
	r = mount_record(b->dir, 1);
	watch_lsm_take(b->watch, &r);
	assert_int_equal(b->n, 1);
	assert_int_equal(b->lines[0].type, PLUMB_TYPE_MOUNT);
	assert_string_equal(b->lines[0].key + strlen("mountns:"), b->dir);
	assert_string_equal(b->lines[0].found, "tmpfs cover");
	assert_int_equal(b->lines[0].pid, PID);
	/* Flags, and a path on itself, hide nothing. */
	r.mount.flags = MS_REMOUNT | MS_BIND | MS_RDONLY;
	watch_lsm_take(b->watch, &r);
	r.mount.flags = MS_SLAVE | MS_REC;
	watch_lsm_take(b->watch, &r);
	r.mount.flags = MS_BIND;
	copy(r.mount.source, sizeof(r.mount.source), b->dir);
	watch_lsm_take(b->watch, &r);
	r = mount_record("/", 1); /* a root of one's own, as systemd and runc make it */
	r.mount.flags = MS_MOVE;
	watch_lsm_take(b->watch, &r);
	assert_int_equal(b->n, 1);
}

static void mounts_here_have_a_mounter(void **state)
{
	struct bench *b = *state;
	struct line_actor actor;
	union event_record r;
	struct stat ns;

	assert_int_equal(try_open(b), 0);
	assert_int_equal(stat("/proc/self/ns/mnt", &ns), 0);
	assert_int_equal(watch_lsm_mounter(b->watch, b->dir, false, &actor), -ENOENT);
	r = mount_record(b->dir, (uint32_t)ns.st_ino);
	watch_lsm_take(b->watch, &r);
	assert_int_equal(b->n, 0); /* mountinfo tells it */
	assert_int_equal(watch_lsm_mounter(b->watch, b->dir, false, &actor), 0);
	assert_int_equal(actor.pid, PID);
	assert_int_equal(watch_lsm_mounter(b->watch, b->dir, true, &actor), -ENOENT);
	assert_int_equal(watch_lsm_mounter(b->watch, "/", false, &actor), -ENOENT);
}

static void a_canary_that_is_not_heard_is_an_error(void **state)
{
	struct bench *b = *state;

	b->deaf = true;
	assert_int_equal(try_open(b), -ENODATA);
	assert_null(b->watch);
}

/* Once for what was dropped, and not again for the same. */
static void dropped_records_want_a_scan(void **state)
{
	const struct timeval more = {5, 300000};
	struct bench *b = *state;

	assert_int_equal(try_open(b), 0);
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

static uint32_t late_after_all_was_marked(struct bench *b, int says)
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
	struct bench *b = *state;

	b->mark_says = 1; /* whoever opens it looks at all */
	assert_int_equal(try_open(b), 0);
	assert_int_equal(late_after_all_was_marked(b, 0), 0);
	assert_int_equal(late_after_all_was_marked(b, 1), 1); /* once, of however many files */
}

static void who_has_it_open_as_it_comes_is_sought(void **state)
{
	const char *const names[] = {"created", "moved"};
	struct bench *b = *state;

	assert_int_equal(try_open(b), 0);
	for (int says = 0; says < 2; says++) {
		struct plumb_event_file e = record(PLUMB_FILE_CREATE, NULL, b->dir, names[says]);

		b->mark_says = says;
		write_file(in_dir(b, names[says]), "one");
		take(b, &e);
		changes_look(b->changes);
		assert_int_equal(b->n_late, says);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(who_may_have_it_open_is_sought, setup, teardown),
		cmocka_unit_test_setup_teardown(who_has_it_open_as_it_comes_is_sought, setup,
						teardown),
		cmocka_unit_test_setup_teardown(dropped_records_want_a_scan, setup, teardown),
		cmocka_unit_test_setup_teardown(writes_are_told_by_inode, setup, teardown),
		cmocka_unit_test_setup_teardown(attributes_are_told_though_nothing_changed, setup,
						teardown),
		cmocka_unit_test_setup_teardown(names_that_come_are_told, setup, teardown),
		cmocka_unit_test_setup_teardown(a_link_is_told_with_its_twin, setup, teardown),
		cmocka_unit_test_setup_teardown(names_that_go_are_told, setup, teardown),
		cmocka_unit_test_setup_teardown(a_rename_is_told_at_both_ends, setup, teardown),
		cmocka_unit_test_setup_teardown(a_directory_above_that_moves_wants_a_scan, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_name_that_could_not_be_read_wants_a_scan, setup,
						teardown),
		cmocka_unit_test_setup_teardown(unknown_inodes_are_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(mounts_elsewhere_are_told, setup, teardown),
		cmocka_unit_test_setup_teardown(mounts_here_have_a_mounter, setup, teardown),
		cmocka_unit_test_setup_teardown(a_canary_that_is_not_heard_is_an_error, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
