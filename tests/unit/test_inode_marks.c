/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_inode_marks.c: which inodes are marked how, on a tree of its own; the kernel's side is a list that the test keeps.
 */
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
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "../../userspace/agent/inode_marks.h"
#include "plumb/event.h"

#define MAX_MARKS 64

struct bench {
	char top[64], dir[96];
	struct hash_cache *cache;
	struct file_set *files;
	struct inode_marks *marks;
	struct {
		uint64_t ino;
		uint32_t mark;
	} set[MAX_MARKS];
	uint32_t n;
	int error;
	bool late; /* what is marked may be open for writing */
};

static int on_mark(void *ctx, int fd, uint32_t mark)
{
	struct bench *b = ctx;
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	if (b->error)
		return b->error;
	assert_true(b->n < MAX_MARKS);
	b->set[b->n].ino = st.st_ino;
	b->set[b->n++].mark = mark;
	return b->late;
}

static void no_line(void *ctx, const struct line *l)
{
	(void)ctx;
	(void)l;
}

static void no_loss(void *ctx, const char *src, uint64_t n, const char *what)
{
	(void)ctx;
	(void)src;
	(void)n;
	(void)what;
}

static const char *in_dir(struct bench *b, const char *name)
{
	static char paths[4][256];
	static int next;

	next = (next + 1) % 4;
	snprintf(paths[next], sizeof(paths[next]), "%s%s%s", b->dir, name[0] ? "/" : "", name);
	return paths[next];
}

static void make(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	close(fd);
}

static struct stat stat_of(const char *path)
{
	struct stat st;

	assert_int_equal(lstat(path, &st), 0);
	return st;
}

/* The last mark that was set on path's inode. */
static uint32_t mark_of(struct bench *b, const char *path)
{
	uint64_t ino = stat_of(path).st_ino;

	for (uint32_t i = b->n; i > 0; i--)
		if (b->set[i - 1].ino == ino)
			return b->set[i - 1].mark;
	return 0;
}

static uint32_t paths_of(struct bench *b, const struct stat *st, const char **ret)
{
	return inode_marks_paths(b->marks, major(st->st_dev) << 20 | minor(st->st_dev), st->st_ino,
				 ret, 8);
}

static void open_marks(struct bench *b, uint32_t max, uint32_t max_held)
{
	const struct inode_marks_options o = {.files = b->files,
					      .mark = on_mark,
					      .ctx = b,
					      .max = max,
					      .max_held = max_held,
					      .root = b->top};

	assert_int_equal(inode_marks_open(&o, &b->marks), 0);
}

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	struct measure_sink sink = {.ctx = b, .measurement = no_line, .lost = no_loss};
	const char *paths[2];
	char single[96];
	struct why why = {""};

	assert_non_null(b);
	strcpy(b->top, "/tmp/plumb-test-marks-XXXXXX");
	assert_non_null(mkdtemp(b->top));
	snprintf(b->dir, sizeof(b->dir), "%s/etc", b->top);
	snprintf(single, sizeof(single), "%s/single", b->top);
	assert_int_equal(mkdir(b->dir, 0755), 0);
	assert_int_equal(mkdir(in_dir(b, "sub"), 0755), 0);
	make(in_dir(b, "first"));
	make(in_dir(b, "sub/second"));
	make(single);
	paths[0] = b->dir;
	paths[1] = single;
	assert_int_equal(hash_cache_open(64, 0, &b->cache), 0);
	assert_int_equal(file_set_open(&(struct file_set_options){.paths = paths,
								  .n_paths = 2,
								  .hash_cache = b->cache,
								  .clock = clock_system()},
				       &sink, &b->files, &why),
			 0);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;
	char command[128];

	inode_marks_free(b->marks);
	file_set_free(b->files);
	hash_cache_free(b->cache);
	snprintf(command, sizeof(command), "rm -rf %s", b->top);
	assert_int_equal(system(command), 0);
	free(b);
	return 0;
}

static void each_kind_has_its_mark(void **state)
{
	struct bench *b = *state;
	char single[96];

	snprintf(single, sizeof(single), "%s/single", b->top);
	open_marks(b, 0, 0);
	inode_marks_all(b->marks);
	assert_int_equal(mark_of(b, "/"), PLUMB_MARK_ANCESTOR);
	assert_int_equal(mark_of(b, "/tmp"), PLUMB_MARK_ANCESTOR);
	/* A watched file lies in it, and may come anew. */
	assert_int_equal(mark_of(b, b->top), PLUMB_MARK_ANCESTOR | PLUMB_MARK_NAMES);
	assert_int_equal(mark_of(b, b->dir), PLUMB_MARK_DIR | PLUMB_MARK_TREE);
	assert_int_equal(mark_of(b, in_dir(b, "sub")), PLUMB_MARK_DIR | PLUMB_MARK_TREE);
	assert_int_equal(mark_of(b, in_dir(b, "first")), PLUMB_MARK_FILE);
	assert_int_equal(mark_of(b, in_dir(b, "sub/second")), PLUMB_MARK_FILE);
	assert_int_equal(mark_of(b, single), PLUMB_MARK_FILE);
	assert_true(b->set[0].mark & PLUMB_MARK_ANCESTOR); /* from the top down */
	/* Two directories, and the file that lies in no watched one, with its directory. */
	assert_int_equal(inode_marks_n_held(b->marks), 4);
	assert_int_equal(inode_marks_n_not_held(b->marks), 0);
	assert_int_equal(inode_marks_n_unmarked(b->marks), 0);
}

/* A path that is not there yet: the directory that it is to come to tells names, those above do not. */
static void a_file_that_is_to_come_has_its_directory(void **state)
{
	struct bench *b = *state;
	char single[96];

	snprintf(single, sizeof(single), "%s/single", b->top);
	assert_int_equal(unlink(single), 0);
	open_marks(b, 0, 0);
	inode_marks_all(b->marks);
	assert_int_equal(mark_of(b, b->top), PLUMB_MARK_ANCESTOR | PLUMB_MARK_NAMES);
	assert_int_equal(mark_of(b, "/tmp"), PLUMB_MARK_ANCESTOR);
	/* A directory of that name tells its own names. */
	assert_int_equal(mkdir(single, 0755), 0);
	b->n = 0;
	inode_marks_all(b->marks);
	assert_int_equal(mark_of(b, b->top), PLUMB_MARK_ANCESTOR);
}

/* What systemd mounts over paths that it takes away: by the path that it has there. */
static void what_takes_paths_away_is_marked(void **state)
{
	struct bench *b = *state;
	const char *paths[8];
	char command[512], dir[128], reg[128];
	struct stat st, old;
	uint32_t before;

	open_marks(b, 0, 0);
	inode_marks_all(b->marks); /* there is none */
	before = inode_marks_n(b->marks);
	assert_int_equal(inode_marks_n_unmarked(b->marks), 0);
	snprintf(command, sizeof(command),
		 "cd %s && mkdir -p run/systemd/inaccessible/dir && "
		 "touch run/systemd/inaccessible/reg && chmod 0 run/systemd/inaccessible/*",
		 b->top);
	assert_int_equal(system(command), 0);
	inode_marks_all(b->marks);
	snprintf(dir, sizeof(dir), "%s/run/systemd/inaccessible/dir", b->top);
	snprintf(reg, sizeof(reg), "%s/run/systemd/inaccessible/reg", b->top);
	assert_int_equal(mark_of(b, dir), PLUMB_MARK_ANCESTOR | PLUMB_MARK_NAMES);
	assert_int_equal(mark_of(b, reg), PLUMB_MARK_ANCESTOR | PLUMB_MARK_FILE);
	assert_int_equal(inode_marks_n(b->marks), before + 2);
	st = stat_of(reg);
	assert_int_equal(paths_of(b, &st, paths), 1);
	assert_string_equal(paths[0], "/run/systemd/inaccessible/reg");
	/* No file of the set: nobody looks who has it open. */
	assert_false(inode_marks_is_marked(b->marks, major(st.st_dev) << 20 | minor(st.st_dev),
					   st.st_ino));
	/* What stands there by now. */
	old = stat_of(dir);
	snprintf(command, sizeof(command), "cd %s && mv %s old && mkdir %s", b->top, dir, dir);
	assert_int_equal(system(command), 0);
	inode_marks_all(b->marks);
	st = stat_of(dir);
	assert_int_equal(paths_of(b, &old, paths), 0);
	assert_int_equal(paths_of(b, &st, paths), 1);
	assert_string_equal(paths[0], "/run/systemd/inaccessible/dir");
}

/* "<layers>/<name>" */
static struct stat stat_in(const char *layers, const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", layers, name);
	return stat_of(path);
}

static uint32_t mark_in(struct bench *b, const char *layers, const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", layers, name);
	return mark_of(b, path);
}

static void watch_alone(struct bench *b, const char *path)
{
	struct measure_sink sink = {.ctx = b, .measurement = no_line, .lost = no_loss};
	struct why why = {""};

	file_set_free(b->files);
	assert_int_equal(file_set_open(&(struct file_set_options){.paths = &path,
								  .n_paths = 1,
								  .hash_cache = b->cache,
								  .clock = clock_system()},
				       &sink, &b->files, &why),
			 0);
}

/* What is written past an overlay has the watched path; above that, layers tell what they get: the upper one has nothing of it yet. */
static void layers_of_an_overlay_are_marked(void **state)
{
	char layers[] = "/tmp/plumb-test-layers-XXXXXX", options[512], command[512];
	struct bench *b = *state;
	const char *paths[8];
	struct stat st;
	uint32_t dev;

	if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		skip();
	assert_non_null(mkdtemp(layers));
	snprintf(command, sizeof(command), "cd %s && mkdir upper work && cp -a %s lower", layers,
		 b->top);
	assert_int_equal(system(command), 0);
	snprintf(options, sizeof(options), "lowerdir=%s/lower,upperdir=%s/upper,workdir=%s/work",
		 layers, layers, layers);
	snprintf(command, sizeof(command), "rm -rf %s", layers);
	if (mount("overlay", b->top, "overlay", 0, options) < 0) {
		assert_int_equal(system(command), 0);
		skip();
	}
	watch_alone(b, in_dir(b, "sub"));
	open_marks(b, 0, 0);
	inode_marks_all(b->marks);
	assert_int_equal(mark_in(b, layers, "upper"), PLUMB_MARK_ANCESTOR | PLUMB_MARK_NAMES);
	assert_int_equal(mark_in(b, layers, "lower/etc"), PLUMB_MARK_ANCESTOR | PLUMB_MARK_NAMES);
	assert_int_equal(mark_in(b, layers, "lower/etc/sub"), PLUMB_MARK_DIR | PLUMB_MARK_TREE);
	assert_int_equal(mark_in(b, layers, "lower/etc/sub/second"), PLUMB_MARK_FILE);
	st = stat_in(layers, "lower/etc/sub/second");
	dev = major(st.st_dev) << 20 | minor(st.st_dev);
	assert_int_equal(paths_of(b, &st, paths), 1);
	assert_string_equal(paths[0], in_dir(b, "sub/second"));
	assert_true(inode_marks_is_layer(b->marks, dev, st.st_ino));
	/* Copied up, it is another's; the one below is nobody's. */
	snprintf(options, sizeof(options), "echo more >>%s", in_dir(b, "sub/second"));
	assert_int_equal(system(options), 0);
	assert_int_equal(inode_marks_add(b->marks, in_dir(b, "sub/second")), 0);
	assert_int_equal(paths_of(b, &st, paths), 0);
	st = stat_in(layers, "upper/etc/sub/second");
	assert_int_equal(paths_of(b, &st, paths), 1);
	inode_marks_drop_below(b->marks, in_dir(b, "sub"));
	assert_int_equal(paths_of(b, &st, paths), 0);
	assert_int_equal(umount2(b->top, MNT_DETACH), 0);
	assert_int_equal(system(command), 0);
}

static void hard_links_are_all_found(void **state)
{
	struct bench *b = *state;
	struct stat st = stat_of(in_dir(b, "first"));
	const char *paths[8];

	assert_int_equal(link(in_dir(b, "first"), in_dir(b, "twin")), 0);
	open_marks(b, 0, 0);
	assert_int_equal(paths_of(b, &st, paths), 0);
	assert_int_equal(inode_marks_add(b->marks, in_dir(b, "first")), 0);
	assert_int_equal(paths_of(b, &st, paths), 1);
	assert_string_equal(paths[0], in_dir(b, "first"));
	assert_int_equal(inode_marks_add(b->marks, in_dir(b, "twin")), 0);
	assert_int_equal(paths_of(b, &st, paths), 2);
	inode_marks_drop(b->marks, in_dir(b, "first"));
	assert_int_equal(paths_of(b, &st, paths), 1);
	assert_string_equal(paths[0], in_dir(b, "twin"));
}

static void what_takes_a_name_takes_its_place(void **state)
{
	struct bench *b = *state;
	struct stat old = stat_of(in_dir(b, "first")), st;
	const char *paths[8];

	open_marks(b, 0, 0);
	inode_marks_all(b->marks);
	make(in_dir(b, "new"));
	assert_int_equal(rename(in_dir(b, "new"), in_dir(b, "first")), 0);
	st = stat_of(in_dir(b, "first"));
	assert_int_equal(inode_marks_add(b->marks, in_dir(b, "first")), 0);
	assert_int_equal(paths_of(b, &st, paths), 1);
	/* A record that waits may be of the one before. */
	assert_int_equal(paths_of(b, &old, paths), 1);
	assert_string_equal(paths[0], in_dir(b, "first"));
	inode_marks_forget_former(b->marks);
	assert_int_equal(paths_of(b, &old, paths), 0);
	assert_int_equal(paths_of(b, &st, paths), 1);
}

static void a_file_system_that_says_another_device_is_found(void **state)
{
	struct bench *b = *state;
	struct stat st = stat_of(in_dir(b, "first"));
	uint32_t dev = major(st.st_dev) << 20 | minor(st.st_dev);
	const char *paths[8];

	open_marks(b, 0, 0);
	inode_marks_all(b->marks);
	assert_int_equal(inode_marks_paths(b->marks, 0xfffu << 20 | 7, st.st_ino, paths, 8), 1);
	assert_true(inode_marks_is_marked(b->marks, dev, st.st_ino));
	assert_false(inode_marks_is_marked(b->marks, dev, st.st_ino + 100000));
	st = stat_of("/");
	assert_false(inode_marks_is_marked(b->marks, major(st.st_dev) << 20 | minor(st.st_dev),
					   st.st_ino));
}

static void bounds_are_kept_and_counted(void **state)
{
	struct bench *b = *state;

	open_marks(b, 4, 1);
	for (uint32_t i = 0; i < file_set_n(b->files); i++)
		(void)inode_marks_add(b->marks, file_set_path_at(b->files, i));
	assert_int_equal(inode_marks_n(b->marks), 4);
	assert_int_equal(inode_marks_n_held(b->marks), 1);
	assert_true(inode_marks_n_not_held(b->marks) > 0);
	assert_int_equal(inode_marks_n_unmarked(b->marks), file_set_n(b->files) - 4);
}

static void what_cannot_be_marked_is_not_in_the_table(void **state)
{
	struct bench *b = *state;
	struct stat st = stat_of(in_dir(b, "first"));
	const char *paths[8];

	open_marks(b, 0, 0);
	b->error = -ENOMEM;
	assert_int_equal(inode_marks_add(b->marks, in_dir(b, "first")), -ENOMEM);
	assert_int_equal(inode_marks_n_unmarked(b->marks), 1);
	assert_int_equal(paths_of(b, &st, paths), 0);
	assert_int_equal(inode_marks_add(b->marks, in_dir(b, "nothing")), -ENOENT);
	assert_int_equal(inode_marks_n_unmarked(b->marks), 1); /* it went: that is no failure */
}

static void a_tree_is_dropped_whole(void **state)
{
	struct bench *b = *state;
	uint32_t before;

	open_marks(b, 0, 0);
	inode_marks_all(b->marks);
	before = inode_marks_n(b->marks);
	inode_marks_drop_below(b->marks, in_dir(b, "sub"));
	assert_int_equal(inode_marks_n(b->marks), before - 2);
	assert_int_equal(inode_marks_n_held(b->marks), 3);
	/* Places are used again. */
	inode_marks_all(b->marks);
	assert_int_equal(inode_marks_n(b->marks), before);
	assert_int_equal(inode_marks_n_held(b->marks), 4);
}

static void files_that_may_be_open_are_counted(void **state)
{
	struct bench *b = *state;

	open_marks(b, 0, 0);
	inode_marks_all(b->marks);
	assert_int_equal(inode_marks_n_late(b->marks), 0);
	b->late = true;
	assert_int_equal(inode_marks_add(b->marks, in_dir(b, "first")), 0);
	assert_int_equal(inode_marks_n_late(b->marks), 1);
	b->error = -ENOMEM;
	assert_int_equal(inode_marks_add(b->marks, in_dir(b, "first")), -ENOMEM);
	assert_int_equal(inode_marks_n_late(b->marks), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(files_that_may_be_open_are_counted, setup,
						teardown),
		cmocka_unit_test_setup_teardown(each_kind_has_its_mark, setup, teardown),
		cmocka_unit_test_setup_teardown(a_file_that_is_to_come_has_its_directory, setup,
						teardown),
		cmocka_unit_test_setup_teardown(what_takes_paths_away_is_marked, setup, teardown),
		cmocka_unit_test_setup_teardown(layers_of_an_overlay_are_marked, setup, teardown),
		cmocka_unit_test_setup_teardown(hard_links_are_all_found, setup, teardown),
		cmocka_unit_test_setup_teardown(what_takes_a_name_takes_its_place, setup, teardown),
		cmocka_unit_test_setup_teardown(a_file_system_that_says_another_device_is_found,
						setup, teardown),
		cmocka_unit_test_setup_teardown(bounds_are_kept_and_counted, setup, teardown),
		cmocka_unit_test_setup_teardown(what_cannot_be_marked_is_not_in_the_table, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_tree_is_dropped_whole, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
