/* SPDX-License-Identifier: Apache-2.0 */
/* What guard records become: lines with outcome and operation, the same deed told once and counted, what an order allows under another word. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../userspace/agent/guard.h"

struct bench {
	char keys[64][128], founds[64][128], names[64][64], ops[64][16];
	bool kernel[64];
	uint32_t n;
	struct event_base *base;
	struct guard *g;
	struct guard_options o;
};

static uint64_t fake_boot;

static uint64_t now(void *ctx)
{
	(void)ctx;
	return fake_boot;
}

static const struct clock fake_clock = {now, now, NULL};

static void on_line(void *ctx, const struct line *l)
{
	struct bench *b = ctx;

	if (strncmp(l->key, "guard:", 6) != 0 && strncmp(l->key, "allowed:", 8) != 0 &&
	    strncmp(l->key, "sensor:", 7) != 0)
		return;
	assert_true(b->n < 64);
	assert_string_equal(l->scope, "host");
	snprintf(b->keys[b->n], sizeof(b->keys[0]), "%s", l->key);
	snprintf(b->founds[b->n], sizeof(b->founds[0]), "%s", l->found);
	snprintf(b->names[b->n], sizeof(b->names[0]), "%s", l->name ? l->name : "");
	snprintf(b->ops[b->n], sizeof(b->ops[0]), "%s", l->op ? l->op : "");
	b->kernel[b->n++] = l->has_kernel;
}

static void on_lost(void *ctx, const char *src, uint64_t n, const char *what)
{
	(void)ctx;
	(void)src;
	(void)n;
	(void)what;
}

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	const struct measure_sink sink = {b, on_line, NULL, on_lost};
	const struct scan_claims_options co = {.clock = &fake_clock};
	struct why why = {""};

	assert_non_null(b);
	fake_boot = 1000000000000ull;
	b->base = event_base_new();
	b->o = (struct guard_options){.clock = &fake_clock, .why_not = ""};
	assert_int_equal(proctab_open(0, NULL, &b->o.proctab), 0);
	assert_int_equal(scan_claims_open(b->base, &co, &sink, &b->o.claims, &why), 0);
	b->n = 0;
	assert_int_equal(guard_open(b->base, &b->o, &sink, &b->g), 0);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;

	guard_free(b->g);
	scan_claims_free(b->o.claims);
	proctab_free(b->o.proctab);
	event_base_free(b->base);
	free(b);
	return 0;
}

static void take(struct bench *b, uint16_t op, uint64_t object, uint16_t outcome, uint32_t pid)
{
	union event_record r = {
		.guard = {.event = {.kind = PLUMB_KIND_GUARD},
			  .task = {.pid = pid, .start_ns = 5, .mnt_ns = 77, .comm = "deed"},
			  .object = object,
			  .op = op,
			  .outcome = outcome}};

	if (op == PLUMB_GUARD_FILE) {
		r.guard.file_op = PLUMB_FILE_UNLINK;
		strcpy(r.guard.name, "anchors");
	}
	guard_take(b->g, &r);
}

static void run(struct bench *b)
{
	const struct timeval tv = {1, 200000};

	event_base_loopexit(b->base, &tv);
	event_base_dispatch(b->base);
}

static void deeds_are_lines(void **state)
{
	struct bench *b = *state;
	struct line_actor a;

	take(b, PLUMB_GUARD_KILL, 9, PLUMB_GUARD_DENIED, 10);
	assert_int_equal(proctab_actor(b->o.proctab, 10, 5, &a), 0); /* as the record says */
	take(b, PLUMB_GUARD_KILL, 15, PLUMB_GUARD_SEEN, 10);
	take(b, PLUMB_GUARD_KILL, 15, PLUMB_GUARD_ALLOWED, 10);
	take(b, PLUMB_GUARD_FILE, 0, PLUMB_GUARD_DENIED, 10);
	take(b, PLUMB_GUARD_MOVED, 77, PLUMB_GUARD_SEEN, 10);
	assert_int_equal(b->n, 5);
	assert_string_equal(b->keys[0], "guard:kill:KILL");
	assert_string_equal(b->founds[0], "denied");
	assert_true(b->kernel[0]);
	assert_string_equal(b->keys[1], "guard:kill:TERM");
	assert_string_equal(b->founds[1], "seen");
	assert_string_equal(b->keys[2], "allowed:kill:TERM");
	assert_string_equal(b->founds[2], "allowed");
	assert_string_equal(b->keys[3], "guard:file:anchors");
	assert_string_equal(b->ops[3], "delete");
	assert_string_equal(b->keys[4], "guard:moved");
	run(b); /* nothing can be marked without programs, and nothing is asked for */
	assert_int_equal(b->n, 5);
}

static void the_same_deed_is_counted(void **state)
{
	struct bench *b = *state;

	for (int i = 0; i < 1000; i++)
		take(b, PLUMB_GUARD_PTRACE, 2, PLUMB_GUARD_DENIED, 10);
	take(b, PLUMB_GUARD_PTRACE, 2, PLUMB_GUARD_DENIED, 11);
	assert_int_equal(b->n, 2);
	run(b);
	assert_int_equal(b->n, 2);
	fake_boot += 10000000000ull;
	run(b);
	assert_int_equal(b->n, 3);
	assert_string_equal(b->keys[2], "guard:ptrace");
	assert_string_equal(b->founds[2], "denied");
	assert_string_equal(b->names[2], "999 times more");
	/* A number stands once in a ledger. */
	assert_false(b->kernel[2]);
	take(b, PLUMB_GUARD_PTRACE, 2, PLUMB_GUARD_DENIED, 10);
	assert_int_equal(b->n, 4);
}

/* Nothing is lost when there are more deeds than can be remembered. */
static void many_deeds_are_all_told(void **state)
{
	struct bench *b = *state;

	for (uint32_t pid = 1; pid <= 40; pid++)
		take(b, PLUMB_GUARD_NICE, 0, PLUMB_GUARD_SEEN, pid);
	assert_int_equal(b->n, 40);
}

static void without_programs_it_says_so(void **state)
{
	struct bench *b = *state;

	guard_start(b->g);
	assert_int_equal(b->n, 2);
	assert_string_equal(b->keys[0], "sensor:guard");
	assert_string_equal(b->founds[0], "absent no LSM program for it");
	assert_string_equal(b->keys[1], "sensor:protect");
	assert_string_equal(b->founds[1], "observe");
	guard_open_door(b->g, 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(deeds_are_lines, setup, teardown),
		cmocka_unit_test_setup_teardown(the_same_deed_is_counted, setup, teardown),
		cmocka_unit_test_setup_teardown(many_deeds_are_all_told, setup, teardown),
		cmocka_unit_test_setup_teardown(without_programs_it_says_so, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
