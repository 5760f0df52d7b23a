/* SPDX-License-Identifier: Apache-2.0 */
/* What `contain undo` took back: it stays so while the same is found, and something else at the same place contains again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>

#include "node_fixture.h"

#define RULE NODE_FIXTURE_RULE
#define EXECS(mode) RULE("E", "{\"type\":\"exec\"}", mode, "ack", "0")

struct place {
	struct verifier_fixture v;
	struct node_fixture n;
	struct store_node row;
	struct cases c;
	struct cases_sum sum;
};

static int set_up(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	verifier_fixture_open(&p->v);
	node_fixture_open(&p->n, &p->v, 1);
	p->row = verifier_fixture_node(&p->v, p->n.record.node);
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

/* from: the first line that is new. */
static void begin(struct place *p, bool provisional, bool bound, uint64_t from)
{
	p->c = (struct cases){.v = &p->v.v,
			      .policy = documents_policy(p->v.documents),
			      .node = &p->row,
			      .provisional = provisional,
			      .bound = bound,
			      .from = from,
			      .now_ns = p->v.utc_ns++};
	assert_int_equal(p->v.ops.begin(p->v.store.ctx), 0);
}

static void end(struct place *p)
{
	assert_int_equal(cases_flood(&p->c), 0);
	assert_int_equal(cases_sum(&p->c, true, &p->sum), 0);
	assert_int_equal(p->v.ops.commit(p->v.store.ctx), 0);
	cases_done(&p->c);
}

static void drift(struct place *p, uint64_t seq, const char *key, const char *found)
{
	const struct appraise_drift_item i = {
		.seq = seq,
		.utc_ns = p->v.utc_ns,
		.type = PLUMB_TYPE_EXEC,
		.judgement = PLUMB_JUDGE_DRIFT,
		.scope = "host",
		.key = key,
		.expected = "one",
		.found = found,
	};

	assert_int_equal(cases_item(&p->c, &i), 0);
}

static bool is_open(struct place *p, const char *key)
{
	return node_fixture_is_open(&p->n, key);
}

static uint32_t n_open(struct place *p)
{
	return verifier_fixture_cases(&p->v, p->row.id, NULL, NULL);
}

static void rejudge(struct place *p, uint64_t version, const char *rules)
{
	verifier_fixture_rules(&p->v, version, rules);
	begin(p, false, true, 0);
	end(p);
}

/* As `contain undo` does. */
static void undo(struct place *p, uint64_t id)
{
	struct store_case *k = malloc(sizeof(*k));

	assert_non_null(k);
	assert_int_equal(p->v.ops.begin(p->v.store.ctx), 0);
	assert_int_equal(p->v.ops.case_get(p->v.store.ctx, id, k), 0);
	k->armed = false;
	snprintf(k->ack_by, sizeof(k->ack_by), "alice");
	assert_int_equal(p->v.ops.case_put(p->v.store.ctx, k), 0);
	assert_int_equal(p->v.ops.commit(p->v.store.ctx), 0);
	free(k);
}

static void undo_key(struct place *p, const char *key)
{
	undo(p, node_fixture_case(&p->n, key)->id);
}

/* What was undone contains nobody any more; what else comes to the same place does, is told, and is held until a quote has it. */
static void test_undone(void **state)
{
	struct place *p = *state;

	verifier_fixture_rules(&p->v, 1, "[" EXECS("armed") "]");
	begin(p, false, true, 1);
	drift(p, 1, "exec:/x", "A");
	end(p);
	assert_int_equal(p->sum.verdict.action, PLUMB_ACTION_HOLD);
	undo_key(p, "exec:/x");
	begin(p, false, true, 2);
	drift(p, 2, "exec:/x", "A");
	end(p);
	assert_int_equal(p->sum.verdict.action, PLUMB_ACTION_REPORT);
	rejudge(p, 2, "[" EXECS("report") "]");
	rejudge(p, 3, "[" EXECS("armed") "]");
	assert_int_equal(p->sum.verdict.action, PLUMB_ACTION_REPORT);
	begin(p, true, true, 3);
	drift(p, 3, "exec:/x", "B");
	assert_int_equal(p->c.n_told, 1);
	assert_int_equal(cases_bound(&p->c, 4), 0);
	end(p);
	assert_true(is_open(p, "exec:/x"));
	assert_true(node_fixture_case(&p->n, "exec:/x")->provisional);
	assert_int_equal(p->sum.verdict.action, PLUMB_ACTION_HOLD);
	assert_int_equal(n_open(p), 1);
	begin(p, false, true, 4);
	assert_int_equal(cases_accepted(&p->c, &(struct cases_accepted){.from = 3, .size = 4}), 0);
	end(p);
	assert_false(node_fixture_case(&p->n, "exec:/x")->provisional);
	rejudge(p, 4, "[" EXECS("armed") "]");
	assert_int_equal(p->sum.verdict.action, PLUMB_ACTION_HOLD);
}

static void test_flood_undone(void **state)
{
	struct place *p = *state;
	uint64_t seq = 10;
	char key[64];

	verifier_fixture_rules(&p->v, 1, "[" EXECS("armed") "]");
	for (int round = 0; round < 2; round++) {
		begin(p, false, true, seq);
		for (unsigned int i = 0; i <= CASES_MAX_NEW; i++) {
			snprintf(key, sizeof(key), "exec:/%d/%u", round, i);
			drift(p, seq++, key, "A");
		}
		end(p);
		assert_true(node_fixture_case(&p->n, CASES_FLOOD_KEY)->armed);
		undo_key(p, CASES_FLOOD_KEY);
		assert_false(node_fixture_case(&p->n, CASES_FLOOD_KEY)->armed);
	}
}

/* Two cases of one key, by an actor's rule and by none, of which one was undone, or both: one that was not contains as before. */
static void join_undone(struct place *p, bool actors, bool strangers, enum plumb_action expected)
{
	const struct line_actor actor = {.known = true, .comm = "sh", .cgroup = "/test"};
	struct appraise_drift_item i = {.seq = 3,
					.type = PLUMB_TYPE_EXEC,
					.judgement = PLUMB_JUDGE_DRIFT,
					.scope = "host",
					.key = "exec:/x",
					.expected = "listed",
					.found = "B",
					.actor = &actor};
	uint64_t stranger;

	verifier_fixture_rules(
		&p->v, 1,
		"[" RULE("C", "{\"type\":\"exec\",\"cgroup\":\"/test\"}", "armed", "ack",
			 "0") "," RULE("E", "{\"type\":\"exec\"}", "armed", "ack", "0") "]");
	begin(p, false, true, 1);
	drift(p, 2, "exec:/x", "A");
	end(p);
	stranger = node_fixture_case(&p->n, "exec:/x")->id;
	begin(p, false, true, 3);
	assert_int_equal(cases_item(&p->c, &i), 0);
	end(p);
	assert_int_equal(n_open(p), 2);
	if (strangers)
		undo(p, stranger);
	if (actors)
		undo(p, stranger + 1);
	rejudge(p, 2, "[" EXECS("armed") "]");
	assert_int_equal(n_open(p), 1);
	assert_int_equal(p->sum.verdict.action, expected);
	begin(p, false, true, 4);
	drift(p, 4, "exec:/x", "B");
	end(p);
	assert_int_equal(p->sum.verdict.action, expected);
}

static void test_join_undone_stranger(void **state)
{
	join_undone(*state, false, true, PLUMB_ACTION_HOLD);
}

static void test_join_undone_actor(void **state)
{
	join_undone(*state, true, false, PLUMB_ACTION_HOLD);
}

static void test_join_both_undone(void **state)
{
	join_undone(*state, true, true, PLUMB_ACTION_REPORT);
}

static struct store_case one(enum plumb_finding f, uint64_t seq, const char *found,
			     bool provisional)
{
	struct store_case c = {.incarnation = 1,
			       .type = PLUMB_TYPE_FILE,
			       .finding = f,
			       .armed = true,
			       .provisional = provisional,
			       .first_seq = seq,
			       .last_seq = seq,
			       .count = 1,
			       .opened_ns = seq * 1000,
			       .last_ns = seq * 1000,
			       .opened_reset = (uint32_t)seq};

	snprintf(c.found, sizeof(c.found), "%s", found);
	return c;
}

static bool merged_stays_undone(struct store_case *c, struct store_case again)
{
	verdict_merge(c, &again);
	assert_int_equal(c->armed, !c->ack_by[0]);
	return !c->armed;
}

/* As if it were new: with a grace of its own, and no quote stands behind it yet. */
static void test_merge(void **state)
{
	struct store_case c = one(0, 40, "A", false);

	(void)state;
	snprintf(c.ack_by, sizeof(c.ack_by), "alice");
	assert_true(merged_stays_undone(&c, one(0, 41, "A", true)));
	/* A line that was counted tells nothing else. */
	assert_true(merged_stays_undone(&c, one(0, 41, "B", true)));
	assert_int_equal(c.first_seq, 40);
	assert_false(c.provisional);
	assert_false(merged_stays_undone(&c, one(0, 42, "B", true)));
	assert_true(c.provisional);
	assert_int_equal(c.first_seq, 42);
	assert_int_equal(c.opened_ns, 42000);
	assert_int_equal(c.opened_reset, 42);
	assert_int_equal(c.count, 3);
}

/* How far a clock is off, or for how long nothing was heard, is another text each time. What did not come to the registers is not. */
static void test_findings(void **state)
{
	struct store_case c = one(PLUMB_FINDING_CLOCK, 40, "61 s behind", false);

	(void)state;
	snprintf(c.ack_by, sizeof(c.ack_by), "alice");
	assert_true(merged_stays_undone(&c, one(PLUMB_FINDING_CLOCK, 41, "62 s behind", false)));
	c = one(PLUMB_FINDING_BOOT_MISMATCH, 40, "PCR 4", false);
	snprintf(c.ack_by, sizeof(c.ack_by), "alice");
	assert_false(merged_stays_undone(&c, one(PLUMB_FINDING_BOOT_MISMATCH, 41, "PCR 7", false)));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_merge),
		cmocka_unit_test(test_findings),
		TEST(undone),
		TEST(flood_undone),
		TEST(join_undone_stranger),
		TEST(join_undone_actor),
		TEST(join_both_undone),
	};

	return cmocka_run_group_tests_name("undone", tests, NULL, NULL);
}
