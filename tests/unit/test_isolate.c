/* SPDX-License-Identifier: Apache-2.0 */
/* A node that is isolated: by what is armed, kept over restarts, told in the ledger; what cannot be done is said; released by who may. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "cleanup.h"
#include "dsse.h"
#include "isolate_fixture.h"
#include "isolate_freeze.h"
#include "order.h"
#include "plumb/wire.h"
#include "scratch.h"

struct world {
	struct isolate_fixture x;
	struct sign_key *operator;
	char door[96];
	uint32_t armed;
	unsigned int n_begun, n_ended, n_evidence, n_snapshots;
	int begin_result, end_result;
	bool has_freeze;
	struct isolate_freeze *cgroups; /* NULL: has_freeze's own */
	int exec_result; /* 1: there is none */
	unsigned int n_exec;
};

static bool has_net;

static int on_begin(void *ctx, struct isolate_state *s, struct why *ret_why)
{
	struct world *w = ctx;

	w->n_begun++;
	if (w->begin_result < 0)
		return why_set(ret_why, w->begin_result, "a test \"refuses\"");
	snprintf(s->frozen[0], sizeof(s->frozen[0]), "/kubepods");
	s->n_frozen = 1;
	return 0;
}

static int on_exec(void *ctx, struct isolate_state *s, struct why *ret_why)
{
	struct world *w = ctx;

	(void)s;
	w->n_exec++;
	return w->exec_result < 0 ? why_set(ret_why, w->exec_result, "no baseline") : 0;
}

static int on_exec_end(void *ctx, const struct isolate_state *s, struct why *ret_why)
{
	(void)ctx;
	(void)s;
	(void)ret_why;
	return 0;
}

static int on_end(void *ctx, const struct isolate_state *s, struct why *ret_why)
{
	struct world *w = ctx;

	(void)ret_why;
	w->n_ended++;
	assert_string_equal(s->frozen[0], "/kubepods");
	return w->end_result;
}

static void on_evidence(void *ctx)
{
	((struct world *)ctx)->n_evidence++;
}

static int on_snapshot(void *ctx, uint64_t number)
{
	assert_true(number > 0);
	((struct world *)ctx)->n_snapshots++;
	return 0;
}

static void start(struct world *w)
{
	struct isolate_parts parts = {.keys = (const struct sign_key *const *)&w->operator,
				      .n_keys = 1,
				      .door = w->door,
				      .snapshot = on_snapshot,
				      .evidence = on_evidence,
				      .evidence_ctx = w,
				      .ctx = w};

	if (w->has_freeze)
		parts.freeze = (struct isolate_means){on_begin, on_end, w};
	if (w->cgroups)
		parts.freeze = (struct isolate_means){isolate_freeze_begin, isolate_freeze_end,
						      w->cgroups};
	if (w->exec_result <= 0)
		parts.exec = (struct isolate_means){on_exec, on_exec_end, w};
	isolate_fixture_start(&w->x, fsio_system(), w->armed, parts);
}

static int make(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	isolate_fixture_open(&w->x);
	snprintf(w->door, sizeof(w->door), "%s/door", w->x.f.dir);
	assert_int_equal(sign_key_generate(SIGN_ED25519, &w->operator), 0);
	w->armed = ISOLATE_FREEZE;
	w->has_freeze = true;
	w->exec_result = 1;
	*state = w;
	return 0;
}

static int end(void **state)
{
	struct world *w = *state;

	isolate_fixture_done(&w->x);
	sign_key_free(w->operator);
	free(w);
	return 0;
}

static void begin(struct world *w, uint32_t ways, const char *want)
{
	assert_string_equal(isolate_fixture_begin(&w->x, ways), want);
}

static void finish(struct world *w, const char *want)
{
	assert_string_equal(isolate_fixture_finish(&w->x), want);
}

static uint64_t number(struct world *w)
{
	struct isolate_state *s = calloc(1, sizeof(*s));
	struct why why;
	uint64_t n = isolate_state_load(fsio_system(), w->x.state, s, &why) < 0 ? 0 : s->number;

	free(s);
	return n;
}

static void test_not_armed(void **state)
{
	struct world *w = *state;

	w->armed = 0;
	start(w);
	begin(w, ISOLATE_ALL_WAYS, "noted: the settings arm no way to isolate this node");
	assert_false(isolate_is(w->x.i));
	assert_int_equal(w->n_begun, 0);
	assert_int_equal(number(w), 0);
	finish(w, "done: it was not isolated");
	/* Who could release it is told all the same. */
	assert_int_equal(
		isolate_fixture_lines(&w->x,
				      "\"type\":\"isolation\",\"what\":\"armed\",\"ways\":[]", ""),
		1);
	assert_int_equal(isolate_fixture_lines(&w->x, "\"type\":\"isolation\"", ""), 1);
}

static void test_kept(void **state)
{
	struct world *w = *state;
	uint64_t n;

	start(w);
	begin(w, ISOLATE_ALL_WAYS, "done: freeze");
	n = number(w);
	assert_true(isolate_is(w->x.i) && n > 0);
	assert_int_equal(w->n_snapshots, 1);
	assert_int_equal(w->n_evidence, 1);
	assert_int_equal(isolate_fixture_lines(&w->x, "\"what\":\"begun\"",
					       "\"by\":\"verifier\",\"order\":7,\"case\":\"12\","
					       "\"reason\":\"exec:/tmp/x\","
					       "\"done\":[\"freeze\"],\"cannot\":[],\"kept\":true"),
			 1);
	/* Again is the same isolation. */
	begin(w, ISOLATE_ALL_WAYS, "done: freeze");
	assert_int_equal(number(w), n);
	assert_int_equal(w->n_snapshots, 1);
	assert_int_equal(isolate_fixture_lines(&w->x, "\"what\":\"again\"", ""), 1);
	/* A restart, also one whose settings arm nothing any more. */
	isolate_fixture_stop(&w->x);
	w->armed = 0;
	start(w);
	assert_true(isolate_is(w->x.i));
	assert_int_equal(w->n_begun, 3);
	assert_int_equal(isolate_fixture_lines(&w->x, "\"what\":\"kept\"", "\"done\":[\"freeze\"]"),
			 1);
	finish(w, "done: freeze");
	assert_int_equal(w->n_ended, 1);
	assert_int_equal(number(w), 0);
	assert_int_equal(isolate_fixture_lines(&w->x, "\"what\":\"released\"", "\"order\":8"), 1);
	isolate_fixture_stop(&w->x);
	start(w);
	assert_false(isolate_is(w->x.i));
}

static void test_cannot(void **state)
{
	struct world *w = *state;

	w->armed = ISOLATE_FREEZE | ISOLATE_EXEC;
	w->begin_result = -EIO;
	start(w);
	begin(w, ISOLATE_ALL_WAYS,
	      "refused: cannot: exec (not in this agent), freeze (a test \"refuses\")");
	/* It is wanted all the same, and a start tries again. */
	assert_true(isolate_is(w->x.i));
	assert_int_equal(
		isolate_fixture_lines(
			&w->x, "\"what\":\"begun\"",
			"\"done\":[],\"cannot\":[{\"way\":\"exec\",\"why\":\"not in this "
			"agent\"},{\"way\":\"freeze\",\"why\":\"a test \\\"refuses\\\"\"}]"),
		1);
	isolate_fixture_stop(&w->x);
	w->begin_result = 0;
	start(w);
	assert_int_equal(isolate_fixture_lines(&w->x, "\"what\":\"kept\"", "\"done\":[\"freeze\"]"),
			 1);
	/* What cannot be undone stays to be undone. */
	w->end_result = -EBUSY;
	finish(w, "in part: exec; cannot: freeze (Device or resource busy); not kept on the disk");
	assert_true(isolate_is(w->x.i) && number(w) > 0);
}

static bool has_tried_thrice(void *ctx)
{
	return ((struct world *)ctx)->n_ended >= 3;
}

static bool is_free(void *ctx)
{
	return !isolate_is(((struct world *)ctx)->x.i);
}

/* What could not be undone is tried on, here and by the next start, and is never done anew; told when it is over. */
static void test_released_in_part(void **state)
{
	struct world *w = *state;

	start(w);
	begin(w, ISOLATE_ALL_WAYS, "done: freeze");
	w->end_result = -EBUSY;
	finish(w, "refused: cannot: freeze (Device or resource busy); not kept on the disk");
	agent_fixture_until(&w->x.f, has_tried_thrice, w, "it is tried again");
	isolate_fixture_stop(&w->x);
	start(w);
	assert_true(isolate_is(w->x.i));
	assert_int_equal(w->n_begun, 1);
	assert_int_equal(isolate_fixture_lines(&w->x, "\"what\":\"kept\"", ""), 0);
	assert_int_equal(isolate_fixture_lines(&w->x, "\"what\":\"released\"", ""), 1);
	w->end_result = 0;
	agent_fixture_until(&w->x.f, is_free, w, "it is free");
	assert_int_equal(number(w), 0);
	assert_int_equal(isolate_fixture_lines(&w->x, "\"what\":\"released\"",
					       "\"done\":[\"freeze\"],\"cannot\":[]"),
			 1);
	/* An order that comes meanwhile holds it again. */
	begin(w, ISOLATE_ALL_WAYS, "done: freeze");
	w->end_result = -EBUSY;
	finish(w, "refused: cannot: freeze (Device or resource busy); not kept on the disk");
	begin(w, ISOLATE_ALL_WAYS, "done: freeze");
	isolate_fixture_stop(&w->x);
	start(w);
	assert_int_equal(isolate_fixture_lines(&w->x, "\"what\":\"kept\"", "\"done\":[\"freeze\"]"),
			 1);
	w->end_result = 0;
}

static bool is_frozen(void *ctx)
{
	char command[160];

	snprintf(command, sizeof(command), "grep -q 1 %s/kubepods.slice/cgroup.freeze",
		 ((struct world *)ctx)->x.f.dir);
	return system(command) == 0;
}

static uint32_t n_frozen_again(struct world *w)
{
	return isolate_fixture_lines(&w->x, "\"what\":\"again\"",
				     "\"done\":[\"freeze\"],\"cannot\":[],\"kept\":true");
}

#define MAKE_PODS "mkdir kubepods.slice && echo 0 >kubepods.slice/cgroup.freeze"

/* Pods of which there are none yet, when the order comes or after a boot, stand still once there are; also when all of them are made anew. */
static void test_pods_later(void **state)
{
	struct world *w = *state;
	struct isolate_freeze f = {.root = w->x.f.dir};

	w->cgroups = &f;
	start(w);
	begin(w, ISOLATE_ALL_WAYS, "refused: cannot: freeze (there are no pods' cgroups)");
	scratch_run(w->x.f.dir, MAKE_PODS);
	agent_fixture_until(&w->x.f, is_frozen, w, "they stand still when there are some");
	assert_int_equal(n_frozen_again(w), 1);
	scratch_run(w->x.f.dir, "rm -r kubepods.slice && " MAKE_PODS);
	agent_fixture_until(&w->x.f, is_frozen, w, "and so do others in their place");
	assert_int_equal(n_frozen_again(w), 1);
	isolate_fixture_stop(&w->x);
	scratch_run(w->x.f.dir, "rm -r kubepods.slice");
	start(w);
	assert_int_equal(isolate_fixture_lines(&w->x, "\"what\":\"kept\"", "\"done\":[],"), 1);
	scratch_run(w->x.f.dir, MAKE_PODS);
	agent_fixture_until(&w->x.f, is_frozen, w, "after a boot, too");
	assert_int_equal(n_frozen_again(w), 2);
	/* That they are ours to thaw is on the disk. */
	isolate_fixture_stop(&w->x);
	start(w);
	finish(w, "done: freeze");
	assert_false(is_frozen(w));
}

/* What wants a baseline is tried when one judges, and not before. */
static void test_baseline_later(void **state)
{
	struct world *w = *state;

	w->armed = ISOLATE_EXEC | ISOLATE_FREEZE;
	w->exec_result = -ENOENT;
	start(w);
	begin(w, ISOLATE_EXEC, "refused: cannot: exec (no baseline)");
	isolate_judged(w->x.i);
	assert_int_equal(w->n_exec, 2);
	assert_int_equal(isolate_fixture_lines(&w->x, "\"what\":\"again\"", ""), 0);
	w->exec_result = 0;
	isolate_judged(w->x.i);
	isolate_judged(w->x.i);
	assert_int_equal(w->n_exec, 3);
	assert_int_equal(isolate_fixture_lines(&w->x, "\"what\":\"again\"",
					       "\"by\":\"verifier\",\"order\":7,\"case\":\"12\","
					       "\"reason\":\"exec:/tmp/x\","
					       "\"done\":[\"exec\"],\"cannot\":[],\"kept\":true"),
			 1);
	finish(w, "done: exec");
	isolate_judged(w->x.i);
	/* One that was released meanwhile does not begin after all. */
	w->exec_result = -ENOENT;
	begin(w, ISOLATE_EXEC, "refused: cannot: exec (no baseline)");
	finish(w, "done: exec");
	isolate_judged(w->x.i);
	begin(w, ISOLATE_FREEZE, "done: freeze");
	isolate_judged(w->x.i);
	assert_int_equal(w->n_exec, 4);
}

static void test_unreadable(void **state)
{
	struct world *w = *state;
	char path[128];

	snprintf(path, sizeof(path), "%s/" ISOLATE_STATE_FILE, w->x.state);
	assert_int_equal(fsio_mkdir_all(fsio_system(), w->x.state, 0700), 0);
	assert_int_equal(fsio_replace_file(fsio_system(), path, "{}\n", 3, 0600), 0);
	start(w);
	assert_true(isolate_is(w->x.i));
	assert_int_equal(w->n_begun, 1);
	assert_true(number(w) > 0);
	assert_int_equal(isolate_fixture_lines(&w->x, "\"what\":\"kept\"", "\"by\":\"unreadable\""),
			 1);
}

static bool is_answered(void *ctx)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/a.answer", ((struct world *)ctx)->door);
	return access(path, F_OK) == 0;
}

static void put_release(struct world *w, uint64_t n, const struct sign_key *key)
{
	struct order o = {.number = n, .kind = ORDER_RELEASE, .reason = "offline"};
	struct buf payload = {0}, envelope = {0};
	char path[128];

	memcpy(o.node, w->x.f.identity.record.node, sizeof(o.node));
	assert_int_equal(order_write(&o, &payload), 0);
	assert_int_equal(dsse_sign(WIRE_DSSE_RELEASE, payload.data, payload.size,
				   (const struct sign_key *const *)&key, 1, &envelope),
			 0);
	snprintf(path, sizeof(path), "%s/a.answer", w->door);
	(void)unlink(path);
	snprintf(path, sizeof(path), "%s/a.dsse", w->door);
	assert_int_equal(fsio_replace_file(fsio_system(), path, envelope.data, envelope.size, 0600),
			 0);
	buf_done(&payload);
	buf_done(&envelope);
}

static void test_offline(void **state)
{
	struct world *w = *state;
	struct sign_key *stranger = NULL;
	char key[DIGEST_HEX_SIZE], text[128];
	struct digest id;
	uint64_t n;

	assert_int_equal(sign_key_generate(SIGN_ED25519, &stranger), 0);
	assert_int_equal(sign_key_id(w->operator, & id), 0);
	digest_hex(&id, key);
	snprintf(text, sizeof(text), "\"operators\":[\"%s\"]", key);
	start(w);
	assert_int_equal(
		isolate_fixture_lines(&w->x, "\"what\":\"armed\",\"ways\":[\"freeze\"]", text), 1);
	begin(w, ISOLATE_ALL_WAYS, "done: freeze");
	n = number(w);
	put_release(w, n, stranger);
	agent_fixture_until(&w->x.f, is_answered, w, "a stranger is answered");
	put_release(w, n + 1, w->operator);
	agent_fixture_until(&w->x.f, is_answered, w, "another number is answered");
	assert_true(isolate_is(w->x.i));
	put_release(w, n, w->operator);
	agent_fixture_until(&w->x.f, is_free, w, "the operator is heard");
	snprintf(text, sizeof(text), "\"by\":\"operator\",\"order\":0,\"operator\":\"%s\"", key);
	assert_int_equal(isolate_fixture_lines(&w->x, "\"what\":\"released\"", text), 1);
	/* The verifier's numbers are none of his. */
	assert_int_equal(isolate_fixture_lines(&w->x, "\"type\":\"order\"", ""), 0);
	/* Once: the next isolation has another number. */
	begin(w, ISOLATE_ALL_WAYS, "done: freeze");
	assert_int_not_equal(number(w), n);
	put_release(w, n, w->operator);
	agent_fixture_until(&w->x.f, is_answered, w, "a used one is answered");
	assert_true(isolate_is(w->x.i));
	sign_key_free(stranger);
}

/* What is ordered before the rest of a release is undone is another isolation: the number of the one that was released frees nothing more. */
static void test_begun_while_released(void **state)
{
	struct world *w = *state;
	uint64_t old;

	start(w);
	begin(w, ISOLATE_ALL_WAYS, "done: freeze");
	old = number(w);
	w->end_result = -EBUSY;
	put_release(w, old, w->operator);
	agent_fixture_until(&w->x.f, is_answered, w, "the operator is heard");
	assert_true(isolate_is(w->x.i));
	assert_int_equal(number(w), old);
	w->end_result = 0;
	begin(w, ISOLATE_ALL_WAYS, "done: freeze");
	assert_true(number(w) > 0 && number(w) != old);
	assert_int_equal(isolate_fixture_lines(&w->x, "\"what\":\"begun\"", ""), 2);
	assert_int_equal(isolate_fixture_lines(&w->x, "\"what\":\"again\"", ""), 0);
	assert_int_equal(w->n_snapshots, 2);
	put_release(w, old, w->operator);
	agent_fixture_until(&w->x.f, is_answered, w, "a used one is answered");
	assert_true(isolate_is(w->x.i));
	put_release(w, number(w), w->operator);
	agent_fixture_until(&w->x.f, is_free, w, "its own frees it");
}

static bool is_told(void *ctx)
{
	struct world *w = ctx;

	return isolate_fixture_lines(&w->x, "\"key\":\"guard:isolation:network\"", "removed") > 0;
}

/* In a network namespace of its own; the verifier's address comes from its URL. */
static void test_network(void **state)
{
	struct world *w = *state;

	if (!has_net) {
		print_message("# no network namespace with nftables here\n");
		skip();
	}
	w->armed = ISOLATE_NETWORK;
	start(w);
	begin(w, ISOLATE_ALL_WAYS, "done: network");
	assert_int_equal(system("PATH=$PATH:/usr/sbin; nft list table inet plumbline_isolation | "
				"grep -q 'ip daddr 192.0.2.9 tcp dport 8443 accept'"),
			 0);
	/* A boot has no table; before there is a ledger it is there again. */
	isolate_fixture_stop(&w->x);
	assert_int_equal(system("PATH=$PATH:/usr/sbin; nft flush ruleset"), 0);
	start(w);
	assert_int_equal(system("PATH=$PATH:/usr/sbin; nft list table inet plumbline_isolation | "
				"grep -q 'ip daddr 192.0.2.9 tcp dport 8443 accept'"),
			 0);
	assert_int_equal(
		isolate_fixture_lines(&w->x, "\"what\":\"kept\"", "\"done\":[\"network\"]"), 1);
	assert_int_equal(system("PATH=$PATH:/usr/sbin; nft flush ruleset"), 0);
	agent_fixture_until(&w->x.f, is_told, w, "that it was removed is told");
	assert_int_equal(system("PATH=$PATH:/usr/sbin; nft list table inet plumbline_isolation "
				">/dev/null"),
			 0);
	finish(w, "done: network");
	assert_int_not_equal(system("PATH=$PATH:/usr/sbin; nft list table inet "
				    "plumbline_isolation >/dev/null 2>&1"),
			     0);
}

static int own_net(void **state)
{
	(void)state;
	has_net = isolate_fixture_own_net();
	return 0;
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, make, end)
	const struct CMUnitTest tests[] = {
		T(test_not_armed),	  T(test_kept),
		T(test_cannot),		  T(test_unreadable),
		T(test_offline),	  T(test_network),
		T(test_released_in_part), T(test_begun_while_released),
		T(test_pods_later),	  T(test_baseline_later),
	};

	return cmocka_run_group_tests(tests, own_net, NULL);
}
