/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_watch.c: real fanotify on a directory of its own; each deed must arrive as the line that it is.
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

#include "../../userspace/agent/scan_files.h"
#include "../../userspace/agent/watch.h"

#define MAX_LINES 64

struct told {
	enum plumb_type type;
	char key[256], found[256], op[16], other[256], before[256];
	bool actor_known;
	uint32_t pid;
};

struct bench {
	char top[64], dir[96];
	struct event_base *base;
	struct hash_cache *cache;
	struct proctab *proctab;
	struct file_set *files;
	struct scan_files *scan;
	struct changes *changes;
	struct watch *watch;
	struct told lines[MAX_LINES];
	uint32_t n;
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

	if (b->n == MAX_LINES)
		return;
	b->n++;
	t->type = l->type;
	copy(t->key, sizeof(t->key), l->key);
	copy(t->found, sizeof(t->found), l->found);
	copy(t->op, sizeof(t->op), l->op);
	copy(t->other, sizeof(t->other), l->other);
	copy(t->before, sizeof(t->before), l->before);
	t->actor_known = l->actor.known;
	t->pid = l->actor.pid;
}

static void on_lost(void *ctx, const char *src, uint64_t n, const char *what)
{
	struct bench *b = ctx;

	(void)src;
	(void)what;
	b->lost += n;
}

static void on_counters(void *ctx, uint64_t ksess, uint32_t cpu, const struct plumb_counters *c,
			uint64_t received)
{
	(void)ctx;
	(void)ksess;
	(void)cpu;
	(void)c;
	(void)received;
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

static void run_for(struct bench *b, int ms)
{
	struct timeval tv = {0, ms * 1000};

	event_base_loopexit(b->base, &tv);
	event_base_dispatch(b->base);
}

/* Waits, 3 s at most, for a line of this key and operation that says (a part of) found. */
static const struct told *await(struct bench *b, const char *path, const char *op,
				const char *found)
{
	char key[300];

	snprintf(key, sizeof(key), "file:%s", path);
	for (int i = 0; i < 60; i++) {
		for (uint32_t k = 0; k < b->n; k++) {
			const struct told *t = &b->lines[k];

			if (strcmp(t->key, key) == 0 && strcmp(t->op, op) == 0 &&
			    strstr(t->found, found))
				return t;
		}
		run_for(b, 50);
	}
	for (uint32_t k = 0; k < b->n; k++)
		print_message("# line %s op=%s found=%s\n", b->lines[k].key, b->lines[k].op,
			      b->lines[k].found);
	fail_msg("no line %s op=%s found=%s", key, op, found);
	return NULL;
}

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	const char *paths[1];
	struct measure_sink sink = {b, on_line, on_counters, on_lost};
	struct why why = {""};

	assert_non_null(b);
	strcpy(b->top, "/tmp/plumb-test-watch-XXXXXX");
	assert_non_null(mkdtemp(b->top));
	snprintf(b->dir, sizeof(b->dir), "%s/etc", b->top);
	assert_int_equal(mkdir(b->dir, 0755), 0);
	write_file(in_dir(b, "first"), "one");
	assert_int_equal(mkdir(in_dir(b, "sub"), 0755), 0);
	write_file(in_dir(b, "sub/second"), "two");
	b->base = event_base_new();
	assert_int_equal(hash_cache_open(64, 0, &b->cache), 0);
	assert_int_equal(proctab_open(4096, NULL, &b->proctab), 0);
	assert_true(proctab_scan(b->proctab, "/proc") > 0);
	paths[0] = b->dir;
	assert_int_equal(file_set_open(&(struct file_set_options){.paths = paths,
								  .n_paths = 1,
								  .hash_cache = b->cache,
								  .clock = clock_system(),
								  .max = 256},
				       &sink, &b->files, &why),
			 0);
	*state = b;
	assert_int_equal(changes_open(b->base,
				      &(struct changes_options){.files = b->files,
								.proctab = b->proctab,
								.clock = clock_system()},
				      &sink, &b->changes),
			 0);
	if (watch_open(b->base, &(struct watch_options){.files = b->files, .changes = b->changes},
		       &b->watch, &why) < 0)
		return 0; /* the tests skip */
	assert_int_equal(scan_files_open(b->base,
					 &(struct scan_files_options){.files = b->files,
								      .clock = clock_system(),
								      .first_now = true},
					 &b->scan, &why),
			 0);
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;
	char command[128];

	scan_files_free(b->scan);
	watch_free(b->watch);
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

static struct bench *begin(void **state)
{
	struct bench *b = *state;

	if (!b->watch) {
		print_message("# fanotify is not permitted here\n");
		skip();
	}
	/* dir, first, sub, sub/second */
	assert_int_equal(b->n, 4);
	for (uint32_t i = 0; i < b->n; i++)
		assert_int_equal(b->lines[i].type, PLUMB_TYPE_CLAIM);
	b->n = 0;
	return b;
}

static void write_is_told(void **state)
{
	struct bench *b = begin(state);
	const struct told *t;

	write_file(in_dir(b, "first"), "other");
	t = await(b, in_dir(b, "first"), "write", " 5 sha256:");
	assert_int_equal(t->type, PLUMB_TYPE_FILE);
	assert_non_null(strstr(t->before, " 3 sha256:"));
	assert_true(t->actor_known);
	assert_int_equal(t->pid, getpid());
	assert_int_equal(b->lost, 0);
}

static void attributes_are_told(void **state)
{
	struct bench *b = begin(state);

	assert_int_equal(chmod(in_dir(b, "first"), 0600), 0);
	await(b, in_dir(b, "first"), "attr", "reg 0600");
}

static void create_and_delete_are_told(void **state)
{
	struct bench *b = begin(state);
	const struct told *t;

	write_file(in_dir(b, "new"), "n");
	t = await(b, in_dir(b, "new"), "create", "reg 0644");
	assert_string_equal(t->before, "absent");
	assert_int_equal(unlink(in_dir(b, "new")), 0);
	t = await(b, in_dir(b, "new"), "delete", "absent");
	assert_non_null(strstr(t->before, "reg 0644"));
}

static void rename_over_is_told_with_both_ends(void **state)
{
	struct bench *b = begin(state);
	const struct told *t;

	write_file(in_dir(b, "tmp"), "replacement");
	await(b, in_dir(b, "tmp"), "create", " 11 sha256:");
	assert_int_equal(rename(in_dir(b, "tmp"), in_dir(b, "first")), 0);
	t = await(b, in_dir(b, "first"), "moved_to", " 11 sha256:");
	assert_string_equal(t->other, in_dir(b, "tmp"));
	t = await(b, in_dir(b, "tmp"), "moved_from", "absent");
	assert_string_equal(t->other, in_dir(b, "first"));
	/* The inode that now stands there is watched as well. */
	b->n = 0;
	write_file(in_dir(b, "first"), "xy");
	await(b, in_dir(b, "first"), "write", " 2 sha256:");
}

static void rename_from_outside_is_told(void **state)
{
	struct bench *b = begin(state);
	char outside[128];

	snprintf(outside, sizeof(outside), "%s/outside", b->top);
	write_file(outside, "from outside");
	assert_int_equal(rename(outside, in_dir(b, "first")), 0);
	await(b, in_dir(b, "first"), "moved_to", " 12 sha256:");
}

static void hard_link_elsewhere_is_told(void **state)
{
	struct bench *b = begin(state);
	char outside[128];

	snprintf(outside, sizeof(outside), "%s/link", b->top);
	assert_int_equal(link(in_dir(b, "first"), outside), 0);
	b->n = 0;
	write_file(outside, "by the link");
	await(b, in_dir(b, "first"), "write", " 11 sha256:");
}

static void new_directories_are_watched(void **state)
{
	struct bench *b = begin(state);

	assert_int_equal(mkdir(in_dir(b, "deep"), 0755), 0);
	assert_int_equal(mkdir(in_dir(b, "deep/er"), 0755), 0);
	write_file(in_dir(b, "deep/er/file"), "abcd");
	await(b, in_dir(b, "deep/er/file"), "create", " 4 sha256:");
	b->n = 0;
	write_file(in_dir(b, "deep/er/file"), "abcdef");
	await(b, in_dir(b, "deep/er/file"), "write", " 6 sha256:");
}

static void directory_moved_away_takes_its_files(void **state)
{
	struct bench *b = begin(state);
	char outside[128];

	snprintf(outside, sizeof(outside), "%s/gone", b->top);
	assert_int_equal(rename(in_dir(b, "sub"), outside), 0);
	await(b, in_dir(b, "sub"), "moved_from", "absent");
	await(b, in_dir(b, "sub/second"), "moved_from", "absent");
}

static void whole_tree_exchanged_is_told(void **state)
{
	struct bench *b = begin(state);
	char away[128];

	snprintf(away, sizeof(away), "%s/away", b->top);
	assert_int_equal(rename(b->dir, away), 0);
	await(b, in_dir(b, "first"), "moved_from", "absent");
	assert_int_equal(mkdir(b->dir, 0755), 0);
	write_file(in_dir(b, "first"), "another tree");
	await(b, in_dir(b, "first"), "create", " 12 sha256:");
	b->n = 0;
	write_file(in_dir(b, "first"), "and watched");
	await(b, in_dir(b, "first"), "write", " 11 sha256:");
}

static void wanted_scan_tells_nothing_when_nothing_changed(void **state)
{
	struct bench *b = begin(state);
	uint32_t passes = scan_files_n_passes(b->scan);

	file_set_want_scan(b->files);
	for (int i = 0; i < 60 && scan_files_n_passes(b->scan) == passes; i++)
		run_for(b, 50);
	assert_true(scan_files_n_passes(b->scan) > passes);
	assert_int_equal(b->n, 0); /* nothing changed, nothing told */
}

static void change_without_event_is_found_by_scan(void **state)
{
	struct bench *b = begin(state);

	b->watch = watch_free(b->watch);
	write_file(in_dir(b, "first"), "unseen");
	scan_files_now(b->scan);
	await(b, in_dir(b, "first"), "rescan", " 6 sha256:");
}

static void ask(void *ctx, const char *path, bool anew)
{
	struct bench *b = ctx;

	watch_hear(b->watch);
	changes_before_scan(b->changes, path, anew);
}

/* A scan finds it while what the kernel told of it still waits. */
static void who_asks_hears_what_waits(void **state)
{
	struct bench *b = begin(state);
	const struct file_set_deed deed = {.src = "scan", .op = "rescan", .ask = ask, .ctx = b};
	char away[128];

	snprintf(away, sizeof(away), "%s/away", b->top);
	write_file(in_dir(b, "first"), "other");
	assert_int_equal(file_set_check(b->files, in_dir(b, "first"), &deed), 0);
	assert_int_equal(b->n, 1);
	assert_string_equal(b->lines[0].op, "write");
	assert_int_equal(b->lines[0].pid, getpid());
	assert_int_equal(rename(in_dir(b, "sub"), away), 0);
	assert_int_equal(file_set_check(b->files, in_dir(b, "sub/second"), &deed), 0);
	for (uint32_t i = 1; i < b->n; i++)
		assert_string_equal(b->lines[i].op, "moved_from");
	assert_true(b->n > 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(write_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(attributes_are_told, setup, teardown),
		cmocka_unit_test_setup_teardown(create_and_delete_are_told, setup, teardown),
		cmocka_unit_test_setup_teardown(rename_over_is_told_with_both_ends, setup,
						teardown),
		cmocka_unit_test_setup_teardown(rename_from_outside_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(hard_link_elsewhere_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(new_directories_are_watched, setup, teardown),
		cmocka_unit_test_setup_teardown(directory_moved_away_takes_its_files, setup,
						teardown),
		cmocka_unit_test_setup_teardown(whole_tree_exchanged_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(wanted_scan_tells_nothing_when_nothing_changed,
						setup, teardown),
		cmocka_unit_test_setup_teardown(change_without_event_is_found_by_scan, setup,
						teardown),
		cmocka_unit_test_setup_teardown(who_asks_hears_what_waits, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
