/* SPDX-License-Identifier: Apache-2.0 */
/* An incident from the drift to the release, over real evidence: what goes by itself, what waits, what a late step and a restart do to it. */
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
#include "order.h"
#include "remedy_fixture.h"
#include "remedy_view.h"

#define RULE REMEDY_FIXTURE_RULE
#define EXEC REMEDY_FIXTURE_EXEC
#define PLAN REMEDY_FIXTURE_PLAN

static int on_target(void *ctx, const char *target, uint64_t n)
{
	(void)target;
	*(uint64_t *)ctx += n;
	return 0;
}

static uint64_t n_messages(struct remedy_fixture *p)
{
	uint64_t n = 0;

	assert_true(p->v.v.store->ops->message_targets(p->v.v.store->ctx, on_target, &n) >= 0);
	return n;
}

/* The default: a rule that says nothing of it. */
static void test_nothing_by_itself(void **state)
{
	struct remedy_fixture *p = *state;

	remedy_fixture_quarantine(p, RULE(EXEC, ""));
	remedy_fixture_pass(p, 60000);
	remedy_fixture_is_none(p);
	assert_int_equal(verifier_fixture_log(&p->v, "\"action\":\"remedy\""), 0);
}

static void test_to_the_release(void **state)
{
	struct remedy_fixture *p = *state;
	uint64_t told, order;

	remedy_fixture_quarantine(
		p, RULE(EXEC, PLAN("\"isolate\",\"snapshot\",\"reboot\"",
				   "\"isolate\",\"snapshot\",\"attest\",\"release\"")));
	remedy_fixture_is(p, REMEDY_ISOLATE, REMEDY_RUNS);
	assert_int_equal(verifier_fixture_log(&p->v, "\"event\":\"begun\""), 1);
	/* The node's word for it, and only under a quote. */
	node_fixture_record(&p->n, "isolation",
			    "\"what\":\"begun\",\"number\":1,\"done\":[\"network\"]");
	remedy_fixture_pass(p, 1000);
	remedy_fixture_is(p, REMEDY_ISOLATE, REMEDY_RUNS);
	remedy_fixture_evidence(p);
	remedy_fixture_is(p, REMEDY_SNAPSHOT, REMEDY_RUNS);
	node_fixture_record(&p->n, "snapshot", "\"number\":1,\"why\":\"no room\"");
	remedy_fixture_evidence(p);
	remedy_fixture_is(p, REMEDY_SNAPSHOT, REMEDY_RUNS);
	told = n_messages(p);
	node_fixture_record(&p->n, "snapshot", "\"number\":1,\"sha256\":\"00\"");
	remedy_fixture_evidence(p);
	remedy_fixture_is(p, REMEDY_REBOOT, REMEDY_WAITS);
	/* Nobody goes on by himself: a person is told. */
	assert_int_equal(n_messages(p), told + 1);
	order = remedy_fixture_last_order(p);
	remedy_fixture_pass(p, 60000);
	remedy_fixture_is(p, REMEDY_REBOOT, REMEDY_WAITS);
	assert_int_equal(remedy_fixture_says(p, "", PLUMB_ROLE_RESPONDER), 0);
	assert_non_null(strstr(p->text, "reboot runs until "));
	/* Whoever can reboot it hears of it; its agent's door stays shut. */
	assert_int_equal(remedy_fixture_last_order(p), order);
	assert_int_equal(n_messages(p), told + 2);
	assert_int_equal(remedy_fixture_says(p, "", PLUMB_ROLE_RESPONDER), 409);
	node_fixture_reboot(&p->n);
	remedy_fixture_evidence(p);
	remedy_fixture_is(p, REMEDY_ATTEST, REMEDY_RUNS);
	assert_int_equal(remedy_fixture_last_order(p), order + 1);
	/* Evidence that does not tell of the order is of before. */
	remedy_fixture_evidence(p);
	remedy_fixture_is(p, REMEDY_ATTEST, REMEDY_RUNS);
	remedy_fixture_take_order(p);
	remedy_fixture_evidence(p);
	remedy_fixture_is(p, REMEDY_ATTEST, REMEDY_RUNS);
	assert_string_equal(node_fixture_shown(&p->n), "quarantined");
	remedy_fixture_evidence(p);
	assert_int_equal(verifier_fixture_log(&p->v, "attest done, next release"), 1);
	remedy_fixture_tick(p);
	remedy_fixture_is_none(p);
	assert_false(node_fixture_is_open(&p->n, "exec:/usr/bin/new"));
	assert_string_not_equal(node_fixture_shown(&p->n), "quarantined");
	/* Its transitions, out of quarantine and, its evidence being good, into trust. */
	assert_int_equal(verifier_fixture_log(&p->v, "released by policy: remedy: by rule R"), 2);
	assert_int_equal(verifier_fixture_log(&p->v, "\"event\":\"free\""), 1);
}

static void test_late(void **state)
{
	struct remedy_fixture *p = *state;

	remedy_fixture_quarantine(
		p, RULE(EXEC, PLAN("\"isolate\",\"snapshot\"", "\"isolate\",\"snapshot\"")));
	remedy_fixture_pass(p, 119000);
	remedy_fixture_is(p, REMEDY_ISOLATE, REMEDY_RUNS);
	remedy_fixture_pass(p, 2000);
	remedy_fixture_is(p, REMEDY_ISOLATE, REMEDY_STUCK);
	remedy_fixture_pass(p, 60000);
	remedy_fixture_is(p, REMEDY_ISOLATE, REMEDY_STUCK);
	assert_int_equal(verifier_fixture_log(&p->v, "\"event\":\"late\""), 1);
	assert_int_equal(remedy_fixture_says(p, "skip", PLUMB_ROLE_RESPONDER), 0);
	remedy_fixture_pass(p, 1000);
	remedy_fixture_is(p, REMEDY_SNAPSHOT, REMEDY_RUNS);
	remedy_fixture_pass(p, 301000);
	remedy_fixture_is(p, REMEDY_ATTEST, REMEDY_WAITS);
}

#define HOLD(plan)                                                                               \
	"[{\"id\":\"R\",\"title\":\"t\",\"when\":{\"key\":{\"prefix\":\"file:\"}},\"severity\":" \
	"\"high\","                                                                              \
	"\"action\":"                                                                            \
	"\"hold\",\"mode\":\"armed\",\"release\":\"claim\",\"score\":100,\"grace_ms\":0,"        \
	"\"claim\":\"configuration\",\"value\":32" plan "}]"

static int on_order(void *ctx, uint64_t number, const void *envelope, size_t size)
{
	struct buf payload = {0}, type = {0};
	struct why why = {""};
	struct order o;

	(void)number;
	assert_int_equal(dsse_peek(envelope, size, 8192, &payload, &type, &why), 0);
	assert_int_equal(order_parse(payload.data, payload.size, &o, &why), 0);
	if (o.kind == ORDER_QUARANTINE || o.kind == ORDER_RELEASE)
		strcat(ctx, o.kind == ORDER_RELEASE ? "release " : "quarantine ");
	buf_done(&payload);
	buf_done(&type);
	return 0;
}

/* What it was ordered of its isolation, all in all. */
static void ordered(struct remedy_fixture *p, const char *want)
{
	const struct store *s = p->v.v.store;
	char all[256] = "";

	assert_int_equal(s->ops->order_each(s->ctx, p->n.record.node, 0, on_order, all), 0);
	assert_string_equal(all, want);
}

static void file(struct remedy_fixture *p, const char *found, const char *shown)
{
	node_fixture_file(&p->n, "/etc/a", found);
	remedy_fixture_pass(p, 1000);
	assert_int_equal(node_fixture_evidence(&p->n), PLUMB_RESULT_ACCEPTED);
	assert_string_equal(node_fixture_shown(&p->n), shown);
}

/* Held, and isolated by its plan. */
static void hold_and_isolate(struct remedy_fixture *p)
{
	file(p, "reg two", "held");
	remedy_fixture_let(p);
	remedy_fixture_tick(p);
	remedy_fixture_is(p, REMEDY_ISOLATE, REMEDY_RUNS);
}

/* A plan isolates also what is only held: whoever releases it ends that, too. */
static void test_held_isolated_released(void **state)
{
	struct remedy_fixture *p = *state;

	verifier_fixture_rules(&p->v, 1, HOLD(PLAN("\"isolate\"", "\"isolate\"")));
	hold_and_isolate(p);
	node_fixture_record(&p->n, "isolation",
			    "\"what\":\"begun\",\"number\":1,\"done\":[\"network\"]");
	remedy_fixture_evidence(p);
	remedy_fixture_is(p, REMEDY_ATTEST, REMEDY_WAITS);
	ordered(p, "quarantine ");
	assert_int_equal(remedy_fixture_says(p, "release", PLUMB_ROLE_APPROVER), 0);
	ordered(p, "quarantine release ");
	remedy_fixture_evidence(p);
	assert_string_not_equal(node_fixture_shown(&p->n), "held");
	remedy_fixture_is_none(p);
	ordered(p, "quarantine release ");
}

/* So does what held it, when it is over: also before the node has told that it began, and where the plan was stopped. */
static void test_held_isolated_good_again(void **state)
{
	struct remedy_fixture *p = *state;

	verifier_fixture_rules(&p->v, 1, HOLD(PLAN("\"isolate\"", "\"isolate\"")));
	hold_and_isolate(p);
	file(p, "reg one", "trusted");
	ordered(p, "quarantine release ");
	assert_int_equal(verifier_fixture_log(&p->v, "\"deeds\":[\"lift\",\"order_release\"]"), 1);
	/* It is in the book still, and that is no back door to isolate one that is free. */
	assert_int_equal(remedy_fixture_says(p, "isolate", PLUMB_ROLE_APPROVER), 409);
	assert_non_null(strstr(p->why.text, "is not held"));
	remedy_fixture_tick(p);
	remedy_fixture_is_none(p);
	hold_and_isolate(p);
	assert_int_equal(remedy_fixture_says(p, "stop", PLUMB_ROLE_RESPONDER), 0);
	file(p, "reg one", "trusted");
	ordered(p, "quarantine release quarantine release ");
	/* Held once more, and not isolated: nothing is ordered. */
	remedy_fixture_tick(p);
	verifier_fixture_rules(&p->v, 2, HOLD(""));
	file(p, "reg two", "held");
	file(p, "reg one", "trusted");
	ordered(p, "quarantine release quarantine release ");
}

/* By no way could it be: the ledger says so, and nothing goes on from there by itself. */
static void test_cannot_isolate(void **state)
{
	struct remedy_fixture *p = *state;

	remedy_fixture_quarantine(
		p, RULE(EXEC, PLAN("\"isolate\"", "\"isolate\",\"attest\",\"release\"")));
	node_fixture_record(&p->n, "isolation",
			    "\"what\":\"begun\",\"number\":1,\"done\":[],\"cannot\":[{\"way\":"
			    "\"network\",\"why\":\"no\"}]");
	remedy_fixture_evidence(p);
	remedy_fixture_is(p, REMEDY_ISOLATE, REMEDY_RUNS);
	remedy_fixture_pass(p, 120000);
	remedy_fixture_is(p, REMEDY_ISOLATE, REMEDY_STUCK);
}

/* It is kept, and nobody is late for the verifier's absence; a clock that jumps makes nobody late, either. */
static void test_restart(void **state)
{
	struct remedy_fixture *p = *state;

	remedy_fixture_quarantine(p, RULE(EXEC, PLAN("\"isolate\"", "\"isolate\"")));
	remedy_desk_free(p->remedy);
	contain_free(p->contain);
	verifier_fixture_stop(&p->v);
	p->v.utc_ns += 3600 * VERIFIER_FIXTURE_S;
	p->v.boot_ns += 3600 * VERIFIER_FIXTURE_S;
	verifier_fixture_start(&p->v);
	remedy_fixture_open_desk(p);
	remedy_fixture_tick(p);
	remedy_fixture_is(p, REMEDY_ISOLATE, REMEDY_RUNS);
	remedy_fixture_pass(p, 179000);
	remedy_fixture_is(p, REMEDY_ISOLATE, REMEDY_RUNS);
	verifier_fixture_jump(&p->v, 86400);
	remedy_fixture_tick(p);
	remedy_fixture_is(p, REMEDY_ISOLATE, REMEDY_RUNS);
	remedy_fixture_pass(p, 2000);
	remedy_fixture_is(p, REMEDY_ISOLATE, REMEDY_STUCK);
	assert_int_equal(verifier_fixture_log(&p->v, "\"event\":\"begun\""), 1);
}

static void test_people(void **state)
{
	struct remedy_fixture *p = *state;

	assert_int_equal(remedy_fixture_says(p, "", PLUMB_ROLE_APPROVER), 409); /* it is not held */
	remedy_fixture_quarantine(p, RULE(EXEC, PLAN("\"keys\"", "")));
	remedy_fixture_is(p, REMEDY_KEYS, REMEDY_WAITS);
	assert_int_equal(remedy_fixture_says(p, "pray", PLUMB_ROLE_APPROVER), 400);
	assert_non_null(strstr(p->why.text, "provision"));
	assert_int_equal(remedy_fixture_says(p, "", PLUMB_ROLE_RESPONDER), 403);
	assert_int_equal(remedy_fixture_says(p, "skip", PLUMB_ROLE_RESPONDER), 403);
	assert_int_equal(remedy_fixture_says(p, "release", PLUMB_ROLE_RESPONDER), 403);
	remedy_fixture_is(p, REMEDY_KEYS, REMEDY_WAITS);
	/* To choose what comes after it is to skip it; to choose what comes before is not. */
	assert_int_equal(remedy_fixture_says(p, "attest", PLUMB_ROLE_RESPONDER), 403);
	assert_string_equal(p->why.text,
			    "attest passes over keys, and that takes the role approver");
	remedy_fixture_is(p, REMEDY_KEYS, REMEDY_WAITS);
	assert_int_equal(remedy_fixture_says(p, "files", PLUMB_ROLE_RESPONDER), 0);
	remedy_fixture_is(p, REMEDY_FILES, REMEDY_RUNS);
	remedy_fixture_tick(p);
	remedy_fixture_is(p, REMEDY_KEYS, REMEDY_WAITS);
	assert_int_equal(remedy_fixture_says(p, "attest", PLUMB_ROLE_APPROVER), 0);
	remedy_fixture_is(p, REMEDY_ATTEST, REMEDY_RUNS);
	/* Stopped is stopped: the rule does not begin it again. */
	assert_int_equal(remedy_fixture_says(p, "stop", PLUMB_ROLE_RESPONDER), 0);
	remedy_fixture_pass(p, 5000);
	assert_int_equal(verifier_fixture_log(&p->v, "\"event\":\"begun\""), 1);
	assert_int_equal(remedy_fixture_says(p, "stop", PLUMB_ROLE_RESPONDER), 409);
	assert_string_equal(node_fixture_shown(&p->n), "quarantined");
	/* A person begins one of his own. */
	assert_int_equal(remedy_fixture_says(p, "", PLUMB_ROLE_RESPONDER), 0);
	remedy_fixture_is(p, REMEDY_ISOLATE, REMEDY_RUNS);
	assert_int_equal(remedy_fixture_says(p, "release", PLUMB_ROLE_APPROVER), 0);
	assert_string_not_equal(node_fixture_shown(&p->n), "quarantined");
	remedy_fixture_tick(p);
	remedy_fixture_is_none(p);
}

/* What the brakes hold back is not done by the back door. */
static void test_brakes(void **state)
{
	struct remedy_fixture *p = *state;
	struct contain_entry *e;

	remedy_fixture_quarantine(p, RULE(EXEC, PLAN("\"isolate\"", "")));
	remedy_fixture_is(p, REMEDY_ISOLATE, REMEDY_WAITS);
	remedy_fixture_pause(p, "{}");
	assert_int_equal(remedy_fixture_says(p, "", PLUMB_ROLE_APPROVER), 409);
	assert_non_null(strstr(p->why.text, "brakes"));
	assert_int_equal(remedy_fixture_says(p, "isolate", PLUMB_ROLE_APPROVER), 409);
	remedy_fixture_pause(p, "");
	assert_int_equal(remedy_fixture_says(p, "", PLUMB_ROLE_APPROVER), 0);
	assert_int_equal(remedy_fixture_says(p, "stop", PLUMB_ROLE_APPROVER), 0);
	/* Another node's, that is held back from the start. */
	e = contain_book_at(contain_book(p->contain), 0);
	assert_int_equal(p->v.v.store->ops->begin(p->v.v.store->ctx), 0);
	assert_int_equal(remedy_book_remove(p->v.v.store, e->id), 0);
	assert_int_equal(p->v.v.store->ops->commit(p->v.v.store->ctx), 0);
	e->let = false;
	remedy_fixture_pass(p, 5000);
	remedy_fixture_is_none(p);
	e->let = true;
	remedy_fixture_pass(p, 1000);
	remedy_fixture_is(p, REMEDY_ISOLATE, REMEDY_WAITS);
}

static void test_nothing_by_itself_while_paused(void **state)
{
	struct remedy_fixture *p = *state;

	p->paused = true;
	remedy_fixture_quarantine(p, RULE(EXEC, PLAN("\"isolate\"", "\"isolate\"")));
	remedy_fixture_pause(p, "{}");
	remedy_fixture_pass(p, 5000);
	remedy_fixture_is(p, REMEDY_ISOLATE, REMEDY_WAITS);
	remedy_fixture_pause(p, "");
	remedy_fixture_pass(p, 1000);
	remedy_fixture_is(p, REMEDY_ISOLATE, REMEDY_RUNS);
}

static void test_view(void **state)
{
	struct remedy_fixture *p = *state;
	struct store_node n;
	struct buf b = {0};
	struct jsonl j;

	remedy_fixture_quarantine(p, RULE(EXEC, PLAN("\"isolate\",\"reboot\"", "\"isolate\"")));
	n = verifier_fixture_node(&p->v, p->n.record.node);
	jsonl_begin(&j, &b);
	assert_int_equal(remedy_view_put(p->v.v.store, &n, &j), 0);
	jsonl_end(&j);
	assert_int_equal(buf_status(&b), 0);
	assert_non_null(
		strstr((char *)b.data, "{\"remedy\":{\"step\":\"isolate\",\"phase\":\"runs\","));
	assert_non_null(strstr((char *)b.data, "\"then\":\"a person decides\",\"itself\":false,"));
	assert_non_null(strstr((char *)b.data, "\"plan\":[\"isolate\",\"reboot\",\"attest\","
					       "\"release\"],\"auto\":[\"isolate\"],\"done\":[]"));
	assert_non_null(strstr((char *)b.data, "\"rule\":\"R\",\"by\":\"policy\""));
	buf_done(&b);
	store_node_done(&n);
}

/* A plan goes by itself as long as the policy lets it: the next one may let less, and never more in the middle of it. */
static void test_next_policy(void **state)
{
	static const char all[] =
		RULE(EXEC, PLAN("\"isolate\"", "\"isolate\",\"attest\",\"release\""));
	static const char less[] = RULE(EXEC, PLAN("\"isolate\"", "\"isolate\",\"attest\""));
	struct remedy_fixture *p = *state;

	remedy_fixture_quarantine(p, all);
	remedy_fixture_is(p, REMEDY_ISOLATE, REMEDY_RUNS);
	verifier_fixture_rules(&p->v, 2, less);
	remedy_fixture_tick(p);
	verifier_fixture_rules(&p->v, 3, all);
	node_fixture_record(&p->n, "isolation",
			    "\"what\":\"begun\",\"number\":1,\"done\":[\"network\"]");
	remedy_fixture_evidence(p);
	remedy_fixture_is(p, REMEDY_ATTEST, REMEDY_RUNS);
	remedy_fixture_take_order(p);
	remedy_fixture_evidence(p);
	remedy_fixture_evidence(p);
	remedy_fixture_is(p, REMEDY_RELEASE, REMEDY_WAITS);
}

/* A record that cannot be read stops nobody's time, and a clock that jumps moves the others once. */
static void test_jump_beside_a_broken_record(void **state)
{
	struct remedy_fixture *p = *state;
	const struct store *s = p->v.v.store;
	struct remedy_record k;
	struct why why = {""};
	uint64_t until;

	remedy_fixture_quarantine(p, RULE(EXEC, PLAN("\"isolate\"", "\"isolate\"")));
	assert_int_equal(remedy_book_get(s, p->n.record.node, &k, &why), 0);
	until = k.m.until_ns;
	assert_int_equal(s->ops->begin(s->ctx), 0);
	assert_int_equal(s->ops->blob_put(s->ctx, REMEDY_BOOK_BLOB, "x", "{}", 2), 0);
	assert_int_equal(s->ops->commit(s->ctx), 0);
	verifier_fixture_jump(&p->v, 86400);
	for (int i = 0; i < 3; i++)
		assert_true(remedy_desk_tick(p->remedy) < 0);
	assert_int_equal(remedy_book_get(s, p->n.record.node, &k, &why), 0);
	assert_int_equal(k.m.until_ns, until + 86400 * VERIFIER_FIXTURE_S);
	remedy_fixture_is(p, REMEDY_ISOLATE, REMEDY_RUNS);
}

/* What lies there and is not ours is an error, and no "there is none". */
static void test_broken_record(void **state)
{
	static const char *const twins[] = {
		"", "{}", "{\"v\":1}",
		"{\"v\":2,\"plan\":2,\"auto\":0,\"seen\":0,\"step\":1,\"phase\":\"runs\"}",
		"{\"v\":1,\"plan\":2,\"auto\":0,\"seen\":0,\"step\":10,\"phase\":\"runs\"}"};
	struct remedy_fixture *p = *state;
	const struct store *s = p->v.v.store;
	struct remedy_record k;
	struct why why = {""};

	for (size_t i = 0; i < sizeof(twins) / sizeof(twins[0]); i++) {
		assert_int_equal(s->ops->begin(s->ctx), 0);
		assert_int_equal(
			s->ops->blob_put(s->ctx, REMEDY_BOOK_BLOB, "x", twins[i], strlen(twins[i])),
			0);
		assert_int_equal(s->ops->commit(s->ctx), 0);
		if (remedy_book_get(s, "x", &k, &why) != -EBADMSG)
			fail_msg("%s was taken", twins[i]);
	}
}

/* Our own failure leaves all as it was, and it is done when it can be. */
static void test_store_fails(void **state)
{
	struct remedy_fixture *p = *state;

	remedy_fixture_quarantine(p, RULE(EXEC, PLAN("\"isolate\"", "")));
	remedy_fixture_is(p, REMEDY_ISOLATE, REMEDY_WAITS);
	node_fixture_record(&p->n, "isolation",
			    "\"what\":\"begun\",\"number\":1,\"done\":[\"network\"]");
	assert_int_equal(node_fixture_evidence(&p->n), PLUMB_RESULT_ACCEPTED);
	p->v.faults.node_put = -ESTALE;
	assert_int_equal(remedy_desk_tick(p->remedy), -ESTALE);
	remedy_fixture_is(p, REMEDY_ISOLATE, REMEDY_WAITS);
	p->v.faults.node_put = 0;
	remedy_fixture_tick(p);
	remedy_fixture_is(p, REMEDY_ATTEST, REMEDY_WAITS);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, remedy_fixture_open, remedy_fixture_done)
	const struct CMUnitTest tests[] = {
		TEST(test_nothing_by_itself),
		TEST(test_to_the_release),
		TEST(test_held_isolated_released),
		TEST(test_held_isolated_good_again),
		TEST(test_cannot_isolate),
		TEST(test_late),
		TEST(test_restart),
		TEST(test_people),
		TEST(test_view),
		TEST(test_brakes),
		TEST(test_nothing_by_itself_while_paused),
		TEST(test_next_policy),
		TEST(test_jump_beside_a_broken_record),
		TEST(test_broken_record),
		TEST(test_store_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
