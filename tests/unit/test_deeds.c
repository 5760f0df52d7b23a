/* SPDX-License-Identifier: Apache-2.0 */
/* The taints of bound nodes are as their containment is: the last word counts, what others take off comes back, nobody is asked without end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>

#include "contain_fixture.h"

#define OTHER_BOOT "99999999-2222-3333-4444-555555555555"
#define TAINT "plumbline.io/quarantined"
#define HOLD TAINT ":NoSchedule"
#define QUARANTINE TAINT ":NoSchedule " TAINT ":NoExecute"

#define TAINTS(i, text)                                                           \
	do {                                                                      \
		char taints_[512];                                                \
		assert_string_equal(fake_kube_taints(&w->api, i, taints_), text); \
	} while (0)

static void test_taints_follow_containment(void **state)
{
	struct contain_fixture *w = *state;

	contain_fixture_node(w, "aa", "n1", PLUMB_CONTAIN_HELD, CONTAIN_FIXTURE_BOOT);
	contain_fixture_node(w, "bb", "", PLUMB_CONTAIN_QUARANTINED,
			     CONTAIN_FIXTURE_BOOT); /* bound to none */
	contain_fixture_queue(w, "aa", NODE_DEED_HOLD, true);
	contain_fixture_queue(w, "bb", NODE_DEED_QUARANTINE, true);
	contain_fixture_settle(w);
	TAINTS(0, "a:NoExecute " HOLD);
	TAINTS(1, "");
	contain_fixture_node(w, "aa", "n1", PLUMB_CONTAIN_QUARANTINED, CONTAIN_FIXTURE_BOOT);
	contain_fixture_queue(w, "aa", NODE_DEED_QUARANTINE, true);
	contain_fixture_settle(w);
	TAINTS(0, "a:NoExecute " QUARANTINE);
	contain_fixture_node(w, "aa", "n1", PLUMB_CONTAIN_REMEDIATING, CONTAIN_FIXTURE_BOOT);
	contain_fixture_queue(w, "aa", NODE_DEED_LIFT | NODE_DEED_HOLD, true);
	contain_fixture_settle(w);
	TAINTS(0, "a:NoExecute " HOLD);
	contain_fixture_node(w, "aa", "n1", PLUMB_CONTAIN_REPORT, CONTAIN_FIXTURE_BOOT);
	contain_fixture_queue(w, "aa", NODE_DEED_LIFT, true);
	contain_fixture_settle(w);
	TAINTS(0, "a:NoExecute");
}

/* Ten words while the API is away are one in the end, and the last. */
static void test_the_last_word_counts(void **state)
{
	struct contain_fixture *w = *state;

	w->api.fail_get = 503;
	for (int i = 0; i < 10; i++) {
		contain_fixture_node(w, "aa", "n1",
				     i % 2 ? PLUMB_CONTAIN_FREE : PLUMB_CONTAIN_QUARANTINED,
				     CONTAIN_FIXTURE_BOOT);
		contain_fixture_queue(w, "aa", i % 2 ? NODE_DEED_LIFT : NODE_DEED_QUARANTINE, true);
		contain_fixture_settle(w);
	}
	contain_fixture_node(w, "aa", "n1", PLUMB_CONTAIN_HELD, CONTAIN_FIXTURE_BOOT);
	contain_fixture_queue(w, "aa", NODE_DEED_HOLD, true);
	w->api.fail_get = 0;
	w->api.n_get = 0;
	contain_fixture_pass(w, 300);
	TAINTS(0, "a:NoExecute " HOLD);
	assert_true(w->api.n_get <= 2); /* it, and the look at all that are contained */
}

static void test_taints_that_others_took_off_come_back(void **state)
{
	struct contain_fixture *w = *state;

	contain_fixture_node(w, "aa", "n1", PLUMB_CONTAIN_QUARANTINED, CONTAIN_FIXTURE_BOOT);
	contain_fixture_queue(w, "aa", NODE_DEED_QUARANTINE, true);
	contain_fixture_settle(w);
	fake_kube_node(&w->api, 0, "n1", "uid-1", OTHER_BOOT, NULL); /* and its kubelet lies */
	contain_fixture_pass(w, 59);
	contain_fixture_pass(w, 1);
	TAINTS(0, QUARANTINE);
	/* Deleted: told, and looked at again, for it may come back, without taints. */
	fake_kube_node(&w->api, 0, "", "", "", NULL);
	contain_fixture_pass(w, 60);
	fake_kube_node(&w->api, 0, "n1", "uid-7", CONTAIN_FIXTURE_BOOT, NULL);
	contain_fixture_pass(w, 60);
	TAINTS(0, QUARANTINE);
	/* Another machine got the name. */
	fake_kube_node(&w->api, 0, "n1", "uid-8", OTHER_BOOT, NULL);
	contain_fixture_pass(w, 60);
	TAINTS(0, "");
	/* Released while the API was away, and the verifier stopped: its message is still there. */
	fake_kube_node(&w->api, 0, "n1", "uid-7", CONTAIN_FIXTURE_BOOT, NULL);
	contain_fixture_pass(w, 60);
	TAINTS(0, QUARANTINE);
	w->api.fail_patch = 500;
	contain_fixture_node(w, "aa", "n1", PLUMB_CONTAIN_FREE, CONTAIN_FIXTURE_BOOT);
	contain_fixture_queue(w, "aa", NODE_DEED_LIFT, true);
	contain_fixture_settle(w);
	contain_free(w->c);
	w->api.fail_patch = 0;
	contain_fixture_open(w);
	contain_fixture_settle(w);
	TAINTS(0, "");
}

static void test_contained_ones_are_looked_at_at_the_start(void **state)
{
	struct contain_fixture *w = *state;

	contain_free(w->c);
	contain_fixture_node(w, "aa", "n1", PLUMB_CONTAIN_QUARANTINED, CONTAIN_FIXTURE_BOOT);
	contain_fixture_node(w, "bb", "n2", PLUMB_CONTAIN_HELD, CONTAIN_FIXTURE_BOOT);
	contain_fixture_open(w);
	contain_fixture_settle(w);
	TAINTS(0, "a:NoExecute " QUARANTINE);
	TAINTS(1, HOLD);
	w->api.n_get = 0;
	contain_fixture_pass(w, 30);
	assert_int_equal(w->api.n_get, 0);
	contain_fixture_pass(w, 30);
	assert_int_equal(w->api.n_get, 2);
}

/* At the start the API is away: that is no reason to look a minute later. */
static void test_a_look_is_tried_again(void **state)
{
	struct contain_fixture *w = *state;

	contain_free(w->c);
	contain_fixture_node(w, "aa", "n1", PLUMB_CONTAIN_QUARANTINED, CONTAIN_FIXTURE_BOOT);
	w->api.fail_get = 503;
	contain_fixture_open(w);
	contain_fixture_settle(w);
	assert_int_equal(w->api.n_get, 1);
	contain_fixture_pass(w, 1);
	assert_int_equal(w->api.n_get, 2);
	w->api.fail_get = 0;
	contain_fixture_pass(w, 2);
	TAINTS(0, "a:NoExecute " QUARANTINE);
	assert_int_equal(w->api.n_get, 4); /* the object is known from then on: another look, with that */
}

static void test_bound_anew(void **state)
{
	struct contain_fixture *w = *state;

	contain_fixture_node(w, "aa", "n1", PLUMB_CONTAIN_QUARANTINED, CONTAIN_FIXTURE_BOOT);
	contain_fixture_bound(w, "aa", "");
	TAINTS(0, "a:NoExecute " QUARANTINE);
	contain_fixture_node(w, "aa", "n2", PLUMB_CONTAIN_QUARANTINED, CONTAIN_FIXTURE_BOOT);
	contain_fixture_bound(w, "aa", "n1");
	TAINTS(0, "a:NoExecute");
	TAINTS(1, QUARANTINE);
	contain_fixture_node(w, "aa", "", PLUMB_CONTAIN_QUARANTINED, CONTAIN_FIXTURE_BOOT);
	contain_fixture_bound(w, "aa", "n2");
	TAINTS(1, "");
	/* Its name went to another row, which is held: the old row's word is not the last. */
	contain_fixture_node(w, "bb", "n2", PLUMB_CONTAIN_HELD, CONTAIN_FIXTURE_BOOT);
	contain_fixture_bound(w, "aa", "n2");
	TAINTS(1, HOLD);
}

/* A retired node's name may be another's by now; while it is nobody's, our taints go. */
static void test_retired(void **state)
{
	struct contain_fixture *w = *state;
	struct store_node n;

	contain_fixture_node(w, "aa", "n1", PLUMB_CONTAIN_QUARANTINED, CONTAIN_FIXTURE_BOOT);
	contain_fixture_queue(w, "aa", NODE_DEED_QUARANTINE, true);
	contain_fixture_settle(w);
	assert_int_equal(w->f.ops.node_get(w->f.store.ctx, "aa", &n), 0);
	n.life = PLUMB_LIFE_RETIRED;
	assert_int_equal(w->f.ops.begin(w->f.store.ctx), 0);
	assert_int_equal(w->f.ops.node_put(w->f.store.ctx, &n), 0);
	assert_int_equal(w->f.ops.commit(w->f.store.ctx), 0);
	store_node_done(&n);
	contain_fixture_queue(w, "aa", NODE_DEED_LIFT, true);
	contain_fixture_settle(w);
	TAINTS(0, "a:NoExecute");
	contain_fixture_pass(w, 60);
	TAINTS(0, "a:NoExecute");
}

/* No rights, a deleted node, a stranger's machine: none of them holds up the next one, or is asked without end. */
static void test_one_node_delays_no_other(void **state)
{
	struct contain_fixture *w = *state;

	contain_fixture_node(w, "aa", "n3", PLUMB_CONTAIN_QUARANTINED,
			     CONTAIN_FIXTURE_BOOT); /* there is none */
	contain_fixture_node(w, "bb", "n1", PLUMB_CONTAIN_QUARANTINED, OTHER_BOOT);
	contain_fixture_node(w, "cc", "n2", PLUMB_CONTAIN_HELD, CONTAIN_FIXTURE_BOOT);
	contain_fixture_queue(w, "aa", NODE_DEED_QUARANTINE, true);
	contain_fixture_queue(w, "bb", NODE_DEED_QUARANTINE, true);
	contain_fixture_queue(w, "cc", NODE_DEED_HOLD, true);
	contain_fixture_settle(w);
	TAINTS(0, "a:NoExecute");
	TAINTS(1, HOLD);
	w->api.n_get = 0;
	contain_fixture_pass(w, 20);
	assert_int_equal(w->api.n_get, 0);
}

static void test_without_rights_it_is_tried_again(void **state)
{
	struct contain_fixture *w = *state;

	w->api.fail_patch = 403;
	contain_fixture_node(w, "aa", "n1", PLUMB_CONTAIN_HELD, CONTAIN_FIXTURE_BOOT);
	contain_fixture_queue(w, "aa", NODE_DEED_HOLD, true);
	contain_fixture_settle(w);
	assert_int_equal(w->api.n_get, 1);
	contain_fixture_pass(w, 1);
	assert_int_equal(w->api.n_get, 2);
	w->api.fail_patch = 0;
	contain_fixture_pass(w, 2);
	TAINTS(0, "a:NoExecute " HOLD);
}

#define T(name) cmocka_unit_test_setup_teardown(name, contain_fixture_make, contain_fixture_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_taints_follow_containment),
		T(test_the_last_word_counts),
		T(test_taints_that_others_took_off_come_back),
		T(test_contained_ones_are_looked_at_at_the_start),
		T(test_a_look_is_tried_again),
		T(test_bound_anew),
		T(test_retired),
		T(test_one_node_delays_no_other),
		T(test_without_rights_it_is_tried_again),
	};

	return cmocka_run_group_tests_name("taints", tests, NULL, NULL);
}
