/* SPDX-License-Identifier: Apache-2.0 */
/* A move of a node's state: the row, one line of the log, orders; a verdict's steps in order; and nothing when nothing moves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>

#include "dsse.h"
#include "jwt.h"
#include "node_fixture.h"
#include "order.h"

struct place {
	struct verifier_fixture v;
	struct node_fixture n;
	struct store_node row;
	struct transition t;
	struct cases_sum sum;
};

static int set_up(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	verifier_fixture_open(&p->v);
	node_fixture_open(&p->n, &p->v, 1);
	p->row = verifier_fixture_node(&p->v, p->n.record.node);
	p->t.v = &p->v.v;
	assert_int_equal(p->v.ops.begin(p->v.store.ctx), 0);
	*state = p;
	return 0;
}

static int tear_down(void **state)
{
	struct place *p = *state;

	p->v.ops.rollback(p->v.store.ctx);
	store_node_done(&p->row);
	node_fixture_done(&p->n);
	verifier_fixture_done(&p->v);
	free(p);
	return 0;
}

static uint32_t logged(struct place *p, const char *text)
{
	assert_int_equal(p->v.ops.commit(p->v.store.ctx), 0);
	assert_int_equal(p->v.ops.begin(p->v.store.ctx), 0);
	return verifier_fixture_log(&p->v, text);
}

static int on_order(void *ctx, uint64_t number, const void *envelope, size_t size)
{
	struct buf payload = {0}, type = {0};
	struct order o;
	struct why why;

	(void)number;
	assert_int_equal(dsse_peek(envelope, size, 8192, &payload, &type, &why), 0);
	assert_int_equal(order_parse(payload.data, payload.size, &o, &why), 0);
	strcat(ctx, order_kind_name(o.kind));
	strcat(ctx, " ");
	buf_done(&payload);
	buf_done(&type);
	return 0;
}

static const char *orders(struct place *p)
{
	static char text[256];

	text[0] = 0;
	assert_int_equal(p->v.ops.order_each(p->v.store.ctx, p->row.id, 0, on_order, text), 0);
	return text;
}

static int apply(struct place *p, enum node_event e)
{
	const struct transition_cause c = {
		.text = "because", .operator_name = "alice", .reason = "a \"reason\""};

	return transition_apply(&p->t, &p->row, e, &c);
}

/* By what the open cases come to. */
static int verdict(struct place *p, enum plumb_appraisal a, enum plumb_action action, bool proven,
		   bool evidence)
{
	const struct transition_verdict_in in = {.evidence = evidence, .appraise = evidence};
	const struct transition_cause c = {.text = "because"};

	verdict_begin(&p->sum.verdict, NULL, p->v.utc_ns, true, false);
	p->sum.verdict.appraisal = a;
	p->sum.verdict.action = action;
	p->sum.verdict.n_open = action != 0;
	p->sum.proven = proven;
	return transition_verdict(&p->t, &p->row, &p->sum, &in, &c);
}

static void test_apply(void **state)
{
	struct place *p = *state;

	assert_int_equal(apply(p, NODE_APPROVED), -EPERM);
	assert_int_equal(apply(p, NODE_RELEASED), -EPERM);
	assert_int_equal(apply(p, NODE_OVERDUE), 1);
	assert_int_equal(p->row.freshness, PLUMB_FRESHNESS_SILENT);
	assert_string_equal(p->row.cause, "because");
	assert_int_equal(p->row.state_since_ns, p->v.utc_ns);
	assert_string_equal(orders(p), "challenge ");
	assert_int_equal(apply(p, NODE_OVERDUE), 0);
	assert_int_equal(p->row.last_order, 1);
	assert_int_equal(logged(p, "\"from\":\"enrolled\",\"to\":\"silent\",\"cause\":\"because\""),
			 1);
	assert_int_equal(logged(p, "\"operator\":\"alice\",\"reason\":\"a \\\"reason\\\"\""), 1);
	assert_int_equal(logged(p, "\"type\":\"transition\""), 1);
	assert_int_equal(apply(p, NODE_RETIRED), 1);
	for (size_t i = 0; i < DIGEST_SIZE; i++)
		assert_int_equal(p->row.client_key.bytes[i], 0);
	assert_int_equal(apply(p, NODE_RETIRED), -EPERM);
}

static void test_quarantine(void **state)
{
	struct place *p = *state;

	assert_int_equal(verdict(p, PLUMB_APPRAISAL_TRUSTED, 0, true, true), 1);
	assert_string_equal(orders(p), "");
	assert_int_equal(verdict(p, PLUMB_APPRAISAL_UNTRUSTED, PLUMB_ACTION_QUARANTINE, true, true),
			 1);
	assert_string_equal(orders(p), "quarantine ");
	assert_int_equal(
		logged(p, "\"from\":\"trusted\",\"to\":\"quarantined\",\"cause\":\"because\""), 1);
	/* The same again is no news. */
	assert_int_equal(verdict(p, PLUMB_APPRAISAL_UNTRUSTED, PLUMB_ACTION_QUARANTINE, true, true),
			 0);
	assert_string_equal(orders(p), "quarantine ");
	/* What no quote covers lifts nothing, nor does the clock. */
	verdict(p, PLUMB_APPRAISAL_TRUSTED, 0, false, true);
	assert_int_equal(p->row.containment, PLUMB_CONTAIN_QUARANTINED);
	verdict(p, PLUMB_APPRAISAL_TRUSTED, 0, true, false);
	assert_int_equal(p->row.containment, PLUMB_CONTAIN_QUARANTINED);
	assert_int_equal(verdict(p, PLUMB_APPRAISAL_TRUSTED, 0, true, true), 1);
	assert_int_equal(p->row.containment, PLUMB_CONTAIN_FREE);
	assert_string_equal(orders(p), "quarantine release ");
	assert_int_equal(logged(p, "\"from\":\"quarantined\",\"to\":\"trusted\""), 1);
}

static void test_report_holds_nobody(void **state)
{
	struct place *p = *state;

	assert_int_equal(verdict(p, PLUMB_APPRAISAL_UNTRUSTED, PLUMB_ACTION_REPORT, true, true), 1);
	assert_int_equal(p->row.containment, PLUMB_CONTAIN_REPORT);
	assert_string_equal(orders(p), "");
	assert_int_equal(logged(p, "\"deeds\":[\"hold\"]"), 0);
	assert_int_equal(verdict(p, PLUMB_APPRAISAL_UNTRUSTED, PLUMB_ACTION_HOLD, true, true), 1);
	assert_int_equal(logged(p, "\"to\":\"held\""), 1);
	assert_int_equal(logged(p, "\"deeds\":[\"hold\"]"), 1);
}

static void read_ear(struct place *p, const char *has)
{
	struct buf jwt = {0}, claims = {0};
	struct why why = {""};

	assert_int_equal(p->v.ops.blob_get(p->v.store.ctx, "verdict", p->row.id, &jwt), 0);
	assert_int_equal(jwt_open((char *)jwt.data, jwt.size, p->v.verdict, &claims, &why), 0);
	assert_non_null(strstr((char *)claims.data, has));
	buf_done(&jwt);
	buf_done(&claims);
}

/* The signed verdict is that of the newest appraisal, also when it is a fork's. */
static void test_ear(void **state)
{
	struct place *p = *state;
	const struct transition_verdict_in forked = {.forked = true, .quiet = true};
	const struct transition_cause c = {.text = "because"};

	assert_int_equal(verdict(p, PLUMB_APPRAISAL_TRUSTED, 0, true, true), 1);
	read_ear(p, "\"affirming\"");
	/* A provisional makes none. */
	verdict(p, PLUMB_APPRAISAL_UNTRUSTED, PLUMB_ACTION_REPORT, true, false);
	read_ear(p, "\"affirming\"");
	assert_int_equal(p->row.appraisal, PLUMB_APPRAISAL_TRUSTED);
	assert_int_equal(apply(p, NODE_FORK), 1);
	assert_true(p->row.forked);
	verdict_begin(&p->sum.verdict, NULL, p->v.utc_ns, true, true);
	assert_true(transition_verdict(&p->t, &p->row, &p->sum, &forked, &c) >= 0);
	read_ear(p, "\"contraindicated\"");
	assert_int_equal(p->row.appraisal, PLUMB_APPRAISAL_UNTRUSTED);
}

static void test_store_fails(void **state)
{
	struct place *p = *state;

	p->v.faults.changes = 0;
	assert_int_equal(apply(p, NODE_OVERDUE), -EIO);
	p->v.faults.changes = -1;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(apply), TEST(quarantine),	TEST(report_holds_nobody),
		TEST(ear),   TEST(store_fails),
	};

	return cmocka_run_group_tests_name("transition", tests, NULL, NULL);
}
