/* SPDX-License-Identifier: Apache-2.0 */
/* A /sys and a /dev of its own: the node of the device that a file lies on, and of its disk, are heard of when they were open for writing. */
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
#include <sys/sysmacros.h>
#include <unistd.h>

#include "raw_writes.h"
#include "scratch.h"

struct bench {
	char top[64], sys[96], dev[96];
	struct event_base *base;
	struct hash_cache *cache;
	struct file_set *files;
	struct raw_writes *raw;
	char written[16][160];
	uint32_t n;
};

static void on_line(void *ctx, const struct line *l)
{
	(void)ctx;
	(void)l;
}

static void on_written(void *ctx, const char *node)
{
	struct bench *b = ctx;

	assert_true(b->n < 16);
	snprintf(b->written[b->n++], sizeof(b->written[0]), "%s", node);
}

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	const struct measure_sink sink = {.measurement = on_line, .ctx = b};
	const char *paths[1] = {"/etc/passwd"};
	struct why why = {""};

	assert_non_null(b);
	strcpy(b->top, "/tmp/plumb-test-raw-XXXXXX");
	assert_non_null(mkdtemp(b->top));
	snprintf(b->sys, sizeof(b->sys), "%s/sys", b->top);
	snprintf(b->dev, sizeof(b->dev), "%s/dev", b->top);
	b->base = event_base_new();
	assert_int_equal(hash_cache_open(0, 0, &b->cache), 0);
	assert_int_equal(file_set_open(&(struct file_set_options){.paths = paths,
								  .n_paths = 1,
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

	raw_writes_free(b->raw);
	file_set_free(b->files);
	hash_cache_free(b->cache);
	event_base_free(b->base);
	scratch_run(".", "rm -rf %s", b->top);
	free(b);
	return 0;
}

static int open_raw(struct bench *b, struct why *ret_why)
{
	const struct raw_writes_options o = {.files = b->files,
					     .sys = b->sys,
					     .dev = b->dev,
					     .written = on_written,
					     .ctx = b,
					     .settle_ms = 20,
					     .sync_ms = 20,
					     .late_ms = 300,
					     .exchange_ms = 900};

	return raw_writes_open(b->base, &o, &b->raw, ret_why);
}

static void touch_node(struct bench *b, const char *name, int flags)
{
	char path[160];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", b->dev, name);
	fd = open(path, flags | O_CLOEXEC);
	assert_true(fd >= 0);
	close(fd);
}

static void run(struct bench *b, uint32_t until)
{
	struct timeval tv = {0, 100000};

	for (int i = 0; i < (until > b->n ? 100 : 1); i++) {
		if (until > 0 && b->n >= until)
			return;
		event_base_loopexit(b->base, &tv);
		event_base_dispatch(b->base);
	}
}

static void make_nodes(struct bench *b, const struct stat *st)
{
	scratch_run(
		b->top,
		"mkdir -p dev sys/disk/part && ln -s disk/part sys/%u:%u && "
		"printf 'MAJOR=%u\\nMINOR=%u\\nDEVNAME=part1\\n' >sys/disk/part/uevent && "
		"printf 'MAJOR=999\\nMINOR=1\\nDEVNAME=disk\\nDISKSEQ=1\\n' >sys/disk/uevent && "
		"mkdir -p sys/below sys/disk/part/slaves && ln -s ../../../below "
		"sys/disk/part/slaves/below && "
		"printf 'MAJOR=998\nMINOR=1\nDEVNAME=below\n' >sys/below/uevent && "
		"echo >dev/part1; echo >dev/disk; echo >dev/other; echo >dev/below",
		major(st->st_dev), minor(st->st_dev), major(st->st_dev), minor(st->st_dev));
}

static void test_nodes(void **state)
{
	struct bench *b = *state;
	struct why why = {""};
	struct stat st;
	char want[160];

	assert_int_equal(stat("/etc/passwd", &st), 0);
	if (major(st.st_dev) == 0)
		skip();
	make_nodes(b, &st);
	assert_int_equal(open_raw(b, &why), 0);
	assert_int_equal(raw_writes_n(b->raw), 3);
	touch_node(b, "part1", O_RDONLY);
	touch_node(b, "other", O_RDWR);
	run(b, 0);
	assert_int_equal(b->n, 0);
	touch_node(b, "part1", O_RDWR);
	touch_node(b, "part1", O_WRONLY); /* at once: it is told once, and once more */
	run(b, 2);
	for (int i = 0; i < 5; i++)
		run(b, 0);
	assert_int_equal(b->n, 2);
	snprintf(want, sizeof(want), "%s/part1", b->dev);
	assert_string_equal(b->written[0], want);
	assert_string_equal(b->written[1], want);
	touch_node(b, "disk", O_WRONLY);
	run(b, 4);
	snprintf(want, sizeof(want), "%s/disk", b->dev);
	assert_string_equal(b->written[2], want);
	touch_node(b, "below", O_WRONLY);
	run(b, 6);
	snprintf(want, sizeof(want), "%s/below", b->dev);
	assert_string_equal(b->written[4], want);
	/* Who writes for ever is told of all the same. */
	for (int i = 0; i < 500 && b->n < 7; i++) {
		struct timeval tv = {0, 5000};

		touch_node(b, "disk", O_WRONLY);
		event_base_loopexit(b->base, &tv);
		event_base_dispatch(b->base);
	}
	assert_int_equal(b->n, 7);
	run(b, 8);
	/* Opened by a node that nobody listens to; of another device that is nothing. */
	raw_writes_opened(b->raw, 998u << 20 | 2);
	for (int i = 0; i < 5; i++)
		run(b, 0);
	assert_true(b->n <= 10);
	b->n = 0;
	raw_writes_opened(b->raw, 998u << 20 | 1);
	run(b, 2);
	assert_string_equal(b->written[0], want);
	assert_string_equal(b->written[1], want);
	raw_writes_again(b->raw);
	assert_int_equal(raw_writes_n(b->raw), 3);
}

/* However often it is asked for, of whatever files: the first is listened to, and all that come in its time are one more. */
static void test_exchanged(void **state)
{
	struct bench *b = *state;
	struct why why = {""};
	struct stat st;

	assert_int_equal(stat("/etc/passwd", &st), 0);
	if (major(st.st_dev) == 0)
		skip();
	make_nodes(b, &st);
	assert_int_equal(open_raw(b, &why), 0);
	raw_writes_exchanged(b->raw, 997u << 20 | 1);
	for (int i = 0; i < 6; i++)
		run(b, 0);
	assert_int_equal(b->n, 0);
	for (int i = 0; i < 10; i++)
		raw_writes_exchanged(b->raw, 998u << 20 | 1);
	run(b, 4);
	for (int i = 0; i < 12; i++)
		run(b, 0);
	assert_int_equal(b->n, 4);
	b->n = 0;
	/* Nobody knows whose: of each node, once and once more. */
	raw_writes_exchanged(b->raw, 0);
	run(b, 6);
	assert_int_equal(b->n, 6);
}

static void test_none(void **state)
{
	struct bench *b = *state;
	struct why why = {""};

	assert_int_equal(open_raw(b, &why), -ENODEV);
	assert_non_null(strstr(why.text, "block device"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_nodes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_exchanged, setup, teardown),
		cmocka_unit_test_setup_teardown(test_none, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
