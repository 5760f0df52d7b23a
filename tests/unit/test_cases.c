/* SPDX-License-Identifier: Apache-2.0 */
/* Cases in the store: opened, merged, settled, joined; too many of them; and those of another incarnation. */
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
#define FILES(mode) RULE("F", "{\"key\":{\"prefix\":\"file:\"}}", mode, "claim", "0")
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

static void item(struct place *p, uint64_t seq, enum plumb_type type, const char *key, bool good)
{
	const struct appraise_drift_item i = {
		.seq = seq,
		.utc_ns = p->v.utc_ns,
		.type = type,
		.judgement = good ? PLUMB_JUDGE_OK : PLUMB_JUDGE_DRIFT,
		.scope = "host",
		.key = key,
		.expected = "one",
		.found = good ? "one" : "two",
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

static void test_merge(void **state)
{
	struct place *p = *state;

	begin(p, false, true, 5);
	item(p, 5, PLUMB_TYPE_EXEC, "exec:/x", false);
	item(p, 7, PLUMB_TYPE_EXEC, "exec:/x", false);
	item(p, 7, PLUMB_TYPE_EXEC, "exec:/x", false);
	end(p);
	assert_int_equal(n_open(p), 1);
	assert_int_equal(node_fixture_case(&p->n, "exec:/x")->count, 2);
	assert_int_equal(node_fixture_case(&p->n, "exec:/x")->first_seq, 5);
	assert_int_equal(node_fixture_case(&p->n, "exec:/x")->last_seq, 7);
	assert_true(p->sum.proven);
	assert_int_equal(p->sum.n_lines, 1);
}

static void booted(struct place *p, uint32_t reset, uint64_t from, uint64_t size)
{
	const struct cases_accepted a = {
		.from = from, .size = size, .reset = reset, .boot_is_good = true};

	assert_int_equal(cases_accepted(&p->c, &a), 0);
}

/* What the lines of the new boot tell again, or first, is not over by having booted: that takes another boot. */
static void test_reboot_releases_what_was_before(void **state)
{
	struct place *p = *state;

	verifier_fixture_rules(&p->v, 1,
			       "[" RULE("B", "{\"type\":\"exec\"}", "report", "reboot", "0") "]");
	p->row.base_reset = 5;
	begin(p, false, true, 5);
	item(p, 5, PLUMB_TYPE_EXEC, "exec:/before", false);
	item(p, 6, PLUMB_TYPE_EXEC, "exec:/again", false);
	booted(p, 5, 5, 10);
	end(p);
	/* Booted, and a signed message is the first to come: the row knows the boot before. */
	begin(p, true, true, 10);
	item(p, 11, PLUMB_TYPE_EXEC, "exec:/again", false);
	item(p, 12, PLUMB_TYPE_EXEC, "exec:/new", false);
	end(p);
	begin(p, false, true, 13);
	booted(p, 6, 10, 13);
	end(p);
	assert_false(is_open(p, "exec:/before"));
	assert_true(is_open(p, "exec:/again") && is_open(p, "exec:/new"));
	begin(p, false, true, 13);
	booted(p, 6, 13, 14);
	end(p);
	assert_true(is_open(p, "exec:/again") && is_open(p, "exec:/new"));
	begin(p, false, true, 14);
	booted(p, 7, 14, 15);
	end(p);
	assert_false(is_open(p, "exec:/again") || is_open(p, "exec:/new"));
}

/* A message came, the agent was ended before its quote, and the node is enrolled anew in the same boot. */
static void test_reboot_of_another_incarnation(void **state)
{
	struct place *p = *state;

	verifier_fixture_rules(&p->v, 1,
			       "[" RULE("B", "{\"type\":\"exec\"}", "report", "reboot", "0") "]");
	p->row.base_reset = 7;
	begin(p, true, true, 5);
	item(p, 5, PLUMB_TYPE_EXEC, "exec:/x", false);
	end(p);
	p->row.incarnation++;
	begin(p, false, true, 5);
	booted(p, 8, 0, 5);
	end(p);
	assert_true(is_open(p, "exec:/x"));
	begin(p, false, true, 9);
	booted(p, 9, 5, 9);
	end(p);
	assert_false(is_open(p, "exec:/x"));
}

/* What ran, ran; a claim that is good again is settled where its rule says so, and only by a later line. */
static void test_settle(void **state)
{
	struct place *p = *state;

	verifier_fixture_rules(&p->v, 1, "[" FILES("report") "," EXECS("report") "]");
	begin(p, false, true, 1);
	item(p, 1, PLUMB_TYPE_CLAIM, "file:/a", true);
	item(p, 2, PLUMB_TYPE_CLAIM, "file:/a", false);
	item(p, 2, PLUMB_TYPE_CLAIM, "file:/a", true);
	item(p, 3, PLUMB_TYPE_CLAIM, "file:/b", false);
	item(p, 3, PLUMB_TYPE_EXEC, "exec:/x", false);
	item(p, 4, PLUMB_TYPE_EXEC, "exec:/x", true);
	item(p, 4, PLUMB_TYPE_CLAIM, "sysctl:a", false);
	item(p, 5, PLUMB_TYPE_CLAIM, "sysctl:a", true);
	item(p, 6, PLUMB_TYPE_CLAIM, "file:/b", true);
	end(p);
	assert_true(is_open(p, "file:/a"));
	assert_false(is_open(p, "file:/b"));
	assert_true(is_open(p, "exec:/x"));
	/* No rule names it, so a person settles it. */
	assert_true(is_open(p, "sysctl:a"));
}

static void test_unbound(void **state)
{
	struct place *p = *state;

	verifier_fixture_rules(&p->v, 1, "[" FILES("armed") "]");
	begin(p, false, true, 1);
	item(p, 5, PLUMB_TYPE_CLAIM, "file:/a", false);
	end(p);
	begin(p, true, false, 6);
	/* Neither counts for one that is bound, nor settles it. */
	item(p, 50000, PLUMB_TYPE_CLAIM, "file:/a", false);
	item(p, 50001, PLUMB_TYPE_CLAIM, "file:/a", true);
	item(p, 7, PLUMB_TYPE_CLAIM, "file:/b", false);
	item(p, 9, PLUMB_TYPE_CLAIM, "file:/c", false);
	item(p, 70, PLUMB_TYPE_CLAIM, "file:/d", false);
	end(p);
	assert_true(is_open(p, "file:/a"));
	assert_int_equal(node_fixture_case(&p->n, "file:/a")->last_seq, 5);
	assert_int_equal(n_open(p), 4);
	assert_false(p->sum.proven);
	assert_int_equal(p->sum.verdict.action, PLUMB_ACTION_HOLD);
	/* Bound lines have the one and not the other; the third may still come. */
	begin(p, true, true, 6);
	item(p, 7, PLUMB_TYPE_CLAIM, "file:/b", false);
	assert_int_equal(cases_bound(&p->c, 10), 0);
	end(p);
	assert_true(is_open(p, "file:/b"));
	assert_true(node_fixture_case(&p->n, "file:/b")->provisional);
	assert_false(is_open(p, "file:/c"));
	assert_true(is_open(p, "file:/d"));
	begin(p, false, true, 10);
	assert_int_equal(cases_accepted(&p->c, &(struct cases_accepted){.size = 12}), 0);
	end(p);
	assert_false(node_fixture_case(&p->n, "file:/b")->provisional);
	assert_true(node_fixture_case(&p->n, "file:/d")->provisional);
	begin(p, false, true, 12);
	assert_int_equal(cases_accepted(&p->c, &(struct cases_accepted){.size = 100}), 0);
	end(p);
	assert_false(is_open(p, "file:/d"));
}

/* However many there are: they are bounded, and what asks for the most is asked for. */
static void test_flood(void **state)
{
	struct place *p = *state;
	struct store_case *k;
	char key[64];
	uint64_t seq = 10;

	verifier_fixture_rules(&p->v, 1, "[" FILES("report") "," EXECS("armed") "]");
	begin(p, false, true, seq);
	for (unsigned int i = 0; i < CASES_MAX_NEW + 500; i++) {
		snprintf(key, sizeof(key), "file:/%u", i);
		item(p, seq++, PLUMB_TYPE_CLAIM, key, false);
	}
	item(p, seq++, PLUMB_TYPE_EXEC, "exec:/evil", false);
	item(p, seq++, PLUMB_TYPE_EXEC, "exec:/evil2", false);
	/* What has a case goes on counting. */
	item(p, seq++, PLUMB_TYPE_CLAIM, "file:/0", false);
	assert_int_equal(cases_finding(&p->c, PLUMB_FINDING_GAP, seq, "a", "b"), 0);
	end(p);
	assert_int_equal(n_open(p), CASES_MAX_NEW + 3);
	assert_int_equal(p->sum.verdict.action, PLUMB_ACTION_HOLD);
	assert_string_equal(p->sum.cause.rule, "E");
	assert_string_equal(p->sum.cause.key, CASES_FLOOD_KEY);
	assert_int_equal(p->sum.cause.count, 2);
	assert_int_equal(node_fixture_case(&p->n, "file:/0")->count, 2);
	assert_true(is_open(p, "finding:gap"));
	for (unsigned int round = 1; round < 8; round++) {
		begin(p, false, true, seq);
		for (unsigned int i = 0; i < CASES_MAX_NEW; i++) {
			snprintf(key, sizeof(key), "file:/%u/%u", round, i);
			item(p, seq++, PLUMB_TYPE_CLAIM, key, false);
		}
		end(p);
	}
	assert_int_equal(n_open(p), CASES_MAX_OPEN);
	k = node_fixture_case(&p->n, CASES_FLOOD_KEY);
	assert_true(k->id && strstr(k->found, "to ") != NULL);
}

/* Whoever has the client key alone does not fill the room of what is bound; and what he told goes with the next bound lines. */
static void test_unbound_flood(void **state)
{
	struct place *p = *state;
	char key[64];

	verifier_fixture_rules(&p->v, 1, "[" FILES("report") "," EXECS("armed") "]");
	for (unsigned int round = 0; round < 3; round++) {
		begin(p, true, false, 10);
		for (unsigned int i = 0; i < 1000; i++) {
			snprintf(key, sizeof(key), "file:/%u/%u", round, i);
			item(p, 10 + i, PLUMB_TYPE_CLAIM, key, false);
		}
		item(p, 1010, PLUMB_TYPE_EXEC, "exec:/evil", false);
		end(p);
		assert_int_equal(n_open(p), CASES_MAX_UNBOUND + 2);
		assert_int_equal(p->sum.verdict.action, PLUMB_ACTION_HOLD);
	}
	begin(p, false, true, 10);
	for (unsigned int i = 0; i < 500; i++) {
		snprintf(key, sizeof(key), "file:/real/%u", i);
		item(p, 10 + i, PLUMB_TYPE_CLAIM, key, false);
	}
	assert_int_equal(cases_accepted(&p->c, &(struct cases_accepted){.size = 5000}), 0);
	end(p);
	assert_int_equal(n_open(p), 500);
	assert_int_equal(p->sum.verdict.action, PLUMB_ACTION_REPORT);
}

static void rejudge(struct place *p, uint64_t version, const char *rules)
{
	verifier_fixture_rules(&p->v, version, rules);
	begin(p, false, true, 0);
	end(p);
}

static void test_rejudge(void **state)
{
	struct place *p = *state;

	begin(p, false, true, 1);
	item(p, 1, PLUMB_TYPE_EXEC, "exec:/x", false);
	item(p, 2, PLUMB_TYPE_CLAIM, "file:/a", false);
	end(p);
	assert_int_equal(p->sum.verdict.action, PLUMB_ACTION_REPORT);
	rejudge(p, 1, "[" EXECS("armed") "]");
	assert_int_equal(p->sum.verdict.action, PLUMB_ACTION_HOLD);
	assert_string_equal(node_fixture_case(&p->n, "exec:/x")->rule, "E");
	assert_string_equal(node_fixture_case(&p->n, "file:/a")->rule, "");
	/* The rule goes: nobody is held by it, and that it drifted stays. */
	rejudge(p, 2, "[" FILES("report") "]");
	assert_int_equal(p->sum.verdict.action, PLUMB_ACTION_REPORT);
	assert_int_equal(p->sum.verdict.appraisal, PLUMB_APPRAISAL_DEGRADED);
	assert_string_equal(node_fixture_case(&p->n, "file:/a")->rule, "F");
	assert_true(is_open(p, "exec:/x"));
	rejudge(p, 3, "[" RULE("X", "{\"type\":\"exec\"}", "armed", "ack", "0") "]");
	assert_string_equal(node_fixture_case(&p->n, "exec:/x")->rule, "X");
	assert_int_equal(p->sum.verdict.action, PLUMB_ACTION_HOLD);
}

/* One key had two cases, by an actor's rule and by none; a policy makes one rule of both. */
static void test_join(void **state)
{
	struct place *p = *state;
	const struct line_actor actor = {.known = true, .comm = "sh", .cgroup = "/test"};
	struct appraise_drift_item i = {.seq = 3,
					.type = PLUMB_TYPE_EXEC,
					.judgement = PLUMB_JUDGE_DRIFT,
					.scope = "host",
					.key = "exec:/x",
					.expected = "listed",
					.found = "two",
					.actor = &actor};

	verifier_fixture_rules(&p->v, 1,
			       "[" RULE("E", "{\"type\":\"exec\",\"cgroup\":\"/test\"}", "report",
					"ack", "0") "]");
	begin(p, false, true, 1);
	item(p, 2, PLUMB_TYPE_EXEC, "exec:/x", false);
	assert_int_equal(cases_item(&p->c, &i), 0);
	end(p);
	assert_int_equal(n_open(p), 2);
	rejudge(p, 2, "[" EXECS("armed") "]");
	assert_int_equal(n_open(p), 1);
	assert_int_equal(node_fixture_case(&p->n, "exec:/x")->first_seq, 2);
	assert_int_equal(node_fixture_case(&p->n, "exec:/x")->last_seq, 3);
	assert_int_equal(p->sum.verdict.action, PLUMB_ACTION_HOLD);
}

/* What a person must settle acts when its grace ends, also when all was well again before that. */
static void test_grace_of_what_is_over(void **state)
{
	struct place *p = *state;

	verifier_fixture_rules(
		&p->v, 1,
		"[" RULE("S", "{\"key\":{\"prefix\":\"file:\"}}", "armed", "ack", "2000") "]");
	begin(p, false, true, 1);
	item(p, 2, PLUMB_TYPE_FILE, "file:/pod", false);
	item(p, 3, PLUMB_TYPE_FILE, "file:/pod", true);
	end(p);
	assert_int_equal(p->sum.verdict.action, PLUMB_ACTION_REPORT);
	p->v.utc_ns += 2 * VERIFIER_FIXTURE_S;
	begin(p, false, true, 4);
	end(p);
	assert_int_equal(p->sum.verdict.action, PLUMB_ACTION_HOLD);
}

/* A scan finds again what somebody was seen to do: that is no other drift. Something else, or nothing known before, is. */
static void test_found_again(void **state)
{
	struct place *p = *state;
	const struct line_actor actor = {.known = true, .comm = "kubelet", .exe = "/bin/kubelet"};
	struct appraise_drift_item i = {.seq = 3,
					.type = PLUMB_TYPE_FILE,
					.judgement = PLUMB_JUDGE_DRIFT,
					.scope = "host",
					.key = "file:/pki",
					.expected = "one",
					.found = "two",
					.actor = &actor};

	verifier_fixture_rules(&p->v, 1,
			       "[" RULE("K", "{\"exe\":\"/bin/kubelet\"}", "report", "claim",
					"0") "," FILES("armed") "]");
	begin(p, false, true, 1);
	assert_int_equal(cases_item(&p->c, &i), 0);
	item(p, 4, PLUMB_TYPE_CLAIM, "file:/pki", false);
	end(p);
	begin(p, false, true, 5);
	item(p, 5, PLUMB_TYPE_CLAIM, "file:/pki", false);
	end(p);
	assert_int_equal(n_open(p), 1);
	assert_string_equal(node_fixture_case(&p->n, "file:/pki")->rule, "K");
	assert_int_equal(node_fixture_case(&p->n, "file:/pki")->count, 3);
	assert_non_null(strstr(node_fixture_case(&p->n, "file:/pki")->who, "/bin/kubelet"));
	assert_int_equal(p->sum.verdict.action, PLUMB_ACTION_REPORT);
	begin(p, false, true, 6);
	i = (struct appraise_drift_item){.seq = 6,
					 .type = PLUMB_TYPE_CLAIM,
					 .judgement = PLUMB_JUDGE_DRIFT,
					 .scope = "host",
					 .key = "file:/pki",
					 .expected = "one",
					 .found = "three"};
	assert_int_equal(cases_item(&p->c, &i), 0);
	end(p);
	assert_int_equal(n_open(p), 2);
	assert_int_equal(p->sum.verdict.action, PLUMB_ACTION_HOLD);
}

static void module(struct place *p, uint64_t seq, const char *found, bool good)
{
	const struct appraise_drift_item i = {.seq = seq,
					      .type = PLUMB_TYPE_MODULE,
					      .judgement =
						      good ? PLUMB_JUDGE_OK : PLUMB_JUDGE_DRIFT,
					      .scope = "host",
					      .key = "module:x",
					      .expected = "loaded srcversion=1",
					      .found = found};

	begin(p, false, true, seq);
	assert_int_equal(cases_item(&p->c, &i), 0);
	end(p);
}

static bool has_case(struct place *p, const char *rule)
{
	struct store_case k;

	return p->v.ops.case_find(p->v.store.ctx, p->n.record.node, rule, "host", "module:x", &k) ==
	       0;
}

/* Each line is judged by what it found: who is gone and comes back as another is seen, and who goes away again takes nothing with him. */
static void test_found_decides(void **state)
{
	static const char rules[] = "[" RULE("G", "{\"key\":\"module:x\",\"found\":\"absent\"}",
					     "report", "claim", "0") "," //
		RULE("M", "{\"key\":\"module:x\"}", "armed", "reboot", "0") "]";
	struct place *p = *state;

	verifier_fixture_rules(&p->v, 1, rules);
	module(p, 3, "absent", false);
	assert_true(has_case(p, "G") && !has_case(p, "M"));
	assert_int_equal(p->sum.verdict.action, PLUMB_ACTION_REPORT);
	module(p, 4, "loaded srcversion=2", false);
	assert_true(has_case(p, "M"));
	assert_int_equal(p->sum.verdict.action, PLUMB_ACTION_HOLD);
	module(p, 5, "absent", false);
	assert_true(has_case(p, "G") && has_case(p, "M"));
	assert_int_equal(n_open(p), 2);
	assert_int_equal(p->sum.verdict.action, PLUMB_ACTION_HOLD);
	rejudge(p, 2, rules);
	assert_true(has_case(p, "G") && has_case(p, "M"));
	module(p, 6, "loaded srcversion=1", true);
	assert_true(!has_case(p, "G") && has_case(p, "M"));
	assert_int_equal(p->sum.verdict.action, PLUMB_ACTION_HOLD);
}

/* No rule looked at who did it: then there is none to go on under, and the one for strangers is asked. */
static void test_found_again_without_rule(void **state)
{
	struct place *p = *state;
	const struct line_actor actor = {.known = true, .comm = "kubelet", .exe = "/bin/kubelet"};
	const struct appraise_drift_item i = {.seq = 3,
					      .type = PLUMB_TYPE_FILE,
					      .judgement = PLUMB_JUDGE_DRIFT,
					      .scope = "host",
					      .key = "file:/pki",
					      .expected = "one",
					      .found = "two",
					      .actor = &actor};

	verifier_fixture_rules(
		&p->v, 1,
		"[" RULE("S", "{\"not\":{\"exe\":\"/bin/kubelet\"}}", "armed", "claim", "0") "]");
	begin(p, false, true, 1);
	assert_int_equal(cases_item(&p->c, &i), 0);
	end(p);
	assert_int_equal(p->sum.verdict.action, PLUMB_ACTION_REPORT);
	begin(p, false, true, 4);
	item(p, 4, PLUMB_TYPE_CLAIM, "file:/pki", false);
	end(p);
	assert_int_equal(n_open(p), 2);
	assert_int_equal(p->sum.verdict.action, PLUMB_ACTION_HOLD);
}

/* Who has the client key cannot have a scan's finding judged by a rule that asks for less. */
static void test_found_again_unsigned(void **state)
{
	struct place *p = *state;
	const struct line_actor actor = {.known = true, .comm = "kubelet", .exe = "/bin/kubelet"};
	const struct appraise_drift_item i = {.seq = 3,
					      .type = PLUMB_TYPE_FILE,
					      .judgement = PLUMB_JUDGE_DRIFT,
					      .scope = "host",
					      .key = "file:/pki",
					      .expected = "one",
					      .found = "two",
					      .actor = &actor};

	verifier_fixture_rules(&p->v, 1,
			       "[" RULE("K", "{\"exe\":\"/bin/kubelet\"}", "report", "claim",
					"0") "," FILES("armed") "]");
	begin(p, true, false, 1);
	assert_int_equal(cases_item(&p->c, &i), 0);
	end(p);
	begin(p, false, true, 1);
	item(p, 4, PLUMB_TYPE_CLAIM, "file:/pki", false);
	end(p);
	assert_int_equal(p->sum.verdict.action, PLUMB_ACTION_HOLD);
}

/* Enrolled anew, its lines begin at 0: an old case goes on with them, and is settled by them. */
static void test_incarnation(void **state)
{
	struct place *p = *state;

	verifier_fixture_rules(&p->v, 1, "[" FILES("report") "]");
	begin(p, false, true, 900);
	item(p, 900, PLUMB_TYPE_CLAIM, "file:/a", false);
	item(p, 901, PLUMB_TYPE_CLAIM, "file:/b", false);
	end(p);
	begin(p, true, false, 902);
	item(p, 902, PLUMB_TYPE_CLAIM, "file:/c", false);
	end(p);
	p->row.incarnation = 2;
	begin(p, false, true, 0);
	item(p, 3, PLUMB_TYPE_CLAIM, "file:/a", true);
	item(p, 4, PLUMB_TYPE_CLAIM, "file:/b", false);
	assert_int_equal(cases_accepted(&p->c, &(struct cases_accepted){.size = 5}), 0);
	end(p);
	assert_false(is_open(p, "file:/a"));
	assert_true(is_open(p, "file:/b"));
	assert_int_equal(node_fixture_case(&p->n, "file:/b")->last_seq, 4);
	assert_int_equal(node_fixture_case(&p->n, "file:/b")->count, 2);
	/* What was never confirmed is not confirmed by another ledger's numbers. */
	begin(p, false, true, 5);
	assert_int_equal(cases_accepted(&p->c, &(struct cases_accepted){.size = 2000}), 0);
	end(p);
	assert_true(node_fixture_case(&p->n, "file:/c")->provisional);
	begin(p, false, true, 2000);
	item(p, 2000, PLUMB_TYPE_CLAIM, "file:/b", true);
	end(p);
	assert_false(is_open(p, "file:/b"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(merge),
		TEST(reboot_releases_what_was_before),
		TEST(reboot_of_another_incarnation),
		TEST(settle),
		TEST(unbound),
		TEST(flood),
		TEST(unbound_flood),
		TEST(rejudge),
		TEST(join),
		TEST(grace_of_what_is_over),
		TEST(found_again),
		TEST(found_again_unsigned),
		TEST(found_again_without_rule),
		TEST(found_decides),
		TEST(incarnation),
	};

	return cmocka_run_group_tests_name("cases", tests, NULL, NULL);
}
