/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_self_watch.c: with clocks of its own, a loop that is late and a clock that jumps; and, where the kernel lets us, the real programs: a ring
 * whose reader somebody moves, counters that somebody edits, a link that is gone, a quiet ring.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <bpf/bpf.h>
#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../userspace/agent/self_watch.h"

#define S 1000000000ull

struct bench {
	char keys[64][64], founds[64][200];
	uint32_t n, n_lost;
	struct event_base *base;
	struct self_watch *w;
	struct sensor_bpf *bpf;
};

static uint64_t fake_utc, fake_boot;

static uint64_t utc(void *ctx)
{
	(void)ctx;
	return fake_utc;
}

static uint64_t boot(void *ctx)
{
	(void)ctx;
	return fake_boot;
}

static uint64_t mono(void)
{
	return fake_boot;
}

static void on_line(void *ctx, const struct line *l)
{
	struct bench *b = ctx;

	if (l->type != PLUMB_TYPE_GUARD && strncmp(l->key, "sensor:", 7) != 0)
		return;
	assert_true(b->n < 64);
	snprintf(b->keys[b->n], sizeof(b->keys[0]), "%s", l->key);
	snprintf(b->founds[b->n++], sizeof(b->founds[0]), "%s", l->found);
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

static void on_lost(void *ctx, const char *src, uint64_t n, const char *what)
{
	struct bench *b = ctx;

	(void)src;
	(void)n;
	(void)what;
	b->n_lost++;
}

static const char *found(const struct bench *b, const char *key)
{
	for (uint32_t i = b->n; i > 0; i--)
		if (strcmp(b->keys[i - 1], key) == 0)
			return b->founds[i - 1];
	return "";
}

static void run(struct bench *b, uint32_t ms)
{
	struct timeval tv = {ms / 1000, ms % 1000 * 1000};

	event_base_loopexit(b->base, &tv);
	event_base_dispatch(b->base);
}

static void late_and_set(void **state)
{
	const struct clock clock = {utc, boot, NULL};
	const struct self_watch_options o = {.clock = &clock, .mono_ns = mono, .tick_ms = 10};
	struct bench b = {.base = event_base_new()};
	const struct measure_sink sink = {&b, on_line, on_counters, on_lost};

	(void)state;
	fake_utc = 1700000000 * S;
	fake_boot = 100 * S;
	assert_int_equal(self_watch_open(b.base, &o, &sink, &b.w), 0);
	run(&b, 50);
	assert_int_equal(b.n, 0);
	fake_boot += 2 * S;
	fake_utc += 2 * S;
	run(&b, 50);
	assert_int_equal(b.n, 0);
	fake_boot += 9 * S;
	fake_utc += 9 * S;
	run(&b, 50);
	assert_int_equal(b.n, 1);
	assert_string_equal(b.keys[0], "guard:held_up");
	assert_non_null(strstr(b.founds[0], "held up for 8990 ms"));
	fake_utc -= 3600 * S;
	run(&b, 50);
	assert_int_equal(b.n, 2);
	assert_string_equal(found(&b, "guard:clock"), "set back by 3600.000 s");
	fake_utc += 900000000;
	run(&b, 50);
	assert_int_equal(b.n, 2);
	fake_utc += 1500000000;
	run(&b, 50);
	assert_string_equal(found(&b, "guard:clock"), "set ahead by 1.500 s");
	assert_int_equal(b.n, 3);
	self_watch_free(b.w);
	event_base_free(b.base);
}

/* Also when it comes before the first tick. */
static void late_at_once(void **state)
{
	const struct clock clock = {utc, boot, NULL};
	const struct self_watch_options o = {.clock = &clock, .mono_ns = mono, .tick_ms = 10};
	struct bench b = {.base = event_base_new()};
	const struct measure_sink sink = {&b, on_line, on_counters, on_lost};

	(void)state;
	assert_int_equal(self_watch_open(b.base, &o, &sink, &b.w), 0);
	fake_boot += 5 * S;
	fake_utc += 5 * S;
	run(&b, 50);
	assert_int_equal(b.n, 1);
	assert_string_equal(b.keys[0], "guard:held_up");
	self_watch_free(b.w);
	event_base_free(b.base);
}

static void on_marked(void *ctx, const union event_record *r)
{
	struct bench *b = ctx;

	if (b->w)
		self_watch_take(b->w, r);
}

/* A descriptor of ours whose fdinfo has both lines. */
static int own_fd(const char *first, const char *second)
{
	DIR *d = opendir("/proc/self/fdinfo");
	struct dirent *e;
	int fd = -1;

	assert_non_null(d);
	while (fd < 0 && (e = readdir(d))) {
		char path[300], text[2048];
		FILE *f;
		size_t n;

		snprintf(path, sizeof(path), "/proc/self/fdinfo/%s", e->d_name);
		f = fopen(path, "r");
		if (!f)
			continue;
		n = fread(text, 1, sizeof(text) - 1, f);
		text[n] = '\0';
		fclose(f);
		if (strstr(text, first) && strstr(text, second))
			fd = atoi(e->d_name);
	}
	closedir(d);
	return fd;
}

/* By its name: its size and its place change with what is counted. */
static int own_map(const char *name)
{
	for (int fd = 3; fd < 1024; fd++) {
		struct bpf_map_info info = {0};
		uint32_t size = sizeof(info);
		char target[64] = "", path[64];

		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		if (readlink(path, target, sizeof(target) - 1) < 0 || !strstr(target, "bpf-map"))
			continue;
		assert_int_equal(bpf_obj_get_info_by_fd(fd, &info, &size), 0);
		if (strcmp(info.name, name) == 0)
			return fd;
	}
	return -1;
}

static void spawn(int times)
{
	for (int i = 0; i < times; i++)
		assert_int_equal(system("true"), 0);
}

static int jam(void)
{
	int fd = own_map("ring");
	uint64_t *consumer;

	assert_true(fd >= 0);
	consumer = mmap(NULL, (size_t)sysconf(_SC_PAGESIZE), PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			0);
	assert_true(consumer != MAP_FAILED);
	__atomic_store_n(consumer, 1ull << 60, __ATOMIC_SEQ_CST);
	return munmap(consumer, (size_t)sysconf(_SC_PAGESIZE));
}

static void edit_counters(const struct loader *l)
{
	struct plumb_counters *zeros = calloc(loader_n_cpus(l), sizeof(*zeros));
	int fd = own_map("counters");
	uint32_t key = 0;

	assert_true(fd >= 0);
	assert_non_null(zeros);
	assert_int_equal(bpf_map_update_elem(fd, &key, zeros, BPF_ANY), 0);
	free(zeros);
}

static uint64_t received(const struct bench *b)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < loader_n_cpus(sensor_bpf_loader(b->bpf)); i++)
		n += sensor_bpf_received(b->bpf, i);
	return n;
}

static void with_real_programs(void **state)
{
	struct bench b = {.base = event_base_new()};
	const struct measure_sink sink = {&b, on_line, on_counters, on_lost};
	struct sensor_bpf_options so = {
		.clock = clock_system(), .marked = on_marked, .marked_ctx = &b};
	const struct scan_claims_options co = {.clock = clock_system()};
	struct self_watch_options o = {.clock = clock_system(), .tick_ms = 50, .canary_ms = 100};
	const struct loader *l;
	struct why why = {""};
	uint64_t before;
	int fd;

	(void)state;
	assert_int_equal(proctab_open(0, NULL, &so.proctab), 0);
	assert_int_equal(hash_cache_open(0, 0, &so.hash_cache), 0);
	if (sensor_bpf_open(b.base, &so, &sink, &b.bpf, &why) < 0) {
		print_message("# %s\n", why.text);
		skip();
	}
	l = sensor_bpf_loader(b.bpf);
	assert_int_equal(scan_claims_open(b.base, &co, &sink, &o.claims, &why), 0);
	o.bpf = b.bpf;
	assert_int_equal(self_watch_open(b.base, &o, &sink, &b.w), 0);
	assert_string_equal(found(&b, "sensor:ring"), "attached");
	run(&b, 1000);
	assert_string_equal(found(&b, "guard:ring"), "");
	assert_string_equal(found(&b, "guard:counters"), "");
	assert_string_equal(found(&b, "sensor:ring"), "attached");

	jam();
	run(&b, 300);
	assert_non_null(strstr(found(&b, "guard:ring"), "was moved"));
	assert_true(b.n_lost > 0);
	/* It goes on: what happens now arrives. */
	before = received(&b);
	spawn(20);
	run(&b, 300);
	assert_true(received(&b) >= before + 40);

	edit_counters(l);
	run(&b, 300);
	assert_non_null(strstr(found(&b, "guard:counters"), "went back"));

	/* Whoever gets at the agent's descriptors can close one: then nothing holds the link. */
	fd = own_fd("link_type:", "link_id:");
	assert_true(fd >= 0);
	close(fd);
	run(&b, 600);
	assert_string_equal(found(&b, "guard:links"), "somebody took links of ours away");
	fd = 0;
	for (uint32_t i = 0; i < loader_n_programs(l); i++)
		fd += strcmp(loader_program_at(l, i)->absent_why, "somebody took its link away") ==
		      0;
	assert_int_equal(fd, 1);
	self_watch_free(b.w);
	scan_claims_free(o.claims);
	sensor_bpf_free(b.bpf);
	proctab_free(so.proctab);
	hash_cache_free(so.hash_cache);
	event_base_free(b.base);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(late_and_set),
		cmocka_unit_test(late_at_once),
		cmocka_unit_test(with_real_programs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
