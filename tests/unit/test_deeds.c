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

static void test_taints_follow_containment(void **state)
{
	struct contain_fixture *w = *state;

	contain_fixture_node(w, "aa", "n1", PLUMB_CONTAIN_HELD, CONTAIN_FIXTURE_BOOT);
	contain_fixture_node(w, "bb", "", PLUMB_CONTAIN_QUARANTINED,
			     CONTAIN_FIXTURE_BOOT); /* bound to none */
	contain_fixture_queue(w, "aa", NODE_DEED_HOLD, true);
	contain_fixture_queue(w, "bb", NODE_DEED_QUARANTINE, true);
	contain_fixture_settle(w);
	CONTAIN_FIXTURE_TAINTS(w, 0, "a:NoExecute " CONTAIN_FIXTURE_HOLD);
	CONTAIN_FIXTURE_TAINTS(w, 1, "");
	contain_fixture_node(w, "aa", "n1", PLUMB_CONTAIN_QUARANTINED, CONTAIN_FIXTURE_BOOT);
	contain_fixture_queue(w, "aa", NODE_DEED_QUARANTINE, true);
	contain_fixture_settle(w);
	CONTAIN_FIXTURE_TAINTS(w, 0, "a:NoExecute " CONTAIN_FIXTURE_QUARANTINE);
	contain_fixture_node(w, "aa", "n1", PLUMB_CONTAIN_REMEDIATING, CONTAIN_FIXTURE_BOOT);
	contain_fixture_queue(w, "aa", NODE_DEED_LIFT | NODE_DEED_HOLD, true);
	contain_fixture_settle(w);
	CONTAIN_FIXTURE_TAINTS(w, 0, "a:NoExecute " CONTAIN_FIXTURE_HOLD);
	contain_fixture_node(w, "aa", "n1", PLUMB_CONTAIN_REPORT, CONTAIN_FIXTURE_BOOT);
	contain_fixture_queue(w, "aa", NODE_DEED_LIFT, true);
	contain_fixture_settle(w);
	CONTAIN_FIXTURE_TAINTS(w, 0, "a:NoExecute");
}

/* A disk that is full at the wrong moment: what was to free the node does not stand, and neither does what follows from it. */
static void test_lift_that_is_rolled_back(void **state)
{
	struct contain_fixture *w = *state;
	struct store_node n;

	contain_fixture_node(w, "aa", "n1", PLUMB_CONTAIN_QUARANTINED, CONTAIN_FIXTURE_BOOT);
	contain_fixture_queue(w, "aa", NODE_DEED_QUARANTINE, true);
	contain_fixture_settle(w);
	CONTAIN_FIXTURE_TAINTS(w, 0, "a:NoExecute " CONTAIN_FIXTURE_QUARANTINE);
	assert_int_equal(w->f.ops.node_get(w->f.store.ctx, "aa", &n), 0);
	n.containment = PLUMB_CONTAIN_FREE;
	assert_int_equal(w->f.ops.begin(w->f.store.ctx), 0);
	assert_int_equal(contain_let(w->c, &n, NODE_DEED_LIFT, w->key, &w->held_back), 0);
	w->f.ops.rollback(w->f.store.ctx);
	store_node_done(&n);
	for (int i = 0; i < 5; i++) {
		contain_fixture_pass(w, 40);
		CONTAIN_FIXTURE_TAINTS(w, 0, "a:NoExecute " CONTAIN_FIXTURE_QUARANTINE);
	}
	contain_free(w->c);
	contain_fixture_open(w);
	contain_fixture_pass(w, 60);
	CONTAIN_FIXTURE_TAINTS(w, 0, "a:NoExecute " CONTAIN_FIXTURE_QUARANTINE);
	/* One that does stand takes them off. */
	contain_fixture_node(w, "aa", "n1", PLUMB_CONTAIN_FREE, CONTAIN_FIXTURE_BOOT);
	contain_fixture_queue(w, "aa", NODE_DEED_LIFT, true);
	contain_fixture_settle(w);
	CONTAIN_FIXTURE_TAINTS(w, 0, "a:NoExecute");
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
	CONTAIN_FIXTURE_TAINTS(w, 0, "a:NoExecute " CONTAIN_FIXTURE_HOLD);
	assert_true(w->api.n_get <= 2); /* it, and the look at all that are contained */
}

static void test_taints_that_others_took_off_come_back(void **state)
{
	struct contain_fixture *w = *state;

	contain_fixture_node(w, "aa", "n1", PLUMB_CONTAIN_QUARANTINED, CONTAIN_FIXTURE_BOOT);
	contain_fixture_queue(w, "aa", NODE_DEED_QUARANTINE, true);
	contain_fixture_settle(w);
	fake_kube_node(&w->api, 0, "n1", "uid-1", CONTAIN_FIXTURE_OTHER_BOOT,
		       NULL); /* and its kubelet lies */
	contain_fixture_pass(w, 59);
	contain_fixture_pass(w, 1);
	CONTAIN_FIXTURE_TAINTS(w, 0, CONTAIN_FIXTURE_QUARANTINE);
	/* Deleted: told, and looked at again, for it may come back, without taints. */
	fake_kube_node(&w->api, 0, "", "", "", NULL);
	contain_fixture_pass(w, 60);
	fake_kube_node(&w->api, 0, "n1", "uid-7", CONTAIN_FIXTURE_BOOT, NULL);
	contain_fixture_pass(w, 60);
	CONTAIN_FIXTURE_TAINTS(w, 0, CONTAIN_FIXTURE_QUARANTINE);
	/* Another machine got the name. */
	fake_kube_node(&w->api, 0, "n1", "uid-8", CONTAIN_FIXTURE_OTHER_BOOT, NULL);
	contain_fixture_pass(w, 60);
	CONTAIN_FIXTURE_TAINTS(w, 0, "");
	/* Released while the API was away, and the verifier stopped: its message is still there. */
	fake_kube_node(&w->api, 0, "n1", "uid-7", CONTAIN_FIXTURE_BOOT, NULL);
	contain_fixture_pass(w, 60);
	CONTAIN_FIXTURE_TAINTS(w, 0, CONTAIN_FIXTURE_QUARANTINE);
	w->api.fail_patch = 500;
	contain_fixture_node(w, "aa", "n1", PLUMB_CONTAIN_FREE, CONTAIN_FIXTURE_BOOT);
	contain_fixture_queue(w, "aa", NODE_DEED_LIFT, true);
	contain_fixture_settle(w);
	contain_free(w->c);
	w->api.fail_patch = 0;
	contain_fixture_open(w);
	contain_fixture_settle(w);
	CONTAIN_FIXTURE_TAINTS(w, 0, "");
}

static void test_contained_ones_are_looked_at_at_the_start(void **state)
{
	struct contain_fixture *w = *state;

	contain_free(w->c);
	contain_fixture_node(w, "aa", "n1", PLUMB_CONTAIN_QUARANTINED, CONTAIN_FIXTURE_BOOT);
	contain_fixture_node(w, "bb", "n2", PLUMB_CONTAIN_HELD, CONTAIN_FIXTURE_BOOT);
	contain_fixture_open(w);
	contain_fixture_settle(w);
	CONTAIN_FIXTURE_TAINTS(w, 0, "a:NoExecute " CONTAIN_FIXTURE_QUARANTINE);
	CONTAIN_FIXTURE_TAINTS(w, 1, CONTAIN_FIXTURE_HOLD);
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
	CONTAIN_FIXTURE_TAINTS(w, 0, "a:NoExecute " CONTAIN_FIXTURE_QUARANTINE);
	assert_int_equal(w->api.n_get,
			 4); /* the object is known from then on: another look, with that */
}

static void test_bound_anew(void **state)
{
	struct contain_fixture *w = *state;

	contain_fixture_node(w, "aa", "n1", PLUMB_CONTAIN_QUARANTINED, CONTAIN_FIXTURE_BOOT);
	contain_fixture_bound(w, "aa", "");
	CONTAIN_FIXTURE_TAINTS(w, 0, "a:NoExecute " CONTAIN_FIXTURE_QUARANTINE);
	contain_fixture_node(w, "aa", "n2", PLUMB_CONTAIN_QUARANTINED, CONTAIN_FIXTURE_BOOT);
	contain_fixture_bound(w, "aa", "n1");
	CONTAIN_FIXTURE_TAINTS(w, 0, "a:NoExecute");
	CONTAIN_FIXTURE_TAINTS(w, 1, CONTAIN_FIXTURE_QUARANTINE);
	contain_fixture_node(w, "aa", "", PLUMB_CONTAIN_QUARANTINED, CONTAIN_FIXTURE_BOOT);
	contain_fixture_bound(w, "aa", "n2");
	CONTAIN_FIXTURE_TAINTS(w, 1, "");
	/* Its name went to another row, which is held: the old row's word is not the last. */
	contain_fixture_node(w, "bb", "n2", PLUMB_CONTAIN_HELD, CONTAIN_FIXTURE_BOOT);
	contain_fixture_bound(w, "aa", "n2");
	CONTAIN_FIXTURE_TAINTS(w, 1, CONTAIN_FIXTURE_HOLD);
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
	CONTAIN_FIXTURE_TAINTS(w, 0, "a:NoExecute");
	contain_fixture_pass(w, 60);
	CONTAIN_FIXTURE_TAINTS(w, 0, "a:NoExecute");
}

/* No rights, a deleted node, a stranger's machine: none of them holds up the next one, or is asked without end. */
static void test_one_node_delays_no_other(void **state)
{
	struct contain_fixture *w = *state;

	contain_fixture_node(w, "aa", "n3", PLUMB_CONTAIN_QUARANTINED,
			     CONTAIN_FIXTURE_BOOT); /* there is none */
	contain_fixture_node(w, "bb", "n1", PLUMB_CONTAIN_QUARANTINED, CONTAIN_FIXTURE_OTHER_BOOT);
	contain_fixture_node(w, "cc", "n2", PLUMB_CONTAIN_HELD, CONTAIN_FIXTURE_BOOT);
	contain_fixture_queue(w, "aa", NODE_DEED_QUARANTINE, true);
	contain_fixture_queue(w, "bb", NODE_DEED_QUARANTINE, true);
	contain_fixture_queue(w, "cc", NODE_DEED_HOLD, true);
	contain_fixture_settle(w);
	CONTAIN_FIXTURE_TAINTS(w, 0, "a:NoExecute");
	CONTAIN_FIXTURE_TAINTS(w, 1, CONTAIN_FIXTURE_HOLD);
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
	CONTAIN_FIXTURE_TAINTS(w, 0, "a:NoExecute " CONTAIN_FIXTURE_HOLD);
}

/* What is shown follows the state; what cannot be shown holds up no taint. */
static void test_shown(void **state)
{
	struct contain_fixture *w = *state;

	contain_free(w->c);
	w->kinds = DEEDS_DEFAULT;
	contain_fixture_open(w);
	contain_fixture_node(w, "aa", "n1", PLUMB_CONTAIN_QUARANTINED, CONTAIN_FIXTURE_BOOT);
	contain_fixture_queue(w, "aa", NODE_DEED_QUARANTINE, true);
	contain_fixture_settle(w);
	CONTAIN_FIXTURE_TAINTS(w, 0, "a:NoExecute " CONTAIN_FIXTURE_QUARANTINE);
	assert_non_null(strstr(
		w->api.status,
		"\"plumbline.io/Attested\",\"status\":\"False\",\"reason\":\"Quarantined\""));
	assert_int_equal(w->api.n_events, 1);
	assert_non_null(strstr(
		w->api.event,
		"\"action\":\"Quarantine\",\"reason\":\"Quarantined\",\"type\":\"Warning\""));
	assert_non_null(strstr(w->api.event, "\"uid\":\"uid-1\""));
	/* The second look knows the object, and signs for it. */
	assert_non_null(strstr(w->api.shown, "/metadata/annotations/plumbline.io~1verdict"));
	assert_non_null(strstr(w->api.shown,
			       "{\"op\":\"test\",\"path\":\"/metadata/uid\",\"value\":\"uid-1\"}"));
	/* Annotations are full: no matter. */
	w->api.fail_shown = 422;
	w->api.fail_status = 403;
	fake_kube_node(&w->api, 0, "n1", "uid-1", CONTAIN_FIXTURE_BOOT, NULL);
	contain_fixture_pass(w, 60);
	CONTAIN_FIXTURE_TAINTS(w, 0, CONTAIN_FIXTURE_QUARANTINE);
	contain_fixture_node(w, "bb", "n2", PLUMB_CONTAIN_HELD, CONTAIN_FIXTURE_BOOT);
	contain_fixture_queue(w, "bb", NODE_DEED_HOLD, true);
	contain_fixture_settle(w);
	CONTAIN_FIXTURE_TAINTS(w, 1, CONTAIN_FIXTURE_HOLD);
}

/* One node that goes up and down a hundred times is not a hundred Events. */
static void test_events_are_few(void **state)
{
	struct contain_fixture *w = *state;

	contain_free(w->c);
	w->kinds = DEEDS_TAINT | DEEDS_EVENT;
	contain_fixture_open(w);
	for (int i = 0; i < 40; i++) {
		bool up = i % 2 == 0;

		contain_fixture_node(w, "aa", "n1", up ? PLUMB_CONTAIN_HELD : PLUMB_CONTAIN_FREE,
				     CONTAIN_FIXTURE_BOOT);
		contain_fixture_queue(w, "aa", up ? NODE_DEED_HOLD : NODE_DEED_LIFT, true);
		contain_fixture_settle(w);
	}
	assert_int_equal(w->api.n_events, 25);
	contain_fixture_pass(w, 300);
	contain_fixture_node(w, "aa", "n1", PLUMB_CONTAIN_HELD, CONTAIN_FIXTURE_BOOT);
	contain_fixture_queue(w, "aa", NODE_DEED_HOLD, true);
	contain_fixture_settle(w);
	assert_int_equal(w->api.n_events, 26);
}

#define STARTUP                     \
	"[{\"key\":\"plumbline.io/" \
	"unattested\",\"effect\":\"NoExecute\"},{\"key\":\"a\",\"effect\":\"NoSchedule\"}]"

static void test_boots(void **state)
{
	struct contain_fixture *w = *state;

	/* The taint of the start goes with the first good verdict of that boot, whatever its effect; others' stay. */
	fake_kube_node(&w->api, 0, "n1", "uid-1", CONTAIN_FIXTURE_BOOT, STARTUP);
	contain_fixture_node(w, "aa", "n1", PLUMB_CONTAIN_HELD, CONTAIN_FIXTURE_BOOT);
	contain_fixture_queue(w, "aa", NODE_DEED_HOLD, true);
	contain_fixture_settle(w);
	CONTAIN_FIXTURE_TAINTS(
		w, 0,
		"plumbline.io/unattested:NoExecute "
		"a:NoSchedule " CONTAIN_FIXTURE_HOLD); /* it is held: no good verdict */
	contain_fixture_node(w, "aa", "n1", PLUMB_CONTAIN_FREE, CONTAIN_FIXTURE_BOOT);
	contain_fixture_queue(w, "aa", NODE_DEED_LIFT, true);
	contain_fixture_settle(w);
	CONTAIN_FIXTURE_TAINTS(w, 0, "a:NoSchedule");
	/* Booted anew, as its kubelet tells: nobody works there until it is attested again. */
	fake_kube_node(&w->api, 0, "n1", "uid-1", CONTAIN_FIXTURE_OTHER_BOOT, NULL);
	contain_fixture_queue(w, "aa", NODE_DEED_LIFT, true);
	contain_fixture_settle(w);
	CONTAIN_FIXTURE_TAINTS(w, 0, CONTAIN_FIXTURE_UNATTESTED);
	contain_fixture_tick(w, 1);
	CONTAIN_FIXTURE_TAINTS(w, 0, CONTAIN_FIXTURE_UNATTESTED);
	contain_fixture_node(w, "aa", "n1", PLUMB_CONTAIN_FREE, CONTAIN_FIXTURE_OTHER_BOOT);
	contain_fixture_tick(w, 1);
	CONTAIN_FIXTURE_TAINTS(w, 0, "");
	/* A kubelet that tells no boot says nothing. */
	fake_kube_node(&w->api, 0, "n1", "uid-1", "", NULL);
	contain_fixture_queue(w, "aa", NODE_DEED_LIFT, true);
	contain_fixture_settle(w);
	CONTAIN_FIXTURE_TAINTS(w, 0, "");
	/* One that never had a good verdict is left as it is. */
	contain_fixture_node(w, "bb", "n2", PLUMB_CONTAIN_HELD, CONTAIN_FIXTURE_BOOT);
	contain_fixture_queue(w, "bb", NODE_DEED_HOLD, true);
	contain_fixture_settle(w);
	fake_kube_node(&w->api, 1, "n2", "uid-2", CONTAIN_FIXTURE_OTHER_BOOT, NULL);
	contain_fixture_pass(w, 60);
	CONTAIN_FIXTURE_TAINTS(w, 1, CONTAIN_FIXTURE_HOLD);
}

/* Of a boot that nobody has told of yet nothing is known: a node that was just bound must not be tainted until it is looked at. */
static void test_a_boot_that_is_not_known(void **state)
{
	struct contain_entry e = {.life = PLUMB_LIFE_ACTIVE, .good_boot = CONTAIN_FIXTURE_BOOT};

	(void)state;
	assert_int_equal(deeds_unattested(&e, DEEDS_UNATTESTED), KUBE_KEEP);
	snprintf(e.seen_boot, sizeof(e.seen_boot), "%s", CONTAIN_FIXTURE_OTHER_BOOT);
	assert_int_equal(deeds_unattested(&e, DEEDS_UNATTESTED), KUBE_PUT);
	snprintf(e.seen_boot, sizeof(e.seen_boot), "%s", CONTAIN_FIXTURE_BOOT);
	assert_int_equal(deeds_unattested(&e, DEEDS_UNATTESTED), KUBE_TAKE);
}

static void test_cordon(void **state)
{
	struct contain_fixture *w = *state;

	contain_free(w->c);
	w->kinds = DEEDS_TAINT | DEEDS_CORDON;
	contain_fixture_open(w);
	for (int before = 0; before < 2; before++) {
		fake_kube_node(&w->api, 0, "n1", "uid-1", CONTAIN_FIXTURE_BOOT, NULL);
		w->api.nodes[0].cordoned = before;
		contain_fixture_node(w, "aa", "n1", PLUMB_CONTAIN_QUARANTINED,
				     CONTAIN_FIXTURE_BOOT);
		contain_fixture_queue(w, "aa", NODE_DEED_QUARANTINE, true);
		contain_fixture_settle(w);
		assert_true(w->api.nodes[0].cordoned);
		/* It is remembered whose it is. */
		contain_free(w->c);
		contain_fixture_open(w);
		contain_fixture_node(w, "aa", "n1", PLUMB_CONTAIN_FREE, CONTAIN_FIXTURE_BOOT);
		contain_fixture_queue(w, "aa", NODE_DEED_LIFT, true);
		contain_fixture_settle(w);
		assert_int_equal(w->api.nodes[0].cordoned, before);
		CONTAIN_FIXTURE_TAINTS(w, 0, "");
	}
	/* Bound to another: it goes with our taints. */
	fake_kube_node(&w->api, 0, "n1", "uid-1", CONTAIN_FIXTURE_BOOT, NULL);
	contain_fixture_node(w, "aa", "n1", PLUMB_CONTAIN_QUARANTINED, CONTAIN_FIXTURE_BOOT);
	contain_fixture_queue(w, "aa", NODE_DEED_QUARANTINE, true);
	contain_fixture_settle(w);
	assert_true(w->api.nodes[0].cordoned);
	contain_fixture_node(w, "aa", "", PLUMB_CONTAIN_QUARANTINED, CONTAIN_FIXTURE_BOOT);
	contain_fixture_bound(w, "aa", "n1");
	assert_false(w->api.nodes[0].cordoned);
	CONTAIN_FIXTURE_TAINTS(w, 0, "");
}

/* The second one has to wait, and then it is its turn. */
static void test_brakes_hold_back_and_let(void **state)
{
	struct contain_fixture *w = *state;

	contain_free(w->c);
	w->max_percent = 10;
	contain_fixture_open(w);
	contain_fixture_node(w, "aa", "n1", PLUMB_CONTAIN_QUARANTINED, CONTAIN_FIXTURE_BOOT);
	contain_fixture_queue(w, "aa", NODE_DEED_QUARANTINE, true);
	assert_int_equal(w->held_back, BRAKES_OPEN);
	contain_fixture_node(w, "bb", "n2", PLUMB_CONTAIN_QUARANTINED, CONTAIN_FIXTURE_BOOT);
	contain_fixture_queue(w, "bb", NODE_DEED_QUARANTINE, true);
	assert_int_equal(w->held_back, BRAKES_SHARE);
	contain_fixture_settle(w);
	CONTAIN_FIXTURE_TAINTS(w, 0, "a:NoExecute " CONTAIN_FIXTURE_QUARANTINE);
	CONTAIN_FIXTURE_TAINTS(w, 1, "");
	contain_fixture_tick(w, 1);
	CONTAIN_FIXTURE_TAINTS(w, 1, "");
	/* Neither a start nor a minute lets it. */
	contain_free(w->c);
	contain_fixture_open(w);
	contain_fixture_pass(w, 60);
	CONTAIN_FIXTURE_TAINTS(w, 1, "");
	contain_fixture_node(w, "aa", "n1", PLUMB_CONTAIN_FREE, CONTAIN_FIXTURE_BOOT);
	contain_fixture_queue(w, "aa", NODE_DEED_LIFT, true);
	contain_fixture_tick(w, 1);
	CONTAIN_FIXTURE_TAINTS(w, 0, "a:NoExecute");
	CONTAIN_FIXTURE_TAINTS(w, 1, CONTAIN_FIXTURE_QUARANTINE);
}

static void test_dry_run(void **state)
{
	struct contain_fixture *w = *state;

	contain_free(w->c);
	w->dry_run = true;
	contain_fixture_open(w);
	contain_fixture_node(w, "aa", "n1", PLUMB_CONTAIN_QUARANTINED, CONTAIN_FIXTURE_BOOT);
	contain_fixture_queue(w, "aa", NODE_DEED_QUARANTINE, true);
	assert_int_equal(w->held_back, BRAKES_DRY_RUN);
	contain_fixture_tick(w, 1);
	CONTAIN_FIXTURE_TAINTS(w, 0, "a:NoExecute");
}

static void set_paused(struct contain_fixture *w, const char *value)
{
	assert_int_equal(w->f.ops.begin(w->f.store.ctx), 0);
	assert_int_equal(w->f.ops.setting_put(w->f.store.ctx, CONTAIN_PAUSE, value), 0);
	assert_int_equal(w->f.ops.commit(w->f.store.ctx), 0);
}

/* Nothing is put back, what is released goes; and then all is as it was wanted. */
static void test_paused(void **state)
{
	struct contain_fixture *w = *state;

	contain_fixture_node(w, "aa", "n1", PLUMB_CONTAIN_QUARANTINED, CONTAIN_FIXTURE_BOOT);
	contain_fixture_queue(w, "aa", NODE_DEED_QUARANTINE, true);
	contain_fixture_node(w, "bb", "n2", PLUMB_CONTAIN_HELD, CONTAIN_FIXTURE_BOOT);
	contain_fixture_queue(w, "bb", NODE_DEED_HOLD, true);
	contain_fixture_settle(w);
	set_paused(w, "{}");
	fake_kube_node(&w->api, 0, "n1", "uid-1", CONTAIN_FIXTURE_BOOT, NULL);
	contain_fixture_pass(w, 60);
	CONTAIN_FIXTURE_TAINTS(w, 0, "");
	contain_fixture_node(w, "bb", "n2", PLUMB_CONTAIN_FREE, CONTAIN_FIXTURE_BOOT);
	contain_fixture_queue(w, "bb", NODE_DEED_LIFT, true);
	contain_fixture_settle(w);
	CONTAIN_FIXTURE_TAINTS(w, 1, "");
	set_paused(w, "");
	contain_again(w->c);
	contain_fixture_settle(w);
	CONTAIN_FIXTURE_TAINTS(w, 0, CONTAIN_FIXTURE_QUARANTINE);
}

/* Of another machine's object, or one of which nothing is known yet, nothing is said in the attested machine's name. */
static void test_shown_only_of_its_own(void **state)
{
	struct contain_fixture *w = *state;

	contain_free(w->c);
	w->kinds = DEEDS_DEFAULT | DEEDS_CORDON;
	contain_fixture_open(w);
	contain_fixture_node(w, "aa", "n1", PLUMB_CONTAIN_FREE, CONTAIN_FIXTURE_OTHER_BOOT);
	contain_fixture_queue(w, "aa", NODE_DEED_LIFT, true);
	contain_fixture_settle(w);
	assert_int_equal(w->api.n_shown + w->api.n_status + w->api.n_events, 0);
	contain_fixture_node(w, "bb", "n2", PLUMB_CONTAIN_HELD, "");
	contain_fixture_queue(w, "bb", NODE_DEED_HOLD, true);
	contain_fixture_settle(w);
	CONTAIN_FIXTURE_TAINTS(w, 1, CONTAIN_FIXTURE_HOLD);
	assert_false(w->api.nodes[1].cordoned);
	assert_int_equal(w->api.n_shown + w->api.n_status + w->api.n_events, 0);
}

/* That nothing is known of a node is no proof: it gets no work, and nothing is moved off it. */
static void test_unknown_is_not_bad(void **state)
{
	struct contain_fixture *w = *state;

	w->key = "finding:silent";
	contain_fixture_node(w, "aa", "n1", PLUMB_CONTAIN_QUARANTINED, CONTAIN_FIXTURE_BOOT);
	contain_fixture_queue(w, "aa", NODE_DEED_QUARANTINE, true);
	contain_fixture_settle(w);
	CONTAIN_FIXTURE_TAINTS(w, 0, "a:NoExecute " CONTAIN_FIXTURE_HOLD);
}

/* Up and down within a minute: let down once, then it stays up until the minute is over. */
static void test_calm(void **state)
{
	struct contain_fixture *w = *state;

	contain_free(w->c);
	w->calm_ms = 60000;
	contain_fixture_open(w);
	for (int i = 0; i < 2; i++) {
		contain_fixture_node(w, "aa", "n1", PLUMB_CONTAIN_HELD, CONTAIN_FIXTURE_BOOT);
		contain_fixture_queue(w, "aa", NODE_DEED_HOLD, true);
		contain_fixture_settle(w);
		CONTAIN_FIXTURE_TAINTS(w, 0, "a:NoExecute " CONTAIN_FIXTURE_HOLD);
		contain_fixture_node(w, "aa", "n1", PLUMB_CONTAIN_FREE, CONTAIN_FIXTURE_BOOT);
		contain_fixture_queue(w, "aa", NODE_DEED_LIFT, true);
		contain_fixture_settle(w);
		CONTAIN_FIXTURE_TAINTS(
			w, 0, i == 0 ? "a:NoExecute" : "a:NoExecute " CONTAIN_FIXTURE_HOLD);
	}
	contain_fixture_pass(w, 50);
	contain_fixture_tick(w, 1);
	CONTAIN_FIXTURE_TAINTS(w, 0, "a:NoExecute " CONTAIN_FIXTURE_HOLD);
	contain_fixture_pass(w, 10);
	contain_fixture_tick(w, 1);
	CONTAIN_FIXTURE_TAINTS(w, 0, "a:NoExecute");
}

#define T(name) cmocka_unit_test_setup_teardown(name, contain_fixture_make, contain_fixture_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_taints_follow_containment),
		T(test_lift_that_is_rolled_back),
		T(test_the_last_word_counts),
		T(test_taints_that_others_took_off_come_back),
		T(test_contained_ones_are_looked_at_at_the_start),
		T(test_a_look_is_tried_again),
		T(test_bound_anew),
		T(test_retired),
		T(test_one_node_delays_no_other),
		T(test_without_rights_it_is_tried_again),
		T(test_shown),
		T(test_events_are_few),
		T(test_boots),
		T(test_a_boot_that_is_not_known),
		T(test_cordon),
		T(test_brakes_hold_back_and_let),
		T(test_dry_run),
		T(test_paused),
		T(test_shown_only_of_its_own),
		T(test_unknown_is_not_bad),
		T(test_calm),
	};

	return cmocka_run_group_tests_name("taints", tests, NULL, NULL);
}
