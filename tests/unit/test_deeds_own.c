/* SPDX-License-Identifier: Apache-2.0 */
/* What one machine does to its own object, or to that of another, is no other node's business. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <stdlib.h>

#include "cleanup.h"
#include "contain_fixture.h"
#include "deeds.h"

static void quarantine(struct contain_fixture *w, const char *id, const char *name,
		       const char *boot_id)
{
	contain_fixture_node(w, id, name, PLUMB_CONTAIN_QUARANTINED, boot_id);
	contain_fixture_queue(w, id, NODE_DEED_QUARANTINE, true);
	contain_fixture_settle(w);
	contain_fixture_tick(w, 5);
}

/* Who evicts lists pods by the node's name: not while that is another machine's. */
static void test_evicted_only_of_its_own(void **state)
{
	struct contain_fixture *w = *state;

	contain_free(w->c);
	w->kinds = DEEDS_DEFAULT | DEEDS_EVICT;
	contain_fixture_open(w);
	quarantine(w, "aa", "n1", CONTAIN_FIXTURE_OTHER_BOOT);
	assert_int_equal(w->api.n_policy, 0);
	quarantine(w, "aa", "n1", CONTAIN_FIXTURE_BOOT);
	assert_true(w->api.n_policy > 0);
	/* Made anew, by the other machine: the next look finds it. */
	fake_kube_node(&w->api, 0, "n1", "uid-9", CONTAIN_FIXTURE_OTHER_BOOT, NULL);
	contain_fixture_pass(w, 60);
	w->api.n_policy = 0;
	contain_fixture_tick(w, 5);
	assert_int_equal(w->api.n_policy, 0);
}

/* A kubelet may make its own object as large as it can: that one is told of, and nobody waits for it. */
static void test_too_large(void **state)
{
	static const char small[] = "{\"metadata\":{\"uid\":\"uid-1\"},\"spec\":{}}";
	struct contain_fixture *w = *state;
	size_t size = KUBE_FACTS_MAX_NODE + 1;
	char *large = malloc(size + 1);

	assert_non_null(large);
	memset(large, ' ', size);
	large[size] = 0;
	fake_kube_node(&w->api, 0, "n1", "uid-1", CONTAIN_FIXTURE_BOOT, NULL);
	w->api.nodes[0].raw = large;
	contain_fixture_node(w, "aa", "n1", PLUMB_CONTAIN_HELD, CONTAIN_FIXTURE_BOOT);
	contain_fixture_node(w, "bb", "n2", PLUMB_CONTAIN_HELD, CONTAIN_FIXTURE_BOOT);
	contain_fixture_queue(w, "aa", NODE_DEED_HOLD, true);
	contain_fixture_queue(w, "bb", NODE_DEED_HOLD, true);
	contain_fixture_settle(w);
	assert_int_equal(json_array_size(w->api.nodes[1].taints), 1);
	/* Looked at again with the others each minute, and its message later each time: not without end. */
	w->api.n_get = 0;
	contain_fixture_pass(w, 60);
	contain_fixture_pass(w, 10);
	assert_in_range(w->api.n_get, 2, 4);
	/* As large as may be, it is tainted. */
	memcpy(large, small, sizeof(small) - 1);
	large[size - 1] = 0;
	contain_fixture_pass(w, 60);
	assert_int_equal(json_array_size(w->api.nodes[0].taints), 1);
	free(large);
}

static uint32_t tries_of_first(struct contain_fixture *w)
{
	struct store_message m = {.id = 0};
	uint32_t tries;

	assert_int_equal(w->f.ops.message_next(w->f.store.ctx, DEEDS_TARGET,
					       w->f.utc_ns + 3600 * VERIFIER_FIXTURE_S, &m),
			 0);
	tries = m.tries;
	store_message_done(&m);
	return tries;
}

/* One that it has padded up to etcd's limit takes no taint: that is told of this one, and is no API that is down. */
static void test_no_room_for_a_taint(void **state)
{
	static const char *const words[] = {
		"etcdserver: request is too large",
		"rpc error: code = ResourceExhausted desc = trying to send message larger than max "
		"(2205437 vs. 2097152)"};
	struct contain_fixture *w = *state;

	contain_fixture_node(w, "aa", "n1", PLUMB_CONTAIN_HELD, CONTAIN_FIXTURE_BOOT);
	contain_fixture_node(w, "bb", "n2", PLUMB_CONTAIN_HELD, CONTAIN_FIXTURE_BOOT);
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		fake_kube_node(&w->api, 1, "n2", "uid-2", CONTAIN_FIXTURE_BOOT, NULL);
		w->api.nodes[0].words = words[i];
		contain_fixture_queue(w, "aa", NODE_DEED_HOLD, true);
		contain_fixture_queue(w, "bb", NODE_DEED_HOLD, true);
		contain_fixture_settle(w);
		CONTAIN_FIXTURE_TAINTS(w, 1, CONTAIN_FIXTURE_HOLD);
		assert_int_equal(tries_of_first(w), 1);
		/* Nor does it keep the look from the others. */
		fake_kube_node(&w->api, 1, "n2", "uid-2", CONTAIN_FIXTURE_BOOT, NULL);
		contain_fixture_pass(w, 60);
		CONTAIN_FIXTURE_TAINTS(w, 1, CONTAIN_FIXTURE_HOLD);
	}
	w->api.nodes[0].words = NULL;
	contain_fixture_pass(w, 60);
	CONTAIN_FIXTURE_TAINTS(w, 0, "a:NoExecute " CONTAIN_FIXTURE_HOLD);
}

/* An etcd that is away for a while costs no message a try. */
static void test_an_etcd_that_is_away(void **state)
{
	static const char *const words[] = {"etcdserver: request timed out",
					    "etcdserver: leader changed",
					    "context deadline exceeded", "InternalError"};
	struct contain_fixture *w = *state;

	contain_fixture_node(w, "aa", "n1", PLUMB_CONTAIN_HELD, CONTAIN_FIXTURE_BOOT);
	contain_fixture_queue(w, "aa", NODE_DEED_HOLD, true);
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		w->api.nodes[0].words = words[i];
		contain_fixture_pass(w, 300);
		assert_int_equal(w->api.n_patch, i + 1);
		assert_int_equal(tries_of_first(w), 0);
	}
	w->api.nodes[0].words = NULL;
	contain_fixture_pass(w, 300);
	CONTAIN_FIXTURE_TAINTS(w, 0, "a:NoExecute " CONTAIN_FIXTURE_HOLD);
}

/* What else may fail of one alone: after it, another's turn comes. */
static void test_one_that_fails_is_not_always_the_first(void **state)
{
	struct contain_fixture *w = *state;

	contain_free(w->c);
	contain_fixture_node(w, "aa", "n1", PLUMB_CONTAIN_HELD, CONTAIN_FIXTURE_BOOT);
	contain_fixture_node(w, "bb", "n2", PLUMB_CONTAIN_HELD, CONTAIN_FIXTURE_BOOT);
	w->api.nodes[0].words = "InternalError";
	contain_fixture_open(w);
	contain_fixture_settle(w);
	contain_fixture_pass(w, 1);
	CONTAIN_FIXTURE_TAINTS(w, 1, CONTAIN_FIXTURE_HOLD);
	w->api.nodes[0].words = NULL;
	contain_fixture_pass(w, 2);
	CONTAIN_FIXTURE_TAINTS(w, 0, "a:NoExecute " CONTAIN_FIXTURE_HOLD);
}

#define STARTING \
	"{\"key\":\"" KUBE_FACTS_STARTING "\",\"value\":\"true\",\"effect\":\"NoSchedule\"}"

/* Two nodes whose objects are known, and then the whole anew, with the labels and taints that they have by now. */
static void relabel(struct contain_fixture *w, const char *zone)
{
	static const char *const ids[] = {"aa", "bb"}, *const names[] = {"n1", "n2"};

	for (unsigned int i = 0; i < 2; i++) {
		contain_fixture_node(w, ids[i], names[i], PLUMB_CONTAIN_FREE, CONTAIN_FIXTURE_BOOT);
		contain_fixture_queue(w, ids[i], NODE_DEED_LIFT, true);
	}
	contain_fixture_settle(w);
	contain_free(w->c);
	for (unsigned int i = 0; i < 2; i++) {
		json_decref(w->api.nodes[i].taints);
		w->api.nodes[i].taints = NULL;
		w->api.nodes[i].zone = zone;
	}
	contain_fixture_open(w);
	contain_fixture_tick(w, 1);
	for (unsigned int i = 0; i < 2; i++) {
		contain_fixture_node(w, ids[i], names[i], PLUMB_CONTAIN_QUARANTINED,
				     CONTAIN_FIXTURE_BOOT);
		contain_fixture_queue(w, ids[i], NODE_DEED_QUARANTINE, true);
		contain_fixture_settle(w);
	}
}

/* A kubelet sets that label: two that have none, and were taken over, do not become a zone that shields one of them. */
static void test_a_zone_that_kubelets_made(void **state)
{
	struct contain_fixture *w = *state;

	relabel(w, "mine");
	assert_int_equal(w->held_back, BRAKES_OPEN);
	CONTAIN_FIXTURE_TAINTS(w, 0, CONTAIN_FIXTURE_QUARANTINE);
	CONTAIN_FIXTURE_TAINTS(w, 1, CONTAIN_FIXTURE_QUARANTINE);
}

/* The cloud's own word comes some seconds after the node, and counts; none after it does. */
static void test_a_zone_that_the_cloud_tells(void **state)
{
	struct contain_fixture *w = *state;

	fake_kube_node(&w->api, 0, "n1", "uid-1", CONTAIN_FIXTURE_BOOT, "[" STARTING "]");
	fake_kube_node(&w->api, 1, "n2", "uid-2", CONTAIN_FIXTURE_BOOT, "[" STARTING "]");
	relabel(w, "one");
	assert_int_equal(w->held_back, BRAKES_ZONE);
	relabel(w, NULL);
	assert_int_equal(w->held_back, BRAKES_ZONE);
	relabel(w, "two");
	assert_int_equal(w->held_back, BRAKES_ZONE);
	CONTAIN_FIXTURE_TAINTS(w, 0, CONTAIN_FIXTURE_QUARANTINE);
	CONTAIN_FIXTURE_TAINTS(w, 1, "");
}

#define T(name) cmocka_unit_test_setup_teardown(name, contain_fixture_make, contain_fixture_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_evicted_only_of_its_own),
		T(test_too_large),
		T(test_no_room_for_a_taint),
		T(test_an_etcd_that_is_away),
		T(test_one_that_fails_is_not_always_the_first),
		T(test_a_zone_that_kubelets_made),
		T(test_a_zone_that_the_cloud_tells),
	};

	return cmocka_run_group_tests_name("deeds_own", tests, NULL, NULL);
}
