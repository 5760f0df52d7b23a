/* SPDX-License-Identifier: Apache-2.0 */
/* What evidence says of a node, and what becomes of it: each finding comes, each that is a state goes, and the rest stays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>

#include "fsio.h"
#include "ima_maker.h"
#include "node_fixture.h"
#include "order_desk.h"

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
	assert_string_equal(p->n.answer.state, "trusted");
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

static void accepted(struct place *p, const char *shown)
{
	assert_int_equal(node_fixture_evidence(&p->n), PLUMB_RESULT_ACCEPTED);
	assert_string_equal(p->n.answer.state, shown);
}

static bool has(struct place *p, const char *key)
{
	return node_fixture_is_open(&p->n, key);
}

static void order(struct place *p, enum order_kind kind, uint64_t life_ms)
{
	struct store_node row = verifier_fixture_node(&p->v, p->n.record.node);
	const struct order o = {.kind = kind, .life_ms = life_ms};

	assert_int_equal(p->v.ops.begin(p->v.store.ctx), 0);
	assert_int_equal(order_desk_give(&p->v.v, &row, &o, NULL), 0);
	assert_int_equal(p->v.ops.node_put(p->v.store.ctx, &row), 0);
	assert_int_equal(p->v.ops.commit(p->v.store.ctx), 0);
	store_node_done(&row);
}

static void test_lie(void **state)
{
	struct place *p = *state;

	node_fixture_measure(&p->n, PLUMB_TYPE_CLAIM, "file:/etc/a", "reg two", PLUMB_JUDGE_OK,
			     NULL);
	accepted(p, "degraded");
	assert_true(has(p, "file:/etc/a"));
	assert_true(has(p, "finding:judge_lie"));
	assert_false(has(p, "finding:judge_skew"));
	node_fixture_file(&p->n, "/etc/a", "reg one");
	accepted(p, "degraded");
	assert_true(has(p, "finding:judge_lie"));
}

/* A state: over when the node's judge is ours again, and not only because nothing differed for once. */
static void test_skew(void **state)
{
	struct place *p = *state;

	p->n.judge_version = PLUMB_JUDGE_VERSION + 1;
	node_fixture_measure(&p->n, PLUMB_TYPE_CLAIM, "file:/etc/a", "reg two", PLUMB_JUDGE_OK,
			     NULL);
	accepted(p, "degraded");
	assert_true(has(p, "finding:judge_skew"));
	assert_false(has(p, "finding:judge_lie"));
	accepted(p, "degraded");
	assert_true(has(p, "finding:judge_skew"));
	p->n.judge_version = PLUMB_JUDGE_VERSION;
	accepted(p, "degraded");
	assert_false(has(p, "finding:judge_skew"));
}

static void give_list(struct place *p, const struct ima_maker *m, uint32_t from, uint32_t to)
{
	p->n.ima = ima_maker_from(m, from, to);
	p->n.ima_from = from;
	p->n.ima_cursor = p->n.ima_end = to;
	p->n.has_ima_end = true;
}

static uint32_t found_in_row(struct place *p)
{
	struct store_node n = verifier_fixture_node(&p->v, p->n.record.node);
	uint32_t findings = n.findings;

	store_node_done(&n);
	return findings;
}

/* boot_aggregate, which is nobody's program, and one that no line tells; then one that the agent keeps to itself. */
static void test_ima(void **state)
{
	struct place *p = *state;
	struct ima_maker *m = malloc(sizeof(*m));
	struct quote_pcrs *pcrs = fake_tpm_pcrs(p->n.tpm);
	struct evidence_nonce nonce;
	struct why why = {""};
	struct store_case *c;

	assert_non_null(m);
	ima_maker_open(m);
	ima_maker_aggregate(m, pcrs);
	ima_maker_file(m, "/usr/bin/kmod", 0x5a, NULL);
	pcrs->values[10] = m->pcr[2];
	node_fixture_record(&p->n, "start",
			    "\"phase\":\"ready\",\"ima\":0,\"ima_measures\":\"programs\"");
	give_list(p, m, 0, 2);
	accepted(p, "trusted");
	give_list(p, m, 2, 2);
	assert_false(has(p, "finding:ima"));
	assert_int_equal(node_fixture_nonce(&p->n), 200);
	assert_int_equal(evidence_nonce_parse(p->n.text, strlen(p->n.text), &nonce, &why), 0);
	assert_true(nonce.has_ima);
	assert_int_equal(nonce.ima_from, 2);
	assert_string_equal(nonce.ima_boot, p->n.boot);
	verifier_fixture_pass(&p->v, 11000);
	node_fixture_file(&p->n, "/etc/a", "reg one");
	accepted(p, "degraded");
	c = node_fixture_case(&p->n, "finding:ima");
	assert_int_equal(c->count, 1);
	assert_non_null(strstr(c->found, "/usr/bin/kmod sha256:5a"));
	assert_non_null(strstr(c->found, " is in IMA's list and in no line"));
	assert_false(has(p, "finding:ima_list"));
	/* Bytes that are no entries change nothing. */
	give_list(p, m, 0, 2);
	p->n.ima.size--;
	assert_int_equal(node_fixture_evidence(&p->n), PLUMB_RESULT_REFUSED);
	assert_non_null(strstr(p->n.answer.reason, "IMA list: cut short"));
	ima_maker_file(m, "/usr/bin/evil", 0x66, NULL);
	pcrs->values[10] = m->pcr[3];
	give_list(p, m, 2, 2);
	accepted(p, "degraded");
	c = node_fixture_case(&p->n, "finding:ima_list");
	assert_int_equal(c->count, 1);
	assert_non_null(strstr(c->found, "none of entries 2 to 2 leads to the PCR 10"));
	/* Told once, and it goes on: until the list is whole again. */
	for (int i = 0; i < 2; i++) {
		assert_int_equal(found_in_row(p), 1u << PLUMB_FINDING_IMA_LIST);
		accepted(p, "degraded");
		assert_int_equal(node_fixture_case(&p->n, "finding:ima_list")->count, 1);
	}
	give_list(p, m, 2, 3);
	accepted(p, "degraded");
	assert_int_equal(found_in_row(p), 0);
	ima_maker_done(m);
	free(m);
}

static void test_reboot(void **state)
{
	struct place *p = *state;

	node_fixture_reboot(&p->n);
	accepted(p, "degraded");
	assert_true(has(p, "finding:unanchored"));
	assert_true(has(p, "finding:gap"));
	/* Neither is undone by going on. */
	node_fixture_file(&p->n, "/etc/a", "reg one");
	accepted(p, "degraded");
	assert_true(has(p, "finding:unanchored"));
	assert_int_equal(node_fixture_case(&p->n, "finding:unanchored")->count, 1);
}

static void test_foreign(void **state)
{
	struct place *p = *state;

	node_fixture_junk(&p->n);
	accepted(p, "degraded");
	assert_true(has(p, "finding:foreign"));
	accepted(p, "degraded");
	assert_true(has(p, "finding:foreign"));
}

/* Somebody extends and the agent keeps quiet about it: it does not replay, and nothing is accepted. */
static void test_hidden_foreign(void **state)
{
	struct place *p = *state;
	const struct digest junk = {{1}};
	struct tpm *t = fake_tpm_door(p->n.tpm);

	assert_int_equal(t->ops->pcr_extend(t->ctx, 15, &junk), 0);
	assert_int_equal(node_fixture_evidence(&p->n), PLUMB_RESULT_REFUSED);
	assert_true(p->n.answer.reason[0]);
	verifier_fixture_pass(&p->v, 181000);
	assert_string_equal(node_fixture_shown(&p->n), "silent");
}

static void test_clock(void **state)
{
	struct place *p = *state;

	p->n.clock_off_s = 59;
	accepted(p, "trusted");
	p->n.clock_off_s = -61;
	accepted(p, "trusted");
	assert_true(has(p, "finding:clock"));
	assert_non_null(strstr(node_fixture_case(&p->n, "finding:clock")->found, "61 s behind"));
	p->n.clock_off_s = 3600ll * 24 * 365;
	accepted(p, "trusted");
	p->n.clock_off_s = 0;
	accepted(p, "trusted");
	assert_false(has(p, "finding:clock"));
}

static void test_other_baseline(void **state)
{
	struct place *p = *state;

	p->n.baseline_version = 9;
	node_fixture_file(&p->n, "/etc/a", "reg one");
	accepted(p, "trusted");
	assert_true(has(p, "finding:baseline"));
	accepted(p, "trusted");
	assert_true(has(p, "finding:baseline"));
	p->n.baseline_version = 1;
	accepted(p, "trusted");
	assert_false(has(p, "finding:baseline"));
	/* One whose order is on its way is no finding. */
	order(p, ORDER_BASELINE, 0);
	p->n.baseline_version = 9;
	node_fixture_file(&p->n, "/etc/a", "reg one");
	accepted(p, "trusted");
	assert_false(has(p, "finding:baseline"));
	p->n.last_order = 2; /* the first was given when it judged by version 9 for no reason */
	node_fixture_file(&p->n, "/etc/a", "reg one");
	accepted(p, "trusted");
	assert_true(has(p, "finding:baseline"));
}

/* An order that a node has in its hands and does not carry out excuses nothing for ever. */
static void test_ignored_baseline(void **state)
{
	struct place *p = *state;

	order(p, ORDER_BASELINE, 0);
	p->n.baseline_version = 9;
	for (uint64_t ms = 0; ms <= p->v.v.silent_after_ms; ms += 60000) {
		node_fixture_file(&p->n, "/etc/a", "reg one");
		accepted(p, "trusted");
		assert_false(has(p, "finding:baseline"));
		verifier_fixture_pass(&p->v, 60000);
	}
	node_fixture_file(&p->n, "/etc/a", "reg one");
	accepted(p, "trusted");
	assert_true(has(p, "finding:baseline"));
}

static void test_planned_restart(void **state)
{
	struct place *p = *state;

	order(p, ORDER_RESTART, 60000);
	node_fixture_restart_in_order(&p->n);
	accepted(p, "trusted");
	assert_false(has(p, "finding:gap"));
	/* Good once. */
	node_fixture_restart_in_order(&p->n);
	accepted(p, "degraded");
	assert_true(has(p, "finding:gap"));
}

static bool is_by_rule(struct place *p, const char *rule)
{
	struct store_case k;

	return p->v.ops.case_find(p->v.store.ctx, p->n.record.node, rule, "host",
				  "finding:unanchored", &k) == 0;
}

/* Shown, and nothing else. */
#define BY(id, who)                                                                          \
	"{\"id\":\"" id "\",\"title\":\"t\",\"when\":{\"finding\":\"unanchored\","           \
	"\"announced_by\":\"" who "\"},\"severity\":\"low\",\"action\":\"report\",\"mode\":" \
	"\"armed\",\"release\":\"ack\",\"score\":1,\"grace_ms\":0,\"claim\":"                \
	"\"instance-identity\",\"value\":2}"

/* A reboot is told whoever announced it. A rule may hold for those alone that no operator did, and each announcement is good for one. */
static void test_announced_reboot(void **state)
{
	struct place *p = *state;
	struct store_case *k;

	verifier_fixture_rules(
		&p->v, 1,
		"[" BY("said", "operator") "," BY("self", "node") "," //
		NODE_FIXTURE_RULE("held", "{\"finding\":\"unanchored\"}", "armed", "ack", "0") "]");
	order(p, ORDER_RESTART, 60000);
	node_fixture_reboot_in_order(&p->n);
	accepted(p, "trusted");
	assert_false(has(p, "finding:gap"));
	k = node_fixture_case(&p->n, "finding:unanchored");
	assert_string_equal(k->rule, "said");
	assert_non_null(strstr(k->found, "; an operator had announced it"));
	/* What the node says of itself is told as that, and only of what comes next. */
	p->n.leaving = true;
	node_fixture_file(&p->n, "/etc/a", "reg one");
	assert_int_equal(node_fixture_evidence(&p->n), PLUMB_RESULT_ACCEPTED);
	p->n.leaving = false;
	node_fixture_reboot_in_order(&p->n);
	assert_int_equal(node_fixture_evidence(&p->n), PLUMB_RESULT_ACCEPTED);
	assert_true(is_by_rule(p, "self") && !is_by_rule(p, "held"));
	node_fixture_reboot_in_order(&p->n);
	accepted(p, "held");
	assert_true(is_by_rule(p, "held"));
}

static void test_losses(void **state)
{
	struct place *p = *state;

	node_fixture_record(&p->n, "lost", "\"of\":\"bpf\",\"what\":\"exec\",\"n\":5");
	accepted(p, "degraded");
	assert_true(has(p, "finding:loss"));
	node_fixture_exec(&p->n, "/tmp/a");
	p->n.kseq--;
	node_fixture_exec(&p->n, "/tmp/b");
	accepted(p, "degraded");
	assert_true(has(p, "finding:counters"));
}

/* Lines that are none, though their tree is as it should be: refused as a whole, and nothing of them is kept. */
static void test_bad_lines(void **state)
{
	static const char *const lines[] = {
		"",
		"{}",
		"no json",
		"{\"v\":1,\"seq\":3}",
		"{\"v\":1,\"seq\":4711,\"t\":\"2026-11-24T00:00:00.000000000Z\",\"bt\":1,\"boot\":"
		"\"5eb63bbb-e01e-4ed0-93cb-22bb8f5acdc3\",\"src\":\"agent\",\"type\":\"x\"}",
	};
	struct place *p = *state;
	struct store_node before = verifier_fixture_node(&p->v, p->n.record.node), after;

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct node_fixture *n = &p->n;
		struct merkle tree = n->tree;
		size_t size = n->lines.size;

		node_fixture_file(n, "/etc/a", "reg two");
		node_fixture_raw(n, lines[i]);
		assert_int_equal(node_fixture_drift(n, true), PLUMB_RESULT_REFUSED);
		assert_true(n->answer.reason[0]);
		assert_int_equal(n->answer.size, before.frontier.size);
		n->tree = tree;
		buf_cut(&n->lines, size);
	}
	node_fixture_file(&p->n, "/etc/a", "reg two");
	node_fixture_raw(&p->n, "no json");
	assert_int_equal(node_fixture_evidence(&p->n), PLUMB_RESULT_REFUSED);
	assert_string_equal(p->n.answer.state, "trusted");
	after = verifier_fixture_node(&p->v, p->n.record.node);
	assert_int_equal(before.version, after.version);
	assert_int_equal(verifier_fixture_cases(&p->v, p->n.record.node, NULL, NULL), 0);
	assert_int_equal(verifier_fixture_log(&p->v, "\"type\":\"verdict\""), 1);
	store_node_done(&before);
	store_node_done(&after);
}

/* What an unsigned message says of itself proves nothing. */
static void test_unsigned_findings(void **state)
{
	struct place *p = *state;

	node_fixture_restart(&p->n);
	node_fixture_record(&p->n, "lost", "\"of\":\"bpf\",\"what\":\"exec\",\"n\":5");
	node_fixture_exec(&p->n, "/tmp/x");
	assert_int_equal(node_fixture_drift(&p->n, false), PLUMB_RESULT_STORED);
	assert_true(has(p, "exec:/tmp/x"));
	assert_false(has(p, "finding:gap"));
	assert_false(has(p, "finding:loss"));
	assert_int_equal(node_fixture_drift(&p->n, true), PLUMB_RESULT_STORED);
	assert_true(has(p, "finding:gap"));
	assert_true(has(p, "finding:loss"));
	assert_int_equal(node_fixture_case(&p->n, "exec:/tmp/x")->count, 1);
	accepted(p, "degraded");
	assert_false(node_fixture_case(&p->n, "finding:gap")->provisional);
	assert_false(node_fixture_case(&p->n, "exec:/tmp/x")->provisional);
}

/* As many lines as a body takes, each of them another drift: all kept, cases bounded, one answer. */
static void test_most_lines(void **state)
{
	struct place *p = *state;
	uint64_t from = p->n.tree.size;
	struct store_node row;
	char path[32];

	for (unsigned int i = 0; i < WIRE_MAX_EVIDENCE_LINES; i++) {
		snprintf(path, sizeof(path), "/%x", i);
		node_fixture_file(&p->n, path, "x");
	}
	accepted(p, "degraded");
	row = verifier_fixture_node(&p->v, p->n.record.node);
	assert_int_equal(row.base_size, from + WIRE_MAX_EVIDENCE_LINES);
	store_node_done(&row);
	/* And the lie in each: expected is "absent". */
	assert_true(has(p, "finding:judge_lie"));
	assert_int_equal(verifier_fixture_cases(&p->v, p->n.record.node, NULL, NULL),
			 CASES_MAX_NEW + 2);
	assert_int_equal(node_fixture_case(&p->n, CASES_FLOOD_KEY)->count,
			 WIRE_MAX_EVIDENCE_LINES - CASES_MAX_NEW);
	accepted(p, "degraded");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(lie),
		TEST(skew),
		TEST(ima),
		TEST(reboot),
		TEST(foreign),
		TEST(hidden_foreign),
		TEST(clock),
		TEST(other_baseline),
		TEST(ignored_baseline),
		TEST(planned_restart),
		TEST(announced_reboot),
		TEST(losses),
		TEST(bad_lines),
		TEST(unsigned_findings),
		TEST(most_lines),
	};

	return cmocka_run_group_tests_name("appraisal", tests, NULL, NULL);
}
