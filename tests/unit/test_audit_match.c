/* SPDX-License-Identifier: Apache-2.0 */
/* test_audit_match.c: execs that audit tells against those of the kernel programs, with losses, late ones, crowds and clocks that are set. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../userspace/agent/audit_match.h"
#include "../fakes/scratch.h"

#define MS 1000000ull

struct bench {
	struct audit_match *m;
	struct proctab *proctab;
	struct clock clock;
	char proc[SCRATCH_SIZE];
	uint64_t now, apart;
	bool busy; /* more waits in the ring */
	uint32_t late; /* told while the ring is emptied */
	bool late_loss;
	uint32_t lines, emptied;
	uint64_t uncompared;
	char found[2048], state[128];
};

static uint64_t boot_of(void *ctx)
{
	return ((struct bench *)ctx)->now;
}

static uint64_t utc_of(void *ctx)
{
	return ((struct bench *)ctx)->now + ((struct bench *)ctx)->apart;
}

static void on_line(void *ctx, const struct line *l)
{
	struct bench *b = ctx;

	assert_string_equal(l->key, "sensor:audit_divergence");
	assert_string_equal(l->scope, "host");
	assert_string_equal(l->src, "audit");
	b->lines++;
	snprintf(b->found, sizeof(b->found), "%s", l->found);
}

static void on_lost(void *ctx, const char *src, uint64_t n, const char *what)
{
	(void)src;
	(void)what;
	((struct bench *)ctx)->uncompared += n;
}

static bool on_empty(void *ctx)
{
	struct bench *b = ctx;

	b->emptied++;
	if (b->late)
		audit_match_bpf(b->m, b->late, b->now);
	b->late = 0;
	if (b->late_loss)
		audit_match_lost(b->m);
	b->late_loss = false;
	return !b->busy;
}

static void on_state(void *ctx, bool compared, const char *why)
{
	snprintf(((struct bench *)ctx)->state, sizeof(((struct bench *)ctx)->state), "%s",
		 compared ? "compared" : why);
}

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	const struct measure_sink sink = {b, on_line, NULL, on_lost};
	struct audit_match_options o = {.clock = &b->clock,
					.proc = b->proc,
					.empty = on_empty,
					.state = on_state,
					.ctx = b};

	assert_non_null(b);
	b->clock = (struct clock){.utc_ns = utc_of, .boot_ns = boot_of, .ctx = b};
	b->now = 100000 * MS;
	b->apart = 1700000000000 * MS;
	scratch_open(b->proc, "audit_match");
	assert_int_equal(proctab_open(0, NULL, &b->proctab), 0);
	o.proctab = b->proctab;
	assert_int_equal(audit_match_open(&o, &sink, &b->m), 0);
	assert_non_null(strstr(b->state, "no rule"));
	audit_match_exec(b->m, 1, b->now + b->apart);
	assert_non_null(strstr(b->state, "the kernel programs"));
	audit_match_bpf(b->m, 1, b->now);
	b->now += 1000 * MS;
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;

	audit_match_free(b->m);
	proctab_free(b->proctab);
	scratch_done(b->proc);
	free(b);
	return 0;
}

static void bpf(struct bench *b, uint32_t pid)
{
	audit_match_bpf(b->m, pid, b->now);
}

/* As the kernel stamps it: up to a tick of its timer too early. */
static void audit(struct bench *b, uint32_t pid)
{
	audit_match_exec(b->m, pid, b->now + b->apart - 4 * MS);
}

static void pass_ms(struct bench *b, uint32_t ms)
{
	for (uint32_t i = 0; i < ms; i += 250) {
		b->now += 250 * MS;
		audit_match_tick(b->m);
	}
}

static void what_both_tell_is_silent(void **state)
{
	struct bench *b = *state;

	for (uint32_t i = 0; i < 40000; i++) {
		uint32_t pid = i % 5000 + 2;

		if (i & 1)
			bpf(b, pid);
		audit(b, pid);
		if (!(i & 1))
			bpf(b, pid);
		b->now += i % 50 == 0 ? MS : 0;
		if (i % 1000 == 0)
			audit_match_tick(b->m);
	}
	/* The programs alone saw these: no rule asked for them. */
	for (uint32_t i = 0; i < 3000; i++)
		bpf(b, 20000 + i % 7);
	pass_ms(b, 5000);
	assert_int_equal(b->lines, 0);
	assert_int_equal(b->uncompared, 0);
	assert_string_equal(b->state, "compared");
}

static void one_that_audit_alone_saw_is_told_after_a_second(void **state)
{
	struct bench *b = *state;

	audit(b, 4711);
	pass_ms(b, 750);
	assert_int_equal(b->lines, 0);
	pass_ms(b, 500);
	assert_int_equal(b->lines, 1);
	assert_string_equal(b->found, "only audit saw 1: pid 4711 (gone)");
	pass_ms(b, 9000);
	assert_int_equal(b->lines, 1);
	pass_ms(b, 1500);
	assert_int_equal(b->lines, 2);
	assert_string_equal(b->found, "absent");
	pass_ms(b, 30000);
	assert_int_equal(b->lines, 2);
}

static void a_crowd_is_one_line_a_second(void **state)
{
	struct bench *b = *state;

	for (uint32_t i = 0; i < 10; i++)
		audit(b, 100 + i);
	pass_ms(b, 1250);
	assert_string_equal(b->found,
			    "only audit saw 10: pid 100 (gone), pid 101 (gone), pid 102 (gone)");
	for (uint32_t i = 0; i < 40; i++) {
		audit(b, 200 + i);
		pass_ms(b, 250);
	}
	assert_in_range(b->lines, 8, 12);
}

/* A process may run several programs: one that was seen long before explains nothing, and one explains one. */
static void each_exec_needs_its_own(void **state)
{
	struct bench *b = *state;

	bpf(b, 5);
	b->now += 100 * MS;
	audit(b, 5);
	pass_ms(b, 1500);
	assert_int_equal(b->lines, 1);
	bpf(b, 6);
	audit(b, 6);
	audit(b, 6);
	pass_ms(b, 1500);
	assert_int_equal(b->lines, 2);
	assert_string_equal(b->found, "only audit saw 1: pid 6 (gone)");
	/* Of two the earlier is for the earlier: otherwise the second would find none. */
	bpf(b, 7);
	b->now += 60 * MS;
	bpf(b, 7);
	audit_match_exec(b->m, 7, b->now + b->apart - 61 * MS);
	audit(b, 7);
	pass_ms(b, 1500);
	assert_int_equal(b->lines, 2);
}

static void a_ring_that_is_behind_is_emptied_first(void **state)
{
	struct bench *b = *state;

	b->busy = true;
	audit(b, 5);
	pass_ms(b, 20000);
	assert_int_equal(b->lines, 0);
	b->busy = false;
	b->late = 5;
	pass_ms(b, 3000);
	assert_int_equal(b->late, 0);
	assert_int_equal(b->lines, 0);
	/* One whose time is over takes no younger one with him. */
	audit(b, 8);
	pass_ms(b, 750);
	audit(b, 9);
	pass_ms(b, 250);
	assert_string_equal(b->found, "only audit saw 1: pid 8 (gone)");
	bpf(b, 9);
	pass_ms(b, 9000);
	assert_int_equal(b->lines, 1);
	/* And only then: emptying it costs something. */
	b->emptied = 0;
	bpf(b, 6);
	audit(b, 6);
	pass_ms(b, 3000);
	assert_int_equal(b->emptied, 0);
}

static void a_loss_explains_what_is_missing(void **state)
{
	struct bench *b = *state;

	audit(b, 5);
	audit_match_lost(b->m);
	audit(b, 6);
	pass_ms(b, 5000);
	assert_int_equal(b->lines, 0);
	/* Told only while the ring is emptied. */
	audit(b, 8);
	b->now += 1000 * MS;
	b->late_loss = true;
	audit_match_tick(b->m);
	pass_ms(b, 5000);
	assert_int_equal(b->lines, 0);
	/* And once more while it is emptied after the first one: then that one is not over. */
	audit_match_lost(b->m);
	b->late_loss = true;
	b->now += 250 * MS;
	audit_match_tick(b->m);
	b->now += 100 * MS;
	audit(b, 9);
	pass_ms(b, 5000);
	assert_int_equal(b->lines, 0);
	/* What was done before that, and comes late. */
	audit_match_exec(b->m, 10, b->now + b->apart - 5500 * MS);
	pass_ms(b, 5000);
	assert_int_equal(b->lines, 0);
	audit(b, 11);
	pass_ms(b, 1500);
	assert_int_equal(b->lines, 1);
}

static void what_was_before_the_start_is_nobodys(void **state)
{
	struct bench *b = *state;

	audit_match_exec(b->m, 3, 100000 * MS + b->apart - 1);
	audit_match_exec(b->m, 3, 100040 * MS + b->apart);
	audit_match_exec(b->m, 4, 12 * MS);
	pass_ms(b, 5000);
	assert_int_equal(b->lines, 0);
	audit_match_exec(b->m, 3, 100200 * MS + b->apart);
	pass_ms(b, 5000);
	assert_int_equal(b->lines, 1);
}

/* Records that were written before the clock was set, and come ten seconds late. */
static void a_clock_that_is_set_cries_no_wolf(void **state)
{
	static const int64_t steps[] = {5000, -5000, 3600000, -3600000, -70, 70};
	struct bench *b = *state;

	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
		uint64_t stamp = b->now + b->apart;

		bpf(b, 50);
		b->now += 9000 * MS;
		b->apart += (uint64_t)steps[i] * MS;
		b->now += 1000 * MS;
		audit_match_exec(b->m, 50, stamp);
		bpf(b, 51);
		audit(b, 51);
		pass_ms(b, 5000);
		assert_int_equal(b->lines, 0);
		pass_ms(b, 300000);
	}
	/* There and back, with a minute of records between, and in a moment that nobody saw. */
	pass_ms(b, 61000);
	b->apart += 30000 * MS;
	pass_ms(b, 250);
	bpf(b, 53);
	audit_match_exec(b->m, 54, b->now + b->apart + 3600000 * MS);
	b->apart -= 30000 * MS;
	pass_ms(b, 40000);
	audit_match_exec(b->m, 53, b->now + b->apart - 10000 * MS);
	pass_ms(b, 5000);
	assert_int_equal(b->lines, 0);
	pass_ms(b, 300000);
	/* And all is as before. */
	audit(b, 52);
	pass_ms(b, 1500);
	assert_int_equal(b->lines, 1);
}

/* A minute in which nobody looked, and the clock was set back in it. */
static void nor_when_the_agent_was_held_up_meanwhile(void **state)
{
	struct bench *b = *state;
	uint64_t stamp;

	pass_ms(b, 70000);
	bpf(b, 60);
	stamp = b->now + b->apart;
	b->now += 200000 * MS;
	b->apart -= 30000 * MS;
	audit_match_exec(b->m, 60, stamp);
	pass_ms(b, 5000);
	assert_int_equal(b->lines, 0);
}

static void too_many_are_not_compared_and_that_is_said(void **state)
{
	struct bench *b = *state;
	uint64_t stamp;

	/* More of the programs' between a call and its record than are remembered. */
	b->now += 1000 * MS;
	stamp = b->now + b->apart;
	bpf(b, 5);
	for (uint32_t i = 0; i < AUDIT_MATCH_SEEN; i++) {
		b->now += MS / 8;
		bpf(b, 100 + i % 900);
	}
	audit_match_exec(b->m, 5, stamp);
	pass_ms(b, 5000);
	assert_int_equal(b->lines, 0);
	assert_int_equal(b->uncompared, 1);
	/* More that wait than there is room for. */
	b->busy = true;
	for (uint32_t i = 0; i <= AUDIT_MATCH_WAIT; i++)
		audit(b, 100000 + i);
	b->busy = false;
	pass_ms(b, 5000);
	assert_int_equal(b->lines, 0);
	assert_int_equal(b->uncompared, 1 + AUDIT_MATCH_WAIT + 1);
	audit(b, 7);
	pass_ms(b, 1500);
	assert_int_equal(b->lines, 1);
}

static void it_is_said_whether_audit_tells_of_execs(void **state)
{
	struct bench *b = *state;

	bpf(b, 5);
	audit(b, 5);
	assert_string_equal(b->state, "compared");
	/* Nobody ran anything. */
	pass_ms(b, 2 * AUDIT_MATCH_SILENT_MS);
	assert_string_equal(b->state, "compared");
	bpf(b, 6);
	pass_ms(b, 250);
	assert_non_null(strstr(b->state, "for an hour"));
	bpf(b, 7);
	audit(b, 7);
	assert_string_equal(b->state, "compared");
	assert_int_equal(b->lines, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_both_tell_is_silent),
		TEST(one_that_audit_alone_saw_is_told_after_a_second),
		TEST(a_crowd_is_one_line_a_second),
		TEST(each_exec_needs_its_own),
		TEST(a_ring_that_is_behind_is_emptied_first),
		TEST(a_loss_explains_what_is_missing),
		TEST(what_was_before_the_start_is_nobodys),
		TEST(a_clock_that_is_set_cries_no_wolf),
		TEST(nor_when_the_agent_was_held_up_meanwhile),
		TEST(too_many_are_not_compared_and_that_is_said),
		TEST(it_is_said_whether_audit_tells_of_execs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
