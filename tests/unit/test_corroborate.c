/* SPDX-License-Identifier: Apache-2.0 */
/* test_corroborate.c: execs that two sources tell, in every order, with losses, tracers and crowds; and what is said of those that one told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../userspace/agent/corroborate.h"
#include "../fakes/scratch.h"

#define MS 1000000ull
#define BPF CORROBORATE_BPF
#define CONNECTOR CORROBORATE_CONNECTOR

struct bench {
	struct corroborate *c;
	struct proctab *proctab;
	struct clock clock;
	char proc[SCRATCH_SIZE];
	uint64_t now;
	bool busy[2]; /* more waits there */
	/* Told while that source is emptied. */
	struct {
		bool any;
		uint32_t pid;
		uint64_t at;
	} late[2];
	bool late_loss;
	uint32_t lines;
	uint64_t uncompared;
	char found[2048];
};

static uint64_t now_of(void *ctx)
{
	return ((struct bench *)ctx)->now;
}

static void on_line(void *ctx, const struct line *l)
{
	struct bench *b = ctx;

	assert_string_equal(l->key, "sensor:exec_divergence");
	assert_string_equal(l->scope, "host");
	b->lines++;
	snprintf(b->found, sizeof(b->found), "%s", l->found);
}

static void on_lost(void *ctx, const char *src, uint64_t n, const char *what)
{
	(void)src;
	(void)what;
	((struct bench *)ctx)->uncompared += n;
}

static bool on_empty(void *ctx, enum corroborate_source source)
{
	struct bench *b = ctx;

	if (b->late[source].any) {
		b->late[source].any = false;
		corroborate_seen(b->c, source, b->late[source].pid, 0, b->late[source].at);
	}
	if (b->late_loss) {
		b->late_loss = false;
		corroborate_lost(b->c);
	}
	return !b->busy[source];
}

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	const struct measure_sink sink = {b, on_line, NULL, on_lost};
	const struct corroborate_options o = {
		.proctab = NULL, .clock = &b->clock, .proc = b->proc, .empty = on_empty, .ctx = b};
	struct corroborate_options with_table = o;

	assert_non_null(b);
	b->clock = (struct clock){now_of, now_of, b};
	b->now = 100000 * MS;
	scratch_open(b->proc, "corroborate");
	assert_int_equal(proctab_open(0, NULL, &b->proctab), 0);
	with_table.proctab = b->proctab;
	assert_int_equal(corroborate_open(&with_table, &sink, &b->c), 0);
	/* The canary: from it on there is something to compare. */
	corroborate_seen(b->c, BPF, 1, 1, b->now);
	corroborate_seen(b->c, CONNECTOR, 1, 0, b->now);
	b->now += 1000 * MS;
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;

	corroborate_free(b->c);
	proctab_free(b->proctab);
	scratch_done(b->proc);
	free(b);
	return 0;
}

static void seen(struct bench *b, enum corroborate_source source, uint32_t pid)
{
	corroborate_seen(b->c, source, pid, source == BPF ? 7 : 0, b->now);
}

static void pass_ms(struct bench *b, uint32_t ms)
{
	for (uint32_t i = 0; i < ms; i += 250) {
		b->now += 250 * MS;
		corroborate_tick(b->c);
	}
}

static void pairs_are_silent_in_any_order(void **state)
{
	struct bench *b = *state;

	for (uint32_t i = 0; i < 40000; i++) {
		seen(b, i & 1 ? BPF : CONNECTOR, i % 5000 + 2);
		seen(b, i & 1 ? CONNECTOR : BPF, i % 5000 + 2);
	}
	/* One source far behind the other, and a pid that comes twice. */
	for (uint32_t i = 0; i < 16000; i++)
		seen(b, BPF, i % 8000 + 2);
	for (uint32_t i = 0; i < 16000; i++)
		seen(b, CONNECTOR, i % 8000 + 2);
	pass_ms(b, 30000);
	assert_int_equal(b->lines, 0);
	assert_int_equal(b->uncompared, 0);
}

static void one_alone_is_told_after_a_second_and_is_over_at_last(void **state)
{
	struct bench *b = *state;

	seen(b, BPF, 4711);
	pass_ms(b, 750);
	assert_int_equal(b->lines, 0);
	pass_ms(b, 500);
	assert_int_equal(b->lines, 1);
	assert_string_equal(b->found, "only bpf saw 1: pid 4711 start 7 (gone)");
	pass_ms(b, 9000);
	assert_int_equal(b->lines, 1);
	pass_ms(b, 1500);
	assert_int_equal(b->lines, 2);
	assert_string_equal(b->found, "absent");
	pass_ms(b, 30000);
	assert_int_equal(b->lines, 2);
	seen(b, CONNECTOR, 12);
	pass_ms(b, 1500);
	assert_int_equal(b->lines, 3);
	assert_string_equal(b->found, "only proc_connector saw 1: pid 12 (gone)");
}

static void a_crowd_is_one_line_a_second(void **state)
{
	struct bench *b = *state;

	for (uint32_t i = 0; i < 10; i++)
		seen(b, CONNECTOR, 100 + i);
	seen(b, BPF, 99);
	pass_ms(b, 1250);
	assert_int_equal(b->lines, 1);
	assert_string_equal(b->found, "only bpf saw 1: pid 99 start 7 (gone); only proc_connector "
				      "saw 10: pid 100 (gone), pid 101 (gone), pid 102 (gone)");
	for (uint32_t i = 0; i < 40; i++) {
		seen(b, CONNECTOR, 200 + i);
		pass_ms(b, 250);
	}
	/* Ten seconds, at most one each. */
	assert_in_range(b->lines, 8, 12);
}

static void whoever_is_behind_is_waited_for(void **state)
{
	struct bench *b = *state;
	uint64_t at = b->now;

	b->busy[CONNECTOR] = true;
	seen(b, BPF, 5);
	pass_ms(b, 20000);
	assert_int_equal(b->lines, 0);
	corroborate_seen(b->c, CONNECTOR, 5, 0, at);
	/* It never gets to an end, but has come to what was later. */
	seen(b, BPF, 6);
	pass_ms(b, 2000);
	assert_int_equal(b->lines, 0);
	seen(b, CONNECTOR, 7);
	seen(b, BPF, 7);
	pass_ms(b, 250);
	assert_int_equal(b->lines, 1);
	assert_non_null(strstr(b->found, "only bpf saw 1: pid 6 "));
}

static void a_twin_that_still_waits_is_taken_first(void **state)
{
	struct bench *b = *state;

	seen(b, CONNECTOR, 5);
	b->late[BPF].any = true;
	b->late[BPF].pid = 5;
	b->late[BPF].at = b->now;
	pass_ms(b, 3000);
	assert_int_equal(b->lines, 0);
	assert_false(b->late[BPF].any);
}

static void a_loss_explains_what_is_missing(void **state)
{
	struct bench *b = *state;

	seen(b, BPF, 5);
	corroborate_lost(b->c);
	seen(b, BPF, 6);
	pass_ms(b, 500);
	seen(b, CONNECTOR, 5); /* late, and alone now */
	corroborate_lost(b->c);
	pass_ms(b, 5000);
	assert_int_equal(b->lines, 0);
	/* What was lost is said only while its other side is emptied: that exec must not be told. */
	seen(b, CONNECTOR, 8);
	b->now += 1000 * MS;
	b->late_loss = true;
	corroborate_tick(b->c);
	pass_ms(b, 5000);
	assert_int_equal(b->lines, 0);
	/* Or while both are emptied after another loss: then they are emptied again. */
	corroborate_lost(b->c);
	b->late_loss = true;
	b->now += 250 * MS;
	corroborate_tick(b->c);
	b->now += 100 * MS;
	seen(b, CONNECTOR, 10);
	pass_ms(b, 5000);
	assert_int_equal(b->lines, 0);
	/* And then all is as before. */
	seen(b, CONNECTOR, 9);
	pass_ms(b, 1500);
	assert_int_equal(b->lines, 1);
}

static void while_somebody_loses_nothing_is_said(void **state)
{
	struct bench *b = *state;

	b->busy[BPF] = true;
	corroborate_lost(b->c);
	for (uint32_t i = 0; i < 50; i++) {
		seen(b, CONNECTOR, 1000 + i);
		pass_ms(b, 250);
	}
	b->busy[BPF] = false;
	pass_ms(b, 5000);
	assert_int_equal(b->lines, 0);
}

static void put_stat(struct bench *b, uint32_t pid, const char *state)
{
	scratch_run(b->proc, "mkdir -p %u; echo '%u (a) t b) %s 1 1' >%u/stat", pid, pid, state,
		    pid);
}

/* BPF tells before the tracer's stop, the connector after it. */
static void a_tracer_may_hold_one_as_long_as_it_likes(void **state)
{
	struct bench *b = *state;

	put_stat(b, 5, "t");
	seen(b, BPF, 5);
	pass_ms(b, 60000);
	corroborate_lost(b->c);
	pass_ms(b, 60000);
	assert_int_equal(b->lines, 0);
	seen(b, CONNECTOR, 5);
	put_stat(b, 5, "S");
	pass_ms(b, 5000);
	assert_int_equal(b->lines, 0);
	seen(b, BPF, 5);
	pass_ms(b, 5000);
	assert_int_equal(b->lines, 1);
}

static void too_many_are_not_compared_and_that_is_said(void **state)
{
	struct bench *b = *state;

	b->busy[CONNECTOR] = true;
	for (uint32_t i = 0; i < CORROBORATE_MAX + 10; i++)
		seen(b, BPF, i + 2);
	b->busy[CONNECTOR] = false;
	pass_ms(b, 5000);
	assert_int_equal(b->lines, 0);
	assert_int_equal(b->uncompared, CORROBORATE_MAX);
	seen(b, BPF, 5);
	pass_ms(b, 1500);
	assert_int_equal(b->lines, 1);
}

static void what_was_before_the_start_is_nobodys(void **state)
{
	struct bench *b = *state;

	corroborate_seen(b->c, CONNECTOR, 3, 0, 100000 * MS - 1);
	corroborate_seen(b->c, CONNECTOR, 4, 0, 99000 * MS);
	pass_ms(b, 5000);
	assert_int_equal(b->lines, 0);
}

/* Its exec failed when BPF had told it; what the connector alone saw is told as ever. */
static void where_bpf_tells_early_what_it_alone_saw_is_nothing(void **state)
{
	struct bench *b = *state;

	corroborate_early(b->c);
	seen(b, BPF, 5);
	pass_ms(b, 5000);
	assert_int_equal(b->lines, 0);
	seen(b, BPF, 5); /* the same number, when it was given again */
	seen(b, CONNECTOR, 5);
	seen(b, CONNECTOR, 6);
	pass_ms(b, 1500);
	assert_int_equal(b->lines, 1);
	assert_string_equal(b->found, "only proc_connector saw 1: pid 6 (gone)");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(pairs_are_silent_in_any_order),
		TEST(one_alone_is_told_after_a_second_and_is_over_at_last),
		TEST(a_crowd_is_one_line_a_second),
		TEST(whoever_is_behind_is_waited_for),
		TEST(a_twin_that_still_waits_is_taken_first),
		TEST(a_loss_explains_what_is_missing),
		TEST(while_somebody_loses_nothing_is_said),
		TEST(a_tracer_may_hold_one_as_long_as_it_likes),
		TEST(too_many_are_not_compared_and_that_is_said),
		TEST(what_was_before_the_start_is_nobodys),
		TEST(where_bpf_tells_early_what_it_alone_saw_is_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
