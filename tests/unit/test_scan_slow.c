/* SPDX-License-Identifier: Apache-2.0 */
/* The slow scans on the loop: in slices, on start, on schedule and when asked; what is gone is told; what fails keeps the others from nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "claims_fixture.h"
#include "scan_slow.h"

struct bench {
	struct claims_fixture f; /* its tree */
	struct event_base *base;
	struct hash_cache *cache;
	struct file_set *files;
	struct scan_claims *claims;
	struct scan_slow *slow;
	struct measure_sink sink;
	uint64_t lost;
	unsigned int n_done, want, n_turns;
};

static void on_line(void *ctx, const struct line *l)
{
	struct bench *b = ctx;

	b->f.source.put(b->f.source.ctx, l->key, l->found);
}

static void on_lost(void *ctx, const char *src, uint64_t n, const char *what)
{
	(void)src;
	(void)what;
	((struct bench *)ctx)->lost += n;
}

static void on_done(void *ctx)
{
	((struct bench *)ctx)->n_done++;
}

static const char *found(struct bench *b, const char *key)
{
	return claims_fixture_found(&b->f, key);
}

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	const char *paths[] = {"/etc/ssh"};
	struct why why = {""};

	claims_fixture_open(&b->f);
	claims_fixture_text(&b->f, "proc/cmdline", "ro\n");
	claims_fixture_text(&b->f, "proc/self/ns/mnt", "");
	claims_fixture_text(&b->f, "proc/self/mountinfo", "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n");
	scratch_run(b->f.top, "ln -s ../../root proc/self/root");
	b->base = event_base_new();
	b->sink = (struct measure_sink){b, on_line, NULL, on_lost};
	assert_int_equal(hash_cache_open(0, 0, &b->cache), 0);
	assert_int_equal(file_set_open(&(struct file_set_options){.paths = paths,
								  .n_paths = 1,
								  .hash_cache = b->cache,
								  .clock = clock_system()},
				       &b->sink, &b->files, &why),
			 0);
	assert_int_equal(scan_claims_open(b->base,
					  &(struct scan_claims_options){.proc = b->f.proc,
									.sys = b->f.sys,
									.root = b->f.root,
									.clock = clock_system()},
					  &b->sink, &b->claims, &why),
			 0);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;

	scan_slow_free(b->slow);
	scan_claims_free(b->claims);
	file_set_free(b->files);
	hash_cache_free(b->cache);
	event_base_free(b->base);
	claims_fixture_done(&b->f);
	free(b);
	return 0;
}

static void open_slow(struct bench *b, uint32_t interval_ms)
{
	assert_int_equal(scan_slow_open(b->base,
					&(struct scan_slow_options){.claims = b->claims,
								    .files = b->files,
								    .clock = clock_system(),
								    .interval_ms = interval_ms,
								    .done = on_done,
								    .ctx = b},
					&b->sink, &b->slow),
			 0);
}

static void passes(struct bench *b, uint32_t n)
{
	uint32_t before = scan_slow_n_passes(b->slow);

	for (b->n_turns = 0; scan_slow_n_passes(b->slow) < before + n; b->n_turns++)
		assert_int_equal(event_base_loop(b->base, EVLOOP_ONCE), 0);
}

static void test_start_and_schedule(void **state)
{
	struct bench *b = *state;

	open_slow(b, 1);
	assert_string_equal(found(b, "cpu:flags"), "(not put)"); /* not before the loop runs */
	passes(b, 1);
	assert_string_equal(found(b, "cpu:flags"), "unknown ENOENT");
	assert_string_equal(found(b, "boot:secure_boot"), "none");
	assert_string_equal(found(b, "firmware:bios_version"), "absent");
	assert_string_equal(found(b, "kernel:kprobes"), "absent");
	assert_string_equal(found(b, "kernel:ftrace"), "absent");
	assert_string_equal(found(b, "kernel:hidden_modules"), "none");
	assert_string_equal(found(b, "kernel:mount_namespaces"), "listed");
	assert_string_equal(found(b, "runtime:kubelet.version"), "absent");
	claims_fixture_text(&b->f, "sys/class/dmi/id/bios_version", "2\n");
	passes(b, 2);
	assert_string_equal(found(b, "firmware:bios_version"), "2");
	assert_int_equal(b->n_done, 0); /* nobody asked */
	assert_int_equal(b->lost, 0);
}

static void test_asked(void **state)
{
	struct bench *b = *state;

	open_slow(b, 3600000);
	/* While one runs: what changed behind it is seen by the one after it, and one answer is enough. */
	event_base_loop(b->base, EVLOOP_ONCE);
	scan_slow_now(b->slow);
	scan_slow_now(b->slow);
	while (b->n_done == 0)
		event_base_loop(b->base, EVLOOP_ONCE);
	assert_in_range(scan_slow_n_passes(b->slow), 2, 3);
	scan_slow_now(b->slow);
	claims_fixture_text(&b->f, "root/var/lib/dpkg/status",
			    "Package: kubelet\nStatus: install ok installed\nVersion: 1\n\n");
	passes(b, 1);
	assert_int_equal(b->n_done, 2);
	assert_string_equal(found(b, "runtime:kubelet.version"), "kubelet 1");
}

/* Some 6 MiB of symbols take many turns of the loop; in between it is free. */
static void test_slices(void **state)
{
	struct bench *b = *state;
	FILE *f;
	char path[128];

	snprintf(path, sizeof(path), "%s/kallsyms", b->f.proc);
	f = fopen(path, "w");
	assert_non_null(f);
	for (int i = 0; i < 120000; i++)
		fprintf(f, "ffffffff81%06x t a_function_of_the_kernel_%d\n", i, i);
	fprintf(f, "ffffffffc0000000 t hook\t[evil]\n");
	fclose(f);
	assert_int_equal(scan_slow_open(b->base,
					&(struct scan_slow_options){.claims = b->claims,
								    .files = b->files,
								    .clock = clock_system(),
								    .slice_ms = 1},
					&b->sink, &b->slow),
			 0);
	passes(b, 1);
	assert_string_equal(found(b, "kernel:hidden_modules"), "evil=+kallsyms");
	assert_true(b->n_turns > 3);
}

static void test_gone(void **state)
{
	struct bench *b = *state;

	claims_fixture_text(
		&b->f, "proc/7/mountinfo",
		"1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 0:9 / /etc rw - tmpfs none rw\n");
	claims_fixture_text(&b->f, "proc/7/ns/mnt", "");
	scratch_run(b->f.top, "ln -s ../../root proc/7/root");
	open_slow(b, 3600000);
	passes(b, 1);
	assert_string_equal(found(b, "mountns:/etc"), "tmpfs none /");
	/* What cannot be read is not gone. */
	claims_fixture_text(&b->f, "proc/7/mountinfo", "2 1 0:9 /\n");
	scan_slow_now(b->slow);
	passes(b, 1);
	assert_string_equal(found(b, "mountns:/etc"), "tmpfs none /");
	assert_string_equal(found(b, "kernel:mount_namespaces"), "unknown EBADMSG");
	claims_fixture_remove(&b->f, "proc/7");
	scan_slow_now(b->slow);
	passes(b, 1);
	assert_string_equal(found(b, "mountns:/etc"), "absent");
}

/* A namespace that lived between two passes: LSM told of its mount, and who scans says that it is no more. */
static void test_told_by_another(void **state)
{
	struct bench *b = *state;

	open_slow(b, 3600000);
	passes(b, 1);
	assert_int_equal(scan_claims_note(b->claims, "mountns:/etc/ssh", "tmpfs cover"), 1);
	assert_int_equal(scan_claims_note(b->claims, "mountns:/etc/ssh", "tmpfs cover"), 0);
	assert_string_equal(found(b, "mountns:/etc/ssh"), "(not put)"); /* that line is another's */
	scan_slow_now(b->slow);
	passes(b, 1);
	assert_string_equal(found(b, "mountns:/etc/ssh"), "absent");
	/* Again, after that. */
	assert_int_equal(scan_claims_note(b->claims, "mountns:/etc/ssh", "tmpfs cover"), 1);
	b->f.n = 0;
	scan_slow_now(b->slow);
	passes(b, 1);
	assert_string_equal(found(b, "mountns:/etc/ssh"), "absent");
	/* While a pass runs: that one may have been there before it. */
	scan_slow_now(b->slow);
	passes(b, 1);
	b->f.n = 0;
	scan_claims_begin(b->claims, "mountns:");
	assert_int_equal(scan_claims_note(b->claims, "mountns:/etc/ssh", "tmpfs cover"), 1);
	assert_int_equal(scan_claims_gone(b->claims, "mountns:"), 0);
	assert_string_equal(found(b, "mountns:/etc/ssh"), "(not put)");
	scan_slow_now(b->slow);
	passes(b, 1);
	assert_string_equal(found(b, "mountns:/etc/ssh"), "absent");
}

/* Freed in the middle of anything. */
static void test_freed_while_it_runs(void **state)
{
	struct bench *b = *state;

	for (int turns = 0; turns < 12; turns++) {
		assert_int_equal(scan_slow_open(b->base,
						&(struct scan_slow_options){.claims = b->claims,
									    .files = b->files,
									    .clock = clock_system(),
									    .slice_ms = 1},
						&b->sink, &b->slow),
				 0);
		for (int i = 0; i < turns; i++)
			event_base_loop(b->base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
		b->slow = scan_slow_free(b->slow);
	}
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_start_and_schedule),  T(test_asked),	      T(test_slices), T(test_gone),
		T(test_freed_while_it_runs), T(test_told_by_another),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
