/* SPDX-License-Identifier: Apache-2.0 */
/* Thousands of open cases whose keys begin alike: a line that is good again asks for the row that it may settle, and for no other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <stdlib.h>

#include "node_fixture.h"

#define N 200
#define RULE(id, when, release) NODE_FIXTURE_RULE(id, when, "report", release, "0")

struct place {
	struct verifier_fixture v;
	struct node_fixture n;
	struct store_node row;
	struct cases c;
	unsigned int room; /* of what all keys begin with */
	const char *found; /* of what is not good */
	uint64_t seq;
};

static int (*real_get)(void *ctx, uint64_t id, struct store_case *ret);
static unsigned int n_read;

static int count_get(void *ctx, uint64_t id, struct store_case *ret)
{
	n_read++;
	return real_get(ctx, id, ret);
}

static int set_up(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	verifier_fixture_open(&p->v);
	node_fixture_open(&p->n, &p->v, 1);
	p->row = verifier_fixture_node(&p->v, p->n.record.node);
	verifier_fixture_rules(&p->v, 1,
			       "[" RULE("G", "{\"found\":\"three\"}", "ack") "," //
			       RULE("F", "{\"key\":{\"prefix\":\"file:\"}}", "claim") "]");
	p->found = "two";
	real_get = p->v.ops.case_get;
	p->v.ops.case_get = count_get;
	*state = p;
	return 0;
}

static int tear_down(void **state)
{
	struct place *p = *state;

	cases_done(&p->c);
	store_node_done(&p->row);
	node_fixture_done(&p->n);
	verifier_fixture_done(&p->v);
	free(p);
	return 0;
}

static void begin(struct place *p)
{
	p->c = (struct cases){.v = &p->v.v,
			      .policy = documents_policy(p->v.documents),
			      .node = &p->row,
			      .bound = true,
			      .now_ns = p->v.utc_ns++};
	assert_int_equal(p->v.ops.begin(p->v.store.ctx), 0);
}

static void end(struct place *p)
{
	assert_int_equal(p->v.ops.commit(p->v.store.ctx), 0);
	cases_done(&p->c);
}

/* How many rows it read. */
static unsigned int line(struct place *p, const char *scope, unsigned int n, bool good)
{
	char key[8192];
	const struct appraise_drift_item i = {
		.seq = ++p->seq,
		.utc_ns = p->v.utc_ns,
		.type = PLUMB_TYPE_FILE,
		.judgement = good ? PLUMB_JUDGE_OK : PLUMB_JUDGE_DRIFT,
		.scope = scope,
		.key = key,
		.expected = "one",
		.found = good ? "one" : p->found,
	};
	unsigned int before = n_read;

	memset(key, 'x', p->room);
	memcpy(key, "file:/", 6);
	snprintf(key + p->room, sizeof(key) - p->room, "%u", n);
	assert_int_equal(cases_item(&p->c, &i), 0);
	return n_read - before;
}

static uint32_t n_open(struct place *p)
{
	return verifier_fixture_cases(&p->v, p->row.id, NULL, NULL);
}

static void check_reads(struct place *p, unsigned int room)
{
	uint32_t were = n_open(p);

	p->room = room;
	begin(p);
	/* In no order, as they are found. */
	for (unsigned int i = 0; i < N; i++)
		line(p, "host", i * 7 % N, false);
	end(p);
	assert_int_equal(n_open(p), were + N);
	begin(p);
	/* None of them; one of them elsewhere; and one whose row was opened after they were read. */
	assert_int_equal(line(p, "host", N, true), 0);
	assert_int_equal(line(p, "image:x", 7, true), 0);
	assert_int_equal(line(p, "host", N + 1, false), 0);
	assert_int_equal(line(p, "host", N + 1, true), 1);
	for (unsigned int i = 0; i < N; i += 2)
		assert_int_equal(line(p, "host", i, true), 1);
	end(p);
	assert_int_equal(n_open(p), were + N / 2);
	/* What a scan finds again of nobody asks no more. */
	begin(p);
	assert_int_equal(line(p, "image:x", 7, false), 0);
	assert_int_equal(line(p, "image:x", 7, true), 1);
	for (unsigned int i = 1; i < N; i += 2)
		assert_int_equal(line(p, "host", i, true), 1);
	end(p);
	assert_int_equal(n_open(p), were);
}

static void test_reads(void **state)
{
	check_reads(*state, 80);
}

/* Their rows have the beginning and a digest. */
static void test_reads_of_what_is_cut(void **state)
{
	check_reads(*state, 5000);
}

/* Two rules answer for one key: both are asked, and a case that a person must close stays. */
static void test_two_rules(void **state)
{
	struct place *p = *state;

	p->room = 80;
	begin(p);
	line(p, "host", 1, false);
	line(p, "host", 2, false);
	p->found = "three";
	line(p, "host", 1, false);
	end(p);
	assert_int_equal(n_open(p), 3);
	begin(p);
	assert_int_equal(line(p, "host", 1, true), 2);
	end(p);
	assert_int_equal(n_open(p), 2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(reads),
		TEST(reads_of_what_is_cut),
		TEST(two_rules),
	};

	return cmocka_run_group_tests_name("cases_many", tests, NULL, NULL);
}
