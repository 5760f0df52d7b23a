/* SPDX-License-Identifier: Apache-2.0 */
/* Evidence in at one end, a node's row, cases, log and answer out at the other: by real signatures, into the real store. */
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

static void test_good(void **state)
{
	struct place *p = *state;

	trusted(p);
	assert_int_equal(p->n.answer.size, p->n.tree.size);
	assert_int_equal(p->n.answer.confirmed_size, p->n.tree.size);
	assert_true(p->n.answer.cosignature[0]);
	assert_int_equal(verifier_fixture_log(&p->v, "\"type\":\"verdict\""), 1);
	assert_int_equal(verifier_fixture_log(&p->v, "\"type\":\"head\""), 1);
	assert_int_equal(verifier_fixture_log(&p->v, "\"from\":\"enrolled\",\"to\":\"trusted\""),
			 1);
	node_fixture_file(&p->n, "/etc/a", "reg one");
	trusted(p);
	assert_int_equal(verifier_fixture_cases(&p->v, p->n.record.node, NULL, NULL), 0);
}

/* A body that is good, and what happens to it before it is sent. */
static int give_changed(struct place *p, bool provisional,
			void (*change)(struct place *p, struct buf *b))
{
	struct buf body = {0};
	int status;

	if (!provisional)
		node_fixture_extend(&p->n);
	assert_int_equal(node_fixture_nonce(&p->n), 200);
	node_fixture_body(&p->n, p->n.answer.size, provisional, false, &body);
	change(p, &body);
	status = node_fixture_give(&p->n, provisional, &body);
	buf_done(&body);
	return status;
}

static void cut(struct place *p, struct buf *b)
{
	(void)p;
	buf_cut(b, b->size - 1);
}

static void turn_line(struct place *p, struct buf *b)
{
	(void)p;
	b->data[b->size - 10] ^= 1;
}

static void forget_nonce(struct place *p, struct buf *b)
{
	(void)b;
	assert_int_equal(node_fixture_nonce(&p->n), 200);
}

static void wait_long(struct place *p, struct buf *b)
{
	(void)b;
	p->v.boot_ns += 11 * VERIFIER_FIXTURE_S;
	p->v.utc_ns += 11 * VERIFIER_FIXTURE_S;
}

static void nothing(struct place *p, struct buf *b)
{
	(void)p;
	(void)b;
}

static void test_bad_bodies(void **state)
{
	struct place *p = *state;
	struct store_node before, after;

	trusted(p);
	before = verifier_fixture_node(&p->v, p->n.record.node);
	node_fixture_file(&p->n, "/etc/a", "reg two");
	assert_int_equal(give_changed(p, false, cut), 400);
	assert_int_equal(give_changed(p, false, turn_line), 200);
	assert_int_equal(p->n.answer.result, PLUMB_RESULT_REFUSED);
	assert_true(p->n.answer.reason[0]);
	assert_int_equal(give_changed(p, false, forget_nonce), 409);
	assert_non_null(strstr(p->n.text, "cure"));
	assert_int_equal(give_changed(p, false, wait_long), 409);
	after = verifier_fixture_node(&p->v, p->n.record.node);
	assert_int_equal(before.version, after.version);
	assert_int_equal(verifier_fixture_cases(&p->v, p->n.record.node, NULL, NULL), 0);
	store_node_done(&before);
	store_node_done(&after);
	assert_int_equal(give_changed(p, false, nothing), 200);
	assert_int_equal(p->n.answer.result, PLUMB_RESULT_ACCEPTED);
	assert_true(node_fixture_is_open(&p->n, "file:/etc/a"));
}

static void spoil_note(struct place *p, struct buf *b)
{
	uint8_t *at = memmem(b->data, b->size, "\"notes\":[\"", 10);

	(void)p;
	assert_non_null(at);
	at[150] = at[150] == 'A' ? 'B' : 'A';
}

static void strange_note(struct place *p, struct buf *b)
{
	struct buf with = {0};
	uint8_t *at = memmem(b->data, b->size, "\"notes\":[", 9);

	(void)p;
	assert_non_null(at);
	at = memchr(at, '[', 20);
	buf_put(&with, b->data, (size_t)(at + 1 - b->data));
	buf_puts(&with, "\"\u2014 somebody AAAAAA==\"");
	buf_put(&with, memchr(at, ']', 4096),
		b->size - (size_t)((uint8_t *)memchr(at, ']', 4096) - b->data));
	buf_done(b);
	*b = with;
}

/* A note that is not the event key's signature is no evidence of anything but a lie, and is not kept. */
static void test_false_notes(void **state)
{
	static void (*const lies[])(struct place * p, struct buf * b) = {spoil_note, strange_note};
	struct place *p = *state;
	struct store_node before, after;

	trusted(p);
	before = verifier_fixture_node(&p->v, p->n.record.node);
	for (int i = 0; i < 4; i++) {
		struct buf body = {0};
		bool provisional = i % 2;

		node_fixture_file(&p->n, "/etc/a", "reg one");
		node_fixture_extend(&p->n);
		assert_int_equal(node_fixture_nonce(&p->n), 200);
		node_fixture_body(&p->n, p->n.answer.size, provisional, true, &body);
		lies[i / 2](p, &body);
		assert_int_equal(node_fixture_give(&p->n, provisional, &body), 200);
		assert_int_equal(p->n.answer.result, PLUMB_RESULT_REFUSED);
		assert_non_null(strstr(p->n.answer.reason, "none of the notes is the event key's"));
		buf_done(&body);
	}
	after = verifier_fixture_node(&p->v, p->n.record.node);
	assert_int_equal(before.version, after.version);
	store_node_done(&before);
	store_node_done(&after);
	trusted(p);
}

static void test_replay(void **state)
{
	struct place *p = *state;
	struct buf body = {0};

	node_fixture_extend(&p->n);
	assert_int_equal(node_fixture_nonce(&p->n), 200);
	node_fixture_body(&p->n, 0, false, true, &body);
	assert_int_equal(node_fixture_give(&p->n, false, &body), 200);
	assert_int_equal(p->n.answer.result, PLUMB_RESULT_ACCEPTED);
	assert_int_equal(node_fixture_give(&p->n, false, &body), 409);
	/* Under another nonce it is another quote's. */
	assert_int_equal(node_fixture_nonce(&p->n), 200);
	assert_int_equal(node_fixture_give(&p->n, false, &body), 409);
	buf_done(&body);
}

static void test_senders(void **state)
{
	struct place *p = *state;
	struct node_fixture other;
	struct buf body = {0}, answer = {0};
	struct cert_identity who;

	node_fixture_open(&other, &p->v, 2);
	node_fixture_extend(&other);
	assert_int_equal(node_fixture_nonce(&other), 200);
	node_fixture_body(&other, 0, false, true, &body);
	/* Another node's evidence under this one's certificate, and each kind on the other's route. */
	assert_int_equal(node_fixture_give(&p->n, false, &body), 403);
	assert_int_equal(node_fixture_give(&other, true, &body), 400);
	who = other.who;
	who.kind = CERT_OPERATOR;
	assert_int_equal(intake_evidence(p->v.intake, &who, body.data, body.size, &answer), 403);
	assert_int_equal(intake_evidence(p->v.intake, NULL, body.data, body.size, &answer), 403);
	assert_int_equal(intake_nonce(p->v.intake, NULL, &answer), 403);
	who = other.who;
	who.key_id.bytes[0] ^= 1;
	assert_int_equal(intake_evidence(p->v.intake, &who, body.data, body.size, &answer), 403);
	who = other.who;
	who.name[0] ^= 1;
	assert_int_equal(intake_evidence(p->v.intake, &who, body.data, body.size, &answer), 403);
	assert_int_equal(node_fixture_give(&other, false, &body), 200);
	other.record.incarnation = 2;
	buf_clear(&body);
	assert_int_equal(node_fixture_nonce(&other), 200);
	node_fixture_body(&other, 0, false, true, &body);
	assert_int_equal(node_fixture_give(&other, false, &body), 409);
	buf_done(&body);
	buf_done(&answer);
	node_fixture_done(&other);
}

static void test_retired(void **state)
{
	struct place *p = *state;
	struct store_node row;
	const struct transition t = {.v = &p->v.v};
	const struct transition_cause c = {.text = "test"};

	trusted(p);
	row = verifier_fixture_node(&p->v, p->n.record.node);
	assert_int_equal(p->v.ops.begin(p->v.store.ctx), 0);
	assert_int_equal(transition_apply(&t, &row, NODE_RETIRED, &c), 1);
	assert_int_equal(p->v.ops.node_put(p->v.store.ctx, &row), 0);
	assert_int_equal(p->v.ops.commit(p->v.store.ctx), 0);
	store_node_done(&row);
	assert_int_equal(node_fixture_nonce(&p->n), 403);
	verifier_fixture_pass(&p->v, 200000);
	assert_string_equal(node_fixture_shown(&p->n), "retired");
}

static void test_shorter_head(void **state)
{
	struct place *p = *state;
	struct buf old = {0};

	trusted(p);
	node_fixture_file(&p->n, "/etc/a", "reg two");
	node_fixture_extend(&p->n);
	assert_int_equal(node_fixture_nonce(&p->n), 200);
	node_fixture_body(&p->n, p->n.answer.size, true, true, &old);
	node_fixture_file(&p->n, "/etc/b", "reg two");
	assert_int_equal(node_fixture_evidence(&p->n), PLUMB_RESULT_ACCEPTED);
	assert_int_equal(node_fixture_give(&p->n, true, &old), 200);
	assert_int_equal(p->n.answer.result, PLUMB_RESULT_SEND_AGAIN);
	assert_int_equal(p->n.answer.size, p->n.tree.size);
	buf_done(&old);
}

/* Unsigned it opens a case and moves nothing; evidence confirms it. */
static void test_unsigned(void **state)
{
	struct place *p = *state;
	uint64_t size;

	trusted(p);
	size = p->n.answer.size;
	node_fixture_file(&p->n, "/etc/a", "reg two");
	assert_int_equal(node_fixture_drift(&p->n, false), PLUMB_RESULT_STORED);
	assert_int_equal(p->n.answer.size, size);
	assert_true(node_fixture_is_open(&p->n, "file:/etc/a"));
	assert_true(node_fixture_case(&p->n, "file:/etc/a")->provisional);
	assert_string_equal(node_fixture_shown(&p->n), "trusted");
	assert_int_equal(node_fixture_evidence(&p->n), PLUMB_RESULT_ACCEPTED);
	assert_true(node_fixture_is_open(&p->n, "file:/etc/a"));
	assert_false(node_fixture_case(&p->n, "file:/etc/a")->provisional);
	assert_int_equal(node_fixture_case(&p->n, "file:/etc/a")->count, 1);
}

static void test_signed(void **state)
{
	struct place *p = *state;

	trusted(p);
	node_fixture_file(&p->n, "/etc/a", "reg two");
	assert_int_equal(node_fixture_drift(&p->n, true), PLUMB_RESULT_STORED);
	assert_int_equal(p->n.answer.size, p->n.tree.size);
	assert_true(p->n.answer.confirmed_size < p->n.tree.size);
	assert_true(node_fixture_case(&p->n, "file:/etc/a")->provisional);
	assert_int_equal(node_fixture_evidence(&p->n), PLUMB_RESULT_ACCEPTED);
	assert_true(node_fixture_is_open(&p->n, "file:/etc/a"));
	assert_false(node_fixture_case(&p->n, "file:/etc/a")->provisional);
}

/* What only an unsigned message ever told is not in the ledger: nobody is quarantined for it, and it does not stay. */
static void test_invented(void **state)
{
	struct place *p = *state;
	struct merkle tree;
	size_t lines;

	trusted(p);
	tree = p->n.tree;
	lines = p->n.lines.size;
	node_fixture_exec(&p->n, "/tmp/never");
	assert_int_equal(node_fixture_drift(&p->n, false), PLUMB_RESULT_STORED);
	assert_true(node_fixture_is_open(&p->n, "exec:/tmp/never"));
	p->n.tree = tree;
	buf_cut(&p->n.lines, lines);
	p->n.kseq--;
	node_fixture_file(&p->n, "/etc/a", "reg one");
	node_fixture_file(&p->n, "/etc/b", "reg one");
	trusted(p);
	assert_false(node_fixture_is_open(&p->n, "exec:/tmp/never"));
	assert_int_equal(verifier_fixture_cases(&p->v, p->n.record.node, NULL, NULL), 0);
}

/* Good again in the same evidence, or in one that came as a signed provisional, counts like any other. */
static void test_good_again(void **state)
{
	struct place *p = *state;

	verifier_fixture_rules(
		&p->v, 1,
		"[" NODE_FIXTURE_RULE("R", "{\"type\":\"claim\"}", "report", "claim", "0") "]");
	trusted(p);
	node_fixture_file(&p->n, "/etc/b", "reg one");
	node_fixture_file(&p->n, "/etc/a", "reg two");
	node_fixture_file(&p->n, "/etc/a", "reg one");
	trusted(p);
	assert_int_equal(node_fixture_case(&p->n, "file:/etc/a")->count, 1);
	assert_false(node_fixture_is_open(&p->n, "file:/etc/a"));
	node_fixture_file(&p->n, "/etc/b", "reg two");
	assert_int_equal(node_fixture_evidence(&p->n), PLUMB_RESULT_ACCEPTED);
	assert_true(node_fixture_is_open(&p->n, "file:/etc/b"));
	node_fixture_file(&p->n, "/etc/b", "reg one");
	assert_int_equal(node_fixture_drift(&p->n, true), PLUMB_RESULT_STORED);
	trusted(p);
	assert_false(node_fixture_is_open(&p->n, "file:/etc/b"));
}

static void test_fork(void **state)
{
	struct place *p = *state;
	struct merkle tree;
	size_t lines;

	trusted(p);
	tree = p->n.tree;
	lines = p->n.lines.size;
	node_fixture_file(&p->n, "/etc/a", "reg two");
	assert_int_equal(node_fixture_drift(&p->n, true), PLUMB_RESULT_STORED);
	p->n.tree = tree;
	buf_cut(&p->n.lines, lines);
	node_fixture_file(&p->n, "/etc/a", "reg one");
	node_fixture_file(&p->n, "/etc/b", "reg one");
	/* Whoever has a stolen client key alone cannot do that. */
	assert_int_equal(give_changed(p, true, nothing), 200);
	assert_int_equal(p->n.answer.result, PLUMB_RESULT_REFUSED);
	assert_string_equal(node_fixture_shown(&p->n), "trusted");
	assert_int_equal(node_fixture_evidence(&p->n), PLUMB_RESULT_FORKED);
	assert_string_equal(node_fixture_shown(&p->n), "forked");
	assert_string_equal(p->n.answer.state, "forked");
	assert_int_equal(verifier_fixture_log(&p->v, "\"to\":\"forked\""), 1);
	assert_true(node_fixture_is_open(&p->n, "finding:fork"));
	assert_false(node_fixture_case(&p->n, "finding:fork")->provisional);
	/* Latched, and told once. */
	assert_int_equal(node_fixture_evidence(&p->n), PLUMB_RESULT_FORKED);
	verifier_fixture_pass(&p->v, 400000);
	assert_string_equal(node_fixture_shown(&p->n), "forked");
	assert_int_equal(verifier_fixture_log(&p->v, "\"to\":\"forked\""), 1);
}

static enum plumb_result give_signed(struct place *p)
{
	struct buf body = {0};

	node_fixture_body(&p->n, 3, true, true, &body);
	assert_int_equal(node_fixture_give(&p->n, true, &body), 200);
	buf_done(&body);
	return p->n.answer.result;
}

/* It needs no quote: two heads that the event key signed are enough, and proof as they stand. */
static void test_fork_by_provisional(void **state)
{
	struct place *p = *state;
	struct merkle tree;
	size_t lines;

	trusted(p);
	tree = p->n.tree;
	lines = p->n.lines.size;
	node_fixture_file(&p->n, "/etc/a", "reg one");
	assert_int_equal(node_fixture_drift(&p->n, true), PLUMB_RESULT_STORED);
	p->n.tree = tree;
	buf_cut(&p->n.lines, lines);
	node_fixture_file(&p->n, "/etc/b", "reg one");
	node_fixture_file(&p->n, "/etc/b", "reg one");
	assert_int_equal(give_changed(p, true, nothing), 200);
	assert_int_equal(p->n.answer.result, PLUMB_RESULT_REFUSED);
	assert_int_equal(give_signed(p), PLUMB_RESULT_FORKED);
	assert_string_equal(node_fixture_shown(&p->n), "forked");
	assert_false(node_fixture_case(&p->n, "finding:fork")->provisional);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_good, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_bad_bodies, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_false_notes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_replay, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_senders, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_retired, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_shorter_head, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_unsigned, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_signed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_invented, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_good_again, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_fork, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_fork_by_provisional, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("intake", tests, NULL, NULL);
}
