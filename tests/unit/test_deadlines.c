/* SPDX-License-Identifier: Apache-2.0 */
/* The clock's part: who is called silent and when, also when it was the verifier that was away, or UTC that jumped. */
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
#include "order.h"
#include "order_desk.h"

#define RULE NODE_FIXTURE_RULE
#define FILES "{\"key\":{\"prefix\":\"file:\"}}"
#define YEAR (365ll * 86400)

struct place {
	struct verifier_fixture v;
	struct node_fixture n;
};

static int set_up(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	verifier_fixture_open(&p->v);
	node_fixture_open(&p->n, &p->v, 1);
	node_fixture_baseline(&p->n);
	assert_int_equal(node_fixture_evidence(&p->n), PLUMB_RESULT_ACCEPTED);
	assert_string_equal(node_fixture_shown(&p->n), "trusted");
	*state = p;
	return 0;
}

static int tear_down(void **state)
{
	struct place *p = *state;

	node_fixture_done(&p->n);
	verifier_fixture_done(&p->v);
	free(p);
	return 0;
}

static void is(struct place *p, const char *shown)
{
	assert_string_equal(node_fixture_shown(&p->n), shown);
}

/* The silence is a case, and no more than a case of its own time: what ends it is evidence. */
static void test_silent(void **state)
{
	struct place *p = *state;

	verifier_fixture_pass(&p->v, 180000);
	is(p, "trusted");
	verifier_fixture_pass(&p->v, 1000);
	is(p, "silent");
	assert_true(node_fixture_is_open(&p->n, "finding:silent"));
	assert_int_equal(verifier_fixture_log(&p->v, "\"to\":\"silent\""), 1);
	verifier_fixture_pass(&p->v, 600000);
	assert_int_equal(verifier_fixture_log(&p->v, "\"to\":\"silent\""), 1);
	assert_int_equal(node_fixture_evidence(&p->n), PLUMB_RESULT_ACCEPTED);
	assert_false(node_fixture_is_open(&p->n, "finding:silent"));
	is(p, "trusted");
	verifier_fixture_pass(&p->v, 181000);
	is(p, "silent");
}

/* The rule decides: one that asks for a person keeps the case. */
static void test_silent_by_rule(void **state)
{
	struct place *p = *state;

	verifier_fixture_rules(&p->v, 1,
			       "[" RULE("S", "{\"finding\":\"silent\"}", "armed", "ack", "0") "]");
	verifier_fixture_pass(&p->v, 181000);
	is(p, "silent");
	assert_int_equal(node_fixture_evidence(&p->n), PLUMB_RESULT_ACCEPTED);
	assert_true(node_fixture_is_open(&p->n, "finding:silent"));
	is(p, "held");
}

static void test_killed(void **state)
{
	struct place *p = *state;

	verifier_fixture_rules(
		&p->v, 1,
		"[" RULE("S", "{\"finding\":\"silent\"}", "armed", "claim",
			 "0") "," RULE("G", "{\"finding\":\"gap\"}", "report", "ack", "0") "]");
	verifier_fixture_pass(&p->v, 181000);
	node_fixture_restart(&p->n);
	assert_int_equal(node_fixture_evidence(&p->n), PLUMB_RESULT_ACCEPTED);
	assert_false(node_fixture_is_open(&p->n, "finding:silent"));
	assert_true(node_fixture_is_open(&p->n, "finding:gap"));
	/* Report holds nobody; that it was away is still not good. */
	is(p, "degraded");
}

/* One announcement is for one stop, also when it did not end in order: a machine that was cut off and is back is missed as ever. */
static void test_announced_and_cut_off(void **state)
{
	struct place *p = *state;
	struct store_node row = verifier_fixture_node(&p->v, p->n.record.node);
	const struct order o = {.kind = ORDER_RESTART, .life_ms = 3600000};

	assert_int_equal(p->v.ops.begin(p->v.store.ctx), 0);
	assert_int_equal(order_desk_give(&p->v.v, &row, &o, NULL), 0);
	assert_int_equal(p->v.ops.node_put(p->v.store.ctx, &row), 0);
	assert_int_equal(p->v.ops.commit(p->v.store.ctx), 0);
	store_node_done(&row);
	verifier_fixture_pass(&p->v, 181000);
	is(p, "leaving");
	node_fixture_reboot(&p->n);
	assert_int_equal(node_fixture_evidence(&p->n), PLUMB_RESULT_ACCEPTED);
	verifier_fixture_pass(&p->v, 181000);
	is(p, "silent");
}

/* It was the verifier that was away: nobody is silent for that, and who does not come back is so in time. */
static void test_verifier_away(void **state)
{
	struct place *p = *state;

	verifier_fixture_stop(&p->v);
	p->v.utc_ns += 3600 * VERIFIER_FIXTURE_S;
	p->v.boot_ns += 3600 * VERIFIER_FIXTURE_S;
	verifier_fixture_start(&p->v);
	verifier_fixture_pass(&p->v, 180000);
	is(p, "trusted");
	verifier_fixture_pass(&p->v, 1000);
	is(p, "silent");
	/* One that was silent before stays so. */
	verifier_fixture_stop(&p->v);
	p->v.utc_ns += 3600 * VERIFIER_FIXTURE_S;
	verifier_fixture_start(&p->v);
	is(p, "silent");
	verifier_fixture_pass(&p->v, 1000);
	is(p, "silent");
}

/* A machine that sleeps is away, too, whether evidence or the clock is the first to come after it. */
static void test_asleep(void **state)
{
	struct place *p = *state;

	for (int i = 0; i < 2; i++) {
		verifier_fixture_pass(&p->v, 100000);
		p->v.utc_ns += 3600 * VERIFIER_FIXTURE_S;
		p->v.boot_ns += 3600 * VERIFIER_FIXTURE_S;
		if (i == 1)
			assert_int_equal(node_fixture_evidence(&p->n), PLUMB_RESULT_ACCEPTED);
		verifier_fixture_pass(&p->v, 179000);
		is(p, "trusted");
		verifier_fixture_pass(&p->v, 3000);
		is(p, "silent");
		assert_int_equal(node_fixture_evidence(&p->n), PLUMB_RESULT_ACCEPTED);
	}
	/* One that is only slow is not. */
	for (int i = 0; i < 4; i++) {
		is(p, "trusted");
		p->v.utc_ns += 50 * VERIFIER_FIXTURE_S;
		p->v.boot_ns += 50 * VERIFIER_FIXTURE_S;
		verifier_fixture_pass(&p->v, 1);
	}
	is(p, "silent");
}

static void test_away_and_clock_went_back(void **state)
{
	struct place *p = *state;

	verifier_fixture_stop(&p->v);
	verifier_fixture_jump(&p->v, -YEAR);
	verifier_fixture_start(&p->v);
	verifier_fixture_pass(&p->v, 180000);
	is(p, "trusted");
	verifier_fixture_pass(&p->v, 1000);
	is(p, "silent");
}

static void jump(struct place *p, int64_t s)
{
	verifier_fixture_pass(&p->v, 100000);
	verifier_fixture_jump(&p->v, s);
	verifier_fixture_pass(&p->v, 80000);
	is(p, "trusted");
	verifier_fixture_pass(&p->v, 1000);
	is(p, "silent");
	assert_int_equal(node_fixture_evidence(&p->n), PLUMB_RESULT_ACCEPTED);
	is(p, "trusted");
	/* Evidence is the first to notice it. */
	verifier_fixture_jump(&p->v, -s);
	assert_int_equal(node_fixture_evidence(&p->n), PLUMB_RESULT_ACCEPTED);
	verifier_fixture_pass(&p->v, 180000);
	is(p, "trusted");
	verifier_fixture_pass(&p->v, 1000);
	is(p, "silent");
}

static void test_jump_forward(void **state)
{
	jump(*state, YEAR);
}

static void test_jump_back(void **state)
{
	jump(*state, -YEAR);
}

static void test_leaving(void **state)
{
	struct place *p = *state;

	p->n.leaving = true;
	assert_int_equal(node_fixture_evidence(&p->n), PLUMB_RESULT_ACCEPTED);
	is(p, "leaving");
	verifier_fixture_pass(&p->v, 300000);
	is(p, "leaving");
	verifier_fixture_stop(&p->v);
	verifier_fixture_start(&p->v);
	verifier_fixture_pass(&p->v, 300000);
	is(p, "leaving");
	assert_false(node_fixture_is_open(&p->n, "finding:silent"));
	verifier_fixture_pass(&p->v, 1000);
	is(p, "silent");
}

static void announce(struct place *p, uint64_t ms)
{
	const struct order o = {.kind = ORDER_RESTART, .life_ms = ms, .reason = "spot end"};
	struct store_node n = verifier_fixture_node(&p->v, p->n.record.node);

	assert_int_equal(p->v.ops.begin(p->v.store.ctx), 0);
	assert_int_equal(order_desk_give(&p->v.v, &n, &o, NULL), 0);
	assert_int_equal(p->v.ops.node_put(p->v.store.ctx, &n), 0);
	assert_int_equal(p->v.ops.commit(p->v.store.ctx), 0);
	store_node_done(&n);
}

/* The word of an operator is enough: the node itself may not have had the time. Within the bound nothing is raised, behind it it is missed. */
static void test_announced_by_an_operator(void **state)
{
	struct place *p = *state;

	announce(p, 600000);
	verifier_fixture_pass(&p->v, 180000);
	is(p, "trusted");
	verifier_fixture_pass(&p->v, 1000);
	is(p, "leaving");
	assert_int_equal(verifier_fixture_log(&p->v, "an operator announced that it leaves"), 1);
	verifier_fixture_pass(&p->v, 419000);
	is(p, "leaving");
	assert_false(node_fixture_is_open(&p->n, "finding:silent"));
	verifier_fixture_pass(&p->v, 1000);
	is(p, "silent");
	/* Back, and what was announced is over: the next silence is one. */
	assert_int_equal(node_fixture_evidence(&p->n), PLUMB_RESULT_ACCEPTED);
	verifier_fixture_pass(&p->v, 181000);
	is(p, "silent");
	/* One that ends before the deadline excuses nothing. */
	assert_int_equal(node_fixture_evidence(&p->n), PLUMB_RESULT_ACCEPTED);
	announce(p, 60000);
	verifier_fixture_pass(&p->v, 181000);
	is(p, "silent");
}

/* It stopped in order and came back: what was announced has happened. Who is missed after that is missed, within the window too. */
static void test_announced_once(void **state)
{
	struct place *p = *state;

	announce(p, 600000);
	node_fixture_record(&p->n, "start", "\"agent\":\"0.1.0\"");
	node_fixture_record(&p->n, "gap",
			    "\"from\":\"2026-11-24T00:00:00.000000000Z\",\"stopped\":true");
	assert_int_equal(node_fixture_evidence(&p->n), PLUMB_RESULT_ACCEPTED);
	assert_false(node_fixture_is_open(&p->n, "finding:gap"));
	verifier_fixture_pass(&p->v, 181000);
	is(p, "silent");
	/* Another word is for another stop. */
	assert_int_equal(node_fixture_evidence(&p->n), PLUMB_RESULT_ACCEPTED);
	announce(p, 600000);
	verifier_fixture_pass(&p->v, 181000);
	is(p, "leaving");
}

static void test_never_came(void **state)
{
	struct place *p = *state;
	struct node_fixture other;

	node_fixture_open(&other, &p->v, 2);
	verifier_fixture_pass(&p->v, 180000);
	assert_string_equal(node_fixture_shown(&other), "enrolled");
	verifier_fixture_pass(&p->v, 1000);
	assert_string_equal(node_fixture_shown(&other), "silent");
	node_fixture_done(&other);
}

static void test_unconfirmed(void **state)
{
	struct place *p = *state;

	node_fixture_file(&p->n, "/etc/a", "reg two");
	verifier_fixture_pass(&p->v, 181000);
	assert_int_equal(node_fixture_drift(&p->n, false), PLUMB_RESULT_STORED);
	verifier_fixture_pass(&p->v, 10000);
	assert_false(node_fixture_is_open(&p->n, "finding:unconfirmed"));
	verifier_fixture_pass(&p->v, 1000);
	assert_true(node_fixture_is_open(&p->n, "finding:unconfirmed"));
	assert_int_equal(node_fixture_evidence(&p->n), PLUMB_RESULT_ACCEPTED);
	assert_false(node_fixture_is_open(&p->n, "finding:unconfirmed"));
	/* One that binds, too, and right after a start nobody had the time. */
	node_fixture_file(&p->n, "/etc/b", "reg two");
	assert_int_equal(node_fixture_drift(&p->n, true), PLUMB_RESULT_STORED);
	verifier_fixture_stop(&p->v);
	verifier_fixture_start(&p->v);
	verifier_fixture_pass(&p->v, 179000);
	assert_false(node_fixture_is_open(&p->n, "finding:unconfirmed"));
	verifier_fixture_pass(&p->v, 2000);
	assert_true(node_fixture_is_open(&p->n, "finding:unconfirmed"));
}

/* Lines that bind and tell of no drift are a backlog, whose quote comes after the last of them: only drift is in a hurry. */
static void test_unconfirmed_backlog(void **state)
{
	struct place *p = *state;

	node_fixture_file(&p->n, "/etc/a", "reg one");
	assert_int_equal(node_fixture_drift(&p->n, true), PLUMB_RESULT_STORED);
	verifier_fixture_pass(&p->v, 11000);
	assert_false(node_fixture_is_open(&p->n, "finding:unconfirmed"));
	is(p, "trusted");
	/* Further ones don't put it off. */
	verifier_fixture_pass(&p->v, 160000);
	node_fixture_file(&p->n, "/etc/b", "reg one");
	assert_int_equal(node_fixture_drift(&p->n, true), PLUMB_RESULT_STORED);
	verifier_fixture_pass(&p->v, 9000);
	assert_false(node_fixture_is_open(&p->n, "finding:unconfirmed"));
	verifier_fixture_pass(&p->v, 1000);
	assert_true(node_fixture_is_open(&p->n, "finding:unconfirmed"));
	assert_int_equal(node_fixture_evidence(&p->n), PLUMB_RESULT_ACCEPTED);
	assert_false(node_fixture_is_open(&p->n, "finding:unconfirmed"));
	/* Drift among them. */
	node_fixture_file(&p->n, "/etc/a", "reg one");
	assert_int_equal(node_fixture_drift(&p->n, true), PLUMB_RESULT_STORED);
	verifier_fixture_pass(&p->v, 60000);
	node_fixture_file(&p->n, "/etc/a", "reg two");
	assert_int_equal(node_fixture_drift(&p->n, true), PLUMB_RESULT_STORED);
	verifier_fixture_pass(&p->v, 10000);
	assert_false(node_fixture_is_open(&p->n, "finding:unconfirmed"));
	verifier_fixture_pass(&p->v, 1000);
	assert_true(node_fixture_is_open(&p->n, "finding:unconfirmed"));
}

/* Grace that ends while nothing else happens; also when it ended while the verifier was away. */
static void test_grace(void **state)
{
	struct place *p = *state;

	verifier_fixture_rules(&p->v, 1, "[" RULE("F", FILES, "armed", "claim", "30000") "]");
	node_fixture_file(&p->n, "/etc/a", "reg two");
	assert_int_equal(node_fixture_evidence(&p->n), PLUMB_RESULT_ACCEPTED);
	verifier_fixture_pass(&p->v, 30000);
	is(p, "degraded");
	verifier_fixture_pass(&p->v, 1000);
	is(p, "held");
	node_fixture_file(&p->n, "/etc/a", "reg one");
	node_fixture_file(&p->n, "/etc/b", "reg two");
	assert_int_equal(node_fixture_evidence(&p->n), PLUMB_RESULT_ACCEPTED);
	is(p, "degraded");
	verifier_fixture_stop(&p->v);
	p->v.utc_ns += 60 * VERIFIER_FIXTURE_S;
	p->v.boot_ns += 60 * VERIFIER_FIXTURE_S;
	verifier_fixture_start(&p->v);
	verifier_fixture_pass(&p->v, 1000);
	is(p, "held");
}

/* Arming is at once, and grace counts from when it drifted. */
static void test_armed_later(void **state)
{
	struct place *p = *state;

	verifier_fixture_rules(&p->v, 1, "[" RULE("F", FILES, "report", "claim", "30000") "]");
	node_fixture_file(&p->n, "/etc/a", "reg two");
	assert_int_equal(node_fixture_evidence(&p->n), PLUMB_RESULT_ACCEPTED);
	verifier_fixture_pass(&p->v, 25000);
	verifier_fixture_rules(&p->v, 2, "[" RULE("F", FILES, "armed", "claim", "30000") "]");
	is(p, "degraded");
	verifier_fixture_pass(&p->v, 6000);
	is(p, "held");
	/* Back to report, and what was done is undone with the next evidence at the latest. */
	verifier_fixture_rules(&p->v, 3, "[" RULE("F", FILES, "report", "claim", "30000") "]");
	assert_int_equal(node_fixture_evidence(&p->n), PLUMB_RESULT_ACCEPTED);
	is(p, "degraded");
}

static void still(struct place *p, const char *shown)
{
	verifier_fixture_pass(&p->v, 1000);
	assert_int_equal(node_fixture_evidence(&p->n), PLUMB_RESULT_ACCEPTED);
	is(p, shown);
}

static void start_behind(struct place *p, int64_t s)
{
	verifier_fixture_stop(&p->v);
	verifier_fixture_jump(&p->v, -s);
	verifier_fixture_start(&p->v);
}

/* A clock that goes back lets nobody go, with grace or without, whether the verifier saw it go or not, and when it is put right again. */
static void held_over_jumps(struct place *p)
{
	still(p, "held");
	verifier_fixture_jump(&p->v, -3600);
	still(p, "held");
	verifier_fixture_jump(&p->v, 2 * 3600);
	still(p, "held");
	start_behind(p, 3600);
	still(p, "held");
	/* By less than it is old. */
	start_behind(p, 10);
	still(p, "held");
	start_behind(p, YEAR);
	still(p, "held");
	start_behind(p, 0);
	still(p, "held");
	verifier_fixture_jump(&p->v, YEAR);
	still(p, "held");
}

static void test_held_without_grace(void **state)
{
	struct place *p = *state;

	verifier_fixture_rules(&p->v, 1,
			       "[" RULE("E", "{\"type\":\"exec\"}", "armed", "ack", "0") "]");
	node_fixture_exec(&p->n, "/usr/bin/new");
	held_over_jumps(p);
}

static void test_held_with_grace(void **state)
{
	struct place *p = *state;

	verifier_fixture_rules(&p->v, 1, "[" RULE("F", FILES, "armed", "ack", "30000") "]");
	node_fixture_file(&p->n, "/etc/a", "reg two");
	assert_int_equal(node_fixture_evidence(&p->n), PLUMB_RESULT_ACCEPTED);
	verifier_fixture_pass(&p->v, 31000);
	is(p, "held");
	held_over_jumps(p);
}

/* Nor is anybody's grace longer for it, or shorter; also of what was armed after the clock had gone. */
static void test_grace_over_jumps(void **state)
{
	struct place *p = *state;

	verifier_fixture_rules(&p->v, 1, "[" RULE("F", FILES, "report", "claim", "0") "]");
	node_fixture_file(&p->n, "/etc/a", "reg two");
	still(p, "degraded");
	verifier_fixture_jump(&p->v, -3600);
	verifier_fixture_pass(&p->v, 10000);
	verifier_fixture_rules(&p->v, 2, "[" RULE("F", FILES, "armed", "claim", "60000") "]");
	still(p, "degraded");
	start_behind(p, 3600);
	still(p, "degraded");
	verifier_fixture_pass(&p->v, 47000);
	is(p, "degraded");
	verifier_fixture_pass(&p->v, 3000);
	is(p, "held");
}

/* One node whose row cannot be written keeps nobody else from being looked at, and is looked at again. */
static void test_store_fails(void **state)
{
	struct place *p = *state;

	verifier_fixture_pass(&p->v, 180000);
	p->v.utc_ns += VERIFIER_FIXTURE_S;
	p->v.boot_ns += VERIFIER_FIXTURE_S;
	p->v.faults.node_put = -EIO;
	assert_int_equal(intake_tick(p->v.intake), -EIO);
	p->v.faults.node_put = 0;
	p->v.faults.commit = -EIO;
	assert_int_equal(intake_tick(p->v.intake), -EIO);
	is(p, "trusted");
	p->v.faults.commit = 0;
	assert_int_equal(intake_tick(p->v.intake), 0);
	is(p, "silent");
	assert_int_equal(verifier_fixture_log(&p->v, "\"to\":\"silent\""), 1);
}

static void test_many(void **state)
{
	struct place *p = *state;
	struct node_fixture *many = calloc(150, sizeof(*many));

	assert_non_null(many);
	for (unsigned int i = 0; i < 150; i++)
		node_fixture_open(&many[i], &p->v, 100 + i);
	verifier_fixture_pass(&p->v, 181000);
	for (unsigned int i = 0; i < 150; i++) {
		assert_string_equal(node_fixture_shown(&many[i]), "silent");
		node_fixture_done(&many[i]);
	}
	free(many);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(silent),
		TEST(silent_by_rule),
		TEST(killed),
		TEST(verifier_away),
		TEST(jump_forward),
		TEST(away_and_clock_went_back),
		TEST(jump_back),
		TEST(leaving),
		TEST(asleep),
		TEST(never_came),
		TEST(unconfirmed),
		TEST(unconfirmed_backlog),
		TEST(grace),
		TEST(armed_later),
		TEST(store_fails),
		TEST(many),
		TEST(announced_by_an_operator),
		TEST(announced_once),
		TEST(announced_and_cut_off),
		TEST(held_without_grace),
		TEST(held_with_grace),
		TEST(grace_over_jumps),
	};

	return cmocka_run_group_tests_name("deadlines", tests, NULL, NULL);
}
