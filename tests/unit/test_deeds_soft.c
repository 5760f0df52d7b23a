/* SPDX-License-Identifier: Apache-2.0 */
/* A startup taint that keeps no pod away counts for none: a kubelet may register with it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "contain_fixture.h"

/* PreferNoSchedule keeps no pod away: the one that does is set beside it, and both go with the first good verdict. */
static void test_a_soft_startup_taint(void **state)
{
#define SOFT "plumbline.io/unattested:PreferNoSchedule"
	static const char soft[] =
		"[{\"key\":\"plumbline.io/unattested\",\"effect\":"
		"\"PreferNoSchedule\"},{\"key\":\"a\",\"effect\":\"NoSchedule\"}]";
	struct contain_fixture *w = *state;

	/* No good verdict yet: what is there is the kubelet's. */
	fake_kube_node(&w->api, 0, "n1", "uid-1", CONTAIN_FIXTURE_BOOT, soft);
	contain_fixture_node(w, "aa", "n1", PLUMB_CONTAIN_HELD, CONTAIN_FIXTURE_BOOT);
	contain_fixture_queue(w, "aa", NODE_DEED_HOLD, true);
	contain_fixture_settle(w);
	CONTAIN_FIXTURE_TAINTS(w, 0, SOFT " a:NoSchedule " CONTAIN_FIXTURE_HOLD);
	contain_fixture_node(w, "aa", "n1", PLUMB_CONTAIN_FREE, CONTAIN_FIXTURE_BOOT);
	contain_fixture_queue(w, "aa", NODE_DEED_LIFT, true);
	contain_fixture_settle(w);
	CONTAIN_FIXTURE_TAINTS(w, 0, "a:NoSchedule");
	/* Booted anew, and somebody makes it soft. */
	fake_kube_node(&w->api, 0, "n1", "uid-1", CONTAIN_FIXTURE_OTHER_BOOT, NULL);
	contain_fixture_queue(w, "aa", NODE_DEED_LIFT, true);
	contain_fixture_settle(w);
	CONTAIN_FIXTURE_TAINTS(w, 0, CONTAIN_FIXTURE_UNATTESTED);
	fake_kube_node(&w->api, 0, "n1", "uid-1", CONTAIN_FIXTURE_OTHER_BOOT, soft);
	contain_fixture_queue(w, "aa", NODE_DEED_LIFT, true);
	contain_fixture_settle(w);
	CONTAIN_FIXTURE_TAINTS(w, 0, SOFT " a:NoSchedule " CONTAIN_FIXTURE_UNATTESTED);
	contain_fixture_node(w, "aa", "n1", PLUMB_CONTAIN_FREE, CONTAIN_FIXTURE_OTHER_BOOT);
	contain_fixture_tick(w, 1);
	CONTAIN_FIXTURE_TAINTS(w, 0, "a:NoSchedule");
}

/* What the cluster tells of it is looked at: a soft one alone asks for a patch, whichever way. */
static void test_a_soft_startup_taint_differs(void **state)
{
	struct contain_entry e = {.life = PLUMB_LIFE_ACTIVE,
				  .uid = "u",
				  .good_boot = CONTAIN_FIXTURE_BOOT,
				  .facts = {.uid = "u", .taints = KUBE_TAINT_SOFT}};

	(void)state;
	assert_false(deeds_differ(&e, DEEDS_UNATTESTED, 0));
	snprintf(e.seen_boot, sizeof(e.seen_boot), "%s", CONTAIN_FIXTURE_OTHER_BOOT);
	assert_true(deeds_differ(&e, DEEDS_UNATTESTED, 0));
	e.facts.taints |= KUBE_TAINT_UNATTESTED;
	assert_false(deeds_differ(&e, DEEDS_UNATTESTED, 0));
	snprintf(e.seen_boot, sizeof(e.seen_boot), "%s", CONTAIN_FIXTURE_BOOT);
	assert_true(deeds_differ(&e, DEEDS_UNATTESTED, 0));
	e.facts.taints = KUBE_TAINT_SOFT;
	assert_true(deeds_differ(&e, DEEDS_UNATTESTED, 0));
}

#define T(name) cmocka_unit_test_setup_teardown(name, contain_fixture_make, contain_fixture_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_a_soft_startup_taint),
		T(test_a_soft_startup_taint_differs),
	};

	return cmocka_run_group_tests_name("startup taint", tests, NULL, NULL);
}
