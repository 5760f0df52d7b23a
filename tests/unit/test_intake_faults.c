/* SPDX-License-Identifier: Apache-2.0 */
/* What breaks on the verifier's own side while evidence is taken, or is not there at all: nothing is lost, and nothing counts as good. */
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

static void trusted(struct place *p)
{
	assert_int_equal(node_fixture_evidence(&p->n), PLUMB_RESULT_ACCEPTED);
	assert_string_equal(p->n.answer.state, "trusted");
	assert_string_equal(node_fixture_shown(&p->n), "trusted");
}

/* The store fails at each change in turn: nothing of it is there, neither in the store nor in the log, and the same body is good later. */
static void test_store_fails(void **state)
{
	struct place *p = *state;
	struct buf body = {0}, answer = {0};
	uint64_t lines;
	long at = 0;
	int r = -1;

	trusted(p);
	node_fixture_file(&p->n, "/etc/a", "reg two");
	node_fixture_extend(&p->n);
	lines = vlog_size(p->v.v.vlog);
	for (; at < 100 && r < 0; at++) {
		assert_int_equal(node_fixture_nonce(&p->n), 200);
		buf_clear(&body);
		node_fixture_body(&p->n, 3, false, true, &body);
		p->v.faults.changes = at;
		r = intake_evidence(p->v.intake, &p->n.who, body.data, body.size, &answer);
		p->v.faults.changes = -1;
		if (r < 0) {
			assert_int_equal(vlog_size(p->v.v.vlog), lines);
			assert_int_equal(
				verifier_fixture_cases(&p->v, p->n.record.node, NULL, NULL), 0);
			assert_string_equal(node_fixture_shown(&p->n), "trusted");
		}
	}
	assert_true(at > 5 && at < 100);
	assert_int_equal(r, 200);
	assert_true(node_fixture_is_open(&p->n, "file:/etc/a"));
	assert_int_equal(verifier_fixture_log(&p->v, "void"), 0);
	buf_done(&body);
	buf_done(&answer);
}

static int evidence_fails(struct place *p)
{
	struct buf body = {0}, answer = {0};
	int r;

	node_fixture_extend(&p->n);
	assert_int_equal(node_fixture_nonce(&p->n), 200);
	node_fixture_body(&p->n, p->n.answer.size, false, true, &body);
	r = intake_evidence(p->v.intake, &p->n.who, body.data, body.size, &answer);
	buf_done(&body);
	buf_done(&answer);
	return r;
}

/* Log on the disk, store not: the log says itself which of its lines did not come to pass, at once or after a crash. */
static void test_half_committed(void **state)
{
	struct place *p = *state;
	uint64_t from;
	char text[64];

	trusted(p);
	node_fixture_file(&p->n, "/etc/a", "reg two");
	from = vlog_size(p->v.v.vlog);
	p->v.faults.late = -ENOSPC;
	assert_int_equal(evidence_fails(p), -ENOSPC);
	p->v.faults.late = 0;
	assert_string_equal(node_fixture_shown(&p->n), "trusted");
	assert_true(vlog_synced_size(p->v.v.vlog) > from);
	assert_int_equal(node_fixture_evidence(&p->n), PLUMB_RESULT_ACCEPTED);
	snprintf(text, sizeof(text), "\"action\":\"void\"");
	assert_int_equal(verifier_fixture_log(&p->v, text), 1);
	snprintf(text, sizeof(text), "\"from\":%llu,\"to\":", (unsigned long long)from);
	assert_int_equal(verifier_fixture_log(&p->v, text), 1);
	from = vlog_size(p->v.v.vlog);
	node_fixture_file(&p->n, "/etc/b", "reg two");
	p->v.faults.late = -EIO;
	assert_int_equal(evidence_fails(p), -EIO);
	verifier_fixture_stop(&p->v);
	verifier_fixture_start(&p->v);
	snprintf(text, sizeof(text), "\"from\":%llu,\"to\":", (unsigned long long)from);
	assert_int_equal(verifier_fixture_log(&p->v, text), 1);
	verifier_fixture_stop(&p->v);
	verifier_fixture_start(&p->v);
	assert_int_equal(verifier_fixture_log(&p->v, "\"action\":\"void\""), 2);
	assert_int_equal(node_fixture_evidence(&p->n), PLUMB_RESULT_ACCEPTED);
	assert_true(node_fixture_is_open(&p->n, "file:/etc/b"));
}

/* A log that cannot be written: no evidence is accepted that it does not tell of. */
static void test_log_fails(void **state)
{
	struct place *p = *state;

	trusted(p);
	node_fixture_file(&p->n, "/etc/a", "reg two");
	p->v.disk.left = 0;
	assert_true(evidence_fails(p) < 0);
	p->v.disk.left = -1;
	assert_string_equal(node_fixture_shown(&p->n), "trusted");
	assert_int_equal(verifier_fixture_cases(&p->v, p->n.record.node, NULL, NULL), 0);
	assert_int_equal(node_fixture_evidence(&p->n), PLUMB_RESULT_ACCEPTED);
	assert_true(node_fixture_is_open(&p->n, "file:/etc/a"));
}

/* A log that is shorter than the store knows it was cut, and is not gone on with. */
static void test_log_cut(void **state)
{
	struct place *p = *state;
	char command[256];

	trusted(p);
	verifier_fixture_stop(&p->v);
	snprintf(command, sizeof(command), "rm -rf %s", p->v.log_dir);
	assert_int_equal(system(command), 0);
	assert_int_equal(verifier_fixture_try_start(&p->v), -EBADMSG);
}

/* "Could not check" is no reason to trust, and not the node's fault. */
static void test_baseline_gone(void **state)
{
	struct place *p = *state;
	char command[256];

	assert_int_equal(node_fixture_evidence(&p->n), PLUMB_RESULT_ACCEPTED);
	snprintf(command, sizeof(command), "mkdir %s/away; mv %s/???* %s/away", p->v.dir,
		 p->v.baseline_dir, p->v.dir);
	verifier_fixture_stop(&p->v);
	assert_int_equal(system(command), 0);
	verifier_fixture_start(&p->v);
	assert_int_equal(evidence_fails(p), -ENOENT);
	verifier_fixture_pass(&p->v, 181000);
	assert_string_equal(node_fixture_shown(&p->n), "silent");
	snprintf(command, sizeof(command),
		 "for f in %s/away/*; do head -c 700 $f >%s/${f##*/}; done", p->v.dir,
		 p->v.baseline_dir);
	assert_int_equal(system(command), 0);
	assert_true(evidence_fails(p) < 0);
	assert_string_equal(node_fixture_shown(&p->n), "silent");
	snprintf(command, sizeof(command), "cp %s/away/* %s", p->v.dir, p->v.baseline_dir);
	assert_int_equal(system(command), 0);
	trusted(p);
}

static void because(struct node_fixture *n, const char *text)
{
	struct store_node row = verifier_fixture_node(n->v, n->record.node);

	assert_string_equal(row.cause, text);
	store_node_done(&row);
}

/* Without a policy nothing says that a drift is harmless; with one, what it does not name is none of the node's. */
static void test_no_policy(void **state)
{
	struct place *p = *state;

	node_fixture_file(&p->n, "/etc/a", "reg two");
	assert_int_equal(node_fixture_evidence(&p->n), PLUMB_RESULT_ACCEPTED);
	assert_string_equal(node_fixture_shown(&p->n), "degraded");
	verifier_fixture_rules(
		&p->v, 1,
		"[" NODE_FIXTURE_RULE("R", "{\"type\":\"exec\"}", "armed", "ack", "0") "]");
	trusted(p);
	node_fixture_exec(&p->n, "/tmp/x");
	assert_int_equal(node_fixture_evidence(&p->n), PLUMB_RESULT_ACCEPTED);
	assert_string_equal(node_fixture_shown(&p->n), "held");
}

static void test_no_baseline(void **state)
{
	struct place *p = *state;
	struct node_fixture other;
	struct store_node row;
	struct baseline_info info = {.version = 1};

	node_fixture_open(&other, &p->v, 2);
	assert_int_equal(node_fixture_evidence(&other), PLUMB_RESULT_ACCEPTED);
	assert_string_equal(node_fixture_shown(&other), "degraded");
	because(&other, "it does not judge by a baseline yet");
	/* Assigned is not judged by: neither the next evidence nor a person's word makes it good before the node has it. */
	row = verifier_fixture_node(&p->v, p->n.record.node);
	info.document = row.baseline;
	store_node_done(&row);
	node_fixture_assign(&other, &info);
	other.baseline_version = 0;
	assert_int_equal(node_fixture_evidence(&other), PLUMB_RESULT_ACCEPTED);
	assert_string_equal(node_fixture_shown(&other), "degraded");
	verifier_fixture_rules(&p->v, 1, "[]");
	assert_string_equal(node_fixture_shown(&other), "degraded");
	other.baseline_version = 1;
	assert_int_equal(node_fixture_evidence(&other), PLUMB_RESULT_ACCEPTED);
	assert_string_equal(node_fixture_shown(&other), "trusted");
	node_fixture_done(&other);
}
int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_store_fails, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_half_committed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_log_fails, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_log_cut, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_baseline_gone, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_no_policy, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_no_baseline, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("intake_faults", tests, NULL, NULL);
}
