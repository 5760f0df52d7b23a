/* SPDX-License-Identifier: Apache-2.0 */
#include "watch_lsm_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

void lsm_bench_copy(char *ret, size_t size, const char *text)
{
	snprintf(ret, size, "%s", text ? text : "");
}

static void on_line(void *ctx, const struct line *l)
{
	struct lsm_bench *b = ctx;
	struct lsm_told *t = &b->lines[b->n];

	assert_true(b->n < LSM_BENCH_LINES);
	b->n++;
	t->type = l->type;
	lsm_bench_copy(t->key, sizeof(t->key), l->key);
	lsm_bench_copy(t->op, sizeof(t->op), l->op);
	lsm_bench_copy(t->src, sizeof(t->src), l->src);
	lsm_bench_copy(t->other, sizeof(t->other), l->other);
	lsm_bench_copy(t->found, sizeof(t->found), l->found);
	t->pid = l->actor.pid;
	t->start_ns = l->actor.start_ns;
}

static void on_lost(void *ctx, const char *src, uint64_t n, const char *what)
{
	(void)src;
	(void)what;
	((struct lsm_bench *)ctx)->lost += n;
}

static void on_want(void *ctx)
{
	((struct lsm_bench *)ctx)->n_scans++;
}

/* The first inode that is marked is the canary's. */
static int on_mark(void *ctx, int fd, uint32_t mark)
{
	struct lsm_bench *b = ctx;
	struct stat st;

	(void)mark;
	assert_int_equal(fstat(fd, &st), 0);
	if (b->canary_ino == 0)
		b->canary_ino = st.st_ino;
	return b->mark_says;
}

static uint64_t on_failed(void *ctx)
{
	return ((struct lsm_bench *)ctx)->failed;
}

static uint64_t on_dropped(void *ctx)
{
	return ((struct lsm_bench *)ctx)->dropped;
}

static void on_late(void *ctx)
{
	((struct lsm_bench *)ctx)->n_late++;
}

static void on_told(void *ctx, const char *key, const char *value)
{
	struct lsm_bench *b = ctx;

	b->n_noted++;
	lsm_bench_copy(b->noted_key, sizeof(b->noted_key), key);
	lsm_bench_copy(b->noted_value, sizeof(b->noted_value), value);
}

static void on_flush(void *ctx)
{
	struct lsm_bench *b = ctx;
	union event_record r = {.file = {.event = {.kind = PLUMB_KIND_FILE},
					 .task = {.pid = (uint32_t)getpid()},
					 .op = PLUMB_FILE_OPEN_WRITE,
					 .file = {.ino = b->canary_ino}}};

	if (!b->deaf && b->watch)
		watch_lsm_take(b->watch, &r);
}

void lsm_bench_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

const char *lsm_bench_in_dir(struct lsm_bench *b, const char *name)
{
	static char paths[4][256];
	static int next;

	next = (next + 1) % 4;
	snprintf(paths[next], sizeof(paths[next]), "%s/%s", b->dir, name);
	return paths[next];
}

int lsm_bench_try(struct lsm_bench *b)
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
					    .told = on_told,
					    .ctx = b,
					    .root = b->top};
	struct why why = {""};

	return watch_lsm_open(b->base, &o, &sink, &b->watch, &why);
}

int lsm_bench_open(void **state)
{
	struct lsm_bench *b = calloc(1, sizeof(*b));
	const struct measure_sink sink = {.ctx = b, .measurement = on_line, .lost = on_lost};
	const struct file_set_deed first = {.src = "scan", .op = "rescan"};
	const struct plumb_task task = {
		.pid = LSM_BENCH_PID, .start_ns = LSM_BENCH_START_NS, .comm = "deed"};
	const char *paths[1];
	struct why why = {""};

	assert_non_null(b);
	strcpy(b->top, "/tmp/plumb-test-lsm-XXXXXX");
	assert_non_null(mkdtemp(b->top));
	snprintf(b->dir, sizeof(b->dir), "%s/etc", b->top);
	assert_int_equal(mkdir(b->dir, 0755), 0);
	assert_int_equal(mkdir(lsm_bench_in_dir(b, "sub"), 0755), 0);
	lsm_bench_write(lsm_bench_in_dir(b, "file"), "one");
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

int lsm_bench_done(void **state)
{
	struct lsm_bench *b = *state;
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

uint32_t lsm_bench_dev(const struct stat *st)
{
	return major(st->st_dev) << 20 | minor(st->st_dev);
}
