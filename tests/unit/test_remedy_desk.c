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

#include "contain.h"
#include "node.h"
#include "node_fixture.h"
#include "remedy_book.h"
#include "remedy_desk.h"
#include "remedy_view.h"

#define RULE(when, remedy)                                                                    \
	"[{\"id\":\"R\",\"title\":\"t\",\"when\":" when ",\"severity\":\"high\",\"action\":"  \
	"\"quarantine\",\"mode\":\"armed\",\"release\":\"ack\",\"score\":100,\"grace_ms\":0," \
	"\"claim\":\"executables\",\"value\":33" remedy "}]"
#define EXEC "{\"type\":\"exec\"}"
#define PLAN(steps, itself) ",\"remedy\":{\"steps\":[" steps "],\"auto\":[" itself "]}"

struct place {
	struct verifier_fixture v;
	struct node_fixture n;
	struct event_base *base;
	struct contain *contain;
	struct action_desk desk;
	struct remedy_desk *remedy;
	char text[512], undo[512];
	struct why why;
	bool paused; /* by the test, once it is quarantined */
};

static void open_desk(struct place *p)
{
	static const char *const hooks[] = {"http://127.0.0.1:9/x"};
	struct contain_options c = {.base = p->base,
				    .store = p->v.v.store,
				    .clock = p->v.v.clock,
				    .key = p->v.verdict,
				    .webhooks = hooks,
				    .n_webhooks = 1,
				    .v = &p->v.v,
				    .max_percent = 100};

	assert_int_equal(contain_open(&c, &p->contain, &p->why), 0);
	p->desk = (struct action_desk){&p->v.v, p->v.documents, p->v.intake, p->contain};
	assert_int_equal(remedy_desk_open(&p->desk, &p->remedy), 0);
}

static int set_up(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	verifier_fixture_open(&p->v);
	node_fixture_open(&p->n, &p->v, 1);
	node_fixture_baseline(&p->n);
	assert_int_equal(node_fixture_evidence(&p->n), PLUMB_RESULT_ACCEPTED);
	p->base = event_base_new();
	open_desk(p);
	*state = p;
	return 0;
}

static int tear_down(void **state)
{
	struct place *p = *state;

	remedy_desk_free(p->remedy);
	contain_free(p->contain);
	event_base_free(p->base);
	node_fixture_done(&p->n);
	verifier_fixture_done(&p->v);
	free(p);
	return 0;
}

static void tick(struct place *p)
{
	assert_int_equal(contain_book_refresh(contain_book(p->contain)), 0);
	assert_int_equal(remedy_desk_tick(p->remedy), 0);
}

static void pass(struct place *p, uint64_t ms)
{
	verifier_fixture_pass(&p->v, ms);
	tick(p);
}

static void is(struct place *p, enum remedy_step step, enum remedy_phase phase)
{
	struct remedy_record k;
	struct why why = {""};

	assert_int_equal(remedy_book_get(p->v.v.store, p->n.record.node, &k, &why), 0);
	if (k.m.step != step || k.m.phase != phase)
		fail_msg("step %d, phase %d: %s", k.m.step, k.m.phase, k.why);
}

static void is_none(struct place *p)
{
	struct remedy_record k;
	struct why why = {""};

	assert_int_equal(remedy_book_get(p->v.v.store, p->n.record.node, &k, &why), -ENOENT);
}

static int says(struct place *p, const char *value, enum plumb_role role)
{
	const struct store *s = p->v.v.store;
	const struct transition t = {.v = &p->v.v, .contain = p->contain};
	const struct remedy_desk_word w = {.desk = &p->desk,
					   .t = &t,
					   .by = "alice",
					   .reason = "test",
					   .value = value,
					   .role = role,
					   .ret_text = p->text,
					   .ret_undo = p->undo,
					   .size = sizeof(p->text)};
	struct store_node n = verifier_fixture_node(&p->v, p->n.record.node);
	int r;

	p->why.text[0] = 0;
	assert_int_equal(s->ops->begin(s->ctx), 0);
	r = remedy_desk_do(&w, &n, &p->why);
	if (r == 0) {
		assert_int_equal(s->ops->node_put(s->ctx, &n), 0);
		assert_int_equal(s->ops->commit(s->ctx), 0);
	} else {
		s->ops->rollback(s->ctx);
	}
	store_node_done(&n);
	return r;
}

static uint64_t last_order(struct place *p)
{
	struct store_node n = verifier_fixture_node(&p->v, p->n.record.node);
	uint64_t order = n.last_order;

	store_node_done(&n);
	return order;
}

static void take_order(struct place *p)
{
	char members[64];

	snprintf(members, sizeof(members), "\"number\":%llu,\"result\":\"done\"",
		 (unsigned long long)last_order(p));
	node_fixture_record(&p->n, "order", members);
}

static void evidence(struct place *p)
{
	pass(p, 1000);
	assert_int_equal(node_fixture_evidence(&p->n), PLUMB_RESULT_ACCEPTED);
	pass(p, 1000);
}

/* As the transition does it in a verifier whose containment is one with its intake. */
static void let(struct place *p)
{
	struct store_node n = verifier_fixture_node(&p->v, p->n.record.node);
	const struct store *s = p->v.v.store;
	enum brakes_why why;

	assert_int_equal(s->ops->begin(s->ctx), 0);
	assert_int_equal(contain_let(p->contain, &n, NODE_DEED_QUARANTINE, "exec:/x", &why), 0);
	assert_int_equal(s->ops->commit(s->ctx), 0);
	assert_int_equal(why, BRAKES_OPEN);
	store_node_done(&n);
}

static void quarantine(struct place *p, const char *rules)
{
	verifier_fixture_rules(&p->v, 1, rules);
	node_fixture_exec(&p->n, "/usr/bin/new");
	pass(p, 1000);
	assert_int_equal(node_fixture_evidence(&p->n), PLUMB_RESULT_ACCEPTED);
	assert_string_equal(node_fixture_shown(&p->n), "quarantined");
	let(p);
	if (!p->paused)
		tick(p);
}

static int on_target(void *ctx, const char *target, uint64_t n)
{
	(void)target;
	*(uint64_t *)ctx += n;
	return 0;
}

static uint64_t n_messages(struct place *p)
{
	uint64_t n = 0;

	assert_true(p->v.v.store->ops->message_targets(p->v.v.store->ctx, on_target, &n) >= 0);
	return n;
}

/* The default: a rule that says nothing of it. */
static void test_nothing_by_itself(void **state)
{
	struct place *p = *state;

	quarantine(p, RULE(EXEC, ""));
	pass(p, 60000);
	is_none(p);
	assert_int_equal(verifier_fixture_log(&p->v, "\"action\":\"remedy\""), 0);
}

static void test_to_the_release(void **state)
{
	struct place *p = *state;
	uint64_t told, order;

	quarantine(p, RULE(EXEC, PLAN("\"isolate\",\"snapshot\",\"reboot\"",
				      "\"isolate\",\"snapshot\",\"attest\",\"release\"")));
	is(p, REMEDY_ISOLATE, REMEDY_RUNS);
	assert_int_equal(verifier_fixture_log(&p->v, "\"event\":\"begun\""), 1);
	/* The node's word for it, and only under a quote. */
	node_fixture_record(&p->n, "isolation", "\"what\":\"begun\",\"number\":1");
	pass(p, 1000);
	is(p, REMEDY_ISOLATE, REMEDY_RUNS);
	evidence(p);
	is(p, REMEDY_SNAPSHOT, REMEDY_RUNS);
	node_fixture_record(&p->n, "snapshot", "\"number\":1,\"why\":\"no room\"");
	evidence(p);
	is(p, REMEDY_SNAPSHOT, REMEDY_RUNS);
	told = n_messages(p);
	node_fixture_record(&p->n, "snapshot", "\"number\":1,\"sha256\":\"00\"");
	evidence(p);
	is(p, REMEDY_REBOOT, REMEDY_WAITS);
	/* Nobody goes on by himself: a person is told. */
	assert_int_equal(n_messages(p), told + 1);
	order = last_order(p);
	pass(p, 60000);
	is(p, REMEDY_REBOOT, REMEDY_WAITS);
	assert_int_equal(says(p, "", PLUMB_ROLE_RESPONDER), 0);
	assert_non_null(strstr(p->text, "reboot runs until "));
	/* Whoever can reboot it hears of it; its agent's door stays shut. */
	assert_int_equal(last_order(p), order);
	assert_int_equal(n_messages(p), told + 2);
	assert_int_equal(says(p, "", PLUMB_ROLE_RESPONDER), 409);
	node_fixture_reboot(&p->n);
	evidence(p);
	is(p, REMEDY_ATTEST, REMEDY_RUNS);
	assert_int_equal(last_order(p), order + 1);
	/* Evidence that does not tell of the order is of before. */
	evidence(p);
	is(p, REMEDY_ATTEST, REMEDY_RUNS);
	take_order(p);
	evidence(p);
	is(p, REMEDY_ATTEST, REMEDY_RUNS);
	assert_string_equal(node_fixture_shown(&p->n), "quarantined");
	evidence(p);
	assert_int_equal(verifier_fixture_log(&p->v, "attest done, next release"), 1);
	tick(p);
	is_none(p);
	assert_false(node_fixture_is_open(&p->n, "exec:/usr/bin/new"));
	assert_string_not_equal(node_fixture_shown(&p->n), "quarantined");
	/* Its transitions, out of quarantine and, its evidence being good, into trust. */
	assert_int_equal(verifier_fixture_log(&p->v, "released by policy: remedy: by rule R"), 2);
	assert_int_equal(verifier_fixture_log(&p->v, "\"event\":\"free\""), 1);
}

/* What holds it happens again while it is looked at: no release by itself, however good what comes after it is. */
static void test_attest_finds_it_again(void **state)
{
	struct place *p = *state;

	quarantine(p, RULE(EXEC, PLAN("", "\"attest\",\"release\"")));
	is(p, REMEDY_ATTEST, REMEDY_RUNS);
	take_order(p);
	evidence(p);
	node_fixture_exec(&p->n, "/usr/bin/new");
	evidence(p);
	is(p, REMEDY_ATTEST, REMEDY_STUCK);
	evidence(p);
	evidence(p);
	is(p, REMEDY_ATTEST, REMEDY_STUCK);
	assert_string_equal(node_fixture_shown(&p->n), "quarantined");
	/* Once more, by a person: what it said of the first order is nothing to the second. */
	assert_int_equal(says(p, "", PLUMB_ROLE_RESPONDER), 0);
	evidence(p);
	evidence(p);
	is(p, REMEDY_ATTEST, REMEDY_RUNS);
	take_order(p);
	evidence(p);
	is(p, REMEDY_ATTEST, REMEDY_RUNS);
	evidence(p);
	tick(p);
	is_none(p);
}

/* A state that is still bad is not settled by a plan. */
static void test_attest_is_not_blind(void **state)
{
	struct place *p = *state;

	verifier_fixture_rules(&p->v, 1,
			       RULE("{\"key\":{\"prefix\":\"file:\"}}",
				    PLAN("\"files\"", "\"files\",\"attest\",\"release\"")));
	node_fixture_file(&p->n, "/etc/a", "reg two");
	pass(p, 1000);
	assert_int_equal(node_fixture_evidence(&p->n), PLUMB_RESULT_ACCEPTED);
	let(p);
	tick(p);
	is(p, REMEDY_FILES, REMEDY_RUNS);
	evidence(p);
	is(p, REMEDY_FILES, REMEDY_RUNS);
	assert_int_equal(says(p, "attest", PLUMB_ROLE_RESPONDER), 0);
	take_order(p);
	evidence(p);
	evidence(p);
	evidence(p);
	is(p, REMEDY_ATTEST, REMEDY_RUNS);
	assert_true(node_fixture_is_open(&p->n, "file:/etc/a"));
}

static void test_late(void **state)
{
	struct place *p = *state;

	quarantine(p, RULE(EXEC, PLAN("\"isolate\",\"snapshot\"", "\"isolate\",\"snapshot\"")));
	pass(p, 119000);
	is(p, REMEDY_ISOLATE, REMEDY_RUNS);
	pass(p, 2000);
	is(p, REMEDY_ISOLATE, REMEDY_STUCK);
	pass(p, 60000);
	is(p, REMEDY_ISOLATE, REMEDY_STUCK);
	assert_int_equal(verifier_fixture_log(&p->v, "\"event\":\"late\""), 1);
	assert_int_equal(says(p, "skip", PLUMB_ROLE_RESPONDER), 0);
	pass(p, 1000);
	is(p, REMEDY_SNAPSHOT, REMEDY_RUNS);
	pass(p, 301000);
	is(p, REMEDY_ATTEST, REMEDY_WAITS);
}

/* It is kept, and nobody is late for the verifier's absence; a clock that jumps makes nobody late, either. */
static void test_restart(void **state)
{
	struct place *p = *state;

	quarantine(p, RULE(EXEC, PLAN("\"isolate\"", "\"isolate\"")));
	remedy_desk_free(p->remedy);
	contain_free(p->contain);
	verifier_fixture_stop(&p->v);
	p->v.utc_ns += 3600 * VERIFIER_FIXTURE_S;
	p->v.boot_ns += 3600 * VERIFIER_FIXTURE_S;
	verifier_fixture_start(&p->v);
	open_desk(p);
	tick(p);
	is(p, REMEDY_ISOLATE, REMEDY_RUNS);
	pass(p, 179000);
	is(p, REMEDY_ISOLATE, REMEDY_RUNS);
	verifier_fixture_jump(&p->v, 86400);
	tick(p);
	is(p, REMEDY_ISOLATE, REMEDY_RUNS);
	pass(p, 2000);
	is(p, REMEDY_ISOLATE, REMEDY_STUCK);
	assert_int_equal(verifier_fixture_log(&p->v, "\"event\":\"begun\""), 1);
}

static void test_people(void **state)
{
	struct place *p = *state;

	assert_int_equal(says(p, "", PLUMB_ROLE_APPROVER), 409); /* it is not held */
	quarantine(p, RULE(EXEC, PLAN("\"keys\"", "")));
	is(p, REMEDY_KEYS, REMEDY_WAITS);
	assert_int_equal(says(p, "pray", PLUMB_ROLE_APPROVER), 400);
	assert_non_null(strstr(p->why.text, "provision"));
	assert_int_equal(says(p, "", PLUMB_ROLE_RESPONDER), 403);
	assert_int_equal(says(p, "skip", PLUMB_ROLE_RESPONDER), 403);
	assert_int_equal(says(p, "release", PLUMB_ROLE_RESPONDER), 403);
	is(p, REMEDY_KEYS, REMEDY_WAITS);
	/* To choose what comes after it is to skip it; to choose what comes before is not. */
	assert_int_equal(says(p, "attest", PLUMB_ROLE_RESPONDER), 403);
	assert_string_equal(p->why.text,
			    "attest passes over keys, and that takes the role approver");
	is(p, REMEDY_KEYS, REMEDY_WAITS);
	assert_int_equal(says(p, "files", PLUMB_ROLE_RESPONDER), 0);
	is(p, REMEDY_FILES, REMEDY_RUNS);
	tick(p);
	is(p, REMEDY_KEYS, REMEDY_WAITS);
	assert_int_equal(says(p, "attest", PLUMB_ROLE_APPROVER), 0);
	is(p, REMEDY_ATTEST, REMEDY_RUNS);
	/* Stopped is stopped: the rule does not begin it again. */
	assert_int_equal(says(p, "stop", PLUMB_ROLE_RESPONDER), 0);
	pass(p, 5000);
	assert_int_equal(verifier_fixture_log(&p->v, "\"event\":\"begun\""), 1);
	assert_int_equal(says(p, "stop", PLUMB_ROLE_RESPONDER), 409);
	assert_string_equal(node_fixture_shown(&p->n), "quarantined");
	/* A person begins one of his own. */
	assert_int_equal(says(p, "", PLUMB_ROLE_RESPONDER), 0);
	is(p, REMEDY_ISOLATE, REMEDY_RUNS);
	assert_int_equal(says(p, "release", PLUMB_ROLE_APPROVER), 0);
	assert_string_not_equal(node_fixture_shown(&p->n), "quarantined");
	tick(p);
	is_none(p);
}

static void pause_all(struct place *p, const char *value)
{
	const struct store *s = p->v.v.store;

	assert_int_equal(s->ops->begin(s->ctx), 0);
	assert_int_equal(s->ops->setting_put(s->ctx, CONTAIN_PAUSE, value), 0);
	assert_int_equal(s->ops->commit(s->ctx), 0);
}

/* What the brakes hold back is not done by the back door. */
static void test_brakes(void **state)
{
	struct place *p = *state;
	struct contain_entry *e;

	quarantine(p, RULE(EXEC, PLAN("\"isolate\"", "")));
	is(p, REMEDY_ISOLATE, REMEDY_WAITS);
	pause_all(p, "{}");
	assert_int_equal(says(p, "", PLUMB_ROLE_APPROVER), 409);
	assert_non_null(strstr(p->why.text, "brakes"));
	assert_int_equal(says(p, "isolate", PLUMB_ROLE_APPROVER), 409);
	pause_all(p, "");
	assert_int_equal(says(p, "", PLUMB_ROLE_APPROVER), 0);
	assert_int_equal(says(p, "stop", PLUMB_ROLE_APPROVER), 0);
	/* Another node's, that is held back from the start. */
	e = contain_book_at(contain_book(p->contain), 0);
	assert_int_equal(p->v.v.store->ops->begin(p->v.v.store->ctx), 0);
	assert_int_equal(remedy_book_remove(p->v.v.store, e->id), 0);
	assert_int_equal(p->v.v.store->ops->commit(p->v.v.store->ctx), 0);
	e->let = false;
	pass(p, 5000);
	is_none(p);
	e->let = true;
	pass(p, 1000);
	is(p, REMEDY_ISOLATE, REMEDY_WAITS);
}

static void test_nothing_by_itself_while_paused(void **state)
{
	struct place *p = *state;

	p->paused = true;
	quarantine(p, RULE(EXEC, PLAN("\"isolate\"", "\"isolate\"")));
	pause_all(p, "{}");
	pass(p, 5000);
	is(p, REMEDY_ISOLATE, REMEDY_WAITS);
	pause_all(p, "");
	pass(p, 1000);
	is(p, REMEDY_ISOLATE, REMEDY_RUNS);
}

static void test_view(void **state)
{
	struct place *p = *state;
	struct store_node n;
	struct buf b = {0};
	struct jsonl j;

	quarantine(p, RULE(EXEC, PLAN("\"isolate\",\"reboot\"", "\"isolate\"")));
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
	struct place *p = *state;

	quarantine(p, all);
	is(p, REMEDY_ISOLATE, REMEDY_RUNS);
	verifier_fixture_rules(&p->v, 2, less);
	tick(p);
	verifier_fixture_rules(&p->v, 3, all);
	node_fixture_record(&p->n, "isolation", "\"what\":\"begun\",\"number\":1");
	evidence(p);
	is(p, REMEDY_ATTEST, REMEDY_RUNS);
	take_order(p);
	evidence(p);
	evidence(p);
	is(p, REMEDY_RELEASE, REMEDY_WAITS);
}

/* A scan that it has only begun, and a later order that was done, say nothing of it. */
static void test_scan_only_begun(void **state)
{
	struct place *p = *state;
	char begun[96];

	quarantine(p, RULE(EXEC, PLAN("", "\"attest\",\"release\"")));
	snprintf(begun, sizeof(begun), "\"number\":%llu,\"result\":\"begun\"",
		 (unsigned long long)last_order(p));
	node_fixture_record(&p->n, "order", begun);
	node_fixture_record(&p->n, "order", "\"number\":99,\"result\":\"done\"");
	evidence(p);
	evidence(p);
	is(p, REMEDY_ATTEST, REMEDY_RUNS);
}

/* A record that cannot be read stops nobody's time, and a clock that jumps moves the others once. */
static void test_jump_beside_a_broken_record(void **state)
{
	struct place *p = *state;
	const struct store *s = p->v.v.store;
	struct remedy_record k;
	struct why why = {""};
	uint64_t until;

	quarantine(p, RULE(EXEC, PLAN("\"isolate\"", "\"isolate\"")));
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
	is(p, REMEDY_ISOLATE, REMEDY_RUNS);
}

/* What lies there and is not ours is an error, and no "there is none". */
static void test_broken_record(void **state)
{
	static const char *const twins[] = {
		"", "{}", "{\"v\":1}",
		"{\"v\":2,\"plan\":2,\"auto\":0,\"seen\":0,\"step\":1,\"phase\":\"runs\"}",
		"{\"v\":1,\"plan\":2,\"auto\":0,\"seen\":0,\"step\":10,\"phase\":\"runs\"}"};
	struct place *p = *state;
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
	struct place *p = *state;

	quarantine(p, RULE(EXEC, PLAN("\"isolate\"", "")));
	is(p, REMEDY_ISOLATE, REMEDY_WAITS);
	node_fixture_record(&p->n, "isolation", "\"what\":\"begun\",\"number\":1");
	assert_int_equal(node_fixture_evidence(&p->n), PLUMB_RESULT_ACCEPTED);
	p->v.faults.node_put = -ESTALE;
	assert_int_equal(remedy_desk_tick(p->remedy), -ESTALE);
	is(p, REMEDY_ISOLATE, REMEDY_WAITS);
	p->v.faults.node_put = 0;
	tick(p);
	is(p, REMEDY_ATTEST, REMEDY_WAITS);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_nothing_by_itself),
		TEST(test_to_the_release),
		TEST(test_attest_finds_it_again),
		TEST(test_attest_is_not_blind),
		TEST(test_late),
		TEST(test_restart),
		TEST(test_people),
		TEST(test_view),
		TEST(test_brakes),
		TEST(test_nothing_by_itself_while_paused),
		TEST(test_next_policy),
		TEST(test_scan_only_begun),
		TEST(test_jump_beside_a_broken_record),
		TEST(test_broken_record),
		TEST(test_store_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
