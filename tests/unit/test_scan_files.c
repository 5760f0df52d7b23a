/* SPDX-License-Identifier: Apache-2.0 */
/* Passes over the watched files: quick ones by what the times say, and those that read all content, within a bound and giving way. */
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
#include <sys/mman.h>
#include <unistd.h>

#include "scan_files.h"
#include "scratch.h"

/* SHA-256 of 40,000,000 zeros. */
#define ZEROS "c0e6623abfbed73c146be81338cff1e8e4c06dd05eb98721163dc79fbbd20562"

struct bench {
	char top[SCRATCH_SIZE], file[SCRATCH_SIZE + 16];
	struct event_base *base;
	struct hash_cache *cache;
	struct file_set *files;
	struct scan_files *scan;
	struct measure_sink sink;
	unsigned int n_changes, n_done, n_measured, n_told;
	unsigned int n_asked;
	const char *told; /* what somebody can tell when the scan asks; NULL: nothing */
	char last[256];
};

static void on_line(void *ctx, const struct line *l)
{
	struct bench *b = ctx;

	if (l->type != PLUMB_TYPE_FILE)
		return;
	if (strcmp(l->src, "lsm") == 0) {
		b->n_told++;
		return;
	}
	assert_string_equal(l->op, "rescan");
	b->n_changes++;
	snprintf(b->last, sizeof(b->last), "%s", l->key);
}

static void on_lost(void *ctx, const char *src, uint64_t n, const char *what)
{
	(void)ctx;
	(void)src;
	(void)n;
	(void)what;
}

static void on_done(void *ctx)
{
	((struct bench *)ctx)->n_done++;
}

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	const char *paths[] = {b->top};
	struct why why = {""};

	scratch_open(b->top, "scan-files");
	snprintf(b->file, sizeof(b->file), "%s/f00", b->top);
	scratch_run(b->top, "for i in $(seq 10 19); do head -c 1000000 /dev/zero >f$i; done; head "
			    "-c 4096 /dev/zero >f00");
	b->base = event_base_new();
	b->sink = (struct measure_sink){b, on_line, NULL, on_lost};
	assert_int_equal(hash_cache_open(0, 0, &b->cache), 0);
	assert_int_equal(file_set_open(&(struct file_set_options){.paths = paths,
								  .n_paths = 1,
								  .hash_cache = b->cache,
								  .clock = clock_system()},
				       &b->sink, &b->files, &why),
			 0);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;

	scan_files_free(b->scan);
	file_set_free(b->files);
	hash_cache_free(b->cache);
	event_base_free(b->base);
	scratch_done(b->top);
	free(b);
	return 0;
}

/* When it is told, no file is without a value. */
static void on_measured(void *ctx)
{
	struct bench *b = ctx;

	b->n_measured++;
	for (uint32_t i = 0; i < file_set_n(b->files); i++)
		assert_non_null(file_set_value(b->files, file_set_path_at(b->files, i)));
}

static void on_ask(void *ctx, const char *path, bool anew)
{
	const struct file_set_deed deed = {.src = "lsm", .op = "write", .only_change = true};
	struct bench *b = ctx;

	(void)anew;
	b->n_asked++;
	if (b->told && strcmp(b->told, path) == 0)
		(void)file_set_check(b->files, b->told, &deed);
}

static void open_scan(struct bench *b, uint32_t interval_ms, uint32_t bytes_s)
{
	const struct scan_files_options o = {.files = b->files,
					     .clock = clock_system(),
					     .interval_ms = interval_ms,
					     .slice_ms = 1,
					     .bytes_s = bytes_s,
					     .done = on_done,
					     .measured = on_measured,
					     .ask = on_ask,
					     .ctx = b,
					     .first_now = true};
	struct why why = {""};

	assert_int_equal(scan_files_open(b->base, &o, &b->scan, &why), 0);
}

static void passes(struct bench *b, uint32_t n)
{
	while (scan_files_n_passes(b->scan) < n)
		assert_int_equal(event_base_loop(b->base, EVLOOP_ONCE), 0);
}

/* A store through a mapping that was made before: no time changes where the file system keeps none for that (tmpfs). */
static void test_stores_without_a_trace(void **state)
{
	struct bench *b = *state;
	int fd = open(b->file, O_RDWR | O_CLOEXEC);
	char *map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	struct stat before, after;

	assert_true(map != MAP_FAILED);
	map[0] = 'a';
	sleep(2); /* what changed just now is not remembered */
	open_scan(b, 3600000, 0);
	assert_int_equal(fstat(fd, &before), 0);
	map[0] = 'b';
	assert_int_equal(fstat(fd, &after), 0);
	if (memcmp(&before.st_ctim, &after.st_ctim, sizeof(before.st_ctim)) != 0)
		skip();
	scan_files_now(b->scan);
	passes(b, 2);
	assert_int_equal(b->n_changes, 0);
	scan_files_anew(b->scan);
	passes(b, 3);
	assert_int_equal(b->n_changes, 1);
	assert_non_null(strstr(b->last, "/f00"));
	assert_int_equal(b->n_done, 1);
	/* What was read anew is what is remembered from then on. */
	scan_files_now(b->scan);
	passes(b, 4);
	scan_files_anew(b->scan);
	passes(b, 5);
	assert_int_equal(b->n_changes, 1);
	assert_int_equal(b->n_done, 2);
	munmap(map, 4096);
	close(fd);
}

static void test_schedule(void **state)
{
	struct bench *b = *state;
	uint64_t first;

	sleep(2);
	open_scan(b, 10, 0);
	first = file_set_n_bytes(b->files);
	assert_int_equal(first, 10 * 1000000 + 4096);
	passes(b, 2);
	assert_int_equal(file_set_n_bytes(b->files), 2 * first);
	assert_int_equal(b->n_done, 0); /* nobody asked */
	assert_int_equal(b->n_measured, 1); /* of the first alone */
}

/* Whoever changed a file has told so: the scan asks before it tells, and has nothing to tell then. Of what is as it was nobody is asked. */
static void test_asks_first(void **state)
{
	struct bench *b = *state;

	open_scan(b, 3600000, 0);
	b->n_asked = 0;
	b->told = b->file;
	scratch_run(b->top, "echo more >>f00");
	scan_files_now(b->scan);
	passes(b, 2);
	assert_int_equal(b->n_told, 1);
	assert_int_equal(b->n_changes, 0);
	assert_int_equal(b->n_asked, 1);
	b->told = NULL;
	scratch_run(b->top, "echo more >>f00");
	scan_files_anew(b->scan);
	passes(b, 3);
	assert_int_equal(b->n_told, 1);
	assert_int_equal(b->n_changes, 1);
	assert_int_equal(b->n_asked, 2);
}

/*
 * Bound so low that the pass rests after its first slice: a quick one does not wait for it, and reads nothing that has not changed;
 * then it goes on, and does not begin again.
 */
static void test_gives_way(void **state)
{
	struct bench *b = *state;
	uint64_t first, read = 0;

	sleep(2);
	open_scan(b, 3600000, 8000000);
	first = file_set_n_bytes(b->files);
	scan_files_anew(b->scan);
	/* Held up before it read anything, a slice is over: then the next one is the first. */
	for (int i = 0; read == 0 && i < 100; i++) {
		event_base_loop(b->base, EVLOOP_ONCE);
		read = file_set_n_bytes(b->files) - first;
	}
	assert_in_range(read, 1, first - 1);
	scan_files_now(b->scan);
	passes(b, 2);
	assert_int_equal(file_set_n_bytes(b->files), first + read);
	assert_int_equal(b->n_done, 0);
	passes(b, 3);
	assert_int_equal(file_set_n_bytes(b->files), 2 * first);
	assert_int_equal(b->n_done, 1);
}

/*
 * A large file: a piece at a time, so that the loop turns in between; the digest is that of the whole. Given way to in the middle it is begun again.
 */
static void test_large(void **state)
{
	struct bench *b = *state;
	unsigned int turns = 0;
	uint64_t first;

	scratch_run(b->top, "head -c 40000000 /dev/zero >large");
	sleep(2);
	open_scan(b, 3600000, 0);
	first = file_set_n_bytes(b->files);
	assert_int_equal(first, 50000000 + 4096);
	snprintf(b->file, sizeof(b->file), "%s/large", b->top);
	assert_non_null(strstr(file_set_value(b->files, b->file), ZEROS));
	b->n_changes = 0; /* it came after the set was made */
	scan_files_anew(b->scan);
	for (; scan_files_n_passes(b->scan) < 2; turns++) {
		event_base_loop(b->base, EVLOOP_ONCE);
		if (turns == 3)
			scan_files_now(b->scan);
	}
	while (b->n_done == 0)
		event_base_loop(b->base, EVLOOP_ONCE);
	assert_true(turns > 3);
	assert_true(file_set_n_bytes(b->files) >= 2 * first);
	assert_int_equal(b->n_changes, 0);
	assert_non_null(strstr(file_set_value(b->files, b->file), ZEROS));
}

/* It grows, or goes, while it is read. */
static void test_large_that_changes(void **state)
{
	struct bench *b = *state;

	scratch_run(b->top, "head -c 40000000 /dev/zero >large");
	open_scan(b, 3600000, 0);
	snprintf(b->file, sizeof(b->file), "%s/large", b->top);
	scan_files_anew(b->scan);
	/* The loop has looked at it for some pieces by now: whatever the order, no other name takes as long. */
	for (int i = 0; i < 4; i++)
		event_base_loop(b->base, EVLOOP_ONCE);
	scratch_run(b->top, "echo more >>large");
	passes(b, 2);
	scan_files_anew(b->scan);
	passes(b, 3);
	assert_non_null(strstr(file_set_value(b->files, b->file), " 40000005 sha256:"));
	scan_files_anew(b->scan);
	for (int i = 0; i < 4; i++)
		event_base_loop(b->base, EVLOOP_ONCE);
	scratch_run(b->top, "rm large");
	passes(b, 4);
	scan_files_anew(b->scan);
	passes(b, 5);
	assert_string_equal(file_set_value(b->files, b->file), "absent");
}

/* One that is asked for while another runs begins anew when that ends: what lies behind it may have changed. */
static void test_asked_twice(void **state)
{
	struct bench *b = *state;
	uint64_t first;

	open_scan(b, 3600000, 0);
	first = file_set_n_bytes(b->files);
	scan_files_anew(b->scan);
	scan_files_anew(b->scan);
	passes(b, 3);
	assert_int_equal(file_set_n_bytes(b->files), 3 * first);
	assert_int_equal(b->n_done, 1);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_stores_without_a_trace),
		T(test_schedule),
		T(test_asks_first),
		T(test_gives_way),
		T(test_large),
		T(test_large_that_changes),
		T(test_asked_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
