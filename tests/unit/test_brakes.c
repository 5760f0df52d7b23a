/* SPDX-License-Identifier: Apache-2.0 */
/* The brakes, as a table: who may be contained beside whom. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "brakes.h"
#include "cleanup.h"

#define MAX 32

/*
 * Nodes as words: 'w' a worker, 'c' a Ready one of the control plane, 'x' one that is not Ready; capital: contained; then its zone, a digit,
 * or '-'. The first is the candidate.
 */
static const struct row {
	const char *nodes;
	uint32_t percent;
	enum brakes_why want;
} rows[] = {
	{"w-", 10, BRAKES_OPEN}, /* one alone: one is always allowed */
	{"w- w-", 10, BRAKES_OPEN},
	{"w- W-", 10, BRAKES_SHARE},
	{"w- W-", 50, BRAKES_SHARE}, /* 50 % of two is one */
	{"w- W- w- w-", 50, BRAKES_OPEN},
	{"w- W- W- w-", 50, BRAKES_SHARE},
	{"w- w- w- w- w- w- w- w- w- w-", 10, BRAKES_OPEN},
	{"w- W- w- w- w- w- w- w- w- w-", 10, BRAKES_SHARE},
	{"w- W- w- w- w- w- w- w- w- w-", 20, BRAKES_OPEN},
	{"w- W- w- w- w- w- w- w- w- w- w- w- w- w- w- w- w- w- w-", 10,
	 BRAKES_SHARE}, /* 10 % of 19 is one */
	{"w- W- w- w- w- w- w- w- w- w- w- w- w- w- w- w- w- w- w- w-", 10, BRAKES_OPEN},
	{"w- w-", 0, BRAKES_OPEN},
	{"w- W-", 0, BRAKES_SHARE},
	{"c- w- w-", 100, BRAKES_CONTROL_PLANE},
	{"c- c- w-", 100, BRAKES_OPEN},
	{"c- C- w-", 100, BRAKES_CONTROL_PLANE},
	{"c- x- w-", 100, BRAKES_CONTROL_PLANE},
	{"x- w- w-", 100, BRAKES_OPEN}, /* it does nothing for anybody already */
	{"w- c-", 100, BRAKES_OPEN},
	{"w1 w1 w2", 100, BRAKES_OPEN},
	{"w1 W1 w2", 100, BRAKES_ZONE},
	{"w1 W1 w1 w2", 100, BRAKES_OPEN},
	{"w1 w2 w2", 100, BRAKES_OPEN}, /* a zone of one is none */
	{"w- W- w2", 100, BRAKES_OPEN}, /* no zone is none either */
	{"w1 W2 w2", 100, BRAKES_OPEN},
};

static uint32_t parse(const char *text, struct brakes_node *ret, char zones[MAX][2])
{
	uint32_t n = 0;

	for (const char *p = text; *p; p += p[2] ? 3 : 2, n++) {
		char kind = p[0];

		assert_true(n < MAX);
		zones[n][0] = p[1] == '-' ? 0 : p[1];
		zones[n][1] = 0;
		ret[n] = (struct brakes_node){.zone = zones[n],
					      .control_plane = strchr("cCxX", kind) != NULL,
					      .ready = strchr("xX", kind) == NULL,
					      .contained = kind < 'a'};
	}
	return n;
}

static void test_rows(void **state)
{
	struct brakes_node nodes[MAX];
	char zones[MAX][2];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct brakes_settings s = {.max_percent = rows[i].percent};
		uint32_t n = parse(rows[i].nodes, nodes, zones);
		enum brakes_why why = brakes_judge(&s, nodes, n, 0);

		if (why != rows[i].want)
			fail_msg("%s at %u %%: \"%s\"", rows[i].nodes, rows[i].percent,
				 brakes_name(why));
		/* Whatever else holds, a person's stop does. */
		s.paused = true;
		assert_int_equal(brakes_judge(&s, nodes, n, 0), BRAKES_PAUSED);
		s.dry_run = true;
		assert_int_equal(brakes_judge(&s, nodes, n, 0), BRAKES_DRY_RUN);
	}
}

/* However many ask, in whatever order: never more than the limit at once, and never a zone or the control plane as a whole. */
static void test_never_more_than_the_limit(void **state)
{
	struct brakes_node nodes[MAX];
	static char zones[MAX][2];
	uint64_t seed = 1;

	(void)state;
	for (int round = 0; round < 2000; round++) {
		struct brakes_settings s = {.max_percent = (uint32_t)(round % 101)};
		uint32_t n = 1 + (uint32_t)round % MAX, contained = 0, control = 0, left = 0;

		for (uint32_t i = 0; i < n; i++) {
			seed = seed * 6364136223846793005ull + 1442695040888963407ull;
			zones[i][0] = (char)('0' + (seed >> 60) % 4);
			zones[i][1] = 0;
			nodes[i] = (struct brakes_node){.zone = zones[i],
							.control_plane = (seed >> 40) % 3 == 0,
							.ready = true};
			control += nodes[i].control_plane;
		}
		for (uint32_t i = 0; i < n; i++)
			nodes[i].contained = brakes_judge(&s, nodes, n, i) == BRAKES_OPEN;
		for (uint32_t i = 0; i < n; i++) {
			contained += nodes[i].contained;
			left += nodes[i].control_plane && !nodes[i].contained;
		}
		assert_true(contained <= brakes_limit(&s, n));
		assert_true(control == 0 || left > 0);
	}
}

static void test_lift(void **state)
{
	(void)state;
	assert_true(brakes_may_lift(0, 5, 60000));
	assert_false(brakes_may_lift(1000000000, 1000000000, 60000));
	assert_false(brakes_may_lift(1000000000, 60999999999, 60000));
	assert_true(brakes_may_lift(1000000000, 61000000000, 60000));
	assert_true(brakes_may_lift(1000000000, 5, 60000)); /* the clock was set back */
	assert_true(brakes_may_lift(1000000000, 1000000000, 0));
}

static void test_names(void **state)
{
	(void)state;
	for (int i = 0; i < BRAKES_N; i++) {
		assert_int_equal(brakes_from_name(brakes_name((enum brakes_why)i)), i);
		assert_true(i == 0 || brakes_text((enum brakes_why)i)[0]);
	}
	assert_int_equal(brakes_from_name("nonsense"), BRAKES_OPEN);
	assert_string_equal(brakes_name((enum brakes_why)99), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_never_more_than_the_limit),
		cmocka_unit_test(test_lift),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests_name("brakes", tests, NULL, NULL);
}
