/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_changes.c: notes of both kinds, before a deed and after it, on files of its own: what becomes a line, whose, and how often.
 */
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

#include "../../userspace/agent/changes.h"

#define MAX_LINES 16

struct told {
	enum plumb_type type;
	char key[256], op[16], src[16], other[256], before[128], found[128];
	uint32_t pid;
};

struct bench {
	char dir[64], file[96];
	struct event_base *base;
	struct hash_cache *cache;
	struct proctab *proctab;
	struct file_set *files;
	struct changes *changes;
	struct told lines[MAX_LINES];
	uint32_t n, marked, dropped, wanted;
	uint64_t lost;
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
	copy(t->before, sizeof(t->before), l->before);
	copy(t->found, sizeof(t->found), l->found);
	t->pid = l->actor.pid;
}

static void on_lost(void *ctx, const char *src, uint64_t n, const char *what)
{
	(void)src;
	(void)what;
	((struct bench *)ctx)->lost += n;
}

static void on_mark(void *ctx, const char *path)
{
	(void)path;
	((struct bench *)ctx)->marked++;
}

static void on_drop(void *ctx, const char *path, bool below)
{
	(void)path;
	(void)below;
	((struct bench *)ctx)->dropped++;
}

static void on_want(void *ctx)
{
	((struct bench *)ctx)->wanted++;
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	struct measure_sink sink = {.ctx = b, .measurement = on_line, .lost = on_lost};
	const struct file_set_deed first = {.src = "scan", .op = "rescan"};
	const struct changes_marker marker = {on_mark, on_drop, b};
	const char *paths[1];
	struct why why = {""};

	assert_non_null(b);
	strcpy(b->dir, "/tmp/plumb-test-changes-XXXXXX");
	assert_non_null(mkdtemp(b->dir));
	snprintf(b->file, sizeof(b->file), "%s/file", b->dir);
	write_file(b->file, "one");
	b->base = event_base_new();
	paths[0] = b->dir;
	assert_int_equal(hash_cache_open(64, 0, &b->cache), 0);
	assert_int_equal(proctab_open(64, NULL, &b->proctab), 0);
	assert_int_equal(file_set_open(&(struct file_set_options){.paths = paths,
								  .n_paths = 1,
								  .hash_cache = b->cache,
								  .clock = clock_system()},
				       &sink, &b->files, &why),
			 0);
	assert_int_equal(changes_open(b->base,
				      &(struct changes_options){.files = b->files,
								.proctab = b->proctab,
								.clock = clock_system(),
								.settle_ms = 1,
								.again_ms = {50, 100}},
				      &sink, &b->changes),
			 0);
	assert_int_equal(changes_add_marker(b->changes, &marker), 0);
	assert_int_equal(file_set_on_want(b->files, on_want, b), 0);
	for (uint32_t i = 0; i < file_set_n(b->files); i++)
		assert_true(file_set_check(b->files, file_set_path_at(b->files, i), &first) >= 0);
	b->n = 0;
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;
	char command[128];

	changes_free(b->changes);
	file_set_free(b->files);
	proctab_free(b->proctab);
	hash_cache_free(b->cache);
	event_base_free(b->base);
	snprintf(command, sizeof(command), "rm -rf %s", b->dir);
	assert_int_equal(system(command), 0);
	free(b);
	return 0;
}

static void note(struct bench *b, const char *src, const char *path, uint32_t what, uint32_t pid)
{
	const struct changes_note n = {.src = src,
				       .path = path,
				       .what = what,
				       .pid = pid,
				       .start_ns = strcmp(src, "lsm") == 0 ? 1000 + pid : 0};

	changes_note(b->changes, &n);
}

/* Until a line more than have stands there; 5 s at most. */
static void await_line(struct bench *b, uint32_t have)
{
	for (int i = 0; i < 500 && b->n <= have; i++) {
		struct timeval tv = {0, 10000};

		event_base_loopexit(b->base, &tv);
		event_base_dispatch(b->base);
	}
	assert_true(b->n > have);
}

static void one_deed_told_twice_is_one_line(void **state)
{
	struct bench *b = *state;

	note(b, "lsm", b->file, CHANGES_WRITE | CHANGES_BEFORE, 7);
	write_file(b->file, "other");
	note(b, "fanotify", b->file, CHANGES_WRITE, 7);
	changes_look(b->changes);
	assert_int_equal(b->n, 1);
	assert_string_equal(b->lines[0].src, "lsm");
	assert_string_equal(b->lines[0].op, "write");
	assert_int_equal(b->lines[0].type, PLUMB_TYPE_FILE);
	assert_non_null(strstr(b->lines[0].before, " 3 sha256:"));
	assert_non_null(strstr(b->lines[0].found, " 5 sha256:"));
}

static void another_process_is_another_line(void **state)
{
	struct bench *b = *state;

	note(b, "lsm", b->file, CHANGES_ATTR | CHANGES_BEFORE, 7);
	note(b, "fanotify", b->file, CHANGES_ATTR, 8);
	changes_look(b->changes);
	assert_int_equal(b->n, 2);
	assert_string_equal(b->lines[0].src, "lsm");
	assert_string_equal(b->lines[1].src, "fanotify");
}

static void two_who_are_told_before_are_two_lines(void **state)
{
	struct bench *b = *state;

	note(b, "lsm", b->file, CHANGES_WRITE | CHANGES_BEFORE, 7);
	note(b, "lsm", b->file, CHANGES_WRITE | CHANGES_BEFORE, 8);
	write_file(b->file, "whose");
	changes_look(b->changes);
	assert_int_equal(b->n, 2); /* by whom of them is not known */
	/* And one who was told before that look, but is heard of after it. */
	changes_note(b->changes, &(struct changes_note){.src = "lsm",
							.path = b->file,
							.what = CHANGES_WRITE | CHANGES_BEFORE,
							.pid = 9,
							.start_ns = 9,
							.boot_ns = 1});
	changes_look(b->changes);
	assert_int_equal(b->n, 3);
	changes_note(b->changes,
		     &(struct changes_note){.src = "lsm",
					    .path = b->file,
					    .what = CHANGES_WRITE | CHANGES_BEFORE,
					    .pid = 10,
					    .start_ns = 10,
					    .boot_ns = clock_boot_ns(clock_system()) + 1});
	changes_look(b->changes);
	assert_int_equal(b->n, 3);
}

/* The kernel's ring may be read after fanotify: both deeds are LSM's all the same, in their order. */
static void who_is_told_late_is_still_who(void **state)
{
	struct bench *b = *state;

	note(b, "fanotify", b->file, CHANGES_MOVED_TO, 3);
	note(b, "fanotify", b->file, CHANGES_WRITE, 4);
	note(b, "lsm", b->file, CHANGES_MOVED_TO | CHANGES_BEFORE, 3);
	note(b, "lsm", b->file, CHANGES_WRITE | CHANGES_BEFORE, 4);
	write_file(b->file, "two");
	changes_look(b->changes);
	assert_int_equal(b->n, 2);
	assert_string_equal(b->lines[0].src, "lsm");
	assert_string_equal(b->lines[0].op, "moved_to");
	assert_string_equal(b->lines[1].src, "lsm");
	assert_string_equal(b->lines[1].op, "write");
}

static void what_is_not_done_is_not_told(void **state)
{
	struct bench *b = *state;
	char path[128];

	snprintf(path, sizeof(path), "%s/never", b->dir);
	note(b, "lsm", b->file, CHANGES_WRITE | CHANGES_BEFORE, 7);
	note(b, "lsm", b->file, CHANGES_DELETE | CHANGES_BEFORE, 9);
	changes_look(b->changes);
	assert_int_equal(b->n, 0);
	assert_int_equal(b->dropped, 0); /* it stands there: its mark stays */
}

static void a_write_that_comes_later_is_found(void **state)
{
	struct bench *b = *state;

	note(b, "lsm", b->file, CHANGES_WRITE | CHANGES_BEFORE, 7);
	changes_look(b->changes);
	assert_int_equal(b->n, 0);
	write_file(b->file, "later!");
	await_line(b, 0);
	assert_string_equal(b->lines[0].src, "lsm");
	assert_non_null(strstr(b->lines[0].found, " 6 sha256:"));
}

/* A scan comes by between what was said before the deed and the second look: it is told by whoever said so, and once. */
static void a_scan_asks_first_who_was_about_to(void **state)
{
	struct bench *b = *state;
	char other[128];

	snprintf(other, sizeof(other), "%s/other", b->dir);
	note(b, "lsm", b->file, CHANGES_WRITE | CHANGES_BEFORE, 7);
	changes_before_scan(b->changes, b->file, false); /* not done yet, and noted for later */
	assert_int_equal(b->n, 0);
	write_file(b->file, "later!");
	changes_before_scan(b->changes, other, false);
	assert_int_equal(b->n, 0);
	changes_before_scan(b->changes, b->file, false);
	assert_int_equal(b->n, 1);
	assert_string_equal(b->lines[0].src, "lsm");
	assert_string_equal(b->lines[0].op, "write");
	note(b, "fanotify", b->file, CHANGES_WRITE, 7);
	changes_look(b->changes);
	assert_int_equal(b->n, 1);
}

/* What lies below has no note of its own. */
static void a_scan_asks_who_was_about_to_move_what_lies_above(void **state)
{
	struct bench *b = *state;
	char away[140];

	snprintf(away, sizeof(away), "%s-away", b->dir);
	note(b, "lsm", b->dir, CHANGES_MOVED_FROM | CHANGES_ON_DIR | CHANGES_BEFORE, 7);
	changes_look(b->changes);
	note(b, "lsm", b->dir, CHANGES_ATTR | CHANGES_BEFORE, 8);
	changes_look(b->changes);
	b->n = 0;
	assert_int_equal(rename(b->dir, away), 0);
	changes_before_scan(b->changes, b->file, false);
	assert_true(b->n > 0);
	assert_string_equal(b->lines[0].src, "lsm");
	assert_string_equal(file_set_value(b->files, b->file), "absent");
	assert_int_equal(rename(away, b->dir), 0);
}

static void the_opener_is_the_writer(void **state)
{
	struct bench *b = *state;

	note(b, "lsm", b->file, CHANGES_WRITE | CHANGES_BEFORE, 7);
	changes_look(b->changes);
	write_file(b->file, "late");
	note(b, "fanotify", b->file, CHANGES_WRITE, 7);
	changes_look(b->changes);
	assert_int_equal(b->n, 1);
	assert_string_equal(b->lines[0].src, "lsm");
	note(b, "fanotify", b->file, CHANGES_WRITE, 8); /* who did not open it then */
	changes_look(b->changes);
	assert_int_equal(b->n, 2);
	assert_string_equal(b->lines[1].src, "fanotify");
}

static void what_was_told_is_not_told_again(void **state)
{
	struct bench *b = *state;

	write_file(b->file, "done");
	note(b, "lsm", b->file, CHANGES_WRITE | CHANGES_BEFORE, 7);
	changes_look(b->changes);
	assert_int_equal(b->n, 1);
	note(b, "fanotify", b->file, CHANGES_WRITE, 7);
	changes_look(b->changes);
	assert_int_equal(b->n, 1); /* the same deed */
	note(b, "fanotify", b->file, CHANGES_WRITE, 7);
	changes_look(b->changes);
	assert_int_equal(b->n, 2); /* another one, that left the same bytes */
}

static void to_create_what_is_there_is_to_open_it(void **state)
{
	struct bench *b = *state;

	note(b, "lsm", b->file, CHANGES_CREATE | CHANGES_BEFORE, 7);
	write_file(b->file, "opened");
	changes_look(b->changes);
	assert_int_equal(b->n, 1);
	assert_string_equal(b->lines[0].op, "write");
}

/* A copy is made before the file is written; what hides it is made when it is deleted; and one may be put there. */
static void what_comes_to_a_layer_is_what_it_does(void **state)
{
	struct bench *b = *state;
	char path[128];

	write_file(b->file, "two");
	note(b, "fanotify", b->file, CHANGES_CREATE | CHANGES_LAYER, 7);
	changes_look(b->changes);
	assert_int_equal(b->n, 1);
	assert_string_equal(b->lines[0].op, "write");
	assert_int_equal(unlink(b->file), 0);
	note(b, "lsm", b->file, CHANGES_DELETE | CHANGES_BEFORE, 8);
	note(b, "lsm", b->file, CHANGES_MOVED_TO | CHANGES_LAYER | CHANGES_BEFORE, 8);
	changes_look(b->changes);
	assert_int_equal(b->n, 2);
	assert_string_equal(b->lines[1].op, "delete");
	snprintf(path, sizeof(path), "%s/new", b->dir);
	write_file(path, "new");
	note(b, "fanotify", path, CHANGES_CREATE | CHANGES_LAYER, 9);
	changes_look(b->changes);
	assert_int_equal(b->n, 3);
	assert_string_equal(b->lines[2].op, "create");
	/* The overlay shows it later. */
	write_file(path, "shown");
	await_line(b, 3);
	assert_string_equal(b->lines[3].key + strlen("file:"), path);
}

/* An overlay may show its own size and times with the bytes of a layer below: they say nothing of those. */
static void what_is_written_below_is_read_whatever_its_times_say(void **state)
{
	struct bench *b = *state;
	uint64_t read;

	usleep(1100000); /* what was written just now is not kept */
	note(b, "lsm", b->file, CHANGES_WRITE, 7);
	changes_look(b->changes);
	read = file_set_n_bytes(b->files);
	note(b, "lsm", b->file, CHANGES_WRITE, 7);
	changes_look(b->changes);
	assert_int_equal(file_set_n_bytes(b->files), read);
	note(b, "lsm", b->file, CHANGES_WRITE | CHANGES_BELOW, 7);
	changes_look(b->changes);
	assert_true(file_set_n_bytes(b->files) > read);
}

/* Copied for what is then done in it, which is told; nobody moved it there. */
static void a_directory_comes_to_a_layer(void **state)
{
	const uint32_t comes = CHANGES_MOVED_TO | CHANGES_LAYER | CHANGES_ON_DIR | CHANGES_BEFORE;
	struct bench *b = *state;
	char dir[96], path[128];

	snprintf(dir, sizeof(dir), "%s/sub", b->dir);
	snprintf(path, sizeof(path), "%s/inner", dir);
	assert_int_equal(mkdir(dir, 0755), 0);
	write_file(path, "one");
	note(b, "lsm", dir, comes, 7);
	changes_look(b->changes);
	assert_int_equal(b->n, 2);
	assert_string_equal(b->lines[0].op, "create");
	assert_string_equal(b->lines[1].op, "create");
	b->marked = 0;
	write_file(path, "other");
	note(b, "lsm", dir, comes, 7);
	changes_look(b->changes);
	assert_int_equal(b->n, 3);
	assert_string_equal(b->lines[2].op, "write");
	assert_true(b->marked >= 2); /* it, and what is in it */
}

static void came_and_went_move_marks(void **state)
{
	struct bench *b = *state;
	char path[128];

	snprintf(path, sizeof(path), "%s/new", b->dir);
	write_file(path, "n");
	note(b, "lsm", path, CHANGES_CREATE | CHANGES_BEFORE, 7);
	changes_look(b->changes);
	assert_int_equal(b->n, 1);
	assert_string_equal(b->lines[0].op, "create");
	assert_int_equal(b->marked, 1);
	assert_int_equal(unlink(path), 0);
	note(b, "fanotify", path, CHANGES_DELETE, 7);
	changes_look(b->changes);
	assert_string_equal(b->lines[1].op, "delete");
	assert_string_equal(b->lines[1].found, "absent");
	assert_int_equal(b->dropped, 1);
}

static void too_many_are_lost_and_said(void **state)
{
	struct bench *b = *state;
	char path[128];

	for (int i = 0; i < CHANGES_MAX; i++) {
		snprintf(path, sizeof(path), "%s/%d", b->dir, i);
		note(b, "lsm", path, CHANGES_WRITE | CHANGES_BEFORE, 7);
	}
	assert_int_equal(b->lost, 0);
	assert_true(changes_is_half_full(b->changes));
	note(b, "lsm", b->file, CHANGES_WRITE | CHANGES_BEFORE, 7);
	assert_int_equal(b->lost, 1);
}

/* A directory above was exchanged: what is other below is told with who did it, what is the same is not, and marks are set anew. */
static void another_tree_above_is_told(void **state)
{
	struct bench *b = *state;

	const struct plumb_task self = {.pid = (uint32_t)getpid(), .start_ns = 1};

	proctab_exec(b->proctab, &self, NULL);
	write_file(b->file, "of another tree");
	note(b, "fanotify", "/tmp", CHANGES_MOVED_TO | CHANGES_ON_DIR, (uint32_t)getpid());
	changes_look(b->changes);
	assert_int_equal(b->n, 1);
	assert_string_equal(strrchr(b->lines[0].key, '/'), "/file");
	assert_string_equal(b->lines[0].op, "moved_to");
	assert_non_null(strstr(b->lines[0].before, " 3 sha256:"));
	assert_non_null(strstr(b->lines[0].found, " 15 sha256:"));
	assert_int_equal(b->lines[0].pid, getpid());
	assert_int_equal(b->wanted, 1);
	note(b, "fanotify", "/tmp", CHANGES_ATTR | CHANGES_ON_DIR, 7);
	changes_look(b->changes);
	assert_int_equal(b->n, 1);
	assert_int_equal(b->wanted, 1);
}

static void unwatched_paths_are_nothing(void **state)
{
	struct bench *b = *state;

	note(b, "lsm", "/proc/self/status", CHANGES_ATTR | CHANGES_BEFORE, 7);
	changes_look(b->changes);
	assert_int_equal(b->n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			what_is_written_below_is_read_whatever_its_times_say, setup, teardown),
		cmocka_unit_test_setup_teardown(one_deed_told_twice_is_one_line, setup, teardown),
		cmocka_unit_test_setup_teardown(another_process_is_another_line, setup, teardown),
		cmocka_unit_test_setup_teardown(two_who_are_told_before_are_two_lines, setup,
						teardown),
		cmocka_unit_test_setup_teardown(who_is_told_late_is_still_who, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_not_done_is_not_told, setup, teardown),
		cmocka_unit_test_setup_teardown(a_write_that_comes_later_is_found, setup, teardown),
		cmocka_unit_test_setup_teardown(the_opener_is_the_writer, setup, teardown),
		cmocka_unit_test_setup_teardown(a_scan_asks_who_was_about_to_move_what_lies_above,
						setup, teardown),
		cmocka_unit_test_setup_teardown(a_scan_asks_first_who_was_about_to, setup,
						teardown),
		cmocka_unit_test_setup_teardown(what_was_told_is_not_told_again, setup, teardown),
		cmocka_unit_test_setup_teardown(to_create_what_is_there_is_to_open_it, setup,
						teardown),
		cmocka_unit_test_setup_teardown(what_comes_to_a_layer_is_what_it_does, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_directory_comes_to_a_layer, setup, teardown),
		cmocka_unit_test_setup_teardown(came_and_went_move_marks, setup, teardown),
		cmocka_unit_test_setup_teardown(too_many_are_lost_and_said, setup, teardown),
		cmocka_unit_test_setup_teardown(another_tree_above_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(unwatched_paths_are_nothing, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
