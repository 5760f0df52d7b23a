/* SPDX-License-Identifier: Apache-2.0 */
/* What a quarantine is more than a hold, the order and NoExecute: when it goes out, what it waits for, and how long pods have. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <stdlib.h>

#include "contain_fixture.h"

#define S VERIFIER_FIXTURE_S
#define EVICT_S 600 /* of the fixture */

static struct contain_entry *entry(struct contain_fixture *w, const char *id)
{
	return contain_book_id(contain_book(w->c), id);
}

static void open_with(struct contain_fixture *w, uint32_t kinds)
{
	contain_free(w->c);
	w->kinds = kinds;
	contain_fixture_open(w);
}

static void become(struct contain_fixture *w, enum plumb_containment to, uint32_t deeds)
{
	contain_fixture_node(w, "aa", "n1", to, CONTAIN_FIXTURE_BOOT);
	contain_fixture_queue(w, "aa", deeds, true);
	contain_fixture_settle(w);
}

static enum kube_want wanted(struct contain_fixture *w)
{
	return deeds_containment(entry(w, "aa"), w->kinds, w->f.utc_ns);
}

/* Released, and bad again: it was held all the while, and who works there now has the whole time that the first ones had. */
static void test_each_quarantine_has_its_time(void **state)
{
	struct contain_fixture *w = *state;

	open_with(w, DEEDS_TAINT | DEEDS_EVICT);
	become(w, PLUMB_CONTAIN_QUARANTINED, NODE_DEED_QUARANTINE);
	assert_int_equal(entry(w, "aa")->drain_until_ns, w->f.utc_ns + EVICT_S * S);
	assert_int_equal(wanted(w), KUBE_HOLD);
	contain_fixture_pass(w, EVICT_S);
	assert_int_equal(wanted(w), KUBE_QUARANTINE);
	entry(w, "aa")->cleared_ns = entry(w, "aa")->drain_until_ns;
	entry(w, "aa")->over = true; /* no tick between the two */
	become(w, PLUMB_CONTAIN_REMEDIATING,
	       NODE_DEED_LIFT | NODE_DEED_HOLD | NODE_DEED_ORDER_RELEASE);
	contain_fixture_pass(w, 60);
	become(w, PLUMB_CONTAIN_QUARANTINED, NODE_DEED_QUARANTINE);
	assert_int_equal(entry(w, "aa")->drain_until_ns, w->f.utc_ns + EVICT_S * S);
	assert_int_not_equal(entry(w, "aa")->cleared_ns, entry(w, "aa")->drain_until_ns);
	assert_false(entry(w, "aa")->over);
	assert_int_equal(wanted(w), KUBE_HOLD);
	/* Kept: a verifier that starts anew gives no other one. */
	contain_free(w->c);
	contain_fixture_open(w);
	assert_int_equal(entry(w, "aa")->drain_until_ns, w->f.utc_ns + EVICT_S * S);
}

#define T(name) cmocka_unit_test_setup_teardown(name, contain_fixture_make, contain_fixture_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_each_quarantine_has_its_time),
	};

	return cmocka_run_group_tests_name("contain_cut", tests, NULL, NULL);
}
